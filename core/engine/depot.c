#include "engine/depot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/acts.h"
#include "log/log.h"
#include "store/open.h"

#define ASKS_MAX 32
#define LOOK_MS 6000   /* a listing that others wait for */
#define LONG_MS 120000 /* the longest that anybody waits for a listing */
#define END_MS 3000    /* a thread that is to end */
#define STEP_MS 20

/* --- opening ---------------------------------------------------------------------------------- */

enum mst_rc mst_depot_named(struct local *l, const char *name, struct depot **out,
                            struct mst_err *err)
{
    const struct mst_cfg_store *c;

    if (!*name && l->n_depots > 0) {
        *out = &l->depots[l->home];
        return MST_OK;
    }
    if (mst_cfg_store(l->cfg, name, &c, err) != MST_OK) {
        return err->rc;
    }
    *out = &l->depots[c - l->cfg->stores];
    return MST_OK;
}

static struct mst_store *opened(struct depot *d)
{
    struct mst_store *s;

    mst_mutex_lock(&d->l->mtx);
    s = d->store;
    mst_mutex_unlock(&d->l->mtx);
    return s;
}

enum mst_rc mst_depot_open(struct depot *d, struct mst_store **out, struct mst_err *err)
{
    struct mst_store *fresh = NULL;
    enum mst_rc rc;

    *out = opened(d);
    if (*out) {
        return MST_OK;
    }
    rc = mst_store_open(d->cfg, !d->l->cfg->read_only, &fresh, err);
    if (rc != MST_OK) {
        return rc;
    }
    mst_mutex_lock(&d->l->mtx);
    if (!d->store) {
        d->store = fresh;
        fresh = NULL;
    }
    *out = d->store;
    mst_mutex_unlock(&d->l->mtx);
    mst_store_free(fresh); /* another thread was quicker */
    return MST_OK;
}

/* A listing that gets on is waited for, one that stands still is not. */
static bool patient(struct depot *d, int64_t start, int64_t ms)
{
    const int64_t now = mst_clock_mono_ms(NULL), moved = atomic_load(&d->moved_ms);

    return now < (moved > start ? moved : start) + ms && now < start + LONG_MS;
}

static int64_t read_at(struct depot *d, struct mst_err *why)
{
    int64_t at;

    mst_mutex_lock(&d->l->mtx);
    at = d->part->read_at_ms;
    if (why && d->part->problem[0]) {
        (void)mst_err_set(why, (enum mst_rc)d->part->problem_rc, "%s", d->part->problem);
    }
    mst_mutex_unlock(&d->l->mtx);
    return at;
}

/* Until the store is open, or (read) was listed anew; it may take as long as it gets on. */
static enum mst_rc await(struct depot *d, bool read, int64_t ms, struct mst_task *task,
                         struct mst_err *err)
{
    const int64_t start = mst_clock_mono_ms(NULL);
    struct ask *a = mst_xcalloc(1, sizeof(*a));

    a->kind = ASK_BUCKET;
    if (mst_depot_ask_take(d, a, err) != MST_OK) {
        return err->rc;
    }
    while (read_at(d, NULL) < start && (read || !opened(d)) && patient(d, start, ms)) {
        if (!mst_task_sleep_ms(task, STEP_MS)) {
            return mst_task_check(task, err);
        }
    }
    return read_at(d, NULL) >= start || (!read && opened(d))
               ? MST_OK
               : mst_err_set(err, MST_E_TIMEOUT, "the store %s does not answer", d->cfg->name);
}

enum mst_rc mst_depot_open_soon(struct depot *d, int64_t ms, struct mst_task *task,
                                struct mst_store **out, struct mst_err *err)
{
    *out = opened(d);
    if (*out) {
        return MST_OK;
    }
    if (await(d, false, ms, task, err) != MST_OK) {
        return err->rc;
    }
    *out = opened(d);
    if (!*out) {
        (void)read_at(d, err);
        return err->rc ? err->rc
                       : mst_err_set(err, MST_E_IO, "the store %s is not open", d->cfg->name);
    }
    return MST_OK;
}

