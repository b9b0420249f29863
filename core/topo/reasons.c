#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/text.h"
#include "topo/derive.h"

#define NO_STATUS_MS 5000   /* then a first answer is overdue */
#define OPTIME_STEP_MS 2000 /* optimes have whole seconds, of either side */

static void add(struct mst_topo_view *v, enum mst_reason_kind kind, enum mst_severity severity,
                int member, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void add(struct mst_topo_view *v, enum mst_reason_kind kind, enum mst_severity severity,
                int member, const char *fmt, ...)
{
    struct mst_reason *r;
    va_list ap;

    if (v->n_reasons >= MST_TOPO_REASONS) {
        return;
    }
    r = &v->reasons[v->n_reasons++];
    memset(r, 0, sizeof(*r));
    r->kind = kind;
    r->severity = severity;
    r->member = member;
    va_start(ap, fmt);
    (void)vsnprintf(r->text, sizeof(r->text), fmt, ap);
    va_end(ap);
}

static void member_lost(struct mst_topo_view *v, size_t i)
{
    const struct mst_topo_member *m = &v->members[i];
    char age[MST_HUMAN_MAX];

    if (m->reach != MST_REACH_OK && m->reach != MST_REACH_SILENT && m->reach != MST_REACH_NEVER &&
        m->reach != MST_REACH_REFUSED && m->reach_text[0]) {
        add(v, MST_RS_REACH, MST_SEV_WARN, (int)i, "%s", m->reach_text);
        return;
    }
    if (m->hello_at_ms > 0) {
        (void)mst_text_duration(v->now_mono_ms - m->hello_at_ms, age);
        add(v, MST_RS_REACH, MST_SEV_WARN, (int)i, "%.100s %s, no answer for %s", m->name,
            mst_shown_word(m->shown), age);
    } else {
        add(v, MST_RS_REACH, MST_SEV_WARN, (int)i, "%.100s",
            m->reach_text[0] ? m->reach_text : m->name);
    }
}

static void member_state(struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i)
{
    const struct mst_topo_member *m = &v->members[i];

    if (m->reach == MST_REACH_NEVER) {
        return;
    }
    switch (m->shown) {
    case MST_SHOW_SILENT:
    case MST_SHOW_DOWN:
    case MST_SHOW_UNREACHABLE:
    case MST_SHOW_UNKNOWN:
        member_lost(v, i);
        return;
    case MST_SHOW_RECOVERING:
    case MST_SHOW_STARTUP:
    case MST_SHOW_REMOVED:
    case MST_SHOW_ELECT:
    case MST_SHOW_LEAVING:
        add(v, MST_RS_STATE, MST_SEV_WARN, (int)i, "%.100s is %s", m->name,
            mst_shown_word(m->shown));
        break;
    case MST_SHOW_ROLLBACK:
        add(v, MST_RS_STATE, MST_SEV_CRIT, (int)i,
            "%.100s is in ROLLBACK: it removes writes that the others never had", m->name);
        break;
    case MST_SHOW_PRIMARY_NO_MAJORITY:
        if ((int)i != v->primary) {
            add(v, MST_RS_TWO_PRIMARIES, MST_SEV_CRIT, (int)i,
                "%.100s still calls itself primary, in an older term; its writes will roll back",
                m->name);
        }
        break;
    case MST_SHOW_PRIMARY:
    case MST_SHOW_SECONDARY:
    case MST_SHOW_ARBITER:
    default:
        break;
    }
    if (m->reach == MST_REACH_AUTH) {
        add(v, MST_RS_MISSING, MST_SEV_WARN, (int)i, "%s", m->reach_text);
    } else if (m->status_missing[0]) {
        add(v, MST_RS_MISSING, MST_SEV_WARN, (int)i,
            "%.80s: %.60s; its lag and sync source are not shown", m->name, m->status_missing);
    } else if (m->status_at_ms > 0 && !mst_topo_status_fresh(v, l, i)) {
        add(v, MST_RS_STALE, MST_SEV_WARN, (int)i,
            "%.100s answers hello, but replSetGetStatus not for %lld s", m->name,
            (long long)((v->now_mono_ms - m->status_at_ms) / 1000));
    }
    if (m->status_at_ms == 0 && !m->status_missing[0] && m->reach == MST_REACH_OK && !m->arbiter &&
        !m->is_arbiter_hello && v->now_mono_ms - m->reach_at_ms > NO_STATUS_MS) {
        add(v, MST_RS_STALE, MST_SEV_WARN, (int)i,
            "%.100s answers hello, but never replSetGetStatus", m->name);
    }
    if (m->stats_missing[0] && m->reach != MST_REACH_AUTH) {
        add(v, MST_RS_MISSING, MST_SEV_WARN, (int)i,
            "%.80s: %.60s; its load and oplog window are not shown", m->name, m->stats_missing);
    }
}

const char *mst_topo_above(int64_t ms, int64_t limit_ms, char out[MST_TOPO_ABOVE_MAX])
{
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX];
    const bool alike = strcmp(mst_text_duration(ms, a), mst_text_duration(limit_ms, b)) == 0;

    (void)snprintf(out, MST_TOPO_ABOVE_MAX, "%s%s %s", alike ? "just" : a, alike ? " above" : " >",
                   b);
    return out;
}

