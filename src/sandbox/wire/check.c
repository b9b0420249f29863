#include "wire/check.h"

#include <string.h>

#include "base/buf.h"

struct walk {
    const uint8_t *p, *end; /* rest of the innermost document, without its terminator */
};

/* Length of a document at p that must fit into n bytes; 0 when it cannot be one. */
static size_t doc_length(const uint8_t *p, size_t n)
{
    if (n < 5) {
        return 0;
    }
    const size_t len = mst_le32(p);
    return len >= 5 && len <= n && p[len - 1] == 0 ? len : 0;
}

static size_t cstring_length(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *nul = p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;

    return nul == NULL ? 0 : (size_t)(nul - p) + 1;
}

static size_t string_length(const uint8_t *p, size_t n)
{
    if (n < 5) {
        return 0;
    }
    const size_t len = mst_le32(p);
    return len >= 1 && len <= n - 4 && p[4 + len - 1] == 0 ? 4 + len : 0;
}

static size_t binary_length(const uint8_t *p, size_t n)
{
    if (n < 5) {
        return 0;
    }
    const size_t len = mst_le32(p);
    if (len > n - 5) {
        return 0;
    }
    if (p[4] == 2 && (len < 4 || mst_le32(p + 5) != len - 4)) {
        return 0;
    }
    return 5 + len;
}

static size_t regex_length(const uint8_t *p, const uint8_t *end)
{
    const size_t a = cstring_length(p, end);
    const size_t b = a == 0 ? 0 : cstring_length(p + a, end);

    return b == 0 ? 0 : a + b;
}

/* A code with scope: total, string, document; the scope is walked with one level less. */
static size_t code_length(const uint8_t *p, size_t n, int depth);

/* Length of a value that holds no document; 0 when it is broken or of an unknown type. *fixed is
 * set for types without bytes. */
static size_t value_length(uint8_t type, const uint8_t *p, const uint8_t *end, int depth,
                           bool *none)
{
    const size_t n = (size_t)(end - p);
    size_t need = 0;

    *none = false;
    switch (type) {
    case 0x01: /* double */
    case 0x09: /* date */
    case 0x11: /* timestamp */
    case 0x12: /* int64 */
        need = 8;
        break;
    case 0x02: /* string */
    case 0x0d: /* code */
    case 0x0e: /* symbol */
        return string_length(p, n);
    case 0x05:
        return binary_length(p, n);
    case 0x06: /* undefined */
    case 0x0a: /* null */
    case 0x7f: /* maxKey */
    case 0xff: /* minKey */
        *none = true;
        return 0;
    case 0x07: /* ObjectId */
        need = 12;
        break;
    case 0x08:
        return n >= 1 && p[0] <= 1 ? 1 : 0;
    case 0x0b:
        return regex_length(p, end);
    case 0x0c: /* DBPointer */
        need = string_length(p, n);
        need = need == 0 ? n + 1 : need + 12;
        break;
    case 0x0f:
        return code_length(p, n, depth);
    case 0x10: /* int32 */
        need = 4;
        break;
    case 0x13: /* decimal128 */
        need = 16;
        break;
    default:
        return 0;
    }
    return need <= n ? need : 0;
}

static bool walk_doc(const uint8_t *p, size_t n, int depth)
{
    struct walk stack[SBX_BSON_DEPTH_MAX];
    size_t top = 0;

    if (depth >= SBX_BSON_DEPTH_MAX || doc_length(p, n) != n) {
        return false;
    }
    stack[0] = (struct walk){p + 4, p + n - 1};
    for (;;) {
        struct walk *w = &stack[top];
        if (w->p == w->end) {
            if (top == 0) {
                return true;
            }
            top--;
            continue;
        }
        const uint8_t type = *w->p++;
        const size_t key = cstring_length(w->p, w->end);
        if (key == 0) {
            return false;
        }
        w->p += key;
        if (type == 0x03 || type == 0x04) {
            const size_t len = doc_length(w->p, (size_t)(w->end - w->p));
            if (len == 0 || top + 1 + (size_t)depth >= SBX_BSON_DEPTH_MAX) {
                return false;
            }
            const uint8_t *at = w->p;
            w->p += len;
            stack[++top] = (struct walk){at + 4, at + len - 1};
            continue;
        }
        bool none;
        const size_t len = value_length(type, w->p, w->end, depth + (int)top, &none);
        if (len == 0 && !none) {
            return false;
        }
        w->p += len;
    }
}

static size_t code_length(const uint8_t *p, size_t n, int depth)
{
    if (n < 4) {
        return 0;
    }
    const size_t total = mst_le32(p);
    if (total < 14 || total > n) {
        return 0;
    }
    const size_t code = string_length(p + 4, total - 4);
    if (code == 0 || !walk_doc(p + 4 + code, total - 4 - code, depth + 1)) {
        return 0;
    }
    return total;
}

bool sbx_bson_check(const uint8_t *p, size_t n)
{
    return walk_doc(p, n, 0);
}
