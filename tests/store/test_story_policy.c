/* The three keys of docs/stores.md, with the actions that its table names, by the real program on
 * versitygw: the writer cannot delete, the reader cannot write, and each can do its work. */
#include "story_kit.h"

#include "peer_kit.h"

#define PAGE TEST_SOURCE "/docs/stores.md"

static struct kit kit;
static struct home writer, reader, retention;
static struct realstore real;
static struct mst_buf page;

/* The words of a cell that begin with s3:, as a JSON list. */
static void actions(const char *cell, const char *end, struct mst_str *out)
{
    bool any = false;

    mst_str_add(out, "[");
    for (const char *p = cell; (p = strstr(p, "`s3:")) && p < end; p++) {
        mst_str_addf(out, "%s\"%.*s\"", any ? "," : "", (int)strcspn(p + 1, "`"), p + 1);
        any = true;
    }
    mst_str_add(out, "]");
    assert_true(any);
}

/* The row of the table, as two statements for the account of that name. */
static void row(const char *name, struct mst_str *out)
{
    char head[64];
    const char *at, *middle, *end;

    (void)snprintf(head, sizeof(head), "\n| %s | `s3:", name);
    at = strstr((const char *)page.p, head);
    assert_non_null(at);
    at = strstr(at, "`s3:");
    middle = strchr(at, '|');
    end = middle + strcspn(middle, "\n");
    mst_str_addf(out, "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"%s\"]},\"Action\":", name);
    actions(at, middle, out);
    mst_str_addf(out,
                 ",\"Resource\":[\"arn:aws:s3:::" REAL_BUCKET "/site/*\"]},{\"Effect\":\"Allow\","
                 "\"Principal\":{\"AWS\":[\"%s\"]},\"Action\":",
                 name);
    actions(middle, end, out);
    mst_str_add(out, ",\"Resource\":[\"arn:aws:s3:::" REAL_BUCKET "\"]}");
}

/* As the page has them; marks: and what it names for a reader that keeps its results. */
static void policy(bool marks)
{
    struct mst_str s = {0};

    mst_str_add(&s, "{\"Version\":\"2012-10-17\",\"Statement\":[");
    row("writer", &s);
    mst_str_add(&s, ",");
    row("reader", &s);
    mst_str_add(&s, ",");
    row("retention", &s);
    if (marks) {
        mst_str_add(&s, ",{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"reader\"]},\"Action\":"
                        "[\"s3:PutObject\"],\"Resource\":[\"arn:aws:s3:::" REAL_BUCKET
                        "/site/*/marks/*\",\"arn:aws:s3:::" REAL_BUCKET "/site/muster-probe/*\"]}");
    }
    mst_str_add(&s, "]}");
    realstore_policy(&real, mst_str_c(&s));
    mst_str_release(&s);
}

static void make_home(struct home *h, const char *name)
{
    char secret[128], text[80], *lines;
    struct mst_err err = {0};

    home_make(h, &kit, "/nowhere");
    (void)snprintf(secret, sizeof(secret), "%s/secret", h->dir);
    (void)snprintf(text, sizeof(text), "%s-secret\n", name);
    assert_ok(mst_file_replace(secret, 0600, text, strlen(text), &err), &err);
    lines = mst_xasprintf(
        "stores = ({ name = \"far\"; type = \"s3\"; bucket = \"" REAL_BUCKET "\"; prefix = "
        "\"site\";\n  endpoint = \"%s\"; region = \"" REAL_REGION "\"; profile = \"versitygw\";\n"
        "  plain_http = true; part_bytes = 5242880; access_key = \"%s\";\n"
        "  secret_key_file = \"%s\"; allow_unsealed = true; });\nbackup = { store = \"far\"; };\n",
        real.endpoint, name, secret);
    stores_are(h, lines);
    free(lines);
    realstore_user(&real, name);
}

static int up(void **state)
{
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_file_read(PAGE, 1 << 20, &page, &err), &err);
    mst_buf_add(&page, "", 1);
    realstore_start(&real, REAL_VERSITYGW, &(struct realstore_opts){.users = true});
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    make_home(&writer, "writer");
    make_home(&reader, "reader");
    make_home(&retention, "retention");
    policy(false);
    fill(&kit, "new");
    fill_large(&kit, 2000, 1000);
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_end(&writer);
    home_end(&reader);
    home_end(&retention);
    kit_stop(&kit);
    realstore_stop(&real);
    mst_buf_release(&page);
    return 0;
}

#define ARGV(...) \
    (const char *const[]) \
    { \
        __VA_ARGS__, NULL \
    }

static void says(const struct home *h, const char *const *argv, int status, const char *part)
{
    struct ran r;

    run_muster(&r, argv, h->env, 120000);
    expect(&r, status);
    if (!strstr(mst_str_c(&r.out), part) && !strstr(mst_str_c(&r.err), part)) {
        fail_msg("%s does not say \"%s\": %s%s", argv[0], part, mst_str_c(&r.out),
                 mst_str_c(&r.err));
    }
    ran_release(&r);
}

static void the_writer_writes_and_does_not_delete(void **state)
{
    (void)state;
    says(&writer, ARGV("backup", "--plain"), 0, "COMPLETE");
    says(&writer, ARGV("store", "test", "far", "--plain"), 0,
         "this key may not delete, which is right for a writer");
    says(&writer, ARGV("store", "orphans", "far", "--older", "0s", "--remove", "--confirm", "far"),
         4, "its policy has to allow s3:DeleteObject");
}

static void the_reader_reads_and_does_not_write(void **state)
{
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/out.archive", reader.dir);
    says(&reader, ARGV("bucket", "ls"), 0, "COMPLETE");
    says(&reader, ARGV("verify", "--plain"), 4, "its mark was not written");
    says(&reader, ARGV("restore", "--dry-run"), 0, "phrase: ");
    says(&reader, ARGV("export", "--archive", path), 0, "mongorestore");
    says(&reader, ARGV("backup", "--plain"), 4, "its policy has to allow s3:PutObject");
    policy(true);
    says(&reader, ARGV("verify", "--plain"), 0, "read back whole");
    says(&reader, ARGV("backup", "--plain"), 4, "its policy has to allow s3:PutObject");
    says(&writer, ARGV("bucket", "ls"), 0, "read back, good");
}

static void retention_removes_what_belongs_to_no_backup(void **state)
{
    (void)state;
    says(&retention, ARGV("backup", "--plain"), 4, "its policy has to allow s3:PutObject");
    says(&retention,
         ARGV("store", "orphans", "far", "--older", "0s", "--remove", "--confirm", "far"), 0,
         "removed");
    says(&retention, ARGV("store", "orphans", "far", "--older", "0s"), 0, "0 objects of no backup");
    says(&retention, ARGV("bucket", "ls"), 0, "COMPLETE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_writer_writes_and_does_not_delete),
        cmocka_unit_test(the_reader_reads_and_does_not_write),
        cmocka_unit_test(retention_removes_what_belongs_to_no_backup),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    realstore_need(REAL_VERSITYGW);
    return cmocka_run_group_tests_name("a story of three keys", tests, up, down);
}
