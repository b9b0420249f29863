/* The documents that are made from tables are as the tables are. */
#include "test.h"

#include <string.h>

#include "base/file.h"
#include "cfg/cfg.h"
#include "store/s3.h"

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

/* "tests with 1.7.0" needs that version in its row, and "its documents" no word of more. */
static void what_a_profile_rests_on_is_what_the_stores_page_says(void **state)
{
    struct mst_buf file = {0};
    struct mst_err err = {0};
    const struct mst_s3_profile *p;
    size_t n;

    (void)state;
    assert_ok(mst_file_read(TEST_SOURCE "/docs/stores.md", 1 << 20, &file, &err), &err);
    mst_buf_add(&file, "", 1);
    p = mst_s3_profiles(&n);
    for (size_t i = 0; i < n; i++) {
        const char *at =
            strstr((const char *)file.p, "\n| profile | what the knowledge rests on |");
        const bool tested = strncmp(p[i].known_from, "tests with ", 11) == 0;
        char word[32], line[1024] = "";

        assert_non_null(at);
        (void)snprintf(word, sizeof(word), "`%s`", p[i].word);
        for (at++; *at == '|' && !line[0]; at += strcspn(at, "\n") + 1) {
            const char *bar = strchr(at + 1, '|'), *found = strstr(at, word);

            if (found && found < bar) {
                (void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
            }
        }
        if (!strstr(line, tested ? p[i].known_from + 11 : "documents") ||
            (tested && strstr(line, "documents"))) {
            fail_msg("docs/stores.md says of %s: \"%s\", and the table: %s", word, line,
                     p[i].known_from);
        }
    }
    mst_buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configuration_page_is_what_the_option_table_makes),
        cmocka_unit_test(what_a_profile_rests_on_is_what_the_stores_page_says),
        cmocka_unit_test(every_error_stands_on_the_errors_page_with_its_status),
    };
    return cmocka_run_group_tests_name("docs", tests, NULL, NULL);
}
