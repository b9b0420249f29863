/* scr_dash.c: the overview: the set, its backups, jobs, events, each with its age. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/fmt.h"
#include "ui/members.h"
#include "ui/screen.h"

enum { P_SET, P_BACKUP, P_JOBS, P_EVENTS, P_SEES, P_LOG, P_JOB };

#define SIDE_FROM 170 /* columns from which the right side has panes of its own */
#define SIDE 85

static int scroll_of(const struct ui_ctx *x, int pane)
{
    return x->st->s[UI_SCR_DASH].top[pane];
}

static void draw_majority(const struct ui_ctx *x, struct ui_pen *p)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    const bool ok = v->votes_up >= v->votes_needed && v->votes_total > 0;
    const int y = ui_pen_next(p);
    char data[64] = "";

    if (v->votes_total == 0) {
        (void)ui_put(&p->a, y, 0, UI_DIM, "votes: configuration not read yet");
        return;
    }
    if (v->write_majority > 0) {
        (void)snprintf(data, sizeof data, "  data %d up, w:majority %d", v->data_up,
                       v->write_majority);
    }
    (void)ui_putf(&p->a, y, 0, UI_TEXT, "votes %d/%d, need %d%s", v->votes_up, v->votes_total,
                  v->votes_needed, data);
    (void)ui_put_right(&p->a, y, p->a.w - 5, 5, ok ? UI_OK : UI_CRIT, ok ? "[ok]" : "[!!]");
}

static void draw_reasons(const struct ui_ctx *x, struct ui_pen *p)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    char age[UI_NUM_MAX];

    for (size_t i = 0; i < v->n_reasons; i++) {
        const struct mst_reason *r = &v->reasons[i];
        int used = 0, y;

        if (v->verdict != MST_V_HEALTHY && strstr(v->headline, r->text)) {
            continue; /* it stands above */
        }
        y = ui_pen_next(p);

        (void)ui_put(&p->a, y, 0, ui_severity_role(r->severity),
                     r->severity == MST_SEV_CRIT   ? "X"
                     : r->severity == MST_SEV_WARN ? "!"
                                                   : "=");
        if (r->since_ms > 0) {
            (void)ui_fmt_age(x->st->now_mono_ms - r->since_ms, age);
            used = ui_cols(age) + 1;
            (void)ui_put_right(&p->a, y, p->a.w - used, used, UI_DIM, age);
        }
        (void)ui_put_cut(&p->a, y, 2, p->a.w - 2 - used, ui_severity_role(r->severity), r->text);
    }
}

static void draw_stepped_down(const struct mst_topo_view *v, struct ui_pen *p)
{
    char what[200], text[240];

    (void)mst_topo_if_stepped_down(v, what);
    if (what[0]) {
        (void)snprintf(text, sizeof text, "if you step it down now: %s", what);
        ui_pen_wrap(p, 0, UI_DIM, text);
    }
}

static int draw_set(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    const bool stale = ui_data_age_ms(x) > UI_STALE_MS;
    struct ui_area in =
        ui_pane_box(a, focus, "Replica set", stale ? "STALE" : mst_verdict_word(v->verdict),
                    stale ? UI_STALE : ui_verdict_role(v->verdict));
    struct ui_area list, rest;
    struct ui_pen p;
    int rows = ui_members_draw(x, &in, in.h - 2 < (int)v->n + 1 ? in.h - 2 : (int)v->n + 1, false);

    list = ui_area_sub(&in, 0, 0, rows, in.w);
    rest = ui_area_sub(&in, list.h, 0, in.h - list.h, in.w);
    p = ui_pen_start(&rest, scroll_of(x, P_SET));
    if (v->verdict != MST_V_HEALTHY && v->headline[0]) {
        ui_pen_wrap(&p, 0, ui_verdict_role(v->verdict) == UI_DIM ? UI_DIM : UI_TEXT, v->headline);
    }
    draw_reasons(x, &p);
    draw_majority(x, &p);
    if (v->if_primary_dies[0]) {
        char text[sizeof v->if_primary_dies + 32];

        (void)snprintf(text, sizeof text, "if the primary dies: %s", v->if_primary_dies);
        ui_pen_wrap(&p, 0, UI_DIM, text);
        draw_stepped_down(v, &p);
    }
    return rows + p.y;
}

static const struct mst_backup *newest_good(const struct mst_bucket_part *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->backups[i].state == MST_BK_COMPLETE || b->backups[i].state == MST_BK_PARTIAL) {
            return &b->backups[i];
        }
    }
    return NULL;
}