enum mst_rc mst_depot_read_soon(struct depot *d, int64_t ms, struct mst_task *task,
                                struct mst_err *err)
{
    if (await(d, true, ms, task, err) == MST_OK) {
        (void)read_at(d, err);
    }
    return err->rc;
}

/* --- threads ---------------------------------------------------------------------------------- */

static void answer(struct depot *d, struct ask *a)
{
    if (a->kind == ASK_BUCKET) {
        atomic_store(&d->listing_asked, false);
        mst_bucket_list(d);
    } else if (a->kind == ASK_DETAIL) {
        mst_io_detail(d, a->id);
    } else if (a->kind == ASK_TICKET) {
        mst_io_ticket(d->l, a);
    } else if (a->kind == ASK_LOOK) {
        atomic_store(&d->look_asked, false);
        mst_look_store(d);
    }
}

static void depot_run(void *arg)
{
    struct depot *d = arg;

    while (!atomic_load(&d->l->stop)) {
        struct ask *a = mst_queue_pop(d->asks, 500);

        if (a) {
            answer(d, a);
            mst_reach_release(a->reach);
            free(a);
        }
    }
    atomic_store(&d->ended, true);
}

static void free_ask(void *msg)
{
    struct ask *a = msg;

    mst_reach_release(a->reach);
    free(a);
}

void mst_depots_init(struct local *l)
{
    size_t targets[MST_CFG_STORES], n = 0;
    struct mst_err err = {0};
    const struct mst_cfg_store *home = NULL;

    l->n_depots = l->cfg->n_stores;
    if (mst_cfg_store(l->cfg, "", &home, &l->store_err) == MST_OK) {
        l->home = (size_t)(home - l->cfg->stores);
    }
    if (mst_cfg_targets(l->cfg, targets, &n, &err) != MST_OK && l->store_err.rc == MST_OK) {
        l->store_err = err;
    }
    for (size_t i = 0; i < l->n_depots; i++) {
        struct depot *d = &l->depots[i];

        d->l = l;
        d->cfg = &l->cfg->stores[i];
        for (size_t k = 0; k < n; k++) {
            d->target = d->target || targets[k] == i;
        }
        d->asks = mst_queue_new(ASKS_MAX, free_ask);
        mst_bucket_first(d);
    }
}

enum mst_rc mst_depots_start(struct local *l, struct mst_err *err)
{
    for (size_t i = 0; i < l->n_depots; i++) {
        if (mst_thread_spawn("mst-store", depot_run, &l->depots[i], err) != MST_OK) {
            return err->rc;
        }
        l->depots[i].started = true;
    }
    return MST_OK;
}

bool mst_depots_stop(struct local *l)
{
    const int64_t end = mst_clock_mono_ms(NULL) + END_MS;
    bool all = true;

    for (size_t i = 0; i < l->n_depots; i++) {
        struct depot *d = &l->depots[i];

        if (d->asks) {
            mst_queue_close(d->asks);
        }
    }
    for (size_t i = 0; i < l->n_depots; i++) {
        struct depot *d = &l->depots[i];

        while (d->started && !atomic_load(&d->ended) && mst_clock_mono_ms(NULL) < end) {
            mst_clock_sleep_ms(STEP_MS / 4);
        }
        if ((d->started && !atomic_load(&d->ended)) || atomic_load(&d->inside) > 0) {
            mst_log(MST_LOG_WARN, "engine", "the store %s hangs: it is left as it is",
                    d->cfg->name);
            all = false;
        }
    }
    return all;
}

void mst_depots_release(struct local *l)
{
    for (size_t i = 0; i < l->n_depots; i++) {
        struct depot *d = &l->depots[i];

        mst_queue_free(d->asks);
        mst_store_free(d->store);
        mst_cached_release(&d->before);
        mst_shared_unref((struct mst_shared *)d->part);
        mst_shared_unref((struct mst_shared *)d->look);
    }
}

