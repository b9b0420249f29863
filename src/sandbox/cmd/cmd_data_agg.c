/* aggregate: stages run one after the other over lists of documents. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_data.h"
#include "cmd/facts.h"
#include "oplog/entries.h"

static const uint8_t empty[] = {5, 0, 0, 0, 0};
#define VIEW_DEPTH 20
#define DATABASE ".$cmd.aggregate" /* a pipeline on a database, not a collection */

struct agg {
    struct sbx_call *c;
    const char *ns;
    const struct sbx_coll *coll; /* that the list still comes from; NULL otherwise */
    struct sbx_find f;
    struct sbx_list docs;
    bool loaded;
};

/* ---- the rows a pipeline starts with ---- */

static void load_oplog(struct agg *a, struct sbx_doc filter)
{
    const struct sbx_oplog *log = a->c->m->oplog;

    for (uint64_t p = sbx_oplog_begin(log); p < sbx_oplog_end(log); p++) {
        const struct sbx_entry *e = sbx_oplog_at(log, p);

        if (sbx_match(filter, sbx_entry_doc(e))) {
            sbx_list_add(&a->docs, sbx_entry_doc(e));
        }
    }
}

static void load(struct agg *a, struct sbx_doc filter)
{
    struct sbx_scan s;
    struct sbx_row row;

    if (a->loaded) {
        return;
    }
    a->loaded = true;
    if (strcmp(a->ns, "local.oplog.rs") == 0) {
        load_oplog(a, filter);
    } else if (a->coll) {
        sbx_plan(&s, filter);
        while (sbx_plan_next(&s, a->coll, a->f.view, filter, &row)) {
            sbx_list_add(&a->docs, row.doc);
        }
        sbx_scan_release(&s);
    }
    a->coll = NULL;
}

static void load_all(struct agg *a)
{
    load(a, sbx_doc(empty, 5));
}

static void replace(struct agg *a, struct sbx_list *with)
{
    sbx_list_release(&a->docs);
    a->docs = *with;
    a->loaded = true;
}

/* ---- stages ---- */

static bool refuse(struct agg *a, int code, const char *text)
{
    sbx_fail(a->c, code, "%s", text);
    return false;
}

static bool do_match(struct agg *a, struct sbx_val v)
{
    struct sbx_list out = {0};
    struct sbx_why why = {0};

    if (v.type != SBX_OBJECT) {
        return refuse(a, 15959, "the match filter must be an expression in an object");
    }
    if (!sbx_match_check(sbx_val_doc(v), &why)) {
        return sbx_cmd_fail(a->c, &why);
    }
    if (!a->loaded) {
        load(a, sbx_val_doc(v));
        return true;
    }
    for (size_t i = 0; i < a->docs.n; i++) {
        if (sbx_match(sbx_val_doc(v), sbx_list_get(&a->docs, i))) {
            sbx_list_add(&out, sbx_list_get(&a->docs, i));
        }
    }
    replace(a, &out);
    return true;
}

static void one_number(struct agg *a, const char *key, int64_t n)
{
    struct sbx_list out = {0};
    struct sbx_out o = {0};
    const size_t m = sbx_out_begin(&o);

    if (n <= INT32_MAX) {
        sbx_out_i32(&o, key, (int32_t)n);
    } else {
        sbx_out_i64(&o, key, n);
    }
    sbx_out_end(&o, m);
    sbx_list_add(&out, sbx_out_done(&o));
    sbx_out_release(&o);
    replace(a, &out);
}

static bool do_count(struct agg *a, struct sbx_val v)
{
    const char *key = sbx_val_str(v, NULL);
    struct sbx_list none = {0};
    int64_t n;

    if (!key || !*key || key[0] == '$' || strchr(key, '.')) {
        return refuse(a, 40156, "the count field must be a non-empty string");
    }
    load_all(a);
    n = (int64_t)a->docs.n;
    if (n) {
        one_number(a, key, n);
    } else {
        replace(a, &none);
    }
    return true;
}

