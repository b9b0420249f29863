/* The job of a rebuild: the listing anew, from the objects of every backup. */
#include "catalog/rebuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "engine/acts.h"
#include "engine/depot.h"
#include "engine/seals.h"

static enum mst_rc look_at_all(struct local *l, const struct mst_catalog *cat,
                               struct mst_bucket_part *p, struct mst_task *task,
                               struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    atomic_store(&task->items_total, p->n);
    for (size_t i = 0; rc == MST_OK && i < p->n; i++) {
        bool unmarked = false;

        mst_task_phase(task, "%zu of %zu: %s", i + 1, p->n, p->backups[i].id);
        rc = mst_task_check(task, err);
        rc =
            rc == MST_OK ? mst_rebuild_look(cat, &p->backups[i], l->who, task, &unmarked, err) : rc;
        if (unmarked) {
            mst_task_log(task, "%s is damaged, and that could not be written into the store",
                         p->backups[i].id);
        }
        atomic_fetch_add(&task->items_done, 1);
    }
    return rc;
}

static size_t count(const struct mst_bucket_part *p, enum mst_change_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_changes; i++) {
        n += p->changes[i].kind == kind;
    }
    return n;
}

/* One sentence; MST_E_INTEGRITY when it names damage. */
static enum mst_rc conclude(const struct mst_catalog *cat, const struct mst_bucket_part *p,
                            char *text, size_t size, struct mst_err *err)
{
    const struct mst_backup *first = NULL;
    char against[160] = "; no listing was cached before", day[MST_TIME_MAX];
    size_t bad = 0, forged = 0;

    for (size_t i = 0; i < p->n; i++) {
        const bool is_forged = p->backups[i].state == MST_BK_FORGED;
        const bool is_bad = p->backups[i].state == MST_BK_DAMAGED || is_forged;

        bad += is_bad;
        forged += is_forged;
        first = !first && is_bad ? &p->backups[i] : first;
    }
    if (p->compared_wall_ms) {
        (void)snprintf(against, sizeof(against),
                       "; against the listing of %s: %zu appeared, %zu vanished, %zu changed",
                       mst_time_iso(p->compared_wall_ms, day), count(p, MST_CHANGE_APPEARED),
                       count(p, MST_CHANGE_VANISHED), count(p, MST_CHANGE_STATE));
    }
    if (first) {
        (void)snprintf(text, size,
                       "%zu of %zu %s of %.64s %s damaged%s, the newest is %s: %.150s%s", bad, p->n,
                       mst_text_noun(p->n, "backup", "backups"), cat->set, bad == 1 ? "is" : "are",
                       forged ? " or forged" : "", first->id, first->problem, against);
        return mst_err_set(err, MST_E_INTEGRITY, "%s", text);
    }
    if (p->n == 0) {
        (void)snprintf(text, size, "the store %.64s holds no backup of %.64s%s", p->store, cat->set,
                       against);
    } else {
        (void)snprintf(text, size, "%zu %s of %.64s read from the store, none is damaged%s", p->n,
                       mst_text_noun(p->n, "backup", "backups"), cat->set, against);
    }
    return MST_OK;
}

/* The part that is shown when all went well. */
static void compare(struct depot *d, const struct mst_catalog *cat, struct mst_bucket_part *p)
{
    struct mst_cached before;

    mst_bucket_before(d, cat->set, &before);
    p->rebuilt_wall_ms = p->as_of_wall_ms;
    p->compared_wall_ms = before.read_wall_ms;
    if (before.read_wall_ms) {
        mst_rebuild_compare(before.backups, before.n, p->backups, p->n, &p->changes, &p->n_changes);
    } else {
        p->changes = mst_xcalloc(1, sizeof(p->changes[0]));
    }
    mst_cached_release(&before);
}

static enum mst_rc rebuild_one(struct local *l, struct depot *d, char *text, size_t size,
                               struct mst_task *task, struct mst_err *err)
{
    struct mst_bucket_part *p = mst_bucket_part_of(d);
    struct mst_catalog cat;
    struct seals seals = {0};
    enum mst_rc rc;

    mst_task_phase(task, "listing the store %s", d->cfg->name);
    rc = mst_depot_catalog(d, &cat, err);
    if (rc == MST_OK) {
        rc = mst_store_space(cat.store, &p->free_bytes, &p->total_bytes, err);
    }
    p->as_of_wall_ms = mst_clock_utc_ms(NULL);
    if (rc == MST_OK) {
        rc = mst_catalog_list(&cat, task, &p->backups, &p->n, err);
    }
    rc = rc == MST_OK ? mst_seals_sign(l, &cat, &seals, err) : rc;
    if (rc == MST_OK) {
        rc = look_at_all(l, &cat, p, task, err);
    }
    mst_seals_release(&seals);
    if (rc != MST_OK) {
        mst_shared_unref(&p->shared);
        return rc;
    }
    compare(d, &cat, p);
    rc = conclude(&cat, p, text, size, err);
    mst_mutex_lock(&l->mtx);
    d->rebuilds++;
    mst_mutex_unlock(&l->mtx);
    mst_bucket_read_take(d, &cat, p);
    return rc;
}

/* Every store, or the one that is named; one that cannot be read is said, and does not hold up the
 * others. */
enum mst_rc mst_run_rebuild(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct local *l = r->l;
    struct mst_str text = {0};
    struct depot *only = NULL;
    enum mst_rc rc = MST_OK;

    if (l->n_depots == 0 || r->cmd.store[0]) {
        rc = mst_depot_named(l, r->cmd.store, &only, err);
    }
    for (size_t i = 0; i < l->n_depots && (rc == MST_OK || !only) && rc != MST_E_CANCELLED; i++) {
        struct depot *d = &l->depots[i];
        struct mst_err one = {0};
        char say[512] = "";
        enum mst_rc got;

        if (only && only != d) {
            continue;
        }
        got = rebuild_one(l, d, say, sizeof(say), task, &one);
        if (got != MST_OK && (rc == MST_OK || got == MST_E_CANCELLED)) {
            rc = got;
            *err = one;
        }
        if (l->n_depots > 1) {
            mst_task_log(task, "%s: %.180s", d->cfg->name, say[0] ? say : one.msg);
        }
        if (say[0] || l->n_depots > 1) {
            mst_str_addf(&text, "%s%s%s%s", text.len ? "; " : "",
                         l->n_depots > 1 ? d->cfg->name : "", l->n_depots > 1 ? ": " : "",
                         say[0] ? say : one.msg);
        }
    }
    if (text.len) {
        mst_jobq_result(l->jobq, mst_jobq_current(), NULL, mst_str_c(&text));
    }
    mst_str_release(&text);
    return rc;
}
