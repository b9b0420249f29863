#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include <bson/bson.h>

#include "base/str.h"
#include "forows.h"

static struct fs_sim sim;

static void none(struct fs_sim *s)
{
    (void)s;
}
static void rolls_back(struct fs_sim *s)
{
    fs_event(s, MST_FO_SETTLE, 2000, FS_ROLLBACK, 2);
}
static void rolls_back_in_watch(struct fs_sim *s)
{
    fs_event(s, MST_FO_WATCH, 2000, FS_ROLLBACK, 0);
}
static void no_rbid(struct fs_sim *s)
{
    s->m[2].no_rbid = true;
}
static void new_term(struct fs_sim *s)
{
    fs_event(s, MST_FO_SETTLE, 5000, FS_TERM, 2);
}
static void new_term_in_watch(struct fs_sim *s)
{
    fs_event(s, MST_FO_WATCH, 5000, FS_TERM, 0);
}
static void recovers(struct fs_sim *s)
{
    fs_event(s, MST_FO_SETTLE, 10000, FS_RECOVERING, 2);
    fs_event(s, MST_FO_SETTLE, 20000, FS_SECONDARY, 2);
}
static void stays_recovering(struct fs_sim *s)
{
    fs_event(s, MST_FO_SETTLE, 10000, FS_RECOVERING, 2);
}
static void old_is_stuck(struct fs_sim *s)
{
    fs_event(s, MST_FO_SETTLE, 100, FS_STUCK, 0);
}
static void target_dies_in_settle(struct fs_sim *s)
{
    fs_event(s, MST_FO_SETTLE, 3000, FS_KILL, 1);
}
static void target_dies_in_watch(struct fs_sim *s)
{
    fs_event(s, MST_FO_WATCH, 3000, FS_KILL, 1);
}
static void two_die_in_settle(struct fs_sim *s)
{
    fs_event(s, MST_FO_SETTLE, 3000, FS_KILL, 1);
    fs_event(s, MST_FO_SETTLE, 3000, FS_KILL, 2);
}
static void thaw_unconfirmed(struct fs_sim *s)
{
    fs_rule(s, MST_FO_SEND_FREEZE, 2, 2, FS_LOST_REQUEST, 0);
    fs_rule(s, MST_FO_SEND_FREEZE, 2, 3, FS_LOST_REQUEST, 0);
    fs_rule(s, MST_FO_SEND_FREEZE, 2, 4, FS_LOST_REPLY, 0);
}
static void arbiter(struct fs_sim *s)
{
    s->plan.members[2].arbiter = true;
    s->plan.members[2].data = s->plan.members[2].electable = false;
    s->plan.members[2].priority = 0;
    s->plan.members[2].rbid = -1;
}
static void divided(struct fs_sim *s)
{
    s->et = s->plan.election_timeout_ms = 1000;
}

static void done_needs_calm_and_nobody_who_rolled_back(void **state)
{
    static const struct row rows[] = {
        {"plain", none, MST_FO_DONE, MST_FO_WATCH, ANY, "nothing was lost", MST_FO_CERT_CONTINUITY},
        {"rollback", rolls_back, MST_FO_INCOMPLETE, MST_FO_SETTLE, MST_FO_WATCH,
         "db3:27017 rolled back", MST_FO_CERT_CONTINUITY},
        {"rollback in watch", rolls_back_in_watch, MST_FO_INCOMPLETE, MST_FO_WATCH, ANY,
         "db1:27017 rolled back", MST_FO_CERT_CONTINUITY},
        {"no rbid", no_rbid, MST_FO_INCOMPLETE, MST_FO_SETTLE, MST_FO_WATCH, "not known",
         MST_FO_CERT_CONTINUITY},
        {"new term", new_term, MST_FO_INCOMPLETE, MST_FO_SETTLE, MST_FO_WATCH,
         "db3:27017 is primary in term 43", MST_FO_CERT_CONTINUITY},
        {"new term in watch", new_term_in_watch, MST_FO_INCOMPLETE, MST_FO_WATCH, ANY,
         "db1:27017 is primary in term 43", MST_FO_CERT_CONTINUITY},
        {"recovers", recovers, MST_FO_DONE, MST_FO_WATCH, ANY, NULL, MST_FO_CERT_CONTINUITY},
        {"stays so", stays_recovering, MST_FO_INCOMPLETE, MST_FO_SETTLE, MST_FO_WATCH, "RECOVERING",
         MST_FO_CERT_CONTINUITY},
        {"old is stuck", old_is_stuck, MST_FO_INCOMPLETE, MST_FO_SETTLE, MST_FO_WATCH,
         "db1:27017 was not back within 30 s", MST_FO_CERT_CONTINUITY},
        {"dies in settle", target_dies_in_settle, MST_FO_INCOMPLETE, MST_FO_SETTLE, MST_FO_WATCH,
         "db1:27017 is primary", MST_FO_CERT_CONTINUITY},
        {"dies in watch", target_dies_in_watch, MST_FO_INCOMPLETE, MST_FO_WATCH, ANY, "is primary",
         MST_FO_CERT_CONTINUITY},
        {"two die", two_die_in_settle, MST_FO_UNSURE, MST_FO_SETTLE, MST_FO_WATCH, "muster status",
         MST_FO_CERT_CONTINUITY},
        {"thaw unconfirmed", thaw_unconfirmed, MST_FO_DONE, MST_FO_WATCH, ANY, NULL,
         MST_FO_CERT_CONTINUITY},
        {"arbiter", arbiter, MST_FO_DONE, MST_FO_WATCH, ANY, NULL, MST_FO_CERT_CONTINUITY},
        {"divided", divided, MST_FO_DONE, MST_FO_WATCH, ANY, NULL, MST_FO_CERT_CONTINUITY},
    };

    (void)state;
    run_rows(&sim, rows, sizeof(rows) / sizeof(rows[0]));
}

