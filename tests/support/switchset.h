/* switchset.h: the facts of a calm set of three, whose primary may be moved. */
#ifndef MST_SWITCHSET_H
#define MST_SWITCHSET_H

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "guard/guard.h"

#define SW_NOW INT64_C(1796000000000)
#define SW_MAX 9

struct switchset {
    struct mst_guard_facts f;
    struct mst_guard_member m[SW_MAX];
};

static inline void sw_member(struct switchset *s, size_t i)
{
    struct mst_guard_member *m = &s->m[i];

    memset(m, 0, sizeof(*m));
    (void)snprintf(m->name, sizeof(m->name), "db%zu:27017", i + 1);
    m->id = (int)i;
    m->priority = 1;
    m->votes = 1;
    m->builds_indexes = true;
    m->answered = true;
    (void)mst_copy(m->set_name, sizeof(m->set_name), "rs0");
    (void)mst_copy(m->set_id, sizeof(m->set_id), "5f1e0a0000000000000000aa");
    m->writable = i == 0;
    m->status_known = true;
    m->state = i == 0 ? MST_MS_PRIMARY : MST_MS_SECONDARY;
    m->term = 41;
    m->config_version = 12;
    m->config_term = 39;
    m->rtt_us = 400;
    m->clock_off_ms = 20;
    m->n_samples = MST_GUARD_SAMPLES;
    for (int k = 0; k < MST_GUARD_SAMPLES; k++) {
        m->sample[k].applied = (struct mst_optime){{1796000000U - 6U + 3U * (uint32_t)k, 1}, 41};
        m->sample[k].applied_wall_ms = SW_NOW - 6000 + 3000 * k;
        m->sample[k].lag_ms = i == 0 ? 0 : 300;
    }
    m->committed_lag_ms = 100;
    m->stats_known = true;
    (void)mst_copy(m->version, sizeof(m->version), "7.0.14");
    (void)mst_copy(m->fcv, sizeof(m->fcv), "7.0");
    m->uptime_s = 86400;
    m->rbid = 1;
    m->window_s = 61 * 3600;
    m->fassert_s = 15;
    m->authenticated = 1;
    m->may_state_change = m->may_note = m->may_configure = 1;
}

/* Who sees whom: everybody everybody, as they are. */
static inline void sw_link(struct switchset *s)
{
    for (size_t i = 0; i < s->f.n; i++) {
        for (size_t j = 0; j < s->f.n; j++) {
            s->m[i].sees[j] = (struct mst_opinion){.known = true,
                                                   .health = 1,
                                                   .state = s->m[j].state,
                                                   .ping_ms = 1,
                                                   .heartbeat_age_ms = 900,
                                                   .applied_wall_ms = SW_NOW - 200};
        }
    }
}

static inline void sw_init(struct switchset *s, enum mst_guard_act act)
{
    memset(s, 0, sizeof(*s));
    s->f.act = act;
    s->f.target = act == MST_GUARD_SWITCHOVER ? 1 : -1;
    s->f.catch_up_s = 10;
    s->f.step_down_s = 60;
    s->f.freeze_s = 60;
    s->f.now_wall_ms = SW_NOW;
    s->f.n = 3;
    s->f.members = s->m;
    for (size_t i = 0; i < SW_MAX; i++) {
        sw_member(s, i);
    }
    sw_link(s);
    s->f.config_known = true;
    s->f.config_version = 12;
    s->f.config_term = 39;
    s->f.config_committed = 1;
    s->f.has_commitment = true;
    s->f.election_timeout_ms = 10000;
    s->f.catch_up_timeout_ms = -1;
    s->f.heartbeat_ms = 2000;
    s->f.elected_wall_ms = SW_NOW - 86400000;
    s->f.watched_ms = 3600000;
    s->f.probe_ms = 12;
    s->f.busy_member = -1;
    s->f.other_known = true;
    s->f.proven = true;
}

/* Member i becomes an arbiter as one is seen under access control: nobody can log in there. */
static inline void sw_arbiter(struct switchset *s, size_t i)
{
    struct mst_guard_member *m = &s->m[i];

    m->arbiter = true;
    m->priority = 0;
    m->status_known = m->stats_known = false;
    m->set_id[0] = m->version[0] = m->fcv[0] = '\0';
    m->term = m->config_version = m->config_term = -1;
    m->clock_off_ms = INT64_MIN;
    m->n_samples = 0;
    m->authenticated = m->may_state_change = m->may_note = m->may_configure = -1;
    m->fsync_locked = -1;
    m->rbid = m->window_s = m->uptime_s = m->fassert_s = -1;
    memset(m->sees, 0, sizeof(m->sees));
    for (size_t j = 0; j < s->f.n; j++) {
        s->m[j].sees[i].state = MST_MS_ARBITER;
    }
}

/* Nobody hears member i, and it does not answer us. */
static inline void sw_down(struct switchset *s, size_t i)
{
    char name[MST_HOST_MAX];
    const double priority = s->m[i].priority;

    (void)mst_copy(name, sizeof(name), s->m[i].name);
    memset(&s->m[i], 0, sizeof(s->m[i]));
    (void)mst_copy(s->m[i].name, sizeof(s->m[i].name), name);
    (void)mst_copy(s->m[i].why_not, sizeof(s->m[i].why_not), "connection refused");
    s->m[i].id = (int)i;
    s->m[i].priority = priority;
    s->m[i].votes = 1;
    s->m[i].builds_indexes = true;
    for (size_t j = 0; j < s->f.n; j++) {
        s->m[j].sees[i].health = 0;
    }
}

#endif
