/* What happens to a switch in its middle: another operator, a request to stop, a terminal that is
 * lost, a primary that dies. The heir is held behind, so that there is a middle. */
#include "agents_kit.h"

#define YOUNG \
    "--override", "P06=a set made for this test", "--override", "P28=a set made for this test"

static struct kit kit;
static struct home a, b;
static char store[64];

static int setup(void **state)
{
    (void)state;
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(store, sizeof(store));
    home_make(&a, &kit, store);
    home_make(&b, &kit, store);
    return 0;
}

static int teardown(void **state)
{
    struct ran r;
    struct home *homes[] = {&a, &b};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(homes); i++) {
        home_fault(homes[i], "");
        RUN(&r, homes[i]->env, "agent", "stop", "--force");
        ran_release(&r);
        temp_remove(homes[i]->dir);
    }
    kit_stop(&kit);
    temp_remove(store);
    return 0;
}

static const char *name(size_t i)
{
    static char names[4][32];

    (void)snprintf(names[i], sizeof(names[i]), "127.0.0.1:%d", sbx_world_port(kit.w, i));
    return names[i];
}

static void phrase(struct home *h, char *out, size_t size)
{
    struct ran r;
    const char *at;

    MUST(&r, h, 0, "switchover", "--to", name(1), YOUNG, "--dry-run");
    at = strstr(mst_str_c(&r.out), "phrase: ");
    assert_non_null(at);
    (void)snprintf(out, size, "%.*s", (int)strcspn(at + 8, "\n"), at + 8);
    ran_release(&r);
}

/* A switch to member 1 that stands in CATCHUP: the agent stands still there until the heir is three
 * seconds behind, and goes on. */
static void hold_in_catch_up(struct beside *s, bool terminal)
{
    const pid_t agent = agent_with(&a, "stop=CATCHUP:1");
    int64_t end;
    char text[200];

    phrase(&a, text, sizeof(text));
    BESIDE(s, &a, terminal, "switchover", "--to", name(1), YOUNG, "--confirm", text);
    await_state(agent, 'T');
    kit_ctl(&kit, "lag", "1", "30000");
    end = mst_clock_mono_ms(NULL) + 4000;
    while (mst_clock_mono_ms(NULL) < end) {
        kit_noop(&kit, 0);
        mst_clock_sleep_ms(50);
    }
    assert_int_equal(kill(agent, SIGCONT), 0);
    beside_says(s, "CATCHUP");
}

static void no_freeze_is_left(void)
{
    for (size_t i = 0; i < 3; i++) {
        sbx_lock(kit.w);
        const bool frozen = kit.w->members[i].no_stand_until > mst_clock_mono_ms(NULL);
        sbx_unlock(kit.w);
        assert_false(frozen);
    }
}

/* Who, to whom, by which plan, since when, until when; on the command line and in the console. */
static void as_another_sees_it(void)
{
    char line[200];
    struct ran r;

    (void)snprintf(line, sizeof(line), "another acts on this set: switchover to %s by ", name(1));
    RUN(&r, b.env, "status", "--plain"); /* the heir lags: its status is not 0 */
    HAS(mst_str_c(&r.out), line);
    HAS(mst_str_c(&r.out), " (plan ");
    HAS(mst_str_c(&r.out), "), since ");
    HAS(mst_str_c(&r.out), ", for at least ");
    ran_release(&r);
    RUN(&r, b.env, "status", "--json");
    (void)snprintf(line, sizeof(line), "\"target\":\"%s\",\"since\":\"", name(1));
    HAS(mst_str_c(&r.out), line);
    ran_release(&r);
}

static void a_second_operator_is_told_who_acts(void **state)
{
    struct beside first;
    struct ran r;

    (void)state;
    hold_in_catch_up(&first, false);
    RUN(&r, b.env, "switchover", "--to", name(2), YOUNG, "--confirm", "x");
    expect(&r, 10);
    HAS(mst_str_c(&r.err), "P37");
    HAS(mst_str_c(&r.out), "refuse P37 nobody else acts: switchover by ");
    ran_release(&r);
    as_another_sees_it();
    kit_ctl(&kit, "lag", "1", "0");
    assert_int_equal(beside_end(&first), 0);
    mst_str_release(&first.out);
    assert_int_equal(sbx_world_primary(kit.w), 1);
    no_freeze_is_left();
}

static void who_asks_it_to_stop_finds_nothing_changed(void **state)
{
    struct beside s;
    struct ran r;

    (void)state;
    hold_in_catch_up(&s, false);
    MUST(&r, &a, 0, "jobs", "cancel", "1");
    ran_release(&r);
    assert_int_equal(beside_end(&s), 12);
    HAS(mst_str_c(&s.out), "stopped on request");
    mst_str_release(&s.out);
    assert_int_equal(sbx_world_primary(kit.w), 0);
    no_freeze_is_left();
}

