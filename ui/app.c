#include "ui/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/fmt.h"
#include "ui/prompt.h"
#include "ui/switch.h"

static struct ui_ctx ctx_of(const struct ui_app *app)
{
    return (struct ui_ctx){app->view, &app->st};
}

void ui_app_init(struct ui_app *app, const struct ui_engine *engine,
                 const struct ui_sandbox *sandbox)
{
    memset(app, 0, sizeof *app);
    app->engine = *engine;
    app->sandbox = sandbox;
    app->st.has_sandbox = sandbox != NULL;
    app->dirty = true;
    app->page = 10;
}

void ui_app_release(struct ui_app *app)
{
    if (app->st.dlg.ticket) {
        app->engine.ticket_free(app->st.dlg.ticket);
        app->st.dlg.ticket = NULL;
    }
}

void ui_app_say(struct ui_app *app, enum mst_severity severity, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(app->st.msg, sizeof app->st.msg, fmt, ap);
    va_end(ap);
    mst_text_sanitise(app->st.msg);
    app->st.msg_severity = severity;
    app->st.msg_wall_ms = app->st.now_wall_ms;
    app->dirty = true;
}

/* Newer messages of the engine go to the message line; an error stays until it is acknowledged or a
 * worse one comes. */
static void take_messages(struct ui_app *app)
{
    const struct mst_messages_part *m = app->view->messages;
    struct ui_state *st = &app->st;

    for (size_t i = 0; i < m->n; i++) {
        const struct mst_message *msg = &m->items[i];
        const bool kept = st->msg[0] && st->msg_severity > msg->severity;

        if (msg->seq <= st->shown_seq) {
            continue;
        }
        app->bell |= msg->severity == MST_SEV_CRIT && st->shown_seq > 0;
        st->shown_seq = msg->seq;
        if (!kept) {
            (void)mst_copy(st->msg, sizeof st->msg, msg->text);
            st->msg_severity = msg->severity;
            st->msg_wall_ms = msg->wall_ms;
        }
    }
}

/* An answer to a key took the line of what is wrong: it gives it back. */
static void recall_alert(struct ui_app *app)
{
    struct ui_state *st = &app->st;
    const struct mst_messages_part *m =
        app->view && app->view->messages ? app->view->messages : NULL;

    if (!m || st->msg_severity != MST_SEV_INFO ||
        st->now_wall_ms - st->msg_wall_ms < UI_RECALL_MS) {
        return;
    }
    for (size_t i = m->n; i > 0 && m->items[i - 1].seq > st->acked_seq; i--) {
        const struct mst_message *msg = &m->items[i - 1];

        if (msg->severity != MST_SEV_INFO) {
            (void)mst_copy(st->msg, sizeof st->msg, msg->text);
            st->msg_severity = msg->severity;
            st->msg_wall_ms = msg->wall_ms;
            app->dirty = true;
            return;
        }
    }
}

void ui_app_engine(struct ui_app *app, void *engine)
{
    const bool asked = app->st.layer == UI_LAYER_DIALOG && app->st.dlg.step != UI_STEP_EDIT;

    app->engine.arg = engine;
    app->st.acked_seq = app->st.shown_seq = 0;
    app->st.frozen = false;
    if (asked) { /* the plan was the dead one's */
        ui_dialog_close(app);
    }
    ui_app_say(app, MST_SEV_WARN, "%s",
               asked
                   ? "the agent was lost: the plan is void, nothing was done"
                   : "the agent was lost, there is one again: 3 Jobs says what became of its jobs");
}

void ui_app_view(struct ui_app *app, const struct mst_view *v)
{
    const bool first = !app->view;

    ui_switch_seen(app, v);
    app->view = v;
    app->dirty = true;
    take_messages(app);
    if (first && !app->st.msg[0] && strcmp(v->info->set_class, "SANDBOX") == 0) {
        ui_app_say(app, MST_SEV_INFO,
                   "a sandbox: K breaks it, B backs it up; at the end F moves its primary");
    }
    ui_app_settle(app);
}

void ui_app_tick(struct ui_app *app, int64_t mono_ms, int64_t wall_ms)
{
    struct ui_state *st = &app->st;
    char text[200];
    bool failed = false;

    if (st->now_wall_ms / 1000 != wall_ms / 1000 || st->now_mono_ms / 1000 != mono_ms / 1000) {
        app->dirty = true;
    }
    app->dirty |= app->view && ui_switch_live(app->view) && st->now_mono_ms / 100 != mono_ms / 100;
    st->now_mono_ms = mono_ms;
    st->now_wall_ms = wall_ms;
    ui_dialog_tick(app);
    recall_alert(app);
    if (app->sandbox && app->sandbox->result(app->sandbox->arg, text, sizeof text, &failed)) {
        ui_app_say(app, failed ? MST_SEV_WARN : MST_SEV_INFO, "%s", text);
    }
}

