/* The primary's seat: the one timer of freezes and penalties, hand-offs, the refusals of a
 * step-down, takeovers, and what is killed on the way. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox_kit.h"

static int run(struct kit *k, int member, const char *json)
{
    bson_t r;
    const int code = kit_run(k, member, "admin", &r, json);

    bson_destroy(&r);
    return code;
}

/* A configuration of three with these priorities. */
static bson_t *three(double a, double b, double c)
{
    return BCON_NEW("_id", "rs0", "members", "[", "{", "_id", BCON_INT32(0), "host", "a:1",
                    "priority", BCON_DOUBLE(a), "}", "{", "_id", BCON_INT32(1), "host", "b:1",
                    "priority", BCON_DOUBLE(b), "}", "{", "_id", BCON_INT32(2), "host", "c:1",
                    "priority", BCON_DOUBLE(c), "}", "]");
}

/* ---- a call that runs beside the test ---- */

struct beside {
    struct kit *k;
    int member;
    const char *db, *json;
    int code;
    struct mst_thread thread;
};

static void beside_main(void *arg)
{
    struct beside *b = arg;
    bson_t r;

    b->code = kit_run(b->k, b->member, b->db, &r, b->json);
    bson_destroy(&r);
}

static void beside_start(struct beside *b)
{
    struct mst_err err = {0};

    assert_ok(mst_thread_start(&b->thread, "beside", beside_main, b, &err), &err);
}

struct runs {
    int member;
    const char *name;
    bool blocked;
};

static bool runs_now(struct sbx_world *w, void *arg)
{
    const struct runs *q = arg;

    for (const struct sbx_conn *c = w->conns; c != NULL; c = c->next) {
        if (c->m->index == (size_t)q->member && c->op != NULL && strcmp(c->op, q->name) == 0 &&
            c->op_blocked == q->blocked) {
            return true;
        }
    }
    return false;
}

static void await_op(struct kit *k, int member, const char *name, bool blocked)
{
    struct runs q = {member, name, blocked};

    assert_true(sbx_world_wait(k->w, runs_now, &q, 10000));
}

static bool steps_down(struct sbx_world *w, void *arg)
{
    return w->members[*(int *)arg].stepping_down;
}

/* ---- the timer ---- */

static int64_t no_stand_ms(struct kit *k, int member)
{
    sbx_lock(k->w);
    const int64_t left = k->w->members[member].no_stand_until - sbx_mono(k->w);
    sbx_unlock(k->w);
    return left;
}

static void a_freeze_only_gets_longer_and_a_restart_ends_it(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 41});
    assert_int_equal(run(&k, 1, "{'replSetFreeze': 600}"), 0);
    assert_int_equal(run(&k, 1, "{'replSetFreeze': 5}"), 0);
    assert_in_range(no_stand_ms(&k, 1), 500000, 600000); /* --fast does not divide it */
    assert_int_equal(run(&k, 1, "{'replSetStepUp': 1}"), 125);
    kit_status(&k, 1, &r);
    char *text = bson_as_relaxed_extended_json(&r, NULL);
    assert_null(strstr(text, "reeze")); /* no field shows it */
    bson_free(text);
    bson_destroy(&r);
    kit_ctl(&k, "kill", "1", NULL);
    kit_ctl(&k, "start", "1", NULL);
    assert_true(kit_wait_state(&k, 1, SBX_SECONDARY, 5000));
    assert_true(kit_wait_opinion(&k, 1, 0, SBX_PRIMARY, 5000));
    assert_int_equal(run(&k, 1, "{'replSetStepUp': 1}"), 0);
    kit_stop(&k);
}

static void a_frozen_member_votes(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 42});
    assert_int_equal(run(&k, 1, "{'replSetFreeze': 600}"), 0);
    kit_ctl(&k, "kill", "0", NULL); /* two are left: nobody wins without the frozen one */
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 10000), 2);
    kit_status(&k, 1, &r);
    assert_true(sbx_doc_true(&r, "electionParticipantMetrics.votedForCandidate"));
    assert_string_equal(sbx_doc_str(&r, "electionParticipantMetrics.voteReason"), "");
    assert_int_equal(kit_int(&r, "electionParticipantMetrics.electionCandidateMemberId"), 2);
    bson_destroy(&r);
    kit_stop(&k);
}

/* ---- hand-off ---- */

static void the_heir_has_the_highest_priority(void **state)
{
    struct kit k;
    bson_t *cfg = three(5, 1, 3);

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 43, .config = cfg});
    bson_destroy(cfg);
    assert_int_equal(run(&k, 0, "{'replSetStepDown': 600}"), 0);
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 500), 2);
    kit_stop(&k);
}

