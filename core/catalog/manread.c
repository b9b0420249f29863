/* Reading the manifest: outside bytes to records. mst_man_parse is pure and takes anything. */
#include "base/mem.h"
#include "base/text.h"
#include "catalog/manifest.h"

#define EXTENT_BYTES 40U

static enum mst_rc bad(struct mst_err *err, const char *what)
{
    return mst_err_set(err, MST_E_INTEGRITY, "the manifest has a damaged record: %s", what);
}

/* --- fields ----------------------------------------------------------------------------------- */

static bool get_text(const bson_t *b, const char *name, char *out, size_t size)
{
    bson_iter_t it;
    uint32_t n;
    const char *s;

    if (!bson_iter_init_find(&it, b, name) || !BSON_ITER_HOLDS_UTF8(&it)) {
        return false;
    }
    s = bson_iter_utf8(&it, &n);
    if (n >= size || memchr(s, 0, n)) {
        return false;
    }
    memcpy(out, s, n);
    out[n] = '\0';
    return true;
}

static bool get_u64(const bson_t *b, const char *name, uint64_t max, uint64_t *out)
{
    bson_iter_t it;
    int64_t v;

    if (!bson_iter_init_find(&it, b, name) ||
        !(BSON_ITER_HOLDS_INT64(&it) || BSON_ITER_HOLDS_INT32(&it))) {
        return false;
    }
    v = bson_iter_as_int64(&it);
    *out = (uint64_t)v;
    return v >= 0 && *out <= max;
}

static bool get_u32(const bson_t *b, const char *name, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;
    const bool ok = get_u64(b, name, max, &v);

    *out = (uint32_t)v;
    return ok;
}

static bool get_bin(const bson_t *b, const char *name, const uint8_t **p, uint32_t *n)
{
    bson_iter_t it;
    bson_subtype_t sub;

    if (!bson_iter_init_find(&it, b, name) || !BSON_ITER_HOLDS_BINARY(&it)) {
        return false;
    }
    bson_iter_binary(&it, &sub, n, p);
    return true;
}

static bool get_bin_of(const bson_t *b, const char *name, uint8_t *out, uint32_t len)
{
    const uint8_t *p;
    uint32_t n;

    if (!get_bin(b, name, &p, &n) || n != len) {
        return false;
    }
    memcpy(out, p, n);
    return true;
}

static bool get_optime(const bson_t *b, const char *name, struct mst_optime *out)
{
    bson_iter_t it, sub;

    if (!bson_iter_init_find(&it, b, name) || !BSON_ITER_HOLDS_DOCUMENT(&it) ||
        !bson_iter_recurse(&it, &sub) || !bson_iter_find(&sub, "ts") ||
        !BSON_ITER_HOLDS_TIMESTAMP(&sub)) {
        return false;
    }
    bson_iter_timestamp(&sub, &out->ts.t, &out->ts.i);
    if (!bson_iter_recurse(&it, &sub) || !bson_iter_find(&sub, "t") ||
        !BSON_ITER_HOLDS_INT64(&sub)) {
        return false;
    }
    out->term = bson_iter_int64(&sub);
    return true;
}

/* --- records ---------------------------------------------------------------------------------- */

static enum mst_rc parse_begin(const bson_t *b, struct mst_man_begin *out, struct mst_err *err)
{
    uint32_t format;

    if (!get_u32(b, "format", INT32_MAX, &format)) {
        return bad(err, "begin");
    }
    if (format != MST_FORMAT_VERSION) {
        return mst_err_set(err, MST_E_STALE, "the manifest has format %u, this program knows %d",
                           format, MST_FORMAT_VERSION);
    }
    if (!get_text(b, "id", out->id, sizeof(out->id)) ||
        !get_text(b, "attempt", out->attempt, sizeof(out->attempt)) ||
        !get_text(b, "kind", out->kind, sizeof(out->kind)) ||
        !get_text(b, "set", out->set, sizeof(out->set))) {
        return bad(err, "begin");
    }
    return MST_OK;
}

static enum mst_rc parse_object(const bson_t *b, struct mst_man_object *o, struct mst_err *err)
{
    uint32_t role;

