/* find: by name or UUID, on collections, views and the oplog. */
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_data.h"

static const uint8_t empty[] = {5, 0, 0, 0, 0};
static const char *const known[] = {"filter",
                                    "sort",
                                    "projection",
                                    "hint",
                                    "skip",
                                    "limit",
                                    "batchSize",
                                    "singleBatch",
                                    "max",
                                    "min",
                                    "returnKey",
                                    "showRecordId",
                                    "tailable",
                                    "oplogReplay",
                                    "noCursorTimeout",
                                    "awaitData",
                                    "allowPartialResults",
                                    "ntoreturn",
                                    "term",
                                    "$_requestReshardingResumeToken"};

static struct sbx_doc doc_arg(struct sbx_call *c, const char *key)
{
    const struct sbx_val v = sbx_cmd_arg(c, key);

    if (v.type != SBX_EOO && v.type != SBX_OBJECT && v.type != SBX_NULL &&
        strcmp(key, "hint") != 0) {
        sbx_fail(c, 14, "BSON field '%s.%s' is the wrong type '%s', expected type 'object'",
                 c->name, key, sbx_type_name(v.type));
    }
    return v.type == SBX_OBJECT ? sbx_val_doc(v) : sbx_doc(empty, 5);
}

bool sbx_read_view(struct sbx_call *c, struct sbx_find *f)
{
    const struct sbx_val rc = sbx_cmd_arg(c, "readConcern");
    struct sbx_val level = {0}, at = {0};

    f->view = sbx_cmd_view(c);
    if (c->txn || rc.type != SBX_OBJECT) {
        return true;
    }
    level = sbx_doc_get(sbx_val_doc(rc), "level");
    at = sbx_doc_get(sbx_val_doc(rc), "atClusterTime");
    if (sbx_val_streq(level, "snapshot") && c->w->profile->server == SBX_42) {
        sbx_fail(c, 72,
                 "readConcern level snapshot is only valid for the first transaction "
                 "operation");
        return false;
    }
    if (sbx_val_streq(level, "snapshot")) {
        f->view.at = at.type == SBX_TIMESTAMP ? sbx_val_ts(at) : c->m->committed.op.ts;
        if (mst_ts_cmp(f->view.at, sbx_data_horizon(c->m->data)) < 0 &&
            mst_ts_cmp(sbx_data_horizon(c->m->data), SBX_TS_MAX) != 0) {
            sbx_fail(c, 239, "Read timestamp %u.%u is older than the oldest available timestamp",
                     f->view.at.t, f->view.at.i);
            return false;
        }
    } else if (sbx_val_streq(level, "majority") || sbx_val_streq(level, "linearizable")) {
        f->view.at = c->m->committed.op.ts;
        f->majority = true;
    }
    return true;
}

static bool resume_args(struct sbx_call *c, struct sbx_find *f)
{
    const struct sbx_val req = sbx_cmd_arg(c, "$_requestResumeToken");
    const struct sbx_val after = sbx_cmd_arg(c, "$_resumeAfter");
    struct sbx_it it;

    f->resume_token = sbx_val_true(req);
    if (after.type == SBX_OBJECT) {
        f->resume_after = sbx_doc_get(sbx_val_doc(after), "$recordId");
    }
    if ((f->resume_token || after.type != SBX_EOO) &&
        !(sbx_doc_first(f->hint, &it) && strcmp(it.key, "$natural") == 0)) {
        sbx_fail(c, 2, "hint must be {$natural:1} if 'requestResumeToken' is enabled");
        return false;
    }
    if (f->resume_after.type == SBX_NULL) {
        f->resume_after.type = SBX_EOO;
    }
    return true;
}

static bool number_args(struct sbx_call *c, struct sbx_find *f)
{
    const struct sbx_val batch = sbx_cmd_arg(c, "batchSize");

    f->skip = sbx_val_i64(sbx_cmd_arg(c, "skip"));
    f->limit = sbx_val_i64(sbx_cmd_arg(c, "limit"));
    f->batch = batch.type == SBX_EOO ? -1 : sbx_val_i64(batch);
    f->single = sbx_val_true(sbx_cmd_arg(c, "singleBatch"));
    if (f->skip < 0 || f->limit < 0 || (batch.type != SBX_EOO && f->batch < 0)) {
        sbx_fail(c, 2, "%s value must be non-negative, but received: %lld",
                 f->skip < 0    ? "Skip"
                 : f->limit < 0 ? "Limit"
                                : "BatchSize",
                 (long long)(f->skip < 0    ? f->skip
                             : f->limit < 0 ? f->limit
                                            : f->batch));
        return false;
    }
    return true;
}

