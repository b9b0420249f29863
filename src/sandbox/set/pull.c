/* pull.c: a member without the primary's seat copies the oplog of its sync source. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/data.h"
#include "data/sessions.h"
#include "log/log.h"
#include "oplog/entries.h"
#include "set/internal.h"

#define BATCH 2048 /* entries for one hold of the lock */

static bool may_source(const struct sbx_member *m, const struct sbx_member *s)
{
    const struct sbx_member_config *mine = sbx_member_cfg(m), *its = sbx_member_cfg(s);

    return s != m && s->has_config && !its->arbiter && sbx_linked(m->w, m->index, s->index) &&
           (s->state == SBX_PRIMARY || s->state == SBX_SECONDARY) &&
           (mine->votes == 0 || its->votes > 0) && mine->delay_s >= its->delay_s &&
           (!mine->build_indexes || its->build_indexes);
}

/* The primary when it can be reached, else somebody who is ahead. */
static int choose(const struct sbx_member *m)
{
    int best = -1;

    for (size_t i = 0; i < m->config.n; i++) {
        const struct sbx_member *s = &m->w->members[i];
        if (!may_source(m, s)) {
            continue;
        }
        if (s->state == SBX_PRIMARY && s->term >= m->term) {
            return (int)i;
        }
        if ((m->config.chaining || m->draining) &&
            mst_optime_cmp(s->applied.op, m->applied.op) > 0 &&
            (best < 0 || mst_optime_cmp(s->applied.op, m->w->members[best].applied.op) > 0)) {
            best = (int)i;
        }
    }
    return best;
}

/* Positions travel up the chain to the primary. */
void sbx_report(struct sbx_member *m)
{
    const struct sbx_member *at = m;

    for (size_t hops = 0; hops < m->w->n && at->sync_source >= 0; hops++) {
        struct sbx_member *up = &m->w->members[at->sync_source];
        if (!sbx_linked(m->w, at->index, up->index)) {
            return;
        }
        if (up->state == SBX_PRIMARY && up->term < m->term) {
            sbx_hear_term(up, m->term); /* it counts nobody of a newer term among its majority */
            return;
        }
        if (up->state == SBX_PRIMARY) {
            if (mst_optime_cmp(m->durable.op, up->reported[m->index].op) > 0 ||
                up->reported[m->index].op.term > m->durable.op.term) {
                up->reported[m->index] = m->durable;
            }
            up->reported_mono[m->index] = sbx_mono(m->w);
            up->lost[m->index] = false;
            sbx_commit_tick(up);
            return;
        }
        at = up;
    }
}

static void note_new_term(struct sbx_member *m, const struct sbx_entry *e)
{
    if (e->at.term == m->vote.term && m->vote.any && m->vote.voted && m->vote.new_term_ms == 0) {
        m->vote.new_term_ms = e->wall_ms;
        m->vote.applied_ms = sbx_utc(m->w);
    }
}

static void count_replicated(struct sbx_member *m, const struct sbx_entry *e)
{
    bson_t doc;
    bson_iter_t it;

    if (!bson_init_static(&doc, e->doc, e->n) || !bson_iter_init_find(&it, &doc, "op") ||
        !BSON_ITER_HOLDS_UTF8(&it)) {
        return;
    }
    switch (bson_iter_utf8(&it, NULL)[0]) {
    case 'i':
        m->counters.r_insert++;
        break;
    case 'u':
        m->counters.r_update++;
        break;
    case 'd':
        m->counters.r_del++;
        break;
    case 'c':
        m->counters.r_command++;
        break;
    default:
        break;
    }
}

static void apply(struct sbx_member *m, struct sbx_entry *e)
{
    char why[256] = "";

    if (!sbx_data_apply(m->data, sbx_entry_doc(e), why, sizeof why)) {
        mst_log(MST_LOG_ERROR, "sandbox", "%s cannot apply an entry: %s", m->host, why);
    }
    sbx_data_note_session(m->data, sbx_entry_doc(e));
    sbx_oplog_append(m->oplog, e);
    count_replicated(m, e);
    note_new_term(m, e);
    if (m->state == SBX_PRIMARY) {
        m->catch_up_ops++;
    }
    sbx_applied(m, (struct sbx_pos){e->at, e->wall_ms});
}

/* The newest entry of m that s has too; false when s no longer reaches back that far. */
static bool common_point(const struct sbx_member *m, const struct sbx_member *s,
                         struct mst_optime *out)
{
    for (uint64_t p = sbx_oplog_end(m->oplog); p > sbx_oplog_begin(m->oplog); p--) {
        const struct sbx_entry *e = sbx_oplog_at(m->oplog, p - 1);
        if (sbx_oplog_find(s->oplog, e->at) != UINT64_MAX) {
            *out = e->at;
            return true;
        }
    }
    return false;
}

