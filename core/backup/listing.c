/* Databases, collections, options and indexes. Definitions go to a file without a name, so that
 * memory holds a few hundred bytes for each namespace however large its options are. */
#include "backup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

/* --- spool ------------------------------------------------------------------------------------ */

static enum mst_rc spool_fail(struct mst_err *err)
{
    char why[128];

    return mst_err_set_detail(err, MST_E_IO, errno, "cannot spool the listing: %s",
                              mst_errno_text(errno, why, sizeof(why)));
}

static enum mst_rc spool_open(struct run *r, struct mst_err *err)
{
    const char *dir = r->o->scratch_dir ? r->o->scratch_dir : "/tmp";
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        char *path = mst_xasprintf("%s/muster-list-XXXXXX", dir);

        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0) {
            (void)unlink(path);
        }
        free(path);
    }
    r->spool = fd >= 0 ? fdopen(fd, "w+") : NULL;
    if (!r->spool) {
        (void)spool_fail(err);
        mst_err_prefix(err, "%s", dir);
        if (fd >= 0) {
            (void)close(fd);
        }
        return err->rc;
    }
    return MST_OK;
}

static bool spool_put(FILE *f, const bson_t *b)
{
    uint8_t n[4];

    mst_put_le32(n, b ? b->len : 0);
    return fwrite(n, 1, 4, f) == 4 && (!b || fwrite(bson_get_data(b), 1, b->len, f) == b->len);
}

static bool spool_get(FILE *f, struct mst_buf *out)
{
    uint8_t n[4];

    mst_buf_reset(out);
    if (fread(n, 1, 4, f) != 4 || mst_le32(n) > MST_DOC_MAX) {
        return false;
    }
    out->len = mst_le32(n);
    mst_buf_reset(out);
    (void)mst_buf_room(out, mst_le32(n) + 1U);
    out->len = mst_le32(n);
    return fread(out->p, 1, out->len, f) == out->len;
}

/* --- one collection --------------------------------------------------------------------------- */

static const char *raw_text(const bson_t *b, const char *name)
{
    bson_iter_t it;

    return bson_iter_init_find(&it, b, name) && BSON_ITER_HOLDS_UTF8(&it)
               ? bson_iter_utf8(&it, NULL)
               : NULL;
}

/* By UUID, so that a rename in between cannot give another collection's indexes; by name where the
 * server or the user's rights refuse that. *gone when the collection is. */
static enum mst_rc open_indexes(struct run *r, const struct entry *e, struct mst_cursor **cur,
                                bool *gone, struct mst_err *err)
{
    enum mst_rc rc = MST_E_SERVER;

    *gone = false;
    for (int by_name = e->has_uuid ? 0 : 1; by_name < 2 && rc != MST_OK; by_name++) {
        bson_t cmd = BSON_INITIALIZER;

        if (by_name) {
            BSON_APPEND_UTF8(&cmd, "listIndexes", e->coll);
        } else {
            BSON_APPEND_BINARY(&cmd, "listIndexes", BSON_SUBTYPE_UUID, e->uuid, MST_UUID_LEN);
        }
        rc = mst_cursor_open(r->control, e->db, &cmd, CMD_MS, cur, err);
        bson_destroy(&cmd);
        if (rc != MST_OK && err->detail == MST_SC_NS_NOT_FOUND) {
            *gone = true;
            return MST_OK;
        }
        if (rc == MST_E_NET || rc == MST_E_TIMEOUT || rc == MST_E_CANCELLED) {
            return rc;
        }
    }
    return rc;
}

static enum mst_rc list_indexes(struct run *r, struct entry *e, bson_t *out, struct mst_err *err)
{
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    bool gone;
    uint32_t n = 0;
    enum mst_rc rc = open_indexes(r, e, &cur, &gone, err);

    if (rc == MST_OK && gone) {
        e->state = MST_NS_DROPPED;
        return MST_OK;
    }
    while (rc == MST_OK && (rc = mst_cursor_next(cur, &doc, err)) == MST_OK && doc) {
        char key[16];

        (void)snprintf(key, sizeof(key), "%u", n++);
        BSON_APPEND_DOCUMENT(out, key, doc);
    }
    mst_cursor_free(cur);
    if (rc == MST_E_SERVER && err->detail == MST_SC_NS_NOT_FOUND) {
        e->state = MST_NS_DROPPED;
        return MST_OK;
    }
    if (rc != MST_OK) {
        mst_err_prefix(err, "the indexes of %s.%s", e->db, e->coll);
    }
    return rc;
}

