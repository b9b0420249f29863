/* Reading: ranges, a window ahead of a reader that goes forward, and what is said of an object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/s3_own.h"

#define FIRST_N ((size_t)64 * 1024)
#define OLD_MS 15000 /* what was read ahead is not handed out later than this */

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

/* Is this the range that was asked for? */
static enum mst_rc check_range(struct s3 *s, const char *key, const struct s3_answer *a,
                               uint64_t from, uint64_t got, bool *at_end, struct mst_err *err)
{
    const char *v = mst_http_header(&a->reply.headers, "content-range");
    unsigned long long first = 0, last = 0, total = 0;
    char *end = NULL;

    *at_end = true;
    if (a->reply.status == 200 && from == 0 && !v) {
        return MST_OK; /* all of it, and it fitted */
    }
    /* Some say 200 with the right range; what counts is which bytes came. */
    if (v && strncmp(v, "bytes ", 6) == 0) {
        first = strtoull(v + 6, &end, 10);
        last = *end == '-' ? strtoull(end + 1, &end, 10) : 0;
        total = *end == '/' ? strtoull(end + 1, &end, 10) : 0;
    }
    if (!end || *end || first != from || last < first || last - first + 1 != got || total <= last) {
        return mst_err_set(err, MST_E_SERVER,
                           "cannot read %s in the store %s (%s): another range came than the one "
                           "that was asked for: %llu bytes from %llu, HTTP %d, %.60s",
                           key, s->base.name, s->base.where, (unsigned long long)got,
                           (unsigned long long)from, a->reply.status, v ? v : "no Content-Range");
    }
    *at_end = last + 1 == total;
    return MST_OK;
}

/* At most n bytes from there, behind what is in out. etag: "" takes what comes, else it must be
 * that object still. */
static enum mst_rc get_range(struct s3 *s, const char *key, uint64_t from, size_t n, char etag[80],
                             struct mst_buf *out, bool *at_end, struct mst_err *err)
{
    struct range g = {out, out->len, n};
    char range[64];
    struct s3_req r = {.method = "GET",
                       .key = key,
                       .what = "read",
                       .action = "s3:GetObject",
                       .sink = range_add,
                       .again = range_again,
                       .sink_arg = &g,
                       .body_max = n,
                       .needs_etag = true,
                       .task = mst_store_works_for()};
    struct s3_answer a;
    enum mst_rc rc;

    (void)snprintf(range, sizeof(range), "bytes=%llu-%llu", (unsigned long long)from,
                   (unsigned long long)(from + n - 1));
    mst_s3_say(&r, "range", range);
    if (*etag) {
        mst_s3_say(&r, "if-match", etag);
    }
    rc = mst_s3_call(s, &r, &a, err);
    *at_end = false;
    if (rc == MST_OK) {
        rc = check_range(s, key, &a, from, out->len - g.start, at_end, err);
        (void)mst_copy(etag, 80, mst_http_header(&a.reply.headers, "etag"));
    } else if (a.reply.status == 416) {
        *at_end = true; /* behind the end, or the object is empty */
        out->len = g.start;
        rc = MST_OK;
    } else if (a.reply.status == 412) {
        rc = mst_err_set(err, MST_E_INTEGRITY,
                         "%s in the store %s (%s) was replaced while it was read", key,
                         s->base.name, s->base.where);
    } else if (rc == MST_E_NOTFOUND) {
        rc = mst_err_set(err, MST_E_NOTFOUND, "%s is not in the store %s (%s)", key, s->base.name,
                         s->base.where);
    } else if (rc == MST_E_LIMIT) {
        rc = mst_err_set(err, MST_E_SERVER,
                         "cannot read %s in the store %s (%s): it ignores that only a range was "
                         "asked for",
                         key, s->base.name, s->base.where);
    }
    mst_http_reply_release(&a.reply);
    return rc;
}

/* --- windows --- */

/* The one that stands where this reader goes on, or the one that was used longest ago; NULL when
 * all are in use. */
static struct s3_window *take_window(struct s3 *s, const char *key, uint64_t from)
{
    const int64_t now = mst_clock_mono_ms(NULL);
    struct s3_window *oldest = NULL;

    mst_mutex_lock(&s->mtx);
    for (size_t i = 0; i < S3_WINDOWS; i++) {
        struct s3_window *w = &s->windows[i];

        if (w->busy) {
            continue;
        }
        if (w->read_ms && now - w->read_ms <= OLD_MS && from >= w->from &&
            from <= w->from + w->data.len && strcmp(w->key, key) == 0) {
            w->busy = true;
            mst_mutex_unlock(&s->mtx);
            return w;
        }
        if (!oldest || w->read_ms < oldest->read_ms) {
            oldest = w;
        }
    }
    if (oldest) {
        oldest->busy = true;
        (void)mst_copy(oldest->key, sizeof(oldest->key), key);
        oldest->etag[0] = '\0';
        oldest->from = from;
        mst_buf_release(&oldest->data);
        oldest->next_n = 0;
        oldest->at_end = false;
        oldest->read_ms = now;
    }
    mst_mutex_unlock(&s->mtx);
    return oldest;
}

