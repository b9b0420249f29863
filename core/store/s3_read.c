/* Reading: ranges, a window ahead of a reader that goes forward, and what is said of an object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cfg/tier.h"
#include "store/s3_own.h"

#define FIRST_N ((size_t)64 * 1024)

/* --- one range --- */

struct range {
    struct mst_buf *out;
    size_t start, max;
};

static bool range_add(void *arg, const void *p, size_t n)
{
    struct range *g = arg;

    if (g->out->len - g->start + n > g->max) {
        return false;
    }
    mst_buf_add(g->out, p, n);
    return true;
}

static void range_again(void *arg)
{
    struct range *g = arg;

    g->out->len = g->start;
}

/* Is this the range that was asked for? What Content-Range says counts: rclone's server sends it
 * with a 200. */
static enum mst_rc check_range(struct s3 *s, struct s3_get *q, const struct s3_answer *a,
                               uint64_t got, struct mst_err *err)
{
    const char *v = mst_http_header(&a->reply.headers, "content-range");
    unsigned long long first = 0, last = 0, total = 0;
    char *end = NULL;

    q->at_end = true;
    if (a->reply.status == 200 && q->from == 0 && !v) {
        q->total = got;
        return MST_OK; /* all of it, and it fitted */
    }
    /* Some say 200 with the right range; what counts is which bytes came. */
    if (v && strncmp(v, "bytes ", 6) == 0) {
        first = strtoull(v + 6, &end, 10);
        last = *end == '-' ? strtoull(end + 1, &end, 10) : 0;
        total = *end == '/' ? strtoull(end + 1, &end, 10) : 0;
    }
    if (!end || *end || first != q->from || last < first || last - first + 1 != got ||
        total <= last) {
        return mst_err_set(err, MST_E_SERVER,
                           "cannot read %s in the store %s (%s): another range came than the one "
                           "that was asked for: %llu bytes from %llu, HTTP %d, %.60s",
                           q->key, s->base.name, s->base.where, (unsigned long long)got,
                           (unsigned long long)q->from, a->reply.status,
                           v ? v : "no Content-Range");
    }
    q->at_end = last + 1 == total;
    q->total = total;
    return MST_OK;
}

static enum mst_rc replaced(struct s3 *s, const struct s3_get *q, struct mst_err *err)
{
    return mst_err_set(err, MST_E_INTEGRITY,
                       "%s in the store %s (%s) was replaced while it was read", q->key,
                       s->base.name, s->base.where);
}

/* Not every store looks at If-Match: what came is looked at too. */
static enum mst_rc check_etag(struct s3 *s, struct s3_get *q, const struct s3_answer *a,
                              struct mst_err *err)
{
    char etag[sizeof(q->etag)];

    (void)mst_copy(etag, sizeof(etag), mst_http_header(&a->reply.headers, "etag"));
    if (q->etag[0] && strcmp(q->etag, etag) != 0) {
        return replaced(s, q, err);
    }
    (void)mst_copy(q->etag, sizeof(q->etag), etag);
    return MST_OK;
}

enum mst_rc mst_s3_get(struct s3 *s, struct s3_get *q, struct mst_err *err)
{
    struct range g = {q->out, q->out->len, q->n};
    char range[64];
    struct s3_req r = {.method = "GET",
                       .key = q->key,
                       .what = "read",
                       .action = q->version ? "s3:GetObjectVersion" : "s3:GetObject",
                       .sink = range_add,
                       .again = range_again,
                       .sink_arg = &g,
                       .body_max = q->n,
                       .needs_etag = true,
                       .task = q->task};
    struct s3_answer a;
    enum mst_rc rc;

