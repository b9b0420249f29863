/* after.c: what comes after the switch, and who else is at work. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "guard/checks.h"

/* Would the swap of the two priorities end it? Not when a third member is above both. */
static bool swap_settles(const struct mst_guard_facts *f, int target)
{
    const double top = f->members[f->primary].priority;

    for (size_t i = 0; i < f->n; i++) {
        if ((int)i != f->primary && (int)i != target && mst_guard_eligible(&f->members[i], NULL) &&
            f->members[i].priority > top) {
            return false;
        }
    }
    return true;
}

static void stay(const struct mst_guard_facts *f, int rival, struct mst_guard_check *c)
{
    const struct mst_guard_member *t = mst_guard_target_of(f), *p = mst_guard_primary_of(f);
    const bool committed =
        f->has_commitment ? f->config_committed == 1
                          : f->config_known && t && p && t->config_version == p->config_version;

    if (!t) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "choose a member to stay, or use visit",
                      "who gets the seat is not chosen, no priorities can be planned");
    } else if (!swap_settles(f, f->target)) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "move the seat to the member of the highest priority",
                      "swapping two priorities leaves " MST_GUARD_HOST " above both",
                      f->members[rival].name);
    } else if (!committed) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "wait until the configuration is committed (P05)",
                      "to stay needs a reconfig, and the configuration is not known as committed");
    } else if (t->authenticated != 0 && t->may_configure != 1) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "grant replSetConfigure, or use visit",
                      "to stay needs a reconfig, and it is not allowed on " MST_GUARD_HOST,
                      t->name);
    } else {
        mst_guard_bad(c, MST_GUARD_INFO, "fail back later to restore the priorities",
                      "one safe reconfig afterwards: " MST_GUARD_HOST " %g, " MST_GUARD_HOST " %g",
                      t->name, p->priority, p->name, t->priority);
    }
}

void mst_guard_p17(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const int seat = f->act == MST_GUARD_SWITCHOVER ? f->target : mst_guard_heir(f);
    int64_t delay;
    const int rival = mst_guard_takeover(f, seat, &delay);
    char back[16];

    if (!f->config_known || seat < 0 || (size_t)seat >= f->n || !mst_guard_primary_of(f)) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, "choose the member that gets the seat",
                          "who gets the seat, or the configuration, is not known");
    } else if (rival < 0) {
        mst_guard_ok(c, "no priority above the %g of " MST_GUARD_HOST, f->members[seat].priority,
                     f->members[seat].name);
    } else if (f->after == MST_AFTER_STAY) {
        stay(f, rival, c);
    } else {
        /* The old primary first sits out its penalty; another rival is free when it is thawed. */
        const int64_t at = delay + (rival == f->primary ? f->step_down_s * 1000 : 0);
        const bool visit = f->after == MST_AFTER_VISIT;

        mst_guard_bad(c, visit ? MST_GUARD_WARN : MST_GUARD_OVERRIDE,
                      visit ? "expect a second short stop of writes then"
                            : "accept it (visit), or swap the priorities afterwards (stay)",
                      MST_GUARD_HOST " has %g, above %g: it takes the seat back after about %s",
                      f->members[rival].name, f->members[rival].priority, f->members[seat].priority,
                      mst_guard_s(at, back));
    }
}

/* Whoever must not be hampered: the primary and whoever may get the seat. */
static bool matters(const struct mst_guard_facts *f, int i)
{
    return i >= 0 && (size_t)i < f->n && (i == f->primary || mst_guard_candidate(f, (size_t)i));
}

void mst_guard_p19(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);
    char list[sizeof(c->measured)] = "", blind[sizeof(c->measured)] = "";
    bool hit = false, hit_blind = false;

    for (size_t i = 0; i < f->n && i < MST_TOPO_MAX; i++) {
        const struct mst_guard_member *a = &f->members[i];
        const bool down = p && p->sees[i].known && p->sees[i].health == 0;
        const bool target = mst_guard_target_of(f) == a;

        if (!mst_guard_exempt(a) && (!a->answered || !a->status_known) && !down) {
            mst_guard_list(blind, sizeof(blind), MST_GUARD_HOST, a->name);
            hit_blind = hit_blind || target;
        }
        for (size_t j = i + 1; j < f->n && j < MST_TOPO_MAX; j++) {
            const struct mst_guard_member *b = &f->members[j];

            if (a->sees[j].known && b->sees[i].known && a->sees[j].health != b->sees[i].health) {
                const bool from_a = a->sees[j].health == 1; /* a hears b */

                mst_guard_list(list, sizeof(list), "%.40s does not hear %.40s",
                               from_a ? b->name : a->name, from_a ? a->name : b->name);
                hit = hit || target || mst_guard_target_of(f) == b;
            }
        }
    }
    if (list[0]) {
        mst_guard_bad(c, hit ? MST_GUARD_OVERRIDE : MST_GUARD_WARN,
                      "repair the link: firewall, route or name", "%s", list);
    } else if (blind[0]) {
        mst_guard_unknown(c, hit_blind ? MST_GUARD_OVERRIDE : MST_GUARD_WARN,
                          "let the user run replSetGetStatus there",
                          "what it hears is not known of %.120s", blind);
    } else {
        mst_guard_ok(c, "no link of %zu members works one way only", f->n);
    }
}

