#include "failover/machine_own.h"

#define LIFT_TRIES 3

int64_t mst_fo_held_until(const struct mst_fo *f, size_t member)
{
    return member < MST_FO_FROZEN ? f->hold[member].until_ms : 0;
}

size_t mst_fo_holds(const struct mst_fo *f, int except)
{
    size_t n = 0;

    for (size_t i = 0; i < f->plan->n; i++) {
        n += f->hold[i].until_ms != 0 && (int)i != except;
    }
    return n;
}

bool mst_fo_vague(int code)
{
    static const int codes[] = {6, 7, 50, 89, 91, 9001, 10058, 11600, 11602, 13435, 13436};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

/* The latest moment at which it can end: a command may take effect until its answer is due. */
void mst_fo_hold_sent(struct mst_fo *f, const struct mst_fo_action *act)
{
    int64_t until = 0;

    if (act->what == MST_FO_SEND_STEPDOWN) {
        until = f->now_ms + (act->secs + f->plan->catch_up_s) * 1000;
    } else if (act->what == MST_FO_SEND_FREEZE && act->secs > 0) {
        until = f->now_ms + act->timeout_ms + act->secs * 1000;
    } else {
        return;
    }
    f->hold[act->member].until_ms = until;
    f->hold[act->member].secs = act->secs;
    f->lift_tries[act->member] = 0;
}

void mst_fo_hold_reply(struct mst_fo *f, const struct mst_fo_reply *r, enum mst_fo_do what,
                       size_t member, bool thaw)
{
    if (what != MST_FO_SEND_FREEZE && what != MST_FO_SEND_STEPDOWN) {
        return;
    }
    if (thaw) {
        f->lift_ms[member] = r->came_ms;
        if (r->outcome == MST_FO_OK) {
            f->hold[member].until_ms = 0;
        }
        return;
    }
    if (r->outcome == MST_FO_SAID_NO && !mst_fo_vague(r->code)) {
        f->hold[member].until_ms = 0; /* refused: nothing of it stands */
        return;
    }
    f->hold[member].until_ms = r->came_ms + f->hold[member].secs * 1000;
}

static double priority_now(const struct mst_fo *f, int i)
{
    const struct mst_fo_plan *p = f->plan;

    if (f->reconfigured && i == p->primary) {
        return p->swap_old;
    }
    return f->reconfigured && i == p->target ? p->swap_target : p->members[i].priority;
}

bool mst_fo_may_stand(const struct mst_fo *f, size_t i)
{
    return f->winner < 0 || f->winner == f->plan->primary ||
           priority_now(f, (int)i) <= priority_now(f, f->winner);
}

uint64_t mst_fo_keep_old(const struct mst_fo *f)
{
    const size_t old = (size_t)f->plan->primary;

    return mst_fo_may_stand(f, old) ? 0 : UINT64_C(1) << old;
}

/* May this one be asked now? A member that did not confirm is asked again only after it has
 * answered something: a look in between. */
static enum mst_fo_lift may_ask(const struct mst_fo_at *a, size_t i)
{
    const struct mst_fo *f = a->f;

    if (f->lift_tries[i] == 0) {
        return mst_fo_silent(a, i) ? MST_FO_LIFT_WAITS : MST_FO_LIFT_SENT;
    }
    if (f->lift_tries[i] >= LIFT_TRIES) {
        return MST_FO_LIFT_NOTHING;
    }
    if (a->p->m[i].at_ms > f->lift_ms[i] && f->now_ms - f->lift_ms[i] >= POLL_MS) {
        return MST_FO_LIFT_SENT;
    }
    return MST_FO_LIFT_WAITS;
}

enum mst_fo_lift mst_fo_lift(struct mst_fo_at *a, uint64_t keep)
{
    struct mst_fo *f = a->f;
    enum mst_fo_lift best = MST_FO_LIFT_NOTHING;

    for (size_t i = 0; i < f->plan->n; i++) {
        enum mst_fo_lift r;

        if (f->hold[i].until_ms == 0 || (keep & (UINT64_C(1) << i)) != 0) {
            continue;
        }
        r = may_ask(a, i);
        if (r == MST_FO_LIFT_SENT) {
            f->lift_tries[i]++;
            mst_fo_send(a, MST_FO_SEND_FREEZE, i, 0, FREEZE_TIMEOUT_MS);
            return MST_FO_LIFT_SENT;
        }
        if (r == MST_FO_LIFT_WAITS) {
            best = MST_FO_LIFT_WAITS;
        }
    }
    return best;
}

void mst_fo_holds_text(const struct mst_fo *f, char out[200])
{
    size_t used = 0, left = 0;
    int64_t last = 0;

    out[0] = '\0';
    for (size_t i = 0; i < f->plan->n; i++) {
        if (f->hold[i].until_ms == 0) {
            continue;
        }
        last = f->hold[i].until_ms > last ? f->hold[i].until_ms : last;
        if (used + 60 < 200 && left == 0) {
            char one[200];
            size_t k = 0;

            mst_fo_put(one, sizeof(one), "%s%.60s", used > 0 ? ", " : "", f->plan->members[i].name);
            while (one[k] != '\0' && used < 150) {
                out[used++] = one[k++];
            }
            out[used] = '\0';
        } else {
            left++;
        }
    }
    if (used > 0) {
        char more[40] = "";

        if (left > 0) {
            mst_fo_put(more, sizeof(more), " and %zu more", left);
        }
        mst_fo_put(out + used, 200 - used, "%s cannot be elected for %lld s", more,
                   (long long)((last - f->now_ms + 999) / 1000));
    }
}
