/* Backups that are sealed: what is done to them in the store is found, each with a sentence of its
 * own, and only the right key opens them. */
#include "sealed_kit.h"

#include "catalog/rebuild.h"
#include "store/fault.h"

/* --- the good one ----------------------------------------------------------------------------- */

static void a_sealed_backup_reads_back_and_says_who_signed_it(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result res;
    struct mst_err err;
    struct mst_backup b;

    assert_ok(verify(x, "latest", &res, &err), &err);
    assert_int_equal(res.level, 2);
    assert_int_equal(res.documents, 340);
    assert_int_equal(res.oplog_entries, 5);
    assert_string_equal(res.warning, "");
    b = listed(x, FIRST);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    assert_true(b.sealed && b.is_signed);
    assert_int_equal(b.verified_level, 2);
    assert_non_null(strstr(b.signer, "db1"));
    assert_int_equal(strlen(b.key_id), 32);
    assert_string_equal(b.chain, "");
}

static void the_documents_are_not_in_the_store(void **state)
{
    struct fix *x = *state;
    static const char *const names[] = {"d/0000-0", "oplog-0000", "manifest", "manifest.copy"};
    char path[MST_KEY_MAX + 64];

    for (size_t i = 0; i < MST_COUNT(names); i++) {
        struct mst_buf b = {0};

        path_of(x, FIRST, FAKE_ATTEMPT, names[i], path);
        slurp(path, &b);
        assert_memory_equal(b.p, "MUSTERE1", 8);
        assert_null(memmem(b.p, b.len, "\x28\xb5\x2f\xfd", 4)); /* a zstd frame */
        mst_buf_release(&b);
    }
}

struct taken {
    const struct mst_man_ns *ns;
    struct mst_extent e;
    uint64_t documents;
};

static enum mst_rc take_ns(void *arg, const struct mst_man_ns *ns, struct mst_err *err)
{
    struct taken *t = arg;

    (void)err;
    if (strcmp(ns->coll, "small") == 0) {
        t->e = ns->extents[0];
        t->documents = ns->documents;
    }
    return MST_OK;
}

static void an_extent_inside_of_a_sealed_object_is_read_by_itself(void **state)
{
    struct fix *x = *state;
    struct taken t = {0};
    struct mst_bkr *r;
    struct mst_docs *d;
    struct mst_err err = {0};
    const uint8_t *doc;
    uint32_t n;
    int32_t want = 1000;

    assert_ok(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), &err);
    assert_ok(mst_bkr_each_ns(r, take_ns, &t, NULL, &err), &err);
    assert_true(t.e.offset % MST_SEAL_CHUNK != 0);
    assert_ok(mst_docs_open_extents(r, &t.e, 1, &d, &err), &err);
    for (;;) {
        bson_t b;
        bson_iter_t it;

        assert_ok(mst_docs_next(d, &doc, &n, &err), &err);
        if (!doc) {
            break;
        }
        assert_true(bson_init_static(&b, doc, n) && bson_iter_init_find(&it, &b, "_id"));
        assert_int_equal(bson_iter_int32(&it), want++);
    }
    assert_int_equal(want, 1040);
    mst_docs_free(d);
    mst_bkr_free(r);
}

/* A document of so many bytes that do not compress. */
static void add_noise(struct mst_segw *w, size_t n)
{
    uint8_t *noise = mst_xmalloc(n);
    struct mst_err err = {0};
    uint32_t v = 2463534242U;
    bson_t b = BSON_INITIALIZER;

    for (size_t i = 0; i < n; i++) {
        v ^= v << 13;
        v ^= v >> 17;
        v ^= v << 5;
        noise[i] = (uint8_t)v;
    }
    BSON_APPEND_BINARY(&b, "x", BSON_SUBTYPE_BINARY, noise, (uint32_t)n);
    assert_ok(mst_segw_add(w, bson_get_data(&b), b.len, &err), &err);
    bson_destroy(&b);
    free(noise);
}

