/* Writing to S3: whole or not at all, once, whatever fails on the way. */
#include "s3_kit.h"

#define BIG (3 * KIT_PART + 12345)

static void a_small_object_goes_in_one_request(void **state)
{
    struct kit k;
    char v[100];

    (void)state;
    kit_open(&k, NULL);
    assert_ok(mst_store_put_all(k.store, "a/b +(1) \xc3\xa9", "hello", 5, &k.err), &k.err);
    assert_ok(mst_store_put_all(k.store, "a/empty", "", 0, &k.err), &k.err);
    assert_int_equal(s3d_count(k.srv, S3D_ANY), 2);
    assert_true(s3d_last_header(k.srv, S3D_PUT, "if-none-match", v, sizeof(v)));
    assert_string_equal(v, "*");
    assert_true(s3d_last_header(k.srv, S3D_PUT, "x-amz-checksum-sha256", v, sizeof(v)));
    assert_true(s3d_last_header(k.srv, S3D_PUT, "content-type", v, sizeof(v)));
    kit_holds(&k, "a/b +(1) \xc3\xa9", "hello", 5);
    kit_holds(&k, "a/empty", "", 0);
    kit_no_complaints(&k);
    kit_close(&k);
}

static void a_large_object_goes_in_parts_of_one_size(void **state)
{
    unsigned char *p = kit_bytes(BIG, 1);
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    assert_ok(kit_put(k.store, "big", p, BIG, &k.err), &k.err);
    assert_int_equal(s3d_count(k.srv, S3D_PART), 4);
    kit_holds(&k, "big", p, BIG);
    s3d_count_reset(k.srv);
    assert_ok(kit_put(k.store, "exactly", p, KIT_PART, &k.err), &k.err);
    assert_int_equal(s3d_count(k.srv, S3D_PART), 0); /* it fits into one request */
    assert_ok(kit_put(k.store, "twice", p, 2 * KIT_PART, &k.err), &k.err);
    assert_int_equal(s3d_count(k.srv, S3D_PART), 2);
    kit_holds(&k, "twice", p, 2 * KIT_PART);
    assert_int_equal(s3d_uploads(k.srv), 0);
    kit_no_complaints(&k);
    kit_close(&k);
    free(p);
}

static void a_name_that_exists_is_not_written_again(void **state)
{
    unsigned char *p = kit_bytes(2 * KIT_PART, 2);
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/small", "theirs", 6);
    s3d_put(k.srv, KIT_PREFIX "/large", "theirs", 6);
    assert_rc(kit_put(k.store, "small", p, 6, &k.err), MST_E_EXISTS, &k.err);
    assert_string_equal(k.err.msg, "small exists already in the store far");
    assert_rc(kit_put(k.store, "large", p, 2 * KIT_PART, &k.err), MST_E_EXISTS, &k.err);
    kit_holds(&k, "small", "theirs", 6);
    kit_holds(&k, "large", "theirs", 6);
    assert_int_equal(s3d_uploads(k.srv), 0);
    /* The first answer is lost, and it was about theirs: it must not be taken for ours. */
    kit_fault(&k, S3D_RESET_AFTER, S3D_PUT, 1);
    assert_rc(kit_put(k.store, "small", "oursss", 6, &k.err), MST_E_EXISTS, &k.err);
    kit_holds(&k, "small", "theirs", 6);
    kit_close(&k);
    free(p);
}

