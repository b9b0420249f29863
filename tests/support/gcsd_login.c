/* Tokens of the scripted Google Cloud Storage: who gets one, and what it is worth later. */
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include "gcsd_own.h"

#include "base/clock.h"
#include "base/err.h"

#define ACCOUNT "backup@project.iam.gserviceaccount.com"
#define SCOPE "https://www.googleapis.com/auth/devstorage.full_control"

/* ---- files ---- */

static void write_file(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    MST_ASSERT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

void gcsd_key_file(struct gcsd *g, const char *path)
{
    BIO *b = BIO_new(BIO_s_mem());
    struct mst_str s = {0};
    char *pem, *text;
    long n;

    pthread_mutex_lock(&g->mu);
    g->key = g->key ? g->key : EVP_RSA_gen(2048);
    MST_ASSERT(PEM_write_bio_PKCS8PrivateKey(b, g->key, NULL, NULL, 0, NULL, NULL) == 1);
    pthread_mutex_unlock(&g->mu);
    n = BIO_get_mem_data(b, &pem);
    text = mst_xstrndup(pem, (size_t)n);
    mst_str_add(&s, "{\"type\":\"service_account\",\"project_id\":\"project\",\"private_key_id\":"
                    "\"key1\",\"client_email\":\"" ACCOUNT "\",\"private_key\":");
    mst_str_add_json(&s, text);
    mst_str_addf(&s, ",\"token_uri\":\"%s/token\"}\n", g->url);
    write_file(path, mst_str_c(&s));
    mst_str_release(&s);
    free(text);
    BIO_free(b);
}

void gcsd_workload_file(struct gcsd *g, const char *path, const char *subject_file, bool json,
                        bool impersonate)
{
    struct mst_str s = {0};

    mst_str_addf(&s,
                 "{\"type\":\"external_account\",\"audience\":\"//iam.googleapis.com/pools/p\","
                 "\"subject_token_type\":\"urn:ietf:params:oauth:token-type:jwt\",\"token_url\":"
                 "\"%s/sts\",\"credential_source\":{\"file\":\"%s\"",
                 g->url, subject_file);
    if (json) {
        mst_str_add(&s,
                    ",\"format\":{\"type\":\"json\",\"subject_token_field_name\":\"id_token\"}");
    }
    mst_str_add(&s, "}");
    if (impersonate) {
        mst_str_addf(
            &s,
            ",\"service_account_impersonation_url\":\"%s/v1/projects/-/serviceAccounts/" ACCOUNT
            ":generateAccessToken\"",
            g->url);
    }
    mst_str_add(&s, "}");
    write_file(path, mst_str_c(&s));
    write_file(subject_file, json ? "{\"id_token\":\"" GCSD_SUBJECT "\"}" : GCSD_SUBJECT "\n");
    mst_str_release(&s);
}

/* ---- giving ---- */

static const char *give(struct gcsd *g)
{
    struct gtoken *t = &g->token[g->n_tokens % GCSD_TOKENS];

    (void)snprintf(t->text, sizeof(t->text), GCSD_TOKEN_BEGINS "%u", ++g->n_tokens);
    t->until_s = gcsd_now_s(g) + g->life_s;
    return t->text;
}

static void grant(struct gcsd *g, struct gcsd_reply *r)
{
    r->status = 200;
    mst_str_add(&r->head, "Content-Type: application/json\r\n");
    mst_str_addf(&r->body,
                 "{\"access_token\":\"%s\",\"expires_in\":%lld,\"token_type\":\"Bearer\"}", give(g),
                 (long long)g->life_s);
}

static void refuse(struct gcsd *g, struct gcsd_reply *r, const char *why, bool complain)
{
    r->status = 400;
    mst_str_add(&r->head, "Content-Type: application/json\r\n");
    mst_str_addf(&r->body, "{\"error\":\"invalid_grant\",\"error_description\":\"%s\"}", why);
    if (complain) {
        mst_str_addf(&g->complaints, "token: %s\n", why);
    }
}

/* One field of a form, decoded; "" none. Freed by the caller. */
static char *field(const struct gcsd_request *q, const char *name)
{
    const size_t n = strlen(name);

    for (const char *p = q->body_text; *p;) {
        const size_t len = strcspn(p, "&");

        if (len > n && strncmp(p, name, n) == 0 && p[n] == '=') {
            return gcsd_unescape(p + n + 1, len - n - 1);
        }
        p += len + (p[len] == '&');
    }
    return mst_xstrdup("");
}

/* One part of a JWT, decoded; its length in *n. */
static uint8_t *part(const char *p, size_t len, size_t *n)
{
    const size_t pad = (4 - len % 4) % 4;
    char *text = mst_xmalloc(len + pad + 1);
    uint8_t *out = mst_xcalloc(1, len + 8);
    int got;

    for (size_t i = 0; i < len; i++) {
        text[i] = p[i];
        if (p[i] == '-') {
            text[i] = '+';
        } else if (p[i] == '_') {
            text[i] = '/';
        }
    }
    memset(text + len, '=', pad);
    text[len + pad] = '\0';
    got = EVP_DecodeBlock(out, (const uint8_t *)text, (int)(len + pad));
    *n = got < 0 ? 0 : (size_t)got - pad;
    free(text);
    return out;
}

static bool signature_ok(struct gcsd *g, const char *jwt, size_t signed_n, const char *sig64)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n;
    uint8_t *sig = part(sig64, strlen(sig64), &n);
    const bool ok = g->key && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, g->key) == 1 &&
                    EVP_DigestVerify(ctx, sig, n, (const uint8_t *)jwt, signed_n) == 1;

    free(sig);
    EVP_MD_CTX_free(ctx);
    return ok;
}

