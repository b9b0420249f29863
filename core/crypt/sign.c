#include "crypt/sign.h"

#include <string.h>

#include <openssl/evp.h>

#include "crypt/locked.h"
#include "hash/hash.h"

void mst_key_id_of(const uint8_t pub[MST_SIGN_KEY_LEN], char out[MST_KEY_ID_HEX])
{
    uint8_t sha[MST_SHA256_LEN];

    mst_sha256_of(pub, MST_SIGN_KEY_LEN, sha);
    (void)mst_hex(sha, 16, out);
}

/* The library keeps the secret of such a key in locked memory of its own. */
static EVP_PKEY *pkey_of(const uint8_t secret[MST_SIGN_KEY_LEN])
{
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, MST_SIGN_KEY_LEN);
}

enum mst_rc mst_sign_key_set(struct mst_sign_key *k, const uint8_t secret[MST_SIGN_KEY_LEN],
                             struct mst_err *err)
{
    uint8_t *p = mst_locked_new(MST_SIGN_KEY_LEN), pub[MST_SIGN_KEY_LEN];
    EVP_PKEY *pkey = pkey_of(secret);
    size_t n = sizeof(pub);
    const bool ok =
        pkey && EVP_PKEY_get_raw_public_key(pkey, pub, &n) == 1 && n == MST_SIGN_KEY_LEN;

    EVP_PKEY_free(pkey);
    if (!ok) {
        mst_locked_free(p, MST_SIGN_KEY_LEN);
        return mst_err_set(err, MST_E_BUG, "the library of ciphers takes no signing key");
    }
    memcpy(p, secret, MST_SIGN_KEY_LEN);
    mst_sign_key_release(k);
    k->secret = p;
    memcpy(k->pub, pub, sizeof(pub));
    mst_key_id_of(k->pub, k->id);
    return MST_OK;
}

enum mst_rc mst_sign_key_new(struct mst_sign_key *k, struct mst_err *err)
{
    uint8_t *fresh = mst_locked_new(MST_SIGN_KEY_LEN);
    enum mst_rc rc = mst_random(fresh, MST_SIGN_KEY_LEN, "a signing key", err);

    if (rc == MST_OK) {
        rc = mst_sign_key_set(k, fresh, err);
    }
    mst_locked_free(fresh, MST_SIGN_KEY_LEN);
    return rc;
}

void mst_sign_key_release(struct mst_sign_key *k)
{
    if (k) {
        mst_locked_free(k->secret, MST_SIGN_KEY_LEN);
        memset(k, 0, sizeof(*k));
    }
}

enum mst_rc mst_sign(const struct mst_sign_key *k, const void *p, size_t n,
                     uint8_t out[MST_SIGNATURE_LEN], struct mst_err *err)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY *pkey = k->secret ? pkey_of(k->secret) : NULL;
    size_t len = MST_SIGNATURE_LEN;
    const bool ok = c && pkey && EVP_DigestSignInit(c, NULL, NULL, NULL, pkey) == 1 &&
                    EVP_DigestSign(c, out, &len, p, n) == 1 && len == MST_SIGNATURE_LEN;

    EVP_PKEY_free(pkey);
    EVP_MD_CTX_free(c);
    return ok ? MST_OK : mst_err_set(err, MST_E_BUG, "the library of ciphers did not sign");
}

bool mst_sign_ok(const uint8_t pub[MST_SIGN_KEY_LEN], const void *p, size_t n,
                 const uint8_t signature[MST_SIGNATURE_LEN])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, MST_SIGN_KEY_LEN);
    const bool ok = c && pkey && EVP_DigestVerifyInit(c, NULL, NULL, NULL, pkey) == 1 &&
                    EVP_DigestVerify(c, signature, MST_SIGNATURE_LEN, p, n) == 1;

    EVP_PKEY_free(pkey);
    EVP_MD_CTX_free(c);
    return ok;
}
