/* createIndexes, dropIndexes, listIndexes, collMod. */
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_data.h"
#include "set/set.h"

static const uint8_t empty[] = {5, 0, 0, 0, 0};

static void spec_fields(struct sbx_out *o, struct sbx_doc spec)
{
    struct sbx_it it;

    sbx_it_init(&it, spec);
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, "ns") != 0) {
            sbx_out_valn(o, it.key, it.klen, it.v);
        }
    }
}

/* createIndexes: the specification without its ns. */
void sbx_log_index(struct sbx_call *c, const struct sbx_coll *coll, struct sbx_doc spec)
{
    struct sbx_op op;
    char db[SBX_NS_MAX];
    size_t m;

    snprintf(db, sizeof db, "%.*s", (int)coll->db_len, coll->ns);
    sbx_op_command(&op, db, coll->uuid);
    m = sbx_out_sub(&op.b, "o", SBX_OBJECT);
    sbx_out_str(&op.b, "createIndexes", sbx_coll_name(coll));
    spec_fields(&op.b, spec);
    sbx_out_end(&op.b, m);
    sbx_op_log(c, &op, coll->ns);
}

static void log_build(struct sbx_call *c, const struct sbx_coll *coll, const char *what,
                      const uint8_t *build, const struct sbx_list *specs)
{
    struct sbx_op op;
    size_t m, a;

    sbx_op_command(&op, c->db, coll->uuid);
    m = sbx_out_sub(&op.b, "o", SBX_OBJECT);
    sbx_out_str(&op.b, what, sbx_coll_name(coll));
    sbx_out_uuid(&op.b, "indexBuildUUID", build);
    a = sbx_out_sub(&op.b, "indexes", SBX_ARRAY);
    for (size_t i = 0; i < specs->n; i++) {
        sbx_out_index(&op.b, (unsigned)i, sbx_doc_val(sbx_list_get(specs, i)));
    }
    sbx_out_end(&op.b, a);
    sbx_out_end(&op.b, m);
    sbx_op_log(c, &op, coll->ns);
}

static void log_noop(struct sbx_call *c, const char *ns)
{
    struct sbx_op op;
    struct mst_str s = {0};
    size_t m;

    mst_str_addf(&s, "Creating indexes. Coll: %s", ns);
    sbx_op_begin(&op, 'n', "", NULL);
    m = sbx_out_sub(&op.b, "o", SBX_OBJECT);
    sbx_out_str(&op.b, "msg", mst_str_c(&s));
    sbx_out_end(&op.b, m);
    sbx_op_log(c, &op, ns);
    mst_str_release(&s);
}

/* Does the collection have this index already? -1: refused. */
static int exists(struct sbx_call *c, const struct sbx_coll *coll, struct sbx_doc spec)
{
    const char *name = sbx_val_str(sbx_doc_get(spec, "name"), NULL);
    const struct sbx_doc key = sbx_val_doc(sbx_doc_get(spec, "key"));
    const struct sbx_index *x = sbx_index_find(coll, name);

    if (x && sbx_doc_cmp(sbx_val_doc(sbx_doc_get(sbx_out_done(&x->spec), "key")), key) != 0) {
        struct mst_str a = {0}, b = {0};

        sbx_doc_text(spec, &a);
        sbx_doc_text(sbx_out_done(&x->spec), &b);
        sbx_fail(c, 86,
                 "Index must have unique name.The existing index: %s has the same name as the "
                 "requested index: %s",
                 mst_str_c(&b), mst_str_c(&a));
        mst_str_release(&a);
        mst_str_release(&b);
        return -1;
    }
    if (!x) {
        x = sbx_index_by_key(coll, key);
        if (x && x->id) {
            return 1;
        }
        if (x) {
            sbx_fail(c, 85, "Index with name: %s already exists with a different name", name);
            return -1;
        }
        return 0;
    }
    if (x->unique != sbx_val_true(sbx_doc_get(spec, "unique")) ||
        x->sparse != sbx_val_true(sbx_doc_get(spec, "sparse")) ||
        !sbx_val_eq(sbx_doc_get(sbx_out_done(&x->spec), "expireAfterSeconds"),
                    sbx_doc_get(spec, "expireAfterSeconds"))) {
        sbx_fail(c, 85, "Index with name: %s already exists with different options", name);
        return -1;
    }
    return 1;
}

