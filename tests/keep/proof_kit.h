/* proof_kit.h: a set with a writer at work, and whether what a restore gives back is what the
 * writer was acknowledged at the backup's end {ts}: documents, options and index definitions. */
#ifndef MST_TEST_PROOF_KIT_H
#define MST_TEST_PROOF_KIT_H

#include <stdatomic.h>

#include "proof_acts.h"

#include "restore/source.h"
#include "sandbox/data/data.h"

#define WAIT_MS 60000

struct proof {
    struct keep keep;
    struct sbx_model *model;
    struct sbx_writer *writer;
    struct acts acts;
    bson_t *defs[ACTS * PHASES + 4]; /* {ns, options, indexes} on the source */
    size_t n_defs;
    /* the window */
    int64_t from_ms, to_ms;
    struct sbx_shop_stats from, to;
    uint64_t acts_from, acts_to;
    atomic_uint slowed; /* batches */
};

static inline void proof_begin(struct proof *p, const char *server, uint64_t seed, int docs)
{
    struct sbx_writer_opts w = {.customers = 200, .seed = seed, .ddl = true};
    const struct sbx_opts o = {.server = server, .seed = seed};
    const char *seeds[3];
    struct mst_err err = {0};
    struct sbx_shop_stats now;
    const int64_t until = mst_clock_mono_ms(NULL) + WAIT_MS;
    int i;

    memset(p, 0, sizeof *p);
    keep_start(&p->keep, o);
    p->keep.quiet = true;
    sbx_lock(p->keep.kit.w);
    for (i = 0; i < 3; i++) {
        seeds[i] = p->keep.names[i];
        sbx_data_move_on_grow(p->keep.kit.w->members[i].data, true);
    }
    sbx_unlock(p->keep.kit.w);
    p->model = sbx_model_new();
    acts_begin(&p->acts, &p->keep, p->model, docs);
    w.model = p->model;
    w.seeds = seeds;
    w.n_seeds = 3;
    assert_ok(sbx_writer_start(&w, &p->writer, &err), &err);
    do {
        mst_clock_sleep_ms(5);
        sbx_writer_stats(p->writer, &now);
    } while (now.writes < 600 && mst_clock_mono_ms(NULL) < until);
    assert_true(now.writes >= 600);
}

static inline void proof_end(struct proof *p)
{
    size_t i;

    for (i = 0; i < p->n_defs; i++) {
        bson_destroy(p->defs[i]);
    }
    sbx_writer_stop(p->writer);
    acts_end(&p->acts);
    sbx_model_free(p->model);
    keep_stop(&p->keep);
}

/* ---- comparing with the model ---- */

struct tally {
    struct keep *k;
    struct mst_conn *conn;
    const struct sbx_snapshot *snap;
    size_t collections, documents, definitions, wrong;
    char first[400];
};

static inline void wrong(struct tally *t, const char *ns, const char *what)
{
    if (!t->wrong++) {
        (void)snprintf(t->first, sizeof t->first, "%.200s: %.190s", ns, what);
    }
}

static inline void each_collection(void *arg, const char *ns, size_t count)
{
    struct tally *t = arg;
    struct mst_cursor *cur = NULL;
    struct mst_err err = {0};
    const bson_t *doc = NULL;
    char db[64];
    const size_t n = mst_oplog_db_len(ns);
    bson_t *cmd = BCON_NEW("find", BCON_UTF8(ns + n + 1));
    size_t got = 0;

    memcpy(db, ns, n);
    db[n] = 0;
    t->collections++;
    assert_ok(mst_cursor_open(t->conn, db, cmd, 20000, &cur, &err), &err);
    for (;;) {
        const bson_t *want;
        bool doubt = false;

        assert_ok(mst_cursor_next(cur, &doc, &err), &err);
        if (!doc) {
            break;
        }
        got++;
        t->documents++;
        want = sbx_snapshot_find(t->snap, ns, doc, &doubt);
        if (!doubt && (!want || !bson_equal(want, doc))) {
            char *json = bson_as_relaxed_extended_json(doc, NULL);
            char text[200];

            (void)snprintf(text, sizeof text, "%s %.150s", want ? "differs" : "is too many",
                           json ? json : "");
            bson_free(json);
            wrong(t, ns, text);
        }
    }
    if (got != count) {
        char text[80];

        (void)snprintf(text, sizeof text, "%zu documents, the model has %zu", got, count);
        wrong(t, ns, text);
    }
    mst_cursor_free(cur);
    bson_destroy(cmd);
}

/* Nothing may be there that the model does not have. */
static inline void no_other_collections(struct tally *t, const char *db)
{
    struct mst_cursor *cur = NULL;
    struct mst_err err = {0};
    const bson_t *doc = NULL;
    bson_t *cmd = BCON_NEW("listCollections", BCON_INT32(1), "cursor", "{", "}");

    assert_ok(mst_cursor_open(t->conn, db, cmd, 20000, &cur, &err), &err);
    for (;;) {
        char name[256], type[16], ns[330];

        assert_ok(mst_cursor_next(cur, &doc, &err), &err);
        if (!doc) {
            break;
        }
        (void)mst_bson_text(doc, "name", name, sizeof name);
        (void)mst_bson_text(doc, "type", type, sizeof type);
        (void)snprintf(ns, sizeof ns, "%s.%s", db, name);
        if (strcmp(type, "collection") == 0 && strncmp(name, "system.", 7) != 0 &&
            sbx_snapshot_count(t->snap, ns) == SIZE_MAX) {
            wrong(t, ns, "the model has no such collection");
        }
    }
    mst_cursor_free(cur);
    bson_destroy(cmd);
}

