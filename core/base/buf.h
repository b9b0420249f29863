/* buf.h: growing bytes with a ceiling. Zero is valid and empty. The caller owns the storage. */
#ifndef MST_BASE_BUF_H
#define MST_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct mst_buf {
    uint8_t *p;
    size_t len, cap;
};

void mst_buf_release(struct mst_buf *b);
void mst_buf_reset(struct mst_buf *b);
void mst_buf_add(struct mst_buf *b, const void *p, size_t n);
/* Make room for n more bytes and return where they go; then add to len what was used. */
uint8_t *mst_buf_room(struct mst_buf *b, size_t n);
void mst_buf_drop(struct mst_buf *b, size_t n); /* forget the first n bytes */

/* Little-endian integers, as BSON, the wire protocol and our own formats use them. */
static inline uint32_t mst_le32(const void *p)
{
    const uint8_t *b = p;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint64_t mst_le64(const void *p)
{
    const uint8_t *b = p;

    return (uint64_t)mst_le32(b) | (uint64_t)mst_le32(b + 4) << 32;
}
static inline void mst_put_le32(void *p, uint32_t v)
{
    uint8_t *b = p;

    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
    b[2] = (uint8_t)(v >> 16);
    b[3] = (uint8_t)(v >> 24);
}
static inline void mst_put_le64(void *p, uint64_t v)
{
    uint8_t *b = p;

    mst_put_le32(b, (uint32_t)v);
    mst_put_le32(b + 4, (uint32_t)(v >> 32));
}

#endif
