/* cmd_users.c: createUser, updateUser, dropUser, grantRolesToUser, revokeRolesFromUser, usersInfo.
 */
#include <string.h>

#include "auth/show.h"
#include "auth/users.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/cmd_users.h"

#define E_BAD_VALUE 2
#define E_USER_NOT_FOUND 11
#define E_ROLE_NOT_FOUND 31
#define E_USER_EXISTS 51003

struct sbx_doc sbx_users_cmd(const struct sbx_call *c)
{
    return sbx_doc(bson_get_data(c->cmd), c->cmd->len);
}

struct sbx_val sbx_users_arg(const struct sbx_call *c, const char *key)
{
    return sbx_doc_get(sbx_users_cmd(c), key);
}

const char *sbx_users_name(struct sbx_call *c, size_t max)
{
    size_t n = 0;
    const char *name = sbx_val_str(sbx_users_arg(c, c->name), &n);

    if (name == NULL || n == 0 || n >= max) {
        sbx_fail(c, E_BAD_VALUE, "%s takes a name of 1 to %zu bytes", c->name, max - 1);
        return NULL;
    }
    if (strcmp(c->db, "local") == 0) {
        sbx_fail(c, E_BAD_VALUE, "Cannot create users or roles in the local database");
        return NULL;
    }
    return name;
}

bool sbx_users_roles(struct sbx_call *c, bool must_exist, struct sbx_roles *roles)
{
    if (!sbx_roles_parse(roles, sbx_users_arg(c, "roles"), c->db)) {
        sbx_fail(c, E_BAD_VALUE, "\"%s\" command requires a \"roles\" array", c->name);
        return false;
    }
    for (size_t i = 0; must_exist && i < roles->n; i++) {
        if (!sbx_role_exists(c->m->data, &roles->v[i])) {
            sbx_fail(c, E_ROLE_NOT_FOUND, "No role named %s@%s", roles->v[i].name, roles->v[i].db);
            return false;
        }
    }
    return true;
}

void sbx_users_set_roles(struct sbx_call *c, const char *ns, struct sbx_doc doc,
                         const struct sbx_roles *roles)
{
    struct sbx_out set = {0};
    const size_t m = sbx_out_begin(&set);

    sbx_roles_out(&set, "roles", roles);
    sbx_out_end(&set, m);
    sbx_table_change(c, ns, doc, sbx_out_done(&set));
    sbx_out_release(&set);
}

void sbx_roles_less(struct sbx_roles *all, const struct sbx_roles *gone)
{
    size_t n = 0;

    for (size_t i = 0; i < all->n; i++) {
        if (!sbx_roles_have(gone, &all->v[i])) {
            all->v[n++] = all->v[i];
        }
    }
    all->n = n;
}

/* ---- changes ---- */

static void create_user(struct sbx_call *c)
{
    const char *name = sbx_users_name(c, 256);
    struct sbx_new_user u = {.db = c->db,
                             .name = name,
                             .pwd = sbx_val_str(sbx_users_arg(c, "pwd"), NULL),
                             .mechanisms = sbx_users_arg(c, "mechanisms"),
                             .custom = sbx_users_arg(c, "customData"),
                             .roles = sbx_users_arg(c, "roles")};
    struct sbx_roles roles = {0};
    struct sbx_out doc = {0};
    struct sbx_why why = {0};
    struct sbx_doc there;
    const bool external = strcmp(c->db, "$external") == 0;

    if (name == NULL) {
        return;
    }
    if (external != (u.pwd == NULL) || (u.pwd != NULL && u.pwd[0] == '\0')) {
        sbx_fail(c, E_BAD_VALUE, "%s",
                 external ? "Cannot set the password for users defined on the '$external' database"
                          : "Must provide a 'pwd' field for all user documents, except those with "
                            "'$external' as the user's source db");
    } else if (sbx_user_doc(c->m->data, c->db, name, &there)) {
        sbx_fail(c, E_USER_EXISTS, "User \"%s@%s\" already exists", name, c->db);
    } else if (sbx_users_roles(c, true, &roles)) {
        if (sbx_user_build(&u, &doc, &why)) {
            sbx_table_insert(c, SBX_USERS_NS, sbx_out_done(&doc));
        } else {
            sbx_fail(c, why.code, "%s", why.msg);
        }
    }
    sbx_out_release(&doc);
    sbx_roles_release(&roles);
}