static void member_numbers(struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i)
{
    const struct mst_topo_member *m = &v->members[i];
    const int64_t behind = m->lag_ms - m->delay_s * 1000;
    char a[MST_TOPO_ABOVE_MAX];

    if (m->lag_ms >= 0 && behind > l->lag_warn_ms) {
        const int64_t limit = behind > l->lag_crit_ms ? l->lag_crit_ms : l->lag_warn_ms;

        add(v, MST_RS_LAG, behind > l->lag_crit_ms ? MST_SEV_CRIT : MST_SEV_WARN, (int)i,
            "%.100s lag %s%s", m->name, mst_topo_above(behind, limit, a),
            m->delay_s > 0 ? " beyond its delay" : "");
    }
    if (m->headroom_s >= 0 && m->headroom_s < l->headroom_warn_s && m->lag_ms > OPTIME_STEP_MS &&
        m->lag_ms / 1000 > m->headroom_s / 2) {
        /* A short oplog alone is a choice; falling towards its end is not. */
        add(v, MST_RS_HEADROOM, m->headroom_s < l->headroom_crit_s ? MST_SEV_CRIT : MST_SEV_WARN,
            (int)i, "%.100s falls off the oplog of its source in %s", m->name,
            mst_text_duration(m->headroom_s * 1000, a));
    }
}

/* a answers us, b answers us, and a does not hear b. */
static bool deaf(const struct mst_topo_view *v, const struct mst_topo_limits *l, size_t a, size_t b)
{
    const struct mst_opinion *o = &v->members[a].sees[b];

    return a != b && o->known && o->health == 0 && mst_topo_fresh(v, l, a) &&
           mst_topo_status_fresh(v, l, a) && mst_topo_fresh(v, l, b);
}

/* It hears none of two or more others that answer us, and none of them hears it. */
static bool cut_off(const struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i)
{
    size_t others = 0;

    for (size_t j = 0; j < v->n; j++) {
        if (j == i || !mst_topo_fresh(v, l, j)) {
            continue;
        }
        if (!deaf(v, l, i, j) || !deaf(v, l, j, i)) {
            return false;
        }
        others++;
    }
    return others > 1;
}

static void links(struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    for (size_t i = 0; i < v->n; i++) {
        if (cut_off(v, l, i)) { /* one line, not one for each direction of each of its links */
            add(v, MST_RS_LINK, MST_SEV_WARN, (int)i,
                "%.80s is cut off: the others and it do not hear each other, all answer us",
                v->members[i].name);
        }
    }
    for (size_t i = 0; i < v->n; i++) {
        for (size_t j = 0; j < v->n; j++) {
            if (deaf(v, l, i, j) && !cut_off(v, l, i) && !cut_off(v, l, j)) {
                add(v, MST_RS_LINK, MST_SEV_WARN, (int)i,
                    "%.80s does not hear %.80s, which answers us", v->members[i].name,
                    v->members[j].name);
            }
        }
    }
}

