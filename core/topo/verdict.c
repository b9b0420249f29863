#include <stdio.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "topo/derive.h"

static void say(struct mst_topo_view *v, const char *text)
{
    (void)mst_copy(v->headline, sizeof(v->headline), text);
}

/* Nobody answers as a member: the most telling failure, in this order. */
static const struct {
    enum mst_reach reach;
    enum mst_verdict verdict;
} failures[] = {
    {MST_REACH_MONGOS, MST_V_MONGOS},       {MST_REACH_NOT_REPLSET, MST_V_NOT_REPLSET},
    {MST_REACH_WRONG_SET, MST_V_WRONG_SET}, {MST_REACH_WRONG_MEMBER, MST_V_WRONG_MEMBER},
    {MST_REACH_HOSTNAME, MST_V_HOSTNAME},   {MST_REACH_TLS, MST_V_TLS},
    {MST_REACH_AUTH, MST_V_AUTH},           {MST_REACH_UNINIT, MST_V_NOT_REPLSET},
};

static bool decided_by_failure(struct mst_topo_view *v)
{
    for (size_t f = 0; f < MST_COUNT(failures); f++) {
        for (size_t i = 0; i < v->n; i++) {
            if (v->members[i].reach == failures[f].reach) {
                v->verdict = failures[f].verdict;
                say(v, v->members[i].reach_text);
                return true;
            }
        }
    }
    return false;
}

static void nobody(struct mst_topo_view *v)
{
    size_t never = 0;
    bool before = false;

    if (decided_by_failure(v)) {
        return;
    }
    for (size_t i = 0; i < v->n; i++) {
        never += v->members[i].reach == MST_REACH_NEVER;
        before = before || v->members[i].hello_at_ms > 0;
    }
    if (v->n == 0 || (never > 0 && !before)) {
        v->verdict = MST_V_STARTING;
        say(v, "connecting");
        return;
    }
    v->verdict = MST_V_UNREACHABLE;
    mst_topo_put(v->headline, sizeof(v->headline), "none of %zu members answers: %.140s", v->n,
                 v->members[0].reach_text[0] ? v->members[0].reach_text : v->members[0].name);
}

static bool all_logins_fail(const struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    bool any = false;

    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        if (mst_topo_fresh(v, l, i) && !m->is_arbiter_hello) {
            if (m->reach != MST_REACH_AUTH) {
                return false;
            }
            any = true;
        }
    }
    return any;
}

static void no_primary(struct mst_topo_view *v)
{
    const struct mst_topo_member *was = NULL;
    size_t heirs = 0;
    char age[MST_HUMAN_MAX];

    v->verdict = MST_V_NO_PRIMARY;
    for (size_t i = 0; i < v->n; i++) {
        heirs += v->members[i].can_win;
        if (v->members[i].shown == MST_SHOW_SILENT && v->members[i].writable) {
            was = &v->members[i];
        }
    }
    if (v->votes_total > 0 && v->votes_up < v->votes_needed) {
        mst_topo_put(v->headline, sizeof(v->headline),
                     "no primary: %d of %d voters answer, an election needs %d; bring members back",
                     v->votes_up, v->votes_total, v->votes_needed);
    } else if (was) {
        mst_topo_put(v->headline, sizeof(v->headline),
                     "the primary %.80s does not answer for %s; the others have not spoken yet",
                     was->name, mst_text_duration(v->now_mono_ms - was->hello_at_ms, age));
    } else if (heirs > 0) {
        mst_topo_put(v->headline, sizeof(v->headline),
                     "no primary: %zu %s could win, an election takes up to %lld s", heirs,
                     mst_text_noun(heirs, "member", "members"),
                     (long long)((v->election_timeout_ms > 0 ? v->election_timeout_ms : 10000) *
                                 12 / 10000));
    } else {
        say(v, "no primary: no member that answers could be elected; see why on each");
    }
}

static void with_primary(struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    const struct mst_topo_member *p = &v->members[v->primary];
    size_t up = 0;
    bool wrong = false;

    for (size_t i = 0; i < v->n; i++) {
        up += mst_topo_fresh(v, l, i);
    }
    for (size_t i = 0; i < v->n_reasons; i++) {
        wrong = wrong || v->reasons[i].severity != MST_SEV_INFO;
    }
    if (v->votes_total > 0 && v->data_up < v->write_majority) {
        v->verdict = MST_V_NO_MAJORITY;
        mst_topo_put(
            v->headline, sizeof(v->headline),
            "primary %.80s, no majority writes: %d of %d needed members follow; w:majority "
            "waits for ever",
            p->name, v->data_up, v->write_majority);
    } else if (wrong) {
        v->verdict = MST_V_DEGRADED;
        mst_topo_put(v->headline, sizeof(v->headline), "primary %.80s; %.110s", p->name,
                     v->reasons[0].text);
    } else if (up < v->n || v->votes_total == 0) {
        v->verdict = MST_V_STARTING; /* not everybody was asked yet */
        mst_topo_put(v->headline, sizeof(v->headline), "primary %.80s; connecting to the others",
                     p->name);
    } else {
        v->verdict = MST_V_HEALTHY;
        mst_topo_put(v->headline, sizeof(v->headline),
                     "primary %.80s, term %lld, %zu of %zu members answer", p->name,
                     (long long)v->term, up, v->n);
    }
}

void mst_topo_derive_verdict(struct mst_topo_view *v, const struct mst_topo_limits *l)
{
    bool answered = false;

    v->headline[0] = '\0';
    for (size_t i = 0; i < v->n; i++) {
        answered = answered || mst_topo_fresh(v, l, i);
    }
    if (!answered) {
        nobody(v);
    } else if (all_logins_fail(v, l)) {
        v->verdict = MST_V_AUTH;
        for (size_t i = 0; i < v->n; i++) {
            if (v->members[i].reach == MST_REACH_AUTH) {
                say(v, v->members[i].reach_text);
                break;
            }
        }
    } else if (mst_topo_primary_elsewhere(v, l) >= 0) {
        v->verdict = MST_V_DEGRADED; /* it works for those who can reach it */
        say(v, v->reasons[0].text);
    } else if (v->primary < 0 && mst_topo_asking(v)) {
        v->verdict = MST_V_STARTING;
        say(v, "looking for the primary; not every member was asked yet");
    } else if (v->primary < 0) {
        no_primary(v);
    } else {
        with_primary(v, l);
    }
}
