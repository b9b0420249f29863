/* listCollections, listDatabases, collStats, dbStats, dbHash, splitVector. */
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "auth/auth.h"
#include "base/mem.h"
#include "cmd/cmd_data.h"
#include "cmd/facts.h"
#include "oplog/entries.h"

static const uint8_t empty[] = {5, 0, 0, 0, 0};
#define OPLOG_NS "local.oplog.rs"

static struct sbx_doc filter_arg(struct sbx_call *c)
{
    const struct sbx_val v = sbx_cmd_arg(c, "filter");
    const struct sbx_doc f = v.type == SBX_OBJECT ? sbx_val_doc(v) : sbx_doc(empty, 5);
    struct sbx_why why = {0};

    if (!sbx_match_check(f, &why)) {
        sbx_cmd_fail(c, &why);
    }
    return f;
}

static bool in_db(const struct sbx_coll *coll, const char *db)
{
    return coll->db_len == strlen(db) && memcmp(coll->ns, db, coll->db_len) == 0;
}

/* Collections of the call's database, oldest first. */
struct set {
    const struct sbx_coll **v;
    size_t n, cap;
};

static int by_order(const void *x, const void *y)
{
    const struct sbx_coll *const *a = x, *const *b = y;

    return (*a)->order < (*b)->order ? -1 : (*a)->order > (*b)->order;
}

static void collect(struct sbx_call *c, struct set *s, bool by_age)
{
    const struct sbx_coll *coll = sbx_data_next(c->m->data, c->db);

    for (; coll && strncmp(coll->ns, c->db, strlen(c->db)) == 0;
         coll = sbx_data_next(c->m->data, coll->ns)) {
        if (in_db(coll, c->db)) {
            mst_grow((void **)&s->v, &s->cap, s->n + 1, sizeof(struct sbx_coll *));
            s->v[s->n++] = coll;
        }
    }
    if (by_age && s->n) {
        qsort(s->v, s->n, sizeof(struct sbx_coll *), by_order);
    }
}

static void coll_info(const struct sbx_coll *coll, struct sbx_out *o)
{
    const size_t m = sbx_out_begin(o);
    size_t info;

    sbx_out_str(o, "name", sbx_coll_name(coll));
    sbx_out_str(o, "type", "collection");
    sbx_out_doc(o, "options", sbx_out_done(&coll->options));
    info = sbx_out_sub(o, "info", SBX_OBJECT);
    sbx_out_bool(o, "readOnly", false);
    sbx_out_uuid(o, "uuid", coll->uuid);
    sbx_out_end(o, info);
    sbx_out_doc(o, "idIndex", sbx_out_done(&coll->indexes->spec));
    sbx_out_end(o, m);
}

static void view_info(struct sbx_doc def, struct sbx_out *o)
{
    const char *ns = sbx_val_str(sbx_doc_get(def, "_id"), NULL);
    const char *dot = ns ? strchr(ns, '.') : NULL;
    const size_t m = sbx_out_begin(o);
    struct sbx_it it;
    size_t sub;

    sbx_out_str(o, "name", dot ? dot + 1 : "");
    sbx_out_str(o, "type", "view");
    sub = sbx_out_sub(o, "options", SBX_OBJECT);
    sbx_it_init(&it, def);
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, "_id") != 0) {
            sbx_out_valn(o, it.key, it.klen, it.v);
        }
    }
    sbx_out_end(o, sub);
    sub = sbx_out_sub(o, "info", SBX_OBJECT);
    sbx_out_bool(o, "readOnly", true);
    sbx_out_end(o, sub);
    sbx_out_end(o, m);
}

/* local.oplog.rs is no collection of the data. */
static void oplog_info(struct sbx_call *c, struct sbx_out *o)
{
    const size_t m = sbx_out_begin(o);
    size_t sub;

    sbx_out_str(o, "name", "oplog.rs");
    sbx_out_str(o, "type", "collection");
    sub = sbx_out_sub(o, "options", SBX_OBJECT);
    sbx_out_bool(o, "capped", true);
    sbx_out_dbl(o, "size", (double)sbx_oplog_max(c->m->oplog));
    sbx_out_bool(o, "autoIndexId", false);
    sbx_out_end(o, sub);
    sub = sbx_out_sub(o, "info", SBX_OBJECT);
    sbx_out_bool(o, "readOnly", false);
    sbx_out_end(o, sub);
    sbx_out_end(o, m);
}

