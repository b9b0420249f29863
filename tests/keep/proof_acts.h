/* proof_acts.h: acts at known places. Each kind of DDL, a delete and reinsert of one _id, and a
 * transaction, each on a collection of its own, before, during and after the scan of that
 * collection. What was acknowledged goes into the writer's model.
 *
 * They run on the backup's threads: a failure is kept in `problem` for the main thread to assert.
 */
#ifndef MST_TEST_PROOF_ACTS_H
#define MST_TEST_PROOF_ACTS_H

#include "keep_kit.h"

#include "sandbox/writer/writer.h"

enum { BEFORE, DURING, AFTER, PHASES };
enum { ACT_REINSERT = SBX_DDL_COUNT, ACT_TXN, ACTS };

struct cell {
    int act, phase;
    char db[32], coll[48];
    char now[48]; /* its name after the act; "" when it is gone */
    struct mst_ts at;
    bool done;
};

struct acts {
    struct mst_mutex mu;
    struct sbx_client client; /* to the primary */
    struct sbx_model *model;
    uint8_t session[16];
    int64_t txn_number;
    int docs; /* in each collection before the act */
    struct cell cells[ACTS][PHASES];
    uint64_t writes;
    char problem[400];
};

static const char *const act_names[ACTS] = {"create",       "createIndexes", "collMod",
                                            "dropIndexes",  "rename",        "drop",
                                            "dropDatabase", "reinsert",      "transaction"};
static const char *const phase_names[PHASES] = {"before", "during", "after"};

/* ---- one command ---- */

static inline void acts_wrong(struct acts *a, const char *what, const char *why)
{
    if (!*a->problem) {
        (void)snprintf(a->problem, sizeof a->problem, "%.100s: %.280s", what, why);
    }
}

static inline struct mst_optime acts_run(struct acts *a, const char *db, bson_t *cmd_take)
{
    struct mst_optime at = {{0, 0}, 0};
    struct mst_err err = {0};
    bson_iter_t it, sub;
    bson_t reply;
    const enum mst_rc rc = sbx_client_command(&a->client, db, cmd_take, &reply, &err);

    if (rc != MST_OK || sbx_doc_has(&reply, "writeErrors")) {
        char *text = bson_as_relaxed_extended_json(cmd_take, NULL);

        acts_wrong(a, text ? text : "?", rc == MST_OK ? "write error" : err.msg);
        bson_free(text);
    } else if (bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, "opTime.ts", &sub) &&
               BSON_ITER_HOLDS_TIMESTAMP(&sub)) {
        bson_iter_timestamp(&sub, &at.ts.t, &at.ts.i);
    } else if (bson_iter_init_find(&it, &reply, "operationTime") &&
               BSON_ITER_HOLDS_TIMESTAMP(&it)) {
        bson_iter_timestamp(&it, &at.ts.t, &at.ts.i);
    }
    a->writes++;
    bson_destroy(&reply);
    bson_destroy(cmd_take);
    return at;
}

/* ---- documents ---- */

static inline bson_t *cell_doc(int id, int version)
{
    return BCON_NEW("_id", BCON_INT32(id), "v", BCON_INT32(version), "sum", BCON_INT32(id * 7));
}

static inline void cell_ns(const struct cell *c, const char *coll, char ns[100])
{
    (void)snprintf(ns, 100, "%s.%s", c->db, coll);
}

static inline bson_t *cell_insert(const struct cell *c, const bson_t *doc)
{
    return BCON_NEW("insert", BCON_UTF8(c->now), "documents", "[", BCON_DOCUMENT(doc), "]");
}

static inline bson_t *cell_update(const struct cell *c, int id, int version)
{
    return BCON_NEW("update", BCON_UTF8(c->now), "updates", "[", "{", "q", "{", "_id",
                    BCON_INT32(id), "}", "u", "{", "$set", "{", "v", BCON_INT32(version), "}", "}",
                    "}", "]");
}

static inline void cell_note(struct acts *a, const struct cell *c, struct mst_optime at, int id,
                             int version)
{
    bson_t *doc = cell_doc(id, version);
    char ns[100];

    cell_ns(c, c->now, ns);
    if (version) {
        sbx_model_put(a->model, at, ns, doc);
    } else {
        sbx_model_delete(a->model, at, ns, doc);
    }
    bson_destroy(doc);
}

static inline struct mst_optime cell_put(struct acts *a, const struct cell *c, int id, int version)
{
    bson_t *doc = cell_doc(id, version);
    const struct mst_optime at = acts_run(a, c->db, cell_insert(c, doc));

    bson_destroy(doc);
    cell_note(a, c, at, id, version);
    return at;
}

