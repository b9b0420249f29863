/* A backup whose objects went into an archive tier: what the real program says of it, that nothing
 * reads it before all of it can be read, and the way back by `store thaw`. */
#include "agents_kit.h"

#include "s3d.h"

static struct kit kit;
static struct home home;
static struct s3d *far;
static char id[64], local[64];

static void configure(void)
{
    char path[128], secret[128];
    struct mst_str s = {0};
    struct mst_err err = {0};
    char line[512];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/muster.conf", home.dir);
    (void)snprintf(secret, sizeof(secret), "%s/secret", home.dir);
    assert_ok(mst_file_replace(secret, 0600, S3D_SECRET, strlen(S3D_SECRET), &err), &err);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        mst_str_add(&s, strncmp(line, "stores", 6) == 0 ? "" : line);
    }
    (void)fclose(f);
    mst_str_addf(&s,
                 "stores = ({ name = \"far\"; type = \"s3\"; bucket = \"%s\"; prefix = \"site\";\n"
                 "  endpoint = \"%s\"; region = \"%s\"; profile = \"aws\"; path_style = true;\n"
                 "  plain_http = true; access_key = \"%s\"; secret_key_file = \"%s\";\n"
                 "  allow_unsealed = true; },\n"
                 "  { name = \"near\"; type = \"local\"; path = \"%s\"; });\nbackup = { store = "
                 "\"far\"; };\n",
                 S3D_BUCKET_NAME, s3d_endpoint(far), S3D_REGION, S3D_ACCESS, secret, local);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static int up(void **state)
{
    struct ran r;
    const char *p;

    (void)state;
    far = s3d_start(NULL);
    temp_dir(local, sizeof(local));
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
    s3d_stop(far);
    temp_remove(local);
    return 0;
}

/* Every object whose name contains part: of this class, or (NULL) thawed. Their number. */
static unsigned each(const char *part, const char *storage_class)
{
    struct mst_str keys = {0};
    unsigned n = 0;

    s3d_keys_text(far, &keys);
    for (char *line = keys.p, *next; line && *line; line = next) {
        next = strchr(line, '\n') + 1;
        next[-1] = '\0';
        if (!strstr(line, "/backups/") || !strstr(line, part) || strstr(line, "/marks/")) {
            continue;
        }
        n++;
        if (storage_class) {
            s3d_class(far, line, storage_class);
        } else {
            s3d_thaw_now(far, line);
        }
    }
    mst_str_release(&keys);
    return n;
}

static void refused(const char *const *words, const char *said)
{
    struct ran r;

    run_muster(&r, words, home.env, 60000);
    expect(&r, 10);
    mst_str_add(&r.out, mst_str_c(&r.err)); /* of a job it is said there */
    HAS(mst_str_c(&r.out), said);
    HAS(mst_str_c(&r.out), " archive tier (");
    ran_release(&r);
}

static void nothing_is_read_while_segments_sleep(void **state)
{
    const unsigned n = each("/d/", "GLACIER") + each("/oplog-", "GLACIER");
    char said[120], command[160], dir[128];
    struct ran r;

    (void)state;
    assert_true(n > 1);
    (void)snprintf(said, sizeof(said), "%u of ", n);
    (void)snprintf(command, sizeof(command), "'muster store thaw far %s --days 7' asks for them",
                   id);
    (void)snprintf(dir, sizeof(dir), "%s/out", home.dir);
    refused((const char *const[]){"verify", id, "--store", "far", NULL}, command);
    refused((const char *const[]){"verify", "--store", "far", NULL}, said);
    refused((const char *const[]){"restore", id, "--store", "far", "--dry-run", NULL}, command);
    refused((const char *const[]){"export", id, "--store", "far", "--dir", dir, NULL}, command);
    refused((const char *const[]){"copy", id, "--from", "far", "--to", "near", NULL}, command);
    assert_int_equal(access(dir, F_OK), -1);
    MUST(&r, &home, 0, "bucket", "ls", "--store", "far");
    HAS(mst_str_c(&r.out), "COMPLETE");
    (void)snprintf(said, sizeof(said), ", mixed, archived: %u objects", n);
    HAS(mst_str_c(&r.out), said);
    ran_release(&r);
    MUST(&r, &home, 0, "bucket", "show", id, "--store", "far");
    HAS(mst_str_c(&r.out), " bytes  GLACIER, archived\n");
    HAS(mst_str_c(&r.out), "shop.c0"); /* its manifest is awake */
    ran_release(&r);
    MUST(&r, &home, 0, "bucket", "show", id, "--store", "far", "--json");
    HAS(mst_str_c(&r.out), "\"storage_class\":\"GLACIER\",\"archive\":\"archived\"");
    HAS(mst_str_c(&r.out), "\"storage_class\":\"mixed\"");
    ran_release(&r);
}

