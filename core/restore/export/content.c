/* content.c: the source's oplog read twice: for what it leads to, and for what is written. */
#include "restore/export/content.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "oplog/flow.h"
#include "restore/plan.h"

/* ---- one reading of the oplog ---- */

static enum mst_rc read_all(const struct mst_content *c, struct mst_task *task, mst_oplog_op_fn fn,
                            void *arg, struct mst_oplog_report *report, struct mst_err *err)
{
    const struct mst_oplog_flow_opts fo = {.apply_after = c->s->apply_after,
                                           .spill_dir = c->spill_dir};
    struct mst_oplog_flow *flow = mst_oplog_flow_new(&fo, fn, arg);
    struct mst_src_docs *in = NULL;
    const uint8_t *doc = NULL;
    uint32_t n = 0;
    uint64_t k = 0;
    bson_t b;
    enum mst_rc rc = c->s->open_oplog(c->s, &in, err);

    while (rc == MST_OK && (rc = in->next(in, &doc, &n, err)) == MST_OK && doc) {
        if (!mst_bson_walk(doc, n) || !bson_init_static(&b, doc, n)) {
            rc = mst_err_set(err, MST_E_INTEGRITY, "a damaged oplog entry");
        } else if (mst_src_past_end(c->s, &b)) {
            break;
        } else {
            rc = mst_oplog_flow_feed(flow, &b, err);
        }
        if (rc == MST_OK && !(++k & 1023)) {
            rc = mst_task_check(task, err);
        }
    }
    mst_oplog_flow_report(flow, report);
    if (rc == MST_OK && c->s->end.ts.t && mst_ts_cmp(report->last.ts, c->s->end.ts) < 0) {
        rc = mst_err_set(err, MST_E_INTEGRITY,
                         "the oplog ends at %u.%u, before the end of the backup at %u.%u",
                         report->last.ts.t, report->last.ts.i, c->s->end.ts.t, c->s->end.ts.i);
    }
    if (in) {
        in->close(in);
    }
    mst_oplog_flow_free(flow);
    return rc;
}

static bool of_views(const struct mst_oplog_entry *e)
{
    return strcmp(mst_oplog_judge(e)->id, "views") == 0;
}

/* ---- first: where it leads ---- */

/* Both arrays reach to the last element of the map. */
static void widen(struct mst_content *c)
{
    const size_t ids = c->cap_id_index, flags = c->cap_changed;

    mst_grow((void **)&c->id_index, &c->cap_id_index, c->final.n, sizeof *c->id_index);
    mst_grow((void **)&c->changed, &c->cap_changed, c->final.n, sizeof *c->changed);
    if (c->cap_id_index > ids) {
        memset(c->id_index + ids, 0, (c->cap_id_index - ids) * sizeof *c->id_index);
    }
    if (c->cap_changed > flags) {
        memset(c->changed + flags, 0, (c->cap_changed - flags) * sizeof *c->changed);
    }
}

static bool alters(const struct mst_oplog_entry *e)
{
    static const char *const words[] = {"createIndexes", "commitIndexBuild", "dropIndexes",
                                        "deleteIndexes", "collMod"};
    size_t i;

    for (i = 0; i < MST_COUNT(words) && strcmp(words[i], e->cmd) != 0; i++) {
    }
    return i < MST_COUNT(words);
}

static enum mst_rc first_op(void *arg, const struct mst_oplog_entry *e, struct mst_err *err)
{
    struct mst_content *c = arg;
    enum mst_map_effect effect;
    struct mst_map_coll *who = NULL, *named;
    bson_t id;

    if (e->op != 'c' && !of_views(e)) {
        c->inserts += e->op == 'i' || e->upsert;
        return MST_OK;
    }
    named = e->op == 'c' ? mst_map_find(&c->final, e) : NULL;
    if (mst_map_apply(&c->final, e, &effect, &who, err) != MST_OK) {
        return err->rc;
    }
    widen(c);
    if (named && alters(e)) {
        c->changed[named - c->final.c] = true;
    }
    if (effect == MST_MAP_CREATED && mst_bson_doc(&e->o, "idIndex", &id)) {
        c->id_index[who - c->final.c] = bson_copy(&id);
    }
    return MST_OK;
}

