#include "monitor/parse.h"

#include "base/mem.h"
#include "base/text.h"
#include "mongo/mongo.h"
#include "mongo/uri.h"

void mst_member_init(struct mst_topo_member *m, const char *name, const char *dial)
{
    memset(m, 0, sizeof(*m));
    (void)mst_copy(m->name, sizeof(m->name), name);
    (void)mst_copy(m->dial, sizeof(m->dial), dial && dial[0] ? dial : name);
    m->id = -1;
    m->builds_indexes = true;
    m->hello_term = -1;
    m->state = MST_MS_UNKNOWN;
    m->term = -1;
    m->applied.term = -1;
    m->durable.term = -1;
    m->committed.term = -1;
    m->last_write.term = -1;
    m->seen_at_election.term = -1;
    m->catch_up_ops = -1;
    m->catch_up_to.term = -1;
    m->link_from = -1;
    m->config_version = -1;
    m->config_term = -1;
    m->ops_per_s = -1;
    m->repl_per_s = -1;
    m->rbid = -1;
    m->lag_ms = -1;
    m->window_s = -1;
    m->headroom_s = -1;
}

/* 7fffffff and the term, eight bytes, big end first: since protocol version 1. */
static int64_t term_of(const bson_t *b, const char *path)
{
    bson_iter_t it;
    const bson_oid_t *oid;
    uint64_t term = 0;

    if (!bson_iter_init_find(&it, b, path) || !BSON_ITER_HOLDS_OID(&it)) {
        return -1;
    }
    oid = bson_iter_oid(&it);
    if (oid->bytes[0] != 0x7f || oid->bytes[1] != 0xff || oid->bytes[2] != 0xff ||
        oid->bytes[3] != 0xff) {
        return -1;
    }
    for (size_t i = 4; i < 12; i++) {
        term = term << 8 | oid->bytes[i];
    }
    return term > INT64_MAX ? -1 : (int64_t)term;
}

static bool name_in(const bson_iter_t *it, char out[MST_HOST_MAX])
{
    char raw[MST_HOST_MAX];
    uint32_t n = 0;
    const char *s;

    if (!BSON_ITER_HOLDS_UTF8(it)) {
        return false;
    }
    s = bson_iter_utf8(it, &n);
    if (n >= sizeof(raw) || memchr(s, '\0', n)) {
        return false;
    }
    memcpy(raw, s, n);
    raw[n] = '\0';
    return mst_addr_normal(raw, out);
}

static void add_hosts(const bson_t *reply, const char *field, struct mst_parsed_hello *h)
{
    bson_iter_t it;
    bson_t list;

    if (!mst_bson_doc(reply, field, &list) || !bson_iter_init(&it, &list)) {
        return;
    }
    while (h->n_hosts < MST_TOPO_MAX && bson_iter_next(&it)) {
        if (name_in(&it, h->hosts[h->n_hosts])) {
            h->n_hosts++;
        }
    }
}

void mst_parse_hello(const bson_t *reply, int64_t at_ms, struct mst_topo_member *m,
                     struct mst_parsed_hello *more)
{
    bson_t tv;

    memset(more, 0, sizeof(*more));
    m->hello_at_ms = at_ms;
    m->writable =
        mst_bson_bool(reply, "isWritablePrimary", mst_bson_bool(reply, "ismaster", false));
    m->secondary = mst_bson_bool(reply, "secondary", false);
    m->is_hidden_hello = mst_bson_bool(reply, "hidden", false);
    m->is_arbiter_hello = mst_bson_bool(reply, "arbiterOnly", false);
    m->min_wire = (int)mst_bson_i64(reply, "minWireVersion", 0);
    m->max_wire = (int)mst_bson_i64(reply, "maxWireVersion", 0);
    m->hello_term = term_of(reply, "electionId");
    if (!mst_bson_optime(reply, "lastWrite.opTime", &m->last_write)) {
        m->last_write = (struct mst_optime){{0, 0}, -1};
    }
    (void)mst_bson_text(reply, "setName", more->set_name, sizeof(more->set_name));
    (void)mst_bson_text(reply, "me", more->me, sizeof(more->me));
    more->hello_ok = mst_bson_bool(reply, "helloOk", false);
    more->awaitable = mst_bson_doc(reply, "topologyVersion", &tv);
    more->sharded =
        bson_has_field(reply, "configsvr") || bson_has_field(reply, "$configServerState");
    more->set_version = mst_bson_i64(reply, "setVersion", -1);
    add_hosts(reply, "hosts", more);
    add_hosts(reply, "passives", more);
    add_hosts(reply, "arbiters", more);
}

