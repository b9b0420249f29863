/* What an export writes, byte for byte where the format leaves no choice. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "restore/export/doubles.h"
#include "restore/export/ejson_put.h"
#include "restore/export/export.h"
#include "restore/export/meta.h"
#include "restore/import/archive.h"
#include "restore/import/ejson.h"
#include "restore/import/names.h"
#include "runprog.h"
#include "smallfs.h"

#define FIXTURE TEST_DATA "/mongodump"

struct fix {
    char dir[64], path[128];
};

static int setup(void **state)
{
    struct fix *x = mst_xcalloc(1, sizeof *x);

    temp_dir(x->dir, sizeof x->dir);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fix *x = *state;

    temp_remove(x->dir);
    free(x);
    return 0;
}

static const char *in(struct fix *x, const char *name)
{
    (void)snprintf(x->path, sizeof x->path, "%s/%s", x->dir, name);
    return x->path;
}

static struct mst_restore_source *open_dump(const char *path)
{
    struct mst_restore_source *s = NULL;
    struct mst_err err = {0};

    assert_ok(mst_restore_source_dump(path, NULL, &s, &err), &err);
    return s;
}

static enum mst_rc export_fixture(const char *archive, const char *dir, bool gzip,
                                  struct mst_err *err)
{
    struct mst_restore_source *s = open_dump(FIXTURE "/fixture.archive");
    const struct mst_export_opts o = {
        .archive = archive, .dir = dir, .gzip = gzip, .tool = "built-without-version-string"};
    struct mst_export_result res;
    const enum mst_rc rc = mst_export_run(&o, s, NULL, &res, err);

    if (rc == MST_OK) {
        assert_int_equal(res.collections, 6);
        assert_int_equal(res.views, 1);
        assert_int_equal(res.documents, 11);
    }
    mst_restore_source_free(s);
    return rc;
}

/* ---- the archive against the fixture ---- */

struct piece { /* of an archive, by what it is about: its bytes */
    char name[400];
    const uint8_t *p;
    size_t n;
};

static struct piece pieces_of[2][64];

static size_t take_apart(const struct mst_buf *b, struct piece *out)
{
    size_t at = 4, n = 0, start;
    bool prelude = true;

    assert_int_equal(mst_le32(b->p), MST_ARCHIVE_MAGIC);
    while (at < b->len) {
        char db[64] = "?", coll[300] = "?";
        bson_t doc;
        bool eof = false;

        start = at;
        if (mst_le32(b->p + at) == UINT32_MAX) {
            assert_true(prelude);
            prelude = false;
            at += 4;
            continue;
        }
        assert_true(bson_init_static(&doc, b->p + at, mst_le32(b->p + at)));
        (void)mst_bson_text(&doc, "db", db, sizeof db);
        (void)mst_bson_text(&doc, "collection", coll, sizeof coll);
        eof = mst_bson_bool(&doc, "EOF", false);
        at += doc.len;
        while (!prelude && mst_le32(b->p + at) != UINT32_MAX) {
            at += mst_le32(b->p + at);
        }
        at += prelude ? 0 : 4;
        assert_true(n < 64);
        (void)snprintf(out[n].name, sizeof out[n].name, "%s.%s %s", db, coll,
                       prelude ? "prelude"
                       : eof   ? "end"
                               : "documents");
        out[n].p = b->p + start;
        out[n++].n = at - start;
    }
    return n;
}

static void an_archive_has_the_bytes_of_the_stock_tool(void **state)
{
    struct fix *x = *state;
    struct mst_buf want = {0}, got = {0};
    struct mst_err err = {0};
    size_t n, m, i, k, same = 0;

    assert_ok(export_fixture(in(x, "a"), NULL, false, &err), &err);
    assert_ok(mst_file_read(FIXTURE "/fixture.archive", 1u << 20, &want, &err), &err);
    assert_ok(mst_file_read(in(x, "a"), 1u << 20, &got, &err), &err);
    n = take_apart(&want, pieces_of[0]);
    m = take_apart(&got, pieces_of[1]);
    assert_int_equal(n, 1 + 7 * 3);
    assert_int_equal(m, n);
    assert_int_equal(got.len, want.len);
    for (i = 1; i < n; i++) { /* 0 is the header, with the number of readers at a time */
        for (k = 1; k < m && strcmp(pieces_of[0][i].name, pieces_of[1][k].name) != 0; k++) {
        }
        if (k == m || pieces_of[0][i].n != pieces_of[1][k].n ||
            memcmp(pieces_of[0][i].p, pieces_of[1][k].p, pieces_of[0][i].n) != 0) {
            fail_msg("%s differs", pieces_of[0][i].name);
        }
        same++;
    }
    assert_int_equal(same, 21);
    mst_buf_release(&want);
    mst_buf_release(&got);
}

