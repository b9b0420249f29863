/* Keys that are lent for some hours: by the instance's metadata service (version 2 only), by the
 * container's, and by STS, for a role or for a token of another service. */
#include <bson/bson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "hash/hash.h"
#include "http/sign.h"
#include "store/creds_own.h"
#include "store/xml.h"

#define ANSWER_MAX ((size_t)64 * 1024)
#define TOKEN_MAX ((size_t)16 * 1024)
#define CALL_MS 5000
#define NEAR_CONNECT_MS 1000 /* on a host without one nobody answers */
#define LENT_S "3600"

const char *mst_creds_env(const char *name)
{
    const char *v = getenv(name);

    return v && *v ? v : NULL;
}

/* --- answers --- */

static bool text_of(const bson_t *b, const char *name, const char **out, size_t *n)
{
    bson_iter_t it;
    uint32_t len = 0;

    if (!bson_iter_init_find(&it, b, name) || !BSON_ITER_HOLDS_UTF8(&it)) {
        return false;
    }
    *out = bson_iter_utf8(&it, &len);
    *n = len;
    return len > 0 && len <= MST_SECRET_MAX;
}

static enum mst_rc finish(struct mst_login *out, const char *from, struct mst_err *err)
{
    if (!out->access_key[0] || !out->secret.p || out->expires_wall_ms <= 0) {
        return mst_err_set(err, MST_E_AUTH, "%s answered without a key or without its end", from);
    }
    (void)mst_copy(out->from, sizeof(out->from), from);
    return MST_OK;
}

enum mst_rc mst_creds_json(const void *p, size_t n, struct mst_login *out, struct mst_err *err)
{
    bson_error_t why;
    bson_t *b = bson_new_from_json(p, (ssize_t)n, &why);
    const char *v;
    size_t len;

    if (!b) {
        return mst_err_set(err, MST_E_AUTH, "the metadata service answered with no JSON");
    }
    if (text_of(b, "AccessKeyId", &v, &len)) {
        (void)mst_copy(out->access_key, sizeof(out->access_key), v);
    }
    if (text_of(b, "SecretAccessKey", &v, &len)) {
        mst_secret_set(&out->secret, v, len);
    }
    if (text_of(b, "Token", &v, &len)) {
        mst_secret_set(&out->token, v, len);
    }
    if (text_of(b, "Expiration", &v, &len)) {
        out->expires_wall_ms = mst_time_parse(v);
    }
    bson_destroy(b);
    return finish(out, "the metadata service", err);
}

struct sts {
    struct mst_login *out;
    char code[64], message[160];
};

static bool take_sts(void *arg, const char *path, const char *text)
{
    struct sts *s = arg;
    const char *leaf = strrchr(path, '/');

    leaf = leaf ? leaf + 1 : path;
    if (strstr(path, "/Credentials/")) {
        if (strcmp(leaf, "AccessKeyId") == 0) {
            (void)mst_copy(s->out->access_key, sizeof(s->out->access_key), text);
        } else if (strcmp(leaf, "SecretAccessKey") == 0) {
            mst_secret_set(&s->out->secret, text, strlen(text));
        } else if (strcmp(leaf, "SessionToken") == 0) {
            mst_secret_set(&s->out->token, text, strlen(text));
        } else if (strcmp(leaf, "Expiration") == 0) {
            s->out->expires_wall_ms = mst_time_parse(text);
        }
    } else if (strcmp(path, "ErrorResponse/Error/Code") == 0) {
        mst_text_clean(s->code, sizeof(s->code), text, strlen(text));
    } else if (strcmp(path, "ErrorResponse/Error/Message") == 0) {
        mst_text_clean(s->message, sizeof(s->message), text, strlen(text));
    }
    return true;
}

enum mst_rc mst_creds_sts(const void *p, size_t n, struct mst_login *out, struct mst_err *err)
{
    struct sts s = {.out = out};
    struct mst_err why = {0};

