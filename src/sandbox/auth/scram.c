#include "auth/scram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/mem.h"

#define NONCE_BYTES 24
#define SALT_MAX 64
/* The server refuses a nonce of less than four characters. */
#define CLIENT_NONCE_MIN 4

static const EVP_MD *digest(enum sbx_scram_mech m)
{
    return m == SBX_SCRAM_SHA1 ? EVP_sha1() : EVP_sha256();
}

static size_t key_len(enum sbx_scram_mech m)
{
    return m == SBX_SCRAM_SHA1 ? 20 : 32;
}

const char *sbx_scram_name(enum sbx_scram_mech m)
{
    return m == SBX_SCRAM_SHA1 ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
}

bool sbx_scram_find(const char *name, enum sbx_scram_mech *out)
{
    for (int m = 0; m < SBX_SCRAM_MECHS; m++) {
        if (strcmp(name, sbx_scram_name((enum sbx_scram_mech)m)) == 0) {
            *out = (enum sbx_scram_mech)m;
            return true;
        }
    }
    return false;
}

static bool hmac(enum sbx_scram_mech m, const uint8_t *key, const char *text, uint8_t *out)
{
    unsigned n = 0;

    return HMAC(digest(m), key, (int)key_len(m), (const unsigned char *)text, strlen(text), out,
                &n) != NULL &&
           n == key_len(m);
}

static bool hash(enum sbx_scram_mech m, const uint8_t *p, size_t n, uint8_t *out)
{
    unsigned got = 0;

    return EVP_Digest(p, n, out, &got, digest(m), NULL) == 1;
}

/* Base64 into a buffer; -1 when the text is not base64 or does not fit. */
static int decode64(const char *text, size_t n, uint8_t *out, size_t size)
{
    int got;
    size_t pad = 0;

    if (n == 0 || n % 4 != 0 || n / 4 * 3 > size) {
        return -1;
    }
    pad += text[n - 1] == '=';
    pad += n > 1 && text[n - 2] == '=';
    got = EVP_DecodeBlock(out, (const unsigned char *)text, (int)n);
    return got < 0 ? -1 : got - (int)pad;
}

static void encode64(const uint8_t *p, size_t n, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, p, (int)n);
}

/* SHA-1 users are stored over the digest that older versions used as a password. */
static void password_text(enum sbx_scram_mech m, const char *user, const char *password, char *out,
                          size_t size)
{
    uint8_t md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char *joined;

    if (m == SBX_SCRAM_SHA256) {
        mst_copy(out, size, password);
        return;
    }
    joined = mst_xasprintf("%s:mongo:%s", user, password);
    EVP_Digest(joined, strlen(joined), md, &n, EVP_md5(), NULL);
    for (unsigned i = 0; i < n && 2 * i + 2 < size; i++) {
        snprintf(out + 2 * (size_t)i, 3, "%02x", md[i]);
    }
    OPENSSL_cleanse(joined, strlen(joined));
    free(joined);
}

static bool salted(enum sbx_scram_mech m, const char *user, const char *password,
                   const char *salt64, int iterations, uint8_t *out)
{
    uint8_t salt[SALT_MAX];
    char text[256];
    int n = decode64(salt64, strlen(salt64), salt, sizeof salt);
    bool ok;

    if (n < 0 || iterations < 1) {
        return false;
    }
    password_text(m, user, password, text, sizeof text);
    ok = PKCS5_PBKDF2_HMAC(text, (int)strlen(text), salt, n, iterations, digest(m), (int)key_len(m),
                           out) == 1;
    OPENSSL_cleanse(text, sizeof text);
    return ok;
}

