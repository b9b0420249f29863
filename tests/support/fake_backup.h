/* fake_backup.h: a small committed backup made through the format's own writers, for tests that
 * need one without a replica set. Three collections (one empty, one of 300 documents over several
 * frames, one of 40), a view, and an oplog of five entries. */
#ifndef FAKE_BACKUP_H
#define FAKE_BACKUP_H

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "catalog/keyobj.h"
#include "catalog/sums.h"
#include "catalog/verify.h"

#define FAKE_ATTEMPT "00112233445566aa"

struct fake {
    struct mst_catalog c;
    char id[MST_ID_MAX];
    uint32_t left_out;
    bool wrong_sum;                    /* the manifest's, of the small collection */
    const struct mst_readers *readers; /* who may read it; NULL: not sealed */
    struct mst_data_key key;
    struct mst_sealing with;
    const struct mst_sealing *sealing; /* NULL or with */
    uint64_t counter;                  /* of its COMMIT; f->c.signer signs */
    char previous[MST_SHA256_HEX];
    char sha_commit[MST_SHA256_HEX]; /* of the COMMIT that was made */
    struct mst_man_object objects[2];
    struct mst_extent big, small;
    struct mst_sum256 sum_big, sum_small;
    struct mst_sha256 sha;
};

static inline void fake_optime(struct mst_optime *o, uint32_t i)
{
    o->ts.t = 1795389511;
    o->ts.i = i;
    o->term = 1;
}

static inline enum mst_rc fake_docs(struct mst_segw *w, int from, int n, size_t pad,
                                    struct mst_extent *e, struct mst_sum256 *sum,
                                    struct mst_err *err)
{
    char *text = mst_xcalloc(1, pad + 1);
    enum mst_rc rc = MST_OK;

    memset(text, 'x', pad);
    memset(e, 0, sizeof(*e));
    memset(sum, 0, sizeof(*sum));
    e->offset = mst_segw_offset(w);
    for (int i = from; rc == MST_OK && i < from + n; i++) {
        bson_t b = BSON_INITIALIZER;
        uint8_t digest[MST_SHA256_LEN];

        BSON_APPEND_INT32(&b, "_id", i);
        BSON_APPEND_UTF8(&b, "pad", text);
        mst_sha256_of(bson_get_data(&b), b.len, digest);
        mst_sum256_add(sum, digest);
        e->documents++;
        e->data_bytes += b.len;
        rc = mst_segw_add(w, bson_get_data(&b), b.len, err);
        bson_destroy(&b);
    }
    free(text);
    rc = rc == MST_OK ? mst_segw_cut(w, err) : rc;
    e->stored_bytes = mst_segw_offset(w) - e->offset;
    return rc;
}

static inline enum mst_rc fake_segment(struct fake *f, enum mst_segment_role role, const char *name,
                                       struct mst_segw **w, struct mst_err *err)
{
    struct mst_segment_id id = {.role = role};
    struct mst_man_object *o = &f->objects[role - 1];
    char key[MST_KEY_MAX];

    (void)mst_copy(id.backup, sizeof(id.backup), f->id);
    (void)mst_copy(id.attempt, sizeof(id.attempt), FAKE_ATTEMPT);
    (void)mst_copy(o->key, sizeof(o->key), name);
    o->role = role;
    mst_catalog_key(&f->c, f->id, FAKE_ATTEMPT, name, key);
    return mst_segw_open(f->c.store, key, &id, f->sealing, w, err);
}

static inline enum mst_rc fake_data(struct fake *f, struct mst_err *err)
{
    struct mst_man_object *o = &f->objects[0];
    struct mst_segw *w = NULL;
    enum mst_rc rc = fake_segment(f, MST_SEG_DATA, "d/0000-0", &w, err);

    rc = rc == MST_OK ? fake_docs(w, 0, 300, 9000, &f->big, &f->sum_big, err) : rc;
    rc = rc == MST_OK ? fake_docs(w, 1000, 40, 10, &f->small, &f->sum_small, err) : rc;
    if (rc != MST_OK) {
        mst_segw_abort_take(w);
        return rc;
    }
    o->data_bytes = f->big.data_bytes + f->small.data_bytes;
    o->documents = 340;
    return mst_segw_finish_take(w, &o->bytes, o->sha, err);
}

