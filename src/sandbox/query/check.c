/* Is a filter one that sbx_match understands? */
#include <string.h>

#include "query/ops.h"

static const char *const op_names[] = {"$eq",  "$ne",   "$gt",     "$gte",     "$lt",  "$lte",
                                       "$in",  "$nin",  "$exists", "$type",    "$not", "$elemMatch",
                                       "$all", "$size", "$regex",  "$options", "$mod"};

enum op sbx_op_find(const char *key)
{
    for (size_t i = 0; i < OP_NONE; i++) {
        if (strcmp(op_names[i], key) == 0) {
            return (enum op)i;
        }
    }
    return OP_NONE;
}

static bool check_ops(struct sbx_doc ops, struct sbx_why *why);

static bool check_type(struct sbx_val v, struct sbx_why *why)
{
    const char *name = sbx_val_str(v, NULL);

    if (name && sbx_type_alias(name) == -1) {
        return sbx_why(why, 2, "Unknown type name alias: %s", name);
    }
    if (!name && !sbx_val_is_num(v)) {
        return sbx_why(why, 14, "type must be represented as a number or a string");
    }
    return true;
}

static bool check_each(struct sbx_val list, struct sbx_why *why,
                       bool (*fn)(struct sbx_val, struct sbx_why *))
{
    struct sbx_it it;

    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        if (!fn(it.v, why)) {
            return false;
        }
    }
    return true;
}

static bool check_in_item(struct sbx_val v, struct sbx_why *why)
{
    if (is_ops(v)) {
        return sbx_why(why, 2, "cannot nest $ under $in");
    }
    return v.type != SBX_REGEX || sbx_regex_check((const char *)v.p, why);
}

static bool check_all_item(struct sbx_val v, struct sbx_why *why)
{
    return !is_ops(v) || check_ops(sbx_val_doc(v), why);
}

static bool check_filter_item(struct sbx_val v, struct sbx_why *why)
{
    if (v.type != SBX_OBJECT) {
        return sbx_why(why, 2, "$or/$and/$nor entries need to be full objects");
    }
    return sbx_match_check(sbx_val_doc(v), why);
}

static bool check_not(struct sbx_val v, struct sbx_why *why)
{
    if (v.type == SBX_REGEX) {
        return sbx_regex_check((const char *)v.p, why);
    }
    if (v.type != SBX_OBJECT) {
        return sbx_why(why, 2, "$not needs a regex or a document");
    }
    if (sbx_doc_empty(sbx_val_doc(v))) {
        return sbx_why(why, 2, "$not cannot be empty");
    }
    return check_ops(sbx_val_doc(v), why);
}

static bool check_elem(struct sbx_val v, struct sbx_why *why)
{
    struct sbx_it first;

    if (v.type != SBX_OBJECT) {
        return sbx_why(why, 2, "$elemMatch needs an Object");
    }
    if (is_ops(v) && sbx_doc_first(sbx_val_doc(v), &first) && !is_logic(first.key)) {
        return check_ops(sbx_val_doc(v), why);
    }
    return sbx_match_check(sbx_val_doc(v), why);
}

static bool check_regex_op(struct sbx_val v, struct sbx_why *why)
{
    if (v.type == SBX_REGEX) {
        return sbx_regex_check((const char *)v.p, why);
    }
    if (v.type != SBX_STRING) {
        return sbx_why(why, 2, "$regex has to be a string");
    }
    return sbx_regex_check(sbx_val_str(v, NULL), why);
}

static bool check_op(enum op op, const char *key, struct sbx_val v, struct sbx_why *why)
{
    switch (op) {
    case OP_NONE:
        return sbx_why(why, 2, "unknown operator: %s", key);
    case OP_IN:
    case OP_NIN:
        return v.type == SBX_ARRAY ? check_each(v, why, check_in_item)
                                   : sbx_why(why, 2, "%s needs an array", key);
    case OP_ALL:
        return v.type == SBX_ARRAY ? check_each(v, why, check_all_item)
                                   : sbx_why(why, 2, "%s needs an array", key);
    case OP_TYPE:
        return v.type == SBX_ARRAY ? check_each(v, why, check_type) : check_type(v, why);
    case OP_NOT:
        return check_not(v, why);
    case OP_ELEM:
        return check_elem(v, why);
    case OP_SIZE:
        if (!sbx_val_is_num(v)) {
            return sbx_why(why, 2, "$size needs a number");
        }
        return sbx_val_i64(v) >= 0 || sbx_why(why, 2, "$size may not be negative");
    case OP_REGEX:
        return check_regex_op(v, why);
    case OP_MOD:
        if (v.type != SBX_ARRAY || sbx_doc_count(sbx_val_doc(v)) != 2) {
            return sbx_why(why, 2, "malformed mod, needs to be an array");
        }
        return sbx_val_i64(sbx_doc_get(sbx_val_doc(v), "0")) != 0 ||
               sbx_why(why, 2, "divisor cannot be 0");
    case OP_EQ:
    case OP_NE:
    case OP_GT:
    case OP_GTE:
    case OP_LT:
    case OP_LTE:
    case OP_EXISTS:
    case OP_OPTIONS:
        break;
    }
    return true;
}

static bool check_ops(struct sbx_doc ops, struct sbx_why *why)
{
    struct sbx_it it;

    sbx_it_init(&it, ops);
    while (sbx_it_next(&it)) {
        if (!check_op(sbx_op_find(it.key), it.key, it.v, why)) {
            return false;
        }
    }
    return true;
}

static bool check_logic(const char *key, struct sbx_val v, struct sbx_why *why)
{
    if (v.type != SBX_ARRAY) {
        return sbx_why(why, 2, "%s must be an array", key);
    }
    if (sbx_doc_empty(sbx_val_doc(v))) {
        return sbx_why(why, 2, "$and/$or/$nor must be a nonempty array");
    }
    return check_each(v, why, check_filter_item);
}

bool sbx_match_check(struct sbx_doc filter, struct sbx_why *why)
{
    struct sbx_it it;

    sbx_it_init(&it, filter);
    while (sbx_it_next(&it)) {
        bool ok = true;

        if (is_logic(it.key)) {
            ok = check_logic(it.key, it.v, why);
        } else if (strcmp(it.key, "$jsonSchema") == 0) {
            ok = it.v.type == SBX_OBJECT ? sbx_schema_check(sbx_val_doc(it.v), why)
                                         : sbx_why(why, 14, "$jsonSchema must be an object");
        } else if (it.key[0] == '$' && strcmp(it.key, "$comment") != 0) {
            ok = sbx_why(why, 2, "unknown top level operator: %s", it.key);
        } else if (is_ops(it.v)) {
            ok = check_ops(sbx_val_doc(it.v), why);
        } else if (it.v.type == SBX_REGEX) {
            ok = sbx_regex_check((const char *)it.v.p, why);
        }
        if (!ok) {
            return false;
        }
    }
    return !it.bad || sbx_why(why, 22, "invalid BSON in a filter");
}
