/* auth.h: access control of the simulated set: who a connection is, what it may do, and refusals
 * on request.
 *
 * Users and roles are documents in admin.system.users and admin.system.roles; a command is checked
 * against the table in needs.c before it has any effect. Nothing is checked before access control
 * is switched on. All under the world's lock.
 */
#ifndef SBX_AUTH_AUTH_H
#define SBX_AUTH_AUTH_H

#include "world/world.h"

#define SBX_AUTH_UID 32
#define SBX_AUTH_HASH 20

/* Access control is on from now on, with or without a user. */
void sbx_auth_enable(struct sbx_world *w);
/* A user who is in every member's data as if it had always been there; access control is on then.
 * With a password, or one of $external (a certificate's subject as MongoDB writes it:
 * "CN=backup,OU=ops,O=muster") when password is NULL. MST_E_EXISTS when it is there already,
 * MST_E_USAGE for an unknown role. roles: built-in ones, "backup,readWrite@shop". */
enum mst_rc sbx_auth_add_with(struct sbx_world *w, const char *db, const char *name,
                              const char *password, const char *roles,
                              struct mst_err *err) MST_MUST_CHECK;
/* The same with the role root. */
enum mst_rc sbx_auth_add(struct sbx_world *w, const char *db, const char *name,
                         const char *password, struct mst_err *err) MST_MUST_CHECK;
/* A start option: "NAME[@DB][:ROLE,ROLE..]=FILE", the password being the file's first line. */
enum mst_rc sbx_auth_add_option(struct sbx_world *w, const char *text,
                                struct mst_err *err) MST_MUST_CHECK;
bool sbx_auth_enabled(const struct sbx_world *w);
void sbx_auth_release(struct sbx_world *w);

/* From now on (or no longer) this command is refused to this user with error 13; "*" is anybody,
 * also without authentication. "useUUID" is any command that names its collection by UUID. */
void sbx_auth_refuse(struct sbx_world *w, const char *user, const char *command, bool on);

/* Can this member sign cluster times? With access control it needs the set's keys for it. */
bool sbx_auth_signs(const struct sbx_member *m);
/* The signature, and the id of the key it is made with; both are 0 without access control. */
int64_t sbx_auth_sign(const struct sbx_member *m, struct mst_ts ts, uint8_t hash[SBX_AUTH_HASH]);
/* May this call run? flags are the command's. False: the call was failed. */
bool sbx_auth_check(struct sbx_call *c, unsigned flags);

/* Is this database in the caller's listDatabases? */
bool sbx_auth_sees_db(struct sbx_call *c, const char *db);

/* saslSupportedMechs and, where the profile has it, speculativeAuthenticate of a hello. */
void sbx_auth_hello(struct sbx_call *c);
/* connectionStatus: authInfo. */
void sbx_auth_status(struct sbx_call *c);
/* Who a connection is: [{user, db}] under this key; nothing when nobody. */
void sbx_auth_append_users(const struct sbx_conn *conn, const char *key, bson_t *b);
/* The digest a session carries of its owner: SHA-256 of "user@db", of "" for nobody. */
void sbx_auth_uid(const struct sbx_conn *conn, uint8_t out[SBX_AUTH_UID]);
void sbx_auth_conn_release(struct sbx_conn *conn);

/* Command bodies. */
void sbx_auth_sasl_start(struct sbx_call *c);
void sbx_auth_sasl_continue(struct sbx_call *c);
void sbx_auth_x509(struct sbx_call *c);
void sbx_auth_logout(struct sbx_call *c);

#endif
