/* dlg_switch_draw.c: what the steps of a switch show. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/fmt.h"
#include "ui/screen.h"
#include "ui/switch.h"

/* 0 refuses, 1 asks for a reason, 2 warns, 3 passes. */
static int rank_of(const struct mst_rule_line *r)
{
    if (r->result == MST_RULE_REFUSE) {
        return r->may_override ? 1 : 0;
    }
    return r->result == MST_RULE_WARN ? 2 : 3;
}

size_t ui_switch_order(const struct mst_ticket *t, size_t order[UI_SWITCH_RULES])
{
    size_t n = 0;

    for (int rank = 0; t && rank < 4; rank++) {
        for (size_t i = 0; i < t->n_rules && n < UI_SWITCH_RULES; i++) {
            if (rank_of(&t->rules[i]) == rank) {
                order[n++] = i;
            }
        }
    }
    return n;
}

const char *ui_switch_reason(const struct mst_cmd *cmd, const struct mst_rule_line *r)
{
    for (size_t i = 0; i < cmd->n_overrides; i++) {
        if (strncmp(cmd->overrides[i], r->name, 3) == 0 && cmd->overrides[i][3] == '=') {
            return cmd->overrides[i] + 4;
        }
    }
    return "";
}

void ui_switch_choice(const struct ui_ctx *x, struct ui_pen *p)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    const int act = ui_form_at(&x->st->dlg.form, 'a')->choice;
    const int i = mst_topo_find(v, ui_form_chosen(&x->st->dlg.form, 'm'));
    char text[320], lag[UI_NUM_MAX], age[UI_NUM_MAX];

    if (act == 1) {
        (void)mst_topo_if_stepped_down(v, text);
        ui_pen_wrap(p, 0, UI_DIM, text);
    } else if (act == 2) {
        ui_pen_wrap(p, 0, UI_DIM, "to the member that a switch of this host took the seat from");
    } else if (i >= 0 && !v->members[i].can_win) {
        (void)snprintf(text, sizeof text, "%.60s cannot be elected now: %s", v->members[i].name,
                       v->members[i].why_not);
        ui_pen_wrap(p, 0, UI_WARN, text);
    } else if (i >= 0) {
        (void)snprintf(text, sizeof text, "%.60s: %s, priority %g, lag %s, seen %s ago",
                       v->members[i].name, ui_member_word(&v->members[i]), v->members[i].priority,
                       v->members[i].lag_ms < 0 ? "not known"
                                                : ui_fmt_lag(v->members[i].lag_ms, lag),
                       ui_fmt_age(ui_member_age_ms(x, &v->members[i]), age));
        ui_pen_wrap(p, 0, UI_DIM, text);
    }
}

const char *ui_switch_title(const struct ui_dialog *d)
{
    static const char *const titles[] = {
        [UI_STEP_EDIT] = "Switch [1 choose] 2 checks 3 plan 4 confirm",
        [UI_STEP_WAIT] = "Switch 1 choose [2 checks] 3 plan 4 confirm",
        [UI_STEP_REVIEW] = "Switch",
        [UI_STEP_CHECKS] = "Switch 1 choose [2 checks] 3 plan 4 confirm",
        [UI_STEP_PLAN] = "Switch 1 choose 2 checks [3 plan] 4 confirm",
        [UI_STEP_CONFIRM] = "Switch 1 choose 2 checks 3 plan [4 confirm]"};

    return titles[d->step];
}

static void count(const struct mst_ticket *t, size_t n[4])
{
    memset(n, 0, 4 * sizeof n[0]);
    for (size_t i = 0; i < t->n_rules; i++) {
        n[rank_of(&t->rules[i])]++;
    }
}

/* Minutes and seconds that the plan holds. */
static char *valid(const struct ui_ctx *x, char out[24])
{
    const int64_t ms = x->st->dlg.ticket->expires_mono_ms - x->st->now_mono_ms;
    const int s = ms > 0 ? (int)(ms / 1000) : 0;

    (void)snprintf(out, 24, "%02d:%02d", s / 60 % 100, s % 60);
    return out;
}