/* What is cached was so: the age of the listing stands beside the word that was true then. */
static void draw_verified(const struct ui_ctx *x, struct ui_pen *p, const struct mst_backup *b)
{
    const struct mst_bucket_part *from = x->v->bucket;
    const char *word = b->verified_wall_ms == 0 ? "never" : ui_verified_word(b);
    const enum ui_role role = b->verified_wall_ms == 0 ? UI_WARN : b->verified_ok ? UI_OK : UI_CRIT;
    char age[UI_NUM_MAX];

    if (from->cached) {
        ui_pen_pair(p, "verified", ui_bucket_role(from, role), "%s, %s old", word,
                    ui_fmt_age(x->st->now_wall_ms - from->as_of_wall_ms, age));
    } else if (b->verified_wall_ms == 0) {
        ui_pen_pair(p, "verified", role, "%s", word);
    } else {
        ui_pen_pair(p, "verified", role, "%s %s ago", word,
                    ui_fmt_age(x->st->now_wall_ms - b->verified_wall_ms, age));
    }
}

static void draw_newest(const struct ui_ctx *x, struct ui_pen *p, const struct mst_backup *b)
{
    const struct mst_bucket_part *from = x->v->bucket;
    const enum ui_role text = ui_bucket_role(from, UI_TEXT);
    char t[UI_NUM_MAX], age[UI_NUM_MAX], h1[MST_HUMAN_MAX], h2[MST_HUMAN_MAX];
    char sizes[2 * MST_HUMAN_MAX + 4];

    ui_pen_pair(p, "last good",
                ui_bucket_role(from, b->state == MST_BK_PARTIAL ? UI_WARN : UI_TEXT), "%s%.12s%s",
                from->cached ? "was " : "", ui_fmt_day(b->started_wall_ms, t),
                b->state == MST_BK_PARTIAL ? " PARTIAL" : "");
    if (b->last.ts.t > 0) {
        ui_pen_pair(p, "to", text, "%s ago",
                    ui_fmt_age(x->st->now_wall_ms - (int64_t)b->last.ts.t * 1000, age));
    }
    (void)snprintf(sizes, sizeof sizes, "%s, %s", mst_text_bytes(b->data_bytes, h1),
                   mst_text_bytes(b->stored_bytes, h2));
    if (ui_cols(sizes) > p->a.w - 11) { /* the unit is worth more than the blank */
        (void)snprintf(sizes, sizeof sizes, "%s,%s", h1, h2);
    }
    ui_pen_pair(p, "size", text, "%s", sizes);
    draw_verified(x, p, b);
    if (!b->sealed && strcmp(from->kind, "local") != 0) {
        ui_pen_pair(p, "sealed", UI_WARN, "UNSEALED");
    }
}

/* The newest ones, where a large window has the rows. */
static void draw_recent(const struct ui_ctx *x, struct ui_pen *p, const struct mst_bucket_part *b)
{
    const int room = p->a.h - p->y - 1;
    char age[UI_NUM_MAX], h[MST_HUMAN_MAX];

    if (p->a.w < 56 || room < 1 || b->n == 0) {
        return;
    }
    ui_pen_line(p, UI_HEAD, "  %-26s %-11s %8s %s", "newest", "state", "stored", "verified");
    for (size_t i = 0; i < b->n && i < (size_t)room; i++) {
        const struct mst_backup *k = &b->backups[i];
        const enum ui_role role = ui_bucket_role(b, ui_backup_role(k));
        const int y = ui_pen_next(p);

        (void)ui_putf(&p->a, y, 0, role, "%c", ui_backup_sign(k));
        (void)ui_put_cut(&p->a, y, 2, 26, UI_TEXT, k->id);
        (void)ui_put(&p->a, y, 29, role, mst_backup_state_word(k->state));
        (void)ui_put_right(&p->a, y, 41, 8, UI_TEXT, mst_text_bytes(k->stored_bytes, h));
        if (k->verified_wall_ms == 0) {
            (void)ui_put(&p->a, y, 50, UI_DIM, "never");
        } else {
            (void)ui_putf(&p->a, y, 50, ui_bucket_role(b, k->verified_ok ? UI_OK : UI_CRIT),
                          "%s %s", ui_verified_word(k),
                          ui_fmt_age(x->st->now_wall_ms - k->verified_wall_ms, age));
        }
    }
}

