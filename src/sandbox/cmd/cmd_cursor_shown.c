/* cmd_cursor_shown.c: what $currentOp says of open cursors. */
#include <string.h>

#include "cmd/cmd_data_cursor.h"
#include "cmd/cmd_data_open.h"
#include "cmd/facts.h"

static void append_cursor(const struct sbx_cursor *cur, int64_t op_id, bson_t *op)
{
    bson_t sub;

    BSON_APPEND_DOCUMENT_BEGIN(op, "cursor", &sub);
    BSON_APPEND_INT64(&sub, "cursorId", cur->id);
    BSON_APPEND_DATE_TIME(&sub, "createdDate", cur->opened_utc);
    BSON_APPEND_DATE_TIME(&sub, "lastAccessDate", cur->used_utc);
    BSON_APPEND_INT64(&sub, "nDocsReturned", cur->documents);
    BSON_APPEND_INT64(&sub, "nBatchesReturned", cur->batches);
    BSON_APPEND_BOOL(&sub, "noCursorTimeout", cur->no_timeout);
    BSON_APPEND_BOOL(&sub, "tailable", cur->tailable);
    BSON_APPEND_BOOL(&sub, "awaitData", cur->await);
    BSON_APPEND_DOCUMENT(&sub, "originatingCommand", cur->origin);
    if (op_id != 0) {
        BSON_APPEND_INT64(&sub, "operationUsingCursorId", op_id);
    }
    bson_append_document_end(op, &sub);
}

void sbx_cursor_append(const struct sbx_member *m, int64_t id, int64_t op_id, bson_t *op)
{
    for (const struct sbx_cursor *cur = m->cursors; cur; cur = cur->next) {
        if (cur->id == id) {
            append_cursor(cur, op_id, op);
            return;
        }
    }
}

static void append_session(const struct sbx_cursor *cur, bson_t *op)
{
    bson_t sub;

    BSON_APPEND_DOCUMENT_BEGIN(op, "lsid", &sub);
    BSON_APPEND_BINARY(&sub, "id", BSON_SUBTYPE_UUID, cur->session, sizeof cur->session);
    BSON_APPEND_BINARY(&sub, "uid", BSON_SUBTYPE_BINARY, cur->user, sizeof cur->user);
    bson_append_document_end(op, &sub);
}

void sbx_cursors_idle(const struct sbx_member *m, const uint8_t *user,
                      void (*fn)(void *arg, const bson_t *op), void *arg)
{
    char host[320];

    sbx_facts_host(m, host, sizeof host);
    for (const struct sbx_cursor *cur = m->cursors; cur; cur = cur->next) {
        if (!cur->busy && (!user || memcmp(cur->user, user, SBX_AUTH_UID) == 0)) {
            bson_t op = BSON_INITIALIZER;

            BSON_APPEND_UTF8(&op, "type", "idleCursor");
            BSON_APPEND_UTF8(&op, "host", host);
            BSON_APPEND_UTF8(&op, "ns", cur->ns);
            if (cur->has_session) {
                append_session(cur, &op);
            }
            append_cursor(cur, 0, &op);
            fn(arg, &op);
            bson_destroy(&op);
        }
    }
}