static bool do_sort(struct agg *a, struct sbx_val v)
{
    struct sbx_why why = {0};

    if (v.type != SBX_OBJECT || sbx_doc_empty(sbx_val_doc(v))) {
        return refuse(a, 15973, "the $sort key specification must be an object");
    }
    if (!sbx_sort_check(sbx_val_doc(v), &why)) {
        return sbx_cmd_fail(a->c, &why);
    }
    load_all(a);
    sbx_list_sort(&a->docs, sbx_val_doc(v));
    return true;
}

static bool do_limit(struct agg *a, struct sbx_val v)
{
    const int64_t n = sbx_val_i64(v);

    if (!sbx_val_is_num(v) || n <= 0) {
        return refuse(a, 15958, "the limit must be positive");
    }
    load_all(a);
    a->docs.n = (int64_t)a->docs.n > n ? (size_t)n : a->docs.n;
    return true;
}

static bool do_skip(struct agg *a, struct sbx_val v)
{
    const int64_t n = sbx_val_i64(v);
    size_t skip;

    if (!sbx_val_is_num(v) || n < 0) {
        return refuse(a, 15956, "Argument to $skip cannot be negative");
    }
    load_all(a);
    skip = (int64_t)a->docs.n > n ? (size_t)n : a->docs.n;
    if (skip) {
        memmove(a->docs.at, a->docs.at + skip, (a->docs.n - skip) * sizeof *a->docs.at);
        a->docs.n -= skip;
    }
    return true;
}

static bool do_project(struct agg *a, struct sbx_val v)
{
    struct sbx_list out = {0};
    struct sbx_why why = {0};

    if (v.type != SBX_OBJECT || sbx_doc_empty(sbx_val_doc(v))) {
        return refuse(a, 51272,
                      "Invalid $project :: caused by :: projection specification must "
                      "have at least one field");
    }
    if (!sbx_project_check(sbx_val_doc(v), &why)) {
        return sbx_cmd_fail(a->c, &why);
    }
    load_all(a);
    for (size_t i = 0; i < a->docs.n; i++) {
        struct sbx_out o = {0};

        sbx_project(sbx_val_doc(v), sbx_list_get(&a->docs, i), &o);
        sbx_list_add(&out, sbx_out_done(&o));
        sbx_out_release(&o);
    }
    replace(a, &out);
    return true;
}

static bool do_sample(struct agg *a, struct sbx_val v)
{
    const struct sbx_val size =
        v.type == SBX_OBJECT ? sbx_doc_get(sbx_val_doc(v), "size") : (struct sbx_val){0};
    size_t n;

    if (!sbx_val_is_num(size) || sbx_val_i64(size) < 0) {
        return refuse(a, 28747, "size argument to $sample must not be negative");
    }
    load_all(a);
    n = (int64_t)a->docs.n > sbx_val_i64(size) ? (size_t)sbx_val_i64(size) : a->docs.n;
    for (size_t i = 0; i < n; i++) {
        const size_t j = i + sbx_random(a->c->w) % (a->docs.n - i), t = a->docs.at[i];

        a->docs.at[i] = a->docs.at[j];
        a->docs.at[j] = t;
    }
    a->docs.n = n;
    return true;
}

static bool do_coll_stats(struct agg *a, struct sbx_val v)
{
    char host[300];
    struct sbx_list out = {0};
    struct sbx_out o = {0};
    size_t m;
    struct sbx_it it;

    if (v.type != SBX_OBJECT) {
        return refuse(a, 40166, "$collStats must take a nested object");
    }
    if (!a->coll) {
        sbx_fail(a->c, 26,
                 "Unable to retrieve count in $collStats stage :: caused by :: Collection "
                 "[%s] not found.",
                 a->ns);
        return false;
    }
    m = sbx_out_begin(&o);
    sbx_out_str(&o, "ns", a->ns);
    sbx_facts_host(a->c->m, host, sizeof host);
    sbx_out_str(&o, "host", host);
    sbx_out_date(&o, "localTime", sbx_utc(a->c->w));
    sbx_it_init(&it, sbx_val_doc(v));
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, "count") == 0) {
            sbx_out_i32(&o, "count", (int32_t)a->coll->count);
        } else if (strcmp(it.key, "storageStats") == 0) {
            const size_t s = sbx_out_sub(&o, "storageStats", SBX_OBJECT);

            sbx_out_i32(&o, "size", (int32_t)a->coll->bytes);
            sbx_out_i32(&o, "count", (int32_t)a->coll->count);
            sbx_out_bool(&o, "capped", a->coll->capped);
            sbx_out_end(&o, s);
        } else {
            sbx_out_release(&o);
            sbx_fail(a->c, 40168, "unrecognized option to $collStats: %s", it.key);
            return false;
        }
    }
    sbx_out_end(&o, m);
    sbx_list_add(&out, sbx_out_done(&o));
    sbx_out_release(&o);
    a->coll = NULL;
    replace(a, &out);
    return true;
}

