/* A store with lock_days by the real program, on versitygw: what a backup wrote is locked, a hold
 * locks it longer, a release says what stays, nothing is taken away; and a bucket that cannot lock
 * is refused. */
#include "agents_kit.h"

#include "peer_kit.h"

static struct kit kit;
static struct home home;
static struct realstore real, plain;

static void add_store(struct mst_str *s, const char *name, const struct realstore *r,
                      const char *secret)
{
    mst_str_addf(
        s,
        "%s{ name = \"%s\"; type = \"s3\"; bucket = \"%s\"; prefix = \"site\";\n"
        "  endpoint = \"%s\"; region = \"%s\"; profile = \"versitygw\"; plain_http = true;\n"
        "  access_key = \"%s\"; secret_key_file = \"%s\"; lock_days = 2;\n"
        "  tags = [\"team=db\"]; allow_unsealed = true; }",
        s->p && strstr(s->p, "stores = (") ? ", " : "stores = (", name, REAL_BUCKET, r->endpoint,
        REAL_REGION, REAL_ACCESS, secret);
}

static void configure(void)
{
    char path[128], secret[128], line[512];
    struct mst_str s = {0};
    struct mst_err err = {0};
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/muster.conf", home.dir);
    (void)snprintf(secret, sizeof(secret), "%s/secret", home.dir);
    assert_ok(mst_file_replace(secret, 0600, REAL_SECRET "\n", strlen(REAL_SECRET) + 1, &err),
              &err);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        mst_str_add(&s, strncmp(line, "stores", 6) == 0 ? "" : line);
    }
    (void)fclose(f);
    add_store(&s, "vault", &real, secret);
    add_store(&s, "plain", &plain, secret);
    mst_str_add(&s, ");\nbackup = { store = \"vault\"; };\n");
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static int up(void **state)
{
    (void)state;
    realstore_start(&real, REAL_VERSITYGW,
                    &(struct realstore_opts){.versioned = true, .lock = true});
    realstore_start(&plain, REAL_VERSITYGW, &(struct realstore_opts){.versioned = false});
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    home_make(&home, &kit, "/nowhere");
    configure();
    fill(&kit, "new");
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_end(&home);
    kit_stop(&kit);
    realstore_stop(&real);
    realstore_stop(&plain);
    return 0;
}

/* Runs it, and every part is in what it said. */
static void says(const char *const *argv, int status, const char *const *parts)
{
    struct ran r;

    run_muster(&r, argv, home.env, 120000);
    expect(&r, status);
    for (; *parts; parts++) {
        if (!strstr(mst_str_c(&r.out), *parts) && !strstr(mst_str_c(&r.err), *parts)) {
            fail_msg("%s %s does not say \"%s\": %s%s", argv[0], argv[1] ? argv[1] : "", *parts,
                     mst_str_c(&r.out), mst_str_c(&r.err));
        }
    }
    ran_release(&r);
}
#define ARGV(...) \
    (const char *const[]) \
    { \
        __VA_ARGS__, NULL \
    }

static void the_newest(char id[64])
{
    struct ran r;
    const char *p;

    run_muster(&r, ARGV("bucket", "ls", "--store", "vault", "--json"), home.env, 60000);
    expect(&r, 0);
    p = strstr(mst_str_c(&r.out), "\"id\":\"");
    assert_non_null(p);
    (void)snprintf(id, 64, "%.*s", (int)strcspn(p + 6, "\""), p + 6);
    ran_release(&r);
}

static void what_a_backup_wrote_stays_until_its_lock_ends(void **state)
{
    const int64_t day = 86400000, now = mst_clock_utc_ms(NULL);
    char until[MST_TIME_MAX], later[MST_TIME_MAX], locked[80], longer[80], id[64], phrase[64],
        json[80];

    (void)state;
    (void)mst_time_iso((now / day + 3) * day, until);
    (void)mst_time_iso((now / day + 40) * day, later);
    (void)snprintf(locked, sizeof(locked), "locked until %s (GOVERNANCE)", until);
    (void)snprintf(json, sizeof(json), "\"locked_until\":\"%.10sT00:00:00", until);
    (void)snprintf(longer, sizeof(longer), "locked until %s (GOVERNANCE)", later);
    says(ARGV("backup", "--plain"), 0, ARGV(locked));
    the_newest(id);
    says(ARGV("bucket", "show", id, "--store", "vault"), 0, ARGV(locked));
    says(ARGV("bucket", "show", id, "--store", "vault", "--json"), 0,
         ARGV("\"lock_mode\":\"GOVERNANCE\"", json));
    says(ARGV("store", "show", "vault"), 0,
         ARGV("locks what is written for 2 days, GOVERNANCE", "tags what is written: team=db"));
    says(ARGV("hold", id, "--store", "vault", "--until", later, "--reason", "audit", "--plain"), 0,
         ARGV(longer));
    (void)mst_copy(phrase, sizeof(phrase), id);
    says(ARGV("release", id, "--store", "vault", "--confirm", phrase), 0,
         ARGV("is released in vault", longer));
    says(ARGV("store", "test", "vault", "--plain"), 0,
         ARGV("lock         ok          GOVERNANCE until ", "tags         ok ", "versions     ok ",
              "WARNING     this key may also replace objects", "1 warning", ", locked until "));
}

static void a_bucket_that_cannot_lock_is_refused(void **state)
{
    struct realstore direct = plain;
    struct kit_count c = {0};
    struct mst_store *s;
    struct mst_err err = {0};

    (void)state;
    says(ARGV("backup", "--store", "plain", "--plain"), 2,
         ARGV("its bucket vault takes no object locks: make a bucket with object lock"));
    s = kit_open_real(&direct, (struct mst_s3_conf){.profile = "versitygw"});
    assert_ok(mst_store_list(s, "", kit_count_item, &c, NULL, &err), &err);
    assert_int_equal(c.n, 0);
    mst_str_release(&c.keys);
    mst_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_backup_wrote_stays_until_its_lock_ends),
        cmocka_unit_test(a_bucket_that_cannot_lock_is_refused),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    realstore_need(REAL_VERSITYGW);
    return cmocka_run_group_tests_name("a story of locks", tests, up, down);
}
