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

#define TIMEOUT_MS 10000  /* the server's default */
#define HEARTBEAT_MS 2000 /* a loss is noticed so late */
#define UNSURE_MS 4000    /* two heartbeats */
#define PATIENCE_MS 5000  /* vote, catch-up, and our own looks */

struct look { /* what every finding needs */
    const struct mst_topo_view *v;
    const struct mst_topo_limits *l;
    const struct mst_why_ours *ours;
    struct mst_why *out;
    size_t n;
};

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

static struct mst_why *found(struct look *k, enum mst_why_kind kind)
{
    struct mst_why *w = &k->out[k->n++]; /* each kind is found once at most, so there is room */

    memset(w, 0, sizeof(*w));
    w->kind = kind;
    return w;
}

/* Add to a list in a text: ", " between, cut at the end. */
static void list(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void list(char *out, size_t size, const char *fmt, ...)
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

/* A command for one member, as it can be pasted: names come from the set. */
static void mongosh(struct mst_why *w, const char *member, const char *js)
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

static bool fresh(const struct look *k, size_t i)
{
    return mst_topo_fresh(k->v, k->l, i);
}

/* Its own status is known, and of now. */
static bool told(const struct look *k, size_t i)
{
    return fresh(k, i) && mst_topo_status_fresh(k->v, k->l, i);
}

static bool electable(const struct mst_topo_member *m)
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

static void silent(struct look *k)
{
    struct mst_why *w = found(k, MST_WHY_SILENT);

    mst_topo_put(w->what, sizeof(w->what),
                 "no member answers from here: the set may be well all the same");
    for (size_t i = 0; i < k->v->n; i++) {
        list(w->evidence, sizeof(w->evidence), "%.60s: %s", k->v->members[i].name,
             mst_reach_word(k->v->members[i].reach));
    }
    mst_topo_put(w->command, sizeof(w->command),
                 "muster observe   # on another host, before anything is done to the set");
}

static bool ourselves(struct look *k)
{
    const struct mst_topo_view *v = k->v;
    const int p = mst_topo_primary_elsewhere(v, k->l);
    struct mst_why *w;

    if (p < 0) {
        return false;
    }
    w = found(k, MST_WHY_OURSELVES);
    mst_topo_put(w->what, sizeof(w->what),
                 "we are cut off, not the set: %.80s is primary for others", v->members[p].name);
    for (size_t i = 0; i < v->n; i++) {
        const struct mst_opinion *o = &v->members[i].sees[p];

        if ((int)i != p && told(k, i) && o->known && o->health == 1 && o->state == MST_MS_PRIMARY) {
            list(w->evidence, sizeof(w->evidence), "%.60s hears it as PRIMARY", v->members[i].name);
        }
    }
    list(w->evidence, sizeof(w->evidence), "from here: %.100s",
         v->members[p].reach_text[0] ? v->members[p].reach_text
                                     : mst_reach_word(v->members[p].reach));
    mst_topo_put(w->command, sizeof(w->command), "muster observe   # on a host that reaches %.80s",
                 v->members[p].name);
    return true;
}

static void switching(struct look *k)
{
    struct mst_why *w;

    if (k->ours->run[0]) {
        w = found(k, MST_WHY_SWITCH);
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

static void votes(struct look *k)
{
    const struct mst_topo_view *v = k->v;
    const bool writes = v->primary >= 0 && v->write_majority > 0 && v->data_up < v->write_majority;
    const char *first = NULL;
    struct mst_why *w;

    if (!writes && !(v->primary < 0 && votes_short(v))) {
        return;
    }
    w = found(k, MST_WHY_VOTES);
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

        if (m->configured && m->votes > 0 && !fresh(k, i)) {
            list(w->evidence, sizeof(w->evidence), "missing: %.60s (%s)", m->name,
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

static const struct mst_why_held *held(const struct look *k, const char *name)
{
    for (size_t i = 0; i < k->ours->n_held; i++) {
        const struct mst_why_held *h = &k->ours->held[i];

        if (strcasecmp(h->member, name) == 0 && h->until_wall_ms > k->v->now_wall_ms) {
            return h;
        }
    }
    return NULL;
}

/* All that could be elected, and are in their place, were asked not to stand. */
static void held_by_us(struct look *k)
{
    const struct mst_topo_view *v = k->v;
    size_t n_held = 0, n_free = 0, first = 0;
    char evidence[sizeof(((struct mst_why *)0)->evidence)] = "", t[MST_TIME_MAX];
    struct mst_why *w;

    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];
        const struct mst_why_held *h = held(k, m->name);

        if (!electable(m) || m->shown != MST_SHOW_SECONDARY) {
            continue;
        }
        if (h) {
            first = n_held++ == 0 ? i : first;
            list(evidence, sizeof(evidence), "%.50s until %s (switch %s)", m->name,
                 mst_time_clock(h->until_wall_ms, t), h->run);
        } else {
            n_free++;
        }
    }
    if (n_held > 0 && n_free == 0) {
        w = found(k, MST_WHY_HELD);
        mst_topo_put(w->what, sizeof(w->what),
                     "every member that could be elected was asked by us not to stand");
        memcpy(w->evidence, evidence, sizeof(evidence));
        mongosh(w, v->members[first].name, "db.adminCommand({replSetFreeze: 0})");
    }
}

static void catching_up(struct look *k)
{
    for (size_t i = 0; i < k->v->n; i++) {
        const struct mst_topo_member *m = &k->v->members[i];
        struct mst_why *w;

        if (m->shown != MST_SHOW_ELECT) {
            continue;
        }
        w = found(k, MST_WHY_CATCHING_UP);
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
            list(w->evidence, sizeof(w->evidence), "%lld %s fetched", (long long)m->catch_up_ops,
                 mst_text_noun((uint64_t)m->catch_up_ops, "operation", "operations"));
        }
        mst_topo_put(w->command, sizeof(w->command),
                     "muster observe   # wait: ending it (replSetAbortPrimaryCatchUp) gives up "
                     "writes");
        return;
    }
}

/* Nobody that is up may ever be primary. */
static void priority_only(struct look *k)
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
        if (fresh(k, i) && electable(m)) {
            return;
        }
        if (fresh(k, i)) {
            list(up, sizeof(up), "%.50s (%s)", m->name, m->arbiter ? "arbiter" : "priority 0");
        } else if (electable(m)) {
            list(gone, sizeof(gone), "%.50s", m->name);
            first = first ? first : m->name;
        }
    }
    w = found(k, MST_WHY_PRIORITY);
    mst_topo_put(w->what, sizeof(w->what), "only members that may never be primary are left");
    mst_topo_put(w->evidence, sizeof(w->evidence), "up: %s; needed: one of %s", up,
                 gone[0] ? gone : "nobody, the configuration has none");
    if (first) {
        mst_topo_put(w->command, sizeof(w->command),
                     "systemctl start mongod   # on the host of %.100s, or as it is started there",
                     first);
    }
}

static void not_ready(struct look *k, bool stale)
{
    const struct mst_topo_view *v = k->v;
    struct mst_why *w = NULL;

    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];
        const bool waits = m->shown == MST_SHOW_RECOVERING || m->shown == MST_SHOW_STARTUP ||
                           m->shown == MST_SHOW_ROLLBACK;

        if (!told(k, i) || !electable(m) || (stale ? !m->too_stale : m->too_stale || !waits)) {
            continue;
        }
        if (!w) {
            w = found(k, stale ? MST_WHY_TOO_STALE : MST_WHY_NOT_READY);
            mst_topo_put(w->what, sizeof(w->what),
                         stale ? "a member fell off the oplogs of the others and cannot be elected"
                               : "a member that could be elected is not a SECONDARY yet");
            if (stale) {
                mst_topo_put(w->command, sizeof(w->command),
                             "muster topology   # it needs an initial sync, which needs a primary");
            } else {
                mongosh(w, m->name, "db.adminCommand({getLog: \"global\"}).log.slice(-40)");
            }
        }
        list(w->evidence, sizeof(w->evidence), "%.60s is %s%s%.60s", m->name,
             mst_shown_word(m->shown), m->info[0] ? ": " : "", m->info);
    }
}

