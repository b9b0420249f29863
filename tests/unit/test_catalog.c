#include "test.h"

#include "catalog/marks.h"
#include "fake_backup.h"
#include "store/fault.h"
#include "store/impl.h"

struct fix {
    char dir[64];
    struct mst_store *s;
    struct fake f;
};

static int setup(void **state)
{
    struct fix *x = mst_xcalloc(1, sizeof(*x));
    struct mst_err err = {0};

    (void)mst_copy(x->dir, sizeof(x->dir), "/tmp/muster-catalog-XXXXXX");
    if (!mkdtemp(x->dir) || mst_store_local_open("vault", x->dir, true, &x->s, &err) != MST_OK ||
        mst_catalog_init(&x->f.c, x->s, "pre/fix", "rs0", &err) != MST_OK) {
        return -1;
    }
    (void)mst_copy(x->f.id, sizeof(x->f.id), "2026-11-22T22-30-00Z-full");
    *state = x;
    return 0;
}

static int setup_made(void **state)
{
    struct mst_err err = {0};

    return setup(state) || fake_make(&((struct fix *)*state)->f, &err) != MST_OK ? -1 : 0;
}

static int teardown(void **state)
{
    struct fix *x = *state;

    mst_store_free(x->s);
    fake_rm(x->dir);
    free(x);
    return 0;
}

static struct mst_backup only(struct fix *x)
{
    struct mst_err err = {0};
    struct mst_backup *all, one;
    size_t n;

    assert_ok(mst_catalog_list(&x->f.c, NULL, &all, &n, &err), &err);
    assert_int_equal(n, 1);
    one = all[0];
    free(all);
    return one;
}

static void path_of(struct fix *x, const char *attempt, const char *name, char *out, size_t size)
{
    char key[MST_KEY_MAX];

    mst_catalog_key(&x->f.c, x->f.id, attempt, name, key);
    (void)snprintf(out, size, "%s/%s", x->dir, key);
}

/* --- ids -------------------------------------------------------------------------------------- */

static void ids_sort_and_never_go_back(void **state)
{
    struct mst_err err = {0};
    char id[MST_ID_MAX];
    int64_t ms;
    char kind[16];

    (void)state;
    assert_ok(mst_catalog_new_id(1795386600500, "", "full", id, &err), &err);
    assert_string_equal(id, "2026-11-22T22-30-00Z-full");
    assert_true(mst_catalog_id_ok(id, &ms, kind));
    assert_int_equal(ms, 1795386600000);
    assert_string_equal(kind, "full");
    assert_ok(mst_catalog_new_id(1795386600900, "2026-11-22T22-30-00Z-full", "incr", id, &err),
              &err);
    assert_string_equal(id, "2026-11-22T22-30-01Z-incr");
    assert_ok(mst_catalog_new_id(5000, "2026-12-31T23-59-59Z-diff", "full", id, &err), &err);
    assert_string_equal(id, "2027-01-01T00-00-00Z-full");
    assert_rc(mst_catalog_new_id(5000, "9999-12-31T23-59-59Z-full", "full", id, &err), MST_E_LIMIT,
              &err);
    assert_false(mst_catalog_id_ok("2026-02-30T22-30-00Z-full", &ms, kind));
    assert_false(mst_catalog_id_ok("2026-11-22T22-30-00Z-fool", &ms, kind));
    assert_false(mst_catalog_id_ok("2026-11-22T22:30:00Z-full", &ms, kind));
    assert_false(mst_catalog_id_ok("", &ms, kind));
}

static void a_set_with_a_strange_name_has_a_key(void **state)
{
    struct mst_store *store = ((struct fix *)*state)->s;
    struct mst_err err = {0};
    struct mst_catalog c;

    assert_ok(mst_catalog_init(&c, store, "", "../a b/ä", &err), &err);
    assert_string_equal(c.base, "%2E.%2Fa%20b%2F%C3%A4");
    assert_rc(mst_catalog_init(&c, store, "/abs", "rs0", &err), MST_E_CONFIG, &err);
    assert_rc(mst_catalog_init(&c, store, "a", "", &err), MST_E_CONFIG, &err);
}

/* --- clear objects ---------------------------------------------------------------------------- */

