/* The newer profile's update entries: {$v: 2, diff: {d, u, i, s<field>}}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "query/query.h"

static bool diff_array(struct sbx_doc a, struct sbx_doc b, struct sbx_out *out);

static bool diff_sub(struct sbx_val a, struct sbx_val b, struct sbx_out *out)
{
    return a.type == SBX_ARRAY ? diff_array(sbx_val_doc(a), sbx_val_doc(b), out)
                               : sbx_diff_make(sbx_val_doc(a), sbx_val_doc(b), out);
}

/* A nested diff is only worth it when it is smaller than the new value. */
static bool try_sub(struct sbx_val a, struct sbx_val b, struct sbx_out *sub)
{
    if (a.type != b.type || !sbx_val_is_doc(a)) {
        return false;
    }
    return diff_sub(a, b, sub) && sub->b.len < b.n;
}

/* Fields of b that come after others in another order than in a cannot be told by a diff. */
static bool same_order(struct sbx_doc a, struct sbx_doc b)
{
    struct sbx_it x, y;
    bool added = false;

    sbx_it_init(&x, a);
    sbx_it_init(&y, b);
    while (sbx_it_next(&y)) {
        if (sbx_doc_getn(a, y.key, y.klen).type == SBX_EOO) {
            added = true;
            continue;
        }
        if (added) {
            return false;
        }
        do {
            if (!sbx_it_next(&x)) {
                return false;
            }
        } while (x.klen != y.klen || memcmp(x.key, y.key, x.klen) != 0);
    }
    return true;
}

struct parts {
    struct sbx_out d, u, i, s;
    size_t dm, um, im, sm;
};

static void part_add(struct sbx_out *o, size_t *mark, const struct sbx_it *it, struct sbx_val v)
{
    if (!o->b.len) {
        *mark = sbx_out_begin(o);
    }
    sbx_out_valn(o, it->key, it->klen, v);
}

static void part_write(struct sbx_out *out, const char *key, struct sbx_out *part, size_t mark)
{
    if (part->b.len) {
        sbx_out_end(part, mark);
        sbx_out_doc(out, key, sbx_out_done(part));
    }
    sbx_out_release(part);
}

static void collect(struct sbx_doc a, struct sbx_doc b, struct parts *p)
{
    static const uint8_t no[] = {0};
    struct sbx_it it;

    sbx_it_init(&it, a);
    while (sbx_it_next(&it)) {
        const struct sbx_val now = sbx_doc_getn(b, it.key, it.klen);
        struct sbx_out sub = {0};

        if (now.type == SBX_EOO) {
            part_add(&p->d, &p->dm, &it, (struct sbx_val){SBX_BOOL, no, 1});
        } else if (!sbx_val_same(now, it.v) && try_sub(it.v, now, &sub)) {
            char *key = mst_xmalloc(it.klen + 2);

            snprintf(key, it.klen + 2, "s%s", it.key);
            sbx_out_doc(&p->s, key, sbx_out_done(&sub));
            free(key);
        } else if (!sbx_val_same(now, it.v)) {
            part_add(&p->u, &p->um, &it, now);
        }
        sbx_out_release(&sub);
    }
    sbx_it_init(&it, b);
    while (sbx_it_next(&it)) {
        if (sbx_doc_getn(a, it.key, it.klen).type == SBX_EOO) {
            part_add(&p->i, &p->im, &it, it.v);
        }
    }
}

bool sbx_diff_make(struct sbx_doc a, struct sbx_doc b, struct sbx_out *out)
{
    struct parts p;
    size_t mark;

    if ((a.n == b.n && memcmp(a.p, b.p, a.n) == 0) || !same_order(a, b)) {
        return false;
    }
    memset(&p, 0, sizeof p);
    collect(a, b, &p);
    mark = sbx_out_begin(out);
    part_write(out, "d", &p.d, p.dm);
    part_write(out, "u", &p.u, p.um);
    part_write(out, "i", &p.i, p.im);
    if (p.s.b.len) {
        mst_buf_add(&out->b, p.s.b.p, p.s.b.len);
    }
    sbx_out_release(&p.s);
    sbx_out_end(out, mark);
    return true;
}

static bool diff_array(struct sbx_doc a, struct sbx_doc b, struct sbx_out *out)
{
    const unsigned na = sbx_doc_count(a), nb = sbx_doc_count(b);
    const size_t mark = sbx_out_begin(out);
    struct sbx_it x, y;
    char key[16];

    sbx_out_bool(out, "a", true);
    if (nb < na) {
        sbx_out_i32(out, "l", (int32_t)nb);
    }
    sbx_it_init(&x, a);
    sbx_it_init(&y, b);
    for (unsigned i = 0; sbx_it_next(&y); i++) {
        const bool had = sbx_it_next(&x);
        struct sbx_out sub = {0};

        if (had && sbx_val_same(x.v, y.v)) {
            continue;
        }
        if (had && try_sub(x.v, y.v, &sub)) {
            snprintf(key, sizeof key, "s%u", i);
            sbx_out_doc(out, key, sbx_out_done(&sub));
        } else {
            snprintf(key, sizeof key, "u%u", i);
            sbx_out_val(out, key, y.v);
        }
        sbx_out_release(&sub);
    }
    sbx_out_end(out, mark);
    return true;
}

/* ---- applying ---- */

