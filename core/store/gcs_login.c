/* Ways to an access token. Facts: RFC 7523 (JWT bearer grant), RFC 8693 (token exchange), and
 * Google's "Using OAuth 2.0 for server to server applications", "Workload identity federation" and
 * "About VM metadata". */
#include "store/gcs_login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/credential.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypt/rs256.h"

#define SCOPE "https://www.googleapis.com/auth/devstorage.full_control"
#define SCOPE_ALL "https://www.googleapis.com/auth/cloud-platform"
#define JWT_S 3600
#define COMMAND_GOOD_MS 240000 /* nobody says how old what a command prints is */
#define SKEW_MS 60000
#define EXPIRES_MAX_S 86400

enum mst_rc mst_glogin_file(const char *path, const char *what, bool open_to_others,
                            struct mst_buf *out, struct mst_err *err)
{
    char why[128], at[MST_CREDENTIAL_PATH];
    struct stat st;
    enum mst_rc rc = mst_credential_path(path, at, err);
    ssize_t n = 0;
    int fd;

    if (rc != MST_OK) {
        return rc;
    }
    fd = open(at, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return mst_err_set_detail(err, MST_E_CONFIG, errno, "cannot read the %s %s: %s", what, path,
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rc = mst_err_set(err, MST_E_CONFIG, "the %s %s is not a regular file", what, path);
    } else if (!open_to_others && st.st_uid != geteuid() && st.st_uid != 0) {
        rc = mst_err_set(err, MST_E_CONFIG, "the %s %s belongs to another user (uid %u)", what,
                         path, (unsigned)st.st_uid);
    } else if (!open_to_others && !mst_credential_private(path, &st)) {
        rc = mst_err_set(err, MST_E_CONFIG,
                         "the %s %s can be read by others (mode %04o): chmod 600 it", what, path,
                         (unsigned)st.st_mode & 07777U);
    } else {
        /* Room for all of it at once, so that no copy stays behind where the buffer grew. */
        uint8_t *room = mst_buf_room(out, MST_GLOGIN_FILE_MAX + 1);

        do {
            n = read(fd, room + out->len, MST_GLOGIN_FILE_MAX + 1 - out->len);
            out->len += n > 0 ? (size_t)n : 0;
        } while (n > 0 || (n < 0 && errno == EINTR));
        if (n < 0) {
            rc = mst_err_set_detail(err, MST_E_CONFIG, errno, "cannot read the %s %s: %s", what,
                                    path, mst_errno_text(errno, why, sizeof(why)));
        } else if (out->len > MST_GLOGIN_FILE_MAX) {
            rc = mst_err_set(err, MST_E_LIMIT, "the %s %s has more than %zu bytes", what, path,
                             MST_GLOGIN_FILE_MAX);
        }
    }
    (void)close(fd);
    return rc;
}

/* --- what the files say --- */

/* A document that held a secret is wiped before it goes. */
static void destroy_secret(bson_t *b)
{
    uint32_t n = 0;
    uint8_t *p = b ? bson_destroy_with_steal(b, true, &n) : NULL;

    if (p) {
        mst_wipe(p, n);
        bson_free(p);
    }
}

static enum mst_rc need(const bson_t *b, const char *name, char *out, size_t size,
                        struct mst_err *err)
{
    const char *v = mst_gjson_text(b, name);

    if (!*v) {
        return mst_err_set(err, MST_E_CONFIG, "it has no %s", name);
    }
    if (strpbrk(v, "\r\n") || !mst_copy(out, size, v)) {
        return mst_err_set(err, MST_E_CONFIG,
                           "its %s cannot be used: it is too long or has a line "
                           "break",
                           name);
    }
    return MST_OK;
}

static enum mst_rc parse(const void *p, size_t n, const char *type, bson_t **out,
                         struct mst_err *err)
{
    struct mst_err ignored = {0};
    char have[40];

    if (n > MST_GLOGIN_FILE_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "it has more than %zu bytes", MST_GLOGIN_FILE_MAX);
    }
    if (mst_gjson_parse("", p, n, out, &ignored) != MST_OK) {
        return mst_err_set(err, MST_E_CONFIG, "it is not a JSON object");
    }
    if (strcmp(mst_gjson_text(*out, "type"), type) != 0) {
        mst_text_clean(have, sizeof(have), mst_gjson_text(*out, "type"),
                       strlen(mst_gjson_text(*out, "type")));
        destroy_secret(*out);
        *out = NULL;
        return mst_err_set(err, MST_E_CONFIG, "its type is '%s', not '%s'", have, type);
    }
    return MST_OK;
}

