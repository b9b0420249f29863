/* scr_switch.c: the page of a run: how long nobody could write, each state with its times, every
 * member in its own words, the clocks, the log, the end. The numbers run by the clock of this
 * process, so that they also move while members hang. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/fmt.h"
#include "ui/screen.h"
#include "ui/switch.h"

#define FRESH_MS 3000
#define LOG_FROM 30 /* rows from which the log has a pane of its own */

static const struct mst_job *job_of(const struct ui_ctx *x)
{
    const struct mst_switch_part *m = ui_switch_part(x);
    const uint64_t id = m ? m->job : x->st->run_job;

    for (size_t i = 0; i < x->v->jobs->n; i++) {
        if (x->v->jobs->jobs[i].id == id) {
            return &x->v->jobs->jobs[i];
        }
    }
    return NULL;
}

const struct mst_switch_part *ui_switch_part(const struct ui_ctx *x)
{
    const struct mst_switch_part *m = x->v->move;

    return m && (x->st->run_job == 0 || x->st->run_job == m->job) ? m : NULL;
}

/* "00:06.3" */
static char *mark(int64_t ms, char out[24])
{
    const int64_t t = ms < 0 ? 0 : ms;

    (void)snprintf(out, 24, "%02d:%02d.%d", (int)(t / 60000 % 100), (int)(t / 1000 % 60),
                   (int)(t / 100 % 10));
    return out;
}

static int64_t now_of(const struct ui_ctx *x)
{
    return x->v->info->agent_lost_ms > 0 ? x->v->info->agent_lost_ms : x->st->now_mono_ms;
}

/* --- banner --- */

static enum ui_role banner_role(const struct ui_ctx *x, const struct mst_switch_part *m)
{
    if (x->v->info->agent_lost_ms > 0) {
        return UI_STALE;
    }
    return m->live         ? ui_switch_stopped(m) ? UI_CRIT : UI_RUN
           : m->exit == 0  ? UI_OK
           : m->exit == 16 ? UI_CRIT
                           : UI_WARN;
}

static void draw_end(const struct ui_ctx *x, const struct mst_switch_part *m, struct ui_pen *p)
{
    char line[400];

    (void)snprintf(line, sizeof line, "%s, exit status %d: %s",
                   m->exit == 0    ? "DONE"
                   : m->exit == 10 ? "REFUSED"
                   : m->exit == 11 ? "STOPPED"
                   : m->exit == 12 ? "GIVEN UP, CLEAN"
                   : m->exit == 13 ? "UNDONE"
                   : m->exit == 14 ? "ANOTHER MEMBER WON"
                   : m->exit == 15 ? "INCOMPLETE"
                   : m->exit == 17 ? "LOCKED"
                   : m->exit == 18 ? "STALE"
                                   : "NOT KNOWN",
                   m->exit, m->text[0] ? m->text : "no word of its end");
    ui_pen_wrap(p, 1, banner_role(x, m), line);
    (void)snprintf(line, sizeof line, "next: %s", ui_switch_next(m->exit));
    ui_pen_wrap(p, 1, UI_TEXT, line);
}

static void draw_stopped(const struct ui_ctx *x, const struct mst_switch_part *m, struct ui_pen *p)
{
    const int64_t since = now_of(x) - m->t0_ms, left = m->hard_stop_ms - since;
    const int y = ui_pen_next(p);
    char a[24], b[24];
    int at = 1;

    at += ui_putf(&p->a, y, at, UI_CRIT, " WRITES STOPPED  %s ", mark(since, a));
    if (left > 0) {
        (void)ui_putf(&p->a, y, at + 3, UI_TEXT, "%s, undo in %s", m->state, mark(left, b));
    } else {
        (void)ui_putf(&p->a, y, at + 3, UI_CRIT, "%s, past the hard stop", m->state);
    }
}

