/* draw.c: the frame around every screen, and the order of the layers. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/fmt.h"
#include "ui/prompt.h"
#include "ui/screen.h"
#include "ui/switch.h"

const struct ui_screen *ui_screen_of(enum ui_scr s)
{
    static const struct ui_screen *const screens[] = {&ui_scr_dash, &ui_scr_topo, &ui_scr_jobs,
                                                      &ui_scr_bucket};

    return screens[(size_t)s < MST_COUNT(screens) ? s : UI_SCR_DASH];
}

static enum ui_role class_role(const char *class)
{
    if (strcmp(class, "PROD") == 0) {
        return UI_CLASS_PROD;
    }
    if (strcmp(class, "TEST") == 0) {
        return UI_CLASS_TEST;
    }
    return strcmp(class, "SANDBOX") == 0 ? UI_CLASS_SANDBOX : UI_CLASS_NONE;
}

const char *ui_mode_word(const struct mst_info_part *i)
{
    return i->read_only ? "[RO]" : i->may_act ? "[RW]" : "[NO ACTS]";
}

static int put_primary(const struct ui_ctx *x, const struct ui_area *a, int at)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    char t[UI_NUM_MAX], name[MST_HOST_MAX];

    if (v->primary >= 0 && (size_t)v->primary < v->n) {
        const struct mst_topo_member *m = &v->members[v->primary];

        if (v->verdict == MST_V_NO_MAJORITY || m->shown == MST_SHOW_PRIMARY_NO_MAJORITY) {
            return ui_put(a, 0, at, UI_CRIT, " PRIMARY, NO MAJORITY WRITES ");
        }
        (void)mst_copy(name, sizeof name, m->name);
        return ui_putf(a, 0, at, ui_member_stale(x, m) ? UI_STALE : UI_BAR, "%s%.60s term %lld",
                       a->w >= 110 ? "primary " : "P ", name, (long long)v->term);
    }
    if (v->verdict == MST_V_STARTING) {
        return ui_put(a, 0, at, UI_DIM, "asking..");
    }
    if (v->no_primary_since_ms > 0) {
        return ui_putf(a, 0, at, UI_CRIT, " NO PRIMARY %s ",
                       ui_fmt_lag(x->st->now_mono_ms - v->no_primary_since_ms, t));
    }
    return ui_putf(a, 0, at, UI_CRIT, " %s ",
                   v->verdict == MST_V_NO_PRIMARY ? "NO PRIMARY" : mst_verdict_word(v->verdict));
}

/* A switch that runs: how long nobody could write, or its state, and the key that shows it. */
static int put_switch(const struct ui_ctx *x, const struct ui_area *a, int at)
{
    const struct mst_switch_part *m = x->v->move;
    const char *key = x->st->run_page ? "" : "s: ";
    char t[UI_NUM_MAX];

    if (!ui_switch_live(x->v)) {
        return 0;
    }
    if (x->v->info->agent_lost_ms > 0) {
        return 2 + ui_putf(a, 0, at, UI_STALE, " %sSWITCH, NOT KNOWN ", key);
    }
    if (ui_switch_stopped(m)) {
        return 2 + ui_putf(a, 0, at, UI_CRIT, " %sWRITES STOPPED %s ", key,
                           ui_fmt_lag(x->st->now_mono_ms - m->t0_ms, t));
    }
    return 2 + ui_putf(a, 0, at, UI_WARN, " %sSWITCH %s ", key, m->state);
}

/* Class and set, primary, alerts, mode, clock: always there. The right part wins when it is narrow.
 */
