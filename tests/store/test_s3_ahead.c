/* Who reads a large object in order has ranges on their way ahead of it: what comes is the object,
 * or a sentence, whatever happens to one of them. */
#include "s3_kit.h"

#define MIB ((size_t)1024 * 1024)
#define N (24 * MIB + 12345)

/* From the first byte to the last; *at is how far it came. */
static enum mst_rc go(struct kit *k, const char *key, unsigned char *to, size_t step, size_t *at,
                      struct mst_err *err)
{
    size_t now;

    *at = 0;
    do {
        if (mst_store_read(k->store, key, *at, to + *at, step, &now, err) != MST_OK) {
            return err->rc;
        }
        *at += now;
    } while (now > 0);
    return MST_OK;
}

static void a_reader_in_order_gets_every_byte(void **state)
{
    static const size_t steps[] = {MIB, 65536 + 17, 3 * MIB};
    unsigned char *p = kit_bytes(N, 1), *b = mst_xmalloc(N + 4 * MIB);
    struct kit k;
    size_t at;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/o", p, N);
    s3d_latency(k.srv, 100);
    for (size_t i = 0; i < MST_COUNT(steps); i++) {
        s3d_count_reset(k.srv);
        memset(b, 0, N);
        assert_ok(go(&k, "o", b, steps[i], &at, &k.err), &k.err);
        assert_int_equal(at, N);
        assert_memory_equal(b, p, N);
        assert_true(s3d_count(k.srv, S3D_GET) <= 14); /* nothing is asked for twice */
    }
    assert_in_range(s3d_most_parallel(k.srv), 3, 4);
    kit_no_complaints(&k);
    kit_close(&k);
    free(p);
    free(b);
}

static void reads_here_and_there_stay_one_request(void **state)
{
    unsigned char *p = kit_bytes(N, 2), *b = mst_xmalloc(2 * MIB);
    struct kit k;
    size_t got;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/o", p, N);
    for (size_t i = 0; i < 20; i++) {
        const size_t from = (i * 7 % 20) * MIB + i, n = i % 5 ? 4096 : 2 * MIB;

        assert_ok(mst_store_read(k.store, "o", from, b, n, &got, &k.err), &k.err);
        assert_int_equal(got, n);
        assert_memory_equal(b, p + from, n);
    }
    assert_int_equal(s3d_count(k.srv, S3D_GET), 20);
    assert_int_equal(s3d_most_parallel(k.srv), 1);
    kit_close(&k);
    free(p);
    free(b);
}

static const struct {
    struct s3d_fault f;
    enum mst_rc want;
    const char *text;
} faults[] = {
    {{.what = S3D_RESET}, MST_OK, ""},
    {{.what = S3D_RESET_AFTER}, MST_OK, ""},
    {{.what = S3D_TRUNCATE, .at = 70000}, MST_OK, ""},
    {{.what = S3D_STALL, .ms = 1000}, MST_OK, ""},
    {{.what = S3D_DRIP, .at = 400000, .ms = 20}, MST_OK, ""},
    {{.what = S3D_STATUS, .status = 500, .code = "InternalError"}, MST_OK, ""},
    {{.what = S3D_STATUS, .status = 503, .code = "SlowDown"}, MST_OK, ""},
    {{.what = S3D_RANGE_200}, MST_OK, ""},
    {{.what = S3D_NO_ETAG}, MST_OK, ""},
    {{.what = S3D_WRONG_ETAG}, MST_E_INTEGRITY, "was replaced while it was read"},
    {{.what = S3D_CHANGED}, MST_E_INTEGRITY, "was replaced while it was read"},
    {{.what = S3D_NO_RANGE}, MST_E_SERVER, "ignores that only a range was asked for"},
    {{.what = S3D_WRONG_RANGE}, MST_E_SERVER, "another range came"},
    {{.what = S3D_HTML}, MST_E_SERVER, "a web page came"},
    {{.what = S3D_STATUS, .status = 403, .code = "AccessDenied"}, MST_E_AUTH, "s3:GetObject"},
    {{.what = S3D_STATUS, .status = 404, .code = "NoSuchKey"}, MST_E_NOTFOUND, "o is not in"},
    {{.what = S3D_REDIRECT, .status = 307, .to = "http://127.0.0.1:1/"},
     MST_E_SERVER,
     "credentials are not sent to another host"},
};

static void a_fault_in_one_of_them_is_mended_or_said(void **state)
{
    unsigned char *p = kit_bytes(N, 3), *b = mst_xmalloc(N + MIB);
    struct kit k;
    size_t at;

    (void)state;
    kit_open(&k, NULL);
    for (size_t i = 0; i < MST_COUNT(faults); i++) {
        struct s3d_fault f = faults[i].f;
        const unsigned struck = s3d_struck(k.srv);
        enum mst_rc rc;

        s3d_put(k.srv, KIT_PREFIX "/o", p, N);
        s3d_plan_none(k.srv);
        f.kind = S3D_GET;
        f.nth = 5; /* two in order, and then the third of those ahead */
        s3d_plan(k.srv, &f);
        memset(b, 0, N);
        rc = go(&k, "o", b, MIB, &at, &k.err);
        if (rc != faults[i].want || (rc != MST_OK && !strstr(k.err.msg, faults[i].text))) {
            fail_msg("fault %zu: %s: %s", i, mst_rc_name(rc), rc == MST_OK ? "" : k.err.msg);
        }
        if (s3d_struck(k.srv) == struck || (rc == MST_OK && at != N)) {
            fail_msg("fault %zu: struck %u, %zu bytes", i, s3d_struck(k.srv) - struck, at);
        }
        assert_memory_equal(b, p, at); /* what was handed out before is right too */
    }
    kit_close(&k);
    free(p);
    free(b);
}

