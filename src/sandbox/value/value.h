/* value.h: BSON values as raw bytes: walking, building, the server's order and equality, paths.
 *
 * A value is a type and a borrowed run of bytes: nothing is decoded that need not be, so documents
 * keep the exact bytes a client sent. Every walk is bounded by the buffer it walks.
 */
#ifndef SBX_VALUE_VALUE_H
#define SBX_VALUE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/ts.h"

/* BSON type bytes; the wire's numbers. */
enum {
    SBX_EOO = 0x00,
    SBX_DOUBLE = 0x01,
    SBX_STRING = 0x02,
    SBX_OBJECT = 0x03,
    SBX_ARRAY = 0x04,
    SBX_BINARY = 0x05,
    SBX_UNDEFINED = 0x06,
    SBX_OID = 0x07,
    SBX_BOOL = 0x08,
    SBX_DATE = 0x09,
    SBX_NULL = 0x0a,
    SBX_REGEX = 0x0b,
    SBX_DBPOINTER = 0x0c,
    SBX_CODE = 0x0d,
    SBX_SYMBOL = 0x0e,
    SBX_CODEWSCOPE = 0x0f,
    SBX_INT32 = 0x10,
    SBX_TIMESTAMP = 0x11,
    SBX_INT64 = 0x12,
    SBX_DECIMAL = 0x13,
    SBX_MAXKEY = 0x7f,
    SBX_MINKEY = 0xff
};

#define SBX_DOC_MAX (16 * 1024 * 1024) /* the largest document a client may store */
#define SBX_DEPTH_MAX 200

struct sbx_val {
    uint8_t type;     /* SBX_EOO: absent */
    const uint8_t *p; /* borrowed */
    uint32_t n;
};

/* A whole document as bytes. */
struct sbx_doc {
    const uint8_t *p;
    uint32_t n;
};

struct sbx_it {
    const uint8_t *p, *end;
    const char *key; /* NUL-terminated inside the document */
    size_t klen;
    struct sbx_val v;
    bool bad; /* the walk ended at a malformed element */
};

static inline struct sbx_doc sbx_doc(const void *p, uint32_t n)
{
    return (struct sbx_doc){p, n};
}
static inline struct sbx_doc sbx_val_doc(struct sbx_val v)
{
    return (struct sbx_doc){v.p, v.n};
}
static inline struct sbx_val sbx_doc_val(struct sbx_doc d)
{
    return (struct sbx_val){SBX_OBJECT, d.p, d.n};
}
static inline bool sbx_val_is_doc(struct sbx_val v)
{
    return v.type == SBX_OBJECT || v.type == SBX_ARRAY;
}

void sbx_it_init(struct sbx_it *it, struct sbx_doc d);
bool sbx_it_next(struct sbx_it *it);
/* First field of that name; type SBX_EOO when absent. */
struct sbx_val sbx_doc_get(struct sbx_doc d, const char *key);
struct sbx_val sbx_doc_getn(struct sbx_doc d, const char *key, size_t klen);
bool sbx_doc_first(struct sbx_doc d, struct sbx_it *it);
bool sbx_doc_empty(struct sbx_doc d);
unsigned sbx_doc_count(struct sbx_doc d);
/* Well-formed to the last byte; its depth (1: flat) in *depth when not NULL. */
bool sbx_doc_valid(struct sbx_doc d, unsigned *depth);

bool sbx_val_is_num(struct sbx_val v);
/* Numbers and booleans as the server coerces them; 0 when it is neither. */
int64_t sbx_val_i64(struct sbx_val v);
double sbx_val_dbl(struct sbx_val v);
bool sbx_val_true(
    struct sbx_val v); /* non-zero number, true, or any other present non-null value */
