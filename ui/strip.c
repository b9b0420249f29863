/* strip.c: below 80x24: the same facts one a line, the most urgent first, down to one cell. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/fmt.h"
#include "ui/members.h"
#include "ui/prompt.h"
#include "ui/screen.h"
#include "ui/switch.h"

/* What makes everything below old news; "" when it is fresh. */
static const char *old_word(const struct ui_ctx *x, enum ui_role *role)
{
    *role = UI_WARN;
    if (x->v->info->agent_lost_ms > 0) {
        *role = UI_CRIT;
        return "AGENT LOST";
    }
    return x->st->frozen ? "FROZEN" : ui_data_age_ms(x) > UI_STALE_MS ? "STALE" : "";
}

static void strip_what(const struct ui_ctx *x, const struct ui_area *a, int at)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    const bool bad = v->verdict != MST_V_HEALTHY && v->verdict != MST_V_DEGRADED;
    char name[MST_HOST_MAX] = "NO PRIMARY";

    if (v->primary >= 0 && (size_t)v->primary < v->n) {
        (void)mst_copy(name, sizeof name, v->members[v->primary].name);
    }
    if (bad) {
        (void)mst_copy(name, sizeof name,
                       v->verdict == MST_V_NO_MAJORITY ? "NO MAJORITY WRITES"
                                                       : mst_verdict_word(v->verdict));
    }
    (void)ui_putf(a, 0, at, bad ? UI_CRIT : UI_BAR, bad ? "%.60s" : "P %.60s", name);
}

/* Narrow: what is wrong comes before what the set is called. */
static void strip_title(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    const bool bad = v->verdict != MST_V_HEALTHY && v->verdict != MST_V_DEGRADED;
    char clock[UI_NUM_MAX], t[UI_NUM_MAX], right[120], set[64];
    enum ui_role role;
    const char *old = old_word(x, &role);
    struct ui_area left = *a;
    int at = 0;

    if (a->w <= 40) {
        at += old[0] ? ui_put(a, 0, 0, role, old) + 1 : 0;
        if (a->w < 12) {
            (void)ui_put(a, 0, at, bad ? UI_CRIT : UI_TEXT, mst_verdict_word(v->verdict));
            return;
        }
    } else {
        (void)snprintf(right, sizeof right, "!%zu %s%s%s %s%s%s", ui_alerts(x),
                       a->w >= 56 ? ui_mode_word(x->v->info) : "", a->w >= 56 ? " " : "",
                       ui_fmt_clock_z(x->st->now_wall_ms, clock), old, old[0] ? " " : "",
                       ui_fmt_age(ui_data_age_ms(x), t));
        left = ui_area_sub(a, 0, 0, 1, a->w - ui_cols(right) - 1);
        (void)ui_put(a, 0, a->w - ui_cols(right), old[0] ? role : UI_DIM, right);
    }
    (void)snprintf(set, sizeof set, "%s%s%.30s", x->v->info->set_class,
                   x->v->info->set_class[0] ? " " : "", x->v->info->set_label);
    if (bad ? ui_cols(set) + (int)sizeof "NO MAJORITY WRITES" <= left.w : a->w > 40 || !old[0]) {
        at += ui_put(&left, 0, at, UI_TITLE_FOCUS, set) + 1;
    }
    strip_what(x, &left, at);
}

static void strip_member(const struct ui_ctx *x, struct ui_pen *p, size_t i)
{
    const struct mst_topo_member *m = &x->v->topo->v.members[i];
    const int y = ui_pen_next(p);
    char lag[UI_NUM_MAX], seen[UI_NUM_MAX], oplog[UI_NUM_MAX], name[MST_HOST_MAX];
    const bool narrow = p->a.w < 40; /* the state is worth more than the whole name */
    int at;

    at = ui_putf(&p->a, y, 0, ui_member_role(x, i), "%c ", ui_member_sign(&x->v->topo->v, i));
    at += ui_put_cut(&p->a, y, at, narrow ? 7 : 20, ui_member_stale(x, m) ? UI_STALE : UI_TEXT,
                     narrow ? ui_short_name(&x->v->topo->v, i, name, sizeof name) : m->name);
    at += 1 + ui_putf(&p->a, y, at + 1, ui_member_role(x, i), "%-11s", ui_member_word(m));
    (void)ui_putf(&p->a, y, at + 1, UI_TEXT, "%6s  oplog %s  seen %s",
                  ui_fmt_lag(m->shown == MST_SHOW_PRIMARY ? -1 : m->lag_ms, lag),
                  ui_fmt_hours(m->window_s, oplog), ui_fmt_age(ui_member_age_ms(x, m), seen));
}

