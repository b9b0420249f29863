/* Scans: each thread has a connection, a logical session and a segment of its own, and takes one
 * collection after the other. A document is copied as the bytes that came, hashed and added to the
 * frame in work; nothing is allocated for it.
 */
#include "backup/internal.h"

#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define RETRIES 5
#define BATCH_BYTES (6U * 1024U * 1024U)
#define REFRESH_MS (5 * 60 * 1000)

struct scan {
    struct run *r;
    unsigned number;
    struct mst_conn *conn;
    struct sink sink;
    struct mst_sha256 sha;
    bson_t lsid;
    int64_t refreshed_ms;
    /* of the collection in work */
    struct entry *e;
    uint64_t from; /* offset where its open extent begins in the segment */
    uint64_t ext_docs, ext_data;
    bson_t token; /* resume token; empty: none */
    bool by_name, no_token;
    uint64_t batch_docs, batch_bytes;
};

/* --- extents ---------------------------------------------------------------------------------- */

static void extent_begin(struct scan *s)
{
    s->from = mst_segw_offset(s->sink.w);
    s->ext_docs = s->ext_data = 0;
}

static enum mst_rc extent_end(struct scan *s, struct mst_err *err)
{
    struct entry *e = s->e;
    struct mst_extent *x;

    if (!s->sink.w || !s->ext_docs) {
        return MST_OK;
    }
    if (mst_segw_cut(s->sink.w, err) != MST_OK) {
        return err->rc;
    }
    e->extents = mst_xrealloc(e->extents, (e->n_extents + 1U) * sizeof(*e->extents));
    x = &e->extents[e->n_extents++];
    memset(x, 0, sizeof(*x));
    x->object = s->sink.index;
    x->offset = s->from;
    x->stored_bytes = mst_segw_offset(s->sink.w) - s->from;
    x->data_bytes = s->ext_data;
    x->documents = s->ext_docs;
    s->ext_docs = s->ext_data = 0;
    return MST_OK;
}

/* Forget what was read of the collection: its frames stay in the segment and belong to nobody. */
static enum mst_rc forget(struct scan *s, struct mst_err *err)
{
    struct entry *e = s->e;

    free(e->extents);
    e->extents = NULL;
    e->n_extents = 0;
    e->documents = e->data_bytes = 0;
    memset(&e->sum, 0, sizeof(e->sum));
    bson_reinit(&s->token);
    if (s->sink.w && s->ext_docs) {
        if (mst_segw_cut(s->sink.w, err) != MST_OK) {
            return err->rc;
        }
        extent_begin(s); /* behind them */
    }
    return MST_OK;
}

static enum mst_rc add_doc(struct scan *s, const bson_t *doc, struct mst_err *err)
{
    uint8_t digest[MST_SHA256_LEN];
    const uint8_t *p = bson_get_data(doc);

    if (!s->sink.w || sink_full(&s->sink)) {
        if (extent_end(s, err) != MST_OK || sink_ready(&s->sink, err) != MST_OK) {
            return err->rc;
        }
        extent_begin(s);
    }
    mst_sha256_one(&s->sha, p, doc->len, digest);
    mst_sum256_add(&s->e->sum, digest);
    s->e->documents++;
    s->e->data_bytes += doc->len;
    s->ext_docs++;
    s->ext_data += doc->len;
    s->batch_docs++;
    s->batch_bytes += doc->len;
    return sink_add(&s->sink, p, doc->len, err);
}

/* --- pace ------------------------------------------------------------------------------------- */

static void scan_point(struct scan *s, const char *point)
{
    const struct mst_backup_opts *o = s->r->o;
    char ns[64 + 256 + 2];

    if (o->scan_at) {
        (void)snprintf(ns, sizeof(ns), "%s.%s", s->e->db, s->e->coll);
        o->scan_at(o->at_arg, ns, point);
    }
}

/* Of a few MiB: memory stays small and a cancel is quick. */
static int32_t batch_size(const struct scan *s)
{
    const uint64_t mean = s->batch_bytes / s->batch_docs + 1, docs = BATCH_BYTES / mean;
    const uint32_t most = s->r->o->batch_docs ? s->r->o->batch_docs : 200000;

    return docs < 1 ? 1 : docs > most ? (int32_t)most : (int32_t)docs;
}

