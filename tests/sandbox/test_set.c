/* The simulated set: elections, step-downs, freezes, partitions, replication, opinions. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox_kit.h"

/* ---- a fresh set ---- */

static void a_fresh_set_has_a_writable_primary_and_two_secondaries(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 1});
    kit_hello(&k, 0, &r);
    assert_true(sbx_doc_true(&r, "ismaster"));
    assert_false(sbx_doc_true(&r, "secondary"));
    assert_string_equal(sbx_doc_str(&r, "setName"), "rs0");
    assert_string_equal(sbx_doc_str(&r, "me"), sbx_doc_str(&r, "primary"));
    assert_string_equal(sbx_doc_str(&r, "hosts.0"), sbx_doc_str(&r, "me"));
    bson_destroy(&r);
    kit_hello(&k, 1, &r);
    assert_true(sbx_doc_true(&r, "secondary"));
    assert_false(sbx_doc_true(&r, "ismaster"));
    bson_destroy(&r);
    kit_stop(&k);
}

static void status_shows_divided_intervals_and_every_opinion(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 2});
    kit_status(&k, 0, &r);
    assert_int_equal(kit_int(&r, "heartbeatIntervalMillis"), 200);
    assert_int_equal(kit_int(&r, "myState"), 1);
    assert_int_equal(kit_int(&r, "members.1.state"), 2);
    assert_int_equal(kit_int(&r, "members.2.health"), 1);
    assert_int_equal(kit_int(&r, "electionCandidateMetrics.electionTerm"), 1);
    assert_string_equal(sbx_doc_str(&r, "members.0.stateStr"), "PRIMARY");
    assert_false(sbx_doc_has(&r, "members.0.lastHeartbeat"));
    assert_true(sbx_doc_has(&r, "members.1.lastHeartbeat"));
    bson_destroy(&r);
    kit_stop(&k);
}

static void what_must_move_moves(void **state)
{
    struct kit k;
    bson_t a, b;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 3});
    kit_status(&k, 0, &a);
    mst_clock_sleep_ms(1500); /* more than a no-op and several heartbeats */
    kit_status(&k, 0, &b);
    assert_true(kit_int(&b, "members.1.lastHeartbeat") > kit_int(&a, "members.1.lastHeartbeat"));
    assert_true(kit_int(&b, "members.1.lastHeartbeatRecv") >
                kit_int(&a, "members.1.lastHeartbeatRecv"));
    assert_true(kit_int(&b, "optimes.lastAppliedWallTime") >
                kit_int(&a, "optimes.lastAppliedWallTime"));
    assert_true(kit_int(&b, "optimes.lastCommittedWallTime") >
                kit_int(&a, "optimes.lastCommittedWallTime"));
    assert_true(kit_int(&b, "members.0.uptime") > kit_int(&a, "members.0.uptime"));
    assert_true(kit_int(&b, "date") > kit_int(&a, "date"));
    bson_destroy(&a);
    bson_destroy(&b);
    kit_stop(&k);
}

/* ---- elections ---- */

static void a_killed_primary_is_replaced_in_a_new_term_and_returns_as_secondary(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 4});
    kit_ctl(&k, "kill", "0", NULL);
    const int p = sbx_world_wait_primary(k.w, 0, 5000);
    assert_true(p == 1 || p == 2);
    kit_status(&k, p, &r);
    assert_int_equal(kit_int(&r, "term"), 2);
    assert_int_equal(kit_int(&r, "members.0.health"), 0);
    assert_string_equal(sbx_doc_str(&r, "members.0.stateStr"), "(not reachable/healthy)");
    assert_non_null(
        strstr(sbx_doc_str(&r, "members.0.lastHeartbeatMessage"), "Connection refused"));
    bson_destroy(&r);
    kit_ctl(&k, "start", "0", NULL);
    assert_true(kit_wait_state(&k, 0, SBX_SECONDARY, 5000));
    assert_true(kit_wait_opinion(&k, p, 0, SBX_SECONDARY, 1000));
    kit_status(&k, 0, &r);
    assert_int_equal(kit_int(&r, "term"), 2);
    bson_destroy(&r);
    kit_stop(&k);
}

