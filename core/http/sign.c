#include "http/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "hash/mac.h"

#define QUERY_MAX 24U
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* The two dialects differ in words only. */
struct words {
    const char *algorithm, *start, *end, *low, *up; /* prefixes of headers and of parameters */
};
static const struct words dialect[] = {
    {"AWS4-HMAC-SHA256", "AWS4", "aws4_request", "x-amz-", "X-Amz-"},
    {"GOOG4-HMAC-SHA256", "GOOG4", "goog4_request", "x-goog-", "X-Goog-"},
};

struct pair { /* encoded */
    char *name, *value;
};
struct signing {
    const struct mst_sig_request *q;
    const struct mst_sig_keys *keys;
    const struct words *w;
    char stamp[20], day[12]; /* "20150830T123600Z", "20150830" */
    struct mst_str path, names, headers, query;
    char scope[200];
};

void mst_sig_encode(const char *text, bool slash, struct mst_str *out)
{
    static const char hex[] = "0123456789ABCDEF";

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
            *p == '-' || *p == '_' || *p == '.' || *p == '~' || (slash && *p == '/')) {
            mst_str_addc(out, (char)*p);
        } else {
            mst_str_addc(out, '%');
            mst_str_addc(out, hex[*p >> 4]);
            mst_str_addc(out, hex[*p & 15]);
        }
    }
}

static int by_name(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    const int c = strcmp(x->name, y->name);

    return c ? c : strcmp(x->value, y->value);
}

static struct pair encoded(const struct mst_sig_pair *raw)
{
    struct mst_str name = {0}, value = {0};
    struct pair p;

    mst_sig_encode(raw->name, false, &name);
    mst_sig_encode(raw->value, false, &value);
    p.name = mst_str_detach(&name);
    p.value = mst_str_detach(&value);
    return p;
}

static enum mst_rc make_query(struct signing *s, const struct mst_sig_pair *more, size_t n_more,
                              struct mst_err *err)
{
    struct pair all[QUERY_MAX];
    size_t n = 0;

    if (s->q->n_query + n_more > QUERY_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "a request with more than %u parameters", QUERY_MAX);
    }
    for (size_t i = 0; i < s->q->n_query; i++) {
        all[n++] = encoded(&s->q->query[i]);
    }
    for (size_t i = 0; i < n_more; i++) {
        all[n++] = encoded(&more[i]);
    }
    qsort(all, n, sizeof(all[0]), by_name);
    for (size_t i = 0; i < n; i++) {
        mst_str_addf(&s->query, "%s%s=%s", i ? "&" : "", all[i].name, all[i].value);
        mst_wipe(all[i].value, strlen(all[i].value)); /* one may be a session token */
        free(all[i].name);
        free(all[i].value);
    }
    return MST_OK;
}

/* Proxies and servers change these on the way, or they are made after signing. */
static bool is_signed(const char *name)
{
    static const char *const never[] = {"authorization", "user-agent", "accept-encoding",
                                        "expect",        "connection", "transfer-encoding"};

    for (size_t i = 0; i < MST_COUNT(never); i++) {
        if (strcmp(name, never[i]) == 0) {
            return false;
        }
    }
    return true;
}

static int header_by_name(const void *a, const void *b)
{
    const struct mst_sig_pair *x = a, *y = b;
    const int c = strcmp(x->name, y->name);

    /* The same name twice: in the order in which they are sent, which is that of the text. */
    return c ? c : (x->name < y->name ? -1 : x->name > y->name);
}

/* Without blanks around it, and with one where there are several. */
static void add_trimmed(struct mst_str *out, const char *v)
{
    bool gap = false, any = false;

    for (; *v; v++) {
        if (*v == ' ' || *v == '\t') {
            gap = any;
            continue;
        }
        if (gap) {
            mst_str_addc(out, ' ');
        }
        mst_str_addc(out, *v);
        gap = false;
        any = true;
    }
}

