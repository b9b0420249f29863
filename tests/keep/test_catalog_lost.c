/* The store cannot be reached, or the local state is lost: what is shown is as old as it says, and
 * the store alone is enough to list, verify and restore. */
#include "sandbox_kit.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "db/db.h"
#include "runprog.h"

static struct kit kit;
static char dir[64], env_dir[96], store[96], away[96], state_dir[96];
static const char *env[] = {env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};

/* dead: nobody answers where the members should be */
static void write_config(const char *path, bool dead)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char conf[128];

    mst_str_add(&s, "set = { name = \"rs0\"; label = \"shop\"; class = \"SANDBOX\";\n"
                    "  acts = [\"restore\", \"discard\", \"clean\"];\n  members = [");
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "",
                     dead ? (int)i + 1 : sbx_world_port(kit.w, i));
    }
    mst_str_addf(&s, "]; };\nstores = ({ name = \"local\"; type = \"local\"; path = \"%s\"; });\n",
                 path);
    (void)snprintf(conf, sizeof(conf), "%s/muster.conf", dir);
    assert_ok(mst_file_replace(conf, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static int setup(void **state)
{
    (void)state;
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(store, sizeof(store), "%s/store", dir);
    (void)snprintf(away, sizeof(away), "%s/away", dir);
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    assert_int_equal(mkdir(store, 0700), 0);
    write_config(store, false);
    return 0;
}

static int teardown(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, env, "agent", "stop", "--force");
    ran_release(&r);
    kit_stop(&kit);
    temp_remove(dir);
    return 0;
}

static void has(const struct mst_str *text, const char *part)
{
    if (!strstr(mst_str_c(text), part)) {
        fail_msg("\"%s\" is not in: %s", part, mst_str_c(text));
    }
}

static void has_not(const struct mst_str *text, const char *part)
{
    if (strstr(mst_str_c(text), part)) {
        fail_msg("\"%s\" is in: %s", part, mst_str_c(text));
    }
}

static void run(struct ran *r, int status, const char *const *argv)
{
    run_muster(r, argv, env, 60000);
    if (r->status != status) {
        fail_msg("%s %s: status %d, wanted %d: %s%s", argv[0], argv[1] ? argv[1] : "", r->status,
                 status, mst_str_c(&r->out), mst_str_c(&r->err));
    }
}
#define DO(r, status, ...) run((r), (status), (const char *const[]){__VA_ARGS__, NULL})
#define JUST(status, ...) \
    do { \
        struct ran just; \
        DO(&just, (status), __VA_ARGS__); \
        ran_release(&just); \
    } while (0)

static void on_primary(const char *json)
{
    bson_t reply;

    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply, json), 0);
    bson_destroy(&reply);
}

/* A verified backup; its id. */
static void back_up(char *id, size_t size)
{
    struct ran r;
    const char *at;

    on_primary("{'insert': 'c', 'documents': [{'_id': 1, 'a': 'x'}, {'_id': 2, 'a': 'y'}], "
               "'writeConcern': {'w': 3}}");
    JUST(0, "backup");
    JUST(0, "verify");
    DO(&r, 0, "bucket", "ls", "--json");
    at = strstr(mst_str_c(&r.out), "\"id\":\"");
    assert_non_null(at);
    (void)snprintf(id, size, "%.*s", (int)strcspn(at + 6, "\""), at + 6);
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
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
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