/* Sizes around the end of a chunk: the last one may be empty, and must still be read. */
static void containers_of_every_length_around_a_chunk_are_whole(void **state)
{
    struct fix *x = *state;
    struct mst_segment_id id = {.role = MST_SEG_DATA, .backup = FIRST, .attempt = FAKE_ATTEMPT};
    struct mst_data_key key = {0};
    const struct mst_sealing with = {&key, "rs0"};
    struct mst_err err = {0};
    bool empty_last = false;

    assert_ok(mst_data_key_new(&key, &err), &err);
    for (size_t n = MST_SEAL_CHUNK - 220; n < MST_SEAL_CHUNK - 60; n++) {
        struct mst_segw *w;
        struct mst_segr *r;
        uint8_t sha[MST_SHA256_LEN];
        const uint8_t *doc;
        uint64_t bytes, content = 0;
        uint32_t len;
        char name[64];

        (void)snprintf(name, sizeof(name), "seg-%zu", n);
        assert_ok(mst_segw_open(x->s, name, &id, &with, &w, &err), &err);
        add_noise(w, n);
        assert_ok(mst_segw_finish_take(w, &bytes, sha, &err), &err);
        assert_true(mst_seal_content(bytes, &content));
        empty_last = empty_last || content % MST_SEAL_CHUNK == 0;
        assert_ok(mst_segr_open(x->s, name, &id, &with, &r, &err), &err);
        assert_ok(mst_segr_next(r, &doc, &len, &err), &err);
        assert_true(doc && len > n);
        assert_ok(mst_segr_next(r, &doc, &len, &err), &err);
        assert_null(doc);
        mst_segr_free(r);
    }
    assert_true(empty_last);
    mst_data_key_release(&key);
}

/* Cut behind any chunk, a stored object has no size that a whole one could have. */
static void an_object_cut_behind_a_chunk_is_noticed(void **state)
{
    struct fix *x = *state;
    struct mst_segment_id id = {.role = MST_SEG_DATA, .backup = FIRST, .attempt = FAKE_ATTEMPT};
    struct mst_data_key key = {0};
    const struct mst_sealing with = {&key, "rs0"};
    struct mst_err err = {0};
    struct mst_buf b = {0};
    struct mst_segw *w;
    struct mst_segr *r;
    uint8_t sha[MST_SHA256_LEN];
    uint64_t bytes;
    char path[128];

    assert_ok(mst_data_key_new(&key, &err), &err);
    assert_ok(mst_segw_open(x->s, "long", &id, &with, &w, &err), &err);
    add_noise(w, 3 * MST_SEAL_CHUNK);
    assert_ok(mst_segw_finish_take(w, &bytes, sha, &err), &err);
    (void)snprintf(path, sizeof(path), "%s/long", x->dir);
    slurp(path, &b);
    assert_int_equal(b.len, bytes);
    for (size_t k = 1; k <= 3; k++) {
        spill(path, b.p, MST_SEAL_HEAD + k * (MST_SEAL_CHUNK + MST_SEAL_TAG));
        assert_rc(mst_segr_open(x->s, "long", &id, &with, &r, &err), MST_E_INTEGRITY, &err);
        assert_non_null(strstr(err.msg, "cut short"));
        err = (struct mst_err){0};
    }
    mst_buf_release(&b);
    mst_data_key_release(&key);
}

/* --- damage ----------------------------------------------------------------------------------- */

enum harm { FLIP_HEAD, FLIP, FLIP_END, CUT, GONE, PLAIN };

static void harm(const char *path, enum harm how)
{
    struct mst_buf b = {0};

    slurp(path, &b);
    if (how == GONE) {
        assert_int_equal(unlink(path), 0);
    } else if (how == CUT) {
        spill(path, b.p, b.len - 1);
    } else if (how == PLAIN) {
        memcpy(b.p, "MUSTERS1", 8);
        spill(path, b.p, b.len);
    } else {
        b.p[how == FLIP_HEAD ? 12 : how == FLIP ? b.len / 2 : b.len - 1] ^= 1;
        spill(path, b.p, b.len);
    }
    mst_buf_release(&b);
}

