/* One request: signed, sent, repeated while that may help, and its refusal put into a sentence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/retry.h"
#include "log/log.h"
#include "store/s3_own.h"

#define TRIES 8U
#define RETRY_COST 5
#define QUOTA_MAX 500
#define SKEW_MS 60000
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" /* its hash */
#define WINDOW_MS 600000 /* a signature is good for 15 minutes */

void mst_s3_ask(struct s3_req *r, const char *name, const char *value)
{
    MST_ASSERT(r->n_query < S3_QUERY);
    r->query[r->n_query++] = (struct mst_sig_pair){name, value};
}

void mst_s3_say(struct s3_req *r, const char *name, const char *value)
{
    MST_ASSERT(r->n_headers < S3_HEADERS);
    r->headers[r->n_headers++] = (struct mst_sig_pair){name, value};
}

void mst_s3_full_key(const struct s3 *s, const char *key, struct mst_str *out)
{
    mst_str_addf(out, "%s%s%s", s->prefix, *s->prefix ? "/" : "", key);
}

int64_t mst_s3_header_time(const struct mst_http_reply *r, const char *name)
{
    const char *v = mst_http_header(&r->headers, name);

    return v ? mst_http_time(v) : 0;
}

/* --- sending --- */

static void where_to(struct s3 *s, struct mst_str *base, char *host, size_t size, char *region,
                     size_t region_size)
{
    const char *authority;

    mst_s3_region_of(s, region, region_size);
    if (s->by_region) {
        mst_str_addf(base, "https://s3.%s.amazonaws.com", region);
    } else {
        mst_str_add(base, s->endpoint);
    }
    authority = strstr(mst_str_c(base), "://") + 3;
    if (s->path_style) {
        (void)mst_copy(host, size, authority);
        return;
    }
    (void)snprintf(host, size, "%s.%s", s->bucket, authority);
    base->len = (size_t)(authority - base->p);
    base->p[base->len] = '\0';
    mst_str_add(base, host);
}

static void add_key(const struct s3 *s, const struct s3_req *r, struct mst_str *path)
{
    if (r->key && r->outside) {
        mst_str_add(path, r->key);
    } else if (r->key) {
        mst_s3_full_key(s, r->key, path);
    }
}

static enum mst_rc send_once(struct s3 *s, const struct s3_req *r, bool fresh, const char *hash,
                             struct s3_answer *a, struct mst_err *err)
{
    struct mst_http_headers *headers = mst_xcalloc(1, sizeof(*headers));
    struct mst_login login = {0};
    struct mst_str url = {0}, path = {0}, target = {0};
    char host[512], region[64];
    enum mst_rc rc = s->login(s->login_arg, fresh, &login, r->task, err);

    a->session = login.token.len > 0;
    a->sent_ms = mst_clock_utc_ms(NULL) + atomic_load(&s->clock_ms);
    where_to(s, &url, host, sizeof(host), region, sizeof(region));
    mst_str_addf(&path, "/%s%s", s->path_style ? s->bucket : "",
                 s->path_style && r->key ? "/" : "");
    add_key(s, r, &path);
    if (rc == MST_OK && s->profile->google) {
        rc = mst_s3_google_say(r, headers, err);
    }
    for (size_t i = 0; rc == MST_OK && !s->profile->google && i < r->n_headers; i++) {
        rc = mst_http_add(headers, r->headers[i].name, r->headers[i].value, err);
    }
    if (rc == MST_OK) {
        const struct mst_sig_keys keys = {login.access_key, &login.secret, &login.token};
        const struct mst_sig_request q = {.kind = s->profile->google ? MST_SIG_GOOG4 : MST_SIG_AWS4,
                                          .method = r->method,
                                          .host = host,
                                          .path = mst_str_c(&path),
                                          .query = r->query,
                                          .n_query = r->n_query,
                                          .region = region,
                                          .service = s->profile->google ? "storage" : "s3",
                                          .now_ms =
                                              mst_clock_utc_ms(NULL) + atomic_load(&s->clock_ms),
                                          .payload_hash = hash};

        rc = mst_sig_headers(&q, &keys, headers, &target, err);
    }
    if (rc == MST_OK) {
        struct mst_http_request q = {.method = r->method,
                                     .headers = headers,
                                     .body = r->body,
                                     .body_n = r->body_n,
                                     .sink = r->sink,
                                     .sink_arg = r->sink_arg,
                                     .body_max = r->body_max};

        mst_str_add(&url, mst_str_c(&target));
        q.url = mst_str_c(&url);
        rc = mst_http_do(s->http, &q, &a->reply, r->task, err);
        if (rc == MST_OK && s->profile->google) {
            rc = mst_s3_google_heard(s, r, &a->reply, err);
        }
    }
    mst_wipe(headers, sizeof(*headers)); /* the token */
    free(headers);
    mst_login_release(&login);
    mst_str_release(&url);
    mst_str_release(&path);
    mst_str_release(&target);
    return rc;
}

