/* insert, update, delete, findAndModify. */
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_data.h"

struct batch { /* of statements in one command */
    struct sbx_call *c;
    char ns[SBX_NS_MAX];
    bool ordered, bypass;
    int64_t n, modified;
    struct sbx_out upserted, errors; /* arrays */
    size_t upserted_mark, errors_mark;
    unsigned n_upserted, n_errors;
};

static bool batch_begin(struct sbx_call *c, struct batch *b)
{
    const struct sbx_val ordered = sbx_cmd_arg(c, "ordered");

    memset(b, 0, sizeof *b);
    b->c = c;
    b->ordered = ordered.type == SBX_EOO || sbx_val_true(ordered);
    b->bypass = sbx_val_true(sbx_cmd_arg(c, "bypassDocumentValidation"));
    b->upserted_mark = sbx_out_begin(&b->upserted);
    b->errors_mark = sbx_out_begin(&b->errors);
    return sbx_cmd_ns(c, b->ns);
}

static void batch_error(struct batch *b, unsigned index, const struct sbx_write *w)
{
    char key[12];
    size_t m;

    snprintf(key, sizeof key, "%u", b->n_errors++);
    m = sbx_out_sub(&b->errors, key, SBX_OBJECT);
    sbx_out_i32(&b->errors, "index", (int32_t)index);
    sbx_out_i32(&b->errors, "code", w->why.code);
    if (w->why.code == 11000 && w->dup.pattern.b.len) {
        sbx_out_doc(&b->errors, "keyPattern", sbx_out_done(&w->dup.pattern));
        sbx_out_doc(&b->errors, "keyValue", sbx_out_done(&w->dup.value));
    }
    sbx_out_str(&b->errors, "errmsg", w->why.msg);
    sbx_out_end(&b->errors, m);
}

static void batch_upserted(struct batch *b, unsigned index, struct sbx_val id)
{
    char key[12];
    size_t m;

    snprintf(key, sizeof key, "%u", b->n_upserted++);
    m = sbx_out_sub(&b->upserted, key, SBX_OBJECT);
    sbx_out_i32(&b->upserted, "index", (int32_t)index);
    sbx_out_val(&b->upserted, "_id", id);
    sbx_out_end(&b->upserted, m);
}

static void batch_end(struct batch *b, bool update)
{
    struct sbx_call *c = b->c;

    sbx_out_end(&b->upserted, b->upserted_mark);
    sbx_out_end(&b->errors, b->errors_mark);
    if (!c->failed) {
        BSON_APPEND_INT32(c->reply, "n", (int32_t)b->n);
        if (update) {
            BSON_APPEND_INT32(c->reply, "nModified", (int32_t)b->modified);
        }
        if (b->n_upserted) {
            sbx_reply_array(c->reply, "upserted", sbx_out_done(&b->upserted));
        }
        if (b->n_errors) {
            sbx_reply_array(c->reply, "writeErrors", sbx_out_done(&b->errors));
        }
        sbx_reply_optime(c);
    }
    sbx_out_release(&b->upserted);
    sbx_out_release(&b->errors);
}

/* A statement of a retryable write that ran before: what its entry says. */
static bool ran_before(struct batch *b, unsigned index, bool *done)
{
    struct sbx_sess_call *s = sbx_sess_of(b->c);
    const struct sbx_val ids = sbx_cmd_arg(b->c, "stmtIds"), first = sbx_cmd_arg(b->c, "stmtId");
    char key[12];
    bson_t entry;

    *done = false;
    if (!s || !s->retryable) {
        return true;
    }
    snprintf(key, sizeof key, "%u", index);
    s->stmt_id = ids.type == SBX_ARRAY ? (int32_t)sbx_val_i64(sbx_doc_get(sbx_val_doc(ids), key))
                                       : (int32_t)sbx_val_i64(first) + (int32_t)index;
    bson_init(&entry);
    if (s->already && s->already(b->c, s->stmt_id, &entry)) {
        const struct sbx_doc e = sbx_doc(bson_get_data(&entry), entry.len);
        const struct sbx_val o = sbx_doc_get(e, "o");
        const bool inserted = sbx_val_streq(sbx_doc_get(e, "op"), "i");

        *done = true;
        b->n++;
        if (strcmp(b->c->name, "update") == 0 && inserted && o.type == SBX_OBJECT) {
            batch_upserted(b, index, sbx_doc_get(sbx_val_doc(o), "_id"));
        } else {
            b->modified++;
        }
    }
    bson_destroy(&entry);
    return true;
}

typedef bool statement_fn(struct batch *b, struct sbx_doc stmt, struct sbx_write *w);

