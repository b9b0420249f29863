/* The update operators that compute: numbers and arrays. */
#include <bson/bson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "query/paths.h"

void sbx_modify_take(struct sbx_modify *m)
{
    m->now = sbx_doc_get(sbx_out_done(&m->out), "v");
}

static void show_id(const struct sbx_modify *m, struct mst_str *s)
{
    mst_str_add(s, "{_id: ");
    sbx_val_text(m->id, s);
    mst_str_addc(s, '}');
}

static bool refuse(const struct sbx_modify *m, int code, const char *text, struct sbx_why *why)
{
    struct mst_str s = {0};

    show_id(m, &s);
    sbx_why(why, code, "%s %s has the field '%s' of non-numeric type %s", text, mst_str_c(&s),
            m->path, sbx_type_name(m->old.type));
    mst_str_release(&s);
    return false;
}

static void put_decimal(struct sbx_modify *m, long double x)
{
    char text[64];
    bson_decimal128_t d;
    uint8_t raw[16];

    snprintf(text, sizeof text, "%.18Lg", x);
    if (!bson_decimal128_from_string(text, &d)) {
        bson_decimal128_from_string("NaN", &d);
    }
    mst_put_le64(raw, d.low);
    mst_put_le64(raw + 8, d.high);
    sbx_out_val(&m->out, "v", (struct sbx_val){SBX_DECIMAL, raw, 16});
}

static long double wide(struct sbx_val v)
{
    if (v.type == SBX_DECIMAL) {
        const bson_decimal128_t d = {.low = mst_le64(v.p), .high = mst_le64(v.p + 8)};
        char text[BSON_DECIMAL128_STRING];

        bson_decimal128_to_string(&d, text);
        return strtold(text, NULL);
    }
    return v.type == SBX_DOUBLE ? (long double)sbx_val_dblraw(v) : (long double)sbx_val_i64(v);
}

/* Type of the result: the wider of the two; integers widen when they overflow. */
static bool arithmetic(struct sbx_modify *m, bool mul, struct sbx_why *why)
{
    const struct sbx_val a = m->old, b = m->arg;
    int64_t r;

    if (a.type == SBX_DECIMAL || b.type == SBX_DECIMAL) {
        put_decimal(m, mul ? wide(a) * wide(b) : wide(a) + wide(b));
        return true;
    }
    if (a.type == SBX_DOUBLE || b.type == SBX_DOUBLE) {
        const double x = sbx_val_dbl(a), y = sbx_val_dbl(b);

        sbx_out_dbl(&m->out, "v", mul ? x * y : x + y);
        return true;
    }
    if (mul ? __builtin_mul_overflow(sbx_val_i64(a), sbx_val_i64(b), &r)
            : __builtin_add_overflow(sbx_val_i64(a), sbx_val_i64(b), &r)) {
        return sbx_why(why, 2, "Failed to apply %s operations to current value ((NumberLong)%lld)",
                       m->op, (long long)sbx_val_i64(a));
    }
    if (a.type == SBX_INT32 && b.type == SBX_INT32 && r >= INT32_MIN && r <= INT32_MAX) {
        sbx_out_i32(&m->out, "v", (int32_t)r);
    } else {
        sbx_out_i64(&m->out, "v", r);
    }
    return true;
}

static bool absent_number(struct sbx_modify *m, bool mul)
{
    if (!mul) {
        sbx_out_val(&m->out, "v", m->arg);
    } else if (m->arg.type == SBX_DOUBLE) {
        sbx_out_dbl(&m->out, "v", 0);
    } else if (m->arg.type == SBX_DECIMAL) {
        put_decimal(m, 0);
    } else if (m->arg.type == SBX_INT64) {
        sbx_out_i64(&m->out, "v", 0);
    } else {
        sbx_out_i32(&m->out, "v", 0);
    }
    return true;
}

bool sbx_modify_number(struct sbx_modify *m, struct sbx_why *why)
{
    const bool mul = strcmp(m->op, "$mul") == 0;
    const size_t mark = sbx_out_begin(&m->out);
    bool ok;

    if (!sbx_val_is_num(m->arg)) {
        struct mst_str s = {0};

        sbx_val_text(m->arg, &s);
        sbx_why(why, 14, "Cannot %s with non-numeric argument: {%s: %.120s}",
                mul ? "multiply" : "increment", m->path, mst_str_c(&s));
        mst_str_release(&s);
        return false;
    }
    if (m->old.type != SBX_EOO && !sbx_val_is_num(m->old)) {
        return refuse(m, 14,
                      mul ? "Cannot apply $mul to a value of non-numeric type."
                          : "Cannot apply $inc to a value of non-numeric type.",
                      why);
    }
    ok = m->old.type == SBX_EOO ? absent_number(m, mul) : arithmetic(m, mul, why);
    sbx_out_end(&m->out, mark);
    sbx_modify_take(m);
    return ok;
}

/* ---- arrays ---- */

