/* The agent dies in the middle of a switch: the next start thaws what it froze, says so, and the
 * set has one primary that nobody of ours holds back. */
#include "switch_kit.h"

static void die_at(const char *point, size_t to, struct ran *r)
{
    char phrase[200];

    sw_phrase(to, phrase, sizeof(phrase));
    sw_stop_agent();
    (void)snprintf(sw_fault, sizeof(sw_fault), "MUSTER_FAULT=kill=%s,hold=3000", point);
    RUN(r, sw_env, "switchover", "--to", sw_name(to), SW_YOUNG, "--confirm", phrase);
    if (r->status == 0) {
        fail_msg("the agent did not die at %s: %s", point, mst_str_c(&r->out));
    }
    sw_no_fault();
}

/* Everybody may stand: the penalty of the step down before is over. */
static int all_thawed(void)
{
    const int p = sbx_world_wait_primary(kit.w, -1, 20000);

    assert_true(p >= 0);
    for (int i = 0; i < 3; i++) {
        char member[16];

        (void)snprintf(member, sizeof(member), "%d", i);
        if (i != p) {
            kit_ctl(&kit, "freeze", member, "0");
        }
    }
    return p;
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
        const int p = all_thawed();
        const size_t to = (size_t)(p + 1) % 3, rival = (size_t)(p + 2) % 3;
        const int64_t end = mst_clock_mono_ms(NULL) + 15000;
        struct ran r;
        char text[64];

        die_at(cases[i].point, to, &r);
        ran_release(&r);
        RUN(&r, sw_env, "agent"); /* the next start */
        sw_expect(&r, 0);
        ran_release(&r);
        (void)snprintf(text, sizeof(text), "its process died in %s", cases[i].in);
        sw_status_until(&r, text);
        ran_release(&r);
        /* Whoever was frozen is thawed; the penalty of a step down ends by itself. */
        while (sw_frozen(rival) && mst_clock_mono_ms(NULL) < end) {
            mst_clock_sleep_ms(50);
        }
        if (sw_frozen(rival)) {
            fail_msg("killed at %s: the rival is still frozen", cases[i].point);
        }
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