/* The specifications that are new, in their complete form. */
static bool new_specs(struct sbx_call *c, const struct sbx_coll *coll, struct sbx_list *specs)
{
    const struct sbx_val list = sbx_cmd_arg(c, "indexes");
    struct sbx_it it;

    if (list.type != SBX_ARRAY || sbx_doc_empty(sbx_val_doc(list))) {
        sbx_fail(c, 2, "Must specify at least one index to create");
        return false;
    }
    sbx_it_init(&it, sbx_val_doc(list));
    while (!c->failed && sbx_it_next(&it)) {
        struct sbx_out full = {0};
        struct sbx_why why = {0};

        if (it.v.type != SBX_OBJECT) {
            sbx_fail(c, 14, "The elements of the 'indexes' array must be objects, but got %s",
                     sbx_type_name(it.v.type));
        } else if (!sbx_index_normal(coll, sbx_val_doc(it.v), &full, &why)) {
            sbx_cmd_fail(c, &why);
        } else if (exists(c, coll, sbx_out_done(&full)) == 0) {
            sbx_list_add(specs, sbx_out_done(&full));
        }
        sbx_out_release(&full);
    }
    return !c->failed;
}

static void build_specs(struct sbx_call *c, struct sbx_coll *coll, const struct sbx_list *specs)
{
    const bool old = c->w->profile->server == SBX_42;
    const bool two_phase = !old && coll->count > 0;
    uint8_t build[16];
    size_t i;
    struct sbx_why why = {0};
    struct sbx_dup dup = {0};

    sbx_uuid_new(build);
    if (old) {
        log_noop(c, coll->ns);
    } else if (two_phase) {
        log_build(c, coll, "startIndexBuild", build, specs);
    }
    for (i = 0; i < specs->n && sbx_index_add(coll, sbx_list_get(specs, i), &dup, &why); i++) {
    }
    if (i < specs->n) { /* all or nothing */
        while (i-- > 0) {
            const char *name = sbx_val_str(sbx_doc_get(sbx_list_get(specs, i), "name"), NULL);

            sbx_index_drop(coll, sbx_index_find(coll, name));
        }
        if (two_phase) {
            log_build(c, coll, "abortIndexBuild", build, specs);
        }
        sbx_cmd_fail(c, &why);
        sbx_cmd_fail_dup(c, &dup);
        return;
    }
    if (two_phase) {
        log_build(c, coll, "commitIndexBuild", build, specs);
    }
    for (i = 0; i < specs->n && !two_phase; i++) {
        sbx_log_index(c, coll, sbx_list_get(specs, i));
    }
}

void sbx_cmd_create_indexes(struct sbx_call *c)
{
    struct sbx_list specs = {0};
    struct sbx_why why = {0};
    struct sbx_coll *coll;
    char ns[SBX_NS_MAX];
    unsigned before;
    bool made;

    if (!sbx_cmd_ns(c, ns) || !sbx_cmd_no_view(c, ns) || !sbx_wait_unheld(c, ns)) {
        return;
    }
    coll = sbx_data_coll(c->m->data, ns);
    made = coll == NULL;
    if (made) {
        coll = sbx_make_coll(c, ns, sbx_doc(empty, 5), &why);
    }
    if (!coll) {
        sbx_cmd_fail(c, &why);
        return;
    }
    before = sbx_index_count(coll);
    if (new_specs(c, coll, &specs) && specs.n) {
        build_specs(c, coll, &specs);
    }
    if (!c->failed) {
        const unsigned after = sbx_index_count(coll);

        BSON_APPEND_BOOL(c->reply, "createdCollectionAutomatically", made);
        BSON_APPEND_INT32(c->reply, "numIndexesBefore", (int32_t)before);
        BSON_APPEND_INT32(c->reply, "numIndexesAfter", (int32_t)after);
        if (before == after) {
            BSON_APPEND_UTF8(c->reply, "note", "all indexes already exist");
        }
    }
    sbx_list_release(&specs);
}

/* ---- dropIndexes ---- */

static void drop_one(struct sbx_call *c, struct sbx_coll *coll, struct sbx_index *x)
{
    struct sbx_op op;
    size_t m;

    sbx_op_command(&op, c->db, coll->uuid);
    sbx_out_doc(&op.b, "o2", sbx_out_done(&x->spec));
    m = sbx_out_sub(&op.b, "o", SBX_OBJECT);
    sbx_out_str(&op.b, "dropIndexes", sbx_coll_name(coll));
    sbx_out_str(&op.b, "index", x->name);
    sbx_out_end(&op.b, m);
    sbx_op_log(c, &op, coll->ns);
    sbx_index_drop(coll, x);
}

static void drop_named(struct sbx_call *c, struct sbx_coll *coll, struct sbx_val which)
{
    const char *name = sbx_val_str(which, NULL);
    struct sbx_index *x = NULL;

    if (name) {
        x = sbx_index_find(coll, name);
    } else if (which.type == SBX_OBJECT) {
        x = sbx_index_by_key(coll, sbx_val_doc(which));
    }
    if (!x && name) {
        sbx_fail(c, 27, "index not found with name [%s]", name);
    } else if (!x) {
        struct mst_str s = {0};

        sbx_val_text(which, &s);
        sbx_fail(c, 27, "can't find index with key: %s", mst_str_c(&s));
        mst_str_release(&s);
    } else if (x->id) {
        sbx_fail(c, 72, "cannot drop _id index");
    } else {
        drop_one(c, coll, x);
    }
}

