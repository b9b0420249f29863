/* The tail: every entry of the source's oplog from the start point on, judged and stored as it
 * came. It opens before the listing, so nothing that the listing or a scan may or may not have seen
 * is missing from it. A cursor that breaks is opened again at its last entry, which must be there
 * still with the same term: else the member rolled back or the oplog rolled over, and the run ends.
 */
#include "backup/internal.h"

#include "base/mem.h"
#include "base/text.h"

#define AWAIT_MS 200
#define RETRIES 5

struct tail {
    struct run *r;
    struct sink sink;
    struct mst_conn *conn;
    struct mst_cursor *cur;
    struct mst_optime
        from; /* the next cursor begins at this entry, which is known or is the first */
    bool any;
};

static enum mst_rc tail_cursor(struct tail *t, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, filter, ts;
    enum mst_rc rc;

    BSON_APPEND_UTF8(&cmd, "find", "oplog.rs");
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "filter", &filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, "ts", &ts);
    BSON_APPEND_TIMESTAMP(&ts, "$gte", t->from.ts.t, t->from.ts.i);
    bson_append_document_end(&filter, &ts);
    bson_append_document_end(&cmd, &filter);
    BSON_APPEND_BOOL(&cmd, "tailable", true);
    BSON_APPEND_BOOL(&cmd, "awaitData", true);
    if (t->r->wire < 9) {
        BSON_APPEND_BOOL(&cmd, "oplogReplay", true); /* later servers seek by themselves */
    }
    BSON_APPEND_UTF8(&cmd, "comment", t->r->comment);
    rc = mst_cursor_open(t->conn, "local", &cmd, CMD_MS, &t->cur, err);
    bson_destroy(&cmd);
    if (rc == MST_OK) {
        mst_cursor_await(t->cur, AWAIT_MS);
    } else {
        mst_err_prefix(err, "the oplog of %s", t->r->res->source.name);
    }
    return rc;
}

static void tail_close(struct tail *t)
{
    mst_cursor_free(t->cur);
    t->cur = NULL;
    if (t->conn && mst_conn_broken(t->conn)) {
        mst_conn_free(t->conn);
        t->conn = NULL;
    }
}

static enum mst_rc tail_reopen(struct tail *t, struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    if (!t->conn) {
        rc = run_connect(t->r, "tail", &t->conn, err);
    }
    return rc == MST_OK ? tail_cursor(t, err) : rc;
}

/* --- what an entry says about collections ----------------------------------------------------- */

static void note_op(struct run *r, const struct mst_oplog_entry *e, int depth);

static void note_inner(struct run *r, const struct mst_oplog_entry *e, int depth)
{
    bson_iter_t it, ops;

    if (depth > 10 || !bson_iter_init_find(&it, &e->o, "applyOps") ||
        !bson_iter_recurse(&it, &ops)) {
        return;
    }
    while (bson_iter_next(&ops)) {
        struct mst_oplog_entry in;
        struct mst_err ignored = {0};
        const uint8_t *p = NULL;
        uint32_t n = 0;
        bson_t doc;

        if (!BSON_ITER_HOLDS_DOCUMENT(&ops)) {
            continue;
        }
        bson_iter_document(&ops, &n, &p);
        if (bson_init_static(&doc, p, n) &&
            mst_oplog_parse_inner(&doc, e->at, &in, &ignored) == MST_OK) {
            note_op(r, &in, depth + 1);
        }
    }
}

/* Under the lock. */
static void note_op(struct run *r, const struct mst_oplog_entry *e, int depth)
{
    uint8_t target[MST_UUID_LEN];

    if (e->op == 'c' && e->cmd && strcmp(e->cmd, "applyOps") == 0) {
        note_inner(r, e, depth);
        return;
    }
    if (e->op == 'c' && e->cmd && strcmp(e->cmd, "renameCollection") == 0 &&
        uuid_of(&e->o, "dropTarget", target)) {
        uuids_add(&r->dropped, target);
    }
    if (!e->has_ui) {
        return;
    }
    if (e->op == 'c' && e->cmd) {
        if (strcmp(e->cmd, "create") == 0) {
            uuids_add(&r->created, e->ui);
        } else if (strcmp(e->cmd, "drop") == 0) {
            uuids_add(&r->dropped, e->ui);
        }
        return;
    }
    if (mst_oplog_judge(e)->fate == MST_FATE_CARRIED && !run_left_out(r, e->ns) &&
        !uuids_has(&r->touched, e->ui)) {
        uuids_add(&r->touched, e->ui);
        mst_text_clean(r->touched_ns, sizeof(r->touched_ns), e->ns, strlen(e->ns));
    }
}

