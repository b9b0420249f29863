/* machine_switch.c: from the step down to the last of three notes: writes stop, nothing rests. */
#include "base/text.h"
#include "failover/machine_own.h"

#define CERTIFY_MS 5000
#define STEP_UP_MS 10000
#define STEP_UP_TRIES 3
#define APART_MS 1000      /* between two step ups, and between two notes */
#define CATCH_UP_MS 120000 /* from t0: longer is not waited for a winner that catches up */
#define PROBE_MS 60000
#define NOTE_FAILURES 3
#define LOST_MS 5000 /* a winner that does not show itself for so long is lost */

bool mst_fo_route(struct mst_fo_at *a, int w)
{
    struct mst_fo *f = a->f;
    const struct mst_fo_plan *p = f->plan;

    f->winner = w;
    f->new_term = a->p->m[w].term;
    f->probes = 0;
    if (w == p->primary) {
        return mst_fo_turn(a, MST_FO_UNDO, "%s was elected again", mst_fo_member(f, w));
    }
    if (p->act == MST_GUARD_STEPDOWN || w == p->target) {
        f->diverted = false;
        mst_fo_detail(f, "%s is writable in term %lld", mst_fo_member(f, w),
                      (long long)f->new_term);
        mst_fo_enter(a, MST_FO_PROBE);
        return false;
    }
    if (f->cert == MST_FO_CERT_OPTIME) { /* it was about another member */
        f->cert = MST_FO_CERT_NONE;
        f->cert_target = (struct mst_optime){.term = -1};
        mst_fo_put(f->cert_why, sizeof(f->cert_why), "%s won, which was not looked at before",
                   mst_fo_member(f, w));
    }
    f->diverted = true;
    if (++f->diverts > 3) {
        return mst_fo_turn(a, MST_FO_UNKNOWN, "the seat moved again and again");
    }
    return mst_fo_turn(a, MST_FO_DIVERTED, "%s won the election in term %lld", mst_fo_member(f, w),
                       (long long)f->new_term);
}

/* Why there is no certificate (yet). */
static void why_none(const struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const int old = f->plan->primary;

    if (f->cert != MST_FO_CERT_NONE) {
        return;
    }
    if (mst_fo_elected(a) >= 0) {
        mst_fo_put(f->cert_why, sizeof(f->cert_why),
                   "the election was over before the last position of %s was read",
                   mst_fo_member(f, old));
    } else if (!f->final_known && (f->old_lost || !mst_fo_fresh(a, (size_t)old))) {
        mst_fo_put(f->cert_why, sizeof(f->cert_why),
                   "%s did not answer: its last position is not known", mst_fo_member(f, old));
    } else if (!f->final_known) {
        mst_fo_put(f->cert_why, sizeof(f->cert_why),
                   "%s did not say its last position as a secondary", mst_fo_member(f, old));
    } else if (f->plan->act == MST_GUARD_STEPDOWN) {
        mst_fo_put(f->cert_why, sizeof(f->cert_why),
                   "no majority of votes was seen at the last position of %s",
                   mst_fo_member(f, old));
    } else {
        mst_fo_put(f->cert_why, sizeof(f->cert_why), "%s was not seen at the last position of %s",
                   mst_fo_member(f, f->plan->target), mst_fo_member(f, old));
    }
}

bool mst_fo_certify(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const size_t old = (size_t)f->plan->primary;
    const bool elected = mst_fo_elected(a) >= 0;

    why_none(a);
    if (f->undo_asked && !elected) {
        return mst_fo_turn(a, MST_FO_UNDO, "stopped on request");
    }
    if (f->cert == MST_FO_CERT_NONE && !elected && f->now_ms - f->since_ms < CERTIFY_MS &&
        (f->final_known || !mst_fo_silent(a, old))) {
        return mst_fo_wait(a, CLOSE_MS);
    }
    mst_fo_detail(f, "%s",
                  f->cert == MST_FO_CERT_OPTIME       ? "certified: nothing can be lost"
                  : f->cert == MST_FO_CERT_CONTINUITY ? "certified by continuity"
                                                      : f->cert_why);
    mst_fo_enter(a, MST_FO_STEPUP);
    return false;
}

/* The server hands the seat to its heir itself: a moment for it before we ask. */
static bool hand_off_due(const struct mst_fo *f)
{
    const int64_t et = f->plan->election_timeout_ms;
    const int64_t grace = et > 0 && et / 10 < 1000 ? et / 10 : 1000;

    return f->tries == 0 && f->plan->heir == f->plan->target && f->now_ms - f->since_ms < grace;
}

bool mst_fo_stepup(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const struct mst_fo_plan *p = f->plan;
    const int64_t left = mst_fo_deadline(f) - f->now_ms;
    char text[160];

    if (mst_fo_elected(a) >= 0 || p->act == MST_GUARD_STEPDOWN || !p->step_up || left < 2000 ||
        f->undo_asked || (f->has_last && f->last.outcome == MST_FO_OK) ||
        f->now_ms - f->since_ms >= STEP_UP_MS) {
        mst_fo_enter(a, MST_FO_AWAIT);
        return false;
    }
    if (f->has_last) {
        f->has_last = false;
        f->mark_ms = f->now_ms;
        mst_fo_detail(f, "try %d: %s", f->tries, mst_fo_said(f, text));
    }
    if (f->tries >= STEP_UP_TRIES) {
        mst_fo_enter(a, MST_FO_AWAIT);
        return false;
    }
    if (hand_off_due(f) || (f->tries > 0 && f->now_ms - f->mark_ms < APART_MS)) {
        return mst_fo_wait(a, CLOSE_MS);
    }
    if (!mst_fo_may_step_up(a, (size_t)p->target, text)) {
        mst_fo_detail(f, "not asked: %s", text);
        return mst_fo_wait(a, CLOSE_MS);
    }
    f->tries++;
    return mst_fo_send(a, MST_FO_SEND_STEPUP, (size_t)p->target, 0,
                       left < STEP_UP_TIMEOUT_MS ? left : STEP_UP_TIMEOUT_MS);
}

