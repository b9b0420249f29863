#include "cfg/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"

#define COMMAND_MS 10000

/* In the child: only async-signal-safe calls. It gets what it is meant to have: connections of the
 * driver are not closed by exec, and signals that a worker blocks would stay blocked. */
static _Noreturn void run_child(char *const argv[], int in, int out)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setpgid(0, 0); /* so that a helper that forked is ended with it */
    if (null >= 0) {
        (void)dup2(in >= 0 ? in : null, 0);
        (void)dup2(null, 2); /* its complaints may hold the secret */
    }
    (void)dup2(out, 1);
    (void)close_range(3, ~0U, 0);
    (void)execvp(argv[0], argv);
    _exit(127);
}

/* All that comes from fd before the deadline; false when time or room ran out. */
static bool read_all(int fd, char *buf, size_t size, size_t *len)
{
    const int64_t end = mst_clock_mono_ms(NULL) + COMMAND_MS;

    *len = 0;
    for (;;) {
        const int64_t left = end - mst_clock_mono_ms(NULL);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (left <= 0 || *len == size) {
            return false;
        }
        if (poll(&p, 1, (int)left) <= 0) {
            continue;
        }
        n = read(fd, buf + *len, size - *len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0;
        }
        *len += (size_t)n;
    }
}

/* A child that ignores the signal of its closed pipe is ended after the deadline. */
static int reap(pid_t pid, bool kill_it)
{
    const int64_t end = mst_clock_mono_ms(NULL) + COMMAND_MS;
    int status = 0;

    if (kill_it) {
        (void)kill(-pid, SIGKILL);
    }
    while (waitpid(pid, &status, kill_it ? 0 : WNOHANG) == 0) {
        if (mst_clock_mono_ms(NULL) > end) {
            kill_it = true;
            (void)kill(-pid, SIGKILL);
        } else {
            mst_clock_sleep_ms(5);
        }
    }
    return status;
}

/* A pipe that holds what the program reads and is closed behind it; -1 when there is none. */
static int filled(const void *p, size_t n)
{
    int fd[2];

    if (pipe2(fd, O_CLOEXEC) != 0) {
        return -1;
    }
    if (write(fd[1], p, n) != (ssize_t)n) { /* a pipe has room for a page at least */
        (void)close(fd[0]);
        fd[0] = -1;
    }
    (void)close(fd[1]);
    return fd[0];
}

enum mst_rc mst_cfg_run(const struct mst_cfg_list *cmd, const char *what, const void *in,
                        size_t in_n, char *out, size_t size, size_t *n, struct mst_err *err)
{
    char *argv[MST_CFG_ARGV + 1] = {NULL};
    int fd[2], status, from = -1;
    bool whole;
    pid_t pid;

    MST_ASSERT(in_n <= MST_PROGRAM_INPUT);
    for (size_t i = 0; i < cmd->n && i < MST_CFG_ARGV; i++) {
        argv[i] = cmd->item[i];
    }
    if ((in && (from = filled(in, in_n)) < 0) || pipe2(fd, O_CLOEXEC) != 0) {
        if (from >= 0) {
            (void)close(from);
        }
        return mst_err_set(err, MST_E_IO, "cannot make a pipe for the %s", what);
    }
    pid = fork();
    if (pid == 0) {
        run_child(argv, from, fd[1]);
    }
    (void)close(fd[1]);
    if (from >= 0) {
        (void)close(from);
    }
    whole = pid > 0 && read_all(fd[0], out, size, n);
    (void)close(fd[0]);
    status = pid > 0 ? reap(pid, !whole) : -1;
    if (pid < 0) {
        return mst_err_set(err, MST_E_IO, "cannot start the %s %s", what, argv[0]);
    }
    if (!whole) {
        return mst_err_set(err, MST_E_AUTH, "the %s %s did not end within %d s or printed too much",
                           what, argv[0], COMMAND_MS / 1000);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        return mst_err_set(err, MST_E_CONFIG, "the %s %s cannot be run", what, argv[0]);
    }
    if (status != 0) {
        return mst_err_set(err, MST_E_AUTH, "the %s %s failed (status %d)", what, argv[0],
                           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    return MST_OK;
}
