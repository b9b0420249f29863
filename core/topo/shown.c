#include "topo/derive.h"

const struct mst_topo_limits mst_topo_limits_default = {
    .hello_silent_ms = 2000,
    .stale_ms = 3000,
    .lag_warn_ms = 10000,
    .lag_crit_ms = 60000,
    .headroom_warn_s = 24 * 3600,
    .headroom_crit_s = 4 * 3600,
    .commit_lag_warn_ms = 5000,
    .no_primary_crit_ms = 20000,
};

bool mst_topo_fresh(const struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i)
{
    const struct mst_topo_member *m = &v->members[i];

    return (m->reach == MST_REACH_OK || m->reach == MST_REACH_AUTH) && m->hello_at_ms > 0 &&
           v->now_mono_ms - m->hello_at_ms < l->hello_silent_ms;
}

bool mst_topo_status_fresh(const struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i)
{
    const struct mst_topo_member *m = &v->members[i];

    return m->status_at_ms > 0 && v->now_mono_ms - m->status_at_ms <= l->stale_ms;
}

/* hello and status are two answers of one member at two moments; the newer one is right, and hello
 * alone knows whether it is writable. */
static enum mst_shown shown_by_itself(const struct mst_topo_member *m, bool has_status)
{
    if (m->writable) {
        return MST_SHOW_PRIMARY;
    }
    if (m->is_arbiter_hello) {
        return MST_SHOW_ARBITER;
    }
    if (has_status) {
        switch (m->state) {
        case MST_MS_PRIMARY:
            if (m->catching_up || (m->status_at_ms > m->hello_at_ms && m->secondary)) {
                return MST_SHOW_ELECT;
            }
            return m->secondary ? MST_SHOW_SECONDARY : MST_SHOW_LEAVING;
        case MST_MS_SECONDARY:
            return m->secondary ? MST_SHOW_SECONDARY : MST_SHOW_RECOVERING;
        case MST_MS_ARBITER:
            return MST_SHOW_ARBITER;
        case MST_MS_STARTUP:
        case MST_MS_STARTUP2:
            return m->secondary ? MST_SHOW_SECONDARY : MST_SHOW_STARTUP;
        case MST_MS_ROLLBACK:
            return m->secondary ? MST_SHOW_SECONDARY : MST_SHOW_ROLLBACK;
        case MST_MS_REMOVED:
            return MST_SHOW_REMOVED;
        case MST_MS_RECOVERING:
        case MST_MS_UNKNOWN:
        case MST_MS_DOWN:
        default:
            break;
        }
    }
    return m->secondary ? MST_SHOW_SECONDARY : MST_SHOW_RECOVERING;
}

bool mst_topo_asking(const struct mst_topo_view *v)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->members[i].reach == MST_REACH_NEVER) {
            return true;
        }
    }
    return false;
}

int64_t mst_topo_lost_at(const struct mst_topo_member *m, const struct mst_topo_limits *l)
{
    const int64_t silent = m->hello_at_ms + l->hello_silent_ms;

    if (m->reach == MST_REACH_OK || m->reach == MST_REACH_AUTH) {
        return silent;
    }
    /* Refused is noticed at once, and a later failure of another kind is the same loss. */
    return m->hello_at_ms > 0 && m->reach_at_ms > silent ? silent : m->reach_at_ms;
}

/* We cannot reach it: what do those say who answer us? Only a heartbeat that is newer than our
 * loss is news. */
static enum mst_shown shown_by_others(const struct mst_topo_view *v,
                                      const struct mst_topo_limits *l, size_t i)
{
    const struct mst_topo_member *m = &v->members[i];
    bool down = false;

    if (m->reach == MST_REACH_NEVER) {
        return MST_SHOW_UNKNOWN; /* not asked yet: nothing to say */
    }
    for (size_t j = 0; j < v->n; j++) {
        const struct mst_opinion *o = &v->members[j].sees[i];

        if (j == i || !o->known || !mst_topo_fresh(v, l, j) || !mst_topo_status_fresh(v, l, j)) {
            continue;
        }
        if (o->health == 1) {
            if (o->heartbeat_age_ms >= 0 && o->heartbeat_age_ms <= MST_HEARTBEAT_OK_MS &&
                v->now_mono_ms - o->heartbeat_age_ms > mst_topo_lost_at(m, l)) {
                return MST_SHOW_UNREACHABLE;
            }
        } else {
            down = true;
        }
    }
    if (down) {
        return MST_SHOW_DOWN;
    }
    return m->hello_at_ms > 0 ? MST_SHOW_SILENT : MST_SHOW_UNKNOWN;
}

void mst_topo_derive_shown(struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    int64_t best = INT64_MIN;

    v->primary = -1;
    for (size_t i = 0; i < v->n; i++) {
        struct mst_topo_member *m = &v->members[i];

        if (m->reach == MST_REACH_UNINIT) {
            m->shown = m->hello_at_ms > 0 ? MST_SHOW_REMOVED : MST_SHOW_STARTUP;
        } else if (mst_topo_fresh(v, l, i)) {
            m->shown = shown_by_itself(m, mst_topo_status_fresh(v, l, i));
        } else {
            m->shown = shown_by_others(v, l, i);
        }
        if (m->shown == MST_SHOW_PRIMARY) {
            const int64_t term = m->hello_term >= 0 ? m->hello_term : m->term;

            if (v->primary < 0 || term > best) {
                v->primary = (int)i;
                best = term;
            }
        }
    }
    /* Two that call themselves writable: the older term can commit nothing any more. */
    for (size_t i = 0; i < v->n; i++) {
        if (v->members[i].shown == MST_SHOW_PRIMARY && (int)i != v->primary) {
            v->members[i].shown = MST_SHOW_PRIMARY_NO_MAJORITY;
        }
    }
    v->term = -1;
    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        v->term = m->term > v->term ? m->term : v->term;
        v->term = m->hello_term > v->term ? m->hello_term : v->term;
    }
}

int mst_topo_primary_elsewhere(const struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    for (size_t i = 0; i < v->n && v->primary < 0; i++) {
        for (size_t j = 0; j < v->n && v->members[i].shown == MST_SHOW_UNREACHABLE; j++) {
            const struct mst_opinion *o = &v->members[j].sees[i];

            if (j != i && o->known && o->health == 1 && o->state == MST_MS_PRIMARY &&
                mst_topo_fresh(v, l, j) && mst_topo_status_fresh(v, l, j)) {
                return (int)i;
            }
        }
    }
    return -1;
}

void mst_topo_derive(struct mst_topo_view *v, const struct mst_topo_limits *limits)
{
    mst_topo_derive_shown(v, limits);
    mst_topo_derive_votes(v, limits);
    mst_topo_derive_lag(v, limits);
    mst_topo_derive_heirs(v, limits);
    mst_topo_derive_reasons(v, limits);
    mst_topo_derive_verdict(v, limits);
}
