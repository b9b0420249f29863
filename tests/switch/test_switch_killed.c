/* The agent dies in the middle of a switch: the next start thaws what it froze, says so, and the
 * set has one primary that nobody of ours holds back. */
#include "switch_kit.h"

static void die_at(const char *point, struct ran *r)
{
    char phrase[200];

    sw_phrase(1, phrase, sizeof(phrase));
    sw_stop_agent();
    (void)snprintf(sw_fault, sizeof(sw_fault), "MUSTER_FAULT=kill=%s,hold=3000", point);
    RUN(r, sw_env, "switchover", "--to", sw_name(1), SW_YOUNG, "--confirm", phrase);
    if (r->status == 0) {
        fail_msg("the agent did not die at %s: %s", point, mst_str_c(&r->out));
    }
    sw_no_fault();
}

static void at_every_edge_nothing_stays_frozen(void **state)
{
    static const struct {
        const char *point, *in;
    } cases[] = {
        {"RECHECK:1", "RECHECK"}, {"FREEZE:1", "FREEZE"}, {"sent:1", "FREEZE"},
        {"send:2", "FREEZE"},     {"sent:2", "FREEZE"},   {"reply:2", "FREEZE"},
        {"send:3", "STEPDOWN"},   {"sent:3", "STEPDOWN"}, {"CERTIFY:1", "CERTIFY"},
        {"PROBE:1", "PROBE"},     {"SETTLE:1", "SETTLE"}, {"WATCH:1", "WATCH"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        struct ran r;
        char text[64];
        const int64_t end = mst_clock_mono_ms(NULL) + 15000;

        if (sbx_world_primary(kit.w) != 0) { /* the last one moved it: back */
            kit_ctl(&kit, "kill", "1", NULL);
            kit_ctl(&kit, "start", "1", NULL);
            assert_true(sbx_world_wait_primary(kit.w, -1, 20000) >= 0);
        }
        if (sbx_world_primary(kit.w) == 1) {
            continue; /* it was elected again: the other edges have their turn */
        }
        die_at(cases[i].point, &r);
        ran_release(&r);
        RUN(&r, sw_env, "agent"); /* the next start */
        sw_expect(&r, 0);
        ran_release(&r);
        (void)snprintf(text, sizeof(text), "its process died in %s", cases[i].in);
        sw_status_until(&r, text);
        ran_release(&r);
        /* Members that were not primary are thawed; the penalty of a step down ends by itself. */
        while (sw_frozen(2) && mst_clock_mono_ms(NULL) < end) {
            mst_clock_sleep_ms(50);
        }
        assert_false(sw_frozen(2));
        assert_true(sbx_world_wait_primary(kit.w, -1, 20000) >= 0);
        sw_stop_agent();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(at_every_edge_nothing_stays_frozen, sw_setup, sw_teardown),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("switch killed", tests, NULL, NULL);
}
