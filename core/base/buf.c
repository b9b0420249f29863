#include "base/buf.h"

#include "base/err.h"
#include "base/mem.h"

void mst_buf_release(struct mst_buf *b)
{
    if (b) {
        free(b->p);
        memset(b, 0, sizeof(*b));
    }
}

void mst_buf_reset(struct mst_buf *b)
{
    b->len = 0;
}

uint8_t *mst_buf_room(struct mst_buf *b, size_t n)
{
    MST_ASSERT(n <= SIZE_MAX / 4 - b->len);
    if (b->len + n > b->cap) {
        size_t cap = b->cap ? b->cap : 256;

        while (cap < b->len + n) {
            cap *= 2;
        }
        b->p = mst_xrealloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->len;
}

void mst_buf_add(struct mst_buf *b, const void *p, size_t n)
{
    if (n) {
        memcpy(mst_buf_room(b, n), p, n);
        b->len += n;
    }
}

void mst_buf_drop(struct mst_buf *b, size_t n)
{
    MST_ASSERT(n <= b->len);
    if (n) {
        memmove(b->p, b->p + n, b->len - n);
        b->len -= n;
    }
}