static void run_batch(struct batch *b, const char *list_key, statement_fn *fn)
{
    const struct sbx_val list = sbx_cmd_arg(b->c, list_key);
    struct sbx_it it;

    if (list.type != SBX_ARRAY || sbx_doc_empty(sbx_val_doc(list))) {
        sbx_fail(b->c, 16, "Write batch sizes must be between 1 and 100000. Got 0 operations.");
        return;
    }
    sbx_it_init(&it, sbx_val_doc(list));
    for (unsigned i = 0; !b->c->failed && sbx_it_next(&it); i++) {
        struct sbx_write w = {0};
        bool done, ok;

        if (it.v.type != SBX_OBJECT) {
            sbx_fail(b->c, 14,
                     "BSON field '%s.%s.%u' is the wrong type '%s', expected type 'object'",
                     b->c->name, list_key, i, sbx_type_name(it.v.type));
            return;
        }
        ran_before(b, i, &done);
        ok = done || fn(b, sbx_val_doc(it.v), &w);
        if (ok && w.upserted) {
            batch_upserted(b, i, sbx_doc_get(sbx_out_done(&w.upserted_id), "_id"));
        }
        b->n += w.matched;
        b->modified += w.modified;
        if (!ok && !b->c->failed && b->c->txn) {
            sbx_cmd_fail(b->c, &w.why); /* ends the transaction */
        } else if (!ok && !b->c->failed) {
            batch_error(b, i, &w);
        }
        sbx_write_release(&w);
        if (!ok && b->ordered) {
            return;
        }
    }
}

static bool one_insert(struct batch *b, struct sbx_doc stmt, struct sbx_write *w)
{
    b->c->m->counters.insert++;
    if (!sbx_write_insert(b->c, b->ns, stmt, b->bypass, w)) {
        return false;
    }
    w->matched = 1;
    return true;
}

void sbx_cmd_insert(struct sbx_call *c)
{
    struct batch b;

    if (batch_begin(c, &b) && sbx_cmd_no_view(c, b.ns)) {
        run_batch(&b, "documents", one_insert);
    }
    batch_end(&b, false);
}

static bool update_args(struct sbx_doc s, struct sbx_update_args *a, struct sbx_why *why)
{
    const struct sbx_val q = sbx_doc_get(s, "q"), u = sbx_doc_get(s, "u");
    const struct sbx_val filters = sbx_doc_get(s, "arrayFilters");

    if (q.type != SBX_OBJECT) {
        return sbx_why(why, 40414, "BSON field 'update.updates.q' is missing but a required field");
    }
    if (u.type == SBX_ARRAY) {
        return sbx_why(why, 9, "an update with an aggregation pipeline is not served");
    }
    if (u.type != SBX_OBJECT) {
        return sbx_why(why, 9, "Update argument must be either an object or an array");
    }
    if (filters.type == SBX_ARRAY && !sbx_doc_empty(sbx_val_doc(filters))) {
        return sbx_why(why, 9, "arrayFilters are not served");
    }
    a->q = sbx_val_doc(q);
    a->u = sbx_val_doc(u);
    a->multi = sbx_val_true(sbx_doc_get(s, "multi"));
    a->upsert = sbx_val_true(sbx_doc_get(s, "upsert"));
    if (a->multi && sbx_update_is_replace(a->u)) {
        return sbx_why(why, 9, "multi update only works with $ operators");
    }
    return true;
}

static bool one_update(struct batch *b, struct sbx_doc stmt, struct sbx_write *w)
{
    struct sbx_update_args a = {.bypass = b->bypass};

    b->c->m->counters.update++;
    return update_args(stmt, &a, &w->why) && sbx_write_update(b->c, b->ns, &a, w);
}

void sbx_cmd_update(struct sbx_call *c)
{
    struct batch b;

    if (batch_begin(c, &b) && sbx_cmd_no_view(c, b.ns)) {
        run_batch(&b, "updates", one_update);
    }
    batch_end(&b, true);
}

static bool one_delete(struct batch *b, struct sbx_doc stmt, struct sbx_write *w)
{
    const struct sbx_val q = sbx_doc_get(stmt, "q"), limit = sbx_doc_get(stmt, "limit");

    b->c->m->counters.del++;
    if (q.type != SBX_OBJECT) {
        return sbx_why(&w->why, 40414,
                       "BSON field 'delete.deletes.q' is missing but a required field");
    }
    if (!sbx_val_is_num(limit) || (sbx_val_i64(limit) != 0 && sbx_val_i64(limit) != 1)) {
        return sbx_why(&w->why, 9, "The limit field in delete objects must be 0 or 1. Got %lld",
                       (long long)sbx_val_i64(limit));
    }
    return sbx_write_delete(b->c, b->ns, sbx_val_doc(q), sbx_doc(NULL, 0), sbx_val_i64(limit) == 0,
                            w);
}

void sbx_cmd_delete(struct sbx_call *c)
{
    struct batch b;

    if (batch_begin(c, &b) && sbx_cmd_no_view(c, b.ns)) {
        run_batch(&b, "deletes", one_delete);
    }
    batch_end(&b, false);
}

/* ---- findAndModify ---- */

static struct sbx_doc doc_arg(struct sbx_call *c, const char *key)
{
    static const uint8_t empty[] = {5, 0, 0, 0, 0};
    const struct sbx_val v = sbx_cmd_arg(c, key);

