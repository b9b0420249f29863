/* compare.c: read back, sum, and compare what stands in staging with what should. */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "restore/target.h"

enum mst_rc mst_sum_collection(struct mst_rs *r, struct mst_conn *c, const char *db,
                               const char *coll, uint64_t *count, struct mst_sum256 *sum,
                               struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("find", BCON_UTF8(coll), "hint", "{", "$natural", BCON_INT32(1), "}");
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    struct mst_sha256 sha;
    uint8_t digest[MST_SHA256_LEN];
    enum mst_rc rc = mst_cursor_open(c, db, cmd, MST_RS_MS * 4, &cur, err);

    mst_sha256_init(&sha);
    memset(sum, 0, sizeof *sum);
    *count = 0;
    while (rc == MST_OK && (rc = mst_cursor_next(cur, &doc, err)) == MST_OK && doc) {
        mst_sha256_one(&sha, bson_get_data(doc), doc->len, digest);
        mst_sum256_add(sum, digest);
        if (!(++*count & 1023)) {
            rc = mst_task_check(r->task, err);
        }
    }
    mst_cursor_free(cur);
    mst_sha256_release(&sha);
    bson_destroy(cmd);
    return rc;
}

/* Are the indexes on the target the wanted ones, no more and no fewer? */
static enum mst_rc compare_indexes(struct mst_rs *r, const struct mst_map_coll *c, const char *name,
                                   struct mst_err *err)
{
    bson_t *have = NULL;
    bson_iter_t it;
    size_t i, found = 0, n = 0;
    char show[MST_NS_MAX];

    if (mst_tgt_indexes(r->c, c->db, name, &have, err) != MST_OK) {
        return err->rc;
    }
    for (i = 0; i < c->n_indexes; i++) {
        bson_t *want = mst_index_normal(c->indexes[i], r->o->release_ttl);

        n = 0;
        if (bson_iter_init(&it, have)) {
            while (bson_iter_next(&it)) {
                uint32_t len = 0;
                const uint8_t *p = NULL;
                bson_t spec, *got;

                n++;
                bson_iter_document(&it, &len, &p);
                (void)bson_init_static(&spec, p, len);
                got = mst_index_normal(&spec, r->o->release_ttl);
                found += bson_equal(got, want);
                bson_destroy(got);
            }
        }
        bson_destroy(want);
    }
    if (!c->n_indexes) {
        n = (size_t)bson_count_keys(have);
    }
    bson_destroy(have);
    if (found != c->n_indexes || n > c->n_indexes + 1) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s: %zu of %zu index definitions are as in the backup",
                           mst_ns_show(c->db, c->coll, show), found, c->n_indexes);
    }
    return MST_OK;
}

static void judge(const struct mst_map_coll *c, bool has_sum, struct mst_restore_outcome *out)
{
    if (c->missing) {
        out->proof = MST_PROOF_NOT_PROVABLE;
        (void)snprintf(out->why, sizeof out->why, "%llu %s found no document",
                       (unsigned long long)c->missing,
                       mst_text_noun(c->missing, "update", "updates"));
    } else if (mst_map_capped(c) && (c->ops || out->documents != c->loaded)) {
        out->proof = MST_PROOF_NOT_PROVABLE;
        (void)snprintf(out->why, sizeof out->why, "capped: the server drops the oldest by itself");
    } else if (c->ops || c->ddl || !has_sum || c->doubles) {
        out->proof = MST_PROOF_REPLAYED;
        if (c->ops) {
            (void)snprintf(out->why, sizeof out->why, "replayed %llu %s",
                           (unsigned long long)c->ops,
                           mst_text_noun(c->ops, "operation", "operations"));
        } else {
            (void)mst_copy(out->why, sizeof out->why,
                           c->ddl     ? "its definition changed during the backup"
                           : !has_sum ? "the backup has no sum to compare with"
                                      : "documents were read twice during the backup");
        }
    } else {
        out->proof = MST_PROOF_EQUAL;
        (void)snprintf(out->why, sizeof out->why, "read back equal to the scan");
    }
}

static enum mst_rc compare_one(struct mst_rs *r, struct mst_map_coll *c, size_t n,
                               struct mst_restore_outcome *out, struct mst_err *err)
{
    char name[MST_STAGE_MAX], show[MST_NS_MAX];
    struct mst_sum256 sum;
    uint64_t count = 0;
    const bool from_source = n < r->map.from_source;

    mst_stage_name(r->run, false, n, name);
    if (mst_sum_collection(r, r->c, c->db, name, &count, &sum, err) != MST_OK ||
        compare_indexes(r, c, name, err) != MST_OK) {
        return err->rc;
    }
    (void)mst_copy(out->db, sizeof out->db, c->db);
    (void)mst_copy(out->coll, sizeof out->coll, c->coll);
    out->documents = count;
    out->doubles = c->doubles;
    out->ops = c->ops;
    out->missing = c->missing;
    out->indexes = (uint32_t)c->n_indexes;
    out->held = c->held;
    judge(c, from_source && r->s->colls[n].has_sum, out);
    if (out->proof == MST_PROOF_EQUAL &&
        (count != c->loaded || !mst_sum256_equal(&sum, &c->kept))) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s changed in staging although nothing touched it",
                           mst_ns_show(c->db, c->coll, show));
    }
    return MST_OK;
}

enum mst_rc mst_compare_all(struct mst_rs *r, struct mst_err *err)
{
    size_t i, k = 0;
    enum mst_rc rc = MST_OK;

    mst_task_phase(r->task, "comparing");
    r->res->outcomes = mst_xcalloc(r->map.n + 1, sizeof *r->res->outcomes);
    for (i = 0; rc == MST_OK && i < r->map.n; i++) {
        struct mst_map_coll *c = &r->map.c[i];

        if (!c->staged) {
            continue;
        }
        rc = mst_rs_at(r, "compare", err);
        if (rc == MST_OK) {
            rc = compare_one(r, c, i, &r->res->outcomes[k], err);
        }
        if (rc == MST_OK) {
            r->res->documents += r->res->outcomes[k].documents;
            r->res->doubles += c->doubles;
            r->res->bytes += c->loaded_bytes;
            r->res->n = ++k;
        }
    }
    return rc;
}
