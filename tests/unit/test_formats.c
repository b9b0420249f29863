/* docs/formats.md says what the program does. */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "catalog/manifest.h"
#include "oplog/oplog.h"

static void the_table_of_fates_on_the_page_is_the_programs(void **state)
{
    struct mst_buf file = {0};
    struct mst_str made = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_file_read(TEST_SOURCE "/docs/formats.md", 1 << 20, &file, &err), &err);
    mst_buf_add(&file, "", 1);
    mst_oplog_rules_doc(&made);
    assert_non_null(strstr((const char *)file.p, mst_str_c(&made)));
    mst_str_release(&made);
    mst_buf_release(&file);
}

static void the_first_frame_is_as_the_page_has_it(void **state)
{
    static const uint8_t want[] = {0x5d, 0x2a, 0x4d, 0x18, 31, 0, 0, 0,   'M', 'U', 'S', 'T', 'E',
                                   'R',  'S',  '1',  1,    0,  0, 0, 2,   0,   0,   0,   0,   0,
                                   0,    0,    3,    0,    0,  0, 2, 'i', 'd', 3,   'a', 't', 't'};
    struct mst_segment_id id = {.role = MST_SEG_OPLOG, .backup = "id", .attempt = "att", .part = 3};
    struct mst_segment_id back;
    struct mst_buf b = {0};
    struct mst_err err = {0};
    size_t used;

    (void)state;
    mst_segment_head_put(&id, &b);
    assert_int_equal(b.len, sizeof(want));
    assert_memory_equal(b.p, want, sizeof(want));
    assert_ok(mst_segment_head_get(b.p, b.len, &back, &used, &err), &err);
    assert_int_equal(used, sizeof(want));
    assert_int_equal(back.part, 3);
    b.p[16] = 2; /* version */
    assert_rc(mst_segment_head_get(b.p, b.len, &back, &used, &err), MST_E_LIMIT, &err);
    b.p[16] = 1;
    for (size_t n = 0; n < b.len; n++) {
        assert_rc(mst_segment_head_get(b.p, n, &back, &used, &err), MST_E_INTEGRITY, &err);
    }
    mst_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_fates_on_the_page_is_the_programs),
        cmocka_unit_test(the_first_frame_is_as_the_page_has_it),
    };
    return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
