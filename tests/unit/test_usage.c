/* How a store fills, and which stores a backup goes to. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "cfg/cfg.h"
#include "engine/stores.h"

#define DAY INT64_C(86400000)

static void a_rate_needs_two_backups_and_a_day(void **state)
{
    struct mst_backup b[3] = {{.stored_bytes = 1000}, {.stored_bytes = 1000}, {.stored_bytes = 9}};
    struct mst_bucket_part p = {.n = 1, .backups = b, .free_bytes = 10000};
    const int64_t now = 1795389600000;
    struct mst_usage u;

    (void)state;
    b[0].started_wall_ms = now - 1000;
    b[1].started_wall_ms = now - DAY + 1;
    mst_usage_of(&p, now, &u);
    assert_int_equal(u.backups_bytes, 1000);
    assert_int_equal(u.per_day_bytes, -1);
    p.n = 2;
    mst_usage_of(&p, now, &u);
    assert_int_equal(u.per_day_bytes, -1); /* less than a day */
    b[1].started_wall_ms = now - 2 * DAY;
    mst_usage_of(&p, now, &u);
    assert_int_equal(u.per_day_bytes, 1000);
    assert_int_equal(u.days_left, 10);
    p.free_bytes = 0; /* not known */
    mst_usage_of(&p, now, &u);
    assert_int_equal(u.days_left, -1);
    p.n = 3;
    b[2].started_wall_ms = now - 40 * DAY; /* too old to say how fast it grows now */
    mst_usage_of(&p, now, &u);
    assert_int_equal(u.per_day_bytes, 1000);
    assert_int_equal(u.backups_bytes, 2009);
}

/* backup: what stands in its section */
static enum mst_rc targets(const char *backup, size_t *n, size_t *out, struct mst_err *err)
{
    char path[64];
    struct mst_cfg_where w = {.config = path};
    struct mst_cfg *cfg = NULL;
    char *text = mst_xasprintf("set = { members = [\"127.0.0.1:1\"]; };\nstores = ("
                               "{ name = \"a\"; type = \"local\"; path = \"/tmp\"; },"
                               "{ name = \"b\"; type = \"local\"; path = \"/var/tmp\"; });\n"
                               "backup = { %s };\n",
                               backup);
    enum mst_rc rc;

    (void)snprintf(path, sizeof(path), "/tmp/mst-usage-%d.conf", (int)getpid());
    assert_ok(mst_file_replace(path, 0600, text, strlen(text), err), err);
    rc = mst_cfg_open(&w, &cfg, NULL, err);
    if (rc == MST_OK) {
        rc = mst_cfg_targets(cfg, out, n, err);
        mst_cfg_free(cfg);
    }
    (void)unlink(path);
    free(text);
    return rc;
}

static void a_backup_goes_where_the_configuration_says(void **state)
{
    struct mst_err err = {0};
    size_t n, at[MST_CFG_STORES];

    (void)state;
    assert_ok(targets("store = \"b\";", &n, at, &err), &err);
    assert_int_equal(n, 1);
    assert_int_equal(at[0], 1);
    assert_ok(targets("stores = [\"b\", \"a\"]; copies = 2;", &n, at, &err), &err);
    assert_int_equal(n, 2);
    assert_int_equal(at[0], 1);
    assert_int_equal(at[1], 0);
    assert_rc(targets("", &n, at, &err), MST_E_CONFIG, &err);
    assert_rc(targets("stores = [\"a\", \"c\"];", &n, at, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "backup.stores: no store is called c"));
    assert_rc(targets("stores = [\"a\", \"a\"];", &n, at, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "twice"));
    assert_rc(targets("stores = [\"a\"]; copies = 2;", &n, at, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "no backup can be good"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_needs_two_backups_and_a_day),
        cmocka_unit_test(a_backup_goes_where_the_configuration_says),
    };

    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
