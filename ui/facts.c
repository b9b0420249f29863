/* facts.c: what a screen says about a member, a job, a backup: sign, word, role. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/fmt.h"
#include "ui/screen.h"

void ui_rows_add(struct ui_rows *r, size_t idx)
{
    void *p = r->idx;

    mst_grow(&p, &r->cap, r->n + 1, sizeof *r->idx);
    r->idx = p;
    r->idx[r->n++] = idx;
}

void ui_rows_release(struct ui_rows *r)
{
    free(r->idx);
    *r = (struct ui_rows){0};
}

size_t ui_rows_find(const struct ui_rows *r, size_t idx)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->idx[i] == idx) {
            return i;
        }
    }
    return r->n;
}

struct order {
    const struct ui_ctx *x;
    ui_compare_fn *compare;
    size_t col;
    bool down;
};

static int in_order(const void *a, const void *b, void *arg)
{
    const size_t i = *(const size_t *)a, k = *(const size_t *)b;
    const struct order *o = arg;
    const int c = o->compare(o->x, o->col, i, k);

    if (c == 0) {
        return i < k ? -1 : i > k;
    }
    return o->down ? -c : c;
}

void ui_rows_sort(const struct ui_ctx *x, enum ui_scr scr, ui_compare_fn *compare,
                  struct ui_rows *r)
{
    const struct ui_scr_state *ss = &x->st->s[scr];
    struct order o = {x, compare, ss->sort - 1, ss->down};

    if (ss->sort > 0 && r->n > 1) {
        qsort_r(r->idx, r->n, sizeof *r->idx, in_order, &o);
    }
}

/* Worst reason that names the member. */
static int worst_of(const struct mst_topo_view *v, size_t i)
{
    int worst = 0;

    for (size_t k = 0; k < v->n_reasons; k++) {
        if (v->reasons[k].member == (int)i && (int)v->reasons[k].severity > worst) {
            worst = (int)v->reasons[k].severity;
        }
    }
    return worst;
}

char ui_member_sign(const struct mst_topo_view *v, size_t i)
{
    static const char signs[] = {[MST_SHOW_UNKNOWN] = '?',
                                 [MST_SHOW_PRIMARY] = '=',
                                 [MST_SHOW_PRIMARY_NO_MAJORITY] = 'X',
                                 [MST_SHOW_ELECT] = '~',
                                 [MST_SHOW_LEAVING] = '~',
                                 [MST_SHOW_SECONDARY] = '=',
                                 [MST_SHOW_ARBITER] = '=',
                                 [MST_SHOW_RECOVERING] = '!',
                                 [MST_SHOW_STARTUP] = '~',
                                 [MST_SHOW_ROLLBACK] = '!',
                                 [MST_SHOW_REMOVED] = '-',
                                 [MST_SHOW_SILENT] = '?',
                                 [MST_SHOW_DOWN] = 'X',
                                 [MST_SHOW_UNREACHABLE] = '?'};
    const enum mst_shown s = v->members[i].shown;
    const char sign = (size_t)s < sizeof signs ? signs[s] : '?';

    if (sign == '=' && worst_of(v, i) > 0) {
        return worst_of(v, i) == MST_SEV_CRIT ? 'X' : '!';
    }
    return sign;
}

bool ui_member_stale(const struct ui_ctx *x, const struct mst_topo_member *m)
{
    return ui_member_age_ms(x, m) > UI_STALE_MS;
}

int64_t ui_member_age_ms(const struct ui_ctx *x, const struct mst_topo_member *m)
{
    const int64_t age = x->st->now_mono_ms - m->hello_at_ms;

    return m->hello_at_ms == 0 ? -1 : age < 0 ? 0 : age;
}

enum ui_role ui_member_role(const struct ui_ctx *x, size_t i)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    const char sign = ui_member_sign(v, i);

    if (sign == 'X') {
        return UI_CRIT;
    }
    if (ui_member_stale(x, &v->members[i])) {
        return UI_STALE;
    }
    switch (sign) {
    case '!':
        return UI_WARN;
    case '~':
        return UI_RUN;
    case '?':
    case '-':
        return UI_STALE;
    default:
        return v->members[i].shown == MST_SHOW_PRIMARY ? UI_PRIMARY : UI_TEXT;
    }
}

const char *ui_member_word(const struct mst_topo_member *m)
{
    if (m->shown == MST_SHOW_SECONDARY && m->delay_s > 0) {
        return "DELAYED";
    }
    return m->shown == MST_SHOW_SECONDARY && m->hidden ? "HIDDEN" : mst_shown_word(m->shown);
}

static size_t host_len(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon ? (size_t)(colon - name) : strlen(name);
}

static bool one_host(const struct mst_topo_view *v)
{
    for (size_t i = 1; i < v->n; i++) {
        if (host_len(v->members[i].name) != host_len(v->members[0].name) ||
            memcmp(v->members[i].name, v->members[0].name, host_len(v->members[0].name)) != 0) {
            return false;
        }
    }
    return v->n > 1;
}

