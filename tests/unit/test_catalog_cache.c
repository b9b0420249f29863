/* The cached listing, and what a rebuild finds. */
#include "test.h"

#include "catalog/cache.h"
#include "catalog/rebuild.h"
#include "fake_backup.h"

struct fix {
    char dir[64], path[96], store[96];
    struct mst_db *db;
    struct mst_store *s;
    struct fake f;
};

static const struct mst_cache_key key = {.set = "rs0", .store = "vault", .place = "local:/srv/b"};

static int setup(void **state)
{
    struct fix *x = mst_xcalloc(1, sizeof(*x));
    struct mst_err err = {0};

    (void)mst_copy(x->dir, sizeof(x->dir), "/tmp/muster-cache-XXXXXX");
    if (!mkdtemp(x->dir)) {
        return -1;
    }
    (void)snprintf(x->path, sizeof(x->path), "%s/muster.db", x->dir);
    (void)snprintf(x->store, sizeof(x->store), "%s/store", x->dir);
    if (mkdir(x->store, 0700) != 0 || mst_db_open(x->path, &x->db, &err) != MST_OK ||
        mst_store_local_open("vault", x->store, true, &x->s, &err) != MST_OK ||
        mst_catalog_init(&x->f.c, x->s, "", "rs0", &err) != MST_OK) {
        return -1;
    }
    (void)mst_copy(x->f.id, sizeof(x->f.id), "2026-11-22T22-30-00Z-full");
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fix *x = *state;

    mst_store_free(x->s);
    mst_db_close(x->db);
    fake_rm(x->dir);
    free(x);
    return 0;
}

static struct mst_backup backup(const char *id, enum mst_backup_state s)
{
    struct mst_backup b = {.state = s};

    (void)mst_copy(b.id, sizeof(b.id), id);
    return b;
}

/* Every member has a value of its own. */
static struct mst_backup full(void)
{
    struct mst_backup b = {.kind = "full",
                           .state = MST_BK_PARTIAL,
                           .problem = "2 collections were left out by name",
                           .started_wall_ms = 1795386600000,
                           .finished_wall_ms = 1795386700000,
                           .first = {.ts = {.t = 4000000000U, .i = 7}, .term = 3},
                           .last = {.ts = {.t = 4000000001U, .i = 8}, .term = -1},
                           .data_bytes = 1ULL << 62,
                           .stored_bytes = 3,
                           .documents = 4,
                           .namespaces = UINT32_MAX,
                           .left_out = 2,
                           .source = "db1:27017",
                           .server_version = "4.2.8",
                           .fcv = "4.2",
                           .sealed = true,
                           .is_signed = true,
                           .unproven = true,
                           .verified_level = 2,
                           .verified_wall_ms = 1795386800000,
                           .verified_ok = true,
                           .verified_text = "read back whole"};

    (void)mst_copy(b.id, sizeof(b.id), "2026-11-22T22-30-00Z-full");
    return b;
}

static void save(struct fix *x, const struct mst_cache_key *k, const struct mst_backup *b, size_t n)
{
    struct mst_err err = {0};

    assert_ok(mst_cache_save(x->db, k, 1795386900000, b, n, &err), &err);
}

static void same(const struct mst_backup *a, const struct mst_backup *b)
{
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->kind, b->kind);
    assert_int_equal(a->state, b->state);
    assert_string_equal(a->problem, b->problem);
    assert_int_equal(a->started_wall_ms, b->started_wall_ms);
    assert_int_equal(a->finished_wall_ms, b->finished_wall_ms);
    assert_int_equal(a->first.ts.t, b->first.ts.t);
    assert_int_equal(a->first.ts.i, b->first.ts.i);
    assert_int_equal(a->first.term, b->first.term);
    assert_int_equal(a->last.ts.t, b->last.ts.t);
    assert_int_equal(a->last.term, b->last.term);
    assert_int_equal(a->data_bytes, b->data_bytes);
    assert_int_equal(a->stored_bytes, b->stored_bytes);
    assert_int_equal(a->documents, b->documents);
    assert_int_equal(a->namespaces, b->namespaces);
    assert_int_equal(a->left_out, b->left_out);
    assert_string_equal(a->source, b->source);
    assert_string_equal(a->server_version, b->server_version);
    assert_string_equal(a->fcv, b->fcv);
    assert_true(a->sealed == b->sealed && a->is_signed == b->is_signed);
    assert_true(a->unproven == b->unproven && a->verified_ok == b->verified_ok);
    assert_int_equal(a->verified_level, b->verified_level);
    assert_int_equal(a->verified_wall_ms, b->verified_wall_ms);
    assert_string_equal(a->verified_text, b->verified_text);
}

