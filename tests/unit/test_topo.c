#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include "toposet.h"

static bool has_reason(const struct set *s, enum mst_reason_kind kind, int member)
{
    for (size_t i = 0; i < s->v.n_reasons; i++) {
        if (s->v.reasons[i].kind == kind && s->v.reasons[i].member == member) {
            return true;
        }
    }
    return false;
}

static void a_whole_set_is_healthy_and_says_so(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_HEALTHY);
    assert_int_equal(s.v.primary, 0);
    assert_int_equal(s.v.term, 3);
    assert_int_equal(s.v.n_reasons, 0);
    assert_int_equal(s.v.votes_total, 3);
    assert_int_equal(s.v.votes_up, 3);
    assert_int_equal(s.v.votes_needed, 2);
    assert_int_equal(s.v.write_majority, 2);
    assert_int_equal(s.v.data_up, 3);
    assert_string_equal(s.v.headline, "primary db1:27017, term 3, 3 of 3 members answer");
    assert_string_equal(s.v.if_primary_dies, "db2:27017 or db3:27017 can win, writes stop 10-12 s, "
                                             "0.0 s of writes at risk");
}

/* One row: what member 1 says of itself, and what is shown. */
static void every_own_answer_has_its_word(void **state)
{
    static const struct {
        bool writable, secondary, arbiter, catching_up;
        enum mst_mstate mstate;
        int64_t hello_age, status_age;
        enum mst_shown want;
    } rows[] = {
        {false, true, false, false, MST_MS_SECONDARY, 100, 100, MST_SHOW_SECONDARY},
        {true, false, false, false, MST_MS_SECONDARY, 100, 900, MST_SHOW_PRIMARY}, /* hello knows */
        {false, true, false, true, MST_MS_PRIMARY, 100, 100, MST_SHOW_ELECT},
        {false, true, false, false, MST_MS_PRIMARY, 900, 100, MST_SHOW_ELECT},
        {false, true, false, false, MST_MS_PRIMARY, 100, 900, MST_SHOW_SECONDARY},
        {false, false, false, false, MST_MS_PRIMARY, 100, 100, MST_SHOW_LEAVING},
        {false, false, false, false, MST_MS_RECOVERING, 100, 100, MST_SHOW_RECOVERING},
        {false, false, false, false, MST_MS_SECONDARY, 100, 900, MST_SHOW_RECOVERING},
        {false, false, false, false, MST_MS_STARTUP2, 100, 100, MST_SHOW_STARTUP},
        {false, false, false, false, MST_MS_STARTUP, 100, 100, MST_SHOW_STARTUP},
        {false, false, false, false, MST_MS_ROLLBACK, 100, 100, MST_SHOW_ROLLBACK},
        {false, false, false, false, MST_MS_REMOVED, 100, 100, MST_SHOW_REMOVED},
        {false, false, true, false, MST_MS_ARBITER, 100, 100, MST_SHOW_ARBITER},
        {false, false, true, false, MST_MS_UNKNOWN, 100, 99999, MST_SHOW_ARBITER},
        {false, true, false, false, MST_MS_UNKNOWN, 100, 99999, MST_SHOW_SECONDARY},
        {false, false, false, false, MST_MS_UNKNOWN, 100, 99999, MST_SHOW_RECOVERING},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct set s;

        make(&s, 3);
        s.m[0].writable = false;
        s.m[0].secondary = true;
        s.m[0].state = MST_MS_SECONDARY;
        s.m[1].writable = rows[i].writable;
        s.m[1].secondary = rows[i].secondary;
        s.m[1].is_arbiter_hello = rows[i].arbiter;
        s.m[1].catching_up = rows[i].catching_up;
        s.m[1].state = rows[i].mstate;
        s.m[1].hello_at_ms = NOW - rows[i].hello_age;
        s.m[1].status_at_ms = NOW - rows[i].status_age;
        derive(&s);
        if (s.m[1].shown != rows[i].want) {
            fail_msg("row %zu: %s, wanted %s", i, mst_shown_word(s.m[1].shown),
                     mst_shown_word(rows[i].want));
        }
    }
}

