#include "comp/comp.h"

#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

struct mst_zenc {
    ZSTD_CCtx *c;
};
struct mst_zdec {
    ZSTD_DCtx *d;
};

struct mst_zenc *mst_zenc_new(int level)
{
    struct mst_zenc *z = mst_xcalloc(1, sizeof(*z));

    z->c = ZSTD_createCCtx();
    MST_ASSERT(z->c);
    MST_ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(z->c, ZSTD_c_compressionLevel, level)));
    MST_ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(z->c, ZSTD_c_contentSizeFlag, 1)));
    return z;
}

void mst_zenc_free(struct mst_zenc *z)
{
    if (z) {
        (void)ZSTD_freeCCtx(z->c);
        free(z);
    }
}

size_t mst_zenc_bound(size_t n)
{
    return ZSTD_compressBound(n);
}

enum mst_rc mst_zenc_frame(struct mst_zenc *z, const void *p, size_t n, struct mst_buf *out,
                           struct mst_err *err)
{
    const size_t room = ZSTD_compressBound(n);
    const size_t used = ZSTD_compress2(z->c, mst_buf_room(out, room), room, p, n);

    if (ZSTD_isError(used)) {
        return mst_err_set(err, MST_E_BUG, "zstd cannot compress: %s", ZSTD_getErrorName(used));
    }
    out->len += used;
    return MST_OK;
}

void mst_zskip_add(struct mst_buf *out, unsigned nib, const void *p, size_t n)
{
    uint8_t head[8];

    MST_ASSERT(nib < 16 && n <= UINT32_MAX);
    mst_put_le32(head, ZSTD_MAGIC_SKIPPABLE_START + nib);
    mst_put_le32(head + 4, (uint32_t)n);
    mst_buf_add(out, head, sizeof(head));
    mst_buf_add(out, p, n);
}

static enum mst_rc peek_skip(const uint8_t *p, size_t n, size_t max, enum mst_zwhat *what,
                             size_t *stored, size_t *content, struct mst_err *err)
{
    if (n < 8) {
        return MST_OK;
    }
    *content = mst_le32(p + 4);
    if (*content > max) {
        return mst_err_set(err, MST_E_LIMIT, "a skippable frame of %zu bytes is too large",
                           *content);
    }
    if (n - 8 >= *content) {
        *what = MST_Z_SKIP;
        *stored = 8 + *content;
    }
    return MST_OK;
}

enum mst_rc mst_zpeek(const void *p, size_t n, size_t max, enum mst_zwhat *what, size_t *stored,
                      size_t *content, struct mst_err *err)
{
    unsigned long long size;
    size_t used;

    *what = MST_Z_MORE;
    *stored = *content = 0;
    if (n < 4) {
        return MST_OK;
    }
    if ((mst_le32(p) & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START) {
        return peek_skip(p, n, max, what, stored, content, err);
    }
    if (mst_le32(p) != ZSTD_MAGICNUMBER) {
        return mst_err_set(err, MST_E_INTEGRITY, "no zstd frame where one should begin");
    }
    if (n < 18) { /* longest frame header: a shorter input may only be unfinished */
        const size_t whole = ZSTD_findFrameCompressedSize(p, n);

        if (ZSTD_isError(whole)) {
            return MST_OK;
        }
    }
    size = ZSTD_getFrameContentSize(p, n);
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR) {
        return mst_err_set(err, MST_E_INTEGRITY, "a zstd frame without its content size");
    }
    if (size > max) {
        return mst_err_set(err, MST_E_LIMIT,
                           "a zstd frame of %llu bytes, more than the %zu allowed", size, max);
    }
    *content = (size_t)size;
    used = ZSTD_findFrameCompressedSize(p, n);
    if (!ZSTD_isError(used)) {
        *what = MST_Z_FRAME;
        *stored = used;
    } else if (n >= ZSTD_compressBound((size_t)size) + 1024) {
        /* More than such a frame can have, and still no end: not an unfinished one. */
        return mst_err_set(err, MST_E_INTEGRITY, "a damaged zstd frame");
    }
    return MST_OK;
}

struct mst_zdec *mst_zdec_new(void)
{
    struct mst_zdec *z = mst_xcalloc(1, sizeof(*z));

    z->d = ZSTD_createDCtx();
    MST_ASSERT(z->d);
    MST_ASSERT(
        !ZSTD_isError(ZSTD_DCtx_setParameter(z->d, ZSTD_d_windowLogMax, MST_ZSTD_WINDOW_LOG)));
    return z;
}

void mst_zdec_free(struct mst_zdec *z)
{
    if (z) {
        (void)ZSTD_freeDCtx(z->d);
        free(z);
    }
}

enum mst_rc mst_zdec_frame(struct mst_zdec *z, const void *p, size_t stored, void *out,
                           size_t content, struct mst_err *err)
{
    const size_t got = ZSTD_decompressDCtx(z->d, out, content, p, stored);

    if (ZSTD_isError(got)) {
        return mst_err_set(err, MST_E_INTEGRITY, "a damaged zstd frame: %s",
                           ZSTD_getErrorName(got));
    }
    if (got != content) {
        return mst_err_set(err, MST_E_INTEGRITY, "a zstd frame of %zu bytes says it has %zu", got,
                           content);
    }
    return MST_OK;
}