static void a_listing_comes_back_as_it_was(void **state)
{
    struct fix *x = *state;
    const struct mst_backup b[] = {full(), backup("some thing", MST_BK_FOREIGN)};
    struct mst_cached c;
    struct mst_err err = {0};

    save(x, &key, b, 2);
    mst_db_close(x->db); /* another process */
    assert_ok(mst_db_open(x->path, &x->db, &err), &err);
    assert_ok(mst_cache_load(x->db, &key, &c, &err), &err);
    assert_string_equal(c.set, "rs0");
    assert_int_equal(c.read_wall_ms, 1795386900000);
    assert_int_equal(c.n, 2);
    same(&c.backups[0], &b[0]);
    same(&c.backups[1], &b[1]);
    mst_cached_release(&c);
    save(x, &key, NULL, 0); /* an empty store is a listing too */
    assert_ok(mst_cache_load(x->db, &key, &c, &err), &err);
    assert_int_equal(c.n, 0);
    mst_cached_release(&c);
    mst_cached_release(&c);
}

static void each_set_and_store_has_its_own(void **state)
{
    struct fix *x = *state;
    const struct mst_backup b[] = {full(), backup("x", MST_BK_FOREIGN)};
    const struct mst_cache_key unnamed = {.set = "", .store = "vault", .place = key.place};
    const struct mst_cache_key other = {.set = "rs1", .store = "vault", .place = key.place};
    const struct mst_cache_key store = {.set = "rs0", .store = "attic", .place = key.place};
    struct mst_cached c;
    struct mst_err err = {0};

    assert_rc(mst_cache_load(x->db, &key, &c, &err), MST_E_NOTFOUND, &err);
    assert_null(c.backups);
    save(x, &key, b, 1);
    assert_rc(mst_cache_load(x->db, &other, &c, &err), MST_E_NOTFOUND, &err);
    assert_rc(mst_cache_load(x->db, &store, &c, &err), MST_E_NOTFOUND, &err);
    assert_ok(mst_cache_load(x->db, &unnamed, &c, &err), &err); /* the only one */
    assert_string_equal(c.set, "rs0");
    mst_cached_release(&c);
    save(x, &other, b, 2);
    assert_rc(mst_cache_load(x->db, &unnamed, &c, &err), MST_E_NOTFOUND, &err); /* which? */
    assert_ok(mst_cache_load(x->db, &key, &c, &err), &err);
    assert_int_equal(c.n, 1);
    mst_cached_release(&c);
}

