#include "auth/auth.h"
#include "cmd/cmd.h"

static void logout(struct sbx_call *c)
{
    sbx_auth_logout(c);
}

static void connection_status(struct sbx_call *c)
{
    sbx_auth_status(c);
}

const struct sbx_cmd sbx_cmds_auth[] = {
    {"saslStart", sbx_auth_sasl_start, SBX_CMD_NO_AUTH | SBX_CMD_ARBITER | SBX_CMD_HANDSHAKE, NULL},
    {"saslContinue", sbx_auth_sasl_continue, SBX_CMD_NO_AUTH | SBX_CMD_ARBITER | SBX_CMD_HANDSHAKE,
     NULL},
    {"authenticate", sbx_auth_x509, SBX_CMD_NO_AUTH | SBX_CMD_ARBITER, NULL},
    {"logout", logout, SBX_CMD_NO_AUTH | SBX_CMD_ARBITER, NULL},
    {"connectionStatus", connection_status, SBX_CMD_NO_AUTH | SBX_CMD_ARBITER, NULL},
    {0}};
