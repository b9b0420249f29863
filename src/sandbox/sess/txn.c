/* txn.c: transactions: their way from the first statement to the entries of the commit. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/sessions.h"
#include "oplog/entries.h"
#include "sess/internal.h"
#include "set/set.h"
#include "wire/client.h"

#define E_NO_SUCH_TXN 251
#define E_TOO_OLD 225
#define E_COMMITTED 256
#define LIFETIME_S 60
#define ENTRY_BYTES (16 * 1024 * 1024)
#define ENTRY_OVERHEAD 8 /* type, index and terminator of an array's element */

void sbx_fail_no_txn(struct sbx_call *c, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sbx_fail(c, E_NO_SUCH_TXN, "%s", text);
    sbx_fail_label(c, "TransientTransactionError");
}

void sbx_session_text(const struct sbx_session *s, char *out, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *k = s->key, *u = s->key + 16;
    char b64[45];

    for (int i = 0; i < 11; i++) { /* 32 bytes: ten groups of three and one of two */
        const uint32_t v = (uint32_t)u[3 * i] << 16 | (uint32_t)u[3 * i + 1] << 8 |
                           (i < 10 ? (uint32_t)u[3 * i + 2] : 0);

        b64[4 * i] = digits[v >> 18];
        b64[4 * i + 1] = digits[v >> 12 & 63];
        b64[4 * i + 2] = digits[v >> 6 & 63];
        b64[4 * i + 3] = i < 10 ? digits[v & 63] : '=';
    }
    b64[44] = '\0';
    (void)snprintf(out, size,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x - %s",
                   k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7], k[8], k[9], k[10], k[11], k[12],
                   k[13], k[14], k[15], b64);
}

static void close_txn(struct sbx_session *s)
{
    struct sbx_open *o = s->open;

    for (size_t i = 0; i < o->n; i++) {
        bson_destroy(o->ops[i]);
    }
    free(o->ops);
    s->open = NULL;
    if (o->busy) {
        o->ops = NULL;
        o->n = o->cap = 0;
        o->pub.txd = NULL;
        o->orphan = true;
    } else {
        free(o);
    }
}

void sbx_open_abort(struct sbx_member *m, struct sbx_session *s)
{
    if (s == NULL || s->open == NULL) {
        return;
    }
    if (s->open->pub.txd != NULL) {
        sbx_txd_abort(s->open->pub.txd);
    }
    close_txn(s);
    s->state = SBX_TXN_ABORTED;
    sbx_sessions_of(m)->stats.aborted++;
    sbx_changed(m->w);
}

void sbx_txn_expire(struct sbx_member *m)
{
    struct sbx_sessions *all = sbx_sessions_of(m);
    const int64_t life = (m->w->txn_lifetime_s != 0 ? m->w->txn_lifetime_s : LIFETIME_S) * 1000;

    for (size_t i = 0; i < SBX_SESS_BUCKETS; i++) {
        for (struct sbx_session *s = all->buckets[i]; s != NULL; s = s->next) {
            if (s->open != NULL && sbx_mono(m->w) - s->open->since_mono > life) {
                sbx_open_abort(m, s);
            }
        }
    }
}

/* The form of an operation inside applyOps: o before o2, nothing of the entry around it. */
static void add_op(struct sbx_call *c, const bson_t *op)
{
    static const char *const order[] = {"op", "ns", "ui", "o", "o2", "b"};
    struct sbx_open *o = sbx_call_state(c)->session->open;
    bson_t *copy = bson_new();
    bson_iter_t it;

    for (size_t i = 0; i < MST_COUNT(order); i++) {
        if (bson_iter_init_find(&it, op, order[i])) {
            bson_append_iter(copy, NULL, 0, &it);
        }
    }
    mst_grow((void **)&o->ops, &o->cap, o->n + 1, sizeof *o->ops);
    o->ops[o->n++] = copy;
}

static bool start_txn(struct sbx_call *c, struct sbx_session *s, int64_t number)
{
    char who[128];

    if (!c->m->writable) {
        sbx_fail(c, 10107, "%s", c->w->profile->server == SBX_42 ? "not master" : "not primary");
        return false;
    }
    if (number < s->number) {
        sbx_session_text(s, who, sizeof who);
        sbx_fail(c, E_TOO_OLD,
                 "Cannot start transaction %lld on session %s because a newer transaction with "
                 "txnNumber %lld has already started on this session.",
                 (long long)number, who, (long long)s->number);
        return false;
    }
    if (number == s->number) {
        sbx_fail(c, 50911,
                 "Only servers in a sharded cluster can start a new transaction at the active "
                 "transaction number");
        return false;
    }
    sbx_open_abort(c->m, s);
    s->number = number;
    s->state = SBX_TXN_OPEN;
    s->open = mst_xcalloc(1, sizeof *s->open);
    s->open->since_mono = sbx_mono(c->w);
    s->open->pub.read_at = c->m->applied.op.ts;
    s->open->pub.txd = sbx_txd_new(c->m->data, s->open->pub.read_at);
    s->open->pub.add = add_op;
    sbx_sessions_of(c->m)->stats.started++;
    s->open->busy = true;
    c->txn = &s->open->pub;
    return true;
}

