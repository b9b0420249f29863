#include "run/tables.h"

#include "auth/auth.h"
#include "cmd/cmd.h"
#include "cmd/cmd_data_cursor.h"
#include "server/server.h"
#include "server/tls.h"
#include "sess/sess.h"
#include "world/hooks.h"

static bool allow(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    return sbx_sess_allow(c, cmd) && sbx_auth_check(c, cmd->flags);
}

static const struct sbx_hooks hooks = {
    .accept = sbx_tls_accept,
    .closed = sbx_auth_conn_release,
    .allow = allow,
    .begin = sbx_sess_begin,
    .end = sbx_sess_end,
    .hello = sbx_auth_hello,
    .stepped = sbx_sess_stepped,
    .leaving = sbx_sess_leaving,
    .died = sbx_sess_died,
    .tick = sbx_sess_tick,
};

void sbx_register_all(void)
{
    sbx_server_register(sbx_cmds_hello);
    sbx_server_register(sbx_cmds_set);
    sbx_server_register(sbx_cmds_set_status);
    sbx_server_register(sbx_cmds_seat);
    sbx_server_register(sbx_cmds_reconfig);
    sbx_server_register(sbx_cmds_lock);
    sbx_server_register(sbx_cmds_data);
    sbx_server_register(sbx_cmds_sess);
    sbx_server_register(sbx_cmds_auth);
    sbx_server_register(sbx_cmds_users);
    sbx_server_register(sbx_cmds_admin);
    sbx_server_register(sbx_cmds_refused);
    sbx_hook(&hooks);
    sbx_hook(&sbx_cursor_hooks);
}

void sbx_release_all(struct sbx_world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        sbx_cursors_free(&w->members[i]);
        sbx_sess_died(&w->members[i]);
    }
    sbx_auth_release(w);
    sbx_tls_release(w);
}
