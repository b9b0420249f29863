/* mac.h: what requests to object stores are signed and checked with: HMAC-SHA-256 and MD5. */
#ifndef MST_HASH_MAC_H
#define MST_HASH_MAC_H

#include "hash/hash.h"

#define MST_MD5_LEN 16

void mst_hmac_sha256(const void *key, size_t key_n, const void *p, size_t n,
                     uint8_t out[MST_SHA256_LEN]);
/* Not against attackers: stores that know no other checksum want it in Content-MD5. */
void mst_md5_of(const void *p, size_t n, uint8_t out[MST_MD5_LEN]);

#endif
