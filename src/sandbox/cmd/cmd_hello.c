/* cmd_hello.c: ping, isMaster and hello. */
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/facts.h"
#include "set/set.h"
#include "wire/client.h"
#include "world/hooks.h"

static void cmd_ping(struct sbx_call *c)
{
    (void)c;
}

static void append_host_list(const struct sbx_call *c, const char *key, int kind)
{
    const struct sbx_config *cfg = &c->m->config;
    bson_t array;
    char buf[16];
    const char *k;
    uint32_t n = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < cfg->n; i++) {
            const struct sbx_member_config *m = &cfg->members[i];
            const int its = m->hidden || m->delay_s > 0 ? -1
                            : m->arbiter                ? 2
                            : m->priority <= 0          ? 1
                                                        : 0;
            if (its != kind) {
                continue;
            }
            if (pass == 1) {
                bson_uint32_to_string(n, &k, buf, sizeof buf);
                BSON_APPEND_UTF8(&array, k, m->host);
            }
            n++;
        }
        if (pass == 0) {
            if (n == 0) {
                return;
            }
            n = 0;
            bson_append_array_begin(c->reply, key, -1, &array);
        }
    }
    bson_append_array_end(c->reply, &array);
}

static void append_last_write(struct sbx_call *c)
{
    const struct sbx_member *m = c->m;
    bson_t doc;

    bson_append_document_begin(c->reply, "lastWrite", -1, &doc);
    sbx_append_optime(&doc, "opTime", m->applied.op);
    BSON_APPEND_DATE_TIME(&doc, "lastWriteDate", (int64_t)m->applied.op.ts.t * 1000);
    if (!mst_ts_zero(m->committed.op.ts)) {
        sbx_append_optime(&doc, "majorityOpTime", m->committed.op);
        BSON_APPEND_DATE_TIME(&doc, "majorityWriteDate", (int64_t)m->committed.op.ts.t * 1000);
    }
    bson_append_document_end(c->reply, &doc);
}

static void append_self(struct sbx_call *c)
{
    const struct sbx_member_config *cfg = sbx_member_cfg(c->m);
    bson_t tags;

    if (cfg->arbiter) {
        BSON_APPEND_BOOL(c->reply, "arbiterOnly", true);
    }
    if (cfg->priority <= 0 && !cfg->arbiter) {
        BSON_APPEND_BOOL(c->reply, "passive", true);
    }
    if (cfg->hidden) {
        BSON_APPEND_BOOL(c->reply, "hidden", true);
    }
    if (!cfg->build_indexes) {
        BSON_APPEND_BOOL(c->reply, "buildIndexes", false);
    }
    if (cfg->delay_s > 0) {
        if (c->w->profile->server == SBX_42) {
            BSON_APPEND_INT32(c->reply, "slaveDelay", (int32_t)cfg->delay_s);
        } else {
            BSON_APPEND_INT64(c->reply, "secondaryDelaySecs", cfg->delay_s);
        }
    }
    if (cfg->n_tags > 0) {
        bson_append_document_begin(c->reply, "tags", -1, &tags);
        for (size_t i = 0; i < cfg->n_tags; i++) {
            BSON_APPEND_UTF8(&tags, cfg->tags[i].key, cfg->tags[i].value);
        }
        bson_append_document_end(c->reply, &tags);
    }
    BSON_APPEND_UTF8(c->reply, "me", cfg->host);
}

static void append_set(struct sbx_call *c, const char *primary_key)
{
    const struct sbx_member *m = c->m;
    const int primary = sbx_primary_seen(m);

    append_host_list(c, "hosts", 0);
    append_host_list(c, "passives", 1);
    append_host_list(c, "arbiters", 2);
    BSON_APPEND_UTF8(c->reply, "setName", c->m->config.set);
    BSON_APPEND_INT32(c->reply, "setVersion", c->m->config.version);
    bson_append_bool(c->reply, primary_key, -1, m->writable);
    /* A primary that drains its queue still says secondary. */
    BSON_APPEND_BOOL(c->reply, "secondary",
                     m->state == SBX_SECONDARY || (m->state == SBX_PRIMARY && m->draining));
    if (primary >= 0) {
        BSON_APPEND_UTF8(c->reply, "primary", c->m->config.members[primary].host);
    }
    append_self(c);
    if (m->writable) {
        BSON_APPEND_OID(c->reply, "electionId", &m->election_id);
    }
    append_last_write(c);
}

void sbx_append_repl(struct sbx_call *c)
{
    const bool old = c->w->profile->server == SBX_42;
    bson_t *reply = c->reply, repl;

    if (c->m->has_config) {
        BSON_APPEND_DOCUMENT_BEGIN(reply, "repl", &repl);
        c->reply = &repl;
        append_set(c, old ? "ismaster" : "isWritablePrimary");
        BSON_APPEND_INT32(&repl, "rbid", (int32_t)c->m->rbid);
        c->reply = reply;
        bson_append_document_end(reply, &repl);
    }
}

