#include "base/mem.h"
#include "base/text.h"
#include "catalog/asleep.h"
#include "catalog/keyobj.h"
#include "cfg/tier.h"

#define LOOKS_MAX 100U /* of a detail: each is a request */

struct mst_bkr {
    struct mst_catalog c;
    struct mst_header header;
    struct mst_commit commit;
    uint8_t manifest_sha[MST_SHA256_LEN];
    const char *manifest; /* which copy is read */
    struct mst_man_object *objects;
    size_t n_objects, cap_objects;
    char note[200];
    struct mst_judgement judgement;
    struct mst_data_key key; /* of a sealed one */
    struct mst_sealing sealing;
};

/* --- opening ---------------------------------------------------------------------------------- */

static enum mst_rc small(const struct mst_catalog *c, const char *id, const char *attempt,
                         const char *name, struct mst_buf *buf, struct mst_err *err)
{
    char key[MST_KEY_MAX];

    mst_catalog_key(c, id, attempt, name, key);
    mst_buf_reset(buf);
    return mst_store_read_all(c->store, key, MST_HEADER_MAX, buf, err);
}

/* What stands there in its place. */
static enum mst_rc another_header(const struct mst_bkr *r, const struct mst_buf *buf,
                                  struct mst_err *err)
{
    struct mst_header h;
    struct mst_err why = {0};

    if (mst_header_get((const char *)buf->p, buf->len, &h, &why) == MST_OK) {
        (void)snprintf(why.msg, sizeof(why.msg), "is one of %.40s", h.id);
    }
    return mst_err_set(err, MST_E_INTEGRITY,
                       "the header of %s is not the one that COMMIT names: it has %zu of %llu "
                       "bytes and %.110s",
                       r->commit.id, buf->len, (unsigned long long)r->commit.header_bytes, why.msg);
}

static enum mst_rc read_clear(struct mst_bkr *r, const char *id, struct mst_buf *buf,
                              struct mst_err *err)
{
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    if (small(&r->c, id, "", "COMMIT", buf, err) != MST_OK) {
        return err->rc == MST_E_NOTFOUND
                   ? mst_err_set(err, MST_E_NOTFOUND, "%.64s has no COMMIT: it is no backup", id)
                   : err->rc;
    }
    if (mst_commit_get((const char *)buf->p, buf->len, &r->commit, err) != MST_OK) {
        mst_err_prefix(err, "the COMMIT of %s", id);
        return err->rc;
    }
    if (strcmp(r->commit.id, id) != 0 ||
        !mst_unhex(r->commit.manifest_sha, r->manifest_sha, MST_SHA256_LEN)) {
        return mst_err_set(err, MST_E_INTEGRITY, "the COMMIT of %s names the backup %s", id,
                           r->commit.id);
    }
    mst_trust_judge(r->c.trust, (const char *)buf->p, buf->len, r->commit.signer,
                    r->commit.signature, &r->judgement);
    if (small(&r->c, id, r->commit.attempt, "header", buf, err) != MST_OK) {
        err->rc = err->rc == MST_E_NOTFOUND ? MST_E_INTEGRITY : err->rc;
        return err->rc;
    }
    mst_sha256_of(buf->p, buf->len, sha);
    if (strcmp(mst_hex(sha, sizeof(sha), hex), r->commit.header_sha) != 0 ||
        buf->len != r->commit.header_bytes) {
        return another_header(r, buf, err);
    }
    if (mst_header_get((const char *)buf->p, buf->len, &r->header, err) != MST_OK) {
        mst_err_prefix(err, "the header of %s", id);
        return err->rc;
    }
    if (strcmp(r->header.id, id) != 0 || strcmp(r->header.attempt, r->commit.attempt) != 0 ||
        strcmp(r->header.set, r->c.set) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "the header of %s is of %s of the set %s", id,
                           r->header.id, r->header.set);
    }
    return MST_OK;
}

