#include <errno.h>

#include "base/mem.h"
#include "mongo/link.h"

#define FILTER_TYPE 101 /* none of the driver's own: it would take us for TLS */

/* Lets the driver see only replies that it survives. It looks at bytes as they pass, because the
 * driver reads without waiting while it connects. */
struct filter {
    mongoc_stream_t v;
    mongoc_stream_t *base;
    struct mst_link *link;
    struct mst_framer in, out;
    int32_t asked; /* opcode of the newest request */
    bool wrong;
};

static ssize_t filter_readv(mongoc_stream_t *stream, mongoc_iovec_t *iov, size_t n, size_t min,
                            int32_t timeout)
{
    struct filter *f = (struct filter *)stream;
    ssize_t got = -1;
    size_t left;

    if (!f->wrong) {
        got = mongoc_stream_readv(f->base, iov, n, min, timeout);
    }
    left = got > 0 ? (size_t)got : 0;
    f->link->answered = f->link->answered || got > 0;
    for (size_t i = 0; i < n && left > 0 && !f->wrong; i++) {
        const size_t part = left < iov[i].iov_len ? left : iov[i].iov_len;
        const char *wrong = mst_framer_got(&f->in, iov[i].iov_base, part, f->asked);

        left -= part;
        if (wrong) {
            f->wrong = true;
            mst_link_fail(f->link, MST_E_INTEGRITY, MST_CD_PROTOCOL,
                          "the peer sent %s; this is not a MongoDB server, or something between "
                          "damages the connection",
                          wrong);
        }
    }
    if (f->wrong) {
        errno = EPROTO;
        return -1;
    }
    return got;
}

static ssize_t filter_writev(mongoc_stream_t *stream, mongoc_iovec_t *iov, size_t n,
                             int32_t timeout)
{
    struct filter *f = (struct filter *)stream;

    for (size_t i = 0; i < n; i++) {
        mst_framer_sent(&f->out, iov[i].iov_base, iov[i].iov_len, &f->asked);
    }
    return mongoc_stream_writev(f->base, iov, n, timeout);
}

static int filter_close(mongoc_stream_t *stream)
{
    return mongoc_stream_close(((struct filter *)stream)->base);
}

static void filter_destroy(mongoc_stream_t *stream)
{
    mongoc_stream_destroy(((struct filter *)stream)->base);
    free(stream);
}

static int filter_flush(mongoc_stream_t *stream)
{
    return mongoc_stream_flush(((struct filter *)stream)->base);
}

static int filter_setsockopt(mongoc_stream_t *stream, int level, int name, void *value,
                             mongoc_socklen_t n)
{
    return mongoc_stream_setsockopt(((struct filter *)stream)->base, level, name, value, n);
}

static mongoc_stream_t *filter_base(mongoc_stream_t *stream)
{
    return ((struct filter *)stream)->base;
}

static bool filter_check_closed(mongoc_stream_t *stream)
{
    return mongoc_stream_check_closed(((struct filter *)stream)->base);
}

static bool filter_timed_out(mongoc_stream_t *stream)
{
    const struct filter *f = (struct filter *)stream;

    return !f->wrong && mongoc_stream_timed_out(f->base);
}

static bool filter_should_retry(mongoc_stream_t *stream)
{
    const struct filter *f = (struct filter *)stream;

    return !f->wrong && mongoc_stream_should_retry(f->base);
}

mongoc_stream_t *mst_link_filter(struct mst_link *l, mongoc_stream_t *base)
{
    struct filter *f = mst_xcalloc(1, sizeof(*f));

    f->v.type = FILTER_TYPE;
    f->v.destroy = filter_destroy;
    f->v.failed = filter_destroy;
    f->v.close = filter_close;
    f->v.flush = filter_flush;
    f->v.writev = filter_writev;
    f->v.readv = filter_readv;
    f->v.setsockopt = filter_setsockopt;
    f->v.get_base_stream = filter_base;
    f->v.check_closed = filter_check_closed;
    f->v.timed_out = filter_timed_out;
    f->v.should_retry = filter_should_retry;
    f->base = base;
    f->link = l;
    return &f->v;
}