void ui_app_draw(const struct ui_app *app, struct ui_canvas *cv)
{
    const struct ui_ctx x = ctx_of(app);

    ui_draw(&x, cv);
}

static void go_screen(struct ui_app *app, enum ui_scr s)
{
    if (app->st.scr != s) {
        app->st.before = app->st.scr;
        app->st.scr = s;
        ui_app_settle(app);
        ui_app_look(app, false);
    }
}

static void move_row(struct ui_app *app, int by)
{
    const struct ui_ctx x = ctx_of(app);
    const struct ui_screen *s = ui_screen_of(app->st.scr);
    struct ui_rows r = {0};
    size_t at;

    if (!s->rows) {
        return;
    }
    s->rows(&x, &r);
    at = ui_rows_find(&r, s->selected(&x));
    if (r.n > 0) {
        const int64_t want = at >= r.n ? 0 : (int64_t)at + by;

        s->select(app->view, &app->st,
                  r.idx[want < 0               ? 0
                        : want >= (int64_t)r.n ? r.n - 1
                                               : (size_t)want]);
    }
    ui_rows_release(&r);
}

static void act_move(struct ui_app *app, int by)
{
    const struct ui_screen *s = ui_screen_of(app->st.scr);
    const struct ui_scr_state *ss = &app->st.s[app->st.scr];

    if (s->rows && s->pane[ss->pane].is_list) {
        move_row(app, by);
    } else {
        ui_app_scroll(app, by);
    }
}

void ui_app_filter(struct ui_app *app, const char *text)
{
    const struct ui_ctx x = ctx_of(app);
    const struct ui_screen *s = ui_screen_of(app->st.scr);
    struct ui_rows r = {0};

    if (!s->rows) {
        ui_app_say(app, MST_SEV_INFO, "%s has no list to filter", s->title);
        return;
    }
    (void)mst_copy(app->st.s[app->st.scr].find, sizeof app->st.s[0].find, text);
    s->rows(&x, &r);
    /* What is out of sight is not what a key should mean. */
    if (r.n > 0 && ui_rows_find(&r, s->selected(&x)) == r.n) {
        s->select(app->view, &app->st, r.idx[0]);
    }
    ui_rows_release(&r);
}

static void act_open(struct ui_app *app)
{
    static const enum ui_scr from_dash[] = {
        UI_SCR_TOPO, UI_SCR_BUCKET, UI_SCR_JOBS, UI_SCR_COUNT /* the messages */,
        UI_SCR_TOPO, UI_SCR_JOBS,   UI_SCR_JOBS};
    struct ui_scr_state *ss = &app->st.s[app->st.scr];

    if (app->st.scr == UI_SCR_DASH) {
        if (from_dash[ss->pane] != UI_SCR_COUNT) {
            go_screen(app, from_dash[ss->pane]);
        } else {
            app->st.layer = UI_LAYER_LOG;
            app->st.layer_top = 0;
        }
        return;
    }
    if (app->st.scr == UI_SCR_BUCKET && (ss->pane == 0 || ui_app_detail_wanted(app))) {
        ui_app_ask_detail(app);
        ss->pane = 2;
    } else if (ss->pane == 0) {
        ss->pane = app->st.scr == UI_SCR_TOPO ? 2 : 1;
    } else {
        ss->zoom = true;
    }
}

static void act_back(struct ui_app *app)
{
    struct ui_scr_state *ss = &app->st.s[app->st.scr];

    if (ss->zoom) {
        ss->zoom = false;
    } else if (ss->find[0]) {
        ss->find[0] = '\0';
    } else if (ss->pane > 0) {
        ss->pane = 0;
    } else if (app->st.scr != UI_SCR_DASH) {
        go_screen(app, UI_SCR_DASH);
    } else {
        ui_app_say(app, MST_SEV_INFO, "Q leaves muster");
    }
}

static void act_quit(struct ui_app *app)
{
    const struct mst_jobs_part *j = app->view->jobs;
    bool busy = false;

    for (size_t i = 0; i < j->n; i++) {
        busy |= j->jobs[i].ended_wall_ms == 0;
    }
    if (busy && strstr(app->view->info->agent, "this process")) {
        ui_dialog_open(app, UI_DLG_QUIT, "");
    } else {
        app->quit = true;
    }
}

static void act_ack(struct ui_app *app)
{
    const struct mst_messages_part *m = app->view->messages;

    app->st.acked_seq = m->n > 0 ? m->items[m->n - 1].seq : app->st.acked_seq;
    app->st.msg[0] = '\0';
    app->st.msg_severity = MST_SEV_INFO;
}

