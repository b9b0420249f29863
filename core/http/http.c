/* One call. libcurl runs it in steps on the caller's thread, so that a cancelled task ends the wait
 * at once: its descriptor is polled together with the socket. */
#include "http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"
#include "http/pool.h"

#define REFUSAL_MAX ((size_t)64 * 1024)
#define HEAD_MAX ((size_t)64 * 1024)
#define STEP_MS 500
#define DEADLINE_MS 60000
#define SLOWEST_BYTES_PER_MS 64 /* what a deadline that nobody set allows for */

struct call {
    struct mst_http *h;
    const struct mst_http_request *q;
    struct mst_http_reply *reply;
    struct mst_task *task;
    struct slot *slot;
    struct curl_slist *list;
    size_t sent, head_bytes;
    uint64_t moved;    /* bytes both ways: what a stall is measured by */
    int64_t paused_ms; /* waited for the rate: no fault of the peer */
    enum mst_rc stop;  /* why a callback ended the transfer; MST_OK: it did not */
};

enum mst_rc mst_http_add(struct mst_http_headers *hs, const char *name, const char *value,
                         struct mst_err *err)
{
    const size_t name_n = strlen(name) + 1, value_n = strlen(value) + 1;
    char *at = hs->text + hs->used;

    if (hs->n == MST_HTTP_HEADERS || name_n > MST_HTTP_NAME || value_n > MST_HTTP_VALUE ||
        name_n + value_n > sizeof(hs->text) - hs->used) {
        return mst_err_set(err, MST_E_LIMIT, "the header %.64s does not fit into a request", name);
    }
    if (strpbrk(value, "\r\n") || strpbrk(name, "\r\n: ")) {
        return mst_err_set(err, MST_E_CONFIG, "the value of the header %.64s has a line break",
                           name);
    }
    memcpy(at, name, name_n);
    for (char *p = at; *p; p++) {
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    }
    memcpy(at + name_n, value, value_n);
    hs->h[hs->n++] = (struct mst_http_header){(uint16_t)hs->used, (uint16_t)(hs->used + name_n)};
    hs->used += name_n + value_n;
    return MST_OK;
}

const char *mst_http_name_at(const struct mst_http_headers *hs, size_t i)
{
    return hs->text + hs->h[i].name;
}

const char *mst_http_value_at(const struct mst_http_headers *hs, size_t i)
{
    return hs->text + hs->h[i].value;
}

const char *mst_http_header(const struct mst_http_headers *hs, const char *name)
{
    for (size_t i = 0; i < hs->n; i++) {
        if (strcmp(mst_http_name_at(hs, i), name) == 0) {
            return mst_http_value_at(hs, i);
        }
    }
    return NULL;
}

int64_t mst_http_time(const char *text)
{
    const time_t t = curl_getdate(text, NULL);

    return t > 0 ? (int64_t)t * 1000 : 0;
}

int64_t mst_http_retry_after_s(const struct mst_http_reply *r)
{
    const char *v = mst_http_header(&r->headers, "retry-after");
    const int64_t now = r->date_ms ? r->date_ms : mst_clock_utc_ms(NULL);
    char *end = NULL;
    int64_t at;
    long s;

    if (!v) {
        return -1;
    }
    s = strtol(v, &end, 10);
    if (end != v && !*end) {
        return s < 0 ? -1 : s;
    }
    at = mst_http_time(v);
    return at == 0 ? -1 : at <= now ? 0 : (at - now + 999) / 1000;
}

void mst_http_reply_release(struct mst_http_reply *r)
{
    if (r) {
        mst_buf_release(&r->body);
    }
}

/* --- what libcurl calls --- */

