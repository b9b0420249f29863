/* The wall clock of the host is set by an hour, back and forward, while an agent runs and between
 * two: what is later stays later, what lasts does not change. */
#include "agents_kit.h"

static struct kit kit;
static struct home a, b;
static char store[64], clock_file[96], fault[128];

static void set_clock(int seconds)
{
    struct mst_err err = {0};
    char text[24];
    const int n = snprintf(text, sizeof(text), "%d\n", seconds);

    assert_ok(mst_file_replace(clock_file, 0600, text, (size_t)n, &err), &err);
}

static int setup(void **state)
{
    (void)state;
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(store, sizeof(store));
    home_make(&a, &kit, store);
    home_make(&b, &kit, store);
    (void)snprintf(clock_file, sizeof(clock_file), "%s/clock", a.dir);
    (void)snprintf(fault, sizeof(fault), "clock=%s", clock_file);
    set_clock(0);
    home_fault(&a, fault);
    fill(&kit, "new");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    home_end(&b);
    home_end(&a);
    temp_remove(store);
    kit_stop(&kit);
    return 0;
}

/* Its text says "backup ID ..."; the newest one is what latest finds. */
static void backup(char *id, size_t size)
{
    struct ran r;
    const char *at;

    MUST(&r, &a, 0, "backup");
    ran_release(&r);
    MUST(&r, &a, 0, "bucket", "show", "latest", "--json");
    at = strstr(mst_str_c(&r.out), "-full");
    assert_non_null(at);
    while (at > r.out.p && at[-1] != '"' && at[-1] != '/') {
        at--;
    }
    (void)snprintf(id, size, "%.*s", (int)strcspn(at, "\"/"), at);
    ran_release(&r);
}

static void ids_are_later_than_every_one_before(void **state)
{
    static const int steps[] = {0, 3600, 0, -3600, 3600};
    char last[64] = "", id[64];

    (void)state;
    for (size_t i = 0; i < MST_COUNT(steps); i++) {
        set_clock(steps[i]);
        if (i == 2) { /* between two agents, too */
            DO(&a, 0, "agent", "stop");
        }
        backup(id, sizeof(id));
        if (strcmp(id, last) <= 0) {
            fail_msg("%s comes after %s", id, last);
        }
        memcpy(last, id, sizeof(last));
    }
    DO(&a, 0, "audit", "verify");
}

/* The first has written nothing into the bucket yet when the second gets its id. */
static void ids_of_two_at_once_are_in_order(void **state)
{
    struct beside first;
    struct ran r;
    char id[2][64] = {"", ""};

    (void)state;
    BESIDE(&first, &a, false, "backup", "--rate", "800");
    beside_says(&first, "running, reading ");
    set_clock(-3600);
    DO(&a, 0, "backup");
    assert_int_equal(beside_end(&first), 0);
    mst_str_release(&first.out);
    MUST(&r, &a, 0, "jobs", "--json");
    for (int job = 0; job < 2; job++) {
        const char *at = strstr(mst_str_c(&r.out), job ? "\"id\":2," : "\"id\":1,");

        at = at ? strstr(at, "\"backup\":\"") : NULL;
        assert_non_null(at);
        (void)snprintf(id[job], sizeof(id[job]), "%.*s", (int)strcspn(at + 10, "\""), at + 10);
    }
    ran_release(&r);
    if (strcmp(id[1], id[0]) <= 0) {
        fail_msg("%s comes after %s", id[1], id[0]);
    }
}

static void screen_until(const char *part)
{
    const int64_t end = mst_clock_mono_ms(NULL) + PATIENCE_MS;
    struct ran r;

    for (;;) {
        MUST(&r, &a, 0, "console", "--print", "overview", "--size", "160x30");
        if (strstr(mst_str_c(&r.out), part)) {
            break;
        }
        if (mst_clock_mono_ms(NULL) > end) {
            fail_msg("\"%s\" is never in: %s", part, mst_str_c(&r.out));
        }
        ran_release(&r);
    }
    ran_release(&r);
}

static void the_console_says_that_the_clock_moved(void **state)
{
    (void)state;
    DO(&a, 0, "agent");
    set_clock(3600);
    screen_until("the clock of this host moved forward by 1 h");
    set_clock(0);
    screen_until("the clock of this host moved back by 1 h");
    DO(&a, 0, "backup");
    DO(&a, 0, "agent", "stop");
    set_clock(-3600);
    DO(&a, 0, "agent");
    screen_until(" behind what was written here before");
}

/* Seconds that another's act holds the set at least, as status says. */
static int held_for(void)
{
    struct ran r;
    const char *at;
    int left;

    RUN(&r, a.env, "status", "--plain");
    at = strstr(mst_str_c(&r.out), "for at least ");
    if (!at || !strstr(at, " s more")) {
        fail_msg("nobody acts, or for too long: %s", mst_str_c(&r.out));
        return 0;
    }
    left = (int)strtol(at + strlen("for at least "), NULL, 10);
    ran_release(&r);
    return left;
}

/* Also when the set cannot be asked again. */
static void anothers_note_lasts_as_long_as_it_does(void **state)
{
    static const int steps[] = {3600, 0, -3600};
    struct beside client;
    pid_t agent;

    (void)state;
    DO(&a, 0, "backup");
    agent = agent_with(&b, "stop=load:2");
    restore_beside(&client, &b);
    await_state(agent, 'T');
    (void)agent_with(&a, fault); /* it looks at once, then every ten seconds */
    assert_in_range(held_for(), 20, 60);
    for (int i = 0; i < 3; i++) {
        kit_ctl(&kit, "stop", (const char *[]){"0", "1", "2"}[i], NULL);
    }
    for (size_t i = 0; i < MST_COUNT(steps); i++) {
        set_clock(steps[i]);
        assert_in_range(held_for(), 5, 60);
    }
    beside_kill(&client);
    assert_int_equal(kill(agent, SIGKILL), 0);
}

static void tickets_are_neither_longer_nor_shorter(void **state)
{
    char phrase[176];
    int64_t since;

    (void)state;
    DO(&a, 0, "backup");
    phrase_of(&a, phrase, sizeof(phrase));
    (void)snprintf(phrase + strlen(phrase), 2, "\n");
    (void)snprintf(fault, sizeof(fault), "ticket=5000,clock=%s", clock_file);
    (void)agent_with(&a, fault);
    for (int late = 0; late < 2; late++) {
        struct beside client;

        set_clock(0);
        BESIDE(&client, &a, true, "restore", "--include", "shop.*");
        beside_says(&client, "to go on: ");
        since = mst_clock_mono_ms(NULL);
        set_clock(late ? -3600 : 3600);
        while (late && mst_clock_mono_ms(NULL) - since < 5100) {
            mst_clock_sleep_ms(50); /* its time is what is tested */
        }
        assert_int_equal(write(client.fd, phrase, strlen(phrase)), (ssize_t)strlen(phrase));
        assert_int_equal(beside_end(&client), late ? 18 : 0);
        HAS(mst_str_c(&client.out),
            late ? "the ticket is older than 5 s: make a new one" : "done (job ");
        mst_str_release(&client.out);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(ids_are_later_than_every_one_before),    T(ids_of_two_at_once_are_in_order),
        T(the_console_says_that_the_clock_moved),  T(anothers_note_lasts_as_long_as_it_does),
        T(tickets_are_neither_longer_nor_shorter),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("clock jump", tests, NULL, NULL);
}