static void draw_bar(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct mst_info_part *i = x->v->info;
    const size_t alerts = ui_alerts(x);
    char clock[UI_NUM_MAX], right[96];
    const enum ui_role role = class_role(i->set_class);
    struct ui_area left;
    int at = 1, w;

    (void)snprintf(right, sizeof right, "%s  %s ", ui_mode_word(i),
                   ui_fmt_clock_z(x->st->now_wall_ms, clock));
    w = ui_cols(right);
    (void)ui_put(a, 0, a->w - w, i->may_act && !i->read_only ? UI_BAR : UI_DIM, right);
    if (alerts > 0) {
        (void)snprintf(right, sizeof right, a->w >= 110 ? "!%zu %s" : "!%zu", alerts,
                       mst_text_noun(alerts, "alert", "alerts"));
        w += ui_cols(right) + 2;
        (void)ui_put(a, 0, a->w - w, UI_WARN, right);
    }
    left = ui_area_sub(a, 0, 0, 1, a->w - w - 1);
    at += ui_putf(&left, 0, at, role, " %s ", i->set_class[0] ? i->set_class : "no class");
    at += 1 + ui_putf(&left, 0, at + 1, role == UI_CLASS_NONE ? UI_BAR : UI_TITLE_FOCUS, "%.40s",
                      i->set_label[0] ? i->set_label : x->v->topo->v.set_name);
    at += put_switch(x, &left, at + 2);
    at += 2 + put_primary(x, &left, at + 2);
    if (i->n_notes > 0) {
        const struct mst_note *n = &i->notes[0];
        const bool to = n->target[0] && a->w >= 110;

        (void)ui_putf(&left, 0, at + 2, UI_WARN, "%s%s%s by %s", n->act, to ? " to " : "",
                      to ? n->target : "", n->host);
    }
}

static int put_tabs(const struct ui_ctx *x, const struct ui_area *a, int y)
{
    int at = 1;

    for (int s = 0; s < UI_SCR_COUNT; s++) {
        const bool on = x->st->scr == (enum ui_scr)s;

        at += ui_putf(a, y, at, on ? UI_TAB_ON : UI_TAB, on ? "<%d%s>" : "%d%s", s + 1,
                      ui_screen_of((enum ui_scr)s)->tab);
        at++;
    }
    return at;
}

static void put_place(const struct ui_ctx *x, const struct ui_area *a, int y, int at)
{
    const struct ui_screen *s = ui_screen_of(x->st->scr);
    const struct ui_scr_state *ss = &x->st->s[x->st->scr];

    (void)ui_putf(a, y, at, UI_DIM, "%s > %s%s", s->title,
                  s->pane[(size_t)ss->pane < s->n_panes ? ss->pane : 0].name,
                  ss->zoom ? " (zoomed)" : "");
}

static void draw_tabs(const struct ui_ctx *x, const struct ui_area *a, int y)
{
    const int64_t age = ui_data_age_ms(x);
    char text[160], t[UI_NUM_MAX];
    enum ui_role role = UI_DIM;
    int at = put_tabs(x, a, y);

    if (ui_switch_live(x->v)) { /* worth more than where one is */
        char line[400];

        (void)ui_put_cut(a, y, at + 1, a->w - at - 12, UI_WARN,
                         ui_switch_line(x->v->move, x->st->now_mono_ms, line));
    } else {
        put_place(x, a, y, at + 1);
    }
    if (x->v->info->agent_lost_ms > 0) {
        (void)snprintf(text, sizeof text, " AGENT LOST for %s ",
                       ui_fmt_age(x->st->now_mono_ms - x->v->info->agent_lost_ms, t));
        role = UI_CRIT;
    } else if (x->st->frozen) {
        (void)snprintf(text, sizeof text, " FROZEN for %s ",
                       ui_fmt_age(x->st->now_mono_ms - x->st->frozen_mono_ms, t));
        role = UI_WARN;
    } else if (age < 0) {
        (void)snprintf(text, sizeof text, "no answer yet ");
    } else {
        (void)snprintf(text, sizeof text, age > UI_STALE_MS ? "STALE %s old " : "%s ago ",
                       ui_fmt_age(age, t));
        role = age > UI_STALE_MS ? UI_WARN : UI_DIM;
    }
    (void)ui_put_right(a, y, a->w - ui_cols(text), ui_cols(text), role, text);
}

static void draw_message(const struct ui_ctx *x, const struct ui_area *a, int y)
{
    const struct ui_state *st = x->st;
    char t[UI_NUM_MAX];
    int at = 1;

    if (st->prompt) {
        ui_prompt_draw(st, a, y);
        return;
    }
    if (!st->msg[0]) {
        return;
    }
    at += ui_putf(a, y, at, UI_DIM, "%.8s ", ui_fmt_clock_z(st->msg_wall_ms, t));
    if (st->msg_severity != MST_SEV_INFO) {
        at += ui_put(a, y, at, ui_severity_role(st->msg_severity),
                     ui_severity_word(st->msg_severity));
        at++;
    }
    (void)ui_put_cut(a, y, at, a->w - at, UI_TEXT, st->msg);
}

