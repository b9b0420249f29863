/* create, drop, dropDatabase, renameCollection, convertToCapped. */
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_data.h"
#include "set/set.h"

static const uint8_t empty[] = {5, 0, 0, 0, 0};

static void out_count(struct sbx_op *op, const struct sbx_coll *coll)
{
    const size_t m = sbx_out_sub(&op->b, "o2", SBX_OBJECT);

    if (coll->count <= 1 << 30) {
        sbx_out_i32(&op->b, "numRecords", (int32_t)coll->count);
    } else {
        sbx_out_i64(&op->b, "numRecords", coll->count);
    }
    sbx_out_end(&op->b, m);
}

static void log_drop(struct sbx_call *c, struct sbx_coll *coll)
{
    struct sbx_op op;
    char db[SBX_NS_MAX];
    size_t m;

    snprintf(db, sizeof db, "%.*s", (int)coll->db_len, coll->ns);
    sbx_op_command(&op, db, coll->uuid);
    out_count(&op, coll);
    m = sbx_out_sub(&op.b, "o", SBX_OBJECT);
    sbx_out_str(&op.b, "drop", sbx_coll_name(coll));
    sbx_out_end(&op.b, m);
    sbx_op_log(c, &op, coll->ns);
}

/* ---- create ---- */

static bool check_options(struct sbx_call *c, struct sbx_out *options)
{
    static const char *const known[] = {"capped",
                                        "size",
                                        "max",
                                        "autoIndexId",
                                        "flags",
                                        "temp",
                                        "storageEngine",
                                        "indexOptionDefaults",
                                        "validator",
                                        "validationLevel",
                                        "validationAction",
                                        "collation",
                                        "viewOn",
                                        "pipeline",
                                        "idIndex"};
    const struct sbx_val validator = sbx_cmd_arg(c, "validator");
    struct sbx_why why = {0};
    const size_t m = sbx_out_begin(options);
    struct sbx_it it;

    sbx_it_init(&it, sbx_cmd_doc(c));
    sbx_it_next(&it);
    while (sbx_it_next(&it)) {
        for (size_t i = 0; i < MST_COUNT(known); i++) {
            if (strcmp(known[i], it.key) == 0) {
                sbx_out_valn(options, it.key, it.klen, it.v);
            }
        }
    }
    sbx_out_end(options, m);
    if (sbx_cmd_arg(c, "collation").type == SBX_EOO && !sbx_cmd_known(c, known, MST_COUNT(known))) {
        return false;
    }
    if (validator.type == SBX_OBJECT && !sbx_match_check(sbx_val_doc(validator), &why)) {
        return sbx_cmd_fail(c, &why);
    }
    if (sbx_val_true(sbx_cmd_arg(c, "capped")) && !sbx_val_is_num(sbx_cmd_arg(c, "size"))) {
        sbx_fail(c, 72, "the 'size' field is required when 'capped' is true");
        return false;
    }
    return true;
}

static void create_view(struct sbx_call *c, const char *ns)
{
    const struct sbx_val pipeline = sbx_cmd_arg(c, "pipeline");
    char views[SBX_NS_MAX];
    struct sbx_out doc = {0};
    struct sbx_write w = {0};
    const size_t m = sbx_out_begin(&doc);

    snprintf(views, sizeof views, "%.*s.system.views", 64, c->db);
    sbx_out_str(&doc, "_id", ns);
    sbx_out_val(&doc, "viewOn", sbx_cmd_arg(c, "viewOn"));
    sbx_out_val(&doc, "pipeline",
                pipeline.type == SBX_ARRAY ? pipeline : (struct sbx_val){SBX_ARRAY, empty, 5});
    if (sbx_cmd_arg(c, "collation").type == SBX_OBJECT) {
        sbx_out_val(&doc, "collation", sbx_cmd_arg(c, "collation"));
    }
    sbx_out_end(&doc, m);
    if (!sbx_write_insert(c, views, sbx_out_done(&doc), true, &w) && !c->failed) {
        sbx_cmd_fail(c, &w.why);
    }
    sbx_write_release(&w);
    sbx_out_release(&doc);
}

