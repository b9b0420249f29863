/* dialog_draw.c: a dialog in the middle of the screen, or over all of it where that is small. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "ui/app.h"
#include "ui/fmt.h"
#include "ui/switch.h"

#define MORE "PgDn: more"

static const char *title_of(const struct ui_dialog *d)
{
    static const char *const titles[] = {[UI_DLG_BACKUP] = "Backup",
                                         [UI_DLG_RESTORE] = "Restore",
                                         [UI_DLG_VERIFY] = "Verify a backup",
                                         [UI_DLG_CANCEL] = "Cancel a job",
                                         [UI_DLG_DISCARD] = "Discard what was kept aside",
                                         [UI_DLG_QUIT] = "Leave muster",
                                         [UI_DLG_SANDBOX] = "Sandbox: break something",
                                         [UI_DLG_COPY] = "Copy into another store",
                                         [UI_DLG_HOLD] = "Hold a backup",
                                         [UI_DLG_STORE_TEST] = "Test a store",
                                         [UI_DLG_NONE] = ""};

    return d->kind == UI_DLG_SWITCH ? ui_switch_title(d) : titles[d->kind];
}

static const char *intro_of(const struct ui_dialog *d)
{
    switch (d->kind) {
    case UI_DLG_BACKUP:
        return "Reads the set and writes to the store. Nothing in the set is changed.";
    case UI_DLG_RESTORE:
        return "Nothing is changed before the review. Data is loaded beside the live collections "
               "and "
               "swapped in at the end; the old ones are kept until you discard them.";
    case UI_DLG_VERIFY:
        return "Reads every byte back from the store and compares counts and hashes. Changes "
               "nothing.";
    case UI_DLG_DISCARD:
        return "Drops for good what a restore or a dead run left behind. There is no way back.";
    case UI_DLG_QUIT:
        return "A job runs in this very process: leaving cancels it.";
    case UI_DLG_SANDBOX:
        return ui_sandbox_says(&d->form);
    case UI_DLG_SWITCH:
        return "Nothing moves before the last step. Every member is asked first, and one majority "
               "note proves that writes work.";
    case UI_DLG_COPY:
        return "Every byte is hashed on its way; COMMIT is written last. A copy that was "
               "interrupted "
               "goes on where it stopped.";
    case UI_DLG_HOLD:
        return "A mark in every store that has the backup: it is not removed until then, whatever "
               "state this host is in.";
    case UI_DLG_STORE_TEST:
        return "Writes, reads, lists and deletes under a prefix of its own.";
    case UI_DLG_CANCEL:
    case UI_DLG_NONE:
        break;
    }
    return "";
}

static void put_command(const struct ui_dialog *d, struct ui_pen *p, const char *command)
{
    const struct ui_form *f = &d->form;
    const bool typing = f->n > 0 && f->f[f->focus].kind == UI_F_TEXT;

    ui_pen_line(p, UI_HEAD, "the same on the command line%s:", typing ? "" : " (y copies it)");
    ui_pen_wrap(p, 2, UI_COMMAND, command);
}

/* The control socket stands in the sandbox's folder. */
static void sandbox_command(const struct ui_ctx *x, struct mst_str *out)
{
    const struct ui_form *f = &x->st->dlg.form;
    char verb[UI_CHOICE_MAX];
    const char *value = ui_sandbox_verb(f, verb), *path = x->v->info->sandbox_ctl;
    const char *slash = strrchr(path, '/');

    mst_str_add(out, " sandbox ctl");
    if (slash) {
        char dir[sizeof x->v->info->sandbox_ctl];

        (void)snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
        mst_str_add(out, " --dir ");
        mst_str_add_shell(out, dir);
    }
    mst_str_addf(out, " %s ", verb);
    mst_str_add_shell(out, ui_sandbox_object(f));
    if (value[0]) {
        mst_str_addc(out, ' ');
        mst_str_add_shell(out, value);
    }
}

