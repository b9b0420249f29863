#include "mockmember.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#define RULES 32
#define CONNS 64

struct rule {
    char name[40];
    bson_t *reply;
    enum mock_fault fault;
    int count;
    bson_t *last;
};

struct conn {
    struct mock *m;
    int fd;
    SSL *ssl;
};

struct mock {
    pthread_mutex_t mu;
    int listen_fd, port;
    char addr[32];
    pthread_t acceptor;
    bool stopping, frozen;
    int n_threads, n_open;
    int fds[CONNS];
    SSL_CTX *ctx;
    mock_handler *fn;
    void *arg;
    size_t n;
    struct rule rules[RULES];
};

static struct rule *rule(struct mock *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->rules[i].name, name) == 0) {
            return &m->rules[i];
        }
    }
    MST_ASSERT(m->n < RULES);
    (void)mst_copy(m->rules[m->n].name, sizeof(m->rules[m->n].name), name);
    return &m->rules[m->n++];
}

static bool read_all(struct conn *c, uint8_t *p, size_t n)
{
    while (n > 0) {
        const ssize_t r = c->ssl ? SSL_read(c->ssl, p, (int)n) : recv(c->fd, p, n, 0);

        if (r <= 0) {
            return false;
        }
        p += r;
        n -= (size_t)r;
    }
    return true;
}

static bool write_all(struct conn *c, const uint8_t *p, size_t n)
{
    while (n > 0) {
        const ssize_t r = c->ssl ? SSL_write(c->ssl, p, (int)n) : send(c->fd, p, n, MSG_NOSIGNAL);

        if (r <= 0) {
            return false;
        }
        p += r;
        n -= (size_t)r;
    }
    return true;
}

static bool frozen(struct mock *m)
{
    bool f;

    pthread_mutex_lock(&m->mu);
    f = m->frozen && !m->stopping;
    pthread_mutex_unlock(&m->mu);
    return f;
}

static bool stopping(struct mock *m)
{
    bool f;

    pthread_mutex_lock(&m->mu);
    f = m->stopping;
    pthread_mutex_unlock(&m->mu);
    return f;
}

static void put32(struct mst_buf *b, uint32_t v)
{
    mst_put_le32(mst_buf_room(b, 4), v);
    b->len += 4;
}

static void frame(struct mst_buf *b, const bson_t *doc, uint32_t asked, bool old,
                  enum mock_fault fault)
{
    const bool reply = (old || fault == MOCK_OP_REPLY);

    put32(b, 0);
    put32(b, 77);
    put32(b, fault == MOCK_WRONG_RESPONSE_TO ? asked + 1 : asked);
    put32(b, reply ? 1 : 2013);
    if (reply) {
        put32(b, 8);
        put32(b, 0);
        put32(b, 0);
        put32(b, 0);
        put32(b, 1);
    } else {
        put32(b, fault == MOCK_CHECKSUM ? 1 : fault == MOCK_MORE_TO_COME ? 2 : 0);
        mst_buf_add(b, "", 1);
    }
    mst_buf_add(b, bson_get_data(doc), doc->len);
    if (fault == MOCK_BAD_DOC_LENGTH) {
        mst_put_le32(b->p + b->len - doc->len, doc->len + 40);
    } else if (fault == MOCK_TWO_SECTIONS) {
        mst_buf_add(b, "", 1);
        mst_buf_add(b, bson_get_data(doc), doc->len);
    } else if (fault == MOCK_CHECKSUM) {
        put32(b, 0x12345678);
    }
    mst_put_le32(b->p, fault == MOCK_SHORT_LENGTH      ? 15
                       : fault == MOCK_NEGATIVE_LENGTH ? 0x80000010U
                       : fault == MOCK_HUGE_LENGTH     ? 0x7fffffffU
                                                       : (uint32_t)b->len);
}

static bool send_reply(struct conn *c, const bson_t *doc, uint32_t asked, bool old,
                       enum mock_fault fault)
{
    struct mst_buf b = {0};
    bool ok = true;

