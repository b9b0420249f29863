#include "engine/roles.h"

#include "failover/roles.h"

enum mst_rc mst_engine_roles(const char *act, const char *server, const char *set_class,
                             struct mst_str *out, struct mst_err *err)
{
    enum mst_roles_act which;
    enum mst_rc rc = mst_roles_act_of(act, &which, err);

    return rc == MST_OK ? mst_roles_script(which, server, set_class, out, err) : rc;
}
