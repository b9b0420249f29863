/* needs_users.c: who may change users and roles: to give a role away one must have grantRole where
 * the role lives, and a privilege is given away where its resource lives. */
#include <string.h>

#include "auth/rights.h"

static struct sbx_val arg(const struct sbx_ask *a, const char *key)
{
    return sbx_doc_get(a->cmd, key);
}

static bool each_role(const struct sbx_ask *a, const char *action)
{
    struct sbx_roles roles = {0};
    bool ok = true;

    (void)sbx_roles_parse(&roles, arg(a, "roles"), a->db);
    for (size_t i = 0; i < roles.n && ok; i++) {
        ok = sbx_may_db(a->r, roles.v[i].db, action);
    }
    sbx_roles_release(&roles);
    return ok;
}

static bool each_privilege(const struct sbx_ask *a, const char *action)
{
    const struct sbx_val list = arg(a, "privileges");
    struct sbx_it it;

    if (list.type != SBX_ARRAY) {
        return true;
    }
    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        struct sbx_res on;

        if (it.v.type == SBX_OBJECT &&
            sbx_res_parse(sbx_doc_get(sbx_val_doc(it.v), "resource"), &on) &&
            !sbx_may_db(a->r, on.db != NULL ? on.db : "admin", action)) {
            return false;
        }
    }
    return true;
}

bool sbx_need_create_user(const struct sbx_ask *a)
{
    return each_role(a, "grantRole");
}

bool sbx_need_grant_roles(const struct sbx_ask *a)
{
    return each_role(a, "grantRole");
}

bool sbx_need_revoke_roles(const struct sbx_ask *a)
{
    return each_role(a, "revokeRole");
}

/* One's own password and custom data need less. */
bool sbx_need_update_user(const struct sbx_ask *a)
{
    const char *name = sbx_val_str(arg(a, "updateUser"), NULL);
    const bool own = name != NULL && sbx_is_caller(a->r, a->db, name);

    if (arg(a, "pwd").type != SBX_EOO && !sbx_may_db(a->r, a->db, "changePassword") &&
        !(own && sbx_may_db(a->r, a->db, "changeOwnPassword"))) {
        return false;
    }
    if (arg(a, "customData").type != SBX_EOO && !sbx_may_db(a->r, a->db, "changeCustomData") &&
        !(own && sbx_may_db(a->r, a->db, "changeOwnCustomData"))) {
        return false;
    }
    if (arg(a, "roles").type == SBX_EOO) {
        return true;
    }
    return sbx_may(a->r, &(struct sbx_res){SBX_RES_NORMAL, NULL, NULL}, "revokeRole") &&
           each_role(a, "grantRole");
}

bool sbx_need_create_role(const struct sbx_ask *a)
{
    return each_role(a, "grantRole") && each_privilege(a, "grantRole");
}

bool sbx_need_update_role(const struct sbx_ask *a)
{
    return sbx_need_create_role(a);
}

bool sbx_need_grant_privileges(const struct sbx_ask *a)
{
    return each_privilege(a, "grantRole");
}

bool sbx_need_revoke_privileges(const struct sbx_ask *a)
{
    return each_privilege(a, "revokeRole");
}

/* A name, {user, db} or {role, db}; false when it is none. */
static bool named(const struct sbx_ask *a, struct sbx_val v, const char *field, const char **db,
                  const char **name)
{
    *db = a->db;
    *name = sbx_val_str(v, NULL);
    if (v.type == SBX_OBJECT) {
        *name = sbx_val_str(sbx_doc_get(sbx_val_doc(v), field), NULL);
        *db = sbx_val_str(sbx_doc_get(sbx_val_doc(v), "db"), NULL);
    }
    return *name != NULL && *db != NULL;
}

static bool may_see_user(const struct sbx_ask *a, struct sbx_val v)
{
    const char *db, *name;

    return !named(a, v, "user", &db, &name) || sbx_is_caller(a->r, db, name) ||
           sbx_may_db(a->r, db, "viewUser");
}

static bool may_see_role(const struct sbx_ask *a, struct sbx_val v)
{
    const char *db, *name;
    struct sbx_role role;

    if (!named(a, v, "role", &db, &name)) {
        return true;
    }
    (void)snprintf(role.db, sizeof role.db, "%s", db);
    (void)snprintf(role.name, sizeof role.name, "%s", name);
    return sbx_roles_have(&a->r->roles, &role) || sbx_may_db(a->r, db, "viewRole");
}

static bool each_named(const struct sbx_ask *a, struct sbx_val v,
                       bool (*may)(const struct sbx_ask *a, struct sbx_val v))
{
    struct sbx_it it;

    if (v.type != SBX_ARRAY) {
        return may(a, v);
    }
    sbx_it_init(&it, sbx_val_doc(v));
    while (sbx_it_next(&it)) {
        if (!may(a, it.v)) {
            return false;
        }
    }
    return true;
}

bool sbx_need_users_info(const struct sbx_ask *a)
{
    const struct sbx_val v = arg(a, "usersInfo");

    if (v.type == SBX_OBJECT && sbx_val_true(sbx_doc_get(sbx_val_doc(v), "forAllDBs"))) {
        return sbx_may_cluster(a->r, "viewUser");
    }
    return sbx_val_is_num(v) ? sbx_may_db(a->r, a->db, "viewUser") : each_named(a, v, may_see_user);
}

bool sbx_need_roles_info(const struct sbx_ask *a)
{
    const struct sbx_val v = arg(a, "rolesInfo");

    return sbx_val_is_num(v) ? sbx_may_db(a->r, a->db, "viewRole") : each_named(a, v, may_see_role);
}
