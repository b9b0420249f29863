#include "base/base64.h"

#include <string.h>

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The two to four digits of the next one to three bytes. */
static size_t digits_of(const uint8_t *p, size_t n, const char *digits, char out[4])
{
    const uint32_t v =
        (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? (uint32_t)p[2] : 0);

    for (int i = 0; i < 4; i++) {
        out[i] = digits[v >> (18 - 6 * i) & 63];
    }
    return n > 2 ? 4 : n + 1;
}

char *mst_base64(const void *p, size_t n, char *out)
{
    char *o = out;

    for (size_t i = 0; i < n; i += 3, o += 4) {
        for (size_t used = digits_of((const uint8_t *)p + i, n - i, plain, o); used < 4; used++) {
            o[used] = '=';
        }
    }
    *o = '\0';
    return out;
}

void mst_str_add_base64(struct mst_str *s, const void *p, size_t n)
{
    char four[5];

    for (size_t i = 0; i < n; i += 3) {
        mst_str_add(s, mst_base64((const uint8_t *)p + i, n - i < 3 ? n - i : 3, four));
    }
}

void mst_str_add_base64_url(struct mst_str *s, const void *p, size_t n)
{
    char four[4];

    for (size_t i = 0; i < n; i += 3) {
        mst_str_addn(s, four, digits_of((const uint8_t *)p + i, n - i, for_url, four));
    }
}

bool mst_unbase64(const char *text, uint8_t *out, size_t n)
{
    const size_t len = (n + 2) / 3 * 4, pad = (3 - n % 3) % 3;
    uint32_t v = 0;
    size_t at = 0;

    if (strlen(text) != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const char *d = strchr(plain, text[i]);

        if (i >= len - pad ? text[i] != '=' : !d) {
            return false;
        }
        v = v << 6 | (i >= len - pad ? 0U : (uint32_t)(d - plain));
        if (i % 4 == 3) {
            for (int shift = 16; shift >= 0 && at < n; shift -= 8) {
                out[at++] = (uint8_t)(v >> shift);
            }
            /* What hangs over must be zero, so that a value has one spelling only. */
            if (at == n && pad > 0 && (v & (pad == 2 ? 0xffffU : 0xffU)) != 0) {
                return false;
            }
            v = 0;
        }
    }
    return at == n;
}