/* For when that did not answer: what a refused HEAD is mostly about. */
static void guess(const struct s3_req *r, struct s3_answer *a)
{
    const int64_t off = a->reply.date_ms ? a->reply.date_ms - a->sent_ms : 0;

    if (a->code[0] || strcmp(r->method, "HEAD") != 0) {
        return;
    }
    if (a->reply.status == 403 && (off > WINDOW_MS || off < -WINDOW_MS)) {
        (void)mst_copy(a->code, sizeof(a->code), "RequestTimeTooSkewed");
    } else if (a->reply.status == 400 && a->session && !a->region[0]) {
        (void)mst_copy(a->code, sizeof(a->code), "ExpiredToken");
    }
}

static bool take_nothing(void *arg, const void *p, size_t n)
{
    (void)arg;
    (void)p;
    return n == 0;
}

/* The same question in a form whose refusal has a page with a word in it. */
static void ask_why(struct s3 *s, const struct s3_req *r, struct s3_answer *a)
{
    const int st = a->reply.status;
    struct s3_req q = {.method = "GET", .key = r->key, .sink = take_nothing, .task = r->task};
    struct s3_answer *why;
    struct mst_err ignore = {0};

    if (a->code[0] || strcmp(r->method, "HEAD") != 0 ||
        (st != 400 && st != 403 && st != 301 && st != 307)) {
        return;
    }
    why = mst_xcalloc(1, sizeof(*why));
    mst_s3_say(&q, "range", "bytes=0-0");
    if (send_once(s, &q, false, r->hash ? r->hash : NOTHING, why, &ignore) == MST_OK &&
        why->reply.status == st) {
        mst_s3_read_error(why);
        memcpy(a->code, why->code, sizeof(a->code));
        memcpy(a->message, why->message, sizeof(a->message));
        if (why->region[0]) {
            memcpy(a->region, why->region, sizeof(a->region));
        }
    }
    mst_http_reply_release(&why->reply);
    free(why);
}

/* What came is a success only when it is a store's. */
static enum mst_rc judge(struct s3 *s, const struct s3_req *r, struct s3_answer *a,
                         struct mst_err *err)
{
    const int st = a->reply.status;

    a->code[0] = a->message[0] = a->region[0] = '\0';
    if (st < 200 || st > 299) {
        mst_s3_read_error(a);
        ask_why(s, r, a);
        guess(r, a);
        return MST_OK;
    }
    if (r->error_in_200) {
        mst_s3_read_error(a); /* some stores begin to answer before they know */
        if (a->reply.body.len == 0) {
            return mst_err_set(err, MST_E_NET, "the answer was empty");
        }
        if (mst_s3_says(a, "content-type", "text/html")) {
            return mst_err_set(err, MST_E_SERVER, "%s", mst_s3_web_page);
        }
    }
    if (r->needs_etag && !mst_http_header(&a->reply.headers, "etag") &&
        !mst_s3_says(a, "content-type", "text/html")) {
        return mst_err_set(
            err, MST_E_NET,
            "the answer (HTTP %d) has no ETag: is there a proxy, or is the endpoint no S3", st);
    }
    return MST_OK;
}

