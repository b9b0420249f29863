#include "topo/derive.h"

static int leader(const struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    int best = v->primary;

    if (best >= 0 && mst_topo_status_fresh(v, l, (size_t)best)) {
        return best;
    }
    best = -1; /* nobody leads: the newest one */
    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        if (mst_topo_fresh(v, l, i) && mst_topo_status_fresh(v, l, i) && m->applied_wall_ms > 0 &&
            !m->arbiter && !m->is_arbiter_hello &&
            (best < 0 || mst_optime_cmp(m->applied, v->members[best].applied) > 0)) {
            best = (int)i;
        }
    }
    return best;
}

static int64_t lag_of(const struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i,
                      int lead)
{
    const struct mst_topo_member *m = &v->members[i], *p = &v->members[lead];
    struct mst_optime led = p->applied;
    int64_t led_wall = p->applied_wall_ms, lag;

    if ((int)i == lead) {
        return 0;
    }
    /* The two were asked at different moments. What the leader had when it was asked last before
     * the member is what the member should have by then; what came later is not lag, and on an
     * idle set it would look like ten seconds of it. */
    if (p->status_at_ms > m->status_at_ms && p->before_at_ms > 0 && p->before_wall_ms > 0) {
        led = p->before_applied;
        led_wall = p->before_wall_ms;
    }
    if (mst_topo_fresh(v, l, i) && mst_topo_status_fresh(v, l, i) && m->applied_wall_ms > 0 &&
        p->applied_wall_ms > 0) {
        if (mst_optime_cmp(m->applied, led) >= 0) {
            return 0;
        }
        lag = led_wall - m->applied_wall_ms;
        return lag > 0 ? lag : 0;
    }
    /* Out of our reach: the leader's own position against its last heartbeat with it. */
    if (m->shown == MST_SHOW_UNREACHABLE && p->sees[i].known && p->sees[i].health == 1 &&
        p->sees[i].applied_wall_ms > 0 && p->applied_wall_ms > 0) {
        lag = p->applied_wall_ms - p->sees[i].applied_wall_ms;
        return lag > 0 ? lag : 0;
    }
    return -1;
}

static int64_t headroom_of(const struct mst_topo_view *v, size_t i)
{
    const struct mst_topo_member *m = &v->members[i];
    int from = m->sync_source[0] ? mst_topo_find(v, m->sync_source) : -1;

    if (from < 0) {
        from = v->primary;
    }
    if (from < 0 || from == (int)i || mst_ts_zero(v->members[from].oplog_first) ||
        mst_ts_zero(m->applied.ts)) {
        return -1;
    }
    return (int64_t)m->applied.ts.t - (int64_t)v->members[from].oplog_first.t;
}

void mst_topo_derive_lag(struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    const int lead = leader(v, l);
    const struct mst_topo_member *p = v->primary >= 0 ? &v->members[v->primary] : NULL;

    for (size_t i = 0; i < v->n; i++) {
        struct mst_topo_member *m = &v->members[i];
        /* its newest entry is known more often than its oldest one */
        const struct mst_ts last =
            mst_ts_cmp(m->oplog_last, m->applied.ts) < 0 ? m->applied.ts : m->oplog_last;

        m->lag_ms = -1;
        m->window_s = -1;
        m->headroom_s = -1;
        if (m->arbiter || m->is_arbiter_hello) {
            continue;
        }
        if (lead >= 0) {
            m->lag_ms = lag_of(v, l, i, lead);
        }
        if (!mst_ts_zero(m->oplog_first) && last.t >= m->oplog_first.t) {
            m->window_s = (int64_t)last.t - (int64_t)m->oplog_first.t;
        }
        m->headroom_s = headroom_of(v, i);
    }
    v->tail_at_risk_ms = -1;
    if (p && mst_topo_status_fresh(v, l, (size_t)v->primary) && p->applied_wall_ms > 0 &&
        p->committed_wall_ms > 0) {
        const int64_t tail = p->applied_wall_ms - p->committed_wall_ms;

        v->tail_at_risk_ms = tail > 0 ? tail : 0;
    }
}