static void header_commit_and_mark_come_back(void **state)
{
    struct mst_header h = {.kind = "full",
                           .attempt = "00aa",
                           .objects = 7,
                           .documents = 1ULL << 40,
                           .unproven = true,
                           .source = "h\"o\\st:1"};
    struct mst_header back;
    struct mst_commit c = {.lease_epoch = 3, .attempt = "00aa"}, c2;
    struct mst_mark m = {.kind = MST_MARK_VERIFIED, .level = 2, .ok = true, .text = "fine"}, m2;
    struct mst_err err = {0};
    struct mst_str s = {0};

    (void)state;
    h.last.ts.t = UINT32_MAX;
    h.last.term = -1;
    mst_header_put(&h, &s);
    assert_ok(mst_header_get(s.p, s.len, &back, &err), &err);
    assert_int_equal(back.last.ts.t, UINT32_MAX);
    assert_int_equal(back.last.term, -1);
    assert_string_equal(back.source, h.source);
    assert_true(back.documents == h.documents && back.unproven && !back.sealed);
    assert_rc(mst_commit_get(s.p, s.len, &c2, &err), MST_E_INTEGRITY, &err); /* another type */
    memset(c.header_sha, 'a', 64);
    memset(c.manifest_sha, 'b', 64);
    assert_ok(mst_commit_put(&c, NULL, &s, &err), &err);
    assert_ok(mst_commit_get(s.p, s.len, &c2, &err), &err);
    assert_int_equal(c2.lease_epoch, 3);
    assert_ok(mst_mark_put(&m, NULL, &s, &err), &err);
    assert_ok(mst_mark_get(s.p, s.len, &m2, &err), &err);
    assert_true(m2.ok && m2.level == 2);
    memset(m.text, 'x', sizeof(m.text) - 2); /* cut in the middle of a character */
    m.text[sizeof(m.text) - 2] = '\xc3';
    assert_ok(mst_mark_put(&m, NULL, &s, &err), &err);
    assert_ok(mst_mark_get(s.p, s.len, &m2, &err), &err);
    mst_str_release(&s);
}

static void every_flipped_bit_of_a_clear_object_is_noticed(void **state)
{
    struct mst_header h = {.kind = "full", .attempt = "00aa"}, back;
    struct mst_err err = {0};
    struct mst_str s = {0};

    (void)state;
    mst_header_put(&h, &s);
    for (size_t i = 0; i < s.len; i++) {
        s.p[i] = (char)(s.p[i] ^ 1);
        if (mst_header_get(s.p, s.len, &back, &err) == MST_OK) {
            fail_msg("a flipped bit at %zu was not noticed", i);
        }
        s.p[i] = (char)(s.p[i] ^ 1);
    }
    for (size_t n = 0; n < s.len; n++) {
        assert_rc(mst_header_get(s.p, n, &back, &err), MST_E_INTEGRITY, &err);
    }
    mst_str_release(&s);
}

static void resign(struct mst_str *s, const char *from, const char *to)
{
    char *at = strstr(s->p, from), *cut;
    struct mst_str out = {0};
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    assert_non_null(at);
    mst_str_addn(&out, s->p, (size_t)(at - s->p));
    mst_str_add(&out, to);
    mst_str_add(&out, at + strlen(from));
    cut = strstr(out.p, ",\"sha256\":\"");
    out.len = (size_t)(cut - out.p);
    mst_sha256_of(out.p, out.len, sha);
    out.p[out.len] = '\0';
    mst_str_addf(&out, ",\"sha256\":\"%s\"}\n", mst_hex(sha, sizeof(sha), hex));
    mst_str_release(s);
    *s = out;
}

static void a_newer_format_and_unknown_requirements_are_newer(void **state)
{
    struct mst_header h = {.kind = "full", .attempt = "00aa"}, back;
    struct mst_err err = {0};
    struct mst_str s = {0};

    (void)state;
    mst_header_put(&h, &s);
    resign(&s, "\"format\":1", "\"format\":2");
    assert_rc(mst_header_get(s.p, s.len, &back, &err), MST_E_STALE, &err);
    mst_header_put(&h, &s);
    resign(&s, "\"requires\":[]", "\"requires\":[\"sealing\"]");
    assert_rc(mst_header_get(s.p, s.len, &back, &err), MST_E_STALE, &err);
    mst_header_put(&h, &s);
    resign(&s, "\"requires\":[]", "\"requires\":[],\"optional\":{\"x\":1}");
    assert_ok(mst_header_get(s.p, s.len, &back, &err), &err);
    mst_header_put(&h, &s);
    resign(&s, "\"documents\":0", "\"documents\":-1");
    assert_rc(mst_header_get(s.p, s.len, &back, &err), MST_E_INTEGRITY, &err);
    mst_str_release(&s);
}

/* --- segments --------------------------------------------------------------------------------- */

