/* The published cases of Signature Version 4 (tests/data/sigv4), and Google's dialect. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "hash/mac.h"
#include "http/sign.h"

#define FILES 8
enum { REQUEST, CONTEXT, CANON, TO_SIGN, SIGNATURE, QUERY_CANON, QUERY_TO_SIGN, QUERY_SIGNATURE };

struct published {
    char *name, *file[FILES];
};

/* What stands between two lines that begin with '@'. */
static char *section(const char **at)
{
    const char *start = *at, *end = strstr(start, "\n@");

    MST_ASSERT(end);
    *at = end + 1;
    return mst_xstrndup(start, (size_t)(end - start));
}

static bool next_case(const char **at, struct published *c)
{
    if (strncmp(*at, "@case ", 6) != 0) {
        return false;
    }
    *at += 6;
    c->name = section(at);
    for (size_t i = 0; i < FILES; i++) {
        assert_int_equal(strncmp(*at, "@file ", 6), 0);
        *at = strchr(*at, '\n') + 1;
        c->file[i] = section(at);
    }
    return true;
}

static void free_case(struct published *c)
{
    free(c->name);
    for (size_t i = 0; i < FILES; i++) {
        free(c->file[i]);
    }
}

/* The value of a JSON member as text; "" when there is none. */
static char *member(const char *json, const char *name)
{
    const char *p = strstr(json, name);

    p = p ? strchr(p, ':') + 1 : "";
    p += strspn(p, " \"");
    return mst_xstrndup(p, strcspn(p, "\",\n"));
}

