/* Signals in the states that a switch comes to only when something went wrong, or at its very end:
 * PRIORITIES, ABORT, UNDO, UNKNOWN. The client goes at once and the act goes on; an agent that is
 * asked to end brings it to a safe end first. Nobody of ours stays frozen.
 *
 * UNKNOWN is what 30 s without a primary after an undo lead to, and it looks on until the last hold
 * has ended by itself, 60 s: that is how long this test takes, with all plays side by side. */
#include "plays_kit.h"

enum way { AT_PRIORITIES, AT_ABORT, AT_UNDO, AT_UNKNOWN, WAYS };
static const char *const words[WAYS] = {"PRIORITIES", "ABORT", "UNDO", "UNKNOWN"};
static const int signals[] = {SIGINT, SIGHUP, SIGTERM};
#define SIGNALS MST_COUNT(signals)

static struct play *play_of(enum way way, size_t signal)
{
    return plays[way * SIGNALS + signal];
}

/* The primary is above the others: who gets the seat keeps it by a reconfig only. */
static void add_with_priorities(void)
{
    bson_t config = BSON_INITIALIZER, members;

    BSON_APPEND_UTF8(&config, "_id", "rs0");
    BSON_APPEND_ARRAY_BEGIN(&config, "members", &members);
    for (int i = 0; i < 3; i++) {
        char key[12], host[32];
        bson_t m;

        (void)snprintf(key, sizeof(key), "%d", i);
        (void)snprintf(host, sizeof(host), "member:%d", i + 1); /* a real one takes its place */
        BSON_APPEND_DOCUMENT_BEGIN(&members, key, &m);
        BSON_APPEND_INT32(&m, "_id", i);
        BSON_APPEND_UTF8(&m, "host", host);
        BSON_APPEND_DOUBLE(&m, "priority", i == 0 ? 3 : i); /* 3, 1, 2: a third between them */
        bson_append_document_end(&members, &m);
    }
    bson_append_array_end(&config, &members);
    for (size_t s = 0; s < SIGNALS; s++) {
        play_add_on("PRIORITIES", NULL, (struct sbx_opts){.config = &config})->stay = true;
    }
    bson_destroy(&config);
}

static void down(struct play *p, const char *a, const char *b)
{
    kit_ctl(&p->kit, "kill", a, NULL);
    kit_ctl(&p->kit, "kill", b, NULL);
}

static void up(struct play *p)
{
    kit_ctl(&p->kit, "start", "0", NULL);
    kit_ctl(&p->kit, "start", "2", NULL);
}

/* Somebody else moves the seat, for a moment: who stepped down may stand again soon. */
static void foreign_step_down(struct play *p)
{
    bson_t r;

    assert_int_equal(
        kit_run(&p->kit, 0, "admin", &r, "{'replSetStepDown': 2, 'secondaryCatchUpPeriodSecs': 1}"),
        0);
    bson_destroy(&r);
    assert_true(sbx_world_wait_primary(p->kit.w, 0, 10000) > 0);
}

static void add_all(void)
{
    add_with_priorities();
    for (size_t s = 0; s < SIGNALS; s++) {
        (void)play_add("sent:1", "stop=ABORT"); /* the first freeze is out */
    }
    for (size_t s = 0; s < SIGNALS; s++) {
        (void)play_add("PROBE", "stop=UNDO");
    }
    for (size_t s = 0; s < SIGNALS; s++) {
        (void)play_add("PROBE", "stop=UNKNOWN");
    }
}

/* They stand still where something is about to go wrong: it does, and they come to the state. */
static void come_to(enum way way)
{
    for (size_t s = 0; s < SIGNALS && way != AT_PRIORITIES; s++) {
        struct play *p = play_of(way, s);

        if (way == AT_ABORT) {
            foreign_step_down(p);
        } else {
            down(p, "0", "2"); /* all but the new primary */
        }
        play_goes_on(p);
    }
    for (size_t s = 0; s < SIGNALS; s++) {
        play_of(way, s)->state = words[way];
        play_stands(play_of(way, s), words[way]);
    }
}

/* To the client, whose agent stands still: it does not wait for it. SIGTERM to the agent. */
static void strike(enum way way)
{
    for (size_t s = 0; s < SIGNALS; s++) {
        struct play *p = play_of(way, s);

        if (signals[s] == SIGTERM) {
            assert_int_equal(kill(p->agent, SIGTERM), 0);
        } else {
            assert_int_equal(kill(p->run.pid, signals[s]), 0);
            assert_int_equal(play_end(p), 11);
            HAS(mst_str_c(&p->run.out), "job 1 goes on in the agent");
            mst_str_release(&p->run.out);
        }
        if (way == AT_UNDO || way == AT_UNKNOWN) {
            up(p);
        }
        play_goes_on(p);
    }
}

/* How each way ends when nobody asked for anything, and when the agent was asked to end; of some it
 * is the set's own choice who is elected: each outcome says who. */
static bool ended_well(enum way way, bool asked, const char *job)
{
    switch (way) {
    case AT_PRIORITIES:
        return strstr(job, asked ? "but stopped on request before the end" /* with its reconfig */
                                 : "job 1 switch: done") != NULL;
    case AT_ABORT:
        return strstr(job, "job 1 switch: failed, stopped: ") &&
               strstr(job, "nothing of ours stays");
    case AT_UNDO:
        return strstr(job, "is primary again and takes majority writes") ||
               strstr(job, "is primary in term ");
    case AT_UNKNOWN:
        return strstr(job, "is primary in term ") != NULL;
    case WAYS:
        break;
    }
    return false;
}

static void judge(enum way way, size_t s)
{
    struct play *p = play_of(way, s);
    const bool asked = signals[s] == SIGTERM;
    struct ran r;

    if (asked) {
        await_state(p->agent, '-');
        assert_int_equal(play_end(p), 16);
        HAS(mst_str_c(&p->run.out), "the agent ended: 'muster jobs' says what became of job 1");
        mst_str_release(&p->run.out);
        home_fault(&p->home, "");
    }
    play_job(p, &r);
    if (!ended_well(way, asked, mst_str_c(&r.out))) {
        fail_msg("signal %d in %s: %s", signals[s], words[way], mst_str_c(&r.out));
    }
    assert_true(sbx_world_wait_primary(p->kit.w, -1, 20000) >= 0);
    play_nobody_frozen(p);
    ran_release(&r);
}

static void a_signal_in_a_late_state_leaves_nobody_frozen(void **state)
{
    (void)state;
    add_all();
    plays_run();
    for (enum way w = 0; w < WAYS; w++) {
        come_to(w);
        strike(w);
    }
    for (enum way w = 0; w < WAYS; w++) {
        for (size_t s = 0; s < SIGNALS; s++) {
            judge(w, s);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_signal_in_a_late_state_leaves_nobody_frozen, plays_setup,
                                        plays_teardown),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("switch, signals in late states", tests, NULL, NULL);
}
