/* dlg_switch.c: the dialog of a switch, step by step. Nothing moves before the last one; each plan
 * is made of fresh facts, with the overrides that were typed so far. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ui/members.h"
#include "ui/screen.h"
#include "ui/switch.h"

enum { TO_MEMBER, TO_ANY, BACK };

static struct ui_dialog *dlg(struct ui_app *app)
{
    return &app->st.dlg;
}

static const char *typed(const struct ui_dialog *d, char id)
{
    const struct ui_field *f = ui_form_at(&d->form, id);

    return f ? f->line.text : "";
}

static int chosen(const struct ui_dialog *d, char id)
{
    const struct ui_field *f = ui_form_at(&d->form, id);

    return f ? f->choice : 0;
}

/* --- choose --- */

/* By its name, with or without the port; -1 none, or several of that host. */
static int named_member(const struct mst_topo_view *v, const char *named)
{
    const size_t n = strlen(named);
    int found = -1, alike = 0;

    for (size_t i = 0; n > 0 && i < v->n; i++) {
        if (strcmp(v->members[i].name, named) == 0) {
            return (int)i;
        }
        if (strncmp(v->members[i].name, named, n) == 0 && v->members[i].name[n] == ':') {
            found = (int)i;
            alike++;
        }
    }
    return alike == 1 ? found : -1;
}

/* The row that is selected in the topology, else the heir by the server's rule. */
static int preselected(const struct ui_app *app)
{
    const struct mst_topo_view *v = &app->view->topo->v;
    const struct ui_ctx x = {app->view, &app->st};
    const size_t row = ui_members_selected(&x);
    char ignore[200];

    if (app->st.scr == UI_SCR_TOPO && row < v->n && (int)row != v->primary) {
        return (int)row;
    }
    return mst_topo_if_stepped_down(v, ignore);
}

static void add_members(struct ui_app *app, int first)
{
    const struct mst_topo_view *v = &app->view->topo->v;
    struct ui_form *f = &dlg(app)->form;
    struct ui_field *who = ui_form_add(f, UI_F_CHOICE, 'm', "member", UI_CHOOSE);

    for (size_t i = 0; i < v->n; i++) {
        if ((int)i == v->primary || v->members[i].arbiter) {
            continue;
        }
        if ((int)i == first) {
            who->choice = who->choices;
        }
        ui_form_choice(f, v->members[i].name);
    }
}

static void choose(struct ui_app *app, int act, int member, int after, const char *reason)
{
    struct ui_form *f = &dlg(app)->form;
    struct ui_field *field;

    ui_form_reset(f);
    field = ui_form_add(f, UI_F_CHOICE, 'a', "act", UI_CHOOSE);
    ui_form_choice(f, "to a chosen member");
    ui_form_choice(f, "to any heir");
    ui_form_choice(f, "back to where it was");
    field->choice = act;
    add_members(app, member);
    field = ui_form_add(f, UI_F_CHOICE, 'p', "priority",
                        "when another member has a higher one than the new primary");
    ui_form_choice(f, "refuse then");
    ui_form_choice(f, "visit: it takes the seat back later");
    ui_form_choice(f, "stay: swap the two priorities at the end");
    field->choice = after;
    field = ui_form_add(f, UI_F_TEXT, 'w', "reason", "for the audit log and whoever looks on");
    ui_line_set(&field->line, reason);
    ui_dialog_buttons(f, "Cancel", "Check");
    ui_form_get(f, 'm')->off = act != TO_MEMBER;
}

void ui_switch_open(struct ui_app *app, const char *what)
{
    const bool back = strncmp(what, "failback", 8) == 0;
    const int act = back ? BACK : strncmp(what, "stepdown", 8) == 0 ? TO_ANY : TO_MEMBER;
    const char *named = strchr(what, ' ') ? strchr(what, ' ') + 1 : "";
    const struct mst_topo_view *v = &app->view->topo->v;
    int at;

    dlg(app)->sel = 0;
    dlg(app)->changed = false;
    if (back) {
        (void)mst_copy(dlg(app)->cmd.backup, sizeof dlg(app)->cmd.backup, named);
    }
    at = act == TO_MEMBER ? named_member(v, named) : -1;
    choose(app, act, at >= 0 ? at : preselected(app), MST_CMD_AFTER_REFUSE, "");
    if (act == TO_MEMBER && named[0] &&
        (at < 0 || strcmp(ui_form_chosen(&dlg(app)->form, 'm'), v->members[at].name) != 0)) {
        (void)snprintf(dlg(app)->error, sizeof dlg(app)->error, "%.200s %s: choose another", named,
                       at < 0             ? "names no single member of this set"
                       : at == v->primary ? "is the primary already"
                                          : "is an arbiter");
    }
}