    if (!get_text(b, "key", o->key, sizeof(o->key)) || !mst_store_key_ok(o->key) ||
        !get_u32(b, "role", MST_SEG_OPLOG, &role) || role < MST_SEG_DATA ||
        !get_u32(b, "number", UINT32_MAX, &o->number) ||
        !get_u32(b, "part", UINT32_MAX, &o->part) || !get_u64(b, "bytes", INT64_MAX, &o->bytes) ||
        !get_bin_of(b, "sha256", o->sha, MST_SHA256_LEN) ||
        !get_u64(b, "data", INT64_MAX, &o->data_bytes) ||
        !get_u64(b, "docs", INT64_MAX, &o->documents)) {
        return bad(err, "object");
    }
    o->role = (enum mst_segment_role)role;
    if (o->role == MST_SEG_OPLOG &&
        (!get_optime(b, "first", &o->first) || !get_optime(b, "last", &o->last))) {
        return bad(err, "oplog object");
    }
    return MST_OK;
}

static bool parse_state(const bson_t *b, enum mst_ns_state *out)
{
    char word[16];

    if (!get_text(b, "state", word, sizeof(word))) {
        return false;
    }
    for (int s = MST_NS_SCANNED; s <= MST_NS_VIEW; s++) {
        if (strcmp(word, mst_ns_state_word((enum mst_ns_state)s)) == 0) {
            *out = (enum mst_ns_state)s;
            return true;
        }
    }
    return false;
}

/* An absent sub-document is an empty one, unless it may be none. */
static bool get_sub(const bson_t *b, const char *name, bool array, bool none, const uint8_t **p,
                    uint32_t *n)
{
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    bson_iter_t it;

    *p = none ? NULL : empty;
    *n = none ? 0 : 5;
    if (!bson_iter_init_find(&it, b, name)) {
        return true;
    }
    if (array ? !BSON_ITER_HOLDS_ARRAY(&it) : !BSON_ITER_HOLDS_DOCUMENT(&it)) {
        return false;
    }
    if (array) {
        bson_iter_array(&it, n, p);
    } else {
        bson_iter_document(&it, n, p);
    }
    return mst_bson_walk(*p, *n);
}

static bool count_indexes(struct mst_man_ns *ns)
{
    bson_t a;
    bson_iter_t it;

    ns->n_indexes = 0;
    if (!bson_init_static(&a, ns->indexes, ns->indexes_len) || !bson_iter_init(&it, &a)) {
        return false;
    }
    while (bson_iter_next(&it)) {
        if (!BSON_ITER_HOLDS_DOCUMENT(&it)) {
            return false;
        }
        ns->n_indexes++;
    }
    return true;
}

static bool parse_extents(const bson_t *b, struct mst_man_ns *ns, struct mst_buf *ext)
{
    const uint8_t *p;
    uint32_t n;
    uint64_t docs = 0, data = 0;

    if (!get_bin(b, "extents", &p, &n) || n % EXTENT_BYTES ||
        n / EXTENT_BYTES > MST_NS_EXTENTS_MAX) {
        return false;
    }
    ns->n_extents = n / EXTENT_BYTES;
    mst_buf_reset(ext);
    for (uint32_t i = 0; i < ns->n_extents; i++, p += EXTENT_BYTES) {
        struct mst_extent e;

        memset(&e, 0, sizeof(e));
        e.object = mst_le32(p);
        e.offset = mst_le64(p + 8);
        e.stored_bytes = mst_le64(p + 16);
        e.data_bytes = mst_le64(p + 24);
        e.documents = mst_le64(p + 32);
        docs += e.documents;
        data += e.data_bytes;
        if (e.offset > INT64_MAX || e.stored_bytes > INT64_MAX || e.data_bytes > INT64_MAX ||
            e.documents > e.data_bytes || mst_le32(p + 4) != 0) {
            return false;
        }
        mst_buf_add(ext, &e, sizeof(e));
    }
    ns->extents = (const struct mst_extent *)(const void *)ext->p;
    return docs == ns->documents && data == ns->data_bytes;
}

static enum mst_rc parse_ns(const bson_t *b, struct mst_man_ns *ns, struct mst_buf *ext,
                            struct mst_err *err)
{
    uint8_t sum[MST_SHA256_LEN];
    bson_iter_t it;