/* Is it fatal only because of a collection that is left out by name? */
static bool excused(const struct run *r, const struct mst_oplog_entry *e)
{
    char ns[MST_NS_MAX];
    const char *dot, *bucket = ".system.buckets.";
    const char *at;

    if (!mst_oplog_cmd_ns(e, ns) || (e->cmd && strcmp(e->cmd, "applyOps") == 0)) {
        return false;
    }
    at = strstr(ns, bucket);
    dot = strchr(ns, '.');
    if (at && at == dot) { /* shop.system.buckets.m belongs to shop.m */
        memmove(ns + (dot - ns) + 1, at + strlen(bucket), strlen(at + strlen(bucket)) + 1);
    }
    return run_left_out(r, ns);
}

static enum mst_rc judge(struct run *r, const struct mst_oplog_entry *e, struct mst_err *err)
{
    const struct mst_oplog_rule *rule = mst_oplog_judge(e);
    char ns[256];

    /* What is read sees everything up to the apply point, which may be such an entry itself. */
    if (rule->fate != MST_FATE_FATAL || mst_ts_cmp(e->at.ts, r->apply.ts) <= 0 || excused(r, e)) {
        return MST_OK;
    }
    mst_text_clean(ns, sizeof(ns), e->ns, strlen(e->ns));
    return mst_err_set(err, MST_E_PRECOND,
                       "%s happened on %s while the backup ran, at {%u, %u}: %s; start it again",
                       e->cmd ? e->cmd : rule->id, ns, e->at.ts.t, e->at.ts.i, rule->why);
}

/* --- the stream ------------------------------------------------------------------------------- */

static enum mst_rc continuity(struct tail *t, const struct mst_oplog_entry *e, bool *again,
                              struct mst_err *err)
{
    *again = false;
    if (!t->any || mst_ts_cmp(e->at.ts, t->from.ts) == 0) {
        if (mst_optime_cmp(e->at, t->from) != 0) {
            return mst_err_set(err, MST_E_STALE,
                               "the entry {%u, %u} of term %lld is no longer in the oplog of %s: "
                               "the oplog rolled over, or the member rolled back; start again",
                               t->from.ts.t, t->from.ts.i, (long long)t->from.term,
                               t->r->res->source.name);
        }
        *again = t->any;
        return MST_OK;
    }
    if (mst_ts_cmp(e->at.ts, t->from.ts) < 0 || e->at.term < t->from.term) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "the oplog of %s goes back from {%u, %u} to "
                           "{%u, %u}",
                           t->r->res->source.name, t->from.ts.t, t->from.ts.i, e->at.ts.t,
                           e->at.ts.i);
    }
    return MST_OK;
}

static enum mst_rc store_entry(struct tail *t, const bson_t *doc, const struct mst_oplog_entry *e,
                               struct mst_err *err)
{
    const bool fresh = !t->sink.w || sink_full(&t->sink);

    if (sink_ready(&t->sink, err) != MST_OK ||
        sink_add(&t->sink, bson_get_data(doc), doc->len, err) != MST_OK) {
        return err->rc;
    }
    if (fresh) {
        t->sink.first = e->at;
    }
    t->sink.last = t->from = e->at;
    t->any = true;
    return MST_OK;
}

/* One entry; *done when the wanted end is reached. reopened: the first one of a new cursor must be
 * the last one we have. */
static enum mst_rc take(struct tail *t, const bson_t *doc, bool reopened, bool *done,
                        struct mst_err *err)
{
    struct run *r = t->r;
    struct mst_oplog_entry e;
    bool again;

