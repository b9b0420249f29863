/* kill -9 of the agent in the middle of a collection's load, in the replay of the oplog, and in a
 * restore into another set. */
#include "killed_kit.h"

#include "conc/thread.h"

#define BIG 2500

static void insert(const char *coll, int n, const char *mark)
{
    for (int i = 0; i < n; i += 500) {
        struct mst_str s = {0};

        mst_str_addf(&s, "{'insert': '%s', 'documents': [", coll);
        for (int j = i; j < i + 500 && j < n; j++) {
            mst_str_addf(&s, "%s{'_id': %d, 'mark': '%s'}", j > i ? ", " : "", j, mark);
        }
        mst_str_add(&s, "], 'writeConcern': {'w': 3}}");
        on_primary(mst_str_c(&s));
        mst_str_release(&s);
    }
}

static int64_t documents(const char *coll)
{
    char *json = mst_xasprintf("{'count': '%s'}", coll);
    bson_t reply;
    int64_t n;

    assert_int_equal(kit_run(target, sbx_world_primary(target->w), "shop", &reply, json), 0);
    n = kit_int(&reply, "n");
    bson_destroy(&reply);
    free(json);
    return n;
}

/* The next agent says what was left; it is removed, and only it. */
static void clean_up(size_t collections_before)
{
    struct ran r;
    char run[32], name[64];

    start_agent();
    status_until(&r, "was interrupted, nothing live was changed");
    word_after(mst_str_c(&r.out), "left: restore ", run, sizeof(run));
    ran_release(&r);
    (void)snprintf(name, sizeof(name), "mst.s.%s.0", run);
    print_message("    staging %s has %lld documents\n", name, (long long)documents(name));
    RUN(&r, env, "clean", run);
    expect(&r, 0);
    ran_release(&r);
    assert_int_equal(collections(), collections_before);
    RUN(&r, env, "status", "--plain");
    assert_null(strstr(mst_str_c(&r.out), "left: "));
    ran_release(&r);
}

static void in_the_middle_of_a_collection(void **state)
{
    struct ran r;
    char run[32], name[64];

    (void)state;
    insert("big", BIG, "new");
    backup();
    on_primary("{'delete': 'big', 'deletes': [{'q': {'_id': {'$gte': 10}}, 'limit': 0}], "
               "'writeConcern': {'w': 3}}");
    include = "shop.big";
    die_at("load:2");
    assert_int_equal(documents("big"), 10);
    start_agent();
    status_until(&r, "was interrupted, nothing live was changed");
    word_after(mst_str_c(&r.out), "left: restore ", run, sizeof(run));
    ran_release(&r);
    stop_agent();
    (void)snprintf(name, sizeof(name), "mst.s.%s.0", run);
    assert_int_equal(documents(name), 2000); /* two batches of three */
    clean_up(1);
    assert_int_equal(documents("big"), 10);
}

static atomic_bool stop_writing;

static void write_on(void *arg)
{
    const int *member = arg;

    for (int i = 0; !atomic_load(&stop_writing); i++) {
        char *json = mst_xasprintf(
            "{'update': 'busy', 'updates': [{'q': {'_id': %d}, 'u': {'$inc': {'n': 1}}, 'upsert': "
            "true}]}",
            i % 50);
        bson_t reply;

        (void)kit_run(&kit, *member, "shop", &reply, json);
        bson_destroy(&reply);
        free(json);
    }
}

static void in_the_replay(void **state)
{
    struct mst_thread writer = {0};
    struct mst_err err = {0};
    int member = sbx_world_primary(kit.w);

    (void)state;
    fill("new");
    insert("busy", 50, "new");
    atomic_store(&stop_writing, false);
    assert_ok(mst_thread_start(&writer, "writer", write_on, &member, &err), &err);
    backup();
    atomic_store(&stop_writing, true);
    mst_thread_join(&writer);
    fill("old");
    on_primary("{'delete': 'busy', 'deletes': [{'q': {'_id': {'$gte': 7}}, 'limit': 0}], "
               "'writeConcern': {'w': 3}}");
    die_at("replay:1");
    all_are("old", "new");
    assert_int_equal(documents("busy"), 7);
    clean_up(COLLS + 1);
    all_are("old", "new");
    assert_int_equal(documents("busy"), 7);
}

/* The staging, the open swap and what is kept are looked for where that restore went. */
static void in_another_set(void **state)
{
    struct kit other;
    struct ran r;
    char *uri, run[32];

    (void)state;
    fill("new");
    backup();
    kit_start(&other, (struct sbx_opts){.fast = true, .seed = 2, .set = "rs1"});
    target = &other;
    fill("old");
    uri = mst_xasprintf("mongodb://127.0.0.1:%d/?replicaSet=rs1", sbx_world_port(other.w, 0));
    to_uri = uri;
    die_at("load:1");
    all_are("old", "new");
    assert_true(collections() > COLLS);
    clean_up(COLLS);
    all_are("old", "new");

    die_at("between:2");
    start_agent();
    status_until(&r, "old collections are kept until");
    word_after(mst_str_c(&r.out), "muster restore discard ", run, sizeof(run));
    ran_release(&r);
    all_are("new", "old");
    assert_int_equal(collections(), 2 * COLLS);
    RUN(&r, env, "restore", "discard", run, "--confirm", run);
    expect(&r, 0);
    ran_release(&r);
    assert_int_equal(collections(), COLLS);
    target = &kit; /* nobody wrote there */
    all_are("new", "old");
    assert_int_equal(collections(), COLLS);
    free(uri);
    to_uri = NULL;
    kit_stop(&other);
}

static int begin(void **state)
{
    target = &kit;
    to_uri = NULL;
    include = "shop.*";
    return setup(state);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, teardown)
    const struct CMUnitTest tests[] = {
        T(in_the_middle_of_a_collection),
        T(in_the_replay),
        T(in_another_set),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("killed steps", tests, NULL, NULL);
}
