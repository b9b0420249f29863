/* election.c: who stands, who votes for whom, and what a new term does to the others. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "set/internal.h"
#include "world/hooks.h"

#define FALL_MS 100     /* from a newer term heard of to the end of what a primary runs */
#define ROUND_TRIP_MS 4 /* until a round of votes is in */

void sbx_set_state(struct sbx_member *m, enum sbx_state state)
{
    if (m->state == state) {
        return;
    }
    m->state = state;
    m->topology++;
    sbx_hooks_stepped(m);
    sbx_changed(m->w);
}

static bool votes(const struct sbx_member *m)
{
    return m->has_config && sbx_member_cfg(m)->votes > 0;
}

int sbx_voters_up(const struct sbx_member *m)
{
    int n = 0;

    for (size_t i = 0; i < m->config.n; i++) {
        const bool up = i == m->index || (m->of[i].up && m->of[i].config_version >= 0);
        n += up && m->config.members[i].votes > 0;
    }
    return n;
}

void sbx_election_restart_timer(struct sbx_member *m)
{
    const int64_t base = m->config.election_timeout_ms;
    const int64_t jitter = base * 15 / 100;

    if (!m->has_config || m->state != SBX_SECONDARY || sbx_member_cfg(m)->priority <= 0) {
        m->election_due_mono = 0;
        return;
    }
    m->election_due_mono =
        sbx_mono(m->w) + base + (int64_t)(sbx_random(m->w) % (uint64_t)(jitter + 1));
    sbx_due(m->w, m->election_due_mono);
}

bool sbx_standing(const struct sbx_member *m)
{
    return m->run.phase != SBX_RUN_NONE;
}

static void give_up(struct sbx_member *m)
{
    m->run.phase = SBX_RUN_NONE;
    sbx_election_restart_timer(m);
    sbx_changed(m->w);
}

void sbx_freeze(struct sbx_member *m, int64_t seconds)
{
    const int64_t now = sbx_mono(m->w), until = now + seconds * 1000;

    if (seconds == 0) {
        m->no_stand_until = m->no_stand_until != 0 ? now : 0; /* a set of one stands at once */
        sbx_due(m->w, now);
    } else if (until > m->no_stand_until) {
        m->no_stand_until = until;
    }
    sbx_changed(m->w);
}

void sbx_become_secondary(struct sbx_member *m)
{
    const bool left = m->state == SBX_PRIMARY;

    m->writable = false;
    m->stepping_down = false;
    m->fall_due_mono = m->fall_term = m->lock_since_mono = 0;
    m->catch_up_due_mono = m->takeover_due_mono = 0;
    m->catch_up_abort = false;
    m->draining = false;
    m->sync_source = -1;
    m->info[0] = '\0';
    sbx_set_state(m, SBX_SECONDARY);
    sbx_election_restart_timer(m);
    if (left) {
        m->moves.last = "stepDown";
        sbx_ops_kill(m);
    }
}

/* A newer term was heard of: nothing is written from here on. */
static void fall(struct sbx_member *m, int64_t term)
{
    m->fall_term = term > m->fall_term ? term : m->fall_term;
    if (m->fall_due_mono == 0) {
        m->fall_due_mono = sbx_mono(m->w) + FALL_MS / m->w->fast;
        m->writable = false;
        m->topology++;
        sbx_changed(m->w);
    }
    sbx_due(m->w, m->fall_due_mono);
}

bool sbx_lock_free(struct sbx_member *m, int64_t now)
{
    if (m->fsync_locks == 0) {
        m->lock_since_mono = 0;
        return true;
    }
    if (m->lock_since_mono == 0) {
        m->lock_since_mono = now;
    }
    if (m->dials.fassert_lock_s > 0) {
        const int64_t until = m->lock_since_mono + (int64_t)m->dials.fassert_lock_s * 1000;
        m->abort = m->abort || now >= until;
        sbx_due(m->w, until);
    }
    return false;
}

void sbx_see_term(struct sbx_member *m, int64_t term)
{
    if (!m->has_config || term <= m->term) {
        return;
    }
    if (m->state == SBX_PRIMARY && !sbx_lock_free(m, sbx_mono(m->w))) {
        fall(m, term); /* it cannot leave its seat yet */
        return;
    }
    m->term = term;
    m->vote.new_term_ms = m->vote.applied_ms = 0; /* they were of an older term's */
    m->takeover_due_mono = 0;
    if (m->run.phase != SBX_RUN_NONE) {
        give_up(m);
    }
    if (m->state == SBX_PRIMARY) {
        m->elections.step_downs_by_term++;
        m->elections.catch_ups_new_term += m->draining;
        sbx_become_secondary(m);
    }
    sbx_changed(m->w);
}

void sbx_hear_term(struct sbx_member *m, int64_t term)
{
    if (m->state != SBX_PRIMARY || !m->has_config || term <= m->term) {
        sbx_see_term(m, term);
        return;
    }
    fall(m, term);
}