static bool succeeded(const struct s3_req *r, const struct s3_answer *a)
{
    const int st = a->reply.status;

    return st >= 200 && st <= 299 && !a->code[0] &&
           !(r->needs_etag && !mst_http_header(&a->reply.headers, "etag"));
}

/* --- repeating --- */

struct repeat {
    struct mst_retry_facts f;
    int64_t start_ms, waited_ms;
    bool fresh, spent; /* spent: the job may repeat nothing more */
};

/* Whose repeats they are: of the job that this thread works for, or that sends parts here. */
static struct mst_task *job_of(const struct s3_req *r)
{
    struct mst_task *t = mst_store_works_for() ? mst_store_works_for() : r->task;

    return t && t->repeats_max ? t : NULL;
}

static bool spend(struct s3 *s, const struct s3_req *r, struct repeat *t)
{
    bool yes;

    if (job_of(r)) {
        yes = mst_task_repeat(job_of(r));
        t->spent = !yes;
        return yes;
    }
    mst_mutex_lock(&s->mtx);
    yes = s->quota >= RETRY_COST;
    s->quota -= yes ? RETRY_COST : 0;
    mst_mutex_unlock(&s->mtx);
    return yes;
}

static void slower(struct s3 *s)
{
    mst_mutex_lock(&s->mtx);
    s->limit = s->limit > 1 ? s->limit / 2 : 1;
    s->good = 0;
    mst_mutex_unlock(&s->mtx);
    mst_http_slower(s->http); /* reads and small writes too */
}

/* After a run of successes one more at a time again. */
static void earned(struct s3 *s, const struct s3_req *r)
{
    mst_task_went_well(job_of(r));
    mst_mutex_lock(&s->mtx);
    s->quota += s->quota < QUOTA_MAX;
    if (s->limit < s->limit_max && ++s->good >= 16) {
        s->limit++;
        s->good = 0;
        mst_cond_broadcast(&s->work);
    }
    mst_mutex_unlock(&s->mtx);
    mst_http_earned(s->http);
}

static void mend(struct s3 *s, enum mst_retry_what what, const struct s3_answer *a,
                 struct repeat *t)
{
    if (what == MST_RETRY_CLOCK) {
        const int64_t off = a->reply.date_ms ? a->reply.date_ms - mst_clock_utc_ms(NULL) : 0;

        const bool far = off > SKEW_MS || off < -SKEW_MS;

        t->f.clock_done = true;
        atomic_store(&s->clock_ms, far ? off : 0);
        if (far) {
            mst_log(MST_LOG_WARN, "store",
                    "the clock of this host is %lld s %s that of the store %s: requests are signed "
                    "for the store's time; set this host's clock",
                    (long long)(off < 0 ? -off : off) / 1000, off < 0 ? "before" : "behind",
                    s->base.name);
        }
    } else if (what == MST_RETRY_LOGIN) {
        t->f.login_done = t->fresh = true;
    } else {
        char was[sizeof(s->region)];

        t->f.region_done = true;
        mst_s3_region_of(s, was, sizeof(was));
        mst_log(MST_LOG_WARN, "store", "the bucket of the store %s is in the region %s, not %s",
                s->base.name, a->region, was);
        mst_mutex_lock(&s->mtx);
        (void)mst_copy(s->region, sizeof(s->region), a->region);
        mst_mutex_unlock(&s->mtx);
    }
}

/* May it be tried again? Waits until then. */
static bool again(struct s3 *s, const struct s3_req *r, enum mst_rc rc, const struct s3_answer *a,
                  struct repeat *t)
{
    int64_t wait = 0;
    enum mst_retry_what what;

