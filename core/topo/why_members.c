/* What is wrong with the members that could be elected. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "topo/derive.h"
#include "topo/why_own.h"

static const struct mst_why_held *held(const struct why_look *k, const char *name)
{
    for (size_t i = 0; i < k->ours->n_held; i++) {
        const struct mst_why_held *h = &k->ours->held[i];

        if (strcasecmp(h->member, name) == 0 && h->until_wall_ms > k->v->now_wall_ms) {
            return h;
        }
    }
    return NULL;
}

void why_held_by_us(struct why_look *k)
{
    const struct mst_topo_view *v = k->v;
    size_t n_held = 0, n_free = 0, first = 0;
    char evidence[sizeof(((struct mst_why *)0)->evidence)] = "", t[MST_TIME_MAX];
    struct mst_why *w;

    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];
        const struct mst_why_held *h = held(k, m->name);

        if (!why_electable(m) || m->shown != MST_SHOW_SECONDARY) {
            continue;
        }
        if (h) {
            first = n_held++ == 0 ? i : first;
            why_list(evidence, sizeof(evidence), "%.50s until %s (switch %s)", m->name,
                     mst_time_clock(h->until_wall_ms, t), h->run);
        } else {
            n_free++;
        }
    }
    if (n_held > 0 && n_free == 0) {
        w = why_found(k, MST_WHY_HELD);
        mst_topo_put(w->what, sizeof(w->what),
                     "every member that could be elected was asked by us not to stand");
        memcpy(w->evidence, evidence, sizeof(evidence));
        why_mongosh(w, v->members[first].name, "db.adminCommand({replSetFreeze: 0})");
    }
}

void why_catching_up(struct why_look *k)
{
    for (size_t i = 0; i < k->v->n; i++) {
        const struct mst_topo_member *m = &k->v->members[i];
        struct mst_why *w;

        if (m->shown != MST_SHOW_ELECT) {
            continue;
        }
        w = why_found(k, MST_WHY_CATCHING_UP);
        mst_topo_put(w->what, sizeof(w->what),
                     "%.100s was elected and fetches what it lacks before it takes writes",
                     m->name);
        if (m->catch_up_to.term >= 0 && !mst_ts_zero(m->applied.ts)) {
            const int64_t s = (int64_t)m->catch_up_to.ts.t - (int64_t)m->applied.ts.t;

            mst_topo_put(w->evidence, sizeof(w->evidence), "at %u:%u of %u:%u, %lld s to go",
                         m->applied.ts.t, m->applied.ts.i, m->catch_up_to.ts.t, m->catch_up_to.ts.i,
                         (long long)(s > 0 ? s : 0));
        } else {
            mst_topo_put(w->evidence, sizeof(w->evidence),
                         "how much is left is not told by its server");
        }
        if (m->catch_up_ops > 0) {
            why_list(w->evidence, sizeof(w->evidence), "%lld %s fetched",
                     (long long)m->catch_up_ops,
                     mst_text_noun((uint64_t)m->catch_up_ops, "operation", "operations"));
        }
        mst_topo_put(w->command, sizeof(w->command),
                     "muster observe   # wait: ending it (replSetAbortPrimaryCatchUp) gives up "
                     "writes");
        return;
    }
}

void why_priority_only(struct why_look *k)
{
    const struct mst_topo_view *v = k->v;
    char up[120] = "", gone[120] = "";
    const char *first = NULL;
    struct mst_why *w;

    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        if (!m->configured) {
            return;
        }
        if (why_fresh(k, i) && why_electable(m)) {
            return;
        }
        if (why_fresh(k, i)) {
            why_list(up, sizeof(up), "%.50s (%s)", m->name, m->arbiter ? "arbiter" : "priority 0");
        } else if (why_electable(m)) {
            why_list(gone, sizeof(gone), "%.50s", m->name);
            first = first ? first : m->name;
        }
    }
    w = why_found(k, MST_WHY_PRIORITY);
    mst_topo_put(w->what, sizeof(w->what), "only members that may never be primary are left");
    mst_topo_put(w->evidence, sizeof(w->evidence), "up: %s; needed: one of %s", up,
                 gone[0] ? gone : "nobody, the configuration has none");
    if (first) {
        mst_topo_put(w->command, sizeof(w->command),
                     "systemctl start mongod   # on the host of %.100s, or as it is started there",
                     first);
    }
}

void why_not_ready(struct why_look *k, bool stale)
{
    const struct mst_topo_view *v = k->v;
    struct mst_why *w = NULL;

    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];
        const bool waits = m->shown == MST_SHOW_RECOVERING || m->shown == MST_SHOW_STARTUP ||
                           m->shown == MST_SHOW_ROLLBACK;

        if (!why_told(k, i) || !why_electable(m) ||
            (stale ? !m->too_stale : m->too_stale || !waits)) {
            continue;
        }
        if (!w) {
            w = why_found(k, stale ? MST_WHY_TOO_STALE : MST_WHY_NOT_READY);
            mst_topo_put(w->what, sizeof(w->what),
                         stale ? "a member fell off the oplogs of the others and cannot be elected"
                               : "a member that could be elected is not a SECONDARY yet");
            if (stale) {
                mst_topo_put(w->command, sizeof(w->command),
                             "muster topology   # it needs an initial sync, which needs a primary");
            } else {
                why_mongosh(w, m->name, "db.adminCommand({getLog: \"global\"}).log.slice(-40)");
            }
        }
        why_list(w->evidence, sizeof(w->evidence), "%.60s is %s%s%.60s", m->name,
                 mst_shown_word(m->shown), m->info[0] ? ": " : "", m->info);
    }
}

void why_older(struct why_look *k)
{
    const struct mst_topo_view *v = k->v;
    int best = -1, fresher = -1, can = 0;
    struct mst_why *w;

    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        can += m->can_win;
        if (!why_told(k, i) || m->arbiter || mst_ts_zero(m->applied.ts) || m->votes <= 0) {
            continue;
        }
        if (why_electable(m) && m->shown == MST_SHOW_SECONDARY &&
            (best < 0 || mst_optime_cmp(m->applied, v->members[best].applied) > 0)) {
            best = (int)i;
        }
        if (fresher < 0 || mst_optime_cmp(m->applied, v->members[fresher].applied) > 0) {
            fresher = (int)i;
        }
    }
    if (best < 0 || can > 0 || fresher == best ||
        v->members[fresher].applied.ts.t <= v->members[best].applied.ts.t + k->l->stale_ms / 1000) {
        return;
    }
    w = why_found(k, MST_WHY_OLDER);
    mst_topo_put(w->what, sizeof(w->what),
                 "the newest member that may stand, %.60s, is older than a voter",
                 v->members[best].name);
    mst_topo_put(w->evidence, sizeof(w->evidence), "%.50s is at %u:%u, %.50s at %u:%u%s%.80s",
                 v->members[best].name, v->members[best].applied.ts.t,
                 v->members[best].applied.ts.i, v->members[fresher].name,
                 v->members[fresher].applied.ts.t, v->members[fresher].applied.ts.i,
                 v->members[fresher].vote_reason[0] ? "; it refused: " : "",
                 v->members[fresher].vote_reason);
    if (!strpbrk(v->members[fresher].name, "\"'\\")) {
        char js[MST_HOST_MAX + 64];

        (void)snprintf(js, sizeof(js), "db.adminCommand({replSetSyncFrom: \"%s\"})",
                       v->members[fresher].name);
        why_mongosh(w, v->members[best].name, js);
    }
}
