/* scr_topo.c: the members, what each says of the others, one in detail, what happened. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/fmt.h"
#include "ui/members.h"
#include "ui/screen.h"

enum { P_LIST, P_SEES, P_DETAIL, P_EVENTS };

static int scroll_of(const struct ui_ctx *x, int pane)
{
    return x->st->s[UI_SCR_TOPO].top[pane];
}

static int draw_list(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    const char *filter = x->st->s[UI_SCR_TOPO].find;
    char title[400], config[96] = "configuration not read yet", note[96], age[UI_NUM_MAX];
    struct ui_area in, rest;
    struct ui_pen p;
    int rows;

    if (v->config_at_ms > 0) {
        (void)snprintf(config, sizeof config, "config %lld  term %lld%s",
                       (long long)v->config_version, (long long)v->term,
                       v->config_forced ? "  FORCED" : "");
        (void)snprintf(note, sizeof note, "%s, config %s old", mst_verdict_word(v->verdict),
                       ui_fmt_age(x->st->now_mono_ms - v->config_at_ms, age));
    } else {
        (void)mst_copy(note, sizeof note, mst_verdict_word(v->verdict));
    }
    (void)snprintf(title, sizeof title, "%s  %s%s%s",
                   v->set_name_known ? v->set_name : "set not known", config,
                   filter[0] ? "  filter: " : "", filter);
    in = ui_pane_box(a, focus, title, note, ui_verdict_role(v->verdict));
    rows = ui_members_draw(x, &in, in.h > 6 ? in.h - 2 : in.h, true);
    rest = ui_area_sub(&in, rows, 0, in.h - rows, in.w);
    p = ui_pen_start(&rest, 0);
    if (v->if_primary_dies[0]) {
        char text[sizeof v->if_primary_dies + 32];

        (void)snprintf(text, sizeof text, "if the primary dies: %s", v->if_primary_dies);
        ui_pen_wrap(&p, 0, UI_TEXT, text);
    }
    for (size_t i = 0; i < v->n_reasons; i++) {
        ui_pen_line(&p, ui_severity_role(v->reasons[i].severity), "%s", v->reasons[i].text);
    }
    return rows + p.y;
}

/* What member i says of member j: sign and, with room, its state or the ping. */
static enum ui_role opinion(const struct ui_ctx *x, size_t i, size_t j, bool wide, char *out,
                            size_t size)
{
    const struct mst_topo_member *m = &x->v->topo->v.members[i];
    const struct mst_opinion *o = &m->sees[j];
    char ping[UI_NUM_MAX];

    if (i == j) {
        (void)snprintf(out, size, ".");
        return UI_DIM;
    }
    if (!o->known || m->status_at_ms == 0 ||
        x->st->now_mono_ms - m->status_at_ms > 3 * UI_STALE_MS) {
        (void)snprintf(out, size, "?");
        return UI_STALE;
    }
    if (o->health == 0) {
        (void)snprintf(out, size, wide ? "X down" : "X");
        return UI_CRIT;
    }
    if (wide && o->ping_ms >= 0) {
        (void)snprintf(out, size, "=%c %s", mst_mstate_name(o->state)[0],
                       ui_fmt_rtt(o->ping_ms * 1000, ping));
    } else {
        (void)snprintf(out, size, "=%c", mst_mstate_name(o->state)[0]);
    }
    return o->state == MST_MS_PRIMARY ? UI_PRIMARY : UI_TEXT;
}

int ui_sees_draw(const struct ui_ctx *x, const struct ui_area *a, bool focus, int scroll)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    struct ui_area in =
        ui_pane_box(a, focus, "Who sees whom", a->w > 50 ? "row says of column" : "", UI_DIM);
    struct ui_pen p = ui_pen_start(&in, scroll);
    const int n = (int)v->n;
    const int cell = n > 0 && (in.w - 7) / n > 4 ? ((in.w - 7) / n > 9 ? 9 : (in.w - 7) / n) : 4;
    char name[MST_HOST_MAX], text[32];
    int y = ui_pen_next(&p);

    for (size_t j = 0; j < v->n; j++) {
        (void)ui_put_cut(&in, y, 7 + (int)j * cell, cell - 1, UI_HEAD,
                         ui_short_name(v, j, name, sizeof name));
    }
    for (size_t i = 0; i < v->n; i++) {
        y = ui_pen_next(&p);
        (void)ui_put_cut(&in, y, 0, 6, UI_TEXT, ui_short_name(v, i, name, sizeof name));
        for (size_t j = 0; j < v->n; j++) {
            const enum ui_role role = opinion(x, i, j, cell >= 8, text, sizeof text);

            (void)ui_put_cut(&in, y, 7 + (int)j * cell, cell - 1, role, text);
        }
    }
    ui_pen_line(&p, UI_DIM,
                in.w >= 42 ? "=P sees it as primary   =S as secondary"
                           : "=P sees it primary =S second.");
    ui_pen_line(&p, UI_DIM, "X calls it down   ? not known");
    return p.y;
}

