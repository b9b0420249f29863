/* Digests and checksums of the scripted S3 server, straight from OpenSSL and from the polynomials.
 */
#include "s3d_own.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"

static unsigned digest(const EVP_MD *md, const void *p, size_t n, uint8_t *out)
{
    unsigned len = 0;

    MST_ASSERT(EVP_Digest(p ? p : "", n, out, &len, md, NULL) == 1);
    return len;
}

void sum_hex(const uint8_t *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

void sum_base64(const uint8_t *p, size_t n, char *out)
{
    (void)EVP_EncodeBlock((unsigned char *)out, p, (int)n);
}

void sum_sha256_hex(const void *p, size_t n, char out[65])
{
    uint8_t raw[EVP_MAX_MD_SIZE];

    sum_hex(raw, digest(EVP_sha256(), p, n, raw), out);
}

void sum_md5_hex(const void *p, size_t n, char out[33])
{
    uint8_t raw[EVP_MAX_MD_SIZE];

    sum_hex(raw, digest(EVP_md5(), p, n, raw), out);
}

void sum_hmac(const void *key, size_t key_n, const char *text, uint8_t out[32])
{
    unsigned len = 32;

    MST_ASSERT(
        HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)text, strlen(text), out, &len));
}

static uint32_t crc32c_table[256];

static void crc32c_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (int k = 0; k < 8; k++) {
            c = c & 1 ? c >> 1 ^ 0x82f63b78U : c >> 1;
        }
        crc32c_table[i] = c;
    }
}

/* Castagnoli's polynomial, reflected. */
static uint32_t crc32c(const uint8_t *p, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint32_t c = 0xffffffffU;

    (void)pthread_once(&once, crc32c_init);
    while (n-- > 0) {
        c = crc32c_table[(c ^ *p++) & 0xff] ^ c >> 8;
    }
    return ~c;
}

