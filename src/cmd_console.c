/* muster console: the screen, and what muster without a command is on a terminal. */
#include <signal.h>
#include <stdlib.h>

#include "cmd.h"
#include "ui/ui.h"

/* The process ends by the signal that ended the console, as a shell expects it. */
static void end_by(int sig)
{
    sigset_t one;

    (void)signal(sig, SIG_DFL);
    (void)sigemptyset(&one);
    (void)sigaddset(&one, sig);
    (void)sigprocmask(SIG_UNBLOCK, &one, NULL);
    (void)raise(sig);
}

enum mst_rc cmd_console(struct cmd_ctx *c, struct mst_err *err)
{
    const struct ui_opts opts = {.theme = args_get(&c->args, "theme"),
                                 .glyphs = args_get(&c->args, "glyphs"),
                                 .no_color = args_has(&c->args, "no-color")};
    struct mst_engine *engine = NULL;
    enum mst_rc rc = ui_check(err);

    if (rc != MST_OK) {
        return rc;
    }
    ui_signals_block();
    rc = cmd_engine(c, &engine, err);
    if (rc == MST_OK) {
        rc = ui_run(engine, &opts, err);
    }
    mst_engine_close(engine);
    if (rc == MST_E_CANCELLED && err->detail > 0) {
        end_by(err->detail);
    }
    return rc;
}