static void a_segment_is_bound_to_its_place(void **state)
{
    struct fix *x = *state;
    struct mst_segment_id id = {.role = MST_SEG_DATA};
    struct mst_segr *r;
    struct mst_err err = {0};
    char key[MST_KEY_MAX];

    (void)mst_copy(id.backup, sizeof(id.backup), x->f.id);
    (void)mst_copy(id.attempt, sizeof(id.attempt), FAKE_ATTEMPT);
    mst_catalog_key(&x->f.c, x->f.id, FAKE_ATTEMPT, "d/0000-0", key);
    assert_ok(mst_segr_open(x->s, key, &id, NULL, &r, &err), &err);
    mst_segr_free(r);
    id.part = 1;
    assert_rc(mst_segr_open(x->s, key, &id, NULL, &r, &err), MST_E_INTEGRITY, &err);
    id.part = 0;
    id.role = MST_SEG_OPLOG;
    assert_rc(mst_segr_open(x->s, key, &id, NULL, &r, &err), MST_E_INTEGRITY, &err);
    assert_rc(mst_segr_open(x->s, "nothing/here", &id, NULL, &r, &err), MST_E_NOTFOUND, &err);
}

static void documents_of_any_size_go_through_a_segment(void **state)
{
    static const uint32_t sizes[] = {5, 13, 1048575, 1048576, 1048577, 16777216, MST_DOC_MAX};
    struct fix *x = *state;
    struct mst_segment_id id = {.role = MST_SEG_DATA, .backup = "b", .attempt = "a"};
    struct mst_err err = {0};
    struct mst_segw *w;
    struct mst_segr *r;
    uint8_t *doc = mst_xcalloc(1, MST_DOC_MAX + 1), sha[MST_SHA256_LEN];
    const uint8_t *got;
    uint64_t bytes;
    uint32_t n;

    assert_ok(mst_segw_open(x->s, "seg", &id, NULL, &w, &err), &err);
    for (size_t i = 0; i < MST_COUNT(sizes); i++) {
        mst_put_le32(doc, sizes[i]);
        assert_ok(mst_segw_add(w, doc, sizes[i], &err), &err);
    }
    mst_put_le32(doc, MST_DOC_MAX + 1);
    assert_rc(mst_segw_add(w, doc, MST_DOC_MAX + 1, &err), MST_E_LIMIT, &err);
    assert_rc(mst_segw_add(w, doc, 10, &err), MST_E_LIMIT, &err); /* its length says otherwise */
    assert_ok(mst_segw_finish_take(w, &bytes, sha, &err), &err);
    assert_ok(mst_segr_open(x->s, "seg", &id, NULL, &r, &err), &err);
    for (size_t i = 0; i < MST_COUNT(sizes); i++) {
        assert_ok(mst_segr_next(r, &got, &n, &err), &err);
        assert_non_null(got);
        assert_int_equal(n, sizes[i]);
    }
    assert_ok(mst_segr_next(r, &got, &n, &err), &err);
    assert_null(got);
    mst_segr_free(r);
    free(doc);
}

static void a_walk_accepts_what_servers_store_and_nothing_else(void **state)
{
    bson_t b = BSON_INITIALIZER, deep, sub;
    uint8_t *copy;

    (void)state;
    BSON_APPEND_UTF8(&b, "", "empty key");
    BSON_APPEND_DOUBLE(&b, "d", 1.5);
    BSON_APPEND_BINARY(&b, "bin", BSON_SUBTYPE_UUID, (const uint8_t *)"0123456789abcdef", 16);
    BSON_APPEND_REGEX(&b, "r", "a.b", "i");
    BSON_APPEND_CODE(&b, "c", "f()");
    BSON_APPEND_DOCUMENT_BEGIN(&b, "sub", &sub);
    BSON_APPEND_MINKEY(&sub, "min");
    BSON_APPEND_DATE_TIME(&sub, "at", 5);
    bson_append_document_end(&b, &sub);
    BSON_APPEND_CODE_WITH_SCOPE(&b, "cs", "g()", &(bson_t)BSON_INITIALIZER);
    BSON_APPEND_UTF8(&b, "s", "caf");
    assert_true(mst_bson_walk(bson_get_data(&b), b.len));
    copy = mst_xmemdup(bson_get_data(&b), b.len);
    for (size_t n = 0; n < b.len; n++) {
        assert_false(mst_bson_walk(copy, n));
    }
    copy[b.len - 3] = 0xff; /* not UTF-8: servers keep it */
    assert_true(mst_bson_walk(copy, b.len));
    copy[b.len - 1] = 1;
    assert_false(mst_bson_walk(copy, b.len));
    copy[b.len - 1] = 0;
    copy[4] = 0x20; /* no such type */
    assert_false(mst_bson_walk(copy, b.len));
    free(copy);
    bson_init(&deep);
    for (int i = 0; i < 201; i++) {
        bson_t outer = BSON_INITIALIZER;

        if (i == 200) {
            assert_true(mst_bson_walk(bson_get_data(&deep), deep.len));
        }
        BSON_APPEND_DOCUMENT(&outer, "a", &deep);
        bson_destroy(&deep);
        bson_steal(&deep, &outer);
    }
    assert_false(mst_bson_walk(bson_get_data(&deep), deep.len));
    bson_destroy(&deep);
    bson_destroy(&b);
}

