#include "ui/term_own.h"

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <term.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "ui/crash.h"
#include "ui/keys.h"

enum {
    OUTQ_MAX = 4096, /* more than this unsent: do not paint */
    NOISE_MAX = 8192
};
#define FALLBACK "xterm-256color"

const char *ui_term_note(const struct ui_term *t)
{
    return t->note;
}
bool ui_term_is_lines(const struct ui_term *t)
{
    return t->by_lines;
}
bool ui_term_ascii(const struct ui_term *t)
{
    return t->ascii;
}
bool ui_term_colors(const struct ui_term *t)
{
    return t->colors;
}
int ui_term_fd(const struct ui_term *t)
{
    (void)t;
    return STDIN_FILENO;
}

void ui_term_raw(const char *s)
{
    if (write(STDOUT_FILENO, s, strlen(s)) < 0) {
        /* a terminal that is gone says so by SIGHUP */
    }
}

/* Appends a capability without its padding marks "$<5>". */
static void add_cap(char *out, size_t size, const char *name)
{
    char key[16];
    const char *cap;
    size_t at = strlen(out);

    (void)mst_copy(key, sizeof key, name);
    cap = tigetstr(key);
    if (!cap || cap == (const char *)-1) {
        return;
    }
    while (*cap && at + 1 < size) {
        if (cap[0] == '$' && cap[1] == '<' && strchr(cap, '>')) {
            cap = strchr(cap, '>') + 1;
        } else {
            out[at++] = *cap++;
        }
    }
    out[at] = '\0';
}

/* Which terminfo entry to use; also finds out whether the cursor can be placed. */
static const char *pick_term(struct ui_term *t)
{
    const char *term = getenv("TERM");
    char shown[64], cup[] = "cup";
    const char *cap;
    int status = 0;

    if (!term || !*term || setupterm(term, STDOUT_FILENO, &status) != OK) {
        (void)mst_copy(shown, sizeof shown, term && *term ? term : "(not set)");
        mst_text_sanitise(shown);
        (void)snprintf(t->note, sizeof t->note, "TERM %s is not known here: using the rules of %s",
                       shown, FALLBACK);
        return FALLBACK;
    }
    cap = tigetstr(cup);
    t->by_lines = !cap || cap == (const char *)-1;
    (void)del_curterm(cur_term);
    return term;
}

static void tty_modes(void)
{
    struct termios tio;

    if (tcgetattr(STDIN_FILENO, &tio) == 0) {
        tio.c_iflag &= ~(tcflag_t)(IXON | IXOFF); /* else Ctrl-S freezes the session */
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &tio);
        (void)def_prog_mode();
    }
}

/* What libraries print must not tear the screen: it is kept and shown at the end. */
static void quiet_stderr(struct ui_term *t)
{
    t->saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    t->noise_fd = memfd_create("stderr", MFD_CLOEXEC);
    if (t->saved_stderr >= 0 && t->noise_fd >= 0) {
        (void)dup2(t->noise_fd, STDERR_FILENO);
    }
}

static void loud_stderr(struct ui_term *t)
{
    char noise[NOISE_MAX];
    ssize_t n;

    if (t->saved_stderr >= 0) {
        (void)dup2(t->saved_stderr, STDERR_FILENO);
        (void)close(t->saved_stderr);
    }
    if (t->noise_fd >= 0) {
        n = pread(t->noise_fd, noise, sizeof noise, 0);
        if (n > 0 && write(STDERR_FILENO, noise, (size_t)n) < 0) {
            /* nobody to tell */
        }
        (void)close(t->noise_fd);
    }
    t->saved_stderr = t->noise_fd = -1;
}

static void arm(struct ui_term *t)
{
    char reset[256] = "";

    if (t->paste_mode) {
        (void)mst_copy(reset, sizeof reset, "\033[?2004l");
    }
    add_cap(reset, sizeof reset, "sgr0");
    add_cap(reset, sizeof reset, "cnorm");
    add_cap(reset, sizeof reset, "rmkx");
    add_cap(reset, sizeof reset, "rmcup");
    ui_crash_arm(STDOUT_FILENO, &t->modes, reset, t->saved_stderr);
}

