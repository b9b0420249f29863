/* What the source member is asked: points in its oplog, its state, its lag, cursors of dead runs.
 */
#include "backup/internal.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define MAJORITY_WAIT_MS 60000

static enum mst_rc ask(struct run *r, const char *db, bson_t *cmd_take, bson_t *reply,
                       struct mst_err *err)
{
    const enum mst_rc rc = mst_conn_command(r->control, db, cmd_take, CMD_MS, reply, err);

    bson_destroy(cmd_take);
    return rc;
}

static enum mst_rc hello(struct run *r, bson_t *reply, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER;

    BSON_APPEND_INT32(&cmd, r->wire >= 13 ? "hello" : "isMaster", 1);
    return ask(r, "admin", &cmd, reply, err);
}

/* First document of a find; *found false when there is none. */
static enum mst_rc find_one(struct run *r, const char *db, const bson_t *cmd, bson_t *out,
                            bool *found, struct mst_err *err)
{
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    enum mst_rc rc = mst_cursor_open(r->control, db, cmd, CMD_MS, &cur, err);

    *found = false;
    if (rc == MST_OK) {
        rc = mst_cursor_next(cur, &doc, err);
    }
    if (rc == MST_OK && doc) {
        bson_copy_to(doc, out);
        *found = true;
    }
    mst_cursor_free(cur);
    return rc;
}

static bool entry_optime(const bson_t *entry, struct mst_optime *out)
{
    out->term = mst_bson_i64(entry, "t", -1);
    return mst_bson_ts(entry, "ts", &out->ts) && !mst_ts_zero(out->ts);
}

/* --- state ------------------------------------------------------------------------------------ */

enum mst_rc source_check(struct run *r, struct mst_err *err)
{
    bson_t reply;
    const char *name = r->res->source.name;
    enum mst_rc rc = hello(r, &reply, err);

    if (rc == MST_OK) {
        const bool primary = mst_bson_bool(&reply, "ismaster", false) ||
                             mst_bson_bool(&reply, "isWritablePrimary", false);

        if (primary && !r->o->wish.from_primary) {
            rc = mst_err_set(err, MST_E_PRECOND,
                             "%s became the primary: choose again, or allow the primary", name);
        } else if (!primary && !mst_bson_bool(&reply, "secondary", false)) {
            rc = mst_err_set(err, MST_E_PRECOND, "%s is neither primary nor secondary now", name);
        }
    }
    bson_destroy(&reply);
    return rc;
}

int64_t source_rbid(struct run *r)
{
    struct mst_err ignored = {0};
    bson_t cmd = BSON_INITIALIZER, reply;
    int64_t rbid = -1;

    BSON_APPEND_INT32(&cmd, "replSetGetRBID", 1);
    if (ask(r, "admin", &cmd, &reply, &ignored) == MST_OK) {
        rbid = mst_bson_i64(&reply, "rbid", -1);
    }
    bson_destroy(&reply);
    return rbid;
}

/* How far the newest entry it has applied is behind the newest time the cluster has told it of;
 * needs no right beyond hello. */
int64_t source_lag_ms(struct run *r)
{
    struct mst_err ignored = {0};
    struct mst_ts cluster;
    struct mst_optime own;
    int64_t lag = -1;
    bson_t reply;

    if (hello(r, &reply, &ignored) == MST_OK &&
        mst_bson_ts(&reply, "$clusterTime.clusterTime", &cluster) &&
        mst_bson_optime(&reply, "lastWrite.opTime", &own)) {
        lag = cluster.t > own.ts.t ? (int64_t)(cluster.t - own.ts.t) * 1000 : 0;
    }
    bson_destroy(&reply);
    return lag;
}

/* --- points ----------------------------------------------------------------------------------- */

