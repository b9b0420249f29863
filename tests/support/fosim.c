#include "fosim.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BASE_S 1700000000

void fs_complain(struct fs_sim *s, const char *fmt, ...)
{
    va_list ap;

    if (s->complaint[0] != '\0') {
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(s->complaint, sizeof(s->complaint), fmt, ap);
    va_end(ap);
}

int fs_primary(const struct fs_sim *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->m[i].alive && s->m[i].state == MST_MS_PRIMARY) {
            return (int)i;
        }
    }
    return -1;
}

int fs_writable(const struct fs_sim *s)
{
    const int p = fs_primary(s);

    return p >= 0 && s->m[p].writable ? p : -1;
}

static void write_one(struct fs_sim *s, size_t i)
{
    s->m[i].applied.ts.t = (uint32_t)(BASE_S + s->now / 1000);
    s->m[i].applied.ts.i = ++s->op;
    s->m[i].applied.term = s->m[i].term;
    s->m[i].wall_ms = s->now;
}

void fs_init(struct fs_sim *s, size_t n)
{
    struct mst_fo_plan *p = &s->plan;

    memset(s, 0, sizeof(*s));
    s->n = n;
    s->now = 100000;
    s->term = 41;
    s->version = 12;
    s->et = 10000;
    s->poll_ms = 200;
    s->catch_up_ms = 60;
    s->note_ms = 15;
    s->final_true.term = -1;
    s->branch.term = -1;
    for (size_t i = 0; i < n; i++) {
        s->m[i] = (struct fs_member){.alive = true,
                                     .state = i == 0 ? MST_MS_PRIMARY : MST_MS_SECONDARY,
                                     .writable = i == 0,
                                     .term = 41,
                                     .rbid = 1,
                                     .priority = 1};
        s->m[i].applied.ts.t = (uint32_t)(BASE_S + s->now / 1000);
        s->m[i].applied.ts.i = 1;
        s->m[i].applied.term = 41;
        s->m[i].committed = s->m[i].applied;
        s->m[i].wall_ms = s->now;
        (void)snprintf(p->members[i].name, sizeof(p->members[i].name), "db%zu:27017", i + 1);
        p->members[i].id = (int)i;
        p->members[i].priority = 1;
        p->members[i].votes = 1;
        p->members[i].data = p->members[i].electable = p->members[i].reachable = true;
        p->members[i].rbid = 1;
    }
    p->n = n;
    p->act = MST_GUARD_SWITCHOVER;
    p->after = MST_AFTER_REFUSE;
    (void)snprintf(p->set_name, sizeof(p->set_name), "rs0");
    (void)snprintf(p->code, sizeof(p->code), "7F3K");
    p->target = 1;
    p->heir = 1;
    p->term = 41;
    p->config_version = 12;
    p->config_term = -1;
    p->election_timeout_ms = s->et;
    p->heartbeat_ms = 2000;
    p->step_down_s = p->freeze_s = 60;
    p->catch_up_s = 10;
    p->lag_ok_ms = 2000;
    p->hard_stop_ms = 30000;
    p->takeover_ms = 12000;
    p->return_ms = -1;
    p->swap_target = p->swap_old = NAN;
    p->step_up = true;
}

struct fs_rule *fs_rule(struct fs_sim *s, enum mst_fo_do what, int member, int nth, enum fs_how how,
                        int code)
{
    struct fs_rule *r = &s->rules[s->n_rules++];

    *r = (struct fs_rule){what, member, nth, how, code, 0};
    return r;
}

void fs_event(struct fs_sim *s, enum mst_fo_state state, int64_t after_ms, enum fs_thing thing,
              int member)
{
    s->events[s->n_events++] = (struct fs_event){state, after_ms, thing, member, 0, MST_FO_STATES};
}

static int votes_alive(const struct fs_sim *s)
{
    int v = 0;

    for (size_t i = 0; i < s->n; i++) {
        v += s->m[i].alive ? s->plan.members[i].votes : 0;
    }
    return v;
}

static int votes_all(const struct fs_sim *s)
{
    int v = 0;

    for (size_t i = 0; i < s->n; i++) {
        v += s->plan.members[i].votes;
    }
    return v;
}

static bool can_stand(const struct fs_sim *s, size_t i)
{
    const struct fs_member *m = &s->m[i];
    int yes = 0;

    if (!m->alive || m->state != MST_MS_SECONDARY || m->maintenance || m->hold_until > s->now ||
        s->plan.members[i].arbiter || m->priority <= 0) {
        return false;
    }
    for (size_t j = 0; j < s->n; j++) {
        if (s->m[j].alive &&
            (s->plan.members[j].arbiter || mst_optime_cmp(s->m[j].applied, m->applied) <= 0)) {
            yes += s->plan.members[j].votes;
        }
    }
    return yes * 2 > votes_all(s);
}

