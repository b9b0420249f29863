/* The scripted S3 server itself: published signatures hold, what is wrong is refused and
 * remembered, and the faults strike as they are planned. */
#include "test.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "s3_ask.h"
#include "s3d.h"

static struct s3d *s;
static struct s3_asked a;

static int start(void **state)
{
    (void)state;
    s = s3d_start(&(struct s3d_opts){.part_min = 10, .parts_max = 3, .page_max = 2});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    s3_asked_release(&a);
    s3d_stop(s);
    return 0;
}

/* One request; the error code of the answer, "" none. */
static const char *ask_as(struct s3_ask q)
{
    static char code[64];
    const char *p;

    q.port = s3d_port(s);
    s3_asked_release(&a);
    s3_ask(&q, &a);
    p = strstr(mst_str_c(&a.body), "<Code>");
    (void)snprintf(code, sizeof(code), "%.*s", p ? (int)strcspn(p + 6, "<") : 0, p ? p + 6 : "");
    return code;
}
#define ASK(...) ask_as((struct s3_ask){__VA_ARGS__, .port = 0})
#define BODY(text) .body = (text), .n = strlen(text)
#define HEADERS(...) \
    .headers = (const char *const[]) \
    { \
        __VA_ARGS__, NULL \
    }

static bool complained(const char *about)
{
    struct mst_str all = {0};
    bool yes;

    s3d_complaints(s, &all);
    yes = about ? strstr(mst_str_c(&all), about) != NULL : all.len > 0;
    mst_str_release(&all);
    s3d_complaints_reset(s);
    return yes;
}

/* ---- signatures ---- */

#define EXAMPLE_SCOPE "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
#define EXAMPLE_HEAD \
    "Host: examplebucket.s3.amazonaws.com\r\nx-amz-date: 20130524T000000Z\r\nConnection: " \
    "close\r\n"
#define EMPTY_SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* From "Signature Calculations for the Authorization Header" and "Using Query Parameters" of the
 * Amazon S3 API reference; a bucket that is not there answers 404 only to who may ask. */