static void a_frozen_heir_or_a_forced_step_down_costs_an_election_timeout(void **state)
{
    static const char *const how[] = {"{'replSetStepDown': 600}",
                                      "{'replSetStepDown': 600, 'force': true}"};
    bson_t r;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct kit k;

        kit_start(&k, (struct sbx_opts){.fast = true, .seed = 44 + i});
        if (i == 0) {
            kit_ctl(&k, "freeze", "1", "600");
        }
        const int64_t from = mst_clock_mono_ms(NULL);
        assert_int_equal(run(&k, 0, how[i]), 0);
        const int p = sbx_world_wait_primary(k.w, 0, 20000);
        assert_true(p > 0);
        assert_true(mst_clock_mono_ms(NULL) - from >= 500); /* of a second, as it is divided */
        kit_status(&k, p, &r);
        assert_string_equal(sbx_doc_str(&r, "electionCandidateMetrics.lastElectionReason"),
                            "electionTimeout");
        bson_destroy(&r);
        kit_stop(&k);
    }
}

static void without_election_hand_off_the_set_waits(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 46});
    assert_int_equal(
        kit_run(&k, 0, "admin", &r, "{'setParameter': 1, 'enableElectionHandoff': false}"), 0);
    assert_true(sbx_doc_true(&r, "was"));
    bson_destroy(&r);
    assert_int_equal(run(&k, 0, "{'replSetStepDown': 600}"), 0);
    const int p = sbx_world_wait_primary(k.w, 0, 20000);
    kit_status(&k, p, &r);
    assert_string_equal(sbx_doc_str(&r, "electionCandidateMetrics.lastElectionReason"),
                        "electionTimeout");
    bson_destroy(&r);
    kit_stop(&k);
}

/* ---- an attempt ---- */

static void while_it_waits_status_says_primary_and_hello_not_writable(void **state)
{
    struct kit k;
    struct beside down = {.k = &k, .db = "admin", .json = "{'replSetStepDown': 600}"};
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 47});
    kit_ctl(&k, "lag", "1", "600000");
    kit_ctl(&k, "lag", "2", "600000");
    kit_noop(&k, 0);
    beside_start(&down);
    assert_true(sbx_world_wait(k.w, steps_down, &(int){0}, 10000));
    kit_status(&k, 0, &r);
    assert_int_equal(kit_int(&r, "myState"), 1);
    bson_destroy(&r);
    kit_hello(&k, 0, &r);
    assert_false(sbx_doc_true(&r, "ismaster"));
    assert_false(sbx_doc_true(&r, "secondary"));
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 0, "shop", &r, "{'insert': 'a', 'documents': [{'_id': 1}]}"),
                     10107);
    bson_destroy(&r);
    assert_int_equal(run(&k, 0, "{'replSetStepDown': 600}"), 117);
    kit_ctl(&k, "lag", "1", "0"); /* now there is an heir, and with it a majority */
    mst_thread_join(&down.thread);
    assert_int_equal(down.code, 0);
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 10000), 1);
    kit_stop(&k);
}

static void an_attempt_ends_when_its_node_steps_down_for_another_reason(void **state)
{
    struct kit k;
    struct beside down = {.k = &k, .db = "admin", .json = "{'replSetStepDown': 600}"};

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 48});
    kit_ctl(&k, "lag", "1", "600000");
    kit_ctl(&k, "lag", "2", "600000");
    kit_noop(&k, 0);
    beside_start(&down);
    assert_true(sbx_world_wait(k.w, steps_down, &(int){0}, 10000));
    sbx_lock(k.w);
    sbx_become_secondary(&k.w->members[0]);
    sbx_unlock(k.w);
    mst_thread_join(&down.thread);
    assert_int_equal(down.code, 189);
    kit_stop(&k);
}

static void a_position_of_a_later_term_is_of_no_majority(void **state)
{
    struct kit k;
    struct sbx_member *m;
    bool same, later;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 60});
    assert_true(kit_wait_opinion(&k, 0, 1, SBX_SECONDARY, 5000));
    sbx_lock(k.w);
    m = &k.w->members[0];
    m->reported[1] = m->applied;
    m->reported[2] = (struct sbx_pos){0};
    same = sbx_caught_up(m);
    m->reported[1].op.term++; /* newer than ours, and perhaps without it */
    later = sbx_caught_up(m);
    sbx_unlock(k.w);
    assert_true(same);
    assert_false(later);
    kit_stop(&k);
}

