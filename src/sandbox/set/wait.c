/* wait.c: what a command waits for: a cluster time to be applied, its write to be replicated. */
#include <string.h>

#include "set/internal.h"

struct concern {
    bool majority, journal, tag;
    int64_t w, wtimeout_ms;
    bool given;
};

static void read_w(const bson_iter_t *it, struct concern *out)
{
    if (BSON_ITER_HOLDS_UTF8(it)) {
        out->majority = strcmp(bson_iter_utf8(it, NULL), "majority") == 0;
        out->tag = !out->majority;
    } else if (BSON_ITER_HOLDS_NUMBER(it)) {
        out->w = bson_iter_as_int64(it);
    }
}

/* From 5.0 on: majority, unless an arbiter would make that hang with one data member gone. */
static bool implicit_majority(const struct sbx_member *m)
{
    int arbiters = 0, data = 0;

    if (m->w->profile->server == SBX_42) {
        return false;
    }
    for (size_t i = 0; i < m->config.n; i++) {
        arbiters += m->config.members[i].arbiter;
        data += m->config.members[i].votes > 0 && !m->config.members[i].arbiter;
    }
    return arbiters == 0 || data > sbx_vote_majority(&m->config);
}

static struct concern read_concern(const struct sbx_call *c)
{
    struct concern out = {.w = 1};
    bson_iter_t it, f;

    if (!bson_iter_init_find(&it, c->cmd, "writeConcern") || !BSON_ITER_HOLDS_DOCUMENT(&it) ||
        !bson_iter_recurse(&it, &f)) {
        out.majority = implicit_majority(c->m);
        return out;
    }
    out.given = true;
    while (bson_iter_next(&f)) {
        if (strcmp(bson_iter_key(&f), "w") == 0) {
            read_w(&f, &out);
        } else if (strcmp(bson_iter_key(&f), "j") == 0) {
            out.journal = bson_iter_as_bool(&f);
        } else if (strcmp(bson_iter_key(&f), "wtimeout") == 0 && BSON_ITER_HOLDS_NUMBER(&f)) {
            out.wtimeout_ms = bson_iter_as_int64(&f);
        }
    }
    return out;
}

/* How many data-bearing members have the entry, as this primary knows. */
static int64_t holders(const struct sbx_member *m, struct mst_optime op)
{
    int64_t n = 0;

    for (size_t i = 0; i < m->config.n; i++) {
        const struct sbx_pos *p = i == m->index ? &m->applied : &m->reported[i];
        n += !m->config.members[i].arbiter && p->op.term <= m->term &&
             mst_optime_cmp(p->op, op) >= 0;
    }
    return n;
}

static int64_t bearing(const struct sbx_config *c)
{
    int64_t n = 0;

    for (size_t i = 0; i < c->n; i++) {
        n += !c->members[i].arbiter;
    }
    return n;
}

static bool satisfied(const struct sbx_member *m, const struct concern *wc, struct mst_optime op)
{
    return wc->majority ? mst_optime_cmp(m->committed.op, op) >= 0 : holders(m, op) >= wc->w;
}

struct failure {
    int code;
    const char *name, *text;
    bool timed_out;
};

/* The form differs from a refusal: it stands inside a reply that says ok. */
static void append_failure(struct sbx_call *c, const struct failure *f)
{
    bson_t doc, info;
    char buf[32];

    bson_append_document_begin(c->reply, "writeConcernError", -1, &doc);
    BSON_APPEND_INT32(&doc, "code", f->code);
    BSON_APPEND_UTF8(&doc, "codeName",
                     f->name != NULL ? f->name : sbx_code_name(c->w->profile, f->code, buf));
    BSON_APPEND_UTF8(&doc, "errmsg", f->text);
    if (f->timed_out) {
        bson_append_document_begin(&doc, "errInfo", -1, &info);
        BSON_APPEND_BOOL(&info, "wtimeout", true);
        bson_append_document_end(&doc, &info);
    }
    bson_append_document_end(c->reply, &doc);
}

static const struct failure left = {189, NULL, "Primary stepped down while waiting for replication",
                                    false};

/* Who has lost the seat knows nothing of its own write any more: a newer commit point is of another
 * branch. */
static void wait_for(struct sbx_call *c, const struct concern *wc, struct failure *f)
{
    const int64_t term = c->m->term;
    const int64_t deadline = wc->wtimeout_ms > 0 ? sbx_mono(c->w) + wc->wtimeout_ms : INT64_MAX;

    for (;;) {
        if (c->m->state != SBX_PRIMARY || c->m->term != term) {
            *f = left;
            return;
        }
        if (satisfied(c->m, wc, c->last_op)) {
            return;
        }
        const enum sbx_woke woke = sbx_wait(c, deadline);
        if (woke == SBX_INTERRUPTED) {
            return;
        }
        if (woke == SBX_DEADLINE && c->m->state == SBX_PRIMARY && c->m->term == term &&
            !satisfied(c->m, wc, c->last_op)) {
            *f = (struct failure){64, NULL, "waiting for replication timed out", true};
            return;
        }
    }
}

