/* Who may ask: Signature Version 4 and GOOG4-HMAC-SHA256, checked from the specification. This
 * shares nothing with core/http/sign.c, which is what it judges.
 */
#include "s3d_own.h"

#include <ctype.h>

#include "base/err.h"
#include "base/mem.h"

#define MAX_SKEW_MS (15 * 60 * 1000)

struct claim { /* what a request says about itself */
    bool in_query;
    char access[128], day[16], region[64], service[32], scope[192], signature[80], when[32];
    char signed_names[2048];
    const char *hash, *token;
};

static const char *prefix(const struct s3d *s)
{
    return s->o.google ? "x-goog-" : "x-amz-";
}

/* Header "x-amz-WHAT" or its Google form. */
static const char *own_header(const struct s3d *s, const struct request *q, const char *what)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s%s", prefix(s), what);
    return pairs_get(&q->headers, name);
}

static const char *own_query(const struct s3d *s, const struct request *q, const char *what)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s%s", s->o.google ? "X-Goog-" : "X-Amz-", what);
    return pairs_get(&q->query, name);
}

static bool malformed(struct s3d *s, const struct request *q, struct reply *r, const char *why)
{
    s3d_complain(s, q, "authorization: %s", why);
    return s3d_error(r, q, 400, "AuthorizationHeaderMalformed", "%s", why);
}

/* Credential=ACCESS/DAY/REGION/SERVICE/aws4_request */
static bool split_scope(const struct s3d *s, struct claim *c, const char *credential)
{
    char last[32] = "";
    const char *slash = strchr(credential, '/');

    if (!slash || (size_t)(slash - credential) >= sizeof(c->access)) {
        return false;
    }
    memcpy(c->access, credential, (size_t)(slash - credential));
    (void)mst_copy(c->scope, sizeof(c->scope), slash + 1);
    return sscanf(slash + 1, "%8[0-9]/%63[^/]/%31[^/]/%31s", c->day, c->region, c->service, last) ==
               4 &&
           strcmp(last, s->o.google ? "goog4_request" : "aws4_request") == 0;
}

static bool field(const char *header, const char *name, char *out, size_t size)
{
    const char *p = strstr(header, name);
    size_t n;

    if (!p) {
        return false;
    }
    p += strlen(name);
    n = strcspn(p, ", ");
    if (n >= size) {
        return false;
    }
    memcpy(out, p, n);
    out[n] = '\0';
    return true;
}

static bool claim_of_header(struct s3d *s, const struct request *q, struct reply *r,
                            struct claim *c, const char *auth)
{
    const char *algorithm = s->o.google ? "GOOG4-HMAC-SHA256 " : "AWS4-HMAC-SHA256 ";
    const char *when = own_header(s, q, "date");
    char credential[384];

    if (strncmp(auth, algorithm, strlen(algorithm)) != 0) {
        return malformed(s, q, r, "unsupported authorization type");
    }
    if (!field(auth, "Credential=", credential, sizeof(credential)) ||
        !field(auth, "SignedHeaders=", c->signed_names, sizeof(c->signed_names)) ||
        !field(auth, "Signature=", c->signature, sizeof(c->signature)) ||
        !split_scope(s, c, credential)) {
        return malformed(s, q, r, "credential, signed headers or signature is malformed");
    }
    if (!when) {
        return malformed(s, q, r, "there is no date");
    }
    (void)mst_copy(c->when, sizeof(c->when), when);
    c->hash = own_header(s, q, "content-sha256");
    if (!c->hash) {
        s3d_complain(s, q, "the payload's hash is missing");
        return s3d_error(r, q, 400, "InvalidRequest",
                         "missing required header for this request: %scontent-sha256", prefix(s));
    }
    c->token = own_header(s, q, "security-token");
    return true;
}

