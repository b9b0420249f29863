#include "value/value.h"

#include <string.h>

void sbx_it_init(struct sbx_it *it, struct sbx_doc d)
{
    memset(it, 0, sizeof *it);
    if (!d.p || d.n < 5 || mst_le32(d.p) != d.n || d.p[d.n - 1] != 0) {
        it->bad = true;
        return;
    }
    it->p = d.p + 4;
    it->end = d.p + d.n - 1;
}

/* Bytes of a length-prefixed string with its 4-byte prefix; 0 when it does not fit or end. */
static size_t string_size(const uint8_t *p, size_t left)
{
    size_t n;

    if (left < 5) {
        return 0;
    }
    n = mst_le32(p);
    if (n < 1 || n > left - 4 || p[4 + n - 1] != 0) {
        return 0;
    }
    return n + 4;
}

static size_t doc_size(const uint8_t *p, size_t left)
{
    size_t n;

    if (left < 5) {
        return 0;
    }
    n = mst_le32(p);
    return n >= 5 && n <= left && p[n - 1] == 0 ? n : 0;
}

static size_t fixed_size(size_t n, size_t left, bool *ok)
{
    *ok = n <= left;
    return n;
}

static size_t regex_size(const uint8_t *p, size_t left)
{
    const uint8_t *a = memchr(p, 0, left);
    const uint8_t *b;

    if (!a) {
        return 0;
    }
    b = memchr(a + 1, 0, left - (size_t)(a + 1 - p));
    return b ? (size_t)(b + 1 - p) : 0;
}

static size_t scope_size(const uint8_t *p, size_t left)
{
    size_t n, s, d;

    if (left < 14) {
        return 0;
    }
    n = mst_le32(p);
    if (n < 14 || n > left) {
        return 0;
    }
    s = string_size(p + 4, n - 4);
    d = s ? doc_size(p + 4 + s, n - 4 - s) : 0;
    return d && 4 + s + d == n ? n : 0;
}

static size_t binary_size(const uint8_t *p, size_t left)
{
    size_t n;

    if (left < 5) {
        return 0;
    }
    n = mst_le32(p);
    return n <= left - 5 ? n + 5 : 0;
}

static size_t pointer_size(const uint8_t *p, size_t left)
{
    const size_t s = string_size(p, left);

    return s && left - s >= 12 ? s + 12 : 0;
}

static size_t value_size(uint8_t type, const uint8_t *p, size_t left, bool *ok)
{
    size_t n = 0;

    switch (type) {
    case SBX_UNDEFINED:
    case SBX_NULL:
    case SBX_MAXKEY:
    case SBX_MINKEY:
        *ok = true;
        return 0;
    case SBX_BOOL:
        return fixed_size(1, left, ok);
    case SBX_INT32:
        return fixed_size(4, left, ok);
    case SBX_DOUBLE:
    case SBX_DATE:
    case SBX_TIMESTAMP:
    case SBX_INT64:
        return fixed_size(8, left, ok);
    case SBX_OID:
        return fixed_size(12, left, ok);
    case SBX_DECIMAL:
        return fixed_size(16, left, ok);
    case SBX_STRING:
    case SBX_CODE:
    case SBX_SYMBOL:
        n = string_size(p, left);
        break;
    case SBX_OBJECT:
    case SBX_ARRAY:
        n = doc_size(p, left);
        break;
    case SBX_BINARY:
        n = binary_size(p, left);
        break;
    case SBX_REGEX:
        n = regex_size(p, left);
        break;
    case SBX_DBPOINTER:
        n = pointer_size(p, left);
        break;
    case SBX_CODEWSCOPE:
        n = scope_size(p, left);
        break;
    default:
        break;
    }
    *ok = n > 0;
    return n;
}

bool sbx_it_next(struct sbx_it *it)
{
    const uint8_t *nul;
    bool ok;

    if (it->bad || it->p >= it->end) {
        return false;
    }
    it->v.type = *it->p;
    it->key = (const char *)(it->p + 1);
    nul = memchr(it->p + 1, 0, (size_t)(it->end - it->p - 1));
    if (!nul) {
        it->bad = true;
        return false;
    }
    it->klen = (size_t)(nul - it->p - 1);
    it->v.p = nul + 1;
    it->v.n = (uint32_t)value_size(it->v.type, nul + 1, (size_t)(it->end - nul - 1), &ok);
    if (!ok) {
        it->bad = true;
        return false;
    }
    it->p = it->v.p + it->v.n;
    return true;
}

struct sbx_val sbx_doc_getn(struct sbx_doc d, const char *key, size_t klen)
{
    struct sbx_it it;

    sbx_it_init(&it, d);
    while (sbx_it_next(&it)) {
        if (it.klen == klen && memcmp(it.key, key, klen) == 0) {
            return it.v;
        }
    }
    return (struct sbx_val){0};
}

struct sbx_val sbx_doc_get(struct sbx_doc d, const char *key)
{
    return sbx_doc_getn(d, key, strlen(key));
}

bool sbx_doc_first(struct sbx_doc d, struct sbx_it *it)
{
    sbx_it_init(it, d);
    return sbx_it_next(it);
}

