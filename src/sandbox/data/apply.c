/* Entries of the oplog, applied. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/inner.h"

struct sbx_coll *sbx_data_target(const struct sbx_data *d, struct sbx_doc op)
{
    const uint8_t *ui = sbx_val_uuid(sbx_doc_get(op, "ui"));
    const char *ns = sbx_val_str(sbx_doc_get(op, "ns"), NULL);
    struct sbx_coll *c = ui ? sbx_data_by_uuid(d, ui) : NULL;

    return c || ui || !ns ? c : sbx_data_coll(d, ns);
}

static bool missing(struct sbx_doc op, struct sbx_why *why)
{
    struct mst_str s = {0};
    const char *ns = sbx_val_str(sbx_doc_get(op, "ns"), NULL);

    sbx_doc_text(op, &s);
    sbx_why(why, 26, "cannot apply insert or update operation on a non-existent namespace %s: %s",
            ns ? ns : "", mst_str_c(&s));
    mst_str_release(&s);
    return false;
}

static void write_doc(struct sbx_coll *c, struct sbx_doc doc, struct mst_ts ts)
{
    const struct sbx_stamp stamp = {ts, NULL};
    struct mst_buf scratch = {0};
    struct sbx_row row;

    if (sbx_coll_by_id(c, sbx_doc_get(doc, "_id"), SBX_LATEST, &scratch, &row)) {
        sbx_coll_update(c, sbx_coll_rec(c, &row), doc, stamp);
    } else {
        sbx_coll_insert(c, doc, stamp);
    }
    mst_buf_release(&scratch);
}

static bool apply_insert(struct sbx_data *d, struct sbx_doc op, struct mst_ts ts,
                         struct sbx_why *why)
{
    struct sbx_coll *c = sbx_data_target(d, op);
    const struct sbx_val o = sbx_doc_get(op, "o");

    if (!c) {
        return missing(op, why);
    }
    if (o.type != SBX_OBJECT || sbx_doc_get(sbx_val_doc(o), "_id").type == SBX_EOO) {
        return sbx_why(why, 2, "an insert entry without a document that has an _id");
    }
    write_doc(c, sbx_val_doc(o), ts);
    return true;
}

/* The document after an update entry in any of its forms. */
static bool updated(struct sbx_doc o, struct sbx_doc old, struct sbx_out *out, struct sbx_why *why)
{
    struct sbx_change ch = {0};
    const struct sbx_val diff = sbx_doc_get(o, "diff");

    if (sbx_val_i64(sbx_doc_get(o, "$v")) == 2) {
        if (diff.type != SBX_OBJECT) {
            return sbx_why(why, 4772600, "an update entry of version 2 without a diff");
        }
        return sbx_diff_apply(old, sbx_val_doc(diff), out, why);
    }
    if (sbx_update_is_replace(o)) {
        mst_buf_add(&out->b, o.p, o.n); /* these very bytes */
        return true;
    }
    if (!sbx_update(o, old, old, false, &ch, why)) {
        sbx_change_release(&ch);
        return false;
    }
    *out = ch.doc;
    memset(&ch.doc, 0, sizeof ch.doc);
    sbx_change_release(&ch);
    return true;
}

static bool apply_upsert(struct sbx_coll *c, struct sbx_doc o, struct sbx_val id, struct mst_ts ts,
                         struct sbx_why *why)
{
    struct sbx_out base = {0}, after = {0};
    const size_t mark = sbx_out_begin(&base);
    bool ok;

    sbx_out_val(&base, "_id", id);
    sbx_out_end(&base, mark);
    ok = updated(o, sbx_out_done(&base), &after, why);
    if (ok && sbx_doc_get(sbx_out_done(&after), "_id").type != SBX_EOO) {
        sbx_coll_insert(c, sbx_out_done(&after), (struct sbx_stamp){ts, NULL});
    }
    sbx_out_release(&base);
    sbx_out_release(&after);
    return ok;
}

static bool apply_update(struct sbx_data *d, struct sbx_doc op, struct mst_ts ts, bool upsert,
                         struct sbx_why *why)
{
    struct sbx_coll *c = sbx_data_target(d, op);
    const struct sbx_val o = sbx_doc_get(op, "o"), o2 = sbx_doc_get(op, "o2");
    struct mst_buf scratch = {0};
    struct sbx_out after = {0};
    struct sbx_val id;
    struct sbx_row row;
    bool ok = true;

