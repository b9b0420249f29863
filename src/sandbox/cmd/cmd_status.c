/* cmd_status.c: serverStatus, as far as a member's numbers are real here. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/facts.h"
#include "oplog/entries.h"
#include "sess/sess.h"
#include "set/set.h"
#include "wire/client.h"

#define CONNECTIONS_MAX 16000
#define LAG_TARGET_MS 5000 /* flow control engages at half of its ten seconds */

static void head(struct sbx_call *c)
{
    const struct sbx_member *m = c->m;
    const int64_t up = sbx_mono(c->w) - m->started_mono;
    const int64_t whole_s = (up + 999) / 1000;
    char host[300];

    sbx_facts_host(m, host, sizeof host);
    BSON_APPEND_UTF8(c->reply, "host", host);
    BSON_APPEND_UTF8(c->reply, "version", c->w->profile->version);
    BSON_APPEND_UTF8(c->reply, "process", "mongod");
    BSON_APPEND_INT64(c->reply, "pid", m->pid);
    BSON_APPEND_DOUBLE(c->reply, "uptime", (double)whole_s);
    BSON_APPEND_INT64(c->reply, "uptimeMillis", up);
    BSON_APPEND_INT64(c->reply, "uptimeEstimate", up / 1000);
    BSON_APPEND_DATE_TIME(c->reply, "localTime", sbx_utc(c->w));
}

static void connections(struct sbx_call *c)
{
    int32_t current = 0, active = 0;
    bson_t s;

    for (const struct sbx_conn *conn = c->w->conns; conn != NULL; conn = conn->next) {
        if (conn->m == c->m && !conn->dead) {
            current++;
            active += conn->op != NULL;
        }
    }
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "asserts", &s);
    BSON_APPEND_INT32(&s, "user", (int32_t)c->m->counters.asserts_user);
    bson_append_document_end(c->reply, &s);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "connections", &s);
    BSON_APPEND_INT32(&s, "current", current);
    BSON_APPEND_INT32(&s, "available", CONNECTIONS_MAX - current);
    BSON_APPEND_INT32(&s, "totalCreated", (int32_t)c->m->counters.connections_created);
    BSON_APPEND_INT32(&s, "active", active);
    bson_append_document_end(c->reply, &s);
}

static void called(bson_t *b, const char *key, int64_t n, int64_t ok)
{
    bson_t s;

    BSON_APPEND_DOCUMENT_BEGIN(b, key, &s);
    BSON_APPEND_INT64(&s, "called", n);
    BSON_APPEND_INT64(&s, "successful", ok);
    bson_append_document_end(b, &s);
}

static void elections(struct sbx_call *c)
{
    const struct sbx_election_counts *e = &c->m->elections;
    bson_t s;

    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "electionMetrics", &s);
    called(&s, "stepUpCmd", e->step_up_called, e->step_up_ok);
    called(&s, "priorityTakeover", e->priority_called, e->priority_ok);
    called(&s, "catchUpTakeover", e->catch_up_called, e->catch_up_ok);
    called(&s, "electionTimeout", e->timeout_called, e->timeout_ok);
    called(&s, "freezeTimeout", e->freeze_called, e->freeze_ok);
    BSON_APPEND_INT64(&s, "numStepDownsCausedByHigherTerm", e->step_downs_by_term);
    BSON_APPEND_INT64(&s, "numCatchUps", e->catch_ups);
    BSON_APPEND_INT64(&s, "numCatchUpsSucceeded", e->catch_ups_ok);
    BSON_APPEND_INT64(&s, "numCatchUpsAlreadyCaughtUp", e->catch_ups_current);
    BSON_APPEND_INT64(&s, "numCatchUpsSkipped", e->catch_ups_skipped);
    BSON_APPEND_INT64(&s, "numCatchUpsTimedOut", e->catch_ups_timed_out);
    BSON_APPEND_INT64(&s, "numCatchUpsFailedWithError", 0); /* no source fails half way here */
    BSON_APPEND_INT64(&s, "numCatchUpsFailedWithNewTerm", e->catch_ups_new_term);
    BSON_APPEND_INT64(&s, "numCatchUpsFailedWithReplSetAbortPrimaryCatchUpCmd",
                      e->catch_ups_aborted);
    BSON_APPEND_DOUBLE(&s, "averageCatchUpOps",
                       e->catch_ups > 0 ? (double)e->catch_up_ops / (double)e->catch_ups : 0);
    bson_append_document_end(c->reply, &s);
}