/* A forged one is no damage: somebody else writes there. */
static void draw_bad(const struct mst_bucket_part *b, struct ui_pen *p)
{
    size_t damaged = 0, forged = 0;

    for (size_t i = 0; i < b->n; i++) {
        const bool is_forged = b->backups[i].state == MST_BK_FORGED;

        forged += is_forged;
        damaged += !is_forged && ui_backup_sign(&b->backups[i]) == 'X';
    }
    if (forged > 0) {
        ui_pen_pair(p, "FORGED", UI_CRIT, "%zu: not ours", forged);
    }
    if (damaged > 0) {
        ui_pen_pair(p, "damaged", UI_CRIT, "%zu", damaged);
    }
}

static int draw_backup(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_bucket_part *b = x->v->bucket;
    char note[UI_NOTE_MAX], h[MST_HUMAN_MAX];
    const struct mst_backup *good = b ? newest_good(b) : NULL;
    struct ui_area in;
    struct ui_pen p;

    in = ui_pane_box(a, focus, "Backups", ui_bucket_note(x, b, note),
                     b ? ui_bucket_role(b, UI_DIM) : UI_DIM);
    p = ui_pen_start(&in, scroll_of(x, P_BACKUP));
    if (!b) {
        ui_pen_wrap(&p, 0, UI_WARN, "no store is configured: backups have nowhere to go");
        return p.y;
    }
    ui_bucket_origin(x, b, &p);
    for (size_t i = 0; i < x->v->n_stores; i++) {
        if (x->v->stores[i] != b && x->v->stores[i]->problem[0]) {
            ui_pen_wrap(&p, 0, UI_CRIT, x->v->stores[i]->problem);
        }
    }
    if (!b->problem[0] && b->read_at_ms == 0 && !b->cached) {
        ui_pen_line(&p, UI_DIM, "not read yet");
        return p.y;
    }
    if (good) {
        draw_newest(x, &p, good);
    } else if (b->cached) {
        ui_pen_pair(&p, "last good", UI_CRIT, "there was none");
    } else if (b->read_at_ms > 0 && !b->problem[0]) {
        ui_pen_pair(&p, "last good", UI_CRIT, "none");
        ui_pen_wrap(&p, 0, UI_TEXT, "B makes the first backup.");
    }
    if (!b->problem[0] || b->cached) {
        ui_pen_pair(&p, "store", ui_bucket_role(b, UI_TEXT), "%s, %zu %s", b->store, b->n,
                    mst_text_noun(b->n, "backup", "backups"));
    } else {
        ui_pen_pair(&p, "store", UI_TEXT, "%s, not known", b->store);
    }
    draw_bad(b, &p);
    if (b->total_bytes > 0) {
        ui_pen_pair(&p, "free", UI_TEXT, "%s", mst_text_bytes(b->free_bytes, h));
    }
    if (x->v->info->key_remind[0]) {
        ui_pen_wrap(&p, 0, UI_WARN, x->v->info->key_remind);
    }
    draw_recent(x, &p, b);
    return p.y;
}

static void draw_job(const struct ui_ctx *x, const struct mst_job *j, const struct ui_area *a,
                     int y)
{
    char h[MST_HUMAN_MAX], t[UI_NUM_MAX], text[640];
    const int permille = ui_job_permille(j);
    const int wide = a->w >= 100 ? 26 : 22;
    int at = 0;

    at += ui_putf(a, y, at, ui_job_role(x, j), "%c %llu %s ", ui_job_sign(x, j),
                  (unsigned long long)j->id, mst_job_kind_word(j->kind));
    if (!ui_job_unknown(x, j) && (j->state == MST_JOB_RUNNING || j->state == MST_JOB_CANCELLING)) {
        at = at < 17 ? 17 : at;
        if (permille >= 0) {
            ui_gauge(a, y, at, wide, permille);
            at += wide;
            at += ui_putf(a, y, at, UI_TEXT, " %d%%", permille / 10);
        }
        if (j->stalled_ms > 5000) {
            at += ui_putf(a, y, at, UI_WARN, "  STALLED %s", ui_fmt_age(j->stalled_ms, t));
        } else if (j->rate_bps > 0) {
            at += ui_putf(a, y, at, UI_TEXT, "  %s/s", mst_text_bytes(j->rate_bps, h));
        }
        if (j->eta_ms >= 0) {
            at += ui_putf(a, y, at, UI_TEXT, "  ETA %s", ui_fmt_hms(j->eta_ms, t));
        }
        (void)snprintf(text, sizeof text, "  %s%s",
                       j->state == MST_JOB_CANCELLING ? "cancelling: " : "", j->phase);
        (void)ui_put_cut(a, y, at, a->w - at, UI_DIM, text);
        return;
    }
    (void)snprintf(text, sizeof text, "%s  %.*s%s", ui_job_word(x, j),
                   j->ended_wall_ms > 0 ? 12 : 0, ui_fmt_day(j->ended_wall_ms, t),
                   j->ended_wall_ms > 0 ? "  " : "");
    at += ui_put(a, y, at, ui_job_role(x, j), text);
    (void)ui_put_cut(a, y, at, a->w - at, UI_TEXT, j->result[0] ? j->result : j->phase);
}

