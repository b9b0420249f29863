/* life.c: starts, deaths, freezes, and the timer that drives everything else. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/data.h"
#include "oplog/entries.h"
#include "set/internal.h"
#include "world/hooks.h"

#define FASSERT_LOCK_S 15 /* fassertOnLockTimeoutForStepUpDown */

void sbx_due(struct sbx_world *w, int64_t mono)
{
    if (mono < w->due_mono) {
        w->due_mono = mono;
    }
}

static void new_process(struct sbx_member *m)
{
    bson_oid_init(&m->process, NULL);
    m->pid = 20000 + (int)(sbx_random(m->w) % 10000);
    m->started_mono = sbx_mono(m->w);
    m->started_utc = sbx_utc(m->w);
    m->topology = 0;
    m->counters = (struct sbx_counters){0};
    m->elections = (struct sbx_election_counts){0};
    m->moves = (struct sbx_moves){.last = ""};
    free(m->cmd_counts);
    m->cmd_counts = NULL;
    m->n_cmd_counts = 0;
}

static void forget(struct sbx_member *m)
{
    m->writable = m->stepping_down = m->draining = false;
    m->sync_source = -1;
    m->info[0] = '\0';
    m->election_due_mono = m->no_stand_until = m->state_due_mono = 0;
    m->catch_up_due_mono = m->fall_due_mono = m->fall_term = 0;
    m->takeover_due_mono = m->lock_since_mono = 0;
    m->catch_up_abort = m->reconfiguring = m->abort = false;
    m->fsync_locks = 0;
    m->run.phase = SBX_RUN_NONE;
    m->vote = (struct sbx_vote){0};
    m->candidacy = (struct sbx_candidacy){0};
    m->committed = (struct sbx_pos){SBX_NO_OPTIME, 0};
    m->cluster_time = m->applied.op.ts;
    for (size_t i = 0; i < SBX_MEMBERS_MAX; i++) {
        m->of[i] = (struct sbx_opinion){.ping_ms = -1, .last_ok_mono = -1, .failed_mono = -1};
        sbx_opinion_reset(&m->of[i]);
        m->reported[i] = (struct sbx_pos){SBX_NO_OPTIME, 0};
    }
}

void sbx_set_boot(struct sbx_member *m)
{
    m->alive = true;
    m->frozen = false;
    new_process(m);
    forget(m);
    m->dials.fassert_lock_s = m->w->profile->server == SBX_42 ? 0 : FASSERT_LOCK_S;
    m->dials.no_hand_off = false;
    if (!m->has_config) {
        m->state = SBX_STARTUP;
        m->term = -1;
        m->applied = m->durable = (struct sbx_pos){SBX_NO_OPTIME, 0};
        sbx_changed(m->w);
        return;
    }
    m->state = SBX_STARTUP2;
    m->state_due_mono = sbx_mono(m->w) + 300 / m->w->fast;
    sbx_beat_soon(m);
    sbx_changed(m->w);
}

static void install_config(struct sbx_member *m)
{
    m->has_config = true;
    m->config = m->w->config;
    m->config_op = SBX_NO_OPTIME;
    m->term = m->term < 0 ? 0 : m->term;
    sbx_beat_soon(m);
}

void sbx_set_initiate(struct sbx_member *m, const struct sbx_config *config)
{
    struct sbx_world *w = m->w;
    bson_t op, o;

    w->config = *config;
    w->initiated = true;
    w->newborn = true;
    bson_oid_init(&w->config.replica_set_id, NULL);
    install_config(m);
    sbx_first_version(m);
    m->initial_sync = false;
    m->term = -1; /* the first entry stands before any term */
    bson_init(&op);
    BSON_APPEND_UTF8(&op, "op", "n");
    BSON_APPEND_UTF8(&op, "ns", "");
    bson_append_document_begin(&op, "o", -1, &o);
    BSON_APPEND_UTF8(&o, "msg", "initiating set");
    bson_append_document_end(&op, &o);
    (void)sbx_log_server(m, &op);
    bson_destroy(&op);
    m->term = 0;
    sbx_set_state(m, SBX_SECONDARY);
    sbx_election_restart_timer(m);
    for (size_t i = 0; i < w->n; i++) {
        if (i != m->index) {
            w->members[i].initial_sync = !w->config.members[i].arbiter;
        }
    }
}

