/* cmd_roles.c: createRole, updateRole, dropRole, what is granted to a role and revoked from it,
 * rolesInfo. */
#include <string.h>

#include "auth/users.h"
#include "base/mem.h"
#include "cmd/cmd_users.h"

#define E_BAD_VALUE 2
#define E_ROLE_NOT_FOUND 31
#define E_INVALID_CHANGE 55
#define E_ROLE_EXISTS 51002

static bool role_of(struct sbx_call *c, struct sbx_role *r)
{
    const char *name = sbx_users_name(c, SBX_ROLE_NAME_MAX);

    if (name == NULL || !mst_copy(r->name, sizeof r->name, name) ||
        !mst_copy(r->db, sizeof r->db, c->db)) {
        return false;
    }
    if (sbx_role_builtin(r->db, r->name)) {
        sbx_fail(c, E_INVALID_CHANGE, "%s@%s is a built-in role and cannot be modified.", r->name,
                 r->db);
        return false;
    }
    return true;
}

static bool own_role(struct sbx_call *c, struct sbx_role *r, struct sbx_doc *doc)
{
    if (!role_of(c, r)) {
        return false;
    }
    if (!sbx_role_doc(c->m->data, r, doc)) {
        sbx_fail(c, E_ROLE_NOT_FOUND, "Role '%s@%s' not found", r->name, r->db);
        return false;
    }
    return true;
}

/* A role outside admin inherits within its database only, and none inherits itself. */
static bool may_inherit(struct sbx_call *c, const struct sbx_role *r, const struct sbx_roles *from)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct sbx_role *f = &from->v[i];
        struct sbx_roles one = {0};
        bool circle;

        if (strcmp(r->db, "admin") != 0 && strcmp(r->db, f->db) != 0) {
            sbx_fail(c, E_INVALID_CHANGE,
                     "Roles on the '%s' database cannot be granted roles from other databases",
                     r->db);
            return false;
        }
        sbx_roles_add(&one, f);
        circle = sbx_roles_reach(c->m->data, &one, r);
        sbx_roles_release(&one);
        if (circle) {
            sbx_fail(c, E_INVALID_CHANGE,
                     "Granting %s@%s to %s@%s would introduce a cycle in the role graph.", f->name,
                     f->db, r->name, r->db);
            return false;
        }
    }
    return true;
}

static bool parse_privileges(struct sbx_call *c, const struct sbx_role *r, bool remove,
                             struct sbx_privs *privs)
{
    struct sbx_why why = {0};

    if (sbx_privs_parse(privs, sbx_users_arg(c, "privileges"), remove, r->db, &why)) {
        return true;
    }
    sbx_fail(c, why.code, "%s", why.msg);
    return false;
}

void sbx_cmd_create_role(struct sbx_call *c)
{
    struct sbx_roles roles = {0};
    struct sbx_privs privs = {0};
    struct sbx_out out = {0};
    struct sbx_role r;
    struct sbx_doc there;
    char id[SBX_ROLE_DB_MAX + SBX_ROLE_NAME_MAX];

    if (!role_of(c, &r)) {
        return;
    }
    if (sbx_role_doc(c->m->data, &r, &there)) {
        sbx_fail(c, E_ROLE_EXISTS, "Role \"%s@%s\" already exists", r.name, r.db);
    } else if (sbx_users_roles(c, true, &roles) && may_inherit(c, &r, &roles) &&
               parse_privileges(c, &r, false, &privs)) {
        const size_t m = sbx_out_begin(&out);

        (void)snprintf(id, sizeof id, "%s.%s", r.db, r.name);
        sbx_out_str(&out, "_id", id);
        sbx_out_str(&out, "role", r.name);
        sbx_out_str(&out, "db", r.db);
        sbx_privs_out(&privs, &out, "privileges");
        sbx_roles_out(&out, "roles", &roles);
        sbx_out_end(&out, m);
        sbx_table_insert(c, SBX_ROLES_NS, sbx_out_done(&out));
    }
    sbx_out_release(&out);
    sbx_privs_release(&privs);
    sbx_roles_release(&roles);
}

