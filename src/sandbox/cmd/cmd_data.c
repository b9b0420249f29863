/* Commands on documents: the table, and what all of them need. */
#include "cmd/cmd_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd.h"
#include "set/set.h"

struct sbx_val sbx_cmd_arg(const struct sbx_call *c, const char *key)
{
    return sbx_doc_get(sbx_cmd_doc(c), key);
}

bool sbx_cmd_fail(struct sbx_call *c, const struct sbx_why *why)
{
    sbx_fail(c, why->code, "%s", why->msg);
    if (why->code == 112 && c->txn) {
        sbx_fail_label(c, "TransientTransactionError");
    }
    return false;
}

void sbx_cmd_fail_dup(struct sbx_call *c, struct sbx_dup *dup)
{
    static const char *const names[] = {"keyPattern", "keyValue"};
    struct sbx_out *const parts[] = {&dup->pattern, &dup->value};

    for (size_t i = 0; i < MST_COUNT(parts); i++) {
        bson_t doc;

        if (parts[i]->b.len && bson_init_static(&doc, parts[i]->b.p, parts[i]->b.len)) {
            if (!c->error_info) {
                c->error_info = bson_new();
            }
            BSON_APPEND_DOCUMENT(c->error_info, names[i], &doc);
        }
        sbx_out_release(parts[i]);
    }
}

bool sbx_cmd_ns(struct sbx_call *c, char ns[SBX_NS_MAX])
{
    struct sbx_it it;
    const char *name;
    size_t len = 0;

    sbx_doc_first(sbx_cmd_doc(c), &it);
    name = it.v.type == SBX_STRING ? sbx_val_str(it.v, &len) : NULL;
    if (!name) {
        sbx_fail(c, 73, "collection name has invalid type %s", sbx_type_name(it.v.type));
        return false;
    }
    if (len == 0 || len != strlen(name) || name[0] == '.' ||
        snprintf(ns, SBX_NS_MAX, "%s.%s", c->db, name) >= SBX_NS_MAX) {
        sbx_fail(c, 73, "Invalid namespace specified '%s.%.100s'", c->db, name);
        return false;
    }
    return true;
}

struct sbx_view sbx_cmd_view(const struct sbx_call *c)
{
    return c->txn ? (struct sbx_view){c->txn->read_at, c->txn->txd} : SBX_LATEST;
}

bool sbx_cmd_no_view(struct sbx_call *c, const char *ns)
{
    struct sbx_doc def;

    if (sbx_data_view(c->m->data, ns, &def)) {
        sbx_fail(c, 166, "Namespace %s is a view, not a collection", ns);
        return false;
    }
    return true;
}

bool sbx_cmd_known(struct sbx_call *c, const char *const *known, size_t n)
{
    static const char *const always[] = {"$db",
                                         "lsid",
                                         "$clusterTime",
                                         "$readPreference",
                                         "txnNumber",
                                         "autocommit",
                                         "startTransaction",
                                         "readConcern",
                                         "writeConcern",
                                         "comment",
                                         "maxTimeMS",
                                         "collation",
                                         "stmtId",
                                         "stmtIds",
                                         "apiVersion",
                                         "apiStrict",
                                         "apiDeprecationErrors",
                                         "$audit",
                                         "$client",
                                         "allowDiskUse",
                                         "let",
                                         "queryOptions",
                                         "maxTimeMSOpOnly",
                                         "$replData",
                                         "$oplogQueryData",
                                         "$configServerState",
                                         "coordinator"};
    struct sbx_it it;

    sbx_it_init(&it, sbx_cmd_doc(c));
    sbx_it_next(&it); /* the command itself */
    while (sbx_it_next(&it)) {
        bool ok = false;

        for (size_t i = 0; !ok && i < MST_COUNT(always); i++) {
            ok = strcmp(always[i], it.key) == 0;
        }
        for (size_t i = 0; !ok && i < n; i++) {
            ok = strcmp(known[i], it.key) == 0;
        }
        if (!ok && strcmp(c->name, "find") == 0 && c->w->profile->server == SBX_42) {
            struct mst_str s = {0};

            sbx_doc_text(sbx_cmd_doc(c), &s);
            sbx_fail(c, 9, "Failed to parse: %s. Unrecognized field '%s'.", mst_str_c(&s), it.key);
            mst_str_release(&s);
            return false;
        }
        if (!ok) {
            sbx_fail(c, 40415, "BSON field '%s.%s' is an unknown field.", c->name, it.key);
            return false;
        }
    }
    return true;
}

