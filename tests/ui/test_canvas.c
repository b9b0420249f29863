/* Cells, clipping, wide characters, frames, lines of typing, themes, keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "test.h"
#include "ui/canvas.h"
#include "ui/fmt.h"
#include "ui/form.h"
#include "ui/keys.h"
#include "ui/line.h"
#include "ui/prompt.h"
#include "ui/table.h"
#include "ui/theme.h"

static void assert_canvas(const struct ui_canvas *cv, const char *want)
{
    struct mst_str s = {0};

    ui_canvas_text(cv, &s);
    assert_string_equal(mst_str_c(&s), want);
    mst_str_release(&s);
}

static void text_is_cut_at_the_area_and_never_wraps(void **state)
{
    struct ui_canvas cv;
    struct ui_area a, in;

    (void)state;
    ui_canvas_init(&cv, 2, 8, false);
    a = ui_area_all(&cv);
    in = ui_area_sub(&a, 0, 2, 1, 4);
    assert_int_equal(ui_put(&in, 0, 1, UI_TEXT, "abcdef"), 3);
    assert_int_equal(ui_put(&in, 1, 0, UI_TEXT, "below"), 4);
    (void)ui_put(&in, -1, 0, UI_TEXT, "above");
    assert_int_equal(ui_put(&in, 0, 9, UI_TEXT, "right"), 0);
    assert_canvas(&cv, "   abc\n\n");
    ui_canvas_release(&cv);
}

static void a_text_that_does_not_fit_says_so(void **state)
{
    struct ui_canvas cv;
    struct ui_area a;

    (void)state;
    ui_canvas_init(&cv, 3, 6, false);
    a = ui_area_all(&cv);
    (void)ui_put_cut(&a, 0, 0, 6, UI_TEXT, "abcdef");
    (void)ui_put_cut(&a, 1, 0, 5, UI_TEXT, "abcdef");
    (void)ui_put_right(&a, 2, 0, 6, UI_TEXT, "42");
    assert_canvas(&cv, "abcdef\nabcd~\n    42\n");
    ui_canvas_release(&cv);
}

static void half_a_wide_character_never_stays(void **state)
{
    struct ui_canvas cv;
    struct ui_area a;

    (void)state;
    ui_canvas_init(&cv, 1, 6, false);
    a = ui_area_all(&cv);
    assert_int_equal(ui_put(&a, 0, 0, UI_TEXT, "\xe6\x9d\xb1\xe4\xba\xac"), 4);
    assert_canvas(&cv, "\xe6\x9d\xb1\xe4\xba\xac\n");
    (void)ui_put(&a, 0, 1, UI_TEXT, "x"); /* cuts the first in two */
    assert_canvas(&cv, " x\xe4\xba\xac\n");
    assert_int_equal(ui_put(&a, 0, 5, UI_TEXT, "\xe4\xba\xac"), 0); /* one column is not enough */
    ui_canvas_release(&cv);
}

static void a_combining_mark_joins_its_base(void **state)
{
    struct ui_canvas cv;
    struct ui_area a;

    (void)state;
    ui_canvas_init(&cv, 1, 4, false);
    a = ui_area_all(&cv);
    assert_int_equal(ui_put(&a, 0, 0, UI_TEXT, "e\xcc\x81x"), 2);
    assert_string_equal(cv.cells[0].ch, "e\xcc\x81");
    /* a flood of marks stays within its cell */
    (void)ui_put(&a, 0, 0, UI_TEXT, "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81y");
    assert_true(strlen(cv.cells[0].ch) < sizeof cv.cells[0].ch);
    assert_string_equal(cv.cells[1].ch, "y");
    ui_canvas_release(&cv);
}