static bool claim_of_query(struct s3d *s, const struct request *q, struct reply *r, struct claim *c)
{
    const char *credential = own_query(s, q, "Credential"), *when = own_query(s, q, "Date");
    const char *names = own_query(s, q, "SignedHeaders"), *sig = own_query(s, q, "Signature");
    const char *expires = own_query(s, q, "Expires");

    c->in_query = true;
    if (!credential || !when || !names || !sig || !expires || !split_scope(s, c, credential)) {
        s3d_complain(s, q, "query: a parameter of the signature is missing or malformed");
        return s3d_error(r, q, 400, "AuthorizationQueryParametersError",
                         "a parameter of the signature is missing or malformed");
    }
    (void)mst_copy(c->when, sizeof(c->when), when);
    (void)mst_copy(c->signed_names, sizeof(c->signed_names), names);
    (void)mst_copy(c->signature, sizeof(c->signature), sig);
    c->hash = "UNSIGNED-PAYLOAD";
    c->token = own_query(s, q, "Security-Token");
    return true;
}

static int64_t when_ms(const char *when)
{
    struct tm tm = {0};
    const char *end = strptime(when, "%Y%m%dT%H%M%SZ", &tm);

    return end && !*end ? (int64_t)timegm(&tm) * 1000 : -1;
}

static bool in_time(struct s3d *s, const struct request *q, struct reply *r, const struct claim *c)
{
    const int64_t at = when_ms(c->when), now = s3d_now(s);

    if (at < 0 || strncmp(c->when, c->day, 8) != 0) {
        return malformed(s, q, r, "the date is malformed or not that of the credential");
    }
    if (c->in_query) {
        const char *expires = own_query(s, q, "Expires");
        const long long for_s = strtoll(expires, NULL, 10);

        if (for_s < 1 || for_s > 604800) {
            s3d_complain(s, q, "query: valid for %lld s", for_s);
            return s3d_error(r, q, 400, "AuthorizationQueryParametersError",
                             "X-Amz-Expires must be between 1 and 604800");
        }
        if (now > at + for_s * 1000 || now < at - MAX_SKEW_MS) {
            return s3d_error(r, q, 403, "AccessDenied", "request has expired");
        }
    } else if (now - at > MAX_SKEW_MS || at - now > MAX_SKEW_MS) {
        return s3d_error(
            r, q, 403, "RequestTimeTooSkewed",
            "the difference between the request time and the current time is too large");
    }
    return true;
}

/* Blanks at the ends are gone already; inside, a run of them counts as one. */
static void add_trimmed(struct mst_str *out, const char *value)
{
    for (; *value; value++) {
        if (!(*value == ' ' && value[1] == ' ')) {
            mst_str_addc(out, *value);
        }
    }
}

static bool listed(const char *names, const char *name)
{
    const size_t n = strlen(name);

    for (const char *p = names; *p; p += strcspn(p, ";"), p += *p == ';') {
        if (strcspn(p, ";") == n && strncmp(p, name, n) == 0) {
            return true;
        }
    }
    return false;
}

/* All that must be signed is, the names are in order, and each of them came. */
static const char *canonical_headers(const struct s3d *s, const struct request *q,
                                     const struct claim *c, struct mst_str *out)
{
    char before[128] = "";

    for (size_t i = 0; i < q->headers.n; i++) {
        const char *name = q->headers.p[i].name;

        if ((strncmp(name, prefix(s), strlen(prefix(s))) == 0 || strcmp(name, "host") == 0 ||
             strcmp(name, "content-md5") == 0) &&
            !listed(c->signed_names, name)) {
            return "there were headers present in the request which were not signed";
        }
    }
    if (!listed(c->signed_names, "host")) {
        return "host is not signed";
    }
    for (const char *p = c->signed_names; *p; p += strcspn(p, ";"), p += *p == ';') {
        char name[128];
        bool first = true;

        if (strcspn(p, ";") >= sizeof(name)) {
            return "a name of a signed header is too long";
        }
        memcpy(name, p, strcspn(p, ";"));
        name[strcspn(p, ";")] = '\0';
        if (strcmp(before, name) >= 0) {
            return "the signed headers are not in order";
        }
        (void)mst_copy(before, sizeof(before), name);
        mst_str_addf(out, "%s:", name);
        for (size_t i = 0; i < q->headers.n; i++) {
            if (strcmp(q->headers.p[i].name, name) == 0) {
                mst_str_add(out, first ? "" : ",");
                add_trimmed(out, q->headers.p[i].value);
                first = false;
            }
        }
        if (first) {
            return "a signed header was not sent";
        }
        mst_str_addc(out, '\n');
    }
    return NULL;
}

