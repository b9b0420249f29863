/* replay.c: the window's operations, in order, into the staging collections.
 *
 * Writes go through applyOps with the staging's name and UUID, so that one for a collection that is
 * gone fails instead of making it. DDL is done by ordinary commands between two batches. A batch
 * that has failures is looked at operation by operation: an update whose document is not there was
 * deleted later in the window, before the scan came to it; it is counted.
 */
#include <string.h>

#include "base/mem.h"
#include "restore/target.h"

#define BATCH_OPS 500U
#define BATCH_BYTES (12u << 20)
#define ONE_MAX (16u * 1024u * 1024u)

struct replay {
    struct mst_rs *r;
    bson_t *batch[BATCH_OPS]; /* ready for applyOps */
    struct mst_map_coll *of[BATCH_OPS];
    unsigned n;
    size_t bytes;
};

static enum mst_rc send(struct replay *p, unsigned from, unsigned n, bson_t *reply,
                        struct mst_err *err)
{
    bson_t *cmd = bson_new(), ops;
    enum mst_rc rc;
    unsigned i;

    BSON_APPEND_ARRAY_BEGIN(cmd, "applyOps", &ops);
    for (i = 0; i < n; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%u", i);
        BSON_APPEND_DOCUMENT(&ops, key, p->batch[from + i]);
    }
    bson_append_array_end(cmd, &ops);
    BSON_APPEND_BOOL(cmd, "allowAtomic", false);
    BSON_APPEND_BOOL(cmd, "alwaysUpsert", false);
    BSON_APPEND_BOOL(cmd, "bypassDocumentValidation", true);
    rc = mst_conn_command(p->r->c, "admin", cmd, MST_RS_MS * 4, reply, err);
    bson_destroy(cmd);
    return rc;
}

/* Is there a document under the _id that this update names? */
static enum mst_rc document_there(struct replay *p, unsigned i, bool *there, struct mst_err *err)
{
    const char *ns = NULL;
    bson_t o2, *cmd, filter, eq;
    bson_iter_t it;
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    enum mst_rc rc;

    *there = true;
    if (!bson_iter_init_find(&it, p->batch[i], "ns")) {
        return MST_OK;
    }
    ns = bson_iter_utf8(&it, NULL);
    if (!mst_bson_doc(p->batch[i], "o2", &o2) || !bson_iter_init_find(&it, &o2, "_id")) {
        return MST_OK;
    }
    cmd = BCON_NEW("find", BCON_UTF8(ns + mst_oplog_db_len(ns) + 1), "limit", BCON_INT64(1));
    BSON_APPEND_DOCUMENT_BEGIN(cmd, "filter", &filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &eq);
    (void)bson_append_iter(&eq, "$eq", -1, &it);
    bson_append_document_end(&filter, &eq);
    bson_append_document_end(cmd, &filter);
    rc = mst_cursor_open(p->r->c, p->of[i]->db, cmd, MST_RS_MS, &cur, err);
    if (rc == MST_OK) {
        rc = mst_cursor_next(cur, &doc, err);
    }
    *there = rc != MST_OK || doc;
    mst_cursor_free(cur);
    bson_destroy(cmd);
    return rc;
}

static bool is_update(const bson_t *op)
{
    bson_iter_t it;

    return bson_iter_init_find(&it, op, "op") && BSON_ITER_HOLDS_UTF8(&it) &&
           strcmp(bson_iter_utf8(&it, NULL), "u") == 0;
}

static enum mst_rc one_failed(struct replay *p, unsigned i, const struct mst_err *why,
                              struct mst_err *err)
{
    bool there = true;
    char show[MST_NS_MAX];
    char *json;

    if (is_update(p->batch[i])) {
        if (document_there(p, i, &there, err) != MST_OK) {
            return err->rc;
        }
        if (!there) {
            p->of[i]->missing++;
            p->r->res->missing++;
            return MST_OK;
        }
    }
    *err = *why;
    json = bson_as_relaxed_extended_json(p->batch[i], NULL);
    mst_task_log(p->r->task, "refused operation: %.800s", json ? json : "?");
    bson_free(json);
    mst_err_prefix(err, "replay into %s", mst_ns_show(p->of[i]->db, p->of[i]->coll, show));
    return err->rc;
}

/* How many of n the server answered for, and which failed. */
static unsigned results(const bson_t *reply, bool *ok, unsigned n)
{
    bson_iter_t it, list;
    unsigned k = 0;

    if (bson_iter_init_find(&it, reply, "results") && bson_iter_recurse(&it, &list)) {
        while (k < n && bson_iter_next(&list)) {
            ok[k++] = bson_iter_as_bool(&list);
        }
    }
    return k;
}

static void forget_batch(struct replay *p)
{
    while (p->n) {
        bson_destroy(p->batch[--p->n]);
    }
    p->bytes = 0;
}

static enum mst_rc single(struct replay *p, unsigned i, struct mst_err *err)
{
    struct mst_err why = {0};
    bson_t reply;
    bool ok[1] = {false};
    enum mst_rc rc = send(p, i, 1, &reply, &why);

