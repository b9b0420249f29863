/* load.c: documents into staging, several collections at a time, each by one thread.
 *
 * A scan that reads while documents move can meet one twice. The server's own _id index says which
 * (its equality, with the collection's collation): the earlier read is taken out again, so the last
 * one is kept, and the sum is corrected by what was taken out. Afterwards the collection is read
 * back and must have exactly the kept count and sum.
 *
 * Some documents would not survive an insert: a server replaces Timestamp(0,0) at the top level and
 * moves _id to the front. Those go through applyOps, which takes the bytes as they are.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conc/thread.h"
#include "restore/target.h"
#include "store/store.h"

#define BATCH_DOCS 1000U
#define BATCH_BYTES (4u << 20)
#define LOADERS_MAX 16U
#define LISTED 20

struct crew {
    struct mst_rs *r;
    atomic_size_t next;
    atomic_bool stop;
    struct mst_mutex mtx; /* of first and the pace */
    struct mst_err first;
    atomic_uint_fast64_t bytes;
    int64_t began_ms;
};

struct loader {
    struct crew *crew;
    struct mst_rs *r;
    struct mst_conn *conn;
    struct mst_map_coll *c;
    size_t n; /* staging number */
    char name[MST_STAGE_MAX];
    struct mst_buf batch;
    struct {
        size_t at;
        uint32_t len;
    } docs[BATCH_DOCS];
    unsigned count;
    struct mst_sha256 sha;
    struct mst_sum256 *skip; /* capped: digests of reads that a later one replaces */
    size_t n_skip, cap_skip;
    bool again;       /* capped: a double was found, load once more */
    uint64_t counted; /* bytes of this pass in the task's progress */
};

static enum mst_rc insert_one(struct loader *l, const uint8_t *doc, uint32_t n,
                              struct mst_err *err);

/* Would the server store other bytes than these? */
static bool needs_apply(const uint8_t *doc, uint32_t n, bool *has_id)
{
    bson_t b;
    bson_iter_t it;
    bool first = true, odd = false;

    *has_id = false;
    if (!bson_init_static(&b, doc, n) || !bson_iter_init(&it, &b)) {
        return true;
    }
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        const bool id = strcmp(key, "_id") == 0;

        *has_id = *has_id || id;
        odd = odd || (first && !id) || (key[0] == '$' && !first);
        if (BSON_ITER_HOLDS_TIMESTAMP(&it) && !id) {
            uint32_t t = 0, i = 0;

            bson_iter_timestamp(&it, &t, &i);
            odd = odd || (t == 0 && i == 0);
        }
        first = false;
    }
    return odd;
}

static void id_of(const uint8_t *doc, uint32_t n, const char *as, bson_t *out)
{
    bson_t b;
    bson_iter_t it;

    bson_init(out);
    if (bson_init_static(&b, doc, n) && bson_iter_init_find(&it, &b, "_id")) {
        (void)bson_append_iter(out, as, -1, &it);
    }
}

/* {as: {_id: {$eq: ...}}}: $eq, or an _id that is a regular expression would be a pattern. */
static void id_filter(const uint8_t *doc, uint32_t n, bson_t *out)
{
    bson_t eq;

    id_of(doc, n, "$eq", &eq);
    bson_init(out);
    BSON_APPEND_DOCUMENT(out, "_id", &eq);
    bson_destroy(&eq);
}

/* The bytes in staging under this _id; *found false when there are none. */
static enum mst_rc stored_as(struct loader *l, const uint8_t *doc, uint32_t n,
                             uint8_t digest[MST_SHA256_LEN], uint32_t *len, bool *found,
                             struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("find", BCON_UTF8(l->name)), filter;
    struct mst_cursor *cur = NULL;
    const bson_t *got = NULL;
    enum mst_rc rc;

    id_filter(doc, n, &filter);
    BSON_APPEND_DOCUMENT(cmd, "filter", &filter);
    BSON_APPEND_INT64(cmd, "limit", 1);
    BSON_APPEND_BOOL(cmd, "singleBatch", true);
    rc = mst_cursor_open(l->conn, l->c->db, cmd, MST_RS_MS, &cur, err);
    if (rc == MST_OK) {
        rc = mst_cursor_next(cur, &got, err);
    }
    *found = rc == MST_OK && got;
    if (*found) {
        mst_sha256_one(&l->sha, bson_get_data(got), got->len, digest);
        *len = got->len;
    }
    mst_cursor_free(cur);
    bson_destroy(&filter);
    bson_destroy(cmd);
    return rc;
}

