/* Collections by name and UUID; their options. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/inner.h"

static const uint8_t empty[] = {5, 0, 0, 0, 0};

static int ns_cmp(const void *key, const void *item)
{
    return strcmp(key, ((const struct sbx_coll *)item)->ns);
}

static int uuid_cmp(const void *key, const void *item)
{
    return memcmp(key, ((const struct sbx_coll *)item)->uuid, 16);
}

void sbx_uuid_new(uint8_t uuid[16])
{
    MST_ASSERT(getrandom(uuid, 16, 0) == 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

void sbx_oid_new(uint8_t oid[12])
{
    static _Atomic uint32_t counter;
    const uint32_t now = (uint32_t)time(NULL), n = ++counter;
    const uint8_t b[] = {(uint8_t)(now >> 24), (uint8_t)(now >> 16), (uint8_t)(now >> 8),
                         (uint8_t)now};

    MST_ASSERT(getrandom(oid + 4, 5, 0) == 5);
    memcpy(oid, b, 4);
    oid[9] = (uint8_t)(n >> 16);
    oid[10] = (uint8_t)(n >> 8);
    oid[11] = (uint8_t)n;
}

struct sbx_data *sbx_data_new(void)
{
    struct sbx_data *d = mst_xcalloc(1, sizeof *d);

    d->horizon = SBX_TS_MAX;
    return d;
}

static void free_all(struct sbx_data *d, bool keep_local)
{
    struct sbx_coll *c = sbx_data_next(d, NULL), *next;

    for (; c; c = next) {
        next = sbx_data_next(d, c->ns);
        if (!keep_local || strncmp(c->ns, "local.", 6) != 0) {
            sbx_data_drop(d, c);
        }
    }
    sbx_chains_free(d);
}

void sbx_data_free(struct sbx_data *d)
{
    if (!d) {
        return;
    }
    free_all(d, false);
    sbx_tree_release(&d->by_ns);
    sbx_tree_release(&d->by_uuid);
    free(d);
}

static void copy_coll(struct sbx_data *d, const struct sbx_coll *from)
{
    struct sbx_why why = {0};
    struct sbx_scan s;
    struct sbx_row row;
    struct sbx_coll *c = sbx_data_create(d, from->ns, from->uuid, sbx_out_done(&from->options),
                                         sbx_out_done(&from->indexes->spec), &why);

    MST_ASSERT(c);
    c->temp = from->temp;
    if (from->fill.count) {
        sbx_coll_set_fill(c, from->fill.seed, from->fill.count);
    }
    /* Touched computed documents come first: they replace or remove what was computed. */
    for (int64_t rid = 1; rid <= from->fill.count && from->records.count; rid++) {
        struct sbx_tree_at at;
        const struct sbx_rec *r = sbx_tree_ge(&from->records, &rid, sbx_rid_cmp, &at);

        if (!r || r->rid > from->fill.count) {
            break;
        }
        rid = r->rid;
        row = (struct sbx_row){.rid = rid, .doc = {empty, 5}};
        if (!sbx_rec_visible(r, SBX_LATEST)) {
            sbx_coll_remove(c, sbx_coll_rec(c, &row), (struct sbx_stamp){{0, 0}, NULL});
        }
    }
    for (const struct sbx_index *x = from->indexes->next; x; x = x->next) {
        MST_ASSERT(sbx_index_add(c, sbx_out_done(&x->spec), NULL, &why));
    }
    sbx_scan_init(&s, SBX_SCAN_NATURAL, false);
    s.rid = 0;
    while (sbx_scan_next(&s, from, SBX_LATEST, &row)) {
        const struct sbx_ver *v = row.rec ? sbx_rec_visible(row.rec, SBX_LATEST) : NULL;

        if (v && row.rid <= from->fill.count) {
            const struct sbx_row mine = {.rid = row.rid, .doc = row.doc};

            sbx_coll_update(c, sbx_coll_rec(c, &mine), row.doc, (struct sbx_stamp){v->at, NULL});
        } else if (v) {
            sbx_coll_insert(c, row.doc, (struct sbx_stamp){v->at, NULL});
        } else {
            s.rid += sbx_fill_run(from, row.rid) - 1; /* computed: nothing to copy */
        }
    }
    sbx_scan_release(&s);
}