static int64_t ms_in(enum mst_fo_state s)
{
    for (size_t i = 0; i < sim.f.n_lines; i++) {
        if (sim.f.lines[i].state == s) {
            return sim.f.lines[i].to_ms - sim.f.lines[i].from_ms;
        }
    }
    return -1;
}

static void divided_intervals_shorten_the_calm_to_three_election_timeouts(void **state)
{
    (void)state;
    fs_init(&sim, 3);
    fs_run(&sim);
    assert_in_range(ms_in(MST_FO_SETTLE), 30000, 32000);
    assert_in_range(ms_in(MST_FO_WATCH), sim.plan.takeover_ms, sim.plan.takeover_ms + 2000);
    fs_init(&sim, 3);
    divided(&sim);
    fs_run(&sim);
    assert_in_range(ms_in(MST_FO_SETTLE), 3000, 4500);
}

/* priorities */

static void old_is_higher(struct fs_sim *s)
{
    s->plan.members[0].priority = 2;
}
static void stay(struct fs_sim *s)
{
    old_is_higher(s);
    s->plan.after = MST_AFTER_STAY;
    s->plan.swap_target = 2;
    s->plan.swap_old = 1;
}
static void stay_reply_lost(struct fs_sim *s)
{
    stay(s);
    fs_rule(s, MST_FO_SEND_PRIORITIES, -1, 1, FS_LOST_REPLY, 0);
}
static void stay_request_lost(struct fs_sim *s)
{
    stay(s);
    fs_rule(s, MST_FO_SEND_PRIORITIES, -1, 1, FS_LOST_REQUEST, 0);
}
static void stay_not_propagated(struct fs_sim *s)
{
    stay(s);
    fs_rule(s, MST_FO_SEND_PRIORITIES, -1, 1, FS_EFFECT_REFUSE, 50);
}
static void stay_refused(struct fs_sim *s)
{
    stay(s);
    fs_rule(s, MST_FO_SEND_PRIORITIES, -1, 0, FS_REFUSE, 103);
}
static void stay_not_committed_yet(struct fs_sim *s)
{
    stay(s);
    fs_rule(s, MST_FO_SEND_PRIORITIES, -1, 1, FS_REFUSE, 308);
}
static void stay_never_committed(struct fs_sim *s)
{
    stay(s);
    fs_rule(s, MST_FO_SEND_PRIORITIES, -1, 0, FS_REFUSE, 308);
}
static void stay_diverted(struct fs_sim *s)
{
    stay(s);
    s->no_hand_off = true;
    s->plan.step_up = false;
    fs_event(s, MST_FO_AWAIT, 1000, FS_TERM, 2);
}
/* A third member is above the target, and not above the priority that it gets. */
static void stay_beside_a_third(struct fs_sim *s)
{
    stay(s);
    s->plan.members[2].priority = 2;
}
static void stay_third_refused(struct fs_sim *s)
{
    stay_refused(s);
    s->plan.members[2].priority = 2;
}
static void stay_third_undo(struct fs_sim *s)
{
    stay_beside_a_third(s);
    fs_event(s, MST_FO_SETTLE, 2000, FS_UNDO, 0);
}
static void stay_third_target_dies(struct fs_sim *s)
{
    stay_beside_a_third(s);
    fs_event(s, MST_FO_SETTLE, 3000, FS_KILL, 1);
}
/* What is told first is what is missing, not the warning before it. */
static void stay_reply_lost_then_undo(struct fs_sim *s)
{
    stay_reply_lost(s);
    fs_event(s, MST_FO_WATCH, 2000, FS_UNDO, 0);
}
static void visit(struct fs_sim *s)
{
    old_is_higher(s);
    s->plan.after = MST_AFTER_VISIT;
    s->plan.return_ms = 85000;
}

