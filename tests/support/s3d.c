/* The scripted S3 server: threads, connections, and who answers what. */
#include "s3d_own.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

int64_t s3d_now(const struct s3d *s)
{
    return mst_clock_utc_ms(NULL) + s->clock_ms;
}

void s3d_complain(struct s3d *s, const struct request *q, const char *fmt, ...)
{
    va_list ap;

    mst_str_addf(&s->complaints, "%s %s: ", q->method, q->path ? q->path : "");
    va_start(ap, fmt);
    mst_str_vaddf(&s->complaints, fmt, ap);
    va_end(ap);
    mst_str_addc(&s->complaints, '\n');
}

void s3d_id(struct s3d *s, const char *word, char *out, size_t size)
{
    (void)snprintf(out, size, "%s%08u", word, ++s->next_id);
}

/* ---- which request this is ---- */

static bool asks(const struct request *q, const char *name)
{
    return pairs_get(&q->query, name) != NULL;
}

static enum s3d_kind kind_of_object(const struct request *q)
{
    const char *m = q->method;
    const bool about = asks(q, "retention") || asks(q, "legal-hold");

    if (asks(q, "tagging")) {
        return S3D_TAGGING;
    }
    if (strcmp(m, "PUT") == 0) {
        return pairs_get(&q->headers, "x-amz-copy-source") ? S3D_COPY
               : about                                     ? S3D_RETAIN
               : asks(q, "uploadId")                       ? S3D_PART
                                                           : S3D_PUT;
    }
    if (strcmp(m, "POST") == 0) {
        return asks(q, "uploads") ? S3D_CREATE : asks(q, "restore") ? S3D_THAW : S3D_COMPLETE;
    }
    if (strcmp(m, "DELETE") == 0) {
        return asks(q, "uploadId") ? S3D_ABORT : S3D_DELETE;
    }
    if (strcmp(m, "HEAD") == 0) {
        return S3D_HEAD;
    }
    return about ? S3D_RETAINED : asks(q, "uploadId") ? S3D_PARTS : S3D_GET;
}

static enum s3d_kind kind_of_bucket(const struct request *q)
{
    if (strcmp(q->method, "POST") == 0 && asks(q, "delete")) {
        return S3D_DELETES;
    }
    if (strcmp(q->method, "GET") != 0 || !q->bucket[0]) {
        return S3D_BUCKET;
    }
    if (asks(q, "versions")) {
        return S3D_VERSIONS;
    }
    if (asks(q, "uploads")) {
        return S3D_UPLOADS;
    }
    if (q->query.n == 0 || asks(q, "list-type") || asks(q, "prefix") || asks(q, "marker") ||
        asks(q, "max-keys") || asks(q, "delimiter") || asks(q, "encoding-type")) {
        return S3D_LIST;
    }
    return S3D_BUCKET;
}

/* "BUCKET.s3.test:PORT" names the bucket by host, anything else by path. */
static void address(struct request *q)
{
    const char *host = pairs_get(&q->headers, "host"), *path = q->path + 1;
    const char *mark = host ? strstr(host, ".s3.test") : NULL;
    size_t n = mark ? (size_t)(mark - host) : strcspn(path, "/");

    if (n >= sizeof(q->bucket)) {
        n = sizeof(q->bucket) - 1;
    }
    memcpy(q->bucket, mark ? host : path, n);
    q->bucket[n] = '\0';
    if (!mark) {
        path += strcspn(path, "/");
        path += *path == '/';
    }
    q->key = s3d_unescape(path, strlen(path));
    q->kind = q->key[0] ? kind_of_object(q) : kind_of_bucket(q);
}

/* ---- one request ---- */

