/* forward.h: a proxy on loopback for tests: CONNECT, and requests with a whole address. It may want
 * a login, keeps the head of every request that came to it, and leads to 127.0.0.1 only.
 */
#ifndef TEST_FORWARD_H
#define TEST_FORWARD_H

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

#include "base/mem.h"
#include "base/str.h"
#include "conc/thread.h"

#define FORWARD_MAX 256U

struct forward;
struct forward_way {
    struct forward *of;
    int fd;
    struct mst_thread thread;
};
struct forward {
    const char *login; /* base64 of "user:password"; NULL: anybody may pass */
    int status;        /* not 0: the answer to everything */
    int fd, port;
    atomic_bool stop;
    atomic_uint passed, refused;
    struct mst_mutex mtx;
    struct mst_str heads; /* of all requests that it saw */
    struct forward_way ways[FORWARD_MAX];
    unsigned n;
    struct mst_thread thread;
};

static inline int forward_to(const char *host)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const char *colon = strchr(host, ':');
    int fd;

    if (!colon || strncmp(host, "127.0.0.1:", 10) != 0) {
        return -1;
    }
    a.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static inline bool forward_send(int fd, const char *p, size_t n)
{
    while (n > 0) {
        const ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

        if (k <= 0) {
            return false;
        }
        p += k;
        n -= (size_t)k;
    }
    return true;
}

static inline void forward_pump(struct forward *f, int a, int b)
{
    struct pollfd p[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
    char *buf = mst_xmalloc(65536);

    while (!atomic_load(&f->stop)) {
        if (poll(p, 2, 50) <= 0) {
            continue;
        }
        for (int i = 0; i < 2; i++) {
            const ssize_t n = p[i].revents ? recv(p[i].fd, buf, 65536, 0) : 1;

            if (n <= 0 || (p[i].revents && !forward_send(p[!i].fd, buf, (size_t)n))) {
                free(buf);
                return;
            }
        }
    }
    free(buf);
}

/* The head of a request, to its empty line. */
static inline bool forward_head(struct forward *f, int fd, struct mst_str *head)
{
    while (!strstr(mst_str_c(head), "\r\n\r\n")) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char c;

        if (atomic_load(&f->stop) || (poll(&p, 1, 50) > 0 && recv(fd, &c, 1, 0) != 1)) {
            return false;
        }
        if (p.revents) {
            mst_str_addc(head, c);
        }
    }
    return true;
}

static inline void forward_one(void *arg)
{
    struct forward_way *w = arg;
    struct forward *f = w->of;
    struct mst_str head = {0};
    char host[64] = "", answer[80];
    const char *at;
    int up = -1;

    if (forward_head(f, w->fd, &head)) {
        mst_mutex_lock(&f->mtx);
        mst_str_add(&f->heads, mst_str_c(&head));
        mst_mutex_unlock(&f->mtx);
        at = strcasestr(mst_str_c(&head), "\r\nproxy-authorization: basic ");
        if (f->status || (f->login && (!at || strncmp(at + 29, f->login, strlen(f->login)) != 0))) {
            atomic_fetch_add(&f->refused, 1);
            (void)snprintf(answer, sizeof(answer), "HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n",
                           f->status ? f->status : 407);
            (void)forward_send(w->fd, answer, strlen(answer));
        } else {
            const bool tunnel = strncmp(mst_str_c(&head), "CONNECT ", 8) == 0;
            const char *from = tunnel ? mst_str_c(&head) + 8 : strstr(mst_str_c(&head), "://");

            from = from && !tunnel ? from + 3 : from;
            (void)snprintf(host, sizeof(host), "%.*s", from ? (int)strcspn(from, " /") : 0,
                           from ? from : "");
            up = forward_to(host);
            atomic_fetch_add(up >= 0 ? &f->passed : &f->refused, 1);
            if (up >= 0 && (tunnel ? forward_send(w->fd, "HTTP/1.1 200 Go\r\n\r\n", 19)
                                   : forward_send(up, mst_str_c(&head), head.len))) {
                forward_pump(f, w->fd, up);
            }
        }
    }
    (void)close(w->fd);
    if (up >= 0) {
        (void)close(up);
    }
    mst_str_release(&head);
}

static inline void forward_run(void *arg)
{
    struct forward *f = arg;
    struct mst_err err = {0};

    while (!atomic_load(&f->stop)) {
        struct pollfd p = {.fd = f->fd, .events = POLLIN};
        struct forward_way *w = &f->ways[f->n];

        if (poll(&p, 1, 50) <= 0 || (w->fd = accept(f->fd, NULL, NULL)) < 0) {
            continue;
        }
        MST_ASSERT(f->n + 1 < FORWARD_MAX);
        w->of = f;
        f->n++;
        MST_ASSERT(mst_thread_start(&w->thread, "way", forward_one, w, &err) == MST_OK);
    }
}

static inline void forward_start(struct forward *f, const char *login)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    struct mst_err err = {0};

    memset(f, 0, sizeof(*f));
    f->login = login;
    mst_mutex_init(&f->mtx);
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MST_ASSERT(f->fd >= 0 && bind(f->fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
               listen(f->fd, 64) == 0 && getsockname(f->fd, (struct sockaddr *)&a, &len) == 0);
    f->port = ntohs(a.sin_port);
    MST_ASSERT(mst_thread_start(&f->thread, "forward", forward_run, f, &err) == MST_OK);
}

static inline void forward_stop(struct forward *f)
{
    atomic_store(&f->stop, true);
    mst_thread_join(&f->thread);
    for (unsigned i = 0; i < f->n; i++) {
        mst_thread_join(&f->ways[i].thread);
    }
    (void)close(f->fd);
    mst_str_release(&f->heads);
    mst_mutex_release(&f->mtx);
}

#endif