enum mst_rc source_newest(struct run *r, struct mst_optime *out, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, sort, entry;
    bool found;
    enum mst_rc rc;

    BSON_APPEND_UTF8(&cmd, "find", "oplog.rs");
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "sort", &sort);
    BSON_APPEND_INT32(&sort, "$natural", -1);
    bson_append_document_end(&cmd, &sort);
    BSON_APPEND_INT64(&cmd, "limit", 1);
    BSON_APPEND_UTF8(&cmd, "comment", r->comment);
    rc = find_one(r, "local", &cmd, &entry, &found, err);
    bson_destroy(&cmd);
    if (rc == MST_OK && !found) {
        return mst_err_set(err, MST_E_PRECOND, "the oplog of %s is empty", r->res->source.name);
    }
    if (rc != MST_OK) {
        mst_err_prefix(err, "the oplog of %s", r->res->source.name);
        return rc;
    }
    if (!entry_optime(&entry, out)) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "the newest oplog entry of %s has no ts",
                         r->res->source.name);
    }
    bson_destroy(&entry);
    return rc;
}

/* startOpTime of the oldest transaction that has written entries and not ended; *found. */
static enum mst_rc oldest_open(struct run *r, struct mst_optime *out, bool *found,
                               struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, a, b, c, doc;
    enum mst_rc rc;

    BSON_APPEND_UTF8(&cmd, "find", "transactions");
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "filter", &a);
    BSON_APPEND_DOCUMENT_BEGIN(&a, "state", &b);
    BSON_APPEND_ARRAY_BEGIN(&b, "$in", &c);
    BSON_APPEND_UTF8(&c, "0", "prepared");
    BSON_APPEND_UTF8(&c, "1", "inProgress");
    bson_append_array_end(&b, &c);
    bson_append_document_end(&a, &b);
    bson_append_document_end(&cmd, &a);
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "sort", &a);
    BSON_APPEND_INT32(&a, "startOpTime", 1);
    bson_append_document_end(&cmd, &a);
    BSON_APPEND_INT64(&cmd, "limit", 1);
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "readConcern", &a);
    BSON_APPEND_UTF8(&a, "level", "local");
    BSON_APPEND_TIMESTAMP(&a, "afterClusterTime", 0, 1);
    bson_append_document_end(&cmd, &a);
    BSON_APPEND_UTF8(&cmd, "comment", r->comment);
    rc = find_one(r, "config", &cmd, &doc, found, err);
    bson_destroy(&cmd);
    if (rc == MST_OK && *found) {
        if (!mst_bson_optime(&doc, "startOpTime", out)) {
            *found = false;
            rc = mst_err_set(err, MST_E_INTEGRITY, "%s has an open transaction without startOpTime",
                             r->res->source.name);
        }
        bson_destroy(&doc);
    }
    if (rc != MST_OK) {
        mst_err_prefix(err, "open transactions");
    }
    return rc;
}

/* Wait until reads on this member see everything up to the apply point; then the FCV document,
 * which must not be in transition. */
static enum mst_rc settle(struct run *r, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, a, doc;
    bool found;
    enum mst_rc rc;

    BSON_APPEND_UTF8(&cmd, "find", "system.version");
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "filter", &a);
    BSON_APPEND_UTF8(&a, "_id", "featureCompatibilityVersion");
    bson_append_document_end(&cmd, &a);
    BSON_APPEND_INT64(&cmd, "limit", 1);
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "readConcern", &a);
    BSON_APPEND_UTF8(&a, "level", "local");
    BSON_APPEND_TIMESTAMP(&a, "afterClusterTime", r->apply.ts.t, r->apply.ts.i);
    bson_append_document_end(&cmd, &a);
    BSON_APPEND_UTF8(&cmd, "comment", r->comment);
    rc = find_one(r, "admin", &cmd, &doc, &found, err);
    bson_destroy(&cmd);
    if (rc != MST_OK) {
        mst_err_prefix(err, "waiting for %s to have applied its newest entry", r->res->source.name);
        return rc;
    }
    if (!found) {
        return MST_OK;
    }
    (void)mst_bson_text(&doc, "version", r->h.fcv, sizeof(r->h.fcv));
    if (bson_has_field(&doc, "targetVersion") || bson_has_field(&doc, "previousVersion")) {
        rc = mst_err_set(err, MST_E_PRECOND,
                         "the feature compatibility version is being changed: back up afterwards");
    }
    bson_destroy(&doc);
    return rc;
}