static void a_dead_member_refuses_connections_and_listens_again_on_its_port(void **state)
{
    struct kit k;
    struct sbx_client c;
    struct mst_err err = {0};

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 5});
    const int port = sbx_world_port(k.w, 2);
    kit_ctl(&k, "kill", "2", NULL);
    assert_rc(sbx_client_connect(&c, "127.0.0.1", port, 1000, &err), MST_E_NET, &err);
    kit_ctl(&k, "start", "2", NULL);
    assert_ok(sbx_client_connect(&c, "127.0.0.1", port, 1000, &err), &err);
    sbx_client_close(&c);
    kit_stop(&k);
}

static void a_frozen_primary_is_replaced_and_steps_down_when_it_runs_again(void **state)
{
    struct kit k;
    struct sbx_client c;
    struct mst_err err = {0};
    bson_t r, cmd = BSON_INITIALIZER;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 6});
    kit_connect(&k, 0, &c);
    kit_ctl(&k, "stop", "0", NULL);
    BSON_APPEND_INT32(&cmd, "ping", 1);
    c.timeout_ms = 300;
    assert_rc(sbx_client_command(&c, "admin", &cmd, &r, &err), MST_E_TIMEOUT, &err);
    bson_destroy(&r);
    bson_destroy(&cmd);
    sbx_client_close(&c);
    const int p = sbx_world_wait_primary(k.w, 0, 6000);
    assert_true(p == 1 || p == 2);
    kit_ctl(&k, "cont", "0", NULL);
    assert_true(kit_wait_state(&k, 0, SBX_SECONDARY, 5000));
    kit_stop(&k);
}

static void a_primary_without_majority_gives_up_and_nobody_takes_over(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 7});
    kit_ctl(&k, "kill", "1", NULL);
    kit_ctl(&k, "kill", "2", NULL);
    assert_true(kit_wait_state(&k, 0, SBX_SECONDARY, 3000));
    kit_hello(&k, 0, &r);
    assert_false(sbx_doc_true(&r, "ismaster"));
    assert_false(sbx_doc_has(&r, "primary"));
    bson_destroy(&r);
    assert_int_equal(sbx_world_wait_primary(k.w, -1, 1500), -1);
    kit_ctl(&k, "start", "1", NULL);
    assert_true(sbx_world_wait_primary(k.w, -1, 5000) >= 0);
    kit_stop(&k);
}

static void a_partition_leaves_two_primaries_for_a_while(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 8});
    kit_ctl(&k, "partition", "0", NULL);
    assert_int_equal(kit_run(&k, 1, "admin", &r, "{'replSetStepUp': 1}"), 0);
    bson_destroy(&r);
    kit_status(&k, 0, &r);
    assert_int_equal(kit_int(&r, "myState"), 1);
    assert_int_equal(kit_int(&r, "term"), 1);
    bson_destroy(&r);
    kit_status(&k, 1, &r);
    assert_int_equal(kit_int(&r, "myState"), 1);
    assert_int_equal(kit_int(&r, "term"), 2);
    assert_string_equal(sbx_doc_str(&r, "members.0.stateStr"), "PRIMARY"); /* as it last heard */
    bson_destroy(&r);
    kit_hello(&k, 0, &r);
    assert_true(sbx_doc_true(&r, "ismaster")); /* it cannot know better yet */
    bson_destroy(&r);
    assert_true(kit_wait_state(&k, 0, SBX_SECONDARY, 3000));
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 3000), 1);
    kit_ctl(&k, "heal", NULL, NULL);
    assert_true(kit_wait_term(&k, 0, 2, 3000));
    assert_true(kit_wait_opinion(&k, 0, 1, SBX_PRIMARY, 1000));
    kit_stop(&k);
}

/* ---- step down, step up, freeze ---- */

