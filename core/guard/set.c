/* set.c: is it one set, with one primary, one term and one configuration, and is it calm. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "guard/checks.h"

#define CALM_MS 120000
#define HISTORY_MS 600000

void mst_guard_p01(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f), *t = mst_guard_target_of(f);
    char silent[sizeof(c->measured)] = "";
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++) {
        if (!f->members[i].answered) {
            mst_guard_list(silent, sizeof(silent), MST_GUARD_HOST ": %.60s", f->members[i].name,
                           f->members[i].why_not[0] ? f->members[i].why_not : "no answer");
            n++;
        }
    }
    if (!p) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "wait for an election, or see what prevents one",
                      "no writable primary answers%s%s", n ? "; " : "", silent);
    } else if (f->act == MST_GUARD_SWITCHOVER && (!t || t == p)) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "choose another member of the set",
                      t ? MST_GUARD_HOST " is the primary already" : "no such target%s",
                      t ? t->name : "");
    } else if (!p->answered || (t && !t->answered)) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "bring it back, or repair our way to it", "%s", silent);
    } else if (n > 0) {
        mst_guard_bad(c, MST_GUARD_WARN, "bring it back first if you can: it costs a vote", "%s",
                      silent);
    } else {
        mst_guard_ok(c, "%zu of %zu answer", f->n, f->n);
    }
}

void mst_guard_p02(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);
    char other[sizeof(c->measured)] = "", blind[sizeof(c->measured)] = "";
    static const char todo[] = "find out which set this member belongs to before anything else";

    if (!p || !p->set_name[0] || !p->set_id[0]) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user read replSetGetConfig on the primary",
                          "name and id of the set are not known from the primary");
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        const struct mst_guard_member *m = &f->members[i];

        if (!m->answered) {
            continue;
        }
        if (m->set_name[0] && strcmp(m->set_name, p->set_name) != 0) {
            mst_guard_list(other, sizeof(other), MST_GUARD_HOST " is of set %.40s", m->name,
                           m->set_name);
        } else if (m->set_id[0] && strcmp(m->set_id, p->set_id) != 0) {
            mst_guard_list(other, sizeof(other), MST_GUARD_HOST " has set id %.24s", m->name,
                           m->set_id);
        } else if (!m->set_name[0] || (!m->set_id[0] && !mst_guard_exempt(m))) {
            mst_guard_list(blind, sizeof(blind), MST_GUARD_HOST, m->name);
        }
    }
    if (other[0]) {
        mst_guard_bad(c, MST_GUARD_BLOCK, todo, "%s", other);
    } else if (blind[0]) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user read replSetGetConfig there",
                          "not known of %.140s", blind);
    } else {
        mst_guard_ok(c, "%.60s, id %.24s", p->set_name, p->set_id);
    }
}

void mst_guard_p03(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);
    char list[sizeof(c->measured)] = "", blind[sizeof(c->measured)] = "";
    int writable = 0;

    if (!p) {
        mst_guard_bad(c, MST_GUARD_BLOCK, "wait for an election, or see what prevents one",
                      "0 writable members");
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        const struct mst_guard_member *m = &f->members[i];

        if (!m->answered) {
            continue;
        }
        writable += m->writable;
        if ((int)i != f->primary &&
            (m->writable || (m->status_known && m->state == MST_MS_PRIMARY))) {
            mst_guard_list(list, sizeof(list), MST_GUARD_HOST " says it is primary too", m->name);
        } else if (m->votes > 0 && !mst_guard_exempt(m) && (!m->status_known || m->term < 0)) {
            mst_guard_list(blind, sizeof(blind), MST_GUARD_HOST, m->name);
        } else if (m->votes > 0 && m->status_known && m->term != p->term) {
            mst_guard_list(list, sizeof(list), MST_GUARD_HOST " is in term %lld, not %lld", m->name,
                           (long long)m->term, (long long)p->term);
        }
    }
    if (list[0] || writable != 1) {
        mst_guard_bad(c, MST_GUARD_BLOCK,
                      "wait until all agree; an election is going on or a link is cut",
                      "%d writable%s%s", writable, list[0] ? "; " : "", list);
    } else if (blind[0]) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus there",
                          "term not known of %.130s", blind);
    } else {
        mst_guard_ok(c, "1 writable, " MST_GUARD_HOST ", term %lld", p->name, (long long)p->term);
    }
}

const char *mst_guard_of_term(int64_t term, char out[MST_GUARD_TERM_MAX])
{
    out[0] = '\0';
    if (term >= 0) {
        (void)snprintf(out, MST_GUARD_TERM_MAX, " of term %lld", (long long)term);
    }
    return out;
}

static bool same_config(const struct mst_guard_member *a, const struct mst_guard_member *b)
{
    return a->config_version >= 0 && a->config_version == b->config_version &&
           a->config_term == b->config_term;
}

void mst_guard_p04(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f), *t = mst_guard_target_of(f);
    char list[sizeof(c->measured)] = "", of[MST_GUARD_TERM_MAX];
    int voters = 0, agree = 0;

    if (!p || p->config_version < 0 || (t && t->answered && t->config_version < 0)) {
        mst_guard_unknown(c, MST_GUARD_BLOCK, "let the user run replSetGetStatus on both",
                          "the configuration of primary or target is not known");
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        const struct mst_guard_member *m = &f->members[i];
        const bool blind = mst_guard_exempt(m) && m->config_version < 0;

        if (blind) {
            continue;
        }
        voters += m->votes > 0;
        if (m->answered && same_config(m, p)) {
            agree += m->votes > 0;
        } else if (m->answered && m->config_version >= 0) {
            mst_guard_list(list, sizeof(list), MST_GUARD_HOST " has version %lld%s", m->name,
                           (long long)m->config_version, mst_guard_of_term(m->config_term, of));
        } else {
            mst_guard_list(list, sizeof(list), MST_GUARD_HOST " not known", m->name);
        }
    }
    if ((t && !same_config(t, p)) || agree < voters / 2 + 1) {
        mst_guard_bad(c, MST_GUARD_BLOCK,
                      "wait until the configuration has spread, then look again",
                      "%d of %d voters have version %lld: %.100s", agree, voters,
                      (long long)p->config_version, list);
    } else if (list[0]) {
        mst_guard_bad(c, MST_GUARD_WARN, "look at why it does not follow the configuration",
                      "version %lld, but %.130s", (long long)p->config_version, list);
    } else {
        mst_guard_ok(c, "version %lld%s on %d voters", (long long)p->config_version,
                     mst_guard_of_term(p->config_term, of), agree);
    }
}

/* Before 4.4 nobody says whether a configuration is committed: the same version on every data
 * member is all that there is. */