    if (!get_text(b, "db", ns->db, sizeof(ns->db)) ||
        !get_text(b, "coll", ns->coll, sizeof(ns->coll)) || !*ns->db || !*ns->coll ||
        !get_text(b, "type", ns->type, sizeof(ns->type)) || !parse_state(b, &ns->state) ||
        !get_sub(b, "options", false, false, &ns->options, &ns->options_len) ||
        !get_sub(b, "idIndex", false, true, &ns->id_index, &ns->id_index_len) ||
        !get_sub(b, "indexes", true, false, &ns->indexes, &ns->indexes_len) || !count_indexes(ns) ||
        !get_u64(b, "docs", INT64_MAX, &ns->documents) ||
        !get_u64(b, "data", INT64_MAX, &ns->data_bytes) ||
        !get_bin_of(b, "sum256", sum, MST_SHA256_LEN) || !parse_extents(b, ns, ext)) {
        return bad(err, "namespace");
    }
    mst_sum256_get(&ns->sum, sum);
    if (bson_iter_init_find(&it, b, "uuid")) {
        ns->has_uuid = true;
        if (!get_bin_of(b, "uuid", ns->uuid, MST_UUID_LEN)) {
            return bad(err, "UUID of a namespace");
        }
    }
    ns->problem = "";
    if (bson_iter_init_find(&it, b, "problem") && BSON_ITER_HOLDS_UTF8(&it)) {
        ns->problem = bson_iter_utf8(&it, NULL);
    }
    return MST_OK;
}

static enum mst_rc parse_end(const bson_t *b, struct mst_man_end *e, struct mst_err *err)
{
    if (!get_u32(b, "members", UINT32_MAX, &e->members) ||
        !get_u32(b, "objects", UINT32_MAX, &e->objects) ||
        !get_u32(b, "namespaces", UINT32_MAX, &e->namespaces) ||
        !get_u64(b, "docs", INT64_MAX, &e->documents) ||
        !get_u64(b, "data", INT64_MAX, &e->data_bytes) ||
        !get_u64(b, "bytes", INT64_MAX, &e->stored_bytes)) {
        return bad(err, "end");
    }
    return MST_OK;
}

static enum mst_rc parse_member(const bson_t *b, struct mst_man_rec *rec, struct mst_err *err)
{
    const uint8_t *p;
    uint32_t n;

    if (!get_sub(b, "facts", false, true, &p, &n) || !p || !bson_init_static(&rec->member, p, n)) {
        return bad(err, "member");
    }
    rec->kind = MST_MAN_MEMBER;
    return MST_OK;
}

enum mst_rc mst_man_parse(const uint8_t *p, uint32_t n, struct mst_man_rec *rec,
                          struct mst_buf *ext, struct mst_err *err)
{
    bson_t b;
    char kind[16];

    memset(rec, 0, sizeof(*rec));
    bson_init(&rec->member);
    if (!mst_bson_walk(p, n) || !bson_init_static(&b, p, n) ||
        !get_text(&b, "k", kind, sizeof(kind))) {
        return bad(err, "no kind");
    }
    if (strcmp(kind, "ns") == 0) {
        rec->kind = MST_MAN_NS;
        return parse_ns(&b, &rec->ns, ext, err);
    }
    if (strcmp(kind, "object") == 0) {
        rec->kind = MST_MAN_OBJECT;
        return parse_object(&b, &rec->object, err);
    }
    if (strcmp(kind, "member") == 0) {
        return parse_member(&b, rec, err);
    }
    if (strcmp(kind, "begin") == 0) {
        rec->kind = MST_MAN_BEGIN;
        return parse_begin(&b, &rec->begin, err);
    }
    if (strcmp(kind, "end") == 0) {
        rec->kind = MST_MAN_END;
        return parse_end(&b, &rec->end, err);
    }
    return bad(err, "unknown kind");
}

/* --- the stream ------------------------------------------------------------------------------- */

struct mst_manr {
    struct mst_segr *seg;
    struct mst_sha256 sha;
    bool check;
    uint8_t want[MST_SHA256_LEN];
    uint64_t want_bytes, seen_bytes;
    struct mst_buf ext;
    struct mst_man_end seen;
    enum mst_man_kind at;
    bool begun, ended;
};

static void tap(void *arg, const void *p, size_t n)
{
    struct mst_manr *r = arg;

    mst_sha256_add(&r->sha, p, n);
    r->seen_bytes += n;
}

/* It does not open: when it is not even as long as it was, that is what is said. */
static enum mst_rc right_size(const struct mst_man_where *at, struct mst_err *err)
{
    struct mst_err ignore = {0};
    uint64_t bytes;

    if (mst_store_stat(at->store, at->key, &bytes, &ignore) == MST_OK && bytes != at->bytes) {
        (void)mst_err_set(err, MST_E_INTEGRITY, "%s has %llu bytes, COMMIT says %llu", at->key,
                          (unsigned long long)bytes, (unsigned long long)at->bytes);
    }
    return err->rc;
}

