/* seen.c: what a member takes for the truth about the set. */
#include "set/internal.h"

int sbx_primary_seen(const struct sbx_member *m)
{
    int best = -1;

    if (m->state == SBX_PRIMARY) {
        return (int)m->index;
    }
    for (size_t i = 0; i < m->config.n; i++) {
        if (i != m->index && m->of[i].up && m->of[i].state == SBX_PRIMARY &&
            (best < 0 || m->of[i].term > m->of[best].term)) {
            best = (int)i;
        }
    }
    return best;
}

/* Majority of data-bearing voters as far as this primary's newest entry, and one that may take over
 * among them. Only a position of the same term counts: one of a later term is another primary's,
 * and says nothing about our entries. */
bool sbx_caught_up(const struct sbx_member *m)
{
    const struct sbx_config *c = &m->config;
    int n = 0;

    for (size_t i = 0; i < c->n; i++) {
        const struct sbx_pos *p = i == m->index ? &m->applied : &m->reported[i];
        n += c->members[i].votes > 0 && !c->members[i].arbiter &&
             p->op.term == m->applied.op.term && mst_optime_cmp(p->op, m->applied.op) >= 0;
    }
    return n >= sbx_write_majority(c) && sbx_heir(m) >= 0;
}

int sbx_heir(const struct sbx_member *m)
{
    const struct sbx_config *c = &m->config;
    int best = -1;

    for (size_t i = 0; i < c->n; i++) {
        const bool fit = i != m->index && c->members[i].priority > 0 && !c->members[i].arbiter &&
                         m->of[i].up && m->of[i].state == SBX_SECONDARY &&
                         mst_optime_cmp(m->reported[i].op, m->applied.op) >= 0;
        if (fit && (best < 0 || c->members[i].priority > c->members[best].priority)) {
            best = (int)i;
        }
    }
    return best;
}