void sbx_cmd_drop_indexes(struct sbx_call *c)
{
    const struct sbx_val which = sbx_cmd_arg(c, "index");
    struct sbx_coll *coll;
    char ns[SBX_NS_MAX];
    unsigned was;

    if (!sbx_cmd_ns(c, ns) || !sbx_cmd_no_view(c, ns) || !sbx_wait_unheld(c, ns)) {
        return;
    }
    coll = sbx_data_coll(c->m->data, ns);
    if (!coll) {
        sbx_fail(c, 26, "ns not found");
        return;
    }
    was = sbx_index_count(coll);
    if (sbx_val_streq(which, "*")) {
        while (coll->indexes->next) {
            drop_one(c, coll, coll->indexes->next);
        }
    } else if (which.type == SBX_ARRAY) {
        struct sbx_it it;

        sbx_it_init(&it, sbx_val_doc(which));
        while (!c->failed && sbx_it_next(&it)) {
            drop_named(c, coll, it.v);
        }
    } else {
        drop_named(c, coll, which);
    }
    if (!c->failed) {
        BSON_APPEND_INT32(c->reply, "nIndexesWas", (int32_t)was);
        if (sbx_val_streq(which, "*")) {
            BSON_APPEND_UTF8(c->reply, "msg", "non-_id indexes dropped for collection");
        }
    }
}

void sbx_cmd_list_indexes(struct sbx_call *c)
{
    struct sbx_coll *coll = NULL;
    const uint8_t *uuid;
    struct sbx_it first;
    struct sbx_out batch = {0};
    char ns[SBX_NS_MAX];
    unsigned n = 0;
    size_t m;

    sbx_doc_first(sbx_cmd_doc(c), &first);
    uuid = sbx_val_uuid(first.v);
    if (uuid) {
        coll = sbx_data_by_uuid(c->m->data, uuid);
        mst_copy(ns, sizeof ns, coll ? coll->ns : "");
    } else if (!sbx_cmd_ns(c, ns) || !sbx_cmd_no_view(c, ns)) {
        return;
    } else {
        coll = sbx_data_coll(c->m->data, ns);
    }
    if (!coll) {
        sbx_fail(c, 26, "ns does not exist: %s", ns);
        return;
    }
    m = sbx_out_begin(&batch);
    for (const struct sbx_index *x = coll->indexes; x; x = x->next) {
        sbx_out_index(&batch, n++, sbx_doc_val(sbx_out_done(&x->spec)));
    }
    sbx_out_end(&batch, m);
    sbx_reply_cursor(c, ns, sbx_out_done(&batch));
    sbx_out_release(&batch);
}

/* ---- collMod ---- */

struct mod {
    struct sbx_out o; /* the entry's o: numbers as the server stores them */
    struct sbx_val old_expire, new_expire;
};

static void index_part(const struct sbx_index *x, struct sbx_doc in, struct mod *mod)
{
    const size_t m = sbx_out_sub(&mod->o, "index", SBX_OBJECT);
    struct sbx_it it;

    sbx_out_str(&mod->o, "name", x->name);
    sbx_it_init(&it, in);
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, "expireAfterSeconds") == 0) {
            mod->old_expire = sbx_doc_get(sbx_out_done(&x->spec), "expireAfterSeconds");
            mod->new_expire = it.v;
            sbx_out_i64(&mod->o, it.key, sbx_val_i64(it.v));
        } else if (strcmp(it.key, "name") != 0 && strcmp(it.key, "keyPattern") != 0) {
            sbx_out_valn(&mod->o, it.key, it.klen, it.v);
        }
    }
    sbx_out_end(&mod->o, m);
}

