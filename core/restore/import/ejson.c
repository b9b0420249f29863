/* ejson.c: a recursive reader; an object is built first and looked at for a wrapper afterwards. */
#include "restore/import/ejson.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

struct in {
    const char *s;
    size_t n, at;
    struct mst_err *err;
};

static bool bad(struct in *in, const char *what)
{
    mst_err_set(in->err, MST_E_INTEGRITY, "extended JSON: %s at byte %zu", what, in->at);
    return false;
}

static void blanks(struct in *in)
{
    while (in->at < in->n && strchr(" \t\r\n", in->s[in->at]) && in->s[in->at]) {
        in->at++;
    }
}

static bool take(struct in *in, char c)
{
    blanks(in);
    if (in->at < in->n && in->s[in->at] == c) {
        in->at++;
        return true;
    }
    return false;
}

static bool hex4(struct in *in, uint32_t *cp)
{
    int i;

    *cp = 0;
    if (in->n - in->at < 4) {
        return bad(in, "cut escape");
    }
    for (i = 0; i < 4; i++) {
        const char c = in->s[in->at++];
        const char *digits = "0123456789abcdef0123456789ABCDEF", *p = c ? strchr(digits, c) : NULL;

        if (!p) {
            return bad(in, "bad escape");
        }
        *cp = *cp * 16 + (uint32_t)((p - digits) % 16);
    }
    return true;
}

static bool escape(struct in *in, struct mst_buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char c = in->at < in->n ? in->s[in->at++] : 0;
    const char *p = c ? strchr(from, c) : NULL;
    uint32_t cp, low;
    char utf8[4];

    if (p) {
        mst_buf_add(out, &to[p - from], 1);
        return true;
    }
    if (c != 'u' || !hex4(in, &cp)) {
        return c == 'u' ? false : bad(in, "bad escape");
    }
    if (cp >= 0xd800 && cp < 0xdc00 && in->n - in->at >= 6 && in->s[in->at] == '\\' &&
        in->s[in->at + 1] == 'u') {
        in->at += 2;
        if (!hex4(in, &low)) {
            return false;
        }
        if (low < 0xdc00 || low > 0xdfff) {
            return bad(in, "half a surrogate pair");
        }
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    }
    if (cp >= 0xd800 && cp < 0xe000) {
        return bad(in, "half a surrogate pair");
    }
    mst_buf_add(out, utf8, mst_text_encode(cp, utf8));
    return true;
}

/* After the opening quote; out gets the text without a NUL. */
static bool string(struct in *in, struct mst_buf *out)
{
    mst_buf_reset(out);
    while (in->at < in->n) {
        const char c = in->s[in->at++];

        if (c == '"') {
            return true;
        }
        if (c == '\\') {
            if (!escape(in, out)) {
                return false;
            }
        } else if ((unsigned char)c < 0x20) {
            return bad(in, "a control byte in a string");
        } else if ((unsigned char)c >= 0x80) {
            uint32_t cp;
            const size_t n = mst_text_decode(in->s + in->at - 1, in->n - in->at + 1, &cp);

            if (n == 0) {
                return bad(in, "bytes that are not UTF-8");
            }
            mst_buf_add(out, in->s + in->at - 1, n);
            in->at += n - 1;
        } else {
            mst_buf_add(out, &c, 1);
        }
    }
    return bad(in, "a string without its end");
}

static bool value(struct in *in, bson_t *to, const char *key, int klen, int depth);

static bool number(struct in *in, bson_t *to, const char *key, int klen)
{
    char text[64], *end = NULL;
    size_t k = 0;
    bool real = false;

    while (in->at < in->n && in->s[in->at] && strchr("+-0123456789.eE", in->s[in->at])) {
        if (k + 1 >= sizeof text) {
            return bad(in, "a number too long");
        }
        real = real || strchr(".eE", in->s[in->at]);
        text[k++] = in->s[in->at++];
    }
    text[k] = 0;
    errno = 0;
    if (!real && k) {
        const long long v = strtoll(text, &end, 10);

        if (!*end && errno == 0) {
            return v >= INT32_MIN && v <= INT32_MAX ? bson_append_int32(to, key, klen, (int32_t)v)
                                                    : bson_append_int64(to, key, klen, v);
        }
    } else if (k) {
        const double v = strtod(text, &end);

        if (!*end) {
            return bson_append_double(to, key, klen, v);
        }
    }
    return bad(in, "not a value");
}

