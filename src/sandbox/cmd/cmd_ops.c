/* cmd_ops.c: what runs on a member: currentOp, killOp. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "auth/auth.h"
#include "base/mem.h"
#include "cmd/cmd_data_cursor.h"
#include "cmd/facts.h"
#include "query/query.h"
#include "value/value.h"
#include "wire/client.h"

#define SHOWN_MAX (64 * 1024) /* a larger command is shown as an empty one */

static void time_text(int64_t utc_ms, char *out, size_t size)
{
    const time_t s = (time_t)(utc_ms / 1000);
    struct tm tm;
    char day[40];

    (void)gmtime_r(&s, &tm);
    (void)strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out, size, "%s.%03d+0000", day, (int)(utc_ms % 1000));
}

static const char *kind_of(const char *name)
{
    static const char *const same[] = {"insert", "update", "delete"};

    for (size_t i = 0; i < 3; i++) {
        if (strcmp(name, same[i]) == 0) {
            return strcmp(name, "delete") == 0 ? "remove" : same[i];
        }
    }
    return strcmp(name, "find") == 0      ? "query"
           : strcmp(name, "getMore") == 0 ? "getmore"
                                          : "command";
}

static void append_command(const struct sbx_conn *conn, bson_t *op)
{
    bson_t none = BSON_INITIALIZER;
    const bool shown = conn->op_cmd != NULL && conn->op_cmd->len < SHOWN_MAX;

    BSON_APPEND_DOCUMENT(op, "command", shown ? conn->op_cmd : &none);
    bson_destroy(&none);
}

