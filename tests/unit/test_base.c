#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/text.h"
#include "base/ts.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    (void)mst_copy(dir, sizeof(dir), "/tmp/muster-base-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

static void an_error_keeps_its_code_and_loses_control_bytes(void **state)
{
    struct mst_err err = {0};

    (void)state;
    assert_int_equal(mst_err_set_detail(&err, MST_E_IO, 5, "cannot read \x1b[31m%s\n", "x"),
                     MST_E_IO);
    assert_string_equal(err.msg, "cannot read ?[31mx?");
    assert_int_equal(err.detail, 5);
    mst_err_prefix(&err, "part %d", 3);
    assert_string_equal(err.msg, "part 3: cannot read ?[31mx?");
}

static void a_long_error_is_cut_and_not_overrun(void **state)
{
    struct mst_err err = {0};
    char big[2000];

    (void)state;
    memset(big, 'a', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    (void)mst_err_set(&err, MST_E_IO, "%s", big);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    mst_err_prefix(&err, "%s", big);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void every_code_has_a_name_a_hint_and_a_documented_exit_status(void **state)
{
    static const int allowed[] = {0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 17, 18, 70};

    (void)state;
    for (int rc = 0; rc < (int)MST_RC_COUNT; rc++) {
        bool found = false;

        assert_non_null(mst_rc_name((enum mst_rc)rc));
        assert_true(rc == MST_OK || mst_rc_hint((enum mst_rc)rc)[0] != '\0');
        for (size_t i = 0; i < MST_COUNT(allowed); i++) {
            found |= mst_rc_exit((enum mst_rc)rc) == allowed[i];
        }
        assert_true(found);
    }
}

static void text_from_outside_cannot_move_the_cursor_or_reorder_a_line(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"plain", "plain"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"a\x1b]52;c;x\x07z", "a?]52;c;x?z"},
        {"a\nb\rc\x08", "a?b?c?"},
        {"a\xc2\x9b"
         "31m",
         "a?31m"}, /* C1 CSI */
        {"a\xe2\x80\xae"
         "b",
         "a?b"}, /* right-to-left override */
        {"a\xe2\x80\x8b"
         "b",
         "a?b"},                 /* zero width space */
        {"a\xef\xbb\xbf", "a?"}, /* byte order mark */
        {"\xff\xfe", "??"},      /* not UTF-8 */
        {"\xc0\xaf", "??"},      /* overlong */
        {"\xed\xa0\x80", "???"}, /* surrogate */
        {"\xe4\xb8\xad\xe6\x96\x87", "\xe4\xb8\xad\xe6\x96\x87"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        char s[64];

        (void)mst_copy(s, sizeof(s), rows[i].in);
        mst_text_sanitise(s);
        assert_string_equal(s, rows[i].want);
    }
}

static void a_copy_is_cut_at_a_character(void **state)
{
    char s[4];

    (void)state;
    mst_text_clean(s, sizeof(s), "ab\xc3\xa9", 4);
    assert_string_equal(s, "ab");
    mst_text_clean(s, sizeof(s), "a\xc3\xa9", 3);
    assert_string_equal(s, "a\xc3\xa9");
}

static void columns_count_wide_and_combining_characters(void **state)
{
    (void)state;
    assert_int_equal(mst_text_cols("abc", 3), 3);
    assert_int_equal(mst_text_cols("\xe4\xb8\xad", 3), 2);
    assert_int_equal(mst_text_cols("e\xcc\x81", 3), 1);
    assert_int_equal(mst_text_fit("a\xe4\xb8\xad"
                                  "b",
                                  2),
                     1);
    assert_int_equal(mst_text_fit("a\xe4\xb8\xad"
                                  "b",
                                  3),
                     4);
}

static void sizes_and_durations_read_well(void **state)
{
    char b[MST_HUMAN_MAX];

    (void)state;
    assert_string_equal(mst_text_bytes(0, b), "0 B");
    assert_string_equal(mst_text_bytes(1023, b), "1023 B");
    assert_string_equal(mst_text_bytes(1536, b), "1.5 KiB");
    assert_string_equal(mst_text_bytes(118ULL << 20, b), "118 MiB");
    assert_string_equal(mst_text_bytes(UINT64_MAX, b), "16.0 EiB");
    assert_string_equal(mst_text_duration(300, b), "0.3 s");
    assert_string_equal(mst_text_duration(42000, b), "42 s");
    assert_string_equal(mst_text_duration(190000, b), "3 m 10 s");
    assert_string_equal(mst_text_duration(7500000, b), "2 h 5 m");
    assert_string_equal(mst_text_duration(-1, b), "-");
}

static void a_count_and_its_noun_agree(void **state)
{
    static const struct {
        uint64_t n;
        const char *one, *many, *want;
    } rows[] = {
        {0, "document", "documents", "documents"}, {1, "document", "documents", "document"},
        {2, "document", "documents", "documents"}, {1, "index", "indexes", "index"},
        {21, "index", "indexes", "indexes"},       {UINT64_MAX, "entry", "entries", "entries"}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        assert_string_equal(mst_text_noun(rows[i].n, rows[i].one, rows[i].many), rows[i].want);
    }
}

static void a_word_for_the_shell_is_quoted_when_it_must_be(void **state)
{
    static const char *const rows[][2] = {{"db1:27017", "db1:27017"},
                                          {"", "''"},
                                          {"shop.*", "'shop.*'"},
                                          {"it's", "'it'\\''s'"},
                                          {"$(rm -rf /)", "'$(rm -rf /)'"},
                                          {"a b\nc", "'a b\nc'"},
                                          {"~root", "'~root'"}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct mst_str s = {0};

        mst_str_add_shell(&s, rows[i][0]);
        assert_string_equal(mst_str_c(&s), rows[i][1]);
        mst_str_release(&s);
    }
}

static void the_nearest_word_is_found_and_a_far_one_is_not(void **state)
{
    static const char *const words[] = {"status", "topology", "backup", "restore"};

    (void)state;
    assert_string_equal(mst_text_nearest("statsu", words, 4), "status");
    assert_string_equal(mst_text_nearest("bakcup", words, 4), "backup");
    assert_string_equal(mst_text_nearest("resore", words, 4), "restore");
    assert_null(mst_text_nearest("zzzzzz", words, 4));
}

static void a_string_grows_to_its_ceiling_and_says_when_it_was_cut(void **state)
{
    struct mst_str s;

    (void)state;
    mst_str_init(&s, 10);
    mst_str_addf(&s, "%s", "0123456789");
    assert_false(mst_str_cut(&s));
    mst_str_add(&s, "x");
    assert_true(mst_str_cut(&s));
    assert_string_equal(mst_str_c(&s), "0123456789");
    mst_str_release(&s);
    mst_str_release(&s);
    assert_string_equal(mst_str_c(&s), "");
}

static void json_text_is_escaped_and_valid(void **state)
{
    struct mst_str s = {0};

    (void)state;
    mst_str_add_json(&s, "a\"b\\c\n\x01\xff\xc3\xa9");
    assert_string_equal(mst_str_c(&s), "\"a\\\"b\\\\c\\n\\u0001\\ufffd\xc3\xa9\"");
    mst_str_release(&s);
}

static void times_are_written_and_read_back(void **state)
{
    char t[MST_TIME_MAX];

    (void)state;
    assert_string_equal(mst_time_iso(1732314600123, t), "2024-11-22T22:30:00Z");
    assert_string_equal(mst_time_iso_ms(1732314600123, t), "2024-11-22T22:30:00.123Z");
    assert_int_equal(mst_time_parse(t), 1732314600123);
    assert_string_equal(mst_time_iso_ms(-1, t), "1969-12-31T23:59:59.999Z");
    assert_int_equal(mst_time_parse("2024-11-22"), -1);
    assert_int_equal(mst_time_parse("2024-11-22T22:30:00"), -1);
}

static void a_file_is_replaced_whole_and_read_with_a_ceiling(void **state)
{
    struct mst_err err = {0};
    struct mst_buf b = {0};
    char *path = mst_xasprintf("%s/f", dir);
    struct stat st;

    (void)state;
    assert_ok(mst_file_replace(path, 0600, "one", 3, &err), &err);
    assert_ok(mst_file_replace(path, 0600, "second", 6, &err), &err);
    assert_ok(mst_file_read(path, 6, &b, &err), &err);
    assert_int_equal(b.len, 6);
    assert_memory_equal(b.p, "second", 6);
    mst_buf_reset(&b);
    assert_rc(mst_file_read(path, 5, &b, &err), MST_E_LIMIT, &err);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlink(path), 0);
    mst_buf_reset(&b);
    assert_rc(mst_file_read(path, 5, &b, &err), MST_E_NOTFOUND, &err);
    assert_rc(mst_file_replace("/nonexistent-folder/f", 0600, "x", 1, &err), MST_E_IO, &err);
    mst_buf_release(&b);
    free(path);
}