static void hostile_bytes_become_question_marks(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {{"a\033[2Jb", "a?[2Jb\n"},
                 {"a\nb", "a?b\n"},
                 {"a\rb\bc\td\x7f", "a?b?c?d?\n"},
                 {"\xc2\x9b", "?\n"},
                 {"\xe2\x80\xae"
                  "evil",
                  "?evil\n"},
                 {"a\xe2\x80\x8b"
                  "b",
                  "a?b\n"},
                 {"\xee\x80\x80", "?\n"},
                 {"\xff\xc3", "??\n"},
                 {"\xf0\x9f\x98\x80", "?\n"}};
    struct ui_canvas cv;
    struct ui_area a;

    (void)state;
    ui_canvas_init(&cv, 1, 20, false);
    a = ui_area_all(&cv);
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        ui_canvas_wipe(&cv);
        (void)ui_put(&a, 0, 0, UI_TEXT, cases[i].in);
        assert_canvas(&cv, cases[i].out);
    }
    ui_canvas_release(&cv);
}

static void in_ascii_nothing_else_leaves(void **state)
{
    struct ui_canvas cv;
    struct ui_area a;

    (void)state;
    ui_canvas_init(&cv, 3, 12, true);
    a = ui_area_all(&cv);
    (void)ui_frame_box(&a, true, "\xc3\xa4", "", UI_DIM);
    (void)ui_put(&a, 1, 1, UI_TEXT, "M\xc3\xbcnchen");
    assert_canvas(&cv, "+- ? ------+\n|M?nchen   |\n+----------+\n");
    ui_canvas_release(&cv);
}

static void a_gauge_is_never_wider_or_fuller_than_it_can_be(void **state)
{
    struct ui_canvas cv;
    struct ui_area a;

    (void)state;
    ui_canvas_init(&cv, 4, 8, true);
    a = ui_area_all(&cv);
    ui_gauge(&a, 0, 0, 8, 500);
    ui_gauge(&a, 1, 0, 8, 5000);
    ui_gauge(&a, 2, 0, 8, -3);
    ui_gauge(&a, 3, 0, 2, 500);
    assert_canvas(&cv, "[###...]\n[######]\n[......]\n\n");
    ui_canvas_release(&cv);
}

static void mono_tells_apart_what_default_tells_apart(void **state)
{
    struct ui_theme def, mono;
    struct mst_err err = {0};

    (void)state;
    assert_ok(ui_theme_load(&def, "default", &err), &err);
    assert_ok(ui_theme_load(&mono, "mono", &err), &err);
    for (int p = 0; p < UI_PAL_COUNT; p++) {
        for (int a = 0; a < UI_ROLE_COUNT; a++) {
            assert_int_equal(mono.style[p][a].fg, -1);
            assert_int_equal(mono.style[p][a].bg, -1);
            for (int b = a + 1; b < UI_ROLE_COUNT; b++) {
                if (!ui_style_same(def.style[p][a], def.style[p][b]) &&
                    ui_style_same(mono.style[p][a], mono.style[p][b])) {
                    fail_msg("palette %d: mono shows %s and %s alike", p,
                             ui_role_name((enum ui_role)a), ui_role_name((enum ui_role)b));
                }
            }
        }
    }
    assert_true(UI_ROLE_COUNT < 64); /* color pairs of the linux console and of screen */
}

static void the_theme_files_are_the_ones_compiled_in(void **state)
{
    static const char *const names[] = {"default", "mono"};
    struct mst_err err = {0};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        struct mst_buf b = {0};
        char path[400];

        (void)snprintf(path, sizeof path, TEST_SOURCE "/themes/%s.theme", names[i]);
        assert_ok(mst_file_read(path, 1 << 16, &b, &err), &err);
        mst_buf_add(&b, "", 1);
        assert_string_equal((const char *)b.p, ui_theme_builtin(names[i]));
        mst_buf_release(&b);
    }
}

