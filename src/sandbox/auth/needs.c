/* needs.c: what each served command needs, in one table. */
#include <string.h>

#include "auth/auth.h"
#include "auth/rights.h"
#include "base/mem.h"

enum where {
    NOBODY,  /* nothing: also before a login */
    ANYBODY, /* a login, no action */
    CLUSTER,
    DB,      /* the database that the command runs on */
    NS,      /* the collection that its first field names */
    FULL_NS, /* the same, written with its database */
    SPECIAL  /* the function alone decides */
};

struct need {
    const char *command;
    enum where on;
    const char *actions;
    sbx_need_fn *also;
};

static struct sbx_val arg(const struct sbx_ask *a, const char *key)
{
    return sbx_doc_get(a->cmd, key);
}

static bool on(const struct sbx_ask *a, const char *key)
{
    return sbx_val_true(arg(a, key));
}

/* The collection that a command means; by UUID only for who may use those. */
static bool target(const struct sbx_ask *a, struct sbx_val v, char db[SBX_NS_MAX],
                   char coll[SBX_NS_MAX])
{
    const uint8_t *uuid = sbx_val_uuid(v);
    const char *name = sbx_val_str(v, NULL);

    (void)snprintf(db, SBX_NS_MAX, "%s", a->db);
    (void)snprintf(coll, SBX_NS_MAX, "%s", name != NULL ? name : "");
    if (uuid != NULL) {
        const struct sbx_data *d = a->r->c->m->data;
        const struct sbx_coll *c = d != NULL ? sbx_data_by_uuid(d, uuid) : NULL;

        if (c != NULL) {
            (void)snprintf(db, SBX_NS_MAX, "%.*s", (int)c->db_len, c->ns);
            (void)snprintf(coll, SBX_NS_MAX, "%s", sbx_coll_name(c));
        }
        return sbx_may_cluster(a->r, "useUUID");
    }
    return true;
}

static bool may_coll(const struct sbx_ask *a, struct sbx_val v, const char *actions)
{
    char db[SBX_NS_MAX], coll[SBX_NS_MAX];

    return target(a, v, db, coll) && sbx_may_ns(a->r, db, coll, actions);
}

static struct sbx_val first_of(const struct sbx_ask *a)
{
    struct sbx_it it;

    return sbx_doc_first(a->cmd, &it) ? it.v : (struct sbx_val){0};
}

/* "db.collection" in a field. */
static bool may_full(const struct sbx_ask *a, struct sbx_val v, const char *actions)
{
    const char *ns = sbx_val_str(v, NULL), *dot = ns != NULL ? strchr(ns, '.') : NULL;
    char db[SBX_NS_MAX];

    if (dot == NULL || (size_t)(dot - ns) >= sizeof db) {
        return sbx_may_db(a->r, a->db, actions);
    }
    (void)snprintf(db, sizeof db, "%.*s", (int)(dot - ns), ns);
    return sbx_may_ns(a->r, db, dot + 1, actions);
}

/* ---- documents ---- */

static bool may_bypass(const struct sbx_ask *a)
{
    return !on(a, "bypassDocumentValidation") ||
           may_coll(a, first_of(a), "bypassDocumentValidation");
}

static bool also_find(const struct sbx_ask *a)
{
    return arg(a, "term").type == SBX_EOO || sbx_may_cluster(a->r, "internal");
}

static bool also_update(const struct sbx_ask *a)
{
    const struct sbx_val list = arg(a, "updates");
    bool upsert = false;
    struct sbx_it it;

    if (list.type == SBX_ARRAY) {
        sbx_it_init(&it, sbx_val_doc(list));
        while (sbx_it_next(&it)) {
            upsert = upsert || (it.v.type == SBX_OBJECT &&
                                sbx_val_true(sbx_doc_get(sbx_val_doc(it.v), "upsert")));
        }
    }
    return may_bypass(a) && (!upsert || may_coll(a, first_of(a), "insert"));
}

static bool also_modify(const struct sbx_ask *a)
{
    return may_bypass(a) && may_coll(a, first_of(a), on(a, "remove") ? "remove" : "update") &&
           (!on(a, "upsert") || may_coll(a, first_of(a), "insert"));
}

static bool need_get_more(const struct sbx_ask *a)
{
    const char *coll = sbx_val_str(arg(a, "collection"), NULL);

    if (coll != NULL && strncmp(coll, "$cmd.", 5) == 0) {
        return strcmp(coll, "$cmd.listCollections") != 0 ||
               sbx_may_db(a->r, a->db, "listCollections");
    }
    return may_coll(a, arg(a, "collection"), "find") && also_find(a);
}

