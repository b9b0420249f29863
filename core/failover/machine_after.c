/* machine_after.c: writes work again: thaw, let it settle, hand the priorities over, watch. */
#include "failover/machine_own.h"

#include <math.h>

#define SETTLE_MS 120000
#define OLD_BACK_MS 30000
#define LAG_MAX_MS 10000
#define BEHIND_MS 2000 /* so long it must last: see behind() */
#define RECONFIG_TRIES 3
#define INSTALLED_MS 5000
#define WATCH_MORE_MS 180000
#define LIFT_MS 10000 /* for thaws that were not confirmed */
#define LOST_MS 5000

/* The seat is where it was won. why says what is seen instead. */
static bool seat_stands(const struct mst_fo_at *a, bool *gone, char why[160])
{
    const struct mst_fo *f = a->f;
    const int top = mst_fo_writable(a);

    *gone = false;
    for (size_t i = 0; i < f->plan->n; i++) { /* also a term that nobody has won yet */
        if (mst_fo_status(a, i) && a->p->m[i].term > f->new_term) {
            mst_fo_put(why, 160, "%s is in term %lld: there was another election",
                       mst_fo_member(f, (int)i), (long long)a->p->m[i].term);
            *gone = true;
            return false;
        }
    }
    if (top != f->winner) {
        mst_fo_put(why, 160, "%s does not say that it takes writes", mst_fo_member(f, f->winner));
        return false;
    }
    for (size_t i = 0; i < f->plan->n; i++) {
        if ((int)i != top && mst_fo_fresh(a, i) && a->p->m[i].writable) {
            mst_fo_put(why, 160, "%s says that it is primary, too", mst_fo_member(f, (int)i));
            return false;
        }
    }
    return true;
}

/* On an idle set entries are ten seconds apart: for the moment until a member has the newest one,
 * or until its next answer tells so, it seems that far behind. Who really is stays so. */
static bool behind(struct mst_fo *f, size_t i, int64_t lag_ms)
{
    if (lag_ms >= 0 && lag_ms <= LAG_MAX_MS) {
        f->behind_ms[i] = 0;
        return false;
    }
    if (f->behind_ms[i] == 0) {
        f->behind_ms[i] = f->now_ms;
    }
    return lag_ms < 0 || f->now_ms - f->behind_ms[i] >= BEHIND_MS;
}

/* Is this member in its place behind the new primary? why says what is missing. */
static bool follows(const struct mst_fo_at *a, size_t i, char why[160])
{
    struct mst_fo *f = a->f;
    const struct mst_fo_seen *s = &a->p->m[i];
    const char *name = mst_fo_member(f, (int)i);
    int64_t lag;

    if (!mst_fo_fresh(a, i)) {
        mst_fo_put(why, 160, "%s does not answer", name);
        return false;
    }
    if (f->plan->members[i].arbiter) {
        return true;
    }
    if (!s->has_status || s->state != MST_MS_SECONDARY) {
        mst_fo_put(why, 160, "%s is %s, not a secondary", name,
                   s->has_status ? mst_mstate_name(s->state) : "without a status");
        return false;
    }
    if (s->sync_source[0] == '\0' || s->applied.term != f->new_term) {
        mst_fo_put(why, 160, "%s does not follow the new primary yet", name);
        return false;
    }
    lag = mst_fo_lag_ms(a, (size_t)f->winner, i);
    if (behind(f, i, lag)) {
        mst_fo_put(why, 160, "%s is %.0f s behind", name, (double)lag / 1000);
        return false;
    }
    return true;
}

/* Rollbacks are counted by the members; who did not tell the count has not told that none was. */
static void check_rollbacks(const struct mst_fo_at *a, bool unknown_too)
{
    struct mst_fo *f = a->f;

    for (size_t i = 0; i < f->plan->n; i++) {
        if ((f->rolled_mask & (UINT64_C(1) << i)) != 0) {
            mst_fo_missing(f, "%s rolled back", mst_fo_member(f, (int)i));
        } else if (unknown_too && f->plan->members[i].data && f->plan->members[i].reachable &&
                   mst_fo_fresh(a, i) && (a->p->m[i].rbid < 0 || f->plan->members[i].rbid < 0)) {
            mst_fo_missing(f, "whether %s rolled back is not known", mst_fo_member(f, (int)i));
        }
    }
}

