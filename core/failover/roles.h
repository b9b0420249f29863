/* roles.h: the least that the server must allow for each act of muster, and the script that makes
 * it so. Pure: no clock, no I/O; no password is ever in the text.
 */
#ifndef MST_FAILOVER_ROLES_H
#define MST_FAILOVER_ROLES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum mst_roles_act {
    MST_ROLES_VIEW,
    MST_ROLES_SWITCH,
    MST_ROLES_BACKUP,
    MST_ROLES_RESTORE,
    MST_ROLES_ACTS
};
const char *mst_roles_word(enum mst_roles_act act); /* as in set.credentials: "view" ... */
/* MST_E_USAGE when there is no such act. */
enum mst_rc mst_roles_act_of(const char *word, enum mst_roles_act *out,
                             struct mst_err *err) MST_MUST_CHECK;

struct mst_roles_need {
    enum {
        MST_ROLES_CLUSTER,
        MST_ROLES_ANY,
        MST_ROLES_COLL
    } on;                  /* ANY: every ordinary collection */
    const char *db, *coll; /* COLL; db "" is every database */
    const char *action;
    const char *why; /* what muster sends that needs it */
    bool since_44;   /* servers before 4.4 do not know this action */
};
/* In the order of the script; needs on the same resource stand together. Borrowed. */
const struct mst_roles_need *mst_roles_needs(enum mst_roles_act act, size_t *n);

/* A script for mongosh (before 5.0 the mongo shell): one createRole, one createUser with a prompt.
 * server is "4.2" to "8.x", also with a patch level; set_class is "", PROD, TEST or SANDBOX.
 * MST_E_USAGE names what is wrong. */
enum mst_rc mst_roles_script(enum mst_roles_act act, const char *server, const char *set_class,
                             struct mst_str *out, struct mst_err *err) MST_MUST_CHECK;

#endif
