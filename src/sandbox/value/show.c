/* Values as the server prints them in its messages. */
#include <bson/bson.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "value/value.h"

static void show_hex(struct mst_str *s, const uint8_t *p, size_t n, bool upper)
{
    for (size_t i = 0; i < n; i++) {
        mst_str_addf(s, upper ? "%02X" : "%02x", p[i]);
    }
}

static void show_string(struct mst_str *s, const char *p, size_t n)
{
    mst_str_addc(s, '"');
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)p[i];

        if (c == '"' || c == '\\') {
            mst_str_addf(s, "\\%c", c);
        } else if (c == '\n') {
            mst_str_add(s, "\\n");
        } else if (c < 0x20) {
            mst_str_addf(s, "\\u%04x", c);
        } else {
            mst_str_addc(s, (char)c);
        }
    }
    mst_str_addc(s, '"');
}

static void show_double(struct mst_str *s, double d)
{
    char text[40];

    if (isnan(d)) {
        mst_str_add(s, "nan.0");
        return;
    }
    snprintf(text, sizeof text, "%.16g", d);
    mst_str_add(s, text);
    if (!strpbrk(text, ".eEn")) {
        mst_str_add(s, ".0");
    }
}

static void show_binary(struct mst_str *s, struct sbx_val v)
{
    uint32_t n;
    uint8_t sub;
    const uint8_t *p = sbx_val_bin(v, &n, &sub);

    if (sub == 4 && n == 16) {
        static const uint8_t dash[] = {4, 6, 8, 10, 16};
        size_t at = 0;

        mst_str_add(s, "UUID(\"");
        for (size_t i = 0; i < sizeof dash; i++) {
            show_hex(s, p + at, dash[i] - at, false);
            mst_str_add(s, i < 4 ? "-" : "\")");
            at = dash[i];
        }
        return;
    }
    mst_str_addf(s, "BinData(%u, ", (unsigned)sub);
    show_hex(s, p, n, true);
    mst_str_addc(s, ')');
}

static void show_array(struct sbx_val v, struct mst_str *s)
{
    struct sbx_it it;
    const char *sep = " ";

    mst_str_addc(s, '[');
    sbx_it_init(&it, sbx_val_doc(v));
    while (sbx_it_next(&it)) {
        mst_str_add(s, sep);
        sbx_val_text(it.v, s);
        sep = ", ";
    }
    mst_str_add(s, *sep == ' ' ? "]" : " ]");
}

static void show_rare(struct sbx_val v, struct mst_str *s)
{
    size_t n;
    const char *t = sbx_val_str(v, &n);

    switch (v.type) {
    case SBX_SYMBOL:
        show_string(s, t, n);
        break;
    case SBX_CODE:
        mst_str_addn(s, t, n);
        break;
    case SBX_CODEWSCOPE:
        mst_str_addf(s, "CodeWScope( %s)", (const char *)(v.p + 8));
        break;
    case SBX_DBPOINTER:
        mst_str_addf(s, "DBRef('%s',", (const char *)(v.p + 4));
        show_hex(s, v.p + v.n - 12, 12, false);
        mst_str_addc(s, ')');
        break;
    case SBX_REGEX:
        mst_str_addf(s, "/%s/%s", (const char *)v.p,
                     (const char *)v.p + strlen((const char *)v.p) + 1);
        break;
    case SBX_MINKEY:
        mst_str_add(s, "MinKey");
        break;
    case SBX_MAXKEY:
        mst_str_add(s, "MaxKey");
        break;
    case SBX_UNDEFINED:
        mst_str_add(s, "undefined");
        break;
    default:
        mst_str_add(s, "null");
        break;
    }
}

static void show_decimal(struct sbx_val v, struct mst_str *s)
{
    const bson_decimal128_t d = {.low = mst_le64(v.p), .high = mst_le64(v.p + 8)};
    char text[BSON_DECIMAL128_STRING];

    bson_decimal128_to_string(&d, text);
    mst_str_addf(s, "%s", text);
}

void sbx_val_text(struct sbx_val v, struct mst_str *s)
{
    size_t n;

    switch (v.type) {
    case SBX_INT32:
    case SBX_INT64:
        mst_str_addf(s, "%" PRId64, sbx_val_i64(v));
        break;
    case SBX_DOUBLE:
        show_double(s, sbx_val_dblraw(v));
        break;
    case SBX_DECIMAL:
        show_decimal(v, s);
        break;
    case SBX_BOOL:
        mst_str_add(s, v.p[0] ? "true" : "false");
        break;
    case SBX_STRING: {
        const char *t = sbx_val_str(v, &n);

        show_string(s, t, n);
        break;
    }
    case SBX_OBJECT:
        sbx_doc_text(sbx_val_doc(v), s);
        break;
    case SBX_ARRAY:
        show_array(v, s);
        break;
    case SBX_BINARY:
        show_binary(s, v);
        break;
    case SBX_OID:
        mst_str_add(s, "ObjectId('");
        show_hex(s, v.p, 12, false);
        mst_str_add(s, "')");
        break;
    case SBX_DATE:
        mst_str_addf(s, "new Date(%" PRId64 ")", sbx_val_i64raw(v));
        break;
    case SBX_TIMESTAMP:
        mst_str_addf(s, "Timestamp(%u, %u)", sbx_val_ts(v).t, sbx_val_ts(v).i);
        break;
    default:
        show_rare(v, s);
        break;
    }
}

void sbx_doc_text(struct sbx_doc d, struct mst_str *s)
{
    struct sbx_it it;
    const char *sep = " ";

    mst_str_addc(s, '{');
    sbx_it_init(&it, d);
    while (sbx_it_next(&it)) {
        mst_str_addf(s, "%s%s: ", sep, it.key);
        sbx_val_text(it.v, s);
        sep = ", ";
    }
    mst_str_add(s, *sep == ' ' ? "}" : " }");
}
