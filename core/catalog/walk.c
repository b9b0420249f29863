/* Lenient where servers are: a boolean byte of 2, an old binary whose inner length is wrong and
 * text that is not UTF-8 are stored by real servers, and a backup must not call them damage. */
#include "catalog/segment.h"

#define DEPTH_MAX 200

struct cur {
    const uint8_t *p;
    size_t left;
};

static bool take(struct cur *c, size_t n)
{
    if (n > c->left) {
        return false;
    }
    c->p += n;
    c->left -= n;
    return true;
}

static bool cstring(struct cur *c)
{
    const uint8_t *nul = memchr(c->p, 0, c->left);

    return nul && take(c, (size_t)(nul - c->p) + 1);
}

/* int32 length with its final NUL, then so many bytes, the last of them NUL */
static bool string(struct cur *c)
{
    uint32_t n;

    if (c->left < 5) {
        return false;
    }
    n = mst_le32(c->p);
    return n >= 1 && n <= c->left - 4 && c->p[4 + n - 1] == 0 && take(c, 4 + (size_t)n);
}

static bool binary(struct cur *c)
{
    uint32_t n;

    if (c->left < 5) {
        return false;
    }
    n = mst_le32(c->p);
    if (n > c->left - 5) {
        return false;
    }
    return take(c, 5 + (size_t)n);
}

/* Enter a document: its end in *end. */
static bool enter(const struct cur *c, size_t *n)
{
    if (c->left < 5) {
        return false;
    }
    *n = mst_le32(c->p);
    return *n >= 5 && *n <= c->left && c->p[*n - 1] == 0;
}

static bool scoped_code(struct cur *c, size_t *scope)
{
    struct cur in;
    uint32_t n;

    if (c->left < 4 + 5 + 5) {
        return false;
    }
    n = mst_le32(c->p);
    if (n < 14 || n > c->left) {
        return false;
    }
    in.p = c->p + 4;
    in.left = n - 4;
    if (!string(&in) || !enter(&in, scope) || *scope != in.left) {
        return false;
    }
    return take(c, n - *scope);
}

/* One value; *nested is the size of a document that stands at c->p now and must be walked. */
static bool value(struct cur *c, uint8_t type, size_t *nested)
{
    switch (type) {
    case 0x01:
    case 0x09:
    case 0x11:
    case 0x12:
        return take(c, 8);
    case 0x02:
    case 0x0d:
    case 0x0e:
        return string(c);
    case 0x03:
    case 0x04:
        return enter(c, nested);
    case 0x05:
        return binary(c);
    case 0x06:
    case 0x0a:
    case 0x7f:
    case 0xff:
        return true;
    case 0x07:
        return take(c, 12);
    case 0x08:
        return take(c, 1);
    case 0x0b:
        return cstring(c) && cstring(c);
    case 0x0c:
        return string(c) && take(c, 12);
    case 0x0f:
        return scoped_code(c, nested);
    case 0x10:
        return take(c, 4);
    case 0x13:
        return take(c, 16);
    default:
        return false;
    }
}

bool mst_bson_walk(const uint8_t *p, size_t n)
{
    const uint8_t *ends[DEPTH_MAX + 1]; /* one past the final zero of each open document */
    struct cur c = {p, n};
    size_t depth = 0, size;

    if (!enter(&c, &size) || size != n) {
        return false;
    }
    ends[0] = p + n;
    c.p += 4;
    for (;;) {
        uint8_t type;
        size_t nested = 0;

        c.left = (size_t)(ends[depth] - c.p);
        if (c.left == 0) {
            return false;
        }
        type = *c.p++;
        c.left--;
        if (type == 0) {
            if (c.left != 0) {
                return false;
            }
            if (depth == 0) {
                return true;
            }
            depth--;
            continue;
        }
        if (!cstring(&c) || !value(&c, type, &nested)) {
            return false;
        }
        if (nested) {
            if (depth == DEPTH_MAX) {
                return false;
            }
            ends[++depth] = c.p + nested;
            c.p += 4;
        }
    }
}
