/* map.c: names, options and indexes by UUID. */
#include "restore/map.h"

#include <string.h>

#include "base/mem.h"

static const char *text_of(const bson_t *b, const char *key)
{
    bson_iter_t it;

    return bson_iter_init_find(&it, b, key) && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL)
                                                                         : "";
}

static struct mst_map_coll *add(struct mst_map *m)
{
    struct mst_map_coll *c;

    mst_grow((void **)&m->c, &m->cap, m->n + 1, sizeof *m->c);
    c = &m->c[m->n++];
    memset(c, 0, sizeof *c);
    return c;
}

static size_t index_at(const struct mst_map_coll *c, const char *name)
{
    size_t i;

    for (i = 0; i < c->n_indexes && strcmp(text_of(c->indexes[i], "name"), name) != 0; i++) {
    }
    return i;
}

static void index_remove(struct mst_map_coll *c, size_t i)
{
    bson_destroy(c->indexes[i]);
    memmove(&c->indexes[i], &c->indexes[i + 1], (--c->n_indexes - i) * sizeof *c->indexes);
}

/* spec without the fields that name its place; the _id index is no concern of ours. */
static void index_put(struct mst_map_coll *c, const bson_t *spec)
{
    bson_t *clean = bson_new();
    bson_iter_t it;
    size_t i;

    if (bson_iter_init(&it, spec)) {
        while (bson_iter_next(&it)) {
            const char *key = bson_iter_key(&it);

            if (strcmp(key, "ns") != 0 && strcmp(key, "createIndexes") != 0) {
                (void)bson_append_iter(clean, key, -1, &it);
            }
        }
    }
    if (strcmp(text_of(clean, "name"), "_id_") == 0 || bson_has_field(clean, "clustered")) {
        bson_destroy(clean);
        return;
    }
    i = index_at(c, text_of(clean, "name"));
    if (i < c->n_indexes) {
        bson_destroy(c->indexes[i]);
        c->indexes[i] = clean;
        return;
    }
    mst_grow((void **)&c->indexes, &c->cap_indexes, c->n_indexes + 1, sizeof *c->indexes);
    c->indexes[c->n_indexes++] = clean;
}

static void each_doc(const bson_t *b, const char *key, struct mst_map_coll *c)
{
    bson_iter_t it, in;
    const uint8_t *p = NULL;
    uint32_t n = 0;
    bson_t doc;

    if (key ? !bson_iter_init_find(&it, b, key) || !bson_iter_recurse(&it, &in)
            : !bson_iter_init(&in, b)) {
        return;
    }
    while (bson_iter_next(&in)) {
        if (BSON_ITER_HOLDS_DOCUMENT(&in)) {
            bson_iter_document(&in, &n, &p);
            if (bson_init_static(&doc, p, n)) {
                index_put(c, &doc);
            }
        }
    }
}

static struct mst_map_view *view_at(struct mst_map *m, const char *db, const char *coll)
{
    size_t i;

    for (i = 0; i < m->n_views; i++) {
        if (strcmp(m->v[i].coll, coll) == 0 && strcmp(m->v[i].db, db) == 0) {
            return &m->v[i];
        }
    }
    return NULL;
}

/* def is options of a view, or its document in system.views. */
static void view_put(struct mst_map *m, const char *db, const char *coll, const bson_t *def)
{
    struct mst_map_view *v = view_at(m, db, coll);
    bson_iter_t it;

    if (!v) {
        mst_grow((void **)&m->v, &m->cap_views, m->n_views + 1, sizeof *m->v);
        v = &m->v[m->n_views++];
        memset(v, 0, sizeof *v);
        (void)mst_copy(v->db, sizeof v->db, db);
        (void)mst_copy(v->coll, sizeof v->coll, coll);
    } else {
        bson_destroy(v->options);
    }
    v->dropped = false;
    v->options = bson_new();
    if (bson_iter_init(&it, def)) {
        while (bson_iter_next(&it)) {
            if (strcmp(bson_iter_key(&it), "_id") != 0) {
                (void)bson_append_iter(v->options, bson_iter_key(&it), -1, &it);
            }
        }
    }
}

