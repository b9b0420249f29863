/* Listings and plans: what blocks, asked for by front ends, on one thread of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/acts.h"
#include "engine/depot.h"
#include "engine/inner.h"
#include "engine/runs.h"
#include "engine/seals.h"
#include "store/open.h"

#define NAME_WAIT_MS 5000
#define NOTES_MS 10000 /* a note is open for a minute, so none is missed */
#define FIRST_NOTES_MS 250
#define ANSWER_MS 3000 /* of a store that should carry a question to all */

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

enum mst_rc mst_store_catalog(struct local *l, struct mst_store *store, struct mst_catalog *out,
                              struct mst_err *err)
{
    char name[128];

    if (set_name(l, name, sizeof(name), err) != MST_OK ||
        mst_catalog_init(out, store, "", name, err) != MST_OK) {
        return err->rc;
    }
    mst_seal_catalog(l, out);
    return MST_OK;
}

enum mst_rc mst_depot_catalog(struct depot *d, struct mst_catalog *out, struct mst_err *err)
{
    struct mst_store *store = NULL;

    return mst_depot_open(d, &store, err) == MST_OK ? mst_store_catalog(d->l, store, out, err)
                                                    : err->rc;
}

enum mst_rc mst_local_catalog(struct local *l, const char *store, struct mst_catalog *out,
                              struct mst_err *err)
{
    struct depot *d = NULL;

    return mst_depot_named(l, store, &d, err) == MST_OK ? mst_depot_catalog(d, out, err) : err->rc;
}

void mst_io_detail(struct depot *d, const char *id)
{
    struct local *l = d->l;
    struct mst_detail_part *p = mst_detail_new();
    struct mst_catalog cat;
    struct mst_backup b;
    struct mst_err err = {0};
    enum mst_rc rc = mst_depot_catalog(d, &cat, &err);

    (void)mst_copy(p->id, sizeof(p->id), id);
    (void)mst_copy(p->store, sizeof(p->store), d->cfg->name);
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
    if (p->n_objects > 0) {
        mst_look_commit(&cat, p);
    }
    if (rc == MST_OK || rc == MST_E_AUTH) { /* also where no key is: who has one? */
        mst_look_readers(&cat, &l->io_task, p);
    }
    p->read_at_ms = mst_clock_mono_ms(NULL);
    mst_put_detail_take(l, p);
}

static void no_detail(struct local *l, const struct ask *a, const struct mst_err *err)
{
    struct mst_detail_part *p = mst_detail_new();

    (void)mst_copy(p->id, sizeof(p->id), a->cmd.backup);
    (void)mst_copy(p->problem, sizeof(p->problem), err->msg);
    p->problem_rc = (int)err->rc;
    p->read_at_ms = mst_clock_mono_ms(NULL);
    mst_put_detail_take(l, p);
}

static void put_ticket(struct local *l, const struct ask *a, enum mst_rc rc,
                       const struct mst_err *err, struct mst_ticket *t)
{
    mst_mutex_lock(&l->mtx);
    for (size_t i = 0; i < MST_TICKETS; i++) {
        if (l->slots[i].handle == a->handle) {
            l->slots[i].ready = true;
            l->slots[i].rc = rc;
            l->slots[i].err = *err;
            l->slots[i].ticket = t;
            t = NULL;
        }
    }
    mst_mutex_unlock(&l->mtx);
    mst_ticket_free(t); /* nobody waits any more */
    mst_wake_signal(&l->out);
}

void mst_io_ticket(struct local *l, const struct ask *a)
{
    struct mst_ticket *t = NULL;
    struct mst_err err = {0};
    const enum mst_rc rc = mst_act_make_ticket(l, a, &t, &err);

    put_ticket(l, a, rc, &err, t);
}

