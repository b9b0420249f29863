#include "topo/why.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "topo/derive.h"
#include "topo/why_own.h"

#define TIMEOUT_MS 10000  /* the server's default */
#define HEARTBEAT_MS 2000 /* a loss is noticed so late */
#define UNSURE_MS 4000    /* two heartbeats */
#define PATIENCE_MS 5000  /* vote, catch-up, and our own looks */

const char *mst_why_word(enum mst_why_kind k)
{
    static const char *const words[] = {"nobody-answers",
                                        "observer-cut-off",
                                        "switch-running",
                                        "not-late-yet",
                                        "no-majority",
                                        "held-by-us",
                                        "catching-up",
                                        "priority-0-only",
                                        "too-stale",
                                        "not-ready",
                                        "older-than-voters",
                                        "configurations-differ",
                                        "refused-between-members",
                                        "link-down",
                                        "unknown"};

    return (size_t)k < MST_COUNT(words) ? words[k] : "unknown";
}

bool mst_topo_refusal(const char *message)
{
    static const char *const signs[] = {"auth", "ssl", "tls", "certificate", "keyfile", "x.509"};

    for (const char *p = message; *p; p++) {
        for (size_t i = 0; i < MST_COUNT(signs); i++) {
            if (strncasecmp(p, signs[i], strlen(signs[i])) == 0) {
                return true;
            }
        }
    }
    return false;
}

struct mst_why *why_found(struct why_look *k, enum mst_why_kind kind)
{
    struct mst_why *w = &k->out[k->n++]; /* each kind is found once at most, so there is room */

    memset(w, 0, sizeof(*w));
    w->kind = kind;
    return w;
}

void why_list(char *out, size_t size, const char *fmt, ...)
{
    size_t at = strlen(out);
    va_list ap;

    if (at > 0 && at + 3 < size) {
        memcpy(out + at, ", ", 3);
        at += 2;
    }
    va_start(ap, fmt);
    (void)vsnprintf(out + at, size - at, fmt, ap);
    va_end(ap);
}

void why_mongosh(struct mst_why *w, const char *member, const char *js)
{
    char plain[MST_HOST_MAX];

    (void)mst_copy(plain, sizeof(plain), member);
    for (char *p = plain; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr(".:-_[]%", *p)) {
            w->command[0] = '\0'; /* it is not a name that a shell may see */
            return;
        }
    }
    mst_topo_put(w->command, sizeof(w->command),
                 "mongosh 'mongodb://%s/admin?directConnection=true' --eval '%s'", plain, js);
}

bool why_fresh(const struct why_look *k, size_t i)
{
    return mst_topo_fresh(k->v, k->l, i);
}

bool why_told(const struct why_look *k, size_t i)
{
    return why_fresh(k, i) && mst_topo_status_fresh(k->v, k->l, i);
}

bool why_electable(const struct mst_topo_member *m)
{
    return m->configured && !m->arbiter && m->priority > 0;
}

int64_t mst_topo_late_at_ms(const struct mst_topo_view *v)
{
    const int64_t timeout = v->election_timeout_ms > 0 ? v->election_timeout_ms : TIMEOUT_MS;

    return v->no_primary_since_ms > 0
               ? v->no_primary_since_ms + timeout * 115 / 100 + HEARTBEAT_MS + PATIENCE_MS
               : 0;
}

/* --- one function for each finding --- */

static void silent(struct why_look *k)
{
    struct mst_why *w = why_found(k, MST_WHY_SILENT);

    mst_topo_put(w->what, sizeof(w->what),
                 "no member answers from here: the set may be well all the same");
    for (size_t i = 0; i < k->v->n; i++) {
        why_list(w->evidence, sizeof(w->evidence), "%.60s: %s", k->v->members[i].name,
                 mst_reach_word(k->v->members[i].reach));
    }
    mst_topo_put(w->command, sizeof(w->command),
                 "muster observe   # on another host, before anything is done to the set");
}

static bool ourselves(struct why_look *k)
{
    const struct mst_topo_view *v = k->v;
    const int p = mst_topo_primary_elsewhere(v, k->l);
    struct mst_why *w;

    if (p < 0) {
        return false;
    }
    w = why_found(k, MST_WHY_OURSELVES);
    mst_topo_put(w->what, sizeof(w->what),
                 "we are cut off, not the set: %.80s is primary for others", v->members[p].name);
    for (size_t i = 0; i < v->n; i++) {
        const struct mst_opinion *o = &v->members[i].sees[p];

        if ((int)i != p && why_told(k, i) && o->known && o->health == 1 &&
            o->state == MST_MS_PRIMARY) {
            why_list(w->evidence, sizeof(w->evidence), "%.60s hears it as PRIMARY",
                     v->members[i].name);
        }
    }
    why_list(w->evidence, sizeof(w->evidence), "from here: %.100s",
             v->members[p].reach_text[0] ? v->members[p].reach_text
                                         : mst_reach_word(v->members[p].reach));
    mst_topo_put(w->command, sizeof(w->command), "muster observe   # on a host that reaches %.80s",
                 v->members[p].name);
    return true;
}