static void choose_again(struct ui_app *app)
{
    struct ui_dialog *d = dlg(app);
    const int act = d->cmd.kind == MST_CMD_STEPDOWN   ? TO_ANY
                    : d->cmd.kind == MST_CMD_FAILBACK ? BACK
                                                      : TO_MEMBER;
    char reason[sizeof d->cmd.reason];

    (void)mst_copy(reason, sizeof reason, d->cmd.reason);
    if (d->ticket) {
        app->engine.ticket_free(d->ticket);
        d->ticket = NULL;
    }
    ui_dialog_step(app, UI_STEP_EDIT);
    choose(app, act, mst_topo_find(&app->view->topo->v, d->cmd.member), (int)d->cmd.after, reason);
}

enum mst_rc ui_switch_cmd(const struct ui_dialog *d, struct mst_cmd *out, struct mst_err *err)
{
    static const enum mst_cmd_kind kinds[] = {MST_CMD_SWITCHOVER, MST_CMD_STEPDOWN,
                                              MST_CMD_FAILBACK};
    const int act = chosen(d, 'a');

    memset(out, 0, sizeof *out);
    out->kind = kinds[act];
    out->after = (enum mst_cmd_after)chosen(d, 'p');
    (void)mst_copy(out->reason, sizeof out->reason, typed(d, 'w'));
    if (act == BACK) {
        (void)mst_copy(out->backup, sizeof out->backup,
                       d->cmd.backup[0] ? d->cmd.backup : "latest");
    } else if (act == TO_MEMBER) {
        (void)mst_copy(out->member, sizeof out->member, ui_form_chosen(&d->form, 'm'));
    }
    return act == TO_MEMBER && !out->member[0]
               ? mst_err_set(err, MST_E_USAGE, "there is no member to move the primary to")
               : MST_OK;
}

/* --- a plan of fresh facts --- */

static void make_plan(struct ui_app *app)
{
    struct ui_dialog *d = dlg(app);
    struct mst_err err = {0};

    if (app->engine.prepare(app->engine.arg, &d->cmd, &d->handle, &err) != MST_OK) {
        (void)mst_copy(d->error, sizeof d->error, err.msg);
        return;
    }
    if (d->ticket) {
        app->engine.ticket_free(d->ticket);
        d->ticket = NULL;
    }
    d->changed = false;
    ui_dialog_step(app, UI_STEP_WAIT);
    ui_form_reset(&d->form);
    (void)ui_form_add(&d->form, UI_F_BUTTON, '0', "Cancel", "");
    (void)ui_form_add(&d->form, UI_F_BUTTON, 'b', "Back", "");
}

/* --- checks --- */

static const struct mst_rule_line *selected(const struct ui_dialog *d)
{
    size_t order[UI_SWITCH_RULES];
    const size_t n = ui_switch_order(d->ticket, order);

    return n > 0 ? &d->ticket->rules[order[(size_t)d->sel < n ? (size_t)d->sel : n - 1]] : NULL;
}

static bool must_check(const struct ui_app *app)
{
    const struct ui_dialog *d = &app->st.dlg;

    return d->changed || d->ticket->refused || app->st.now_mono_ms > d->ticket->expires_mono_ms;
}

/* focus: id of the field that has it; 0: as when it opened. */
static void checks_form(struct ui_app *app, char focus)
{
    struct ui_dialog *d = dlg(app);
    const struct mst_rule_line *r = selected(d);

    ui_form_reset(&d->form);
    (void)ui_form_add(&d->form, UI_F_BUTTON, '0', "Cancel", "");
    if (r && r->may_override) { /* one Tab away */
        struct ui_field *f = ui_form_add(&d->form, UI_F_TEXT, 'r', "override",
                                         "why it is right all the same; empty takes it back");

        ui_line_set(&f->line, ui_switch_reason(&d->cmd, r));
    }
    (void)ui_form_add(&d->form, UI_F_BUTTON, 'b', "Back", "");
    (void)ui_form_add(&d->form, UI_F_BUTTON, 'g', must_check(app) ? "Check again" : "Plan", "");
    ui_form_focus(&d->form, focus && ui_form_at(&d->form, focus) ? focus : '0');
}

static void to_checks(struct ui_app *app, const char *error)
{
    ui_dialog_step(app, UI_STEP_CHECKS);
    (void)mst_copy(dlg(app)->error, sizeof dlg(app)->error, error);
    checks_form(app, 0);
}

static void drop_override(struct mst_cmd *c, size_t i)
{
    memmove(c->overrides[i], c->overrides[i + 1],
            (c->n_overrides - i - 1) * sizeof c->overrides[0]);
    c->n_overrides--;
}

