/* show.h: a set of privileges: one for each resource, the actions in order of name. */
#ifndef SBX_AUTH_SHOW_H
#define SBX_AUTH_SHOW_H

#include "auth/role.h"

struct sbx_privs_one;
struct sbx_privs { /* zeroed: empty */
    struct sbx_privs_one *v;
    size_t n, cap;
};

void sbx_privs_add(struct sbx_privs *t, const struct sbx_priv *p);
/* Without these actions; a resource whose last action goes is gone. */
void sbx_privs_remove(struct sbx_privs *t, const struct sbx_priv *p);
/* All that another set has. */
void sbx_privs_join(struct sbx_privs *t, const struct sbx_privs *from);
/* All that these roles give. */
void sbx_privs_add_roles(struct sbx_privs *t, const struct sbx_data *d, const struct sbx_roles *r);
/* An array of {resource, actions} as commands and documents have it: each is added (or removed).
 * False, with why, for what a server refuses. db: of the role that gets them; roles of another
 * database than admin may have none elsewhere. */
bool sbx_privs_parse(struct sbx_privs *t, struct sbx_val array, bool remove, const char *db,
                     struct sbx_why *why);
void sbx_privs_out(const struct sbx_privs *t, struct sbx_out *out, const char *key);
void sbx_privs_release(struct sbx_privs *t);

#endif