static void wins(struct fs_sim *s, size_t i)
{
    s->term++;
    s->branch = s->m[i].applied;
    for (size_t j = 0; j < s->n; j++) {
        struct fs_member *m = &s->m[j];

        if (!m->alive) {
            continue;
        }
        m->term = s->term;
        if (j != i && m->state == MST_MS_PRIMARY) {
            m->state = MST_MS_SECONDARY;
            m->writable = false;
        }
    }
    s->m[i].state = MST_MS_PRIMARY;
    s->m[i].hold_until = 0; /* or it had not stood */
    s->m[i].writable = false;
    s->m[i].since_ms = s->now;
    s->m[i].writable_at = s->now + s->catch_up_ms;
}

static void replicate(struct fs_sim *s, size_t i, int p)
{
    struct fs_member *m = &s->m[i];

    if (m->back_at != 0) {
        if (s->now >= m->back_at) {
            m->back_at = 0;
            m->state = MST_MS_SECONDARY;
        }
        return;
    }
    if (m->state != MST_MS_SECONDARY || s->plan.members[i].arbiter) {
        return;
    }
    m->term = s->term;
    if (m->stuck || mst_optime_cmp(m->applied, s->m[p].applied) >= 0 ||
        s->now - m->wall_ms < s->apply_ms) {
        return;
    }
    if (s->m[p].applied.term > m->applied.term && m->applied.term < s->term && s->m[p].writable &&
        mst_optime_cmp(m->applied, s->branch) > 0) {
        m->state = MST_MS_ROLLBACK; /* it has what the new branch has not */
        m->rbid++;
        m->back_at = s->now + 500;
        m->applied = s->branch;
        return;
    }
    m->applied = s->m[p].applied;
    m->wall_ms = s->m[p].wall_ms;
}

static void commit(struct fs_sim *s, int p)
{
    struct mst_optime best = s->m[p].committed;

    for (size_t i = 0; i < s->n; i++) {
        int have = 0;

        if (!s->m[i].alive || s->plan.members[i].arbiter) {
            continue;
        }
        for (size_t j = 0; j < s->n; j++) {
            if (s->m[j].alive && !s->plan.members[j].arbiter &&
                mst_optime_cmp(s->m[j].applied, s->m[i].applied) >= 0) {
                have += s->plan.members[j].votes;
            }
        }
        if (have * 2 > votes_all(s) && mst_optime_cmp(s->m[i].applied, best) > 0) {
            best = s->m[i].applied;
        }
    }
    for (size_t i = 0; i < s->n; i++) {
        s->m[i].committed = best;
    }
}

/* Votes and takeovers. */
static void elections(struct fs_sim *s)
{
    const int p = fs_primary(s);

    if (p >= 0) {
        s->no_primary_ms = 0;
        for (size_t i = 0; i < s->n; i++) {
            if (s->m[i].priority > s->m[p].priority && s->m[p].writable && can_stand(s, i) &&
                s->now - s->m[p].since_ms >= s->et) {
                wins(s, i);
                return;
            }
        }
        return;
    }
    if (s->no_primary_ms == 0) {
        s->no_primary_ms = s->now;
    }
    if (s->now - s->no_primary_ms < s->et + s->et / 20) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        if (can_stand(s, i)) {
            wins(s, i);
            return;
        }
    }
}

/* The command that is at the server: its end, if it came to it. */
static void end_cmd(struct fs_sim *s, enum mst_fo_outcome o, int code, int64_t in_ms)
{
    s->cmd.ended = true;
    s->cmd.leaving = false;
    s->cmd.r.outcome = o;
    s->cmd.r.code = code;
    s->cmd.reply_ms = s->now + in_ms;
    if (s->cmd.how == FS_EFFECT_REFUSE) {
        s->cmd.r.outcome = MST_FO_SAID_NO;
        s->cmd.r.code = s->cmd.code;
    }
    if (s->cmd.how == FS_LOST_REPLY) {
        s->cmd.r.outcome = MST_FO_NO_ANSWER;
        s->cmd.r.code = 0;
        s->cmd.reply_ms = s->cmd.give_up_ms;
    }
}

static int heir(const struct fs_sim *s, size_t from)
{
    int best = -1;

    for (size_t i = 0; i < s->n; i++) { /* it does not know who is frozen */
        if (i != from && s->m[i].alive && s->m[i].state == MST_MS_SECONDARY &&
            s->plan.members[i].electable && !s->plan.members[i].arbiter &&
            mst_optime_cmp(s->m[i].applied, s->m[from].applied) >= 0 &&
            (best < 0 || s->m[i].priority > s->m[best].priority)) {
            best = (int)i;
        }
    }
    return best;
}

