#include "crypt/seal.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "base/secret.h"
#include "crypt/derive.h"
#include "crypt/gcm.h"
#include "crypt/locked.h"
#include "hash/hash.h"

#define STORED_CHUNK (MST_SEAL_CHUNK + MST_SEAL_TAG)
#define COMMITMENT 32U

static const char magic[] = "MUSTERE1";
static const char label[] = "muster.seal.v1";
static const char aead[] = "AES-256-GCM"; /* its NUL is the byte between it and the salt */
static const char id_label[] = "muster.data-key-id.v1";

struct derived { /* from data key, salt and context */
    uint8_t key[MST_GCM_KEY], nonce[MST_GCM_NONCE], commitment[COMMITMENT];
};
_Static_assert(sizeof(struct derived) == MST_GCM_KEY + MST_GCM_NONCE + COMMITMENT, "no padding");

struct mst_sealer {
    EVP_CIPHER_CTX *ctx;
    uint8_t nonce[MST_GCM_NONCE];
    uint64_t index;
    size_t held;
    bool ended;
    uint8_t part[MST_SEAL_CHUNK]; /* content that does not fill a chunk yet */
};

struct mst_opener {
    EVP_CIPHER_CTX *ctx;
    uint8_t nonce[MST_GCM_NONCE];
};

enum mst_rc mst_data_key_new(struct mst_data_key *k, struct mst_err *err)
{
    uint8_t *p = mst_locked_new(MST_DATA_KEY_LEN);

    if (mst_random(p, MST_DATA_KEY_LEN, "a data key", err) != MST_OK) {
        mst_locked_free(p, MST_DATA_KEY_LEN);
        return err->rc;
    }
    mst_data_key_release(k);
    k->p = p;
    return MST_OK;
}

void mst_data_key_set(struct mst_data_key *k, const uint8_t bytes[MST_DATA_KEY_LEN])
{
    uint8_t *p = mst_locked_new(MST_DATA_KEY_LEN);

    memcpy(p, bytes, MST_DATA_KEY_LEN);
    mst_data_key_release(k);
    k->p = p;
}

void mst_data_key_release(struct mst_data_key *k)
{
    if (k && k->p) {
        mst_locked_free(k->p, MST_DATA_KEY_LEN);
        k->p = NULL;
    }
}

void mst_data_key_id(const struct mst_data_key *k, char out[33])
{
    uint8_t id[16];

    mst_hkdf_expand(k->p, MST_DATA_KEY_LEN, id_label, strlen(id_label), id, sizeof(id));
    (void)mst_hex(id, sizeof(id), out);
}

void mst_seal_context(struct mst_buf *out, const char *set, const char *backup, const char *attempt,
                      const char *role, uint32_t number, uint32_t part)
{
    const char *const texts[] = {set, backup, attempt, role};
    uint8_t n[8];

    for (size_t i = 0; i < MST_COUNT(texts); i++) {
        mst_bind_text(out, texts[i]);
    }
    mst_put_le32(n, number);
    mst_put_le32(n + 4, part);
    mst_buf_add(out, n, sizeof(n));
}

/* d is locked memory. */
static void derive(const struct mst_data_key *key, const uint8_t salt[MST_SEAL_SALT],
                   const void *context, size_t n, struct derived *d)
{
    struct mst_buf info = {0};

    mst_buf_add(&info, label, strlen(label));
    mst_buf_add(&info, aead, sizeof(aead));
    mst_buf_add(&info, salt, MST_SEAL_SALT);
    mst_buf_add(&info, context, n);
    mst_hkdf_expand(key->p, MST_DATA_KEY_LEN, info.p, info.len, (uint8_t *)d, sizeof(*d));
    mst_buf_release(&info);
}

/* The base nonce with the number of the chunk in its last eight bytes, big-endian. */
static void nonce_of(const uint8_t base[MST_GCM_NONCE], uint64_t index, uint8_t out[MST_GCM_NONCE])
{
    memcpy(out, base, MST_GCM_NONCE);
    for (unsigned i = 0; i < 8; i++) {
        out[MST_GCM_NONCE - 1 - i] ^= (uint8_t)(index >> (8 * i));
    }
}

