#include "crypt/work.h"

#include <string.h>

#include <openssl/evp.h>

#include "crypt/locked.h"
#include "crypt/wrap.h"

#define R 8U

enum mst_rc mst_work(const struct mst_secret *phrase, const uint8_t salt[MST_WORK_SALT], int log2n,
                     uint8_t key[MST_GCM_KEY], uint8_t check[MST_WORK_CHECK], struct mst_err *err)
{
    uint8_t *both;
    uint64_t n;
    bool ok;

    if (log2n > MST_SCRYPT_LOG2N_MAX) {
        return mst_err_set(err, MST_E_LIMIT,
                           "its passphrase asks scrypt for 2^%d: more than 2^%d is refused", log2n,
                           MST_SCRYPT_LOG2N_MAX);
    }
    if (log2n < 1) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "its cost of scrypt, 2^%d, is none that is written", log2n);
    }
    if (!phrase || phrase->len == 0) {
        return mst_err_set(err, MST_E_AUTH, "it needs a passphrase and none was given");
    }
    n = UINT64_C(1) << log2n;
    both = mst_locked_new(MST_GCM_KEY + MST_WORK_CHECK);
    ok = EVP_PBE_scrypt(phrase->p, phrase->len, salt, MST_WORK_SALT, n, R, 1,
                        128 * R * n + ((uint64_t)1 << 20), both, MST_GCM_KEY + MST_WORK_CHECK) == 1;
    if (ok) {
        memcpy(key, both, MST_GCM_KEY);
        memcpy(check, both + MST_GCM_KEY, MST_WORK_CHECK);
    }
    mst_locked_free(both, MST_GCM_KEY + MST_WORK_CHECK);
    return ok ? MST_OK
              : mst_err_set(err, MST_E_LIMIT,
                            "there is no memory for its passphrase: scrypt needs %llu MiB",
                            (unsigned long long)(128 * R * n >> 20));
}
