/* scr_jobs.c: queue and history, one job in detail, its log. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/fmt.h"
#include "ui/screen.h"
#include "ui/switch.h"
#include "ui/table.h"

enum { P_LIST, P_DETAIL, P_LOG };
enum { C_SIGN, C_ID, C_KIND, C_STATE, C_DONE, C_SIZE, C_RATE, C_TIME, C_STARTED, C_WHAT, C_WHO };

static int scroll_of(const struct ui_ctx *x, int pane)
{
    return x->st->s[UI_SCR_JOBS].top[pane];
}

static uint64_t size_of(const struct mst_job *j)
{
    return j->total_bytes ? j->total_bytes : j->done_bytes;
}

static bool matches(const struct mst_job *j, const char *f)
{
    char id[24];

    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)j->id);
    return ui_fmt_has(id, f) || ui_fmt_has(mst_job_kind_word(j->kind), f) ||
           ui_fmt_has(mst_job_state_word(j->state), f) || ui_fmt_has(j->backup_id, f) ||
           ui_fmt_has(j->target, f) || ui_fmt_has(j->result, f);
}

static int64_t took_ms(const struct ui_ctx *x, const struct mst_job *j)
{
    if (j->started_wall_ms == 0) {
        return -1;
    }
    if (ui_job_unknown(x, j)) { /* it is not known to go on */
        return x->st->now_wall_ms - (x->st->now_mono_ms - x->v->info->agent_lost_ms) -
               j->started_wall_ms;
    }
    return (j->ended_wall_ms ? j->ended_wall_ms : x->st->now_wall_ms) - j->started_wall_ms;
}

static int compare(const struct ui_ctx *x, size_t col, size_t a, size_t b)
{
    const struct mst_job *i = &x->v->jobs->jobs[a], *k = &x->v->jobs->jobs[b];

    switch (col) {
    case C_ID:
        return UI_CMP(i->id, k->id);
    case C_KIND:
        return strcmp(mst_job_kind_word(i->kind), mst_job_kind_word(k->kind));
    case C_STATE:
        return strcmp(mst_job_state_word(i->state), mst_job_state_word(k->state));
    case C_SIZE:
        return UI_CMP(size_of(i), size_of(k));
    default:
        return UI_CMP(took_ms(x, i), took_ms(x, k));
    }
}

static void rows(const struct ui_ctx *x, struct ui_rows *out)
{
    for (size_t i = 0; i < x->v->jobs->n; i++) {
        if (matches(&x->v->jobs->jobs[i], x->st->s[UI_SCR_JOBS].find)) {
            ui_rows_add(out, i);
        }
    }
    ui_rows_sort(x, UI_SCR_JOBS, compare, out);
}

static size_t selected(const struct ui_ctx *x)
{
    const struct mst_job *j = ui_job_selected(x);

    return j ? (size_t)(j - x->v->jobs->jobs) : SIZE_MAX;
}

static void pick(const struct mst_view *v, struct ui_state *st, size_t idx)
{
    if (idx < v->jobs->n) {
        st->job = v->jobs->jobs[idx].id;
        st->s[UI_SCR_JOBS].top[P_DETAIL] = st->s[UI_SCR_JOBS].top[P_LOG] = 0;
    }
}

struct rows_arg {
    const struct ui_ctx *x;
    const struct ui_rows *r;
};

