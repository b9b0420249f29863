/* One insert, update or delete: checks, the oplog entry and the change, in one go under the lock.
 */
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_data.h"

#define STORED_DEPTH_MAX 180

static const uint8_t empty[] = {5, 0, 0, 0, 0};

struct sbx_coll *sbx_make_coll(struct sbx_call *c, const char *ns, struct sbx_doc options,
                               struct sbx_why *why)
{
    struct sbx_coll *coll = sbx_data_create(c->m->data, ns, NULL, options, sbx_doc(NULL, 0), why);
    struct sbx_txn *txn = c->txn;
    struct sbx_sess_call *sess = sbx_sess_of(c);
    const bool retryable = sess && sess->retryable;
    struct sbx_op op;
    struct sbx_it it;
    size_t o;

    if (!coll) {
        return NULL;
    }
    sbx_op_command(&op, c->db, coll->uuid);
    o = sbx_out_sub(&op.b, "o", SBX_OBJECT);
    sbx_out_str(&op.b, "create", sbx_coll_name(coll));
    sbx_it_init(&it, sbx_out_done(&coll->options));
    while (sbx_it_next(&it)) {
        sbx_out_valn(&op.b, it.key, it.klen, it.v);
    }
    sbx_out_doc(&op.b, "idIndex", sbx_out_done(&coll->indexes->spec));
    sbx_out_end(&op.b, o);
    /* A collection made on the way is the server's own entry: no statement, no transaction. */
    c->txn = NULL;
    if (sess) {
        sess->retryable = false;
    }
    sbx_op_log(c, &op, ns);
    c->txn = txn;
    if (sess) {
        sess->retryable = retryable;
    }
    return coll;
}

struct sbx_coll *sbx_write_coll(struct sbx_call *c, const char *ns, struct sbx_why *why)
{
    struct sbx_coll *coll = sbx_data_coll(c->m->data, ns);
    struct sbx_doc def;

    if (coll) {
        return coll;
    }
    if (sbx_data_view(c->m->data, ns, &def)) {
        sbx_why(why, 166, "Namespace %s is a view, not a collection", ns);
        return NULL;
    }
    if (c->txn && c->w->profile->server == SBX_42) {
        sbx_why(why, 263, "Cannot create namespace %s in multi-document transaction.", ns);
        return NULL;
    }
    return sbx_make_coll(c, ns, sbx_doc(empty, 5), why);
}

/* Wait for an open transaction that holds what this plain write wants. True: try again. */
static bool try_again(struct sbx_call *c, const struct sbx_why *why)
{
    if (why->code != 112 || c->txn) {
        return false;
    }
    const enum sbx_woke woke = sbx_wait(c, sbx_cmd_deadline(c));

    if (woke == SBX_DEADLINE) {
        sbx_fail(c, 50, "operation exceeded time limit");
    }
    if (woke != SBX_WOKE) {
        return false;
    }
    if (!c->m->writable) {
        sbx_fail(c, 11602, "operation was interrupted");
        return false;
    }
    return true;
}

static bool check_stored(struct sbx_call *c, struct sbx_doc doc, struct sbx_why *why)
{
    const struct sbx_val id = sbx_doc_get(doc, "_id");
    struct sbx_it it;
    unsigned depth;

    if (doc.n > SBX_DOC_MAX) {
        return sbx_why(why, 2, "object to insert too large. size in bytes: %u, max size: %d", doc.n,
                       SBX_DOC_MAX);
    }
    if (!sbx_doc_valid(doc, &depth) || depth > STORED_DEPTH_MAX) {
        return sbx_why(why, 15, "cannot insert document because it exceeds %d levels of nesting",
                       STORED_DEPTH_MAX);
    }
    if (id.type == SBX_ARRAY || id.type == SBX_REGEX || id.type == SBX_UNDEFINED) {
        return sbx_why(why, c->w->profile->server == SBX_42 ? 2 : 53, "can't use a%s for _id",
                       id.type == SBX_ARRAY   ? "n array"
                       : id.type == SBX_REGEX ? " regex"
                                              : " undefined");
    }
    sbx_it_init(&it, doc);
    while (c->w->profile->server == SBX_42 && sbx_it_next(&it)) {
        if (it.key[0] == '$') {
            return sbx_why(why, 2, "Document can't have $ prefixed field names: %s", it.key);
        }
    }
    return true;
}

static bool zero_ts(struct sbx_val v)
{
    return v.type == SBX_TIMESTAMP && mst_le64(v.p) == 0;
}

