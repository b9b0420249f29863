/* What happened, asked afterwards, and why there is no primary, asked meanwhile: by the program. */
#include "agents_kit.h"

static struct kit kit;
static struct home h;
static char store[64];

static int setup(void **state)
{
    (void)state;
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(store, sizeof(store));
    home_make(&h, &kit, store);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    home_end(&h);
    temp_remove(store);
    kit_stop(&kit);
    return 0;
}

static void ctl(const char *verb, int member)
{
    char n[8];

    (void)snprintf(n, sizeof(n), "%d", member);
    kit_ctl(&kit, verb, n, NULL);
}

/* Until the events have it; what they are. */
static void events_until(struct ran *r, const char *part)
{
    const int64_t end = mst_clock_mono_ms(NULL) + PATIENCE_MS;

    for (;;) {
        MUST(r, &h, 0, "events", "--since", "10m");
        if (strstr(mst_str_c(&r->out), part)) {
            return;
        }
        if (mst_clock_mono_ms(NULL) > end) {
            fail_msg("\"%s\" is never in: %s", part, mst_str_c(&r->out));
        }
        ran_release(r);
        mst_clock_sleep_ms(50);
    }
}

static void in_order(const char *text, const char *const *parts, size_t n)
{
    const char *at = text;

    for (size_t i = 0; i < n; i++) {
        at = strstr(at, parts[i]);
        if (!at) {
            fail_msg("\"%s\" is not in its place in: %s", parts[i], text);
        }
    }
}

static void a_night_with_a_failover_is_told_in_the_morning(void **state)
{
    const char *parts[] = {"HEALTHY: primary",        "no writable primary (it was",
                           " is primary in term 2",   "is back as a secondary",
                           "-- nobody watched from ", "HEALTHY: primary"};
    struct ran r;
    int64_t stopped;

    (void)state;
    RUN(&r, h.env, "events"); /* nobody has ever watched: that is said, not an empty list */
    expect(&r, 2);
    HAS(mst_str_c(&r.err), "nobody has watched this set from here yet");
    ran_release(&r);
    (void)agent_pid(&h);
    events_until(&r, "HEALTHY: primary");
    ran_release(&r);
    ctl("kill", 0);
    events_until(&r, "failover: next: ");
    HAS(mst_str_c(&r.out), "was last seen writable");
    HAS(mst_str_c(&r.out), "stands, because of electionTimeout");
    HAS(mst_str_c(&r.out), "bring it back; watch it for ROLLBACK");
    ran_release(&r);
    ctl("start", 0);
    events_until(&r, "is back as a secondary");
    ran_release(&r);
    DO(&h, 0, "agent", "stop");
    stopped = mst_clock_utc_ms(NULL);
    while (mst_clock_utc_ms(NULL) < stopped + 1500) { /* a gap is longer than a second */
        mst_clock_sleep_ms(50);
    }
    (void)agent_pid(&h);
    events_until(&r, "-- nobody watched from ");
    ran_release(&r);
    DO(&h, 0, "agent", "stop");
    MUST(&r, &h, 0, "events", "--since", "10m");
    in_order(mst_str_c(&r.out), parts, MST_COUNT(parts) - 1);
    HAS(mst_str_c(&r.out), "; somebody watched ");
    ran_release(&r);
    MUST(&r, &h, 0, "events", "--since", "10m", "--json");
    HAS(mst_str_c(&r.out), "\"source\":\"failover\"");
    HAS(mst_str_c(&r.out), "\"kind\":\"no_primary\"");
    HAS(mst_str_c(&r.out), "{\"type\":\"gap\",\"v\":1,");
    HAS(mst_str_c(&r.out), "{\"type\":\"watched\",\"v\":1,");
    ran_release(&r);
}

static void a_console_shows_what_happened_before_it_came(void **state)
{
    struct ran r;

    (void)state;
    (void)agent_pid(&h);
    events_until(&r, "HEALTHY: primary");
    ran_release(&r);
    ctl("kill", 0);
    events_until(&r, "failover: next: ");
    ran_release(&r);
    DO(&h, 0, "agent", "stop");
    (void)agent_pid(&h); /* one that has seen nothing of it */
    MUST(&r, &h, 0, "console", "--print", "topology", "--size", "140x60");
    HAS(mst_str_c(&r.out), "no writable primary (it was");
    ran_release(&r);
    MUST(&r, &h, 0, "console", "--print", "overview", "--size", "140x60");
    HAS(mst_str_c(&r.out), "no writable primary (it was");
    ran_release(&r);
    RUN(&r, h.env, "watch", "--for", "1"); /* it follows: what is over is not news */
    assert_null(strstr(mst_str_c(&r.out), "no writable primary (it was"));
    ran_release(&r);
}

static void observe_waits_for_the_new_primary_and_tells_how_it_came(void **state)
{
    struct beside b;

    (void)state;
    (void)agent_pid(&h);
    BESIDE(&b, &h, false, "observe", "--for", "60");
    beside_says(&b, "HEALTHY: primary");
    ctl("kill", 0);
    beside_says(&b, "next: find out why ");
    assert_int_equal(beside_end(&b), 0);
    HAS(mst_str_c(&b.out), "NO PRIMARY: ");
    HAS(mst_str_c(&b.out), "not late yet: an election is expected by ");
    HAS(mst_str_c(&b.out), " is primary in term 2, ");
    mst_str_release(&b.out);
}

