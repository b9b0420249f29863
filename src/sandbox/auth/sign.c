/* sign.c: what keeps a client from making up a cluster time: with access control a member signs it
 * with the first key of its set, without one the signature is empty. */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/auth.h"
#include "data/data.h"

static bool first_key(const struct sbx_member *m, struct sbx_doc *out)
{
    const struct sbx_coll *keys =
        m->data != NULL ? sbx_data_coll(m->data, "admin.system.keys") : NULL;
    struct sbx_scan s;
    struct sbx_row row;
    bool found = false;

    if (keys != NULL) {
        sbx_scan_init(&s, SBX_SCAN_ID, false);
        found = sbx_scan_next(&s, keys, SBX_LATEST, &row);
        if (found) {
            *out = row.doc;
        }
        sbx_scan_release(&s);
    }
    return found;
}

bool sbx_auth_signs(const struct sbx_member *m)
{
    struct sbx_doc key;

    return !sbx_auth_enabled(m->w) || first_key(m, &key);
}

int64_t sbx_auth_sign(const struct sbx_member *m, struct mst_ts ts, uint8_t hash[SBX_AUTH_HASH])
{
    struct sbx_doc doc;
    const uint8_t *key;
    uint8_t text[8], sub;
    uint32_t n;
    unsigned len = 0;

    memset(hash, 0, SBX_AUTH_HASH);
    if (!sbx_auth_enabled(m->w) || !first_key(m, &doc)) {
        return 0;
    }
    key = sbx_val_bin(sbx_doc_get(doc, "key"), &n, &sub);
    mst_put_le32(text, ts.i);
    mst_put_le32(text + 4, ts.t);
    if (key == NULL || HMAC(EVP_sha1(), key, (int)n, text, sizeof text, hash, &len) == NULL) {
        memset(hash, 0, SBX_AUTH_HASH);
    }
    return sbx_val_i64(sbx_doc_get(doc, "_id"));
}