enum mst_rc mst_glogin_service_account(const void *p, size_t n, bool plain, struct mst_glogin *out,
                                       struct mst_err *err)
{
    char host[256];
    const char *pem;
    bson_t *b = NULL;
    enum mst_rc rc = parse(p, n, "service_account", &b, err);

    if (rc != MST_OK) {
        return rc;
    }
    pem = mst_gjson_text(b, "private_key");
    rc = need(b, "client_email", out->who, sizeof(out->who), err);
    rc = rc == MST_OK ? need(b, "private_key_id", out->key_id, sizeof(out->key_id), err) : rc;
    rc = rc == MST_OK ? need(b, "token_uri", out->token_url, sizeof(out->token_url), err) : rc;
    rc = rc == MST_OK
             ? mst_gcall_host(out->token_url, plain, "its token_uri", host, sizeof(host), err)
             : rc;
    if (rc == MST_OK && !*pem) {
        rc = mst_err_set(err, MST_E_CONFIG, "it has no private_key");
    }
    if (rc == MST_OK) {
        uint8_t signature[MST_RS256_MAX];
        size_t got;

        mst_secret_set(&out->key, pem, strlen(pem));
        rc = mst_rs256(&out->key, "", 0, signature, &got, err); /* a bad key is said now */
    }
    destroy_secret(b);
    return rc;
}

static enum mst_rc workload_source(const bson_t *b, struct mst_glogin *out, struct mst_err *err)
{
    const char *format = mst_gjson_text(b, "credential_source.format.type");
    enum mst_rc rc;

    if (!*mst_gjson_text(b, "credential_source.file")) {
        return mst_err_set(err, MST_E_CONFIG,
                           "its credential_source is not a file: only tokens in files are read");
    }
    rc = need(b, "credential_source.file", out->subject_file, sizeof(out->subject_file), err);
    if (rc == MST_OK && strcmp(format, "json") == 0) {
        rc = need(b, "credential_source.format.subject_token_field_name", out->subject_field,
                  sizeof(out->subject_field), err);
    } else if (rc == MST_OK && *format && strcmp(format, "text") != 0) {
        rc = mst_err_set(err, MST_E_CONFIG,
                         "the format of its credential_source is neither text "
                         "nor json");
    }
    return rc;
}

enum mst_rc mst_glogin_workload(const void *p, size_t n, bool plain, struct mst_glogin *out,
                                struct mst_err *err)
{
    static const char url[] = "service_account_impersonation_url";
    char host[256];
    bson_t *b = NULL;
    enum mst_rc rc = parse(p, n, "external_account", &b, err);

    if (rc != MST_OK) {
        return rc;
    }
    rc = need(b, "audience", out->audience, sizeof(out->audience), err);
    rc = rc == MST_OK
             ? need(b, "subject_token_type", out->subject_type, sizeof(out->subject_type), err)
             : rc;
    rc = rc == MST_OK ? need(b, "token_url", out->token_url, sizeof(out->token_url), err) : rc;
    rc = rc == MST_OK
             ? mst_gcall_host(out->token_url, plain, "its token_url", host, sizeof(host), err)
             : rc;
    rc = rc == MST_OK ? workload_source(b, out, err) : rc;
    if (rc == MST_OK && *mst_gjson_text(b, url)) {
        rc = need(b, url, out->impersonate_url, sizeof(out->impersonate_url), err);
        rc = rc == MST_OK ? mst_gcall_host(out->impersonate_url, plain, "its impersonation url",
                                           host, sizeof(host), err)
                          : rc;
    }
    if (rc == MST_OK && out->impersonate_url[0]) {
        /* ".../serviceAccounts/NAME:generateAccessToken" names who one becomes. */
        const char *name = strrchr(out->impersonate_url, '/') + 1;

        (void)snprintf(out->who, sizeof(out->who), "%.*s", (int)(strcspn(name, ":") & 0xffU), name);
    } else if (rc == MST_OK) {
        (void)mst_copy(out->who, sizeof(out->who), out->audience);
    }
    destroy_secret(b);
    return rc;
}

void mst_glogin_release(struct mst_glogin *g)
{
    if (g) {
        mst_secret_release(&g->key);
        free(g->argv.item);
        g->argv.item = NULL;
        mst_http_free(g->http);
        g->http = NULL;
    }
}

/* --- asking --- */