/* _id first, made when absent; a zero timestamp at the top becomes the present one. */
static void fix_doc(struct sbx_call *c, struct sbx_doc in, struct sbx_out *out)
{
    const size_t mark = sbx_out_begin(out);
    const struct sbx_val id = sbx_doc_get(in, "_id");
    uint8_t oid[12];
    struct sbx_it it;

    if (id.type == SBX_EOO) {
        sbx_oid_new(oid);
        sbx_out_oid(out, "_id", oid);
    } else {
        sbx_out_val(out, "_id", id);
    }
    sbx_it_init(&it, in);
    while (sbx_it_next(&it)) {
        if (zero_ts(it.v) && strcmp(it.key, "_id") != 0) {
            sbx_out_ts(out, it.key, sbx_next_ts(c->m));
        } else if (strcmp(it.key, "_id") != 0 || it.v.p != id.p) {
            sbx_out_valn(out, it.key, it.klen, it.v);
        }
    }
    sbx_out_end(out, mark);
}

static bool needs_fix(struct sbx_doc d)
{
    struct sbx_it it;
    bool first = true;

    sbx_it_init(&it, d);
    while (sbx_it_next(&it)) {
        const bool id = strcmp(it.key, "_id") == 0;

        if ((first && !id) || (!id && zero_ts(it.v))) {
            return true;
        }
        first = false;
    }
    return first;
}

/* A failed insert has taken its optime already, as on the server. */
static bool insert_failed(struct sbx_call *c)
{
    if (!c->txn) {
        sbx_next_ts(c->m);
    }
    return false;
}

static bool insert_fixed(struct sbx_call *c, const char *ns, struct sbx_doc doc, bool bypass,
                         struct sbx_write *w)
{
    struct sbx_coll *coll;
    struct sbx_op op;

    for (;;) {
        coll = sbx_write_coll(c, ns, &w->why);
        if (!coll) {
            return false;
        }
        if (!bypass && !sbx_coll_validate(coll, doc)) {
            sbx_why(&w->why, 121, "Document failed validation");
            return insert_failed(c);
        }
        if (c->txn && coll->capped) {
            return sbx_why(&w->why, 263,
                           "Collection '%s' is a capped collection. Writes in transactions are not "
                           "allowed on capped collections.",
                           ns);
        }
        w->why.code = 0;
        if (sbx_coll_check(coll, NULL, doc, sbx_cmd_view(c), &w->dup, &w->why)) {
            break;
        }
        if (!try_again(c, &w->why)) {
            return w->why.code == 11000 ? insert_failed(c) : false;
        }
    }
    sbx_op_begin(&op, 'i', ns, coll->uuid);
    sbx_out_doc(&op.b, "o", doc);
    sbx_coll_insert(coll, doc, sbx_op_log(c, &op, ns));
    return true;
}

bool sbx_write_insert(struct sbx_call *c, const char *ns, struct sbx_doc doc, bool bypass,
                      struct sbx_write *w)
{
    struct sbx_out fixed = {0};
    bool ok;

    if (!check_stored(c, doc, &w->why)) {
        return false;
    }
    if (needs_fix(doc)) {
        fix_doc(c, doc, &fixed);
        doc = sbx_out_done(&fixed);
    }
    ok = doc.n <= SBX_DOC_MAX ? insert_fixed(c, ns, doc, bypass, w) : check_stored(c, doc, &w->why);
    sbx_out_release(&fixed);
    return ok;
}

/* ---- updates ---- */

static void keep_doc(struct sbx_out *to, bool *has, struct sbx_doc d)
{
    sbx_out_reset(to);
    mst_buf_add(&to->b, d.p, d.n);
    *has = true;
}

static void log_update(struct sbx_call *c, struct sbx_op *op, struct sbx_doc before,
                       const struct sbx_change *ch)
{
    struct sbx_out diff = {0};
    const struct sbx_doc after = sbx_out_done(&ch->doc);
    size_t m;

    m = sbx_out_sub(&op->b, "o2", SBX_OBJECT);
    sbx_out_val(&op->b, "_id", sbx_doc_get(before, "_id"));
    sbx_out_end(&op->b, m);
    if (ch->replaced) {
        sbx_out_doc(&op->b, "o", after);
    } else if (!c->w->profile->v2_update) {
        sbx_out_doc(&op->b, "o", sbx_out_done(&ch->log));
    } else if (sbx_diff_make(before, after, &diff)) {
        m = sbx_out_sub(&op->b, "o", SBX_OBJECT);
        sbx_out_i32(&op->b, "$v", 2);
        sbx_out_doc(&op->b, "diff", sbx_out_done(&diff));
        sbx_out_end(&op->b, m);
    } else {
        sbx_out_doc(&op->b, "o", after);
    }
    sbx_out_release(&diff);
}

