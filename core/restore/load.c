/* load.c: documents into staging, several collections at a time, each by one thread.
 *
 * Afterwards the collection is read back and must have exactly the kept count and sum. What a batch
 * refused goes one by one: load_doc.c.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "restore/load.h"
#include "store/store.h"

#define BATCH_BYTES (4u << 20)
#define LOADERS_MAX 16U
#define LISTED 20

/* Which documents of the batch the server refused; others were inserted. */
static void failed_of(const bson_t *reply, bool *failed, unsigned count)
{
    bson_iter_t it, list, in;

    if (!bson_iter_init_find(&it, reply, "writeErrors") || !bson_iter_recurse(&it, &list)) {
        return;
    }
    while (bson_iter_next(&list)) {
        if (bson_iter_recurse(&list, &in) && bson_iter_find(&in, "index")) {
            const int64_t i = bson_iter_as_int64(&in);

            if (i >= 0 && i < count) {
                failed[i] = true;
            }
        }
    }
}

static enum mst_rc flush(struct mst_loader *l, struct mst_err *err)
{
    bool failed[MST_LOAD_BATCH] = {false};
    const bool capped = mst_map_capped(l->c);
    uint8_t digest[MST_SHA256_LEN];
    bson_t reply;
    unsigned i;
    enum mst_rc rc;

    if (!l->count) {
        return MST_OK;
    }
    rc = mst_load_insert(l, l->batch.p, l->batch.len, capped, &reply, err);
    if (rc == MST_OK) {
        failed_of(&reply, failed, l->count);
    }
    for (i = 0; rc == MST_OK && capped && i < l->count; i++) {
        if (failed[i]) { /* ordered: what follows was not tried */
            memset(failed + i, 1, l->count - i);
            break;
        }
    }
    for (i = 0; rc == MST_OK && i < l->count; i++) {
        if (!failed[i]) {
            mst_sha256_one(&l->sha, l->batch.p + l->docs[i].at, l->docs[i].len, digest);
            mst_load_keep(l, digest, l->docs[i].len);
        }
    }
    for (i = 0; rc == MST_OK && i < l->count; i++) {
        if (failed[i]) {
            rc = mst_load_one(l, l->batch.p + l->docs[i].at, l->docs[i].len, err);
            if (rc != MST_OK) {
                rc = mst_load_refused(l, l->batch.p + l->docs[i].at, l->docs[i].len, err);
            }
        }
    }
    bson_destroy(&reply);
    mst_buf_reset(&l->batch);
    l->count = 0;
    return rc;
}

/* Lag of the secondaries, the wished rate, the cancel flag. */
static enum mst_rc pace(struct mst_loader *l, uint64_t bytes, struct mst_err *err)
{
    struct mst_load_crew *w = l->crew;
    const uint64_t all = atomic_fetch_add(&w->bytes, bytes) + bytes, rate = l->r->o->rate_bps;
    const int64_t now = mst_clock_mono_ms(NULL);
    enum mst_rc rc = MST_OK;

    mst_mutex_lock(&w->mtx);
    if (now >= l->r->next_pace_ms) {
        l->r->next_pace_ms = now + 1000;
        mst_mutex_unlock(&w->mtx);
        rc = mst_rs_pace(l->r, l->conn, err);
    } else {
        mst_mutex_unlock(&w->mtx);
    }
    if (rc == MST_OK && rate) {
        const int64_t due = w->began_ms + (int64_t)(all * 1000 / rate);

        if (due > now && !mst_task_sleep_ms(l->r->task, due - now)) {
            rc = mst_task_check(l->r->task, err);
        }
    }
    if (rc == MST_OK && atomic_load(&w->stop)) {
        rc = mst_err_set(err, MST_E_CANCELLED, "another load failed");
    }
    return rc == MST_OK ? mst_rs_at(l->r, "load", err) : rc;
}