void ui_app_dialog(struct ui_app *app, enum ui_act act, const char *what)
{
    static const enum ui_dlg_kind kinds[] = {
        [UI_ACT_BACKUP] = UI_DLG_BACKUP,   [UI_ACT_RESTORE] = UI_DLG_RESTORE,
        [UI_ACT_VERIFY] = UI_DLG_VERIFY,   [UI_ACT_CANCEL] = UI_DLG_CANCEL,
        [UI_ACT_DISCARD] = UI_DLG_DISCARD, [UI_ACT_SANDBOX] = UI_DLG_SANDBOX,
        [UI_ACT_SWITCH] = UI_DLG_SWITCH,   [UI_ACT_COPY_TO] = UI_DLG_COPY,
        [UI_ACT_HOLD] = UI_DLG_HOLD,       [UI_ACT_STORE_TEST] = UI_DLG_STORE_TEST};
    const struct ui_ctx x = ctx_of(app);
    char why[160];

    ui_act_why_not(&x, act, why, sizeof why);
    if (act == UI_ACT_CANCEL && what[0]) {
        why[0] = '\0';
    }
    if (why[0]) {
        ui_app_say(app, MST_SEV_INFO, "%s: off, %s", ui_keys_of(act, UI_ON_ALL)->word, why);
        return;
    }
    ui_dialog_open(app, kinds[act], what);
}

static void act_layer(struct ui_app *app, enum ui_act act)
{
    app->st.layer = act == UI_ACT_HELP  ? UI_LAYER_HELP
                    : act == UI_ACT_LOG ? UI_LAYER_LOG
                                        : UI_LAYER_MENU;
    app->st.layer_top = 0;
    app->st.menu_sel = 0;
}

static void act_prompt(struct ui_app *app, char mark)
{
    app->st.prompt = mark;
    ui_line_set(&app->st.input, mark == '/' ? app->st.s[app->st.scr].find : "");
    app->st.completions[0] = '\0';
    app->history_at = app->n_history;
}

static void act_screen(struct ui_app *app, int key)
{
    if (key == '-') {
        go_screen(app, app->st.before);
        return;
    }
    if (key >= '1' && key < '1' + UI_SCR_COUNT) {
        go_screen(app, (enum ui_scr)(key - '1'));
    } else {
        ui_app_say(app, MST_SEV_INFO, "screen %c does not exist in this version", key);
    }
}

static void act_show(struct ui_app *app, enum ui_act act)
{
    struct ui_scr_state *ss = &app->st.s[app->st.scr];

    switch ((int)act) {
    case UI_ACT_ZOOM:
        ss->zoom = !ss->zoom;
        break;
    case UI_ACT_VIEW:
        ss->other = !ss->other;
        break;
    case UI_ACT_FREEZE:
        app->st.frozen = !app->st.frozen;
        app->st.frozen_mono_ms = app->st.now_mono_ms;
        break;
    case UI_ACT_THEME:
        (void)mst_copy(app->theme_wanted, sizeof app->theme_wanted, "next");
        break;
    case UI_ACT_REPAINT:
        app->repaint = true;
        break;
    case UI_ACT_SORT:
    case UI_ACT_SORT_TURN:
        ui_app_sort(app, act == UI_ACT_SORT_TURN);
        break;
    case UI_ACT_COPY:
        ui_app_copy(app);
        break;
    case UI_ACT_NEXT_STORE:
    case UI_ACT_PREV_STORE:
        ui_app_store(app, act == UI_ACT_NEXT_STORE ? 1 : -1);
        break;
    case UI_ACT_EXPORT:
        app->export_wanted = true;
        break;
    default:
        break;
    }
}

static void act_moves(struct ui_app *app, enum ui_act act)
{
    const int page = app->page > 1 ? app->page : 1;

    switch ((int)act) {
    case UI_ACT_UP:
    case UI_ACT_DOWN:
        act_move(app, act == UI_ACT_UP ? -1 : 1);
        break;
    case UI_ACT_PGUP:
    case UI_ACT_PGDN:
        act_move(app, act == UI_ACT_PGUP ? -page : page);
        break;
    case UI_ACT_FIRST:
    case UI_ACT_LAST:
        act_move(app, act == UI_ACT_FIRST ? -1000000 : 1000000);
        break;
    default:
        break;
    }
}

