/* Whole backups of a simulated set. */
#include "test.h"

#include "backup_kit.h"
#include "sandbox/writer/writer.h"

static const struct sbx_opts plain = {.fast = true, .seed = 7};

static void fill_shop(struct keep *k)
{
    keep_do(k, "shop", "{'create': 'orders', 'validator': {'pad': {'$exists': true}}}");
    keep_do(k, "shop",
            "{'createIndexes': 'orders', 'indexes': [{'key': {'pad': 1}, 'name': 'pad_1'}]}");
    keep_insert(k, "shop", "orders", 0, 2500, 700);
    keep_do(k, "shop", "{'create': 'events', 'capped': true, 'size': 65536, 'max': 100}");
    keep_insert(k, "shop", "events", 0, 50, 20);
    keep_do(k, "shop", "{'create': 'empty'}");
    keep_do(k, "shop",
            "{'create': 'big_orders', 'viewOn': 'orders', 'pipeline': [{'$match': {'_id': 1}}]}");
    keep_insert(k, "other", "t", 0, 10, 5);
    keep_settle(k);
}

static int setup(void **state)
{
    struct keep *k = mst_xcalloc(1, sizeof(*k));

    keep_start(k, plain);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    keep_stop(*state);
    free(*state);
    return 0;
}

static void assert_not_backed_up(struct keep *k)
{
    const int listed = keep_listed(k, NULL);

    assert_false(k->res.committed);
    assert_true(listed == -1 || listed == MST_BK_INCOMPLETE);
}

static void a_quiet_set_is_backed_up_from_a_secondary_and_verified(void **state)
{
    struct keep *k = *state;
    struct mst_backup b;
    struct mst_man_ns ns;

    fill_shop(k);
    assert_ok(keep_backup(k), &k->err);
    assert_true(k->res.committed && !k->res.partial);
    assert_string_not_equal(k->res.source.name, k->topo.members[k->topo.primary].name);
    assert_int_equal(keep_listed(k, &b), MST_BK_COMPLETE);
    assert_string_equal(b.server_version, "4.2.8");
    assert_string_equal(b.fcv, "4.2");
    assert_int_equal(b.documents, 2560);
    keep_verify(k);
    assert_true(keep_ns(k, "shop", "orders", &ns));
    assert_int_equal(ns.documents, 2500);
    assert_int_equal(ns.n_indexes, 2);
    assert_true(ns.has_uuid);
    assert_true(keep_ns(k, "shop", "events", &ns));
    assert_int_equal(ns.documents, 50);
    assert_true(keep_ns(k, "shop", "big_orders", &ns));
    assert_int_equal(ns.state, MST_NS_VIEW);
    assert_true(keep_ns(k, "shop", "empty", &ns));
    assert_int_equal(ns.n_extents, 0);
    assert_false(keep_ns(k, "shop", "system.views", &ns));
    assert_true(keep_ns(k, "other", "t", &ns));
}

static void a_second_backup_in_the_same_second_is_newer(void **state)
{
    struct keep *k = *state;
    char first[MST_ID_MAX];

    keep_insert(k, "shop", "a", 0, 3, 5);
    keep_settle(k);
    assert_ok(keep_backup(k), &k->err);
    (void)mst_copy(first, sizeof(first), k->res.id);
    assert_ok(keep_backup(k), &k->err);
    assert_true(strcmp(k->res.id, first) > 0);
}

static int64_t one_instant(void *arg)
{
    (void)arg;
    return 1763855000000;
}

static char other_id[MST_ID_MAX];

/* The other one begins and ends before the first has written anything. */
static void other_at_tail(void *arg, const char *point)
{
    struct keep *k = arg;
    struct mst_backup_opts o = k->o;
    struct mst_backup_result res = {0};
    struct mst_err err = {0};

    if (strcmp(point, "tail") == 0) {
        o.at = NULL;
        assert_ok(mst_backup_run(&o, NULL, &res, &err), &err);
        (void)mst_copy(other_id, sizeof(other_id), res.id);
    }
}

