/* A member's data: scans, versions, indexes, capped collections, hashes; no server around it. */
#include <bson/bson.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#include "base/mem.h"
#include "sandbox/data/data.h"

static const uint8_t nothing[] = {5, 0, 0, 0, 0};
static uint64_t seed = 42;

static uint32_t chance(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

static struct sbx_coll *make(struct sbx_data *d, const char *ns, struct sbx_doc options)
{
    struct sbx_why why = {0};
    struct sbx_coll *c = sbx_data_create(d, ns, NULL, options, sbx_doc(NULL, 0), &why);

    if (!c) {
        fail_msg("%s: %s", ns, why.msg);
    }
    return c;
}

/* {_id: id, x: x, pad: "..."}; the caller releases. */
static struct sbx_out doc_of(int32_t id, int32_t x, size_t pad)
{
    struct sbx_out o = {0};
    const size_t m = sbx_out_begin(&o);
    char text[512];

    memset(text, 'p', sizeof text);
    text[pad] = '\0';
    sbx_out_i32(&o, "_id", id);
    sbx_out_i32(&o, "x", x);
    if (pad) {
        sbx_out_str(&o, "pad", text);
    }
    sbx_out_end(&o, m);
    return o;
}

static struct sbx_stamp at(uint32_t t)
{
    return (struct sbx_stamp){{t, 1}, NULL};
}

static void put(struct sbx_coll *c, int32_t id, int32_t x, size_t pad, struct sbx_stamp stamp)
{
    struct sbx_out o = doc_of(id, x, pad);
    struct mst_buf scratch = {0};
    struct sbx_row row;

    if (sbx_coll_by_id(c, sbx_doc_get(sbx_out_done(&o), "_id"),
                       (struct sbx_view){SBX_TS_MAX, stamp.txd}, &scratch, &row)) {
        sbx_coll_update(c, sbx_coll_rec(c, &row), sbx_out_done(&o), stamp);
    } else {
        sbx_coll_insert(c, sbx_out_done(&o), stamp);
    }
    sbx_out_release(&o);
    mst_buf_release(&scratch);
}

static bool get(struct sbx_coll *c, int32_t id, struct sbx_view view, int32_t *x)
{
    uint8_t raw[4];
    struct mst_buf scratch = {0};
    struct sbx_row row;
    bool found;

    mst_put_le32(raw, (uint32_t)id);
    found = sbx_coll_by_id(c, (struct sbx_val){SBX_INT32, raw, 4}, view, &scratch, &row);
    if (found) {
        *x = (int32_t)sbx_val_i64(sbx_doc_get(row.doc, "x"));
    }
    mst_buf_release(&scratch);
    return found;
}

static void take(struct sbx_coll *c, int32_t id, struct sbx_stamp stamp)
{
    uint8_t raw[4];
    struct mst_buf scratch = {0};
    struct sbx_row row;

    mst_put_le32(raw, (uint32_t)id);
    assert_true(sbx_coll_by_id(c, (struct sbx_val){SBX_INT32, raw, 4},
                               (struct sbx_view){SBX_TS_MAX, stamp.txd}, &scratch, &row));
    sbx_coll_remove(c, sbx_coll_rec(c, &row), stamp);
    mst_buf_release(&scratch);
}

static int64_t next_id(struct sbx_scan *s, struct sbx_coll *c)
{
    struct sbx_row row;

    return sbx_scan_next(s, c, SBX_LATEST, &row) ? sbx_val_i64(sbx_doc_get(row.doc, "_id")) : -1;
}

static void a_natural_scan_meets_a_moved_document_twice(void **state)
{
    struct sbx_data *d = sbx_data_new();
    struct sbx_coll *c = make(d, "t.c", sbx_doc(nothing, 5));
    struct sbx_scan s;

    (void)state;
    sbx_data_move_on_grow(d, true);
    for (int i = 0; i < 4; i++) {
        put(c, i, 0, 0, at(1));
    }
    sbx_scan_init(&s, SBX_SCAN_NATURAL, false);
    assert_int_equal(next_id(&s, c), 0);
    assert_int_equal(next_id(&s, c), 1);
    put(c, 1, 0, 100, at(2)); /* grows: to the end */
    put(c, 2, 7, 0, at(3));   /* does not grow: stays */
    take(c, 3, at(4));
    put(c, 3, 0, 0, at(5)); /* comes back at the end */
    assert_int_equal(next_id(&s, c), 2);
    assert_int_equal(next_id(&s, c), 1);
    assert_int_equal(next_id(&s, c), 3);
    assert_int_equal(next_id(&s, c), -1);
    put(c, 9, 0, 0, at(6)); /* a live scan sees what comes later */
    assert_int_equal(next_id(&s, c), 9);
    sbx_scan_release(&s);
    sbx_scan_init(&s, SBX_SCAN_ID, true);
    assert_int_equal(next_id(&s, c), 9);
    assert_int_equal(next_id(&s, c), 3);
    sbx_scan_release(&s);
    assert_int_equal(c->count, 5);
    sbx_data_free(d);
}

static void a_capped_collection_forgets_its_oldest(void **state)
{
    struct sbx_data *d = sbx_data_new();
    struct sbx_out o = {0};
    const size_t m = sbx_out_begin(&o);
    struct sbx_coll *c;
    struct sbx_scan s;

    (void)state;
    sbx_out_bool(&o, "capped", true);
    sbx_out_i32(&o, "size", 5000);
    sbx_out_i32(&o, "max", 3);
    sbx_out_end(&o, m);
    c = make(d, "t.c", sbx_out_done(&o));
    assert_int_equal(c->cap_size, 5120); /* in units of 256 */
    for (int i = 0; i < 10; i++) {
        put(c, i, 0, 0, at((uint32_t)i + 1));
    }
    sbx_scan_init(&s, SBX_SCAN_NATURAL, false);
    for (int i = 7; i < 10; i++) {
        assert_int_equal(next_id(&s, c), i);
    }
    assert_int_equal(next_id(&s, c), -1);
    sbx_scan_release(&s);
    assert_int_equal(c->records.count, 3);
    sbx_out_release(&o);
    sbx_data_free(d);
}

static void older_readers_see_what_was_there_then(void **state)
{
    struct sbx_data *d = sbx_data_new();
    struct sbx_coll *c;
    struct sbx_view then = {{2, 1}, NULL};
    int32_t x = 0;

    (void)state;
    sbx_data_set_horizon(d, (struct mst_ts){1, 1});
    c = make(d, "t.c", sbx_doc(nothing, 5));
    put(c, 1, 10, 0, at(1));
    put(c, 2, 20, 0, at(2));
    put(c, 1, 11, 0, at(3));
    take(c, 2, at(4));
    put(c, 2, 22, 0, at(5)); /* the same _id, a new record */
    put(c, 3, 30, 0, at(6));
    assert_true(get(c, 1, then, &x));
    assert_int_equal(x, 10);
    assert_true(get(c, 2, then, &x));
    assert_int_equal(x, 20);
    assert_false(get(c, 3, then, &x));
    then.at.t = 4;
    assert_false(get(c, 2, then, &x));
    assert_true(get(c, 1, then, &x));
    assert_int_equal(x, 11);
    assert_true(get(c, 2, SBX_LATEST, &x));
    assert_int_equal(x, 22);
    assert_int_equal(c->count, 3);
    sbx_data_set_horizon(d, (struct mst_ts){9, 1});
    put(c, 4, 40, 0, at(10)); /* any write lets go of what nobody can ask for */
    assert_int_equal(c->records.count, 4);
    sbx_data_free(d);
}

static void a_transaction_is_seen_by_itself_until_it_commits(void **state)
{
    struct sbx_data *d = sbx_data_new();
    struct sbx_coll *c;
    struct sbx_txd *t;
    struct sbx_view mine, other = SBX_LATEST;
    struct sbx_why why = {0};
    struct sbx_out o = doc_of(5, 0, 0);
    int32_t x = 0;

    (void)state;
    sbx_data_set_horizon(d, (struct mst_ts){1, 1});
    c = make(d, "t.c", sbx_doc(nothing, 5));
    put(c, 1, 10, 0, at(1));
    put(c, 2, 20, 0, at(1));
    t = sbx_txd_new(d, (struct mst_ts){1, 1});
    mine = (struct sbx_view){{1, 1}, t};
    put(c, 1, 11, 0, (struct sbx_stamp){{0, 0}, t});
    put(c, 1, 12, 0, (struct sbx_stamp){{0, 0}, t});
    put(c, 5, 50, 0, (struct sbx_stamp){{0, 0}, t});
    take(c, 2, (struct sbx_stamp){{0, 0}, t});
    assert_true(get(c, 1, mine, &x));
    assert_int_equal(x, 12);
    assert_false(get(c, 2, mine, &x));
    assert_true(get(c, 1, other, &x));
    assert_int_equal(x, 10);
    assert_true(get(c, 2, other, &x));
    assert_false(get(c, 5, other, &x));
    assert_int_equal(c->pending, 3);
    assert_false(sbx_coll_check(c, NULL, sbx_out_done(&o), other, NULL, &why));
    assert_int_equal(why.code, 112); /* the _id is held */
    sbx_txd_commit(t, (struct mst_ts){7, 1});
    assert_int_equal(c->pending, 0);
    assert_true(get(c, 1, other, &x));
    assert_int_equal(x, 12);
    assert_false(get(c, 2, other, &x));
    assert_true(get(c, 2, (struct sbx_view){{6, 1}, NULL}, &x));
    assert_false(sbx_coll_check(c, NULL, sbx_out_done(&o), other, NULL, &why));
    assert_int_equal(why.code, 11000);
    t = sbx_txd_new(d, (struct mst_ts){7, 1});
    put(c, 1, 99, 0, (struct sbx_stamp){{0, 0}, t});
    put(c, 6, 60, 0, (struct sbx_stamp){{0, 0}, t});
    sbx_txd_abort(t);
    assert_true(get(c, 1, other, &x));
    assert_int_equal(x, 12);
    assert_false(get(c, 6, other, &x));
    assert_int_equal(c->count, 2);
    sbx_out_release(&o);
    sbx_data_free(d);
}

static bool add_index(struct sbx_coll *c, const char *json)
{
    bson_error_t bad;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &bad);
    struct sbx_out full = {0};
    struct sbx_why why = {0};
    bool ok;

    assert_non_null(b);
    ok = sbx_index_normal(c, sbx_doc(bson_get_data(b), b->len), &full, &why) &&
         sbx_index_add(c, sbx_out_done(&full), NULL, &why);
    sbx_out_release(&full);
    bson_destroy(b);
    return ok;
}