    if (fault == MOCK_GARBAGE) {
        ok = write_all(c, (const uint8_t *)"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
                       47);
    } else {
        frame(&b, doc, asked, old, fault);
        if (fault == MOCK_HALF) {
            (void)write_all(c, b.p, b.len / 2);
            ok = false;
        } else if (fault == MOCK_DRIP) {
            for (size_t i = 0; ok && i < b.len && !stopping(c->m); i++) {
                ok = write_all(c, b.p + i, 1);
                mst_clock_sleep_ms(20);
            }
        } else {
            ok = write_all(c, b.p, b.len);
        }
    }
    mst_buf_release(&b);
    return ok;
}

static void unknown(const char *name, bson_t *reply)
{
    char text[80];

    (void)snprintf(text, sizeof(text), "no such command: '%.40s'", name);
    (void)BSON_APPEND_DOUBLE(reply, "ok", 0);
    (void)BSON_APPEND_UTF8(reply, "errmsg", text);
    (void)BSON_APPEND_INT32(reply, "code", 59);
    (void)BSON_APPEND_UTF8(reply, "codeName", "CommandNotFound");
}

/* False: close the connection. */
static bool answer(struct conn *c, const char *db, bson_t *cmd, uint32_t asked, bool old)
{
    struct mock *m = c->m;
    bson_iter_t it;
    bson_t reply = BSON_INITIALIZER;
    const char *name = bson_iter_init(&it, cmd) && bson_iter_next(&it) ? bson_iter_key(&it) : "";
    enum mock_fault fault;
    struct rule *r;
    bool ok = true, known = false;

    if (strcmp(name, "ismaster") == 0 || strcmp(name, "hello") == 0) {
        name = "isMaster";
    }
    pthread_mutex_lock(&m->mu);
    r = rule(m, name);
    r->count++;
    if (r->last) {
        bson_destroy(r->last);
    }
    r->last = bson_copy(cmd);
    fault = r->fault ? r->fault : rule(m, "*")->fault;
    if (r->reply) {
        bson_destroy(&reply);
        bson_copy_to(r->reply, &reply);
        known = true;
    }
    pthread_mutex_unlock(&m->mu);
    while (frozen(m)) {
        mst_clock_sleep_ms(5);
    }
    if (!known && m->fn) {
        known = m->fn(m->arg, db, cmd, &reply);
    }
    if (!known) {
        bson_reinit(&reply);
        unknown(name, &reply);
    }
    if (fault == MOCK_BAD_BSON) {
        const uint8_t bad[] = {18, 0, 0, 0, 2, 'o', 'k', 0, 99, 0, 0, 0, 'x', 'x', 'x', 'x', 0, 0};
        bson_t b;

        (void)bson_init_static(&b, bad, sizeof(bad));
        ok = send_reply(c, &b, asked, old, MOCK_OK);
    } else if (fault == MOCK_CLOSE) {
        ok = false;
    } else if (fault != MOCK_SILENT) {
        ok = send_reply(c, &reply, asked, old, fault);
    }
    bson_destroy(&reply);
    return ok;
}

static bool serve_msg(struct conn *c, const uint8_t *p, size_t n, uint32_t asked)
{
    bson_t body, cmd, list, doc;
    const uint8_t *end = p + n;
    char db[64] = "", key[16];
    bson_iter_t it;
    bool ok;

    if (n < 10 || p[4] != 0 || !bson_init_static(&body, p + 5, mst_le32(p + 5))) {
        return false;
    }
    bson_copy_to(&body, &cmd);
    if (bson_iter_init_find(&it, &body, "$db")) {
        (void)mst_copy(db, sizeof(db), bson_iter_utf8(&it, NULL));
    }
    p += 5 + body.len;
    if (p < end && *p == 1) {
        const uint8_t *at = p + 5 + strlen((const char *)p + 5) + 1;
        uint32_t i = 0;

        (void)bson_append_array_begin(&cmd, (const char *)p + 5, -1, &list);
        for (; at < end && bson_init_static(&doc, at, mst_le32(at)); at += doc.len) {
            (void)snprintf(key, sizeof(key), "%u", i++);
            (void)bson_append_document(&list, key, -1, &doc);
        }
        (void)bson_append_array_end(&cmd, &list);
    }
    ok = answer(c, db, &cmd, asked, false);
    bson_destroy(&cmd);
    return ok;
}