static void what_is_done_to_an_object_is_found_with_its_sentence(void **state)
{
    static const struct {
        enum harm how;
        const char *want;
    } rows[] = {
        {FLIP_HEAD, "key"}, {FLIP, "d/0000-0"}, {FLIP_END, "d/0000-0"},
        {CUT, "bytes"},     {GONE, "missing"},  {PLAIN, "is not sealed"},
    };
    struct fix *x = *state;

    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct mst_verify_result res;
        struct mst_err err = {0};
        char root[200], path[MST_KEY_MAX + 64];

        (void)snprintf(root, sizeof(root), "%s/pre", x->dir);
        fake_rm(root);
        assert_ok(fake_make(&x->f, &err), &err);
        path_of(x, FIRST, FAKE_ATTEMPT, "d/0000-0", path);
        harm(path, rows[i].how);
        assert_rc(verify(x, FIRST, &res, &err), MST_E_INTEGRITY, &err);
        if (!strstr(res.findings[0], rows[i].want)) {
            fail_msg("row %zu: %s", i, res.findings[0]);
        }
        assert_int_equal(listed(x, FIRST).state, MST_BK_DAMAGED);
    }
}

/* What fits byte for byte to another place does not open here. Its SHA-256 would betray it as well;
 * that is why the reader is asked and not verify. */
static void an_object_of_another_place_does_not_open(void **state)
{
    struct fix *x = *state;
    struct mst_data_key key = {0}, strange = {0};
    const struct mst_sealing with = {&key, "rs0"}, of_rs1 = {&key, "rs1"},
                             other = {&strange, "rs0"};
    const struct mst_segment_id here = {MST_SEG_DATA, FIRST, FAKE_ATTEMPT, 3, 1};
    struct mst_segment_id ids[6];
    struct mst_err err = {0};
    struct mst_segw *w;
    struct mst_segr *r;
    uint8_t sha[MST_SHA256_LEN];
    uint64_t bytes;

    assert_ok(mst_data_key_new(&key, &err), &err);
    assert_ok(mst_data_key_new(&strange, &err), &err);
    assert_ok(mst_segw_open(x->s, "o", &here, &with, &w, &err), &err);
    assert_ok(mst_segw_finish_take(w, &bytes, sha, &err), &err);
    for (size_t i = 0; i < MST_COUNT(ids); i++) {
        ids[i] = here;
    }
    ids[0].number = 4;
    ids[1].part = 0;
    ids[2].role = MST_SEG_OPLOG;
    (void)mst_copy(ids[3].backup, sizeof(ids[3].backup), SECOND);
    (void)mst_copy(ids[4].attempt, sizeof(ids[4].attempt), "00112233445566ab");
    for (size_t i = 0; i < 5; i++) {
        assert_rc(mst_segr_open(x->s, "o", &ids[i], &with, &r, &err), MST_E_INTEGRITY, &err);
    }
    assert_rc(mst_segr_open(x->s, "o", &here, &of_rs1, &r, &err), MST_E_INTEGRITY, &err);
    assert_rc(mst_segr_open(x->s, "o", &here, &other, &r, &err), MST_E_INTEGRITY, &err);
    assert_rc(mst_segr_open(x->s, "o", &here, NULL, &r, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "is sealed, and its backup is not"));
    err = (struct mst_err){0};
    assert_ok(mst_segr_open(x->s, "o", &here, &with, &r, &err), &err);
    mst_segr_free(r);
    mst_data_key_release(&key);
    mst_data_key_release(&strange);
}

