#include "engine/past.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/asleep.h"
#include "cfg/tier.h"
#include "engine/handle.h"
#include "engine/inner.h"
#include "engine/own.h"
#include "engine/takeout_keys.h"

struct past { /* what a question needs */
    struct mst_own own;
    struct mst_takeout takeout; /* nothing but the configuration's own keys */
    struct mst_takeout_keys keys;
};

static enum mst_rc past_open(struct past *p, const struct mst_cfg *cfg, const char *store,
                             int64_t as_of_ms, struct mst_task *task, struct mst_err *err)
{
    enum mst_rc rc = mst_takeout_keys_init(&p->keys, cfg, &p->takeout, err);

    rc = rc == MST_OK ? mst_own_open(&p->own, cfg, store, false, as_of_ms, task, err) : rc;
    if (rc == MST_OK) {
        mst_takeout_keys_use(&p->keys, &p->own.cat);
    }
    return rc;
}

static void past_release(struct past *p)
{
    mst_takeout_keys_release(&p->keys);
    mst_own_release(&p->own);
}

static struct mst_bucket_part *part_of(const struct past *p, int64_t as_of_ms)
{
    struct mst_bucket_part *b = mst_bucket_new();

    (void)mst_copy(b->store, sizeof(b->store), p->own.cfg->name);
    (void)mst_copy(b->kind, sizeof(b->kind), p->own.cfg->type);
    (void)mst_copy(b->where, sizeof(b->where), mst_store_where(p->own.cat.store));
    mst_text_sanitise(b->where);
    b->as_of_wall_ms = as_of_ms;
    b->read_at_ms = mst_clock_mono_ms(NULL);
    return b;
}

enum mst_rc mst_past_list(const struct mst_cfg *cfg, const char *store, int64_t as_of_ms,
                          struct mst_task *task, struct mst_bucket_part **out, struct mst_err *err)
{
    struct past p = {.takeout = {.folder = NULL}};
    enum mst_rc rc;

    *out = NULL;
    mst_store_work_for(task);
    rc = past_open(&p, cfg, store, as_of_ms, task, err);
    if (rc == MST_OK) {
        struct mst_bucket_part *b = part_of(&p, as_of_ms);

        rc = mst_catalog_list(&p.own.cat, task, &b->backups, &b->n, err);
        if (rc == MST_OK) {
            *out = b;
        } else {
            mst_shared_unref(&b->shared);
        }
    }
    past_release(&p);
    mst_store_work_for(NULL);
    return rc;
}

static struct mst_detail_part *detail_of(const struct past *p, const char *id,
                                         struct mst_task *task)
{
    struct mst_detail_part *d = mst_detail_new();
    struct mst_err why = {0};

    (void)mst_copy(d->store, sizeof(d->store), p->own.cfg->name);
    (void)mst_copy(d->id, sizeof(d->id), id);
    if (mst_catalog_detail(&p->own.cat, id, task, &d->ns, &d->n_ns, &d->objects, &d->n_objects,
                           &why) != MST_OK) {
        (void)mst_copy(d->problem, sizeof(d->problem), why.msg);
        d->problem_rc = (int)why.rc;
    }
    mst_look_readers(&p->own.cat, task, d);
    d->read_at_ms = mst_clock_mono_ms(NULL);
    return d;
}

enum mst_rc mst_past_detail(const struct mst_cfg *cfg, const char *store, int64_t as_of_ms,
                            const char *id, struct mst_task *task, struct mst_bucket_part **part,
                            struct mst_detail_part **out, struct mst_err *err)
{
    struct past p = {.takeout = {.folder = NULL}};
    struct mst_backup b;
    enum mst_rc rc;

    *part = NULL;
    *out = NULL;
    mst_store_work_for(task);
    rc = past_open(&p, cfg, store, as_of_ms, task, err);
    rc = rc == MST_OK ? mst_catalog_find(&p.own.cat, id, task, &b, err) : rc;
    if (rc == MST_OK) {
        *part = part_of(&p, as_of_ms);
        (*part)->backups = mst_xmemdup(&b, sizeof(b));
        (*part)->n = 1;
        *out = detail_of(&p, b.id, task);
    }
    past_release(&p);
    mst_store_work_for(NULL);
    return rc;
}

static void take(const struct mst_asleep *a, struct mst_thaw_state *out)
{
    out->objects = a->objects;
    out->bytes = a->bytes;
    out->asleep = a->asleep;
    out->asleep_bytes = a->asleep_bytes;
    out->coming = a->coming;
    out->coming_bytes = a->coming_bytes;
    out->awake = a->awake;
    out->until_ms = a->until_ms;
    (void)mst_copy(out->storage_class, sizeof(out->storage_class), a->storage_class);
    (void)mst_copy(out->takes, sizeof(out->takes), mst_tier_takes(a->storage_class));
}

enum mst_rc mst_thaw_look(const struct mst_cfg *cfg, const struct mst_thaw *t,
                          struct mst_task *task, struct mst_thaw_state *out, struct mst_err *err)
{
    struct past p = {.takeout = {.folder = NULL}};
    struct mst_asleep a = {0};
    struct mst_backup b;
    enum mst_rc rc;

    memset(out, 0, sizeof(*out));
    mst_store_work_for(task);
    rc = past_open(&p, cfg, t->store, t->as_of_ms, task, err);
    (void)mst_copy(out->id, sizeof(out->id), t->backup);
    if (rc == MST_OK && strcmp(t->backup, "latest") == 0) {
        rc = mst_catalog_find(&p.own.cat, t->backup, task, &b, err);
        (void)mst_copy(out->id, sizeof(out->id), rc == MST_OK ? b.id : "");
    } else if (rc == MST_OK && !mst_catalog_id_ok(t->backup, NULL, NULL)) {
        rc = mst_err_set(err, MST_E_NOTFOUND, "'%.64s' is not the id of a backup", t->backup);
    }
    if (rc == MST_OK) {
        (void)mst_copy(out->store, sizeof(out->store), p.own.cfg->name);
        mst_task_phase(task, "looking at every object");
        rc = mst_catalog_asleep(&p.own.cat, out->id, task, NULL, NULL, &a, err);
        take(&a, out);
    }
    past_release(&p);
    mst_store_work_for(NULL);
    return rc;
}
