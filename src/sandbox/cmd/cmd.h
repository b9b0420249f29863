/* cmd.h: the tables of commands, each ended by {0}; run/tables.c registers them. */
#ifndef SBX_CMD_CMD_H
#define SBX_CMD_CMD_H

#include "world/world.h"

extern const struct sbx_cmd sbx_cmds_hello[]; /* ping, isMaster, hello */
extern const struct sbx_cmd sbx_cmds_set[];   /* the replica set */
extern const struct sbx_cmd sbx_cmds_set_status[]; /* replSetGetStatus */
extern const struct sbx_cmd sbx_cmds_data[];  /* documents, collections, indexes, cursors */
extern const struct sbx_cmd sbx_cmds_sess[];  /* sessions and transactions */
extern const struct sbx_cmd sbx_cmds_auth[];  /* who is it */
extern const struct sbx_cmd sbx_cmds_admin[]; /* facts about a member */

#endif
