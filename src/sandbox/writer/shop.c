#include "writer/shop.h"

#include "base/clock.h"
#include "base/mem.h"
#include "writer/act.h"

static const char *const kinds[] = {"view", "cart", "search", "login", "checkout"};

void sbx_shop_init(struct sbx_shop *s, uint64_t seed)
{
    memset(s, 0, sizeof(*s));
    (void)mst_copy(s->db, sizeof(s->db), "shop");
    (void)mst_copy(s->scratch_db, sizeof(s->scratch_db), "shop_scratch");
    s->random = seed;
    s->client.fd = -1;
    s->next_id = 1;
    bson_oid_init(&s->session, NULL);
}

void sbx_shop_release(struct sbx_shop *s)
{
    sbx_client_close(&s->client);
    for (size_t i = 0; i < SBX_SHOP_ORDERS; i++) {
        if (s->orders[i].doc) {
            bson_destroy(s->orders[i].doc);
            s->orders[i].doc = NULL;
        }
    }
    s->n_orders = 0;
}

bool sbx_shop_seed(struct sbx_shop *s, const char *host_port)
{
    const char *colon = strrchr(host_port, ':');
    char *end;
    long port;

    if (!colon || s->n_seeds == SBX_SHOP_SEEDS ||
        (size_t)(colon - host_port) >= sizeof(s->seeds[0].host)) {
        return false;
    }
    port = strtol(colon + 1, &end, 10);
    if (*end || port < 1 || port > 65535) {
        return false;
    }
    mst_copy(s->seeds[s->n_seeds].host, sizeof(s->seeds[0].host), host_port);
    s->seeds[s->n_seeds].host[colon - host_port] = '\0';
    s->seeds[s->n_seeds++].port = (int)port;
    return true;
}

static bool try_seed(struct sbx_shop *s, size_t i)
{
    bson_t *cmd = BCON_NEW("isMaster", BCON_INT32(1));
    bson_t reply;
    struct mst_err err;
    bool primary = false;

    if (sbx_client_connect(&s->client, s->seeds[i].host, s->seeds[i].port, 2000, &err) == MST_OK) {
        primary = sbx_client_command(&s->client, "admin", cmd, &reply, &err) == MST_OK &&
                  sbx_doc_true(&reply, "ismaster");
        bson_destroy(&reply);
        if (!primary) {
            sbx_client_close(&s->client);
        }
    }
    bson_destroy(cmd);
    return primary;
}

enum mst_rc sbx_shop_connect(struct sbx_shop *s, int64_t ms, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + ms;

    sbx_client_close(&s->client);
    do {
        for (size_t i = 0; i < s->n_seeds; i++) {
            if (try_seed(s, i)) {
                return MST_OK;
            }
        }
        mst_clock_sleep_ms(20);
    } while (mst_clock_mono_ms(NULL) < end);
    return mst_err_set(err, MST_E_NET, "no primary among the %zu members within %lld ms",
                       s->n_seeds, (long long)ms);
}

/* The optime that dates a write: opTime of the reply, else its operationTime. */
static struct mst_optime dated(const bson_t *reply)
{
    struct mst_optime at = {{0, 0}, 0};
    bson_iter_t it, sub;

    if (bson_iter_init(&it, reply) && bson_iter_find_descendant(&it, "opTime.ts", &sub) &&
        BSON_ITER_HOLDS_TIMESTAMP(&sub)) {
        bson_iter_timestamp(&sub, &at.ts.t, &at.ts.i);
    } else if (bson_iter_init_find(&it, reply, "operationTime") && BSON_ITER_HOLDS_TIMESTAMP(&it)) {
        bson_iter_timestamp(&it, &at.ts.t, &at.ts.i);
    }
    if (!sbx_doc_int(reply, "opTime.t", &at.term)) {
        at.term = 0;
    }
    return at;
}

static void acknowledged(struct sbx_shop *s)
{
    const int64_t now = mst_clock_mono_ms(NULL);
    const int64_t gap = s->stats.last_ack_mono_ms ? now - s->stats.last_ack_mono_ms : 0;

    if (gap > s->stats.longest_gap_ms) {
        s->stats.longest_gap_ms = gap;
    }
    s->stats.last_ack_mono_ms = now;
    s->stats.writes++;
}

