/* kill -9 of the agent while it works: what was live is live, or wholly new; what is left is listed
 * and can be removed; the next start says so. */
#include "killed_kit.h"

static void before_the_swap_the_live_data_is_untouched(void **state)
{
    static const char *const points[] = {"try:1",   "stage:2",   "load:1",
                                         "index:1", "compare:2", "ready:1"};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(points); i++) {
        struct ran r;
        char run[32];
        size_t before;

        die_in_restore(points[i]);
        all_are("old", "new");
        before = collections();
        RUN(&r, env, "agent"); /* the next start */
        expect(&r, 0);
        ran_release(&r);
        status_until(&r, "was interrupted, nothing live was changed");
        HAS(mst_str_c(&r.out), "(restore) was interrupted: interrupted: private agent, pid ");
        word_after(mst_str_c(&r.out), "left: restore ", run, sizeof(run));
        ran_release(&r);
        assert_true(strncmp(points[i], "try", 3) == 0 || before > COLLS);
        RUN(&r, env, "clean", run);
        expect(&r, 0);
        ran_release(&r);
        assert_int_equal(collections(), COLLS);
        RUN(&r, env, "status", "--plain");
        assert_null(strstr(mst_str_c(&r.out), "left: "));
        ran_release(&r);
        all_are("old", "new");
        RUN(&r, env, "audit", "verify");
        expect(&r, 0);
        ran_release(&r);
    }
}

static void inside_the_swap_the_next_start_finishes_it(void **state)
{
    static const char *const points[] = {"swap:1", "between:1", "swap:2", "between:3"};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(points); i++) {
        struct ran r;
        char run[32];

        die_in_restore(points[i]);
        for (int c = 0; c < COLLS; c++) { /* old, new, or between two renames: not there */
            const int o = count(c, "old"), n = count(c, "new");

            assert_true((o == DOCS && n == 0) || (o == 0 && n == DOCS) || (o == 0 && n == 0));
        }
        RUN(&r, env, "agent");
        expect(&r, 0);
        ran_release(&r);
        status_until(&r, "old collections are kept until");
        word_after(mst_str_c(&r.out), "muster restore discard ", run, sizeof(run));
        ran_release(&r);
        all_are("new", "old");
        RUN(&r, env, "jobs");
        HAS(mst_str_c(&r.out), "is ended: ");
        ran_release(&r);
        assert_int_equal(collections(), 2 * COLLS);
        RUN(&r, env, "restore", "discard", run, "--confirm", run);
        expect(&r, 0);
        ran_release(&r);
        assert_int_equal(collections(), COLLS);
        RUN(&r, env, "status", "--plain");
        assert_null(strstr(mst_str_c(&r.out), "left: "));
        ran_release(&r);
    }
}

static void a_backup_is_interrupted_listed_and_removable(void **state)
{
    struct ran r;
    char id[64];

    (void)state;
    fill("old");
    (void)snprintf(fault, sizeof(fault), "MUSTER_FAULT=kill=objects:1");
    RUN(&r, env, "backup");
    assert_int_not_equal(r.status, 0);
    ran_release(&r);
    no_fault();
    RUN(&r, env, "agent");
    expect(&r, 0);
    ran_release(&r);
    status_until(&r, "left: backup ");
    HAS(mst_str_c(&r.out), "(backup) was interrupted: interrupted: private agent, pid ");
    word_after(mst_str_c(&r.out), "left: backup ", id, sizeof(id));
    ran_release(&r);
    RUN(&r, env, "jobs");
    HAS(mst_str_c(&r.out), "interrupted");
    ran_release(&r);
    RUN(&r, env, "clean", id);
    expect(&r, 0);
    ran_release(&r);
    RUN(&r, env, "bucket", "ls");
    assert_null(strstr(mst_str_c(&r.out), id));
    ran_release(&r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(inside_the_swap_the_next_start_finishes_it),
        T(before_the_swap_the_live_data_is_untouched),
        T(a_backup_is_interrupted_listed_and_removable),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("agent killed", tests, NULL, NULL);
}