    if (!c) {
        return missing(op, why);
    }
    if (o.type != SBX_OBJECT || o2.type != SBX_OBJECT) {
        return sbx_why(why, 2, "an update entry without o or o2");
    }
    id = sbx_doc_get(sbx_val_doc(o2), "_id");
    upsert = upsert || sbx_val_true(sbx_doc_get(op, "b"));
    if (sbx_coll_by_id(c, id, SBX_LATEST, &scratch, &row)) {
        ok = updated(sbx_val_doc(o), row.doc, &after, why);
        if (ok && !(after.b.len == row.doc.n && memcmp(after.b.p, row.doc.p, row.doc.n) == 0)) {
            sbx_coll_update(c, sbx_coll_rec(c, &row), sbx_out_done(&after),
                            (struct sbx_stamp){ts, NULL});
        }
    } else if (upsert && id.type != SBX_EOO) {
        ok = apply_upsert(c, sbx_val_doc(o), id, ts, why);
    }
    sbx_out_release(&after);
    mst_buf_release(&scratch);
    return ok;
}

static bool apply_delete(struct sbx_data *d, struct sbx_doc op, struct mst_ts ts)
{
    struct sbx_coll *c = sbx_data_target(d, op);
    const struct sbx_val o = sbx_doc_get(op, "o");
    struct mst_buf scratch = {0};
    struct sbx_row row;

    if (c && o.type == SBX_OBJECT &&
        sbx_coll_by_id(c, sbx_doc_get(sbx_val_doc(o), "_id"), SBX_LATEST, &scratch, &row)) {
        sbx_coll_remove(c, sbx_coll_rec(c, &row), (struct sbx_stamp){ts, NULL});
    }
    mst_buf_release(&scratch);
    return true;
}

bool sbx_data_apply_op(struct sbx_data *d, struct sbx_doc op, struct mst_ts ts, bool upsert,
                       struct sbx_why *why)
{
    const char *kind = sbx_val_str(sbx_doc_get(op, "op"), NULL);

    if (!kind || strlen(kind) != 1) {
        return sbx_why(why, 2,
                       "Enumeration value '%s' for field 'OplogEntryBase.op' is not a "
                       "valid value.",
                       kind ? kind : "");
    }
    switch (kind[0]) {
    case 'i':
        return apply_insert(d, op, ts, why);
    case 'u':
        return apply_update(d, op, ts, upsert, why);
    case 'd':
        return apply_delete(d, op, ts);
    case 'c':
        return sbx_apply_command(d, op, ts, why);
    case 'n':
        return true;
    default:
        return sbx_why(why, 2,
                       "Enumeration value '%s' for field 'OplogEntryBase.op' is not a "
                       "valid value.",
                       kind);
    }
}

/* ---- transactions ---- */

void sbx_chains_free(struct sbx_data *d)
{
    while (d->chains) {
        struct sbx_chain *c = d->chains;

        d->chains = c->next;
        sbx_out_release(&c->key);
        sbx_out_release(&c->ops);
        free(c);
    }
}

void sbx_chains_copy(struct sbx_data *d, const struct sbx_data *from)
{
    for (const struct sbx_chain *c = from->chains; c; c = c->next) {
        struct sbx_chain *n = mst_xcalloc(1, sizeof *n);

        mst_buf_add(&n->key.b, c->key.b.p, c->key.b.len);
        mst_buf_add(&n->ops.b, c->ops.b.p, c->ops.b.len);
        n->next = d->chains;
        d->chains = n;
    }
}

static struct sbx_chain *chain_of(struct sbx_data *d, struct sbx_doc entry, bool make)
{
    struct sbx_out key = {0};
    const size_t mark = sbx_out_begin(&key);
    struct sbx_chain *c;