/* --- list and read ---------------------------------------------------------------------------- */

static void a_whole_backup_is_listed_complete_and_read_back(void **state)
{
    struct fix *x = *state;
    struct mst_backup b = only(x);
    struct mst_err err = {0};
    struct mst_backup_ns *ns;
    struct mst_object *objects;
    size_t n_ns, n_objects;

    assert_int_equal(b.state, MST_BK_COMPLETE);
    assert_string_equal(b.problem, "");
    assert_int_equal(b.documents, 340);
    assert_int_equal(b.namespaces, 4);
    assert_int_equal(b.last.ts.i, 5);
    assert_int_equal(b.verified_level, 0);
    assert_ok(mst_catalog_detail(&x->f.c, "latest", NULL, &ns, &n_ns, &objects, &n_objects, &err),
              &err);
    assert_int_equal(n_ns, 4);
    assert_string_equal(ns[0].ns, "shop.big");
    assert_int_equal(ns[0].documents, 300);
    assert_int_equal(n_objects, 6);
    assert_string_equal(objects[0].key,
                        "backups/2026-11-22T22-30-00Z-full/" FAKE_ATTEMPT "/d/0000-0");
    free(ns);
    free(objects);
}

static void a_backup_with_something_left_out_is_partial(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};

    x->f.left_out = 1;
    assert_ok(fake_make(&x->f, &err), &err);
    assert_int_equal(only(x).state, MST_BK_PARTIAL);
    assert_non_null(strstr(only(x).problem, "left out"));
}

static void documents_of_a_collection_come_in_order(void **state)
{
    struct fix *x = *state;
    struct mst_bkr *r;
    struct mst_docs *d;
    struct mst_err err = {0};
    const uint8_t *doc;
    uint32_t n, count = 0;

    assert_ok(mst_bkr_open(&x->f.c, x->f.id, NULL, &r, &err), &err);
    assert_ok(mst_docs_open_extents(r, &x->f.small, 1, &d, &err), &err);
    for (;;) {
        bson_t b;

        assert_ok(mst_docs_next(d, &doc, &n, &err), &err);
        if (!doc) {
            break;
        }
        assert_true(bson_init_static(&b, doc, n));
        assert_int_equal(mst_le32(doc + 9), 1000 + count); /* the value of _id */
        count++;
    }
    assert_int_equal(count, 40);
    mst_docs_free(d);
    count = 0;
    assert_ok(mst_docs_open_oplog(r, &d, &err), &err);
    while (mst_docs_next(d, &doc, &n, &err) == MST_OK && doc) {
        count++;
    }
    assert_int_equal(count, 5);
    mst_docs_free(d);
    mst_bkr_free(r);
}