/* What the job says while, or because, its run has published nothing. */
static void draw_before(const struct ui_ctx *x, struct ui_pen *p)
{
    const struct mst_job *j = job_of(x);
    char line[240];

    if (!j) {
        ui_pen_line(p, UI_DIM, " waiting for job %llu", (unsigned long long)x->st->run_job);
    } else if (j->ended_wall_ms > 0) {
        ui_pen_wrap(p, 1, j->exit_status == 0 ? UI_TEXT : UI_WARN, j->result);
        (void)snprintf(line, sizeof line, "next: %s", ui_switch_next(j->exit_status));
        ui_pen_wrap(p, 1, UI_TEXT, line);
    } else {
        ui_pen_line(p, UI_RUN, " %s: %s; writes go on", mst_job_state_word(j->state),
                    j->phase[0] ? j->phase : "it begins");
    }
}

static void draw_banner(const struct ui_ctx *x, struct ui_pen *p)
{
    const struct mst_switch_part *m = ui_switch_part(x);
    char line[400];

    if (x->v->info->agent_lost_ms > 0) {
        ui_pen_wrap(p, 1, UI_CRIT,
                    "the agent is lost: what stands here is the last that it said; what was frozen "
                    "thaws by itself within a minute");
    }
    if (!m) {
        draw_before(x, p);
    } else if (!m->live) {
        draw_end(x, m, p);
    } else if (ui_switch_stopped(m)) {
        draw_stopped(x, m, p);
    } else {
        ui_pen_wrap(p, 1, banner_role(x, m), ui_switch_line(m, now_of(x), line));
    }
}

/* --- states --- */

static void draw_state(const struct ui_ctx *x, const struct mst_switch_part *m, size_t i,
                       struct ui_pen *p)
{
    const struct mst_switch_line *l = &m->lines[i];
    const bool open = l->to_ms == 0 && m->live;
    const bool back = strcmp(l->state, "ABORT") == 0 || strcmp(l->state, "UNDO") == 0 ||
                      strcmp(l->state, "UNKNOWN") == 0;
    const int64_t to = l->to_ms ? l->to_ms : m->live ? now_of(x) : m->at_ms;
    const bool wide = p->a.w >= 100;
    const int y = ui_pen_next(p);
    char t[UI_NUM_MAX];
    int at = wide ? 55 : 35;

    (void)ui_putf(&p->a, y, 0,
                  open   ? UI_RUN
                  : back ? UI_WARN
                         : UI_TEXT,
                  "%c %2zu %-11s",
                  open   ? '~'
                  : back ? '!'
                         : '=',
                  i + 1, l->state);
    (void)ui_putf(&p->a, y, 17, UI_TEXT, "%s", mark(l->from_ms - m->begun_ms, t));
    (void)ui_putf(&p->a, y, 25, UI_TEXT, "%6.2fs%s", (double)(to - l->from_ms) / 1000.0,
                  open ? ".." : "");
    if (wide) {
        const int64_t wall = m->begun_wall_ms + (l->from_ms - m->begun_ms);

        (void)ui_putf(&p->a, y, 36, UI_DIM, "%.8s.%d", ui_fmt_clock_z(wall, t),
                      (int)(wall / 100 % 10));
        if (m->t0_ms > 0) {
            (void)ui_putf(&p->a, y, 47, UI_DIM, "%+6.1f", (double)(l->from_ms - m->t0_ms) / 1000.0);
        }
    }
    (void)ui_put_cut(&p->a, y, at, p->a.w - at, UI_TEXT, l->detail);
}

/* The newest are in sight; run_top goes back from there. */
static void draw_states(const struct ui_ctx *x, const struct mst_switch_part *m,
                        const struct ui_area *in)
{
    const int room = in->h - 1, n = (int)m->n_lines;
    int top = n > room ? n - room : 0;
    const struct ui_area list = ui_area_sub(in, 1, 0, room, in->w);
    struct ui_pen p;

    top = top - x->st->run_top < 0 ? 0 : top - x->st->run_top;
    (void)ui_put(in, 0, 0, UI_HEAD, "   # state");
    (void)ui_put(in, 0, 17, UI_HEAD, "begin");
    (void)ui_put(in, 0, 28, UI_HEAD, "took");
    if (in->w >= 100) {
        (void)ui_put(in, 0, 36, UI_HEAD, "UTC");
        (void)ui_put(in, 0, 49, UI_HEAD, "t0+s");
    }
    (void)ui_put(in, 0, in->w >= 100 ? 55 : 35, UI_HEAD, "detail");
    p = ui_pen_start(&list, top);
    for (size_t i = 0; i < m->n_lines && i < MST_SWITCH_LINES; i++) {
        draw_state(x, m, i, &p);
    }
}

