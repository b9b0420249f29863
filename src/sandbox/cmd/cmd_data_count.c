/* count and distinct. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_data.h"
#include "oplog/entries.h"

static const uint8_t empty[] = {5, 0, 0, 0, 0};

static bool query_arg(struct sbx_call *c, struct sbx_doc *q)
{
    const struct sbx_val v = sbx_cmd_arg(c, "query");
    struct sbx_why why = {0};

    *q = v.type == SBX_OBJECT ? sbx_val_doc(v) : sbx_doc(empty, 5);
    return sbx_match_check(*q, &why) || sbx_cmd_fail(c, &why);
}

/* The rows of a name that match, views resolved. */
static bool query_rows(struct sbx_call *c, const char *ns, struct sbx_doc q, struct sbx_list *l)
{
    struct sbx_out o = {0};
    const size_t m = sbx_out_begin(&o), s = sbx_out_sub(&o, "0", SBX_OBJECT);
    bool ok;

    sbx_out_doc(&o, "$match", q);
    sbx_out_end(&o, s);
    sbx_out_end(&o, m);
    ok = sbx_pipeline(c, ns, (struct sbx_val){SBX_ARRAY, o.b.p, (uint32_t)o.b.len}, l);
    sbx_out_release(&o);
    return ok;
}

void sbx_cmd_count(struct sbx_call *c)
{
    const int64_t limit = sbx_val_i64(sbx_cmd_arg(c, "limit"));
    const int64_t skip = sbx_val_i64(sbx_cmd_arg(c, "skip"));
    const struct sbx_coll *coll;
    struct sbx_list l = {0};
    struct sbx_doc q;
    char ns[SBX_NS_MAX];
    int64_t n;

    if (!sbx_cmd_ns(c, ns) || !query_arg(c, &q)) {
        return;
    }
    coll = sbx_data_coll(c->m->data, ns);
    if (q.n <= 5 && coll && !c->txn) {
        n = coll->count;
    } else if (q.n <= 5 && strcmp(ns, "local.oplog.rs") == 0) {
        n = (int64_t)sbx_oplog_count(c->m->oplog);
    } else if (query_rows(c, ns, q, &l)) {
        n = (int64_t)l.n;
    } else {
        return;
    }
    sbx_list_release(&l);
    n = n > skip ? n - skip : 0;
    n = limit != 0 && n > llabs(limit) ? llabs(limit) : n;
    if (n <= INT32_MAX) {
        BSON_APPEND_INT32(c->reply, "n", (int32_t)n);
    } else {
        BSON_APPEND_INT64(c->reply, "n", n);
    }
}

struct values {
    struct sbx_tree seen; /* struct sbx_val *, into the documents */
};

static int value_cmp(const void *key, const void *item)
{
    return sbx_val_cmp(*(const struct sbx_val *)key, *(const struct sbx_val *)item);
}

static bool add_value(void *arg, struct sbx_val v, bool element)
{
    struct values *s = arg;
    struct sbx_tree_at at;
    struct sbx_val *known;

    if (v.type == SBX_EOO || (v.type == SBX_ARRAY && !element)) {
        return true;
    }
    known = sbx_tree_ge(&s->seen, &v, value_cmp, &at);
    if (!known || sbx_val_cmp(v, *known) != 0) {
        known = mst_xmalloc(sizeof *known);
        *known = v;
        sbx_tree_add(&s->seen, &v, value_cmp, known);
    }
    return true;
}

void sbx_cmd_distinct(struct sbx_call *c)
{
    const char *key = sbx_val_str(sbx_cmd_arg(c, "key"), NULL);
    struct sbx_list l = {0};
    struct sbx_out o = {0};
    struct values s = {0};
    struct sbx_tree_at at;
    struct sbx_doc q;
    char ns[SBX_NS_MAX];
    unsigned n = 0;
    size_t m;

    if (!sbx_cmd_ns(c, ns) || !query_arg(c, &q)) {
        return;
    }
    if (!key) {
        sbx_fail(c, 14, "\"key\" had the wrong type. Expected string, found %s",
                 sbx_type_name(sbx_cmd_arg(c, "key").type));
        return;
    }
    if (!query_rows(c, ns, q, &l)) {
        return;
    }
    for (size_t i = 0; i < l.n; i++) {
        sbx_path_each(sbx_list_get(&l, i), key, true, add_value, &s);
    }
    m = sbx_out_begin(&o);
    for (struct sbx_val *v = sbx_tree_first(&s.seen, &at); v; v = sbx_tree_next(&s.seen, &at)) {
        sbx_out_index(&o, n++, *v);
        free(v);
    }
    sbx_out_end(&o, m);
    sbx_reply_array(c->reply, "values", sbx_out_done(&o));
    sbx_tree_release(&s.seen);
    sbx_out_release(&o);
    sbx_list_release(&l);
}
