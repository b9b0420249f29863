/* Two agents with states of their own, as of two users on two hosts, on one set: who acts keeps the
 * other out, until its note in the oplog is over by the oplog's own time. */
#include "agents_kit.h"

#include "excl/excl.h"

static struct kit kit;
static struct home a, b;

static char store[64];

static int group_up(void **state)
{
    (void)state;
    mst_mongo_init();
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(store, sizeof(store));
    home_make(&a, &kit, store);
    home_make(&b, &kit, store);
    (void)snprintf(b.no_agent, sizeof(b.no_agent), "MUSTER_NO_AGENT=1");
    fill(&kit, "new");
    DO(&a, 0, "backup");
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    home_end(&a);
    home_end(&b);
    temp_remove(store);
    kit_stop(&kit);
    return 0;
}

/* Whatever a test before has left: no agent, no fault, no open note. */
static int old_is_live(void **state)
{
    struct mst_excl_note *notes = NULL;
    struct mst_conn_opts o = {0};
    struct mst_conn *c = NULL;
    struct mst_err err = {0};
    int64_t now;
    size_t n = 0;

    (void)state;
    agents_die(&a);
    home_fault(&a, "");
    home_fault(&b, "");
    for (int i = 0; i < 3; i++) {
        if (kit.w->members[i].frozen) {
            kit_ctl(&kit, "cont", (const char *[]){"0", "1", "2"}[i], NULL);
        }
    }
    assert_true(sbx_world_wait_primary(kit.w, -1, PATIENCE_MS) >= 0);
    fill(&kit, "old");
    (void)snprintf(o.name, sizeof(o.name), "127.0.0.1:%d",
                   sbx_world_port(kit.w, (size_t)sbx_world_primary(kit.w)));
    assert_ok(mst_conn_open(&o, &c, &err), &err);
    assert_ok(mst_excl_list(c, &notes, &n, &now, &err), &err);
    for (size_t i = 0; i < n; i++) {
        char json[128];
        bson_t reply;

        (void)snprintf(json, sizeof(json),
                       "{'appendOplogNote': 1, 'data': {'muster': {'end': '%s'}}}", notes[i].id);
        assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "admin", &reply, json), 0);
        bson_destroy(&reply);
    }
    mst_conn_free(c);
    free(notes);
    return 0;
}

/* The agent of a is stopped in the middle of a restore, with its note open. */
static pid_t stand_still(const char *fault, struct beside *client)
{
    const pid_t agent = agent_with(&a, fault);

    restore_beside(client, &a);
    await_state(agent, 'T');
    return agent;
}

/* b is refused, and told by whom and how long; the seconds. */
static int refused(pid_t agent)
{
    struct ran r;
    char who[96], host[64] = "";
    const char *at;
    int left;

    restore(&r, &b);
    expect(&r, 17);
    HAS(mst_str_c(&r.out), "failed (job ");
    HAS(mst_str_c(&r.out), "restore runs on this set: ");
    (void)snprintf(who, sizeof(who), ", private agent, pid %d on ", (int)agent);
    HAS(mst_str_c(&r.out), who);
    (void)gethostname(host, sizeof(host) - 1);
    HAS(mst_str_c(&r.out), host);
    at = strstr(mst_str_c(&r.out), "for at least ");
    assert_non_null(at);
    left = (int)strtol(at + strlen("for at least "), NULL, 10);
    assert_in_range(left, 0, 60);
    ran_release(&r);
    return left;
}

/* Until b may act; how long that took. */
static int64_t await_turn(void)
{
    const int64_t begin = mst_clock_mono_ms(NULL);
    struct ran r;

    for (;;) {
        restore(&r, &b);
        if (r.status == 0) {
            break;
        }
        expect(&r, 17);
        ran_release(&r);
        assert_in_range(mst_clock_mono_ms(NULL) - begin, 0, PATIENCE_MS);
        mst_clock_sleep_ms(100);
    }
    ran_release(&r);
    return mst_clock_mono_ms(NULL) - begin;
}

static void who_comes_second_is_refused_and_sees_the_first(void **state)
{
    struct beside client;
    struct ran r;
    char host[64] = "", text[160];
    const pid_t agent = stand_still("stop=load:2", &client);

    (void)state;
    (void)gethostname(host, sizeof(host) - 1);
    (void)refused(agent);
    all_are(&kit, "old");
    RUN(&r, b.env, "status", "--plain");
    (void)snprintf(text, sizeof(text), "private agent, pid %d on %s (plan ", (int)agent, host);
    HAS(mst_str_c(&r.out), "another acts on this set: restore by ");
    HAS(mst_str_c(&r.out), text);
    HAS(mst_str_c(&r.out), " s, for at least ");
    ran_release(&r);
    RUN(&r, b.env, "console", "--print", "overview", "--size", "160x30");
    (void)snprintf(text, sizeof(text), "restore by %.20s", host);
    HAS(mst_str_c(&r.out), text);
    ran_release(&r);
    assert_int_equal(kill(agent, SIGCONT), 0);
    assert_int_equal(beside_end(&client), 0);
    mst_str_release(&client.out);
    all_are(&kit, "new");
    restore(&r, &b);
    expect(&r, 0);
    ran_release(&r);
}

static void a_killed_holder_keeps_the_set_until_its_note_is_over(void **state)
{
    struct beside client;
    pid_t agent = agent_with(&a, "kill=load:2,hold=6000");
    int64_t at;
    int left;

    (void)state;
    restore_beside(&client, &a);
    assert_int_equal(beside_end(&client), 16);
    HAS(mst_str_c(&client.out), "the agent ended");
    mst_str_release(&client.out);
    at = mst_clock_mono_ms(NULL);
    left = refused(agent);
    assert_in_range(left, 0, 6);
    (void)await_turn();
    assert_true(mst_clock_mono_ms(NULL) - at >= (left - 1) * 1000);
    all_are(&kit, "new");
}