struct mst_optime sbx_newest_known(const struct sbx_member *m)
{
    struct mst_optime best = m->applied.op;

    for (size_t i = 0; i < m->config.n; i++) {
        if (i != m->index && m->of[i].up && mst_optime_cmp(m->of[i].applied.op, best) > 0) {
            best = m->of[i].applied.op;
        }
    }
    return best;
}

static bool healthy_better_primary(const struct sbx_member *v, const struct sbx_member *cand)
{
    for (size_t i = 0; i < v->config.n; i++) {
        if (i != cand->index && i != v->index && v->of[i].up && v->of[i].state == SBX_PRIMARY &&
            v->config.members[i].priority >= sbx_member_cfg(cand)->priority) {
            return true;
        }
    }
    return false;
}

static bool say_no(char *why, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool say_no(char *why, size_t n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, n, fmt, ap);
    va_end(ap);
    return false;
}

/* 4.2 wants the very same configuration, later servers one that is not older. */
static bool same_config(const struct sbx_member *v, const struct sbx_member *cand, char *why,
                        size_t n)
{
    const struct sbx_config *mine = &v->config, *its = &cand->config;
    const int cmp = sbx_config_cmp(v->w, its, mine);

    if (v->w->profile->server == SBX_42) {
        return cmp == 0 || say_no(why, n, "candidate's config version (%d) differs from mine (%d)",
                                  its->version, mine->version);
    }
    return cmp >= 0 || say_no(why, n,
                              "candidate's config with {version: %d, term: %" PRId64
                              "} is older than mine with {version: %d, term: %" PRId64 "}",
                              its->version, its->term, mine->version, mine->term);
}

/* The server's rules for one vote; why is left empty for a yes. */
static bool would_vote(const struct sbx_member *v, const struct sbx_member *cand, int64_t term,
                       bool dry, char *why, size_t n)
{
    why[0] = '\0';
    if (term < v->term) {
        return say_no(why, n, "candidate's term (%" PRId64 ") is lower than mine (%" PRId64 ")",
                      term, v->term);
    }
    if (!same_config(v, cand, why, n)) {
        return false;
    }
    if (mst_optime_cmp(cand->applied.op, v->applied.op) < 0) {
        return say_no(why, n,
                      "candidate's data is staler than mine. candidate's last applied OpTime: "
                      "{ ts: Timestamp(%u, %u), t: %" PRId64 " }, my last applied OpTime: "
                      "{ ts: Timestamp(%u, %u), t: %" PRId64 " }",
                      cand->applied.op.ts.t, cand->applied.op.ts.i, cand->applied.op.term,
                      v->applied.op.ts.t, v->applied.op.ts.i, v->applied.op.term);
    }
    if (!dry && v->vote_term >= term) {
        return say_no(why, n, "already voted for another candidate this term (%" PRId64 ")", term);
    }
    if (sbx_member_cfg(v)->arbiter && healthy_better_primary(v, cand)) {
        return say_no(why, n, "can see a healthy primary of equal or greater priority");
    }
    return true;
}

static void note_vote(struct sbx_member *v, const struct sbx_member *cand, int64_t term, bool yes,
                      const char *why)
{
    v->vote = (struct sbx_vote){
        .any = true,
        .voted = yes,
        .term = term,
        .date_ms = sbx_utc(v->w),
        .candidate = sbx_member_cfg(cand)->id,
        .last_applied = sbx_member_cfg(v)->arbiter ? SBX_NO_OPTIME : v->applied.op,
        .max_applied = sbx_newest_known(v),
        .priority = sbx_member_cfg(v)->priority,
    };
    (void)mst_copy(v->vote.reason, sizeof v->vote.reason, why);
}

/* One round: how many votes, the candidate's own among them. */
static int collect(struct sbx_member *m, int64_t term, bool dry)
{
    int n = votes(m);

    for (size_t i = 0; i < m->config.n; i++) {
        struct sbx_member *v = &m->w->members[i];
        char why[256];
        if (i == m->index || !votes(v) || !sbx_linked(m->w, m->index, i)) {
            continue;
        }
        if (!dry) {
            sbx_see_term(v, term);
        }
        const bool yes = would_vote(v, m, term, dry, why, sizeof why);
        if (!dry && v->term == term) {
            note_vote(v, m, term, yes, why);
            if (yes) {
                v->vote_term = term;
                sbx_election_restart_timer(v);
            }
        }
        n += yes && (dry || v->term == term); /* one that cannot leave its seat does not vote */
        if (v->term > term) {
            sbx_see_term(m, v->term);
        }
    }
    return n;
}

