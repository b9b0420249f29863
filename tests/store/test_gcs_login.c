/* Ways to an access token, and what is said when one of them cannot be gone; what stands at an
 * endpoint that is none. */
#include "gcs_kit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "conc/thread.h"
#include "store/gcs_own.h"

static enum mst_rc stat_x(struct kit *k, struct mst_err *err)
{
    uint64_t bytes;

    return mst_store_stat(k->s, "x", &bytes, err);
}

static void use_key_file(struct kit *k)
{
    char *path = kit_path(k, "key.json");
    struct mst_gauth_opts a = {.service_account_file = path};

    gcsd_key_file(k->d, path);
    gcsd_put(k->d, "rs0/x", "abc", 3);
    kit_open_auth(k, &a, "rs0");
    free(path);
}

static void a_service_account_signs_and_its_token_is_kept(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};
    char who[100];
    int64_t until = 0;

    use_key_file(k);
    assert_true(mst_store_gcs_who(k->s, who, sizeof(who), &until));
    assert_string_equal(who, "backup@project.iam.gserviceaccount.com");
    assert_int_equal(until, 0);
    for (int i = 0; i < 3; i++) {
        assert_ok(stat_x(k, &err), &err);
    }
    assert_int_equal(gcsd_count(k->d, GCSD_TOKEN), 1);
    assert_true(mst_store_gcs_who(k->s, who, sizeof(who), &until));
    assert_near((double)(until - mst_clock_utc_ms(NULL)), 3600000, 20000);
    kit_no_complaints(k);
}

static void a_token_is_renewed_before_it_ends(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};

    gcsd_token_life(k->d, 299); /* less than the five minutes */
    use_key_file(k);
    assert_ok(stat_x(k, &err), &err);
    assert_ok(stat_x(k, &err), &err);
    assert_int_equal(gcsd_count(k->d, GCSD_TOKEN), 2);
    /* The next one cannot be had: the present one serves. */
    gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_TOKEN,
                                         .times = UINT_MAX,
                                         .what = GCSD_STATUS,
                                         .status = 403,
                                         .reason = "forbidden"});
    assert_ok(stat_x(k, &err), &err);
    kit_no_complaints(k);
}

static void a_token_that_is_refused_is_replaced_once(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};

    use_key_file(k);
    assert_ok(stat_x(k, &err), &err);
    gcsd_expire(k->d);
    assert_ok(stat_x(k, &err), &err);
    assert_int_equal(gcsd_count(k->d, GCSD_TOKEN), 2);
    gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_STAT,
                                         .times = UINT_MAX,
                                         .what = GCSD_STATUS,
                                         .status = 401,
                                         .reason = "authError"});
    assert_rc(stat_x(k, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "answered 401 (authError): as it was planned"));
    assert_int_equal(gcsd_count(k->d, GCSD_TOKEN), 3);
    assert_int_equal(gcsd_count(k->d, GCSD_STAT), 5);
    kit_no_complaints(k);
}

static void a_token_ends_in_the_middle_of_an_upload(void **state)
{
    struct kit *k = *state;
    const size_t n = 3 * KIT_CHUNK + 1;
    uint8_t *p = kit_data(n, 1);
    struct mst_store_put *put;
    struct mst_err err = {0};

    use_key_file(k);
    assert_ok(mst_store_put_begin(k->s, "large", &put, &err), &err);
    assert_ok(mst_store_put_add(put, p, 2 * KIT_CHUNK, &err), &err);
    gcsd_expire(k->d);
    assert_ok(mst_store_put_add(put, p + 2 * KIT_CHUNK, n - 2 * KIT_CHUNK, &err), &err);
    assert_ok(mst_store_put_finish_take(put, &err), &err);
    assert_true(gcsd_has(k->d, "rs0/large", p, n));
    free(p);
    kit_no_complaints(k);
}

static void a_clock_that_is_an_hour_off_is_repaired(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};

    gcsd_clock(k->d, 3700);
    use_key_file(k);
    gcsd_token_life(k->d, 3600);
    assert_ok(stat_x(k, &err), &err);
    assert_int_equal(gcsd_count(k->d, GCSD_TOKEN), 2); /* refused, and once more by its clock */
}