    if (mst_xml_parse(p, n, take_sts, &s, &why) != MST_OK) {
        return mst_err_set(err, MST_E_AUTH, "STS answered with %s", why.msg);
    }
    if (s.code[0]) {
        return mst_err_set(err, MST_E_AUTH, "STS refused: %s: %s", s.code, s.message);
    }
    return finish(out, "STS", err);
}

/* --- services near by --- */

static enum mst_rc near_call(const char *method, const char *url, const char *name,
                             const char *value, struct mst_buf *body, struct mst_task *task,
                             struct mst_err *err)
{
    const struct mst_http_opts o = {
        .plain = true, .connections = 1, .connect_ms = NEAR_CONNECT_MS, .stall_ms = CALL_MS};
    struct mst_http_headers *hs = mst_xcalloc(1, sizeof(*hs));
    struct mst_http_request q = {.method = method,
                                 .url = url,
                                 .headers = hs,
                                 .body_max = ANSWER_MAX,
                                 .deadline_ms = CALL_MS};
    struct mst_http_reply reply = {0};
    struct mst_http *h = NULL;
    enum mst_rc rc = value ? mst_http_add(hs, name, value, err) : MST_OK;

    if (rc == MST_OK) {
        rc = mst_http_new(&o, &h, err);
    }
    if (rc == MST_OK) {
        rc = mst_http_do(h, &q, &reply, task, err);
    }
    if (rc == MST_OK && reply.status != 200) {
        rc = mst_err_set(err, MST_E_AUTH, "the metadata service answered HTTP %d", reply.status);
    }
    if (rc == MST_OK) {
        mst_buf_add(body, reply.body.p, reply.body.len);
        mst_buf_add(body, "", 1);
    }
    if (reply.body.p) {
        mst_wipe(reply.body.p, reply.body.cap);
    }
    mst_http_free(h);
    mst_http_reply_release(&reply);
    mst_wipe(hs, sizeof(*hs));
    free(hs);
    return rc;
}

static void forget(struct mst_buf *b)
{
    if (b->p) {
        mst_wipe(b->p, b->cap);
    }
    mst_buf_release(b);
}

enum mst_rc mst_creds_instance(struct mst_login *out, struct mst_task *task, struct mst_err *err)
{
    const char *off = mst_creds_env("AWS_EC2_METADATA_DISABLED");
    const char *base = mst_creds_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    struct mst_buf token = {0}, role = {0}, keys = {0};
    char url[600];
    enum mst_rc rc;

    if (off && strcmp(off, "true") == 0) {
        return mst_err_set(err, MST_E_NOTFOUND, "the metadata service is switched off");
    }
    base = base ? base : "http://169.254.169.254";
    (void)snprintf(url, sizeof(url), "%.200s/latest/api/token", base);
    rc = near_call("PUT", url, "x-aws-ec2-metadata-token-ttl-seconds", "300", &token, task, err);
    if (rc == MST_OK) {
        (void)snprintf(url, sizeof(url), "%.200s/latest/meta-data/iam/security-credentials/", base);
        rc = near_call("GET", url, "x-aws-ec2-metadata-token", (char *)token.p, &role, task, err);
    } else if (rc == MST_E_NET || rc == MST_E_TIMEOUT) {
        rc = mst_err_set(err, MST_E_NOTFOUND, "there is no metadata service");
    }
    if (rc == MST_OK) {
        role.p[strcspn((char *)role.p, "\r\n")] = '\0';
        (void)snprintf(url, sizeof(url), "%.200s/latest/meta-data/iam/security-credentials/%.200s",
                       base, (char *)role.p);
        rc = near_call("GET", url, "x-aws-ec2-metadata-token", (char *)token.p, &keys, task, err);
    }
    if (rc == MST_OK) {
        rc = mst_creds_json(keys.p, keys.len - 1, out, err);
    }
    if (rc == MST_OK) {
        (void)snprintf(out->from, sizeof(out->from), "role %.60s of this instance", (char *)role.p);
    }
    forget(&token);
    forget(&role);
    forget(&keys);
    return rc;
}