static int check(struct sbx_coll *c, const char *json)
{
    bson_error_t bad;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &bad);
    struct sbx_why why = {0};
    struct sbx_dup dup = {{{0}}, {{0}}};

    assert_non_null(b);
    if (sbx_coll_check(c, NULL, sbx_doc(bson_get_data(b), b->len), SBX_LATEST, &dup, &why)) {
        sbx_coll_insert(c, sbx_doc(bson_get_data(b), b->len), at(1));
    }
    sbx_out_release(&dup.pattern);
    sbx_out_release(&dup.value);
    bson_destroy(b);
    return why.code;
}

static void unique_indexes_are_kept(void **state)
{
    static const struct {
        const char *json;
        int code;
    } rows[] = {
        {"{\"_id\": 1, \"u\": 1}", 0},
        {"{\"_id\": 1.0, \"u\": 2}", 11000}, /* 1 is 1.0 */
        {"{\"_id\": 2, \"u\": 1.0}", 11000},
        {"{\"_id\": 3}", 0},
        {"{\"_id\": 4}", 11000}, /* missing is null, once */
        {"{\"_id\": 5, \"u\": [7, 8]}", 0},
        {"{\"_id\": 6, \"u\": [9, 8]}", 11000},
        {"{\"_id\": 7, \"u\": 100, \"s\": 1}", 0},
        {"{\"_id\": 8, \"u\": 101, \"s\": 1}", 11000},
        {"{\"_id\": 9, \"u\": 102}", 0}, /* sparse: no entry */
        {"{\"_id\": 10, \"u\": 103, \"p\": 5}", 0},
        {"{\"_id\": 11, \"u\": 104, \"p\": 5}", 0}, /* the filter asks for more than 10 */
        {"{\"_id\": 12, \"u\": 105, \"p\": 50}", 0},
        {"{\"_id\": 13, \"u\": 106, \"p\": 50}", 11000},
    };
    struct sbx_data *d = sbx_data_new();
    struct sbx_coll *c = make(d, "t.c", sbx_doc(nothing, 5));

    (void)state;
    assert_true(add_index(c, "{\"key\": {\"u\": 1}, \"name\": \"u_1\", \"unique\": true}"));
    assert_true(add_index(
        c, "{\"key\": {\"s\": 1}, \"name\": \"s_1\", \"unique\": true, \"sparse\": true}"));
    assert_true(add_index(c, "{\"key\": {\"p\": 1}, \"name\": \"p_1\", \"unique\": true, "
                             "\"partialFilterExpression\": {\"p\": {\"$gt\": 10}}}"));
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        if (check(c, rows[i].json) != rows[i].code) {
            fail_msg("%s is not %d", rows[i].json, rows[i].code);
        }
    }
    take(c, 1, at(2)); /* gives its key back */
    assert_int_equal(check(c, "{\"_id\": 1, \"u\": 1}"), 0);
    assert_int_equal(check(c, "{\"_id\": 20, \"u\": 200, \"z\": 1}"), 0);
    assert_int_equal(check(c, "{\"_id\": 21, \"u\": 201, \"z\": 1}"), 0);
    assert_false(add_index(c, "{\"key\": {\"z\": 1}, \"name\": \"z_1\", \"unique\": true}"));
    assert_int_equal(sbx_index_count(c), 4);
    sbx_data_free(d);
}

