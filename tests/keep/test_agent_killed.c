/* kill -9 of the agent while it works: what was live is live, or wholly new; what is left is listed
 * and can be removed; the next start says so. */
#include "sandbox_kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "runprog.h"

#define COLLS 3
#define DOCS 40

static struct kit kit;
static char dir[64], env_dir[96], fault[64];
static const char *env[] = {env_dir, fault, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};

static void write_config(const char *where)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128];

    mst_str_add(&s, "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"restore\", \"import\", "
                    "\"discard\", \"clean\"];\n  members = [");
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", sbx_world_port(kit.w, i));
    }
    mst_str_addf(
        &s, "]; };\nstores = ({ name = \"local\"; type = \"local\"; path = \"%s/store\"; });\n",
        dir);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", where);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static void no_fault(void)
{
    (void)snprintf(fault, sizeof(fault), "MUSTER_FAULT=");
}

static int setup(void **state)
{
    char store[96];

    (void)state;
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(store, sizeof(store), "%s/store", dir);
    assert_int_equal(mkdir(store, 0700), 0);
    write_config(dir);
    no_fault();
    return 0;
}

static int teardown(void **state)
{
    struct ran r;

    (void)state;
    no_fault();
    RUN(&r, env, "agent", "stop", "--force");
    ran_release(&r);
    kit_stop(&kit);
    temp_remove(dir);
    return 0;
}

#define HAS(text, part) \
    do { \
        if (!strstr((text), (part))) { \
            fail_msg("\"%s\" is not in: %s", (part), (text)); \
        } \
    } while (0)

static void expect(struct ran *r, int status)
{
    if (r->status != status) {
        fail_msg("status %d, wanted %d: %s%s", r->status, status, mst_str_c(&r->out),
                 mst_str_c(&r->err));
    }
}

static void on_primary(const char *json)
{
    bson_t reply;

    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply, json), 0);
    bson_destroy(&reply);
}

static void fill(const char *mark)
{
    for (int c = 0; c < COLLS; c++) {
        char json[256];

        (void)snprintf(json, sizeof(json), "{'delete': 'c%d', 'deletes': [{'q': {}, 'limit': 0}]}",
                       c);
        on_primary(json);
        (void)snprintf(json, sizeof(json),
                       "{'createIndexes': 'c%d', 'indexes': [{'key': {'mark': 1}, 'name': 'm'}]}",
                       c);
        on_primary(json);
        for (int i = 0; i < DOCS; i++) {
            (void)snprintf(json, sizeof(json),
                           "{'insert': 'c%d', 'documents': [{'_id': %d, 'mark': '%s'}], "
                           "'writeConcern': {'w': %d}}",
                           c, i, mark, i == DOCS - 1 ? 3 : 1);
            on_primary(json);
        }
    }
}

static int count(int c, const char *mark)
{
    char json[160];
    bson_t reply;
    int n;

    (void)snprintf(json, sizeof(json), "{'count': 'c%d', 'query': {'mark': '%s'}}", c, mark);
    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply, json), 0);
    n = (int)kit_int(&reply, "n");
    bson_destroy(&reply);
    return n;
}

static void all_are(const char *mark, const char * not )
{
    for (int c = 0; c < COLLS; c++) {
        assert_int_equal(count(c, mark), DOCS);
        assert_int_equal(count(c, not ), 0);
    }
}

/* Collections in shop, also muster's own. */
static size_t collections(void)
{
    bson_t reply;
    bson_iter_t it, batch;
    size_t n = 0;

    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply,
                             "{'listCollections': 1, 'nameOnly': true, 'cursor': {}}"),
                     0);
    assert_true(bson_iter_init(&it, &reply) &&
                bson_iter_find_descendant(&it, "cursor.firstBatch", &batch) &&
                bson_iter_recurse(&batch, &it));
    while (bson_iter_next(&it)) {
        n++;
    }
    bson_destroy(&reply);
    return n;
}

static void phrase_of(char *out, size_t size)
{
    struct ran r;
    const char *at;

    RUN(&r, env, "restore", "--include", "shop.*");
    expect(&r, 10);
    at = strstr(mst_str_c(&r.err), "--confirm '");
    assert_non_null(at);
    (void)snprintf(out, size, "%.*s", (int)strcspn(at + 11, "'"), at + 11);
    ran_release(&r);
}

static void stop_agent(void)
{
    struct ran r;

    RUN(&r, env, "agent", "stop", "--force");
    expect(&r, 0);
    ran_release(&r);
}

/* Backup of "new", then "old" is live, then a restore whose agent dies at the point. */
static void die_in_restore(const char *point)
{
    struct ran r;
    char phrase[160];

    fill("new");
    RUN(&r, env, "backup");
    expect(&r, 0);
    ran_release(&r);
    fill("old");
    phrase_of(phrase, sizeof(phrase));
    stop_agent();
    (void)snprintf(fault, sizeof(fault), "MUSTER_FAULT=kill=%s", point);
    RUN(&r, env, "restore", "--include", "shop.*", "--confirm", phrase);
    if (r.status == 0) {
        fail_msg("the agent did not die at %s: %s", point, mst_str_c(&r.out));
    }
    ran_release(&r);
    no_fault();
}