    (void)snprintf(range, sizeof(range), "bytes=%llu-%llu", (unsigned long long)q->from,
                   (unsigned long long)(q->from + q->n - 1));
    mst_s3_say(&r, "range", range);
    if (q->etag[0]) {
        mst_s3_say(&r, "if-match", q->etag);
    }
    if (q->version) {
        mst_s3_ask(&r, "versionId", q->version);
    }
    rc = mst_s3_call(s, &r, &a, err);
    q->at_end = false;
    if (rc == MST_OK) {
        rc = check_range(s, q, &a, q->out->len - g.start, err);
        rc = rc == MST_OK ? check_etag(s, q, &a, err) : rc;
    } else if (a.reply.status == 416) {
        q->at_end = true; /* behind the end, or the object is empty */
        q->out->len = g.start;
        memset(err, 0, sizeof(*err));
        rc = MST_OK;
    } else if (a.reply.status == 412) {
        rc = replaced(s, q, err);
    } else if (rc == MST_E_NOTFOUND) {
        rc = mst_err_set(err, MST_E_NOTFOUND, "%s is not in the store %s (%s)", q->key,
                         s->base.name, s->base.where);
    } else if (rc == MST_E_LIMIT) {
        rc = mst_err_set(err, MST_E_SERVER,
                         "cannot read %s in the store %s (%s): it ignores that only a range was "
                         "asked for",
                         q->key, s->base.name, s->base.where);
    }
    mst_http_reply_release(&a.reply);
    return rc;
}

/* --- windows --- */

/* With the lock held: what it read ahead is nobody's any more. */
static void empty_window(struct s3 *s, struct s3_window *w)
{
    mst_s3_ahead_drop(s, w);
    mst_buf_release(&w->data);
    w->at = 0;
    w->read_ms = 0;
}

static bool goes_on(const struct s3_window *w, const char *key, uint64_t from)
{
    return from >= w->from && from <= w->from + (w->data.len - w->at) && strcmp(w->key, key) == 0;
}

/* The newest one that stands where this reader goes on: an older one is of a reader that gave up,
 * and what it had read ahead may be older than what this one has read. Or the one that was used
 * longest ago; NULL when all are in use. */
static struct s3_window *take_window(struct s3 *s, const char *key, uint64_t from)
{
    const int64_t now = mst_clock_mono_ms(NULL);
    struct s3_window *oldest = NULL, *mine = NULL;

    mst_mutex_lock(&s->mtx);
    for (size_t i = 0; i < S3_WINDOWS; i++) {
        struct s3_window *w = &s->windows[i];

        if (w->busy) {
            continue;
        }
        if (w->read_ms && now - w->read_ms > S3_OLD_MS) {
            empty_window(s, w);
        }
        if (w->read_ms && goes_on(w, key, from) && (!mine || w->made > mine->made)) {
            mine = w;
        }
        if (!oldest || w->read_ms < oldest->read_ms) {
            oldest = w;
        }
    }
    if (!mine && oldest) {
        empty_window(s, oldest);
        memset(oldest, 0, sizeof(*oldest));
        (void)mst_copy(oldest->key, sizeof(oldest->key), key);
        oldest->from = from;
        oldest->read_ms = now;
        oldest->made = ++s->windows_made;
    }
    mine = mine ? mine : oldest;
    if (mine) {
        mine->busy = true;
    }
    mst_mutex_unlock(&s->mtx);
    return mine;
}

/* What others had read ahead of this object when it was another one. */
static void forget_others(struct s3 *s, const struct s3_window *w)
{
    mst_mutex_lock(&s->mtx);
    for (size_t i = 0; i < S3_WINDOWS; i++) {
        struct s3_window *o = &s->windows[i];

        if (o != w && !o->busy && strcmp(o->key, w->key) == 0 && strcmp(o->etag, w->etag) != 0) {
            empty_window(s, o);
        }
    }
    mst_mutex_unlock(&s->mtx);
}

static void give_window(struct s3 *s, struct s3_window *w, bool keep)
{
    mst_mutex_lock(&s->mtx);
    w->busy = false;
    if (!keep) {
        empty_window(s, w);
    }
    mst_mutex_unlock(&s->mtx);
}

void mst_s3_windows_forget(struct s3 *s, const char *key)
{
    mst_mutex_lock(&s->mtx);
    for (size_t i = 0; i < S3_WINDOWS; i++) {
        if (!s->windows[i].busy && strcmp(s->windows[i].key, key) == 0) {
            empty_window(s, &s->windows[i]);
        }
    }
    mst_mutex_unlock(&s->mtx);
}