/* Does this ticket read a backup in a store? */
static bool of_store(const struct mst_cmd *cmd)
{
    return cmd->kind == MST_CMD_RESTORE || cmd->kind == MST_CMD_ORPHANS ||
           (cmd->kind == MST_CMD_CLEAN && mst_catalog_id_ok(cmd->backup, NULL, NULL));
}

/* Where no store is named, what is meant is in all of them. */
static bool of_readers(const struct mst_cmd *cmd)
{
    return cmd->kind == MST_CMD_KEY_ADD || cmd->kind == MST_CMD_KEY_REMOVE ||
           cmd->kind == MST_CMD_KEY_ROTATE;
}

/* A question to all is carried by the thread of one that is not stuck itself. */
static struct depot *that_answers(struct local *l, struct depot *home)
{
    struct mst_err err = {0};

    if (l->n_depots < 2 ||
        mst_depot_read_soon(home, ANSWER_MS, &l->io_task, &err) != MST_E_TIMEOUT) {
        return home;
    }
    for (size_t i = 0; i < l->n_depots; i++) {
        err.rc = MST_OK;
        if (&l->depots[i] != home &&
            mst_depot_read_soon(&l->depots[i], ANSWER_MS, &l->io_task, &err) != MST_E_TIMEOUT) {
            return &l->depots[i];
        }
    }
    return home;
}

/* What reads a store goes to the store's own thread. True when it went there. */
static bool forward(struct local *l, struct ask *a)
{
    const enum mst_want want = a->cmd.kind == MST_CMD_CLEAN ? MST_WANT_LEFT : MST_WANT_GOOD;
    struct depot *d = NULL;
    struct mst_err err = {0};
    char note[200] = "";
    enum mst_rc rc = MST_OK;

    if (a->cmd.kind != MST_CMD_ORPHANS && !of_readers(&a->cmd)) {
        rc = mst_depot_choose(l, &a->cmd, want, &l->io_task, note, sizeof(note), &err);
    }
    if (note[0]) {
        mst_say(l, MST_SEV_WARN, "%s", note);
    }
    rc = rc == MST_OK ? mst_depot_named(l, a->cmd.store, &d, &err) : rc;
    if (rc == MST_OK && of_readers(&a->cmd) && !a->cmd.store[0]) {
        d = that_answers(l, d);
    }
    if (rc == MST_OK) {
        (void)mst_copy(a->id, sizeof(a->id), a->cmd.backup);
        (void)!mst_depot_ask_take(d, a, &err); /* it consumes a; closing: nobody waits */
        return true;
    }
    if (a->kind == ASK_DETAIL) {
        no_detail(l, a, &err);
    } else {
        put_ticket(l, a, rc, &err, NULL);
    }
    return false;
}

/* True when the question is somebody else's now. */
static bool answer(struct local *l, struct ask *a)
{
    struct mst_err err = {0};

    if (a->kind == ASK_BUCKET) {
        mst_seal_remind(l);
    }
    if (a->kind == ASK_BUCKET && l->n_depots > 0) {
        if (mst_depots_list(l, &err) != MST_OK) {
            mst_say(l, MST_SEV_WARN, "a store is busy and is not listed again: %s", err.msg);
        }
    } else if (a->kind == ASK_BUCKET) {
        mst_leavings_put(l, NULL, NULL);
    } else if (a->kind == ASK_DETAIL || (a->kind == ASK_TICKET && of_store(&a->cmd))) {
        return forward(l, a);
    } else if (a->kind == ASK_TICKET) {
        mst_io_ticket(l, a);
    } else if (a->kind == ASK_RECOVER) {
        mst_runs_recover(l);
    }
    return false;
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
        if (a && !answer(l, a)) {
            mst_reach_release(a->reach);
            free(a);
        } else if (!a && mst_clock_mono_ms(NULL) >= next && !atomic_load(&l->stop)) {
            mst_notes_look(l);
            mst_seal_remind(l);
            next = mst_clock_mono_ms(NULL) + (l->notes_at_ms ? NOTES_MS : FIRST_NOTES_MS);
        }
    }
}