static void offer(struct sbx_call *c, struct sbx_list *l, struct sbx_out *info)
{
    const struct sbx_doc f = filter_arg(c);
    const bool names = sbx_val_true(sbx_cmd_arg(c, "nameOnly"));
    struct sbx_out brief = {0};
    size_t m;

    if (!c->failed && sbx_match(f, sbx_out_done(info))) {
        if (names) {
            m = sbx_out_begin(&brief);
            sbx_out_val(&brief, "name", sbx_doc_get(sbx_out_done(info), "name"));
            sbx_out_val(&brief, "type", sbx_doc_get(sbx_out_done(info), "type"));
            sbx_out_end(&brief, m);
        }
        sbx_list_add(l, sbx_out_done(names ? &brief : info));
    }
    sbx_out_release(&brief);
    sbx_out_release(info);
}

static void offer_views(struct sbx_call *c, struct sbx_list *l)
{
    char views[SBX_NS_MAX];
    const struct sbx_coll *coll;
    struct sbx_scan s;
    struct sbx_row row;

    snprintf(views, sizeof views, "%.*s.system.views", 64, c->db);
    coll = sbx_data_coll(c->m->data, views);
    if (!coll) {
        return;
    }
    sbx_scan_init(&s, SBX_SCAN_ID, false);
    while (sbx_scan_next(&s, coll, SBX_LATEST, &row)) {
        struct sbx_out info = {0};

        view_info(row.doc, &info);
        offer(c, l, &info);
    }
    sbx_scan_release(&s);
}

static void list_reply(struct sbx_call *c, const char *ns, struct sbx_list *l)
{
    const struct sbx_val cur = sbx_cmd_arg(c, "cursor");
    const struct sbx_val size =
        cur.type == SBX_OBJECT ? sbx_doc_get(sbx_val_doc(cur), "batchSize") : (struct sbx_val){0};
    struct sbx_out batch = {0};
    size_t m;

    if ((sbx_val_is_num(size) && sbx_val_i64(size) < (int64_t)l->n) ||
        l->b.len > 15 * 1024 * 1024) {
        sbx_cursor_first(c, sbx_cursor_list_take(c, ns, l),
                         sbx_val_is_num(size) ? sbx_val_i64(size) : INT64_MAX, false);
        return;
    }
    m = sbx_out_begin(&batch);
    for (size_t i = 0; i < l->n; i++) {
        sbx_out_index(&batch, (unsigned)i, sbx_doc_val(sbx_list_get(l, i)));
    }
    sbx_out_end(&batch, m);
    sbx_reply_cursor(c, ns, sbx_out_done(&batch));
    sbx_out_release(&batch);
}

void sbx_cmd_list_collections(struct sbx_call *c)
{
    struct sbx_list l = {0};
    struct sbx_out info = {0};
    struct set s = {0};
    char ns[SBX_NS_MAX];

    snprintf(ns, sizeof ns, "%.*s.$cmd.listCollections", 64, c->db);
    filter_arg(c);
    collect(c, &s, true);
    for (size_t i = 0; i < s.n; i++) {
        memset(&info, 0, sizeof info);
        coll_info(s.v[i], &info);
        offer(c, &l, &info);
    }
    offer_views(c, &l);
    if (strcmp(c->db, "local") == 0) {
        memset(&info, 0, sizeof info);
        oplog_info(c, &info);
        offer(c, &l, &info);
    }
    if (!c->failed) {
        list_reply(c, ns, &l);
    }
    free(s.v);
    sbx_list_release(&l);
}

/* ---- listDatabases ---- */

static int64_t pages(int64_t bytes)
{
    return (bytes + 4095) / 4096 * 4096;
}

static double coll_disk(const struct sbx_coll *coll)
{
    return (double)(pages(coll->bytes) + 4096 * (int64_t)sbx_index_count(coll));
}

struct dbs {
    struct sbx_call *c;
    bson_t list;
    unsigned n;
    double total;
    bool names;
};

static void add_db(struct dbs *d, const char *name, double size)
{
    struct sbx_out o = {0};
    const size_t m = sbx_out_begin(&o);
    char key[12];

    sbx_out_str(&o, "name", name);
    if (!d->names) {
        sbx_out_dbl(&o, "sizeOnDisk", size);
        sbx_out_bool(&o, "empty", false);
    }
    sbx_out_end(&o, m);
    if (sbx_auth_sees_db(d->c, name) && sbx_match(filter_arg(d->c), sbx_out_done(&o))) {
        snprintf(key, sizeof key, "%u", d->n++);
        sbx_reply_doc(&d->list, key, sbx_out_done(&o));
        d->total += size;
    }
    sbx_out_release(&o);
}