/* A voter refuses a candidate that is older than itself. Positions within one look of each other
 * are the same. */
static void older(struct look *k)
{
    const struct mst_topo_view *v = k->v;
    int best = -1, fresher = -1, can = 0;
    struct mst_why *w;

    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        can += m->can_win;
        if (!told(k, i) || m->arbiter || mst_ts_zero(m->applied.ts) || m->votes <= 0) {
            continue;
        }
        if (electable(m) && m->shown == MST_SHOW_SECONDARY &&
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
    w = found(k, MST_WHY_OLDER);
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
        mongosh(w, v->members[best].name, js);
    }
}

static void configs(struct look *k)
{
    const struct mst_topo_view *v = k->v;
    const struct mst_topo_member *low = NULL, *high = NULL;
    struct mst_why *w;

    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        if (!told(k, i) || m->config_version < 0) {
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
    w = found(k, MST_WHY_CONFIG);
    mst_topo_put(w->what, sizeof(w->what), "members hold different configurations of the set");
    mst_topo_put(w->evidence, sizeof(w->evidence),
                 "%.60s has version %lld term %lld, %.60s version %lld term %lld", low->name,
                 (long long)low->config_version, (long long)low->config_term, high->name,
                 (long long)high->config_version, (long long)high->config_term);
    mongosh(w, low->name, "rs.conf()");
}

/* Somebody calls it down who should have heard it since: that a dead one is not heard, or one that
 * came this moment, is no news. */
static bool deaf(const struct look *k, size_t j)
{
    const struct mst_topo_view *v = k->v;
    const struct mst_topo_member *m = &v->members[j];
    const struct mst_opinion *o;

    if (m->link_from < 0 || (size_t)m->link_from >= v->n) {
        return false;
    }
    o = &v->members[m->link_from].sees[j];
    return fresh(k, j) && o->known && o->health == 0 && v->now_mono_ms - m->reach_at_ms > UNSURE_MS;
}

static void links(struct look *k, bool refused)
{
    const struct mst_topo_view *v = k->v;
    struct mst_why *w = NULL;

    for (size_t j = 0; j < v->n; j++) {
        const struct mst_topo_member *m = &v->members[j];
        const int i = m->link_from;

        if (!m->link_text[0] || (!refused && !deaf(k, j)) || i < 0 || (size_t)i >= v->n ||
            !told(k, (size_t)i) || mst_topo_refusal(m->link_text) != refused) {
            continue;
        }
        if (!w) {
            w = found(k, refused ? MST_WHY_REFUSED : MST_WHY_LINK);
            mst_topo_put(w->what, sizeof(w->what),
                         refused ? "members refuse each other: authentication or TLS between them"
                                 : "members that answer us do not hear each other");
            mongosh(w, v->members[i].name,
                    refused ? "db.adminCommand({getCmdLineOpts: 1})" : "rs.status().members");
        }
        list(w->evidence, sizeof(w->evidence), "%.50s of %.50s: %.110s", v->members[i].name,
             m->name, m->link_text);
    }
}

/* First of all that is found: what else looks wrong may be over with the election. */
static void early(struct look *k)
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

static void unknown(struct look *k)
{
    const struct mst_topo_view *v = k->v;
    struct mst_why *w = found(k, MST_WHY_UNKNOWN);

    mst_topo_put(w->what, sizeof(w->what), "why there is no primary is not known");
    if (v->config_missing[0]) {
        list(w->evidence, sizeof(w->evidence), "%.100s: votes cannot be counted",
             v->config_missing);
    } else if (v->votes_total > 0) {
        list(w->evidence, sizeof(w->evidence), "%d of %d voters answer, %d are needed", v->votes_up,
             v->votes_total, v->votes_needed);
    }
    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];

        if (m->status_missing[0] || m->reach == MST_REACH_AUTH) {
            list(w->evidence, sizeof(w->evidence), "%.50s tells us too little (%.60s)", m->name,
                 m->status_missing[0] ? m->status_missing : "the login failed");
        } else if (m->can_win) {
            list(w->evidence, sizeof(w->evidence), "%.50s could win", m->name);
        }
    }
    if (!k->ours->known) {
        list(w->evidence, sizeof(w->evidence), "whether we hold a member back is not known");
    }
    mst_topo_put(w->command, sizeof(w->command), "muster topology");
}

size_t mst_topo_why(const struct mst_topo_view *v, const struct mst_topo_limits *l,
                    const struct mst_why_ours *ours, struct mst_why out[MST_WHY_MAX])
{
    struct look k = {.v = v, .l = l, .ours = ours, .out = out};
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
    held_by_us(&k);
    catching_up(&k);
    if (!votes_short(v)) {
        priority_only(&k);
    }
    not_ready(&k, true);
    not_ready(&k, false);
    older(&k);
    configs(&k);
    links(&k, true);
    links(&k, false);
    early(&k);
    if (k.n == 0) {
        unknown(&k);
    }
    return k.n;
}
