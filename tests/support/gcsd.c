/* The wire and the faults of the scripted Google Cloud Storage. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gcsd_own.h"

#include "base/clock.h"
#include "base/err.h"

struct gconn {
    struct gcsd *g;
    int fd;
    struct mst_buf in;
};

int64_t gcsd_now_s(const struct gcsd *g)
{
    return mst_clock_utc_ms(NULL) / 1000 + g->ahead_s;
}

static const char *pair(const struct gpair *p, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(p[i].name, name) == 0) {
            return p[i].value;
        }
    }
    return "";
}

const char *gcsd_header(const struct gcsd_request *q, const char *name)
{
    return pair(q->header, q->n_headers, name);
}

const char *gcsd_query(const struct gcsd_request *q, const char *name)
{
    return pair(q->query, q->n_query, name);
}

char *gcsd_unescape(const char *p, size_t n)
{
    char *out = mst_xmalloc(n + 1), *o = out;

    for (size_t i = 0; i < n; i++) {
        char two[3] = "";

        if (p[i] == '%' && i + 2 < n) {
            memcpy(two, p + i + 1, 2);
            *o++ = (char)strtol(two, NULL, 16);
            i += 2;
        } else {
            *o++ = p[i];
        }
    }
    *o = '\0';
    return out;
}

void gcsd_error(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r, int status,
                const char *reason, const char *message, bool complain)
{
    r->status = status;
    mst_str_reset(&r->head);
    mst_str_reset(&r->body);
    mst_str_add(&r->head, "Content-Type: application/json; charset=UTF-8\r\n");
    mst_str_addf(&r->body,
                 "{\"error\":{\"code\":%d,\"message\":\"%s\",\"errors\":[{\"domain\":\"global\","
                 "\"reason\":\"%s\",\"message\":\"%s\"}]}}",
                 status, message, reason, message);
    if (complain) {
        mst_str_addf(&g->complaints, "%s %s?%s: %s\n", q->method, q->path, q->query_text, message);
    }
}

/* ---- in ---- */

static bool more(struct gconn *c)
{
    for (;;) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        ssize_t n;

        if (c->g->stopping) {
            return false;
        }
        if (poll(&p, 1, 50) <= 0) {
            continue;
        }
        n = recv(c->fd, mst_buf_room(&c->in, 65536), 65536, 0);
        if (n <= 0) {
            return false;
        }
        c->in.len += (size_t)n;
        return true;
    }
}

static void add_pair(struct gpair *p, size_t *n, char *name, char *value)
{
    MST_ASSERT(*n < GCSD_PAIRS);
    p[*n].name = name;
    p[(*n)++].value = value;
}

static void first_line(struct gcsd_request *q, const char *line, size_t n)
{
    const char *sp = memchr(line, ' ', n), *end, *mark;

    MST_ASSERT(sp && (size_t)(sp - line) < sizeof(q->method));
    memcpy(q->method, line, (size_t)(sp - line));
    end = memchr(sp + 1, ' ', (size_t)(line + n - sp - 1));
    MST_ASSERT(end);
    mark = memchr(sp, '?', (size_t)(end - sp));
    q->path = mst_xstrndup(sp + 1, (size_t)((mark ? mark : end) - sp - 1));
    q->query_text = mark ? mst_xstrndup(mark + 1, (size_t)(end - mark - 1)) : mst_xstrdup("");
    for (const char *p = q->query_text; *p;) {
        const size_t len = strcspn(p, "&"), eq = strcspn(p, "=&");

        add_pair(q->query, &q->n_query, gcsd_unescape(p, eq),
                 eq < len ? gcsd_unescape(p + eq + 1, len - eq - 1) : mst_xstrdup(""));
        p += len + (p[len] == '&');
    }
}

