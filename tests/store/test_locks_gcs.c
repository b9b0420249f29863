/* Retention, tags and the test of a store, before the scripted Google Cloud Storage. */
#include "gcs_kit.h"

#include "base/clock.h"
#include "store/probe.h"

#define DAYS 7
#define DAY_MS INT64_C(86400000)

static void open_with(struct kit *k, int64_t days, const char *mode)
{
    static char argv[2][MST_CFG_WORD] = {"/bin/echo", GCSD_COMMAND_TOKEN};
    const struct mst_cfg_list command = {.n = 2, .item = argv};
    struct mst_gauth_opts a = {.token_command = &command, .http = kit_http(), .tries_max = 3};
    const struct mst_gcs_opts o = {.bucket = KIT_BUCKET,
                                   .prefix = "rs0",
                                   .endpoint = gcsd_url(k->d),
                                   .marks = {days, mode, "team=data%20base&for=muster"},
                                   .write = true,
                                   .chunk_bytes = KIT_CHUNK,
                                   .http = kit_http(),
                                   .tries_max = 4,
                                   .budget_ms = 20000};
    struct mst_gauth *auth = NULL;
    struct mst_err err = {0};

    assert_ok(mst_gauth_new(&a, &auth, &err), &err);
    mst_store_free(k->s);
    assert_ok(mst_store_gcs_open_take("cloud", &o, auth, &k->s, &err), &err);
}

static void what_is_written_is_retained_either_way(void **state)
{
    static const size_t sizes[] = {10, 2 * KIT_CHUNK + 1}; /* at once, and by a session */
    const int64_t wanted = (mst_clock_utc_ms(NULL) / DAY_MS + DAYS + 1) * DAY_MS;
    struct kit *k = *state;
    uint8_t *data = kit_data(sizes[1], 3);
    struct mst_store_info info;
    struct mst_store_swept w = {0};
    struct mst_str tags = {0};
    struct mst_err err = {0};
    char keys[2][MST_KEY_MAX];

    open_with(k, DAYS, "COMPLIANCE");
    for (size_t i = 0; i < MST_COUNT(sizes); i++) {
        (void)snprintf(keys[i], MST_KEY_MAX, "rs0/backups/x/%zu", i);
        assert_ok(kit_put(k, keys[i], data, sizes[i], &err), &err);
        assert_ok(mst_store_info(k->s, keys[i], &info, &err), &err);
        assert_string_equal(info.lock_mode, "COMPLIANCE");
        assert_int_equal(info.locked_until_ms, wanted);
        mst_str_reset(&tags);
        assert_ok(mst_store_tags(k->s, keys[i], &tags, &err), &err);
        assert_string_equal(mst_str_c(&tags), "team=data%20base&for=muster");
    }
    assert_int_equal(gcsd_count(k->d, GCSD_PATCH), 0);
    assert_rc(mst_store_delete(k->s, keys[0], &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, " is locked until "));
    memset(&err, 0, sizeof(err));
    gcsd_put(k->d, "rs0/free", "x", 1);
    (void)mst_copy(keys[1], MST_KEY_MAX, "free");
    assert_ok(mst_store_delete_many(k->s, (const char(*)[MST_KEY_MAX])keys, 2, &w, NULL, &err),
              &err);
    assert_int_equal(w.gone, 1);
    assert_int_equal(w.locked, 1);
    assert_int_equal(w.locked_until_ms, wanted);
    mst_str_release(&tags);
    free(data);
    kit_no_complaints(k);
}

static void a_bucket_without_retention_gets_nothing(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};

    gcsd_no_retention(k->d);
    open_with(k, DAYS, NULL);
    assert_rc(mst_store_put_all(k->s, "x", "x", 1, &err), MST_E_CONFIG, &err);
    assert_string_equal(err.msg, "the store cloud says lock_days, and its bucket " KIT_BUCKET
                                 " takes no object retention: enable it there, or take lock_days "
                                 "out");
    assert_int_equal(gcsd_objects(k->d), 0);
    assert_int_equal(gcsd_count(k->d, GCSD_MULTIPART), 0);
    memset(&err, 0, sizeof(err));
    gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_BUCKET,
                                         .times = UINT_MAX,
                                         .what = GCSD_STATUS,
                                         .status = 403,
                                         .reason = "forbidden"});
    assert_rc(mst_store_put_all(k->s, "x", "x", 1, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "it needs storage.buckets.get"));
    assert_int_equal(gcsd_objects(k->d), 0);
}

