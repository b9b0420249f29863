#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "topo/derive.h"

#define FACTS_WAIT_MS 3000 /* for the winner's own status after an election */

struct seen { /* a member as the view before had it */
    char name[MST_HOST_MAX];
    enum mst_shown shown;
    enum mst_reach reach;
    int64_t rbid;
    int lagging; /* -1 not known yet */
};

struct mst_topo_memory {
    struct mst_topo_limits limits;
    bool started;
    size_t n;
    struct seen seen[MST_TOPO_MAX];
    int64_t config_version;

    char primary[MST_HOST_MAX]; /* the last writable one */
    int64_t primary_term;
    struct mst_optime primary_last; /* the newest we saw on it */
    int64_t writable_at_ms;         /* its last hello that said so */
    int64_t lost_at_ms;             /* 0: there is a primary */

    bool told; /* of the newest primary: its PRIMARY event is out */
    char old[MST_HOST_MAX];
    struct mst_optime old_last;
    int64_t gap_ms, won_at_ms;

    size_t n_reasons;
    struct mst_reason reasons[MST_TOPO_REASONS];

    uint64_t seq;
    size_t n_events;
    struct mst_event events[MST_TOPO_EVENTS]; /* oldest first */
};

struct mst_topo_memory *mst_topo_memory_new(const struct mst_topo_limits *limits)
{
    struct mst_topo_memory *mem = mst_xcalloc(1, sizeof(*mem));

    mem->limits = limits ? *limits : mst_topo_limits_default;
    mem->told = true;
    return mem;
}

void mst_topo_memory_free(struct mst_topo_memory *mem)
{
    free(mem);
}

static struct mst_event *next_event(struct mst_topo_memory *mem)
{
    struct mst_event *e;

    if (mem->n_events == MST_TOPO_EVENTS) {
        memmove(mem->events, mem->events + 1, (MST_TOPO_EVENTS - 1) * sizeof(mem->events[0]));
        mem->n_events--;
    }
    e = &mem->events[mem->n_events++];
    memset(e, 0, sizeof(*e));
    e->seq = ++mem->seq;
    return e;
}

void mst_topo_remember(struct mst_topo_memory *mem, const struct mst_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct mst_event *e = next_event(mem);
        const uint64_t seq = e->seq;

        *e = events[i];
        e->seq = seq;
        e->mono_ms = 0;
        e->member = -1;
    }
}

static void event(struct mst_topo_memory *mem, const struct mst_topo_view *v,
                  enum mst_event_kind kind, enum mst_severity severity, int member, const char *fmt,
                  ...) __attribute__((format(printf, 6, 7)));

