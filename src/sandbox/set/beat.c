/* beat.c: heartbeats. Each member asks each other one; what comes back is its opinion.
 *
 * A dead process refuses at once. A frozen one, or one behind a partition, does not answer: the
 * question stays open until an answer comes or the heartbeat times out.
 */
#include <string.h>

#include "base/mem.h"
#include "set/internal.h"

void sbx_opinion_reset(struct sbx_opinion *o)
{
    const int64_t recv = o->last_heartbeat_recv_ms, last = o->last_heartbeat_ms;

    *o = (struct sbx_opinion){
        .state = SBX_DOWN,
        .term = -1,
        .applied = {SBX_NO_OPTIME, 0},
        .durable = {SBX_NO_OPTIME, 0},
        .last_heartbeat_ms = last,
        .last_heartbeat_recv_ms = recv,
        .sync_source = -1,
        .config_version = -1,
        .ping_ms = o->ping_ms,
        .last_ok_mono = o->last_ok_mono,
        .next_ask_mono = o->next_ask_mono,
        .asking = o->asking,
        .asked_mono = o->asked_mono,
        .failed_mono = o->failed_mono,
    };
}

static int64_t timeout_ms(const struct sbx_member *m)
{
    return (int64_t)m->config.heartbeat_timeout_s * 1000;
}

static void failed(struct sbx_member *m, size_t who, int64_t now, const char *message)
{
    struct sbx_opinion *o = &m->of[who];
    const bool was_up = o->up;

    o->asking = false;
    sbx_opinion_reset(o);
    o->next_ask_mono = now + m->config.heartbeat_ms;
    o->last_heartbeat_ms = sbx_utc(m->w);
    o->failed_mono = now;
    (void)mst_copy(o->message, sizeof o->message, message);
    if (was_up) {
        m->topology++;
        sbx_changed(m->w);
    }
}

/* A member without a configuration fetches it from who asked. */
static void invite(struct sbx_member *b, int64_t now)
{
    if (!b->has_config && b->state_due_mono == 0) {
        b->state_due_mono = now + 500 / b->w->fast;
        sbx_due(b->w, b->state_due_mono);
    }
}

static void saw_primary(struct sbx_member *m, const struct sbx_member *other)
{
    if (other->state == SBX_PRIMARY && other->term >= m->term) {
        sbx_election_restart_timer(m);
    }
}

/* The answer carries the configuration when it is newer than the one that asked; one that was asked
 * by somebody who knows a newer one asks back. */
static void learn_config(struct sbx_member *m, struct sbx_member *b)
{
    const int cmp =
        m->has_config && b->has_config ? sbx_config_cmp(m->w, &b->config, &m->config) : 0;

    if (cmp > 0) {
        sbx_config_install(m, &b->config);
        sbx_beat_soon(m);
    } else if (cmp < 0 || (b->has_config && b->of[m->index].up &&
                           b->of[m->index].config_version != m->config.version)) {
        b->of[m->index].next_ask_mono = 0;
        sbx_due(b->w, 0);
    }
}

static void answered(struct sbx_member *m, struct sbx_member *b, int64_t now)
{
    struct sbx_opinion *o = &m->of[b->index];
    const bool changed = !o->up || o->state != b->state;

    if (!o->up) {
        o->up_since_mono = now;
    }
    o->asking = false;
    o->up = o->ever = true;
    o->state = b->state;
    o->term = b->term;
    o->applied = b->applied;
    o->durable = b->durable;
    o->sync_source = b->sync_source;
    o->config_version = b->has_config ? b->config.version : -2;
    o->config_term = b->has_config ? b->config.term : -1;
    o->election_time = b->state == SBX_PRIMARY ? b->election_time : (struct mst_ts){0, 0};
    o->last_heartbeat_ms = sbx_utc(m->w);
    o->last_ok_mono = now;
    o->ping_ms = (int64_t)(sbx_random(m->w) % 2);
    o->message[0] = '\0';
    o->next_ask_mono = now + m->config.heartbeat_ms;
    if (m->state == SBX_PRIMARY) {
        m->reported_mono[b->index] = now;
        m->lost[b->index] = false;
        if (b->has_config && mst_optime_cmp(b->durable.op, m->reported[b->index].op) > 0) {
            m->reported[b->index] = b->durable;
        }
    }
    saw_primary(m, b);
    sbx_see_cluster_time(m, b->cluster_time);
    sbx_hear_term(m, b->term);
    learn_config(m, b);
    sbx_takeover_plan(m, b, now);
    if (changed) {
        m->topology++;
        sbx_changed(m->w);
    }
}

/* The question reaches b, and its answer comes back. */
static void exchange(struct sbx_member *m, struct sbx_member *b, int64_t now)
{
    b->of[m->index].last_heartbeat_recv_ms = sbx_utc(m->w);
    invite(b, now);
    sbx_see_cluster_time(b, m->cluster_time);
    sbx_hear_term(b, m->term);
    answered(m, b, now);
}

static void ask(struct sbx_member *m, struct sbx_member *b, int64_t now)
{
    struct sbx_opinion *o = &m->of[b->index];
    char text[128];

    if (sbx_linked(m->w, m->index, b->index)) {
        exchange(m, b, now);
    } else if (!b->alive && !m->w->cut[m->index][b->index]) {
        (void)snprintf(text, sizeof text,
                       "Error connecting to %s :: caused by :: Connection refused", b->host);
        failed(m, b->index, now, text);
    } else {
        o->asking = true;
        o->asked_mono = now;
    }
}

static void wait_answer(struct sbx_member *m, struct sbx_member *b, int64_t now)
{
    struct sbx_opinion *o = &m->of[b->index];
    const int64_t until = o->asked_mono + timeout_ms(m);

    if (sbx_linked(m->w, m->index, b->index)) {
        exchange(m, b, now); /* it was thawed, or the network healed */
    } else if (!b->alive && !m->w->cut[m->index][b->index]) {
        ask(m, b, now); /* the connection broke: tried again */
    } else if (now >= until) {
        failed(m, b->index, now,
               "Couldn't get a connection within the time limit"); /* of a network silence */
    } else {
        sbx_due(m->w, until);
    }
}

void sbx_beat_tick(struct sbx_member *m, int64_t now)
{
    for (size_t i = 0; i < m->config.n && m->has_config; i++) {
        struct sbx_member *b = &m->w->members[i];
        struct sbx_opinion *o = &m->of[i];
        if (i == m->index) {
            continue;
        }
        if (o->asking) {
            wait_answer(m, b, now);
        } else if (now >= o->next_ask_mono) {
            ask(m, b, now);
        }
        if (!o->asking) {
            sbx_due(m->w, o->next_ask_mono);
        }
    }
}

void sbx_beat_soon(struct sbx_member *m)
{
    for (size_t i = 0; i < m->config.n; i++) {
        m->of[i].next_ask_mono = 0;
    }
    sbx_due(m->w, 0);
}