static void swapped_objects_are_found(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result res;
    struct mst_err err;
    char a[MST_KEY_MAX + 64], b[MST_KEY_MAX + 64];

    path_of(x, FIRST, FAKE_ATTEMPT, "d/0000-0", a);
    path_of(x, FIRST, FAKE_ATTEMPT, "oplog-0000", b); /* two of one backup */
    swap(a, b);
    assert_rc(verify(x, FIRST, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(res.findings[0], "d/0000-0"));
    assert_non_null(strstr(res.findings[1], "oplog-0000"));
    swap(a, b);
    path_of(x, SECOND, FAKE_ATTEMPT, "d/0000-0", b); /* the same place in another backup */
    swap(a, b);
    assert_rc(verify(x, FIRST, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(res.findings[0], "d/0000-0"));
    swap(a, b);
    path_of(x, FIRST, FAKE_ATTEMPT, "manifest", a);
    path_of(x, SECOND, FAKE_ATTEMPT, "manifest", b);
    swap(a, b);
    assert_rc(verify(x, FIRST, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(res.findings[0], "manifest"));
}

static void a_header_of_another_backup_is_found(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result res;
    struct mst_err err;
    char a[MST_KEY_MAX + 64], b[MST_KEY_MAX + 64];

    path_of(x, FIRST, FAKE_ATTEMPT, "header", a);
    path_of(x, SECOND, FAKE_ATTEMPT, "header", b);
    copy(b, a);
    assert_rc(verify(x, FIRST, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "header"));
    assert_non_null(strstr(listed(x, FIRST).problem, "not the one that COMMIT names"));
}

/* --- keys ------------------------------------------------------------------------------------- */

static bool add_mark(void *arg, const struct mst_store_item *item)
{
    struct mst_str *keys = arg;

    if (strstr(item->key, "/marks/")) {
        mst_str_add(keys, item->key);
    }
    return true;
}

static void a_mark_in_the_store_names_no_collection(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result res;
    struct mst_err err = {0};
    struct mst_str key = {0};
    struct mst_buf b = {0};

    x->f.wrong_sum = true;
    assert_ok(fake_make(&x->f, &err), &err);
    assert_rc(verify(x, FIRST, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(res.text, "shop.small")); /* who has the key is told */
    assert_ok(mst_store_list(x->s, "pre", add_mark, &key, NULL, &err), &err);
    assert_ok(mst_store_read_all(x->s, mst_str_c(&key), MST_HEADER_MAX, &b, &err), &err);
    assert_null(memmem(b.p, b.len, "shop", 4));
    assert_null(memmem(b.p, b.len, "small", 5));
    assert_non_null(memmem(b.p, b.len, "\"ok\":false", 10));
    assert_non_null(strstr(listed(x, FIRST).problem, "a collection differs"));
    mst_buf_release(&b);
    mst_str_release(&key);
}

static void without_its_key_a_backup_is_hashed_and_not_called_read(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result res;
    struct mst_bkr *r;
    struct mst_err err;
    char path[MST_KEY_MAX + 64], want[64];

    x->means.identity = &x->other;
    assert_int_equal(listed(x, FIRST).state, MST_BK_COMPLETE);
    assert_ok(verify(x, FIRST, &res, &err), &err);
    assert_int_equal(res.level, 1);
    assert_int_equal(res.objects, 2);
    assert_non_null(strstr(res.text, "hashed, but not opened"));
    assert_int_equal(listed(x, FIRST).verified_level, 1);
    assert_rc(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), MST_E_AUTH, &err);
    (void)snprintf(want, sizeof(want), "%s (ops)", x->ops.id);
    assert_non_null(strstr(err.msg, want)); /* who could */
    path_of(x, FIRST, FAKE_ATTEMPT, "oplog-0000", path);
    flip(path, SIZE_MAX);
    assert_rc(verify(x, FIRST, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(res.findings[0], "oplog-0000: its SHA-256 is not the one in sums"));
    flip(path, SIZE_MAX);
    path_of(x, FIRST, FAKE_ATTEMPT, "sums", path);
    flip(path, 3);
    assert_rc(verify(x, FIRST, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(res.findings[0], "sums: its SHA-256"));
}

static void a_rebuild_without_the_key_hashes_both_manifests(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    struct mst_backup b = listed(x, FIRST);
    char path[MST_KEY_MAX + 64];
    bool unmarked;

    x->means.identity = NULL;
    assert_ok(mst_rebuild_look(&x->f.c, &b, "eva", NULL, &unmarked, &err), &err);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    path_of(x, FIRST, FAKE_ATTEMPT, "manifest.copy", path);
    flip(path, SIZE_MAX);
    assert_ok(mst_rebuild_look(&x->f.c, &b, "eva", NULL, &unmarked, &err), &err);
    assert_int_equal(b.state, MST_BK_DAMAGED);
    assert_non_null(strstr(b.problem, "manifest.copy"));
}

static void detail_without_the_key_has_the_objects_and_says_so(void **state)
{
    struct fix *x = *state;
    struct mst_backup_ns *ns;
    struct mst_object *objects;
    size_t n_ns, n_objects;
    struct mst_err err = {0};

    x->f.c.unlock = NULL;
    assert_rc(mst_catalog_detail(&x->f.c, FIRST, NULL, &ns, &n_ns, &objects, &n_objects, &err),
              MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "sealed"));
    assert_int_equal(n_ns, 0);
    assert_int_equal(n_objects, 7);
    free(ns);
    free(objects);
}

static void a_passphrase_opens_and_a_wrong_one_does_not(void **state)
{
    struct fix *x = *state;
    struct mst_secret wrong = {0};
    struct mst_verify_result res;
    struct mst_bkr *r;
    struct mst_err err = {0};

    x->readers.phrase = &x->phrase;
    x->readers.log2n = CHEAP;
    assert_ok(fake_make(&x->f, &err), &err);
    x->means.identity = NULL;
    x->means.phrase = &x->phrase;
    assert_ok(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), &err);
    mst_bkr_free(r);
    mst_secret_set(&wrong, "ten angry cats", 14);
    x->means.phrase = &wrong;
    assert_rc(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "passphrase"));
    /* To have no key is one thing; to have one that ought to open it, and it fails, another. */
    assert_rc(verify(x, FIRST, &res, &err), MST_E_INCOMPLETE, &err);
    assert_non_null(strstr(err.msg, FIRST ": every stored byte of 2 objects"));
    assert_non_null(strstr(err.msg, "hashed, but not opened"));
    assert_int_equal(res.level, 1);
    assert_true(res.ok);
    assert_int_equal(listed(x, FIRST).verified_level, 1);
    x->means.phrase = NULL;
    assert_ok(verify(x, FIRST, &res, &err), &err);
    mst_secret_release(&wrong);
}

static enum mst_rc wrap_plain(void *arg, const struct mst_data_key *key, struct mst_wrap_slot *out,
                              struct mst_err *err)
{
    (void)arg;
    (void)err;
    out->kind = MST_WRAP_COMMAND;
    (void)mst_copy(out->label, sizeof(out->label), "kms");
    out->n = MST_DATA_KEY_LEN;
    for (size_t i = 0; i < out->n; i++) {
        out->bytes[i] = key->p[i] ^ 0x5a;
    }
    return MST_OK;
}

static enum mst_rc unwrap_plain(void *arg, const struct mst_wrap_slot *slot,
                                struct mst_data_key *out, struct mst_err *err)
{
    uint8_t raw[MST_DATA_KEY_LEN];

    (void)err;
    for (size_t i = 0; i < sizeof(raw); i++) {
        raw[i] = slot->bytes[i] ^ *(const uint8_t *)arg;
    }
    mst_data_key_set(out, raw);
    return MST_OK;
}

static void a_program_opens_and_what_it_gives_is_checked(void **state)
{
    struct fix *x = *state;
    uint8_t mask = 0x5a;
    struct mst_bkr *r;
    struct mst_err err = {0};

    x->readers.n = 0;
    x->readers.wrap = wrap_plain;
    assert_ok(fake_make(&x->f, &err), &err);
    x->means = (struct mst_key_means){.unwrap = unwrap_plain, .unwrap_arg = &mask};
    assert_ok(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), &err);
    mst_bkr_free(r);
    mask = 0x5b;
    assert_rc(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "another key than it says"));
}