/* ---- what there is at the end ---- */

static bool is_id(const bson_t *spec)
{
    bson_iter_t it;

    return bson_has_field(spec, "clustered") ||
           (bson_iter_init_find(&it, spec, "name") && BSON_ITER_HOLDS_UTF8(&it) &&
            strcmp(bson_iter_utf8(&it, NULL), "_id_") == 0);
}

static void append(bson_t *array, uint32_t *n, const bson_t *spec)
{
    const char *key;
    char room[16];

    (void)bson_uint32_to_string((*n)++, &key, room, sizeof room);
    BSON_APPEND_DOCUMENT(array, key, spec);
}

/* The _id index as it was listed. */
static void listed_id(const bson_t *indexes, bson_t *array, uint32_t *n)
{
    bson_iter_t it;
    const uint8_t *p = NULL;
    uint32_t len = 0;
    bson_t spec;

    if (!bson_iter_init(&it, indexes)) {
        return;
    }
    while (bson_iter_next(&it)) {
        if (BSON_ITER_HOLDS_DOCUMENT(&it)) {
            bson_iter_document(&it, &len, &p);
            if (bson_init_static(&spec, p, len) && is_id(&spec)) {
                append(array, n, &spec);
            }
        }
    }
}

/* The index that a create without its own gets. */
static void default_id(const struct mst_map_coll *m, bson_t *array, uint32_t *n)
{
    bson_t *spec;
    bson_iter_t it;

    if (bson_has_field(m->options, "clusteredIndex") ||
        (bson_iter_init_find(&it, m->options, "autoIndexId") && !bson_iter_as_bool(&it))) {
        return;
    }
    spec = BCON_NEW("v", BCON_INT32(2), "key", "{", "_id", BCON_INT32(1), "}", "name",
                    BCON_UTF8("_id_"));
    if (bson_iter_init_find(&it, m->options, "collation")) {
        (void)bson_append_iter(spec, "collation", -1, &it);
    }
    append(array, n, spec);
    bson_destroy(spec);
}

static bson_t *indexes_of(const struct mst_content *c, size_t i)
{
    const struct mst_map_coll *m = &c->final.c[i];
    bson_t *array;
    uint32_t n = 0;
    size_t k;

    if (i < c->s->n && !c->changed[i]) {
        return bson_copy(c->s->colls[i].indexes);
    }
    array = bson_new();
    if (i < c->s->n) {
        listed_id(c->s->colls[i].indexes, array, &n);
    } else if (c->id_index[i]) {
        append(array, &n, c->id_index[i]);
    } else {
        default_id(m, array, &n);
    }
    for (k = 0; k < m->n_indexes; k++) {
        append(array, &n, m->indexes[k]);
    }
    return array;
}

static struct mst_content_ns *add(struct mst_content *c, const char *db, const char *coll)
{
    struct mst_content_ns *ns;

    mst_grow((void **)&c->ns, &c->cap, c->n + 1, sizeof *c->ns);
    ns = &c->ns[c->n++];
    memset(ns, 0, sizeof *ns);
    (void)mst_copy(ns->db, sizeof ns->db, db);
    (void)mst_copy(ns->coll, sizeof ns->coll, coll);
    ns->src = SIZE_MAX;
    return ns;
}

static bson_t *view_options(const bson_t *from)
{
    static const char *const words[] = {"viewOn", "pipeline", "collation"};
    bson_t *b = bson_new();
    bson_iter_t it;
    size_t i;

    for (i = 0; i < MST_COUNT(words); i++) {
        if (bson_iter_init_find(&it, from, words[i])) {
            (void)bson_append_iter(b, words[i], -1, &it);
        }
    }
    return b;
}