static const struct s3d_fault passing[] = {
    {.what = S3D_RESET, .kind = S3D_PUT},
    {.what = S3D_RESET_AFTER, .kind = S3D_PUT},
    {.what = S3D_STALL, .kind = S3D_PUT, .ms = 1000},
    {.what = S3D_STALL_AFTER, .kind = S3D_PUT, .ms = 1000},
    {.what = S3D_STATUS, .kind = S3D_PUT, .status = 500, .code = "InternalError"},
    {.what = S3D_STATUS_AFTER, .kind = S3D_PUT, .status = 500, .code = "InternalError"},
    {.what = S3D_STATUS, .kind = S3D_PUT, .status = 503, .code = "SlowDown"},
    {.what = S3D_STATUS, .kind = S3D_PUT, .status = 409, .code = "ConditionalRequestConflict"},
    {.what = S3D_NO_ETAG, .kind = S3D_PUT},
    {.what = S3D_EMPTY, .kind = S3D_PUT, .status = 502},
    {.what = S3D_RESET, .kind = S3D_CREATE},
    {.what = S3D_STATUS, .kind = S3D_CREATE, .status = 503, .code = "SlowDown"},
    {.what = S3D_RESET, .kind = S3D_PART, .nth = 1},
    {.what = S3D_RESET_AFTER, .kind = S3D_PART, .nth = 2},
    {.what = S3D_STALL, .kind = S3D_PART, .nth = 3, .ms = 1000},
    {.what = S3D_STATUS, .kind = S3D_PART, .nth = 4, .status = 500, .code = "InternalError"},
    {.what = S3D_STATUS, .kind = S3D_PART, .nth = 2, .status = 503, .code = "SlowDown"},
    {.what = S3D_STATUS, .kind = S3D_PART, .nth = 2, .status = 400, .code = "RequestTimeout"},
    {.what = S3D_NO_ETAG, .kind = S3D_PART, .nth = 1},
    {.what = S3D_RESET, .kind = S3D_COMPLETE},
    {.what = S3D_RESET_AFTER, .kind = S3D_COMPLETE},
    {.what = S3D_STALL_AFTER, .kind = S3D_COMPLETE, .ms = 1000},
    {.what = S3D_200_ERROR, .kind = S3D_COMPLETE, .code = "InternalError"},
    {.what = S3D_STATUS, .kind = S3D_COMPLETE, .status = 500, .code = "InternalError"},
    {.what = S3D_STATUS_AFTER, .kind = S3D_COMPLETE, .status = 500, .code = "InternalError"},
    {.what = S3D_EMPTY, .kind = S3D_COMPLETE},
    {.what = S3D_TRUNCATE, .kind = S3D_COMPLETE, .at = 60},
};

static void what_passes_is_repeated_at_every_step(void **state)
{
    unsigned char *p = kit_bytes(BIG, 3);
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    for (size_t i = 0; i < MST_COUNT(passing); i++) {
        const size_t n = passing[i].kind == S3D_PUT ? 1000 : BIG;
        const unsigned before = s3d_struck(k.srv);
        char key[32];

        (void)snprintf(key, sizeof(key), "step-%zu", i);
        s3d_plan_none(k.srv);
        s3d_plan(k.srv, &passing[i]);
        if (kit_put(k.store, key, p, n, &k.err) != MST_OK) {
            fail_msg("fault %zu: %s", i, k.err.msg);
        }
        assert_int_equal(s3d_struck(k.srv), before + 1);
        kit_holds(&k, key, p, n);
        assert_int_equal(s3d_uploads(k.srv), 0);
    }
    kit_no_complaints(&k);
    kit_close(&k);
    free(p);
}

static void what_does_not_pass_leaves_nothing(void **state)
{
    static const enum s3d_kind steps[] = {S3D_CREATE, S3D_PART, S3D_COMPLETE};
    unsigned char *p = kit_bytes(BIG, 4);
    struct kit k;
    struct mst_s3_conf conf;

    (void)state;
    kit_open(&k, NULL);
    mst_store_free(k.store);
    conf = kit_conf(&k);
    conf.wait_ms = 1000;
    kit_open_as(&k, &conf);
    for (size_t i = 0; i < MST_COUNT(steps); i++) {
        s3d_plan_none(k.srv);
        kit_status(&k, steps[i], 500, "InternalError", UINT32_MAX);
        assert_rc(kit_put(k.store, "big", p, BIG, &k.err), MST_E_SERVER, &k.err);
        assert_non_null(strstr(k.err.msg, "big in the store far"));
        assert_non_null(strstr(k.err.msg, "the last: it answered HTTP 500 InternalError"));
        assert_false(s3d_has(k.srv, KIT_PREFIX "/big"));
        assert_int_equal(s3d_uploads(k.srv), 0);
    }
    s3d_plan_none(k.srv);
    kit_status(&k, S3D_PUT, 500, "InternalError", UINT32_MAX);
    assert_rc(kit_put(k.store, "small", p, 9, &k.err), MST_E_SERVER, &k.err);
    s3d_plan_none(k.srv);
    s3d_deny(k.srv, S3D_PART, true);
    assert_rc(kit_put(k.store, "big", p, BIG, &k.err), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "its policy has to allow s3:PutObject (AccessDenied)"));
    assert_int_equal(s3d_uploads(k.srv), 0);
    assert_int_equal(s3d_objects(k.srv), 0);
    kit_close(&k);
    free(p);
}