static int hex_of(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static char *decoded(const char *p, size_t n)
{
    char *out = mst_xcalloc(1, n + 1), *o = out;

    for (size_t i = 0; i < n; i++) {
        if (p[i] == '%' && i + 2 < n) {
            *o++ = (char)(hex_of(p[i + 1]) << 4 | hex_of(p[i + 2]));
            i += 2;
        } else {
            *o++ = p[i];
        }
    }
    return out;
}

struct made {
    struct mst_sig_request q;
    struct mst_sig_keys keys;
    struct mst_secret secret, token;
    struct mst_sig_pair pairs[8];
    struct mst_http_headers headers;
    char *path, *region, *service, *access, hash[MST_SHA256_HEX];
};

/* "GET /a?b=c HTTP/1.1", headers, an empty line, a body. */
static void read_request(const char *text, struct made *m)
{
    const char *url = strchr(text, ' ') + 1, *end = strstr(text, " HTTP/1.1");
    const char *query = memchr(url, '?', (size_t)(end - url)), *line = strchr(text, '\n');
    struct mst_err err = {0};

    m->q.method = text[0] == 'G' ? "GET" : "POST";
    m->path = decoded(url, (size_t)((query ? query : end) - url));
    for (const char *p = query; p && p < end;) {
        const size_t n = strcspn(p + 1, "& "), name = strcspn(p + 1, "=& ");
        struct mst_sig_pair *out = &m->pairs[m->q.n_query++];

        out->name = decoded(p + 1, name);
        out->value = name < n ? decoded(p + 2 + name, n - name - 1) : mst_xstrdup("");
        p += 1 + n;
    }
    while (line && line[1] && line[1] != '\n') {
        char *one = mst_xstrndup(line + 1, strcspn(line + 1, "\n")), *colon = strchr(one, ':');

        *colon = '\0';
        if (strcasecmp(one, "host") != 0 && strcasecmp(one, "x-amz-date") != 0) {
            assert_ok(mst_http_add(&m->headers, one, colon + 1, &err), &err);
        }
        free(one);
        line = strchr(line + 1, '\n');
    }
}

static void make(const struct published *c, struct made *m)
{
    char *t = member(c->file[CONTEXT], "timestamp"), *secret, *token, *signs;

    memset(m, 0, sizeof(*m));
    read_request(c->file[REQUEST], m);
    m->q.kind = MST_SIG_AWS4;
    m->q.host = "example.amazonaws.com";
    m->q.path = m->path;
    m->q.query = m->pairs;
    m->q.region = m->region = member(c->file[CONTEXT], "\"region\"");
    m->q.service = m->service = member(c->file[CONTEXT], "\"service\"");
    m->q.now_ms = mst_time_parse(t);
    signs = member(c->file[CONTEXT], "sign_body");
    if (strcmp(signs, "true") == 0) {
        const char *body = strstr(c->file[REQUEST], "\n\n");
        uint8_t digest[MST_SHA256_LEN];

        body = body ? body + 2 : "";
        mst_sha256_of(body, strlen(body), digest);
        m->q.payload_hash = mst_hex(digest, sizeof(digest), m->hash);
    }
    secret = member(c->file[CONTEXT], "secret_access_key");
    token = member(c->file[CONTEXT], "\"token\"");
    mst_secret_set(&m->secret, secret, strlen(secret));
    m->keys.access_key = m->access = member(c->file[CONTEXT], "access_key_id");
    m->keys.secret_key = &m->secret;
    if (*token && !strstr(c->file[CONTEXT], "omit_session_token\": true")) {
        mst_secret_set(&m->token, token, strlen(token));
        m->keys.token = &m->token;
    }
    free(t);
    free(secret);
    free(token);
    free(signs);
}

static void unmake(struct made *m)
{
    for (size_t i = 0; i < m->q.n_query; i++) {
        free((void *)(uintptr_t)m->pairs[i].name);
        free((void *)(uintptr_t)m->pairs[i].value);
    }
    free(m->path);
    free(m->region);
    free(m->service);
    free(m->access);
    mst_secret_release(&m->secret);
    mst_secret_release(&m->token);
}

/* S3 never takes "/a/../b" for "/b", and no value of a header of ours has two lines. */
static bool applies(const struct published *c)
{
    const bool dots = strstr(c->name, "relative") || strstr(c->name, "slash");

    return !(dots && strstr(c->name, "-normalized")) && !strstr(c->name, "multiline");
}

static void check_case(const struct published *c)
{
    struct made m;
    struct mst_http_headers *query_headers;
    struct mst_str target = {0};
    struct mst_err err = {0};
    const char *sig;

    make(c, &m);
    query_headers = mst_xmemdup(&m.headers, sizeof(m.headers));
    assert_ok(mst_sig_headers(&m.q, &m.keys, &m.headers, &target, &err), &err);
    sig = strstr(mst_http_header(&m.headers, "authorization"), "Signature=");
    if (!sig || strcmp(sig + 10, c->file[SIGNATURE]) != 0) {
        fail_msg("%s: header form: %s, wanted %s", c->name, sig, c->file[SIGNATURE]);
    }
    if (strstr(c->file[QUERY_CANON], "content-sha256")) {
        assert_ok(mst_http_add(query_headers, "x-amz-content-sha256", m.hash, &err), &err);
    }
    assert_ok(mst_sig_query(&m.q, &m.keys, query_headers, 3600, &target, &err), &err);
    sig = strstr(mst_str_c(&target), "X-Amz-Signature=");
    if (!sig || strcmp(sig + 16, c->file[QUERY_SIGNATURE]) != 0) {
        fail_msg("%s: query form: %s, wanted %s", c->name, mst_str_c(&target),
                 c->file[QUERY_SIGNATURE]);
    }
    mst_str_release(&target);
    free(query_headers);
    unmake(&m);
}

static void the_published_cases_are_signed_as_published(void **state)
{
    struct mst_buf text = {0};
    struct mst_err err = {0};
    struct published c = {0};
    const char *at;
    size_t n = 0, all = 0;

    (void)state;
    assert_ok(mst_file_read(TEST_DATA "/sigv4/cases.txt", (size_t)1 << 20, &text, &err), &err);
    mst_buf_add(&text, "", 1);
    at = strstr((const char *)text.p, "@case ");
    for (; next_case(&at, &c); all++, free_case(&c)) {
        if (applies(&c)) {
            check_case(&c);
            n++;
        }
    }
    assert_int_equal(all, 38);
    assert_int_equal(n, 31);
    mst_buf_release(&text);
}

static void google_has_its_own_words(void **state)
{
    struct mst_http_headers *hs = mst_xcalloc(1, sizeof(*hs));
    struct mst_secret secret = {0}, token = {0};
    const struct mst_sig_keys keys = {"GOOG1EXAMPLE", &secret, &token};
    const struct mst_sig_pair query[] = {{"uploads", ""}, {"a b", "c+d/\xc3\xa9"}};
    const struct mst_sig_request q = {.kind = MST_SIG_GOOG4,
                                      .method = "POST",
                                      .host = "storage.googleapis.com",
                                      .path = "/bucket/a key(1)+=*",
                                      .query = query,
                                      .n_query = 2,
                                      .region = "auto",
                                      .service = "storage",
                                      .now_ms = 1440938160000,
                                      .payload_hash = "UNSIGNED-PAYLOAD"};
    struct mst_str target = {0};
    struct mst_err err = {0};

    (void)state;
    mst_secret_set(&secret, "secret/key+", 11);
    assert_ok(mst_http_add(hs, "x-goog-if-generation-match", "0", &err), &err);
    assert_ok(mst_http_add(hs, "User-Agent", "muster", &err), &err);
    assert_ok(mst_sig_headers(&q, &keys, hs, &target, &err), &err);
    assert_string_equal(mst_str_c(&target),
                        "/bucket/a%20key%281%29%2B%3D%2A?a%20b=c%2Bd%2F%C3%A9&uploads=");
    assert_string_equal(mst_http_header(hs, "x-goog-date"), "20150830T123600Z");
    assert_string_equal(mst_http_header(hs, "x-goog-content-sha256"), "UNSIGNED-PAYLOAD");
    assert_null(mst_http_header(hs, "x-amz-date"));
    assert_string_equal(
        mst_http_header(hs, "authorization"),
        "GOOG4-HMAC-SHA256 Credential=GOOG1EXAMPLE/20150830/auto/storage/goog4_request, "
        "SignedHeaders=host;x-goog-content-sha256;x-goog-date;x-goog-if-generation-match, "
        "Signature=1161d089881e37063e4e7220b308c5840723cebfa0cfc7c11c83f7f8d820ac58");
    mst_str_release(&target);
    mst_secret_release(&secret);
    free(hs);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct mst_http_headers *hs = mst_xcalloc(1, sizeof(*hs));
    struct mst_secret secret = {0}, token = {0};
    const struct mst_sig_keys keys = {"AKIA", &secret, &token};
    struct mst_sig_pair query[25];
    struct mst_sig_request q = {.method = "GET",
                                .host = "h",
                                .path = "/",
                                .query = query,
                                .n_query = 25,
                                .region = "r",
                                .service = "s3"};
    struct mst_str target = {0};
    struct mst_err err = {0};
    char *long_token = mst_xcalloc(1, 5000);

    (void)state;
    for (size_t i = 0; i < 25; i++) {
        query[i] = (struct mst_sig_pair){"a", "b"};
    }
    assert_rc(mst_sig_headers(&q, &keys, hs, &target, &err), MST_E_LIMIT, &err);
    q.n_query = 0;
    hs->n = 0;
    memset(long_token, 't', 4999);
    mst_secret_set(&token, long_token, 4999);
    assert_rc(mst_sig_headers(&q, &keys, hs, &target, &err), MST_E_LIMIT, &err);
    assert_null(strstr(err.msg, "ttt"));
    mst_secret_release(&token);
    free(long_token);
    free(hs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_cases_are_signed_as_published),
        cmocka_unit_test(google_has_its_own_words),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
