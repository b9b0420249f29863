/* cmd_data_cursor.h: open cursors of a member; for sessions, statistics and tests. */
#ifndef SBX_CMD_CMD_DATA_CURSOR_H
#define SBX_CMD_CMD_DATA_CURSOR_H

#include "world/hooks.h"

extern const struct sbx_hooks sbx_cursor_hooks; /* a killed member forgets its cursors */
void sbx_cursors_free(struct sbx_member *m);
size_t sbx_cursors_open(const struct sbx_member *m);
/* A session ended or was killed: its cursors go. lsid: the 16 bytes of its UUID. */
void sbx_cursors_kill_session(struct sbx_member *m, const uint8_t lsid[16]);
/* Open cursors that no call uses now, as the $currentOp stage lists them; user NULL: everybody's,
 * else those of who has this digest. */
void sbx_cursors_idle(const struct sbx_member *m, const uint8_t *user,
                      void (*fn)(void *arg, const bson_t *op), void *arg);
/* Field "cursor" of the operation that uses it; nothing when there is none with this id. */
void sbx_cursor_append(const struct sbx_member *m, int64_t id, int64_t op_id, bson_t *op);

#endif