const struct mst_sealing *mst_bkr_sealing(const struct mst_bkr *r)
{
    return r->header.sealed ? &r->sealing : NULL;
}

enum mst_rc mst_bkr_manifest(const struct mst_bkr *r, const char *copy, struct mst_manr **out,
                             struct mst_err *err)
{
    char key[MST_KEY_MAX];
    const struct mst_man_where at = {.store = r->c.store,
                                     .key = key,
                                     .backup = r->header.id,
                                     .attempt = r->header.attempt,
                                     .sealing = mst_bkr_sealing(r),
                                     .sha = r->manifest_sha,
                                     .bytes = r->commit.manifest_bytes};

    mst_catalog_key(&r->c, r->header.id, r->header.attempt, copy, key);
    return mst_manr_open(&at, out, err);
}

static enum mst_rc fits(const struct mst_bkr *r, const struct mst_man_rec *rec, struct mst_err *err)
{
    const struct mst_header *h = &r->header;

    if (rec->kind == MST_MAN_BEGIN &&
        (strcmp(rec->begin.id, h->id) != 0 || strcmp(rec->begin.attempt, h->attempt) != 0 ||
         strcmp(rec->begin.set, h->set) != 0)) {
        return mst_err_set(err, MST_E_INTEGRITY, "the manifest is of %s of the set %s",
                           rec->begin.id, rec->begin.set);
    }
    if (rec->kind == MST_MAN_END &&
        (rec->end.objects != h->objects || rec->end.namespaces != h->namespaces ||
         rec->end.documents != h->documents || rec->end.data_bytes != h->data_bytes ||
         rec->end.stored_bytes != h->stored_bytes)) {
        return mst_err_set(err, MST_E_INTEGRITY, "header and manifest count differently");
    }
    return MST_OK;
}

static enum mst_rc read_table(struct mst_bkr *r, const char *copy, struct mst_task *task,
                              struct mst_err *err)
{
    struct mst_man_rec rec = {.kind = MST_MAN_BEGIN};
    struct mst_manr *m;
    enum mst_rc rc = mst_bkr_manifest(r, copy, &m, err);

    r->n_objects = 0;
    while (rc == MST_OK && rec.kind != MST_MAN_END) {
        rc = mst_task_check(task, err);
        rc = rc == MST_OK ? mst_manr_next(m, &rec, err) : rc;
        rc = rc == MST_OK ? fits(r, &rec, err) : rc;
        if (rc == MST_OK && rec.kind == MST_MAN_OBJECT) {
            mst_grow((void **)&r->objects, &r->cap_objects, r->n_objects + 1, sizeof(*r->objects));
            r->objects[r->n_objects++] = rec.object;
        }
    }
    mst_manr_free(m);
    if (rc == MST_OK) {
        r->manifest = copy;
    } else if (rc == MST_E_NOTFOUND || rc == MST_E_LIMIT) {
        rc = err->rc = MST_E_INTEGRITY;
    }
    return rc;
}

/* The data key, when there is one to be had. */
static enum mst_rc unseal(struct mst_bkr *r, struct mst_task *task, struct mst_err *err)
{
    if (!r->header.sealed) {
        return MST_OK;
    }
    r->sealing.key = &r->key;
    r->sealing.set = r->header.set;
    return mst_keyobj_open(&r->c, &r->header, task, &r->key, err);
}

static enum mst_rc read_manifest(struct mst_bkr *r, struct mst_task *task, struct mst_err *err)
{
    enum mst_rc rc = unseal(r, task, err);

    rc = rc == MST_OK ? read_table(r, "manifest", task, err) : rc;
    if (rc == MST_E_INTEGRITY && (!r->header.sealed || r->key.p)) {
        (void)snprintf(r->note, sizeof(r->note),
                       "the manifest is damaged, its copy is used: "
                       "%.140s",
                       err->msg);
        rc = read_table(r, "manifest.copy", task, err);
    }
    return rc;
}