static void nobody_who_could_read_is_refused(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};

    x->readers.n = 0;
    assert_rc(fake_make(&x->f, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "seal.recipients"));
}

static void a_key_object_that_is_harmed_has_its_sentence(void **state)
{
    struct fix *x = *state;
    struct mst_bkr *r;
    struct mst_err err = {0};
    struct mst_buf b = {0}, c = {0};
    char one[MST_KEY_MAX + 64], two[MST_KEY_MAX + 64];
    char *at;

    key_path(x, FIRST, 0, one);
    key_path(x, SECOND, 0, two);
    slurp(one, &b);
    slurp(two, &c);
    flip(one, 60);
    assert_rc(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "does not end with the SHA-256"));
    copy(two, one);
    err = (struct mst_err){0};
    assert_rc(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "is of another backup"));
    assert_int_equal(unlink(one), 0);
    err = (struct mst_err){0};
    assert_rc(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "is missing: nobody can open it"));
    assert_int_equal(listed(x, FIRST).state, MST_BK_DAMAGED);
    assert_non_null(strstr(listed(x, FIRST).problem, "key object is missing"));
    at = memmem(b.p, b.len, "\"label\"", 7);
    assert_non_null(at);
    mst_buf_release(&b);
    mst_buf_release(&c);
}

/* Its slots were made for another backup, and everything around them fits. */
static void slots_of_another_backup_do_not_open(void **state)
{
    struct fix *x = *state;
    struct mst_key_object a, b;
    struct mst_buf buf = {0};
    struct mst_str s = {0};
    struct mst_bkr *r;
    struct mst_err err = {0};
    char one[MST_KEY_MAX + 64], two[MST_KEY_MAX + 64];

    key_path(x, FIRST, 0, one);
    key_path(x, SECOND, 0, two);
    slurp(one, &buf);
    assert_ok(mst_key_object_get((const char *)buf.p, buf.len, &a, &err), &err);
    slurp(two, &buf);
    assert_ok(mst_key_object_get((const char *)buf.p, buf.len, &b, &err), &err);
    a.slots[0] = b.slots[0];
    mst_key_object_put(&a, &s);
    spill(one, s.p, s.len);
    assert_rc(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), MST_E_INTEGRITY, &err);
    mst_str_release(&s);
    mst_buf_release(&buf);
}