void ui_dialog_command(const struct ui_ctx *x, char *out, size_t size, struct mst_err *err)
{
    const struct ui_dialog *d = &x->st->dlg;
    struct mst_str all = {0};
    struct mst_cmd cmd;
    char line[sizeof d->ticket->command] = "";

    if (d->ticket) {
        (void)mst_copy(line, sizeof line, d->ticket->command);
    } else if (d->step == UI_STEP_EDIT && d->kind != UI_DLG_QUIT && d->kind != UI_DLG_SANDBOX &&
               ui_dialog_cmd(d, &cmd, err) == MST_OK) {
        ui_dialog_leaving(x->v, &cmd);
        mst_cmd_line(&cmd, line, sizeof line);
    }
    if (line[0] || d->kind == UI_DLG_SANDBOX) {
        mst_str_add(&all, x->st->lead[0] ? x->st->lead : "muster");
        mst_str_add(&all, line[0] ? line + strlen("muster") : "");
    }
    if (d->kind == UI_DLG_SANDBOX) {
        sandbox_command(x, &all);
    }
    (void)mst_copy(out, size, all.len < size ? mst_str_c(&all) : "");
    mst_str_release(&all);
}

static void edit_command(const struct ui_ctx *x, struct ui_pen *p)
{
    struct mst_err err = {0};
    char line[UI_COMMAND_MAX];

    ui_dialog_command(x, line, sizeof line, &err);
    if (line[0]) {
        put_command(&x->st->dlg, p, line);
    } else {
        ui_pen_wrap(p, 0, UI_WARN, err.msg);
    }
}

/* What the focus takes. */
static const char *hint_of(const struct ui_form *f)
{
    const struct ui_field *x = f->n > 0 ? &f->f[f->focus] : NULL;

    if (!x || (x->kind == UI_F_BUTTON && f->f[0].kind == UI_F_BUTTON)) {
        return "";
    }
    return x->kind == UI_F_BUTTON   ? "Tab, up, down: to the fields"
           : x->kind == UI_F_TOGGLE ? "space: tick"
                                    : x->help;
}

/* The choice is an id: what it is of. */
static void put_leaving(const struct ui_ctx *x, struct ui_pen *p)
{
    const struct mst_leavings_part *l = x->v->leavings;
    const char *id = ui_form_chosen(&x->st->dlg.form, 'd');

    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->items[i].id, id) == 0) {
            ui_pen_wrap(p, 0, UI_TEXT, l->items[i].what);
            return;
        }
    }
}

static void draw_edit(const struct ui_ctx *x, struct ui_pen *p, int *focus)
{
    const struct ui_dialog *d = &x->st->dlg;
    const struct ui_form *f = &d->form;
    const struct mst_job *j = NULL;

    ui_pen_wrap(p, 0, UI_TEXT, intro_of(d));
    for (size_t i = 0; d->kind == UI_DLG_CANCEL && i < x->v->jobs->n; i++) {
        j = x->v->jobs->jobs[i].id == d->cmd.job ? &x->v->jobs->jobs[i] : j;
    }
    if (j) {
        ui_pen_line(p, UI_TEXT, "Job %llu, %s, %s: %s", (unsigned long long)j->id,
                    mst_job_kind_word(j->kind), mst_job_state_word(j->state), j->phase);
        ui_pen_wrap(
            p, 0, UI_TEXT,
            j->kind == MST_JOB_SWITCH
                ? "Before writes stop it ends clean. While they are stopped the old primary "
                  "is put back. A new primary that takes writes stays: the run ends then "
                  "without its last checks."
                : "It stops at its next safe point. What it wrote so far is listed as left "
                  "over and can be removed.");
    }
    if (p->y > 0) {
        (void)ui_pen_next(p);
    }
    *focus = ui_form_focus_row(f) < 0 ? -1 : p->y + ui_form_focus_row(f);
    p->y += ui_form_fields(f, &p->a, p->y - p->top);
    ui_pen_line(p, UI_DIM, "%s", hint_of(f));
    if (d->kind == UI_DLG_DISCARD) {
        put_leaving(x, p);
    }
    if (d->kind == UI_DLG_SWITCH) {
        ui_switch_choice(x, p);
    }
    edit_command(x, p);
}