/* All of data was handed out, and n bytes are wanted at least. */
static enum mst_rc fill_window(struct s3 *s, struct s3_window *w, size_t n, struct mst_err *err)
{
    struct s3_get q = {.key = w->key,
                       .from = w->from,
                       .n = w->next_n > n ? w->next_n : n,
                       .out = &w->data,
                       .task = mst_store_works_for(),
                       .total = w->total};
    enum mst_rc rc;

    /* Who reads on gets more at a time. */
    w->next_n = w->next_n ? (2 * w->next_n < S3_WINDOW_MAX ? 2 * w->next_n : S3_WINDOW_MAX)
                          : (n < FIRST_N             ? FIRST_N
                             : 2 * n < S3_WINDOW_MAX ? 2 * n
                                                     : S3_WINDOW_MAX);
    q.n = q.n < FIRST_N ? FIRST_N : q.n;
    mst_buf_reset(&w->data);
    w->at = 0;
    w->read_ms = mst_clock_mono_ms(NULL);
    (void)mst_copy(q.etag, sizeof(q.etag), w->etag);
    rc = mst_s3_get(s, &q, err);
    (void)mst_copy(w->etag, sizeof(w->etag), q.etag);
    w->at_end = q.at_end;
    w->total = q.total;
    if (rc == MST_OK && w->etag[0]) {
        forget_others(s, w);
    }
    return rc;
}

/* Out of the window, the ranges behind it, or the store. */
static enum mst_rc read_on(struct s3 *s, struct s3_window *w, uint8_t *to, size_t n, size_t *got,
                           struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    while (rc == MST_OK && *got < n) {
        const size_t left = n - *got, have = w->data.len - w->at;
        size_t now = have < left ? have : left;

        if (now > 0) {
            memcpy(to + *got, w->data.p + w->at, now);
            w->at += now; /* nothing is handed out twice: a re-read asks the store */
        } else if (w->n_ahead > 0) {
            rc = mst_s3_ahead_take(s, w, to + *got, left, &now, err);
        } else if (w->at_end || (w->total && w->from >= w->total)) {
            w->at_end = true;
            break;
        } else {
            rc = fill_window(s, w, left, err);
        }
        *got += now;
        w->from += now;
        w->run += now;
        if (rc == MST_OK) {
            mst_s3_ahead_ask(s, w);
        }
    }
    return rc;
}

enum mst_rc mst_s3_read(struct mst_store *store, const char *key, uint64_t from, void *buf,
                        size_t n, size_t *got, struct mst_err *err)
{
    struct s3 *s = s3_of(store);
    struct s3_window *w;
    enum mst_rc rc;

    *got = 0;
    if (n == 0) {
        return MST_OK;
    }
    while (!(w = take_window(s, key, from))) {
        if (!mst_task_sleep_ms(mst_store_works_for(), 10)) {
            return mst_err_set(err, MST_E_CANCELLED, "stopped on request");
        }
    }
    w->at += (size_t)(from - w->from);
    w->from = from;
    w->reads++;
    rc = read_on(s, w, buf, n, got, err);
    *got = rc == MST_OK ? *got : 0;
    give_window(s, w, rc == MST_OK && !(w->at_end && w->at == w->data.len && w->n_ahead == 0));
    return rc;
}

enum mst_rc mst_s3_read_version(struct mst_store *store, const char *key, const char *version,
                                uint64_t from, void *buf, size_t n, size_t *got,
                                struct mst_err *err)
{
    struct mst_buf data = {0};
    struct s3_get q = {.key = key,
                       .version = version,
                       .from = from,
                       .n = n,
                       .out = &data,
                       .task = mst_store_works_for()};
    const enum mst_rc rc = n > 0 ? mst_s3_get(s3_of(store), &q, err) : MST_OK;

    *got = rc == MST_OK ? data.len : 0;
    if (*got > 0) {
        memcpy(buf, data.p, *got);
    }
    mst_buf_release(&data);
    return rc;
}

/* --- what is said of an object --- */

static void copy_header(const struct s3_answer *a, const char *name, char *to, size_t size)
{
    const char *v = mst_http_header(&a->reply.headers, name);

    mst_text_clean(to, size, v ? v : "", v ? strlen(v) : 0); /* it is shown */
}

