/* run.c: the loop: terminal, engine and signals in one poll. Nothing here blocks. */
#include "ui/ui.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "ui/app.h"
#include "ui/lines.h"
#include "ui/switch.h"
#include "ui/term.h"
#include "ui/theme.h"

enum {
    FRAMES_PER_S = 30, /* a held key repeats about as often */
    FRAME_MS = 1000 / FRAMES_PER_S,
    VIEW_FRAME_MS = 250, /* a change of the set alone paints at most this often */
    LIVE_FRAME_MS = 100, /* while a switch runs */
    BELL_MS = 10000,
    LOOK_MS = 2000, /* after the agent is lost, and between two searches for it */
    PASTE_MAX = 4096
};

struct loop {
    struct ui_app app;
    struct ui_term *term;
    struct ui_canvas cv;
    struct ui_theme theme;
    struct mst_engine *engine;
    const struct mst_view *view, *held; /* shown; newest while frozen */
    const char *export_dir;
    const struct ui_again *again;
    bool looking; /* for an agent */
    int64_t look_ms;
    int sig_fd, end_signal;
    bool resized, keyed, mono_only;
    int64_t painted_ms, bell_ms, tokens_ms;
    double tokens;
    int more_ms;
};

static const int watched[] = {SIGWINCH, SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT};

static void signal_set(sigset_t *set)
{
    (void)sigemptyset(set);
    for (size_t i = 0; i < MST_COUNT(watched); i++) {
        (void)sigaddset(set, watched[i]);
    }
}

enum mst_rc ui_check(struct mst_err *err)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        return mst_err_set(err, MST_E_USAGE,
                           "the console needs a terminal; without one use 'muster status --plain' "
                           "or 'muster watch --json'");
    }
    return MST_OK;
}