static void leaving(struct fs_sim *s)
{
    const size_t i = s->cmd.a.member;
    struct fs_member *m = &s->m[i];
    const int h = heir(s, i);
    int have = 0;

    if (!m->alive) {
        s->cmd.leaving = false;
        return;
    }
    for (size_t j = 0; j < s->n; j++) {
        if (s->m[j].alive && !s->plan.members[j].arbiter &&
            mst_optime_cmp(s->m[j].applied, m->applied) >= 0) {
            have += s->plan.members[j].votes;
        }
    }
    if (have * 2 > votes_all(s) && h >= 0) {
        m->state = MST_MS_SECONDARY;
        if (s->cmd.how != FS_EFFECT_REFUSE || (s->cmd.code != 10107 && s->cmd.code != 189)) {
            m->hold_until = s->now + s->cmd.a.secs * 1000; /* else it left for another reason */
        }
        s->final_true = m->applied;
        end_cmd(s, MST_FO_OK, 0, 20);
        if (!s->no_hand_off && can_stand(s, (size_t)h)) {
            wins(s, (size_t)h);
        }
    } else if (s->now - s->cmd.arrive_ms >= s->plan.catch_up_s * 1000) {
        m->writable = true;
        end_cmd(s, MST_FO_SAID_NO, 262, 5);
    }
}

static void arrive(struct fs_sim *s)
{
    struct fs_member *m = &s->m[s->cmd.a.member];
    const int p = fs_primary(s);

    s->cmd.arrived = true;
    if (!m->alive) {
        end_cmd(s, MST_FO_NO_ANSWER, 0, 10);
        return;
    }
    if (m->cut || s->cmd.how == FS_LOST_REQUEST) {
        s->cmd.how = FS_LOST_REPLY;
        end_cmd(s, MST_FO_NO_ANSWER, 0, 0);
        return;
    }
    if (s->cmd.how == FS_REFUSE) {
        end_cmd(s, MST_FO_SAID_NO, s->cmd.code, 5);
        return;
    }
    switch (s->cmd.a.what) {
    case MST_FO_SEND_FREEZE:
        if (m->state == MST_MS_PRIMARY) {
            end_cmd(s, MST_FO_SAID_NO, 95, 5);
            return;
        }
        if (s->cmd.a.secs == 0) {
            m->hold_until = 0;
        } else if (m->hold_until < s->now + s->cmd.a.secs * 1000) {
            m->hold_until = s->now + s->cmd.a.secs * 1000;
        }
        end_cmd(s, MST_FO_OK, 0, 5);
        return;
    case MST_FO_SEND_STEPDOWN:
        if (!m->writable) {
            end_cmd(s, MST_FO_SAID_NO, 10107, 5);
            return;
        }
        m->writable = false;
        s->cmd.leaving = true;
        return;
    case MST_FO_SEND_STEPUP:
        if (p >= 0 && p != (int)s->cmd.a.member && s->now - s->m[p].since_ms > 500) {
            fs_complain(s, "a step up against the live primary %d", p);
        }
        if (p == (int)s->cmd.a.member) {
            end_cmd(s, MST_FO_OK, 0, 5);
        } else if (can_stand(s, s->cmd.a.member)) {
            wins(s, s->cmd.a.member);
            end_cmd(s, MST_FO_OK, 0, 30);
        } else {
            end_cmd(s, MST_FO_SAID_NO, 125, 50);
        }
        return;
    case MST_FO_SEND_NOTE:
        if (!m->writable) {
            end_cmd(s, MST_FO_SAID_NO, 10107, 5);
        } else if (votes_alive(s) * 2 > votes_all(s)) {
            end_cmd(s, MST_FO_OK, 0, s->note_ms);
        } else {
            end_cmd(s, MST_FO_SAID_NO, 64, s->cmd.a.timeout_ms);
        }
        return;
    case MST_FO_SEND_PRIORITIES:
        if (!m->writable) {
            end_cmd(s, MST_FO_SAID_NO, 10107, 5);
            return;
        }
        s->version++;
        s->m[s->plan.primary].priority = s->plan.swap_old;
        s->m[s->plan.target].priority = s->plan.swap_target;
        end_cmd(s, MST_FO_OK, 0, 20);
        return;
    case MST_FO_WAIT:
    case MST_FO_STOP_BACKUP:
    case MST_FO_FINISHED:
        break;
    }
}

