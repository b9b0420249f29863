/* Commands in the oplog, and what they share with the commands of clients. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/inner.h"

static const uint8_t empty[] = {5, 0, 0, 0, 0};

void sbx_data_drop_db(struct sbx_data *d, const char *db)
{
    const size_t n = strlen(db);
    struct sbx_coll *c = sbx_data_next(d, db), *next;

    for (; c; c = next) {
        next = sbx_data_next(d, c->ns);
        if (c->db_len == n && memcmp(c->ns, db, n) == 0) {
            sbx_data_drop(d, c);
        }
    }
}

/* A document again, with a field changed in its place or added. */
static void with_field(struct sbx_doc in, const char *key, struct sbx_val v, struct sbx_out *out)
{
    const size_t mark = sbx_out_begin(out);
    struct sbx_it it;
    bool found = false;

    sbx_it_init(&it, in);
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, key) == 0) {
            sbx_out_val(out, key, v);
            found = true;
        } else {
            sbx_out_valn(out, it.key, it.klen, it.v);
        }
    }
    if (!found) {
        sbx_out_val(out, key, v);
    }
    sbx_out_end(out, mark);
}

static bool mod_index(struct sbx_coll *c, struct sbx_doc m, struct sbx_why *why)
{
    static const char *const fields[] = {"expireAfterSeconds", "hidden"};
    const char *name = sbx_val_str(sbx_doc_get(m, "name"), NULL);
    const struct sbx_val key = sbx_doc_get(m, "keyPattern");
    struct sbx_index *x = name                     ? sbx_index_find(c, name)
                          : key.type == SBX_OBJECT ? sbx_index_by_key(c, sbx_val_doc(key))
                                                   : NULL;

    if (!x) {
        return sbx_why(why, 27, "cannot find index %s for ns %s", name ? name : "{}", c->ns);
    }
    for (size_t i = 0; i < MST_COUNT(fields); i++) {
        const struct sbx_val v = sbx_doc_get(m, fields[i]);
        struct sbx_out o = {0};

        if (v.type != SBX_EOO) {
            with_field(sbx_out_done(&x->spec), fields[i], v, &o);
            sbx_index_respec(x, sbx_out_done(&o));
            sbx_out_release(&o);
        }
    }
    return true;
}

bool sbx_coll_mod(struct sbx_coll *c, struct sbx_doc o, struct sbx_why *why)
{
    static const char *const fields[] = {"validator", "validationLevel", "validationAction"};
    const struct sbx_val index = sbx_doc_get(o, "index");

    if (index.type == SBX_OBJECT && !mod_index(c, sbx_val_doc(index), why)) {
        return false;
    }
    for (size_t i = 0; i < MST_COUNT(fields); i++) {
        const struct sbx_val v = sbx_doc_get(o, fields[i]);
        struct sbx_out all = {0};

        if (v.type != SBX_EOO) {
            with_field(sbx_out_done(&c->options), fields[i], v, &all);
            sbx_coll_set_options(c, sbx_out_done(&all));
            sbx_out_release(&all);
        }
    }
    return true;
}

struct cmd {
    struct sbx_data *d;
    struct sbx_doc op, o;
    char db[SBX_NS_MAX];
    char ns[SBX_NS_MAX]; /* of the collection that o's first field names */
    const uint8_t *ui;
};

static struct sbx_coll *target(const struct cmd *c)
{
    return c->ui ? sbx_data_by_uuid(c->d, c->ui) : sbx_data_coll(c->d, c->ns);
}

static bool do_create(struct cmd *c, struct sbx_why *why)
{
    const struct sbx_val id = sbx_doc_get(c->o, "idIndex");
    struct sbx_coll *there = sbx_data_coll(c->d, c->ns);
    const struct sbx_val view = sbx_doc_get(c->o, "viewOn");

    if (view.type != SBX_EOO || (there && (!c->ui || memcmp(there->uuid, c->ui, 16) == 0)) ||
        (c->ui && sbx_data_by_uuid(c->d, c->ui))) {
        return true;
    }
    if (there) {
        sbx_data_drop(c->d, there);
    }
    return sbx_data_create(c->d, c->ns, c->ui, c->o,
                           id.type == SBX_OBJECT ? sbx_val_doc(id) : sbx_doc(empty, 5),
                           why) != NULL;
}

static bool do_drop(struct cmd *c, struct sbx_why *why)
{
    struct sbx_coll *t = target(c);

    (void)why;
    if (t) {
        sbx_data_drop(c->d, t);
    }
    return true;
}

static bool do_rename(struct cmd *c, struct sbx_why *why)
{
    const char *from = sbx_val_str(sbx_doc_get(c->o, "renameCollection"), NULL);
    const char *to = sbx_val_str(sbx_doc_get(c->o, "to"), NULL);
    const struct sbx_val drop = sbx_doc_get(c->o, "dropTarget");
    const uint8_t *drop_uuid = sbx_val_uuid(drop);
    struct sbx_coll *t, *old;

    if (!from || !to) {
        return sbx_why(why, 2, "renameCollection without names");
    }
    t = c->ui ? sbx_data_by_uuid(c->d, c->ui) : sbx_data_coll(c->d, from);
    if (!t || strcmp(t->ns, to) == 0) {
        return true;
    }
    old = drop_uuid ? sbx_data_by_uuid(c->d, drop_uuid) : NULL;
    if (old && old != t) {
        sbx_data_drop(c->d, old);
    }
    old = sbx_data_coll(c->d, to);
    if (old && (drop_uuid || sbx_val_true(drop))) {
        sbx_data_drop(c->d, old);
    }
    return sbx_data_rename(c->d, t, to, sbx_val_true(sbx_doc_get(c->o, "stayTemp")), why);
}