void sbx_cmd_list_databases(struct sbx_call *c)
{
    struct dbs d = {.c = c, .names = sbx_val_true(sbx_cmd_arg(c, "nameOnly"))};
    const struct sbx_coll *coll = sbx_data_next(c->m->data, NULL);
    const double oplog = (double)pages((int64_t)sbx_oplog_bytes(c->m->oplog)) + 4096;
    bool local = false;

    filter_arg(c);
    if (c->failed) {
        return;
    }
    bson_init(&d.list);
    while (coll) {
        char db[SBX_NS_MAX];
        double size = 0;

        snprintf(db, sizeof db, "%.*s", (int)coll->db_len, coll->ns);
        if (!local && strcmp(db, "local") >= 0) {
            size = oplog;
            local = true;
            if (strcmp(db, "local") != 0) {
                add_db(&d, "local", size);
                size = 0;
            }
        }
        for (; coll && in_db(coll, db); coll = sbx_data_next(c->m->data, coll->ns)) {
            size += coll_disk(coll);
        }
        add_db(&d, db, size);
    }
    if (!local) {
        add_db(&d, "local", oplog);
    }
    BSON_APPEND_ARRAY(c->reply, "databases", &d.list);
    if (!d.names) {
        BSON_APPEND_DOUBLE(c->reply, "totalSize", d.total);
    }
    bson_destroy(&d.list);
}

/* ---- statistics ---- */

static void append_size(bson_t *b, const char *key, int64_t n)
{
    if (n <= 1 << 30) {
        bson_append_int32(b, key, -1, (int32_t)n);
    } else if (n <= 1LL << 40) {
        bson_append_double(b, key, -1, (double)n);
    } else {
        bson_append_int64(b, key, -1, n);
    }
}

static void stats_head(bson_t *r, const char *ns, int64_t bytes, int64_t count, int64_t scale)
{
    BSON_APPEND_UTF8(r, "ns", ns);
    append_size(r, "size", bytes / scale);
    append_size(r, "count", count);
    if (count) {
        append_size(r, "avgObjSize", bytes / count);
    }
    append_size(r, "storageSize", (pages(bytes) ? pages(bytes) : 4096) / scale);
}

static void stats_capped(bson_t *r, int64_t max, int64_t size, int64_t scale)
{
    BSON_APPEND_BOOL(r, "capped", true);
    append_size(r, "max", max ? max : -1);
    append_size(r, "maxSize", size / scale);
    BSON_APPEND_INT32(r, "sleepCount", 0);
    BSON_APPEND_INT32(r, "sleepMS", 0);
}

static void stats_indexes(bson_t *r, const struct sbx_coll *coll, int64_t scale)
{
    const int n = coll ? (int)sbx_index_count(coll) : 0;
    bson_t sub;

    BSON_APPEND_INT32(r, "nindexes", n);
    bson_append_array_begin(r, "indexBuilds", -1, &sub);
    bson_append_array_end(r, &sub);
    append_size(r, "totalIndexSize", 4096 * (int64_t)n / scale);
    bson_append_document_begin(r, "indexSizes", -1, &sub);
    for (const struct sbx_index *x = coll ? coll->indexes : NULL; x; x = x->next) {
        append_size(&sub, x->name, 4096 / scale);
    }
    bson_append_document_end(r, &sub);
    append_size(r, "scaleFactor", scale);
}

void sbx_cmd_coll_stats(struct sbx_call *c)
{
    const struct sbx_val s = sbx_cmd_arg(c, "scale");
    const int64_t scale = s.type == SBX_EOO ? 1 : sbx_val_i64(s);
    const struct sbx_oplog *log = c->m->oplog;
    const struct sbx_coll *coll;
    char ns[SBX_NS_MAX];

    if (!sbx_cmd_ns(c, ns) || !sbx_cmd_no_view(c, ns)) {
        return;
    }
    if (scale < 1) {
        sbx_fail(c, 2, "Scale factor must be greater than zero");
        return;
    }
    coll = sbx_data_coll(c->m->data, ns);
    if (strcmp(ns, OPLOG_NS) == 0) {
        stats_head(c->reply, ns, (int64_t)sbx_oplog_bytes(log), (int64_t)sbx_oplog_count(log),
                   scale);
        stats_capped(c->reply, 0, (int64_t)sbx_oplog_max(log), scale);
        stats_indexes(c->reply, NULL, scale);
        return;
    }
    if (!coll) { /* the server answers zeros */
        BSON_APPEND_UTF8(c->reply, "ns", ns);
        append_size(c->reply, "size", 0);
        append_size(c->reply, "count", 0);
        append_size(c->reply, "storageSize", 0);
        BSON_APPEND_INT32(c->reply, "nindexes", 0);
        append_size(c->reply, "totalIndexSize", 0);
        append_size(c->reply, "scaleFactor", scale);
        return;
    }
    stats_head(c->reply, ns, coll->bytes, coll->count, scale);
    if (coll->capped) {
        stats_capped(c->reply, coll->cap_max, coll->cap_size, scale);
    } else {
        BSON_APPEND_BOOL(c->reply, "capped", false);
    }
    stats_indexes(c->reply, coll, scale);
}

