/* The majority is lost before, in and after a switch, and the wall clock of the agent is set in its
 * middle: a sentence, an exit status, and nobody who stays frozen. */
#include "plays_kit.h"

static void down(struct play *p, const char *a, const char *b)
{
    kit_ctl(&p->kit, "kill", a, NULL);
    kit_ctl(&p->kit, "kill", b, NULL);
}

static void up(struct play *p, const char *a, const char *b)
{
    kit_ctl(&p->kit, "start", a, NULL);
    kit_ctl(&p->kit, "start", b, NULL);
}

/* It ended with this status, and said so; nobody is held once its set is whole again. */
static void ended(struct play *p, int status, const char *says)
{
    const int got = play_end(p);

    if (got != status || !strstr(mst_str_c(&p->run.out), says)) {
        fail_msg("majority lost in %s: status %d, wanted %d with \"%s\": %s", p->state, got, status,
                 says, beside_tail(&p->run));
    }
    mst_str_release(&p->run.out);
}

/* Who is elected then is the set's own choice: each outcome says who. Once more the target: then it
 * goes on from there, to its end. */
static void came_back(struct play *p)
{
    const int got = play_end(p);

    if (got == 0 && strstr(mst_str_c(&p->run.out), "nothing is left to do")) {
        assert_int_equal(sbx_world_primary(p->kit.w), p->to);
    } else if ((got != 13 || !strstr(mst_str_c(&p->run.out), "is primary again")) &&
               ((got != 14 && got != 15) ||
                !strstr(mst_str_c(&p->run.out), "is primary in term"))) {
        fail_msg("majority lost in %s and back: status %d: %s", p->state, got,
                 beside_tail(&p->run));
    }
    mst_str_release(&p->run.out);
}

static void without_a_majority_nothing_begins(void **state)
{
    struct play *p = play_add(NULL, NULL);
    struct ran r;

    (void)state;
    down(p, "1", "2");
    assert_true(kit_wait_state(&p->kit, 0, SBX_SECONDARY, 20000));
    RUN(&r, p->home.env, "switchover", "--to", p->names[1], YOUNG, "--confirm", "x");
    assert_int_equal(r.status, 10);
    HAS(mst_str_c(&r.err), "there is no writable primary to move: see 'muster status'");
    ran_release(&r);
    play_nobody_frozen(p);
}

static void a_majority_that_is_lost_on_the_way_is_told(void **state)
{
    struct play *before, *probe, *watch;

    (void)state;
    before = play_add("CATCHUP", NULL);
    probe = play_add("PROBE", NULL);
    watch = play_add("WATCH", NULL);
    plays_run();
    down(before, "1", "2"); /* heir and rival */
    down(probe, "0", "2");  /* all but the new primary */
    down(watch, "0", "2");
    for (size_t i = 0; i < n_plays; i++) {
        play_goes_on(plays[i]);
    }
    ended(before, 12, "nothing of ours stays");
    beside_says(&probe->run, "UNDO");
    up(probe, "0", "2");
    came_back(probe);
    ended(watch, 16, "look at 'muster status' before anything else");
    up(before, "1", "2");
    up(watch, "0", "2");
    for (size_t i = 0; i < n_plays; i++) {
        assert_true(sbx_world_wait_primary(plays[i]->kit.w, -1, 20000) >= 0);
        play_nobody_frozen(plays[i]);
    }
}

/* --- the clock --- */

static char clocks[PLAYS_MAX][96];

static void set_clock(size_t i, int seconds)
{
    struct mst_err err = {0};
    char text[24];
    const int n = snprintf(text, sizeof(text), "%d\n", seconds);

    assert_ok(mst_file_replace(clocks[i], 0600, text, (size_t)n, &err), &err);
}

static void a_clock_that_is_set_changes_no_duration(void **state)
{
    static const struct {
        const char *in;
        int seconds;
    } cases[] = {
        {"RECHECK", 3600}, {"CATCHUP", -3600}, {"STEPDOWN", 3600}, {"STEPDOWN", -3600},
        {"PROBE", 3600},   {"SETTLE", -3600},  {"WATCH", 3600},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        char fault[120];

        (void)snprintf(clocks[i], sizeof(clocks[i]), "%s/clock%zu", plays_store, i);
        set_clock(i, 0);
        (void)snprintf(fault, sizeof(fault), "clock=%s", clocks[i]);
        (void)play_add(cases[i].in, fault);
    }
    plays_run();
    for (size_t i = 0; i < n_plays; i++) {
        set_clock(i, cases[i].seconds);
        play_goes_on(plays[i]);
    }
    for (size_t i = 0; i < n_plays; i++) {
        struct play *p = plays[i];
        const int status = play_end(p);
        const char *gap = strstr(mst_str_c(&p->run.out), "writes stopped for ");

        if (status != 0 || !gap || strtod(gap + strlen("writes stopped for "), NULL) > 60) {
            fail_msg("clock set by %d s in %s: status %d: %s", cases[i].seconds, p->state, status,
                     beside_tail(&p->run));
        }
        mst_str_release(&p->run.out);
        assert_int_equal(sbx_world_primary(p->kit.w), 1);
        play_nobody_frozen(p);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, plays_setup, plays_teardown)
    const struct CMUnitTest tests[] = {
        T(without_a_majority_nothing_begins),
        T(a_majority_that_is_lost_on_the_way_is_told),
        T(a_clock_that_is_set_changes_no_duration),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("switch, majority and clock", tests, NULL, NULL);
}
