/* Indexes: specifications in the server's form, and the unique ones' entries. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/inner.h"

#define KEYS_MAX 4096 /* of one document in one index */

/* ---- specifications ---- */

static bool plugin(struct sbx_doc key, const char *name)
{
    struct sbx_it it;

    sbx_it_init(&it, key);
    while (sbx_it_next(&it)) {
        if (sbx_val_streq(it.v, name)) {
            return true;
        }
    }
    return false;
}

static void text_key(struct sbx_doc key, struct sbx_out *o)
{
    const size_t m = sbx_out_sub(o, "key", SBX_OBJECT);
    struct sbx_it it;
    bool written = false;

    sbx_it_init(&it, key);
    while (sbx_it_next(&it)) {
        if (!sbx_val_streq(it.v, "text")) {
            sbx_out_valn(o, it.key, it.klen, it.v);
        } else if (!written) {
            sbx_out_str(o, "_fts", "text");
            sbx_out_i32(o, "_ftsx", 1);
            written = true;
        }
    }
    sbx_out_end(o, m);
}

static void text_extras(struct sbx_doc in, struct sbx_doc key, struct sbx_out *o)
{
    if (sbx_doc_get(in, "weights").type == SBX_EOO) {
        const size_t m = sbx_out_sub(o, "weights", SBX_OBJECT);
        struct sbx_it it;

        sbx_it_init(&it, key);
        while (sbx_it_next(&it)) {
            if (sbx_val_streq(it.v, "text")) {
                sbx_out_i32(o, it.key, 1);
            }
        }
        sbx_out_end(o, m);
    }
    if (sbx_doc_get(in, "default_language").type == SBX_EOO) {
        sbx_out_str(o, "default_language", "english");
    }
    if (sbx_doc_get(in, "language_override").type == SBX_EOO) {
        sbx_out_str(o, "language_override", "language");
    }
    if (sbx_doc_get(in, "textIndexVersion").type == SBX_EOO) {
        sbx_out_i32(o, "textIndexVersion", 3);
    }
}

static bool check_spec(struct sbx_doc in, struct sbx_why *why)
{
    static const char *const known[] = {"v",
                                        "key",
                                        "name",
                                        "ns",
                                        "unique",
                                        "sparse",
                                        "background",
                                        "expireAfterSeconds",
                                        "partialFilterExpression",
                                        "collation",
                                        "weights",
                                        "default_language",
                                        "language_override",
                                        "textIndexVersion",
                                        "2dsphereIndexVersion",
                                        "bits",
                                        "min",
                                        "max",
                                        "wildcardProjection",
                                        "hidden",
                                        "dropDups",
                                        "storageEngine",
                                        "bucketSize"};
    const struct sbx_val key = sbx_doc_get(in, "key");
    const struct sbx_val filter = sbx_doc_get(in, "partialFilterExpression");
    struct sbx_it it;

    if (key.type != SBX_OBJECT) {
        return sbx_why(why, 9, "The 'key' field is a required property of an index specification");
    }
    if (sbx_doc_empty(sbx_val_doc(key))) {
        return sbx_why(why, 67, "Index keys cannot be an empty object");
    }
    if (sbx_doc_get(in, "name").type != SBX_STRING) {
        return sbx_why(why, 9, "The 'name' field is a required property of an index specification");
    }
    sbx_it_init(&it, in);
    while (sbx_it_next(&it)) {
        bool ok = false;

        for (size_t i = 0; i < MST_COUNT(known); i++) {
            ok = ok || strcmp(it.key, known[i]) == 0;
        }
        if (!ok) {
            return sbx_why(why, 197, "The field '%s' is not valid for an index specification.",
                           it.key);
        }
    }
    return filter.type != SBX_OBJECT || sbx_match_check(sbx_val_doc(filter), why);
}

static bool normal(const struct sbx_coll *c, struct sbx_doc in, struct sbx_val inherited,
                   struct sbx_out *out, struct sbx_why *why)
{
    const struct sbx_val key = sbx_doc_get(in, "key");
    struct sbx_it it;
    size_t mark;
    bool text;

