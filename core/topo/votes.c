#include <stdio.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "topo/derive.h"

/* Between two heartbeats (2 s) and our two looks at them (1 s) nothing can be said. */
#define UNSURE_MS 4000

bool mst_topo_hears(const struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i,
                    size_t j)
{
    const struct mst_opinion *o = &v->members[i].sees[j];
    const int64_t last = mst_topo_lost_at(&v->members[j], l);

    if (i == j) {
        return true;
    }
    if (!o->known || !mst_topo_status_fresh(v, l, i)) {
        /* no word from i: our own eyes, and who was not asked yet is not called lost */
        return mst_topo_fresh(v, l, j) || v->members[j].reach == MST_REACH_NEVER;
    }
    if (o->health != 1) {
        return false;
    }
    if (mst_topo_fresh(v, l, j)) {
        return o->heartbeat_age_ms < 0 || o->heartbeat_age_ms <= MST_HEARTBEAT_OK_MS;
    }
    /* We lost it; i may just not have noticed yet. */
    return v->now_mono_ms - last <= UNSURE_MS ||
           (o->heartbeat_age_ms >= 0 && o->heartbeat_age_ms <= MST_HEARTBEAT_OK_MS &&
            v->now_mono_ms - o->heartbeat_age_ms > last);
}

/* It can acknowledge a majority write: it bears data and follows. */
static bool follows(const struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i,
                    size_t primary)
{
    const struct mst_topo_member *m = &v->members[i];
    const struct mst_opinion *o = &v->members[primary].sees[i];

    if (i == primary) {
        return true;
    }
    if (mst_topo_fresh(v, l, i)) {
        return m->shown == MST_SHOW_SECONDARY || m->shown == MST_SHOW_RECOVERING;
    }
    return (!o->known && m->reach == MST_REACH_NEVER) ||
           (o->known && (o->state == MST_MS_SECONDARY || o->state == MST_MS_RECOVERING));
}

static void count_config(struct mst_topo_view *v, int *data_voters)
{
    *data_voters = 0;
    v->votes_total = 0;
    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        if (m->configured && m->votes > 0) {
            v->votes_total++;
            *data_voters += !m->arbiter;
        }
    }
    v->votes_needed = v->votes_total > 0 ? v->votes_total / 2 + 1 : 0;
    v->write_majority = -1;
    if (v->votes_total > 0) {
        v->write_majority = *data_voters < v->votes_needed ? *data_voters : v->votes_needed;
    }
}

/* Up: somebody who matters reaches it. With a primary, what the primary hears counts; without one,
 * what we reach ourselves. */
void mst_topo_derive_votes(struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    int data_voters;

    count_config(v, &data_voters);
    v->votes_up = 0;
    v->data_up = v->votes_total > 0 ? 0 : -1;
    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];
        const bool up =
            v->primary >= 0 ? mst_topo_hears(v, l, (size_t)v->primary, i) : mst_topo_fresh(v, l, i);

        if (!m->configured || m->votes <= 0 || !up) {
            continue;
        }
        v->votes_up++;
        if (!m->arbiter && (v->primary < 0 ? m->shown == MST_SHOW_SECONDARY
                                           : follows(v, l, i, (size_t)v->primary))) {
            v->data_up++;
        }
    }
    if (v->primary >= 0 && v->write_majority > 0 && v->data_up < v->write_majority) {
        v->members[v->primary].shown = MST_SHOW_PRIMARY_NO_MAJORITY;
    }
}

/* Would i's rivals that stay vote for it? A voter refuses a candidate that is older than itself. */
static int votes_for(const struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i)
{
    int votes = 0;

    for (size_t j = 0; j < v->n; j++) {
        const struct mst_topo_member *m = &v->members[j];

        if ((int)j == v->primary || m->votes <= 0 || !mst_topo_fresh(v, l, j)) {
            continue;
        }
        if (j != i && !mst_topo_hears(v, l, i, j)) {
            continue;
        }
        votes += j == i || m->arbiter || m->status_at_ms == 0 ||
                 mst_optime_cmp(v->members[i].applied, m->applied) >= 0 ||
                 /* asked a moment earlier than the other: within one look of each other */
                 v->members[i].lag_ms < l->stale_ms;
    }
    return votes;
}

static bool can_win(const struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i,
                    char *why, size_t size)
{
    const struct mst_topo_member *m = &v->members[i];
    int votes;

    if ((int)i == v->primary) {
        mst_topo_put(why, size, "is the primary");
    } else if (!m->configured) {
        mst_topo_put(why, size, "the configuration is not known");
    } else if (m->arbiter) {
        mst_topo_put(why, size, "an arbiter has no data");
    } else if (m->priority <= 0) {
        mst_topo_put(why, size,
                     m->delay_s > 0 ? "delayed, priority 0"
                     : m->hidden    ? "hidden, priority 0"
                                    : "priority 0");
    } else if (m->shown != MST_SHOW_SECONDARY) {
        mst_topo_put(why, size, "is %s, not SECONDARY", mst_shown_word(m->shown));
    } else {
        votes = votes_for(v, l, i);
        if (votes >= v->votes_needed) {
            return true;
        }
        mst_topo_put(why, size, "would get %d of the %d votes it needs", votes, v->votes_needed);
    }
    return false;
}

static void names_of_heirs(const struct mst_topo_view *v, char *out, size_t size)
{
    size_t heirs = 0, said = 0, at = 0;

    for (size_t i = 0; i < v->n; i++) {
        heirs += v->members[i].can_win;
    }
    out[0] = '\0';
    for (size_t i = 0; i < v->n && at < size; i++) {
        if (!v->members[i].can_win) {
            continue;
        }
        if (said == 2 && heirs > 3) {
            mst_topo_put(out + at, size - at, " or %zu others", heirs - said);
            return;
        }
        at += (size_t)snprintf(out + at, size - at, "%s%.60s",
                               said == 0           ? ""
                               : said + 1 == heirs ? " or "
                                                   : ", ",
                               v->members[i].name);
        said++;
    }
}

void mst_topo_derive_heirs(struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    const int64_t timeout = v->election_timeout_ms > 0 ? v->election_timeout_ms : 10000;
    char heirs[160], tail[32], risk[64] = "";

    for (size_t i = 0; i < v->n; i++) {
        struct mst_topo_member *m = &v->members[i];

        m->why_not[0] = '\0';
        m->can_win = can_win(v, l, i, m->why_not, sizeof(m->why_not));
    }
    v->if_primary_dies[0] = '\0';
    if (v->primary < 0) {
        return;
    }
    names_of_heirs(v, heirs, sizeof(heirs));
    if (!heirs[0]) {
        mst_topo_put(v->if_primary_dies, sizeof(v->if_primary_dies),
                     "nobody can win: writes stop until %s or enough others return",
                     v->members[v->primary].name);
        return;
    }
    if (v->tail_at_risk_ms >= 0) {
        mst_topo_put(risk, sizeof(risk), ", %s of writes at risk",
                     mst_text_duration(v->tail_at_risk_ms, tail));
    }
    /* 1.0 to 1.15 times the time-out, then the vote, the catch-up and the drain. */
    mst_topo_put(v->if_primary_dies, sizeof(v->if_primary_dies),
                 "%s can win, writes stop %.*f-%.*f s%s", heirs, timeout < 10000 ? 1 : 0,
                 (double)timeout / 1000.0, timeout < 10000 ? 1 : 0,
                 (double)timeout * 1.15 / 1000.0 + 0.5, risk);
}