static void a_step_down_hands_over_and_keeps_its_penalty(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 9});
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'replSetStepDown': 60}"), 0);
    bson_destroy(&r);
    const int p = sbx_world_wait_primary(k.w, 0, 1000);
    assert_int_equal(p, 1); /* same priority: the lowest index */
    kit_status(&k, p, &r);
    assert_string_equal(sbx_doc_str(&r, "electionCandidateMetrics.lastElectionReason"),
                        "stepUpRequestSkipDryRun");
    assert_int_equal(kit_int(&r, "electionCandidateMetrics.priorPrimaryMemberId"), 0);
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'replSetStepUp': 1}"), 125);
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'replSetFreeze': 0}"), 0);
    assert_string_equal(sbx_doc_str(&r, "info"), "unfreezing");
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'replSetStepUp': 1}"), 0);
    bson_destroy(&r);
    assert_int_equal(sbx_world_wait_primary(k.w, 1, 2000), 0);
    kit_stop(&k);
}

static void a_step_down_is_refused_when_nobody_can_take_over(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.seed = 10});
    kit_ctl(&k, "stop", "1", NULL);
    kit_ctl(&k, "stop", "2", NULL);
    kit_noop(&k, 0);
    const int64_t from = mst_clock_mono_ms(NULL);
    assert_int_equal(
        kit_run(&k, 0, "admin", &r, "{'replSetStepDown': 10, 'secondaryCatchUpPeriodSecs': 1}"),
        262);
    assert_true(mst_clock_mono_ms(NULL) - from >= 1000);
    assert_string_equal(sbx_doc_str(&r, "codeName"), "ExceededTimeLimit");
    bson_destroy(&r);
    kit_hello(&k, 0, &r);
    assert_true(sbx_doc_true(&r, "ismaster")); /* writes go on */
    bson_destroy(&r);
    kit_stop(&k);
}

static void wrong_arguments_and_states_are_refused_as_recorded(void **state)
{
    static const struct {
        int member;
        const char *cmd;
        int code;
        const char *text;
    } rows[] = {
        {1, "{'replSetStepDown': 10}", 10107, "not primary so can't step down"},
        {0, "{'replSetFreeze': 10}", 95,
         "cannot freeze node when primary or running for election. state: Primary"},
        {0, "{'replSetStepDown': 5, 'secondaryCatchUpPeriodSecs': 10}", 2,
         "stepdown period must be longer than secondaryCatchUpPeriodSecs"},
        {0, "{'replSetStepDown': -1}", 2, "stepdown period must be a positive integer"},
        {0, "{'replSetInitiate': {}}", 23, "already initialized"},
        {0, "{'hello': 1}", 59, "no such command: 'hello'"},
        {0, "{'nosuchcommand': 1}", 59, "no such command: 'nosuchcommand'"},
    };
    struct kit k;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 11});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bson_t r;
        assert_int_equal(kit_run(&k, rows[i].member, "admin", &r, rows[i].cmd), rows[i].code);
        assert_string_equal(sbx_doc_str(&r, "errmsg"), rows[i].text);
        bson_destroy(&r);
    }
    kit_stop(&k);
}

static void a_frozen_candidate_does_not_stand(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 12});
    assert_int_equal(kit_run(&k, 1, "admin", &r, "{'replSetFreeze': 60}"), 0);
    bson_destroy(&r);
    kit_ctl(&k, "kill", "0", NULL);
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 5000), 2);
    kit_stop(&k);
}

/* ---- arbiters, members of all kinds ---- */

static void an_arbiter_votes_and_has_no_data(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .members = 2, .arbiter = true, .seed = 13});
    kit_hello(&k, 2, &r);
    assert_true(sbx_doc_true(&r, "arbiterOnly"));
    assert_false(sbx_doc_has(&r, "operationTime"));
    assert_false(sbx_doc_has(&r, "$clusterTime"));
    bson_destroy(&r);
    kit_status(&k, 2, &r);
    assert_int_equal(kit_int(&r, "myState"), 7);
    assert_false(sbx_doc_has(&r, "members.2.optime"));
    bson_destroy(&r);
    kit_ctl(&k, "kill", "0", NULL);
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 5000), 1);
    kit_stop(&k);
}

