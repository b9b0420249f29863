/* Filters: interpreted on each document, checked once before. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "query/ops.h"

bool sbx_why(struct sbx_why *why, int code, const char *fmt, ...)
{
    va_list ap;

    why->code = code;
    va_start(ap, fmt);
    vsnprintf(why->msg, sizeof why->msg, fmt, ap);
    va_end(ap);
    return false;
}

/* ---- one value against one condition ---- */

static bool is_nan(struct sbx_val v)
{
    return (v.type == SBX_DOUBLE || v.type == SBX_DECIMAL) && isnan(sbx_val_dbl(v));
}

static bool nullish(uint8_t type)
{
    return type == SBX_NULL || type == SBX_UNDEFINED || type == SBX_EOO;
}

static bool ordered(enum op op, int cmp)
{
    switch ((int)op) {
    case OP_GT:
        return cmp > 0;
    case OP_GTE:
        return cmp >= 0;
    case OP_LT:
        return cmp < 0;
    case OP_LTE:
        return cmp <= 0;
    default:
        return cmp == 0;
    }
}

/* Comparisons only meet values of their own class; nulls and missing ones are alike. */
static bool compare(enum op op, struct sbx_val v, struct sbx_val rhs)
{
    if (nullish(rhs.type)) {
        return nullish(v.type) && op != OP_GT && op != OP_LT;
    }
    if (v.type == SBX_EOO) {
        return false;
    }
    if (sbx_type_order(v.type) != sbx_type_order(rhs.type)) {
        return op != OP_EQ && (rhs.type == SBX_MINKEY || rhs.type == SBX_MAXKEY) &&
               ordered(op, sbx_val_cmp(v, rhs));
    }
    if (is_nan(v) || is_nan(rhs)) {
        return op != OP_GT && op != OP_LT && is_nan(v) && is_nan(rhs);
    }
    return ordered(op, sbx_val_cmp(v, rhs));
}

static bool regex_val(struct sbx_val rx, struct sbx_val v)
{
    const char *pattern = (const char *)rx.p;
    const char *text = v.type == SBX_CODE ? NULL : sbx_val_str(v, NULL);

    return text && sbx_regex_match(pattern, pattern + strlen(pattern) + 1, text);
}

static bool equal_or_regex(struct sbx_val v, struct sbx_val rhs)
{
    if (rhs.type == SBX_REGEX && regex_val(rhs, v)) {
        return true;
    }
    return compare(OP_EQ, v, rhs);
}

static bool in_list(struct sbx_val v, struct sbx_val list)
{
    struct sbx_it it;

    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        if (equal_or_regex(v, it.v)) {
            return true;
        }
    }
    return false;
}

static bool one_type(struct sbx_val v, struct sbx_val want)
{
    int t;

    if (sbx_val_is_num(want)) {
        const int64_t n = sbx_val_i64(want);

        return v.type != SBX_EOO && v.type == (uint8_t)(n & 0xff);
    }
    t = sbx_type_alias(sbx_val_str(want, NULL));
    return t == -2 ? sbx_val_is_num(v) : v.type != SBX_EOO && v.type == t;
}

static bool type_is(struct sbx_val v, struct sbx_val want)
{
    struct sbx_it it;

    if (want.type != SBX_ARRAY) {
        return one_type(v, want);
    }
    sbx_it_init(&it, sbx_val_doc(want));
    while (sbx_it_next(&it)) {
        if (one_type(v, it.v)) {
            return true;
        }
    }
    return false;
}

static bool mod_is(struct sbx_val v, struct sbx_val arg)
{
    const int64_t d = sbx_val_i64(sbx_doc_get(sbx_val_doc(arg), "0"));
    const int64_t r = sbx_val_i64(sbx_doc_get(sbx_val_doc(arg), "1"));

    if (!sbx_val_is_num(v) || d == 0 || (d == -1 && sbx_val_i64(v) == INT64_MIN)) {
        return false;
    }
    return sbx_val_i64(v) % d == r;
}

