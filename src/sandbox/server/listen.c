/* listen.c: one thread accepts for all members.
 *
 * Every port is held by a second, bound socket that never listens: while the member is dead a
 * connect is refused, and no other process gets the port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/internal.h"

static int bound_socket(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t len = sizeof a;
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -1;
    }
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0) {
        const int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    *port = ntohs(a.sin_port);
    return fd;
}

static enum mst_rc refuse_port(int port, struct mst_err *err)
{
    char text[64];
    const int code = errno;

    return mst_err_set_detail(err, MST_E_NET, code, "cannot listen on 127.0.0.1:%d: %s", port,
                              mst_errno_text(code, text, sizeof text));
}

static enum mst_rc open_listener(struct sbx_member *m, struct mst_err *err)
{
    struct sbx_server_state *s = m->w->server;
    const int fd = bound_socket(&m->port);

    if (fd < 0) {
        return refuse_port(m->port, err);
    }
    if (listen(fd, 512) != 0) {
        const enum mst_rc rc = refuse_port(m->port, err);
        (void)close(fd);
        return rc;
    }
    s->listen_fd[m->index] = fd;
    return MST_OK;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

void sbx_server_poke(struct sbx_world *w)
{
    const uint64_t one = 1;
    ssize_t n;

    if (w->server != NULL && w->server->wake_fd >= 0) {
        do {
            n = write(w->server->wake_fd, &one, sizeof one);
        } while (n < 0 && errno == EINTR);
    }
}

/* Which sockets to watch: listeners of members that are not frozen. */
static nfds_t watched(struct sbx_world *w, struct pollfd *p, size_t *who)
{
    nfds_t n = 0;

    p[n++] = (struct pollfd){.fd = w->server->wake_fd, .events = POLLIN};
    for (size_t i = 0; i < w->n; i++) {
        if (w->server->listen_fd[i] >= 0 && !w->members[i].frozen) {
            who[n] = i;
            p[n++] = (struct pollfd){.fd = w->server->listen_fd[i], .events = POLLIN};
        }
    }
    return n;
}

static void take_one(struct sbx_world *w, size_t i, int listen_fd)
{
    const int one = 1;

    if (w->server->listen_fd[i] != listen_fd || w->members[i].frozen) {
        return; /* it went while we polled */
    }
    const int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        sbx_conn_serve(w, &w->members[i], fd);
    }
}

static void accept_loop(void *arg)
{
    struct sbx_world *w = arg;
    struct pollfd p[SBX_MEMBERS_MAX + 1];
    size_t who[SBX_MEMBERS_MAX + 1] = {0};
    uint64_t drain;

    sbx_lock(w);
    while (!w->stopping) {
        const nfds_t n = watched(w, p, who);
        sbx_unlock(w);
        const int k = poll(p, n, -1);
        if (k > 0 && (p[0].revents & POLLIN) != 0 &&
            read(w->server->wake_fd, &drain, sizeof drain) < 0) {
            drain = 0; /* already drained */
        }
        sbx_lock(w);
        for (nfds_t j = 1; k > 0 && j < n && !w->stopping; j++) {
            if ((p[j].revents & POLLIN) != 0) {
                take_one(w, who[j], p[j].fd);
            }
        }
    }
    sbx_unlock(w);
}

static enum mst_rc open_ports(struct sbx_world *w, struct mst_err *err)
{
    for (size_t i = 0; i < w->n; i++) {
        struct sbx_member *m = &w->members[i];
        w->server->reserve_fd[i] = bound_socket(&m->port);
        if (w->server->reserve_fd[i] < 0) {
            return refuse_port(m->port, err);
        }
        (void)snprintf(m->host, sizeof m->host, "127.0.0.1:%d", m->port);
        if (m->alive) {
            const enum mst_rc rc = open_listener(m, err);
            if (rc != MST_OK) {
                return rc;
            }
        }
    }
    return MST_OK;
}

static void close_ports(struct sbx_world *w)
{
    for (size_t i = 0; i < SBX_MEMBERS_MAX; i++) {
        close_fd(&w->server->listen_fd[i]);
        close_fd(&w->server->reserve_fd[i]);
    }
}

enum mst_rc sbx_server_open(struct sbx_world *w, struct mst_err *err)
{
    w->server = mst_xcalloc(1, sizeof *w->server);
    w->server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < SBX_MEMBERS_MAX; i++) {
        w->server->listen_fd[i] = w->server->reserve_fd[i] = -1;
    }
    if (w->server->wake_fd < 0) {
        return mst_err_set_detail(err, MST_E_IO, errno, "no event descriptor to be had");
    }
    return open_ports(w, err);
}

enum mst_rc sbx_server_start(struct sbx_world *w, struct mst_err *err)
{
    const enum mst_rc rc =
        mst_thread_start(&w->server->acceptor, "sbx-accept", accept_loop, w, err);

    w->server->started = rc == MST_OK;
    return rc;
}

void sbx_server_stop(struct sbx_world *w)
{
    if (w->server == NULL) {
        return;
    }
    sbx_lock(w);
    w->stopping = true;
    for (struct sbx_conn *c = w->conns; c != NULL; c = c->next) {
        c->dead = true;
        (void)shutdown(c->fd, SHUT_RDWR);
    }
    sbx_changed(w);
    sbx_server_poke(w);
    sbx_unlock(w);
    if (w->server->started) {
        mst_thread_join(&w->server->acceptor);
    }
    sbx_lock(w);
    while (w->server->n_threads > 0) {
        mst_cond_wait(&w->changed, &w->mu);
    }
    sbx_unlock(w);
    close_ports(w);
    close_fd(&w->server->wake_fd);
    free(w->server);
    w->server = NULL;
}

void sbx_server_kill(struct sbx_member *m)
{
    struct sbx_world *w = m->w;

    /* The accepting thread may be polling it: closing alone would leave it listening. */
    (void)shutdown(w->server->listen_fd[m->index], SHUT_RDWR);
    close_fd(&w->server->listen_fd[m->index]);
    m->generation++;
    sbx_conns_close(m);
    sbx_hooks_died(m);
    sbx_server_poke(w);
    sbx_changed(w);
}

enum mst_rc sbx_server_revive(struct sbx_member *m, struct mst_err *err)
{
    const enum mst_rc rc = open_listener(m, err);

    sbx_server_poke(m->w);
    return rc;
}

int sbx_server_connections(const struct sbx_member *m)
{
    int n = 0;

    for (const struct sbx_conn *c = m->w->conns; c != NULL; c = c->next) {
        n += c->m == m;
    }
    return n;
}