static void a_workload_identity_is_exchanged_and_impersonates(void **state)
{
    struct kit *k = *state;
    char *path = kit_path(k, "identity.json"), *subject = kit_path(k, "subject");
    struct mst_err err = {0};

    gcsd_put(k->d, "rs0/x", "abc", 3);
    for (int i = 0; i < 4; i++) {
        struct mst_gauth_opts a = {.workload_identity_file = path};
        char who[100];
        int64_t until;

        gcsd_workload_file(k->d, path, subject, i % 2 != 0, i > 1);
        kit_open_auth(k, &a, "rs0");
        assert_ok(stat_x(k, &err), &err);
        assert_true(mst_store_gcs_who(k->s, who, sizeof(who), &until));
        assert_string_equal(who, i > 1 ? "backup@project.iam.gserviceaccount.com"
                                       : "//iam.googleapis.com/pools/p");
        assert_near((double)(until - mst_clock_utc_ms(NULL)), 3600000, 20000);
    }
    assert_int_equal(gcsd_count(k->d, GCSD_STS), 4);
    assert_int_equal(gcsd_count(k->d, GCSD_IMPERSONATE), 2);
    kit_no_complaints(k);
    free(path);
    free(subject);
}

static void the_metadata_server_must_say_that_it_is_one(void **state)
{
    struct kit *k = *state;
    struct mst_gauth_opts a = {.metadata = true};
    struct mst_err err = {0};

    gcsd_put(k->d, "rs0/x", "abc", 3);
    assert_int_equal(setenv("GCE_METADATA_HOST", gcsd_host(k->d), 1), 0);
    kit_open_auth(k, &a, "rs0");
    assert_ok(stat_x(k, &err), &err);
    assert_int_equal(gcsd_count(k->d, GCSD_METADATA), 1);
    kit_fault(k, GCSD_METADATA, 1, 1, GCSD_NO_FLAVOR);
    kit_open_auth(k, &a, "rs0");
    assert_rc(stat_x(k, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "does not say that it is one: something else answers"));
    assert_int_equal(unsetenv("GCE_METADATA_HOST"), 0);
    kit_no_complaints(k);
}

static void a_command_is_asked_again_when_its_token_is_refused(void **state)
{
    struct kit *k = *state;
    char *log = kit_path(k, "subject");
    char *script = mst_xasprintf("echo x >>%s; echo " GCSD_COMMAND_TOKEN, log);
    char argv[3][MST_CFG_WORD] = {"/bin/sh", "-c", ""};
    const struct mst_cfg_list command = {.n = 3, .item = argv};
    struct mst_gauth_opts a = {.token_command = &command, .http = kit_http()};
    struct mst_gauth *auth = NULL;
    struct mst_secret token = {0};
    struct mst_buf lines = {0};
    struct mst_err err = {0};

    (void)mst_copy(argv[2], sizeof(argv[2]), script);
    assert_ok(mst_gauth_new(&a, &auth, &err), &err);
    assert_ok(mst_gauth_token(auth, &token, NULL, &err), &err);
    assert_string_equal(token.p, GCSD_COMMAND_TOKEN);
    assert_ok(mst_gauth_token(auth, &token, NULL, &err), &err);
    mst_gauth_reject(auth, &token);
    assert_ok(mst_gauth_token(auth, &token, NULL, &err), &err);
    assert_ok(mst_file_read(log, 100, &lines, &err), &err);
    assert_int_equal(lines.len, 4); /* run twice */
    (void)mst_copy(argv[2], sizeof(argv[2]), "exit 3");
    mst_gauth_free(auth);
    assert_ok(mst_gauth_new(&a, &auth, &err), &err);
    assert_rc(mst_gauth_token(auth, &token, NULL, &err), MST_E_AUTH, &err);
    assert_string_equal(err.msg, "the token command /bin/sh failed (status 3)");
    mst_gauth_free(auth);
    mst_secret_release(&token);
    mst_buf_release(&lines);
    free(log);
    free(script);
}

struct many {
    struct kit *k;
    atomic_uint bad;
};