/* --- gzip ------------------------------------------------------------------------------------- */

#define GZ_IN 65536U

struct mst_gunzip {
    mst_read_fn *fn;
    void *arg;
    z_stream z;
    bool in_member, any, eof;
    uint8_t in[GZ_IN];
};

struct mst_gunzip *mst_gunzip_new(mst_read_fn *fn, void *arg)
{
    struct mst_gunzip *g = mst_xcalloc(1, sizeof(*g));

    g->fn = fn;
    g->arg = arg;
    MST_ASSERT(inflateInit2(&g->z, 15 + 16) == Z_OK);
    return g;
}

void mst_gunzip_free(struct mst_gunzip *g)
{
    if (g) {
        (void)inflateEnd(&g->z);
        free(g);
    }
}

static enum mst_rc gz_fill(struct mst_gunzip *g, struct mst_err *err)
{
    size_t got = 0;

    if (g->z.avail_in || g->eof) {
        return MST_OK;
    }
    if (g->fn(g->arg, g->in, GZ_IN, &got, err) != MST_OK) {
        return err->rc;
    }
    g->eof = got == 0;
    g->z.next_in = g->in;
    g->z.avail_in = (uInt)got;
    return MST_OK;
}

static enum mst_rc gz_step(struct mst_gunzip *g, struct mst_err *err)
{
    int z;

    if (!g->in_member) { /* between members: the next one starts the inflater anew */
        MST_ASSERT(inflateReset(&g->z) == Z_OK);
        g->in_member = true;
    }
    z = inflate(&g->z, Z_NO_FLUSH);
    if (z == Z_STREAM_END) {
        g->in_member = false;
        g->any = true;
        return MST_OK;
    }
    if (z == Z_OK || z == Z_BUF_ERROR) {
        return MST_OK;
    }
    return mst_err_set(err, MST_E_INTEGRITY, "damaged gzip data: %s", g->z.msg ? g->z.msg : "?");
}

enum mst_rc mst_gunzip_read(struct mst_gunzip *g, void *buf, size_t n, size_t *got,
                            struct mst_err *err)
{
    *got = 0;
    n = n > 1U << 30 ? 1U << 30 : n;
    g->z.next_out = buf;
    g->z.avail_out = (uInt)n;
    while (g->z.avail_out) {
        if (gz_fill(g, err) != MST_OK) {
            return err->rc;
        }
        if (g->eof) {
            if (g->in_member || !g->any) {
                return mst_err_set(err, MST_E_INTEGRITY, "the gzip data ends too early");
            }
            break;
        }
        if (gz_step(g, err) != MST_OK) {
            return err->rc;
        }
    }
    *got = n - g->z.avail_out;
    return MST_OK;
}

/* --- and back --------------------------------------------------------------------------------- */

struct mst_gzip {
    mst_write_fn *fn;
    void *arg;
    z_stream z;
    uint8_t out[GZ_IN];
};

struct mst_gzip *mst_gzip_new(mst_write_fn *fn, void *arg)
{
    struct mst_gzip *g = mst_xcalloc(1, sizeof(*g));

    g->fn = fn;
    g->arg = arg;
    MST_ASSERT(deflateInit2(&g->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                            Z_DEFAULT_STRATEGY) == Z_OK);
    return g;
}

void mst_gzip_free(struct mst_gzip *g)
{
    if (g) {
        (void)deflateEnd(&g->z);
        free(g);
    }
}

/* Until the input is used up, or with Z_FINISH until the end has come out. */
static enum mst_rc gz_push(struct mst_gzip *g, int how, struct mst_err *err)
{
    int z;

    do {
        size_t n;

        g->z.next_out = g->out;
        g->z.avail_out = GZ_IN;
        z = deflate(&g->z, how);
        MST_ASSERT(z == Z_OK || z == Z_STREAM_END || z == Z_BUF_ERROR);
        n = GZ_IN - g->z.avail_out;
        if (n && g->fn(g->arg, g->out, n, err) != MST_OK) {
            return err->rc;
        }
    } while (how == Z_FINISH ? z != Z_STREAM_END : g->z.avail_out == 0);
    return MST_OK;
}

enum mst_rc mst_gzip_add(struct mst_gzip *g, const void *p, size_t n, struct mst_err *err)
{
    const uint8_t *b = p;

    while (n) {
        const size_t k = n > 1U << 30 ? 1U << 30 : n;

        g->z.next_in = (z_const Bytef *)(uintptr_t)b;
        g->z.avail_in = (uInt)k;
        if (gz_push(g, Z_NO_FLUSH, err) != MST_OK) {
            return err->rc;
        }
        b += k;
        n -= k;
    }
    return MST_OK;
}

enum mst_rc mst_gzip_end(struct mst_gzip *g, struct mst_err *err)
{
    g->z.next_in = NULL;
    g->z.avail_in = 0;
    return gz_push(g, Z_FINISH, err);
}
