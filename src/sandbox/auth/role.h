/* role.h: what roles allow: the server's own ones, and those kept in admin.system.roles.
 *
 * Pure on one member's data. A privilege is a resource and the actions on it, as words between
 * spaces; "anyAction" is all of them.
 */
#ifndef SBX_AUTH_ROLE_H
#define SBX_AUTH_ROLE_H

#include <stdbool.h>
#include <stddef.h>

#include "data/data.h"

#define SBX_ROLE_NAME_MAX 128
#define SBX_ROLE_DB_MAX 64
#define SBX_ROLES_NS "admin.system.roles"
#define SBX_USERS_NS "admin.system.users"

enum sbx_res_kind {
    SBX_RES_CLUSTER,
    SBX_RES_ANY,    /* everything there is */
    SBX_RES_NORMAL, /* every database but local and config, no system collection */
    SBX_RES_DB,     /* one database, no system collection */
    SBX_RES_NAME,   /* collections of this name in every database */
    SBX_RES_NS      /* one collection, also one of the system's */
};
struct sbx_res {
    enum sbx_res_kind kind;
    const char *db, *coll; /* NULL where the kind has none */
};
struct sbx_priv {
    struct sbx_res on;
    const char *actions;
};
typedef bool sbx_priv_fn(void *arg, const struct sbx_priv *p); /* false ends the walk */

struct sbx_role {
    char db[SBX_ROLE_DB_MAX], name[SBX_ROLE_NAME_MAX];
};
struct sbx_roles { /* a set, in order of arrival */
    struct sbx_role *v;
    size_t n, cap;
};

/* Does a privilege on `on` count for `what`? */
bool sbx_res_covers(const struct sbx_res *on, const struct sbx_res *what);
/* Is the word among the actions, by name or as anyAction? */
bool sbx_actions_have(const char *actions, const char *action);
/* Every action there is, as words. */
const char *sbx_actions_all(void);
bool sbx_action_known(const char *action);

bool sbx_role_builtin(const char *db, const char *name);
/* Their names, each once; how many. */
size_t sbx_builtin_names(const char **names, size_t max);
/* Own or built in? */
bool sbx_role_exists(const struct sbx_data *d, const struct sbx_role *r);
/* The document of an own role; borrowed until the next write. */
bool sbx_role_doc(const struct sbx_data *d, const struct sbx_role *r, struct sbx_doc *out);
/* What this one role gives, without the roles it inherits; built-in ones have none to inherit. */
bool sbx_role_each(const struct sbx_data *d, const struct sbx_role *r, sbx_priv_fn *fn, void *arg);

bool sbx_roles_have(const struct sbx_roles *r, const struct sbx_role *one);
void sbx_roles_add(struct sbx_roles *r, const struct sbx_role *one);
/* From an array of {role, db} and names, which are roles of `db`; false when it is malformed. */
bool sbx_roles_parse(struct sbx_roles *r, struct sbx_val array, const char *db);
/* Those that the ones in it inherit, and so on; a circle ends where it began. */
void sbx_roles_inherit(const struct sbx_data *d, struct sbx_roles *r);
/* Does anything in `from` lead to `to`? */
bool sbx_roles_reach(const struct sbx_data *d, const struct sbx_roles *from,
                     const struct sbx_role *to);
bool sbx_roles_each(const struct sbx_data *d, const struct sbx_roles *r, sbx_priv_fn *fn,
                    void *arg);
void sbx_roles_release(struct sbx_roles *r);

/* A privilege's resource document {db, collection}, {cluster: true} or {anyResource: true}. */
bool sbx_res_parse(struct sbx_val resource, struct sbx_res *out);
/* The actions of a privilege as words; the caller releases s. False: no array of known names. */
bool sbx_actions_parse(struct sbx_val array, struct mst_str *s);

#endif