static enum mst_rc add_entry(struct run *r, struct entry *e, const bson_t *info,
                             struct mst_err *err)
{
    bson_t options = BSON_INITIALIZER, id_index, indexes = BSON_INITIALIZER, view;
    bool has_id;
    enum mst_rc rc = MST_OK;

    if (mst_bson_doc(info, "options", &view)) {
        bson_destroy(&options);
        bson_copy_to(&view, &options);
    }
    has_id = mst_bson_doc(info, "idIndex", &id_index);
    if (e->state == MST_NS_SCANNED) {
        rc = list_indexes(r, e, &indexes, err);
    }
    if (rc == MST_OK) {
        e->spool = ftell(r->spool);
        if (e->spool < 0 || !spool_put(r->spool, &options) ||
            !spool_put(r->spool, has_id ? &id_index : NULL) || !spool_put(r->spool, &indexes)) {
            rc = spool_fail(err);
        }
    }
    bson_destroy(&options);
    bson_destroy(&indexes);
    if (rc == MST_OK) {
        mst_grow((void **)&r->ns, &r->cap_ns, r->n_ns + 1, sizeof(*r->ns));
        r->ns[r->n_ns++] = *e;
        if (e->has_uuid) {
            uuids_add(&r->listed, e->uuid);
        }
        if (e->state == MST_NS_LEFT_OUT) {
            r->h.left_out++;
        }
    }
    return rc;
}

static enum mst_rc fatal_ns(const char *ns, const char *why, struct mst_err *err)
{
    char name[256];

    mst_text_clean(name, sizeof(name), ns, strlen(ns));
    return mst_err_set(err, MST_E_PRECOND,
                       "%s: %s; leave it out by name (--exclude %s) and the backup is PARTIAL",
                       name, why, name);
}

/* What becomes of it; *skip when it is not part of the backup at all. */
static enum mst_rc decide(struct run *r, const char *ns, const bson_t *info, struct entry *e,
                          bool *skip, struct mst_err *err)
{
    const struct mst_oplog_rule *rule = mst_oplog_judge_ns(ns);
    const char *coll = strchr(ns, '.') + 1;

    *skip = false;
    e->state = MST_NS_SCANNED;
    if (strncmp(coll, "system.buckets.", 15) == 0) {
        *skip = true; /* its time series collection speaks for it */
    } else if (mst_oplog_own_name(coll, NULL, NULL) != MST_OWN_NOT ||
               rule->fate == MST_FATE_SKIPPED || rule->fate == MST_FATE_TRANSLATED) {
        r->skipped++;
        *skip = true;
    } else if (run_left_out(r, ns)) {
        e->state = MST_NS_LEFT_OUT;
    } else if (strcmp(e->type, "view") == 0) {
        e->state = MST_NS_VIEW;
    } else if (strcmp(e->type, "collection") != 0) {
        return fatal_ns(ns,
                        strcmp(e->type, "timeseries") == 0
                            ? "time series are not carried by this version"
                            : "this version does not know this type of collection",
                        err);
    } else if (rule->fate == MST_FATE_FATAL) {
        return fatal_ns(ns, rule->why, err);
    } else if (mst_bson_bool(info, "info.readOnly", false)) {
        mst_task_log(r->outer, "%s is read-only", ns);
    }
    return MST_OK;
}

static enum mst_rc take(struct run *r, const char *db, const bson_t *info, struct mst_err *err)
{
    const char *coll = raw_text(info, "name"), *type = raw_text(info, "type");
    struct entry e = {0};
    char ns[64 + 256 + 2];
    bool skip;
    enum mst_rc rc;

