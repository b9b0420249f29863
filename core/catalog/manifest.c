#include "catalog/manifest.h"

#include "base/mem.h"
#include "base/text.h"

#define EXTENT_BYTES 40U /* object u32, zero u32, offset, stored, data, documents u64 */

const char *mst_ns_state_word(enum mst_ns_state s)
{
    static const char *const words[] = {"scanned", "dropped", "left-out", "view"};

    return (unsigned)s < MST_COUNT(words) ? words[s] : "?";
}

/* --- writing ---------------------------------------------------------------------------------- */

struct mst_manw {
    struct mst_segw *seg;
    enum mst_man_kind at;
    struct mst_man_end end;
};

static enum mst_rc add(struct mst_manw *w, enum mst_man_kind kind, bson_t *b, struct mst_err *err)
{
    enum mst_rc rc;

    MST_ASSERT(kind >= w->at);
    w->at = kind;
    rc = mst_segw_add(w->seg, bson_get_data(b), b->len, err);
    bson_destroy(b);
    if (rc == MST_E_LIMIT) {
        mst_err_prefix(err, "a record of the manifest");
    }
    return rc;
}

enum mst_rc mst_manw_open(struct mst_store *store, const char *key, const struct mst_man_begin *b,
                          const struct mst_sealing *sealing, struct mst_manw **out,
                          struct mst_err *err)
{
    struct mst_segment_id id = {.role = MST_SEG_MANIFEST};
    struct mst_manw *w = mst_xcalloc(1, sizeof(*w));
    bson_t doc = BSON_INITIALIZER;

    *out = NULL;
    (void)mst_copy(id.backup, sizeof(id.backup), b->id);
    (void)mst_copy(id.attempt, sizeof(id.attempt), b->attempt);
    if (mst_segw_open(store, key, &id, sealing, &w->seg, err) != MST_OK) {
        free(w);
        return err->rc;
    }
    BSON_APPEND_UTF8(&doc, "k", "begin");
    BSON_APPEND_INT32(&doc, "format", MST_FORMAT_VERSION);
    BSON_APPEND_UTF8(&doc, "id", b->id);
    BSON_APPEND_UTF8(&doc, "attempt", b->attempt);
    BSON_APPEND_UTF8(&doc, "kind", b->kind);
    BSON_APPEND_UTF8(&doc, "set", b->set);
    if (add(w, MST_MAN_BEGIN, &doc, err) != MST_OK) {
        mst_manw_abort_take(w);
        return err->rc;
    }
    *out = w;
    return MST_OK;
}

enum mst_rc mst_manw_member(struct mst_manw *w, const bson_t *facts, struct mst_err *err)
{
    bson_t doc = BSON_INITIALIZER;

    BSON_APPEND_UTF8(&doc, "k", "member");
    BSON_APPEND_DOCUMENT(&doc, "facts", facts);
    w->end.members++;
    return add(w, MST_MAN_MEMBER, &doc, err);
}

static void put_optime(bson_t *doc, const char *name, const struct mst_optime *o)
{
    bson_t sub;

    BSON_APPEND_DOCUMENT_BEGIN(doc, name, &sub);
    BSON_APPEND_TIMESTAMP(&sub, "ts", o->ts.t, o->ts.i);
    BSON_APPEND_INT64(&sub, "t", o->term);
    bson_append_document_end(doc, &sub);
}

enum mst_rc mst_manw_object(struct mst_manw *w, const struct mst_man_object *o, struct mst_err *err)
{
    bson_t doc = BSON_INITIALIZER;

    BSON_APPEND_UTF8(&doc, "k", "object");
    BSON_APPEND_UTF8(&doc, "key", o->key);
    BSON_APPEND_INT32(&doc, "role", (int32_t)o->role);
    BSON_APPEND_INT64(&doc, "number", o->number);
    BSON_APPEND_INT64(&doc, "part", o->part);
    BSON_APPEND_INT64(&doc, "bytes", (int64_t)o->bytes);
    BSON_APPEND_BINARY(&doc, "sha256", BSON_SUBTYPE_BINARY, o->sha, MST_SHA256_LEN);
    BSON_APPEND_INT64(&doc, "data", (int64_t)o->data_bytes);
    BSON_APPEND_INT64(&doc, "docs", (int64_t)o->documents);
    if (o->role == MST_SEG_OPLOG) {
        put_optime(&doc, "first", &o->first);
        put_optime(&doc, "last", &o->last);
    }
    w->end.objects++;
    w->end.stored_bytes += o->bytes;
    return add(w, MST_MAN_OBJECT, &doc, err);
}

