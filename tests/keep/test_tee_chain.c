/* Several stores and the chain of signed backups: what one of them never got is told from what was
 * removed there, an id is everybody's or nobody's, and a COMMIT of a stranger removes nothing. By
 * the real program. */
#include "tee_kit.h"

#include "catalog/header.h"

static struct tee_kit t;

static int setup(void **state)
{
    (void)state;
    tee_start(&t, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tee_end(&t);
    return 0;
}

/* Neither a listing nor a verification of this store misses anything. */
static void nothing_is_missed(const char *store, size_t backups)
{
    struct ran r;

    tee_list(&t.home, store, &r);
    assert_int_equal(tee_count(&r.out, "\"id\":\""), backups);
    assert_int_equal(tee_count(&r.out, "\"chain\":null"), backups);
    assert_int_equal(tee_count(&r.out, "\"state\":\"COMPLETE\""), backups);
    ran_release(&r);
    MUST(&r, &t.home, 0, "verify", "--store", store);
    HAS_NOT(mst_str_c(&r.out), "missing");
    ran_release(&r);
}

static void a_store_that_missed_a_backup_is_not_one_that_lost_it(void **state)
{
    struct ran r;
    char second[64], third[64], path[256], hidden[160];

    (void)state;
    tee_config(&t, &t.home, true, "copies = 1;", "");
    MUST(&r, &t.home, 0, "backup");
    HAS(mst_str_c(&r.out), "copies 2/2");
    ran_release(&r);
    assert_int_equal(rename(t.vault, t.away), 0);
    agents_die(&t.home);
    MUST(&r, &t.home, 0, "backup");
    HAS(mst_str_c(&r.out), "copies 1/2: vault failed");
    ran_release(&r);
    tee_newest(&t.home, "local", second, sizeof(second));
    assert_int_equal(rename(t.away, t.vault), 0);
    agents_die(&t.home);
    MUST(&r, &t.home, 0, "backup"); /* and it is no reason to leave the store out again */
    HAS(mst_str_c(&r.out), "copies 2/2");
    ran_release(&r);
    tee_newest(&t.home, "vault", third, sizeof(third));
    nothing_is_missed("local", 3);
    nothing_is_missed("vault", 2);
    DO(&t.home, 0, "copy", second, "--from", "local", "--to", "vault");
    nothing_is_missed("vault", 3);
    /* what was there and is not any more is seen in each of them */
    (void)snprintf(path, sizeof(path), "%s/rs0/backups/%s", t.local, second);
    (void)snprintf(hidden, sizeof(hidden), "%s/hidden", t.dir);
    assert_int_equal(rename(path, hidden), 0);
    tee_list(&t.home, "local", &r);
    HAS(mst_str_c(&r.out), "is missing here: it was removed, changed or held back");
    ran_release(&r);
    nothing_is_missed("vault", 3);
    (void)snprintf(path, sizeof(path), "%s/rs0/backups/%s", t.vault, third);
    temp_remove(path);
    agents_die(&t.home);
    MUST(&r, &t.home, 0, "backup");
    ran_release(&r);
    tee_list(&t.home, "vault", &r);
    HAS(mst_str_c(&r.out), "number 3 was in this store before it was made, and was gone already");
    ran_release(&r);
}

/* A writer without the signing key puts a COMMIT of its own beside the objects of a backup that is
 * being made, or in the place of the true one: nothing of the true attempt is ever removed. */
static void a_commit_of_a_stranger_removes_nothing(void **state)
{
    struct mst_commit c = {.attempt = "ffffffffffffffff"};
    struct mst_sign_key stranger = {0};
    struct mst_str s = {0};
    struct mst_buf real = {0};
    struct mst_err err = {0};
    struct ran r;
    char id[64], path[256];

    (void)state;
    tee_config(&t, &t.home, true, "copies = 2;", "");
    DO(&t.home, 0, "backup");
    tee_newest(&t.home, "vault", id, sizeof(id));
    (void)snprintf(path, sizeof(path), "%s/rs0/backups/%s/COMMIT", t.vault, id);
    assert_ok(mst_file_read(path, 65536, &real, &err), &err);
    (void)mst_copy(c.id, sizeof(c.id), id);
    memset(c.header_sha, 'a', MST_SHA256_HEX - 1);
    memset(c.manifest_sha, 'b', MST_SHA256_HEX - 1);
    assert_ok(mst_sign_key_new(&stranger, &err), &err);
    assert_ok(mst_commit_put(&c, &stranger, &s, &err), &err);
    assert_ok(mst_file_replace(path, 0600, s.p, s.len, &err), &err);
    MUST(&r, &t.home, 0, "store", "orphans", "vault", "--older", "0s");
    HAS(mst_str_c(&r.out), "0 objects of no backup");
    HAS_NOT(mst_str_c(&r.out), " 0 whose COMMIT is not believed");
    ran_release(&r);
    RUN(&r, t.home.env, "store", "orphans", "vault", "--older", "0s", "--remove", "--confirm",
        "vault");
    assert_int_not_equal(r.status, 0);
    HAS(mst_str_c(&r.err), "has nothing to remove");
    ran_release(&r);
    RUN(&r, t.home.env, "clean", id, "--store", "vault", "--confirm", id);
    assert_int_not_equal(r.status, 0);
    HAS(mst_str_c(&r.out), "is FORGED: ");
    ran_release(&r);
    assert_ok(mst_file_replace(path, 0600, real.p, real.len, &err), &err);
    MUST(&r, &t.home, 0, "verify", id, "--store", "vault"); /* it is all there */
    ran_release(&r);
    mst_buf_release(&real);
    mst_str_release(&s);
    mst_sign_key_release(&stranger);
}

/* Two agents with states of their own begin again and again at the same time: each has its own id,
 * in both stores, and neither loses a copy to the other. */
static void two_agents_on_one_prefix_keep_out_of_each_others_way(void **state)
{
    struct home other;
    struct ran r;

    (void)state;
    home_make(&other, &t.set, t.local);
    tee_config(&t, &t.home, true, "copies = 2;", "");
    tee_config(&t, &other, true, "copies = 2;", "");
    DO(&t.home, 0, "agent");
    DO(&other, 0, "agent");
    for (int i = 0; i < 3; i++) {
        struct beside a, b;

        BESIDE(&a, &t.home, false, "backup");
        BESIDE(&b, &other, false, "backup");
        assert_int_equal(beside_end(&a), 0);
        assert_int_equal(beside_end(&b), 0);
        HAS(mst_str_c(&a.out), "copies 2/2");
        HAS(mst_str_c(&b.out), "copies 2/2");
        mst_str_release(&a.out);
        mst_str_release(&b.out);
    }
    for (size_t i = 0; i < 2; i++) {
        const char *const store = i ? "vault" : "local";

        tee_list(&t.home, store, &r);
        assert_int_equal(tee_count(&r.out, "\"state\":\"COMPLETE\""), 6);
        ran_release(&r);
        MUST(&r, &t.home, 0, "store", "orphans", store, "--older", "0s");
        HAS(mst_str_c(&r.out), "0 objects of no backup");
        ran_release(&r);
    }
    home_end(&other);
}

/* The directory is another set's, too: what it has there is neither shown, nor counted, nor
 * removed.
 */
static void what_another_set_has_there_is_left_alone(void **state)
{
    struct ran r;
    char own[160], theirs[160];

    (void)state;
    tee_config(&t, &t.home, true, "", "");
    DO(&t.home, 0, "backup");
    (void)snprintf(own, sizeof(own), "%s/rs0", t.local);
    (void)snprintf(theirs, sizeof(theirs), "%s/rs1", t.local);
    agents_die(&t.home);
    assert_int_equal(rename(own, theirs), 0);
    MUST(&r, &t.home, 0, "backup");
    HAS(mst_str_c(&r.out), "copies 2/2");
    ran_release(&r);
    tee_list(&t.home, "local", &r);
    assert_int_equal(tee_count(&r.out, "\"state\":\"COMPLETE\""), 1);
    ran_release(&r);
    MUST(&r, &t.home, 0, "store", "orphans", "local", "--older", "0s");
    HAS(mst_str_c(&r.out), "0 objects of no backup");
    ran_release(&r);
    /* and nothing of it was touched */
    agents_die(&t.home);
    temp_remove(own);
    assert_int_equal(rename(theirs, own), 0);
    DO(&t.home, 0, "verify", "--store", "local");
}

/* Another set of the same name writes to the same place: nothing is lost, and it is said, in each
 * of the stores. */
static void another_set_of_the_same_name_is_noticed(void **state)
{
    struct ran r;

    (void)state;
    tee_config(&t, &t.home, true, "", "");
    MUST(&r, &t.home, 0, "backup");
    HAS_NOT(mst_str_c(&r.out), "another set");
    ran_release(&r);
    agents_die(&t.home);
    kit_stop(&t.set);
    kit_start(&t.set, (struct sbx_opts){.fast = true, .seed = 2});
    fill(&t.set, "other");
    tee_config(&t, &t.home, true, "", "");
    MUST(&r, &t.home, 0, "backup");
    HAS(mst_str_c(&r.out), "copies 2/2");
    HAS(mst_str_c(&r.out), "WARNING: the backup before it in the store local, ");
    HAS(mst_str_c(&r.out), "WARNING: the backup before it in the store vault, ");
    HAS(mst_str_c(&r.out), "is of another set that is called rs0 too (id ");
    ran_release(&r);
    MUST(&r, &t.home, 0, "backup", "--store", "local"); /* the newest is its own now */
    HAS_NOT(mst_str_c(&r.out), "another set");
    ran_release(&r);
    tee_list(&t.home, "local", &r);
    assert_int_equal(tee_count(&r.out, "\"state\":\"COMPLETE\""), 3);
    ran_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_store_that_missed_a_backup_is_not_one_that_lost_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_commit_of_a_stranger_removes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_another_set_has_there_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(another_set_of_the_same_name_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(two_agents_on_one_prefix_keep_out_of_each_others_way, setup,
                                        teardown),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 1);
    return cmocka_run_group_tests_name("tee chain", tests, NULL, NULL);
}
