/* rank.c: who may be elected, who would be handed the seat, who would take it back. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "guard/checks.h"

static bool no(char *why, const char *text)
{
    if (why) {
        (void)mst_copy(why, 96, text);
    }
    return false;
}

const struct mst_guard_member *mst_guard_target_of(const struct mst_guard_facts *f)
{
    return f->act == MST_GUARD_SWITCHOVER && f->target >= 0 && (size_t)f->target < f->n
               ? &f->members[f->target]
               : NULL;
}

const struct mst_guard_member *mst_guard_primary_of(const struct mst_guard_facts *f)
{
    return f->primary >= 0 && (size_t)f->primary < f->n ? &f->members[f->primary] : NULL;
}

bool mst_guard_eligible(const struct mst_guard_member *m, char why[96])
{
    if (m->arbiter) {
        return no(why, "an arbiter has no data");
    }
    if (m->hidden) {
        return no(why, "hidden");
    }
    if (m->delay_s > 0) {
        return no(why, "delayed");
    }
    if (m->votes <= 0) {
        return no(why, "has no vote");
    }
    if (!m->builds_indexes) {
        return no(why, "builds no indexes");
    }
    if (!(m->priority > 0)) {
        return no(why, "priority 0");
    }
    return true;
}

bool mst_guard_electable(const struct mst_guard_member *m, char why[96])
{
    char state[64];

    why[0] = '\0';
    if (!mst_guard_eligible(m, why)) {
        return false;
    }
    if (!m->answered || !m->status_known) {
        return true; /* nothing is known that forbids it */
    }
    if (m->state != MST_MS_SECONDARY && m->state != MST_MS_PRIMARY) {
        (void)snprintf(state, sizeof(state), "is %s, not SECONDARY", mst_mstate_name(m->state));
        return no(why, state);
    }
    if (m->maintenance) {
        return no(why, "in maintenance mode");
    }
    if (m->too_stale) {
        return no(why, "too stale to follow");
    }
    return m->initial_sync ? no(why, "in initial sync") : true;
}

bool mst_guard_exempt(const struct mst_guard_member *m)
{
    return m->arbiter && !m->status_known;
}

bool mst_guard_candidate(const struct mst_guard_facts *f, size_t i)
{
    if (f->act == MST_GUARD_SWITCHOVER) {
        return f->target >= 0 && (size_t)f->target == i;
    }
    return (int)i != f->primary && mst_guard_eligible(&f->members[i], NULL);
}

int mst_guard_majority(const struct mst_guard_facts *f)
{
    int votes = 0;

    for (size_t i = 0; i < f->n; i++) {
        votes += f->members[i].votes > 0;
    }
    return votes / 2 + 1;
}

bool mst_guard_up(const struct mst_guard_facts *f, size_t i)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f), *m = &f->members[i];

    if ((int)i == f->primary) {
        return m->answered;
    }
    return p && i < MST_TOPO_MAX && p->sees[i].known && p->sees[i].health == 1 &&
           (m->answered || m->arbiter);
}

int64_t mst_guard_lag(const struct mst_guard_member *m)
{
    return m->n_samples > 0 && m->n_samples <= MST_GUARD_SAMPLES
               ? m->sample[m->n_samples - 1].lag_ms
               : -1;
}

/* As the primary knows it: its heartbeats say SECONDARY, and it is where the primary is. What the
 * member says of itself is newer and goes first. */
static bool caught_up(const struct mst_guard_facts *f, size_t i)
{
    const struct mst_guard_member *p = &f->members[f->primary], *m = &f->members[i];
    const struct mst_opinion *o = &p->sees[i];
    int64_t lag = m->answered ? mst_guard_lag(m) : -1;

    if (!o->known || o->health != 1 || o->state != MST_MS_SECONDARY) {
        return false;
    }
    if (!m->answered && o->applied_wall_ms > 0 && p->n_samples > 0 &&
        p->n_samples <= MST_GUARD_SAMPLES) {
        lag = p->sample[p->n_samples - 1].applied_wall_ms - o->applied_wall_ms;
        lag = lag < 0 ? 0 : lag;
    }
    return lag >= 0 && lag <= MST_GUARD_CLOSE_MS;
}

int mst_guard_heir(const struct mst_guard_facts *f)
{
    char why[96];
    int heir = -1;

    if (!mst_guard_primary_of(f)) {
        return -1;
    }
    for (size_t i = 0; i < f->n && i < MST_TOPO_MAX; i++) {
        if ((int)i != f->primary && mst_guard_electable(&f->members[i], why) && caught_up(f, i) &&
            (heir < 0 || f->members[i].priority > f->members[heir].priority)) {
            heir = (int)i;
        }
    }
    return heir;
}

/* By the configuration alone: who is down now may be back by then. */
int mst_guard_takeover(const struct mst_guard_facts *f, int member, int64_t *delay_ms)
{
    const int64_t timeout = f->election_timeout_ms > 0 ? f->election_timeout_ms : 10000;
    int rival = -1, rank = 0;

    *delay_ms = -1;
    if (member < 0 || (size_t)member >= f->n) {
        return -1;
    }
    for (size_t i = 0; i < f->n; i++) {
        if ((int)i != member && mst_guard_eligible(&f->members[i], NULL) &&
            f->members[i].priority > f->members[member].priority &&
            (rival < 0 || f->members[i].priority > f->members[rival].priority)) {
            rival = (int)i;
        }
    }
    if (rival < 0) {
        return -1;
    }
    for (size_t i = 0; i < f->n; i++) {
        rank += f->members[i].priority > f->members[rival].priority;
    }
    *delay_ms = (rank + 1) * timeout * 115 / 100;
    return rival;
}

bool mst_guard_version(const char *text, int out[3])
{
    return sscanf(text, "%4d.%4d.%4d", &out[0], &out[1], &out[2]) == 3 && out[0] > 0 &&
           out[1] >= 0 && out[2] >= 0;
}
