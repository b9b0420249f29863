#include "base/mem.h"
#include "mongo/conn.h"

#define KILL_MS 500

struct mst_cursor {
    struct mst_conn *c;
    int64_t ms, await_ms, id;
    int32_t batch_docs;
    bool tailable, failed;
    char db[64], coll[256], ns[320];
    bson_t session;    /* lsid, txnNumber, autocommit of the opening command */
    struct mst_buf in; /* the batch the documents point into */
    bson_t batch;
    bson_iter_t it;
    bool more; /* it stands on a document that was not given out */
    bson_t doc, resume;
    bool has_resume;
};

static enum mst_rc bad_batch(struct mst_cursor *cur, const char *what, struct mst_err *err)
{
    cur->failed = true;
    return mst_err_set_detail(err, MST_E_INTEGRITY, MST_CD_PROTOCOL, "%s: %s",
                              mst_conn_name(cur->c), what);
}

static void step(struct mst_cursor *cur)
{
    cur->more = bson_iter_next(&cur->it);
}

/* Take over the connection's reply buffer, so that other commands do not move our documents. */
static enum mst_rc take_batch(struct mst_cursor *cur, const bson_t *reply, const char *field,
                              struct mst_err *err)
{
    const struct mst_buf old = cur->in;
    bson_t c, token;
    bson_iter_t it;

    cur->in = cur->c->in;
    cur->c->in = old;
    if (!mst_bson_doc(reply, "cursor", &c)) {
        return bad_batch(cur, "the reply has no cursor", err);
    }
    if (!bson_iter_init_find(&it, &c, "id") || !BSON_ITER_HOLDS_INT64(&it)) {
        return bad_batch(cur, "the cursor has no id", err);
    }
    cur->id = bson_iter_int64(&it);
    cur->ns[0] = '\0'; /* as it is: a name may hold what a screen may not */
    if (bson_iter_init_find(&it, &c, "ns") && BSON_ITER_HOLDS_UTF8(&it)) {
        (void)mst_copy(cur->ns, sizeof(cur->ns), bson_iter_utf8(&it, NULL));
    }
    if (!bson_iter_init_find(&it, &c, field) || !BSON_ITER_HOLDS_ARRAY(&it) ||
        !mst_bson_doc(&c, field, &cur->batch) || !bson_iter_init(&cur->it, &cur->batch)) {
        return bad_batch(cur, "the cursor has no batch", err);
    }
    if (mst_bson_doc(&c, "postBatchResumeToken", &token)) {
        bson_destroy(&cur->resume);
        bson_copy_to(&token, &cur->resume);
        cur->has_resume = true;
    }
    step(cur);
    return MST_OK;
}

static enum mst_rc split_ns(struct mst_cursor *cur, struct mst_err *err)
{
    const char *dot = strchr(cur->ns, '.');

    if (!dot || dot == cur->ns || (size_t)(dot - cur->ns) >= sizeof(cur->db) || !dot[1]) {
        return bad_batch(cur, "the cursor has no namespace", err);
    }
    memcpy(cur->db, cur->ns, (size_t)(dot - cur->ns));
    cur->db[dot - cur->ns] = '\0';
    if (!mst_copy(cur->coll, sizeof(cur->coll), dot + 1)) {
        return bad_batch(cur, "the namespace of the cursor is too long", err);
    }
    return MST_OK;
}

static void copy_field(const bson_t *from, const char *key, bson_t *to)
{
    bson_iter_t it;

    if (bson_iter_init_find(&it, from, key)) {
        (void)bson_append_iter(to, key, -1, &it);
    }
}

enum mst_rc mst_cursor_open(struct mst_conn *c, const char *db, const bson_t *cmd, int64_t ms,
                            struct mst_cursor **out, struct mst_err *err)
{
    struct mst_cursor *cur;
    bson_t reply;
    enum mst_rc rc = mst_conn_run(c, db, cmd, NULL, NULL, 0, ms, &reply, err);

    if (rc != MST_OK) {
        return rc;
    }
    cur = mst_xcalloc_aligned(_Alignof(struct mst_cursor), sizeof(*cur));
    cur->c = c;
    cur->ms = ms;
    cur->tailable = mst_bson_bool(cmd, "tailable", false);
    bson_init(&cur->session);
    bson_init(&cur->resume);
    copy_field(cmd, "lsid", &cur->session);
    copy_field(cmd, "txnNumber", &cur->session);
    copy_field(cmd, "autocommit", &cur->session);
    rc = take_batch(cur, &reply, "firstBatch", err);
    if (rc == MST_OK) {
        rc = split_ns(cur, err);
    }
    if (rc != MST_OK) {
        mst_cursor_free(cur);
        return rc;
    }
    *out = cur;
    return MST_OK;
}

