#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include "forows.h"

static struct fs_sim sim;

/* before the step down */

static void none(struct fs_sim *s)
{
    (void)s;
}
static void behind(struct fs_sim *s, size_t i, uint32_t secs)
{
    s->m[i].stuck = true;
    s->m[i].wall_ms -= secs * 1000;
    s->m[i].applied.ts.t -= secs;
}
static void term_moved(struct fs_sim *s)
{
    for (size_t i = 0; i < s->n; i++) {
        s->m[i].term = 42;
    }
    s->term = 42;
}
static void config_moved(struct fs_sim *s)
{
    s->version = 13;
}
static void two_primaries(struct fs_sim *s)
{
    s->m[2].state = MST_MS_PRIMARY;
    s->m[2].writable = true;
}
static void no_primary(struct fs_sim *s)
{
    s->m[0].state = MST_MS_SECONDARY;
    s->m[0].writable = false;
}
static void primary_cut(struct fs_sim *s)
{
    s->m[0].cut = true;
}
static void target_cut(struct fs_sim *s)
{
    s->m[1].cut = true;
}
static void target_maintained(struct fs_sim *s)
{
    s->m[1].maintenance = true;
}
static void target_11_s_behind(struct fs_sim *s)
{
    behind(s, 1, 11);
}
static void backup_stays(struct fs_sim *s)
{
    s->backup_runs = true;
}
static void backup_gives_way(struct fs_sim *s)
{
    s->backup_runs = true;
    fs_event(s, MST_FO_QUIESCE, 5000, FS_BACKUP_ENDS, -1);
}
static void target_grows_behind(struct fs_sim *s)
{
    behind(s, 1, 5);
}
static void target_comes_close(struct fs_sim *s)
{
    behind(s, 1, 5);
    fs_event(s, MST_FO_CATCHUP, 4000, FS_UNSTUCK, 1);
}
static void majority_grows_behind(struct fs_sim *s)
{
    s->plan.members[1].votes = 0; /* the target alone does not make it */
    behind(s, 2, 5);
    for (size_t i = 0; i < s->n; i++) {
        s->m[i].committed.ts.t -= 5;
    }
}
static void rival_is_candidate(struct fs_sim *s)
{
    fs_rule(s, MST_FO_SEND_FREEZE, 2, 1, FS_REFUSE, 95);
}
static void target_is_candidate(struct fs_sim *s)
{
    fs_rule(s, MST_FO_SEND_FREEZE, 1, 1, FS_REFUSE, 95);
}
static void rival_refuses(struct fs_sim *s)
{
    fs_rule(s, MST_FO_SEND_FREEZE, 2, 1, FS_REFUSE, 13);
}
static void rival_is_dead(struct fs_sim *s)
{
    fs_event(s, MST_FO_FREEZE, 0, FS_CUT, 2);
    fs_rule(s, MST_FO_SEND_FREEZE, 2, 1, FS_LOST_REPLY, 0);
}
static void primary_moved_in_freeze(struct fs_sim *s)
{
    fs_rule(s, MST_FO_SEND_FREEZE, 2, 1, FS_LOST_REPLY, 0);
    fs_event(s, MST_FO_FREEZE, 500, FS_TERM, 1);
}

