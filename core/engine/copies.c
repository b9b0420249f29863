#include "engine/copies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/locks.h"
#include "engine/region.h"
#include "engine/seals.h"

#define OPEN_MS 10000
#define REASON_MAX 160U

/* On a thread of the tee, while the backup runs. */
static void said_out(void *arg, const char *store, const struct mst_err *why)
{
    struct copies *c = arg;

    mst_task_log(c->task, "the copy in %s failed, the others go on: %.400s", store, why->msg);
}

enum mst_rc mst_copies_open(struct copies *c, struct local *l, const size_t *targets, size_t n,
                            struct mst_task *task, struct mst_err *err)
{
    struct mst_tee_opts o = {
        .wait_ms = l->cfg->backup.store_wait_s * 1000, .task = task, .out = said_out, .arg = c};

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
    memcpy(c->stores, o.stores, sizeof(c->stores));
    c->tee = mst_store_tee_new(&o);
    return MST_OK;
}

/* Nothing that is borrowed: the store may answer when the run is over. */
struct look {
    struct mst_catalog cat;
    struct mst_trust trust;
    char id[MST_ID_MAX];
};

static void look_at(const struct mst_catalog *cat, const char *id, struct look *l)
{
    l->cat = *cat;
    l->cat.signer = NULL;
    l->cat.unlock = NULL;
    l->cat.unlock_arg = NULL;
    if (cat->trust) {
        l->trust = *cat->trust;
    }
    (void)mst_copy(l->id, sizeof(l->id), id);
}

static enum mst_rc look_before(struct mst_store *s, const void *ask, void *answer,
                               struct mst_err *err)
{
    const struct look *l = ask;
    struct mst_catalog cat = l->cat;

    cat.store = s;
    cat.trust = &l->trust;
    return mst_catalog_before(&cat, l->id, NULL, answer, err);
}

enum mst_rc mst_copies_before(struct copies *c, const struct mst_catalog *cat, const char *id,
                              struct mst_commit *commit, struct mst_err *err)
{
    struct mst_before had[MST_TEE_STORES];
    const char *names[MST_TEE_STORES];
    uint64_t seen[MST_TEE_STORES];
    struct look *l = mst_xcalloc(1, sizeof(*l));
    size_t n = 0;
    enum mst_rc rc;

    look_at(cat, id, l);
    rc = mst_store_tee_ask(c->tee, look_before, l, sizeof(*l), c->before, sizeof(c->before[0]),
                           c->has_before, err);
    for (size_t i = 0; rc == MST_OK && i < c->n; i++) {
        if (c->at[i] != SIZE_MAX && c->has_before[c->at[i]]) {
            had[n] = c->before[c->at[i]];
            names[n] = c->d[i]->cfg->name;
            seen[n++] = mst_seal_seen(c->l, cat->set, c->d[i]->cfg->name);
        }
    }
    if (rc == MST_OK) {
        mst_chain_join(had, names, seen, n, commit);
    }
    free(l);
    return rc;
}

enum mst_rc mst_copies_other_set(const struct mst_catalog *cat, const char *id,
                                 const struct mst_before *before, const char *set_id,
                                 char text[MST_OTHER_SET], struct mst_err *err)
{
    struct mst_before found;
    struct mst_bkr *bkr = NULL;
    const char *other;
    enum mst_rc rc = MST_OK;

    text[0] = '\0';
    if (!*set_id) {
        return MST_OK;
    }
    if (!before) {
        rc = mst_catalog_before(cat, id, NULL, &found, err);
        before = &found;
    }
    if (rc != MST_OK || !before->id[0]) {
        return rc;
    }
    rc = mst_bkr_open_clear(cat, before->id, NULL, &bkr, err);
    other = rc == MST_OK ? mst_bkr_header(bkr)->set_id : "";
    if (*other && strcmp(other, set_id) != 0) {
        (void)snprintf(
            text, MST_OTHER_SET,
            "the backup before it in the store %.40s, %.25s, is of another set that is called "
            "%.40s too (id %.24s, this one has %.24s): unless this set was initiated anew, give "
            "each set a prefix or a directory of its own",
            mst_store_name(cat->store), before->id, cat->set, other, set_id);
    }
    mst_bkr_free(bkr);
    return rc;
}