static int draw_sees(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    return ui_sees_draw(x, a, focus, scroll_of(x, P_SEES));
}

static void detail_own(const struct ui_ctx *x, const struct mst_topo_member *m, struct ui_pen *p)
{
    char age[UI_NUM_MAX], t1[UI_NUM_MAX];

    if (strcmp(m->name, m->dial) != 0 && m->dial[0]) {
        ui_pen_pair(p, "dialled", UI_TEXT, "%s", m->dial);
    }
    if (m->reach != MST_REACH_OK) {
        ui_pen_pair(p, "reach", m->reach == MST_REACH_NEVER ? UI_DIM : UI_WARN, "%s for %s",
                    mst_reach_word(m->reach), ui_fmt_age(x->st->now_mono_ms - m->reach_at_ms, age));
        ui_pen_wrap(p, 0, UI_WARN, m->reach_text);
    }
    ui_pen_pair(p, "last hello", ui_member_stale(x, m) ? UI_STALE : UI_TEXT, "%s ago, %s%s",
                ui_fmt_age(ui_member_age_ms(x, m), age),
                ui_fmt_rtt(m->hello_at_ms ? m->hello_rtt_us : -1, t1),
                ui_member_stale(x, m) ? "  STALE" : "");
    if (m->version[0]) {
        ui_pen_pair(p, "server", UI_TEXT, "%s  fcv %s  up %s", m->version, m->fcv[0] ? m->fcv : "?",
                    ui_fmt_age(m->uptime_s * 1000, t1));
    } else if (m->stats_missing[0]) {
        ui_pen_pair(p, "server", UI_WARN, "%s", m->stats_missing);
    }
}

static void detail_status(const struct ui_ctx *x, const struct mst_topo_member *m, struct ui_pen *p)
{
    char t1[UI_NUM_MAX], age[UI_NUM_MAX];
    const int64_t old = m->status_at_ms ? x->st->now_mono_ms - m->status_at_ms : -1;

    if (m->status_missing[0]) {
        ui_pen_pair(p, "status", UI_WARN, "%s", m->status_missing);
    }
    if (m->status_at_ms == 0) {
        return;
    }
    ui_pen_pair(p, "state", old > UI_STALE_MS ? UI_STALE : UI_TEXT, "%s, %s ago%s",
                mst_mstate_name(m->state), ui_fmt_age(old, age),
                old > UI_STALE_MS ? "  STALE" : "");
    ui_pen_pair(p, "optime", UI_TEXT, "%s", ui_fmt_optime(m->applied, t1));
    ui_pen_pair(p, "committed", UI_TEXT, "%s", ui_fmt_optime(m->committed, t1));
    if (m->shown != MST_SHOW_PRIMARY) {
        ui_pen_pair(p, "behind", UI_TEXT, "%s  syncs from %s", ui_fmt_lag(m->lag_ms, t1),
                    m->sync_source[0] ? m->sync_source : "nobody");
    }
    if (m->headroom_s >= 0) {
        ui_pen_pair(p, "headroom", UI_TEXT, "%s of its source's oplog",
                    ui_fmt_hours(m->headroom_s, t1));
    }
}

static void detail_config(const struct ui_ctx *x, const struct mst_topo_member *m, struct ui_pen *p)
{
    char a[UI_NUM_MAX], b[UI_NUM_MAX], t[UI_NUM_MAX], h[MST_HUMAN_MAX];

    if (m->shown != MST_SHOW_PRIMARY) {
        ui_pen_pair(p, "can win", m->can_win ? UI_OK : UI_TEXT, "%s%s%s", m->can_win ? "yes" : "no",
                    m->can_win ? "" : ": ", m->can_win ? "" : m->why_not);
    }
    if (m->configured) {
        ui_pen_pair(p, "config", UI_TEXT, "_id %d  prio %g  votes %d%s%s", m->id, m->priority,
                    m->votes, m->hidden ? "  hidden" : "", m->arbiter ? "  arbiter" : "");
    }
    if (m->delay_s > 0) {
        ui_pen_pair(p, "delay", UI_TEXT, "%lld s", (long long)m->delay_s);
    }
    if (m->tags[0]) {
        ui_pen_pair(p, "tags", UI_TEXT, "%s", m->tags);
    }
    if (m->stats_at_ms) {
        ui_pen_pair(p, "load", UI_TEXT, "%s ops/s  %s conns  (%s old)",
                    ui_fmt_count(m->ops_per_s < 0 ? -1 : (int64_t)(m->ops_per_s + 0.5), a),
                    ui_fmt_count(m->connections, b),
                    ui_fmt_age(x->st->now_mono_ms - m->stats_at_ms, t));
        if (m->mem_resident_mb > 0) {
            ui_pen_pair(p, "memory", UI_TEXT, "%s",
                        mst_text_bytes((uint64_t)m->mem_resident_mb << 20, h));
        }
    }
    if (m->rbid >= 0) {
        ui_pen_pair(p, "rollbacks", UI_TEXT, "rbid %lld", (long long)m->rbid);
    }
}

