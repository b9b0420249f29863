/* One backup into several stores: a store that fails fails its own copy. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conc/thread.h"
#include "engine/copies.h"
#include "fake_backup.h"
#include "store/fault.h"
#include "store/impl.h"
#include "store/tee.h"

struct two {
    char dir[2][32];
    struct mst_store *real[2], *fault[2], *tee;
};

static void two_open(struct two *t)
{
    struct mst_tee_opts o = {.n = 2};
    struct mst_err err = {0};

    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(t->dir[i], sizeof(t->dir[i]), "/tmp/mst-tee-XXXXXX");
        assert_non_null(mkdtemp(t->dir[i]));
        assert_ok(mst_store_local_open(i ? "vault" : "local", t->dir[i], true, &t->real[i], &err),
                  &err);
        o.stores[i] = t->fault[i] = mst_store_fault_new(t->real[i]);
    }
    t->tee = mst_store_tee_new(&o);
}

static void two_close(struct two *t)
{
    mst_store_free(t->tee);
    for (size_t i = 0; i < 2; i++) {
        mst_store_free(t->fault[i]);
        mst_store_free(t->real[i]);
        fake_rm(t->dir[i]);
    }
}

static void state_in(struct two *t, size_t i, const char *id, enum mst_backup_state *out,
                     bool *there)
{
    struct mst_catalog c;
    struct mst_backup *all = NULL;
    struct mst_err err = {0};
    size_t n = 0;

    assert_ok(mst_catalog_init(&c, t->real[i], "", "rs0", &err), &err);
    assert_ok(mst_catalog_list(&c, NULL, &all, &n, &err), &err);
    *there = false;
    for (size_t k = 0; k < n; k++) {
        assert_string_equal(all[k].id, id);
        *out = all[k].state;
        *there = true;
    }
    free(all);
}

/* A whole backup through the tee; what became of it. */
static enum mst_rc back_up(struct two *t, struct fake *f, struct mst_err *err)
{
    memset(f, 0, sizeof(*f));
    (void)mst_copy(f->id, sizeof(f->id), "2026-11-22T22-30-00Z-full");
    return mst_catalog_init(&f->c, t->tee, "", "rs0", err) == MST_OK ? fake_make(f, err) : err->rc;
}

static void both_stores_get_the_same_objects(void **state)
{
    struct two t;
    struct fake f;
    struct mst_err err = {0};
    struct mst_verify_result res;

    (void)state;
    two_open(&t);
    assert_ok(back_up(&t, &f, &err), &err);
    assert_int_equal(mst_store_tee_in(t.tee), 2);
    for (size_t i = 0; i < 2; i++) {
        struct mst_catalog c;
        const struct mst_verify_opts o = {.id = f.id};

        assert_ok(mst_catalog_init(&c, t.real[i], "", "rs0", &err), &err);
        assert_ok(mst_verify_run(&c, &o, NULL, &res, &err), &err);
        assert_true(res.ok);
    }
    two_close(&t);
}

static uint64_t calls_of_a_backup(void)
{
    struct two t;
    struct fake f;
    struct mst_err err = {0};
    uint64_t n;

    two_open(&t);
    mst_store_fault_set(t.fault[1], MST_FAULT_NONE, 0, MST_E_IO);
    assert_ok(back_up(&t, &f, &err), &err);
    n = mst_store_fault_calls(t.fault[1]);
    two_close(&t);
    return n;
}

/* Every call of a backup in one store fails, in each way: the other copy is whole, and nothing of
 * the failed one looks like a backup. */
static void every_call_is_failed_in_one_store(void **state)
{
    static const enum mst_fault_kind kinds[] = {MST_FAULT_ONCE, MST_FAULT_DEAD, MST_FAULT_LOST};
    const uint64_t calls = calls_of_a_backup();

    (void)state;
    assert_true(calls > 10);
    for (size_t k = 0; k < MST_COUNT(kinds); k++) {
        for (uint64_t at = 1; at <= calls; at++) {
            struct two t;
            struct fake f;
            struct mst_err err = {0}, why = {0};
            enum mst_backup_state st = MST_BK_FOREIGN;
            bool there, in;

            two_open(&t);
            mst_store_fault_set(t.fault[1], kinds[k], at, MST_E_IO);
            assert_ok(back_up(&t, &f, &err), &err);
            in = mst_store_tee_status(t.tee, 1, &why) == MST_OK;
            assert_ok(mst_store_tee_status(t.tee, 0, &err), &err);
            state_in(&t, 0, f.id, &st, &there);
            assert_true(there && st == MST_BK_COMPLETE);
            state_in(&t, 1, f.id, &st, &there);
            if (in) { /* only an answer was lost */
                assert_int_equal(kinds[k], MST_FAULT_LOST);
                assert_true(there && st == MST_BK_COMPLETE);
            } else {
                assert_true(!there || st == MST_BK_INCOMPLETE);
                assert_non_null(strstr(why.msg, "vault"));
            }
            two_close(&t);
        }
    }
}

