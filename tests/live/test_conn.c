#include "conn_kit.h"

#include <netdb.h>

#include "base/buf.h"
#include "base/clock.h"
#include "mongo/resolve.h"

static void a_member_is_reached_and_answers(void **state)
{
    struct mst_conn *c = open_ok(*state);
    struct mst_err err = {0};

    assert_ok(ask(c, "ping", 1000, &err), &err);
    assert_int_equal(mst_conn_wire(c), 8);
    assert_int_equal(mst_conn_max_message(c), 48000000);
    assert_string_equal(mst_conn_name(c), mock_addr(*state));
    assert_false(mst_conn_broken(c));
    mst_conn_free(c);
}

static void commands_carry_no_session_and_allow_secondaries(void **state)
{
    struct mst_conn *c = open_ok(*state);
    struct mst_err err = {0};
    bson_t sent;
    char mode[32];

    assert_ok(ask(c, "ping", 1000, &err), &err);
    assert_true(mock_last(*state, "ping", &sent));
    assert_false(bson_has_field(&sent, "lsid"));
    assert_true(mst_bson_text(&sent, "$readPreference.mode", mode, sizeof(mode)));
    assert_string_equal(mode, "primaryPreferred");
    assert_true(mst_bson_text(&sent, "$db", mode, sizeof(mode)));
    assert_string_equal(mode, "admin");
    bson_destroy(&sent);
    mst_conn_free(c);
}

static void an_unknown_command_is_a_server_error_with_its_code(void **state)
{
    struct mst_conn *c = open_ok(*state);
    struct mst_err err = {0};

    assert_rc(ask(c, "nosuch", 1000, &err), MST_E_SERVER, &err);
    assert_int_equal(err.detail, MST_SC_CMD_NOT_FOUND);
    assert_false(mst_conn_broken(c)); /* the connection is as good as before */
    assert_ok(ask(c, "ping", 1000, &err), &err);
    mst_conn_free(c);
}

static void nobody_listening_is_a_network_error(void **state)
{
    const struct mst_conn_opts o = opts(*state);
    struct mst_conn *c = NULL;
    struct mst_err err = {0};

    mock_refuse(*state, true);
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_NET, &err);
    assert_non_null(strstr(err.msg, "refused"));
    assert_null(c);
}

static void a_silent_server_ends_at_the_deadline(void **state)
{
    const struct mst_conn_opts o = opts(*state);
    struct mst_conn *c = NULL;
    struct mst_err err = {0};
    const int64_t start = mst_clock_mono_ms(NULL);

    mock_freeze(*state, true);
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_TIMEOUT, &err);
    assert_true(mst_clock_mono_ms(NULL) - start < 4000);
    mock_freeze(*state, false);
}

static void a_silent_command_ends_at_its_deadline_and_breaks_the_connection(void **state)
{
    struct mst_conn *c = open_ok(*state);
    struct mst_err err = {0};

    mock_fault(*state, "ping", MOCK_SILENT);
    assert_rc(ask(c, "ping", 150, &err), MST_E_TIMEOUT, &err);
    assert_true(mst_conn_broken(c));
    assert_rc(ask(c, "ping", 150, &err), MST_E_NET, &err);
    mst_conn_free(c);
}

static void a_slow_drip_does_not_outlive_the_deadline(void **state)
{
    struct mst_conn *c = open_ok(*state);
    struct mst_err err = {0};
    const int64_t start = mst_clock_mono_ms(NULL);

    mock_fault(*state, "ping", MOCK_DRIP);
    assert_rc(ask(c, "ping", 200, &err), MST_E_TIMEOUT, &err);
    assert_true(mst_clock_mono_ms(NULL) - start < 2000);
    mst_conn_free(c);
}

static void a_dripping_hello_does_not_outlive_the_deadline(void **state)
{
    struct mst_conn_opts o = opts(*state);
    struct mst_conn *c = NULL;
    struct mst_err err = {0};
    const int64_t start = mst_clock_mono_ms(NULL);

    o.connect_ms = 300;
    mock_fault(*state, "isMaster", MOCK_DRIP);
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_TIMEOUT, &err);
    assert_true(mst_clock_mono_ms(NULL) - start < 2500);
}

