/* The console as a program in a terminal: starting, leaving, dying, resizing, keys. The set does
 * not answer here, so nothing but the terminal is tested. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "console_pty.h"
#include "test.h"

#define URI "mongodb://127.0.0.1:1/?replicaSet=rs0"
#define WAIT 15000

static char dir[64], dir_env[96];

static const char *const console[] = {TEST_MUSTER, "--uri", URI, "console", NULL};

/* Up to four settings over the usual ones. */
static void start_with(struct pty *p, int rows, int cols, const char *a, const char *b,
                       const char *c)
{
    const char *const env[] = {dir_env,
                               "TERM=xterm-256color",
                               "LC_ALL=C.UTF-8",
                               "NO_COLOR",
                               "LINES",
                               "COLUMNS",
                               "ASAN_OPTIONS=detect_leaks=0",
                               a ? a : "MUSTER_CONFIG",
                               b ? b : "MUSTER_CONFIG",
                               c ? c : "MUSTER_CONFIG",
                               NULL};

    pty_start(p, rows, cols, console, env);
}

static void start(struct pty *p)
{
    start_with(p, 24, 80, NULL, NULL, NULL);
    pty_assert(p, pty_wait(p, "UNREACHABLE", WAIT));
    pty_assert(p, pty_wait(p, "? help  . menu", WAIT));
}

static int folder(void **state)
{
    (void)state;
    (void)mst_copy(dir, sizeof dir, "/tmp/muster-pty-XXXXXX");
    if (!mkdtemp(dir)) {
        return -1;
    }
    (void)snprintf(dir_env, sizeof dir_env, "MUSTER_DIR=%s", dir);
    return 0;
}

static int folder_gone(void **state)
{
    const char *const rm[] = {"/bin/rm", "-rf", dir, NULL};
    struct pty p;

    (void)state;
    pty_start(&p, 2, 20, rm, NULL);
    (void)pty_wait_exit(&p, 5000);
    pty_end(&p);
    return 0;
}

/* What is left of a console: modes as before, cursor there, no alternate screen, no paste mode. */
static bool restored(struct pty *p)
{
    for (int i = 0; i < 200 && !(pty_modes_restored(p) && p->cursor_shown); i++) {
        pty_pump(p, 10);
    }
    return pty_modes_restored(p) && p->cursor_shown && pty_wait_bytes(p, "\033[?1049l", WAIT) &&
           pty_wait_bytes(p, "\033[?2004l", WAIT);
}

static void leaving_puts_everything_back(void **state)
{
    struct pty p;

    (void)state;
    start(&p);
    pty_assert(&p, pty_wait(&p, "<1Dash>", WAIT));
    pty_assert(&p, !pty_modes_restored(&p));
    pty_send(&p, "Q");
    pty_assert(&p, pty_wait_exit(&p, WAIT));
    assert_true(WIFEXITED(p.status) && WEXITSTATUS(p.status) == 0);
    pty_assert(&p, restored(&p));
    pty_assert(&p, pty_wait_gone(&p, "Dash", WAIT));
    pty_end(&p);
}

static void every_kind_of_terminal_shows_the_set(void **state)
{
    static const struct {
        const char *term, *note;
    } terms[] = {{"TERM=xterm-256color", NULL},
                 {"TERM=xterm", NULL},
                 {"TERM=screen", NULL},
                 {"TERM=tmux-256color", NULL},
                 {"TERM=linux", NULL},
                 {"TERM=vt100", NULL},
                 {"TERM=xterm-ghostty", "TERM xterm-ghostty is not known"},
                 {"TERM", "TERM (not set) is not known"}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(terms); i++) {
        struct pty p;

        start_with(&p, 24, 80, terms[i].term, NULL, NULL);
        if (terms[i].note) {
            pty_assert(&p, pty_wait(&p, terms[i].note, WAIT));
        }
        pty_assert(&p, pty_wait(&p, "UNREACHABLE", WAIT));
        pty_assert(&p, pty_wait(&p, "127.0.0.1:1", WAIT));
        pty_send(&p, "Q");
        pty_assert(&p, pty_wait_exit(&p, WAIT));
        pty_assert(&p, pty_modes_restored(&p));
        pty_end(&p);
    }
}