static void the_newest_key_object_that_opens_counts(void **state)
{
    struct fix *x = *state;
    struct mst_key_object k;
    struct mst_buf buf = {0};
    struct mst_str s = {0};
    struct mst_bkr *r;
    struct mst_err err = {0};
    char zero[MST_KEY_MAX + 64], next[MST_KEY_MAX + 64];

    key_path(x, FIRST, 0, zero);
    key_path(x, FIRST, 1, next);
    slurp(zero, &buf);
    spill(next, "{}", 2); /* damaged: the one before it still opens */
    assert_ok(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), &err);
    mst_bkr_free(r);
    spill(next, buf.p, buf.len); /* as a rotation would write it; the first is gone */
    assert_int_equal(unlink(zero), 0);
    assert_ok(mst_bkr_open(&x->f.c, FIRST, NULL, &r, &err), &err);
    mst_bkr_free(r);
    assert_int_equal(listed(x, FIRST).state, MST_BK_COMPLETE);
    assert_ok(mst_key_object_get((const char *)buf.p, buf.len, &k, &err), &err);
    assert_int_equal(k.n, 1);
    assert_string_equal(k.slots[0].label, "ops");
    mst_str_release(&s);
    mst_buf_release(&buf);
}

static void names_of_key_objects_are_strict(void **state)
{
    static const struct {
        const char *name;
        bool ok;
    } rows[] = {
        {FIRST ".00112233445566aa.0", true},
        {FIRST ".00112233445566aa.12", true},
        {FIRST ".00112233445566aa.", false},
        {FIRST ".00112233445566aa.01", false},
        {FIRST ".00112233445566AA.0", false},
        {FIRST ".00112233445566aa.0x", false},
        {FIRST ".00112233445566aa", false},
        {FIRST ".00112233445566aa.99999", false},
        {FIRST "-00112233445566aa.0", false},
        {"", false},
        {"2026-11-32T22-30-00Z-full.00112233445566aa.0", false},
    };
    char id[MST_ID_MAX], attempt[17];
    unsigned n;

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        if (mst_keyobj_name(rows[i].name, id, attempt, &n) != rows[i].ok) {
            fail_msg("%s", rows[i].name);
        }
    }
}

static void clean_takes_the_keys_of_dead_attempts_with_it(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    char path[MST_KEY_MAX + 64], key[MST_KEY_MAX + 64];
    uint64_t removed;

    key_path(x, FIRST, 0, key);
    assert_ok(mst_catalog_clean(&x->f.c, FIRST, NULL, &removed, &err), &err);
    assert_int_equal(removed, 0); /* it is alive */
    assert_int_equal(access(key, F_OK), 0);
    path_of(x, FIRST, "", "COMMIT", path);
    assert_int_equal(unlink(path), 0);
    assert_ok(mst_catalog_clean(&x->f.c, FIRST, NULL, &removed, &err), &err);
    assert_int_equal(removed, 7); /* two objects, two manifests, sums, header, key */
    assert_int_equal(access(key, F_OK), -1);
}