static void do_event(struct fs_sim *s, struct fs_event *e)
{
    struct fs_member *m = &s->m[e->member < 0 ? 0 : e->member];

    e->due_ms = -1;
    e->in = s->f.state;
    switch (e->thing) {
    case FS_KILL:
        m->alive = m->writable = false;
        m->state = MST_MS_DOWN;
        m->died_ms = s->now;
        break;
    case FS_REVIVE:
        if (!m->alive) {
            m->alive = true;
            m->state = MST_MS_SECONDARY;
            m->hold_until = 0;
        }
        break;
    case FS_CUT:
        m->cut = true;
        break;
    case FS_UNCUT:
        m->cut = false;
        break;
    case FS_UNDO:
        s->undo = true;
        break;
    case FS_NOTE_LOST:
        s->note_lost = true;
        break;
    case FS_JUMP:
        s->jumped = true;
        break;
    case FS_TERM:
        if (m->alive && m->state == MST_MS_SECONDARY) {
            wins(s, (size_t)e->member);
        }
        break;
    case FS_RECONFIG:
        s->version++;
        break;
    case FS_STUCK:
    case FS_UNSTUCK:
        m->stuck = e->thing == FS_STUCK;
        break;
    case FS_ROLLBACK:
        m->rbid++;
        break;
    case FS_RECOVERING:
    case FS_SECONDARY:
        if (m->alive && m->state != MST_MS_PRIMARY) {
            m->state = e->thing == FS_SECONDARY ? MST_MS_SECONDARY : MST_MS_RECOVERING;
        }
        break;
    case FS_BACKUP_ENDS:
        s->backup_runs = false;
        break;
    }
}

void fs_poll(struct fs_sim *s, size_t i)
{
    const struct fs_member *m = &s->m[i];
    struct mst_fo_seen *v = &s->seen[i];
    const int64_t old_died = s->m[s->plan.primary].died_ms;

    v->tried_ms = s->now;
    if (!m->alive || m->cut) {
        return;
    }
    *v = (struct mst_fo_seen){.at_ms = s->now,
                              .tried_ms = s->now,
                              .writable = m->writable,
                              .has_status = !s->plan.members[i].arbiter,
                              .state = s->plan.members[i].arbiter ? MST_MS_ARBITER : m->state,
                              .term = m->term,
                              .applied = m->applied,
                              .committed = m->committed,
                              .applied_wall_ms = m->wall_ms,
                              .config_version = s->version,
                              .config_term = -1,
                              .rbid = m->no_rbid || s->plan.members[i].arbiter ? -1 : m->rbid,
                              .catching_up = m->state == MST_MS_PRIMARY && !m->writable,
                              .catch_up_ops = -1,
                              .maintenance = m->maintenance,
                              .sees_primary_down =
                                  !s->m[s->plan.primary].alive && s->now - old_died > 3000};
    if (m->state != MST_MS_PRIMARY && fs_primary(s) >= 0) {
        memcpy(v->sync_source, s->plan.members[fs_primary(s)].name, sizeof(v->sync_source));
    }
}

void fs_tick(struct fs_sim *s)
{
    int p;

    s->now += FS_TICK;
    for (size_t i = 0; i < s->n_events; i++) {
        if (s->events[i].due_ms > 0 && s->now >= s->events[i].due_ms) {
            do_event(s, &s->events[i]);
        }
    }
    p = fs_primary(s);
    if (p >= 0 && votes_alive(s) * 2 <= votes_all(s)) {
        s->m[p].state = MST_MS_SECONDARY;
        s->m[p].writable = false;
        p = -1;
    }
    if (p >= 0 && !s->m[p].writable && s->m[p].writable_at != 0 && s->now >= s->m[p].writable_at &&
        !(s->cmd.leaving && (int)s->cmd.a.member == p)) {
        s->m[p].writable = true;
        s->m[p].writable_at = 0;
    }
    if (p >= 0 && s->m[p].writable) {
        write_one(s, (size_t)p);
    }
    for (size_t i = 0; p >= 0 && i < s->n; i++) {
        if ((int)i != p && s->m[i].alive) {
            replicate(s, i, p);
        }
    }
    if (p >= 0) {
        commit(s, p);
    }
    if (s->cmd.busy && !s->cmd.arrived && s->now >= s->cmd.arrive_ms) {
        arrive(s);
    }
    if (s->cmd.busy && s->cmd.leaving) {
        leaving(s);
    }
    if (s->cmd.busy && !s->cmd.ended && s->now >= s->cmd.give_up_ms) {
        end_cmd(s, MST_FO_NO_ANSWER, 0, 0);
    }
    elections(s);
    for (size_t i = 0; i < s->n; i++) {
        if ((s->now / FS_TICK + (int64_t)i * 3) % (s->poll_ms / FS_TICK) == 0) {
            fs_poll(s, i);
        }
    }
}
