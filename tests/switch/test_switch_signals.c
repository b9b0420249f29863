/* Signals in each state of a switch: the client goes at once and the act goes on; an agent that is
 * asked to end brings it to a safe end first. Nobody stays frozen. */
#include "plays_kit.h"

static const char *const states[] = {"RECHECK",  "QUIESCE", "CATCHUP", "FREEZE",
                                     "STEPDOWN", "CERTIFY", "STEPUP",  "AWAIT",
                                     "PROBE",    "SETTLE",  "WATCH"};

static void in_each_state(void)
{
    for (size_t i = 0; i < MST_COUNT(states); i++) {
        struct play *p = play_add(states[i], NULL);

        /* States that are passed within one look when the server's own hand-off is quick: it goes
         * to member 1, which is frozen when the target is 2. */
        if (strcmp(states[i], "AWAIT") == 0) {
            kit_ctl(&p->kit, "catchup", "1", "1500");
        } else if (strcmp(states[i], "CERTIFY") == 0 || strcmp(states[i], "STEPUP") == 0) {
            p->to = 2;
        }
    }
    plays_run();
}

/* The agent stands still: the client may not wait for it. */
static void client_goes(struct play *p, int sig)
{
    int status;

    assert_int_equal(kill(p->run.pid, sig), 0);
    status = play_end(p);
    if (status != 11) {
        fail_msg("signal %d in %s: status %d: %s", sig, p->state, status, mst_str_c(&p->run.out));
    }
    HAS(mst_str_c(&p->run.out), "job 1 goes on in the agent");
    mst_str_release(&p->run.out);
}

static void a_client_goes_and_the_act_goes_on(int sig)
{
    in_each_state();
    for (size_t i = 0; i < n_plays; i++) {
        client_goes(plays[i], sig);
    }
    for (size_t i = 0; i < n_plays; i++) {
        play_goes_on(plays[i]);
    }
    for (size_t i = 0; i < n_plays; i++) {
        struct ran r;

        play_job(plays[i], &r);
        if (!strstr(mst_str_c(&r.out), "job 1 switch: done")) {
            fail_msg("signal %d in %s: %s", sig, plays[i]->state, mst_str_c(&r.out));
        }
        ran_release(&r);
        assert_int_equal(sbx_world_primary(plays[i]->kit.w), plays[i]->to);
        play_nobody_frozen(plays[i]);
    }
}

static void sigint_in_each_state_ends_the_client_only(void **state)
{
    (void)state;
    a_client_goes_and_the_act_goes_on(SIGINT);
}

static void sighup_in_each_state_ends_the_client_only(void **state)
{
    (void)state;
    a_client_goes_and_the_act_goes_on(SIGHUP);
}

/* Where it stood when it was asked to end says which end it takes. */
static void safe_end(const struct play *p, const char *job)
{
    static const char *const turns_back[] = {"RECHECK", "QUIESCE", "CATCHUP", "FREEZE", "STEPDOWN"};
    bool back = false;

    for (size_t i = 0; i < MST_COUNT(turns_back); i++) {
        back = back || strcmp(p->state, turns_back[i]) == 0;
    }
    if (!strstr(job, back ? "job 1 switch: failed, stopped: stopped on request"
                          : "but stopped on request before the end") ||
        (back && !strstr(job, "nothing of ours stays"))) {
        fail_msg("SIGTERM in %s: %s", p->state, job);
    }
    assert_int_equal(sbx_world_primary(p->kit.w), back ? 0 : (int)p->to);
}

static void sigterm_to_the_agent_in_each_state_brings_it_to_a_safe_end(void **state)
{
    (void)state;
    in_each_state();
    for (size_t i = 0; i < n_plays; i++) {
        assert_int_equal(kill(plays[i]->agent, SIGTERM), 0);
        play_goes_on(plays[i]);
    }
    for (size_t i = 0; i < n_plays; i++) {
        struct play *p = plays[i];
        struct ran r;
        int status;

        await_state(p->agent, '-');
        status = play_end(p);
        if (status != 16) {
            fail_msg("SIGTERM in %s: status %d: %s", p->state, status, mst_str_c(&p->run.out));
        }
        HAS(mst_str_c(&p->run.out), "the agent ended: 'muster jobs' says what became of job 1");
        mst_str_release(&p->run.out);
        home_fault(&p->home, "");
        play_job(p, &r);
        safe_end(p, mst_str_c(&r.out));
        ran_release(&r);
        play_nobody_frozen(p);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, plays_setup, plays_teardown)
    const struct CMUnitTest tests[] = {
        T(sigint_in_each_state_ends_the_client_only),
        T(sighup_in_each_state_ends_the_client_only),
        T(sigterm_to_the_agent_in_each_state_brings_it_to_a_safe_end),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("switch, signals", tests, NULL, NULL);
}
