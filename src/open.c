/* How a command gets its engine, and a password from a terminal. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cmd.h"
#include "ipc/ipc.h"

enum mst_rc cmd_ask(void *arg, const char *what, struct mst_secret *s, struct mst_err *err)
{
    const int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios was, quiet;
    char buf[1024];
    size_t n = 0;

    (void)arg;
    if (fd < 0 || tcgetattr(fd, &was) != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return mst_err_set(
            err, MST_E_AUTH, "the %s is asked on a terminal and there is none: %s", what,
            strncmp(what, "passphrase", 10) == 0 ? "name a file with it in section seal"
                                                 : "use password_file or password_command");
    }
    quiet = was;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(fd, TCSAFLUSH, &quiet);
    (void)!write(fd, what, strlen(what));
    (void)!write(fd, ": ", 2);
    while (n < sizeof(buf)) {
        const ssize_t got = read(fd, buf + n, 1);

        if (got < 0 && errno == EINTR && cmd_signal() == 0) {
            continue;
        }
        if (got != 1 || buf[n] == '\n') {
            break;
        }
        n++;
    }
    (void)!write(fd, "\n", 1);
    (void)tcsetattr(fd, TCSAFLUSH, &was);
    (void)close(fd);
    if (n > 0 && cmd_signal() == 0) {
        mst_secret_set(s, buf, n);
    }
    mst_wipe(buf, sizeof(buf));
    return s->p ? MST_OK : mst_err_set(err, MST_E_AUTH, "no %s was given", what);
}

/* What only a person at this terminal, or this process alone, can do stays here. */
static bool stays_here(const struct cmd_ctx *c)
{
    const char *no = getenv("MUSTER_NO_AGENT");
    bool prompts = false;

    for (size_t a = 0; a < MST_CRED_ACTS; a++) {
        prompts = prompts || c->cfg->set.cred[a].prompt;
    }
    return prompts || c->cfg->read_only || args_has(&c->args, "no-agent") || (no && *no);
}

static enum mst_rc attach(struct cmd_ctx *c, const char *path, struct mst_engine **out,
                          struct mst_err *err)
{
    const bool start = (c->cmd->flags & CMD_AGENT) != 0;
    enum mst_rc rc = mst_ipc_attach(path, c->cfg, out, err);

    if (rc == MST_E_NET) { /* it may have been about to end */
        mst_clock_sleep_ms(200);
        rc = mst_ipc_attach(path, c->cfg, out, err);
    }
    if (rc == MST_E_CONFIG && err->detail == MST_IPC_OTHER_CONFIG) {
        struct mst_err busy = {0};

        if (mst_ipc_stop(path, false, &busy) == MST_OK) { /* it has nothing to do */
            rc = MST_E_NOTFOUND;
        } else {
            mst_err_prefix(err, "%s", busy.msg);
        }
    }
    if (rc == MST_E_NOTFOUND && start) {
        rc = cmd_agent_start(c, err);
        if (rc == MST_OK) {
            rc = mst_ipc_attach(path, c->cfg, out, err);
        }
    }
    return rc;
}

enum mst_rc cmd_engine(struct cmd_ctx *c, struct mst_engine **out, struct mst_err *err)
{
    const struct mst_engine_opts o = {.cfg = c->cfg, .ask = cmd_ask};
    char path[MST_IPC_PATH];
    enum mst_rc rc = MST_E_NOTFOUND;

    if (!stays_here(c)) {
        rc = mst_ipc_path(c->cfg, path, err);
        if (rc == MST_OK) {
            rc = attach(c, path, out, err);
            c->agent = rc == MST_OK;
        }
    }
    return rc == MST_E_NOTFOUND ? mst_engine_open(&o, out, err) : rc;
}