    sbx_out_val(&key, "l", sbx_doc_get(entry, "lsid"));
    sbx_out_i64(&key, "n", sbx_val_i64(sbx_doc_get(entry, "txnNumber")));
    sbx_out_end(&key, mark);
    for (c = d->chains; c; c = c->next) {
        if (c->key.b.len == key.b.len && memcmp(c->key.b.p, key.b.p, key.b.len) == 0) {
            break;
        }
    }
    if (!c && make) {
        c = mst_xcalloc(1, sizeof *c);
        c->key = key;
        c->next = d->chains;
        d->chains = c;
        return c;
    }
    sbx_out_release(&key);
    return c;
}

static void chain_drop(struct sbx_data *d, struct sbx_chain *c)
{
    struct sbx_chain **p = &d->chains;

    while (*p != c) {
        p = &(*p)->next;
    }
    *p = c->next;
    sbx_out_release(&c->key);
    sbx_out_release(&c->ops);
    free(c);
}

static bool chain_apply(struct sbx_data *d, struct sbx_chain *c, struct mst_ts ts,
                        struct sbx_why *why)
{
    size_t at = 0;
    bool ok = true;

    while (ok && at + 5 <= c->ops.b.len) {
        const uint32_t n = mst_le32(c->ops.b.p + at);

        ok = sbx_data_apply_op(d, sbx_doc(c->ops.b.p + at, n), ts, false, why);
        at += n;
    }
    chain_drop(d, c);
    return ok;
}

static bool apply_list(struct sbx_data *d, struct sbx_val list, struct mst_ts ts, bool upsert,
                       struct sbx_why *why)
{
    struct sbx_it it;

    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        if (it.v.type != SBX_OBJECT || !sbx_data_apply_op(d, sbx_val_doc(it.v), ts, upsert, why)) {
            return why->code ? false : sbx_why(why, 2, "applyOps holds what is no operation");
        }
    }
    return true;
}

static bool apply_transaction(struct sbx_data *d, struct sbx_doc entry, struct sbx_doc o,
                              struct mst_ts ts, struct sbx_why *why)
{
    const struct sbx_val list = sbx_doc_get(o, "applyOps");
    const bool later =
        sbx_val_true(sbx_doc_get(o, "partialTxn")) || sbx_val_true(sbx_doc_get(o, "prepare"));
    struct sbx_chain *c = chain_of(d, entry, later);
    struct sbx_it it;

    if (list.type != SBX_ARRAY) {
        return sbx_why(why, 2, "applyOps without a list");
    }
    if (later) {
        sbx_it_init(&it, sbx_val_doc(list));
        while (sbx_it_next(&it)) {
            mst_buf_add(&c->ops.b, it.v.p, it.v.n);
        }
        return true;
    }
    return (!c || chain_apply(d, c, ts, why)) && apply_list(d, list, ts, false, why);
}

static bool apply_entry(struct sbx_data *d, struct sbx_doc e, struct sbx_why *why)
{
    const struct mst_ts ts = sbx_val_ts(sbx_doc_get(e, "ts"));
    const struct sbx_val o = sbx_doc_get(e, "o");
    const bool session =
        sbx_doc_get(e, "lsid").type == SBX_OBJECT && sbx_doc_get(e, "txnNumber").type != SBX_EOO;
    struct sbx_it first;

    if (sbx_val_streq(sbx_doc_get(e, "op"), "c") && o.type == SBX_OBJECT &&
        sbx_doc_first(sbx_val_doc(o), &first)) {
        struct sbx_chain *c;

        if (strcmp(first.key, "applyOps") == 0) {
            return session ? apply_transaction(d, e, sbx_val_doc(o), ts, why)
                           : apply_list(d, first.v, ts, true, why);
        }
        if (strcmp(first.key, "commitTransaction") == 0) {
            c = chain_of(d, e, false);
            return !c || chain_apply(d, c, ts, why);
        }
        if (strcmp(first.key, "abortTransaction") == 0) {
            c = chain_of(d, e, false);
            if (c) {
                chain_drop(d, c);
            }
            return true;
        }
    }
    return sbx_data_apply_op(d, e, ts, false, why);
}

bool sbx_data_apply(struct sbx_data *d, const struct sbx_doc entry, char *why, size_t n)
{
    struct sbx_why w = {0};
    const bool ok = apply_entry(d, entry, &w);

    if (!ok && n) {
        snprintf(why, n, "%s", w.msg);
    }
    return ok;
}
