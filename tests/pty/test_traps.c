/* What goes wrong in programs with curses, each on a terminal that an emulator watches: threads,
 * pairs of colours, reads that paint, wide characters, strings from outside. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vterm.h>

#include "base/mem.h"
#include "console_pty.h"
#include "test.h"
#include "ui/keys.h"
#include "ui/term.h"

#define WAIT 15000

static const char *const utf8[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "COLORFGBG", "TMUX",
                                   NULL};

/* --- in the child --- */

static struct ui_term *term;
static struct ui_canvas cv;

static void opened(int rows, int cols)
{
    struct mst_err err = {0};
    struct ui_theme theme;

    if (ui_term_open(&term, false, &err) != MST_OK ||
        ui_theme_load(&theme, "default", &err) != MST_OK) {
        _exit(90);
    }
    ui_term_theme(term, &theme);
    ui_canvas_init(&cv, rows, cols, ui_term_ascii(term));
}

/* Until the parent has seen enough. */
static void stay(void)
{
    for (;;) {
        (void)pause();
    }
}

static void *paint_elsewhere(void *arg)
{
    ui_term_paint(term, &cv, true);
    return arg;
}

static int paint_from_two_threads(void)
{
    const struct ui_area all = (opened(24, 80), ui_area_all(&cv));
    pthread_t other;

    (void)ui_put(&all, 0, 0, UI_TEXT, "from the first thread");
    ui_term_paint(term, &cv, true);
    if (pthread_create(&other, NULL, paint_elsewhere, NULL) != 0) {
        return 91;
    }
    (void)pthread_join(other, NULL);
    return 0;
}

static int paint_every_role(void)
{
    const struct ui_area all = (opened(40, 80), ui_area_all(&cv));

    for (int r = 0; r < UI_ROLE_COUNT; r++) {
        (void)ui_put(&all, r, 0, (enum ui_role)r, "M");
    }
    (void)ui_put(&all, 39, 0, UI_TEXT, "painted");
    ui_term_paint(term, &cv, true);
    stay();
    return 0;
}

static int read_without_painting(void)
{
    const struct ui_area all = (opened(24, 80), ui_area_all(&cv));
    char paste[64];
    int more;

    (void)ui_put(&all, 0, 0, UI_TEXT, "painted");
    ui_term_paint(term, &cv, true);
    for (;;) { /* every key is read, nothing is painted until 'p' */
        const int key = ui_term_key(term, paste, sizeof paste, &more);

        (void)ui_put(&all, 1, 0, UI_TEXT, "half a frame");
        if (key == 'p') {
            ui_term_paint(term, &cv, false);
        } else if (key == UI_KEY_NONE) {
            (void)usleep(2000);
        } else if (key == 'e') {
            return 0;
        }
    }
}

static const char *const hard[] = {
    "plain",
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",                      /* double width */
    "e\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85\xcc\x86\xcc\x87", /* marks upon marks */
    "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",              /* joined by a zero width */
    "a\xe2\x80\x8b\xe2\x80\x8bz",                                /* zero width */
    "\xe2\x80\xae"
    "evil", /* right to left */
    "a\tb\nc\rd\be",
    "\033[2J\033]52;c;AAAA\007\033[5;5HX",
    "\xc2\x9b"
    "2J",       /* C1 */
    "\xff\xfe", /* no UTF-8 */
    "\xee\x80\x80"};

static int paint_hard_names(void)
{
    const struct ui_area all = (opened(24, 80), ui_area_all(&cv));

    for (size_t i = 0; i < MST_COUNT(hard); i++) {
        (void)ui_put_cut(&all, (int)i, 0, 20, UI_TEXT, hard[i]);
        (void)ui_put(&all, (int)i, 20, UI_TEXT, "|");
    }
    (void)ui_put(&all, 20, 0, UI_TEXT, "painted");
    ui_term_paint(term, &cv, true);
    stay();
    return 0;
}

/* --- the tests --- */

static VTermScreenCell cell_at(const struct pty *p, int y, int x)
{
    const VTermPos pos = {y, x};
    VTermScreenCell cell;

    memset(&cell, 0, sizeof cell);
    (void)vterm_screen_get_cell(p->screen, pos, &cell);
    return cell;
}

