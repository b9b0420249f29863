#include "base/str.h"

#include <stdint.h>

#include "base/mem.h"
#include "base/text.h"

#define DEFAULT_MAX ((size_t)16 << 20)

void mst_str_init(struct mst_str *s, size_t max)
{
    memset(s, 0, sizeof(*s));
    s->max = max;
}

void mst_str_release(struct mst_str *s)
{
    if (s) {
        free(s->p);
        memset(s, 0, sizeof(*s));
    }
}

void mst_str_reset(struct mst_str *s)
{
    s->len = 0;
    s->cut = false;
    if (s->p) {
        s->p[0] = '\0';
    }
}

const char *mst_str_c(const struct mst_str *s)
{
    return s->p ? s->p : "";
}

bool mst_str_cut(const struct mst_str *s)
{
    return s->cut;
}

void mst_str_addn(struct mst_str *s, const char *text, size_t n)
{
    const size_t max = s->max ? s->max : DEFAULT_MAX;
    size_t need;

    if (n > max - s->len) {
        n = max - s->len;
        s->cut = true;
    }
    need = s->len + n + 1;
    if (need > s->cap) {
        size_t cap = s->cap ? s->cap : 64;

        while (cap < need) {
            cap *= 2;
        }
        s->p = mst_xrealloc(s->p, cap);
        s->cap = cap;
    }
    if (n) {
        memcpy(s->p + s->len, text, n);
    }
    s->len += n;
    s->p[s->len] = '\0';
}

void mst_str_add(struct mst_str *s, const char *text)
{
    mst_str_addn(s, text, strlen(text));
}

void mst_str_addc(struct mst_str *s, char c)
{
    mst_str_addn(s, &c, 1);
}

void mst_str_vaddf(struct mst_str *s, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    if (n >= 0 && (size_t)n < sizeof(small)) {
        mst_str_addn(s, small, (size_t)n);
    } else if (n > 0) {
        char *big = mst_xmalloc((size_t)n + 1);

        (void)vsnprintf(big, (size_t)n + 1, fmt, again);
        mst_str_addn(s, big, (size_t)n);
        free(big);
    }
    va_end(again);
}

void mst_str_addf(struct mst_str *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    mst_str_vaddf(s, fmt, ap);
    va_end(ap);
}

void mst_str_add_shell(struct mst_str *s, const char *text)
{
    if (*text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789_-./:=,@+%") == strlen(text)) {
        mst_str_add(s, text);
        return;
    }
    mst_str_addc(s, '\'');
    for (; *text; text++) {
        if (*text == '\'') {
            mst_str_add(s, "'\\''");
        } else {
            mst_str_addc(s, *text);
        }
    }
    mst_str_addc(s, '\'');
}

void mst_str_add_json(struct mst_str *s, const char *text)
{
    mst_str_addc(s, '"');
    while (*text) {
        uint32_t cp;
        const size_t n = mst_text_decode(text, strlen(text), &cp);

        if (n == 0) {
            mst_str_add(s, "\\ufffd");
            text++;
            continue;
        }
        if (cp == '"' || cp == '\\') {
            mst_str_addf(s, "\\%c", (char)cp);
        } else if (cp == '\n') {
            mst_str_add(s, "\\n");
        } else if (cp == '\t') {
            mst_str_add(s, "\\t");
        } else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
            mst_str_addf(s, "\\u%04x", (unsigned)cp);
        } else {
            mst_str_addn(s, text, n);
        }
        text += n;
    }
    mst_str_addc(s, '"');
}

char *mst_str_detach(struct mst_str *s)
{
    char *p = s->p ? s->p : mst_xstrdup("");

    memset(s, 0, sizeof(*s));
    return p;
}