bool sbx_doc_empty(struct sbx_doc d)
{
    return d.n <= 5;
}

unsigned sbx_doc_count(struct sbx_doc d)
{
    struct sbx_it it;
    unsigned n = 0;

    sbx_it_init(&it, d);
    while (sbx_it_next(&it)) {
        n++;
    }
    return n;
}

static bool valid_at(struct sbx_doc d, unsigned level, unsigned *deepest)
{
    struct sbx_it it;

    if (level > SBX_DEPTH_MAX) {
        return false;
    }
    *deepest = level > *deepest ? level : *deepest;
    sbx_it_init(&it, d);
    while (sbx_it_next(&it)) {
        if (sbx_val_is_doc(it.v) && !valid_at(sbx_val_doc(it.v), level + 1, deepest)) {
            return false;
        }
        if (it.v.type == SBX_CODEWSCOPE) {
            const size_t s = 4 + 4 + mst_le32(it.v.p + 4);

            if (!valid_at(sbx_doc(it.v.p + s, (uint32_t)(it.v.n - s)), level + 1, deepest)) {
                return false;
            }
        }
    }
    return !it.bad;
}

bool sbx_doc_valid(struct sbx_doc d, unsigned *depth)
{
    unsigned deepest = 0;
    const bool ok = valid_at(d, 1, &deepest);

    if (depth) {
        *depth = deepest;
    }
    return ok;
}

bool sbx_val_is_num(struct sbx_val v)
{
    return v.type == SBX_INT32 || v.type == SBX_INT64 || v.type == SBX_DOUBLE ||
           v.type == SBX_DECIMAL;
}

int32_t sbx_val_i32raw(struct sbx_val v)
{
    return (int32_t)mst_le32(v.p);
}

int64_t sbx_val_i64raw(struct sbx_val v)
{
    return (int64_t)mst_le64(v.p);
}

double sbx_val_dblraw(struct sbx_val v)
{
    const uint64_t bits = mst_le64(v.p);
    double d;

    memcpy(&d, &bits, sizeof d);
    return d;
}

static int64_t clamp(double d)
{
    if (!(d == d)) {
        return 0;
    }
    if (d >= 9223372036854775807.0) {
        return INT64_MAX;
    }
    return d <= -9223372036854775808.0 ? INT64_MIN : (int64_t)d;
}

int64_t sbx_val_i64(struct sbx_val v)
{
    switch (v.type) {
    case SBX_BOOL:
        return v.p[0] ? 1 : 0;
    case SBX_INT32:
        return sbx_val_i32raw(v);
    case SBX_INT64:
    case SBX_DATE:
        return sbx_val_i64raw(v);
    case SBX_DOUBLE:
        return clamp(sbx_val_dblraw(v));
    case SBX_DECIMAL:
        return clamp(sbx_decimal_dbl(v.p));
    default:
        return 0;
    }
}

double sbx_val_dbl(struct sbx_val v)
{
    if (v.type == SBX_DOUBLE) {
        return sbx_val_dblraw(v);
    }
    return v.type == SBX_DECIMAL ? sbx_decimal_dbl(v.p) : (double)sbx_val_i64(v);
}

bool sbx_val_true(struct sbx_val v)
{
    if (v.type == SBX_BOOL) {
        return v.p[0] != 0;
    }
    if (sbx_val_is_num(v)) {
        const double d = sbx_val_dbl(v);

        return d < 0 || d > 0 || !(d == d);
    }
    return v.type != SBX_EOO && v.type != SBX_NULL && v.type != SBX_UNDEFINED;
}

struct mst_ts sbx_val_ts(struct sbx_val v)
{
    if (v.type != SBX_TIMESTAMP) {
        return (struct mst_ts){0, 0};
    }
    return (struct mst_ts){mst_le32(v.p + 4), mst_le32(v.p)};
}

const char *sbx_val_str(struct sbx_val v, size_t *len)
{
    if (v.type != SBX_STRING && v.type != SBX_SYMBOL && v.type != SBX_CODE) {
        return NULL;
    }
    if (len) {
        *len = v.n - 5;
    }
    return (const char *)(v.p + 4);
}

bool sbx_val_streq(struct sbx_val v, const char *s)
{
    size_t n;
    const char *t = sbx_val_str(v, &n);

    return t && n == strlen(s) && memcmp(s, t, n) == 0;
}

const uint8_t *sbx_val_bin(struct sbx_val v, uint32_t *n, uint8_t *subtype)
{
    if (v.type != SBX_BINARY) {
        return NULL;
    }
    *n = mst_le32(v.p);
    *subtype = v.p[4];
    return v.p + 5;
}

const uint8_t *sbx_val_uuid(struct sbx_val v)
{
    uint32_t n;
    uint8_t sub;
    const uint8_t *p = sbx_val_bin(v, &n, &sub);

    return p && n == 16 && sub == 4 ? p : NULL;
}

bool sbx_val_same(struct sbx_val a, struct sbx_val b)
{
    return a.type == b.type && a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