void sbx_cmd_create(struct sbx_call *c)
{
    struct sbx_out options = {0};
    struct sbx_why why = {0};
    struct sbx_doc def;
    char ns[SBX_NS_MAX];

    if (!sbx_cmd_ns(c, ns) || !check_options(c, &options)) {
        sbx_out_release(&options);
        return;
    }
    if (sbx_data_coll(c->m->data, ns)) {
        sbx_fail(c, 48, "a collection '%s' already exists", ns);
    } else if (sbx_data_view(c->m->data, ns, &def)) {
        sbx_fail(c, 48, "a view '%s' already exists", ns);
    } else if (sbx_cmd_arg(c, "viewOn").type == SBX_STRING) {
        create_view(c, ns);
    } else if (!sbx_make_coll(c, ns, sbx_out_done(&options), &why)) {
        sbx_cmd_fail(c, &why);
    }
    sbx_out_release(&options);
}

/* ---- drop ---- */

static void drop_view(struct sbx_call *c, const char *ns, struct sbx_doc def)
{
    char views[SBX_NS_MAX];
    struct sbx_out q = {0};
    struct sbx_write w = {0};
    const size_t m = sbx_out_begin(&q);

    snprintf(views, sizeof views, "%.*s.system.views", 64, c->db);
    sbx_out_val(&q, "_id", sbx_doc_get(def, "_id"));
    sbx_out_end(&q, m);
    if (sbx_write_delete(c, views, sbx_out_done(&q), sbx_doc(NULL, 0), false, &w)) {
        BSON_APPEND_UTF8(c->reply, "ns", ns);
    } else if (!c->failed) {
        sbx_cmd_fail(c, &w.why);
    }
    sbx_write_release(&w);
    sbx_out_release(&q);
}

void sbx_cmd_drop(struct sbx_call *c)
{
    struct sbx_coll *coll;
    struct sbx_doc def;
    char ns[SBX_NS_MAX];

    if (!sbx_cmd_ns(c, ns) || !sbx_wait_unheld(c, ns)) {
        return;
    }
    coll = sbx_data_coll(c->m->data, ns);
    if (!coll && sbx_data_view(c->m->data, ns, &def)) {
        drop_view(c, ns, def);
        return;
    }
    if (!coll) {
        sbx_fail(c, 26, "ns not found");
        return;
    }
    BSON_APPEND_INT32(c->reply, "nIndexesWas", (int32_t)sbx_index_count(coll));
    BSON_APPEND_UTF8(c->reply, "ns", ns);
    log_drop(c, coll);
    sbx_data_drop(c->m->data, coll);
}

static struct sbx_coll *next_of_db(struct sbx_call *c, const char *after)
{
    const size_t n = strlen(c->db);
    struct sbx_coll *coll = sbx_data_next(c->m->data, after);

    while (coll && strncmp(coll->ns, c->db, n) < 0) {
        coll = sbx_data_next(c->m->data, coll->ns);
    }
    while (coll && (coll->db_len != n || memcmp(coll->ns, c->db, n) != 0)) {
        if (strncmp(coll->ns, c->db, n) > 0) {
            return NULL;
        }
        coll = sbx_data_next(c->m->data, coll->ns);
    }
    return coll;
}

static bool drop_all(struct sbx_call *c)
{
    struct sbx_coll *coll;

    while ((coll = next_of_db(c, c->db)) != NULL) {
        char ns[SBX_NS_MAX];

        mst_copy(ns, sizeof ns, coll->ns);
        if (!sbx_wait_unheld(c, ns)) {
            return false;
        }
        coll = sbx_data_coll(c->m->data, ns);
        if (coll) {
            log_drop(c, coll);
            sbx_data_drop(c->m->data, coll);
        }
    }
    return true;
}

void sbx_cmd_drop_database(struct sbx_call *c)
{
    const struct sbx_val w = sbx_cmd_arg(c, "writeConcern");
    const int64_t wtimeout =
        w.type == SBX_OBJECT ? sbx_val_i64(sbx_doc_get(sbx_val_doc(w), "wtimeout")) : 0;
    struct sbx_op op;
    size_t m;

    if (strcmp(c->db, "admin") == 0 || strcmp(c->db, "config") == 0 ||
        strcmp(c->db, "local") == 0) {
        sbx_fail(c, 20, "Dropping the '%s' database is prohibited.", c->db);
        return;
    }
    if (!next_of_db(c, c->db)) {
        return; /* there is none: done */
    }
    if (!drop_all(c)) {
        return;
    }
    /* The collections' drops are on a majority before the database goes. */
    if (!sbx_await_committed(c, c->last_op,
                             sbx_mono(c->w) + (wtimeout > 0 ? wtimeout : 10 * 60 * 1000))) {
        if (!c->failed) {
            sbx_fail(c, 64, "dropDatabase %s failed waiting for %s replication", c->db, "majority");
        }
        return;
    }
    if (!c->m->writable) {
        sbx_fail(c, 10107, "not master");
        return;
    }
    if (!drop_all(c)) {
        return;
    }
    sbx_op_command(&op, c->db, NULL);
    m = sbx_out_sub(&op.b, "o", SBX_OBJECT);
    sbx_out_i32(&op.b, "dropDatabase", 1);
    sbx_out_end(&op.b, m);
    sbx_op_log(c, &op, "x.x");
    sbx_data_drop_db(c->m->data, c->db);
    BSON_APPEND_UTF8(c->reply, "dropped", c->db);
}

