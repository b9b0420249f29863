#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"

static void a_line_in_the_file_hides_secrets_and_control_bytes(void **state)
{
    char dir[] = "/tmp/muster-log-XXXXXX";
    struct mst_err err = {0};
    struct mst_secret s = {0};
    struct mst_buf b = {0};
    char *path, *text;

    (void)state;
    assert_non_null(mkdtemp(dir));
    path = mst_xasprintf("%s/log", dir);
    assert_ok(mst_log_to_file(path, MST_LOG_INFO, &err), &err);
    mst_secret_set(&s, "canary-9f3", 10);
    mst_log_redact(&s);
    mst_log_redact(&s);
    mst_log(MST_LOG_WARN, "test", "login of x with canary-9f3 failed: %s", "\x1b[2Jcanary-9f3");
    mst_log(MST_LOG_DEBUG, "test", "too fine for this file");
    assert_ok(mst_log_to_file(NULL, MST_LOG_INFO, &err), &err);
    mst_log(MST_LOG_WARN, "test", "after the file was closed");
    assert_ok(mst_file_read(path, 1U << 16, &b, &err), &err);
    text = mst_xstrndup((const char *)b.p, b.len);
    assert_non_null(
        strstr(text, "warn  test: login of x with ********** failed: ?[2J**********\n"));
    assert_null(strstr(text, "canary"));
    assert_null(strstr(text, "too fine"));
    assert_null(strstr(text, "after the file"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    mst_secret_release(&s);
    mst_buf_release(&b);
    free(text);
    free(path);
}

static void secrets_that_are_lent_anew_do_not_use_up_the_mask(void **state)
{
    char dir[] = "/tmp/muster-log-XXXXXX", lent[32];
    struct mst_err err = {0};
    struct mst_secret s = {0};
    struct mst_buf b = {0};
    char *path;

    (void)state;
    assert_non_null(mkdtemp(dir));
    path = mst_xasprintf("%s/log", dir);
    assert_ok(mst_log_to_file(path, MST_LOG_INFO, &err), &err);
    mst_secret_set(&s, "lasting-4c1", 11);
    mst_log_redact(&s);
    for (int i = 0; i < 1000; i++) { /* a session's, of weeks */
        (void)snprintf(lent, sizeof(lent), "lent-%04d", i);
        mst_secret_set(&s, lent, strlen(lent));
        mst_log_redact_lent(&s);
    }
    mst_secret_set(&s, "lasting-7e2", 11);
    mst_log_redact(&s);
    mst_secret_set(&s, "**", 2); /* what masks is no reason to begin anew */
    mst_log_redact(&s);
    mst_log(MST_LOG_WARN, "test", "lasting-4c1 lasting-7e2 lent-0999 lent-0998 ** said");
    assert_ok(mst_log_to_file(NULL, MST_LOG_INFO, &err), &err);
    assert_ok(mst_file_read(path, 1U << 16, &b, &err), &err);
    mst_buf_add(&b, "", 1);
    assert_non_null(
        strstr((const char *)b.p, "test: *********** *********** ********* ********* ** said\n"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    mst_secret_release(&s);
    mst_buf_release(&b);
    free(path);
}

static void a_log_that_cannot_be_opened_is_named(void **state)
{
    struct mst_err err = {0};

    (void)state;
    assert_rc(mst_log_to_file("/nonexistent/log", MST_LOG_INFO, &err), MST_E_IO, &err);
    assert_non_null(strstr(err.msg, "/nonexistent/log"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_in_the_file_hides_secrets_and_control_bytes),
        cmocka_unit_test(secrets_that_are_lent_anew_do_not_use_up_the_mask),
        cmocka_unit_test(a_log_that_cannot_be_opened_is_named),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
