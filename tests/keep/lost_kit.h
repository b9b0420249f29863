/* lost_kit.h: a restore whose primary goes away at a named point, in five ways. */
#ifndef MST_TEST_LOST_KIT_H
#define MST_TEST_LOST_KIT_H

#include "keep_kit.h"

enum lost_how {
    LOST_KILLED,    /* the process ends: connections break */
    LOST_STEPDOWN,  /* another member takes over, connections stay */
    LOST_PAUSED,    /* stands still until another was elected, then goes on */
    LOST_PARTED,    /* the others do not reach it, its clients do */
    LOST_REELECTED, /* steps down and is primary again, of a later election */
    LOST_DISK_FULL, /* what needs room is refused */
    LOST_DISK_ENDS, /* the next write ends the process */
    LOST_CANCELLED  /* somebody asks the restore to stop */
};

static const char *const lost_words[] = {"killed",    "stepdown",  "paused",    "parted",
                                         "reelected", "disk full", "disk ends", "cancelled"};

struct lost {
    struct keep *k;
    const char *point;
    enum lost_how how;
    int after; /* so many times it goes by */
    bool hit;
    int victim;
};

static inline bool lost_has_other(struct sbx_world *w, void *arg)
{
    const struct lost *l = arg;

    for (size_t i = 0; i < w->n; i++) {
        if ((int)i != l->victim && w->members[i].alive && w->members[i].writable) {
            return true;
        }
    }
    return false;
}

static inline void lost_ctl(struct lost *l, const char *verb)
{
    char n[16];

    (void)snprintf(n, sizeof n, "%d", l->victim);
    kit_ctl(&l->k->kit, verb, n, NULL);
}

static inline void lost_await_other(struct lost *l)
{
    MST_ASSERT(sbx_world_wait(l->k->kit.w, lost_has_other, l, 20000));
}

static inline void lost_ask(struct lost *l, int member, const char *json)
{
    bson_t reply;

    (void)kit_run(&l->k->kit, member, "admin", &reply, json);
    bson_destroy(&reply);
}

static inline void lost_step_up(struct lost *l)
{
    for (int i = 0; i < 20 && keep_primary(l->k) != l->victim; i++) {
        lost_ask(l, l->victim, "{'replSetFreeze': 0}");
        lost_ask(l, l->victim, "{'replSetStepUp': 1}");
        (void)kit_wait_state(&l->k->kit, l->victim, SBX_PRIMARY, 1000);
    }
    MST_ASSERT(keep_primary(l->k) == l->victim);
}

static inline void lost_disk(struct lost *l, const char *how)
{
    char n[16];

    (void)snprintf(n, sizeof n, "%d", l->victim);
    kit_ctl(&l->k->kit, "disk", n, how);
}

/* Called at each point of the restore, on its thread. */
static inline enum mst_rc lost_at(void *arg, const char *point, struct mst_err *err)
{
    struct lost *l = arg;

    (void)err;
    if (l->hit || strcmp(point, l->point) != 0 || l->after-- > 0) {
        return MST_OK;
    }
    l->hit = true;
    switch (l->how) {
    case LOST_KILLED:
        lost_ctl(l, "kill");
        break;
    case LOST_STEPDOWN:
        lost_ask(l, l->victim, "{'replSetStepDown': 60, 'secondaryCatchUpPeriodSecs': 10}");
        lost_await_other(l);
        break;
    case LOST_PAUSED:
        lost_ctl(l, "stop");
        lost_await_other(l);
        lost_ctl(l, "cont");
        break;
    case LOST_PARTED:
        lost_ctl(l, "partition");
        break;
    case LOST_REELECTED:
        lost_ask(l, l->victim, "{'replSetStepDown': 2, 'secondaryCatchUpPeriodSecs': 1}");
        lost_await_other(l);
        lost_step_up(l);
        break;
    case LOST_DISK_FULL:
    case LOST_DISK_ENDS:
        lost_disk(l, l->how == LOST_DISK_FULL ? "full" : "crash");
        break;
    case LOST_CANCELLED:
        mst_task_cancel(&l->k->task);
        break;
    }
    return MST_OK;
}

static inline bool lost_is_whole(struct sbx_world *w, void *arg)
{
    struct mst_optime op = {{0, 0}, -1};
    int primaries = 0;

    (void)arg;
    for (size_t i = 0; i < w->n; i++) {
        const struct sbx_member *m = &w->members[i];

        if (!m->alive || (m->state != SBX_PRIMARY && m->state != SBX_SECONDARY)) {
            return false;
        }
        primaries += m->writable;
        op = m->writable ? m->applied.op : op;
    }
    for (size_t i = 0; i < w->n; i++) {
        if (mst_optime_cmp(w->members[i].applied.op, op) != 0) {
            return false;
        }
    }
    return primaries == 1;
}

