/* dialog.c: what the dialogs ask and do. The first button leaves and has the focus; keys are dead
 * for a moment after a dialog opens; what destroys needs its phrase typed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ui/app.h"
#include "ui/fmt.h"
#include "ui/switch.h"

#define AUTO_SOURCE "muster chooses"

static struct ui_ctx ctx_of(const struct ui_app *app)
{
    return (struct ui_ctx){app->view, &app->st};
}

void ui_dialog_buttons(struct ui_form *f, const char *leave, const char *go)
{
    (void)ui_form_add(f, UI_F_BUTTON, '0', leave, "");
    if (go) {
        (void)ui_form_add(f, UI_F_BUTTON, 'g', go, "");
    }
    ui_form_focus(f, '0');
}

static void form_backup(struct ui_app *app)
{
    const struct mst_topo_view *v = &app->view->topo->v;
    struct ui_form *f = &app->st.dlg.form;

    (void)ui_form_add(f, UI_F_CHOICE, 's', "source",
                      UI_CHOOSE "; by itself a hidden or low-priority secondary");
    ui_form_choice(f, AUTO_SOURCE);
    for (size_t i = 0; i < v->n; i++) {
        if (!v->members[i].arbiter) {
            ui_form_choice(f, v->members[i].name);
        }
    }
    (void)ui_form_add(f, UI_F_TOGGLE, 'p', "primary too", "may read from the primary");
    (void)ui_form_add(f, UI_F_TEXT, 'i', "include",
                      "namespaces, e.g. shop.* or shop.orders; empty: all");
    (void)ui_form_add(f, UI_F_TEXT, 'x', "exclude", "namespaces; the backup is then PARTIAL");
    (void)ui_form_add(f, UI_F_TEXT, 'r', "rate MiB/s", "upper limit; empty: none");
    (void)ui_form_add(f, UI_F_TEXT, 'c', "scans", "collections read at a time; empty: 2");
    ui_dialog_buttons(f, "Cancel", "Start backup");
}

static void form_restore(struct ui_app *app, const char *id)
{
    const struct ui_ctx x = ctx_of(app);
    const struct mst_backup *b = ui_backup_selected(&x);
    struct ui_form *f = &app->st.dlg.form;
    struct ui_field *field;
    bool good;

    field = ui_form_add(f, UI_F_TEXT, 'b', "backup", "an id of the bucket, or latest");
    /* What cannot be restored is not offered. */
    good = b && (b->state == MST_BK_COMPLETE || b->state == MST_BK_PARTIAL);
    ui_line_set(&field->line, id[0] ? id : good ? b->id : "latest");
    ui_store_field(app);
    (void)ui_form_add(f, UI_F_TEXT, 'i', "include", "namespaces, e.g. shop.orders; empty: all");
    (void)ui_form_add(f, UI_F_TEXT, 'x', "exclude", "namespaces");
    (void)ui_form_add(f, UI_F_TEXT, 't', "target", "a URI without password; empty: this set");
    (void)ui_form_add(f, UI_F_TEXT, 'r', "rate MiB/s", "upper limit; empty: none");
    field = ui_form_add(f, UI_F_TOGGLE, 'n', "dry run", "read and plan, write nothing");
    field->on = true;
    (void)ui_form_add(f, UI_F_TEXT, 'w', "reason", "for the audit log");
    ui_dialog_buttons(f, "Cancel", "Review");
}

static void form_discard(struct ui_app *app)
{
    const struct mst_leavings_part *l = app->view->leavings;
    struct ui_form *f = &app->st.dlg.form;

    (void)ui_form_add(f, UI_F_CHOICE, 'd', "what", UI_CHOOSE);
    for (size_t i = 0; i < l->n; i++) {
        char text[UI_CHOICE_MAX];

        (void)snprintf(text, sizeof text, "%s", l->items[i].id);
        ui_form_choice(f, text);
    }
    (void)ui_form_add(f, UI_F_TEXT, 'w', "reason", "for the audit log");
    ui_dialog_buttons(f, "Cancel", "Review");
}