static enum mst_mstate state_of(const bson_t *b, const char *path)
{
    const int64_t s = mst_bson_i64(b, path, MST_MS_UNKNOWN);

    switch (s) {
    case MST_MS_STARTUP:
    case MST_MS_PRIMARY:
    case MST_MS_SECONDARY:
    case MST_MS_RECOVERING:
    case MST_MS_STARTUP2:
    case MST_MS_ARBITER:
    case MST_MS_DOWN:
    case MST_MS_ROLLBACK:
    case MST_MS_REMOVED:
        return (enum mst_mstate)s;
    default:
        return MST_MS_UNKNOWN;
    }
}

static void parse_self(const bson_t *b, struct mst_topo_member *m)
{
    m->election_wall_ms = mst_bson_date(b, "electionDate", 0);
    m->config_version = mst_bson_i64(b, "configVersion", -1);
    m->config_term = mst_bson_i64(b, "configTerm", -1);
    (void)mst_bson_text(b, "infoMessage", m->info, sizeof(m->info));
    m->too_stale = m->too_stale || mst_bson_bool(b, "tooStale", false);
}

/* Names as in 4.2 to 8.0; older servers tell none of it. */
static void parse_election(const bson_t *reply, struct mst_topo_member *m)
{
    m->catching_up = m->state == MST_MS_PRIMARY &&
                     bson_has_field(reply, "electionCandidateMetrics") &&
                     mst_bson_date(reply, "electionCandidateMetrics.newTermStartDate", -1) < 0;
    (void)mst_bson_optime(reply, "electionCandidateMetrics.lastSeenOpTimeAtElection",
                          &m->seen_at_election);
    (void)mst_bson_optime(reply, "electionCandidateMetrics.targetCatchupOpTime", &m->catch_up_to);
    m->catch_up_ops = mst_bson_i64(reply, "electionCandidateMetrics.numCatchUpOps", -1);
    m->stood_wall_ms = mst_bson_date(reply, "electionCandidateMetrics.lastElectionDate", 0);
    if (!mst_bson_text(reply, "electionCandidateMetrics.lastElectionReason", m->election_reason,
                       sizeof(m->election_reason))) {
        m->election_reason[0] = '\0';
    }
    if (mst_bson_bool(reply, "electionParticipantMetrics.votedForCandidate", true) ||
        !mst_bson_text(reply, "electionParticipantMetrics.voteReason", m->vote_reason,
                       sizeof(m->vote_reason))) {
        m->vote_reason[0] = '\0';
    }
}

static void parse_other(const bson_t *b, struct mst_heard *h)
{
    h->o.known = true;
    h->o.health = mst_bson_f64(b, "health", 0) > 0 ? 1 : 0;
    h->o.state = state_of(b, "state");
    h->o.ping_ms = mst_bson_i64(b, "pingMs", -1);
    h->o.heartbeat_age_ms = -1;
    h->heartbeat_wall_ms = mst_bson_date(b, "lastHeartbeat", 0);
    if (!mst_bson_optime(b, "optime", &h->o.applied)) {
        h->o.applied = (struct mst_optime){{0, 0}, -1};
    }
    if (!mst_bson_text(b, "lastHeartbeatMessage", h->message, sizeof(h->message)) ||
        !h->message[0]) {
        h->message[0] = '\0';
        if (!mst_bson_bool(b, "authenticated", true)) {
            (void)mst_copy(h->message, sizeof(h->message), "it is not authenticated");
        }
    }
    /* Newer servers tell the wall time to the millisecond. */
    h->o.applied_wall_ms =
        mst_bson_date(b, "lastAppliedWallTime", mst_bson_date(b, "optimeDate", 0));
    if (h->o.applied_wall_ms < 0) {
        h->o.applied_wall_ms = 0;
    }
}

static void parse_members(const bson_t *reply, struct mst_topo_member *m,
                          struct mst_parsed_status *more)
{
    bson_t list, doc;
    bson_iter_t it;

