/* What commands wait for: write concern, commit point, afterClusterTime; and what a dispatcher
 * adds. A command of this test's own writes one entry, so that nothing else has to exist. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox_kit.h"
#include "server/server.h"
#include "sess/sess.h"

static void cmd_note(struct sbx_call *c)
{
    bson_t op, o;

    bson_init(&op);
    BSON_APPEND_UTF8(&op, "op", "n");
    BSON_APPEND_UTF8(&op, "ns", "");
    bson_append_document_begin(&op, "o", -1, &o);
    BSON_APPEND_UTF8(&o, "msg", "note");
    bson_append_document_end(&op, &o);
    sbx_log_write(c, &op, NULL);
    bson_destroy(&op);
    BSON_APPEND_INT32(c->reply, "n", 1);
}

static void cmd_look(struct sbx_call *c)
{
    sbx_append_optime(c->reply, "applied", c->m->applied.op);
}

static const struct sbx_cmd table[] = {
    {"testNote", cmd_note, SBX_CMD_PRIMARY, NULL},
    {"testLook", cmd_look, SBX_CMD_READ, NULL},
    {0},
};

static void start(struct kit *k, struct sbx_opts o)
{
    sbx_server_register(table);
    kit_start(k, o);
}

static struct mst_optime applied_by(struct kit *k, int member)
{
    sbx_lock(k->w);
    const struct mst_optime op = k->w->members[member].applied.op;
    sbx_unlock(k->w);
    return op;
}

struct beyond {
    int member;
    struct mst_optime op;
};

static bool is_beyond(struct sbx_world *w, void *arg)
{
    const struct beyond *b = arg;
    return mst_optime_cmp(w->members[b->member].applied.op, b->op) > 0;
}

static void a_majority_write_is_committed_when_it_is_answered(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 1});
    assert_int_equal(
        kit_run(&k, 0, "test", &r, "{'testNote': 1, 'writeConcern': {'w': 'majority'}}"), 0);
    assert_false(sbx_doc_has(&r, "writeConcernError"));
    bson_destroy(&r);
    sbx_lock(k.w);
    assert_int_equal(mst_optime_cmp(k.w->members[0].committed.op, k.w->members[0].applied.op), 0);
    sbx_unlock(k.w);
    kit_stop(&k);
}

static void without_a_majority_the_wait_ends_with_its_time_and_the_write_stays(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    start(&k, (struct sbx_opts){.seed = 2, .members = 2, .arbiter = true});
    kit_ctl(&k, "kill", "1", NULL);
    const int64_t from = mst_clock_mono_ms(NULL);
    assert_int_equal(kit_run(&k, 0, "test", &r,
                             "{'testNote': 1, 'writeConcern': {'w': 'majority', 'wtimeout': 200}}"),
                     0);
    assert_true(mst_clock_mono_ms(NULL) - from >= 200);
    assert_int_equal(kit_int(&r, "writeConcernError.code"), 64);
    assert_string_equal(sbx_doc_str(&r, "writeConcernError.codeName"), "WriteConcernFailed");
    assert_string_equal(sbx_doc_str(&r, "writeConcernError.errmsg"),
                        "waiting for replication timed out");
    assert_true(sbx_doc_true(&r, "writeConcernError.errInfo.wtimeout"));
    assert_true(sbx_doc_true(&r, "ok"));
    bson_destroy(&r);
    kit_hello(&k, 0, &r);
    assert_true(sbx_doc_true(&r, "ismaster"));
    bson_destroy(&r);
    kit_stop(&k);
}

/* Of whoever was elected meanwhile a primary that is over hears before it steps down: what that
 * one has is newer, and says nothing of the entries of this one. */
static void a_member_of_a_later_term_confirms_nothing(void **state)
{
    static const char *const concerns[] = {"'majority'", "2"};
    struct kit k;
    bson_t r;

    (void)state;
    start(&k, (struct sbx_opts){.seed = 15});
    kit_ctl(&k, "partition", "0", NULL);
    sbx_lock(k.w);
    k.w->members[0].reported[1].op.term = k.w->members[0].term + 1;
    k.w->members[0].reported[1].op.ts.t = UINT32_MAX;
    sbx_unlock(k.w);
    for (size_t i = 0; i < MST_COUNT(concerns); i++) {
        char cmd[96];

        (void)snprintf(cmd, sizeof(cmd),
                       "{'testNote': 1, 'writeConcern': {'w': %s, 'wtimeout': 200}}", concerns[i]);
        assert_int_equal(kit_run(&k, 0, "test", &r, cmd), 0);
        assert_int_equal(kit_int(&r, "writeConcernError.code"), 64);
        bson_destroy(&r);
    }
    kit_stop(&k);
}