    if (!coll || !*coll || strlen(coll) >= 256) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "the listing of %s has a collection without a name", db);
    }
    (void)snprintf(ns, sizeof(ns), "%s.%s", db, coll);
    (void)mst_copy(e.type, sizeof(e.type), type ? type : "collection");
    rc = decide(r, ns, info, &e, &skip, err);
    if (rc != MST_OK || skip) {
        return rc;
    }
    e.has_uuid = uuid_of(info, "info.uuid", e.uuid);
    if (e.has_uuid && uuids_has(&r->listed, e.uuid)) {
        return MST_OK; /* renamed while the list was read: the oplog has the rename */
    }
    if (r->n_ns >= MST_MANIFEST_NS_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "more than %u collections", MST_MANIFEST_NS_MAX);
    }
    e.db = mst_xstrdup(db);
    e.coll = mst_xstrdup(coll);
    rc = add_entry(r, &e, info, err);
    if (rc != MST_OK) {
        free(e.db);
        free(e.coll);
    }
    return rc;
}

/* --- databases -------------------------------------------------------------------------------- */

struct infos { /* one database's list, copied: listIndexes runs on the same connection */
    bson_t **v;
    size_t n, cap;
};

static enum mst_rc list_db(struct run *r, const char *db, struct mst_err *err)
{
    struct infos all = {0};
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    bson_t cmd = BSON_INITIALIZER;
    enum mst_rc rc;

    BSON_APPEND_INT32(&cmd, "listCollections", 1);
    rc = mst_cursor_open(r->control, db, &cmd, CMD_MS, &cur, err);
    bson_destroy(&cmd);
    while (rc == MST_OK && (rc = mst_cursor_next(cur, &doc, err)) == MST_OK && doc) {
        mst_grow((void **)&all.v, &all.cap, all.n + 1, sizeof(*all.v));
        all.v[all.n++] = bson_copy(doc);
    }
    mst_cursor_free(cur);
    if (rc != MST_OK) {
        mst_err_prefix(err, "the collections of %s", db);
    }
    for (size_t i = 0; i < all.n; i++) {
        if (rc == MST_OK) {
            rc = run_stopped(r) ? mst_task_check(&r->task, err) : MST_OK;
        }
        if (rc == MST_OK) {
            rc = take(r, db, all.v[i], err);
        }
        bson_destroy(all.v[i]);
    }
    free(all.v);
    return rc;
}

static uint64_t db_size(struct run *r, const char *db)
{
    struct mst_err ignored = {0};
    bson_t cmd = BSON_INITIALIZER, reply;
    double size = 0;

    BSON_APPEND_INT32(&cmd, "dbStats", 1);
    if (mst_conn_command(r->control, db, &cmd, CMD_MS, &reply, &ignored) == MST_OK) {
        size = mst_bson_f64(&reply, "dataSize", 0);
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return size > 0 ? (uint64_t)size : 0;
}

/* Room in the store against what is to be read: refused when not even a fourth fits. */
static enum mst_rc check_room(struct run *r, struct mst_err *err)
{
    struct mst_store *s = r->o->catalog->store;
    char need[MST_HUMAN_MAX], have[MST_HUMAN_MAX];
    uint64_t left, total;

    if (mst_store_space(s, &left, &total, err) != MST_OK) {
        return err->rc;
    }
    (void)mst_text_bytes(r->estimate, need);
    (void)mst_text_bytes(left, have);
    if (total && left < r->estimate / 4 && !r->o->n_include && !r->o->n_exclude) {
        return mst_err_set(err, MST_E_IO,
                           "the set holds %s, the store %s (%s) has %s left: less than a fourth; "
                           "make room there or use another store",
                           need, mst_store_name(s), mst_store_where(s), have);
    }
    if (total && left < r->estimate) {
        mst_task_log(r->outer,
                     "the set holds %s, the store has %s left: it depends on how well it "
                     "compresses",
                     need, have);
    }
    return MST_OK;
}

static enum mst_rc list_names(struct run *r, bson_t *reply, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER;
    enum mst_rc rc;

    BSON_APPEND_INT32(&cmd, "listDatabases", 1);
    BSON_APPEND_BOOL(&cmd, "nameOnly", true);
    rc = mst_conn_command(r->control, "admin", &cmd, CMD_MS, reply, err);
    bson_destroy(&cmd);
    if (rc != MST_OK) {
        mst_err_prefix(err, "the databases of %s", r->res->source.name);
    }
    return rc;
}

enum mst_rc listing_run(struct run *r, struct mst_err *err)
{
    bson_t reply, one;
    bson_iter_t it, dbs;
    enum mst_rc rc = spool_open(r, err);

    if (rc != MST_OK) {
        return rc;
    }
    rc = list_names(r, &reply, err);
    if (rc == MST_OK &&
        (!bson_iter_init_find(&it, &reply, "databases") || !bson_iter_recurse(&it, &dbs))) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "listDatabases has no databases");
    }
    while (rc == MST_OK && bson_iter_next(&dbs)) {
        const uint8_t *p = NULL;
        uint32_t n = 0;
        const char *name = NULL;
        char shown[64];

        if (BSON_ITER_HOLDS_DOCUMENT(&dbs)) {
            bson_iter_document(&dbs, &n, &p);
            name = bson_init_static(&one, p, n) ? raw_text(&one, "name") : NULL;
        }
        if (!name || !*name || strlen(name) >= 64) {
            rc = mst_err_set(err, MST_E_INTEGRITY, "listDatabases has a database without a name");
            break;
        }
        if (strcmp(name, "local") == 0 || strcmp(name, "config") == 0) {
            continue; /* of one member; of the running set */
        }
        mst_text_clean(shown, sizeof(shown), name, strlen(name));
        mst_task_phase(r->outer, "listing %s", shown);
        r->estimate += db_size(r, name);
        rc = list_db(r, name, err);
    }
    bson_destroy(&reply);
    if (rc == MST_OK && fflush(r->spool) != 0) {
        rc = spool_fail(err);
    }
    return rc == MST_OK ? check_room(r, err) : rc;
}

