#include "crypt/wrap.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "base/text.h"
#include "crypt/derive.h"
#include "crypt/locked.h"
#include "crypt/work.h"
#include "hash/hash.h"

#define ID 16U /* raw id of the data key, in front of every wrapped one */
#define SEALED_KEY (MST_DATA_KEY_LEN + MST_GCM_TAG)
#define X25519_BYTES (ID + SEALED_KEY)
#define SCRYPT_BYTES (ID + MST_WORK_CHECK + SEALED_KEY)

static const char x25519_label[] = "muster.wrap.v1 x25519";
static const char scrypt_label[] = "muster.wrap.v1 scrypt";

static EVP_PKEY *secret_half(const uint8_t secret[MST_RECIPIENT_LEN])
{
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, MST_RECIPIENT_LEN);
}

enum mst_rc mst_identity_set(struct mst_identity *i, const uint8_t secret[MST_RECIPIENT_LEN],
                             struct mst_err *err)
{
    uint8_t *p = mst_locked_new(MST_RECIPIENT_LEN), pub[MST_RECIPIENT_LEN];
    EVP_PKEY *pkey = secret_half(secret);
    size_t n = sizeof(pub);
    const bool ok =
        pkey && EVP_PKEY_get_raw_public_key(pkey, pub, &n) == 1 && n == MST_RECIPIENT_LEN;

    EVP_PKEY_free(pkey);
    if (!ok) {
        mst_locked_free(p, MST_RECIPIENT_LEN);
        return mst_err_set(err, MST_E_BUG, "the library of ciphers takes no X25519 key");
    }
    memcpy(p, secret, MST_RECIPIENT_LEN);
    mst_locked_free(i->secret, MST_RECIPIENT_LEN);
    i->secret = p;
    memcpy(i->pub, pub, sizeof(pub));
    mst_key_id_of(i->pub, i->id);
    return MST_OK;
}

enum mst_rc mst_identity_new(struct mst_identity *i, struct mst_err *err)
{
    uint8_t *fresh = mst_locked_new(MST_RECIPIENT_LEN);
    enum mst_rc rc = mst_random(fresh, MST_RECIPIENT_LEN, "a key", err);

    if (rc == MST_OK) {
        rc = mst_identity_set(i, fresh, err);
    }
    mst_locked_free(fresh, MST_RECIPIENT_LEN);
    return rc;
}

void mst_identity_release(struct mst_identity *i)
{
    if (i) {
        mst_locked_free(i->secret, MST_RECIPIENT_LEN);
        memset(i, 0, sizeof(*i));
    }
}

/* The shared secret, into locked memory. False when the other half is a point of low order, for
 * which every secret gives the same. */
static bool agree(const uint8_t secret[MST_RECIPIENT_LEN], const uint8_t pub[MST_RECIPIENT_LEN],
                  uint8_t shared[MST_RECIPIENT_LEN])
{
    static const uint8_t zero[MST_RECIPIENT_LEN];
    EVP_PKEY *mine = secret_half(secret);
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, pub, MST_RECIPIENT_LEN);
    EVP_PKEY_CTX *c = mine ? EVP_PKEY_CTX_new(mine, NULL) : NULL;
    size_t n = MST_RECIPIENT_LEN;
    const bool ok = c && theirs && EVP_PKEY_derive_init(c) == 1 &&
                    EVP_PKEY_derive_set_peer(c, theirs) == 1 &&
                    EVP_PKEY_derive(c, shared, &n) == 1 && n == MST_RECIPIENT_LEN &&
                    CRYPTO_memcmp(shared, zero, sizeof(zero)) != 0;

    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(mine);
    EVP_PKEY_free(theirs);
    return ok;
}

/* What the wrapped key is bound to. */
static void bind(struct mst_buf *out, const char *label, const struct mst_wrap_place *place,
                 const uint8_t id[ID])
{
    mst_bind_text(out, label);
    mst_bind_text(out, place->set);
    mst_bind_text(out, place->backup);
    mst_bind_text(out, place->attempt);
    mst_buf_add(out, id, ID);
}

