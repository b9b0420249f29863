#include "auth/show.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct sbx_privs_one {
    enum sbx_res_kind kind;
    char db[SBX_NS_MAX], coll[SBX_NS_MAX];
    struct mst_str actions;
};

static bool same(const struct sbx_privs_one *s, const struct sbx_res *on)
{
    return s->kind == on->kind && strcmp(s->db, on->db != NULL ? on->db : "") == 0 &&
           strcmp(s->coll, on->coll != NULL ? on->coll : "") == 0;
}

static size_t find(const struct sbx_privs *t, const struct sbx_res *on)
{
    size_t i = 0;

    while (i < t->n && !same(&t->v[i], on)) {
        i++;
    }
    return i;
}

void sbx_privs_add(struct sbx_privs *t, const struct sbx_priv *p)
{
    const size_t i = find(t, &p->on);
    struct sbx_privs_one *one;

    if (i == t->n) {
        mst_grow((void **)&t->v, &t->cap, t->n + 1, sizeof *t->v);
        one = &t->v[t->n++];
        memset(one, 0, sizeof *one);
        one->kind = p->on.kind;
        (void)snprintf(one->db, sizeof one->db, "%s", p->on.db != NULL ? p->on.db : "");
        (void)snprintf(one->coll, sizeof one->coll, "%s", p->on.coll != NULL ? p->on.coll : "");
    }
    one = &t->v[i];
    mst_str_addf(&one->actions, "%s%s", one->actions.len > 0 ? " " : "", p->actions);
}

/* In order of name, as the list of all actions is. */
static void pick(const char *have, const char *without, struct mst_str *out)
{
    const char *at = sbx_actions_all();
    char word[64];

    while (*at != '\0') {
        const size_t len = strcspn(at, " ");

        (void)snprintf(word, sizeof word, "%.*s", (int)len, at);
        if (sbx_actions_have(have, word) && !sbx_actions_have(without, word)) {
            mst_str_addf(out, "%s%s", out->len > 0 ? " " : "", word);
        }
        at += len + (at[len] == ' ');
    }
}

void sbx_privs_remove(struct sbx_privs *t, const struct sbx_priv *p)
{
    const size_t i = find(t, &p->on);
    struct mst_str left = {0};

    if (i == t->n) {
        return;
    }
    pick(mst_str_c(&t->v[i].actions), p->actions, &left);
    mst_str_release(&t->v[i].actions);
    t->v[i].actions = left;
    if (left.len == 0) {
        mst_str_release(&t->v[i].actions);
        t->n--;
        memmove(&t->v[i], &t->v[i + 1], (t->n - i) * sizeof *t->v);
    }
}

void sbx_privs_join(struct sbx_privs *t, const struct sbx_privs *from)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct sbx_privs_one *one = &from->v[i];
        const struct sbx_priv p = {{one->kind, one->db, one->coll}, mst_str_c(&one->actions)};

        sbx_privs_add(t, &p);
    }
}

static bool note(void *arg, const struct sbx_priv *p)
{
    sbx_privs_add(arg, p);
    return true;
}

void sbx_privs_add_roles(struct sbx_privs *t, const struct sbx_data *d, const struct sbx_roles *r)
{
    (void)sbx_roles_each(d, r, note, t);
}

static bool parse_one(struct sbx_privs *t, struct sbx_val v, bool remove, const char *db,
                      struct sbx_why *why)
{
    const struct sbx_doc d = v.type == SBX_OBJECT ? sbx_val_doc(v) : sbx_doc(NULL, 0);
    struct mst_str actions = {0};
    struct sbx_priv p;
    bool ok = true;

    if (d.p == NULL || !sbx_res_parse(sbx_doc_get(d, "resource"), &p.on)) {
        return sbx_why(why, 9,
                       "a privilege has a resource {db, collection}, {cluster: true} or "
                       "{anyResource: true}");
    }
    if (strcmp(db, "admin") != 0 && (p.on.db == NULL || strcmp(p.on.db, db) != 0)) {
        return sbx_why(why, 55,
                       "Roles on the '%s' database cannot be granted privileges that target other "
                       "databases or the cluster",
                       db);
    }
    if (!sbx_actions_parse(sbx_doc_get(d, "actions"), &actions)) {
        ok = sbx_why(why, 9, "Unrecognized action privilege string in the actions of a privilege");
    } else {
        p.actions = mst_str_c(&actions);
        (remove ? sbx_privs_remove : sbx_privs_add)(t, &p);
    }
    mst_str_release(&actions);
    return ok;
}

bool sbx_privs_parse(struct sbx_privs *t, struct sbx_val array, bool remove, const char *db,
                     struct sbx_why *why)
{
    struct sbx_it it;

    if (array.type != SBX_ARRAY) {
        return sbx_why(why, 2, "\"privileges\" must be an array");
    }
    sbx_it_init(&it, sbx_val_doc(array));
    while (sbx_it_next(&it)) {
        if (!parse_one(t, it.v, remove, db, why)) {
            return false;
        }
    }
    return true;
}

static void actions_out(struct sbx_out *out, const char *actions)
{
    const size_t list = sbx_out_sub(out, "actions", SBX_ARRAY);
    struct mst_str words = {0};
    unsigned n = 0;
    char key[12], word[64];

    if (sbx_actions_have(actions, "anyAction")) {
        mst_str_add(&words, "anyAction");
    } else {
        pick(actions, "", &words);
    }
    for (const char *at = mst_str_c(&words); *at != '\0';) {
        const size_t len = strcspn(at, " ");

        (void)snprintf(word, sizeof word, "%.*s", (int)len, at);
        (void)snprintf(key, sizeof key, "%u", n++);
        sbx_out_str(out, key, word);
        at += len + (at[len] == ' ');
    }
    mst_str_release(&words);
    sbx_out_end(out, list);
}

static void one_out(struct sbx_out *out, const char *key, const struct sbx_privs_one *s)
{
    const size_t m = sbx_out_sub(out, key, SBX_OBJECT);
    const size_t on = sbx_out_sub(out, "resource", SBX_OBJECT);

    if (s->kind == SBX_RES_CLUSTER) {
        sbx_out_bool(out, "cluster", true);
    } else if (s->kind == SBX_RES_ANY) {
        sbx_out_bool(out, "anyResource", true);
    } else {
        sbx_out_str(out, "db", s->db);
        sbx_out_str(out, "collection", s->coll);
    }
    sbx_out_end(out, on);
    actions_out(out, mst_str_c(&s->actions));
    sbx_out_end(out, m);
}

void sbx_privs_out(const struct sbx_privs *t, struct sbx_out *out, const char *key)
{
    const size_t list = sbx_out_sub(out, key, SBX_ARRAY);

    for (size_t i = 0; i < t->n; i++) {
        char num[24];

        (void)snprintf(num, sizeof num, "%zu", i);
        one_out(out, num, &t->v[i]);
    }
    sbx_out_end(out, list);
}

void sbx_privs_release(struct sbx_privs *t)
{
    for (size_t i = 0; i < t->n; i++) {
        mst_str_release(&t->v[i].actions);
    }
    free(t->v);
    memset(t, 0, sizeof *t);
}
