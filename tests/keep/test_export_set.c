/* A set backed up, exported, and read back into the emptied set: what its server hashes is the
 * same. */
#include "keep_kit.h"

#include "restore/export/export.h"
#include "restore/source.h"

#define FIXTURE TEST_DATA "/mongodump"

static void put_back(struct keep *k, struct mst_restore_source *s)
{
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_err err = {0};
    size_t dropped = 0;

    keep_restore_opts(k, &o);
    assert_ok(keep_restore(k, &o, s, &res, &err), &err);
    assert_true(res.swapped);
    assert_ok(mst_restore_discard(&o, res.run, &k->task, &dropped, &err), &err);
    mst_restore_result_release(&res);
}

static void import_path(struct keep *k, const char *path)
{
    struct mst_restore_source *s = NULL;
    struct mst_err err = {0};

    assert_ok(mst_restore_source_dump(path, &k->task, &s, &err), &err);
    put_back(k, s);
    mst_restore_source_free(s);
}

static void specs(struct keep *k, const char *coll, bson_t *out)
{
    bson_t reply, batch;
    char *json = mst_xasprintf("{'listIndexes': '%s'}", coll);

    assert_int_equal(kit_run(&k->kit, keep_primary(k), "fixture", &reply, json), 0);
    assert_true(mst_bson_doc(&reply, "cursor.firstBatch", &batch));
    keep_by_name(&batch, out);
    bson_destroy(&reply);
    free(json);
}

static void every_form_brings_back_the_hashes_and_the_indexes(void **state)
{
    static const char *const forms[] = {"a", "a.gz", "d", "d.gz"};
    struct keep k;
    struct mst_backup_result res;
    bson_t *want, had, has;
    size_t i;

    (void)state;
    keep_start(&k, (struct sbx_opts){.server = "4.2"});
    import_path(&k, FIXTURE "/fixture.archive");
    want = keep_dbhash(&k, "fixture");
    specs(&k, "types", &had);
    keep_backup(&k, &res);
    for (i = 0; i < MST_COUNT(forms); i++) {
        struct mst_restore_source *s = keep_source(&k, res.id);
        char *path = mst_xasprintf("%s/%s", k.dir, forms[i]);
        const struct mst_export_opts o = {.archive = forms[i][0] == 'a' ? path : NULL,
                                          .dir = forms[i][0] == 'd' ? path : NULL,
                                          .gzip = forms[i][1] == '.',
                                          .tool = "test"};
        struct mst_export_result out;
        struct mst_err err = {0};
        bson_t *got;

        assert_ok(mst_export_run(&o, s, &k.task, &out, &err), &err);
        assert_int_equal(out.documents, 11);
        assert_true(out.oplog);
        keep_do(&k, "fixture", "{'dropDatabase': 1}");
        import_path(&k, path);
        got = keep_dbhash(&k, "fixture");
        assert_true(bson_equal(want, got));
        specs(&k, "types", &has);
        assert_true(bson_equal(&had, &has));
        bson_destroy(&has);
        bson_destroy(got);
        mst_restore_source_free(s);
        free(path);
    }
    bson_destroy(&had);
    bson_destroy(want);
    keep_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_brings_back_the_hashes_and_the_indexes),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("export_set", tests, NULL, NULL);
}
