#include "store/gcs_call.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/text.h"
#include "http/retry.h"
#include "store/impl.h"

static uint32_t chance(void)
{
    uint32_t v = 0;

    return getrandom(&v, sizeof(v), 0) == (ssize_t)sizeof(v) ? v : 0;
}

static bool wanted(const struct mst_gcall *c, int status)
{
    if (status >= 200 && status < 300) {
        return true;
    }
    for (const int *s = c->expect; s && *s; s++) {
        if (*s == status) {
            return true;
        }
    }
    return false;
}

/* One try with a token of its own; what was in the headers is wiped. */
static enum mst_rc once(struct mst_gcall *c, struct mst_secret *token, struct mst_http_reply *reply,
                        bool *no_token, struct mst_task *task, struct mst_err *err)
{
    struct mst_http_headers *hs = mst_xmalloc(sizeof(*hs));
    struct mst_http_request q;
    enum mst_rc rc = MST_OK;

    if (c->again) {
        c->again(c->again_arg);
    }
    *hs = c->headers;
    q = c->q;
    q.headers = hs;
    if (c->auth) {
        rc = mst_gauth_token(c->auth, token, task, err);
        *no_token = rc != MST_OK;
        if (rc == MST_OK) {
            char *value = mst_xasprintf("Bearer %s", token->p);

            rc = mst_http_add(hs, "authorization", value, err);
            mst_wipe(value, strlen(value));
            free(value);
        }
    }
    if (rc == MST_OK) {
        rc = mst_http_do(c->http, &q, reply, task, err);
    }
    mst_wipe(hs, sizeof(*hs));
    free(hs);
    return rc;
}

/* Google's words for what passes, as http/retry.h knows them from S3. */
static const char *class_of(int status, const struct mst_gerror *e)
{
    if (status == 401) {
        return "ExpiredToken";
    }
    if (status == 429 || strcmp(e->reason, "rateLimitExceeded") == 0 ||
        strcmp(e->reason, "userRateLimitExceeded") == 0) {
        return "SlowDown";
    }
    return e->reason;
}

static enum mst_rc rc_of(int status, const struct mst_gerror *e)
{
    /* The reason objectUnderActiveHold is what is documented; what the service says of a hold is
     * "forbidden", as of a lack of rights, and only the message tells. */
    if (strcmp(e->reason, "retentionPolicyNotMet") == 0 ||
        strcmp(e->reason, "objectUnderActiveHold") == 0 ||
        (status == 403 && strstr(e->message, "under active") && strstr(e->message, "hold"))) {
        return MST_E_PRECOND;
    }
    switch (status) {
    case 401:
    case 403:
        return MST_E_AUTH;
    case 404:
        return strstr(e->message, "bucket does not exist") ? MST_E_CONFIG : MST_E_NOTFOUND;
    case 412:
        return MST_E_EXISTS;
    default:
        return status == 408 || status == 429 || status >= 500 ? MST_E_NET : MST_E_SERVER;
    }
}