static void an_object_replaced_meanwhile_is_noticed(void **state)
{
    unsigned char *p = kit_bytes(2 * N, 4), *b = mst_xmalloc(N + MIB);
    enum mst_rc rc = MST_OK;
    struct kit k;
    size_t at = 0, got = 1;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/o", p, N);
    while (rc == MST_OK && got > 0) {
        rc = mst_store_read(k.store, "o", at, b + at, MIB, &got, &k.err);
        at += got;
        if (at == 6 * MIB) {
            s3d_put(k.srv, KIT_PREFIX "/o", p + N, N);
        }
    }
    assert_rc(rc, MST_E_INTEGRITY, &k.err);
    assert_non_null(strstr(k.err.msg, "was replaced while it was read"));
    assert_true(at >= 6 * MIB && at < N);
    assert_memory_equal(b, p, at);
    kit_close(&k);
    free(p);
    free(b);
}

/* A reader whose ranges do not come for a long time. */
static void leave_waiting(struct kit *k, const unsigned char *p, unsigned char *b, size_t *at)
{
    struct mst_s3_conf conf;
    size_t got;

    kit_open(k, NULL);
    mst_store_free(k->store);
    conf = kit_conf(k);
    conf.stall_ms = 60000;
    kit_open_as(k, &conf);
    s3d_put(k->srv, KIT_PREFIX "/o", p, N);
    for (*at = 0; *at < 2 * MIB; *at += got) {
        assert_ok(mst_store_read(k->store, "o", *at, b, MIB, &got, &k->err), &k->err);
    }
    s3d_count_reset(k->srv);
    s3d_latency(k->srv, 5000);
    assert_ok(mst_store_read(k->store, "o", *at, b, MIB, &got, &k->err), &k->err);
    *at += got;
    for (unsigned i = 0; i < 500 && s3d_count(k->srv, S3D_GET) == 0; i++) {
        (void)mst_task_sleep_ms(NULL, 10);
    }
    assert_int_equal(s3d_count(k->srv, S3D_GET), 1);
}

static void what_is_on_its_way_ends_with_the_store(void **state)
{
    unsigned char *p = kit_bytes(N, 5), *b = mst_xmalloc(MIB);
    int64_t start;
    struct kit k;
    size_t at;

    (void)state;
    leave_waiting(&k, p, b, &at);
    start = mst_clock_mono_ms(NULL);
    mst_store_free(k.store);
    assert_true(mst_clock_mono_ms(NULL) - start < 3000);
    s3d_stop(k.srv);
    free(p);
    free(b);
}

static void a_reader_that_waits_can_be_cancelled(void **state)
{
    unsigned char *p = kit_bytes(N, 6), *b = mst_xmalloc(MIB);
    struct mst_task task;
    int64_t start;
    struct kit k;
    size_t at, got;

    (void)state;
    leave_waiting(&k, p, b, &at);
    assert_ok(mst_task_init(&task, &k.err), &k.err);
    mst_task_cancel(&task);
    mst_store_work_for(&task);
    start = mst_clock_mono_ms(NULL);
    assert_rc(mst_store_read(k.store, "o", at, b, MIB, &got, &k.err), MST_E_CANCELLED, &k.err);
    assert_int_equal(got, 0);
    mst_store_work_for(NULL);
    mst_task_release(&task);
    assert_true(mst_clock_mono_ms(NULL) - start < 3000);
    kit_close(&k);
    free(p);
    free(b);
}

/* --- more readers than ranges --- */

#define READERS 4

struct reader {
    struct kit *k;
    const unsigned char *p;
    char key[8];
    size_t at;
    bool same;
    struct mst_err err;
    struct mst_thread t;
};

static void read_one(void *arg)
{
    struct reader *r = arg;
    unsigned char *b = mst_xmalloc(N + MIB);

    r->same = go(r->k, r->key, b, MIB, &r->at, &r->err) == MST_OK && r->at == N &&
              memcmp(b, r->p, N) == 0;
    free(b);
}

static void many_readers_share_what_there_is(void **state)
{
    unsigned char *p = kit_bytes(N + READERS, 7);
    struct reader r[READERS] = {0};
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    s3d_latency(k.srv, 20);
    for (size_t i = 0; i < READERS; i++) {
        char full[64];

        r[i].k = &k;
        r[i].p = p + i;
        (void)snprintf(r[i].key, sizeof(r[i].key), "o%zu", i);
        (void)snprintf(full, sizeof(full), KIT_PREFIX "/%s", r[i].key);
        s3d_put(k.srv, full, r[i].p, N);
    }
    for (size_t i = 0; i < READERS; i++) {
        assert_ok(mst_thread_start(&r[i].t, "reader", read_one, &r[i], &k.err), &k.err);
    }
    for (size_t i = 0; i < READERS; i++) {
        mst_thread_join(&r[i].t);
        if (!r[i].same) {
            fail_msg("reader %zu: %zu bytes: %s", i, r[i].at, r[i].err.msg);
        }
    }
    assert_true(s3d_most_parallel(k.srv) <= 8 + READERS);
    kit_no_complaints(&k);
    kit_close(&k);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_in_order_gets_every_byte),
        cmocka_unit_test(reads_here_and_there_stay_one_request),
        cmocka_unit_test(a_fault_in_one_of_them_is_mended_or_said),
        cmocka_unit_test(an_object_replaced_meanwhile_is_noticed),
        cmocka_unit_test(what_is_on_its_way_ends_with_the_store),
        cmocka_unit_test(a_reader_that_waits_can_be_cancelled),
        cmocka_unit_test(many_readers_share_what_there_is),
    };

    mst_thread_block_signals();
    return cmocka_run_group_tests_name("s3_ahead", tests, NULL, NULL);
}