static int by_name(const void *a, const void *b)
{
    const struct mst_content_ns *x = a, *y = b;
    const int db = strcmp(x->db, y->db);

    return db ? db : strcmp(x->coll, y->coll);
}

static enum mst_rc collect(const struct mst_restore_opts *o, struct mst_content *c,
                           struct mst_err *err)
{
    size_t i;

    widen(c);
    for (i = 0; i < c->final.n; i++) {
        struct mst_map_coll *m = &c->final.c[i];

        m->wanted = !m->dropped && !m->left_out && mst_name_wanted(o, m->db, m->coll) &&
                    !(i < c->s->n && c->s->colls[i].kind == MST_SRC_DROPPED);
        if (m->wanted) {
            struct mst_content_ns *ns = add(c, m->db, m->coll);

            ns->has_uuid = m->has_uuid;
            memcpy(ns->uuid, m->uuid, sizeof ns->uuid);
            ns->options = bson_copy(m->options);
            ns->indexes = indexes_of(c, i);
            ns->src = i < c->s->n ? i : SIZE_MAX;
        }
    }
    for (i = 0; i < c->final.n_views; i++) {
        const struct mst_map_view *v = &c->final.v[i];

        if (!v->dropped && mst_name_wanted(o, v->db, v->coll)) {
            struct mst_content_ns *ns = add(c, v->db, v->coll);

            ns->view = true;
            ns->options = view_options(v->options);
            ns->indexes = bson_new();
        }
    }
    if (c->n) {
        qsort(c->ns, c->n, sizeof *c->ns, by_name);
    }
    for (i = 1; i < c->n; i++) {
        if (by_name(&c->ns[i - 1], &c->ns[i]) == 0) {
            return mst_err_set(err, MST_E_INTEGRITY,
                               "two collections have one name at the end of the backup");
        }
    }
    return MST_OK;
}

/* ---- second: what is written ---- */

struct writer {
    const struct mst_content *c;
    struct mst_map now; /* the elements have the numbers of c->final */
    mst_content_fn *fn;
    void *arg;
    uint64_t ops;
    struct mst_doubles *twice; /* to be filled, or NULL */
};

static enum mst_rc put_entry(struct writer *w, const struct mst_oplog_entry *e, size_t i,
                             struct mst_err *err)
{
    const struct mst_map_coll *m = &w->c->final.c[i];
    char ns[MST_NS_MAX];
    const char op[2] = {e->op, 0};
    bson_t b = BSON_INITIALIZER, o;
    enum mst_rc rc;

    (void)snprintf(ns, sizeof ns, "%s.%s", m->db, e->op == 'c' ? "$cmd" : m->coll);
    BSON_APPEND_TIMESTAMP(&b, "ts", e->at.ts.t, e->at.ts.i);
    BSON_APPEND_INT64(&b, "t", e->at.term);
    BSON_APPEND_INT64(&b, "v", 2);
    BSON_APPEND_UTF8(&b, "op", op);
    BSON_APPEND_UTF8(&b, "ns", ns);
    if (e->has_ui) {
        BSON_APPEND_BINARY(&b, "ui", BSON_SUBTYPE_UUID, e->ui, 16);
    }
    if (e->op == 'c') {
        BSON_APPEND_DOCUMENT_BEGIN(&b, "o", &o);
        BSON_APPEND_UTF8(&o, "emptycapped", m->coll);
        bson_append_document_end(&b, &o);
    } else {
        BSON_APPEND_DOCUMENT(&b, "o", &e->o);
    }
    if (e->has_o2 && e->op == 'u') {
        BSON_APPEND_DOCUMENT(&b, "o2", &e->o2);
    }
    if (e->upsert) {
        BSON_APPEND_BOOL(&b, "b", true);
    }
    w->ops++;
    rc = b.len > MST_OPLOG_ENTRY_MAX
             ? mst_err_set(err, MST_E_LIMIT, "oplog entry %u.%u is larger than an entry may be",
                           e->at.ts.t, e->at.ts.i)
         : w->fn ? w->fn(w->arg, &b, err)
                 : MST_OK;
    bson_destroy(&b);
    return rc;
}

