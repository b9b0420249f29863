/* The driver before real servers: versitygw, which is strict; rclone, which ignores conditions and
 * so needs a single writer; moto, for its wide interface. */
#include "s3_kit.h"

#include "realstore.h"

#define BIG (3 * KIT_PART + 4321)

static struct realstore real;

static int stop_real(void **state)
{
    (void)state;
    realstore_stop(&real);
    return 0;
}

static void open_real(struct kit *k, enum realstore_kind kind, const char *profile,
                      const struct realstore_opts *o)
{
    struct mst_s3_conf conf;

    memset(k, 0, sizeof(*k));
    realstore_start(&real, kind, o);
    k->access = REAL_ACCESS;
    k->secret = REAL_SECRET;
    conf = kit_conf(k);
    conf.profile = profile;
    conf.endpoint = real.endpoint;
    conf.region = REAL_REGION;
    conf.bucket = REAL_BUCKET;
    conf.stall_ms = 3000;
    conf.wait_ms = 20000;
    conf.single_writer = kind == REAL_RCLONE;
    conf.path_style = true;
    kit_open_as(k, &conf);
}

struct seen {
    unsigned n;
    char last[MST_KEY_MAX];
};

static bool look(void *arg, const struct mst_store_item *item)
{
    struct seen *s = arg;

    s->n++;
    (void)mst_copy(s->last, sizeof(s->last), item->key);
    return true;
}

static bool count_upload(void *arg, const struct mst_store_upload *u)
{
    unsigned *n = arg;

    (void)u;
    ++*n;
    return true;
}

static void same(struct kit *k, const char *key, const unsigned char *p, size_t n)
{
    unsigned char *got = mst_xmalloc(n + 1);
    size_t at = 0, now;

    do {
        assert_ok(mst_store_read(k->store, key, at, got + at, n - at < 300000 ? n - at + 1 : 300000,
                                 &now, &k->err),
                  &k->err);
        at += now;
    } while (now > 0 && at < n);
    assert_int_equal(at, n);
    assert_memory_equal(got, p, n);
    free(got);
}

/* What every one of them must be able to do. */
static void whole_story(struct kit *k)
{
    unsigned char *p = kit_bytes(BIG, 1);
    struct mst_store_put *put;
    struct seen s = {0};
    uint64_t bytes;
    unsigned left = 0;

    assert_ok(mst_store_put_all(k->store, "a/b +(1) \xc3\xa9", "hello", 5, &k->err), &k->err);
    assert_ok(mst_store_put_all(k->store, "a/empty", "", 0, &k->err), &k->err);
    assert_rc(mst_store_put_all(k->store, "a/empty", "x", 1, &k->err), MST_E_EXISTS, &k->err);
    assert_ok(kit_put(k->store, "big", p, BIG, &k->err), &k->err);
    assert_rc(kit_put(k->store, "big", p, BIG, &k->err), MST_E_EXISTS, &k->err);
    assert_ok(mst_store_put_begin(k->store, "given-up", &put, &k->err), &k->err);
    assert_ok(mst_store_put_add(put, p, BIG, &k->err), &k->err);
    mst_store_put_abort_take(put);
    same(k, "a/b +(1) \xc3\xa9", (const unsigned char *)"hello", 5);
    same(k, "a/empty", p, 0);
    same(k, "big", p, BIG);
    assert_ok(mst_store_stat(k->store, "big", &bytes, &k->err), &k->err);
    assert_int_equal(bytes, BIG);
    assert_rc(mst_store_stat(k->store, "none", &bytes, &k->err), MST_E_NOTFOUND, &k->err);
    assert_ok(mst_store_list(k->store, "", look, &s, NULL, &k->err), &k->err);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.last, "big");
    s = (struct seen){0};
    assert_ok(mst_store_list(k->store, "a", look, &s, NULL, &k->err), &k->err);
    assert_int_equal(s.n, 2);
    if (real.kind != REAL_RCLONE) { /* it does not list them */
        assert_ok(mst_store_uploads(k->store, "", count_upload, &left, NULL, &k->err), &k->err);
        assert_int_equal(left, 0);
    }
    assert_ok(mst_store_delete(k->store, "big", &k->err), &k->err);
    assert_rc(mst_store_stat(k->store, "big", &bytes, &k->err), MST_E_NOTFOUND, &k->err);
    free(p);
}

static void versitygw_does_everything(void **state)
{
    struct kit k;

    (void)state;
    open_real(&k, REAL_VERSITYGW, "versitygw", NULL);
    whole_story(&k);
    assert_true(mst_store_caps(k.store)->create_only);
    assert_true(mst_store_caps(k.store)->checksums);
    mst_store_free(k.store);
}

static void versitygw_keeps_versions_and_locks(void **state)
{
    const struct realstore_opts o = {.lock = true, .versioned = true};
    const int64_t until = mst_clock_utc_ms(NULL) / 1000 * 1000 + 60000;
    struct mst_store_info info;
    struct kit k;

    (void)state;
    open_real(&k, REAL_VERSITYGW, "versitygw", &o);
    assert_ok(mst_store_put_all(k.store, "kept", "x", 1, &k.err), &k.err);
    assert_true(mst_store_caps(k.store)->versions);
    assert_true(mst_store_caps(k.store)->lock);
    assert_ok(mst_store_lock(k.store, "kept", "GOVERNANCE", until, &k.err), &k.err);
    assert_ok(mst_store_info(k.store, "kept", &info, &k.err), &k.err);
    assert_string_equal(info.lock_mode, "GOVERNANCE");
    assert_int_equal(info.locked_until_ms, until);
    mst_store_free(k.store);
}

static void rclone_is_used_by_a_single_writer(void **state)
{
    struct kit k;

    (void)state;
    open_real(&k, REAL_RCLONE, "rclone", NULL);
    whole_story(&k);
    assert_false(mst_store_caps(k.store)->create_only);
    mst_store_free(k.store);
}

static void moto_does_everything_and_checks_less(void **state)
{
    struct kit k;

    (void)state;
    open_real(&k, REAL_MOTO, "aws", NULL);
    whole_story(&k);
    mst_store_free(k.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(versitygw_does_everything, stop_real),
        cmocka_unit_test_teardown(versitygw_keeps_versions_and_locks, stop_real),
        cmocka_unit_test_teardown(rclone_is_used_by_a_single_writer, stop_real),
        cmocka_unit_test_teardown(moto_does_everything_and_checks_less, stop_real),
    };

    realstore_need(REAL_VERSITYGW);
    realstore_need(REAL_RCLONE);
    realstore_need(REAL_MOTO);
    mst_thread_block_signals();
    return cmocka_run_group_tests_name("s3_real", tests, NULL, NULL);
}