static void malformed_replies_are_named_and_survived(void **state)
{
    static const enum mock_fault faults[] = {
        MOCK_OP_REPLY,          MOCK_CHECKSUM,        MOCK_MORE_TO_COME, MOCK_TWO_SECTIONS,
        MOCK_SHORT_LENGTH,      MOCK_NEGATIVE_LENGTH, MOCK_HUGE_LENGTH,  MOCK_BAD_DOC_LENGTH,
        MOCK_WRONG_RESPONSE_TO, MOCK_GARBAGE};

    for (size_t i = 0; i < MST_COUNT(faults); i++) {
        struct mst_conn *c = open_ok(*state);
        struct mst_err err = {0};

        mock_fault(*state, "ping", faults[i]);
        assert_rc(ask(c, "ping", 1000, &err), MST_E_INTEGRITY, &err);
        assert_int_equal(err.detail, MST_CD_PROTOCOL);
        assert_true(mst_conn_broken(c));
        mst_conn_free(c);
        mock_fault(*state, "ping", MOCK_OK);
    }
}

static void malformed_hellos_are_named_and_survived(void **state)
{
    static const enum mock_fault faults[] = {MOCK_SHORT_LENGTH, MOCK_NEGATIVE_LENGTH,
                                             MOCK_HUGE_LENGTH,  MOCK_BAD_DOC_LENGTH,
                                             MOCK_GARBAGE,      MOCK_BAD_BSON};

    for (size_t i = 0; i < MST_COUNT(faults); i++) {
        const struct mst_conn_opts o = opts(*state);
        struct mst_conn *c = NULL;
        struct mst_err err = {0};

        mock_fault(*state, "isMaster", faults[i]);
        assert_rc(mst_conn_open(&o, &c, &err), MST_E_INTEGRITY, &err);
        assert_int_equal(err.detail, MST_CD_PROTOCOL);
    }
}

static void a_reply_cut_in_the_middle_is_a_network_error(void **state)
{
    struct mst_conn *c = open_ok(*state);
    struct mst_err err = {0};

    mock_fault(*state, "ping", MOCK_HALF);
    assert_rc(ask(c, "ping", 1000, &err), MST_E_NET, &err);
    mst_conn_free(c);
}

struct canceller {
    struct mst_task *task;
    int64_t after_ms;
};

static void cancel_thread(void *arg)
{
    const struct canceller *x = arg;

    mst_clock_sleep_ms(x->after_ms);
    mst_task_cancel(x->task);
}

static void a_cancel_ends_a_blocked_command_within_100_ms(void **state)
{
    struct mst_conn_opts o = opts(*state);
    struct mst_task task;
    struct mst_thread t = {0};
    struct canceller x = {.task = &task, .after_ms = 100};
    struct mst_conn *c = NULL;
    struct mst_err err = {0};
    int64_t start;

    assert_ok(mst_task_init(&task, &err), &err);
    o.task = &task;
    assert_ok(mst_conn_open(&o, &c, &err), &err);
    mock_fault(*state, "ping", MOCK_SILENT);
    assert_ok(mst_thread_start(&t, "cancel", cancel_thread, &x, &err), &err);
    start = mst_clock_mono_ms(NULL);
    assert_rc(ask(c, "ping", 20000, &err), MST_E_CANCELLED, &err);
    assert_true(mst_clock_mono_ms(NULL) - start < 100 + 100 + 400); /* room for a slow machine */
    mst_thread_join(&t);
    mst_conn_free(c);
    mst_task_release(&task);
}

static void a_cancel_ends_a_blocked_connect(void **state)
{
    struct mst_conn_opts o = opts(*state);
    struct mst_task task;
    struct mst_thread t = {0};
    struct canceller x = {.task = &task, .after_ms = 100};
    struct mst_conn *c = NULL;
    struct mst_err err = {0};
    const int64_t start = mst_clock_mono_ms(NULL);

    assert_ok(mst_task_init(&task, &err), &err);
    o.task = &task;
    o.connect_ms = 20000;
    mock_freeze(*state, true);
    assert_ok(mst_thread_start(&t, "cancel", cancel_thread, &x, &err), &err);
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_CANCELLED, &err);
    assert_true(mst_clock_mono_ms(NULL) - start < 1500);
    mst_thread_join(&t);
    mst_task_release(&task);
    mock_freeze(*state, false);
}

