#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include <stdlib.h>
#include <string.h>

#include "fosim.h"

static struct fs_sim sim;

#define X(e) (1U << (e))

static void must_be_one_of(unsigned exits, const char *what, int state, int64_t after_ms)
{
    if (sim.complaint[0] != '\0' || sim.f.exit < 0 || (exits & X(sim.f.exit)) == 0) {
        fs_trace(&sim);
        fail_msg("%s at %s + %lld ms: exit %d; %s; %s", what,
                 mst_fo_state_word((enum mst_fo_state)state), (long long)after_ms, (int)sim.f.exit,
                 sim.complaint, sim.f.text);
    }
}

/* a reply is lost: the command took effect, or did not */

static void a_lost_reply_of_each_command_is_looked_into(void **state)
{
    static const struct {
        const char *name;
        enum mst_fo_do what;
        int member, nth;
        bool no_hand_off;
        unsigned done, not_done; /* exits when it took effect, and when it did not */
    } rows[] = {
        {"thaw of the target", MST_FO_SEND_FREEZE, 1, 1, false, X(0), X(0)},
        {"freeze of the rival", MST_FO_SEND_FREEZE, 2, 1, false, X(12), X(12)},
        {"step down", MST_FO_SEND_STEPDOWN, 0, 1, false, X(0), X(12)},
        {"step down without a hand-off", MST_FO_SEND_STEPDOWN, 0, 1, true, X(0), X(12)},
        {"step up", MST_FO_SEND_STEPUP, 1, 1, true, X(0), X(0)},
        {"first note", MST_FO_SEND_NOTE, 1, 1, false, X(0), X(0)},
        {"second note", MST_FO_SEND_NOTE, 1, 2, false, X(0), X(0)},
        {"third note", MST_FO_SEND_NOTE, 1, 3, false, X(0), X(0)},
        {"thaw of the rival", MST_FO_SEND_FREEZE, 2, 2, false, X(0), X(0)},
        {"thaw of the old primary", MST_FO_SEND_FREEZE, 0, 1, false, X(0), X(0)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int effect = 0; effect < 2; effect++) {
            fs_init(&sim, 3);
            sim.no_hand_off = rows[i].no_hand_off;
            fs_rule(&sim, rows[i].what, rows[i].member, rows[i].nth,
                    effect ? FS_LOST_REPLY : FS_LOST_REQUEST, 0);
            fs_run(&sim);
            must_be_one_of(effect ? rows[i].done : rows[i].not_done, rows[i].name, 0, effect);
            assert_int_not_equal(sim.rules[0].seen, 0); /* it was sent, or the row is void */
            assert_true(sim.rules[0].seen >= rows[i].nth);
        }
    }
}

static void the_undo_bears_lost_replies_too(void **state)
{
    (void)state;
    for (int effect = 0; effect < 2; effect++) {
        for (int what = 0; what < 3; what++) {
            fs_init(&sim, 3);
            sim.no_hand_off = true;
            fs_event(&sim, MST_FO_CERTIFY, 0, FS_UNDO, -1);
            fs_rule(&sim,
                    what == 0   ? MST_FO_SEND_FREEZE
                    : what == 1 ? MST_FO_SEND_STEPUP
                                : MST_FO_SEND_NOTE,
                    0, 1, effect ? FS_LOST_REPLY : FS_LOST_REQUEST, 0);
            fs_run(&sim);
            /* while nothing is heard, the others may elect by themselves */
            must_be_one_of(what == 1 ? X(13) | X(15) : X(13), "undo", MST_FO_UNDO, what);
            assert_int_not_equal(sim.rules[0].seen, 0);
        }
    }
}

/* something happens in each state */

static const struct {
    enum mst_fo_state state;
    bool no_hand_off;
    unsigned primary_dead, target_dead, undo, note_lost, jump;
} each[] = {
    {MST_FO_RECHECK, false, X(12), X(12), X(12), X(12), X(0)},
    {MST_FO_QUIESCE, false, X(12), X(12), X(12), X(12), X(0)},
    {MST_FO_CATCHUP, false, X(12), X(12), X(12), X(12), X(0)},
    {MST_FO_FREEZE, false, X(12), X(12), X(12), X(12), X(0)},
    {MST_FO_STEPDOWN, false, X(12) | X(15), X(12) | X(13), X(12) | X(13) | X(15), X(12) | X(15),
     X(0)},
    {MST_FO_CERTIFY, false, X(15), X(13) | X(14), X(13) | X(15), X(15), X(0)},
    {MST_FO_CERTIFY, true, X(15), X(13), X(13), X(15), X(0)},
    {MST_FO_STEPUP, true, X(15), X(13), X(13) | X(15), X(15), X(0)},
    {MST_FO_AWAIT, true, X(15), X(13) | X(14), X(13) | X(15), X(15), X(0)},
    {MST_FO_PROBE, false, X(15), X(13) | X(14) | X(15), X(15), X(15), X(0)},
    {MST_FO_SETTLE, false, X(15), X(15), X(15), X(15), X(0)},
    {MST_FO_WATCH, false, X(0), X(15), X(15), X(15), X(0)},
};

