/* machine_before.c: the states in which writes still work: turning back costs nothing. */
#include "failover/machine_own.h"

#define RECHECK_MS 3000
#define QUIESCE_MS 60000
#define CATCHUP_MS 60000
#define CATCHUP_SAMPLES 4
#define SAMPLE_MS 200
#define LAG_MAX_MS 10000

static const char *seat(const struct mst_fo *f)
{
    return mst_fo_member(f, f->plan->primary);
}

/* Does what members say contradict the plan? */
static bool moved(const struct mst_fo_at *a, char why[160])
{
    const struct mst_fo_plan *p = a->f->plan;
    const size_t pr = (size_t)p->primary;
    const struct mst_fo_seen *s = &a->p->m[pr];

    for (size_t i = 0; i < p->n; i++) {
        const struct mst_fo_seen *m = &a->p->m[i];

        if (mst_fo_status(a, i) && m->term > p->term) {
            mst_fo_put(why, 160, "%s is in term %lld already, the plan is for term %lld",
                       p->members[i].name, (long long)m->term, (long long)p->term);
            return true;
        }
        if (i != pr && mst_fo_fresh(a, i) && m->writable) {
            mst_fo_put(why, 160, "%s says that it is primary, too", p->members[i].name);
            return true;
        }
    }
    if (!mst_fo_fresh(a, pr)) {
        return false;
    }
    if (!s->writable) {
        mst_fo_put(why, 160, "%s does not take writes any more", p->members[pr].name);
        return true;
    }
    if (s->has_status &&
        (s->config_version != p->config_version ||
         (s->config_term >= 0 && p->config_term >= 0 && s->config_term != p->config_term))) {
        mst_fo_put(why, 160, "the configuration moved to version %lld, the plan is for %lld",
                   (long long)s->config_version, (long long)p->config_version);
        return true;
    }
    return false;
}

/* What every state before the step down turns back for. True: it did. */
static bool turned_back(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    char why[160];

    if (f->note_lost) {
        mst_fo_abort(a, "our exclusive note in the oplog is gone");
    } else if (f->undo_asked) {
        mst_fo_abort(a, "stopped on request");
    } else if (f->defect_no_recheck) {
        return false;
    } else if (moved(a, why)) {
        mst_fo_abort(a, "%s", why);
    } else if (mst_fo_silent(a, (size_t)f->plan->primary)) {
        mst_fo_abort(a, "%s does not answer", seat(f));
    } else {
        return false;
    }
    return true;
}

/* How far is whoever may win? The nearest, -1 unknown; `at_ms` is when that one answered. */
static int64_t heir_lag_ms(const struct mst_fo_at *a, int64_t *at_ms)
{
    const struct mst_fo *f = a->f;
    const size_t pr = (size_t)f->plan->primary;
    int64_t best = -1;

    *at_ms = 0;
    for (size_t i = 0; i < f->plan->n; i++) {
        int64_t lag;

        if (!mst_fo_may_win(f, i) || !mst_fo_is(a, i, MST_MS_SECONDARY) || a->p->m[i].maintenance ||
            !mst_fo_status(a, pr)) {
            continue;
        }
        lag = mst_fo_lag_ms(a, pr, i);
        if (lag >= 0 && (best < 0 || lag < best)) {
            best = lag;
            *at_ms = a->p->m[i].at_ms;
        }
    }
    return best;
}

static const char *heir_name(const struct mst_fo *f)
{
    return f->plan->target >= 0 ? mst_fo_member(f, f->plan->target) : "any member that may win";
}

/* Within `limit` each? why says what is not. */
static bool close_enough(const struct mst_fo_at *a, int64_t heir_ms, int64_t majority_ms,
                         int64_t *at_ms, char why[160])
{
    const struct mst_fo *f = a->f;
    const size_t pr = (size_t)f->plan->primary;
    const int64_t lag = heir_lag_ms(a, at_ms);
    int64_t commit;

    if (!mst_fo_status(a, pr)) {
        mst_fo_put(why, 160, "%s did not answer", seat(f));
        return false;
    }
    if (lag < 0) {
        mst_fo_put(why, 160, "%s did not say that it is a secondary, and how far", heir_name(f));
        return false;
    }
    if (lag > heir_ms) {
        mst_fo_put(why, 160, "%s is %.1f s behind, %.1f s are allowed", heir_name(f),
                   (double)lag / 1000, (double)heir_ms / 1000);
        return false;
    }
    commit = mst_fo_commit_lag_ms(a, pr);
    if (commit < 0) {
        mst_fo_put(why, 160, "how far a majority is, is not known");
        return false;
    }
    if (commit > majority_ms) {
        mst_fo_put(why, 160, "the majority is %.0f s behind, %.1f s are allowed",
                   (double)commit / 1000, (double)majority_ms / 1000);
        return false;
    }
    return true;
}

