/* safety.c: can votes and majority writes be had, and can the step down hurt the server. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "guard/checks.h"

#define LONG_OP_S 60

/* Voters that the candidate would find without the old primary. */
static int votes_without_primary(const struct mst_guard_facts *f)
{
    int votes = 0;

    for (size_t i = 0; i < f->n; i++) {
        votes += (int)i != f->primary && f->members[i].votes > 0 && mst_guard_up(f, i);
    }
    return votes;
}

void mst_guard_p09(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);
    const int need = mst_guard_majority(f), left = votes_without_primary(f);
    const int now = left + (p && p->answered && p->votes > 0);

    if (!p || !f->config_known || !p->status_known) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus on the primary",
                          "votes and who is up are not known from the primary");
    } else if (now < need) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "bring voters back first: nobody could be elected",
                      "%d votes up, %d needed", now, need);
    } else if (left < need) {
        mst_guard_bad(
            c, MST_GUARD_OVERRIDE,
            "bring a voter back first: if the old primary dies in the switch, writes stop",
            "%d votes up, %d needed; %d if the old primary is lost", now, need, left);
    } else {
        mst_guard_ok(c, "%d votes up, %d needed; %d if the old primary is lost", now, need, left);
    }
}

void mst_guard_p10(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);
    char blind[80] = "";
    int data = 0, up = 0, need;

    for (size_t i = 0; i < f->n; i++) {
        const struct mst_guard_member *m = &f->members[i];

        if (m->votes <= 0 || m->arbiter) {
            continue;
        }
        data++;
        if (mst_guard_up(f, i) && !m->status_known) {
            mst_guard_list(blind, sizeof(blind), MST_GUARD_HOST, m->name);
        } else if (mst_guard_up(f, i)) {
            up += m->state == MST_MS_PRIMARY || m->state == MST_MS_SECONDARY ||
                  m->state == MST_MS_RECOVERING;
        }
    }
    need = data < mst_guard_majority(f) ? data : mst_guard_majority(f);
    if (!p || !f->config_known) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus on the primary",
                          "who bears data and is up is not known");
    } else if (up < need) {
        const char *todo = "bring data members back first: no majority write would succeed";

        blind[0]
            ? mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus there",
                                "%d data voters up, %d needed, state not known of %s", up, need,
                                blind)
            : mst_guard_bad(c, MST_GUARD_BLOCK, todo, "%d data voters up, %d needed", up, need);
    } else if (up == need) {
        mst_guard_bad(c, MST_GUARD_WARN, "one more data member lost stops majority writes",
                      "%d data voters up, %d needed: none to spare", up, need);
    } else {
        mst_guard_ok(c, "%d data voters up, %d needed", up, need);
    }
}

void mst_guard_p12(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);
    const int64_t lag = p ? p->committed_lag_ms : -1, far = f->catch_up_s * 1000;
    char text[16], most[16];

    if (lag < 0) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus on the primary",
                          "the majority commit point of the primary is not known");
    } else if (lag > far) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "wait until the secondaries have caught up",
                      "majority is %s behind, catch-up time %s", mst_guard_s(lag, text),
                      mst_guard_s(far, most));
    } else if (lag > MST_GUARD_CLOSE_MS) {
        mst_guard_bad(c, MST_GUARD_WARN, "wait for less load: writes stop while they catch up",
                      "majority is %s behind", mst_guard_s(lag, text));
    } else {
        mst_guard_ok(c, "majority is %s behind", mst_guard_s(lag, text));
    }
}

void mst_guard_p13(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    if (f->probe_ms < 0) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "see why majority writes fail: votes, lag, disk, rights",
                      "no majority write: %.130s",
                      f->probe_error[0] ? f->probe_error : "none was tried");
        c->unknown = !f->probe_error[0];
    } else if (f->probe_ms > 5000) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "see what slows majority writes: lag, disk, load",
                      "a majority write took %lld ms", (long long)f->probe_ms);
    } else if (f->probe_ms > 1000) {
        mst_guard_bad(c, MST_GUARD_WARN, "expect a longer gap, or wait for less load",
                      "a majority write took %lld ms", (long long)f->probe_ms);
    } else {
        mst_guard_ok(c, "a majority write took %lld ms", (long long)f->probe_ms);
    }
}