/* The member is back, one is primary, all have the same. */
static inline void lost_heal(struct lost *l)
{
    kit_ctl(&l->k->kit, "heal", NULL, NULL);
    lost_disk(l, "ok");
    if (!l->k->kit.w->members[l->victim].alive) {
        lost_ctl(l, "start");
    }
    assert_true(sbx_world_wait(l->k->kit.w, lost_is_whole, NULL, 60000));
    keep_topo(l->k);
    for (int i = 0; i < 3; i++) { /* who stepped down may stand again */
        if (i != l->k->topo.primary) {
            lost_ask(l, i, "{'replSetFreeze': 0}");
        }
    }
}

/* ---- a set with two collections and a view, and a backup with a window ---- */

#define LOST_DOCS 1500 /* more than one batch of a load */

static inline void lost_insert(struct keep *k, const char *coll, int from, int n)
{
    for (int i = from; i < from + n; i += 500) {
        struct mst_str s = {0};

        mst_str_addf(&s, "{'insert': '%s', 'documents': [", coll);
        for (int j = i; j < i + 500 && j < from + n; j++) {
            mst_str_addf(&s, "%s{'_id': %d, 'v': %d}", j > i ? ", " : "", j, j % 13);
        }
        mst_str_add(&s, "], 'writeConcern': {'w': 3}}");
        keep_do(k, "shop", mst_str_c(&s));
        mst_str_release(&s);
    }
}

static inline void lost_write_at_scan(void *arg, const char *point)
{
    struct keep *k = arg;

    if (strcmp(point, "scan") == 0) {
        lost_insert(k, "orders", LOST_DOCS, 20);
    }
}

static inline void lost_begin(struct keep *k, struct mst_backup_result *b)
{
    struct mst_backup_opts o;
    struct mst_err err = {0};

    keep_start(k, (struct sbx_opts){.server = "4.2", .seed = 3});
    k->quiet = true;
    keep_do(k, "shop",
            "{'createIndexes': 'orders', 'indexes': [{'key': {'v': 1}, 'name': 'v_1'}]}");
    lost_insert(k, "orders", 0, LOST_DOCS);
    lost_insert(k, "people", 0, 30);
    keep_do(k, "shop", "{'create': 'few', 'viewOn': 'orders', 'pipeline': [{'$match': {'v': 1}}]}");
    keep_backup_opts(k, &o);
    o.at = lost_write_at_scan;
    o.at_arg = k;
    assert_ok(mst_backup_run(&o, &k->task, b, &err), &err);
    assert_true(b->committed);
}

/* What is live afterwards is not what the backup has. */
static inline void lost_make_old(struct keep *k)
{
    keep_do(k, "shop",
            "{'delete': 'orders', 'deletes': [{'q': {'_id': {'$gte': 100}}, 'limit': 0}]}");
    keep_do(k, "shop",
            "{'delete': 'people', 'deletes': [{'q': {'_id': 7}, 'limit': 1}], "
            "'writeConcern': {'w': 3}}");
}

static inline void lost_wholly(struct keep *k, bool new)
{
    assert_int_equal(keep_count(k, "shop", "orders"), new ? LOST_DOCS + 20 : 100);
    assert_int_equal(keep_count(k, "shop", "people"), new ? 30 : 29);
}

/* Who comes back as a secondary may find first that it has to roll back, and then it closes its
 * connections: of the two, either is what happened. */
static inline bool lost_may_close(const struct lost *l, enum mst_rc rc)
{
    return l->how == LOST_KILLED ||
           (rc == MST_E_NET && (l->how == LOST_PAUSED || l->how == LOST_PARTED));
}

/* A restore that loses its primary. */
static inline enum mst_rc lost_restore(struct lost *l, const char *backup,
                                       struct mst_restore_result *res, struct mst_err *err)
{
    struct mst_restore_opts o;
    struct mst_restore_source *s = keep_source(l->k, backup);
    enum mst_rc rc;

    keep_restore_opts(l->k, &o);
    o.at = lost_at;
    o.at_arg = l;
    o.majority_ms = 3000;
    l->victim = l->k->topo.primary;
    memset(err, 0, sizeof *err);
    rc = keep_restore(l->k, &o, s, res, err);
    mst_restore_source_free(s);
    return rc;
}

#endif