    if (rc == MST_OK && (!results(&reply, ok, 1) || ok[0])) {
        bson_destroy(&reply);
        return MST_OK;
    }
    bson_destroy(&reply);
    if (rc != MST_OK && rc != MST_E_SERVER) {
        *err = why;
        return rc;
    }
    if (rc == MST_OK) {
        mst_err_set(&why, MST_E_SERVER, "applyOps refused an operation");
    }
    return one_failed(p, i, &why, err);
}

static enum mst_rc flush(struct replay *p, struct mst_err *err)
{
    bool ok[BATCH_OPS];
    unsigned at = 0, k, i;
    bson_t reply;
    enum mst_rc rc = p->n ? mst_rs_at(p->r, "replay", err) : MST_OK;

    while (rc == MST_OK && at < p->n) {
        struct mst_err why = {0};

        rc = send(p, at, p->n - at, &reply, &why);
        k = results(&reply, ok, p->n - at);
        if (rc != MST_OK && rc != MST_E_SERVER) {
            *err = why;
        } else if (rc == MST_OK && k == 0) {
            k = p->n - at; /* nothing was said against it */
        } else if (k == 0) {
            rc = single(p, at, err);
            at += 1;
        } else {
            rc = MST_OK;
            for (i = 0; rc == MST_OK && i < k; i++) {
                if (!ok[i]) {
                    rc = single(p, at + i, err);
                }
            }
        }
        at += k;
        bson_destroy(&reply);
    }
    if (rc == MST_OK && p->r->task) {
        atomic_fetch_add(&p->r->task->beats, p->n);
    }
    forget_batch(p);
    return rc;
}

static bool v1_update(const bson_t *o)
{
    bson_iter_t it;

    return bson_iter_init_find(&it, o, "$v") && bson_iter_as_int64(&it) == 1;
}

/* Servers from 6.0 on no longer take $v: 1; the same modifiers in an update command do it. Paths
 * that a later entry of the window makes fit may not fit yet: those are benign. */
static enum mst_rc update_command(struct replay *p, const struct mst_oplog_entry *e,
                                  struct mst_map_coll *c, const char *coll, struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("update", BCON_UTF8(coll), "bypassDocumentValidation", BCON_BOOL(true));
    bson_t list, one, q, eq, u, reply;
    struct mst_err e2 = {0};
    bson_iter_t it;
    enum mst_rc rc = flush(p, err);

    if (rc != MST_OK) {
        bson_destroy(cmd);
        return rc;
    }
    BSON_APPEND_ARRAY_BEGIN(cmd, "updates", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "q", &q);
    BSON_APPEND_DOCUMENT_BEGIN(&q, "_id", &eq);
    if (bson_iter_init_find(&it, &e->o2, "_id")) {
        (void)bson_append_iter(&eq, "$eq", -1, &it);
    }
    bson_append_document_end(&q, &eq);
    bson_append_document_end(&one, &q);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "u", &u);
    if (bson_iter_init(&it, &e->o)) {
        while (bson_iter_next(&it)) {
            if (strcmp(bson_iter_key(&it), "$v") != 0) {
                (void)bson_append_iter(&u, bson_iter_key(&it), -1, &it);
            }
        }
    }
    bson_append_document_end(&one, &u);
    bson_append_document_end(&list, &one);
    bson_append_array_end(cmd, &list);
    rc = mst_conn_command(p->r->c, c->db, cmd, MST_RS_MS, &reply, err);
    if (rc == MST_OK && mst_reply_write_error(&reply, &e2) != MST_OK) {
        if (e2.detail == 28) { /* PathNotViable */
            c->missing++;
            p->r->res->missing++;
        } else {
            *err = e2;
            rc = e2.rc;
        }
    } else if (rc == MST_OK && mst_bson_i64(&reply, "n", 0) == 0) {
        c->missing++;
        p->r->res->missing++;
    }
    bson_destroy(&reply);
    bson_destroy(cmd);
    return rc;
}

static enum mst_rc write_op(struct replay *p, const struct mst_oplog_entry *e, struct mst_err *err)
{
    struct mst_map_coll *c = mst_map_find(&p->r->map, e);
    char coll[MST_STAGE_MAX], ns[MST_NS_MAX];
    const char op[2] = {e->op, 0};
    bson_t *b;