static bool dispatch(struct s3d *s, struct request *q, struct reply *r)
{
    struct bucket *b = keep_bucket(s, q->bucket);

    if (q->kind == S3D_BUCKET) {
        return s3d_bucket(s, q, b, r);
    }
    if (!b) {
        return s3d_error(r, q, 404, "NoSuchBucket", "the specified bucket does not exist");
    }
    switch ((int)q->kind) {
    case S3D_CREATE:
    case S3D_PART:
    case S3D_COMPLETE:
    case S3D_ABORT:
    case S3D_PARTS:
        return s3d_multi(s, q, b, r);
    case S3D_LIST:
    case S3D_VERSIONS:
    case S3D_UPLOADS:
        return s3d_listing(s, q, b, r);
    case S3D_DELETES:
        return s->o.no_batch
                   ? s3d_error(r, q, 501, "NotImplemented", "objects are removed one by one")
                   : s3d_deletes(s, q, b, r);
    case S3D_RETAIN:
    case S3D_RETAINED:
    case S3D_THAW:
    case S3D_TAGGING:
        return s3d_about(s, q, b, r);
    default:
        return s3d_object(s, q, b, r);
    }
}

static void work(struct s3d *s, struct request *q, struct reply *r)
{
    pthread_mutex_lock(&s->mu);
    if (r->strike && r->strike->f.what == S3D_CHANGED && keep_bucket(s, q->bucket)) {
        struct version v = {.blob = blob_new(s, "changed", 7), .etag = "changed"};

        (void)mst_copy(v.klass, sizeof(v.klass), "STANDARD");
        (void)keep_add(s, keep_bucket(s, q->bucket), q->key, &v);
    }
    if (q->chunked) {
        s3d_complain(s, q, "Transfer-Encoding: chunked");
        (void)s3d_error(r, q, 411, "MissingContentLength", "Content-Length is needed");
    } else if (s3d_allowed(s, q, r)) {
        if (s->denied[q->kind] || s->denied[S3D_ANY]) {
            (void)s3d_error(r, q, 403, "AccessDenied", "access denied");
        } else {
            (void)dispatch(s, q, r);
        }
    }
    pthread_mutex_unlock(&s->mu);
}

static void note(struct s3d *s, const struct request *q)
{
    struct pairs *last = &s->last[q->kind];

    pthread_mutex_lock(&s->mu);
    s->counts[q->kind]++;
    s->now++;
    s->most = s->now > s->most ? s->now : s->most;
    if (pairs_get(&q->headers, "authorization") || pairs_get(&q->headers, "x-amz-security-token") ||
        asks(q, "X-Amz-Signature")) {
        s->saw_credentials = true;
    }
    pairs_release(last);
    for (size_t i = 0; i < q->headers.n; i++) {
        last->p[last->n++] =
            (struct pair){mst_xstrdup(q->headers.p[i].name), mst_xstrdup(q->headers.p[i].value)};
    }
    pthread_mutex_unlock(&s->mu);
}

static void answer(struct conn *c, struct request *q, struct reply *r, const struct planned *p)
{
    int64_t latency;

    r->strike = p;
    pthread_mutex_lock(&c->s->mu);
    latency = c->s->latency_ms;
    pthread_mutex_unlock(&c->s->mu);
    mst_clock_sleep_ms(latency);
    if (!p || !s3d_strike_before(c, q, p, r)) {
        work(c->s, q, r);
        if (p && !c->dead) {
            s3d_strike_after(c, q, p, r);
        }
    }
    r->no_body = strcmp(q->method, "HEAD") == 0;
    if (!c->dead) {
        s3d_send(c, q, r);
    }
}

