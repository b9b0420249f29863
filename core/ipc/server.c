/* The agent's side: one thread, one poll loop; the engine does the work on threads of its own. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ipc/codec.h"
#include "ipc/frame.h"
#include "log/log.h"

#define CLIENTS_MAX 32
#define TICKETS_MAX 16
#define OUT_MAX ((size_t)2 * MST_IPC_FRAME_MAX)
#define PARTS (7 + 2 * MST_VIEW_STORES)

struct client {
    int fd;
    struct mst_buf in, out;
    size_t out_at; /* bytes of out that were sent */
    bool greeted, gone;
    uint64_t gen;
    struct mst_shared *sent[PARTS]; /* what it has; each a reference */
};

struct server {
    struct mst_engine *engine;
    int listen_fd;
    const struct mst_ipc_serve_opts *o;
    const struct mst_view *view;
    struct client clients[CLIENTS_MAX];
    size_t n;
    struct mst_ticket *tickets[TICKETS_MAX]; /* handed out, newest overwrites oldest */
    size_t n_tickets;
    bool stop;
    int64_t idle_since_ms;
};

/* --- views to clients --- */

struct part {
    const char *name;
    const struct desc *desc;
    struct mst_shared *p;
    const void *from;
};

static void parts_of(const struct mst_view *v, struct part out[PARTS])
{
    static const char *const names[] = {"store0", "store1", "store2", "store3",
                                        "store4", "store5", "store6", "store7"};
    static const char *const looks[] = {"look0", "look1", "look2", "look3",
                                        "look4", "look5", "look6", "look7"};
    const struct part all[] = {
        {"info", &ipc_info, (struct mst_shared *)v->info, v->info},
        {"topo", &ipc_topo, (struct mst_shared *)v->topo, v->topo ? &v->topo->v : NULL},
        {"jobs", &ipc_jobs, (struct mst_shared *)v->jobs, v->jobs},
        {"detail", &ipc_detail, (struct mst_shared *)v->detail, v->detail},
        {"leavings", &ipc_leavings, (struct mst_shared *)v->leavings, v->leavings},
        {"messages", &ipc_messages, (struct mst_shared *)v->messages, v->messages},
        {"move", &ipc_move, (struct mst_shared *)v->move, v->move}};

    memset(out, 0, PARTS * sizeof(out[0]));
    memcpy(out, all, sizeof(all));
    for (size_t i = 0; i < v->n_stores; i++) {
        const struct part p = {names[i], &ipc_bucket, (struct mst_shared *)v->stores[i],
                               v->stores[i]};

        out[MST_COUNT(all) + i] = p;
        out[MST_COUNT(all) + MST_VIEW_STORES + i] =
            (struct part){looks[i], &ipc_look, (struct mst_shared *)v->looks[i], v->looks[i]};
    }
}

static int64_t home_of(const struct mst_view *v)
{
    for (size_t i = 0; i < v->n_stores; i++) {
        if (v->stores[i] == v->bucket) {
            return (int64_t)i;
        }
    }
    return -1;
}

static void send_view(struct server *s, struct client *c)
{
    struct part parts[PARTS];
    bson_t doc, sub;

    /* A slow client gets the newest view when it has taken the one before. */
    if (!c->greeted || c->gen == s->view->gen || c->out.len > 0) {
        return;
    }
    parts_of(s->view, parts);
    bson_init(&doc);
    BSON_APPEND_INT64(&doc, "view", (int64_t)s->view->gen);
    BSON_APPEND_INT64(&doc, "mono", s->view->now_mono_ms);
    BSON_APPEND_INT64(&doc, "wall", s->view->now_wall_ms);
    BSON_APPEND_INT64(&doc, "home", home_of(s->view));
    for (size_t i = 0; i < PARTS; i++) {
        if (parts[i].p == c->sent[i] || !parts[i].p) {
            continue;
        }
        bson_append_document_begin(&doc, parts[i].name, -1, &sub);
        ipc_encode(parts[i].desc, parts[i].from, &sub);
        bson_append_document_end(&doc, &sub);
        mst_shared_unref(c->sent[i]);
        mst_shared_ref(parts[i].p);
        c->sent[i] = parts[i].p;
    }
    c->gen = s->view->gen;
    ipc_frame_put(&c->out, &doc);
    bson_destroy(&doc);
}