bool mst_fo_recheck(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    char why[160] = "";
    int64_t at;

    if (turned_back(a)) {
        return false;
    }
    if (f->defect_no_recheck || close_enough(a, LAG_MAX_MS, f->plan->catch_up_s * 1000, &at, why)) {
        mst_fo_detail(f, "term %lld, configuration %lld: as planned", (long long)f->plan->term,
                      (long long)f->plan->config_version);
        mst_fo_enter(a, MST_FO_QUIESCE);
        return false;
    }
    if (f->now_ms - f->since_ms >= RECHECK_MS) {
        return mst_fo_abort(a, "%s", why);
    }
    return mst_fo_wait(a, CLOSE_MS);
}

bool mst_fo_quiesce(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;

    if (turned_back(a)) {
        return false;
    }
    if (a->p->backups_stopped) {
        mst_fo_enter(a, MST_FO_CATCHUP);
        return false;
    }
    if (f->step == 0) {
        f->step = 1;
        a->out->what = MST_FO_STOP_BACKUP;
        return true;
    }
    if (f->now_ms - f->since_ms >= QUIESCE_MS) {
        return mst_fo_abort(a, "our own backup did not give way within %d s", QUIESCE_MS / 1000);
    }
    return mst_fo_wait(a, POLL_MS);
}

bool mst_fo_catchup(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    char why[160] = "";
    int64_t at = 0;

    if (turned_back(a)) {
        return false;
    }
    if (!close_enough(a, f->plan->lag_ok_ms, f->plan->lag_ok_ms, &at, why)) {
        f->calm = 0;
        mst_fo_detail(f, "%s", why);
    } else if (at >= f->mark_ms + SAMPLE_MS) { /* a new answer, not the same once more */
        f->mark_ms = at;
        f->calm++;
        mst_fo_detail(f, "%d of %d looks were close", f->calm, CATCHUP_SAMPLES);
    }
    if (f->calm >= CATCHUP_SAMPLES) {
        mst_fo_enter(a, MST_FO_FREEZE);
        return false;
    }
    if (f->now_ms - f->since_ms >= CATCHUP_MS) {
        return mst_fo_abort(a, "%s", why[0] != '\0' ? why : "too few answers came in 60 s");
    }
    return mst_fo_wait(a, POLL_MS);
}

/* What came of the last freeze or thaw. True: the state was left, or it waits (*waits). */
static bool freeze_failed(struct mst_fo_at *a, bool *waits)
{
    struct mst_fo *f = a->f;
    const int m = (int)f->last_member;
    char said[128];

    *waits = false;
    if (!f->has_last || f->last.outcome == MST_FO_OK) {
        if (f->has_last) {
            f->done_mask |= UINT64_C(1) << m;
            f->has_last = false;
        }
        return false;
    }
    if (m == f->plan->target && f->last.outcome == MST_FO_NO_ANSWER && f->tries == 0) {
        if (mst_fo_fresh(a, (size_t)m)) { /* it answers again: a thaw may be asked once more */
            f->tries++;
            f->has_last = false;
            return false;
        }
        if (f->now_ms - f->floor_ms < FREEZE_TIMEOUT_MS) {
            *waits = true;
            return true;
        }
    }
    if (f->last.outcome == MST_FO_SAID_NO && f->last.code == 95) {
        mst_fo_abort(a, "%s became candidate or primary (code 95)", mst_fo_member(f, m));
    } else {
        mst_fo_abort(a, "%s of %s: %s", m == f->plan->target ? "thaw" : "freeze",
                     mst_fo_member(f, m), mst_fo_said(f, said));
    }
    return true;
}

bool mst_fo_freeze(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const struct mst_fo_plan *p = f->plan;
    bool waits;
    size_t n = 0;

    if (freeze_failed(a, &waits)) {
        return waits ? mst_fo_wait(a, CLOSE_MS) : false;
    }
    if (turned_back(a)) {
        return false;
    }
    if (p->act == MST_GUARD_SWITCHOVER && (f->done_mask & (UINT64_C(1) << p->target)) == 0) {
        return mst_fo_send(a, MST_FO_SEND_FREEZE, (size_t)p->target, 0, FREEZE_TIMEOUT_MS);
    }
    for (size_t i = 0; i < p->n && !f->defect_no_freeze; i++) {
        if (!mst_fo_rival(f, i)) {
            continue;
        }
        if ((f->done_mask & (UINT64_C(1) << i)) == 0) {
            return mst_fo_send(a, MST_FO_SEND_FREEZE, i, p->freeze_s, FREEZE_TIMEOUT_MS);
        }
        n++;
    }
    mst_fo_detail(f, "%zu frozen for %lld s", n, (long long)p->freeze_s);
    mst_fo_enter(a, MST_FO_STEPDOWN);
    return false;
}

