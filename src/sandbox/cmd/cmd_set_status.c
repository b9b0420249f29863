/* cmd_set_status.c: replSetGetStatus: one member's own state and its opinion of the others. */
#include <string.h>

#include "cmd/cmd.h"
#include "set/set.h"

static const struct mst_optime none = {{0, 0}, -1};

static bool old(const struct sbx_call *c)
{
    return c->w->profile->server == SBX_42;
}

static const char *host_of(const struct sbx_call *c, int index)
{
    return index < 0 ? "" : c->m->config.members[index].host;
}

static int id_of(const struct sbx_call *c, int index)
{
    return index < 0 ? -1 : c->m->config.members[index].id;
}

static void append_source(const struct sbx_call *c, bson_t *b, int index)
{
    if (old(c)) {
        BSON_APPEND_UTF8(b, "syncingTo", host_of(c, index));
    }
    BSON_APPEND_UTF8(b, "syncSourceHost", host_of(c, index));
    BSON_APPEND_INT32(b, "syncSourceId", id_of(c, index));
}

static void append_date_of(bson_t *b, const char *key, struct mst_optime op)
{
    bson_append_date_time(b, key, -1, (int64_t)op.ts.t * 1000);
}

static void append_optimes(const struct sbx_call *c, bson_t *b)
{
    const struct sbx_member *m = c->m;
    const bool arbiter = m->data == NULL;
    bson_t o;

    bson_append_document_begin(b, "optimes", -1, &o);
    sbx_append_optime(&o, "lastCommittedOpTime", m->committed.op);
    BSON_APPEND_DATE_TIME(&o, "lastCommittedWallTime", m->committed.wall_ms);
    sbx_append_optime(&o, "readConcernMajorityOpTime", m->committed.op);
    if (old(c)) {
        BSON_APPEND_DATE_TIME(&o, "readConcernMajorityWallTime", m->committed.wall_ms);
    }
    sbx_append_optime(&o, "appliedOpTime", m->applied.op);
    sbx_append_optime(&o, "durableOpTime", arbiter ? none : m->durable.op);
    BSON_APPEND_DATE_TIME(&o, "lastAppliedWallTime", m->applied.wall_ms);
    BSON_APPEND_DATE_TIME(&o, "lastDurableWallTime", arbiter ? 0 : m->durable.wall_ms);
    bson_append_document_end(b, &o);
}

static void append_candidacy(const struct sbx_call *c, bson_t *b)
{
    const struct sbx_candidacy *e = &c->m->candidacy;
    bson_t d;

    if (!e->any || c->m->state != SBX_PRIMARY) {
        return;
    }
    bson_append_document_begin(b, "electionCandidateMetrics", -1, &d);
    BSON_APPEND_UTF8(&d, "lastElectionReason", e->reason);
    BSON_APPEND_DATE_TIME(&d, "lastElectionDate", e->date_ms);
    BSON_APPEND_INT64(&d, "electionTerm", e->term);
    sbx_append_optime(&d, "lastCommittedOpTimeAtElection", e->committed);
    sbx_append_optime(&d, "lastSeenOpTimeAtElection", e->seen);
    BSON_APPEND_INT32(&d, "numVotesNeeded", e->votes_needed);
    BSON_APPEND_DOUBLE(&d, "priorityAtElection", e->priority);
    BSON_APPEND_INT64(&d, "electionTimeoutMillis", e->timeout_ms);
    if (e->prior_primary >= 0) {
        BSON_APPEND_INT32(&d, "priorPrimaryMemberId", e->prior_primary);
    }
    if (e->target.term >= 0) {
        sbx_append_optime(&d, "targetCatchupOpTime", e->target);
    }
    if (e->catch_up_ops >= 0 && c->m->config.n > 1) {
        BSON_APPEND_INT64(&d, "numCatchUpOps", e->catch_up_ops);
    }
    if (e->new_term_ms > 0) {
        BSON_APPEND_DATE_TIME(&d, "newTermStartDate", e->new_term_ms);
    }
    if (e->majority_ms > 0) {
        BSON_APPEND_DATE_TIME(&d, "wMajorityWriteAvailabilityDate", e->majority_ms);
    }
    bson_append_document_end(b, &d);
}