static void update_user(struct sbx_call *c)
{
    const char *name = sbx_users_name(c, 256);
    const char *pwd = sbx_val_str(sbx_users_arg(c, "pwd"), NULL);
    const struct sbx_val custom = sbx_users_arg(c, "customData");
    const bool has_roles = sbx_users_arg(c, "roles").type != SBX_EOO;
    struct sbx_roles roles = {0};
    struct sbx_out set = {0};
    struct sbx_why why = {0};
    struct sbx_doc doc;
    size_t m;

    if (name == NULL || (has_roles && !sbx_users_roles(c, true, &roles))) {
        sbx_roles_release(&roles);
        return;
    }
    m = sbx_out_begin(&set);
    if (pwd != NULL && !sbx_user_credentials(&set, "credentials", name, pwd,
                                             sbx_users_arg(c, "mechanisms"), &why)) {
        sbx_fail(c, why.code, "%s", why.msg);
    }
    if (custom.type == SBX_OBJECT) {
        sbx_out_val(&set, "customData", custom);
    }
    if (has_roles) {
        sbx_roles_out(&set, "roles", &roles);
    }
    sbx_out_end(&set, m);
    if (!c->failed && sbx_doc_empty(sbx_out_done(&set))) {
        sbx_fail(c, E_BAD_VALUE, "Must specify at least one field to update in updateUser");
    } else if (!c->failed && !sbx_user_doc(c->m->data, c->db, name, &doc)) {
        sbx_fail(c, E_USER_NOT_FOUND, "User %s@%s not found", name, c->db);
    } else if (!c->failed) {
        sbx_table_change(c, SBX_USERS_NS, doc, sbx_out_done(&set));
    }
    sbx_out_release(&set);
    sbx_roles_release(&roles);
}

static void drop_user(struct sbx_call *c)
{
    const char *name = sbx_users_name(c, 256);
    struct sbx_doc doc;

    if (name == NULL) {
        return;
    }
    if (!sbx_user_doc(c->m->data, c->db, name, &doc)) {
        sbx_fail(c, E_USER_NOT_FOUND, "User '%s@%s' not found", name, c->db);
        return;
    }
    sbx_table_remove(c, SBX_USERS_NS, doc);
}

static void change_roles(struct sbx_call *c, bool grant)
{
    const char *name = sbx_users_name(c, 256);
    struct sbx_roles roles = {0}, all = {0};
    struct sbx_doc doc;

    if (name != NULL && sbx_users_roles(c, grant, &roles)) {
        if (!sbx_user_doc(c->m->data, c->db, name, &doc)) {
            sbx_fail(c, E_USER_NOT_FOUND, "Could not find user \"%s\" for db \"%s\"", name, c->db);
        } else {
            (void)sbx_roles_parse(&all, sbx_doc_get(doc, "roles"), c->db);
            for (size_t i = 0; grant && i < roles.n; i++) {
                sbx_roles_add(&all, &roles.v[i]);
            }
            if (!grant) {
                sbx_roles_less(&all, &roles);
            }
            sbx_users_set_roles(c, SBX_USERS_NS, doc, &all);
        }
    }
    sbx_roles_release(&roles);
    sbx_roles_release(&all);
}

static void grant_to_user(struct sbx_call *c)
{
    change_roles(c, true);
}

static void revoke_from_user(struct sbx_call *c)
{
    change_roles(c, false);
}

/* ---- usersInfo ---- */