static void a_second_thread_that_paints_is_stopped_at_once(void **state)
{
    struct pty p;

    (void)state;
    pty_start_fn(&p, 24, 80, paint_from_two_threads, utf8);
    pty_assert(&p, pty_wait_exit(&p, WAIT));
    assert_true(WIFSIGNALED(p.status));
    assert_int_equal(WTERMSIG(p.status), SIGABRT);
    pty_end(&p);
}

static bool is_index(const VTermColor *c, int want)
{
    return VTERM_COLOR_IS_INDEXED(c) && c->indexed.idx == want;
}

static void check_colours(const char *name, enum ui_palette palette)
{
    const char *const env[] = {name, "LC_ALL=C.UTF-8", "COLORFGBG", NULL};
    struct mst_err err = {0};
    struct ui_theme theme;
    struct pty p;

    assert_ok(ui_theme_load(&theme, "default", &err), &err);
    pty_start_fn(&p, 40, 80, paint_every_role, env);
    pty_assert(&p, pty_wait(&p, "painted", WAIT));
    for (int r = 0; r < UI_ROLE_COUNT; r++) {
        const struct ui_style *s = &theme.style[palette][r];
        const VTermScreenCell c = cell_at(&p, r, 0);

        assert_int_equal(c.chars[0], 'M');
        if ((s->fg >= 0 && !is_index(&c.fg, s->fg)) || (s->bg >= 0 && !is_index(&c.bg, s->bg)) ||
            (s->fg < 0 && !VTERM_COLOR_IS_DEFAULT_FG(&c.fg)) ||
            (s->bg < 0 && !VTERM_COLOR_IS_DEFAULT_BG(&c.bg))) {
            fail_msg("%s: role %s is not in its colour", name, ui_role_name((enum ui_role)r));
        }
        assert_int_equal(c.attrs.reverse, (s->attrs & UI_REVERSE) != 0);
        assert_int_equal(c.attrs.underline != 0, (s->attrs & UI_UNDERLINE) != 0);
    }
    pty_end(&p);
}

static void every_role_has_its_colour_with_few_pairs(void **state)
{
    (void)state;
    assert_true(UI_ROLE_COUNT <= 32); /* terminals with 64 pairs are common */
    check_colours("TERM=xterm-256color", UI_PAL_256);
    check_colours("TERM=xterm", UI_PAL_8);
    check_colours("TERM=screen", UI_PAL_8);
}

static void reading_a_key_paints_nothing(void **state)
{
    struct pty p;
    size_t before;

    (void)state;
    pty_start_fn(&p, 24, 80, read_without_painting, utf8);
    pty_assert(&p, pty_wait(&p, "painted", WAIT));
    pty_pump(&p, 100);
    before = p.log.len;
    for (int i = 0; i < 20; i++) {
        pty_send(&p, "j\033[A");
        pty_pump(&p, 10);
    }
    assert_int_equal(p.log.len, before);
    pty_send(&p, "p");
    pty_assert(&p, pty_wait(&p, "half a frame", WAIT));
    pty_end(&p);
}

static void check_names(const char *const *env)
{
    struct pty p;

    pty_start_fn(&p, 24, 80, paint_hard_names, env);
    pty_assert(&p, pty_wait(&p, "painted", WAIT));
    for (size_t i = 0; i < MST_COUNT(hard); i++) {
        if (cell_at(&p, (int)i, 20).chars[0] != '|') {
            pty_fail(&p);
            fail_msg("row %zu: the column is not where it was put", i);
        }
    }
    assert_null(memmem(p.log.p, p.log.len, "\033]52;", 5));
    assert_null(memmem(p.log.p, p.log.len, "\033[5;5HX", 7));
    assert_null(memmem(p.log.p, p.log.len, "\xe2\x80\xae", 3));
    pty_end(&p);
}

static void hard_names_keep_their_columns_and_do_nothing(void **state)
{
    static const char *const ascii[] = {"TERM=xterm-256color", "LC_ALL=C", NULL};

    (void)state;
    check_names(utf8);
    check_names(ascii);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_thread_that_paints_is_stopped_at_once),
        cmocka_unit_test(every_role_has_its_colour_with_few_pairs),
        cmocka_unit_test(reading_a_key_paints_nothing),
        cmocka_unit_test(hard_names_keep_their_columns_and_do_nothing),
    };
    return cmocka_run_group_tests_name("traps", tests, NULL, NULL);
}