void mst_map_init(struct mst_map *m, const struct mst_restore_source *s)
{
    size_t i;

    memset(m, 0, sizeof *m);
    for (i = 0; i < s->n; i++) {
        const struct mst_src_coll *from = &s->colls[i];
        struct mst_map_coll *c = add(m);

        c->has_uuid = from->has_uuid;
        memcpy(c->uuid, from->uuid, 16);
        (void)mst_copy(c->db, sizeof c->db, from->db);
        (void)mst_copy(c->coll, sizeof c->coll, from->coll);
        (void)mst_copy(c->begun, sizeof c->begun, from->coll);
        c->left_out = from->kind == MST_SRC_LEFT_OUT || from->kind == MST_SRC_VIEW;
        c->options = bson_copy(from->options);
        if (from->kind == MST_SRC_VIEW) {
            view_put(m, from->db, from->coll, from->options);
            c->dropped = true; /* takes no part as a collection */
        } else {
            each_doc(from->indexes, NULL, c);
        }
    }
    m->from_source = m->n;
}

void mst_map_release(struct mst_map *m)
{
    size_t i, k;

    for (i = 0; i < m->n; i++) {
        for (k = 0; k < m->c[i].n_indexes; k++) {
            bson_destroy(m->c[i].indexes[k]);
        }
        free(m->c[i].indexes);
        bson_destroy(m->c[i].options);
    }
    for (i = 0; i < m->n_views; i++) {
        bson_destroy(m->v[i].options);
    }
    free(m->c);
    free(m->v);
    memset(m, 0, sizeof *m);
}

bool mst_map_capped(const struct mst_map_coll *c)
{
    bson_iter_t it;

    return bson_iter_init_find(&it, c->options, "capped") && bson_iter_as_bool(&it);
}

static struct mst_map_coll *by_uuid(struct mst_map *m, const uint8_t uuid[16])
{
    size_t i;

    for (i = 0; i < m->n; i++) {
        if (m->c[i].has_uuid && memcmp(m->c[i].uuid, uuid, 16) == 0) {
            return &m->c[i];
        }
    }
    return NULL;
}

struct mst_map_coll *mst_map_by_name(struct mst_map *m, const char *db, const char *coll)
{
    size_t i;

    for (i = 0; i < m->n; i++) {
        if (!m->c[i].dropped && strcmp(m->c[i].coll, coll) == 0 && strcmp(m->c[i].db, db) == 0) {
            return &m->c[i];
        }
    }
    return NULL;
}

/* "db.coll" in two. */
static bool split(const char *ns, char db[64], char coll[MST_COLL_MAX])
{
    const size_t n = mst_oplog_db_len(ns);

    if (n >= 64 || ns[n] != '.') {
        return false;
    }
    memcpy(db, ns, n);
    db[n] = 0;
    return mst_copy(coll, MST_COLL_MAX, ns + n + 1);
}

struct mst_map_coll *mst_map_find(struct mst_map *m, const struct mst_oplog_entry *e)
{
    char ns[MST_NS_MAX], db[64], coll[MST_COLL_MAX];

    if (e->has_ui) {
        return by_uuid(m, e->ui);
    }
    return mst_oplog_cmd_ns(e, ns) && split(ns, db, coll) ? mst_map_by_name(m, db, coll) : NULL;
}

static void set_options(bson_t **to, const bson_t *from, const char *const *skip, size_t n_skip)
{
    bson_t *b = bson_new();
    bson_iter_t it;
    size_t i;

    if (bson_iter_init(&it, from)) {
        while (bson_iter_next(&it)) {
            for (i = 0; i < n_skip && strcmp(skip[i], bson_iter_key(&it)) != 0; i++) {
            }
            if (i == n_skip) {
                (void)bson_append_iter(b, bson_iter_key(&it), -1, &it);
            }
        }
    }
    bson_destroy(*to);
    *to = b;
}

static enum mst_rc create(struct mst_map *m, const struct mst_oplog_entry *e,
                          enum mst_map_effect *effect, struct mst_map_coll **who,
                          struct mst_err *err)
{
    static const char *const skip[] = {"create", "idIndex", "temp", "recordIdsReplicated"};
    char ns[MST_NS_MAX], db[64], coll[MST_COLL_MAX];
    struct mst_map_coll *c = mst_map_find(m, e);

    if (c) { /* the listing saw it already */
        return MST_OK;
    }
    if (!mst_oplog_cmd_ns(e, ns) || !split(ns, db, coll)) {
        return mst_err_set(err, MST_E_INTEGRITY, "oplog entry %u.%u: create without a name",
                           e->at.ts.t, e->at.ts.i);
    }
    if (bson_has_field(&e->o, "viewOn")) {
        view_put(m, db, coll, &e->o);
        return MST_OK;
    }
    c = add(m);
    c->has_uuid = e->has_ui;
    memcpy(c->uuid, e->ui, 16);
    (void)mst_copy(c->db, sizeof c->db, db);
    (void)mst_copy(c->coll, sizeof c->coll, coll);
    c->options = bson_new();
    set_options(&c->options, &e->o, skip, MST_COUNT(skip));
    *effect = MST_MAP_CREATED;
    *who = c;
    return MST_OK;
}

