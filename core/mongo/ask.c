/* Questions that several modules ask. */
#include "mongo/mongo.h"

#include "base/mem.h"

enum mst_rc mst_conn_ask(struct mst_conn *c, const char *db, const char *name, int64_t ms,
                         bson_t *reply, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER;
    enum mst_rc rc;

    (void)BSON_APPEND_INT32(&cmd, name, 1);
    rc = mst_conn_command(c, db, &cmd, ms, reply, err);
    bson_destroy(&cmd);
    return rc;
}

enum mst_rc mst_conn_server_status(struct mst_conn *c, bool all, int64_t ms, bson_t *reply,
                                   struct mst_err *err)
{
    static const char *const never[] = {
        "locks", "wiredTiger", "tcmalloc", "asserts", "logicalSessionRecordCache", "storageEngine"};
    static const char *const counters[] = {
        "metrics",    "opLatencies",       "opReadConcernCounters", "transactions",
        "network",    "transportSecurity", "flowControl",           "twoPhaseCommitCoordinator",
        "extra_info", "globalLock"};
    bson_t cmd = BSON_INITIALIZER;
    enum mst_rc rc;

    (void)BSON_APPEND_INT32(&cmd, "serverStatus", 1);
    if (all) {
        (void)BSON_APPEND_INT32(&cmd, "oplog", 1);
    }
    for (size_t i = 0; i < MST_COUNT(never); i++) {
        (void)BSON_APPEND_INT32(&cmd, never[i], 0);
    }
    for (size_t i = 0; !all && i < MST_COUNT(counters); i++) {
        (void)BSON_APPEND_INT32(&cmd, counters[i], 0);
    }
    rc = mst_conn_command(c, "admin", &cmd, ms, reply, err);
    bson_destroy(&cmd);
    return rc;
}

enum mst_rc mst_conn_oplog_end(struct mst_conn *c, int direction, int64_t ms, struct mst_ts *ts,
                               bool *there, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, sub;
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    enum mst_rc rc;

    (void)BSON_APPEND_UTF8(&cmd, "find", "oplog.rs");
    (void)BSON_APPEND_DOCUMENT_BEGIN(&cmd, "sort", &sub);
    (void)BSON_APPEND_INT32(&sub, "$natural", direction);
    (void)bson_append_document_end(&cmd, &sub);
    (void)BSON_APPEND_DOCUMENT_BEGIN(&cmd, "projection", &sub);
    (void)BSON_APPEND_INT32(&sub, "ts", 1);
    (void)bson_append_document_end(&cmd, &sub);
    (void)BSON_APPEND_INT64(&cmd, "limit", 1);
    (void)BSON_APPEND_BOOL(&cmd, "singleBatch", true);
    rc = mst_cursor_open(c, "local", &cmd, ms, &cur, err);
    if (rc == MST_OK) {
        rc = mst_cursor_next(cur, &doc, err);
    }
    *there = rc == MST_OK && doc && mst_bson_ts(doc, "ts", ts);
    mst_cursor_free(cur);
    bson_destroy(&cmd);
    return rc;
}