static enum mst_rc take_token(const struct mst_glogin *g, const char *token, struct mst_secret *out,
                              struct mst_err *err)
{
    const size_t n = strlen(token);

    if (n == 0) {
        return mst_err_set(err, MST_E_AUTH, "%s gave no access token", g->source);
    }
    if (n > MST_GAUTH_TOKEN_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "%s gave a token of %zu bytes; %d are the most",
                           g->source, n, MST_GAUTH_TOKEN_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        if (token[i] <= 0x20 || token[i] >= 0x7f) {
            return mst_err_set(err, MST_E_AUTH, "%s gave something that is not a token", g->source);
        }
    }
    mst_secret_set(out, token, n);
    return MST_OK;
}

static bool says_google(const struct mst_http_reply *r)
{
    const char *v = mst_http_header(&r->headers, "metadata-flavor");

    return v && strcmp(v, "Google") == 0;
}

struct ask { /* one question */
    struct mst_gcall call;
    char host[256];
    struct mst_http_reply reply;
};

static enum mst_rc ask(struct mst_glogin *g, struct ask *a, const char *method, const char *url,
                       struct mst_task *task, bson_t **out, struct mst_err *err)
{
    enum mst_rc rc = mst_gcall_host(url, g->plain || g->kind == MST_GLOGIN_METADATA,
                                    "the token service", a->host, sizeof(a->host), err);

    a->call.http = g->http;
    a->call.host = a->host;
    a->call.what = "get an access token";
    a->call.tries_max = g->tries_max;
    a->call.q.method = method;
    a->call.q.url = url;
    a->call.q.body_max = MST_GLOGIN_FILE_MAX;
    rc = rc == MST_OK ? mst_gcall_do(&a->call, &a->reply, task, err) : rc;
    if (a->reply.date_ms > 0 && rc != MST_OK) {
        const int64_t ahead = a->reply.date_ms - mst_clock_utc_ms(g->clock);

        g->ahead_ms = llabs((long long)ahead) > SKEW_MS ? ahead : 0;
    }
    if (rc == MST_OK && g->kind == MST_GLOGIN_METADATA && !says_google(&a->reply)) {
        rc = mst_err_set(err, MST_E_AUTH, "%s does not say that it is one: something else answers",
                         g->source);
    } else if (rc == MST_OK) {
        rc = mst_gcall_json(&a->call, &a->reply, out, err);
    } else if (rc == MST_E_SERVER || rc == MST_E_NOTFOUND || rc == MST_E_CONFIG) {
        rc = err->rc = MST_E_AUTH; /* "invalid_grant" comes as 400 */
    }
    if (rc == MST_E_INTEGRITY) {
        rc = err->rc = MST_E_AUTH;
    }
    if (a->reply.body.p) {
        mst_wipe(a->reply.body.p, a->reply.body.len);
    }
    mst_http_reply_release(&a->reply);
    return rc;
}

/* {"access_token", "expires_in"}: of the token service, of STS, of the metadata server. */
static enum mst_rc granted(struct mst_glogin *g, bson_t *b, struct mst_secret *token,
                           int64_t *expires_wall_ms, struct mst_err *err)
{
    int64_t s = mst_gjson_number(b, "expires_in");
    enum mst_rc rc = take_token(g, mst_gjson_text(b, "access_token"), token, err);

    if (rc == MST_OK && s < 0) {
        rc = mst_err_set(err, MST_E_AUTH, "%s does not say when its token expires", g->source);
    }
    s = s > EXPIRES_MAX_S ? EXPIRES_MAX_S : s;
    *expires_wall_ms = mst_clock_utc_ms(g->clock) + s * 1000;
    destroy_secret(b);
    return rc;
}

static enum mst_rc jwt(struct mst_glogin *g, struct mst_str *out, struct mst_err *err)
{
    const int64_t now_s = (mst_clock_utc_ms(g->clock) + g->ahead_ms) / 1000;
    struct mst_str part = {0};
    uint8_t signature[MST_RS256_MAX];
    size_t n;
    enum mst_rc rc;