static void a_member_we_lost_is_what_the_others_say_or_silent(void **state)
{
    static const struct {
        enum mst_reach reach;
        int64_t hello_age, lost_age; /* 0: never answered */
        int health;                  /* -1: nobody knows it */
        int64_t heartbeat_age;
        enum mst_shown want;
    } rows[] = {
        {MST_REACH_OK, 1999, 0, 1, 500, MST_SHOW_SECONDARY},
        {MST_REACH_OK, 2000, 0, 1, 1900, MST_SHOW_SILENT},       /* exactly at the limit */
        {MST_REACH_SILENT, 2500, 400, 1, 1500, MST_SHOW_SILENT}, /* their news is older */
        {MST_REACH_SILENT, 6000, 3900, 1, 800, MST_SHOW_UNREACHABLE},
        {MST_REACH_SILENT, 12000, 9000, 0, 11000, MST_SHOW_DOWN},
        {MST_REACH_REFUSED, 700, 200, 1, 400, MST_SHOW_SILENT}, /* killed a moment ago */
        {MST_REACH_REFUSED, 5000, 4000, 0, 4000, MST_SHOW_DOWN},
        {MST_REACH_REFUSED, 5000, 4000, 1, 500, MST_SHOW_UNREACHABLE},
        {MST_REACH_REFUSED, 0, 4000, 1, 500, MST_SHOW_UNREACHABLE},
        {MST_REACH_REFUSED, 0, 4000, 0, 500, MST_SHOW_DOWN},
        {MST_REACH_REFUSED, 0, 4000, -1, 0, MST_SHOW_UNKNOWN},
        {MST_REACH_REFUSED, 9000, 4000, -1, 0, MST_SHOW_SILENT},
        {MST_REACH_REFUSED, 30000, 29000, 1, 9000, MST_SHOW_SILENT}, /* stale hearsay */
        {MST_REACH_NEVER, 0, 0, 1, 500, MST_SHOW_UNKNOWN},
        {MST_REACH_TLS, 0, 4000, 1, 500, MST_SHOW_UNREACHABLE},
        {MST_REACH_WRONG_MEMBER, 0, 4000, -1, 0, MST_SHOW_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct set s;

        make(&s, 3);
        s.m[2].reach = rows[i].reach;
        s.m[2].hello_at_ms = rows[i].hello_age ? NOW - rows[i].hello_age : 0;
        s.m[2].reach_at_ms = NOW - rows[i].lost_age;
        for (size_t j = 0; j < 2; j++) {
            hears(&s, j, 2, rows[i].health, MST_MS_SECONDARY, rows[i].heartbeat_age);
            s.m[j].sees[2].known = rows[i].health >= 0;
        }
        derive(&s);
        if (s.m[2].shown != rows[i].want) {
            fail_msg("row %zu: %s, wanted %s", i, mst_shown_word(s.m[2].shown),
                     mst_shown_word(rows[i].want));
        }
        assert_true(s.v.verdict != MST_V_HEALTHY || rows[i].want == MST_SHOW_SECONDARY);
    }
}

static void a_silent_member_keeps_its_values_and_is_never_healthy(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    s.m[1].hello_at_ms = NOW - 2300;
    s.m[1].status_at_ms = NOW - 2300;
    derive(&s);
    assert_int_equal(s.m[1].shown, MST_SHOW_SILENT);
    assert_int_equal(s.m[1].applied.ts.t, 5000);
    assert_int_equal(s.m[1].lag_ms, -1); /* nobody can know it */
    assert_int_equal(s.v.verdict, MST_V_DEGRADED);
    assert_true(has_reason(&s, MST_RS_REACH, 1));
    assert_non_null(strstr(s.v.reasons[0].text, "no answer for 2.3 s"));
}

static void a_primary_without_a_write_majority_is_a_state_of_its_own(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3); /* primary, secondary, arbiter, and the secondary dies */
    s.m[2].arbiter = true;
    s.m[2].is_arbiter_hello = true;
    s.m[2].secondary = false;
    s.m[2].status_at_ms = 0;
    hears(&s, 0, 2, 1, MST_MS_ARBITER, 500);
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_HEALTHY);
    assert_int_equal(s.v.write_majority, 2);
    assert_int_equal(s.v.data_up, 2);
    kill_member(&s, 1);
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_NO_MAJORITY);
    assert_int_equal(s.m[0].shown, MST_SHOW_PRIMARY_NO_MAJORITY);
    assert_int_equal(s.v.primary, 0);
    assert_int_equal(s.v.votes_up, 2); /* it stays primary */
    assert_int_equal(s.v.data_up, 1);
    assert_true(has_reason(&s, MST_RS_NO_MAJORITY, 0));
    assert_int_equal(s.v.reasons[0].severity, MST_SEV_CRIT);
}

