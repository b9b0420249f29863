/* mac.h: what requests to object stores are signed and checked with: HMAC-SHA-256, MD5, base64. */
#ifndef MST_HASH_MAC_H
#define MST_HASH_MAC_H

#include "hash/hash.h"

#define MST_MD5_LEN 16
#define MST_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1) /* with its NUL */

void mst_hmac_sha256(const void *key, size_t key_n, const void *p, size_t n,
                     uint8_t out[MST_SHA256_LEN]);
/* Not against attackers: stores that know no other checksum want it in Content-MD5. */
void mst_md5_of(const void *p, size_t n, uint8_t out[MST_MD5_LEN]);
/* out has MST_BASE64_SIZE(n) bytes. Returns out. */
char *mst_base64(const uint8_t *p, size_t n, char *out);

#endif
