/* keep_kit.h: a simulated set, a store in a temporary folder, and short words for backing up and
 * restoring. */
#ifndef MST_TEST_KEEP_KIT_H
#define MST_TEST_KEEP_KIT_H

#include <ftw.h>
#include <string.h>
#include <unistd.h>

#include "sandbox_kit.h"

#include "backup/backup.h"
#include "base/file.h"
#include "restore/restore.h"
#include "store/store.h"

struct keep {
    struct kit kit;
    char names[3][MST_HOST_MAX];
    char primary[MST_HOST_MAX];
    struct mst_topo_view topo;
    struct mst_topo_member members[3];
    char dir[64];
    struct mst_store *store;
    struct mst_catalog catalog;
    struct mst_restore_journal_file *jf;
    struct mst_restore_journal journal;
    struct mst_task task;
    bool quiet;
};

static inline enum mst_rc keep_connect(void *arg, const char *member, const char *app,
                                       struct mst_task *task, struct mst_conn **out,
                                       struct mst_err *err)
{
    struct mst_conn_opts o = {.check_me = true, .connect_ms = 5000, .app = app, .task = task};

    (void)arg;
    (void)mst_copy(o.name, sizeof o.name, member);
    return mst_conn_open(&o, out, err);
}

static inline void keep_log(void *arg, const char *line)
{
    const struct keep *k = arg;

    if (!k->quiet) {
        print_message("    %s\n", line);
    }
}

/* Who is what now. */
static inline void keep_topo(struct keep *k)
{
    const int primary = sbx_world_primary(k->kit.w);

    assert_true(primary >= 0);
    memset(&k->topo, 0, sizeof k->topo);
    memset(k->members, 0, sizeof k->members);
    k->topo.n = 3;
    k->topo.members = k->members;
    k->topo.primary = primary;
    k->topo.votes_total = k->topo.votes_up = 3;
    k->topo.votes_needed = 2;
    k->topo.now_mono_ms = mst_clock_mono_ms(NULL);
    k->topo.now_wall_ms = mst_clock_utc_ms(NULL);
    k->topo.set_name_known = true;
    k->topo.verdict = MST_V_HEALTHY;
    (void)mst_copy(k->topo.set_name, sizeof k->topo.set_name, "rs0");
    for (int i = 0; i < 3; i++) {
        struct mst_topo_member *m = &k->members[i];

        (void)snprintf(k->names[i], sizeof k->names[i], "127.0.0.1:%d",
                       sbx_world_port(k->kit.w, (size_t)i));
        (void)mst_copy(m->name, sizeof m->name, k->names[i]);
        (void)mst_copy(m->dial, sizeof m->dial, k->names[i]);
        m->id = i;
        m->configured = m->builds_indexes = true;
        m->priority = 1;
        m->votes = 1;
        m->reach = MST_REACH_OK;
        m->hello_at_ms = m->status_at_ms = m->stats_at_ms = k->topo.now_mono_ms;
        m->shown = i == primary ? MST_SHOW_PRIMARY : MST_SHOW_SECONDARY;
        m->state = i == primary ? MST_MS_PRIMARY : MST_MS_SECONDARY;
        m->writable = i == primary;
        m->secondary = i != primary;
    }
    (void)mst_copy(k->primary, sizeof k->primary, k->names[primary]);
}

static inline void keep_start(struct keep *k, struct sbx_opts o)
{
    struct mst_err err = {0};
    char *path;

    memset(k, 0, sizeof *k);
    o.fast = true;
    kit_start(&k->kit, o);
    keep_topo(k);
    (void)mst_copy(k->dir, sizeof k->dir, "/tmp/mst-keep-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    assert_ok(mst_store_local_open("test", k->dir, true, &k->store, &err), &err);
    assert_ok(mst_catalog_init(&k->catalog, k->store, "", "rs0", &err), &err);
    path = mst_xasprintf("%s/journal", k->dir);
    assert_ok(mst_restore_journal_file_open(path, &k->jf, &k->journal, &err), &err);
    free(path);
    assert_ok(mst_task_init(&k->task, &err), &err);
    k->task.log = keep_log;
    k->task.log_arg = k;
}

static inline int keep_remove(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)flag;
    (void)f;
    return remove(path);
}