void ui_signals_block(void)
{
    sigset_t set;

    signal_set(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* --- the real engine behind the app's table --- */

static enum mst_rc real_submit(void *e, const struct mst_cmd *cmd, uint64_t *job,
                               struct mst_err *err)
{
    return mst_engine_submit(e, cmd, job, err);
}
static enum mst_rc real_prepare(void *e, const struct mst_cmd *cmd, uint64_t *handle,
                                struct mst_err *err)
{
    return mst_engine_prepare(e, cmd, handle, err);
}
static enum mst_rc real_ticket(void *e, uint64_t handle, struct mst_ticket **out,
                               struct mst_err *err)
{
    return mst_engine_ticket(e, handle, out, err);
}
static enum mst_rc real_commit(void *e, const struct mst_ticket *t, const char *typed,
                               uint64_t *job, struct mst_err *err)
{
    return mst_engine_commit(e, t, typed, job, err);
}

static void load_theme(struct loop *l, const char *name)
{
    struct mst_err err = {0};
    struct ui_theme next;

    if (strcmp(name, "next") == 0) {
        name = strcmp(l->theme.name, "default") == 0 ? "mono" : "default";
    }
    if (l->mono_only && strcmp(name, "mono") != 0) {
        ui_app_say(&l->app, MST_SEV_INFO,
                   "colours are off: the terminal has none, or NO_COLOR is set");
        return;
    }
    if (ui_theme_load(&next, name, &err) != MST_OK) {
        ui_app_say(&l->app, MST_SEV_WARN, "%s", err.msg);
        return;
    }
    l->theme = next;
    ui_term_theme(l->term, &l->theme);
    l->app.repaint = true;
}

static void copy_text(struct loop *l)
{
    struct mst_err err = {0};

    if (ui_term_copy(l->term, l->app.copy_wanted, &err) == MST_OK) {
        ui_app_say(&l->app, MST_SEV_INFO, "handed to the terminal's clipboard: %.160s",
                   l->app.copy_wanted);
    } else {
        ui_app_say(&l->app, MST_SEV_WARN, "%s", err.msg);
    }
    l->app.copy_wanted[0] = '\0';
}

/* The screen as it stands, without colours, for a ticket; only its owner may read it. */
static void export_screen(struct loop *l)
{
    const struct ui_screen *s = ui_screen_of(l->app.st.scr);
    struct mst_str text = {0};
    struct mst_err err = {0};
    char path[600], name[64], stamp[MST_TIME_MAX];

    l->app.export_wanted = false;
    (void)mst_time_iso(mst_clock_utc_ms(NULL), stamp);
    (void)snprintf(name, sizeof name, "%s-", s->tab); /* "Topo-20261122T140322Z": short enough */
    for (const char *p = stamp; *p; p++) {
        const size_t n = strlen(name);

        (void)snprintf(name + n, sizeof name - n, "%.*s", *p != '-' && *p != ':', p);
    }
    (void)snprintf(path, sizeof path, "%s/%s.txt", l->export_dir, name);
    ui_app_draw(&l->app, &l->cv);
    ui_canvas_text(&l->cv, &text);
    if (mst_file_replace(path, 0600, mst_str_c(&text), text.len, &err) == MST_OK) {
        ui_app_say(&l->app, MST_SEV_INFO, "kept in %s", path);
    } else {
        ui_app_say(&l->app, MST_SEV_WARN, "%s", err.msg);
    }
    mst_str_release(&text);
}

static void take_wishes(struct loop *l)
{
    if (l->app.theme_wanted[0]) {
        char name[sizeof l->app.theme_wanted];

        (void)mst_copy(name, sizeof name, l->app.theme_wanted);
        l->app.theme_wanted[0] = '\0';
        load_theme(l, name);
    }
    if (l->app.glyphs_wanted[0]) {
        const bool ascii = strcmp(l->app.glyphs_wanted, "ascii") == 0;

        if (!ascii && ui_term_ascii(l->term)) {
            ui_app_say(&l->app, MST_SEV_INFO, "this locale or terminal shows ASCII only");
        } else {
            l->cv.ascii = ascii;
        }
        l->app.glyphs_wanted[0] = '\0';
        l->app.dirty = true;
    }
    if (l->app.copy_wanted[0]) {
        copy_text(l);
    }
    if (l->app.export_wanted) {
        export_screen(l);
    }
    if (l->app.flush_input) {
        ui_term_flush_input(l->term);
        l->app.flush_input = false;
    }
}

static void on_signal(struct loop *l)
{
    struct signalfd_siginfo si;

    while (read(l->sig_fd, &si, sizeof si) == (ssize_t)sizeof si) {
        switch (si.ssi_signo) {
        case SIGWINCH:
            l->resized = true;
            break;
        case SIGINT:
            l->keyed = true;
            ui_app_key(&l->app, UI_KEY_CTRL_C, NULL);
            break;
        case SIGTSTP:
            ui_term_suspend(l->term);
            l->resized = true;
            break;
        case SIGCONT:
            l->resized = true;
            break;
        default:
            l->end_signal = (int)si.ssi_signo;
            break;
        }
    }
}

static void tick(struct loop *l)
{
    ui_app_tick(&l->app, mst_clock_mono_ms(NULL), mst_clock_utc_ms(NULL));
}

static void on_keys(struct loop *l)
{
    char paste[PASTE_MAX];
    int key;

    tick(l);
    while ((key = ui_term_key(l->term, paste, sizeof paste, &l->more_ms)) != UI_KEY_NONE) {
        l->keyed = true;
        ui_app_key(&l->app, key, paste);
        take_wishes(l);
    }
}

static void on_view(struct loop *l)
{
    const struct mst_view *next = mst_engine_view(l->engine);

    if (l->app.st.frozen && l->view) {
        mst_view_release(l->held);
        l->held = next;
        return;
    }
    ui_app_view(&l->app, next);
    mst_view_release(l->view);
    l->view = next;
}

/* The display was frozen and is not any more: show the newest view that came meanwhile. */
static void thaw(struct loop *l)
{
    if (!l->app.st.frozen && l->held) {
        ui_app_view(&l->app, l->held);
        mst_view_release(l->view);
        l->view = l->held;
        l->held = NULL;
    }
}

static void take_engine(struct loop *l, struct mst_engine *e)
{
    l->engine = e;
    ui_app_engine(&l->app, e);
    mst_view_release(l->held);
    l->held = NULL;
    on_view(l);
}

/* An agent that died is looked for, and started where there is none. */
static void look_for_agent(struct loop *l)
{
    const struct mst_view *newest = l->held ? l->held : l->view;
    const int64_t now = mst_clock_mono_ms(NULL);
    struct mst_engine *e = NULL;
    char text[300];

    if (!l->again || !newest || newest->info->agent_lost_ms == 0) {
        return;
    }
    if (!l->looking && now - newest->info->agent_lost_ms >= LOOK_MS && now >= l->look_ms) {
        l->looking = l->again->start(l->again->arg);
        l->look_ms = now + LOOK_MS;
    } else if (l->looking && l->again->result(l->again->arg, &e, text, sizeof text)) {
        l->looking = false;
        l->look_ms = now + 5 * LOOK_MS;
        if (e) {
            take_engine(l, e);
        } else {
            ui_app_say(&l->app, MST_SEV_WARN, "no agent: %s", text);
        }
    }
}

static bool moving(const struct loop *l)
{
    return l->view && ui_switch_live(l->view) && l->view->info->agent_lost_ms == 0;
}

static bool may_paint(struct loop *l, int64_t now)
{
    l->tokens += (double)(now - l->tokens_ms) * FRAMES_PER_S / 1000.0;
    l->tokens = l->tokens > FRAMES_PER_S ? FRAMES_PER_S : l->tokens;
    l->tokens_ms = now;
    if (!l->keyed && !l->resized &&
        now - l->painted_ms < (moving(l) ? LIVE_FRAME_MS : VIEW_FRAME_MS)) {
        return false;
    }
    return l->tokens >= 1 && ui_term_ready(l->term);
}

static void paint(struct loop *l)
{
    const int64_t now = mst_clock_mono_ms(NULL);
    int rows, cols;

    if (!(l->app.dirty || l->app.repaint || l->resized) || !may_paint(l, now)) {
        return;
    }
    if (l->resized) {
        ui_term_resized(l->term);
        ui_term_size(l->term, &rows, &cols);
        ui_canvas_size(&l->cv, rows, cols);
        ui_app_size(&l->app, rows, cols);
    }
    ui_app_draw(&l->app, &l->cv);
    ui_term_paint(l->term, &l->cv, l->app.repaint);
    if (l->app.bell && now - l->bell_ms > BELL_MS) {
        ui_term_bell(l->term);
        l->bell_ms = now;
    }
    l->app.bell = l->app.dirty = l->app.repaint = l->resized = l->keyed = false;
    l->painted_ms = now;
    l->tokens -= 1;
}

static int next_ms(const struct loop *l)
{
    const int to_second = (int)(1000 - mst_clock_utc_ms(NULL) % 1000);
    int ms = to_second;

    if (l->more_ms >= 0 && l->more_ms < ms) {
        ms = l->more_ms;
    }
    if (l->app.dirty || l->resized) {
        ms = ms < FRAME_MS ? ms : FRAME_MS;
    }
    return (l->looking || moving(l) || l->app.st.layer == UI_LAYER_DIALOG) && ms > 100 ? 100 : ms;
}

static enum mst_rc loop(struct loop *l, struct mst_err *err)
{
    struct pollfd fds[3] = {{ui_term_fd(l->term), POLLIN, 0},
                            {mst_engine_wake_fd(l->engine), POLLIN, 0},
                            {l->sig_fd, POLLIN, 0}};

    paint(l); /* what is known is on the screen before the first wait */
    while (!l->app.quit && l->end_signal == 0) {
        int n;

        fds[1].fd = mst_engine_wake_fd(l->engine); /* it may be another one */
        n = poll(fds, MST_COUNT(fds), next_ms(l));

        if (n < 0 && errno != EINTR) {
            return mst_err_set_detail(err, MST_E_IO, errno, "poll failed");
        }
        tick(l);
        if (n > 0 && fds[2].revents) {
            on_signal(l);
        }
        if (n > 0 && (fds[0].revents & (POLLHUP | POLLERR))) {
            l->end_signal = SIGHUP;
        }
        on_keys(l);
        if (n > 0 && fds[1].revents) {
            on_view(l);
        }
        thaw(l);
        look_for_agent(l);
        take_wishes(l);
        paint(l);
    }
    return MST_OK;
}

static enum mst_rc start(struct loop *l, const struct ui_opts *opts, struct mst_err *err)
{
    const char *env = getenv("NO_COLOR");
    const bool no_color = opts->no_color || (env && *env);
    sigset_t set;
    enum mst_rc rc = ui_term_open(&l->term, no_color, err);
    int rows, cols;

    if (rc != MST_OK) {
        return rc;
    }
    signal_set(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    l->sig_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (l->sig_fd < 0) {
        return mst_err_set_detail(err, MST_E_IO, errno, "signals cannot be read");
    }
    if (ui_term_is_lines(l->term)) {
        return MST_OK;
    }
    l->mono_only = !ui_term_colors(l->term);
    rc = ui_theme_load(&l->theme,
                       l->mono_only  ? "mono"
                       : opts->theme ? opts->theme
                                     : "default",
                       err);
    if (rc == MST_OK) {
        ui_term_theme(l->term, &l->theme);
        ui_term_size(l->term, &rows, &cols);
        ui_canvas_init(&l->cv, rows, cols,
                       ui_term_ascii(l->term) ||
                           (opts->glyphs && strcmp(opts->glyphs, "ascii") == 0));
        l->resized = true;
    }
    return rc;
}

enum mst_rc ui_run(struct mst_engine *engine, const struct ui_opts *opts, struct mst_err *err)
{
    struct ui_engine table = {engine,      real_submit, real_prepare,
                              real_ticket, real_commit, mst_ticket_free};
    struct loop *l = mst_xcalloc(1, sizeof *l);
    enum mst_rc rc;

    l->engine = engine;
    l->sig_fd = -1;
    l->export_dir = opts->export_dir;
    l->again = opts->again;
    l->more_ms = -1;
    l->tokens = FRAMES_PER_S;
    ui_app_init(&l->app, &table, opts->sandbox);
    if (opts->lead && strlen(opts->lead) < sizeof l->app.st.lead) {
        (void)mst_copy(l->app.st.lead, sizeof l->app.st.lead, opts->lead);
    }
    rc = ui_check(err);
    if (rc == MST_OK) {
        rc = start(l, opts, err);
    }
    if (rc == MST_OK && ui_term_is_lines(l->term)) {
        rc = ui_lines_run(engine, l->sig_fd, &l->end_signal, err);
    } else if (rc == MST_OK) {
        tick(l);
        on_view(l);
        if (ui_term_note(l->term)[0]) {
            ui_app_say(&l->app, MST_SEV_INFO, "%s", ui_term_note(l->term));
        }
        rc = loop(l, err);
    }
    ui_term_close(l->term);
    ui_app_release(&l->app);
    mst_view_release(l->held);
    mst_view_release(l->view);
    ui_canvas_release(&l->cv);
    if (l->sig_fd >= 0) {
        (void)close(l->sig_fd);
    }
    if (rc == MST_OK && l->end_signal) {
        rc = mst_err_set_detail(err, MST_E_CANCELLED, l->end_signal, "ended by signal %d",
                                l->end_signal);
    }
    free(l);
    return rc;
}