static void what_is_damaged_is_not_given_out(void **state)
{
    static const char *const harm[] = {
        "UPDATE catalog_rows SET doc = CAST(replace(doc, 'left', 'lost') AS BLOB) WHERE seq = 0",
        "UPDATE catalog_rows SET doc = x'0000' WHERE seq = 0",
        "UPDATE catalog_rows SET doc = 'text' WHERE seq = 1",
        "UPDATE catalog_rows SET seq = 7 WHERE seq = 1",
        "DELETE FROM catalog_rows WHERE seq = 1",
        "DELETE FROM catalog_rows",
        "UPDATE catalog_heads SET n = 1",
        "UPDATE catalog_heads SET n = -1",
        "UPDATE catalog_heads SET n = 4000000000",
        "UPDATE catalog_heads SET read_ms = read_ms + 1",
        "UPDATE catalog_heads SET read_ms = 0",
        "UPDATE catalog_heads SET hash = ''",
        "UPDATE catalog_rows SET doc = (SELECT doc FROM catalog_rows WHERE seq = 1)",
        "INSERT INTO catalog_rows SELECT of_set, store, 2, doc FROM catalog_rows WHERE seq = 1"};
    struct fix *x = *state;
    const struct mst_backup b[] = {full(), backup("y", MST_BK_FOREIGN)};
    struct mst_cached c;
    struct mst_err err = {0};

    for (size_t i = 0; i < MST_COUNT(harm); i++) {
        save(x, &key, b, 2);
        assert_ok(mst_cache_load(x->db, &key, &c, &err), &err);
        mst_cached_release(&c);
        assert_ok(mst_db_run(x->db, &err, harm[i], ""), &err);
        if (mst_cache_load(x->db, &key, &c, &err) != MST_E_INTEGRITY) {
            fail_msg("was given out after: %s", harm[i]);
        }
        assert_null(c.backups);
        assert_non_null(strstr(err.msg, "the cached listing of the store vault is damaged"));
    }
}

static void a_newer_form_and_another_place_are_refused(void **state)
{
    struct fix *x = *state;
    const struct mst_backup b = full();
    const struct mst_cache_key moved = {.set = "rs0", .store = "vault", .place = "local:/mnt/b"};
    struct mst_cached c;
    struct mst_err err = {0};

    save(x, &key, &b, 1);
    assert_rc(mst_cache_load(x->db, &moved, &c, &err), MST_E_STALE, &err);
    assert_non_null(strstr(err.msg, "is of another place"));
    assert_ok(mst_db_run(x->db, &err, "UPDATE catalog_heads SET form = 2", ""), &err);
    assert_rc(mst_cache_load(x->db, &key, &c, &err), MST_E_STALE, &err);
    assert_non_null(strstr(err.msg, "another version"));
    save(x, &moved, &b, 1); /* a good listing replaces it */
    assert_ok(mst_cache_load(x->db, &moved, &c, &err), &err);
    mst_cached_release(&c);
}

/* --- rebuild ---------------------------------------------------------------------------------- */

static void two_listings_are_compared_by_id(void **state)
{
    const struct mst_backup a[] = {backup("c", MST_BK_COMPLETE), backup("b", MST_BK_COMPLETE),
                                   backup("a", MST_BK_INCOMPLETE)};
    const struct mst_backup b[] = {backup("d", MST_BK_PARTIAL), backup("b", MST_BK_DAMAGED),
                                   backup("a", MST_BK_INCOMPLETE)};
    struct mst_backup_change *c;
    size_t n;

    (void)state;
    mst_rebuild_compare(a, 3, b, 3, &c, &n);
    assert_int_equal(n, 3);
    assert_string_equal(c[0].id, "b");
    assert_int_equal(c[0].kind, MST_CHANGE_STATE);
    assert_int_equal(c[0].was, MST_BK_COMPLETE);
    assert_string_equal(c[1].id, "c");
    assert_int_equal(c[1].kind, MST_CHANGE_VANISHED);
    assert_string_equal(c[2].id, "d");
    assert_int_equal(c[2].kind, MST_CHANGE_APPEARED);
    free(c);
    mst_rebuild_compare(a, 3, a, 3, &c, &n);
    assert_int_equal(n, 0);
    free(c);
    mst_rebuild_compare(NULL, 0, a, 3, &c, &n);
    assert_int_equal(n, 3);
    free(c);
    mst_rebuild_compare(a, 3, NULL, 0, &c, &n);
    assert_int_equal(n, 3);
    assert_int_equal(c[2].kind, MST_CHANGE_VANISHED);
    free(c);
}

static void path_of(struct fix *x, const char *name, char *out, size_t size)
{
    char k[MST_KEY_MAX];

    mst_catalog_key(&x->f.c, x->f.id, strcmp(name, "COMMIT") == 0 ? "" : FAKE_ATTEMPT, name, k);
    (void)snprintf(out, size, "%s/%s", x->store, k);
}

