/* What is written down of a set, and what is said of the time in which nobody looked. */
#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/keep.h"
#include "runprog.h"

#define DAY_MS (24LL * 3600 * 1000)
#define T0 1800000000000LL

static char dir[64], path[96];
static struct mst_db *db;

static int setup(void **state)
{
    struct mst_err err = {0};

    (void)state;
    temp_dir(dir, sizeof(dir));
    (void)snprintf(path, sizeof(path), "%s/muster.db", dir);
    assert_ok(mst_db_open(path, &db, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mst_db_close(db);
    temp_remove(dir);
    return 0;
}

static void put(struct mst_keep_watch *w, int64_t at, const char *text, bool last)
{
    struct mst_hist_event e = {.wall_ms = at, .severity = MST_SEV_WARN, .kind = MST_EV_LAG};
    struct mst_err err = {0};

    (void)mst_copy(e.text, sizeof(e.text), text ? text : "");
    assert_ok(mst_keep_write(db, w, &e, text ? 1 : 0, at, last, &err), &err);
}

static void get(struct mst_history *h, int64_t since, int64_t now, size_t limit)
{
    struct mst_err err = {0};

    assert_ok(mst_keep_read(db, since, now, limit, h, &err), &err);
}

static void gaps_are_what_no_watch_covers(void **state)
{
    static const struct {
        struct mst_hist_watch w[3];
        size_t n, n_gaps;
        struct mst_hist_gap g[3];
    } rows[] = {
        {{{0, 0, false, ""}}, 0, 1, {{100000, 200000}}}, /* nobody at all */
        {{{50000, 300000, false, ""}}, 1, 0, {{0, 0}}},  /* all the time */
        {{{120000, 180000, true, ""}}, 1, 2, {{100000, 120000}, {180000, 200000}}},
        {{{150000, 200000, true, ""}, {90000, 140000, true, ""}}, 2, 1, {{140000, 150000}}},
        {{{100000, 160000, true, ""}, {110000, 120000, true, ""}, {161000, 200000, true, ""}},
         3,
         0, /* one second is the change from one to the next */
         {{0, 0}}},
        {{{100000, 160000, true, ""}, {161001, 200000, true, ""}}, 2, 1, {{160000, 161001}}},
        {{{210000, 220000, true, ""}}, 1, 1, {{100000, 200000}}}, /* of a clock that was ahead */
        {{{100000, 150000, true, ""}, {199500, 199600, true, ""}}, 2, 1, {{150000, 199500}}},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct mst_hist_gap g[4];
        const size_t n = mst_history_gaps(rows[i].w, rows[i].n, 100000, 200000, g);

        if (n != rows[i].n_gaps || memcmp(g, rows[i].g, n * sizeof(g[0])) != 0) {
            fail_msg("row %zu: %zu gaps, the first from %lld to %lld", i, n,
                     n ? (long long)g[0].from_ms : 0, n ? (long long)g[0].to_ms : 0);
        }
    }
}

static void events_come_back_oldest_first_and_the_newest_stay_in_a_limit(void **state)
{
    struct mst_keep_watch w = {.who = "me"};
    struct mst_history h;

    (void)state;
    put(&w, T0, "one", false);
    put(&w, T0 + 1000, "two", false);
    put(&w, T0 + 2000, "three", true);
    get(&h, T0 + 1, T0 + 3000, 10);
    assert_int_equal(h.n, 2);
    assert_false(h.cut);
    assert_string_equal(h.events[0].text, "two");
    assert_int_equal(h.events[0].kind, MST_EV_LAG);
    assert_int_equal(h.events[0].severity, MST_SEV_WARN);
    assert_int_equal(h.events[1].wall_ms, T0 + 2000);
    mst_history_release(&h);
    get(&h, T0, T0 + 3000, 1);
    assert_int_equal(h.n, 1);
    assert_true(h.cut);
    assert_string_equal(h.events[0].text, "three");
    mst_history_release(&h);
}

static void a_watcher_that_stood_still_leaves_a_gap(void **state)
{
    struct mst_keep_watch w = {.who = "me"};
    struct mst_history h;

    (void)state;
    put(&w, T0, NULL, false);
    put(&w, T0 + 20000, NULL, false); /* late, and still believed */
    put(&w, T0 + 40001, NULL, false); /* it was stopped, or the host slept */
    put(&w, T0 + 45000, NULL, false);
    get(&h, T0, T0 + 46000, 10);
    assert_int_equal(h.n_watches, 2);
    assert_int_equal(h.n_gaps, 1);
    assert_int_equal(h.gaps[0].from_ms, T0 + 20000);
    assert_int_equal(h.gaps[0].to_ms, T0 + 40001);
    mst_history_release(&h);
    put(&w, T0 + 30000, NULL, false); /* the clock was set back: another watch */
    get(&h, T0, T0 + 46000, 10);
    assert_int_equal(h.n_watches, 3);
    mst_history_release(&h);
}

static void who_watches_now_is_believed_for_two_intervals_only(void **state)
{
    struct mst_keep_watch w = {.who = "me"};
    struct mst_history h;

    (void)state;
    put(&w, T0, NULL, false);
    get(&h, T0, T0 + 2 * MST_KEEP_TOUCH_MS, 10);
    assert_int_equal(h.n_gaps, 0);
    mst_history_release(&h);
    get(&h, T0, T0 + 2 * MST_KEEP_TOUCH_MS + 1, 10);
    assert_int_equal(h.n_gaps, 1);
    mst_history_release(&h);
    put(&w, T0 + 1000, NULL, true); /* it said that it ends */
    get(&h, T0, T0 + 4000, 10);
    assert_int_equal(h.n_gaps, 1);
    assert_int_equal(h.gaps[0].from_ms, T0 + 1000);
    mst_history_release(&h);
}

static void only_the_newest_and_thirty_days_stay(void **state)
{
    struct mst_keep_watch w = {.who = "me"}, later = {.who = "me"};
    struct mst_hist_event *many = mst_xcalloc(MST_HISTORY_MAX + 5, sizeof(*many));
    struct mst_history h;
    struct mst_err err = {0};

    (void)state;
    put(&w, T0 - 31 * DAY_MS, "too old", true);
    for (size_t i = 0; i < MST_HISTORY_MAX + 5; i++) {
        many[i].wall_ms = T0 + (int64_t)i;
        (void)snprintf(many[i].text, sizeof(many[i].text), "%zu", i);
    }
    assert_ok(mst_keep_write(db, &later, many, MST_HISTORY_MAX + 5, T0, false, &err), &err);
    get(&h, 0, T0 + 60000, MST_HISTORY_MAX + 100);
    assert_int_equal(h.n, MST_HISTORY_MAX);
    assert_string_equal(h.events[0].text, "5");
    assert_int_equal(h.n_watches, 1);
    mst_history_release(&h);
    free(many);
}

static void what_a_file_holds_is_made_safe_to_show(void **state)
{
    struct mst_keep_watch w = {.who = "me\x1b[2J"};
    struct mst_err err = {0};
    struct mst_history h;

    (void)state;
    put(&w, T0, "evil \x1b]0;x\x07 text\n", true);
    assert_ok(
        mst_db_run(db, &err, "UPDATE set_events SET severity = 99, kind = -4, source = 77", ""),
        &err);
    get(&h, T0, T0 + 1000, 10);
    assert_int_equal(h.n, 1);
    assert_null(strpbrk(h.events[0].text, "\x1b\x07\n"));
    assert_null(strchr(h.watches[0].who, '\x1b'));
    assert_in_range(h.events[0].severity, 0, MST_SEV_CRIT);
    assert_in_range(h.events[0].kind, 0, MST_EV_LAST);
    assert_in_range(h.events[0].source, 0, MST_HIST_FAILOVER);
    mst_history_release(&h);
}

static void earlier_events_come_with_a_mark_where_nobody_watched(void **state)
{
    struct mst_keep_watch a = {.who = "a"}, b = {.who = "b"};
    struct mst_event *ev = NULL;
    size_t n;

    (void)state;
    assert_int_equal(mst_keep_earlier(db, T0, 10, &ev), 0); /* a new state: nothing to mark */
    free(ev);
    put(&a, T0, "before", true);
    put(&b, T0 + 3600000, "after", true);
    n = mst_keep_earlier(db, T0 + 2 * 3600000, 10, &ev);
    assert_int_equal(n, 4);
    assert_string_equal(ev[0].text, "before");
    assert_int_equal(ev[0].kind, MST_EV_EARLIER);
    assert_int_equal(ev[0].mono_ms, 0);
    assert_int_equal(ev[1].kind, MST_EV_GAP);
    assert_string_equal(ev[1].text, "nobody watched from 2027-01-15T08:00:00Z to "
                                    "2027-01-15T09:00:00Z (1 h 0 m)");
    assert_string_equal(ev[2].text, "after");
    assert_int_equal(ev[3].kind, MST_EV_GAP);
    free(ev);
    n = mst_keep_earlier(db, T0 + 2 * 3600000, 2, &ev);
    assert_int_equal(n, 2);
    assert_string_equal(ev[0].text, "after");
    free(ev);
}

static void the_journal_says_who_is_held_and_the_newest_order_counts(void **state)
{
    struct mst_why_ours *ours = mst_xcalloc(1, sizeof(*ours));
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_db_run(db, &err,
                         "INSERT INTO switches (run, job, act, plan, begun_ms) VALUES ('r1', 1, "
                         "'switchover', '{}', 5)",
                         ""),
              &err);
    assert_ok(mst_db_run(db, &err,
                         "INSERT INTO switch_steps (run, wall_ms, what, member, until_ms, text) "
                         "VALUES ('r1', 1, 'freeze', 'db2:27017', 900, ''), ('r1', 2, 'stepdown', "
                         "'db1:27017', 800, ''), ('r1', 3, 'freeze', 'db3:27017', 700, ''), ('r1', "
                         "4, 'freeze', 'db3:27017', 0, ''), ('r1', 5, 'state', 'db9', 999, '')",
                         ""),
              &err);
    mst_keep_ours(db, ours);
    assert_true(ours->known);
    assert_int_equal(ours->n_held, 3);
    assert_string_equal(ours->held[0].member, "db3:27017");
    assert_int_equal(ours->held[0].until_wall_ms, 0); /* thawed */
    assert_string_equal(ours->held[1].member, "db1:27017");
    assert_int_equal(ours->held[1].until_wall_ms, 800);
    assert_string_equal(ours->held[2].run, "r1");
    free(ours);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_are_what_no_watch_covers),
        T(events_come_back_oldest_first_and_the_newest_stay_in_a_limit),
        T(a_watcher_that_stood_still_leaves_a_gap),
        T(who_watches_now_is_believed_for_two_intervals_only),
        T(only_the_newest_and_thirty_days_stay),
        T(what_a_file_holds_is_made_safe_to_show),
        T(earlier_events_come_with_a_mark_where_nobody_watched),
        T(the_journal_says_who_is_held_and_the_newest_order_counts),
    };
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