static void flow_and_queues(struct sbx_call *c)
{
    const struct sbx_member *m = c->m;
    const bool lagged = m->writable && m->applied.wall_ms - m->committed.wall_ms > LAG_TARGET_MS;
    int32_t readers = 0, writers = 0;
    bson_t s, q;

    for (const struct sbx_conn *conn = c->w->conns; conn != NULL; conn = conn->next) {
        if (conn->m == m && conn->op != NULL) {
            const bool write = strcmp(conn->op, "insert") == 0 || strcmp(conn->op, "update") == 0 ||
                               strcmp(conn->op, "delete") == 0;
            const bool read = strcmp(conn->op, "find") == 0 || strcmp(conn->op, "getMore") == 0 ||
                              strcmp(conn->op, "aggregate") == 0;
            writers += write;
            readers += read;
        }
    }
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "flowControl", &s);
    BSON_APPEND_BOOL(&s, "enabled", true);
    BSON_APPEND_BOOL(&s, "isLagged", lagged);
    bson_append_document_end(c->reply, &s);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "globalLock", &s);
    BSON_APPEND_INT64(&s, "totalTime", (sbx_mono(c->w) - m->started_mono) * 1000);
    BSON_APPEND_DOCUMENT_BEGIN(&s, "currentQueue", &q); /* nothing queues for a lock here */
    BSON_APPEND_INT32(&q, "total", 0);
    BSON_APPEND_INT32(&q, "readers", 0);
    BSON_APPEND_INT32(&q, "writers", 0);
    bson_append_document_end(&s, &q);
    BSON_APPEND_DOCUMENT_BEGIN(&s, "activeClients", &q);
    BSON_APPEND_INT32(&q, "total", readers + writers);
    BSON_APPEND_INT32(&q, "readers", readers);
    BSON_APPEND_INT32(&q, "writers", writers);
    bson_append_document_end(&s, &q);
    bson_append_document_end(c->reply, &s);
}

static void latency(bson_t *b, const char *key, int64_t us, int64_t ops)
{
    bson_t s;

    BSON_APPEND_DOCUMENT_BEGIN(b, key, &s);
    BSON_APPEND_INT64(&s, "latency", us);
    BSON_APPEND_INT64(&s, "ops", ops);
    bson_append_document_end(b, &s);
}

static void traffic(struct sbx_call *c)
{
    const struct sbx_counters *n = &c->m->counters;
    const struct sbx_sess_stats *t = sbx_sess_stats(c->m);
    bson_t s;

    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "logicalSessionRecordCache", &s);
    BSON_APPEND_INT32(&s, "activeSessionsCount", (int32_t)t->active_sessions);
    bson_append_document_end(c->reply, &s);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "network", &s);
    BSON_APPEND_INT64(&s, "bytesIn", n->bytes_in);
    BSON_APPEND_INT64(&s, "bytesOut", n->bytes_out);
    BSON_APPEND_INT64(&s, "physicalBytesIn", n->bytes_in); /* nothing is compressed */
    BSON_APPEND_INT64(&s, "physicalBytesOut", n->bytes_out);
    BSON_APPEND_INT64(&s, "numRequests", n->requests);
    bson_append_document_end(c->reply, &s);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "opLatencies", &s);
    latency(&s, "reads", t->read_us, t->reads);
    latency(&s, "writes", t->write_us, t->writes);
    latency(&s, "commands", t->command_us, t->commands);
    latency(&s, "transactions", t->txn_us, t->txns);
    bson_append_document_end(c->reply, &s);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "opcounters", &s);
    BSON_APPEND_INT64(&s, "insert", n->insert);
    BSON_APPEND_INT64(&s, "query", n->query);
    BSON_APPEND_INT64(&s, "update", n->update);
    BSON_APPEND_INT64(&s, "delete", n->del);
    BSON_APPEND_INT64(&s, "getmore", n->getmore);
    BSON_APPEND_INT64(&s, "command", n->command);
    bson_append_document_end(c->reply, &s);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "opcountersRepl", &s);
    BSON_APPEND_INT64(&s, "insert", n->r_insert);
    BSON_APPEND_INT64(&s, "query", 0);
    BSON_APPEND_INT64(&s, "update", n->r_update);
    BSON_APPEND_INT64(&s, "delete", n->r_del);
    BSON_APPEND_INT64(&s, "getmore", 0);
    BSON_APPEND_INT64(&s, "command", n->r_command);
    bson_append_document_end(c->reply, &s);
}

static void oplog_section(struct sbx_call *c)
{
    bson_t s;

    if (sbx_doc_true(c->cmd, "oplog") && sbx_oplog_count(c->m->oplog) > 0) {
        BSON_APPEND_DOCUMENT_BEGIN(c->reply, "oplog", &s);
        sbx_append_ts(&s, "latestOptime", sbx_oplog_last(c->m->oplog).ts);
        sbx_append_ts(&s, "earliestOptime", sbx_oplog_first(c->m->oplog).ts);
        bson_append_document_end(c->reply, &s);
    }
}

