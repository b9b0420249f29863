/* Stores that lock what is written, by the real program on two versitygw 1.7.0 and a directory: a
 * backup into all of them, a copy, a reader taken out whose key object is locked, what a dead run
 * left, an object under a legal hold, and a backup over midnight. */
#include "agents_kit.h"

#include "crypt/keyfile.h"
#include "hold_kit.h"
#include "peer_kit.h"

#define DAY_MS INT64_C(86400000)
#define ARGV(...) \
    (const char *const[]) \
    { \
        __VA_ARGS__, NULL \
    }

static struct kit kit;
static struct home home;
static struct realstore vault, safe;
static char clock_file[96], near[64], ops[MST_PUB_WORD], eva[MST_PUB_WORD];

/* Runs it; its status is this, and every part is in what it said. */
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

static void add_store(struct mst_str *s, const char *name, const struct realstore *r)
{
    mst_str_addf(s,
                 "  { name = \"%s\"; type = \"s3\"; bucket = \"" REAL_BUCKET
                 "\"; prefix = \"site\";\n"
                 "  endpoint = \"%s\"; region = \"" REAL_REGION "\"; profile = \"versitygw\";\n"
                 "  plain_http = true; access_key = \"" REAL_ACCESS
                 "\"; secret_key_file = \"%s/secret\";\n  lock_days = 2; },\n",
                 name, r->endpoint, home.dir);
}

static void configure(void)
{
    char path[128], line[512];
    struct mst_str s = {0};
    struct mst_err err = {0};
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/secret", home.dir);
    assert_ok(mst_file_replace(path, 0600, REAL_SECRET "\n", strlen(REAL_SECRET) + 1, &err), &err);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", home.dir);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        mst_str_add(&s, strncmp(line, "stores", 6) == 0 ? "" : line);
    }
    (void)fclose(f);
    mst_str_add(&s, "stores = (\n");
    add_store(&s, "vault", &vault);
    add_store(&s, "safe", &safe);
    mst_str_addf(&s,
                 "  { name = \"near\"; type = \"local\"; path = \"%s\"; });\n"
                 "backup = { stores = [\"near\", \"vault\", \"safe\"]; copies = 3; };\n"
                 "seal = { recipients = [\"%s ops\", \"%s eva\"]; identity_file = \"%s/ops.key\";\n"
                 "  };\n",
                 near, ops, eva, home.dir);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

/* The text behind name in what was printed as JSON. */
static void value(const struct ran *r, const char *name, char *out, size_t size)
{
    const char *p = strstr(mst_str_c(&r->out), name);

    assert_non_null(p);
    p += strlen(name);
    (void)snprintf(out, size, "%.*s", (int)strcspn(p, "\""), p);
}

static void make_key(const char *label, char word[MST_PUB_WORD])
{
    char path[128];
    struct ran r;

    (void)snprintf(path, sizeof(path), "%s/%s.key", home.dir, label);
    MUST(&r, &home, 0, "key", "new", "--recipient", path, "--label", label, "--no-passphrase",
         "--json");
    value(&r, "\"word\":\"", word, MST_PUB_WORD);
    ran_release(&r);
}

static void set_clock(int64_t ahead_s)
{
    struct mst_err err = {0};
    char text[24];
    const int n = snprintf(text, sizeof(text), "%lld\n", (long long)ahead_s);

    assert_ok(mst_file_replace(clock_file, 0600, text, (size_t)n, &err), &err);
}

static int up(void **state)
{
    const struct realstore_opts with = {.versioned = true, .lock = true};

    (void)state;
    realstore_start(&vault, REAL_VERSITYGW, &with);
    realstore_start(&safe, REAL_VERSITYGW, &with);
    temp_dir(near, sizeof(near));
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    home_make(&home, &kit, "/nowhere");
    (void)snprintf(clock_file, sizeof(clock_file), "%s/clock", home.dir);
    make_key("ops", ops);
    make_key("eva", eva);
    configure();
    fill(&kit, "new");
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_end(&home);
    kit_stop(&kit);
    realstore_stop(&vault);
    realstore_stop(&safe);
    temp_remove(near);
    return 0;
}

static void the_newest(const char *store, char id[64])
{
    struct ran r;

    MUST(&r, &home, 0, "bucket", "ls", "--store", store, "--json");
    value(&r, "\"id\":\"", id, 64);
    ran_release(&r);
}

/* "locked until 2026-12-01T00:00:00Z", of what is written now and for so many days. */
static void until(char out[80], int64_t days)
{
    char t[MST_TIME_MAX];

    (void)snprintf(out, 80, "locked until %s",
                   mst_time_iso((mst_clock_utc_ms(NULL) / DAY_MS + days + 1) * DAY_MS, t));
}

