#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "test.h"

#include "crypt/rs256.h"

/* The PEM text of a key, as a file holds it. */
static void pem_of(EVP_PKEY *key, const EVP_CIPHER *cipher, struct mst_secret *out)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    long n;

    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(b, key, cipher, cipher ? "word" : NULL,
                                                   cipher ? 4 : 0, NULL, NULL),
                     1);
    n = BIO_get_mem_data(b, &p);
    mst_secret_set(out, p, (size_t)n);
    BIO_free(b);
}

static void what_is_signed_is_accepted_by_the_public_key_and_nothing_else_is(void **state)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    struct mst_secret pem = {0};
    struct mst_err err = {0};
    uint8_t sig[MST_RS256_MAX];
    size_t n;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    (void)state;
    pem_of(key, NULL, &pem);
    assert_ok(mst_rs256(&pem, "header.claims", 13, sig, &n, &err), &err);
    assert_int_equal(n, 256);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestVerify(ctx, sig, n, (const uint8_t *)"header.claims", 13), 1);
    EVP_MD_CTX_reset(ctx);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_not_equal(EVP_DigestVerify(ctx, sig, n, (const uint8_t *)"header.claimz", 13), 1);
    EVP_MD_CTX_free(ctx);
    mst_secret_release(&pem);
    EVP_PKEY_free(key);
}

static void a_key_that_cannot_be_used_is_said(void **state)
{
    EVP_PKEY *small = EVP_RSA_gen(1024), *other = EVP_EC_gen("P-256"), *good = EVP_RSA_gen(2048);
    struct mst_secret pem = {0};
    struct mst_err err = {0};
    uint8_t sig[MST_RS256_MAX];
    size_t n;

    (void)state;
    pem_of(small, NULL, &pem);
    assert_rc(mst_rs256(&pem, "x", 1, sig, &n, &err), MST_E_CONFIG, &err);
    assert_string_equal(err.msg, "the private key has 1024 bits; 2048 to 8192 can be used");
    pem_of(other, NULL, &pem);
    assert_rc(mst_rs256(&pem, "x", 1, sig, &n, &err), MST_E_CONFIG, &err);
    assert_string_equal(err.msg, "the private key is not an RSA key");
    pem_of(good, EVP_aes_256_cbc(), &pem); /* and nobody is asked for the word */
    assert_rc(mst_rs256(&pem, "x", 1, sig, &n, &err), MST_E_CONFIG, &err);
    assert_string_equal(err.msg, "the private key cannot be read as PEM");
    mst_secret_set(&pem, "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", 58);
    assert_rc(mst_rs256(&pem, "x", 1, sig, &n, &err), MST_E_CONFIG, &err);
    mst_secret_release(&pem);
    assert_rc(mst_rs256(&pem, "x", 1, sig, &n, &err), MST_E_CONFIG, &err);
    EVP_PKEY_free(small);
    EVP_PKEY_free(other);
    EVP_PKEY_free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_is_accepted_by_the_public_key_and_nothing_else_is),
        cmocka_unit_test(a_key_that_cannot_be_used_is_said),
    };
    return cmocka_run_group_tests_name("rs256", tests, NULL, NULL);
}