static inline void cell_set(struct acts *a, const struct cell *c, int id, int version)
{
    cell_note(a, c, acts_run(a, c->db, cell_update(c, id, version)), id, version);
}

static inline void cell_del(struct acts *a, const struct cell *c, int id)
{
    bson_t *cmd = BCON_NEW("delete", BCON_UTF8(c->now), "deletes", "[", "{", "q", "{", "_id",
                           BCON_INT32(id), "}", "limit", BCON_INT32(1), "}", "]");

    cell_note(a, c, acts_run(a, c->db, cmd), id, 0);
}

/* ---- the acts ---- */

static inline struct mst_optime cell_create(struct acts *a, struct cell *c, int docs)
{
    char ns[100];
    struct mst_optime at;
    int i;

    (void)mst_copy(c->now, sizeof c->now, c->coll);
    cell_ns(c, c->coll, ns);
    at = acts_run(a, c->db, BCON_NEW("create", BCON_UTF8(c->coll)));
    sbx_model_create(a->model, at, ns);
    for (i = 0; i < docs; i++) {
        (void)cell_put(a, c, i, 1);
    }
    return at;
}

static inline struct mst_optime cell_drop(struct acts *a, struct cell *c)
{
    char ns[100];
    const struct mst_optime at = acts_run(a, c->db, BCON_NEW("drop", BCON_UTF8(c->now)));

    cell_ns(c, c->now, ns);
    sbx_model_drop(a->model, at, ns);
    c->now[0] = 0;
    return at;
}

static inline struct mst_optime cell_drop_db(struct acts *a, struct cell *c)
{
    const struct mst_optime at = acts_run(a, c->db, BCON_NEW("dropDatabase", BCON_INT32(1)));

    sbx_model_drop_db(a->model, at, c->db);
    c->now[0] = 0;
    return at;
}

static inline struct mst_optime cell_rename(struct acts *a, struct cell *c, const char *to)
{
    char from[100], ns[100];
    struct mst_optime at;

    cell_ns(c, c->now, from);
    cell_ns(c, to, ns);
    at = acts_run(a, "admin", BCON_NEW("renameCollection", BCON_UTF8(from), "to", BCON_UTF8(ns)));
    sbx_model_rename(a->model, at, from, ns);
    (void)mst_copy(c->now, sizeof c->now, to);
    return at;
}

/* Of documents that the scan has read and of such that it has not. */
static inline struct mst_optime cell_reinsert(struct acts *a, struct cell *c)
{
    const int ids[] = {0, a->docs / 2, a->docs - 1};
    struct mst_optime at = {{0, 0}, 0};
    size_t i;

    for (i = 0; i < MST_COUNT(ids); i++) {
        cell_del(a, c, ids[i]);
        at = cell_put(a, c, ids[i], 200);
    }
    return at;
}

static inline void cell_in_txn(struct acts *a, const char *db, bson_t *cmd_take, bool first,
                               struct mst_optime *at)
{
    bson_t lsid;

    BSON_APPEND_DOCUMENT_BEGIN(cmd_take, "lsid", &lsid);
    BSON_APPEND_BINARY(&lsid, "id", BSON_SUBTYPE_UUID, a->session, sizeof a->session);
    bson_append_document_end(cmd_take, &lsid);
    BSON_APPEND_INT64(cmd_take, "txnNumber", a->txn_number);
    if (first) {
        BSON_APPEND_BOOL(cmd_take, "startTransaction", true);
    }
    BSON_APPEND_BOOL(cmd_take, "autocommit", false);
    *at = acts_run(a, db, cmd_take);
}

static inline struct mst_optime cell_txn(struct acts *a, struct cell *c)
{
    bson_t *doc = cell_doc(a->docs + 5, 300);
    struct mst_optime at;

    a->txn_number++;
    cell_in_txn(a, c->db, cell_update(c, 0, 300), true, &at);
    cell_in_txn(a, c->db, cell_update(c, a->docs - 1, 300), false, &at);
    cell_in_txn(a, c->db, cell_insert(c, doc), false, &at);
    cell_in_txn(a, "admin", BCON_NEW("commitTransaction", BCON_INT32(1)), false, &at);
    cell_note(a, c, at, 0, 300);
    cell_note(a, c, at, a->docs - 1, 300);
    cell_note(a, c, at, a->docs + 5, 300);
    bson_destroy(doc);
    return at;
}

