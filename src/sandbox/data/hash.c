/* dbHash: MD5 over the documents in order of _id (capped collections: in record order). */
#include <openssl/evp.h>

#include "base/err.h"
#include "data/inner.h"

static void to_hex(const unsigned char *sum, char hex[SBX_MD5_HEX])
{
    for (unsigned i = 0; i < 16; i++) {
        snprintf(hex + (size_t)2 * i, 3, "%02x", sum[i]);
    }
}

void sbx_md5_hex(const void *p, size_t n, char hex[SBX_MD5_HEX])
{
    unsigned char sum[EVP_MAX_MD_SIZE];

    MST_ASSERT(EVP_Digest(n ? p : "", n, sum, NULL, EVP_md5(), NULL) == 1);
    to_hex(sum, hex);
}

void sbx_coll_md5(const struct sbx_coll *c, struct sbx_view view, char hex[SBX_MD5_HEX])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct sbx_scan s;
    struct sbx_row row;

    MST_ASSERT(ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1);
    sbx_scan_init(&s, c->capped ? SBX_SCAN_NATURAL : SBX_SCAN_ID, false);
    while (sbx_scan_next(&s, c, view, &row)) {
        EVP_DigestUpdate(ctx, row.doc.p, row.doc.n);
    }
    sbx_scan_release(&s);
    MST_ASSERT(EVP_DigestFinal_ex(ctx, sum, &n) == 1 && n == 16);
    EVP_MD_CTX_free(ctx);
    to_hex(sum, hex);
}