struct term {
    char *text; /* "name=value", encoded */
    size_t name_n;
};

static int by_term(const void *x, const void *y)
{
    const struct term *a = x, *b = y;
    const size_t n = a->name_n < b->name_n ? a->name_n : b->name_n;
    const int d = memcmp(a->text, b->text, n);

    if (d != 0 || a->name_n != b->name_n) {
        return d != 0 ? d : a->name_n < b->name_n ? -1 : 1;
    }
    return strcmp(a->text + n, b->text + n);
}

static void canonical_query(const struct request *q, struct mst_str *out)
{
    struct term terms[S3D_PAIRS];
    size_t n = 0;

    for (size_t i = 0; i < q->query.n; i++) {
        struct mst_str t = {0};

        if (strcmp(q->query.p[i].name, "X-Amz-Signature") == 0 ||
            strcmp(q->query.p[i].name, "X-Goog-Signature") == 0) {
            continue;
        }
        s3d_escape(&t, q->query.p[i].name, false);
        terms[n].name_n = t.len;
        mst_str_addc(&t, '=');
        s3d_escape(&t, q->query.p[i].value, false);
        terms[n++].text = mst_str_detach(&t);
    }
    qsort(terms, n, sizeof(*terms), by_term);
    for (size_t i = 0; i < n; i++) {
        mst_str_addf(out, "%s%s", i ? "&" : "", terms[i].text);
        free(terms[i].text);
    }
}

static void signature_of(const struct s3d *s, const struct claim *c, const char *canonical,
                         struct mst_str *to_sign, char out[65])
{
    const char *word = s->o.google ? "GOOG4" : "AWS4";
    char hash[65], *seed = mst_xasprintf("%s%s", word, s->secret);
    uint8_t k[32];

    sum_sha256_hex(canonical, strlen(canonical), hash);
    mst_str_addf(to_sign, "%s-HMAC-SHA256\n%s\n%s\n%s", word, c->when, c->scope, hash);
    sum_hmac(seed, strlen(seed), c->day, k);
    sum_hmac(k, sizeof(k), c->region, k);
    sum_hmac(k, sizeof(k), c->service, k);
    sum_hmac(k, sizeof(k), s->o.google ? "goog4_request" : "aws4_request", k);
    sum_hmac(k, sizeof(k), mst_str_c(to_sign), k);
    sum_hex(k, sizeof(k), out);
    free(seed);
}

static bool signature_holds(struct s3d *s, const struct request *q, struct reply *r,
                            const struct claim *c)
{
    struct mst_str canonical = {0}, headers = {0}, to_sign = {0};
    const char *wrong = canonical_headers(s, q, c, &headers);
    char *path = s3d_unescape(q->path, strlen(q->path)), got[65] = "";
    bool ok = false;

    if (wrong) {
        s3d_complain(s, q, "signature: %s", wrong);
        (void)s3d_error(r, q, 403, "AccessDenied", "%s", wrong);
    } else {
        mst_str_addf(&canonical, "%s\n", q->method);
        s3d_escape(&canonical, path, true);
        mst_str_addc(&canonical, '\n');
        canonical_query(q, &canonical);
        mst_str_addf(&canonical, "\n%s\n%s\n%s", mst_str_c(&headers), c->signed_names, c->hash);
        signature_of(s, c, mst_str_c(&canonical), &to_sign, got);
        ok = strcmp(got, c->signature) == 0;
        if (!ok) {
            s3d_complain(s, q, "signature does not match; canonical request:\n%s",
                         mst_str_c(&canonical));
            (void)s3d_error(r, q, 403, "SignatureDoesNotMatch",
                            "the request signature we calculated does not match the signature you "
                            "provided; canonical request: %s",
                            mst_str_c(&canonical));
        }
    }
    free(path);
    mst_str_release(&canonical);
    mst_str_release(&headers);
    mst_str_release(&to_sign);
    return ok;
}

