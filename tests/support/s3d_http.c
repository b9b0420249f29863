/* The wire of the scripted S3 server: one HTTP/1.1 request in, one answer out. */
#include "s3d_own.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

const char *pairs_get(const struct pairs *ps, const char *name)
{
    for (size_t i = 0; i < ps->n; i++) {
        if (strcmp(ps->p[i].name, name) == 0) {
            return ps->p[i].value;
        }
    }
    return NULL;
}

void pairs_release(struct pairs *ps)
{
    for (size_t i = 0; i < ps->n; i++) {
        free(ps->p[i].name);
        free(ps->p[i].value);
    }
    ps->n = 0;
}

void request_release(struct request *q)
{
    free(q->path);
    free(q->raw_query);
    free(q->key);
    free(q->body);
    pairs_release(&q->headers);
    pairs_release(&q->query);
    memset(q, 0, sizeof(*q));
}

void reply_release(struct s3d *s, struct reply *r)
{
    mst_str_release(&r->head);
    mst_str_release(&r->body);
    pthread_mutex_lock(&s->mu);
    blob_drop(s, r->blob);
    pthread_mutex_unlock(&s->mu);
    memset(r, 0, sizeof(*r));
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10
                                        : -1;
}

char *s3d_unescape(const char *p, size_t n)
{
    char *out = mst_xmalloc(n + 1), *o = out;

    for (size_t i = 0; i < n; i++) {
        if (p[i] == '%' && i + 2 < n && hex_digit(p[i + 1]) >= 0 && hex_digit(p[i + 2]) >= 0) {
            *o++ = (char)(hex_digit(p[i + 1]) * 16 + hex_digit(p[i + 2]));
            i += 2;
        } else {
            *o++ = p[i];
        }
    }
    *o = '\0';
    return out;
}

void s3d_escape(struct mst_str *out, const char *text, bool keep_slash)
{
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr("-_.~", c) || (c == '/' && keep_slash)) {
            mst_str_addc(out, (char)c);
        } else {
            mst_str_addf(out, "%%%02X", c);
        }
    }
}

void s3d_xml_text(struct mst_str *out, const char *text)
{
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;

        if (c == '&') {
            mst_str_add(out, "&amp;");
        } else if (c == '<') {
            mst_str_add(out, "&lt;");
        } else if (c == '>') {
            mst_str_add(out, "&gt;");
        } else if (c < ' ' || c == 127) {
            mst_str_addf(out, "&#x%x;", c);
        } else {
            mst_str_addc(out, (char)c);
        }
    }
}

void s3d_xml(struct reply *r, const char *root)
{
    r->status = 200;
    mst_str_add(&r->head, "Content-Type: application/xml\r\n");
    mst_str_addf(&r->body,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<%s xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
                 root);
}

bool s3d_error(struct reply *r, const struct request *q, int status, const char *code,
               const char *fmt, ...)
{
    struct mst_str text = {0};
    va_list ap;

    va_start(ap, fmt);
    mst_str_vaddf(&text, fmt, ap);
    va_end(ap);
    r->status = status;
    mst_str_reset(&r->head);
    mst_str_reset(&r->body);
    mst_str_add(&r->head, "Content-Type: application/xml\r\n");
    mst_str_addf(&r->body,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>",
                 code);
    s3d_xml_text(&r->body, mst_str_c(&text));
    mst_str_add(&r->body, "</Message><Resource>");
    s3d_xml_text(&r->body, q->path ? q->path : "");
    mst_str_add(&r->body, "</Resource><RequestId>s3d</RequestId></Error>");
    mst_str_release(&text);
    return false;
}

