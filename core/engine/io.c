/* Listings and plans: what blocks, asked for by front ends, on one thread of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/acts.h"
#include "engine/inner.h"
#include "engine/runs.h"
#include "engine/seals.h"
#include "store/open.h"

#define NAME_WAIT_MS 5000
#define NOTES_MS 10000 /* a note is open for a minute, so none is missed */
#define FIRST_NOTES_MS 250

/* Name of the set: configured, or what its members say. */
static enum mst_rc set_name(struct local *l, char *out, size_t size, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + NAME_WAIT_MS;
    char why[200];

    (void)mst_copy(out, size, l->wire.set_name);
    while (!out[0]) {
        struct mst_monitor_view *m = mst_local_topo(l);

        if (m->v.set_name_known) {
            (void)mst_copy(out, size, m->v.set_name);
        }
        (void)mst_copy(why, sizeof(why), m->v.headline);
        mst_shared_unref(&m->shared);
        if (!out[0] && (mst_clock_mono_ms(NULL) > end || !mst_task_sleep_ms(&l->io_task, 100))) {
            return mst_err_set(err, MST_E_NET,
                               "the set's name is not known (set.name in the configuration says it "
                               "too): %s",
                               why);
        }
    }
    return MST_OK;
}

/* The store is opened when it is first needed, on a thread that may wait for it, and again while
 * that fails: a mount that comes late is found by the next look. */
static enum mst_rc open_store(struct local *l, struct mst_store **out, struct mst_err *err)
{
    struct mst_store *fresh = NULL;
    enum mst_rc rc;

    if (!l->store_cfg) {
        const struct mst_cfg_store *ignore;

        return l->store_err.rc ? (*err = l->store_err).rc : mst_cfg_store(l->cfg, "", &ignore, err);
    }
    mst_mutex_lock(&l->mtx);
    *out = l->store;
    mst_mutex_unlock(&l->mtx);
    if (*out) {
        return MST_OK;
    }
    rc = mst_store_open(l->store_cfg, !l->cfg->read_only, &fresh, err);
    if (rc != MST_OK) {
        return rc;
    }
    mst_mutex_lock(&l->mtx);
    if (!l->store) {
        l->store = fresh;
        fresh = NULL;
    }
    *out = l->store;
    mst_mutex_unlock(&l->mtx);
    mst_store_free(fresh); /* another thread was quicker */
    return MST_OK;
}

enum mst_rc mst_local_catalog(struct local *l, struct mst_catalog *out, struct mst_err *err)
{
    struct mst_store *store = NULL;
    char name[128];

    if (open_store(l, &store, err) != MST_OK || set_name(l, name, sizeof(name), err) != MST_OK) {
        return err->rc;
    }
    if (mst_catalog_init(out, store, "", name, err) != MST_OK) {
        return err->rc;
    }
    mst_seal_catalog(l, out);
    return MST_OK;
}

/* --- leavings: interrupted backups, and restores whose old collections are still there --- */

struct leavings {
    struct mst_leaving_line *items;
    size_t n, cap;
};

static struct mst_leaving_line *one_more(struct leavings *v)
{
    mst_grow((void **)&v->items, &v->cap, v->n + 1, sizeof(v->items[0]));
    memset(&v->items[v->n], 0, sizeof(v->items[0]));
    return &v->items[v->n++];
}