/* ---- options and index definitions ---- */

/* {ns, options, indexes: [...]} of a collection; its indexes in order of name. */
static inline bson_t *definition(struct keep *k, const char *db, const char *coll)
{
    char *json = mst_xasprintf("{'listCollections': 1, 'filter': {'name': '%s'}}", coll);
    bson_t *out = BCON_NEW("ns", BCON_UTF8(db), "coll", BCON_UTF8(coll));
    bson_t reply, part, sorted;

    assert_int_equal(kit_run(&k->kit, keep_primary(k), db, &reply, json), 0);
    free(json);
    if (mst_bson_doc(&reply, "cursor.firstBatch.0.options", &part)) {
        BSON_APPEND_DOCUMENT(out, "options", &part);
    }
    bson_destroy(&reply);
    json = mst_xasprintf("{'listIndexes': '%s'}", coll);
    if (kit_run(&k->kit, keep_primary(k), db, &reply, json) == 0 &&
        mst_bson_doc(&reply, "cursor.firstBatch", &part)) {
        keep_by_name(&part, &sorted);
        BSON_APPEND_ARRAY(out, "indexes", &sorted);
        bson_destroy(&sorted);
    }
    free(json);
    bson_destroy(&reply);
    return out;
}

/* As they are on the source now: nothing may change them between the backup's end and this. */
static inline void take_defs(struct proof *p)
{
    static const char *const shop[] = {"customers", "orders", "events"};
    size_t i;
    int a, f;

    for (i = 0; i < MST_COUNT(shop); i++) {
        p->defs[p->n_defs++] = definition(&p->keep, "shop", shop[i]);
    }
    for (a = 0; a < ACTS; a++) {
        for (f = 0; f < PHASES; f++) {
            const struct cell *c = &p->acts.cells[a][f];

            if (*c->now) {
                p->defs[p->n_defs++] = definition(&p->keep, c->db, c->now);
            }
        }
    }
}

static inline void compare_defs(struct proof *p, struct tally *t)
{
    size_t i;

    for (i = 0; i < p->n_defs; i++) {
        char db[64], coll[256], text[190];
        bson_t *now;

        (void)mst_bson_text(p->defs[i], "ns", db, sizeof db);
        (void)mst_bson_text(p->defs[i], "coll", coll, sizeof coll);
        now = definition(&p->keep, db, coll);
        if (!bson_equal(now, p->defs[i])) {
            char *json = bson_as_relaxed_extended_json(now, NULL);

            (void)snprintf(text, sizeof text, "is now %.180s", json ? json : "");
            bson_free(json);
            wrong(t, coll, text);
        }
        bson_destroy(now);
        t->definitions++;
    }
}

static const char *const proof_dbs[] = {
    "shop", "shop_scratch", "proof", "proof_gone_before", "proof_gone_during", "proof_gone_after"};

/* Restore into an emptied set and compare. Returns whether all is equal; why says what is not. */
static inline bool restored_equals_model(struct proof *p, const char *id, struct tally *t,
                                         char *why, size_t size, struct mst_restore_result *res)
{
    struct keep *k = &p->keep;
    struct mst_restore_opts o;
    struct mst_restore_source *s = NULL;
    struct mst_err err = {0};
    struct sbx_snapshot *snap;
    struct mst_ts end;
    enum mst_rc rc;
    size_t i;

    memset(res, 0, sizeof *res);
    memset(t, 0, sizeof *t);
    sbx_writer_pause(p->writer, true);
    for (i = 0; i < MST_COUNT(proof_dbs); i++) {
        keep_do(k, proof_dbs[i], "{'dropDatabase': 1}");
    }
    keep_restore_opts(k, &o);
    rc = mst_restore_source_backup(&k->catalog, id, &k->task, &s, &err);
    if (rc == MST_OK) {
        end = s->end.ts;
        rc = keep_restore(k, &o, s, res, &err);
    }
    mst_restore_source_free(s);
    if (rc != MST_OK) {
        (void)snprintf(why, size, "restore: %.400s", err.msg);
        return false;
    }
    snap = sbx_model_at(p->model, end);
    t->k = k;
    t->snap = snap;
    assert_ok(keep_connect(NULL, k->primary, "proof", NULL, &t->conn, &err), &err);
    sbx_snapshot_collections(snap, each_collection, t);
    for (i = 0; i < MST_COUNT(proof_dbs); i++) {
        no_other_collections(t, proof_dbs[i]);
    }
    compare_defs(p, t);
    mst_conn_free(t->conn);
    sbx_snapshot_free(snap);
    (void)snprintf(why, size, "%zu differences, first: %s", t->wrong, t->first);
    return t->wrong == 0;
}

#endif