void mst_guard_p20(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    if (!f->busy_backup[0]) {
        mst_guard_ok(c, "nothing of ours runs");
    } else if (matters(f, f->busy_member)) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "wait for it, or start it again from another member",
                      "%s", f->busy_backup);
    } else {
        mst_guard_bad(c, MST_GUARD_INFO, "it goes on", "%s", f->busy_backup);
    }
}

void mst_guard_p30(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    if (!f->config_known) {
        mst_guard_unknown(c, MST_GUARD_WARN, "let the user run replSetGetConfig",
                          "settings.catchUpTimeoutMillis is not known");
    } else if (f->catch_up_timeout_ms == 0) {
        mst_guard_bad(c, MST_GUARD_WARN, "set it to -1: a new primary then fetches what it lacks",
                      "settings.catchUpTimeoutMillis is 0");
    } else if (f->catch_up_timeout_ms < 0) {
        mst_guard_ok(c, "no limit");
    } else {
        mst_guard_ok(c, "%lld ms", (long long)f->catch_up_timeout_ms);
    }
}

void mst_guard_p31(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    size_t arbiters = 0;

    for (size_t i = 0; i < f->n; i++) {
        arbiters += f->members[i].arbiter;
    }
    if (!f->config_known) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, "let the user run replSetGetConfig",
                          "the configuration is not known");
    } else if (arbiters > 1) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "replace arbiters by data members",
                      "%zu arbiters of %zu members", arbiters, f->n);
    } else if (arbiters == 1) {
        mst_guard_bad(c, MST_GUARD_WARN, "replace it by a data member",
                      f->n == 3 ? "1 arbiter of 3: one data member lost stops majority writes%s"
                                : "1 arbiter%s",
                      "");
    } else {
        mst_guard_ok(c, "none");
    }
}

void mst_guard_p33(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    char off[sizeof(c->measured)] = "", blind[sizeof(c->measured)] = "";
    int64_t worst = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct mst_guard_member *m = &f->members[i];
        int64_t ms = m->clock_off_ms;

        if (!m->answered && !matters(f, (int)i)) {
            continue; /* it has no clock now; P01 and P09 speak of it */
        }
        if (!m->answered || ms == INT64_MIN) {
            if (!mst_guard_exempt(m)) {
                mst_guard_list(blind, sizeof(blind), MST_GUARD_HOST, m->name);
            }
            continue;
        }
        ms = ms < 0 ? -(ms + 1) + 1 : ms;
        worst = ms > worst ? ms : worst;
        if (ms > 2000) {
            mst_guard_list(off, sizeof(off), MST_GUARD_HOST " %+.1f s", m->name,
                           (double)m->clock_off_ms / 1000.0);
        }
    }
    if (worst > 10000) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "repair the clock: times and lags mislead", "%s", off);
    } else if (blind[0]) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, "let the user run serverStatus there",
                          "clock not known of %.130s", blind);
    } else if (worst > 2000) {
        mst_guard_bad(c, MST_GUARD_WARN, "look at time synchronisation", "%s", off);
    } else {
        mst_guard_ok(c, "at most %.1f s off ours", (double)worst / 1000.0);
    }
}

/* What this user lacks there, into lacks; what could not be asked, into blind. */
static void rights_of(const struct mst_guard_facts *f, size_t i, char *lacks, char *blind,
                      size_t size)
{
    const struct mst_guard_member *m = &f->members[i];
    const bool seat = matters(f, (int)i);
    const bool stays = f->after == MST_AFTER_STAY && seat;

    if (m->authenticated == 0 && !m->status_known) {
        mst_guard_list(lacks, size, "nobody is logged in at " MST_GUARD_HOST, m->name);
    } else if (m->authenticated < 0 || m->may_state_change < 0 || (seat && m->may_note < 0) ||
               (stays && m->may_configure < 0)) {
        mst_guard_list(blind, size, MST_GUARD_HOST, m->name);
    } else if (!m->may_state_change) {
        mst_guard_list(lacks, size, "replSetStateChange on " MST_GUARD_HOST, m->name);
    } else if (seat && !m->may_note) {
        mst_guard_list(lacks, size, "appendOplogNote on " MST_GUARD_HOST, m->name);
    } else if (stays && !m->may_configure) {
        mst_guard_list(lacks, size, "replSetConfigure on " MST_GUARD_HOST, m->name);
    }
}