static void draw_log(const struct ui_ctx *x, const struct ui_area *in, int scroll)
{
    const struct mst_job *j = job_of(x);
    struct ui_pen p = ui_pen_start(in, scroll);

    for (size_t i = j ? j->n_log : 0; i > 0; i--) {
        ui_pen_wrap(&p, 0, UI_TEXT, j->log[i - 1]);
    }
    if (p.y == 0) {
        ui_pen_line(&p, UI_DIM, "no line yet");
    }
}

static void draw_main(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct mst_switch_part *m = ui_switch_part(x);
    char title[400] = "Run", note[48] = "", t[24];
    struct ui_area in;

    if (m) {
        (void)snprintf(title, sizeof title, "Run %s  %.40s -> %.40s  %.20s  %.60s", m->run, m->from,
                       m->to[0] ? m->to : "any heir", m->who, m->reason);
        (void)snprintf(note, sizeof note, "%s %s", m->live ? "RUNNING" : "ENDED",
                       mark((m->live ? now_of(x) : m->at_ms) - m->begun_ms, t));
        title[mst_text_fit(title, a->w > 40 ? (size_t)(a->w - 26) : 14)] = '\0';
    }
    if (x->st->run_log) {
        in = ui_pane_box(a, true, "Log of the run", "newest first", UI_DIM);
        draw_log(x, &in, x->st->run_top);
        return;
    }
    in = ui_pane_box(a, true, title, note, m && m->live ? UI_RUN : UI_DIM);
    if (m) {
        draw_states(x, m, &in);
    } else {
        draw_log(x, &in, x->st->run_top);
    }
}

/* --- members --- */

static void draw_member(const struct ui_ctx *x, const struct mst_switch_part *m,
                        const struct mst_switch_member *k, struct ui_pen *p)
{
    const int64_t age = now_of(x) - k->at_ms, held = k->held_until_ms - now_of(x);
    const bool known = k->at_ms > 0, old = known && m->live && age > FRESH_MS;
    const bool wide = p->a.w >= 56;
    const int y = ui_pen_next(p), name = p->a.w >= 80 ? 30 : 15;
    char held_text[32] = "", t[UI_NUM_MAX];
    int at;

    if (m->live && k->held_until_ms > 0 && held > 0) {
        (void)snprintf(held_text, sizeof held_text, "frozen %d s", (int)(held / 1000));
    }
    (void)ui_put_cut(&p->a, y, 0, name, UI_TEXT, k->name);
    (void)ui_put_cut(&p->a, y, name + 1, 10,
                     !known || old ? UI_STALE
                     : k->writable ? UI_PRIMARY
                                   : UI_TEXT,
                     known ? k->state : "?");
    at = name + 12;
    if (wide && known) {
        (void)ui_putf(&p->a, y, at, UI_DIM, "t%lld %u:%u", (long long)k->term, k->applied.t,
                      k->applied.i);
        at += 18;
    }
    if (old) {
        (void)ui_putf(&p->a, y, at, UI_WARN, "silent %s", ui_fmt_lag(age, t));
    } else if (held_text[0]) {
        (void)ui_put_cut(&p->a, y, at, p->a.w - at, UI_WARN, held_text);
    } else {
        (void)ui_put_cut(&p->a, y, at, p->a.w - at, UI_TEXT, known ? k->role : "no word yet");
    }
}

static void draw_members(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct mst_switch_part *m = ui_switch_part(x);
    struct ui_area in = ui_pane_box(a, false, "Members, each in its own words", "", UI_DIM);
    struct ui_pen p = ui_pen_start(&in, 0);

    for (size_t i = 0; m && i < m->n_members && i < MST_TOPO_MAX; i++) {
        draw_member(x, m, &m->members[i], &p);
    }
}

/* --- clocks --- */

