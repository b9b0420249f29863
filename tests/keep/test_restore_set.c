#include "keep_kit.h"

#include "restore/source.h"

/* ---- a set with one of each ---- */

static void fill(struct keep *k)
{
    int i;

    keep_do(k, "shop", "{'create': 'log', 'capped': true, 'size': 65536, 'max': 50}");
    keep_do(k, "shop",
            "{'create': 'people', 'collation': {'locale': 'fr', 'strength': 2}, 'validator': "
            "{'name': {'$exists': true}}}");
    keep_do(k, "shop",
            "{'createIndexes': 'orders', 'indexes': [{'key': {'customer': 1}, 'name': 'c_1'}, "
            "{'key': {'ref': 1}, 'name': 'ref_1', 'unique': true, 'sparse': true}, "
            "{'key': {'at': 1}, 'name': 'ttl', 'expireAfterSeconds': 3600}]}");
    keep_do(k, "shop",
            "{'create': 'big', 'viewOn': 'orders', 'pipeline': [{'$match': {'total': {'$gt': "
            "50}}}]}");
    for (i = 0; i < 200; i++) {
        char *json = mst_xasprintf("{'insert': 'orders', 'documents': [{'_id': %d, 'customer': "
                                   "'c%d', 'ref': 'r%d', 'total': %d}]}",
                                   i, i % 7, i, i);

        keep_do(k, "shop", json);
        free(json);
    }
    keep_do(k, "shop", "{'insert': 'log', 'documents': [{'_id': 1}, {'_id': 2}, {'_id': 3}]}");
    keep_do(k, "shop", "{'insert': 'people', 'documents': [{'_id': 'a', 'name': 'x'}]}");
    keep_do(k, "other", "{'insert': 'things', 'documents': [{'_id': 1, 'v': 'old'}]}");
}

static int begin(void **state)
{
    struct keep *k = mst_xcalloc(1, sizeof *k);
    const struct sbx_opts o = {.server = "4.2"};

    keep_start(k, o);
    k->quiet = true;
    fill(k);
    *state = k;
    return 0;
}

static int end(void **state)
{
    keep_stop(*state);
    free(*state);
    return 0;
}

static void same(struct keep *k, const char *db, const bson_t *want)
{
    bson_t *got = keep_dbhash(k, db);
    bson_iter_t it, have;

    assert_true(bson_iter_init(&it, want));
    while (bson_iter_next(&it)) {
        if (!bson_iter_init_find(&have, got, bson_iter_key(&it)) ||
            strcmp(bson_iter_utf8(&have, NULL), bson_iter_utf8(&it, NULL)) != 0) {
            fail_msg("%s.%s differs", db, bson_iter_key(&it));
        }
    }
    bson_destroy(got);
}

static bool index_expires(struct keep *k)
{
    bson_t reply;
    bool expires;
    char *text;

    assert_int_equal(kit_run(&k->kit, keep_primary(k), "shop", &reply, "{'listIndexes': 'orders'}"),
                     0);
    text = bson_as_relaxed_extended_json(&reply, NULL);
    assert_non_null(strstr(text, "\"ttl\""));
    expires = strstr(text, "expireAfterSeconds") != NULL;
    bson_free(text);
    bson_destroy(&reply);
    return expires;
}