static bool settled(struct mst_fo_at *a, bool *gone, char why[160])
{
    struct mst_fo *f = a->f;
    const size_t old = (size_t)f->plan->primary;

    if (!seat_stands(a, gone, why)) {
        return false;
    }
    f->good_ms = f->now_ms;
    for (size_t i = 0; i < f->plan->n; i++) {
        if ((int)i == f->winner || !f->plan->members[i].reachable || follows(a, i, why)) {
            continue;
        }
        if (f->now_ms - f->since_ms >= OLD_BACK_MS && (i == old || !mst_fo_fresh(a, i))) {
            mst_fo_missing(f, "%s was not back within %d s", mst_fo_member(f, (int)i),
                           OLD_BACK_MS / 1000);
            if (!mst_fo_fresh(a, i)) {
                continue; /* a member that is gone is told, not waited for */
            }
        }
        return false;
    }
    return true;
}

/* One sentence for an end that is not all of it. */
static bool incomplete(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    char who[160], held[200];

    mst_fo_who(a, who);
    mst_fo_holds_text(f, held);
    if (mst_fo_writable(a) < 0) {
        return mst_fo_finish(a, MST_FO_UNSURE,
                             "no member says that it takes writes (%.100s)%s%.100s: look at "
                             "'muster status' before anything else",
                             f->n_missing > 0 ? mst_fo_lacks(f, false) : f->cause,
                             held[0] != '\0' ? "; " : "", held);
    }
    return mst_fo_finish(a, MST_FO_INCOMPLETE,
                         "%.90s, but %.100s%s%.60s: look there before the "
                         "next step",
                         who, mst_fo_lacks(f, false), held[0] != '\0' ? "; " : "", held);
}

static bool swaps(const struct mst_fo_plan *p)
{
    return p->after == MST_AFTER_STAY && !isnan(p->swap_target) && !isnan(p->swap_old);
}

static bool finish_settled(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const struct mst_fo_plan *p = f->plan;

    if (f->n_missing > 0) {
        return incomplete(a);
    }
    if (f->diverted) {
        char held[200];

        mst_fo_holds_text(f, held);
        return mst_fo_finish(a, MST_FO_OTHER,
                             "%s won instead of %s and is primary in term %lld%s%s; it works, "
                             "plan again if it is to move",
                             mst_fo_member(f, f->winner), mst_fo_member(f, p->target),
                             (long long)f->new_term, held[0] != '\0' ? "; " : "", held);
    }
    if (p->after == MST_AFTER_VISIT && mst_fo_keep_old(f) != 0) {
        const int64_t left = p->return_ms < 0 ? -1 : f->t0_ms + p->return_ms - f->now_ms;

        if (left < 0) {
            return mst_fo_finish(a, MST_FO_DONE,
                                 "%s is primary in term %lld; %s takes the seat back soon, at a "
                                 "time that is not known",
                                 mst_fo_member(f, f->winner), (long long)f->new_term,
                                 mst_fo_member(f, p->primary));
        }
        return mst_fo_finish(a, MST_FO_DONE,
                             "%s is primary in term %lld; %s takes the seat back in about %lld s",
                             mst_fo_member(f, f->winner), (long long)f->new_term,
                             mst_fo_member(f, p->primary), (long long)((left + 999) / 1000));
    }
    if (f->undo_asked || f->note_lost) {
        mst_fo_missing(f, "%s before the end: who may take the seat back was not watched",
                       f->undo_asked ? "stopped on request" : "our exclusive note was lost");
        return incomplete(a);
    }
    mst_fo_enter(a, swaps(p) ? MST_FO_PRIORITIES : MST_FO_WATCH);
    return false;
}

/* Whoever is above the target, but not above the priority that it is going to get, would take the
 * seat as soon as it is thawed: it stays frozen until the reconfig, if that is still to come. */
static uint64_t keep_for_swap(const struct mst_fo *f)
{
    const struct mst_fo_plan *p = f->plan;
    uint64_t keep = 0;

    if (!swaps(p) || f->reconfigured || f->diverted || f->n_missing > 0 || f->undo_asked ||
        f->note_lost || f->winner != p->target) {
        return 0;
    }
    for (size_t i = 0; i < p->n; i++) {
        keep |= mst_fo_plan_thaws_late(p, i) ? UINT64_C(1) << i : 0;
    }
    return keep;
}

/* The winner has not been seen in the seat for so long, or somebody else is in it: then all may be
 * needed, and nobody is to be held. */
static bool seat_moved(const struct mst_fo_at *a)
{
    const int top = mst_fo_writable(a);

    return a->f->now_ms - a->f->good_ms >= LOST_MS || (top >= 0 && top != a->f->winner);
}

