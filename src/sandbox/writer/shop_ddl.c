#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "writer/act.h"

#define ARCHIVES_KEPT 3
#define SERVER_NS_EXISTS 48
#define SERVER_NS_NOT_FOUND 26

/* Run and consume one DDL command. */
static enum mst_rc ddl(struct sbx_shop *s, const char *db, bson_t *cmd_take, struct mst_optime *at,
                       struct mst_err *err)
{
    bool unknown;
    const enum mst_rc rc = sbx_shop_run(s, db, cmd_take, false, at, &unknown, err);

    bson_destroy(cmd_take);
    return rc;
}

static void names(const struct sbx_shop *s, const char *stem, unsigned n, char coll[32],
                  char ns[80])
{
    (void)snprintf(coll, 32, "%s_%u", stem, n);
    (void)snprintf(ns, 80, "%s.%s", s->db, coll);
}

static enum mst_rc fill_week(struct sbx_shop *s, const char *db, const char *coll, const char *ns,
                             struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    for (int i = 0; rc == MST_OK && i < 5; i++) {
        bson_t *doc = BCON_NEW("_id", BCON_INT32(i), "sum", BCON_INT64(s->next_id * 7 + i));
        bson_t *cmd =
            BCON_NEW("insert", BCON_UTF8(coll), "documents", "[", BCON_DOCUMENT(doc), "]");
        struct mst_optime at;
        bool unknown;

        rc = sbx_shop_run(s, db, cmd, true, &at, &unknown, err);
        if (rc == MST_OK && s->model) {
            sbx_model_put(s->model, at, ns, doc);
        } else if (unknown && s->model) {
            sbx_model_doubt(s->model, ns, doc);
        }
        bson_destroy(cmd);
        bson_destroy(doc);
    }
    return rc;
}

static enum mst_rc create_week(struct sbx_shop *s, struct mst_err *err)
{
    char coll[32], ns[80];
    struct mst_optime at;
    enum mst_rc rc;

    s->archive++;
    names(s, "week", s->archive, coll, ns);
    rc = ddl(s, s->db, BCON_NEW("create", BCON_UTF8(coll)), &at, err);
    if (rc != MST_OK) {
        return rc;
    }
    if (s->model) {
        sbx_model_create(s->model, at, ns);
    }
    return fill_week(s, s->db, coll, ns, err);
}

static enum mst_rc rename_week(struct sbx_shop *s, struct mst_err *err)
{
    char from[32], to[32], from_ns[80], to_ns[80];
    struct mst_optime at;
    enum mst_rc rc;

    names(s, "week", s->archive, from, from_ns);
    names(s, "archive", s->archive, to, to_ns);
    rc = ddl(s, "admin", BCON_NEW("renameCollection", BCON_UTF8(from_ns), "to", BCON_UTF8(to_ns)),
             &at, err);
    if (rc == MST_OK && s->model) {
        sbx_model_rename(s->model, at, from_ns, to_ns);
    }
    return rc;
}

static enum mst_rc drop_archive(struct sbx_shop *s, struct mst_err *err)
{
    char coll[32], ns[80];
    struct mst_optime at;
    enum mst_rc rc;

    if (s->archive <= ARCHIVES_KEPT) {
        return MST_OK;
    }
    names(s, "archive", s->archive - ARCHIVES_KEPT, coll, ns);
    rc = ddl(s, s->db, BCON_NEW("drop", BCON_UTF8(coll)), &at, err);
    if (rc == MST_OK && s->model) {
        sbx_model_drop(s->model, at, ns);
    }
    return rc == MST_E_SERVER && err->detail == SERVER_NS_NOT_FOUND ? MST_OK : rc;
}

static enum mst_rc drop_scratch(struct sbx_shop *s, struct mst_err *err)
{
    char ns[80];
    struct mst_optime at;
    enum mst_rc rc = ddl(s, s->scratch_db, BCON_NEW("create", "tmp"), &at, err);

    (void)snprintf(ns, sizeof(ns), "%s.tmp", s->scratch_db);
    if (rc == MST_OK && s->model) {
        sbx_model_create(s->model, at, ns);
    }
    if (rc == MST_OK || (rc == MST_E_SERVER && err->detail == SERVER_NS_EXISTS)) {
        rc = fill_week(s, s->scratch_db, "tmp", ns, err);
    }
    if (rc == MST_OK) {
        rc = ddl(s, s->scratch_db, BCON_NEW("dropDatabase", BCON_INT32(1)), &at, err);
    }
    if (rc == MST_OK && s->model) {
        sbx_model_drop_db(s->model, at, s->scratch_db);
    }
    return rc;
}

enum mst_rc sbx_shop_ddl(struct sbx_shop *s, enum sbx_shop_ddl kind, struct mst_err *err)
{
    char coll[32], ns[80];
    struct mst_optime at;
    enum mst_rc rc = MST_OK;