static void published_signatures_hold(void **state)
{
    static const char *const requests[] = {
        "GET /test.txt HTTP/1.1\r\n" EXAMPLE_HEAD
        "Range: bytes=0-9\r\nx-amz-content-sha256: " EMPTY_SHA
        "\r\nAuthorization: AWS4-HMAC-SHA256 " EXAMPLE_SCOPE
        ",SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\r\n\r\n",
        "PUT /test%24file.text HTTP/1.1\r\n" EXAMPLE_HEAD "Date: Fri, 24 May 2013 00:00:00 GMT\r\n"
        "x-amz-storage-class: REDUCED_REDUNDANCY\r\nContent-Length: 21\r\nx-amz-content-sha256: "
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\r\nAuthorization: "
        "AWS4-HMAC-SHA256 " EXAMPLE_SCOPE
        ",SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
        "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd\r\n\r\n"
        "Welcome to Amazon S3.",
        "GET /?lifecycle HTTP/1.1\r\n" EXAMPLE_HEAD "x-amz-content-sha256: " EMPTY_SHA
        "\r\nAuthorization: AWS4-HMAC-SHA256 " EXAMPLE_SCOPE
        ",SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543\r\n\r\n",
        "GET /?max-keys=2&prefix=J HTTP/1.1\r\n" EXAMPLE_HEAD "x-amz-content-sha256: " EMPTY_SHA
        "\r\nAuthorization: AWS4-HMAC-SHA256 " EXAMPLE_SCOPE
        ",SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7\r\n\r\n",
        "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F"
        "20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&"
        "X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1\r\n"
        "Host: examplebucket.s3.amazonaws.com\r\nConnection: close\r\n\r\n"};

    (void)state;
    s3d_keys(s, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    s3d_region(s, "us-east-1");
    s3d_clock(s, 1369353600000LL - mst_clock_utc_ms(NULL));
    for (size_t i = 0; i < MST_COUNT(requests); i++) {
        char *other = mst_xstrdup(requests[i]);
        char *sig = strstr(other, "ignature=") + strlen("ignature=");

        s3_asked_release(&a);
        s3_ask_raw(s3d_port(s), requests[i], strlen(requests[i]), &a);
        /* a bucket of this name is not there; GET / without one lists them or is not implemented */
        assert_true(a.status == 404 || a.status == 200 || a.status == 501);
        assert_false(complained(NULL));
        *sig = *sig == '0' ? '1' : '0';
        s3_asked_release(&a);
        s3_ask_raw(s3d_port(s), other, strlen(other), &a);
        assert_int_equal(a.status, 403);
        assert_non_null(strstr(a.body.p, "SignatureDoesNotMatch"));
        assert_true(complained("signature does not match"));
        free(other);
    }
}

static void who_may_not_ask_is_told_why(void **state)
{
    static const char anonymous[] = "GET /vault/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const long long now = time(NULL);

    (void)state;
    assert_string_equal(ASK("GET", "/vault/x", .access = "AKIDOTHER"), "InvalidAccessKeyId");
    assert_string_equal(ASK("GET", "/vault/x", .secret = "other"), "SignatureDoesNotMatch");
    assert_string_equal(ASK("GET", "/vault/x", .region = "us-west-9"),
                        "AuthorizationHeaderMalformed");
    assert_non_null(strstr(a.body.p, "<Region>" S3D_REGION "</Region>"));
    assert_string_equal(ASK("GET", "/vault/x", .at_s = now - 14 * 60), "NoSuchKey");
    assert_string_equal(ASK("GET", "/vault/x", .at_s = now - 16 * 60), "RequestTimeTooSkewed");
    assert_string_equal(ASK("GET", "/vault/x", .at_s = now + 16 * 60), "RequestTimeTooSkewed");
    s3d_clock(s, 3600000);
    assert_string_equal(ASK("GET", "/vault/x"), "RequestTimeTooSkewed");
    s3d_clock(s, 0);
    assert_string_equal(ASK("PUT", "/vault/x", HEADERS("x-amz-meta-a: b"), .spoil = "x-amz-meta-a"),
                        "SignatureDoesNotMatch");
    s3_asked_release(&a);
    s3_ask_raw(s3d_port(s), anonymous, strlen(anonymous), &a);
    assert_non_null(strstr(a.body.p, "AccessDenied"));
    assert_true(complained("not signed"));
    s3d_deny(s, S3D_GET, true);
    assert_string_equal(ASK("GET", "/vault/x"), "AccessDenied");
}

static void a_session_token_is_expected_and_runs_out(void **state)
{
    (void)state;
    s3d_token(s, "tok", mst_clock_utc_ms(NULL) + 3600000);
    assert_string_equal(ASK("GET", "/vault/x"), "InvalidToken");
    assert_string_equal(ASK("GET", "/vault/x", HEADERS("x-amz-security-token: other")),
                        "InvalidToken");
    assert_string_equal(ASK("GET", "/vault/x", HEADERS("x-amz-security-token: tok")), "NoSuchKey");
    s3d_token(s, "tok", mst_clock_utc_ms(NULL) - 1000);
    assert_string_equal(ASK("GET", "/vault/x", HEADERS("x-amz-security-token: tok")),
                        "ExpiredToken");
    s3d_token(s, NULL, 0);
    assert_string_equal(ASK("GET", "/vault/x", HEADERS("x-amz-security-token: tok")),
                        "InvalidToken");
}

static void the_body_must_be_what_was_declared(void **state)
{
    (void)state;
    assert_string_equal(ASK("PUT", "/vault/x", BODY("abc"), .hash = EMPTY_SHA),
                        "XAmzContentSHA256Mismatch");
    assert_string_equal(ASK("PUT", "/vault/x", BODY("abc"), .hash = "UNSIGNED-PAYLOAD"),
                        "InvalidRequest");
    assert_string_equal(
        ASK("PUT", "/vault/x", BODY("abc"), .hash = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        "NotImplemented");
    assert_string_equal(ASK("PUT", "/vault/x", BODY("abc"), HEADERS("content-md5: xx")),
                        "InvalidDigest");
    assert_string_equal(
        ASK("PUT", "/vault/x", BODY("abd"), HEADERS("content-md5: kAFQmDzST7DWlj99KOF/cg==")),
        "BadDigest");
    assert_string_equal(
        ASK("PUT", "/vault/x", BODY("abc"), HEADERS("x-amz-checksum-crc32c: AAAAAA==")),
        "BadDigest");
    assert_string_equal(
        ASK("PUT", "/vault/x", BODY("abc"), HEADERS("x-amz-checksum-crc9: AAAAAA==")),
        "InvalidRequest");
    assert_false(s3d_has(s, "x"));
    assert_true(complained("crc32c is not that of the body"));
    /* RFC 3720: the CRC-32C of "123456789" is e3069283. */
    assert_string_equal(
        ASK("PUT", "/vault/x", BODY("123456789"), HEADERS("x-amz-checksum-crc32c: 4waSgw==")), "");
    assert_string_equal(
        ASK("PUT", "/vault/y", BODY("abc"), HEADERS("content-md5: kAFQmDzST7DWlj99KOF/cg==")), "");
    assert_false(complained(NULL));
    assert_int_equal(s3d_objects(s), 2);
}

/* ---- objects ---- */

static void a_name_is_written_once(void **state)
{
    char etag[80];

    (void)state;
    assert_string_equal(ASK("PUT", "/vault/a", BODY("one"), HEADERS("if-none-match: *")), "");
    assert_string_equal(s3_asked_header(&a, "etag", etag, sizeof(etag)),
                        "\"f97c5d29941bfb1b2fdab0874906ab82\"");
    assert_string_equal(ASK("PUT", "/vault/a", BODY("two"), HEADERS("if-none-match: *")),
                        "PreconditionFailed");
    assert_int_equal(a.status, 412);
    assert_string_equal(ASK("PUT", "/vault/a", BODY("two"), HEADERS("if-none-match: \"x\"")),
                        "NotImplemented");
    assert_string_equal(ASK("PUT", "/vault/a", BODY("two"), HEADERS("if-match: \"x\"")),
                        "PreconditionFailed");
    assert_string_equal(ASK("GET", "/vault/a"), "");
    assert_string_equal(mst_str_c(&a.body), "one");
}

static void ranges_are_as_they_are_asked(void **state)
{
    static const struct {
        const char *range, *body, *content_range;
    } cases[] = {{"bytes=0-1", "01", "bytes 0-1/10"},
                 {"bytes=8-", "89", "bytes 8-9/10"},
                 {"bytes=-3", "789", "bytes 7-9/10"},
                 {"bytes=5-100", "56789", "bytes 5-9/10"}};
    char text[64], line[64];

    (void)state;
    s3d_put(s, "a", "0123456789", 10);
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        (void)snprintf(line, sizeof(line), "range: %s", cases[i].range);
        assert_string_equal(ASK("GET", "/vault/a", HEADERS(line)), "");
        assert_int_equal(a.status, 206);
        assert_string_equal(mst_str_c(&a.body), cases[i].body);
        assert_string_equal(s3_asked_header(&a, "content-range", text, sizeof(text)),
                            cases[i].content_range);
    }
    assert_string_equal(ASK("GET", "/vault/a", HEADERS("range: bytes=10-")), "InvalidRange");
    assert_string_equal(ASK("GET", "/vault/a", HEADERS("if-match: \"x\"")), "PreconditionFailed");
    assert_string_equal(ASK("HEAD", "/vault/a"), "");
    assert_string_equal(s3_asked_header(&a, "content-length", text, sizeof(text)), "10");
    assert_int_equal(a.body.len, 0);
}

static void listings_go_on_where_they_ended(void **state)
{
    const char *next;
    char target[256];

    (void)state;
    s3d_put(s, "a/1", "x", 1);
    s3d_put(s, "a/2&", "x", 1);
    s3d_put(s, "b", "x", 1);
    s3d_put(s, "c/1\n", "x", 1);
    assert_string_equal(ASK("GET", "/vault?encoding-type=url&list-type=2"), "");
    assert_non_null(strstr(a.body.p, "<Key>a/1</Key>"));
    assert_non_null(strstr(a.body.p, "<Key>a/2%26</Key>"));
    assert_null(strstr(a.body.p, "<Key>b</Key>"));
    next = strstr(a.body.p, "<NextContinuationToken>");
    assert_non_null(next);
    (void)snprintf(target, sizeof(target),
                   "/vault?continuation-token=%.*s&encoding-type=url&list-type=2",
                   (int)strcspn(next + 23, "<"), next + 23);
    assert_string_equal(ASK("GET", target), "");
    assert_non_null(strstr(a.body.p, "<Key>b</Key>"));
    assert_non_null(strstr(a.body.p, "<Key>c/1%0A</Key>"));
    assert_non_null(strstr(a.body.p, "<IsTruncated>false"));
    assert_string_equal(ASK("GET", "/vault?continuation-token=made-up&list-type=2"),
                        "InvalidArgument");
    assert_string_equal(ASK("GET", "/vault?delimiter=%2F&list-type=2&prefix="), "");
    assert_non_null(strstr(a.body.p, "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"));
    assert_string_equal(ASK("GET", "/vault?marker=a%2F2%26&prefix="), "");
    assert_null(strstr(a.body.p, "<Key>a/2"));
    assert_non_null(strstr(a.body.p, "<Key>b</Key>"));
    assert_string_equal(ASK("GET", "/vault?list-type=2&prefix=a%2F"), "");
    assert_null(strstr(a.body.p, "<Key>b</Key>"));
    assert_non_null(strstr(a.body.p, "<IsTruncated>false"));
}

static void versions_and_locks_are_kept(void **state)
{
    const struct s3d_opts o = {.lock = true, .page_max = 2};
    char id[64], target[128];

    (void)state;
    s3d_stop(s);
    s = s3d_start(&o);
    assert_string_equal(ASK("PUT", "/vault/a", BODY("one")), "InvalidRequest"); /* no checksum */
    assert_true(complained("without a checksum"));
    for (int i = 0; i < 3; i++) {
        assert_string_equal(ASK("PUT", "/vault/a", BODY("abc"),
                                HEADERS("content-md5: kAFQmDzST7DWlj99KOF/cg==",
                                        "x-amz-object-lock-mode: COMPLIANCE",
                                        "x-amz-object-lock-retain-until-date: "
                                        "2099-01-01T00:00:00Z")),
                            "");
    }
    (void)s3_asked_header(&a, "x-amz-version-id", id, sizeof(id));
    assert_string_equal(ASK("DELETE", "/vault/a"), ""); /* a marker only */
    assert_string_equal(ASK("GET", "/vault/a"), "NoSuchKey");
    (void)snprintf(target, sizeof(target), "/vault/a?versionId=%s", id);
    assert_string_equal(ASK("GET", target), "");
    assert_string_equal(ASK("DELETE", target), "AccessDenied");
    assert_string_equal(ASK("GET", "/vault?versions="), "");
    assert_non_null(strstr(a.body.p, "<DeleteMarker>"));
    assert_non_null(strstr(a.body.p, "<NextVersionIdMarker>"));
    (void)snprintf(target, sizeof(target), "/vault/a?retention=&versionId=%s", id);
    assert_string_equal(ASK("GET", target), "");
    assert_non_null(strstr(a.body.p, "<RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate>"));
    assert_false(complained(NULL));
}

static void the_quota_is_a_ceiling(void **state)
{
    (void)state;
    s3d_quota(s, 5);
    assert_string_equal(ASK("PUT", "/vault/a", BODY("123456")), "QuotaExceeded");
    assert_string_equal(ASK("PUT", "/vault/a", BODY("12345")), "");
}

/* ---- uploads ---- */

static void begin_upload(char id[64])
{
    const char *p;

    assert_string_equal(ASK("POST", "/vault/big?uploads="), "");
    p = strstr(a.body.p, "<UploadId>") + 10;
    (void)snprintf(id, 64, "%.*s", (int)strcspn(p, "<"), p);
}

static const char *send_part(const char *id, int no, const char *text, char etag[64])
{
    char target[128];
    const char *code;

    (void)snprintf(target, sizeof(target), "/vault/big?partNumber=%d&uploadId=%s", no, id);
    code = ASK("PUT", target, BODY(text));
    (void)s3_asked_header(&a, "etag", etag, 64);
    return code;
}

static const char *end_upload(const char *id, const char *const *etags, const int *nos, size_t n)
{
    struct mst_str xml = {0};
    char target[128];
    const char *code;

    mst_str_add(&xml, "<CompleteMultipartUpload>");
    for (size_t i = 0; i < n; i++) {
        mst_str_addf(&xml, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", nos[i],
                     etags[i]);
    }
    mst_str_add(&xml, "</CompleteMultipartUpload>");
    (void)snprintf(target, sizeof(target), "/vault/big?uploadId=%s", id);
    code = ASK("POST", target, BODY(mst_str_c(&xml)));
    mst_str_release(&xml);
    return code;
}

static void parts_are_counted_weighed_and_put_in_order(void **state)
{
    char id[64], one[64], two[64], tiny[64];
    size_t n = 0;
    unsigned char *p;

    (void)state;
    begin_upload(id);
    assert_string_equal(send_part(id, 4, "0123456789", one), "InvalidArgument");
    assert_true(complained("part number 4"));
    assert_string_equal(send_part(id, 1, "0123456789", one), "");
    assert_string_equal(send_part(id, 2, "abc", tiny), "");
    assert_string_equal(send_part(id, 3, "end", two), "");
    assert_string_equal(send_part("other", 1, "x", two), "NoSuchUpload");
    assert_string_equal(send_part(id, 3, "end", two), "");
    assert_string_equal(end_upload(id, (const char *const[]){two, one}, (const int[]){3, 1}, 2),
                        "InvalidPartOrder");
    assert_true(complained("ascending"));
    assert_string_equal(
        end_upload(id, (const char *const[]){one, tiny, two}, (const int[]){1, 2, 3}, 3),
        "EntityTooSmall");
    assert_string_equal(end_upload(id, (const char *const[]){two, two}, (const int[]){1, 3}, 2),
                        "InvalidPart");
    assert_int_equal(s3d_uploads(s), 1);
    assert_string_equal(end_upload(id, (const char *const[]){one, two}, (const int[]){1, 3}, 2),
                        "");
    p = s3d_get(s, "big", &n);
    assert_int_equal(n, 13);
    assert_memory_equal(p, "0123456789end", 13);
    free(p);
    assert_int_equal(s3d_uploads(s), 0);
    assert_string_equal(end_upload(id, (const char *const[]){one}, (const int[]){1}, 1),
                        "NoSuchUpload");
}

static void a_declared_checksum_is_demanded_of_every_part(void **state)
{
    char id[64], etag[64];
    const char *p;

    (void)state;
    assert_string_equal(
        ASK("POST", "/vault/big?uploads=", HEADERS("x-amz-checksum-algorithm: SHA256")), "");
    p = strstr(a.body.p, "<UploadId>") + 10;
    (void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(p, "<"), p);
    assert_string_equal(send_part(id, 1, "0123456789", etag), "InvalidRequest");
    assert_true(complained("the part has no checksum"));
    assert_string_equal(ASK("DELETE", "/vault/big?uploadId=nothing"), "NoSuchUpload");
    assert_string_equal(ASK("GET", "/vault?uploads="), "");
    assert_non_null(strstr(a.body.p, id));
}

/* ---- faults ---- */

static void faults_strike_by_kind_key_and_number(void **state)
{
    static const struct {
        struct s3d_fault f;
        int status;
        const char *code;
        bool written;
    } cases[] = {
        {{.what = S3D_RESET, .kind = S3D_PUT}, 0, "", false},
        {{.what = S3D_RESET, .kind = S3D_PUT, .at = 2}, 0, "", false},
        {{.what = S3D_RESET_AFTER, .kind = S3D_PUT}, 0, "", true},
        {{.what = S3D_STALL, .kind = S3D_PUT, .ms = 30}, 0, "", false},
        {{.what = S3D_STALL_AFTER, .kind = S3D_PUT, .ms = 30}, 0, "", true},
        {{.what = S3D_STATUS, .kind = S3D_PUT}, 500, "InternalError", false},
        {{.what = S3D_STATUS_AFTER, .kind = S3D_PUT, .status = 503}, 503, "InternalError", true},
        {{.what = S3D_EXPIRED, .kind = S3D_PUT}, 400, "ExpiredToken", false},
        {{.what = S3D_SKEWED, .kind = S3D_PUT}, 403, "RequestTimeTooSkewed", false},
        {{.what = S3D_WRONG_REGION, .kind = S3D_ANY}, 400, "AuthorizationHeaderMalformed", false},
        {{.what = S3D_HTML, .kind = S3D_PUT}, 200, "", false},
        {{.what = S3D_GZIP, .kind = S3D_PUT}, 502, "", false},
        {{.what = S3D_EMPTY, .kind = S3D_PUT, .status = 500}, 500, "", false},
        {{.what = S3D_200_ERROR, .kind = S3D_PUT}, 200, "InternalError", false},
        {{.what = S3D_WRONG_ETAG, .kind = S3D_PUT}, 200, "", true},
        {{.what = S3D_NO_ETAG, .kind = S3D_PUT}, 200, "", true},
        {{.what = S3D_DRIP, .kind = S3D_PUT}, 200, "", true},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        struct s3d_fault f = cases[i].f;

        s3d_remove(s, "second");
        f.key = "second";
        s3d_plan_none(s);
        s3d_plan(s, &f);
        assert_string_equal(ASK("PUT", "/vault/first", BODY("abc")), "");
        assert_int_equal(a.status, 200);
        assert_string_equal(ASK("PUT", "/vault/second", BODY("abc")), cases[i].code);
        assert_int_equal(a.status, cases[i].status);
        assert_int_equal(s3d_has(s, "second"), cases[i].written);
        assert_int_equal(s3d_struck(s), i + 1);
        assert_string_equal(ASK("PUT", "/vault/second", BODY("abc")), ""); /* once only */
        assert_int_equal(a.status, 200);
    }
    assert_false(complained(NULL));
}

static void the_second_of_two_and_both_after_it(void **state)
{
    char text[64];

    (void)state;
    s3d_plan(s, &(struct s3d_fault){.what = S3D_STATUS,
                                    .kind = S3D_GET,
                                    .nth = 2,
                                    .times = 2,
                                    .status = 503,
                                    .code = "SlowDown",
                                    .ms = 1500});
    s3d_put(s, "a", "x", 1);
    for (int i = 1; i <= 4; i++) {
        assert_string_equal(ASK("GET", "/vault/a"), i == 2 || i == 3 ? "SlowDown" : "");
        (void)s3_asked_header(&a, "retry-after", text, sizeof(text));
        assert_string_equal(text, i == 2 || i == 3 ? "2" : "");
    }
    assert_int_equal(s3d_count(s, S3D_GET), 4);
    assert_int_equal(s3d_count(s, S3D_PUT), 0);
}

static void what_is_read_can_be_spoilt(void **state)
{
    char text[64];

    (void)state;
    s3d_put(s, "a", "0123456789", 10);
    s3d_plan(s, &(struct s3d_fault){.what = S3D_TRUNCATE, .kind = S3D_GET, .at = 4});
    (void)ASK("GET", "/vault/a");
    assert_string_equal(mst_str_c(&a.body), "0123");
    assert_string_equal(s3_asked_header(&a, "content-length", text, sizeof(text)), "10");
    s3d_plan(s, &(struct s3d_fault){.what = S3D_FLIP, .kind = S3D_GET, .at = 0});
    (void)ASK("GET", "/vault/a");
    assert_string_equal(mst_str_c(&a.body), "1123456789");
    s3d_plan(s, &(struct s3d_fault){.what = S3D_NO_RANGE, .kind = S3D_GET});
    (void)ASK("GET", "/vault/a", HEADERS("range: bytes=2-3"));
    assert_int_equal(a.status, 200);
    assert_string_equal(mst_str_c(&a.body), "0123456789");
    s3d_plan(s, &(struct s3d_fault){.what = S3D_WRONG_RANGE, .kind = S3D_GET});
    (void)ASK("GET", "/vault/a", HEADERS("range: bytes=2-3"));
    assert_string_equal(s3_asked_header(&a, "content-range", text, sizeof(text)), "bytes 3-4/11");
    s3d_plan(s, &(struct s3d_fault){.what = S3D_CHANGED, .kind = S3D_GET});
    (void)ASK("GET", "/vault/a");
    assert_string_equal(mst_str_c(&a.body), "changed");
    assert_true(s3d_flip(s, "a", 0));
    (void)ASK("GET", "/vault/a");
    assert_string_equal(mst_str_c(&a.body), "bhanged");
}

static void a_redirect_says_where_to_and_listings_never_end(void **state)
{
    char text[64];

    (void)state;
    s3d_plan(s, &(struct s3d_fault){.what = S3D_REDIRECT,
                                    .kind = S3D_GET,
                                    .status = 301,
                                    .to = "http://127.0.0.1:1/vault/a"});
    (void)ASK("GET", "/vault/a");
    assert_int_equal(a.status, 301);
    assert_string_equal(s3_asked_header(&a, "location", text, sizeof(text)),
                        "http://127.0.0.1:1/vault/a");
    assert_true(s3d_saw_credentials(s));
    s3d_plan(s, &(struct s3d_fault){.what = S3D_SAME_TOKEN, .kind = S3D_LIST});
    (void)ASK("GET", "/vault?list-type=2");
    assert_non_null(strstr(a.body.p, "<IsTruncated>true"));
    s3d_plan(s, &(struct s3d_fault){.what = S3D_ENDLESS, .kind = S3D_LIST});
    (void)ASK("GET", "/vault?list-type=2");
    assert_non_null(strstr(a.body.p, "endless0000000001"));
    s3d_refuse(s, true);
    (void)ASK("GET", "/vault?list-type=2");
    assert_int_equal(a.status, 0);
    s3d_refuse(s, false);
    assert_string_equal(ASK("GET", "/vault?list-type=2"), "");
    assert_int_equal(a.status, 200);
}

static void an_idle_connection_is_closed(void **state)
{
    const int64_t began = mst_clock_mono_ms(NULL);

    (void)state;
    s3d_stop(s);
    s = s3d_start(&(struct s3d_opts){.idle_ms = 50});
    s3_ask_raw(s3d_port(s), "GET / HTTP/1.1\r\n", 16, &a); /* the head never ends */
    assert_int_equal(a.status, 0);
    assert_true(mst_clock_mono_ms(NULL) - began < 10000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(published_signatures_hold),
        T(who_may_not_ask_is_told_why),
        T(a_session_token_is_expected_and_runs_out),
        T(the_body_must_be_what_was_declared),
        T(a_name_is_written_once),
        T(ranges_are_as_they_are_asked),
        T(listings_go_on_where_they_ended),
        T(versions_and_locks_are_kept),
        T(the_quota_is_a_ceiling),
        T(parts_are_counted_weighed_and_put_in_order),
        T(a_declared_checksum_is_demanded_of_every_part),
        T(faults_strike_by_kind_key_and_number),
        T(the_second_of_two_and_both_after_it),
        T(what_is_read_can_be_spoilt),
        T(a_redirect_says_where_to_and_listings_never_end),
        T(an_idle_connection_is_closed),
    };

    return cmocka_run_group_tests_name("s3d", tests, NULL, NULL);
}
