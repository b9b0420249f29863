/* Two agents, one set: the notes in its oplog. */
#include "sandbox_kit.h"

#include <stdatomic.h>
#include <stdio.h>

#include "excl/excl.h"

static struct kit kit;
static atomic_bool broken;

static int setup(void **state)
{
    (void)state;
    mst_mongo_init();
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 2});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_stop(&kit);
    return 0;
}

static enum mst_rc to_primary(void *arg, struct mst_task *task, struct mst_conn **out,
                              struct mst_err *err)
{
    struct mst_conn_opts o = {.task = task};
    const int p = sbx_world_primary(kit.w);

    if (p < 0 || (arg && atomic_load((atomic_bool *)arg))) {
        return mst_err_set(err, MST_E_NET, "no primary");
    }
    (void)snprintf(o.name, sizeof(o.name), "127.0.0.1:%d", sbx_world_port(kit.w, (size_t)p));
    return mst_conn_open(&o, out, err);
}

static void the_second_is_refused_and_names_the_first(void **state)
{
    struct mst_excl_opts a = {
        .connect = to_primary, .act = "restore", .agent = "alice", .plan = "0011"};
    struct mst_excl_opts b = {.connect = to_primary, .act = "import", .agent = "bob"};
    struct mst_excl *xa = NULL, *xb = NULL;
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_excl_take(&a, &xa, &err), &err);
    assert_rc(mst_excl_take(&b, &xb, &err), MST_E_BUSY, &err);
    assert_null(xb);
    assert_non_null(strstr(err.msg, "restore runs on this set: alice on "));
    mst_excl_release(xa);
    assert_ok(mst_excl_take(&b, &xb, &err), &err);
    mst_excl_release(xb);
}

static atomic_int lost_calls;

static void on_lost(void *arg)
{
    (void)arg;
    atomic_fetch_add(&lost_calls, 1);
}

static void who_cannot_renew_is_told_and_the_next_may_act(void **state)
{
    struct mst_excl_opts a = {.connect = to_primary,
                              .connect_arg = &broken,
                              .act = "restore",
                              .agent = "alice",
                              .hold_ms = 3000,
                              .renew_ms = 1000,
                              .lost = on_lost};
    struct mst_excl_opts b = {.connect = to_primary, .act = "import", .agent = "bob"};
    struct mst_excl *xa = NULL, *xb = NULL;
    struct mst_err err = {0};
    const int64_t end = mst_clock_mono_ms(NULL) + 20000;

    (void)state;
    atomic_store(&broken, false);
    assert_ok(mst_excl_take(&a, &xa, &err), &err);
    atomic_store(&broken, true);
    while (atomic_load(&lost_calls) == 0 && mst_clock_mono_ms(NULL) < end) {
        mst_clock_sleep_ms(20);
    }
    assert_int_equal(atomic_load(&lost_calls), 1);
    /* Told before its time is over: the set is still held. */
    assert_rc(mst_excl_take(&b, &xb, &err), MST_E_BUSY, &err);
    while (mst_excl_take(&b, &xb, &err) == MST_E_BUSY && mst_clock_mono_ms(NULL) < end) {
        mst_clock_sleep_ms(100);
    }
    assert_non_null(xb);
    mst_excl_release(xb);
    mst_excl_release(xa);
}

static atomic_bool hangs;

static enum mst_rc to_nowhere(void *arg, struct mst_task *task, struct mst_conn **out,
                              struct mst_err *err)
{
    while (atomic_load(&hangs) && !mst_task_cancelled(task)) {
        mst_clock_sleep_ms(10);
    }
    return to_primary(arg, task, out, err);
}

/* A renewal that neither succeeds nor fails must not keep the news from its holder. */
static void who_hangs_in_a_renewal_is_told_in_time(void **state)
{
    struct mst_excl_opts a = {.connect = to_nowhere,
                              .act = "restore",
                              .agent = "alice",
                              .hold_ms = 3000,
                              .renew_ms = 1000,
                              .lost = on_lost};
    struct mst_excl *xa = NULL;
    struct mst_err err = {0};
    const int64_t begin = mst_clock_mono_ms(NULL);

    (void)state;
    atomic_store(&lost_calls, 0);
    atomic_store(&hangs, false);
    assert_ok(mst_excl_take(&a, &xa, &err), &err);
    assert_true(mst_excl_valid(xa));
    atomic_store(&hangs, true);
    while (atomic_load(&lost_calls) == 0 && mst_clock_mono_ms(NULL) - begin < 20000) {
        mst_clock_sleep_ms(20);
    }
    assert_in_range(mst_clock_mono_ms(NULL) - begin, 1000, 3500);
    assert_false(mst_excl_valid(xa));
    atomic_store(&hangs, false);
    mst_excl_release(xa);
    assert_int_equal(atomic_load(&lost_calls), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_second_is_refused_and_names_the_first),
        T(who_cannot_renew_is_told_and_the_next_may_act),
        T(who_hangs_in_a_renewal_is_told_in_time),
    };
    return cmocka_run_group_tests_name("excl", tests, NULL, NULL);
}