static void a_dumb_terminal_gets_lines(void **state)
{
    struct pty p;

    (void)state;
    start_with(&p, 24, 80, "TERM=dumb", NULL, NULL);
    pty_assert(&p, pty_wait(&p, "line mode", WAIT));
    pty_assert(&p, pty_wait(&p, "127.0.0.1:1", WAIT));
    for (size_t i = 0; i < p.log.len; i++) {
        assert_true(p.log.p[i] == '\n' || p.log.p[i] == '\r' ||
                    (p.log.p[i] >= 0x20 && p.log.p[i] < 0x7f));
    }
    pty_send(&p, "q\n");
    pty_assert(&p, pty_wait_exit(&p, WAIT));
    assert_int_equal(WEXITSTATUS(p.status), 0);
    pty_end(&p);
}

static void without_a_terminal_it_names_what_to_use(void **state)
{
    char text[1024] = "", path[128];
    int fd, status = 0;
    ssize_t n;
    pid_t pid;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/out", dir);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    pid = fork();
    if (pid == 0) {
        (void)dup2(fd, 0);
        (void)dup2(fd, 1);
        (void)dup2(fd, 2);
        (void)execl(TEST_MUSTER, TEST_MUSTER, "--uri", URI, "console", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 2);
    n = pread(fd, text, sizeof text - 1, 0);
    assert_true(n > 0);
    assert_non_null(strstr(text, "muster status --plain"));
    (void)close(fd);
}

static void in_the_c_locale_only_ascii_leaves(void **state)
{
    struct pty p;

    (void)state;
    start_with(&p, 24, 80, "LC_ALL=C", NULL, NULL);
    pty_assert(&p, pty_wait(&p, "UNREACHABLE", WAIT));
    pty_assert(&p, pty_wait(&p, "+- Replica set", WAIT));
    for (size_t i = 0; i < p.log.len; i++) {
        assert_true(p.log.p[i] < 0x7f);
    }
    pty_end(&p);
}

/* SGR parameters 30 to 38, 40 to 48, 90 to 107 are colours. */
static bool has_color(const struct mst_buf *log)
{
    for (size_t i = 0; i + 2 < log->len; i++) {
        size_t k = i + 2;
        int number = 0;

        if (log->p[i] != 27 || log->p[i + 1] != '[') {
            continue;
        }
        for (; k < log->len; k++) {
            const int c = log->p[k];

            if (c >= '0' && c <= '9') {
                number = number * 10 + (c - '0');
                continue;
            }
            if (c != ';' && c != 'm') {
                break;
            }
            if ((number >= 30 && number <= 38) || (number >= 40 && number <= 48) ||
                (number >= 90 && number <= 107)) {
                return true;
            }
            number = 0;
            if (c == 'm') {
                break;
            }
        }
    }
    return false;
}

static void no_color_is_obeyed(void **state)
{
    struct pty p;

    (void)state;
    start_with(&p, 24, 80, "NO_COLOR=1", NULL, NULL);
    pty_assert(&p, pty_wait(&p, "UNREACHABLE", WAIT));
    assert_false(has_color(&p.log));
    pty_send(&p, "t");
    pty_assert(&p, pty_wait(&p, "colours are off", WAIT));
    assert_false(has_color(&p.log));
    pty_end(&p);
    start(&p);
    assert_true(has_color(&p.log));
    pty_end(&p);
}

static void the_size_of_the_window_counts_not_the_environment(void **state)
{
    struct pty p;

    (void)state;
    start_with(&p, 40, 120, "LINES=24", "COLUMNS=80", NULL);
    pty_assert(&p, pty_wait(&p, "UNREACHABLE", WAIT));
    pty_assert(&p, pty_wait(&p, "Who sees whom", WAIT)); /* only a large window has it there */
    {
        char *s = pty_text(&p);

        assert_true(strcspn(s, "\n") > 100); /* the clock stands at the right edge */
        free(s);
    }
    pty_end(&p);
}

/* The frames alone: what stands in them changes with the time. */
static char *frames(struct pty *p)
{
    char *s = pty_text(p), *to = s;

    for (const char *at = s; *at; at++) {
        const bool box = at[0] == '\xe2' && (at[1] == '\x94' || at[1] == '\x95');

        if (box) {
            *to++ = at[2];
            at += 2;
        } else if (*at == '\n') {
            *to++ = '\n';
        }
    }
    *to = '\0';
    return s;
}

static bool same_frames(struct pty *a, struct pty *b)
{
    char *x = frames(a), *y = frames(b);
    const bool same = strcmp(x, y) == 0;

    free(x);
    free(y);
    return same;
}

static void after_a_storm_of_sizes_the_screen_is_as_new(void **state)
{
    static const int sizes[][2] = {{5, 20}, {1, 1}, {60, 200}, {12, 60}, {24, 79}, {40, 120}};
    struct pty p, fresh;

    (void)state;
    start(&p);
    for (int i = 0; i < 200; i++) {
        const int *s = sizes[i % (int)MST_COUNT(sizes)];

        pty_resize(&p, s[0] + i % 3, s[1] + i % 5);
        pty_pump(&p, 5);
    }
    pty_resize(&p, 24, 80);
    start(&fresh);
    for (int i = 0; i < 400 && !same_frames(&p, &fresh); i++) {
        pty_pump(&p, 20);
        pty_pump(&fresh, 20);
    }
    if (!same_frames(&p, &fresh)) {
        pty_assert(&fresh, pty_wait(&p, "? help  . menu", WAIT));
        pty_assert(&p, same_frames(&p, &fresh));
    }
    pty_assert(&p, pty_wait(&p, "? help  . menu", WAIT));
    pty_end(&p);
    pty_end(&fresh);
}

static void twenty_columns_and_five_rows_still_tell(void **state)
{
    struct pty p;

    (void)state;
    start_with(&p, 5, 20, NULL, NULL, NULL);
    pty_assert(&p, pty_wait(&p, "UNREACHABLE", WAIT));
    pty_send(&p, "?");
    pty_assert(&p, pty_wait(&p, "Help", WAIT));
    pty_send(&p, "q");
    pty_assert(&p, pty_wait(&p, "UNREACHABLE", WAIT));
    pty_send(&p, "Q");
    pty_assert(&p, pty_wait_exit(&p, WAIT));
    pty_end(&p);
}

static void suspended_and_continued_it_paints_again(void **state)
{
    struct pty p;

    (void)state;
    start(&p);
    pty_send(&p, "\032");
    pty_assert(&p, pty_wait_stop(&p, WAIT));
    pty_assert(&p, restored(&p));
    pty_assert(&p, pty_wait_gone(&p, "<1Dash>", WAIT));
    assert_int_equal(kill(p.pid, SIGCONT), 0);
    pty_assert(&p, pty_wait(&p, "<1Dash>", WAIT));
    assert_false(pty_modes_restored(&p));
    pty_send(&p, "2");
    pty_assert(&p, pty_wait(&p, "<2Topo>", WAIT));
    pty_end(&p);
}

static void a_signal_ends_it_with_the_terminal_whole(void **state)
{
    static const int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGQUIT, SIGTERM, SIGHUP};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(sigs); i++) {
        struct pty p;

        start(&p);
        assert_int_equal(kill(p.pid, sigs[i]), 0);
        pty_assert(&p, pty_wait_exit(&p, WAIT));
        if (!WIFSIGNALED(p.status) || WTERMSIG(p.status) != sigs[i]) {
            fail_msg("signal %d: ended with status %x", sigs[i], (unsigned)p.status);
        }
        pty_assert(&p, restored(&p));
        pty_end(&p);
    }
}