static inline enum mst_rc fake_oplog(struct fake *f, struct mst_err *err)
{
    struct mst_man_object *o = &f->objects[1];
    struct mst_segw *w = NULL;
    enum mst_rc rc = fake_segment(f, MST_SEG_OPLOG, "oplog-0000", &w, err);

    for (uint32_t i = 1; rc == MST_OK && i <= 5; i++) {
        bson_t b = BSON_INITIALIZER, sub;

        BSON_APPEND_TIMESTAMP(&b, "ts", 1795389511, i);
        BSON_APPEND_INT64(&b, "t", 1);
        BSON_APPEND_INT32(&b, "v", 2);
        BSON_APPEND_UTF8(&b, "op", "n");
        BSON_APPEND_UTF8(&b, "ns", "");
        BSON_APPEND_DOCUMENT_BEGIN(&b, "o", &sub);
        BSON_APPEND_UTF8(&sub, "msg", "periodic noop");
        bson_append_document_end(&b, &sub);
        o->documents++;
        o->data_bytes += b.len;
        rc = mst_segw_add(w, bson_get_data(&b), b.len, err);
        bson_destroy(&b);
    }
    if (rc != MST_OK) {
        mst_segw_abort_take(w);
        return rc;
    }
    fake_optime(&o->first, 1);
    fake_optime(&o->last, 5);
    return mst_segw_finish_take(w, &o->bytes, o->sha, err);
}

static inline enum mst_rc fake_ns(struct mst_manw *m, const char *coll, enum mst_ns_state state,
                                  const struct mst_extent *e, const struct mst_sum256 *sum,
                                  struct mst_err *err)
{
    static const uint8_t empty[5] = {5};
    struct mst_man_ns ns = {.state = state,
                            .options = empty,
                            .options_len = 5,
                            .indexes = empty,
                            .indexes_len = 5,
                            .has_uuid = state != MST_NS_VIEW};

    (void)mst_copy(ns.db, sizeof(ns.db), "shop");
    (void)mst_copy(ns.coll, sizeof(ns.coll), coll);
    (void)mst_copy(ns.type, sizeof(ns.type), state == MST_NS_VIEW ? "view" : "collection");
    memset(ns.uuid, coll[0], sizeof(ns.uuid));
    if (e) {
        ns.n_extents = 1;
        ns.extents = e;
        ns.documents = e->documents;
        ns.data_bytes = e->data_bytes;
        ns.sum = *sum;
    }
    return mst_manw_ns(m, &ns, err);
}

static inline enum mst_rc fake_manifest(struct fake *f, const char *name, struct mst_header *h,
                                        struct mst_commit *c, struct mst_err *err)
{
    struct mst_man_begin b = {.kind = "full", .attempt = FAKE_ATTEMPT};
    struct mst_man_end end;
    struct mst_manw *m = NULL;
    bson_t facts = BSON_INITIALIZER;
    char key[MST_KEY_MAX];
    uint8_t sha[MST_SHA256_LEN];
    enum mst_rc rc;

    (void)mst_copy(b.id, sizeof(b.id), f->id);
    (void)mst_copy(b.set, sizeof(b.set), f->c.set);
    mst_catalog_key(&f->c, f->id, FAKE_ATTEMPT, name, key);
    BSON_APPEND_UTF8(&facts, "name", "db1:27017");
    rc = mst_manw_open(f->c.store, key, &b, f->sealing, &m, err);
    rc = rc == MST_OK ? mst_manw_member(m, &facts, err) : rc;
    rc = rc == MST_OK ? mst_manw_object(m, &f->objects[0], err) : rc;
    rc = rc == MST_OK ? mst_manw_object(m, &f->objects[1], err) : rc;
    rc = rc == MST_OK ? fake_ns(m, "big", MST_NS_SCANNED, &f->big, &f->sum_big, err) : rc;
    rc = rc == MST_OK
             ? fake_ns(m, "none", f->left_out ? MST_NS_LEFT_OUT : MST_NS_SCANNED, NULL, NULL, err)
             : rc;
    rc = rc == MST_OK ? fake_ns(m, "small", MST_NS_SCANNED, &f->small, &f->sum_small, err) : rc;
    rc = rc == MST_OK ? fake_ns(m, "view", MST_NS_VIEW, NULL, NULL, err) : rc;
    bson_destroy(&facts);
    if (rc != MST_OK) {
        mst_manw_abort_take(m);
        return rc;
    }
    rc = mst_manw_finish_take(m, &c->manifest_bytes, sha, &end, err);
    (void)mst_hex(sha, sizeof(sha), c->manifest_sha);
    h->objects = end.objects;
    h->namespaces = end.namespaces;
    h->documents = end.documents;
    h->data_bytes = end.data_bytes;
    h->stored_bytes = end.stored_bytes;
    return rc;
}

/* The second copy is the first one's bytes: sealed again they would be others. */
static inline enum mst_rc fake_copy(struct fake *f, struct mst_err *err)
{
    struct mst_buf b = {0};
    char from[MST_KEY_MAX], to[MST_KEY_MAX];
    enum mst_rc rc;

    mst_catalog_key(&f->c, f->id, FAKE_ATTEMPT, "manifest", from);
    mst_catalog_key(&f->c, f->id, FAKE_ATTEMPT, "manifest.copy", to);
    rc = mst_store_read_all(f->c.store, from, 1 << 20, &b, err);
    rc = rc == MST_OK ? mst_store_put_all(f->c.store, to, b.p, b.len, err) : rc;
    mst_buf_release(&b);
    return rc;
}

