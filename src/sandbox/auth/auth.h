/* auth.h: users of the simulated set, what a connection proved, and refusals on request.
 *
 * The first user switches authentication on. There are no roles yet: every user may do anything
 * but what is refused to it by name. All under the world's lock.
 */
#ifndef SBX_AUTH_AUTH_H
#define SBX_AUTH_AUTH_H

#include "world/world.h"

#define SBX_AUTH_UID 32

/* A user with a password, or one of $external (a certificate's subject) when password is NULL.
 * MST_E_EXISTS when it is there already. */
enum mst_rc sbx_auth_add(struct sbx_world *w, const char *db, const char *name,
                         const char *password, struct mst_err *err) MST_MUST_CHECK;
/* A start option: "NAME=FILE" or "NAME@DB=FILE", the password being the file's first line. */
enum mst_rc sbx_auth_add_option(struct sbx_world *w, const char *text,
                                struct mst_err *err) MST_MUST_CHECK;
/* A certificate's subject as MongoDB writes it: "CN=backup,OU=ops,O=muster". */
enum mst_rc sbx_auth_add_x509(struct sbx_world *w, const char *subject,
                              struct mst_err *err) MST_MUST_CHECK;
bool sbx_auth_enabled(const struct sbx_world *w);
void sbx_auth_release(struct sbx_world *w);

/* From now on (or no longer) this command is refused to this user with error 13; "*" is anybody,
 * also without authentication. "useUUID" is any command that names its collection by UUID. */
void sbx_auth_refuse(struct sbx_world *w, const char *user, const char *command, bool on);

/* May this call run? flags are the command's. False: the call was failed. */
bool sbx_auth_check(struct sbx_call *c, unsigned flags);

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
