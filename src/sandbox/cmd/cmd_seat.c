/* cmd_seat.c: what moves the primary's seat: step down, step up, freeze, the end of catch-up. */
#include <inttypes.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/facts.h"
#include "set/set.h"
#include "wire/client.h"
#include "world/hooks.h"

#define KILL_EVERY_MS 10 /* what holds the lock is killed that often */

bool sbx_need_config(struct sbx_call *c)
{
    if (!c->m->has_config) {
        sbx_fail(c, 94, "no replset config has been received");
    }
    return c->m->has_config;
}

/* Seconds of an argument as the server takes them: a number, else the default. */
static int64_t seconds(const struct sbx_call *c, const char *key, int64_t missing)
{
    int64_t v = missing;

    (void)sbx_doc_int(c->cmd, key, &v);
    return v;
}

struct attempt { /* a step-down */
    int64_t period_s, wait_s, began_mono, term;
    bool force;
};

static bool step_down_arguments(struct sbx_call *c, struct attempt *a)
{
    a->force = sbx_doc_true(c->cmd, "force");
    a->period_s = seconds(c, c->name, 0);
    if (a->period_s == 0) {
        a->period_s = 60;
    } else if (a->period_s < 0) {
        sbx_fail(c, 2, "stepdown period must be a positive integer");
        return false;
    }
    a->wait_s = seconds(c, "secondaryCatchUpPeriodSecs", a->force ? 0 : 10);
    if (a->wait_s < 0) {
        sbx_fail(c, 2, "secondaryCatchUpPeriodSecs period must be a positive or absent");
    } else if (a->period_s < a->wait_s && !sbx_doc_has(c->cmd, "secondaryCatchUpPeriodSecs")) {
        a->wait_s = a->period_s;
    } else if (a->period_s < a->wait_s) {
        sbx_fail(c, 2, "stepdown period must be longer than secondaryCatchUpPeriodSecs");
    }
    return !c->failed;
}

/* Is this still the seat that the attempt began on? */
static bool still_sits(struct sbx_call *c, const struct attempt *a)
{
    if (c->m->state == SBX_PRIMARY && c->m->term == a->term) {
        return true;
    }
    sbx_fail(c, 189,
             "While waiting for secondaries to catch up before stepping down, this node decided to "
             "step down for other reasons");
    return false;
}

/* The lock of state changes: what writes is killed until it can be had. It is waited for as long as
 * the secondaries are (a forced step-down: as long as the penalty); a process that waits longer
 * than it is told to ends itself. */
static bool take_lock(struct sbx_call *c, const struct attempt *a)
{
    const int64_t limit_s = a->force ? a->period_s : a->wait_s;
    const int64_t deadline = a->began_mono + limit_s * 1000;

    sbx_ops_kill(c->m);
    sbx_hooks_leaving(c->m);
    while (!sbx_lock_free(c->m, sbx_mono(c->w))) {
        const int64_t now = sbx_mono(c->w);

        if (now >= deadline) {
            sbx_fail(c, 24,
                     "Unable to acquire X lock on '{ReplicationStateTransition}' within %" PRId64
                     "ms",
                     limit_s * 1000);
            return false;
        }
        const int64_t next = now + KILL_EVERY_MS < deadline ? now + KILL_EVERY_MS : deadline;
        if (sbx_wait(c, next) == SBX_INTERRUPTED || !still_sits(c, a)) {
            return false;
        }
        sbx_ops_kill(c->m);
    }
    return true;
}

/* Wait for a majority and an heir. False: it failed, writes go on. */
static bool wait_caught_up(struct sbx_call *c, const struct attempt *a)
{
    const int64_t deadline = a->began_mono + a->wait_s * 1000;
    char when[MST_TIME_MAX];

    while (!sbx_caught_up(c->m)) {
        if (sbx_mono(c->w) >= deadline) {
            if (a->force) {
                return true;
            }
            (void)mst_time_iso_ms(sbx_utc(c->w), when);
            when[strcspn(when, "Z")] = '\0';
            sbx_fail(c, 262,
                     "No electable secondaries caught up as of %s+0000. Please use the "
                     "replSetStepDown command with the argument {force: true} to force node to "
                     "step down.",
                     when);
            return false;
        }
        if (sbx_wait(c, deadline) == SBX_INTERRUPTED || !still_sits(c, a)) {
            return false;
        }
    }
    return true;
}