void sbx_cmd_db_stats(struct sbx_call *c)
{
    const struct sbx_val s = sbx_cmd_arg(c, "scale");
    const double scale = s.type == SBX_EOO ? 1 : sbx_val_dbl(s);
    struct set all = {0};
    int64_t objects = 0, bytes = 0, storage = 0, indexes = 0;
    struct sbx_list views = {0};
    struct statvfs fs;

    if (!(scale >= 1)) {
        sbx_fail(c, 2, "Scale factor must be greater than zero");
        return;
    }
    collect(c, &all, false);
    for (size_t i = 0; i < all.n; i++) {
        objects += all.v[i]->count;
        bytes += all.v[i]->bytes;
        storage += pages(all.v[i]->bytes) ? pages(all.v[i]->bytes) : 4096;
        indexes += sbx_index_count(all.v[i]);
    }
    offer_views(c, &views);
    BSON_APPEND_UTF8(c->reply, "db", c->db);
    BSON_APPEND_INT32(c->reply, "collections", (int32_t)all.n);
    BSON_APPEND_INT32(c->reply, "views", (int32_t)views.n);
    append_size(c->reply, "objects", objects);
    BSON_APPEND_DOUBLE(c->reply, "avgObjSize", objects ? (double)bytes / (double)objects : 0);
    BSON_APPEND_DOUBLE(c->reply, "dataSize", (double)bytes / scale);
    BSON_APPEND_DOUBLE(c->reply, "storageSize", (double)storage / scale);
    if (c->w->profile->server == SBX_42) {
        BSON_APPEND_INT32(c->reply, "numExtents", 0);
    }
    append_size(c->reply, "indexes", indexes);
    BSON_APPEND_DOUBLE(c->reply, "indexSize", (double)(indexes * 4096) / scale);
    BSON_APPEND_DOUBLE(c->reply, "scaleFactor", scale);
    if (statvfs("/", &fs) == 0) {
        const double unit = (double)fs.f_frsize;

        BSON_APPEND_DOUBLE(c->reply, "fsUsedSize",
                           (double)(fs.f_blocks - fs.f_bfree) * unit / scale);
        BSON_APPEND_DOUBLE(c->reply, "fsTotalSize", (double)fs.f_blocks * unit / scale);
    }
    free(all.v);
    sbx_list_release(&views);
}

/* ---- dbHash ---- */

static bool hashed(struct sbx_call *c, const struct sbx_coll *coll)
{
    static const char *const own[] = {"system.views", "system.js",      "system.users",
                                      "system.roles", "system.version", "system.backup_users"};
    const struct sbx_val only = sbx_cmd_arg(c, "collections");
    const char *name = sbx_coll_name(coll);
    bool yes = strncmp(name, "system.", 7) != 0 && !coll->temp;
    struct sbx_it it;

    for (size_t i = 0; i < MST_COUNT(own); i++) {
        yes = yes || strcmp(name, own[i]) == 0;
    }
    if (!yes || only.type != SBX_ARRAY || sbx_doc_empty(sbx_val_doc(only))) {
        return yes;
    }
    sbx_it_init(&it, sbx_val_doc(only));
    while (sbx_it_next(&it)) {
        if (sbx_val_streq(it.v, name)) {
            return true;
        }
    }
    return false;
}

