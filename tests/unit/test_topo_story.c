#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include "topo/story.h"
#include "toposet.h"

static struct mst_story *story;

/* A view of the moment `at`; who answers answered just now. */
static const struct mst_failover *look(struct set *s, int64_t at, bool ours)
{
    s->v.now_mono_ms = at;
    s->v.now_wall_ms = WALL + at - NOW;
    for (size_t i = 0; i < s->v.n; i++) {
        if (s->m[i].reach == MST_REACH_OK) {
            s->m[i].hello_at_ms = at - 10;
            s->m[i].status_at_ms = at - 5;
        }
    }
    derive(s);
    mst_story_follow(story, &s->v, ours);
    return &s->v.failover;
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
    s->m[i].seen_at_election = (struct mst_optime){{5000, 1}, 3};
    s->m[i].catch_up_ops = 0;
    s->m[i].stood_wall_ms = WALL + 11000;
    (void)mst_copy(s->m[i].election_reason, sizeof(s->m[i].election_reason), "electionTimeout");
}

static void revive(struct set *s, size_t i)
{
    s->m[i].reach = MST_REACH_OK;
    for (size_t j = 0; j < s->v.n; j++) {
        hears(s, j, i, 1, MST_MS_SECONDARY, 500);
    }
}

static int setup(void **state)
{
    (void)state;
    story = mst_story_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mst_story_free(story);
    return 0;
}

/* The first n lines, and the last one. */
static void lines_are(const struct mst_failover *f, const char *const *want, size_t n,
                      const char *next)
{
    struct mst_tale_line lines[MST_TALES];
    const size_t got = mst_failover_lines(f, lines);

    assert_int_equal(got, n + 1);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(lines[i].text, want[i]);
    }
    assert_string_equal(lines[n].text, next);
}

static void a_failover_is_told_from_the_last_sight_to_the_rollback(void **state)
{
    static const char *const told[] = {
        "the primary db1:27017 was last seen writable",
        "db2:27017 says that db1:27017 is down",
        "2.0 s of writes on db1:27017 were not yet on a majority then",
        "db2:27017 stands, because of electionTimeout",
        "db2:27017 is primary in term 4, 11.5 s after the last sight of a writable one",
        "db1:27017 had writes up to 5003:7 that db2:27017 lacks (after 5000:1, 3.0 s)",
        "db1:27017 is back as a secondary",
        "db1:27017 rolled back: rollback id 1 -> 2",
    };
    const struct mst_failover *f;
    struct set s;

    (void)state;
    make(&s, 3);
    s.m[0].applied = (struct mst_optime){{5003, 7}, 3};
    s.m[0].applied_wall_ms = WALL + 1000;
    f = look(&s, NOW, false);
    assert_false(f->any); /* what we find is no failover */
    kill_member(&s, 0);
    f = look(&s, NOW + 1000, false);
    assert_true(f->any && !f->over);
    assert_int_equal(f->last_seen_ms, WALL - 10);
    lines_are(f, told, 3, "next: wait for the election; force nothing while it can come");
    elect(&s, 1, 4);
    f = look(&s, NOW + 11500, false);
    assert_true(f->over);
    assert_int_equal(f->loss, MST_LOSS_SOME);
    assert_int_equal(f->gap_ms, 11500);
    lines_are(f, told, 6,
              "next: keep the data of db1:27017: copy its dbPath before it is started, when the "
              "writes that the others lack matter");
    revive(&s, 0);
    s.m[0].secondary = false;
    s.m[0].state = MST_MS_ROLLBACK;
    f = look(&s, NOW + 60000, false);
    assert_int_equal(f->rollback_ms, WALL + 60000);
    assert_int_equal(f->back_ms, 0);
    s.m[0].secondary = true;
    s.m[0].state = MST_MS_SECONDARY;
    s.m[0].rbid = 2;
    f = look(&s, NOW + 70000, false);
    assert_int_equal(f->back_ms, WALL + 70000);
    lines_are(f, told, 8,
              "next: look into the rollback directory below the dbPath of db1:27017: what it "
              "removed is there");
}