static bool as_bson(bson_t *b, struct sbx_doc d)
{
    return bson_init_static(b, d.p, d.n);
}

void sbx_reply_doc(bson_t *b, const char *key, struct sbx_doc d)
{
    bson_t sub;

    MST_ASSERT(as_bson(&sub, d));
    bson_append_document(b, key, -1, &sub);
}

void sbx_reply_array(bson_t *b, const char *key, struct sbx_doc d)
{
    bson_t sub;

    MST_ASSERT(as_bson(&sub, d));
    bson_append_array(b, key, -1, &sub);
}

void sbx_reply_val(bson_t *b, const char *key, struct sbx_val v)
{
    struct sbx_out o = {0};
    const size_t mark = sbx_out_begin(&o);
    bson_t one;

    sbx_out_val(&o, key, v);
    sbx_out_end(&o, mark);
    if (as_bson(&one, sbx_out_done(&o))) {
        bson_concat(b, &one);
    }
    sbx_out_release(&o);
}

void sbx_reply_optime(struct sbx_call *c)
{
    const bool wrote = !mst_ts_zero(c->last_op.ts);
    const bool old = c->w->profile->server == SBX_42;

    if (!old) {
        BSON_APPEND_OID(c->reply, "electionId", &c->m->election_id);
    }
    sbx_append_optime(c->reply, "opTime", wrote ? c->last_op : c->m->applied.op);
    if (old) {
        BSON_APPEND_OID(c->reply, "electionId", &c->m->election_id);
    }
}

/* {cursor: {id: 0, ns, firstBatch}}: the order of the lists of names. */
void sbx_reply_cursor(struct sbx_call *c, const char *ns, struct sbx_doc batch)
{
    bson_t cur;

    bson_append_document_begin(c->reply, "cursor", -1, &cur);
    BSON_APPEND_INT64(&cur, "id", 0);
    BSON_APPEND_UTF8(&cur, "ns", ns);
    sbx_reply_array(&cur, "firstBatch", batch);
    bson_append_document_end(c->reply, &cur);
}

bool sbx_ns_logged(const char *ns)
{
    return strncmp(ns, "local.", 6) != 0;
}

/* ---- oplog operations ---- */

void sbx_op_begin(struct sbx_op *op, char kind, const char *ns, const uint8_t *uuid)
{
    const char k[2] = {kind, '\0'};

    memset(op, 0, sizeof *op);
    op->mark = sbx_out_begin(&op->b);
    sbx_out_str(&op->b, "op", k);
    sbx_out_str(&op->b, "ns", ns);
    if (uuid) {
        sbx_out_uuid(&op->b, "ui", uuid);
    }
}

void sbx_op_command(struct sbx_op *op, const char *db, const uint8_t *uuid)
{
    char ns[SBX_NS_MAX];

    snprintf(ns, sizeof ns, "%s.$cmd", db);
    sbx_op_begin(op, 'c', ns, uuid);
}

struct sbx_stamp sbx_op_log(struct sbx_call *c, struct sbx_op *op, const char *ns)
{
    struct sbx_stamp stamp = {c->m->applied.op.ts, NULL};
    struct mst_optime at = c->m->applied.op;
    bson_t b;

    sbx_out_end(&op->b, op->mark);
    if (sbx_ns_logged(ns) && as_bson(&b, sbx_out_done(&op->b))) {
        sbx_log_write(c, &b, &at);
        stamp.ts = at.ts;
    }
    if (c->txn) {
        stamp.txd = c->txn->txd;
    }
    sbx_out_release(&op->b);
    return stamp;
}

void sbx_write_release(struct sbx_write *w)
{
    sbx_out_release(&w->dup.pattern);
    sbx_out_release(&w->dup.value);
    sbx_out_release(&w->upserted_id);
    sbx_out_release(&w->before);
    sbx_out_release(&w->after);
    memset(w, 0, sizeof *w);
}