    if (!check_spec(in, why)) {
        return false;
    }
    text =
        plugin(sbx_val_doc(key), "text") && sbx_doc_get(sbx_val_doc(key), "_fts").type == SBX_EOO;
    mark = sbx_out_begin(out);
    sbx_out_i32(out, "v",
                sbx_doc_get(in, "v").type == SBX_EOO ? 2
                                                     : (int32_t)sbx_val_i64(sbx_doc_get(in, "v")));
    if (sbx_val_true(sbx_doc_get(in, "unique"))) {
        sbx_out_bool(out, "unique", true);
    }
    if (text) {
        text_key(sbx_val_doc(key), out);
    } else {
        sbx_out_val(out, "key", key);
    }
    sbx_out_val(out, "name", sbx_doc_get(in, "name"));
    if (!c->data->plain_specs) {
        sbx_out_str(out, "ns", c->ns);
    }
    sbx_it_init(&it, in);
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, "collation") == 0 && it.v.type == SBX_OBJECT) {
            sbx_collation_normal(sbx_val_doc(it.v), out, "collation");
        } else if (strcmp(it.key, "v") != 0 && strcmp(it.key, "key") != 0 &&
                   strcmp(it.key, "name") != 0 && strcmp(it.key, "ns") != 0 &&
                   strcmp(it.key, "unique") != 0 && strcmp(it.key, "dropDups") != 0) {
            sbx_out_valn(out, it.key, it.klen, it.v);
        }
    }
    if (text) {
        text_extras(in, sbx_val_doc(key), out);
    } else if (inherited.type != SBX_EOO && sbx_doc_get(in, "collation").type == SBX_EOO) {
        sbx_out_val(out, "collation", inherited);
    }
    if (plugin(sbx_val_doc(key), "2dsphere") &&
        sbx_doc_get(in, "2dsphereIndexVersion").type == SBX_EOO) {
        sbx_out_i32(out, "2dsphereIndexVersion", 3);
    }
    sbx_out_end(out, mark);
    return true;
}

bool sbx_index_normal(const struct sbx_coll *c, struct sbx_doc in, struct sbx_out *out,
                      struct sbx_why *why)
{
    return normal(c, in, sbx_doc_get(sbx_out_done(&c->options), "collation"), out, why);
}

bool sbx_index_logged(const struct sbx_coll *c, struct sbx_doc in, struct sbx_out *out,
                      struct sbx_why *why)
{
    return normal(c, in, (struct sbx_val){SBX_EOO, NULL, 0}, out, why);
}

struct sbx_index *sbx_index_find(const struct sbx_coll *c, const char *name)
{
    for (struct sbx_index *x = c->indexes; x; x = x->next) {
        if (strcmp(x->name, name) == 0) {
            return x;
        }
    }
    return NULL;
}

struct sbx_index *sbx_index_by_key(const struct sbx_coll *c, struct sbx_doc key)
{
    for (struct sbx_index *x = c->indexes; x; x = x->next) {
        if (sbx_doc_cmp(sbx_val_doc(sbx_doc_get(sbx_out_done(&x->spec), "key")), key) == 0) {
            return x;
        }
    }
    return NULL;
}

unsigned sbx_index_count(const struct sbx_coll *c)
{
    unsigned n = 0;

    for (const struct sbx_index *x = c->indexes; x; x = x->next) {
        n++;
    }
    return n;
}

/* ---- keys of a document ---- */

struct vals {
    struct sbx_val *v;
    size_t n, cap;
    bool present;
};

static void vals_add(struct vals *l, struct sbx_val v)
{
    for (size_t i = 0; i < l->n; i++) {
        if (sbx_val_eq(l->v[i], v)) {
            return; /* the same key twice is one entry */
        }
    }
    mst_grow((void **)&l->v, &l->cap, l->n + 1, sizeof *l->v);
    l->v[l->n++] = v;
}

static bool gather(void *arg, struct sbx_val v, bool element)
{
    struct vals *l = arg;

    if (v.type == SBX_ARRAY && !element) {
        l->present = true;
        if (sbx_doc_empty(sbx_val_doc(v))) {
            vals_add(l, (struct sbx_val){SBX_UNDEFINED, NULL, 0});
        }
        return true; /* its elements follow */
    }
    l->present = l->present || v.type != SBX_EOO;
    vals_add(l, v.type == SBX_EOO ? (struct sbx_val){SBX_NULL, NULL, 0} : v);
    return l->n < KEYS_MAX;
}

struct keys {
    struct sbx_out *v;
    size_t n, cap;
};

static void keys_free(struct keys *k)
{
    for (size_t i = 0; i < k->n; i++) {
        sbx_out_release(&k->v[i]);
    }
    free(k->v);
}

static void key_one(struct keys *out, const struct sbx_out *prefix, const char *field,
                    struct sbx_val v)
{
    struct sbx_out *o;

    mst_grow((void **)&out->v, &out->cap, out->n + 1, sizeof *out->v);
    o = &out->v[out->n++];
    memset(o, 0, sizeof *o);
    if (prefix) {
        mst_buf_add(&o->b, prefix->b.p, prefix->b.len - 1);
    } else {
        sbx_out_begin(o);
    }
    sbx_out_val(o, field, v);
    sbx_out_end(o, 0);
}