/* x-amz-restore: ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT" */
static void read_thaw(const struct s3_answer *a, struct mst_store_info *out)
{
    const int64_t now = a->reply.date_ms ? a->reply.date_ms : mst_clock_utc_ms(NULL);
    const char *v = mst_http_header(&a->reply.headers, "x-amz-restore"), *date;
    char text[64];

    out->archived = mst_tier_sleeps(out->storage_class) ||
                    mst_http_header(&a->reply.headers, "x-amz-archive-status");
    if (!v) {
        return;
    }
    out->thawing = strstr(v, "ongoing-request=\"true\"") != NULL;
    date = strstr(v, "expiry-date=\"");
    if (date) {
        (void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(date + 13, "\""), date + 13);
        out->thawed_until_ms = mst_http_time(text) > now ? mst_http_time(text) : 0;
        out->archived = out->archived && (out->thawing || !out->thawed_until_ms);
    }
}

static void read_info(const struct s3_answer *a, struct mst_store_info *out)
{
    const char *sum = mst_http_header(&a->reply.headers, "x-amz-checksum-sha256");
    const char *until = mst_http_header(&a->reply.headers, "x-amz-object-lock-retain-until-date");
    const char *hold = mst_http_header(&a->reply.headers, "x-amz-object-lock-legal-hold");

    copy_header(a, "etag", out->etag, sizeof(out->etag));
    copy_header(a, "x-amz-storage-class", out->storage_class, sizeof(out->storage_class));
    copy_header(a, "x-amz-version-id", out->version, sizeof(out->version));
    copy_header(a, "x-amz-object-lock-mode", out->lock_mode, sizeof(out->lock_mode));
    out->modified_wall_ms = mst_s3_header_time(&a->reply, "last-modified");
    out->locked_until_ms = until && mst_time_parse(until) > 0 ? mst_time_parse(until) : 0;
    out->legal_hold = hold && strcmp(hold, "ON") == 0;
    if (sum) {
        (void)snprintf(out->checksum, sizeof(out->checksum), "sha256:%.80s", sum);
    }
    read_thaw(a, out);
}

enum mst_rc mst_s3_info(struct mst_store *store, const char *key, struct mst_store_info *out,
                        struct mst_err *err)
{
    return mst_s3_info_version(store, key, NULL, out, err);
}

enum mst_rc mst_s3_info_version(struct mst_store *store, const char *key, const char *version,
                                struct mst_store_info *out, struct mst_err *err)
{
    struct s3 *s = s3_of(store);
    struct s3_req r = {.method = "HEAD",
                       .key = key,
                       .what = "look at",
                       .action = version ? "s3:GetObjectVersion" : "s3:GetObject",
                       .needs_etag = true,
                       .task = mst_store_works_for()};
    struct s3_answer a;
    const char *size;
    enum mst_rc rc;

    memset(out, 0, sizeof(*out));
    if (s->profile->checksum == 's') {
        mst_s3_say(&r, "x-amz-checksum-mode", "ENABLED");
    }
    if (version) {
        mst_s3_ask(&r, "versionId", version);
    }
    rc = mst_s3_call(s, &r, &a, err);
    size = mst_http_header(&a.reply.headers, "content-length");
    if (rc == MST_OK && !size) {
        rc = mst_err_set(err, MST_E_SERVER, "the store %s (%s) does not say how large %s is",
                         s->base.name, s->base.where, key);
    } else if (rc == MST_OK) {
        out->bytes = strtoull(size, NULL, 10);
        read_info(&a, out);
    } else if (rc == MST_E_NOTFOUND) {
        rc = mst_err_set(err, MST_E_NOTFOUND, "%s is not in the store %s (%s)", key, s->base.name,
                         s->base.where);
    }
    mst_http_reply_release(&a.reply);
    return rc;
}

enum mst_rc mst_s3_stat(struct mst_store *store, const char *key, uint64_t *bytes,
                        struct mst_err *err)
{
    struct mst_store_info info;
    const enum mst_rc rc = mst_s3_info(store, key, &info, err);

    *bytes = info.bytes;
    return rc;
}
