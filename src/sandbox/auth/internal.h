/* internal.h: between the files of auth. */
#ifndef SBX_AUTH_INTERNAL_H
#define SBX_AUTH_INTERNAL_H

#include "auth/auth.h"
#include "auth/role.h"
#include "auth/scram.h"

#define SBX_USER_NAME_MAX 256
#define SBX_CONN_USERS_MAX 4

struct sbx_refusal {
    char user[SBX_USER_NAME_MAX], command[64];
};

struct sbx_auth { /* of the world */
    bool on;
    struct sbx_refusal *refusals;
    size_t n_refusals, cap_refusals;
};

struct sbx_conn_user {
    char db[SBX_ROLE_DB_MAX], name[SBX_USER_NAME_MAX];
    uint8_t id[16]; /* who comes later under the same name is somebody else */
};

struct sbx_conn_auth { /* of a connection */
    struct sbx_conn_user users[SBX_CONN_USERS_MAX];
    size_t n;
    bool talking; /* a conversation is open */
    char db[SBX_ROLE_DB_MAX];
    struct sbx_scram scram;
};

struct sbx_auth *sbx_auth_of(struct sbx_world *w);
/* builtin.c */
bool sbx_builtin_each(const struct sbx_role *r, bool newer, sbx_priv_fn *fn, void *arg);
/* users.c: the credentials that a user's document holds for one mechanism. */
bool sbx_user_cred(struct sbx_doc user, enum sbx_scram_mech m, struct sbx_scram_cred *out);

#endif