static void transactions(struct sbx_call *c)
{
    const struct sbx_sess_stats *t = sbx_sess_stats(c->m);
    bson_t s;

    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "transactions", &s);
    BSON_APPEND_INT64(&s, "retriedCommandsCount", t->retried_commands);
    BSON_APPEND_INT64(&s, "retriedStatementsCount", t->retried_statements);
    BSON_APPEND_INT64(&s, "currentActive", 0); /* this call is none, and none runs beside it */
    BSON_APPEND_INT64(&s, "currentInactive", t->open);
    BSON_APPEND_INT64(&s, "currentOpen", t->open);
    BSON_APPEND_INT64(&s, "totalAborted", t->aborted);
    BSON_APPEND_INT64(&s, "totalCommitted", t->committed);
    BSON_APPEND_INT64(&s, "totalStarted", t->started);
    bson_append_document_end(c->reply, &s);
}

static void memory(struct sbx_call *c)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long virt = 0, resident = 0;
    const long page = sysconf(_SC_PAGESIZE);
    bson_t s;

    if (f != NULL) {
        if (fscanf(f, "%ld %ld", &virt, &resident) != 2) {
            virt = resident = 0;
        }
        (void)fclose(f);
    }
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "mem", &s);
    BSON_APPEND_INT32(&s, "bits", 64);
    BSON_APPEND_INT32(&s, "resident", (int32_t)(resident * page >> 20));
    BSON_APPEND_INT32(&s, "virtual", (int32_t)(virt * page >> 20));
    BSON_APPEND_BOOL(&s, "supported", f != NULL);
    bson_append_document_end(c->reply, &s);
}

static void metrics(struct sbx_call *c)
{
    const struct sbx_member *m = c->m;
    bson_t s, t, one;

    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "metrics", &s);
    BSON_APPEND_DOCUMENT_BEGIN(&s, "commands", &t);
    for (size_t i = 0; i < m->n_cmd_counts; i++) {
        BSON_APPEND_DOCUMENT_BEGIN(&t, m->cmd_counts[i].name, &one);
        BSON_APPEND_INT64(&one, "failed", m->cmd_counts[i].failed);
        BSON_APPEND_INT64(&one, "total", m->cmd_counts[i].total);
        bson_append_document_end(&t, &one);
    }
    bson_append_document_end(&s, &t);
    const struct sbx_counters *n = &m->counters;
    const int64_t ops = n->r_insert + n->r_update + n->r_del + n->r_command;
    BSON_APPEND_DOCUMENT_BEGIN(&s, "repl", &t);
    BSON_APPEND_DOCUMENT_BEGIN(&t, "apply", &one);
    BSON_APPEND_INT64(&one, "ops", ops);
    bson_append_document_end(&t, &one);
    BSON_APPEND_DOCUMENT_BEGIN(&t, "network", &one);
    BSON_APPEND_INT64(&one, "ops", ops);
    bson_append_document_end(&t, &one);
    BSON_APPEND_DOCUMENT_BEGIN(&t, "stateTransition", &one);
    BSON_APPEND_UTF8(&one, "lastStateTransition", m->moves.last);
    BSON_APPEND_INT64(&one, "userOperationsKilled", m->moves.killed);
    BSON_APPEND_INT64(&one, "userOperationsRunning", m->moves.running);
    bson_append_document_end(&t, &one);
    bson_append_document_end(&s, &t);
    bson_append_document_end(c->reply, &s);
}

/* {metrics: 0} leaves that section out. What says who answers stays. */
static bool left_out(const struct sbx_call *c, const char *section)
{
    return sbx_doc_has(c->cmd, section) && !sbx_doc_true(c->cmd, section);
}

static void leave_out(struct sbx_call *c)
{
    bson_t kept = BSON_INITIALIZER;
    bson_iter_t it;
    bool body = false;

    bson_iter_init(&it, c->reply);
    while (bson_iter_next(&it)) {
        if (!body || !left_out(c, bson_iter_key(&it))) {
            bson_append_iter(&kept, NULL, 0, &it);
        }
        body = body || strcmp(bson_iter_key(&it), "localTime") == 0;
    }
    bson_reinit(c->reply);
    bson_concat(c->reply, &kept);
    bson_destroy(&kept);
}

void sbx_facts_status(struct sbx_call *c)
{
    head(c);
    connections(c);
    elections(c);
    flow_and_queues(c);
    traffic(c);
    oplog_section(c);
    sbx_append_repl(c);
    transactions(c);
    if (!left_out(c, "metrics")) { /* the server counts memory among them */
        memory(c);
        metrics(c);
    }
    leave_out(c);
}
