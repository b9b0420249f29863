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
#include "store/xml.h"

#define TRIES 8U
#define RETRY_COST 5
#define QUOTA_MAX 500
#define SKEW_MS 60000
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" /* its hash */
#define WINDOW_MS 600000 /* a signature is good for 15 minutes */

static const char web_page[] = "a web page came instead of a store's answer: is there a proxy or a "
                               "captive portal, or is the endpoint wrong";

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

/* --- what an answer says --- */

static bool take_error(void *arg, const char *path, const char *text)
{
    struct s3_answer *a = arg;

    if (strcmp(path, "Error/Code") == 0) {
        mst_text_clean(a->code, sizeof(a->code), text, strlen(text));
    } else if (strcmp(path, "Error/Message") == 0) {
        mst_text_clean(a->message, sizeof(a->message), text, strlen(text));
    } else if (strcmp(path, "Error/Region") == 0) {
        (void)mst_copy(a->region, sizeof(a->region), text);
    }
    return true;
}

void mst_s3_read_error(struct s3_answer *a)
{
    const char *region = mst_http_header(&a->reply.headers, "x-amz-bucket-region");
    struct mst_err ignore = {0};

    a->code[0] = a->message[0] = a->region[0] = '\0';
    if (a->reply.body.len > 0) {
        (void)!mst_xml_parse(a->reply.body.p, a->reply.body.len, take_error, a, &ignore);
    }
    if (region) {
        (void)mst_copy(a->region, sizeof(a->region), region);
    }
    if (strspn(a->region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(a->region)) {
        a->region[0] = '\0';
    }
}

static bool has(const struct s3_answer *a, const char *header, const char *text)
{
    const char *v = mst_http_header(&a->reply.headers, header);

    return v && strstr(v, text);
}

static bool unknown_key(const char *code)
{
    return strcmp(code, "InvalidAccessKeyId") == 0 || strcmp(code, "XAdminUserNotFound") == 0;
}

static bool about_token(const char *code)
{
    return strcmp(code, "ExpiredToken") == 0 || strcmp(code, "InvalidToken") == 0;
}

static enum mst_rc about_the_key(struct s3 *s, const struct s3_req *r, const struct s3_answer *a,
                                 struct mst_err *err)
{
    const char *code = a->code;

    if (unknown_key(code)) {
        return mst_err_set(err, MST_E_AUTH,
                           "it does not know the access key (%s): 'muster store show' says where "
                           "the key comes from",
                           code);
    }
    if (strcmp(code, "SignatureDoesNotMatch") == 0) {
        return mst_err_set(err, MST_E_AUTH,
                           "the secret key does not belong to the access key (%s): mend the file "
                           "or command that the secret comes from",
                           code);
    }
    if (strcmp(code, "ExpiredToken") == 0 || a->reply.status == 401) {
        return mst_err_set(err, MST_E_AUTH,
                           "the credentials have expired, and fresh ones too (%s): renew them "
                           "where they come from",
                           *code ? code : "HTTP 401");
    }
    if (strcmp(code, "InvalidToken") == 0) {
        return mst_err_set(err, MST_E_AUTH,
                           "it does not accept the session token, nor a fresh one (%s): renew the "
                           "credentials where they come from",
                           code);
    }
    if (strcmp(code, "RequestTimeTooSkewed") == 0) {
        return mst_err_set(err, MST_E_AUTH,
                           "the clocks of this host and of the store are too far apart, and the "
                           "store's own time did not help: set this host's clock");
    }
    if (strcmp(code, "InvalidObjectState") == 0) {
        return mst_err_set(err, MST_E_PRECOND,
                           "it is in an archive tier: it must be thawed before it can be read");
    }
    if (strcmp(code, "ObjectUnderActiveHold") == 0) { /* Google's, which lists no holds here */
        return mst_err_set(err, MST_E_PRECOND,
                           "it is held in the store: somebody has to take that off first (%s)",
                           code);
    }
    if (strcmp(code, "RetentionPolicyNotMet") == 0) {
        return mst_err_set(err, MST_E_PRECOND,
                           "the retention of the bucket or of the object keeps it for now (%s)",
                           code);
    }
    (void)s;
    return mst_err_set(err, MST_E_AUTH, "the key may not do that: its policy has to allow %s (%s)",
                       r->action, *code ? code : "HTTP 403");
}

/* It changes when the store says where the bucket is: by any of the threads that ask. */
static void region_of(struct s3 *s, char *out, size_t size)
{
    mst_mutex_lock(&s->mtx);
    (void)mst_copy(out, size, s->region);
    mst_mutex_unlock(&s->mtx);
}

static enum mst_rc about_the_place(struct s3 *s, const struct s3_req *r, const struct s3_answer *a,
                                   struct mst_err *err)
{
    char region[sizeof(s->region)];

    region_of(s, region, sizeof(region));
    if (strcmp(a->code, "NoSuchBucket") == 0) {
        return mst_err_set(err, MST_E_CONFIG,
                           "there is no bucket %s: make it, or mend bucket in the configuration",
                           s->bucket);
    }
    if (a->reply.status == 404 && r->key && (!*a->code || strncmp(a->code, "NoSuch", 6) == 0)) {
        return mst_err_set(err, MST_E_NOTFOUND, "it is not there");
    }
    if (a->reply.status == 404) {
        return mst_err_set(err, MST_E_SERVER, "it answered HTTP 404 %s: %s", a->code, a->message);
    }
    if (a->region[0]) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the bucket is in the region %s, and the store is configured for %s: "
                           "set region = \"%s\"",
                           a->region, region, a->region);
    }
    if (a->reply.status == 400) {
        return mst_err_set(err, MST_E_CONFIG,
                           "it does not take the region %s and does not say its own: set region",
                           region);
    }
    return mst_err_set(err, MST_E_SERVER,
                       "it sends us elsewhere (HTTP %d): credentials are not sent to another host; "
                       "mend endpoint or region",
                       a->reply.status);
}

