#include "test.h"

#include "base/mem.h"
#include "writer/model.h"

static struct mst_optime at(uint32_t t, uint32_t i)
{
    return (struct mst_optime){{t, i}, 1};
}

static bson_t *doc(int id, int v)
{
    return BCON_NEW("_id", BCON_INT32(id), "v", BCON_INT32(v));
}

static void put(struct sbx_model *m, uint32_t i, const char *ns, int id, int v)
{
    bson_t *d = doc(id, v);

    sbx_model_put(m, at(100, i), ns, d);
    bson_destroy(d);
}

static int value_of(const struct sbx_snapshot *s, const char *ns, int id)
{
    bson_t *d = doc(id, 0);
    const bson_t *found = sbx_snapshot_find(s, ns, d, NULL);
    bson_iter_t it;
    int v = -1;

    if (found && bson_iter_init_find(&it, found, "v")) {
        v = bson_iter_int32(&it);
    }
    bson_destroy(d);
    return v;
}

static void the_content_is_what_was_acknowledged_up_to_that_optime(void **state)
{
    struct sbx_model *m = sbx_model_new();
    struct sbx_snapshot *s;
    bson_t *d = doc(1, 0);

    (void)state;
    sbx_model_create(m, at(100, 1), "a.c");
    put(m, 2, "a.c", 1, 10);
    put(m, 3, "a.c", 2, 20);
    put(m, 4, "a.c", 1, 11);
    sbx_model_delete(m, at(100, 5), "a.c", d);
    put(m, 6, "a.c", 1, 12);
    s = sbx_model_at(m, (struct mst_ts){100, 1});
    assert_int_equal(sbx_snapshot_count(s, "a.c"), 0);
    sbx_snapshot_free(s);
    s = sbx_model_at(m, (struct mst_ts){100, 3});
    assert_int_equal(sbx_snapshot_count(s, "a.c"), 2);
    assert_int_equal(value_of(s, "a.c", 1), 10);
    sbx_snapshot_free(s);
    s = sbx_model_at(m, (struct mst_ts){100, 5});
    assert_int_equal(sbx_snapshot_count(s, "a.c"), 1);
    assert_int_equal(value_of(s, "a.c", 1), -1);
    sbx_snapshot_free(s);
    s = sbx_model_at(m, (struct mst_ts){101, 0});
    assert_int_equal(value_of(s, "a.c", 1), 12);
    assert_int_equal(sbx_snapshot_count(s, "a.none"), SIZE_MAX);
    sbx_snapshot_free(s);
    bson_destroy(d);
    sbx_model_free(m);
}

static void names_follow_renames_and_drops(void **state)
{
    struct sbx_model *m = sbx_model_new();
    struct sbx_snapshot *s;

    (void)state;
    put(m, 1, "a.c", 1, 10);
    put(m, 2, "a.old", 1, 99);
    sbx_model_rename(m, at(100, 3), "a.c", "a.old");
    put(m, 4, "a.c", 7, 70);
    put(m, 5, "b.x", 1, 1);
    sbx_model_drop_db(m, at(100, 6), "b");
    sbx_model_drop(m, at(100, 7), "a.c");
    s = sbx_model_at(m, (struct mst_ts){100, 5});
    assert_int_equal(value_of(s, "a.old", 1), 10);
    assert_int_equal(value_of(s, "a.c", 7), 70);
    assert_int_equal(value_of(s, "b.x", 1), 1);
    sbx_snapshot_free(s);
    s = sbx_model_at(m, (struct mst_ts){100, 7});
    assert_int_equal(sbx_snapshot_count(s, "a.c"), SIZE_MAX);
    assert_int_equal(sbx_snapshot_count(s, "b.x"), SIZE_MAX);
    assert_int_equal(sbx_snapshot_count(s, "a.old"), 1);
    sbx_snapshot_free(s);
    sbx_model_free(m);
}

static void a_lost_reply_leaves_its_document_in_doubt(void **state)
{
    struct sbx_model *m = sbx_model_new();
    struct sbx_snapshot *s;
    bson_t *d = doc(1, 0), *other = doc(2, 0);
    bool doubt;

    (void)state;
    put(m, 1, "a.c", 1, 10);
    put(m, 2, "a.c", 2, 20);
    sbx_model_doubt(m, "a.c", d);
    s = sbx_model_at(m, (struct mst_ts){100, 9});
    assert_non_null(sbx_snapshot_find(s, "a.c", d, &doubt));
    assert_true(doubt);
    assert_non_null(sbx_snapshot_find(s, "a.c", other, &doubt));
    assert_false(doubt);
    assert_int_equal(sbx_model_events(m), 3);
    assert_int_equal(sbx_model_newest(m).ts.i, 2);
    sbx_snapshot_free(s);
    bson_destroy(d);
    bson_destroy(other);
    sbx_model_free(m);
}

static void many_documents_stay_apart(void **state)
{
    struct sbx_model *m = sbx_model_new();
    struct sbx_snapshot *s;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        put(m, (uint32_t)i + 1, "a.c", i, i * 3);
    }
    s = sbx_model_at(m, (struct mst_ts){100, 5000});
    assert_int_equal(sbx_snapshot_count(s, "a.c"), 5000);
    for (int i = 0; i < 5000; i += 7) {
        assert_int_equal(value_of(s, "a.c", i), i * 3);
    }
    sbx_snapshot_free(s);
    sbx_model_free(m);
}

static void count_one(void *arg, const char *ns, size_t count)
{
    size_t *n = arg;

    (void)ns;
    (void)count;
    ++*n;
}

static void a_database_in_the_middle_of_its_drop_is_in_doubt(void **state)
{
    const uint32_t at[] = {11, 12, 15, 19, 20}; /* written at 12, dropped by the reply of 20 */
    const size_t want[] = {2, 1, 1, 1, 1};
    struct sbx_model *m = sbx_model_new();
    bson_t *doc = BCON_NEW("_id", BCON_INT32(1));
    size_t i;

    (void)state;
    sbx_model_create(m, (struct mst_optime){{9, 1}, 1}, "keep.a");
    sbx_model_create(m, (struct mst_optime){{10, 1}, 1}, "gone.a");
    sbx_model_put(m, (struct mst_optime){{12, 1}, 1}, "gone.a", doc);
    sbx_model_drop_db(m, (struct mst_optime){{20, 1}, 1}, "gone");
    for (i = 0; i < MST_COUNT(at); i++) {
        struct sbx_snapshot *s = sbx_model_at(m, (struct mst_ts){at[i], 1});
        size_t n = 0;

        sbx_snapshot_collections(s, count_one, &n);
        assert_int_equal(n, want[i]);
        sbx_snapshot_free(s);
    }
    bson_destroy(doc);
    sbx_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_in_the_middle_of_its_drop_is_in_doubt),
        cmocka_unit_test(the_content_is_what_was_acknowledged_up_to_that_optime),
        cmocka_unit_test(names_follow_renames_and_drops),
        cmocka_unit_test(a_lost_reply_leaves_its_document_in_doubt),
        cmocka_unit_test(many_documents_stay_apart),
    };

    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
