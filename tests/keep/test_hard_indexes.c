/* Every kind of index and option goes through backup, restore and replay: what the source lists is
 * what the target lists, and dbHash is the same. */
#include "keep_kit.h"

#define PLAIN \
    "{'key': {'a': 1}, 'name': 'a_1'}, {'key': {'a': -1, 'b': 1}, 'name': 'compound'}, " \
    "{'key': {'l.x': 1, 'l.y': -1}, 'name': 'multikey'}, " \
    "{'key': {'t': 'text', 'u': 'text'}, 'name': 'text', 'weights': {'t': 10, 'u': 1}, " \
    "'default_language': 'french', 'language_override': 'lang'}, " \
    "{'key': {'loc': '2dsphere', 'a': 1}, 'name': 'sphere'}, " \
    "{'key': {'flat': '2d'}, 'name': 'flat', 'bits': 20, 'min': -100.0, 'max': 100.0}, " \
    "{'key': {'h': 'hashed'}, 'name': 'hashed'}, " \
    "{'key': {'$**': 1}, 'name': 'wild', 'wildcardProjection': {'w.x': 1, 'w.y': 1}}, " \
    "{'key': {'w.$**': 1}, 'name': 'wild_below'}, " \
    "{'key': {'p': 1}, 'name': 'partial', 'partialFilterExpression': {'p': {'$gt': 5}}}, " \
    "{'key': {'p': 1, 'q': 1}, 'name': 'partial unique', 'unique': true, " \
    "'partialFilterExpression': {'q': {'$exists': true}}}, " \
    "{'key': {'s': 1}, 'name': 'sparse', 'sparse': true}, " \
    "{'key': {'at': 1}, 'name': 'ttl', 'expireAfterSeconds': 360000}, " \
    "{'key': {'n': 1}, 'name': 'unique', 'unique': true}, " \
    "{'key': {'c': 1}, 'name': 'collated', 'collation': {'locale': 'de', 'strength': 1}}, " \
    "{'key': {'bg': 1}, 'name': 'background', 'background': true}, " \
    "{'key': {'se': 1}, 'name': 'engine', 'storageEngine': {'wiredTiger': {'configString': " \
    "'prefix_compression=false'}}}, " \
    "{'key': {'b': 1}, 'name': '\xc3\xa9 $ . name'}"
#define HIDDEN ", {'key': {'hid': 1}, 'name': 'hidden', 'hidden': true}"
#define COLLATED \
    "{'key': {'a': 1}, 'name': 'inherited'}, " \
    "{'key': {'b': 1}, 'name': 'bytes', 'collation': {'locale': 'simple'}}, " \
    "{'key': {'c': 1}, 'name': 'other', 'collation': {'locale': 'de', 'caseLevel': true}}, " \
    "{'key': {'u': 1}, 'name': 'unique', 'unique': true}"

struct window {
    struct keep *k;
    bool newer;
};

static void do_on(struct keep *k, const char *list, const char *coll, const char *more)
{
    char *json = mst_xasprintf("{'createIndexes': '%s', 'indexes': [%s%s]}", coll, list, more);

    keep_do(k, "kinds", json);
    free(json);
}

static void fill(struct keep *k, const char *coll, int from)
{
    int i;

    for (i = from; i < from + 8; i++) {
        char *json = mst_xasprintf(
            "{'insert': '%s', 'documents': [{'_id': %d, 'a': %d, 'b': 'x', 'l': [{'x': 1, 'y': 2}, "
            "{'x': 3}], 't': 'un mot', 'loc': {'type': 'Point', 'coordinates': [1.5, 2.5]}, "
            "'flat': [1, 2], 'h': %d, 'w': {'x': 1, 'z': [1, 2]}, 'p': %d, 'q': %d, 'at': "
            "{'$date': "
            "'2026-01-01T00:00:00Z'}, 'n': %d, 'c': 'B', 'u': 'u%d'}]}",
            coll, i, i, i, i, i, i, i);

        keep_do(k, "kinds", json);
        free(json);
    }
}

static void at_point(void *arg, const char *point)
{
    struct window *w = arg;
    struct keep *k = w->k;

    if (strcmp(point, "scan") == 0) {
        fill(k, "late", 0);
        do_on(k, PLAIN, "late", w->newer ? HIDDEN : "");
        keep_do(k, "kinds", "{'create': 'late_fr', 'collation': {'locale': 'fr', 'strength': 2}}");
        do_on(k, COLLATED, "late_fr", "");
        fill(k, "late_fr", 0);
    } else if (strcmp(point, "end") == 0) {
        keep_do(k, "kinds", "{'dropIndexes': 'old', 'index': 'text'}");
        keep_do(k, "kinds", "{'dropIndexes': 'old', 'index': {'$**': 1}}");
        keep_do(k, "kinds",
                "{'collMod': 'old', 'index': {'name': 'ttl', 'expireAfterSeconds': 720000}}");
        keep_do(k, "kinds",
                "{'createIndexes': 'old', 'indexes': [{'key': {'b': 'text'}, 'name': 'again'}]}");
        keep_do(k, "kinds", "{'dropIndexes': 'gone', 'index': '*'}");
        if (w->newer) {
            keep_do(k, "kinds", "{'collMod': 'old', 'index': {'name': 'a_1', 'hidden': true}}");
            keep_do(k, "kinds",
                    "{'collMod': 'late', 'index': {'name': 'hidden', 'hidden': false}}");
        }
        fill(k, "old", 20);
        for (int i = 0; i < 3; i++) {
            (void)kit_wait_same(&k->kit, i, keep_primary(k), 10000);
        }
    }
}