/* ---- rename and what is built on it ---- */

static void log_rename(struct sbx_call *c, const struct sbx_coll *coll, const char *to,
                       const struct sbx_coll *old, bool stay_temp)
{
    struct sbx_op op;
    char db[SBX_NS_MAX];
    size_t m;

    snprintf(db, sizeof db, "%.*s", (int)coll->db_len, coll->ns);
    sbx_op_command(&op, db, coll->uuid);
    if (old) {
        out_count(&op, old);
    }
    m = sbx_out_sub(&op.b, "o", SBX_OBJECT);
    sbx_out_str(&op.b, "renameCollection", coll->ns);
    sbx_out_str(&op.b, "to", to);
    sbx_out_bool(&op.b, "stayTemp", stay_temp);
    if (old) {
        sbx_out_uuid(&op.b, "dropTarget", old->uuid);
    }
    sbx_out_end(&op.b, m);
    sbx_op_log(c, &op, coll->ns);
}

static void rename_to(struct sbx_call *c, struct sbx_coll *coll, const char *to, bool stay_temp)
{
    struct sbx_coll *old = sbx_data_coll(c->m->data, to);
    struct sbx_why why = {0};

    log_rename(c, coll, to, old, stay_temp);
    if (old) {
        sbx_data_drop(c->m->data, old);
    }
    if (!sbx_data_rename(c->m->data, coll, to, stay_temp, &why)) {
        sbx_cmd_fail(c, &why);
    }
}

static void tmp_name(struct sbx_call *c, char *out, size_t n, const char *db, const char *rest)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char r[6] = "";

    for (int i = 0; i < 5; i++) {
        r[i] = letters[sbx_random(c->w) % (sizeof letters - 1)];
    }
    snprintf(out, n, "%.64s.tmp%s.%.160s", db, r, rest);
}

/* A temporary collection with the source's documents; options as given. NULL: the call failed. */
static struct sbx_coll *copy_to(struct sbx_call *c, const char *from, const char *tmp,
                                struct sbx_doc options)
{
    struct sbx_coll *src = sbx_data_coll(c->m->data, from), *dst;
    char db[sizeof c->db];
    struct sbx_why why = {0};
    struct sbx_scan s;
    struct sbx_row row;

    mst_copy(db, sizeof db, c->db);
    snprintf(c->db, sizeof c->db, "%.*s", (int)strcspn(tmp, "."), tmp);
    dst = sbx_make_coll(c, tmp, options, &why);
    mst_copy(c->db, sizeof c->db, db);
    if (!dst) {
        sbx_cmd_fail(c, &why);
        return NULL;
    }
    sbx_scan_init(&s, SBX_SCAN_NATURAL, false);
    while (sbx_scan_next(&s, src, SBX_LATEST, &row)) {
        struct sbx_op op;

        sbx_op_begin(&op, 'i', tmp, dst->uuid);
        sbx_out_doc(&op.b, "o", row.doc);
        sbx_coll_insert(dst, row.doc, sbx_op_log(c, &op, tmp));
    }
    sbx_scan_release(&s);
    return dst;
}

static void with_temp(struct sbx_doc in, struct sbx_out *out)
{
    const size_t m = sbx_out_begin(out);
    struct sbx_it it;

    sbx_it_init(&it, in);
    while (sbx_it_next(&it)) {
        sbx_out_valn(out, it.key, it.klen, it.v);
    }
    sbx_out_bool(out, "temp", true);
    sbx_out_end(out, m);
}