static void majorities(struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    const int votes = v->votes_up - v->votes_needed;
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX];

    if (v->votes_total == 0 || v->primary < 0) {
        return;
    }
    if (v->data_up < v->write_majority) {
        add(v, MST_RS_NO_MAJORITY, MST_SEV_CRIT, v->primary,
            "%.80s takes writes, but %d of the %d members that a majority write needs follow it",
            v->members[v->primary].name, v->data_up, v->write_majority);
    } else if (votes <= 0 && v->votes_up < v->votes_total) {
        add(v, MST_RS_VOTES, MST_SEV_WARN, -1,
            "%d of %d voters up: if one more is lost, the set has no primary", v->votes_up,
            v->votes_total);
    } else if (v->data_up == v->write_majority && v->votes_up < v->votes_total) {
        add(v, MST_RS_WRITES, MST_SEV_WARN, -1,
            "%d %s can acknowledge, majority writes need all of them", v->data_up,
            mst_text_noun((uint64_t)v->data_up, "member", "members"));
    }
    if (v->tail_at_risk_ms > l->commit_lag_warn_ms && v->data_up >= v->write_majority) {
        add(v, MST_RS_COMMIT_LAG, MST_SEV_WARN, v->primary,
            "the commit point is %s behind the primary (limit %s)",
            mst_text_duration(v->tail_at_risk_ms, a), mst_text_duration(l->commit_lag_warn_ms, b));
    }
}

static int severity_order(const struct mst_reason *r)
{
    return (int)r->severity;
}

static void sort(struct mst_topo_view *v) /* worst first, else as found */
{
    for (size_t i = 1; i < v->n_reasons; i++) {
        const struct mst_reason r = v->reasons[i];
        size_t j = i;

        while (j > 0 && severity_order(&v->reasons[j - 1]) < severity_order(&r)) {
            v->reasons[j] = v->reasons[j - 1];
            j--;
        }
        v->reasons[j] = r;
    }
}

static bool any_answer(const struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    for (size_t i = 0; i < v->n; i++) {
        if (mst_topo_fresh(v, l, i)) {
            return true;
        }
    }
    return false;
}

void mst_topo_derive_reasons(struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    const bool answered = any_answer(v, l);
    const int elsewhere = mst_topo_primary_elsewhere(v, l);

    v->n_reasons = 0;
    if (elsewhere >= 0) {
        add(v, MST_RS_NO_PRIMARY, MST_SEV_CRIT, elsewhere,
            "the primary %.80s cannot be reached from here; the others hear it",
            v->members[elsewhere].name);
    } else if (answered && v->primary < 0 && !mst_topo_asking(v)) {
        add(v, MST_RS_NO_PRIMARY, MST_SEV_CRIT, -1, "no member is a writable primary");
    }
    majorities(v, l);
    for (size_t i = 0; i < v->n; i++) {
        if (v->members[i].reach != MST_REACH_NEVER || answered) {
            member_state(v, l, i);
            member_numbers(v, l, i);
        }
    }
    links(v, l);
    if (answered && v->config_missing[0]) {
        add(v, MST_RS_MISSING, MST_SEV_WARN, -1,
            "%.100s; hidden members, votes and priorities are not shown", v->config_missing);
    }
    if (v->config_forced) {
        add(v, MST_RS_CONFIG, MST_SEV_WARN, -1,
            "the last reconfiguration was forced; a normal one restores its term");
    }
    if (v->sharded) {
        add(v, MST_RS_SHARDED, MST_SEV_INFO, -1,
            "this is one shard of a sharded cluster: it can be viewed, acts on it are refused");
    }
    sort(v);
}
