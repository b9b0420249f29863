/* Which documents break a unique index: as the server says it, and as it is found without that. */
#include "keep_kit.h"

#include "restore/target.h"

struct looking {
    struct keep keep;
    struct mst_rs r;
};

static int begin(void **state)
{
    struct looking *l = mst_xcalloc(1, sizeof *l);
    const struct sbx_opts o = {.server = "4.2"};
    struct mst_err err = {0};

    keep_start(&l->keep, o);
    l->r.task = &l->keep.task;
    assert_ok(keep_connect(NULL, l->keep.primary, "dups", NULL, &l->r.c, &err), &err);
    *state = l;
    return 0;
}

static int end(void **state)
{
    struct looking *l = *state;

    mst_conn_free(l->r.c);
    keep_stop(&l->keep);
    free(l);
    return 0;
}

/* The _ids that are listed for this index; the caller frees. */
static char *found(struct looking *l, const char *coll, const char *spec, size_t room)
{
    struct mst_str out = {0};
    struct mst_err err = {0};
    char *text = mst_xstrdup(spec);
    bson_error_t bad;
    bson_t *b;

    for (char *p = text; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    b = bson_new_from_json((const uint8_t *)text, -1, &bad);
    assert_non_null(b);
    assert_ok(mst_dups_find(&l->r, "d", coll, b, room, 3, &out, &err), &err);
    bson_destroy(b);
    free(text);
    return mst_str_detach(&out);
}

static void expect(struct looking *l, const char *spec, const char *want)
{
    char *got = found(l, "c", spec, 1000);

    assert_string_equal(got ? got : "", want);
    free(got);
}

static void keys_are_made_as_an_index_makes_them(void **state)
{
    struct looking *l = *state;

    keep_do(&l->keep, "d",
            "{'insert': 'c', 'documents': ["
            "{'_id': 1, 'n': 7, 'a': [1, 2], 's': {'x': 1}, 't': [{'x': 1, 'y': 1}]},"
            "{'_id': 2, 'n': {'$numberDouble': '7.0'}, 'a': [2, 3], 't': [{'x': 1, 'y': 2}]},"
            "{'_id': 3, 'n': {'$numberDecimal': '7.0'}, 'a': 4, 't': {'x': 2, 'y': 2}},"
            "{'_id': 4, 'n': 8, 'a': [[2]], 's': {'x': 'A'}, 't': [{'x': 3, 'y': 1}, {'x': 1, "
            "'y': 2}]},"
            "{'_id': 5, 'a': [5, 5], 's': {'x': 'a'}}]}");
    expect(l, "{'key': {'n': 1}, 'unique': true}",
           "{ \"_id\" : 1 }, { \"_id\" : 2 }, { \"_id\" : 3 }");
    expect(l, "{'key': {'a': 1}, 'unique': true}", "{ \"_id\" : 1 }, { \"_id\" : 2 }");
    expect(l, "{'key': {'s.x': 1}, 'unique': true}", "{ \"_id\" : 2 }, { \"_id\" : 3 }");
    expect(l, "{'key': {'s.x': 1}, 'unique': true, 'sparse': true}", "");
    expect(l,
           "{'key': {'s.x': 1}, 'unique': true, 'sparse': true, 'collation': {'locale': 'en', "
           "'strength': 2}}",
           "{ \"_id\" : 4 }, { \"_id\" : 5 }");
    expect(l, "{'key': {'n': 1}, 'unique': true, 'partialFilterExpression': {'_id': {'$gt': 2}}}",
           "");
    expect(l, "{'key': {'t.x': 1, 't.y': 1}, 'unique': true}", "{ \"_id\" : 2 }, { \"_id\" : 4 }");
    expect(l, "{'key': {'n': 1, 'a': 1}, 'unique': true}", "{ \"_id\" : 1 }, { \"_id\" : 2 }");
}

static void a_large_collection_is_looked_at_in_parts(void **state)
{
    struct looking *l = *state;
    struct mst_err err = {0};
    bson_t *cmd = BCON_NEW("insert", "big"), list, one, reply;
    char *got;
    int i;

    BSON_APPEND_ARRAY_BEGIN(cmd, "documents", &list);
    for (i = 0; i < 5000; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%d", i);
        BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
        BSON_APPEND_INT32(&one, "_id", i);
        BSON_APPEND_INT32(&one, "k", i == 4321 ? 1234 : i);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(cmd, &list);
    assert_ok(mst_conn_command(l->r.c, "d", cmd, 30000, &reply, &err), &err);
    bson_destroy(&reply);
    bson_destroy(cmd);
    got = found(l, "big", "{'key': {'k': -1}, 'unique': true}", 100);
    assert_string_equal(got, "{ \"_id\" : 1234 }, { \"_id\" : 4321 }");
    free(got);
    got = found(l, "big", "{'key': {'_id': 1}, 'unique': true}", 100);
    assert_null(got && *got ? got : NULL);
    free(got);
}

static void the_server_names_the_key_of_a_refused_index(void **state)
{
    struct looking *l = *state;
    bson_t reply;

    keep_do(&l->keep, "d",
            "{'insert': 'c', 'documents': [{'_id': 1, 'n': 7}, {'_id': 2, 'n': 7}]}");
    assert_int_equal(kit_run(&l->keep.kit, keep_primary(&l->keep), "d", &reply,
                             "{'createIndexes': 'c', 'indexes': [{'key': {'n': -1}, 'name': 'n', "
                             "'unique': true}]}"),
                     11000);
    assert_int_equal(kit_int(&reply, "keyPattern.n"), -1);
    assert_int_equal(kit_int(&reply, "keyValue.n"), 7);
    bson_destroy(&reply);
    keep_do(&l->keep, "d",
            "{'createIndexes': 'e', 'indexes': [{'key': {'n': 1}, 'name': 'n', 'unique': true}]}");
    keep_do(&l->keep, "d", "{'insert': 'e', 'documents': [{'_id': 1, 'n': 5}]}");
    assert_int_equal(kit_run(&l->keep.kit, keep_primary(&l->keep), "d", &reply,
                             "{'findAndModify': 'e', 'query': {'_id': 9}, 'update': {'n': 5}, "
                             "'upsert': true}"),
                     11000);
    assert_int_equal(kit_int(&reply, "keyValue.n"), 5);
    bson_destroy(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_are_made_as_an_index_makes_them, begin, end),
        cmocka_unit_test_setup_teardown(a_large_collection_is_looked_at_in_parts, begin, end),
        cmocka_unit_test_setup_teardown(the_server_names_the_key_of_a_refused_index, begin, end),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("dups", tests, NULL, NULL);
}