void sbx_cmd_update_role(struct sbx_call *c)
{
    const bool has_roles = sbx_users_arg(c, "roles").type != SBX_EOO;
    const bool has_privs = sbx_users_arg(c, "privileges").type != SBX_EOO;
    struct sbx_roles roles = {0};
    struct sbx_privs privs = {0};
    struct sbx_out set = {0};
    struct sbx_role r;
    struct sbx_doc doc;

    if (!has_roles && !has_privs) {
        sbx_fail(c, E_BAD_VALUE, "Must specify at least one field to update in updateRole");
    } else if (own_role(c, &r, &doc) &&
               (!has_roles || (sbx_users_roles(c, true, &roles) && may_inherit(c, &r, &roles))) &&
               (!has_privs || parse_privileges(c, &r, false, &privs))) {
        const size_t m = sbx_out_begin(&set);

        if (has_privs) {
            sbx_privs_out(&privs, &set, "privileges");
        }
        if (has_roles) {
            sbx_roles_out(&set, "roles", &roles);
        }
        sbx_out_end(&set, m);
        sbx_table_change(c, SBX_ROLES_NS, doc, sbx_out_done(&set));
    }
    sbx_out_release(&set);
    sbx_privs_release(&privs);
    sbx_roles_release(&roles);
}

/* Whoever has the role, has it no more. */
static void take_from_all(struct sbx_call *c, const char *ns, const struct sbx_roles *gone)
{
    struct sbx_coll *coll = sbx_data_coll(c->m->data, ns);
    struct sbx_scan s;
    struct sbx_row row;

    if (coll == NULL) {
        return;
    }
    sbx_scan_init(&s, SBX_SCAN_NATURAL, false);
    while (sbx_scan_next(&s, coll, SBX_LATEST, &row)) {
        struct sbx_roles all = {0};
        size_t before;

        (void)sbx_roles_parse(&all, sbx_doc_get(row.doc, "roles"), c->db);
        before = all.n;
        sbx_roles_less(&all, gone);
        if (all.n < before) {
            sbx_users_set_roles(c, ns, row.doc, &all);
        }
        sbx_roles_release(&all);
    }
    sbx_scan_release(&s);
}

void sbx_cmd_drop_role(struct sbx_call *c)
{
    struct sbx_roles gone = {0};
    struct sbx_role r;
    struct sbx_doc doc;

    if (!own_role(c, &r, &doc)) {
        return;
    }
    sbx_roles_add(&gone, &r);
    take_from_all(c, SBX_USERS_NS, &gone);
    take_from_all(c, SBX_ROLES_NS, &gone);
    if (sbx_role_doc(c->m->data, &r, &doc)) { /* where it lies now */
        sbx_table_remove(c, SBX_ROLES_NS, doc);
    }
    sbx_roles_release(&gone);
}

static void change_roles(struct sbx_call *c, bool grant)
{
    struct sbx_roles roles = {0}, all = {0};
    struct sbx_role r;
    struct sbx_doc doc;

    if (own_role(c, &r, &doc) && sbx_users_roles(c, grant, &roles) &&
        (!grant || may_inherit(c, &r, &roles))) {
        (void)sbx_roles_parse(&all, sbx_doc_get(doc, "roles"), r.db);
        for (size_t i = 0; grant && i < roles.n; i++) {
            sbx_roles_add(&all, &roles.v[i]);
        }
        if (!grant) {
            sbx_roles_less(&all, &roles);
        }
        sbx_users_set_roles(c, SBX_ROLES_NS, doc, &all);
    }
    sbx_roles_release(&roles);
    sbx_roles_release(&all);
}

void sbx_cmd_grant_to_role(struct sbx_call *c)
{
    change_roles(c, true);
}

void sbx_cmd_revoke_from_role(struct sbx_call *c)
{
    change_roles(c, false);
}

static void change_privileges(struct sbx_call *c, bool grant)
{
    struct sbx_privs privs = {0};
    struct sbx_out set = {0};
    struct sbx_why ignored = {0};
    struct sbx_role r;
    struct sbx_doc doc;

    if (own_role(c, &r, &doc)) {
        (void)sbx_privs_parse(&privs, sbx_doc_get(doc, "privileges"), false, "admin", &ignored);
        if (parse_privileges(c, &r, !grant, &privs)) {
            const size_t m = sbx_out_begin(&set);

            sbx_privs_out(&privs, &set, "privileges");
            sbx_out_end(&set, m);
            sbx_table_change(c, SBX_ROLES_NS, doc, sbx_out_done(&set));
        }
    }
    sbx_out_release(&set);
    sbx_privs_release(&privs);
}

