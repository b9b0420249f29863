/* strip.c: below 80x24: the same facts one a line, the most urgent first, down to one cell. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/fmt.h"
#include "ui/members.h"
#include "ui/prompt.h"
#include "ui/screen.h"

static void strip_title(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    const int64_t age = ui_data_age_ms(x);
    char clock[UI_NUM_MAX], t[UI_NUM_MAX], right[120], name[MST_HOST_MAX] = "NO PRIMARY";
    const bool bad = v->verdict != MST_V_HEALTHY && v->verdict != MST_V_DEGRADED;
    struct ui_area left = *a;
    int at;

    (void)snprintf(right, sizeof right, "!%zu %s %s%s", ui_alerts(x),
                   ui_fmt_clock_z(x->st->now_wall_ms, clock), age > UI_STALE_MS ? "STALE " : "",
                   ui_fmt_age(age, t));
    if (a->w > 40) {
        left = ui_area_sub(a, 0, 0, 1, a->w - ui_cols(right) - 1);
        (void)ui_put(a, 0, a->w - ui_cols(right), age > UI_STALE_MS ? UI_WARN : UI_DIM, right);
    }
    if (v->primary >= 0 && (size_t)v->primary < v->n) {
        (void)mst_copy(name, sizeof name, v->members[v->primary].name);
    }
    if (a->w < 12) {
        (void)ui_put(&left, 0, 0, bad ? UI_CRIT : UI_TEXT, mst_verdict_word(v->verdict));
        return;
    }
    at = ui_putf(&left, 0, 0, UI_TITLE_FOCUS, "%s%s%.30s", x->v->info->set_class,
                 x->v->info->set_class[0] ? " " : "", x->v->info->set_label);
    if (bad) {
        (void)mst_copy(name, sizeof name,
                       v->verdict == MST_V_NO_MAJORITY ? "NO MAJORITY WRITES"
                                                       : mst_verdict_word(v->verdict));
    }
    (void)ui_putf(&left, 0, at + 1, bad ? UI_CRIT : UI_BAR, bad ? "%.60s" : "P %.60s", name);
}

static void strip_member(const struct ui_ctx *x, struct ui_pen *p, size_t i)
{
    const struct mst_topo_member *m = &x->v->topo->v.members[i];
    const int y = ui_pen_next(p);
    char lag[UI_NUM_MAX], seen[UI_NUM_MAX], oplog[UI_NUM_MAX];
    int at;

    at = ui_putf(&p->a, y, 0, ui_member_role(x, i), "%c ", ui_member_sign(&x->v->topo->v, i));
    at += ui_put_cut(&p->a, y, at, 20, ui_member_stale(x, m) ? UI_STALE : UI_TEXT, m->name);
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
            ui_pen_line(p, ui_job_role(j->state), "%c %llu %s %s%s %s", ui_job_sign(j->state),
                        (unsigned long long)j->id, mst_job_kind_word(j->kind),
                        mst_job_state_word(j->state), pc, live ? j->phase : j->result);
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
        ui_pen_line(p, UI_STALE, "store %s: %zu backups %s ago (cache), newest was %s", b->store,
                    b->n, ui_fmt_age(x->st->now_wall_ms - b->as_of_wall_ms, t),
                    b->n ? b->backups[0].id : "none");
    } else if (b && !b->problem[0]) {
        ui_pen_line(p, UI_TEXT, "store %s: %zu backups, newest %s", b->store, b->n,
                    b->n ? b->backups[0].id : "none");
    }
    for (size_t i = 0; i < n; i++) {
        ui_pen_line(p, ui_severity_role(ev[i].severity), "%c%.8s %s",
                    ev[i].severity == MST_SEV_INFO ? ' ' : '!', ui_fmt_clock_z(ev[i].wall_ms, t),
                    ev[i].text);
    }
}

void ui_strip_draw(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct ui_screen *s = ui_screen_of(x->st->scr);
    const struct ui_scr_state *ss = &x->st->s[x->st->scr];
    const int foot = a->h >= 4 ? 1 : 0;
    const struct ui_area body = ui_area_sub(a, 1, 0, a->h - 1 - foot, a->w);

    strip_title(x, a);
    if (x->st->scr == UI_SCR_DASH && !ss->zoom) {
        struct ui_pen p = ui_pen_start(&body, ss->top[0]);

        strip_facts(x, &p, true);
        strip_facts(x, &p, false);
        strip_rest(x, &p);
    } else {
        (void)s->pane[ss->pane].draw(x, &body, true);
    }
    if (!foot) {
        return;
    }
    if (x->st->prompt) {
        ui_prompt_draw(x->st, a, a->h - 1);
    } else if (x->st->msg[0] && x->st->msg_severity != MST_SEV_INFO) {
        (void)ui_put_cut(a, a->h - 1, 0, a->w, ui_severity_role(x->st->msg_severity), x->st->msg);
    } else {
        (void)ui_put_cut(a, a->h - 1, 0, a->w, UI_HINT,
                         "? help  1-4 screen  Tab pane  . actions  q");
    }
}
