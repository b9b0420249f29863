/* A password comes from a file, from a program that prints it, or from who sits at the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cfg/cfg.h"
#include "log/log.h"

#define COMMAND_MS 10000
#define OUTPUT_MAX ((size_t)64 * 1024)

/* In the child: only async-signal-safe calls. */
static _Noreturn void run_child(char *const argv[], int out)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setpgid(0, 0); /* so that a helper that forked is ended with it */
    if (null >= 0) {
        (void)dup2(null, 0);
        (void)dup2(null, 2); /* its complaints may hold the secret */
    }
    (void)dup2(out, 1);
    (void)execvp(argv[0], argv);
    _exit(127);
}

/* First line of what comes from fd before the deadline; false when time or room ran out. */
static bool read_line(int fd, char *buf, size_t size, size_t *len)
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

enum mst_rc mst_cfg_command(const struct mst_cfg_list *cmd, const char *what,
                            struct mst_secret *out, struct mst_err *err)
{
    char *argv[MST_CFG_ARGV + 1] = {NULL};
    char *buf = mst_xmalloc(OUTPUT_MAX);
    int fd[2], status;
    size_t len = 0, n;
    bool whole;
    pid_t pid;
    enum mst_rc rc = MST_OK;

    for (size_t i = 0; i < cmd->n && i < MST_CFG_ARGV; i++) {
        argv[i] = cmd->item[i];
    }
    if (pipe2(fd, O_CLOEXEC) != 0) {
        free(buf);
        return mst_err_set(err, MST_E_IO, "cannot make a pipe for the %s", what);
    }
    pid = fork();
    if (pid == 0) {
        run_child(argv, fd[1]);
    }
    (void)close(fd[1]);
    whole = pid > 0 && read_line(fd[0], buf, OUTPUT_MAX, &len);
    (void)close(fd[0]);
    status = pid > 0 ? reap(pid, !whole) : -1;
    n = len ? (size_t)((char *)memchr(buf, '\n', len) ? (char *)memchr(buf, '\n', len) - buf
                                                      : (ptrdiff_t)len)
            : 0;
    if (pid < 0) {
        rc = mst_err_set(err, MST_E_IO, "cannot start the %s %s", what, argv[0]);
    } else if (!whole) {
        rc = mst_err_set(err, MST_E_AUTH, "the %s %s did not end within %d s or printed too much",
                         what, argv[0], COMMAND_MS / 1000);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        rc = mst_err_set(err, MST_E_CONFIG, "the %s %s cannot be run", what, argv[0]);
    } else if (status != 0) {
        rc = mst_err_set(err, MST_E_AUTH, "the %s %s failed (status %d)", what, argv[0],
                         WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    } else if (n == 0 || n > MST_SECRET_MAX) {
        rc = mst_err_set(err, MST_E_AUTH, "the %s %s printed %s first line", what, argv[0],
                         n ? "too long a" : "an empty");
    } else {
        mst_secret_set(out, buf, n);
    }
    mst_wipe(buf, OUTPUT_MAX);
    free(buf);
    return rc;
}

static enum mst_rc read_password(const struct mst_cfg_cred *cred, enum mst_cred_act act,
                                 mst_cfg_ask_fn *ask, void *arg, struct mst_secret *out,
                                 struct mst_err *err)
{
    char what[400];

    if (strcmp(cred->mechanism, "MONGODB-X509") == 0) {
        return MST_OK;
    }
    if (cred->password_file[0]) {
        return mst_secret_from_file(out, cred->password_file, err);
    }
    if (cred->password_command.n > 0) {
        return mst_cfg_command(&cred->password_command, "password command", out, err);
    }
    (void)snprintf(what, sizeof(what), "password of %s (%s)", cred->user, mst_cred_act_word(act));
    if (!ask) {
        return mst_err_set(err, MST_E_AUTH,
                           "the %s is asked on a terminal and there is none: use password_file or "
                           "password_command",
                           what);
    }
    return ask(arg, what, out, err);
}

enum mst_rc mst_cfg_password(const struct mst_cfg_cred *cred, enum mst_cred_act act,
                             mst_cfg_ask_fn *ask, void *arg, struct mst_secret *out,
                             struct mst_err *err)
{
    const enum mst_rc rc = read_password(cred, act, ask, arg, out, err);

    if (rc == MST_OK) {
        mst_log_redact(out); /* from here on no line shows it */
    }
    return rc;
}