/* Every combination of the values of the fields so far with those of the next one. */
static void cross(struct keys *k, const char *field, const struct vals *l)
{
    struct keys next = {0};

    for (size_t i = 0; i < (k->n ? k->n : 1) && next.n < KEYS_MAX; i++) {
        for (size_t j = 0; j < l->n && next.n < KEYS_MAX; j++) {
            key_one(&next, k->n ? &k->v[i] : NULL, field, l->v[j]);
        }
    }
    keys_free(k);
    *k = next;
}

static void keys_of(const struct sbx_index *x, struct sbx_doc doc, struct keys *k)
{
    const struct sbx_doc spec = sbx_out_done(&x->spec);
    const struct sbx_val filter = sbx_doc_get(spec, "partialFilterExpression");
    struct sbx_it it;
    bool any = false;

    memset(k, 0, sizeof *k);
    if (filter.type == SBX_OBJECT && !sbx_match(sbx_val_doc(filter), doc)) {
        return;
    }
    sbx_it_init(&it, sbx_val_doc(sbx_doc_get(spec, "key")));
    while (sbx_it_next(&it)) {
        struct vals l = {0};

        sbx_path_each(doc, it.key, true, gather, &l);
        if (!l.n) {
            vals_add(&l, (struct sbx_val){SBX_NULL, NULL, 0});
        }
        any = any || l.present;
        cross(k, it.key, &l);
        free(l.v);
    }
    if (x->sparse && !any) {
        keys_free(k);
        memset(k, 0, sizeof *k);
    }
}

static int ukey_cmp(const void *key, const void *item)
{
    const struct sbx_doc *d = key;
    const struct sbx_ukey *u = item;

    return sbx_doc_cmp(*d, sbx_doc(u->doc, u->n));
}

void sbx_rec_unindex(struct sbx_rec *r)
{
    while (r->ukeys) {
        struct sbx_ukey *u = r->ukeys;
        const struct sbx_doc d = sbx_doc(u->doc, u->n);

        r->ukeys = u->next;
        sbx_tree_del(&u->index->tree, &d, ukey_cmp, u);
        free(u);
    }
}

static void add_keys(struct sbx_index *x, struct sbx_rec *r, const struct sbx_ver *v)
{
    struct keys k;

    if (v->gone) {
        return;
    }
    keys_of(x, sbx_doc(v->doc, v->n), &k);
    for (size_t i = 0; i < k.n; i++) {
        const struct sbx_doc d = sbx_out_done(&k.v[i]);
        struct sbx_ukey *u = mst_xmalloc(sizeof *u + d.n);

        u->next = r->ukeys;
        u->index = x;
        u->rec = r;
        u->n = d.n;
        memcpy(u->doc, d.p, d.n);
        r->ukeys = u;
        sbx_tree_add(&x->tree, &d, ukey_cmp, u);
    }
    keys_free(&k);
}

static void sync_one(struct sbx_index *x, struct sbx_rec *r)
{
    add_keys(x, r, r->head);
    if (r->head->owner && r->head->prev) {
        add_keys(x, r, r->head->prev); /* until it commits, the old keys are held as well */
    }
}

void sbx_rec_sync(struct sbx_coll *c, struct sbx_rec *r)
{
    sbx_rec_unindex(r);
    for (struct sbx_index *x = c->indexes; x; x = x->next) {
        if (x->unique && !x->id) {
            sync_one(x, r);
        }
    }
}

/* Does the newest version still have this key? */
static bool head_has(const struct sbx_index *x, const struct sbx_rec *r, struct sbx_doc key)
{
    struct keys k;
    bool has = false;

    if (r->head->gone) {
        return false;
    }
    keys_of(x, sbx_doc(r->head->doc, r->head->n), &k);
    for (size_t i = 0; i < k.n; i++) {
        has = has || sbx_doc_cmp(sbx_out_done(&k.v[i]), key) == 0;
    }
    keys_free(&k);
    return has;
}

static bool check_key(struct sbx_coll *c, const struct sbx_index *x, const struct sbx_rec *rec,
                      struct sbx_doc key, struct sbx_view view, struct sbx_dup *dup,
                      struct sbx_why *why)
{
    struct sbx_tree_at at;