static unsigned allowed(size_t i, enum fs_thing thing, int member)
{
    return thing == FS_UNDO        ? each[i].undo
           : thing == FS_NOTE_LOST ? each[i].note_lost
           : thing == FS_JUMP      ? each[i].jump
           : member == 0           ? each[i].primary_dead
                                   : each[i].target_dead;
}

/* What it led to is judged by the state in which it happened: they pass quickly. */
static void at_each(enum fs_thing thing, int member, const char *what)
{
    static const int64_t after[] = {0, 20, 60, 300, 1000, 3000};
    const size_t n = sizeof(each) / sizeof(each[0]);
    unsigned seen = 0;

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sizeof(after) / sizeof(after[0]); k++) {
            unsigned exits = 0;

            fs_init(&sim, 3);
            sim.no_hand_off = each[i].no_hand_off;
            sim.plan.step_up = each[i].state != MST_FO_AWAIT;
            fs_event(&sim, each[i].state, after[k], thing, member);
            if (each[i].state == MST_FO_QUIESCE) {
                sim.backup_runs = true;
                fs_event(&sim, MST_FO_QUIESCE, 5000, FS_BACKUP_ENDS, -1);
            }
            fs_run(&sim);
            for (size_t j = 0; j < n && sim.events[0].due_ms == -1; j++) {
                if (each[j].state == sim.events[0].in) {
                    exits |= allowed(j, thing, member);
                }
            }
            if (exits != 0) {
                seen |= X(sim.events[0].in);
                must_be_one_of(exits, what, (int)sim.events[0].in, after[k]);
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        if ((seen & X(each[i].state)) == 0) {
            fail_msg("%s: never happened in %s", what, mst_fo_state_word(each[i].state));
        }
    }
}

static void the_primary_dies_in_each_state(void **state)
{
    (void)state;
    at_each(FS_KILL, 0, "primary dead");
}
static void the_target_dies_in_each_state(void **state)
{
    (void)state;
    at_each(FS_KILL, 1, "target dead");
}
static void the_operator_asks_for_an_undo_in_each_state(void **state)
{
    (void)state;
    at_each(FS_UNDO, -1, "undo");
}
static void our_note_is_lost_in_each_state(void **state)
{
    (void)state;
    at_each(FS_NOTE_LOST, -1, "note lost");
}
static void the_clock_jumps_in_each_state(void **state)
{
    (void)state;
    at_each(FS_JUMP, -1, "clock");
}

static void a_clock_that_always_jumps_proves_nothing_and_ends(void **state)
{
    (void)state;
    fs_init(&sim, 3);
    sim.jump_always = true;
    fs_run(&sim);
    must_be_one_of(X(MST_FO_ABORTED), "always jumps", MST_FO_RECHECK, 0);
    assert_int_equal(sim.sent[MST_FO_SEND_STEPDOWN], 0);
}

static void a_jump_restarts_the_calm(void **state)
{
    int64_t plain;

    (void)state;
    fs_init(&sim, 3);
    fs_run(&sim);
    plain = sim.now;
    fs_init(&sim, 3);
    fs_event(&sim, MST_FO_SETTLE, 20000, FS_JUMP, -1);
    fs_run(&sim);
    must_be_one_of(X(0), "jump", MST_FO_SETTLE, 20000);
    assert_in_range(sim.now - plain, 18000, 22000);
}

/* The looks that were out while this process stood still are cut when it goes on. */
static void silence_while_we_stood_still_is_ours(void **state)
{
    (void)state;
    fs_init(&sim, 3);
    fs_begin(&sim);
    sim.now += 30000;
    sim.jumped = true;
    for (size_t i = 0; i < sim.n; i++) {
        sim.seen[i].tried_ms = sim.now;
    }
    assert_true(fs_step(&sim));
    assert_int_equal(sim.f.state, MST_FO_RECHECK);
    fs_run(&sim);
    must_be_one_of(X(0), "stood still", MST_FO_RECHECK, 0);
}

/* chance, always the same */

static uint64_t seed;
static uint32_t chance(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % n;
}

static void random_plan(void)
{
    fs_init(&sim, chance(3) == 0 ? 5 : 3);
    sim.no_hand_off = chance(3) == 0;
    sim.plan.step_up = chance(6) != 0;
    sim.catch_up_ms = chance(8) == 0 ? 45000 : 20 + chance(400);
    sim.backup_runs = chance(8) == 0;
    if (chance(6) == 0) {
        sim.et = sim.plan.election_timeout_ms = 1000;
    }
    if (chance(4) == 0) {
        sim.plan.act = MST_GUARD_STEPDOWN;
        sim.plan.target = -1;
    } else if (chance(3) == 0) {
        sim.plan.target = 2;
    }
    if (sim.plan.target > 0 && chance(3) == 0) {
        sim.plan.members[0].priority = 2;
        sim.plan.after = chance(2) == 0 ? MST_AFTER_VISIT : MST_AFTER_STAY;
        sim.plan.return_ms = 80000;
        if (sim.plan.after == MST_AFTER_STAY) {
            sim.plan.swap_target = 2;
            sim.plan.swap_old = 1;
        }
    }
}