static int64_t number(const bson_t *b, const char *name)
{
    bson_iter_t it;

    return bson_iter_init_find(&it, b, name) ? bson_iter_as_int64(&it) : -1;
}

static bool text_is(const bson_t *b, const char *name, const char *want)
{
    bson_iter_t it;

    return bson_iter_init_find(&it, b, name) && BSON_ITER_HOLDS_UTF8(&it) &&
           strcmp(bson_iter_utf8(&it, NULL), want) == 0;
}

static const char *wrong_claims(struct gcsd *g, const bson_t *head, const bson_t *claims)
{
    char aud[80];
    const int64_t now = gcsd_now_s(g), iat = number(claims, "iat"), exp = number(claims, "exp");

    (void)snprintf(aud, sizeof(aud), "%s/token", g->url);
    if (!text_is(head, "alg", "RS256") || !text_is(head, "typ", "JWT") ||
        !text_is(head, "kid", "key1")) {
        return "the header of the assertion is wrong";
    }
    if (!text_is(claims, "iss", ACCOUNT) || !text_is(claims, "aud", aud) ||
        !text_is(claims, "scope", SCOPE)) {
        return "the claims of the assertion are wrong";
    }
    if (iat > now + 60 || iat < now - 300 || exp <= now || exp > iat + 3600) {
        return "the assertion is not of this time";
    }
    return NULL;
}

static void by_assertion(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    char *type = field(q, "grant_type"), *jwt = field(q, "assertion");
    const char *dot = strchr(jwt, '.'), *dot2 = dot ? strchr(dot + 1, '.') : NULL;
    const char *why = NULL;

    if (strcmp(type, "urn:ietf:params:oauth:grant-type:jwt-bearer") != 0 || !dot2) {
        refuse(g, r, "no assertion", true);
    } else if (!signature_ok(g, jwt, (size_t)(dot2 - jwt), dot2 + 1)) {
        refuse(g, r, "the signature of the assertion is wrong", true);
    } else {
        size_t n_head, n_claims;
        uint8_t *h = part(jwt, (size_t)(dot - jwt), &n_head);
        uint8_t *c = part(dot + 1, (size_t)(dot2 - dot - 1), &n_claims);
        bson_t *head = bson_new_from_json(h, (ssize_t)n_head, NULL);
        bson_t *claims = bson_new_from_json(c, (ssize_t)n_claims, NULL);

        why = head && claims ? wrong_claims(g, head, claims) : "the assertion is not JSON";
        if (why) {
            refuse(g, r, why, g->ahead_s == 0);
        } else {
            grant(g, r);
        }
        bson_destroy(head);
        bson_destroy(claims);
        free(h);
        free(c);
    }
    free(type);
    free(jwt);
}