enum mst_rc mst_bkr_open_clear(const struct mst_catalog *c, const char *id, struct mst_task *task,
                               struct mst_bkr **out, struct mst_err *err)
{
    struct mst_bkr *r = mst_xcalloc(1, sizeof(*r));
    struct mst_buf buf = {0};
    struct mst_backup latest;
    enum mst_rc rc = MST_OK;

    *out = NULL;
    r->c = *c;
    if (strcmp(id, "latest") == 0) {
        rc = mst_catalog_find(c, id, task, &latest, err);
        id = latest.id;
    } else if (!mst_catalog_id_ok(id, NULL, NULL)) {
        rc = mst_err_set(err, MST_E_NOTFOUND, "'%.64s' is not the id of a backup", id);
    }
    if (rc == MST_OK) {
        rc = read_clear(r, id, &buf, err);
    }
    mst_buf_release(&buf);
    if (rc != MST_OK) {
        mst_bkr_free(r);
        return rc;
    }
    *out = r;
    return MST_OK;
}

enum mst_rc mst_bkr_open(const struct mst_catalog *c, const char *id, struct mst_task *task,
                         struct mst_bkr **out, struct mst_err *err)
{
    struct mst_bkr *r;

    *out = NULL;
    if (mst_bkr_open_clear(c, id, task, &r, err) != MST_OK) {
        return err->rc;
    }
    if (read_manifest(r, task, err) != MST_OK) {
        mst_bkr_free(r);
        return err->rc;
    }
    *out = r;
    return MST_OK;
}

void mst_bkr_free(struct mst_bkr *r)
{
    if (r) {
        mst_data_key_release(&r->key);
        free(r->objects);
        free(r);
    }
}

const struct mst_judgement *mst_bkr_judgement(const struct mst_bkr *r)
{
    return &r->judgement;
}

const struct mst_header *mst_bkr_header(const struct mst_bkr *r)
{
    return &r->header;
}

const struct mst_commit *mst_bkr_commit(const struct mst_bkr *r)
{
    return &r->commit;
}

const char *mst_bkr_note(const struct mst_bkr *r)
{
    return r->note;
}

size_t mst_bkr_objects(const struct mst_bkr *r, const struct mst_man_object **objects)
{
    *objects = r->objects;
    return r->n_objects;
}

void mst_bkr_object_key(const struct mst_bkr *r, uint32_t object, char out[MST_KEY_MAX])
{
    MST_ASSERT(object < r->n_objects);
    mst_catalog_key(&r->c, r->header.id, r->header.attempt, r->objects[object].key, out);
}

enum mst_rc mst_bkr_each_ns(struct mst_bkr *r, mst_ns_fn *fn, void *arg, struct mst_task *task,
                            struct mst_err *err)
{
    struct mst_man_rec rec = {.kind = MST_MAN_BEGIN};
    struct mst_manr *m;
    enum mst_rc rc = mst_bkr_manifest(r, r->manifest, &m, err);

    while (rc == MST_OK && rec.kind != MST_MAN_END) {
        rc = mst_task_check(task, err);
        rc = rc == MST_OK ? mst_manr_next(m, &rec, err) : rc;
        if (rc == MST_OK && rec.kind == MST_MAN_NS) {
            rc = fn(arg, &rec.ns, err);
        }
    }
    mst_manr_free(m);
    return rc;
}

enum mst_rc mst_bkr_each_member(struct mst_bkr *r, mst_member_fn *fn, void *arg,
                                struct mst_err *err)
{
    struct mst_man_rec rec = {.kind = MST_MAN_BEGIN};
    struct mst_manr *m;
    enum mst_rc rc = mst_bkr_manifest(r, r->manifest, &m, err);

    while (rc == MST_OK && rec.kind <= MST_MAN_MEMBER) {
        rc = mst_manr_next(m, &rec, err);
        if (rc == MST_OK && rec.kind == MST_MAN_MEMBER) {
            rc = fn(arg, &rec.member, err);
        }
    }
    mst_manr_free(m);
    return rc;
}