enum mst_rc mst_sealer_new(const struct mst_data_key *key, const void *context, size_t n,
                           const uint8_t *salt, uint8_t head[MST_SEAL_HEAD],
                           struct mst_sealer **out, struct mst_err *err)
{
    uint8_t *own = head + sizeof(magic) - 1;
    struct derived *d;
    struct mst_sealer *s;

    MST_ASSERT(key->p);
    if (salt) {
        memcpy(own, salt, MST_SEAL_SALT);
    } else if (mst_random(own, MST_SEAL_SALT, "a sealed object", err) != MST_OK) {
        return err->rc;
    }
    memcpy(head, magic, sizeof(magic) - 1);
    d = mst_locked_new(sizeof(*d));
    derive(key, own, context, n, d);
    memcpy(own + MST_SEAL_SALT, d->commitment, COMMITMENT);
    s = mst_xcalloc(1, sizeof(*s));
    memcpy(s->nonce, d->nonce, sizeof(s->nonce));
    s->ctx = mst_gcm_ctx(true, d->key, s->nonce);
    mst_locked_free(d, sizeof(*d));
    *out = s;
    return MST_OK;
}

/* One chunk, appended with its tag. */
static enum mst_rc seal_chunk(struct mst_sealer *s, const uint8_t *p, size_t n, struct mst_buf *out,
                              struct mst_err *err)
{
    uint8_t nonce[MST_GCM_NONCE], *to = mst_buf_room(out, n + MST_SEAL_TAG);
    int len = 0, last = 0;

    if (s->index >= MST_SEAL_CHUNKS_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "a sealed object holds at most %llu bytes",
                           MST_SEAL_CHUNKS_MAX * MST_SEAL_CHUNK);
    }
    nonce_of(s->nonce, s->index++, nonce);
    if (EVP_EncryptInit_ex(s->ctx, NULL, NULL, NULL, nonce) != 1 ||
        (n > 0 && EVP_EncryptUpdate(s->ctx, to, &len, p, (int)n) != 1) ||
        EVP_EncryptFinal_ex(s->ctx, to + len, &last) != 1 || (size_t)len + (size_t)last != n ||
        EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_GET_TAG, MST_SEAL_TAG, to + n) != 1) {
        return mst_err_set(err, MST_E_BUG, "the library of ciphers did not seal");
    }
    out->len += n + MST_SEAL_TAG;
    return MST_OK;
}

enum mst_rc mst_sealer_add(struct mst_sealer *s, const void *p, size_t n, struct mst_buf *out,
                           struct mst_err *err)
{
    const uint8_t *at = p;
    enum mst_rc rc = MST_OK;

    MST_ASSERT(!s->ended);
    while (n > 0 && rc == MST_OK) {
        const size_t room = MST_SEAL_CHUNK - s->held;
        const size_t take = n < room ? n : room;

        if (take == MST_SEAL_CHUNK) { /* whole: no need to keep it first */
            rc = seal_chunk(s, at, take, out, err);
        } else {
            memcpy(s->part + s->held, at, take);
            s->held += take;
            if (s->held == MST_SEAL_CHUNK) {
                s->held = 0;
                rc = seal_chunk(s, s->part, MST_SEAL_CHUNK, out, err);
            }
        }
        at += take;
        n -= take;
    }
    return rc;
}

enum mst_rc mst_sealer_end(struct mst_sealer *s, struct mst_buf *out, struct mst_err *err)
{
    MST_ASSERT(!s->ended);
    s->ended = true;
    return seal_chunk(s, s->part, s->held, out, err);
}

void mst_sealer_free(struct mst_sealer *s)
{
    if (s) {
        EVP_CIPHER_CTX_free(s->ctx); /* wipes the key */
        mst_wipe(s, sizeof(*s));
        free(s);
    }
}