static inline void keep_stop(struct keep *k)
{
    mst_restore_journal_file_close(k->jf);
    mst_store_free(k->store);
    mst_task_release(&k->task);
    kit_stop(&k->kit);
    (void)nftw(k->dir, keep_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int keep_primary(struct keep *k)
{
    return sbx_world_primary(k->kit.w);
}

/* A command on the primary that must succeed. */
static inline void keep_do(struct keep *k, const char *db, const char *json)
{
    bson_t reply;
    const int code = kit_run(&k->kit, keep_primary(k), db, &reply, json);

    if (code != 0) {
        char *text = bson_as_relaxed_extended_json(&reply, NULL);

        fail_msg("%s: %s", json, text);
    }
    bson_destroy(&reply);
}

/* {collection: md5} of a database; the caller destroys it. */
static inline bson_t *keep_dbhash(struct keep *k, const char *db)
{
    bson_t reply, part;
    bson_t *out;

    assert_int_equal(kit_run(&k->kit, keep_primary(k), db, &reply, "{'dbHash': 1}"), 0);
    assert_true(mst_bson_doc(&reply, "collections", &part));
    out = bson_copy(&part);
    bson_destroy(&reply);
    return out;
}

static inline void keep_backup_opts(struct keep *k, struct mst_backup_opts *o)
{
    keep_topo(k);
    memset(o, 0, sizeof *o);
    o->catalog = &k->catalog;
    o->connect = keep_connect;
    o->connect_arg = k;
    o->topo = &k->topo;
    o->muster = "test";
    o->scratch_dir = k->dir;
}

static inline void keep_backup(struct keep *k, struct mst_backup_result *res)
{
    struct mst_backup_opts o;
    struct mst_err err = {0};

    keep_backup_opts(k, &o);
    assert_ok(mst_backup_run(&o, &k->task, res, &err), &err);
    assert_true(res->committed);
}

static inline void keep_restore_opts(struct keep *k, struct mst_restore_opts *o)
{
    keep_topo(k);
    memset(o, 0, sizeof *o);
    o->connect = keep_connect;
    o->connect_arg = k;
    o->primary = k->primary;
    o->journal = &k->journal;
    o->allow_unproven = true;
    o->spill_dir = k->dir;
}

static inline struct mst_restore_source *keep_source(struct keep *k, const char *id)
{
    struct mst_restore_source *s = NULL;
    struct mst_err err = {0};

    assert_ok(mst_restore_source_backup(&k->catalog, id, &k->task, &s, &err), &err);
    return s;
}

/* Plan and run; the plan must not be refused. */
static inline enum mst_rc keep_restore(struct keep *k, const struct mst_restore_opts *o,
                                       struct mst_restore_source *s, struct mst_restore_result *res,
                                       struct mst_err *err)
{
    struct mst_restore_plan *p = NULL;
    enum mst_rc rc = mst_restore_prepare(o, s, &k->task, &p, err);

    memset(res, 0, sizeof *res);
    if (rc == MST_OK && p->refused) {
        for (size_t i = 0; i < p->n_rules; i++) {
            if (p->rules[i].result == MST_RR_REFUSE) {
                fail_msg("refused: %s: %s", p->rules[i].name, p->rules[i].text);
            }
        }
    }
    if (rc == MST_OK) {
        rc = mst_restore_run(o, s, p, &k->task, res, err);
    }
    mst_restore_plan_free(p);
    return rc;
}

static inline const struct mst_restore_outcome *keep_outcome(const struct mst_restore_result *res,
                                                             const char *coll)
{
    for (size_t i = 0; i < res->n; i++) {
        if (strcmp(res->outcomes[i].coll, coll) == 0) {
            return &res->outcomes[i];
        }
    }
    fail_msg("no outcome for %s", coll);
    return NULL;
}

static inline int keep_name_cmp(const void *a, const void *b)
{
    char x[256], y[256];

    (void)mst_bson_text(*(bson_t *const *)a, "name", x, sizeof x);
    (void)mst_bson_text(*(bson_t *const *)b, "name", y, sizeof y);
    return strcmp(x, y);
}

/* The documents of an array in order of their names; at most 64 of them. */
static inline void keep_by_name(const bson_t *array, bson_t *out)
{
    bson_t *all[64];
    size_t n = 0, i;
    bson_iter_t it;

    assert_true(bson_iter_init(&it, array));
    while (bson_iter_next(&it)) {
        uint32_t len = 0;
        const uint8_t *b = NULL;

        bson_iter_document(&it, &len, &b);
        assert_true(n < 64);
        all[n++] = bson_new_from_data(b, len);
    }
    qsort(all, n, sizeof *all, keep_name_cmp);
    bson_init(out);
    for (i = 0; i < n; i++) {
        char key[24];

        (void)snprintf(key, sizeof key, "%zu", i);
        BSON_APPEND_DOCUMENT(out, key, all[i]);
        bson_destroy(all[i]);
    }
}

/* Is there a collection of this name; how many documents? -1 absent. */
static inline int64_t keep_count(struct keep *k, const char *db, const char *coll)
{
    bson_t reply;
    char *json = mst_xasprintf("{'listCollections': 1, 'filter': {'name': '%s'}}", coll);
    bson_t batch;
    int64_t n = -1;

    assert_int_equal(kit_run(&k->kit, keep_primary(k), db, &reply, json), 0);
    free(json);
    if (mst_bson_doc(&reply, "cursor.firstBatch.0", &batch)) {
        bson_destroy(&reply);
        json = mst_xasprintf("{'count': '%s'}", coll);
        assert_int_equal(kit_run(&k->kit, keep_primary(k), db, &reply, json), 0);
        free(json);
        n = kit_int(&reply, "n");
    }
    bson_destroy(&reply);
    return n;
}

static inline size_t keep_leavings(struct keep *k, bool old, char run[MST_RUN_HEX])
{
    struct mst_restore_opts o;
    struct mst_leaving *l = NULL;
    struct mst_err err = {0};
    size_t n = 0, found = 0;

    keep_restore_opts(k, &o);
    assert_ok(mst_restore_leavings(&o, &k->task, &l, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        if (l[i].old == old) {
            found++;
            if (run) {
                memcpy(run, l[i].run, MST_RUN_HEX);
            }
        }
    }
    free(l);
    return found;
}

#endif
