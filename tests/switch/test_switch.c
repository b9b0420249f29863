/* The primary moves to a chosen member, is refused, comes back; by the real program, on the
 * simulator or on a real set. */
#include "switch_kit.h"

/* The member that follows the primary in the configuration. */
static size_t next_to(int primary)
{
    assert_true(primary >= 0);
    return ((size_t)primary + 1) % 3;
}

static void to_a_chosen_member_and_back(void **state)
{
    const int old = sw_primary();
    struct ran r;

    (void)state;
    sw_move(next_to(old), &r);
    sw_expect(&r, 0);
    HAS(mst_str_c(&r.out), "is primary in term ");
    HAS(mst_str_c(&r.out), ", writes stopped for ");
    HAS(mst_str_c(&r.out), "certificate: ");
    HAS(mst_str_c(&r.out), "3 of 3 majority notes");
    ran_release(&r);
    assert_int_equal(sw_primary(), next_to(old));
    for (size_t i = 0; i < 3; i++) {
        assert_false(sw_frozen(i));
    }
    RUN(&r, sw_env, "failback", SW_YOUNG, "--plan-out", "plan.json");
    sw_expect(&r, 0);
    const char *at = strstr(mst_str_c(&r.out), "--code ");
    assert_non_null(at);
    char code[8];
    (void)snprintf(code, sizeof(code), "%.4s", at + 7);
    ran_release(&r);
    SW_RUN(&r, "apply", "--plan", "plan.json", "--code", code, "--json");
    sw_expect(&r, 0);
    HAS(mst_str_c(&r.out), "\"act\":\"failback\"");
    HAS(mst_str_c(&r.out), "\"write_gap_ms\":");
    ran_release(&r);
    assert_int_equal(sw_primary(), old);
    RUN(&r, sw_env, "audit", "verify");
    sw_expect(&r, 0);
    HAS(mst_str_c(&r.out), "4 lines");
    ran_release(&r);
    RUN(&r, sw_env, "agent", "stop", "--force"); /* all is written down then */
    ran_release(&r);
    RUN(&r, sw_env, "events"); /* elections that were asked for are no failovers */
    sw_expect(&r, 0);
    HAS(mst_str_c(&r.out), " is primary in term ");
    assert_null(strstr(mst_str_c(&r.out), "failover: "));
    ran_release(&r);
    (void)unlink("plan.json");
}

static void a_step_down_takes_any_heir(void **state)
{
    const int old = sw_primary();
    struct ran r;
    char phrase[200];

    (void)state;
    RUN(&r, sw_env, "stepdown", SW_YOUNG, "--dry-run");
    sw_expect(&r, 0);
    const char *at = strstr(mst_str_c(&r.out), "phrase: ");
    assert_non_null(at);
    (void)snprintf(phrase, sizeof(phrase), "%.*s", (int)strcspn(at + 8, "\n"), at + 8);
    ran_release(&r);
    SW_RUN(&r, "stepdown", SW_YOUNG, "--confirm", phrase);
    sw_expect(&r, 0);
    ran_release(&r);
    assert_int_not_equal(sw_primary(), old);
    for (size_t i = 0; i < 3; i++) {
        assert_false(sw_frozen(i));
    }
}

static void what_is_no_target_is_said_in_one_sentence(void **state)
{
    static const struct {
        const char *to, *says;
        int status;
    } cases[] = {
        {"nowhere:27017", "nowhere:27017 is no member of this set", 2},
        {"127.0.0.1", "is the host of several members", 2},
    };
    const int old = sw_primary();
    struct ran r;

    (void)state;
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        RUN(&r, sw_env, "switchover", "--to", cases[i].to, SW_YOUNG, "--dry-run");
        sw_expect(&r, cases[i].status);
        HAS(mst_str_c(&r.err), cases[i].says);
        ran_release(&r);
    }
    RUN(&r, sw_env, "switchover", "--to", sw_name((size_t)old), SW_YOUNG, "--confirm", "x");
    sw_expect(&r, 10);
    HAS(mst_str_c(&r.err), "is the primary already");
    ran_release(&r);
    RUN(&r, sw_env, "switchover", SW_YOUNG);
    sw_expect(&r, 2);
    HAS(mst_str_c(&r.err), "--to MEMBER");
    ran_release(&r);
    RUN(&r, sw_env, "switchover", "--to", sw_name(next_to(old)), "--override",
        "P99=there is no such check");
    sw_expect(&r, 2);
    HAS(mst_str_c(&r.err), "is no override");
    ran_release(&r);
    RUN(&r, sw_env, "switchover", "--to", sw_name(next_to(old)), "--override", "P06=short",
        "--override", "P28=a set made for this test", "--confirm", "x");
    sw_expect(&r, 10);
    ran_release(&r);
    RUN(&r, sw_env, "switchover", "--to", sw_name(next_to(old)), "--after", "never");
    sw_expect(&r, 2);
    HAS(mst_str_c(&r.err), "refuse, visit or stay");
    ran_release(&r);
    RUN(&r, sw_env, "failback");
    sw_expect(&r, 2);
    HAS(mst_str_c(&r.err), "no switch that moved the primary is remembered here");
    ran_release(&r);
}

