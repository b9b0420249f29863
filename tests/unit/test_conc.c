#include "test.h"

#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conc/cell.h"
#include "conc/queue.h"
#include "conc/task.h"

struct value {
    struct mst_shared shared;
    int a, b;
};

static atomic_int destroyed;

static void destroy_value(struct mst_shared *s)
{
    atomic_fetch_add(&destroyed, 1);
    free(s);
}

static struct mst_shared *value(int n)
{
    struct value *v = mst_xcalloc(1, sizeof(*v));

    mst_shared_init(&v->shared, destroy_value);
    v->a = n;
    v->b = n;
    return &v->shared;
}

struct race {
    struct mst_cell cell;
    atomic_bool stop;
    atomic_int torn, seen;
};

static void read_loop(void *arg)
{
    struct race *r = arg;

    while (!atomic_load(&r->stop)) {
        struct value *v = (struct value *)(void *)mst_cell_load(&r->cell);

        if (v) {
            atomic_fetch_add(&r->torn, v->a != v->b);
            atomic_fetch_add(&r->seen, 1);
            mst_shared_unref(&v->shared);
        }
    }
}

static void a_reader_never_sees_half_a_value_and_nothing_leaks(void **state)
{
    struct race r = {0};
    struct mst_thread t[2];
    struct mst_err err = {0};

    (void)state;
    atomic_store(&destroyed, 0);
    mst_cell_init(&r.cell);
    for (int i = 0; i < 2; i++) {
        assert_ok(mst_thread_start(&t[i], "reader", read_loop, &r, &err), &err);
    }
    for (int i = 0; i < 2000; i++) {
        mst_cell_publish_take(&r.cell, value(i));
    }
    while (atomic_load(&r.seen) == 0) {
        mst_clock_sleep_ms(1);
    }
    atomic_store(&r.stop, true);
    mst_thread_join(&t[0]);
    mst_thread_join(&t[1]);
    mst_cell_release(&r.cell);
    assert_int_equal(atomic_load(&r.torn), 0);
    assert_int_equal(atomic_load(&destroyed), 2000);
}

static void a_full_queue_refuses_and_a_closed_one_empties(void **state)
{
    struct mst_queue *q = mst_queue_new(2, NULL);
    struct mst_err err = {0};
    char *s;

    (void)state;
    assert_ok(mst_queue_push_take(q, mst_xstrdup("a"), &err), &err);
    assert_ok(mst_queue_push_take(q, mst_xstrdup("b"), &err), &err);
    assert_rc(mst_queue_push_take(q, mst_xstrdup("c"), &err), MST_E_BUSY, &err);
    s = mst_queue_pop(q, 0);
    assert_string_equal(s, "a");
    free(s);
    mst_queue_close(q);
    assert_rc(mst_queue_push_wait_take(q, mst_xstrdup("d"), &err), MST_E_CANCELLED, &err);
    s = mst_queue_pop(q, 0);
    assert_string_equal(s, "b");
    free(s);
    assert_null(mst_queue_pop(q, 1000));
    mst_queue_free(q);
}

static void a_pop_waits_no_longer_than_asked(void **state)
{
    struct mst_queue *q = mst_queue_new(1, NULL);

    (void)state;
    assert_null(mst_queue_pop(q, 5));
    mst_queue_free(q);
}

static void cancel_from(void *arg)
{
    mst_task_cancel(arg);
}

static void repeats_are_as_many_as_are_allowed_and_earned(void **state)
{
    struct mst_task t;
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_task_init(&t, &err), &err);
    for (int i = 0; i < 1000; i++) {
        assert_true(mst_task_repeat(&t)); /* no limit was set */
    }
    assert_true(mst_task_repeat(NULL));
    t.repeats_max = 3;
    for (int i = 0; i < 20; i++) {
        mst_task_went_well(&t); /* nothing is saved up */
    }
    for (int i = 0; i < 3; i++) {
        assert_true(mst_task_repeat(&t));
    }
    assert_false(mst_task_repeat(&t));
    for (int i = 0; i < 4; i++) {
        mst_task_went_well(&t);
    }
    assert_false(mst_task_repeat(&t));
    mst_task_went_well(&t);
    assert_true(mst_task_repeat(&t));
    assert_false(mst_task_repeat(&t));
    mst_task_release(&t);
}

static void a_cancelled_task_ends_its_sleep_and_its_polls(void **state)
{
    struct mst_task task;
    struct mst_thread t;
    struct mst_err err = {0};
    struct pollfd p;

    (void)state;
    assert_ok(mst_task_init(&task, &err), &err);
    assert_ok(mst_task_check(&task, &err), &err);
    assert_ok(mst_thread_start(&t, "cancel", cancel_from, &task, &err), &err);
    assert_false(mst_task_sleep_ms(&task, 60000));
    mst_thread_join(&t);
    assert_rc(mst_task_check(&task, &err), MST_E_CANCELLED, &err);
    p = (struct pollfd){.fd = task.wake.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 1);
    mst_task_release(&task);
}

static void a_phase_is_sanitised_and_cut(void **state)
{
    struct mst_task task;
    struct mst_err err = {0};
    char out[MST_PHASE_MAX];

    (void)state;
    assert_ok(mst_task_init(&task, &err), &err);
    mst_task_phase(&task, "scan \x1b[2J%0200d", 1);
    mst_task_phase_copy(&task, out);
    assert_memory_equal(out, "scan ?[2J", 9);
    assert_int_equal(strlen(out), MST_PHASE_MAX - 1);
    mst_task_release(&task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_never_sees_half_a_value_and_nothing_leaks),
        cmocka_unit_test(a_full_queue_refuses_and_a_closed_one_empties),
        cmocka_unit_test(a_pop_waits_no_longer_than_asked),
        cmocka_unit_test(repeats_are_as_many_as_are_allowed_and_earned),
        cmocka_unit_test(a_cancelled_task_ends_its_sleep_and_its_polls),
        cmocka_unit_test(a_phase_is_sanitised_and_cut),
    };

    return cmocka_run_group_tests_name("conc", tests, NULL, NULL);
}
