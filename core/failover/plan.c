/* plan.c: from facts to a plan: whom to freeze, what to send, what it costs, what undoes it. */
#include "failover/plan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "failover/inner.h"

#define LAG_OK_MS 2000
#define HARD_STOP_MS 30000
#define FREEZE_SPARE_MS 15000 /* a freeze outlasts the hard stop by this */
#define CALM_MS 30000
#define HOST "%.40s"

/* --- facts into numbers --- */

static enum mst_rc check_numbers(const struct mst_guard_facts *f, struct mst_err *err)
{
    if (f->step_down_s < 1 || f->step_down_s > MST_FO_HOLD_MAX_S || f->freeze_s < 1 ||
        f->freeze_s > MST_FO_HOLD_MAX_S) {
        return mst_err_set(err, MST_E_USAGE,
                           "freeze and step down must be 1 to %d s: whoever dies in between leaves "
                           "a set that heals by itself",
                           MST_FO_HOLD_MAX_S);
    }
    if (f->catch_up_s < 1 || f->catch_up_s > MST_FO_CATCH_UP_MAX_S ||
        f->catch_up_s > f->step_down_s) {
        return mst_err_set(err, MST_E_USAGE,
                           "the catch-up time must be 1 to %d s and not above the %lld s of the "
                           "step down: writes wait for it",
                           MST_FO_CATCH_UP_MAX_S, (long long)f->step_down_s);
    }
    return MST_OK;
}

static enum mst_rc check_facts(const struct mst_guard_facts *f, struct mst_err *err)
{
    if (f->n > MST_TOPO_MAX || f->n_overrides > MST_GUARD_OVERRIDES) {
        return mst_err_set(err, MST_E_PRECOND,
                           "more than %d members, or than %d overrides, cannot be planned",
                           MST_TOPO_MAX, MST_GUARD_OVERRIDES);
    }
    if (f->primary < 0 || (size_t)f->primary >= f->n) {
        return mst_err_set(err, MST_E_PRECOND,
                           "there is no writable primary to move: see 'muster status'");
    }
    if (f->act == MST_GUARD_SWITCHOVER && (f->target < 0 || (size_t)f->target >= f->n)) {
        return mst_err_set(err, MST_E_PRECOND, "there is no target: choose a member of the set");
    }
    if (f->act == MST_GUARD_SWITCHOVER && f->target == f->primary) {
        return mst_err_set(err, MST_E_PRECOND, "%.100s is the primary already",
                           f->members[f->target].name);
    }
    return check_numbers(f, err);
}

static void take_members(const struct mst_guard_facts *f, struct mst_fo_plan *p)
{
    char why[96];

    p->n = f->n;
    for (size_t i = 0; i < f->n; i++) {
        const struct mst_guard_member *m = &f->members[i];

        (void)mst_copy(p->members[i].name, sizeof(p->members[i].name), m->name);
        mst_text_sanitise(p->members[i].name);
        p->members[i].id = m->id;
        p->members[i].priority = m->priority;
        p->members[i].votes = m->votes;
        p->members[i].arbiter = m->arbiter;
        p->members[i].data = !m->arbiter;
        p->members[i].electable = mst_guard_electable(m, why);
        p->members[i].reachable = m->answered;
        p->members[i].rbid = m->stats_known ? m->rbid : -1;
    }
}

/* Who would take the seat from whoever gets it, and after how long it is safe to say nobody did. */
static void take_rivalry(const struct mst_guard_facts *f, struct mst_fo_plan *p)
{
    const int seat = p->target >= 0 ? p->target : p->heir;
    const double old = f->members[f->primary].priority;
    int64_t delay = -1;
    const int rival = mst_guard_takeover(f, seat, &delay);

    p->swap_target = NAN;
    p->swap_old = NAN;
    p->return_ms = -1;
    p->takeover_ms = p->election_timeout_ms * 115 / 100 + p->heartbeat_ms;
    if (p->after == MST_AFTER_STAY && p->target >= 0 && old > f->members[p->target].priority) {
        p->swap_target = old;
        p->swap_old = f->members[p->target].priority;
    }
    if (rival < 0) {
        return;
    }
    if (p->after == MST_AFTER_VISIT) {
        p->return_ms = delay + (rival == f->primary ? p->step_down_s * 1000 : 0);
    } else if (isnan(p->swap_target) || f->members[rival].priority > old) {
        /* Nothing stops it: it was accepted by an override, and has to be waited for. */
        p->takeover_ms =
            delay + p->heartbeat_ms > p->takeover_ms ? delay + p->heartbeat_ms : p->takeover_ms;
    }
}