/* What lies over the screen takes the keys: the screen's would do nothing now. */
static void draw_layer_hints(const struct ui_ctx *x, const struct ui_area *a, int y)
{
    static const char *const of[][6] = {
        [UI_LAYER_HELP] = {"up down scroll", "Esc close"},
        [UI_LAYER_LOG] = {"up down scroll", "a acknowledge", "Esc close"},
        [UI_LAYER_MENU] = {"up down choose", "Enter do", "Esc close"},
        [UI_LAYER_DIALOG] = {"Tab next", "S-Tab before", "left right choose", "Enter press",
                             "y copy", "Esc leave"},
    };
    int at = 1;

    for (size_t i = 0; i < MST_COUNT(of[0]) && of[x->st->layer][i]; i++) {
        const char *hint = of[x->st->layer][i], *rest = strrchr(hint, ' ');
        char key[24];

        (void)snprintf(key, sizeof key, "%.*s", (int)(rest - hint), hint);
        at += ui_put(a, y, at, UI_KEY, key);
        at += ui_put(a, y, at, UI_HINT, rest) + 2;
    }
}

static void draw_hints(const struct ui_ctx *x, const struct ui_area *a, int y)
{
    static const enum ui_act order[] = {
        UI_ACT_HELP,    UI_ACT_MENU,   UI_ACT_BACKUP,    UI_ACT_RESTORE, UI_ACT_SWITCH,
        UI_ACT_SANDBOX, UI_ACT_VERIFY, UI_ACT_DISCARD,   UI_ACT_VIEW,    UI_ACT_BACK,
        UI_ACT_FIND,    UI_ACT_OPEN,   UI_ACT_NEXT_PANE, UI_ACT_COMMAND};
    const unsigned bit = ui_screen_of(x->st->scr)->bit;
    int at = 1;

    for (size_t i = 0; i < MST_COUNT(order); i++) {
        const struct ui_binding *b = ui_keys_of(order[i], bit);
        const char *rest = b && b->hint ? strchr(b->hint, ' ') : NULL;
        char key[16];

        if (!rest || at + ui_cols(b->hint) > a->w ||
            (order[i] == UI_ACT_SANDBOX && !x->v->info->sandbox_ctl[0]) ||
            (order[i] == UI_ACT_DISCARD &&
             (x->v->leavings->n == 0 || x->st->scr != UI_SCR_BUCKET))) {
            continue;
        }
        (void)snprintf(key, sizeof key, "%.*s", (int)(rest - b->hint), b->hint);
        at += ui_put(a, y, at, UI_KEY, key);
        at += ui_put(a, y, at, UI_HINT, rest) + 2;
    }
}

void ui_body_draw(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct ui_screen *s = ui_screen_of(x->st->scr);
    const struct ui_scr_state *ss = &x->st->s[x->st->scr];
    struct ui_rect r[UI_PANES] = {{0}};

    if (ss->zoom) {
        (void)s->pane[ss->pane].draw(x, a, true);
        return;
    }
    s->layout(x, a->h, a->w, r);
    for (size_t i = 0; i < s->n_panes; i++) {
        const struct ui_area p = ui_area_sub(a, r[i].y, r[i].x, r[i].h, r[i].w);

        if (p.h > 0 && p.w > 0) {
            (void)s->pane[i].draw(x, &p, ss->pane == (int)i);
        }
    }
}

void ui_draw(const struct ui_ctx *x, struct ui_canvas *cv)
{
    const struct ui_area all = ui_area_all(cv);
    struct ui_area body;

    ui_canvas_wipe(cv);
    if (!x->v || !x->v->topo) {
        (void)ui_put(&all, 0, 0, UI_TEXT, "muster: starting");
        return;
    }
    if (ui_is_strip(cv)) {
        ui_strip_draw(x, &all);
    } else {
        draw_bar(x, &all);
        draw_tabs(x, &all, 1);
        body = ui_area_sub(&all, 2, 0, all.h - 4, all.w);
        if (x->st->run_page) {
            ui_switch_page_draw(x, &body);
        } else {
            ui_body_draw(x, &body);
        }
        draw_message(x, &all, all.h - 2);
        if (x->st->layer != UI_LAYER_NONE) {
            draw_layer_hints(x, &all, all.h - 1);
        } else if (x->st->run_page) {
            ui_switch_hints(x, &all, all.h - 1);
        } else if (!x->st->hints_off) {
            draw_hints(x, &all, all.h - 1);
        }
    }
    ui_layers_draw(x, &all);
}