static void a_wrong_theme_names_the_line(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"text = default\nwrn = 1\n", "x.theme:2: there is no role 'wrn', did you mean 'warn'?"},
        {"warn = mauve\n", "x.theme:1: 'mauve' is no colour"},
        {"warn = 256\n", "'256'"},
        {"warn = 1 2 3\n", "'3'"},
        {"warn@9 = 1\n", "'@9'"},
        {"warn\n", "x.theme:1: expected"}};
    struct ui_theme t;

    (void)state;
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        struct mst_err err = {0};

        assert_rc(ui_theme_parse(&t, "x.theme", cases[i].text, &err), MST_E_CONFIG, &err);
        assert_non_null(strstr(err.msg, cases[i].part));
    }
    {
        struct mst_err err = {0};

        assert_rc(ui_theme_load(&t, "nosuch", &err), MST_E_USAGE, &err);
        assert_rc(ui_theme_load(&t, "/nowhere/x.theme", &err), MST_E_NOTFOUND, &err);
    }
}

static void no_lower_case_key_opens_an_act(void **state)
{
    size_t n;
    const struct ui_binding *map = ui_keymap(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        const int keys[] = {map[i].key, map[i].second};

        for (size_t k = 0; k < 2; k++) {
            const bool upper = keys[k] >= 'A' && keys[k] <= 'Z';

            if (keys[k] != 0 && map[i].act >= UI_ACT_FIRST_DIALOG) {
                assert_true(upper);
            }
        }
    }
}

static void no_key_has_two_meanings_on_one_screen(void **state)
{
    size_t n;
    const struct ui_binding *map = ui_keymap(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            const bool same =
                map[i].key == map[j].key || map[i].key == map[j].second ||
                (map[i].second && (map[i].second == map[j].key || map[i].second == map[j].second));

            assert_false(same && (map[i].where & map[j].where));
        }
        assert_true(map[i].key != 19 && map[i].key != 17 &&
                    map[i].key != 28); /* never Ctrl-S, -Q */
    }
}

static void every_binding_has_words_and_every_word_a_verb(void **state)
{
    size_t n, n_verbs;
    const struct ui_binding *map = ui_keymap(&n);
    const struct ui_verb *verbs = ui_verbs(&n_verbs);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        bool found = map[i].word == NULL;

        assert_true(map[i].name[0] && map[i].help[0]);
        for (size_t k = 0; k < n_verbs && !found; k++) {
            found = strcmp(verbs[k].name, map[i].word) == 0;
        }
        if (!found) {
            fail_msg("'%s' is not a verb of the ':' line", map[i].word);
        }
    }
}

static void a_line_is_edited_by_characters_not_bytes(void **state)
{
    struct ui_line l = {{0}, 0};

    (void)state;
    ui_line_set(&l, "a\xc3\xa4 b");
    assert_true(ui_line_key(&l, UI_KEY_LEFT));
    assert_true(ui_line_key(&l, UI_KEY_LEFT));
    assert_true(ui_line_key(&l, UI_KEY_BACKSPACE));
    assert_string_equal(l.text, "a b");
    assert_true(ui_line_key(&l, 0xe9));
    assert_string_equal(l.text, "a\xc3\xa9 b");
    assert_true(ui_line_key(&l, UI_KEY_END));
    assert_true(ui_line_key(&l, UI_KEY_CTRL_W));
    assert_string_equal(l.text, "a\xc3\xa9 ");
    assert_true(ui_line_key(&l, UI_KEY_CTRL_U));
    assert_string_equal(l.text, "");
    assert_false(ui_line_key(&l, UI_KEY_ENTER));
    assert_true(ui_line_key(&l, UI_KEY_BACKSPACE));
    ui_line_paste(&l, "one\nrm -rf two");
    assert_string_equal(l.text, "one");
    for (int i = 0; i < 2 * UI_LINE_MAX; i++) {
        (void)ui_line_key(&l, 'x');
    }
    assert_true(strlen(l.text) < UI_LINE_MAX);
}