static void stamp_zero_ts(struct sbx_call *c, struct sbx_change *ch)
{
    struct sbx_out fixed = {0};

    if (ch->replaced && needs_fix(sbx_out_done(&ch->doc))) {
        fix_doc(c, sbx_out_done(&ch->doc), &fixed);
        sbx_out_release(&ch->doc);
        ch->doc = fixed;
    }
}

enum step { STEP_DONE, STEP_FAILED, STEP_AGAIN };

static enum step change_checked(struct sbx_call *c, struct sbx_coll *coll,
                                const struct sbx_row *row, const struct sbx_update_args *a,
                                const struct sbx_change *ch, struct sbx_write *w)
{
    const struct sbx_doc after = sbx_out_done(&ch->doc);
    const bool was_valid = !coll->validate_moderate || sbx_coll_validate(coll, row->doc);

    if (!a->bypass && was_valid && !sbx_coll_validate(coll, after)) {
        sbx_why(&w->why, 121, "Document failed validation");
        return STEP_FAILED;
    }
    if (!check_stored(c, after, &w->why)) {
        return STEP_FAILED;
    }
    w->why.code = 0;
    if (sbx_coll_check(coll, sbx_coll_rec(coll, row), after, sbx_cmd_view(c), &w->dup, &w->why)) {
        return STEP_DONE;
    }
    return try_again(c, &w->why) ? STEP_AGAIN : STEP_FAILED;
}

static enum step update_row(struct sbx_call *c, struct sbx_coll *coll, const struct sbx_row *row,
                            const struct sbx_update_args *a, struct sbx_write *w)
{
    struct sbx_change ch;
    enum step s = STEP_FAILED;
    struct sbx_op op;

    if (!sbx_update(a->u, row->doc, a->q, false, &ch, &w->why)) {
        sbx_change_release(&ch);
        return STEP_FAILED;
    }
    if (!ch.noop) {
        stamp_zero_ts(c, &ch);
        s = change_checked(c, coll, row, a, &ch, w);
    } else {
        s = STEP_DONE;
    }
    if (s == STEP_DONE && w->keep_docs) {
        keep_doc(&w->before, &w->has_before, row->doc);
        keep_doc(&w->after, &w->has_after, sbx_out_done(&ch.doc));
    }
    if (s == STEP_DONE && !ch.noop) {
        struct sbx_rec *rec = sbx_coll_rec(coll, row);

        sbx_op_begin(&op, 'u', coll->ns, coll->uuid);
        log_update(c, &op, row->doc, &ch);
        sbx_coll_update(coll, rec, sbx_out_done(&ch.doc), sbx_op_log(c, &op, coll->ns));
        w->modified++;
    }
    w->matched += s == STEP_DONE;
    sbx_change_release(&ch);
    return s;
}

static bool upsert(struct sbx_call *c, const char *ns, const struct sbx_update_args *a,
                   struct sbx_write *w)
{
    struct sbx_out base = {0}, doc = {0};
    struct sbx_change ch = {0};
    size_t mark;
    bool ok = (!sbx_update_is_replace(a->u) || sbx_doc_get(a->q, "_id").type != SBX_EOO)
                  ? sbx_upsert_base(a->q, &base, &w->why)
                  : true;

    if (ok && sbx_update_is_replace(a->u)) { /* only the query's _id counts */
        const struct sbx_val id = sbx_match_equal(a->q, "_id");

        sbx_out_reset(&base);
        mark = sbx_out_begin(&base);
        if (id.type != SBX_EOO) {
            sbx_out_val(&base, "_id", id);
        }
        sbx_out_end(&base, mark);
    }
    ok = ok && sbx_update(a->u, sbx_out_done(&base), a->q, true, &ch, &w->why);
    if (ok) {
        fix_doc(c, sbx_out_done(&ch.doc), &doc);
        ok = check_stored(c, sbx_out_done(&doc), &w->why) &&
             insert_fixed(c, ns, sbx_out_done(&doc), a->bypass, w);
    }
    if (ok) {
        w->upserted = true;
        w->matched++;
        mark = sbx_out_begin(&w->upserted_id);
        sbx_out_val(&w->upserted_id, "_id", sbx_doc_get(sbx_out_done(&doc), "_id"));
        sbx_out_end(&w->upserted_id, mark);
        if (w->keep_docs) {
            keep_doc(&w->after, &w->has_after, sbx_out_done(&doc));
        }
    }
    sbx_change_release(&ch);
    sbx_out_release(&base);
    sbx_out_release(&doc);
    return ok;
}

/* Places of the rows that match: first all of them, or the one that sorts first. */
struct places {
    int64_t *rid;
    size_t n, cap;
};

