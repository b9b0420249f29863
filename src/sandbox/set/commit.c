/* commit.c: the commit point: counted on the primary, learnt by the others. */
#include <string.h>

#include "data/data.h"
#include "set/internal.h"

/* The newest position that a write majority has. */
static struct sbx_pos majority_pos(const struct sbx_member *m)
{
    const struct sbx_config *c = &m->config;
    struct sbx_pos sorted[SBX_MEMBERS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (c->members[i].votes == 0 || c->members[i].arbiter) {
            continue;
        }
        const struct sbx_pos p = i == m->index ? m->durable : m->reported[i];
        if (p.op.term > m->term) {
            continue; /* it follows, or is, another primary: newer, but without our entries */
        }
        size_t at = n++;
        while (at > 0 && mst_optime_cmp(sorted[at - 1].op, p.op) < 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = p;
    }
    const size_t need = (size_t)sbx_write_majority(c);
    return n >= need ? sorted[need - 1] : (struct sbx_pos){SBX_NO_OPTIME, 0};
}

void sbx_learn_commit(struct sbx_member *m, struct sbx_pos pos)
{
    const struct sbx_pos at = mst_optime_cmp(pos.op, m->applied.op) <= 0 ? pos : m->applied;

    if (mst_optime_cmp(at.op, m->committed.op) <= 0) {
        return;
    }
    m->committed = at;
    if (m->data != NULL && m->hold_horizon == 0) {
        sbx_data_set_horizon(m->data, at.op.ts);
    }
    sbx_changed(m->w);
}

void sbx_commit_tick(struct sbx_member *m)
{
    if (m->state != SBX_PRIMARY || m->draining) {
        return;
    }
    const struct sbx_pos p = majority_pos(m);
    if (p.op.term != m->term) {
        return; /* only entries of its own term prove anything */
    }
    sbx_learn_commit(m, p);
    if (m->candidacy.any && m->candidacy.majority_ms == 0 &&
        mst_optime_cmp(m->committed.op, m->first_op_of_term) >= 0) {
        m->candidacy.majority_ms = sbx_utc(m->w);
    }
}