static bool word(struct in *in, const char *w)
{
    const size_t n = strlen(w);

    if (in->n - in->at < n || strncmp(in->s + in->at, w, n) != 0) {
        return false;
    }
    in->at += n;
    return true;
}

/* The members of an object or array up to its end. */
static bool members(struct in *in, bson_t *to, bool array, int depth)
{
    struct mst_buf key = {0};
    uint32_t i = 0;
    bool ok = true;

    if (depth > MST_EJSON_DEPTH) {
        return bad(in, "nested too deep");
    }
    if (take(in, array ? ']' : '}')) {
        return true;
    }
    do {
        char name[16];

        if (array) {
            const int n = snprintf(name, sizeof name, "%u", i++);

            ok = value(in, to, name, n, depth);
            continue;
        }
        if (!take(in, '"')) {
            ok = bad(in, "a key is missing");
            break;
        }
        ok = string(in, &key);
        if (ok && key.len && memchr(key.p, 0, key.len)) {
            ok = bad(in, "a NUL in a key");
        }
        if (ok && !take(in, ':')) {
            ok = bad(in, "a colon is missing");
        }
        ok = ok && value(in, to, key.len ? (const char *)key.p : "", (int)key.len, depth);
    } while (ok && take(in, ','));
    mst_buf_release(&key);
    if (ok && !take(in, array ? ']' : '}')) {
        ok = bad(in, "a bracket is missing");
    }
    return ok;
}

/* The only member's text when the object is {name: "text"}, else NULL. */
static const char *only_text(const bson_t *b, const char *name)
{
    bson_iter_t it;

    if (bson_count_keys(b) != 1 || !bson_iter_init_find(&it, b, name) ||
        !BSON_ITER_HOLDS_UTF8(&it)) {
        return NULL;
    }
    return bson_iter_utf8(&it, NULL);
}

static bool whole_i64(const char *text, int64_t *out)
{
    char *end = NULL;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return *text && !*end && errno == 0;
}

/* 1 appended as a wrapper's value, 0 no wrapper, -1 a wrapper of bad content. */
static int scalar_wrapper(const bson_t *b, bson_t *to, const char *key, int klen)
{
    const char *t;
    int64_t v = 0;
    char *end = NULL;

    if ((t = only_text(b, "$numberInt"))) {
        return whole_i64(t, &v) && v >= INT32_MIN && v <= INT32_MAX &&
                       bson_append_int32(to, key, klen, (int32_t)v)
                   ? 1
                   : -1;
    }
    if ((t = only_text(b, "$numberLong"))) {
        return whole_i64(t, &v) && bson_append_int64(to, key, klen, v) ? 1 : -1;
    }
    if ((t = only_text(b, "$numberDouble"))) {
        const double d = strtod(t, &end); /* knows Infinity and NaN */

        return *t && !*end && bson_append_double(to, key, klen, d) ? 1 : -1;
    }
    if ((t = only_text(b, "$numberDecimal"))) {
        bson_decimal128_t d;

        return bson_decimal128_from_string(t, &d) && bson_append_decimal128(to, key, klen, &d) ? 1
                                                                                               : -1;
    }
    if ((t = only_text(b, "$oid"))) {
        bson_oid_t oid;

        if (!bson_oid_is_valid(t, strlen(t))) {
            return 0;
        }
        bson_oid_init_from_string(&oid, t);
        return bson_append_oid(to, key, klen, &oid) ? 1 : -1;
    }
    return 0;
}