/* Nobody has to wait for a process of this state that is known to be dead. */
static void a_dead_process_of_ours_is_known_as_such(void **state)
{
    struct beside client;
    struct ran r;
    const pid_t agent = agent_with(&a, "kill=load:2");

    (void)state;
    restore_beside(&client, &a);
    assert_int_equal(beside_end(&client), 16);
    mst_str_release(&client.out);
    assert_true(refused(agent) > 0);
    home_fault(&a, "");
    restore(&r, &a);
    expect(&r, 0);
    ran_release(&r);
    all_are(&kit, "new");
}

/* Its time is over while it stands still, another acts, then it wakes up. */
static void who_stood_still_too_long_touches_nothing_live(void **state)
{
    static const char *const faults[] = {"stop=ready:1,hold=3000", "stop=swap:2,hold=3000"};
    static const int status[] = {18, 15}; /* in the swap one collection is the new one already */

    (void)state;
    for (size_t i = 0; i < MST_COUNT(faults); i++) {
        struct beside client;
        struct ran r;
        pid_t agent;

        fill(&kit, "old");
        agent = stand_still(faults[i], &client);
        (void)await_turn();
        fill(&kit, "later");
        assert_int_equal(kill(agent, SIGCONT), 0);
        assert_int_equal(beside_end(&client), status[i]);
        HAS(mst_str_c(&client.out), "the note in the oplog could not be renewed, so the job "
                                    "stopped: others may act on the set now");
        mst_str_release(&client.out);
        all_are(&kit, "later");
        home_fault(&a, "");
        MUST(&r, &a, 0, "jobs");
        ran_release(&r);
    }
}

/* Nobody answers it, so it cannot renew: it stops by itself. */
static void who_cannot_reach_the_set_stops_and_says_so(void **state)
{
    struct beside client;
    struct ran r;
    char phrase[160];

    (void)state;
    (void)agent_with(&a, "hold=3000");
    phrase_of(&a, phrase, sizeof(phrase));
    BESIDE(&client, &a, false, "restore", "--include", "shop.*", "--rate", "100", "--confirm",
           phrase);
    beside_says(&client, "loading");
    for (int i = 0; i < 3; i++) {
        kit_ctl(&kit, "stop", (const char *[]){"0", "1", "2"}[i], NULL);
    }
    beside_says(&client, "the note in the oplog could not be renewed: stopping");
    for (int i = 0; i < 3; i++) {
        kit_ctl(&kit, "cont", (const char *[]){"0", "1", "2"}[i], NULL);
    }
    assert_int_equal(beside_end(&client), 18);
    mst_str_release(&client.out);
    assert_true(sbx_world_wait_primary(kit.w, -1, PATIENCE_MS) >= 0);
    all_are(&kit, "old");
    (void)await_turn();
    all_are(&kit, "new");
    MUST(&r, &a, 0, "jobs");
    HAS(mst_str_c(&r.out), "could not be renewed, so the job stopped");
    ran_release(&r);
}

static void clocks_an_hour_apart_let_nobody_in(void **state)
{
    static const char *const clocks[][2] = {{"stop=load:2,clock=3600", "clock=-3600"},
                                            {"stop=load:2,clock=-3600", "clock=3600"}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(clocks); i++) {
        struct beside client;
        struct ran r;
        pid_t agent;

        fill(&kit, "old");
        agent = stand_still(clocks[i][0], &client);
        home_fault(&b, clocks[i][1]);
        assert_in_range(refused(agent), 20, 60);
        RUN(&r, b.env, "status", "--plain");
        HAS(mst_str_c(&r.out), "another acts on this set: restore by ");
        assert_null(strstr(mst_str_c(&r.out), " h more"));
        ran_release(&r);
        all_are(&kit, "old");
        home_fault(&b, "");
        assert_int_equal(kill(agent, SIGCONT), 0);
        assert_int_equal(beside_end(&client), 0);
        mst_str_release(&client.out);
    }
}

/* The id of the backup that it made. */
static void id_of(const struct beside *s, char *id, size_t size)
{
    const char *at = strstr(mst_str_c(&s->out), "-full COMPLETE");

    if (!at || at - mst_str_c(&s->out) < 20) {
        fail_msg("no backup: %s", mst_str_c(&s->out));
        return;
    }
    (void)snprintf(id, size, "%.20s", at - 20);
}

static void two_backups_at_one_time_both_count(void **state)
{
    struct beside one, two;
    char first[32], second[32];

    (void)state;
    BESIDE(&one, &a, false, "backup");
    BESIDE(&two, &b, false, "backup");
    if (beside_end(&one) != 0 || beside_end(&two) != 0) {
        fail_msg("%s%s", mst_str_c(&one.out), mst_str_c(&two.out));
    }
    id_of(&one, first, sizeof(first));
    id_of(&two, second, sizeof(second));
    assert_string_not_equal(first, second);
    mst_str_release(&one.out);
    mst_str_release(&two.out);
    DO(&a, 0, "verify", "latest");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, old_is_live)
    const struct CMUnitTest tests[] = {
        T(who_comes_second_is_refused_and_sees_the_first),
        T(a_killed_holder_keeps_the_set_until_its_note_is_over),
        T(a_dead_process_of_ours_is_known_as_such),
        T(who_stood_still_too_long_touches_nothing_live),
        T(who_cannot_reach_the_set_stops_and_says_so),
        T(clocks_an_hour_apart_let_nobody_in),
        T(two_backups_at_one_time_both_count),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("agents apart", tests, group_up, group_down);
}