/* Key sequences that terminfo entries often miss. */
static void more_keys(void)
{
    static const struct {
        const char *seq;
        int code;
    } table[] = {{"\033[200~", PASTE_START}, {"\033[201~", PASTE_END}, {"\033[H", KEY_HOME},
                 {"\033[F", KEY_END},        {"\033[1~", KEY_HOME},    {"\033[4~", KEY_END},
                 {"\033[Z", KEY_BTAB},       {"\033OP", KEY_F0 + 1},   {"\033[11~", KEY_F0 + 1},
                 {"\033[13~", KEY_F0 + 3},   {"\033OR", KEY_F0 + 3}};

    for (size_t i = 0; i < MST_COUNT(table); i++) {
        if (key_defined(table[i].seq) <= 0) {
            (void)define_key(table[i].seq, table[i].code);
        }
    }
}

static enum mst_rc start_screen(struct ui_term *t, const char *term, bool no_color,
                                struct mst_err *err)
{
    const char *fgbg = getenv("COLORFGBG");
    char smcup[16] = "smcup";

    use_env(TRUE);
    use_tioctl(TRUE);
    t->screen = newterm(term, stdout, stdin);
    if (!t->screen) {
        return mst_err_set(err, MST_E_IO, "the terminal cannot be set up as %s", term);
    }
    (void)set_term(t->screen);
    (void)set_escdelay(25);
    t->colors = !no_color && has_colors();
    if (t->colors) {
        (void)start_color();
        (void)use_default_colors();
        t->palette = COLORS < 256 ? UI_PAL_8 : UI_PAL_256;
        if (fgbg && strrchr(fgbg, ';') && COLORS >= 256 &&
            (strcmp(strrchr(fgbg, ';'), ";15") == 0 || strcmp(strrchr(fgbg, ';'), ";7") == 0)) {
            t->palette = UI_PAL_LIGHT;
        }
    }
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    t->keys = newpad(1, 1);
    if (!t->keys) {
        return mst_err_set(err, MST_E_IO, "out of memory for the terminal");
    }
    (void)keypad(t->keys, TRUE);
    (void)nodelay(t->keys, TRUE);
    more_keys();
    tty_modes();
    t->paste_mode = tigetstr(smcup) != NULL && tigetstr(smcup) != (char *)-1;
    if (t->paste_mode) {
        ui_term_raw("\033[?2004h");
    }
    return MST_OK;
}

enum mst_rc ui_term_open(struct ui_term **out, bool no_color, struct mst_err *err)
{
    struct ui_term *t;
    const char *term;
    enum mst_rc rc = MST_OK;

    (void)setlocale(LC_ALL, "");
    (void)setenv("NCURSES_NO_UTF8_ACS", "1", 1);
    t = mst_xcalloc(1, sizeof *t);
    t->owner = gettid();
    t->saved_stderr = t->noise_fd = -1;
    (void)tcgetattr(STDIN_FILENO, &t->modes);
    term = pick_term(t);
    t->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0 || strncmp(term, "vt", 2) == 0;
    if (!t->by_lines) {
        rc = start_screen(t, term, no_color, err);
        if (rc == MST_OK) {
            quiet_stderr(t);
            arm(t);
        }
    }
    if (rc != MST_OK) {
        ui_term_close(t);
        return rc;
    }
    *out = t;
    return MST_OK;
}

void ui_term_close(struct ui_term *t)
{
    if (!t) {
        return;
    }
    if (t->screen) {
        if (t->paste_mode) {
            ui_term_raw("\033[?2004l");
        }
        (void)endwin();
        if (t->keys) {
            (void)delwin(t->keys);
        }
        delscreen(t->screen);
        ui_crash_disarm();
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &t->modes);
        loud_stderr(t);
    }
    free(t);
}

void ui_term_size(const struct ui_term *t, int *rows, int *cols)
{
    struct winsize ws;

    (void)t;
    *rows = 24;
    *cols = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0 && ws.ws_col > 0) {
        *rows = ws.ws_row;
        *cols = ws.ws_col;
    }
    *rows = *rows > UI_ROWS_MAX ? UI_ROWS_MAX : *rows;
    *cols = *cols > UI_COLS_MAX ? UI_COLS_MAX : *cols;
}