static void without_a_store_left_the_put_fails(void **state)
{
    struct two t;
    struct mst_err err = {0};
    uint64_t bytes;

    (void)state;
    two_open(&t);
    mst_store_fault_set(t.fault[0], MST_FAULT_DEAD, 1, MST_E_IO);
    mst_store_fault_set(t.fault[1], MST_FAULT_DEAD, 2, MST_E_NET);
    assert_rc(mst_store_put_all(t.tee, "a/b", "text", 4, &err), MST_E_IO, &err);
    assert_int_equal(mst_store_tee_in(t.tee), 0);
    mst_store_fault_set(t.fault[0], MST_FAULT_NONE, 0, MST_E_IO);
    mst_store_fault_set(t.fault[1], MST_FAULT_NONE, 0, MST_E_IO);
    assert_rc(mst_store_stat(t.tee, "a/b", &bytes, &err), MST_E_NOTFOUND, &err);
    two_close(&t);
}

static void a_name_that_is_taken_in_one_store_fails_its_copy(void **state)
{
    struct two t;
    struct mst_err err = {0};

    (void)state;
    two_open(&t);
    assert_ok(mst_store_put_all(t.real[1], "a/COMMIT", "theirs", 6, &err), &err);
    assert_ok(mst_store_put_all(t.tee, "a/COMMIT", "ours", 4, &err), &err);
    assert_rc(mst_store_tee_status(t.tee, 1, &err), MST_E_EXISTS, &err);
    two_close(&t);
}

static void a_store_that_damages_what_it_keeps_is_noticed_when_it_is_read(void **state)
{
    struct two t;
    struct mst_err err = {0};
    char path[80], buf[8];
    size_t got;
    FILE *f;

    (void)state;
    two_open(&t);
    assert_ok(mst_store_put_all(t.tee, "m", "manifest", 8, &err), &err);
    (void)snprintf(path, sizeof(path), "%s/m", t.dir[0]);
    f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fputc('M', f), 'M');
    assert_int_equal(fclose(f), 0);
    assert_ok(mst_store_read(t.tee, "m", 0, buf, sizeof(buf), &got, &err), &err);
    assert_memory_equal(buf, "manifest", 8);
    assert_rc(mst_store_tee_status(t.tee, 0, &err), MST_E_INTEGRITY, &err);
    two_close(&t);
}

/* --- claims and questions --------------------------------------------------------------------- */

static bool is_there(struct mst_store *s, const char *key)
{
    struct mst_err err = {0};
    uint64_t bytes;

    return mst_store_stat(s, key, &bytes, &err) == MST_OK;
}

static void a_claim_holds_in_all_stores_or_in_none(void **state)
{
    struct two t;
    struct mst_err err = {0};

    (void)state;
    two_open(&t);
    assert_ok(mst_store_put_all(t.real[1], "a/claim", "theirs", 6, &err), &err);
    assert_rc(mst_store_claim(t.tee, "a/claim", "ours", 4, &err), MST_E_EXISTS, &err);
    assert_non_null(strstr(err.msg, "a/claim in the store vault is another run's"));
    assert_false(is_there(t.real[0], "a/claim")); /* given back */
    assert_int_equal(mst_store_tee_in(t.tee), 2);
    assert_ok(mst_store_claim(t.tee, "b/claim", "ours", 4, &err), &err);
    assert_true(is_there(t.real[0], "b/claim") && is_there(t.real[1], "b/claim"));
    two_close(&t);
}

static void a_claim_whose_answer_is_lost_is_ours(void **state)
{
    struct two t;
    struct mst_err err = {0};

    (void)state;
    for (uint64_t at = 1; at <= 3; at++) {
        two_open(&t);
        mst_store_fault_set(t.fault[1], MST_FAULT_LOST, at, MST_E_NET);
        assert_ok(mst_store_claim(t.tee, "a/claim", "ours", 4, &err), &err);
        assert_int_equal(mst_store_tee_in(t.tee), at == 3 ? 2 : 1); /* before that none stands */
        two_close(&t);
    }
}

static void a_store_that_refuses_every_name_is_out(void **state)
{
    struct two t;
    struct mst_err err = {0};
    char key[32];
    int n = 0;

    (void)state;
    two_open(&t);
    do {
        (void)snprintf(key, sizeof(key), "a%d/claim", n++);
        assert_ok(mst_store_put_all(t.real[1], key, "theirs", 6, &err), &err);
    } while (n < 100 && mst_store_claim(t.tee, key, "ours", 4, &err) == MST_E_EXISTS);
    assert_in_range(n, 2, 99);
    assert_ok(mst_store_tee_status(t.tee, 0, &err), &err);
    assert_rc(mst_store_tee_status(t.tee, 1, &err), MST_E_EXISTS, &err);
    two_close(&t);
}

