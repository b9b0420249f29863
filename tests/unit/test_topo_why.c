#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include "topo/why.h"
#include "toposet.h"

/* Three members, the primary db1 is dead for some time, the others are fine and heard it go. */
static void dead_primary(struct set *s, int64_t for_ms)
{
    make(s, 3);
    kill_member(s, 0);
    s->v.election_timeout_ms = 10000;
    s->v.no_primary_since_ms = NOW - for_ms;
    for (size_t i = 0; i < 3; i++) {
        s->m[i].config_version = 1;
        s->m[i].config_term = 3;
        s->m[i].link_from = -1;
    }
}

static const struct mst_why_ours nothing_ours = {.known = true};

static size_t why(struct set *s, const struct mst_why_ours *ours, struct mst_why out[MST_WHY_MAX])
{
    derive(s);
    return mst_topo_why(&s->v, &mst_topo_limits_default, ours, out);
}

/* --- the facts of each row --- */

static void row_early(struct set *s)
{
    dead_primary(s, 4000);
}

static void row_ourselves(struct set *s)
{
    dead_primary(s, 4000);
    hears(s, 1, 0, 1, MST_MS_PRIMARY, 500);
    s->m[0].reach_at_ms = NOW - 5000;
    hears(s, 2, 0, 1, MST_MS_PRIMARY, 500);
}

static void row_votes(struct set *s)
{
    dead_primary(s, 60000);
    kill_member(s, 1);
}

static void row_follow(struct set *s)
{
    make(s, 3);
    kill_member(s, 1);
    kill_member(s, 2);
}

static void row_held(struct set *s)
{
    dead_primary(s, 60000);
}

static void row_catching_up(struct set *s)
{
    dead_primary(s, 60000);
    s->m[1].state = MST_MS_PRIMARY;
    s->m[1].catching_up = true;
    s->m[1].catch_up_to = (struct mst_optime){{5007, 4}, 3};
    s->m[1].catch_up_ops = 12;
}

static void row_priority(struct set *s)
{
    dead_primary(s, 60000);
    s->m[1].priority = 0;
    s->m[2].arbiter = true;
    s->m[2].is_arbiter_hello = true;
}

static void row_too_stale(struct set *s)
{
    dead_primary(s, 60000);
    for (size_t i = 1; i < 3; i++) {
        s->m[i].secondary = false;
        s->m[i].state = MST_MS_RECOVERING;
        s->m[i].too_stale = true;
    }
}

static void row_not_ready(struct set *s)
{
    dead_primary(s, 60000);
    for (size_t i = 1; i < 3; i++) {
        s->m[i].secondary = false;
        s->m[i].state = MST_MS_RECOVERING;
    }
    (void)mst_copy(s->m[1].info, sizeof(s->m[1].info), "could not find member to sync from");
}

static void row_older(struct set *s)
{
    dead_primary(s, 60000);
    s->m[1].applied = (struct mst_optime){{4900, 1}, 3};
    s->m[1].applied_wall_ms = WALL - 101000;
    s->m[2].priority = 0;
    (void)mst_copy(s->m[2].vote_reason, sizeof(s->m[2].vote_reason),
                   "candidate's data is staler than mine");
}

static void row_config(struct set *s)
{
    dead_primary(s, 60000);
    s->m[2].config_version = 7;
}

static void row_refused(struct set *s)
{
    dead_primary(s, 60000);
    s->m[2].link_from = 1;
    (void)mst_copy(s->m[2].link_text, sizeof(s->m[2].link_text),
                   "Error connecting :: caused by :: SSL peer certificate validation failed");
}

static void row_link(struct set *s)
{
    dead_primary(s, 60000);
    s->m[2].link_from = 1;
    hears(s, 1, 2, 0, MST_MS_DOWN, 9000);
    s->m[2].reach_at_ms = NOW - 60000;
    (void)mst_copy(s->m[2].link_text, sizeof(s->m[2].link_text), "Connection timed out");
}

static void row_silent(struct set *s)
{
    dead_primary(s, 60000);
    kill_member(s, 1);
    kill_member(s, 2);
}

static void row_unknown(struct set *s)
{
    dead_primary(s, 60000);
}

static void row_blind(struct set *s)
{
    dead_primary(s, 60000);
    for (size_t i = 0; i < 3; i++) {
        s->m[i].configured = false;
        s->m[i].status_at_ms = 0;
    }
    (void)mst_copy(s->v.config_missing, sizeof(s->v.config_missing),
                   "not authorised for replSetGetConfig");
}