static void the_seat_stays_only_after_one_reconfig_that_is_seen(void **state)
{
    static const struct row rows[] = {
        {"stay", stay, MST_FO_DONE, MST_FO_PRIORITIES, ANY, "nothing is left",
         MST_FO_CERT_CONTINUITY},
        {"reply lost", stay_reply_lost, MST_FO_DONE, MST_FO_WATCH, ANY, "installed, although",
         MST_FO_CERT_CONTINUITY},
        {"request lost", stay_request_lost, MST_FO_INCOMPLETE, MST_FO_PRIORITIES, MST_FO_WATCH,
         "priorities were not changed", MST_FO_CERT_CONTINUITY},
        {"not propagated", stay_not_propagated, MST_FO_DONE, MST_FO_WATCH, ANY,
         "installed, although", MST_FO_CERT_CONTINUITY},
        {"refused", stay_refused, MST_FO_INCOMPLETE, MST_FO_PRIORITIES, MST_FO_WATCH, "code 103",
         MST_FO_CERT_CONTINUITY},
        {"308 once", stay_not_committed_yet, MST_FO_DONE, MST_FO_WATCH, ANY, NULL,
         MST_FO_CERT_CONTINUITY},
        {"308", stay_never_committed, MST_FO_INCOMPLETE, MST_FO_PRIORITIES, MST_FO_WATCH,
         "code 308", MST_FO_CERT_CONTINUITY},
        {"diverted", stay_diverted, MST_FO_OTHER, MST_FO_DIVERTED, MST_FO_PRIORITIES, "db3",
         MST_FO_CERT_CONTINUITY},
        {"reply lost, undo", stay_reply_lost_then_undo, MST_FO_INCOMPLETE, MST_FO_WATCH, ANY,
         "but stopped on request", MST_FO_CERT_CONTINUITY},
        {"third", stay_beside_a_third, MST_FO_DONE, MST_FO_PRIORITIES, ANY, "nothing is left",
         MST_FO_CERT_OPTIME},
        {"third, refused", stay_third_refused, MST_FO_INCOMPLETE, MST_FO_PRIORITIES, MST_FO_WATCH,
         "code 103", MST_FO_CERT_OPTIME},
        {"third, undo", stay_third_undo, MST_FO_INCOMPLETE, MST_FO_SETTLE, MST_FO_PRIORITIES,
         "there was another election", MST_FO_CERT_OPTIME},
        {"third, target dies", stay_third_target_dies, MST_FO_INCOMPLETE, MST_FO_SETTLE,
         MST_FO_PRIORITIES, "there was another election", MST_FO_CERT_OPTIME},
        {"visit", visit, MST_FO_DONE, MST_FO_SETTLE, MST_FO_WATCH, "takes the seat back in about",
         MST_FO_CERT_CONTINUITY},
    };

    (void)state;
    run_rows(&sim, rows, sizeof(rows) / sizeof(rows[0]));
    assert_int_not_equal(mst_fo_held_until(&sim.f, 0), 0); /* the visit is not cut short */
    assert_int_equal(sim.thawed[0], 0);
    fs_init(&sim, 3);
    stay(&sim);
    fs_run(&sim);
    assert_int_equal(sim.sent[MST_FO_SEND_PRIORITIES], 1);
    assert_int_equal(sim.thawed[0], 1);
    assert_int_equal(mst_fo_held_until(&sim.f, 0), 0);
    fs_init(&sim, 3);
    stay_request_lost(&sim);
    fs_run(&sim);
    assert_int_equal(sim.sent[MST_FO_SEND_PRIORITIES], 1); /* never again blindly */
    /* The third is not held for a reconfig that will not come. */
    fs_init(&sim, 3);
    stay_third_refused(&sim);
    fs_run(&sim);
    assert_int_equal(mst_fo_held_until(&sim.f, 2), 0);
    assert_int_equal(sim.thawed[2], 1);
}

