/* The store cannot be reached, or the local state is lost: what is shown is as old as it says, and
 * the store alone is enough to list, verify and restore. */
#include "cli_kit.h"

#include <glob.h>

#include "db/db.h"

static char store[96], away[96], state_dir[96];

static void write_config(const char *path, bool dead)
{
    char stores[200];

    (void)snprintf(stores, sizeof(stores),
                   "stores = ({ name = \"local\"; type = \"local\"; path = \"%s\"; });\n", path);
    cli_config(dead, "label = \"shop\";", stores);
}

static int setup(void **state)
{
    (void)state;
    cli_up();
    (void)snprintf(store, sizeof(store), "%s/store", dir);
    (void)snprintf(away, sizeof(away), "%s/away", dir);
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    assert_int_equal(mkdir(store, 0700), 0);
    write_config(store, false);
    return 0;
}

/* A verified backup; its id. */
static void back_up(char *id, size_t size)
{
    struct ran r;

    fill();
    JUST(0, "backup");
    JUST(0, "verify");
    DO(&r, 0, "bucket", "ls", "--json");
    first_id(&r.out, id, size);
    has(&r.out, "\"origin\":\"store\"");
    ran_release(&r);
    JUST(0, "agent", "stop", "--force");
}

static void without_the_store_the_cache_is_shown_with_its_age(void **state)
{
    struct ran r;
    char id[64], other[160];

    (void)state;
    back_up(id, sizeof(id));
    assert_int_equal(rename(store, away), 0);
    DO(&r, 0, "status", "--plain"); /* the set is healthy, and that is what it says */
    has(&r.out, "the store cannot be read: the store local: the directory ");
    has(&r.out, "backups: as of 20");
    has(&r.out, "ago, from the local cache: 1 in local, the last good was ");
    has(&r.out, id);
    ran_release(&r);
    DO(&r, 0, "status", "--json");
    has(&r.out, "\"origin\":\"cache\",\"as_of\":\"20");
    has(&r.out, "\"age_ms\":");
    has(&r.out, "\"problem\":\"the store local");
    ran_release(&r);
    DO(&r, 0, "console", "--print", "overview", "--size", "120x40");
    has(&r.out, "\xe2\x94\x82"
                "as of "); /* the first line of the pane */
    has(&r.out, "last good  was ");
    ran_release(&r);
    DO(&r, 2, "bucket", "ls"); /* shown, but not as a success */
    has(&r.out, "1 backup as of 20");
    has(&r.out, id);
    has(&r.err, "does not exist");
    ran_release(&r);
    DO(&r, 2, "catalog", "rebuild");
    has_not(&r.out, "COMPLETE");
    ran_release(&r);
    JUST(2, "verify", id); /* acts never look into the cache */
    DO(&r, 2, "restore", id, "--dry-run");
    ran_release(&r);
    assert_int_equal(rename(away, store), 0); /* it was mounted: the same agent finds it */
    DO(&r, 0, "bucket", "ls");
    has_not(&r.out, "from the local cache");
    has(&r.out, id);
    ran_release(&r);
    JUST(0, "verify", id);
    JUST(0, "agent", "stop", "--force");
    (void)snprintf(other, sizeof(other), "%s/other", dir); /* another store under the same name */
    write_config(other, false);
    DO(&r, 0, "status", "--plain");
    has(&r.out, "backups: not known");
    has_not(&r.out, id);
    ran_release(&r);
}

/* The state file of the set, to do harm to it. */
static void harm(const char *sql)
{
    struct mst_db *db;
    struct mst_err err = {0};
    char path[160];

    (void)snprintf(path, sizeof(path), "%s/shop/muster.db", state_dir);
    assert_ok(mst_db_open(path, &db, &err), &err);
    assert_ok(mst_db_run(db, &err, sql, ""), &err);
    mst_db_close(db);
}

static void a_cache_that_cannot_be_trusted_is_not_shown(void **state)
{
    struct ran r;
    char id[64];

    (void)state;
    back_up(id, sizeof(id));
    assert_int_equal(rename(store, away), 0);
    harm("UPDATE catalog_heads SET n = n + 1");
    DO(&r, 0, "console", "--print", "overview", "--size", "160x40");
    has(&r.out, "the cached listing of the store local is damaged: it is not used");
    has_not(&r.out, "last good");
    ran_release(&r);
    DO(&r, 0, "status", "--json");
    has(&r.out, "\"origin\":null,\"as_of\":null,\"age_ms\":null,\"n\":null");
    has_not(&r.out, id);
    ran_release(&r);
    JUST(0, "agent", "stop", "--force");
    harm("PRAGMA user_version = 9999");
    DO(&r, 0, "--no-agent", "status", "--plain");
    has(&r.out, "backups: not known");
    ran_release(&r);
}