static void take_numbers(const struct mst_guard_facts *f, struct mst_fo_plan *p)
{
    const int64_t limit = f->members[f->primary].fassert_s;
    int64_t freeze_ms;

    p->term = f->members[f->primary].term;
    p->config_version = f->config_version;
    p->config_term = f->config_term;
    p->election_timeout_ms = f->election_timeout_ms > 0 ? f->election_timeout_ms : 10000;
    p->heartbeat_ms = f->heartbeat_ms > 0 ? f->heartbeat_ms : 2000;
    p->step_down_s = f->step_down_s;
    p->freeze_s = f->freeze_s;
    p->catch_up_s = limit > 1 && f->catch_up_s >= limit ? limit - 1 : f->catch_up_s;
    p->lag_ok_ms = LAG_OK_MS;
    p->hard_stop_ms = HARD_STOP_MS;
    freeze_ms = (p->freeze_s < p->step_down_s ? p->freeze_s : p->step_down_s) * 1000;
    if (p->target >= 0 && freeze_ms - FREEZE_SPARE_MS < HARD_STOP_MS) {
        p->hard_stop_ms =
            freeze_ms > 2 * FREEZE_SPARE_MS ? freeze_ms - FREEZE_SPARE_MS : freeze_ms / 2;
    }
}

/* --- what the operator reads --- */