enum mst_rc mst_s3_refused(struct s3 *s, const struct s3_req *r, const struct s3_answer *a,
                           struct mst_err *err)
{
    const int st = a->reply.status;

    if (has(a, "content-encoding", "gzip") || has(a, "content-encoding", "br")) {
        return mst_err_set(err, MST_E_SERVER,
                           "it answered HTTP %d with a compressed page, which no store does: is "
                           "there a proxy, or is the endpoint wrong",
                           st);
    }
    /* What a HEAD would have had as its page says nothing. */
    if (has(a, "content-type", "text/html") && !a->code[0] &&
        (st < 400 || strcmp(r->method, "HEAD") != 0)) {
        return mst_err_set(err, MST_E_SERVER, "%s (HTTP %d)", web_page, st);
    }
    if (st == 507 || strstr(a->code, "Quota")) {
        return mst_err_set(
            err, MST_E_IO,
            "it is full: its quota is reached (%s): 'muster clean' makes room, or raise the quota",
            *a->code ? a->code : "HTTP 507");
    }
    if (st == 401 || st == 403 || about_token(a->code) || unknown_key(a->code)) {
        return about_the_key(s, r, a, err);
    }
    if (st == 404 || (st >= 300 && st < 400) ||
        strcmp(a->code, "AuthorizationHeaderMalformed") == 0) {
        return about_the_place(s, r, a, err);
    }
    if (st == 412) {
        return mst_err_set(err, MST_E_EXISTS, "it exists already");
    }
    return mst_err_set(err, MST_E_SERVER, "it answered HTTP %d%s%s%s%s", st, *a->code ? " " : "",
                       a->code, *a->message ? ": " : "", a->message);
}

/* --- sending --- */

static void where_to(struct s3 *s, struct mst_str *base, char *host, size_t size, char *region,
                     size_t region_size)
{
    const char *authority;

    region_of(s, region, region_size);
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
        if (has(a, "content-type", "text/html")) {
            return mst_err_set(err, MST_E_SERVER, "%s", web_page);
        }
    }
    if (r->needs_etag && !mst_http_header(&a->reply.headers, "etag") &&
        !has(a, "content-type", "text/html")) {
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
        region_of(s, was, sizeof(was));
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
