/* cmd_users.h: what the commands on users and on roles share. Private to cmd_users.c, cmd_roles.c.
 */
#ifndef SBX_CMD_CMD_USERS_H
#define SBX_CMD_CMD_USERS_H

#include "auth/show.h"
#include "world/world.h"

struct sbx_doc sbx_users_cmd(const struct sbx_call *c);
struct sbx_val sbx_users_arg(const struct sbx_call *c, const char *key);
/* The name in the command's first field, shorter than max; NULL: the call was failed. */
const char *sbx_users_name(struct sbx_call *c, size_t max);
/* Its "roles"; false: the call was failed. */
bool sbx_users_roles(struct sbx_call *c, bool must_exist, struct sbx_roles *roles);
void sbx_users_set_roles(struct sbx_call *c, const char *ns, struct sbx_doc doc,
                         const struct sbx_roles *roles);
void sbx_roles_less(struct sbx_roles *all, const struct sbx_roles *gone);
/* inheritedRoles of an array of roles; what they give is added to privs. */
void sbx_inherited_out(struct sbx_call *c, struct sbx_val roles, const char *db,
                       struct sbx_privs *privs, struct sbx_out *out);

/* What usersInfo and rolesInfo answer with: an array of what was asked for by name. */
struct sbx_listing {
    struct sbx_call *c;
    const char *kind; /* "user", "role": the field of a name in a document */
    bson_t list;
    unsigned n;
    /* One that was asked for: nothing happens when there is none. */
    void (*one)(struct sbx_listing *l, const char *db, const char *name);
};

void sbx_listing_add(struct sbx_listing *l, const struct sbx_out *doc);
/* A name, {user: .., db: ..}, or an array of these; what is neither fails the call. */
void sbx_listing_named(struct sbx_listing *l, struct sbx_val what);

sbx_cmd_fn sbx_cmd_create_role, sbx_cmd_update_role, sbx_cmd_drop_role, sbx_cmd_grant_to_role,
    sbx_cmd_revoke_from_role, sbx_cmd_grant_privileges, sbx_cmd_revoke_privileges,
    sbx_cmd_roles_info;

#endif
