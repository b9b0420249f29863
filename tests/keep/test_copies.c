/* More than one store: copies of a backup, which store is meant, and what happens to the others
 * when one is dead, hangs, or its copy was killed. */
#include "cli_kit.h"

#include <signal.h>
#include <sys/wait.h>

static char local[96], vault[96], away[96];

/* backup: what stands in its section */
static void write_config(const char *backup)
{
    struct mst_str rest = {0};

    mst_str_addf(&rest,
                 "stores = ({ name = \"local\"; type = \"local\"; path = \"%s\"; },\n"
                 "  { name = \"vault\"; type = \"local\"; path = \"%s\"; });\nbackup = { %s };\n",
                 local, vault, backup);
    cli_config(false, "", mst_str_c(&rest));
    mst_str_release(&rest);
}

static int setup(void **state)
{
    (void)state;
    cli_up();
    (void)snprintf(local, sizeof(local), "%s/store", dir);
    (void)snprintf(vault, sizeof(vault), "%s/vault", dir);
    (void)snprintf(away, sizeof(away), "%s/away", dir);
    assert_int_equal(mkdir(local, 0700), 0);
    assert_int_equal(mkdir(vault, 0700), 0);
    return 0;
}

/* The id of the newest backup in a store. */
static void newest(const char *store, char *id, size_t size)
{
    struct ran r;

    DO(&r, 0, "bucket", "ls", "--store", store, "--json");
    first_id(&r.out, id, size);
    ran_release(&r);
}

static void a_backup_goes_to_every_store_and_one_dead_store_fails_its_copy_only(void **state)
{
    struct ran r;
    char a[64], b[64];

    (void)state;
    write_config("stores = [\"local\", \"vault\"];");
    fill();
    DO(&r, 0, "backup");
    has(&r.out, "copies 2/2");
    ran_release(&r);
    newest("local", a, sizeof(a));
    newest("vault", b, sizeof(b));
    assert_string_equal(a, b);
    JUST(0, "verify", "--store", "vault", a);
    JUST(0, "verify", "--store", "local", a);
    assert_int_equal(rename(vault, away), 0);
    JUST(0, "agent", "stop", "--force");
    DO(&r, 0, "backup", "--json"); /* good: one copy is wanted */
    has(&r.out, "copies 1/2: vault failed: the store vault");
    ran_release(&r);
    DO(&r, 2, "bucket", "ls"); /* shown, but not as a success */
    has(&r.out, "local, directory ");
    has(&r.out, ": 2 backups");
    has(&r.err, "the store vault");
    ran_release(&r);
    JUST(0, "agent", "stop", "--force");
    write_config("stores = [\"local\", \"vault\"]; copies = 2;");
    DO(&r, 15, "backup");
    has(&r.out, "copies 1/2: vault failed");
    ran_release(&r);
    newest("local", b, sizeof(b));
    JUST(0, "verify", "--store", "local", b);
}

static void what_may_not_leave_its_region_does_not(void **state)
{
    struct ran r;
    char id[64];

    (void)state;
    write_config("store = \"local\"; regions = [\"here\"];");
    fill();
    DO(&r, 10, "backup");
    has(&r.out, "the store local does not say in which region it is");
    ran_release(&r);
    JUST(0, "agent", "stop", "--force");
    write_config("store = \"local\";");
    JUST(0, "backup");
    newest("local", id, sizeof(id));
    JUST(0, "agent", "stop", "--force");
    write_config("store = \"local\"; regions = [\"here\"];");
    DO(&r, 10, "copy", id, "--from", "local", "--to", "vault");
    has(&r.out, "the store vault does not say in which region it is");
    ran_release(&r);
    DO(&r, 0, "bucket", "ls", "--store", "vault"); /* nothing went there */
    has_not(&r.out, id);
    ran_release(&r);
}