/* False: the connection is over. */
static bool one(struct conn *c)
{
    struct request q = {0};
    struct reply r = {0};
    struct planned p;
    bool struck;

    mst_str_init(&r.body, 64U << 20);
    if (!s3d_read_head(c, &q)) {
        request_release(&q);
        return false;
    }
    address(&q);
    note(c->s, &q);
    struck = s3d_strike(c->s, &q, &p);
    if (struck && p.f.what == S3D_RESET && p.f.at < q.announced) {
        (void)s3d_read_body(c, &q, p.f.at); /* in the middle of what it sends */
        s3d_reset_conn(c);
    } else if (s3d_read_body(c, &q, SIZE_MAX)) {
        answer(c, &q, &r, struck ? &p : NULL);
    } else {
        c->dead = true;
    }
    pthread_mutex_lock(&c->s->mu);
    c->s->now--;
    pthread_mutex_unlock(&c->s->mu);
    reply_release(c->s, &r);
    request_release(&q);
    return !c->dead;
}

/* ---- threads ---- */

static void *serve(void *arg)
{
    struct conn *c = arg;
    struct s3d *s = c->s;

    if (!c->ssl || SSL_accept(c->ssl) == 1) {
        while (!s->stopping && one(c)) {
        }
    }
    if (c->ssl) {
        (void)SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
    pthread_mutex_lock(&s->mu);
    for (size_t i = 0; i < S3D_CONNS; i++) {
        if (s->fds[i] == c->fd) {
            s->fds[i] = -1;
        }
    }
    (void)close(c->fd);
    s->n_threads--;
    pthread_mutex_unlock(&s->mu);
    mst_buf_release(&c->in);
    free(c);
    return NULL;
}

static void take_conn(struct s3d *s, int fd)
{
    const int on = 1;
    struct conn *c = mst_xcalloc(1, sizeof(*c));
    size_t slot = 0;
    pthread_t t;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    *c = (struct conn){.s = s, .fd = fd};
    if (s->ctx) {
        c->ssl = SSL_new(s->ctx);
        (void)SSL_set_fd(c->ssl, fd);
    }
    pthread_mutex_lock(&s->mu);
    while (slot < S3D_CONNS && s->fds[slot] != -1) {
        slot++;
    }
    MST_ASSERT(slot < S3D_CONNS);
    s->fds[slot] = fd;
    s->accepted++;
    s->n_threads++;
    pthread_mutex_unlock(&s->mu);
    MST_ASSERT(pthread_create(&t, NULL, serve, c) == 0);
    (void)pthread_detach(t);
}

static void *accept_all(void *arg)
{
    struct s3d *s = arg;

    while (!s->stopping) {
        struct pollfd p = {.fd = s->listen_fd, .events = POLLIN};
        int fd;

        if (s->refusing) {
            mst_clock_sleep_ms(5);
            continue;
        }
        if (poll(&p, 1, 50) <= 0) {
            continue;
        }
        fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            take_conn(s, fd);
        }
    }
    return NULL;
}