static void reply_uuids(struct sbx_call *c, const struct set *s)
{
    bson_t list;
    unsigned n = 0;

    bson_append_array_begin(c->reply, "capped", -1, &list);
    for (size_t i = 0; i < s->n; i++) {
        char key[12];

        if (s->v[i]->capped && hashed(c, s->v[i])) {
            snprintf(key, sizeof key, "%u", n++);
            BSON_APPEND_UTF8(&list, key, sbx_coll_name(s->v[i]));
        }
    }
    bson_append_array_end(c->reply, &list);
    bson_append_document_begin(c->reply, "uuids", -1, &list);
    for (size_t i = 0; i < s->n; i++) {
        if (hashed(c, s->v[i])) {
            bson_append_binary(&list, sbx_coll_name(s->v[i]), -1, BSON_SUBTYPE_UUID, s->v[i]->uuid,
                               16);
        }
    }
    bson_append_document_end(c->reply, &list);
}

void sbx_cmd_db_hash(struct sbx_call *c)
{
    const int64_t began = sbx_mono(c->w);
    struct mst_buf hashes = {0};
    char hex[SBX_MD5_HEX] = "";
    struct set s = {0};
    bson_t list;

    if (c->m->data == NULL) {
        sbx_fail(c, 13436,
                 "not master or secondary; cannot currently read from this replSet member");
        return;
    }
    collect(c, &s, false);
    char host[300];
    sbx_facts_host(c->m, host, sizeof host);
    BSON_APPEND_UTF8(c->reply, "host", host);
    bson_append_document_begin(c->reply, "collections", -1, &list);
    for (size_t i = 0; i < s.n; i++) {
        if (hashed(c, s.v[i])) {
            sbx_coll_md5(s.v[i], SBX_LATEST, hex);
            BSON_APPEND_UTF8(&list, sbx_coll_name(s.v[i]), hex);
            mst_buf_add(&hashes, hex, 32);
        }
    }
    bson_append_document_end(c->reply, &list);
    reply_uuids(c, &s);
    sbx_md5_hex(hashes.p, hashes.len, hex);
    mst_buf_release(&hashes);
    BSON_APPEND_UTF8(c->reply, "md5", hex);
    BSON_APPEND_INT32(c->reply, "timeMillis", (int32_t)(sbx_mono(c->w) - began));
    free(s.v);
}

/* ---- splitVector ---- */

/* A key goes into the list after every half chunk; by _id only. */
static void split_keys(struct sbx_call *c, const struct sbx_coll *coll, int64_t max_bytes,
                       bson_t *keys)
{
    const int64_t mean = coll->count ? coll->bytes / coll->count : 1;
    const int64_t per = max_bytes / (2 * (mean ? mean : 1));
    struct sbx_scan s;
    struct sbx_row row;
    int64_t n = 0;
    unsigned found = 0;

    (void)c;
    if (coll->bytes <= max_bytes || per < 1) {
        return;
    }
    sbx_scan_init(&s, SBX_SCAN_ID, false);
    while (sbx_scan_next(&s, coll, SBX_LATEST, &row)) {
        bson_t key;
        char name[12];

        if (++n <= per) {
            continue;
        }
        n = 0;
        snprintf(name, sizeof name, "%u", found++);
        bson_append_document_begin(keys, name, -1, &key);
        sbx_reply_val(&key, "_id", sbx_doc_get(row.doc, "_id"));
        bson_append_document_end(keys, &key);
    }
    sbx_scan_release(&s);
}

void sbx_cmd_split_vector(struct sbx_call *c)
{
    const char *ns = sbx_val_str(sbx_cmd_arg(c, "splitVector"), NULL);
    const struct sbx_val key = sbx_cmd_arg(c, "keyPattern");
    const struct sbx_val bytes = sbx_cmd_arg(c, "maxChunkSizeBytes");
    const struct sbx_val mb = sbx_cmd_arg(c, "maxChunkSize");
    const int64_t max = bytes.type != SBX_EOO ? sbx_val_i64(bytes) : sbx_val_i64(mb) << 20;
    const struct sbx_coll *coll = ns ? sbx_data_coll(c->m->data, ns) : NULL;
    struct sbx_it it;
    bson_t keys;

    if (!coll) {
        sbx_fail(c, 26, "ns not found");
        return;
    }
    if (key.type != SBX_OBJECT || !sbx_doc_first(sbx_val_doc(key), &it) ||
        strcmp(it.key, "_id") != 0) {
        sbx_fail(c, 2, "splitVector is only served with keyPattern {_id: 1}");
        return;
    }
    if (max <= 0) {
        sbx_fail(c, 2,
                 "need to specify the desired max chunk size (maxChunkSize or "
                 "maxChunkSizeBytes)");
        return;
    }
    bson_append_array_begin(c->reply, "splitKeys", -1, &keys);
    split_keys(c, coll, max, &keys);
    bson_append_array_end(c->reply, &keys);
}
