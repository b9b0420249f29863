#include "failover/machine_own.h"

bool mst_fo_fresh(const struct mst_fo_at *a, size_t i)
{
    const struct mst_fo_seen *s = &a->p->m[i];

    return i < a->p->n && s->at_ms > a->f->floor_ms && a->p->now_ms - s->at_ms <= FRESH_MS;
}

bool mst_fo_status(const struct mst_fo_at *a, size_t i)
{
    return mst_fo_fresh(a, i) && a->p->m[i].has_status;
}

bool mst_fo_is(const struct mst_fo_at *a, size_t i, enum mst_mstate s)
{
    return mst_fo_status(a, i) && a->p->m[i].state == s && !a->p->m[i].writable;
}

bool mst_fo_silent(const struct mst_fo_at *a, size_t i)
{
    const struct mst_fo_seen *s = &a->p->m[i];
    const int64_t since = s->at_ms > a->f->woke_ms ? s->at_ms : a->f->woke_ms;

    return s->tried_ms > since && a->p->now_ms - since > SILENT_MS;
}

int mst_fo_writable(const struct mst_fo_at *a)
{
    int best = -1;

    for (size_t i = 0; i < a->p->n; i++) {
        const struct mst_fo_seen *s = &a->p->m[i];

        if (mst_fo_status(a, i) && s->writable && s->term > a->f->plan->term &&
            (best < 0 || s->term > a->p->m[best].term)) {
            best = (int)i;
        }
    }
    return best;
}

int mst_fo_elected(const struct mst_fo_at *a)
{
    int best = -1;

    for (size_t i = 0; i < a->p->n; i++) {
        const struct mst_fo_seen *s = &a->p->m[i];

        if (mst_fo_status(a, i) && (s->writable || s->state == MST_MS_PRIMARY) &&
            s->term > a->f->plan->term && (best < 0 || s->term > a->p->m[best].term)) {
            best = (int)i;
        }
    }
    return best;
}

int mst_fo_anybody(const struct mst_fo_at *a)
{
    for (size_t i = 0; i < a->p->n; i++) {
        const struct mst_fo_seen *s = &a->p->m[i];

        if (mst_fo_fresh(a, i) && (s->writable || (s->has_status && s->state == MST_MS_PRIMARY))) {
            return (int)i;
        }
    }
    return -1;
}

static bool zero(struct mst_optime o)
{
    return mst_ts_zero(o.ts);
}

int64_t mst_fo_lag_ms(const struct mst_fo_at *a, size_t from, size_t i)
{
    const struct mst_fo_seen *p = &a->p->m[from], *s = &a->p->m[i];

    if (zero(p->applied) || zero(s->applied)) {
        return -1;
    }
    if (mst_optime_cmp(s->applied, p->applied) >= 0) {
        return 0;
    }
    if (p->applied_wall_ms > 0 && s->applied_wall_ms > 0) {
        return p->applied_wall_ms > s->applied_wall_ms ? p->applied_wall_ms - s->applied_wall_ms
                                                       : 0;
    }
    return ((int64_t)p->applied.ts.t - (int64_t)s->applied.ts.t) * 1000;
}

int64_t mst_fo_commit_lag_ms(const struct mst_fo_at *a, size_t primary)
{
    const struct mst_fo_seen *p = &a->p->m[primary];

    if (zero(p->applied) || zero(p->committed)) {
        return -1;
    }
    return p->applied.ts.t > p->committed.ts.t
               ? ((int64_t)p->applied.ts.t - (int64_t)p->committed.ts.t) * 1000
               : 0;
}

bool mst_fo_rival(const struct mst_fo *f, size_t i)
{
    const struct mst_fo_plan *p = f->plan;

    return p->act == MST_GUARD_SWITCHOVER && (int)i != p->target && (int)i != p->primary &&
           p->members[i].electable && p->members[i].reachable;
}

bool mst_fo_may_win(const struct mst_fo *f, size_t i)
{
    const struct mst_fo_plan *p = f->plan;

    if (p->act == MST_GUARD_SWITCHOVER) {
        return (int)i == p->target;
    }
    return (int)i != p->primary && p->members[i].electable && p->members[i].reachable;
}

