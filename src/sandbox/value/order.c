/* The server's order of values. Numbers of different types are compared by value, exactly. */
#include <bson/bson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "value/value.h"

static const struct {
    uint8_t type;
    int order; /* types of one class compare with each other */
    const char *alias;
} types[] = {
    {SBX_MINKEY, -1, "minKey"},
    {SBX_EOO, 0, "missing"},
    {SBX_UNDEFINED, 0, "undefined"},
    {SBX_NULL, 5, "null"},
    {SBX_DOUBLE, 10, "double"},
    {SBX_INT32, 10, "int"},
    {SBX_INT64, 10, "long"},
    {SBX_DECIMAL, 10, "decimal"},
    {SBX_STRING, 15, "string"},
    {SBX_SYMBOL, 15, "symbol"},
    {SBX_OBJECT, 20, "object"},
    {SBX_ARRAY, 25, "array"},
    {SBX_BINARY, 30, "binData"},
    {SBX_OID, 35, "objectId"},
    {SBX_BOOL, 40, "bool"},
    {SBX_DATE, 45, "date"},
    {SBX_TIMESTAMP, 47, "timestamp"},
    {SBX_REGEX, 50, "regex"},
    {SBX_DBPOINTER, 55, "dbPointer"},
    {SBX_CODE, 60, "javascript"},
    {SBX_CODEWSCOPE, 65, "javascriptWithScope"},
    {SBX_MAXKEY, 127, "maxKey"},
};

int sbx_type_order(uint8_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].type == type) {
            return types[i].order;
        }
    }
    return 126;
}

const char *sbx_type_name(uint8_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].type == type) {
            return types[i].alias;
        }
    }
    return "unknown";
}

int sbx_type_alias(const char *name)
{
    if (strcmp(name, "number") == 0) {
        return -2;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].type != SBX_EOO && strcmp(types[i].alias, name) == 0) {
            return types[i].type;
        }
    }
    return -1;
}

/* A decimal as sign, up to 34 digits without zeros at either end, and the power of ten before the
 * first digit. special: 1 NaN, 2 infinity. */
struct dec {
    char digits[40];
    int exp;
    bool neg;
    int special;
};

static void dec_text(const uint8_t *p, char text[BSON_DECIMAL128_STRING])
{
    const bson_decimal128_t d = {.low = mst_le64(p), .high = mst_le64(p + 8)};

    bson_decimal128_to_string(&d, text);
}

static void dec_parse(const char *t, struct dec *d)
{
    int point = -1, n = 0, exp = 0;
    bool lead = true;

    memset(d, 0, sizeof *d);
    d->neg = *t == '-';
    t += d->neg || *t == '+';
    if (*t == 'N' || *t == 'I') {
        d->special = *t == 'N' ? 1 : 2;
        return;
    }
    for (; *t && *t != 'E' && *t != 'e'; t++) {
        if (*t == '.') {
            point = 0;
            continue;
        }
        if (lead && *t == '0') {
            exp -= point >= 0; /* a zero after the point in front of every digit */
            continue;
        }
        lead = false;
        exp += point < 0;
        if (n < 38) {
            d->digits[n++] = *t;
        }
    }
    if (*t) {
        exp += (int)strtol(t + 1, NULL, 10);
    }
    while (n > 0 && d->digits[n - 1] == '0') {
        d->digits[--n] = '\0';
    }
    d->exp = n ? exp : 0;
    d->neg = d->neg && n;
}

static int dec_cmp(const struct dec *a, const struct dec *b)
{
    int r;

    if (a->special == 1 || b->special == 1) {
        return (b->special == 1) - (a->special == 1);
    }
    if (a->special == 2 || b->special == 2) {
        const int x = a->special == 2 ? (a->neg ? -1 : 1) : 0;
        const int y = b->special == 2 ? (b->neg ? -1 : 1) : 0;

        return (x > y) - (x < y);
    }
    if (a->neg != b->neg) {
        return a->neg ? -1 : 1;
    }
    if (!a->digits[0] || !b->digits[0]) {
        r = (a->digits[0] != 0) - (b->digits[0] != 0);
    } else if (a->exp != b->exp) {
        r = a->exp < b->exp ? -1 : 1;
    } else {
        r = strcmp(a->digits, b->digits);
    }
    return a->neg ? -r : r;
}

double sbx_decimal_dbl(const uint8_t *p)
{
    char text[BSON_DECIMAL128_STRING];

    dec_text(p, text);
    return strtod(text, NULL);
}

static void to_dec(struct sbx_val v, struct dec *d)
{
    char text[BSON_DECIMAL128_STRING + 32];

    if (v.type == SBX_DECIMAL) {
        dec_text(v.p, text);
    } else if (v.type == SBX_DOUBLE) {
        /* The server rounds a double to 15 digits when it meets a decimal. */
        snprintf(text, sizeof text, "%.15g", sbx_val_dblraw(v));
        if (!isfinite(sbx_val_dblraw(v))) {
            snprintf(text, sizeof text, "%s",
                     isnan(sbx_val_dblraw(v)) ? "NaN"
                     : sbx_val_dblraw(v) < 0  ? "-Inf"
                                              : "Inf");
        }
    } else {
        snprintf(text, sizeof text, "%lld", (long long)sbx_val_i64(v));
    }
    dec_parse(text, d);
}