static void completion_goes_as_far_as_it_is_certain(void **state)
{
    struct ui_line l = {{0}, 0};
    char list[256];

    (void)state;
    ui_line_set(&l, "re");
    ui_prompt_complete(&l, list, sizeof list);
    assert_string_equal(l.text, "re");
    assert_string_equal(list, "reload restore");
    ui_line_set(&l, "resto");
    ui_prompt_complete(&l, list, sizeof list);
    assert_string_equal(l.text, "restore ");
    assert_string_equal(list, "");
    ui_line_set(&l, "zzz");
    ui_prompt_complete(&l, list, sizeof list);
    assert_string_equal(l.text, "zzz");
}

static void a_selection_stays_in_sight(void **state)
{
    (void)state;
    assert_int_equal(ui_table_top(0, 100, 10), 0);
    assert_int_equal(ui_table_top(50, 100, 10), 45);
    assert_int_equal(ui_table_top(99, 100, 10), 90);
    assert_int_equal(ui_table_top(3, 5, 10), 0);
    assert_int_equal(ui_table_top(SIZE_MAX, 100, 10), 0);
    assert_int_equal(ui_table_top(99, 100, 0), 99);
    assert_int_equal(ui_table_top(0, 0, 0), 0);
}

static void numbers_are_short_and_have_units(void **state)
{
    char b[UI_NUM_MAX];
    size_t skip;

    (void)state;
    assert_string_equal(ui_fmt_age(-1, b), "-");
    assert_string_equal(ui_fmt_age(999, b), "0s");
    assert_string_equal(ui_fmt_age(119999, b), "119s");
    assert_string_equal(ui_fmt_age(120000, b), "2m");
    assert_string_equal(ui_fmt_lag(300, b), "0.3s");
    assert_string_equal(ui_fmt_lag(190000, b), "3m10s");
    assert_string_equal(ui_fmt_hours(112320, b), "31.2h");
    assert_string_equal(ui_fmt_rtt(400, b), "<1ms");
    assert_string_equal(ui_fmt_rtt(37600, b), "38ms");
    assert_string_equal(ui_fmt_count(1234567, b), "1,234,567");
    assert_string_equal(ui_fmt_count(12, b), "12");
    assert_string_equal(ui_fmt_hms(350000, b), "00:05:50");
    assert_string_equal(ui_fmt_day(0, b), "-");
    assert_string_equal(ui_fmt_optime((struct mst_optime){{7, 3}, 41}, b), "7:3 t41");
    assert_int_equal(ui_fmt_wrap("one two three", 8, &skip), 7);
    assert_int_equal(skip, 8);
    assert_int_equal(ui_fmt_wrap("onetwothree", 4, &skip), 4);
    assert_int_equal(skip, 4);
    assert_true(ui_fmt_has("Shop.Orders", "orders"));
    assert_false(ui_fmt_has("shop", "orders"));
    assert_true(ui_fmt_has("x", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_at_the_area_and_never_wraps),
        cmocka_unit_test(a_text_that_does_not_fit_says_so),
        cmocka_unit_test(half_a_wide_character_never_stays),
        cmocka_unit_test(a_combining_mark_joins_its_base),
        cmocka_unit_test(hostile_bytes_become_question_marks),
        cmocka_unit_test(in_ascii_nothing_else_leaves),
        cmocka_unit_test(a_gauge_is_never_wider_or_fuller_than_it_can_be),
        cmocka_unit_test(mono_tells_apart_what_default_tells_apart),
        cmocka_unit_test(the_theme_files_are_the_ones_compiled_in),
        cmocka_unit_test(a_wrong_theme_names_the_line),
        cmocka_unit_test(no_lower_case_key_opens_an_act),
        cmocka_unit_test(no_key_has_two_meanings_on_one_screen),
        cmocka_unit_test(every_binding_has_words_and_every_word_a_verb),
        cmocka_unit_test(a_line_is_edited_by_characters_not_bytes),
        cmocka_unit_test(completion_goes_as_far_as_it_is_certain),
        cmocka_unit_test(a_selection_stays_in_sight),
        cmocka_unit_test(numbers_are_short_and_have_units),
    };
    return cmocka_run_group_tests_name("canvas", tests, NULL, NULL);
}