static bool parse(struct sbx_call *c, struct sbx_find *f)
{
    static const char *const newer[] = {"$_requestResumeToken", "$_resumeAfter"};
    const char *all[MST_COUNT(known) + MST_COUNT(newer)];
    const bool resume = c->w->profile->server != SBX_42;
    struct sbx_why why = {0};
    bool back;

    memcpy(all, known, sizeof known);
    memcpy(all + MST_COUNT(known), newer, sizeof newer);
    if (!sbx_cmd_known(c, all, MST_COUNT(known) + (resume ? MST_COUNT(newer) : 0))) {
        return false;
    }
    f->filter = doc_arg(c, "filter");
    f->sort = doc_arg(c, "sort");
    f->projection = doc_arg(c, "projection");
    f->hint = doc_arg(c, "hint");
    f->min = doc_arg(c, "min");
    f->max = doc_arg(c, "max");
    f->tailable = sbx_val_true(sbx_cmd_arg(c, "tailable"));
    f->await = sbx_val_true(sbx_cmd_arg(c, "awaitData"));
    f->no_timeout = sbx_val_true(sbx_cmd_arg(c, "noCursorTimeout"));
    (void)back;
    if (c->failed || !number_args(c, f) || !resume_args(c, f) || !sbx_read_view(c, f)) {
        return false;
    }
    if (sbx_val_true(sbx_cmd_arg(c, "returnKey")) || sbx_val_true(sbx_cmd_arg(c, "showRecordId"))) {
        sbx_fail(c, 9, "returnKey and showRecordId are not served");
        return false;
    }
    if (f->await && !f->tailable) {
        sbx_fail(c, 9, "Cannot set 'awaitData' without also setting 'tailable'");
        return false;
    }
    return (sbx_match_check(f->filter, &why) && sbx_sort_check(f->sort, &why) &&
            sbx_project_check(f->projection, &why)) ||
           sbx_cmd_fail(c, &why);
}

/* A hint must be an index; a named one becomes its key. */
static bool check_hint(struct sbx_call *c, const struct sbx_coll *coll, struct sbx_find *f)
{
    const struct sbx_val hint = sbx_cmd_arg(c, "hint");
    const char *name = sbx_val_str(hint, NULL);
    const struct sbx_index *x;
    struct sbx_it it;

    if (hint.type == SBX_EOO || (hint.type == SBX_OBJECT && sbx_doc_empty(f->hint)) ||
        (sbx_doc_first(f->hint, &it) && strcmp(it.key, "$natural") == 0)) {
        return true;
    }
    x = name ? sbx_index_find(coll, name) : sbx_index_by_key(coll, f->hint);
    if (!x) {
        sbx_fail(c, 2, "error processing query: ns=%s planner returned error: bad hint", coll->ns);
        return false;
    }
    f->hint = sbx_val_doc(sbx_doc_get(sbx_out_done(&x->spec), "key"));
    if (!x->id && f->sort.n <= 5) {
        f->sort = f->hint; /* rows come in the index's order */
    }
    return true;
}

static bool check_bounds(struct sbx_call *c, const struct sbx_find *f)
{
    if ((f->min.n > 5 && sbx_doc_get(f->min, "_id").type == SBX_EOO) ||
        (f->max.n > 5 && sbx_doc_get(f->max, "_id").type == SBX_EOO)) {
        sbx_fail(c, 2, "min and max are only served on _id");
        return false;
    }
    return true;
}

/* A token is only good while its record is there. */
static bool check_resume(struct sbx_call *c, const struct sbx_coll *coll, const struct sbx_find *f)
{
    struct sbx_scan s;
    struct sbx_row row;
    int64_t rid;
    bool there;

    if (f->resume_after.type == SBX_EOO) {
        return true;
    }
    rid = sbx_val_i64(f->resume_after);
    sbx_scan_init(&s, SBX_SCAN_NATURAL, false);
    s.rid = rid - 1;
    there = rid > 0 && sbx_scan_next(&s, coll, f->view, &row) && row.rid == rid;
    sbx_scan_release(&s);
    if (!there) {
        sbx_fail(c, 211,
                 "Failed to resume collection scan: the recordId from which we are attempting to "
                 "resume no longer exists in the collection: RecordId(%lld)",
                 (long long)rid);
    }
    return there;
}