/* --- into the manifest ------------------------------------------------------------------------ */

static void fill(const struct entry *e, struct mst_man_ns *ns)
{
    memset(ns, 0, sizeof(*ns));
    (void)mst_copy(ns->db, sizeof(ns->db), e->db);
    (void)mst_copy(ns->coll, sizeof(ns->coll), e->coll);
    (void)mst_copy(ns->type, sizeof(ns->type), e->type);
    ns->state = e->state;
    ns->has_uuid = e->has_uuid;
    memcpy(ns->uuid, e->uuid, sizeof(ns->uuid));
    ns->documents = e->documents;
    ns->data_bytes = e->data_bytes;
    ns->sum = e->sum;
    ns->n_extents = e->n_extents;
    ns->extents = e->extents;
    ns->problem = "";
}

enum mst_rc listing_manifest(struct run *r, struct mst_manw *w, struct mst_err *err)
{
    struct mst_buf options = {0}, id_index = {0}, indexes = {0};
    enum mst_rc rc = MST_OK;

    for (size_t i = 0; rc == MST_OK && i < r->n_ns; i++) {
        struct mst_man_ns ns;

        fill(&r->ns[i], &ns);
        if (fseek(r->spool, r->ns[i].spool, SEEK_SET) != 0 || !spool_get(r->spool, &options) ||
            !spool_get(r->spool, &id_index) || !spool_get(r->spool, &indexes)) {
            rc = mst_err_set(err, MST_E_IO, "the spooled listing cannot be read back");
            break;
        }
        ns.options = options.p;
        ns.options_len = (uint32_t)options.len;
        ns.id_index = id_index.len ? id_index.p : NULL;
        ns.id_index_len = (uint32_t)id_index.len;
        ns.indexes = indexes.p;
        ns.indexes_len = (uint32_t)indexes.len;
        rc = mst_task_check(&r->task, err);
        rc = rc == MST_OK ? mst_manw_ns(w, &ns, err) : rc;
    }
    mst_buf_release(&options);
    mst_buf_release(&id_index);
    mst_buf_release(&indexes);
    return rc;
}

void listing_release(struct run *r)
{
    for (size_t i = 0; i < r->n_ns; i++) {
        free(r->ns[i].db);
        free(r->ns[i].coll);
        free(r->ns[i].extents);
    }
    free(r->ns);
    r->ns = NULL;
    r->n_ns = 0;
    if (r->spool) {
        (void)fclose(r->spool);
        r->spool = NULL;
    }
}
