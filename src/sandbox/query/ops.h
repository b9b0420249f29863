/* ops.h: the operators of filters. Private to query. */
#ifndef SBX_QUERY_OPS_H
#define SBX_QUERY_OPS_H

#include <string.h>

#include "query/query.h"

enum op {
    OP_EQ,
    OP_NE,
    OP_GT,
    OP_GTE,
    OP_LT,
    OP_LTE,
    OP_IN,
    OP_NIN,
    OP_EXISTS,
    OP_TYPE,
    OP_NOT,
    OP_ELEM,
    OP_ALL,
    OP_SIZE,
    OP_REGEX,
    OP_OPTIONS,
    OP_MOD,
    OP_NONE
};
enum op sbx_op_find(const char *key);

/* {$gt: 1}: a document of operators; a DBRef ({$ref ..}) is a plain value. */
static inline bool is_ops(struct sbx_val v)
{
    struct sbx_it it;

    return v.type == SBX_OBJECT && sbx_doc_first(sbx_val_doc(v), &it) && it.key[0] == '$' &&
           strcmp(it.key, "$ref") != 0 && strcmp(it.key, "$id") != 0 && strcmp(it.key, "$db") != 0;
}

static inline bool is_logic(const char *key)
{
    return strcmp(key, "$and") == 0 || strcmp(key, "$or") == 0 || strcmp(key, "$nor") == 0;
}

#endif
