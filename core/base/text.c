#include "base/text.h"

#include <stdbool.h>

#include "base/mem.h"

struct range {
    uint32_t from, to;
};

/* East Asian Wide and Fullwidth blocks plus emoji presentation, Unicode 15 (summary ranges). */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
    {0x23f0, 0x23f0},   {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x267f, 0x267f},   {0x2693, 0x2693},   {0x26a1, 0x26a1},
    {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},   {0x26ce, 0x26ce},
    {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
    {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},
    {0x2728, 0x2728},   {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},
    {0x2757, 0x2757},   {0x2795, 0x2797},   {0x27b0, 0x27b0},   {0x27bf, 0x27bf},
    {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},   {0x2e80, 0x303e},
    {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},
    {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18aff}, {0x1b000, 0x1b2ff},
    {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a},
    {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393},
    {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4},
    {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d},
    {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596},
    {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc},
    {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6d7}, {0x1f6dc, 0x1f6df}, {0x1f6eb, 0x1f6ec},
    {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7eb}, {0x1f7f0, 0x1f7f0}, {0x1f90c, 0x1f93a},
    {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd}};

/* Combining marks (the common blocks). */
static const struct range zero[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489},  {0x0591, 0x05bd}, {0x05bf, 0x05bf}, {0x05c1, 0x05c2},
    {0x05c4, 0x05c5}, {0x0610, 0x061a},  {0x064b, 0x065f}, {0x0670, 0x0670}, {0x06d6, 0x06dc},
    {0x06df, 0x06e4}, {0x06e7, 0x06e8},  {0x06ea, 0x06ed}, {0x0900, 0x0902}, {0x093a, 0x093a},
    {0x093c, 0x093c}, {0x0941, 0x0948},  {0x094d, 0x094d}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},
    {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff},  {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};

/* Characters that reorder, hide or break a line although they are valid text. */
static const struct range unsafe[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x061c, 0x061c},   {0x115f, 0x1160},
    {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
    {0x3164, 0x3164}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff}, {0xfffe, 0xffff}};

static bool within(uint32_t cp, const struct range *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cp >= r[i].from && cp <= r[i].to) {
            return true;
        }
    }
    return false;
}

size_t mst_text_decode(const char *s, size_t len, uint32_t *cp)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *b = (const unsigned char *)s;
    size_t n;
    uint32_t c;

    if (len == 0) {
        return 0;
    }
    if (b[0] < 0x80) {
        *cp = b[0];
        return 1;
    }
    if ((b[0] & 0xe0) == 0xc0) {
        n = 2;
        c = b[0] & 0x1fU;
    } else if ((b[0] & 0xf0) == 0xe0) {
        n = 3;
        c = b[0] & 0x0fU;
    } else if ((b[0] & 0xf8) == 0xf0) {
        n = 4;
        c = b[0] & 0x07U;
    } else {
        return 0;
    }
    if (n > len) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (b[i] & 0x3fU);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }
    *cp = c;
    return n;
}