static void mechanisms_out(struct sbx_out *out, struct sbx_doc user)
{
    const struct sbx_val all = sbx_doc_get(user, "credentials");
    const size_t list = sbx_out_sub(out, "mechanisms", SBX_ARRAY);
    struct sbx_it it;
    unsigned n = 0;

    if (all.type == SBX_OBJECT) {
        sbx_it_init(&it, sbx_val_doc(all));
        while (sbx_it_next(&it)) {
            char key[12];

            (void)snprintf(key, sizeof key, "%u", n++);
            sbx_out_str(out, key, it.key);
        }
    }
    sbx_out_end(out, list);
}

void sbx_inherited_out(struct sbx_call *c, struct sbx_val roles, const char *db,
                       struct sbx_privs *privs, struct sbx_out *out)
{
    struct sbx_roles all = {0};

    (void)sbx_roles_parse(&all, roles, db);
    sbx_roles_inherit(c->m->data, &all);
    sbx_privs_add_roles(privs, c->m->data, &all);
    sbx_roles_out(out, "inheritedRoles", &all);
    sbx_roles_release(&all);
}

static void empty_array(struct sbx_out *out, const char *key)
{
    sbx_out_end(out, sbx_out_sub(out, key, SBX_ARRAY));
}

/* With privileges the mechanisms stand where the credentials do, without at the end. */
static void show_user(struct sbx_call *c, struct sbx_doc user, struct sbx_out *out)
{
    const bool privileges = sbx_val_true(sbx_users_arg(c, "showPrivileges"));
    const bool credentials = sbx_val_true(sbx_users_arg(c, "showCredentials"));
    const size_t m = sbx_out_begin(out);
    struct sbx_it it;

    sbx_it_init(&it, user);
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, "credentials") != 0 || credentials) {
            sbx_out_valn(out, it.key, it.klen, it.v);
        }
        if (strcmp(it.key, "credentials") == 0 && privileges) {
            mechanisms_out(out, user);
        }
    }
    if (privileges) {
        struct sbx_privs privs = {0};

        sbx_inherited_out(c, sbx_doc_get(user, "roles"), c->db, &privs, out);
        sbx_privs_out(&privs, out, "inheritedPrivileges");
        empty_array(out, "inheritedAuthenticationRestrictions");
        empty_array(out, "authenticationRestrictions");
        sbx_privs_release(&privs);
    } else {
        mechanisms_out(out, user);
    }
    sbx_out_end(out, m);
}

void sbx_listing_add(struct sbx_listing *l, const struct sbx_out *doc)
{
    bson_t view;
    char key[12];

    (void)snprintf(key, sizeof key, "%u", l->n++);
    MST_ASSERT(bson_init_static(&view, sbx_out_done(doc).p, sbx_out_done(doc).n));
    BSON_APPEND_DOCUMENT(&l->list, key, &view);
}

static bool named(struct sbx_listing *l, struct sbx_val v)
{
    const char *name = sbx_val_str(v, NULL), *db = l->c->db;

    if (v.type == SBX_OBJECT) {
        name = sbx_val_str(sbx_doc_get(sbx_val_doc(v), l->kind), NULL);
        db = sbx_val_str(sbx_doc_get(sbx_val_doc(v), "db"), NULL);
    }
    if (name == NULL || db == NULL) {
        sbx_fail(l->c, E_BAD_VALUE, "%c%s names must be either strings or objects",
                 l->kind[0] - 'a' + 'A', l->kind + 1);
        return false;
    }
    l->one(l, db, name);
    return true;
}

void sbx_listing_named(struct sbx_listing *l, struct sbx_val what)
{
    struct sbx_it it;

    if (what.type != SBX_ARRAY) {
        (void)named(l, what);
        return;
    }
    sbx_it_init(&it, sbx_val_doc(what));
    while (sbx_it_next(&it) && named(l, it.v)) {
    }
}