static int slow_lookup(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    (void)host;
    (void)service;
    (void)hints;
    (void)out;
    mst_clock_sleep_ms(1500);
    return EAI_AGAIN;
}

static int dead_lookup(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    (void)host;
    (void)service;
    (void)hints;
    (void)out;
    return EAI_AGAIN;
}

static void a_name_service_that_hangs_does_not_hang_us(void **state)
{
    struct mst_conn_opts o = {.connect_ms = 200};
    struct mst_conn *c = NULL;
    struct mst_err err = {0};
    const int64_t start = mst_clock_mono_ms(NULL);

    (void)state;
    (void)mst_copy(o.name, sizeof(o.name), "db1.example.test:27017");
    mst_resolve_with(slow_lookup);
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_TIMEOUT, &err);
    assert_true(mst_clock_mono_ms(NULL) - start < 1300);
    assert_non_null(strstr(err.msg, "name service"));
    mst_resolve_with(dead_lookup); /* the fault that locks the driver up for ever */
    for (int i = 0; i < 5; i++) {
        assert_rc(mst_conn_open(&o, &c, &err), MST_E_NET, &err);
    }
    mst_resolve_with(NULL);
    mst_clock_sleep_ms(1400 - (mst_clock_mono_ms(NULL) - start)); /* the lookup left behind ends */
}

static void a_wrong_member_behind_an_address_is_refused(void **state)
{
    struct mst_conn_opts o = opts(*state);
    struct mst_conn *c = NULL;
    struct mst_err err = {0};

    (void)mst_copy(o.name, sizeof(o.name), "db1.example.test:27017");
    (void)mst_copy(o.dial, sizeof(o.dial), mock_addr(*state));
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_PRECOND, &err);
    assert_int_equal(err.detail, MST_CD_WRONG_MEMBER);
    assert_int_equal(mock_count(*state, "ping"), 0);
}

static void refusal(void **state, const char *json, int detail)
{
    struct mst_conn_opts o = opts(*state);
    struct mst_conn *c = NULL;
    struct mst_err err = {0};

    o.set_name = "rs0";
    mock_reply_json(*state, "isMaster", json);
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_PRECOND, &err);
    assert_int_equal(err.detail, detail);
}

static void standalones_routers_and_other_sets_are_refused(void **state)
{
    refusal(state, "{\"ismaster\": true, \"maxWireVersion\": 8, \"ok\": 1.0}", MST_CD_NOT_REPLSET);
    refusal(state, "{\"ismaster\": true, \"msg\": \"isdbgrid\", \"maxWireVersion\": 8, \"ok\": 1}",
            MST_CD_MONGOS);
    refusal(state,
            "{\"ismaster\": false, \"isreplicaset\": true, \"maxWireVersion\": 8, \"ok\": 1}",
            MST_CD_UNINIT);
    refusal(state,
            "{\"ismaster\": true, \"setName\": \"rs7\", \"hosts\": [], \"maxWireVersion\": 8, "
            "\"ok\": 1}",
            MST_CD_WRONG_SET);
}

static void a_large_insert_arrives_byte_for_byte(void **state)
{
    struct mst_conn *c = open_ok(*state);
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, reply, sent, list, doc, odd = BSON_INITIALIZER;
    const size_t each = 15 * 1024 * 1024;
    uint8_t *blob = mst_xcalloc(1, each);
    struct mst_buf docs = {0};
    bson_iter_t it;

    /* An empty key, invalid UTF-8, a duplicate key: nothing may object. */
    (void)bson_append_int32(&odd, "", 0, 1);
    (void)bson_append_utf8(&odd, "a.$b", 4, "\xff\xfe", 2);
    (void)bson_append_int32(&odd, "a.$b", 4, 2);
    (void)bson_append_binary(&odd, "blob", 4, BSON_SUBTYPE_BINARY, blob, (uint32_t)each);
    for (int i = 0; i < 3; i++) {
        mst_buf_add(&docs, bson_get_data(&odd), odd.len);
    }
    mock_reply_json(*state, "insert", "{\"n\": 3, \"ok\": 1.0}");
    (void)BSON_APPEND_UTF8(&cmd, "insert", "orders");
    (void)BSON_APPEND_BOOL(&cmd, "bypassDocumentValidation", true);
    assert_ok(
        mst_conn_command_docs(c, "shop", &cmd, "documents", docs.p, docs.len, 20000, &reply, &err),
        &err);
    assert_int_equal(mst_bson_i64(&reply, "n", 0), 3);
    assert_true(mock_last(*state, "insert", &sent));
    assert_true(mst_bson_doc(&sent, "documents", &list));
    assert_true(bson_iter_init(&it, &list));
    for (int i = 0; i < 3; i++) {
        const uint8_t *p;
        uint32_t n;

        assert_true(bson_iter_next(&it));
        bson_iter_document(&it, &n, &p);
        assert_true(bson_init_static(&doc, p, n));
        assert_int_equal(n, odd.len);
        assert_memory_equal(p, bson_get_data(&odd), n);
    }
    bson_destroy(&sent);
    bson_destroy(&reply);
    assert_rc(
        mst_conn_command_docs(c, "shop", &cmd, "documents", docs.p, 48000000, 1000, &reply, &err),
        MST_E_LIMIT, &err);
    assert_false(mst_conn_broken(c)); /* nothing was sent */
    bson_destroy(&reply);
    bson_destroy(&cmd);
    bson_destroy(&odd);
    mst_buf_release(&docs);
    free(blob);
    mst_conn_free(c);
}

