/* Object locks, legal holds, tags and batches on versitygw 1.7.0 (which checks signatures) and
 * moto 5.2.3. */
#include "hold_kit.h"
#include "peer_kit.h"

#include "store/probe.h"

#define DAY_MS INT64_C(86400000)

static void add_line(void *arg, const char *line)
{
    mst_str_addf(arg, "%s\n", line);
    print_message("%s\n", line);
}

static void write_locked(struct mst_store *s, char keys[3][MST_KEY_MAX])
{
    const int64_t wanted = (mst_clock_utc_ms(NULL) / DAY_MS + 4) * DAY_MS;
    const size_t large = MST_S3_PART_MIN + 1;
    uint8_t *p = kit_bytes(large, 3);
    struct mst_store_info info;
    struct mst_err err = {0};

    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(keys[i], MST_KEY_MAX, "rs0/backups/x/<%zu>&é%s", i, i == 2 ? "/claim" : "");
        assert_ok(kit_put(s, keys[i], p, i == 1 ? large : 10, &err), &err);
        assert_ok(mst_store_info(s, keys[i], &info, &err), &err);
        assert_int_equal(info.locked_until_ms, i == 2 ? 0 : wanted);
        assert_string_equal(info.lock_mode, i == 2 ? "" : "GOVERNANCE");
    }
    free(p);
}

/* keys: a held one, and one that is free. */
static void hold_keeps_one(const struct realstore *r, struct mst_store *s)
{
    static const char keys[2][MST_KEY_MAX] = {"rs0/a/claim", "rs0/b/claim"}; /* not locked */
    struct mst_store_swept w = {0};
    struct mst_store_info info;
    struct mst_err err = {0};

    for (size_t i = 0; i < 2; i++) {
        assert_ok(mst_store_put_all(s, keys[i], "x", 1, &err), &err);
    }
    hold_put(r, "sets/rs0/rs0/a/claim", true);
    assert_ok(mst_store_info(s, keys[0], &info, &err), &err);
    assert_string_equal(info.hold, "legal hold");
    assert_ok(mst_store_delete_many(s, keys, 2, &w, NULL, &err), &err);
    assert_int_equal(w.gone, 1);
    assert_int_equal(w.held, 1);
    assert_string_equal(w.held_key, keys[0]);
    assert_string_equal(w.held_word, "legal hold");
    hold_put(r, "sets/rs0/rs0/a/claim", false);
    assert_ok(mst_store_delete(s, keys[0], &err), &err);
}

static void on(enum realstore_kind kind, bool tags, bool locks_hold)
{
    const struct realstore_opts with = {.versioned = true, .lock = true};
    struct realstore r;
    struct mst_store *s;
    struct mst_store_swept w = {0};
    struct mst_str lines = {0};
    const struct mst_probe_opts o = {
        .prefix = "rs0/probe/x", .large_bytes = 6U << 20, .say = add_line, .arg = &lines};
    struct mst_probe_result res;
    struct mst_err err = {0};
    char keys[3][MST_KEY_MAX];

    realstore_start(&r, kind, &with);
    s = kit_open_real(&r,
                      (struct mst_s3_conf){.profile = "versitygw",
                                           .prefix = "sets/rs0",
                                           .marks = {.lock_days = 3, .tags = "team=data%20base"}});
    write_locked(s, keys);
    assert_ok(mst_store_delete_many(s, (const char(*)[MST_KEY_MAX])keys, 3, &w, NULL, &err), &err);
    assert_int_equal(w.gone, 1); /* the claim */
    assert_int_equal(w.locked, 2);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(keys[i], MST_KEY_MAX, "rs0/%zu/claim", i);
        assert_ok(mst_store_put_all(s, keys[i], "x", 1, &err), &err);
    }
    memset(&w, 0, sizeof(w));
    assert_ok(mst_store_delete_many(s, (const char(*)[MST_KEY_MAX])keys, 3, &w, NULL, &err), &err);
    assert_int_equal(w.gone, 3); /* in one request */
    assert_int_equal(w.markers, 3);
    hold_keeps_one(&r, s);
    (void)!mst_probe_run(s, &o, NULL, &res, &err);
    if (locks_hold) {
        assert_non_null(strstr(mst_str_c(&lines), "lock         ok          GOVERNANCE until "));
    }
    if (tags) {
        assert_non_null(strstr(mst_str_c(&lines), "tags         ok "));
    }
    assert_non_null(strstr(mst_str_c(&lines), "versions     ok "));
    assert_non_null(strstr(mst_str_c(&lines), "WARNING     this key may also replace objects"));
    mst_str_release(&lines);
    mst_store_free(s);
    realstore_stop(&r);
}

static void versitygw_locks_tags_and_removes_in_batches(void **state)
{
    (void)state;
    on(REAL_VERSITYGW, true, true);
}

static void moto_locks_tags_and_removes_in_batches(void **state)
{
    (void)state;
    on(REAL_MOTO, true, true);
}

static void a_bucket_without_locks_is_refused_before_a_byte_is_written(void **state)
{
    struct realstore r;
    struct mst_store *s;
    struct kit_count c = {0};
    struct mst_err err = {0};

    (void)state;
    realstore_start(&r, REAL_VERSITYGW, &(struct realstore_opts){.versioned = false});
    s = kit_open_real(&r, (struct mst_s3_conf){.profile = "versitygw", .marks = {.lock_days = 3}});
    assert_rc(mst_store_put_all(s, "x", "x", 1, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "its bucket vault takes no object locks"));
    assert_ok(mst_store_list(s, "", kit_count_item, &c, NULL, &err), &err);
    assert_int_equal(c.n, 0);
    mst_str_release(&c.keys);
    mst_store_free(s);
    realstore_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versitygw_locks_tags_and_removes_in_batches),
        cmocka_unit_test(moto_locks_tags_and_removes_in_batches),
        cmocka_unit_test(a_bucket_without_locks_is_refused_before_a_byte_is_written),
    };

    realstore_need(REAL_VERSITYGW);
    realstore_need(REAL_MOTO);
    return cmocka_run_group_tests_name("locks on real stores", tests, NULL, NULL);
}