static inline struct mst_optime cell_index(struct acts *a, struct cell *c)
{
    return acts_run(a, c->db,
                    BCON_NEW("createIndexes", BCON_UTF8(c->now), "indexes", "[", "{", "key", "{",
                             "sum", BCON_INT32(1), "}", "name", "sum_1", "unique", BCON_BOOL(true),
                             "}", "{", "key", "{", "v", BCON_INT32(-1), "}", "name", "v_-1",
                             "sparse", BCON_BOOL(true), "}", "]"));
}

static inline struct mst_optime cell_act(struct acts *a, struct cell *c)
{
    char to[48];

    switch (c->act) {
    case SBX_DDL_CREATE:
        if (*c->now) {
            (void)cell_drop(a, c);
        }
        return cell_create(a, c, 5);
    case SBX_DDL_CREATE_INDEX:
        return cell_index(a, c);
    case SBX_DDL_COLL_MOD:
        return acts_run(a, c->db,
                        BCON_NEW("collMod", BCON_UTF8(c->now), "validator", "{", "v", "{",
                                 "$exists", BCON_BOOL(true), "}", "}", "validationLevel",
                                 "moderate"));
    case SBX_DDL_DROP_INDEX:
        return acts_run(a, c->db, BCON_NEW("dropIndexes", BCON_UTF8(c->now), "index", "sum_1"));
    case SBX_DDL_RENAME:
        (void)snprintf(to, sizeof to, "moved_%s", phase_names[c->phase]);
        return cell_rename(a, c, to);
    case SBX_DDL_DROP:
        return cell_drop(a, c);
    case SBX_DDL_DROP_DATABASE:
        return cell_drop_db(a, c);
    case ACT_REINSERT:
        return cell_reinsert(a, c);
    default:
        return cell_txn(a, c);
    }
}

/* The act, then a few plain writes on what is there afterwards. */
static inline void cell_do(struct acts *a, struct cell *c)
{
    c->done = true;
    c->at = cell_act(a, c).ts;
    if (*c->now) {
        cell_set(a, c, 1, 50);
        (void)cell_put(a, c, a->docs + 1, 50);
        cell_del(a, c, 2);
    }
}

/* ---- the calls ---- */

static inline void acts_begin(struct acts *a, struct keep *k, struct sbx_model *model, int docs)
{
    int i, f;

    memset(a, 0, sizeof *a);
    mst_mutex_init(&a->mu);
    kit_connect(&k->kit, keep_primary(k), &a->client);
    a->model = model;
    a->docs = docs;
    memset(a->session, 0x5a, sizeof a->session);
    for (i = 0; i < ACTS; i++) {
        for (f = 0; f < PHASES; f++) {
            struct cell *c = &a->cells[i][f];

            c->act = i;
            c->phase = f;
            (void)snprintf(c->db, sizeof c->db, "proof%s%s",
                           i == SBX_DDL_DROP_DATABASE ? "_gone_" : "",
                           i == SBX_DDL_DROP_DATABASE ? phase_names[f] : "");
            (void)snprintf(c->coll, sizeof c->coll, "%s_%s", act_names[i], phase_names[f]);
            if (i == SBX_DDL_CREATE && f == BEFORE) {
                continue; /* it does not exist yet */
            }
            (void)cell_create(a, c, docs);
            if (i == SBX_DDL_DROP_INDEX) {
                (void)cell_index(a, c);
            }
        }
    }
    if (*a->problem) {
        fail_msg("%s", a->problem);
    }
}

static inline void acts_end(struct acts *a)
{
    sbx_client_close(&a->client);
    mst_mutex_release(&a->mu);
}

/* Before the listing: what is made now is scanned later. */
static inline void acts_before_listing(struct acts *a)
{
    cell_do(a, &a->cells[SBX_DDL_CREATE][BEFORE]);
}

static inline void acts_at_scan(struct acts *a, const char *ns, const char *point)
{
    const int phase = strcmp(point, "begin") == 0   ? BEFORE
                      : strcmp(point, "batch") == 0 ? DURING
                                                    : AFTER;
    int i;

    mst_mutex_lock(&a->mu);
    for (i = 0; i < ACTS; i++) {
        struct cell *c = &a->cells[i][phase];
        char is[100];

        cell_ns(c, c->coll, is);
        if (!c->done && strcmp(is, ns) == 0) {
            cell_do(a, c);
        }
    }
    mst_mutex_unlock(&a->mu);
}

/* How many of this kind lie in the window. */
static inline unsigned acts_count(const struct acts *a, int act, int phase, struct mst_ts first,
                                  struct mst_ts last)
{
    const struct cell *c = &a->cells[act][phase];

    return c->done && mst_ts_cmp(c->at, first) > 0 && mst_ts_cmp(c->at, last) <= 0;
}

#endif
