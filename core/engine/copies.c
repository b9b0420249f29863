#include "engine/copies.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/locks.h"
#include "engine/region.h"
#include "engine/seals.h"

#define OPEN_MS 10000

/* On a thread of the tee, while the backup runs. */
static void said_out(void *arg, const char *store, const struct mst_err *why)
{
    struct copies *c = arg;

    mst_task_log(c->task, "the copy in %s failed, the others go on: %.120s", store, why->msg);
}

enum mst_rc mst_copies_open(struct copies *c, struct local *l, const size_t *targets, size_t n,
                            struct mst_task *task, struct mst_err *err)
{
    struct mst_tee_opts o = {
        .wait_ms = l->cfg->backup.store_wait_s * 1000, .out = said_out, .arg = c};

    memset(c, 0, sizeof(*c));
    c->l = l;
    c->task = task;
    c->n = n;
    for (size_t i = 0; i < n; i++) {
        struct depot *d = &l->depots[targets[i]];
        enum mst_rc rc;

        c->d[i] = d;
        c->at[i] = SIZE_MAX;
        mst_task_phase(task, "opening the store %s", d->cfg->name);
        rc = mst_depot_open_soon(d, OPEN_MS, task, &o.stores[o.n], &c->err[i]);
        if (rc == MST_E_CANCELLED) {
            *err = c->err[i];
            return rc;
        }
        rc = rc == MST_OK ? mst_region_store_ok(l->cfg, d->cfg->name, &c->err[i]) : rc;
        if (rc == MST_OK) {
            rc = mst_seal_store_ok(l, mst_seal_wanted(l->cfg), o.stores[o.n], &c->err[i]);
        }
        if (rc == MST_OK) {
            o.inside[o.n] = &d->inside;
            c->at[i] = o.n++;
        } else {
            said_out(c, d->cfg->name, &c->err[i]);
        }
    }
    if (o.n == 0) {
        *err = c->err[0];
        return err->rc;
    }
    c->tee = mst_store_tee_new(&o);
    return MST_OK;
}

void mst_copies_settle(struct copies *c, const char *id)
{
    for (size_t i = 0; i < c->n; i++) {
        struct mst_err ignore = {0};
        struct mst_catalog cat;
        struct mst_store *s;
        char text[80] = "";
        enum mst_rc rc;

        if (c->at[i] == SIZE_MAX || c->d[i]->cfg->lock_days == 0 ||
            mst_store_tee_status(c->tee, c->at[i], &ignore) != MST_OK) {
            continue;
        }
        rc = mst_depot_open_soon(c->d[i], OPEN_MS, c->task, &s, &c->err[i]);
        rc = rc == MST_OK ? mst_store_catalog(c->l, s, &cat, &c->err[i]) : rc;
        if (rc == MST_OK) {
            (void)!mst_lock_settle(&cat, id, true, c->task, text, sizeof(text), &c->err[i]);
        }
        if (text[0]) {
            mst_task_log(c->task, "%s is %s", c->d[i]->cfg->name, text);
        }
    }
}

size_t mst_copies_tell(struct copies *c, char *text, size_t size)
{
    char bad[400] = "";
    size_t whole = 0;

    for (size_t i = 0; i < c->n; i++) {
        struct mst_err err = c->err[i];

        if (c->at[i] != SIZE_MAX && err.rc == MST_OK &&
            mst_store_tee_status(c->tee, c->at[i], &err) == MST_OK) {
            whole++;
            mst_task_log(c->task, "the copy in %s is whole", c->d[i]->cfg->name);
            continue;
        }
        (void)snprintf(bad + strlen(bad), sizeof(bad) - strlen(bad), "%s%s %s: %.140s",
                       bad[0] ? "; " : ": ", c->d[i]->cfg->name,
                       err.rc == MST_E_UNKNOWN ? "is not known to be durable" : "failed", err.msg);
    }
    (void)snprintf(text, size, "copies %zu/%zu%s", whole, c->n, bad);
    return whole;
}

void mst_copies_close(struct copies *c)
{
    mst_store_free(c->tee);
    c->tee = NULL;
}
