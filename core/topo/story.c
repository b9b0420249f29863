#include "topo/story.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "topo/derive.h"

#define FACTS_WAIT_MS 3000 /* for the winner's own status after an election */

struct mst_story {
    struct mst_failover f;   /* the newest that is told */
    struct mst_failover now; /* the one in work: lost, not won yet */
    bool open, ours;

    char primary[MST_HOST_MAX]; /* the last writable one */
    int64_t term, writable_at_ms, writable_wall_ms, tail_ms, rbid;
    struct mst_optime last;
    int64_t won_at_ms; /* monotonic; the winner's facts are waited for */
};

struct mst_story *mst_story_new(void)
{
    return mst_xcalloc(1, sizeof(struct mst_story));
}

void mst_story_free(struct mst_story *s)
{
    free(s);
}

static int64_t wall_of(const struct mst_topo_view *v, int64_t mono_ms)
{
    return v->now_wall_ms - (v->now_mono_ms - mono_ms);
}

static int64_t term_of(const struct mst_topo_member *m)
{
    return m->hello_term >= 0 ? m->hello_term : m->term;
}

/* It is gone, or another one is there already. */
static void begin(struct mst_story *s, const struct mst_topo_view *v)
{
    struct mst_failover *f = &s->now;

    memset(f, 0, sizeof(*f));
    f->any = true;
    (void)mst_copy(f->old, sizeof(f->old), s->primary);
    f->last_seen_ms = s->writable_wall_ms;
    f->lost_ms = v->now_wall_ms;
    f->old_last = s->last;
    f->tail_ms = s->primary[0] ? s->tail_ms : -1;
    f->rbid_before = s->primary[0] ? s->rbid : -1;
    f->rbid_after = f->gap_ms = f->catch_up_ops = f->term = -1;
    f->winner_had.term = -1;
    s->open = true;
}

static void remember(struct mst_story *s, const struct mst_topo_view *v)
{
    const struct mst_topo_member *m = &v->members[v->primary];

    if (strcasecmp(s->primary, m->name) != 0 || term_of(m) != s->term) {
        memset(&s->last, 0, sizeof(s->last));
        s->rbid = -1;
    }
    (void)mst_copy(s->primary, sizeof(s->primary), m->name);
    s->term = term_of(m);
    s->writable_at_ms = m->hello_at_ms;
    s->writable_wall_ms = wall_of(v, m->hello_at_ms);
    s->tail_ms = v->tail_at_risk_ms;
    s->rbid = m->rbid >= 0 ? m->rbid : s->rbid;
    s->last = mst_optime_cmp(m->applied, s->last) > 0 ? m->applied : s->last;
    s->last = mst_optime_cmp(m->last_write, s->last) > 0 ? m->last_write : s->last;
}

static void won(struct mst_story *s, const struct mst_topo_view *v)
{
    const struct mst_topo_member *m = &v->members[v->primary];
    struct mst_failover *f = &s->now;

    (void)mst_copy(f->winner, sizeof(f->winner), m->name);
    f->term = term_of(m);
    f->writable_ms = wall_of(v, m->hello_at_ms);
    f->gap_ms = f->old[0] ? m->hello_at_ms - s->writable_at_ms : -1;
    f->gap_ms = f->old[0] && f->gap_ms < 0 ? 0 : f->gap_ms;
    s->won_at_ms = m->hello_at_ms;
    s->open = false;
    s->f = *f;
}

/* The winner's own status, made after it won, says why it stood and what it had. */
static void ask_winner(struct mst_story *s, const struct mst_topo_view *v)
{
    struct mst_failover *f = &s->f;
    const int i = mst_topo_find(v, f->winner);
    const struct mst_topo_member *m = i >= 0 ? &v->members[i] : NULL;

    if (!m || m->status_at_ms < s->won_at_ms || m->term < f->term) {
        f->over = !m || m->status_missing[0] || v->now_mono_ms - s->won_at_ms >= FACTS_WAIT_MS;
        return;
    }
    f->over = true;
    (void)mst_copy(f->reason, sizeof(f->reason), m->election_reason);
    f->stood_ms = m->stood_wall_ms;
    f->catch_up_ops = m->catch_up_ops;
    f->winner_had = m->seen_at_election;
    if (!f->old[0] || mst_ts_zero(f->old_last.ts) || mst_ts_zero(f->winner_had.ts)) {
        return;
    }
    if (mst_optime_cmp(f->winner_had, f->old_last) >= 0 || f->catch_up_ops > 0 ||
        strcasecmp(f->old, f->winner) == 0) {
        f->loss = MST_LOSS_NONE;
    } else {
        f->loss = MST_LOSS_SOME;
        f->loss_ms = ((int64_t)f->old_last.ts.t - (int64_t)f->winner_had.ts.t) * 1000;
    }
}

