/* gcm.h: a context of AES-256-GCM whose table of the key lies in locked memory. Private to crypt.
 */
#ifndef MST_CRYPT_GCM_H
#define MST_CRYPT_GCM_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "crypt/derive.h"

/* Never NULL; EVP_CIPHER_CTX_free wipes it. */
EVP_CIPHER_CTX *mst_gcm_ctx(bool seals, const uint8_t key[MST_GCM_KEY],
                            const uint8_t nonce[MST_GCM_NONCE]);

#endif
