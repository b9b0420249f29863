/* newborn.c: what the first primary of a set writes before anybody else does: the table of
 * sessions, and the keys that sign cluster times. */
#include <string.h>

#include "data/data.h"
#include "oplog/entries.h"
#include "set/internal.h"

#define KEY_BYTES 20
#define KEY_LIFE_S (90 * 24 * 3600)

void sbx_log_apply(struct sbx_member *m, const bson_t *op)
{
    char why[256];
    struct mst_optime at = sbx_log_server(m, op);
    const struct sbx_entry *e = sbx_oplog_at(m->oplog, sbx_oplog_find(m->oplog, at));

    MST_ASSERT(sbx_data_apply(m->data, sbx_entry_doc(e), why, sizeof why));
}

void sbx_log_create(struct sbx_member *m, const char *db, const char *name, uint8_t uuid[16])
{
    bson_t op = BSON_INITIALIZER, o, index, key;
    char ns[SBX_NS_MAX];

    sbx_uuid_new(uuid);
    (void)snprintf(ns, sizeof ns, "%s.$cmd", db);
    BSON_APPEND_UTF8(&op, "op", "c");
    BSON_APPEND_UTF8(&op, "ns", ns);
    BSON_APPEND_BINARY(&op, "ui", BSON_SUBTYPE_UUID, uuid, 16);
    BSON_APPEND_DOCUMENT_BEGIN(&op, "o", &o);
    BSON_APPEND_UTF8(&o, "create", name);
    BSON_APPEND_DOCUMENT_BEGIN(&o, "idIndex", &index);
    BSON_APPEND_INT32(&index, "v", 2);
    BSON_APPEND_DOCUMENT_BEGIN(&index, "key", &key);
    BSON_APPEND_INT32(&key, "_id", 1);
    bson_append_document_end(&index, &key);
    BSON_APPEND_UTF8(&index, "name", "_id_");
    if (m->w->profile->server == SBX_42) {
        (void)snprintf(ns, sizeof ns, "%s.%s", db, name);
        BSON_APPEND_UTF8(&index, "ns", ns);
    }
    bson_append_document_end(&o, &index);
    bson_append_document_end(&op, &o);
    sbx_log_apply(m, &op);
    bson_destroy(&op);
}

static void insert_key(struct sbx_member *m, const uint8_t uuid[16], int number)
{
    bson_t op = BSON_INITIALIZER, o;
    uint8_t key[KEY_BYTES];
    const uint32_t now = (uint32_t)(sbx_utc(m->w) / 1000);

    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)sbx_random(m->w);
    }
    BSON_APPEND_UTF8(&op, "op", "i");
    BSON_APPEND_UTF8(&op, "ns", "admin.system.keys");
    BSON_APPEND_BINARY(&op, "ui", BSON_SUBTYPE_UUID, uuid, 16);
    BSON_APPEND_DOCUMENT_BEGIN(&op, "o", &o);
    BSON_APPEND_INT64(&o, "_id", (int64_t)((uint64_t)now << 32) + number);
    BSON_APPEND_UTF8(&o, "purpose", "HMAC");
    BSON_APPEND_BINARY(&o, "key", BSON_SUBTYPE_BINARY, key, sizeof key);
    BSON_APPEND_TIMESTAMP(&o, "expiresAt", now + (uint32_t)(KEY_LIFE_S * number), 0);
    bson_append_document_end(&op, &o);
    sbx_log_apply(m, &op);
    bson_destroy(&op);
}

/* Every server makes this document when it first starts, before there is a set: it is in no oplog,
 * and the other members have it from their first sync. */
void sbx_first_version(struct sbx_member *m)
{
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    bson_t doc = BSON_INITIALIZER;
    struct sbx_why why = {0};
    struct sbx_coll *c =
        m->data == NULL ? NULL
                        : sbx_data_create(m->data, "admin.system.version", NULL,
                                          sbx_doc(empty, sizeof empty), sbx_doc(NULL, 0), &why);

    if (c != NULL) {
        BSON_APPEND_UTF8(&doc, "_id", "featureCompatibilityVersion");
        BSON_APPEND_UTF8(&doc, "version", m->w->profile->fcv);
        sbx_coll_insert(c, sbx_doc(bson_get_data(&doc), doc.len), (struct sbx_stamp){{0, 1}, NULL});
    }
    bson_destroy(&doc);
}

void sbx_newborn(struct sbx_member *m)
{
    uint8_t uuid[16];

    sbx_log_create(m, "config", "transactions", uuid);
    sbx_log_create(m, "admin", "system.keys", uuid);
    insert_key(m, uuid, 1);
    insert_key(m, uuid, 2);
}
