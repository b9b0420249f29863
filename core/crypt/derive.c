#include "crypt/derive.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/err.h"
#include "base/secret.h"
#include "crypt/gcm.h"

static void hmac(const void *key, size_t key_n, const void *p, size_t n,
                 uint8_t out[MST_HKDF_BLOCK])
{
    unsigned len = 0;

    MST_ASSERT(key_n <= INT_MAX);
    MST_ASSERT(HMAC(EVP_sha512(), key, (int)key_n, p, n, out, &len) && len == MST_HKDF_BLOCK);
}

void mst_hkdf_extract(const void *salt, size_t salt_n, const void *ikm, size_t n,
                      uint8_t prk[MST_HKDF_BLOCK])
{
    hmac(salt, salt_n, ikm, n, prk);
}

void mst_hkdf_expand(const void *prk, size_t prk_n, const void *info, size_t info_n, uint8_t *out,
                     size_t n)
{
    struct mst_buf text = {0}; /* the block before, the info, the number: one allocation */
    uint8_t block[MST_HKDF_BLOCK];
    size_t done = 0;

    MST_ASSERT(n <= 4 * sizeof(block));
    (void)mst_buf_room(&text, sizeof(block) + info_n + 1);
    for (uint8_t i = 1; done < n; i++) {
        const size_t take = n - done < sizeof(block) ? n - done : sizeof(block);

        mst_buf_reset(&text);
        if (i > 1) {
            mst_buf_add(&text, block, sizeof(block));
        }
        mst_buf_add(&text, info, info_n);
        mst_buf_add(&text, &i, 1);
        hmac(prk, prk_n, text.p, text.len, block);
        memcpy(out + done, block, take);
        done += take;
    }
    mst_wipe(block, sizeof(block));
    mst_wipe(text.p, text.cap);
    mst_buf_release(&text);
}

void mst_gcm_once(const uint8_t key[MST_GCM_KEY], const void *aad, size_t aad_n, const void *p,
                  size_t n, uint8_t *out)
{
    static const uint8_t zero[MST_GCM_NONCE];
    EVP_CIPHER_CTX *c = mst_gcm_ctx(true, key, zero);
    int len = 0;

    MST_ASSERT(n <= INT_MAX && aad_n <= INT_MAX);
    MST_ASSERT(EVP_EncryptUpdate(c, NULL, &len, aad, (int)aad_n) == 1);
    MST_ASSERT(EVP_EncryptUpdate(c, out, &len, p, (int)n) == 1 && (size_t)len == n);
    MST_ASSERT(EVP_EncryptFinal_ex(c, out + n, &len) == 1 && len == 0);
    MST_ASSERT(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, MST_GCM_TAG, out + n) == 1);
    EVP_CIPHER_CTX_free(c);
}

bool mst_gcm_once_open(const uint8_t key[MST_GCM_KEY], const void *aad, size_t aad_n,
                       const uint8_t *p, size_t n, uint8_t *out)
{
    static const uint8_t zero[MST_GCM_NONCE];
    EVP_CIPHER_CTX *c;
    uint8_t tag[MST_GCM_TAG];
    int len = 0;
    bool ok;

    if (n < sizeof(tag) || n > INT_MAX || aad_n > INT_MAX) {
        return false;
    }
    c = mst_gcm_ctx(false, key, zero);
    memcpy(tag, p + n - sizeof(tag), sizeof(tag));
    MST_ASSERT(EVP_DecryptUpdate(c, NULL, &len, aad, (int)aad_n) == 1);
    MST_ASSERT(EVP_DecryptUpdate(c, out, &len, p, (int)(n - sizeof(tag))) == 1);
    MST_ASSERT(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, (int)sizeof(tag), tag) == 1);
    ok = EVP_DecryptFinal_ex(c, out + len, &len) == 1;
    if (!ok) {
        mst_wipe(out, n - sizeof(tag));
    }
    EVP_CIPHER_CTX_free(c);
    return ok;
}

void mst_bind_text(struct mst_buf *out, const char *text)
{
    const size_t n = strlen(text);
    uint8_t len[4];

    MST_ASSERT(n <= UINT32_MAX);
    mst_put_le32(len, (uint32_t)n);
    mst_buf_add(out, len, sizeof(len));
    mst_buf_add(out, text, n);
}
