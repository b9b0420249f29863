/* The primary's disk is full during a restore, in both forms: what needs room is refused, or the
 * first write ends the process. And a secondary's, which only costs a vote. */
#include "lost_kit.h"

static void refused(struct keep *k, const char *backup, const char *point)
{
    struct lost l = {.k = k, .point = point, .how = LOST_DISK_FULL};
    struct mst_restore_result res;
    struct mst_err err = {0};

    assert_int_not_equal(lost_restore(&l, backup, &res, &err), MST_OK);
    print_message("    full at %s: %s; %s\n", point, err.msg, res.text);
    assert_true(l.hit);
    assert_non_null(strstr(err.msg, "the disk of the primary 127.0.0.1:"));
    assert_non_null(strstr(err.msg, "14031"));
    assert_non_null(strstr(res.text, "nothing live was changed; staging was removed"));
    assert_false(res.left);
    lost_wholly(k, false);
    lost_heal(&l);
    assert_int_equal(keep_leavings(k, false, NULL) + keep_leavings(k, true, NULL), 0);
    mst_restore_result_release(&res);
}

static void what_is_refused_before_the_swap_is_cleaned_up(void **state)
{
    static const char *const points[] = {"try", "stage", "load", "replay", "index"};
    struct keep k;
    struct mst_backup_result b;

    (void)state;
    lost_begin(&k, &b);
    lost_make_old(&k);
    for (size_t i = 0; i < MST_COUNT(points); i++) {
        refused(&k, b.id, points[i]);
    }
    keep_stop(&k);
}

/* Renames need no room, a new view does: it is the last of the swap. */
static void a_swap_without_room_for_its_view_is_ended_later(void **state)
{
    struct keep k;
    struct mst_backup_result b;
    struct lost l = {.k = &k, .point = "swap", .how = LOST_DISK_FULL};
    struct mst_restore_result res;
    struct mst_restore_opts o;
    struct mst_str report = {0};
    struct mst_err err = {0};
    size_t n = 0;

    (void)state;
    lost_begin(&k, &b);
    lost_make_old(&k);
    keep_do(&k, "shop", "{'drop': 'few'}");
    assert_int_not_equal(lost_restore(&l, b.id, &res, &err), MST_OK);
    assert_non_null(strstr(err.msg, "inside the swap: the disk of the primary 127.0.0.1:"));
    lost_wholly(&k, true);
    keep_restore_opts(&k, &o);
    memset(&err, 0, sizeof err);
    assert_rc(mst_restore_recover(&o, res.run, MST_RECOVER_FINISH, &k.task, &n, &report, &err),
              MST_E_SERVER, &err);
    lost_heal(&l);
    assert_ok(mst_restore_recover(&o, res.run, MST_RECOVER_FINISH, &k.task, &n, &report, &err),
              &err);
    lost_wholly(&k, true);
    assert_int_equal(keep_count(&k, "shop", "few"), 117);
    mst_str_release(&report);
    mst_restore_result_release(&res);
    keep_stop(&k);
}

static void a_process_that_ends_of_it_is_a_lost_primary(void **state)
{
    static const char *const points[] = {"load", "index", "swap", "between"};
    struct keep k;
    struct mst_backup_result b;

    (void)state;
    lost_begin(&k, &b);
    lost_make_old(&k);
    for (size_t i = 0; i < MST_COUNT(points); i++) {
        struct lost l = {.k = &k, .point = points[i], .how = LOST_DISK_ENDS};
        struct mst_restore_result res;
        struct mst_restore_opts o;
        struct mst_str report = {0};
        struct mst_err err = {0};
        size_t n = 0;

        assert_rc(lost_restore(&l, b.id, &res, &err), MST_E_NET, &err);
        assert_true(l.hit && res.left);
        assert_non_null(strstr(err.msg, "the connection to the primary "));
        lost_heal(&l);
        keep_restore_opts(&k, &o);
        if (i < 2) {
            assert_ok(mst_restore_clean(&o, res.run, &k.task, &n, &err), &err);
        } else {
            assert_ok(
                mst_restore_recover(&o, res.run, MST_RECOVER_FINISH, &k.task, &n, &report, &err),
                &err);
            lost_wholly(&k, true);
            assert_ok(mst_restore_discard(&o, res.run, &k.task, &n, &err), &err);
            lost_make_old(&k);
        }
        lost_wholly(&k, false);
        assert_int_equal(keep_leavings(&k, false, NULL) + keep_leavings(&k, true, NULL), 0);
        mst_str_release(&report);
        mst_restore_result_release(&res);
    }
    keep_stop(&k);
}

static void a_full_secondary_costs_a_vote_and_no_more(void **state)
{
    struct keep k;
    struct mst_backup_result b;
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct mst_err err = {0};
    char member[16];

    (void)state;
    lost_begin(&k, &b);
    lost_make_old(&k);
    (void)snprintf(member, sizeof member, "%d", (k.topo.primary + 1) % 3);
    kit_ctl(&k.kit, "disk", member, "crash");
    s = keep_source(&k, b.id);
    keep_restore_opts(&k, &o);
    assert_ok(keep_restore(&k, &o, s, &res, &err), &err);
    assert_true(res.swapped);
    lost_wholly(&k, true);
    assert_true(kit_wait_state(&k.kit, (k.topo.primary + 1) % 3, SBX_DOWN, 20000));
    mst_restore_result_release(&res);
    mst_restore_source_free(s);
    keep_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused_before_the_swap_is_cleaned_up),
        cmocka_unit_test(a_swap_without_room_for_its_view_is_ended_later),
        cmocka_unit_test(a_process_that_ends_of_it_is_a_lost_primary),
        cmocka_unit_test(a_full_secondary_costs_a_vote_and_no_more),
    };

    return cmocka_run_group_tests_name("disk full", tests, NULL, NULL);
}