static void append_vote(const struct sbx_call *c, bson_t *b)
{
    const struct sbx_vote *v = &c->m->vote;
    bson_t d;

    if (!v->any) {
        return;
    }
    bson_append_document_begin(b, "electionParticipantMetrics", -1, &d);
    BSON_APPEND_BOOL(&d, "votedForCandidate", v->voted);
    BSON_APPEND_INT64(&d, "electionTerm", v->term);
    BSON_APPEND_DATE_TIME(&d, "lastVoteDate", v->date_ms);
    BSON_APPEND_INT32(&d, "electionCandidateMemberId", v->candidate);
    BSON_APPEND_UTF8(&d, "voteReason", v->reason);
    sbx_append_optime(&d, "lastAppliedOpTimeAtElection", v->last_applied);
    sbx_append_optime(&d, "maxAppliedOpTimeInSet", v->max_applied);
    BSON_APPEND_DOUBLE(&d, "priorityAtElection", v->priority);
    if (v->new_term_ms > 0) {
        BSON_APPEND_DATE_TIME(&d, "newTermStartDate", v->new_term_ms);
        BSON_APPEND_DATE_TIME(&d, "newTermAppliedDate", v->applied_ms);
    }
    bson_append_document_end(b, &d);
}

static void append_election(bson_t *b, struct mst_ts ts)
{
    sbx_append_ts(b, "electionTime", ts);
    BSON_APPEND_DATE_TIME(b, "electionDate", (int64_t)ts.t * 1000);
}

static void append_config_version(const struct sbx_call *c, bson_t *b, int version, int64_t term)
{
    BSON_APPEND_INT32(b, "configVersion", version);
    if (!old(c)) {
        BSON_APPEND_INT32(b, "configTerm", version < 0 ? -1 : (int32_t)term);
    }
}

static void append_self(const struct sbx_call *c, bson_t *b)
{
    const struct sbx_member *m = c->m;
    const struct sbx_member_config *cfg = sbx_member_cfg(m);

    BSON_APPEND_INT32(b, "_id", cfg->id);
    BSON_APPEND_UTF8(b, "name", cfg->host);
    BSON_APPEND_DOUBLE(b, "health", 1);
    BSON_APPEND_INT32(b, "state", (int32_t)m->state);
    BSON_APPEND_UTF8(b, "stateStr", sbx_state_name(m->state));
    BSON_APPEND_INT32(b, "uptime", (int32_t)((sbx_mono(c->w) - m->started_mono) / 1000));
    if (!cfg->arbiter) {
        sbx_append_optime(b, "optime", m->applied.op);
        append_date_of(b, "optimeDate", m->applied.op);
        if (!old(c)) {
            BSON_APPEND_DATE_TIME(b, "lastAppliedWallTime", m->applied.wall_ms);
            BSON_APPEND_DATE_TIME(b, "lastDurableWallTime", m->durable.wall_ms);
        }
    }
    append_source(c, b, m->sync_source);
    BSON_APPEND_UTF8(b, "infoMessage", m->info);
    if (m->state == SBX_PRIMARY) {
        append_election(b, m->election_time);
    }
    append_config_version(c, b, c->m->config.version, c->m->config.term);
    BSON_APPEND_BOOL(b, "self", true);
    BSON_APPEND_UTF8(b, "lastHeartbeatMessage", "");
}

/* Where another member's positions come from: its heartbeats, and on the primary its reports. */
static void append_positions(const struct sbx_call *c, bson_t *b, size_t i)
{
    const struct sbx_opinion *o = &c->m->of[i];
    struct sbx_pos applied = o->applied, durable = o->durable;

    if (c->m->state == SBX_PRIMARY && o->up &&
        mst_optime_cmp(c->m->reported[i].op, applied.op) > 0) {
        applied = durable = c->m->reported[i];
    }
    sbx_append_optime(b, "optime", applied.op);
    sbx_append_optime(b, "optimeDurable", durable.op);
    append_date_of(b, "optimeDate", applied.op);
    append_date_of(b, "optimeDurableDate", durable.op);
    if (!old(c)) {
        BSON_APPEND_DATE_TIME(b, "lastAppliedWallTime", applied.wall_ms);
        BSON_APPEND_DATE_TIME(b, "lastDurableWallTime", durable.wall_ms);
    }
}

