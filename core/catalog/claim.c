/* Who has an id in a store: create-only objects, before there is anything else below it. */
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog.h"

enum mst_rc mst_catalog_claim(const struct mst_catalog *c, const struct mst_claim *claim,
                              struct mst_err *err)
{
    struct mst_str s = {0};
    char key[MST_KEY_MAX];
    enum mst_rc rc;

    mst_claim_put(claim, &s);
    mst_catalog_key(c, claim->id, "", "claim", key);
    rc = mst_store_claim(c->store, key, s.p, s.len, err);
    mst_str_release(&s);
    return rc;
}

enum mst_rc mst_catalog_unclaim(const struct mst_catalog *c, const char *id, struct mst_err *err)
{
    char key[MST_KEY_MAX];

    mst_catalog_key(c, id, "", "claim", key);
    return mst_store_delete(c->store, key, err);
}

/* The claim of the source; backups that are older than claims get one that is theirs. */
static enum mst_rc read_claim(const struct mst_catalog *from, const struct mst_header *h,
                              struct mst_buf *out, struct mst_err *err)
{
    struct mst_claim made = {.wall_ms = h->started_wall_ms, .by = ""};
    struct mst_str s = {0};
    char key[MST_KEY_MAX];
    enum mst_rc rc;

    mst_catalog_key(from, h->id, "", "claim", key);
    rc = mst_store_read_all(from->store, key, MST_HEADER_MAX, out, err);
    if (rc == MST_E_NOTFOUND) {
        memset(err, 0, sizeof(*err));
        (void)mst_copy(made.id, sizeof(made.id), h->id);
        (void)mst_copy(made.attempt, sizeof(made.attempt), h->attempt);
        mst_claim_put(&made, &s);
        mst_buf_add(out, s.p, s.len);
        mst_str_release(&s);
        rc = MST_OK;
    }
    return rc;
}

/* Refused: is it the run's that made both, or a stranger's? */
static enum mst_rc whose(const struct mst_catalog *to, const struct mst_header *h, const char *key,
                         struct mst_err *err)
{
    struct mst_claim c = {.by = ""};
    struct mst_buf b = {0};
    struct mst_err ignore = {0};
    const char *name = mst_store_name(to->store);
    bool ours;

    ours = mst_store_read_all(to->store, key, MST_HEADER_MAX, &b, &ignore) == MST_OK &&
           mst_claim_get((const char *)b.p, b.len, &c, &ignore) == MST_OK &&
           strcmp(c.id, h->id) == 0 && strcmp(c.attempt, h->attempt) == 0;
    mst_buf_release(&b);
    if (ours) {
        memset(err, 0, sizeof(*err));
        return MST_OK;
    }
    return mst_err_set(err, MST_E_EXISTS,
                       "another run has the name %s in the store %s (%.60s): when it is dead, "
                       "'muster clean %s --store %s' removes what it left",
                       h->id, name, c.by[0] ? c.by : "not known whose", h->id, name);
}

enum mst_rc mst_catalog_claim_copy(const struct mst_catalog *from, const struct mst_catalog *to,
                                   const struct mst_header *h, struct mst_err *err)
{
    struct mst_buf b = {0};
    char key[MST_KEY_MAX];
    enum mst_rc rc = read_claim(from, h, &b, err);

    mst_catalog_key(to, h->id, "", "claim", key);
    rc = rc == MST_OK ? mst_store_claim(to->store, key, b.p, b.len, err) : rc;
    mst_buf_release(&b);
    return rc == MST_E_EXISTS ? whose(to, h, key, err) : rc;
}