    names(s, "week", s->archive, coll, ns);
    switch (kind) {
    case SBX_DDL_CREATE:
        rc = create_week(s, err);
        break;
    case SBX_DDL_CREATE_INDEX:
        rc = ddl(s, s->db,
                 BCON_NEW("createIndexes", BCON_UTF8(coll), "indexes", "[", "{", "key", "{", "sum",
                          BCON_INT32(1), "}", "name", "sum_1", "}", "]"),
                 &at, err);
        break;
    case SBX_DDL_COLL_MOD:
        rc = ddl(s, s->db, BCON_NEW("collMod", BCON_UTF8(coll), "validationLevel", "moderate"), &at,
                 err);
        break;
    case SBX_DDL_DROP_INDEX:
        rc = ddl(s, s->db, BCON_NEW("dropIndexes", BCON_UTF8(coll), "index", "sum_1"), &at, err);
        break;
    case SBX_DDL_RENAME:
        rc = rename_week(s, err);
        break;
    case SBX_DDL_DROP:
        rc = drop_archive(s, err);
        break;
    case SBX_DDL_DROP_DATABASE:
        rc = drop_scratch(s, err);
        break;
    case SBX_DDL_COUNT:
        break;
    }
    if (rc == MST_OK && kind < SBX_DDL_COUNT) {
        s->stats.ddl++;
        s->stats.ddl_of[kind]++;
    }
    return rc;
}

static enum mst_rc make(struct sbx_shop *s, const char *coll, struct mst_err *err)
{
    struct mst_optime at;
    char ns[80];
    const enum mst_rc rc = ddl(s, s->db, BCON_NEW("create", BCON_UTF8(coll)), &at, err);

    if (rc == MST_E_SERVER && err->detail == SERVER_NS_EXISTS) {
        return MST_OK;
    }
    (void)snprintf(ns, sizeof(ns), "%s.%s", s->db, coll);
    if (rc == MST_OK && s->model) {
        sbx_model_create(s->model, at, ns);
    }
    return rc;
}

static enum mst_rc index_of(struct sbx_shop *s, const char *coll, const char *field,
                            struct mst_err *err)
{
    char name[48];
    struct mst_optime at;

    (void)snprintf(name, sizeof(name), "%s_1", field);
    return ddl(s, s->db,
               BCON_NEW("createIndexes", BCON_UTF8(coll), "indexes", "[", "{", "key", "{",
                        BCON_UTF8(field), BCON_INT32(1), "}", "name", BCON_UTF8(name), "}", "]"),
               &at, err);
}

/* Ids go on after the greatest one there is, so that a second run meets no duplicate. */
static enum mst_rc go_on_after(struct sbx_shop *s, const char *coll, struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("find", BCON_UTF8(coll), "sort", "{", "_id", BCON_INT32(-1), "}",
                           "limit", BCON_INT32(1));
    bson_t reply;
    int64_t id = 0;
    const enum mst_rc rc = sbx_client_command(&s->client, s->db, cmd, &reply, err);

    if (rc == MST_OK && sbx_doc_int(&reply, "cursor.firstBatch.0._id", &id) && id >= s->next_id) {
        s->next_id = id + 1;
    }
    bson_destroy(&reply);
    bson_destroy(cmd);
    return rc;
}

enum mst_rc sbx_shop_open(struct sbx_shop *s, unsigned customers, struct mst_err *err)
{
    static const char *const colls[] = {"customers", "orders", "events"};
    enum mst_rc rc = MST_OK;

    for (size_t i = 0; rc == MST_OK && i < MST_COUNT(colls); i++) {
        rc = make(s, colls[i], err);
    }
    for (size_t i = 0; rc == MST_OK && i < MST_COUNT(colls); i++) {
        rc = go_on_after(s, colls[i], err);
    }
    if (rc == MST_OK) {
        rc = index_of(s, "orders", "customer", err);
    }
    if (rc == MST_OK) {
        rc = index_of(s, "events", "at", err);
    }
    for (unsigned i = 0; rc == MST_OK && i < customers; i++) {
        char name[32];
        bson_t *doc, *cmd;
        struct mst_optime at;
        bool unknown;

        (void)snprintf(name, sizeof(name), "customer %u", i);
        doc = BCON_NEW("_id", BCON_INT64(s->next_id++), "name", BCON_UTF8(name), "since",
                       BCON_DATE_TIME(mst_clock_utc_ms(NULL)));
        cmd = BCON_NEW("insert", "customers", "documents", "[", BCON_DOCUMENT(doc), "]");
        rc = sbx_shop_run(s, s->db, cmd, true, &at, &unknown, err);
        if (rc == MST_OK && s->model) {
            char ns[80];

            (void)snprintf(ns, sizeof(ns), "%s.customers", s->db);
            sbx_model_put(s->model, at, ns, doc);
        }
        bson_destroy(cmd);
        bson_destroy(doc);
    }
    return rc;
}
