/* load_doc.c: one document into staging, as it was.
 *
 * A scan that reads while documents move can meet one twice. The server's own _id index says which
 * (its equality, with the collection's collation): the earlier read is taken out again, so the last
 * one is kept, and the sum is corrected by what was taken out.
 *
 * Some documents would not survive an insert: a server replaces Timestamp(0,0) at the top level and
 * moves _id to the front. Those go through applyOps, which takes the bytes as they are.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "restore/load.h"

/* Would the server store other bytes than these? */
bool mst_load_needs_apply(const uint8_t *doc, uint32_t n, bool *has_id)
{
    bson_t b;
    bson_iter_t it;
    bool first = true, odd = false;

    *has_id = false;
    if (!bson_init_static(&b, doc, n) || !bson_iter_init(&it, &b)) {
        return true;
    }
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        const bool id = strcmp(key, "_id") == 0;

        *has_id = *has_id || id;
        odd = odd || (first && !id) || (key[0] == '$' && !first);
        if (BSON_ITER_HOLDS_TIMESTAMP(&it) && !id) {
            uint32_t t = 0, i = 0;

            bson_iter_timestamp(&it, &t, &i);
            odd = odd || (t == 0 && i == 0);
        }
        first = false;
    }
    return odd;
}

static void id_of(const uint8_t *doc, uint32_t n, const char *as, bson_t *out)
{
    bson_t b;
    bson_iter_t it;

    bson_init(out);
    if (bson_init_static(&b, doc, n) && bson_iter_init_find(&it, &b, "_id")) {
        (void)bson_append_iter(out, as, -1, &it);
    }
}

/* {as: {_id: {$eq: ...}}}: $eq, or an _id that is a regular expression would be a pattern. */
static void id_filter(const uint8_t *doc, uint32_t n, bson_t *out)
{
    bson_t eq;

    id_of(doc, n, "$eq", &eq);
    bson_init(out);
    BSON_APPEND_DOCUMENT(out, "_id", &eq);
    bson_destroy(&eq);
}

/* The bytes in staging under this _id; *found false when there are none. */
static enum mst_rc stored_as(struct mst_loader *l, const uint8_t *doc, uint32_t n,
                             uint8_t digest[MST_SHA256_LEN], uint32_t *len, bool *found,
                             struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("find", BCON_UTF8(l->name)), filter;
    struct mst_cursor *cur = NULL;
    const bson_t *got = NULL;
    enum mst_rc rc;

    id_filter(doc, n, &filter);
    BSON_APPEND_DOCUMENT(cmd, "filter", &filter);
    BSON_APPEND_INT64(cmd, "limit", 1);
    BSON_APPEND_BOOL(cmd, "singleBatch", true);
    rc = mst_cursor_open(l->conn, l->c->db, cmd, MST_RS_MS, &cur, err);
    if (rc == MST_OK) {
        rc = mst_cursor_next(cur, &got, err);
    }
    *found = rc == MST_OK && got;
    if (*found) {
        mst_sha256_one(&l->sha, bson_get_data(got), got->len, digest);
        *len = got->len;
    }
    mst_cursor_free(cur);
    bson_destroy(&filter);
    bson_destroy(cmd);
    return rc;
}

static enum mst_rc delete_id(struct mst_loader *l, const uint8_t *doc, uint32_t n,
                             struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("delete", BCON_UTF8(l->name)), filter, list, one;

    id_filter(doc, n, &filter);
    BSON_APPEND_ARRAY_BEGIN(cmd, "deletes", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    BSON_APPEND_DOCUMENT(&one, "q", &filter);
    BSON_APPEND_INT32(&one, "limit", 1);
    bson_append_document_end(&list, &one);
    bson_append_array_end(cmd, &list);
    bson_destroy(&filter);
    return mst_rs_do_take(l->conn, l->c->db, cmd, MST_RS_MS, err);
}

void mst_load_keep(struct mst_loader *l, const uint8_t digest[MST_SHA256_LEN], uint32_t len)
{
    mst_sum256_add(&l->c->kept, digest);
    l->c->loaded++;
    l->c->loaded_bytes += len;
}

static void unkeep(struct mst_loader *l, const uint8_t digest[MST_SHA256_LEN], uint32_t len)
{
    mst_sum256_sub(&l->c->kept, digest);
    l->c->loaded--;
    l->c->loaded_bytes -= len;
    l->c->doubles++;
}

/* The server has this _id already: the earlier read gives way. */
static enum mst_rc double_read(struct mst_loader *l, const uint8_t *doc, uint32_t n,
                               struct mst_err *err)
{
    uint8_t old[MST_SHA256_LEN];
    uint32_t old_len = 0;
    bool found = false;

    if (stored_as(l, doc, n, old, &old_len, &found, err) != MST_OK) {
        return err->rc;
    }
    if (!found) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "a document is refused as a duplicate of an _id that is not there");
    }
    if (l->r->o->defect_keep_doubles) {
        mst_sha256_one(&l->sha, doc, n, old);
        mst_load_keep(l, old, n);
        return MST_OK;
    }
    if (mst_map_capped(l->c)) { /* nothing can be deleted: note it and load once more */
        struct mst_sum256 s = {{0}};

        mst_sum256_get(&s, old);
        mst_grow((void **)&l->skip, &l->cap_skip, l->n_skip + 1, sizeof *l->skip);
        l->skip[l->n_skip++] = s;
        l->again = true;
        return MST_OK;
    }
    if (delete_id(l, doc, n, err) != MST_OK) {
        return err->rc;
    }
    unkeep(l, old, old_len);
    return mst_load_one(l, doc, n, err);
}