static enum mst_rc refused(const struct mst_gcall *c, const struct mst_http_reply *r,
                           const struct mst_gerror *e, struct mst_err *err)
{
    const char *type = mst_http_header(&r->headers, "content-type");
    const enum mst_rc rc = rc_of(r->status, e);
    char words[280] = "";

    if (r->status >= 300 && r->status < 400) {
        return mst_err_set_detail(err, MST_E_SERVER, r->status,
                                  "cannot %s: %s answered %d and points elsewhere, which is not "
                                  "followed: set endpoint",
                                  c->what, c->host, r->status);
    }
    if (strcmp(e->reason, "quotaExceeded") == 0 || r->status == 507) {
        return mst_err_set_detail(err, MST_E_IO, r->status,
                                  "cannot %s: %s is full: its quota is reached (%s): 'muster "
                                  "clean' makes room, or raise the quota",
                                  c->what, c->host, e->reason[0] ? e->reason : "507");
    }
    if (r->status == 407) {
        return mst_err_set_detail(err, MST_E_AUTH, r->status,
                                  "cannot %s: the proxy wants a login (407)", c->what);
    }
    if (e->message[0] && e->reason[0]) {
        (void)snprintf(words, sizeof(words), " (%s): %s", e->reason, e->message);
    } else if (e->message[0] || e->reason[0]) {
        (void)snprintf(words, sizeof(words), ": %s", e->message[0] ? e->message : e->reason);
    } else if (type && strstr(type, "xml")) {
        (void)mst_copy(words, sizeof(words),
                       " with XML, which this API never does: endpoint is another service's, or "
                       "the type of the store is s3");
    } else if (type && strncmp(type, "text/html", 9) == 0) {
        (void)mst_copy(words, sizeof(words),
                       " with a web page: a proxy or the login page of a network stands in "
                       "between, or endpoint is another service's");
    } else if (r->body.len == 0) {
        (void)mst_copy(words, sizeof(words), " and does not say why");
    }
    if (words[0] && words[strlen(words) - 1] == '.') {
        words[strlen(words) - 1] = '\0';
    }
    return mst_err_set_detail(
        err, rc, r->status, "cannot %s: %s answered %d%s%s", c->what, c->host, r->status, words,
        rc == MST_E_CONFIG ? ": make it, or mend bucket in the configuration" : "");
}

enum mst_rc mst_gcall_refused(const struct mst_gcall *c, const struct mst_http_reply *reply,
                              struct mst_err *err)
{
    struct mst_gerror e;

    (void)mst_gjson_error(reply->body.p, reply->body.len, &e);
    return refused(c, reply, &e, err);
}

struct loop { /* of the tries of one call */
    struct mst_retry_facts f;
    int64_t begun_ms;
    struct mst_task *job;
    bool spent; /* the job may repeat nothing more */
};

/* What the outcome of this try means; the sentence of a failure is in err. */
static enum mst_retry_what judge(struct mst_gcall *c, struct loop *l, struct mst_http_reply *reply,
                                 int64_t *wait_ms, struct mst_err *err)
{
    struct mst_gerror e = {0};
    enum mst_retry_what what;

    *wait_ms = 0;
    if (l->f.rc == MST_OK) {
        (void)mst_gjson_error(reply->body.p, reply->body.len, &e);
        (void)refused(c, reply, &e, err);
    }
    if (reply->resent || (l->f.rc != MST_OK && reply->sent_all) ||
        (l->f.rc == MST_OK && reply->status >= 500) || reply->status == 408) {
        c->unclear = true;
    }
    l->f.status = l->f.rc == MST_OK ? reply->status : 0;
    l->f.code = l->f.rc == MST_OK ? class_of(reply->status, &e) : "";
    l->f.retry_after_s = l->f.rc == MST_OK ? mst_http_retry_after_s(reply) : -1;
    l->f.random = chance();
    l->f.heard = mst_http_heard(c->http);
    l->f.spent_ms = mst_clock_mono_ms(c->clock) - l->begun_ms;
    what = mst_retry_decide(&l->f, wait_ms);
    l->f.code = ""; /* it was of e */
    return what;
}

static enum mst_rc folded(const struct mst_gcall *c, const struct loop *l, struct mst_err *err)
{
    char took[MST_HUMAN_MAX];

    if (l->f.rc != MST_OK && l->f.tries > 0) {
        mst_err_prefix(err, "cannot %s%s%s", c->what, c->auth ? " in " : "",
                       c->auth ? c->host : "");
    }
    if (l->f.tries > 1) {
        mst_err_prefix(err, "after %u tries in %s", l->f.tries,
                       mst_text_duration(mst_clock_mono_ms(c->clock) - l->begun_ms, took));
    }
    if (l->spent) {
        mst_err_prefix(err, MST_STORE_SPENT, l->job->repeats_max);
    }
    return err->rc;
}

