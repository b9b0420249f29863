/* Where backups may be stored. */
#include "test.h"

#include "engine/region.h"

static void a_store_elsewhere_or_nowhere_is_refused(void **state)
{
    static char words[][MST_CFG_WORD] = {"eu-central-1", "eu-west-3"};
    static const struct {
        size_t n;
        const char *region, *wanted; /* wanted NULL: allowed */
    } rows[] = {
        {0, "", NULL},
        {0, "us-east-1", NULL},
        {1, "eu-central-1", NULL},
        {2, "eu-west-3", NULL},
        {1, "eu-west-3",
         "the store far is in the region eu-west-3, and backups may be in eu-central-1 only "
         "(backup.regions)"},
        {2, "EU-WEST-3",
         "the store far is in the region EU-WEST-3, and backups may be in eu-central-1, eu-west-3 "
         "only (backup.regions)"},
        {2, "eu-west",
         "the store far is in the region eu-west, and backups may be in eu-central-1, eu-west-3 "
         "only (backup.regions)"},
        {2, "",
         "the store far does not say in which region it is, and backups may be in eu-central-1, "
         "eu-west-3 only (backup.regions): give the store its region"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct mst_cfg_list allowed = {.n = rows[i].n, .item = words};
        struct mst_err err = {0};
        const enum mst_rc rc = mst_region_allowed(&allowed, rows[i].region, "far", &err);

        if (rows[i].wanted) {
            assert_rc(rc, MST_E_PRECOND, &err);
            assert_string_equal(err.msg, rows[i].wanted);
        } else {
            assert_ok(rc, &err);
        }
    }
}

static void an_empty_word_allows_no_store_without_a_region(void **state)
{
    static char words[][MST_CFG_WORD] = {""};
    const struct mst_cfg_list allowed = {.n = 1, .item = words};
    struct mst_err err = {0};

    (void)state;
    assert_rc(mst_region_allowed(&allowed, "", "far", &err), MST_E_PRECOND, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_elsewhere_or_nowhere_is_refused),
        cmocka_unit_test(an_empty_word_allows_no_store_without_a_region),
    };
    return cmocka_run_group_tests_name("region", tests, NULL, NULL);
}
