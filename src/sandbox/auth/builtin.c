/* builtin.c: the roles that a 4.2 server brings along, from its manual; where the recordings of a
 * real one say more (useUUID of backup), from them. */
#include <string.h>

#include "auth/internal.h"
#include "base/mem.h"

#define READ "changeStream collStats dbHash dbStats find killCursors listCollections listIndexes"
#define WRITE \
    "convertToCapped createCollection createIndex dropCollection dropIndex insert remove " \
    "renameCollectionSameDB update"
#define DB_ADMIN \
    "bypassDocumentValidation collMod collStats compact convertToCapped createCollection " \
    "createIndex dbStats dropCollection dropDatabase dropIndex enableProfiler listCollections " \
    "listIndexes planCacheIndexFilter planCacheRead planCacheWrite reIndex " \
    "renameCollectionSameDB storageDetails validate"
#define PROFILE READ " convertToCapped createCollection dropCollection"
#define USER_ADMIN \
    "changeCustomData changePassword createRole createUser dropRole dropUser grantRole " \
    "revokeRole setAuthenticationRestriction viewRole viewUser"
#define MONITOR \
    "checkFreeMonitoringStatus connPoolStats getCmdLineOpts getLog getParameter getShardMap " \
    "hostInfo inprog listDatabases listSessions listShards netstat replSetGetConfig " \
    "replSetGetStatus serverStatus setFreeMonitoring shardingState top"
#define MANAGER \
    "addShard appendOplogNote applicationMessage cleanupOrphaned flushRouterConfig listSessions " \
    "listShards removeShard replSetConfigure replSetGetConfig replSetGetStatus " \
    "replSetStateChange resync setFeatureCompatibilityVersion setFreeMonitoring"
#define SHARDING "enableSharding moveChunk splitChunk splitVector"
#define HOST \
    "applicationMessage closeAllDatabases connPoolSync flushRouterConfig fsync " \
    "invalidateUserCache killAnyCursor killAnySession killCursors killop logRotate resync " \
    "setParameter shutdown touch unlock"
#define RESTORE \
    "bypassDocumentValidation collMod convertToCapped createCollection createIndex " \
    "dropCollection insert"
#define LOOK "collStats dbHash dbStats find killCursors listCollections listIndexes planCacheRead"

/* A row gives actions on a resource, or (kind INCLUDES) all that another role gives. db NULL is the
 * role's own. */
enum { INCLUDES = 100, NEWER = 200 /* added to a kind: on the 7.0 profile only */ };
struct row {
    const char *role;
    int kind;
    const char *db, *coll, *actions;
};

