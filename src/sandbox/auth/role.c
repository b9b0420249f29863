#include "auth/role.h"

#include <stdlib.h>
#include <string.h>

#include "auth/internal.h"
#include "base/mem.h"

/* Own roles and their privileges are walked breadth first; this many are more than anybody has. */
#define ROLES_MAX 256

static const char all_actions[] =
    "addShard appendOplogNote applicationMessage applyOps authSchemaUpgrade "
    "bypassDocumentValidation "
    "changeCustomData changeOwnCustomData changeOwnPassword changePassword changeStream "
    "checkFreeMonitoringStatus cleanupOrphaned clearJumboFlag closeAllDatabases collMod collStats "
    "compact connPoolStats connPoolSync convertToCapped cpuProfiler createCollection "
    "createDatabase createIndex createRole createUser dbHash dbStats diagLogging dropAllRoles "
    "dropCollection dropDatabase dropIndex dropRole dropUser emptycapped enableProfiler "
    "enableSharding find flushRouterConfig forceUUID fsync getCmdLineOpts getDatabaseVersion "
    "getLog getParameter getShardMap getShardVersion grantRole hostInfo impersonate indexStats "
    "inprog insert internal invalidateUserCache killAnyCursor killAnySession killCursors killop "
    "listCollections listCursors listDatabases listIndexes listSessions listShards logRotate "
    "moveChunk netstat planCacheIndexFilter planCacheRead planCacheWrite reIndex remove "
    "removeShard renameCollection renameCollectionSameDB repairDatabase replSetConfigure "
    "replSetGetConfig replSetGetStatus replSetHeartbeat replSetStateChange resync revokeRole "
    "serverStatus setAuthenticationRestriction setFeatureCompatibilityVersion setFreeMonitoring "
    "setParameter shardingState shutdown splitChunk splitVector storageDetails top touch unlock "
    "update updateRole updateUser useUUID validate viewRole viewUser";

static bool has_word(const char *words, const char *word)
{
    const size_t n = strlen(word);

    for (const char *at = words; n > 0 && (at = strstr(at, word)) != NULL; at += n) {
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

const char *sbx_actions_all(void)
{
    return all_actions;
}

bool sbx_action_known(const char *action)
{
    return strcmp(action, "anyAction") == 0 || has_word(all_actions, action);
}

bool sbx_actions_have(const char *actions, const char *action)
{
    return has_word(actions, action) || has_word(actions, "anyAction");
}

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool normal_db(const char *db)
{
    return strcmp(db, "local") != 0 && strcmp(db, "config") != 0;
}

bool sbx_res_covers(const struct sbx_res *on, const struct sbx_res *what)
{
    const bool ns = what->kind == SBX_RES_NS;
    const bool plain = what->kind == SBX_RES_DB || (ns && strncmp(what->coll, "system.", 7) != 0);

    switch (on->kind) {
    case SBX_RES_ANY:
        return true;
    case SBX_RES_NORMAL:
        return what->kind == SBX_RES_NORMAL || (plain && normal_db(what->db));
    case SBX_RES_DB:
        return plain && same(on->db, what->db);
    case SBX_RES_NAME:
        return ns && same(on->coll, what->coll);
    case SBX_RES_NS:
        return ns && same(on->db, what->db) && same(on->coll, what->coll);
    case SBX_RES_CLUSTER:
        break;
    }
    return what->kind == SBX_RES_CLUSTER;
}

/* ---- documents ---- */

static const char *text_of(struct sbx_doc d, const char *key)
{
    return sbx_val_str(sbx_doc_get(d, key), NULL);
}

bool sbx_role_doc(const struct sbx_data *d, const struct sbx_role *r, struct sbx_doc *out)
{
    struct sbx_coll *coll = d != NULL ? sbx_data_coll(d, SBX_ROLES_NS) : NULL;
    char id[SBX_ROLE_DB_MAX + SBX_ROLE_NAME_MAX];
    struct sbx_out key = {0};
    struct mst_buf scratch = {0};
    struct sbx_row row;
    bool found = false;

    if (coll != NULL) {
        const size_t m = sbx_out_begin(&key);

        (void)snprintf(id, sizeof id, "%s.%s", r->db, r->name);
        sbx_out_str(&key, "_id", id);
        sbx_out_end(&key, m);
        found = sbx_coll_by_id(coll, sbx_doc_get(sbx_out_done(&key), "_id"), SBX_LATEST, &scratch,
                               &row);
        *out = found ? row.doc : sbx_doc(NULL, 0);
    }
    sbx_out_release(&key);
    mst_buf_release(&scratch);
    return found;
}

bool sbx_role_exists(const struct sbx_data *d, const struct sbx_role *r)
{
    struct sbx_doc doc;

    return sbx_role_builtin(r->db, r->name) || sbx_role_doc(d, r, &doc);
}

bool sbx_res_parse(struct sbx_val v, struct sbx_res *out)
{
    const struct sbx_doc d = v.type == SBX_OBJECT ? sbx_val_doc(v) : sbx_doc(NULL, 0);
    const char *db, *coll;

    memset(out, 0, sizeof *out);
    if (d.p == NULL) {
        return false;
    }
    if (sbx_val_true(sbx_doc_get(d, "cluster")) || sbx_val_true(sbx_doc_get(d, "anyResource"))) {
        out->kind = sbx_val_true(sbx_doc_get(d, "cluster")) ? SBX_RES_CLUSTER : SBX_RES_ANY;
        return true;
    }
    db = text_of(d, "db");
    coll = text_of(d, "collection");
    if (db == NULL || coll == NULL) {
        return false;
    }
    out->db = db[0] != '\0' ? db : NULL;
    out->coll = coll[0] != '\0' ? coll : NULL;
    out->kind = out->db != NULL ? (out->coll != NULL ? SBX_RES_NS : SBX_RES_DB)
                                : (out->coll != NULL ? SBX_RES_NAME : SBX_RES_NORMAL);
    return true;
}

bool sbx_actions_parse(struct sbx_val array, struct mst_str *s)
{
    struct sbx_it it;

    if (array.type != SBX_ARRAY) {
        return false;
    }
    sbx_it_init(&it, sbx_val_doc(array));
    while (sbx_it_next(&it)) {
        const char *word = sbx_val_str(it.v, NULL);

        if (word == NULL || !sbx_action_known(word)) {
            return false;
        }
        mst_str_addf(s, "%s%s", s->len > 0 ? " " : "", word);
    }
    return true;
}

static bool each_own(struct sbx_doc role, sbx_priv_fn *fn, void *arg)
{
    const struct sbx_val list = sbx_doc_get(role, "privileges");
    struct sbx_it it;
    bool on = true;

    if (list.type != SBX_ARRAY) {
        return true;
    }
    sbx_it_init(&it, sbx_val_doc(list));
    while (on && sbx_it_next(&it)) {
        struct mst_str actions = {0};
        struct sbx_priv p;

        if (it.v.type == SBX_OBJECT &&
            sbx_res_parse(sbx_doc_get(sbx_val_doc(it.v), "resource"), &p.on) &&
            sbx_actions_parse(sbx_doc_get(sbx_val_doc(it.v), "actions"), &actions)) {
            p.actions = mst_str_c(&actions);
            on = fn(arg, &p);
        }
        mst_str_release(&actions);
    }
    return on;
}

bool sbx_role_each(const struct sbx_data *d, const struct sbx_role *r, sbx_priv_fn *fn, void *arg)
{
    struct sbx_doc doc;

    if (sbx_role_builtin(r->db, r->name)) {
        return sbx_builtin_each(r, d != NULL && sbx_data_plain(d), fn, arg);
    }
    return !sbx_role_doc(d, r, &doc) || each_own(doc, fn, arg);
}

/* ---- sets of roles ---- */

bool sbx_roles_have(const struct sbx_roles *r, const struct sbx_role *one)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->v[i].db, one->db) == 0 && strcmp(r->v[i].name, one->name) == 0) {
            return true;
        }
    }
    return false;
}