/* Waits already, and one answer is enough: which flag says so; NULL for other questions. */
static atomic_bool *waits(struct depot *d, const struct ask *a)
{
    return a->kind == ASK_BUCKET ? &d->listing_asked : a->kind == ASK_LOOK ? &d->look_asked : NULL;
}

enum mst_rc mst_depot_ask_take(struct depot *d, struct ask *a, struct mst_err *err)
{
    atomic_bool *once = waits(d, a);

    if (once && atomic_exchange(once, true)) {
        free(a);
        return MST_OK;
    }
    if (mst_queue_push_take(d->asks, a, err) != MST_OK) {
        if (once) {
            atomic_store(once, false);
        }
        return err->rc;
    }
    return MST_OK;
}

enum mst_rc mst_depots_list(struct local *l, struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    for (size_t i = 0; i < l->n_depots; i++) {
        struct ask *a = mst_xcalloc(1, sizeof(*a));

        a->kind = ASK_BUCKET;
        rc = mst_depot_ask_take(&l->depots[i], a, err) != MST_OK ? err->rc : rc;
    }
    return rc;
}

/* --- choosing --------------------------------------------------------------------------------- */

static bool worth_waiting(struct local *l, int64_t since)
{
    for (size_t i = 0; i < l->n_depots; i++) {
        if (read_at(&l->depots[i], NULL) < since && patient(&l->depots[i], since, LOOK_MS)) {
            return true;
        }
    }
    return false;
}

static enum mst_rc pick(struct local *l, struct mst_cmd *cmd, enum mst_want want, int64_t since,
                        char *note, size_t size, struct mst_err *err)
{
    struct mst_listed s[MST_CFG_STORES];
    char id[MST_ID_MAX];
    size_t at = 0;
    enum mst_rc rc;

    mst_mutex_lock(&l->mtx);
    for (size_t i = 0; i < l->n_depots; i++) {
        s[i].part = l->depots[i].part;
        mst_shared_ref(&l->depots[i].part->shared);
    }
    mst_mutex_unlock(&l->mtx);
    for (size_t i = 0; i < l->n_depots; i++) {
        s[i].fresh = s[i].part->read_at_ms >= since && !s[i].part->problem[0];
    }
    rc = mst_pick(s, l->n_depots, l->home, cmd->backup[0] ? cmd->backup : "latest", want, &at, id,
                  note, size, err);
    if (rc == MST_OK) {
        (void)mst_copy(cmd->store, sizeof(cmd->store), l->depots[at].cfg->name);
        (void)mst_copy(cmd->backup, sizeof(cmd->backup), id);
    }
    for (size_t i = 0; i < l->n_depots; i++) {
        mst_shared_unref((struct mst_shared *)(void *)(uintptr_t)s[i].part);
    }
    return rc;
}

enum mst_rc mst_depot_choose(struct local *l, struct mst_cmd *cmd, enum mst_want want,
                             struct mst_task *task, char *note, size_t size, struct mst_err *err)
{
    const int64_t start = mst_clock_mono_ms(NULL);
    struct depot *d;

    note[0] = '\0';
    if (cmd->store[0] || l->n_depots < 2) {
        return mst_depot_named(l, cmd->store, &d, err);
    }
    if (mst_depots_list(l, err) != MST_OK) {
        return err->rc;
    }
    while (worth_waiting(l, start)) {
        if (!mst_task_sleep_ms(task, STEP_MS)) {
            return mst_task_check(task, err);
        }
    }
    return pick(l, cmd, want, start, note, size, err);
}

enum mst_rc mst_run_choose(struct mst_run *r, struct mst_task *task, struct mst_err *err)
{
    const bool named = r->cmd.store[0] != '\0';
    char note[200];

    if (mst_depot_choose(r->l, &r->cmd, MST_WANT_GOOD, task, note, sizeof(note), err) != MST_OK) {
        return err->rc;
    }
    if (note[0]) {
        mst_task_log(task, "%s", note);
    }
    if (!named && r->cmd.store[0]) {
        mst_task_log(task, "%s is taken from the store %s", r->cmd.backup, r->cmd.store);
    }
    return MST_OK;
}