static void a_lost_terminal_does_not_stop_it(void **state)
{
    struct beside s;
    struct ran r;
    const int64_t end = mst_clock_mono_ms(NULL) + 60000;

    (void)state;
    hold_in_catch_up(&s, true);
    beside_kill(&s);
    kit_ctl(&kit, "lag", "1", "0");
    for (;;) {
        RUN(&r, a.env, "jobs");
        if (strstr(mst_str_c(&r.out), "job 1 switch: done") || mst_clock_mono_ms(NULL) > end) {
            break;
        }
        ran_release(&r);
        mst_clock_sleep_ms(200);
    }
    HAS(mst_str_c(&r.out), "job 1 switch: done");
    ran_release(&r);
    assert_int_equal(sbx_world_primary(kit.w), 1);
    no_freeze_is_left();
}

static void a_primary_that_dies_ends_it_before_anything_was_sent(void **state)
{
    struct beside s;

    (void)state;
    hold_in_catch_up(&s, false);
    kit_ctl(&kit, "kill", "0", NULL);
    assert_int_equal(beside_end(&s), 12);
    assert_null(strstr(mst_str_c(&s.out), "STEPDOWN"));
    mst_str_release(&s.out);
    kit_ctl(&kit, "lag", "1", "0");
    assert_true(sbx_world_wait_primary(kit.w, 0, 20000) > 0);
    no_freeze_is_left();
}

static void a_target_that_is_down_is_refused(void **state)
{
    struct ran r;

    (void)state;
    kit_ctl(&kit, "kill", "2", NULL);
    RUN(&r, a.env, "switchover", "--to", name(2), YOUNG, "--confirm", "x");
    expect(&r, 10);
    HAS(mst_str_c(&r.out), "refuse P01 members answer");
    HAS(mst_str_c(&r.out), "refuse P07 target may be elected");
    ran_release(&r);
    assert_int_equal(sbx_world_primary(kit.w), 0);
}

/* A backup of ours is in the way of the member that it reads only. */
static void the_member_that_a_backup_reads_is_no_target(void **state)
{
    struct beside backup;
    size_t in_the_way = 0;

    (void)state;
    fill(&kit, "new");
    BESIDE(&backup, &a, false, "backup", "--rate", "200");
    beside_says(&backup, "source 127.0.0.1:");
    for (size_t i = 1; i < 3; i++) {
        struct ran r;
        const char *at;
        bool refused;

        RUN(&r, a.env, "switchover", "--to", name(i), YOUNG, "--dry-run");
        at =
            strstr(mst_str_c(&r.out), "P20 no backup or restore: job 1, a backup, runs and reads ");
        if (!at) {
            fail_msg("the backup is not told: %s%s", mst_str_c(&r.out), mst_str_c(&r.err));
            return;
        }
        refused = strstr(mst_str_c(&r.out), "refuse P20 ") != NULL;
        assert_int_equal(refused, strncmp(strstr(at, "reads ") + 6, name(i), strlen(name(i))) == 0);
        assert_int_equal(r.status, refused ? 10 : 0);
        in_the_way += refused;
        ran_release(&r);
    }
    assert_int_equal(in_the_way, 1);
    DO(&a, 0, "jobs", "cancel", "1");
    (void)beside_end(&backup);
    mst_str_release(&backup.out);
}

/* Both have a plan; both mean it in the same moment. */
static void of_two_at_once_one_acts(void **state)
{
    struct home *homes[] = {&a, &b};
    struct beside s[2];
    int status[2];
    char path[2][96], code[2][8];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct ran r;
        const char *at;

        (void)snprintf(path[i], sizeof(path[i]), "%s/plan.json", homes[i]->dir);
        MUST(&r, homes[i], 0, "switchover", "--to", name(1 + i), YOUNG, "--plan-out", path[i]);
        at = strstr(mst_str_c(&r.out), "--code ");
        assert_non_null(at);
        (void)snprintf(code[i], sizeof(code[i]), "%.4s", at + 7);
        ran_release(&r);
    }
    for (size_t i = 0; i < 2; i++) {
        BESIDE(&s[i], homes[i], false, "apply", "--plan", path[i], "--code", code[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        status[i] = beside_end_within(&s[i], 90000);
    }
    for (size_t i = 0; i < 2; i++) {
        /* Refused by its checks, locked out, or late: never both, and it says who. */
        if ((status[i] == 0) == (status[1 - i] == 0) ||
            (status[i] != 0 && status[i] != 10 && status[i] != 17 && status[i] != 18)) {
            fail_msg("status %d and %d: %s", status[0], status[1], mst_str_c(&s[i].out));
        }
        if (status[i] == 0) {
            assert_int_equal(sbx_world_primary(kit.w), 1 + i);
        }
    }
    mst_str_release(&s[0].out);
    mst_str_release(&s[1].out);
    no_freeze_is_left();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_second_operator_is_told_who_acts),
        T(who_asks_it_to_stop_finds_nothing_changed),
        T(a_lost_terminal_does_not_stop_it),
        T(a_primary_that_dies_ends_it_before_anything_was_sent),
        T(a_target_that_is_down_is_refused),
        T(the_member_that_a_backup_reads_is_no_target),
        T(of_two_at_once_one_acts),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("switch, in its middle", tests, NULL, NULL);
}