    if (mst_oplog_parse(doc, &e, err) != MST_OK || continuity(t, &e, &again, err) != MST_OK) {
        return err->rc;
    }
    if (reopened && t->any && !again) {
        return mst_err_set(err, MST_E_STALE,
                           "the entry {%u, %u} is gone from the oplog of %s: it rolled over, or "
                           "the member rolled back; start again",
                           t->from.ts.t, t->from.ts.i, r->res->source.name);
    }
    if (!again && (judge(r, &e, err) != MST_OK || store_entry(t, doc, &e, err) != MST_OK)) {
        return err->rc;
    }
    mst_mutex_lock(&r->mtx);
    if (!again) {
        note_op(r, &e, 0);
        r->tail_entries++;
        r->tail_last = e.at;
    }
    if (!r->tail_open) {
        r->tail_open = true;
        mst_cond_broadcast(&r->cond);
    }
    *done = r->tail_stop && mst_ts_cmp(r->tail_last.ts, r->tail_want.ts) >= 0;
    mst_mutex_unlock(&r->mtx);
    return MST_OK;
}

static bool stop_reached(struct run *r)
{
    bool yes;

    mst_mutex_lock(&r->mtx);
    yes = r->tail_stop && r->tail_open && mst_ts_cmp(r->tail_last.ts, r->tail_want.ts) >= 0;
    mst_mutex_unlock(&r->mtx);
    return yes;
}

static bool worth_a_retry(enum mst_rc rc, int detail)
{
    return rc == MST_E_NET || rc == MST_E_TIMEOUT || detail == MST_SC_CURSOR_NOT_FOUND;
}

static enum mst_rc follow(struct tail *t, struct mst_err *err)
{
    bool reopened = true, done = false;
    unsigned failures = 0;
    enum mst_rc rc = MST_OK;

    while (!done && !stop_reached(t->r)) {
        const bson_t *doc = NULL;

        if (mst_task_check(&t->r->task, err) != MST_OK) {
            return err->rc;
        }
        if (!t->cur) {
            rc = tail_reopen(t, err);
            reopened = true;
        }
        rc = rc == MST_OK && t->cur ? mst_cursor_next(t->cur, &doc, err) : rc;
        if (rc == MST_OK && doc) {
            rc = take(t, doc, reopened, &done, err);
            if (rc != MST_OK) {
                return rc;
            }
            reopened = false;
            failures = 0;
        } else if (rc == MST_OK && mst_cursor_dead(t->cur)) {
            tail_close(t); /* ended by the server: it is opened again where it stood */
            if (++failures > RETRIES) {
                return mst_err_set(err, MST_E_NET,
                                   "the cursor on the oplog of %s ends again and "
                                   "again",
                                   t->r->res->source.name);
            }
            (void)mst_task_sleep_ms(&t->r->task, 200);
        } else if (rc != MST_OK) {
            tail_close(t);
            if (!worth_a_retry(rc, err->detail) || ++failures > RETRIES) {
                return rc;
            }
            mst_task_log(t->r->outer, "the tail is opened again: %s", err->msg);
            (void)mst_task_sleep_ms(&t->r->task, 500);
            rc = MST_OK;
        }
    }
    return MST_OK;
}

void tail_main(void *arg)
{
    struct run *r = arg;
    struct tail t = {.r = r, .from = r->first};
    struct mst_err err = {0};
    enum mst_rc rc;

    t.sink.r = r;
    t.sink.role = MST_SEG_OPLOG;
    mst_store_work_for(r->outer);
    rc = follow(&t, &err);
    if (rc == MST_OK) {
        rc = sink_close(&t.sink, &err);
    }
    if (rc != MST_OK) {
        sink_abort(&t.sink);
        (void)run_fail(r, &err);
    }
    tail_close(&t);
    mst_conn_free(t.conn);
    mst_mutex_lock(&r->mtx);
    r->tail_ended = true;
    mst_cond_broadcast(&r->cond);
    mst_mutex_unlock(&r->mtx);
}
