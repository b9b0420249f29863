/* The S3 driver on versitygw through toxiproxy: slow, cut, reset and gone, while parts are on their
 * way and while they are read. */
#include "peer_kit.h"

#include <pthread.h>

#define LARGE (4 * (size_t)MST_S3_PART_MIN + 999)

static struct realstore r;
static struct mst_store *s;
static uint8_t *bytes;

static int start(void **state)
{
    (void)state;
    realstore_start(&r, REAL_VERSITYGW, &(struct realstore_opts){.proxy = true});
    bytes = kit_bytes(LARGE, 3);
    s = kit_open_real(&r, (struct mst_s3_conf){.profile = "versitygw", .wait_ms = 20000});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    mst_store_free(s);
    realstore_stop(&r);
    free(bytes);
    return 0;
}

static void *heal_later(void *arg)
{
    (void)arg;
    mst_clock_sleep_ms(700);
    realstore_heal(&r);
    return NULL;
}

/* Something is wrong on the way for 0.7 s, from the middle of a transfer on. */
static pthread_t trouble(const char *type, bool up, const char *attributes)
{
    pthread_t t;

    realstore_toxic(&r, type, up, attributes);
    assert_int_equal(pthread_create(&t, NULL, heal_later, NULL), 0);
    return t;
}

static const struct {
    const char *type;
    bool up;
    const char *attributes;
} troubles[] = {
    {"limit_data", true, "\"bytes\":1000000"},
    {"limit_data", false, "\"bytes\":100"},
    {"reset_peer", true, "\"timeout\":20"},
    {"reset_peer", false, "\"timeout\":20"},
    {"bandwidth", true, "\"rate\":2000"},
    {"bandwidth", false, "\"rate\":2000"},
    {"latency", false, "\"latency\":200"},
    {"slow_close", false, "\"delay\":300"},
    {"slicer", true, "\"average_size\":500,\"size_variation\":100,\"delay\":50"},
};

static void an_upload_outlives_what_happens_on_the_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < MST_COUNT(troubles); i++) {
        struct mst_store_put *put = NULL;
        struct mst_err err = {0};
        char key[64];
        pthread_t t;

        (void)snprintf(key, sizeof(key), "up/%zu-%s", i, troubles[i].type);
        assert_ok(mst_store_put_begin(s, key, &put, &err), &err);
        assert_ok(mst_store_put_add(put, bytes, MST_S3_PART_MIN + 1, &err), &err);
        t = trouble(troubles[i].type, troubles[i].up, troubles[i].attributes);
        assert_ok(
            mst_store_put_add(put, bytes + MST_S3_PART_MIN + 1, LARGE - MST_S3_PART_MIN - 1, &err),
            &err);
        assert_ok(mst_store_put_finish_take(put, &err), &err);
        (void)pthread_join(t, NULL);
        if (!kit_same(s, key, bytes, LARGE, &err)) {
            fail_msg("%s: another object is there: %s", key, err.msg);
        }
        assert_int_equal(kit_uploads(s), 0);
    }
}

static void a_download_outlives_what_happens_on_the_way(void **state)
{
    struct mst_err err = {0};

    (void)state;
    assert_ok(kit_put(s, "down", bytes, LARGE, &err), &err);
    for (size_t i = 0; i < MST_COUNT(troubles); i++) {
        const pthread_t t = trouble(troubles[i].type, troubles[i].up, troubles[i].attributes);
        const bool same = kit_same(s, "down", bytes, LARGE, &err);

        (void)pthread_join(t, NULL);
        if (!same) {
            fail_msg("%s: other bytes came: %s", troubles[i].type, err.msg);
        }
    }
}

/* It is gone for good in the middle: an error, no object, and what is left can be given up. */
static bool give_up(void *arg, const struct mst_store_upload *u)
{
    *(struct mst_store_upload *)arg = *u;
    return false;
}

static void a_store_that_disappears_leaves_no_object(void **state)
{
    struct mst_store_put *put = NULL;
    struct mst_store_upload left = {0};
    struct mst_err err = {0};
    uint64_t n;

    (void)state;
    mst_store_free(s);
    s = kit_open_real(&r, (struct mst_s3_conf){.profile = "versitygw", .wait_ms = 300});
    assert_ok(mst_store_put_begin(s, "gone", &put, &err), &err);
    assert_ok(mst_store_put_add(put, bytes, MST_S3_PART_MIN + 1, &err), &err);
    realstore_cut(&r, true);
    if (mst_store_put_add(put, bytes + MST_S3_PART_MIN + 1, LARGE - MST_S3_PART_MIN - 1, &err) ==
        MST_OK) {
        assert_rc(mst_store_put_finish_take(put, &err), MST_E_NET, &err);
    } else {
        mst_store_put_abort_take(put);
    }
    assert_int_equal(err.rc, MST_E_NET);
    assert_non_null(strstr(err.msg, "offsite"));
    realstore_cut(&r, false);
    assert_rc(mst_store_stat(s, "gone", &n, &err), MST_E_NOTFOUND, &err);
    assert_true(kit_uploads(s) <= 1);
    if (kit_uploads(s) == 1) {
        assert_ok(mst_store_uploads(s, "", give_up, &left, NULL, &err), &err);
        assert_string_equal(left.key, "gone");
        assert_ok(mst_store_abort_upload(s, &left, &err), &err);
    }
    assert_int_equal(kit_uploads(s), 0);
    memset(&err, 0, sizeof(err));
    assert_ok(kit_put(s, "gone", bytes, LARGE, &err), &err); /* and the name is free */
}

/* The server dies as by kill -9 and comes back. */
static void a_killed_server_that_comes_back_has_it_all(void **state)
{
    struct mst_store_put *put = NULL;
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_store_put_begin(s, "killed", &put, &err), &err);
    assert_ok(mst_store_put_add(put, bytes, 2 * MST_S3_PART_MIN + 1, &err), &err);
    realstore_kill(&r);
    mst_clock_sleep_ms(100); /* what was on its way fails */
    realstore_again(&r);
    assert_ok(mst_store_put_add(put, bytes + 2 * MST_S3_PART_MIN + 1,
                                LARGE - 2 * MST_S3_PART_MIN - 1, &err),
              &err);
    assert_ok(mst_store_put_finish_take(put, &err), &err);
    assert_true(kit_same(s, "killed", bytes, LARGE, &err));
    assert_int_equal(kit_uploads(s), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(an_upload_outlives_what_happens_on_the_way),
        T(a_download_outlives_what_happens_on_the_way),
        T(a_store_that_disappears_leaves_no_object),
        T(a_killed_server_that_comes_back_has_it_all),
    };

    realstore_need(REAL_VERSITYGW);
    realstore_need_proxy();
    return cmocka_run_group_tests_name("s3 through toxiproxy", tests, NULL, NULL);
}
