/* The writer's policy of docs/stores.md, as Amazon applies it: listings only below the prefix, so
 * that what is not there is answered with AccessDenied. */
#include "s3_kit.h"

static const struct s3d_opts tight = {.tight = true};

static void what_is_not_there_is_known_from_a_listing(void **state)
{
    uint64_t n;
    char b[4];
    size_t got;
    struct kit k;

    (void)state;
    kit_open(&k, &tight);
    s3d_put(k.srv, KIT_PREFIX "/backups/COMMIT", "x", 1);
    s3d_put(k.srv, KIT_PREFIX "/backups/COMMITTED", "x", 1);
    assert_ok(mst_store_stat(k.store, "backups/COMMIT", &n, &k.err), &k.err);
    assert_int_equal(n, 1);
    s3d_remove(k.srv, KIT_PREFIX "/backups/COMMIT");
    assert_rc(mst_store_stat(k.store, "backups/COMMIT", &n, &k.err), MST_E_NOTFOUND, &k.err);
    assert_rc(mst_store_read(k.store, "backups/COMMIT", 0, b, 4, &got, &k.err), MST_E_NOTFOUND,
              &k.err);
    kit_no_complaints(&k);
    kit_close(&k);
}

static void what_is_there_and_refused_stays_refused(void **state)
{
    uint64_t n;
    char b[4];
    size_t got;
    struct kit k;

    (void)state;
    kit_open(&k, &tight);
    s3d_put(k.srv, KIT_PREFIX "/o", "x", 1);
    s3d_deny(k.srv, S3D_HEAD, true);
    s3d_deny(k.srv, S3D_GET, true);
    assert_rc(mst_store_stat(k.store, "o", &n, &k.err), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "policy has to allow s3:GetObject"));
    assert_rc(mst_store_read(k.store, "o", 0, b, 4, &got, &k.err), MST_E_AUTH, &k.err);
    kit_close(&k);
}

static void who_may_not_list_at_all_is_told_so(void **state)
{
    uint64_t n;
    struct kit k;

    (void)state;
    kit_open(&k, &tight);
    s3d_deny(k.srv, S3D_LIST, true);
    assert_rc(mst_store_stat(k.store, "o", &n, &k.err), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "policy has to allow s3:GetObject"));
    kit_close(&k);
}

static void a_single_writer_writes_and_does_not_replace(void **state)
{
    struct s3d_opts o = tight;
    struct mst_s3_conf conf;
    struct kit k;

    (void)state;
    o.ignores_create_only = true;
    kit_start(&k, &o);
    conf = kit_conf(&k);
    conf.single_writer = true;
    kit_open_as(&k, &conf);
    assert_ok(kit_put(k.store, "o", "first", 5, &k.err), &k.err);
    assert_rc(kit_put(k.store, "o", "second", 6, &k.err), MST_E_EXISTS, &k.err);
    kit_holds(&k, "o", "first", 5);
    kit_close(&k);
}

/* A policy that denies every write without the condition must not change what is found. */
static void every_write_of_the_probe_may_carry_the_condition(void **state)
{
    struct mst_s3_conf conf;
    char value[8];
    struct kit k;

    (void)state;
    kit_start(&k, &tight);
    conf = kit_conf(&k);
    kit_open_as(&k, &conf);
    assert_ok(mst_store_probe(k.store, NULL, &k.err), &k.err);
    assert_true(s3d_last_header(k.srv, S3D_PUT, "x-amz-checksum-sha256", value, sizeof(value)));
    assert_true(s3d_last_header(k.srv, S3D_PUT, "if-none-match", value, sizeof(value)));
    assert_string_equal(value, "*");
    assert_true(mst_store_caps(k.store)->create_only);
    assert_true(mst_store_caps(k.store)->checksums);
    kit_close(&k);
}

static void a_write_that_is_refused_names_every_right_that_it_takes(void **state)
{
    static const struct {
        int64_t days;
        const char *tags, *rights;
    } all[] = {
        {0, NULL, "has to allow s3:PutObject (AccessDenied)"},
        {0, "team=db", "has to allow s3:PutObject and s3:PutObjectTagging (AccessDenied)"},
        {1, NULL, "has to allow s3:PutObject and s3:PutObjectRetention (AccessDenied)"},
        {1, "team=db",
         "has to allow s3:PutObject, s3:PutObjectRetention and s3:PutObjectTagging (AccessDenied)"},
    };
    const struct s3d_opts o = {.lock = true};
    unsigned char *p = kit_bytes(KIT_PART + 1, 3);

    (void)state;
    for (size_t i = 0; i < MST_COUNT(all); i++) {
        struct mst_s3_conf conf;
        struct kit k;

        kit_start(&k, &o);
        conf = kit_conf(&k);
        conf.marks = (struct mst_store_marks){all[i].days, NULL, all[i].tags};
        kit_open_as(&k, &conf);
        assert_ok(mst_store_probe(k.store, NULL, &k.err), &k.err);
        s3d_deny(k.srv, S3D_PUT, true);
        s3d_deny(k.srv, S3D_CREATE, true);
        for (int large = 0; large < 2; large++) {
            assert_rc(kit_put(k.store, "o", p, large ? KIT_PART + 1 : 1, &k.err), MST_E_AUTH,
                      &k.err);
            if (!strstr(k.err.msg, all[i].rights)) {
                fail_msg("\"%s\" is not in: %s", all[i].rights, k.err.msg);
            }
        }
        kit_close(&k);
    }
    free(p);
}

static void a_batch_that_is_refused_as_a_whole_goes_one_by_one(void **state)
{
    static const char keys[3][MST_KEY_MAX] = {"a", "b", "c"};
    struct mst_store_swept w = {0};
    struct kit k;

    (void)state;
    kit_open(&k, &tight);
    for (size_t i = 0; i < MST_COUNT(keys); i++) {
        assert_ok(kit_put(k.store, keys[i], "x", 1, &k.err), &k.err);
    }
    s3d_deny(k.srv, S3D_DELETES, true);
    assert_ok(mst_store_delete_many(k.store, keys, 2, &w, NULL, &k.err), &k.err);
    assert_int_equal(w.gone, 2);
    assert_int_equal(s3d_objects(k.srv), 1);
    memset(&w, 0, sizeof(w));
    s3d_deny(k.srv, S3D_DELETE, true);
    assert_rc(mst_store_delete_many(k.store, keys + 1, 2, &w, NULL, &k.err), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "policy has to allow s3:DeleteObject"));
    assert_int_equal(w.gone, 0);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_is_known_from_a_listing),
        cmocka_unit_test(what_is_there_and_refused_stays_refused),
        cmocka_unit_test(who_may_not_list_at_all_is_told_so),
        cmocka_unit_test(a_single_writer_writes_and_does_not_replace),
        cmocka_unit_test(every_write_of_the_probe_may_carry_the_condition),
        cmocka_unit_test(a_write_that_is_refused_names_every_right_that_it_takes),
        cmocka_unit_test(a_batch_that_is_refused_as_a_whole_goes_one_by_one),
    };

    return cmocka_run_group_tests_name("s3 with the writer's policy", tests, NULL, NULL);
}