static void raw_id(const struct mst_data_key *key, uint8_t id[ID])
{
    char hex[2 * ID + 1];

    mst_data_key_id(key, hex);
    MST_ASSERT(mst_unhex(hex, id, ID));
}

static void begin_slot(struct mst_wrap_slot *out, enum mst_wrap_kind kind, const char *label)
{
    memset(out, 0, sizeof(*out));
    out->kind = kind;
    mst_text_clean(out->label, sizeof(out->label), label, strlen(label));
}

/* The last part of a slot: the data key under kek, behind n bytes that are there already. */
static void put_key(struct mst_wrap_slot *s, size_t n, const char *label,
                    const struct mst_wrap_place *place, const uint8_t kek[MST_GCM_KEY],
                    const struct mst_data_key *key)
{
    struct mst_buf aad = {0};

    bind(&aad, label, place, s->bytes);
    mst_gcm_once(kek, aad.p, aad.len, key->p, MST_DATA_KEY_LEN, s->bytes + n);
    s->n = n + SEALED_KEY;
    mst_buf_release(&aad);
}

static enum mst_rc get_key(const struct mst_wrap_slot *s, size_t n, const char *label,
                           const struct mst_wrap_place *place, const uint8_t kek[MST_GCM_KEY],
                           struct mst_data_key *out, struct mst_err *err)
{
    struct mst_data_key got = {0};
    struct mst_buf aad = {0};
    uint8_t *plain = mst_locked_new(MST_DATA_KEY_LEN), id[ID];
    enum mst_rc rc = MST_OK;

    bind(&aad, label, place, s->bytes);
    if (mst_gcm_once_open(kek, aad.p, aad.len, s->bytes + n, SEALED_KEY, plain)) {
        mst_data_key_set(&got, plain);
        raw_id(&got, id);
    }
    if (!got.p || memcmp(id, s->bytes, ID) != 0) {
        rc = mst_err_set(err, MST_E_INTEGRITY,
                         "the key slot %s is damaged, or it is of another backup", s->label);
        mst_data_key_release(&got);
    } else {
        mst_data_key_release(out);
        *out = got;
    }
    mst_locked_free(plain, MST_DATA_KEY_LEN);
    mst_buf_release(&aad);
    return rc;
}

/* The key that wraps, from one's secret half and the other's public one. */
static bool x25519_kek(const uint8_t secret[MST_RECIPIENT_LEN],
                       const uint8_t peer[MST_RECIPIENT_LEN],
                       const uint8_t ephemeral[MST_RECIPIENT_LEN],
                       const uint8_t recipient[MST_RECIPIENT_LEN], uint8_t kek[MST_GCM_KEY])
{
    uint8_t *shared = mst_locked_new(MST_RECIPIENT_LEN), *prk = mst_locked_new(MST_HKDF_BLOCK);
    uint8_t salt[2 * MST_RECIPIENT_LEN];
    const bool ok = agree(secret, peer, shared);

    if (ok) {
        memcpy(salt, ephemeral, MST_RECIPIENT_LEN);
        memcpy(salt + MST_RECIPIENT_LEN, recipient, MST_RECIPIENT_LEN);
        mst_hkdf_extract(salt, sizeof(salt), shared, MST_RECIPIENT_LEN, prk);
        mst_hkdf_expand(prk, MST_HKDF_BLOCK, x25519_label, strlen(x25519_label), kek, MST_GCM_KEY);
    }
    mst_locked_free(shared, MST_RECIPIENT_LEN);
    mst_locked_free(prk, MST_HKDF_BLOCK);
    return ok;
}

enum mst_rc mst_wrap_to(const struct mst_data_key *key, const struct mst_wrap_place *place,
                        const uint8_t pub[MST_RECIPIENT_LEN], const char *label,
                        struct mst_wrap_slot *out, struct mst_err *err)
{
    struct mst_identity once = {0}; /* for this slot only */
    uint8_t *kek = mst_locked_new(MST_GCM_KEY);
    enum mst_rc rc = mst_identity_new(&once, err);