int64_t sbx_cmd_deadline(const struct sbx_call *c)
{
    const struct sbx_val ms = sbx_cmd_arg(c, "maxTimeMS");
    const int64_t since = c->conn != NULL ? c->conn->op_since_mono : sbx_mono(c->w);

    return sbx_val_is_num(ms) && sbx_val_i64(ms) > 0 ? since + sbx_val_i64(ms) : INT64_MAX;
}

bool sbx_wait_unheld(struct sbx_call *c, const char *ns)
{
    const int64_t deadline = sbx_cmd_deadline(c);

    for (;;) {
        const struct sbx_coll *coll = sbx_data_coll(c->m->data, ns);

        if (!coll || coll->pending == 0) {
            return true;
        }
        const enum sbx_woke woke = sbx_wait(c, deadline);

        if (woke == SBX_DEADLINE) {
            sbx_fail(c, 50, "operation exceeded time limit");
        }
        if (woke != SBX_WOKE) {
            return false;
        }
        if (!c->m->writable) {
            sbx_fail(c, 11602, "operation was interrupted");
            return false;
        }
    }
}

/* ---- lists of documents ---- */

void sbx_list_add(struct sbx_list *l, struct sbx_doc d)
{
    mst_grow((void **)&l->at, &l->cap, l->n + 1, sizeof *l->at);
    l->at[l->n++] = l->b.len;
    mst_buf_add(&l->b, d.p, d.n);
}

struct sbx_doc sbx_list_get(const struct sbx_list *l, size_t i)
{
    return sbx_doc(l->b.p + l->at[i], mst_le32(l->b.p + l->at[i]));
}

struct sorting {
    const struct sbx_list *l;
    struct sbx_doc pattern;
};

static int list_order(const void *x, const void *y, void *arg)
{
    const struct sorting *s = arg;
    const size_t a = *(const size_t *)x, b = *(const size_t *)y;
    const uint8_t *p = s->l->b.p;
    const int r =
        sbx_sort_cmp(s->pattern, sbx_doc(p + a, mst_le32(p + a)), sbx_doc(p + b, mst_le32(p + b)));

    return r ? r : a < b ? -1 : a > b; /* stable */
}

void sbx_list_sort(struct sbx_list *l, struct sbx_doc pattern)
{
    struct sorting s = {l, pattern};

    if (l->n) {
        qsort_r(l->at, l->n, sizeof *l->at, list_order, &s);
    }
}

void sbx_list_release(struct sbx_list *l)
{
    mst_buf_release(&l->b);
    free(l->at);
    memset(l, 0, sizeof *l);
}

/* ---- plans ---- */

static void bound_in(struct sbx_scan *s, struct sbx_val list)
{
    struct sbx_val lo = {0}, hi = {0};
    struct sbx_it it;

    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        if (it.v.type == SBX_REGEX) {
            return;
        }
        lo = lo.type == SBX_EOO || sbx_val_cmp(it.v, lo) < 0 ? it.v : lo;
        hi = hi.type == SBX_EOO || sbx_val_cmp(it.v, hi) > 0 ? it.v : hi;
    }
    if (lo.type != SBX_EOO) {
        s->kind = SBX_SCAN_ID;
        sbx_scan_bound(s, false, lo, false);
        sbx_scan_bound(s, true, hi, false);
    }
}

static void bound_op(struct sbx_scan *s, const struct sbx_it *it)
{
    const bool plain = it->v.type != SBX_NULL && it->v.type != SBX_UNDEFINED;

    if (strcmp(it->key, "$eq") == 0 && plain) {
        s->kind = SBX_SCAN_ID;
        sbx_scan_bound(s, false, it->v, false);
        sbx_scan_bound(s, true, it->v, false);
    } else if (strcmp(it->key, "$gt") == 0 || strcmp(it->key, "$gte") == 0) {
        s->kind = SBX_SCAN_ID;
        sbx_scan_bound(s, false, it->v, plain && it->key[3] == '\0');
    } else if (strcmp(it->key, "$lt") == 0 || strcmp(it->key, "$lte") == 0) {
        s->kind = SBX_SCAN_ID;
        sbx_scan_bound(s, true, it->v, plain && it->key[3] == '\0');
    } else if (strcmp(it->key, "$in") == 0 && it->v.type == SBX_ARRAY) {
        bound_in(s, it->v);
    }
}