static void step(struct mst_fo_plan *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void step(struct mst_fo_plan *p, const char *fmt, ...)
{
    va_list ap;

    MST_ASSERT(p->n_steps < MST_FO_STEPS);
    va_start(ap, fmt);
    (void)vsnprintf(p->steps[p->n_steps], sizeof(p->steps[0]), fmt, ap);
    va_end(ap);
    mst_text_sanitise(p->steps[p->n_steps]);
    p->n_steps++;
}

static bool rival(const struct mst_fo_plan *p, size_t i)
{
    return p->target >= 0 && (int)i != p->target && (int)i != p->primary &&
           p->members[i].electable && p->members[i].reachable;
}

bool mst_fo_plan_thaws_late(const struct mst_fo_plan *p, size_t i)
{
    return rival(p, i) && !isnan(p->swap_target) &&
           p->members[i].priority > p->members[p->target].priority &&
           p->members[i].priority <= p->swap_target;
}

enum which { ALL, EARLY, LATE }; /* by when they are thawed */

/* "db2:27017, db4:27017", "db2:27017, db4:27017 and 4 more", "" */
static const char *rivals(const struct mst_fo_plan *p, enum which which, char list[100])
{
    size_t n = 0, at = 0;

    list[0] = '\0';
    for (size_t i = 0; i < p->n; i++) {
        if (!rival(p, i) || (which != ALL && mst_fo_plan_thaws_late(p, i) != (which == LATE))) {
            continue;
        }
        if (n++ < 2) {
            at += (size_t)snprintf(list + at, 100 - at, "%s%.36s", n > 1 ? ", " : "",
                                   p->members[i].name);
        }
    }
    if (n > 2) {
        (void)snprintf(list + at, 100 - at, " and %zu more", n - 2);
    }
    return list;
}

int64_t mst_fo_plan_calm_ms(const struct mst_fo_plan *p)
{
    const int64_t et = p->election_timeout_ms;

    return et > 0 && 3 * et < CALM_MS ? 3 * et : CALM_MS;
}

static void first_steps(struct mst_fo_plan *p, const char *old, const char *seat, const char *list)
{
    char of[MST_GUARD_TERM_MAX];

    step(p, "look again: term %lld, configuration %lld%s, one primary, lags", (long long)p->term,
         (long long)p->config_version, mst_guard_of_term(p->config_term, of));
    step(p, "our own backups that read from " HOST "%s" HOST " give way", old,
         p->target >= 0 ? " or " : "", p->target >= 0 ? seat : "");
    step(p, "wait until " HOST " and a majority are within %g s for 4 looks, 60 s at most", seat,
         (double)p->lag_ok_ms / 1000.0);
    if (p->target >= 0 && list[0]) {
        step(p, "replSetFreeze %lld on %s; replSetFreeze 0 on " HOST, (long long)p->freeze_s, list,
             seat);
    } else if (p->target >= 0) {
        step(p, "replSetFreeze 0 on " HOST ": there is no rival to freeze", seat);
    }
    p->stop_step = (int)p->n_steps;
    step(p,
         "replSetStepDown %lld, secondaryCatchUpPeriodSecs %lld on " HOST
         ": from here on writes are refused",
         (long long)p->step_down_s, (long long)p->catch_up_s, old);
    step(p, "certify: " HOST " has the last entry of " HOST ", 5 s at most", seat, old);
}

static void last_steps(struct mst_fo_plan *p, const char *old, const char *seat)
{
    const char *heir = p->heir >= 0 ? p->members[p->heir].name : "";
    char list[100], late[100];

    (void)rivals(p, EARLY, list);
    (void)rivals(p, LATE, late);

    if (p->target < 0) {
        step(p, "the server hands the seat to one that has caught up, by its rule %s" HOST,
             heir[0] ? "" : "nobody of now", heir);
    } else {
        step(p, "%s" HOST "; if it is not " HOST "%s",
             heir[0] ? "the server hands the seat to " : "no heir is known", heir, seat,
             p->step_up ? ", replSetStepUp there, 3 times at most"
                        : ", wait for its election timeout");
    }
    step(p, "wait until %s is writable in a term after %lld, %g s at most, else undo",
         p->target >= 0 ? "the target" : "one", (long long)p->term,
         (double)p->hard_stop_ms / 1000.0);
    step(p, "appendOplogNote with w majority on the new primary, 3 times");
    step(p,
         "%s%s%s" HOST " follows, rbid unchanged everywhere, nobody in ROLLBACK, for %g s on end",
         list[0] ? "replSetFreeze 0 on " : "", list, list[0] ? "; " : "", old,
         (double)mst_fo_plan_calm_ms(p) / 1000.0);
    if (!isnan(p->swap_target)) {
        step(p,
             "replSetReconfig, not forced, maxTimeMS 10000 on " HOST
             ": priority %g, and %g for " HOST,
             seat, p->swap_target, p->swap_old, old);
    }
    if (late[0]) {
        step(p, "replSetFreeze 0 on %s: not before, it would take the seat", late);
    }
    step(p, "watch %g s that nobody takes the seat", (double)p->takeover_ms / 1000.0);
    if (p->return_ms >= 0) {
        step(p, "later: a higher priority takes the seat back about %lld s after step %d",
             (long long)(p->return_ms + 999) / 1000, p->stop_step + 1);
    }
}

static void write_steps(struct mst_fo_plan *p)
{
    const char *old = p->members[p->primary].name;
    const char *seat = p->target >= 0 ? p->members[p->target].name : "an electable member";
    char list[100];

    p->n_steps = 0;
    (void)rivals(p, ALL, list);
    first_steps(p, old, seat, list);
    last_steps(p, old, seat);
    if (p->target >= 0) {
        (void)snprintf(p->undo, sizeof(p->undo),
                       "before step %d: %s%s. After it: replSetFreeze 0 on all, "
                       "replSetStepUp on " HOST ". Alone: all ends by itself in %lld s",
                       p->stop_step + 1, list[0] ? "replSetFreeze 0 on " : "nothing to undo", list,
                       old,
                       (long long)(p->freeze_s > p->step_down_s ? p->freeze_s : p->step_down_s));
    } else {
        (void)snprintf(p->undo, sizeof(p->undo),
                       "before step %d: nothing to undo. After it: replSetFreeze 0 and "
                       "replSetStepUp on " HOST ". Alone: it ends by itself in %lld s",
                       p->stop_step + 1, old, (long long)p->step_down_s);
    }
    mst_text_sanitise(p->undo);
}

/* The gap: the lock, what the target still has to fetch, one round trip for the hand-off and one
 * for the votes, the drain. A frozen heir costs a try of ours, or without it an election timeout.
 */
static void write_expect(const struct mst_guard_facts *f, struct mst_fo_plan *p)
{
    const int seat = p->target >= 0 ? p->target : p->heir;
    const struct mst_guard_member *m = seat >= 0 ? &f->members[seat] : NULL;
    int64_t rtt_us = 0, lag = -1, low, high;

    for (size_t i = 0; i < f->n; i++) {
        rtt_us = f->members[i].rtt_us > rtt_us ? f->members[i].rtt_us : rtt_us;
    }
    if (m && m->n_samples > 0 && m->n_samples <= MST_GUARD_SAMPLES) {
        lag = m->sample[m->n_samples - 1].lag_ms;
    }
    low = 200 + 3 * rtt_us / 1000;
    high = 2000 + 6 * rtt_us / 1000 + (lag > 0 ? lag : 0);
    if (p->target >= 0 && p->heir != p->target) {
        high += p->step_up ? 1000 : p->election_timeout_ms * 115 / 100;
    }
    (void)snprintf(
        p->expect, sizeof(p->expect),
        "writes stop for %.1f to %.1f s%s, at most %.0f s before the undo; tail at risk: "
        "none, the step down fails unless a majority has it",
        (double)low / 1000.0, (double)high / 1000.0, lag < 0 ? " (lag not measured)" : "",
        (double)p->hard_stop_ms / 1000.0);
}

enum mst_rc mst_fo_plan_make(const struct mst_guard_facts *f, const char *set_name,
                             const char *reason, const char *who, const char *host,
                             struct mst_fo_plan *out, struct mst_err *err)
{
    enum mst_rc rc = check_facts(f, err);

    if (rc != MST_OK) {
        return rc;
    }
    memset(out, 0, sizeof(*out));
    out->act = f->act;
    out->after = f->after;
    out->primary = f->primary;
    out->target = f->act == MST_GUARD_SWITCHOVER ? f->target : -1;
    out->heir = mst_guard_heir(f);
    out->step_up = out->target >= 0;
    mst_text_clean(out->set_name, sizeof(out->set_name), set_name, strlen(set_name));
    mst_text_clean(out->set_id, sizeof(out->set_id), f->members[f->primary].set_id,
                   strnlen(f->members[f->primary].set_id, sizeof(f->members[0].set_id)));
    mst_text_clean(out->reason, sizeof(out->reason), reason, strlen(reason));
    mst_text_clean(out->who, sizeof(out->who), who, strlen(who));
    mst_text_clean(out->host, sizeof(out->host), host, strlen(host));
    out->n_overrides = f->n_overrides;
    for (size_t i = 0; i < f->n_overrides; i++) {
        out->overrides[i].id = f->overrides[i].id;
        mst_text_clean(out->overrides[i].reason, sizeof(out->overrides[i].reason),
                       f->overrides[i].reason,
                       strnlen(f->overrides[i].reason, sizeof(f->overrides[i].reason)));
    }
    take_members(f, out);
    take_numbers(f, out);
    take_rivalry(f, out);
    write_steps(out);
    write_expect(f, out);
    mst_fo_plan_seal(out);
    return MST_OK;
}

/* --- does it still fit --- */

static enum mst_rc members_fit(const struct mst_fo_plan *p, const struct mst_guard_facts *now,
                               struct mst_err *err)
{
    if (p->n != now->n) {
        return mst_err_set(err, MST_E_STALE, "the set has %zu %s now, %zu were planned", now->n,
                           mst_text_noun(now->n, "member", "members"), p->n);
    }
    for (size_t i = 0; i < p->n; i++) {
        const struct mst_guard_member *m = &now->members[i];
        char why[96];

        if (strcmp(p->members[i].name, m->name) != 0 || p->members[i].id != m->id) {
            return mst_err_set(err, MST_E_STALE, "member %zu is %.100s now, not %.100s", i, m->name,
                               p->members[i].name);
        }
        if (p->members[i].priority != m->priority || p->members[i].votes != m->votes ||
            p->members[i].arbiter != m->arbiter) {
            return mst_err_set(err, MST_E_STALE, "priority, vote or kind of %.100s has changed",
                               m->name);
        }
        if (p->members[i].reachable && !m->answered) {
            return mst_err_set(err, MST_E_STALE, "%.100s does not answer any more", m->name);
        }
        if (p->members[i].rbid >= 0 && m->stats_known && m->rbid >= 0 &&
            p->members[i].rbid != m->rbid) {
            return mst_err_set(err, MST_E_STALE, "%.100s has rolled back meanwhile", m->name);
        }
        if (mst_guard_electable(m, why) != p->members[i].electable) {
            return mst_err_set(err, MST_E_STALE, "%.100s %s", m->name,
                               p->members[i].electable ? "may not be elected any more"
                                                       : "may be elected now and is not in the "
                                                         "plan as a rival");
        }
    }
    return MST_OK;
}

enum mst_rc mst_fo_plan_fits(const struct mst_fo_plan *p, const struct mst_guard_facts *now,
                             struct mst_err *err)
{
    const bool there = now->primary >= 0 && (size_t)now->primary < now->n;
    const struct mst_guard_member *m = there ? &now->members[now->primary] : NULL;

    if (now->act != p->act || now->after != p->after ||
        (p->act == MST_GUARD_SWITCHOVER && now->target != p->target)) {
        return mst_err_set(err, MST_E_STALE, "the plan is for another act or another target");
    }
    if (!m) {
        return mst_err_set(err, MST_E_STALE, "there is no writable primary any more");
    }
    if (strcmp(m->set_id, p->set_id) != 0) {
        return mst_err_set(err, MST_E_STALE,
                           "the set has id %.40s now, not %.40s: it is another set", m->set_id,
                           p->set_id);
    }
    if ((size_t)p->primary >= p->n || strcmp(m->name, p->members[p->primary].name) != 0) {
        return mst_err_set(err, MST_E_STALE, "%.100s is the primary now", m->name);
    }
    if (m->term != p->term) {
        return mst_err_set(err, MST_E_STALE, "there was an election: term %lld, not %lld",
                           (long long)m->term, (long long)p->term);
    }
    if (now->config_version != p->config_version || now->config_term != p->config_term) {
        char is[MST_GUARD_TERM_MAX], was[MST_GUARD_TERM_MAX];

        return mst_err_set(err, MST_E_STALE,
                           "the configuration has changed: version %lld%s, not %lld%s",
                           (long long)now->config_version, mst_guard_of_term(now->config_term, is),
                           (long long)p->config_version, mst_guard_of_term(p->config_term, was));
    }
    return members_fit(p, now, err);
}
