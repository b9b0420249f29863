#include "hash/hash.h"

#include <stdatomic.h>

#include <openssl/evp.h>

#include "base/err.h"

/* OpenSSL 3 looks an algorithm up by name in every DigestInit unless it was fetched once. */
static const EVP_MD *sha256(void)
{
    static EVP_MD *_Atomic md;
    EVP_MD *have = md;

    if (!have) {
        EVP_MD *fresh = EVP_MD_fetch(NULL, "SHA256", NULL);
        EVP_MD *none = NULL;

        MST_ASSERT(fresh);
        if (atomic_compare_exchange_strong(&md, &none, fresh)) {
            have = fresh;
        } else {
            EVP_MD_free(fresh);
            have = md;
        }
    }
    return have;
}

void mst_sha256_init(struct mst_sha256 *h)
{
    h->ctx = EVP_MD_CTX_new();
    MST_ASSERT(h->ctx && EVP_DigestInit_ex(h->ctx, sha256(), NULL) == 1);
}

void mst_sha256_release(struct mst_sha256 *h)
{
    if (h) {
        EVP_MD_CTX_free(h->ctx);
        h->ctx = NULL;
    }
}

void mst_sha256_add(struct mst_sha256 *h, const void *p, size_t n)
{
    MST_ASSERT(EVP_DigestUpdate(h->ctx, p, n) == 1);
}

void mst_sha256_final(struct mst_sha256 *h, uint8_t out[MST_SHA256_LEN])
{
    unsigned n = 0;

    MST_ASSERT(EVP_DigestFinal_ex(h->ctx, out, &n) == 1 && n == MST_SHA256_LEN);
    MST_ASSERT(EVP_DigestInit_ex(h->ctx, NULL, NULL) == 1);
}

void mst_sha256_one(struct mst_sha256 *h, const void *p, size_t n, uint8_t out[MST_SHA256_LEN])
{
    unsigned len = 0;

    MST_ASSERT(EVP_DigestInit_ex(h->ctx, NULL, NULL) == 1);
    MST_ASSERT(EVP_DigestUpdate(h->ctx, p, n) == 1);
    MST_ASSERT(EVP_DigestFinal_ex(h->ctx, out, &len) == 1 && len == MST_SHA256_LEN);
    MST_ASSERT(EVP_DigestInit_ex(h->ctx, NULL, NULL) == 1);
}

void mst_sha256_of(const void *p, size_t n, uint8_t out[MST_SHA256_LEN])
{
    struct mst_sha256 h;

    mst_sha256_init(&h);
    mst_sha256_add(&h, p, n);
    mst_sha256_final(&h, out);
    mst_sha256_release(&h);
}

void mst_sha1_of(const void *p, size_t n, uint8_t out[MST_SHA1_LEN])
{
    unsigned len = 0;

    MST_ASSERT(EVP_Digest(p, n, out, &len, EVP_sha1(), NULL) == 1 && len == MST_SHA1_LEN);
}

char *mst_hex(const uint8_t *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
    return out;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool mst_unhex(const char *hex, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int a = nibble(hex[2 * i]);
        const int b = a < 0 ? -1 : nibble(hex[2 * i + 1]);

        if (b < 0) {
            return false;
        }
        out[i] = (uint8_t)(a << 4 | b);
    }
    return hex[2 * n] == '\0';
}

static uint64_t be64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

void mst_sum256_get(struct mst_sum256 *s, const uint8_t in[MST_SHA256_LEN])
{
    for (int i = 0; i < 4; i++) {
        s->w[i] = be64(in + 8 * (3 - i));
    }
}

void mst_sum256_put(const struct mst_sum256 *s, uint8_t out[MST_SHA256_LEN])
{
    for (int i = 0; i < 4; i++) {
        for (int b = 0; b < 8; b++) {
            out[8 * (3 - i) + b] = (uint8_t)(s->w[i] >> (56 - 8 * b));
        }
    }
}

void mst_sum256_join(struct mst_sum256 *s, const struct mst_sum256 *other)
{
    unsigned carry = 0;

    for (int i = 0; i < 4; i++) {
        const uint64_t a = s->w[i] + other->w[i];
        const uint64_t b = a + carry;

        carry = (a < other->w[i]) | (b < a);
        s->w[i] = b;
    }
}

void mst_sum256_add(struct mst_sum256 *s, const uint8_t digest[MST_SHA256_LEN])
{
    struct mst_sum256 d;

    mst_sum256_get(&d, digest);
    mst_sum256_join(s, &d);
}

void mst_sum256_sub(struct mst_sum256 *s, const uint8_t digest[MST_SHA256_LEN])
{
    struct mst_sum256 d;
    unsigned borrow = 0;

    mst_sum256_get(&d, digest);
    for (int i = 0; i < 4; i++) {
        const uint64_t a = s->w[i] - d.w[i];
        const uint64_t b = a - borrow;

        borrow = (s->w[i] < d.w[i]) | (a < borrow);
        s->w[i] = b;
    }
}

bool mst_sum256_equal(const struct mst_sum256 *a, const struct mst_sum256 *b)
{
    return memcmp(a->w, b->w, sizeof(a->w)) == 0;
}

char *mst_sum256_hex(const struct mst_sum256 *s, char out[MST_SHA256_HEX])
{
    uint8_t raw[MST_SHA256_LEN];

    mst_sum256_put(s, raw);
    return mst_hex(raw, sizeof(raw), out);
}