/* Plain http goes to this host or to the link only. */
static bool is_near(const char *url)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]",
                                        "http://169.254.170.2", "http://169.254.170.23"};

    for (size_t i = 0; i < MST_COUNT(hosts); i++) {
        const size_t n = strlen(hosts[i]);

        if (strncmp(url, hosts[i], n) == 0 && strchr(":/", url[n])) {
            return true;
        }
    }
    return strncmp(url, "https://", 8) == 0;
}

enum mst_rc mst_creds_container(struct mst_login *out, struct mst_task *task, struct mst_err *err)
{
    const char *full = mst_creds_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *part = mst_creds_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *token = mst_creds_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    const char *file = mst_creds_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    struct mst_buf keys = {0}, read = {0};
    char url[600];
    enum mst_rc rc = MST_OK;

    if (!full && !part) {
        return mst_err_set(err, MST_E_NOTFOUND, "there is no container service");
    }
    (void)snprintf(url, sizeof(url), "%s%.500s", part ? "http://169.254.170.2" : "",
                   part ? part : full);
    if (!is_near(url)) {
        return mst_err_set(err, MST_E_CONFIG,
                           "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor on this host");
    }
    if (file) {
        rc = mst_file_read(file, TOKEN_MAX, &read, err);
        mst_buf_add(&read, "", 1);
        read.p[strcspn((char *)read.p, "\r\n")] = '\0';
        token = (char *)read.p;
    }
    if (rc == MST_OK) {
        rc = near_call("GET", url, "authorization", token, &keys, task, err);
    }
    if (rc == MST_OK) {
        rc = mst_creds_json(keys.p, keys.len - 1, out, err);
    }
    if (rc == MST_OK) {
        (void)mst_copy(out->from, sizeof(out->from), "the container's role");
    }
    forget(&keys);
    forget(&read);
    return rc;
}

/* --- STS --- */

static void add_form(struct mst_str *form, const char *name, const char *value)
{
    mst_str_addf(form, "%s%s=", form->len ? "&" : "", name);
    mst_sig_encode(value, false, form);
}

static enum mst_rc sign_it(const char *endpoint, const char *region, const struct mst_login *base,
                           const struct mst_str *form, struct mst_http_headers *hs,
                           struct mst_err *err)
{
    const struct mst_sig_keys keys = {base->access_key, &base->secret, &base->token};
    uint8_t digest[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];
    struct mst_str target = {0};
    struct mst_sig_request q = {.method = "POST",
                                .host = strstr(endpoint, "://") + 3,
                                .path = "/",
                                .region = region,
                                .service = "sts",
                                .now_ms = mst_clock_utc_ms(NULL),
                                .payload_hash = hex};
    enum mst_rc rc;

    mst_sha256_of(form->p, form->len, digest);
    (void)mst_hex(digest, sizeof(digest), hex);
    rc = mst_sig_headers(&q, &keys, hs, &target, err);
    mst_str_release(&target);
    return rc;
}

/* base NULL: the form itself says who asks. */
static enum mst_rc ask_sts(const struct mst_cfg_store *cfg, const struct mst_login *base,
                           const struct mst_str *form, struct mst_login *out, struct mst_task *task,
                           struct mst_err *err)
{
    const char *named = mst_creds_env("AWS_ENDPOINT_URL_STS");
    const char *region = cfg->region[0] ? cfg->region : "us-east-1";
    char endpoint[300], url[304];
    struct mst_http_opts o = {.connections = 1, .proxy = cfg->proxy, .stall_ms = CALL_MS};
    struct mst_http_headers *hs = mst_xcalloc(1, sizeof(*hs));
    struct mst_http_request q = {.method = "POST", .url = url, .headers = hs, .deadline_ms = 30000};
    struct mst_http_reply reply = {0};
    struct mst_secret login = {0};
    struct mst_http *h = NULL;
    enum mst_rc rc;