static const struct row rows[] = {
    {"read", SBX_RES_DB, NULL, NULL, READ},
    {"read", SBX_RES_NS, NULL, "system.js", READ},
    {"readWrite", INCLUDES, NULL, NULL, "read"},
    {"readWrite", SBX_RES_DB, NULL, NULL, WRITE},
    {"readWrite", SBX_RES_NS, NULL, "system.js", WRITE},
    {"dbAdmin", SBX_RES_DB, NULL, NULL, DB_ADMIN},
    {"dbAdmin", SBX_RES_NS, NULL, "system.profile", PROFILE},
    {"userAdmin", SBX_RES_DB, NULL, NULL, USER_ADMIN},
    {"dbOwner", INCLUDES, NULL, NULL, "readWrite"},
    {"dbOwner", INCLUDES, NULL, NULL, "dbAdmin"},
    {"dbOwner", INCLUDES, NULL, NULL, "userAdmin"},

    {"clusterMonitor", SBX_RES_CLUSTER, NULL, NULL, MONITOR},
    {"clusterMonitor", SBX_RES_NORMAL, NULL, NULL, "collStats dbStats getShardVersion indexStats"},
    {"clusterMonitor", SBX_RES_DB, "config", NULL, LOOK " getShardVersion indexStats"},
    {"clusterMonitor", SBX_RES_NS, "config", "system.js", LOOK},
    {"clusterMonitor", SBX_RES_DB, "local", NULL, LOOK " getShardVersion indexStats"},
    {"clusterMonitor", SBX_RES_NS, "local", "system.js", LOOK},
    {"clusterMonitor", SBX_RES_NS, "local", "system.replset", "find"},
    {"clusterMonitor", SBX_RES_NAME, NULL, "system.profile", "find"},
    {"clusterManager", SBX_RES_CLUSTER, NULL, NULL, MANAGER},
    {"clusterManager", SBX_RES_NORMAL, NULL, NULL, SHARDING},
    {"clusterManager", SBX_RES_DB, "config", NULL, LOOK " insert remove update " SHARDING},
    {"clusterManager", SBX_RES_NS, "config", "system.js", LOOK},
    {"clusterManager", SBX_RES_DB, "local", NULL, "insert remove update " SHARDING},
    {"clusterManager", SBX_RES_NS, "local", "system.replset", LOOK},
    {"hostManager", SBX_RES_CLUSTER, NULL, NULL, HOST},
    {"hostManager", SBX_RES_NORMAL, NULL, NULL, "killCursors"},
    {"clusterAdmin", INCLUDES, NULL, NULL, "clusterMonitor"},
    {"clusterAdmin", INCLUDES, NULL, NULL, "clusterManager"},
    {"clusterAdmin", INCLUDES, NULL, NULL, "hostManager"},
    {"clusterAdmin", SBX_RES_NORMAL, NULL, NULL, "dropDatabase"},

    {"backup", SBX_RES_CLUSTER, NULL, NULL,
     "appendOplogNote getParameter listDatabases serverStatus useUUID"},
    {"backup", SBX_RES_ANY, NULL, NULL, "collStats listCollections listIndexes"},
    {"backup", SBX_RES_NORMAL, NULL, NULL, "find"},
    {"backup", SBX_RES_DB, "config", NULL, "find"},
    {"backup", SBX_RES_DB, "local", NULL, "find"},
    {"backup", SBX_RES_NAME, NULL, "system.js", "find"},
    {"backup", SBX_RES_NAME, NULL, "system.profile", "find"},
    {"backup", SBX_RES_NS, "admin", "system.users", "find"},
    {"backup", SBX_RES_NS, "admin", "system.roles", "find"},
    {"backup", SBX_RES_NS, "admin", "system.version", "find"},
    {"backup", SBX_RES_NS, "admin", "system.backup_users", "find"},
    {"backup", SBX_RES_NS, "admin", "mms.backup", "insert update"},
    {"backup", SBX_RES_NS, "config", "settings", "find insert update"},
    {"restore", SBX_RES_CLUSTER, NULL, NULL, "getParameter"},
    {"restore", NEWER + SBX_RES_CLUSTER, NULL, NULL, "applyOps"},
    {"restore", SBX_RES_ANY, NULL, NULL, "listCollections"},
    {"restore", SBX_RES_NORMAL, NULL, NULL, RESTORE " " USER_ADMIN},
    {"restore", SBX_RES_NAME, NULL, "system.js", RESTORE},
    {"restore", SBX_RES_DB, "config", NULL, RESTORE},
    {"restore", SBX_RES_DB, "local", NULL, RESTORE},
    {"restore", SBX_RES_NS, "admin", "system.users", RESTORE " find remove update"},
    {"restore", SBX_RES_NS, "admin", "system.roles", RESTORE " find remove update"},
    {"restore", SBX_RES_NS, "admin", "system.version", RESTORE " find remove update"},
    {"restore", SBX_RES_NS, "admin", "system.backup_users", RESTORE " find remove update"},
    {"restore", SBX_RES_NS, "admin", "tempusers", "find"},
    {"restore", SBX_RES_NS, "admin", "temproles", "find"},

    {"readAnyDatabase", SBX_RES_CLUSTER, NULL, NULL, "listDatabases"},
    {"readAnyDatabase", SBX_RES_NORMAL, NULL, NULL, READ},
    {"readAnyDatabase", SBX_RES_NAME, NULL, "system.js", READ},
    {"readWriteAnyDatabase", INCLUDES, NULL, NULL, "readAnyDatabase"},
    {"readWriteAnyDatabase", SBX_RES_NORMAL, NULL, NULL, WRITE},
    {"readWriteAnyDatabase", SBX_RES_NAME, NULL, "system.js", WRITE},
    {"userAdminAnyDatabase", SBX_RES_CLUSTER, NULL, NULL,
     "authSchemaUpgrade invalidateUserCache listDatabases viewUser"},
    {"userAdminAnyDatabase", SBX_RES_NORMAL, NULL, NULL, USER_ADMIN},
    {"userAdminAnyDatabase", SBX_RES_DB, "local", NULL, USER_ADMIN},
    {"userAdminAnyDatabase", SBX_RES_DB, "config", NULL, USER_ADMIN},
    {"userAdminAnyDatabase", SBX_RES_NS, "admin", "system.users", LOOK},
    {"userAdminAnyDatabase", SBX_RES_NS, "admin", "system.roles", LOOK},
    {"userAdminAnyDatabase", SBX_RES_NS, "admin", "system.version", LOOK},
    {"dbAdminAnyDatabase", SBX_RES_CLUSTER, NULL, NULL, "listDatabases"},
    {"dbAdminAnyDatabase", SBX_RES_NORMAL, NULL, NULL, DB_ADMIN},
    {"dbAdminAnyDatabase", SBX_RES_NAME, NULL, "system.profile", PROFILE},
    {"root", INCLUDES, NULL, NULL, "clusterAdmin"},
    {"root", INCLUDES, NULL, NULL, "userAdminAnyDatabase"},
    {"root", INCLUDES, NULL, NULL, "dbAdminAnyDatabase"},
    {"root", INCLUDES, NULL, NULL, "readWriteAnyDatabase"},
    {"root", INCLUDES, NULL, NULL, "backup"},
    {"root", INCLUDES, NULL, NULL, "restore"},
    {"__system", SBX_RES_ANY, NULL, NULL, "anyAction"},
};