static bool need_aggregate(const struct sbx_ask *a)
{
    const struct sbx_val list = arg(a, "pipeline");
    struct sbx_it it, stage;

    if (list.type == SBX_ARRAY && sbx_doc_first(sbx_val_doc(list), &it) &&
        it.v.type == SBX_OBJECT && sbx_doc_first(sbx_val_doc(it.v), &stage)) {
        if (strcmp(stage.key, "$collStats") == 0) {
            return may_coll(a, first_of(a), "collStats");
        }
        if (strcmp(stage.key, "$currentOp") == 0) {
            return stage.v.type != SBX_OBJECT ||
                   !sbx_val_true(sbx_doc_get(sbx_val_doc(stage.v), "allUsers")) ||
                   sbx_may_cluster(a->r, "inprog");
        }
    }
    return may_coll(a, first_of(a), "find") && may_bypass(a);
}

/* ---- collections ---- */

static bool need_create(const struct sbx_ask *a)
{
    const struct sbx_val name = first_of(a), view = arg(a, "viewOn");

    if (on(a, "capped") && !may_coll(a, name, "convertToCapped")) {
        return false;
    }
    if (view.type == SBX_STRING) {
        return may_coll(a, name, "createCollection") && may_coll(a, view, "find");
    }
    return may_coll(a, name, "createCollection") || may_coll(a, name, "insert");
}

static bool need_rename(const struct sbx_ask *a)
{
    const struct sbx_val from = first_of(a), to = arg(a, "to");
    const char *f = sbx_val_str(from, NULL), *t = sbx_val_str(to, NULL);
    const size_t n = f != NULL ? strcspn(f, ".") : 0;
    const bool drop = !on(a, "dropTarget") || may_full(a, to, "dropCollection");

    if (n > 0 && t != NULL && n < SBX_NS_MAX && strncmp(f, t, n + 1) == 0) {
        char db[SBX_NS_MAX];

        (void)snprintf(db, sizeof db, "%.*s", (int)n, f);
        if (sbx_may_db(a->r, db, "renameCollectionSameDB") && drop &&
            (may_full(a, from, "find") || !may_full(a, to, "find"))) {
            return true;
        }
    }
    return may_full(a, from, "find dropCollection") && may_full(a, to, "insert createIndex") &&
           drop;
}

static bool need_list_databases(const struct sbx_ask *a)
{
    const struct sbx_val only = arg(a, "authorizedDatabases");

    return only.type == SBX_EOO || sbx_val_true(only) || sbx_may_cluster(a->r, "listDatabases");
}

static bool need_list_collections(const struct sbx_ask *a)
{
    return (on(a, "authorizedCollections") && on(a, "nameOnly") && sbx_may_in(a->r, a->db)) ||
           sbx_may_db(a->r, a->db, "listCollections");
}

/* ---- applyOps: each operation by itself ---- */

static bool may_command(const struct sbx_ask *a, const char *db, struct sbx_doc op)
{
    const struct sbx_val o = sbx_doc_get(op, "o");
    const bool create =
        o.type == SBX_OBJECT && sbx_doc_get(sbx_val_doc(o), "create").type != SBX_EOO;
    struct sbx_it first;

    if (sbx_val_uuid(sbx_doc_get(op, "ui")) != NULL && create &&
        !sbx_may_cluster(a->r, "forceUUID")) {
        return false;
    }
    if (o.type != SBX_OBJECT || !sbx_doc_first(sbx_val_doc(o), &first) ||
        strcmp(first.key, "applyOps") == 0) {
        return sbx_may(a->r, &(struct sbx_res){SBX_RES_ANY, NULL, NULL}, "anyAction");
    }
    return sbx_need_met(&(struct sbx_ask){a->r, db, first.key, sbx_val_doc(o)});
}

static bool may_apply(const struct sbx_ask *a, struct sbx_doc op)
{
    const char *kind = sbx_val_str(sbx_doc_get(op, "op"), NULL);
    const char *ns = sbx_val_str(sbx_doc_get(op, "ns"), NULL);
    char db[SBX_NS_MAX];

    if (kind == NULL || ns == NULL) {
        return true; /* the command itself says what is missing */
    }
    if (sbx_val_uuid(sbx_doc_get(op, "ui")) != NULL && !sbx_may_cluster(a->r, "useUUID")) {
        return false;
    }
    (void)snprintf(db, sizeof db, "%.*s", (int)strcspn(ns, "."), ns);
    switch (kind[0]) {
    case 'i':
        return may_full(a, sbx_doc_get(op, "ns"), "insert");
    case 'u':
        return may_full(a, sbx_doc_get(op, "ns"), "update insert");
    case 'd':
        return may_full(a, sbx_doc_get(op, "ns"), "remove");
    case 'n':
        return sbx_may_cluster(a->r, "appendOplogNote");
    case 'c':
        return may_command(a, db, op);
    default:
        return true;
    }
}