/* Between batches: progress, rate, pause, the session. */
static enum mst_rc between(struct scan *s, struct mst_cursor *cur, struct mst_err *err)
{
    struct run *r = s->r;
    int64_t wait = 0;

    atomic_fetch_add(&r->outer->done_bytes, s->batch_bytes);
    if (s->batch_docs) {
        mst_cursor_batch(cur, batch_size(s));
    }
    if (mst_cursor_id(cur)) {
        scan_point(s, "batch");
    }
    if (r->o->rate_bps) {
        mst_mutex_lock(&r->mtx);
        r->rate_bytes += s->batch_bytes;
        wait = (int64_t)(r->rate_bytes * 1000 / r->o->rate_bps) -
               (mst_clock_mono_ms(NULL) - r->rate_start_ms);
        mst_mutex_unlock(&r->mtx);
    }
    s->batch_docs = s->batch_bytes = 0;
    while ((wait > 0 || atomic_load(&r->paused)) && !mst_task_cancelled(&r->task)) {
        const int64_t step = wait > 0 && wait < 200 ? wait : 200;

        (void)mst_task_sleep_ms(&r->task, step);
        wait -= step;
    }
    if (mst_clock_mono_ms(NULL) - s->refreshed_ms > REFRESH_MS) {
        struct mst_err ignored = {0};

        (void)(mst_conn_refresh(s->conn, &s->lsid, CMD_MS, &ignored) == MST_OK);
        s->refreshed_ms = mst_clock_mono_ms(NULL);
    }
    return mst_task_check(&r->task, err);
}

/* --- one collection --------------------------------------------------------------------------- */

static void find_command(struct scan *s, bson_t *cmd)
{
    const bool token = s->r->wire >= 9 && !s->no_token;
    bson_t sub;

    if (s->by_name) {
        BSON_APPEND_UTF8(cmd, "find", s->e->coll);
    } else {
        BSON_APPEND_BINARY(cmd, "find", BSON_SUBTYPE_UUID, s->e->uuid, MST_UUID_LEN);
    }
    BSON_APPEND_DOCUMENT_BEGIN(cmd, "hint", &sub);
    BSON_APPEND_INT32(&sub, "$natural", 1);
    bson_append_document_end(cmd, &sub);
    BSON_APPEND_BOOL(cmd, "noCursorTimeout", true);
    if (s->r->o->batch_docs) {
        BSON_APPEND_INT32(cmd, "batchSize", (int32_t)s->r->o->batch_docs);
    }
    BSON_APPEND_UTF8(cmd, "comment", s->r->comment);
    if (token) {
        BSON_APPEND_BOOL(cmd, "$_requestResumeToken", true);
        if (!bson_empty(&s->token)) {
            BSON_APPEND_DOCUMENT(cmd, "$_resumeAfter", &s->token);
        }
    }
    BSON_APPEND_DOCUMENT(cmd, "lsid", &s->lsid);
}

static enum mst_rc read_all(struct scan *s, struct mst_cursor *cur, struct mst_err *err)
{
    const bson_t *doc;

    for (;;) {
        if (mst_cursor_at_batch_end(cur)) {
            const bson_t *token = mst_cursor_resume(cur);

            if (token) { /* it stands for everything that was taken so far */
                bson_reinit(&s->token);
                (void)bson_concat(&s->token, token);
            }
            if (between(s, cur, err) != MST_OK) {
                return err->rc;
            }
        }
        if (mst_cursor_next(cur, &doc, err) != MST_OK) {
            return err->rc;
        }
        if (!doc) {
            return MST_OK;
        }
        if (add_doc(s, doc, err) != MST_OK) {
            return err->rc;
        }
    }
}

static enum mst_rc try_scan(struct scan *s, struct mst_err *err)
{
    struct mst_cursor *cur = NULL;
    bson_t cmd = BSON_INITIALIZER;
    enum mst_rc rc = MST_OK;

