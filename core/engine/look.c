/* What a store says of itself beside its listing: whether it keeps versions and can lock, uploads
 * that nobody ended, whose key it works with. Asked on the store's own thread, when somebody looks;
 * nothing is written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/keyobj.h"
#include "engine/depot.h"
#include "store/open.h"

enum mst_rc mst_look_ask(struct local *l, const char *store, struct mst_err *err)
{
    struct depot *d = NULL;
    struct ask *a;

    if (mst_depot_named(l, store, &d, err) != MST_OK) {
        return err->rc;
    }
    a = mst_xcalloc(1, sizeof(*a));
    a->kind = ASK_LOOK;
    return mst_depot_ask_take(d, a, err);
}

/* What was known stays beside the word that it is asked again. */
static void show_loading(struct depot *d)
{
    struct mst_look_part *p = mst_look_new();

    mst_mutex_lock(&d->l->mtx);
    if (d->look) {
        const struct mst_shared own = p->shared;

        *p = *d->look;
        p->shared = own;
    }
    mst_mutex_unlock(&d->l->mtx);
    p->loading = true;
    mst_put_look_take(d, p);
}

static void say(struct mst_look_part *p, const char *why)
{
    if (!p->problem[0]) {
        (void)mst_copy(p->problem, sizeof(p->problem), why);
        mst_text_sanitise(p->problem);
    }
}

static bool see_upload(void *arg, const struct mst_store_upload *u)
{
    struct mst_look_part *p = arg;

    p->uploads++;
    if (!p->since_wall_ms || u->begun_wall_ms < p->since_wall_ms) {
        p->since_wall_ms = u->begun_wall_ms;
    }
    return true;
}

static void count_uploads(struct depot *d, struct mst_store *s, struct mst_look_part *p)
{
    struct mst_catalog c;
    struct mst_err err = {0};
    enum mst_rc rc = mst_store_catalog(d->l, s, &c, &err);

    p->uploads = 0;
    if (rc == MST_OK && !mst_store_is_local(s)) { /* a directory has none */
        rc = mst_store_uploads(s, c.base, see_upload, p, &d->l->io_task, &err);
    }
    if (rc != MST_OK) {
        p->uploads = -1;
        p->since_wall_ms = 0;
        say(p, err.msg);
    }
}

void mst_look_store(struct depot *d)
{
    struct mst_look_part *p = mst_look_new();
    struct mst_store_keeps keeps = {.versions = -1, .locks = -1};
    struct mst_store *s = NULL;
    struct mst_err err = {0};

    show_loading(d);
    if (mst_depot_open(d, &s, &err) == MST_OK) {
        mst_store_keeps(s, &d->l->io_task, &keeps);
        p->versions = keeps.versions;
        p->locks = keeps.locks;
        if (keeps.text[0]) {
            say(p, keeps.text);
        }
        count_uploads(d, s, p);
        if (!mst_store_who(s, p->who, sizeof(p->who), &p->who_until_wall_ms)) {
            p->who[0] = '\0';
            p->who_until_wall_ms = 0;
        }
        mst_text_sanitise(p->who);
    } else {
        say(p, err.msg);
    }
    p->read_at_ms = mst_clock_mono_ms(NULL);
    mst_put_look_take(d, p);
}

void mst_look_readers(const struct mst_catalog *c, struct mst_task *task, struct mst_detail_part *p)
{
    struct mst_bkr *r = NULL;
    struct mst_err ignore = {0};

    if (mst_bkr_open_clear(c, p->id, task, &r, &ignore) == MST_OK && mst_bkr_header(r)->sealed &&
        mst_keyobj_opens(c, mst_bkr_header(r), task, p->opens, sizeof(p->opens), &ignore) !=
            MST_OK) {
        p->opens[0] = '\0';
    }
    mst_bkr_free(r);
}

void mst_look_commit(const struct mst_catalog *c, struct mst_detail_part *p)
{
    struct mst_store_info info = {0};
    struct mst_err err = {0};
    char key[MST_KEY_MAX];

    for (size_t i = 0; i < p->n_objects; i++) {
        const char *one = p->objects[i].storage_class;
        const bool same = strcmp(one, p->objects[0].storage_class) == 0;

        (void)mst_copy(p->storage_class, sizeof(p->storage_class), same ? one : "mixed");
        if (!same) {
            break;
        }
    }
    if (mst_store_is_local(c->store)) { /* a file is never locked, and has no versions */
        p->lock_known = true;
        return;
    }
    mst_catalog_key(c, p->id, "", "COMMIT", key);
    p->lock_known = mst_store_info(c->store, key, &info, &err) == MST_OK;
    if (!p->lock_known) {
        (void)mst_copy(p->lock_why, sizeof(p->lock_why), err.msg);
        mst_text_sanitise(p->lock_why);
        return;
    }
    (void)mst_copy(p->lock_mode, sizeof(p->lock_mode), info.lock_mode);
    (void)mst_copy(p->version, sizeof(p->version), info.version);
    mst_text_sanitise(p->lock_mode);
    mst_text_sanitise(p->version);
    p->locked_until_ms = info.locked_until_ms;
    (void)mst_copy(p->hold, sizeof(p->hold), info.hold);
}