    MST_ASSERT(key->p);
    begin_slot(out, MST_WRAP_X25519, label);
    if (rc == MST_OK) {
        mst_key_id_of(pub, out->recipient);
        memcpy(out->ephemeral, once.pub, sizeof(out->ephemeral));
        raw_id(key, out->bytes);
        if (x25519_kek(once.secret, pub, once.pub, pub, kek)) {
            put_key(out, ID, x25519_label, place, kek, key);
        } else {
            rc = mst_err_set(err, MST_E_CONFIG,
                             "the public key of the recipient %s is none that anybody can have: "
                             "take its word from its key file again",
                             out->label[0] ? out->label : out->recipient);
        }
    }
    mst_locked_free(kek, MST_GCM_KEY);
    mst_identity_release(&once);
    return rc;
}

enum mst_rc mst_unwrap(const struct mst_wrap_slot *slot, const struct mst_wrap_place *place,
                       const struct mst_identity *who, struct mst_data_key *out,
                       struct mst_err *err)
{
    uint8_t *kek;
    enum mst_rc rc;

    if (slot->kind != MST_WRAP_X25519 || !who->secret || strcmp(slot->recipient, who->id) != 0) {
        return mst_err_set(err, MST_E_AUTH, "the key slot %s is not for the key %s", slot->label,
                           who->id);
    }
    kek = mst_locked_new(MST_GCM_KEY);
    if (slot->n == X25519_BYTES &&
        x25519_kek(who->secret, slot->ephemeral, slot->ephemeral, who->pub, kek)) {
        rc = get_key(slot, ID, x25519_label, place, kek, out, err);
    } else {
        rc = mst_err_set(err, MST_E_INTEGRITY, "the key slot %s is damaged", slot->label);
    }
    mst_locked_free(kek, MST_GCM_KEY);
    return rc;
}

enum mst_rc mst_wrap_passphrase(const struct mst_data_key *key, const struct mst_wrap_place *place,
                                const struct mst_secret *phrase, int log2n, const char *label,
                                struct mst_wrap_slot *out, struct mst_err *err)
{
    uint8_t *kek = mst_locked_new(MST_GCM_KEY);
    enum mst_rc rc;

    MST_ASSERT(key->p);
    begin_slot(out, MST_WRAP_SCRYPT, label);
    out->log2n = log2n;
    raw_id(key, out->bytes);
    rc = mst_random(out->salt, sizeof(out->salt), "a key slot", err);
    if (rc == MST_OK) {
        rc = mst_work(phrase, out->salt, log2n, kek, out->bytes + ID, err);
    }
    if (rc == MST_OK) {
        put_key(out, ID + MST_WORK_CHECK, scrypt_label, place, kek, key);
    }
    mst_locked_free(kek, MST_GCM_KEY);
    return rc;
}

enum mst_rc mst_unwrap_passphrase(const struct mst_wrap_slot *slot,
                                  const struct mst_wrap_place *place,
                                  const struct mst_secret *phrase, struct mst_data_key *out,
                                  struct mst_err *err)
{
    uint8_t *kek, check[MST_WORK_CHECK];
    enum mst_rc rc;

    if (slot->kind != MST_WRAP_SCRYPT) {
        return mst_err_set(err, MST_E_AUTH, "the key slot %s is not for a passphrase", slot->label);
    }
    if (slot->n != SCRYPT_BYTES) {
        return mst_err_set(err, MST_E_INTEGRITY, "the key slot %s is damaged", slot->label);
    }
    kek = mst_locked_new(MST_GCM_KEY);
    rc = mst_work(phrase, slot->salt, slot->log2n, kek, check, err);
    if (rc == MST_OK && CRYPTO_memcmp(check, slot->bytes + ID, sizeof(check)) != 0) {
        rc = mst_err_set(err, MST_E_AUTH, "wrong passphrase");
    }
    if (rc == MST_OK) {
        rc = get_key(slot, ID + MST_WORK_CHECK, scrypt_label, place, kek, out, err);
    } else {
        mst_err_prefix(err, "the key slot %s", slot->label);
    }
    mst_locked_free(kek, MST_GCM_KEY);
    return rc;
}