static void draw_rules(const struct mst_ticket *t, struct ui_pen *p)
{
    static const char *const words[] = {"PASS", "WARN", "REFUSE"};
    static const enum ui_role roles[] = {UI_OK, UI_WARN, UI_CRIT};

    for (size_t i = 0; i < t->n_rules; i++) {
        const struct mst_rule_line *r = &t->rules[i];
        const size_t k = (size_t)r->result < MST_COUNT(words) ? r->result : MST_RULE_REFUSE;
        const int y = ui_pen_next(p);

        (void)ui_put(&p->a, y, 0, roles[k], words[k]);
        (void)ui_put_cut(&p->a, y, 7, 22, UI_TEXT, r->name);
        if (ui_cols(r->text) <= p->a.w - 30) {
            (void)ui_put(&p->a, y, 30, UI_TEXT, r->text);
        } else {
            ui_pen_wrap(p, 7, UI_TEXT, r->text);
        }
    }
}

static void draw_review(const struct ui_ctx *x, struct ui_pen *p)
{
    const struct mst_ticket *t = x->st->dlg.ticket;
    const int64_t left = t->expires_mono_ms - x->st->now_mono_ms;
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX], line[UI_COMMAND_MAX];
    struct mst_err err = {0};

    ui_pen_wrap(p, 0, UI_TITLE_FOCUS, t->summary);
    draw_rules(t, p);
    if (t->need_bytes > 0) {
        ui_pen_pair(p, "room", t->free_bytes && t->free_bytes < t->need_bytes ? UI_CRIT : UI_TEXT,
                    "needs %s, free %s", mst_text_bytes(t->need_bytes, a),
                    t->free_bytes ? mst_text_bytes(t->free_bytes, b) : "not known");
    }
    if (t->n_steps > 0) {
        ui_pen_line(p, UI_TITLE_FOCUS, "What will be done%s",
                    t->cmd.dry_run ? " (dry run: nothing)" : "");
    }
    for (size_t i = 0; i < t->n_steps; i++) {
        (void)snprintf(line, sizeof line, "%zu %s", i + 1, t->steps[i]);
        ui_pen_wrap(p, 0, UI_TEXT, line);
    }
    ui_dialog_command(x, line, sizeof line, &err);
    put_command(&x->st->dlg, p, line);
    ui_pen_line(p, left > 0 ? UI_DIM : UI_CRIT,
                left > 0 ? "plan %s, valid for %d s" : "plan %s, expired", t->plan_hash,
                left > 0 ? (int)(left / 1000) : 0);
}

static void draw_content(const struct ui_ctx *x, struct ui_pen *p, int *focus)
{
    const struct ui_dialog *d = &x->st->dlg;
    char t[UI_NUM_MAX];

    *focus = -1;
    if (d->kind == UI_DLG_SWITCH && d->step != UI_STEP_EDIT) {
        ui_switch_content(x, p, focus);
    } else if (d->step == UI_STEP_EDIT) {
        draw_edit(x, p, focus);
    } else if (d->step == UI_STEP_WAIT && !d->error[0]) {
        ui_pen_line(p, UI_RUN, "collecting the facts, %s",
                    ui_fmt_age(x->st->now_mono_ms - d->open_mono_ms, t));
    } else if (d->ticket) {
        draw_review(x, p);
    }
}

/* The row of the buttons, and beside them what else the keys do. False: no room to say that there
 * is more. */
static bool draw_buttons(const struct ui_dialog *d, const struct ui_area *in, int y, bool more)
{
    const struct ui_form *f = &d->form;
    const bool asks = d->step == UI_STEP_CHECKS && ui_form_at(f, 'r');
    const char *reason = !asks                                ? ""
                         : f->f[f->focus].kind == UI_F_BUTTON ? "Tab: a reason  "
                                                              : "Enter: accept  ";
    const int at = ui_form_buttons(f, in, y);
    char text[40];

    (void)snprintf(text, sizeof text, "%s%s", reason, more ? MORE : "");
    if (at + ui_cols(text) > in->w) {
        (void)snprintf(text, sizeof text, "%s", more ? MORE : "");
    }
    if (at + ui_cols(text) > in->w) {
        return false;
    }
    (void)ui_put_right(in, y, in->w - ui_cols(text), ui_cols(text), UI_WARN, text);
    return true;
}