static void what_is_not_ours_is_listed_as_foreign(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    struct mst_backup *all;
    size_t n;
    uint64_t removed;

    assert_ok(mst_store_put_all(x->s, "pre/fix/rs0/backups/notes.txt", "x", 1, &err), &err);
    assert_ok(
        mst_store_put_all(x->s, "pre/fix/rs0/backups/2026-11-22T23-00-00Z-full/junk", "x", 1, &err),
        &err);
    assert_ok(mst_store_put_all(x->s, "pre/fix/rs0/backups/other\x7ftool/a", "x", 1, &err) ==
                      MST_E_USAGE
                  ? MST_OK
                  : MST_E_BUG,
              &err);
    assert_ok(mst_catalog_list(&x->f.c, NULL, &all, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_int_equal(all[0].state, MST_BK_FOREIGN);
    assert_int_equal(all[1].state, MST_BK_FOREIGN);
    assert_int_equal(all[0].foreign, 1);
    assert_int_equal(all[1].foreign, 1);
    assert_int_equal(all[2].state, MST_BK_COMPLETE);
    assert_int_equal(all[2].foreign, 0);
    free(all);
    assert_rc(mst_catalog_clean(&x->f.c, "notes.txt", NULL, &removed, &err), MST_E_USAGE, &err);
}

static void another_sets_backup_is_not_taken_for_ours(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    struct mst_catalog c;
    struct mst_backup *all;
    char from[200], to[200];
    size_t n;

    (void)snprintf(from, sizeof(from), "%s/pre/fix/rs0", x->dir);
    (void)snprintf(to, sizeof(to), "%s/pre/fix/rs1", x->dir);
    assert_int_equal(rename(from, to), 0);
    assert_ok(mst_catalog_init(&c, x->s, "pre/fix", "rs1", &err), &err);
    assert_ok(mst_catalog_list(&c, NULL, &all, &n, &err), &err);
    assert_int_equal(all[0].state, MST_BK_DAMAGED);
    free(all);
}

static void clean_removes_dead_runs_and_never_what_commit_names(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    struct mst_verify_opts o = {.id = x->f.id};
    struct mst_verify_result res;
    uint64_t removed;
    char key[MST_KEY_MAX], path[MST_KEY_MAX + 64];

    mst_catalog_key(&x->f.c, x->f.id, "ffffffffffffffff", "d/0000-0", key);
    assert_ok(mst_store_put_all(x->s, key, "dead", 4, &err), &err);
    assert_int_equal(only(x).state, MST_BK_COMPLETE);
    assert_ok(mst_catalog_clean(&x->f.c, x->f.id, NULL, &removed, &err), &err);
    assert_int_equal(removed, 1);
    assert_ok(mst_verify_run(&x->f.c, &o, NULL, &res, &err), &err);
    path_of(x, "", "COMMIT", path, sizeof(path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(only(x).state, MST_BK_INCOMPLETE);
    assert_ok(mst_catalog_clean(&x->f.c, x->f.id, NULL, &removed, &err), &err);
    assert_int_equal(removed, 5);
}

/* --- the write protocol ----------------------------------------------------------------------- */

/* A run that dies or fails at any call to the store, of every kind: afterwards the list has either
 * one complete backup that verifies, or nothing that could be taken for one. */
/* Whoever comes second takes another id; a claim alone is a run that died, or has just begun. */
static void an_id_is_taken_once(void **state)
{
    struct fix *x = *state;
    struct mst_claim mine = {.attempt = "00112233445566aa", .by = "host1:1"};
    struct mst_claim other = {.attempt = "00112233445566bb", .by = "host2:1"};
    struct mst_err err = {0};
    struct mst_backup b;
    uint64_t removed;

    (void)mst_copy(mine.id, sizeof(mine.id), "2026-11-23T01-00-00Z-full");
    (void)mst_copy(other.id, sizeof(other.id), mine.id);
    assert_ok(mst_catalog_claim(&x->f.c, &mine, &err), &err);
    assert_rc(mst_catalog_claim(&x->f.c, &other, &err), MST_E_EXISTS, &err);
    assert_ok(mst_catalog_find(&x->f.c, mine.id, NULL, &b, &err), &err);
    assert_int_equal(b.state, MST_BK_INCOMPLETE);
    assert_ok(mst_catalog_clean(&x->f.c, mine.id, NULL, &removed, &err), &err);
    assert_int_equal(removed, 1);
    assert_rc(mst_catalog_find(&x->f.c, mine.id, NULL, &b, &err), MST_E_NOTFOUND, &err);
    assert_ok(mst_catalog_claim(&x->f.c, &other, &err), &err);
    assert_ok(mst_catalog_unclaim(&x->f.c, other.id, &err), &err);
    assert_rc(mst_catalog_find(&x->f.c, mine.id, NULL, &b, &err), MST_E_NOTFOUND, &err);
    /* Beside a committed backup it stays: it is of no dead run. */
    (void)mst_copy(mine.id, sizeof(mine.id), x->f.id);
    assert_ok(mst_catalog_claim(&x->f.c, &mine, &err), &err);
    assert_ok(mst_catalog_clean(&x->f.c, x->f.id, NULL, &removed, &err), &err);
    assert_int_equal(removed, 0);
    assert_ok(mst_catalog_find(&x->f.c, x->f.id, NULL, &b, &err), &err);
    assert_int_equal(b.state, MST_BK_COMPLETE);
}

static void a_failure_at_any_step_never_leaves_a_false_backup(void **state)
{
    struct fix *x = *state;
    struct mst_store *fault = mst_store_fault_new(x->s);
    struct mst_err err = {0};
    uint64_t calls, complete = 0, incomplete = 0;

    x->f.c.store = fault;
    mst_store_fault_set(fault, MST_FAULT_NONE, 0, MST_E_IO);
    assert_ok(fake_make(&x->f, &err), &err);
    calls = mst_store_fault_calls(fault);
    assert_true(calls > 15);
    for (uint64_t at = 1; at <= calls; at++) {
        for (enum mst_fault_kind k = MST_FAULT_ONCE; k <= MST_FAULT_LOST; k++) {
            struct mst_verify_opts o = {.id = x->f.id};
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
                assert_ok(mst_verify_run(&x->f.c, &o, NULL, &res, &err), &err);
            } else {
                assert_true(made != MST_OK);
                assert_true(n == 0 || all[0].state == MST_BK_INCOMPLETE);
                assert_rc(mst_catalog_find(&x->f.c, "latest", NULL, &(struct mst_backup){0}, &err),
                          MST_E_NOTFOUND, &err);
                incomplete++;
            }
            free(all);
            x->f.c.store = fault;
        }
    }
    assert_true(complete >= 1); /* a lost reply to COMMIT */
    assert_true(incomplete > 2 * calls - 10);
    mst_store_free(fault);
    x->f.c.store = x->s;
}

/* --- verify ----------------------------------------------------------------------------------- */

static void a_good_backup_is_marked_verified(void **state)
{
    struct fix *x = *state;
    struct mst_verify_opts o = {.id = "latest", .mark = true, .by = "eva"};
    struct mst_verify_result res;
    struct mst_err err = {0};
    struct mst_backup b;

    assert_ok(mst_verify_run(&x->f.c, &o, NULL, &res, &err), &err);
    assert_true(res.ok);
    assert_int_equal(res.level, 2);
    assert_int_equal(res.documents, 340);
    assert_int_equal(res.oplog_entries, 5);
    assert_int_equal(res.objects, 2);
    assert_string_equal(res.id, x->f.id);
    b = only(x);
    assert_int_equal(b.verified_level, 2);
    assert_true(b.verified_ok);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    o.mark = false;
    assert_ok(mst_verify_run(&x->f.c, &o, NULL, &res, &err), &err);
}

static void damage(const char *path, int how, const char *other)
{
    FILE *f;
    long size;
    int c;

    if (how == 2) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    if (how == 3) {
        assert_int_equal(unlink(path), 0);
        assert_int_equal(link(other, path), 0);
        return;
    }
    f = fopen(path, "r+");
    assert_non_null(f);
    (void)fseek(f, 0, SEEK_END);
    size = ftell(f);
    if (how == 0) {
        (void)fseek(f, size / 2, SEEK_SET);
        c = fgetc(f);
        (void)fseek(f, size / 2, SEEK_SET);
        (void)fputc(c ^ 4, f);
    } else {
        assert_int_equal(ftruncate(fileno(f), size - 1), 0);
    }
    (void)fclose(f);
}

/* Flipped, truncated, missing and swapped, of every kind of object. */
static void every_damage_of_every_object_is_found(void **state)
{
    static const char *const objects[] = {"d/0000-0",      "oplog-0000", "manifest",
                                          "manifest.copy", "header",     "COMMIT"};
    static const char *const how_words[] = {"flipped", "truncated", "missing", "swapped"};
    struct fix *x = *state;

    for (size_t i = 0; i < MST_COUNT(objects); i++) {
        for (int how = 0; how < 4; how++) {
            struct mst_verify_opts o = {.id = x->f.id, .mark = true};
            struct mst_verify_result res;
            struct mst_err err = {0};
            struct mst_backup *all;
            char root[200], path[MST_KEY_MAX + 64], other[MST_KEY_MAX + 64];
            size_t n;

            (void)snprintf(root, sizeof(root), "%s/pre", x->dir);
            fake_rm(root);
            assert_ok(fake_make(&x->f, &err), &err);
            path_of(x, i == 5 ? "" : FAKE_ATTEMPT, objects[i], path, sizeof(path));
            path_of(x, FAKE_ATTEMPT, i == 0 ? "oplog-0000" : "d/0000-0", other, sizeof(other));
            damage(path, how, other);
            if (mst_verify_run(&x->f.c, &o, NULL, &res, &err) == MST_OK) {
                fail_msg("%s %s was not found by verify", objects[i], how_words[how]);
            }
            assert_false(res.ok);
            assert_ok(mst_catalog_list(&x->f.c, NULL, &all, &n, &err), &err);
            if (n != 1 || all[0].state == MST_BK_COMPLETE || all[0].state == MST_BK_PARTIAL) {
                fail_msg("%s %s is still listed as %s", objects[i], how_words[how],
                         mst_backup_state_word(all[0].state));
            }
            assert_true(all[0].problem[0] != '\0');
            free(all);
        }
    }
}

static void a_damaged_manifest_is_read_from_its_copy(void **state)
{
    struct fix *x = *state;
    struct mst_bkr *r;
    struct mst_err err = {0};
    char path[MST_KEY_MAX + 64];

    path_of(x, FAKE_ATTEMPT, "manifest", path, sizeof(path));
    damage(path, 0, NULL);
    assert_ok(mst_bkr_open(&x->f.c, x->f.id, NULL, &r, &err), &err);
    assert_non_null(strstr(mst_bkr_note(r), "copy"));
    mst_bkr_free(r);
    path_of(x, FAKE_ATTEMPT, "manifest.copy", path, sizeof(path));
    damage(path, 1, NULL);
    err = (struct mst_err){0};
    assert_rc(mst_bkr_open(&x->f.c, x->f.id, NULL, &r, &err), MST_E_INTEGRITY, &err);
}

static void a_wrong_sum_in_a_well_formed_manifest_is_found(void **state)
{
    struct fix *x = *state;
    struct mst_verify_opts o = {.id = x->f.id};
    struct mst_verify_result res;
    struct mst_err err = {0};
    const uint8_t one[MST_SHA256_LEN] = {1};
    char root[200];
    struct mst_commit c = {.attempt = FAKE_ATTEMPT};
    struct mst_header h = {.attempt = FAKE_ATTEMPT};

    (void)snprintf(root, sizeof(root), "%s/pre", x->dir);
    fake_rm(root);
    /* everything as fake_make does it, but with a sum that is off by one document's digest */
    assert_ok(fake_make(&x->f, &err), &err);
    mst_sum256_add(&x->f.sum_small, one);
    {
        char key[MST_KEY_MAX], path[MST_KEY_MAX + 64];
        struct mst_buf b = {0};
        struct mst_str s = {0};
        uint8_t sha[MST_SHA256_LEN];

        mst_catalog_key(&x->f.c, x->f.id, FAKE_ATTEMPT, "header", key);
        assert_ok(mst_store_read_all(x->s, key, MST_HEADER_MAX, &b, &err), &err);
        assert_ok(mst_header_get((const char *)b.p, b.len, &h, &err), &err);
        mst_sha256_of(b.p, b.len, sha);
        (void)mst_hex(sha, sizeof(sha), c.header_sha);
        c.header_bytes = b.len;
        mst_buf_release(&b);
        for (int i = 0; i < 3; i++) {
            static const char *const names[] = {"manifest", "manifest.copy", "COMMIT"};

            path_of(x, i == 2 ? "" : FAKE_ATTEMPT, names[i], path, sizeof(path));
            assert_int_equal(unlink(path), 0);
        }
        assert_ok(fake_manifest(&x->f, "manifest", &h, &c, &err), &err);
        assert_ok(fake_manifest(&x->f, "manifest.copy", &h, &c, &err), &err);
        (void)mst_copy(c.id, sizeof(c.id), x->f.id);
        assert_ok(mst_commit_put(&c, NULL, &s, &err), &err);
        mst_catalog_key(&x->f.c, x->f.id, "", "COMMIT", key);
        assert_ok(mst_store_put_all(x->s, key, s.p, s.len, &err), &err);
        mst_str_release(&s);
    }
    assert_rc(mst_verify_run(&x->f.c, &o, NULL, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(res.text, "shop.small"));
}

/* The last word on a backup cannot be read: the one before it is not the last word. */
static void an_older_verdict_does_not_stand_for_one_that_cannot_be_read(void **state)
{
    struct fix *x = *state;
    struct mst_store *faulty = mst_store_fault_new(x->s);
    struct mst_mark m = {.kind = MST_MARK_VERIFIED, .ok = true, .level = 2, .wall_ms = 1000};
    struct mst_err err = {0};

    (void)mst_copy(m.id, sizeof(m.id), x->f.id);
    assert_ok(mst_marks_write(&x->f.c, &m, &err), &err);
    assert_true(only(x).verified_ok);
    m.ok = false;
    m.wall_ms = INT64_C(86400000) * 365;
    assert_ok(mst_marks_write(&x->f.c, &m, &err), &err);
    assert_int_equal(only(x).state, MST_BK_DAMAGED);
    x->f.c.store = faulty;
    mst_store_fault_unread(faulty, "/marks/1971", MST_E_NET);
    assert_int_equal(only(x).state, MST_BK_COMPLETE);
    assert_int_equal(only(x).verified_wall_ms, 0); /* not known */
    mst_store_fault_unread(faulty, "/marks/1970", MST_E_NET);
    assert_int_equal(only(x).state, MST_BK_DAMAGED);
    x->f.c.store = x->s;
    mst_store_free(faulty);
}

/* --- a store that changes its mind ------------------------------------------------------------ */

struct turncoat {
    struct mst_store base;
    struct mst_store *inner;
    unsigned looks, from; /* from this look at the manifest on it is another one */
};

static const char *other_key(struct turncoat *t, const char *key, char out[MST_KEY_MAX])
{
    const size_t n = strlen(key);

    if (t->looks < t->from || n < 9 || strcmp(key + n - 9, "/manifest") != 0) {
        return key;
    }
    (void)snprintf(out, MST_KEY_MAX, "%.500s.other", key);
    return out;
}

static enum mst_rc t_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                          struct mst_err *err)
{
    struct turncoat *t = (struct turncoat *)(void *)s;
    char other[MST_KEY_MAX];

    t->looks += strstr(key, "/manifest") && !strstr(key, "/manifest.");
    return mst_store_stat(t->inner, other_key(t, key, other), bytes, err);
}

static enum mst_rc t_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                          size_t *got, struct mst_err *err)
{
    struct turncoat *t = (struct turncoat *)(void *)s;
    char other[MST_KEY_MAX];

    return mst_store_read(t->inner, other_key(t, key, other), from, buf, n, got, err);
}

static enum mst_rc t_list(struct mst_store *s, const char *prefix,
                          bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                          struct mst_task *task, struct mst_err *err)
{
    return mst_store_list(((struct turncoat *)(void *)s)->inner, prefix, fn, arg, task, err);
}

/* A manifest of this backup with many more namespaces. */
static void make_other_manifest(struct fix *x)
{
    struct mst_man_begin b = {.kind = "full", .attempt = FAKE_ATTEMPT};
    struct mst_man_end end;
    struct mst_manw *m = NULL;
    struct mst_err err = {0};
    char key[MST_KEY_MAX], coll[16];
    uint8_t sha[MST_SHA256_LEN];
    uint64_t bytes;

    (void)mst_copy(b.id, sizeof(b.id), x->f.id);
    (void)mst_copy(b.set, sizeof(b.set), x->f.c.set);
    mst_catalog_key(&x->f.c, x->f.id, FAKE_ATTEMPT, "manifest.other", key);
    assert_ok(mst_manw_open(x->s, key, &b, NULL, &m, &err), &err);
    for (int i = 0; i < 500; i++) {
        (void)snprintf(coll, sizeof(coll), "c%03d", i);
        assert_ok(fake_ns(m, coll, MST_NS_SCANNED, NULL, NULL, &err), &err);
    }
    assert_ok(mst_manw_finish_take(m, &bytes, sha, &end, &err), &err);
}

static void a_manifest_that_changes_while_it_is_read_is_found(void **state)
{
    static const struct mst_store_ops ops = {.read = t_read, .stat = t_stat, .list = t_list};
    struct fix *x = *state;
    struct turncoat t = {.base = {.ops = &ops, .name = "vault", .where = "two faces"},
                         .inner = x->s};
    const struct mst_verify_opts o = {.id = x->f.id};
    struct mst_verify_result res;
    struct mst_err err = {0};

    make_other_manifest(x);
    x->f.c.store = &t.base;
    for (t.from = 1; t.from <= 3; t.from++) {
        t.looks = 0;
        memset(&err, 0, sizeof(err));
        assert_rc(mst_verify_run(&x->f.c, &o, NULL, &res, &err), MST_E_INTEGRITY, &err);
        assert_false(res.ok);
        assert_true(t.looks >= t.from);
    }
    x->f.c.store = x->s;
}

static void a_cancelled_verify_says_nothing_about_the_backup(void **state)
{
    struct fix *x = *state;
    struct mst_verify_opts o = {.id = x->f.id, .mark = true};
    struct mst_verify_result res;
    struct mst_err err = {0};
    struct mst_task task;

    assert_ok(mst_task_init(&task, &err), &err);
    mst_task_cancel(&task);
    assert_rc(mst_verify_run(&x->f.c, &o, &task, &res, &err), MST_E_CANCELLED, &err);
    assert_int_equal(only(x).verified_level, 0);
    assert_false(res.ok);
    mst_task_release(&task);
}

#define T(fn, up) cmocka_unit_test_setup_teardown(fn, up, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_sort_and_never_go_back),
        T(a_set_with_a_strange_name_has_a_key, setup),
        cmocka_unit_test(header_commit_and_mark_come_back),
        cmocka_unit_test(every_flipped_bit_of_a_clear_object_is_noticed),
        cmocka_unit_test(a_newer_format_and_unknown_requirements_are_newer),
        T(a_segment_is_bound_to_its_place, setup_made),
        T(documents_of_any_size_go_through_a_segment, setup),
        cmocka_unit_test(a_walk_accepts_what_servers_store_and_nothing_else),
        T(a_whole_backup_is_listed_complete_and_read_back, setup_made),
        T(a_backup_with_something_left_out_is_partial, setup),
        T(documents_of_a_collection_come_in_order, setup_made),
        T(what_is_not_ours_is_listed_as_foreign, setup_made),
        T(another_sets_backup_is_not_taken_for_ours, setup_made),
        T(clean_removes_dead_runs_and_never_what_commit_names, setup_made),
        T(an_id_is_taken_once, setup_made),
        T(a_failure_at_any_step_never_leaves_a_false_backup, setup),
        T(a_good_backup_is_marked_verified, setup_made),
        T(a_manifest_that_changes_while_it_is_read_is_found, setup_made),
        T(an_older_verdict_does_not_stand_for_one_that_cannot_be_read, setup_made),
        T(every_damage_of_every_object_is_found, setup),
        T(a_damaged_manifest_is_read_from_its_copy, setup_made),
        T(a_wrong_sum_in_a_well_formed_manifest_is_found, setup),
        T(a_cancelled_verify_says_nothing_about_the_backup, setup_made),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