static void hidden_delayed_and_tagged_members_are_shown_as_configured(void **state)
{
    struct kit k;
    struct mst_err err = {0};
    bson_error_t bad;
    bson_t r, *cfg = bson_new_from_json(
                  (const uint8_t *)"{\"_id\":\"shop\",\"members\":[{\"_id\":1,\"host\":\"a:1\"},"
                                   "{\"_id\":10,\"host\":\"b:1\",\"hidden\":true,\"priority\":0},"
                                   "{\"_id\":11,\"host\":\"c:1\",\"tags\":{\"dc\":\"east\"}},"
                                   "{\"_id\":12,\"host\":\"d:1\",\"priority\":0,\"votes\":0,"
                                   "\"slaveDelay\":3600}]}",
                  -1, &bad);

    (void)state;
    (void)err;
    kit_start(&k, (struct sbx_opts){.fast = true, .config = cfg, .version = 5, .term = 8});
    bson_destroy(cfg);
    kit_hello(&k, 0, &r);
    assert_string_equal(sbx_doc_str(&r, "setName"), "shop");
    assert_int_equal(kit_int(&r, "setVersion"), 5);
    assert_true(sbx_doc_has(&r, "hosts.1"));
    assert_false(sbx_doc_has(&r, "hosts.2"));
    assert_false(sbx_doc_has(&r, "passives"));
    bson_destroy(&r);
    kit_hello(&k, 1, &r);
    assert_true(sbx_doc_true(&r, "hidden"));
    assert_true(sbx_doc_true(&r, "passive"));
    bson_destroy(&r);
    kit_hello(&k, 2, &r);
    assert_string_equal(sbx_doc_str(&r, "tags.dc"), "east");
    bson_destroy(&r);
    kit_hello(&k, 3, &r);
    assert_int_equal(kit_int(&r, "slaveDelay"), 3600);
    bson_destroy(&r);
    kit_status(&k, 0, &r);
    assert_int_equal(kit_int(&r, "term"), 8);
    assert_int_equal(kit_int(&r, "members.1._id"), 10);
    bson_destroy(&r);
    kit_stop(&k);
}

/* ---- replication ---- */

static void a_lagging_member_falls_behind_and_catches_up(void **state)
{
    struct kit k;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 14});
    kit_ctl(&k, "lag", "2", "60000");
    kit_noop(&k, 0);
    assert_true(kit_wait_same(&k, 1, 0, 2000));
    assert_false(kit_wait_same(&k, 2, 0, 300));
    kit_ctl(&k, "lag", "2", "0");
    assert_true(kit_wait_same(&k, 2, 0, 2000));
    kit_stop(&k);
}

static void an_old_primary_with_entries_nobody_has_rolls_back(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 15});
    kit_ctl(&k, "partition", "0", NULL);
    kit_noop(&k, 0); /* nobody else gets it */
    const int p = sbx_world_wait_primary(k.w, 0, 5000);
    assert_true(p > 0);
    kit_ctl(&k, "heal", NULL, NULL);
    assert_true(kit_wait_same(&k, 0, p, 5000));
    assert_true(kit_wait_state(&k, 0, SBX_SECONDARY, 5000));
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'replSetGetRBID': 1}"), 0);
    assert_int_equal(kit_int(&r, "rbid"), 2);
    bson_destroy(&r);
    kit_stop(&k);
}

static void a_member_that_lost_its_data_syncs_anew(void **state)
{
    struct kit k;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 16});
    kit_ctl(&k, "kill", "2", NULL);
    kit_ctl(&k, "drop", "2", NULL);
    kit_ctl(&k, "start", "2", NULL);
    assert_true(kit_wait_state(&k, 2, SBX_SECONDARY, 5000));
    assert_true(kit_wait_same(&k, 2, 0, 2000));
    kit_stop(&k);
}

/* ---- before a configuration ---- */

