/* roles.h: the role script, for the command line. */
#ifndef MST_ENGINE_ROLES_H
#define MST_ENGINE_ROLES_H

#include "base/err.h"
#include "base/str.h"

/* What the server must allow for an act (view, switch, backup, restore), as a script for mongosh.
 * server is "4.2" to "8.x"; set_class is "", PROD, TEST or SANDBOX. MST_E_USAGE names what is
 * wrong. */
enum mst_rc mst_engine_roles(const char *act, const char *server, const char *set_class,
                             struct mst_str *out, struct mst_err *err) MST_MUST_CHECK;

#endif