static enum mst_rc size_of(struct mst_store *s, const void *ask, void *answer, struct mst_err *err)
{
    return mst_store_stat(s, ask, answer, err);
}

/* What one store has and another one has not is an answer; who has none is out. */
static void each_store_is_asked_by_itself(void **state)
{
    struct two t;
    struct mst_err err = {0};
    uint64_t n[MST_TEE_STORES];
    bool said[MST_TEE_STORES];

    (void)state;
    two_open(&t);
    assert_ok(mst_store_put_all(t.real[0], "a", "1", 1, &err), &err);
    assert_ok(mst_store_put_all(t.real[1], "a", "22", 2, &err), &err);
    assert_ok(mst_store_tee_ask(t.tee, size_of, "a", 2, n, sizeof(n[0]), said, &err), &err);
    assert_true(said[0] && said[1] && n[0] == 1 && n[1] == 2);
    assert_ok(mst_store_put_all(t.real[0], "b", "1", 1, &err), &err);
    assert_ok(mst_store_tee_ask(t.tee, size_of, "b", 2, n, sizeof(n[0]), said, &err), &err);
    assert_true(said[0] && !said[1]);
    assert_rc(mst_store_tee_status(t.tee, 1, &err), MST_E_NOTFOUND, &err);
    assert_rc(mst_store_tee_ask(t.tee, size_of, "c", 2, n, sizeof(n[0]), said, &err),
              MST_E_NOTFOUND, &err);
    two_close(&t);
}

/* --- a store that takes its time -------------------------------------------------------------- */

struct slow {
    struct mst_store base;
    struct mst_mutex mtx;
    struct mst_cond cond;
    bool go;
    atomic_int begun;
};

static enum mst_rc slow_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                              struct mst_err *err)
{
    *out = mst_xcalloc(1, sizeof(**out));
    (*out)->store = s;
    atomic_fetch_add(&((struct slow *)(void *)s)->begun, 1);
    (void)key;
    (void)err;
    return MST_OK;
}

static enum mst_rc slow_add(struct mst_store_put *p, const void *data, size_t n,
                            struct mst_err *err)
{
    struct slow *s = (struct slow *)(void *)p->store;

    (void)data;
    (void)n;
    (void)err;
    mst_mutex_lock(&s->mtx);
    while (!s->go) {
        mst_cond_wait(&s->cond, &s->mtx);
    }
    mst_mutex_unlock(&s->mtx);
    return MST_OK;
}

static void slow_abort(struct mst_store_put *p)
{
    free(p);
}

/* A source that pauses for longer than a store may stand still: that is nobody's fault. */
static void who_has_nothing_to_take_does_not_stand_still(void **state)
{
    struct two t;
    struct mst_err err = {0};
    struct mst_tee_opts o = {.n = 2, .stall_ms = 1000};
    struct mst_store *tee;
    struct mst_store_put *put;
    char *block = mst_xcalloc(1, MST_TEE_BLOCK);

    (void)state;
    two_open(&t);
    o.stores[0] = t.real[0];
    o.stores[1] = t.real[1];
    tee = mst_store_tee_new(&o);
    assert_ok(mst_store_put_begin(tee, "slow", &put, &err), &err);
    assert_ok(mst_store_put_add(put, block, MST_TEE_BLOCK, &err), &err);
    mst_clock_sleep_ms(1500);
    assert_ok(mst_store_put_finish_take(put, &err), &err);
    assert_ok(mst_store_tee_status(tee, 0, &err), &err);
    assert_ok(mst_store_tee_status(tee, 1, &err), &err);
    mst_store_free(tee);
    free(block);
    two_close(&t);
}

static void cancel_soon(void *arg)
{
    struct slow *slow = ((void **)arg)[0];

    while (atomic_load(&slow->begun) == 0) {
        (void)usleep(1000);
    }
    mst_task_cancel(((void **)arg)[1]);
}