    for (struct sbx_ukey *u = sbx_tree_ge(&x->tree, &key, ukey_cmp, &at);
         u && ukey_cmp(&key, u) == 0; u = sbx_tree_next(&x->tree, &at)) {
        bool conflict;

        if (u->rec == rec || !sbx_rec_clash(u->rec, view, &conflict)) {
            continue;
        }
        if (conflict) {
            return sbx_why(why, 112, "WriteConflict");
        }
        if (head_has(x, u->rec, key)) {
            return sbx_dup_fail(c, x->name, sbx_val_doc(sbx_doc_get(sbx_out_done(&x->spec), "key")),
                                key, dup, why);
        }
    }
    return true;
}

bool sbx_index_check(struct sbx_coll *c, const struct sbx_rec *rec, struct sbx_doc doc,
                     struct sbx_view view, struct sbx_dup *dup, struct sbx_why *why)
{
    bool ok = true;

    for (struct sbx_index *x = c->indexes; ok && x; x = x->next) {
        struct keys k;

        if (!x->unique || x->id) {
            continue;
        }
        keys_of(x, doc, &k);
        for (size_t i = 0; ok && i < k.n; i++) {
            ok = check_key(c, x, rec, sbx_out_done(&k.v[i]), view, dup, why);
        }
        keys_free(&k);
    }
    return ok;
}

/* ---- building and dropping ---- */

static void read_spec(struct sbx_index *x, struct sbx_doc spec)
{
    const char *name = sbx_val_str(sbx_doc_get(spec, "name"), NULL);
    const struct sbx_val key = sbx_doc_get(spec, "key");
    struct sbx_out copy = {0};
    struct sbx_it it;

    mst_buf_add(&copy.b, spec.p, spec.n); /* spec may be x->spec */
    x->id = key.type == SBX_OBJECT && sbx_doc_first(sbx_val_doc(key), &it) &&
            strcmp(it.key, "_id") == 0 && sbx_doc_count(sbx_val_doc(key)) == 1 &&
            sbx_val_is_num(it.v);
    x->unique = sbx_val_true(sbx_doc_get(spec, "unique"));
    x->sparse = sbx_val_true(sbx_doc_get(spec, "sparse"));
    free(x->name);
    x->name = mst_xstrdup(name ? name : "");
    sbx_out_release(&x->spec);
    x->spec = copy;
}

static bool build(struct sbx_coll *c, struct sbx_index *x, struct sbx_dup *dup, struct sbx_why *why)
{
    struct sbx_tree_at at;

    /* Computed documents have unique _ids and nothing else to promise: they are made real. */
    for (int64_t rid = 1; c->fill_live > 0 && rid <= c->fill.count; rid++) {
        const struct sbx_row row = {.rid = rid};

        sbx_coll_rec(c, &row);
    }
    for (struct sbx_rec *r = sbx_tree_first(&c->records, &at); r;
         r = sbx_tree_next(&c->records, &at)) {
        struct keys k;
        bool ok = true;

        if (r->head->gone) {
            continue;
        }
        keys_of(x, sbx_doc(r->head->doc, r->head->n), &k);
        for (size_t i = 0; ok && i < k.n; i++) {
            ok = check_key(c, x, r, sbx_out_done(&k.v[i]), SBX_LATEST, dup, why);
        }
        keys_free(&k);
        if (!ok) {
            return false;
        }
        sync_one(x, r);
    }
    return true;
}

bool sbx_index_add(struct sbx_coll *c, struct sbx_doc spec, struct sbx_dup *dup,
                   struct sbx_why *why)
{
    struct sbx_index *x = mst_xcalloc(1, sizeof *x), **tail = &c->indexes;

    read_spec(x, spec);
    while (*tail) {
        tail = &(*tail)->next;
    }
    *tail = x;
    if (x->unique && !x->id && !build(c, x, dup, why)) {
        sbx_index_drop(c, x);
        return false;
    }
    return true;
}

void sbx_index_drop(struct sbx_coll *c, struct sbx_index *x)
{
    struct sbx_index **p = &c->indexes;
    struct sbx_tree_at at;

    while (*p && *p != x) {
        p = &(*p)->next;
    }
    *p = x->next;
    if (x->tree.count) {
        for (struct sbx_rec *r = sbx_tree_first(&c->records, &at); r;
             r = sbx_tree_next(&c->records, &at)) {
            struct sbx_ukey **u = &r->ukeys;

            while (*u) {
                struct sbx_ukey *gone = *u;

                if (gone->index != x) {
                    u = &gone->next;
                    continue;
                }
                *u = gone->next;
                free(gone);
            }
        }
    }
    sbx_tree_release(&x->tree);
    sbx_out_release(&x->spec);
    free(x->name);
    free(x);
}

void sbx_index_respec(struct sbx_index *x, struct sbx_doc spec)
{
    read_spec(x, spec);
}
