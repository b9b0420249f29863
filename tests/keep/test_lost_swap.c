/* The primary goes away inside the swap: the journal knows, and recover makes every collection
 * wholly new, or wholly old, on whoever is primary then. */
#include "lost_kit.h"

static void ends_whole(struct keep *k, const char *backup, const struct lost *how,
                       enum mst_recover recover)
{
    struct lost l = *how;
    struct mst_restore_result res;
    struct mst_restore_opts o;
    struct mst_err err = {0};
    struct mst_str report = {0};
    char(*runs)[MST_RUN_HEX] = NULL;
    size_t n = 0;
    const int64_t began = mst_clock_mono_ms(NULL);
    const enum mst_rc rc = lost_restore(&l, backup, &res, &err);

    print_message("    %s at %s, %lld ms: %s; %s\n", lost_words[l.how], l.point,
                  (long long)(mst_clock_mono_ms(NULL) - began), err.msg, res.text);
    assert_true(l.hit);
    /* Never the status of an act that changed nothing. */
    assert_rc(rc, lost_may_close(&l, rc) ? MST_E_NET : MST_E_INCOMPLETE, &err);
    assert_non_null(strstr(res.text, "stopped inside the swap of run "));
    assert_true(res.left);
    lost_heal(&l);
    assert_ok(mst_restore_open_swaps(&k->journal, &runs, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_string_equal(runs[0], res.run);
    free(runs);
    keep_restore_opts(k, &o);
    assert_rc(mst_restore_clean(&o, res.run, &k->task, &n, &err), MST_E_PRECOND, &err);
    assert_ok(mst_restore_recover(&o, res.run, recover, &k->task, &n, &report, &err), &err);
    mst_str_release(&report);
    lost_wholly(k, recover == MST_RECOVER_FINISH);
    if (recover == MST_RECOVER_FINISH) {
        assert_ok(mst_restore_discard(&o, res.run, &k->task, &n, &err), &err);
        lost_make_old(k);
    } else {
        assert_ok(mst_restore_clean(&o, res.run, &k->task, &n, &err), &err);
    }
    assert_int_equal(keep_leavings(k, false, NULL) + keep_leavings(k, true, NULL), 0);
    lost_wholly(k, false);
    mst_restore_result_release(&res);
}

static void each_collection_is_old_or_new(void **state)
{
    static const struct {
        const char *point;
        enum lost_how how;
        int after;
        enum mst_recover recover;
    } cases[] = {
        {"swap", LOST_KILLED, 0, MST_RECOVER_FINISH},
        {"between", LOST_KILLED, 0, MST_RECOVER_UNDO},
        {"swap", LOST_KILLED, 2, MST_RECOVER_FINISH},
        {"between", LOST_STEPDOWN, 0, MST_RECOVER_FINISH},
        {"swap", LOST_STEPDOWN, 1, MST_RECOVER_UNDO},
        {"between", LOST_PAUSED, 1, MST_RECOVER_FINISH},
        {"between", LOST_PAUSED, 0, MST_RECOVER_UNDO},
        {"swap", LOST_PARTED, 0, MST_RECOVER_FINISH},
        {"between", LOST_PARTED, 1, MST_RECOVER_FINISH},
        {"between", LOST_PARTED, 0, MST_RECOVER_UNDO},
    };
    struct keep k;
    struct mst_backup_result b;

    (void)state;
    lost_begin(&k, &b);
    lost_make_old(&k);
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        const struct lost l = {
            .k = &k, .point = cases[i].point, .how = cases[i].how, .after = cases[i].after};

        ends_whole(&k, b.id, &l, cases[i].recover);
    }
    keep_stop(&k);
}

/* A recover that finds all renames done must not close the journal before a majority has them. */
static void recover_waits_for_a_majority(void **state)
{
    struct keep k;
    struct mst_backup_result b;
    struct lost l = {.k = &k, .point = "between", .how = LOST_KILLED};
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_str report = {0};
    struct mst_err err = {0};
    char(*runs)[MST_RUN_HEX] = NULL;
    size_t n = 0;

    (void)state;
    lost_begin(&k, &b);
    lost_make_old(&k);
    assert_int_not_equal(lost_restore(&l, b.id, &res, &err), MST_OK);
    lost_heal(&l);
    for (int i = 0; i < 3; i++) { /* nobody confirms what the primary writes */
        char member[16];

        (void)snprintf(member, sizeof member, "%d", i);
        if (i != k.topo.primary) {
            kit_ctl(&k.kit, "lag", member, "60000");
        }
    }
    keep_restore_opts(&k, &o);
    o.majority_ms = 500;
    for (int i = 0; i < 3; i++) { /* no try is the last word */
        memset(&err, 0, sizeof err);
        assert_rc(mst_restore_recover(&o, res.run, MST_RECOVER_FINISH, &k.task, &n, &report, &err),
                  MST_E_TIMEOUT, &err);
        assert_ok(mst_restore_open_swaps(&k.journal, &runs, &n, &err), &err);
        assert_int_equal(n, 1);
        free(runs);
    }
    for (int i = 0; i < 3; i++) {
        char member[16];

        (void)snprintf(member, sizeof member, "%d", i);
        kit_ctl(&k.kit, "lag", member, "0");
    }
    o.majority_ms = 20000;
    assert_ok(mst_restore_recover(&o, res.run, MST_RECOVER_FINISH, &k.task, &n, &report, &err),
              &err);
    lost_wholly(&k, true);
    mst_str_release(&report);
    mst_restore_result_release(&res);
    keep_stop(&k);
}

/* As a note that is lost does, too. Nothing has the name between two renames: the second one is
 * made before it stops. */
static void a_cancel_waits_for_the_second_rename(void **state)
{
    struct keep k;
    struct mst_backup_result b;
    struct lost l = {.k = &k, .point = "between", .how = LOST_CANCELLED};
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_str report = {0};
    struct mst_err err = {0};
    size_t n = 0;

    (void)state;
    lost_begin(&k, &b);
    lost_make_old(&k);
    assert_rc(lost_restore(&l, b.id, &res, &err), MST_E_INCOMPLETE, &err);
    assert_true(l.hit);
    assert_non_null(strstr(res.text, "stopped inside the swap of run "));
    assert_int_equal(keep_count(&k, "shop", "orders"), LOST_DOCS + 20); /* wholly new */
    assert_int_equal(keep_count(&k, "shop", "people"), 29);             /* wholly old */
    mst_task_release(&k.task);
    assert_ok(mst_task_init(&k.task, &err), &err);
    keep_restore_opts(&k, &o);
    assert_ok(mst_restore_recover(&o, res.run, MST_RECOVER_FINISH, &k.task, &n, &report, &err),
              &err);
    lost_wholly(&k, true);
    mst_str_release(&report);
    mst_restore_result_release(&res);
    keep_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_collection_is_old_or_new),
        cmocka_unit_test(recover_waits_for_a_majority),
        cmocka_unit_test(a_cancel_waits_for_the_second_rename),
    };

    return cmocka_run_group_tests_name("lost in the swap", tests, NULL, NULL);
}