static void look_often(void *arg)
{
    struct many *m = arg;
    struct mst_err err = {0};

    for (int i = 0; i < 20; i++) {
        m->bad += stat_x(m->k, &err) != MST_OK;
    }
}

static void many_threads_ask_for_one_token(void **state)
{
    struct kit *k = *state;
    struct mst_thread t[6] = {0};
    struct many m = {.k = k};
    struct mst_err err = {0};

    use_key_file(k);
    for (size_t i = 0; i < MST_COUNT(t); i++) {
        assert_ok(mst_thread_start(&t[i], "look", look_often, &m, &err), &err);
    }
    for (size_t i = 0; i < MST_COUNT(t); i++) {
        mst_thread_join(&t[i]);
    }
    assert_int_equal(m.bad, 0);
    assert_int_equal(gcsd_count(k->d, GCSD_TOKEN), 1);
    kit_no_complaints(k);
}

/* --- files that cannot be used --- */

static void refuse_file(const char *path, bool workload, mode_t mode, const char *text,
                        enum mst_rc rc, const char *want)
{
    struct mst_gauth_opts a = {.service_account_file = workload ? NULL : path,
                               .workload_identity_file = workload ? path : NULL};
    struct mst_gauth *auth = NULL;
    struct mst_err err = {0};

    assert_ok(mst_file_replace(path, mode, text, strlen(text), &err), &err);
    assert_rc(mst_gauth_new(&a, &auth, &err), rc, &err);
    if (!strstr(err.msg, want)) {
        fail_msg("'%s' does not say '%s'", err.msg, want);
    }
}

static void a_file_that_cannot_be_used_is_said_in_one_sentence(void **state)
{
    struct kit *k = *state;
    char *path = kit_path(k, "key.json"), *large = mst_xmalloc(70000);
    struct mst_gauth_opts none = {0};
    struct mst_gauth *auth = NULL;
    struct mst_err err = {0};

    memset(large, ' ', 69999);
    large[69999] = '\0';
    assert_rc(mst_gauth_new(&none, &auth, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "no credentials: one of service_account_file"));
    none = (struct mst_gauth_opts){.service_account_file = path, .metadata = true};
    assert_rc(mst_gauth_new(&none, &auth, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "more than one kind of credentials"));
    none.metadata = false;
    assert_rc(mst_gauth_new(&none, &auth, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "cannot read the service account file "));
    refuse_file(path, false, 0644, "{}", MST_E_CONFIG,
                "can be read by others (mode 0644): chmod 600 it");
    refuse_file(path, false, 0600, "{}", MST_E_CONFIG, "its type is '', not 'service_account'");
    refuse_file(path, false, 0600, "", MST_E_CONFIG, "cannot be used: it is not a JSON object");
    refuse_file(path, false, 0600, "{\"type\":\"service_account\"", MST_E_CONFIG,
                "it is not a JSON object");
    refuse_file(path, false, 0600, large, MST_E_LIMIT, "has more than 65536 bytes");
    refuse_file(path, false, 0600, "{\"type\":\"authorized_user\"}", MST_E_CONFIG,
                "its type is 'authorized_user', not 'service_account'");
    refuse_file(path, false, 0600, "{\"type\":\"service_account\",\"client_email\":\"a@b\"}",
                MST_E_CONFIG, "it has no private_key_id");
    refuse_file(path, false, 0600,
                "{\"type\":\"service_account\",\"client_email\":\"a@b\",\"private_key_id\":\"1\","
                "\"token_uri\":\"http://example.com/token\",\"private_key\":\"x\"}",
                MST_E_CONFIG, "its token_uri is plain http: only with plain_http = true");
    refuse_file(path, false, 0600,
                "{\"type\":\"service_account\",\"client_email\":\"a@b\",\"private_key_id\":\"1\","
                "\"token_uri\":\"https://example.com/token\",\"private_key\":\"x\"}",
                MST_E_CONFIG, "the private key cannot be read as PEM");
    refuse_file(path, true, 0600,
                "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
                "\"token_url\":\"https://sts.example.com/\",\"credential_source\":{\"url\":\"u\"}}",
                MST_E_CONFIG, "its credential_source is not a file: only tokens in files are read");
    free(path);
    free(large);
}