static int draw_jobs(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_jobs_part *jobs = x->v->jobs;
    size_t run = 0, queued = 0;
    char note[64];
    struct ui_area in;
    struct ui_pen p;

    for (size_t i = 0; i < jobs->n; i++) {
        run += jobs->jobs[i].state == MST_JOB_RUNNING || jobs->jobs[i].state == MST_JOB_CANCELLING;
        queued += jobs->jobs[i].state == MST_JOB_QUEUED;
    }
    if (x->v->info->agent_lost_ms > 0 && run + queued > 0) {
        (void)snprintf(note, sizeof note, "%zu not known", run + queued);
        run = 0;
    } else {
        (void)snprintf(note, sizeof note, "%zu running, %zu queued", run, queued);
    }
    in = ui_pane_box(a, focus, "Jobs", note, run ? UI_RUN : UI_DIM);
    p = ui_pen_start(&in, scroll_of(x, P_JOBS));
    if (jobs->n == 0) {
        ui_pen_line(&p, UI_DIM, "no job has run yet");
    }
    for (size_t i = 0; i < jobs->n; i++) {
        draw_job(x, &jobs->jobs[i], &p.a, ui_pen_next(&p));
    }
    return p.y;
}

static int draw_events(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    struct ui_event ev[MST_TOPO_EVENTS];
    const size_t n = ui_events(x->v, ev, MST_COUNT(ev));
    struct ui_area in = ui_pane_box(a, focus, "Events", "UTC, newest first", UI_DIM);
    struct ui_pen p = ui_pen_start(&in, scroll_of(x, P_EVENTS));
    /* The day, where there is room or a time of day alone would mislead. */
    const bool wide = in.w >= 80 || (n > 0 && ui_other_day(x, ev[n - 1].wall_ms));
    const int at = wide ? 16 : 9;
    char t[UI_NUM_MAX];

    if (n == 0) {
        ui_pen_line(&p, UI_DIM, "nothing has happened since muster looks");
    }
    for (size_t i = 0; i < n; i++) {
        const int y = ui_pen_next(&p);

        (void)ui_putf(&p.a, y, 0, UI_DIM, wide ? "%.15s" : "%.8s",
                      wide ? ui_fmt_day(ev[i].wall_ms, t) : ui_fmt_clock_z(ev[i].wall_ms, t));
        (void)ui_put(&p.a, y, at, ev[i].gap ? UI_STALE : ui_severity_role(ev[i].severity),
                     ev[i].gap ? "----" : ui_severity_word(ev[i].severity));
        if (p.a.h > 2 * (int)n && ui_cols(ev[i].text) > p.a.w - at - 5) {
            p.y--; /* with room for all of it, none of it is cut */
            ui_pen_wrap(&p, at + 5, UI_TEXT, ev[i].text);
        } else {
            (void)ui_put_cut(&p.a, y, at + 5, p.a.w - at - 5, UI_TEXT, ev[i].text);
        }
    }
    return p.y;
}

static int draw_sees(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    return ui_sees_draw(x, a, focus, scroll_of(x, P_SEES));
}

/* What runs, else the newest job. */
static const struct mst_job *job_of(const struct ui_ctx *x)
{
    const struct mst_jobs_part *jobs = x->v->jobs;
    const struct mst_job *j = jobs->n > 0 ? &jobs->jobs[0] : NULL;

    for (size_t i = 0; i < jobs->n; i++) {
        if (jobs->jobs[i].state == MST_JOB_RUNNING || jobs->jobs[i].state == MST_JOB_CANCELLING) {
            j = &jobs->jobs[i];
            break;
        }
    }
    return j;
}