static int int_cmp(const void *key, const void *item)
{
    const int a = *(const int *)key, b = *(const int *)item;

    return (a > b) - (a < b);
}

static void the_sorted_list_holds_what_was_put_into_it(void **state)
{
    enum { N = 20000 };
    static int values[N];
    static bool in[N];
    struct sbx_tree t = {0};
    struct sbx_tree_at p;
    size_t n = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        values[i] = i;
    }
    for (int round = 0; round < 3 * N; round++) {
        const uint32_t i = chance(N);

        if (!in[i]) {
            sbx_tree_add(&t, &values[i], int_cmp, &values[i]);
        } else {
            assert_true(sbx_tree_del(&t, &values[i], int_cmp, &values[i]));
        }
        in[i] = !in[i];
    }
    int last = -1;
    for (const int *v = sbx_tree_first(&t, &p); v; v = sbx_tree_next(&t, &p)) {
        assert_true(*v > last && in[*v]);
        last = *v;
        n++;
    }
    assert_int_equal(n, t.count);
    for (const int *v = sbx_tree_last(&t, &p); v; v = sbx_tree_prev(&t, &p)) {
        n--;
    }
    assert_int_equal(n, 0);
    for (int i = 0; i < N; i += 7) {
        const int *v = sbx_tree_ge(&t, &i, int_cmp, &p);
        int want = i;

        while (want < N && !in[want]) {
            want++;
        }
        assert_true(v ? *v == want : want == N);
    }
    sbx_tree_release(&t);
}