static void form_simple(struct ui_app *app, enum ui_dlg_kind kind, const char *what)
{
    const struct ui_ctx x = ctx_of(app);
    const struct mst_backup *b = ui_backup_selected(&x);
    struct ui_form *f = &app->st.dlg.form;

    if (kind == UI_DLG_VERIFY) {
        struct ui_field *field =
            ui_form_add(f, UI_F_TEXT, 'b', "backup", "an id of the bucket, or latest");

        ui_line_set(&field->line, what[0] ? what : b ? b->id : "latest");
        ui_store_field(app);
        ui_dialog_buttons(f, "Cancel", "Verify");
    } else if (kind == UI_DLG_CANCEL) {
        ui_dialog_buttons(f, "Leave it running",
                          app->st.run_page ? "Ask for the undo" : "Cancel the job");
    } else {
        ui_dialog_buttons(f, "Stay", "Leave");
    }
}

void ui_dialog_step(struct ui_app *app, enum ui_dlg_step step)
{
    struct ui_dialog *d = &app->st.dlg;

    d->step = step;
    d->open_mono_ms = app->st.now_mono_ms;
    d->top = 0;
    d->error[0] = '\0';
    app->flush_input = true;
}

void ui_dialog_open(struct ui_app *app, enum ui_dlg_kind kind, const char *what)
{
    struct ui_dialog *d = &app->st.dlg;
    const struct ui_ctx x = ctx_of(app);
    const struct mst_job *j = ui_job_selected(&x);

    ui_dialog_close(app);
    d->kind = kind;
    ui_form_reset(&d->form);
    memset(&d->cmd, 0, sizeof d->cmd);
    app->st.layer = UI_LAYER_DIALOG;
    ui_dialog_step(app, UI_STEP_EDIT);
    switch (kind) {
    case UI_DLG_BACKUP:
        form_backup(app);
        break;
    case UI_DLG_RESTORE:
        form_restore(app, what);
        break;
    case UI_DLG_DISCARD:
        form_discard(app);
        break;
    case UI_DLG_SANDBOX:
        ui_sandbox_form(app);
        break;
    case UI_DLG_SWITCH:
        ui_switch_open(app, what);
        break;
    case UI_DLG_CANCEL:
        d->cmd.job = what[0] ? strtoull(what, NULL, 10) : j ? j->id : 0;
        form_simple(app, kind, what);
        break;
    case UI_DLG_COPY:
    case UI_DLG_HOLD:
    case UI_DLG_STORE_TEST:
        ui_store_form(app, kind, what);
        break;
    case UI_DLG_VERIFY:
    case UI_DLG_QUIT:
    case UI_DLG_NONE:
        form_simple(app, kind, what);
        break;
    }
}

void ui_dialog_close(struct ui_app *app)
{
    struct ui_dialog *d = &app->st.dlg;

    if (d->ticket) {
        app->engine.ticket_free(d->ticket);
        d->ticket = NULL;
    }
    d->kind = UI_DLG_NONE;
    d->handle = 0;
    app->st.layer = UI_LAYER_NONE;
    app->dirty = true;
}

static const char *typed(const struct ui_dialog *d, char id)
{
    const struct ui_field *f = ui_form_at(&d->form, id);

    return f ? f->line.text : "";
}

static bool ticked(const struct ui_dialog *d, char id)
{
    const struct ui_field *f = ui_form_at(&d->form, id);

    return f && f->on;
}

static enum mst_rc patterns(const char *text, const char *label, char (*out)[160], size_t *n,
                            struct mst_err *err)
{
    for (*n = 0; *text;) {
        const size_t skip = strspn(text, " ,");
        const size_t len = strcspn(text + skip, " ,");

        text += skip;
        if (len == 0) {
            break;
        }
        if (*n >= MST_CMD_PATTERNS || len >= sizeof *out) {
            return mst_err_set(err, MST_E_LIMIT, "%s: at most %d patterns of %d characters", label,
                               MST_CMD_PATTERNS, (int)sizeof *out - 1);
        }
        (void)snprintf(out[(*n)++], sizeof *out, "%.*s", (int)len, text);
        text += len;
    }
    return MST_OK;
}

static enum mst_rc number(const char *text, const char *label, uint64_t max, uint64_t *out,
                          struct mst_err *err)
{
    char *end;

