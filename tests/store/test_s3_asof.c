/* A bucket as it stood at a time, on the scripted S3 server. */
#include "s3_kit.h"

#include "store/asof.h"

struct seen {
    struct mst_str keys;
    size_t n;
};

static bool see(void *arg, const struct mst_store_item *item)
{
    struct seen *s = arg;

    mst_str_addf(&s->keys, "%s %llu\n", item->key, (unsigned long long)item->bytes);
    s->n++;
    return true;
}

static int64_t moment(void)
{
    int64_t now;

    mst_clock_sleep_ms(3); /* the server's times have milliseconds: this one lies between two */
    now = mst_clock_utc_ms(NULL);
    mst_clock_sleep_ms(3);
    return now;
}

static void put(struct kit *k, const char *key, const char *text)
{
    char full[128];

    (void)snprintf(full, sizeof(full), KIT_PREFIX "/%s", key);
    s3d_put(k->srv, full, text, strlen(text));
}

static void is(struct mst_store *s, const char *key, const char *want, struct mst_err *err)
{
    struct mst_buf b = {0};

    assert_ok(mst_store_read_all(s, key, 100, &b, err), err);
    assert_int_equal(b.len, strlen(want));
    assert_memory_equal(b.p, want, b.len);
    mst_buf_release(&b);
}

static void lists(struct mst_store *s, const char *prefix, const char *want, struct mst_err *err)
{
    struct seen seen = {{0}, 0};

    assert_ok(mst_store_list(s, prefix, see, &seen, NULL, err), err);
    assert_string_equal(mst_str_c(&seen.keys), want);
    mst_str_release(&seen.keys);
}

static void every_moment_has_its_own_objects(void **state)
{
    const struct s3d_opts versioned = {.versioned = true};
    struct mst_store *first, *second, *third;
    int64_t a, b, c;
    struct kit k;

    (void)state;
    kit_open(&k, &versioned);
    put(&k, "set/one", "first");
    put(&k, "set/two", "2");
    put(&k, "settled", "x"); /* begins like the folder */
    a = moment();
    put(&k, "set/one", "second!");
    assert_ok(mst_store_delete(k.store, "set/two", &k.err), &k.err);
    b = moment();
    assert_ok(mst_store_delete(k.store, "set/one", &k.err), &k.err);
    put(&k, "set/two", "again");
    put(&k, "set/three", "3");
    c = moment();
    assert_ok(mst_store_asof_open(k.store, "", a, NULL, &first, &k.err), &k.err);
    assert_ok(mst_store_asof_open(k.store, "set", b, NULL, &second, &k.err), &k.err);
    assert_ok(mst_store_asof_open(k.store, "set", c, NULL, &third, &k.err), &k.err);
    lists(first, "set", "set/one 5\nset/two 1\n", &k.err);
    lists(first, "", "set/one 5\nset/two 1\nsettled 1\n", &k.err);
    is(first, "set/one", "first", &k.err);
    lists(second, "", "set/one 7\n", &k.err);
    is(second, "set/one", "second!", &k.err);
    lists(third, "set", "set/three 1\nset/two 5\n", &k.err);
    is(third, "set/two", "again", &k.err);
    is(first, "set/one", "first", &k.err); /* each of them by itself */
    mst_store_free(first);
    mst_store_free(second);
    mst_store_free(third);
    kit_no_complaints(&k);
    kit_close(&k);
}

static void a_large_one_is_read_in_pieces_of_any_size(void **state)
{
    const size_t n = 3 * 1024 * 1024 + 17;
    const struct s3d_opts versioned = {.versioned = true};
    unsigned char *want = kit_bytes(n, 5), *got = mst_xmalloc(n + 100);
    struct mst_store *past;
    struct kit k;
    size_t at = 0, came;
    uint64_t bytes;

    (void)state;
    kit_open(&k, &versioned);
    s3d_put(k.srv, KIT_PREFIX "/large", want, n);
    assert_ok(mst_store_asof_open(k.store, "", moment(), NULL, &past, &k.err), &k.err);
    s3d_put(k.srv, KIT_PREFIX "/large", "small now", 9);
    assert_ok(mst_store_stat(past, "large", &bytes, &k.err), &k.err);
    assert_int_equal(bytes, n);
    for (size_t step = 1; at < n; step = step * 3 + 1) {
        assert_ok(mst_store_read(past, "large", at, got + at, step > n - at ? n - at : step, &came,
                                 &k.err),
                  &k.err);
        assert_true(came > 0);
        at += came;
    }
    assert_memory_equal(got, want, n);
    assert_ok(mst_store_read(past, "large", n - 10, got, 100, &came, &k.err), &k.err);
    assert_int_equal(came, 10);
    assert_memory_equal(got, want + n - 10, 10);
    assert_ok(mst_store_read(past, "large", n + 5, got, 100, &came, &k.err), &k.err);
    assert_int_equal(came, 0);
    mst_store_free(past);
    free(want);
    free(got);
    kit_close(&k);
}