/* The last line of the audit file (last), or the one before it, has these parts. */
static void audited(bool last, const char *const *parts)
{
    char path[256], line[2048] = "", before[2048] = "", next[2048];
    struct ran r;
    FILE *f;

    MUST(&r, &home, 0, "audit", "verify"); /* it says where the file is */
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(mst_str_c(&r.out), ":"),
                   mst_str_c(&r.out));
    ran_release(&r);
    f = fopen(path, "r");
    if (!f) {
        fail_msg("no %s", path);
    }
    while (fgets(next, sizeof(next), f)) {
        (void)mst_copy(before, sizeof(before), line);
        (void)mst_copy(line, sizeof(line), next);
    }
    (void)fclose(f);
    for (; *parts; parts++) {
        HAS(last ? line : before, *parts);
    }
}

/* It costs money: who asked for how much of what, and for how long, stands in both lists. */
static void it_is_written_down(unsigned n)
{
    struct ran r;
    char said[200];

    (void)snprintf(said, sizeof(said), "%u objects of %s in far (GLACIER, ", n, id);
    MUST(&r, &home, 0, "jobs", "--plain");
    HAS(mst_str_c(&r.out), "thaw");
    HAS(mst_str_c(&r.out), said);
    HAS(mst_str_c(&r.out), " asked for, each readable for 3 days once it is there");
    ran_release(&r);
    audited(false,
            (const char *const[]){"\"act\":\"thaw\",\"target\":\"far\"", "\"outcome\":\"begins\"",
                                  "muster store thaw far ", " --days 3", "\"who\":\"", NULL});
    audited(true, (const char *const[]){"\"act\":\"thaw\",\"target\":\"far\"",
                                        "\"outcome\":\"done\"", said, " for 3 days", NULL});
}

static void a_thaw_is_asked_for_once_and_followed(void **state)
{
    struct ran r;
    char said[120];
    unsigned n;

    (void)state;
    n = each("/d/", "GLACIER") + each("/oplog-", "GLACIER");
    MUST(&r, &home, 10, "store", "thaw", "far", id, "--dry-run");
    (void)snprintf(said, sizeof(said), "  not asked for  %u objects", n);
    HAS(mst_str_c(&r.out), said);
    ran_release(&r);
    s3d_count_reset(far);
    MUST(&r, &home, 10, "store", "thaw", "far", id, "--days", "3");
    (void)snprintf(said, sizeof(said), "  asked for now  %u objects", n);
    HAS(mst_str_c(&r.out), said);
    HAS(mst_str_c(&r.out), "as a rule that takes 3 to 5 hours");
    ran_release(&r);
    assert_int_equal(s3d_count(far, S3D_THAW), n);
    it_is_written_down(n);
    MUST(&r, &home, 10, "store", "thaw", "far", id, "--json");
    (void)snprintf(said, sizeof(said),
                   "\"asked_objects\":0,\"asked_bytes\":0,\"thawing_objects\":%u", n);
    HAS(mst_str_c(&r.out), said);
    ran_release(&r);
    assert_int_equal(s3d_count(far, S3D_THAW), n);
    refused((const char *const[]){"verify", id, "--store", "far", NULL}, "says how far they are");
    MUST(&r, &home, 0, "bucket", "ls", "--store", "far");
    (void)snprintf(said, sizeof(said), "archived: %u objects, %u on the way", n, n);
    HAS(mst_str_c(&r.out), said);
    ran_release(&r);

    (void)each("/backups/", NULL);
    MUST(&r, &home, 0, "store", "thaw", "far", id);
    HAS(mst_str_c(&r.out), ": all of it can be read now\n");
    HAS(mst_str_c(&r.out), ", the first of them until 20");
    ran_release(&r);
    assert_int_equal(s3d_count(far, S3D_THAW), n);
    MUST(&r, &home, 0, "bucket", "ls", "--store", "far");
    (void)snprintf(said, sizeof(said), ", %u thawed until 20", n);
    HAS(mst_str_c(&r.out), said);
    ran_release(&r);
    MUST(&r, &home, 0, "bucket", "show", id, "--store", "far");
    HAS(mst_str_c(&r.out), " bytes  GLACIER, thawed until 20");
    ran_release(&r);
    DO(&home, 0, "verify", id, "--store", "far", "--plain");
}

