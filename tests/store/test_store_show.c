/* What `muster store show` says about a bucket, and that it claims nothing that was not asked. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runprog.h"
#include "s3d.h"

static struct s3d *d;
static char dir[64], env_dir[96];
static const char *env[] = {
    env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", "LC_ALL=C.UTF-8", NULL};

/* before: other stores; after: sections. */
static void configure(const char *before, const char *after)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/muster.conf", dir);
    mst_str_addf(
        &s,
        "set = { name = \"rs0\"; members = [\"127.0.0.1:1\"]; };\n"
        "stores = (%s{ name = \"far\"; type = \"s3\"; bucket = \"%s\"; endpoint = \"%s\";\n"
        "  region = \"%s\"; profile = \"versitygw\"; plain_http = true;\n"
        "  access_key = \"%s\"; secret_key_file = \"secret\"; allow_unsealed = true;\n"
        "  single_writer = true; });\n%s",
        before, S3D_BUCKET_NAME, s3d_endpoint(d), S3D_REGION, S3D_ACCESS, after);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static int start(void **state)
{
    struct mst_err err = {0};
    char secret[128];

    (void)state;
    d = s3d_start(NULL);
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(secret, sizeof(secret), "%s/secret", dir);
    assert_ok(mst_file_replace(secret, 0600, S3D_SECRET, strlen(S3D_SECRET), &err), &err);
    configure("", "");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    s3d_stop(d);
    temp_remove(dir);
    return 0;
}

static void has(const struct ran *r, const char *part)
{
    if (!strstr(mst_str_c(&r->out), part)) {
        fail_msg("status %d, \"%s\" is not in: %s%s", r->status, part, mst_str_c(&r->out),
                 mst_str_c(&r->err));
    }
}

static void a_bucket_is_asked_and_its_promises_are_said(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, env, "store", "show");
    has(&r, "region: " S3D_REGION "\n");
    has(&r, "profile: versitygw, known from tests with 1.7.0\n");
    has(&r, "identity: " S3D_ACCESS " (");
    has(&r, "single writer: nobody else");
    has(&r, "UNSEALED backups are allowed there");
    has(&r, "  create-only writes   yes\n");
    has(&r, "  checksums            yes\n");
    has(&r, "  versions             no\n");
    assert_int_equal(r.status, 0);
    ran_release(&r);
    RUN(&r, env, "store", "show", "--json");
    has(&r, "\"identity\":\"" S3D_ACCESS " (");
    has(&r, "\"single_writer\":true");
    has(&r, "\"create_only\":true");
    ran_release(&r);
    RUN(&r, env, "store", "list");
    has(&r, ", single writer, UNSEALED allowed");
    ran_release(&r);
}

static void what_could_not_be_asked_is_unknown(void **state)
{
    struct ran r;

    (void)state;
    s3d_deny(d, S3D_PUT, true);
    RUN(&r, env, "store", "show");
    has(&r, "  create-only writes   unknown\n");
    has(&r, "  checksums            unknown\n");
    has(&r, "  object lock          no\n"); /* that needs no write */
    has(&r, "not known: it could not be asked");
    has(&r, "its policy has to allow s3:PutObject");
    ran_release(&r);
    s3d_deny(d, S3D_PUT, false);
    s3d_count_reset(d);
    RUN(&r, env, "store", "show", "--read-only", "--json");
    has(&r, "\"create_only\":null");
    has(&r, "\"versions\":false");
    has(&r, "\"identity\":\"" S3D_ACCESS " (");
    ran_release(&r);
    assert_int_equal(s3d_count(d, S3D_PUT), 0);
}

/* A key that may not ask for the bucket's settings: then it is not said that there are none. */
static void a_setting_that_may_not_be_asked_is_unknown(void **state)
{
    struct ran r;

    (void)state;
    s3d_deny(d, S3D_BUCKET, true);
    RUN(&r, env, "store", "show");
    has(&r, "  create-only writes   yes\n");
    has(&r, "  versions             unknown\n");
    has(&r, "  object lock          unknown\n");
    has(&r, "s3:GetBucketVersioning");
    ran_release(&r);
    RUN(&r, env, "store", "show", "--json");
    has(&r, "\"versions\":null,\"lock\":null");
    ran_release(&r);
}

/* Of several stores one does not answer: what is asked of another one does not wait for it. */
static void a_named_store_is_not_kept_from_answering_by_a_dead_one(void **state)
{
    struct ran r;

    (void)state;
    configure(
        "{ name = \"gone\"; type = \"s3\"; bucket = \"vault\"; profile = \"other\"; endpoint = "
        "\"http://127.0.0.1:1\"; plain_http = true; access_key = \"a\"; secret_key_file = "
        "\"secret\"; }, ",
        "backup = { store = \"far\"; };\n");
    RUN(&r, env, "store", "usage", "far");
    has(&r, "far: backups 0 B");
    assert_string_equal(mst_str_c(&r.err), "");
    assert_int_equal(r.status, 0);
    ran_release(&r);
    RUN(&r, env, "store", "du", "far");
    assert_string_equal(mst_str_c(&r.err), "");
    assert_int_equal(r.status, 0);
    ran_release(&r);
}

/* What a store says of its region is believed, until the bucket itself says otherwise. */
static void a_bucket_elsewhere_is_not_followed_where_regions_are_named(void **state)
{
    struct ran r;

    (void)state;
    s3d_region(d, "us-west-9");
    RUN(&r, env, "store", "show");
    has(&r, "  create-only writes   yes\n"); /* the region is mended */
    ran_release(&r);
    configure("", "backup = { regions = [\"" S3D_REGION "\"]; };\n");
    s3d_count_reset(d);
    RUN(&r, env, "store", "show");
    has(&r, "the bucket is in the region us-west-9, and the store is configured for " S3D_REGION);
    has(&r, "  create-only writes   unknown\n");
    ran_release(&r);
    assert_int_equal(s3d_count(d, S3D_PUT), 1); /* it was refused, and that was all */
}

/* Neither a path nor an escape sequence reaches the screen; that they are there does. */
static void names_that_cannot_be_shown_are_counted(void **state)
{
    static const char *const names[] = {"rs0/../../etc/passwd", "rs0/\x1b[31mred", "rs0/.hidden"};
    struct ran r;

    (void)state;
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        s3d_put(d, names[i], "x", 1);
    }
    s3d_put(d, "rs0/plain", "x", 1);
    RUN(&r, env, "store", "ls");
    assert_string_equal(mst_str_c(&r.out), "rs0/plain\n(3 more are not shown: what they are called "
                                           "cannot be muster's)\n");
    ran_release(&r);
    RUN(&r, env, "store", "orphans", "--older", "0s");
    has(&r, "1 object of no backup");
    has(&r, "(3 more are not shown: ");
    ran_release(&r);
    RUN(&r, env, "store", "orphans", "--older", "0s", "--json");
    has(&r, "\"objects\":3}");
    ran_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bucket_is_asked_and_its_promises_are_said, start, stop),
        cmocka_unit_test_setup_teardown(what_could_not_be_asked_is_unknown, start, stop),
        cmocka_unit_test_setup_teardown(a_setting_that_may_not_be_asked_is_unknown, start, stop),
        cmocka_unit_test_setup_teardown(names_that_cannot_be_shown_are_counted, start, stop),
        cmocka_unit_test_setup_teardown(a_bucket_elsewhere_is_not_followed_where_regions_are_named,
                                        start, stop),
        cmocka_unit_test_setup_teardown(a_named_store_is_not_kept_from_answering_by_a_dead_one,
                                        start, stop),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("store show", tests, NULL, NULL);
}
