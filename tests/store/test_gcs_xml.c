/* Google Cloud Storage by its XML API and HMAC keys: the S3 driver under Google's names, before a
 * server that checks GOOG4-HMAC-SHA256 from the specification and refuses Amazon's headers. */
#include "s3_kit.h"

static const struct s3d_opts google = {.google = true};

static void open_google(struct kit *k)
{
    struct mst_s3_conf conf;

    kit_start(k, &google);
    conf = kit_conf(k);
    conf.profile = "gcs";
    conf.storage_class = "NEARLINE";
    kit_open_as(k, &conf);
    assert_ok(mst_store_probe(k->store, NULL, &k->err), &k->err);
    s3d_complaints_reset(k->srv); /* its false checksum was one */
    s3d_count_reset(k->srv);
}

static void what_google_is_asked_is_signed_and_named_its_way(void **state)
{
    const size_t n = 2 * KIT_PART + 77;
    unsigned char *p = kit_bytes(n, 1);
    struct mst_store_info info;
    struct mst_buf back = {0};
    struct kit k;

    (void)state;
    open_google(&k);
    assert_true(mst_store_caps(k.store)->create_only && mst_store_caps(k.store)->checksums);
    assert_false(mst_store_caps(k.store)->lock || mst_store_caps(k.store)->versions);
    assert_ok(kit_put(k.store, "small", p, 5000, &k.err), &k.err);
    kit_holds(&k, "small", p, 5000);
    assert_ok(kit_put(k.store, "large", p, n, &k.err), &k.err);
    kit_holds(&k, "large", p, n);
    assert_int_equal(s3d_count(k.srv, S3D_PART), 3);
    assert_ok(mst_store_read_all(k.store, "large", n, &back, &k.err), &k.err);
    assert_int_equal(back.len, n);
    assert_memory_equal(back.p, p, n);
    assert_ok(mst_store_info(k.store, "small", &info, &k.err), &k.err);
    assert_string_equal(info.storage_class, "NEARLINE");
    assert_ok(mst_store_delete(k.store, "small", &k.err), &k.err);
    kit_no_complaints(&k);
    mst_buf_release(&back);
    free(p);
    kit_close(&k);
}

static void a_name_that_exists_is_refused_by_its_generation(void **state)
{
    const size_t n = KIT_PART + 9;
    unsigned char *p = kit_bytes(n, 2);
    struct kit k;

    (void)state;
    open_google(&k);
    assert_ok(kit_put(k.store, "x", "theirs", 6, &k.err), &k.err);
    assert_rc(kit_put(k.store, "x", p, 100, &k.err), MST_E_EXISTS, &k.err);
    assert_rc(kit_put(k.store, "x", p, n, &k.err), MST_E_EXISTS, &k.err);
    kit_holds(&k, "x", "theirs", 6);
    kit_no_complaints(&k);
    free(p);
    kit_close(&k);
}

static void what_passes_is_repeated_at_every_step_there_too(void **state)
{
    static const enum s3d_kind kinds[] = {S3D_PUT, S3D_CREATE, S3D_PART, S3D_COMPLETE};
    static const enum s3d_what whats[] = {S3D_RESET, S3D_RESET_AFTER};
    const size_t n = KIT_PART + 9;
    unsigned char *p = kit_bytes(n, 3);
    struct kit k;

    (void)state;
    open_google(&k);
    for (size_t i = 0; i < MST_COUNT(kinds); i++) {
        for (size_t w = 0; w < MST_COUNT(whats); w++) {
            const size_t size = kinds[i] == S3D_PUT ? 1000 : n;
            char key[40];

            (void)snprintf(key, sizeof(key), "step-%zu-%zu", i, w);
            s3d_plan_none(k.srv);
            kit_fault(&k, whats[w], kinds[i], 1);
            assert_ok(kit_put(k.store, key, p, size, &k.err), &k.err);
            kit_holds(&k, key, p, size);
        }
    }
    kit_no_complaints(&k);
    free(p);
    kit_close(&k);
}

static bool never(void *arg, const struct mst_store_version *v)
{
    (void)arg;
    (void)v;
    return false;
}

static void what_this_api_cannot_do_is_refused_with_the_way_out(void **state)
{
    struct kit k;

    (void)state;
    open_google(&k);
    assert_rc(mst_store_versions(k.store, "", never, NULL, NULL, &k.err), MST_E_CONFIG, &k.err);
    assert_string_equal(k.err.msg, "the store far cannot list versions by this API: use type gcs");
    assert_rc(mst_store_lock(k.store, "x", "COMPLIANCE", 1, &k.err), MST_E_CONFIG, &k.err);
    k.secret = "another";
    assert_rc(kit_put(k.store, "x", "abc", 3, &k.err), MST_E_AUTH, &k.err);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_google_is_asked_is_signed_and_named_its_way),
        cmocka_unit_test(a_name_that_exists_is_refused_by_its_generation),
        cmocka_unit_test(what_passes_is_repeated_at_every_step_there_too),
        cmocka_unit_test(what_this_api_cannot_do_is_refused_with_the_way_out),
    };
    return cmocka_run_group_tests_name("gcs_xml", tests, NULL, NULL);
}