/* --- documents -------------------------------------------------------------------------------- */

struct mst_docs {
    struct mst_bkr *r;
    struct mst_extent *extents; /* NULL: the oplog's objects */
    size_t n, at;
    struct mst_segr *seg;
};

enum mst_rc mst_docs_open_extents(struct mst_bkr *r, const struct mst_extent *extents, size_t n,
                                  struct mst_docs **out, struct mst_err *err)
{
    struct mst_docs *d;

    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct mst_extent *e = &extents[i];

        if (e->object >= r->n_objects || r->objects[e->object].role != MST_SEG_DATA ||
            e->offset > r->objects[e->object].bytes ||
            e->stored_bytes > r->objects[e->object].bytes - e->offset) {
            return mst_err_set(err, MST_E_INTEGRITY,
                               "the manifest of %s names a piece outside of its object",
                               r->header.id);
        }
    }
    d = mst_xcalloc(1, sizeof(*d));
    d->r = r;
    d->n = n;
    d->extents = mst_xmemdup(extents ? (const void *)extents : "", n * sizeof(*extents));
    *out = d;
    return MST_OK;
}

enum mst_rc mst_docs_open_oplog(struct mst_bkr *r, struct mst_docs **out, struct mst_err *err)
{
    struct mst_docs *d = mst_xcalloc(1, sizeof(*d));

    (void)err;
    d->r = r;
    d->n = r->n_objects;
    *out = d;
    return MST_OK;
}

static enum mst_rc open_next(struct mst_docs *d, bool *end, struct mst_err *err)
{
    struct mst_segment_id id = {0};
    char key[MST_KEY_MAX];
    uint32_t object;
    enum mst_rc rc;

    while (!d->extents && d->at < d->n && d->r->objects[d->at].role != MST_SEG_OPLOG) {
        d->at++;
    }
    *end = d->at >= d->n;
    if (*end) {
        return MST_OK;
    }
    object = d->extents ? d->extents[d->at].object : (uint32_t)d->at;
    id.role = d->r->objects[object].role;
    id.number = d->r->objects[object].number;
    id.part = d->r->objects[object].part;
    (void)mst_copy(id.backup, sizeof(id.backup), d->r->header.id);
    (void)mst_copy(id.attempt, sizeof(id.attempt), d->r->header.attempt);
    mst_bkr_object_key(d->r, object, key);
    rc = d->extents ? mst_segr_open_extent(d->r->c.store, key, &id, &d->extents[d->at],
                                           mst_bkr_sealing(d->r), &d->seg, err)
                    : mst_segr_open(d->r->c.store, key, &id, mst_bkr_sealing(d->r), &d->seg, err);
    if (rc != MST_OK) {
        return err->rc = rc == MST_E_NOTFOUND ? MST_E_INTEGRITY : rc;
    }
    d->at++;
    return MST_OK;
}

enum mst_rc mst_docs_next(struct mst_docs *d, const uint8_t **doc, uint32_t *n, struct mst_err *err)
{
    *doc = NULL;
    *n = 0;
    for (;;) {
        bool end;

        if (!d->seg) {
            if (open_next(d, &end, err) != MST_OK) {
                return err->rc;
            }
            if (end) {
                return MST_OK;
            }
        }
        if (mst_segr_next(d->seg, doc, n, err) != MST_OK || *doc) {
            return *doc ? MST_OK : err->rc;
        }
        mst_segr_free(d->seg);
        d->seg = NULL;
    }
}

void mst_docs_free(struct mst_docs *d)
{
    if (d) {
        mst_segr_free(d->seg);
        free(d->extents);
        free(d);
    }
}

/* --- detail ----------------------------------------------------------------------------------- */

struct detail {
    struct mst_backup_ns *ns;
    size_t n, cap;
    struct mst_object *objects;
    size_t n_objects, cap_objects;
    size_t skip;
};

static enum mst_rc add_ns(void *arg, const struct mst_man_ns *ns, struct mst_err *err)
{
    struct detail *d = arg;
    struct mst_backup_ns *o;
    char name[384];

