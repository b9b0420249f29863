#include "failover/roles.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define CLUSTER(action, why) \
    { \
        MST_ROLES_CLUSTER, NULL, NULL, action, why, false \
    }
#define ANY(action, why) \
    { \
        MST_ROLES_ANY, "", "", action, why, false \
    }
#define COLL(db, coll, action, why) \
    { \
        MST_ROLES_COLL, db, coll, action, why, false \
    }

/* What the picture of the set is made of; every act looks before it does. */
#define LOOK \
    CLUSTER("serverStatus", "figures of each member"), \
        CLUSTER("replSetGetStatus", "states, terms, lags, heartbeats"), \
        CLUSTER("replSetGetConfig", "members, votes, priorities"), \
        CLUSTER("getParameter", "compatibility version, limits of a step down"), \
        CLUSTER("getCmdLineOpts", "role in a sharded cluster")
#define NOTES COLL("local", "oplog.rs", "find", "ends of the oplog, notes of other acts")

static const struct mst_roles_need view_needs[] = {LOOK, NOTES};

static const struct mst_roles_need switch_needs[] = {
    LOOK,
    CLUSTER("inprog", "operations that hold up the step down ($currentOp of all users)"),
    CLUSTER("replSetStateChange", "replSetFreeze, replSetStepDown, replSetStepUp"),
    CLUSTER("appendOplogNote", "the note that keeps others away, majority probes"),
    CLUSTER("replSetConfigure", "one safe replSetReconfig, only to stay (swap of priorities)"),
    NOTES,
    COLL("local", "oplog.rs", "collStats", "how full the oplog is"),
};

static const struct mst_roles_need backup_needs[] = {
    LOOK,
    CLUSTER("hostInfo", "facts of the host, kept in the manifest"),
    CLUSTER("listDatabases", "what there is to back up"),
    CLUSTER("useUUID", "reading a collection by its UUID, across a rename"),
    ANY("find", "the documents"),
    ANY("listCollections", "collections, views, options"),
    ANY("listIndexes", "indexes"),
    ANY("dbStats", "sizes, for the progress"),
    COLL("", "system.js", "find", "stored functions"),
    COLL("", "system.js", "listIndexes", "stored functions"),
    COLL("admin", "system.version", "find", "compatibility version at the start point"),
    COLL("config", "transactions", "find", "oldest open transaction at the start point"),
    NOTES,
};

static const struct mst_roles_need restore_needs[] = {
    LOOK,
    CLUSTER("appendOplogNote", "the note that keeps others away"),
    CLUSTER("listDatabases", "what is on the target"),
    CLUSTER("useUUID", "replay of the oplog by UUID"),
    {MST_ROLES_CLUSTER, NULL, NULL, "applyOps", "replay of the oplog", true},
    ANY("find", "reading back what was loaded"),
    ANY("insert", "loading into staging names"),
    ANY("update", "replay of the oplog"),
    ANY("remove", "a document that was read twice, replay of the oplog"),
    ANY("listCollections", "what is on the target"),
    ANY("listIndexes", "what is on the target"),
    ANY("dbStats", "room on the target"),
    ANY("collStats", "sizes of what is replaced"),
    ANY("createCollection", "staging names, views"),
    ANY("dropCollection", "scratch collections, discard"),
    ANY("createIndex", "indexes"),
    ANY("dropIndex", "release of a held TTL index"),
    ANY("collMod", "release of a held TTL index, validators"),
    ANY("renameCollectionSameDB", "the swap"),
    ANY("bypassDocumentValidation", "documents older than their validator"),
    COLL("", "system.js", "find", "stored functions"),
    COLL("", "system.js", "insert", "stored functions"),
    COLL("", "system.js", "update", "stored functions"),
    COLL("", "system.js", "remove", "stored functions"),
    NOTES,
};

static const struct {
    const char *word;
    const struct mst_roles_need *needs;
    size_t n;
} acts[MST_ROLES_ACTS] = {
    [MST_ROLES_VIEW] = {"view", view_needs, MST_COUNT(view_needs)},
    [MST_ROLES_SWITCH] = {"switch", switch_needs, MST_COUNT(switch_needs)},
    [MST_ROLES_BACKUP] = {"backup", backup_needs, MST_COUNT(backup_needs)},
    [MST_ROLES_RESTORE] = {"restore", restore_needs, MST_COUNT(restore_needs)},
};

const char *mst_roles_word(enum mst_roles_act act)
{
    return acts[act].word;
}

enum mst_rc mst_roles_act_of(const char *word, enum mst_roles_act *out, struct mst_err *err)
{
    for (int i = 0; i < MST_ROLES_ACTS; i++) {
        if (strcmp(acts[i].word, word) == 0) {
            *out = (enum mst_roles_act)i;
            return MST_OK;
        }
    }
    return mst_err_set(err, MST_E_USAGE, "no act '%.40s': view, switch, backup or restore", word);
}