static void append_other(const struct sbx_call *c, bson_t *b, size_t i)
{
    const struct sbx_opinion *o = &c->m->of[i];
    const struct sbx_member_config *cfg = &c->m->config.members[i];
    const int64_t up_ms = o->up ? sbx_mono(c->w) - o->up_since_mono : 0;

    BSON_APPEND_INT32(b, "_id", cfg->id);
    BSON_APPEND_UTF8(b, "name", cfg->host);
    BSON_APPEND_DOUBLE(b, "health", o->up ? 1 : 0);
    BSON_APPEND_INT32(b, "state", (int32_t)o->state);
    BSON_APPEND_UTF8(b, "stateStr", o->up ? sbx_state_name(o->state) : "(not reachable/healthy)");
    BSON_APPEND_INT32(b, "uptime", (int32_t)(up_ms / 1000));
    if (!cfg->arbiter) {
        append_positions(c, b, i);
    }
    BSON_APPEND_DATE_TIME(b, "lastHeartbeat", o->last_heartbeat_ms);
    BSON_APPEND_DATE_TIME(b, "lastHeartbeatRecv", o->last_heartbeat_recv_ms);
    BSON_APPEND_INT64(b, "pingMs", o->ping_ms < 0 ? 0 : o->ping_ms);
    BSON_APPEND_UTF8(b, "lastHeartbeatMessage", o->message);
    append_source(c, b, o->sync_source);
    BSON_APPEND_UTF8(b, "infoMessage", "");
    if (o->up && o->state == SBX_PRIMARY) {
        append_election(b, o->election_time);
    }
    append_config_version(c, b, o->config_version, o->config_term);
}

static void append_members(const struct sbx_call *c, bson_t *b)
{
    bson_t array, doc;
    char buf[16];
    const char *k;

    bson_append_array_begin(b, "members", -1, &array);
    for (size_t i = 0; i < c->m->config.n; i++) {
        bson_uint32_to_string((uint32_t)i, &k, buf, sizeof buf);
        bson_append_document_begin(&array, k, -1, &doc);
        if (i == c->m->index) {
            append_self(c, &doc);
        } else {
            append_other(c, &doc, i);
        }
        bson_append_document_end(&array, &doc);
    }
    bson_append_array_end(b, &array);
}

static void append_counts(const struct sbx_call *c, bson_t *b)
{
    const struct sbx_config *cfg = &c->m->config;
    int voters = 0, writable = 0;

    for (size_t i = 0; i < cfg->n; i++) {
        voters += cfg->members[i].votes;
        writable += cfg->members[i].votes > 0 && !cfg->members[i].arbiter;
    }
    BSON_APPEND_INT32(b, "majorityVoteCount", sbx_vote_majority(cfg));
    BSON_APPEND_INT32(b, "writeMajorityCount", sbx_write_majority(cfg));
    if (!old(c)) {
        BSON_APPEND_INT32(b, "votingMembersCount", voters);
        BSON_APPEND_INT32(b, "writableVotingMembersCount", writable);
    }
}

static void cmd_get_status(struct sbx_call *c)
{
    const struct sbx_member *m = c->m;
    bson_t *b = c->reply;

    if (!m->has_config) {
        sbx_fail(c, 94, "no replset config has been received");
        return;
    }
    BSON_APPEND_UTF8(b, "set", c->m->config.set);
    BSON_APPEND_DATE_TIME(b, "date", sbx_utc(c->w));
    BSON_APPEND_INT32(b, "myState", (int32_t)m->state);
    BSON_APPEND_INT64(b, "term", m->term);
    append_source(c, b, m->sync_source);
    BSON_APPEND_INT64(b, "heartbeatIntervalMillis", c->m->config.heartbeat_ms);
    append_counts(c, b);
    append_optimes(c, b);
    sbx_append_ts(b, "lastStableRecoveryTimestamp", m->checkpoint);
    if (old(c)) {
        sbx_append_ts(b, "lastStableCheckpointTimestamp", m->checkpoint);
    }
    append_candidacy(c, b);
    append_vote(c, b);
    append_members(c, b);
}

const struct sbx_cmd sbx_cmds_set_status[] = {
    {"replSetGetStatus", cmd_get_status, SBX_CMD_ADMIN, NULL},
    {0},
};
