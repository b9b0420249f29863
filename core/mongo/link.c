#include "mongo/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mongo/resolve.h"
#include "mongo/uri.h"

#define STREAM_TYPE 100 /* one of the driver's types would make it reach inside */

struct sock {
    mongoc_stream_t v;
    struct mst_link *link;
    int fd;
    int last; /* errno of the last call that failed */
};

void mst_link_fail(struct mst_link *l, enum mst_rc rc, int detail, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    if (l->err.rc != MST_OK || l->closing) {
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)mst_err_set_detail(&l->err, rc, detail, "%s", text);
}

int mst_link_left(const struct mst_link *l, int64_t limit_ms)
{
    int64_t left = limit_ms < 0 ? INT32_MAX : limit_ms;

    if (l->deadline_ms > 0) {
        const int64_t until = l->deadline_ms - mst_clock_mono_ms(NULL);

        left = until < left ? until : left;
    }
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

int mst_link_wait(struct mst_link *l, int fd, short events, int64_t limit_ms)
{
    const int64_t start = mst_clock_mono_ms(NULL);

    for (;;) {
        struct pollfd p[2] = {
            {.fd = fd, .events = events},
            {.fd = l->task && !l->ignore_cancel ? l->task->wake.fd : -1, .events = POLLIN}};
        const int64_t used = mst_clock_mono_ms(NULL) - start;
        const int64_t own = limit_ms < 0 ? -1 : limit_ms > used ? limit_ms - used : 0;
        const int left = mst_link_left(l, own);
        const int n = poll(p, 2, left);

        if (p[1].revents) {
            return ECANCELED;
        }
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n > 0 && p[0].revents) {
            return 0;
        }
        if (n == 0 && left == 0) {
            return ETIMEDOUT;
        }
    }
}

/* Note why a wait ended; a time-out of the driver's own (the deadline is not reached) is not ours
 * to judge. */
static void note(struct mst_link *l, int num)
{
    char why[128];

    if (num == ECANCELED) {
        mst_link_fail(l, MST_E_CANCELLED, 0, "stopped on request");
    } else if (num == ETIMEDOUT) {
        if (l->deadline_ms > 0 && mst_link_left(l, -1) == 0) {
            mst_link_fail(l, MST_E_TIMEOUT, 0, "no answer in time");
        }
    } else if (num != EAGAIN) {
        mst_link_fail(l, MST_E_NET, num, "%s",
                      num == ECONNRESET ? "the peer closed the connection"
                                        : mst_errno_text(num, why, sizeof(why)));
    }
}

static ssize_t fail(struct sock *s, int num)
{
    s->last = num;
    note(s->link, num);
    errno = num;
    return -1;
}

static bool stopped(const struct mst_link *l)
{
    return !l->ignore_cancel && mst_task_cancelled(l->task);
}

/* One receive that waits; bytes, or -1 with errno. */
static ssize_t receive(struct sock *s, void *p, size_t n, int64_t limit_ms)
{
    for (;;) {
        const ssize_t r = recv(s->fd, p, n, 0);
        int num;

        if (r > 0) {
            s->link->heard = true;
            return r;
        }
        if (r == 0) {
            return fail(s, ECONNRESET);
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN) {
            return fail(s, errno);
        }
        if (limit_ms == 0) {
            return fail(s, EAGAIN);
        }
        num = mst_link_wait(s->link, s->fd, POLLIN, limit_ms);
        if (num) {
            return fail(s, num);
        }
    }
}

static ssize_t sock_readv(mongoc_stream_t *stream, mongoc_iovec_t *iov, size_t n, size_t min,
                          int32_t timeout)
{
    struct sock *s = (struct sock *)stream;
    ssize_t got = 0;
    size_t off = 0;

    s->last = 0;
    if (s->fd < 0 || s->link->closing) {
        return fail(s, ENOTCONN);
    }
    if (stopped(s->link)) {
        return fail(s, ECANCELED);
    }
    for (size_t i = 0; i < n;) {
        ssize_t r;

        if (off >= iov[i].iov_len) {
            off = 0;
            i++;
            continue;
        }
        /* Half a header is waited for even where the driver would not wait: its buffer loses what
         * comes in pieces. The deadline holds all the same. */
        r = receive(s, (char *)iov[i].iov_base + off, iov[i].iov_len - off, got > 0 ? -1 : timeout);
        if (r < 0) {
            return -1;
        }
        got += r;
        off += (size_t)r;
        if ((size_t)got >= min) {
            break;
        }
    }
    return got;
}

static ssize_t sock_writev(mongoc_stream_t *stream, mongoc_iovec_t *iov, size_t n, int32_t timeout)
{
    struct sock *s = (struct sock *)stream;
    ssize_t put = 0;

    s->last = 0;
    if (s->fd < 0 || s->link->closing) {
        return fail(s, ENOTCONN);
    }
    if (stopped(s->link)) {
        return fail(s, ECANCELED);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t off = 0; off < iov[i].iov_len;) {
            const ssize_t r = send(s->fd, (const char *)iov[i].iov_base + off, iov[i].iov_len - off,
                                   MSG_NOSIGNAL);
            int num = 0;

            if (r > 0) {
                off += (size_t)r;
                put += r;
                continue;
            }
            if (errno == EINTR) {
                continue;
            }
            num = errno;
            if (num == EAGAIN && timeout != 0) {
                num = mst_link_wait(s->link, s->fd, POLLOUT, timeout);
            }
            if (num) {
                (void)fail(s, num);
                return put > 0 ? put : -1;
            }
        }
    }
    return put;
}