    if (!s->conn) {
        rc = run_connect(s->r, "scan", &s->conn, err);
        s->refreshed_ms = mst_clock_mono_ms(NULL);
    }
    if (rc == MST_OK) {
        find_command(s, &cmd);
        rc = mst_cursor_open(s->conn, s->e->db, &cmd, SCAN_MS, &cur, err);
    }
    if (rc == MST_OK && bson_empty(&s->token) && s->e->documents) {
        rc = forget(s, err); /* what was read before cannot be continued */
    }
    if (rc == MST_OK) {
        rc = read_all(s, cur, err);
    }
    mst_cursor_free(cur);
    bson_destroy(&cmd);
    if (s->conn && mst_conn_broken(s->conn)) {
        mst_conn_free(s->conn);
        s->conn = NULL;
    }
    return rc;
}

/* The name must lead to the same UUID before and after a scan by name. */
static enum mst_rc check_name(struct scan *s, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, filter;
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    uint8_t now[MST_UUID_LEN];
    enum mst_rc rc;

    if (!s->e->has_uuid) {
        bson_destroy(&cmd);
        return MST_OK;
    }
    BSON_APPEND_INT32(&cmd, "listCollections", 1);
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "filter", &filter);
    BSON_APPEND_UTF8(&filter, "name", s->e->coll);
    bson_append_document_end(&cmd, &filter);
    rc = mst_cursor_open(s->conn, s->e->db, &cmd, CMD_MS, &cur, err);
    bson_destroy(&cmd);
    if (rc == MST_OK) {
        rc = mst_cursor_next(cur, &doc, err);
    }
    if (rc == MST_OK &&
        (!doc || !uuid_of(doc, "info.uuid", now) || memcmp(now, s->e->uuid, sizeof(now)) != 0)) {
        rc = mst_err_set(err, MST_E_PRECOND,
                         "%s.%s was renamed, dropped or made anew while it was read by name (this "
                         "user may not read by UUID): start again, or give the user the built-in "
                         "role backup",
                         s->e->db, s->e->coll);
    }
    mst_cursor_free(cur);
    return rc;
}

static bool passes(enum mst_rc rc, int code)
{
    switch (code) {
    case MST_SC_CURSOR_NOT_FOUND: /* and what ends a cursor when its collection is renamed, */
    case 175:                     /* QueryPlanKilled */
    case 237:                     /* CursorKilled */
    case 96:                      /* OperationFailed */
    case 211:                     /* KeyNotFound: the token's record is gone */
    case 11601:                   /* Interrupted */
    case 11602:                   /* InterruptedDueToReplStateChange */
    case MST_SC_CAPPED_LOST:
        return true;
    default:
        return rc == MST_E_NET || rc == MST_E_TIMEOUT;
    }
}

static enum mst_rc dropped(struct scan *s, struct mst_err *err)
{
    s->e->state = MST_NS_DROPPED; /* proved at the end: the oplog must have the drop */
    return forget(s, err);
}

/* What to do about a failed try: MST_OK is another try. */
static enum mst_rc after_failure(struct scan *s, enum mst_rc rc, unsigned *failures,
                                 struct mst_err *err)
{
    const int code = err->detail;

    if (rc == MST_E_AUTH && !s->by_name && code == MST_SC_UNAUTHORIZED) {
        mst_task_log(s->r->outer, "%s.%s is read by name: this user may not read by UUID", s->e->db,
                     s->e->coll);
        s->by_name = true;
        return MST_OK;
    }
    if (rc == MST_E_SERVER && code == 9 && !s->no_token && s->r->wire >= 9) {
        s->no_token = true; /* FailedToParse: a server without resume tokens */
        return forget(s, err);
    }
    if (!passes(rc, code) || mst_task_cancelled(&s->r->task) || ++*failures > RETRIES) {
        return rc;
    }
    if (code == 211) {
        bson_reinit(&s->token);
    }
    mst_task_log(s->r->outer, "%s.%s is %s: %s", s->e->db, s->e->coll,
                 bson_empty(&s->token) ? "read again from its start" : "continued", err->msg);
    (void)mst_task_sleep_ms(&s->r->task, 300);
    return MST_OK;
}

static enum mst_rc scan_entry(struct scan *s, struct mst_err *err)
{
    struct entry *e = s->e;
    unsigned failures = 0;
    enum mst_rc rc;

