#include "cmd/cmd.h"
#include "sess/sess.h"

static void drop_named(struct sbx_call *c)
{
    sbx_sess_drop(c, false);
}

static void drop_every(struct sbx_call *c)
{
    sbx_sess_drop(c, true);
}

const struct sbx_cmd sbx_cmds_sess[] = {
    {"commitTransaction", sbx_sess_commit, SBX_CMD_ADMIN | SBX_CMD_TXN, NULL},
    {"abortTransaction", sbx_sess_abort, SBX_CMD_ADMIN | SBX_CMD_TXN, NULL},
    {"startSession", sbx_sess_start_session, 0, NULL},
    {"endSessions", drop_named, SBX_CMD_ARBITER, NULL},
    {"refreshSessions", sbx_sess_refresh, SBX_CMD_ARBITER, NULL},
    {"killSessions", drop_named, SBX_CMD_ARBITER, NULL},
    {"killAllSessions", drop_every, SBX_CMD_ARBITER, NULL},
    {0}};