    if (!mst_bson_doc(reply, "members", &list) || !bson_iter_init(&it, &list)) {
        return;
    }
    while (more->n < MST_TOPO_MAX && bson_iter_next(&it)) {
        const uint8_t *p = NULL;
        uint32_t n = 0;
        bson_iter_t name;
        struct mst_heard *h = &more->heard[more->n];

        if (!BSON_ITER_HOLDS_DOCUMENT(&it)) {
            continue;
        }
        bson_iter_document(&it, &n, &p);
        if (!p || !bson_init_static(&doc, p, n)) {
            continue;
        }
        if (mst_bson_bool(&doc, "self", false)) {
            parse_self(&doc, m);
        } else if (bson_iter_init_find(&name, &doc, "name") && name_in(&name, h->name)) {
            parse_other(&doc, h);
            more->n++;
        }
    }
}

void mst_parse_status(const bson_t *reply, int64_t at_ms, struct mst_topo_member *m,
                      struct mst_parsed_status *more)
{
    static const struct mst_optime none = {{0, 0}, -1};

    memset(more, 0, sizeof(*more));
    m->before_at_ms = m->status_at_ms;
    m->before_wall_ms = m->applied_wall_ms;
    m->before_applied = m->applied;
    m->status_at_ms = at_ms;
    m->status_wall_ms = mst_bson_date(reply, "date", 0);
    m->status_missing[0] = '\0';
    m->state = state_of(reply, "myState");
    m->term = mst_bson_i64(reply, "term", -1);
    m->applied = m->durable = m->committed = m->seen_at_election = m->catch_up_to = none;
    (void)mst_bson_optime(reply, "optimes.appliedOpTime", &m->applied);
    (void)mst_bson_optime(reply, "optimes.durableOpTime", &m->durable);
    (void)mst_bson_optime(reply, "optimes.lastCommittedOpTime", &m->committed);
    m->applied_wall_ms = mst_bson_date(reply, "optimes.lastAppliedWallTime", 0);
    m->committed_wall_ms = mst_bson_date(reply, "optimes.lastCommittedWallTime", 0);
    m->sync_source[0] = '\0';
    if (!mst_bson_text(reply, "syncSourceHost", m->sync_source, sizeof(m->sync_source))) {
        (void)mst_bson_text(reply, "syncingTo", m->sync_source, sizeof(m->sync_source));
    }
    parse_election(reply, m);
    m->election_wall_ms = 0;
    m->info[0] = '\0';
    m->too_stale = mst_bson_bool(reply, "tooStale", false);
    (void)mst_bson_text(reply, "set", more->set_name, sizeof(more->set_name));
    parse_members(reply, m, more);
}

static void parse_tags(const bson_t *member, char *out, size_t size)
{
    bson_t tags;
    bson_iter_t it;
    size_t at = 0;

    out[0] = '\0';
    if (!mst_bson_doc(member, "tags", &tags) || !bson_iter_init(&it, &tags)) {
        return;
    }
    while (bson_iter_next(&it) && at + 1 < size) {
        char value[64], line[160];
        int n;

        if (!BSON_ITER_HOLDS_UTF8(&it) ||
            !mst_bson_text(&tags, bson_iter_key(&it), value, sizeof(value))) {
            continue;
        }
        n = snprintf(line, sizeof(line), "%s%.60s:%s", at ? ", " : "", bson_iter_key(&it), value);
        if (n < 0 || at + (size_t)n >= size) {
            return;
        }
        memcpy(out + at, line, (size_t)n + 1);
        mst_text_sanitise(out + at); /* the key comes from outside, too */
        at += (size_t)n;
    }
}

static bool parse_config_member(const bson_t *b, struct mst_topo_member *m)
{
    char name[MST_HOST_MAX];
    bson_iter_t it;

    if (!bson_iter_init_find(&it, b, "host") || !name_in(&it, name)) {
        return false;
    }
    mst_member_init(m, name, NULL);
    m->configured = true;
    m->id = (int)mst_bson_i64(b, "_id", -1);
    m->priority = mst_bson_f64(b, "priority", 1);
    m->votes = (int)mst_bson_i64(b, "votes", 1);
    m->hidden = mst_bson_bool(b, "hidden", false);
    m->arbiter = mst_bson_bool(b, "arbiterOnly", false);
    m->builds_indexes = mst_bson_bool(b, "buildIndexes", true);
    m->delay_s = mst_bson_i64(b, "secondaryDelaySecs", mst_bson_i64(b, "slaveDelay", 0));
    parse_tags(b, m->tags, sizeof(m->tags));
    return true;
}