static void more_members_than_there_are_cannot_be_waited_for(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 3});
    assert_int_equal(
        kit_run(&k, 0, "test", &r, "{'testNote': 1, 'writeConcern': {'w': 5, 'wtimeout': 500}}"),
        0);
    assert_int_equal(kit_int(&r, "writeConcernError.code"), 100);
    assert_string_equal(sbx_doc_str(&r, "writeConcernError.codeName"), "UnsatisfiableWriteConcern");
    bson_destroy(&r);
    kit_stop(&k);
}

static void a_waiting_write_learns_that_its_primary_stepped_down(void **state)
{
    struct kit k;
    struct sbx_client c;
    struct sbx_frame f;
    struct mst_err err = {0};
    bson_error_t bad;
    int32_t id;
    bson_t r, *cmd = bson_new_from_json(
                  (const uint8_t *)"{\"testNote\":1,\"writeConcern\":{\"w\":3}}", -1, &bad);

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 4});
    kit_ctl(&k, "kill", "2", NULL);
    struct beyond b = {1, applied_by(&k, 0)};
    kit_connect(&k, 0, &c);
    assert_ok(sbx_client_send(&c, "test", cmd, 0, &id, &err), &err);
    assert_true(sbx_world_wait(k.w, is_beyond, &b, 20000)); /* it was written, and waits */
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'replSetStepDown': 60}"), 0);
    bson_destroy(&r);
    assert_ok(sbx_client_receive(&c, &f, &err), &err);
    assert_int_equal(kit_int(&f.body, "writeConcernError.code"), 189);
    sbx_frame_release(&f);
    sbx_client_close(&c);
    bson_destroy(cmd);
    kit_stop(&k);
}

static void a_secondary_refuses_writes_and_reads_that_want_the_primary(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 5});
    assert_int_equal(kit_run(&k, 1, "test", &r, "{'testNote': 1}"), 10107);
    assert_string_equal(sbx_doc_str(&r, "errmsg"), "not master");
    assert_string_equal(sbx_doc_str(&r, "codeName"), "NotMaster");
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 1, "test", &r, "{'testLook': 1}"), 13435);
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 1, "test", &r,
                             "{'testLook': 1, '$readPreference': {'mode': 'secondaryPreferred'}}"),
                     0);
    bson_destroy(&r);
    kit_stop(&k);
}

static void a_read_after_a_cluster_time_waits_for_it(void **state)
{
    struct kit k;
    bson_t w, r;
    bson_iter_t it;
    char cmd[256];
    uint32_t t, i;

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 6});
    kit_ctl(&k, "lag", "1", "300");
    const int64_t from = mst_clock_mono_ms(NULL); /* before the write: it cannot be there earlier */
    assert_int_equal(kit_run(&k, 0, "test", &w, "{'testNote': 1}"), 0);
    assert_true(bson_iter_init_find(&it, &w, "operationTime"));
    bson_iter_timestamp(&it, &t, &i);
    (void)snprintf(cmd, sizeof cmd,
                   "{'testLook': 1, '$readPreference': {'mode': 'nearest'}, '$clusterTime': "
                   "{'clusterTime': {'$timestamp': {'t': %u, 'i': %u}}}, 'readConcern': "
                   "{'afterClusterTime': {'$timestamp': {'t': %u, 'i': %u}}}}",
                   t, i, t, i);
    assert_int_equal(kit_run(&k, 1, "test", &r, cmd), 0);
    assert_true(mst_clock_mono_ms(NULL) - from >= 250); /* of 300, by another clock */
    bson_destroy(&r);
    bson_destroy(&w);
    kit_stop(&k);
}

static void what_a_member_was_told_of_the_time_it_tells_others(void **state)
{
    struct kit k;
    bson_t w, r;

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 7});
    assert_int_equal(kit_run(&k, 0, "test", &w, "{'testNote': 1, 'writeConcern': {'w': 3}}"), 0);
    kit_hello(&k, 2, &r);
    bson_iter_t a, b, x, y;
    assert_true(bson_iter_init(&a, &w) &&
                bson_iter_find_descendant(&a, "$clusterTime.clusterTime", &x));
    assert_true(bson_iter_init(&b, &r) &&
                bson_iter_find_descendant(&b, "$clusterTime.clusterTime", &y));
    uint32_t t1, i1, t2, i2;
    bson_iter_timestamp(&x, &t1, &i1);
    bson_iter_timestamp(&y, &t2, &i2);
    assert_true(t2 > t1 || (t2 == t1 && i2 >= i1));
    assert_true(sbx_doc_has(&r, "lastWrite.majorityOpTime.ts"));
    bson_destroy(&w);
    bson_destroy(&r);
    kit_stop(&k);
}