/* --- requests --- */

static bool working(const struct server *s)
{
    for (size_t i = 0; i < s->view->jobs->n; i++) {
        if (s->view->jobs->jobs[i].state <= MST_JOB_CANCELLING) {
            return true;
        }
    }
    return false;
}

static void keep_ticket(struct server *s, const struct mst_ticket *t)
{
    struct mst_ticket **slot = &s->tickets[s->n_tickets % TICKETS_MAX];
    struct mst_ticket *copy;

    if (t->cmd.dry_run) {
        return; /* it has the hash of the real one */
    }
    s->n_tickets++;
    copy = mst_xmemdup(t, sizeof(*t));

    copy->rules = NULL; /* a commit looks at none of these */
    copy->steps = NULL;
    copy->file = NULL;
    copy->n_rules = copy->n_steps = copy->n_file = 0;
    mst_ticket_free(*slot);
    *slot = copy;
}

static enum mst_rc do_commit(struct server *s, const bson_t *q, uint64_t *job, struct mst_err *err)
{
    char plan[40], typed[200];

    (void)ipc_text(q, "plan", plan, sizeof(plan));
    (void)ipc_text(q, "typed", typed, sizeof(typed));
    for (size_t i = 0; i < TICKETS_MAX && i < s->n_tickets; i++) { /* the newest first */
        const struct mst_ticket *t = s->tickets[(s->n_tickets - 1 - i) % TICKETS_MAX];

        if (strcmp(t->plan_hash, plan) == 0) {
            return mst_engine_commit(s->engine, t, typed, job, err);
        }
    }
    return mst_err_set(err, MST_E_STALE, "this ticket is not known any more: make a new one");
}

static enum mst_rc do_cmd(struct server *s, const char *op, const bson_t *q, bson_t *reply,
                          struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    uint64_t id = 0;
    bson_t sub;
    enum mst_rc rc;

    if (!ipc_doc(q, "cmd", &sub)) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "a request without its command");
    } else if ((rc = ipc_decode(&ipc_cmd, &sub, cmd, err)) == MST_OK) {
        rc = strcmp(op, "submit") == 0 ? mst_engine_submit(s->engine, cmd, &id, err)
                                       : mst_engine_prepare(s->engine, cmd, &id, err);
    }
    BSON_APPEND_INT64(reply, strcmp(op, "submit") == 0 ? "job" : "handle", (int64_t)id);
    free(cmd);
    return rc;
}

static enum mst_rc do_ticket(struct server *s, const bson_t *q, bson_t *reply, struct mst_err *err)
{
    struct mst_ticket *t = NULL;
    bson_t sub;
    enum mst_rc rc = mst_engine_ticket(s->engine, (uint64_t)ipc_int(q, "handle", 0), &t, err);

    if (rc == MST_OK) {
        bson_append_document_begin(reply, "ticket", -1, &sub);
        ipc_encode(&ipc_ticket, t, &sub);
        bson_append_document_end(reply, &sub);
        keep_ticket(s, t);
    }
    mst_ticket_free(t);
    return rc;
}

static void request(struct server *s, struct client *c, const bson_t *q)
{
    struct mst_err err = {0};
    bson_t reply, sub;
    char op[16];
    uint64_t job = 0;
    enum mst_rc rc;

    bson_init(&reply);
    BSON_APPEND_INT64(&reply, "r", ipc_int(q, "q", 0));
    (void)ipc_text(q, "op", op, sizeof(op));
    if (strcmp(op, "submit") == 0 || strcmp(op, "prepare") == 0) {
        rc = do_cmd(s, op, q, &reply, &err);
    } else if (strcmp(op, "ticket") == 0) {
        rc = do_ticket(s, q, &reply, &err);
    } else if (strcmp(op, "commit") == 0) {
        rc = do_commit(s, q, &job, &err);
        BSON_APPEND_INT64(&reply, "job", (int64_t)job);
    } else {
        rc = mst_err_set(&err, MST_E_USAGE, "the agent knows no request \"%s\"", op);
    }
    BSON_APPEND_INT64(&reply, "rc", rc);
    if (rc != MST_OK) {
        bson_append_document_begin(&reply, "err", -1, &sub);
        ipc_encode(&ipc_err, &err, &sub);
        bson_append_document_end(&reply, &sub);
    }
    ipc_frame_put(&c->out, &reply);
    bson_destroy(&reply);
}

