#include "hash/mac.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/err.h"
#include "base/secret.h"

#define BLOCK 64U

void mst_hmac_sha256(const void *key, size_t key_n, const void *p, size_t n,
                     uint8_t out[MST_SHA256_LEN])
{
    uint8_t inner[BLOCK] = {0}, outer[BLOCK];
    struct mst_sha256 h;

    mst_sha256_init(&h);
    if (key_n > BLOCK) {
        mst_sha256_one(&h, key, key_n, inner);
    } else if (key_n > 0) {
        memcpy(inner, key, key_n);
    }
    for (size_t i = 0; i < BLOCK; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    mst_sha256_add(&h, inner, BLOCK);
    mst_sha256_add(&h, p, n);
    mst_sha256_final(&h, out);
    mst_sha256_add(&h, outer, BLOCK);
    mst_sha256_add(&h, out, MST_SHA256_LEN);
    mst_sha256_final(&h, out);
    mst_sha256_release(&h);
    mst_wipe(inner, sizeof(inner));
    mst_wipe(outer, sizeof(outer));
}

void mst_md5_of(const void *p, size_t n, uint8_t out[MST_MD5_LEN])
{
    unsigned len = 0;

    MST_ASSERT(EVP_Digest(p, n, out, &len, EVP_md5(), NULL) == 1 && len == MST_MD5_LEN);
}