static void watch_old(struct mst_failover *f, const struct mst_topo_view *v)
{
    const int i = f->old[0] ? mst_topo_find(v, f->old) : -1;
    const struct mst_topo_member *m = i >= 0 ? &v->members[i] : NULL;

    if (!m) {
        return;
    }
    for (size_t j = 0; f->noticed_ms == 0 && !f->winner[0] && j < v->n; j++) {
        const struct mst_opinion *o = &v->members[j].sees[i];

        if ((int)j != i && o->known && o->health == 0 &&
            mst_topo_fresh(v, &mst_topo_limits_default, j) &&
            mst_topo_status_fresh(v, &mst_topo_limits_default, j)) {
            f->noticed_ms = wall_of(v, v->members[j].status_at_ms);
            (void)mst_copy(f->noticed_by, sizeof(f->noticed_by), v->members[j].name);
        }
    }
    if (!f->winner[0] || strcasecmp(f->old, f->winner) == 0) {
        return;
    }
    if (f->rollback_ms == 0 &&
        (m->shown == MST_SHOW_ROLLBACK || (f->rbid_before >= 0 && m->rbid > f->rbid_before))) {
        f->rollback_ms = v->now_wall_ms;
    }
    if (f->rbid_before >= 0 && m->rbid > f->rbid_before) {
        f->rbid_after = m->rbid;
    }
    if (f->back_ms == 0 && m->shown == MST_SHOW_SECONDARY) {
        f->back_ms = v->now_wall_ms;
    }
}

static void with_primary(struct mst_story *s, const struct mst_topo_view *v)
{
    const struct mst_topo_member *m = &v->members[v->primary];
    const bool same = strcasecmp(s->primary, m->name) == 0;

    if (!s->open && s->primary[0] && term_of(m) > s->term) {
        begin(s, v); /* quicker than our looks */
    }
    if (s->open && same && term_of(m) == s->term) {
        s->open = false; /* it was silent, nobody was elected */
    } else if (s->open && !s->ours) {
        won(s, v);
    }
    s->open = false;
    remember(s, v);
}

void mst_story_follow(struct mst_story *s, struct mst_topo_view *v, bool ours)
{
    s->ours = s->open ? s->ours || ours : ours;
    if (v->primary < 0 && v->verdict == MST_V_NO_PRIMARY && !s->open) {
        begin(s, v);
    }
    if (s->open) {
        watch_old(&s->now, v);
    }
    if (v->primary >= 0) {
        with_primary(s, v);
    }
    if (s->f.any && !s->f.over) {
        ask_winner(s, v);
    }
    if (s->f.any) {
        watch_old(&s->f, v);
    }
    v->failover = s->open && !s->ours ? s->now : s->f;
}

/* --- the lines --- */