void sbx_cmd_grant_privileges(struct sbx_call *c)
{
    change_privileges(c, true);
}

void sbx_cmd_revoke_privileges(struct sbx_call *c)
{
    change_privileges(c, false);
}

/* ---- rolesInfo ---- */

static struct sbx_val direct_roles(struct sbx_call *c, const struct sbx_role *r)
{
    struct sbx_doc doc;

    return sbx_role_doc(c->m->data, r, &doc) ? sbx_doc_get(doc, "roles") : (struct sbx_val){0};
}

static void show_privileges(struct sbx_call *c, const struct sbx_role *r,
                            const struct sbx_privs *inherited, struct sbx_out *out)
{
    struct sbx_privs own = {0}, all = {0};
    struct sbx_roles just = {0};

    sbx_roles_add(&just, r);
    sbx_privs_add_roles(&own, c->m->data, &just);
    sbx_privs_out(&own, out, "privileges");
    sbx_privs_add_roles(&all, c->m->data, &just);
    sbx_privs_join(&all, inherited);
    sbx_privs_out(&all, out, "inheritedPrivileges");
    sbx_privs_release(&own);
    sbx_privs_release(&all);
    sbx_roles_release(&just);
}

static void offer(struct sbx_listing *l, const struct sbx_role *r)
{
    const struct sbx_val direct = direct_roles(l->c, r);
    struct sbx_privs inherited = {0};
    struct sbx_roles roles = {0};
    struct sbx_out out = {0};
    const size_t m = sbx_out_begin(&out);

    (void)sbx_roles_parse(&roles, direct, r->db);
    sbx_out_str(&out, "role", r->name);
    sbx_out_str(&out, "db", r->db);
    sbx_out_bool(&out, "isBuiltin", sbx_role_builtin(r->db, r->name));
    sbx_roles_out(&out, "roles", &roles);
    sbx_inherited_out(l->c, direct, r->db, &inherited, &out);
    if (sbx_val_true(sbx_users_arg(l->c, "showPrivileges"))) {
        show_privileges(l->c, r, &inherited, &out);
    }
    sbx_out_end(&out, m);
    sbx_listing_add(l, &out);
    sbx_privs_release(&inherited);
    sbx_roles_release(&roles);
    sbx_out_release(&out);
}

static void offer_all(struct sbx_listing *l)
{
    struct sbx_coll *coll = sbx_data_coll(l->c->m->data, SBX_ROLES_NS);
    const char *names[32];
    struct sbx_role r;
    struct sbx_scan s;
    struct sbx_row row;

    (void)mst_copy(r.db, sizeof r.db, l->c->db);
    sbx_scan_init(&s, SBX_SCAN_NATURAL, false);
    while (coll != NULL && sbx_scan_next(&s, coll, SBX_LATEST, &row)) {
        const char *name = sbx_val_str(sbx_doc_get(row.doc, "role"), NULL);

        if (name != NULL && sbx_val_streq(sbx_doc_get(row.doc, "db"), r.db) &&
            mst_copy(r.name, sizeof r.name, name)) {
            offer(l, &r);
        }
    }
    sbx_scan_release(&s);
    if (sbx_val_true(sbx_users_arg(l->c, "showBuiltinRoles"))) {
        const size_t n = sbx_builtin_names(names, MST_COUNT(names));

        for (size_t i = 0; i < n; i++) {
            if (sbx_role_builtin(r.db, names[i]) && mst_copy(r.name, sizeof r.name, names[i])) {
                offer(l, &r);
            }
        }
    }
}

static void offer_one(struct sbx_listing *l, const char *db, const char *name)
{
    struct sbx_role r;

    if (mst_copy(r.name, sizeof r.name, name) && mst_copy(r.db, sizeof r.db, db) &&
        sbx_role_exists(l->c->m->data, &r)) {
        offer(l, &r);
    }
}

void sbx_cmd_roles_info(struct sbx_call *c)
{
    const struct sbx_val what = sbx_users_arg(c, "rolesInfo");
    struct sbx_listing l = {.c = c, .kind = "role", .one = offer_one};

    bson_init(&l.list);
    if (sbx_val_is_num(what)) {
        offer_all(&l);
    } else {
        sbx_listing_named(&l, what);
    }
    BSON_APPEND_ARRAY(c->reply, "roles", &l.list);
    bson_destroy(&l.list);
}