/* The collection, from a name or a UUID; NULL without a failure when there is none. */
static struct sbx_coll *target(struct sbx_call *c, struct sbx_find *f)
{
    struct sbx_coll *coll;
    const uint8_t *uuid;
    struct sbx_it it;

    sbx_doc_first(sbx_cmd_doc(c), &it);
    uuid = sbx_val_uuid(it.v);
    if (!uuid) {
        return sbx_cmd_ns(c, f->ns) ? sbx_data_coll(c->m->data, f->ns) : NULL;
    }
    f->by_uuid = true;
    coll = sbx_data_by_uuid(c->m->data, uuid);
    if (!coll || coll->db_len != strlen(c->db) || memcmp(coll->ns, c->db, coll->db_len) != 0) {
        struct mst_str s = {0};

        sbx_val_text(it.v, &s);
        sbx_fail(c, 26, "UUID %s specified in query request not found", mst_str_c(&s));
        mst_str_release(&s);
        return NULL;
    }
    mst_copy(f->ns, sizeof f->ns, coll->ns);
    return coll;
}

static void stage_val(struct sbx_out *o, unsigned *n, const char *name, struct sbx_val v)
{
    char key[12];
    size_t m;

    snprintf(key, sizeof key, "%u", (*n)++);
    m = sbx_out_sub(o, key, SBX_OBJECT);
    sbx_out_val(o, name, v);
    sbx_out_end(o, m);
}

static void stage_num(struct sbx_out *o, unsigned *n, const char *name, int64_t v)
{
    uint8_t raw[8];

    if (v > 0) {
        mst_put_le64(raw, (uint64_t)v);
        stage_val(o, n, name, (struct sbx_val){SBX_INT64, raw, 8});
    }
}

/* find on a view is a pipeline. */
static void find_view(struct sbx_call *c, const struct sbx_find *f)
{
    struct sbx_out o = {0};
    const size_t m = sbx_out_begin(&o);
    struct sbx_list l = {0};
    unsigned n = 0;

    stage_val(&o, &n, "$match", sbx_doc_val(f->filter));
    if (f->sort.n > 5) {
        stage_val(&o, &n, "$sort", sbx_doc_val(f->sort));
    }
    stage_num(&o, &n, "$skip", f->skip);
    stage_num(&o, &n, "$limit", f->limit);
    if (f->projection.n > 5) {
        stage_val(&o, &n, "$project", sbx_doc_val(f->projection));
    }
    sbx_out_end(&o, m);
    if (sbx_pipeline(c, f->ns, (struct sbx_val){SBX_ARRAY, o.b.p, (uint32_t)o.b.len}, &l)) {
        sbx_cursor_first(c, sbx_cursor_list_take(c, f->ns, &l), f->batch, f->single);
    }
    sbx_list_release(&l);
    sbx_out_release(&o);
}

void sbx_cmd_find(struct sbx_call *c)
{
    struct sbx_find f = {0};
    struct sbx_coll *coll;
    struct sbx_doc def;
    struct sbx_list none = {0};

    if (!parse(c, &f)) {
        return;
    }
    coll = target(c, &f);
    if (c->failed) {
        return;
    }
    if (strcmp(f.ns, "local.oplog.rs") == 0) {
        sbx_cursor_first(c, sbx_cursor_oplog(c, &f), f.batch, f.single);
    } else if (!coll && sbx_data_view(c->m->data, f.ns, &def)) {
        find_view(c, &f);
    } else if (!coll) {
        sbx_cursor_first(c, sbx_cursor_list_take(c, f.ns, &none), f.batch, true);
    } else if (f.tailable && !coll->capped) {
        sbx_fail(c, 2,
                 "error processing query: ns=%s tailable cursor requested on non capped collection",
                 coll->ns);
    } else if (check_hint(c, coll, &f) && check_bounds(c, &f) && check_resume(c, coll, &f)) {
        sbx_cursor_first(c, sbx_cursor_find(c, coll, &f), f.batch, f.single);
    }
}