static void what_only_a_lost_primary_had_is_gone_when_it_returns(void **state)
{
    struct kit k;
    bson_t r, a, b;

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 9});
    assert_int_equal(kit_run(&k, 0, "shop", &r,
                             "{'insert': 'c', 'documents': [{'_id': 1}, {'_id': 2}], "
                             "'writeConcern': {'w': 3}}"),
                     0);
    bson_destroy(&r);
    kit_ctl(&k, "lag", "1", "600000"); /* nobody has it before the others are gone */
    kit_ctl(&k, "lag", "2", "600000");
    assert_int_equal(kit_run(&k, 0, "shop", &r, "{'insert': 'c', 'documents': [{'_id': 3}]}"), 0);
    bson_destroy(&r);
    kit_ctl(&k, "partition", "0", NULL);
    kit_ctl(&k, "lag", "1", "0");
    kit_ctl(&k, "lag", "2", "0");
    const int p = sbx_world_wait_primary(k.w, 0, 20000);
    assert_true(p > 0);
    assert_int_equal(kit_run(&k, p, "shop", &r,
                             "{'insert': 'c', 'documents': [{'_id': 4}], 'writeConcern': {'w': "
                             "'majority'}}"),
                     0);
    bson_destroy(&r);
    kit_ctl(&k, "heal", NULL, NULL);
    assert_true(kit_wait_same(&k, 0, p, 20000));
    assert_true(kit_wait_state(&k, 0, SBX_SECONDARY, 20000));
    assert_int_equal(
        kit_run(&k, 0, "shop", &r, "{'count': 'c', '$readPreference': {'mode': 'secondary'}}"), 0);
    assert_int_equal(kit_int(&r, "n"), 3);
    bson_destroy(&r);
    assert_int_equal(
        kit_run(&k, 0, "shop", &a, "{'dbHash': 1, '$readPreference': {'mode': 'nearest'}}"), 0);
    assert_int_equal(
        kit_run(&k, p, "shop", &b, "{'dbHash': 1, '$readPreference': {'mode': 'nearest'}}"), 0);
    assert_string_equal(sbx_doc_str(&a, "md5"), sbx_doc_str(&b, "md5"));
    bson_destroy(&a);
    bson_destroy(&b);
    kit_stop(&k);
}

static void a_killed_member_ends_the_waits_of_its_clients(void **state)
{
    struct kit k;
    struct sbx_client c;
    struct sbx_frame f;
    struct mst_err err = {0};
    bson_error_t bad;
    int32_t id;
    bson_t *cmd = bson_new_from_json((const uint8_t *)"{\"testNote\":1,\"writeConcern\":{\"w\":3}}",
                                     -1, &bad);

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 8});
    kit_ctl(&k, "kill", "2", NULL);
    kit_connect(&k, 0, &c);
    assert_ok(sbx_client_send(&c, "test", cmd, 0, &id, &err), &err);
    kit_ctl(&k, "kill", "0", NULL);
    assert_rc(sbx_client_receive(&c, &f, &err), MST_E_NET, &err);
    sbx_client_close(&c);
    bson_destroy(cmd);
    kit_stop(&k);
}

/* Whatever is asked of whom: an answer comes, and the member lives. */
static void every_command_is_survived(struct kit *k, int member)
{
    const char *names[256];
    const size_t n = sbx_server_commands(k->w, names, 256);
    char cmd[160];
    bson_t r;

    assert_true(n > 50 && n <= 256);
    for (size_t i = 0; i < n; i++) {
        for (int form = 0; form < 2; form++) {
            if (strcmp(names[i], "shutdown") == 0) {
                continue;
            }
            (void)snprintf(cmd, sizeof cmd,
                           form == 0 ? "{'%s': 1, '$readPreference': {'mode': 'nearest'}}"
                                     : "{'%s': 'c', '$readPreference': {'mode': 'nearest'}}",
                           names[i]);
            (void)kit_run(k, member, form == 0 ? "admin" : "shop", &r, cmd);
            assert_true(sbx_doc_has(&r, "ok"));
            bson_destroy(&r);
        }
    }
}