static bool spread_everywhere(const struct mst_guard_facts *f, char *list, size_t size)
{
    const struct mst_guard_member *p = mst_guard_primary_of(f);

    for (size_t i = 0; i < f->n; i++) {
        const struct mst_guard_member *m = &f->members[i];

        if (!m->arbiter && (!p || !m->answered || !same_config(m, p))) {
            mst_guard_list(list, size, MST_GUARD_HOST, m->name);
        }
    }
    return !list[0];
}

void mst_guard_p05(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const enum mst_guard_result bad = f->after == MST_AFTER_STAY ? MST_GUARD_BLOCK : MST_GUARD_WARN;
    static const char todo[] = "wait until a majority has it; priorities cannot change before";
    char list[sizeof(c->measured)] = "";

    if (!f->config_known) {
        mst_guard_unknown(c, bad, "let the user run replSetGetConfig",
                          "the configuration could not be read");
    } else if (!f->has_commitment) {
        if (spread_everywhere(f, list, sizeof(list))) {
            mst_guard_ok(c,
                         "version %lld on every data member (this server has no "
                         "commitmentStatus)",
                         (long long)f->config_version);
        } else {
            mst_guard_bad(c, bad, todo, "no commitmentStatus, and not version %lld on %.90s",
                          (long long)f->config_version, list);
        }
    } else if (f->config_committed < 0) {
        mst_guard_unknown(c, bad, "run replSetGetConfig with commitmentStatus on the primary",
                          "commitmentStatus was not answered");
    } else if (f->config_committed == 0) {
        mst_guard_bad(c, bad, todo, "commitmentStatus is false for version %lld",
                      (long long)f->config_version);
    } else {
        mst_guard_ok(c, "version %lld is committed", (long long)f->config_version);
    }
}

void mst_guard_p06(const struct mst_guard_facts *f, struct mst_guard_check *c)
{
    const int64_t ago = f->now_wall_ms - f->elected_wall_ms;
    char text[16], watched[16];

    if (f->elected_wall_ms <= 0) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, "let the user run replSetGetStatus on the primary",
                          "not known when the primary was elected");
    } else if (ago < CALM_MS) {
        mst_guard_bad(c, MST_GUARD_OVERRIDE, "wait two minutes after an election",
                      "last election %s ago", mst_guard_s(ago < 0 ? 0 : ago, text));
    } else if (ago >= HISTORY_MS) {
        mst_guard_ok(c, "last election %s ago", mst_guard_s(ago, text));
    } else if (f->elections_10min > 2) {
        mst_guard_bad(
            c, MST_GUARD_OVERRIDE, "find out why the set keeps electing before you move it",
            "%d elections in 10 min, the last %s ago", f->elections_10min, mst_guard_s(ago, text));
    } else if (f->watched_ms < HISTORY_MS || f->elections_10min < 0) {
        mst_guard_unknown(c, MST_GUARD_OVERRIDE, "watch it for ten minutes",
                          "last election %s ago, but watched for %s only", mst_guard_s(ago, text),
                          mst_guard_s(f->watched_ms, watched));
    } else {
        mst_guard_ok(c, "last election %s ago, %d in 10 min", mst_guard_s(ago, text),
                     f->elections_10min);
    }
}