static int draw_log(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    return ui_log_pane_draw(x, job_of(x), a, focus, scroll_of(x, P_LOG));
}

static int draw_job_detail(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    return ui_job_pane_draw(x, job_of(x), a, focus, scroll_of(x, P_JOB));
}

/* What a large window has below the set and its jobs. */
static void layout_large(const struct ui_ctx *x, int y, int h, int w, struct ui_rect r[UI_PANES])
{
    const int n = (int)x->v->topo->v.n;
    int sees = n + 5, left = n * 9 + 9;

    left = left < 44 ? 44 : left > w / 2 ? w / 2 : left;
    sees = sees < 9 ? 9 : sees > h / 2 ? h / 2 : sees;
    if (w >= SIDE_FROM) { /* the job and the events have the right side */
        const int job = h >= 26 ? 13 : 0;

        r[P_SEES] = (struct ui_rect){y, 0, sees, w - SIDE};
        r[P_LOG] = (struct ui_rect){y + sees, 0, h - sees, w - SIDE};
        r[P_JOB] = (struct ui_rect){y, w - SIDE, job, SIDE};
        r[P_EVENTS] = (struct ui_rect){y + job, w - SIDE, h - job, SIDE};
        return;
    }
    r[P_EVENTS] = (struct ui_rect){y, 0, h - sees, w};
    r[P_SEES] = (struct ui_rect){y + h - sees, 0, sees, left};
    r[P_LOG] = (struct ui_rect){y + h - sees, left, sees, w - left};
}

/* Rows of the backups' pane while the store cannot be read: the sentences stand above what is
 * known, which must not be pushed out by them. */
static int backup_rows(const struct ui_ctx *x, int right)
{
    const struct mst_bucket_part *b = x->v->bucket;
    const int remind = ui_cols(x->v->info->key_remind);

    return (b && b->problem[0] ? 11 + ui_cols(b->problem) / (right - 8) : 9) +
           (remind ? remind / (right - 8) + 1 : 0);
}

static int what_if_rows(const struct mst_topo_view *v, int inner)
{
    char what[200];

    if (!v->if_primary_dies[0]) {
        return 0;
    }
    (void)mst_topo_if_stepped_down(v, what);
    return (ui_cols(v->if_primary_dies) + 22) / inner + 1 +
           (what[0] ? (ui_cols(what) + 26) / inner + 1 : 0);
}

static void layout(const struct ui_ctx *x, int h, int w, struct ui_rect r[UI_PANES])
{
    const struct mst_topo_view *v = &x->v->topo->v;
    const int right = w >= SIDE_FROM ? 62 : w >= 110 ? 40 : 30;
    const int jobs_n = (int)x->v->jobs->n;
    const int inner = w - right > 12 ? w - right - 10 : 2; /* words wrap before the edge */
    const int dies = what_if_rows(v, inner);
    int top = (int)v->n + 4 + dies + (int)v->n_reasons + (v->verdict == MST_V_HEALTHY ? 0 : 2);
    int jobs = jobs_n + 2;

    top = top < backup_rows(x, right) ? backup_rows(x, right) : top;
    top = w >= SIDE_FROM && h >= 40 && top < 16 ? 16 : top; /* with the newest backups */
    top = top > h - 7 ? h - 7 : top;
    jobs = jobs < 3 ? 3 : jobs > (h - top) / 2 ? (h - top) / 2 : jobs;
    r[P_SET] = (struct ui_rect){0, 0, top, w - right};
    r[P_BACKUP] = (struct ui_rect){0, w - right, top, right};
    r[P_JOBS] = (struct ui_rect){top, 0, jobs, w};
    if (w >= 110 && h - top - jobs >= 18) {
        layout_large(x, top + jobs, h - top - jobs, w, r);
    } else {
        r[P_EVENTS] = (struct ui_rect){top + jobs, 0, h - top - jobs, w};
    }
}

const struct ui_screen ui_scr_dash = {
    .tab = "Dash",
    .title = "Overview",
    .bit = UI_ON_DASH,
    .n_panes = 7,
    .pane = {{"Replica set", draw_set, false},
             {"Backups", draw_backup, false},
             {"Jobs", draw_jobs, false},
             {"Events", draw_events, false},
             {"Who sees whom", draw_sees, false},
             {"Job log", draw_log, false},
             {"Job", draw_job_detail, false}},
    .layout = layout,
};
