/* rights.c: which privileges a restore needs, and which are not there. Pure. */
#include <string.h>

#include "base/mem.h"
#include "restore/plan.h"

static const char *const db_actions[] = {
    "find",
    "insert",
    "update",
    "remove",
    "listCollections",
    "listIndexes",
    "createCollection",
    "dropCollection",
    "createIndex",
    "collMod",
    "renameCollectionSameDB",
    "bypassDocumentValidation",
};
static const char *const cluster_actions[] = {"useUUID"};
/* Older servers have no such action: they check each operation for its own. */
#define APPLY_OPS_SINCE "4.4"

/* Does this resource cover every ordinary collection of db (NULL: the cluster)? */
static bool covers(const bson_t *resource, const char *db)
{
    bson_iter_t it;
    const char *of = NULL, *coll = NULL;

    if (bson_iter_init_find(&it, resource, "anyResource") && bson_iter_as_bool(&it)) {
        return true;
    }
    if (!db) {
        return bson_iter_init_find(&it, resource, "cluster") && bson_iter_as_bool(&it);
    }
    if (bson_iter_init_find(&it, resource, "db") && BSON_ITER_HOLDS_UTF8(&it)) {
        of = bson_iter_utf8(&it, NULL);
    }
    if (bson_iter_init_find(&it, resource, "collection") && BSON_ITER_HOLDS_UTF8(&it)) {
        coll = bson_iter_utf8(&it, NULL);
    }
    return of && coll && !coll[0] && (!of[0] || strcmp(of, db) == 0);
}

static bool has_action(const bson_t *privilege, const char *action)
{
    bson_iter_t it, list;

    if (!bson_iter_init_find(&it, privilege, "actions") || !bson_iter_recurse(&it, &list)) {
        return false;
    }
    while (bson_iter_next(&list)) {
        if (BSON_ITER_HOLDS_UTF8(&list) &&
            (strcmp(bson_iter_utf8(&list, NULL), action) == 0 ||
             strcmp(bson_iter_utf8(&list, NULL), "anyAction") == 0)) {
            return true;
        }
    }
    return false;
}

static bool granted(const bson_t *privileges, const char *db, const char *action)
{
    bson_iter_t it;
    const uint8_t *p = NULL;
    uint32_t n = 0;
    bson_t privilege, resource;

    if (!bson_iter_init(&it, privileges)) {
        return false;
    }
    while (bson_iter_next(&it)) {
        if (!BSON_ITER_HOLDS_DOCUMENT(&it)) {
            continue;
        }
        bson_iter_document(&it, &n, &p);
        if (bson_init_static(&privilege, p, n) && mst_bson_doc(&privilege, "resource", &resource) &&
            covers(&resource, db) && has_action(&privilege, action)) {
            return true;
        }
    }
    return false;
}

void mst_rights_missing(const bson_t *privileges, const char *db, const char *oplog_fcv,
                        struct mst_str *out)
{
    size_t i;

    for (i = 0; db && i < MST_COUNT(db_actions); i++) {
        if (!granted(privileges, db, db_actions[i])) {
            mst_str_addf(out, "%s%s on %s", out->len ? ", " : "", db_actions[i], db);
        }
    }
    if (!db && oplog_fcv && (!oplog_fcv[0] || mst_fcv_cmp(oplog_fcv, APPLY_OPS_SINCE) >= 0) &&
        !granted(privileges, NULL, "applyOps")) {
        mst_str_addf(out, "%sapplyOps", out->len ? ", " : "");
    }
    for (i = 0; !db && oplog_fcv && i < MST_COUNT(cluster_actions); i++) {
        if (!granted(privileges, NULL, cluster_actions[i])) {
            mst_str_addf(out, "%s%s", out->len ? ", " : "", cluster_actions[i]);
        }
    }
}
