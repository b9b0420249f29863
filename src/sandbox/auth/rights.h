/* rights.h: what the caller of a command may do, and what each command needs.
 *
 * Under the world's lock. Rights are read from the users and roles in the data of the member that
 * was asked, as they stand at that moment.
 */
#ifndef SBX_AUTH_RIGHTS_H
#define SBX_AUTH_RIGHTS_H

#include "auth/role.h"
#include "world/world.h"

struct sbx_rights {
    struct sbx_call *c;
    bool open;              /* nobody is asked who they are: everything is allowed */
    bool local;             /* the localhost exception: there are no users yet */
    struct sbx_roles roles; /* with what they inherit */
};

void sbx_rights_init(struct sbx_rights *r, struct sbx_call *c);
void sbx_rights_release(struct sbx_rights *r);
/* Every one of these actions (words between spaces) on a resource? */
bool sbx_may(const struct sbx_rights *r, const struct sbx_res *on, const char *actions);
bool sbx_may_cluster(const struct sbx_rights *r, const char *actions);
bool sbx_may_db(const struct sbx_rights *r, const char *db, const char *actions);
bool sbx_may_ns(const struct sbx_rights *r, const char *db, const char *coll, const char *actions);
/* Anything at all on something in a database? */
bool sbx_may_in(const struct sbx_rights *r, const char *db);
/* Is this one of the users that the caller is? */
bool sbx_is_caller(const struct sbx_rights *r, const char *db, const char *user);

/* One command: on which database, its name, and the command itself. */
struct sbx_ask {
    const struct sbx_rights *r;
    const char *db, *name;
    struct sbx_doc cmd;
};
/* Does the table of needs allow it? A command without a row is never allowed. */
bool sbx_need_met(const struct sbx_ask *a);
/* Does the table have a row for it? */
bool sbx_need_known(const char *command);
/* needs_users.c: those of users and roles. */
typedef bool sbx_need_fn(const struct sbx_ask *a);
sbx_need_fn sbx_need_create_user, sbx_need_update_user, sbx_need_grant_roles, sbx_need_revoke_roles,
    sbx_need_users_info, sbx_need_create_role, sbx_need_update_role, sbx_need_grant_privileges,
    sbx_need_revoke_privileges, sbx_need_roles_info;

#endif