static void cell(const void *arg, size_t row, size_t col, char *out, enum ui_role *role)
{
    const struct rows_arg *r = arg;
    const struct mst_job *j = &r->x->v->jobs->jobs[r->r->idx[row]];
    const int permille = ui_job_permille(j);
    char t[UI_NUM_MAX];

    switch (col) {
    case C_SIGN:
        (void)snprintf(out, UI_CELL_MAX, "%c", ui_job_sign(r->x, j));
        *role = ui_job_role(r->x, j);
        break;
    case C_ID:
        (void)snprintf(out, UI_CELL_MAX, "%llu", (unsigned long long)j->id);
        break;
    case C_KIND:
        (void)mst_copy(out, UI_CELL_MAX, mst_job_kind_word(j->kind));
        break;
    case C_STATE:
        (void)mst_copy(out, UI_CELL_MAX, ui_job_word(r->x, j));
        *role = ui_job_role(r->x, j);
        break;
    case C_DONE:
        (void)snprintf(out, UI_CELL_MAX, permille < 0 ? "-" : "%d%%", permille / 10);
        break;
    case C_SIZE:
        (void)mst_text_bytes(size_of(j), out);
        break;
    case C_RATE:
        (void)snprintf(out, UI_CELL_MAX, j->rate_bps && !ui_job_unknown(r->x, j) ? "%s/s" : "-",
                       mst_text_bytes(j->rate_bps, t));
        break;
    case C_TIME:
        (void)ui_fmt_hms(took_ms(r->x, j), out);
        break;
    case C_STARTED:
        (void)snprintf(out, UI_CELL_MAX, "%s",
                       ui_fmt_day(j->started_wall_ms ? j->started_wall_ms : j->queued_wall_ms, t));
        break;
    case C_WHO:
        (void)mst_copy(out, UI_CELL_MAX, j->who);
        break;
    default:
        (void)mst_copy(out, UI_CELL_MAX,
                       j->ended_wall_ms && j->result[0] ? j->result
                       : j->phase[0]                    ? j->phase
                                                        : j->backup_id);
        break;
    }
}

static int draw_list(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    static const struct ui_col cols[] = {[C_SIGN] = {"", 1, false, 0},
                                         [C_ID] = {"id", 5, false, 0},
                                         [C_KIND] = {"kind", 8, false, 0},
                                         [C_STATE] = {"state", 11, false, 0},
                                         [C_DONE] = {"done", 4, true, 1},
                                         [C_SIZE] = {"size", 8, true, 4},
                                         [C_RATE] = {"rate", 10, true, 5},
                                         [C_TIME] = {"took", 8, true, 3},
                                         [C_STARTED] = {"started", 15, false, 6},
                                         [C_WHAT] = {"what", 18, false, 2},
                                         [C_WHO] = {"who", 12, false, 7}};
    const char *f = x->st->s[UI_SCR_JOBS].find;
    struct ui_rows r = {0};
    struct rows_arg arg = {x, &r};
    struct ui_table t = {.cols = cols,
                         .n_cols = MST_COUNT(cols),
                         .grow = C_WHAT,
                         .head = true,
                         .focus = true,
                         .sort = x->st->s[UI_SCR_JOBS].sort,
                         .down = x->st->s[UI_SCR_JOBS].down,
                         .cell = cell,
                         .arg = &arg};
    char title[160], note[48];
    struct ui_area in;

    rows(x, &r);
    (void)snprintf(title, sizeof title, "Queue and history%s%s", f[0] ? "  filter: " : "", f);
    (void)snprintf(note, sizeof note, "%zu of %zu", r.n, x->v->jobs->n);
    in = ui_pane_box(a, focus, title, note, UI_DIM);
    t.n = r.n;
    t.sel = ui_rows_find(&r, selected(x));
    (void)ui_table_draw(&t, &in);
    if (r.n == 0) {
        (void)ui_put(&in, 1, 0, UI_DIM,
                     f[0] ? "no job matches" : "no job has run yet: B makes a backup");
    }
    ui_rows_release(&r);
    return (int)t.n + 1;
}