static void event(struct mst_topo_memory *mem, const struct mst_topo_view *v,
                  enum mst_event_kind kind, enum mst_severity severity, int member, const char *fmt,
                  ...)
{
    struct mst_event *e = next_event(mem);
    va_list ap;

    e->wall_ms = v->now_wall_ms;
    e->mono_ms = v->now_mono_ms;
    e->kind = kind;
    e->severity = severity;
    e->member = member;
    va_start(ap, fmt);
    (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
}

static struct seen *find_seen(struct mst_topo_memory *mem, const char *name)
{
    for (size_t i = 0; i < mem->n; i++) {
        if (strcasecmp(mem->seen[i].name, name) == 0) {
            return &mem->seen[i];
        }
    }
    return NULL;
}

static enum mst_severity state_severity(enum mst_shown from, enum mst_shown to)
{
    switch (to) {
    case MST_SHOW_SILENT:
    case MST_SHOW_DOWN:
    case MST_SHOW_UNREACHABLE:
        return from == MST_SHOW_PRIMARY ? MST_SEV_CRIT : MST_SEV_WARN;
    case MST_SHOW_PRIMARY_NO_MAJORITY:
    case MST_SHOW_ROLLBACK:
        return MST_SEV_CRIT;
    case MST_SHOW_RECOVERING:
    case MST_SHOW_REMOVED:
    case MST_SHOW_STARTUP:
    case MST_SHOW_LEAVING:
        return MST_SEV_WARN;
    case MST_SHOW_UNKNOWN:
    case MST_SHOW_PRIMARY:
    case MST_SHOW_ELECT:
    case MST_SHOW_SECONDARY:
    case MST_SHOW_ARBITER:
    default:
        return MST_SEV_INFO;
    }
}

static void follow_state(struct mst_topo_memory *mem, const struct mst_topo_view *v, size_t i,
                         const struct seen *s)
{
    const struct mst_topo_member *m = &v->members[i];

    if (m->shown != s->shown) {
        event(mem, v, MST_EV_STATE, state_severity(s->shown, m->shown), (int)i, "%.120s %s -> %s",
              m->name, mst_shown_word(s->shown), mst_shown_word(m->shown));
    }
    if (m->reach != s->reach && m->reach_text[0] && m->reach != MST_REACH_OK &&
        m->reach != MST_REACH_SILENT && m->reach != MST_REACH_REFUSED) {
        event(mem, v, MST_EV_REACH, MST_SEV_WARN, (int)i, "%.230s", m->reach_text);
    }
    if (s->rbid >= 0 && m->rbid > s->rbid) {
        event(mem, v, MST_EV_RBID, MST_SEV_CRIT, (int)i,
              "%.100s rolled back: rollback id %lld -> %lld; look into its rollback directory",
              m->name, (long long)s->rbid, (long long)m->rbid);
    }
}

static void follow_lag(struct mst_topo_memory *mem, const struct mst_topo_view *v, size_t i,
                       struct seen *s)
{
    const struct mst_topo_member *m = &v->members[i];
    const int64_t behind = m->lag_ms - m->delay_s * 1000;
    const int now = behind > mem->limits.lag_warn_ms;
    char a[MST_TOPO_ABOVE_MAX], b[MST_HUMAN_MAX];

    if (m->lag_ms < 0) {
        return;
    }
    if (now && s->lagging != now) {
        event(mem, v, MST_EV_LAG, MST_SEV_WARN, (int)i, "%.120s lag %s", m->name,
              mst_topo_above(behind, mem->limits.lag_warn_ms, a));
    } else if (!now && s->lagging > 0) {
        event(mem, v, MST_EV_LAG, MST_SEV_INFO, (int)i, "%.120s lag %s is below %s", m->name,
              mst_text_duration(behind, a), mst_text_duration(mem->limits.lag_warn_ms, b));
    }
    s->lagging = now;
}

static void follow_members(struct mst_topo_memory *mem, const struct mst_topo_view *v)
{
    struct seen *next = mst_xcalloc(MST_TOPO_MAX, sizeof(*next));
    const size_t n = v->n < MST_TOPO_MAX ? v->n : MST_TOPO_MAX;

    for (size_t i = 0; i < n; i++) {
        const struct mst_topo_member *m = &v->members[i];
        const struct seen *s = find_seen(mem, m->name);
        struct seen *to = &next[i];

        (void)mst_copy(to->name, sizeof(to->name), m->name);
        to->lagging = s ? s->lagging : -1;
        to->rbid = s && m->rbid < 0 ? s->rbid : m->rbid;
        if (s && s->reach != MST_REACH_NEVER) {
            follow_state(mem, v, i, s);
        }
        follow_lag(mem, v, i, to);
        to->shown = m->shown;
        to->reach = m->reach;
    }
    memcpy(mem->seen, next, sizeof(mem->seen));
    mem->n = n;
    free(next);
}

static void follow_config(struct mst_topo_memory *mem, const struct mst_topo_view *v)
{
    if (mem->config_version > 0 && v->config_version > 0 &&
        v->config_version != mem->config_version) {
        event(mem, v, MST_EV_CONFIG, v->config_forced ? MST_SEV_WARN : MST_SEV_INFO, -1,
              "configuration version %lld -> %lld, %zu %s%s", (long long)mem->config_version,
              (long long)v->config_version, v->n, mst_text_noun(v->n, "member", "members"),
              v->config_forced ? ", forced" : "");
    }
    if (v->config_version > 0) {
        mem->config_version = v->config_version;
    }
}

/* What the old primary had that the new one had not when it was elected. Sampled once a second, so
 * it says what was seen, not more. */
static void loss_text(const struct mst_topo_memory *mem, const struct mst_topo_member *m, char *out,
                      size_t size)
{
    const struct mst_optime *had = &m->seen_at_election;
    char d[MST_HUMAN_MAX];
    int64_t ms;

    if (!mem->old[0] || mst_ts_zero(mem->old_last.ts)) {
        out[0] = '\0';
        return;
    }
    if (had->term < 0 && mst_ts_zero(had->ts)) {
        mst_topo_put(out, size, "; what %.80s had more is not known", mem->old);
        return;
    }
    if (mst_optime_cmp(*had, mem->old_last) >= 0 || m->catch_up_ops > 0) {
        mst_topo_put(out, size, "; it has all that was seen on %.80s%s", mem->old,
                     m->catch_up_ops > 0 ? " after its catch-up" : "");
        return;
    }
    ms = ((int64_t)mem->old_last.ts.t - (int64_t)had->ts.t) * 1000;
    mst_topo_put(out, size, "; %.80s had writes up to %u:%u that it lacks (after %u:%u, %s)",
                 mem->old, mem->old_last.ts.t, mem->old_last.ts.i, had->ts.t, had->ts.i,
                 mst_text_duration(ms, d));
}

static void tell_winner(struct mst_topo_memory *mem, const struct mst_topo_view *v)
{
    const struct mst_topo_member *m = &v->members[v->primary];
    char loss[160] = "";

    /* Its status before it won says nothing about the election. */
    if (m->status_at_ms < mem->won_at_ms || m->term < m->hello_term) {
        if (v->now_mono_ms - mem->won_at_ms < FACTS_WAIT_MS && !m->status_missing[0]) {
            return;
        }
        mst_topo_put(loss, sizeof(loss), "; what %.80s had more is not known", mem->old);
        if (!mem->old[0]) {
            loss[0] = '\0';
        }
    } else {
        loss_text(mem, m, loss, sizeof(loss));
    }
    mem->told = true;
    if (mem->gap_ms >= 0) {
        event(mem, v, MST_EV_PRIMARY, strstr(loss, "lacks") ? MST_SEV_CRIT : MST_SEV_INFO,
              v->primary, "%.80s is primary in term %lld after %lld.%lld s without one%s", m->name,
              (long long)v->term, (long long)(mem->gap_ms / 1000),
              (long long)(mem->gap_ms % 1000 / 100), loss);
    } else {
        event(mem, v, MST_EV_PRIMARY, MST_SEV_INFO, v->primary, "%.80s is primary in term %lld",
              m->name, (long long)v->term);
    }
}

static void new_primary(struct mst_topo_memory *mem, const struct mst_topo_view *v,
                        const struct mst_topo_member *m)
{
    (void)mst_copy(mem->old, sizeof(mem->old),
                   strcasecmp(mem->primary, m->name) ? mem->primary : "");
    mem->old_last = mem->primary_last;
    mem->gap_ms = mem->writable_at_ms > 0 ? m->hello_at_ms - mem->writable_at_ms : -1;
    if (mem->gap_ms < 0 && mem->writable_at_ms > 0) {
        mem->gap_ms = 0;
    }
    mem->won_at_ms = m->hello_at_ms;
    mem->told = !mem->started; /* the one we found is no event */
    (void)mst_copy(mem->primary, sizeof(mem->primary), m->name);
    mem->primary_last.ts.t = 0;
    mem->primary_last.ts.i = 0;
    (void)v;
}

static void follow_primary(struct mst_topo_memory *mem, struct mst_topo_view *v)
{
    if (v->primary < 0) {
        if (v->verdict != MST_V_NO_PRIMARY) {
            v->no_primary_since_ms = mem->lost_at_ms;
            return; /* not to be seen from here is not gone */
        }
        if (mem->primary[0] && mem->lost_at_ms == 0) {
            mem->lost_at_ms = mem->writable_at_ms > 0 ? mem->writable_at_ms : v->now_mono_ms;
            event(mem, v, MST_EV_NO_PRIMARY, MST_SEV_CRIT, mst_topo_find(v, mem->primary),
                  "no writable primary (it was %.120s)", mem->primary);
        } else if (mem->lost_at_ms == 0) {
            mem->lost_at_ms = v->now_mono_ms; /* there was none when we came */
        }
    } else {
        const struct mst_topo_member *m = &v->members[v->primary];
        const int64_t term = m->hello_term >= 0 ? m->hello_term : m->term;

        if (strcasecmp(mem->primary, m->name) != 0 || term > mem->primary_term) {
            new_primary(mem, v, m);
            mem->primary_term = term;
        }
        mem->lost_at_ms = 0;
        mem->writable_at_ms = m->hello_at_ms;
        if (mst_optime_cmp(m->applied, mem->primary_last) > 0) {
            mem->primary_last = m->applied;
        }
        if (mst_optime_cmp(m->last_write, mem->primary_last) > 0) {
            mem->primary_last = m->last_write; /* hello comes more often */
        }
        if (!mem->told) {
            tell_winner(mem, v);
        }
        mem->started = true;
    }
    v->no_primary_since_ms = mem->lost_at_ms;
}

static void follow_reasons(struct mst_topo_memory *mem, struct mst_topo_view *v)
{
    for (size_t i = 0; i < v->n_reasons; i++) {
        struct mst_reason *r = &v->reasons[i];

        r->since_ms = v->now_mono_ms;
        if (r->kind == MST_RS_NO_PRIMARY && mem->lost_at_ms > 0) {
            r->since_ms = mem->lost_at_ms;
        }
        for (size_t j = 0; j < mem->n_reasons; j++) {
            const struct mst_reason *o = &mem->reasons[j];

            if (o->kind == r->kind && o->member == r->member && o->since_ms < r->since_ms) {
                r->since_ms = o->since_ms;
            }
        }
    }
    memcpy(mem->reasons, v->reasons, sizeof(mem->reasons));
    mem->n_reasons = v->n_reasons;
}

void mst_topo_follow(struct mst_topo_memory *mem, struct mst_topo_view *v)
{
    follow_config(mem, v);
    follow_members(mem, v);
    follow_primary(mem, v);
    follow_reasons(mem, v);
    free(v->events);
    v->events = NULL;
    v->n_events = mem->n_events;
    if (mem->n_events > 0) {
        v->events = mst_xmemdup(mem->events, mem->n_events * sizeof(mem->events[0]));
    }
}