static int cmp_long_double(int64_t a, double b)
{
    double whole;

    if (isnan(b)) {
        return 1;
    }
    if (b >= 9223372036854775808.0) {
        return -1;
    }
    if (b < -9223372036854775808.0) {
        return 1;
    }
    whole = trunc(b);
    if (a != (int64_t)whole) {
        return a < (int64_t)whole ? -1 : 1;
    }
    return b > whole ? -1 : b < whole;
}

static int cmp_num(struct sbx_val a, struct sbx_val b)
{
    if (a.type == SBX_DECIMAL || b.type == SBX_DECIMAL) {
        struct dec x, y;

        to_dec(a, &x);
        to_dec(b, &y);
        return dec_cmp(&x, &y);
    }
    if (a.type == SBX_DOUBLE && b.type == SBX_DOUBLE) {
        const double x = sbx_val_dblraw(a), y = sbx_val_dblraw(b);

        if (isnan(x) || isnan(y)) {
            return isnan(y) - isnan(x);
        }
        return x < y ? -1 : x > y;
    }
    if (a.type == SBX_DOUBLE) {
        return -cmp_long_double(sbx_val_i64(b), sbx_val_dblraw(a));
    }
    if (b.type == SBX_DOUBLE) {
        return cmp_long_double(sbx_val_i64(a), sbx_val_dblraw(b));
    }
    {
        const int64_t x = sbx_val_i64(a), y = sbx_val_i64(b);

        return x < y ? -1 : x > y;
    }
}

static int cmp_bytes(const void *a, size_t na, const void *b, size_t nb)
{
    const size_t n = na < nb ? na : nb;
    const int r = n ? memcmp(a, b, n) : 0;

    return r ? r : na < nb ? -1 : na > nb;
}

static int cmp_binary(struct sbx_val a, struct sbx_val b)
{
    if (a.n != b.n) {
        return a.n < b.n ? -1 : 1;
    }
    if (a.p[4] != b.p[4]) {
        return a.p[4] < b.p[4] ? -1 : 1;
    }
    return memcmp(a.p + 5, b.p + 5, a.n - 5);
}

static int cmp_ts(struct sbx_val a, struct sbx_val b)
{
    const uint64_t x = mst_le64(a.p), y = mst_le64(b.p);

    return x < y ? -1 : x > y;
}

static int cmp_signed(struct sbx_val a, struct sbx_val b)
{
    const int64_t x = sbx_val_i64raw(a), y = sbx_val_i64raw(b);

    return x < y ? -1 : x > y;
}

static int cmp_pointer(struct sbx_val a, struct sbx_val b)
{
    if (a.n != b.n) {
        return a.n < b.n ? -1 : 1;
    }
    return memcmp(a.p, b.p, a.n);
}

static int cmp_same_class(struct sbx_val a, struct sbx_val b)
{
    switch (a.type) {
    case SBX_DOUBLE:
    case SBX_INT32:
    case SBX_INT64:
    case SBX_DECIMAL:
        return cmp_num(a, b);
    case SBX_STRING:
    case SBX_SYMBOL:
    case SBX_CODE:
        return cmp_bytes(a.p + 4, a.n - 5, b.p + 4, b.n - 5);
    case SBX_OBJECT:
    case SBX_ARRAY:
        return sbx_doc_cmp(sbx_val_doc(a), sbx_val_doc(b));
    case SBX_BINARY:
        return cmp_binary(a, b);
    case SBX_OID:
        return memcmp(a.p, b.p, 12);
    case SBX_BOOL:
        return (a.p[0] != 0) - (b.p[0] != 0);
    case SBX_DATE:
        return cmp_signed(a, b);
    case SBX_TIMESTAMP:
        return cmp_ts(a, b);
    case SBX_REGEX:
        return cmp_bytes(a.p, a.n, b.p, b.n);
    case SBX_DBPOINTER:
    case SBX_CODEWSCOPE:
        return cmp_pointer(a, b);
    default:
        return 0; /* null, undefined, MinKey, MaxKey */
    }
}

int sbx_val_cmp(struct sbx_val a, struct sbx_val b)
{
    const int x = sbx_type_order(a.type), y = sbx_type_order(b.type);

    if (x != y) {
        return x < y ? -1 : 1;
    }
    return cmp_same_class(a, b);
}

int sbx_doc_cmp(struct sbx_doc a, struct sbx_doc b)
{
    struct sbx_it x, y;

    sbx_it_init(&x, a);
    sbx_it_init(&y, b);
    for (;;) {
        const bool more = sbx_it_next(&x), other = sbx_it_next(&y);
        int r;

        if (!more || !other) {
            return (int)more - (int)other;
        }
        r = sbx_type_order(x.v.type) - sbx_type_order(y.v.type);
        if (r == 0) {
            r = cmp_bytes(x.key, x.klen, y.key, y.klen);
        }
        if (r == 0) {
            r = cmp_same_class(x.v, y.v);
        }
        if (r != 0) {
            return r;
        }
    }
}
