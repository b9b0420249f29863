/* Building documents as raw bytes. */
#include <stdio.h>
#include <string.h>

#include "value/value.h"

size_t sbx_out_begin(struct sbx_out *o)
{
    const size_t mark = o->b.len;

    mst_buf_add(&o->b, "\0\0\0\0", 4);
    return mark;
}

void sbx_out_key(struct sbx_out *o, uint8_t type, const char *key, size_t klen)
{
    uint8_t *p = mst_buf_room(&o->b, klen + 2);

    p[0] = type;
    if (klen) {
        memcpy(p + 1, key, klen);
    }
    p[klen + 1] = 0;
    o->b.len += klen + 2;
}

size_t sbx_out_sub(struct sbx_out *o, const char *key, uint8_t type)
{
    sbx_out_key(o, type, key, strlen(key));
    return sbx_out_begin(o);
}

void sbx_out_end(struct sbx_out *o, size_t mark)
{
    mst_buf_add(&o->b, "", 1);
    mst_put_le32(o->b.p + mark, (uint32_t)(o->b.len - mark));
}

void sbx_out_valn(struct sbx_out *o, const char *key, size_t klen, struct sbx_val v)
{
    sbx_out_key(o, v.type, key, klen);
    if (v.n) {
        mst_buf_add(&o->b, v.p, v.n);
    }
}

void sbx_out_val(struct sbx_out *o, const char *key, struct sbx_val v)
{
    sbx_out_valn(o, key, strlen(key), v);
}

static void add32(struct sbx_out *o, uint32_t v)
{
    uint8_t b[4];

    mst_put_le32(b, v);
    mst_buf_add(&o->b, b, sizeof b);
}

static void add64(struct sbx_out *o, uint64_t v)
{
    uint8_t b[8];

    mst_put_le64(b, v);
    mst_buf_add(&o->b, b, sizeof b);
}

void sbx_out_i32(struct sbx_out *o, const char *key, int32_t v)
{
    sbx_out_key(o, SBX_INT32, key, strlen(key));
    add32(o, (uint32_t)v);
}

void sbx_out_i64(struct sbx_out *o, const char *key, int64_t v)
{
    sbx_out_key(o, SBX_INT64, key, strlen(key));
    add64(o, (uint64_t)v);
}

void sbx_out_dbl(struct sbx_out *o, const char *key, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    sbx_out_key(o, SBX_DOUBLE, key, strlen(key));
    add64(o, bits);
}

void sbx_out_bool(struct sbx_out *o, const char *key, bool v)
{
    const uint8_t b = v;

    sbx_out_key(o, SBX_BOOL, key, strlen(key));
    mst_buf_add(&o->b, &b, 1);
}

void sbx_out_str(struct sbx_out *o, const char *key, const char *v)
{
    const size_t n = strlen(v) + 1;

    sbx_out_key(o, SBX_STRING, key, strlen(key));
    add32(o, (uint32_t)n);
    mst_buf_add(&o->b, v, n);
}

void sbx_out_ts(struct sbx_out *o, const char *key, struct mst_ts ts)
{
    sbx_out_key(o, SBX_TIMESTAMP, key, strlen(key));
    add32(o, ts.i);
    add32(o, ts.t);
}

void sbx_out_date(struct sbx_out *o, const char *key, int64_t ms)
{
    sbx_out_key(o, SBX_DATE, key, strlen(key));
    add64(o, (uint64_t)ms);
}

void sbx_out_oid(struct sbx_out *o, const char *key, const uint8_t oid[12])
{
    sbx_out_key(o, SBX_OID, key, strlen(key));
    mst_buf_add(&o->b, oid, 12);
}

void sbx_out_uuid(struct sbx_out *o, const char *key, const uint8_t uuid[16])
{
    sbx_out_key(o, SBX_BINARY, key, strlen(key));
    add32(o, 16);
    mst_buf_add(&o->b, "\x04", 1);
    mst_buf_add(&o->b, uuid, 16);
}

void sbx_out_doc(struct sbx_out *o, const char *key, struct sbx_doc d)
{
    sbx_out_val(o, key, sbx_doc_val(d));
}

void sbx_out_index(struct sbx_out *o, unsigned i, struct sbx_val v)
{
    char key[12];

    snprintf(key, sizeof key, "%u", i);
    sbx_out_val(o, key, v);
}

struct sbx_doc sbx_out_done(const struct sbx_out *o)
{
    return sbx_doc(o->b.p, (uint32_t)o->b.len);
}

void sbx_out_reset(struct sbx_out *o)
{
    mst_buf_reset(&o->b);
}

void sbx_out_release(struct sbx_out *o)
{
    mst_buf_release(&o->b);
}
