#include "ipc/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static size_t count_of(const struct field *f, const char *from)
{
    size_t n = 0;

    if (f->type == FT_TRIM) {
        const char *base = from + f->offset;

        for (size_t i = 0; i < f->max; i++) {
            for (size_t b = 0; b < f->size; b++) {
                if (base[i * f->size + b] != 0) {
                    n = i + 1;
                    break;
                }
            }
        }
        return n;
    }
    memcpy(&n, from + f->n_offset, sizeof(n));
    return n < f->max ? n : f->max;
}

static void encode_array(const struct field *f, const char *from, bson_t *out)
{
    const size_t n = count_of(f, from);
    const char *base = from + f->offset;
    bson_t array, one;
    char key[24];

    if (f->type == FT_ROWS || f->type == FT_LINES) {
        memcpy(&base, from + f->offset, sizeof(base));
    }
    bson_append_array_begin(out, f->name, -1, &array);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(key, sizeof(key), "%zu", i);
        if (f->type == FT_LINES || f->type == FT_CELLS) {
            bson_append_utf8(&array, key, -1, base + i * f->size,
                             (int)strnlen(base + i * f->size, f->size - 1));
        } else {
            bson_append_document_begin(&array, key, -1, &one);
            ipc_encode(f->of, base + i * f->size, &one);
            bson_append_document_end(&array, &one);
        }
    }
    bson_append_array_end(out, &array);
}

static int64_t load_int(const struct field *f, const char *at)
{
    int32_t i32;
    uint32_t u32;
    int64_t i64;
    bool b;

    switch (f->size) {
    case sizeof(b):
        memcpy(&b, at, sizeof(b));
        return b;
    case sizeof(i64):
        memcpy(&i64, at, sizeof(i64));
        return i64;
    default:
        memcpy(&i32, at, sizeof(i32));
        memcpy(&u32, at, sizeof(u32));
        return f->type == FT_I32 ? (int64_t)i32 : (int64_t)u32;
    }
}

static void encode_field(const struct field *f, const char *from, bson_t *out)
{
    const char *at = from + f->offset;
    struct mst_optime o = {{0, 0}, 0};
    double d;

    switch (f->type) {
    case FT_TEXT:
        bson_append_utf8(out, f->name, -1, at, (int)strnlen(at, f->size - 1));
        break;
    case FT_BOOL:
    case FT_I32:
    case FT_U32:
    case FT_I64:
    case FT_U64:
        bson_append_int64(out, f->name, -1, load_int(f, at));
        break;
    case FT_DOUBLE:
        memcpy(&d, at, sizeof(d));
        bson_append_double(out, f->name, -1, d);
        break;
    case FT_TS:
        memcpy(&o.ts, at, sizeof(o.ts));
        bson_append_timestamp(out, f->name, -1, o.ts.t, o.ts.i);
        break;
    case FT_OPTIME: {
        bson_t sub;

        memcpy(&o, at, sizeof(o));
        bson_append_document_begin(out, f->name, -1, &sub);
        bson_append_timestamp(&sub, "ts", -1, o.ts.t, o.ts.i);
        bson_append_int64(&sub, "t", -1, o.term);
        bson_append_document_end(out, &sub);
        break;
    }
    case FT_SUB: {
        bson_t sub;

        bson_append_document_begin(out, f->name, -1, &sub);
        ipc_encode(f->of, at, &sub);
        bson_append_document_end(out, &sub);
        break;
    }
    case FT_ROWS:
    case FT_LINES:
    case FT_CELLS:
    case FT_FIXED:
    case FT_TRIM:
        encode_array(f, from, out);
        break;
    }
}

void ipc_encode(const struct desc *d, const void *from, bson_t *out)
{
    for (size_t i = 0; i < d->n; i++) {
        encode_field(&d->fields[i], from, out);
    }
}

/* --- and back --- */

static void decode_text(const bson_iter_t *it, char *to, size_t size)
{
    uint32_t n;
    const char *s = bson_iter_utf8(it, &n);

    mst_text_clean(to, size, s, n);
}

static void decode_ts(const bson_iter_t *it, struct mst_ts *ts)
{
    if (BSON_ITER_HOLDS_TIMESTAMP(it)) {
        bson_iter_timestamp(it, &ts->t, &ts->i);
    }
}

/* An enum is a number with a ceiling. */
static int64_t in_range(const struct field *f, int64_t v)
{
    const int64_t max = (int64_t)f->max;

    return max > 0 && (v < 0 || v > max) ? max : v;
}

static void store_int(const struct field *f, char *at, int64_t v)
{
    const bool b = v != 0;
    const int32_t i32 = (int32_t)v;

    switch (f->size) {
    case sizeof(b):
        memcpy(at, &b, sizeof(b));
        break;
    case sizeof(v):
        memcpy(at, &v, sizeof(v));
        break;
    default:
        memcpy(at, &i32, sizeof(i32));
        break;
    }
}