static void hello(const struct server *s, struct client *c, const bson_t *q)
{
    char version[40], config[33];
    bson_t reply;

    bson_init(&reply);
    BSON_APPEND_UTF8(&reply, "hello", IPC_HELLO);
    BSON_APPEND_INT64(&reply, "pid", getpid());
    ipc_cfg_hash(s->o->cfg, config);
    BSON_APPEND_UTF8(&reply, "cfg", config);
    ipc_frame_put(&c->out, &reply);
    bson_destroy(&reply);
    /* One of another version reads who we are and goes. */
    c->greeted = ipc_text(q, "hello", version, sizeof(version)) && strcmp(version, IPC_HELLO) == 0;
}

static void stop_request(struct server *s, struct client *c, const bson_t *q)
{
    const bool yes = ipc_int(q, "force", 0) != 0 || !working(s);
    bson_t reply;

    bson_init(&reply);
    BSON_APPEND_INT64(&reply, "stop", yes);
    ipc_frame_put(&c->out, &reply);
    bson_destroy(&reply);
    s->stop = s->stop || yes;
}

static void handle(struct server *s, struct client *c, const bson_t *q)
{
    if (bson_has_field(q, "stop")) {
        stop_request(s, c, q);
    } else if (bson_has_field(q, "hello")) {
        hello(s, c, q);
    } else if (c->greeted) {
        request(s, c, q);
    } else {
        c->gone = true;
    }
}

/* --- sockets --- */

static void drop_client(struct server *s, size_t i)
{
    struct client *c = &s->clients[i];

    (void)close(c->fd);
    mst_buf_release(&c->in);
    mst_buf_release(&c->out);
    for (size_t p = 0; p < PARTS; p++) {
        mst_shared_unref(c->sent[p]);
    }
    s->clients[i] = s->clients[--s->n];
    memset(&s->clients[s->n], 0, sizeof(s->clients[s->n]));
}

static void accept_client(struct server *s)
{
    const int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        return;
    }
    if (s->n == CLIENTS_MAX || !ipc_peer_ok(fd)) {
        mst_log(MST_LOG_WARN, "agent", "a connection was refused: %s",
                s->n == CLIENTS_MAX ? "too many" : "another user");
        (void)close(fd);
        return;
    }
    memset(&s->clients[s->n], 0, sizeof(s->clients[0]));
    s->clients[s->n++].fd = fd;
}

static void read_client(struct server *s, struct client *c)
{
    struct mst_err err = {0};
    const ssize_t n = recv(c->fd, mst_buf_room(&c->in, 65536), 65536, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        c->gone = true;
        return;
    }
    c->in.len += n > 0 ? (size_t)n : 0;
    while (!c->gone) {
        bson_t doc;
        size_t used;
        bool whole;

        if (ipc_frame_take(&c->in, &doc, &used, &whole, &err) != MST_OK) {
            mst_log(MST_LOG_WARN, "agent", "a client was dropped: %s", err.msg);
            c->gone = true;
        } else if (!whole) {
            break;
        } else {
            handle(s, c, &doc);
            mst_buf_drop(&c->in, used);
        }
    }
}

static void write_client(struct client *c)
{
    while (c->out_at < c->out.len) {
        const ssize_t n = send(c->fd, c->out.p + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL);

        if (n < 0) {
            c->gone = c->gone || (errno != EAGAIN && errno != EINTR) || c->out.len > OUT_MAX;
            return;
        }
        c->out_at += (size_t)n;
    }
    mst_buf_reset(&c->out);
    c->out_at = 0;
}

