/* page_switch.c: keys on the page of a run. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "ui/switch.h"

void ui_switch_page_open(struct ui_app *app, uint64_t job)
{
    struct ui_state *st = &app->st;

    st->run_page = true;
    st->run_log = false;
    st->run_job = job;
    st->run_top = 0;
    st->frozen = false; /* a run that stands still would be taken for a hang */
    app->dirty = true;
}

static void ask_undo(struct ui_app *app)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct mst_switch_part *m = ui_switch_part(&x);
    const struct mst_info_part *i = app->view->info;
    char id[24];

    if (!m && ui_switch_foreign(app->view)) {
        ui_app_say(app, MST_SEV_INFO, "undo: off, the run is another's: ask who is named there");
    } else if (!m || !m->live) {
        ui_app_say(app, MST_SEV_INFO, "undo: off, %s",
                   m ? "the run has ended; F plans the way back" : "it has not begun");
    } else if (i->agent_lost_ms > 0 || i->read_only || !i->may_switch) {
        ui_app_say(app, MST_SEV_INFO, "undo: off, %s",
                   i->agent_lost_ms > 0 ? "the agent does not answer"
                   : i->read_only       ? "read-only session"
                                        : i->may_not_switch_why);
    } else {
        (void)snprintf(id, sizeof id, "%" PRIu64, m->job);
        ui_dialog_open(app, UI_DLG_CANCEL, id);
    }
}

static void copy_line(struct ui_app *app)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct mst_switch_part *m = ui_switch_part(&x);
    char line[400];

    if (m) {
        (void)mst_copy(app->copy_wanted, sizeof app->copy_wanted,
                       ui_switch_line(m, app->st.now_mono_ms, line));
    } else {
        ui_app_say(app, MST_SEV_INFO, "there is nothing to copy");
    }
}

static void scroll(struct ui_app *app, int by)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct mst_switch_part *m = ui_switch_part(&x);
    const int most = app->st.run_log || !m ? MST_JOB_LOG_LINES : (int)m->n_lines;
    int *top = &app->st.run_top;

    /* The log begins with its newest line, the states end with it. */
    *top += app->st.run_log ? by : -by;
    *top = *top > most ? most : *top < 0 ? 0 : *top;
}

void ui_switch_page_key(struct ui_app *app, int key)
{
    const enum ui_act act = ui_keys_act(key, UI_ON_ALL);
    const int page = app->page > 1 ? app->page : 1;

    switch ((int)act) {
    case UI_ACT_BACK:
    case UI_ACT_RUN:
        app->st.run_page = false;
        if (ui_switch_live(app->view)) {
            ui_app_say(app, MST_SEV_INFO, "hidden: the run goes on, s shows it");
        }
        break;
    case UI_ACT_SCREEN:
        app->st.run_page = false;
        ui_app_act(app, act, key);
        break;
    case UI_ACT_UP:
    case UI_ACT_DOWN:
        scroll(app, act == UI_ACT_UP ? -1 : 1);
        break;
    case UI_ACT_PGUP:
    case UI_ACT_PGDN:
        scroll(app, act == UI_ACT_PGUP ? -page : page);
        break;
    case UI_ACT_CANCEL:
        ask_undo(app);
        break;
    case UI_ACT_COPY:
        copy_line(app);
        break;
    case UI_ACT_HELP:
    case UI_ACT_LOG:
    case UI_ACT_ACK:
    case UI_ACT_EXPORT:
    case UI_ACT_REPAINT:
    case UI_ACT_THEME:
    case UI_ACT_QUIT:
    case UI_ACT_RELOAD:
        ui_app_act(app, act, key);
        break;
    default:
        if (key == 'v') {
            app->st.run_log = !app->st.run_log;
            app->st.run_top = 0;
        } else {
            ui_app_say(app, MST_SEV_INFO, "q hides the run, X asks for its undo, v shows its log");
        }
        break;
    }
}

void ui_switch_page_show(struct ui_app *app)
{
    const struct mst_switch_part *m = app->view->move;

    if (ui_switch_foreign(app->view) && !(m && m->live)) {
        ui_switch_page_open(app, UI_RUN_FOREIGN);
    } else if (m) {
        ui_switch_page_open(app, m->job);
    } else {
        ui_app_say(app, MST_SEV_INFO,
                   "run: off, no switch ran while this agent lives; 3 Jobs has "
                   "the older ones");
    }
}

void ui_switch_seen(struct ui_app *app, const struct mst_view *next)
{
    const struct mst_switch_part *m = next->move;
    char line[400];

    if ((!app->view || !app->view->topo) && ui_switch_live(next)) {
        ui_switch_page_open(app, m->job);
    } else if (app->view && ui_switch_live(app->view) && m && !m->live && !app->st.run_page) {
        ui_app_say(app, m->exit == 0 ? MST_SEV_INFO : MST_SEV_WARN, "%.200s (s shows it)",
                   ui_switch_line(m, app->st.now_mono_ms, line));
    }
}