static void seems_behind_for_a_moment(struct fs_sim *s)
{
    fs_event(s, MST_FO_SETTLE, 2000, FS_STUCK, 0);
    fs_event(s, MST_FO_SETTLE, 13000, FS_UNSTUCK, 0);
}
static void is_behind_for_long(struct fs_sim *s)
{
    fs_event(s, MST_FO_SETTLE, 2000, FS_STUCK, 0);
    fs_event(s, MST_FO_SETTLE, 18000, FS_UNSTUCK, 0);
}

static int64_t settle_ms(const struct mst_fo *f)
{
    for (size_t i = 0; i < f->n_lines; i++) {
        if (f->lines[i].state == MST_FO_SETTLE) {
            return f->lines[i].to_ms - f->lines[i].from_ms;
        }
    }
    return -1;
}

/* Calm begins anew only for who stays behind. */
static void the_moment_before_an_entry_arrives_is_no_lag(void **state)
{
    (void)state;
    fs_init(&sim, 3);
    seems_behind_for_a_moment(&sim);
    fs_run(&sim);
    fs_must(&sim, MST_FO_DONE, "a moment");
    assert_true(settle_ms(&sim.f) < 35000);
    fs_init(&sim, 3);
    is_behind_for_long(&sim);
    fs_run(&sim);
    fs_must(&sim, MST_FO_DONE, "for long");
    assert_true(settle_ms(&sim.f) > 45000);
}

static void a_step_down_freezes_nobody_and_takes_any_heir(void **state)
{
    (void)state;
    fs_init(&sim, 5);
    sim.plan.act = MST_GUARD_STEPDOWN;
    sim.plan.target = -1;
    sim.no_hand_off = true;
    fs_run(&sim);
    fs_must(&sim, MST_FO_DONE, "stepdown");
    assert_int_equal(sim.f.cert, MST_FO_CERT_OPTIME); /* a majority was seen there */
    assert_int_equal(sim.sent[MST_FO_SEND_STEPUP], 0);
    assert_int_equal(sim.sent[MST_FO_SEND_FREEZE], 1); /* the penalty, at the end */
    assert_int_equal(sim.thawed[0], 1);
}

/* certificates */

static void no_certificate_for_a_target_that_was_not_seen_there(void **state)
{
    (void)state;
    fs_init(&sim, 5);
    sim.no_hand_off = true;
    fs_event(&sim, MST_FO_FREEZE, 60, FS_STUCK, 1);
    fs_event(&sim, MST_FO_STEPUP, 0, FS_KILL, 0);
    fs_event(&sim, MST_FO_STEPUP, 0, FS_UNSTUCK, 1);
    fs_run(&sim);
    assert_string_equal(sim.complaint, "");
    assert_int_equal(sim.f.cert, MST_FO_CERT_NONE);
    assert_non_null(strstr(sim.f.cert_why, "db2:27017 was not seen at the last position"));
}

static void an_old_primary_that_restarted_proves_nothing(void **state)
{
    (void)state;
    fs_init(&sim, 3);
    fs_rule(&sim, MST_FO_SEND_STEPDOWN, 0, 1, FS_LOST_REQUEST, 0);
    fs_event(&sim, MST_FO_STEPDOWN, 300, FS_KILL, 0);
    fs_event(&sim, MST_FO_STEPDOWN, 2500, FS_REVIVE, 0);
    fs_run(&sim);
    assert_string_equal(sim.complaint, "");
    assert_true(sim.was[MST_FO_PROBE]);
    assert_int_equal(sim.f.cert, MST_FO_CERT_NONE);
}

static void an_old_primary_that_rolled_back_is_told_and_not_certified(void **state)
{
    (void)state;
    fs_init(&sim, 3);
    sim.no_hand_off = true;
    fs_event(&sim, MST_FO_FREEZE, 60, FS_STUCK, 1);
    fs_event(&sim, MST_FO_CERTIFY, 1000, FS_TERM, 1); /* it wins without the last entries */
    fs_run(&sim);
    fs_must(&sim, MST_FO_INCOMPLETE, "rollback");
    assert_int_equal(sim.m[0].rbid, 2);
    assert_int_equal(sim.f.cert, MST_FO_CERT_NONE);
    assert_non_null(strstr(sim.f.text, "db1:27017 rolled back"));
}