static void rename_to(struct mst_map *m, const struct mst_oplog_entry *e,
                      enum mst_map_effect *effect, struct mst_map_coll **who)
{
    struct mst_map_coll *c = mst_map_find(m, e), *target = NULL;
    char db[64], coll[MST_COLL_MAX];
    bson_iter_t it;
    bson_subtype_t sub;
    uint32_t n = 0;
    const uint8_t *p = NULL;

    if (!split(text_of(&e->o, "to"), db, coll)) {
        return;
    }
    if (bson_iter_init_find(&it, &e->o, "dropTarget")) {
        if (BSON_ITER_HOLDS_BINARY(&it)) {
            bson_iter_binary(&it, &sub, &n, &p);
            target = n == 16 ? by_uuid(m, p) : NULL;
        } else if (bson_iter_as_bool(&it)) {
            target = mst_map_by_name(m, db, coll);
        }
    }
    if (target && target != c && !target->dropped) {
        target->dropped = true;
        *effect = MST_MAP_DROPPED;
        *who = target;
    }
    if (c) {
        (void)mst_copy(c->db, sizeof c->db, db);
        (void)mst_copy(c->coll, sizeof c->coll, coll);
    }
}

static void drop_indexes(struct mst_map_coll *c, const bson_t *o)
{
    bson_iter_t it;
    size_t i;

    if (!bson_iter_init_find(&it, o, "index")) {
        return;
    }
    if (BSON_ITER_HOLDS_UTF8(&it)) {
        const char *name = bson_iter_utf8(&it, NULL);

        for (i = c->n_indexes; i-- > 0;) {
            if (strcmp(name, "*") == 0 || strcmp(name, text_of(c->indexes[i], "name")) == 0) {
                index_remove(c, i);
            }
        }
    }
}

/* The index that collMod names, by name or by key. */
static size_t index_named(const struct mst_map_coll *c, const bson_t *mod)
{
    bson_iter_t it, have;
    size_t i;

    if (bson_iter_init_find(&it, mod, "name") && BSON_ITER_HOLDS_UTF8(&it)) {
        return index_at(c, bson_iter_utf8(&it, NULL));
    }
    if (bson_iter_init_find(&it, mod, "keyPattern")) {
        for (i = 0; i < c->n_indexes; i++) {
            if (bson_iter_init_find(&have, c->indexes[i], "key") &&
                bson_iter_value(&have)->value.v_doc.data_len ==
                    bson_iter_value(&it)->value.v_doc.data_len &&
                memcmp(bson_iter_value(&have)->value.v_doc.data,
                       bson_iter_value(&it)->value.v_doc.data,
                       bson_iter_value(&it)->value.v_doc.data_len) == 0) {
                return i;
            }
        }
    }
    return c->n_indexes;
}

/* b with each field of mod (except those that name) in place of its own. */
static void overlay(bson_t **b, const bson_t *mod, const char *const *names, size_t n_names)
{
    bson_t *out = bson_new();
    bson_iter_t it, in;
    size_t i;

    if (bson_iter_init(&it, *b)) {
        while (bson_iter_next(&it)) {
            if (!bson_iter_init_find(&in, mod, bson_iter_key(&it)) ||
                strcmp(bson_iter_key(&it), "name") == 0) {
                (void)bson_append_iter(out, bson_iter_key(&it), -1, &it);
            }
        }
    }
    if (bson_iter_init(&it, mod)) {
        while (bson_iter_next(&it)) {
            for (i = 0; i < n_names && strcmp(names[i], bson_iter_key(&it)) != 0; i++) {
            }
            if (i == n_names) {
                (void)bson_append_iter(out, bson_iter_key(&it), -1, &it);
            }
        }
    }
    bson_destroy(*b);
    *b = out;
}

