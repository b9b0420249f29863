/* What the service at the endpoint really does is asked once: Google's does all of it, others that
 * speak its API accept a condition or a checksum and ignore it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/gcs_own.h"

#define LOOK_MS 200
#define FOLDER MST_STORE_PROBES "/"
#define BODY "muster asks what this store can do; this object may be removed\n"

const struct mst_store_caps *gcs_caps(const struct mst_store *s)
{
    const struct gcs *g = (const struct gcs *)(const void *)s;
    const struct mst_store_caps *have = atomic_load(&g->probed);

    return have ? have : &s->caps;
}

static enum mst_rc put(struct gcs *g, const char *key, bool session, bool false_sum,
                       struct mst_err *err)
{
    struct mst_store_put *p;

    if (gcs_begin(&g->base, key, &p, err) != MST_OK) {
        return err->rc;
    }
    if (gcs_add(p, BODY, sizeof(BODY) - 1, err) != MST_OK) {
        gcs_abort(p);
        return err->rc;
    }
    return gcs_finish_as(p, session, false_sum, err);
}

static void note(struct mst_store_caps *caps, const char *what)
{
    const size_t n = strlen(caps->text);

    (void)snprintf(caps->text + n, sizeof(caps->text) - n, "%s%s", n ? "; " : "", what);
}

/* Whoever may not delete leaves it there: one small object, found again by the next probe. */
static void clean(struct gcs *g, const char *key)
{
    struct mst_err ignored = {0};

    (void)!gcs_remove(&g->base, key, &ignored);
}

/* A name that is taken must be refused, by either way of writing. */
static enum mst_rc find_create_only(struct gcs *g, struct mst_store_caps *caps, struct mst_err *err)
{
    static const char key[] = FOLDER "create-only";
    struct mst_err why = {0};
    enum mst_rc rc = put(g, key, false, false, err);

    if (rc != MST_OK && rc != MST_E_EXISTS) {
        return rc;
    }
    caps->create_only = true;
    for (int session = 0; session < 2; session++) {
        rc = put(g, key, session != 0, false, &why);
        if (rc == MST_OK) {
            caps->create_only = false;
            note(caps, session ? "a resumable upload overwrites" : "a multipart upload overwrites");
        } else if (rc != MST_E_EXISTS) {
            *err = why;
            return rc;
        }
    }
    clean(g, key);
    return MST_OK;
}

static enum mst_rc find_checksums(struct gcs *g, struct mst_store_caps *caps, struct mst_err *err)
{
    static const char key[] = FOLDER "checksum";
    struct mst_err why = {0};
    const enum mst_rc rc = put(g, key, false, true, &why);

    if (rc == MST_E_SERVER && why.detail == 400) {
        caps->checksums = true;
        return MST_OK;
    }
    clean(g, key);
    if (rc != MST_E_INTEGRITY && rc != MST_E_EXISTS) {
        *err = why;
        return rc;
    }
    note(caps, "it accepts a false checksum: what it holds is compared instead");
    return MST_OK;
}

void gcs_keeps(struct mst_store *s, struct mst_task *task, struct mst_store_keeps *out)
{
    struct mst_err why = {0};
    struct gcs_bucket b;

    if (gcs_settings(gcs_of(s), task, &b, &why) == MST_OK) {
        out->versions = b.versions;
        out->locks = b.locks;
    } else {
        out->versions = out->locks = -1;
        (void)mst_copy(out->text, sizeof(out->text), why.msg);
    }
}

static void find_settings(struct gcs *g, struct mst_store_caps *caps, struct mst_task *task)
{
    struct mst_store_keeps keeps = {0};

    gcs_keeps(&g->base, task, &keeps);
    caps->versions = keeps.versions > 0;
    caps->lock = keeps.locks > 0;
    if (keeps.versions < 0) {
        caps->unknown = true;
        note(caps, "whether it keeps versions and locks is not known (storage.buckets.get)");
    }
}

static enum mst_rc ask_all(struct gcs *g, struct mst_task *task, struct mst_err *err)
{
    struct mst_store_caps *caps = mst_xcalloc(1, sizeof(*caps));
    enum mst_rc rc;

    caps->multipart = caps->ranges = true;
    rc = find_create_only(g, caps, err);
    rc = rc == MST_OK ? find_checksums(g, caps, err) : rc;
    if (rc != MST_OK) {
        free(caps);
        return rc;
    }
    find_settings(g, caps, task);
    atomic_store(&g->probed, caps);
    return MST_OK;
}

enum mst_rc gcs_probe(struct mst_store *s, struct mst_task *task, struct mst_err *err)
{
    struct gcs *g = gcs_of(s);
    enum mst_rc rc;
    bool mine;

    if (!g->write) {
        return mst_err_set(err, MST_E_PRECOND, "the store %s is opened for reading only", s->name);
    }
    mst_mutex_lock(&g->mtx);
    while (g->probing && !mst_task_cancelled(task)) {
        (void)mst_cond_wait_ms(&g->done, &g->mtx, LOOK_MS);
    }
    mine = !g->probing && !atomic_load(&g->probed);
    g->probing = g->probing || mine;
    mst_mutex_unlock(&g->mtx);
    if (!mine) {
        return atomic_load(&g->probed) ? MST_OK : mst_task_check(task, err);
    }
    rc = ask_all(g, task, err);
    mst_mutex_lock(&g->mtx);
    g->probing = false;
    mst_cond_broadcast(&g->done);
    mst_mutex_unlock(&g->mtx);
    return rc;
}

enum mst_rc gcs_put_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                          struct mst_err *err)
{
    struct gcs *g = gcs_of(s);
    const struct mst_store_caps *caps;

    if (g->write && g->ask_first && gcs_probe(s, mst_store_works_for(), err) != MST_OK) {
        return err->rc;
    }
    caps = gcs_caps(s);
    if (g->write && g->ask_first && !caps->create_only) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the store %s (%s) cannot keep two writers from overwriting each other "
                           "(%s): nothing is written there",
                           s->name, s->where, caps->text);
    }
    return gcs_begin(s, key, out, err);
}
