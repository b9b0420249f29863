/* In which store is the backup that was asked for? */
#include "test.h"

#include "engine/pick.h"

#include "base/mem.h"

#define ID1 "2026-11-20T10-00-00Z-full"
#define ID2 "2026-11-21T10-00-00Z-full"
#define ID3 "2026-11-22T10-00-00Z-full"

struct row {
    const char *id;
    enum mst_backup_state state;
    uint32_t leftovers;
};

struct table {
    struct mst_backup backups[3][4];
    struct mst_bucket_part parts[3];
    struct mst_listed s[3];
    size_t n;
};

static void add(struct table *t, const char *name, bool fresh, const struct row *rows, size_t n)
{
    struct mst_bucket_part *p = &t->parts[t->n];

    memset(p, 0, sizeof(*p));
    (void)mst_copy(p->store, sizeof(p->store), name);
    p->backups = t->backups[t->n];
    p->n = n;
    for (size_t i = 0; i < n; i++) {
        memset(&p->backups[i], 0, sizeof(p->backups[i]));
        (void)mst_copy(p->backups[i].id, sizeof(p->backups[i].id), rows[i].id);
        p->backups[i].state = rows[i].state;
        p->backups[i].leftovers = rows[i].leftovers;
    }
    t->s[t->n].part = p;
    t->s[t->n++].fresh = fresh;
}

static void picks(struct table *t, size_t home, const char *id, enum mst_want want, size_t store,
                  const char *got)
{
    struct mst_err err = {0};
    char out[MST_ID_MAX], note[200];
    size_t at = 99;

    assert_ok(mst_pick(t->s, t->n, home, id, want, &at, out, note, sizeof(note), &err), &err);
    assert_string_equal(out, got);
    assert_int_equal(at, store);
}

static void latest_is_the_newest_complete_one_of_all_stores(void **state)
{
    struct table t = {.n = 0};

    (void)state;
    add(&t, "local", true, (struct row[]){{ID2, MST_BK_COMPLETE, 0}, {ID1, MST_BK_COMPLETE, 0}}, 2);
    add(&t, "vault", true, (struct row[]){{ID3, MST_BK_COMPLETE, 0}, {ID2, MST_BK_COMPLETE, 0}}, 2);
    picks(&t, 0, "latest", MST_WANT_GOOD, 1, ID3);
    t.backups[1][0].state = MST_BK_DAMAGED;
    picks(&t, 0, "latest", MST_WANT_GOOD, 0, ID2); /* of two copies the one at home */
    picks(&t, 1, "latest", MST_WANT_GOOD, 1, ID2);
    t.backups[1][0].state = MST_BK_PARTIAL;
    picks(&t, 0, "latest", MST_WANT_GOOD, 0, ID2); /* a complete one counts more than a newer one */
}

static void a_copy_that_sleeps_is_the_second_choice(void **state)
{
    struct table t = {.n = 0};

    (void)state;
    add(&t, "local", true, (struct row[]){{ID2, MST_BK_COMPLETE, 0}}, 1);
    add(&t, "vault", true, (struct row[]){{ID2, MST_BK_COMPLETE, 0}}, 1);
    t.backups[0][0].archived = 2;
    picks(&t, 0, "latest", MST_WANT_GOOD, 1, ID2);
    picks(&t, 0, ID2, MST_WANT_GOOD, 1, ID2);
    t.backups[0][0].thawed = 2;
    picks(&t, 0, "latest", MST_WANT_GOOD, 0, ID2);
    picks(&t, 0, ID2, MST_WANT_GOOD, 0, ID2);
    t.backups[0][0].thawed = 0;
    t.backups[1][0].state = MST_BK_PARTIAL; /* better asleep than in part */
    picks(&t, 0, ID2, MST_WANT_GOOD, 0, ID2);
}

static void a_partial_one_is_taken_when_none_is_complete(void **state)
{
    struct table t = {.n = 0};

    (void)state;
    add(&t, "local", true, (struct row[]){{ID3, MST_BK_INCOMPLETE, 0}}, 1);
    add(&t, "vault", true, (struct row[]){{ID2, MST_BK_PARTIAL, 0}}, 1);
    picks(&t, 0, "latest", MST_WANT_GOOD, 1, ID2);
}

static void a_store_that_was_not_read_counts_for_nothing_and_is_named(void **state)
{
    struct table t = {.n = 0};
    struct mst_err err = {0};
    char out[MST_ID_MAX], note[200];
    size_t at;

    (void)state;
    add(&t, "local", true, (struct row[]){{ID1, MST_BK_COMPLETE, 0}}, 1);
    add(&t, "vault", false, (struct row[]){{ID3, MST_BK_COMPLETE, 0}}, 1);
    assert_ok(mst_pick(t.s, t.n, 0, "latest", MST_WANT_GOOD, &at, out, note, sizeof(note), &err),
              &err);
    assert_string_equal(out, ID1);
    assert_string_equal(note, "the store vault was not read: it does not answer");
    assert_rc(mst_pick(t.s, t.n, 0, ID3, MST_WANT_GOOD, &at, out, note, sizeof(note), &err),
              MST_E_NOTFOUND, &err);
    assert_non_null(strstr(err.msg, "the store vault was not read"));
}

static void a_named_backup_is_taken_where_it_is_whole(void **state)
{
    struct table t = {.n = 0};

    (void)state;
    add(&t, "local", true, (struct row[]){{ID1, MST_BK_DAMAGED, 0}}, 1);
    add(&t, "vault", true, (struct row[]){{ID1, MST_BK_COMPLETE, 0}}, 1);
    picks(&t, 0, ID1, MST_WANT_GOOD, 1, ID1);
    t.backups[1][0].state = MST_BK_INCOMPLETE;
    picks(&t, 0, ID1, MST_WANT_GOOD, 0, ID1); /* whoever reads it says what is wrong */
}

static void leavings_are_looked_for_where_they_are(void **state)
{
    struct table t = {.n = 0};
    struct mst_err err = {0};
    char out[MST_ID_MAX], note[200];
    size_t at;

    (void)state;
    add(&t, "local", true, (struct row[]){{ID1, MST_BK_COMPLETE, 0}}, 1);
    add(&t, "vault", true, (struct row[]){{ID1, MST_BK_INCOMPLETE, 0}}, 1);
    picks(&t, 0, ID1, MST_WANT_LEFT, 1, ID1);
    t.backups[0][0].leftovers = 2;
    assert_rc(mst_pick(t.s, t.n, 0, ID1, MST_WANT_LEFT, &at, out, note, sizeof(note), &err),
              MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "--store"));
    t.backups[1][0].state = MST_BK_COMPLETE;
    picks(&t, 0, ID1, MST_WANT_LEFT, 0, ID1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latest_is_the_newest_complete_one_of_all_stores),
        cmocka_unit_test(a_copy_that_sleeps_is_the_second_choice),
        cmocka_unit_test(a_partial_one_is_taken_when_none_is_complete),
        cmocka_unit_test(a_store_that_was_not_read_counts_for_nothing_and_is_named),
        cmocka_unit_test(a_named_backup_is_taken_where_it_is_whole),
        cmocka_unit_test(leavings_are_looked_for_where_they_are),
    };

    return cmocka_run_group_tests_name("pick", tests, NULL, NULL);
}