static void tell_catch_up(const struct mst_fo_at *a, int w)
{
    struct mst_fo *f = a->f;
    const int64_t ops = a->p->m[w].catch_up_ops;

    if (ops >= 0) {
        mst_fo_detail(f, "%s won and catches up, %lld %s so far; waiting up to %d s",
                      mst_fo_member(f, w), (long long)ops,
                      mst_text_noun((uint64_t)ops, "operation", "operations"), CATCH_UP_MS / 1000);
    } else {
        mst_fo_detail(f, "%s won and is not writable yet; waiting up to %d s", mst_fo_member(f, w),
                      CATCH_UP_MS / 1000);
    }
}

bool mst_fo_await(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const int w = mst_fo_writable(a), e = mst_fo_elected(a);

    if (w >= 0) {
        if (f->defect_done_at_writable) {
            f->winner = w;
            return mst_fo_finish(a, MST_FO_DONE, "%s is writable", mst_fo_member(f, w));
        }
        return mst_fo_route(a, w);
    }
    if (e >= 0) { /* it won: whoever would be stepped up now would drive out a live primary */
        tell_catch_up(a, e);
        if (f->now_ms < f->hard_ms + CATCH_UP_MS) {
            return mst_fo_wait(a, CLOSE_MS);
        }
        return mst_fo_turn(a, MST_FO_UNDO, "%s won but did not become writable in %d s",
                           mst_fo_member(f, e), CATCH_UP_MS / 1000);
    }
    if (f->undo_asked) {
        return mst_fo_turn(a, MST_FO_UNDO, "stopped on request");
    }
    if (f->now_ms >= mst_fo_deadline(f)) {
        return mst_fo_turn(a, MST_FO_UNDO, "no new primary took writes within %.0f s",
                           (double)(f->now_ms - f->t0_ms) / 1000);
    }
    return mst_fo_wait(a, CLOSE_MS);
}

/* The reply to a note, counted. */
static void count_note(struct mst_fo *f)
{
    char said[128];

    f->has_last = false;
    f->mark_ms = f->last.came_ms;
    if (f->last.outcome != MST_FO_OK) {
        f->tries++;
        mst_fo_detail(f, "note on %s: %s", mst_fo_member(f, f->winner), mst_fo_said(f, said));
        return;
    }
    f->probe_ms[f->probes++] = f->last.came_ms - f->last.sent_ms;
    mst_fo_detail(f, "%d of 3 majority notes, %lld ms", f->probes,
                  (long long)f->probe_ms[f->probes - 1]);
    if (f->first_probe_ms == 0) {
        f->first_probe_ms = f->last.came_ms;
        f->gap_ms = f->first_probe_ms - f->t0_ms;
    }
}

/* The winner is not to be seen. */
static bool probe_lost(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;

    if (f->now_ms - f->good_ms < LOST_MS) {
        return mst_fo_wait(a, CLOSE_MS);
    }
    return mst_fo_turn(a, MST_FO_UNDO, "%s was primary and is so no more",
                       mst_fo_member(f, f->winner));
}

bool mst_fo_probe(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const int top = mst_fo_writable(a);

    if (f->has_last) {
        count_note(f);
    }
    if (f->probes >= 3) {
        mst_fo_enter(a, MST_FO_SETTLE);
        return false;
    }
    if (top >= 0 && (top != f->winner || a->p->m[top].term != f->new_term)) {
        if (++f->diverts > 3) {
            return mst_fo_turn(a, MST_FO_UNKNOWN, "the seat moved again and again");
        }
        return mst_fo_route(a, top);
    }
    if (top < 0) {
        return probe_lost(a);
    }
    f->good_ms = f->now_ms;
    if (f->tries >= NOTE_FAILURES || f->now_ms - f->since_ms >= PROBE_MS) {
        mst_fo_missing(f, "majority writes through %s fail", mst_fo_member(f, f->winner));
        mst_fo_enter(a, MST_FO_SETTLE);
        return false;
    }
    if (f->probes + f->tries > 0 && f->now_ms - f->mark_ms < APART_MS) {
        return mst_fo_wait(a, CLOSE_MS);
    }
    return mst_fo_send(a, MST_FO_SEND_NOTE, (size_t)f->winner, 0, NOTE_TIMEOUT_MS);
}

bool mst_fo_diverted(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;

    f->has_last = false;
    switch (mst_fo_lift(a, mst_fo_keep_old(f))) {
    case MST_FO_LIFT_SENT:
        return true;
    case MST_FO_LIFT_WAITS:
        if (f->now_ms - f->since_ms < 10000) {
            return mst_fo_wait(a, CLOSE_MS);
        }
        break;
    case MST_FO_LIFT_NOTHING:
        break;
    }
    mst_fo_enter(a, MST_FO_PROBE);
    return false;
}