static void detail_progress(const struct ui_ctx *x, const struct mst_job *j, struct ui_pen *p)
{
    const int permille = ui_job_permille(j);
    char h[MST_HUMAN_MAX], t[UI_NUM_MAX], done[64], items[MST_JOB_ITEMS_MAX];
    const int y = ui_pen_next(p);

    (void)ui_put(&p->a, y, 0, UI_HEAD, "progress");
    if (permille >= 0) {
        const int w = p->a.w > 60 ? 42 : p->a.w > 30 ? 22 : 12;

        ui_gauge(&p->a, y, 11, w, permille);
        (void)ui_putf(&p->a, y, 12 + w, UI_TEXT, "%d%%", permille / 10);
    } else {
        (void)ui_put(&p->a, y, 11, UI_DIM, j->ended_wall_ms ? "not known" : "size not known yet");
    }
    ui_job_progress(j, done, sizeof done);
    ui_pen_pair(p, "bytes", UI_TEXT, "%s", done);
    if (mst_job_items(j, items)[0]) {
        ui_pen_pair(p, "parts", UI_TEXT, "%s", items);
    }
    if (ui_job_unknown(x, j)) {
        ui_pen_wrap(p, 0, UI_WARN, "the agent is lost: what stands here is the last that it said");
    } else if (j->ended_wall_ms == 0 && j->started_wall_ms > 0) {
        ui_pen_pair(p, "rate", UI_TEXT, "%s/s   ETA %s", mst_text_bytes(j->rate_bps, h),
                    ui_fmt_hms(j->eta_ms, t));
        if (j->stalled_ms > 5000) {
            ui_pen_pair(p, "STALLED", UI_WARN, "no byte for %s", ui_fmt_age(j->stalled_ms, t));
        }
    }
}

static void detail_switch(const struct ui_ctx *x, const struct mst_job *j, struct ui_pen *p)
{
    const struct mst_switch_part *m = x->v->move && x->v->move->job == j->id ? x->v->move : NULL;
    char line[400], t[UI_NUM_MAX];

    if (!m) {
        return;
    }
    ui_pen_pair(p, "run", UI_TEXT, "%s, code %s (s shows it)", m->run, m->code);
    if (ui_job_unknown(x, j)) {
        ui_pen_wrap(p, 0, UI_WARN, "the agent is lost: what stands here is the last that it said");
    }
    if (m->live) {
        ui_pen_wrap(p, 0, ui_switch_stopped(m) ? UI_CRIT : UI_RUN,
                    ui_switch_line(m, x->st->now_mono_ms, line));
    } else {
        ui_pen_pair(p, "gap", UI_TEXT, "%s",
                    m->gap_ms >= 0 ? ui_fmt_lag(m->gap_ms, t) : "not known");
        ui_pen_pair(p, "certified", UI_TEXT, "%s", m->certificate[0] ? m->certificate : "not");
        (void)snprintf(line, sizeof line, "next: %s", ui_switch_next(m->exit));
        ui_pen_wrap(p, 0, UI_TEXT, line);
    }
    if (m->reason[0]) {
        ui_pen_pair(p, "reason", UI_TEXT, "%s", m->reason);
    }
}

int ui_job_pane_draw(const struct ui_ctx *x, const struct mst_job *j, const struct ui_area *a,
                     bool focus, int scroll)
{
    char title[160], t[UI_NUM_MAX];
    struct ui_area in;
    struct ui_pen p;

    if (!j) {
        in = ui_pane_box(a, focus, "Job", "", UI_DIM);
        return 0;
    }
    (void)snprintf(title, sizeof title, "Job %llu  %s  %s", (unsigned long long)j->id,
                   mst_job_kind_word(j->kind), j->backup_id);
    in = ui_pane_box(a, focus, title, ui_job_word(x, j), ui_job_role(x, j));
    p = ui_pen_start(&in, scroll);
    if (j->phase[0] && j->ended_wall_ms == 0) {
        ui_pen_pair(&p, "now", UI_RUN, "%s", j->phase);
    }
    if (j->kind == MST_JOB_SWITCH) {
        detail_switch(x, j, &p);
    } else {
        detail_progress(x, j, &p);
    }
    ui_pen_pair(&p, "started", UI_TEXT, "%s by %s", ui_fmt_day(j->started_wall_ms, t), j->who);
    ui_pen_pair(&p, "took", UI_TEXT, "%s", ui_fmt_hms(took_ms(x, j), t));
    if (j->target[0]) {
        ui_pen_pair(&p, "target", UI_TEXT, "%s", j->target);
    }
    if (j->ended_wall_ms && j->result[0]) {
        ui_pen_wrap(&p, 0, ui_job_role(x, j), j->result);
        if (j->exit_status != 0) {
            ui_pen_pair(&p, "exit", UI_TEXT, "%d on the command line", j->exit_status);
        }
    }
    if (j->state == MST_JOB_INTERRUPTED) {
        ui_pen_wrap(&p, 0, UI_WARN, "its agent died; what it left is listed on 4 Bucket");
    }
    return p.y;
}