static void a_directory_has_the_files_of_the_stock_tool(void **state)
{
    static const char *const stems[] = {"caf%C3%A9%2Fslash", "capped", "coll_fr", "empty",
                                        "per%25cent",        "types"};
    struct fix *x = *state;
    struct mst_err err = {0};
    size_t i, k;
    struct stat st;

    assert_ok(export_fixture(NULL, in(x, "d"), false, &err), &err);
    for (i = 0; i <= MST_COUNT(stems); i++) {
        static const char *const ends[] = {"metadata.json", "bson"};
        const char *stem = i < MST_COUNT(stems) ? stems[i] : "view1";

        for (k = 0; k < (i < MST_COUNT(stems) ? 2u : 1u); k++) {
            char *a = mst_xasprintf("%s/d/fixture/%s.%s", x->dir, stem, ends[k]);
            char *b = mst_xasprintf("%s/dump/fixture/%s.%s", FIXTURE, stem, ends[k]);
            struct mst_buf got = {0}, want = {0};

            assert_ok(mst_file_read(a, 1u << 20, &got, &err), &err);
            assert_ok(mst_file_read(b, 1u << 20, &want, &err), &err);
            if (got.len != want.len || (want.len && memcmp(got.p, want.p, want.len) != 0)) {
                fail_msg("%s.%s differs", stem, ends[k]);
            }
            assert_int_equal(stat(a, &st), 0);
            assert_int_equal(st.st_mode & 0777, 0600);
            mst_buf_release(&got);
            mst_buf_release(&want);
            free(a);
            free(b);
        }
    }
    assert_int_equal(access(in(x, "d/fixture/view1.bson"), F_OK), -1);
    assert_int_equal(access(in(x, "d/prelude.json"), F_OK), 0);
    assert_int_equal(stat(in(x, "d/fixture"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void what_was_exported_is_read_back_as_it_was(void **state)
{
    static const struct {
        const char *archive, *dir;
        bool gzip;
    } forms[] = {{"a", NULL, false}, {"a.gz", NULL, true}, {NULL, "d", false}, {NULL, "dz", true}};
    struct fix *x = *state;
    struct mst_restore_source *was = open_dump(FIXTURE "/fixture.archive");
    size_t f, i, k;

    for (f = 0; f < MST_COUNT(forms); f++) {
        char *path = mst_xstrdup(in(x, forms[f].archive ? forms[f].archive : forms[f].dir));
        struct mst_restore_source *is;
        struct mst_err err = {0};

        assert_ok(export_fixture(forms[f].archive ? path : NULL, forms[f].dir ? path : NULL,
                                 forms[f].gzip, &err),
                  &err);
        is = open_dump(path);
        assert_int_equal(is->n, was->n);
        for (i = 0; i < was->n; i++) {
            const struct mst_src_coll *a = &was->colls[i], *b = NULL;

            for (k = 0; k < is->n; k++) {
                b = strcmp(is->colls[k].coll, a->coll) == 0 ? &is->colls[k] : b;
            }
            assert_non_null(b);
            assert_int_equal(b->kind, a->kind);
            assert_int_equal(b->documents, a->documents);
            assert_true(mst_sum256_equal(&a->sum, &b->sum));
            assert_true(bson_equal(a->options, b->options));
            assert_true(bson_equal(a->indexes, b->indexes));
            assert_memory_equal(a->uuid, b->uuid, 16);
        }
        mst_restore_source_free(is);
        free(path);
    }
    mst_restore_source_free(was);
}

/* ---- refusals ---- */

static void nothing_is_written_over(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    struct mst_buf b = {0};

    assert_ok(mst_file_replace(in(x, "a"), 0600, "mine", 4, &err), &err);
    assert_rc(export_fixture(in(x, "a"), NULL, false, &err), MST_E_EXISTS, &err);
    assert_non_null(strstr(err.msg, "writes over nothing"));
    assert_ok(mst_file_read(in(x, "a"), 100, &b, &err), &err);
    assert_int_equal(b.len, 4);
    mst_buf_release(&b);
    assert_rc(export_fixture(NULL, in(x, "a"), false, &err), MST_E_EXISTS, &err);
    assert_int_equal(mkdir(in(x, "d"), 0700), 0);
    assert_ok(mst_file_replace(in(x, "d/x"), 0600, "mine", 4, &err), &err);
    assert_rc(export_fixture(NULL, in(x, "d"), false, &err), MST_E_EXISTS, &err);
    assert_non_null(strstr(err.msg, "is not empty"));
    assert_int_equal(unlink(in(x, "d/x")), 0);
    assert_int_equal(mkdir(in(x, "d.part"), 0700), 0);
    assert_rc(export_fixture(NULL, in(x, "d"), false, &err), MST_E_EXISTS, &err);
    assert_int_equal(rmdir(in(x, "d.part")), 0);
    assert_int_equal(symlink("/etc/hosts", in(x, "link")), 0);
    assert_rc(export_fixture(in(x, "link"), NULL, false, &err), MST_E_EXISTS, &err);
    assert_rc(export_fixture(NULL, in(x, "link"), false, &err), MST_E_EXISTS, &err);
    assert_rc(export_fixture(in(x, "none/a"), NULL, false, &err), MST_E_IO, &err);
    assert_rc(export_fixture(NULL, "..", false, &err), MST_E_USAGE, &err);
    assert_ok(export_fixture(NULL, in(x, "d"), false, &err), &err); /* it is empty */
}

static void a_full_disk_says_so_and_keeps_nothing(void **state)
{
    struct fix *x = *state;
    char at[80];
    struct mst_err err = {0};

    if (!small_may) {
        print_message("SKIP design a full disk: no right to mount\n");
        skip();
    }
    (void)snprintf(at, sizeof at, "%s/small", x->dir);
    assert_int_equal(mkdir(at, 0700), 0);
    small_mount(at, 64);
    small_fill(at);
    assert_rc(export_fixture(in(x, "small/a"), NULL, false, &err), MST_E_IO, &err);
    assert_non_null(strstr(err.msg, "no room for"));
    assert_int_equal(access(in(x, "small/a.part"), F_OK), -1);
    assert_rc(export_fixture(NULL, in(x, "small/d"), true, &err), MST_E_IO, &err);
    assert_non_null(strstr(err.msg, "no room for"));
    assert_int_equal(access(in(x, "small/d.part"), F_OK), -1);
    small_unmount(at);
}

static enum mst_rc (*real_open)(struct mst_restore_source *s, size_t i, struct mst_src_docs **out,
                                struct mst_err *err);
static struct mst_task *to_cancel;

static enum mst_rc cancelling_open(struct mst_restore_source *s, size_t i,
                                   struct mst_src_docs **out, struct mst_err *err)
{
    mst_task_cancel(to_cancel);
    return real_open(s, i, out, err);
}

static void a_cancel_and_a_difference_leave_nothing(void **state)
{
    struct fix *x = *state;
    const char *const names[] = {"a", "d"};
    struct mst_task task;
    struct mst_err err = {0};
    struct mst_export_result res;
    size_t i;

    for (i = 0; i < 4; i++) {
        struct mst_restore_source *s = open_dump(FIXTURE "/fixture.archive");
        char *path = mst_xstrdup(in(x, names[i & 1]));
        const struct mst_export_opts o = {
            .archive = i & 1 ? NULL : path, .dir = i & 1 ? path : NULL, .tool = "t"};

        assert_ok(mst_task_init(&task, &err), &err);
        if (i < 2) {
            real_open = s->open_docs;
            to_cancel = &task;
            s->open_docs = cancelling_open;
        } else {
            s->colls[s->n - 1].sum.w[3] ^= 1; /* as the manifest would say */
        }
        assert_rc(mst_export_run(&o, s, &task, &res, &err),
                  i < 2 ? MST_E_CANCELLED : MST_E_INTEGRITY, &err);
        assert_int_equal(access(path, F_OK), -1);
        free(path);
        path = mst_xasprintf("%s/%s.part", x->dir, names[i & 1]);
        assert_int_equal(access(path, F_OK), -1);
        free(path);
        mst_task_release(&task);
        mst_restore_source_free(s);
    }
}

/* ---- names ---- */

static void names_are_escaped_as_the_stock_tool_does(void **state)
{
    static const struct {
        const char *coll, *file;
    } cases[] = {{"a", "a.bson"},
                 {"caf\xc3\xa9/slash", "caf%C3%A9%2Fslash.bson"},
                 {"a b", "a+b.bson"},
                 {"per%cent", "per%25cent.bson"},
                 {"../../etc/passwd", "..%2F..%2Fetc%2Fpasswd.bson"},
                 {"..", "...bson"},
                 {"x\ny", "x%0Ay.bson"},
                 {"$~-_.", "%24~-_..bson"}};
    char out[MST_DUMP_FILE_MAX], coll[MST_COLL_MAX], longest[256];
    enum mst_dump_file what;
    bool gz;
    size_t i;

    (void)state;
    for (i = 0; i < MST_COUNT(cases); i++) {
        mst_dump_file_name(cases[i].coll, ".bson", out);
        assert_string_equal(out, cases[i].file);
        assert_true(mst_dump_name(out, coll, &what, &gz));
        assert_string_equal(coll, cases[i].coll);
    }
    memset(longest, 'c', 238);
    longest[238] = 0;
    mst_dump_file_name(longest, ".metadata.json.gz", out);
    assert_int_equal(strlen(out), 255);
    longest[238] = 'c';
    longest[239] = 0;
    mst_dump_file_name(longest, ".metadata.json.gz", out);
    assert_int_equal(strlen(out), 255);
    assert_memory_equal(out, longest, 208);
    assert_string_equal(out + 208, "%24Yra-v073cODItn7cVYXijkzaFCI.metadata.json.gz");
}

static void a_database_that_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {"",    ".",   "..", "a/b", "../x",
                                      "a b", "a.b", "$x", "x\n", "\\"};
    struct mst_err err = {0};
    size_t i;

    (void)state;
    for (i = 0; i < MST_COUNT(bad); i++) {
        assert_rc(mst_dump_dir_ok(bad[i], &err), MST_E_INTEGRITY, &err);
    }
    assert_ok(mst_dump_dir_ok("shop", &err), &err);
    assert_ok(mst_dump_dir_ok("caf\xc3\xa9-1", &err), &err);
}

static void a_name_too_long_for_a_file_survives(void **state)
{
    struct fix *x = *state;
    struct mst_restore_source *s = open_dump(FIXTURE "/fixture.archive"), *back;
    const struct mst_export_opts o = {.dir = in(x, "d"), .tool = "t"};
    struct mst_export_result res;
    struct mst_err err = {0};
    size_t i, k;
    bool found = false;

    for (i = 0; i < s->n && strcmp(s->colls[i].coll, "types") != 0; i++) {
    }
    for (k = 0; k < 120; k++) { /* 240 bytes, 720 escaped; the cut is inside of an escape */
        memcpy(s->colls[i].coll + 2 * k, "\xc3\xa9", 3);
    }
    assert_ok(mst_export_run(&o, s, NULL, &res, &err), &err);
    back = open_dump(in(x, "d"));
    for (k = 0; k < back->n; k++) {
        found = found || (strcmp(back->colls[k].coll, s->colls[i].coll) == 0 &&
                          mst_sum256_equal(&back->colls[k].sum, &s->colls[i].sum));
    }
    assert_true(found);
    mst_restore_source_free(back);
    mst_restore_source_free(s);
}

/* ---- Extended JSON ---- */

static void every_type_is_written_in_its_canonical_form(void **state)
{
    static const char text[] =
        "{\"d\":{\"$numberDouble\":\"1.5\"},\"w\":{\"$numberDouble\":\"3.0\"},"
        "\"e\":{\"$numberDouble\":\"1e+300\"},\"n\":{\"$numberDouble\":\"NaN\"},"
        "\"m\":{\"$numberDouble\":\"-Infinity\"},\"z\":{\"$numberDouble\":\"-0.0\"},"
        "\"i\":{\"$numberInt\":\"-7\"},\"l\":{\"$numberLong\":\"9223372036854775807\"},"
        "\"s\":\"q\\\"b\\\\n\\nt\\tc\\u0001\xc3\xa9\",\"o\":{\"a\":[true,null,false]},"
        "\"b\":{\"$binary\":{\"base64\":\"AAH/\",\"subType\":\"04\"}},"
        "\"b1\":{\"$binary\":{\"base64\":\"AA==\",\"subType\":\"00\"}},"
        "\"id\":{\"$oid\":\"0123456789abcdef01234567\"},"
        "\"t\":{\"$date\":{\"$numberLong\":\"-1\"}},\"ts\":{\"$timestamp\":{\"t\":5,\"i\":6}},"
        "\"r\":{\"$regularExpression\":{\"pattern\":\"^a\",\"options\":\"im\"}},"
        "\"x\":{\"$numberDecimal\":\"1.10\"},\"min\":{\"$minKey\":1},\"max\":{\"$maxKey\":1},"
        "\"c\":{\"$code\":\"f()\"}}";
    bson_t *b = NULL;
    struct mst_str out = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_ejson_parse(text, sizeof text - 1, &b, &err), &err);
    assert_true(mst_ejson_put(b, false, &out));
    assert_string_equal(mst_str_c(&out), text);
    bson_destroy(b);
    mst_str_release(&out);
}

static void options_that_would_become_others_are_refused(void **state)
{
    struct mst_content_ns ns = {.db = "shop", .coll = "x"};
    struct mst_str out = {0};
    struct mst_err err = {0};

    (void)state;
    ns.options = BCON_NEW("validator", "{", "n", "{", "$numberInt", BCON_UTF8("1"), "}", "}");
    ns.indexes = bson_new();
    assert_rc(mst_dump_metadata_put(&ns, &out, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "shop.x"));
    bson_destroy(ns.options);
    ns.options = BCON_NEW("validator", "{", "n", "{", "$type", BCON_UTF8("int"), "}", "}");
    mst_str_reset(&out);
    assert_ok(mst_dump_metadata_put(&ns, &out, &err), &err);
    bson_destroy(ns.options);
    bson_destroy(ns.indexes);
    mst_str_release(&out);
}

/* ---- documents that were read twice ---- */

static bool again(struct mst_doubles *d, uint64_t coll, bson_t *take)
{
    const bool met = mst_doubles_again(d, coll, take);

    bson_destroy(take);
    return met;
}

static void added(struct mst_doubles *d, uint64_t coll, bson_t *take)
{
    assert_true(mst_doubles_add(d, coll, take));
    bson_destroy(take);
}

static void an_id_is_met_twice_only_when_it_was_inserted(void **state)
{
    static const uint64_t sizes[] = {10, MST_DOUBLES_HEAP + 1};
    struct mst_err err = {0};
    size_t k;

    (void)state;
    for (k = 0; k < MST_COUNT(sizes); k++) {
        struct mst_doubles *d = NULL;

        assert_ok(mst_doubles_new(sizes[k], NULL, &d, &err), &err);
        assert_false(again(d, 1, BCON_NEW("_id", BCON_INT32(1))));
        added(d, 1, BCON_NEW("_id", BCON_INT32(1)));
        added(d, 1, BCON_NEW("_id", BCON_UTF8("a"), "more", BCON_INT32(2)));
        added(d, 1, BCON_NEW("_id", BCON_UTF8("a")));
        assert_false(again(d, 1, BCON_NEW("_id", BCON_INT32(1))));
        assert_true(again(d, 1, BCON_NEW("x", BCON_NULL, "_id", BCON_DOUBLE(1.0))));
        assert_true(again(d, 1, BCON_NEW("_id", BCON_INT64(1))));
        assert_false(again(d, 2, BCON_NEW("_id", BCON_INT32(1))));
        assert_false(again(d, 1, BCON_NEW("_id", BCON_INT32(2))));
        assert_false(again(d, 1, BCON_NEW("_id", BCON_INT32(2))));
        assert_false(again(d, 1, BCON_NEW("_id", BCON_UTF8("a"))));
        assert_true(again(d, 1, BCON_NEW("_id", BCON_UTF8("a"))));
        assert_false(again(d, 1, BCON_NEW("a", BCON_UTF8("a"))));
        mst_doubles_free(d);
    }
    {
        struct mst_doubles *d = NULL;

        assert_rc(mst_doubles_new(MST_DOUBLES_HEAP + 1, "/nowhere", &d, &err), MST_E_IO, &err);
        assert_non_null(strstr(err.msg, "/nowhere"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_archive_has_the_bytes_of_the_stock_tool, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_directory_has_the_files_of_the_stock_tool, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_exported_is_read_back_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_written_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_says_so_and_keeps_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancel_and_a_difference_leave_nothing, setup, teardown),
        cmocka_unit_test(names_are_escaped_as_the_stock_tool_does),
        cmocka_unit_test(a_database_that_is_no_name_is_refused),
        cmocka_unit_test_setup_teardown(a_name_too_long_for_a_file_survives, setup, teardown),
        cmocka_unit_test(every_type_is_written_in_its_canonical_form),
        cmocka_unit_test(options_that_would_become_others_are_refused),
        cmocka_unit_test(an_id_is_met_twice_only_when_it_was_inserted),
    };

    small_init();
    return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