static void add_place(struct places *p, int64_t rid)
{
    mst_grow((void **)&p->rid, &p->cap, p->n + 1, sizeof *p->rid);
    p->rid[p->n++] = rid;
}

static void find_places(struct sbx_call *c, const struct sbx_coll *coll, struct sbx_doc q,
                        struct sbx_doc sort, bool multi, struct places *p)
{
    const bool sorted = sort.n > 5;
    struct sbx_out best = {0};
    struct sbx_scan s;
    struct sbx_row row;

    sbx_plan(&s, q);
    while (sbx_plan_next(&s, coll, sbx_cmd_view(c), q, &row)) {
        if (!sorted || multi) {
            add_place(p, row.rid);
        } else if (!p->n || sbx_sort_cmp(sort, row.doc, sbx_out_done(&best)) < 0) {
            p->n = 0;
            add_place(p, row.rid);
            sbx_out_reset(&best);
            mst_buf_add(&best.b, row.doc.p, row.doc.n);
        }
        if (!multi && !sorted) {
            break;
        }
    }
    sbx_scan_release(&s);
    sbx_out_release(&best);
}

static bool row_at(struct sbx_call *c, const struct sbx_coll *coll, int64_t rid, struct sbx_scan *s,
                   struct sbx_row *row)
{
    sbx_scan_init(s, SBX_SCAN_NATURAL, false);
    s->rid = rid - 1;
    return sbx_scan_next(s, coll, sbx_cmd_view(c), row) && row->rid == rid;
}

bool sbx_write_update(struct sbx_call *c, const char *ns, const struct sbx_update_args *a,
                      struct sbx_write *w)
{
    struct sbx_coll *coll = sbx_data_coll(c->m->data, ns);
    struct places p = {0};
    enum step s = STEP_DONE;
    bool ok;

    if (!sbx_match_check(a->q, &w->why) || (!coll && !sbx_cmd_no_view(c, ns))) {
        return false;
    }
    if (coll) {
        find_places(c, coll, a->q, a->sort, a->multi, &p);
    }
    for (size_t i = 0; s != STEP_FAILED && i < p.n; i += s != STEP_AGAIN) {
        struct sbx_scan scan = {0};
        struct sbx_row row;

        s = STEP_DONE;
        coll = sbx_data_coll(c->m->data, ns); /* a wait may have lost it */
        if (coll && row_at(c, coll, p.rid[i], &scan, &row) && sbx_match(a->q, row.doc)) {
            s = update_row(c, coll, &row, a, w);
        }
        sbx_scan_release(&scan);
    }
    ok = s == STEP_DONE && !c->failed;
    if (ok && p.n == 0 && a->upsert) {
        ok = upsert(c, ns, a, w);
    }
    free(p.rid);
    return ok;
}

bool sbx_write_delete(struct sbx_call *c, const char *ns, struct sbx_doc q, struct sbx_doc sort,
                      bool multi, struct sbx_write *w)
{
    struct sbx_coll *coll = sbx_data_coll(c->m->data, ns);
    struct places p = {0};
    bool ok = true;

    if (!sbx_match_check(q, &w->why) || (!coll && !sbx_cmd_no_view(c, ns))) {
        return false;
    }
    if (coll && coll->capped) {
        return sbx_why(&w->why, 20, "cannot remove from a capped collection: %s", ns);
    }
    if (coll) {
        find_places(c, coll, q, sort, multi, &p);
    }
    for (size_t i = 0; ok && i < p.n; i++) {
        struct sbx_scan scan;
        struct sbx_row row;
        struct sbx_op op;
        size_t m;

        coll = sbx_data_coll(c->m->data, ns);
        if (coll && row_at(c, coll, p.rid[i], &scan, &row)) {
            struct sbx_rec *rec = sbx_coll_rec(coll, &row);

            w->why.code = 0;
            ok = sbx_rec_writable(rec, sbx_cmd_view(c), &w->why);
            if (!ok && try_again(c, &w->why)) {
                ok = true;
                i--; /* look again */
            } else if (ok) {
                if (w->keep_docs) {
                    keep_doc(&w->before, &w->has_before, row.doc);
                }
                sbx_op_begin(&op, 'd', ns, coll->uuid);
                m = sbx_out_sub(&op.b, "o", SBX_OBJECT);
                sbx_out_val(&op.b, "_id", sbx_doc_get(row.doc, "_id"));
                sbx_out_end(&op.b, m);
                sbx_coll_remove(coll, rec, sbx_op_log(c, &op, ns));
                w->matched++;
            }
            sbx_scan_release(&scan);
        }
    }
    free(p.rid);
    return ok && !c->failed;
}