static void clock_gap(const struct ui_ctx *x, const struct mst_switch_part *m, struct ui_pen *p)
{
    const int64_t since = now_of(x) - m->t0_ms, left = m->hard_stop_ms - since;
    char t[24], u[UI_NUM_MAX];

    if (m->t0_ms == 0) {
        ui_pen_pair(p, "writes", UI_TEXT, "%s", m->live ? "go on" : "were not stopped by it");
    } else if (ui_switch_stopped(m)) {
        ui_pen_pair(p, "stopped", UI_CRIT, "%s, undo in %s", mark(since, t),
                    left > 0 ? ui_fmt_lag(left, u) : "0.0s");
        if (m->hard_stop_ms > 0) {
            ui_gauge(&p->a, ui_pen_next(p), 0, p->a.w - 1 < 32 ? p->a.w - 1 : 32,
                     (int)(since * 1000 / m->hard_stop_ms));
        }
    } else if (m->gap_ms >= 0) {
        ui_pen_pair(p, "gap", UI_TEXT, "writes stopped for %s", ui_fmt_lag(m->gap_ms, u));
    } else {
        ui_pen_pair(p, "gap", UI_WARN, "%s", m->live ? "not proven yet" : "not known");
    }
}

static void draw_clocks(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct mst_switch_part *m = ui_switch_part(x);
    struct ui_area in = ui_pane_box(a, false, "Clocks and proof", m ? m->code : "", UI_DIM);
    struct ui_pen p = ui_pen_start(&in, 0);
    const bool proven =
        m && (strcmp(m->certificate, "optime") == 0 || strcmp(m->certificate, "continuity") == 0);

    if (!m) {
        return;
    }
    clock_gap(x, m, &p);
    ui_pen_pair(&p, "lost",
                proven              ? UI_OK
                : m->certificate[0] ? UI_WARN
                                    : UI_DIM,
                "%s%s",
                proven              ? "nothing, by "
                : m->certificate[0] ? "not certified"
                                    : "not known yet",
                proven ? m->certificate : "");
    ui_pen_pair(&p, "probes", m->probes >= 3 ? UI_OK : UI_TEXT, "%d of 3 majority writes",
                m->probes);
    for (size_t i = 0; i < m->n_problems && i < MST_SWITCH_PROBLEMS; i++) {
        ui_pen_wrap(&p, 0, UI_WARN, m->problems[i]);
    }
    if (m->certificate_text[0]) {
        ui_pen_wrap(&p, 0, UI_DIM, m->certificate_text);
    }
}

/* --- the page --- */

static void draw_strip(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct mst_switch_part *m = ui_switch_part(x);
    struct ui_pen p = ui_pen_start(a, x->st->run_top);

    if (x->st->run_log) {
        draw_log(x, a, x->st->run_top);
        return;
    }
    draw_banner(x, &p);
    for (size_t i = m ? m->n_lines : 0, k = 0; i > 0 && k < 3; i--, k++) {
        draw_state(x, m, i - 1, &p);
    }
    for (size_t i = 0; m && i < m->n_members && i < MST_TOPO_MAX; i++) {
        draw_member(x, m, &m->members[i], &p);
    }
    for (size_t i = 0; m && i < m->n_problems && i < MST_SWITCH_PROBLEMS; i++) {
        ui_pen_wrap(&p, 0, UI_WARN, m->problems[i]);
    }
}

/* What the note of another tells, and the members as we see them: its steps are known to it alone.
 */
static void draw_foreign(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct mst_note *n = ui_switch_foreign(x->v);
    const struct mst_topo_view *t = &x->v->topo->v;
    struct ui_area in = ui_pane_box(a, n != NULL, "Switch of another muster", "", UI_DIM);
    struct ui_pen p = ui_pen_start(&in, x->st->run_top);
    char line[400], u[UI_NUM_MAX];

    if (!n) {
        ui_pen_wrap(&p, 1, UI_TEXT,
                    "it has ended, or its note is over: who is primary stands "
                    "below, and muster events has what was seen");
    } else {
        ui_pen_wrap(&p, 1, UI_WARN, ui_switch_foreign_line(n, line));
        ui_pen_pair(&p, "who", UI_TEXT, "%s", n->agent);
        ui_pen_pair(&p, "host", UI_TEXT, "%s", n->host);
        ui_pen_pair(&p, "plan", UI_TEXT, "%s", n->plan[0] ? n->plan : "not told");
        ui_pen_pair(&p, "target", UI_TEXT, "%s",
                    n->target[0] ? n->target : "whoever is elected, or not told");
        ui_pen_pair(&p, "since", UI_TEXT, "%s", ui_fmt_lag(now_of(x) - n->since_mono_ms, u));
        ui_pen_pair(&p, "until", UI_TEXT, "%s more at least, longer while it is renewed",
                    ui_fmt_lag(n->until_mono_ms > now_of(x) ? n->until_mono_ms - now_of(x) : 0, u));
        ui_pen_wrap(&p, 1, UI_DIM, "its steps are shown where it runs; X is off here");
    }
    for (size_t i = 0; i < t->n; i++) {
        ui_pen_line(&p, UI_TEXT, " %-30.60s %s%s", t->members[i].name,
                    mst_mstate_name(t->members[i].state),
                    t->members[i].writable ? ", takes writes" : "");
    }
}

