/* What is known of the store's backups: the last good listing, kept in the local state, until the
 * store itself was read; and again when it cannot be read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/rebuild.h"
#include "engine/inner.h"
#include "engine/seals.h"
#include "engine/stores.h"

struct mst_bucket_part *mst_bucket_part_of(const struct depot *d)
{
    struct mst_bucket_part *p = mst_bucket_new();

    (void)mst_copy(p->store, sizeof(p->store), d->cfg->name);
    (void)mst_copy(p->kind, sizeof(p->kind), d->cfg->type);
    mst_cfg_store_where(d->cfg, p->where, sizeof(p->where));
    p->target = d->target;
    (void)mst_copy(p->region, sizeof(p->region), d->cfg->region);
    (void)mst_copy(p->storage_class, sizeof(p->storage_class), d->cfg->storage_class);
    mst_text_sanitise(p->region);
    mst_text_sanitise(p->storage_class);
    p->allow_unsealed = d->cfg->allow_unsealed;
    p->single_writer = d->cfg->single_writer;
    p->per_day_bytes = p->days_left = -1;
    return p;
}

static void say_problem(struct mst_bucket_part *p, const struct mst_err *err)
{
    (void)mst_copy(p->problem, sizeof(p->problem), err->msg);
    p->problem_rc = (int)err->rc;
}

/* place has room for the longest path. */
static struct mst_cache_key key_of(const struct depot *d, const char *set, char *place, size_t size)
{
    const struct mst_cache_key key = {.set = set, .store = d->cfg->name, .place = place};

    if (strcmp(d->cfg->type, "local") != 0) {
        mst_cfg_store_where(d->cfg, place, size);
    } else {
        (void)snprintf(place, size, "%s:%s", d->cfg->type, d->cfg->path);
    }
    return key;
}

/* What follows from its backups and the free space. */
static void sum(struct mst_bucket_part *p)
{
    struct mst_usage u;

    mst_usage_of(p, p->as_of_wall_ms, &u);
    p->backups_bytes = u.backups_bytes;
    p->per_day_bytes = u.per_day_bytes;
    p->days_left = u.days_left;
    p->foreign = 0;
    for (size_t i = 0; i < p->n; i++) {
        p->foreign += p->backups[i].foreign;
    }
}

static void copy_backups(struct mst_bucket_part *p, const struct mst_backup *b, size_t n)
{
    p->backups = mst_xmemdup(n ? (const void *)b : "", n ? n * sizeof(*b) : 1);
    p->n = n;
}

static void from_cache(struct depot *d, struct mst_bucket_part *p)
{
    char place[MST_CFG_PATH + 300];
    const struct mst_cache_key key = key_of(d, d->l->wire.set_name, place, sizeof(place));
    struct mst_err err = {0};
    const enum mst_rc rc = mst_cache_load(d->l->db, &key, &d->before, &err);

    if (rc == MST_OK) {
        copy_backups(p, d->before.backups, d->before.n);
        p->cached = true;
        p->as_of_wall_ms = d->before.read_wall_ms;
        sum(p);
    } else if (rc != MST_E_NOTFOUND) {
        mst_say(d->l, MST_SEV_WARN, "%s", err.msg);
    }
}

void mst_bucket_first(struct depot *d)
{
    struct mst_bucket_part *p = mst_bucket_part_of(d);

    p->loading = true;
    if (d->l->db) {
        from_cache(d, p);
    }
    d->part = p;
}

static struct mst_bucket_part *shown(struct depot *d)
{
    struct mst_bucket_part *p;

    mst_mutex_lock(&d->l->mtx);
    p = d->part;
    if (p) {
        mst_shared_ref(&p->shared);
    }
    mst_mutex_unlock(&d->l->mtx);
    return p;
}

/* What the last rebuild found stays beside the listings after it. */
void mst_bucket_inherit(struct mst_bucket_part *p, const struct mst_bucket_part *old)
{
    if (!old || old->rebuilt_wall_ms <= p->rebuilt_wall_ms) {
        return;
    }
    p->rebuilt_wall_ms = old->rebuilt_wall_ms;
    p->compared_wall_ms = old->compared_wall_ms;
    p->n_changes = old->n_changes;
    free(p->changes);
    p->changes = mst_xmemdup(old->n_changes ? (const void *)old->changes : "",
                             old->n_changes ? old->n_changes * sizeof(old->changes[0]) : 1);
}

static void keep(struct depot *d, const char *set, const struct mst_bucket_part *p)
{
    char place[MST_CFG_PATH + 300];
    const struct mst_cache_key key = key_of(d, set, place, sizeof(place));
    struct local *l = d->l;
    struct mst_err err = {0};

    if (l->db && mst_cache_save(l->db, &key, p->as_of_wall_ms, p->backups, p->n, &err) != MST_OK) {
        mst_say(l, MST_SEV_WARN, "%s", err.msg);
    }
}

/* Nothing in muster removes a backup that is whole: when one is gone, somebody removed it, or this
 * is not the directory that it was; a mount that is missing looks like an empty store. */
