/* What holds a backup back: the rate, the source's lag, the room in the store, missing rights. */
#include "test.h"

#include "backup_kit.h"
#include "sandbox/auth/auth.h"
#include "store/impl.h"

static const struct sbx_opts plain = {.fast = true, .seed = 9};

static int setup(void **state)
{
    struct keep *k = mst_xcalloc(1, sizeof(*k));

    keep_start(k, plain);
    keep_insert(k, "shop", "orders", 0, 1000, 400);
    keep_settle(k);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    keep_stop(*state);
    free(*state);
    return 0;
}

static void a_rate_is_never_exceeded(void **state)
{
    struct keep *k = *state;

    k->o.rate_bps = 300 * 1000;
    assert_ok(keep_backup(k), &k->err);
    assert_in_range(k->res.data_bytes, 400 * 1000, 500 * 1000);
    assert_true(k->res.took_ms * k->o.rate_bps >= k->res.data_bytes * 1000);
}

struct heard {
    struct keep *k;
    struct mst_task task;
    char source[8];
    int paused, went_on;
};

static void hear(void *arg, const char *line)
{
    struct heard *h = arg;

    if (strncmp(line, "paused: ", 8) == 0) {
        h->paused++;
        kit_ctl(&h->k->kit, "lag", h->source, "0"); /* now it may catch up */
    }
    h->went_on += strncmp(line, "goes on: ", 9) == 0;
}

static void a_lagging_source_pauses_it_until_it_has_caught_up(void **state)
{
    struct keep *k = *state;
    struct heard h = {.k = k};
    const int source = (k->topo.primary + 1) % 3;
    const int64_t until = mst_clock_mono_ms(NULL) + 20000;
    int64_t behind = 0;

    (void)snprintf(h.source, sizeof(h.source), "%d", source);
    kit_ctl(&k->kit, "lag", h.source, "60000");
    while (behind < 3 && mst_clock_mono_ms(NULL) < until) {
        kit_noop(&k->kit, k->topo.primary);
        sbx_lock(k->kit.w);
        behind = (int64_t)k->kit.w->members[k->topo.primary].applied.op.ts.t -
                 (int64_t)k->kit.w->members[source].applied.op.ts.t;
        sbx_unlock(k->kit.w);
        mst_clock_sleep_ms(50);
    }
    assert_true(behind >= 3);
    assert_ok(mst_task_init(&h.task, &k->err), &k->err);
    h.task.log = hear;
    h.task.log_arg = &h;
    (void)mst_copy(k->o.wish.name, sizeof(k->o.wish.name), k->topo.members[source].name);
    k->o.wish.lag_max_ms = 3600 * 1000; /* chosen all the same */
    k->o.lag_pause_ms = 1000;
    k->o.rate_bps = 400 * 1000;
    assert_ok(mst_backup_run(&k->o, &h.task, &k->res, &k->err), &k->err);
    assert_int_equal(h.paused, 1);
    assert_int_equal(h.went_on, 1);
    keep_verify(k);
    mst_task_release(&h.task);
}

static enum mst_rc little_room(struct mst_store *s, uint64_t *free_bytes, uint64_t *total_bytes,
                               struct mst_err *err)
{
    (void)s;
    (void)err;
    *free_bytes = 50 * 1000; /* less than a fourth of what the set holds */
    *total_bytes = 1000 * 1000;
    return MST_OK;
}

static void too_little_room_is_refused_before_anything_is_read(void **state)
{
    struct keep *k = *state;
    const struct mst_store_ops *real = k->store->ops;
    struct mst_store_ops ops = *real;

    ops.space = little_room;
    k->store->ops = &ops;
    assert_rc(keep_backup(k), MST_E_IO, &k->err);
    assert_non_null(strstr(k->err.msg, "vault"));
    assert_non_null(strstr(k->err.msg, "less than a fourth"));
    assert_int_equal(k->res.documents, 0);
    k->store->ops = real;
    assert_ok(keep_backup(k), &k->err);
}

static void who_may_not_read_by_uuid_reads_by_name(void **state)
{
    struct keep *k = *state;
    struct mst_man_ns ns;

    sbx_lock(k->kit.w);
    sbx_auth_refuse(k->kit.w, "*", "useUUID", true);
    sbx_unlock(k->kit.w);
    assert_ok(keep_backup(k), &k->err);
    assert_true(keep_ns(k, "shop", "orders", &ns));
    assert_int_equal(ns.documents, 1000);
    keep_verify(k);
}

static void a_source_without_rights_is_named_with_its_exit(void **state)
{
    struct keep *k = *state;

    sbx_lock(k->kit.w);
    sbx_auth_refuse(k->kit.w, "*", "listCollections", true);
    sbx_unlock(k->kit.w);
    assert_rc(keep_backup(k), MST_E_AUTH, &k->err);
    assert_non_null(strstr(k->err.msg, "the collections of admin: 127."));
    assert_false(k->res.committed);
}

static void a_wait_on_a_majority_names_the_members(void **state)
{
    struct keep *k = *state;
    const int p = k->topo.primary, dead = (p + 1) % 3, slow = (p + 2) % 3;
    const int64_t until = mst_clock_mono_ms(NULL) + 20000;
    char who[400] = "", number[8], want[320];
    struct mst_conn *c = NULL;

    (void)snprintf(number, sizeof(number), "%d", slow);
    kit_ctl(&k->kit, "lag", number, "60000");
    (void)snprintf(number, sizeof(number), "%d", dead);
    kit_ctl(&k->kit, "kill", number, NULL);
    assert_ok(keep_connect(NULL, k->topo.members[p].name, "test", NULL, &c, &k->err), &k->err);
    (void)snprintf(want, sizeof(want), "%s (no answer)", k->topo.members[dead].name);
    while (!strstr(who, want) && mst_clock_mono_ms(NULL) < until) {
        struct mst_ts at;

        kit_noop(&k->kit, p);
        sbx_lock(k->kit.w);
        at.t = k->kit.w->members[p].applied.op.ts.t;
        at.i = k->kit.w->members[p].applied.op.ts.i;
        sbx_unlock(k->kit.w);
        mst_conn_who_lags(c, at, who, sizeof(who));
        mst_clock_sleep_ms(50);
    }
    assert_non_null(strstr(who, want));
    (void)snprintf(want, sizeof(want), "%s (SECONDARY, ", k->topo.members[slow].name);
    assert_non_null(strstr(who, want));
    assert_null(strstr(who, k->topo.members[p].name));
    mst_conn_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rate_is_never_exceeded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lagging_source_pauses_it_until_it_has_caught_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(too_little_room_is_refused_before_anything_is_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_may_not_read_by_uuid_reads_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wait_on_a_majority_names_the_members, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_without_rights_is_named_with_its_exit, setup,
                                        teardown),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
