/* machine_back.c: the ways back: abort, undo, and only looking on. */
#include "failover/machine_own.h"

#define ABORT_MS 10000
#define UNDO_MS 30000
#define UNDO_PROBE_MS 45000
#define UNKNOWN_MS 90000
#define UNDO_TRIES 3

static int64_t election_ms(const struct mst_fo *f)
{
    const int64_t et = f->plan->election_timeout_ms > 0 ? f->plan->election_timeout_ms : 10000;

    return et * 115 / 100;
}

bool mst_fo_aborting(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const enum mst_fo_lift lift = mst_fo_lift(a, 0);
    const bool in_time = f->now_ms - f->since_ms < ABORT_MS;
    char who[160], held[200];

    f->has_last = lift == MST_FO_LIFT_SENT ? f->has_last : false;
    if (lift == MST_FO_LIFT_SENT) {
        return true;
    }
    if (in_time && (lift == MST_FO_LIFT_WAITS || mst_fo_anybody(a) < 0)) {
        return mst_fo_wait(a, POLL_MS);
    }
    mst_fo_who(a, who);
    mst_fo_holds_text(f, held);
    if (held[0] != '\0') {
        return mst_fo_finish(a, MST_FO_UNSURE,
                             "stopped: %.120s; %.70s; the thaw was not confirmed: %.90s", f->cause,
                             who, held);
    }
    if (f->t0_ms != 0 && mst_fo_anybody(a) < 0) {
        return mst_fo_finish(a, MST_FO_UNSURE, "stopped: %.140s; %.80s: look at 'muster status'",
                             f->cause, who);
    }
    return mst_fo_finish(a, MST_FO_ABORTED, "stopped: %.140s; %.80s; nothing of ours stays",
                         f->cause, who);
}

/* One more member that was not told yet that it may stand, the old primary first. */
static bool thaw_next(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const struct mst_fo_plan *p = f->plan;

    for (size_t k = 0; k <= p->n; k++) {
        const size_t i = k == 0 ? (size_t)p->primary : k - 1;
        const uint64_t bit = UINT64_C(1) << i;

        if ((f->done_mask & bit) != 0 || !p->members[i].reachable || p->members[i].arbiter ||
            !(p->members[i].electable || (int)i == p->primary) || mst_fo_silent(a, i) ||
            (mst_fo_fresh(a, i) && a->p->m[i].writable)) {
            continue;
        }
        f->done_mask |= bit;
        f->lift_tries[i]++;
        return mst_fo_send(a, MST_FO_SEND_FREEZE, i, 0, FREEZE_TIMEOUT_MS);
    }
    return false;
}

/* Whom to step up: the old primary, unless somebody has more than it. -1: nobody to be seen. */
static int best_heir(const struct mst_fo_at *a)
{
    const struct mst_fo_plan *p = a->f->plan;
    int best = mst_fo_is(a, (size_t)p->primary, MST_MS_SECONDARY) ? p->primary : -1;

    for (size_t i = 0; i < p->n; i++) {
        if ((int)i == p->primary || !p->members[i].electable || !p->members[i].reachable ||
            !mst_fo_is(a, i, MST_MS_SECONDARY) || a->p->m[i].maintenance) {
            continue;
        }
        if (best < 0 || mst_optime_cmp(a->p->m[i].applied, a->p->m[best].applied) > 0) {
            best = (int)i;
        }
    }
    return best;
}

static bool undo_step_up(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const int heir = best_heir(a);
    char why[160];

    if (!f->plan->step_up || f->tries >= UNDO_TRIES || heir < 0 || mst_fo_elected(a) >= 0 ||
        (f->tries > 0 && f->now_ms - f->mark_ms < 1000)) {
        return mst_fo_wait(a, CLOSE_MS);
    }
    if (!mst_fo_may_step_up(a, (size_t)heir, why)) {
        mst_fo_detail(f, "no step up: %s", why);
        return mst_fo_wait(a, CLOSE_MS);
    }
    f->tries++;
    mst_fo_detail(f, "step up of %s", mst_fo_member(f, heir));
    return mst_fo_send(a, MST_FO_SEND_STEPUP, (size_t)heir, 0, STEP_UP_TIMEOUT_MS);
}

static bool undone(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const int old = f->plan->primary;
    char held[200];

    f->winner = old;
    f->new_term = a->p->m[old].term;
    mst_fo_holds_text(f, held);
    return mst_fo_finish(a, MST_FO_UNDONE,
                         "undone (%.100s): %.60s is primary again and takes majority writes%s%.70s",
                         f->cause, mst_fo_member(f, old), held[0] != '\0' ? "; " : "", held);
}