struct push {
    struct sbx_val each; /* the values to add, an array */
    bool has_slice, has_position, has_sort;
    int64_t slice, position;
    struct sbx_val sort;
    struct sbx_out one; /* holds a lone value as an array */
};

static bool push_clause(struct push *p, const struct sbx_it *it, struct sbx_why *why)
{
    if (strcmp(it->key, "$each") == 0) {
        if (it->v.type != SBX_ARRAY) {
            return sbx_why(why, 2,
                           "The argument to $each in $push must be an array but it was of type: %s",
                           sbx_type_name(it->v.type));
        }
        p->each = it->v;
    } else if (strcmp(it->key, "$slice") == 0) {
        p->has_slice = true;
        p->slice = sbx_val_i64(it->v);
        return sbx_val_is_num(it->v) ||
               sbx_why(why, 2,
                       "The value for $slice must be an integer value but was given type: %s",
                       sbx_type_name(it->v.type));
    } else if (strcmp(it->key, "$position") == 0) {
        p->has_position = true;
        p->position = sbx_val_i64(it->v);
    } else if (strcmp(it->key, "$sort") == 0) {
        p->has_sort = true;
        p->sort = it->v;
        return sbx_val_is_num(it->v) || it->v.type == SBX_OBJECT ||
               sbx_why(why, 2,
                       "The $sort is invalid: use 1/-1 to sort the whole element, or "
                       "{field:1/-1} to sort embedded fields");
    } else {
        return sbx_why(why, 2, "Unrecognized clause in $push: %s", it->key);
    }
    return true;
}

static bool push_parse(struct sbx_modify *m, struct push *p, struct sbx_why *why)
{
    const bool add = strcmp(m->op, "$addToSet") == 0;
    struct sbx_it it;

    if (m->arg.type == SBX_OBJECT && sbx_doc_get(sbx_val_doc(m->arg), "$each").type != SBX_EOO) {
        sbx_it_init(&it, sbx_val_doc(m->arg));
        while (sbx_it_next(&it)) {
            if (add && strcmp(it.key, "$each") != 0) {
                return sbx_why(why, 2, "Found unexpected fields after $each in $addToSet: %s",
                               it.key);
            }
            if (!push_clause(p, &it, why)) {
                return false;
            }
        }
        return true;
    }
    {
        const size_t mark = sbx_out_begin(&p->one);

        sbx_out_val(&p->one, "0", m->arg);
        sbx_out_end(&p->one, mark);
        p->each = (struct sbx_val){SBX_ARRAY, p->one.b.p, (uint32_t)p->one.b.len};
    }
    return true;
}

/* Elements of an array, gathered so that they can be placed, sorted and sliced. */
struct list {
    struct sbx_val *v;
    size_t n, cap;
};

static void list_insert(struct list *l, size_t at, struct sbx_val v)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->v = mst_xrealloc(l->v, l->cap * sizeof *l->v);
    }
    memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof *l->v);
    l->v[at] = v;
    l->n++;
}

static void list_array(struct list *l, struct sbx_val arr)
{
    struct sbx_it it;

    if (arr.type != SBX_ARRAY) {
        return;
    }
    sbx_it_init(&it, sbx_val_doc(arr));
    while (sbx_it_next(&it)) {
        list_insert(l, l->n, it.v);
    }
}

static bool list_has(const struct list *l, struct sbx_val v)
{
    for (size_t i = 0; i < l->n; i++) {
        if (sbx_val_eq(l->v[i], v)) {
            return true;
        }
    }
    return false;
}

static int order(struct sbx_val a, struct sbx_val b, struct sbx_val how)
{
    static const uint8_t empty[] = {5, 0, 0, 0, 0};
    const struct sbx_doc none = {empty, 5};

    if (how.type != SBX_OBJECT) {
        return sbx_val_dbl(how) < 0 ? -sbx_val_cmp(a, b) : sbx_val_cmp(a, b);
    }
    return sbx_sort_cmp(sbx_val_doc(how), a.type == SBX_OBJECT ? sbx_val_doc(a) : none,
                        b.type == SBX_OBJECT ? sbx_val_doc(b) : none);
}

static void list_sort(struct list *l, struct sbx_val how)
{
    for (size_t i = 1; i < l->n; i++) { /* stable; arrays in documents are short */
        const struct sbx_val v = l->v[i];
        size_t j = i;

        for (; j > 0 && order(l->v[j - 1], v, how) > 0; j--) {
            l->v[j] = l->v[j - 1];
        }
        l->v[j] = v;
    }
}

static void list_write(struct sbx_modify *m, const struct list *l, size_t from, size_t to)
{
    const size_t mark = sbx_out_begin(&m->out);
    const size_t arr = sbx_out_sub(&m->out, "v", SBX_ARRAY);

    for (size_t i = from; i < to; i++) {
        sbx_out_index(&m->out, (unsigned)(i - from), l->v[i]);
    }
    sbx_out_end(&m->out, arr);
    sbx_out_end(&m->out, mark);
    sbx_modify_take(m);
}

