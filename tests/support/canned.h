/* canned.h: a server on loopback that answers the n-th request with the n-th canned answer.
 *
 * It reads a whole request (head and Content-Length), keeps it, and does what its entry says. One
 * thread, one connection at a time.
 */
#ifndef TEST_CANNED_H
#define TEST_CANNED_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "conc/thread.h"

struct canned_answer {
    const char *text;   /* sent as it is; NULL nothing */
    size_t n;           /* 0: strlen */
    int64_t stall_ms;   /* before it */
    int64_t drip_ms;    /* between its bytes */
    bool closes;        /* the connection, after it */
    bool resets;        /* likewise, rudely */
    bool closes_unread; /* before the request was read */
};
#define CANNED_MAX 16
struct canned {
    const struct canned_answer *answers;
    size_t n;
    int fd, port;
    atomic_bool stop;
    atomic_uint requests, connections;
    struct mst_str seen[CANNED_MAX]; /* whole requests; read after canned_stop, or when answered */
    struct mst_thread thread;
};

static inline bool canned_wait(struct canned *c, int fd, int64_t ms)
{
    const int64_t end = mst_clock_mono_ms(NULL) + ms;

    while (!atomic_load(&c->stop) && mst_clock_mono_ms(NULL) < end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (poll(&p, fd >= 0 ? 1 : 0, 20) > 0) {
            return true;
        }
    }
    return false;
}

/* One request into seen[i]; false when the peer is gone. */
static inline bool canned_read(struct canned *c, int fd, size_t i)
{
    struct mst_str *s = &c->seen[i];
    size_t need = SIZE_MAX;

    while (s->len < need) {
        char buf[65536];
        const char *end, *length;
        ssize_t n;

        if (!canned_wait(c, fd, 20000) || (n = recv(fd, buf, sizeof(buf), 0)) <= 0) {
            return false;
        }
        mst_str_addn(s, buf, (size_t)n);
        end = strstr(mst_str_c(s), "\r\n\r\n");
        if (end && need == SIZE_MAX) {
            length = strcasestr(s->p, "\r\ncontent-length:");
            need = (size_t)(end + 4 - s->p) +
                   (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    return true;
}

static inline void canned_answer_one(struct canned *c, int fd, const struct canned_answer *a)
{
    const size_t n = a->n ? a->n : a->text ? strlen(a->text) : 0;

    if (a->stall_ms) {
        (void)canned_wait(c, -1, a->stall_ms);
    }
    for (size_t i = 0; a->drip_ms && i < n && !atomic_load(&c->stop); i++) {
        if (send(fd, a->text + i, 1, MSG_NOSIGNAL) != 1) {
            return;
        }
        (void)canned_wait(c, -1, a->drip_ms);
    }
    for (size_t at = 0; !a->drip_ms && at < n;) {
        const ssize_t out = send(fd, a->text + at, n - at, MSG_NOSIGNAL);

        if (out <= 0) {
            return;
        }
        at += (size_t)out;
    }
    if (a->resets) {
        const struct linger now = {.l_onoff = 1};

        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
}

static inline void canned_run(void *arg)
{
    struct canned *c = arg;
    size_t i = 0;

    while (!atomic_load(&c->stop)) {
        int fd;

        if (!canned_wait(c, c->fd, 1000) || (fd = accept(c->fd, NULL, NULL)) < 0) {
            continue;
        }
        atomic_fetch_add(&c->connections, 1);
        while (i < c->n && !atomic_load(&c->stop)) {
            const struct canned_answer *a = &c->answers[i];

            if (!a->closes_unread && !canned_read(c, fd, i)) {
                break;
            }
            i++;
            atomic_fetch_add(&c->requests, 1); /* before its answer may be heard */
            canned_answer_one(c, fd, a);
            if (a->closes || a->resets || a->closes_unread) {
                break;
            }
        }
        (void)close(fd);
    }
}

static inline void canned_start(struct canned *c, const struct canned_answer *answers, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    struct mst_err err = {0};

    memset(c, 0, sizeof(*c));
    c->answers = answers;
    c->n = n;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MST_ASSERT(n <= CANNED_MAX && c->fd >= 0 &&
               bind(c->fd, (const struct sockaddr *)&a, sizeof(a)) == 0 && listen(c->fd, 16) == 0 &&
               getsockname(c->fd, (struct sockaddr *)&a, &len) == 0);
    c->port = ntohs(a.sin_port);
    MST_ASSERT(mst_thread_start(&c->thread, "canned", canned_run, c, &err) == MST_OK);
}

static inline void canned_stop(struct canned *c)
{
    atomic_store(&c->stop, true);
    mst_thread_join(&c->thread);
    (void)close(c->fd);
    for (size_t i = 0; i < CANNED_MAX; i++) {
        mst_str_release(&c->seen[i]);
    }
}

#endif
