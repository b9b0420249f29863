/* work.h: a passphrase made into a key by scrypt (r 8, p 1), which costs memory and time. Private
 * to crypt; out of it only for tests. */
#ifndef MST_CRYPT_WORK_H
#define MST_CRYPT_WORK_H

#include "base/secret.h"
#include "crypt/derive.h"

#define MST_WORK_SALT 16U
#define MST_WORK_CHECK 16U

/* 48 bytes of scrypt: the key, and a value that tells a wrong passphrase from damage. MST_E_AUTH:
 * no passphrase; MST_E_LIMIT: more than 2^MST_SCRYPT_LOG2N_MAX; MST_E_INTEGRITY: less than 2. */
enum mst_rc mst_work(const struct mst_secret *phrase, const uint8_t salt[MST_WORK_SALT], int log2n,
                     uint8_t key[MST_GCM_KEY], uint8_t check[MST_WORK_CHECK],
                     struct mst_err *err) MST_MUST_CHECK;

#endif