static enum mst_rc get_more(struct mst_cursor *cur, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, reply;
    const int64_t wait = cur->tailable && cur->await_ms > 0 ? cur->await_ms : 0;
    enum mst_rc rc;

    (void)BSON_APPEND_INT64(&cmd, "getMore", cur->id);
    (void)BSON_APPEND_UTF8(&cmd, "collection", cur->coll);
    if (cur->batch_docs > 0) {
        (void)BSON_APPEND_INT32(&cmd, "batchSize", cur->batch_docs);
    }
    if (wait > 0) {
        (void)BSON_APPEND_INT64(&cmd, "maxTimeMS", wait);
    }
    (void)bson_concat(&cmd, &cur->session);
    rc = mst_conn_run(cur->c, cur->db, &cmd, NULL, NULL, 0, cur->ms + wait, &reply, err);
    if (rc == MST_OK) {
        rc = take_batch(cur, &reply, "nextBatch", err);
    } else {
        cur->failed = true;
        if (err->detail == MST_SC_CURSOR_NOT_FOUND || err->detail == MST_SC_CAPPED_LOST) {
            cur->id = 0;
        }
    }
    bson_destroy(&cmd);
    return rc;
}

enum mst_rc mst_cursor_next(struct mst_cursor *cur, const bson_t **doc, struct mst_err *err)
{
    const uint8_t *p = NULL;
    uint32_t n = 0;
    enum mst_rc rc;

    *doc = NULL;
    while (!cur->more) {
        if (cur->failed) {
            return mst_err_set(err, MST_E_NET, "%s: the cursor has failed before",
                               mst_conn_name(cur->c));
        }
        if (cur->id == 0) {
            return MST_OK;
        }
        rc = get_more(cur, err);
        if (rc != MST_OK) {
            return rc;
        }
        if (!cur->more && cur->tailable) {
            return MST_OK;
        }
    }
    if (BSON_ITER_HOLDS_DOCUMENT(&cur->it)) {
        bson_iter_document(&cur->it, &n, &p);
    }
    if (!p || !bson_init_static(&cur->doc, p, n)) {
        return bad_batch(cur, "a batch holds what is not a document", err);
    }
    step(cur);
    *doc = &cur->doc;
    return MST_OK;
}

void mst_cursor_batch(struct mst_cursor *cur, int32_t batch_docs)
{
    cur->batch_docs = batch_docs;
}

void mst_cursor_await(struct mst_cursor *cur, int64_t await_ms)
{
    cur->await_ms = await_ms;
}

bool mst_cursor_at_batch_end(const struct mst_cursor *cur)
{
    return !cur->more;
}

bool mst_cursor_dead(const struct mst_cursor *cur)
{
    return !cur->more && (cur->id == 0 || cur->failed);
}

int64_t mst_cursor_id(const struct mst_cursor *cur)
{
    return cur->id;
}

const char *mst_cursor_ns(const struct mst_cursor *cur)
{
    return cur->ns;
}

const bson_t *mst_cursor_resume(const struct mst_cursor *cur)
{
    return cur->has_resume ? &cur->resume : NULL;
}

/* Also after a cancel between two batches: a noCursorTimeout cursor would stay for ever. */
static void kill_cursor(struct mst_cursor *cur)
{
    bson_t cmd = BSON_INITIALIZER, ids, reply;
    struct mst_err ignored = {0};
    const bool held = mst_conn_hold_cancel(cur->c, true);

    (void)BSON_APPEND_UTF8(&cmd, "killCursors", cur->coll);
    (void)BSON_APPEND_ARRAY_BEGIN(&cmd, "cursors", &ids);
    (void)BSON_APPEND_INT64(&ids, "0", cur->id);
    (void)bson_append_array_end(&cmd, &ids);
    copy_field(&cur->session, "lsid", &cmd);
    if (mst_conn_run(cur->c, cur->db, &cmd, NULL, NULL, 0, KILL_MS, &reply, &ignored) != MST_OK) {
        /* The server's own time-out is what is left. */
        ignored.rc = MST_OK;
    }
    (void)mst_conn_hold_cancel(cur->c, held);
    bson_destroy(&cmd);
}

void mst_cursor_free(struct mst_cursor *cur)
{
    if (!cur) {
        return;
    }
    if (cur->id != 0 && cur->coll[0] && !mst_conn_broken(cur->c)) {
        kill_cursor(cur);
    }
    bson_destroy(&cur->session);
    bson_destroy(&cur->resume);
    mst_buf_release(&cur->in);
    free(cur);
}