static int sock_close(mongoc_stream_t *stream)
{
    struct sock *s = (struct sock *)stream;

    if (s->fd >= 0) {
        (void)close(s->fd);
        if (s->link->fd == s->fd) {
            s->link->fd = -1;
        }
    }
    s->fd = -1;
    return 0;
}

static void sock_destroy(mongoc_stream_t *stream)
{
    struct sock *s = (struct sock *)stream;

    (void)sock_close(stream);
    if (s->link->socket == stream) {
        s->link->socket = NULL;
        s->link->wire = NULL; /* whatever stood on it is gone as well */
    }
    free(s);
}

static int sock_flush(mongoc_stream_t *stream)
{
    (void)stream;
    return 0;
}

static int sock_setsockopt(mongoc_stream_t *stream, int level, int name, void *value,
                           mongoc_socklen_t n)
{
    return setsockopt(((struct sock *)stream)->fd, level, name, value, n);
}

static bool sock_check_closed(mongoc_stream_t *stream)
{
    struct sock *s = (struct sock *)stream;
    char b;
    ssize_t r;

    if (s->fd < 0 || s->link->closing) {
        return true;
    }
    r = recv(s->fd, &b, 1, MSG_PEEK | MSG_DONTWAIT);
    return r == 0 || (r < 0 && errno != EAGAIN && errno != EINTR);
}

/* A single client has one stream; the driver asks about it with a number anyway. */
static ssize_t sock_poll(mongoc_stream_poll_t *p, size_t n, int32_t timeout)
{
    ssize_t ready = 0;

    for (size_t i = 0; i < n; i++) {
        struct sock *s = (struct sock *)p[i].stream;
        const int num =
            s->fd < 0 || s->link->closing
                ? ENOTCONN
                : mst_link_wait(s->link, s->fd, (short)p[i].events, i == 0 && n == 1 ? timeout : 0);

        p[i].revents = 0;
        if (num == 0) {
            p[i].revents = p[i].events;
        } else if (num != ETIMEDOUT || mst_link_left(s->link, -1) == 0) {
            s->last = num;
            note(s->link, num);
            p[i].revents = POLLERR | POLLHUP;
        }
        ready += p[i].revents != 0;
    }
    return ready;
}

static bool sock_timed_out(mongoc_stream_t *stream)
{
    return ((struct sock *)stream)->last == ETIMEDOUT;
}

static bool sock_should_retry(mongoc_stream_t *stream)
{
    return ((struct sock *)stream)->last == EAGAIN;
}

static mongoc_stream_t *sock_new(struct mst_link *l, int fd)
{
    struct sock *s = mst_xcalloc(1, sizeof(*s));

    s->v.type = STREAM_TYPE;
    s->v.destroy = sock_destroy;
    s->v.failed = sock_destroy;
    s->v.close = sock_close;
    s->v.flush = sock_flush;
    s->v.writev = sock_writev;
    s->v.readv = sock_readv;
    s->v.setsockopt = sock_setsockopt;
    s->v.check_closed = sock_check_closed;
    s->v.poll = sock_poll;
    s->v.timed_out = sock_timed_out;
    s->v.should_retry = sock_should_retry;
    s->link = l;
    s->fd = fd;
    return &s->v;
}

mongoc_stream_t *mst_link_dead(struct mst_link *l)
{
    return sock_new(l, -1);
}

/* One address: a connected descriptor, or -1 with errno. */
static int connect_one(struct mst_link *l, const struct sockaddr_storage *sa, socklen_t len,
                       int64_t limit_ms)
{
    const int on = 1;
    int num = 0, fd = socket(sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof(num);

    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)sa, len) != 0) {
        num = errno;
        if (num == EINPROGRESS) {
            num = mst_link_wait(l, fd, POLLOUT, limit_ms);
            if (num == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &num, &size) != 0) {
                num = errno;
            }
        }
    }
    if (num) {
        (void)close(fd);
        errno = num;
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    return fd;
}

/* A name with several addresses: each gets its share of the time that is left. */
static int connect_any(struct mst_link *l, const struct mst_resolved *r)
{
    char why[128];
    int num = ENOTCONN;

    for (size_t i = 0; i < r->n; i++) {
        const int left = mst_link_left(l, -1);
        const int fd = connect_one(l, &r->at[i].sa, r->at[i].len,
                                   i + 1 < r->n ? left / (int)(r->n - i) : left);

        if (fd >= 0) {
            return fd;
        }
        num = errno;
        if (num == ECANCELED) {
            break;
        }
    }
    if (num == ECANCELED) {
        mst_link_fail(l, MST_E_CANCELLED, 0, "stopped on request");
    } else if (num == ETIMEDOUT) {
        mst_link_fail(l, MST_E_TIMEOUT, num, "cannot connect: no answer in time");
    } else {
        mst_link_fail(l, MST_E_NET, num, "cannot connect: %s",
                      mst_errno_text(num, why, sizeof(why)));
    }
    return -1;
}

mongoc_stream_t *mst_link_connect(struct mst_link *l, const char *dial)
{
    struct mst_resolved found;
    char host[256];
    uint16_t port;
    int fd = -1;

    if (!mst_addr_split(dial, host, sizeof(host), &port)) {
        mst_link_fail(l, MST_E_CONFIG, 0, "'%.200s' is not an address of the form host:port", dial);
    } else if (mst_resolve(host, port, l->deadline_ms, l->task, &found, &l->err) == MST_OK) {
        fd = connect_any(l, &found);
    }
    l->fd = fd;
    l->socket = sock_new(l, fd);
    return l->socket;
}