/* Is number the session's open transaction? Fails the call when not. */
static bool find_txn(struct sbx_call *c, const struct sbx_session *s, int64_t number)
{
    if (s == NULL || number != s->number || s->state == SBX_TXN_NONE) {
        sbx_fail_no_txn(c,
                        "Given transaction number %lld does not match any in-progress "
                        "transactions. The active transaction number is %lld",
                        (long long)number, s != NULL ? (long long)s->number : -1LL);
    } else if (s->state == SBX_TXN_ABORTED) {
        sbx_fail_no_txn(c, "Transaction %lld has been aborted.", (long long)number);
    } else if (s->state == SBX_TXN_COMMITTED) {
        sbx_fail(c, E_COMMITTED, "Transaction %lld has been committed.", (long long)number);
    }
    return !c->failed;
}

bool sbx_txn_enter(struct sbx_call *c, struct sbx_session *s, int64_t number, bool start)
{
    if (start) {
        return start_txn(c, s, number);
    }
    if (!find_txn(c, s, number)) {
        return false;
    }
    s->open->busy = true;
    c->txn = &s->open->pub;
    return true;
}

/* One entry with the operations from..to-1. Entries before the last say that more follow; the last
 * of several counts them all. */
static void log_part(struct sbx_call *c, const struct sbx_open *o, size_t from, size_t to)
{
    const bool first = from == 0, last = to == o->n;
    bson_t op = BSON_INITIALIZER, doc, list;
    char key[24];

    BSON_APPEND_UTF8(&op, "op", "c");
    BSON_APPEND_UTF8(&op, "ns", "admin.$cmd");
    BSON_APPEND_DOCUMENT_BEGIN(&op, "o", &doc);
    BSON_APPEND_ARRAY_BEGIN(&doc, "applyOps", &list);
    for (size_t i = from; i < to; i++) {
        (void)snprintf(key, sizeof key, "%zu", i - from);
        BSON_APPEND_DOCUMENT(&list, key, o->ops[i]);
    }
    bson_append_array_end(&doc, &list);
    if (!last) {
        BSON_APPEND_BOOL(&doc, "partialTxn", true);
    } else if (!first) {
        BSON_APPEND_INT64(&doc, "count", (int64_t)o->n);
    }
    bson_append_document_end(&op, &doc);
    sbx_log_write(c, &op, &sbx_call_state(c)->pub.prev);
    bson_destroy(&op);
}

static void log_commit(struct sbx_call *c, const struct sbx_open *o)
{
    const int64_t max = c->w->max_txn_bytes != 0 ? c->w->max_txn_bytes : ENTRY_BYTES;
    struct sbx_call_state *cs = sbx_call_state(c);
    size_t from = 0;

    cs->pub.retryable = true; /* its entries carry the session, but no statement */
    cs->pub.stmt_id = -1;
    cs->pub.prev = (struct mst_optime){{0, 0}, -1};
    while (from < o->n) {
        size_t to = from;
        int64_t bytes = 0;

        while (to < o->n && (to == from || bytes + o->ops[to]->len + ENTRY_OVERHEAD <= max)) {
            bytes += o->ops[to]->len + ENTRY_OVERHEAD;
            to++;
        }
        log_part(c, o, from, to);
        from = to;
    }
}

void sbx_sess_commit(struct sbx_call *c)
{
    struct sbx_call_state *cs = sbx_call_state(c);
    struct sbx_session *s = cs != NULL ? cs->session : NULL;
    struct sbx_open *o;

    if (!c->m->writable) {
        sbx_fail(c, 10107, "%s", c->w->profile->server == SBX_42 ? "not master" : "not primary");
        return;
    }
    if (s != NULL && cs->pub.txn_number == s->number && s->state == SBX_TXN_COMMITTED) {
        c->last_op = s->commit_op; /* the answer got lost: the same one again */
        return;
    }
    if (!find_txn(c, s, cs != NULL ? cs->pub.txn_number : -1)) {
        return;
    }
    o = s->open;
    if (o->n == 0) { /* it only read: nothing is written */
        sbx_txd_abort(o->pub.txd);
        s->commit_op = c->m->applied.op;
    } else {
        log_commit(c, o);
        sbx_txd_commit(o->pub.txd, cs->pub.prev.ts);
        s->commit_op = cs->pub.prev;
    }
    o->pub.txd = NULL;
    close_txn(s);
    s->state = SBX_TXN_COMMITTED;
    sbx_sessions_of(c->m)->stats.committed++;
    sbx_changed(c->w);
}

