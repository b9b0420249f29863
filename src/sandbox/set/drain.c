/* drain.c: from the won election to the first write: catch up with the newest entry anyone has,
 * then write the first entry of the term. */
#include <string.h>

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

void sbx_win(struct sbx_member *m)
{
    const int64_t now = sbx_mono(m->w);

    election_id(m);
    m->election_time = sbx_next_ts(m);
    m->primary_since_mono = now;
    m->draining = true;
    m->catch_up_from = m->applied.op;
    m->catch_up_due_mono =
        m->w->config.catch_up_timeout_ms >= 0 ? now + m->w->config.catch_up_timeout_ms : INT64_MAX;
    m->election_due_mono = 0;
    for (size_t i = 0; i < SBX_MEMBERS_MAX; i++) {
        m->reported[i] = (struct sbx_pos){SBX_NO_OPTIME, 0};
        m->reported_mono[i] = now;
        m->lost[i] = false;
    }
    if (strcmp(m->candidacy.reason, "electionTimeout") == 0) {
        m->elections.timeout_ok++;
    } else if (strncmp(m->candidacy.reason, "stepUp", 6) == 0) {
        m->elections.step_up_ok++;
    }
    sbx_set_state(m, SBX_PRIMARY);
    sbx_beat_soon(m);
}

/* Has every member answered, or failed to, since the election? */
static bool heard_all(const struct sbx_member *m)
{
    for (size_t i = 0; i < m->w->config.n; i++) {
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

    for (size_t i = 0; i < m->w->config.n; i++) {
        if (i != m->index && m->of[i].up && mst_optime_cmp(m->of[i].applied.op, best) > 0) {
            best = m->of[i].applied.op;
        }
    }
    return best;
}

static void note_catch_up(struct sbx_member *m, bool timed_out)
{
    const bool current = mst_optime_cmp(m->catch_up_from, m->applied.op) == 0;

    m->candidacy.catch_up_ops = 0;
    if (timed_out) {
        m->elections.catch_ups_timed_out++;
    } else if (current) {
        m->elections.catch_ups_current++;
    } else {
        m->elections.catch_ups++;
        m->elections.catch_ups_ok++;
        m->candidacy.catch_up_ops = m->catch_up_ops;
    }
}

static void finish(struct sbx_member *m, int64_t now, bool timed_out)
{
    note_catch_up(m, timed_out);
    m->draining = false;
    m->catch_up_due_mono = 0;
    m->sync_source = -1;
    m->first_op_of_term = sbx_log_noop(m, "new primary");
    m->candidacy.new_term_ms = m->applied.wall_ms;
    if (m->w->newborn) {
        m->w->newborn = false;
        sbx_newborn(m);
    }
    m->writable = true;
    m->w->config.term = m->term; /* 7.0: a new primary signs the configuration with its term */
    m->next_noop_mono = now + 10000 / m->w->fast;
    m->topology++;
    sbx_hooks_stepped(m);
    sbx_changed(m->w);
}

void sbx_drain_tick(struct sbx_member *m, int64_t now)
{
    if (m->state != SBX_PRIMARY || m->fall_due_mono != 0) {
        return;
    }
    if (m->draining) {
        const bool timed_out = now >= m->catch_up_due_mono;
        if (timed_out || (heard_all(m) && mst_optime_cmp(target(m), m->applied.op) <= 0)) {
            finish(m, now, timed_out);
        } else if (m->catch_up_due_mono != INT64_MAX) {
            sbx_due(m->w, m->catch_up_due_mono);
        }
        return;
    }
    if (!m->writable) {
        return;
    }
    if (mst_optime_cmp(m->noop_seen, m->applied.op) != 0) {
        m->noop_seen = m->applied.op; /* something was written since we looked */
        m->next_noop_mono = now + 10000 / m->w->fast;
    } else if (now >= m->next_noop_mono) {
        m->noop_seen = sbx_log_noop(m, "periodic noop");
        m->next_noop_mono = now + 10000 / m->w->fast;
    }
    sbx_due(m->w, m->next_noop_mono);
}