static bool need_apply_ops(const struct sbx_ask *a)
{
    const struct sbx_val list = first_of(a);
    struct sbx_it it;

    if (list.type != SBX_ARRAY || sbx_doc_empty(sbx_val_doc(list))) {
        return sbx_may(a->r, &(struct sbx_res){SBX_RES_ANY, NULL, NULL}, "anyAction");
    }
    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        if (it.v.type == SBX_OBJECT && !may_apply(a, sbx_val_doc(it.v))) {
            return false;
        }
    }
    return true;
}

/* ---- operations ---- */

static bool need_current_op(const struct sbx_ask *a)
{
    return on(a, "$ownOps") || sbx_may_cluster(a->r, "inprog");
}

static bool need_kill_op(const struct sbx_ask *a)
{
    const int64_t id = sbx_val_i64(arg(a, "op"));
    uint8_t mine[SBX_AUTH_UID], its[SBX_AUTH_UID];

    sbx_auth_uid(a->r->c->conn, mine);
    for (const struct sbx_conn *conn = a->r->c->w->conns; conn != NULL; conn = conn->next) {
        if (conn->m == a->r->c->m && conn->op != NULL && conn->op_id == id) {
            sbx_auth_uid(conn, its);
            if (memcmp(mine, its, sizeof its) == 0) {
                return true;
            }
        }
    }
    return sbx_may_cluster(a->r, "killop");
}