static bool mod_parse(struct sbx_call *c, const struct sbx_coll *coll, struct mod *mod)
{
    static const char *const options[] = {"index", "validator", "validationLevel",
                                          "validationAction"};
    const struct sbx_val index = sbx_cmd_arg(c, "index"), v = sbx_cmd_arg(c, "validator");
    const size_t m = sbx_out_begin(&mod->o);
    struct sbx_why why = {0};

    if (!sbx_cmd_known(c, options, MST_COUNT(options))) {
        return false;
    }
    if (v.type == SBX_OBJECT && !sbx_match_check(sbx_val_doc(v), &why)) {
        return sbx_cmd_fail(c, &why);
    }
    sbx_out_str(&mod->o, "collMod", sbx_coll_name(coll));
    if (index.type == SBX_OBJECT) {
        const char *name = sbx_val_str(sbx_doc_get(sbx_val_doc(index), "name"), NULL);
        const struct sbx_val key = sbx_doc_get(sbx_val_doc(index), "keyPattern");
        const struct sbx_index *x = name ? sbx_index_find(coll, name)
                                    : key.type == SBX_OBJECT
                                        ? sbx_index_by_key(coll, sbx_val_doc(key))
                                        : NULL;

        if (!x) {
            sbx_fail(c, 27, "cannot find index %s for ns %s", name ? name : "{}", coll->ns);
            return false;
        }
        index_part(x, sbx_val_doc(index), mod);
    }
    for (size_t i = 1; i < MST_COUNT(options); i++) {
        const struct sbx_val opt = sbx_cmd_arg(c, options[i]);

        if (opt.type != SBX_EOO) {
            sbx_out_val(&mod->o, options[i], opt);
        }
    }
    sbx_out_end(&mod->o, m);
    return true;
}

static void mod_log(struct sbx_call *c, const struct sbx_coll *coll, const struct mod *mod)
{
    struct sbx_op op;
    struct sbx_it it;
    size_t m, old;

    sbx_op_command(&op, c->db, coll->uuid);
    m = sbx_out_sub(&op.b, "o2", SBX_OBJECT);
    old = sbx_out_sub(&op.b, "collectionOptions_old", SBX_OBJECT);
    sbx_out_uuid(&op.b, "uuid", coll->uuid);
    sbx_it_init(&it, sbx_out_done(&coll->options));
    while (sbx_it_next(&it)) {
        sbx_out_valn(&op.b, it.key, it.klen, it.v);
    }
    sbx_out_end(&op.b, old);
    if (mod->old_expire.type != SBX_EOO) {
        sbx_out_i64(&op.b, "expireAfterSeconds_old", sbx_val_i64(mod->old_expire));
    }
    sbx_out_end(&op.b, m);
    sbx_out_doc(&op.b, "o", sbx_out_done(&mod->o));
    sbx_op_log(c, &op, coll->ns);
}

static void mod_view(struct sbx_call *c, const char *ns, struct sbx_doc def)
{
    char views[SBX_NS_MAX];
    struct sbx_out q = {0}, u = {0};
    struct sbx_write w = {0};
    struct sbx_update_args a = {0};
    size_t m = sbx_out_begin(&q);
    const struct sbx_val on = sbx_cmd_arg(c, "viewOn"), pipe = sbx_cmd_arg(c, "pipeline");

    snprintf(views, sizeof views, "%.*s.system.views", 64, c->db);
    sbx_out_str(&q, "_id", ns);
    sbx_out_end(&q, m);
    m = sbx_out_begin(&u);
    sbx_out_str(&u, "_id", ns);
    sbx_out_val(&u, "viewOn", on.type == SBX_STRING ? on : sbx_doc_get(def, "viewOn"));
    sbx_out_val(&u, "pipeline", pipe.type == SBX_ARRAY ? pipe : sbx_doc_get(def, "pipeline"));
    sbx_out_end(&u, m);
    a.q = sbx_out_done(&q);
    a.u = sbx_out_done(&u);
    if (!sbx_write_update(c, views, &a, &w) && !c->failed) {
        sbx_cmd_fail(c, &w.why);
    }
    sbx_write_release(&w);
    sbx_out_release(&q);
    sbx_out_release(&u);
}

void sbx_cmd_coll_mod(struct sbx_call *c)
{
    struct mod mod = {0};
    struct sbx_why why = {0};
    struct sbx_coll *coll;
    struct sbx_doc def;
    char ns[SBX_NS_MAX];

    if (!sbx_cmd_ns(c, ns) || !sbx_wait_unheld(c, ns)) {
        return;
    }
    coll = sbx_data_coll(c->m->data, ns);
    if (!coll && sbx_data_view(c->m->data, ns, &def)) {
        mod_view(c, ns, def);
        return;
    }
    if (!coll) {
        sbx_fail(c, 26, "ns does not exist");
        return;
    }
    if (mod_parse(c, coll, &mod)) {
        if (mod.new_expire.type != SBX_EOO) {
            if (mod.old_expire.type != SBX_EOO) {
                sbx_reply_val(c->reply, "expireAfterSeconds_old", mod.old_expire);
            }
            sbx_reply_val(c->reply, "expireAfterSeconds_new", mod.new_expire);
        }
        mod_log(c, coll, &mod);
        if (!sbx_coll_mod(coll, sbx_out_done(&mod.o), &why)) {
            sbx_cmd_fail(c, &why);
        }
    }
    sbx_out_release(&mod.o);
}