static void flip(struct fix *x, const char *name)
{
    char path[700];
    FILE *f;
    int ch;

    path_of(x, name, path, sizeof(path));
    f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, 40, SEEK_SET), 0);
    ch = fgetc(f);
    assert_int_equal(fseek(f, 40, SEEK_SET), 0);
    assert_int_not_equal(fputc(ch ^ 1, f), EOF);
    assert_int_equal(fclose(f), 0);
}

static struct mst_backup listed(struct fix *x)
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

static struct mst_backup looked(struct fix *x, bool unmarked)
{
    struct mst_backup b = listed(x);
    struct mst_err err = {0};
    bool un = false;

    assert_ok(mst_rebuild_look(&x->f.c, &b, "tester", NULL, &un, &err), &err);
    assert_int_equal(un, unmarked);
    return b;
}

static void a_good_backup_stays_what_it_is(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    struct mst_backup b;

    assert_ok(fake_make(&x->f, &err), &err);
    b = looked(x, false);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    assert_int_equal(listed(x).verified_wall_ms, 0); /* nothing is claimed in the store */
}

static void one_changed_byte_is_found_and_remembered_in_the_store(void **state)
{
    static const char *const names[] = {"manifest", "manifest.copy", "header", "COMMIT"};
    struct fix *x = *state;
    struct mst_err err = {0};
    struct mst_backup b;
    char root[700];

    for (size_t i = 0; i < MST_COUNT(names); i++) {
        assert_ok(fake_make(&x->f, &err), &err);
        flip(x, names[i]);
        assert_int_equal(listed(x).state, i < 2 ? MST_BK_COMPLETE : MST_BK_DAMAGED);
        b = looked(x, false);
        assert_int_equal(b.state, MST_BK_DAMAGED);
        assert_non_null(strstr(b.problem, names[i]));
        assert_int_equal(listed(x).state, MST_BK_DAMAGED); /* every later listing */
        (void)snprintf(root, sizeof(root), "%s/rs0", x->store);
        fake_rm(root);
    }
    assert_ok(fake_make(&x->f, &err), &err);
    flip(x, "manifest");
    flip(x, "manifest.copy");
    b = looked(x, false);
    assert_int_equal(b.state, MST_BK_DAMAGED);
    assert_non_null(strstr(listed(x).problem, "rebuild found: "));
}

static void a_store_that_takes_no_mark_is_said_so(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};

    assert_ok(fake_make(&x->f, &err), &err);
    flip(x, "manifest");
    mst_store_free(x->s);
    assert_ok(mst_store_local_open("vault", x->store, false, &x->s, &err), &err);
    assert_ok(mst_catalog_init(&x->f.c, x->s, "", "rs0", &err), &err);
    assert_int_equal(looked(x, true).state, MST_BK_DAMAGED);
}

static void a_cancel_ends_it_without_a_verdict(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    struct mst_task task;
    struct mst_backup b;
    bool un;

    assert_ok(fake_make(&x->f, &err), &err);
    flip(x, "manifest");
    b = listed(x);
    assert_ok(mst_task_init(&task, &err), &err);
    mst_task_cancel(&task);
    assert_rc(mst_rebuild_look(&x->f.c, &b, "tester", &task, &un, &err), MST_E_CANCELLED, &err);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    assert_int_equal(listed(x).state, MST_BK_COMPLETE);
    mst_task_release(&task);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_listing_comes_back_as_it_was),
        T(each_set_and_store_has_its_own),
        T(what_is_damaged_is_not_given_out),
        T(a_newer_form_and_another_place_are_refused),
        T(two_listings_are_compared_by_id),
        T(a_good_backup_stays_what_it_is),
        T(one_changed_byte_is_found_and_remembered_in_the_store),
        T(a_store_that_takes_no_mark_is_said_so),
        T(a_cancel_ends_it_without_a_verdict),
    };
    return cmocka_run_group_tests_name("catalog cache", tests, NULL, NULL);
}
