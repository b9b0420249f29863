/* Holds of Google Cloud Storage by the real program, before the scripted one: shown where locks are
 * shown, and what they keep is counted for itself when the rest of a dead run is removed. */
#include "story_kit.h"

#include "gcsd.h"

#define ARGV(...) \
    (const char *const[]) \
    { \
        __VA_ARGS__, NULL \
    }

static struct kit kit;
static struct home home;
static struct gcsd *cloud;

static int up(void **state)
{
    char lines[600], account[128];

    (void)state;
    cloud = gcsd_start("bucket", 0);
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    home_make(&home, &kit, "/nowhere");
    (void)snprintf(account, sizeof(account), "%s/account", home.dir);
    gcsd_key_file(cloud, account);
    (void)snprintf(lines, sizeof(lines),
                   "stores = ({ name = \"cloud\"; type = \"gcs\"; bucket = \"bucket\";\n"
                   "  endpoint = \"%s\"; plain_http = true; service_account_file = \"%s\";\n"
                   "  allow_unsealed = true; });\nbackup = { store = \"cloud\"; };\n",
                   gcsd_url(cloud), account);
    stores_are(&home, lines);
    fill(&kit, "new");
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_end(&home);
    kit_stop(&kit);
    gcsd_stop(cloud);
    return 0;
}

static void says(const char *const *argv, int status, const char *const *parts)
{
    struct ran r;

    run_muster(&r, argv, home.env, 60000);
    expect(&r, status);
    mst_str_add(&r.out, mst_str_c(&r.err));
    for (; *parts; parts++) {
        HAS(mst_str_c(&r.out), *parts);
    }
    ran_release(&r);
}

static void the_newest(char id[64])
{
    struct ran r;
    const char *p;

    MUST(&r, &home, 0, "bucket", "ls", "--json");
    p = strstr(mst_str_c(&r.out), "\"id\":\"");
    assert_non_null(p);
    (void)snprintf(id, 64, "%.*s", (int)strcspn(p + 6, "\""), p + 6);
    ran_release(&r);
}

static void each_hold_is_shown_by_its_name(void **state)
{
    char id[64], commit[160];

    (void)state;
    DO(&home, 0, "backup", "--plain");
    the_newest(id);
    (void)snprintf(commit, sizeof(commit), "rs0/backups/%s/COMMIT", id);
    says(ARGV("bucket", "show", id, "--json"), 0, ARGV("\"legal_hold\":false,\"hold\":null"));
    gcsd_retain(cloud, commit, "", "", true);
    says(ARGV("bucket", "show", id), 0, ARGV("held in the store, without an end: temporary hold"));
    says(ARGV("bucket", "show", id, "--json"), 0,
         ARGV("\"legal_hold\":true,\"hold\":\"temporary hold\""));
    gcsd_retain(cloud, commit, "Locked", "2031-01-01T00:00:00Z", true);
    says(ARGV("bucket", "show", id), 0,
         ARGV("locked until 2031-01-01T00:00:00Z (COMPLIANCE), and held in the store: temporary "
              "hold"));
    gcsd_retain(cloud, commit, "", "", false);
    gcsd_hold_by_event(cloud, commit);
    says(ARGV("bucket", "show", id), 0,
         ARGV("held in the store, without an end: event-based hold"));
}

static char dead[64], of_dead[2][200];
static size_t n_of_dead;

static void see(const char *name, const void *p, size_t n)
{
    (void)p;
    (void)n;
    if (strstr(name, dead) && !strstr(name, "/claim") && n_of_dead < 2) {
        (void)snprintf(of_dead[n_of_dead++], sizeof(of_dead[0]), "%s", name);
    }
}

static void what_is_held_stays_and_the_rest_of_a_dead_run_goes(void **state)
{
    (void)state;
    agents_die(&home);
    home_fault(&home, "kill=manifest:1");
    says(ARGV("backup", "--plain", "--no-agent"), 128 + SIGKILL, ARGV(""));
    home_fault(&home, "");
    the_newest(dead);
    gcsd_each(cloud, see);
    assert_int_equal(n_of_dead, 2);
    gcsd_retain(cloud, of_dead[0], "", "", true);
    says(
        ARGV("clean", dead, "--plain"), 0,
        ARGV(
            " removed; 1 stays, held in the store (temporary hold) until somebody takes that off"));
    n_of_dead = 0;
    gcsd_each(cloud, see);
    assert_int_equal(n_of_dead, 1);
    says(ARGV("store", "orphans", "cloud", "--remove", "--older", "0s", "--confirm", "cloud"), 0,
         ARGV("0 objects removed from cloud; 1 stays, held in the store (temporary hold)"));
    gcsd_retain(cloud, of_dead[0], "", "", false);
    says(ARGV("clean", dead, "--plain"), 0, ARGV("1 object of "));
    n_of_dead = 0;
    gcsd_each(cloud, see);
    assert_int_equal(n_of_dead, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_hold_is_shown_by_its_name),
        cmocka_unit_test(what_is_held_stays_and_the_rest_of_a_dead_run_goes),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("a story of holds", tests, up, down);
}
