/* A backup, its verification and a restore by the real program: into the scripted Google Cloud
 * Storage with a service account while calls of every kind fail, and into fake-gcs-server through
 * a slow way. Afterwards the bucket holds one backup and nothing else, and the set what it held. */
#include "story_kit.h"

#include "gcsd.h"
#include "realstore.h"
#include "store/gcs.h"

static struct kit kit;
static struct home home;
static struct realstore real;
static struct gcsd *scripted;

static void configure(const char *endpoint, const char *way)
{
    char *lines = mst_xasprintf(
        "stores = ({ name = \"cloud\"; type = \"gcs\"; bucket = \"%s\"; prefix = \"site\";"
        "\n  endpoint = \"%s\"; plain_http = true; chunk_bytes = 262144; %s\n"
        "  allow_unsealed = true; });\nbackup = { store = \"cloud\"; };\n",
        REAL_BUCKET, endpoint, way);

    stores_are(&home, lines);
    free(lines);
}

static void set_up(void)
{
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    home_make(&home, &kit, "/nowhere");
    fill(&kit, "new");
    fill_large(&kit, 600, 500);
}

static int up_scripted(void **state)
{
    char key[160], *way;

    (void)state;
    set_up();
    scripted = gcsd_start(REAL_BUCKET, 3);
    (void)snprintf(key, sizeof(key), "%s/key.json", home.dir);
    gcsd_key_file(scripted, key);
    way = mst_xasprintf("service_account_file = \"%s\";", key);
    configure(gcsd_url(scripted), way);
    free(way);
    return 0;
}

static int up_real(void **state)
{
    (void)state;
    realstore_start(&real, REAL_GCS, &(struct realstore_opts){.proxy = true});
    realstore_toxic(&real, "latency", false, "\"latency\":15,\"jitter\":10");
    realstore_toxic(&real, "bandwidth", true, "\"rate\":9000");
    set_up();
    configure(real.endpoint, "token_command = [\"/bin/echo\", \"any\"];");
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_end(&home);
    kit_stop(&kit);
    realstore_stop(&real);
    if (scripted) {
        gcsd_stop(scripted);
        scripted = NULL;
    }
    return 0;
}

/* Calls of every kind fail: before they are done, after, and in their middle. */
static void plan_trouble(void)
{
    static const struct gcsd_fault list[] = {
        {.kind = GCSD_TOKEN, .what = GCSD_RESET},
        {.kind = GCSD_MULTIPART, .nth = 2, .what = GCSD_RESET_AFTER},
        {.kind = GCSD_MULTIPART, .nth = 5, .what = GCSD_STATUS, .status = 500},
        {.kind = GCSD_MULTIPART, .nth = 7, .what = GCSD_STATUS_AFTER, .status = 503},
        {.kind = GCSD_START, .what = GCSD_STATUS, .status = 429, .reason = "rateLimitExceeded"},
        {.kind = GCSD_CHUNK, .nth = 1, .what = GCSD_FORGET},
        {.kind = GCSD_CHUNK, .nth = 4, .what = GCSD_RESET},
        {.kind = GCSD_CHUNK, .nth = 6, .what = GCSD_STATUS, .status = 503},
        {.kind = GCSD_QUERY, .what = GCSD_RESET},
        {.kind = GCSD_READ, .nth = 2, .what = GCSD_TRUNCATE},
        {.kind = GCSD_READ, .nth = 5, .what = GCSD_STATUS, .status = 401, .reason = "authError"},
        {.kind = GCSD_LIST, .nth = 2, .what = GCSD_RESET},
    };

    gcsd_plan_none(scripted);
    for (size_t i = 0; i < MST_COUNT(list); i++) {
        gcsd_plan(scripted, &list[i]);
    }
}

struct left {
    const char *id;
    size_t n;
    char wrong[MST_KEY_MAX];
};

static bool look(void *arg, const struct mst_store_item *item)
{
    struct left *l = arg;

    l->n++;
    if (!strstr(item->key, l->id)) {
        (void)mst_copy(l->wrong, sizeof(l->wrong), item->key);
    }
    return true;
}

static void the_bucket_holds_it_and_nothing_else(const char *endpoint, const char *id)
{
    static char argv[2][MST_CFG_WORD] = {"/bin/echo", GCSD_COMMAND_TOKEN};
    const struct mst_cfg_list command = {.n = 2, .item = argv};
    const struct mst_gauth_opts a = {.token_command = &command, .http = {.plain = true}};
    const struct mst_gcs_opts o = {
        .bucket = REAL_BUCKET, .endpoint = endpoint, .http = {.plain = true}};
    struct left l = {.id = id};
    struct mst_gauth *auth = NULL;
    struct mst_store *s = NULL;
    struct mst_err err = {0};

    assert_ok(mst_gauth_new(&a, &auth, &err), &err);
    assert_ok(mst_store_gcs_open_take("look", &o, auth, &s, &err), &err);
    assert_ok(mst_store_list(s, "", look, &l, NULL, &err), &err);
    assert_true(l.n > 4);
    assert_string_equal(l.wrong, "");
    mst_store_free(s);
}

static void run(const char *const *words, int ms)
{
    struct ran r;

    run_muster(&r, words, home.env, ms);
    expect(&r, 0);
    ran_release(&r);
}

static void story(const char *endpoint)
{
    char *before = hash_of_shop(&kit), *after;
    struct ran r;
    char id[64] = "", phrase[160];
    const char *p;

    run((const char *const[]){"backup", "--plain", NULL}, 120000);
    run_muster(&r, (const char *const[]){"bucket", "ls", "--json", NULL}, home.env, 60000);
    expect(&r, 0);
    p = strstr(mst_str_c(&r.out), "\"id\":\"");
    assert_non_null(p);
    (void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(p + 6, "\""), p + 6);
    ran_release(&r);
    the_bucket_holds_it_and_nothing_else(endpoint, id);
    run((const char *const[]){"verify", "--plain", NULL}, 120000);
    fill(&kit, "old");
    on_primary(&kit, "{'delete': 'large', 'deletes': [{'q': {'_id': {'$gt': 100}}, 'limit': 0}]}");
    phrase_of(&home, phrase, sizeof(phrase));
    run((const char *const[]){"restore", "--include", "shop.*", "--confirm", phrase, NULL}, 200000);
    all_are(&kit, "new");
    after = hash_of_shop(&kit);
    assert_string_equal(before, after);
    free(before);
    free(after);
    the_bucket_holds_it_and_nothing_else(endpoint, id);
}

static void calls_that_fail_cost_nothing_but_time(void **state)
{
    char *wrong;

    (void)state;
    plan_trouble();
    story(gcsd_url(scripted));
    assert_true(gcsd_struck(scripted) >= 10);
    assert_int_equal(gcsd_sessions(scripted), 0);
    assert_true(gcsd_count(scripted, GCSD_CHUNK) > 6);
    wrong = gcsd_complaints(scripted);
    assert_string_equal(wrong, "");
    free(wrong);
}

static void a_slow_way_to_fake_gcs_server_is_gone(void **state)
{
    (void)state;
    story(real.direct);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_that_fail_cost_nothing_but_time, up_scripted, down),
        cmocka_unit_test_setup_teardown(a_slow_way_to_fake_gcs_server_is_gone, up_real, down)};

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    realstore_need(REAL_GCS);
    realstore_need_proxy();
    return cmocka_run_group_tests_name("a story on Google Cloud Storage", tests, NULL, NULL);
}
