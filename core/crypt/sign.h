/* sign.h: Ed25519 signatures (RFC 8032). Keys are 32 bytes; the id of a signer is hex of the first
 * 16 bytes of the SHA-256 of its public key. Any thread. */
#ifndef MST_CRYPT_SIGN_H
#define MST_CRYPT_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

#define MST_SIGN_KEY_LEN 32
#define MST_SIGNATURE_LEN 64
#define MST_KEY_ID_HEX 33 /* with its NUL */

struct mst_sign_key {
    uint8_t *secret; /* MST_SIGN_KEY_LEN bytes in locked memory; NULL when unset */
    uint8_t pub[MST_SIGN_KEY_LEN];
    char id[MST_KEY_ID_HEX];
};
enum mst_rc mst_sign_key_new(struct mst_sign_key *k, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_sign_key_set(struct mst_sign_key *k, const uint8_t secret[MST_SIGN_KEY_LEN],
                             struct mst_err *err) MST_MUST_CHECK;
void mst_sign_key_release(struct mst_sign_key *k); /* wipes; twice allowed */
enum mst_rc mst_sign(const struct mst_sign_key *k, const void *p, size_t n,
                     uint8_t out[MST_SIGNATURE_LEN], struct mst_err *err) MST_MUST_CHECK;
bool mst_sign_ok(const uint8_t pub[MST_SIGN_KEY_LEN], const void *p, size_t n,
                 const uint8_t signature[MST_SIGNATURE_LEN]);
void mst_key_id_of(const uint8_t pub[MST_SIGN_KEY_LEN], char out[MST_KEY_ID_HEX]);

#endif