static void two_that_begin_in_one_second_both_count(void **state)
{
    const struct mst_clock clock = {.utc_ms = one_instant};
    _Atomic int64_t given = 0;
    struct keep *k = *state;

    keep_insert(k, "shop", "a", 0, 3, 5);
    keep_settle(k);
    k->o.clock = &clock;
    k->o.given_ms = &given;
    k->o.at = other_at_tail;
    k->o.at_arg = k;
    assert_ok(keep_backup(k), &k->err);
    assert_string_not_equal(k->res.id, other_id);
}

/* As of two hosts: nothing but the store tells them of each other. */
static void two_of_two_hosts_in_one_second_both_count(void **state)
{
    const struct mst_clock clock = {.utc_ms = one_instant};
    struct keep *k = *state;

    keep_insert(k, "shop", "a", 0, 3, 5);
    keep_settle(k);
    k->o.clock = &clock;
    k->o.given_ms = NULL;
    k->o.at = other_at_tail;
    k->o.at_arg = k;
    assert_ok(keep_backup(k), &k->err);
    assert_string_not_equal(k->res.id, other_id);
    assert_true(strcmp(k->res.id, other_id) < 0);
}

static void stop_at_tail(void *arg, const char *point)
{
    if (strcmp(point, "tail") == 0) {
        mst_task_cancel(arg);
    }
}

static void a_run_that_stored_nothing_gives_its_id_back(void **state)
{
    struct keep *k = *state;
    struct mst_task task;

    keep_insert(k, "shop", "a", 0, 3, 5);
    keep_settle(k);
    assert_ok(mst_task_init(&task, &k->err), &k->err);
    k->o.at = stop_at_tail;
    k->o.at_arg = &task;
    assert_rc(mst_backup_run(&k->o, &task, &k->res, &k->err), MST_E_CANCELLED, &k->err);
    assert_string_not_equal(k->res.id, "");
    assert_int_equal(keep_listed(k, NULL), -1);
    mst_task_release(&task);
}

static void what_is_left_out_by_name_makes_it_partial(void **state)
{
    static const char *const out[] = {"shop.events", "other.*"};
    struct keep *k = *state;
    struct mst_man_ns ns;

    fill_shop(k);
    k->o.n_exclude = 2;
    k->o.exclude = out;
    assert_ok(keep_backup(k), &k->err);
    assert_true(k->res.partial);
    assert_int_equal(k->res.left_out, 2);
    assert_int_equal(keep_listed(k, NULL), MST_BK_PARTIAL);
    assert_true(keep_ns(k, "shop", "events", &ns));
    assert_int_equal(ns.state, MST_NS_LEFT_OUT);
    assert_int_equal(ns.documents, 0);
    keep_verify(k);
}

static void the_primary_is_read_only_when_that_is_allowed(void **state)
{
    struct keep *k = *state;

    keep_insert(k, "shop", "a", 0, 3, 5);
    (void)mst_copy(k->o.wish.name, sizeof(k->o.wish.name), k->topo.members[k->topo.primary].name);
    assert_rc(keep_backup(k), MST_E_PRECOND, &k->err);
    assert_string_equal(k->res.id, "");
    assert_int_equal(keep_listed(k, NULL), -1); /* nothing was written */
    k->o.wish.from_primary = true;
    assert_ok(keep_backup(k), &k->err);
    keep_verify(k);
}

/* --- DDL while it runs ------------------------------------------------------------------------ */

static void ddl_at_scan(void *arg, const char *point)
{
    struct keep *k = arg;

    if (strcmp(point, "scan") == 0) {
        keep_do(k, "shop", "{'create': 'born'}");
        keep_insert(k, "shop", "born", 0, 5, 5);
        keep_do(k, "shop", "{'drop': 'empty'}");
        keep_do(k, "admin", "{'renameCollection': 'shop.orders', 'to': 'shop.orders2'}");
        keep_do(k, "other", "{'dropDatabase': 1}");
        keep_do(k, "shop",
                "{'createIndexes': 'events', 'indexes': [{'key': {'x': 1}, 'name': 'x_1'}]}");
        keep_do(k, "shop", "{'dropIndexes': 'orders2', 'index': 'pad_1'}");
        keep_settle(k);
    }
}