enum mst_rc sbx_shop_run(struct sbx_shop *s, const char *db, bson_t *cmd, bool write,
                         struct mst_optime *at, bool *unknown, struct mst_err *err)
{
    bson_t reply;
    int64_t n = 0;
    enum mst_rc rc;

    *unknown = false;
    if (s->client.fd < 0 && sbx_shop_connect(s, 200, err) != MST_OK) {
        return err->rc;
    }
    if (write && s->majority) {
        BCON_APPEND(cmd, "writeConcern", "{", "w", "majority", "wtimeout", BCON_INT32(10000), "}");
    }
    rc = sbx_client_command(&s->client, db, cmd, &reply, err);
    if (rc == MST_OK && sbx_doc_has(&reply, "writeErrors")) {
        (void)sbx_doc_int(&reply, "writeErrors.0.code", &n);
        rc = mst_err_set_detail(err, MST_E_SERVER, (int)n, "the write was refused with code %d",
                                (int)n);
    } else if (rc == MST_OK && sbx_doc_has(&reply, "writeConcernError")) {
        rc = mst_err_set(err, MST_E_UNKNOWN, "the write was not acknowledged by a majority");
        *unknown = true;
    } else if (rc == MST_OK) {
        *at = dated(&reply);
        if (write) {
            acknowledged(s);
        }
    } else if (rc == MST_E_SERVER) {
        const int code = err->detail;

        /* Stepping down or killed in the middle: it may have happened. */
        *unknown = code == 11602 || code == 11600 || code == 91;
        if (*unknown || code == 10107 || code == 189 || code == 13435 || code == 13436) {
            sbx_client_close(&s->client);
        }
    } else {
        *unknown = true;
        sbx_client_close(&s->client);
    }
    bson_destroy(&reply);
    if (rc != MST_OK) {
        s->stats.errors++;
    }
    return rc;
}

static char *ns_of(const struct sbx_shop *s, const char *coll)
{
    return mst_xasprintf("%s.%s", s->db, coll);
}

static void note_put(struct sbx_shop *s, struct mst_optime at, const char *coll, const bson_t *doc)
{
    if (s->model) {
        char *ns = ns_of(s, coll);

        sbx_model_put(s->model, at, ns, doc);
        free(ns);
    }
}

static void note_delete(struct sbx_shop *s, struct mst_optime at, const char *coll,
                        const bson_t *doc)
{
    if (s->model) {
        char *ns = ns_of(s, coll);

        sbx_model_delete(s->model, at, ns, doc);
        free(ns);
    }
}

static void note_doubt(struct sbx_shop *s, const char *coll, const bson_t *doc)
{
    s->stats.doubts++;
    if (s->model) {
        char *ns = ns_of(s, coll);

        sbx_model_doubt(s->model, ns, doc);
        free(ns);
    }
}

static bson_t *insert_cmd(const char *coll, const bson_t *doc)
{
    return BCON_NEW("insert", BCON_UTF8(coll), "documents", "[", BCON_DOCUMENT(doc), "]");
}

static enum mst_rc insert(struct sbx_shop *s, const char *coll, const bson_t *doc,
                          struct mst_err *err)
{
    bson_t *cmd = insert_cmd(coll, doc);
    struct mst_optime at;
    bool unknown;
    const enum mst_rc rc = sbx_shop_run(s, s->db, cmd, true, &at, &unknown, err);

    bson_destroy(cmd);
    if (rc == MST_OK) {
        s->stats.inserts++;
        note_put(s, at, coll, doc);
    } else if (unknown) {
        note_doubt(s, coll, doc);
    }
    return rc;
}

static struct sbx_shop_order *some_order(struct sbx_shop *s)
{
    if (s->n_orders == 0) {
        return NULL;
    }
    return &s->orders[sbx_shop_pick(s, (unsigned)s->n_orders)];
}

static void forget(struct sbx_shop *s, struct sbx_shop_order *o)
{
    bson_destroy(o->doc);
    *o = s->orders[--s->n_orders];
    s->orders[s->n_orders].doc = NULL;
}