static void offer(struct sbx_listing *l, struct sbx_doc user)
{
    const struct sbx_val filter = sbx_users_arg(l->c, "filter");
    struct sbx_out out = {0};

    show_user(l->c, user, &out);
    if (filter.type != SBX_OBJECT || sbx_match(sbx_val_doc(filter), sbx_out_done(&out))) {
        sbx_listing_add(l, &out);
    }
    sbx_out_release(&out);
}

static void offer_all(struct sbx_listing *l, const char *db)
{
    struct sbx_coll *coll = sbx_data_coll(l->c->m->data, SBX_USERS_NS);
    struct sbx_scan s;
    struct sbx_row row;

    if (coll == NULL) {
        return;
    }
    sbx_scan_init(&s, SBX_SCAN_NATURAL, false);
    while (sbx_scan_next(&s, coll, SBX_LATEST, &row)) {
        if (db == NULL || sbx_val_streq(sbx_doc_get(row.doc, "db"), db)) {
            offer(l, row.doc);
        }
    }
    sbx_scan_release(&s);
}

static void offer_one(struct sbx_listing *l, const char *db, const char *name)
{
    struct sbx_doc user;

    if (sbx_user_doc(l->c->m->data, db, name, &user)) {
        offer(l, user);
    }
}

static void list_users(struct sbx_listing *l, struct sbx_val what)
{
    const bool every =
        what.type == SBX_OBJECT && sbx_val_true(sbx_doc_get(sbx_val_doc(what), "forAllDBs"));

    if ((every || sbx_val_is_num(what)) && sbx_val_true(sbx_users_arg(l->c, "showPrivileges"))) {
        sbx_fail(l->c, E_BAD_VALUE,
                 "Privilege or restriction details require exact-match usersInfo queries.");
    } else if (every || sbx_val_is_num(what)) {
        offer_all(l, every ? NULL : l->c->db);
    } else {
        sbx_listing_named(l, what);
    }
}

static void users_info(struct sbx_call *c)
{
    const struct sbx_val filter = sbx_users_arg(c, "filter");
    struct sbx_listing l = {.c = c, .kind = "user", .one = offer_one};
    struct sbx_why why = {0};

    if (filter.type == SBX_OBJECT && !sbx_match_check(sbx_val_doc(filter), &why)) {
        sbx_fail(c, why.code, "%s", why.msg);
        return;
    }
    bson_init(&l.list);
    list_users(&l, sbx_users_arg(c, "usersInfo"));
    BSON_APPEND_ARRAY(c->reply, "users", &l.list);
    bson_destroy(&l.list);
}

const struct sbx_cmd sbx_cmds_users[] = {
    {"createUser", create_user, SBX_CMD_PRIMARY, NULL},
    {"updateUser", update_user, SBX_CMD_PRIMARY, NULL},
    {"dropUser", drop_user, SBX_CMD_PRIMARY, NULL},
    {"grantRolesToUser", grant_to_user, SBX_CMD_PRIMARY, NULL},
    {"revokeRolesFromUser", revoke_from_user, SBX_CMD_PRIMARY, NULL},
    {"usersInfo", users_info, SBX_CMD_READ, NULL},
    {"createRole", sbx_cmd_create_role, SBX_CMD_PRIMARY, NULL},
    {"updateRole", sbx_cmd_update_role, SBX_CMD_PRIMARY, NULL},
    {"dropRole", sbx_cmd_drop_role, SBX_CMD_PRIMARY, NULL},
    {"grantRolesToRole", sbx_cmd_grant_to_role, SBX_CMD_PRIMARY, NULL},
    {"revokeRolesFromRole", sbx_cmd_revoke_from_role, SBX_CMD_PRIMARY, NULL},
    {"grantPrivilegesToRole", sbx_cmd_grant_privileges, SBX_CMD_PRIMARY, NULL},
    {"revokePrivilegesFromRole", sbx_cmd_revoke_privileges, SBX_CMD_PRIMARY, NULL},
    {"rolesInfo", sbx_cmd_roles_info, SBX_CMD_READ, NULL},
    {0}};