/* Dates, timestamps, binary, regular expressions, keys: libbson knows their exact forms. */
static int other_wrapper(const bson_t *b, bson_t *to, const char *key, int klen)
{
    static const char *const names[] = {
        "$date",   "$timestamp", "$binary", "$regularExpression", "$minKey", "$maxKey",
        "$symbol", "$undefined", "$code",   "$dbPointer",
    };
    bson_iter_t first;
    bson_t wrap, *back;
    bson_error_t e;
    size_t i;
    int done = 0, form;

    if (!bson_iter_init(&first, b) || !bson_iter_next(&first)) {
        return 0;
    }
    for (i = 0; i < MST_COUNT(names) && strcmp(names[i], bson_iter_key(&first)) != 0; i++) {
    }
    if (i == MST_COUNT(names)) {
        return 0;
    }
    bson_init(&wrap);
    BSON_APPEND_DOCUMENT(&wrap, "x", b);
    /* Inside of a date a number has its wrapper, inside of a timestamp or a minKey it has none. */
    for (form = 0; form < 2 && !done; form++) {
        char *json = form ? bson_as_relaxed_extended_json(&wrap, NULL)
                          : bson_as_canonical_extended_json(&wrap, NULL);

        back = json ? bson_new_from_json((const uint8_t *)json, -1, &e) : NULL;
        if (back && bson_iter_init_find(&first, back, "x") && !BSON_ITER_HOLDS_DOCUMENT(&first)) {
            done = bson_append_iter(to, key, klen, &first) ? 1 : -1;
        }
        bson_destroy(back);
        bson_free(json);
    }
    bson_destroy(&wrap);
    return done;
}

static bool object(struct in *in, bson_t *to, const char *key, int klen, int depth)
{
    bson_t b;
    bool ok;
    int wrapped = 0;

    bson_init(&b);
    ok = members(in, &b, false, depth + 1);
    if (ok) {
        wrapped = scalar_wrapper(&b, to, key, klen);
        wrapped = wrapped ? wrapped : other_wrapper(&b, to, key, klen);
    }
    if (ok && wrapped < 0) {
        ok = bad(in, "a type wrapper of bad content");
    }
    if (ok && !wrapped) {
        ok = bson_append_document(to, key, klen, &b) || bad(in, "too large");
    }
    bson_destroy(&b);
    return ok;
}

static bool array(struct in *in, bson_t *to, const char *key, int klen, int depth)
{
    bson_t b;
    bool ok;

    bson_init(&b);
    ok = members(in, &b, true, depth + 1) &&
         (bson_append_array(to, key, klen, &b) || bad(in, "too large"));
    bson_destroy(&b);
    return ok;
}

static bool value(struct in *in, bson_t *to, const char *key, int klen, int depth)
{
    blanks(in);
    if (take(in, '{')) {
        return object(in, to, key, klen, depth);
    }
    if (take(in, '[')) {
        return array(in, to, key, klen, depth);
    }
    if (take(in, '"')) {
        struct mst_buf text = {0};
        const bool ok =
            string(in, &text) &&
            bson_append_utf8(to, key, klen, text.len ? (const char *)text.p : "", (int)text.len);

        mst_buf_release(&text);
        return ok;
    }
    if (word(in, "true")) {
        return bson_append_bool(to, key, klen, true);
    }
    if (word(in, "false")) {
        return bson_append_bool(to, key, klen, false);
    }
    if (word(in, "null")) {
        return bson_append_null(to, key, klen);
    }
    return number(in, to, key, klen);
}

enum mst_rc mst_ejson_parse(const char *text, size_t n, bson_t **out, struct mst_err *err)
{
    struct in in = {.s = text, .n = n, .err = err};
    bson_t *b = bson_new();
    bool ok = take(&in, '{') || bad(&in, "an object is missing");

    ok = ok && members(&in, b, false, 0);
    if (ok) {
        blanks(&in);
        ok = in.at == n || bad(&in, "something after the object");
    }
    if (!ok) {
        bson_destroy(b);
        if (in.err->rc == MST_OK) {
            (void)bad(&in, "a value that BSON does not take");
        }
        return err->rc;
    }
    *out = b;
    return MST_OK;
}