static bool hash_holds(struct s3d *s, const struct request *q, struct reply *r,
                       const struct claim *c)
{
    char got[65];

    if (strcmp(c->hash, "UNSIGNED-PAYLOAD") == 0) {
        if (c->in_query || s->ctx) {
            return true;
        }
        s3d_complain(s, q, "an unsigned payload over plain http");
        return s3d_error(r, q, 400, "InvalidRequest", "an unsigned payload needs TLS");
    }
    if (strncmp(c->hash, "STREAMING-", 10) == 0) {
        s3d_complain(s, q, "%s: a body in signed chunks", c->hash);
        return s3d_error(r, q, 501, "NotImplemented", "bodies in chunks are not implemented");
    }
    sum_sha256_hex(q->body, q->body_n, got);
    if (strcmp(got, c->hash) != 0) {
        s3d_complain(s, q, "the payload's hash is not that of the body");
        return s3d_error(r, q, 400, "XAmzContentSHA256Mismatch",
                         "the provided x-amz-content-sha256 does not match what was computed");
    }
    return true;
}

static bool token_holds(struct s3d *s, const struct request *q, struct reply *r,
                        const struct claim *c)
{
    if (c->token && s->next_token[0] && strcmp(c->token, s->next_token) == 0) {
        return true;
    }
    if (s->has_token != (c->token != NULL) || (c->token && strcmp(c->token, s->token) != 0)) {
        return s3d_error(r, q, 400, "InvalidToken",
                         "the provided token is malformed or otherwise invalid");
    }
    if (s->has_token && s->token_expires_ms && s3d_now(s) >= s->token_expires_ms) {
        return s3d_error(r, q, 400, "ExpiredToken", "the provided token has expired");
    }
    return true;
}

static bool scope_holds(struct s3d *s, const struct request *q, struct reply *r,
                        const struct claim *c)
{
    if (strcmp(c->access, s->access) != 0) {
        return s3d_error(r, q, 403, "InvalidAccessKeyId",
                         "the access key id you provided does not exist in our records");
    }
    if (strcmp(c->service, s->o.google ? "storage" : "s3") != 0) {
        return malformed(s, q, r, "the service is another one");
    }
    if (strcmp(c->region, s->region) != 0) {
        (void)s3d_error(r, q, 400, "AuthorizationHeaderMalformed",
                        "the authorization header is malformed; the region '%s' is wrong; "
                        "expecting '%s'",
                        c->region, s->region);
        mst_str_addf(&r->head, "x-amz-bucket-region: %s\r\n", s->region);
        r->body.len -= strlen("</Error>");
        mst_str_addf(&r->body, "<Region>%s</Region></Error>", s->region);
        return false;
    }
    return true;
}

bool s3d_allowed(struct s3d *s, const struct request *q, struct reply *r)
{
    const char *auth = pairs_get(&q->headers, "authorization");
    struct claim c = {0};

    if (auth && own_query(s, q, "Signature")) {
        s3d_complain(s, q, "signed in a header and in the query at once");
        return s3d_error(r, q, 400, "InvalidArgument", "only one auth mechanism is allowed");
    }
    if (!auth && !own_query(s, q, "Signature")) {
        s3d_complain(s, q, "not signed");
        return s3d_error(r, q, 403, "AccessDenied", "anonymous access is denied");
    }
    return (auth ? claim_of_header(s, q, r, &c, auth) : claim_of_query(s, q, r, &c)) &&
           scope_holds(s, q, r, &c) && in_time(s, q, r, &c) && token_holds(s, q, r, &c) &&
           signature_holds(s, q, r, &c) && hash_holds(s, q, r, &c);
}