static void add_op(void *arg, const bson_t *op)
{
    sbx_list_add(arg, sbx_doc(bson_get_data(op), op->len));
}

static bool do_current_op(struct agg *a, struct sbx_val v)
{
    struct sbx_ops_wish wish;
    struct sbx_why why;
    struct sbx_list out = {0};

    if (strcmp(a->ns, "admin" DATABASE) != 0) {
        return refuse(a, 73,
                      "$currentOp must be run against the 'admin' database with "
                      "{aggregate: 1}");
    }
    if (!sbx_ops_options(v, &wish, &why)) {
        return refuse(a, why.code, why.msg);
    }
    sbx_facts_ops(a->c, &wish, add_op, &out);
    replace(a, &out);
    return true;
}

/* ---- $group: sums by one field ---- */

struct field { /* of the output: {$sum: 1} or {$sum: "$path"} */
    const char *name, *path;
    struct sbx_val constant;
};
#define FIELDS_MAX 16

static struct sbx_val group_key(struct sbx_val id, struct sbx_doc d)
{
    const char *s = id.type == SBX_STRING ? sbx_val_str(id, NULL) : NULL;
    struct sbx_val v;

    if (!s || s[0] != '$') {
        return id;
    }
    v = sbx_path_get(d, s + 1);
    return v.type == SBX_EOO ? (struct sbx_val){SBX_NULL, NULL, 0} : v;
}

static bool group_parse(struct agg *a, struct sbx_doc spec, struct field *f, size_t *n)
{
    struct sbx_it it, op;

    sbx_it_init(&it, spec);
    while (sbx_it_next(&it)) {
        const char *path;

        if (strcmp(it.key, "_id") == 0) {
            continue;
        }
        if (*n == FIELDS_MAX) {
            return refuse(a, 9, "too many fields in $group");
        }
        if (it.v.type != SBX_OBJECT || !sbx_doc_first(sbx_val_doc(it.v), &op)) {
            sbx_fail(a->c, 40234, "The field '%s' must be an accumulator object", it.key);
            return false;
        }
        if (strcmp(op.key, "$sum") != 0) {
            sbx_fail(a->c, 15952, "unknown group operator '%s'", op.key);
            return false;
        }
        path = sbx_val_str(op.v, NULL);
        if (op.v.type == SBX_OBJECT) {
            struct sbx_it expr;

            sbx_fail(a->c, 168, "Unrecognized expression '%s'",
                     sbx_doc_first(sbx_val_doc(op.v), &expr) ? expr.key : "{}");
            return false;
        }
        f[*n].name = it.key;
        f[*n].path = path && path[0] == '$' ? path + 1 : NULL;
        f[*n].constant = op.v;
        (*n)++;
    }
    return true;
}

struct group {
    struct sbx_val key; /* into the documents, which stay */
    double sum[FIELDS_MAX];
    int64_t isum[FIELDS_MAX];
    bool is_double[FIELDS_MAX], is_long[FIELDS_MAX];
};