static void before_the_step_down_every_doubt_ends_cleanly(void **state)
{
    static const struct row rows[] = {
        {"term", term_moved, MST_FO_ABORTED, MST_FO_RECHECK, MST_FO_QUIESCE, "term 42", 0},
        {"config", config_moved, MST_FO_ABORTED, ANY, MST_FO_QUIESCE, "version 13", 0},
        {"two", two_primaries, MST_FO_ABORTED, ANY, MST_FO_QUIESCE, "primary, too", 0},
        {"no primary", no_primary, MST_FO_ABORTED, ANY, MST_FO_QUIESCE, "take writes", 0},
        {"primary cut", primary_cut, MST_FO_ABORTED, ANY, MST_FO_QUIESCE, "answer", 0},
        {"target cut", target_cut, MST_FO_ABORTED, ANY, MST_FO_QUIESCE, "db2", 0},
        {"maintenance", target_maintained, MST_FO_ABORTED, ANY, MST_FO_QUIESCE, "secondary", 0},
        {"lag", target_11_s_behind, MST_FO_ABORTED, ANY, MST_FO_QUIESCE, "behind", 0},
        {"backup stays", backup_stays, MST_FO_ABORTED, MST_FO_QUIESCE, MST_FO_CATCHUP, "backup", 0},
        {"backup ends", backup_gives_way, MST_FO_DONE, MST_FO_QUIESCE, ANY, NULL,
         MST_FO_CERT_CONTINUITY},
        {"target lags", target_grows_behind, MST_FO_ABORTED, MST_FO_CATCHUP, MST_FO_FREEZE,
         "behind", 0},
        {"target comes close", target_comes_close, MST_FO_DONE, MST_FO_CATCHUP, ANY, NULL,
         MST_FO_CERT_CONTINUITY},
        {"majority lags", majority_grows_behind, MST_FO_ABORTED, MST_FO_CATCHUP, MST_FO_FREEZE,
         "majority", 0},
        {"candidate", rival_is_candidate, MST_FO_ABORTED, MST_FO_FREEZE, MST_FO_STEPDOWN, "code 95",
         0},
        {"target candidate", target_is_candidate, MST_FO_ABORTED, MST_FO_FREEZE, MST_FO_STEPDOWN,
         "code 95", 0},
        {"refused", rival_refuses, MST_FO_ABORTED, MST_FO_FREEZE, MST_FO_STEPDOWN, "code 13", 0},
        {"dead rival", rival_is_dead, MST_FO_UNSURE, MST_FO_ABORT, MST_FO_STEPDOWN, "not confirmed",
         0},
        {"moved in freeze", primary_moved_in_freeze, MST_FO_ABORTED, MST_FO_ABORT, MST_FO_STEPDOWN,
         "db2", 0},
    };

    (void)state;
    run_rows(&sim, rows, sizeof(rows) / sizeof(rows[0]));
}

/* the step down's outcomes */

static void said(struct fs_sim *s, enum fs_how how, int code)
{
    fs_rule(s, MST_FO_SEND_STEPDOWN, 0, 1, how, code);
}
static void nobody_caught_up(struct fs_sim *s)
{
    fs_event(s, MST_FO_FREEZE, 40, FS_STUCK, 1);
    fs_event(s, MST_FO_FREEZE, 40, FS_STUCK, 2);
}
static void says_24(struct fs_sim *s)
{
    said(s, FS_REFUSE, 24);
}
static void says_117(struct fs_sim *s)
{
    said(s, FS_REFUSE, 117);
}
static void says_13(struct fs_sim *s)
{
    said(s, FS_REFUSE, 13);
}
static void says_2(struct fs_sim *s)
{
    said(s, FS_REFUSE, 2);
}
static void says_10107_still_primary(struct fs_sim *s)
{
    said(s, FS_REFUSE, 10107);
}
static void says_10107_other_won(struct fs_sim *s)
{
    said(s, FS_EFFECT_REFUSE, 10107);
    s->no_hand_off = true;
    fs_event(s, MST_FO_STEPDOWN, 300, FS_TERM, 2);
}
static void says_189_target_won(struct fs_sim *s)
{
    said(s, FS_EFFECT_REFUSE, 189);
}
static void says_189_nobody(struct fs_sim *s)
{
    said(s, FS_EFFECT_REFUSE, 189);
    s->no_hand_off = true;
}
static void says_11600_left(struct fs_sim *s)
{
    said(s, FS_EFFECT_REFUSE, 11600);
    s->no_hand_off = true;
}
static void lost_no_effect(struct fs_sim *s)
{
    said(s, FS_LOST_REQUEST, 0);
}
static void lost_hand_off(struct fs_sim *s)
{
    said(s, FS_LOST_REPLY, 0);
}
static void lost_no_hand_off(struct fs_sim *s)
{
    said(s, FS_LOST_REPLY, 0);
    s->no_hand_off = true;
}
static void process_aborts(struct fs_sim *s)
{
    said(s, FS_LOST_REQUEST, 0);
    fs_event(s, MST_FO_STEPDOWN, 40, FS_KILL, 0);
}
static void process_aborts_and_returns(struct fs_sim *s)
{
    process_aborts(s);
    fs_event(s, MST_FO_PROBE, 100, FS_REVIVE, 0);
}

