/* What a job may ask of a store: repeats of failed calls, shared by all of its calls, and bytes a
 * second, shared by all calls of the store. */
#include "s3_kit.h"

#include <limits.h>

#define RATE (UINT64_C(8) << 20)

static void spend(struct mst_task *t, int leave)
{
    for (int i = leave; i < t->repeats_max; i++) {
        assert_true(mst_task_repeat(t));
    }
}

/* Two repeats are left: the first call uses them, the next one is not repeated at all, and both say
 * why. Whoever works for another job, or for none, still is. */
static void all_calls_of_a_job_share_its_repeats(void **state)
{
    struct kit k;
    struct mst_task job;
    char all[2];
    size_t got;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/a", "xy", 2);
    assert_ok(mst_task_init(&job, &k.err), &k.err);
    job.repeats_max = 20;
    spend(&job, 2);
    kit_status(&k, S3D_GET, 500, "InternalError", 4);
    mst_store_work_for(&job);
    assert_int_not_equal(mst_store_read(k.store, "a", 0, all, 2, &got, &k.err), MST_OK);
    assert_int_equal(s3d_count(k.srv, S3D_GET), 3);
    assert_non_null(strstr(k.err.msg, "in the store far ("));
    assert_non_null(strstr(k.err.msg, "the job has repeated 20 calls more than went well and "
                                      "repeats no more: 3 tries in "));
    memset(&k.err, 0, sizeof(k.err));
    assert_int_not_equal(mst_store_read(k.store, "a", 0, all, 2, &got, &k.err), MST_OK);
    assert_int_equal(s3d_count(k.srv, S3D_GET), 4);
    assert_non_null(strstr(k.err.msg, "repeats no more: "));
    for (int i = 0; i < 5; i++) { /* what goes well earns one more */
        assert_ok(mst_store_read(k.store, "a", 0, all, 2, &got, &k.err), &k.err);
    }
    kit_status(&k, S3D_GET, 500, "InternalError", 1);
    assert_ok(mst_store_read(k.store, "a", 0, all, 2, &got, &k.err), &k.err);
    mst_store_work_for(NULL);
    kit_status(&k, S3D_GET, 500, "InternalError", 3);
    assert_ok(mst_store_read(k.store, "a", 0, all, 2, &got, &k.err), &k.err);
    mst_task_release(&job);
    kit_close(&k);
}

/* Parts are sent by threads of the store: their repeats are the job's. */
static void the_parts_of_an_upload_are_repeated_from_the_same_budget(void **state)
{
    const size_t n = 4 * KIT_PART;
    unsigned char *bytes = kit_bytes(n, 5);
    struct kit k;
    struct mst_task job;

    (void)state;
    kit_open(&k, NULL);
    assert_ok(mst_task_init(&job, &k.err), &k.err);
    job.repeats_max = 20;
    spend(&job, 1);
    kit_status(&k, S3D_PART, 503, "ServiceUnavailable", UINT_MAX);
    mst_store_work_for(&job);
    assert_int_not_equal(kit_put(k.store, "big", bytes, n, &k.err), MST_OK);
    mst_store_work_for(NULL);
    assert_non_null(strstr(k.err.msg, "repeats no more: "));
    assert_in_range(s3d_count(k.srv, S3D_PART), 2, 5); /* each once, and one once more */
    assert_false(s3d_has(k.srv, KIT_PREFIX "/big"));
    assert_int_equal(s3d_uploads(k.srv), 0);
    mst_task_release(&job);
    kit_close(&k);
    free(bytes);
}

static void a_store_keeps_its_rate_over_parallel_parts_and_both_ways(void **state)
{
    const size_t n = 3 * KIT_PART;
    unsigned char *bytes = kit_bytes(n, 6), *back = mst_xmalloc(n);
    struct kit k;
    struct mst_s3_conf conf;
    int64_t begin;
    size_t got;

    (void)state;
    kit_start(&k, NULL);
    conf = kit_conf(&k);
    conf.rate_bytes_per_s = RATE;
    kit_open_as(&k, &conf);
    assert_ok(mst_store_probe(k.store, NULL, &k.err), &k.err);
    begin = mst_clock_mono_ms(NULL);
    assert_ok(kit_put(k.store, "big", bytes, n, &k.err), &k.err);
    assert_true(mst_clock_mono_ms(NULL) - begin >= 1000); /* 15 MiB at 8 a second, less a slice */
    begin = mst_clock_mono_ms(NULL);
    assert_ok(mst_store_read(k.store, "big", 0, back, n, &got, &k.err), &k.err);
    assert_true(mst_clock_mono_ms(NULL) - begin >= 1000);
    assert_int_equal(got, n);
    assert_memory_equal(bytes, back, n);
    kit_close(&k);
    free(bytes);
    free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_calls_of_a_job_share_its_repeats),
        cmocka_unit_test(the_parts_of_an_upload_are_repeated_from_the_same_budget),
        cmocka_unit_test(a_store_keeps_its_rate_over_parallel_parts_and_both_ways),
    };

    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