static void a_backup_whose_commit_sleeps_is_archived_not_damaged(void **state)
{
    const unsigned n = each("/backups/", "DEEP_ARCHIVE");
    struct ran r;
    char said[120];

    (void)state;
    MUST(&r, &home, 0, "bucket", "ls", "--store", "far");
    HAS(mst_str_c(&r.out), " ARCHIVED ");
    HAS(mst_str_c(&r.out), "its COMMIT is in an archive tier: 'muster store thaw far 20");
    HAS(mst_str_c(&r.out), ", DEEP_ARCHIVE, archived: ");
    ran_release(&r);
    MUST(&r, &home, 10, "bucket", "show", id, "--store", "far");
    HAS(mst_str_c(&r.out), " bytes  DEEP_ARCHIVE, archived\n");
    (void)snprintf(said, sizeof(said), "%u of %u objects of %s", n, n, id);
    HAS(mst_str_c(&r.err), said);
    ran_release(&r);
    refused((const char *const[]){"verify", id, "--store", "far", NULL}, said);
    MUST(&r, &home, 10, "store", "thaw", "far", id);
    HAS(mst_str_c(&r.out), "up to 12 hours");
    ran_release(&r);
    (void)each("/backups/", NULL);
    DO(&home, 0, "verify", id, "--store", "far", "--plain");
    MUST(&r, &home, 0, "bucket", "ls", "--store", "far");
    HAS(mst_str_c(&r.out), " COMPLETE ");
    ran_release(&r);
}

static void what_is_not_there_cannot_be_thawed(void **state)
{
    struct ran r;

    (void)state;
    MUST(&r, &home, 2, "store", "thaw", "far", "2020-01-01T00-00-00Z-full");
    HAS(mst_str_c(&r.err), "there is no backup 2020-01-01T00-00-00Z-full in the store far");
    ran_release(&r);
    MUST(&r, &home, 2, "store", "thaw", "far", "anything");
    HAS(mst_str_c(&r.err), "'anything' is not the id of a backup");
    ran_release(&r);
    MUST(&r, &home, 2, "store", "thaw", "far", id, "--days", "0");
    ran_release(&r);
    (void)each("/backups/", "STANDARD");
    MUST(&r, &home, 0, "store", "thaw", "far", id);
    HAS(mst_str_c(&r.out), "nothing of it is in an archive tier");
    ran_release(&r);
    (void)each("/d/", "GLACIER");
    MUST(&r, &home, 10, "store", "thaw", "far", id, "--read-only");
    HAS(mst_str_c(&r.err), "read_only");
    ran_release(&r);
    s3d_deny(far, S3D_THAW, true);
    MUST(&r, &home, 4, "store", "thaw", "far", id);
    HAS(mst_str_c(&r.out), "s3:RestoreObject");
    HAS(mst_str_c(&r.out), "  not asked for  ");
    ran_release(&r);
    s3d_deny(far, S3D_THAW, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_read_while_segments_sleep),
        cmocka_unit_test(a_thaw_is_asked_for_once_and_followed),
        cmocka_unit_test(a_backup_whose_commit_sleeps_is_archived_not_damaged),
        cmocka_unit_test(what_is_not_there_cannot_be_thawed),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("story_asleep", tests, up, down);
}