    return v.type == SBX_OBJECT ? sbx_val_doc(v) : sbx_doc(empty, 5);
}

static void value_of(struct sbx_call *c, struct sbx_doc doc, bool has)
{
    struct sbx_doc fields = doc_arg(c, "fields");
    struct sbx_out out = {0};

    if (!has) {
        BSON_APPEND_NULL(c->reply, "value");
    } else if (fields.n > 5) {
        sbx_project(fields, doc, &out);
        sbx_reply_doc(c->reply, "value", sbx_out_done(&out));
    } else {
        sbx_reply_doc(c->reply, "value", doc);
    }
    sbx_out_release(&out);
}

static void modified_reply(struct sbx_call *c, const struct sbx_write *w, bool remove, bool after)
{
    bson_t leo;

    bson_append_document_begin(c->reply, "lastErrorObject", -1, &leo);
    BSON_APPEND_INT32(&leo, "n", (int32_t)w->matched);
    if (!remove) {
        BSON_APPEND_BOOL(&leo, "updatedExisting", w->matched > 0 && !w->upserted);
        if (w->upserted) {
            sbx_reply_val(&leo, "upserted", sbx_doc_get(sbx_out_done(&w->upserted_id), "_id"));
        }
    }
    bson_append_document_end(c->reply, &leo);
    if (after) {
        value_of(c, sbx_out_done(&w->after), w->has_after);
    } else {
        value_of(c, sbx_out_done(&w->before), w->has_before);
    }
}

/* The statement ran before: the reply is made of what is known of it. */
static bool modified_before(struct sbx_call *c, bool after)
{
    struct sbx_sess_call *s = sbx_sess_of(c);
    bson_t entry;
    bool done = false;

    if (!s || !s->retryable) {
        return false;
    }
    s->stmt_id = 0;
    bson_init(&entry);
    if (s->already && s->already(c, 0, &entry)) {
        const struct sbx_doc e = sbx_doc(bson_get_data(&entry), entry.len);
        const struct sbx_val id =
            sbx_doc_get(sbx_doc_get(e, "o2").type == SBX_OBJECT ? sbx_val_doc(sbx_doc_get(e, "o2"))
                                                                : sbx_val_doc(sbx_doc_get(e, "o")),
                        "_id");
        const char *ns = sbx_val_str(sbx_doc_get(e, "ns"), NULL);
        const struct sbx_coll *coll = ns ? sbx_data_coll(c->m->data, ns) : NULL;
        struct mst_buf scratch = {0};
        struct sbx_write w = {.matched = 1};
        struct sbx_row row;

        if (after && coll && sbx_coll_by_id(coll, id, SBX_LATEST, &scratch, &row)) {
            mst_buf_add(&w.after.b, row.doc.p, row.doc.n);
            w.has_after = true;
        }
        modified_reply(c, &w, sbx_val_streq(sbx_doc_get(e, "op"), "d"), after);
        sbx_write_release(&w);
        mst_buf_release(&scratch);
        done = true;
    }
    bson_destroy(&entry);
    return done;
}

void sbx_cmd_find_and_modify(struct sbx_call *c)
{
    const bool remove = sbx_val_true(sbx_cmd_arg(c, "remove"));
    const bool after = sbx_val_true(sbx_cmd_arg(c, "new"));
    const struct sbx_val u = sbx_cmd_arg(c, "update");
    struct sbx_update_args a = {.q = doc_arg(c, "query"),
                                .sort = doc_arg(c, "sort"),
                                .upsert = sbx_val_true(sbx_cmd_arg(c, "upsert")),
                                .bypass = sbx_val_true(sbx_cmd_arg(c, "bypassDocumentValidation"))};
    struct sbx_write w = {.keep_docs = true};
    struct sbx_why why = {0};
    char ns[SBX_NS_MAX];
    bool ok;

    if (!sbx_cmd_ns(c, ns) || !sbx_cmd_no_view(c, ns)) {
        return;
    }
    if (remove ? u.type != SBX_EOO || after : u.type != SBX_OBJECT) {
        sbx_fail(c, 9,
                 remove ? "Cannot specify both an update and remove=true"
                        : "Either an update or remove=true must be specified");
        return;
    }
    if (!sbx_project_check(doc_arg(c, "fields"), &why) || !sbx_sort_check(a.sort, &why)) {
        sbx_cmd_fail(c, &why);
        return;
    }
    if (modified_before(c, after)) {
        return;
    }
    a.u = remove ? a.q : sbx_val_doc(u);
    ok = remove ? sbx_write_delete(c, ns, a.q, a.sort, false, &w) : sbx_write_update(c, ns, &a, &w);
    if (ok) {
        modified_reply(c, &w, remove, after);
    } else if (!c->failed) {
        sbx_cmd_fail(c, &w.why);
        if (w.why.code == 11000) {
            sbx_cmd_fail_dup(c, &w.dup);
        }
    }
    sbx_write_release(&w);
}