static void the_past_is_not_changed(void **state)
{
    const struct s3d_opts versioned = {.versioned = true};
    struct mst_store_info info;
    struct mst_store *past;
    char b[4];
    size_t got;
    struct kit k;

    (void)state;
    kit_open(&k, &versioned);
    put(&k, "one", "1");
    assert_ok(mst_store_asof_open(k.store, "", moment(), NULL, &past, &k.err), &k.err);
    assert_non_null(strstr(mst_store_where(past), " as it stood at 20"));
    assert_false(mst_store_is_local(past));
    assert_rc(mst_store_put_all(past, "two", "2", 1, &k.err), MST_E_PRECOND, &k.err);
    assert_non_null(strstr(k.err.msg, "is read only: nothing is changed there"));
    assert_rc(mst_store_delete(past, "one", &k.err), MST_E_PRECOND, &k.err);
    assert_rc(mst_store_read(past, "two", 0, b, 4, &got, &k.err), MST_E_NOTFOUND, &k.err);
    assert_non_null(strstr(k.err.msg, "two was not in the store far (bucket vault"));
    assert_ok(mst_store_info(past, "one", &info, &k.err), &k.err);
    assert_true(info.version[0] && info.bytes == 1);
    assert_rc(mst_store_info(past, "two", &info, &k.err), MST_E_NOTFOUND, &k.err);
    mst_store_free(past);
    kit_close(&k);
}

static void an_older_version_that_sleeps_is_thawed_by_its_name(void **state)
{
    const struct s3d_opts versioned = {.versioned = true};
    struct mst_store_info info;
    struct mst_store *past;
    struct kit k;
    char b[4];
    size_t got;

    (void)state;
    kit_open(&k, &versioned);
    put(&k, "cold", "1");
    s3d_class(k.srv, KIT_PREFIX "/cold", "GLACIER");
    assert_ok(mst_store_asof_open(k.store, "", moment(), NULL, &past, &k.err), &k.err);
    put(&k, "cold", "2");
    assert_ok(mst_store_info(past, "cold", &info, &k.err), &k.err);
    assert_true(info.archived && !info.thawing);
    assert_rc(mst_store_read(past, "cold", 0, b, 1, &got, &k.err), MST_E_PRECOND, &k.err);
    assert_ok(mst_store_thaw(past, "cold", 2, &k.err), &k.err);
    assert_ok(mst_store_info(past, "cold", &info, &k.err), &k.err);
    assert_true(info.archived && info.thawing);
    assert_rc(mst_store_thaw(past, "cold", 2, &k.err), MST_E_EXISTS, &k.err);
    assert_ok(mst_store_info(k.store, "cold", &info, &k.err), &k.err);
    assert_false(info.archived);
    mst_store_free(past);
    kit_close(&k);
}

static void what_a_bucket_kept_before_it_was_suspended_is_its_past(void **state)
{
    const struct s3d_opts suspended = {.versioned = true, .suspended = true};
    struct mst_store_keeps keeps;
    struct mst_store *past;
    int64_t then;
    struct kit k;

    (void)state;
    kit_open(&k, &suspended);
    put(&k, "one", "1");
    then = moment();
    put(&k, "one", "2");
    mst_store_keeps(k.store, NULL, &keeps);
    assert_int_equal(keeps.versions, 0); /* what is removed now is gone */
    assert_true(keeps.had_versions);
    assert_ok(mst_store_asof_open(k.store, "", then, NULL, &past, &k.err), &k.err);
    is(past, "one", "1", &k.err);
    mst_store_free(past);
    kit_close(&k);
}

static void without_a_past_it_is_refused_with_the_reason(void **state)
{
    const struct s3d_opts versioned = {.versioned = true};
    struct mst_store *past;
    struct mst_s3_conf conf;
    int64_t then;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    assert_rc(mst_store_asof_open(k.store, "", 1, NULL, &past, &k.err), MST_E_PRECOND, &k.err);
    assert_non_null(strstr(k.err.msg, "the bucket of the store far (bucket vault"));
    assert_non_null(strstr(k.err.msg, ") keeps no versions"));
    assert_null(past);
    kit_close(&k);

    kit_open(&k, &versioned);
    s3d_deny(k.srv, S3D_VERSIONS, true);
    assert_rc(mst_store_asof_open(k.store, "", 1, NULL, &past, &k.err), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "s3:ListBucketVersions"));
    kit_close(&k);

    kit_start(&k, &versioned); /* without the questions at the start, which leave a marker */
    conf = kit_conf(&k);
    kit_open_as(&k, &conf);
    /* Whether the bucket keeps versions may be asked by others only: the listing tells. */
    s3d_deny(k.srv, S3D_BUCKET, true);
    put(&k, "one", "1");
    assert_rc(mst_store_asof_open(k.store, "", moment(), NULL, &past, &k.err), MST_E_PRECOND,
              &k.err);
    assert_non_null(strstr(k.err.msg, "nothing older is in the store far ("));
    assert_non_null(strstr(k.err.msg, "s3:GetBucketVersioning"));
    then = moment();
    put(&k, "one", "2");
    assert_ok(mst_store_asof_open(k.store, "", then, NULL, &past, &k.err), &k.err);
    is(past, "one", "1", &k.err);
    mst_store_free(past);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_moment_has_its_own_objects),
        cmocka_unit_test(a_large_one_is_read_in_pieces_of_any_size),
        cmocka_unit_test(the_past_is_not_changed),
        cmocka_unit_test(an_older_version_that_sleeps_is_thawed_by_its_name),
        cmocka_unit_test(what_a_bucket_kept_before_it_was_suspended_is_its_past),
        cmocka_unit_test(without_a_past_it_is_refused_with_the_reason),
    };

    return cmocka_run_group_tests_name("the past of a bucket", tests, NULL, NULL);
}