static void ddl_between_listing_and_scan_is_carried(void **state)
{
    struct keep *k = *state;
    struct mst_man_ns ns;

    fill_shop(k);
    k->o.at = ddl_at_scan;
    k->o.at_arg = k;
    assert_ok(keep_backup(k), &k->err);
    keep_verify(k);
    assert_true(keep_ns(k, "shop", "orders", &ns)); /* by UUID: its documents, its listed name */
    assert_int_equal(ns.documents, 2500);
    assert_true(keep_ns(k, "shop", "empty", &ns));
    assert_int_equal(ns.state, MST_NS_DROPPED);
    assert_true(keep_ns(k, "other", "t", &ns));
    assert_int_equal(ns.state, MST_NS_DROPPED);
    assert_false(keep_ns(k, "shop", "born", &ns)); /* the oplog has it */
    assert_true(k->res.oplog_entries >= 12);
}

static void swap_at_scan(void *arg, const char *point)
{
    if (strcmp(point, "scan") == 0) {
        keep_do(arg, "shop", "{'create': 'mst.s.00112233.1'}");
        keep_do(arg, "admin",
                "{'renameCollection': 'shop.mst.s.00112233.1', 'to': 'shop.swapped'}");
        keep_settle(arg);
    }
}

static void what_cannot_be_carried_fails_with_its_name(void **state)
{
    struct keep *k = *state;

    keep_insert(k, "shop", "a", 0, 3, 5);
    keep_settle(k);
    k->o.at = swap_at_scan;
    k->o.at_arg = k;
    assert_rc(keep_backup(k), MST_E_PRECOND, &k->err);
    assert_non_null(strstr(k->err.msg, "renameCollection"));
    assert_not_backed_up(k);
    assert_false(k->res.committed);
}

/* The set is idle: the newest entry, at which the backup begins, is the swap itself. */
static void a_swap_that_was_over_before_it_began_is_no_reason_to_refuse(void **state)
{
    struct keep *k = *state;

    keep_insert(k, "shop", "mst.s.00112233.2", 0, 3, 10);
    keep_do(k, "admin", "{'renameCollection': 'shop.mst.s.00112233.2', 'to': 'shop.swapped'}");
    keep_settle(k);
    assert_ok(keep_backup(k), &k->err);
    keep_verify(k);
}

static void staging_collections_of_a_restore_are_no_data(void **state)
{
    struct keep *k = *state;
    struct mst_man_ns ns;

    keep_insert(k, "shop", "a", 0, 3, 5);
    keep_insert(k, "shop", "mst.s.00112233.1", 0, 3, 5);
    keep_insert(k, "shop", "mst.o.00112233.1", 0, 3, 5);
    keep_settle(k);
    assert_ok(keep_backup(k), &k->err);
    assert_int_equal(k->res.documents, 3);
    assert_false(keep_ns(k, "shop", "mst.s.00112233.1", &ns));
    assert_false(keep_ns(k, "shop", "mst.o.00112233.1", &ns));
}

static int64_t rows(struct keep *k, const char *db, const char *coll)
{
    bson_t reply;
    int64_t n = -1;
    char *json = mst_xasprintf("{'count': '%s'}", coll);

    assert_int_equal(kit_run(&k->kit, sbx_world_primary(k->kit.w), db, &reply, json), 0);
    assert_true(sbx_doc_int(&reply, "n", &n));
    bson_destroy(&reply);
    free(json);
    return n;
}