static void an_idle_connection_notices_that_the_peer_left(void **state)
{
    struct mst_conn *c = open_ok(*state);
    const int64_t start = mst_clock_mono_ms(NULL);

    mock_refuse(*state, true);
    mst_conn_idle(c, 20000, -1);
    assert_true(mst_clock_mono_ms(NULL) - start < 5000);
    assert_true(mst_conn_broken(c));
    mst_conn_free(c);
}

static void a_login_without_a_password_is_refused_before_anything_is_sent(void **state)
{
    struct mst_cred cred = {.mech = MST_MECH_SCRAM};
    struct mst_conn_opts o = opts(*state);
    struct mst_conn *c = NULL;
    struct mst_err err = {0};

    (void)mst_copy(cred.user, sizeof(cred.user), "ops");
    o.cred = &cred;
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_AUTH, &err);
    cred.mech = MST_MECH_X509;
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_CONFIG, &err);
    assert_int_equal(mock_connections(*state), 0);
}

static void a_failed_login_is_an_authorisation_error(void **state)
{
    struct mst_cred cred = {.mech = MST_MECH_SCRAM_SHA_256};
    struct mst_conn_opts o = opts(*state);
    struct mst_conn *c = NULL;
    struct mst_err err = {0};

    (void)mst_copy(cred.user, sizeof(cred.user), "ops");
    mst_secret_set(&cred.password, "wrong", 5);
    o.cred = &cred;
    mock_reply_json(*state, "saslStart",
                    "{\"ok\": 0.0, \"errmsg\": \"Authentication failed.\", \"code\": 18, "
                    "\"codeName\": \"AuthenticationFailed\"}");
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_AUTH, &err);
    assert_null(strstr(err.msg, "wrong"));
    mst_secret_release(&cred.password);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_member_is_reached_and_answers),
        T(commands_carry_no_session_and_allow_secondaries),
        T(an_unknown_command_is_a_server_error_with_its_code),
        T(nobody_listening_is_a_network_error),
        T(a_silent_server_ends_at_the_deadline),
        T(a_silent_command_ends_at_its_deadline_and_breaks_the_connection),
        T(a_slow_drip_does_not_outlive_the_deadline),
        T(a_dripping_hello_does_not_outlive_the_deadline),
        T(malformed_replies_are_named_and_survived),
        T(malformed_hellos_are_named_and_survived),
        T(a_reply_cut_in_the_middle_is_a_network_error),
        T(a_cancel_ends_a_blocked_command_within_100_ms),
        T(a_cancel_ends_a_blocked_connect),
        T(a_name_service_that_hangs_does_not_hang_us),
        T(a_wrong_member_behind_an_address_is_refused),
        T(standalones_routers_and_other_sets_are_refused),
        T(a_large_insert_arrives_byte_for_byte),
        T(an_idle_connection_notices_that_the_peer_left),
        T(a_login_without_a_password_is_refused_before_anything_is_sent),
        T(a_failed_login_is_an_authorisation_error),
    };
    return cmocka_run_group_tests_name("conn", tests, group_setup, group_teardown);
}
