/* What a call that failed means: its sentence, and whether it is made once more. */
#include "test.h"

#include <string.h>

#include "base/mem.h"
#include "http/pool.h"
#include "http/retry.h"

/* One sentence for each way of not getting there, and what may be tried again. */
static void whoever_was_not_reached_is_named_with_how_far_it_came(void **state)
{
#define FOUND .found = true
#define THERE .found = true, .connected = true
#define TLS .tls = true
    static const char proxy[] = "http://proxy:3128";
    static const struct {
        struct mst_http_why w;
        enum mst_rc rc;
        const char *want;
    } all[] = {
        {{.code = CURLE_COULDNT_RESOLVE_HOST, TLS}, MST_E_NET, "cannot find the address of h:1"},
        {{.code = CURLE_COULDNT_RESOLVE_PROXY, TLS, .proxy = proxy},
         MST_E_NET,
         "cannot find the address of the proxy http://proxy:3128"},
        {{.code = CURLE_COULDNT_CONNECT, TLS}, MST_E_NET, "cannot connect to h:1"},
        {{.code = CURLE_COULDNT_CONNECT, TLS, .proxy = proxy},
         MST_E_NET,
         "cannot connect to h:1 through the proxy http://proxy:3128"},
        {{.code = CURLE_OPERATION_TIMEDOUT, TLS},
         MST_E_TIMEOUT,
         "the resolver of this host did not say within 5.0 s what the address of h:1 is"},
        {{.code = CURLE_OPERATION_TIMEDOUT, TLS, FOUND},
         MST_E_TIMEOUT,
         "no connection to h:1 within 5.0 s"},
        {{.code = CURLE_OPERATION_TIMEDOUT, TLS, THERE},
         MST_E_TIMEOUT,
         "h:1 takes the connection and answers no TLS within 5.0 s: is it plain http, or another "
         "service"},
        {{.code = CURLE_OPERATION_TIMEDOUT, THERE},
         MST_E_TIMEOUT,
         "no connection to h:1 within 5.0 s"},
        {{.code = CURLE_OPERATION_TIMEDOUT, TLS, THERE, .proxy = proxy},
         MST_E_TIMEOUT,
         "no connection to h:1 through the proxy http://proxy:3128 within 5.0 s"},
        {{.code = CURLE_OPERATION_TIMEDOUT, TLS, THERE, .proxy = proxy, .proxy_status = 200},
         MST_E_TIMEOUT,
         "h:1 takes the connection and answers no TLS within 5.0 s: is it plain http, or another "
         "service"},
        {{.code = CURLE_RECV_ERROR, TLS, THERE, .proxy = proxy, .proxy_status = 403},
         MST_E_SERVER,
         "the proxy http://proxy:3128 makes no way to h:1 (HTTP 403): its rules have to allow "
         "that"},
        {{.code = CURLE_RECV_ERROR, TLS, THERE, .proxy = proxy, .proxy_status = 407},
         MST_E_AUTH,
         "the proxy http://proxy:3128 wants a login (HTTP 407): set proxy_login_file"},
        {{.code = CURLE_RECV_ERROR,
          TLS,
          THERE,
          .proxy = proxy,
          .proxy_login = true,
          .proxy_status = 407},
         MST_E_AUTH,
         "the proxy http://proxy:3128 does not take the login that it was given (HTTP 407): mend "
         "proxy_login_file"},
        {{.code = CURLE_RECV_ERROR, TLS, THERE, .proxy = proxy, .proxy_status = 502},
         MST_E_NET,
         "the proxy http://proxy:3128 makes no way to h:1 (HTTP 502): its rules have to allow "
         "that"},
        {{.code = CURLE_SSL_CONNECT_ERROR,
          TLS,
          THERE,
          .text = "error:0A00010B: wrong version number"},
         MST_E_TLS,
         "h:1 does not answer with TLS: is it plain http, or another service"},
        {{.code = CURLE_SSL_CONNECT_ERROR, TLS, THERE, .text = "Connection reset by peer"},
         MST_E_NET,
         "h:1 cut the connection while it was made"},
        {{.code = CURLE_PEER_FAILED_VERIFICATION, TLS, THERE, .text = "has expired"},
         MST_E_TLS,
         "the certificate or TLS of h:1 is not accepted: has expired"},
        {{.code = CURLE_UNSUPPORTED_PROTOCOL, THERE},
         MST_E_SERVER,
         "h:1 does not speak HTTP/1.1: is it https, or another service"},
        {{.code = CURLE_SSL_CACERT_BADFILE,
          TLS,
          THERE,
          .text = "error setting certificate file: x"},
         MST_E_CONFIG,
         "ca_file cannot be used, it must hold certificates in PEM: error setting certificate "
         "file: x"},
        {{.code = CURLE_RECV_ERROR, THERE, .wants_tls = true},
         MST_E_CONFIG,
         "h:1 wants TLS: its address begins with https://, without plain_http"},
        {{.code = CURLE_URL_MALFORMAT}, MST_E_CONFIG, "h:1 is not the address of a server"},
        {{.code = CURLE_GOT_NOTHING, TLS, THERE},
         MST_E_NET,
         "the connection to h:1 was cut (Server returned nothing (no headers, no data))"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(all); i++) {
        struct mst_http_why w = all[i].w;
        struct mst_err err = {0};

        w.host = "h:1";
        w.text = w.text ? w.text : "";
        w.connect_ms = 5000;
        assert_rc(mst_http_why(&w, &err), all[i].rc, &err);
        assert_string_equal(err.msg, all[i].want);
    }
}

/* --- what is done after a refusal --- */

static const struct {
    enum mst_rc rc;
    int status;
    const char *code;
    enum mst_retry_what want;
} table[] = {
    {MST_E_NET, 0, "", MST_RETRY_AGAIN},
    {MST_E_TIMEOUT, 0, "", MST_RETRY_AGAIN},
    {MST_E_TLS, 0, "", MST_RETRY_NO},
    {MST_E_LIMIT, 0, "", MST_RETRY_NO},
    {MST_E_CANCELLED, 0, "", MST_RETRY_NO},
    {MST_OK, 500, "InternalError", MST_RETRY_AGAIN},
    {MST_OK, 500, "", MST_RETRY_AGAIN},
    {MST_OK, 501, "NotImplemented", MST_RETRY_NO},
    {MST_OK, 502, "", MST_RETRY_AGAIN},
    {MST_OK, 503, "", MST_RETRY_AGAIN},
    {MST_OK, 503, "SlowDown", MST_RETRY_SLOWER},
    {MST_OK, 504, "", MST_RETRY_AGAIN},
    {MST_OK, 408, "", MST_RETRY_AGAIN},
    {MST_OK, 429, "", MST_RETRY_SLOWER},
    {MST_OK, 200, "InternalError", MST_RETRY_AGAIN}, /* in the body of a Complete */
    {MST_OK, 400, "RequestTimeout", MST_RETRY_AGAIN},
    {MST_OK, 400, "BadDigest", MST_RETRY_AGAIN}, /* once: see below */
    {MST_OK, 400, "InvalidArgument", MST_RETRY_NO},
    {MST_OK, 400, "ExpiredToken", MST_RETRY_LOGIN},
    {MST_OK, 400, "InvalidToken", MST_RETRY_LOGIN},
    {MST_OK, 401, "", MST_RETRY_LOGIN},
    {MST_OK, 403, "AccessDenied", MST_RETRY_NO},
    {MST_OK, 403, "SignatureDoesNotMatch", MST_RETRY_NO},
    {MST_OK, 403, "RequestTimeTooSkewed", MST_RETRY_CLOCK},
    {MST_OK, 404, "NoSuchKey", MST_RETRY_NO},
    {MST_OK, 409, "ConditionalRequestConflict", MST_RETRY_AGAIN},
    {MST_OK, 409, "BucketAlreadyExists", MST_RETRY_NO},
    {MST_OK, 412, "PreconditionFailed", MST_RETRY_NO},
    {MST_OK, 400, "AuthorizationHeaderMalformed", MST_RETRY_REGION},
    {MST_OK, 301, "PermanentRedirect", MST_RETRY_REGION},
    {MST_OK, 301, "", MST_RETRY_REGION},
    {MST_OK, 400, "", MST_RETRY_REGION}, /* of a HEAD */
};

static void every_refusal_has_its_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < MST_COUNT(table); i++) {
        struct mst_retry_facts f = {.rc = table[i].rc,
                                    .status = table[i].status,
                                    .code = table[i].code,
                                    .retry_after_s = -1,
                                    .tries = 1,
                                    .tries_max = 5,
                                    .budget_ms = 60000,
                                    .region_known = true,
                                    .random = 1};
        int64_t wait;

        if (mst_retry_decide(&f, &wait) != table[i].want) {
            fail_msg("%s %d %s: %d, wanted %d", mst_rc_name(f.rc), f.status, f.code,
                     (int)mst_retry_decide(&f, &wait), (int)table[i].want);
        }
        f.clock_done = f.login_done = f.region_done = true; /* repaired, and still so */
        f.tries = 2;
        if (table[i].want >= MST_RETRY_CLOCK || strcmp(f.code, "BadDigest") == 0) {
            assert_int_equal(mst_retry_decide(&f, &wait), MST_RETRY_NO);
        }
        f.tries = 5;
        assert_int_equal(mst_retry_decide(&f, &wait), MST_RETRY_NO);
    }
}