const char *ui_switch_note(const struct ui_ctx *x, char out[80], enum ui_role *role)
{
    const struct ui_dialog *d = &x->st->dlg;
    size_t n[4];
    char left[24];

    *role = UI_DIM;
    if (!d->ticket) {
        (void)mst_copy(out, 80, "Esc leaves");
        return out;
    }
    if (d->step == UI_STEP_CHECKS) {
        count(d->ticket, n);
        *role = n[0] + n[1] > 0 ? UI_CRIT : n[2] > 0 ? UI_WARN : UI_OK;
        (void)snprintf(out, 80, "%zu pass %zu warn %zu fail", n[3], n[2], n[0] + n[1]);
    } else {
        *role = UI_WARN;
        (void)snprintf(out, 80, "plan %s valid %s", d->ticket->code, valid(x, left));
    }
    return out;
}

static const char *word_of(const struct mst_cmd *cmd, const struct mst_rule_line *r,
                           enum ui_role *role)
{
    static const enum ui_role roles[] = {UI_CRIT, UI_CRIT, UI_WARN, UI_OK};
    const bool given = ui_switch_reason(cmd, r)[0] != '\0';
    const int rank = rank_of(r);

    *role = roles[rank];
    if (rank == 1 && given) {
        *role = UI_WARN;
        return "ACCEPTED";
    }
    return rank == 0                      ? "BLOCKS"
           : rank == 1                    ? "OVERRIDE?"
           : rank == 2 && r->may_override ? "ACCEPTED"
           : rank == 2                    ? "WARN"
                                          : "PASS";
}

static void draw_rule(const struct ui_ctx *x, const struct mst_rule_line *r, bool sel,
                      struct ui_pen *p)
{
    const struct mst_cmd *cmd = &x->st->dlg.cmd;
    const char *reason = ui_switch_reason(cmd, r);
    const int y = ui_pen_next(p);
    enum ui_role role;
    const char *word = word_of(cmd, r, &role);
    char line[240];

    (void)ui_put(&p->a, y, 0, sel ? UI_KEY : UI_TEXT, sel ? "*" : " ");
    (void)ui_put(&p->a, y, 1, role, word);
    (void)ui_put_cut(&p->a, y, 11, 29, UI_TEXT, r->name);
    if (ui_cols(r->text) <= p->a.w - 41) {
        (void)ui_put(&p->a, y, 41, UI_TEXT, r->text);
    } else {
        ui_pen_wrap(p, 11, rank_of(r) == 3 ? UI_DIM : UI_TEXT, r->text);
    }
    if (rank_of(r) == 1 && reason[0]) {
        (void)snprintf(line, sizeof line, "reason: %s (counts when it is checked again)", reason);
        ui_pen_wrap(p, 11, UI_WARN, line);
    }
    if (sel) {
        ui_tint(&p->a, y, 11, p->a.w > 41 ? 29 : p->a.w - 11, UI_SELECT);
    }
}

static void draw_checks(const struct ui_ctx *x, struct ui_pen *p, int *focus)
{
    const struct ui_dialog *d = &x->st->dlg;
    const struct mst_ticket *t = d->ticket;
    size_t order[UI_SWITCH_RULES];
    const size_t n = ui_switch_order(t, order);

    ui_pen_wrap(p, 0, t->refused ? UI_CRIT : UI_TITLE_FOCUS, t->summary);
    if (x->st->now_mono_ms > t->expires_mono_ms) {
        ui_pen_wrap(p, 0, UI_WARN, "these facts are older than two minutes: check again");
    }
    for (size_t i = 0; i < n; i++) {
        const bool sel = (int)i == d->sel;
        const int from = p->y;

        draw_rule(x, &t->rules[order[i]], sel, p);
        if (sel) { /* all of it in sight; of the first one also what stands above */
            *focus = i == 0 ? from : p->y - 1;
        }
    }
}