static void put_extents(bson_t *doc, const struct mst_man_ns *ns)
{
    uint8_t *raw = mst_xcalloc(ns->n_extents + 1U, EXTENT_BYTES);

    for (uint32_t i = 0; i < ns->n_extents; i++) {
        uint8_t *p = raw + (size_t)i * EXTENT_BYTES;

        mst_put_le32(p, ns->extents[i].object);
        mst_put_le64(p + 8, ns->extents[i].offset);
        mst_put_le64(p + 16, ns->extents[i].stored_bytes);
        mst_put_le64(p + 24, ns->extents[i].data_bytes);
        mst_put_le64(p + 32, ns->extents[i].documents);
    }
    BSON_APPEND_BINARY(doc, "extents", BSON_SUBTYPE_BINARY, raw, ns->n_extents * EXTENT_BYTES);
    free(raw);
}

static bool put_doc(bson_t *doc, const char *name, const uint8_t *p, uint32_t n, bool array)
{
    bson_t view;

    if (!p) {
        return true;
    }
    if (!bson_init_static(&view, p, n)) {
        return false;
    }
    return array ? BSON_APPEND_ARRAY(doc, name, &view) : BSON_APPEND_DOCUMENT(doc, name, &view);
}

enum mst_rc mst_manw_ns(struct mst_manw *w, const struct mst_man_ns *ns, struct mst_err *err)
{
    bson_t doc = BSON_INITIALIZER;
    uint8_t sum[MST_SHA256_LEN];
    bool ok;

    if (w->end.namespaces >= MST_MANIFEST_NS_MAX || ns->n_extents > MST_NS_EXTENTS_MAX) {
        bson_destroy(&doc);
        return mst_err_set(err, MST_E_LIMIT, "%s.%s: more namespaces or pieces than a manifest has",
                           ns->db, ns->coll);
    }
    BSON_APPEND_UTF8(&doc, "k", "ns");
    BSON_APPEND_UTF8(&doc, "db", ns->db);
    BSON_APPEND_UTF8(&doc, "coll", ns->coll);
    BSON_APPEND_UTF8(&doc, "type", ns->type);
    BSON_APPEND_UTF8(&doc, "state", mst_ns_state_word(ns->state));
    if (ns->has_uuid) {
        BSON_APPEND_BINARY(&doc, "uuid", BSON_SUBTYPE_UUID, ns->uuid, MST_UUID_LEN);
    }
    ok = put_doc(&doc, "options", ns->options, ns->options_len, false) &&
         put_doc(&doc, "idIndex", ns->id_index, ns->id_index_len, false) &&
         put_doc(&doc, "indexes", ns->indexes, ns->indexes_len, true);
    BSON_APPEND_INT64(&doc, "docs", (int64_t)ns->documents);
    BSON_APPEND_INT64(&doc, "data", (int64_t)ns->data_bytes);
    mst_sum256_put(&ns->sum, sum);
    BSON_APPEND_BINARY(&doc, "sum256", BSON_SUBTYPE_BINARY, sum, MST_SHA256_LEN);
    put_extents(&doc, ns);
    if (ns->problem && *ns->problem) {
        BSON_APPEND_UTF8(&doc, "problem", ns->problem);
    }
    if (!ok) {
        bson_destroy(&doc);
        return mst_err_set(err, MST_E_INTEGRITY, "%s.%s: its options or indexes are not BSON",
                           ns->db, ns->coll);
    }
    w->end.namespaces++;
    w->end.documents += ns->documents;
    w->end.data_bytes += ns->data_bytes;
    return add(w, MST_MAN_NS, &doc, err);
}

enum mst_rc mst_manw_finish_take(struct mst_manw *w, uint64_t *bytes, uint8_t sha[MST_SHA256_LEN],
                                 struct mst_man_end *end, struct mst_err *err)
{
    bson_t doc = BSON_INITIALIZER;
    enum mst_rc rc;

    BSON_APPEND_UTF8(&doc, "k", "end");
    BSON_APPEND_INT64(&doc, "members", w->end.members);
    BSON_APPEND_INT64(&doc, "objects", w->end.objects);
    BSON_APPEND_INT64(&doc, "namespaces", w->end.namespaces);
    BSON_APPEND_INT64(&doc, "docs", (int64_t)w->end.documents);
    BSON_APPEND_INT64(&doc, "data", (int64_t)w->end.data_bytes);
    BSON_APPEND_INT64(&doc, "bytes", (int64_t)w->end.stored_bytes);
    if (add(w, MST_MAN_END, &doc, err) != MST_OK) {
        mst_manw_abort_take(w);
        return err->rc;
    }
    *end = w->end;
    rc = mst_segw_finish_take(w->seg, bytes, sha, err);
    free(w);
    return rc;
}

void mst_manw_abort_take(struct mst_manw *w)
{
    if (w) {
        mst_segw_abort_take(w->seg);
        free(w);
    }
}
