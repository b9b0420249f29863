/* What an answer says: the error in its page, and the sentence for a refusal. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/s3_own.h"
#include "store/xml.h"

const char mst_s3_web_page[] = "a web page came instead of a store's answer: is there a proxy or a "
                               "captive portal, or is the endpoint wrong";

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

bool mst_s3_says(const struct s3_answer *a, const char *header, const char *text)
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

void mst_s3_region_of(struct s3 *s, char *out, size_t size)
{
    mst_mutex_lock(&s->mtx);
    (void)mst_copy(out, size, s->region);
    mst_mutex_unlock(&s->mtx);
}

static enum mst_rc about_the_place(struct s3 *s, const struct s3_req *r, const struct s3_answer *a,
                                   struct mst_err *err)
{
    char region[sizeof(s->region)];

    mst_s3_region_of(s, region, sizeof(region));
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

    if (mst_s3_says(a, "content-encoding", "gzip") || mst_s3_says(a, "content-encoding", "br")) {
        return mst_err_set(err, MST_E_SERVER,
                           "it answered HTTP %d with a compressed page, which no store does: is "
                           "there a proxy, or is the endpoint wrong",
                           st);
    }
    /* What a HEAD would have had as its page says nothing. */
    if (mst_s3_says(a, "content-type", "text/html") && !a->code[0] &&
        (st < 400 || strcmp(r->method, "HEAD") != 0)) {
        return mst_err_set(err, MST_E_SERVER, "%s (HTTP %d)", mst_s3_web_page, st);
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