static bool serve_query(struct conn *c, const uint8_t *p, size_t n, uint32_t asked)
{
    const size_t skip = 4 + strlen((const char *)p + 4) + 1 + 8;
    bson_t cmd;

    if (n < skip + 5 || !bson_init_static(&cmd, p + skip, mst_le32(p + skip))) {
        return false;
    }
    return answer(c, "admin", &cmd, asked, true);
}

static void *serve(void *arg)
{
    struct conn *c = arg;
    struct mock *m = c->m;
    uint8_t head[16];

    while (frozen(m)) {
        mst_clock_sleep_ms(5);
    }
    if (!m->ctx || (SSL_set_fd(c->ssl, c->fd) == 1 && SSL_accept(c->ssl) == 1)) {
        while (read_all(c, head, 16)) {
            const uint32_t len = mst_le32(head);
            uint8_t *p;
            bool ok;

            if (len < 16 || len > 50000000 || head[0] == 0x16) { /* TLS at a plain port */
                break;
            }
            p = mst_xmalloc(len);
            ok = read_all(c, p, len - 16);
            if (ok) {
                ok = mst_le32(head + 12) == 2004 ? serve_query(c, p, len - 16, mst_le32(head + 4))
                                                 : serve_msg(c, p, len - 16, mst_le32(head + 4));
            }
            free(p);
            if (!ok) {
                break;
            }
        }
    }
    SSL_free(c->ssl);
    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < CONNS; i++) {
        if (m->fds[i] == c->fd) {
            m->fds[i] = -1;
        }
    }
    (void)close(c->fd);
    m->n_open--;
    m->n_threads--;
    pthread_mutex_unlock(&m->mu);
    free(c);
    return NULL;
}

static void open_listener(struct mock *m)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)m->port)};
    socklen_t n = sizeof(sa);
    const int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    MST_ASSERT(bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
    MST_ASSERT(listen(fd, 64) == 0);
    MST_ASSERT(getsockname(fd, (struct sockaddr *)&sa, &n) == 0);
    m->port = ntohs(sa.sin_port);
    m->listen_fd = fd;
}

static void accept_one(struct mock *m, int fd)
{
    struct conn *c = mst_xcalloc(1, sizeof(*c));
    pthread_t t;
    pthread_attr_t a;

    c->m = m;
    c->fd = fd;
    c->ssl = m->ctx ? SSL_new(m->ctx) : NULL;
    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < CONNS; i++) {
        if (m->fds[i] < 0) {
            m->fds[i] = fd;
            break;
        }
    }
    m->n_open++;
    m->n_threads++;
    pthread_mutex_unlock(&m->mu);
    pthread_attr_init(&a);
    pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    MST_ASSERT(pthread_create(&t, &a, serve, c) == 0);
    pthread_attr_destroy(&a);
}

static void *accept_loop(void *arg)
{
    struct mock *m = arg;

    while (!stopping(m)) {
        struct pollfd p = {.events = POLLIN};
        int fd = -1;

        pthread_mutex_lock(&m->mu);
        p.fd = m->listen_fd;
        pthread_mutex_unlock(&m->mu);
        if (poll(&p, 1, 10) > 0 && p.revents & POLLIN) {
            pthread_mutex_lock(&m->mu);
            fd = m->listen_fd >= 0 ? accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
            pthread_mutex_unlock(&m->mu);
        }
        if (fd >= 0) {
            accept_one(m, fd);
        }
    }
    return NULL;
}

struct mock *mock_start(const struct mock_tls *tls)
{
    struct mock *m = mst_xcalloc(1, sizeof(*m));

