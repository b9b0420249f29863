/* member.c: is this member fit for the seat. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "guard/checks.h"

void mst_guard_p07(const struct mst_guard_facts *f, size_t i, struct mst_guard_check *c)
{
    const struct mst_guard_member *m = &f->members[i], *p = mst_guard_primary_of(f);
    char why[96];

    if (p == m) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "choose another member",
                      MST_GUARD_HOST " is the primary already", m->name);
    } else if (!f->config_known || !m->answered || !m->status_known) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus there",
                          "state or configuration of " MST_GUARD_HOST " is not known", m->name);
    } else if (!mst_guard_eligible(m, why) ||
               (m->state != MST_MS_SECONDARY &&
                snprintf(why, sizeof(why), "is %s, not SECONDARY", mst_mstate_name(m->state)))) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "choose another member, or change what forbids it",
                      MST_GUARD_HOST ": %s", m->name, why);
    } else if (!p || !p->sees[i].known) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus on the primary",
                          "what the primary hears from " MST_GUARD_HOST " is not known", m->name);
    } else if (p->sees[i].health != 1) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "repair the link between the two first",
                      "the primary does not hear " MST_GUARD_HOST, m->name);
    } else {
        mst_guard_ok(c, MST_GUARD_HOST ": priority %g, SECONDARY", m->name, m->priority);
    }
}

void mst_guard_p08(const struct mst_guard_facts *f, size_t i, struct mst_guard_check *c)
{
    const struct mst_guard_member *m = &f->members[i];

    if (!m->answered || !m->status_known) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus there",
                          "status of " MST_GUARD_HOST " is not known", m->name);
    } else if (m->maintenance) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "end its maintenance mode as often as it was begun",
                      MST_GUARD_HOST " is in maintenance mode", m->name);
    } else if (m->too_stale) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "it needs a new copy of the data",
                      MST_GUARD_HOST " is too stale to follow", m->name);
    } else if (m->initial_sync) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "wait until its first copy is complete",
                      MST_GUARD_HOST " is in initial sync", m->name);
    } else if (m->info_message[0] && strncmp(m->info_message, "syncing from", 12) != 0) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "see what it speaks of, then look again",
                      MST_GUARD_HOST " says: %.90s", m->name, m->info_message);
    } else {
        mst_guard_ok(c, MST_GUARD_HOST ": none", m->name);
    }
}

void mst_guard_p11(const struct mst_guard_facts *f, size_t i, struct mst_guard_check *c)
{
    const struct mst_guard_member *m = &f->members[i], *p = mst_guard_primary_of(f);
    char lags[64] = "", text[16];
    bool known = m->answered && m->n_samples == MST_GUARD_SAMPLES, growing = true;
    int64_t last;

    for (int s = 0; known && s < MST_GUARD_SAMPLES; s++) {
        known = m->sample[s].lag_ms >= 0;
        growing = growing && (s == 0 || m->sample[s].lag_ms > m->sample[s - 1].lag_ms);
        mst_guard_list(lags, sizeof(lags), "%s", mst_guard_s(m->sample[s].lag_ms, text));
    }
    if (!known) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "look again: three samples take six seconds",
                          "lag of " MST_GUARD_HOST " was not measured %d times", m->name,
                          MST_GUARD_SAMPLES);
        return;
    }
    last = mst_guard_lag(m);
    if (p && p->n_samples == MST_GUARD_SAMPLES &&
        m->sample[MST_GUARD_SAMPLES - 1].applied.term >
            p->sample[MST_GUARD_SAMPLES - 1].applied.term) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "find out which of the two is the primary of now",
                      MST_GUARD_HOST " has entries of a later term than the primary", m->name);
    } else if (last > MST_GUARD_FAR_MS) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "wait until it has caught up", MST_GUARD_HOST " lag %s",
                      m->name, lags);
    } else if (growing && last > MST_GUARD_CLOSE_MS) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "it falls behind: find out why, or choose another",
                      MST_GUARD_HOST " lag %s, growing", m->name, lags);
    } else if (last > MST_GUARD_CLOSE_MS) {
        mst_guard_bad(c, MST_GUARD_WARN, "wait a little: writes stop until it has caught up",
                      MST_GUARD_HOST " lag %s", m->name, lags);
    } else {
        mst_guard_ok(c, MST_GUARD_HOST " lag %s", m->name, lags);
    }
}

static bool fresh(const struct mst_opinion *o)
{
    return o->known && o->health == 1 && o->heartbeat_age_ms >= 0 &&
           o->heartbeat_age_ms < MST_GUARD_FRESH_MS;
}

void mst_guard_p18(const struct mst_guard_facts *f, size_t i, struct mst_guard_check *c)
{
    const struct mst_guard_member *m = &f->members[i];
    const int need = mst_guard_majority(f);
    char not_seen[100] = "";
    int seen = m->votes > 0, blind = 0;

    if (!m->answered || !m->status_known) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus there",
                          "what " MST_GUARD_HOST " sees is not known", m->name);
        return;
    }
    for (size_t j = 0; j < f->n && j < MST_TOPO_MAX; j++) {
        const struct mst_guard_member *v = &f->members[j];
        bool there, back;

        if (j == i || v->votes <= 0) {
            continue;
        }
        there = fresh(&m->sees[j]);
        back = mst_guard_exempt(v) || (v->answered && v->status_known && fresh(&v->sees[i]));
        blind += !m->sees[j].known || (there && !back && !v->sees[i].known);
        seen += there && back;
        if (!there || !back) {
            mst_guard_list(not_seen, sizeof(not_seen), MST_GUARD_HOST, v->name);
        }
    }
    if (seen >= need) {
        mst_guard_ok(c, MST_GUARD_HOST ": %d votes, %d needed", m->name, seen, need);
    } else if (seen + blind >= need) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus on every voter",
                          MST_GUARD_HOST ": %d votes, %d needed; not known of %s", m->name, seen,
                          need, not_seen);
    } else {
        mst_guard_bad(c, MST_GUARD_BLOCK, "repair its links to the voters, or choose another",
                      MST_GUARD_HOST ": %d votes, %d needed; not both ways with %s", m->name, seen,
                      need, not_seen);
    }
}

void mst_guard_p22(const struct mst_guard_facts *f, size_t i, struct mst_guard_check *c)
{
    const struct mst_guard_member *m = &f->members[i], *p = mst_guard_primary_of(f);
    int a[3], b[3], cmp = 0;

    if (!p || !p->stats_known || !m->stats_known || !mst_guard_version(p->version, a) ||
        !mst_guard_version(m->version, b)) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, "let the user run serverStatus on both",
                          "version of " MST_GUARD_HOST " or of the primary is not known", m->name);
        return;
    }
    for (int k = 0; k < 3 && cmp == 0; k++) {
        cmp = (b[k] > a[k]) - (b[k] < a[k]);
    }
    if (cmp < 0) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "move the seat to a member that is not older",
                      MST_GUARD_HOST " %.20s is older than the primary's %.20s", m->name,
                      m->version, p->version);
    } else if (a[0] != b[0] || a[1] != b[1]) {
        mst_guard_bad(c, MST_GUARD_WARN, "end the upgrade of the set soon after",
                      MST_GUARD_HOST " %.20s, primary %.20s: another release", m->name, m->version,
                      p->version);
    } else if (!m->fcv[0] || !p->fcv[0]) {
        mst_guard_unknown(c, MST_GUARD_WARN, "let the user run getParameter on both",
                          MST_GUARD_HOST " %.20s, compatibility version not known", m->name,
                          m->version);
    } else if (strcmp(m->fcv, p->fcv) != 0) {
        mst_guard_bad(c, MST_GUARD_WARN, "wait until setFeatureCompatibilityVersion has spread",
                      MST_GUARD_HOST " has compatibility version %.12s, the primary %.12s", m->name,
                      m->fcv, p->fcv);
    } else {
        mst_guard_ok(c, MST_GUARD_HOST " %.20s, primary %.20s, both %.12s", m->name, m->version,
                     p->version, m->fcv);
    }
}

void mst_guard_p27(const struct mst_guard_facts *f, size_t i, struct mst_guard_check *c)
{
    const struct mst_guard_member *m = &f->members[i];
    const double hours = (double)m->window_s / 3600.0;
    const char *full = m->window_estimated ? " once it is full" : "";

    if (!m->stats_known || m->window_s < 0) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, "let the user run serverStatus or read the oplog",
                          "oplog of " MST_GUARD_HOST " is not known", m->name);
    } else if (m->window_estimated && m->window_seen_s < 60) {
        mst_guard_bad(c, MST_GUARD_WARN, "look again when the set has run for a while",
                      "oplog of " MST_GUARD_HOST " is not full and %lld s old: too young to tell",
                      m->name, (long long)m->window_seen_s);
    } else if (m->window_s < 2 * 3600) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE,
                      "enlarge its oplog: members that fall out need a new "
                      "copy",
                      MST_GUARD_HOST " reaches back %.1f h%s", m->name, hours, full);
    } else if (m->window_s < 24 * 3600) {
        mst_guard_bad(c, MST_GUARD_WARN, "enlarge its oplog when there is time",
                      MST_GUARD_HOST " reaches back %.1f h%s", m->name, hours, full);
    } else {
        mst_guard_ok(c, MST_GUARD_HOST " reaches back %.0f h%s", m->name, hours, full);
    }
}

void mst_guard_p28(const struct mst_guard_facts *f, size_t i, struct mst_guard_check *c)
{
    const struct mst_guard_member *m = &f->members[i];
    const int64_t since = f->now_wall_ms - m->rbid_changed_wall_ms;

    if (!m->stats_known || m->uptime_s < 0 || m->rbid < 0) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, "let the user run serverStatus there",
                          "uptime and rollbacks of " MST_GUARD_HOST " are not known", m->name);
    } else if (m->uptime_s < 300) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "wait until it has run for five minutes",
                      MST_GUARD_HOST " started %lld s ago", m->name, (long long)m->uptime_s);
    } else if (m->rbid_changed_wall_ms > 0 && since < 3600000) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "look at what was rolled back there first",
                      MST_GUARD_HOST " rolled back %lld min ago", m->name,
                      (long long)(since > 0 ? since / 60000 : 0));
    } else {
        mst_guard_ok(c, MST_GUARD_HOST " up %lld h, no rollback seen", m->name,
                     (long long)m->uptime_s / 3600);
    }
}