/* Whose freeze or penalty is not to be lifted yet? */
static uint64_t keep_held(const struct mst_fo_at *a)
{
    const struct mst_fo *f = a->f;
    const bool visit = f->plan->after == MST_AFTER_VISIT && !f->diverted && f->n_missing == 0;

    if (seat_moved(a)) {
        return 0;
    }
    return keep_for_swap(f) |
           (visit ? UINT64_C(1) << (size_t)f->plan->primary : mst_fo_keep_old(f));
}

/* It did not stay as it was won: the end waits for a primary to be told, but not for long. */
static bool seat_lost(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;

    check_rollbacks(a, true);
    f->look_ms = f->look_ms == 0 ? f->now_ms : f->look_ms;
    if (mst_fo_writable(a) < 0 &&
        f->now_ms - f->look_ms < (mst_fo_elected(a) >= 0 ? SETTLE_MS : OLD_BACK_MS)) {
        return mst_fo_wait(a, POLL_MS);
    }
    return incomplete(a);
}

static bool settle_on(struct mst_fo_at *a, bool calm, bool gone, const char *why)
{
    struct mst_fo *f = a->f;

    if (gone) {
        mst_fo_missing(f, "%s", why);
    }
    if (f->look_ms != 0 || gone || f->probes < 3) { /* calm would prove nothing */
        return seat_lost(a);
    }
    if (calm && f->now_ms - f->calm_ms >= mst_fo_plan_calm_ms(f->plan)) {
        check_rollbacks(a, true);
        return finish_settled(a);
    }
    if (f->now_ms - f->since_ms >= SETTLE_MS) {
        mst_fo_missing(f, "%s", calm ? "it was not calm for long enough" : why);
        check_rollbacks(a, true);
        return incomplete(a);
    }
    return mst_fo_wait(a, POLL_MS);
}

bool mst_fo_settle(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const enum mst_fo_lift lift = mst_fo_lift(a, keep_held(a));
    bool gone, calm;
    char why[160] = "";

    if (lift == MST_FO_LIFT_SENT) {
        return true;
    }
    f->has_last = false;
    calm = settled(a, &gone, why);
    if (calm) {
        f->calm_ms = f->calm_ms == 0 ? f->now_ms : f->calm_ms;
        mst_fo_detail(f, "calm for %lld of %lld s", (long long)(f->now_ms - f->calm_ms) / 1000,
                      (long long)mst_fo_plan_calm_ms(f->plan) / 1000);
    } else {
        f->calm_ms = 0;
        mst_fo_detail(f, "%s", why);
    }
    if (lift == MST_FO_LIFT_WAITS && f->now_ms - f->since_ms < LIFT_MS) {
        return mst_fo_wait(a, CLOSE_MS);
    }
    return settle_on(a, calm, gone, why);
}

/* Is the new configuration there, by the winner's own word? */
static bool installed(const struct mst_fo_at *a)
{
    const struct mst_fo *f = a->f;

    return mst_fo_status(a, (size_t)f->winner) &&
           a->p->m[f->winner].config_version > f->base_version;
}

/* No reconfig will come: whoever was kept frozen for it is thawed, then that is told. */
static bool give_up(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const enum mst_fo_lift lift = mst_fo_lift(a, mst_fo_keep_old(f));

    if (f->step == 0) {
        f->step = 1;
        f->mark_ms = f->now_ms;
    }
    if (lift == MST_FO_LIFT_SENT) {
        return true;
    }
    f->has_last = false;
    if ((lift == MST_FO_LIFT_WAITS || mst_fo_writable(a) < 0) && f->now_ms - f->mark_ms < LIFT_MS) {
        return mst_fo_wait(a, CLOSE_MS); /* after a thaw all are looked at again */
    }
    return incomplete(a);
}

/* After the one reconfig: what is true, whatever was said. */
static bool reconfig_said(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    char said[128];

    mst_fo_said(f, said);
    if (installed(a)) {
        f->reconfigured = true;
        if (f->last.outcome != MST_FO_OK) {
            mst_fo_warn(f, "the new priorities are installed, although the reply was: %s", said);
        }
        mst_fo_detail(f, "configuration %lld", (long long)a->p->m[f->winner].config_version);
        mst_fo_enter(a, MST_FO_WATCH);
        return false;
    }
    if (!mst_fo_status(a, (size_t)f->winner) || f->last.outcome != MST_FO_SAID_NO ||
        (f->last.code != 308 && f->last.code != 109)) {
        if (f->now_ms - f->last.came_ms < INSTALLED_MS) {
            return mst_fo_wait(a, CLOSE_MS);
        }
    } else if (f->tries < RECONFIG_TRIES) { /* nothing was changed, says the server */
        if (f->now_ms - f->last.came_ms < 1000) {
            return mst_fo_wait(a, CLOSE_MS);
        }
        f->has_last = false;
        return mst_fo_wait(a, CLOSE_MS);
    }
    if (!mst_fo_status(a, (size_t)f->winner)) { /* the watch looks for whoever is primary now */
        mst_fo_missing(f, "whether the priorities were changed is not known: %s did not answer",
                       mst_fo_member(f, f->winner));
        mst_fo_enter(a, MST_FO_WATCH);
        return false;
    }
    mst_fo_missing(f, "the priorities were not changed (%s): %s takes the seat back", said,
                   mst_fo_member(f, f->plan->primary));
    return give_up(a);
}