static bool ops_on_value(struct sbx_doc ops, struct sbx_val v);

static bool elem_match(struct sbx_val v, struct sbx_val cond)
{
    struct sbx_it it, first;
    bool ops;

    if (v.type != SBX_ARRAY) {
        return false;
    }
    ops = is_ops(cond) && sbx_doc_first(sbx_val_doc(cond), &first) && !is_logic(first.key);
    sbx_it_init(&it, sbx_val_doc(v));
    while (sbx_it_next(&it)) {
        if (ops ? ops_on_value(sbx_val_doc(cond), it.v)
                : it.v.type == SBX_OBJECT && sbx_match(sbx_val_doc(cond), sbx_val_doc(it.v))) {
            return true;
        }
    }
    return false;
}

static bool size_is(struct sbx_val v, struct sbx_val n)
{
    return v.type == SBX_ARRAY && sbx_doc_count(sbx_val_doc(v)) == sbx_val_i64(n);
}

/* One operator against one value, without negations. */
static bool op_on_value(enum op op, struct sbx_val v, struct sbx_val arg, struct sbx_doc ops)
{
    switch (op) {
    case OP_EQ:
    case OP_GT:
    case OP_GTE:
    case OP_LT:
    case OP_LTE:
        return compare(op, v, arg);
    case OP_IN:
        return in_list(v, arg);
    case OP_TYPE:
        return type_is(v, arg);
    case OP_EXISTS:
        return v.type != SBX_EOO;
    case OP_MOD:
        return mod_is(v, arg);
    case OP_SIZE:
        return size_is(v, arg);
    case OP_ELEM:
        return elem_match(v, arg);
    case OP_REGEX: {
        const struct sbx_val o = sbx_doc_get(ops, "$options");
        const char *text = v.type == SBX_CODE ? NULL : sbx_val_str(v, NULL);

        if (arg.type == SBX_REGEX) {
            return regex_val(arg, v);
        }
        return text && sbx_regex_match(sbx_val_str(arg, NULL),
                                       o.type == SBX_STRING ? sbx_val_str(o, NULL) : "", text);
    }
    case OP_NE:
    case OP_NIN:
    case OP_NOT:
    case OP_ALL:
    case OP_OPTIONS:
    case OP_NONE:
        break;
    }
    return false;
}

/* ---- a condition on a path ---- */

struct probe {
    enum op op;
    struct sbx_val arg;
    struct sbx_doc ops;
    bool hit;
};

static bool probe_one(void *arg, struct sbx_val v, bool element)
{
    struct probe *p = arg;

    /* What looks at an array as a whole does not look at its elements. */
    if (element && (p->op == OP_SIZE || p->op == OP_ELEM || p->op == OP_EXISTS)) {
        return true;
    }
    p->hit = op_on_value(p->op, v, p->arg, p->ops);
    return !p->hit;
}

static bool any(struct sbx_doc doc, const char *path, enum op op, struct sbx_val arg,
                struct sbx_doc ops)
{
    struct probe p = {op, arg, ops, false};

    sbx_path_each(doc, path, true, probe_one, &p);
    return p.hit;
}

static bool probe_regex(void *arg, struct sbx_val v, bool element)
{
    struct probe *p = arg;

    (void)element;
    p->hit = equal_or_regex(v, p->arg);
    return !p->hit;
}

static bool any_equal(struct sbx_doc doc, const char *path, struct sbx_val rhs)
{
    struct probe p = {OP_EQ, rhs, {0}, false};

    sbx_path_each(doc, path, true, probe_regex, &p);
    return p.hit;
}

static bool ops_on_path(struct sbx_doc ops, struct sbx_doc doc, const char *path);

static bool all_on_path(struct sbx_doc doc, const char *path, struct sbx_val list)
{
    struct sbx_it it;
    bool some = false;

    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        some = true;
        if (is_ops(it.v) ? !ops_on_path(sbx_val_doc(it.v), doc, path)
                         : !any_equal(doc, path, it.v)) {
            return false;
        }
    }
    return some;
}

