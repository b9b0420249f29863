/* drain.c: from the won election to the first write: catch up with the newest entry anyone has,
 * then write the first entry of the term. */
#include <string.h>

#include "base/mem.h"
#include "oplog/entries.h"
#include "set/internal.h"
#include "world/hooks.h"

/* electionId: 7fffffff, then the term in eight bytes. */
static void election_id(struct sbx_member *m)
{
    uint8_t b[12] = {0x7f, 0xff, 0xff, 0xff};

    for (size_t i = 0; i < 8; i++) {
        b[4 + i] = (uint8_t)((uint64_t)m->term >> (56 - 8 * i));
    }
    bson_oid_init_from_data(&m->election_id, b);
}

static void count_win(struct sbx_member *m)
{
    struct sbx_election_counts *e = &m->elections;
    const struct {
        const char *reason;
        int64_t *n;
    } of[] = {
        {"electionTimeout", &e->timeout_ok},         {"stepUpRequest", &e->step_up_ok},
        {"stepUpRequestSkipDryRun", &e->step_up_ok}, {"priorityTakeover", &e->priority_ok},
        {"catchupTakeover", &e->catch_up_ok},        {"singleNodePromptElection", &e->freeze_ok}};

    for (size_t i = 0; i < MST_COUNT(of); i++) {
        *of[i].n += strcmp(m->candidacy.reason, of[i].reason) == 0;
    }
}

void sbx_win(struct sbx_member *m)
{
    const int64_t now = sbx_mono(m->w);

    election_id(m);
    m->election_time = sbx_next_ts(m);
    m->primary_since_mono = now;
    m->draining = true;
    m->catch_up_from = m->applied.op;
    m->catch_up_due_mono =
        m->config.catch_up_timeout_ms >= 0 ? now + m->config.catch_up_timeout_ms : INT64_MAX;
    m->election_due_mono = 0;
    for (size_t i = 0; i < SBX_MEMBERS_MAX; i++) {
        m->reported[i] = (struct sbx_pos){SBX_NO_OPTIME, 0};
        m->reported_mono[i] = now;
        m->lost[i] = false;
    }
    m->catch_up_abort = false;
    m->catch_up_ops = 0;
    count_win(m);
    sbx_set_state(m, SBX_PRIMARY);
    sbx_beat_soon(m);
}

/* Has every member answered, or failed to, since the election? */
static bool heard_all(const struct sbx_member *m)
{
    for (size_t i = 0; i < m->config.n; i++) {
        const struct sbx_opinion *o = &m->of[i];
        if (i != m->index && o->last_ok_mono < m->primary_since_mono &&
            o->failed_mono < m->primary_since_mono) {
            return false;
        }
    }
    return true;
}

static struct mst_optime target(const struct sbx_member *m)
{
    struct mst_optime best = m->applied.op;

    for (size_t i = 0; i < m->config.n; i++) {
        if (i != m->index && m->of[i].up && mst_optime_cmp(m->of[i].applied.op, best) > 0) {
            best = m->of[i].applied.op;
        }
    }
    return best;
}

enum ended { CAUGHT_UP, TIMED_OUT, ABORTED, SKIPPED };

static void note_catch_up(struct sbx_member *m, enum ended how)
{
    struct sbx_election_counts *e = &m->elections;

    m->candidacy.catch_up_ops = m->catch_up_ops;
    if (how == SKIPPED) {
        e->catch_ups_skipped++;
    } else if (how == CAUGHT_UP && m->catch_up_ops == 0) {
        e->catch_ups_current++;
    } else {
        e->catch_ups++;
        e->catch_up_ops += m->catch_up_ops;
        e->catch_ups_ok += how == CAUGHT_UP;
        e->catch_ups_timed_out += how == TIMED_OUT;
        e->catch_ups_aborted += how == ABORTED;
    }
}

static void finish(struct sbx_member *m, int64_t now, enum ended how)
{
    note_catch_up(m, how);
    m->draining = false;
    m->catch_up_due_mono = 0;
    m->catch_up_abort = false;
    m->sync_source = -1;
    m->moves.last = "stepUp";
    m->first_op_of_term = sbx_log_noop(m, "new primary");
    m->candidacy.new_term_ms = m->applied.wall_ms;
    if (m->w->newborn) {
        m->w->newborn = false;
        sbx_newborn(m);
    }
    m->writable = true;
    if (m->w->profile->server != SBX_42) { /* a new primary signs the configuration with its term */
        m->config.term = m->term;
        m->config_op = m->first_op_of_term;
        m->w->config = m->config;
        sbx_beat_soon(m);
    }
    m->next_noop_mono = now + 10000 / m->w->fast;
    m->topology++;
    sbx_hooks_stepped(m);
    sbx_changed(m->w);
}

static void catch_up(struct sbx_member *m, int64_t now)
{
    const int64_t held_until = m->primary_since_mono + m->dials.catch_up_ms;
    const bool heard = heard_all(m);
    const struct mst_optime to = target(m);
    enum ended how = CAUGHT_UP;

    if (heard && mst_optime_cmp(to, m->applied.op) > 0) {
        m->candidacy.target = to;
    }
    if (m->config.catch_up_timeout_ms == 0) {
        how = SKIPPED;
    } else if (m->catch_up_abort) {
        how = ABORTED;
    } else if (now >= m->catch_up_due_mono) {
        how = TIMED_OUT;
    } else if (now < held_until) {
        sbx_due(m->w, held_until);
        return;
    } else if (!heard || mst_optime_cmp(to, m->applied.op) > 0) {
        if (m->catch_up_due_mono != INT64_MAX) {
            sbx_due(m->w, m->catch_up_due_mono);
        }
        return;
    }
    if (sbx_lock_free(m, now)) {
        finish(m, now, how);
    }
}

void sbx_drain_tick(struct sbx_member *m, int64_t now)
{
    if (m->state != SBX_PRIMARY || m->fall_due_mono != 0) {
        return;
    }
    if (m->draining) {
        if (!m->stepping_down) {
            catch_up(m, now);
        }
        return;
    }
    if (!m->writable || m->fsync_locks > 0) {
        return;
    }
    if (mst_optime_cmp(m->noop_seen, m->applied.op) != 0) {
        m->noop_seen = m->applied.op; /* something was written since we looked */
        m->next_noop_mono = now + 10000 / m->w->fast;
    } else if (now >= m->next_noop_mono) {
        m->noop_seen = sbx_log_noop(m, "periodic noop");
        sbx_due(m->w, now); /* who had its turn before this one follows at once */
        m->next_noop_mono = now + 10000 / m->w->fast;
    }
    sbx_due(m->w, m->next_noop_mono);
}
