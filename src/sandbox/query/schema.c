/* $jsonSchema, as far as the training range needs it; any other keyword is refused by name. */
#include <string.h>

#include "query/query.h"

static const char *const keywords[] = {"bsonType",  "type",        "required", "properties",
                                       "minimum",   "maximum",     "enum",     "minLength",
                                       "maxLength", "description", "title"};

static int type_of(const char *name)
{
    if (strcmp(name, "boolean") == 0) {
        return SBX_BOOL;
    }
    return sbx_type_alias(name);
}

static bool check_properties(struct sbx_val v, struct sbx_why *why)
{
    struct sbx_it it;

    if (v.type != SBX_OBJECT) {
        return sbx_why(why, 14, "$jsonSchema keyword 'properties' must be an object");
    }
    sbx_it_init(&it, sbx_val_doc(v));
    while (sbx_it_next(&it)) {
        if (it.v.type != SBX_OBJECT) {
            return sbx_why(why, 14, "Nested schema for $jsonSchema property '%s' must be an object",
                           it.key);
        }
        if (!sbx_schema_check(sbx_val_doc(it.v), why)) {
            return false;
        }
    }
    return true;
}

static bool check_types(struct sbx_val v, struct sbx_why *why)
{
    struct sbx_it it;
    const char *name = sbx_val_str(v, NULL);

    if (name) {
        return type_of(name) != -1 || sbx_why(why, 2, "Unknown type name alias: %s", name);
    }
    if (v.type != SBX_ARRAY) {
        return sbx_why(why, 14, "$jsonSchema keyword 'bsonType' must be a string or an array");
    }
    sbx_it_init(&it, sbx_val_doc(v));
    while (sbx_it_next(&it)) {
        if (it.v.type != SBX_STRING || !check_types(it.v, why)) {
            return why->code ? false : sbx_why(why, 14, "bsonType entries must be strings");
        }
    }
    return true;
}

bool sbx_schema_check(struct sbx_doc schema, struct sbx_why *why)
{
    struct sbx_it it;

    sbx_it_init(&it, schema);
    while (sbx_it_next(&it)) {
        bool known = false;

        for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
            known = known || strcmp(it.key, keywords[i]) == 0;
        }
        if (!known) {
            return sbx_why(why, 9, "Unknown $jsonSchema keyword: %s", it.key);
        }
        if (strcmp(it.key, "properties") == 0 && !check_properties(it.v, why)) {
            return false;
        }
        if ((strcmp(it.key, "bsonType") == 0 || strcmp(it.key, "type") == 0) &&
            !check_types(it.v, why)) {
            return false;
        }
        if ((strcmp(it.key, "required") == 0 || strcmp(it.key, "enum") == 0) &&
            it.v.type != SBX_ARRAY) {
            return sbx_why(why, 14, "$jsonSchema keyword '%s' must be an array", it.key);
        }
    }
    return true;
}

static bool has_type(struct sbx_val want, struct sbx_val v)
{
    const char *name = sbx_val_str(want, NULL);
    struct sbx_it it;

    if (name) {
        const int t = type_of(name);

        return t == -2 ? sbx_val_is_num(v) : v.type == t;
    }
    sbx_it_init(&it, sbx_val_doc(want));
    while (sbx_it_next(&it)) {
        if (has_type(it.v, v)) {
            return true;
        }
    }
    return false;
}

static bool has_required(struct sbx_val list, struct sbx_doc doc)
{
    struct sbx_it it;

    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        const char *name = sbx_val_str(it.v, NULL);

        if (name && sbx_doc_get(doc, name).type == SBX_EOO) {
            return false;
        }
    }
    return true;
}

static bool in_enum(struct sbx_val list, struct sbx_val v)
{
    struct sbx_it it;

    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        if (sbx_val_eq(it.v, v)) {
            return true;
        }
    }
    return false;
}

static bool value_ok(struct sbx_doc schema, struct sbx_val v);

static bool properties_ok(struct sbx_val props, struct sbx_doc doc)
{
    struct sbx_it it;

    sbx_it_init(&it, sbx_val_doc(props));
    while (sbx_it_next(&it)) {
        const struct sbx_val v = sbx_doc_get(doc, it.key);

        if (v.type != SBX_EOO && !value_ok(sbx_val_doc(it.v), v)) {
            return false;
        }
    }
    return true;
}

static bool keyword_ok(const char *key, struct sbx_val arg, struct sbx_val v)
{
    size_t len = 0;
    const bool str = v.type == SBX_STRING && sbx_val_str(v, &len);

    if (strcmp(key, "bsonType") == 0 || strcmp(key, "type") == 0) {
        return has_type(arg, v);
    }
    if (strcmp(key, "required") == 0) {
        return v.type != SBX_OBJECT || has_required(arg, sbx_val_doc(v));
    }
    if (strcmp(key, "properties") == 0) {
        return v.type != SBX_OBJECT || properties_ok(arg, sbx_val_doc(v));
    }
    if (strcmp(key, "enum") == 0) {
        return in_enum(arg, v);
    }
    if (strcmp(key, "minimum") == 0) {
        return !sbx_val_is_num(v) || sbx_val_cmp(v, arg) >= 0;
    }
    if (strcmp(key, "maximum") == 0) {
        return !sbx_val_is_num(v) || sbx_val_cmp(v, arg) <= 0;
    }
    if (strcmp(key, "minLength") == 0) {
        return !str || (int64_t)len >= sbx_val_i64(arg);
    }
    if (strcmp(key, "maxLength") == 0) {
        return !str || (int64_t)len <= sbx_val_i64(arg);
    }
    return true; /* title, description */
}

static bool value_ok(struct sbx_doc schema, struct sbx_val v)
{
    struct sbx_it it;

    sbx_it_init(&it, schema);
    while (sbx_it_next(&it)) {
        if (!keyword_ok(it.key, it.v, v)) {
            return false;
        }
    }
    return true;
}

bool sbx_schema_match(struct sbx_doc schema, struct sbx_doc doc)
{
    return value_ok(schema, sbx_doc_val(doc));
}