static bool is_known(const char *name)
{
    static const char *const known[] = {
        "content-length", "content-type",  "content-range", "content-encoding",
        "etag",           "last-modified", "date",          "retry-after",
        "location",       "range",         "server",        "metadata-flavor"};
    static const char *const heads[] = {"x-amz-", "x-goog-", "x-guploader-"};

    for (size_t i = 0; i < MST_COUNT(known); i++) {
        if (strcmp(name, known[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < MST_COUNT(heads); i++) {
        if (strncmp(name, heads[i], strlen(heads[i])) == 0) {
            return true;
        }
    }
    return false;
}

void mst_http_keep(struct mst_http_headers *hs, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    char name[MST_HTTP_NAME], value[MST_HTTP_VALUE];
    size_t len = colon ? (size_t)(colon - line) : 0;
    struct mst_err ignore = {0};

    if (len == 0 || len >= sizeof(name)) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        name[i] = (char)(line[i] >= 'A' && line[i] <= 'Z' ? line[i] - 'A' + 'a' : line[i]);
    }
    name[len] = '\0';
    for (colon++, n -= len + 1; n > 0 && (*colon == ' ' || *colon == '\t'); n--) {
        colon++;
    }
    while (n > 0 && strchr(" \t\r\n", colon[n - 1])) {
        n--;
    }
    if (n >= sizeof(value) || memchr(colon, '\0', n) || !is_known(name)) {
        return;
    }
    memcpy(value, colon, n);
    value[n] = '\0';
    (void)!mst_http_add(hs, name, value, &ignore);
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct call *c = arg;

    n *= size;
    c->moved += n;
    c->head_bytes += n;
    if (c->head_bytes > HEAD_MAX) {
        c->stop = MST_E_LIMIT;
        return 0;
    }
    if (n > 5 && memcmp(p, "HTTP/", 5) == 0) {
        c->reply->headers.n = 0; /* of a 100 before it, or of a proxy */
    } else {
        mst_http_keep(&c->reply->headers, p, n);
    }
    return n;
}

static bool pay(struct call *c, size_t n)
{
    const int64_t start = mst_clock_mono_ms(NULL);

    if (!mst_http_pay(c->h, n, c->task)) {
        c->stop = MST_E_CANCELLED;
        return false;
    }
    c->paused_ms += mst_clock_mono_ms(NULL) - start;
    return true;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct call *c = arg;
    const size_t max = c->q->body_max ? c->q->body_max : MST_HTTP_BODY_MAX;
    long status = 0;

    n *= size;
    c->moved += n;
    if (!pay(c, n)) {
        return 0;
    }
    (void)curl_easy_getinfo(c->slot->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299) {
        const size_t room = REFUSAL_MAX - c->reply->body.len;

        mst_buf_add(&c->reply->body, p, n < room ? n : room);
        return n;
    }
    if (c->q->sink) {
        if (!c->q->sink(c->q->sink_arg, p, n)) {
            c->stop = MST_E_LIMIT;
            return 0;
        }
        return n;
    }
    if (c->reply->body.len + n > max) {
        c->stop = MST_E_LIMIT;
        return 0;
    }
    mst_buf_add(&c->reply->body, p, n);
    return n;
}

static size_t on_send(char *to, size_t size, size_t n, void *arg)
{
    struct call *c = arg;
    const size_t left = c->q->body_n - c->sent;

    n = n * size < left ? n * size : left;
    if (!pay(c, n)) {
        return CURL_READFUNC_ABORT;
    }
    if (n > 0) {
        memcpy(to, (const char *)c->q->body + c->sent, n);
    }
    c->sent += n;
    c->moved += n;
    if (c->sent == c->q->body_n) {
        c->reply->sent_all = true;
    }
    return n;
}

/* libcurl starts over when a kept connection turns out to be dead. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct call *c = arg;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > c->q->body_n) {
        return CURL_SEEKFUNC_FAIL;
    }
    c->sent = (size_t)offset;
    c->reply->resent = true;
    return CURL_SEEKFUNC_OK;
}

/* --- the call --- */

static enum mst_rc prepare(struct call *c, struct mst_err *err)
{
    CURL *e = c->slot->easy;
    const struct mst_http_request *q = c->q;
    const bool sends = strcmp(q->method, "PUT") == 0 || strcmp(q->method, "POST") == 0;

    mst_http_settle(c->h, e, c->slot->text);
    c->slot->text[0] = '\0';
    c->list = curl_slist_append(NULL, "Expect:"); /* it costs a round trip for each part */
    for (size_t i = 0; c->list && q->headers && i < q->headers->n; i++) {
        const char *value = mst_http_value_at(q->headers, i);
        char line[MST_HTTP_NAME + MST_HTTP_VALUE + 4];
        struct curl_slist *next;

        (void)snprintf(line, sizeof(line), "%s%s%s", mst_http_name_at(q->headers, i),
                       *value ? ": " : ";", value);
        next = curl_slist_append(c->list, line);
        mst_wipe(line, sizeof(line));
        if (!next) {
            return mst_err_set(err, MST_E_BUG, "libcurl takes no more headers");
        }
        c->list = next;
    }
    (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->list);
    (void)curl_easy_setopt(e, CURLOPT_URL, q->url);
    (void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    if (strcmp(q->method, "HEAD") == 0) {
        (void)curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    } else if (sends) {
        (void)curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(e, CURLOPT_READFUNCTION, on_send);
        (void)curl_easy_setopt(e, CURLOPT_READDATA, c);
        (void)curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
        (void)curl_easy_setopt(e, CURLOPT_SEEKDATA, c);
        (void)curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_n);
    }
    if (strcmp(q->method, "PUT") != 0 && strcmp(q->method, "GET") != 0 &&
        strcmp(q->method, "HEAD") != 0) {
        (void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, q->method);
    }
    return MST_OK;
}

static const char *host_of(const char *url, char *buf, size_t size)
{
    const char *p = strstr(url, "://");

    p = p ? p + 3 : url;
    mst_text_clean(buf, size, p, strcspn(p, "/?"));
    return buf;
}

/* Servers answer plain http on their port for https with a page that says so. */
static bool wants_tls(const struct call *c, long status)
{
    static const char *const words[] = {"HTTPS server", "HTTPS port"};
    const struct mst_buf *b = &c->reply->body;

    if (status != 400 || b->len == 0 || strncasecmp(c->q->url, "http://", 7) != 0) {
        return false;
    }
    for (size_t i = 0; i < MST_COUNT(words); i++) {
        if (memmem(b->p, b->len, words[i], strlen(words[i]))) {
            return true;
        }
    }
    return false;
}

static enum mst_rc explain(const struct call *c, CURLcode code, struct mst_err *err)
{
    CURL *e = c->slot->easy;
    struct mst_http_why w = {
        .code = code, .text = c->slot->text, .proxy = c->h->proxy, .connect_ms = c->h->connect_ms};
    char host[256];
    curl_off_t found = 0;
    long port = 0; /* ours: the time of the connection is kept only when TLS is done, too */

    (void)curl_easy_getinfo(e, CURLINFO_NAMELOOKUP_TIME_T, &found);
    (void)curl_easy_getinfo(e, CURLINFO_LOCAL_PORT, &port);
    (void)curl_easy_getinfo(e, CURLINFO_HTTP_CONNECTCODE, &w.proxy_status);
    w.proxy_status = c->reply->status == 407 && c->h->proxy ? 407 : w.proxy_status;
    w.wants_tls = wants_tls(c, c->reply->status);
    w.host = host_of(c->q->url, host, sizeof(host));
    w.tls = strncasecmp(c->q->url, "https://", 8) == 0;
    w.found = found > 0;
    w.proxy_login = c->h->proxy_login.p != NULL;
    w.connected = port > 0;
    return mst_http_why(&w, err);
}

static enum mst_rc stopped(const struct call *c, struct mst_err *err)
{
    char host[256];

    if (c->stop == MST_E_CANCELLED) {
        return mst_err_set(err, MST_E_CANCELLED, "stopped on request");
    }
    return mst_err_set(err, MST_E_LIMIT, "%s sent more than was asked for",
                       host_of(c->q->url, host, sizeof(host)));
}

static int64_t deadline_ms(const struct mst_http_request *q)
{
    return q->deadline_ms
               ? q->deadline_ms
               : DEADLINE_MS + (int64_t)((q->body_n + q->body_max) / SLOWEST_BYTES_PER_MS);
}

/* Through the proxy and through TLS too: the request may go out. */
static bool is_connected(const struct call *c)
{
    curl_off_t us = 0;

    (void)curl_easy_getinfo(c->slot->easy, CURLINFO_PRETRANSFER_TIME_T, &us);
    return us > 0;
}

/* Run until libcurl is done, nothing moves any more, time is over, or the task is cancelled. */
static enum mst_rc run(struct call *c, CURLcode *code, struct mst_err *err)
{
    const int64_t start = mst_clock_mono_ms(NULL), most = deadline_ms(c->q);
    const int64_t stall = mst_http_patience_ms(c->h);
    const int step = stall < 4 * STEP_MS ? (int)(stall / 4) + 1 : STEP_MS;
    int64_t moved_at = start;
    uint64_t moved = 0;
    bool there = false; /* connected: until then libcurl looks at the time */
    char host[256];

    for (;;) {
        struct curl_waitfd also = {.fd = c->task ? c->task->wake.fd : -1,
                                   .events = CURL_WAIT_POLLIN};
        int running = 0, left = 0;
        const CURLMsg *m;
        int64_t now;

        (void)curl_multi_perform(c->slot->multi, &running);
        m = curl_multi_info_read(c->slot->multi, &left);
        if (m && m->msg == CURLMSG_DONE) {
            *code = m->data.result;
            return MST_OK;
        }
        now = mst_clock_mono_ms(NULL);
        if (mst_task_check(c->task, err) != MST_OK) {
            return err->rc;
        }
        if (c->moved != moved || !there) {
            moved = c->moved;
            moved_at = now;
            there = is_connected(c);
        }
        (void)host_of(c->q->url, host, sizeof(host));
        if (now - moved_at > stall) {
            return mst_err_set(err, MST_E_TIMEOUT, "nothing moved between here and %s for %.1f s",
                               host, (double)stall / 1000);
        }
        if (now - start - c->paused_ms > most) {
            return mst_err_set(err, MST_E_TIMEOUT, "%s did not answer within %.1f s", host,
                               (double)most / 1000);
        }
        (void)curl_multi_poll(c->slot->multi, &also, c->task ? 1 : 0, step, NULL);
    }
}

static enum mst_rc perform(struct call *c, struct mst_err *err)
{
    CURLcode code = CURLE_OK;
    long status = 0, out = 0;
    const char *date;
    enum mst_rc rc;

    (void)curl_multi_add_handle(c->slot->multi, c->slot->easy);
    rc = run(c, &code, err);
    (void)curl_easy_getinfo(c->slot->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(c->slot->easy, CURLINFO_REQUEST_SIZE, &out);
    (void)curl_multi_remove_handle(c->slot->multi, c->slot->easy);
    if (c->q->body_n == 0) {
        c->reply->sent_all = out > 0;
    }
    c->reply->status = (int)status;
    if (status > 0) {
        mst_http_hear(c->h);
    }
    date = mst_http_header(&c->reply->headers, "date");
    c->reply->date_ms = date ? mst_http_time(date) : 0;
    if (rc != MST_OK) {
        return rc;
    }
    if (c->stop != MST_OK) {
        return stopped(c, err);
    }
    if (status == 407 && c->h->proxy) {
        return explain(c, code, err); /* the proxy's own, before whatever is behind it */
    }
    if (wants_tls(c, status)) {
        return explain(c, code, err);
    }
    return code == CURLE_OK ? MST_OK : explain(c, code, err);
}

enum mst_rc mst_http_do(struct mst_http *h, const struct mst_http_request *q,
                        struct mst_http_reply *reply, struct mst_task *task, struct mst_err *err)
{
    const int64_t start = mst_clock_mono_ms(NULL);
    struct call c = {.h = h, .q = q, .reply = reply, .task = task};
    char host[256];
    enum mst_rc rc;

    reply->status = 0;
    reply->headers.n = 0;
    reply->sent_all = reply->resent = false;
    reply->date_ms = 0;
    mst_buf_reset(&reply->body);
    if (!h->plain && strncasecmp(q->url, "https://", 8) != 0) {
        return mst_err_set(err, MST_E_CONFIG, "%s would be reached without TLS",
                           host_of(q->url, host, sizeof(host)));
    }
    if (mst_task_check(task, err) != MST_OK || mst_http_take(h, &c.slot, task, err) != MST_OK) {
        return err->rc;
    }
    rc = prepare(&c, err);
    if (rc == MST_OK) {
        rc = perform(&c, err);
    }
    for (struct curl_slist *i = c.list; i; i = i->next) {
        mst_wipe(i->data, strlen(i->data)); /* a signature or a token */
    }
    (void)curl_easy_setopt(c.slot->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(c.list);
    mst_http_give(h, c.slot);
    reply->took_ms = mst_clock_mono_ms(NULL) - start;
    return rc;
}