    mst_str_add(&part, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":");
    mst_str_add_json(&part, g->key_id);
    mst_str_add(&part, "}");
    mst_str_add_base64_url(out, part.p, part.len);
    mst_str_reset(&part);
    mst_str_add(&part, "{\"iss\":");
    mst_str_add_json(&part, g->who);
    mst_str_add(&part, ",\"scope\":\"" SCOPE "\",\"aud\":");
    mst_str_add_json(&part, g->token_url);
    mst_str_addf(&part, ",\"iat\":%lld,\"exp\":%lld}", (long long)now_s, (long long)now_s + JWT_S);
    mst_str_addc(out, '.');
    mst_str_add_base64_url(out, part.p, part.len);
    mst_str_release(&part);
    rc = mst_rs256(&g->key, out->p, out->len, signature, &n, err);
    if (rc == MST_OK) {
        mst_str_addc(out, '.');
        mst_str_add_base64_url(out, signature, n);
    }
    return rc;
}

/* The token that is given for a form. */
static enum mst_rc send_form(struct mst_glogin *g, struct mst_str *body, struct mst_secret *token,
                             int64_t *expires_wall_ms, struct mst_task *task, struct mst_err *err)
{
    struct ask *a = mst_xcalloc(1, sizeof(*a));
    bson_t *b = NULL;
    enum mst_rc rc =
        mst_http_add(&a->call.headers, "content-type", "application/x-www-form-urlencoded", err);

    a->call.q.body = body->p;
    a->call.q.body_n = body->len;
    rc = rc == MST_OK ? ask(g, a, "POST", g->token_url, task, &b, err) : rc;
    rc = rc == MST_OK ? granted(g, b, token, expires_wall_ms, err) : rc;
    free(a);
    return rc;
}

static void forget(struct mst_str *s)
{
    if (s->p) {
        mst_wipe(s->p, s->cap);
    }
    mst_str_release(s);
}

static enum mst_rc by_service_account(struct mst_glogin *g, struct mst_secret *token,
                                      int64_t *expires_wall_ms, struct mst_task *task,
                                      struct mst_err *err)
{
    struct mst_str body = {0}, assertion = {0};
    enum mst_rc rc = jwt(g, &assertion, err);

    mst_str_add(&body, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
                       "&assertion=");
    mst_str_add(&body, mst_str_c(&assertion));
    rc = rc == MST_OK ? send_form(g, &body, token, expires_wall_ms, task, err) : rc;
    forget(&body);
    forget(&assertion);
    return rc;
}

/* The token that another identity provider left in a file. */
static enum mst_rc subject(const struct mst_glogin *g, struct mst_str *out, struct mst_err *err)
{
    struct mst_buf file = {0};
    struct mst_err ignored = {0};
    bson_t *b = NULL;
    enum mst_rc rc =
        mst_glogin_file(g->subject_file, "token file of the workload identity", true, &file, err);

    if (rc == MST_OK && g->subject_field[0]) {
        if (mst_gjson_parse("", file.p, file.len, &b, &ignored) == MST_OK) {
            mst_gcall_encode(mst_gjson_text(b, g->subject_field), out);
        }
        destroy_secret(b);
    } else if (rc == MST_OK) {
        char *text = mst_xstrndup((const char *)file.p, file.len);

        text[strcspn(text, " \t\r\n")] = '\0';
        mst_gcall_encode(text, out);
        mst_wipe(text, strlen(text));
        free(text);
    }
    if (rc == MST_OK && out->len == 0) {
        rc = mst_err_set(err, MST_E_AUTH, "the token file of the workload identity %s holds none",
                         g->subject_file);
    }
    if (file.p) {
        mst_wipe(file.p, file.len);
    }
    mst_buf_release(&file);
    return rc;
}

static void form(struct mst_str *s, const char *name, const char *value)
{
    mst_str_addf(s, "%s%s=", s->len ? "&" : "", name);
    mst_gcall_encode(value, s);
}