static bool on_every_db(const char *name)
{
    static const char *const names[] = {"read", "readWrite", "dbAdmin", "userAdmin", "dbOwner"};

    for (size_t i = 0; i < MST_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool sbx_role_builtin(const char *db, const char *name)
{
    bool known = false;

    for (size_t i = 0; i < MST_COUNT(rows) && !known; i++) {
        known = strcmp(rows[i].role, name) == 0;
    }
    return known && (strcmp(db, "admin") == 0 || on_every_db(name));
}

/* Included rows are looked up two deep at most: root, clusterAdmin, its parts. */
static bool each(const char *db, const char *name, bool newer, unsigned depth, sbx_priv_fn *fn,
                 void *arg)
{
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        const struct row *r = &rows[i];

        if (strcmp(r->role, name) != 0 || (r->kind >= NEWER && !newer)) {
            continue;
        }
        if (r->kind == INCLUDES) {
            MST_ASSERT(depth < 4);
            if (!each(db, r->actions, newer, depth + 1, fn, arg)) {
                return false;
            }
            continue;
        }
        const enum sbx_res_kind kind = (enum sbx_res_kind)(r->kind % NEWER);
        const bool in_db = kind == SBX_RES_DB || kind == SBX_RES_NS;
        const struct sbx_priv p = {{kind, in_db && r->db == NULL ? db : r->db, r->coll},
                                   r->actions};

        if (!fn(arg, &p)) {
            return false;
        }
    }
    return true;
}

bool sbx_builtin_each(const struct sbx_role *r, bool newer, sbx_priv_fn *fn, void *arg)
{
    return each(r->db, r->name, newer, 0, fn, arg);
}

size_t sbx_builtin_names(const char **names, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        if ((i == 0 || strcmp(rows[i].role, rows[i - 1].role) != 0) && n < max) {
            names[n++] = rows[i].role;
        }
    }
    return n;
}