void mst_guard_p34(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    char lacks[sizeof(c->measured)] = "", blind[sizeof(c->measured)] = "";
    size_t asked = 0, open = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct mst_guard_member *m = &f->members[i];

        if (m->arbiter || (!m->answered && !matters(f, (int)i))) {
            continue; /* nothing is sent to an arbiter; who is silent is in P01, P09 and P40 */
        }
        asked++;
        if (m->answered && m->authenticated == 0 && m->status_known) {
            open++; /* no access control there: everything is allowed */
        } else if (!m->answered) {
            mst_guard_list(blind, sizeof(blind), MST_GUARD_HOST, m->name);
        } else {
            rights_of(f, i, lacks, blind, sizeof(lacks));
        }
    }
    if (lacks[0]) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "grant the role that 'muster roles --act switch' prints",
                      "missing: %.140s", lacks);
    } else if (blind[0] || asked == 0) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run connectionStatus there",
                          "rights not known on %.130s", asked ? blind : "any member");
    } else if (open == asked) {
        mst_guard_ok(c, "no access control");
    } else {
        mst_guard_ok(c, "all that is needed, on %zu %s", asked,
                     mst_text_noun(asked, "member", "members"));
    }
}

void mst_guard_p35(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);

    if (!p || !p->stats_known) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, "let the user run serverStatus on the primary",
                          "role in a cluster is not known");
    } else if (p->config_server) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "see that no metadata operation of the cluster runs",
                      "this is the config server of a sharded cluster");
    } else if (p->shard) {
        mst_guard_bad(c, MST_GUARD_WARN, "see that no chunk moves from or to this shard",
                      "this is a shard of a cluster");
    } else {
        mst_guard_ok(c, "no sharded cluster");
    }
}

void mst_guard_p36(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    if (!f->hours[0]) {
        mst_guard_ok(c, "no hours are configured");
    } else if (f->hours_ok) {
        mst_guard_ok(c, "%s", f->hours);
    } else {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "wait for the hours in which a switch is wanted",
                      "outside of %s", f->hours);
    }
}

void mst_guard_p37(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    if (f->other_act[0]) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "wait until it ends; its note ends by itself in a minute",
                      "%s", f->other_act);
    } else if (!f->other_known) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user read local.oplog.rs on the primary",
                          "the notes in the oplog could not be read");
    } else {
        mst_guard_ok(c, "no open note");
    }
}

void mst_guard_p38(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const int heir = mst_guard_heir(f);

    if (heir < 0) {
        mst_guard_bad(c, MST_GUARD_INFO, "wait until one of them has caught up",
                      "nobody: no electable member is known as caught up");
    } else if (f->act == MST_GUARD_STEPDOWN || heir == f->target) {
        mst_guard_ok(c, "the server hands the seat to " MST_GUARD_HOST, f->members[heir].name);
    } else {
        mst_guard_bad(c, MST_GUARD_INFO, "it is frozen, and the target stepped up instead",
                      "the server tries " MST_GUARD_HOST " first", f->members[heir].name);
    }
}

void mst_guard_p40(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);
    char list[sizeof(c->measured)] = "", blind[sizeof(c->measured)] = "", why[96];
    static const char todo[] = "repair our way to it: it may win instead of the target";

    if (f->act == MST_GUARD_STEPDOWN) {
        mst_guard_ok(c, "a step down freezes nobody");
        return;
    }
    for (size_t i = 0; i < f->n && i < MST_TOPO_MAX; i++) {
        const struct mst_guard_member *m = &f->members[i];

        if ((int)i == f->primary || (int)i == f->target || m->answered ||
            !mst_guard_electable(m, why)) {
            continue;
        }
        if (!p || !p->sees[i].known) {
            mst_guard_list(blind, sizeof(blind), MST_GUARD_HOST, m->name);
        } else if (p->sees[i].health == 1) {
            mst_guard_list(list, sizeof(list), MST_GUARD_HOST, m->name);
        }
    }
    if (list[0]) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, todo, "up for the primary, not for us: %.120s", list);
    } else if (blind[0] || !p) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, todo, "not known whether it is up: %.120s",
                          blind[0] ? blind : "any member");
    } else {
        mst_guard_ok(c, "every electable member that is up answers us");
    }
}

void mst_guard_p41(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);
    const char *version = p && p->version[0] ? p->version : "this version";

    if (f->proven) {
        mst_guard_ok(c, "run on %.20s for real", version);
    } else if (f->sandbox_class) {
        mst_guard_ok(c, "not run on %.20s for real; class SANDBOX may", version);
    } else {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "rehearse it on a set of that version first",
                      "not run on %.20s for real", version);
        c->unknown = !p || !p->version[0];
    }
}