static enum mst_rc delete_id(struct loader *l, const uint8_t *doc, uint32_t n, struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("delete", BCON_UTF8(l->name)), filter, list, one;

    id_filter(doc, n, &filter);
    BSON_APPEND_ARRAY_BEGIN(cmd, "deletes", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    BSON_APPEND_DOCUMENT(&one, "q", &filter);
    BSON_APPEND_INT32(&one, "limit", 1);
    bson_append_document_end(&list, &one);
    bson_append_array_end(cmd, &list);
    bson_destroy(&filter);
    return mst_rs_do_take(l->conn, l->c->db, cmd, MST_RS_MS, err);
}

static void keep(struct loader *l, const uint8_t digest[MST_SHA256_LEN], uint32_t len)
{
    mst_sum256_add(&l->c->kept, digest);
    l->c->loaded++;
    l->c->loaded_bytes += len;
}

static void unkeep(struct loader *l, const uint8_t digest[MST_SHA256_LEN], uint32_t len)
{
    mst_sum256_sub(&l->c->kept, digest);
    l->c->loaded--;
    l->c->loaded_bytes -= len;
    l->c->doubles++;
}

/* The server has this _id already: the earlier read gives way. */
static enum mst_rc double_read(struct loader *l, const uint8_t *doc, uint32_t n,
                               struct mst_err *err)
{
    uint8_t old[MST_SHA256_LEN];
    uint32_t old_len = 0;
    bool found = false;

    if (stored_as(l, doc, n, old, &old_len, &found, err) != MST_OK) {
        return err->rc;
    }
    if (!found) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "a document is refused as a duplicate of an _id that is not there");
    }
    if (l->r->o->defect_keep_doubles) {
        mst_sha256_one(&l->sha, doc, n, old);
        keep(l, old, n);
        return MST_OK;
    }
    if (mst_map_capped(l->c)) { /* nothing can be deleted: note it and load once more */
        struct mst_sum256 s = {{0}};

        mst_sum256_get(&s, old);
        mst_grow((void **)&l->skip, &l->cap_skip, l->n_skip + 1, sizeof *l->skip);
        l->skip[l->n_skip++] = s;
        l->again = true;
        return MST_OK;
    }
    if (delete_id(l, doc, n, err) != MST_OK) {
        return err->rc;
    }
    unkeep(l, old, old_len);
    return insert_one(l, doc, n, err);
}

static enum mst_rc insert_docs(struct loader *l, const uint8_t *p, size_t n, bool ordered,
                               bson_t *reply, struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("insert", BCON_UTF8(l->name), "ordered", BCON_BOOL(ordered),
                           "bypassDocumentValidation", BCON_BOOL(true), "writeConcern", "{", "w",
                           BCON_INT32(1), "}");
    const enum mst_rc rc =
        mst_conn_command_docs(l->conn, l->c->db, cmd, "documents", p, n, MST_RS_MS * 4, reply, err);

    bson_destroy(cmd);
    return rc;
}

/* Through applyOps: nothing is added, moved or replaced. An insert of a known _id would replace it
 * silently, so the server is asked first. */
static enum mst_rc insert_as_is(struct loader *l, const uint8_t *doc, uint32_t n,
                                struct mst_err *err)
{
    bson_t *cmd = bson_new(), ops, op, o;
    char ns[MST_NS_MAX];
    uint8_t digest[MST_SHA256_LEN];
    uint32_t len = 0;
    bool found = false;
    enum mst_rc rc = stored_as(l, doc, n, digest, &len, &found, err);

    if (rc != MST_OK || found) {
        bson_destroy(cmd);
        return rc == MST_OK ? double_read(l, doc, n, err) : rc;
    }
    (void)snprintf(ns, sizeof ns, "%s.%s", l->c->db, l->name);
    BSON_APPEND_ARRAY_BEGIN(cmd, "applyOps", &ops);
    BSON_APPEND_DOCUMENT_BEGIN(&ops, "0", &op);
    BSON_APPEND_UTF8(&op, "op", "i");
    BSON_APPEND_UTF8(&op, "ns", ns);
    BSON_APPEND_BINARY(&op, "ui", BSON_SUBTYPE_UUID, l->c->staged_uuid, 16);
    (void)bson_init_static(&o, doc, n);
    BSON_APPEND_DOCUMENT(&op, "o", &o);
    bson_append_document_end(&ops, &op);
    bson_append_array_end(cmd, &ops);
    BSON_APPEND_BOOL(cmd, "bypassDocumentValidation", true);
    rc = mst_rs_do_take(l->conn, "admin", cmd, MST_RS_MS, err);
    if (rc == MST_OK) {
        mst_sha256_one(&l->sha, doc, n, digest);
        keep(l, digest, n);
    }
    return rc;
}