static void start_real(struct sbx_member *m, int64_t now)
{
    const struct sbx_config *c = &m->config;
    int prior = -1;

    for (size_t i = 0; i < c->n; i++) {
        if (m->of[i].up && m->of[i].state == SBX_PRIMARY && i != m->index) {
            prior = c->members[i].id;
        }
    }
    m->term++;
    m->vote.new_term_ms = m->vote.applied_ms = 0;
    m->vote_term = m->term;
    m->run.phase = SBX_RUN_REAL;
    m->run.term = m->term;
    m->run.due_mono = now + ROUND_TRIP_MS;
    m->candidacy = (struct sbx_candidacy){
        .any = true,
        .reason = m->run.reason,
        .date_ms = sbx_utc(m->w),
        .term = m->term,
        .committed = m->committed.op,
        .seen = sbx_newest_known(m),
        .votes_needed = sbx_vote_majority(c),
        .priority = sbx_member_cfg(m)->priority,
        .timeout_ms = c->election_timeout_ms,
        .prior_primary = m->run.prior_primary >= 0 ? m->run.prior_primary : prior,
        .catch_up_ops = -1,
        .target = SBX_NO_OPTIME,
    };
    sbx_due(m->w, m->run.due_mono);
    sbx_changed(m->w);
}

static void run_on(struct sbx_member *m, int64_t now)
{
    const int need = sbx_vote_majority(&m->config);
    const int64_t term = m->run.term;

    if (now < m->run.due_mono) {
        sbx_due(m->w, m->run.due_mono);
        return;
    }
    if (m->run.phase == SBX_RUN_DRY) {
        const int n = collect(m, term, true);
        if (m->run.phase == SBX_RUN_DRY && n >= need) {
            start_real(m, now);
        } else if (m->run.phase == SBX_RUN_DRY) {
            give_up(m);
        }
        return;
    }
    const int n = collect(m, term, false);
    if (m->run.phase != SBX_RUN_REAL) {
        return; /* a newer term was met */
    }
    if (n >= need) {
        m->run.phase = SBX_RUN_NONE;
        sbx_win(m);
    } else {
        m->candidacy.any = false;
        give_up(m);
    }
}

bool sbx_electable(const struct sbx_member *m)
{
    return m->has_config && m->state == SBX_SECONDARY && sbx_member_cfg(m)->priority > 0 &&
           sbx_mono(m->w) >= m->no_stand_until && m->applied.op.term >= -1 &&
           !mst_ts_zero(m->applied.op.ts) && sbx_voters_up(m) >= sbx_vote_majority(&m->config);
}

bool sbx_stand(struct sbx_member *m, const char *reason, bool skip_dry_run)
{
    const int64_t now = sbx_mono(m->w);

    if (!sbx_electable(m) || m->run.phase != SBX_RUN_NONE) {
        return false;
    }
    m->run = (struct sbx_run){.reason = reason, .term = m->term, .prior_primary = -1};
    if (skip_dry_run) {
        start_real(m, now);
    } else {
        m->run.phase = SBX_RUN_DRY;
        m->run.due_mono = now + ROUND_TRIP_MS;
        sbx_due(m->w, m->run.due_mono);
    }
    return true;
}

/* A primary that has not heard of a majority for an election timeout gives up. */
static void watch_majority(struct sbx_member *m, int64_t now)
{
    const struct sbx_config *c = &m->config;
    int up = votes(m);

    for (size_t i = 0; i < c->n; i++) {
        if (i == m->index) {
            continue;
        }
        const int64_t until = m->reported_mono[i] + c->election_timeout_ms;
        if (now >= until && !m->lost[i]) {
            m->lost[i] = true;
            if (m->of[i].up) {
                sbx_opinion_reset(&m->of[i]);
                sbx_changed(m->w);
            }
        } else if (now < until) {
            sbx_due(m->w, until);
        }
        up += !m->lost[i] && c->members[i].votes > 0;
    }
    if (up < sbx_vote_majority(c)) {
        sbx_become_secondary(m);
    }
}

void sbx_election_tick(struct sbx_member *m, int64_t now)
{
    if (m->fall_due_mono != 0) {
        sbx_due(m->w, m->fall_due_mono);
        if (now >= m->fall_due_mono) {
            sbx_see_term(m, m->fall_term);
        }
        return;
    }
    if (m->state == SBX_PRIMARY) {
        watch_majority(m, now);
        return;
    }
    if (m->run.phase != SBX_RUN_NONE) {
        run_on(m, now);
        return;
    }
    if (m->election_due_mono == 0 || m->state != SBX_SECONDARY) {
        return;
    }
    if (m->config.n == 1 && m->no_stand_until != 0 && now >= m->no_stand_until) {
        m->no_stand_until = 0; /* alone, there is nothing to wait for */
        m->elections.freeze_called++;
        if (sbx_stand(m, "singleNodePromptElection", false)) {
            m->election_due_mono = 0;
            return;
        }
    } else if (m->config.n == 1 && m->no_stand_until != 0) {
        sbx_due(m->w, m->no_stand_until);
    }
    if (now < m->election_due_mono) {
        sbx_due(m->w, m->election_due_mono);
        return;
    }
    if (sbx_electable(m)) {
        m->elections.timeout_called++;
    }
    if (!sbx_stand(m, "electionTimeout", false)) {
        sbx_election_restart_timer(m);
    } else {
        m->election_due_mono = 0;
    }
}