static bool add_index(struct sbx_coll *t, struct sbx_doc spec, struct sbx_why *why)
{
    struct sbx_out full = {0};
    const char *name = sbx_val_str(sbx_doc_get(spec, "name"), NULL);
    bool ok;

    if (name && sbx_index_find(t, name)) {
        return true;
    }
    ok = sbx_index_logged(t, spec, &full, why) && sbx_index_add(t, sbx_out_done(&full), NULL, why);
    sbx_out_release(&full);
    return ok;
}

/* {createIndexes: name, v, key, ...}: the specification is the rest of the document. */
static bool do_create_indexes(struct cmd *c, struct sbx_why *why)
{
    struct sbx_coll *t = target(c);
    struct sbx_out spec = {0};
    size_t mark;
    struct sbx_it it;
    bool ok;

    if (!t) {
        return true;
    }
    mark = sbx_out_begin(&spec);
    sbx_it_init(&it, c->o);
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, "createIndexes") != 0) {
            sbx_out_valn(&spec, it.key, it.klen, it.v);
        }
    }
    sbx_out_end(&spec, mark);
    ok = add_index(t, sbx_out_done(&spec), why);
    sbx_out_release(&spec);
    return ok;
}

static bool do_commit_build(struct cmd *c, struct sbx_why *why)
{
    struct sbx_coll *t = target(c);
    const struct sbx_val list = sbx_doc_get(c->o, "indexes");
    struct sbx_it it;

    if (!t || list.type != SBX_ARRAY) {
        return true;
    }
    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        if (it.v.type == SBX_OBJECT && !add_index(t, sbx_val_doc(it.v), why)) {
            return false;
        }
    }
    return true;
}

static bool do_drop_indexes(struct cmd *c, struct sbx_why *why)
{
    struct sbx_coll *t = target(c);
    const char *name = sbx_val_str(sbx_doc_get(c->o, "index"), NULL);
    struct sbx_index *x;

    (void)why;
    if (!t || !name) {
        return true;
    }
    if (strcmp(name, "*") == 0) {
        while (t->indexes->next) {
            sbx_index_drop(t, t->indexes->next);
        }
        return true;
    }
    x = sbx_index_find(t, name);
    if (x && !x->id) {
        sbx_index_drop(t, x);
    }
    return true;
}

static bool do_coll_mod(struct cmd *c, struct sbx_why *why)
{
    struct sbx_coll *t = target(c);

    return !t || sbx_coll_mod(t, c->o, why);
}

static bool do_drop_database(struct cmd *c, struct sbx_why *why)
{
    (void)why;
    sbx_data_drop_db(c->d, c->db);
    return true;
}

static bool do_nothing(struct cmd *c, struct sbx_why *why)
{
    (void)c;
    (void)why;
    return true;
}

static const struct {
    const char *name;
    bool (*fn)(struct cmd *, struct sbx_why *);
} commands[] = {
    {"create", do_create},
    {"drop", do_drop},
    {"renameCollection", do_rename},
    {"createIndexes", do_create_indexes},
    {"startIndexBuild", do_nothing},
    {"commitIndexBuild", do_commit_build},
    {"abortIndexBuild", do_nothing},
    {"dropIndexes", do_drop_indexes},
    {"deleteIndexes", do_drop_indexes},
    {"collMod", do_coll_mod},
    {"dropDatabase", do_drop_database},
};

bool sbx_apply_command(struct sbx_data *d, struct sbx_doc op, struct mst_ts ts, struct sbx_why *why)
{
    const struct sbx_val o = sbx_doc_get(op, "o");
    const char *ns = sbx_val_str(sbx_doc_get(op, "ns"), NULL);
    struct cmd c = {.d = d, .op = op, .ui = sbx_val_uuid(sbx_doc_get(op, "ui"))};
    struct sbx_it first;
    const char *name;

    (void)ts;
    if (o.type != SBX_OBJECT || !ns || !sbx_doc_first(sbx_val_doc(o), &first)) {
        return sbx_why(why, 2, "a command entry without a command");
    }
    c.o = sbx_val_doc(o);
    snprintf(c.db, sizeof c.db, "%.*s", (int)strcspn(ns, "."), ns);
    name = sbx_val_str(first.v, NULL);
    if (name && snprintf(c.ns, sizeof c.ns, "%s.%s", c.db, name) >= (int)sizeof c.ns) {
        return sbx_why(why, 73, "a name that is too long in a command entry");
    }
    for (size_t i = 0; i < MST_COUNT(commands); i++) {
        if (strcmp(first.key, commands[i].name) == 0) {
            return commands[i].fn(&c, why);
        }
    }
    return sbx_why(why, 59, "unknown command '%s' in an oplog entry", first.key);
}