void sbx_await_write_concern(struct sbx_call *c)
{
    const struct concern wc = read_concern(c);
    struct failure f = {0};
    const bool failed = c->failed;

    if (c->conn != NULL) {
        c->conn->op_writes = false; /* its write is done: only the wait is left */
    }
    /* A write that changed nothing waits for the newest entry that its client may have seen. */
    if (mst_ts_zero(c->last_op.ts)) {
        return;
    }
    if (c->m->state != SBX_PRIMARY) {
        f = left;
    } else if (wc.tag) {
        f = (struct failure){79, NULL, "No write concern mode named in the set's configuration",
                             false};
    } else if (!wc.majority && wc.w <= 1) {
        return;
    } else if (!wc.majority && wc.w > bearing(&c->m->config)) {
        f = (struct failure){100, "UnsatisfiableWriteConcern", "Not enough data-bearing nodes",
                             false};
    } else {
        wait_for(c, &wc, &f);
    }
    if (f.code != 0 && !failed && !c->failed) {
        append_failure(c, &f);
    }
}

static int64_t call_deadline(const struct sbx_call *c)
{
    bson_iter_t it;

    if (bson_iter_init_find(&it, c->cmd, "maxTimeMS") && BSON_ITER_HOLDS_NUMBER(&it) &&
        bson_iter_as_int64(&it) > 0) {
        return sbx_mono(c->w) + bson_iter_as_int64(&it);
    }
    return INT64_MAX;
}

static bool late(struct sbx_call *c)
{
    sbx_fail(c, 50, "operation exceeded time limit");
    return false;
}

bool sbx_await_disk(struct sbx_call *c, bool writes)
{
    const int64_t limit = call_deadline(c);
    const int64_t slow = c->m->dials.slow_ms, due = sbx_mono(c->w) + slow;

    while (slow > 0 && sbx_mono(c->w) < due) {
        if (sbx_wait(c, due < limit ? due : limit) == SBX_INTERRUPTED) {
            return false;
        }
        if (sbx_mono(c->w) >= limit) {
            return late(c);
        }
    }
    while (writes && c->m->fsync_locks > 0) {
        if (c->conn != NULL) {
            c->conn->op_blocked = true;
        }
        const enum sbx_woke woke = sbx_wait(c, limit);
        if (woke != SBX_WOKE) {
            return woke == SBX_DEADLINE ? late(c) : false;
        }
    }
    if (c->conn != NULL) {
        c->conn->op_blocked = false;
    }
    return true;
}

bool sbx_await_committed(struct sbx_call *c, struct mst_optime op, int64_t deadline_mono_ms)
{
    while (mst_ts_cmp(c->m->committed.op.ts, op.ts) < 0) {
        if (sbx_wait(c, deadline_mono_ms) != SBX_WOKE) {
            return !c->failed && mst_ts_cmp(c->m->committed.op.ts, op.ts) >= 0;
        }
    }
    return true;
}

bool sbx_await_read_concern(struct sbx_call *c)
{
    const int64_t deadline = call_deadline(c);
    bson_iter_t it, at;
    struct mst_ts ts = {0, 0};

    if (!bson_iter_init(&it, c->cmd) ||
        !bson_iter_find_descendant(&it, "readConcern.afterClusterTime", &at)) {
        return true;
    }
    if (!BSON_ITER_HOLDS_TIMESTAMP(&at)) {
        sbx_fail(c, 14, "\"afterClusterTime\" had the wrong type. Expected timestamp, found %d",
                 (int)bson_iter_type(&at));
        return false;
    }
    bson_iter_timestamp(&at, &ts.t, &ts.i);
    if (mst_ts_cmp(ts, c->m->cluster_time) > 0) {
        sbx_fail(c, 2,
                 "readConcern afterClusterTime value must not be greater than the current "
                 "clusterTime. Requested clusterTime: { ts: Timestamp(%u, %u) }; current "
                 "clusterTime: { ts: Timestamp(%u, %u) }",
                 ts.t, ts.i, c->m->cluster_time.t, c->m->cluster_time.i);
        return false;
    }
    /* A primary that is behind a time it was told of writes something of its own. */
    if (c->m->writable && mst_ts_cmp(c->m->applied.op.ts, ts) < 0) {
        (void)sbx_log_noop(c->m, "noop write for afterClusterTime read concern");
    }
    while (mst_ts_cmp(c->m->applied.op.ts, ts) < 0) {
        const enum sbx_woke woke = sbx_wait(c, deadline);
        if (woke == SBX_INTERRUPTED) {
            return false;
        }
        if (woke == SBX_DEADLINE) {
            return late(c);
        }
    }
    bson_iter_t level;
    if (bson_iter_init(&it, c->cmd) &&
        bson_iter_find_descendant(&it, "readConcern.level", &level) &&
        BSON_ITER_HOLDS_UTF8(&level) && strcmp(bson_iter_utf8(&level, NULL), "majority") == 0 &&
        !sbx_await_committed(c, (struct mst_optime){ts, 0}, deadline)) {
        return c->failed ? false : late(c);
    }
    return true;
}
