#include "ui/crash.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

enum { STACK_BYTES = 64 * 1024, RESET_MAX = 256 };

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};

static struct {
    volatile sig_atomic_t armed;
    int fd, saved_stderr;
    struct termios modes;
    char reset[RESET_MAX];
    size_t n;
    struct sigaction before[sizeof fatal / sizeof fatal[0]];
    char stack[STACK_BYTES];
} crash = {.fd = -1, .saved_stderr = -1};

void ui_crash_restore(void)
{
    if (!crash.armed) {
        return;
    }
    crash.armed = 0;
    if (write(crash.fd, crash.reset, crash.n) < 0) {
        /* the terminal is gone: nothing to put back */
    }
    (void)tcsetattr(crash.fd, TCSANOW, &crash.modes);
    if (crash.saved_stderr >= 0) {
        (void)dup2(crash.saved_stderr, STDERR_FILENO);
    }
}

static void on_fatal(int sig)
{
    struct sigaction dfl;
    sigset_t one;

    ui_crash_restore();
    memset(&dfl, 0, sizeof dfl);
    dfl.sa_handler = SIG_DFL;
    (void)sigaction(sig, &dfl, NULL);
    (void)sigemptyset(&one);
    (void)sigaddset(&one, sig);
    (void)sigprocmask(SIG_UNBLOCK, &one, NULL);
    (void)raise(sig);
}

void ui_crash_arm(int tty_fd, const struct termios *modes, const char *reset, int saved_stderr)
{
    const stack_t st = {.ss_sp = crash.stack, .ss_size = sizeof crash.stack};
    struct sigaction sa;
    sigset_t open;

    crash.fd = tty_fd;
    crash.modes = *modes;
    crash.saved_stderr = saved_stderr;
    (void)mst_copy(crash.reset, sizeof crash.reset, reset);
    crash.n = strlen(crash.reset);
    crash.armed = 1;
    (void)sigaltstack(&st, NULL);
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_fatal;
    sa.sa_flags = SA_ONSTACK;
    (void)sigemptyset(&sa.sa_mask);
    (void)sigemptyset(&open);
    for (size_t i = 0; i < MST_COUNT(fatal); i++) {
        (void)sigaction(fatal[i], &sa, &crash.before[i]);
        (void)sigaddset(&open, fatal[i]);
    }
    (void)sigprocmask(SIG_UNBLOCK, &open, NULL);
    mst_assert_hook(ui_crash_restore);
}

void ui_crash_disarm(void)
{
    const stack_t none = {.ss_flags = SS_DISABLE};

    if (crash.fd < 0) {
        return;
    }
    crash.armed = 0;
    crash.fd = -1;
    for (size_t i = 0; i < MST_COUNT(fatal); i++) {
        (void)sigaction(fatal[i], &crash.before[i], NULL);
    }
    (void)sigaltstack(&none, NULL);
    mst_assert_hook(NULL);
}