/* The old primary is writable: once more a note. */
static bool undo_probe(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;

    if (f->calm >= UNDO_TRIES || f->now_ms - f->since_ms >= UNDO_PROBE_MS) {
        mst_fo_missing(f, "our majority notes through it failed");
        return mst_fo_turn(a, MST_FO_UNKNOWN, "majority writes through %s fail",
                           mst_fo_member(f, f->plan->primary));
    }
    if (f->calm > 0 && f->now_ms - f->mark_ms < 1000) {
        return mst_fo_wait(a, CLOSE_MS);
    }
    return mst_fo_send(a, MST_FO_SEND_NOTE, (size_t)f->plan->primary, 0, NOTE_TIMEOUT_MS);
}

/* What came of the last command of the undo. */
static void undo_heard(struct mst_fo *f)
{
    if (!f->has_last) {
        return;
    }
    f->has_last = false;
    f->mark_ms = f->last.came_ms;
    if (f->last_what != MST_FO_SEND_NOTE) {
        return;
    }
    if (f->last.outcome != MST_FO_OK) {
        f->calm++;
        return;
    }
    f->probes = 1;
    f->probe_ms[0] = f->last.came_ms - f->last.sent_ms;
    if (f->gap_ms < 0) {
        f->first_probe_ms = f->last.came_ms;
        f->gap_ms = f->first_probe_ms - f->t0_ms;
    }
}

bool mst_fo_undo(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const size_t old = (size_t)f->plan->primary;
    const int w = mst_fo_writable(a);
    const bool back = mst_fo_status(a, old) && a->p->m[old].writable && (w < 0 || w == (int)old);
    const int64_t spent = f->now_ms - f->since_ms;

    if (f->step == 0) {
        f->probes = 0;
        f->step = 1;
    }
    undo_heard(f);
    if (w >= 0 && w != (int)old) {
        return mst_fo_route(a, w);
    }
    if (thaw_next(a)) {
        return true;
    }
    switch (mst_fo_lift(a, 0)) {
    case MST_FO_LIFT_SENT:
        return true;
    case MST_FO_LIFT_WAITS:
        if (back && f->probes > 0 && spent < UNDO_MS) {
            return mst_fo_wait(a, CLOSE_MS);
        }
        break;
    case MST_FO_LIFT_NOTHING:
        break;
    }
    if (f->probes > 0 && back) {
        return undone(a);
    }
    if (back) {
        return undo_probe(a);
    }
    if (spent >= UNDO_MS) {
        return mst_fo_turn(a, MST_FO_UNKNOWN, "nobody took writes within %d s of the undo",
                           UNDO_MS / 1000);
    }
    return undo_step_up(a);
}

/* Nothing was written by us: what says that majority writes work is the commit point, which has
 * reached the primary's own term. */
static bool commits(const struct mst_fo_at *a, int w)
{
    const int64_t lag = mst_fo_commit_lag_ms(a, (size_t)w);

    return lag >= 0 && lag <= 10000 && a->p->m[w].committed.term == a->p->m[w].term;
}

static bool classify(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const struct mst_fo_plan *p = f->plan;
    int w = mst_fo_writable(a);
    char held[200], who[160];
    const char *sep;

    mst_fo_holds_text(f, held);
    mst_fo_who(a, who);
    sep = held[0] != '\0' ? "; " : "";
    if (w < 0 && mst_fo_status(a, (size_t)p->primary) && a->p->m[p->primary].writable) {
        w = p->primary;
    }
    if (w < 0) {
        return mst_fo_finish(a, MST_FO_UNSURE,
                             "not known how it ended (%.90s): %.50s%s%.70s; look at 'muster "
                             "status' before anything else",
                             f->cause, who, sep, held);
    }
    f->winner = w;
    f->new_term = a->p->m[w].term;
    if (!commits(a, w)) {
        mst_fo_missing(f, "no majority write was seen in term %lld", (long long)f->new_term);
    } else if (w != p->primary && (p->act == MST_GUARD_STEPDOWN || w == p->target)) {
        mst_fo_missing(f, "no three notes of ours were written through it");
    } else if (f->n_missing == 0) {
        return mst_fo_finish(a, w == p->primary ? MST_FO_UNDONE : MST_FO_OTHER,
                             "%.100s (%.90s); a majority commits in its term%s%.80s", who, f->cause,
                             sep, held);
    }
    return mst_fo_finish(a, MST_FO_INCOMPLETE, "%.80s (%.80s), but %.70s%s%.60s: check it", who,
                         f->cause, mst_fo_lacks(f, true), sep, held);
}

bool mst_fo_unknown(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const int64_t spent = f->now_ms - f->since_ms;

    f->has_last = false;
    if (mst_fo_holds(f, -1) > 0 || (mst_fo_elected(a) >= 0 && mst_fo_writable(a) < 0)) {
        f->mark_ms = f->now_ms;
    }
    mst_fo_detail(f, "nothing is sent; looking on for up to %lld s more",
                  (long long)((UNKNOWN_MS - spent) / 1000));
    if (f->now_ms - f->mark_ms < election_ms(f) && spent < UNKNOWN_MS) {
        return mst_fo_wait(a, POLL_MS);
    }
    return classify(a);
}