enum mst_rc sbx_shop_insert_order(struct sbx_shop *s, struct mst_err *err)
{
    bson_t *doc = sbx_shop_new_order(s);
    const enum mst_rc rc = insert(s, "orders", doc, err);

    if (rc != MST_OK) {
        bson_destroy(doc);
    } else if (s->n_orders < SBX_SHOP_ORDERS) {
        s->orders[s->n_orders++].doc = doc;
    } else {
        struct sbx_shop_order *o = some_order(s);

        bson_destroy(o->doc);
        o->doc = doc;
    }
    return rc;
}

enum mst_rc sbx_shop_insert_event(struct sbx_shop *s, struct mst_err *err)
{
    bson_t *doc =
        BCON_NEW("_id", BCON_INT64(s->next_id++), "at", BCON_DATE_TIME(mst_clock_utc_ms(NULL)),
                 "kind", BCON_UTF8(kinds[sbx_shop_pick(s, (unsigned)MST_COUNT(kinds))]), "customer",
                 BCON_INT32((int32_t)sbx_shop_pick(s, 500)));
    const enum mst_rc rc = insert(s, "events", doc, err);

    bson_destroy(doc);
    return rc;
}

static bson_t *update_cmd(const char *coll, const bson_t *q, const bson_t *u)
{
    return BCON_NEW("update", BCON_UTF8(coll), "updates", "[", "{", "q", BCON_DOCUMENT(q), "u",
                    BCON_DOCUMENT(u), "}", "]");
}

enum mst_rc sbx_shop_update_order(struct sbx_shop *s, struct mst_err *err)
{
    struct sbx_shop_order *o = some_order(s);
    bson_t *q, *u, *next, *cmd;
    struct mst_optime at;
    bool unknown;
    enum mst_rc rc;

    if (!o) {
        return sbx_shop_insert_order(s, err);
    }
    q = sbx_shop_id_query(o->doc);
    u = bson_new();
    next = sbx_shop_changed(s, o->doc, u);
    cmd = update_cmd("orders", q, u);
    rc = sbx_shop_run(s, s->db, cmd, true, &at, &unknown, err);
    if (rc == MST_OK) {
        s->stats.updates++;
        note_put(s, at, "orders", next);
        bson_destroy(o->doc);
        o->doc = next;
        next = NULL;
    } else if (unknown) {
        note_doubt(s, "orders", o->doc);
        forget(s, o);
    }
    if (next) {
        bson_destroy(next);
    }
    bson_destroy(q);
    bson_destroy(u);
    bson_destroy(cmd);
    return rc;
}

static enum mst_rc remove_order(struct sbx_shop *s, const bson_t *doc, struct mst_err *err)
{
    bson_t *q = sbx_shop_id_query(doc);
    bson_t *cmd = BCON_NEW("delete", "orders", "deletes", "[", "{", "q", BCON_DOCUMENT(q), "limit",
                           BCON_INT32(1), "}", "]");
    struct mst_optime at;
    bool unknown;
    const enum mst_rc rc = sbx_shop_run(s, s->db, cmd, true, &at, &unknown, err);

    if (rc == MST_OK) {
        s->stats.deletes++;
        note_delete(s, at, "orders", doc);
    } else if (unknown) {
        note_doubt(s, "orders", doc);
    }
    bson_destroy(q);
    bson_destroy(cmd);
    return rc;
}

enum mst_rc sbx_shop_delete_order(struct sbx_shop *s, struct mst_err *err)
{
    struct sbx_shop_order *o = some_order(s);
    enum mst_rc rc;

    if (!o) {
        return sbx_shop_insert_order(s, err);
    }
    rc = remove_order(s, o->doc, err);
    forget(s, o);
    return rc;
}

enum mst_rc sbx_shop_reinsert_order(struct sbx_shop *s, struct mst_err *err)
{
    struct sbx_shop_order *o = some_order(s);
    bson_value_t v = {.value_type = BSON_TYPE_INT32};
    bson_t *again;
    enum mst_rc rc;

