/* witness.h: stands inside the simulated set and knows what a switch can only believe: what the old
 * primary's last entry was, since when the set is not as it was planned, who is frozen. The soak
 * holds the switch against it.
 */
#ifndef MST_TEST_WITNESS_H
#define MST_TEST_WITNESS_H

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "failover/run.h"
#include "sandbox/set/set.h"

#define WITNESS_LATE_MS 2500 /* a look may be so old when something is sent on it */

struct witness {
    const struct mst_fo_plan *plan;
    struct sbx_world *w;
    size_t old;              /* index in the world */
    int64_t moved_ms;        /* since when the set is not as planned; 0 it is */
    struct mst_optime final; /* newest entry of the old primary in the plan's term */
    bool killed[SBX_MEMBERS_MAX];
};

static inline size_t witness_index(const struct sbx_world *w, const char *name)
{
    size_t i = 0;

    while (i < w->n && strcmp(w->members[i].host, name) != 0) {
        i++;
    }
    return i;
}

/* At every change, with the world's lock. */
static inline void witness_sees(struct sbx_world *w, void *arg)
{
    struct witness *s = arg;
    const struct sbx_member *m = &w->members[s->old];

    if (m->term == s->plan->term && m->writable) {
        s->final = m->applied.op;
    } else if (s->moved_ms == 0) {
        s->moved_ms = mst_clock_mono_ms(NULL);
    }
    if (m->config.version != s->plan->config_version && s->moved_ms == 0) {
        s->moved_ms = mst_clock_mono_ms(NULL);
    }
    for (size_t i = 0; i < w->n; i++) {
        s->killed[i] = s->killed[i] || !w->members[i].alive;
    }
}

static inline void witness_begin(struct witness *s, struct sbx_world *w,
                                 const struct mst_fo_plan *plan)
{
    sbx_lock(w);
    *s = (struct witness){.plan = plan, .w = w};
    s->old = witness_index(w, plan->members[plan->primary].name);
    s->final.term = -1;
    w->observer_arg = s;
    w->observer = witness_sees;
    witness_sees(w, s);
    sbx_unlock(w);
}

static inline void witness_end(struct witness *s)
{
    sbx_lock(s->w);
    s->w->observer = NULL;
    sbx_unlock(s->w);
}

/* A step down is about to be sent: may it? "" yes. */
static inline void witness_step_down(struct witness *s, char *why, size_t size)
{
    const struct mst_fo_plan *p = s->plan;
    const int64_t now = mst_clock_mono_ms(NULL);

    why[0] = '\0';
    sbx_lock(s->w);
    if (s->moved_ms && now - s->moved_ms > WITNESS_LATE_MS) {
        (void)snprintf(why, size, "stepped down on a plan that was wrong since %lld ms",
                       (long long)(now - s->moved_ms));
    }
    for (size_t i = 0; i < p->n && p->act == MST_GUARD_SWITCHOVER; i++) {
        const size_t at = witness_index(s->w, p->members[i].name);

        if (p->members[i].electable && p->members[i].reachable && (int)i != p->target &&
            (int)i != p->primary && at < s->w->n && !s->killed[at] &&
            s->w->members[at].no_stand_until <= now) {
            (void)snprintf(why, size, "stepped down while the rival %s could stand",
                           p->members[i].name);
        }
    }
    sbx_unlock(s->w);
}

/* Is a certificate about a position about the last one? "" yes. */
static inline void witness_certificate(const struct witness *s, const struct mst_fo *f, char *why,
                                       size_t size)
{
    why[0] = '\0';
    if (f->cert == MST_FO_CERT_OPTIME && s->final.term >= 0 &&
        mst_optime_cmp(f->cert_old, s->final) < 0) {
        (void)snprintf(why, size, "a certificate about %u:%u, and the old primary ended at %u:%u",
                       f->cert_old.ts.t, f->cert_old.ts.i, s->final.ts.t, s->final.ts.i);
    }
}

/* "stay" ended with DONE: do the two priorities stand as planned? "" yes. */
static inline void witness_priorities(const struct witness *s, char *why, size_t size)
{
    const struct mst_fo_plan *p = s->plan;

    why[0] = '\0';
    sbx_lock(s->w);
    for (size_t i = 0; i < p->n; i++) {
        const size_t at = witness_index(s->w, p->members[i].name);
        const double want = (int)i == p->target    ? p->swap_target
                            : (int)i == p->primary ? p->swap_old
                                                   : p->members[i].priority;

        if (at < s->w->n && s->w->config.members[at].priority != want) {
            (void)snprintf(why, size, "%s has priority %g, planned was %g", p->members[i].name,
                           s->w->config.members[at].priority, want);
        }
    }
    sbx_unlock(s->w);
}

#endif