static void append_limits(struct sbx_call *c)
{
    BSON_APPEND_INT32(c->reply, "maxBsonObjectSize", 16777216);
    BSON_APPEND_INT32(c->reply, "maxMessageSizeBytes", 48000000);
    BSON_APPEND_INT32(c->reply, "maxWriteBatchSize", 100000);
    BSON_APPEND_DATE_TIME(c->reply, "localTime", sbx_utc(c->w));
    BSON_APPEND_INT32(c->reply, "logicalSessionTimeoutMinutes", 30);
    BSON_APPEND_INT32(c->reply, "connectionId", c->conn != NULL ? (int32_t)c->conn->id : 0);
    BSON_APPEND_INT32(c->reply, "minWireVersion", 0);
    BSON_APPEND_INT32(c->reply, "maxWireVersion", c->w->profile->max_wire);
    BSON_APPEND_BOOL(c->reply, "readOnly", false);
}

static void note_client(struct sbx_call *c)
{
    bson_iter_t it;
    const uint8_t *p;
    uint32_t n;

    if (c->conn != NULL && c->conn->client == NULL && bson_iter_init_find(&it, c->cmd, "client") &&
        BSON_ITER_HOLDS_DOCUMENT(&it)) {
        bson_iter_document(&it, &n, &p);
        c->conn->client = bson_new_from_data(p, n);
    }
}

static void answer(struct sbx_call *c, const char *primary_key)
{
    note_client(c);
    if (c->w->profile->hello && sbx_doc_true(c->cmd, "helloOk")) {
        BSON_APPEND_BOOL(c->reply, "helloOk", true);
    }
    if (c->w->profile->hello) {
        sbx_append_topology_version(c->m, c->reply);
    }
    if (c->m->has_config) {
        append_set(c, primary_key);
    } else {
        bson_append_bool(c->reply, primary_key, -1, false);
        BSON_APPEND_BOOL(c->reply, "secondary", false);
        BSON_APPEND_UTF8(c->reply, "info", "Does not have a valid replica set config");
        BSON_APPEND_BOOL(c->reply, "isreplicaset", true);
    }
    append_limits(c);
    sbx_hooks_hello(c);
}

/* Awaitable: answer when the topology is not the one the client knows, or when its time is up. */
static bool await_change(struct sbx_call *c)
{
    bson_iter_t it, at;
    int64_t counter = 0, wait_ms = 0;

    if (!c->w->profile->hello || !bson_iter_init(&it, c->cmd) ||
        !bson_iter_find_descendant(&it, "topologyVersion.processId", &at)) {
        return true;
    }
    if (!BSON_ITER_HOLDS_OID(&at) || !sbx_doc_int(c->cmd, "topologyVersion.counter", &counter) ||
        !sbx_doc_int(c->cmd, "maxAwaitTimeMS", &wait_ms) || wait_ms < 0) {
        sbx_fail(c, 51759,
                 "A request with a 'topologyVersion' must include 'maxAwaitTimeMS' and a valid "
                 "version");
        return false;
    }
    if (!bson_oid_equal(bson_iter_oid(&at), &c->m->process)) {
        return true;
    }
    if (counter > c->m->topology) {
        sbx_fail(c, 51764,
                 "Received a topology version with counter: %lld which is greater than the server "
                 "topology version counter: %lld",
                 (long long)counter, (long long)c->m->topology);
        return false;
    }
    const int64_t deadline = sbx_mono(c->w) + (wait_ms < 3600000 ? wait_ms : 3600000);
    while (counter == c->m->topology) {
        const enum sbx_woke woke = sbx_wait(c, deadline);
        if (woke != SBX_WOKE) {
            return woke == SBX_DEADLINE;
        }
    }
    return true;
}

static void cmd_is_master(struct sbx_call *c)
{
    if (await_change(c)) {
        c->more_to_come = c->exhaust_allowed && sbx_doc_has(c->cmd, "topologyVersion");
        answer(c, "ismaster");
    }
}

static void cmd_hello(struct sbx_call *c)
{
    if (await_change(c)) {
        c->more_to_come = c->exhaust_allowed && sbx_doc_has(c->cmd, "topologyVersion");
        answer(c, "isWritablePrimary");
    }
}

const struct sbx_cmd sbx_cmds_hello[] = {
    {"ping", cmd_ping, SBX_CMD_NO_AUTH, NULL},
    {"isMaster", cmd_is_master, SBX_CMD_NO_AUTH | SBX_CMD_HANDSHAKE, NULL},
    {"ismaster", cmd_is_master, SBX_CMD_NO_AUTH | SBX_CMD_HANDSHAKE, NULL},
    {"hello", cmd_hello, SBX_CMD_NO_AUTH | SBX_CMD_HANDSHAKE, "7.0"},
    {0},
};