static int draw_detail(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    return ui_job_pane_draw(x, ui_job_selected(x), a, focus, scroll_of(x, P_DETAIL));
}

static bool over(const struct mst_job *j)
{
    return j->state != MST_JOB_QUEUED && j->state != MST_JOB_RUNNING &&
           j->state != MST_JOB_CANCELLING;
}

int ui_log_pane_draw(const struct ui_ctx *x, const struct mst_job *j, const struct ui_area *a,
                     bool focus, int scroll)
{
    char title[64] = "Log";
    struct ui_area in;
    struct ui_pen p;

    (void)x;
    if (j) {
        (void)snprintf(title, sizeof title, "Log of job %llu", (unsigned long long)j->id);
    }
    in = ui_pane_box(a, focus, title, "newest first", UI_DIM);
    p = ui_pen_start(&in, scroll);
    if (!j || j->n_log == 0) {
        ui_pen_line(&p, UI_DIM, j && over(j) ? "it wrote no line" : "no line yet");
    }
    for (size_t i = j ? j->n_log : 0; i > 0; i--) {
        const char *line = j->log[i - 1];
        const bool timed = strlen(line) > 9 && line[2] == ':' && line[8] == ' ';

        if (timed) {
            (void)ui_putf(&p.a, p.y - p.top, 0, UI_DIM, "%.8s", line);
        }
        ui_pen_wrap(&p, timed ? 9 : 0, UI_TEXT, timed ? line + 9 : line);
    }
    return p.y;
}

static int draw_log(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    return ui_log_pane_draw(x, ui_job_selected(x), a, focus, scroll_of(x, P_LOG));
}

static void layout(const struct ui_ctx *x, int h, int w, struct ui_rect r[UI_PANES])
{
    const bool other = x->st->s[UI_SCR_JOBS].other;
    int top = (int)x->v->jobs->n + 3, log = h >= 30 ? h / 3 : 4;

    if (w >= 110 && !other) { /* detail and log beside each other, and more history */
        top = top < 8 ? 8 : top > h - 15 ? h - 15 : top;
        r[P_LIST] = (struct ui_rect){0, 0, top, w};
        r[P_DETAIL] = (struct ui_rect){top, 0, h - top, w * 9 / 20};
        r[P_LOG] = (struct ui_rect){top, w * 9 / 20, h - top, w - w * 9 / 20};
        return;
    }
    top = top < 5 ? 5 : top > h - log - 9 ? h - log - 9 : top;
    if (other) {
        log = h - top;
    }
    r[P_LIST] = (struct ui_rect){0, 0, top, w};
    r[P_DETAIL] = (struct ui_rect){top, 0, h - top - log, w};
    r[P_LOG] = (struct ui_rect){h - log, 0, log, w};
}

static const struct ui_sort sorts[] = {{C_STATE, "state", false}, {C_KIND, "kind", false},
                                       {C_SIZE, "size", true},    {C_TIME, "took", true},
                                       {C_ID, "id", true},        {0, NULL, false}};

const struct ui_screen ui_scr_jobs = {
    .tab = "Jobs",
    .title = "Jobs",
    .bit = UI_ON_JOBS,
    .n_panes = 3,
    .pane = {{"Queue", draw_list, true}, {"Detail", draw_detail, false}, {"Log", draw_log, false}},
    .layout = layout,
    .rows = rows,
    .selected = selected,
    .select = pick,
    .sorts = sorts,
};