static void strip_facts(const struct ui_ctx *x, struct ui_pen *p, bool urgent)
{
    const struct mst_topo_view *v = &x->v->topo->v;

    if (urgent && x->v->info->agent_lost_ms > 0) {
        ui_pen_line(p, UI_CRIT, "X the agent does not answer");
    }
    if (urgent && ui_switch_foreign(x->v)) {
        char line[400];

        ui_pen_wrap(p, 0, UI_WARN, ui_switch_foreign_line(ui_switch_foreign(x->v), line));
    }
    if (urgent && ui_switch_live(x->v)) {
        char line[400];

        ui_pen_wrap(p, 0, ui_switch_stopped(x->v->move) ? UI_CRIT : UI_WARN,
                    ui_switch_line(x->v->move, x->st->now_mono_ms, line));
    }
    if (urgent && v->verdict != MST_V_HEALTHY && v->verdict != MST_V_DEGRADED) {
        ui_pen_line(p, UI_CRIT, "X %s", v->headline);
    }
    for (size_t i = 0; i < v->n; i++) {
        if ((ui_member_sign(v, i) != '=') == urgent) {
            strip_member(x, p, i);
        }
    }
    for (size_t i = 0; i < v->n_reasons && urgent; i++) {
        ui_pen_line(p, ui_severity_role(v->reasons[i].severity), "! %s", v->reasons[i].text);
    }
    for (size_t i = 0; i < x->v->jobs->n; i++) {
        const struct mst_job *j = &x->v->jobs->jobs[i];
        const int permille = ui_job_permille(j);
        const bool live = j->ended_wall_ms == 0;

        if (live == urgent) {
            char pc[UI_NUM_MAX] = "";

            if (permille >= 0 && live) {
                (void)snprintf(pc, sizeof pc, " %d%%", permille / 10);
            }
            ui_pen_line(p, ui_job_role(x, j), "%c %llu %s %s%s %s", ui_job_sign(x, j),
                        (unsigned long long)j->id, mst_job_kind_word(j->kind), ui_job_word(x, j),
                        pc, live ? j->phase : j->result);
        }
    }
}

static void strip_rest(const struct ui_ctx *x, struct ui_pen *p)
{
    const struct mst_bucket_part *b = x->v->bucket;
    struct ui_event ev[32];
    const size_t n = ui_events(x->v, ev, MST_COUNT(ev));
    char t[UI_NUM_MAX];

    if (!b || b->problem[0]) {
        ui_pen_line(p, UI_WARN, "! %s", b ? b->problem : "no store is configured");
    }
    if (b && b->cached) {
        ui_pen_line(p, UI_STALE, "store %s: %zu %s %s ago (cache), newest was %s", b->store, b->n,
                    mst_text_noun(b->n, "backup", "backups"),
                    ui_fmt_age(x->st->now_wall_ms - b->as_of_wall_ms, t),
                    b->n ? b->backups[0].id : "none");
    } else if (b && !b->problem[0]) {
        ui_pen_line(p, UI_TEXT, "store %s: %zu %s, newest %s", b->store, b->n,
                    mst_text_noun(b->n, "backup", "backups"), b->n ? b->backups[0].id : "none");
    }
    if (x->v->info->key_remind[0]) {
        ui_pen_line(p, UI_WARN, "! %s", x->v->info->key_remind);
    }
    for (size_t i = 0; i < n; i++) {
        ui_pen_line(p, ui_severity_role(ev[i].severity), "%c%.8s %s",
                    ev[i].severity == MST_SEV_INFO ? ' ' : '!', ui_fmt_clock_z(ev[i].wall_ms, t),
                    ev[i].text);
    }
}

int ui_strip_facts(const struct ui_ctx *x, const struct ui_area *a)
{
    struct ui_pen p = ui_pen_start(a, x->st->s[UI_SCR_DASH].top[0]);

    strip_facts(x, &p, true);
    strip_facts(x, &p, false);
    strip_rest(x, &p);
    return p.y;
}

bool ui_strip_lists(const struct ui_state *st)
{
    return st->scr == UI_SCR_DASH && st->s[UI_SCR_DASH].pane == 0 && !st->s[UI_SCR_DASH].zoom;
}

/* An answer to a key is worth the line for a while; what is wrong keeps it. */
static bool message_due(const struct ui_state *st)
{
    return st->msg[0] && (st->msg_severity != MST_SEV_INFO ||
                          (st->now_wall_ms - st->msg_wall_ms >= 0 &&
                           st->now_wall_ms - st->msg_wall_ms < UI_STRIP_SAY_MS));
}

void ui_strip_draw(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct ui_screen *s = ui_screen_of(x->st->scr);
    const struct ui_scr_state *ss = &x->st->s[x->st->scr];
    const int foot = a->h >= 4 ? 1 : 0;
    const struct ui_area body = ui_area_sub(a, 1, 0, a->h - 1 - foot, a->w);

    strip_title(x, a);
    if (x->st->run_page) {
        ui_switch_page_draw(x, &body);
    } else if (ui_strip_lists(x->st)) {
        (void)ui_strip_facts(x, &body);
    } else {
        (void)s->pane[ss->pane].draw(x, &body, true);
    }
    if (x->st->prompt && a->h > 1) {
        ui_prompt_draw(x->st, a, a->h - 1);
    } else if (!foot) {
        return;
    } else if (message_due(x->st)) {
        (void)ui_put_cut(
            a, a->h - 1, 0, a->w,
            x->st->msg_severity == MST_SEV_INFO ? UI_TEXT : ui_severity_role(x->st->msg_severity),
            x->st->msg);
    } else {
        (void)ui_put_cut(a, a->h - 1, 0, a->w, UI_HINT,
                         x->st->run_page ? ui_switch_live(x->v) ? "X undo..  v log  q hide  ? help"
                                                                : "v log  q close  ? help"
                                         : "? help  1-4 screen  Tab pane  . actions  q");
    }
}
