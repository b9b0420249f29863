/* ejson_put.c: a walk over a document, a wrapper for each type that JSON does not have. */
#include "restore/export/ejson_put.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "restore/import/ejson.h"

#define NUMBER_MAX 40

static bool put_document(const bson_t *b, bool array, int depth, struct mst_str *out);

void mst_ejson_put_text(const char *text, size_t n, struct mst_str *out)
{
    size_t i = 0;

    mst_str_addc(out, '"');
    while (i < n) {
        uint32_t cp = 0;
        const size_t len = mst_text_decode(text + i, n - i, &cp);
        static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
        const char *at = len == 1 && text[i] ? strchr(from, text[i]) : NULL;

        if (at) {
            mst_str_addc(out, '\\');
            mst_str_addc(out, to[at - from]);
        } else if (len == 0) {
            mst_str_add(out, "\xef\xbf\xbd");
        } else if (cp < 0x20 || cp == 0x2028 || cp == 0x2029) {
            mst_str_addf(out, "\\u%04x", cp);
        } else {
            mst_str_addn(out, text + i, len);
        }
        i += len ? len : 1;
    }
    mst_str_addc(out, '"');
}

static void put_wrapped(const char *wrapper, const char *value, struct mst_str *out)
{
    mst_str_addf(out, "{\"%s\":\"%s\"}", wrapper, value);
}

/* The shortest digits that give the same number; whole numbers keep one decimal. */
static void put_double(double d, struct mst_str *out)
{
    char text[NUMBER_MAX];
    int digits;

    if (isnan(d)) {
        put_wrapped("$numberDouble", "NaN", out);
        return;
    }
    if (isinf(d)) {
        put_wrapped("$numberDouble", d > 0 ? "Infinity" : "-Infinity", out);
        return;
    }
    if (fabs(d) < 1e15 && trunc(d) == d) {
        (void)snprintf(text, sizeof text, "%.1f", d);
        put_wrapped("$numberDouble", text, out);
        return;
    }
    for (digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d) {
            break;
        }
    }
    put_wrapped("$numberDouble", text, out);
}

static void put_binary(const bson_value_t *v, struct mst_str *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = v->value.v_binary.data;
    const size_t n = v->value.v_binary.data_len;
    size_t i;

    mst_str_add(out, "{\"$binary\":{\"base64\":\"");
    for (i = 0; i < n; i += 3) {
        const uint32_t bits = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                              (i + 2 < n ? (uint32_t)p[i + 2] : 0);

        mst_str_addc(out, digits[bits >> 18 & 63]);
        mst_str_addc(out, digits[bits >> 12 & 63]);
        mst_str_addc(out, i + 1 < n ? digits[bits >> 6 & 63] : '=');
        mst_str_addc(out, i + 2 < n ? digits[bits & 63] : '=');
    }
    mst_str_addf(out, "\",\"subType\":\"%02x\"}}", (unsigned)v->value.v_binary.subtype);
}

/* Options of an expression have to stand in the order of the alphabet. */
static void put_regex(const bson_value_t *v, struct mst_str *out)
{
    const char *options = v->value.v_regex.options ? v->value.v_regex.options : "";
    char sorted[16];
    size_t n = 0, i;
    int c;

    for (c = 'a'; c <= 'z'; c++) {
        for (i = 0; options[i]; i++) {
            if (options[i] == (char)c && n + 1 < sizeof sorted) {
                sorted[n++] = (char)c;
            }
        }
    }
    mst_str_add(out, "{\"$regularExpression\":{\"pattern\":");
    mst_ejson_put_text(v->value.v_regex.regex, strlen(v->value.v_regex.regex), out);
    mst_str_add(out, ",\"options\":");
    mst_ejson_put_text(sorted, n, out);
    mst_str_add(out, "}}");
}

static void put_oid(const bson_oid_t *oid, struct mst_str *out)
{
    char hex[25];

    bson_oid_to_string(oid, hex);
    put_wrapped("$oid", hex, out);
}