/* A reason for what passes by now, or cannot be lifted any more, would refuse the plan. */
static void drop_needless(struct ui_dialog *d, char *said, size_t size)
{
    struct mst_cmd *c = &d->cmd;

    said[0] = '\0';
    for (size_t i = c->n_overrides; i > 0; i--) {
        bool fits = false;

        for (size_t k = 0; k < d->ticket->n_rules; k++) {
            const struct mst_rule_line *r = &d->ticket->rules[k];

            fits |= r->may_override && strncmp(c->overrides[i - 1], r->name, 3) == 0;
        }
        if (!fits) {
            (void)snprintf(said, size,
                           "%.3s needs no override any more: it was taken back, check "
                           "again",
                           c->overrides[i - 1]);
            drop_override(c, i - 1);
            d->changed = true;
        }
    }
}

void ui_switch_ticket(struct ui_app *app)
{
    char said[120];

    dlg(app)->sel = 0;
    drop_needless(dlg(app), said, sizeof said);
    to_checks(app, said);
}

static void move_selection(struct ui_app *app, int by)
{
    struct ui_dialog *d = dlg(app);
    size_t order[UI_SWITCH_RULES];
    const int n = (int)ui_switch_order(d->ticket, order);
    const char at = d->form.n > 0 ? d->form.f[d->form.focus].id : 0;

    d->sel += by;
    d->sel = d->sel >= n ? n - 1 : d->sel;
    d->sel = d->sel < 0 ? 0 : d->sel;
    d->error[0] = '\0';
    checks_form(app, at);
}

/* Characters that are no blanks, as the guard counts them. */
static int letters(const char *reason)
{
    int n = 0;

    for (; *reason; reason++) {
        n += *reason != ' ' && ((unsigned char)*reason & 0xc0) != 0x80;
    }
    return n;
}

/* Gives a reason, changes it, or takes it back. */
static bool override(struct ui_dialog *d, const struct mst_rule_line *r, const char *reason)
{
    struct mst_cmd *c = &d->cmd;
    size_t at = 0;

    while (at < c->n_overrides && strncmp(c->overrides[at], r->name, 3) != 0) {
        at++;
    }
    if (!reason[0]) {
        if (at < c->n_overrides) {
            drop_override(c, at);
            d->changed = true;
        }
        return true;
    }
    if (letters(reason) < MST_CMD_REASON_MIN) {
        (void)snprintf(d->error, sizeof d->error,
                       "the reason needs %d characters or more, without blanks",
                       MST_CMD_REASON_MIN);
        return false;
    }
    if (at == MST_CMD_OVERRIDES - 1) {
        (void)snprintf(d->error, sizeof d->error,
                       "%d overrides are the most: that many doubts are no time for a switch",
                       MST_CMD_OVERRIDES - 1);
        return false;
    }
    (void)snprintf(c->overrides[at], sizeof c->overrides[at], "%.3s=%.160s", r->name, reason);
    c->n_overrides += at == c->n_overrides;
    d->changed = true;
    return true;
}

static void accept_rule(struct ui_app *app)
{
    struct ui_dialog *d = dlg(app);
    const struct mst_rule_line *r = selected(d);
    size_t order[UI_SWITCH_RULES];
    const size_t n = ui_switch_order(d->ticket, order);

    d->error[0] = '\0';
    if (!r || !override(d, r, typed(d, 'r'))) {
        return;
    }
    for (size_t i = 0; i < n; i++) { /* the next one that waits for a reason */
        const struct mst_rule_line *next = &d->ticket->rules[order[i]];

        if (next->may_override && next->result == MST_RULE_REFUSE &&
            !ui_switch_reason(&d->cmd, next)[0] && next != r) {
            d->sel = (int)i;
            checks_form(app, 'r');
            return;
        }
    }
    checks_form(app, 'g');
}

static bool checks_key(struct ui_app *app, int key)
{
    const struct ui_form *f = &dlg(app)->form;
    const bool text = f->n > 0 && f->f[f->focus].kind == UI_F_TEXT;

    if (key == UI_KEY_UP || (key == 'k' && !text)) {
        move_selection(app, -1);
    } else if (key == UI_KEY_DOWN || (key == 'j' && !text)) {
        move_selection(app, 1);
    } else if (key == UI_KEY_PGUP || key == UI_KEY_PGDN) {
        move_selection(app, key == UI_KEY_PGUP ? -5 : 5);
    } else if (key == UI_KEY_ENTER && text) {
        accept_rule(app);
    } else {
        return false;
    }
    return true;
}

/* --- plan and confirm --- */