/* ---- fsyncLock ---- */

static void writes_wait_for_fsync_unlock_and_reads_go_on(void **state)
{
    struct kit k;
    struct beside write = {
        .k = &k, .db = "shop", .json = "{'insert': 'a', 'documents': [{'_id': 1}]}"};
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 49});
    assert_int_equal(run(&k, 0, "{'fsync': 1, 'lock': true}"), 0);
    beside_start(&write);
    await_op(&k, 0, "insert", true);
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'currentOp': 1, 'waitingForLock': true}"), 0);
    assert_true(sbx_doc_true(&r, "fsyncLock"));
    assert_string_equal(sbx_doc_str(&r, "inprog.0.op"), "insert");
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 0, "shop", &r, "{'find': 'a'}"), 0);
    assert_false(sbx_doc_has(&r, "cursor.firstBatch.0"));
    bson_destroy(&r);
    assert_int_equal(run(&k, 0, "{'replSetStepDown': 5, 'secondaryCatchUpPeriodSecs': 1}"), 24);
    mst_thread_join(&write.thread);
    assert_int_equal(write.code, 11602); /* the attempt killed it, and failed all the same */
    kit_hello(&k, 0, &r);
    assert_true(sbx_doc_true(&r, "ismaster"));
    bson_destroy(&r);
    write.code = -1;
    beside_start(&write);
    await_op(&k, 0, "insert", true);
    assert_int_equal(run(&k, 0, "{'fsyncUnlock': 1}"), 0);
    mst_thread_join(&write.thread);
    assert_int_equal(write.code, 0);
    kit_stop(&k);
}

static bool is_dead(struct sbx_world *w, void *arg)
{
    return !w->members[*(int *)arg].alive;
}

static void a_primary_that_cannot_get_the_lock_aborts(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .server = "7.0", .seed = 50});
    assert_int_equal(
        kit_run(&k, 0, "admin", &r, "{'getParameter': 1, 'fassertOnLockTimeoutForStepUpDown': 1}"),
        0);
    assert_int_equal(kit_int(&r, "fassertOnLockTimeoutForStepUpDown"), 15);
    bson_destroy(&r);
    assert_int_equal(run(&k, 0, "{'setParameter': 1, 'fassertOnLockTimeoutForStepUpDown': 1}"), 0);
    assert_int_equal(run(&k, 0, "{'fsync': 1, 'lock': true}"), 0);
    assert_int_equal(run(&k, 1, "{'replSetStepUp': 1}"), 0); /* the old primary must leave */
    assert_true(sbx_world_wait(k.w, is_dead, &(int){0}, 10000));
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 10000), 1);
    kit_stop(&k);
}

/* ---- what is killed ---- */

static void what_writes_is_listed_and_killed_and_what_reads_is_not(void **state)
{
    struct kit k;
    struct beside writer = {
        .k = &k, .db = "admin", .json = "{'sleep': 1, 'secs': 600, 'lock': 'w'}"};
    struct beside reader = {
        .k = &k, .db = "admin", .json = "{'sleep': 1, 'millis': 3000, 'lock': 'r'}"};
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 51});
    beside_start(&writer);
    await_op(&k, 0, "sleep", false);
    beside_start(&reader);
    do { /* until it has run for a second */
        assert_int_equal(kit_run(&k, 0, "admin", &r,
                                 "{'currentOp': 1, 'command.lock': 'w', 'secs_running': {'$gte': "
                                 "1}}"),
                         0);
        if (sbx_doc_has(&r, "inprog.0")) {
            break;
        }
        bson_destroy(&r);
    } while (true);
    assert_string_equal(sbx_doc_str(&r, "inprog.0.ns"), "admin.$cmd");
    bson_destroy(&r);
    assert_int_equal(run(&k, 0, "{'replSetStepDown': 600}"), 0);
    mst_thread_join(&writer.thread);
    assert_int_equal(writer.code, 11602);
    mst_thread_join(&reader.thread);
    assert_int_equal(reader.code, 0);
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'serverStatus': 1}"), 0);
    assert_string_equal(sbx_doc_str(&r, "metrics.repl.stateTransition.lastStateTransition"),
                        "stepDown");
    assert_int_equal(kit_int(&r, "metrics.repl.stateTransition.userOperationsKilled"), 1);
    bson_destroy(&r);
    kit_stop(&k);
}