void s3d_http_date(int64_t utc_ms, char out[64])
{
    const time_t t = (time_t)(utc_ms / 1000);
    struct tm tm;

    (void)gmtime_r(&t, &tm);
    (void)strftime(out, 64, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* ---- in ---- */

/* More bytes into c->in; false at the end, after wait_ms, or when the server stops. */
static bool more(struct conn *c, size_t n, int64_t wait_ms)
{
    const int64_t end = mst_clock_mono_ms(NULL) + wait_ms;
    ssize_t got;

    while (!(c->ssl && SSL_pending(c->ssl) > 0)) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        const int64_t left = end - mst_clock_mono_ms(NULL);

        if (left <= 0 || c->s->stopping) {
            return false;
        }
        if (poll(&p, 1, left < 100 ? (int)left : 100) > 0) {
            break;
        }
    }
    do {
        uint8_t *room = mst_buf_room(&c->in, n);

        got = c->ssl ? SSL_read(c->ssl, room, (int)n) : recv(c->fd, room, n, 0);
    } while (got < 0 && !c->ssl && errno == EINTR);
    if (got <= 0) {
        return false;
    }
    c->in.len += (size_t)got;
    return true;
}

static bool send_all(struct conn *c, const void *data, size_t n)
{
    const uint8_t *p = data;

    while (n > 0 && !c->dead) {
        const size_t piece = n < 1U << 20 ? n : 1U << 20;
        const ssize_t k =
            c->ssl ? SSL_write(c->ssl, p, (int)piece) : send(c->fd, p, piece, MSG_NOSIGNAL);

        if (k <= 0) {
            c->dead = true;
            return false;
        }
        p += k;
        n -= (size_t)k;
    }
    return !c->dead;
}

static bool pair_add(struct pairs *ps, char *name, char *value)
{
    if (ps->n == S3D_PAIRS) {
        free(name);
        free(value);
        return false;
    }
    ps->p[ps->n++] = (struct pair){name, value};
    return true;
}

static bool parse_query(struct request *q)
{
    const char *p = q->raw_query;

    while (*p) {
        const size_t n = strcspn(p, "&"), eq = strcspn(p, "=&");

        if (n > 0 && !pair_add(&q->query, s3d_unescape(p, eq),
                               s3d_unescape(p + eq + (p[eq] == '='), n - eq - (p[eq] == '=')))) {
            return false;
        }
        p += n + (p[n] == '&');
    }
    return true;
}

static bool parse_first(struct request *q, const char *line, size_t n)
{
    const char *sp = memchr(line, ' ', n), *end, *mark;

    if (!sp || (size_t)(sp - line) >= sizeof(q->method)) {
        return false;
    }
    memcpy(q->method, line, (size_t)(sp - line));
    sp++;
    end = memchr(sp, ' ', (size_t)(line + n - sp));
    if (!end || strncmp(end, " HTTP/1.1", 9) != 0) {
        return false;
    }
    mark = memchr(sp, '?', (size_t)(end - sp));
    q->path = mst_xstrndup(sp, (size_t)((mark ? mark : end) - sp));
    q->raw_query = mark ? mst_xstrndup(mark + 1, (size_t)(end - mark - 1)) : mst_xstrdup("");
    return q->path[0] == '/' && parse_query(q);
}

static bool parse_header(struct request *q, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    const char *from, *to = line + n;
    char *name;

    if (!colon || colon == line) {
        return false;
    }
    name = mst_xstrndup(line, (size_t)(colon - line));
    for (char *c = name; *c; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    for (from = colon + 1; from < to && (*from == ' ' || *from == '\t'); from++) {
    }
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) {
        to--;
    }
    return pair_add(&q->headers, name, mst_xstrndup(from, (size_t)(to - from)));
}

static void what_follows(struct request *q)
{
    const char *len = pairs_get(&q->headers, "content-length");
    const char *conn = pairs_get(&q->headers, "connection");

    q->announced = len ? (size_t)strtoull(len, NULL, 10) : 0;
    q->chunked = pairs_get(&q->headers, "transfer-encoding") != NULL;
    q->close = conn && strcasecmp(conn, "close") == 0;
}

bool s3d_read_head(struct conn *c, struct request *q)
{
    const char *end, *p;

    while (!(end = c->in.len ? memmem(c->in.p, c->in.len, "\r\n\r\n", 4) : NULL)) {
        if (c->in.len > S3D_HEAD_MAX || !more(c, 16384, c->s->o.idle_ms)) {
            return false;
        }
    }
    for (p = (const char *)c->in.p; p < end + 2;) {
        const char *eol = memmem(p, (size_t)(end + 2 - p), "\r\n", 2);
        const size_t n = (size_t)(eol - p);

        if (p == (const char *)c->in.p ? !parse_first(q, p, n) : !parse_header(q, p, n)) {
            return false;
        }
        p = eol + 2;
    }
    mst_buf_drop(&c->in, (size_t)(end + 4 - (const char *)c->in.p));
    what_follows(q);
    return true;
}

bool s3d_read_body(struct conn *c, struct request *q, size_t most)
{
    const char *expect = pairs_get(&q->headers, "expect");
    const size_t want = q->announced < most ? q->announced : most;

    if (expect && strcasecmp(expect, "100-continue") == 0 &&
        !send_all(c, "HTTP/1.1 100 Continue\r\n\r\n", 25)) {
        return false;
    }
    while (c->in.len < want) {
        const size_t left = want - c->in.len;

        if (!more(c, left < 1U << 20 ? left : 1U << 20, 60000)) {
            return false;
        }
    }
    if (want == q->announced) {
        if (c->in.len == want && want > 0) { /* the usual case: nothing is copied */
            q->body = c->in.p;
            memset(&c->in, 0, sizeof(c->in));
        } else {
            q->body = mst_xmemdup(c->in.p ? c->in.p : (const uint8_t *)"", want ? want : 1);
            mst_buf_drop(&c->in, want);
        }
        q->body_n = want;
    }
    return true;
}

/* ---- out ---- */

void s3d_reset_conn(struct conn *c)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    c->dead = true;
}

