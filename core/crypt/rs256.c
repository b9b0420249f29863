#include "crypt/rs256.h"

#include <limits.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define BITS_MIN 2048
#define PEM_MAX ((size_t)64 * 1024)

/* Without this OpenSSL asks on the terminal. */
static int no_phrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *read_key(const struct mst_secret *pem)
{
    BIO *in = pem->len > 0 && pem->len <= PEM_MAX ? BIO_new_mem_buf(pem->p, (int)pem->len) : NULL;
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_phrase, NULL) : NULL;

    BIO_free(in);
    return key;
}

enum mst_rc mst_rs256(const struct mst_secret *pem, const void *p, size_t n,
                      uint8_t out[MST_RS256_MAX], size_t *out_n, struct mst_err *err)
{
    EVP_PKEY *key = read_key(pem);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = MST_RS256_MAX;
    enum mst_rc rc = MST_OK;

    *out_n = 0;
    if (!key) {
        rc = mst_err_set(err, MST_E_CONFIG, "the private key cannot be read as PEM");
    } else if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        rc = mst_err_set(err, MST_E_CONFIG, "the private key is not an RSA key");
    } else if (EVP_PKEY_get_bits(key) < BITS_MIN || EVP_PKEY_get_size(key) > MST_RS256_MAX) {
        rc = mst_err_set(err, MST_E_CONFIG, "the private key has %d bits; %d to %d can be used",
                         EVP_PKEY_get_bits(key), BITS_MIN, MST_RS256_MAX * CHAR_BIT);
    } else if (!ctx || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
               EVP_DigestSign(ctx, out, &len, p, n) != 1) {
        rc = mst_err_set(err, MST_E_CONFIG, "the private key cannot sign");
    } else {
        *out_n = len;
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return rc;
}
