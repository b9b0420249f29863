/* Somebody with a stolen key deletes and overwrites objects of a backup, on versitygw with a bucket
 * that keeps versions: the real program finds, verifies, exports and restores it as of before. */
#include "agents_kit.h"

#include "peer_kit.h"

static struct kit kit;
static struct home home;
static struct realstore real, plain; /* plain keeps no versions */
static char id[64], before[MST_TIME_MAX];

static void add_store(struct mst_str *s, const char *name, const struct realstore *r,
                      const char *secret)
{
    mst_str_addf(s,
                 "  { name = \"%s\"; type = \"s3\"; bucket = \"%s\"; prefix = \"site\";\n"
                 "  endpoint = \"%s\"; region = \"%s\"; profile = \"versitygw\";\n"
                 "  plain_http = true; access_key = \"%s\"; secret_key_file = \"%s\";\n"
                 "  allow_unsealed = true; }",
                 name, REAL_BUCKET, r->endpoint, REAL_REGION, REAL_ACCESS, secret);
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
    mst_str_add(&s, "stores = (\n");
    add_store(&s, "far", &real, secret);
    mst_str_add(&s, ",\n");
    add_store(&s, "plain", &plain, secret);
    mst_str_addf(&s, ",\n  { name = \"near\"; type = \"local\"; path = \"%s/near\"; }", home.dir);
    mst_str_add(&s, ");\nbackup = { store = \"far\"; };\n");
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
    (void)snprintf(path, sizeof(path), "%s/near", home.dir);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int up(void **state)
{
    struct ran r;
    const char *p;

    (void)state;
    realstore_start(&real, REAL_VERSITYGW, &(struct realstore_opts){.versioned = true});
    realstore_start(&plain, REAL_VERSITYGW, &(struct realstore_opts){.versioned = false});
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    home_make(&home, &kit, "/nowhere");
    configure();
    fill(&kit, "new");
    MUST(&r, &home, 0, "backup", "--plain");
    ran_release(&r);
    MUST(&r, &home, 0, "bucket", "ls", "--json", "--store", "far");
    p = strstr(mst_str_c(&r.out), "\"id\":\"");
    assert_non_null(p);
    (void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(p + 6, "\""), p + 6);
    ran_release(&r);
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

/* By another program: what a thief has. */
static void rclone(const char *const *words)
{
    struct mst_str out = {0};

    if (realstore_rclone(&real, words, &out) != 0) {
        fail_msg("rclone %s: %s", words[0], mst_str_c(&out));
    }
    mst_str_release(&out);
}

/* The object of the backup whose name contains part, as rclone names it. */
static void object_of(const char *part, char *out, size_t size)
{
    struct kit_count c = {0};
    struct mst_err err = {0};
    struct mst_store *s = kit_open_real(&real, (struct mst_s3_conf){.profile = "versitygw"});

    assert_ok(mst_store_list(s, "", kit_count_item, &c, NULL, &err), &err);
    out[0] = '\0';
    for (char *line = c.keys.p, *next; line && *line; line = next) {
        next = strchr(line, '\n') + 1;
        next[-1] = '\0';
        if (!out[0] && strstr(line, id) && strstr(line, part)) {
            (void)snprintf(out, size, "real:" REAL_BUCKET "/%s", line);
        }
    }
    assert_true(out[0]);
    mst_str_release(&c.keys);
    mst_store_free(s);
}

/* A moment that lies behind every object of the backup, by the clock of the store. */
static void remember_now(void)
{
    char iso[MST_TIME_MAX];

    mst_clock_sleep_ms(
        1100); /* times of objects are whole seconds: nothing says when one is over */
    (void)mst_copy(before, sizeof(before), mst_time_iso(mst_clock_utc_ms(NULL), iso));
    mst_clock_sleep_ms(1100);
}

static void what_was_destroyed_is_there_as_of_before(void **state)
{
    char commit[400], segment[400], header[400], junk[128];
    struct mst_err err = {0};
    struct ran r;

    (void)state;
    remember_now();
    object_of("/COMMIT", commit, sizeof(commit));
    object_of("/d/", segment, sizeof(segment));
    object_of("/header", header, sizeof(header));
    (void)snprintf(junk, sizeof(junk), "%s/junk", home.dir);
    assert_ok(mst_file_replace(junk, 0600, "gone", 4, &err), &err);
    rclone((const char *const[]){"deletefile", commit, NULL});
    rclone((const char *const[]){"deletefile", segment, NULL});
    rclone((const char *const[]){"copyto", "--ignore-times", junk, header, NULL});

    MUST(&r, &home, 0, "bucket", "ls", "--store", "far");
    HAS(mst_str_c(&r.out), "INCOMPLETE");
    ran_release(&r);
    MUST(&r, &home, 0, "bucket", "ls", "--store", "far", "--as-of", before);
    HAS(mst_str_c(&r.out), " as it stood at 20");
    HAS(mst_str_c(&r.out), id);
    HAS(mst_str_c(&r.out), " COMPLETE ");
    ran_release(&r);
    MUST(&r, &home, 0, "bucket", "ls", "--store", "far", "--as-of", before, "--json");
    HAS(mst_str_c(&r.out), "\"state\":\"COMPLETE\"");
    ran_release(&r);
    MUST(&r, &home, 0, "bucket", "show", "--store", "far", "--as-of", before);
    HAS(mst_str_c(&r.out), "shop.c0");
    HAS(mst_str_c(&r.out), "/COMMIT");
    ran_release(&r);
}

static void it_is_verified_exported_and_restored(void **state)
{
    char phrase[160], dir[128], one[160];
    const char *at;
    struct ran r;

    (void)state;
    DO(&home, 2, "verify", id, "--store", "far");
    MUST(&r, &home, 0, "verify", id, "--store", "far", "--as-of", before, "--plain");
    ran_release(&r);
    (void)snprintf(dir, sizeof(dir), "%s/out", home.dir);
    (void)snprintf(one, sizeof(one), "%s/shop/c0.bson", dir);
    DO(&home, 0, "export", id, "--store", "far", "--as-of", before, "--dir", dir);
    assert_int_equal(access(one, F_OK), 0);
    fill(&kit, "old");
    MUST(&r, &home, 10, "restore", id, "--store", "far", "--as-of", before, "--include", "shop.*");
    HAS(mst_str_c(&r.out), "-full as of 20");
    at = strstr(mst_str_c(&r.err), "--confirm '");
    assert_non_null(at);
    (void)snprintf(phrase, sizeof(phrase), "%.*s", (int)strcspn(at + 11, "'"), at + 11);
    ran_release(&r);
    MUST(&r, &home, 0, "restore", id, "--store", "far", "--as-of", before, "--include", "shop.*",
         "--confirm", phrase);
    ran_release(&r);
    all_are(&kit, "new");
}

static void nothing_was_written_by_looking_back(void **state)
{
    struct ran r;

    (void)state;
    MUST(&r, &home, 0, "store", "ls", "far");
    assert_null(strstr(mst_str_c(&r.out), "/marks/"));
    assert_null(strstr(mst_str_c(&r.out), "/COMMIT"));
    ran_release(&r);
}

static void where_there_is_no_past_it_is_said(void **state)
{
    struct ran r;

    (void)state;
    MUST(&r, &home, 10, "bucket", "ls", "--store", "plain", "--as-of", before);
    HAS(mst_str_c(&r.err), "the bucket of the store plain (");
    HAS(mst_str_c(&r.err), ") keeps no versions");
    ran_release(&r);
    MUST(&r, &home, 10, "verify", "--store", "plain", "--as-of", before);
    HAS(mst_str_c(&r.out), "keeps no versions");
    ran_release(&r);
    MUST(&r, &home, 10, "export", "--store", "near", "--as-of", before, "--dir", "/nowhere/x");
    HAS(mst_str_c(&r.err), "keeps no versions");
    ran_release(&r);
    MUST(&r, &home, 2, "bucket", "ls", "--as-of", before);
    HAS(mst_str_c(&r.err), "several stores are configured: say by --store whose past is meant");
    ran_release(&r);
    MUST(&r, &home, 2, "verify", "--as-of", before);
    HAS(mst_str_c(&r.out), "whose past is meant");
    ran_release(&r);
    MUST(&r, &home, 2, "bucket", "ls", "--store", "far", "--as-of", "2999-01-01");
    HAS(mst_str_c(&r.err), "is in the future");
    ran_release(&r);
    MUST(&r, &home, 2, "bucket", "ls", "--store", "far", "--as-of", "yesterday");
    HAS(mst_str_c(&r.err), "it is a time such as");
    ran_release(&r);
    MUST(&r, &home, 0, "bucket", "ls", "--store", "far", "--as-of", "2020-01-01");
    HAS(mst_str_c(&r.out), ": 0 backups\n");
    ran_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_destroyed_is_there_as_of_before),
        cmocka_unit_test(it_is_verified_exported_and_restored),
        cmocka_unit_test(nothing_was_written_by_looking_back),
        cmocka_unit_test(where_there_is_no_past_it_is_said),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    realstore_need(REAL_VERSITYGW);
    realstore_need(REAL_RCLONE);
    return cmocka_run_group_tests_name("the past", tests, up, down);
}
