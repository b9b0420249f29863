#include "test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "restore/import/archive.h"
#include "restore/import/crc64.h"
#include "restore/import/ejson.h"
#include "restore/import/names.h"
#include "restore/source.h"

#define FIXTURE TEST_DATA "/mongodump"

static void the_crc_is_the_reflected_one(void **state)
{
    (void)state;
    assert_true(mst_crc64(0, "123456789", 9) == UINT64_C(0x995DC9BBDF1939FA));
    assert_true(mst_crc64(mst_crc64(0, "1234", 4), "56789", 5) == UINT64_C(0x995DC9BBDF1939FA));
    assert_true(mst_crc64(0, "", 0) == 0);
}

static struct mst_restore_source *open_dump(const char *name)
{
    struct mst_restore_source *s = NULL;
    struct mst_err err = {0};
    char *path = mst_xasprintf("%s/%s", FIXTURE, name);

    assert_ok(mst_restore_source_dump(path, NULL, &s, &err), &err);
    free(path);
    return s;
}

static const struct mst_src_coll *coll_of(const struct mst_restore_source *s, const char *name)
{
    size_t i;

    for (i = 0; i < s->n; i++) {
        if (strcmp(s->colls[i].coll, name) == 0 && strcmp(s->colls[i].db, "fixture") == 0) {
            return &s->colls[i];
        }
    }
    fail_msg("no collection %s", name);
    return NULL;
}

static const char *const names[] = {"types",   "empty",    "capped",
                                    "coll_fr", "per%cent", "caf\xc3\xa9/slash"};

static void archive_and_gzip_and_directory_hold_the_same(void **state)
{
    struct mst_restore_source *a = open_dump("fixture.archive");
    struct mst_restore_source *g = open_dump("fixture.archive.gz");
    struct mst_restore_source *d = open_dump("dump");
    size_t i;

    (void)state;
    assert_int_equal(a->n, 7);
    assert_int_equal(g->n, 7);
    assert_int_equal(d->n, 7);
    for (i = 0; i < MST_COUNT(names); i++) {
        const struct mst_src_coll *x = coll_of(a, names[i]), *y = coll_of(g, names[i]),
                                  *z = coll_of(d, names[i]);

        assert_int_equal(x->kind, MST_SRC_COLLECTION);
        assert_int_equal(x->documents, y->documents);
        assert_int_equal(x->documents, z->documents);
        assert_true(mst_sum256_equal(&x->sum, &y->sum));
        assert_true(mst_sum256_equal(&x->sum, &z->sum));
        assert_true(x->has_uuid && memcmp(x->uuid, z->uuid, 16) == 0);
        assert_true(bson_equal(x->options, z->options));
        assert_true(bson_equal(x->indexes, z->indexes));
    }
    assert_int_equal(coll_of(a, "view1")->kind, MST_SRC_VIEW);
    assert_int_equal(coll_of(d, "view1")->kind, MST_SRC_VIEW);
    assert_int_equal(coll_of(a, "capped")->documents, 5);
    assert_int_equal(bson_count_keys(coll_of(a, "types")->indexes), 4);
    mst_restore_source_free(a);
    mst_restore_source_free(g);
    mst_restore_source_free(d);
}

static void documents_come_out_as_they_were_counted(void **state)
{
    static const char *const forms[] = {"fixture.archive", "fixture.archive.gz", "dump",
                                        "dump/fixture"};
    size_t f, i;

    (void)state;
    for (f = 0; f < MST_COUNT(forms); f++) {
        struct mst_restore_source *s = open_dump(forms[f]);

        for (i = 0; i < s->n; i++) {
            struct mst_src_docs *in = NULL;
            const uint8_t *doc = NULL;
            uint32_t n = 0;
            uint64_t count = 0;
            struct mst_sum256 sum = {{0}};
            uint8_t digest[MST_SHA256_LEN];
            struct mst_err err = {0};

            if (s->colls[i].kind != MST_SRC_COLLECTION) {
                continue;
            }
            assert_ok(s->open_docs(s, i, &in, &err), &err);
            for (;;) {
                assert_ok(in->next(in, &doc, &n, &err), &err);
                if (!doc) {
                    break;
                }
                mst_sha256_of(doc, n, digest);
                mst_sum256_add(&sum, digest);
                count++;
            }
            assert_int_equal(count, s->colls[i].documents);
            assert_true(mst_sum256_equal(&sum, &s->colls[i].sum));
            in->close(in);
        }
        mst_restore_source_free(s);
    }
}

static void operators_in_a_validator_are_not_taken_for_types(void **state)
{
    struct mst_restore_source *s = open_dump("dump");
    const struct mst_src_coll *c = coll_of(s, "coll_fr");
    char text[16];

    (void)state;
    assert_true(mst_bson_text(c->options, "validator.n.$type", text, sizeof text));
    assert_string_equal(text, "int");
    assert_int_equal(mst_bson_i64(c->options, "collation.strength", 0), 1);
    mst_restore_source_free(s);
}

struct mem {
    const uint8_t *p;
    size_t n, at;
};

static enum mst_rc read_mem(void *arg, void *buf, size_t n, size_t *got, struct mst_err *err)
{
    struct mem *m = arg;

    (void)err;
    *got = n < m->n - m->at ? n : m->n - m->at;
    memcpy(buf, m->p + m->at, *got);
    m->at += *got;
    return MST_OK;
}

static enum mst_rc on_begin(void *arg, const bson_t *h, struct mst_err *err)
{
    (void)arg;
    (void)h;
    (void)err;
    return MST_OK;
}
static enum mst_rc on_ns(void *arg, size_t n, const struct mst_archive_ns *ns, const char *md,
                         struct mst_err *err)
{
    (void)arg;
    (void)n;
    (void)ns;
    (void)md;
    (void)err;
    return MST_OK;
}
struct places {
    uint64_t at[64];
    size_t n;
};