void ui_term_resized(struct ui_term *t)
{
    int rows, cols;

    ui_term_mine(t);
    if (t->screen) {
        ui_term_size(t, &rows, &cols);
        (void)resizeterm(rows, cols);
        (void)clearok(curscr, TRUE);
    }
}

void ui_term_theme(struct ui_term *t, const struct ui_theme *theme)
{
    for (int r = 0; r < UI_ROLE_COUNT; r++) {
        const struct ui_style *s = &theme->style[t->palette][r];

        t->attr[r] = (s->attrs & UI_BOLD ? A_BOLD : 0) | (s->attrs & UI_REVERSE ? A_REVERSE : 0) |
                     (s->attrs & UI_UNDERLINE ? A_UNDERLINE : 0) |
                     (s->attrs & UI_FAINT ? A_DIM : 0);
        t->pair[r] = 0;
        if (t->colors && (s->fg >= 0 || s->bg >= 0) &&
            init_pair((short)(r + 1), (short)s->fg, (short)s->bg) == OK) {
            t->pair[r] = (short)(r + 1);
        }
    }
}

bool ui_term_ready(const struct ui_term *t)
{
    int queued = 0;

    (void)t;
    return ioctl(STDOUT_FILENO, TIOCOUTQ, &queued) != 0 || queued < OUTQ_MAX;
}

/* The characters of a cell as curses wants them; what libc would give another width is '?'. */
static void cell_text(const struct ui_cell *c, wchar_t *wide)
{
    const size_t len = strlen(c->ch);
    size_t n = 0;

    for (size_t i = 0; i < len && n < 2;) {
        uint32_t cp = 0;
        const size_t k = mst_text_decode(c->ch + i, len - i, &cp);

        if (k == 0) {
            break;
        }
        wide[n++] = (wchar_t)cp;
        i += k;
    }
    if (n == 0) {
        wide[n++] = L' ';
    }
    if (wide[0] > 0x7e && wcwidth(wide[0]) != c->width) {
        wide[0] = L'?';
        n = 1;
    }
    wide[n] = L'\0';
}

void ui_term_paint(struct ui_term *t, const struct ui_canvas *cv, bool all)
{
    ui_term_mine(t);
    if (all) {
        (void)clearok(curscr, TRUE);
    }
    (void)werase(stdscr);
    for (int y = 0; y < cv->rows && y < LINES; y++) {
        for (int x = 0; x < cv->cols && x < COLS; x++) {
            const struct ui_cell *c = &cv->cells[(size_t)y * (size_t)cv->cols + (size_t)x];
            wchar_t wide[4];
            cchar_t cc;

            if (c->width == 0 || (c->role == UI_TEXT && strcmp(c->ch, " ") == 0)) {
                continue;
            }
            cell_text(c, wide);
            (void)setcchar(&cc, wide, t->attr[c->role], t->pair[c->role], NULL);
            (void)mvwadd_wch(stdscr, y, x, &cc);
        }
    }
    if (cv->cur_y >= 0) {
        (void)wmove(stdscr, cv->cur_y, cv->cur_x);
    }
    (void)curs_set(cv->cur_y >= 0 ? 1 : 0);
    (void)wnoutrefresh(stdscr);
    (void)doupdate();
}

void ui_term_bell(struct ui_term *t)
{
    if (t->screen) {
        (void)beep();
    }
}

void ui_term_flush_input(struct ui_term *t)
{
    (void)tcflush(STDIN_FILENO, TCIFLUSH);
    if (t->screen) {
        (void)flushinp();
    }
    t->esc_ms = 0;
    t->n_queue = 0;
}

void ui_term_suspend(struct ui_term *t)
{
    if (t->screen) {
        if (t->paste_mode) {
            ui_term_raw("\033[?2004l");
        }
        (void)endwin();
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &t->modes);
    }
    (void)raise(SIGSTOP);
    if (t->screen) {
        (void)reset_prog_mode();
        tty_modes();
        if (t->paste_mode) {
            ui_term_raw("\033[?2004h");
        }
        ui_term_resized(t);
        (void)wrefresh(stdscr);
    }
}