#define TXN \
    "'lsid': {'id': {'$binary': {'base64': 'd/DuyLoATIShdmDwkgB6gA==', 'subType': '04'}}}, " \
    "'txnNumber': {'$numberLong': '1'}, 'autocommit': false"

static void a_step_down_that_fails_has_aborted_transactions(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 58});
    assert_int_equal(kit_run(&k, 0, "shop", &r, "{'create': 'a'}"), 0);
    bson_destroy(&r);
    kit_ctl(&k, "lag", "1", "3600000");
    kit_ctl(&k, "lag", "2", "3600000");
    kit_noop(&k, 0);
    assert_int_equal(
        kit_run(&k, 0, "shop", &r,
                "{'insert': 'a', 'documents': [{'_id': 1}], 'startTransaction': true, " TXN "}"),
        0);
    bson_destroy(&r);
    assert_int_equal(run(&k, 0, "{'replSetStepDown': 5, 'secondaryCatchUpPeriodSecs': 1}"), 262);
    assert_int_equal(run(&k, 0, "{'commitTransaction': 1, " TXN "}"), 251);
    kit_stop(&k);
}

/* ---- takeovers ---- */

static void a_member_of_higher_priority_takes_over_after_the_penalty(void **state)
{
    struct kit k;
    bson_t r, *cfg = three(2, 1, 1);

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 52, .config = cfg});
    bson_destroy(cfg);
    const int64_t from = mst_clock_mono_ms(NULL);
    assert_int_equal(run(&k, 0, "{'replSetStepDown': 3, 'secondaryCatchUpPeriodSecs': 1}"), 0);
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 2000), 1);
    assert_int_equal(sbx_world_wait_primary(k.w, 1, 20000), 0);
    assert_true(mst_clock_mono_ms(NULL) - from >= 3000); /* not within its penalty */
    kit_status(&k, 0, &r);
    assert_string_equal(sbx_doc_str(&r, "electionCandidateMetrics.lastElectionReason"),
                        "priorityTakeover");
    assert_int_equal(kit_int(&r, "electionCandidateMetrics.priorPrimaryMemberId"), 1);
    assert_int_equal(kit_int(&r, "term"), 3);
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'serverStatus': 1}"), 0);
    assert_int_equal(kit_int(&r, "electionMetrics.priorityTakeover.called"), 1);
    assert_int_equal(kit_int(&r, "electionMetrics.priorityTakeover.successful"), 1);
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 1, "admin", &r, "{'serverStatus': 1}"), 0);
    assert_int_equal(kit_int(&r, "electionMetrics.numStepDownsCausedByHigherTerm"), 1);
    bson_destroy(&r);
    kit_stop(&k);
}

static void a_lagging_member_of_higher_priority_waits_until_it_is_fresh(void **state)
{
    struct kit k;
    bson_t *cfg = three(1, 1, 2);

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 53, .config = cfg});
    bson_destroy(cfg);
    kit_ctl(&k, "lag", "2", "3600000");
    kit_noop(&k, 0);
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 6000), -1); /* the no-ops leave it behind */
    kit_ctl(&k, "lag", "2", "0");
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 20000), 2);
    kit_stop(&k);
}

static void a_fresher_member_takes_over_from_one_that_cannot_catch_up(void **state)
{
    static const char *const behind[] = {"1", "2", "3"};
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){
                      .fast = true, .members = 5, .seed = 57, .election_timeout_ms = 60000});
    for (size_t i = 0; i < 3; i++) {
        kit_ctl(&k, "lag", behind[i], "3600000");
    }
    kit_noop(&k, 0);
    assert_true(kit_wait_same(&k, 4, 0, 5000));
    kit_ctl(&k, "kill", "0", NULL);
    assert_int_equal(run(&k, 1, "{'replSetStepUp': 1}"), 0); /* 2 and 3 have no more than it */
    assert_int_equal(sbx_world_wait_primary(k.w, -1, 20000), 4);
    kit_status(&k, 4, &r);
    assert_string_equal(sbx_doc_str(&r, "electionCandidateMetrics.lastElectionReason"),
                        "catchupTakeover");
    assert_int_equal(kit_int(&r, "electionCandidateMetrics.priorPrimaryMemberId"), 1);
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 1, "admin", &r, "{'serverStatus': 1}"), 0);
    assert_int_equal(kit_int(&r, "electionMetrics.numCatchUpsFailedWithNewTerm"), 1);
    bson_destroy(&r);
    kit_stop(&k);
}

/* ---- catch-up ---- */