enum mst_rc mst_opener_new(const struct mst_data_key *key, const void *context, size_t n,
                           const uint8_t head[MST_SEAL_HEAD], struct mst_opener **out,
                           struct mst_err *err)
{
    const uint8_t *salt = head + sizeof(magic) - 1;
    struct derived *d;
    struct mst_opener *o = NULL;

    MST_ASSERT(key->p);
    if (memcmp(head, magic, sizeof(magic) - 1) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "these are not sealed bytes: they do not begin with %s", magic);
    }
    d = mst_locked_new(sizeof(*d));
    derive(key, salt, context, n, d);
    if (CRYPTO_memcmp(d->commitment, salt + MST_SEAL_SALT, COMMITMENT) == 0) {
        o = mst_xcalloc(1, sizeof(*o));
        memcpy(o->nonce, d->nonce, sizeof(o->nonce));
        o->ctx = mst_gcm_ctx(false, d->key, o->nonce);
    }
    mst_locked_free(d, sizeof(*d));
    if (!o) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "the head of the sealed bytes is damaged, or they were sealed with "
                           "another key or for another set, backup or object");
    }
    *out = o;
    return MST_OK;
}

enum mst_rc mst_opener_chunk(struct mst_opener *o, uint64_t index, const uint8_t *stored, size_t n,
                             uint8_t *plain, size_t *plain_n, struct mst_err *err)
{
    uint8_t nonce[MST_GCM_NONCE], tag[MST_SEAL_TAG];
    const size_t content = n - MST_SEAL_TAG;
    int len = 0, last = 0;

    if (n < MST_SEAL_TAG || n > STORED_CHUNK || index >= MST_SEAL_CHUNKS_MAX) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "chunk %llu of the sealed bytes has %zu bytes: it was cut or does not "
                           "belong there",
                           (unsigned long long)index, n);
    }
    nonce_of(o->nonce, index, nonce);
    memcpy(tag, stored + content, sizeof(tag));
    if (EVP_DecryptInit_ex(o->ctx, NULL, NULL, NULL, nonce) != 1 ||
        (content > 0 && EVP_DecryptUpdate(o->ctx, plain, &len, stored, (int)content) != 1) ||
        EVP_CIPHER_CTX_ctrl(o->ctx, EVP_CTRL_AEAD_SET_TAG, MST_SEAL_TAG, tag) != 1) {
        return mst_err_set(err, MST_E_BUG, "the library of ciphers did not open");
    }
    if (EVP_DecryptFinal_ex(o->ctx, plain + len, &last) != 1) {
        mst_wipe(plain, content); /* nobody reads what was not proven */
        return mst_err_set(err, MST_E_INTEGRITY,
                           "chunk %llu of the sealed bytes is damaged, cut or moved",
                           (unsigned long long)index);
    }
    *plain_n = content;
    return MST_OK;
}

void mst_opener_free(struct mst_opener *o)
{
    if (o) {
        EVP_CIPHER_CTX_free(o->ctx);
        mst_wipe(o, sizeof(*o));
        free(o);
    }
}

uint64_t mst_seal_stored(uint64_t content)
{
    return MST_SEAL_HEAD + content + (content / MST_SEAL_CHUNK + 1) * MST_SEAL_TAG;
}

bool mst_seal_content(uint64_t stored, uint64_t *content)
{
    uint64_t body, whole, rest;

    if (stored < MST_SEAL_HEAD + MST_SEAL_TAG) {
        return false;
    }
    body = stored - MST_SEAL_HEAD;
    whole = body / STORED_CHUNK;
    rest = body % STORED_CHUNK;
    if (rest < MST_SEAL_TAG || whole >= MST_SEAL_CHUNKS_MAX) {
        return false; /* no short chunk at the end: cut */
    }
    *content = whole * MST_SEAL_CHUNK + rest - MST_SEAL_TAG;
    return true;
}