static void a_set_can_be_initiated_over_the_wire(void **state)
{
    struct kit k;
    bson_t r;
    char cmd[512];

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 17, .uninitiated = true});
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'replSetGetStatus': 1}"), 94);
    assert_string_equal(sbx_doc_str(&r, "errmsg"), "no replset config has been received");
    bson_destroy(&r);
    kit_hello(&k, 0, &r);
    assert_string_equal(sbx_doc_str(&r, "info"), "Does not have a valid replica set config");
    bson_destroy(&r);
    (void)snprintf(cmd, sizeof cmd,
                   "{'replSetInitiate': {'_id': 'rs0', 'members': [{'_id': 0, 'host': "
                   "'127.0.0.1:%d', 'priority': 2}, {'_id': 1, 'host': '127.0.0.1:%d'}, {'_id': 2, "
                   "'host': '127.0.0.1:%d'}]}}",
                   sbx_world_port(k.w, 0), sbx_world_port(k.w, 1), sbx_world_port(k.w, 2));
    assert_int_equal(kit_run(&k, 0, "admin", &r, cmd), 0);
    bson_destroy(&r);
    assert_true(sbx_world_wait_primary(k.w, -1, 5000) >= 0);
    assert_true(kit_wait_state(&k, 2, SBX_SECONDARY, 5000) || kit_state(&k, 2) == SBX_PRIMARY);
    kit_stop(&k);
}

/* Whoever has had its turn before the primary writes its periodic entry is not left behind until
 * something else happens: on an idle set that looked like a lag of ten seconds and more. */
static void who_ticks_before_the_primary_follows_its_noop_at_once(void **state)
{
    struct kit k;
    struct mst_optime before;
    struct sbx_member *p;
    int64_t due;

    (void)state;
    kit_start(&k, (struct sbx_opts){.seed = 21, .primary = 2});
    assert_int_equal(sbx_world_wait_primary(k.w, -1, 20000), 2);
    assert_true(kit_wait_same(&k, 0, 2, 20000));
    sbx_lock(k.w);
    p = &k.w->members[2];
    before = p->applied.op;
    p->noop_seen = before;
    p->next_noop_mono = 0;
    due = sbx_set_tick(k.w);
    assert_true(mst_optime_cmp(p->applied.op, before) > 0);
    assert_true(due <= sbx_mono(k.w));
    sbx_unlock(k.w);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_ticks_before_the_primary_follows_its_noop_at_once),
        cmocka_unit_test(a_fresh_set_has_a_writable_primary_and_two_secondaries),
        cmocka_unit_test(status_shows_divided_intervals_and_every_opinion),
        cmocka_unit_test(what_must_move_moves),
        cmocka_unit_test(a_killed_primary_is_replaced_in_a_new_term_and_returns_as_secondary),
        cmocka_unit_test(a_dead_member_refuses_connections_and_listens_again_on_its_port),
        cmocka_unit_test(a_frozen_primary_is_replaced_and_steps_down_when_it_runs_again),
        cmocka_unit_test(a_primary_without_majority_gives_up_and_nobody_takes_over),
        cmocka_unit_test(a_partition_leaves_two_primaries_for_a_while),
        cmocka_unit_test(a_step_down_hands_over_and_keeps_its_penalty),
        cmocka_unit_test(a_step_down_is_refused_when_nobody_can_take_over),
        cmocka_unit_test(wrong_arguments_and_states_are_refused_as_recorded),
        cmocka_unit_test(a_frozen_candidate_does_not_stand),
        cmocka_unit_test(an_arbiter_votes_and_has_no_data),
        cmocka_unit_test(hidden_delayed_and_tagged_members_are_shown_as_configured),
        cmocka_unit_test(a_lagging_member_falls_behind_and_catches_up),
        cmocka_unit_test(an_old_primary_with_entries_nobody_has_rolls_back),
        cmocka_unit_test(a_member_that_lost_its_data_syncs_anew),
        cmocka_unit_test(a_set_can_be_initiated_over_the_wire),
    };
    return cmocka_run_group_tests_name("set", tests, NULL, NULL);
}
