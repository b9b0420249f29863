/* kill -9 of the process that backs up, at every step: nothing but an incomplete backup is left,
 * and it can be removed. The process is this program again, so that its threads and files are real.
 */
#include "test.h"

#include <signal.h>
#include <sys/wait.h>

#include "backup_kit.h"

static const char *const points[] = {"tail",    "list",     "scan",   "end",
                                     "objects", "manifest", "header", "commit"};

/* --- the process that dies -------------------------------------------------------------------- */

static void die_at(void *arg, const char *point)
{
    if (strcmp(point, arg) == 0) {
        (void)kill(getpid(), SIGKILL);
        for (;;) {
            (void)pause();
        }
    }
}

/* argv: folder, source, primary, point ("" lives) */
static int child(char **argv)
{
    struct mst_topo_member m[2] = {{.configured = true, .builds_indexes = true},
                                   {.configured = true, .builds_indexes = true}};
    struct mst_topo_view v = {.n = 2, .members = m, .primary = 1};
    struct mst_backup_opts o = {
        .connect = keep_connect, .topo = &v, .at = die_at, .at_arg = argv[4]};
    struct mst_backup_result res;
    struct mst_catalog c;
    struct mst_store *s;
    struct mst_err err = {0};

    (void)mst_copy(m[0].name, sizeof(m[0].name), argv[2]);
    (void)mst_copy(m[1].name, sizeof(m[1].name), argv[3]);
    m[0].shown = MST_SHOW_SECONDARY;
    m[1].shown = MST_SHOW_PRIMARY;
    m[0].reach = m[1].reach = MST_REACH_OK;
    mst_mongo_init();
    if (mst_store_local_open("vault", argv[1], true, &s, &err) != MST_OK ||
        mst_catalog_init(&c, s, "", "rs0", &err) != MST_OK) {
        return 3;
    }
    o.catalog = &c;
    if (mst_backup_run(&o, NULL, &res, &err) != MST_OK) {
        (void)fprintf(stderr, "child: %s\n", err.msg);
        return 4;
    }
    mst_store_free(s);
    return 0;
}

static int run_child(struct keep *k, const char *point)
{
    const int p = k->topo.primary;
    char self[] = "/proc/self/exe", word[] = "child", where[16];
    char *argv[] = {self, k->dir, k->topo.members[(p + 1) % 3].name, k->topo.members[p].name, where,
                    word, NULL};
    int status = 0;
    pid_t pid;

    (void)mst_copy(where, sizeof(where), point);
    pid = fork();
    if (pid == 0) {
        (void)execv(self, argv);
        _exit(9);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* --- tests ------------------------------------------------------------------------------------ */

static int setup(void **state)
{
    struct keep *k = mst_xcalloc(1, sizeof(*k));

    keep_start(k, (struct sbx_opts){.fast = true, .seed = 7});
    keep_insert(k, "shop", "a", 0, 2000, 500);
    keep_insert(k, "shop", "b", 0, 20, 50);
    keep_settle(k);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    keep_stop(*state);
    free(*state);
    return 0;
}

static void a_kill_at_any_step_leaves_nothing_that_counts(void **state)
{
    struct keep *k = *state;
    size_t seen = 0;

    for (size_t i = 0; i < MST_COUNT(points); i++) {
        const int status = run_child(k, points[i]);
        struct mst_backup b;
        uint64_t removed;
        int listed;

        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        listed = keep_listed(k, &b);
        assert_true(listed == -1 || listed == MST_BK_INCOMPLETE);
        assert_rc(mst_catalog_find(&k->catalog, "latest", NULL, &b, &k->err), MST_E_NOTFOUND,
                  &k->err);
        if (keep_listed(k, &b) == MST_BK_INCOMPLETE) {
            seen++;
            assert_ok(mst_catalog_clean(&k->catalog, b.id, NULL, &removed, &k->err), &k->err);
            assert_true(removed > 0);
            assert_int_equal(keep_listed(k, NULL), -1);
        }
    }
    assert_true(seen >= 6); /* from the listing on there is an oplog object, half written */
    assert_int_equal(run_child(k, ""), 0);
    assert_int_equal(keep_listed(k, NULL), MST_BK_COMPLETE);
}

static bool cursor_alive(struct sbx_client *c, const char *coll, int64_t id)
{
    bson_t cmd = BSON_INITIALIZER, reply;
    struct mst_err err = {0};
    bool ok;

    BSON_APPEND_INT64(&cmd, "getMore", id);
    BSON_APPEND_UTF8(&cmd, "collection", coll);
    BSON_APPEND_INT32(&cmd, "batchSize", 1);
    ok = sbx_client_command(c, "shop", &cmd, &reply, &err) == MST_OK;
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return ok;
}

static int64_t cursor_with(struct sbx_client *c, const char *comment)
{
    bson_t cmd = BSON_INITIALIZER, reply;
    struct mst_err err = {0};
    int64_t id = 0;

    BSON_APPEND_UTF8(&cmd, "find", "a");
    BSON_APPEND_INT32(&cmd, "batchSize", 1);
    BSON_APPEND_BOOL(&cmd, "noCursorTimeout", true);
    BSON_APPEND_UTF8(&cmd, "comment", comment);
    {
        bson_t pref;

        BSON_APPEND_DOCUMENT_BEGIN(&cmd, "$readPreference", &pref);
        BSON_APPEND_UTF8(&pref, "mode", "secondaryPreferred");
        bson_append_document_end(&cmd, &pref);
    }
    assert_ok(sbx_client_command(c, "shop", &cmd, &reply, &err), &err);
    assert_true(sbx_doc_int(&reply, "cursor.id", &id) && id != 0);
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return id;
}

static void cursors_of_a_dead_run_are_killed_and_no_others(void **state)
{
    struct keep *k = *state;
    struct sbx_client c;
    struct mst_err err = {0};
    char host[64] = "", comment[160];
    int64_t dead, alive, foreign, other;
    const int source = (k->topo.primary + 1) % 3;
    pid_t gone;

    gone = fork();
    if (gone == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    (void)gethostname(host, sizeof(host) - 1);
    assert_ok(
        sbx_client_connect(&c, "127.0.0.1", sbx_world_port(k->kit.w, (size_t)source), 10000, &err),
        &err);
    (void)snprintf(comment, sizeof(comment), "muster backup 2026-11-22T22-30-00Z-full aa %s:%ld",
                   host, (long)gone);
    dead = cursor_with(&c, comment);
    (void)snprintf(comment, sizeof(comment), "muster backup 2026-11-22T22-30-00Z-full aa %s:%ld",
                   host, (long)getppid());
    alive = cursor_with(&c, comment);
    foreign = cursor_with(&c, "muster backup 2026-11-22T22-30-00Z-full aa elsewhere:2");
    other = cursor_with(&c, "a report");
    (void)mst_copy(k->o.wish.name, sizeof(k->o.wish.name), k->topo.members[source].name);
    assert_ok(keep_backup(k), &k->err);
    assert_false(cursor_alive(&c, "a", dead));
    assert_true(cursor_alive(&c, "a", alive));
    assert_true(cursor_alive(&c, "a", foreign));
    assert_true(cursor_alive(&c, "a", other));
    sbx_client_close(&c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_kill_at_any_step_leaves_nothing_that_counts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cursors_of_a_dead_run_are_killed_and_no_others, setup,
                                        teardown),
    };

    if (argc == 6 && strcmp(argv[5], "child") == 0) {
        return child(argv);
    }
    mst_mongo_init();
    return cmocka_run_group_tests_name("backup killed", tests, NULL, NULL);
}