static void a_backup_into_several_is_locked_where_the_store_locks(void **state)
{
    char id[64], locked[80], in_vault[120], in_safe[120];

    (void)state;
    until(locked, 2);
    (void)snprintf(in_vault, sizeof(in_vault), "vault is %s (GOVERNANCE)", locked);
    (void)snprintf(in_safe, sizeof(in_safe), "safe is %s (GOVERNANCE)", locked);
    says(ARGV("backup", "--plain"), 0, ARGV("copies 3/3", in_vault, in_safe));
    the_newest("vault", id);
    says(ARGV("bucket", "show", id, "--store", "vault"), 0, ARGV(locked));
    says(ARGV("bucket", "show", id, "--store", "safe"), 0, ARGV(locked));
    says(ARGV("bucket", "show", id, "--store", "near", "--json"), 0,
         ARGV("\"known\":true,\"lock_mode\":null,\"locked_until\":null,\"legal_hold\":false,"
              "\"hold\":null"));
}

static void a_reader_is_taken_out_and_what_is_locked_is_named_with_its_day(void **state)
{
    char id[64], locked[80], stays[240], step[240];
    struct ran r;

    (void)state;
    until(locked, 2);
    the_newest("vault", id);
    (void)snprintf(stays, sizeof(stays), "1 older key object stays, %s (rs0/keys/%s.", locked, id);
    (void)snprintf(step, sizeof(step), "vault: 1 older key object stays %s: who is in there reads",
                   locked);
    says(ARGV("key", "remove", "eva", "--dry-run"), 0, ARGV(step, "  - safe: 1 older key object"));
    says(ARGV("key", "remove", "eva", "--confirm", "remove eva", "--plain"), 15,
         ARGV("1 backup has a new key object in the store vault, but ", stays,
              "1 backup has a new key object in the store near",
              "the same command again removes what is not locked any more"));
    /* The directory is done; in the others nothing is written twice. */
    says(ARGV("key", "remove", "eva", "--confirm", "remove eva", "--plain"), 15,
         ARGV("1 backup had one already in the store vault, but ", stays));
    (void)snprintf(step, sizeof(step), "vault: 2 older key objects stay %s: who", locked);
    says(ARGV("key", "rotate", "--dry-run"), 0, ARGV(step));
    says(ARGV("key", "remove", "eva", "--store", "near", "--confirm", "remove eva"), 2,
         ARGV("nobody who can read these backups in the store near is called eva"));
    says(ARGV("verify", id, "--store", "vault", "--plain"), 0, ARGV("read back whole"));
    MUST(&r, &home, 0, "store", "ls", "vault", "rs0/keys");
    HAS(mst_str_c(&r.out), ".0\n");
    HAS(mst_str_c(&r.out), ".1\n");
    assert_null(strstr(mst_str_c(&r.out), ".2\n"));
    ran_release(&r);
}

static void a_copy_into_a_store_that_locks_is_locked_as_long_as_it_is_held(void **state)
{
    char id[64], locked[80], later[80], day[MST_TIME_MAX];

    (void)state;
    until(locked, 2);
    (void)mst_time_iso((mst_clock_utc_ms(NULL) / DAY_MS + 40) * DAY_MS, day);
    (void)snprintf(later, sizeof(later), "locked until %s (GOVERNANCE)", day);
    DO(&home, 0, "backup", "--store", "near", "--plain");
    the_newest("near", id);
    says(ARGV("copy", id, "--from", "near", "--to", "vault", "--plain"), 0,
         ARGV(locked, "(GOVERNANCE)"));
    says(ARGV("bucket", "show", id, "--store", "vault"), 0, ARGV(locked));
    DO(&home, 0, "hold", id, "--store", "near", "--until", day, "--reason", "the auditors");
    says(ARGV("copy", id, "--from", "near", "--to", "safe", "--plain"), 0, ARGV(later));
    says(ARGV("bucket", "show", id, "--store", "safe"), 0, ARGV(later));
}

static void what_a_dead_run_left_stays_as_long_and_that_is_said(void **state)
{
    char id[64], locked[80];

    (void)state;
    until(locked, 2);
    agents_die(&home);
    home_fault(&home, "kill=manifest:1");
    says(ARGV("backup", "--store", "vault", "--plain", "--no-agent"), 128 + SIGKILL, ARGV(""));
    home_fault(&home, "");
    the_newest("vault", id);
    says(ARGV("clean", id, "--store", "vault", "--plain"), 0, ARGV(" removed; ", locked));
    says(ARGV("store", "orphans", "vault", "--remove", "--older", "0s", "--confirm", "vault"), 0,
         ARGV(" removed from vault; ", locked));
    says(ARGV("bucket", "ls", "--store", "vault"), 0, ARGV(id, "INCOMPLETE"));
}