static void to_plan(struct ui_app *app)
{
    struct ui_dialog *d = dlg(app);

    ui_dialog_step(app, UI_STEP_PLAN);
    ui_form_reset(&d->form);
    (void)ui_form_add(&d->form, UI_F_BUTTON, '0', "Cancel", "");
    (void)ui_form_add(&d->form, UI_F_BUTTON, 'b', "Back", "");
    (void)ui_form_add(&d->form, UI_F_BUTTON, 'g', "Confirm", "");
    ui_form_focus(&d->form, '0');
}

static void to_confirm(struct ui_app *app)
{
    struct ui_dialog *d = dlg(app);

    ui_dialog_step(app, UI_STEP_CONFIRM);
    ui_form_reset(&d->form);
    (void)ui_form_add(&d->form, UI_F_TEXT, 'y', "phrase", "type it exactly");
    (void)ui_form_add(&d->form, UI_F_BUTTON, '0', "Cancel", "");
    (void)ui_form_add(&d->form, UI_F_BUTTON, 'b', "Back", "");
    (void)ui_form_add(&d->form, UI_F_BUTTON, 'g', "Move the primary", "");
    ui_form_focus(&d->form, 'y');
}

static void commit(struct ui_app *app)
{
    struct ui_dialog *d = dlg(app);
    const char *phrase = typed(d, 'y');
    struct mst_err err = {0};
    uint64_t job = 0;

    if (strcmp(phrase, d->ticket->phrase) != 0) {
        (void)snprintf(d->error, sizeof d->error, "not armed: type exactly  %s", d->ticket->phrase);
        ui_form_focus(&d->form, 'y');
        return;
    }
    if (app->engine.commit(app->engine.arg, d->ticket, phrase, &job, &err) != MST_OK) {
        if (err.rc == MST_E_STALE) {
            to_checks(app, err.msg);
        }
        (void)mst_copy(d->error, sizeof d->error, err.msg);
        return;
    }
    ui_dialog_close(app);
    app->st.job = job;
    ui_switch_page_open(app, job);
}

static bool confirm_key(struct ui_app *app, int key, bool repeat)
{
    struct ui_dialog *d = dlg(app);
    const struct ui_form *f = &d->form;

    d->error[0] = '\0';
    if (key != UI_KEY_ENTER || f->n == 0 || f->f[f->focus].kind != UI_F_TEXT) {
        return false;
    }
    if (!repeat && strcmp(typed(d, 'y'), d->ticket->phrase) == 0) {
        commit(app);
    }
    return true;
}

bool ui_switch_key(struct ui_app *app, int key, bool repeat)
{
    struct ui_dialog *d = dlg(app);
    const struct ui_form *f = &d->form;
    const bool text = f->n > 0 && f->f[f->focus].kind == UI_F_TEXT;

    if (key == 'b' && !text && d->step != UI_STEP_EDIT) {
        ui_switch_press(app, 'b');
        return true;
    }
    if (d->step == UI_STEP_CHECKS) {
        return checks_key(app, key);
    }
    return d->step == UI_STEP_CONFIRM && confirm_key(app, key, repeat);
}

static void go_on(struct ui_app *app)
{
    struct ui_dialog *d = dlg(app);
    struct mst_err err = {0};
    struct mst_cmd *next;

    if (d->step == UI_STEP_CHECKS && must_check(app)) {
        make_plan(app);
    } else if (d->step == UI_STEP_CHECKS) {
        to_plan(app);
    } else if (d->step == UI_STEP_PLAN) {
        to_confirm(app);
    } else if (d->step == UI_STEP_CONFIRM) {
        commit(app);
    } else if (d->step == UI_STEP_EDIT) {
        next = mst_xcalloc(1, sizeof *next);
        if (ui_switch_cmd(d, next, &err) == MST_OK) {
            d->cmd = *next; /* overrides of a choice before are void */
            make_plan(app);
        } else {
            (void)mst_copy(d->error, sizeof d->error, err.msg);
        }
        free(next);
    }
}

void ui_switch_press(struct ui_app *app, char button)
{
    struct ui_dialog *d = dlg(app);

    if (button == 'g') {
        go_on(app);
    } else if (button == 'b' && d->step == UI_STEP_CONFIRM) {
        to_plan(app);
    } else if (button == 'b' && d->step == UI_STEP_PLAN) {
        to_checks(app, "");
    } else if (button == 'b') {
        choose_again(app);
    }
}

void ui_switch_tick(struct ui_app *app)
{
    struct ui_dialog *d = dlg(app);
    struct ui_field *who = ui_form_get(&d->form, 'm');

    if (who) {
        who->off = chosen(d, 'a') != TO_MEMBER;
    }
    if (d->ticket && (d->step == UI_STEP_PLAN || d->step == UI_STEP_CONFIRM) &&
        app->st.now_mono_ms > d->ticket->expires_mono_ms) {
        to_checks(app, "the plan has expired: nothing was done; check again");
        app->dirty = true;
    }
}