/* Everything anew from s: its data, and its oplog from the common point on. */
void sbx_copy_all(struct sbx_member *m, struct sbx_member *s, const struct mst_optime *common)
{
    uint64_t from = sbx_oplog_begin(s->oplog);

    if (common != NULL) {
        sbx_oplog_truncate_after(m->oplog, *common);
        from = sbx_oplog_find(s->oplog, *common) + 1;
    } else {
        sbx_oplog_clear(m->oplog);
    }
    sbx_data_copy(m->data, s->data);
    for (uint64_t p = from; p < sbx_oplog_end(s->oplog); p++) {
        struct sbx_entry *e = sbx_oplog_at(s->oplog, p);
        if (e != NULL) {
            sbx_oplog_append(m->oplog, e);
        }
    }
    m->committed = (struct sbx_pos){SBX_NO_OPTIME, 0};
    sbx_applied(m, s->applied);
    sbx_learn_commit(m, s->committed);
}

static void roll_back(struct sbx_member *m, struct sbx_member *s, int64_t now)
{
    struct mst_optime common;

    if (!common_point(m, s, &common)) {
        m->too_stale = true;
        sbx_set_state(m, SBX_RECOVERING);
        return;
    }
    sbx_conns_close(m);
    m->rbid++;
    sbx_set_state(m, SBX_ROLLBACK);
    sbx_copy_all(m, s, &common);
    m->state_due_mono = now + 200 / m->w->fast;
    sbx_due(m->w, m->state_due_mono);
}

/* When this member may have an entry: after the lag asked for, and its configured delay. */
static int64_t available_at(const struct sbx_member *m, const struct sbx_entry *e)
{
    const int64_t delay = m->lag_ms + m->dials.slow_ms + sbx_member_cfg(m)->delay_s * 1000;

    return delay == 0 ? 0 : e->wall_ms + delay;
}

static void copy_entries(struct sbx_member *m, struct sbx_member *s, uint64_t pos)
{
    const int64_t utc = sbx_utc(m->w);
    bool moved = false;

    for (int n = 0; pos < sbx_oplog_end(s->oplog); pos++, n++) {
        struct sbx_entry *e = sbx_oplog_at(s->oplog, pos);
        if (n == BATCH) {
            sbx_due(m->w, 0);
            break;
        }
        if (available_at(m, e) > utc) {
            sbx_due(m->w, sbx_mono(m->w) + (available_at(m, e) - utc));
            break;
        }
        apply(m, e);
        moved = true;
    }
    if (moved) {
        sbx_report(m);
    }
}

static void initial_sync(struct sbx_member *m, struct sbx_member *s)
{
    sbx_copy_all(m, s, NULL);
    m->initial_sync = false;
    m->too_stale = false;
    sbx_set_state(m, SBX_SECONDARY);
    sbx_election_restart_timer(m);
    sbx_report(m);
}

static bool keep_source(struct sbx_member *m)
{
    if (m->sync_source >= 0) {
        const struct sbx_member *s = &m->w->members[m->sync_source];
        if (may_source(m, s) && mst_optime_cmp(s->applied.op, m->applied.op) >= 0 &&
            s->sync_source != (int)m->index) {
            return true;
        }
    }
    const int next = choose(m);
    if (next != m->sync_source) {
        m->sync_source = next;
        m->sync_since_mono = sbx_mono(m->w);
        sbx_changed(m->w);
    }
    (void)mst_copy(m->info, sizeof m->info, next < 0 ? "could not find member to sync from" : "");
    return next >= 0;
}

void sbx_pull_tick(struct sbx_member *m, int64_t now)
{
    const bool catching = m->state == SBX_PRIMARY && m->draining;
    const bool following = m->state == SBX_SECONDARY || m->state == SBX_RECOVERING ||
                           m->state == SBX_STARTUP2 || catching;

    if (!following || m->fsync_locks > 0 || m->data == NULL || m->state_due_mono != 0 ||
        !keep_source(m)) {
        return;
    }
    struct sbx_member *s = &m->w->members[m->sync_source];
    if (m->initial_sync) {
        initial_sync(m, s);
        return;
    }
    const uint64_t at = sbx_oplog_find(s->oplog, m->applied.op);
    if (at == UINT64_MAX) {
        if (!catching && mst_optime_cmp(s->applied.op, m->applied.op) > 0) {
            roll_back(m, s, now);
        }
        return;
    }
    if (s->state == SBX_PRIMARY && s->term < m->term) {
        sbx_hear_term(s, m->term); /* who asks names its term: an older primary leaves its seat */
        return;
    }
    copy_entries(m, s, at + 1);
    if (s->state == SBX_PRIMARY && s->term >= m->term && m->state == SBX_SECONDARY) {
        if (now - m->liveness_mono >= m->config.election_timeout_ms / 2) {
            m->liveness_mono = now; /* an idle source still says that it lives */
            sbx_election_restart_timer(m);
            sbx_report(m);
        }
        sbx_due(m->w, m->liveness_mono + m->config.election_timeout_ms / 2);
    }
    sbx_see_cluster_time(m, s->cluster_time);
    sbx_learn_commit(m, s->committed);
}