static void escape_is_quick_and_a_torn_arrow_is_an_arrow(void **state)
{
    struct pty p;
    bool torn = false;

    (void)state;
    start(&p);
    pty_send(&p, "2");
    pty_assert(&p, pty_wait(&p, "<2Topo>", WAIT));
    pty_send(&p, "\033");
    pty_assert(&p, pty_wait(&p, "<1Dash>", WAIT));
    for (int i = 0; i < 50 && !torn; i++) { /* until this machine tears it quickly enough */
        int64_t from;

        pty_send(&p, ".");
        pty_assert(&p, pty_wait(&p, "Actions", WAIT));
        from = mst_clock_mono_ms(NULL);
        pty_send(&p, "\033");
        mst_clock_sleep_ms(30);
        pty_send(&p, "[B"); /* down, one row: not Esc, which would close the menu */
        torn = mst_clock_mono_ms(NULL) - from < 60;
        if (torn) {
            pty_pump(&p, 400);
            pty_assert(&p, pty_shows(&p, "Actions"));
        }
        pty_send(&p, "\033[B\033OA\033");
        pty_assert(&p, pty_wait_gone(&p, "Actions", WAIT));
    }
    assert_true(torn);
    pty_end(&p);
}

static void a_paste_types_no_keys(void **state)
{
    struct pty p;

    (void)state;
    start(&p);
    pty_assert(&p, pty_wait_bytes(&p, "\033[?2004h", 0));
    pty_send(&p, "\033[200~Q\rB\rR\r\033[201~");
    pty_assert(&p, pty_wait(&p, "pasted text was ignored", WAIT));
    assert_false(pty_wait_exit(&p, 100));
    pty_send(&p, ":");
    pty_send(&p, "\033[200~quit\rquit\r\033[201~");
    pty_assert(&p, pty_wait(&p, ":quit", WAIT));
    assert_false(pty_wait_exit(&p, 200));
    pty_end(&p);
}

