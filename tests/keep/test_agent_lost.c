/* The set changes under an agent that restores: it stops, says why, and goes on by itself where
 * that is safe. The agent stands still at the point while the set is changed. */
#include "killed_kit.h"

#include <glob.h>

#include "base/buf.h"
#include "conc/thread.h"

struct meddler {
    struct mst_thread thread;
    bool kill; /* the primary; else it hands over */
    bool met;  /* the agent stood still */
    int victim;
};

/* The lock of the state names the process. */
static pid_t agent_pid(void)
{
    char pattern[128];
    struct mst_buf text = {0};
    struct mst_err ignored = {0};
    const char *at = NULL;
    glob_t g;
    pid_t pid = 0;

    (void)snprintf(pattern, sizeof(pattern), "%s/state/*/lock", dir);
    if (glob(pattern, 0, NULL, &g) != 0) {
        return 0;
    }
    if (mst_file_read(g.gl_pathv[0], 4096, &text, &ignored) == MST_OK) {
        mst_buf_add(&text, "", 1);
        at = strstr((const char *)text.p, "pid ");
        pid = at ? (pid_t)strtol(at + 4, NULL, 10) : 0;
    }
    mst_buf_release(&text);
    globfree(&g);
    return pid;
}

static bool stands_still(pid_t pid)
{
    char path[64];
    struct mst_buf text = {0};
    struct mst_err ignored = {0};
    const char *at;
    bool yes = false;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (pid > 0 && mst_file_read(path, 4096, &text, &ignored) == MST_OK) {
        mst_buf_add(&text, "", 1);
        at = strrchr((const char *)text.p, ')');
        yes = at && at[1] && at[2] == 'T';
    }
    mst_buf_release(&text);
    return yes;
}

static bool has_other(struct sbx_world *w, void *arg)
{
    const struct meddler *m = arg;

    for (size_t i = 0; i < w->n; i++) {
        if ((int)i != m->victim && w->members[i].alive && w->members[i].writable) {
            return true;
        }
    }
    return false;
}

static void meddle(void *arg)
{
    struct meddler *m = arg;
    const int64_t end = mst_clock_mono_ms(NULL) + 40000;
    char member[16];
    bson_t reply;
    pid_t pid = 0;

    while (!m->met && mst_clock_mono_ms(NULL) < end) {
        pid = agent_pid();
        m->met = stands_still(pid);
        mst_clock_sleep_ms(20);
    }
    if (!m->met) {
        return;
    }
    m->victim = sbx_world_primary(kit.w);
    (void)snprintf(member, sizeof(member), "%d", m->victim);
    if (m->kill) {
        kit_ctl(&kit, "kill", member, NULL);
    } else {
        (void)kit_run(&kit, m->victim, "admin", &reply,
                      "{'replSetStepDown': 5, 'secondaryCatchUpPeriodSecs': 5}");
        bson_destroy(&reply);
    }
    (void)sbx_world_wait(kit.w, has_other, m, 20000);
    (void)kill(pid, SIGCONT);
}

/* What the restore said; the set was changed at the point. */
static void restore_while(struct meddler *m, const char *point, struct ran *r)
{
    struct mst_err err = {0};
    char phrase[160];

    fill("new");
    backup();
    fill("old");
    phrase_of(phrase, sizeof(phrase));
    stop_agent();
    (void)snprintf(fault, sizeof(fault), "MUSTER_FAULT=stop=%s", point);
    assert_ok(mst_thread_start(&m->thread, "meddler", meddle, m, &err), &err);
    run_restore(r, phrase);
    mst_thread_join(&m->thread);
    no_fault();
    assert_true(m->met);
    assert_int_not_equal(r->status, 0);
}

/* The agent knows of it. */
static void await_new_primary(void)
{
    struct ran r;
    char line[64];

    (void)snprintf(line, sizeof(line), "\nprimary: 127.0.0.1:%d",
                   sbx_world_port(kit.w, (size_t)sbx_world_primary(kit.w)));
    status_until(&r, line);
    ran_release(&r);
}

static void before_the_swap_it_stops_and_lists_what_it_left(void **state)
{
    static const struct {
        const char *point, *said;
        bool kill;
    } cases[] = {{"index:1", "is no longer the primary", false},
                 {"ready:1", "the connection to the primary ", true}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        struct meddler m = {.kill = cases[i].kill};
        struct ran r;
        char run[32], member[16];

        restore_while(&m, cases[i].point, &r);
        HAS(mst_str_c(&r.out), cases[i].said);
        ran_release(&r);
        all_are("old", "new");
        await_new_primary();
        status_until(&r, "was interrupted, nothing live was changed");
        word_after(mst_str_c(&r.out), "left: restore ", run, sizeof(run));
        ran_release(&r);
        RUN(&r, env, "clean", run);
        expect(&r, 0);
        ran_release(&r);
        assert_int_equal(collections(), COLLS);
        all_are("old", "new");
        if (m.kill) {
            (void)snprintf(member, sizeof(member), "%d", m.victim);
            kit_ctl(&kit, "start", member, NULL);
            assert_true(kit_wait_state(&kit, m.victim, SBX_SECONDARY, 20000));
        }
    }
}

static void inside_the_swap_the_same_agent_ends_it(void **state)
{
    static const char *const points[] = {"swap:2", "between:2"};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(points); i++) {
        struct meddler m = {.kill = i == 0};
        struct ran r;
        char run[32], member[16];

        restore_while(&m, points[i], &r);
        HAS(mst_str_c(&r.out), "inside the swap");
        ran_release(&r);
        status_until(&r, "old collections are kept until"); /* nobody started anything */
        word_after(mst_str_c(&r.out), "muster restore discard ", run, sizeof(run));
        ran_release(&r);
        all_are("new", "old");
        RUN(&r, env, "restore", "discard", run, "--confirm", run);
        expect(&r, 0);
        ran_release(&r);
        assert_int_equal(collections(), COLLS);
        if (m.kill) {
            (void)snprintf(member, sizeof(member), "%d", m.victim);
            kit_ctl(&kit, "start", member, NULL);
            assert_true(kit_wait_state(&kit, m.victim, SBX_SECONDARY, 20000));
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(before_the_swap_it_stops_and_lists_what_it_left),
        T(inside_the_swap_the_same_agent_ends_it),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("agent lost", tests, NULL, NULL);
}