static void both_secondaries_lost_is_no_majority_before_the_primary_notices(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3); /* frozen, not killed: the primary still calls them healthy */
    for (size_t i = 1; i < 3; i++) {
        s.m[i].reach = MST_REACH_SILENT;
        s.m[i].hello_at_ms = NOW - 7000;
        s.m[i].reach_at_ms = NOW - 5000;
        s.m[i].status_at_ms = NOW - 7000;
        hears(&s, 0, i, 1, MST_MS_SECONDARY, 7200);
    }
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_NO_MAJORITY);
}

static void a_network_that_only_we_lost_takes_no_majority_away(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    for (size_t i = 1; i < 3; i++) {
        s.m[i].reach = MST_REACH_REFUSED;
        s.m[i].hello_at_ms = NOW - 30000;
        s.m[i].reach_at_ms = NOW - 29000;
        s.m[i].status_at_ms = 0;
        hears(&s, 0, i, 1, MST_MS_SECONDARY, 700);
    }
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_DEGRADED);
    assert_int_equal(s.m[0].shown, MST_SHOW_PRIMARY);
    assert_int_equal(s.m[1].shown, MST_SHOW_UNREACHABLE);
    assert_int_equal(s.v.data_up, 3);
}

static void a_primary_that_only_others_reach_is_not_called_gone(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    s.m[0].reach = MST_REACH_REFUSED;
    s.m[0].hello_at_ms = NOW - 30000;
    s.m[0].reach_at_ms = NOW - 29000;
    s.m[0].status_at_ms = NOW - 30000;
    derive(&s);
    assert_int_equal(s.v.primary, -1);
    assert_int_equal(s.v.verdict, MST_V_DEGRADED);
    assert_non_null(strstr(s.v.headline, "cannot be reached from here"));
}

static void of_two_primaries_the_higher_term_wins(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    s.m[1].writable = true;
    s.m[1].secondary = false;
    s.m[1].hello_term = 4;
    s.m[1].term = 4;
    s.m[1].state = MST_MS_PRIMARY;
    hears(&s, 1, 0, 1, MST_MS_PRIMARY, 100);
    derive(&s);
    assert_int_equal(s.v.primary, 1);
    assert_int_equal(s.v.term, 4);
    assert_int_equal(s.m[1].shown, MST_SHOW_PRIMARY);
    assert_int_equal(s.m[0].shown, MST_SHOW_PRIMARY_NO_MAJORITY);
    assert_true(has_reason(&s, MST_RS_TWO_PRIMARIES, 0));
    assert_int_equal(s.v.verdict, MST_V_DEGRADED);
}

static void lag_is_measured_on_the_members_themselves(void **state)
{
    static const struct {
        int64_t primary_wall, member_wall; /* ms before now */
        int64_t primary_age, member_age;   /* when they were asked */
        int64_t before_wall, before_age;   /* the primary's answer before; 0 none */
        bool same;                         /* the member's optime equals the newest */
        int64_t want;
    } rows[] = {
        {1000, 1000, 100, 100, 0, 0, true, 0},
        {1000, 8000, 100, 100, 0, 0, false, 7000},
        {1000, 11000, 100, 100, 11000, 1100, false, 10000},
        /* a no-op of an idle set between our two looks is no lag */
        {300, 10300, 100, 700, 10300, 1100, true, 0},
        /* asked later than the primary: it may even be ahead of what we know of it */
        {1000, 500, 900, 100, 0, 0, true, 0},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct set s;

        make(&s, 3);
        s.m[0].applied.ts.t = 6000;
        s.m[0].applied_wall_ms = WALL - rows[i].primary_wall;
        s.m[0].status_at_ms = NOW - rows[i].primary_age;
        s.m[0].before_at_ms = rows[i].before_age ? NOW - rows[i].before_age : 0;
        s.m[0].before_wall_ms = WALL - rows[i].before_wall;
        s.m[0].before_applied = (struct mst_optime){{rows[i].before_age ? 5000 : 0, 1}, 3};
        s.m[1].applied.ts.t = !rows[i].same ? 4000 : rows[i].before_age ? 5000 : 6000;
        s.m[1].applied_wall_ms = WALL - rows[i].member_wall;
        s.m[1].status_at_ms = NOW - rows[i].member_age;
        derive(&s);
        if (s.m[1].lag_ms != rows[i].want) {
            fail_msg("row %zu: %lld ms, wanted %lld", i, (long long)s.m[1].lag_ms,
                     (long long)rows[i].want);
        }
        assert_int_equal(s.m[0].lag_ms, 0);
    }
}