bool sbx_scram_make(struct sbx_scram_cred *cred, enum sbx_scram_mech m, const char *user,
                    const char *password, const char *salt64, int iterations)
{
    uint8_t raw[28], base[SBX_SCRAM_KEY_MAX], client[SBX_SCRAM_KEY_MAX];
    bool ok;

    memset(cred, 0, sizeof *cred);
    cred->iterations = iterations != 0 ? iterations : m == SBX_SCRAM_SHA1 ? 10000 : 15000;
    if (salt64 != NULL) {
        mst_copy(cred->salt, sizeof cred->salt, salt64);
    } else {
        /* A block shorter than the digest, as the server's. */
        size_t n = key_len(m) - 4;

        if (RAND_bytes(raw, (int)n) != 1) {
            return false;
        }
        encode64(raw, n, cred->salt);
    }
    ok = salted(m, user, password, cred->salt, cred->iterations, base) &&
         hmac(m, base, "Client Key", client) && hash(m, client, key_len(m), cred->stored_key) &&
         hmac(m, base, "Server Key", cred->server_key);
    OPENSSL_cleanse(base, sizeof base);
    OPENSSL_cleanse(client, sizeof client);
    return ok;
}

/* The part of a message up to the next comma; what names it ("n=") is skipped. */
static const char *part(const char *at, const char *prefix, char *out, size_t size)
{
    size_t skip = strlen(prefix), n;

    if (at == NULL || strncmp(at, prefix, skip) != 0) {
        return NULL;
    }
    at += skip;
    n = strcspn(at, ",");
    if (n >= size) {
        return NULL;
    }
    memcpy(out, at, n);
    out[n] = '\0';
    return at[n] == ',' ? at + n + 1 : at + n;
}

static bool unescape(char *name)
{
    char *to = name;

    for (const char *from = name; *from != '\0'; to++) {
        if (*from != '=') {
            *to = *from++;
            continue;
        }
        if (strncmp(from, "=2C", 3) == 0) {
            *to = ',';
        } else if (strncmp(from, "=3D", 3) == 0) {
            *to = '=';
        } else {
            return false;
        }
        from += 3;
    }
    *to = '\0';
    return name[0] != '\0';
}

bool sbx_scram_user(struct sbx_scram *s, const void *msg, size_t n)
{
    char text[SBX_SCRAM_TEXT_MAX], authz[256];
    const char *at;

    if (n >= sizeof text || memchr(msg, '\0', n) != NULL) {
        return false;
    }
    memcpy(text, msg, n);
    text[n] = '\0';
    /* No channel binding here: "n" (or "y": the client would) and an optional other identity. */
    if (text[0] != 'n' && text[0] != 'y') {
        return false;
    }
    at = text[1] == ',' ? text + 2 : NULL;
    if (at == NULL) {
        return false;
    }
    if (*at == ',') {
        at++;
    } else {
        at = part(at, "a=", authz, sizeof authz);
    }
    if (at == NULL) {
        return false;
    }
    mst_copy(s->first_bare, sizeof s->first_bare, at);
    at = part(at, "n=", s->user, sizeof s->user);
    at = part(at, "r=", s->nonce, sizeof s->nonce - 64);
    return at != NULL && strlen(s->nonce) >= CLIENT_NONCE_MIN && unescape(s->user);
}

bool sbx_scram_first(struct sbx_scram *s, char *out, size_t size)
{
    uint8_t raw[NONCE_BYTES];
    char nonce[NONCE_BYTES / 3 * 4 + 1];
    size_t have = strlen(s->nonce);

    if (RAND_bytes(raw, (int)sizeof raw) != 1) {
        return false;
    }
    encode64(raw, sizeof raw, nonce);
    snprintf(s->nonce + have, sizeof s->nonce - have, "%s", nonce);
    if ((size_t)snprintf(s->server_first, sizeof s->server_first, "r=%s,s=%s,i=%d", s->nonce,
                         s->cred.salt, s->cred.iterations) >= sizeof s->server_first) {
        return false;
    }
    s->step = SBX_SCRAM_FINAL;
    return mst_copy(out, size, s->server_first);
}