enum mst_rc mst_load_insert(struct mst_loader *l, const uint8_t *p, size_t n, bool ordered,
                            bson_t *reply, struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("insert", BCON_UTF8(l->name), "ordered", BCON_BOOL(ordered),
                           "bypassDocumentValidation", BCON_BOOL(true), "writeConcern", "{", "w",
                           BCON_INT32(1), "}");
    const enum mst_rc rc =
        mst_conn_command_docs(l->conn, l->c->db, cmd, "documents", p, n, MST_RS_MS * 4, reply, err);

    bson_destroy(cmd);
    return rc;
}

/* Through applyOps: nothing is added, moved or replaced. An insert of a known _id would replace it
 * silently, so the server is asked first. */
static enum mst_rc insert_as_is(struct mst_loader *l, const uint8_t *doc, uint32_t n,
                                struct mst_err *err)
{
    bson_t *cmd = bson_new(), ops, op, o;
    char ns[MST_NS_MAX];
    uint8_t digest[MST_SHA256_LEN];
    uint32_t len = 0;
    bool found = false;
    enum mst_rc rc = stored_as(l, doc, n, digest, &len, &found, err);

    if (rc != MST_OK || found) {
        bson_destroy(cmd);
        return rc == MST_OK ? double_read(l, doc, n, err) : rc;
    }
    (void)snprintf(ns, sizeof ns, "%s.%s", l->c->db, l->name);
    BSON_APPEND_ARRAY_BEGIN(cmd, "applyOps", &ops);
    BSON_APPEND_DOCUMENT_BEGIN(&ops, "0", &op);
    BSON_APPEND_UTF8(&op, "op", "i");
    BSON_APPEND_UTF8(&op, "ns", ns);
    BSON_APPEND_BINARY(&op, "ui", BSON_SUBTYPE_UUID, l->c->staged_uuid, 16);
    (void)bson_init_static(&o, doc, n);
    BSON_APPEND_DOCUMENT(&op, "o", &o);
    bson_append_document_end(&ops, &op);
    bson_append_array_end(cmd, &ops);
    BSON_APPEND_BOOL(cmd, "bypassDocumentValidation", true);
    rc = mst_rs_do_take(l->conn, "admin", cmd, MST_RS_MS, err);
    if (rc == MST_OK) {
        mst_sha256_one(&l->sha, doc, n, digest);
        mst_load_keep(l, digest, n);
    }
    return rc;
}

enum mst_rc mst_load_one(struct mst_loader *l, const uint8_t *doc, uint32_t n, struct mst_err *err)
{
    bson_t reply;
    struct mst_err e = {0};
    uint8_t digest[MST_SHA256_LEN];
    bool has_id;
    enum mst_rc rc;

    if (mst_load_needs_apply(doc, n, &has_id)) {
        return has_id ? insert_as_is(l, doc, n, err)
                      : mst_err_set(err, MST_E_PRECOND, "a document without _id");
    }
    rc = mst_load_insert(l, doc, n, true, &reply, err);
    if (rc == MST_OK && mst_reply_write_error(&reply, &e) != MST_OK) {
        if (e.detail == MST_SC_DUP_KEY) {
            rc = double_read(l, doc, n, err);
        } else {
            rc = insert_as_is(l, doc, n, err);
        }
    } else if (rc == MST_OK) {
        mst_sha256_one(&l->sha, doc, n, digest);
        mst_load_keep(l, digest, n);
    }
    bson_destroy(&reply);
    return rc;
}

enum mst_rc mst_load_refused(struct mst_loader *l, const uint8_t *doc, uint32_t n,
                             struct mst_err *err)
{
    bson_t id;
    char *json, show[MST_NS_MAX];

    id_of(doc, n, "_id", &id);
    json = bson_as_relaxed_extended_json(&id, NULL);
    mst_err_prefix(err, "document %.120s of %s", json ? json : "?",
                   mst_ns_show(l->c->db, l->c->coll, show));
    bson_free(json);
    bson_destroy(&id);
    return err->rc;
}
