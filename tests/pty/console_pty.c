#include "console_pty.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>
#include <vterm.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"

static int on_prop(VTermProp prop, VTermValue *val, void *user)
{
    struct pty *p = user;

    if (prop == VTERM_PROP_CURSORVISIBLE) {
        p->cursor_shown = val->boolean != 0;
    }
    return 1;
}

static const VTermScreenCallbacks callbacks = {.settermprop = on_prop};

static void child(const char *const *argv, int (*fn)(void), const char *const *env)
{
    sigset_t none;

    for (size_t i = 0; env && env[i]; i++) {
        if (strchr(env[i], '=')) {
            (void)putenv(mst_xstrdup(env[i]));
        } else {
            (void)unsetenv(env[i]);
        }
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (fn) {
        _exit(fn());
    } else {
        char *args[32];
        size_t n = 0;

        for (; argv[n] && n + 1 < MST_COUNT(args); n++) {
            args[n] = mst_xstrdup(argv[n]);
        }
        args[n] = NULL;
        (void)execv(args[0], args);
    }
    _exit(127);
}

static void begin(struct pty *p, int rows, int cols, const char *const *argv, int (*fn)(void),
                  const char *const *env)
{
    const struct winsize ws = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
    int slave;

    memset(p, 0, sizeof *p);
    p->rows = rows;
    p->cols = cols;
    p->cursor_shown = true;
    if (openpty(&p->fd, &slave, NULL, NULL, &ws) != 0) {
        abort();
    }
    (void)tcgetattr(slave, &p->before);
    p->vt = vterm_new(rows, cols);
    vterm_set_utf8(p->vt, 1);
    p->screen = vterm_obtain_screen(p->vt);
    vterm_screen_enable_altscreen(p->screen, 1);
    vterm_screen_set_callbacks(p->screen, &callbacks, p);
    vterm_screen_reset(p->screen, 1);
    p->pid = fork();
    if (p->pid == 0) {
        (void)close(p->fd);
        (void)login_tty(slave);
        child(argv, fn, env);
    }
    (void)close(slave);
}

void pty_start(struct pty *p, int rows, int cols, const char *const *argv, const char *const *env)
{
    begin(p, rows, cols, argv, NULL, env);
}

void pty_start_fn(struct pty *p, int rows, int cols, int (*fn)(void), const char *const *env)
{
    begin(p, rows, cols, NULL, fn, env);
}

static void take(struct pty *p, int ms)
{
    struct pollfd fd = {p->fd, POLLIN, 0};
    char buf[8192];
    ssize_t n;

    if (poll(&fd, 1, ms) <= 0) {
        return;
    }
    n = read(p->fd, buf, sizeof buf);
    if (n > 0) {
        mst_buf_add(&p->log, buf, (size_t)n);
        (void)vterm_input_write(p->vt, buf, (size_t)n);
    } else {
        mst_clock_sleep_ms(ms < 5 ? ms : 5); /* hung up: do not spin */
    }
}

void pty_pump(struct pty *p, int ms)
{
    const int64_t until = mst_clock_mono_ms(NULL) + ms;

    while (mst_clock_mono_ms(NULL) < until) {
        take(p, 20);
    }
}

char *pty_text(struct pty *p)
{
    struct mst_str s = {0};

    for (int y = 0; y < p->rows; y++) {
        size_t keep = s.len;

        for (int x = 0; x < p->cols; x++) {
            VTermScreenCell cell;
            char ch[4];
            const VTermPos pos = {y, x};

            memset(&cell, 0, sizeof cell);
            (void)vterm_screen_get_cell(p->screen, pos, &cell);
            if (cell.chars[0] == (uint32_t)-1) {
                continue;
            }
            mst_str_addn(&s, ch, mst_text_encode(cell.chars[0] ? cell.chars[0] : ' ', ch));
            keep = cell.chars[0] && cell.chars[0] != ' ' ? s.len : keep;
        }
        s.len = keep;
        mst_str_addc(&s, '\n');
    }
    return mst_str_detach(&s);
}

bool pty_shows(struct pty *p, const char *text)
{
    char *s = pty_text(p);
    const bool found = strstr(s, text) != NULL;

    free(s);
    return found;
}

bool pty_wait(struct pty *p, const char *text, int ms)
{
    const int64_t until = mst_clock_mono_ms(NULL) + ms;

    do {
        if (pty_shows(p, text)) {
            return true;
        }
        take(p, 20);
    } while (mst_clock_mono_ms(NULL) < until);
    return pty_shows(p, text);
}

bool pty_wait_gone(struct pty *p, const char *text, int ms)
{
    const int64_t until = mst_clock_mono_ms(NULL) + ms;

    while (pty_shows(p, text) && mst_clock_mono_ms(NULL) < until) {
        take(p, 20);
    }
    return !pty_shows(p, text);
}

bool pty_wait_bytes(struct pty *p, const char *bytes, int ms)
{
    const int64_t until = mst_clock_mono_ms(NULL) + ms;

    for (;;) {
        if (p->log.len && memmem(p->log.p, p->log.len, bytes, strlen(bytes))) {
            return true;
        }
        if (mst_clock_mono_ms(NULL) >= until) {
            return false;
        }
        take(p, 20);
    }
}

bool pty_wait_exit(struct pty *p, int ms)
{
    const int64_t until = mst_clock_mono_ms(NULL) + ms;

    while (!p->ended && mst_clock_mono_ms(NULL) < until) {
        p->ended = waitpid(p->pid, &p->status, WNOHANG) == p->pid;
        take(p, 10);
    }
    return p->ended;
}

bool pty_wait_stop(struct pty *p, int ms)
{
    const int64_t until = mst_clock_mono_ms(NULL) + ms;
    int status = 0;

    while (mst_clock_mono_ms(NULL) < until) {
        if (waitpid(p->pid, &status, WNOHANG | WUNTRACED) == p->pid) {
            return WIFSTOPPED(status);
        }
        take(p, 10);
    }
    return false;
}

void pty_send(struct pty *p, const char *bytes)
{
    if (write(p->fd, bytes, strlen(bytes)) < 0) {
        /* the program is gone: the test's next wait says so */
    }
}

void pty_resize(struct pty *p, int rows, int cols)
{
    const struct winsize ws = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

    p->rows = rows;
    p->cols = cols;
    vterm_set_size(p->vt, rows, cols);
    (void)ioctl(p->fd, TIOCSWINSZ, &ws);
}

bool pty_modes_restored(const struct pty *p)
{
    struct termios now;

    return tcgetattr(p->fd, &now) == 0 && now.c_iflag == p->before.c_iflag &&
           now.c_oflag == p->before.c_oflag && now.c_lflag == p->before.c_lflag;
}

/* What has the focus, to its end of line. */
static bool focused(struct pty *p, char *out, size_t size)
{
    char *s = pty_text(p), *at = strstr(s, "[>");

    if (!at) {
        at = strstr(s, "\xe2\x94\x82 >");
        at = at ? at + 4 : NULL;
    }
    out[0] = '\0';
    if (at) {
        (void)mst_copy(out, size, at);
        out[1 + strcspn(out + 1, "\n<[")] = '\0';
    }
    free(s);
    return at != NULL;
}

bool pty_focus(struct pty *p, const char *mark, int ms)
{
    const int64_t until = mst_clock_mono_ms(NULL) + ms;
    char now[200], was[200];

    while (mst_clock_mono_ms(NULL) < until) {
        const int64_t again = mst_clock_mono_ms(NULL) + 3000; /* dead time: the key was dropped */

        if (!focused(p, was, sizeof was)) {
            take(p, 20);
            continue;
        }
        if (strncmp(was, mark, strcspn(mark, "<")) == 0) {
            return true;
        }
        pty_send(p, "\t");
        do {
            take(p, 20);
        } while ((!focused(p, now, sizeof now) || strcmp(now, was) == 0) &&
                 mst_clock_mono_ms(NULL) < again);
    }
    return false;
}

void pty_fail(struct pty *p)
{
    char *s = pty_text(p);

    (void)fprintf(stderr, "%s\n", s);
    free(s);
    pty_end(p);
}

void pty_end(struct pty *p)
{
    if (!p->ended) {
        (void)kill(p->pid, SIGCONT);
        (void)kill(p->pid, SIGKILL);
        (void)waitpid(p->pid, &p->status, 0);
    }
    (void)close(p->fd);
    vterm_free(p->vt);
    mst_buf_release(&p->log);
}