static void a_mount_that_is_missing_is_not_taken_for_an_empty_store(void **state)
{
    struct ran r;
    char id[64];

    (void)state;
    back_up(id, sizeof(id));
    assert_int_equal(rename(store, away), 0);
    assert_int_equal(mkdir(store, 0700), 0); /* the mount point */
    DO(&r, 0, "console", "--print", "overview", "--size", "120x40");
    has(&r.out, "is the store local mounted? 1 backup that was there on 20");
    ran_release(&r);
    JUST(0, "agent", "stop", "--force");
    assert_int_equal(rmdir(store), 0);
    DO(&r, 0, "--no-agent", "status", "--plain"); /* what was known is still known */
    has(&r.out, id);
    ran_release(&r);
    assert_int_equal(mkdir(store, 0700), 0);
    DO(&r, 0, "catalog", "rebuild"); /* until somebody means it */
    has(&r.out, "is not in the store any more, it was COMPLETE");
    ran_release(&r);
    assert_int_equal(rmdir(store), 0);
    DO(&r, 0, "status", "--plain");
    has_not(&r.out, id);
    ran_release(&r);
}

static void a_lost_state_directory_is_rebuilt_from_the_store(void **state)
{
    struct ran r, again;
    struct mst_buf audit = {0};
    struct mst_err err = {0};
    char id[64], path[160];

    (void)state;
    back_up(id, sizeof(id));
    DO(&r, 0, "bucket", "ls");
    temp_remove(state_dir);
    write_config(store, true);
    DO(&again, 0, "catalog", "rebuild"); /* a new bastion, and the set is dead */
    has(&again.out, "1 backup of rs0 read from the store, none is damaged; no listing was cached");
    has(&again.out, id);
    has(&again.out, "read back, good");
    ran_release(&again);
    DO(&again, 0, "bucket", "ls");
    assert_string_equal(mst_str_c(&again.out), mst_str_c(&r.out));
    ran_release(&again);
    ran_release(&r);
    JUST(0, "verify", id);
    DO(&r, 0, "catalog", "rebuild", "--json");
    has(&r.out, "\"type\":\"rebuild\"");
    has(&r.out, "\"changes\":[]");
    ran_release(&r);
    JUST(0, "audit", "verify");
    (void)snprintf(path, sizeof(path), "%s/shop/audit.jsonl", state_dir);
    assert_ok(mst_file_read(path, 1 << 20, &audit, &err), &err);
    mst_buf_add(&audit, "", 1);
    assert_non_null(strstr((const char *)audit.p, "\"rebuild\""));
    mst_buf_release(&audit);
    JUST(0, "agent", "stop", "--force");
    write_config(store, false);
    on_primary("{'drop': 'c'}");
    JUST(0, "restore", id, "--include", "shop.*");
    DO(&r, 3, "--uri", "mongodb://127.0.0.1:1/", "catalog", "rebuild");
    has(&r.out, "the set's name is not known");
    ran_release(&r);
}

static void flip(const char *id, const char *name)
{
    char command[400];
    struct mst_buf b = {0};
    struct mst_err err = {0};
    glob_t g;

    (void)snprintf(command, sizeof(command), "%s/rs0/backups/%s/%s", store, id, name);
    assert_int_equal(glob(command, 0, NULL, &g), 0);
    assert_int_equal(g.gl_pathc, 1);
    assert_ok(mst_file_read(g.gl_pathv[0], 1 << 20, &b, &err), &err);
    b.p[b.len / 2] ^= 1;
    assert_ok(mst_file_replace(g.gl_pathv[0], 0600, b.p, b.len, &err), &err);
    mst_buf_release(&b);
    globfree(&g);
}

static void a_changed_byte_is_found_by_a_rebuild(void **state)
{
    static const char *const names[] = {"*/manifest", "*/header", "COMMIT"};
    struct ran r;
    char id[64];

    (void)state;
    back_up(id, sizeof(id));
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        flip(id, names[i]);
        DO(&r, 5, "catalog", "rebuild");
        has(&r.out, "1 of 1 backup of rs0 is damaged, the newest is ");
        has(&r.out, i == 0 ? "* 20" : "  20"); /* changed once, then it is as it was */
        has(&r.out, "DAMAGED");
        ran_release(&r);
        DO(&r, 0, "bucket", "ls"); /* and is not forgotten */
        has(&r.out, "DAMAGED");
        has_not(&r.out, "COMPLETE");
        ran_release(&r);
        flip(id, names[i]);
    }
    DO(&r, 5, "catalog", "rebuild", "--json");
    has(&r.out, "\"state\":\"DAMAGED\"");
    ran_release(&r);
    JUST(0, "verify", id); /* whole again: the newest mark counts */
    temp_remove(store);
    assert_int_equal(mkdir(store, 0700), 0);
    DO(&r, 0, "catalog", "rebuild");
    has(&r.out, "the store local holds no backup of rs0; against ");
    has(&r.out, "is not in the store any more, it was COMPLETE");
    ran_release(&r);
    JUST(0, "audit", "verify");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, cli_down)
    const struct CMUnitTest tests[] = {
        T(without_the_store_the_cache_is_shown_with_its_age),
        T(a_cache_that_cannot_be_trusted_is_not_shown),
        T(a_mount_that_is_missing_is_not_taken_for_an_empty_store),
        T(a_lost_state_directory_is_rebuilt_from_the_store),
        T(a_changed_byte_is_found_by_a_rebuild),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("catalog lost", tests, NULL, NULL);
}