static void switching(struct why_look *k)
{
    struct mst_why *w;

    if (k->ours->run[0]) {
        w = why_found(k, MST_WHY_SWITCH);
        mst_topo_put(w->what, sizeof(w->what),
                     "a switch of ours is at work: it moves the primary now");
        mst_topo_put(w->evidence, sizeof(w->evidence), "switch %s", k->ours->run);
        mst_topo_put(w->command, sizeof(w->command), "muster jobs");
    }
}

/* Up as far as is known: a set whose configuration nobody told has no count. */
static bool votes_short(const struct mst_topo_view *v)
{
    return v->votes_total > 0 && v->votes_up < v->votes_needed;
}

static void votes(struct why_look *k)
{
    const struct mst_topo_view *v = k->v;
    const bool writes = v->primary >= 0 && v->write_majority > 0 && v->data_up < v->write_majority;
    const char *first = NULL;
    struct mst_why *w;

    if (!writes && !(v->primary < 0 && votes_short(v))) {
        return;
    }
    w = why_found(k, MST_WHY_VOTES);
    if (writes) {
        mst_topo_put(
            w->what, sizeof(w->what),
            "%.80s is primary, but %d of the %d members that a majority write needs follow",
            v->members[v->primary].name, v->data_up, v->write_majority);
    } else {
        mst_topo_put(w->what, sizeof(w->what),
                     "no majority: %d of %d voters answer, an election needs %d", v->votes_up,
                     v->votes_total, v->votes_needed);
    }
    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        if (m->configured && m->votes > 0 && !why_fresh(k, i)) {
            why_list(w->evidence, sizeof(w->evidence), "missing: %.60s (%s)", m->name,
                     mst_shown_word(m->shown));
            first = first ? first : m->name;
        }
    }
    if (first) {
        mst_topo_put(w->command, sizeof(w->command),
                     "systemctl start mongod   # on the host of %.100s, or as it is started there",
                     first);
    }
}

static void configs(struct why_look *k)
{
    const struct mst_topo_view *v = k->v;
    const struct mst_topo_member *low = NULL, *high = NULL;
    struct mst_why *w;

    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        if (!why_told(k, i) || m->config_version < 0) {
            continue;
        }
        low =
            !low || m->config_version < low->config_version ||
                    (m->config_version == low->config_version && m->config_term < low->config_term)
                ? m
                : low;
        high = !high || m->config_version > high->config_version ||
                       (m->config_version == high->config_version &&
                        m->config_term > high->config_term)
                   ? m
                   : high;
    }
    if (!low ||
        (low->config_version == high->config_version && low->config_term == high->config_term)) {
        return;
    }
    w = why_found(k, MST_WHY_CONFIG);
    mst_topo_put(w->what, sizeof(w->what), "members hold different configurations of the set");
    mst_topo_put(w->evidence, sizeof(w->evidence),
                 "%.60s has version %lld term %lld, %.60s version %lld term %lld", low->name,
                 (long long)low->config_version, (long long)low->config_term, high->name,
                 (long long)high->config_version, (long long)high->config_term);
    why_mongosh(w, low->name, "rs.conf()");
}

/* Somebody calls it down who should have heard it since: that a dead one is not heard, or one that
 * came this moment, is no news. */
static bool deaf(const struct why_look *k, size_t j)
{
    const struct mst_topo_view *v = k->v;
    const struct mst_topo_member *m = &v->members[j];
    const struct mst_opinion *o;

    if (m->link_from < 0 || (size_t)m->link_from >= v->n) {
        return false;
    }
    o = &v->members[m->link_from].sees[j];
    return why_fresh(k, j) && o->known && o->health == 0 &&
           v->now_mono_ms - m->reach_at_ms > UNSURE_MS;
}