static void each_cause_is_found_with_its_evidence_and_a_command(void **state)
{
    static const struct {
        void (*facts)(struct set *s);
        enum mst_why_kind kind;
        const char *what, *evidence, *command;
    } rows[] = {
        {row_early, MST_WHY_EARLY, "not late yet: an election is expected by 08:00:14 UTC",
         "without a primary for 4.0 s; the election time-out is 10 s", "muster observe"},
        {row_ourselves, MST_WHY_OURSELVES, "db1:27017 is primary for others",
         "db2:27017 hears it as PRIMARY, db3:27017 hears it as PRIMARY", "on a host that reaches"},
        {row_votes, MST_WHY_VOTES, "no majority: 1 of 3 voters answer, an election needs 2",
         "missing: db1:27017 (DOWN), missing: db2:27017 (DOWN)", "on the host of db1:27017"},
        {row_follow, MST_WHY_VOTES, "db1:27017 is primary, but 1 of the 2 members",
         "missing: db2:27017", "on the host of db2:27017"},
        {row_held, MST_WHY_HELD, "asked by us not to stand", "db2:27017 until 08:01:00 (switch s1)",
         "mongosh 'mongodb://db2:27017/admin?directConnection=true' --eval "
         "'db.adminCommand({replSetFreeze: 0})'"},
        {row_catching_up, MST_WHY_CATCHING_UP, "db2:27017 was elected and fetches",
         "at 5000:1 of 5007:4, 7 s to go, 12 operations fetched", "wait"},
        {row_priority, MST_WHY_PRIORITY, "only members that may never be primary",
         "up: db2:27017 (priority 0), db3:27017 (arbiter); needed: one of db1:27017",
         "on the host of db1:27017"},
        {row_too_stale, MST_WHY_TOO_STALE, "fell off the oplogs", "db2:27017 is RECOVERING",
         "muster topology"},
        {row_not_ready, MST_WHY_NOT_READY, "is not a SECONDARY yet",
         "db2:27017 is RECOVERING: could not find member to sync from", "getLog"},
        {row_older, MST_WHY_OLDER, "the newest member that may stand, db2:27017, is older",
         "db2:27017 is at 4900:1, db3:27017 at 5000:1; it refused: candidate's data",
         "replSetSyncFrom: \"db3:27017\""},
        {row_config, MST_WHY_CONFIG, "different configurations",
         "db2:27017 has version 1 term 3, db3:27017 version 7 term 3", "rs.conf()"},
        {row_refused, MST_WHY_REFUSED, "authentication or TLS between them",
         "db2:27017 of db3:27017: Error connecting :: caused by :: SSL peer", "getCmdLineOpts"},
        {row_link, MST_WHY_LINK, "do not hear each other",
         "db2:27017 of db3:27017: Connection timed out", "rs.status().members"},
        {row_silent, MST_WHY_SILENT, "no member answers from here",
         "db1:27017: ", "on another host"},
        {row_unknown, MST_WHY_UNKNOWN, "is not known",
         "2 of 3 voters answer, 2 are needed, db2:27017 could win, db3:27017 could win",
         "muster topology"},
        {row_blind, MST_WHY_UNKNOWN, "is not known",
         "not authorised for replSetGetConfig: votes cannot be counted", "muster topology"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct mst_why out[MST_WHY_MAX];
        struct mst_why_ours ours = nothing_ours;
        struct set s;
        size_t n;

        rows[i].facts(&s);
        if (rows[i].kind == MST_WHY_HELD) {
            ours.n_held = 2;
            ours.held[0] = (struct mst_why_held){"db2:27017", WALL + 60000, "s1"};
            ours.held[1] = (struct mst_why_held){"db3:27017", WALL + 30000, "s1"};
        }
        n = why(&s, &ours, out);
        if (n != 1 || out[0].kind != rows[i].kind || !strstr(out[0].what, rows[i].what) ||
            !strstr(out[0].evidence, rows[i].evidence) ||
            !strstr(out[0].command, rows[i].command)) {
            fail_msg("row %zu: %zu findings, the first: %s: %s / %s / %s", i, n,
                     n ? mst_why_word(out[0].kind) : "-", n ? out[0].what : "",
                     n ? out[0].evidence : "", n ? out[0].command : "");
        }
    }
}

static void a_set_with_a_primary_and_a_majority_has_no_finding(void **state)
{
    struct mst_why out[MST_WHY_MAX];
    struct set s;

    (void)state;
    make(&s, 3);
    assert_int_equal(why(&s, &nothing_ours, out), 0);
    kill_member(&s, 2); /* the majority is there all the same */
    assert_int_equal(why(&s, &nothing_ours, out), 0);
}

static void late_begins_after_the_timeout_the_heartbeat_and_some_patience(void **state)
{
    struct mst_why out[MST_WHY_MAX];
    struct set s;

    (void)state;
    dead_primary(&s, 18499);
    assert_int_equal(why(&s, &nothing_ours, out), 1);
    assert_int_equal(out[0].kind, MST_WHY_EARLY);
    dead_primary(&s, 18500);
    assert_int_equal(why(&s, &nothing_ours, out), 1);
    assert_int_equal(out[0].kind, MST_WHY_UNKNOWN);
    dead_primary(&s, 4000);
    s.v.election_timeout_ms = 0;
    assert_int_equal(why(&s, &nothing_ours, out), 1);
    assert_non_null(strstr(out[0].evidence, "10 s (assumed: it is not known)"));
}

static void no_election_is_promised_that_cannot_come(void **state)
{
    struct mst_why out[MST_WHY_MAX];
    struct set s;

    (void)state;
    row_votes(&s);
    s.v.no_primary_since_ms = NOW - 1000;
    assert_int_equal(why(&s, &nothing_ours, out), 1);
    assert_int_equal(out[0].kind, MST_WHY_VOTES);
    row_priority(&s);
    s.v.no_primary_since_ms = NOW - 1000;
    assert_int_equal(why(&s, &nothing_ours, out), 1);
    assert_int_equal(out[0].kind, MST_WHY_PRIORITY);
    row_not_ready(&s);
    s.v.no_primary_since_ms = NOW - 1000; /* it may be ready in time */
    assert_int_equal(why(&s, &nothing_ours, out), 2);
    assert_int_equal(out[0].kind, MST_WHY_EARLY);
    assert_int_equal(out[1].kind, MST_WHY_NOT_READY);
}

static void a_freeze_that_is_over_or_of_one_member_only_holds_nobody(void **state)
{
    struct mst_why out[MST_WHY_MAX];
    struct mst_why_ours ours = nothing_ours;
    struct set s;

    (void)state;
    dead_primary(&s, 60000);
    ours.n_held = 2;
    ours.held[0] = (struct mst_why_held){"db2:27017", WALL, "s1"};
    ours.held[1] = (struct mst_why_held){"db3:27017", WALL + 1, "s1"};
    assert_int_equal(why(&s, &ours, out), 1);
    assert_int_equal(out[0].kind, MST_WHY_UNKNOWN);
    ours.known = false;
    ours.n_held = 0;
    assert_int_equal(why(&s, &ours, out), 1);
    assert_non_null(strstr(out[0].evidence, "whether we hold a member back is not known"));
}

static void a_running_switch_of_ours_is_named(void **state)
{
    struct mst_why out[MST_WHY_MAX];
    struct mst_why_ours ours = nothing_ours;
    struct set s;

    (void)state;
    dead_primary(&s, 2000);
    (void)mst_copy(ours.run, sizeof(ours.run), "s7");
    assert_int_equal(why(&s, &ours, out), 2);
    assert_int_equal(out[0].kind, MST_WHY_EARLY);
    assert_int_equal(out[1].kind, MST_WHY_SWITCH);
    assert_string_equal(out[1].evidence, "switch s7");
}

static void nothing_is_said_before_every_member_was_asked(void **state)
{
    struct mst_why out[MST_WHY_MAX];
    struct set s;

    (void)state;
    dead_primary(&s, 60000);
    s.m[2].reach = MST_REACH_NEVER;
    s.m[2].hello_at_ms = 0;
    assert_int_equal(why(&s, &nothing_ours, out), 0);
}

static void a_name_that_a_shell_would_read_gets_no_command(void **state)
{
    struct mst_why out[MST_WHY_MAX];
    struct set s;

    (void)state;
    row_config(&s);
    (void)mst_copy(s.m[1].name, sizeof(s.m[1].name), "db2';reboot;':27017");
    assert_int_equal(why(&s, &nothing_ours, out), 1);
    assert_int_equal(out[0].kind, MST_WHY_CONFIG);
    assert_string_equal(out[0].command, "");
}

static void all_at_once_has_room(void **state)
{
    struct mst_why out[MST_WHY_MAX];
    struct mst_why_ours ours = nothing_ours;
    struct set s;
    size_t n;

    (void)state;
    row_older(&s);
    s.v.no_primary_since_ms = NOW - 1000;
    s.m[2].config_version = 7;
    s.m[2].link_from = 1;
    (void)mst_copy(s.m[2].link_text, sizeof(s.m[2].link_text), "Unauthorized: not authenticated");
    (void)mst_copy(ours.run, sizeof(ours.run), "s7");
    n = why(&s, &ours, out);
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(out[i].kind, out[j].kind);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cause_is_found_with_its_evidence_and_a_command),
        cmocka_unit_test(a_set_with_a_primary_and_a_majority_has_no_finding),
        cmocka_unit_test(late_begins_after_the_timeout_the_heartbeat_and_some_patience),
        cmocka_unit_test(no_election_is_promised_that_cannot_come),
        cmocka_unit_test(a_freeze_that_is_over_or_of_one_member_only_holds_nobody),
        cmocka_unit_test(a_running_switch_of_ours_is_named),
        cmocka_unit_test(nothing_is_said_before_every_member_was_asked),
        cmocka_unit_test(a_name_that_a_shell_would_read_gets_no_command),
        cmocka_unit_test(all_at_once_has_room),
    };
    return cmocka_run_group_tests_name("topo why", tests, NULL, NULL);
}
