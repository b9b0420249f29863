#define NCURSES_NOMACROS 1
#define NCURSES_WIDECHAR 1
#include "ui/term.h"

#include <curses.h>
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
#include "base/text.h"
#include "ui/crash.h"
#include "ui/keys.h"

enum {
    ESC_WAIT_MS = 100,    /* on a slow link the rest of a key may come later than ESCDELAY */
    OUTQ_MAX = 4096,      /* more than this unsent: do not paint */
    PASTE_START = 0x1f01, /* our codes for the bracketed paste */
    PASTE_END = 0x1f02,
    NOISE_MAX = 8192
};
#define FALLBACK "xterm-256color"

struct ui_term {
    SCREEN *screen;
    WINDOW *keys; /* a pad: reading it paints nothing */
    bool by_lines, ascii, colors, paste_mode;
    char note[160];
    struct termios modes; /* as we found them */
    enum ui_palette palette;
    attr_t attr[UI_ROLE_COUNT];
    short pair[UI_ROLE_COUNT];
    int64_t esc_ms; /* a lone ESC came then; 0 none */
    int saved_stderr, noise_fd;
    bool in_paste;
    int n_queue;
    int queue[8];
};

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

static void raw_write(const char *s)
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
        raw_write("\033[?2004h");
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
            raw_write("\033[?2004l");
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
            raw_write("\033[?2004l");
        }
        (void)endwin();
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &t->modes);
    }
    (void)raise(SIGSTOP);
    if (t->screen) {
        (void)reset_prog_mode();
        tty_modes();
        if (t->paste_mode) {
            raw_write("\033[?2004h");
        }
        ui_term_resized(t);
        (void)wrefresh(stdscr);
    }
}

/* --- keys --- */

static int from_curses(wint_t code)
{
    static const struct {
        int code, key;
    } table[] = {{KEY_UP, UI_KEY_UP},        {KEY_DOWN, UI_KEY_DOWN},
                 {KEY_LEFT, UI_KEY_LEFT},    {KEY_RIGHT, UI_KEY_RIGHT},
                 {KEY_PPAGE, UI_KEY_PGUP},   {KEY_NPAGE, UI_KEY_PGDN},
                 {KEY_HOME, UI_KEY_HOME},    {KEY_END, UI_KEY_END},
                 {KEY_BTAB, UI_KEY_BACKTAB}, {KEY_BACKSPACE, UI_KEY_BACKSPACE},
                 {KEY_DC, UI_KEY_DELETE},    {KEY_ENTER, UI_KEY_ENTER}};

    for (size_t i = 0; i < MST_COUNT(table); i++) {
        if (table[i].code == (int)code) {
            return table[i].key;
        }
    }
    if (code >= KEY_F0 + 1 && code <= KEY_F0 + 12) {
        return UI_KEY_F((int)code - KEY_F0);
    }
    return UI_KEY_NONE;
}

/* A raw read: a character, a curses code (is_code), or ERR. */
static int raw_key(struct ui_term *t, wint_t *ch, bool *is_code)
{
    const int got = wget_wch(t->keys, ch);

    *is_code = got == KEY_CODE_YES;
    return got;
}

static void read_paste(struct ui_term *t, char *out, size_t size)
{
    const int64_t until = mst_clock_mono_ms(NULL) + 500;
    size_t n = 0;
    bool over = false;

    while (!over && mst_clock_mono_ms(NULL) < until) {
        wint_t ch = 0;
        bool code;
        char utf8[4];

        if (raw_key(t, &ch, &code) == ERR) {
            const struct timespec nap = {0, 2000000};

            (void)nanosleep(&nap, NULL);
            continue;
        }
        over = code && ch == PASTE_END;
        if (!code && n + 5 < size) {
            const size_t k = mst_text_encode((uint32_t)ch, utf8);

            memcpy(out + n, utf8, k);
            n += k;
        }
    }
    out[n] = '\0';
}

/* ESC came alone and more follows: the rest of a key that a slow link tore apart. */
static int torn_key(struct ui_term *t, wint_t first)
{
    wint_t ch = first;
    bool code = false;
    int number = 0;

    if (first >= '0' && first <= '9') {
        return UI_KEY_F(first == '0' ? 10 : (int)first - '0');
    }
    for (int i = 0; i < 12; i++) {
        if (raw_key(t, &ch, &code) == ERR || code) {
            return UI_KEY_NONE;
        }
        if (ch >= '0' && ch <= '9') {
            number = number * 10 + (int)(ch - '0');
            continue;
        }
        break;
    }
    switch (ch) {
    case 'A':
        return UI_KEY_UP;
    case 'B':
        return UI_KEY_DOWN;
    case 'C':
        return UI_KEY_RIGHT;
    case 'D':
        return UI_KEY_LEFT;
    case 'H':
        return UI_KEY_HOME;
    case 'F':
        return UI_KEY_END;
    case 'Z':
        return UI_KEY_BACKTAB;
    case '~':
        return number == 5   ? UI_KEY_PGUP
               : number == 6 ? UI_KEY_PGDN
               : number == 1 ? UI_KEY_HOME
               : number == 4 ? UI_KEY_END
               : number == 3 ? UI_KEY_DELETE
                             : UI_KEY_NONE;
    default:
        return UI_KEY_NONE;
    }
}

static int plain_key(wint_t ch)
{
    if (ch == '\n' || ch == '\r') {
        return UI_KEY_ENTER;
    }
    return ch == 0x7f || ch == 8 ? UI_KEY_BACKSPACE : (int)ch;
}

int ui_term_key(struct ui_term *t, char *paste, size_t size, int *more_ms)
{
    wint_t ch = 0;
    bool code = false;

    *more_ms = -1;
    for (;;) {
        if (raw_key(t, &ch, &code) == ERR) {
            const int64_t waited = mst_clock_mono_ms(NULL) - t->esc_ms;

            if (t->esc_ms == 0) {
                return UI_KEY_NONE;
            }
            if (waited >= ESC_WAIT_MS) {
                t->esc_ms = 0;
                return UI_KEY_ESC;
            }
            *more_ms = (int)(ESC_WAIT_MS - waited);
            return UI_KEY_NONE;
        }
        if (code && ch == PASTE_START) {
            read_paste(t, paste, size);
            return UI_KEY_PASTE;
        }
        if (t->esc_ms > 0) {
            t->esc_ms = 0;
            if (!code && (ch == '[' || ch == 'O' || (ch >= '0' && ch <= '9'))) {
                const int key = torn_key(t, ch);

                if (key != UI_KEY_NONE) {
                    return key;
                }
                continue;
            }
            (void)(code ? ungetch((int)ch) : unget_wch((wchar_t)ch));
            return UI_KEY_ESC;
        }
        if (!code && ch == 27) {
            t->esc_ms = mst_clock_mono_ms(NULL);
            continue;
        }
        if (code && from_curses(ch) == UI_KEY_NONE) {
            continue;
        }
        return code ? from_curses(ch) : plain_key(ch);
    }
}
