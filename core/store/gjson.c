#include "store/gjson.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static bool blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!strchr(" \t\r\n", p[i]) || !p[i]) {
            return false;
        }
    }
    return true;
}

/* Where the object ends that begins at p: braces are counted outside of texts. 0: it does not. */
static size_t object_end(const char *p, size_t n)
{
    unsigned depth = 0;
    bool text = false;

    for (size_t i = 0; i < n; i++) {
        if (text) {
            if (p[i] == '\\') {
                i++;
            } else if (p[i] == '"') {
                text = false;
            }
        } else if (p[i] == '"') {
            text = true;
        } else if (p[i] == '{' || p[i] == '[') {
            depth++;
        } else if ((p[i] == '}' || p[i] == ']') && --depth == 0) {
            return i + 1;
        }
        if (depth == 0 && i == 0) {
            return 0;
        }
    }
    return 0;
}

static bool html(const char *p, size_t n)
{
    char head[16];
    size_t at = 0;

    while (at < n && isspace((unsigned char)p[at])) {
        at++;
    }
    (void)snprintf(head, sizeof(head), "%.*s", n - at < 9 ? (int)(n - at) : 9, p + at);
    return strncasecmp(head, "<!doctype", 9) == 0 || strncasecmp(head, "<html", 5) == 0 ||
           strncasecmp(head, "<head", 5) == 0;
}

enum mst_rc mst_gjson_parse(const char *what, const void *p, size_t n, bson_t **out,
                            struct mst_err *err)
{
    const char *text = p;
    size_t from = mst_text_bom(p, n), len;
    bson_error_t why;

    *out = NULL;
    if (n == 0 || blank(text, n)) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s with an empty body where JSON is expected",
                           what);
    }
    if (n > MST_GJSON_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "%s with more than %zu bytes of JSON", what,
                           MST_GJSON_MAX);
    }
    if (html(text, n)) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s with a web page instead of JSON: a proxy or the login page of a "
                           "network stands in between",
                           what);
    }
    while (from < n && isspace((unsigned char)text[from])) {
        from++;
    }
    len = from < n ? object_end(text + from, n - from) : 0; /* blanks alone are nothing */
    if (len > 0 && text[from] == '{' && blank(text + from + len, n - from - len)) {
        *out = bson_new_from_json((const uint8_t *)text + from, (ssize_t)len, &why);
    }
    if (!*out) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s with something that is not a JSON object",
                           what);
    }
    return MST_OK;
}

static bool find(const bson_t *b, const char *dotted, bson_iter_t *at)
{
    bson_iter_t it;

    return bson_iter_init(&it, b) && bson_iter_find_descendant(&it, dotted, at);
}

const char *mst_gjson_text(const bson_t *b, const char *dotted)
{
    bson_iter_t at;
    uint32_t n = 0;
    const char *text;

    if (!find(b, dotted, &at) || !BSON_ITER_HOLDS_UTF8(&at)) {
        return "";
    }
    text = bson_iter_utf8(&at, &n);
    return strlen(text) == n ? text : "";
}

int64_t mst_gjson_number(const bson_t *b, const char *dotted)
{
    bson_iter_t at;
    const char *text;
    char *end;
    long long v;

    if (!find(b, dotted, &at)) {
        return -1;
    }
    if (BSON_ITER_HOLDS_INT(&at)) {
        v = bson_iter_as_int64(&at);
        return v < 0 ? -1 : v;
    }
    text = mst_gjson_text(b, dotted);
    if (!isdigit((unsigned char)*text)) {
        return -1;
    }
    errno = 0;
    v = strtoll(text, &end, 10);
    return errno || *end ? -1 : v;
}

bool mst_gjson_true(const bson_t *b, const char *dotted)
{
    bson_iter_t at;

    return find(b, dotted, &at) && BSON_ITER_HOLDS_BOOL(&at) && bson_iter_bool(&at);
}

bool mst_gjson_error(const void *p, size_t n, struct mst_gerror *out)
{
    struct mst_err ignored = {0};
    const char *reason, *message;
    bson_t *b;

    memset(out, 0, sizeof(*out));
    if (n > (size_t)64 * 1024 || mst_gjson_parse("", p, n, &b, &ignored) != MST_OK) {
        return false;
    }
    reason = mst_gjson_text(b, "error.errors.0.reason");
    message = mst_gjson_text(b, "error.message");
    if (!*reason) {
        reason = mst_gjson_text(b, "error.status");
    }
    if (!*reason && !*message) {
        reason = mst_gjson_text(b, "error");
        message = mst_gjson_text(b, "error_description");
    }
    mst_text_clean(out->reason, sizeof(out->reason), reason, strlen(reason));
    mst_text_clean(out->message, sizeof(out->message), message, strlen(message));
    bson_destroy(b);
    return out->reason[0] || out->message[0];
}