/* A run that died right behind its key object: the key is not forgotten in the store. */
static void a_key_object_alone_is_an_incomplete_backup_that_can_be_cleaned(void **state)
{
    struct fix *x = *state;
    struct mst_backup *all, b;
    struct mst_err err = {0};
    char root[MST_KEY_MAX + 64];
    uint64_t removed;
    size_t n;

    path_of(x, FIRST, "", "", root);
    fake_rm(root);
    b = listed(x, FIRST);
    assert_int_equal(b.state, MST_BK_INCOMPLETE);
    assert_ok(mst_catalog_find(&x->f.c, FIRST, NULL, &b, &err), &err);
    assert_int_equal(b.state, MST_BK_INCOMPLETE);
    assert_ok(mst_catalog_clean(&x->f.c, FIRST, NULL, &removed, &err), &err);
    assert_int_equal(removed, 1);
    assert_ok(mst_catalog_list(&x->f.c, NULL, &all, &n, &err), &err);
    assert_int_equal(n, 1); /* the other one */
    assert_string_equal(all[0].id, SECOND);
    assert_int_equal(all[0].state, MST_BK_COMPLETE);
    free(all);
}

/* Every call that writes, failed in every way: a backup that reads back, or none. */
static void a_failure_at_any_step_of_sealing_leaves_no_false_backup(void **state)
{
    struct fix *x = *state;
    struct mst_store *fault = mst_store_fault_new(x->s);
    struct mst_err err = {0};
    uint64_t calls, complete = 0, incomplete = 0;

    x->f.c.store = fault;
    mst_store_fault_set(fault, MST_FAULT_NONE, 0, MST_E_IO);
    assert_ok(fake_make(&x->f, &err), &err);
    calls = mst_store_fault_calls(fault);
    assert_true(calls > 20);
    for (uint64_t at = 1; at <= calls; at++) {
        for (enum mst_fault_kind k = MST_FAULT_ONCE; k <= MST_FAULT_LOST; k++) {
            struct mst_verify_result res;
            struct mst_backup *all;
            enum mst_rc made;
            char root[200];
            size_t n;

            (void)snprintf(root, sizeof(root), "%s/pre", x->dir);
            fake_rm(root);
            mst_store_fault_set(fault, k, at, MST_E_IO);
            made = fake_make(&x->f, &err);
            x->f.c.store = x->s;
            assert_ok(mst_catalog_list(&x->f.c, NULL, &all, &n, &err), &err);
            if (n && all[0].state == MST_BK_COMPLETE) {
                complete++;
                assert_ok(verify(x, FIRST, &res, &err), &err);
                assert_int_equal(res.level, 2);
            } else {
                assert_true(made != MST_OK);
                assert_true(n == 0 || all[0].state == MST_BK_INCOMPLETE);
                incomplete++;
            }
            free(all);
            x->f.c.store = fault;
        }
    }
    assert_true(complete >= 1);
    assert_true(incomplete > 2 * calls - 10);
    mst_store_free(fault);
    x->f.c.store = x->s;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MADE(a_sealed_backup_reads_back_and_says_who_signed_it),
        MADE(the_documents_are_not_in_the_store),
        MADE(an_extent_inside_of_a_sealed_object_is_read_by_itself),
        BARE(containers_of_every_length_around_a_chunk_are_whole),
        BARE(an_object_cut_behind_a_chunk_is_noticed),
        BARE(what_is_done_to_an_object_is_found_with_its_sentence),
        BARE(an_object_of_another_place_does_not_open),
        TWO(swapped_objects_are_found),
        TWO(a_header_of_another_backup_is_found),
        BARE(a_mark_in_the_store_names_no_collection),
        MADE(without_its_key_a_backup_is_hashed_and_not_called_read),
        MADE(a_rebuild_without_the_key_hashes_both_manifests),
        MADE(detail_without_the_key_has_the_objects_and_says_so),
        BARE(a_passphrase_opens_and_a_wrong_one_does_not),
        BARE(a_program_opens_and_what_it_gives_is_checked),
        BARE(nobody_who_could_read_is_refused),
        TWO(a_key_object_that_is_harmed_has_its_sentence),
        TWO(slots_of_another_backup_do_not_open),
        MADE(the_newest_key_object_that_opens_counts),
        cmocka_unit_test(names_of_key_objects_are_strict),
        TWO(a_key_object_alone_is_an_incomplete_backup_that_can_be_cleaned),
        MADE(clean_takes_the_keys_of_dead_attempts_with_it),
        BARE(a_failure_at_any_step_of_sealing_leaves_no_false_backup),
    };

    return cmocka_run_group_tests_name("sealed", tests, NULL, NULL);
}