static void what_comes_of_the_step_down_is_read_from_the_members(void **state)
{
    static const struct row rows[] = {
        {"ok", none, MST_FO_DONE, MST_FO_CERTIFY, MST_FO_ABORT, "term 42", MST_FO_CERT_CONTINUITY},
        {"262", nobody_caught_up, MST_FO_ABORTED, MST_FO_ABORT, MST_FO_CERTIFY, "refused for up to",
         0},
        {"24", says_24, MST_FO_ABORTED, MST_FO_ABORT, MST_FO_CERTIFY, "code 24", 0},
        {"117", says_117, MST_FO_ABORTED, MST_FO_ABORT, MST_FO_CERTIFY, "somebody else", 0},
        {"13", says_13, MST_FO_ABORTED, MST_FO_ABORT, MST_FO_CERTIFY, "not allowed", 0},
        {"2", says_2, MST_FO_ABORTED, MST_FO_ABORT, MST_FO_CERTIFY, "code 2", 0},
        {"10107, still primary", says_10107_still_primary, MST_FO_ABORTED, MST_FO_ABORT,
         MST_FO_CERTIFY, "no effect", 0},
        {"10107, other won", says_10107_other_won, MST_FO_OTHER, MST_FO_DIVERTED, MST_FO_ABORT,
         "db3:27017 won instead of db2:27017", MST_FO_CERT_CONTINUITY},
        {"189, target won", says_189_target_won, MST_FO_DONE, MST_FO_PROBE, MST_FO_ABORT, NULL,
         MST_FO_CERT_CONTINUITY},
        {"189, nobody", says_189_nobody, MST_FO_UNDONE, MST_FO_UNDO, MST_FO_ABORT, "db1",
         MST_FO_CERT_OPTIME},
        {"11600, left", says_11600_left, MST_FO_DONE, MST_FO_CERTIFY, MST_FO_ABORT, NULL,
         MST_FO_CERT_OPTIME},
        {"lost, no effect", lost_no_effect, MST_FO_ABORTED, MST_FO_ABORT, MST_FO_CERTIFY,
         "no effect", 0},
        {"lost, handed off", lost_hand_off, MST_FO_DONE, MST_FO_PROBE, MST_FO_ABORT, NULL,
         MST_FO_CERT_CONTINUITY},
        {"lost, not handed off", lost_no_hand_off, MST_FO_DONE, MST_FO_STEPUP, MST_FO_ABORT, NULL,
         MST_FO_CERT_OPTIME},
        {"dead", process_aborts, MST_FO_INCOMPLETE, MST_FO_SETTLE, MST_FO_ABORT, "db1", 0},
        {"dead, returns", process_aborts_and_returns, MST_FO_DONE, MST_FO_SETTLE, MST_FO_ABORT,
         "no certificate", 0},
    };

    (void)state;
    run_rows(&sim, rows, sizeof(rows) / sizeof(rows[0]));
}

/* between the step down and the last note */

static void heir_is_frozen(struct fs_sim *s)
{
    s->plan.target = 2; /* the first of two equal ones is handed the seat */
}
static void no_step_up(struct fs_sim *s)
{
    s->no_hand_off = true;
    s->plan.step_up = false;
}
static void step_ups_fail(struct fs_sim *s)
{
    s->no_hand_off = true;
    fs_rule(s, MST_FO_SEND_STEPUP, 1, 0, FS_REFUSE, 125);
}
static void target_behind(struct fs_sim *s)
{
    s->plan.heir = 2;
    s->no_hand_off = true;
    fs_event(s, MST_FO_FREEZE, 40, FS_STUCK, 1);
}
static void other_wins(struct fs_sim *s)
{
    s->no_hand_off = true;
    s->plan.step_up = false;
    fs_event(s, MST_FO_AWAIT, 1000, FS_TERM, 2);
}
static void old_wins_again(struct fs_sim *s)
{
    s->no_hand_off = true;
    s->plan.step_up = false;
    fs_event(s, MST_FO_AWAIT, 1000, FS_TERM, 0);
}
static void catches_up_long(struct fs_sim *s)
{
    s->catch_up_ms = 50000;
}
static void catches_up_too_long(struct fs_sim *s)
{
    s->catch_up_ms = 400000;
}
static void target_dies_in_await(struct fs_sim *s)
{
    s->no_hand_off = true;
    fs_event(s, MST_FO_CERTIFY, 0, FS_KILL, 1);
    s->plan.step_up = false;
}
static void target_dies_step_up(struct fs_sim *s)
{
    s->no_hand_off = true;
    fs_event(s, MST_FO_CERTIFY, 0, FS_KILL, 1);
}
static void notes_fail(struct fs_sim *s)
{
    fs_rule(s, MST_FO_SEND_NOTE, 1, 0, FS_REFUSE, 64);
}
static void one_note_locked(struct fs_sim *s)
{
    fs_rule(s, MST_FO_SEND_NOTE, 1, 1, FS_REFUSE, 107);
}
static void target_dies_in_probe(struct fs_sim *s)
{
    fs_event(s, MST_FO_PROBE, 100, FS_KILL, 1);
}
static void seat_moves_in_probe(struct fs_sim *s)
{
    fs_event(s, MST_FO_PROBE, 100, FS_TERM, 2);
}
static void undo_fails(struct fs_sim *s)
{
    s->no_hand_off = true;
    fs_rule(s, MST_FO_SEND_STEPUP, -1, 0, FS_REFUSE, 125);
    fs_event(s, MST_FO_CERTIFY, 0, FS_KILL, 1);
    fs_event(s, MST_FO_CERTIFY, 0, FS_KILL, 2);
}