static void a_store_that_hangs_holds_up_nobody_else(void **state)
{
    struct ran r;
    char id[64];
    int64_t t0;

    (void)state;
    write_config("store = \"local\";");
    fill();
    JUST(0, "backup");
    newest("local", id, sizeof(id));
    JUST(0, "copy", id, "--from", "local", "--to", "vault");
    JUST(0, "agent", "stop", "--force");
    with_fault("hang=list-vault");
    t0 = mst_clock_mono_ms(NULL);
    DO(&r, 0, "bucket", "ls", "--store", "local");
    has(&r.out, id);
    ran_release(&r);
    DO(&r, 3, "bucket", "ls");
    has(&r.out, id);
    has(&r.err, "the store vault was not listed in time");
    ran_release(&r);
    DO(&r, 0, "verify"); /* the newest of what answers */
    ran_release(&r);
    DO(&r, 0, "restore", "latest", "--dry-run");
    has(&r.out, "--store local");
    ran_release(&r);
    assert_true(mst_clock_mono_ms(NULL) - t0 < 60000);
}

static void without_a_store_the_newest_good_one_of_all_is_meant(void **state)
{
    struct ran r;
    char first[64], second[64];

    (void)state;
    write_config("store = \"local\";");
    fill();
    JUST(0, "backup");
    newest("local", first, sizeof(first));
    JUST(0, "backup", "--store", "vault");
    newest("vault", second, sizeof(second));
    assert_int_not_equal(strcmp(first, second), 0);
    DO(&r, 0, "bucket", "show");
    has(&r.out, "store vault");
    has(&r.out, second);
    ran_release(&r);
    DO(&r, 0, "bucket", "show", first);
    has(&r.out, "store local");
    ran_release(&r);
    DO(&r, 0, "restore", "--dry-run");
    has(&r.out, "--store vault");
    has(&r.out, second);
    ran_release(&r);
    DO(&r, 0, "restore", "--store", "local", "--dry-run");
    has(&r.out, first);
    ran_release(&r);
    DO(&r, 2, "bucket", "ls", "--store", "tape");
    has(&r.err, "no store is called tape: there is local, vault");
    ran_release(&r);
    DO(&r, 0, "store", "list");
    has(&r.out, "local");
    has(&r.out, "vault");
    ran_release(&r);
}

/* The copy dies at each of its steps; started again, the same backup is whole and nothing else is
 * there. */
static void a_copy_that_was_killed_goes_on(void **state)
{
    static const char *const points[] = {"copy-object:1", "copy-object:2", "copy-manifest:1",
                                         "copy-header:1", "copy-commit:1", "copy-mark:1"};
    struct ran r;
    char id[64], text[64], want[160];

    (void)state;
    write_config("store = \"local\";");
    fill();
    JUST(0, "backup");
    newest("local", id, sizeof(id));
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        JUST(0, "agent", "stop", "--force");
        (void)snprintf(text, sizeof(text), "kill=%s", points[i]);
        with_fault(text);
        DO(&r, -1, "copy", id, "--from", "local", "--to", "vault");
        assert_int_not_equal(r.status, 0);
        ran_release(&r);
        with_fault("");
        DO(&r, 0, "bucket", "ls");
        if (i > 0 && i < 5) {
            (void)snprintf(want, sizeof(want), "the copy of %s in vault is not whole: 'muster copy",
                           id);
            has(&r.out, want);
        }
        ran_release(&r);
        JUST(0, "copy", id, "--from", "local", "--to", "vault");
        JUST(0, "verify", id, "--store", "vault");
        DO(&r, 0, "bucket", "ls");
        has_not(&r.out, "left:");
        has_not(&r.out, "INCOMPLETE");
        has(&r.out, "copied to vault");
        ran_release(&r);
        DO(&r, 0, "store", "orphans", "vault", "--older", "0s");
        has(&r.out, "0 objects of no backup");
        ran_release(&r);
        temp_remove(vault);
        assert_int_equal(mkdir(vault, 0700), 0);
    }
}