static void open_listener(struct s3d *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    const int on = 1;

    a.sin_port = htons((uint16_t)s->port);
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MST_ASSERT(s->listen_fd >= 0);
    (void)setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    MST_ASSERT(bind(s->listen_fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    MST_ASSERT(listen(s->listen_fd, 128) == 0);
    MST_ASSERT(getsockname(s->listen_fd, (struct sockaddr *)&a, &n) == 0);
    s->port = ntohs(a.sin_port);
}

static void defaults(struct s3d *s, const struct s3d_opts *o)
{
    if (o) {
        s->o = *o;
    }
    (void)mst_copy(s->access, sizeof(s->access), s->o.access_key ? s->o.access_key : S3D_ACCESS);
    (void)mst_copy(s->secret, sizeof(s->secret), s->o.secret_key ? s->o.secret_key : S3D_SECRET);
    (void)mst_copy(s->region, sizeof(s->region), s->o.region ? s->o.region : S3D_REGION);
    (void)mst_copy(s->bucket_name, sizeof(s->bucket_name),
                   s->o.bucket ? s->o.bucket : S3D_BUCKET_NAME);
    s->o.part_min = s->o.part_min ? s->o.part_min : 5U << 20;
    s->o.parts_max = s->o.parts_max ? s->o.parts_max : 10000;
    s->o.page_max = s->o.page_max ? s->o.page_max : 1000;
    s->o.bytes_max = s->o.bytes_max ? s->o.bytes_max : 512U << 20;
    s->o.idle_ms = s->o.idle_ms ? s->o.idle_ms : 5000;
}

struct s3d *s3d_start(const struct s3d_opts *o)
{
    struct s3d *s = mst_xcalloc(1, sizeof(*s));
    struct bucket *b;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)pthread_mutex_init(&s->mu, NULL);
    defaults(s, o);
    for (size_t i = 0; i < S3D_CONNS; i++) {
        s->fds[i] = -1;
    }
    if (s->o.cert_file) {
        s->ctx = SSL_CTX_new(TLS_server_method());
        if (s->o.tls11) {
            SSL_CTX_set_security_level(s->ctx, 0);
            MST_ASSERT(SSL_CTX_set_max_proto_version(s->ctx, TLS1_1_VERSION) == 1);
        }
        MST_ASSERT(SSL_CTX_use_certificate_chain_file(s->ctx, s->o.cert_file) == 1);
        MST_ASSERT(SSL_CTX_use_PrivateKey_file(s->ctx, s->o.cert_file, SSL_FILETYPE_PEM) == 1);
    }
    if (s->bucket_name[0]) {
        b = keep_bucket_add(s, s->bucket_name);
        b->lock = s->o.lock;
        b->versioned = s->o.versioned || s->o.lock;
    }
    open_listener(s);
    (void)snprintf(s->endpoint, sizeof(s->endpoint), "%s://127.0.0.1:%d", s->ctx ? "https" : "http",
                   s->port);
    MST_ASSERT(pthread_create(&s->acceptor, NULL, accept_all, s) == 0);
    return s;
}

/* Ends every connection and waits until nobody serves one. */
static void end_all(struct s3d *s)
{
    for (;;) {
        unsigned left;

        pthread_mutex_lock(&s->mu);
        for (size_t i = 0; i < S3D_CONNS; i++) {
            if (s->fds[i] != -1) {
                (void)shutdown(s->fds[i], SHUT_RDWR);
            }
        }
        left = s->n_threads;
        pthread_mutex_unlock(&s->mu);
        if (left == 0) {
            return;
        }
        mst_clock_sleep_ms(2);
    }
}

void s3d_stop(struct s3d *s)
{
    if (!s) {
        return;
    }
    s->stopping = true;
    (void)shutdown(s->listen_fd, SHUT_RDWR); /* wakes the acceptor */
    (void)pthread_join(s->acceptor, NULL);
    end_all(s);
    if (s->listen_fd >= 0) {
        (void)close(s->listen_fd);
    }
    keep_release(s);
    for (int i = 0; i < S3D_KINDS; i++) {
        pairs_release(&s->last[i]);
    }
    SSL_CTX_free(s->ctx);
    mst_str_release(&s->complaints);
    mst_str_release(&s->last_page);
    (void)pthread_mutex_destroy(&s->mu);
    free(s);
}

void s3d_alone(struct s3d *s)
{
    struct pollfd p = {.fd = s->listen_fd, .events = POLLIN};

    for (unsigned quiet = 0; quiet < 2;) {
        pthread_mutex_lock(&s->mu);
        quiet = s->n_threads == 0 && poll(&p, 1, 0) == 0 ? quiet + 1 : 0;
        pthread_mutex_unlock(&s->mu);
        mst_clock_sleep_ms(1);
    }
}

void s3d_refuse(struct s3d *s, bool on)
{
    if (on && !s->refusing) {
        s->refusing = true;
        mst_clock_sleep_ms(60); /* the acceptor looks at it every 50 ms */
        (void)close(s->listen_fd);
        s->listen_fd = -1;
        end_all(s);
    } else if (!on && s->refusing) {
        open_listener(s);
        s->refusing = false;
    }
}
