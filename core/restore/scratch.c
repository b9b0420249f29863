/* scratch.c: staging collections, and the trial of every option and index on empty ones first. */
#include <string.h>

#include "base/mem.h"
#include "restore/target.h"

/* What create takes of the options; validator and TTL come later or not at all. */
static void add_options(bson_t *cmd, const bson_t *options, bool trial)
{
    static const char *const never[] = {
        "uuid", "temp", "autoIndexId", "create", "idIndex", "recordIdsReplicated", "writeConcern"};
    static const char *const later[] = {"validator", "validationLevel", "validationAction",
                                        "expireAfterSeconds"};
    bson_iter_t it;
    size_t i;

    if (!bson_iter_init(&it, options)) {
        return;
    }
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        bool skip = false;

        for (i = 0; i < MST_COUNT(never); i++) {
            skip = skip || strcmp(never[i], key) == 0;
        }
        for (i = 0; !trial && i < MST_COUNT(later); i++) {
            skip = skip || strcmp(later[i], key) == 0;
        }
        if (!skip) {
            (void)bson_append_iter(cmd, key, -1, &it);
        }
    }
}

static enum mst_rc create(struct mst_rs *r, const char *db, const char *name, const bson_t *options,
                          bool trial, struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("create", BCON_UTF8(name));

    add_options(cmd, options, trial);
    return mst_rs_do_take(r->c, db, cmd, MST_RS_MS, err);
}

static enum mst_rc drop(struct mst_rs *r, const char *db, const char *name, struct mst_err *err)
{
    struct mst_err e = {0};
    const enum mst_rc rc =
        mst_rs_do_take(r->c, db, BCON_NEW("drop", BCON_UTF8(name)), MST_RS_MS, &e);

    if (rc == MST_OK || e.detail == MST_SC_NS_NOT_FOUND) {
        return MST_OK;
    }
    *err = e;
    return rc;
}

static enum mst_rc try_indexes(struct mst_rs *r, const char *db, const char *name,
                               const struct mst_map_coll *c, struct mst_err *err)
{
    bson_t *cmd;

    if (!c->n_indexes) {
        return MST_OK;
    }
    cmd = BCON_NEW("createIndexes", BCON_UTF8(name));
    mst_index_list(cmd, c, false);
    return mst_rs_do_take(r->c, db, cmd, MST_RS_MS, err);
}

/* Names are those the collection will have at the end of the window: options and indexes too. */
static enum mst_rc try_one(struct mst_rs *r, const struct mst_map_coll *c, size_t n,
                           struct mst_err *err)
{
    char name[MST_STAGE_MAX], show[MST_NS_MAX];
    struct mst_err ignored = {0};
    enum mst_rc rc;

    mst_stage_name(r->run, false, n, name);
    rc = create(r, c->db, name, c->options, true, err);
    if (rc == MST_OK) {
        rc = try_indexes(r, c->db, name, c, err);
        if (rc != MST_OK) {
            (void)!drop(r, c->db, name, &ignored);
        } else {
            rc = drop(r, c->db, name, err);
        }
    }
    if (rc != MST_OK) {
        mst_err_prefix(err, "options and indexes of %s, tried on an empty collection",
                       mst_ns_show(c->db, c->coll, show));
    }
    return rc;
}

/* Only what differs from the plainest collection needs a trial. */
enum mst_rc mst_stage_try_all(struct mst_rs *r, const struct mst_map *final, struct mst_err *err)
{
    size_t i;
    enum mst_rc rc = MST_OK;

    mst_task_phase(r->task, "trying options and indexes");
    for (i = 0; rc == MST_OK && i < final->n; i++) {
        const struct mst_map_coll *c = &final->c[i];

        if (c->wanted && !c->dropped && (c->n_indexes || bson_count_keys(c->options))) {
            rc = mst_rs_at(r, "try", err);
            if (rc == MST_OK) {
                rc = try_one(r, c, i, err);
            }
        }
    }
    return rc;
}

enum mst_rc mst_stage_create(struct mst_rs *r, struct mst_map_coll *c, size_t n,
                             struct mst_err *err)
{
    char name[MST_STAGE_MAX], show[MST_NS_MAX];
    bson_t *cmd;
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    bson_t info;
    bson_iter_t it;
    enum mst_rc rc;

    mst_stage_name(r->run, false, n, name);
    rc = create(r, c->db, name, c->options, false, err);
    if (rc != MST_OK) {
        mst_err_prefix(err, "staging of %s", mst_ns_show(c->db, c->coll, show));
        return rc;
    }
    cmd = BCON_NEW("listCollections", BCON_INT32(1), "filter", "{", "name", BCON_UTF8(name), "}",
                   "cursor", "{", "}");
    rc = mst_cursor_open(r->c, c->db, cmd, MST_RS_MS, &cur, err);
    if (rc == MST_OK) {
        rc = mst_cursor_next(cur, &doc, err);
    }
    if (rc == MST_OK && doc && mst_bson_doc(doc, "info", &info) &&
        bson_iter_init_find(&it, &info, "uuid") && BSON_ITER_HOLDS_BINARY(&it)) {
        bson_subtype_t sub;
        uint32_t len = 0;
        const uint8_t *p = NULL;

        bson_iter_binary(&it, &sub, &len, &p);
        c->staged = len == 16;
        if (c->staged) {
            memcpy(c->staged_uuid, p, 16);
        }
    }
    mst_cursor_free(cur);
    bson_destroy(cmd);
    if (rc == MST_OK && !c->staged) {
        rc =
            mst_err_set(err, MST_E_SERVER, "the staging collection %s.%s has no UUID", c->db, name);
    }
    return rc;
}

enum mst_rc mst_stage_drop(struct mst_rs *r, struct mst_map_coll *c, size_t n, struct mst_err *err)
{
    char name[MST_STAGE_MAX];

    mst_stage_name(r->run, false, n, name);
    c->staged = false;
    return drop(r, c->db, name, err);
}