static const struct need needs[] = {
    {"ping", NOBODY, "", NULL},
    {"isMaster", NOBODY, "", NULL},
    {"ismaster", NOBODY, "", NULL},
    {"hello", NOBODY, "", NULL},
    {"buildInfo", NOBODY, "", NULL},
    {"buildinfo", NOBODY, "", NULL},
    {"whatsmyuri", NOBODY, "", NULL},
    {"saslStart", NOBODY, "", NULL},
    {"saslContinue", NOBODY, "", NULL},
    {"authenticate", NOBODY, "", NULL},
    {"logout", NOBODY, "", NULL},
    {"connectionStatus", NOBODY, "", NULL},

    {"find", NS, "find", also_find},
    {"count", NS, "find", NULL},
    {"distinct", NS, "find", NULL},
    {"aggregate", SPECIAL, "", need_aggregate},
    {"getMore", SPECIAL, "", need_get_more},
    {"killCursors", ANYBODY, "", NULL},
    {"insert", NS, "insert", may_bypass},
    {"update", NS, "update", also_update},
    {"delete", NS, "remove", NULL},
    {"findAndModify", NS, "find", also_modify},
    {"findandmodify", NS, "find", also_modify},
    {"applyOps", SPECIAL, "", need_apply_ops},
    {"appendOplogNote", CLUSTER, "appendOplogNote", NULL},

    {"create", SPECIAL, "", need_create},
    {"drop", NS, "dropCollection", NULL},
    {"dropDatabase", DB, "dropDatabase", NULL},
    {"renameCollection", SPECIAL, "", need_rename},
    {"convertToCapped", NS, "convertToCapped", NULL},
    {"cloneCollectionAsCapped", NS, "find", NULL},
    {"collMod", NS, "collMod", NULL},
    {"createIndexes", NS, "createIndex", NULL},
    {"dropIndexes", NS, "dropIndex", NULL},
    {"deleteIndexes", NS, "dropIndex", NULL},
    {"reIndex", NS, "reIndex", NULL},
    {"compact", NS, "compact", NULL},
    {"validate", NS, "validate", NULL},
    {"listIndexes", NS, "listIndexes", NULL},
    {"listCollections", SPECIAL, "", need_list_collections},
    {"listDatabases", SPECIAL, "", need_list_databases},
    {"collStats", NS, "collStats", NULL},
    {"collstats", NS, "collStats", NULL},
    {"dbStats", DB, "dbStats", NULL},
    {"dbstats", DB, "dbStats", NULL},
    {"dbHash", DB, "dbHash", NULL},
    {"dbhash", DB, "dbHash", NULL},
    {"splitVector", FULL_NS, "splitVector", NULL},
    {"mapReduce", NS, "find", NULL},
    {"explain", ANYBODY, "", NULL},

    {"commitTransaction", ANYBODY, "", NULL},
    {"abortTransaction", ANYBODY, "", NULL},
    {"prepareTransaction", CLUSTER, "internal", NULL},
    {"startSession", ANYBODY, "", NULL},
    {"sleep", ANYBODY, "", NULL}, /* a command for tests */
    {"endSessions", ANYBODY, "", NULL},
    {"refreshSessions", ANYBODY, "", NULL},
    {"killSessions", ANYBODY, "", NULL},
    {"killAllSessions", CLUSTER, "killAnySession", NULL},

    {"replSetGetStatus", CLUSTER, "replSetGetStatus", NULL},
    {"replSetGetConfig", CLUSTER, "replSetGetConfig", NULL},
    {"replSetGetRBID", CLUSTER, "internal", NULL},
    {"replSetInitiate", CLUSTER, "replSetConfigure", NULL},
    {"replSetReconfig", CLUSTER, "replSetConfigure", NULL},
    {"replSetStepDown", CLUSTER, "replSetStateChange", NULL},
    {"replSetStepUp", CLUSTER, "replSetStateChange", NULL},
    {"replSetFreeze", CLUSTER, "replSetStateChange", NULL},
    {"replSetMaintenance", CLUSTER, "replSetStateChange", NULL},
    {"replSetSyncFrom", CLUSTER, "replSetStateChange", NULL},
    {"replSetAbortPrimaryCatchUp", CLUSTER, "replSetStateChange", NULL},

    {"serverStatus", CLUSTER, "serverStatus", NULL},
    {"getCmdLineOpts", CLUSTER, "getCmdLineOpts", NULL},
    {"hostInfo", CLUSTER, "hostInfo", NULL},
    {"getParameter", CLUSTER, "getParameter", NULL},
    {"setParameter", CLUSTER, "setParameter", NULL},
    {"setFeatureCompatibilityVersion", CLUSTER, "setFeatureCompatibilityVersion", NULL},
    {"getLog", CLUSTER, "getLog", NULL},
    {"currentOp", SPECIAL, "", need_current_op},
    {"killOp", SPECIAL, "", need_kill_op},
    {"fsync", CLUSTER, "fsync", NULL},
    {"fsyncUnlock", CLUSTER, "unlock", NULL},
    {"top", CLUSTER, "top", NULL},
    {"shutdown", CLUSTER, "shutdown", NULL},
    {"logRotate", CLUSTER, "logRotate", NULL},

    {"createUser", DB, "createUser", sbx_need_create_user},
    {"updateUser", SPECIAL, "", sbx_need_update_user},
    {"dropUser", DB, "dropUser", NULL},
    {"grantRolesToUser", SPECIAL, "", sbx_need_grant_roles},
    {"revokeRolesFromUser", SPECIAL, "", sbx_need_revoke_roles},
    {"usersInfo", SPECIAL, "", sbx_need_users_info},
    {"createRole", DB, "createRole", sbx_need_create_role},
    {"updateRole", DB, "revokeRole", sbx_need_update_role},
    {"dropRole", DB, "dropRole", NULL},
    {"grantRolesToRole", SPECIAL, "", sbx_need_grant_roles},
    {"revokeRolesFromRole", SPECIAL, "", sbx_need_revoke_roles},
    {"grantPrivilegesToRole", SPECIAL, "", sbx_need_grant_privileges},
    {"revokePrivilegesFromRole", SPECIAL, "", sbx_need_revoke_privileges},
    {"rolesInfo", SPECIAL, "", sbx_need_roles_info},
};

static const struct need *find_need(const char *command)
{
    for (size_t i = 0; i < MST_COUNT(needs); i++) {
        if (strcmp(needs[i].command, command) == 0) {
            return &needs[i];
        }
    }
    return NULL;
}

bool sbx_need_known(const char *command)
{
    return find_need(command) != NULL;
}

static bool has_place(const struct sbx_ask *a, const struct need *n)
{
    switch (n->on) {
    case NOBODY:
    case ANYBODY:
    case SPECIAL:
        return true;
    case CLUSTER:
        return sbx_may_cluster(a->r, n->actions);
    case DB:
        return sbx_may_db(a->r, a->db, n->actions);
    case NS:
        return may_coll(a, first_of(a), n->actions);
    case FULL_NS:
        return may_full(a, first_of(a), n->actions);
    }
    return false;
}

bool sbx_need_met(const struct sbx_ask *a)
{
    const struct need *n = find_need(a->name);

    return a->r->open || (n != NULL && has_place(a, n) && (n->also == NULL || n->also(a)));
}