static void tell(struct mst_tale_line *out, size_t *n, enum mst_tale what, int64_t wall_ms,
                 enum mst_severity severity, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

static void tell(struct mst_tale_line *out, size_t *n, enum mst_tale what, int64_t wall_ms,
                 enum mst_severity severity, const char *fmt, ...)
{
    struct mst_tale_line *l = &out[(*n)++];
    va_list ap;

    memset(l, 0, sizeof(*l));
    l->what = what;
    l->wall_ms = wall_ms;
    l->severity = severity;
    va_start(ap, fmt);
    (void)vsnprintf(l->text, sizeof(l->text), fmt, ap);
    va_end(ap);
}

static void tell_lost(const struct mst_failover *f, struct mst_tale_line *out, size_t *n)
{
    char t[MST_HUMAN_MAX];

    if (!f->old[0]) {
        tell(out, n, MST_TALE_LOST, f->lost_ms, MST_SEV_CRIT,
             "there was no primary when muster began to look: which one was lost, and when, is not "
             "known");
    } else {
        tell(out, n, MST_TALE_LOST, f->last_seen_ms, MST_SEV_CRIT,
             "the primary %.100s was last seen writable", f->old);
    }
    if (f->noticed_ms) {
        tell(out, n, MST_TALE_NOTICED, f->noticed_ms, MST_SEV_WARN,
             "%.100s says that %.100s is down", f->noticed_by, f->old);
    }
    if (f->tail_ms == 0) {
        tell(out, n, MST_TALE_RISK, f->last_seen_ms, MST_SEV_INFO,
             "all that was seen on %.100s was on a majority then", f->old);
    } else if (f->tail_ms > 0) {
        tell(out, n, MST_TALE_RISK, f->last_seen_ms, MST_SEV_WARN,
             "%s of writes on %.100s were not yet on a majority then",
             mst_text_duration(f->tail_ms, t), f->old);
    }
}

static void tell_won(const struct mst_failover *f, struct mst_tale_line *out, size_t *n)
{
    char reason[64] = "for a reason that its server does not tell", gap[64] = "";

    if (!f->winner[0]) {
        return;
    }
    if (f->reason[0]) {
        (void)snprintf(reason, sizeof(reason), "because of %.48s", f->reason);
    }
    if (f->stood_ms) {
        tell(out, n, MST_TALE_STOOD, f->stood_ms, MST_SEV_INFO, "%.100s stands, %s", f->winner,
             reason);
    }
    if (f->gap_ms >= 0) {
        (void)snprintf(gap, sizeof(gap), ", %lld.%lld s after the last sight of a writable one",
                       (long long)(f->gap_ms / 1000), (long long)(f->gap_ms % 1000 / 100));
    }
    tell(out, n, MST_TALE_WON, f->writable_ms, MST_SEV_INFO, "%.100s is primary in term %lld%s",
         f->winner, (long long)f->term, gap);
}

static void tell_loss(const struct mst_failover *f, struct mst_tale_line *out, size_t *n)
{
    char t[MST_HUMAN_MAX];

    if (!f->over) {
        return;
    }
    if (f->loss == MST_LOSS_SOME) {
        tell(out, n, MST_TALE_LOSS, f->writable_ms, MST_SEV_CRIT,
             "%.80s had writes up to %u:%u that %.80s lacks (after %u:%u, %s)", f->old,
             f->old_last.ts.t, f->old_last.ts.i, f->winner, f->winner_had.ts.t, f->winner_had.ts.i,
             mst_text_duration(f->loss_ms, t));
    } else if (f->loss == MST_LOSS_NONE) {
        tell(out, n, MST_TALE_LOSS, f->writable_ms, MST_SEV_INFO,
             "%.80s has all that was seen on %.80s%s", f->winner, f->old,
             f->catch_up_ops > 0 ? " after its catch-up" : "");
    } else {
        tell(out, n, MST_TALE_LOSS, f->writable_ms, MST_SEV_WARN,
             "what the old primary%s%.80s had more is not known", f->old[0] ? " " : "", f->old);
    }
}

static void tell_old(const struct mst_failover *f, struct mst_tale_line *out, size_t *n)
{
    if (f->back_ms) {
        tell(out, n, MST_TALE_BACK, f->back_ms, MST_SEV_INFO, "%.100s is back as a secondary",
             f->old);
    }
    if (f->rollback_ms && f->rbid_after >= 0) {
        tell(out, n, MST_TALE_ROLLBACK, f->rollback_ms, MST_SEV_CRIT,
             "%.100s rolled back: rollback id %lld -> %lld", f->old, (long long)f->rbid_before,
             (long long)f->rbid_after);
    } else if (f->rollback_ms) {
        tell(out, n, MST_TALE_ROLLBACK, f->rollback_ms, MST_SEV_CRIT,
             "%.100s is in ROLLBACK: it removes writes that the others never had", f->old);
    }
}

static void tell_next(const struct mst_failover *f, struct mst_tale_line *out, size_t *n)
{
    const int64_t at = f->rollback_ms ? f->rollback_ms
                       : f->back_ms   ? f->back_ms
                       : f->winner[0] ? f->writable_ms
                                      : f->lost_ms;
    enum mst_severity severity = MST_SEV_INFO;
    char text[240];

    if (!f->winner[0]) {
        mst_topo_put(text, sizeof(text), "wait for the election; force nothing while it can come");
    } else if (f->rollback_ms) {
        severity = MST_SEV_CRIT;
        mst_topo_put(text, sizeof(text),
                     "look into the rollback directory below the dbPath of %.80s: what it removed "
                     "is there",
                     f->old);
    } else if (f->loss == MST_LOSS_SOME && !f->back_ms) {
        severity = MST_SEV_CRIT;
        mst_topo_put(
            text, sizeof(text),
            "keep the data of %.80s: copy its dbPath before it is started, when the writes "
            "that the others lack matter",
            f->old);
    } else if (f->back_ms) {
        mst_topo_put(text, sizeof(text), "find out why %.80s was lost; its log says so first",
                     f->old);
    } else if (f->old[0] && strcasecmp(f->old, f->winner) != 0) {
        mst_topo_put(text, sizeof(text),
                     "find out why %.80s was lost and bring it back; watch it for ROLLBACK when it "
                     "returns",
                     f->old);
    } else {
        mst_topo_put(text, sizeof(text), "look at 'muster topology': every member in its place?");
    }
    tell(out, n, MST_TALE_NEXT, at, severity, "next: %s", text);
}

size_t mst_failover_lines(const struct mst_failover *f, struct mst_tale_line out[MST_TALES])
{
    size_t n = 0;

    if (f->any) {
        tell_lost(f, out, &n);
        tell_won(f, out, &n);
        tell_loss(f, out, &n);
        tell_old(f, out, &n);
        tell_next(f, out, &n);
    }
    return n;
}