/* Error, phrase and buttons stay in place below what scrolls. *more: there is more than is in
 * sight; false when it returns: that was said. */
static int draw_foot(const struct ui_ctx *x, const struct ui_area *in, bool draw, bool *more)
{
    const struct ui_dialog *d = &x->st->dlg;
    const bool phrase = d->ticket && ui_form_at(&d->form, 'y');
    const bool reason = d->kind == UI_DLG_SWITCH && ui_form_at(&d->form, 'r');
    const struct ui_area none = {NULL, 0, 0, 0, in->w};
    struct ui_pen count = ui_pen_start(&none, 0);
    struct ui_pen p;
    int rows;

    ui_pen_wrap(&count, 0, UI_CRIT, d->error);
    rows = count.y + (phrase ? 2 : reason ? 1 : 0) + 1;
    if (!draw) {
        return rows;
    }
    p = ui_pen_start(in, rows - in->h);
    ui_pen_wrap(&p, 0, UI_CRIT, d->error);
    if (phrase) {
        const bool armed = strcmp(ui_form_at(&d->form, 'y')->line.text, d->ticket->phrase) == 0;
        const int y = ui_pen_next(&p);
        int at = ui_put(in, y, 0, UI_TEXT, "to arm it, type: ");

        at += ui_put(in, y, at, UI_KEY, d->ticket->phrase);
        (void)ui_put(in, y, at + 3, armed ? UI_WARN : UI_DIM, armed ? "ARMED" : "not armed");
        p.y += ui_form_fields(&d->form, in, p.y - p.top);
    } else if (reason) {
        p.y += ui_form_fields(&d->form, in, p.y - p.top);
    }
    *more = !draw_buttons(d, in, ui_pen_next(&p), *more) && *more;
    return rows;
}

void ui_dialog_draw(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct ui_dialog *d = &x->st->dlg;
    const bool strip = ui_is_strip(a->cv);
    const int w = strip ? a->w : a->w >= 110 ? 100 : 78;
    struct ui_area none = {NULL, 0, 0, 0, w - 4}, box, in, body, foot;
    struct ui_pen count = ui_pen_start(&none, 0), p;
    int focus, h, feet, room, top;
    const bool danger = d->step == UI_STEP_REVIEW && d->ticket && d->ticket->phrase[0];
    const char *note = danger ? "ASKS FOR A PHRASE" : "Esc leaves";
    enum ui_role role = danger ? UI_WARN : UI_DIM;
    bool more = false;
    char text[80];

    draw_content(x, &count, &focus);
    feet = draw_foot(x, &none, false, &more);
    h = strip ? a->h : count.y + feet + 3 > a->h ? a->h : count.y + feet + 3;
    box = ui_area_sub(a, (a->h - h) / 2, (a->w - w) / 2, h, w);
    if (!strip && w + 2 >= a->w) { /* no ends of what is below, which would look like a frame */
        const struct ui_area rows = ui_area_sub(a, (a->h - h) / 2, 0, h, a->w);

        ui_fill(&rows, UI_TEXT);
    }
    ui_fill(&box, UI_TEXT);
    if (d->kind == UI_DLG_SWITCH) {
        note = ui_switch_note(x, text, &role);
    }
    in = ui_pane_box(&box, true, title_of(d), note, role);
    in = strip ? in : ui_area_sub(&in, 0, 1, in.h, in.w - 2);
    room = in.h - feet > 0 ? in.h - feet : focus >= 0 && in.h > 0 ? 1 : 0;
    top = focus >= room && room > 0 ? focus - room + 1 : 0;
    top += d->top;
    top = count.y - top < room ? (count.y > room ? count.y - room : 0) : top;
    body = ui_area_sub(&in, 0, 0, room, in.w);
    p = ui_pen_start(&body, top);
    draw_content(x, &p, &focus);
    more = count.y - top > room && room > 1;
    foot = ui_area_sub(&in, room, 0, in.h - room, in.w);
    (void)draw_foot(x, &foot, true, &more);
    if (more) {
        const char *said = in.w < 40 ? " more" : " " MORE;

        (void)ui_put_right(&body, room - 1, in.w - ui_cols(said), ui_cols(said), UI_WARN, said);
    }
}