/* What is not a step: the last two lines of a plan say what it costs and what undoes it. */
static void draw_steps(const struct mst_ticket *t, struct ui_pen *p, bool all)
{
    const size_t last = t->n_steps >= 2 ? t->n_steps - 2 : t->n_steps;
    char line[260];

    for (size_t i = 0; i < last; i++) {
        const bool stops = strstr(t->steps[i], "writes are refused") != NULL;

        if (all || stops) {
            (void)snprintf(line, sizeof line, "%zu %s", i + 1, t->steps[i]);
            ui_pen_wrap(p, 0, stops ? UI_WARN : UI_TEXT, line);
        }
    }
    if (t->n_steps >= 2) {
        (void)snprintf(line, sizeof line, "gap   %s", t->steps[last]);
        ui_pen_wrap(p, 0, UI_WARN, line);
        (void)snprintf(line, sizeof line, "undo  %s", t->steps[last + 1]);
        ui_pen_wrap(p, 0, UI_TEXT, line);
    }
}

static void draw_plan(const struct ui_ctx *x, struct ui_pen *p)
{
    const struct mst_ticket *t = x->st->dlg.ticket;
    char line[UI_COMMAND_MAX];
    struct mst_err err = {0};
    size_t n[4];

    count(t, n);
    ui_pen_wrap(p, 0, UI_TITLE_FOCUS, t->summary);
    draw_steps(t, p, true);
    ui_pen_line(p, UI_TEXT, "checks %zu pass, %zu warn or overridden; plan %s", n[3], n[2],
                t->plan_hash);
    for (size_t i = 0; i < x->st->dlg.cmd.n_overrides; i++) {
        (void)snprintf(line, sizeof line, "overridden %s", x->st->dlg.cmd.overrides[i]);
        ui_pen_wrap(p, 0, UI_WARN, line);
    }
    ui_pen_line(p, UI_HEAD, "the same on the command line (y copies it):");
    ui_dialog_command(x, line, sizeof line, &err);
    ui_pen_wrap(p, 2, UI_COMMAND, line);
}

static void draw_confirm(const struct ui_ctx *x, struct ui_pen *p)
{
    const struct mst_ticket *t = x->st->dlg.ticket;
    char line[240];

    ui_pen_wrap(p, 0, UI_TITLE_FOCUS, t->summary);
    if (x->st->dlg.cmd.reason[0]) {
        (void)snprintf(line, sizeof line, "reason: %s", x->st->dlg.cmd.reason);
        ui_pen_wrap(p, 0, UI_TEXT, line);
    }
    draw_steps(t, p, false);
    ui_pen_wrap(p, 0, UI_DIM,
                "Nothing has moved so far. Enter does nothing until the phrase fits; once it "
                "runs, X on its page asks for the undo.");
}

static void draw_wait(const struct ui_ctx *x, struct ui_pen *p)
{
    static const char *const asked[] = {"state, term and configuration of every member",
                                        "positions, three times some seconds apart",
                                        "votes, heartbeats and links, both ways",
                                        "locks, long operations, flow control",
                                        "versions, clocks, rights, oplog windows",
                                        "one majority write, and who else acts"};
    char t[UI_NUM_MAX];

    ui_pen_line(p, UI_RUN, "collecting facts, %s (1 to 7 s); Esc leaves, nothing moves",
                ui_fmt_age(x->st->now_mono_ms - x->st->dlg.open_mono_ms, t));
    for (size_t i = 0; i < MST_COUNT(asked); i++) {
        ui_pen_line(p, UI_DIM, "  %s", asked[i]);
    }
}

void ui_switch_content(const struct ui_ctx *x, struct ui_pen *p, int *focus)
{
    const struct ui_dialog *d = &x->st->dlg;

    if (d->step == UI_STEP_WAIT && !d->error[0]) {
        draw_wait(x, p);
    } else if (d->ticket && d->step == UI_STEP_CHECKS) {
        draw_checks(x, p, focus);
    } else if (d->ticket && d->step == UI_STEP_PLAN) {
        draw_plan(x, p);
    } else if (d->ticket && d->step == UI_STEP_CONFIRM) {
        draw_confirm(x, p);
    }
}