static void lag_past_its_limits_is_a_reason_but_a_delay_is_not(void **state)
{
    static const struct {
        int64_t lag, delay_s;
        bool reason;
        enum mst_severity severity;
    } rows[] = {{10000, 0, false, MST_SEV_INFO},
                {10001, 0, true, MST_SEV_WARN},
                {60001, 0, true, MST_SEV_CRIT},
                {3600000, 3600, false, MST_SEV_INFO},
                {3611000, 3600, true, MST_SEV_WARN}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct set s;

        make(&s, 3);
        s.m[1].delay_s = rows[i].delay_s;
        s.m[1].applied.ts.t = 1000;
        s.m[1].applied_wall_ms = s.m[0].applied_wall_ms - rows[i].lag;
        derive(&s);
        assert_int_equal(has_reason(&s, MST_RS_LAG, 1), rows[i].reason);
        if (rows[i].reason) {
            assert_int_equal(s.v.reasons[0].severity, rows[i].severity);
            assert_int_equal(s.v.verdict, MST_V_DEGRADED);
        }
    }
}

static void without_a_primary_lag_counts_from_the_newest_member(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    kill_member(&s, 0);
    s.m[2].applied.ts.t = 4990;
    s.m[2].applied_wall_ms = WALL - 3000;
    derive(&s);
    assert_int_equal(s.v.primary, -1);
    assert_int_equal(s.m[1].lag_ms, 0);
    assert_int_equal(s.m[2].lag_ms, 2000);
    assert_int_equal(s.m[0].lag_ms, -1);
}

static void window_and_headroom_come_from_the_oplogs_ends(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    s.m[0].oplog_first = (struct mst_ts){1400, 1};
    s.m[0].oplog_last = (struct mst_ts){4990, 1};
    (void)mst_copy(s.m[1].sync_source, sizeof(s.m[1].sync_source), "db1:27017");
    derive(&s);
    assert_int_equal(s.m[0].window_s, 3600); /* its newest entry is known better by status */
    assert_int_equal(s.m[1].window_s, -1);
    assert_int_equal(s.m[1].headroom_s, 3600);
    assert_int_equal(s.m[0].headroom_s, -1);
    assert_int_equal(s.v.verdict, MST_V_HEALTHY); /* a short oplog alone is no alarm */
    s.m[1].applied.ts.t = 2400;
    s.m[1].applied_wall_ms = WALL - 2600000;
    derive(&s);
    assert_int_equal(s.m[1].headroom_s, 1000);
    assert_true(has_reason(&s, MST_RS_HEADROOM, 1));
}

static void who_can_win_and_why_the_others_cannot(void **state)
{
    struct set s;

    (void)state;
    make(&s, 5);
    s.m[2].priority = 0;
    s.m[2].hidden = true;
    s.m[3].priority = 0;
    s.m[3].delay_s = 3600;
    s.m[4].arbiter = true;
    s.m[4].is_arbiter_hello = true;
    s.m[4].secondary = false;
    derive(&s);
    assert_false(s.m[0].can_win);
    assert_string_equal(s.m[0].why_not, "is the primary");
    assert_true(s.m[1].can_win);
    assert_string_equal(s.m[2].why_not, "hidden, priority 0");
    assert_string_equal(s.m[3].why_not, "delayed, priority 0");
    assert_string_equal(s.m[4].why_not, "an arbiter has no data");
    s.m[1].state = MST_MS_RECOVERING;
    s.m[1].secondary = false;
    derive(&s);
    assert_string_equal(s.m[1].why_not, "is RECOVERING, not SECONDARY");
    assert_non_null(strstr(s.v.if_primary_dies, "nobody can win"));
}

static void votes_decide_who_can_win(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    kill_member(&s, 2);
    derive(&s);
    assert_false(s.m[1].can_win);
    assert_string_equal(s.m[1].why_not, "would get 1 of the 2 votes it needs");
    assert_int_equal(s.v.verdict, MST_V_DEGRADED);
    assert_true(has_reason(&s, MST_RS_VOTES, -1));
    make(&s, 5); /* far behind the other three: none of them votes for it */
    s.m[1].applied.ts.t = 100;
    s.m[1].applied_wall_ms = WALL - 100000;
    derive(&s);
    assert_false(s.m[1].can_win);
    assert_true(s.m[2].can_win);
}

