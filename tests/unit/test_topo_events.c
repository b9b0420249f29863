#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include "toposet.h"

static struct mst_topo_memory *mem;

static void follow(struct set *s, int64_t at)
{
    s->v.now_mono_ms = at;
    for (size_t i = 0; i < s->v.n; i++) {
        if (s->m[i].reach == MST_REACH_OK) {
            s->m[i].hello_at_ms = at - 10;
            s->m[i].status_at_ms = at - 5;
        }
    }
    derive(s);
    mst_topo_follow(mem, &s->v);
}

static void earlier_events_count_against_the_same_limit(void **state)
{
    static struct mst_event old[MST_TOPO_EVENTS + 2];
    struct set s;

    (void)state;
    for (size_t i = 0; i < MST_COUNT(old); i++) {
        old[i].wall_ms = (int64_t)i;
        old[i].kind = i == 5 ? MST_EV_GAP : MST_EV_EARLIER;
        old[i].mono_ms = 99; /* of another boot: it says nothing here */
        old[i].member = 1;
    }
    mst_topo_remember(mem, old, MST_COUNT(old));
    make(&s, 3);
    follow(&s, NOW);
    assert_int_equal(s.v.n_events, MST_TOPO_EVENTS);
    assert_int_equal(s.v.events[0].wall_ms, 2);
    assert_int_equal(s.v.events[3].kind, MST_EV_GAP);
    for (size_t i = 0; i < s.v.n_events; i++) {
        assert_int_equal(s.v.events[i].mono_ms, 0);
        assert_int_equal(s.v.events[i].member, -1);
        assert_true(i == 0 || s.v.events[i].seq > s.v.events[i - 1].seq);
    }
    kill_member(&s, 1);
    follow(&s, NOW + 1000);
    assert_int_equal(s.v.n_events, MST_TOPO_EVENTS);
    assert_int_equal(s.v.events[MST_TOPO_EVENTS - 1].mono_ms, NOW + 1000);
    free(s.v.events);
}

static int setup(void **state)
{
    (void)state;
    mem = mst_topo_memory_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mst_topo_memory_free(mem);
    return 0;
}

static const struct mst_event *last_event(const struct set *s, enum mst_event_kind kind)
{
    for (size_t i = s->v.n_events; i > 0; i--) {
        if (s->v.events[i - 1].kind == kind) {
            return &s->v.events[i - 1];
        }
    }
    return NULL;
}

static void elect(struct set *s, size_t i, int64_t term)
{
    for (size_t j = 0; j < s->v.n; j++) {
        s->m[j].writable = j == i;
        s->m[j].secondary = j != i;
        s->m[j].state = j == i ? MST_MS_PRIMARY : MST_MS_SECONDARY;
        s->m[j].hello_term = j == i ? term : -1;
        s->m[j].term = term;
    }
}

static void an_election_tells_who_won_the_gap_and_the_loss(void **state)
{
    struct set s;
    const struct mst_event *e;

    (void)state;
    make(&s, 3);
    s.m[0].applied.ts = (struct mst_ts){5003, 7};
    follow(&s, NOW);
    assert_int_equal(s.v.n_events, 0); /* what we find is no event */
    kill_member(&s, 0);
    follow(&s, NOW + 1000);
    e = last_event(&s, MST_EV_NO_PRIMARY);
    assert_non_null(e);
    assert_string_equal(e->text, "no writable primary (it was db1:27017)");
    assert_int_equal(s.v.no_primary_since_ms, NOW - 10);
    elect(&s, 1, 4);
    s.m[1].seen_at_election = (struct mst_optime){{5000, 1}, 3};
    s.m[1].catch_up_ops = 0;
    follow(&s, NOW + 11500);
    e = last_event(&s, MST_EV_PRIMARY);
    assert_non_null(e);
    assert_string_equal(e->text,
                        "db2:27017 is primary in term 4 after 11.5 s without one; db1:27017 had "
                        "writes up to 5003:7 that it lacks (after 5000:1, 3.0 s)");
    assert_int_equal(e->severity, MST_SEV_CRIT);
    assert_int_equal(s.v.no_primary_since_ms, 0);
    free(s.v.events);
}

static void a_winner_that_has_everything_says_so(void **state)
{
    struct set s;
    const struct mst_event *e;

    (void)state;
    make(&s, 3);
    follow(&s, NOW);
    elect(&s, 2, 4); /* handed over between two looks */
    s.m[2].seen_at_election = (struct mst_optime){{5000, 1}, 3};
    follow(&s, NOW + 700);
    e = last_event(&s, MST_EV_PRIMARY);
    assert_non_null(e);
    assert_non_null(strstr(e->text, "after 0.7 s without one; it has all that was seen on db1"));
    assert_int_equal(e->severity, MST_SEV_INFO);
    free(s.v.events);
}