/* Has a term begun that somebody may have won whom we do not see? */
static bool new_term(const struct mst_fo_at *a)
{
    for (size_t i = 0; i < a->f->plan->n; i++) {
        if (mst_fo_status(a, i) && a->p->m[i].term > a->f->plan->term) {
            return true;
        }
    }
    return false;
}

/* Every member was tried since the last command; who did not answer was no primary before. */
static bool looked_around(const struct mst_fo_at *a, char why[160])
{
    const struct mst_fo *f = a->f;
    const bool unsure = new_term(a);

    for (size_t i = 0; i < f->plan->n; i++) {
        const struct mst_fo_seen *s = &a->p->m[i];

        if (!f->plan->members[i].reachable || mst_fo_fresh(a, i)) {
            continue;
        }
        if (s->tried_ms <= f->floor_ms || s->at_ms > f->floor_ms) {
            mst_fo_put(why, 160, "%s was not looked at yet", mst_fo_member(f, (int)i));
            return false;
        }
        if ((int)i != f->plan->primary &&
            ((int)i == f->writer || s->writable || s->state == MST_MS_PRIMARY ||
             (unsure && f->plan->members[i].electable))) {
            mst_fo_put(why, 160, "%s does not answer us and may be primary",
                       mst_fo_member(f, (int)i));
            return false;
        }
    }
    return true;
}

bool mst_fo_may_step_up(const struct mst_fo_at *a, size_t i, char why[160])
{
    const struct mst_fo *f = a->f;
    const int old = f->plan->primary, now = mst_fo_anybody(a);

    if (now >= 0) {
        mst_fo_put(why, 160, "%s says that it is primary", mst_fo_member(f, now));
    } else if (!mst_fo_is(a, i, MST_MS_SECONDARY) || a->p->m[i].maintenance) {
        mst_fo_put(why, 160, "%s does not say that it is a secondary", mst_fo_member(f, (int)i));
    } else if (!looked_around(a, why)) {
        return false;
    } else if ((int)i != old && !mst_fo_fresh(a, (size_t)old) &&
               (new_term(a) || (!f->final_known && !f->proven_left)) &&
               !a->p->m[i].sees_primary_down) {
        mst_fo_put(why, 160, "%s does not answer us, but %s does not call it down",
                   mst_fo_member(f, old), mst_fo_member(f, (int)i));
    } else {
        return true;
    }
    return false;
}

int64_t mst_fo_deadline(const struct mst_fo *f)
{
    const int64_t freeze_ms = f->plan->freeze_s * 1000;
    const int64_t reserve = freeze_ms < 60000 ? freeze_ms / 4 : 15000;
    int64_t d;

    if (f->hard_ms == 0) {
        return INT64_MAX;
    }
    d = f->hard_ms + f->plan->hard_stop_ms;
    for (size_t i = 0; i < f->plan->n; i++) {
        const int64_t until = f->hold[i].until_ms;

        if (until != 0 && (int)i != f->plan->primary && until - reserve < d) {
            d = until - reserve;
        }
    }
    return d;
}

void mst_fo_who(const struct mst_fo_at *a, char out[160])
{
    int best = -1;

    for (size_t i = 0; i < a->p->n; i++) {
        if (mst_fo_fresh(a, i) && a->p->m[i].writable &&
            (best < 0 || a->p->m[i].term > a->p->m[best].term)) {
            best = (int)i;
        }
    }
    if (best < 0) {
        mst_fo_put(out, 160, "no member says that it takes writes");
    } else if (a->p->m[best].has_status) {
        mst_fo_put(out, 160, "%s is primary in term %lld", mst_fo_member(a->f, best),
                   (long long)a->p->m[best].term);
    } else {
        mst_fo_put(out, 160, "%s is primary", mst_fo_member(a->f, best));
    }
}

/* Does whoever may win hold the old primary's last entry? A member that holds it keeps it. */
static bool holds_final(const struct mst_fo_at *a, struct mst_optime *which)
{
    const struct mst_fo *f = a->f;
    const struct mst_fo_plan *p = f->plan;
    int votes = 0, have = 0;

    if (p->act == MST_GUARD_SWITCHOVER) {
        const struct mst_fo_seen *t = &a->p->m[p->target];

        *which = t->applied;
        return mst_fo_status(a, (size_t)p->target) && t->applied.term == p->term &&
               mst_optime_cmp(t->applied, f->final) >= 0;
    }
    which->term = -1;
    for (size_t i = 0; i < p->n; i++) {
        const struct mst_fo_seen *s = &a->p->m[i];

        votes += p->members[i].votes;
        if (p->members[i].arbiter || !mst_fo_status(a, i) || s->applied.term != p->term ||
            mst_optime_cmp(s->applied, f->final) < 0) {
            continue;
        }
        have += p->members[i].votes;
        if (which->term < 0 || mst_optime_cmp(s->applied, *which) < 0) {
            *which = s->applied;
        }
    }
    return have * 2 > votes; /* a majority: whoever wins has it */
}