static void coll_mod(struct mst_map_coll *c, const bson_t *o)
{
    static const char *const naming[] = {"name", "keyPattern"};
    static const char *const not_options[] = {"collMod", "index", "noPadding", "usePowerOf2Sizes"};
    bson_iter_t it;
    const uint8_t *p = NULL;
    uint32_t n = 0;
    bson_t mod;

    if (bson_iter_init_find(&it, o, "index") && BSON_ITER_HOLDS_DOCUMENT(&it)) {
        size_t i;

        bson_iter_document(&it, &n, &p);
        if (bson_init_static(&mod, p, n) && (i = index_named(c, &mod)) < c->n_indexes) {
            overlay(&c->indexes[i], &mod, naming, MST_COUNT(naming));
        }
    }
    overlay(&c->options, o, not_options, MST_COUNT(not_options));
    c->ddl = true;
}

static void drop_db(struct mst_map *m, const struct mst_oplog_entry *e)
{
    char db[64];
    size_t i;
    const size_t n = mst_oplog_db_len(e->ns);

    if (n >= sizeof db) {
        return;
    }
    memcpy(db, e->ns, n);
    db[n] = 0;
    for (i = 0; i < m->n; i++) {
        if (strcmp(m->c[i].db, db) == 0) {
            m->c[i].dropped = true;
        }
    }
    for (i = 0; i < m->n_views; i++) {
        if (strcmp(m->v[i].db, db) == 0) {
            m->v[i].dropped = true;
        }
    }
}

/* A write to <db>.system.views, or the drop of all of them. */
static void views(struct mst_map *m, const struct mst_oplog_entry *e)
{
    char db[64], coll[MST_COLL_MAX];
    struct mst_map_view *v;
    const bson_t *id = e->has_o2 ? &e->o2 : &e->o;
    size_t i;

    if (e->op == 'c') {
        if (split(e->ns, db, coll)) {
            for (i = 0; i < m->n_views; i++) {
                m->v[i].dropped = m->v[i].dropped || strcmp(m->v[i].db, db) == 0;
            }
        }
        return;
    }
    if (!split(text_of(id, "_id"), db, coll)) {
        return;
    }
    if (e->op == 'd') {
        v = view_at(m, db, coll);
        if (v) {
            v->dropped = true;
        }
    } else if (bson_has_field(&e->o, "viewOn")) { /* inserts and whole documents */
        view_put(m, db, coll, &e->o);
    }
}

enum mst_rc mst_map_apply(struct mst_map *m, const struct mst_oplog_entry *e,
                          enum mst_map_effect *effect, struct mst_map_coll **who,
                          struct mst_err *err)
{
    struct mst_map_coll *c;
    const struct mst_oplog_rule *r = mst_oplog_judge(e);

    *effect = MST_MAP_NOTHING;
    *who = NULL;
    if (strcmp(r->id, "views") == 0 || strcmp(r->id, "views-drop") == 0) {
        if (e->op == 'u' && !bson_has_field(&e->o, "viewOn")) {
            return mst_err_set(err, MST_E_PRECOND,
                               "oplog entry %u.%u changes a view by parts, which this version "
                               "does not carry",
                               e->at.ts.t, e->at.ts.i);
        }
        views(m, e);
        return MST_OK;
    }
    if (strcmp(e->cmd, "create") == 0) {
        return create(m, e, effect, who, err);
    }
    if (strcmp(e->cmd, "dropDatabase") == 0) {
        drop_db(m, e);
        *effect = MST_MAP_DROPPED;
        return MST_OK;
    }
    if (strcmp(e->cmd, "renameCollection") == 0) {
        rename_to(m, e, effect, who);
        return MST_OK;
    }
    c = mst_map_find(m, e);
    if (!c) {
        return MST_OK;
    }
    if (strcmp(e->cmd, "drop") == 0) {
        c->dropped = true;
        *effect = MST_MAP_DROPPED;
        *who = c;
    } else if (strcmp(e->cmd, "createIndexes") == 0) {
        if (bson_has_field(&e->o, "key")) {
            index_put(c, &e->o);
        } else {
            each_doc(&e->o, "indexes", c);
        }
    } else if (strcmp(e->cmd, "commitIndexBuild") == 0) {
        each_doc(&e->o, "indexes", c);
    } else if (strcmp(e->cmd, "dropIndexes") == 0 || strcmp(e->cmd, "deleteIndexes") == 0) {
        drop_indexes(c, &e->o);
    } else if (strcmp(e->cmd, "collMod") == 0) {
        coll_mod(c, &e->o);
    } else if (strcmp(e->cmd, "emptycapped") == 0) {
        *effect = MST_MAP_EMPTIED;
        *who = c;
        c->ddl = true;
    }
    return MST_OK;
}