static void a_directory_that_others_can_write_is_not_ours(void **state)
{
    struct mst_err err = {0};
    char *path = mst_xasprintf("%s/a/b", dir), *up = mst_xasprintf("%s/a", dir);
    char *link_path = mst_xasprintf("%s/l", dir);

    (void)state;
    assert_ok(mst_dir_private(path, &err), &err);
    assert_int_equal(chmod(path, 0777), 0);
    assert_rc(mst_dir_private(path, &err), MST_E_CONFIG, &err);
    assert_int_equal(symlink(up, link_path), 0);
    assert_rc(mst_dir_private(link_path, &err), MST_E_CONFIG, &err);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(up), 0);
    free(path);
    free(up);
    free(link_path);
}

static void a_secret_file_must_be_private_and_not_empty(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        enum mst_rc want;
    } rows[] = {
        {"s3cret\nrest", 0600, MST_OK}, {"s3cret", 0400, MST_OK}, {"s3cret", 0640, MST_E_CONFIG},
        {"s3cret", 0604, MST_E_CONFIG}, {"", 0600, MST_E_CONFIG}, {"\n", 0600, MST_E_CONFIG},
    };
    char *path = mst_xasprintf("%s/pw", dir);

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct mst_err err = {0};
        struct mst_secret s = {0};

        assert_ok(mst_file_replace(path, 0600, rows[i].text, strlen(rows[i].text), &err), &err);
        assert_int_equal(chmod(path, rows[i].mode), 0);
        assert_rc(mst_secret_from_file(&s, path, &err), rows[i].want, &err);
        if (rows[i].want == MST_OK) {
            assert_string_equal(s.p, "s3cret");
        } else {
            assert_null(s.p);
            assert_null(strstr(err.msg, "s3cret"));
        }
        mst_secret_release(&s);
        mst_secret_release(&s);
        assert_int_equal(unlink(path), 0);
    }
    free(path);
}