static void certify_continuity(const struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const int old = f->plan->primary, w = mst_fo_writable(a);
    const struct mst_fo_seen *s = &a->p->m[old];
    const int64_t before = f->plan->members[old].rbid;
    int64_t read_ms = s->rbid_at_ms != 0 ? s->rbid_at_ms : s->at_ms;

    if (f->old_lost || w < 0 || w == old || !mst_fo_status(a, (size_t)old) || s->writable ||
        s->applied.term <= f->plan->term || s->applied.term > a->p->m[w].term) {
        return;
    }
    if (f->carried_ms == 0) {
        f->carried_ms = s->at_ms;
    }
    if (read_ms < f->carried_ms || before < 0 || s->rbid != before ||
        (f->rolled_mask & (UINT64_C(1) << old)) != 0) {
        return;
    }
    f->cert = MST_FO_CERT_CONTINUITY;
    f->cert_old = f->final_known ? f->final : f->last_old;
    f->cert_target = a->p->m[w].applied;
    f->cert_why[0] = '\0';
}

/* What proves that nothing is lost may show itself at any time after the step down. */
static void certify(const struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const size_t old = (size_t)f->plan->primary;
    const struct mst_fo_seen *s = &a->p->m[old];
    struct mst_optime which = {.term = -1};

    if (s->tried_ms > s->at_ms && !f->final_known) {
        f->old_lost = true; /* it may have restarted, and lost what was not on its disk */
    }
    if (!f->final_known && !f->old_lost && s->applied.term == f->plan->term &&
        (mst_fo_is(a, old, MST_MS_SECONDARY) || f->defect_no_final_optime)) {
        f->final = s->applied;
        f->final_known = true;
    }
    if (f->cert != MST_FO_CERT_NONE) {
        return;
    }
    if (f->final_known && mst_fo_elected(a) < 0 && holds_final(a, &which)) {
        f->cert = MST_FO_CERT_OPTIME;
        f->cert_old = f->final;
        f->cert_target = which;
        f->cert_why[0] = '\0';
        return;
    }
    certify_continuity(a);
}

static void observe_member(const struct mst_fo_at *a, size_t i)
{
    struct mst_fo *f = a->f;
    const struct mst_fo_seen *s = &a->p->m[i];
    const int64_t before = f->plan->members[i].rbid;

    if (f->hold[i].until_ms != 0 && f->now_ms > f->hold[i].until_ms) {
        f->hold[i].until_ms = 0; /* it has ended by itself */
    }
    if (!mst_fo_fresh(a, i)) {
        return;
    }
    if (s->writable && f->out.serial == 0) {
        f->hold[i].until_ms = 0; /* who is primary is neither frozen nor in penalty */
    }
    if ((before >= 0 && s->rbid >= 0 && s->rbid != before) ||
        (s->has_status && s->state == MST_MS_ROLLBACK)) {
        f->rolled_mask |= UINT64_C(1) << i;
    }
}

void mst_fo_observe(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const size_t old = (size_t)f->plan->primary;
    const struct mst_fo_seen *s = &a->p->m[old];
    int w;

    for (size_t i = 0; i < a->p->n && i < f->plan->n; i++) {
        observe_member(a, i);
    }
    if (s->at_ms != 0 && s->has_status && s->applied.term == f->plan->term &&
        (f->last_old.term < 0 || mst_optime_cmp(s->applied, f->last_old) > 0)) {
        f->last_old = s->applied;
    }
    if (f->t0_ms == 0) {
        return;
    }
    certify(a);
    w = mst_fo_writable(a);
    if (w < 0) {
        return;
    }
    f->writer = w;
    if (f->first_writable_ms == 0) {
        f->first_writable_ms = a->p->m[w].at_ms;
    }
}