static int draw_detail(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    const size_t i = ui_members_selected(x);
    const struct mst_topo_member *m = i < v->n ? &v->members[i] : NULL;
    struct ui_area in = ui_pane_box(a, focus, m ? m->name : "no member", m ? ui_member_word(m) : "",
                                    m ? ui_member_role(x, i) : UI_DIM);
    struct ui_pen p = ui_pen_start(&in, scroll_of(x, P_DETAIL));

    if (m) {
        detail_own(x, m, &p);
        detail_status(x, m, &p);
        detail_config(x, m, &p);
    }
    return p.y;
}

static int draw_events(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    char note[32], t[UI_NUM_MAX];
    struct ui_area in;
    struct ui_pen p;

    (void)snprintf(note, sizeof note, "%zu, UTC", v->n_events);
    in = ui_pane_box(a, focus, "Elections and state changes", note, UI_DIM);
    p = ui_pen_start(&in, scroll_of(x, P_EVENTS));
    if (v->n_events == 0) {
        ui_pen_line(&p, UI_DIM, "nothing has changed since muster looks");
    }
    for (size_t i = v->n_events; i > 0; i--) {
        const struct mst_event *e = &v->events[i - 1];
        const int y = ui_pen_next(&p);

        if (ui_other_day(x, e->wall_ms)) {
            (void)ui_putf(&p.a, y, 0, UI_DIM, "%.12s", ui_fmt_day(e->wall_ms, t));
        } else {
            (void)ui_putf(&p.a, y, 0, UI_DIM, "%.8s.%03d", ui_fmt_clock_z(e->wall_ms, t),
                          (int)(e->wall_ms % 1000));
        }
        (void)ui_put_cut(&p.a, y, 13, p.a.w - 13,
                         e->kind == MST_EV_GAP ? UI_STALE : ui_severity_role(e->severity), e->text);
    }
    return p.y;
}

static void layout(const struct ui_ctx *x, int h, int w, struct ui_rect r[UI_PANES])
{
    const struct ui_area none = {NULL, 0, 0, UI_ROWS_MAX, w};
    const int n = (int)x->v->topo->v.n;
    const int left = w >= 110 ? w / 2 : n * 4 + 9 > 32 ? 36 : 32;
    const int wanted = draw_list(x, &none, false) + 2;
    const int events = h >= 30 ? (h - 9 - n > 18 ? (h - 9 - n) / 3 : 6) : 4;
    int top = wanted < 7 ? 7 : wanted;

    top = top > h - 7 - events ? h - 7 - events : top;
    r[P_LIST] = (struct ui_rect){0, 0, top, w};
    r[P_SEES] = (struct ui_rect){top, 0, h - top - events, left};
    r[P_DETAIL] = (struct ui_rect){top, left, h - top - events, w - left};
    r[P_EVENTS] = (struct ui_rect){h - events, 0, events, w};
}

static void rows(const struct ui_ctx *x, struct ui_rows *out)
{
    ui_members_rows(x, true, out);
}

static void pick(const struct mst_view *v, struct ui_state *st, size_t idx)
{
    if (idx < v->topo->v.n) {
        (void)mst_copy(st->member, sizeof st->member, v->topo->v.members[idx].name);
    }
}

const struct ui_screen ui_scr_topo = {
    .tab = "Topo",
    .title = "Topology",
    .bit = UI_ON_TOPO,
    .n_panes = 4,
    .pane = {{"Members", draw_list, true},
             {"Who sees whom", draw_sees, false},
             {"Detail", draw_detail, false},
             {"Events", draw_events, false}},
    .layout = layout,
    .rows = rows,
    .selected = ui_members_selected,
    .select = pick,
    .sorts = ui_member_sorts,
};