enum mst_rc source_start_point(struct run *r, struct mst_err *err)
{
    struct mst_optime open = {0};
    bool found = false;

    /* In this order: a transaction that begins after the first read is newer than it. */
    if (source_newest(r, &r->first, err) != MST_OK ||
        oldest_open(r, &open, &found, err) != MST_OK) {
        return err->rc;
    }
    if (found && mst_ts_cmp(open.ts, r->first.ts) < 0) {
        mst_task_log(r->outer,
                     "an open transaction began at {%u, %u}: the oplog is read from there",
                     open.ts.t, open.ts.i);
        r->first = open;
    }
    if (source_newest(r, &r->apply, err) != MST_OK) {
        return err->rc;
    }
    return settle(r, err);
}

enum mst_rc source_has(struct run *r, const struct mst_optime *at, const char *what,
                       struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, a, b, entry;
    struct mst_optime have = {0};
    bool found;
    enum mst_rc rc;

    BSON_APPEND_UTF8(&cmd, "find", "oplog.rs");
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "filter", &a);
    BSON_APPEND_DOCUMENT_BEGIN(&a, "ts", &b);
    BSON_APPEND_TIMESTAMP(&b, "$gte", at->ts.t, at->ts.i);
    bson_append_document_end(&a, &b);
    bson_append_document_end(&cmd, &a);
    BSON_APPEND_INT64(&cmd, "limit", 1);
    if (r->wire < 9) {
        BSON_APPEND_BOOL(&cmd, "oplogReplay", true);
    }
    BSON_APPEND_UTF8(&cmd, "comment", r->comment);
    rc = find_one(r, "local", &cmd, &entry, &found, err);
    bson_destroy(&cmd);
    if (rc != MST_OK) {
        return rc;
    }
    if (found) {
        (void)entry_optime(&entry, &have);
        bson_destroy(&entry);
    }
    if (!found || mst_optime_cmp(have, *at) != 0) {
        return mst_err_set(err, MST_E_STALE,
                           "the %s point {%u, %u} of term %lld is no longer in the oplog of %s: %s",
                           what, at->ts.t, at->ts.i, (long long)at->term, r->res->source.name,
                           found && have.term != at->term
                               ? "the member rolled back; start again"
                               : "the oplog rolled over; a larger oplog or a faster backup is "
                                 "needed");
    }
    return MST_OK;
}

enum mst_rc source_majority(struct run *r, const struct mst_optime *at, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + MAJORITY_WAIT_MS;
    int64_t ask = mst_clock_mono_ms(NULL) + 1000;
    struct mst_optime have = {0};
    char who[160] = "";

    for (;;) {
        bson_t reply;
        enum mst_rc rc = hello(r, &reply, err);

        /* A member that has just started does not say it yet. */
        if (rc == MST_OK && !mst_bson_optime(&reply, "lastWrite.majorityOpTime", &have) &&
            mst_clock_mono_ms(NULL) >= end) {
            rc = mst_err_set(err, MST_E_PRECOND, "%s does not say what is majority-committed",
                             r->res->source.name);
        }
        bson_destroy(&reply);
        if (rc != MST_OK) {
            return rc;
        }
        if (mst_optime_cmp(have, *at) >= 0) {
            return MST_OK;
        }
        if (mst_clock_mono_ms(NULL) >= end) {
            mst_conn_who_lags(r->control, at->ts, who, sizeof(who));
            return mst_err_set(err, MST_E_TIMEOUT,
                               "the end point {%u, %u} did not reach a majority within %d s; %s "
                               "has {%u, %u}; waited for %s",
                               at->ts.t, at->ts.i, MAJORITY_WAIT_MS / 1000, r->res->source.name,
                               have.ts.t, have.ts.i, who[0] ? who : "members that lag");
        }
        if (mst_clock_mono_ms(NULL) >= ask) {
            ask += 1000;
            mst_conn_who_lags(r->control, at->ts, who, sizeof(who));
            mst_task_phase(r->outer, "waiting for a majority: %.70s", who);
        }
        if (!mst_task_sleep_ms(r->outer, 100) || run_stopped(r)) {
            return mst_task_check(&r->task, err);
        }
    }
}