static void a_plan_that_is_not_this_one_is_not_applied(void **state)
{
    const size_t to = next_to(sw_primary());
    struct ran r;
    struct mst_buf plan = {0};
    struct mst_err err = {0};
    char code[8], *edited;
    const char *at;

    (void)state;
    RUN(&r, sw_env, "switchover", "--to", sw_name(to), SW_YOUNG, "--plan-out", "p.json");
    sw_expect(&r, 0);
    at = strstr(mst_str_c(&r.out), "--code ");
    assert_non_null(at);
    (void)snprintf(code, sizeof(code), "%.4s", at + 7);
    ran_release(&r);
    RUN(&r, sw_env, "apply", "--plan", "p.json", "--code", "AAAA");
    sw_expect(&r, 10);
    HAS(mst_str_c(&r.err), "the code of p.json is not AAAA");
    ran_release(&r);
    assert_ok(mst_file_read("p.json", 1 << 20, &plan, &err), &err);
    edited = strstr((char *)plan.p, "\"target\":");
    assert_non_null(edited);
    edited[9] = (char)('0' + (to + 1) % 3);
    assert_ok(mst_file_replace("q.json", 0600, plan.p, plan.len, &err), &err);
    RUN(&r, sw_env, "apply", "--plan", "q.json", "--code", code);
    sw_expect(&r, 5);
    HAS(mst_str_c(&r.err), "edited");
    ran_release(&r);
    mst_buf_release(&plan);
    /* The set moved on: the plan does not fit any more. */
    sw_move((to + 1) % 3, &r);
    sw_expect(&r, 0);
    ran_release(&r);
    RUN(&r, sw_env, "apply", "--plan", "p.json", "--code", code);
    sw_expect(&r, 18);
    ran_release(&r);
    RUN(&r, sw_env, "apply", "--plan", "none.json", "--code", code);
    assert_int_not_equal(r.status, 0);
    HAS(mst_str_c(&r.err), "none.json");
    ran_release(&r);
    RUN(&r, sw_env, "apply", "--plan", "p.json");
    sw_expect(&r, 2);
    ran_release(&r);
    (void)unlink("p.json");
    (void)unlink("q.json");
}

static void without_the_act_in_the_configuration_nothing_moves(void **state)
{
    const int old = sw_primary();
    struct ran r;
    char path[128];
    struct mst_str s = {0};
    struct mst_err err = {0};

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/muster.conf", sw_dir);
    mst_str_addf(&s,
                 "set = { name = \"rs0\"; class = \"TEST\"; acts = [\"restore\"]; members = "
                 "[\"%s\"]; };\n",
                 sw_name(0));
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
    RUN(&r, sw_env, "switchover", "--to", sw_name(next_to(old)), SW_YOUNG, "--confirm", "x");
    sw_expect(&r, 10);
    HAS(mst_str_c(&r.err), "does not list \"switch\" in set.acts");
    ran_release(&r);
    /* A look is free, writes nothing, and so cannot know whether a majority write works. */
    RUN(&r, sw_env, "switchover", "--to", sw_name(next_to(old)), SW_YOUNG, "--dry-run");
    sw_expect(&r, 10);
    HAS(mst_str_c(&r.out), "refuse P13 ");
    HAS(mst_str_c(&r.out), "refuse P41 ");
    ran_release(&r);
    assert_int_equal(sw_primary(), old);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, sw_setup_any, sw_teardown)
    const struct CMUnitTest tests[] = {
        T(to_a_chosen_member_and_back),
        T(a_step_down_takes_any_heir),
        T(what_is_no_target_is_said_in_one_sentence),
        T(a_plan_that_is_not_this_one_is_not_applied),
        T(without_the_act_in_the_configuration_nothing_moves),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("switch", tests, NULL, NULL);
}