static void computed_documents_are_the_same_at_every_reading(void **state)
{
    struct sbx_data *d = sbx_data_new(), *copy = sbx_data_new();
    struct sbx_coll *c = make(d, "t.c", sbx_doc(nothing, 5));
    const int64_t n = sbx_fill_count(100000);
    int64_t bytes = 0, rows = 0;
    char a[SBX_MD5_HEX], b[SBX_MD5_HEX];
    struct sbx_scan s;
    struct sbx_row row;

    (void)state;
    sbx_coll_set_fill(c, 7, n);
    assert_true(c->bytes >= 100000 && c->bytes < 102000);
    sbx_scan_init(&s, SBX_SCAN_NATURAL, false);
    while (sbx_scan_next(&s, c, SBX_LATEST, &row)) {
        assert_true(sbx_doc_valid(row.doc, NULL));
        assert_int_equal(sbx_val_i64(sbx_doc_get(row.doc, "_id")), rows);
        bytes += row.doc.n;
        rows++;
    }
    sbx_scan_release(&s);
    assert_int_equal(rows, n);
    assert_int_equal(bytes, c->bytes);
    take(c, 3, at(1));
    put(c, 5, 1, 0, at(2));
    put(c, -1, 1, 0, at(3));
    put(c, 1000000, 1, 0, at(3));
    sbx_data_copy(copy, d);
    sbx_coll_md5(c, SBX_LATEST, a);
    sbx_coll_md5(sbx_data_coll(copy, "t.c"), SBX_LATEST, b);
    assert_string_equal(a, b);
    assert_int_equal(sbx_data_coll(copy, "t.c")->count, n + 1);
    rows = 0;
    sbx_scan_init(&s, SBX_SCAN_ID, true); /* backwards, real and computed ones mixed */
    int64_t last = INT64_MAX;
    while (sbx_scan_next(&s, c, SBX_LATEST, &row)) {
        const int64_t id = sbx_val_i64(sbx_doc_get(row.doc, "_id"));

        assert_true(id < last && id != 3);
        last = id;
        rows++;
    }
    sbx_scan_release(&s);
    assert_int_equal(rows, n + 1);
    sbx_scan_init(&s, SBX_SCAN_NATURAL, true);
    for (rows = 0; sbx_scan_next(&s, c, SBX_LATEST, &row); rows++) {
    }
    sbx_scan_release(&s);
    assert_int_equal(rows, n + 1);
    sbx_data_free(d);
    sbx_data_free(copy);
}