static enum mst_rc insert_one(struct loader *l, const uint8_t *doc, uint32_t n, struct mst_err *err)
{
    bson_t reply;
    struct mst_err e = {0};
    uint8_t digest[MST_SHA256_LEN];
    bool has_id;
    enum mst_rc rc;

    if (needs_apply(doc, n, &has_id)) {
        return has_id ? insert_as_is(l, doc, n, err)
                      : mst_err_set(err, MST_E_PRECOND, "a document without _id");
    }
    rc = insert_docs(l, doc, n, true, &reply, err);
    if (rc == MST_OK && mst_reply_write_error(&reply, &e) != MST_OK) {
        if (e.detail == MST_SC_DUP_KEY) {
            rc = double_read(l, doc, n, err);
        } else {
            rc = insert_as_is(l, doc, n, err);
        }
    } else if (rc == MST_OK) {
        mst_sha256_one(&l->sha, doc, n, digest);
        keep(l, digest, n);
    }
    bson_destroy(&reply);
    return rc;
}

static enum mst_rc refused(struct loader *l, const uint8_t *doc, uint32_t n, struct mst_err *err)
{
    bson_t id;
    char *json, show[MST_NS_MAX];

    id_of(doc, n, "_id", &id);
    json = bson_as_relaxed_extended_json(&id, NULL);
    mst_err_prefix(err, "document %.120s of %s", json ? json : "?",
                   mst_ns_show(l->c->db, l->c->coll, show));
    bson_free(json);
    bson_destroy(&id);
    return err->rc;
}

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

static enum mst_rc flush(struct loader *l, struct mst_err *err)
{
    bool failed[BATCH_DOCS] = {false};
    const bool capped = mst_map_capped(l->c);
    uint8_t digest[MST_SHA256_LEN];
    bson_t reply;
    unsigned i;
    enum mst_rc rc;

    if (!l->count) {
        return MST_OK;
    }
    rc = insert_docs(l, l->batch.p, l->batch.len, capped, &reply, err);
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
            keep(l, digest, l->docs[i].len);
        }
    }
    for (i = 0; rc == MST_OK && i < l->count; i++) {
        if (failed[i]) {
            rc = insert_one(l, l->batch.p + l->docs[i].at, l->docs[i].len, err);
            if (rc != MST_OK) {
                rc = refused(l, l->batch.p + l->docs[i].at, l->docs[i].len, err);
            }
        }
    }
    bson_destroy(&reply);
    mst_buf_reset(&l->batch);
    l->count = 0;
    return rc;
}

/* Lag of the secondaries, the wished rate, the cancel flag. */
static enum mst_rc pace(struct loader *l, uint64_t bytes, struct mst_err *err)
{
    struct crew *w = l->crew;
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

static bool skipped(struct loader *l, const uint8_t *doc, uint32_t n)
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

static enum mst_rc load_docs(struct loader *l, struct mst_src_docs *in, uint64_t *read,
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
        if (l->count == BATCH_DOCS || (l->count && l->batch.len + n > BATCH_BYTES) ||
            (l->count && needs_apply(doc, n, &has_id))) {
            const uint64_t bytes = l->batch.len;

            rc = flush(l, err);
            if (rc == MST_OK) {
                rc = pace(l, bytes, err);
            }
            if (rc != MST_OK) {
                return rc;
            }
        }
        if (needs_apply(doc, n, &has_id)) {
            rc = insert_one(l, doc, n, err);
            if (rc != MST_OK) {
                return refused(l, doc, n, err);
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
static enum mst_rc load_pass(struct loader *l, struct mst_err *err)
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

static enum mst_rc read_back(struct loader *l, struct mst_err *err)
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

static enum mst_rc load_one(struct loader *l, struct mst_err *err)
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
    struct crew *w = arg;
    struct loader *l = mst_xcalloc(1, sizeof *l);
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
    struct crew w = {.r = r};
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