static void links(struct why_look *k, bool refused)
{
    const struct mst_topo_view *v = k->v;
    struct mst_why *w = NULL;

    for (size_t j = 0; j < v->n; j++) {
        const struct mst_topo_member *m = &v->members[j];
        const int i = m->link_from;

        if (!m->link_text[0] || (!refused && !deaf(k, j)) || i < 0 || (size_t)i >= v->n ||
            !why_told(k, (size_t)i) || mst_topo_refusal(m->link_text) != refused) {
            continue;
        }
        if (!w) {
            w = why_found(k, refused ? MST_WHY_REFUSED : MST_WHY_LINK);
            mst_topo_put(w->what, sizeof(w->what),
                         refused ? "members refuse each other: authentication or TLS between them"
                                 : "members that answer us do not hear each other");
            why_mongosh(w, v->members[i].name,
                        refused ? "db.adminCommand({getCmdLineOpts: 1})" : "rs.status().members");
        }
        why_list(w->evidence, sizeof(w->evidence), "%.50s of %.50s: %.110s", v->members[i].name,
                 m->name, m->link_text);
    }
}

/* First of all that is found: what else looks wrong may be over with the election. */
static void early(struct why_look *k)
{
    const struct mst_topo_view *v = k->v;
    const int64_t late = mst_topo_late_at_ms(v), left = late - v->now_mono_ms;
    struct mst_why *w;
    char t[MST_TIME_MAX];

    if (late == 0 || left <= 0 || votes_short(v)) {
        return;
    }
    for (size_t i = 0; i < k->n; i++) {
        if (k->out[i].kind == MST_WHY_HELD || k->out[i].kind == MST_WHY_PRIORITY) {
            return; /* none can come */
        }
    }
    memmove(&k->out[1], &k->out[0], k->n * sizeof(k->out[0]));
    k->n++;
    w = &k->out[0];
    memset(w, 0, sizeof(*w));
    w->kind = MST_WHY_EARLY;
    mst_topo_put(w->what, sizeof(w->what), "not late yet: an election is expected by %s UTC",
                 mst_time_clock(v->now_wall_ms + left, t));
    mst_topo_put(
        w->evidence, sizeof(w->evidence),
        "without a primary for %lld.%lld s; the election time-out is %lld s%s, the vote and "
        "what follows take a few more",
        (long long)((v->now_mono_ms - v->no_primary_since_ms) / 1000),
        (long long)((v->now_mono_ms - v->no_primary_since_ms) % 1000 / 100),
        (long long)((v->election_timeout_ms > 0 ? v->election_timeout_ms : TIMEOUT_MS) / 1000),
        v->election_timeout_ms > 0 ? "" : " (assumed: it is not known)");
    mst_topo_put(w->command, sizeof(w->command), "muster observe");
}

static void unknown(struct why_look *k)
{
    const struct mst_topo_view *v = k->v;
    struct mst_why *w = why_found(k, MST_WHY_UNKNOWN);

    mst_topo_put(w->what, sizeof(w->what), "why there is no primary is not known");
    if (v->config_missing[0]) {
        why_list(w->evidence, sizeof(w->evidence), "%.100s: votes cannot be counted",
                 v->config_missing);
    } else if (v->votes_total > 0) {
        why_list(w->evidence, sizeof(w->evidence), "%d of %d voters answer, %d are needed",
                 v->votes_up, v->votes_total, v->votes_needed);
    }
    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        if (m->status_missing[0] || m->reach == MST_REACH_AUTH) {
            why_list(w->evidence, sizeof(w->evidence), "%.50s tells us too little (%.60s)", m->name,
                     m->status_missing[0] ? m->status_missing : "the login failed");
        } else if (m->can_win) {
            why_list(w->evidence, sizeof(w->evidence), "%.50s could win", m->name);
        }
    }
    if (!k->ours->known) {
        why_list(w->evidence, sizeof(w->evidence), "whether we hold a member back is not known");
    }
    mst_topo_put(w->command, sizeof(w->command), "muster topology");
}

size_t mst_topo_why(const struct mst_topo_view *v, const struct mst_topo_limits *l,
                    const struct mst_why_ours *ours, struct mst_why out[MST_WHY_MAX])
{
    struct why_look k = {.v = v, .l = l, .ours = ours, .out = out};
    size_t answer = 0;

    for (size_t i = 0; i < v->n; i++) {
        answer += mst_topo_fresh(v, l, i);
    }
    if (v->verdict == MST_V_STARTING) {
        return 0; /* not every member was asked: nothing can be said */
    }
    if (v->primary >= 0) {
        votes(&k);
        return k.n;
    }
    if (answer == 0) {
        silent(&k);
        return k.n;
    }
    if (ourselves(&k)) {
        return k.n; /* what else looks wrong from here is seen through the same window */
    }
    switching(&k);
    votes(&k);
    why_held_by_us(&k);
    why_catching_up(&k);
    if (!votes_short(v)) {
        why_priority_only(&k);
    }
    why_not_ready(&k, true);
    why_not_ready(&k, false);
    why_older(&k);
    configs(&k);
    links(&k, true);
    links(&k, false);
    early(&k);
    if (k.n == 0) {
        unknown(&k);
    }
    return k.n;
}