    *out = 0;
    if (!*text) {
        return MST_OK;
    }
    *out = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || *out == 0 || *out > max) {
        return mst_err_set(err, MST_E_USAGE, "%s: a number from 1 to %llu, or nothing", label,
                           (unsigned long long)max);
    }
    return MST_OK;
}

static bool holds_password(const char *uri)
{
    const char *user = strstr(uri, "://");
    const char *at = user ? strchr(user, '@') : NULL;
    const char *colon = user ? strchr(user + 3, ':') : NULL;

    return at && colon && colon < at;
}

static enum mst_rc cmd_fields(const struct ui_dialog *d, struct mst_cmd *c, struct mst_err *err)
{
    uint64_t rate, scans;
    enum mst_rc rc = patterns(typed(d, 'i'), "include", c->include, &c->n_include, err);

    if (rc == MST_OK) {
        rc = patterns(typed(d, 'x'), "exclude", c->exclude, &c->n_exclude, err);
    }
    if (rc == MST_OK) {
        rc = number(typed(d, 'r'), "rate MiB/s", 1000000, &rate, err);
        c->rate_bps = rc == MST_OK ? rate << 20 : 0;
    }
    if (rc == MST_OK) {
        rc = number(typed(d, 'c'), "scans", 16, &scans, err);
        c->scans = rc == MST_OK ? (unsigned)scans : 0;
    }
    if (rc == MST_OK && holds_password(typed(d, 't'))) {
        rc = mst_err_set(err, MST_E_USAGE,
                         "target: no password in a URI; the configuration names where it is kept");
    }
    return rc;
}

enum mst_rc ui_dialog_cmd(const struct ui_dialog *d, struct mst_cmd *out, struct mst_err *err)
{
    static const enum mst_cmd_kind kinds[] = {[UI_DLG_BACKUP] = MST_CMD_BACKUP,
                                              [UI_DLG_RESTORE] = MST_CMD_RESTORE,
                                              [UI_DLG_VERIFY] = MST_CMD_VERIFY,
                                              [UI_DLG_CANCEL] = MST_CMD_CANCEL,
                                              [UI_DLG_DISCARD] = MST_CMD_DISCARD,
                                              [UI_DLG_SANDBOX] = MST_CMD_MONITOR_NOW,
                                              [UI_DLG_COPY] = MST_CMD_COPY,
                                              [UI_DLG_HOLD] = MST_CMD_HOLD,
                                              [UI_DLG_STORE_TEST] = MST_CMD_STORE_TEST};
    const char *source = ui_form_chosen(&d->form, 's');
    const uint64_t job = d->cmd.job; /* out may be d->cmd itself */

    if (d->kind == UI_DLG_SWITCH) {
        return ui_switch_cmd(d, out, err);
    }
    memset(out, 0, sizeof *out);
    out->kind = kinds[d->kind];
    out->job = job;
    (void)mst_copy(out->backup, sizeof out->backup,
                   d->kind == UI_DLG_DISCARD ? ui_form_chosen(&d->form, 'd') : typed(d, 'b'));
    if (strcmp(source, AUTO_SOURCE) != 0) {
        (void)mst_copy(out->source, sizeof out->source, source);
    }
    out->from_primary = ticked(d, 'p');
    out->dry_run = ticked(d, 'n');
    (void)mst_copy(out->target_uri, sizeof out->target_uri, typed(d, 't'));
    (void)mst_copy(out->reason, sizeof out->reason, typed(d, 'w'));
    return ui_store_cmd(d, mst_clock_utc_ms(NULL), out, err) == MST_OK ? cmd_fields(d, out, err)
                                                                       : err->rc;
}

static void started(struct ui_app *app, uint64_t job, const char *what)
{
    ui_dialog_close(app);
    if (job > 0) {
        app->st.job = job;
        app->st.before = app->st.scr;
        app->st.scr = UI_SCR_JOBS;
        ui_app_say(app, MST_SEV_INFO, "%s: job %llu", what, (unsigned long long)job);
    } else {
        ui_app_say(app, MST_SEV_INFO, "%s", what);
    }
}