static void push_apply(struct sbx_modify *m, const struct push *p)
{
    struct list l = {0};
    size_t old, at, from = 0, to;
    struct sbx_it it;

    list_array(&l, m->old);
    old = at = l.n;
    if (p->has_position) {
        const int64_t pos = p->position < 0 ? (int64_t)l.n + p->position : p->position;

        at = pos < 0 ? 0 : pos > (int64_t)l.n ? l.n : (size_t)pos;
    }
    sbx_it_init(&it, sbx_val_doc(p->each));
    while (sbx_it_next(&it)) {
        list_insert(&l, at++, it.v);
    }
    if (p->has_sort) {
        list_sort(&l, p->sort);
    }
    to = l.n;
    if (p->has_slice && p->slice >= 0) {
        to = (int64_t)l.n > p->slice ? (size_t)p->slice : l.n;
    } else if (p->has_slice && -p->slice < (int64_t)l.n) {
        from = l.n - (size_t)-p->slice;
    }
    list_write(m, &l, from, to);
    m->appended =
        m->old.type == SBX_ARRAY && !p->has_sort && !p->has_position && from == 0 && to == l.n;
    m->appended_from = (unsigned)old;
    free(l.v);
}

static void add_to_set(struct sbx_modify *m, const struct push *p)
{
    struct list l = {0};
    struct sbx_it it;
    size_t old;

    list_array(&l, m->old);
    old = l.n;
    sbx_it_init(&it, sbx_val_doc(p->each));
    while (sbx_it_next(&it)) {
        if (!list_has(&l, it.v)) {
            list_insert(&l, l.n, it.v);
        }
    }
    m->keep = l.n == old && m->old.type == SBX_ARRAY;
    list_write(m, &l, 0, l.n);
    free(l.v);
}

static bool pulled(const struct sbx_modify *m, struct sbx_val v)
{
    struct sbx_it it;

    if (strcmp(m->op, "$pull") == 0) {
        return sbx_match_value(m->arg, v);
    }
    sbx_it_init(&it, sbx_val_doc(m->arg));
    while (sbx_it_next(&it)) {
        if (sbx_val_eq(it.v, v)) {
            return true;
        }
    }
    return false;
}

static void pull(struct sbx_modify *m)
{
    struct list l = {0}, left = {0};

    list_array(&l, m->old);
    for (size_t i = 0; i < l.n; i++) {
        if (!pulled(m, l.v[i])) {
            list_insert(&left, left.n, l.v[i]);
        }
    }
    m->keep = left.n == l.n;
    list_write(m, &left, 0, left.n);
    free(l.v);
    free(left.v);
}

static void pop(struct sbx_modify *m)
{
    struct list l = {0};
    const bool first = sbx_val_dbl(m->arg) < 0;

    list_array(&l, m->old);
    m->keep = l.n == 0;
    list_write(m, &l, first && l.n ? 1 : 0, !first && l.n ? l.n - 1 : l.n);
    free(l.v);
}

static bool not_array(const struct sbx_modify *m, struct sbx_why *why)
{
    struct mst_str s = {0};

    if (strcmp(m->op, "$addToSet") == 0) {
        return sbx_why(why, 2,
                       "Cannot apply $addToSet to non-array field. Field named '%s' has non-array "
                       "type %s",
                       m->path, sbx_type_name(m->old.type));
    }
    if (strcmp(m->op, "$push") != 0) {
        return sbx_why(why, strcmp(m->op, "$pop") == 0 ? 14 : 2,
                       "Cannot apply %s to a non-array value", m->op);
    }
    show_id(m, &s);
    sbx_why(why, 2, "The field '%s' must be an array but is of type %s in document %s", m->path,
            sbx_type_name(m->old.type), mst_str_c(&s));
    mst_str_release(&s);
    return false;
}

bool sbx_modify_array(struct sbx_modify *m, struct sbx_why *why)
{
    const bool takes = strncmp(m->op, "$p", 2) == 0 && strcmp(m->op, "$push") != 0;
    struct push p = {0};
    bool ok;

    if (m->old.type != SBX_EOO && m->old.type != SBX_ARRAY) {
        return not_array(m, why);
    }
    if (takes) {
        m->keep = m->old.type == SBX_EOO;
        if (strcmp(m->op, "$pullAll") == 0 && m->arg.type != SBX_ARRAY) {
            return sbx_why(why, 2, "$pullAll requires an array argument but was given a %s",
                           sbx_type_name(m->arg.type));
        }
        if (!m->keep) {
            (strcmp(m->op, "$pop") == 0 ? pop : pull)(m);
        }
        return true;
    }
    ok = push_parse(m, &p, why);
    if (ok && strcmp(m->op, "$addToSet") == 0) {
        add_to_set(m, &p);
    } else if (ok) {
        push_apply(m, &p);
    }
    sbx_out_release(&p.one);
    return ok;
}
