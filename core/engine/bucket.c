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

static struct mst_bucket_part *new_part(const struct local *l)
{
    struct mst_bucket_part *p = mst_bucket_new();

    if (l->store_cfg) {
        (void)mst_copy(p->store, sizeof(p->store), l->store_cfg->name);
        mst_cfg_store_where(l->store_cfg, p->where, sizeof(p->where));
    }
    return p;
}

static void say_problem(struct mst_bucket_part *p, const struct mst_err *err)
{
    (void)mst_copy(p->problem, sizeof(p->problem), err->msg);
    p->problem_rc = (int)err->rc;
}

/* place has room for the longest path. */
static struct mst_cache_key key_of(const struct local *l, const char *set, char *place, size_t size)
{
    const struct mst_cache_key key = {
        .set = set, .store = l->store_cfg ? l->store_cfg->name : "", .place = place};

    (void)mst_copy(place, size, "");
    if (l->store_cfg && strcmp(l->store_cfg->type, "local") != 0) {
        mst_cfg_store_where(l->store_cfg, place, size);
    } else if (l->store_cfg) {
        (void)snprintf(place, size, "%s:%s", l->store_cfg->type, l->store_cfg->path);
    }
    return key;
}

static void copy_backups(struct mst_bucket_part *p, const struct mst_backup *b, size_t n)
{
    p->backups = mst_xmemdup(n ? (const void *)b : "", n ? n * sizeof(*b) : 1);
    p->n = n;
}

static void from_cache(struct local *l, struct mst_bucket_part *p)
{
    char place[MST_CFG_PATH + 300];
    const struct mst_cache_key key = key_of(l, l->wire.set_name, place, sizeof(place));
    struct mst_err err = {0};
    const enum mst_rc rc = mst_cache_load(l->db, &key, &l->before, &err);

    if (rc == MST_OK) {
        copy_backups(p, l->before.backups, l->before.n);
        p->cached = true;
        p->as_of_wall_ms = l->before.read_wall_ms;
    } else if (rc != MST_E_NOTFOUND) {
        mst_say(l, MST_SEV_WARN, "%s", err.msg);
    }
}

void mst_bucket_first(struct local *l)
{
    struct mst_bucket_part *p;

    if (mst_cfg_store(l->cfg, "", &l->store_cfg, &l->store_err) != MST_OK) {
        l->store_cfg = NULL;
        if (l->cfg->n_stores == 0) {
            return;
        }
    }
    p = new_part(l);
    p->loading = l->store_cfg != NULL;
    if (!l->store_cfg) {
        say_problem(p, &l->store_err);
    } else if (l->db) {
        from_cache(l, p);
    }
    l->bucket = p;
}

static struct mst_bucket_part *shown(struct local *l)
{
    struct mst_bucket_part *p;

    mst_mutex_lock(&l->mtx);
    p = l->bucket;
    if (p) {
        mst_shared_ref(&p->shared);
    }
    mst_mutex_unlock(&l->mtx);
    return p;
}

/* What the last rebuild found stays beside the listings after it. */
static void keep_changes(struct mst_bucket_part *p, const struct mst_bucket_part *old)
{
    p->rebuilt_wall_ms = old->rebuilt_wall_ms;
    p->compared_wall_ms = old->compared_wall_ms;
    p->n_changes = old->n_changes;
    p->changes = mst_xmemdup(old->n_changes ? (const void *)old->changes : "",
                             old->n_changes ? old->n_changes * sizeof(old->changes[0]) : 1);
}

static void keep(struct local *l, const char *set, const struct mst_bucket_part *p)
{
    char place[MST_CFG_PATH + 300];
    const struct mst_cache_key key = key_of(l, set, place, sizeof(place));
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

void mst_bucket_read_take(struct local *l, const struct mst_catalog *cat, struct mst_bucket_part *p)
{
    struct mst_bucket_part *old = shown(l);
    const size_t gone = old && old->as_of_wall_ms ? say_vanished(l, old, p) : 0;

    mst_seal_look(l, cat->set, p);
    /* An empty store that was not empty: what was known is kept until a rebuild says so. */
    if (p->changes || p->n > 0 || gone == 0) {
        keep(l, cat->set, p);
    }
    if (!p->changes && old) {
        keep_changes(p, old);
    }
    mst_shared_unref((struct mst_shared *)old);
    mst_mutex_lock(&l->mtx);
    l->listings++;
    mst_mutex_unlock(&l->mtx);
    p->read_at_ms = mst_clock_mono_ms(NULL);
    mst_io_leavings(l, p->backups, p->n);
    mst_put_bucket_take(l, p);
}

void mst_bucket_before(struct local *l, const char *set, struct mst_cached *out)
{
    char place[MST_CFG_PATH + 300];
    const struct mst_cache_key key = key_of(l, set, place, sizeof(place));
    struct mst_err ignore = {0};
    bool first;

    memset(out, 0, sizeof(*out));
    mst_mutex_lock(&l->mtx);
    first = l->listings <= 1; /* the one that every engine makes when it starts */
    if (first && strcmp(l->before.set, set) == 0) {
        *out = l->before;
        memset(&l->before, 0, sizeof(l->before));
    }
    mst_mutex_unlock(&l->mtx);
    if (!first && l->db) {
        (void)!mst_cache_load(l->db, &key, out, &ignore);
    }
}

/* The store was not read: what was known stays, and stays as old as it is. */
static void not_read(struct local *l, struct mst_bucket_part *p, const struct mst_err *err)
{
    struct mst_bucket_part *old = shown(l);

    say_problem(p, err);
    p->free_bytes = p->total_bytes = 0;
    if (old) {
        copy_backups(p, old->backups, old->n);
        p->as_of_wall_ms = old->as_of_wall_ms;
        p->cached = old->as_of_wall_ms != 0;
        keep_changes(p, old);
    }
    mst_shared_unref((struct mst_shared *)old);
    p->read_at_ms = mst_clock_mono_ms(NULL);
    mst_io_leavings(l, NULL, 0); /* of an old listing nothing can be cleaned */
    mst_put_bucket_take(l, p);
}

void mst_bucket_list(struct local *l)
{
    struct mst_bucket_part *p = new_part(l);
    struct mst_catalog cat;
    struct mst_err err = {0};
    enum mst_rc rc = mst_local_catalog(l, &cat, &err);

    if (rc == MST_OK) {
        rc = mst_store_space(cat.store, &p->free_bytes, &p->total_bytes, &err);
    }
    p->as_of_wall_ms = mst_clock_utc_ms(NULL);
    if (rc == MST_OK) {
        rc = mst_catalog_list(&cat, &l->io_task, &p->backups, &p->n, &err);
    }
    if (rc == MST_OK) {
        mst_bucket_read_take(l, &cat, p);
    } else {
        not_read(l, p, &err);
    }
}