static void group_add(struct group *g, const struct field *f, size_t n, struct sbx_doc d)
{
    for (size_t i = 0; i < n; i++) {
        const struct sbx_val v = f[i].path ? sbx_path_get(d, f[i].path) : f[i].constant;

        if (!sbx_val_is_num(v)) {
            continue;
        }
        g->sum[i] += sbx_val_dbl(v);
        g->isum[i] += v.type == SBX_INT32 || v.type == SBX_INT64 ? sbx_val_i64(v) : 0;
        g->is_double[i] = g->is_double[i] || v.type == SBX_DOUBLE || v.type == SBX_DECIMAL;
        g->is_long[i] = g->is_long[i] || v.type == SBX_INT64;
    }
}

static void group_write(const struct group *g, const struct field *f, size_t n,
                        struct sbx_list *out)
{
    struct sbx_out o = {0};
    const size_t m = sbx_out_begin(&o);

    sbx_out_val(&o, "_id", g->key);
    for (size_t i = 0; i < n; i++) {
        if (g->is_double[i]) {
            sbx_out_dbl(&o, f[i].name, g->sum[i]);
        } else if (g->is_long[i] || g->isum[i] > INT32_MAX || g->isum[i] < INT32_MIN) {
            sbx_out_i64(&o, f[i].name, g->isum[i]);
        } else {
            sbx_out_i32(&o, f[i].name, (int32_t)g->isum[i]);
        }
    }
    sbx_out_end(&o, m);
    sbx_list_add(out, sbx_out_done(&o));
    sbx_out_release(&o);
}

static int group_cmp(const void *key, const void *item)
{
    return sbx_val_cmp(*(const struct sbx_val *)key, ((const struct group *)item)->key);
}

static void group_run(struct agg *a, struct sbx_val id, const struct field *f, size_t n)
{
    struct sbx_list out = {0};
    struct sbx_tree groups = {0};
    struct sbx_tree_at at;
    struct group *g;

    for (size_t i = 0; i < a->docs.n; i++) {
        const struct sbx_doc d = sbx_list_get(&a->docs, i);
        const struct sbx_val key = group_key(id, d);

        g = sbx_tree_ge(&groups, &key, group_cmp, &at);
        if (!g || sbx_val_cmp(key, g->key) != 0) {
            g = mst_xcalloc(1, sizeof *g);
            g->key = key;
            sbx_tree_add(&groups, &key, group_cmp, g);
        }
        group_add(g, f, n, d);
    }
    for (g = sbx_tree_first(&groups, &at); g; g = sbx_tree_next(&groups, &at)) {
        group_write(g, f, n, &out);
        free(g);
    }
    sbx_tree_release(&groups);
    replace(a, &out);
}

static bool do_group(struct agg *a, struct sbx_val v)
{
    struct field f[FIELDS_MAX];
    struct sbx_val id;
    size_t n = 0;

    if (v.type != SBX_OBJECT) {
        return refuse(a, 15947, "a group's fields must be specified in an object");
    }
    id = sbx_doc_get(sbx_val_doc(v), "_id");
    if (id.type == SBX_EOO) {
        return refuse(a, 15955, "a group specification must include an _id");
    }
    if (id.type == SBX_OBJECT) {
        return refuse(a, 168, "a group by an expression or a document is not served");
    }
    if (!group_parse(a, sbx_val_doc(v), f, &n)) {
        return false;
    }
    load_all(a);
    group_run(a, id, f, n);
    return true;
}

static const struct {
    const char *name;
    bool (*fn)(struct agg *, struct sbx_val);
} stages[] = {
    {"$match", do_match},          {"$count", do_count}, {"$sort", do_sort},
    {"$limit", do_limit},          {"$skip", do_skip},   {"$project", do_project},
    {"$sample", do_sample},        {"$group", do_group}, {"$collStats", do_coll_stats},
    {"$currentOp", do_current_op},
};

