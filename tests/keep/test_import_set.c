#include "keep_kit.h"

#include "restore/source.h"

#define FIXTURE TEST_DATA "/mongodump"

static bson_t *wanted_hashes(void)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};
    bson_error_t bad;
    bson_t *doc;

    assert_ok(mst_file_read(FIXTURE "/dbhash.json", 65536, &b, &err), &err);
    doc = bson_new_from_json(b.p, (ssize_t)b.len, &bad);
    assert_non_null(doc);
    mst_buf_release(&b);
    return doc;
}

static void same_hashes(struct keep *k)
{
    bson_t *want = wanted_hashes(), *got = keep_dbhash(k, "fixture");
    bson_iter_t it, have;
    size_t n = 0;

    assert_true(bson_iter_init(&it, want));
    while (bson_iter_next(&it)) {
        if (!bson_iter_init_find(&have, got, bson_iter_key(&it))) {
            fail_msg("no collection %s", bson_iter_key(&it));
        }
        if (strcmp(bson_iter_utf8(&have, NULL), bson_iter_utf8(&it, NULL)) != 0) {
            fail_msg("%s: %s, wanted %s", bson_iter_key(&it), bson_iter_utf8(&have, NULL),
                     bson_iter_utf8(&it, NULL));
        }
        n++;
    }
    assert_int_equal(n, 7);
    bson_destroy(want);
    bson_destroy(got);
}

static void import_into(struct keep *k, struct mst_restore_source *s)
{
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_err err = {0};
    size_t dropped = 0;

    keep_restore_opts(k, &o);
    assert_ok(keep_restore(k, &o, s, &res, &err), &err);
    assert_true(res.swapped);
    assert_int_equal(res.n, 6);
    assert_int_equal(keep_outcome(&res, "types")->proof, MST_PROOF_EQUAL);
    assert_ok(mst_restore_discard(&o, res.run, &k->task, &dropped, &err), &err);
    mst_restore_result_release(&res);
    same_hashes(k);
}

static void import_path(struct keep *k, const char *path)
{
    struct mst_restore_source *s = NULL;
    struct mst_err err = {0};

    assert_ok(mst_restore_source_dump(path, &k->task, &s, &err), &err);
    import_into(k, s);
    mst_restore_source_free(s);
}

static void every_form_of_a_dump_gives_the_hashes_of_its_server(void **state)
{
    static const char *const servers[] = {"4.2", "7.0"};
    size_t i;

    (void)state;
    for (i = 0; i < MST_COUNT(servers); i++) {
        struct keep k;
        const struct sbx_opts o = {.server = servers[i]};

        keep_start(&k, o);
        import_path(&k, FIXTURE "/fixture.archive");
        import_path(&k, FIXTURE "/fixture.archive.gz");
        import_path(&k, FIXTURE "/dump");
        keep_stop(&k);
    }
}

/* ---- the same documents in another order ---- */

struct shuffled {
    struct mst_src_docs head;
    struct mst_buf *docs;
    size_t n, at;
};

static enum mst_rc shuffled_next(struct mst_src_docs *d, const uint8_t **doc, uint32_t *n,
                                 struct mst_err *err)
{
    struct shuffled *s = (struct shuffled *)d;

    (void)err;
    *doc = s->at < s->n ? s->docs[s->at].p : NULL;
    *n = s->at < s->n ? (uint32_t)s->docs[s->at].len : 0;
    s->at++;
    return MST_OK;
}

static void shuffled_close(struct mst_src_docs *d)
{
    struct shuffled *s = (struct shuffled *)d;
    size_t i;

    for (i = 0; i < s->n; i++) {
        mst_buf_release(&s->docs[i]);
    }
    free(s->docs);
    free(s);
}

static enum mst_rc (*real_open)(struct mst_restore_source *s, size_t i, struct mst_src_docs **out,
                                struct mst_err *err);

static uint64_t dealt; /* of the shuffle: another order each time */

/* In any order; a capped collection is its order, so it keeps it. */
static enum mst_rc open_shuffled(struct mst_restore_source *s, size_t i, struct mst_src_docs **out,
                                 struct mst_err *err)
{
    struct mst_src_docs *in = NULL;
    struct shuffled *x;
    const uint8_t *doc = NULL;
    uint32_t n = 0;
    size_t cap = 0, k;
    enum mst_rc rc = real_open(s, i, &in, err);

    if (rc != MST_OK || bson_has_field(s->colls[i].options, "capped")) {
        *out = in;
        return rc;
    }
    x = mst_xcalloc(1, sizeof *x);
    x->head.next = shuffled_next;
    x->head.close = shuffled_close;
    while (in->next(in, &doc, &n, err) == MST_OK && doc) {
        mst_grow((void **)&x->docs, &cap, x->n + 1, sizeof *x->docs);
        memset(&x->docs[x->n], 0, sizeof *x->docs);
        mst_buf_add(&x->docs[x->n++], doc, n);
    }
    in->close(in);
    for (k = x->n; k > 1; k--) {
        const struct mst_buf t = x->docs[k - 1];
        size_t other;

        dealt = dealt * 6364136223846793005ULL + 1442695040888963407ULL;
        other = (size_t)((dealt >> 33) % k);
        x->docs[k - 1] = x->docs[other];
        x->docs[other] = t;
    }
    *out = &x->head;
    return MST_OK;
}

static void the_order_of_insertion_does_not_matter(void **state)
{
    static const char *const servers[] = {"4.2", "4.2", "7.0"};
    size_t i;

    (void)state;
    dealt = 1;
    for (i = 0; i < MST_COUNT(servers); i++) {
        struct keep k;
        struct mst_restore_source *s = NULL;
        struct mst_err err = {0};
        const struct sbx_opts o = {.server = servers[i]};

        keep_start(&k, o);
        assert_ok(mst_restore_source_dump(FIXTURE "/dump", &k.task, &s, &err), &err);
        real_open = s->open_docs;
        s->open_docs = open_shuffled;
        import_into(&k, s);
        mst_restore_source_free(s);
        keep_stop(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_dump_gives_the_hashes_of_its_server),
        cmocka_unit_test(the_order_of_insertion_does_not_matter),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("import_set", tests, NULL, NULL);
}