static void flow_control_keys_do_not_freeze_it(void **state)
{
    struct pty p;

    (void)state;
    start(&p);
    pty_send(&p, "\023"); /* Ctrl-S */
    pty_send(&p, "2");
    pty_assert(&p, pty_wait(&p, "<2Topo>", WAIT));
    pty_end(&p);
}

static void ctrl_c_does_not_kill_it(void **state)
{
    struct pty p;

    (void)state;
    start(&p);
    pty_send(&p, "\003");
    pty_assert(&p, pty_wait(&p, "Q leaves muster", WAIT));
    assert_false(pty_wait_exit(&p, 100));
    pty_end(&p);
}

static void a_quiet_screen_costs_next_to_nothing(void **state)
{
    struct pty p;
    size_t before;

    (void)state;
    start(&p);
    pty_pump(&p, 1500);
    before = p.log.len;
    pty_pump(&p, 5000);
    if (p.log.len - before > 5 * 600) {
        fail_msg("%zu bytes in 5 s", p.log.len - before);
    }
    /* and it never wiped the screen to paint it again */
    assert_null(memmem(p.log.p + before, p.log.len - before, "\033[2J", 4));
    assert_null(memmem(p.log.p + before, p.log.len - before, "\033[H\033[J", 6));
    pty_end(&p);
}

static void keys_and_views_never_tear_a_frame(void **state)
{
    struct pty p;

    /* Many keys while the engine's threads publish. */
    (void)state;
    start(&p);
    for (int i = 0; i < 60; i++) {
        pty_send(&p, i % 2 ? "2" : "1");
        pty_pump(&p, 20);
    }
    pty_send(&p, "1");
    pty_assert(&p, pty_wait(&p, "<1Dash>", WAIT));
    pty_assert(&p, pty_wait(&p, "\xe2\x94\x8c\xe2\x94\x80 Replica set ", WAIT));
    pty_assert(&p, pty_wait(&p, "\xe2\x94\x8c\xe2\x94\x80 Jobs ", WAIT));
    pty_assert(&p, pty_wait(&p, "\xe2\x94\x8c\xe2\x94\x80 Events ", WAIT));
    pty_end(&p);
}