static void a_quiet_set_comes_back_equal(void **state)
{
    struct keep *k = *state;
    struct mst_backup_result b;
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct mst_err err = {0};
    bson_t *shop = keep_dbhash(k, "shop"), *other = keep_dbhash(k, "other");
    size_t n = 0;
    char run[MST_RUN_HEX];

    keep_backup(k, &b);
    keep_do(k, "shop", "{'drop': 'orders'}");
    keep_do(k, "shop", "{'drop': 'big'}");
    keep_do(k, "shop", "{'delete': 'people', 'deletes': [{'q': {}, 'limit': 0}]}");
    keep_do(k, "other", "{'update': 'things', 'updates': [{'q': {'_id': 1}, 'u': {'v': 'new'}}]}");
    keep_do(k, "other", "{'insert': 'fresh', 'documents': [{'_id': 1}]}");

    keep_restore_opts(k, &o);
    s = keep_source(k, b.id);
    assert_ok(keep_restore(k, &o, s, &res, &err), &err);
    mst_restore_source_free(s);
    assert_true(res.swapped);
    assert_int_equal(res.n, 4);
    assert_int_equal(keep_outcome(&res, "orders")->proof, MST_PROOF_EQUAL);
    assert_int_equal(keep_outcome(&res, "orders")->documents, 200);
    assert_int_equal(keep_outcome(&res, "orders")->indexes, 3);
    assert_int_equal(keep_outcome(&res, "orders")->held, 1);
    same(k, "shop", shop);
    same(k, "other", other);
    assert_int_equal(keep_count(k, "shop", "big"), 149);
    assert_int_equal(keep_count(k, "other", "fresh"), 1); /* not in the backup: kept */

    assert_false(index_expires(k));
    assert_ok(mst_restore_release_ttl(&o, res.run, &k->task, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_true(index_expires(k));

    assert_int_equal(keep_leavings(k, false, NULL), 0);
    assert_int_equal(keep_leavings(k, true, run), 3);
    assert_string_equal(run, res.run);
    assert_ok(mst_restore_discard(&o, res.run, &k->task, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_int_equal(keep_leavings(k, true, NULL), 0);
    mst_restore_result_release(&res);
    bson_destroy(shop);
    bson_destroy(other);
}

static void only_what_fits_the_pattern_is_touched(void **state)
{
    static const char *const in[] = {"shop.orders"};
    struct keep *k = *state;
    struct mst_backup_result b;
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct mst_err err = {0};

    keep_backup(k, &b);
    keep_do(k, "shop", "{'delete': 'orders', 'deletes': [{'q': {}, 'limit': 0}]}");
    keep_do(k, "other", "{'delete': 'things', 'deletes': [{'q': {}, 'limit': 0}]}");
    keep_restore_opts(k, &o);
    o.n_include = 1;
    o.include = in;
    s = keep_source(k, b.id);
    assert_ok(keep_restore(k, &o, s, &res, &err), &err);
    mst_restore_source_free(s);
    assert_int_equal(res.n, 1);
    assert_int_equal(keep_count(k, "shop", "orders"), 200);
    assert_int_equal(keep_count(k, "other", "things"), 0);
    mst_restore_result_release(&res);
}

/* ---- crashes ---- */

struct stop {
    struct keep *k;
    const char *point;
    int after; /* how many of them pass before */
    bool cancel, hit;
    void (*act)(struct keep *k);
};

static enum mst_rc stop_at(void *arg, const char *point, struct mst_err *err)
{
    struct stop *s = arg;

    if (s->hit || strcmp(point, s->point) != 0 || s->after-- > 0) {
        return MST_OK;
    }
    s->hit = true;
    if (s->act) {
        s->act(s->k);
        return MST_OK;
    }
    if (s->cancel) {
        mst_task_cancel(&s->k->task);
        return MST_OK;
    }
    return mst_err_set(err, MST_E_UNKNOWN, "killed at %s", point);
}

/* Break what is live, so that old and new can be told apart. */
static void break_live(struct keep *k)
{
    keep_do(k, "shop", "{'delete': 'orders', 'deletes': [{'q': {'_id': 5}, 'limit': 1}]}");
    keep_do(k, "shop", "{'delete': 'people', 'deletes': [{'q': {}, 'limit': 0}]}");
    keep_do(k, "other", "{'delete': 'things', 'deletes': [{'q': {}, 'limit': 0}]}");
}

static void a_crash_before_the_swap_leaves_the_live_ones_alone(void **state)
{
    static const char *const points[] = {"try",   "stage",   "load", "replay",
                                         "index", "compare", "ready"};
    struct keep *k = *state;
    struct mst_backup_result b;
    struct mst_err err = {0};
    bson_t *live;
    size_t i;

    keep_backup(k, &b);
    break_live(k);
    live = keep_dbhash(k, "shop");
    for (i = 0; i < MST_COUNT(points); i++) {
        struct stop stop = {.k = k, .point = points[i], .after = 1};
        struct mst_restore_opts o;
        struct mst_restore_result res;
        struct mst_restore_source *s = keep_source(k, b.id);
        char run[MST_RUN_HEX] = "";
        size_t n = 0, left;

        if (strcmp(points[i], "ready") == 0 || strcmp(points[i], "load") == 0) {
            stop.after = 0;
        }
        keep_restore_opts(k, &o);
        o.at = stop_at;
        o.at_arg = &stop;
        if (keep_restore(k, &o, s, &res, &err) == MST_OK) {
            /* A quiet set has nothing to replay, small collections load in one batch. */
            assert_true(strcmp(points[i], "replay") == 0 || strcmp(points[i], "load") == 0);
            assert_int_equal(stop.hit, 0);
            assert_ok(mst_restore_discard(&o, res.run, &k->task, &n, &err), &err);
            break_live(k);
        } else {
            assert_true(stop.hit);
            assert_int_equal(err.rc, MST_E_UNKNOWN);
            same(k, "shop", live);
            left = keep_leavings(k, false, run);
            assert_int_equal(keep_leavings(k, true, NULL), 0);
            if (strcmp(points[i], "try") != 0) {
                assert_true(left > 0);
                assert_string_equal(run, res.run);
                assert_ok(mst_restore_clean(&o, run, &k->task, &n, &err), &err);
                assert_int_equal(n, left);
            }
        }
        assert_int_equal(keep_leavings(k, false, NULL), 0);
        mst_restore_result_release(&res);
        mst_restore_source_free(s);
    }
    bson_destroy(live);
}

static void a_cancel_cleans_up_after_itself(void **state)
{
    struct keep *k = *state;
    struct mst_backup_result b;
    struct stop stop = {.k = k, .point = "index", .after = 1, .cancel = true};
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct mst_err err = {0};
    bson_t *live = keep_dbhash(k, "shop");

    keep_backup(k, &b);
    s = keep_source(k, b.id);
    keep_restore_opts(k, &o);
    o.at = stop_at;
    o.at_arg = &stop;
    assert_rc(keep_restore(k, &o, s, &res, &err), MST_E_CANCELLED, &err);
    assert_non_null(strstr(res.text, "nothing live was changed; staging was removed"));
    mst_task_release(&k->task);
    assert_ok(mst_task_init(&k->task, &err), &err);
    assert_int_equal(keep_leavings(k, false, NULL), 0);
    same(k, "shop", live);
    mst_restore_result_release(&res);
    mst_restore_source_free(s);
    bson_destroy(live);
}

/* Old has 199 orders and no people, new 200 and one. */
static void wholly(struct keep *k, bool new)
{
    assert_int_equal(keep_count(k, "shop", "orders"), new ? 200 : 199);
    assert_int_equal(keep_count(k, "shop", "people"), new ? 1 : 0);
    assert_int_equal(keep_count(k, "other", "things"), new ? 1 : 0);
    assert_int_equal(keep_count(k, "shop", "big"), 149);
}

static void a_crash_inside_the_swap_is_finished_or_undone(void **state)
{
    static const char *const points[] = {"swap", "between"};
    struct keep *k = *state;
    struct mst_backup_result b;
    struct mst_err err = {0};
    size_t i, tries = 0;

    keep_backup(k, &b);
    break_live(k);
    for (i = 0; i < 2 * 2 * 4; i++) {
        struct stop stop = {.k = k, .point = points[i & 1], .after = (int)(i >> 2)};
        const enum mst_recover how = i & 2 ? MST_RECOVER_UNDO : MST_RECOVER_FINISH;
        struct mst_restore_opts o;
        struct mst_restore_result res;
        struct mst_restore_source *s = keep_source(k, b.id);
        struct mst_str report = {0};
        char(*runs)[MST_RUN_HEX] = NULL;
        size_t n = 0;

        keep_restore_opts(k, &o);
        o.at = stop_at;
        o.at_arg = &stop;
        assert_rc(keep_restore(k, &o, s, &res, &err), MST_E_UNKNOWN, &err);
        assert_true(stop.hit);
        assert_ok(mst_restore_open_swaps(&k->journal, &runs, &n, &err), &err);
        assert_int_equal(n, 1);
        assert_string_equal(runs[0], res.run);
        free(runs);
        o.at = NULL;
        assert_rc(mst_restore_clean(&o, res.run, &k->task, &n, &err), MST_E_PRECOND, &err);
        assert_ok(mst_restore_recover(&o, NULL, how, &k->task, &n, &report, &err), &err);
        assert_int_equal(n, 5);
        wholly(k, how == MST_RECOVER_FINISH);
        mst_str_release(&report);
        if (how == MST_RECOVER_FINISH) {
            assert_ok(mst_restore_discard(&o, res.run, &k->task, &n, &err), &err);
            break_live(k);
        } else {
            assert_ok(mst_restore_clean(&o, res.run, &k->task, &n, &err), &err);
            assert_int_equal(n, 4);
        }
        assert_int_equal(keep_leavings(k, false, NULL) + keep_leavings(k, true, NULL), 0);
        wholly(k, false);
        mst_restore_result_release(&res);
        mst_restore_source_free(s);
        tries++;
    }
    print_message("    %zu crashes inside the swap\n", tries);
}

static void client_writes(struct keep *k)
{
    keep_do(k, "shop", "{'insert': 'orders', 'documents': [{'_id': 'mine'}]}");
    keep_do(k, "shop", "{'insert': 'people', 'documents': [{'_id': 'mine', 'name': 'x'}]}");
}

static void a_clients_insert_in_the_gap_is_never_overwritten(void **state)
{
    struct keep *k = *state;
    struct mst_backup_result b;
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct stop stop = {.k = k, .point = "between", .act = client_writes};
    static const char *const in[] = {"shop.orders"};
    struct mst_err err = {0};

    keep_backup(k, &b);
    keep_restore_opts(k, &o);
    o.at = stop_at;
    o.at_arg = &stop;
    o.n_include = 1;
    o.include = in;
    s = keep_source(k, b.id);
    assert_rc(keep_restore(k, &o, s, &res, &err), MST_E_INCOMPLETE, &err);
    assert_non_null(strstr(err.msg, "shop.orders"));
    assert_true(stop.hit);
    assert_int_equal(keep_count(k, "shop", "orders"), 1); /* the client's */
    assert_int_equal(keep_leavings(k, false, NULL), 1);   /* the restored one */
    assert_int_equal(keep_leavings(k, true, NULL), 1);    /* the old one */
    mst_restore_result_release(&res);
    mst_restore_source_free(s);
}

/* ---- refusals ---- */

static void a_plan_is_refused_below_the_backups_version(void **state)
{
    struct keep *k = *state;
    struct mst_backup_result b;
    struct mst_restore_opts o;
    struct mst_restore_plan *p = NULL;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct mst_err err = {0};

    keep_backup(k, &b);
    keep_restore_opts(k, &o);
    s = keep_source(k, b.id);
    (void)mst_copy(s->fcv, sizeof s->fcv, "9.0");
    assert_ok(mst_restore_prepare(&o, s, &k->task, &p, &err), &err);
    assert_true(p->refused);
    assert_rc(mst_restore_run(&o, s, p, &k->task, &res, &err), MST_E_PRECOND, &err);
    assert_int_equal(keep_leavings(k, false, NULL), 0);
    mst_restore_plan_free(p);
    mst_restore_source_free(s);
}

static void a_plan_is_stale_when_the_target_moved(void **state)
{
    struct keep *k = *state;
    struct mst_backup_result b;
    struct mst_restore_opts o;
    struct mst_restore_plan *p = NULL;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct mst_err err = {0};

    keep_backup(k, &b);
    keep_restore_opts(k, &o);
    s = keep_source(k, b.id);
    assert_ok(mst_restore_prepare(&o, s, &k->task, &p, &err), &err);
    assert_string_equal(p->phrase, "replace 4 collections in rs0");
    keep_do(k, "shop", "{'drop': 'people'}");
    keep_do(k, "shop", "{'create': 'people'}");
    assert_rc(mst_restore_run(&o, s, p, &k->task, &res, &err), MST_E_STALE, &err);
    assert_int_equal(keep_leavings(k, false, NULL), 0);
    mst_restore_plan_free(p);
    mst_restore_source_free(s);
}

struct flip {
    char path[600];
};

static int find_data(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)f;
    if (flag == FTW_F && strstr(path, "/d/") && st->st_size > 100) {
        FILE *io = fopen(path, "r+b");
        int c;

        assert_non_null(io);
        assert_int_equal(fseek(io, st->st_size / 2, SEEK_SET), 0);
        c = fgetc(io);
        assert_int_equal(fseek(io, st->st_size / 2, SEEK_SET), 0);
        (void)fputc(c ^ 1, io);
        (void)fclose(io);
        return 1;
    }
    return 0;
}

static void a_flipped_byte_is_found_before_anything_is_written(void **state)
{
    struct keep *k = *state;
    struct mst_backup_result b;
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct mst_err err = {0};
    bson_t *live = keep_dbhash(k, "shop");

    keep_backup(k, &b);
    assert_int_equal(nftw(k->dir, find_data, 16, FTW_PHYS), 1);
    keep_restore_opts(k, &o);
    s = keep_source(k, b.id);
    assert_rc(keep_restore(k, &o, s, &res, &err), MST_E_INTEGRITY, &err);
    assert_int_equal(keep_leavings(k, false, NULL) + keep_leavings(k, true, NULL), 0);
    same(k, "shop", live);
    mst_restore_result_release(&res);
    mst_restore_source_free(s);
    bson_destroy(live);
}

static void a_broken_unique_index_names_the_documents(void **state)
{
    struct keep *k = *state;
    struct mst_backup_result b;
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct mst_err err = {0};
    bson_t *live = keep_dbhash(k, "shop");

    keep_backup(k, &b);
    keep_restore_opts(k, &o);
    s = keep_source(k, b.id);
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->colls[i].coll, "orders") == 0) {
            bson_destroy(s->colls[i].indexes);
            s->colls[i].indexes =
                BCON_NEW("0", "{", "v", BCON_INT32(2), "unique", BCON_BOOL(true), "key", "{",
                         "customer", BCON_INT32(1), "}", "name", BCON_UTF8("u"), "}");
        }
    }
    assert_rc(keep_restore(k, &o, s, &res, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "unique index { \"customer\" : 1 }"));
    assert_non_null(strstr(err.msg, "the documents { \"_id\" : "));
    assert_non_null(strstr(err.msg, "nothing was swapped"));
    print_message("    %s\n", err.msg);
    assert_int_equal(keep_leavings(k, false, NULL) + keep_leavings(k, true, NULL), 0);
    same(k, "shop", live);
    mst_restore_result_release(&res);
    mst_restore_source_free(s);
    bson_destroy(live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
        T(a_quiet_set_comes_back_equal),
        T(only_what_fits_the_pattern_is_touched),
        T(a_crash_before_the_swap_leaves_the_live_ones_alone),
        T(a_cancel_cleans_up_after_itself),
        T(a_crash_inside_the_swap_is_finished_or_undone),
        T(a_clients_insert_in_the_gap_is_never_overwritten),
        T(a_plan_is_refused_below_the_backups_version),
        T(a_plan_is_stale_when_the_target_moved),
        T(a_flipped_byte_is_found_before_anything_is_written),
        T(a_broken_unique_index_names_the_documents),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("restore_set", tests, NULL, NULL);
}