static void a_bucket_or_an_endpoint_that_cannot_be_used_is_said(void **state)
{
    static const struct {
        const char *bucket, *prefix, *endpoint, *want;
    } cases[] = {
        {"Upper", "", "", "'Upper' is not the name of a bucket of Google Cloud Storage"},
        {"a/b", "", "", "is not the name of a bucket"},
        {"abc", "../x", "", "'../x' cannot be a prefix in a bucket"},
        {"abc", "", "http://127.0.0.1:1", "endpoint is plain http: only with plain_http = true"},
        {"abc", "", "storage.googleapis.com", "endpoint must begin with https://"},
        {"abc", "", "https://user@host/", "endpoint has no host that can be used"},
    };
    struct mst_err err = {0};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        const struct mst_gcs_opts o = {
            .bucket = cases[i].bucket, .prefix = cases[i].prefix, .endpoint = cases[i].endpoint};
        struct mst_store *s = NULL;

        assert_rc(mst_store_gcs_open_take("cloud", &o, NULL, &s, &err), MST_E_CONFIG, &err);
        if (!strstr(err.msg, cases[i].want) || strncmp(err.msg, "the store cloud: ", 17) != 0) {
            fail_msg("'%s' does not say '%s'", err.msg, cases[i].want);
        }
    }
}

/* --- what stands at the endpoint --- */

static void what_is_no_answer_is_said_in_one_sentence(void **state)
{
    static const struct {
        struct gcsd_fault f;
        enum mst_rc rc;
        const char *want;
    } cases[] = {
        {{.what = GCSD_HTML},
         MST_E_INTEGRITY,
         "answered 200 with a web page instead of JSON: a proxy or the login page of a network "
         "stands in between"},
        {{.what = GCSD_HTML, .status = 403},
         MST_E_AUTH,
         "answered 403 with a web page: a proxy or the login page of a network"},
        {{.what = GCSD_EMPTY},
         MST_E_INTEGRITY,
         "answered 200 with an empty body where JSON is expected"},
        {{.what = GCSD_GARBAGE},
         MST_E_INTEGRITY,
         "answered 200 with something that is not a JSON object"},
        {{.what = GCSD_REDIRECT},
         MST_E_SERVER,
         "answered 307 and points elsewhere, which is not followed"},
        {{.what = GCSD_STATUS, .status = 403, .reason = "forbidden"},
         MST_E_AUTH,
         "answered 403 (forbidden): as it was planned"},
        {{.what = GCSD_EMPTY, .status = 404}, MST_E_NOTFOUND, "answered 404 and does not say why"},
    };
    struct kit *k = *state;

    gcsd_put(k->d, "rs0/x", "abc", 3);
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        struct gcsd_fault f = cases[i].f;
        struct mst_err err = {0};

        f.kind = GCSD_STAT;
        f.times = UINT_MAX;
        gcsd_plan_none(k->d);
        gcsd_plan(k->d, &f);
        assert_rc(stat_x(k, &err), cases[i].rc, &err);
        if (!strstr(err.msg, cases[i].want) ||
            !strstr(err.msg, "cannot look at x: the store cloud (bucket")) {
            fail_msg("'%s' does not say '%s'", err.msg, cases[i].want);
        }
    }
    kit_no_complaints(k);
}

static bool none(void *arg, const struct mst_store_item *item)
{
    (void)arg;
    (void)item;
    return true;
}

static void a_missing_bucket_and_another_host_are_said(void **state)
{
    static char argv[2][MST_CFG_WORD] = {"/bin/echo", GCSD_COMMAND_TOKEN};
    const struct mst_cfg_list command = {.n = 2, .item = argv};
    struct kit *k = *state;
    const struct mst_gcs_opts o = {
        .bucket = "nowhere", .endpoint = gcsd_url(k->d), .write = true, .http = kit_http()};
    struct mst_gauth_opts a = {.token_command = &command, .http = kit_http()};
    struct mst_gauth *auth = NULL;
    struct mst_store *s = NULL;
    uint8_t *p = kit_data(KIT_CHUNK + 1, 1);
    struct mst_err err = {0};

    assert_ok(mst_gauth_new(&a, &auth, &err), &err);
    assert_ok(mst_store_gcs_open_take("cloud", &o, auth, &s, &err), &err);
    assert_rc(mst_store_list(s, "", none, NULL, NULL, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "answered 404 (notFound): The specified bucket does not "
                                    "exist: make it, or mend bucket"));
    mst_store_free(s);
    kit_fault(k, GCSD_START, 1, 1, GCSD_OTHER_HOST);
    assert_rc(kit_put(k, "x", p, KIT_CHUNK + 1, &err), MST_E_SERVER, &err);
    assert_non_null(strstr(err.msg, "sends the upload to another host, which gets nothing"));
    assert_int_equal(gcsd_objects(k->d), 0);
    free(p);
    kit_no_complaints(k);
}