void ui_switch_page_draw(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct mst_switch_part *m = ui_switch_part(x);
    const struct ui_area none = {NULL, 0, 0, 0, a->w - 2};
    struct ui_pen count = ui_pen_start(&none, 0), p;
    const int members = m ? (int)m->n_members + 2 : 3;
    const int log = a->h >= LOG_FROM && !x->st->run_log ? a->h / 4 : 0;
    int top, low;
    struct ui_area part, in;

    if (x->st->run_job == UI_RUN_FOREIGN) {
        draw_foreign(x, a);
        return;
    }
    if (ui_is_strip(a->cv)) {
        draw_strip(x, a);
        return;
    }
    draw_banner(x, &count);
    top = count.y + 2 > a->h / 3 ? a->h / 3 : count.y + 2;
    low = !m ? 0 : members < 7 ? 7 : members > a->h / 3 ? a->h / 3 : members;
    part = ui_area_sub(a, 0, 0, top, a->w);
    in = ui_pane_box(&part, m && m->live, "Switch of the primary", "", UI_DIM);
    p = ui_pen_start(&in, 0);
    draw_banner(x, &p);
    part = ui_area_sub(a, top, 0, a->h - top - low - log, a->w);
    draw_main(x, &part);
    part = ui_area_sub(a, a->h - low - log, 0, low, a->w / 2);
    draw_members(x, &part);
    part = ui_area_sub(a, a->h - low - log, a->w / 2, low, a->w - a->w / 2);
    draw_clocks(x, &part);
    if (log > 0) {
        part = ui_area_sub(a, a->h - log, 0, log, a->w);
        in = ui_pane_box(&part, false, "Log (v: all of it)", "newest first", UI_DIM);
        draw_log(x, &in, 0);
    }
}

void ui_switch_hints(const struct ui_ctx *x, const struct ui_area *a, int y)
{
    const struct mst_switch_part *m = ui_switch_part(x);
    static const char *const hints[][2] = {
        {"X", " undo.."}, {"v", " log"}, {"up down", " scroll"}, {"y", " copy"}, {"?", " help"}};
    int at = 1;

    for (size_t i = m && m->live ? 0 : 1; i < MST_COUNT(hints); i++) {
        at += ui_put(a, y, at, UI_KEY, hints[i][0]);
        at += ui_put(a, y, at, UI_HINT, hints[i][1]) + 2;
    }
    at += ui_put(a, y, at, UI_KEY, "q");
    (void)ui_put_cut(a, y, at, a->w - at, UI_HINT,
                     m && m->live ? " hide (the run goes on)" : " close");
}

void ui_switch_help(struct ui_pen *p)
{
    ui_pen_line(p, UI_TITLE_FOCUS, "Keys on the page of a run");
    ui_pen_line(p, UI_TEXT,
                "q Esc     hide it; the run goes on, s and the first line bring it back");
    ui_pen_line(p, UI_TEXT,
                "X         undo: asks first; after the new primary took writes it only ends");
    ui_pen_line(p, UI_TEXT, "v         states or log     up down PgUp PgDn   back from the newest");
    ui_pen_line(p, UI_TEXT, "y x m 1-4 copy the line, screen to a file, messages, another screen");
    ui_pen_wrap(
        p, 0, UI_TEXT,
        "WRITES STOPPED: no member is known to take writes; it counts by this host's clock. "
        "frozen: held off elections by muster, ends by itself. lost: what was proved of the "
        "last writes of the old primary.");
}