/* Nothing is sent on what was true before the freezes: one look at primary and heir first. */
static bool last_look(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    char why[160] = "";
    int64_t at = 0;

    if (f->defect_no_recheck || close_enough(a, LAG_MAX_MS, f->plan->catch_up_s * 1000, &at, why)) {
        f->t0_ms = f->now_ms;
        f->hard_ms = f->now_ms;
        f->step = 1;
        return mst_fo_send(a, MST_FO_SEND_STEPDOWN, (size_t)f->plan->primary, f->plan->step_down_s,
                           (f->plan->catch_up_s + 35) * 1000);
    }
    if (f->now_ms - f->since_ms >= RECHECK_MS) {
        return mst_fo_abort(a, "%s", why);
    }
    return mst_fo_wait(a, CLOSE_MS);
}

static bool refused(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const double s = (double)(f->last.came_ms - f->last.sent_ms) / 1000;
    char said[128];

    switch (f->last.code) {
    case 262:
        return mst_fo_abort(a,
                            "nobody caught up in time (code 262): writes were refused for up "
                            "to %.1f s; look at what lags",
                            s);
    case 24:
        return mst_fo_abort(a,
                            "the lock of the state change was not free (code 24): operations "
                            "were killed for %.1f s; look at long ones",
                            s);
    case 117:
        return mst_fo_abort(a, "somebody else is stepping it down (code 117)");
    case 13:
        return mst_fo_abort(a, "the step down is not allowed to us (code 13)");
    default:
        return mst_fo_abort(a, "the step down was %s", mst_fo_said(f, said));
    }
}

static bool left_before(const struct mst_fo *f)
{
    return f->last.outcome == MST_FO_SAID_NO && (f->last.code == 10107 || f->last.code == 189);
}

/* Every reachable member was tried again since the last look; three of these in 5 s. */
static bool looked(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;

    if (f->look_ms == 0) {
        f->look_ms = f->now_ms;
        f->mark_ms = f->now_ms;
        f->looks = 0;
    }
    for (size_t i = 0; i < f->plan->n; i++) {
        if (f->plan->members[i].reachable && a->p->m[i].tried_ms <= f->mark_ms) {
            return f->now_ms - f->look_ms >= 5000;
        }
    }
    f->mark_ms = f->now_ms;
    return ++f->looks >= 3 || f->now_ms - f->look_ms >= 5000;
}

/* The reply does not tell: what do members say? */
static bool look(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const size_t pr = (size_t)f->plan->primary;
    char said[128];

    mst_fo_said(f, said);
    if (mst_fo_writable(a) >= 0) {
        mst_fo_detail(f, "%s, but a new term has begun", said);
        mst_fo_enter(a, MST_FO_CERTIFY);
        return false;
    }
    if (!looked(a)) {
        return mst_fo_wait(a, CLOSE_MS);
    }
    if (mst_fo_fresh(a, pr) && a->p->m[pr].writable) {
        return mst_fo_abort(a, "the step down had no effect (%s)", said);
    }
    if (mst_fo_is(a, pr, MST_MS_SECONDARY)) {
        if (left_before(f)) {
            return mst_fo_turn(a, MST_FO_UNDO, "%s had left the seat for another reason", seat(f));
        }
        f->proven_left = true;
        mst_fo_detail(f, "%s, but %s has left the seat", said, seat(f));
        mst_fo_enter(a, MST_FO_CERTIFY);
        return false;
    }
    if (!mst_fo_fresh(a, pr) && mst_fo_silent(a, pr)) {
        mst_fo_detail(f, "%s, and %s does not answer", said, seat(f));
        mst_fo_enter(a, MST_FO_CERTIFY);
        return false;
    }
    if (f->now_ms >= mst_fo_deadline(f)) { /* still leaving: the attempt may hang */
        return mst_fo_turn(a, MST_FO_UNDO, "%s neither left nor took writes in time", seat(f));
    }
    return mst_fo_wait(a, CLOSE_MS);
}

bool mst_fo_stepdown(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;

    if (f->step == 0) {
        return turned_back(a) ? false : last_look(a);
    }
    if (f->step == 1 && f->last.outcome == MST_FO_SAID_NO && !mst_fo_vague(f->last.code) &&
        !left_before(f)) {
        return refused(a);
    }
    if (f->step == 1 && f->last.outcome == MST_FO_OK) {
        f->proven_left = true;
        mst_fo_enter(a, MST_FO_CERTIFY);
        return false;
    }
    f->step = 2;
    return look(a);
}
