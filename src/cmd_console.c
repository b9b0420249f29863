/* muster console: the screen, and what muster without a command is on a terminal. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cmd.h"
#include "conc/thread.h"
#include "follow.h"
#include "sandbox/ctl/ctl.h"
#include "ui/ui.h"

/* One act of the sandbox at a time, on a thread of its own: the screen never waits for it. */
struct sandbox {
    struct mst_mutex mu;
    struct mst_thread thread;
    char path[sizeof((struct mst_info_part *)0)->sandbox_ctl];
    char verb[16], member[MST_HOST_MAX], value[32];
    bool busy, done, failed;
    char text[200];
};

static void sandbox_ask(void *arg)
{
    struct sandbox *s = arg;
    const char *words[3] = {s->verb, s->member, s->value};
    const size_t n = s->value[0] ? 3 : 2;
    struct mst_str out = {0};
    struct mst_err err = {0};
    const enum mst_rc rc = sbx_ctl_ask(s->path, words, n, &out, &err);

    mst_mutex_lock(&s->mu);
    if (rc == MST_OK) {
        (void)snprintf(s->text, sizeof(s->text), "sandbox %s: %.120s", s->verb,
                       out.len ? mst_str_c(&out) : "done");
    } else {
        (void)snprintf(s->text, sizeof(s->text), "sandbox %s: %.150s", s->verb, err.msg);
    }
    s->text[strcspn(s->text, "\r\n")] = '\0';
    mst_text_sanitise(s->text);
    s->failed = rc != MST_OK;
    s->done = true;
    mst_mutex_unlock(&s->mu);
    mst_str_release(&out);
}

static bool sandbox_start(void *arg, const char *verb, const char *member, const char *value)
{
    struct sandbox *s = arg;
    struct mst_err err = {0};

    if (s->busy) {
        return false;
    }
    (void)mst_copy(s->verb, sizeof(s->verb), verb);
    (void)mst_copy(s->member, sizeof(s->member), member);
    (void)mst_copy(s->value, sizeof(s->value), value);
    s->done = false;
    s->busy = mst_thread_start(&s->thread, "sandbox-ctl", sandbox_ask, s, &err) == MST_OK;
    return s->busy;
}

static bool sandbox_result(void *arg, char *text, size_t size, bool *failed)
{
    struct sandbox *s = arg;
    bool done;

    mst_mutex_lock(&s->mu);
    done = s->busy && s->done;
    mst_mutex_unlock(&s->mu);
    if (done) {
        mst_thread_join(&s->thread);
        s->busy = false;
        *failed = s->failed;
        (void)mst_copy(text, size, s->text);
    }
    return done;
}

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

/* "80x24"; false when it is no size. */
static bool parse_size(const char *text, int *cols, int *rows)
{
    char *end;
    const long x = strtol(text, &end, 10);
    const long y = *end == 'x' ? strtol(end + 1, &end, 10) : 0;

    *cols = (int)x;
    *rows = (int)y;
    return *end == '\0' && x >= 1 && x <= 1000 && y >= 1 && y <= 1000;
}

/* The screen as text, once, for a pipe: --print overview --size 80x24. */
static enum mst_rc print_screen(struct cmd_ctx *c, const char *screen, struct mst_err *err)
{
    const char *size = args_get(&c->args, "size");
    struct mst_engine *e = NULL;
    const struct mst_view *v;
    struct mst_str out = {0};
    int cols = 80, rows = 24;
    int64_t end;
    enum mst_rc rc;

    if (size && !parse_size(size, &cols, &rows)) {
        return mst_err_set(err, MST_E_USAGE, "'%s' is no size: use COLUMNSxROWS, as in 80x24",
                           size);
    }
    rc = cmd_engine(c, &e, err);
    if (rc != MST_OK) {
        return rc;
    }
    v = cmd_first_facts(e);
    end = mst_clock_mono_ms(NULL) + 2000;
    while (v->bucket && v->bucket->loading && mst_clock_mono_ms(NULL) < end && cmd_wait(e, 200)) {
        mst_view_release(v);
        v = mst_engine_view(e);
    }
    rc = ui_screen_text(v, screen, rows, cols, mst_clock_mono_ms(NULL), mst_clock_utc_ms(NULL),
                        &out, err);
    if (rc == MST_OK) {
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    mst_view_release(v);
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_console(struct cmd_ctx *c, struct mst_err *err)
{
    struct sandbox *sandbox = mst_xcalloc(1, sizeof(*sandbox));
    const struct ui_sandbox acts = {sandbox, sandbox_start, sandbox_result};
    const struct ui_opts opts = {.theme = args_get(&c->args, "theme"),
                                 .glyphs = args_get(&c->args, "glyphs"),
                                 .export_dir = c->cfg->state_dir,
                                 .no_color = args_has(&c->args, "no-color"),
                                 .sandbox = c->cfg->sandbox.control[0] ? &acts : NULL};
    struct mst_engine *engine = NULL;
    enum mst_rc rc;

    if (args_get(&c->args, "print")) {
        free(sandbox);
        return print_screen(c, args_get(&c->args, "print"), err);
    }
    rc = ui_check(err);

    mst_mutex_init(&sandbox->mu);
    (void)mst_copy(sandbox->path, sizeof(sandbox->path), c->cfg->sandbox.control);
    if (rc == MST_OK) {
        ui_signals_block();
        rc = cmd_engine(c, &engine, err);
    }
    if (rc == MST_OK) {
        rc = ui_run(engine, &opts, err);
    }
    mst_engine_close(engine);
    mst_thread_join(&sandbox->thread);
    mst_mutex_release(&sandbox->mu);
    free(sandbox);
    if (rc == MST_E_CANCELLED && err->detail > 0) {
        end_by(err->detail);
    }
    return rc;
}
