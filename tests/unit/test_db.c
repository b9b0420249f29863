#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "db/db.h"

static char dir[64], path[96], walpath[128];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/mst-db-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/muster.db", dir);
    return 0;
}

static int teardown(void **state)
{
    char p[128];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static const char *const ends[] = {"", "-wal", "-shm"};

        (void)snprintf(p, sizeof(p), "%s%s", path, ends[i]);
        (void)unlink(p);
    }
    return rmdir(dir);
}

static enum mst_rc two_rows(struct mst_db *db, void *arg, struct mst_err *err)
{
    const bool *fail = arg;

    if (mst_db_run(db, err, "INSERT INTO audit_head VALUES (1, ?, ?)", "it", (int64_t)1, "x") !=
        MST_OK) {
        return err->rc;
    }
    return *fail ? mst_err_set(err, MST_E_NET, "no") : MST_OK;
}

static void a_transaction_is_wholly_there_or_not_at_all(void **state)
{
    struct mst_db *db;
    struct mst_err err = {0};
    bool fail = true;
    int64_t n;

    (void)state;
    assert_ok(mst_db_open(path, &db, &err), &err);
    assert_rc(mst_db_tx(db, two_rows, &fail, &err), MST_E_NET, &err);
    assert_ok(mst_db_int(db, -1, &n, &err, "SELECT count(*) FROM audit_head", ""), &err);
    assert_int_equal(n, 0);
    fail = false;
    assert_ok(mst_db_tx(db, two_rows, &fail, &err), &err);
    mst_db_close(db);
    assert_ok(mst_db_open(path, &db, &err), &err);
    assert_ok(mst_db_int(db, -1, &n, &err, "SELECT count FROM audit_head WHERE hash = ?", "t", "x"),
              &err);
    assert_int_equal(n, 1);
    assert_ok(mst_db_int(db, -1, &n, &err, "SELECT count FROM audit_head WHERE hash = ?", "t", "y"),
              &err);
    assert_int_equal(n, -1);
    mst_db_close(db);
}

static void the_file_is_private_and_durable(void **state)
{
    struct mst_db *db;
    struct mst_err err = {0};
    struct stat st;
    int64_t n;

    (void)state;
    assert_ok(mst_db_open(path, &db, &err), &err);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_ok(mst_db_int(db, -1, &n, &err, "PRAGMA synchronous", ""), &err);
    assert_int_equal(n, 2);
    mst_db_close(db);
}

static void a_newer_schema_is_refused(void **state)
{
    struct mst_db *db;
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_db_open(path, &db, &err), &err);
    assert_ok(mst_db_run(db, &err, "PRAGMA user_version = 9999", ""), &err);
    mst_db_close(db);
    assert_rc(mst_db_open(path, &db, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "newer muster"));
}

static void a_file_that_is_no_database_is_named(void **state)
{
    static const char junk[8192] = "this is not a database at all, not even nearly so; junk junk";
    struct mst_db *db;
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_file_replace(path, 0600, junk, sizeof(junk), &err), &err);
    assert_rc(mst_db_open(path, &db, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, path));
}

static void a_path_that_cannot_be_made_is_named(void **state)
{
    struct mst_db *db;
    struct mst_err err = {0};

    (void)state;
    assert_rc(mst_db_open("/nonexistent/dir/x.db", &db, &err), MST_E_IO, &err);
    assert_non_null(strstr(err.msg, "/nonexistent/dir/x.db"));
}

/* The other process is there before the database is: what SQLite knows of locks does not survive a
 * fork. */
static void two_handles_of_one_process_outlive_the_visit_of_another(void **state)
{
    struct mst_db *first, *second, *after;
    struct mst_err err = {0};
    int go[2], status = -1;
    int64_t n;
    pid_t pid;
    char c;

    (void)state;
    assert_int_equal(pipe(go), 0);
    pid = fork();
    if (pid == 0) {
        struct mst_db *visit = NULL;

        (void)close(go[1]);
        status = read(go[0], &c, 1) == 1 && mst_db_open(path, &visit, &err) == MST_OK ? 0 : 1;
        mst_db_close(visit);
        _exit(status);
    }
    assert_ok(mst_db_open(path, &first, &err), &err);
    assert_ok(mst_db_run(first, &err, "CREATE TABLE t (a INTEGER)", ""), &err);
    assert_ok(mst_db_open(path, &second, &err), &err);
    assert_ok(mst_db_run(second, &err, "INSERT INTO t VALUES (1)", ""), &err);
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_ok(mst_db_run(first, &err, "INSERT INTO t VALUES (2)", ""), &err);
    assert_ok(mst_db_run(second, &err, "INSERT INTO t VALUES (3)", ""), &err);
    (void)snprintf(walpath, sizeof(walpath), "%s-wal", path);
    assert_int_equal(access(walpath, F_OK), 0); /* it was not taken away under us */
    mst_db_close(second);
    mst_db_close(first);
    assert_ok(mst_db_open(path, &after, &err), &err);
    assert_ok(mst_db_int(after, -1, &n, &err, "SELECT count(*) FROM t", ""), &err);
    assert_int_equal(n, 3);
    mst_db_close(after);
    (void)close(go[0]);
    (void)close(go[1]);
}

static void a_link_is_no_state_file(void **state)
{
    struct mst_db *db;
    struct mst_err err = {0};

    (void)state;
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_rc(mst_db_open(path, &db, &err), MST_E_IO, &err);
    assert_non_null(strstr(err.msg, path));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_transaction_is_wholly_there_or_not_at_all),
        T(the_file_is_private_and_durable),
        T(a_newer_schema_is_refused),
        T(a_file_that_is_no_database_is_named),
        T(a_path_that_cannot_be_made_is_named),
        T(two_handles_of_one_process_outlive_the_visit_of_another),
        T(a_link_is_no_state_file),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