/* Bind, replacing what a dead agent left. */
static enum mst_rc listen_at(const char *path, int *out, struct mst_err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct mst_err probe = {0};
    char why[128];
    int fd;

    *out = -1;
    if (!mst_copy(a.sun_path, sizeof(a.sun_path), path)) {
        return mst_err_set(err, MST_E_CONFIG, "the socket path %s is too long", path);
    }
    if (ipc_connect(path, &fd, &probe) == MST_OK) {
        (void)close(fd);
        return mst_err_set(err, MST_E_BUSY, "an agent listens at %s already", path);
    }
    if (probe.rc != MST_E_NOTFOUND) {
        *err = probe;
        return err->rc;
    }
    (void)unlink(path); /* ours: the directory is private and nobody answers */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)(const void *)&a, sizeof(a)) != 0 ||
        chmod(path, 0600) != 0 || listen(fd, 16) != 0) {
        (void)mst_err_set_detail(err, MST_E_IO, errno, "cannot listen at %s: %s", path,
                                 mst_errno_text(errno, why, sizeof(why)));
        if (fd >= 0) {
            (void)close(fd);
        }
        return err->rc;
    }
    *out = fd;
    return MST_OK;
}

static void refresh(struct server *s)
{
    const struct mst_view *v = mst_engine_view(s->engine);

    mst_view_release(s->view);
    s->view = v;
}

/* The socket that we made is still the one at the path; a removed one means: end. */
static bool still_there(const struct server *s, const struct stat *mine)
{
    struct stat st;

    return lstat(s->o->path, &st) == 0 && st.st_ino == mine->st_ino && st.st_dev == mine->st_dev;
}

static bool idle_too_long(struct server *s)
{
    const int64_t now = mst_clock_mono_ms(NULL);

    if (s->n > 0 || working(s)) {
        s->idle_since_ms = now;
    }
    return s->o->idle_exit_ms > 0 && now - s->idle_since_ms > s->o->idle_exit_ms;
}

static void turn(struct server *s)
{
    struct pollfd p[CLIENTS_MAX + 3] = {{.fd = s->listen_fd, .events = POLLIN},
                                        {.fd = mst_engine_wake_fd(s->engine), .events = POLLIN},
                                        {.fd = s->o->stop_fd, .events = POLLIN}};
    const size_t n = s->n;

    for (size_t i = 0; i < n; i++) {
        p[3 + i].fd = s->clients[i].fd;
        p[3 + i].events = (short)(POLLIN | (s->clients[i].out.len ? POLLOUT : 0));
    }
    (void)poll(p, (nfds_t)(3 + n), 1000);
    s->stop = s->stop || p[2].revents;
    if (p[1].revents) {
        refresh(s);
    }
    for (size_t i = 0; i < n; i++) {
        if (p[3 + i].revents & (POLLIN | POLLHUP | POLLERR)) {
            read_client(s, &s->clients[i]);
        }
    }
    for (size_t i = s->n; i > 0; i--) {
        write_client(&s->clients[i - 1]); /* a reply first: a view waits until all is out */
        send_view(s, &s->clients[i - 1]);
        write_client(&s->clients[i - 1]);
        if (s->clients[i - 1].gone) {
            drop_client(s, i - 1);
        }
    }
    if (p[0].revents) {
        accept_client(s);
    }
}

enum mst_rc mst_ipc_serve(const struct mst_ipc_serve_opts *o, struct mst_engine *e,
                          struct mst_err *err)
{
    struct server s = {
        .engine = e, .o = o, .listen_fd = -1, .idle_since_ms = mst_clock_mono_ms(NULL)};
    struct stat mine = {0};
    enum mst_rc rc = listen_at(o->path, &s.listen_fd, err);

    if (rc == MST_OK) {
        (void)lstat(o->path, &mine);
        refresh(&s);
        if (o->ready_fd >= 0) {
            (void)!write(o->ready_fd, "", 1);
        }
        while (!s.stop && still_there(&s, &mine) && !idle_too_long(&s)) {
            turn(&s);
        }
        if (still_there(&s, &mine)) {
            (void)unlink(o->path);
        }
    }
    while (s.n > 0) {
        write_client(&s.clients[s.n - 1]);
        drop_client(&s, s.n - 1);
    }
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        mst_ticket_free(s.tickets[i]);
    }
    mst_view_release(s.view);
    if (s.listen_fd >= 0) {
        (void)close(s.listen_fd);
    }
    return rc;
}
