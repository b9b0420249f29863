/* rs256.h: RS256 of RFC 7518 (RSASSA-PKCS1-v1_5 with SHA-256), as JSON web tokens are signed. Any
 * thread. */
#ifndef MST_CRYPT_RS256_H
#define MST_CRYPT_RS256_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

#define MST_RS256_MAX 1024 /* bytes of a signature: keys up to 8192 bits */

/* pem: a private RSA key of at least 2048 bits, PKCS #8 or PKCS #1, without a passphrase.
 * MST_E_CONFIG says what is wrong with it. */
enum mst_rc mst_rs256(const struct mst_secret *pem, const void *p, size_t n,
                      uint8_t out[MST_RS256_MAX], size_t *out_n,
                      struct mst_err *err) MST_MUST_CHECK;

#endif