/* What it leads to was counted when it was read first; a store may send something else since. */
static enum mst_rc changed(struct mst_err *err)
{
    return mst_err_set(err, MST_E_INTEGRITY,
                       "the oplog has other entries than when it was read first: it changed");
}

static enum mst_rc second_op(void *arg, const struct mst_oplog_entry *e, struct mst_err *err)
{
    struct writer *w = arg;
    enum mst_map_effect effect = MST_MAP_NOTHING;
    struct mst_map_coll *who = NULL;
    const bool ddl = e->op == 'c' || of_views(e);
    size_t i;

    if (ddl && mst_map_apply(&w->now, e, &effect, &who, err) != MST_OK) {
        return err->rc;
    }
    if (!ddl) {
        who = mst_map_find(&w->now, e);
    } else if (effect != MST_MAP_EMPTIED) {
        return MST_OK;
    }
    i = who ? (size_t)(who - w->now.c) : 0;
    if (who && i >= w->c->final.n) {
        return changed(err);
    }
    if (!who || !w->c->final.c[i].wanted) {
        return MST_OK;
    }
    if (w->twice && (e->op == 'i' || e->upsert) &&
        !mst_doubles_add(w->twice, i, e->op == 'i' ? &e->o : &e->o2)) {
        return changed(err);
    }
    return put_entry(w, e, i, err);
}

static enum mst_rc write_all(const struct mst_content *c, struct mst_task *task, struct writer *w,
                             struct mst_oplog_report *report, struct mst_err *err)
{
    enum mst_rc rc;

    w->c = c;
    mst_map_init(&w->now, c->s);
    rc = read_all(c, task, second_op, w, report, err);
    mst_map_release(&w->now);
    return rc;
}

enum mst_rc mst_content_oplog(const struct mst_content *c, struct mst_task *task,
                              mst_content_fn *fn, void *arg, struct mst_err *err)
{
    struct writer w = {.fn = fn, .arg = arg};
    struct mst_oplog_report report;
    enum mst_rc rc = write_all(c, task, &w, &report, err);

    if (rc == MST_OK && w.ops != c->ops) {
        rc = mst_err_set(
            err, MST_E_INTEGRITY,
            "the oplog gave %llu of what it gave when it was read first (%llu): it changed",
            (unsigned long long)w.ops, (unsigned long long)c->ops);
    }
    return rc;
}

enum mst_rc mst_content_read(const struct mst_restore_opts *o, struct mst_restore_source *s,
                             struct mst_task *task, struct mst_content *c, struct mst_err *err)
{
    struct writer count = {.fn = NULL};
    struct mst_oplog_report report = {0};
    enum mst_rc rc = MST_OK;

    memset(c, 0, sizeof *c);
    c->s = s;
    c->spill_dir = o->spill_dir;
    mst_map_init(&c->final, s);
    if (s->has_oplog) {
        rc = read_all(c, task, first_op, c, &report, err);
        c->txn_open = report.txn_open;
    }
    rc = rc == MST_OK ? collect(o, c, err) : rc;
    if (rc == MST_OK && s->has_oplog) {
        rc = mst_doubles_new(c->inserts, c->spill_dir, &c->twice, err);
        count.twice = c->twice;
    }
    if (rc == MST_OK && s->has_oplog) {
        rc = write_all(c, task, &count, &report, err);
        c->ops = count.ops;
    }
    return rc;
}

void mst_content_release(struct mst_content *c)
{
    size_t i;

    for (i = 0; i < c->n; i++) {
        bson_destroy(c->ns[i].options);
        bson_destroy(c->ns[i].indexes);
    }
    for (i = 0; i < c->final.n && i < c->cap_id_index; i++) {
        bson_destroy(c->id_index[i]);
    }
    mst_doubles_free(c->twice);
    free(c->ns);
    free(c->id_index);
    free(c->changed);
    mst_map_release(&c->final);
    memset(c, 0, sizeof *c);
}
