/* One of two stores is slow, dies in the middle, comes back, or is full: its copy fails with a
 * sentence of its own, the other one is whole, and nothing that was there is lost. By the real
 * program, with a directory and a bucket of the scripted server. */
#include "tee_kit.h"

#include "smallfs.h"

static struct tee_kit t;

static int setup(void **state)
{
    (void)state;
    tee_start(&t, &(struct s3d_opts){.page_max = 1000});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_unmount(t.local);
    tee_end(&t);
    return 0;
}

/* Both stores hold what they should: whole backups, and nothing of none. */
static void stands(const char *store, size_t backups)
{
    struct ran r;

    tee_list(&t.home, store, &r);
    assert_int_equal(tee_count(&r.out, "\"state\":\"COMPLETE\""), backups);
    HAS_NOT(mst_str_c(&r.out), "\"chain\":\"");
    ran_release(&r);
    if (backups > 0) {
        DO(&t.home, 0, "verify", "--store", store);
    }
}

static void swept(const char *store)
{
    struct ran r;

    RUN(&r, t.home.env, "store", "orphans", store, "--older", "0s", "--remove", "--confirm", store);
    ran_release(&r);
    MUST(&r, &t.home, 0, "store", "orphans", store, "--older", "0s");
    HAS(mst_str_c(&r.out), "0 objects of no backup");
    ran_release(&r);
}

/* Each request takes its time; the directory is there at once and has to wait. */
static void a_slow_store_is_waited_for_so_long_and_no_longer(void **state)
{
    struct ran r;
    const char *at;
    int64_t begin;

    (void)state;
    tee_config(&t, &t.home, true, "store_wait_s = 1;", "");
    DO(&t.home, 0, "store", "show", "far"); /* it answers at first */
    s3d_latency(t.far, 700);
    begin = mst_clock_mono_ms(NULL);
    MUST(&r, &t.home, 0, "backup");
    HAS(mst_str_c(&r.out), "copies 1/2: far failed: the store far is too slow: the others waited "
                           "for it for ");
    at = strstr(mst_str_c(&r.out), "waited for it for ");
    assert_in_range(strtol(at + strlen("waited for it for "), NULL, 10), 1, 4);
    at = strstr(mst_str_c(&r.out), "claiming its id in local+far");
    at = at ? at : strstr(mst_str_c(&r.err), "claiming its id in local+far");
    assert_non_null(at); /* it is not said to be choosing a source meanwhile */
    ran_release(&r);
    assert_in_range(mst_clock_mono_ms(NULL) - begin, 1000, PATIENCE_MS);
    s3d_latency(t.far, 0);
    stands("local", 1);
    stands("far", 0);
    tee_config(&t, &t.home, true, "store_wait_s = 600; copies = 2;", "");
    s3d_latency(t.far, 60);
    MUST(&r, &t.home, 0, "backup"); /* slow, and within what is allowed */
    HAS(mst_str_c(&r.out), "copies 2/2");
    ran_release(&r);
    s3d_latency(t.far, 0);
    stands("far", 1);
    swept("far");
}

/* The agent stands still at this place while something is done; its backup is let go on. */
static void in_the_middle(const char *point, void (*what)(bool on), struct beside *b)
{
    char fault[64];
    pid_t agent;

    (void)snprintf(fault, sizeof(fault), "stop=%s:1", point);
    agent = agent_with(&t.home, fault);
    BESIDE(b, &t.home, false, "backup");
    await_state(agent, 'T');
    what(true);
    assert_int_equal(kill(agent, SIGCONT), 0);
}

static void far_is_dead(bool on)
{
    s3d_refuse(t.far, on);
}

static void far_is_full(bool on)
{
    s3d_quota(t.far, on ? 1 : UINT64_C(512) << 20);
}

static void local_is_full(bool on)
{
    (on ? small_fill : small_free)(t.local);
}

/* Whichever of its steps comes next when one store goes: the other copy is whole, the next backup
 * goes to both again, and what the failed one left can be swept. */
static void a_store_that_dies_in_the_middle_comes_back(void **state)
{
    static const char *const points[] = {"commit"};
    struct ran r;

    (void)state;
    tee_config(&t, &t.home, true, "store_wait_s = 1;", "");
    DO(&t.home, 0, "backup");
    for (size_t i = 0; i < MST_COUNT(points); i++) {
        struct beside b;

        in_the_middle(points[i], far_is_dead, &b);
        assert_int_equal(beside_end(&b), 0);
        HAS(mst_str_c(&b.out), "copies 1/2: far failed: ");
        mst_str_release(&b.out);
        far_is_dead(false);
        agents_die(&t.home);
        home_fault(&t.home, "");
        MUST(&r, &t.home, 0, "backup");
        HAS(mst_str_c(&r.out), "copies 2/2");
        ran_release(&r);
        stands("local", 1 + 2 * (i + 1));
        stands("far", 1 + (i + 1));
        swept("far");
    }
    assert_int_equal(s3d_uploads(t.far), 0);
}

static void a_store_that_is_full_fails_its_own_copy(void **state)
{
    struct beside b;
    struct ran r;

    (void)state;
    if (!small_may) {
        skip();
    }
    small_mount(t.local, 8192);
    tee_config(&t, &t.home, true, "copies = 1;", "");
    DO(&t.home, 0, "backup");
    in_the_middle("manifest", far_is_full, &b);
    assert_int_equal(beside_end(&b), 0);
    HAS(mst_str_c(&b.out), "copies 1/2: far failed: ");
    HAS(mst_str_c(&b.out), "its quota is reached");
    mst_str_release(&b.out);
    far_is_full(false);
    in_the_middle("objects", local_is_full, &b);
    assert_int_equal(beside_end(&b), 0);
    HAS(mst_str_c(&b.out), "copies 1/2: local failed: ");
    HAS(mst_str_c(&b.out), "make room there");
    mst_str_release(&b.out);
    local_is_full(false);
    agents_die(&t.home);
    home_fault(&t.home, "");
    MUST(&r, &t.home, 0, "backup");
    HAS(mst_str_c(&r.out), "copies 2/2");
    ran_release(&r);
    stands("local", 3);
    stands("far", 3);
    swept("local");
    swept("far");
}

/* The only store goes away: one sentence, and what it had is there when it is back. */
static void the_only_store_disappears_in_the_middle(void **state)
{
    struct beside b;
    pid_t agent;

    (void)state;
    tee_config(&t, &t.home, true, "", "");
    DO(&t.home, 0, "backup");
    agent = agent_with(&t.home, "stop=header:1");
    BESIDE(&b, &t.home, false, "backup", "--store", "far");
    await_state(agent, 'T');
    far_is_dead(true);
    assert_int_equal(kill(agent, SIGCONT), 0);
    assert_int_equal(beside_end_within(&b, 90000), 3);
    HAS(mst_str_c(&b.out), "in the store far (bucket ");
    mst_str_release(&b.out);
    far_is_dead(false);
    agents_die(&t.home);
    home_fault(&t.home, "");
    stands("far", 1);
    DO(&t.home, 0, "backup");
    stands("far", 2);
    swept("far");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_slow_store_is_waited_for_so_long_and_no_longer),
        T(a_store_that_dies_in_the_middle_comes_back),
        T(a_store_that_is_full_fails_its_own_copy),
        T(the_only_store_disappears_in_the_middle),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 1);
    small_init();
    return cmocka_run_group_tests_name("tee lost", tests, NULL, NULL);
}