void sbx_roles_add(struct sbx_roles *r, const struct sbx_role *one)
{
    if (r->n < ROLES_MAX && !sbx_roles_have(r, one)) {
        mst_grow((void **)&r->v, &r->cap, r->n + 1, sizeof *r->v);
        r->v[r->n++] = *one;
    }
}

bool sbx_roles_parse(struct sbx_roles *r, struct sbx_val array, const char *db)
{
    struct sbx_it it;

    if (array.type != SBX_ARRAY) {
        return false;
    }
    sbx_it_init(&it, sbx_val_doc(array));
    while (sbx_it_next(&it)) {
        const bool doc = it.v.type == SBX_OBJECT;
        const char *name = doc ? text_of(sbx_val_doc(it.v), "role") : sbx_val_str(it.v, NULL);
        const char *of = doc ? text_of(sbx_val_doc(it.v), "db") : db;
        struct sbx_role one;

        if (name == NULL || of == NULL || !mst_copy(one.db, sizeof one.db, of) ||
            !mst_copy(one.name, sizeof one.name, name)) {
            return false;
        }
        sbx_roles_add(r, &one);
    }
    return true;
}

void sbx_roles_inherit(const struct sbx_data *d, struct sbx_roles *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct sbx_doc doc;

        if (!sbx_role_builtin(r->v[i].db, r->v[i].name) && sbx_role_doc(d, &r->v[i], &doc)) {
            (void)sbx_roles_parse(r, sbx_doc_get(doc, "roles"), "admin");
        }
    }
}

bool sbx_roles_reach(const struct sbx_data *d, const struct sbx_roles *from,
                     const struct sbx_role *to)
{
    struct sbx_roles all = {0};
    bool reached;

    for (size_t i = 0; i < from->n; i++) {
        sbx_roles_add(&all, &from->v[i]);
    }
    sbx_roles_inherit(d, &all);
    reached = sbx_roles_have(&all, to);
    sbx_roles_release(&all);
    return reached;
}

bool sbx_roles_each(const struct sbx_data *d, const struct sbx_roles *r, sbx_priv_fn *fn, void *arg)
{
    for (size_t i = 0; i < r->n; i++) {
        if (!sbx_role_each(d, &r->v[i], fn, arg)) {
            return false;
        }
    }
    return true;
}

void sbx_roles_release(struct sbx_roles *r)
{
    free(r->v);
    memset(r, 0, sizeof *r);
}