bool mst_fo_priorities(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    bool gone;
    char why[160] = "";

    if (f->step != 0) {
        return give_up(a);
    }
    if (f->has_last) {
        return reconfig_said(a);
    }
    if (f->undo_asked || f->note_lost) {
        mst_fo_missing(f, "stopped before the priorities were changed: %s takes the seat back",
                       mst_fo_member(f, f->plan->primary));
        return give_up(a);
    }
    if (!seat_stands(a, &gone, why)) {
        if (gone || f->now_ms - f->since_ms >= 10000) {
            mst_fo_missing(f, "%s", why);
            return give_up(a);
        }
        return mst_fo_wait(a, CLOSE_MS);
    }
    f->base_version = a->p->m[f->winner].config_version;
    f->tries++;
    return mst_fo_send(a, MST_FO_SEND_PRIORITIES, (size_t)f->winner, 0, RECONFIG_TIMEOUT_MS);
}

static bool finish_done(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;

    if (f->probes < 3 || f->n_missing > 0) {
        return incomplete(a);
    }
    return mst_fo_finish(
        a, MST_FO_DONE,
        "%s is primary in term %lld, writes stopped for %.1f s, "
        "%s; nothing is left to do%s%.100s",
        mst_fo_member(f, f->winner), (long long)f->new_term, (double)f->gap_ms / 1000,
        f->cert != MST_FO_CERT_NONE ? "nothing was lost" : "no certificate that nothing was lost",
        f->n_problems > 0 ? "; note: " : "", f->n_problems > 0 ? f->problems[0] : "");
}

/* What ends the watch early, told as a problem. */
static void watch_problems(struct mst_fo_at *a, bool gone, const char *why)
{
    struct mst_fo *f = a->f;

    check_rollbacks(a, false);
    if (gone || f->now_ms - f->good_ms >= LOST_MS) {
        mst_fo_missing(f, "%s", why);
        f->look_ms = f->look_ms == 0 ? f->now_ms : f->look_ms;
    }
    if (f->undo_asked || f->note_lost) {
        mst_fo_missing(f, "%s before the end: who may take the seat back was not watched",
                       f->undo_asked ? "stopped on request" : "our exclusive note was lost");
    }
    if (f->now_ms - f->since_ms >= f->plan->takeover_ms + WATCH_MORE_MS) {
        mst_fo_missing(f, "the watch did not come to its end");
    }
}

bool mst_fo_watch(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    enum mst_fo_lift lift;
    bool gone, stands;
    char why[160] = "";

    f->reconfigured |= f->base_version > 0 && installed(a);
    lift = mst_fo_lift(a, seat_moved(a) ? 0 : mst_fo_keep_old(f));
    if (lift == MST_FO_LIFT_SENT) {
        return true;
    }
    f->has_last = false;
    stands = seat_stands(a, &gone, why);
    f->good_ms = stands ? f->now_ms : f->good_ms;
    if (mst_fo_holds(f, -1) > 0) {
        f->mark_ms = f->now_ms;
        mst_fo_detail(f, "waiting for the last hold to end");
    } else if (!stands) {
        mst_fo_detail(f, "%s", why);
    } else {
        mst_fo_detail(f, "same primary for %lld of %lld s",
                      (long long)(f->now_ms - f->mark_ms) / 1000,
                      (long long)f->plan->takeover_ms / 1000);
    }
    watch_problems(a, gone, why);
    if (f->n_missing > 0) {
        if (lift == MST_FO_LIFT_WAITS && f->now_ms - f->since_ms < LIFT_MS) {
            return mst_fo_wait(a, CLOSE_MS);
        }
        return seat_lost(a);
    }
    if (stands && mst_fo_holds(f, -1) == 0 && f->now_ms - f->mark_ms >= f->plan->takeover_ms) {
        return finish_done(a);
    }
    return mst_fo_wait(a, POLL_MS);
}
