/* The job of a backup. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/backup.h"
#include "base/mem.h"
#include "engine/acts.h"
#include "engine/copies.h"
#include "engine/locks.h"
#include "engine/region.h"
#include "engine/seals.h"

#ifndef MST_VERSION
#define MST_VERSION "0.1.0"
#endif

/* "" takes it off. */
static void note_reading(struct local *l, uint64_t job, const char *member)
{
    struct job_source *slot = NULL;

    mst_mutex_lock(&l->mtx);
    for (size_t i = 0; i < MST_READING; i++) {
        if (l->reading[i].job == job || (!slot && l->reading[i].job == 0)) {
            slot = &l->reading[i];
        }
    }
    if (slot) {
        slot->job = *member ? job : 0;
        (void)mst_copy(slot->member, sizeof(slot->member), member);
    }
    mst_mutex_unlock(&l->mtx);
}

static void on_source(void *arg, const char *member)
{
    note_reading(arg, mst_jobq_current(), member);
}

struct several { /* for mst_copies_before */
    struct copies *copies;
    const struct mst_catalog *cat;
};

static enum mst_rc before_in_each(void *arg, const char *id, struct mst_commit *c,
                                  struct mst_err *err)
{
    const struct several *s = arg;

    return mst_copies_before(s->copies, s->cat, id, c, err);
}

/* copies NULL: into one store. */
static enum mst_rc run(struct mst_run *r, struct mst_catalog *cat, struct copies *copies,
                       struct mst_backup_result *res, struct mst_task *task, struct mst_err *err)
{
    struct several several = {copies, cat};
    struct local *l = r->l;
    struct mst_monitor_view *topo;
    const char *include[MST_CMD_PATTERNS], *exclude[MST_CMD_PATTERNS];
    struct mst_backup_opts o = {
        .catalog = cat,
        .connect = mst_reach_connect,
        .connect_arg = r->reach,
        .scans = r->cmd.scans ? r->cmd.scans : (unsigned)l->cfg->backup.scans,
        .rate_bps = r->cmd.rate_bps ? r->cmd.rate_bps : (uint64_t)l->cfg->backup.rate_bytes_per_s,
        .lag_pause_ms = l->cfg->backup.lag_pause_ms,
        .n_include = r->cmd.n_include,
        .include = include,
        .n_exclude = r->cmd.n_exclude,
        .exclude = exclude,
        .scratch_dir = l->dir,
        .at = mst_fault_at,
        .given_ms = &l->backup_given_ms,
        .on_source = on_source,
        .on_source_arg = l,
        .muster = MST_VERSION};
    struct seals seals = {0};
    enum mst_rc rc = mst_seals_open(l, cat, &seals, err);

    if (rc != MST_OK) {
        mst_seals_release(&seals);
        return rc;
    }
    o.readers = seals.sealed ? &seals.readers : NULL;
    if (copies) {
        o.before = before_in_each;
        o.before_arg = &several;
    } else {
        o.counter_seen = mst_seal_seen(l, cat->set, mst_store_name(cat->store));
    }
    for (size_t i = 0; i < MST_CMD_PATTERNS; i++) {
        include[i] = r->cmd.include[i];
        exclude[i] = r->cmd.exclude[i];
    }
    (void)mst_copy(o.wish.name, sizeof(o.wish.name), r->cmd.source);
    o.wish.from_primary = r->cmd.from_primary;
    o.wish.lag_max_ms = l->cfg->backup.lag_limit_ms;
    topo = mst_local_topo(l);
    o.topo = &topo->v;
    rc = mst_backup_run(&o, task, res, err);
    mst_seals_release(&seals);
    note_reading(l, mst_jobq_current(), "");
    mst_shared_unref(&topo->shared);
    return rc;
}

struct hears {
    struct local *l;
    struct mst_task *task;
};

static void warn(void *arg, const char *text)
{
    const struct hears *h = arg;

    mst_say(h->l, MST_SEV_WARN, "%s", text);
    mst_task_log(h->task, "WARNING: %s", text);
}

/* Into several stores at once: good when as many copies as are wanted are whole. */
static enum mst_rc run_copies(struct mst_run *r, const size_t *targets, size_t n,
                              struct mst_task *task, struct mst_err *err)
{
    struct local *l = r->l;
    struct mst_backup_result res = {0};
    struct mst_catalog cat;
    struct copies c;
    struct hears hears = {l, task};
    char told[600] = "", text[512];
    size_t whole = 0;
    enum mst_rc rc = mst_copies_open(&c, l, targets, n, task, err);

    rc = rc == MST_OK ? mst_store_catalog(l, c.tee, &cat, err) : rc;
    if (rc != MST_OK) {
        mst_copies_close(&c);
        return rc;
    }
    rc = run(r, &cat, &c, &res, task, err);
    if (rc == MST_OK) {
        mst_copies_settle(&c, res.id);
        whole = mst_copies_tell(&c, told, sizeof(told)); /* none is whole of one that failed */
        mst_copies_other_sets(&c, &cat, res.id, res.set_id, warn, &hears);
    }
    (void)snprintf(text, sizeof(text), "%.200s; %.305s", res.text, told);
    if (rc == MST_OK && whole < (size_t)l->cfg->backup.copies) {
        rc = mst_err_set(err, MST_E_INCOMPLETE, "%s, of %s; %lld are wanted", told, res.id,
                         (long long)l->cfg->backup.copies);
        (void)snprintf(text, sizeof(text), "%s", err->msg);
    } else if (rc == MST_OK && whole < n) {
        mst_say(l, MST_SEV_WARN, "backup %s: %.180s", res.id, told);
    }
    mst_jobq_result(l->jobq, mst_jobq_current(), res.id[0] ? res.id : NULL,
                    rc == MST_OK || rc == MST_E_INCOMPLETE ? text : NULL);
    mst_copies_close(&c);
    return rc;
}

enum mst_rc mst_run_backup(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct local *l = r->l;
    struct mst_backup_result res = {0};
    struct mst_catalog cat;
    char text[400], locked[80] = "";
    size_t targets[MST_CFG_STORES], n = 0;
    struct mst_err ignore = {0};
    char other[MST_OTHER_SET];
    enum mst_rc rc = r->cmd.store[0] ? MST_OK : mst_cfg_targets(l->cfg, targets, &n, err);

    if (rc == MST_OK && n > 1) {
        return run_copies(r, targets, n, task, err);
    }
    rc = rc == MST_OK ? mst_local_catalog(l, r->cmd.store, &cat, err) : rc;
    rc = rc == MST_OK ? mst_region_store_ok(l->cfg, mst_store_name(cat.store), err) : rc;
    rc = rc == MST_OK ? mst_seal_store_ok(l, mst_seal_wanted(l->cfg), cat.store, err) : rc;
    if (rc != MST_OK) {
        return rc;
    }
    rc = run(r, &cat, NULL, &res, task, err);
    if (rc == MST_OK &&
        mst_copies_other_set(&cat, res.id, res.has_before ? &res.before : NULL, res.set_id, other,
                             &ignore) == MST_OK &&
        other[0]) {
        warn(&(struct hears){l, task}, other);
    }
    if (rc == MST_OK) {
        rc = mst_lock_settle(&cat, res.id, true, task, locked, sizeof(locked), err);
    }
    (void)snprintf(text, sizeof(text), "%.300s%s%s", res.text, locked[0] ? ", " : "", locked);
    mst_jobq_result(l->jobq, mst_jobq_current(), res.id[0] ? res.id : NULL,
                    rc == MST_OK ? text : NULL);
    return rc;
}