void sbx_plan(struct sbx_scan *s, struct sbx_doc filter)
{
    const struct sbx_val id = sbx_doc_get(filter, "_id");
    struct sbx_it it;

    sbx_scan_init(s, SBX_SCAN_NATURAL, false);
    if (id.type == SBX_EOO || id.type == SBX_REGEX || id.type == SBX_NULL ||
        id.type == SBX_UNDEFINED) {
        return;
    }
    if (id.type != SBX_OBJECT || !sbx_doc_first(sbx_val_doc(id), &it) || it.key[0] != '$') {
        s->kind = SBX_SCAN_ID;
        sbx_scan_bound(s, false, id, false);
        sbx_scan_bound(s, true, id, false);
        return;
    }
    sbx_it_init(&it, sbx_val_doc(id));
    while (sbx_it_next(&it)) {
        bound_op(s, &it);
    }
}

bool sbx_plan_next(struct sbx_scan *s, const struct sbx_coll *c, struct sbx_view view,
                   struct sbx_doc filter, struct sbx_row *row)
{
    while (sbx_scan_next(s, c, view, row)) {
        if (sbx_match(filter, row->doc)) {
            return true;
        }
    }
    return false;
}

#define WRITE (SBX_CMD_PRIMARY | SBX_CMD_TXN)
#define READ (SBX_CMD_READ | SBX_CMD_TXN)

const struct sbx_cmd sbx_cmds_data[] = {
    {"insert", sbx_cmd_insert, WRITE, NULL},
    {"update", sbx_cmd_update, WRITE, NULL},
    {"delete", sbx_cmd_delete, WRITE, NULL},
    {"findAndModify", sbx_cmd_find_and_modify, WRITE, NULL},
    {"findandmodify", sbx_cmd_find_and_modify, WRITE, NULL},
    {"find", sbx_cmd_find, READ, NULL},
    {"getMore", sbx_cmd_get_more, SBX_CMD_TXN | SBX_CMD_DISK, NULL},
    {"killCursors", sbx_cmd_kill_cursors, SBX_CMD_TXN, NULL},
    {"aggregate", sbx_cmd_aggregate, READ, NULL},
    {"count", sbx_cmd_count, SBX_CMD_READ, NULL},
    {"distinct", sbx_cmd_distinct, READ, NULL},
    {"create", sbx_cmd_create, SBX_CMD_PRIMARY, NULL},
    {"drop", sbx_cmd_drop, SBX_CMD_PRIMARY, NULL},
    {"dropDatabase", sbx_cmd_drop_database, SBX_CMD_PRIMARY, NULL},
    {"renameCollection", sbx_cmd_rename, SBX_CMD_PRIMARY | SBX_CMD_ADMIN, NULL},
    {"convertToCapped", sbx_cmd_convert_to_capped, SBX_CMD_PRIMARY, NULL},
    {"collMod", sbx_cmd_coll_mod, SBX_CMD_PRIMARY, NULL},
    {"createIndexes", sbx_cmd_create_indexes, SBX_CMD_PRIMARY, NULL},
    {"dropIndexes", sbx_cmd_drop_indexes, SBX_CMD_PRIMARY, NULL},
    {"deleteIndexes", sbx_cmd_drop_indexes, SBX_CMD_PRIMARY, NULL},
    {"listIndexes", sbx_cmd_list_indexes, SBX_CMD_READ, NULL},
    {"listCollections", sbx_cmd_list_collections, SBX_CMD_READ, NULL},
    {"listDatabases", sbx_cmd_list_databases, SBX_CMD_READ | SBX_CMD_ADMIN, NULL},
    {"collStats", sbx_cmd_coll_stats, SBX_CMD_READ, NULL},
    {"collstats", sbx_cmd_coll_stats, SBX_CMD_READ, NULL},
    {"dbStats", sbx_cmd_db_stats, SBX_CMD_READ, NULL},
    {"dbstats", sbx_cmd_db_stats, SBX_CMD_READ, NULL},
    {"dbHash", sbx_cmd_db_hash, 0, NULL},
    {"dbhash", sbx_cmd_db_hash, 0, NULL},
    {"splitVector", sbx_cmd_split_vector, SBX_CMD_READ, NULL},
    {"applyOps", sbx_cmd_apply_ops, SBX_CMD_PRIMARY, NULL},
    {"appendOplogNote", sbx_cmd_append_note, SBX_CMD_PRIMARY | SBX_CMD_ADMIN, NULL},
    {0},
};