/* The word after `before` in the text of a status. */
static void word_after(const char *text, const char *before, char *out, size_t size)
{
    const char *at = strstr(text, before);

    if (!at) {
        fail_msg("\"%s\" is not in: %s", before, text);
        return;
    }
    (void)snprintf(out, size, "%.*s", (int)strcspn(at + strlen(before), " '.:\n"),
                   at + strlen(before));
}

static void status_until(struct ran *r, const char *part)
{
    const int64_t end = mst_clock_mono_ms(NULL) + 30000;

    for (;;) {
        RUN(r, env, "status", "--plain");
        if (strstr(mst_str_c(&r->out), part)) {
            return;
        }
        if (mst_clock_mono_ms(NULL) > end) {
            fail_msg("\"%s\" is never in: %s", part, mst_str_c(&r->out));
        }
        ran_release(r);
        mst_clock_sleep_ms(100);
    }
}

static void before_the_swap_the_live_data_is_untouched(void **state)
{
    static const char *const points[] = {"try:1",   "stage:2",   "load:1",
                                         "index:1", "compare:2", "ready:1"};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(points); i++) {
        struct ran r;
        char run[32];
        size_t before;

        die_in_restore(points[i]);
        all_are("old", "new");
        before = collections();
        RUN(&r, env, "agent"); /* the next start */
        expect(&r, 0);
        ran_release(&r);
        status_until(&r, "was interrupted, nothing live was changed");
        HAS(mst_str_c(&r.out), "(restore) was interrupted: interrupted: private agent, pid ");
        word_after(mst_str_c(&r.out), "left: restore ", run, sizeof(run));
        ran_release(&r);
        assert_true(strncmp(points[i], "try", 3) == 0 || before > COLLS);
        RUN(&r, env, "clean", run);
        expect(&r, 0);
        ran_release(&r);
        assert_int_equal(collections(), COLLS);
        RUN(&r, env, "status", "--plain");
        assert_null(strstr(mst_str_c(&r.out), "left: "));
        ran_release(&r);
        all_are("old", "new");
        RUN(&r, env, "audit", "verify");
        expect(&r, 0);
        ran_release(&r);
    }
}

static void inside_the_swap_the_next_start_finishes_it(void **state)
{
    static const char *const points[] = {"swap:1", "between:1", "swap:2", "between:3"};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(points); i++) {
        struct ran r;
        char run[32];

        die_in_restore(points[i]);
        for (int c = 0; c < COLLS; c++) { /* old, new, or between two renames: not there */
            const int o = count(c, "old"), n = count(c, "new");

            assert_true((o == DOCS && n == 0) || (o == 0 && n == DOCS) || (o == 0 && n == 0));
        }
        RUN(&r, env, "agent");
        expect(&r, 0);
        ran_release(&r);
        status_until(&r, "old collections are kept until");
        word_after(mst_str_c(&r.out), "muster restore discard ", run, sizeof(run));
        ran_release(&r);
        all_are("new", "old");
        RUN(&r, env, "jobs");
        HAS(mst_str_c(&r.out), "is ended: ");
        ran_release(&r);
        assert_int_equal(collections(), 2 * COLLS);
        RUN(&r, env, "restore", "discard", run, "--confirm", run);
        expect(&r, 0);
        ran_release(&r);
        assert_int_equal(collections(), COLLS);
        RUN(&r, env, "status", "--plain");
        assert_null(strstr(mst_str_c(&r.out), "left: "));
        ran_release(&r);
    }
}

static void a_backup_is_interrupted_listed_and_removable(void **state)
{
    struct ran r;
    char id[64];

    (void)state;
    fill("old");
    (void)snprintf(fault, sizeof(fault), "MUSTER_FAULT=kill=objects:1");
    RUN(&r, env, "backup");
    assert_int_not_equal(r.status, 0);
    ran_release(&r);
    no_fault();
    RUN(&r, env, "agent");
    expect(&r, 0);
    ran_release(&r);
    status_until(&r, "left: backup ");
    HAS(mst_str_c(&r.out), "(backup) was interrupted: interrupted: private agent, pid ");
    word_after(mst_str_c(&r.out), "left: backup ", id, sizeof(id));
    ran_release(&r);
    RUN(&r, env, "jobs");
    HAS(mst_str_c(&r.out), "interrupted");
    ran_release(&r);
    RUN(&r, env, "clean", id);
    expect(&r, 0);
    ran_release(&r);
    RUN(&r, env, "bucket", "ls");
    assert_null(strstr(mst_str_c(&r.out), id));
    ran_release(&r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(inside_the_swap_the_next_start_finishes_it),
        T(before_the_swap_the_live_data_is_untouched),
        T(a_backup_is_interrupted_listed_and_removable),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("agent killed", tests, NULL, NULL);
}