    if (!o) {
        return sbx_shop_insert_order(s, err);
    }
    v.value.v_int32 = (int32_t)sbx_shop_version(o->doc) + 1;
    again = sbx_shop_with_field(o->doc, "version", &v);
    rc = remove_order(s, o->doc, err);
    if (rc == MST_OK) {
        rc = insert(s, "orders", again, err);
    }
    if (rc == MST_OK) {
        s->stats.reinserts++;
        bson_destroy(o->doc);
        o->doc = again;
    } else {
        bson_destroy(again);
        forget(s, o);
    }
    return rc;
}

/* ---- transactions ---- */

static void in_txn(struct sbx_shop *s, bson_t *cmd, bool first)
{
    uint8_t uuid[16] = {0};

    memcpy(uuid, s->session.bytes, 12);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    BCON_APPEND(cmd, "lsid", "{", "id", BCON_BIN(BSON_SUBTYPE_UUID, uuid, 16), "}", "txnNumber",
                BCON_INT64(s->txn_number), "autocommit", BCON_BOOL(false));
    if (first) {
        BCON_APPEND(cmd, "startTransaction", BCON_BOOL(true));
    }
}

static enum mst_rc txn_run(struct sbx_shop *s, const char *db, bson_t *cmd, bool first,
                           struct mst_optime *at, bool *unknown, struct mst_err *err)
{
    const bool majority = s->majority;
    enum mst_rc rc;

    in_txn(s, cmd, first);
    s->majority = false; /* a write concern belongs to the commit only */
    rc = sbx_shop_run(s, db, cmd, false, at, unknown, err);
    s->majority = majority;
    bson_destroy(cmd);
    return rc;
}

enum mst_rc sbx_shop_transaction(struct sbx_shop *s, bool commit, struct mst_err *err)
{
    struct sbx_shop_order *o = some_order(s);
    bson_t *u = bson_new(), *next, *event, *q;
    struct mst_optime at;
    bool unknown = false;
    enum mst_rc rc;

    if (!o) {
        bson_destroy(u);
        return sbx_shop_insert_order(s, err);
    }
    s->txn_number++;
    q = sbx_shop_id_query(o->doc);
    next = sbx_shop_changed(s, o->doc, u);
    event = BCON_NEW("_id", BCON_INT64(s->next_id++), "at", BCON_DATE_TIME(mst_clock_utc_ms(NULL)),
                     "kind", "order-changed");
    rc = txn_run(s, s->db, update_cmd("orders", q, u), true, &at, &unknown, err);
    if (rc == MST_OK) {
        rc = txn_run(s, s->db, insert_cmd("events", event), false, &at, &unknown, err);
    }
    unknown = false; /* nothing of an open transaction counts */
    if (rc == MST_OK) {
        rc = txn_run(s, "admin",
                     commit ? BCON_NEW("commitTransaction", BCON_INT32(1))
                            : BCON_NEW("abortTransaction", BCON_INT32(1)),
                     false, &at, &unknown, err);
    }
    if (rc == MST_OK && commit) {
        acknowledged(s);
        s->stats.txns++;
        note_put(s, at, "orders", next);
        note_put(s, at, "events", event);
        bson_destroy(o->doc);
        o->doc = next;
        next = NULL;
    } else if (rc == MST_OK) {
        s->stats.aborts++;
    } else if (commit && unknown) {
        note_doubt(s, "orders", o->doc);
        note_doubt(s, "events", event);
        forget(s, o);
    }
    if (next) {
        bson_destroy(next);
    }
    bson_destroy(event);
    bson_destroy(u);
    bson_destroy(q);
    return rc;
}

enum mst_rc sbx_shop_step(struct sbx_shop *s, bool ddl, struct mst_err *err)
{
    const unsigned dice = sbx_shop_pick(s, 1000);

    if (dice < 450) {
        return sbx_shop_insert_event(s, err);
    }
    if (dice < 600) {
        return sbx_shop_insert_order(s, err);
    }
    if (dice < 880) {
        return sbx_shop_update_order(s, err);
    }
    if (dice < 930) {
        return sbx_shop_delete_order(s, err);
    }
    if (dice < 960) {
        return sbx_shop_reinsert_order(s, err);
    }
    if (dice < 990 || !ddl) {
        return sbx_shop_transaction(s, dice % 4 != 0, err);
    }
    return sbx_shop_ddl(s, (enum sbx_shop_ddl)(s->ddl_step++ % SBX_DDL_COUNT), err);
}