void sbx_sess_abort(struct sbx_call *c)
{
    struct sbx_call_state *cs = sbx_call_state(c);

    if (find_txn(c, cs != NULL ? cs->session : NULL, cs != NULL ? cs->pub.txn_number : -1)) {
        sbx_open_abort(c->m, cs->session);
    }
}

/* ---- retryable writes ---- */

bool sbx_session_record(struct sbx_member *m, const bson_t *lsid, int64_t *number,
                        struct mst_optime *last, bool *committed)
{
    struct sbx_coll *coll = m->data != NULL ? sbx_data_coll(m->data, SBX_TRANSACTIONS_NS) : NULL;
    const struct sbx_val id = {SBX_OBJECT, bson_get_data(lsid), lsid->len};
    struct mst_buf scratch = {0};
    struct sbx_row row;
    bool found;

    found = coll != NULL && sbx_coll_by_id(coll, id, SBX_LATEST, &scratch, &row);
    if (found) {
        const struct sbx_val op = sbx_doc_get(row.doc, "lastWriteOpTime");

        *number = sbx_val_i64(sbx_doc_get(row.doc, "txnNum"));
        *committed = sbx_val_streq(sbx_doc_get(row.doc, "state"), "committed");
        if (op.type == SBX_OBJECT) {
            last->ts = sbx_val_ts(sbx_doc_get(sbx_val_doc(op), "ts"));
            last->term = sbx_val_i64(sbx_doc_get(sbx_val_doc(op), "t"));
        }
    }
    mst_buf_release(&scratch);
    return found;
}

/* Follow the chain of this number's entries back to the statement. */
static bool already(struct sbx_call *c, int32_t stmt_id, bson_t *entry)
{
    struct sbx_call_state *cs = sbx_call_state(c);
    struct mst_optime at = cs->pub.prev;

    while (at.term >= 0 && !mst_ts_zero(at.ts)) {
        const uint64_t pos = sbx_oplog_find(c->m->oplog, at);
        struct sbx_doc doc, prev;

        if (pos == UINT64_MAX) {
            sbx_fail(c, 217, "Incomplete history detected for transaction %lld on session",
                     (long long)cs->pub.txn_number);
            return false;
        }
        doc = sbx_entry_doc(sbx_oplog_at(c->m->oplog, pos));
        if (sbx_val_i64(sbx_doc_get(doc, "stmtId")) == stmt_id &&
            sbx_doc_get(doc, "stmtId").type != SBX_EOO) {
            bson_t copy;

            if (bson_init_static(&copy, doc.p, doc.n)) {
                bson_concat(entry, &copy);
            }
            cs->retried = true;
            sbx_sessions_of(c->m)->stats.retried_statements++;
            return true;
        }
        if (sbx_doc_get(doc, "prevOpTime").type != SBX_OBJECT) {
            return false;
        }
        prev = sbx_val_doc(sbx_doc_get(doc, "prevOpTime"));
        at.ts = sbx_val_ts(sbx_doc_get(prev, "ts"));
        at.term = sbx_val_i64(sbx_doc_get(prev, "t"));
    }
    return false;
}

bool sbx_retry_begin(struct sbx_call *c)
{
    struct sbx_call_state *cs = sbx_call_state(c);
    struct sbx_session *s = cs->session;
    struct mst_optime last = {{0, 0}, -1};
    int64_t number = -1;
    bool committed = false;
    char who[128];

    if (cs->pub.txn_number < s->number) {
        sbx_session_text(s, who, sizeof who);
        sbx_fail(c, E_TOO_OLD,
                 "Retryable write with txnNumber %lld is prohibited on session %s because a newer "
                 "retryable write with txnNumber %lld has already started on this session.",
                 (long long)cs->pub.txn_number, who, (long long)s->number);
        return false;
    }
    if (cs->pub.txn_number > s->number) {
        sbx_open_abort(c->m, s);
        s->number = cs->pub.txn_number;
        s->state = SBX_TXN_NONE;
    } else if (s->state != SBX_TXN_NONE) {
        sbx_fail(c, E_COMMITTED, "Transaction %lld is a multi-document transaction",
                 (long long)s->number);
        return false;
    }
    cs->pub.retryable = true;
    cs->pub.already = already;
    cs->pub.stmt_id = 0;
    if (sbx_session_record(c->m, &cs->pub.lsid, &number, &last, &committed) &&
        number == cs->pub.txn_number) {
        cs->pub.prev = last;
    }
    return true;
}