static void base64_of_u32(uint32_t v, char *out)
{
    const uint8_t raw[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

    sum_base64(raw, sizeof(raw), out);
}

bool sum_named(const char *header, const void *p, size_t n, char *base64)
{
    uint8_t raw[EVP_MAX_MD_SIZE];
    const char *dash = strrchr(header, '-');
    const char *name = dash ? dash + 1 : header;

    if (strcmp(name, "crc32c") == 0) {
        base64_of_u32(crc32c(p, n), base64);
    } else if (strcmp(name, "crc32") == 0) {
        base64_of_u32((uint32_t)crc32_z(0, p, n), base64);
    } else if (strcmp(name, "sha256") == 0) {
        sum_base64(raw, digest(EVP_sha256(), p, n, raw), base64);
    } else if (strcmp(name, "sha1") == 0) {
        sum_base64(raw, digest(EVP_sha1(), p, n, raw), base64);
    } else if (strcmp(name, "md5") == 0) {
        sum_base64(raw, digest(EVP_md5(), p, n, raw), base64);
    } else {
        return false;
    }
    return true;
}

/* x-goog-hash: crc32c=...,md5=... */
static bool goog_hash(struct s3d *s, const struct request *q, struct reply *r, const char *value,
                      struct sums *out)
{
    while (*value) {
        char name[32] = "", want[96] = "", got[96];
        int used = 0;

        if (sscanf(value, " %31[^=]=%95[^,]%n", name, want, &used) != 2 ||
            !sum_named(name, q->body, q->body_n, got)) {
            s3d_complain(s, q, "x-goog-hash is malformed: %s", value);
            return s3d_error(r, q, 400, "InvalidDigest", "x-goog-hash is malformed");
        }
        if (strcmp(got, want) != 0 && !s->o.ignores_checksums) {
            s3d_complain(s, q, "x-goog-hash %s is not that of the body", name);
            return s3d_error(r, q, 400, "BadDigest", "%s is not that of the body", name);
        }
        (void)mst_copy(out->name, sizeof(out->name), name);
        (void)mst_copy(out->value, sizeof(out->value), got);
        value += used;
        value += *value == ',';
    }
    return true;
}

/* Names that begin like a checksum and carry none. */
static bool about_checksums(const char *name)
{
    return strcmp(name, "x-amz-checksum-algorithm") == 0 ||
           strcmp(name, "x-amz-checksum-mode") == 0 || strcmp(name, "x-amz-checksum-type") == 0;
}

static bool amz_checksum(struct s3d *s, const struct request *q, struct reply *r,
                         const struct pair *h, struct sums *out)
{
    char got[96];

    if (s->o.google) {
        s3d_complain(s, q, "%s sent to a store of the other kind", h->name);
        return s3d_error(r, q, 400, "ExcessHeaderValues", "%s", h->name);
    }
    if (q->kind == S3D_COMPLETE) { /* of the object to be: composite, checked there */
        return true;
    }
    if (!sum_named(h->name, q->body, q->body_n, got)) {
        s3d_complain(s, q, "%s is no checksum known here", h->name);
        return s3d_error(r, q, 400, "InvalidRequest", "%s is not known", h->name);
    }
    if (strcmp(got, h->value) != 0 && !s->o.ignores_checksums) {
        s3d_complain(s, q, "%s is not that of the body", h->name);
        return s3d_error(r, q, 400, "BadDigest", "%s is %s, the body's is %s", h->name, h->value,
                         got);
    }
    if (out->name[0] && strcmp(out->name, h->name) != 0) {
        return s3d_error(r, q, 400, "InvalidRequest", "expecting a single x-amz-checksum header");
    }
    (void)mst_copy(out->name, sizeof(out->name), h->name);
    (void)mst_copy(out->value, sizeof(out->value), got);
    return true;
}

bool s3d_sums(struct s3d *s, const struct request *q, struct reply *r, struct sums *out)
{
    const char *md5 = pairs_get(&q->headers, "content-md5");
    char got[96];

    memset(out, 0, sizeof(*out));
    sum_md5_hex(q->body, q->body_n, out->md5_hex);
    if (md5) {
        (void)sum_named("md5", q->body, q->body_n, got);
        if (strlen(md5) != strlen(got)) {
            s3d_complain(s, q, "Content-MD5 is no MD5");
            return s3d_error(r, q, 400, "InvalidDigest", "the Content-MD5 is not valid");
        }
        if (strcmp(md5, got) != 0 && !s->o.ignores_checksums) {
            s3d_complain(s, q, "Content-MD5 is not that of the body");
            return s3d_error(r, q, 400, "BadDigest", "the Content-MD5 is not that of the body");
        }
    }
    for (size_t i = 0; i < q->headers.n; i++) {
        const struct pair *h = &q->headers.p[i];

        if (strcmp(h->name, "x-goog-hash") == 0 && !goog_hash(s, q, r, h->value, out)) {
            return false;
        }
        if (strncmp(h->name, "x-amz-checksum-", 15) == 0 && !about_checksums(h->name) &&
            !amz_checksum(s, q, r, h, out)) {
            return false;
        }
    }
    return true;
}

static size_t unbase64(const char *text, uint8_t *out)
{
    const size_t n = strlen(text);
    int len = EVP_DecodeBlock(out, (const unsigned char *)text, (int)n);

    for (size_t i = n; i > 0 && text[i - 1] == '=' && len > 0; i--) {
        len--;
    }
    return len > 0 ? (size_t)len : 0;
}

/* ETag: MD5 of the parts' MD5s; checksum: the same of their checksums, when all have one. */
void sum_composite(const struct part *parts, size_t n, char etag[64], struct sums *out)
{
    struct mst_buf md5s = {0}, sums = {0};
    bool all = n > 0;
    char text[96];

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        uint8_t raw[96];
        char digit[3] = "";

        for (size_t k = 0; k < 16; k++) {
            memcpy(digit, parts[i].sums.md5_hex + 2 * k, 2);
            raw[k] = (uint8_t)strtoul(digit, NULL, 16);
        }
        mst_buf_add(&md5s, raw, 16);
        all = all && parts[i].sums.name[0] && strcmp(parts[i].sums.name, parts[0].sums.name) == 0;
        if (all) {
            mst_buf_add(&sums, raw, unbase64(parts[i].sums.value, raw));
        }
    }
    sum_md5_hex(md5s.p, md5s.len, out->md5_hex);
    (void)snprintf(etag, 64, "%s-%zu", out->md5_hex, n);
    if (all && sum_named(parts[0].sums.name, sums.p, sums.len, text)) {
        (void)mst_copy(out->name, sizeof(out->name), parts[0].sums.name);
        (void)snprintf(out->value, sizeof(out->value), "%.64s-%zu", text, n);
    }
    mst_buf_release(&md5s);
    mst_buf_release(&sums);
}
