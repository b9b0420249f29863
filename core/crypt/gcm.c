#include "crypt/gcm.h"

#include <stdatomic.h>

#include "base/err.h"
#include "crypt/locked.h"

/* Fetched once: a fetch keeps what it allocates, and that is no table of a key. */
static const EVP_CIPHER *aes256gcm(void)
{
    static EVP_CIPHER *_Atomic cipher;
    EVP_CIPHER *have = cipher;

    if (!have) {
        EVP_CIPHER *fresh = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
        EVP_CIPHER *none = NULL;

        MST_ASSERT(fresh);
        if (atomic_compare_exchange_strong(&cipher, &none, fresh)) {
            have = fresh;
        } else {
            EVP_CIPHER_free(fresh);
            have = cipher;
        }
    }
    return have;
}

EVP_CIPHER_CTX *mst_gcm_ctx(bool seals, const uint8_t key[MST_GCM_KEY],
                            const uint8_t nonce[MST_GCM_NONCE])
{
    const EVP_CIPHER *cipher = aes256gcm();
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok;

    MST_ASSERT(c);
    (void)mst_locked_is(); /* makes the locked memory, where nothing has yet */
    mst_locked_enter();
    ok = EVP_CipherInit_ex2(c, cipher, key, nonce, seals ? 1 : 0, NULL) == 1;
    mst_locked_leave();
    MST_ASSERT(ok);
    return c;
}