/* A live shop with transactions and DDL of every kind. */
static void a_live_shop_is_backed_up_while_it_is_written(void **state)
{
    struct keep *k = *state;
    char seed[3][40];
    const char *seeds[3] = {seed[0], seed[1], seed[2]};
    struct sbx_writer_opts wo = {
        .seeds = seeds, .n_seeds = 3, .per_s = 400, .customers = 200, .seed = 11, .ddl = true};
    struct sbx_writer *w;
    struct mst_man_ns ns;
    uint64_t entries = 0;

    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(seed[i], sizeof(seed[i]), "127.0.0.1:%d", sbx_world_port(k->kit.w, i));
    }
    keep_insert(k, "shop", "ballast", 0, 4000, 800);
    sbx_lock(k->kit.w);
    k->kit.w->sessions_ms = 40; /* the servers' own writes fall into the window as well */
    sbx_unlock(k->kit.w);
    assert_ok(sbx_writer_start(&wo, &w, &k->err), &k->err);
    k->o.rate_bps = 4 * 1000 * 1000; /* about a second each, so that the window is not empty */
    for (int i = 0; i < 4; i++) {
        assert_ok(keep_backup(k), &k->err);
        keep_verify(k);
        entries += k->res.oplog_entries;
    }
    sbx_writer_stop(w);
    assert_true(entries > 100);
    assert_true(rows(k, "config", "system.sessions") > 0);
    assert_true(rows(k, "config", "transactions") > 0);
    assert_int_equal(rows(k, "admin", "system.version"), 1);
    assert_false(keep_ns(k, "config", "system.sessions", &ns));
    assert_false(keep_ns(k, "config", "transactions", &ns));
    assert_false(keep_ns(k, "admin", "system.version", &ns));
}

/* --- stops and failures ----------------------------------------------------------------------- */

struct stop {
    struct mst_task task;
    const char *point;
};

static void cancel_at(void *arg, const char *point)
{
    struct stop *s = arg;

    if (strcmp(point, s->point) == 0) {
        mst_task_cancel(&s->task);
    }
}

static void a_cancel_anywhere_leaves_only_an_incomplete_backup(void **state)
{
    static const char *const points[] = {"tail",    "list",     "scan",   "end",
                                         "objects", "manifest", "header", "commit"};
    struct keep *k = *state;

    keep_insert(k, "shop", "a", 0, 300, 50);
    keep_settle(k);
    for (size_t i = 0; i < MST_COUNT(points); i++) {
        struct stop s = {.point = points[i]};

        assert_ok(mst_task_init(&s.task, &k->err), &k->err);
        k->o.at = cancel_at;
        k->o.at_arg = &s;
        memset(&k->err, 0, sizeof(k->err));
        if (mst_backup_run(&k->o, &s.task, &k->res, &k->err) != MST_E_CANCELLED) {
            fail_msg("cancelled at %s: %s", points[i], k->err.msg);
        }
        assert_not_backed_up(k);
        mst_task_release(&s.task);
    }
}

static void a_store_that_fails_anywhere_never_gives_a_false_backup(void **state)
{
    struct keep *k = *state;
    struct mst_store *fault = mst_store_fault_new(k->store);
    uint64_t calls, complete = 0;
    char rm[128];

    keep_insert(k, "shop", "a", 0, 30, 50);
    keep_insert(k, "shop", "b", 0, 30, 50);
    keep_settle(k);
    k->catalog.store = fault;
    k->o.scans = 1;
    mst_store_fault_set(fault, MST_FAULT_NONE, 0, MST_E_IO);
    assert_ok(keep_backup(k), &k->err);
    calls = mst_store_fault_calls(fault);
    (void)snprintf(rm, sizeof(rm), "%s/rs0", k->dir);
    for (uint64_t at = 1; at <= calls; at++) {
        for (enum mst_fault_kind kind = MST_FAULT_ONCE; kind <= MST_FAULT_LOST; kind++) {
            enum mst_rc rc;
            int listed;

            fake_rm(rm);
            mst_store_fault_set(fault, kind, at, MST_E_IO);
            rc = keep_backup(k);
            listed = keep_listed(k, NULL);
            if (rc == MST_OK) {
                assert_int_equal(listed, MST_BK_COMPLETE);
                complete++;
            } else if (listed == MST_BK_COMPLETE) {
                assert_int_equal(rc, MST_E_UNKNOWN); /* it stands, and we may not say so */
            } else {
                assert_true(listed == MST_BK_INCOMPLETE || listed == -1);
                assert_false(k->res.committed);
            }
        }
    }
    assert_true(complete <= 3); /* the lost reply to COMMIT; entries may add a call or two */
    k->catalog.store = k->store;
    mst_store_free(fault);
}

