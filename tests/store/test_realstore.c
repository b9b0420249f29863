/* The real servers by themselves: each starts, has its bucket, takes an object, and is gone
 * afterwards; the proxy before one of them does what it is told. */
#include "test.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "realstore.h"
#include "s3_ask.h"

static struct realstore r;

static int stop(void **state)
{
    (void)state;
    realstore_stop(&r);
    return 0;
}

static int ask(const char *method, const char *target, const char *body, bool proxy,
               struct s3_asked *a)
{
    const struct s3_ask q = {.method = method,
                             .target = target,
                             .port = proxy ? r.proxy_port : r.port,
                             .access = REAL_ACCESS,
                             .secret = REAL_SECRET,
                             .region = REAL_REGION,
                             .body = body,
                             .n = body ? strlen(body) : 0};

    s3_ask(&q, a);
    return a->status;
}

static void put_and_get(bool proxy)
{
    struct s3_asked a;

    assert_int_equal(ask("PUT", "/" REAL_BUCKET "/a%20b", "hello", proxy, &a), 200);
    s3_asked_release(&a);
    assert_int_equal(ask("GET", "/" REAL_BUCKET "/a%20b", NULL, proxy, &a), 200);
    assert_string_equal(mst_str_c(&a.body), "hello");
    s3_asked_release(&a);
}

static void versitygw_starts_and_survives_a_kill(void **state)
{
    struct s3_asked a;

    (void)state;
    realstore_start(&r, REAL_VERSITYGW, NULL);
    put_and_get(false);
    realstore_kill(&r);
    assert_int_equal(ask("GET", "/" REAL_BUCKET "/a%20b", NULL, false, &a), 0);
    s3_asked_release(&a);
    realstore_again(&r);
    assert_int_equal(ask("GET", "/" REAL_BUCKET "/a%20b", NULL, false, &a), 200);
    s3_asked_release(&a);
}

static void versitygw_keeps_versions_and_locks(void **state)
{
    struct s3_asked a;

    (void)state;
    realstore_start(&r, REAL_VERSITYGW, &(struct realstore_opts){.lock = true});
    assert_int_equal(ask("GET", "/" REAL_BUCKET "?object-lock=", NULL, false, &a), 200);
    assert_non_null(strstr(a.body.p, "Enabled"));
    s3_asked_release(&a);
    assert_int_equal(ask("GET", "/" REAL_BUCKET "?versioning=", NULL, false, &a), 200);
    assert_non_null(strstr(a.body.p, "Enabled"));
    s3_asked_release(&a);
}

static void rclone_starts_and_is_a_client(void **state)
{
    struct mst_str out = {0};

    (void)state;
    realstore_start(&r, REAL_RCLONE, NULL);
    put_and_get(false);
    assert_int_equal(
        realstore_rclone(&r, (const char *const[]){"ls", "real:" REAL_BUCKET, NULL}, &out), 0);
    assert_string_equal(mst_str_c(&out), "        5 a b\n");
    mst_str_release(&out);
}

static void fake_gcs_starts(void **state)
{
    struct s3_asked a;

    (void)state;
    realstore_start(&r, REAL_GCS, NULL);
    assert_int_equal(ask("GET", "/storage/v1/b", NULL, false, &a), 200);
    assert_non_null(strstr(a.body.p, "\"" REAL_BUCKET "\""));
    s3_asked_release(&a);
}

static void moto_starts(void **state)
{
    (void)state;
    realstore_start(&r, REAL_MOTO, NULL);
    put_and_get(false);
}

static void the_proxy_delays_cuts_and_heals(void **state)
{
    struct s3_asked a;
    int64_t began;

    (void)state;
    realstore_start(&r, REAL_VERSITYGW, &(struct realstore_opts){.proxy = true});
    put_and_get(true);
    realstore_toxic(&r, "latency", false, "\"latency\":200");
    began = mst_clock_mono_ms(NULL);
    put_and_get(true);
    assert_true(mst_clock_mono_ms(NULL) - began >= 400);
    realstore_toxic(&r, "limit_data", false, "\"bytes\":10");
    assert_int_equal(ask("GET", "/" REAL_BUCKET "/a%20b", NULL, true, &a), 0);
    s3_asked_release(&a);
    realstore_heal(&r);
    put_and_get(true);
    realstore_cut(&r, true);
    assert_int_equal(ask("GET", "/" REAL_BUCKET "/a%20b", NULL, true, &a), 0);
    s3_asked_release(&a);
    realstore_cut(&r, false);
    put_and_get(true);
}

static void nothing_is_left_behind(void **state)
{
    pid_t pid;
    char dir[64];

    (void)state;
    realstore_start(&r, REAL_VERSITYGW, NULL);
    pid = r.pid;
    (void)mst_copy(dir, sizeof(dir), r.dir);
    realstore_stop(&r);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(access(dir, F_OK), -1);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, stop)
    const struct CMUnitTest tests[] = {
        T(versitygw_starts_and_survives_a_kill),
        T(versitygw_keeps_versions_and_locks),
        T(rclone_starts_and_is_a_client),
        T(fake_gcs_starts),
        T(moto_starts),
        T(the_proxy_delays_cuts_and_heals),
        T(nothing_is_left_behind),
    };

    for (int kind = REAL_VERSITYGW; kind <= REAL_MOTO; kind++) {
        realstore_need((enum realstore_kind)kind);
    }
    realstore_need_proxy();
    return cmocka_run_group_tests_name("realstore", tests, NULL, NULL);
}