static enum mst_rc exchange(struct mst_glogin *g, struct mst_secret *token,
                            int64_t *expires_wall_ms, struct mst_task *task, struct mst_err *err)
{
    struct mst_str body = {0}, theirs = {0};
    enum mst_rc rc = subject(g, &theirs, err);

    form(&body, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    form(&body, "audience", g->audience);
    form(&body, "scope", g->impersonate_url[0] ? SCOPE_ALL : SCOPE);
    form(&body, "requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
    form(&body, "subject_token_type", g->subject_type);
    mst_str_addf(&body, "&subject_token=%s", mst_str_c(&theirs));
    rc = rc == MST_OK ? send_form(g, &body, token, expires_wall_ms, task, err) : rc;
    forget(&body);
    forget(&theirs);
    return rc;
}

static enum mst_rc impersonate(struct mst_glogin *g, const struct mst_secret *federated,
                               struct mst_secret *token, int64_t *expires_wall_ms,
                               struct mst_task *task, struct mst_err *err)
{
    static const char body[] = "{\"scope\":[\"" SCOPE "\"],\"lifetime\":\"3600s\"}";
    struct ask *a = mst_xcalloc(1, sizeof(*a));
    char *bearer = mst_xasprintf("Bearer %s", federated->p);
    bson_t *b = NULL;
    enum mst_rc rc = mst_http_add(&a->call.headers, "authorization", bearer, err);

    rc =
        rc == MST_OK ? mst_http_add(&a->call.headers, "content-type", "application/json", err) : rc;
    a->call.q.body = body;
    a->call.q.body_n = sizeof(body) - 1;
    rc = rc == MST_OK ? ask(g, a, "POST", g->impersonate_url, task, &b, err) : rc;
    if (rc == MST_OK) {
        *expires_wall_ms = mst_time_parse(mst_gjson_text(b, "expireTime"));
        rc = take_token(g, mst_gjson_text(b, "accessToken"), token, err);
        if (rc == MST_OK && *expires_wall_ms < 0) {
            rc = mst_err_set(err, MST_E_AUTH, "%s does not say when its token expires", g->source);
        }
        destroy_secret(b);
    }
    mst_wipe(bearer, strlen(bearer));
    mst_wipe(a, sizeof(*a));
    free(bearer);
    free(a);
    return rc;
}

static enum mst_rc by_workload(struct mst_glogin *g, struct mst_secret *token,
                               int64_t *expires_wall_ms, struct mst_task *task, struct mst_err *err)
{
    struct mst_secret federated = {0};
    enum mst_rc rc;

    if (!g->impersonate_url[0]) {
        return exchange(g, token, expires_wall_ms, task, err);
    }
    rc = exchange(g, &federated, expires_wall_ms, task, err);
    rc = rc == MST_OK ? impersonate(g, &federated, token, expires_wall_ms, task, err) : rc;
    mst_secret_release(&federated);
    return rc;
}

static enum mst_rc by_metadata(struct mst_glogin *g, struct mst_secret *token,
                               int64_t *expires_wall_ms, struct mst_task *task, struct mst_err *err)
{
    struct ask *a = mst_xcalloc(1, sizeof(*a));
    bson_t *b = NULL;
    enum mst_rc rc = mst_http_add(&a->call.headers, "metadata-flavor", "Google", err);

    rc = rc == MST_OK ? ask(g, a, "GET", g->metadata_url, task, &b, err) : rc;
    rc = rc == MST_OK ? granted(g, b, token, expires_wall_ms, err) : rc;
    free(a);
    return rc;
}

static enum mst_rc by_command(struct mst_glogin *g, struct mst_secret *token,
                              int64_t *expires_wall_ms, struct mst_err *err)
{
    struct mst_secret line = {0};
    enum mst_rc rc = mst_cfg_command(&g->argv, "token command", &line, err);

    rc = rc == MST_OK ? take_token(g, line.p, token, err) : rc;
    *expires_wall_ms = mst_clock_utc_ms(g->clock) + COMMAND_GOOD_MS;
    mst_secret_release(&line);
    return rc;
}

static enum mst_rc ask_kind(struct mst_glogin *g, struct mst_secret *token,
                            int64_t *expires_wall_ms, struct mst_task *task, struct mst_err *err)
{
    switch (g->kind) {
    case MST_GLOGIN_SERVICE_ACCOUNT:
        return by_service_account(g, token, expires_wall_ms, task, err);
    case MST_GLOGIN_WORKLOAD:
        return by_workload(g, token, expires_wall_ms, task, err);
    case MST_GLOGIN_METADATA:
        return by_metadata(g, token, expires_wall_ms, task, err);
    case MST_GLOGIN_COMMAND:
        return by_command(g, token, expires_wall_ms, err);
    }
    return mst_err_set(err, MST_E_BUG, "no such way to a token");
}

enum mst_rc mst_glogin_ask(struct mst_glogin *g, struct mst_secret *token, int64_t *expires_wall_ms,
                           struct mst_task *task, struct mst_err *err)
{
    const int64_t ahead_ms = g->ahead_ms;
    enum mst_rc rc = ask_kind(g, token, expires_wall_ms, task, err);

    if (rc == MST_E_AUTH && g->kind == MST_GLOGIN_SERVICE_ACCOUNT && g->ahead_ms != ahead_ms) {
        rc = ask_kind(g, token, expires_wall_ms, task, err); /* once, by the other's clock */
    }
    return rc;
}