void ui_app_act(struct ui_app *app, enum ui_act act, int key)
{
    app->dirty = true;
    switch ((int)act) {
    case UI_ACT_UP:
    case UI_ACT_DOWN:
    case UI_ACT_PGUP:
    case UI_ACT_PGDN:
    case UI_ACT_FIRST:
    case UI_ACT_LAST:
        act_moves(app, act);
        break;
    case UI_ACT_NEXT_ITEM:
    case UI_ACT_PREV_ITEM:
        move_row(app, act == UI_ACT_PREV_ITEM ? -1 : 1);
        break;
    case UI_ACT_NEXT_PANE:
    case UI_ACT_PREV_PANE:
        ui_app_pane(app, act == UI_ACT_PREV_PANE ? -1 : 1);
        break;
    case UI_ACT_OPEN:
        act_open(app);
        break;
    case UI_ACT_BACK:
        act_back(app);
        break;
    case UI_ACT_QUIT:
        act_quit(app);
        break;
    case UI_ACT_SCREEN:
    case UI_ACT_LAST_SCREEN:
        act_screen(app, key);
        break;
    case UI_ACT_FIND:
    case UI_ACT_COMMAND:
        act_prompt(app, act == UI_ACT_FIND ? '/' : ':');
        break;
    case UI_ACT_MENU:
    case UI_ACT_HELP:
    case UI_ACT_LOG:
        act_layer(app, act);
        break;
    case UI_ACT_ACK:
        act_ack(app);
        break;
    case UI_ACT_RUN:
        ui_switch_page_show(app);
        break;
    case UI_ACT_RELOAD:
        ui_app_reload(app);
        break;
    default:
        if (act >= UI_ACT_FIRST_DIALOG && act < UI_ACT_COUNT) {
            ui_app_dialog(app, act, "");
        } else {
            act_show(app, act);
        }
        break;
    }
}

static void menu_key(struct ui_app *app, int key)
{
    const struct ui_ctx x = ctx_of(app);
    struct ui_choice c[32];
    const int n = (int)ui_choices(&x, c, MST_COUNT(c));
    int *sel = &app->st.menu_sel;

    if (key == UI_KEY_UP || key == 'k') {
        *sel = *sel > 0 ? *sel - 1 : n - 1;
    } else if (key == UI_KEY_DOWN || key == 'j' || key == UI_KEY_TAB) {
        *sel = *sel + 1 < n ? *sel + 1 : 0;
    } else if (key == UI_KEY_ENTER && *sel < n) {
        app->st.layer = UI_LAYER_NONE;
        ui_app_act(app, c[*sel].key->act, c[*sel].key->key);
    } else if (key == UI_KEY_ESC || key == 'q' || key == '.' || key == UI_KEY_CTRL_C) {
        app->st.layer = UI_LAYER_NONE;
    }
}

static void text_layer_key(struct ui_app *app, int key)
{
    const int most = ui_app_layer_limit(app);
    const enum ui_act act = ui_keys_act(key, UI_ON_DASH);
    int *top = &app->st.layer_top;

    switch ((int)act) {
    case UI_ACT_UP:
        --*top;
        break;
    case UI_ACT_DOWN:
        ++*top;
        break;
    case UI_ACT_PGUP:
        *top -= app->page;
        break;
    case UI_ACT_PGDN:
        *top += app->page;
        break;
    case UI_ACT_FIRST:
        *top = 0;
        break;
    case UI_ACT_LAST:
        *top = most;
        break;
    case UI_ACT_ACK:
        act_ack(app);
        break;
    default:
        app->st.layer = UI_LAYER_NONE;
        if (act == UI_ACT_SCREEN || act == UI_ACT_HELP || act == UI_ACT_LOG) {
            const bool same = act == UI_ACT_HELP || act == UI_ACT_LOG;

            if (!same) {
                ui_app_act(app, act, key);
            }
        }
        break;
    }
    *top = *top > most ? most : *top;
    *top = *top < 0 ? 0 : *top;
}

void ui_app_key(struct ui_app *app, int key, const char *paste)
{
    struct ui_state *st = &app->st;

    if (!app->view || !app->view->topo || key == UI_KEY_NONE) {
        if (key == 'Q' || key == UI_KEY_CTRL_C) {
            app->quit = true;
        }
        return;
    }
    app->dirty = true;
    if (st->layer == UI_LAYER_DIALOG) {
        ui_dialog_key(app, key, paste);
    } else if (st->prompt) {
        ui_app_prompt_key(app, key, paste);
    } else if (key == UI_KEY_PASTE) {
        ui_app_say(app, MST_SEV_INFO, "pasted text was ignored: no field is open");
    } else if (st->layer == UI_LAYER_MENU) {
        menu_key(app, key);
    } else if (st->layer != UI_LAYER_NONE) {
        text_layer_key(app, key);
    } else if (key == UI_KEY_CTRL_C) {
        ui_app_say(app, MST_SEV_INFO, "Q leaves muster");
    } else if (st->run_page) {
        ui_switch_page_key(app, key);
    } else {
        const enum ui_act act = ui_keys_act(key, ui_screen_of(st->scr)->bit);

        if (act == UI_ACT_NONE) {
            app->bell = key < 0x110000;
            ui_app_say(app, MST_SEV_INFO, "this key does nothing here: ? lists the keys");
        } else {
            ui_app_act(app, act, key);
        }
    }
    app->last_key = key;
    app->last_key_ms = st->now_mono_ms;
}