    if (!c || c->dropped || !c->staged) {
        p->r->res->skipped++; /* of a collection that is not restored, or is gone at the end */
        return MST_OK;
    }
    c->ops++;
    p->r->res->ops++;
    mst_stage_name(p->r->run, false, (size_t)(c - p->r->map.c), coll);
    if (e->op == 'u' && v1_update(&e->o) && mst_conn_wire(p->r->c) >= 17) {
        return update_command(p, e, c, coll, err);
    }
    (void)snprintf(ns, sizeof ns, "%s.%s", c->db, coll);
    b = bson_new();
    BSON_APPEND_UTF8(b, "op", op);
    BSON_APPEND_UTF8(b, "ns", ns);
    BSON_APPEND_BINARY(b, "ui", BSON_SUBTYPE_UUID, c->staged_uuid, 16);
    BSON_APPEND_DOCUMENT(b, "o", &e->o);
    if (e->has_o2 && e->op == 'u') {
        BSON_APPEND_DOCUMENT(b, "o2", &e->o2);
    }
    if (p->n == BATCH_OPS || (p->n && p->bytes + b->len > BATCH_BYTES)) {
        if (flush(p, err) != MST_OK) {
            bson_destroy(b);
            return err->rc;
        }
    }
    p->batch[p->n] = b;
    p->of[p->n++] = c;
    p->bytes += b->len + 16;
    return MST_OK;
}

/* What the map says has gone is dropped from staging too. */
static enum mst_rc drop_gone(struct replay *p, struct mst_err *err)
{
    size_t i;
    enum mst_rc rc = MST_OK;

    for (i = 0; rc == MST_OK && i < p->r->map.n; i++) {
        struct mst_map_coll *c = &p->r->map.c[i];

        if (c->dropped && c->staged) {
            rc = mst_stage_drop(p->r, c, i, err);
        }
    }
    return rc;
}

static enum mst_rc command_op(struct replay *p, const struct mst_oplog_entry *e,
                              struct mst_err *err)
{
    enum mst_map_effect effect;
    struct mst_map_coll *who = NULL;
    size_t n;
    enum mst_rc rc = flush(p, err);

    if (rc == MST_OK) {
        rc = mst_map_apply(&p->r->map, e, &effect, &who, err);
    }
    if (rc != MST_OK) {
        return rc;
    }
    p->r->res->ops++;
    switch (effect) {
    case MST_MAP_NOTHING:
        break;
    case MST_MAP_CREATED:
        n = (size_t)(who - p->r->map.c);
        for (size_t i = 0; i < p->r->plan->n_items; i++) {
            const struct mst_restore_item *it = &p->r->plan->items[i];

            if (it->todo != MST_RD_VIEW && it->n == n) {
                who->wanted = true;
                return mst_stage_create(p->r, who, n, err);
            }
        }
        break;
    case MST_MAP_DROPPED:
        return drop_gone(p, err);
    case MST_MAP_EMPTIED:
        if (who->staged) {
            n = (size_t)(who - p->r->map.c);
            rc = mst_stage_drop(p->r, who, n, err);
            return rc == MST_OK ? mst_stage_create(p->r, who, n, err) : rc;
        }
        break;
    }
    return MST_OK;
}

static enum mst_rc on_op(void *arg, const struct mst_oplog_entry *e, struct mst_err *err)
{
    struct replay *p = arg;
    const struct mst_oplog_rule *rule = mst_oplog_judge(e);

    return e->op == 'c' || strcmp(rule->id, "views") == 0 ? command_op(p, e, err)
                                                          : write_op(p, e, err);
}

enum mst_rc mst_replay_all(struct mst_rs *r, struct mst_err *err)
{
    const struct mst_oplog_flow_opts fo = {.apply_after = r->s->apply_after,
                                           .spill_dir = r->o->spill_dir};
    struct replay *p;
    struct mst_oplog_flow *flow;
    struct mst_src_docs *in = NULL;
    const uint8_t *doc = NULL;
    uint32_t n = 0;
    bson_t b;
    enum mst_rc rc;

    if (!r->s->has_oplog) {
        return MST_OK;
    }
    mst_task_phase(r->task, "replaying the oplog");
    p = mst_xcalloc(1, sizeof *p);
    p->r = r;
    flow = mst_oplog_flow_new(&fo, on_op, p);
    rc = r->s->open_oplog(r->s, &in, err);
    while (rc == MST_OK && (rc = in->next(in, &doc, &n, err)) == MST_OK && doc) {
        if (!bson_init_static(&b, doc, n)) {
            rc = mst_err_set(err, MST_E_INTEGRITY, "a damaged oplog entry");
        } else if (mst_src_past_end(r->s, &b)) {
            break;
        } else {
            rc = mst_oplog_flow_feed(flow, &b, err);
        }
    }
    if (rc == MST_OK) {
        rc = flush(p, err);
    }
    mst_oplog_flow_report(flow, &r->flow);
    r->res->txn_open = r->flow.txn_open;
    if (rc == MST_OK && r->s->end.ts.t && mst_ts_cmp(r->flow.last.ts, r->s->end.ts) < 0) {
        rc = mst_err_set(err, MST_E_INTEGRITY,
                         "the oplog ends at %u.%u, before the end of the "
                         "backup at %u.%u",
                         r->flow.last.ts.t, r->flow.last.ts.i, r->s->end.ts.t, r->s->end.ts.i);
    }
    forget_batch(p);
    if (in) {
        in->close(in);
    }
    mst_oplog_flow_free(flow);
    free(p);
    return rc == MST_OK ? mst_rs_wait_majority(r, err) : rc;
}