struct other_set { /* what look_other is asked: look, the id of this set, and what was found */
    struct look look;
    char set_id[32];
    const struct mst_store *stores[MST_TEE_STORES]; /* NULL: nobody looked there yet */
    struct mst_before before[MST_TEE_STORES];
};

static enum mst_rc look_other(struct mst_store *s, const void *ask, void *answer,
                              struct mst_err *err)
{
    const struct other_set *o = ask;
    const struct mst_before *before = NULL;
    struct mst_catalog cat = o->look.cat;

    for (size_t i = 0; i < MST_TEE_STORES; i++) {
        before = o->stores[i] == s ? &o->before[i] : before;
    }
    cat.store = s;
    cat.trust = &o->look.trust;
    return mst_copies_other_set(&cat, o->look.id, before, o->set_id, answer, err);
}

void mst_copies_other_sets(struct copies *c, const struct mst_catalog *cat, const char *id,
                           const char *set_id, void (*say)(void *arg, const char *text), void *arg)
{
    char text[MST_TEE_STORES][MST_OTHER_SET];
    bool said[MST_TEE_STORES];
    struct other_set *o = mst_xcalloc(1, sizeof(*o));
    struct mst_err ignore = {0};

    look_at(cat, id, &o->look);
    (void)mst_copy(o->set_id, sizeof(o->set_id), set_id);
    memcpy(o->before, c->before, sizeof(o->before));
    for (size_t i = 0; i < MST_TEE_STORES; i++) {
        o->stores[i] = c->has_before[i] ? c->stores[i] : NULL;
    }
    (void)!mst_store_tee_ask(c->tee, look_other, o, sizeof(*o), text, sizeof(text[0]), said,
                             &ignore);
    for (size_t i = 0; i < MST_TEE_STORES; i++) {
        if (said[i] && text[i][0]) {
            say(arg, text[i]);
        }
    }
    free(o);
}

const char *mst_copies_reason(const char *msg, size_t max)
{
    const char *next;

    while (strlen(msg) > max && (next = strstr(msg, ": ")) != NULL) {
        msg = next + 2;
    }
    return msg;
}

/* "cannot write KEY in the store far (bucket ...): it is full": who reads the result knows which
 * store is meant, and wants the reason; all of it stands in the job's log. Of what is still too
 * long the end says more than the beginning. */
static const char *reason_of(struct copies *c, size_t i, const char *msg)
{
    char place[MST_STORE_WHERE_MAX + 80];
    const char *at = NULL;

    if (c->at[i] != SIZE_MAX) {
        (void)snprintf(place, sizeof(place), "the store %s (%s): ", c->d[i]->cfg->name,
                       mst_store_where(c->stores[c->at[i]]));
        at = strstr(msg, place);
    }
    return mst_copies_reason(at ? at + strlen(place) : msg, REASON_MAX);
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
    char bad[560] = "";
    size_t whole = 0;

    for (size_t i = 0; i < c->n; i++) {
        struct mst_err err = c->err[i];

        if (c->at[i] != SIZE_MAX && err.rc == MST_OK &&
            mst_store_tee_status(c->tee, c->at[i], &err) == MST_OK) {
            whole++;
            mst_task_log(c->task, "the copy in %s is whole", c->d[i]->cfg->name);
            continue;
        }
        (void)snprintf(bad + strlen(bad), sizeof(bad) - strlen(bad), "%s%s %s: %.200s",
                       bad[0] ? "; " : ": ", c->d[i]->cfg->name,
                       err.rc == MST_E_UNKNOWN ? "is not known to be durable" : "failed",
                       reason_of(c, i, err.msg));
    }
    (void)snprintf(text, size, "copies %zu/%zu%s", whole, c->n, bad);
    return whole;
}

void mst_copies_close(struct copies *c)
{
    mst_store_free(c->tee);
    c->tee = NULL;
}