static void append_lsid(const struct sbx_conn *conn, bson_t *op)
{
    bson_iter_t it, id;
    uint8_t uid[SBX_AUTH_UID];
    bson_t sub;

    if (conn->op_cmd == NULL || !bson_iter_init_find(&it, conn->op_cmd, "lsid") ||
        !BSON_ITER_HOLDS_DOCUMENT(&it) || !bson_iter_recurse(&it, &id) ||
        !bson_iter_find(&id, "id")) {
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(op, "lsid", &sub);
    bson_append_iter(&sub, "id", 2, &id);
    sbx_auth_uid(conn, uid);
    BSON_APPEND_BINARY(&sub, "uid", BSON_SUBTYPE_BINARY, uid, sizeof uid);
    bson_append_document_end(op, &sub);
}

static void append_empty(bson_t *op, const char *key)
{
    bson_t sub;

    BSON_APPEND_DOCUMENT_BEGIN(op, key, &sub);
    bson_append_document_end(op, &sub);
}

static void append_cursor(const struct sbx_conn *conn, bson_t *op)
{
    int64_t id;

    if (conn->op_cmd != NULL && strcmp(conn->op, "getMore") == 0 &&
        sbx_doc_int(conn->op_cmd, "getMore", &id)) {
        sbx_cursor_append(conn->m, id, conn->op_id, op);
    }
}

static void append_op(const struct sbx_call *c, const struct sbx_conn *conn, bson_t *op)
{
    const bool active = conn->op != NULL;
    char text[320];

    BSON_APPEND_UTF8(op, "type", active ? "op" : "idleSession");
    sbx_facts_host(c->m, text, sizeof text);
    BSON_APPEND_UTF8(op, "host", text);
    (void)snprintf(text, sizeof text, "conn%lld", (long long)conn->id);
    BSON_APPEND_UTF8(op, "desc", text);
    BSON_APPEND_INT32(op, "connectionId", (int32_t)conn->id);
    BSON_APPEND_UTF8(op, "client", conn->peer);
    if (conn->client != NULL) {
        BSON_APPEND_DOCUMENT(op, "clientMetadata", conn->client);
    }
    BSON_APPEND_BOOL(op, "active", active);
    time_text(sbx_utc(c->w), text, sizeof text);
    BSON_APPEND_UTF8(op, "currentOpTime", text);
    if (conn->auth != NULL) {
        sbx_auth_append_users(conn, "effectiveUsers", op);
    }
    if (!active) {
        return;
    }
    BSON_APPEND_INT32(op, "opid", (int32_t)conn->op_id);
    append_lsid(conn, op);
    const int64_t ms = sbx_mono(c->w) - conn->op_since_mono;
    BSON_APPEND_INT64(op, "secs_running", ms / 1000);
    BSON_APPEND_INT64(op, "microsecs_running", ms * 1000);
    BSON_APPEND_UTF8(op, "op", kind_of(conn->op));
    BSON_APPEND_UTF8(op, "ns", conn->op_ns);
    append_command(conn, op);
    append_cursor(conn, op);
    BSON_APPEND_INT32(op, "numYields", 0);
    append_empty(op, "locks");
    BSON_APPEND_BOOL(op, "waitingForLock", conn->op_blocked);
    append_empty(op, "lockStats");
    BSON_APPEND_BOOL(op, "waitingForFlowControl", false);
    append_empty(op, "flowControlStats");
}

static bool is_users(const struct sbx_conn *conn, const uint8_t user[SBX_AUTH_UID])
{
    uint8_t its[SBX_AUTH_UID];

    sbx_auth_uid(conn, its);
    return memcmp(its, user, sizeof its) == 0;
}

void sbx_facts_ops(struct sbx_call *c, const struct sbx_ops_wish *wish,
                   void (*fn)(void *arg, const bson_t *op), void *arg)
{
    uint8_t user[SBX_AUTH_UID];

    sbx_auth_uid(c->conn, user);
    for (const struct sbx_conn *conn = c->w->conns; conn != NULL; conn = conn->next) {
        if (conn->m == c->m && !conn->dead && (conn->op != NULL || wish->idle_connections) &&
            (wish->all_users || is_users(conn, user))) {
            bson_t op = BSON_INITIALIZER;

            append_op(c, conn, &op);
            fn(arg, &op);
            bson_destroy(&op);
        }
    }
    if (wish->idle_cursors) {
        sbx_cursors_idle(c->m, wish->all_users ? NULL : user, fn, arg);
    }
}

bool sbx_ops_options(struct sbx_val options, struct sbx_ops_wish *wish, struct sbx_why *why)
{
    bool unused = false;
    const struct {
        const char *name;
        bool *to;
    } known[] = {{"allUsers", &wish->all_users},
                 {"idleConnections", &wish->idle_connections},
                 {"idleCursors", &wish->idle_cursors},
                 {"idleSessions", &unused}, /* sessions are not shown */
                 {"localOps", &unused}};
    struct sbx_it it;

    *wish = (struct sbx_ops_wish){0};
    if (options.type != SBX_OBJECT) {
        return sbx_why(why, 9, "$currentOp options must be specified in an object, but found: %s",
                       sbx_type_name(options.type));
    }
    sbx_it_init(&it, sbx_val_doc(options));
    while (sbx_it_next(&it)) {
        size_t i = 0;

        while (i < MST_COUNT(known) && strcmp(known[i].name, it.key) != 0) {
            i++;
        }
        if (i == MST_COUNT(known)) {
            return sbx_why(why, 9, "Unrecognized option '%s' in $currentOp stage.", it.key);
        }
        if (it.v.type != SBX_BOOL) {
            return sbx_why(why, 9,
                           "The '%s' parameter of the $currentOp stage must be a boolean value, "
                           "but found: %s",
                           it.key, sbx_type_name(it.v.type));
        }
        *known[i].to = sbx_val_true(it.v);
    }
    return true;
}

struct shown {
    bson_t list;
    bson_t filter;
    unsigned n;
    bool filtered;
};

static void show(void *arg, const bson_t *op)
{
    struct shown *s = arg;
    char key[12];

    if (s->filtered && !sbx_match(sbx_doc(bson_get_data(&s->filter), s->filter.len),
                                  sbx_doc(bson_get_data(op), op->len))) {
        return;
    }
    (void)snprintf(key, sizeof key, "%u", s->n++);
    BSON_APPEND_DOCUMENT(&s->list, key, op);
}

void sbx_facts_current_op(struct sbx_call *c)
{
    struct shown s = {.n = 0};
    struct sbx_ops_wish wish = {.all_users = !sbx_doc_true(c->cmd, "$ownOps"),
                                .idle_connections = sbx_doc_true(c->cmd, "$all")};
    bson_iter_t it;
    struct sbx_why why;

    bson_init(&s.filter);
    bson_iter_init(&it, c->cmd);
    (void)bson_iter_next(&it);
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);

        /* Every other field is a condition on the operations. */
        if (key[0] != '$' && strcmp(key, "lsid") != 0 && strcmp(key, "comment") != 0 &&
            strcmp(key, "maxTimeMS") != 0) {
            bson_append_iter(&s.filter, NULL, 0, &it);
        }
    }
    s.filtered = !bson_empty(&s.filter);
    if (s.filtered && !sbx_match_check(sbx_doc(bson_get_data(&s.filter), s.filter.len), &why)) {
        sbx_fail(c, why.code, "%s", why.msg);
        bson_destroy(&s.filter);
        return;
    }
    BSON_APPEND_ARRAY_BEGIN(c->reply, "inprog", &s.list);
    sbx_facts_ops(c, &wish, show, &s);
    bson_append_array_end(c->reply, &s.list);
    if (c->m->fsync_locks > 0) {
        BSON_APPEND_BOOL(c->reply, "fsyncLock", true);
        BSON_APPEND_UTF8(c->reply, "info",
                         "use db.fsyncUnlock() to terminate the fsync write/snapshot lock");
    }
    bson_destroy(&s.filter);
}

void sbx_facts_kill_op(struct sbx_call *c)
{
    int64_t id;

    if (!sbx_doc_int(c->cmd, "op", &id)) {
        sbx_fail(c, 4, "Expected field \"op\" was missing");
        return;
    }
    for (struct sbx_conn *conn = c->w->conns; conn != NULL; conn = conn->next) {
        if (conn->m == c->m && conn->op != NULL && conn->op_id == id) {
            conn->killed_op = 11601;
            sbx_changed(c->w);
        }
    }
    BSON_APPEND_UTF8(c->reply, "info", "attempting to kill op");
}