    (void)snprintf(endpoint, sizeof(endpoint), named ? "%.200s" : "https://sts.%.60s.amazonaws.com",
                   named ? named : region);
    (void)snprintf(url, sizeof(url), "%s/", endpoint);
    o.plain = named && is_near(url);
    o.ca_file = named && cfg->ca_file[0] ? cfg->ca_file : NULL; /* one of one's own, as the store */
    q.body = form->p;
    q.body_n = form->len;
    o.proxy_login = &login;
    rc = strstr(endpoint, "://")
             ? mst_http_add(hs, "content-type", "application/x-www-form-urlencoded", err)
             : mst_err_set(err, MST_E_CONFIG, "AWS_ENDPOINT_URL_STS is not like https://host");
    if (rc == MST_OK && base) {
        rc = sign_it(endpoint, region, base, form, hs, err);
    }
    rc = rc == MST_OK ? mst_cfg_store_proxy_login(cfg, &login, err) : rc;
    if (rc == MST_OK) {
        rc = mst_http_new(&o, &h, err);
    }
    mst_secret_release(&login);
    if (rc == MST_OK) {
        rc = mst_http_do(h, &q, &reply, task, err);
    }
    if (rc == MST_OK) {
        rc = mst_creds_sts(reply.body.p, reply.body.len, out, err);
    }
    if (reply.body.p) {
        mst_wipe(reply.body.p, reply.body.cap);
    }
    mst_http_free(h);
    mst_http_reply_release(&reply);
    mst_wipe(hs, sizeof(*hs));
    free(hs);
    return rc;
}

enum mst_rc mst_creds_web_identity(const struct mst_cfg_store *cfg, struct mst_login *out,
                                   struct mst_task *task, struct mst_err *err)
{
    const char *file = mst_creds_env("AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *role = mst_creds_env("AWS_ROLE_ARN");
    const char *session = mst_creds_env("AWS_ROLE_SESSION_NAME");
    struct mst_buf token = {0};
    struct mst_str form = {0};
    enum mst_rc rc;

    if (!file || !role) {
        return mst_err_set(err, MST_E_NOTFOUND, "there is no web identity");
    }
    rc = mst_file_read(file, TOKEN_MAX, &token, err);
    if (rc == MST_OK) {
        mst_buf_add(&token, "", 1);
        token.p[strcspn((char *)token.p, "\r\n")] = '\0';
        add_form(&form, "Action", "AssumeRoleWithWebIdentity");
        add_form(&form, "Version", "2011-06-15");
        add_form(&form, "RoleArn", role);
        add_form(&form, "RoleSessionName", session ? session : "muster");
        add_form(&form, "DurationSeconds", LENT_S);
        add_form(&form, "WebIdentityToken", (char *)token.p);
        rc = ask_sts(cfg, NULL, &form, out, task, err);
        mst_wipe(form.p, form.cap);
    }
    if (rc == MST_OK) {
        (void)snprintf(out->from, sizeof(out->from), "role %.80s", role);
    }
    mst_str_release(&form);
    forget(&token);
    return rc == MST_E_NOTFOUND ? mst_err_set(err, MST_E_AUTH, "there is no file %s", file) : rc;
}

enum mst_rc mst_creds_assume(const struct mst_cfg_store *cfg, const struct mst_login *base,
                             struct mst_login *out, struct mst_task *task, struct mst_err *err)
{
    struct mst_str form = {0};
    enum mst_rc rc;

    add_form(&form, "Action", "AssumeRole");
    add_form(&form, "Version", "2011-06-15");
    add_form(&form, "RoleArn", cfg->role_arn);
    add_form(&form, "RoleSessionName", "muster");
    add_form(&form, "DurationSeconds", LENT_S);
    if (cfg->external_id[0]) {
        add_form(&form, "ExternalId", cfg->external_id);
    }
    rc = ask_sts(cfg, base, &form, out, task, err);
    mst_str_release(&form);
    if (rc == MST_OK) {
        (void)snprintf(out->from, sizeof(out->from), "role %.80s", cfg->role_arn);
    }
    return rc;
}
