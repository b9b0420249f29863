#include "catalog/alive.h"

#include <string.h>

#include "hash/hash.h"

bool mst_alive_unclear(enum mst_rc rc)
{
    return rc == MST_E_INTEGRITY || rc == MST_E_STALE || rc == MST_E_PRECOND || rc == MST_E_LIMIT;
}

static enum mst_rc judge(const struct mst_catalog *c, const char *id, const struct mst_buf *b,
                         struct mst_commit *out, struct mst_err *err)
{
    struct mst_judgement j;

    if (mst_commit_get((const char *)b->p, b->len, out, err) != MST_OK) {
        mst_err_prefix(err, "the COMMIT of %s", id);
        return err->rc;
    }
    if (strcmp(out->id, id) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "the COMMIT of %s is that of %.40s", id, out->id);
    }
    mst_trust_judge(c->trust, (const char *)b->p, b->len, out->signer, out->signature, &j);
    return mst_trust_allow(c->trust, id, &j, err);
}

enum mst_rc mst_alive_commit(const struct mst_catalog *c, const char *id, struct mst_commit *out,
                             struct mst_err *err)
{
    struct mst_buf b = {0};
    char key[MST_KEY_MAX];
    enum mst_rc rc;

    memset(out, 0, sizeof(*out));
    mst_catalog_key(c, id, "", "COMMIT", key);
    rc = mst_store_read_all(c->store, key, MST_HEADER_MAX, &b, err);
    if (rc == MST_OK) {
        rc = judge(c, id, &b, out, err);
    } else if (rc == MST_E_NOTFOUND) {
        memset(err, 0, sizeof(*err));
        rc = MST_OK;
    }
    if (rc != MST_OK) {
        out->attempt[0] = '\0';
    }
    mst_buf_release(&b);
    return rc;
}

enum mst_rc mst_alive_header(const struct mst_catalog *c, const struct mst_commit *commit,
                             struct mst_err *err)
{
    struct mst_header h;
    struct mst_buf b = {0};
    uint8_t sha[MST_SHA256_LEN];
    char key[MST_KEY_MAX], hex[MST_SHA256_HEX];
    enum mst_rc rc;

    mst_catalog_key(c, commit->id, commit->attempt, "header", key);
    rc = mst_store_read_all(c->store, key, MST_HEADER_MAX, &b, err);
    if (rc == MST_E_NOTFOUND) {
        rc =
            mst_err_set(err, MST_E_INTEGRITY, "the COMMIT of %s names %s/header, which is not here",
                        commit->id, commit->attempt);
    } else if (rc == MST_OK) {
        mst_sha256_of(b.p, b.len, sha);
        rc = mst_header_get((const char *)b.p, b.len, &h, err);
        if (rc != MST_OK) {
            mst_err_prefix(err, "the header of %s", commit->id);
        } else if (strcmp(mst_hex(sha, sizeof(sha), hex), commit->header_sha) != 0 ||
                   strcmp(h.id, commit->id) != 0 || strcmp(h.attempt, commit->attempt) != 0 ||
                   strcmp(h.set, c->set) != 0) {
            rc = mst_err_set(err, MST_E_INTEGRITY,
                             "the header of %s is not the one that its COMMIT names", commit->id);
        }
    }
    mst_buf_release(&b);
    return rc;
}

enum mst_rc mst_alive(const struct mst_catalog *c, const char *id, struct mst_commit *out,
                      struct mst_err *err)
{
    enum mst_rc rc = mst_alive_commit(c, id, out, err);

    return rc == MST_OK && out->attempt[0] ? mst_alive_header(c, out, err) : rc;
}