static void an_arbiter_and_a_member_without_configuration_survive_every_command(void **state)
{
    struct kit k;

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 10, .members = 2, .arbiter = true});
    every_command_is_survived(&k, 2);
    every_command_is_survived(&k, 1);
    every_command_is_survived(&k, 0);
    kit_stop(&k);
    start(&k, (struct sbx_opts){.fast = true, .seed = 11, .uninitiated = true, .server = "7.0"});
    every_command_is_survived(&k, 1);
    kit_stop(&k);
}

#define RETRYABLE \
    "{'insert': 'c', 'documents': [{'_id': 1}], 'lsid': {'id': {'$binary': {'base64': " \
    "'d/DuyLoATIShdmDwkgB6gA==', 'subType': '04'}}}, 'txnNumber': {'$numberLong': '1'}, " \
    "'writeConcern': {'w': 'majority'}}"

static void a_retried_write_is_answered_by_a_new_primary_and_not_done_again(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 12});
    assert_int_equal(kit_run(&k, 0, "shop", &r, RETRYABLE), 0);
    assert_int_equal(kit_int(&r, "n"), 1);
    bson_destroy(&r);
    kit_ctl(&k, "kill", "0", NULL);
    const int p = sbx_world_wait_primary(k.w, 0, 20000);
    assert_true(p > 0);
    assert_int_equal(kit_run(&k, p, "shop", &r, RETRYABLE), 0);
    assert_int_equal(kit_int(&r, "n"), 1);
    assert_false(sbx_doc_has(&r, "writeErrors")); /* a second insert of this _id would fail */
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, p, "shop", &r, "{'count': 'c'}"), 0);
    assert_int_equal(kit_int(&r, "n"), 1);
    bson_destroy(&r);
    kit_stop(&k);
}

static void a_secondary_hashes_its_data_for_whoever_asks(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 13});
    assert_int_equal(kit_run(&k, 1, "shop", &r, "{'dbHash': 1}"), 0);
    bson_destroy(&r);
    kit_stop(&k);
}

static bool none_open(struct sbx_world *w, void *arg)
{
    (void)arg;
    return sbx_sess_stats(&w->members[0])->open == 0;
}

static void a_forgotten_transaction_ends_by_the_clock(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    start(&k, (struct sbx_opts){.fast = true, .seed = 14});
    assert_int_equal(kit_run(&k, 0, "shop", &r, "{'create': 'c'}"), 0);
    bson_destroy(&r);
    sbx_lock(k.w);
    k.w->txn_lifetime_s = 1;
    sbx_unlock(k.w);
    assert_int_equal(
        kit_run(&k, 0, "shop", &r,
                "{'insert': 'c', 'documents': [{'_id': 1}], 'lsid': {'id': {'$binary': {'base64': "
                "'d/DuyLoATIShdmDwkgB6gA==', 'subType': '04'}}}, 'txnNumber': {'$numberLong': "
                "'1'}, 'startTransaction': true, 'autocommit': false}"),
        0);
    bson_destroy(&r);
    assert_true(sbx_world_wait(k.w, none_open, NULL, 10000));         /* nobody asked anything */
    assert_int_equal(kit_run(&k, 0, "shop", &r, "{'drop': 'c'}"), 0); /* nor is it held */
    bson_destroy(&r);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_majority_write_is_committed_when_it_is_answered),
        cmocka_unit_test(without_a_majority_the_wait_ends_with_its_time_and_the_write_stays),
        cmocka_unit_test(a_member_of_a_later_term_confirms_nothing),
        cmocka_unit_test(more_members_than_there_are_cannot_be_waited_for),
        cmocka_unit_test(a_waiting_write_learns_that_its_primary_stepped_down),
        cmocka_unit_test(a_secondary_refuses_writes_and_reads_that_want_the_primary),
        cmocka_unit_test(a_read_after_a_cluster_time_waits_for_it),
        cmocka_unit_test(what_a_member_was_told_of_the_time_it_tells_others),
        cmocka_unit_test(what_only_a_lost_primary_had_is_gone_when_it_returns),
        cmocka_unit_test(an_arbiter_and_a_member_without_configuration_survive_every_command),
        cmocka_unit_test(a_killed_member_ends_the_waits_of_its_clients),
        cmocka_unit_test(a_retried_write_is_answered_by_a_new_primary_and_not_done_again),
        cmocka_unit_test(a_secondary_hashes_its_data_for_whoever_asks),
        cmocka_unit_test(a_forgotten_transaction_ends_by_the_clock),
    };
    return cmocka_run_group_tests_name("concern", tests, NULL, NULL);
}