static void make_headers(struct signing *s, const struct mst_http_headers *hs)
{
    struct mst_sig_pair sorted[MST_HTTP_HEADERS];
    size_t n = 0;

    for (size_t i = 0; i < hs->n; i++) {
        if (is_signed(mst_http_name_at(hs, i))) {
            sorted[n++] = (struct mst_sig_pair){mst_http_name_at(hs, i), mst_http_value_at(hs, i)};
        }
    }
    qsort(sorted, n, sizeof(sorted[0]), header_by_name);
    for (size_t i = 0; i < n; i++) {
        const bool again = i > 0 && strcmp(sorted[i].name, sorted[i - 1].name) == 0;

        if (again) {
            mst_str_addc(&s->headers, ',');
        } else {
            mst_str_addf(&s->headers, "%s%s:", i ? "\n" : "", sorted[i].name);
            mst_str_addf(&s->names, "%s%s", i ? ";" : "", sorted[i].name);
        }
        add_trimmed(&s->headers, sorted[i].value);
    }
    mst_str_addc(&s->headers, '\n');
}

static void begin(struct signing *s, const struct mst_sig_request *q,
                  const struct mst_sig_keys *keys)
{
    const time_t t = (time_t)(q->now_ms / 1000);
    struct tm tm;

    memset(s, 0, sizeof(*s));
    s->q = q;
    s->keys = keys;
    s->w = &dialect[q->kind == MST_SIG_GOOG4];
    (void)gmtime_r(&t, &tm);
    (void)strftime(s->stamp, sizeof(s->stamp), "%Y%m%dT%H%M%SZ", &tm);
    (void)snprintf(s->day, sizeof(s->day), "%.8s", s->stamp);
    (void)snprintf(s->scope, sizeof(s->scope), "%s/%.64s/%.64s/%s", s->day, q->region, q->service,
                   s->w->end);
    mst_sig_encode(q->path, true, &s->path);
}

static void end(struct signing *s)
{
    if (s->query.p) {
        mst_wipe(s->query.p, s->query.len);
    }
    if (s->headers.p) {
        mst_wipe(s->headers.p, s->headers.len);
    }
    mst_str_release(&s->path);
    mst_str_release(&s->names);
    mst_str_release(&s->headers);
    mst_str_release(&s->query);
}

static void canonical_hash(const struct signing *s, char hex[MST_SHA256_HEX])
{
    struct mst_str all = {0}, twice = {0};
    uint8_t digest[MST_SHA256_LEN];

    if (s->q->double_encode) {
        mst_sig_encode(mst_str_c(&s->path), true, &twice);
    }
    mst_str_addf(&all, "%s\n%s\n%s\n%s\n%s\n%s", s->q->method,
                 mst_str_c(s->q->double_encode ? &twice : &s->path), mst_str_c(&s->query),
                 mst_str_c(&s->headers), mst_str_c(&s->names),
                 s->q->payload_hash ? s->q->payload_hash : EMPTY_HASH);
    mst_sha256_of(all.p, all.len, digest);
    (void)mst_hex(digest, sizeof(digest), hex);
    mst_wipe(all.p, all.len);
    mst_str_release(&all);
    mst_str_release(&twice);
}

static void hmac_text(uint8_t key[MST_SHA256_LEN], const char *text)
{
    uint8_t out[MST_SHA256_LEN];

    mst_hmac_sha256(key, MST_SHA256_LEN, text, strlen(text), out);
    memcpy(key, out, sizeof(out));
    mst_wipe(out, sizeof(out));
}

static void signature(const struct signing *s, char hex[MST_SHA256_HEX])
{
    const struct mst_secret *secret = s->keys->secret_key;
    const size_t lead = strlen(s->w->start), have = secret->p ? secret->len : 0;
    char *first = mst_xmalloc(lead + have + 1);
    uint8_t key[MST_SHA256_LEN];
    char text[400], canonical[MST_SHA256_HEX];

    memcpy(first, s->w->start, lead);
    if (have) {
        memcpy(first + lead, secret->p, have);
    }
    mst_hmac_sha256(first, lead + have, s->day, strlen(s->day), key);
    mst_wipe(first, lead + have);
    free(first);
    hmac_text(key, s->q->region);
    hmac_text(key, s->q->service);
    hmac_text(key, s->w->end);
    canonical_hash(s, canonical);
    (void)snprintf(text, sizeof(text), "%s\n%s\n%s\n%s", s->w->algorithm, s->stamp, s->scope,
                   canonical);
    hmac_text(key, text);
    (void)mst_hex(key, sizeof(key), hex);
    mst_wipe(key, sizeof(key));
}