static enum mst_rc on_doc(void *arg, size_t n, const uint8_t *doc, uint32_t len, uint64_t offset,
                          struct mst_err *err)
{
    struct places *p = arg;

    (void)n;
    (void)doc;
    (void)err;
    if (p && p->n < MST_COUNT(p->at)) {
        p->at[p->n++] = offset + len / 2;
    }
    return MST_OK;
}
static enum mst_rc on_end(void *arg, size_t n, struct mst_err *err)
{
    (void)arg;
    (void)n;
    (void)err;
    return MST_OK;
}
static const struct mst_archive_sink nowhere = {NULL, on_begin, on_ns, on_doc, on_end};

static void a_flipped_or_missing_byte_of_an_archive_is_found(void **state)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};
    struct places docs = {{0}, 0};
    struct mst_archive_sink note = nowhere;
    struct mem all;
    size_t i;

    (void)state;
    assert_ok(mst_file_read(FIXTURE "/fixture.archive", 1u << 20, &b, &err), &err);
    all = (struct mem){b.p, b.len, 0};
    note.arg = &docs;
    assert_ok(mst_archive_read(read_mem, &all, &note, &err), &err);
    assert_true(docs.n > 10);
    for (i = 0; i < docs.n; i++) { /* the prelude's text carries no checksum, documents do */
        all.at = 0;
        b.p[docs.at[i]] ^= 0x10;
        assert_rc(mst_archive_read(read_mem, &all, &nowhere, &err), MST_E_INTEGRITY, &err);
        b.p[docs.at[i]] ^= 0x10;
    }
    for (i = 0; i < b.len; i += 61) {
        struct mem cut = {b.p, i, 0};

        assert_rc(mst_archive_read(read_mem, &cut, &nowhere, &err), MST_E_INTEGRITY, &err);
    }
    mst_buf_release(&b);
}

static void file_names_are_unescaped(void **state)
{
    char coll[MST_COLL_MAX];
    enum mst_dump_file what;
    bool gz;

    (void)state;
    assert_true(mst_dump_name("caf%C3%A9%2Fslash.metadata.json.gz", coll, &what, &gz));
    assert_string_equal(coll, "caf\xc3\xa9/slash");
    assert_int_equal(what, MST_DUMP_METADATA);
    assert_true(gz);
    assert_true(mst_dump_name("a+b.bson", coll, &what, &gz));
    assert_string_equal(coll, "a b");
    assert_false(mst_dump_name("x%2.bson", coll, &what, &gz));
    assert_false(mst_dump_name("x%00y.bson", coll, &what, &gz));
    assert_false(mst_dump_name(".bson", coll, &what, &gz));
    assert_false(mst_dump_name("notes.txt", coll, &what, &gz));
}

static void extended_json_is_read_or_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1} x",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":{\"$numberInt\":\"x\"}}",
        "{\"a\":tru}",
        "{a:1}",
        "{\"a\":01e}",
    };
    struct mst_err err = {0};
    bson_t *b = NULL;
    char text[64];
    const char *good =
        "{\"i\":1,\"l\":{\"$numberLong\":\"5\"},\"d\":{\"$numberDouble\":\"Infinity\"},"
        "\"s\":\"\\u00e9\\ud83d\\ude00\",\"o\":{\"$oid\":\"6b0378479c9e42105b5fd7cc\"},"
        "\"q\":{\"$gt\":{\"$numberInt\":\"3\"}},\"t\":{\"$date\":{\"$numberLong\":\"7\"}},"
        "\"a\":[true,null,1.5]}";
    size_t i;

    (void)state;
    assert_ok(mst_ejson_parse(good, strlen(good), &b, &err), &err);
    assert_int_equal(mst_bson_i64(b, "i", 0), 1);
    assert_int_equal(mst_bson_i64(b, "l", 0), 5);
    assert_int_equal(mst_bson_i64(b, "q.$gt", 0), 3);
    assert_int_equal(mst_bson_date(b, "t", 0), 7);
    assert_true(mst_bson_text(b, "s", text, sizeof text));
    assert_string_equal(text, "\xc3\xa9\xf0\x9f\x98\x80");
    bson_destroy(b);
    for (i = 0; i < MST_COUNT(bad); i++) {
        if (mst_ejson_parse(bad[i], strlen(bad[i]), &b, &err) != MST_E_INTEGRITY) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

static void a_missing_or_foreign_file_is_named(void **state)
{
    struct mst_restore_source *s = NULL;
    struct mst_err err = {0};

    (void)state;
    assert_rc(mst_restore_source_dump(FIXTURE "/nothing", NULL, &s, &err), MST_E_NOTFOUND, &err);
    assert_rc(mst_restore_source_dump(FIXTURE "/dbhash.json", NULL, &s, &err), MST_E_INTEGRITY,
              &err);
    assert_non_null(strstr(err.msg, "not a mongodump archive"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_crc_is_the_reflected_one),
        cmocka_unit_test(archive_and_gzip_and_directory_hold_the_same),
        cmocka_unit_test(documents_come_out_as_they_were_counted),
        cmocka_unit_test(operators_in_a_validator_are_not_taken_for_types),
        cmocka_unit_test(a_flipped_or_missing_byte_of_an_archive_is_found),
        cmocka_unit_test(file_names_are_unescaped),
        cmocka_unit_test(extended_json_is_read_or_refused),
        cmocka_unit_test(a_missing_or_foreign_file_is_named),
    };

    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