static bool run_stages(struct agg *a, struct sbx_val pipeline)
{
    struct sbx_it it, s;

    sbx_it_init(&it, sbx_val_doc(pipeline));
    while (sbx_it_next(&it)) {
        size_t i;

        if (it.v.type != SBX_OBJECT || sbx_doc_count(sbx_val_doc(it.v)) != 1 ||
            !sbx_doc_first(sbx_val_doc(it.v), &s)) {
            return refuse(a, 40323,
                          "A pipeline stage specification object must contain exactly one "
                          "field.");
        }
        for (i = 0; i < MST_COUNT(stages) && strcmp(stages[i].name, s.key) != 0; i++) {
        }
        if (i == MST_COUNT(stages)) {
            sbx_fail(a->c, 40324, "Unrecognized pipeline stage name: '%s'", s.key);
            return false;
        }
        if (!stages[i].fn(a, s.v)) {
            return false;
        }
    }
    return true;
}

static bool run(struct agg *a, const char *ns, unsigned depth, struct sbx_val pipeline)
{
    char on[SBX_NS_MAX];
    const char *name;
    struct sbx_doc def;
    struct sbx_out copy = {0};
    bool ok;

    a->coll = sbx_data_coll(a->c->m->data, ns);
    if (a->coll || !sbx_data_view(a->c->m->data, ns, &def)) {
        a->ns = depth == 0 ? a->ns : a->coll ? a->coll->ns : a->ns;
        return pipeline.type == SBX_EOO || run_stages(a, pipeline);
    }
    if (depth > VIEW_DEPTH) {
        return refuse(a, 165, "View depth too deep or view cycle detected");
    }
    mst_buf_add(&copy.b, def.p, def.n);
    def = sbx_out_done(&copy);
    name = sbx_val_str(sbx_doc_get(def, "viewOn"), NULL);
    snprintf(on, sizeof on, "%.*s.%.180s", (int)strcspn(ns, "."), ns, name ? name : "");
    ok = run(a, on, depth + 1, sbx_doc_get(def, "pipeline")) &&
         (pipeline.type == SBX_EOO || run_stages(a, pipeline));
    sbx_out_release(&copy);
    return ok;
}

bool sbx_pipeline(struct sbx_call *c, const char *ns, struct sbx_val pipeline, struct sbx_list *out)
{
    struct agg a = {.c = c, .ns = ns};
    bool ok = sbx_read_view(c, &a.f) && run(&a, ns, 0, pipeline);

    if (ok) {
        load_all(&a);
        *out = a.docs;
    } else {
        sbx_list_release(&a.docs);
    }
    return ok && !c->failed;
}

static void run_on(struct sbx_call *c, const char *ns, struct sbx_val pipeline, int64_t batch)
{
    struct sbx_list l = {0};

    if (sbx_pipeline(c, ns, pipeline, &l)) {
        sbx_cursor_first(c, sbx_cursor_list_take(c, ns, &l), batch, false);
    }
    sbx_list_release(&l);
}

void sbx_cmd_aggregate(struct sbx_call *c)
{
    const struct sbx_val pipeline = sbx_cmd_arg(c, "pipeline"), cur = sbx_cmd_arg(c, "cursor");
    const struct sbx_val size =
        cur.type == SBX_OBJECT ? sbx_doc_get(sbx_val_doc(cur), "batchSize") : (struct sbx_val){0};
    struct sbx_it first;
    char ns[SBX_NS_MAX];

    sbx_doc_first(sbx_cmd_doc(c), &first);
    if (sbx_val_is_num(first.v)) {
        snprintf(ns, sizeof ns, "%.*s%s", 64, c->db, DATABASE);
    } else if (!sbx_cmd_ns(c, ns)) {
        return;
    }
    if (pipeline.type != SBX_ARRAY) {
        sbx_fail(c, 14, "'pipeline' option must be specified as an array");
        return;
    }
    if (cur.type != SBX_OBJECT && !sbx_val_true(sbx_cmd_arg(c, "explain"))) {
        sbx_fail(c, 9,
                 "The 'cursor' option is required, except for aggregate with the explain "
                 "argument");
        return;
    }
    if (sbx_val_true(sbx_cmd_arg(c, "explain"))) {
        sbx_fail(c, 9, "explain is not served");
        return;
    }
    run_on(c, ns, pipeline, size.type == SBX_EOO ? -1 : sbx_val_i64(size));
}