static void fail_dialog(struct ui_app *app, const struct mst_err *err)
{
    (void)mst_copy(app->st.dlg.error, sizeof app->st.dlg.error, err->msg);
}

static void submit(struct ui_app *app, const struct mst_cmd *cmd, const char *what)
{
    struct mst_err err = {0};
    uint64_t job = 0;

    if (app->engine.submit(app->engine.arg, cmd, &job, &err) != MST_OK) {
        fail_dialog(app, &err);
        return;
    }
    started(app, job, what);
}

static void review(struct ui_app *app)
{
    struct ui_dialog *d = &app->st.dlg;
    struct mst_err err = {0};

    if (app->engine.prepare(app->engine.arg, &d->cmd, &d->handle, &err) != MST_OK) {
        fail_dialog(app, &err);
        return;
    }
    ui_dialog_step(app, UI_STEP_WAIT);
    ui_form_reset(&d->form);
    ui_dialog_buttons(&d->form, "Cancel", NULL);
}

static void review_form(struct ui_app *app)
{
    struct ui_dialog *d = &app->st.dlg;

    ui_dialog_step(app, UI_STEP_REVIEW);
    ui_form_reset(&d->form);
    if (d->ticket->phrase[0] && !d->ticket->refused) {
        (void)ui_form_add(&d->form, UI_F_TEXT, 'y', "phrase", "type it exactly");
    }
    ui_dialog_buttons(&d->form, d->ticket->refused ? "Close" : "Cancel",
                      d->ticket->refused          ? NULL
                      : d->cmd.dry_run            ? "Plan it for real"
                      : d->kind == UI_DLG_DISCARD ? "Discard"
                                                  : "Restore");
}

void ui_dialog_tick(struct ui_app *app)
{
    struct ui_dialog *d = &app->st.dlg;
    struct mst_err err = {0};
    struct mst_ticket *t = NULL;
    enum mst_rc rc;

    if (app->st.layer == UI_LAYER_DIALOG && d->kind == UI_DLG_SWITCH) {
        ui_switch_tick(app);
    }
    if (app->st.layer != UI_LAYER_DIALOG || d->step != UI_STEP_WAIT || d->error[0]) {
        return;
    }
    rc = app->engine.ticket(app->engine.arg, d->handle, &t, &err);
    if (rc == MST_E_BUSY) {
        return;
    }
    app->dirty = true;
    if (rc == MST_OK && t) {
        d->ticket = t;
        if (d->kind == UI_DLG_SWITCH) {
            ui_switch_ticket(app);
            return;
        }
        if (d->cmd.dry_run) {
            t->phrase[0] = '\0'; /* nothing to arm */
        }
        review_form(app);
    } else {
        fail_dialog(app, &err);
    }
}

/* A dry run is done with its review; the next step is the review of the act itself. */
static void for_real(struct ui_app *app)
{
    struct ui_dialog *d = &app->st.dlg;
    struct mst_ticket *seen = d->ticket;

    d->cmd.dry_run = false;
    review(app);
    if (d->step == UI_STEP_WAIT) {
        d->ticket = NULL;
        app->engine.ticket_free(seen);
    } else {
        d->cmd.dry_run = true;
    }
}

static void commit(struct ui_app *app)
{
    struct ui_dialog *d = &app->st.dlg;
    const char *phrase = typed(d, 'y');
    struct mst_err err = {0};
    uint64_t job = 0;

    if (d->cmd.dry_run) {
        for_real(app);
        return;
    }
    if (app->st.now_mono_ms > d->ticket->expires_mono_ms) {
        (void)mst_copy(d->error, sizeof d->error, "the plan has expired: close and review again");
        return;
    }
    if (strcmp(phrase, d->ticket->phrase) != 0) {
        (void)snprintf(d->error, sizeof d->error, "not armed: type exactly  %s", d->ticket->phrase);
        ui_form_focus(&d->form, 'y');
        return;
    }
    if (app->engine.commit(app->engine.arg, d->ticket, phrase, &job, &err) != MST_OK) {
        fail_dialog(app, &err);
        return;
    }
    started(app, job, d->kind == UI_DLG_DISCARD ? "discard" : "restore");
}