void sbx_data_copy(struct sbx_data *d, const struct sbx_data *from)
{
    const struct mst_ts horizon = d->horizon;

    free_all(d, true);
    d->horizon = SBX_TS_MAX;
    d->move_on_grow = from->move_on_grow;
    d->plain_specs = from->plain_specs;
    for (const struct sbx_coll *c = sbx_data_next(from, NULL); c; c = sbx_data_next(from, c->ns)) {
        if (strncmp(c->ns, "local.", 6) != 0) {
            copy_coll(d, c);
        }
    }
    sbx_chains_copy(d, from);
    d->horizon = horizon;
}

void sbx_data_set_horizon(struct sbx_data *d, struct mst_ts ts)
{
    if (mst_ts_cmp(d->horizon, SBX_TS_MAX) == 0 || mst_ts_cmp(ts, d->horizon) > 0) {
        d->horizon = ts;
    }
}

struct mst_ts sbx_data_horizon(const struct sbx_data *d)
{
    return d->horizon;
}

void sbx_data_move_on_grow(struct sbx_data *d, bool on)
{
    d->move_on_grow = on;
}

void sbx_data_plain_specs(struct sbx_data *d, bool on)
{
    d->plain_specs = on;
}

bool sbx_data_plain(const struct sbx_data *d)
{
    return d->plain_specs;
}

struct sbx_coll *sbx_data_coll(const struct sbx_data *d, const char *ns)
{
    struct sbx_tree_at at;
    struct sbx_coll *c = sbx_tree_ge(&d->by_ns, ns, ns_cmp, &at);

    return c && strcmp(c->ns, ns) == 0 ? c : NULL;
}

struct sbx_coll *sbx_data_by_uuid(const struct sbx_data *d, const uint8_t uuid[16])
{
    struct sbx_tree_at at;
    struct sbx_coll *c = sbx_tree_ge(&d->by_uuid, uuid, uuid_cmp, &at);

    return c && memcmp(c->uuid, uuid, 16) == 0 ? c : NULL;
}

struct sbx_coll *sbx_data_next(const struct sbx_data *d, const char *after_ns)
{
    struct sbx_tree_at at;
    struct sbx_coll *c = sbx_tree_ge(&d->by_ns, after_ns ? after_ns : "", ns_cmp, &at);

    return c && after_ns && strcmp(c->ns, after_ns) == 0 ? sbx_tree_next(&d->by_ns, &at) : c;
}

bool sbx_data_view(const struct sbx_data *d, const char *ns, struct sbx_doc *def)
{
    char views[SBX_NS_MAX];
    const int db = (int)strcspn(ns, ".");
    const struct sbx_coll *c;
    struct sbx_out key = {0};
    struct mst_buf scratch = {0};
    struct sbx_row row;
    size_t mark;
    bool found;

    if (snprintf(views, sizeof views, "%.*s.system.views", db, ns) >= (int)sizeof views) {
        return false;
    }
    c = sbx_data_coll(d, views);
    if (!c) {
        return false;
    }
    mark = sbx_out_begin(&key);
    sbx_out_str(&key, "_id", ns);
    sbx_out_end(&key, mark);
    found = sbx_coll_by_id(c, sbx_doc_get(sbx_out_done(&key), "_id"), SBX_LATEST, &scratch, &row);
    if (found) {
        *def = row.doc;
    }
    sbx_out_release(&key);
    mst_buf_release(&scratch);
    return found;
}

/* ---- options ---- */

static void out_number(struct sbx_out *o, const char *key, int64_t n)
{
    if (n >= -(1LL << 30) && n <= 1LL << 30) {
        sbx_out_i32(o, key, (int32_t)n);
    } else if (n >= -(1LL << 40) && n <= 1LL << 40) {
        sbx_out_dbl(o, key, (double)n);
    } else {
        sbx_out_i64(o, key, n);
    }
}

void sbx_collation_normal(struct sbx_doc in, struct sbx_out *out, const char *key)
{
    static const struct {
        const char *key, *str;
        int32_t num;
        bool flag;
    } defaults[] = {
        {"locale", "simple", 0, false},     {"caseLevel", NULL, 0, true},
        {"caseFirst", "off", 0, false},     {"strength", NULL, 3, false},
        {"numericOrdering", NULL, 0, true}, {"alternate", "non-ignorable", 0, false},
        {"maxVariable", "punct", 0, false}, {"normalization", NULL, 0, true},
        {"backwards", NULL, 0, true},       {"version", "57.1", 0, false},
    };
    size_t mark;

    if (sbx_val_streq(sbx_doc_get(in, "locale"), "simple")) {
        return;
    }
    mark = sbx_out_sub(out, key, SBX_OBJECT);
    for (size_t i = 0; i < MST_COUNT(defaults); i++) {
        const struct sbx_val v = sbx_doc_get(in, defaults[i].key);

        if (strcmp(defaults[i].key, "strength") == 0) {
            sbx_out_i32(out, "strength", v.type == SBX_EOO ? 3 : (int32_t)sbx_val_i64(v));
        } else if (v.type != SBX_EOO) {
            sbx_out_val(out, defaults[i].key, v);
        } else if (defaults[i].flag) {
            sbx_out_bool(out, defaults[i].key, false);
        } else {
            sbx_out_str(out, defaults[i].key, defaults[i].str);
        }
    }
    sbx_out_end(out, mark);
}

