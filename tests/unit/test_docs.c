/* The documents that are made from tables are as the tables are. */
#include "test.h"

#include <string.h>

#include "base/file.h"
#include "cfg/cfg.h"

static void the_configuration_page_is_what_the_option_table_makes(void **state)
{
    struct mst_buf file = {0};
    struct mst_str made = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_file_read(TEST_SOURCE "/docs/configuration.md", 1 << 20, &file, &err), &err);
    mst_buf_add(&file, "", 1);
    mst_cfg_doc(&made);
    assert_string_equal((const char *)file.p, mst_str_c(&made));
    mst_str_release(&made);
    mst_buf_release(&file);
}

static void every_error_stands_on_the_errors_page_with_its_status(void **state)
{
    static const int statuses[] = {0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 17, 18, 70};
    struct mst_buf file = {0};
    struct mst_err err = {0};
    char line[256];

    (void)state;
    assert_ok(mst_file_read(TEST_SOURCE "/docs/errors.md", 1 << 20, &file, &err), &err);
    mst_buf_add(&file, "", 1);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        (void)snprintf(line, sizeof(line), "\n| %d | ", statuses[i]);
        if (!strstr((const char *)file.p, line)) {
            fail_msg("docs/errors.md does not say what status %d means", statuses[i]);
        }
    }
    for (int rc = MST_OK + 1; rc < MST_RC_COUNT; rc++) {
        (void)snprintf(line, sizeof(line), "| %s | %d | %s | %s |\n", mst_rc_name((enum mst_rc)rc),
                       mst_rc_exit((enum mst_rc)rc),
                       mst_rc_retryable((enum mst_rc)rc) ? "yes" : "no",
                       mst_rc_hint((enum mst_rc)rc));
        if (!strstr((const char *)file.p, line)) {
            fail_msg("docs/errors.md lacks: %s", line);
        }
    }
    mst_buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configuration_page_is_what_the_option_table_makes),
        cmocka_unit_test(every_error_stands_on_the_errors_page_with_its_status),
    };
    return cmocka_run_group_tests_name("docs", tests, NULL, NULL);
}