void mst_io_leavings(struct local *l, const struct mst_backup *b, size_t n)
{
    struct leavings v = {0};
    struct mst_leavings_part *p;
    struct mst_err err = {0};
    struct mst_leaving_line *runs = NULL;
    int64_t running = 0;

    if (l->db) {
        (void)!mst_db_int(l->db, 0, &running, &err,
                          "SELECT count(*) FROM jobs WHERE kind IN (2, 4) AND state IN (1, 2)", "");
        v.n = mst_runs_lines(l, running, &runs);
        v.items = runs;
        v.cap = v.n;
        running = 0;
        /* The backup in work looks like an interrupted one: the newest without a COMMIT is it. */
        (void)!mst_db_int(l->db, 0, &running, &err,
                          "SELECT count(*) FROM jobs WHERE kind = 0 AND state IN (1, 2)", "");
    }
    for (size_t i = 0; i < n; i++) {
        if (b[i].state == MST_BK_INCOMPLETE && running-- <= 0) {
            struct mst_leaving_line *item = one_more(&v);

            (void)mst_copy(item->id, sizeof(item->id), b[i].id);
            (void)snprintf(item->what, sizeof(item->what),
                           "backup %s was interrupted: 'muster clean %s' removes its objects",
                           b[i].id, b[i].id);
            item->since_wall_ms = b[i].started_wall_ms;
        }
    }
    p = mst_leavings_new(v.n);
    if (v.n > 0) {
        memcpy(p->items, v.items, v.n * sizeof(v.items[0]));
    }
    free(v.items);
    mst_put_leavings_take(l, p);
}

static void load_detail(struct local *l, const char *id)
{
    struct mst_detail_part *p = mst_detail_new();
    struct mst_catalog cat;
    struct mst_backup b;
    struct mst_err err = {0};
    enum mst_rc rc = mst_local_catalog(l, &cat, &err);

    (void)mst_copy(p->id, sizeof(p->id), id);
    if (rc == MST_OK && strcmp(id, "latest") == 0) {
        rc = mst_catalog_find(&cat, id, &l->io_task, &b, &err);
        if (rc == MST_OK) {
            (void)mst_copy(p->id, sizeof(p->id), b.id);
        }
    }
    if (rc == MST_OK) {
        rc = mst_catalog_detail(&cat, p->id, &l->io_task, &p->ns, &p->n_ns, &p->objects,
                                &p->n_objects, &err);
    }
    if (rc != MST_OK) {
        (void)mst_copy(p->problem, sizeof(p->problem), err.msg);
        p->problem_rc = (int)err.rc;
    }
    p->read_at_ms = mst_clock_mono_ms(NULL);
    mst_put_detail_take(l, p);
}

static void make_ticket(struct local *l, const struct ask *a)
{
    struct mst_ticket *t = NULL;
    struct mst_err err = {0};
    const enum mst_rc rc = mst_act_make_ticket(l, a, &t, &err);

    mst_mutex_lock(&l->mtx);
    for (size_t i = 0; i < MST_TICKETS; i++) {
        if (l->slots[i].handle == a->handle) {
            l->slots[i].ready = true;
            l->slots[i].rc = rc;
            l->slots[i].err = err;
            l->slots[i].ticket = t;
            t = NULL;
        }
    }
    mst_mutex_unlock(&l->mtx);
    mst_ticket_free(t); /* nobody waits any more */
    mst_wake_signal(&l->out);
}

static void answer(struct local *l, const struct ask *a)
{
    if (a->kind == ASK_BUCKET && l->cfg->n_stores > 0) {
        mst_bucket_list(l);
    } else if (a->kind == ASK_BUCKET) {
        mst_io_leavings(l, NULL, 0);
    } else if (a->kind == ASK_DETAIL) {
        load_detail(l, a->id);
    } else if (a->kind == ASK_TICKET) {
        make_ticket(l, a);
    } else if (a->kind == ASK_RECOVER) {
        mst_runs_recover(l);
    }
}

void mst_io_run(void *arg)
{
    struct local *l = arg;
    int64_t next = 0;

    mst_store_work_for(&l->io_task);
    if (l->o.agent && l->lock_fd >= 0) {
        mst_switch_thaw(l);
        mst_runs_recover(l);
    }
    while (!atomic_load(&l->stop)) {
        const int64_t now = mst_clock_mono_ms(NULL);
        struct ask *a;

        a = mst_queue_pop(l->asks, next > now ? next - now : 0);
        if (a) {
            answer(l, a);
            mst_reach_release(a->reach);
            free(a);
        } else if (mst_clock_mono_ms(NULL) >= next && !atomic_load(&l->stop)) {
            mst_notes_look(l);
            next = mst_clock_mono_ms(NULL) + (l->notes_at_ms ? NOTES_MS : FIRST_NOTES_MS);
        }
    }
}
