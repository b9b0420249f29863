/* toposet.h: a healthy set as facts, for tests of what follows from them. */
#ifndef TOPOSET_H
#define TOPOSET_H

#include <stdlib.h>

#include "base/mem.h"
#include "topo/topo.h"

#define NOW 1000000
#define WALL 1800000000000

/* A healthy set of n: member 0 is the primary in term 3, everything was asked just now. */
struct set {
    struct mst_topo_view v;
    struct mst_topo_member m[7];
};

static const char *const names[] = {"db1:27017", "db2:27017", "db3:27017", "db4:27017",
                                    "db5:27017", "db6:27017", "db7:27017"};

static inline void hears(struct set *s, size_t i, size_t j, int health, enum mst_mstate state,
                         int64_t age)
{
    struct mst_opinion *o = &s->m[i].sees[j];

    o->known = true;
    o->health = health;
    o->state = state;
    o->ping_ms = 1;
    o->heartbeat_age_ms = age;
}

static inline void make(struct set *s, size_t n)
{
    memset(s, 0, sizeof(*s));
    s->v.now_mono_ms = NOW;
    s->v.now_wall_ms = WALL;
    s->v.n = n;
    s->v.members = s->m;
    s->v.config_version = 1;
    s->v.set_name_known = true;
    for (size_t i = 0; i < n; i++) {
        struct mst_topo_member *m = &s->m[i];

        (void)mst_copy(m->name, sizeof(m->name), names[i]);
        m->configured = true;
        m->id = (int)i;
        m->priority = 1;
        m->votes = 1;
        m->reach = MST_REACH_OK;
        m->hello_at_ms = NOW - 100;
        m->hello_term = i == 0 ? 3 : -1;
        m->writable = i == 0;
        m->secondary = i != 0;
        m->status_at_ms = NOW - 100;
        m->status_wall_ms = WALL - 100;
        m->state = i == 0 ? MST_MS_PRIMARY : MST_MS_SECONDARY;
        m->term = 3;
        m->applied = (struct mst_optime){{5000, 1}, 3};
        m->applied_wall_ms = WALL - 1000;
        m->committed = m->applied;
        m->committed_wall_ms = m->applied_wall_ms;
        m->rbid = 1;
        m->catch_up_ops = -1;
        m->seen_at_election.term = -1;
        for (size_t j = 0; j < n; j++) {
            if (j != i) {
                hears(s, i, j, 1, j == 0 ? MST_MS_PRIMARY : MST_MS_SECONDARY, 500);
            }
        }
    }
}

static inline void derive(struct set *s)
{
    mst_topo_derive(&s->v, &mst_topo_limits_default);
}

static inline void kill_member(struct set *s, size_t i)
{
    struct mst_topo_member *m = &s->m[i];

    m->reach = MST_REACH_REFUSED;
    m->reach_at_ms = NOW - 5000;
    m->hello_at_ms = NOW - 5500;
    m->status_at_ms = NOW - 5600;
    for (size_t j = 0; j < s->v.n; j++) {
        hears(s, j, i, 0, MST_MS_DOWN, 5200);
    }
}

#endif