void sbx_set_steady(struct sbx_world *w, size_t primary, int64_t term)
{
    struct sbx_member *p = &w->members[primary];
    const int64_t now = sbx_mono(w);

    sbx_set_initiate(p, &w->config);
    for (size_t i = 0; i < w->n; i++) {
        struct sbx_member *m = &w->members[i];
        install_config(m);
        m->term = term - 1;
        if (i == primary) {
            continue;
        }
        if (w->config.members[i].arbiter) {
            m->applied = p->applied;
            sbx_set_state(m, SBX_ARBITER);
        } else {
            sbx_copy_all(m, p, NULL);
            m->initial_sync = false;
            sbx_set_state(m, SBX_SECONDARY);
            sbx_election_restart_timer(m);
        }
    }
    for (size_t i = 0; i < w->n; i++) {
        sbx_beat_soon(&w->members[i]);
        sbx_beat_tick(&w->members[i], now);
    }
    MST_ASSERT(sbx_stand(p, "electionTimeout", true));
    p->elections.timeout_called++;
}

void sbx_set_killed(struct sbx_member *m)
{
    m->alive = false;
    m->frozen = false;
    forget(m);
    m->state = SBX_DOWN;
    sbx_due(m->w, 0);
    sbx_changed(m->w);
}

void sbx_set_frozen(struct sbx_member *m, bool frozen)
{
    m->frozen = frozen;
    sbx_due(m->w, 0);
    sbx_changed(m->w);
}

void sbx_set_lose_data(struct sbx_member *m)
{
    if (m->data != NULL) {
        sbx_data_free(m->data);
        m->data = sbx_data_new();
        sbx_data_plain_specs(m->data, m->w->profile->server != SBX_42);
        sbx_oplog_clear(m->oplog);
    }
    m->applied = m->durable = (struct sbx_pos){SBX_NO_OPTIME, 0};
    m->initial_sync = m->data != NULL;
    m->has_config = false;
    m->vote_term = 0;
    m->rbid = 1;
    m->checkpoint = (struct mst_ts){0, 0};
}

/* A state that lasts for a while is over. */
static void state_tick(struct sbx_member *m, int64_t now)
{
    if (m->state_due_mono == 0) {
        return;
    }
    if (now < m->state_due_mono) {
        sbx_due(m->w, m->state_due_mono);
        return;
    }
    m->state_due_mono = 0;
    if (!m->has_config) {
        install_config(m);
        if (sbx_member_cfg(m)->arbiter) {
            sbx_set_state(m, SBX_ARBITER);
            return;
        }
        sbx_set_state(m, SBX_STARTUP2);
        m->state_due_mono = now + 900 / m->w->fast;
        sbx_due(m->w, m->state_due_mono);
    } else if (sbx_member_cfg(m)->arbiter) {
        sbx_set_state(m, SBX_ARBITER);
    } else if (m->state == SBX_ROLLBACK) {
        sbx_set_state(m, SBX_RECOVERING);
        m->state_due_mono = now + 100 / m->w->fast;
        sbx_due(m->w, m->state_due_mono);
    } else if (!m->initial_sync && !m->too_stale) {
        sbx_set_state(m, SBX_SECONDARY);
        sbx_election_restart_timer(m);
    }
}

/* Checkpoints: the first with the first commit point, then one a minute. */
static void checkpoint_tick(struct sbx_member *m, int64_t now)
{
    if (m->data == NULL || mst_ts_cmp(m->committed.op.ts, m->checkpoint) <= 0) {
        return;
    }
    if (now >= m->checkpoint_due_mono) {
        m->checkpoint = m->committed.op.ts;
        m->checkpoint_due_mono = now + 60000 / m->w->fast;
    }
}

/* An arbiter has no data: the newest position it shows is what heartbeats told it. */
static void arbiter_tick(struct sbx_member *m)
{
    for (size_t i = 0; m->state == SBX_ARBITER && i < m->config.n; i++) {
        const struct sbx_member *b = &m->w->members[i];
        if (m->of[i].up && m->of[i].state == SBX_PRIMARY && sbx_linked(m->w, m->index, i) &&
            mst_optime_cmp(b->committed.op, m->applied.op) > 0) {
            m->applied = m->committed = b->committed;
        }
    }
}

int64_t sbx_set_tick(struct sbx_world *w)
{
    const int64_t now = sbx_mono(w);

    w->due_mono = now + 1000;
    for (size_t i = 0; i < w->n; i++) {
        struct sbx_member *m = &w->members[i];
        if (!m->alive || m->frozen) {
            continue;
        }
        state_tick(m, now);
        if (!m->has_config) {
            continue;
        }
        sbx_beat_tick(m, now);
        sbx_pull_tick(m, now);
        arbiter_tick(m);
        sbx_election_tick(m, now);
        sbx_takeover_tick(m, now);
        sbx_drain_tick(m, now);
        sbx_commit_tick(m);
        checkpoint_tick(m, now);
        if (m->fsync_locks == 0) {
            sbx_hooks_tick(m, now);
        }
    }
    return w->due_mono;
}