static void roll_at_end(void *arg, const char *point)
{
    struct keep *k = arg;

    if (strcmp(point, "end") == 0) {
        for (int i = 0; i < 12; i++) { /* in steps: the secondaries must not fall behind */
            keep_insert(k, "shop", "noise", i * 250, 250, 1000);
            keep_settle(k);
        }
    }
}

static void an_oplog_that_rolled_over_is_refused(void **state)
{
    struct keep *k = mst_xcalloc(1, sizeof(*k));

    (void)state;
    keep_start(k, (struct sbx_opts){.fast = true, .seed = 7, .oplog_bytes = 1 << 20});
    keep_insert(k, "shop", "a", 0, 30, 50);
    keep_settle(k);
    k->o.at = roll_at_end;
    k->o.at_arg = k;
    assert_rc(keep_backup(k), MST_E_STALE, &k->err);
    assert_non_null(strstr(k->err.msg, "roll"));
    assert_not_backed_up(k);
    keep_stop(k);
    free(k);
}

static void kill_at_scan(void *arg, const char *point)
{
    struct keep *k = arg;

    if (strcmp(point, "scan") == 0) {
        char n[24];

        for (size_t i = 0; i < k->topo.n; i++) {
            if (strcmp(k->topo.members[i].name, k->res.source.name) == 0) {
                (void)snprintf(n, sizeof(n), "%zu", i);
                kit_ctl(&k->kit, "kill", n, NULL);
            }
        }
    }
}

static void a_source_that_dies_ends_it_with_its_name(void **state)
{
    struct keep *k = *state;

    keep_insert(k, "shop", "a", 0, 30, 50);
    keep_settle(k);
    k->o.at = kill_at_scan;
    k->o.at_arg = k;
    assert_rc(keep_backup(k), MST_E_NET, &k->err);
    assert_non_null(strstr(k->err.msg, k->res.source.name));
    assert_not_backed_up(k);
}

static void the_other_server_is_backed_up_too(void **state)
{
    struct keep *k = mst_xcalloc(1, sizeof(*k));

    (void)state;
    keep_start(k, (struct sbx_opts){.fast = true, .seed = 7, .server = "7.0"});
    fill_shop(k);
    k->o.at = ddl_at_scan;
    k->o.at_arg = k;
    assert_ok(keep_backup(k), &k->err);
    assert_true(k->res.unproven);
    keep_verify(k);
    keep_stop(k);
    free(k);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_quiet_set_is_backed_up_from_a_secondary_and_verified),
        T(a_second_backup_in_the_same_second_is_newer),
        T(two_that_begin_in_one_second_both_count),
        T(two_of_two_hosts_in_one_second_both_count),
        T(a_run_that_stored_nothing_gives_its_id_back),
        T(what_is_left_out_by_name_makes_it_partial),
        T(the_primary_is_read_only_when_that_is_allowed),
        T(ddl_between_listing_and_scan_is_carried),
        T(what_cannot_be_carried_fails_with_its_name),
        T(a_swap_that_was_over_before_it_began_is_no_reason_to_refuse),
        T(staging_collections_of_a_restore_are_no_data),
        T(a_live_shop_is_backed_up_while_it_is_written),
        T(a_cancel_anywhere_leaves_only_an_incomplete_backup),
        T(a_store_that_fails_anywhere_never_gives_a_false_backup),
        cmocka_unit_test(an_oplog_that_rolled_over_is_refused),
        T(a_source_that_dies_ends_it_with_its_name),
        cmocka_unit_test(the_other_server_is_backed_up_too),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("backup runs", tests, NULL, NULL);
}