const struct mst_roles_need *mst_roles_needs(enum mst_roles_act act, size_t *n)
{
    *n = acts[act].n;
    return acts[act].needs;
}

/* "4.2", "7.0.14"; nothing but digits and dots may reach the script. */
static enum mst_rc read_server(const char *server, int *major, bool *before_44, struct mst_err *err)
{
    int minor = 0, end = 0;

    if (strspn(server, "0123456789.") == strlen(server) && strlen(server) <= 12 &&
        sscanf(server, "%3d.%3d%n", major, &minor, &end) == 2 &&
        (!server[end] || server[end] == '.') && (*major > 4 || (*major == 4 && minor >= 2)) &&
        *major <= 8) {
        *before_44 = *major == 4 && minor < 4;
        return MST_OK;
    }
    return mst_err_set(err, MST_E_USAGE, "no server version '%.20s' that muster knows: 4.2 to 8.x",
                       server);
}

static enum mst_rc check_class(const char *set_class, struct mst_err *err)
{
    if (!set_class[0] || strcmp(set_class, "PROD") == 0 || strcmp(set_class, "TEST") == 0 ||
        strcmp(set_class, "SANDBOX") == 0) {
        return MST_OK;
    }
    return mst_err_set(err, MST_E_USAGE, "no class '%.20s': PROD, TEST or SANDBOX", set_class);
}

static void put_head(enum mst_roles_act act, const char *server, int major, const char *set_class,
                     struct mst_str *out)
{
    const char *word = acts[act].word;
    const bool changes = act == MST_ROLES_SWITCH || act == MST_ROLES_RESTORE;

    mst_str_addf(
        out,
        "// The least that muster needs for the act %s on MongoDB %s. Run it on the primary in %s, "
        "as an administrator\n"
        "// of users; it asks for the password, which then goes into set.credentials.%s.\n",
        word, server, major >= 5 ? "mongosh" : "the mongo shell", word);
    if (changes && !set_class[0]) {
        mst_str_addf(out,
                     "// Without a class and \"%s\" in set.acts muster refuses this act all the "
                     "same.\n",
                     word);
    }
    if (act == MST_ROLES_RESTORE) {
        mst_str_add(out, "// Whoever has this user can replace every document of the set.\n");
    }
    if (changes && strcmp(set_class, "PROD") == 0) {
        mst_str_add(out, "// Class PROD: keep it apart from the user that only looks; muster reads "
                         "this password only for the act.\n");
    }
}

static bool same_resource(const struct mst_roles_need *a, const struct mst_roles_need *b)
{
    return a->on == b->on && (a->on != MST_ROLES_COLL ||
                              (strcmp(a->db, b->db) == 0 && strcmp(a->coll, b->coll) == 0));
}

static void put_privileges(const struct mst_roles_need *need, size_t n, struct mst_str *out)
{
    for (size_t i = 0; i < n; i++) {
        const bool first = i == 0 || !same_resource(&need[i], &need[i - 1]);
        const bool last = i + 1 == n || !same_resource(&need[i], &need[i + 1]);

        if (first && need[i].on == MST_ROLES_CLUSTER) {
            mst_str_add(out, "    { resource: { cluster: true }, actions: [\n");
        } else if (first) {
            mst_str_addf(out, "    { resource: { db: \"%s\", collection: \"%s\" }, actions: [\n",
                         need[i].db, need[i].coll);
        }
        mst_str_addf(out, "        \"%s\"%s // %s\n", need[i].action, last ? "" : ",", need[i].why);
        if (last) {
            mst_str_addf(out, "    ] }%s\n", i + 1 == n ? "" : ",");
        }
    }
}

enum mst_rc mst_roles_script(enum mst_roles_act act, const char *server, const char *set_class,
                             struct mst_str *out, struct mst_err *err)
{
    const struct mst_roles_need *all = acts[act].needs;
    struct mst_roles_need known[64];
    size_t n = 0;
    int major = 0;
    bool before_44 = false;
    enum mst_rc rc = read_server(server, &major, &before_44, err);

    for (size_t i = 0; i < acts[act].n && n < MST_COUNT(known); i++) {
        if (!(before_44 && all[i].since_44)) {
            known[n++] = all[i];
        }
    }

    if (rc == MST_OK) {
        rc = check_class(set_class, err);
    }
    if (rc != MST_OK) {
        return rc;
    }
    put_head(act, server, major, set_class, out);
    mst_str_addf(out,
                 "db.getSiblingDB(\"admin\").createRole({\n  role: \"muster_%s\",\n"
                 "  privileges: [\n",
                 acts[act].word);
    put_privileges(known, n, out);
    mst_str_addf(out,
                 "  ],\n  roles: []\n});\n"
                 "db.getSiblingDB(\"admin\").createUser({\n  user: \"muster_%s\",\n"
                 "  pwd: passwordPrompt(),\n"
                 "  roles: [{ role: \"muster_%s\", db: \"admin\" }]\n});\n",
                 acts[act].word, acts[act].word);
    return MST_OK;
}