static void undo_is_not_written(struct fs_sim *s)
{
    old_wins_again(s);
    fs_rule(s, MST_FO_SEND_NOTE, 0, 0, FS_REFUSE, 64);
}
static void undo_is_slow(struct fs_sim *s)
{
    s->no_hand_off = true;
    s->catch_up_ms = 50000;
    fs_event(s, MST_FO_CERTIFY, 0, FS_UNDO, -1);
}

static void while_writes_stop_it_steers_waits_or_undoes(void **state)
{
    static const struct row rows[] = {
        {"frozen heir", heir_is_frozen, MST_FO_DONE, MST_FO_STEPUP, MST_FO_UNDO, NULL,
         MST_FO_CERT_OPTIME},
        {"no step up", no_step_up, MST_FO_DONE, MST_FO_AWAIT, MST_FO_UNDO, NULL,
         MST_FO_CERT_OPTIME},
        {"step ups fail", step_ups_fail, MST_FO_DONE, MST_FO_AWAIT, MST_FO_UNDO, NULL,
         MST_FO_CERT_OPTIME},
        {"target behind", target_behind, MST_FO_UNDONE, MST_FO_UNDO, MST_FO_SETTLE, "db1", 0},
        {"other wins", other_wins, MST_FO_OTHER, MST_FO_DIVERTED, MST_FO_WATCH, "db3",
         MST_FO_CERT_CONTINUITY},
        {"old wins", old_wins_again, MST_FO_UNDONE, MST_FO_UNDO, MST_FO_SETTLE, "db1",
         MST_FO_CERT_OPTIME},
        {"long catch-up", catches_up_long, MST_FO_DONE, MST_FO_AWAIT, MST_FO_UNDO, NULL,
         MST_FO_CERT_CONTINUITY},
        {"too long a catch-up", catches_up_too_long, MST_FO_UNSURE, MST_FO_UNKNOWN, MST_FO_SETTLE,
         "muster status", 0},
        {"dead, no step up", target_dies_in_await, MST_FO_UNDONE, MST_FO_UNDO, MST_FO_SETTLE, NULL,
         0},
        {"dead", target_dies_step_up, MST_FO_UNDONE, MST_FO_UNDO, MST_FO_SETTLE, "db1", 0},
        {"notes fail", notes_fail, MST_FO_INCOMPLETE, MST_FO_SETTLE, MST_FO_WATCH,
         "majority writes", MST_FO_CERT_CONTINUITY},
        {"one note", one_note_locked, MST_FO_DONE, MST_FO_PROBE, ANY, NULL, MST_FO_CERT_CONTINUITY},
        {"dead in probe", target_dies_in_probe, MST_FO_UNDONE, MST_FO_UNDO, ANY, NULL,
         MST_FO_CERT_CONTINUITY},
        {"moves in probe", seat_moves_in_probe, MST_FO_OTHER, MST_FO_DIVERTED, ANY, "db3",
         MST_FO_CERT_CONTINUITY},
        {"undo without notes", undo_is_not_written, MST_FO_INCOMPLETE, MST_FO_UNKNOWN,
         MST_FO_SETTLE, "notes through it failed", MST_FO_CERT_OPTIME},
        {"undo is slow", undo_is_slow, MST_FO_UNDONE, MST_FO_UNKNOWN, MST_FO_SETTLE,
         "a majority commits", MST_FO_CERT_OPTIME},
        {"undo fails", undo_fails, MST_FO_UNSURE, MST_FO_UNKNOWN, MST_FO_SETTLE, "muster status",
         0},
    };

    (void)state;
    run_rows(&sim, rows, sizeof(rows) / sizeof(rows[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_step_down_every_doubt_ends_cleanly),
        cmocka_unit_test(what_comes_of_the_step_down_is_read_from_the_members),
        cmocka_unit_test(while_writes_stop_it_steers_waits_or_undoes),
    };
    return cmocka_run_group_tests_name("failover", tests, NULL, NULL);
}
