/* The S3 driver on rclone's server, which knows no conditions, and on moto, which checks no
 * signature but knows locks and versions. */
#include "peer_kit.h"

#include "store/probe.h"

#define LARGE (2 * (size_t)MST_S3_PART_MIN + 77)

static struct realstore r;
static struct mst_store *s;
static uint8_t *bytes;

static int stop(void **state)
{
    (void)state;
    mst_store_free(s);
    s = NULL;
    realstore_stop(&r);
    free(bytes);
    bytes = NULL;
    return 0;
}

static void round_trip(void)
{
    struct kit_count c = {0};
    struct mst_err err = {0};
    uint64_t n;

    assert_ok(kit_put(s, "a/small one", bytes, 3000, &err), &err);
    assert_ok(kit_put(s, "a/large", bytes, LARGE, &err), &err);
    assert_rc(kit_put(s, "a/large", bytes, 10, &err), MST_E_EXISTS, &err);
    memset(&err, 0, sizeof(err));
    assert_true(kit_same(s, "a/small one", bytes, 3000, &err));
    assert_true(kit_same(s, "a/large", bytes, LARGE, &err));
    assert_ok(mst_store_list(s, "a", kit_count_item, &c, NULL, &err), &err);
    assert_string_equal(mst_str_c(&c.keys), "a/large\na/small one\n"); /* one says '+' for ' ' */
    mst_str_release(&c.keys);
    assert_ok(mst_store_delete(s, "a/large", &err), &err);
    assert_rc(mst_store_stat(s, "a/large", &n, &err), MST_E_NOTFOUND, &err);
}

static void rclone_is_used_only_by_a_single_writer(void **state)
{
    struct mst_err err = {0};

    (void)state;
    bytes = kit_bytes(LARGE, 5);
    realstore_start(&r, REAL_RCLONE, NULL);
    s = kit_open_real(&r, (struct mst_s3_conf){.profile = "rclone"});
    assert_rc(kit_put(s, "a", bytes, 10, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "it is used only with single_writer = true"));
    mst_store_free(s);
    s = kit_open_real(&r, (struct mst_s3_conf){.profile = "rclone", .single_writer = true});
    assert_false(mst_store_caps(s)->create_only);
    round_trip();
}

static void add_line(void *arg, const char *line)
{
    mst_str_addf(arg, "%s\n", line);
}

/* What refuses there is muster, which had looked: that is not what the store can do. */
static void a_store_that_overwrites_does_not_pass_as_create_only(void **state)
{
    struct mst_str lines = {0};
    const struct mst_probe_opts o = {
        .prefix = "rs0/probe/x", .large_bytes = 1U << 20, .say = add_line, .arg = &lines};
    struct mst_probe_result res;
    struct mst_err err = {0};

    (void)state;
    realstore_start(&r, REAL_RCLONE, NULL);
    s = kit_open_real(&r, (struct mst_s3_conf){.profile = "rclone", .single_writer = true});
    assert_ok(mst_probe_run(s, &o, NULL, &res, &err), &err);
    assert_non_null(
        strstr(mst_str_c(&lines), "create-only  cannot      the store would overwrite"));
    assert_null(strstr(mst_str_c(&lines), "create-only  ok"));
    assert_int_equal(res.failed, 0);
    mst_str_release(&lines);
}

/* Nobody said that it is rclone: the probe finds that it ignores what it accepts. */
static void what_rclone_ignores_is_found(void **state)
{
    struct mst_err err = {0};
    const struct mst_store_caps *c;

    (void)state;
    bytes = kit_bytes(LARGE, 5);
    realstore_start(&r, REAL_RCLONE, NULL);
    s = kit_open_real(&r, (struct mst_s3_conf){.profile = "other", .single_writer = true});
    assert_ok(mst_store_probe(s, NULL, &err), &err);
    c = mst_store_caps(s);
    assert_false(c->create_only);
    assert_non_null(strstr(c->text, "If-None-Match"));
    round_trip();
}

static void moto_takes_objects_locks_and_versions(void **state)
{
    const int64_t until = (mst_clock_utc_ms(NULL) / 1000 + 3600) * 1000;
    struct mst_store_info info;
    struct mst_err err = {0};

    (void)state;
    bytes = kit_bytes(LARGE, 5);
    realstore_start(&r, REAL_MOTO, &(struct realstore_opts){.versioned = true, .lock = true});
    s = kit_open_real(&r, (struct mst_s3_conf){.profile = "other", .single_writer = true});
    round_trip();
    assert_true(mst_store_caps(s)->versions);
    assert_true(mst_store_caps(s)->lock);
    assert_ok(mst_store_lock(s, "a/small one", "GOVERNANCE", until, &err), &err);
    assert_ok(mst_store_info(s, "a/small one", &info, &err), &err);
    assert_string_equal(info.lock_mode, "GOVERNANCE");
    assert_int_equal(info.locked_until_ms, until);
}

/* It thaws at once, and says until when. */
static void moto_says_of_an_archived_object_that_it_is_thawed(void **state)
{
    struct mst_store_info info;
    struct mst_err err = {0};

    (void)state;
    bytes = kit_bytes(LARGE, 5);
    realstore_start(&r, REAL_MOTO, NULL);
    s = kit_open_real(&r, (struct mst_s3_conf){.profile = "other",
                                               .single_writer = true,
                                               .storage_class = "GLACIER"});
    assert_ok(kit_put(s, "cold/one", bytes, 3000, &err), &err);
    assert_ok(mst_store_info(s, "cold/one", &info, &err), &err);
    assert_string_equal(info.storage_class, "GLACIER");
    assert_true(info.archived && !info.thawing);
    assert_false(kit_same(s, "cold/one", bytes, 3000, &err));
    assert_int_equal(err.rc, MST_E_PRECOND);
    memset(&err, 0, sizeof(err));
    assert_ok(mst_store_thaw(s, "cold/one", 3, &err), &err);
    assert_ok(mst_store_info(s, "cold/one", &info, &err), &err);
    assert_false(info.archived || info.thawing);
    assert_true(info.thawed_until_ms > mst_clock_utc_ms(NULL) + 2 * INT64_C(86400000));
    assert_true(kit_same(s, "cold/one", bytes, 3000, &err));
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, stop)
    const struct CMUnitTest tests[] = {
        T(rclone_is_used_only_by_a_single_writer),
        T(a_store_that_overwrites_does_not_pass_as_create_only),
        T(what_rclone_ignores_is_found),
        T(moto_takes_objects_locks_and_versions),
        T(moto_says_of_an_archived_object_that_it_is_thawed),
    };

    realstore_need(REAL_RCLONE);
    realstore_need(REAL_MOTO);
    return cmocka_run_group_tests_name("s3 on rclone and moto", tests, NULL, NULL);
}
