/* backup_kit.h: a simulated set, a store in a temporary folder and a backup of the one into the
 * other. */
#ifndef MST_TEST_KEEP_H
#define MST_TEST_KEEP_H

#include "sandbox_kit.h"

#include "backup/backup.h"
#include "catalog/verify.h"
#include "fake_backup.h" /* fake_rm */
#include "mongo/mongo.h"
#include "store/fault.h"

struct keep {
    struct kit kit;
    char dir[64];
    struct mst_store *store;
    struct mst_catalog catalog;
    struct mst_topo_view topo;
    struct mst_backup_opts o;
    struct mst_backup_result res;
    struct mst_err err;
};

static inline enum mst_rc keep_connect(void *arg, const char *member, const char *app,
                                       struct mst_task *task, struct mst_conn **out,
                                       struct mst_err *err)
{
    struct mst_conn_opts o = {.app = app, .task = task, .set_name = "rs0"};

    (void)arg;
    (void)mst_copy(o.name, sizeof(o.name), member);
    return mst_conn_open(&o, out, err);
}

static inline void keep_start(struct keep *k, struct sbx_opts o)
{
    memset(k, 0, sizeof(*k));
    kit_start(&k->kit, o);
    (void)mst_copy(k->dir, sizeof(k->dir), "/tmp/muster-keep-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    assert_ok(mst_store_local_open("vault", k->dir, true, &k->store, &k->err), &k->err);
    assert_ok(mst_catalog_init(&k->catalog, k->store, "", "rs0", &k->err), &k->err);
    k->topo.n = k->kit.w->n;
    k->topo.members = mst_xcalloc(k->topo.n, sizeof(*k->topo.members));
    k->topo.primary = sbx_world_primary(k->kit.w);
    for (size_t i = 0; i < k->topo.n; i++) {
        struct mst_topo_member *m = &k->topo.members[i];

        (void)snprintf(m->name, sizeof(m->name), "127.0.0.1:%d", sbx_world_port(k->kit.w, i));
        m->configured = m->builds_indexes = true;
        m->reach = MST_REACH_OK;
        m->priority = 1;
        m->shown = (int)i == k->topo.primary ? MST_SHOW_PRIMARY : MST_SHOW_SECONDARY;
    }
    k->o.catalog = &k->catalog;
    k->o.connect = keep_connect;
    k->o.topo = &k->topo;
    k->o.muster = "test";
}

static inline void keep_stop(struct keep *k)
{
    kit_stop(&k->kit);
    mst_store_free(k->store);
    fake_rm(k->dir);
    free(k->topo.members);
}

/* On the primary; must work. */
static inline void keep_do(struct keep *k, const char *db, const char *json)
{
    bson_t reply;
    const int code = kit_run(&k->kit, sbx_world_primary(k->kit.w), db, &reply, json);

    if (code != 0) {
        char *text = bson_as_relaxed_extended_json(&reply, NULL);

        fail_msg("%s: %s", json, text);
    }
    bson_destroy(&reply);
}

/* n documents {_id, pad} with pad bytes of padding. */
static inline void keep_insert(struct keep *k, const char *db, const char *coll, int from, int n,
                               size_t pad)
{
    struct sbx_client c;
    char *text = mst_xcalloc(1, pad + 1);

    memset(text, 'p', pad);
    kit_connect(&k->kit, sbx_world_primary(k->kit.w), &c);
    for (int at = from; at < from + n;) {
        bson_t cmd = BSON_INITIALIZER, docs, reply;
        const int upto = at + 500 < from + n ? at + 500 : from + n;

        BSON_APPEND_UTF8(&cmd, "insert", coll);
        BSON_APPEND_ARRAY_BEGIN(&cmd, "documents", &docs);
        for (int i = 0; at < upto; i++, at++) {
            bson_t d;
            char key[16];

            (void)snprintf(key, sizeof(key), "%d", i);
            BSON_APPEND_DOCUMENT_BEGIN(&docs, key, &d);
            BSON_APPEND_INT32(&d, "_id", at);
            BSON_APPEND_UTF8(&d, "pad", text);
            bson_append_document_end(&docs, &d);
        }
        bson_append_array_end(&cmd, &docs);
        assert_ok(sbx_client_command(&c, db, &cmd, &reply, &k->err), &k->err);
        bson_destroy(&reply);
        bson_destroy(&cmd);
    }
    sbx_client_close(&c);
    free(text);
}

static inline void keep_settle(struct keep *k)
{
    const int p = sbx_world_primary(k->kit.w);

    for (int i = 0; i < (int)k->kit.w->n; i++) {
        assert_true(i == p || kit_wait_same(&k->kit, p, i, 10000));
    }
}

static inline enum mst_rc keep_backup(struct keep *k)
{
    memset(&k->err, 0, sizeof(k->err));
    return mst_backup_run(&k->o, NULL, &k->res, &k->err);
}

static inline void keep_verify(struct keep *k)
{
    struct mst_verify_opts v = {.id = k->res.id};
    struct mst_verify_result r;
    struct mst_err err = {0};

    assert_ok(mst_verify_run(&k->catalog, &v, NULL, &r, &err), &err);
}

/* How the newest backup is listed; -1 when there is none. */
static inline int keep_listed(struct keep *k, struct mst_backup *out)
{
    struct mst_catalog c = k->catalog;
    struct mst_backup *all;
    struct mst_err err = {0};
    size_t n;
    int state = -1;

    c.store = k->store;
    assert_ok(mst_catalog_list(&c, NULL, &all, &n, &err), &err);
    if (n) {
        state = (int)all[0].state;
        if (out) {
            *out = all[0];
        }
    }
    free(all);
    return state;
}

struct keep_find {
    const char *db, *coll;
    struct mst_man_ns ns;
    bool found;
};

static inline enum mst_rc keep_match(void *arg, const struct mst_man_ns *ns, struct mst_err *err)
{
    struct keep_find *f = arg;

    (void)err;
    if (strcmp(ns->db, f->db) == 0 && strcmp(ns->coll, f->coll) == 0) {
        f->ns = *ns; /* pointers are gone after this; numbers stay */
        f->found = true;
    }
    return MST_OK;
}

/* The manifest's record of a namespace: its numbers. */
static inline bool keep_ns(struct keep *k, const char *db, const char *coll, struct mst_man_ns *out)
{
    struct keep_find f = {.db = db, .coll = coll};
    struct mst_bkr *r;
    struct mst_err err = {0};

    assert_ok(mst_bkr_open(&k->catalog, k->res.id, NULL, &r, &err), &err);
    assert_ok(mst_bkr_each_ns(r, keep_match, &f, NULL, &err), &err);
    mst_bkr_free(r);
    *out = f.ns;
    return f.found;
}

#endif