static void a_server_that_asks_for_patience_gets_it(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};
    const int64_t from = mst_clock_mono_ms(NULL);

    gcsd_put(k->d, "rs0/x", "abc", 3);
    gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_STAT,
                                         .what = GCSD_STATUS,
                                         .status = 429,
                                         .reason = "rateLimitExceeded",
                                         .ms = 1000});
    assert_ok(stat_x(k, &err), &err);
    assert_true(mst_clock_mono_ms(NULL) - from >= 1000);
    gcsd_plan_none(k->d);
    gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_STAT,
                                         .times = UINT_MAX,
                                         .what = GCSD_STATUS,
                                         .status = 503,
                                         .ms = 3600000}); /* an hour is past the budget */
    assert_rc(stat_x(k, &err), MST_E_NET, &err);
    assert_int_equal(gcsd_struck(k->d), 1);
    kit_no_complaints(k);
}

static void a_server_that_asks_for_less_gets_less(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};
    struct mst_http *h = gcs_of(k->s)->http;

    gcsd_put(k->d, "rs0/x", "abc", 3);
    assert_int_equal(mst_http_at_once(h), 4);
    gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_STAT,
                                         .what = GCSD_STATUS,
                                         .status = 429,
                                         .reason = "rateLimitExceeded"});
    assert_ok(stat_x(k, &err), &err);
    assert_int_equal(mst_http_at_once(h), 1);
    for (int i = 0; i < 48; i++) {
        assert_ok(stat_x(k, &err), &err);
    }
    assert_int_equal(mst_http_at_once(h), 4); /* and after a while all of it again */
    kit_no_complaints(k);
}

static void a_cancelled_task_ends_the_wait(void **state)
{
    struct kit *k = *state;
    struct mst_task task;
    struct mst_err err = {0};
    const int64_t from = mst_clock_mono_ms(NULL);

    assert_ok(mst_task_init(&task, &err), &err);
    mst_task_cancel(&task);
    mst_store_work_for(&task);
    kit_fault(k, GCSD_STAT, 1, UINT_MAX, GCSD_STALL);
    assert_rc(stat_x(k, &err), MST_E_CANCELLED, &err);
    assert_true(mst_clock_mono_ms(NULL) - from < 900);
    mst_store_work_for(NULL);
    mst_task_release(&task);
}

#define T(name) cmocka_unit_test_setup_teardown(name, kit_up, kit_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_service_account_signs_and_its_token_is_kept),
        T(a_token_is_renewed_before_it_ends),
        T(a_token_that_is_refused_is_replaced_once),
        T(a_token_ends_in_the_middle_of_an_upload),
        T(a_clock_that_is_an_hour_off_is_repaired),
        T(a_workload_identity_is_exchanged_and_impersonates),
        T(the_metadata_server_must_say_that_it_is_one),
        T(a_command_is_asked_again_when_its_token_is_refused),
        T(many_threads_ask_for_one_token),
        T(a_server_that_asks_for_less_gets_less),
        T(a_file_that_cannot_be_used_is_said_in_one_sentence),
        T(a_bucket_or_an_endpoint_that_cannot_be_used_is_said),
        T(what_is_no_answer_is_said_in_one_sentence),
        T(a_missing_bucket_and_another_host_are_said),
        T(a_server_that_asks_for_patience_gets_it),
        T(a_cancelled_task_ends_the_wait),
    };
    return cmocka_run_group_tests_name("gcs_login", tests, NULL, NULL);
}