static void copy_indexes(struct sbx_call *c, const struct sbx_coll *src, struct sbx_coll *dst)
{
    for (const struct sbx_index *x = src->indexes->next; x && !c->failed; x = x->next) {
        struct sbx_out spec = {0};
        struct sbx_why why = {0};

        if (!sbx_index_logged(dst, sbx_out_done(&x->spec), &spec, &why) ||
            !sbx_index_add(dst, sbx_out_done(&spec), NULL, &why)) {
            sbx_cmd_fail(c, &why);
        } else {
            sbx_log_index(c, dst, sbx_out_done(&spec));
        }
        sbx_out_release(&spec);
    }
}

static void rename_across(struct sbx_call *c, const char *from, const char *to)
{
    struct sbx_coll *src = sbx_data_coll(c->m->data, from), *dst;
    struct sbx_out options = {0};
    char tmp[SBX_NS_MAX], db[65];

    snprintf(db, sizeof db, "%.*s", (int)strcspn(to, "."), to);
    tmp_name(c, tmp, sizeof tmp, db, "renameCollection");
    with_temp(sbx_out_done(&src->options), &options);
    dst = copy_to(c, from, tmp, sbx_out_done(&options));
    sbx_out_release(&options);
    if (!dst) {
        return;
    }
    copy_indexes(c, src, dst);
    if (!c->failed) {
        rename_to(c, dst, to, false);
        log_drop(c, src);
        sbx_data_drop(c->m->data, src);
    }
}

void sbx_cmd_rename(struct sbx_call *c)
{
    const char *from = sbx_val_str(sbx_cmd_arg(c, "renameCollection"), NULL);
    const char *to = sbx_val_str(sbx_cmd_arg(c, "to"), NULL);
    const bool drop = sbx_val_true(sbx_cmd_arg(c, "dropTarget"));
    const bool stay = sbx_val_true(sbx_cmd_arg(c, "stayTemp"));
    struct sbx_coll *coll;

    if (!from || !to || !strchr(from, '.') || !strchr(to, '.') || strlen(to) >= SBX_NS_MAX) {
        sbx_fail(c, 73, "Invalid namespace: %s", !from ? "" : !to ? "" : to);
        return;
    }
    if (!sbx_wait_unheld(c, from) || !sbx_wait_unheld(c, to)) {
        return;
    }
    coll = sbx_data_coll(c->m->data, from);
    if (!coll) {
        if (sbx_cmd_no_view(c, from)) {
            sbx_fail(c, 26, "source namespace does not exist");
        }
    } else if (strcmp(from, to) == 0) {
        sbx_fail(c, 20, "Can't rename a collection to itself");
    } else if (sbx_data_coll(c->m->data, to) && !drop) {
        sbx_fail(c, 48, "target namespace exists");
    } else if (!sbx_cmd_no_view(c, to)) {
        return;
    } else if (coll->db_len != strcspn(to, ".") || memcmp(from, to, coll->db_len) != 0) {
        rename_across(c, from, to);
    } else {
        rename_to(c, coll, to, stay);
    }
}

void sbx_cmd_convert_to_capped(struct sbx_call *c)
{
    const struct sbx_val size = sbx_cmd_arg(c, "size");
    struct sbx_coll *coll, *dst;
    struct sbx_out options = {0};
    char ns[SBX_NS_MAX], tmp[SBX_NS_MAX], rest[SBX_NS_MAX];
    size_t m;

    if (!sbx_cmd_ns(c, ns) || !sbx_cmd_no_view(c, ns) || !sbx_wait_unheld(c, ns)) {
        return;
    }
    coll = sbx_data_coll(c->m->data, ns);
    if (!coll) {
        sbx_fail(c, 26, "source collection %s does not exist", ns);
        return;
    }
    if (!sbx_val_is_num(size) || sbx_val_i64(size) <= 0) {
        sbx_fail(c, 72, "Capped collection size must be greater than zero");
        return;
    }
    m = sbx_out_begin(&options);
    sbx_out_bool(&options, "capped", true);
    sbx_out_val(&options, "size", size);
    if (coll->cap_max) {
        sbx_out_i64(&options, "max", coll->cap_max);
    }
    sbx_out_bool(&options, "temp", true);
    sbx_out_end(&options, m);
    snprintf(rest, sizeof rest, "convertToCapped.%.200s", sbx_coll_name(coll));
    tmp_name(c, tmp, sizeof tmp, c->db, rest);
    dst = copy_to(c, ns, tmp, sbx_out_done(&options));
    sbx_out_release(&options);
    if (dst) {
        rename_to(c, dst, ns, false);
    }
}