/* ---- the server's own hashes ---- */

static uint8_t *read_all(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p = mst_xmalloc(1 << 20);

    assert_non_null(f);
    *n = fread(p, 1, 1 << 20, f);
    fclose(f);
    return p;
}

static void load(struct sbx_coll *c, const char *dir, const char *file)
{
    char *path = mst_xasprintf("%s/dump/fixture/%s", dir, file);
    size_t n, at_byte = 0, count = 0;
    uint8_t *p = read_all(path, &n);
    struct sbx_doc docs[256];

    while (at_byte < n) {
        assert_true(count < MST_COUNT(docs));
        docs[count++] = sbx_doc(p + at_byte, mst_le32(p + at_byte));
        at_byte += mst_le32(p + at_byte);
    }
    for (size_t i = count; !c->capped && i > 1; i--) { /* the order they came in must not matter */
        const size_t j = chance((uint32_t)i);
        const struct sbx_doc t = docs[j];

        docs[j] = docs[i - 1];
        docs[i - 1] = t;
    }
    for (size_t i = 0; i < count; i++) {
        sbx_coll_insert(c, docs[i], at(1));
    }
    free(p);
    free(path);
}

static void the_dumped_database_hashes_as_its_server_said(void **state)
{
    static const struct {
        const char *name, *file;
    } rows[] = {{"caf\xc3\xa9/slash", "caf%C3%A9%2Fslash.bson"},
                {"capped", "capped.bson"},
                {"coll_fr", "coll_fr.bson"},
                {"empty", "empty.bson"},
                {"per%cent", "per%25cent.bson"},
                {"types", "types.bson"}};
    const char *dir = TEST_DATA "/mongodump";
    struct sbx_data *d = sbx_data_new();
    struct sbx_out capped = {0};
    const size_t m = sbx_out_begin(&capped);
    char *path = mst_xasprintf("%s/dbhash.json", dir);
    bson_error_t bad;
    size_t n;
    uint8_t *text;
    bson_t *want;

    (void)state;
    text = read_all(path, &n);
    want = bson_new_from_json(text, (ssize_t)n, &bad);
    assert_non_null(want);
    sbx_out_bool(&capped, "capped", true);
    sbx_out_i32(&capped, "size", 8192);
    sbx_out_i32(&capped, "max", 5);
    sbx_out_end(&capped, m);
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        char *ns = mst_xasprintf("fixture.%s", rows[i].name);
        const bool cap = strcmp(rows[i].name, "capped") == 0;
        struct sbx_coll *c = make(d, ns, cap ? sbx_out_done(&capped) : sbx_doc(nothing, 5));
        char hex[SBX_MD5_HEX];
        const struct sbx_val v = sbx_doc_get(sbx_doc(bson_get_data(want), want->len), rows[i].name);

        load(c, dir, rows[i].file);
        sbx_coll_md5(c, SBX_LATEST, hex);
        assert_non_null(sbx_val_str(v, NULL));
        assert_string_equal(hex, sbx_val_str(v, NULL));
        free(ns);
    }
    bson_destroy(want);
    free(text);
    free(path);
    sbx_out_release(&capped);
    sbx_data_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sorted_list_holds_what_was_put_into_it),
        cmocka_unit_test(a_natural_scan_meets_a_moved_document_twice),
        cmocka_unit_test(a_capped_collection_forgets_its_oldest),
        cmocka_unit_test(older_readers_see_what_was_there_then),
        cmocka_unit_test(a_transaction_is_seen_by_itself_until_it_commits),
        cmocka_unit_test(unique_indexes_are_kept),
        cmocka_unit_test(computed_documents_are_the_same_at_every_reading),
        cmocka_unit_test(the_dumped_database_hashes_as_its_server_said),
    };

    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