static void give_window(struct s3 *s, struct s3_window *w, bool keep)
{
    mst_mutex_lock(&s->mtx);
    w->busy = false;
    if (!keep) {
        w->read_ms = 0;
        mst_buf_release(&w->data);
    }
    mst_mutex_unlock(&s->mtx);
}

void mst_s3_windows_forget(struct s3 *s, const char *key)
{
    mst_mutex_lock(&s->mtx);
    for (size_t i = 0; i < S3_WINDOWS; i++) {
        if (!s->windows[i].busy && strcmp(s->windows[i].key, key) == 0) {
            s->windows[i].read_ms = 0;
            mst_buf_release(&s->windows[i].data);
        }
    }
    mst_mutex_unlock(&s->mtx);
}

static enum mst_rc fill_window(struct s3 *s, struct s3_window *w, size_t n, struct mst_err *err)
{
    size_t want = w->next_n > n - w->data.len ? w->next_n : n - w->data.len;

    /* Who reads on gets more at a time. */
    w->next_n = w->next_n ? (2 * w->next_n < S3_WINDOW_MAX ? 2 * w->next_n : S3_WINDOW_MAX)
                          : (n < FIRST_N             ? FIRST_N
                             : 2 * n < S3_WINDOW_MAX ? 2 * n
                                                     : S3_WINDOW_MAX);
    want = want < FIRST_N ? FIRST_N : want;
    w->read_ms = mst_clock_mono_ms(NULL);
    return get_range(s, w->key, w->from + w->data.len, want, w->etag, &w->data, &w->at_end, err);
}

enum mst_rc mst_s3_read(struct mst_store *store, const char *key, uint64_t from, void *buf,
                        size_t n, size_t *got, struct mst_err *err)
{
    struct s3 *s = s3_of(store);
    struct s3_window *w;
    enum mst_rc rc = MST_OK;

    *got = 0;
    if (n == 0) {
        return MST_OK;
    }
    while (!(w = take_window(s, key, from))) {
        if (!mst_task_sleep_ms(mst_store_works_for(), 10)) {
            return mst_err_set(err, MST_E_CANCELLED, "stopped on request");
        }
    }
    mst_buf_drop(&w->data, (size_t)(from - w->from));
    w->from = from;
    if (w->data.len < n && !w->at_end) {
        rc = fill_window(s, w, n, err);
    }
    if (rc == MST_OK) {
        *got = w->data.len < n ? w->data.len : n;
        if (*got > 0) {
            memcpy(buf, w->data.p, *got);
        }
        mst_buf_drop(&w->data, *got); /* nothing is handed out twice: a re-read asks the store */
        w->from += *got;
    }
    give_window(s, w, rc == MST_OK && !(w->at_end && w->data.len == 0));
    return rc;
}

/* --- what is said of an object --- */

static void copy_header(const struct s3_answer *a, const char *name, char *to, size_t size)
{
    const char *v = mst_http_header(&a->reply.headers, name);

    (void)mst_copy(to, size, v ? v : "");
}

/* x-amz-restore: ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT" */
static void read_thaw(const struct s3_answer *a, struct mst_store_info *out)
{
    const char *v = mst_http_header(&a->reply.headers, "x-amz-restore"), *date;
    char text[64];

    out->archived = strcmp(out->storage_class, "GLACIER") == 0 ||
                    strcmp(out->storage_class, "DEEP_ARCHIVE") == 0;
    if (!v) {
        return;
    }
    out->thawing = strstr(v, "ongoing-request=\"true\"") != NULL;
    date = strstr(v, "expiry-date=\"");
    if (date) {
        (void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(date + 13, "\""), date + 13);
        out->thawed_until_ms = mst_http_time(text);
        out->archived = out->archived && out->thawing;
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
    struct s3 *s = s3_of(store);
    struct s3_req r = {.method = "HEAD",
                       .key = key,
                       .what = "look at",
                       .action = "s3:GetObject",
                       .needs_etag = true,
                       .task = mst_store_works_for()};
    struct s3_answer a;
    const char *size;
    enum mst_rc rc;

    memset(out, 0, sizeof(*out));
    if (s->profile->checksum == 's') {
        mst_s3_say(&r, "x-amz-checksum-mode", "ENABLED");
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

enum mst_rc mst_s3_remove(struct mst_store *store, const char *key, struct mst_err *err)
{
    struct s3 *s = s3_of(store);
    struct s3_req r = {.method = "DELETE",
                       .key = key,
                       .what = "remove",
                       .action = "s3:DeleteObject",
                       .task = mst_store_works_for()};
    struct s3_answer a;
    enum mst_rc rc;

    if (!s->write) {
        return mst_err_set(err, MST_E_PRECOND, "the store %s is opened for reading only",
                           s->base.name);
    }
    rc = mst_s3_call(s, &r, &a, err);
    mst_http_reply_release(&a.reply);
    mst_s3_windows_forget(s, key);
    return rc;
}