static void an_undo_thaws_everybody_also_who_is_not_known_to_be_frozen(void **state)
{
    (void)state;
    fs_init(&sim, 5);
    sim.no_hand_off = true;
    fs_event(&sim, MST_FO_CERTIFY, 0, FS_UNDO, -1);
    fs_run(&sim);
    fs_must(&sim, MST_FO_UNDONE, "undo");
    assert_int_equal(sim.thawed[0], 1);
    assert_int_equal(sim.thawed[1], 2); /* before the step down, and now */
    for (size_t i = 2; i < 5; i++) {
        assert_int_equal(sim.thawed[i], 1);
        assert_int_equal(mst_fo_held_until(&sim.f, i), 0);
    }
}

static void three_looks_come_before_a_lost_step_down_is_called_without_effect(void **state)
{
    (void)state;
    fs_init(&sim, 3);
    fs_rule(&sim, MST_FO_SEND_STEPDOWN, 0, 1, FS_LOST_REQUEST, 0);
    fs_run(&sim);
    fs_must(&sim, MST_FO_ABORTED, "lost");
    assert_in_range(ms_in(MST_FO_STEPDOWN), sim.plan.hard_stop_ms + 2 * sim.poll_ms + 100,
                    sim.plan.hard_stop_ms + 5500);
}

/* planted defects */

static void run_defect(bool with, void (*plan)(struct fs_sim *), bool no_hand_off, size_t offset)
{
    fs_init(&sim, 3);
    plan(&sim);
    sim.no_hand_off = no_hand_off;
    fs_begin(&sim);
    *(bool *)((char *)&sim.f + offset) = with;
    while (fs_step(&sim) && sim.steps < 60000) {
    }
}
static void config_moved(struct fs_sim *s)
{
    s->version = 13;
}
static void heir_is_another(struct fs_sim *s)
{
    s->plan.target = 2;
}

static void each_planted_defect_is_caught(void **state)
{
    (void)state;
    run_defect(false, config_moved, false, offsetof(struct mst_fo, defect_no_recheck));
    fs_must(&sim, MST_FO_ABORTED, "recheck");
    assert_int_equal(sim.sent[MST_FO_SEND_FREEZE], 0);
    run_defect(true, config_moved, false, offsetof(struct mst_fo, defect_no_recheck));
    assert_int_not_equal(sim.sent[MST_FO_SEND_STEPDOWN], 0);

    run_defect(false, heir_is_another, false, offsetof(struct mst_fo, defect_no_freeze));
    fs_must(&sim, MST_FO_DONE, "freeze");
    run_defect(true, heir_is_another, false, offsetof(struct mst_fo, defect_no_freeze));
    assert_int_equal(sim.f.exit, MST_FO_OTHER);

    run_defect(false, none, true, offsetof(struct mst_fo, defect_no_final_optime));
    fs_must(&sim, MST_FO_DONE, "final optime");
    assert_int_equal(sim.f.cert, MST_FO_CERT_OPTIME);
    run_defect(true, none, true, offsetof(struct mst_fo, defect_no_final_optime));
    assert_non_null(strstr(sim.complaint, "not the last"));

    run_defect(true, none, false, offsetof(struct mst_fo, defect_done_at_writable));
    assert_non_null(strstr(sim.complaint, "DONE"));
}

/* what is told */

static void the_result_is_one_json_object(void **state)
{
    struct mst_str out = {0};
    bson_error_t e;
    bson_t *b;
    bson_iter_t it, sub;

    (void)state;
    fs_init(&sim, 3);
    stay_reply_lost(&sim);
    fs_run(&sim);
    mst_fo_json(&sim.f, 1700000000000, &out);
    assert_null(strchr(mst_str_c(&out), '\n'));
    b = bson_new_from_json((const uint8_t *)mst_str_c(&out), -1, &e);
    if (b == NULL) {
        fail_msg("%s: %s", e.message, mst_str_c(&out));
    }
    assert_true(bson_iter_init_find(&it, b, "result"));
    assert_string_equal(bson_iter_utf8(&it, NULL), "done");
    assert_true(bson_iter_init_find(&it, b, "exit"));
    assert_int_equal(bson_iter_as_int64(&it), 0);
    assert_true(bson_iter_init_find(&it, b, "winner"));
    assert_string_equal(bson_iter_utf8(&it, NULL), "db2:27017");
    assert_true(bson_iter_init_find(&it, b, "gap_ms"));
    assert_int_equal(bson_iter_as_int64(&it), sim.f.gap_ms);
    assert_true(bson_iter_init(&it, b));
    assert_true(bson_iter_find_descendant(&it, "certificate.kind", &sub));
    assert_string_equal(bson_iter_utf8(&sub, NULL), "continuity");
    assert_true(bson_iter_init(&it, b));
    assert_true(bson_iter_find_descendant(&it, "states.0.state", &sub));
    assert_string_equal(bson_iter_utf8(&sub, NULL), "RECHECK");
    assert_true(bson_iter_init(&it, b));
    assert_true(bson_iter_find_descendant(&it, "problems.0", &sub));
    bson_destroy(b);
    mst_str_release(&out);
}