/* A wrong address, or the port of another service: not eight tries of five seconds. */
static void where_nobody_ever_answered_ten_seconds_are_enough(void **state)
{
    static const struct {
        enum mst_rc rc;
        unsigned tries;
        int64_t spent_ms;
        bool heard;
        enum mst_retry_what want;
    } all[] = {{MST_E_TIMEOUT, 1, 30000, false, MST_RETRY_AGAIN}, /* once more in any case */
               {MST_E_TIMEOUT, 2, 9999, false, MST_RETRY_AGAIN},
               {MST_E_TIMEOUT, 2, 10000, false, MST_RETRY_NO},
               {MST_E_NET, 7, 9999, false, MST_RETRY_AGAIN},
               {MST_E_NET, 7, 10000, false, MST_RETRY_NO},
               {MST_E_NET, 7, 60000, true, MST_RETRY_AGAIN}};
    struct mst_retry_facts late = {.rc = MST_E_NET,
                                   .code = "",
                                   .retry_after_s = -1,
                                   .tries = 7,
                                   .tries_max = 8,
                                   .budget_ms = 60000,
                                   .spent_ms = 7000,
                                   .random = 9000};
    int64_t wait;

    (void)state;
    for (size_t i = 0; i < MST_COUNT(all); i++) {
        const struct mst_retry_facts f = {.rc = all[i].rc,
                                          .code = "",
                                          .retry_after_s = -1,
                                          .tries = all[i].tries,
                                          .tries_max = 8,
                                          .budget_ms = 60000,
                                          .heard = all[i].heard,
                                          .spent_ms = all[i].spent_ms,
                                          .random = 1};

        if (mst_retry_decide(&f, &wait) != all[i].want) {
            fail_msg("row %zu: %d", i, (int)mst_retry_decide(&f, &wait));
        }
    }
    late.heard = true;
    assert_int_equal(mst_retry_decide(&late, &wait), MST_RETRY_AGAIN);
    assert_int_equal(wait, 9000);
    late.heard = false; /* the last try is not slept past */
    assert_int_equal(mst_retry_decide(&late, &wait), MST_RETRY_AGAIN);
    assert_int_equal(wait, 3000);
}