static const char *phrase(int status)
{
    return status < 300 ? "OK" : status < 400 ? "Redirect" : status < 500 ? "Refused" : "Failed";
}

static bool drip(struct conn *c, const char *p, size_t n, const struct s3d_fault *f)
{
    const size_t drop = f->at ? f->at : 1;

    for (size_t i = 0; i < n && !c->s->stopping; i += drop) {
        if (!send_all(c, p + i, n - i < drop ? n - i : drop)) {
            return false;
        }
        mst_clock_sleep_ms(f->ms);
    }
    return !c->s->stopping;
}

static void flipped(struct conn *c, const uint8_t *p, size_t n, size_t at)
{
    uint8_t *copy = mst_xmemdup(p, n ? n : 1);

    if (n > 0) {
        copy[at < n ? at : n - 1] ^= 1;
    }
    (void)send_all(c, copy, n);
    free(copy);
}

void s3d_send(struct conn *c, const struct request *q, struct reply *r)
{
    const uint8_t *body = r->blob ? r->blob->p + r->from : (const uint8_t *)mst_str_c(&r->body);
    size_t n = r->blob ? r->len : r->body.len;
    const struct s3d_fault *f = r->strike ? &r->strike->f : NULL;
    struct mst_str out = {0};
    char date[64];

    s3d_http_date(s3d_now(c->s), date);
    mst_str_addf(&out, "HTTP/1.1 %d %s\r\nServer: s3d\r\nDate: %s\r\nx-amz-request-id: s3d\r\n%s",
                 r->status, phrase(r->status), date, mst_str_c(&r->head));
    if (r->status != 204 && r->status != 304) {
        mst_str_addf(&out, "Content-Length: %zu\r\n", n);
    }
    mst_str_addf(&out, "Connection: %s\r\n\r\n", q->close ? "close" : "keep-alive");
    if (r->no_body || r->status == 204 || r->status == 304) {
        n = 0;
    }
    if (f && f->what == S3D_DRIP) {
        (void)(drip(c, mst_str_c(&out), out.len, f) && drip(c, (const char *)body, n, f));
    } else if (send_all(c, mst_str_c(&out), out.len)) {
        if (f && f->what == S3D_TRUNCATE) {
            (void)send_all(c, body, f->at < n ? f->at : n / 2);
            c->dead = true;
        } else if (f && f->what == S3D_FLIP) {
            flipped(c, body, n, f->at);
        } else {
            (void)send_all(c, body, n);
        }
    }
    mst_str_release(&out);
    c->dead = c->dead || q->close;
}