static bool apply_array(struct sbx_doc arr, struct sbx_doc diff, struct sbx_out *out,
                        struct sbx_why *why);

static bool apply_sub(struct sbx_out *out, const char *key, size_t klen, struct sbx_val old,
                      struct sbx_val diff, struct sbx_why *why)
{
    const bool arr = sbx_val_true(sbx_doc_get(sbx_val_doc(diff), "a"));

    if (old.type !=
        (arr ? SBX_ARRAY : SBX_OBJECT)) { /* the shape moved on: a later entry says it */
        sbx_out_valn(out, key, klen, old);
        return true;
    }
    sbx_out_key(out, old.type, key, klen);
    return arr ? apply_array(sbx_val_doc(old), sbx_val_doc(diff), out, why)
               : sbx_diff_apply(sbx_val_doc(old), sbx_val_doc(diff), out, why);
}

static struct sbx_val keyed(struct sbx_doc diff, char letter, const char *key, size_t klen)
{
    struct sbx_it it;

    sbx_it_init(&it, diff);
    while (sbx_it_next(&it)) {
        if (it.klen == klen + 1 && it.key[0] == letter && memcmp(it.key + 1, key, klen) == 0) {
            return it.v;
        }
    }
    return (struct sbx_val){0};
}

static bool apply_array(struct sbx_doc arr, struct sbx_doc diff, struct sbx_out *out,
                        struct sbx_why *why)
{
    const struct sbx_val l = sbx_doc_get(diff, "l");
    const size_t mark = sbx_out_begin(out);
    const unsigned old = sbx_doc_count(arr);
    unsigned end = l.type != SBX_EOO ? (unsigned)sbx_val_i64(l) : old;
    bool ok = true;
    struct sbx_it it, e;
    char key[16];

    sbx_it_init(&it, diff);
    while (sbx_it_next(&it)) {
        if (it.key[0] == 'u' && it.key[1]) {
            const unsigned i = (unsigned)strtoul(it.key + 1, NULL, 10);

            end = i >= end ? i + 1 : end;
        }
    }
    sbx_it_init(&e, arr);
    for (unsigned i = 0; ok && i < end && end <= 1500000; i++) {
        const bool had = sbx_it_next(&e);
        const int n = snprintf(key, sizeof key, "%u", i);
        const struct sbx_val u = keyed(diff, 'u', key, (size_t)n);
        const struct sbx_val s = keyed(diff, 's', key, (size_t)n);

        if (u.type != SBX_EOO) {
            sbx_out_val(out, key, u);
        } else if (s.type == SBX_OBJECT && had) {
            ok = apply_sub(out, key, (size_t)n, e.v, s, why);
        } else if (had) {
            sbx_out_val(out, key, e.v);
        } else {
            sbx_out_key(out, SBX_NULL, key, (size_t)n);
        }
    }
    sbx_out_end(out, mark);
    return ok;
}

static bool known(struct sbx_doc diff, struct sbx_why *why)
{
    struct sbx_it it;

    sbx_it_init(&it, diff);
    while (sbx_it_next(&it)) {
        if (it.v.type != SBX_OBJECT || (it.key[0] != 's' && strcmp(it.key, "i") != 0 &&
                                        strcmp(it.key, "u") != 0 && strcmp(it.key, "d") != 0)) {
            return sbx_why(why, 4770500, "unknown section '%s' in an update diff", it.key);
        }
    }
    return true;
}

static struct sbx_doc section(struct sbx_doc diff, const char *key)
{
    static const uint8_t empty[] = {5, 0, 0, 0, 0};
    const struct sbx_val v = sbx_doc_get(diff, key);

    return v.type == SBX_OBJECT ? sbx_val_doc(v) : sbx_doc(empty, 5);
}

bool sbx_diff_apply(struct sbx_doc doc, struct sbx_doc diff, struct sbx_out *out,
                    struct sbx_why *why)
{
    const struct sbx_doc d = section(diff, "d"), u = section(diff, "u"), i = section(diff, "i");
    const size_t mark = sbx_out_begin(out);
    struct sbx_it it;
    bool ok = known(diff, why);

    sbx_it_init(&it, doc);
    while (ok && sbx_it_next(&it)) {
        const struct sbx_val up = sbx_doc_getn(u, it.key, it.klen);
        const struct sbx_val s = keyed(diff, 's', it.key, it.klen);

        if (sbx_doc_getn(d, it.key, it.klen).type != SBX_EOO ||
            sbx_doc_getn(i, it.key, it.klen).type != SBX_EOO) {
            continue; /* an inserted field goes to the end */
        }
        if (up.type != SBX_EOO) {
            sbx_out_valn(out, it.key, it.klen, up);
        } else if (s.type == SBX_OBJECT) {
            ok = apply_sub(out, it.key, it.klen, it.v, s, why);
        } else {
            sbx_out_valn(out, it.key, it.klen, it.v);
        }
    }
    sbx_it_init(&it, u);
    while (ok && sbx_it_next(&it)) {
        if (sbx_doc_getn(doc, it.key, it.klen).type == SBX_EOO) {
            sbx_out_valn(out, it.key, it.klen, it.v);
        }
    }
    sbx_it_init(&it, i);
    while (ok && sbx_it_next(&it)) {
        sbx_out_valn(out, it.key, it.klen, it.v);
    }
    sbx_out_end(out, mark);
    return ok;
}