static void a_legal_hold_is_shown_where_locks_are(void **state)
{
    char id[64], commit[160];

    (void)state;
    DO(&home, 0, "backup", "--store", "vault", "--plain");
    the_newest("vault", id);
    (void)snprintf(commit, sizeof(commit), "site/rs0/backups/%s/COMMIT", id);
    hold_put(&vault, commit, true);
    says(ARGV("bucket", "show", id, "--store", "vault"), 0,
         ARGV(", and held in the store: legal hold\n"));
    says(ARGV("bucket", "show", id, "--store", "vault", "--json"), 0,
         ARGV("\"legal_hold\":true,\"hold\":\"legal hold\""));
    hold_put(&vault, commit, false);
    says(ARGV("bucket", "show", id, "--store", "vault", "--json"), 0,
         ARGV("\"legal_hold\":false,\"hold\":null"));
}

/* --- midnight --------------------------------------------------------------------------------- */

struct dates {
    const char *id;
    int64_t wanted_ms;
    size_t n;
    struct mst_store *s;
};

/* Every object that is locked at all is locked as long. */
static bool see_date(void *arg, const struct mst_store_item *item)
{
    struct dates *d = arg;
    struct mst_store_info info;
    struct mst_err err = {0};

    if (!strstr(item->key, d->id) || !mst_store_lock_wanted(item->key)) {
        return true;
    }
    assert_ok(mst_store_info(d->s, item->key, &info, &err), &err);
    if (info.locked_until_ms != d->wanted_ms) {
        fail_msg("%s is locked until %lld, not %lld", item->key, (long long)info.locked_until_ms,
                 (long long)d->wanted_ms);
    }
    d->n++;
    return true;
}

static void over_midnight(const char *stop, const char *zone)
{
    const int64_t now = mst_clock_utc_ms(NULL), midnight = (now / DAY_MS + 1) * DAY_MS;
    char fault[128], day[MST_TIME_MAX], locked[80], id[64];
    struct realstore direct = vault;
    struct dates d = {.id = id, .wanted_ms = midnight + 3 * DAY_MS};
    struct mst_err err = {0};
    struct beside b;

    agents_die(&home);
    assert_int_equal(setenv("TZ", zone, 1), 0);
    set_clock((midnight - now) / 1000 - 600);
    (void)snprintf(fault, sizeof(fault), "stop=%s,clock=%s", stop, clock_file);
    home_fault(&home, fault);
    BESIDE(&b, &home, false, "backup", "--store", "vault", "--plain", "--no-agent");
    await_state(b.pid, 'T');
    set_clock((midnight - now) / 1000 + 600);
    (void)kill(b.pid, SIGCONT);
    if (beside_end(&b) != 0) {
        fail_msg("%s", mst_str_c(&b.out));
    }
    (void)snprintf(locked, sizeof(locked), "locked until %s (GOVERNANCE)",
                   mst_time_iso(d.wanted_ms, day));
    HAS(mst_str_c(&b.out), locked);
    mst_str_release(&b.out);
    the_newest("vault", id); /* it is of the day on which it was begun, in UTC */
    assert_int_equal(strncmp(id, mst_time_iso(midnight - 1, day), 10), 0);
    d.s = kit_open_real(
        &direct, (struct mst_s3_conf){.profile = "versitygw", .prefix = "site", .plain = true});
    assert_ok(mst_store_list(d.s, "rs0", see_date, &d, NULL, &err), &err);
    assert_true(d.n > 5);
    mst_store_free(d.s);
    home_fault(&home, "");
    assert_int_equal(unsetenv("TZ"), 0);
}

static void what_was_written_before_midnight_is_locked_as_long_as_the_rest(void **state)
{
    (void)state;
    over_midnight("manifest:1", "Asia/Kolkata");
}

/* It is the first one that is written. */
static void a_key_object_alone_before_midnight_is_locked_as_long(void **state)
{
    (void)state;
    over_midnight("list:1", "America/New_York");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_into_several_is_locked_where_the_store_locks),
        cmocka_unit_test(a_reader_is_taken_out_and_what_is_locked_is_named_with_its_day),
        cmocka_unit_test(a_copy_into_a_store_that_locks_is_locked_as_long_as_it_is_held),
        cmocka_unit_test(what_a_dead_run_left_stays_as_long_and_that_is_said),
        cmocka_unit_test(a_legal_hold_is_shown_where_locks_are),
        cmocka_unit_test(what_was_written_before_midnight_is_locked_as_long_as_the_rest),
        cmocka_unit_test(a_key_object_alone_before_midnight_is_locked_as_long),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    realstore_need(REAL_VERSITYGW);
    return cmocka_run_group_tests_name("stores that lock", tests, up, down);
}