void sbx_options_normal(struct sbx_doc in, struct sbx_out *out)
{
    static const char *const order[] = {"flags",
                                        "temp",
                                        "storageEngine",
                                        "indexOptionDefaults",
                                        "validator",
                                        "validationLevel",
                                        "validationAction",
                                        "collation",
                                        "viewOn",
                                        "pipeline"};
    const size_t mark = sbx_out_begin(out);
    const struct sbx_val size = sbx_doc_get(in, "size"), max = sbx_doc_get(in, "max");

    if (sbx_val_true(sbx_doc_get(in, "capped"))) {
        sbx_out_bool(out, "capped", true);
        if (sbx_val_is_num(size)) {
            out_number(out, "size", (sbx_val_i64(size) + 0xff) & ~0xffLL);
        }
        if (sbx_val_is_num(max) && sbx_val_i64(max) > 0) {
            out_number(out, "max", sbx_val_i64(max));
        }
    }
    for (size_t i = 0; i < MST_COUNT(order); i++) {
        const struct sbx_val v = sbx_doc_get(in, order[i]);

        if (strcmp(order[i], "collation") == 0 && v.type == SBX_OBJECT) {
            sbx_collation_normal(sbx_val_doc(v), out, "collation");
        } else if (strcmp(order[i], "temp") == 0) {
            if (sbx_val_true(v)) {
                sbx_out_bool(out, "temp", true);
            }
        } else if (v.type != SBX_EOO && !(v.type == SBX_OBJECT && sbx_doc_empty(sbx_val_doc(v)))) {
            sbx_out_val(out, order[i], v);
        }
    }
    sbx_out_end(out, mark);
}

void sbx_coll_set_options(struct sbx_coll *c, struct sbx_doc in)
{
    struct sbx_out o = {0};
    struct sbx_val v;

    sbx_options_normal(in, &o); /* before the old ones go: in may be them */
    sbx_out_release(&c->options);
    c->options = o;
    in = sbx_out_done(&o);
    c->capped = sbx_val_true(sbx_doc_get(in, "capped"));
    c->temp = sbx_val_true(sbx_doc_get(in, "temp"));
    c->cap_size = c->capped ? sbx_val_i64(sbx_doc_get(in, "size")) : 0;
    c->cap_size = c->capped && c->cap_size < 4096 ? 4096 : c->cap_size;
    c->cap_max = c->capped ? sbx_val_i64(sbx_doc_get(in, "max")) : 0;
    sbx_out_reset(&c->validator);
    v = sbx_doc_get(in, "validator");
    if (v.type == SBX_OBJECT) {
        mst_buf_add(&c->validator.b, v.p, v.n);
    }
    v = sbx_doc_get(in, "validationLevel");
    if (sbx_val_streq(v, "off")) {
        sbx_out_reset(&c->validator);
    }
    c->validate_moderate = sbx_val_streq(v, "moderate");
    c->validate_warn = sbx_val_streq(sbx_doc_get(in, "validationAction"), "warn");
}

bool sbx_coll_validate(const struct sbx_coll *c, struct sbx_doc doc)
{
    struct sbx_why why = {0};
    const struct sbx_doc v = sbx_out_done(&c->validator);

    if (!v.n || c->validate_warn || !sbx_match_check(v, &why)) {
        return true; /* a validator of operators that are not modelled was refused at its creation
                      */
    }
    return sbx_match(v, doc);
}

static void id_spec(const struct sbx_coll *c, struct sbx_out *o)
{
    const struct sbx_val coll = sbx_doc_get(sbx_out_done(&c->options), "collation");
    const size_t mark = sbx_out_begin(o);
    size_t key;

    sbx_out_i32(o, "v", 2);
    key = sbx_out_sub(o, "key", SBX_OBJECT);
    sbx_out_i32(o, "_id", 1);
    sbx_out_end(o, key);
    sbx_out_str(o, "name", "_id_");
    if (!c->data->plain_specs) {
        sbx_out_str(o, "ns", c->ns);
    }
    if (coll.type != SBX_EOO) {
        sbx_out_val(o, "collation", coll);
    }
    sbx_out_end(o, mark);
}