/* The port where all share a host, the first label of a host name, else all of it. */
const char *ui_short_name(const struct mst_topo_view *v, size_t i, char *buf, size_t size)
{
    const char *name = v->members[i].name;
    const size_t host = host_len(name);

    (void)mst_copy(buf, size, name);
    if (one_host(v)) {
        (void)mst_copy(buf, size, name + host);
        return buf;
    }
    if ((*name < '0' || *name > '9') && *name != '[') {
        const size_t label = strcspn(name, ".:");

        for (size_t k = 0; k < v->n; k++) {
            if (k != i && strncmp(v->members[k].name, name, label) == 0 &&
                strcspn(v->members[k].name, ".:") == label) {
                return buf;
            }
        }
        buf[label < size ? label : size - 1] = '\0';
    }
    return buf;
}

int64_t ui_data_age_ms(const struct ui_ctx *x)
{
    int64_t newest = 0;

    for (size_t i = 0; x->v->topo && i < x->v->topo->v.n; i++) {
        const struct mst_topo_member *m = &x->v->topo->v.members[i];

        newest = m->hello_at_ms > newest ? m->hello_at_ms : newest;
    }
    if (newest == 0) {
        return -1;
    }
    return x->st->now_mono_ms > newest ? x->st->now_mono_ms - newest : 0;
}

size_t ui_alerts(const struct ui_ctx *x)
{
    size_t n = 0;

    for (size_t i = 0; x->v->topo && i < x->v->topo->v.n_reasons; i++) {
        n += x->v->topo->v.reasons[i].severity != MST_SEV_INFO;
    }
    for (size_t i = 0; i < x->v->messages->n; i++) {
        const struct mst_message *m = &x->v->messages->items[i];

        n += m->severity != MST_SEV_INFO && m->seq > x->st->acked_seq;
    }
    return n;
}

enum ui_role ui_severity_role(enum mst_severity s)
{
    return s == MST_SEV_CRIT ? UI_CRIT : s == MST_SEV_WARN ? UI_WARN : UI_TEXT;
}

const char *ui_severity_word(enum mst_severity s)
{
    return s == MST_SEV_CRIT ? "CRIT" : s == MST_SEV_WARN ? "WARN" : "info";
}

enum ui_role ui_verdict_role(enum mst_verdict v)
{
    if (v == MST_V_HEALTHY) {
        return UI_OK;
    }
    return v == MST_V_STARTING ? UI_DIM : v == MST_V_DEGRADED ? UI_WARN : UI_CRIT;
}

size_t ui_events(const struct mst_view *v, struct ui_event *out, size_t max)
{
    size_t e = v->topo ? v->topo->v.n_events : 0, m = v->messages->n, n = 0;

    while (n < max && (e > 0 || m > 0)) {
        const struct mst_event *ev = e > 0 ? &v->topo->v.events[e - 1] : NULL;
        const struct mst_message *msg = m > 0 ? &v->messages->items[m - 1] : NULL;

        if (!msg || (ev && ev->wall_ms >= msg->wall_ms)) {
            MST_ASSERT(ev);
            out[n++] =
                (struct ui_event){ev->wall_ms, ev->severity, ev->text, ev->kind == MST_EV_GAP};
            e--;
        } else {
            out[n++] = (struct ui_event){msg->wall_ms, msg->severity, msg->text, false};
            m--;
        }
    }
    return n;
}

bool ui_other_day(const struct ui_ctx *x, int64_t wall_ms)
{
    const int64_t day = 24LL * 3600 * 1000;

    return wall_ms / day != x->st->now_wall_ms / day;
}

/* With the agent gone, nobody knows how far a job is that had not ended. */
bool ui_job_unknown(const struct ui_ctx *x, const struct mst_job *j)
{
    return j->ended_wall_ms == 0 && x->v->info->agent_lost_ms > 0;
}

const char *ui_job_word(const struct ui_ctx *x, const struct mst_job *j)
{
    return ui_job_unknown(x, j) ? "not known" : mst_job_state_word(j->state);
}

char ui_job_sign(const struct ui_ctx *x, const struct mst_job *j)
{
    static const char signs[] = {
        [MST_JOB_QUEUED] = '.',     [MST_JOB_RUNNING] = '~', [MST_JOB_CANCELLING] = '~',
        [MST_JOB_DONE] = '=',       [MST_JOB_FAILED] = 'X',  [MST_JOB_CANCELLED] = '-',
        [MST_JOB_INTERRUPTED] = '!'};

    return ui_job_unknown(x, j) || (size_t)j->state >= sizeof signs ? '?' : signs[j->state];
}

enum ui_role ui_job_role(const struct ui_ctx *x, const struct mst_job *j)
{
    switch (ui_job_sign(x, j)) {
    case '~':
        return UI_RUN;
    case 'X':
        return UI_CRIT;
    case '!':
        return UI_WARN;
    case '?':
        return UI_STALE;
    case '-':
        return UI_OFF;
    default:
        return UI_TEXT;
    }
}

