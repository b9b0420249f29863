/* Sort orders and projections. */
#include <string.h>

#include "query/query.h"

struct best {
    struct sbx_val v;
    bool any, least;
};

static bool best_one(void *arg, struct sbx_val v, bool element)
{
    struct best *b = arg;
    int c;

    (void)element;
    c = b->any ? sbx_val_cmp(v, b->v) : 0;
    if (!b->any || (b->least ? c < 0 : c > 0)) {
        b->v = v;
        b->any = true;
    }
    return true;
}

/* A document's key for one sort field: of an array its least (or greatest) element; missing is
 * null. */
static struct sbx_val sort_key(struct sbx_doc d, const char *path, bool least)
{
    struct best b = {{0}, false, least};
    const struct sbx_val whole = sbx_path_get(d, path);

    if (whole.type != SBX_EOO && whole.type != SBX_ARRAY) {
        return whole;
    }
    if (whole.type == SBX_ARRAY && !sbx_doc_empty(sbx_val_doc(whole))) {
        struct sbx_it it;

        sbx_it_init(&it, sbx_val_doc(whole));
        while (sbx_it_next(&it)) {
            best_one(&b, it.v, true);
        }
        return b.v;
    }
    if (whole.type == SBX_ARRAY) {
        return (struct sbx_val){SBX_UNDEFINED, NULL, 0};
    }
    sbx_path_each(d, path, false, best_one, &b);
    return b.any && b.v.type != SBX_EOO ? b.v : (struct sbx_val){SBX_NULL, NULL, 0};
}

int sbx_sort_cmp(struct sbx_doc pattern, struct sbx_doc a, struct sbx_doc b)
{
    struct sbx_it it;

    sbx_it_init(&it, pattern);
    while (sbx_it_next(&it)) {
        const bool up = sbx_val_dbl(it.v) > 0;
        const int r = sbx_val_cmp(sort_key(a, it.key, up), sort_key(b, it.key, up));

        if (r) {
            return up ? r : -r;
        }
    }
    return 0;
}

bool sbx_sort_check(struct sbx_doc pattern, struct sbx_why *why)
{
    struct sbx_it it;

    sbx_it_init(&it, pattern);
    while (sbx_it_next(&it)) {
        const int64_t n = sbx_val_i64(it.v);

        if (!sbx_val_is_num(it.v) || (n != 1 && n != -1)) {
            return sbx_why(why, 2, "bad sort specification");
        }
    }
    return true;
}

/* ---- projection ---- */

static bool is_inclusion(struct sbx_doc spec)
{
    struct sbx_it it;

    sbx_it_init(&it, spec);
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, "_id") != 0) {
            return sbx_val_true(it.v);
        }
    }
    return sbx_val_true(sbx_doc_get(spec, "_id")) && !sbx_doc_empty(spec);
}

bool sbx_project_check(struct sbx_doc spec, struct sbx_why *why)
{
    const bool in = is_inclusion(spec);
    struct sbx_it it;

    sbx_it_init(&it, spec);
    while (sbx_it_next(&it)) {
        struct sbx_it first;

        if (it.v.type == SBX_OBJECT) {
            if (sbx_doc_first(sbx_val_doc(it.v), &first)) {
                return sbx_why(why, 2, "Unsupported projection option: %s: %s", it.key, first.key);
            }
            return sbx_why(why, 2, "Unsupported projection option: %s: {}", it.key);
        }
        if (!sbx_val_is_num(it.v) && it.v.type != SBX_BOOL) {
            return sbx_why(why, 2, "Unsupported projection option: %s", it.key);
        }
        if (strchr(it.key, '$')) {
            return sbx_why(why, 2, "Positional projection '%s' is not served", it.key);
        }
        if (strcmp(it.key, "_id") != 0 && sbx_val_true(it.v) != in) {
            return sbx_why(why, 2, "Projection cannot have a mix of inclusion and exclusion.");
        }
    }
    return true;
}

enum named { NO, BELOW, WHOLE };

/* Does the spec name this path, or something below it? */
static enum named named(struct sbx_doc spec, const char *prefix, size_t plen, const char *key,
                        size_t klen)
{
    struct sbx_it it;
    enum named found = NO;

    sbx_it_init(&it, spec);
    while (sbx_it_next(&it)) {
        const size_t n = plen + klen;

        if (it.klen < n || (plen && memcmp(it.key, prefix, plen) != 0) ||
            memcmp(it.key + plen, key, klen) != 0) {
            continue;
        }
        if (it.klen == n) {
            return WHOLE;
        }
        if (it.key[n] == '.') {
            found = BELOW;
        }
    }
    return found;
}

static void project_doc(struct sbx_doc spec, bool in, const char *prefix, struct sbx_doc doc,
                        struct sbx_out *out);

static void project_array(struct sbx_doc spec, bool in, const char *prefix, struct sbx_doc arr,
                          struct sbx_out *out)
{
    struct sbx_it it;

    sbx_it_init(&it, arr);
    while (sbx_it_next(&it)) {
        if (it.v.type == SBX_OBJECT) {
            const size_t m = sbx_out_sub(out, it.key, SBX_OBJECT);

            project_doc(spec, in, prefix, sbx_val_doc(it.v), out);
            sbx_out_end(out, m);
        } else if (!in) {
            sbx_out_valn(out, it.key, it.klen, it.v);
        }
    }
}

static void project_below(struct sbx_doc spec, bool in, const char *prefix, struct sbx_it *it,
                          struct sbx_out *out)
{
    struct mst_str path = {0};
    size_t m;

    mst_str_add(&path, prefix);
    mst_str_addn(&path, it->key, it->klen);
    mst_str_addc(&path, '.');
    m = sbx_out_sub(out, it->key, it->v.type);
    if (it->v.type == SBX_ARRAY) {
        project_array(spec, in, mst_str_c(&path), sbx_val_doc(it->v), out);
    } else {
        project_doc(spec, in, mst_str_c(&path), sbx_val_doc(it->v), out);
    }
    sbx_out_end(out, m);
    mst_str_release(&path);
}

static void project_doc(struct sbx_doc spec, bool in, const char *prefix, struct sbx_doc doc,
                        struct sbx_out *out)
{
    const size_t plen = strlen(prefix);
    struct sbx_it it;

    sbx_it_init(&it, doc);
    while (sbx_it_next(&it)) {
        const enum named n = named(spec, prefix, plen, it.key, it.klen);
        bool keep = (n == WHOLE) == in;

        if (plen == 0 && strcmp(it.key, "_id") == 0) {
            const struct sbx_val v = sbx_doc_get(spec, "_id");

            keep = v.type == SBX_EOO || sbx_val_true(v);
        } else if (n == BELOW && sbx_val_is_doc(it.v)) {
            project_below(spec, in, prefix, &it, out);
            continue;
        } else if (n == BELOW) {
            keep = !in;
        }
        if (keep) {
            sbx_out_valn(out, it.key, it.klen, it.v);
        }
    }
}

void sbx_project(struct sbx_doc spec, struct sbx_doc doc, struct sbx_out *out)
{
    const size_t m = sbx_out_begin(out);

    project_doc(spec, is_inclusion(spec), "", doc, out);
    sbx_out_end(out, m);
}