static inline enum mst_rc fake_seal(struct fake *f, struct mst_header *h, struct mst_err *err)
{
    f->sealing = NULL;
    if (!f->readers) {
        return MST_OK;
    }
    mst_data_key_release(&f->key);
    if (mst_keyobj_make(&f->c, f->id, FAKE_ATTEMPT, f->readers, &f->key, err) != MST_OK) {
        return err->rc;
    }
    h->sealed = true;
    mst_data_key_id(&f->key, h->key_id);
    f->with.key = &f->key;
    f->with.set = f->c.set;
    f->sealing = &f->with;
    return MST_OK;
}

static inline enum mst_rc fake_sums(struct fake *f, struct mst_header *h, struct mst_err *err)
{
    struct mst_str s = {0};
    uint8_t sha[MST_SHA256_LEN];
    char key[MST_KEY_MAX];
    enum mst_rc rc;

    if (!h->sealed) {
        return MST_OK;
    }
    mst_sums_put(f->objects, 2, &s);
    mst_sha256_of(s.p, s.len, sha);
    (void)mst_hex(sha, sizeof(sha), h->sums_sha);
    h->sums_bytes = s.len;
    mst_catalog_key(&f->c, f->id, FAKE_ATTEMPT, "sums", key);
    rc = mst_store_put_all(f->c.store, key, s.p, s.len, err);
    mst_str_release(&s);
    return rc;
}

static inline enum mst_rc fake_clear(struct fake *f, const struct mst_header *h,
                                     struct mst_commit *c, struct mst_err *err)
{
    struct mst_str s = {0};
    char key[MST_KEY_MAX];
    uint8_t sha[MST_SHA256_LEN];
    enum mst_rc rc;

    mst_header_put(h, &s);
    mst_sha256_of(s.p, s.len, sha);
    (void)mst_hex(sha, sizeof(sha), c->header_sha);
    c->header_bytes = s.len;
    mst_catalog_key(&f->c, f->id, FAKE_ATTEMPT, "header", key);
    rc = mst_store_put_all(f->c.store, key, s.p, s.len, err);
    (void)mst_copy(c->id, sizeof(c->id), f->id);
    (void)mst_copy(c->previous, sizeof(c->previous), f->previous);
    c->counter = f->counter;
    c->committed_wall_ms = 1795389522000;
    rc = rc == MST_OK ? mst_commit_put(c, f->c.signer, &s, err) : rc;
    if (rc == MST_OK) {
        mst_sha256_of(s.p, s.len, sha);
        (void)mst_hex(sha, sizeof(sha), f->sha_commit);
        mst_catalog_key(&f->c, f->id, "", "COMMIT", key);
        rc = mst_store_put_all(f->c.store, key, s.p, s.len, err);
    }
    mst_str_release(&s);
    return rc;
}

/* Every step through f->c.store; the first failure ends it, as a run would end. */
static inline enum mst_rc fake_make(struct fake *f, struct mst_err *err)
{
    struct mst_header h = {.kind = "full",
                           .attempt = FAKE_ATTEMPT,
                           .muster = "0.1.0",
                           .source = "db1:27017",
                           .server_version = "4.2.8",
                           .fcv = "4.2",
                           .point_proof = "majority",
                           .oplog_entries = 5};
    struct mst_commit c = {.attempt = FAKE_ATTEMPT};
    enum mst_rc rc;

    memset(f->objects, 0, sizeof(f->objects));
    (void)mst_copy(h.id, sizeof(h.id), f->id);
    (void)mst_copy(h.set, sizeof(h.set), f->c.set);
    h.left_out = f->left_out;
    h.started_wall_ms = 1795389511000;
    h.finished_wall_ms = 1795389521000;
    fake_optime(&h.first, 1);
    fake_optime(&h.apply, 2);
    fake_optime(&h.last, 5);
    rc = fake_seal(f, &h, err);
    rc = rc == MST_OK ? fake_data(f, err) : rc;
    rc = rc == MST_OK ? fake_oplog(f, err) : rc;
    if (f->wrong_sum) {
        mst_sum256_add(&f->sum_small, (const uint8_t[MST_SHA256_LEN]){1});
    }
    rc = rc == MST_OK ? fake_manifest(f, "manifest", &h, &c, err) : rc;
    rc = rc == MST_OK ? fake_copy(f, err) : rc;
    rc = rc == MST_OK ? fake_sums(f, &h, err) : rc;
    rc = rc == MST_OK ? fake_clear(f, &h, &c, err) : rc;
    mst_data_key_release(&f->key);
    return rc;
}

static inline int fake_rm_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}
static inline void fake_rm(const char *path)
{
    (void)nftw(path, fake_rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