static size_t say_vanished(struct local *l, const struct mst_bucket_part *old,
                           const struct mst_bucket_part *p)
{
    struct mst_backup_change *c;
    const char *newest = "";
    char day[MST_TIME_MAX];
    size_t n, gone = 0;

    mst_rebuild_compare(old->backups, old->n, p->backups, p->n, &c, &n);
    for (size_t i = 0; i < n; i++) {
        if (c[i].kind == MST_CHANGE_VANISHED &&
            (c[i].was == MST_BK_COMPLETE || c[i].was == MST_BK_PARTIAL)) {
            newest = c[i].id;
            gone++;
        }
    }
    if (gone > 0) {
        mst_say(l, MST_SEV_WARN,
                "is the store %s mounted? %zu %s that %s there on %s %s gone, the newest %s",
                p->store, gone, mst_text_noun(gone, "backup", "backups"),
                gone == 1 ? "was" : "were", mst_time_iso(old->as_of_wall_ms, day),
                gone == 1 ? "is" : "are", newest);
    }
    free(c);
    return gone;
}

void mst_bucket_read_take(struct depot *d, const struct mst_catalog *cat, struct mst_bucket_part *p)
{
    struct local *l = d->l;
    struct mst_bucket_part *old = shown(d);
    const size_t gone = old && old->as_of_wall_ms ? say_vanished(l, old, p) : 0;

    mst_seal_look(l, cat->set, p);
    /* An empty store that was not empty: what was known is kept until a rebuild says so. */
    if (p->changes || p->n > 0 || gone == 0) {
        keep(d, cat->set, p);
    }
    mst_shared_unref((struct mst_shared *)old);
    mst_mutex_lock(&l->mtx);
    d->listings++;
    mst_mutex_unlock(&l->mtx);
    p->read_at_ms = mst_clock_mono_ms(NULL);
    sum(p);
    p->foreign += d->left_out;
    mst_leavings_put(l, d, p);
}

void mst_bucket_before(struct depot *d, const char *set, struct mst_cached *out)
{
    char place[MST_CFG_PATH + 300];
    const struct mst_cache_key key = key_of(d, set, place, sizeof(place));
    struct mst_err ignore = {0};
    bool first;

    memset(out, 0, sizeof(*out));
    mst_mutex_lock(&d->l->mtx);
    first = d->listings <= 1; /* the one that every engine makes when it starts */
    if (first && strcmp(d->before.set, set) == 0) {
        *out = d->before;
        memset(&d->before, 0, sizeof(d->before));
    }
    mst_mutex_unlock(&d->l->mtx);
    if (!first && d->l->db) {
        (void)!mst_cache_load(d->l->db, &key, out, &ignore);
    }
}

/* The store was not read: what was known stays, and stays as old as it is. */
static void not_read(struct depot *d, struct mst_bucket_part *p, const struct mst_err *err)
{
    struct mst_bucket_part *old = shown(d);

    say_problem(p, err);
    p->free_bytes = p->total_bytes = 0;
    p->as_of_wall_ms = 0;
    if (old && old->as_of_wall_ms) { /* half a listing is none */
        copy_backups(p, old->backups, old->n);
        p->as_of_wall_ms = old->as_of_wall_ms;
        p->cached = true;
        sum(p);
    }
    mst_shared_unref((struct mst_shared *)old);
    p->read_at_ms = mst_clock_mono_ms(NULL);
    mst_leavings_put(d->l, d, p); /* of an old listing nothing can be cleaned */
}

/* While the store is being listed: what is known so far, unless an older listing says more. */
static void so_far(void *arg, uint64_t objects, const struct mst_backup *b, size_t n)
{
    struct depot *d = arg;
    struct mst_bucket_part *old = shown(d), *p;

    atomic_store(&d->moved_ms, mst_clock_mono_ms(NULL));
    if (old && old->as_of_wall_ms && !old->seen) {
        mst_shared_unref(&old->shared); /* the cache, or the listing before, stays until the end */
        return;
    }
    p = mst_bucket_part_of(d);
    p->loading = true;
    p->seen = objects;
    p->read_at_ms = old ? old->read_at_ms : 0;
    copy_backups(p, b, n);
    mst_shared_unref((struct mst_shared *)old);
    mst_put_bucket_take(d, p);
}

static unsigned rebuilds(struct depot *d)
{
    unsigned n;

    mst_mutex_lock(&d->l->mtx);
    n = d->rebuilds;
    mst_mutex_unlock(&d->l->mtx);
    return n;
}

static enum mst_rc list_once(struct depot *d, const struct mst_catalog *cat,
                             struct mst_bucket_part *p, struct mst_err *err)
{
    enum mst_rc rc = mst_store_space(cat->store, &p->free_bytes, &p->total_bytes, err);

    (void)mst_store_left_out_take();
    rc = rc == MST_OK
             ? mst_catalog_list_telling(cat, so_far, d, &d->l->io_task, &p->backups, &p->n, err)
             : rc;
    d->left_out = mst_store_left_out_take();
    return rc;
}

void mst_bucket_list(struct depot *d)
{
    struct local *l = d->l;
    struct mst_bucket_part *p = NULL;
    struct mst_catalog cat;
    struct mst_err err = {0};
    unsigned before;
    enum mst_rc rc;

    mst_fault_hang("list", d->cfg->name);
    rc = mst_depot_catalog(d, &cat, &err);
    do { /* what a rebuild found meanwhile is newer than what a listing read before its marks */
        mst_shared_unref((struct mst_shared *)p);
        p = mst_bucket_part_of(d);
        p->as_of_wall_ms = mst_clock_utc_ms(NULL);
        before = rebuilds(d);
        rc = rc == MST_OK ? list_once(d, &cat, p, &err) : rc;
    } while (rc == MST_OK && before != rebuilds(d) && !atomic_load(&l->stop));
    if (atomic_load(&l->stop)) {
        mst_shared_unref(&p->shared);
    } else if (rc == MST_OK) {
        mst_bucket_read_take(d, &cat, p);
    } else {
        not_read(d, p, &err);
    }
}