static bool skipped(struct mst_loader *l, const uint8_t *doc, uint32_t n)
{
    uint8_t digest[MST_SHA256_LEN];
    struct mst_sum256 s = {{0}};
    size_t i;

    if (!l->n_skip) {
        return false;
    }
    mst_sha256_one(&l->sha, doc, n, digest);
    mst_sum256_get(&s, digest);
    for (i = 0; i < l->n_skip; i++) {
        if (mst_sum256_equal(&s, &l->skip[i])) {
            l->skip[i] = l->skip[--l->n_skip];
            l->c->doubles++;
            return true;
        }
    }
    return false;
}

static enum mst_rc load_docs(struct mst_loader *l, struct mst_src_docs *in, uint64_t *read,
                             struct mst_sum256 *sum, struct mst_err *err)
{
    const uint8_t *doc = NULL;
    uint32_t n = 0;
    uint8_t digest[MST_SHA256_LEN];
    bool has_id;
    enum mst_rc rc;

    while ((rc = in->next(in, &doc, &n, err)) == MST_OK && doc) {
        mst_sha256_one(&l->sha, doc, n, digest);
        mst_sum256_add(sum, digest);
        (*read)++;
        l->counted += n;
        if (l->r->task) {
            atomic_fetch_add(&l->r->task->done_bytes, n);
        }
        if (skipped(l, doc, n)) {
            continue;
        }
        if (l->count == MST_LOAD_BATCH || (l->count && l->batch.len + n > BATCH_BYTES) ||
            (l->count && mst_load_needs_apply(doc, n, &has_id))) {
            const uint64_t bytes = l->batch.len;

            rc = flush(l, err);
            if (rc == MST_OK) {
                rc = pace(l, bytes, err);
            }
            if (rc != MST_OK) {
                return rc;
            }
        }
        if (mst_load_needs_apply(doc, n, &has_id)) {
            rc = mst_load_one(l, doc, n, err);
            if (rc != MST_OK) {
                return mst_load_refused(l, doc, n, err);
            }
            continue;
        }
        l->docs[l->count].at = l->batch.len;
        l->docs[l->count++].len = n;
        mst_buf_add(&l->batch, doc, n);
    }
    if (rc == MST_OK && l->count) {
        const uint64_t bytes = l->batch.len;

        return flush(l, err) == MST_OK ? pace(l, bytes, err) : err->rc;
    }
    return rc;
}

/* One pass over a collection; a capped one with doubles takes two. */
static enum mst_rc load_pass(struct mst_loader *l, struct mst_err *err)
{
    const struct mst_src_coll *from = &l->r->s->colls[l->n];
    struct mst_src_docs *in = NULL;
    struct mst_sum256 sum = {{0}};
    uint64_t read = 0;
    char show[MST_NS_MAX];
    enum mst_rc rc = l->r->s->open_docs(l->r->s, l->n, &in, err);

    memset(&l->c->kept, 0, sizeof l->c->kept);
    l->c->loaded = l->c->loaded_bytes = 0;
    if (l->again && l->r->task) { /* what was loaded before does not count twice */
        atomic_fetch_sub(&l->r->task->done_bytes, l->counted);
    }
    l->counted = 0;
    l->again = false;
    l->count = 0;
    mst_buf_reset(&l->batch);
    if (rc == MST_OK) {
        rc = load_docs(l, in, &read, &sum, err);
        in->close(in);
    }
    if (rc == MST_OK &&
        (read != from->documents || (from->has_sum && !mst_sum256_equal(&sum, &from->sum)))) {
        rc = mst_err_set(err, MST_E_INTEGRITY,
                         "%s: documents read %llu, the manifest has %llu, or their sum differs",
                         mst_ns_show(l->c->db, l->c->coll, show), (unsigned long long)read,
                         (unsigned long long)from->documents);
    }
    return rc;
}

static enum mst_rc read_back(struct mst_loader *l, struct mst_err *err)
{
    uint64_t count = 0;
    struct mst_sum256 sum;
    char show[MST_NS_MAX];
    const enum mst_rc rc = mst_sum_collection(l->r, l->conn, l->c->db, l->name, &count, &sum, err);