static void the_loss_waits_for_the_winners_own_words_but_not_for_ever(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    follow(&s, NOW);
    elect(&s, 1, 4);
    s.m[1].term = 3; /* its status is from before the election */
    follow(&s, NOW + 500);
    assert_null(last_event(&s, MST_EV_PRIMARY));
    assert_non_null(last_event(&s, MST_EV_STATE)); /* the state is shown at once */
    follow(&s, NOW + 3600);
    assert_non_null(last_event(&s, MST_EV_PRIMARY));
    assert_non_null(strstr(last_event(&s, MST_EV_PRIMARY)->text, "is not known"));
    free(s.v.events);
}

static void a_rollback_id_that_grows_is_a_red_event(void **state)
{
    struct set s;
    const struct mst_event *e;

    (void)state;
    make(&s, 3);
    follow(&s, NOW);
    s.m[2].rbid = 2;
    follow(&s, NOW + 1000);
    e = last_event(&s, MST_EV_RBID);
    assert_non_null(e);
    assert_int_equal(e->severity, MST_SEV_CRIT);
    assert_int_equal(e->member, 2);
    follow(&s, NOW + 2000);
    assert_ptr_equal(last_event(&s, MST_EV_RBID), &s.v.events[s.v.n_events - 1]); /* once */
    free(s.v.events);
}

static void lag_tells_when_it_crosses_and_when_it_is_over(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    follow(&s, NOW);
    s.m[1].applied.ts.t = 100;
    s.m[1].applied_wall_ms = s.m[0].applied_wall_ms - 12000;
    follow(&s, NOW + 1000);
    follow(&s, NOW + 2000);
    assert_int_equal(s.v.n_events, 1);
    assert_string_equal(last_event(&s, MST_EV_LAG)->text, "db2:27017 lag 12 s > 10 s");
    s.m[1].applied = s.m[0].applied;
    follow(&s, NOW + 3000);
    assert_int_equal(s.v.n_events, 2);
    assert_non_null(strstr(last_event(&s, MST_EV_LAG)->text, "is below"));
    free(s.v.events);
}

static void a_lag_just_above_its_limit_is_not_said_to_be_more_than_itself(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    follow(&s, NOW);
    s.m[1].applied.ts.t = 100;
    s.m[1].applied_wall_ms = s.m[0].applied_wall_ms - 10200;
    follow(&s, NOW + 1000);
    assert_string_equal(last_event(&s, MST_EV_LAG)->text, "db2:27017 lag just above 10 s");
    free(s.v.events);
}

static void a_reason_remembers_since_when_it_holds(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    follow(&s, NOW);
    kill_member(&s, 2);
    follow(&s, NOW + 1000);
    follow(&s, NOW + 9000);
    for (size_t i = 0; i < s.v.n_reasons; i++) {
        assert_int_equal(s.v.reasons[i].since_ms, NOW + 1000);
    }
    assert_true(s.v.n_reasons > 0);
    free(s.v.events);
}

static void a_new_configuration_is_an_event(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    follow(&s, NOW);
    s.v.config_version = 2;
    s.v.n = 2;
    follow(&s, NOW + 1000);
    assert_string_equal(last_event(&s, MST_EV_CONFIG)->text,
                        "configuration version 1 -> 2, 2 members");
    free(s.v.events);
}

static void only_the_newest_events_are_kept(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    follow(&s, NOW);
    for (int i = 0; i < MST_TOPO_EVENTS + 20; i++) {
        s.m[2].rbid++;
        follow(&s, NOW + 1000 * (i + 1));
    }
    assert_int_equal(s.v.n_events, MST_TOPO_EVENTS);
    assert_int_equal(s.v.events[MST_TOPO_EVENTS - 1].seq, MST_TOPO_EVENTS + 20);
    assert_int_equal(s.v.events[0].seq, 21);
    free(s.v.events);
}

#define F(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        F(an_election_tells_who_won_the_gap_and_the_loss),
        F(a_winner_that_has_everything_says_so),
        F(the_loss_waits_for_the_winners_own_words_but_not_for_ever),
        F(a_rollback_id_that_grows_is_a_red_event),
        F(lag_tells_when_it_crosses_and_when_it_is_over),
        F(a_lag_just_above_its_limit_is_not_said_to_be_more_than_itself),
        F(a_reason_remembers_since_when_it_holds),
        F(a_new_configuration_is_an_event),
        F(only_the_newest_events_are_kept),
        F(earlier_events_count_against_the_same_limit),
    };

    return cmocka_run_group_tests_name("topo events", tests, NULL, NULL);
}
