/* muster agent, agent status, agent stop; and how one is started on demand. */
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
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "cmd.h"
#include "ipc/ipc.h"
#include "log/log.h"

#define START_MS 15000
#define OTHER_START_MS 3000 /* between the lock of the set and the socket */

static enum mst_rc open_log(const struct cmd_ctx *c, struct mst_err *err)
{
    char path[MST_CFG_PATH + 16];

    if (args_has(&c->args, "foreground")) {
        mst_log_to_stderr(true, MST_LOG_INFO);
    }
    if (mst_dir_private(c->cfg->state_dir, err) != MST_OK) {
        return err->rc;
    }
    (void)snprintf(path, sizeof(path), "%s/agent.log", c->cfg->state_dir);
    return mst_log_to_file(c->cfg->agent.log_file[0] ? c->cfg->agent.log_file : path, MST_LOG_INFO,
                           err);
}

static enum mst_rc serve(struct cmd_ctx *c, int ready_fd, struct mst_err *err)
{
    const struct mst_engine_opts eo = {.cfg = c->cfg, .agent = true};
    struct mst_engine *e = NULL;
    char path[MST_IPC_PATH];
    const bool foreground = args_has(&c->args, "foreground");
    struct mst_ipc_serve_opts o = {.path = path,
                                   .cfg = c->cfg,
                                   .stop_fd = cmd_signal_fd(),
                                   .idle_exit_ms =
                                       foreground ? 0 : c->cfg->agent.idle_exit_s * 1000,
                                   .ready_fd = ready_fd};
    enum mst_rc rc = mst_ipc_path(c->cfg, path, err);

    if (rc == MST_OK) {
        rc = open_log(c, err);
    }
    if (rc == MST_OK) {
        rc = mst_engine_open(&eo, &e, err);
    }
    if (rc == MST_OK) {
        mst_log(MST_LOG_INFO, "agent", "pid %d listens at %s", (int)getpid(), path);
        rc = mst_ipc_serve(&o, e, err);
        mst_log(MST_LOG_INFO, "agent", "pid %d ends%s%s", (int)getpid(), rc ? ": " : "",
                rc ? err->msg : "");
    }
    mst_engine_close(e);
    return rc;
}

/* Started on demand: what goes wrong is told through the pipe, before anybody waits in vain. */
enum mst_rc cmd_agent(struct cmd_ctx *c, struct mst_err *err)
{
    int64_t ready;
    enum mst_rc rc = args_number(&c->args, "ready-fd", 3, 1023, -1, &ready, err);

    if (rc == MST_OK && ready < 0 && !args_has(&c->args, "foreground")) {
        struct mst_engine *running = NULL;
        char path[MST_IPC_PATH];

        rc = mst_ipc_path(c->cfg, path, err);
        if (rc == MST_OK) {
            rc = mst_ipc_attach(path, c->cfg, &running, err);
            mst_engine_close(running);
        }
        if (rc == MST_E_NOTFOUND) {
            rc = cmd_agent_start(c, err);
        }
        return rc == MST_OK ? cmd_agent_status(c, err) : rc;
    }
    if (rc == MST_OK) {
        rc = serve(c, (int)ready, err);
    }
    if (rc != MST_OK && ready >= 0) {
        const char code = (char)rc;

        (void)!write((int)ready, &code, 1);
        (void)!write((int)ready, err->msg, strlen(err->msg));
    }
    return rc;
}

/* --- starting one --- */

struct start {
    char *argv[16];
    size_t n;
};

static void add_arg(struct start *s, const char *option, const char *value)
{
    if (value && *value) {
        if (option) {
            s->argv[s->n++] = mst_xstrdup(option);
        }
        s->argv[s->n++] = mst_xstrdup(value);
    }
}

/* In the first child: a session of its own, then the process that stays. */
static _Noreturn void run_child(char **argv, int ready)
{
    const int null = open("/dev/null", O_RDWR);
    sigset_t none;
    pid_t pid;

    (void)setsid();
    pid = fork(); /* no terminal can become ours */
    if (pid != 0) {
        _exit(pid < 0);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)dup2(null, 0);
    (void)dup2(null, 1);
    (void)dup2(null, 2);
    if (ready != 3) {
        (void)dup2(ready, 3);
    }
    (void)close_range(4, ~0U, 0);
    if (chdir("/") != 0) {
        _exit(126);
    }
    (void)execv("/proc/self/exe", argv);
    _exit(127);
}

/* A byte 0 means ready; another is the code of what went wrong, its text follows; nothing means
 * that it died. */