void mst_guard_p14(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);

    if (!p || p->flow_lagged < 0) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, "let the user run serverStatus on the primary",
                          "flow control of the primary is not known");
    } else if (p->flow_lagged) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "wait until the majority has caught up",
                      MST_GUARD_HOST " holds writes back: the majority lags", p->name);
    } else {
        mst_guard_ok(c, "not lagged on " MST_GUARD_HOST, p->name);
    }
}

/* fsyncLock there, or what is long or pins the lock, into one of the lists. */
static void look_at_ops(const struct mst_guard_member *m, char *locked, char *blind, char *slow,
                        size_t size)
{
    if (m->fsync_locked == 1) {
        mst_guard_list(locked, size, "fsyncLock on " MST_GUARD_HOST, m->name);
    } else if (m->fsync_locked < 0) {
        mst_guard_list(blind, size, MST_GUARD_HOST, m->name);
    }
    for (size_t i = 0; i < m->n_ops && i < MST_GUARD_OPS; i++) {
        if (m->ops[i].pins || m->ops[i].secs_running > LONG_OP_S) {
            mst_guard_list(slow, size, "%s %lld s%s%s", m->ops[i].what,
                           (long long)m->ops[i].secs_running, m->ops[i].who[0] ? " by " : "",
                           m->ops[i].who);
        }
    }
}

void mst_guard_p15(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const int heir = f->act == MST_GUARD_STEPDOWN ? mst_guard_heir(f) : f->target;
    char locked[sizeof(c->measured)] = "", blind[sizeof(c->measured)] = "";
    char slow[sizeof(c->measured)] = "";

    if (!mst_guard_primary_of(f)) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "wait for an election", "there is no primary to ask");
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        if ((int)i == f->primary || (int)i == heir) {
            look_at_ops(&f->members[i], locked, blind, slow, sizeof(locked));
        }
    }
    if (locked[0]) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "run fsyncUnlock there, when whoever locked it is done",
                      "%s", locked);
    } else if (blind[0]) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user see operations of all users (inprog)",
                          "operations are not known on %.120s", blind);
    } else if (slow[0]) {
        mst_guard_bad(c, MST_GUARD_WARN, "they are killed or hold it up: wait or stop them first",
                      "%s", slow);
    } else {
        mst_guard_ok(c, "no fsyncLock, no build, nothing above %d s", LONG_OP_S);
    }
}

void mst_guard_p16(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);
    int v[3];

    if (!p || p->fassert_s < 0) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run getParameter on the primary",
                          "fassertOnLockTimeoutForStepUpDown could not be read");
    } else if (p->fassert_s > 0 && f->catch_up_s >= p->fassert_s) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "use a shorter catch-up time than the limit",
                      "catch-up %lld s, the server aborts at %lld s", (long long)f->catch_up_s,
                      (long long)p->fassert_s);
    } else if (!p->stats_known || !mst_guard_version(p->version, v)) {
        mst_guard_unknown(c, MST_GUARD_WARN, "let the user run serverStatus on the primary",
                          "catch-up %lld s is safe, but the version is not known",
                          (long long)f->catch_up_s);
    } else if (v[0] == 8 && v[1] == 0 && v[2] < 21) {
        mst_guard_bad(c, MST_GUARD_WARN,
                      "8.0.21 repairs a step down that hangs while the oplog is "
                      "reclaimed (SERVER-104438)",
                      "catch-up %lld s, limit %lld s, but version %.20s", (long long)f->catch_up_s,
                      (long long)p->fassert_s, p->version);
    } else if (p->fassert_s == 0) {
        mst_guard_ok(c, "catch-up %lld s, this server does not abort", (long long)f->catch_up_s);
    } else {
        mst_guard_ok(c, "catch-up %lld s, limit %lld s", (long long)f->catch_up_s,
                     (long long)p->fassert_s);
    }
}