/* Who stops a backup does not wait for a store that hangs. */
static void a_run_that_is_stopped_waits_for_nobody(void **state)
{
    static const struct mst_store_ops ops = {
        .put_begin = slow_begin, .put_add = slow_add, .put_abort = slow_abort};
    struct slow slow = {.base = {.ops = &ops, .name = "tape"}};
    struct mst_task task;
    struct mst_tee_opts o = {.n = 1, .task = &task};
    struct mst_err err = {0};
    struct mst_thread t;
    struct mst_store *tee;
    atomic_int inside = 0;
    void *arg[] = {&slow, &task};
    char *big = mst_xcalloc(1, 4U << 20);
    const int64_t begin = mst_clock_mono_ms(NULL);

    (void)state;
    mst_mutex_init(&slow.mtx);
    mst_cond_init(&slow.cond);
    assert_ok(mst_task_init(&task, &err), &err);
    o.stores[0] = &slow.base;
    o.inside[0] = &inside;
    tee = mst_store_tee_new(&o);
    assert_ok(mst_thread_start(&t, "cancel", cancel_soon, arg, &err), &err);
    assert_rc(mst_store_put_all(tee, "big", big, 4U << 20, &err), MST_E_CANCELLED, &err);
    mst_thread_join(&t);
    assert_true(mst_clock_mono_ms(NULL) - begin < 30000); /* it would be 120 s */
    mst_store_free(tee);
    mst_mutex_lock(&slow.mtx);
    slow.go = true;
    mst_cond_broadcast(&slow.cond);
    mst_mutex_unlock(&slow.mtx);
    while (atomic_load(&inside) > 0) {
        (void)usleep(1000);
    }
    free(big);
    mst_task_release(&task);
    mst_cond_release(&slow.cond);
    mst_mutex_release(&slow.mtx);
}

static void a_store_that_hangs_fails_its_own_copy(void **state)
{
    static const struct mst_store_ops ops = {
        .put_begin = slow_begin, .put_add = slow_add, .put_abort = slow_abort};
    struct slow slow = {.base = {.ops = &ops, .name = "tape"}};
    struct two t;
    struct mst_err err = {0};
    atomic_int inside = 0;
    struct mst_tee_opts o = {.n = 2, .stall_ms = 2000};
    struct mst_store *tee;
    char *big = mst_xcalloc(1, 4U << 20);
    uint64_t bytes;

    (void)state;
    mst_mutex_init(&slow.mtx);
    mst_cond_init(&slow.cond);
    two_open(&t);
    o.stores[0] = t.real[0];
    o.stores[1] = &slow.base;
    o.inside[1] = &inside;
    tee = mst_store_tee_new(&o);
    assert_ok(mst_store_put_all(tee, "big", big, 4U << 20, &err), &err);
    assert_ok(mst_store_stat(t.real[0], "big", &bytes, &err), &err);
    assert_int_equal(bytes, 4U << 20);
    assert_rc(mst_store_tee_status(tee, 1, &err), MST_E_TIMEOUT, &err);
    assert_non_null(strstr(err.msg, "the store tape took nothing for"));
    assert_int_equal(atomic_load(&inside), 1); /* still in there: its handle must not go */
    mst_store_free(tee);
    mst_mutex_lock(&slow.mtx);
    slow.go = true;
    mst_cond_broadcast(&slow.cond);
    mst_mutex_unlock(&slow.mtx);
    while (atomic_load(&inside) > 0) {
        (void)usleep(1000);
    }
    free(big);
    mst_cond_release(&slow.cond);
    mst_mutex_release(&slow.mtx);
    two_close(&t);
}

/* Of a store that failed the reason is told, not half of a key. */
static void a_long_reason_keeps_its_end(void **state)
{
    static const char msg[] =
        "it is not known whether a/long/key was written: after 6 tries: cannot "
        "write a/long/key: the connection was cut";

    (void)state;
    assert_string_equal(mst_copies_reason(msg, sizeof(msg)), msg);
    assert_string_equal(mst_copies_reason(msg, 60),
                        "cannot write a/long/key: the connection was cut");
    assert_string_equal(mst_copies_reason(msg, 30), "the connection was cut");
    assert_string_equal(mst_copies_reason(msg, 5), "the connection was cut");
    assert_string_equal(mst_copies_reason("", 5), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_reason_keeps_its_end),
        cmocka_unit_test(both_stores_get_the_same_objects),
        cmocka_unit_test(every_call_is_failed_in_one_store),
        cmocka_unit_test(without_a_store_left_the_put_fails),
        cmocka_unit_test(a_name_that_is_taken_in_one_store_fails_its_copy),
        cmocka_unit_test(a_store_that_damages_what_it_keeps_is_noticed_when_it_is_read),
        cmocka_unit_test(a_claim_holds_in_all_stores_or_in_none),
        cmocka_unit_test(a_claim_whose_answer_is_lost_is_ours),
        cmocka_unit_test(a_store_that_refuses_every_name_is_out),
        cmocka_unit_test(each_store_is_asked_by_itself),
        cmocka_unit_test(who_has_nothing_to_take_does_not_stand_still),
        cmocka_unit_test(a_run_that_is_stopped_waits_for_nobody),
        cmocka_unit_test(a_store_that_hangs_fails_its_own_copy),
    };

    return cmocka_run_group_tests_name("tee", tests, NULL, NULL);
}
