/* The primary goes away in a step before the swap: the restore stops, says why, has touched nothing
 * that is live, and what it left is listed and can be removed. */
#include "lost_kit.h"

static const char *const said[] = {
    [LOST_KILLED] = "the connection to the primary 127.0.0.1:",
    [LOST_STEPDOWN] = " is no longer the primary",
    [LOST_PAUSED] = " is no longer the primary",
    [LOST_PARTED] = " is no longer the primary",
    [LOST_REELECTED] = " was elected again since the restore began",
};

static void stops_safely(struct keep *k, const char *backup, const char *point, enum lost_how how)
{
    struct lost l = {.k = k, .point = point, .how = how};
    struct mst_restore_result res;
    struct mst_restore_opts o;
    struct mst_err err = {0};
    char(*runs)[MST_RUN_HEX] = NULL;
    char run[MST_RUN_HEX] = "";
    size_t n = 0, left;
    const int64_t began = mst_clock_mono_ms(NULL);
    const enum mst_rc rc = lost_restore(&l, backup, &res, &err);

    print_message("    %s at %s, %lld ms: %s; %s\n", lost_words[how], point,
                  (long long)(mst_clock_mono_ms(NULL) - began), err.msg, res.text);
    assert_true(l.hit);
    assert_rc(rc, lost_may_close(&l, rc) ? MST_E_NET : MST_E_STALE, &err);
    assert_non_null(strstr(err.msg, said[rc == MST_E_NET ? LOST_KILLED : how]));
    assert_non_null(strstr(err.msg, "127.0.0.1:"));
    assert_non_null(strstr(res.text, "nothing live was changed; "));
    lost_heal(&l);
    lost_wholly(k, false);
    assert_ok(mst_restore_open_swaps(&k->journal, &runs, &n, &err), &err);
    assert_int_equal(n, 0);
    free(runs);
    left = keep_leavings(k, false, run);
    assert_int_equal(keep_leavings(k, true, NULL), 0);
    if (left > 0) { /* never a leaving that nobody is told of */
        assert_true(res.left);
        assert_string_equal(run, res.run);
        assert_non_null(strstr(res.text, "staging is left as mst.s."));
        keep_restore_opts(k, &o);
        assert_ok(mst_restore_clean(&o, run, &k->task, &n, &err), &err);
        assert_int_equal(n, left);
        assert_int_equal(keep_leavings(k, false, NULL), 0);
    }
    lost_wholly(k, false);
    mst_restore_result_release(&res);
}

static void nothing_live_is_touched(void **state)
{
    static const struct {
        const char *point;
        enum lost_how how;
    } cases[] = {
        {"try", LOST_KILLED},       {"stage", LOST_KILLED},    {"load", LOST_KILLED},
        {"replay", LOST_KILLED},    {"index", LOST_KILLED},    {"compare", LOST_KILLED},
        {"ready", LOST_KILLED},     {"try", LOST_STEPDOWN},    {"stage", LOST_STEPDOWN},
        {"load", LOST_STEPDOWN},    {"replay", LOST_STEPDOWN}, {"index", LOST_STEPDOWN},
        {"compare", LOST_STEPDOWN}, {"ready", LOST_STEPDOWN},  {"load", LOST_PAUSED},
        {"compare", LOST_PAUSED},   {"load", LOST_PARTED},     {"stage", LOST_REELECTED},
        {"ready", LOST_REELECTED},
    };
    struct keep k;
    struct mst_backup_result b;

    (void)state;
    lost_begin(&k, &b);
    lost_make_old(&k);
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        stops_safely(&k, b.id, cases[i].point, cases[i].how);
    }
    keep_stop(&k);
}

/* A member that lacks the collections of a run is no proof that the set does. */
static void nothing_there_counts_only_from_a_primary(void **state)
{
    struct keep k;
    struct mst_restore_opts o;
    struct mst_err err = {0};
    size_t n = 0;

    (void)state;
    keep_start(&k, (struct sbx_opts){.server = "4.2", .seed = 3});
    keep_restore_opts(&k, &o);
    assert_ok(mst_restore_clean(&o, "0badcafe", &k.task, &n, &err), &err);
    o.primary = k.names[(k.topo.primary + 1) % 3];
    assert_rc(mst_restore_clean(&o, "0badcafe", &k.task, &n, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "does not call itself primary"));
    keep_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_there_counts_only_from_a_primary),
        cmocka_unit_test(nothing_live_is_touched),
    };

    return cmocka_run_group_tests_name("lost before the swap", tests, NULL, NULL);
}