static void by_exchange(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    static const char *const want[][2] = {
        {"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
        {"audience", "//iam.googleapis.com/pools/p"},
        {"requested_token_type", "urn:ietf:params:oauth:token-type:access_token"},
        {"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"},
        {"subject_token", GCSD_SUBJECT}};

    for (size_t i = 0; i < MST_COUNT(want); i++) {
        char *have = field(q, want[i][0]);
        const bool ok = strcmp(have, want[i][1]) == 0;

        free(have);
        if (!ok) {
            refuse(g, r, want[i][0], true);
            return;
        }
    }
    grant(g, r);
}

static void by_impersonation(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    char when[MST_TIME_MAX];

    if (!gcsd_allowed(g, q, r)) {
        return;
    }
    if (!strstr(q->path, "/" ACCOUNT ":") || !strstr(q->body_text, SCOPE)) {
        refuse(g, r, "the impersonation is wrong", true);
        return;
    }
    r->status = 200;
    mst_str_addf(&r->body, "{\"accessToken\":\"%s\",\"expireTime\":\"%s\"}", give(g),
                 mst_time_iso((gcsd_now_s(g) + g->life_s) * 1000, when));
}

static void by_metadata(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    if (strcmp(gcsd_header(q, "metadata-flavor"), "Google") != 0 ||
        strcmp(q->path, "/computeMetadata/v1/instance/service-accounts/default/token") != 0) {
        gcsd_error(g, q, r, 403, "forbidden", "no Metadata-Flavor, or another path", true);
        return;
    }
    mst_str_add(&r->head, "Metadata-Flavor: Google\r\n");
    grant(g, r);
}

void gcsd_login(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    if (q->kind == GCSD_TOKEN) {
        by_assertion(g, q, r);
    } else if (q->kind == GCSD_STS) {
        by_exchange(g, q, r);
    } else if (q->kind == GCSD_IMPERSONATE) {
        by_impersonation(g, q, r);
    } else {
        by_metadata(g, q, r);
    }
}

/* ---- what it is worth ---- */

bool gcsd_allowed(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    const char *have = gcsd_header(q, "authorization");
    bool known = false;

    if (*gcsd_query(q, "upload_id")) {
        return true; /* the session is the key */
    }
    if (strncmp(have, "Bearer ", 7) != 0) {
        gcsd_error(g, q, r, 401, "required", "Anonymous caller does not have access.", true);
        return false;
    }
    have += 7;
    known = strcmp(have, GCSD_COMMAND_TOKEN) == 0 && g->command_ok;
    for (size_t i = 0; i < GCSD_TOKENS && !known; i++) {
        known = g->token[i].text[0] && strcmp(g->token[i].text, have) == 0 &&
                g->token[i].until_s > gcsd_now_s(g);
    }
    if (!known) {
        gcsd_error(g, q, r, 401, "authError", "Invalid Credentials", false);
    }
    return known;
}

void gcsd_token_life(struct gcsd *g, int64_t s)
{
    pthread_mutex_lock(&g->mu);
    g->life_s = s;
    pthread_mutex_unlock(&g->mu);
}

void gcsd_expire(struct gcsd *g)
{
    pthread_mutex_lock(&g->mu);
    memset(g->token, 0, sizeof(g->token));
    g->command_ok = false;
    pthread_mutex_unlock(&g->mu);
}

void gcsd_accept(struct gcsd *g)
{
    pthread_mutex_lock(&g->mu);
    g->command_ok = true;
    pthread_mutex_unlock(&g->mu);
}

void gcsd_clock(struct gcsd *g, int64_t ahead_s)
{
    pthread_mutex_lock(&g->mu);
    g->ahead_s = ahead_s;
    pthread_mutex_unlock(&g->mu);
}