static void what_is_not_known_yet_is_null_in_the_json(void **state)
{
    struct mst_str out = {0};

    (void)state;
    fs_init(&sim, 3);
    fs_begin(&sim);
    mst_fo_json(&sim.f, 1700000000000, &out);
    assert_non_null(strstr(mst_str_c(&out), "\"result\":\"running\",\"exit\":null"));
    assert_non_null(strstr(mst_str_c(&out), "\"gap_ms\":null"));
    assert_non_null(strstr(mst_str_c(&out), "\"winner\":null"));
    mst_str_release(&out);
}

static void every_state_has_a_word(void **state)
{
    (void)state;
    for (int s = 0; s < MST_FO_STATES; s++) {
        assert_true(strlen(mst_fo_state_word((enum mst_fo_state)s)) >= 3);
    }
    assert_string_equal(mst_fo_state_word(MST_FO_STATES), "?");
}

static void a_reply_that_nobody_asked_for_is_ignored(void **state)
{
    struct mst_fo_reply r = {.serial = 77, .outcome = MST_FO_SAID_NO, .code = 13};

    (void)state;
    fs_init(&sim, 3);
    fs_begin(&sim);
    while (fs_step(&sim) && sim.steps < 60000) {
        mst_fo_take_reply(&sim.f, &r);
    }
    fs_must(&sim, MST_FO_DONE, "foreign reply");
}

static void a_freeze_is_shown_until_it_is_thawed(void **state)
{
    bool held = false;

    (void)state;
    fs_init(&sim, 3);
    fs_begin(&sim);
    while (fs_step(&sim) && sim.steps < 60000) {
        if (sim.f.state == MST_FO_STEPDOWN) {
            held = true;
            assert_in_range(mst_fo_held_until(&sim.f, 2), sim.now + 50000, sim.now + 62000);
            assert_int_equal(mst_fo_held_until(&sim.f, 1), 0);
        }
    }
    assert_true(held);
    assert_int_equal(mst_fo_held_until(&sim.f, 2), 0);
    assert_int_equal(mst_fo_held_until(&sim.f, 99), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(done_needs_calm_and_nobody_who_rolled_back),
        cmocka_unit_test(divided_intervals_shorten_the_calm_to_three_election_timeouts),
        cmocka_unit_test(the_seat_stays_only_after_one_reconfig_that_is_seen),
        cmocka_unit_test(the_moment_before_an_entry_arrives_is_no_lag),
        cmocka_unit_test(a_step_down_freezes_nobody_and_takes_any_heir),
        cmocka_unit_test(no_certificate_for_a_target_that_was_not_seen_there),
        cmocka_unit_test(an_old_primary_that_restarted_proves_nothing),
        cmocka_unit_test(an_old_primary_that_rolled_back_is_told_and_not_certified),
        cmocka_unit_test(an_undo_thaws_everybody_also_who_is_not_known_to_be_frozen),
        cmocka_unit_test(three_looks_come_before_a_lost_step_down_is_called_without_effect),
        cmocka_unit_test(each_planted_defect_is_caught),
        cmocka_unit_test(the_result_is_one_json_object),
        cmocka_unit_test(what_is_not_known_yet_is_null_in_the_json),
        cmocka_unit_test(every_state_has_a_word),
        cmocka_unit_test(a_reply_that_nobody_asked_for_is_ignored),
        cmocka_unit_test(a_freeze_is_shown_until_it_is_thawed),
    };
    return cmocka_run_group_tests_name("failover after", tests, NULL, NULL);
}
