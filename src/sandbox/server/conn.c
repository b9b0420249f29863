/* conn.c: one thread serves one connection: read a frame, run its command, answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "log/log.h"
#include "server/internal.h"
#include "wire/client.h"
#include "wire/frame.h"

static long plain_read(struct sbx_conn *c, void *p, size_t n)
{
    return recv(c->fd, p, n, 0);
}

static long plain_write(struct sbx_conn *c, const void *p, size_t n)
{
    return send(c->fd, p, n, MSG_NOSIGNAL);
}

static bool read_all(struct sbx_conn *c, uint8_t *p, size_t n)
{
    while (n > 0) {
        const long k = c->io.read(c, p, n);
        if (k > 0) {
            p += k;
            n -= (size_t)k;
        } else if (k == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

static bool write_all(struct sbx_conn *c, const uint8_t *p, size_t n)
{
    while (n > 0) {
        const long k = c->io.write(c, p, n);
        if (k > 0) {
            p += k;
            n -= (size_t)k;
        } else if (k == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* A frame whose length is not yet believed grows as its bytes come in. */
static bool read_frame(struct sbx_conn *c, struct mst_buf *b)
{
    uint8_t h[SBX_FRAME_HEAD];

    mst_buf_reset(b);
    if (!read_all(c, h, sizeof h)) {
        return false;
    }
    const int32_t len = sbx_frame_length(h);
    if (len < 0) {
        mst_log(MST_LOG_WARN, "sandbox", "%s: a frame of impossible length", c->peer);
        return false;
    }
    mst_buf_add(b, h, sizeof h);
    while (b->len < (size_t)len) {
        const size_t left = (size_t)len - b->len;
        const size_t n = left > 1u << 20 ? 1u << 20 : left;
        if (!read_all(c, mst_buf_room(b, n), n)) {
            return false;
        }
        b->len += n;
    }
    return true;
}

static void copy_db(struct sbx_call *call, const struct sbx_frame *f)
{
    const char *db = sbx_doc_str(&f->body, "$db");

    if (f->opcode == SBX_OP_QUERY) {
        const char *dot = strchr(f->ns, '.');
        const size_t n = dot == NULL ? 0 : (size_t)(dot - f->ns);
        if (n > 0 && n < sizeof call->db && strcmp(dot, ".$cmd") == 0) {
            memcpy(call->db, f->ns, n);
            call->db[n] = '\0';
        }
    } else if (db != NULL && strlen(db) < sizeof call->db) {
        (void)mst_copy(call->db, sizeof call->db, db);
    }
}

/* A frozen process reads nothing and answers nothing. False: the connection ends. */
static bool wait_thaw(struct sbx_conn *c)
{
    while (c->m->frozen && !c->dead && !c->w->stopping) {
        mst_cond_wait(&c->w->changed, &c->w->mu);
    }
    return !c->dead && !c->w->stopping;
}

static const bson_t *unwrap(const struct sbx_frame *f, bson_t *view)
{
    bson_iter_t it;
    const uint8_t *p;
    uint32_t n;

    /* {$query: {...}, $readPreference: ..} around a command in OP_QUERY */
    if (f->opcode == SBX_OP_QUERY && bson_iter_init_find(&it, &f->body, "$query") &&
        BSON_ITER_HOLDS_DOCUMENT(&it)) {
        bson_iter_document(&it, &n, &p);
        if (bson_init_static(view, p, n)) {
            return view;
        }
    }
    return &f->body;
}

struct answer {
    bson_t reply;
    bool send, close, more;
};

static void run_call(struct sbx_conn *c, const struct sbx_frame *f, const bson_t *cmd,
                     struct answer *a)
{
    const bool msg = f->opcode == SBX_OP_MSG;
    struct sbx_call call = {
        .w = c->w,
        .m = c->m,
        .conn = c,
        .cmd = cmd,
        .reply = &a->reply,
        .legacy = !msg,
        .secondary_ok = !msg && (f->flags & SBX_QUERY_SECONDARY_OK) != 0,
        .exhaust_allowed = msg && (f->flags & SBX_MSG_EXHAUST_ALLOWED) != 0,
        .no_answer = msg && (f->flags & SBX_MSG_MORE_TO_COME) != 0,
    };

    copy_db(&call, f);
    c->op_cmd = cmd;
    c->op_since_mono = sbx_mono(c->w);
    c->op_id++;
    c->killed_op = 0;
    c->op_writes = c->op_blocked = false;
    sbx_dispatch(&call);
    c->op = NULL;
    c->op_cmd = NULL;
    a->send = !call.no_answer;
    a->close = call.close;
    a->more = call.more_to_come && !call.failed;
    sbx_call_release(&call);
}

