/* derive.h: what the parts of crypt share: HKDF over SHA-512, one AES-256-GCM message, and texts
 * that are bound by their length. Private to crypt; out of it only for tests. */
#ifndef MST_CRYPT_DERIVE_H
#define MST_CRYPT_DERIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define MST_GCM_KEY 32U
#define MST_GCM_TAG 16U
#define MST_GCM_NONCE 12U
#define MST_HKDF_BLOCK 64U

/* RFC 5869 over SHA-512; at most 4 blocks of output. */
void mst_hkdf_extract(const void *salt, size_t salt_n, const void *ikm, size_t n,
                      uint8_t prk[MST_HKDF_BLOCK]);
void mst_hkdf_expand(const void *prk, size_t prk_n, const void *info, size_t info_n, uint8_t *out,
                     size_t n);
/* One message under a key that is used once (the nonce is zero): out has n + MST_GCM_TAG bytes. */
void mst_gcm_once(const uint8_t key[MST_GCM_KEY], const void *aad, size_t aad_n, const void *p,
                  size_t n, uint8_t *out);
/* And back: n counts the tag; out has n - MST_GCM_TAG bytes. False: not this key, or damaged. */
bool mst_gcm_once_open(const uint8_t key[MST_GCM_KEY], const void *aad, size_t aad_n,
                       const uint8_t *p, size_t n, uint8_t *out);
/* Four bytes of length, little-endian, then the text. */
void mst_bind_text(struct mst_buf *out, const char *text);

#endif