static bool not_on_path(struct sbx_val arg, struct sbx_doc doc, const char *path)
{
    return arg.type == SBX_REGEX ? !any_equal(doc, path, arg)
                                 : !ops_on_path(sbx_val_doc(arg), doc, path);
}

static bool op_on_path(enum op op, struct sbx_val arg, struct sbx_doc ops, struct sbx_doc doc,
                       const char *path)
{
    switch ((int)op) {
    case OP_NE:
        return !any(doc, path, OP_EQ, arg, ops);
    case OP_NIN:
        return !any(doc, path, OP_IN, arg, ops);
    case OP_NOT:
        return not_on_path(arg, doc, path);
    case OP_ALL:
        return all_on_path(doc, path, arg);
    case OP_EXISTS:
        return any(doc, path, op, arg, ops) == sbx_val_true(arg);
    case OP_OPTIONS:
        return true;
    default:
        return any(doc, path, op, arg, ops);
    }
}

static bool ops_on_path(struct sbx_doc ops, struct sbx_doc doc, const char *path)
{
    struct sbx_it it;

    sbx_it_init(&it, ops);
    while (sbx_it_next(&it)) {
        if (!op_on_path(sbx_op_find(it.key), it.v, ops, doc, path)) {
            return false;
        }
    }
    return true;
}

/* The value stands in a document of its own, so that every rule of paths holds for it. */
static bool ops_on_value(struct sbx_doc ops, struct sbx_val v)
{
    struct sbx_out o = {0};
    const size_t m = sbx_out_begin(&o);
    bool yes;

    sbx_out_val(&o, "v", v);
    sbx_out_end(&o, m);
    yes = ops_on_path(ops, sbx_out_done(&o), "v");
    sbx_out_release(&o);
    return yes;
}

bool sbx_match_value(struct sbx_val cond, struct sbx_val v)
{
    if (is_ops(cond)) {
        return ops_on_value(sbx_val_doc(cond), v);
    }
    if (cond.type == SBX_OBJECT && v.type == SBX_OBJECT) {
        return sbx_match(sbx_val_doc(cond), sbx_val_doc(v));
    }
    return equal_or_regex(v, cond);
}

/* ---- whole filters ---- */

static bool logic(const char *key, struct sbx_val list, struct sbx_doc doc)
{
    const bool want_all = strcmp(key, "$and") == 0;
    struct sbx_it it;

    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        if (sbx_match(sbx_val_doc(it.v), doc) != want_all) {
            return strcmp(key, "$or") == 0; /* a hit of $or; a miss of $and; a hit of $nor */
        }
    }
    return strcmp(key, "$or") != 0;
}

bool sbx_match(struct sbx_doc filter, struct sbx_doc doc)
{
    struct sbx_it it;

    sbx_it_init(&it, filter);
    while (sbx_it_next(&it)) {
        bool yes;

        if (is_logic(it.key)) {
            yes = logic(it.key, it.v, doc);
        } else if (strcmp(it.key, "$jsonSchema") == 0) {
            yes = sbx_schema_match(sbx_val_doc(it.v), doc);
        } else if (strcmp(it.key, "$comment") == 0) {
            yes = true;
        } else if (is_ops(it.v)) {
            yes = ops_on_path(sbx_val_doc(it.v), doc, it.key);
        } else {
            yes = any_equal(doc, it.key, it.v);
        }
        if (!yes) {
            return false;
        }
    }
    return true;
}

struct sbx_val sbx_match_equal(struct sbx_doc filter, const char *field)
{
    struct sbx_val v = sbx_doc_get(filter, field);

    if (is_ops(v)) {
        v = sbx_doc_get(sbx_val_doc(v), "$eq");
    }
    return v.type == SBX_REGEX ? (struct sbx_val){0} : v;
}