static void a_winner_with_everything_loses_nothing(void **state)
{
    struct mst_tale_line lines[MST_TALES];
    const struct mst_failover *f;
    struct set s;
    size_t n;

    (void)state;
    make(&s, 3);
    (void)look(&s, NOW, false);
    kill_member(&s, 0);
    (void)look(&s, NOW + 1000, false);
    elect(&s, 1, 4);
    f = look(&s, NOW + 11500, false);
    assert_int_equal(f->loss, MST_LOSS_NONE);
    n = mst_failover_lines(f, lines);
    assert_string_equal(lines[n - 2].text, "db2:27017 has all that was seen on db1:27017");
    assert_string_equal(lines[n - 1].text,
                        "next: find out why db1:27017 was lost and bring it back; watch it for "
                        "ROLLBACK when it returns");
}

static void a_winner_that_tells_nothing_leaves_the_loss_unknown(void **state)
{
    struct mst_tale_line lines[MST_TALES];
    const struct mst_failover *f;
    struct set s;
    size_t n;

    (void)state;
    make(&s, 3);
    (void)look(&s, NOW, false);
    kill_member(&s, 0);
    (void)look(&s, NOW + 1000, false);
    elect(&s, 1, 4);
    s.m[1].term = 3; /* its status is of before the election */
    f = look(&s, NOW + 11000, false);
    assert_true(f->winner[0] && !f->over);
    f = look(&s, NOW + 13980, false);
    assert_false(f->over);
    f = look(&s, NOW + 13990, false); /* three seconds: asked in vain */
    assert_true(f->over);
    assert_int_equal(f->loss, MST_LOSS_UNKNOWN);
    n = mst_failover_lines(f, lines);
    assert_string_equal(lines[n - 2].text, "what the old primary db1:27017 had more is not known");
}

static void a_switch_that_somebody_asked_for_is_none(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    (void)look(&s, NOW, false);
    s.m[0].writable = false; /* it stepped down */
    s.m[0].secondary = true;
    s.m[0].state = MST_MS_SECONDARY;
    assert_false(look(&s, NOW + 1000, true)->any);
    elect(&s, 1, 4);
    assert_false(look(&s, NOW + 2000, true)->any);
    assert_false(look(&s, NOW + 3000, false)->any); /* and does not become one */
    elect(&s, 2, 5); /* quicker than our looks, and nobody asked for this one */
    assert_true(look(&s, NOW + 9000, false)->any);
    elect(&s, 0, 6);
    assert_int_equal(look(&s, NOW + 12000, true)->term, 5); /* asked for: the newest stays */
}

static void a_primary_that_was_only_silent_is_no_failover(void **state)
{
    struct set s;

    (void)state;
    make(&s, 3);
    (void)look(&s, NOW, false);
    kill_member(&s, 0);
    assert_true(look(&s, NOW + 1000, false)->any);
    s.m[0].reach = MST_REACH_OK;
    hears(&s, 1, 0, 1, MST_MS_PRIMARY, 500);
    hears(&s, 2, 0, 1, MST_MS_PRIMARY, 500);
    assert_false(look(&s, NOW + 3000, false)->any);
}

static void a_primary_lost_before_we_looked_is_not_named(void **state)
{
    struct mst_tale_line lines[MST_TALES];
    const struct mst_failover *f;
    struct set s;
    size_t n;

    (void)state;
    make(&s, 3);
    kill_member(&s, 0);
    f = look(&s, NOW, false);
    assert_string_equal(f->old, "");
    elect(&s, 1, 4);
    f = look(&s, NOW + 4000, false);
    assert_int_equal(f->gap_ms, -1);
    assert_int_equal(f->loss, MST_LOSS_UNKNOWN);
    n = mst_failover_lines(f, lines);
    assert_int_equal(n, 5);
    assert_non_null(strstr(lines[0].text, "which one was lost, and when, is not known"));
    assert_string_equal(lines[2].text, "db2:27017 is primary in term 4");
    assert_string_equal(lines[3].text, "what the old primary had more is not known");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_failover_is_told_from_the_last_sight_to_the_rollback),
        T(a_winner_with_everything_loses_nothing),
        T(a_winner_that_tells_nothing_leaves_the_loss_unknown),
        T(a_switch_that_somebody_asked_for_is_none),
        T(a_primary_that_was_only_silent_is_no_failover),
        T(a_primary_lost_before_we_looked_is_not_named),
    };
    return cmocka_run_group_tests_name("topo story", tests, NULL, NULL);
}