    (void)signal(SIGPIPE, SIG_IGN); /* SSL_write knows no MSG_NOSIGNAL */
    pthread_mutex_init(&m->mu, NULL);
    for (size_t i = 0; i < CONNS; i++) {
        m->fds[i] = -1;
    }
    if (tls) {
        m->ctx = SSL_CTX_new(TLS_server_method());
        MST_ASSERT(SSL_CTX_use_certificate_chain_file(m->ctx, tls->cert_file) == 1);
        MST_ASSERT(SSL_CTX_use_PrivateKey_file(m->ctx,
                                               tls->key_file ? tls->key_file : tls->cert_file,
                                               SSL_FILETYPE_PEM) == 1);
        if (tls->ca_file) {
            MST_ASSERT(SSL_CTX_load_verify_locations(m->ctx, tls->ca_file, NULL) == 1);
            SSL_CTX_set_verify(m->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        }
    }
    open_listener(m);
    (void)snprintf(m->addr, sizeof(m->addr), "127.0.0.1:%d", m->port);
    MST_ASSERT(pthread_create(&m->acceptor, NULL, accept_loop, m) == 0);
    return m;
}

static void shut_all(struct mock *m)
{
    for (size_t i = 0; i < CONNS; i++) {
        if (m->fds[i] >= 0) {
            (void)shutdown(m->fds[i], SHUT_RDWR);
        }
    }
}

void mock_stop(struct mock *m)
{
    if (!m) {
        return;
    }
    pthread_mutex_lock(&m->mu);
    m->stopping = true;
    shut_all(m);
    pthread_mutex_unlock(&m->mu);
    pthread_join(m->acceptor, NULL);
    for (;;) {
        int n;

        pthread_mutex_lock(&m->mu);
        shut_all(m);
        n = m->n_threads;
        pthread_mutex_unlock(&m->mu);
        if (n == 0) {
            break;
        }
        mst_clock_sleep_ms(2);
    }
    if (m->listen_fd >= 0) {
        (void)close(m->listen_fd);
    }
    for (size_t i = 0; i < m->n; i++) {
        if (m->rules[i].reply) {
            bson_destroy(m->rules[i].reply);
        }
        if (m->rules[i].last) {
            bson_destroy(m->rules[i].last);
        }
    }
    SSL_CTX_free(m->ctx);
    pthread_mutex_destroy(&m->mu);
    free(m);
}

int mock_port(const struct mock *m)
{
    return m->port;
}

const char *mock_addr(const struct mock *m)
{
    return m->addr;
}

void mock_reply(struct mock *m, const char *command, const bson_t *reply)
{
    struct rule *r;

    pthread_mutex_lock(&m->mu);
    r = rule(m, command);
    if (r->reply) {
        bson_destroy(r->reply);
    }
    r->reply = reply ? bson_copy(reply) : NULL;
    pthread_mutex_unlock(&m->mu);
}

void mock_reply_json(struct mock *m, const char *command, const char *json)
{
    bson_error_t e;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &e);

    if (!b) {
        (void)fprintf(stderr, "mock: %s\n%s\n", e.message, json);
        abort();
    }
    mock_reply(m, command, b);
    bson_destroy(b);
}

void mock_handle(struct mock *m, mock_handler *fn, void *arg)
{
    m->fn = fn;
    m->arg = arg;
}

void mock_fault(struct mock *m, const char *command, enum mock_fault fault)
{
    pthread_mutex_lock(&m->mu);
    rule(m, command)->fault = fault;
    pthread_mutex_unlock(&m->mu);
}

void mock_refuse(struct mock *m, bool on)
{
    pthread_mutex_lock(&m->mu);
    if (on && m->listen_fd >= 0) {
        (void)shutdown(m->listen_fd, SHUT_RDWR); /* at once: the acceptor still polls it */
        (void)close(m->listen_fd);
        m->listen_fd = -1;
        shut_all(m);
    } else if (!on && m->listen_fd < 0) {
        open_listener(m);
    }
    pthread_mutex_unlock(&m->mu);
}

void mock_freeze(struct mock *m, bool on)
{
    pthread_mutex_lock(&m->mu);
    m->frozen = on;
    pthread_mutex_unlock(&m->mu);
}

int mock_count(struct mock *m, const char *command)
{
    int n;

    pthread_mutex_lock(&m->mu);
    n = rule(m, command)->count;
    pthread_mutex_unlock(&m->mu);
    return n;
}

int mock_connections(struct mock *m)
{
    int n;

    pthread_mutex_lock(&m->mu);
    n = m->n_open;
    pthread_mutex_unlock(&m->mu);
    return n;
}

bool mock_last(struct mock *m, const char *command, bson_t *out)
{
    const struct rule *r;
    bool there;

    pthread_mutex_lock(&m->mu);
    r = rule(m, command);
    there = r->last != NULL;
    if (there) {
        bson_copy_to(r->last, out);
    }
    pthread_mutex_unlock(&m->mu);
    return there;
}