static void put_target(const struct signing *s, struct mst_str *target)
{
    mst_str_reset(target);
    mst_str_add(target, mst_str_c(&s->path));
    if (s->query.len > 0) {
        mst_str_addf(target, "?%s", mst_str_c(&s->query));
    }
}

static bool has_token(const struct mst_sig_keys *k)
{
    return k->token && k->token->p && k->token->len > 0;
}

static enum mst_rc add_ours(const struct signing *s, struct mst_http_headers *hs,
                            struct mst_err *err)
{
    char name[64];

    if (mst_http_add(hs, "host", s->q->host, err) != MST_OK) {
        return err->rc;
    }
    (void)snprintf(name, sizeof(name), "%sdate", s->w->low);
    if (mst_http_add(hs, name, s->stamp, err) != MST_OK) {
        return err->rc;
    }
    (void)snprintf(name, sizeof(name), "%scontent-sha256", s->w->low);
    if (s->q->payload_hash && mst_http_add(hs, name, s->q->payload_hash, err) != MST_OK) {
        return err->rc;
    }
    (void)snprintf(name, sizeof(name), "%ssecurity-token", s->w->low);
    return has_token(s->keys) ? mst_http_add(hs, name, s->keys->token->p, err) : MST_OK;
}

enum mst_rc mst_sig_headers(const struct mst_sig_request *q, const struct mst_sig_keys *keys,
                            struct mst_http_headers *headers, struct mst_str *target,
                            struct mst_err *err)
{
    struct signing s;
    struct mst_str auth = {0};
    char hex[MST_SHA256_HEX];
    enum mst_rc rc;

    begin(&s, q, keys);
    rc = add_ours(&s, headers, err);
    if (rc == MST_OK) {
        rc = make_query(&s, NULL, 0, err);
    }
    if (rc == MST_OK) {
        make_headers(&s, headers);
        signature(&s, hex);
        mst_str_addf(&auth, "%s Credential=%s/%s, SignedHeaders=%s, Signature=%s", s.w->algorithm,
                     keys->access_key, s.scope, mst_str_c(&s.names), hex);
        rc = mst_http_add(headers, "authorization", mst_str_c(&auth), err);
        put_target(&s, target);
    }
    mst_str_release(&auth);
    end(&s);
    return rc;
}

enum mst_rc mst_sig_query(const struct mst_sig_request *q, const struct mst_sig_keys *keys,
                          const struct mst_http_headers *headers, int64_t valid_s,
                          struct mst_str *target, struct mst_err *err)
{
    struct signing s;
    struct mst_http_headers *all = mst_xmemdup(headers, sizeof(*headers));
    char names[6][40], cred[400], valid[24], hex[MST_SHA256_HEX];
    static const char *const tails[] = {"Algorithm", "Credential",    "Date",
                                        "Expires",   "SignedHeaders", "Security-Token"};
    enum mst_rc rc;

    begin(&s, q, keys);
    rc = mst_http_add(all, "host", q->host, err);
    if (rc == MST_OK) {
        make_headers(&s, all);
        (void)snprintf(cred, sizeof(cred), "%.180s/%s", keys->access_key, s.scope);
        (void)snprintf(valid, sizeof(valid), "%lld", (long long)valid_s);
        for (size_t i = 0; i < 6; i++) {
            (void)snprintf(names[i], sizeof(names[i]), "%s%s", s.w->up, tails[i]);
        }
        const struct mst_sig_pair more[] = {{names[0], s.w->algorithm},
                                            {names[1], cred},
                                            {names[2], s.stamp},
                                            {names[3], valid},
                                            {names[4], mst_str_c(&s.names)},
                                            {names[5], has_token(keys) ? keys->token->p : ""}};

        rc = make_query(&s, more, has_token(keys) ? 6 : 5, err);
    }
    if (rc == MST_OK) {
        signature(&s, hex);
        put_target(&s, target);
        mst_str_addf(target, "&%sSignature=%s", s.w->up, hex);
    }
    free(all);
    end(&s);
    return rc;
}