static bool send_answer(struct sbx_conn *c, const struct sbx_frame *f, const struct answer *a,
                        int32_t *last_id)
{
    struct mst_buf out = {0};
    const int32_t to = *last_id;

    *last_id = (int32_t)(++c->w->members[c->m->index].counters.requests & 0x7fffffff);
    if (f->opcode == SBX_OP_MSG) {
        sbx_frame_msg(&out, *last_id, to, a->more ? SBX_MSG_MORE_TO_COME : 0, &a->reply);
    } else {
        sbx_frame_reply(&out, *last_id, to, &a->reply);
    }
    c->m->counters.bytes_out += (int64_t)out.len;
    sbx_unlock(c->w);
    const bool sent = write_all(c, out.p, out.len);
    mst_buf_release(&out);
    sbx_lock(c->w);
    return sent;
}

/* The next command of a stream is the one before with the topologyVersion of its answer. */
static void follow_up(const bson_t *cmd, const bson_t *reply, bson_t *next)
{
    bson_iter_t it, tv;

    bson_init(next);
    if (!bson_iter_init(&it, cmd)) {
        return;
    }
    while (bson_iter_next(&it)) {
        if (strcmp(bson_iter_key(&it), "topologyVersion") == 0 &&
            bson_iter_init_find(&tv, reply, "topologyVersion")) {
            bson_append_iter(next, "topologyVersion", -1, &tv);
        } else {
            bson_append_iter(next, bson_iter_key(&it), -1, &it);
        }
    }
}

/* One request and its one answer, or the stream of answers it asked for. */
static bool serve_frame(struct sbx_conn *c, const struct sbx_frame *f)
{
    bson_t view, own;
    const bson_t *cmd = unwrap(f, &view);
    int32_t last_id = f->id;
    bool go = true, more = true, have_own = false;

    while (go && more) {
        struct answer a = {.send = false};
        bson_init(&a.reply);
        run_call(c, f, cmd, &a);
        go = wait_thaw(c) && (!a.send || send_answer(c, f, &a, &last_id)) && !a.close;
        more = a.more;
        if (go && more) {
            bson_t next;
            follow_up(cmd, &a.reply, &next);
            if (have_own) {
                bson_destroy(&own);
            }
            bson_copy_to(&next, &own);
            bson_destroy(&next);
            have_own = true;
            cmd = &own;
        }
        bson_destroy(&a.reply);
    }
    if (have_own) {
        bson_destroy(&own);
    }
    return go;
}

/* With the lock held, which is let go while bytes are read. */
static void serve(struct sbx_conn *c)
{
    struct mst_buf b = {0};
    bool go = true;

    while (go) {
        struct sbx_frame f;
        struct mst_err err = {0};
        sbx_unlock(c->w);
        go = read_frame(c, &b);
        if (go && sbx_frame_parse(b.p, b.len, &f, &err) != MST_OK) {
            mst_log(MST_LOG_WARN, "sandbox", "%s: %s", c->peer, err.msg);
            go = false;
        }
        sbx_lock(c->w);
        if (go) {
            c->m->counters.bytes_in += (int64_t)b.len;
            go = f.opcode != SBX_OP_REPLY && wait_thaw(c) && serve_frame(c, &f);
            sbx_frame_release(&f);
        }
        if (b.cap > 1u << 20) {
            mst_buf_release(&b);
        }
    }
    mst_buf_release(&b);
}

static void leave(struct sbx_conn *c)
{
    struct sbx_world *w = c->w;

    sbx_hooks_closed(c);
    for (struct sbx_conn **at = &w->conns; *at != NULL; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    if (c->io.close != NULL) {
        c->io.close(c);
    }
    (void)close(c->fd);
    if (c->client != NULL) {
        bson_destroy(c->client);
    }
    free(c);
    w->server->n_threads--;
    sbx_changed(w);
    sbx_unlock(w);
}

static void conn_main(void *arg)
{
    struct sbx_conn *c = arg;
    bool go = sbx_hooks_accept(c);

    sbx_lock(c->w);
    go = go && !c->dead && !c->w->stopping;
    if (go) {
        sbx_hooks_opened(c);
        serve(c);
    }
    leave(c);
}

void sbx_conn_serve(struct sbx_world *w, struct sbx_member *m, int fd)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;
    char ip[INET_ADDRSTRLEN] = "?";
    struct mst_err err = {0};
    struct sbx_conn *c;

    if (w->server->n_threads >= SBX_CONNS_MAX) {
        (void)close(fd);
        return;
    }
    c = mst_xcalloc(1, sizeof *c);
    c->w = w;
    c->m = m;
    c->fd = fd;
    c->generation = m->generation;
    c->opened_mono = sbx_mono(w);
    c->id = ++m->counters.connections_created;
    c->io = (struct sbx_stream){.read = plain_read, .write = plain_write};
    if (getpeername(fd, (struct sockaddr *)&a, &len) == 0) {
        (void)inet_ntop(AF_INET, &a.sin_addr, ip, sizeof ip);
    }
    (void)snprintf(c->peer, sizeof c->peer, "%s:%d", ip, ntohs(a.sin_port));
    c->next = w->conns;
    w->conns = c;
    w->server->n_threads++;
    if (mst_thread_spawn("sbx-conn", conn_main, c, &err) != MST_OK) {
        w->conns = c->next;
        w->server->n_threads--;
        (void)close(fd);
        free(c);
    }
}
