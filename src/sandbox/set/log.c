/* log.c: entries that a primary writes to its own oplog, and positions that move. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/sessions.h"
#include "oplog/entries.h"
#include "set/internal.h"
#include "world/txn.h"

/* The order of an entry's fields is the server's: what is known from the start, the operation, the
 * wall clock time, what the session adds, the operation's documents. */
static void build_head(const struct sbx_member *m, bson_t *e, struct mst_ts ts)
{
    sbx_append_ts(e, "ts", ts);
    if (m->term >= 0) { /* the set's very first entry is older than its first term */
        BSON_APPEND_INT64(e, "t", m->term);
    }
    if (m->w->profile->server == SBX_42) {
        BSON_APPEND_INT64(e, "h", 0);
    }
    BSON_APPEND_INT32(e, "v", 2);
}

static bool early_field(const char *key)
{
    return strcmp(key, "op") == 0 || strcmp(key, "ns") == 0 || strcmp(key, "ui") == 0 ||
           strcmp(key, "fromMigrate") == 0 || strcmp(key, "o2") == 0;
}

static void copy_fields(const bson_t *op, bson_t *e, bool early)
{
    bson_iter_t it;

    if (bson_iter_init(&it, op)) {
        while (bson_iter_next(&it)) {
            if (early_field(bson_iter_key(&it)) == early) {
                bson_append_iter(e, bson_iter_key(&it), -1, &it);
            }
        }
    }
}

void sbx_applied(struct sbx_member *m, struct sbx_pos pos)
{
    m->applied = pos;
    if (m->data != NULL) {
        m->durable = pos; /* the journal is flushed with every batch */
    }
    sbx_see_cluster_time(m, pos.op.ts);
    sbx_changed(m->w);
}

static struct mst_optime append(struct sbx_member *m, const bson_t *op, const bson_t *session)
{
    const struct mst_ts ts = sbx_next_ts(m);
    const int64_t wall = sbx_utc(m->w);
    struct sbx_pos pos = {{ts, m->term}, wall};
    bson_t e;

    bson_init(&e);
    build_head(m, &e, ts);
    copy_fields(op, &e, true);
    BSON_APPEND_DATE_TIME(&e, "wall", wall);
    if (session != NULL) {
        bson_concat(&e, session);
    }
    copy_fields(op, &e, false);
    struct sbx_entry *entry = sbx_entry_new(sbx_doc(bson_get_data(&e), e.len));
    sbx_oplog_append(m->oplog, entry);
    if (m->data != NULL) {
        sbx_data_note_session(m->data, sbx_entry_doc(entry));
    }
    sbx_entry_unref(entry);
    bson_destroy(&e);
    sbx_applied(m, pos);
    return pos.op;
}

/* lsid, txnNumber, stmtId, prevOpTime of a retryable write. */
static void session_fields(const struct sbx_sess_call *sess, bson_t *out)
{
    bson_init(out);
    BSON_APPEND_DOCUMENT(out, "lsid", &sess->lsid);
    BSON_APPEND_INT64(out, "txnNumber", sess->txn_number);
    if (sess->stmt_id >= 0) { /* a transaction has none */
        BSON_APPEND_INT32(out, "stmtId", sess->stmt_id);
    }
    sbx_append_optime(out, "prevOpTime", sess->prev);
}

void sbx_log_write(struct sbx_call *c, const bson_t *op, struct mst_optime *out)
{
    struct sbx_sess_call *sess = sbx_sess_of(c);
    struct mst_optime at;

    if (c->txn != NULL) {
        c->txn->add(c, op); /* it is written at commit */
        return;
    }
    if (sess != NULL && sess->retryable) {
        bson_t fields;
        session_fields(sess, &fields);
        at = append(c->m, op, &fields);
        bson_destroy(&fields);
        sess->prev = at;
    } else {
        at = append(c->m, op, NULL);
    }
    c->last_op = at;
    if (out != NULL) {
        *out = at;
    }
}

struct mst_optime sbx_log_server(struct sbx_member *m, const bson_t *op)
{
    return append(m, op, NULL);
}

struct mst_optime sbx_log_noop(struct sbx_member *m, const char *msg)
{
    bson_t op, o;

    bson_init(&op);
    BSON_APPEND_UTF8(&op, "op", "n");
    BSON_APPEND_UTF8(&op, "ns", "");
    bson_append_document_begin(&op, "o", -1, &o);
    BSON_APPEND_UTF8(&o, "msg", msg);
    bson_append_document_end(&op, &o);
    const struct mst_optime at = append(m, &op, NULL);
    bson_destroy(&op);
    return at;
}