static enum mst_rc decode_sub(const struct field *f, const bson_iter_t *it, char *at,
                              struct mst_err *err)
{
    const uint8_t *p;
    uint32_t len;
    bson_t sub;

    if (!BSON_ITER_HOLDS_DOCUMENT(it)) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s holds what is no document", f->name);
    }
    bson_iter_document(it, &len, &p);
    return bson_init_static(&sub, p, len)
               ? ipc_decode(f->of, &sub, at, err)
               : mst_err_set(err, MST_E_INTEGRITY, "%s is damaged", f->name);
}

static enum mst_rc decode_array(const struct field *f, const bson_iter_t *it, char *to,
                                struct mst_err *err)
{
    bson_iter_t child, count;
    size_t n = 0, i = 0;
    char *base = to + f->offset;

    if (!BSON_ITER_HOLDS_ARRAY(it) || !bson_iter_recurse(it, &count) ||
        !bson_iter_recurse(it, &child)) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s is no array", f->name);
    }
    while (bson_iter_next(&count)) {
        n++;
    }
    if (n > f->max) {
        return mst_err_set(err, MST_E_LIMIT, "%s has %zu elements", f->name, n);
    }
    if (f->type == FT_ROWS || f->type == FT_LINES) {
        base = mst_xcalloc(n + 1, f->size);
        memcpy(to + f->offset, &base, sizeof(base));
    }
    if (f->type != FT_TRIM) {
        memcpy(to + f->n_offset, &n, sizeof(n));
    }
    for (; bson_iter_next(&child); i++) {
        char *at = base + i * f->size;

        if (f->type == FT_LINES || f->type == FT_CELLS) {
            if (BSON_ITER_HOLDS_UTF8(&child)) {
                decode_text(&child, at, f->size);
            }
            continue;
        }
        if (decode_sub(f, &child, at, err) != MST_OK) {
            return err->rc;
        }
    }
    return MST_OK;
}

static enum mst_rc decode_field(const struct field *f, const bson_iter_t *it, char *to,
                                struct mst_err *err)
{
    char *at = to + f->offset;
    struct mst_optime o = {{0, 0}, 0};
    bson_iter_t sub;
    double d;

    switch (f->type) {
    case FT_TEXT:
        if (BSON_ITER_HOLDS_UTF8(it)) {
            decode_text(it, at, f->size);
        }
        break;
    case FT_BOOL:
    case FT_I32:
    case FT_U32:
    case FT_I64:
    case FT_U64:
        store_int(f, at, in_range(f, bson_iter_as_int64(it)));
        break;
    case FT_DOUBLE:
        d = bson_iter_as_double(it);
        memcpy(at, &d, sizeof(d));
        break;
    case FT_TS:
        decode_ts(it, &o.ts);
        memcpy(at, &o.ts, sizeof(o.ts));
        break;
    case FT_OPTIME:
        if (BSON_ITER_HOLDS_DOCUMENT(it) && bson_iter_recurse(it, &sub)) {
            while (bson_iter_next(&sub)) {
                if (strcmp(bson_iter_key(&sub), "ts") == 0) {
                    decode_ts(&sub, &o.ts);
                } else {
                    o.term = bson_iter_as_int64(&sub);
                }
            }
        }
        memcpy(at, &o, sizeof(o));
        break;
    case FT_SUB:
        return decode_sub(f, it, at, err);
    case FT_ROWS:
    case FT_LINES:
    case FT_CELLS:
    case FT_FIXED:
    case FT_TRIM:
        return decode_array(f, it, to, err);
    }
    return MST_OK;
}

enum mst_rc ipc_decode(const struct desc *d, const bson_t *from, void *to, struct mst_err *err)
{
    bson_iter_t it;
    size_t next = 0;

    if (!bson_iter_init(&it, from)) {
        return mst_err_set(err, MST_E_INTEGRITY, "not a document");
    }
    /* Both ends write fields in the order of the table: the search begins where the last ended. */
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);

        for (size_t i = 0; i < d->n; i++) {
            const struct field *f = &d->fields[(next + i) % d->n];
            void *old = NULL;

            if (strcmp(f->name, key) != 0) {
                continue;
            }
            next = (next + i + 1) % d->n;
            if (f->type == FT_ROWS || f->type == FT_LINES) {
                memcpy(&old, (char *)to + f->offset, sizeof(old));
            }
            if (old) {
                return mst_err_set(err, MST_E_INTEGRITY, "%s stands there twice", key);
            }
            if (decode_field(f, &it, to, err) != MST_OK) {
                return err->rc;
            }
            break;
        }
    }
    return MST_OK;
}
