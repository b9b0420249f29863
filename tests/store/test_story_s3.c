/* A backup, its verification and a restore by the real program into versitygw, rclone and moto,
 * with toxiproxy cutting, delaying and throttling all the while: afterwards the bucket holds one
 * backup and nothing else, and the set what it held before. */
#include "story_kit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "peer_kit.h"

/* rclone takes the condition of a create-only write and ignores it. */
static const struct server {
    enum realstore_kind kind;
    const char *name, *profile, *more;
} servers[] = {
    {REAL_VERSITYGW, "a story on versitygw", "versitygw", ""},
    {REAL_RCLONE, "a story on rclone", "rclone", "single_writer = true;"},
    {REAL_MOTO, "a story on moto", "other", ""},
};
static const struct server *server;
static struct kit kit;
static struct home home;
static struct realstore real;
static atomic_bool over;
static pthread_t troublemaker;

/* Never one thing for long: what is repeated has its chance. */
static void *make_trouble(void *arg)
{
    static const struct {
        const char *type;
        bool up;
        const char *attributes;
        int ms;
    } list[] = {
        {"limit_data", true, "\"bytes\":700000", 300}, {"latency", false, "\"latency\":120", 500},
        {"reset_peer", false, "\"timeout\":15", 200},  {"bandwidth", true, "\"rate\":4000", 600},
        {"limit_data", false, "\"bytes\":3000", 200},  {"bandwidth", false, "\"rate\":6000", 500},
        {"reset_peer", true, "\"timeout\":5", 200},
    };

    (void)arg;
    for (size_t i = 0; !atomic_load(&over); i = (i + 1) % MST_COUNT(list)) {
        realstore_toxic(&real, list[i].type, list[i].up, list[i].attributes);
        mst_clock_sleep_ms(list[i].ms);
        if (i == 3) {
            realstore_cut(&real, true);
            mst_clock_sleep_ms(150);
        }
        realstore_heal(&real);
        mst_clock_sleep_ms(400);
    }
    return NULL;
}

static void configure(void)
{
    char secret[128], *lines;
    struct mst_err err = {0};

    (void)snprintf(secret, sizeof(secret), "%s/secret", home.dir);
    assert_ok(mst_file_replace(secret, 0600, REAL_SECRET "\n", strlen(REAL_SECRET) + 1, &err),
              &err);
    lines = mst_xasprintf(
        "stores = ({ name = \"far\"; type = \"s3\"; bucket = \"%s\"; prefix = \"site\";\n"
        "  endpoint = \"%s\"; region = \"%s\"; profile = \"%s\"; plain_http = true; %s\n"
        "  part_bytes = 5242880; access_key = \"%s\"; secret_key_file = \"%s\";\n"
        "  allow_unsealed = true; });\nbackup = { store = \"far\"; };\n",
        REAL_BUCKET, real.endpoint, REAL_REGION, server->profile, server->more, REAL_ACCESS,
        secret);
    stores_are(&home, lines);
    free(lines);
}

static int up(void **state)
{
    (void)state;
    realstore_start(&real, server->kind, &(struct realstore_opts){.proxy = true});
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    home_make(&home, &kit, "/nowhere");
    configure();
    fill(&kit, "new");
    fill_large(&kit, 2500, 1000);
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&troublemaker, NULL, make_trouble, NULL), 0);
    return 0;
}

static int down(void **state)
{
    (void)state;
    atomic_store(&over, true);
    (void)pthread_join(troublemaker, NULL);
    home_end(&home);
    kit_stop(&kit);
    realstore_stop(&real);
    return 0;
}

/* One folder of one backup below the prefix, and no upload that nobody ended. */
static void the_bucket_holds_it_and_nothing_else(const char *id)
{
    struct kit_count c = {0};
    struct mst_err err = {0};
    struct realstore direct = real;
    struct mst_store *s;
    char *line, *next;

    (void)mst_copy(direct.endpoint, sizeof(direct.endpoint), real.direct);
    s = kit_open_real(&direct, (struct mst_s3_conf){.profile = server->profile});
    assert_int_equal(kit_uploads(s), 0);
    assert_ok(mst_store_list(s, "", kit_count_item, &c, NULL, &err), &err);
    assert_true(c.n > 4);
    for (line = c.keys.p; line && *line; line = next) {
        next = strchr(line, '\n') + 1;
        next[-1] = '\0';
        if (strncmp(line, "site/", 5) != 0 || !strstr(line, id)) {
            fail_msg("%s is left in the bucket", line);
        }
    }
    mst_str_release(&c.keys);
    mst_store_free(s);
}

static void a_backup_goes_through_and_comes_back(void **state)
{
    char *before = hash_of_shop(&kit), *after;
    struct ran r;
    char id[64] = "", phrase[160];
    const char *p;

    (void)state;
    run_muster(&r, (const char *const[]){"backup", "--plain", NULL}, home.env, 120000);
    expect(&r, 0);
    ran_release(&r);
    run_muster(&r, (const char *const[]){"bucket", "ls", "--json", NULL}, home.env, 60000);
    expect(&r, 0);
    p = strstr(mst_str_c(&r.out), "\"id\":\"");
    assert_non_null(p);
    (void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(p + 6, "\""), p + 6);
    ran_release(&r);
    the_bucket_holds_it_and_nothing_else(id);
    run_muster(&r, (const char *const[]){"verify", "--plain", NULL}, home.env, 120000);
    expect(&r, 0);
    ran_release(&r);
    fill(&kit, "old");
    on_primary(&kit, "{'delete': 'large', 'deletes': [{'q': {'_id': {'$gt': 1000}}, 'limit': 0}]}");
    phrase_of(&home, phrase, sizeof(phrase));
    run_muster(&r,
               (const char *const[]){"restore", "--include", "shop.*", "--confirm", phrase, NULL},
               home.env, 200000);
    expect(&r, 0);
    ran_release(&r);
    all_are(&kit, "new");
    after = hash_of_shop(&kit);
    assert_string_equal(before, after);
    free(before);
    free(after);
    the_bucket_holds_it_and_nothing_else(id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_backup_goes_through_and_comes_back)};

    int failed = 0;

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    for (size_t i = 0; i < MST_COUNT(servers); i++) {
        realstore_need(servers[i].kind);
    }
    realstore_need_proxy();
    for (server = servers; server < servers + MST_COUNT(servers); server++) {
        failed += cmocka_run_group_tests_name(server->name, tests, up, down);
    }
    return failed;
}
