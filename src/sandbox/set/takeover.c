/* takeover.c: a member that would be the better primary stands against the one there is: one of
 * higher priority that is fresh enough, or a fresher one while the primary still catches up. */
#include <stdlib.h>
#include <string.h>

#include "set/internal.h"

#define FRESH_S 2       /* priorityTakeoverFreshnessWindowSeconds */
#define FRESH_OPS 1000u /* within one second */

static const char priority_takeover[] = "priorityTakeover", catch_up_takeover[] = "catchupTakeover";

/* How many would come before m. */
static int rank(const struct sbx_member *m)
{
    int n = 0;

    for (size_t i = 0; i < m->config.n; i++) {
        n += m->config.members[i].priority > sbx_member_cfg(m)->priority;
    }
    return n;
}

static bool is_fresher(const struct sbx_member *m, const struct sbx_opinion *primary)
{
    return m->config.catch_up_timeout_ms != 0 && m->config.catch_up_takeover_delay_ms >= 0 &&
           primary->applied.op.term < primary->term &&
           mst_optime_cmp(m->applied.op, primary->applied.op) > 0;
}

void sbx_takeover_plan(struct sbx_member *m, const struct sbx_member *primary, int64_t now)
{
    const struct sbx_opinion *o = &m->of[primary->index];
    const struct sbx_member_config *its = &m->config.members[primary->index];
    const int64_t base = m->config.election_timeout_ms;

    if (m->takeover_due_mono != 0 || m->state != SBX_SECONDARY || o->state != SBX_PRIMARY ||
        o->term != m->term || sbx_member_cfg(m)->priority <= 0) {
        return;
    }
    if (is_fresher(m, o) && (rank(m) > 0 || sbx_member_cfg(m)->priority <= its->priority)) {
        m->takeover = catch_up_takeover;
        m->takeover_due_mono = now + m->config.catch_up_takeover_delay_ms;
    } else if (sbx_member_cfg(m)->priority > its->priority) {
        m->takeover = priority_takeover;
        m->takeover_due_mono = now + (rank(m) + 1) * base +
                               (int64_t)(sbx_random(m->w) % (uint64_t)(base * 15 / 100 + 1));
    } else {
        return;
    }
    sbx_due(m->w, m->takeover_due_mono);
}

static bool fresh_enough(const struct sbx_member *m)
{
    const struct mst_optime best = sbx_newest_known(m), mine = m->applied.op;

    if (best.term != mine.term) {
        return false;
    }
    return best.ts.t != mine.ts.t ? best.ts.t - mine.ts.t <= FRESH_S
                                  : best.ts.i - mine.ts.i <= FRESH_OPS;
}

static bool still_fresher(const struct sbx_member *m, int primary)
{
    return primary >= 0 && is_fresher(m, &m->of[primary]) &&
           mst_optime_cmp(sbx_newest_known(m), m->applied.op) == 0;
}

void sbx_takeover_tick(struct sbx_member *m, int64_t now)
{
    if (m->takeover_due_mono == 0) {
        return;
    }
    if (m->state != SBX_SECONDARY || sbx_standing(m)) {
        m->takeover_due_mono = 0;
        return;
    }
    if (now < m->takeover_due_mono) {
        sbx_due(m->w, m->takeover_due_mono);
        return;
    }
    const bool by_priority = strcmp(m->takeover, priority_takeover) == 0;
    m->takeover_due_mono = 0; /* the primary's next answer plans another one */
    if (by_priority ? fresh_enough(m) : still_fresher(m, sbx_primary_seen(m))) {
        if (sbx_electable(m)) {
            m->elections.priority_called += by_priority;
            m->elections.catch_up_called += !by_priority;
        }
        (void)sbx_stand(m, m->takeover, false);
    }
}