    s->by_name = !e->has_uuid || (s->r->o->plant & MST_PLANT_SCAN_BY_NAME);
    bson_reinit(&s->token);
    s->batch_docs = s->batch_bytes = s->ext_docs = s->ext_data = 0;
    if (s->sink.w && mst_segw_offset(s->sink.w) > SHARED_SEGMENT_BYTES) {
        if (sink_close(&s->sink, err) != MST_OK) {
            return err->rc;
        }
        s->sink.part = 0;
    }
    if (s->sink.w) {
        extent_begin(s);
    }
    mst_task_phase(s->r->outer, "reading %s.%s", e->db, e->coll);
    for (;;) {
        rc = try_scan(s, err);
        if (rc == MST_OK) {
            break;
        }
        if (err->detail == MST_SC_NS_NOT_FOUND && rc == MST_E_SERVER) {
            return dropped(s, err);
        }
        if (after_failure(s, rc, &failures, err) != MST_OK) {
            mst_err_prefix(err, "reading %s.%s", e->db, e->coll);
            return err->rc;
        }
    }
    if (s->by_name && !(s->r->o->plant & MST_PLANT_SCAN_BY_NAME) && check_name(s, err) != MST_OK) {
        return err->rc;
    }
    return extent_end(s, err);
}

/* --- the thread ------------------------------------------------------------------------------- */

static struct entry *take_next(struct run *r)
{
    struct entry *e = NULL;

    mst_mutex_lock(&r->mtx);
    while (!e && r->next_ns < r->n_ns) {
        e = &r->ns[r->next_ns++];
        e = e->state == MST_NS_SCANNED ? e : NULL;
    }
    mst_mutex_unlock(&r->mtx);
    return e;
}

static void session_init(struct scan *s)
{
    uint8_t id[MST_UUID_LEN];

    MST_ASSERT(getrandom(id, sizeof(id), 0) == (ssize_t)sizeof(id));
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    bson_init(&s->lsid);
    BSON_APPEND_BINARY(&s->lsid, "id", BSON_SUBTYPE_UUID, id, sizeof(id));
}

static void session_end(struct scan *s)
{
    bson_t cmd = BSON_INITIALIZER, list, reply;
    struct mst_err ignored = {0};

    if (s->conn && !mst_conn_broken(s->conn) && !mst_task_cancelled(&s->r->task)) {
        BSON_APPEND_ARRAY_BEGIN(&cmd, "endSessions", &list);
        BSON_APPEND_DOCUMENT(&list, "0", &s->lsid);
        bson_append_array_end(&cmd, &list);
        (void)(mst_conn_command(s->conn, "admin", &cmd, 2000, &reply, &ignored) == MST_OK);
        bson_destroy(&reply);
    }
    bson_destroy(&cmd);
    bson_destroy(&s->lsid);
}

void scan_main(void *arg)
{
    const struct scan_start *start = arg;
    struct run *r = start->r;
    struct scan s = {.r = r, .number = start->number};
    struct mst_err err = {0};
    enum mst_rc rc = MST_OK;

    s.sink.r = r;
    s.sink.role = MST_SEG_DATA;
    mst_store_work_for(r->outer);
    session_init(&s);
    bson_init(&s.token);
    mst_sha256_init(&s.sha);
    while (rc == MST_OK && !run_stopped(r) && (s.e = take_next(r))) {
        scan_point(&s, "begin");
        rc = scan_entry(&s, &err);
        scan_point(&s, "end");
        if (rc == MST_OK) {
            mst_task_item_done(r->outer);
        }
    }
    if (rc == MST_OK && !run_stopped(r)) {
        rc = sink_close(&s.sink, &err);
    }
    if (rc != MST_OK) {
        (void)run_fail(r, &err);
    }
    sink_abort(&s.sink);
    session_end(&s);
    mst_conn_free(s.conn);
    mst_sha256_release(&s.sha);
    bson_destroy(&s.token);
    mst_mutex_lock(&r->mtx);
    r->scans_running--;
    mst_cond_broadcast(&r->cond);
    mst_mutex_unlock(&r->mtx);
}