static void a_catch_up_lasts_as_told_and_can_be_ended(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 54});
    assert_int_equal(run(&k, 0, "{'replSetAbortPrimaryCatchUp': 1}"), 20);
    kit_ctl(&k, "catchup", "1", "600000");
    assert_int_equal(run(&k, 0, "{'replSetStepDown': 600}"), 0);
    assert_true(kit_wait_state(&k, 1, SBX_PRIMARY, 5000));
    kit_status(&k, 1, &r);
    assert_int_equal(kit_int(&r, "myState"), 1);
    assert_false(sbx_doc_has(&r, "electionCandidateMetrics.newTermStartDate"));
    bson_destroy(&r);
    kit_hello(&k, 1, &r);
    assert_false(sbx_doc_true(&r, "ismaster"));
    assert_true(sbx_doc_true(&r, "secondary"));
    bson_destroy(&r);
    assert_int_equal(run(&k, 1, "{'replSetAbortPrimaryCatchUp': 1}"), 0);
    assert_int_equal(sbx_world_wait_primary(k.w, 0, 5000), 1);
    assert_int_equal(kit_run(&k, 1, "admin", &r, "{'serverStatus': 1}"), 0);
    assert_int_equal(
        kit_int(&r, "electionMetrics.numCatchUpsFailedWithReplSetAbortPrimaryCatchUpCmd"), 1);
    bson_destroy(&r);
    kit_stop(&k);
}

static void a_slow_member_answers_status_at_once_and_data_late(void **state)
{
    struct kit k;
    struct beside write = {
        .k = &k, .db = "shop", .json = "{'insert': 'a', 'documents': [{'_id': 1}]}"};
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 55});
    kit_ctl(&k, "slow", "0", "600000");
    beside_start(&write);
    await_op(&k, 0, "insert", false);
    kit_status(&k, 0, &r);
    assert_int_equal(kit_int(&r, "members.1.health"), 1);
    bson_destroy(&r);
    assert_int_equal(kit_run(&k, 0, "shop", &r, "{'find': 'a', 'maxTimeMS': 50}"), 50);
    bson_destroy(&r);
    assert_int_equal(run(&k, 0, "{'replSetStepDown': 600}"), 0);
    mst_thread_join(&write.thread);
    assert_int_equal(write.code, 11602);
    kit_stop(&k);
}

static bool other_way(struct sbx_world *w, void *arg)
{
    (void)arg;
    return !w->members[1].of[0].up && w->members[0].of[1].up;
}

static bool both_ways(struct sbx_world *w, void *arg)
{
    (void)arg;
    return w->members[1].of[0].up && w->members[0].of[1].up;
}

static void a_network_can_fail_in_one_direction(void **state)
{
    struct kit k;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 56});
    kit_ctl(&k, "oneway", "1", "0");
    assert_true(sbx_world_wait(k.w, other_way, NULL, 10000));
    kit_ctl(&k, "heal", NULL, NULL);
    assert_true(sbx_world_wait(k.w, both_ways, NULL, 10000));
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_freeze_only_gets_longer_and_a_restart_ends_it),
        cmocka_unit_test(a_frozen_member_votes),
        cmocka_unit_test(the_heir_has_the_highest_priority),
        cmocka_unit_test(a_frozen_heir_or_a_forced_step_down_costs_an_election_timeout),
        cmocka_unit_test(without_election_hand_off_the_set_waits),
        cmocka_unit_test(while_it_waits_status_says_primary_and_hello_not_writable),
        cmocka_unit_test(an_attempt_ends_when_its_node_steps_down_for_another_reason),
        cmocka_unit_test(a_position_of_a_later_term_is_of_no_majority),
        cmocka_unit_test(writes_wait_for_fsync_unlock_and_reads_go_on),
        cmocka_unit_test(a_primary_that_cannot_get_the_lock_aborts),
        cmocka_unit_test(what_writes_is_listed_and_killed_and_what_reads_is_not),
        cmocka_unit_test(a_member_of_higher_priority_takes_over_after_the_penalty),
        cmocka_unit_test(a_lagging_member_of_higher_priority_waits_until_it_is_fresh),
        cmocka_unit_test(a_fresher_member_takes_over_from_one_that_cannot_catch_up),
        cmocka_unit_test(a_step_down_that_fails_has_aborted_transactions),
        cmocka_unit_test(a_catch_up_lasts_as_told_and_can_be_ended),
        cmocka_unit_test(a_slow_member_answers_status_at_once_and_data_late),
        cmocka_unit_test(a_network_can_fail_in_one_direction),
    };
    return cmocka_run_group_tests_name("seat", tests, NULL, NULL);
}