    if (rc != MST_OK) {
        return rc;
    }
    if (mst_map_capped(l->c)) { /* the server may have dropped the oldest while we loaded */
        return count <= l->c->loaded
                   ? MST_OK
                   : mst_err_set(err, MST_E_INTEGRITY, "%s: more documents than were loaded",
                                 mst_ns_show(l->c->db, l->c->coll, show));
    }
    if (count != l->c->loaded || !mst_sum256_equal(&sum, &l->c->kept)) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s: documents loaded %llu, read back %llu, or their sum "
                           "differs",
                           mst_ns_show(l->c->db, l->c->coll, show),
                           (unsigned long long)l->c->loaded, (unsigned long long)count);
    }
    return MST_OK;
}

static enum mst_rc load_one(struct mst_loader *l, struct mst_err *err)
{
    char show[MST_NS_MAX];
    enum mst_rc rc;

    mst_stage_name(l->r->run, false, l->n, l->name);
    mst_task_phase(l->r->task, "loading %.80s", mst_ns_show(l->c->db, l->c->coll, show));
    l->c->doubles = 0;
    l->n_skip = 0;
    rc = load_pass(l, err);
    while (rc == MST_OK && l->again) {
        l->c->doubles = 0;
        rc =
            mst_rs_do_take(l->conn, l->c->db, BCON_NEW("drop", BCON_UTF8(l->name)), MST_RS_MS, err);
        if (rc == MST_OK) {
            mst_mutex_lock(&l->crew->mtx);
            rc = mst_stage_create(l->r, l->c, l->n, err);
            mst_mutex_unlock(&l->crew->mtx);
        }
        rc = rc == MST_OK ? load_pass(l, err) : rc;
    }
    return rc == MST_OK ? read_back(l, err) : rc;
}

static void work(void *arg)
{
    struct mst_load_crew *w = arg;
    struct mst_loader *l = mst_xcalloc(1, sizeof *l);
    struct mst_err err = {0};
    enum mst_rc rc;

    l->crew = w;
    l->r = w->r;
    mst_sha256_init(&l->sha);
    mst_store_work_for(w->r->task);
    rc = mst_rs_connect(w->r->o, "muster restore load", w->r->task, &l->conn, &err);
    while (rc == MST_OK && !atomic_load(&w->stop)) {
        const size_t n = atomic_fetch_add(&w->next, 1);

        if (n >= w->r->map.from_source) {
            break;
        }
        l->c = &w->r->map.c[n];
        l->n = n;
        if (l->c->staged && (rc = load_one(l, &err)) == MST_OK) {
            mst_task_item_done(w->r->task);
        }
    }
    if (rc != MST_OK) {
        mst_mutex_lock(&w->mtx);
        w->first = w->first.rc == MST_OK ? err : w->first;
        mst_mutex_unlock(&w->mtx);
        atomic_store(&w->stop, true);
    }
    mst_conn_free(l->conn);
    mst_buf_release(&l->batch);
    mst_sha256_release(&l->sha);
    free(l->skip);
    free(l);
}

enum mst_rc mst_load_all(struct mst_rs *r, struct mst_err *err)
{
    struct mst_load_crew w = {.r = r};
    struct mst_thread threads[LOADERS_MAX] = {{0}};
    unsigned n = r->o->loaders ? r->o->loaders : 2, i;
    enum mst_rc rc = MST_OK;

    n = n > LOADERS_MAX ? LOADERS_MAX : n;
    mst_mutex_init(&w.mtx);
    w.began_ms = mst_clock_mono_ms(NULL);
    for (i = 0; rc == MST_OK && i < n; i++) {
        rc = mst_thread_start(&threads[i], "load", work, &w, err);
        if (rc != MST_OK) {
            atomic_store(&w.stop, true);
        }
    }
    for (i = 0; i < n; i++) {
        mst_thread_join(&threads[i]);
    }
    mst_mutex_release(&w.mtx);
    if (rc == MST_OK && w.first.rc != MST_OK) {
        *err = w.first;
        rc = err->rc;
    }
    return rc == MST_OK ? mst_rs_wait_majority(r, err) : rc;
}
