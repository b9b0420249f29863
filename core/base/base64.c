#include "base/base64.h"

#include <string.h>

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const uint8_t *p, size_t n, const char *digits, bool pad, struct mst_str *out)
{
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                           (i + 2 < n ? (uint32_t)p[i + 2] : 0);

        mst_str_addc(out, digits[v >> 18]);
        mst_str_addc(out, digits[v >> 12 & 63]);
        if (i + 1 < n) {
            mst_str_addc(out, digits[v >> 6 & 63]);
        }
        if (i + 2 < n) {
            mst_str_addc(out, digits[v & 63]);
        }
    }
    for (size_t i = n % 3; pad && i > 0 && i < 3; i++) {
        mst_str_addc(out, '=');
    }
}

void mst_str_add_base64(struct mst_str *s, const void *p, size_t n)
{
    encode(p, n, plain, true, s);
}

void mst_str_add_base64_url(struct mst_str *s, const void *p, size_t n)
{
    encode(p, n, for_url, false, s);
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