size_t mst_text_encode(uint32_t cp, char *out)
{
    unsigned char *b = (unsigned char *)out;

    if (cp < 0x80) {
        b[0] = (unsigned char)cp;
        return 1;
    }
    if (cp < 0x800) {
        b[0] = (unsigned char)(0xc0 | cp >> 6);
        b[1] = (unsigned char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        b[0] = (unsigned char)(0xe0 | cp >> 12);
        b[1] = (unsigned char)(0x80 | (cp >> 6 & 0x3f));
        b[2] = (unsigned char)(0x80 | (cp & 0x3f));
        return 3;
    }
    b[0] = (unsigned char)(0xf0 | cp >> 18);
    b[1] = (unsigned char)(0x80 | (cp >> 12 & 0x3f));
    b[2] = (unsigned char)(0x80 | (cp >> 6 & 0x3f));
    b[3] = (unsigned char)(0x80 | (cp & 0x3f));
    return 4;
}

void mst_text_sanitise(char *s)
{
    mst_text_clean(s, strlen(s) + 1, s, strlen(s));
}

/* dst may be src: output never gets ahead of input. */
void mst_text_clean(char *dst, size_t size, const char *src, size_t n)
{
    size_t in = 0, out = 0;

    while (in < n && out + 1 < size) {
        uint32_t cp = 0;
        const size_t k = mst_text_decode(src + in, n - in, &cp);

        if (k == 0) {
            dst[out++] = '?';
            in++;
        } else if (within(cp, unsafe, MST_COUNT(unsafe))) {
            dst[out++] = '?';
            in += k;
        } else if (out + k < size) {
            memmove(dst + out, src + in, k);
            out += k;
            in += k;
        } else {
            break;
        }
    }
    dst[out] = '\0';
}

int mst_text_cp_cols(uint32_t cp)
{
    if (cp < 0x300) {
        return 1;
    }
    if (within(cp, zero, MST_COUNT(zero))) {
        return 0;
    }
    return within(cp, wide, MST_COUNT(wide)) ? 2 : 1;
}

size_t mst_text_cols(const char *utf8, size_t len)
{
    size_t cols = 0;

    for (size_t i = 0; i < len;) {
        uint32_t cp;
        const size_t k = mst_text_decode(utf8 + i, len - i, &cp);

        cols += k ? (size_t)mst_text_cp_cols(cp) : 1;
        i += k ? k : 1;
    }
    return cols;
}

size_t mst_text_fit(const char *s, size_t cols)
{
    const size_t len = strlen(s);
    size_t i = 0, used = 0;

    while (i < len) {
        uint32_t cp;
        const size_t k = mst_text_decode(s + i, len - i, &cp);
        const size_t w = k ? (size_t)mst_text_cp_cols(cp) : 1;

        if (used + w > cols) {
            break;
        }
        used += w;
        i += k ? k : 1;
    }
    return i;
}

const char *mst_text_noun(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

char *mst_text_bytes(uint64_t n, char *buf)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)n;
    size_t u = 0;

    while (v >= 1023.95 && u + 1 < MST_COUNT(unit)) {
        v /= 1024;
        u++;
    }
    (void)snprintf(buf, MST_HUMAN_MAX, u > 0 && v < 99.95 ? "%.1f %s" : "%.0f %s", v, unit[u]);
    return buf;
}

char *mst_text_duration(int64_t ms, char *buf)
{
    const int64_t s = ms / 1000;

    if (ms < 0) {
        (void)snprintf(buf, MST_HUMAN_MAX, "-");
    } else if (ms < 10000) {
        (void)snprintf(buf, MST_HUMAN_MAX, "%lld.%lld s", (long long)s,
                       (long long)(ms % 1000 / 100));
    } else if (s < 120) {
        (void)snprintf(buf, MST_HUMAN_MAX, "%lld s", (long long)s);
    } else if (s < 3600) {
        (void)snprintf(buf, MST_HUMAN_MAX, "%d m %d s", (int)(s / 60), (int)(s % 60));
    } else if (s < 2 * 86400) {
        (void)snprintf(buf, MST_HUMAN_MAX, "%d h %d m", (int)(s / 3600), (int)(s / 60 % 60));
    } else {
        (void)snprintf(buf, MST_HUMAN_MAX, "%lld d", (long long)(s / 86400));
    }
    return buf;
}

#define WORD_MAX 64

static unsigned least3(unsigned a, unsigned b, unsigned c)
{
    const unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

static unsigned distance(const char *a, const char *b)
{
    unsigned d[3][WORD_MAX + 1];
    const size_t n = strlen(a), m = strlen(b);

    if (n > WORD_MAX || m > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= m; j++) {
        d[0][j] = (unsigned)j;
        d[2][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                up2[j - 2] + 1 < row[j]) {
                row[j] = up2[j - 2] + 1;
            }
        }
    }
    return d[n % 3][m];
}

const char *mst_text_nearest(const char *word, const char *const *candidates, size_t n)
{
    unsigned best = (unsigned)(strlen(word) / 3 > 1 ? strlen(word) / 3 : 1);
    const char *found = NULL;

    for (size_t i = 0; i < n; i++) {
        const unsigned d = distance(word, candidates[i]);

        if (d < best || (!found && d <= best)) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}

size_t mst_text_bom(const void *p, size_t n)
{
    return n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}