/* Check the proof: its key, hashed, must be the stored one. */
static bool check_final(struct sbx_scram *s, const char *text, char *out, size_t size)
{
    char channel[64], nonce[SBX_SCRAM_TEXT_MAX], proof64[64];
    uint8_t proof[48], sign[SBX_SCRAM_KEY_MAX], key[SBX_SCRAM_KEY_MAX];
    const char *at = part(text, "c=", channel, sizeof channel), *p = strstr(text, ",p=");
    char *message, signature[64];
    bool ok;

    at = part(at, "r=", nonce, sizeof nonce);
    if (at == NULL || p == NULL || strcmp(nonce, s->nonce) != 0 ||
        (strcmp(channel, "biws") != 0 && strcmp(channel, "eSws") != 0) ||
        part(p + 1, "p=", proof64, sizeof proof64) == NULL ||
        decode64(proof64, strlen(proof64), proof, sizeof proof) != (int)key_len(s->mech)) {
        return false;
    }
    message = mst_xasprintf("%s,%s,%.*s", s->first_bare, s->server_first, (int)(p - text), text);
    ok = hmac(s->mech, s->cred.stored_key, message, sign);
    for (size_t i = 0; i < key_len(s->mech); i++) {
        proof[i] ^= sign[i];
    }
    ok = ok && hash(s->mech, proof, key_len(s->mech), key) &&
         CRYPTO_memcmp(key, s->cred.stored_key, key_len(s->mech)) == 0 &&
         hmac(s->mech, s->cred.server_key, message, sign);
    free(message);
    if (!ok) {
        return false;
    }
    encode64(sign, key_len(s->mech), signature);
    snprintf(out, size, "v=%s", signature);
    return true;
}

bool sbx_scram_next(struct sbx_scram *s, const void *msg, size_t n, char *out, size_t size)
{
    char text[SBX_SCRAM_TEXT_MAX];

    if (n >= sizeof text || (n > 0 && memchr(msg, '\0', n) != NULL)) {
        return false;
    }
    if (n > 0) {
        memcpy(text, msg, n);
    }
    text[n] = '\0';
    out[0] = '\0';
    switch (s->step) {
    case SBX_SCRAM_FINAL:
        if (!check_final(s, text, out, size)) {
            return false;
        }
        s->step = s->skip_empty ? SBX_SCRAM_DONE : SBX_SCRAM_EMPTY;
        return true;
    case SBX_SCRAM_EMPTY:
        s->step = SBX_SCRAM_DONE;
        return n == 0;
    case SBX_SCRAM_FIRST:
    case SBX_SCRAM_DONE:
        break;
    }
    return false;
}

bool sbx_scram_client_final(enum sbx_scram_mech m, const char *user, const char *password,
                            const char *first_bare, const char *server_first, char *out,
                            size_t size, char *server_final, size_t server_final_size)
{
    char nonce[SBX_SCRAM_TEXT_MAX], salt[96], rounds[16], proof64[64], *bare, *message;
    uint8_t base[SBX_SCRAM_KEY_MAX], key[SBX_SCRAM_KEY_MAX], sign[SBX_SCRAM_KEY_MAX];
    uint8_t stored[SBX_SCRAM_KEY_MAX];
    const char *at = part(server_first, "r=", nonce, sizeof nonce);
    bool ok;

    at = part(at, "s=", salt, sizeof salt);
    at = part(at, "i=", rounds, sizeof rounds);
    if (at == NULL || !salted(m, user, password, salt, (int)strtol(rounds, NULL, 10), base)) {
        return false;
    }
    bare = mst_xasprintf("c=biws,r=%s", nonce);
    message = mst_xasprintf("%s,%s,%s", first_bare, server_first, bare);
    ok = hmac(m, base, "Client Key", key) && hash(m, key, key_len(m), stored) &&
         hmac(m, stored, message, sign);
    for (size_t i = 0; i < key_len(m); i++) {
        key[i] ^= sign[i];
    }
    encode64(key, key_len(m), proof64);
    snprintf(out, size, "%s,p=%s", bare, proof64);
    ok = ok && hmac(m, base, "Server Key", key) && hmac(m, key, message, sign);
    encode64(sign, key_len(m), proof64);
    snprintf(server_final, server_final_size, "v=%s", proof64);
    free(bare);
    free(message);
    return ok;
}