static void a_put_that_is_given_up_leaves_nothing(void **state)
{
    unsigned char *p = kit_bytes(BIG, 5);
    struct mst_store_put *put;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    assert_ok(mst_store_put_begin(k.store, "a", &put, &k.err), &k.err);
    assert_ok(mst_store_put_add(put, p, 100, &k.err), &k.err);
    mst_store_put_abort_take(put);
    assert_ok(mst_store_put_begin(k.store, "b", &put, &k.err), &k.err);
    assert_ok(mst_store_put_add(put, p, BIG, &k.err), &k.err);
    mst_store_put_abort_take(put);
    assert_int_equal(s3d_objects(k.srv), 0);
    assert_int_equal(s3d_uploads(k.srv), 0);
    kit_close(&k);
    free(p);
}

static void a_cancelled_task_ends_a_put(void **state)
{
    unsigned char *p = kit_bytes(BIG, 6);
    struct mst_task task;
    struct mst_store_put *put;
    struct kit k;
    int64_t start;

    (void)state;
    kit_open(&k, NULL);
    assert_ok(mst_task_init(&task, &k.err), &k.err);
    mst_store_work_for(&task);
    assert_ok(mst_store_put_begin(k.store, "big", &put, &k.err), &k.err);
    assert_ok(mst_store_put_add(put, p, BIG, &k.err), &k.err);
    mst_task_cancel(&task);
    start = mst_clock_mono_ms(NULL);
    assert_rc(mst_store_put_finish_take(put, &k.err), MST_E_CANCELLED, &k.err);
    assert_true(mst_clock_mono_ms(NULL) - start < 2000);
    assert_rc(mst_store_put_all(k.store, "small", "x", 1, &k.err), MST_E_CANCELLED, &k.err);
    mst_store_work_for(NULL);
    assert_int_equal(s3d_objects(k.srv), 0);
    assert_int_equal(s3d_uploads(k.srv), 0);
    kit_close(&k);
    mst_task_release(&task);
    free(p);
}

static void a_store_without_conditions_needs_a_promise(void **state)
{
    const struct s3d_opts ways[] = {{.ignores_create_only = true}, {.refuses_create_only = true}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct kit k;
        struct mst_s3_conf conf;

        kit_open(&k, &ways[i]);
        assert_false(mst_store_caps(k.store)->create_only);
        assert_rc(mst_store_put_all(k.store, "a", "x", 1, &k.err), MST_E_CONFIG, &k.err);
        assert_non_null(strstr(k.err.msg, "it is used only with single_writer = true"));
        assert_int_equal(s3d_objects(k.srv), 0); /* of the probe neither */
        mst_store_free(k.store);
        conf = kit_conf(&k);
        conf.single_writer = true;
        kit_open_as(&k, &conf);
        assert_ok(mst_store_put_all(k.store, "a", "x", 1, &k.err), &k.err);
        assert_rc(mst_store_put_all(k.store, "a", "y", 1, &k.err), MST_E_EXISTS, &k.err);
        kit_holds(&k, "a", "x", 1);
        kit_close(&k);
    }
}