void ui_dialog_leaving(const struct mst_view *v, struct mst_cmd *c)
{
    const struct mst_leavings_part *l = v->leavings;

    for (size_t i = 0; c->kind == MST_CMD_DISCARD && i < l->n; i++) {
        if (strcmp(l->items[i].id, c->backup) == 0 && !l->items[i].by_restore) {
            c->kind = MST_CMD_CLEAN;
            (void)mst_copy(c->store, sizeof c->store, v->n_stores > 1 ? l->items[i].store : "");
        }
    }
}

static void go(struct ui_app *app)
{
    static const char *const words[] = {[UI_DLG_VERIFY] = "verify",
                                        [UI_DLG_COPY] = "copy",
                                        [UI_DLG_HOLD] = "hold",
                                        [UI_DLG_STORE_TEST] = "store test"};
    struct ui_dialog *d = &app->st.dlg;
    struct mst_err err = {0};
    char said[UI_SAID_MAX];

    if (d->kind == UI_DLG_QUIT) {
        app->quit = true;
        return;
    }
    if (d->kind == UI_DLG_SANDBOX) {
        if (ui_sandbox_go(app, said)) {
            started(app, 0, said);
        }
        return;
    }
    if (d->step == UI_STEP_REVIEW) {
        commit(app);
        return;
    }
    if (ui_dialog_cmd(d, &d->cmd, &err) != MST_OK) {
        fail_dialog(app, &err);
        return;
    }
    ui_dialog_leaving(app->view, &d->cmd);
    if (d->kind == UI_DLG_RESTORE || d->kind == UI_DLG_DISCARD) {
        review(app);
    } else {
        const struct mst_cmd cmd = d->cmd;

        submit(app, &cmd,
               d->kind == UI_DLG_BACKUP   ? "backup"
               : d->kind == UI_DLG_CANCEL ? "cancel asked"
                                          : words[d->kind]);
    }
}

/* y outside a text field: the command line to the clipboard. */
static bool copies(struct ui_app *app, int key)
{
    const struct ui_form *f = &app->st.dlg.form;
    const struct ui_ctx x = ctx_of(app);
    struct mst_err err = {0};

    if (key != 'y' || f->n == 0 || f->f[f->focus].kind == UI_F_TEXT) {
        return false;
    }
    ui_dialog_command(&x, app->copy_wanted, sizeof app->copy_wanted, &err);
    return true;
}

void ui_dialog_key(struct ui_app *app, int key, const char *paste)
{
    struct ui_dialog *d = &app->st.dlg;
    const bool repeat =
        key == app->last_key && app->st.now_mono_ms - app->last_key_ms < UI_REPEAT_MS;
    char pressed;

    app->dirty = true;
    if (app->st.now_mono_ms - d->open_mono_ms < UI_DEAD_MS) {
        return;
    }
    if (key == UI_KEY_PASTE) {
        ui_form_paste(&d->form, paste ? paste : "");
        return;
    }
    if (key == UI_KEY_ESC || key == UI_KEY_CTRL_C) {
        ui_dialog_close(app);
        ui_app_say(app, MST_SEV_INFO, "left the dialog: nothing was done");
        return;
    }
    if (d->kind == UI_DLG_SWITCH && ui_switch_key(app, key, repeat)) {
        return;
    }
    if (key == UI_KEY_PGUP || key == UI_KEY_PGDN) {
        d->top += key == UI_KEY_PGUP ? -5 : 5;
        d->top = d->top < 0 ? 0 : d->top;
        return;
    }
    if (copies(app, key)) {
        return;
    }
    pressed = ui_form_key(&d->form, key);
    if (d->kind == UI_DLG_SANDBOX) {
        ui_sandbox_fit(&d->form);
    }
    if (pressed == '0') {
        ui_dialog_close(app);
        ui_app_say(app, MST_SEV_INFO, "left the dialog: nothing was done");
    } else if (pressed && !repeat && d->kind == UI_DLG_SWITCH) {
        ui_switch_press(app, pressed);
    } else if (pressed == 'g' && !repeat) {
        go(app);
    }
}
