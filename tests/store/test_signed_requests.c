/* Requests signed by core/http/sign.c, judged by the server of the tests, which knows nothing of
 * it: GOOG4-HMAC-SHA256 and AWS4, in headers and in the query, with names of every kind. */
#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "hash/hash.h"
#include "http/sign.h"
#include "s3_ask.h"
#include "s3d.h"

static struct s3d *d;
static bool google;

static int start_goog(void **state)
{
    (void)state;
    google = true;
    d = s3d_start(&(struct s3d_opts){.google = true, .region = "auto"});
    return 0;
}

static int start_aws(void **state)
{
    (void)state;
    google = false;
    d = s3d_start(&(struct s3d_opts){.region = "auto"});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    s3d_stop(d);
    return 0;
}

/* The status; extra is a header of its own, "name" and "value", or NULL. */
static int ask(const char *method, const char *path, const struct mst_sig_pair *query, size_t n,
               const char *body, const struct mst_sig_pair *extra, bool in_query)
{
    struct mst_secret secret = {0};
    struct mst_http_headers *hs = mst_xcalloc(1, sizeof(*hs));
    struct mst_str target = {0}, text = {0};
    struct s3_asked a;
    struct mst_err err = {0};
    char host[32], hash[MST_SHA256_HEX];
    uint8_t digest[MST_SHA256_LEN];
    int status;

    (void)snprintf(host, sizeof(host), "127.0.0.1:%d", s3d_port(d));
    mst_sha256_of(body, strlen(body), digest);
    (void)mst_hex(digest, sizeof(digest), hash);
    mst_secret_set(&secret, S3D_SECRET, strlen(S3D_SECRET));
    {
        const struct mst_sig_keys keys = {S3D_ACCESS, &secret, NULL};
        const struct mst_sig_request q = {.kind = google ? MST_SIG_GOOG4 : MST_SIG_AWS4,
                                          .method = method,
                                          .host = host,
                                          .path = path,
                                          .query = query,
                                          .n_query = n,
                                          .region = "auto",
                                          .service = google ? "storage" : "s3",
                                          .now_ms = mst_clock_utc_ms(NULL),
                                          .payload_hash = in_query ? "UNSIGNED-PAYLOAD" : hash};

        if (extra) {
            assert_ok(mst_http_add(hs, extra->name, extra->value, &err), &err);
        }
        assert_ok(in_query ? mst_sig_query(&q, &keys, hs, 60, &target, &err)
                           : mst_sig_headers(&q, &keys, hs, &target, &err),
                  &err);
    }
    mst_str_addf(&text, "%s %s HTTP/1.1\r\n", method, mst_str_c(&target));
    if (!mst_http_header(hs, "host")) {
        mst_str_addf(&text, "host: %s\r\n", host);
    }
    for (size_t i = 0; i < hs->n; i++) {
        mst_str_addf(&text, "%s: %s\r\n", mst_http_name_at(hs, i), mst_http_value_at(hs, i));
    }
    mst_str_addf(&text, "content-length: %zu\r\nconnection: close\r\n\r\n%s", strlen(body), body);
    s3_ask_raw(s3d_port(d), text.p, text.len, &a);
    status = a.status;
    if (status >= 400 && status != 404 && status != 412) {
        print_message("%s %s: %d %s\n", method, path, status, mst_str_c(&a.body));
    }
    s3_asked_release(&a);
    mst_secret_release(&secret);
    mst_str_release(&target);
    mst_str_release(&text);
    free(hs);
    return status;
}

static void what_is_signed_is_let_in(void **state)
{
    static const char *const paths[] = {"/vault/plain", "/vault/a b/c+d&e=f%20g", "/vault/Größe",
                                        "/vault/~-._!*'()", "/vault/a//b"};
    const struct mst_sig_pair query[] = {
        {"prefix", "a b/+&="}, {"max-keys", "10"}, {"encoding-type", "url"}, {"list-type", "2"}};
    struct mst_str wrong = {0};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(paths); i++) {
        assert_int_equal(ask("PUT", paths[i], NULL, 0, "hello", NULL, false), 200);
        assert_int_equal(ask("GET", paths[i], NULL, 0, "", NULL, false), 200);
        assert_int_equal(ask("GET", paths[i], NULL, 0, "", NULL, true), 200);
        assert_int_equal(ask("DELETE", paths[i], NULL, 0, "", NULL, false), 204);
    }
    assert_int_equal(ask("GET", "/vault", query, MST_COUNT(query), "", NULL, false), 200);
    assert_int_equal(ask("GET", "/vault", query, MST_COUNT(query), "", NULL, true), 200);
    s3d_complaints(d, &wrong);
    assert_string_equal(mst_str_c(&wrong), "");
    mst_str_release(&wrong);
}

static void a_name_is_written_once_by_generation(void **state)
{
    const struct mst_sig_pair once = {"x-goog-if-generation-match", "0"};
    /* RFC 3720: the CRC-32C of "123456789" is e3069283. */
    const struct mst_sig_pair good = {"x-goog-hash", "crc32c=4waSgw=="};
    const struct mst_sig_pair bad = {"x-goog-hash", "crc32c=AAAAAA=="};
    const struct mst_sig_pair foreign = {"x-amz-checksum-crc32c", "4waSgw=="};

    (void)state;
    assert_int_equal(ask("PUT", "/vault/a", NULL, 0, "one", &once, false), 200);
    assert_int_equal(ask("PUT", "/vault/a", NULL, 0, "two", &once, false), 412);
    assert_int_equal(ask("PUT", "/vault/b", NULL, 0, "123456789", &good, false), 200);
    assert_int_equal(ask("PUT", "/vault/b", NULL, 0, "123456789", &bad, false), 400);
    assert_int_equal(ask("PUT", "/vault/b", NULL, 0, "123456789", &foreign, false), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_signed_is_let_in, start_goog, stop),
        cmocka_unit_test_setup_teardown(what_is_signed_is_let_in, start_aws, stop),
        cmocka_unit_test_setup_teardown(a_name_is_written_once_by_generation, start_goog, stop),
    };

    return cmocka_run_group_tests_name("signatures judged by others", tests, NULL, NULL);
}