static void failures_have_their_verdict_and_their_sentence(void **state)
{
    static const struct {
        enum mst_reach reach;
        enum mst_verdict want;
    } rows[] = {{MST_REACH_REFUSED, MST_V_UNREACHABLE},
                {MST_REACH_SILENT, MST_V_UNREACHABLE},
                {MST_REACH_TLS, MST_V_TLS},
                {MST_REACH_HOSTNAME, MST_V_HOSTNAME},
                {MST_REACH_WRONG_SET, MST_V_WRONG_SET},
                {MST_REACH_WRONG_MEMBER, MST_V_WRONG_MEMBER},
                {MST_REACH_MONGOS, MST_V_MONGOS},
                {MST_REACH_NOT_REPLSET, MST_V_NOT_REPLSET},
                {MST_REACH_UNINIT, MST_V_NOT_REPLSET},
                {MST_REACH_NEVER, MST_V_STARTING},
                {MST_REACH_PROTOCOL, MST_V_UNREACHABLE}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct set s;

        make(&s, 1);
        s.m[0].configured = false;
        s.m[0].reach = rows[i].reach;
        s.m[0].hello_at_ms = 0;
        s.m[0].status_at_ms = 0;
        (void)mst_copy(s.m[0].reach_text, sizeof(s.m[0].reach_text), "the sentence");
        derive(&s);
        assert_int_equal(s.v.verdict, rows[i].want);
        if (rows[i].want != MST_V_STARTING) {
            assert_non_null(strstr(s.v.headline, "the sentence"));
        }
        assert_true(strlen(mst_verdict_word(s.v.verdict)) > 0);
    }
}

static void a_failed_login_everywhere_is_the_verdict_though_hello_answers(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    for (size_t i = 0; i < 3; i++) {
        s.m[i].reach = MST_REACH_AUTH;
        s.m[i].status_at_ms = 0;
        (void)mst_copy(s.m[i].reach_text, sizeof(s.m[i].reach_text), "login as 'ops' failed");
    }
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_AUTH);
    assert_int_equal(s.m[0].shown, MST_SHOW_PRIMARY); /* what needs no login is still shown */
    s.m[2].reach = MST_REACH_OK;
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_DEGRADED);
}

static void a_missing_right_names_the_view_that_is_missing(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    s.m[1].status_at_ms = 0;
    (void)mst_copy(s.m[1].status_missing, sizeof(s.m[1].status_missing),
                   "not authorised for replSetGetStatus");
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_DEGRADED);
    assert_true(has_reason(&s, MST_RS_MISSING, 1));
    assert_non_null(strstr(s.v.reasons[0].text, "its lag and sync source are not shown"));
}

static void a_link_that_only_two_members_lost_is_named(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    hears(&s, 1, 2, 0, MST_MS_DOWN, 9000);
    derive(&s);
    assert_true(has_reason(&s, MST_RS_LINK, 1));
    assert_int_equal(s.v.verdict, MST_V_DEGRADED);
}

static void who_is_cut_off_is_one_reason(void **state)
{
    static const size_t pairs[][2] = {{0, 2}, {1, 2}, {2, 0}, {2, 1}};
    struct set s;

    (void)state;
    make(&s, 3);
    for (size_t i = 0; i < MST_COUNT(pairs); i++) {
        hears(&s, pairs[i][0], pairs[i][1], 0, MST_MS_DOWN, 9000);
    }
    derive(&s);
    assert_true(has_reason(&s, MST_RS_LINK, 2));
    assert_false(has_reason(&s, MST_RS_LINK, 0));
    assert_false(has_reason(&s, MST_RS_LINK, 1));
    for (size_t i = 0; i < s.v.n_reasons; i++) {
        if (s.v.reasons[i].kind == MST_RS_LINK) {
            assert_non_null(strstr(s.v.reasons[i].text, "db3:27017 is cut off: "));
        }
    }
    make(&s, 3); /* one way only: each link is named */
    hears(&s, 2, 0, 0, MST_MS_DOWN, 9000);
    hears(&s, 2, 1, 0, MST_MS_DOWN, 9000);
    derive(&s);
    assert_non_null(strstr(s.v.reasons[0].text, "db3:27017 does not hear db1:27017"));
}