static void bytes_are_kept_in_little_endian_and_dropped_from_the_front(void **state)
{
    struct mst_buf b = {0};
    uint8_t raw[8];

    (void)state;
    mst_put_le64(raw, 0x0123456789abcdefULL);
    assert_int_equal(raw[0], 0xef);
    assert_true(mst_le64(raw) == 0x0123456789abcdefULL);
    assert_int_equal(mst_le32(raw), 0x89abcdef);
    mst_buf_add(&b, raw, 8);
    mst_buf_drop(&b, 4);
    assert_int_equal(b.len, 4);
    assert_int_equal(mst_le32(b.p), 0x01234567);
    mst_buf_release(&b);
}

static void optimes_order_by_term_first(void **state)
{
    const struct mst_optime a = {{100, 5}, 1}, b = {{90, 1}, 2}, c = {{100, 6}, 1};

    (void)state;
    assert_true(mst_optime_cmp(a, b) < 0);
    assert_true(mst_optime_cmp(a, c) < 0);
    assert_int_equal(mst_optime_cmp(a, a), 0);
    assert_true(mst_ts_cmp(a.ts, b.ts) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_keeps_its_code_and_loses_control_bytes),
        cmocka_unit_test(a_long_error_is_cut_and_not_overrun),
        cmocka_unit_test(every_code_has_a_name_a_hint_and_a_documented_exit_status),
        cmocka_unit_test(text_from_outside_cannot_move_the_cursor_or_reorder_a_line),
        cmocka_unit_test(a_copy_is_cut_at_a_character),
        cmocka_unit_test(columns_count_wide_and_combining_characters),
        cmocka_unit_test(sizes_and_durations_read_well),
        cmocka_unit_test(a_count_and_its_noun_agree),
        cmocka_unit_test(a_word_for_the_shell_is_quoted_when_it_must_be),
        cmocka_unit_test(the_nearest_word_is_found_and_a_far_one_is_not),
        cmocka_unit_test(a_string_grows_to_its_ceiling_and_says_when_it_was_cut),
        cmocka_unit_test(json_text_is_escaped_and_valid),
        cmocka_unit_test(times_are_written_and_read_back),
        cmocka_unit_test(a_file_is_replaced_whole_and_read_with_a_ceiling),
        cmocka_unit_test(a_directory_that_others_can_write_is_not_ours),
        cmocka_unit_test(a_secret_file_must_be_private_and_not_empty),
        cmocka_unit_test(bytes_are_kept_in_little_endian_and_dropped_from_the_front),
        cmocka_unit_test(optimes_order_by_term_first),
    };

    return cmocka_run_group_tests_name("base", tests, make_dir, drop_dir);
}