static enum mst_rc await_ready(int fd, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + START_MS;
    char text[512];
    size_t n = 0;

    while (n < sizeof(text) - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const int64_t left = end - mst_clock_mono_ms(NULL);
        ssize_t got;

        if (left <= 0) {
            return mst_err_set(err, MST_E_TIMEOUT, "the agent did not start within %d s",
                               START_MS / 1000);
        }
        if (poll(&p, 1, (int)left) <= 0) {
            continue;
        }
        got = read(fd, text + n, sizeof(text) - 1 - n);
        if (got > 0 && text[n] == '\0') {
            return MST_OK;
        }
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
    }
    text[n] = '\0';
    return n > 1 && text[0] < MST_RC_COUNT
               ? mst_err_set(err, (enum mst_rc)text[0], "the agent could not start: %s", text + 1)
               : mst_err_set(err, MST_E_BUG, "the agent could not start: it ended at once");
}

static enum mst_rc start_one(const struct cmd_ctx *c, struct mst_err *err)
{
    struct start s = {.n = 0};
    int fd[2], status;
    pid_t pid;
    enum mst_rc rc;

    add_arg(&s, NULL, "muster");
    add_arg(&s, "--config", c->cfg->path);
    add_arg(&s, "--uri", c->cfg->uri);
    add_arg(&s, "--password-file", c->cfg->uri[0] ? c->cfg->set.cred[0].password_file : "");
    add_arg(&s, NULL, "agent");
    add_arg(&s, "--ready-fd", "3");
    if (pipe(fd) != 0) {
        return mst_err_set(err, MST_E_IO, "cannot make a pipe");
    }
    pid = fork();
    if (pid == 0) {
        run_child(s.argv, fd[1]);
    }
    (void)close(fd[1]);
    (void)waitpid(pid, &status, 0);
    rc = pid < 0 ? mst_err_set(err, MST_E_IO, "cannot start the agent") : await_ready(fd[0], err);
    (void)close(fd[0]);
    for (size_t i = 0; i < s.n; i++) {
        free(s.argv[i]);
    }
    return rc;
}

/* Several commands may start an agent at one moment: one of these gets the set, all may use it. */
enum mst_rc cmd_agent_start(const struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_engine *other = NULL;
    struct mst_err none = {0};
    char path[MST_IPC_PATH];
    enum mst_rc rc = start_one(c, err);
    const int64_t end = mst_clock_mono_ms(NULL) + OTHER_START_MS;

    while (rc == MST_E_BUSY && mst_clock_mono_ms(NULL) < end) {
        rc = mst_ipc_path(c->cfg, path, &none);
        if (rc == MST_OK) {
            rc = mst_ipc_attach(path, c->cfg, &other, &none);
        }
        if (rc == MST_E_NOTFOUND) {
            mst_clock_sleep_ms(50);
            rc = MST_E_BUSY;
        } else if (rc != MST_OK) {
            *err = none;
        }
    }
    mst_engine_close(other);
    return rc;
}

/* --- asking about it --- */

enum mst_rc cmd_agent_status(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_engine *e = NULL;
    const struct mst_view *v;
    struct mst_str out = {0};
    char path[MST_IPC_PATH];
    size_t active = 0;
    enum mst_rc rc = mst_ipc_path(c->cfg, path, err);

    if (rc == MST_OK) {
        rc = mst_ipc_attach(path, c->cfg, &e, err);
    }
    if (rc == MST_E_NOTFOUND) {
        c->exit_status = 1;
        return cmd_out("no agent runs\n", err);
    }
    if (rc != MST_OK) {
        return rc;
    }
    v = mst_engine_view(e);
    for (size_t i = 0; i < v->jobs->n; i++) {
        active += v->jobs->jobs[i].state <= MST_JOB_CANCELLING;
    }
    mst_str_addf(&out, "%s, at %s, %zu %s in work%s%s\n", v->info->agent, path, active,
                 mst_text_noun(active, "job", "jobs"), v->info->agent_note[0] ? "; " : "",
                 v->info->agent_note);
    rc = cmd_out(mst_str_c(&out), err);
    mst_str_release(&out);
    mst_view_release(v);
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_agent_stop(struct cmd_ctx *c, struct mst_err *err)
{
    char path[MST_IPC_PATH];
    enum mst_rc rc = mst_ipc_path(c->cfg, path, err);

    if (rc == MST_OK) {
        rc = mst_ipc_stop(path, args_has(&c->args, "force"), err);
    }
    return rc == MST_E_NOTFOUND ? cmd_out("no agent runs\n", err) : rc;
}