static bool good_name(const char *ns, struct sbx_why *why)
{
    const char *dot = strchr(ns, '.');
    const size_t n = strlen(ns);

    if (!dot || dot == ns || !dot[1] || n >= SBX_NS_MAX) {
        return sbx_why(why, 73, "Invalid namespace specified '%.200s'", ns);
    }
    if (dot[1] == '.' || memchr(dot, '$', n - (size_t)(dot - ns))) {
        return sbx_why(why, 73, "Invalid collection name: %.200s", ns);
    }
    return true;
}

struct sbx_coll *sbx_data_create(struct sbx_data *d, const char *ns, const uint8_t *uuid,
                                 struct sbx_doc options, struct sbx_doc id_index,
                                 struct sbx_why *why)
{
    struct sbx_coll *c;
    struct sbx_out spec = {0};
    struct sbx_why none = {0};

    if (!good_name(ns, why)) {
        return NULL;
    }
    if (sbx_data_coll(d, ns) || (uuid && sbx_data_by_uuid(d, uuid))) {
        sbx_why(why, 48, "a collection '%s' already exists", ns);
        return NULL;
    }
    c = mst_xcalloc(1, sizeof *c);
    mst_copy(c->ns, sizeof c->ns, ns);
    c->db_len = strcspn(ns, ".");
    c->data = d;
    c->order = ++d->order;
    c->next_rid = 1;
    if (uuid) {
        memcpy(c->uuid, uuid, 16);
    } else {
        sbx_uuid_new(c->uuid);
    }
    sbx_coll_set_options(c, options.p ? options : sbx_doc(empty, 5));
    if (id_index.p && id_index.n > 5) {
        mst_buf_add(&spec.b, id_index.p, id_index.n);
    } else {
        id_spec(c, &spec);
    }
    MST_ASSERT(sbx_index_add(c, sbx_out_done(&spec), NULL, &none));
    sbx_out_release(&spec);
    sbx_tree_add(&d->by_ns, c->ns, ns_cmp, c);
    sbx_tree_add(&d->by_uuid, c->uuid, uuid_cmp, c);
    return c;
}

void sbx_data_drop(struct sbx_data *d, struct sbx_coll *c)
{
    MST_ASSERT(c->pending == 0);
    sbx_tree_del(&d->by_ns, c->ns, ns_cmp, c);
    sbx_tree_del(&d->by_uuid, c->uuid, uuid_cmp, c);
    sbx_coll_free(c);
}

/* Specifications of the older profile name their collection. */
static void rename_specs(struct sbx_coll *c)
{
    for (struct sbx_index *x = c->indexes; x; x = x->next) {
        struct sbx_out o = {0};
        const size_t mark = sbx_out_begin(&o);
        struct sbx_it it;

        sbx_it_init(&it, sbx_out_done(&x->spec));
        while (sbx_it_next(&it)) {
            if (strcmp(it.key, "ns") == 0) {
                sbx_out_str(&o, "ns", c->ns);
            } else {
                sbx_out_valn(&o, it.key, it.klen, it.v);
            }
        }
        sbx_out_end(&o, mark);
        sbx_out_release(&x->spec);
        x->spec = o;
    }
}

bool sbx_data_rename(struct sbx_data *d, struct sbx_coll *c, const char *to, bool stay_temp,
                     struct sbx_why *why)
{
    if (!good_name(to, why)) {
        return false;
    }
    if (sbx_data_coll(d, to)) {
        return sbx_why(why, 48, "target namespace exists");
    }
    sbx_tree_del(&d->by_ns, c->ns, ns_cmp, c);
    mst_copy(c->ns, sizeof c->ns, to);
    c->db_len = strcspn(to, ".");
    sbx_tree_add(&d->by_ns, c->ns, ns_cmp, c);
    rename_specs(c);
    if (c->temp && !stay_temp) {
        struct sbx_out o = {0};
        const size_t mark = sbx_out_begin(&o);
        struct sbx_it it;

        sbx_it_init(&it, sbx_out_done(&c->options));
        while (sbx_it_next(&it)) {
            if (strcmp(it.key, "temp") != 0) {
                sbx_out_valn(&o, it.key, it.klen, it.v);
            }
        }
        sbx_out_end(&o, mark);
        sbx_coll_set_options(c, sbx_out_done(&o));
        sbx_out_release(&o);
    }
    return true;
}