static void a_shard_is_healthy_and_says_what_it_is(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    s.v.sharded = true;
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_HEALTHY);
    assert_true(has_reason(&s, MST_RS_SHARDED, -1));
}

static void one_member_is_a_whole_set(void **state)
{
    struct set s;

    (void)state;
    make(&s, 1);
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_HEALTHY);
    assert_int_equal(s.v.write_majority, 1);
    assert_non_null(strstr(s.v.if_primary_dies, "nobody can win"));
}

static void who_was_not_asked_yet_is_not_called_lost(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3); /* the first moments: only the primary answered, and only hello */
    s.m[0].status_at_ms = 0;
    for (size_t i = 1; i < 3; i++) {
        s.m[i].reach = MST_REACH_NEVER;
        s.m[i].hello_at_ms = 0;
        s.m[i].status_at_ms = 0;
        s.m[0].sees[i].known = false;
    }
    s.m[0].reach_at_ms = NOW - 100;
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_STARTING);
    assert_int_equal(s.m[0].shown, MST_SHOW_PRIMARY);
    assert_int_equal(s.v.n_reasons, 0);
    s.m[0].writable = false; /* and it is a secondary */
    s.m[0].secondary = true;
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_STARTING);
    assert_int_equal(s.v.n_reasons, 0);
    s.m[1].reach = s.m[2].reach = MST_REACH_REFUSED; /* now all were asked */
    derive(&s);
    assert_int_equal(s.v.verdict, MST_V_NO_PRIMARY);
}

static void names_exist_for_every_value(void **state)
{
    (void)state;
    for (int i = MST_SHOW_UNKNOWN; i <= (int)MST_SHOW_UNREACHABLE; i++) {
        assert_true(strlen(mst_shown_word((enum mst_shown)i)) > 2);
    }
    for (int i = MST_REACH_NEVER; i <= (int)MST_REACH_PROTOCOL; i++) {
        assert_true(strlen(mst_reach_word((enum mst_reach)i)) > 1);
    }
    for (int i = MST_V_STARTING; i <= (int)MST_V_MONGOS; i++) {
        assert_true(strlen(mst_verdict_word((enum mst_verdict)i)) > 2);
    }
    assert_string_equal(mst_mstate_name(MST_MS_STARTUP2), "STARTUP2");
    assert_string_equal(mst_mstate_name(MST_MS_UNKNOWN), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_set_is_healthy_and_says_so),
        cmocka_unit_test(every_own_answer_has_its_word),
        cmocka_unit_test(a_member_we_lost_is_what_the_others_say_or_silent),
        cmocka_unit_test(a_silent_member_keeps_its_values_and_is_never_healthy),
        cmocka_unit_test(a_primary_without_a_write_majority_is_a_state_of_its_own),
        cmocka_unit_test(both_secondaries_lost_is_no_majority_before_the_primary_notices),
        cmocka_unit_test(a_network_that_only_we_lost_takes_no_majority_away),
        cmocka_unit_test(a_primary_that_only_others_reach_is_not_called_gone),
        cmocka_unit_test(of_two_primaries_the_higher_term_wins),
        cmocka_unit_test(lag_is_measured_on_the_members_themselves),
        cmocka_unit_test(lag_past_its_limits_is_a_reason_but_a_delay_is_not),
        cmocka_unit_test(without_a_primary_lag_counts_from_the_newest_member),
        cmocka_unit_test(window_and_headroom_come_from_the_oplogs_ends),
        cmocka_unit_test(who_can_win_and_why_the_others_cannot),
        cmocka_unit_test(votes_decide_who_can_win),
        cmocka_unit_test(failures_have_their_verdict_and_their_sentence),
        cmocka_unit_test(a_failed_login_everywhere_is_the_verdict_though_hello_answers),
        cmocka_unit_test(a_missing_right_names_the_view_that_is_missing),
        cmocka_unit_test(a_link_that_only_two_members_lost_is_named),
        cmocka_unit_test(who_is_cut_off_is_one_reason),
        cmocka_unit_test(a_shard_is_healthy_and_says_what_it_is),
        cmocka_unit_test(one_member_is_a_whole_set),
        cmocka_unit_test(who_was_not_asked_yet_is_not_called_lost),
        cmocka_unit_test(names_exist_for_every_value),
    };

    return cmocka_run_group_tests_name("topo", tests, NULL, NULL);
}
