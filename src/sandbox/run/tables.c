#include "run/tables.h"

#include "cmd/cmd.h"
#include "server/server.h"

void sbx_register_all(void)
{
    sbx_server_register(sbx_cmds_hello);
    sbx_server_register(sbx_cmds_set);
    sbx_server_register(sbx_cmds_set_status);
}

void sbx_release_all(struct sbx_world *w)
{
    (void)w;
}