static void random_trouble(void)
{
    static const enum mst_fo_do whats[] = {MST_FO_SEND_FREEZE, MST_FO_SEND_STEPDOWN,
                                           MST_FO_SEND_STEPUP, MST_FO_SEND_NOTE,
                                           MST_FO_SEND_PRIORITIES};
    static const int codes[] = {95, 262, 24, 117, 13, 10107, 189, 125, 11600, 91, 107, 308, 50};
    static const int64_t after[] = {0, 20, 60, 200, 700, 2500, 9000, 25000};
    static const enum fs_thing things[] = {FS_KILL,     FS_REVIVE,      FS_CUT,     FS_UNCUT,
                                           FS_UNDO,     FS_NOTE_LOST,   FS_JUMP,    FS_TERM,
                                           FS_RECONFIG, FS_STUCK,       FS_UNSTUCK, FS_KILL,
                                           FS_CUT,      FS_BACKUP_ENDS, FS_REVIVE,  FS_RECOVERING};
    const uint32_t n_rules = chance(3), n_events = chance(4);

    for (uint32_t i = 0; i < n_rules; i++) {
        fs_rule(&sim, whats[chance(5)], chance(2) == 0 ? -1 : (int)chance((uint32_t)sim.n),
                (int)chance(4), (enum fs_how)(1 + chance(3)), codes[chance(13)]);
    }
    for (uint32_t i = 0; i < n_events; i++) {
        fs_event(&sim, (enum mst_fo_state)chance(MST_FO_END), after[chance(8)], things[chance(16)],
                 (int)chance((uint32_t)sim.n));
    }
}

static void random_schedules_keep_every_promise(void **state)
{
    const char *one = getenv("MUSTER_SEED");
    const uint64_t from = one != NULL ? strtoull(one, NULL, 10) : 1;
    const uint64_t to = one != NULL ? from : 3000;
    int exits[20] = {0};

    (void)state;
    for (uint64_t k = from; k <= to; k++) {
        seed = k * 7919;
        random_plan();
        random_trouble();
        fs_run(&sim);
        if (sim.complaint[0] != '\0') {
            fs_trace(&sim);
            for (size_t i = 0; i < sim.n_events; i++) {
                print_message("event %s + %lld: thing %d on %d, %s\n",
                              mst_fo_state_word(sim.events[i].state),
                              (long long)sim.events[i].after_ms, (int)sim.events[i].thing,
                              sim.events[i].member, sim.events[i].due_ms == -1 ? "fired" : "no");
            }
            for (size_t i = 0; i < sim.n_rules; i++) {
                print_message("rule %d member %d nth %d how %d code %d seen %d\n",
                              (int)sim.rules[i].what, sim.rules[i].member, sim.rules[i].nth,
                              (int)sim.rules[i].how, sim.rules[i].code, sim.rules[i].seen);
            }
            print_message("act %d after %d target %d election %lld\n", (int)sim.plan.act,
                          (int)sim.plan.after, sim.plan.target, (long long)sim.et);
            fail_msg("seed %llu: %s; exit %d: %s", (unsigned long long)k, sim.complaint,
                     (int)sim.f.exit, sim.f.text);
        }
        exits[sim.f.exit]++;
    }
    if (one == NULL) { /* the schedules reach every end */
        print_message("done %d, aborted %d, undone %d, other %d, incomplete %d, unknown %d\n",
                      exits[0], exits[12], exits[13], exits[14], exits[15], exits[16]);
        assert_true(exits[0] > 100 && exits[12] > 100 && exits[13] > 10 && exits[14] > 10 &&
                    exits[15] > 100 && exits[16] > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_reply_of_each_command_is_looked_into),
        cmocka_unit_test(the_undo_bears_lost_replies_too),
        cmocka_unit_test(the_primary_dies_in_each_state),
        cmocka_unit_test(the_target_dies_in_each_state),
        cmocka_unit_test(the_operator_asks_for_an_undo_in_each_state),
        cmocka_unit_test(our_note_is_lost_in_each_state),
        cmocka_unit_test(the_clock_jumps_in_each_state),
        cmocka_unit_test(a_clock_that_always_jumps_proves_nothing_and_ends),
        cmocka_unit_test(a_jump_restarts_the_calm),
        cmocka_unit_test(silence_while_we_stood_still_is_ours),
        cmocka_unit_test(random_schedules_keep_every_promise),
    };
    return cmocka_run_group_tests_name("failover lost", tests, NULL, NULL);
}
