/* cmd.h: the tables of commands, each ended by {0}; run/tables.c registers them. */
#ifndef SBX_CMD_CMD_H
#define SBX_CMD_CMD_H

#include "world/world.h"

/* ping, isMaster, hello */
extern const struct sbx_cmd sbx_cmds_hello[];
/* the replica set */
extern const struct sbx_cmd sbx_cmds_set[];
extern const struct sbx_cmd sbx_cmds_set_status[];
/* who sits on the primary's seat; what the members go by; fsyncLock and parameters */
extern const struct sbx_cmd sbx_cmds_seat[];
extern const struct sbx_cmd sbx_cmds_reconfig[];
extern const struct sbx_cmd sbx_cmds_lock[];
/* documents, collections, indexes, cursors */
extern const struct sbx_cmd sbx_cmds_data[];
/* sessions and transactions */
extern const struct sbx_cmd sbx_cmds_sess[];
/* who is it */
extern const struct sbx_cmd sbx_cmds_auth[];
/* users and roles */
extern const struct sbx_cmd sbx_cmds_users[];
/* facts about a member */
extern const struct sbx_cmd sbx_cmds_admin[];
/* a server has them, the sandbox says it has not */
extern const struct sbx_cmd sbx_cmds_refused[];

#endif