/* Documents, and what holds one. */
static bool put_nested(const bson_value_t *v, int depth, struct mst_str *out)
{
    bson_t b;
    bool ok = true;

    switch ((int)v->value_type) {
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        return bson_init_static(&b, v->value.v_doc.data, v->value.v_doc.data_len) &&
               put_document(&b, v->value_type == BSON_TYPE_ARRAY, depth + 1, out);
    case BSON_TYPE_CODEWSCOPE:
        mst_str_add(out, "{\"$code\":");
        mst_ejson_put_text(v->value.v_codewscope.code, v->value.v_codewscope.code_len, out);
        mst_str_add(out, ",\"$scope\":");
        ok = bson_init_static(&b, v->value.v_codewscope.scope_data,
                              v->value.v_codewscope.scope_len) &&
             put_document(&b, false, depth + 1, out);
        break;
    case BSON_TYPE_DBPOINTER:
        mst_str_add(out, "{\"$dbPointer\":{\"$ref\":");
        mst_ejson_put_text(v->value.v_dbpointer.collection, v->value.v_dbpointer.collection_len,
                           out);
        mst_str_add(out, ",\"$id\":");
        put_oid(&v->value.v_dbpointer.oid, out);
        mst_str_addc(out, '}');
        break;
    default:
        return false;
    }
    mst_str_addc(out, '}');
    return ok;
}

static void put_number(const bson_value_t *v, struct mst_str *out)
{
    char text[BSON_DECIMAL128_STRING];

    switch ((int)v->value_type) {
    case BSON_TYPE_INT32:
        mst_str_addf(out, "{\"$numberInt\":\"%d\"}", (int)v->value.v_int32);
        break;
    case BSON_TYPE_INT64:
        mst_str_addf(out, "{\"$numberLong\":\"%lld\"}", (long long)v->value.v_int64);
        break;
    case BSON_TYPE_DATE_TIME:
        mst_str_addf(out, "{\"$date\":{\"$numberLong\":\"%lld\"}}", (long long)v->value.v_datetime);
        break;
    case BSON_TYPE_TIMESTAMP:
        mst_str_addf(out, "{\"$timestamp\":{\"t\":%u,\"i\":%u}}", v->value.v_timestamp.timestamp,
                     v->value.v_timestamp.increment);
        break;
    case BSON_TYPE_DECIMAL128:
        bson_decimal128_to_string(&v->value.v_decimal128, text);
        put_wrapped("$numberDecimal", text, out);
        break;
    default:
        put_double(v->value.v_double, out);
        break;
    }
}

static bool put_value(const bson_value_t *v, int depth, struct mst_str *out)
{
    switch ((int)v->value_type) {
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DATE_TIME:
    case BSON_TYPE_TIMESTAMP:
    case BSON_TYPE_DECIMAL128:
        put_number(v, out);
        return true;
    case BSON_TYPE_UTF8:
        mst_ejson_put_text(v->value.v_utf8.str, v->value.v_utf8.len, out);
        return true;
    case BSON_TYPE_BOOL:
        mst_str_add(out, v->value.v_bool ? "true" : "false");
        return true;
    case BSON_TYPE_NULL:
        mst_str_add(out, "null");
        return true;
    case BSON_TYPE_BINARY:
        put_binary(v, out);
        return true;
    case BSON_TYPE_UNDEFINED:
        mst_str_add(out, "{\"$undefined\":true}");
        return true;
    case BSON_TYPE_OID:
        put_oid(&v->value.v_oid, out);
        return true;
    case BSON_TYPE_REGEX:
        put_regex(v, out);
        return true;
    case BSON_TYPE_CODE:
        mst_str_add(out, "{\"$code\":");
        mst_ejson_put_text(v->value.v_code.code, v->value.v_code.code_len, out);
        mst_str_addc(out, '}');
        return true;
    case BSON_TYPE_SYMBOL:
        mst_str_add(out, "{\"$symbol\":");
        mst_ejson_put_text(v->value.v_symbol.symbol, v->value.v_symbol.len, out);
        mst_str_addc(out, '}');
        return true;
    case BSON_TYPE_MINKEY:
        mst_str_add(out, "{\"$minKey\":1}");
        return true;
    case BSON_TYPE_MAXKEY:
        mst_str_add(out, "{\"$maxKey\":1}");
        return true;
    default:
        return put_nested(v, depth, out);
    }
}

static bool put_document(const bson_t *b, bool array, int depth, struct mst_str *out)
{
    bson_iter_t it;
    bool first = true, ok = depth < MST_EJSON_DEPTH && bson_iter_init(&it, b);

    mst_str_addc(out, array ? '[' : '{');
    while (ok && bson_iter_next(&it)) {
        if (!first) {
            mst_str_addc(out, ',');
        }
        first = false;
        if (!array) {
            mst_ejson_put_text(bson_iter_key(&it), strlen(bson_iter_key(&it)), out);
            mst_str_addc(out, ':');
        }
        ok = put_value(bson_iter_value(&it), depth, out);
    }
    mst_str_addc(out, array ? ']' : '}');
    return ok && it.err_off == 0;
}

bool mst_ejson_put(const bson_t *b, bool array, struct mst_str *out)
{
    return put_document(b, array, 0, out);
}