/* One try, and nobody hears of its failure: the heir may be frozen, or out of reach. */
static void hand_over(struct sbx_member *m, int heir)
{
    struct sbx_member *h = &m->w->members[heir];

    if (sbx_linked(m->w, m->index, h->index)) {
        h->elections.step_up_called++;
        (void)sbx_stand(h, "stepUpRequestSkipDryRun", true);
    }
}

static void leave_seat(struct sbx_call *c, const struct attempt *a)
{
    struct sbx_member *m = c->m;
    const bool hand_off = !a->force && !m->dials.no_hand_off && sbx_caught_up(m);
    const int heir = hand_off ? sbx_heir(m) : -1;

    m->no_stand_until = sbx_mono(c->w) + a->period_s * 1000;
    sbx_become_secondary(m);
    if (heir >= 0) {
        hand_over(m, heir);
    }
}

static bool may_step_down(struct sbx_call *c)
{
    if (c->m->state != SBX_PRIMARY) {
        sbx_fail(c, 10107, "not primary so can't step down");
    } else if (c->m->stepping_down || c->m->fall_due_mono != 0) {
        sbx_fail(c, 117, "This node is already in the process of stepping down");
    }
    return !c->failed;
}

static void cmd_step_down(struct sbx_call *c)
{
    struct sbx_member *m = c->m;
    struct attempt a = {.began_mono = sbx_mono(c->w), .term = m->term};

    if (!sbx_need_config(c) || !step_down_arguments(c, &a) || !may_step_down(c)) {
        return;
    }
    m->writable = false;
    m->stepping_down = true;
    m->topology++;
    sbx_changed(c->w);
    const uint32_t generation = m->generation;
    const bool go = take_lock(c, &a) && wait_caught_up(c, &a);
    if (m->generation != generation || m->state != SBX_PRIMARY || m->term != a.term) {
        return;
    }
    m->stepping_down = false;
    m->lock_since_mono = 0;
    if (go) {
        leave_seat(c, &a);
        return;
    }
    m->writable = m->fall_due_mono == 0 && !m->draining;
    m->topology++;
    sbx_changed(c->w);
}

static void cmd_step_up(struct sbx_call *c)
{
    struct sbx_member *m = c->m;
    const bool skip = sbx_doc_true(c->cmd, "skipDryRun");

    if (!sbx_need_config(c) || m->state == SBX_PRIMARY) {
        return;
    }
    m->elections.step_up_called++;
    if (sbx_stand(m, skip ? "stepUpRequestSkipDryRun" : "stepUpRequest", skip)) {
        while (sbx_standing(m)) {
            if (sbx_wait(c, INT64_MAX) == SBX_INTERRUPTED) {
                return;
            }
        }
    }
    if (m->state != SBX_PRIMARY) {
        sbx_fail(c, 125, "Election failed.");
    }
}

static void cmd_freeze(struct sbx_call *c)
{
    struct sbx_member *m = c->m;
    const int64_t secs = seconds(c, c->name, 0);

    if (!sbx_need_config(c)) {
        return;
    }
    if (secs < 0) {
        sbx_fail(c, 2, "seconds must be non-negative"); /* not recorded */
        return;
    }
    if (m->state == SBX_PRIMARY || sbx_standing(m)) {
        sbx_fail(c, 95, "cannot freeze node when primary or running for election. state: %s",
                 m->state == SBX_PRIMARY ? "Primary" : "Candidate");
        return;
    }
    sbx_freeze(m, secs);
    if (secs == 0) {
        BSON_APPEND_UTF8(c->reply, "info", "unfreezing");
    } else if (secs == 1) {
        BSON_APPEND_UTF8(c->reply, "warning", "you really want to freeze for only 1 second?");
    }
}

static void cmd_abort_catch_up(struct sbx_call *c)
{
    if (!sbx_need_config(c)) {
        return;
    }
    if (c->m->state != SBX_PRIMARY || !c->m->draining) {
        sbx_fail(c, 20, "The node is not in catch-up mode.");
        return;
    }
    c->m->catch_up_abort = true;
    sbx_due(c->w, 0);
    sbx_changed(c->w);
}

const struct sbx_cmd sbx_cmds_seat[] = {
    {"replSetStepDown", cmd_step_down, SBX_CMD_ADMIN, NULL},
    {"replSetStepUp", cmd_step_up, SBX_CMD_ADMIN, NULL},
    {"replSetFreeze", cmd_freeze, SBX_CMD_ADMIN, NULL},
    {"replSetAbortPrimaryCatchUp", cmd_abort_catch_up, SBX_CMD_ADMIN, NULL},
    {0},
};