static void header_line(struct gcsd_request *q, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    char *name;

    MST_ASSERT(colon);
    name = mst_xstrndup(line, (size_t)(colon - line));
    for (char *p = name; *p; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    for (colon++; *colon == ' '; colon++) {
    }
    add_pair(q->header, &q->n_headers, name, mst_xstrndup(colon, (size_t)(line + n - colon)));
}

static bool read_request(struct gconn *c, struct gcsd_request *q)
{
    const char *end, *p;
    size_t want;

    while (!(end = c->in.len ? memmem(c->in.p, c->in.len, "\r\n\r\n", 4) : NULL)) {
        if (!more(c)) {
            return false;
        }
    }
    for (p = (const char *)c->in.p; p < end + 2;) {
        const char *eol = memmem(p, (size_t)(end + 2 - p), "\r\n", 2);

        if (p == (const char *)c->in.p) {
            first_line(q, p, (size_t)(eol - p));
        } else {
            header_line(q, p, (size_t)(eol - p));
        }
        p = eol + 2;
    }
    mst_buf_drop(&c->in, (size_t)(end + 4 - (const char *)c->in.p));
    want = strtoul(gcsd_header(q, "content-length"), NULL, 10);
    while (c->in.len < want) {
        if (!more(c)) {
            return false;
        }
    }
    q->body_text = mst_xmalloc(want + 1);
    memcpy(q->body_text, c->in.p ? c->in.p : (const uint8_t *)"", want);
    q->body_text[want] = '\0';
    q->body_n = want;
    mst_buf_drop(&c->in, want);
    return true;
}

static void release_request(struct gcsd_request *q)
{
    for (size_t i = 0; i < q->n_headers; i++) {
        free(q->header[i].name);
        free(q->header[i].value);
    }
    for (size_t i = 0; i < q->n_query; i++) {
        free(q->query[i].name);
        free(q->query[i].value);
    }
    free(q->path);
    free(q->query_text);
    free(q->body_text);
    free(q->name);
    memset(q, 0, sizeof(*q));
}

/* ---- which call it is ---- */

static enum gcsd_kind upload_kind(const struct gcsd_request *q)
{
    if (!*gcsd_query(q, "upload_id")) {
        return strcmp(gcsd_query(q, "uploadType"), "resumable") == 0 ? GCSD_START : GCSD_MULTIPART;
    }
    if (strcmp(q->method, "DELETE") == 0) {
        return GCSD_CANCEL;
    }
    return strncmp(gcsd_header(q, "content-range"), "bytes */", 8) == 0 ? GCSD_QUERY : GCSD_CHUNK;
}

static enum gcsd_kind kind_of(struct gcsd *g, struct gcsd_request *q)
{
    char *base = mst_xasprintf("/storage/v1/b/%s/o/", g->bucket);
    const size_t n = strlen(base);
    enum gcsd_kind kind = GCSD_LIST;

    if (strcmp(q->path, "/token") == 0) {
        kind = GCSD_TOKEN;
    } else if (strcmp(q->path, "/sts") == 0) {
        kind = GCSD_STS;
    } else if (strstr(q->path, ":generateAccessToken")) {
        kind = GCSD_IMPERSONATE;
    } else if (strncmp(q->path, "/computeMetadata/", 17) == 0) {
        kind = GCSD_METADATA;
    } else if (strncmp(q->path, "/upload/", 8) == 0) {
        kind = upload_kind(q);
    } else if (strncmp(q->path, base, n) == 0) {
        q->name = gcsd_unescape(q->path + n, strlen(q->path + n));
        kind = strcmp(q->method, "DELETE") == 0             ? GCSD_DELETE
               : strcmp(q->method, "POST") == 0             ? GCSD_PATCH
               : strcmp(gcsd_query(q, "alt"), "media") == 0 ? GCSD_READ
                                                            : GCSD_STAT;
    } else if (strlen(q->path) < 3 || strcmp(q->path + strlen(q->path) - 2, "/o") != 0) {
        kind = GCSD_BUCKET;
    }
    free(base);
    return kind;
}

/* ---- faults ---- */

static bool fits(const struct gcsd_fault *f, const struct gcsd_request *q)
{
    const enum gcsd_kind k = q->kind;
    const bool changes = k == GCSD_MULTIPART || k == GCSD_START || k == GCSD_CHUNK ||
                         k == GCSD_CANCEL || k == GCSD_DELETE || k == GCSD_PATCH;

    return (f->kind == k || (f->kind == GCSD_CHANGES && changes)) &&
           strstr(q->name ? q->name : gcsd_query(q, "name"), f->key ? f->key : "");
}

static bool strike(struct gcsd *g, const struct gcsd_request *q, struct gcsd_fault *out)
{
    bool struck = false;

    for (size_t i = 0; i < g->n_plan; i++) {
        struct gplan *p = &g->plan[i];
        const unsigned first = p->f.nth ? p->f.nth : 1, times = p->f.times ? p->f.times : 1;

        if (fits(&p->f, q) && ++p->seen >= first && !struck && p->hit < times) {
            p->hit++;
            g->struck++;
            *out = p->f;
            struck = true;
        }
    }
    return struck;
}

static void planned_status(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
                           const struct gcsd_fault *f)
{
    gcsd_error(g, q, r, f->status ? f->status : 503, f->reason ? f->reason : "backendError",
               "as it was planned", false);
    if (f->ms) {
        mst_str_addf(&r->head, "Retry-After: %lld\r\n", (long long)(f->ms / 1000));
    }
}

/* The client is gone: nobody waits for an answer. */
static void end_client(struct gcsd_reply *r, pid_t pid)
{
    MST_ASSERT(pid > 1);
    (void)kill(pid, SIGKILL);
    r->reset = true;
}

/* True: the answer is made, and nothing was done. */
static bool before(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
                   const struct gcsd_fault *f)
{
    switch ((int)f->what) {
    case GCSD_RESET:
        r->reset = true;
        return true;
    case GCSD_KILL:
        end_client(r, f->pid);
        return true;
    case GCSD_STALL:
        pthread_mutex_unlock(&g->mu);
        for (int64_t left = f->ms; left > 0 && !g->stopping; left -= 20) {
            mst_clock_sleep_ms(20);
        }
        pthread_mutex_lock(&g->mu);
        r->reset = true;
        return true;
    case GCSD_STATUS:
        planned_status(g, q, r, f);
        return true;
    case GCSD_HTML:
        r->status = f->status ? f->status : 200;
        mst_str_add(&r->head, "Content-Type: text/html\r\n");
        mst_str_add(&r->body, "<!DOCTYPE html><html><body>Please accept the terms.</body></html>");
        return true;
    case GCSD_EMPTY:
        r->status = f->status ? f->status : 200;
        return true;
    case GCSD_GARBAGE:
        r->status = 200;
        mst_str_add(&r->body, "{\"size\": [1, \"\x01\xff");
        return true;
    case GCSD_REDIRECT:
        r->status = 307;
        mst_str_add(&r->head, "Location: http://198.51.100.1/elsewhere\r\n");
        return true;
    default:
        return false;
    }
}

static void handle(struct gcsd *g, struct gcsd_request *q, struct gcsd_reply *r, bool *cut)
{
    struct gcsd_fault f = {0};
    bool struck;

    pthread_mutex_lock(&g->mu);
    q->kind = kind_of(g, q);
    g->counts[q->kind]++;
    struck = strike(g, q, &f);
    if (!struck || !before(g, q, r, &f)) {
        if (q->kind <= GCSD_METADATA) {
            gcsd_login(g, q, r);
        } else if (gcsd_allowed(g, q, r)) {
            gcsd_api(g, q, r, struck ? &f : NULL);
        }
        if (struck && f.what == GCSD_RESET_AFTER) {
            r->reset = true;
        } else if (struck && f.what == GCSD_KILL_AFTER) {
            end_client(r, f.pid);
        } else if (struck && f.what == GCSD_STATUS_AFTER) {
            planned_status(g, q, r, &f);
        } else if (struck && f.what == GCSD_NO_FLAVOR) {
            mst_str_reset(&r->head);
        }
        *cut = struck && f.what == GCSD_TRUNCATE;
    }
    pthread_mutex_unlock(&g->mu);
}

/* ---- out ---- */

static bool send_all(int fd, const void *data, size_t n)
{
    const uint8_t *p = data;

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

static bool answer(struct gconn *c, struct gcsd_reply *r, bool cut)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    struct mst_str out = {0};
    char date[64];
    const time_t t = (time_t)gcsd_now_s(c->g);
    struct tm tm;
    bool on;

    if (r->reset) {
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        return false;
    }
    (void)gmtime_r(&t, &tm);
    (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    mst_str_addf(&out, "HTTP/1.1 %d X\r\nDate: %s\r\n%s", r->status, date, mst_str_c(&r->head));
    if (r->status != 204) {
        mst_str_addf(&out, "Content-Length: %zu\r\n", r->body.len);
    }
    mst_str_add(&out, "\r\n");
    on = send_all(c->fd, out.p, out.len) &&
         send_all(c->fd, mst_str_c(&r->body), cut ? r->body.len / 2 : r->body.len) && !cut;
    mst_str_release(&out);
    return on;
}

static void *serve(void *arg)
{
    struct gconn *c = arg;
    bool on = true;

    while (on) {
        struct gcsd_request q = {0};
        struct gcsd_reply r = {.body = {.max = SIZE_MAX / 4}};
        bool cut = false;

        on = read_request(c, &q);
        if (on) {
            handle(c->g, &q, &r, &cut);
            on = answer(c, &r, cut);
        }
        release_request(&q);
        mst_str_release(&r.head);
        mst_str_release(&r.body);
    }
    (void)close(c->fd);
    mst_buf_release(&c->in);
    c->g->n_conns--;
    free(c);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct gcsd *g = arg;

    while (!g->stopping) {
        struct pollfd p = {.fd = g->listen_fd, .events = POLLIN};
        struct gconn *c;
        pthread_t t;
        int fd;

        if (poll(&p, 1, 50) <= 0) {
            continue;
        }
        g->n_conns++; /* before it is taken: gcsd_alone() sees it in the queue or here */
        fd = accept4(g->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            g->n_conns--;
            continue;
        }
        c = mst_xcalloc(1, sizeof(*c));
        c->g = g;
        c->fd = fd;
        MST_ASSERT(pthread_create(&t, NULL, serve, c) == 0 && pthread_detach(t) == 0);
    }
    return NULL;
}

/* ---- what tests call ---- */

struct gcsd *gcsd_start(const char *bucket, unsigned page_max)
{
    struct gcsd *g = mst_xcalloc(1, sizeof(*g));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    (void)mst_copy(g->bucket, sizeof(g->bucket), bucket);
    g->page_max = page_max ? page_max : 1000;
    g->life_s = 3600;
    g->command_ok = true;
    g->next_generation = 1700000000000001;
    MST_ASSERT(pthread_mutex_init(&g->mu, NULL) == 0);
    g->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MST_ASSERT(bind(g->listen_fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
               listen(g->listen_fd, 64) == 0 &&
               getsockname(g->listen_fd, (struct sockaddr *)&a, &len) == 0);
    (void)snprintf(g->host, sizeof(g->host), "127.0.0.1:%u", ntohs(a.sin_port));
    (void)snprintf(g->url, sizeof(g->url), "http://%s", g->host);
    MST_ASSERT(pthread_create(&g->acceptor, NULL, accept_all, g) == 0);
    return g;
}

void gcsd_stop(struct gcsd *g)
{
    g->stopping = true;
    (void)pthread_join(g->acceptor, NULL);
    while (g->n_conns > 0) {
        mst_clock_sleep_ms(5);
    }
    (void)close(g->listen_fd);
    gcsd_forget_all(g);
    EVP_PKEY_free(g->key);
    mst_str_release(&g->complaints);
    (void)pthread_mutex_destroy(&g->mu);
    free(g);
}

const char *gcsd_url(const struct gcsd *g)
{
    return g->url;
}

const char *gcsd_host(const struct gcsd *g)
{
    return g->host;
}

void gcsd_plan(struct gcsd *g, const struct gcsd_fault *f)
{
    pthread_mutex_lock(&g->mu);
    MST_ASSERT(g->n_plan < GCSD_PLAN);
    g->plan[g->n_plan++] = (struct gplan){.f = *f};
    pthread_mutex_unlock(&g->mu);
}

void gcsd_plan_none(struct gcsd *g)
{
    pthread_mutex_lock(&g->mu);
    g->n_plan = 0;
    g->struck = 0;
    pthread_mutex_unlock(&g->mu);
}

void gcsd_alone(struct gcsd *g)
{
    struct pollfd p = {.fd = g->listen_fd, .events = POLLIN};

    while (poll(&p, 1, 0) != 0 || g->n_conns > 0) {
        mst_clock_sleep_ms(1);
    }
}

unsigned gcsd_count(struct gcsd *g, enum gcsd_kind kind)
{
    unsigned n;

    pthread_mutex_lock(&g->mu);
    n = g->counts[kind];
    pthread_mutex_unlock(&g->mu);
    return n;
}

unsigned gcsd_struck(struct gcsd *g)
{
    unsigned n;

    pthread_mutex_lock(&g->mu);
    n = g->struck;
    pthread_mutex_unlock(&g->mu);
    return n;
}

char *gcsd_complaints(struct gcsd *g)
{
    char *out;

    pthread_mutex_lock(&g->mu);
    out = mst_xstrdup(mst_str_c(&g->complaints));
    pthread_mutex_unlock(&g->mu);
    return out;
}