bool mst_parse_config(const bson_t *reply, struct mst_parsed_config *out)
{
    bson_t cfg, list, doc;
    bson_iter_t it;

    memset(out, 0, sizeof(*out));
    if (!mst_bson_doc(reply, "config", &cfg) || !mst_bson_doc(&cfg, "members", &list) ||
        !bson_iter_init(&it, &list)) {
        return false;
    }
    out->version = mst_bson_i64(&cfg, "version", -1);
    out->term = mst_bson_i64(&cfg, "term", -1);
    out->election_timeout_ms = mst_bson_i64(&cfg, "settings.electionTimeoutMillis", 0);
    (void)mst_bson_text(&cfg, "_id", out->set_name, sizeof(out->set_name));
    out->members = mst_xcalloc(MST_TOPO_MAX, sizeof(*out->members));
    while (out->n < MST_TOPO_MAX && bson_iter_next(&it)) {
        const uint8_t *p = NULL;
        uint32_t n = 0;

        if (!BSON_ITER_HOLDS_DOCUMENT(&it)) {
            continue;
        }
        bson_iter_document(&it, &n, &p);
        if (p && bson_init_static(&doc, p, n) && parse_config_member(&doc, &out->members[out->n])) {
            out->n++;
        }
    }
    if (out->n == 0 || out->version < 0) {
        mst_parsed_config_release(out);
        return false;
    }
    return true;
}

void mst_parsed_config_release(struct mst_parsed_config *c)
{
    if (c) {
        free(c->members);
        c->members = NULL;
        c->n = 0;
    }
}

static int64_t sum(const bson_t *reply, const char *section, const char *const *names, size_t n)
{
    int64_t total = 0;

    for (size_t i = 0; i < n; i++) {
        char path[64];
        int64_t v;

        (void)snprintf(path, sizeof(path), "%s.%s", section, names[i]);
        v = mst_bson_i64(reply, path, 0);
        if (v > 0 && total < INT64_MAX - v) {
            total += v;
        }
    }
    return total;
}

static double rate(int64_t now, int64_t before, int64_t ms)
{
    return now >= before ? (double)(now - before) * 1000.0 / (double)ms : -1;
}

void mst_parse_stats(const bson_t *reply, int64_t at_ms, struct mst_topo_member *m,
                     struct mst_parsed_counters *before, bool *has_oplog, bool *sharded)
{
    static const char *const ops[] = {"insert", "query", "update", "delete", "getmore", "command"};
    struct mst_parsed_counters now = {.at_ms = at_ms};
    struct mst_ts first, last;
    bson_t doc;

    m->stats_at_ms = at_ms;
    m->stats_missing[0] = '\0';
    (void)mst_bson_text(reply, "version", m->version, sizeof(m->version));
    m->uptime_s = mst_bson_i64(reply, "uptime", 0);
    m->connections = mst_bson_i64(reply, "connections.current", -1);
    m->connections_available = mst_bson_i64(reply, "connections.available", -1);
    m->rbid = mst_bson_i64(reply, "repl.rbid", -1);
    m->mem_resident_mb = mst_bson_i64(reply, "mem.resident", -1);
    m->flow_lagged = mst_bson_bool(reply, "flowControl.isLagged", false);
    now.uptime_s = m->uptime_s;
    now.ops = sum(reply, "opcounters", ops, MST_COUNT(ops));
    now.repl_ops = sum(reply, "opcountersRepl", ops, 4);
    m->ops_per_s = -1;
    m->repl_per_s = -1;
    if (before->at_ms > 0 && at_ms > before->at_ms && now.uptime_s >= before->uptime_s) {
        m->ops_per_s = rate(now.ops, before->ops, at_ms - before->at_ms);
        m->repl_per_s = rate(now.repl_ops, before->repl_ops, at_ms - before->at_ms);
    }
    *before = now;
    *has_oplog = mst_bson_ts(reply, "oplog.earliestOptime", &first) &&
                 mst_bson_ts(reply, "oplog.latestOptime", &last);
    if (*has_oplog) {
        m->oplog_first = first;
        m->oplog_last = last;
    }
    *sharded = mst_bson_doc(reply, "sharding", &doc) || bson_has_field(reply, "$configServerState");
}