enum mst_rc mst_gcall_do(struct mst_gcall *c, struct mst_http_reply *reply, struct mst_task *task,
                         struct mst_err *err)
{
    struct loop l = {.f = {.tries_max = c->tries_max ? c->tries_max : MST_GCALL_TRIES,
                           .budget_ms = c->budget_ms ? c->budget_ms : MST_GCALL_BUDGET_MS},
                     .job = mst_store_works_for() ? mst_store_works_for() : task,
                     .begun_ms = mst_clock_mono_ms(c->clock)};
    struct mst_secret token = {0};
    struct mst_err why = {0}; /* err stays as it is when a later try succeeds */
    enum mst_rc rc;

    for (;;) {
        int64_t wait_ms = 0;
        enum mst_retry_what what;
        bool no_token = false;

        mst_http_reply_release(reply);
        memset(reply, 0, sizeof(*reply));
        l.f.rc = once(c, &token, reply, &no_token, task, &why);
        rc = l.f.rc;
        if (rc == MST_OK && wanted(c, reply->status)) {
            c->unclear |= reply->resent;
            mst_task_went_well(l.job);
            mst_http_earned(c->http);
            break;
        }
        if (no_token) { /* tried often enough there */
            if (rc != MST_E_CANCELLED) {
                mst_err_prefix(&why, "cannot %s in %s", c->what, c->host);
            }
            break;
        }
        if (rc == MST_E_CONFIG) {
            break;
        }
        l.f.tries++;
        what = judge(c, &l, reply, &wait_ms, &why);
        if (what == MST_RETRY_SLOWER) {
            mst_http_slower(c->http);
        }
        if ((what == MST_RETRY_AGAIN || what == MST_RETRY_SLOWER) && !mst_task_repeat(l.job)) {
            l.spent = true;
            rc = folded(c, &l, &why);
            break;
        }
        if (what == MST_RETRY_LOGIN && c->auth) {
            mst_gauth_reject(c->auth, &token);
            l.f.login_done = true;
        } else if (what == MST_RETRY_NO || what == MST_RETRY_REGION || what == MST_RETRY_CLOCK ||
                   what == MST_RETRY_LOGIN) {
            rc = folded(c, &l, &why);
            break;
        } else if (!mst_task_sleep_ms(task, wait_ms)) {
            rc = mst_task_check(task, &why);
            break;
        }
        l.f.budget_ms -= wait_ms;
    }
    mst_secret_release(&token);
    if (rc != MST_OK) {
        *err = why;
    }
    return rc;
}

enum mst_rc mst_gcall_json(const struct mst_gcall *c, const struct mst_http_reply *reply,
                           bson_t **out, struct mst_err *err)
{
    char *what = mst_xasprintf("cannot %s: %s answered %d", c->what, c->host, reply->status);
    const enum mst_rc rc = mst_gjson_parse(what, reply->body.p, reply->body.len, out, err);

    free(what);
    return rc;
}

enum mst_rc mst_gcall_host(const char *url, bool plain, const char *what, char *host, size_t size,
                           struct mst_err *err)
{
    const bool tls = strncmp(url, "https://", 8) == 0;
    const char *from = url + (tls ? 8 : 7);
    size_t n;

    if (!tls && strncmp(url, "http://", 7) != 0) {
        return mst_err_set(err, MST_E_CONFIG, "%s must begin with https://", what);
    }
    if (!tls && !plain) {
        return mst_err_set(err, MST_E_CONFIG, "%s is plain http: only with plain_http = true",
                           what);
    }
    n = strcspn(from, "/?#");
    if (n == 0 || n >= size ||
        strspn(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789.-:[]_") < n) {
        return mst_err_set(err, MST_E_CONFIG, "%s has no host that can be used", what);
    }
    (void)snprintf(host, size, "%.*s", (int)n, from);
    return MST_OK;
}

void mst_gcall_encode(const char *text, struct mst_str *out)
{
    for (const char *p = text; *p; p++) {
        const unsigned char ch = (unsigned char)*p;

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
            strchr("-._~", ch)) {
            mst_str_addc(out, *p);
        } else {
            mst_str_addf(out, "%%%02X", ch);
        }
    }
}