    t->f.rc = rc;
    t->f.status = rc == MST_OK ? a->reply.status : 0;
    t->f.code = a->code;
    t->f.retry_after_s = rc == MST_OK ? mst_http_retry_after_s(&a->reply) : -1;
    t->f.region_known = a->region[0] && !s->region_kept;
    t->f.budget_ms = s->wait_ms - t->waited_ms;
    t->f.heard = mst_http_heard(s->http);
    t->f.spent_ms = mst_clock_mono_ms(NULL) - t->start_ms;
    MST_ASSERT(getrandom(&t->f.random, sizeof(t->f.random), 0) == (ssize_t)sizeof(t->f.random));
    t->fresh = false;
    what = mst_retry_decide(&t->f, &wait);
    if (what == MST_RETRY_NO) {
        return false;
    }
    if (what >= MST_RETRY_CLOCK) {
        mend(s, what, a, t);
        return true;
    }
    if (what == MST_RETRY_SLOWER) {
        slower(s);
    }
    if (!spend(s, r, t) || !mst_task_sleep_ms(r->task, wait)) {
        return false;
    }
    t->waited_ms += wait;
    return true;
}

static void fold(struct s3 *s, const struct s3_req *r, const struct s3_answer *a, bool spent,
                 struct mst_err *err)
{
    const struct mst_task *job = job_of(r);
    char took[MST_HUMAN_MAX];

    if (err->rc == MST_E_CANCELLED) {
        return;
    }
    if (a->tries > 1) {
        mst_err_prefix(err, "%u tries in %s, the last", a->tries,
                       mst_text_duration(a->took_ms, took));
    }
    if (spent && job) {
        mst_err_prefix(err, MST_STORE_SPENT, job->repeats_max);
    }
    mst_err_prefix(err, "cannot %s %s%sthe store %s (%s)", r->what, r->key ? r->key : "",
                   r->key ? " in " : "", s->base.name, s->base.where);
}

/* Something of it may have been done although no success came back. */
static bool may_have_happened(enum mst_rc rc, const struct s3_answer *a)
{
    const struct mst_http_reply *y = &a->reply;

    return y->resent || (rc != MST_OK && y->sent_all) || (rc == MST_OK && y->status >= 500) ||
           (rc == MST_OK && y->status >= 200 && y->status <= 299);
}

enum mst_rc mst_s3_call(struct s3 *s, const struct s3_req *r, struct s3_answer *a,
                        struct mst_err *err)
{
    struct repeat t = {.f.tries_max = r->tries_max ? r->tries_max : TRIES,
                       .start_ms = mst_clock_mono_ms(NULL)};
    char made[MST_SHA256_HEX];
    const char *hash = r->hash;
    struct mst_err why = {0};
    enum mst_rc rc;

    if (!hash) {
        uint8_t digest[MST_SHA256_LEN];

        mst_sha256_of(r->body ? r->body : "", r->body_n, digest);
        hash = mst_hex(digest, sizeof(digest), made);
    }
    memset(a, 0, sizeof(*a));
    do {
        t.f.tries++;
        if (r->again) {
            r->again(r->sink_arg);
        }
        rc = send_once(s, r, t.fresh, hash, a, &why);
        a->code[0] = a->message[0] = a->region[0] = '\0';
        if (rc == MST_OK) {
            rc = judge(s, r, a, &why);
        }
        a->tries = t.f.tries;
        if (rc == MST_OK && succeeded(r, a)) {
            earned(s, r);
            return MST_OK;
        }
        a->maybe_done = a->maybe_done || may_have_happened(rc, a);
    } while (again(s, r, rc, a, &t));
    a->took_ms = mst_clock_mono_ms(NULL) - t.start_ms;
    if (mst_task_check(r->task, err) != MST_OK) {
        return err->rc;
    }
    if (rc != MST_OK) {
        a->reply.status = 0;
        *err = why;
    } else {
        mst_s3_see_absent(s, r, a);
        (void)mst_s3_refused(s, r, a, err);
    }
    fold(s, r, a, t.spent, err);
    return err->rc;
}