static void a_wait_grows_is_random_and_has_a_ceiling(void **state)
{
    struct mst_retry_facts f = {.rc = MST_E_NET,
                                .code = "",
                                .retry_after_s = -1,
                                .tries = 1,
                                .tries_max = 20,
                                .budget_ms = 60000,
                                .heard = true,
                                .random = 250};
    int64_t wait;

    (void)state;
    assert_int_equal(mst_retry_decide(&f, &wait), MST_RETRY_AGAIN);
    assert_int_equal(wait, 250);
    f.random = 0;
    assert_int_equal(mst_retry_decide(&f, &wait), MST_RETRY_AGAIN);
    assert_int_equal(wait, 0); /* full jitter */
    f.tries = 4;
    f.random = 2000;
    assert_int_equal(mst_retry_decide(&f, &wait), MST_RETRY_AGAIN);
    assert_int_equal(wait, 2000);
    f.tries = 15;
    f.random = 20000;
    assert_int_equal(mst_retry_decide(&f, &wait), MST_RETRY_AGAIN);
    assert_int_equal(wait, 20000);
    f.random = 20001;
    assert_int_equal(mst_retry_decide(&f, &wait), MST_RETRY_AGAIN);
    assert_int_equal(wait, 0);
    f.retry_after_s = 30;
    assert_int_equal(mst_retry_decide(&f, &wait), MST_RETRY_AGAIN);
    assert_int_equal(wait, 30000);
    f.retry_after_s = 61; /* longer than we may wait */
    assert_int_equal(mst_retry_decide(&f, &wait), MST_RETRY_NO);
    f.retry_after_s = -1;
    f.random = 20000;
    f.budget_ms = 19999;
    assert_int_equal(mst_retry_decide(&f, &wait), MST_RETRY_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_was_not_reached_is_named_with_how_far_it_came),
        cmocka_unit_test(every_refusal_has_its_answer),
        cmocka_unit_test(where_nobody_ever_answered_ten_seconds_are_enough),
        cmocka_unit_test(a_wait_grows_is_random_and_has_a_ceiling),
    };

    return cmocka_run_group_tests_name("http why", tests, NULL, NULL);
}