static void what_a_store_can_do_is_asked(void **state)
{
    const struct s3d_opts lax = {.ignores_checksums = true}, strict = {.lock = true};
    struct kit k;

    (void)state;
    kit_open(&k, &lax);
    assert_true(mst_store_caps(k.store)->create_only);
    assert_false(mst_store_caps(k.store)->checksums);
    assert_non_null(strstr(mst_store_caps(k.store)->text, "accepts a false checksum"));
    kit_close(&k);
    kit_open(&k, &strict);
    assert_true(mst_store_caps(k.store)->checksums);
    assert_true(mst_store_caps(k.store)->versions);
    assert_true(mst_store_caps(k.store)->lock);
    assert_ok(mst_store_put_all(k.store, "a", "x", 1, &k.err), &k.err);
    kit_no_complaints(&k);
    kit_close(&k);
    kit_start(&k, NULL);
    {
        const struct mst_s3_conf conf = kit_conf(&k);

        kit_open_as(&k, &conf);
        s3d_deny(k.srv, S3D_BUCKET, true);
        assert_ok(mst_store_probe(k.store, NULL, &k.err), &k.err);
        assert_false(mst_store_caps(k.store)->lock);
        assert_non_null(strstr(mst_store_caps(k.store)->text, "not known whether it has"));
    }
    kit_close(&k);
    /* A writer that may not delete leaves the probe's object, and the next probe takes it as it is.
     */
    kit_start(&k, NULL);
    s3d_deny(k.srv, S3D_DELETE, true);
    for (int i = 0; i < 2; i++) {
        const struct mst_s3_conf conf = kit_conf(&k);

        kit_open_as(&k, &conf);
        assert_ok(mst_store_put_all(k.store, i ? "b" : "a", "x", 1, &k.err), &k.err);
        assert_int_equal(s3d_objects(k.srv), 2 + i);
        if (i == 0) {
            mst_store_free(k.store);
        }
    }
    kit_close(&k);
}

#define WRITERS 4
struct writer {
    struct mst_store *store;
    const unsigned char *p;
    char key[16];
    struct mst_err err;
    struct mst_thread thread;
};

static void write_one(void *arg)
{
    struct writer *w = arg;

    if (kit_put(w->store, w->key, w->p, BIG, &w->err) == MST_OK) {
        (void)!mst_store_put_all(w->store, "same", w->key, 8, &w->err);
    }
}

static void several_write_at_once(void **state)
{
    unsigned char *p = kit_bytes(BIG, 7);
    struct writer w[WRITERS] = {0};
    unsigned won = 0;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    kit_status(&k, S3D_PART, 503, "SlowDown", 6);
    for (unsigned i = 0; i < WRITERS; i++) {
        w[i].store = k.store;
        w[i].p = p;
        (void)snprintf(w[i].key, sizeof(w[i].key), "writer-%u", i);
        assert_ok(mst_thread_start(&w[i].thread, "writer", write_one, &w[i], &k.err), &k.err);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        mst_thread_join(&w[i].thread);
        kit_holds(&k, w[i].key, p, BIG);
        won += w[i].err.rc == MST_OK;
        assert_true(w[i].err.rc == MST_OK || w[i].err.rc == MST_E_EXISTS);
    }
    assert_int_equal(won, 1); /* of four who wrote the same name */
    assert_int_equal(s3d_uploads(k.srv), 0);
    kit_no_complaints(&k);
    kit_close(&k);
    free(p);
}

static void a_store_for_reading_refuses_to_write(void **state)
{
    struct kit k;
    struct mst_s3_conf conf;

    (void)state;
    kit_start(&k, NULL);
    conf = kit_conf(&k);
    conf.write = false;
    kit_open_as(&k, &conf);
    assert_rc(mst_store_put_all(k.store, "a", "x", 1, &k.err), MST_E_PRECOND, &k.err);
    assert_rc(mst_store_delete(k.store, "a", &k.err), MST_E_PRECOND, &k.err);
    assert_int_equal(s3d_count(k.srv, S3D_ANY), 0);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_object_goes_in_one_request),
        cmocka_unit_test(a_large_object_goes_in_parts_of_one_size),
        cmocka_unit_test(a_name_that_exists_is_not_written_again),
        cmocka_unit_test(what_passes_is_repeated_at_every_step),
        cmocka_unit_test(what_does_not_pass_leaves_nothing),
        cmocka_unit_test(a_put_that_is_given_up_leaves_nothing),
        cmocka_unit_test(a_cancelled_task_ends_a_put),
        cmocka_unit_test(a_store_without_conditions_needs_a_promise),
        cmocka_unit_test(what_a_store_can_do_is_asked),
        cmocka_unit_test(several_write_at_once),
        cmocka_unit_test(a_store_for_reading_refuses_to_write),
    };

    mst_thread_block_signals();
    return cmocka_run_group_tests_name("s3_put", tests, NULL, NULL);
}