enum mst_rc mst_manr_open(const struct mst_man_where *at, struct mst_manr **out,
                          struct mst_err *err)
{
    struct mst_segment_id id = {.role = MST_SEG_MANIFEST};
    struct mst_manr *r = mst_xcalloc(1, sizeof(*r));

    *out = NULL;
    if (at->backup) {
        (void)mst_copy(id.backup, sizeof(id.backup), at->backup);
        (void)mst_copy(id.attempt, sizeof(id.attempt), at->attempt);
    }
    if (mst_segr_open(at->store, at->key, at->backup ? &id : NULL, at->sealing, &r->seg, err) !=
        MST_OK) {
        free(r);
        return err->rc == MST_E_INTEGRITY && at->sha ? right_size(at, err) : err->rc;
    }
    mst_sha256_init(&r->sha);
    mst_segr_tap(r->seg, tap, r);
    if (at->sha) {
        r->check = true;
        memcpy(r->want, at->sha, MST_SHA256_LEN);
        r->want_bytes = at->bytes;
    }
    *out = r;
    return MST_OK;
}

/* The end record was read: nothing may follow, counts and hash must fit. */
static enum mst_rc finish(struct mst_manr *r, const struct mst_man_end *e, struct mst_err *err)
{
    const uint8_t *doc;
    uint32_t n;
    uint8_t sha[MST_SHA256_LEN];

    if (mst_segr_next(r->seg, &doc, &n, err) != MST_OK) {
        return err->rc;
    }
    if (doc) {
        return bad(err, "something after the end");
    }
    if (e->members != r->seen.members || e->objects != r->seen.objects ||
        e->namespaces != r->seen.namespaces || e->documents != r->seen.documents ||
        e->data_bytes != r->seen.data_bytes || e->stored_bytes != r->seen.stored_bytes) {
        return bad(err, "its end counts other records than it has");
    }
    mst_sha256_final(&r->sha, sha);
    if (r->check && (r->seen_bytes != r->want_bytes || memcmp(sha, r->want, sizeof(sha)) != 0)) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "the manifest's SHA-256 is not the one that COMMIT names");
    }
    r->ended = true;
    return MST_OK;
}

static enum mst_rc count(struct mst_manr *r, const struct mst_man_rec *rec, struct mst_err *err)
{
    if (rec->kind < r->at || (rec->kind == MST_MAN_BEGIN) == r->begun) {
        return bad(err, "out of order");
    }
    r->at = rec->kind;
    r->begun = true;
    switch (rec->kind) {
    case MST_MAN_MEMBER:
        r->seen.members++;
        break;
    case MST_MAN_OBJECT:
        r->seen.objects++;
        r->seen.stored_bytes += rec->object.bytes;
        break;
    case MST_MAN_NS:
        r->seen.namespaces++;
        r->seen.documents += rec->ns.documents;
        r->seen.data_bytes += rec->ns.data_bytes;
        for (uint32_t i = 0; i < rec->ns.n_extents; i++) {
            if (rec->ns.extents[i].object >= r->seen.objects) {
                return bad(err, "a piece in an object that is not listed");
            }
        }
        break;
    case MST_MAN_END:
        return finish(r, &rec->end, err);
    case MST_MAN_BEGIN:
    default:
        break;
    }
    if (r->seen.objects > MST_MANIFEST_OBJECTS_MAX || r->seen.namespaces > MST_MANIFEST_NS_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "the manifest has too many records");
    }
    return MST_OK;
}

enum mst_rc mst_manr_next(struct mst_manr *r, struct mst_man_rec *rec, struct mst_err *err)
{
    const uint8_t *doc;
    uint32_t n;

    MST_ASSERT(!r->ended);
    if (mst_segr_next(r->seg, &doc, &n, err) != MST_OK) {
        return err->rc;
    }
    if (!doc) {
        return mst_err_set(err, MST_E_INTEGRITY, "the manifest has no end: it is cut short");
    }
    if (mst_man_parse(doc, n, rec, &r->ext, err) != MST_OK) {
        return err->rc;
    }
    return count(r, rec, err);
}

void mst_manr_free(struct mst_manr *r)
{
    if (r) {
        mst_segr_free(r->seg);
        mst_sha256_release(&r->sha);
        mst_buf_release(&r->ext);
        free(r);
    }
}