static void on_a_terminal_one_picture_is_drawn_again(void **state)
{
    struct beside b;

    (void)state;
    (void)agent_pid(&h);
    BESIDE(&b, &h, true, "observe", "--for", "60");
    beside_says(&b, "muster observe, ctrl-c ends");
    beside_says(&b, "could win");
    ctl("kill", 0);
    beside_says(&b, "NO PRIMARY: ");
    beside_says(&b, " is primary in term 2, ");
    assert_int_equal(beside_end(&b), 0);
    mst_str_release(&b.out);
}

static void with_a_primary_observe_says_so_and_ends(void **state)
{
    struct ran r;

    (void)state;
    MUST(&r, &h, 0, "observe", "--no-agent");
    HAS(mst_str_c(&r.out), "HEALTHY: primary");
    ran_release(&r);
}

static void two_of_three_dead_is_no_majority_and_names_them(void **state)
{
    struct ran r;
    char missing[64];

    (void)state;
    ctl("kill", 0);
    ctl("kill", 1);
    MUST(&r, &h, 1, "observe", "--no-agent", "--for", "4");
    HAS(mst_str_c(&r.out), "no-majority: ");
    (void)snprintf(missing, sizeof(missing), "missing: 127.0.0.1:%d", sbx_world_port(kit.w, 0));
    HAS(mst_str_c(&r.out), missing);
    HAS(mst_str_c(&r.out), "systemctl start mongod");
    ran_release(&r);
    MUST(&r, &h, 1, "observe", "--no-agent", "--for", "4", "--json");
    HAS(mst_str_c(&r.out), "\"writable\":false");
    HAS(mst_str_c(&r.out), "\"kind\":\"no-majority\"");
    ran_release(&r);
}

static void a_primary_cut_off_from_the_others_is_an_observed_failover(void **state)
{
    struct beside b;
    char stale[96];

    (void)state;
    (void)agent_pid(&h);
    BESIDE(&b, &h, false, "observe", "--for", "60");
    beside_says(&b, "HEALTHY: primary");
    ctl("partition", 0);
    beside_says(&b, "next: ");
    assert_int_equal(beside_end(&b), 0);
    (void)snprintf(stale, sizeof(stale), "the primary 127.0.0.1:%d was last seen writable",
                   sbx_world_port(kit.w, 0));
    HAS(mst_str_c(&b.out), stale);
    mst_str_release(&b.out);
}

static void a_set_that_nobody_reaches_is_status_3(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, h.env, "--uri", "mongodb://127.0.0.1:1/", "observe", "--no-agent", "--for", "1");
    expect(&r, 3);
    HAS(mst_str_c(&r.out), "nobody-answers: ");
    ran_release(&r);
}

/* A host that sleeps: its clock has moved on when it wakes. */
static void a_pause_of_watching_is_a_gap_and_not_a_quiet_time(void **state)
{
    struct mst_err err = {0};
    char path[96], fault[128];
    struct ran r;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/clock", h.dir);
    (void)snprintf(fault, sizeof(fault), "clock=%s", path);
    assert_ok(mst_file_replace(path, 0600, "0", 1, &err), &err);
    (void)agent_with(&h, fault);
    events_until(&r, "HEALTHY: primary");
    ran_release(&r);
    assert_ok(mst_file_replace(path, 0600, "300", 3, &err), &err);
    events_until(&r, "(5 m 0 s) --");
    HAS(mst_str_c(&r.out), "-- nobody watched from ");
    ran_release(&r);
}

static void a_time_that_is_none_is_one_sentence(void **state)
{
    static const char *const bad[] = {"yesterday", "12", "-3h", "12hh", "2026-13", "0m"};
    struct ran r;

    (void)state;
    for (size_t i = 0; i < MST_COUNT(bad); i++) {
        RUN(&r, h.env, "events", "--since", bad[i]);
        expect(&r, 2);
        HAS(mst_str_c(&r.err), "2026-11-27T03:00Z");
        ran_release(&r);
    }
    RUN(&r, h.env, "events", "--since", "2999-01-01T00:00Z");
    expect(&r, 2);
    HAS(mst_str_c(&r.err), "is in the future");
    ran_release(&r);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_night_with_a_failover_is_told_in_the_morning),
        T(a_console_shows_what_happened_before_it_came),
        T(observe_waits_for_the_new_primary_and_tells_how_it_came),
        T(on_a_terminal_one_picture_is_drawn_again),
        T(with_a_primary_observe_says_so_and_ends),
        T(two_of_three_dead_is_no_majority_and_names_them),
        T(a_primary_cut_off_from_the_others_is_an_observed_failover),
        T(a_set_that_nobody_reaches_is_status_3),
        T(a_pause_of_watching_is_a_gap_and_not_a_quiet_time),
        T(a_time_that_is_none_is_one_sentence),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("observe", tests, NULL, NULL);
}