int32_t sbx_val_i32raw(struct sbx_val v);
int64_t sbx_val_i64raw(struct sbx_val v);
double sbx_val_dblraw(struct sbx_val v);
struct mst_ts sbx_val_ts(struct sbx_val v);
/* Text of a string or symbol and its length without the NUL; NULL when it is no string. */
const char *sbx_val_str(struct sbx_val v, size_t *len);
bool sbx_val_streq(struct sbx_val v, const char *s);
/* Payload of a binary value. */
const uint8_t *sbx_val_bin(struct sbx_val v, uint32_t *n, uint8_t *subtype);
/* A UUID (binary subtype 4 of 16 bytes), else NULL. */
const uint8_t *sbx_val_uuid(struct sbx_val v);
double sbx_decimal_dbl(const uint8_t *p);

/* The server's total order: MinKey, undefined, null, numbers across their types, strings, objects,
 * arrays, binary, ids, booleans, dates, timestamps, regexes, db pointers, code, code with scope,
 * MaxKey. */
int sbx_val_cmp(struct sbx_val a, struct sbx_val b);
int sbx_doc_cmp(struct sbx_doc a, struct sbx_doc b);
static inline bool sbx_val_eq(struct sbx_val a, struct sbx_val b)
{
    return sbx_val_cmp(a, b) == 0;
}
bool sbx_val_same(struct sbx_val a, struct sbx_val b); /* same type and same bytes */
int sbx_type_order(uint8_t type); /* classes that compare with each other are equal */
const char *sbx_type_name(uint8_t type);
/* Type byte of a $type alias ("string", "int" ...), -1 when there is none; "number" is -2. */
int sbx_type_alias(const char *name);

/* Values at a dotted path, arrays on the way expanded. fn is called for each; a false ends it.
 * A path that leads nowhere in a document calls fn with SBX_EOO (once per dead branch). When
 * expand is set and the value at the end is an array, its elements follow it. */
typedef bool sbx_path_fn(void *arg, struct sbx_val v, bool element);
bool sbx_path_each(struct sbx_doc d, const char *path, bool expand, sbx_path_fn *fn, void *arg);
/* The value at a dotted path through objects (numbers index arrays); SBX_EOO when absent. */
struct sbx_val sbx_path_get(struct sbx_doc d, const char *path);

/* Values as the server prints them in messages: { _id: 1, s: "x" }. */
void sbx_val_text(struct sbx_val v, struct mst_str *s);
void sbx_doc_text(struct sbx_doc d, struct mst_str *s);

/* ---- building ---- */
struct sbx_out {
    struct mst_buf b;
};

size_t sbx_out_begin(struct sbx_out *o); /* the outermost document; returns its mark */
size_t sbx_out_sub(struct sbx_out *o, const char *key, uint8_t type);
void sbx_out_end(struct sbx_out *o, size_t mark);
void sbx_out_key(struct sbx_out *o, uint8_t type, const char *key, size_t klen);
void sbx_out_val(struct sbx_out *o, const char *key, struct sbx_val v);
void sbx_out_valn(struct sbx_out *o, const char *key, size_t klen, struct sbx_val v);
void sbx_out_i32(struct sbx_out *o, const char *key, int32_t v);
void sbx_out_i64(struct sbx_out *o, const char *key, int64_t v);
void sbx_out_dbl(struct sbx_out *o, const char *key, double v);
void sbx_out_bool(struct sbx_out *o, const char *key, bool v);
void sbx_out_str(struct sbx_out *o, const char *key, const char *v);
void sbx_out_ts(struct sbx_out *o, const char *key, struct mst_ts ts);
void sbx_out_date(struct sbx_out *o, const char *key, int64_t ms);
void sbx_out_oid(struct sbx_out *o, const char *key, const uint8_t oid[12]);
void sbx_out_uuid(struct sbx_out *o, const char *key, const uint8_t uuid[16]);
void sbx_out_doc(struct sbx_out *o, const char *key, struct sbx_doc d);
void sbx_out_index(struct sbx_out *o, unsigned i, struct sbx_val v); /* array element number i */
struct sbx_doc sbx_out_done(const struct sbx_out *o);
void sbx_out_reset(struct sbx_out *o);
void sbx_out_release(struct sbx_out *o);

#endif