/* base64 of 127.0.0.1:1 */
#define NAME64 "MTI3LjAuMC4xOjE="

static void y_hands_the_name_to_the_clipboard(void **state)
{
    struct pty p;

    (void)state;
    start(&p);
    pty_send(&p, "2y");
    pty_assert(&p, pty_wait(&p, "handed to the terminal's clipboard: 127.0.0.1:1", WAIT));
    pty_assert(&p, pty_wait_bytes(&p, "\033]52;c;" NAME64 "\007", WAIT));
    pty_end(&p);
    start_with(&p, 24, 80, "TMUX=/tmp/tmux-1/default,1,0", NULL, NULL);
    pty_assert(&p, pty_wait(&p, "UNREACHABLE", WAIT));
    pty_send(&p, "2y");
    pty_assert(&p, pty_wait_bytes(&p, "\033Ptmux;\033\033]52;c;" NAME64 "\007\033\\", WAIT));
    pty_end(&p);
    start_with(&p, 24, 80, "TERM=linux", NULL, NULL);
    pty_assert(&p, pty_wait(&p, "UNREACHABLE", WAIT));
    pty_send(&p, "2y");
    pty_assert(&p, pty_wait(&p, "this terminal has no clipboard", WAIT));
    assert_null(memmem(p.log.p, p.log.len, "\033]52;", 5));
    pty_end(&p);
}

static void x_keeps_the_screen_in_a_file_of_its_owner(void **state)
{
    struct pty p;
    char *s, *at, path[200];
    struct stat st;
    struct mst_buf text = {0};
    struct mst_err err = {0};

    (void)state;
    start(&p);
    pty_send(&p, "2");
    pty_assert(&p, pty_wait(&p, "<2Topo>", WAIT));
    pty_send(&p, "x");
    pty_assert(&p, pty_wait(&p, "kept in ", WAIT));
    pty_assert(&p, pty_wait(&p, "Z.txt", WAIT));
    s = pty_text(&p);
    at = strstr(s, "kept in ") + 8;
    (void)snprintf(path, sizeof path, "%.*s", (int)strcspn(at, " \n"), at);
    free(s);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_ok(mst_file_read(path, 1 << 20, &text, &err), &err);
    mst_buf_add(&text, "", 1);
    assert_non_null(strstr((const char *)text.p, "<2Topo>"));
    assert_non_null(strstr((const char *)text.p, "Who sees whom"));
    mst_buf_release(&text);
    pty_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaving_puts_everything_back),
        cmocka_unit_test(every_kind_of_terminal_shows_the_set),
        cmocka_unit_test(a_dumb_terminal_gets_lines),
        cmocka_unit_test(without_a_terminal_it_names_what_to_use),
        cmocka_unit_test(in_the_c_locale_only_ascii_leaves),
        cmocka_unit_test(no_color_is_obeyed),
        cmocka_unit_test(the_size_of_the_window_counts_not_the_environment),
        cmocka_unit_test(after_a_storm_of_sizes_the_screen_is_as_new),
        cmocka_unit_test(twenty_columns_and_five_rows_still_tell),
        cmocka_unit_test(suspended_and_continued_it_paints_again),
        cmocka_unit_test(a_signal_ends_it_with_the_terminal_whole),
        cmocka_unit_test(escape_is_quick_and_a_torn_arrow_is_an_arrow),
        cmocka_unit_test(a_paste_types_no_keys),
        cmocka_unit_test(flow_control_keys_do_not_freeze_it),
        cmocka_unit_test(ctrl_c_does_not_kill_it),
        cmocka_unit_test(a_quiet_screen_costs_next_to_nothing),
        cmocka_unit_test(keys_and_views_never_tear_a_frame),
        cmocka_unit_test(y_hands_the_name_to_the_clipboard),
        cmocka_unit_test(x_keeps_the_screen_in_a_file_of_its_owner),
    };
    return cmocka_run_group_tests_name("terminal", tests, folder, folder_gone);
}