    (void)err;
    mst_grow((void **)&d->ns, &d->cap, d->n + 1, sizeof(*d->ns));
    o = &d->ns[d->n++];
    memset(o, 0, sizeof(*o));
    (void)snprintf(name, sizeof(name), "%s.%s", ns->db, ns->coll);
    mst_text_clean(o->ns, sizeof(o->ns), name, strlen(name));
    mst_text_clean(o->type, sizeof(o->type), ns->type, strlen(ns->type));
    o->documents = ns->documents;
    o->data_bytes = ns->data_bytes;
    o->indexes = ns->n_indexes;
    o->left_out = ns->state == MST_NS_LEFT_OUT;
    return MST_OK;
}

static bool add_object(void *arg, const struct mst_store_item *item)
{
    struct detail *d = arg;
    struct mst_object *o;
    const char *key = item->key + d->skip;

    mst_grow((void **)&d->objects, &d->cap_objects, d->n_objects + 1, sizeof(*d->objects));
    o = &d->objects[d->n_objects++];
    memset(o, 0, sizeof(*o));
    mst_text_clean(o->key, sizeof(o->key), key, strlen(key));
    o->bytes = item->bytes;
    o->modified_wall_ms = item->modified_wall_ms;
    mst_text_clean(o->storage_class, sizeof(o->storage_class), item->storage_class,
                   strlen(item->storage_class));
    return d->n_objects < MST_MANIFEST_OBJECTS_MAX;
}

/* Of those that may be asleep, as many as one looks at while somebody waits. */
static enum mst_rc look_at_objects(const struct mst_catalog *c, struct detail *d,
                                   struct mst_task *task, struct mst_err *err)
{
    unsigned looks = 0;

    for (size_t i = 0; i < d->n_objects; i++) {
        struct mst_object *o = &d->objects[i];
        struct mst_store_info info;
        char key[MST_KEY_MAX];

        o->asked = !mst_tier_may_sleep(o->storage_class);
        (void)snprintf(key, sizeof(key), "%s/%s", c->base, o->key);
        if (o->asked || looks == LOOKS_MAX || !mst_store_key_ok(key)) {
            continue;
        }
        looks++;
        if (mst_task_check(task, err) != MST_OK ||
            mst_store_info(c->store, key, &info, err) != MST_OK) {
            return err->rc;
        }
        o->asked = true;
        o->archived = info.archived;
        o->thawing = info.thawing;
        o->thawed_until_ms = info.thawed_until_ms;
    }
    return MST_OK;
}

enum mst_rc mst_catalog_detail(const struct mst_catalog *c, const char *id, struct mst_task *task,
                               struct mst_backup_ns **ns, size_t *n_ns, struct mst_object **objects,
                               size_t *n_objects, struct mst_err *err)
{
    struct detail d = {.skip = strlen(c->base) + 1};
    struct mst_bkr *r = NULL;
    struct mst_backup b;
    char root[MST_KEY_MAX];
    enum mst_rc rc = mst_catalog_find(c, id, task, &b, err);

    if (rc == MST_OK) {
        mst_catalog_key(c, b.id, "", "", root);
        rc = mst_store_list(c->store, root, add_object, &d, task, err);
    }
    if (rc == MST_OK && b.state != MST_BK_INCOMPLETE && b.state != MST_BK_FOREIGN) {
        rc = look_at_objects(c, &d, task, err);
        rc = rc == MST_OK ? mst_bkr_open(c, b.id, task, &r, err) : rc;
        rc = rc == MST_OK ? mst_bkr_each_ns(r, add_ns, &d, task, err) : rc;
        rc = rc == MST_OK ? rc : mst_catalog_fell_asleep(c, b.id, task, err);
    }
    mst_bkr_free(r);
    *ns = d.ns;
    *n_ns = d.n;
    *objects = d.objects;
    *n_objects = d.n_objects;
    return rc;
}