/* A bucket's policy is not among what is asked before: the refusal itself tells. */
static void a_hold_of_the_store_keeps_one_and_the_others_go(void **state)
{
    static const char keys[4][MST_KEY_MAX] = {"a", "b", "c", "d"};
    struct kit *k = *state;
    struct mst_store_swept w = {0};
    struct mst_err err = {0};
    char text[MST_SWEPT_TEXT];

    gcsd_put(k->d, "rs0/a", "x", 1);
    gcsd_put(k->d, "rs0/b", "x", 1);
    gcsd_put(k->d, "rs0/c", "x", 1);
    gcsd_put(k->d, "rs0/d", "x", 1);
    gcsd_retain(k->d, "rs0/b", "", "", true);
    gcsd_retain(k->d, "rs0/d", "Unlocked", "2031-01-01T00:00:00Z", false);
    assert_ok(mst_store_delete_many(k->s, keys, 4, &w, NULL, &err), &err);
    assert_int_equal(w.gone, 2);
    assert_int_equal(w.locked, 1);
    assert_int_equal(w.held, 1);
    assert_string_equal(w.held_key, "b");
    mst_store_swept_text(&w, text, sizeof(text));
    assert_string_equal(text, "; 1 stays, locked until 2031-01-01T00:00:00Z; 1 stays, held in "
                              "the store (temporary hold) until somebody takes that off");
    assert_int_equal(gcsd_objects(k->d), 2);
}

static void each_kind_of_hold_has_its_word(void **state)
{
    struct kit *k = *state;
    struct mst_store_info info;
    struct mst_err err = {0};

    gcsd_put(k->d, "rs0/a", "x", 1);
    assert_ok(mst_store_info(k->s, "a", &info, &err), &err);
    assert_string_equal(info.hold, "");
    gcsd_hold_by_event(k->d, "rs0/a");
    assert_ok(mst_store_info(k->s, "a", &info, &err), &err);
    assert_string_equal(info.hold, "event-based hold");
    assert_rc(mst_store_delete(k->s, "a", &err), MST_E_PRECOND, &err);
    gcsd_retain(k->d, "rs0/a", "", "", true);
    assert_ok(mst_store_info(k->s, "a", &info, &err), &err);
    assert_string_equal(info.hold, "temporary and event-based hold");
}

static void add_line(void *arg, const char *line)
{
    mst_str_addf(arg, "%s\n", line);
}

static void has(const struct mst_str *s, const char *line)
{
    if (!strstr(mst_str_c(s), line)) {
        fail_msg("no line \"%s\" in\n%s", line, mst_str_c(s));
    }
}

static void the_test_says_what_the_account_may_besides(void **state)
{
    struct kit *k = *state;
    struct mst_str s = {0};
    struct mst_probe_opts o = {
        .prefix = "rs0/probe/x", .large_bytes = 1U << 20, .say = add_line, .arg = &s};
    struct mst_probe_result res;
    struct mst_err err = {0};

    gcsd_versions(k->d);
    open_with(k, 0, NULL); /* nobody has asked it yet what it can do */
    assert_ok(mst_probe_run(k->s, &o, NULL, &res, &err), &err);
    has(&s, "lock         ok          GOVERNANCE until ");
    has(&s, "checksum     ok          a false checksum is refused");
    has(&s, "versions     ok          kept and listed");
    has(&s, "tags         ok          read back");
    has(&s, "privilege    ok          setting a lock aside was refused");
    has(&s, "privilege    not checked whether this key may write outside of the prefix could not");
    assert_int_equal(res.failed, 0);
    mst_str_reset(&s);
    gcsd_may_delete(k->d);
    o.prefix = "rs0/probe/y";
    assert_ok(mst_probe_run(k->s, &o, NULL, &res, &err), &err);
    has(&s, "WARNING     this key may also set locks of mode GOVERNANCE aside");
    has(&s, "WARNING     this key may also replace objects");
    mst_str_release(&s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, kit_up, kit_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_written_is_retained_either_way),
        T(a_bucket_without_retention_gets_nothing),
        T(a_hold_of_the_store_keeps_one_and_the_others_go),
        T(each_kind_of_hold_has_its_word),
        T(the_test_says_what_the_account_may_besides),
    };

    return cmocka_run_group_tests_name("locks on gcs", tests, NULL, NULL);
}
