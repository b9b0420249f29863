/* users.h: the documents in admin.system.users and admin.system.roles.
 *
 * Under the world's lock. Commands write them on the primary as entries of the oplog; the users of
 * the start options are there from the beginning, in every member's data.
 */
#ifndef SBX_AUTH_USERS_H
#define SBX_AUTH_USERS_H

#include "auth/role.h"
#include "world/world.h"

/* The document of a user; borrowed until the next write. d NULL (an arbiter's): there is none. */
bool sbx_user_doc(const struct sbx_data *d, const char *db, const char *name, struct sbx_doc *out);
bool sbx_user_id(struct sbx_doc user, uint8_t id[16]);
bool sbx_users_any(const struct sbx_data *d);
/* With pwd NULL a user of $external. mechanisms: an array of names, or SBX_EOO for all there are.
 * roles: an array of names and {role, db}. False, with why, for what a server refuses; the caller
 * releases out. */
struct sbx_new_user {
    const char *db, *name, *pwd;
    struct sbx_val mechanisms, custom, roles;
};
bool sbx_user_build(const struct sbx_new_user *u, struct sbx_out *out, struct sbx_why *why);
/* {SCRAM-SHA-1: {..}, SCRAM-SHA-256: {..}} under the key. */
bool sbx_user_credentials(struct sbx_out *out, const char *key, const char *name, const char *pwd,
                          struct sbx_val mechanisms, struct sbx_why *why);
/* An array of {role, db} under the key. */
void sbx_roles_out(struct sbx_out *out, const char *key, const struct sbx_roles *r);

/* In every member's data, beside the oplog. */
void sbx_users_seed(struct sbx_world *w, struct sbx_doc user);
/* On the primary that was asked; c->last_op moves. ns: users' or roles'. change: the fields of
 * `set` take the place of those in the document. */
void sbx_table_insert(struct sbx_call *c, const char *ns, struct sbx_doc doc);
void sbx_table_change(struct sbx_call *c, const char *ns, struct sbx_doc doc, struct sbx_doc set);
void sbx_table_remove(struct sbx_call *c, const char *ns, struct sbx_doc doc);

#endif