const struct mst_job *ui_job_selected(const struct ui_ctx *x)
{
    const struct mst_jobs_part *p = x->v->jobs;

    for (size_t i = 0; i < p->n; i++) {
        if (p->jobs[i].id == x->st->job) {
            return &p->jobs[i];
        }
    }
    return p->n > 0 ? &p->jobs[0] : NULL;
}

void ui_job_progress(const struct mst_job *j, char *out, size_t size)
{
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX];

    if (j->total_bytes > 0) {
        (void)snprintf(out, size, "%s of %s", mst_text_bytes(j->done_bytes, a),
                       mst_text_bytes(j->total_bytes, b));
    } else if (j->done_bytes > 0) {
        (void)snprintf(out, size, "%s", mst_text_bytes(j->done_bytes, a));
    } else {
        (void)snprintf(out, size, "-");
    }
}

/* Never 100 % before the job is done: the last steps have no bytes of their own. */
int ui_job_permille(const struct mst_job *j)
{
    uint64_t p;

    if (j->state == MST_JOB_DONE) {
        return 1000;
    }
    if (j->total_bytes == 0) {
        return -1;
    }
    p = (uint64_t)((double)j->done_bytes * 1000.0 / (double)j->total_bytes);
    return p > 990 ? 990 : (int)p;
}

const char *ui_verified_word(const struct mst_backup *b)
{
    return !b->verified_ok ? "BAD" : b->sealed && b->verified_level < 2 ? "hashed" : "ok";
}

char ui_backup_sign(const struct mst_backup *b)
{
    if (b->verified_wall_ms > 0 && !b->verified_ok) {
        return 'X';
    }
    switch (b->state) {
    case MST_BK_COMPLETE:
        return '=';
    case MST_BK_PARTIAL:
        return '!';
    case MST_BK_INCOMPLETE:
        return '~';
    case MST_BK_DAMAGED:
    case MST_BK_FORGED:
        return 'X';
    case MST_BK_UNSIGNED:
    case MST_BK_NEWER:
    case MST_BK_FOREIGN:
    case MST_BK_ARCHIVED:
    case MST_BK_UNREAD:
        break;
    }
    return '?';
}

enum ui_role ui_backup_role(const struct mst_backup *b)
{
    switch (ui_backup_sign(b)) {
    case 'X':
        return UI_CRIT;
    case '!':
        return UI_WARN;
    case '~':
        return UI_RUN;
    case '?':
        return UI_STALE;
    default:
        return UI_TEXT;
    }
}

enum ui_role ui_bucket_role(const struct mst_bucket_part *p, enum ui_role role)
{
    return p->cached && role != UI_CRIT ? UI_STALE : role;
}

const struct mst_bucket_part *ui_store(const struct ui_ctx *x)
{
    for (size_t i = 0; x->st->store[0] && i < x->v->n_stores; i++) {
        if (strcmp(x->v->stores[i]->store, x->st->store) == 0) {
            return x->v->stores[i];
        }
    }
    return x->v->bucket;
}

const char *ui_bucket_note(const struct ui_ctx *x, const struct mst_bucket_part *b, char *out)
{
    char age[UI_NUM_MAX];

    out[0] = '\0';
    if (b && b->loading && b->seen) {
        (void)snprintf(out, UI_NOTE_MAX, "reading, %llu so far", (unsigned long long)b->seen);
    } else if (b && b->loading) {
        (void)mst_copy(out, UI_NOTE_MAX, "reading");
    } else if (b && b->cached) {
        (void)snprintf(out, UI_NOTE_MAX, "cache %s old",
                       ui_fmt_age(x->st->now_wall_ms - b->as_of_wall_ms, age));
    } else if (b && b->read_at_ms > 0) {
        (void)snprintf(out, UI_NOTE_MAX, "%s ago",
                       ui_fmt_age(x->st->now_mono_ms - b->read_at_ms, age));
    }
    return out;
}

void ui_bucket_origin(const struct ui_ctx *x, const struct mst_bucket_part *b, struct ui_pen *p)
{
    char text[160], day[UI_NUM_MAX], age[UI_NUM_MAX];

    if (b->cached) {
        (void)snprintf(text, sizeof text, "as of %.12s, %s ago, from the local cache",
                       ui_fmt_day(b->as_of_wall_ms, day),
                       ui_fmt_age(x->st->now_wall_ms - b->as_of_wall_ms, age));
        ui_pen_wrap(p, 0, UI_STALE, text);
    }
    if (b->problem[0]) {
        ui_pen_wrap(p, 0, UI_CRIT, b->problem);
    }
    if (b->rollback[0]) {
        ui_pen_wrap(p, 0, UI_CRIT, b->rollback);
    }
}

const struct mst_backup *ui_backup_selected(const struct ui_ctx *x)
{
    const struct mst_bucket_part *p = ui_store(x);

    for (size_t i = 0; p && i < p->n; i++) {
        if (strcmp(p->backups[i].id, x->st->backup) == 0) {
            return &p->backups[i];
        }
    }
    return p && p->n > 0 ? &p->backups[0] : NULL;
}