static void a_lost_state_directory_knows_copies_and_holds_again(void **state)
{
    struct ran r;
    char id[64], state_dir[96];

    (void)state;
    write_config("store = \"local\";");
    fill();
    JUST(0, "backup");
    newest("local", id, sizeof(id));
    JUST(0, "copy", id, "--to", "vault");
    DO(&r, 2, "hold", id, "--until", "90d");
    has(&r.err, "--reason");
    ran_release(&r);
    DO(&r, 0, "hold", "latest", "--store", "local", "--until", "1d", "--reason", "for a day");
    has(&r.out, id);
    ran_release(&r);
    DO(&r, 2, "release", "latest", "--confirm", "latest");
    has(&r.err, "name the backup");
    ran_release(&r);
    DO(&r, 0, "hold", id, "--until", "ever", "--reason", "the auditors");
    has(&r.out, "held without an end in local, vault");
    ran_release(&r);
    JUST(0, "verify", id, "--store", "vault");
    JUST(0, "agent", "stop", "--force");
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    temp_remove(state_dir);
    DO(&r, 0, "catalog", "rebuild");
    ran_release(&r);
    DO(&r, 0, "bucket", "ls", "--json");
    has(&r.out, "\"copied_to\":\"vault\"");
    has(&r.out, "\"held\":true,\"held_until\":null,\"held_why\":\"the auditors\"");
    has(&r.out, "\"verified_ok\":true");
    ran_release(&r);
    DO(&r, 10, "release", id);
    has(&r.err, "--confirm");
    ran_release(&r);
    DO(&r, 0, "release", id, "--confirm", id);
    has(&r.out, "is released in local, vault");
    ran_release(&r);
    DO(&r, 0, "bucket", "ls", "--json");
    has_not(&r.out, "\"held\":true");
    ran_release(&r);
}

static void a_store_is_tested_listed_and_swept(void **state)
{
    struct ran r;
    char id[64], path[256];

    (void)state;
    write_config("store = \"local\";");
    fill();
    JUST(0, "backup");
    newest("local", id, sizeof(id));
    DO(&r, 0, "store", "test", "vault");
    has(&r.out, "vault: 7 of 7 checks passed");
    has(&r.out, "create-only  ok");
    ran_release(&r);
    DO(&r, 0, "store", "ls", "vault");
    assert_int_equal(r.out.len, 0); /* nothing of the test stays */
    ran_release(&r);
    DO(&r, 0, "store", "ls", "local", "--long");
    has(&r.out, "/COMMIT");
    ran_release(&r);
    DO(&r, 0, "store", "show", "vault", "--json");
    has(&r.out, "\"create_only\":true");
    ran_release(&r);
    DO(&r, 0, "store", "du", "local");
    has(&r.out, "100.0%");
    ran_release(&r);
    DO(&r, 0, "store", "usage", "local");
    has(&r.out, "growth unknown, days left unknown");
    ran_release(&r);
    (void)snprintf(path, sizeof(path), "%s/rs0/backups/%s/ffffffffffffffff", local, id);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/rs0/backups/%s/ffffffffffffffff/header", local, id);
    {
        struct mst_err err = {0};

        assert_ok(mst_file_replace(path, 0600, "x", 1, &err), &err);
    }
    DO(&r, 0, "store", "orphans", "local");
    has(&r.out, "0 objects of no backup");
    has(&r.out, "1 younger than --older");
    ran_release(&r);
    DO(&r, 10, "store", "orphans", "local", "--older", "0s", "--remove");
    has(&r.err, "--confirm 'local'");
    ran_release(&r);
    DO(&r, 0, "store", "orphans", "local", "--older", "0s", "--remove", "--confirm", "local");
    has(&r.out, "1 object removed from local");
    ran_release(&r);
    JUST(0, "verify", id);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, cli_down)
    const struct CMUnitTest tests[] = {
        T(a_backup_goes_to_every_store_and_one_dead_store_fails_its_copy_only),
        T(what_may_not_leave_its_region_does_not),
        T(a_store_that_hangs_holds_up_nobody_else),
        T(without_a_store_the_newest_good_one_of_all_is_meant),
        T(a_copy_that_was_killed_goes_on),
        T(a_lost_state_directory_knows_copies_and_holds_again),
        T(a_store_is_tested_listed_and_swept),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 1);
    return cmocka_run_group_tests_name("copies", tests, NULL, NULL);
}