static const char *const colls[] = {"old", "old_fr", "gone", "late", "late_fr"};

static void doc_at(const bson_iter_t *it, bson_t *out)
{
    const uint8_t *p = NULL;
    uint32_t n = 0;

    bson_iter_document(it, &n, &p);
    assert_true(bson_init_static(out, p, n));
}

/* The indexes of a collection in order of name; the caller destroys them. */
static bson_t *listed(struct keep *k, const char *coll)
{
    char *json = mst_xasprintf("{'listIndexes': '%s'}", coll);
    bson_t reply, part, *sorted = mst_xcalloc(1, sizeof *sorted);

    assert_int_equal(kit_run(&k->kit, keep_primary(k), "kinds", &reply, json), 0);
    assert_true(mst_bson_doc(&reply, "cursor.firstBatch", &part));
    keep_by_name(&part, sorted);
    bson_destroy(&reply);
    free(json);
    return sorted;
}

static void same_indexes(const char *coll, const bson_t *want, const bson_t *got)
{
    bson_iter_t a, b;

    assert_int_equal(bson_count_keys(want), bson_count_keys(got));
    assert_true(bson_iter_init(&a, want) && bson_iter_init(&b, got));
    while (bson_iter_next(&a) && bson_iter_next(&b)) {
        bson_t x, y;

        doc_at(&a, &x);
        doc_at(&b, &y);
        if (!bson_equal(&x, &y)) {
            fail_msg("%s: %s, wanted %s", coll, bson_as_canonical_extended_json(&y, NULL),
                     bson_as_canonical_extended_json(&x, NULL));
        }
    }
}

static void through(const char *server)
{
    struct keep *k = mst_xcalloc(1, sizeof *k);
    const struct sbx_opts so = {.server = server};
    struct window w = {.k = k, .newer = strcmp(server, "4.2") != 0};
    bson_t *want[MST_COUNT(colls)];
    struct mst_backup_opts bo;
    struct mst_backup_result b;
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct mst_err err = {0};
    bson_t *hash, *after;

    keep_start(k, so);
    k->quiet = true;
    fill(k, "old", 0);
    do_on(k, PLAIN, "old", w.newer ? HIDDEN : "");
    keep_do(k, "kinds", "{'create': 'old_fr', 'collation': {'locale': 'fr', 'strength': 2}}");
    do_on(k, COLLATED, "old_fr", "");
    fill(k, "old_fr", 0);
    do_on(k, PLAIN, "gone", "");
    keep_backup_opts(k, &bo);
    bo.at = at_point;
    bo.at_arg = &w;
    assert_ok(mst_backup_run(&bo, &k->task, &b, &err), &err);
    hash = keep_dbhash(k, "kinds");
    for (size_t i = 0; i < MST_COUNT(colls); i++) {
        want[i] = listed(k, colls[i]);
    }
    keep_do(k, "kinds", "{'dropDatabase': 1}");
    keep_restore_opts(k, &o);
    o.release_ttl = true;
    s = keep_source(k, b.id);
    assert_ok(keep_restore(k, &o, s, &res, &err), &err);
    for (size_t i = 0; i < MST_COUNT(colls); i++) {
        bson_t *got = listed(k, colls[i]);

        same_indexes(colls[i], want[i], got);
        bson_destroy(got);
        bson_destroy(want[i]);
        free(got);
        free(want[i]);
    }
    after = keep_dbhash(k, "kinds");
    assert_int_equal(bson_count_keys(after), MST_COUNT(colls));
    assert_true(bson_equal(hash, after));
    bson_destroy(hash);
    bson_destroy(after);
    mst_restore_result_release(&res);
    mst_restore_source_free(s);
    keep_stop(k);
    free(k);
}

static void every_kind_of_index_survives_on_4_2(void **state)
{
    (void)state;
    through("4.2");
}

static void every_kind_of_index_survives_on_7_0(void **state)
{
    (void)state;
    through("7.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_index_survives_on_4_2),
        cmocka_unit_test(every_kind_of_index_survives_on_7_0),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("hard_indexes", tests, NULL, NULL);
}