/* --- cursors of dead runs --------------------------------------------------------------------- */

/* "muster backup <id> <attempt> host:pid": ours to kill when that process is gone. */
static bool dead_comment(const char *comment, const char *own)
{
    char host[128] = "", id[MST_ID_MAX], attempt[20];
    char mine[128] = "";
    long pid = 0;

    if (strcmp(comment, own) == 0 || strncmp(comment, "muster backup ", 14) != 0 ||
        sscanf(comment, "muster backup %63s %19s %127[^ :]:%ld", id, attempt, host, &pid) != 4) {
        return false;
    }
    (void)gethostname(mine, sizeof(mine) - 1);
    return strcmp(host, mine) == 0 && pid > 1 && pid != (long)getpid() &&
           kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void kill_cursor(struct run *r, const bson_t *op)
{
    struct mst_err ignored = {0};
    char ns[320];
    const char *dot;
    bson_t cmd = BSON_INITIALIZER, ids, reply;
    const int64_t id = mst_bson_i64(op, "cursor.cursorId", 0);

    (void)mst_bson_text(op, "ns", ns, sizeof(ns));
    dot = strchr(ns, '.');
    if (id && dot && dot != ns && dot - ns < 64) {
        char db[64];

        memcpy(db, ns, (size_t)(dot - ns));
        db[dot - ns] = '\0';
        BSON_APPEND_UTF8(&cmd, "killCursors", dot + 1);
        BSON_APPEND_ARRAY_BEGIN(&cmd, "cursors", &ids);
        BSON_APPEND_INT64(&ids, "0", id);
        bson_append_array_end(&cmd, &ids);
        if (mst_conn_command(r->control, db, &cmd, CMD_MS, &reply, &ignored) == MST_OK) {
            mst_task_log(r->outer, "killed a cursor of a dead run on %s", ns);
        }
        bson_destroy(&reply);
    }
    bson_destroy(&cmd);
}

/* Best effort: without the right to see them they end by themselves with their session. */
void source_kill_dead_cursors(struct run *r)
{
    struct mst_err ignored = {0};
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    bson_t cmd = BSON_INITIALIZER, a, b, c;
    bson_t *dead[64];
    size_t n = 0;

    BSON_APPEND_INT32(&cmd, "aggregate", 1);
    BSON_APPEND_ARRAY_BEGIN(&cmd, "pipeline", &a);
    BSON_APPEND_DOCUMENT_BEGIN(&a, "0", &b);
    BSON_APPEND_DOCUMENT_BEGIN(&b, "$currentOp", &c);
    BSON_APPEND_BOOL(&c, "allUsers", false);
    BSON_APPEND_BOOL(&c, "idleCursors", true);
    bson_append_document_end(&b, &c);
    bson_append_document_end(&a, &b);
    bson_append_array_end(&cmd, &a);
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "cursor", &a);
    bson_append_document_end(&cmd, &a);
    if (mst_cursor_open(r->control, "admin", &cmd, CMD_MS, &cur, &ignored) == MST_OK) {
        while (n < MST_COUNT(dead) && mst_cursor_next(cur, &doc, &ignored) == MST_OK && doc) {
            char comment[200];

            if (mst_bson_text(doc, "cursor.originatingCommand.comment", comment, sizeof(comment)) &&
                dead_comment(comment, r->comment)) {
                dead[n++] = bson_copy(doc);
            }
        }
        mst_cursor_free(cur);
    }
    for (size_t i = 0; i < n; i++) {
        kill_cursor(r, dead[i]);
        bson_destroy(dead[i]);
    }
    bson_destroy(&cmd);
}
