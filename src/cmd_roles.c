/* muster roles: the script that gives a user what one act needs, and nothing else. */
#include "cmd.h"
#include "engine/roles.h"

enum mst_rc cmd_roles(struct cmd_ctx *c, struct mst_err *err)
{
    const char *act = args_get(&c->args, "act"), *server = args_get(&c->args, "server");
    const char *set_class = args_get(&c->args, "class");
    struct mst_str out = {0};
    enum mst_rc rc;

    if (!act || !server) {
        return mst_err_set(err, MST_E_USAGE,
                           "say --act view|switch|backup|restore and --server VERSION, e.g. "
                           "--server 7.0");
    }
    rc = mst_engine_roles(act, server, set_class ? set_class : "", &out, err);
    if (rc == MST_OK) {
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    return rc;
}
