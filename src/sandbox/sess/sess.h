/* sess.h: logical sessions, retryable writes and multi-document transactions of a member.
 *
 * A session's retryable history is not kept here: it is config.transactions and the chain of
 * prevOpTime in the oplog, as on a server, so that a new primary knows it. What is here is what a
 * process forgets: open transactions and when a session was last used. Under the world's lock.
 */
#ifndef SBX_SESS_SESS_H
#define SBX_SESS_SESS_H

#include "world/txn.h"
#include "world/world.h"

struct sbx_sess_stats {
    int64_t active_sessions;
    int64_t started, committed, aborted, open; /* transactions */
    int64_t retried_commands, retried_statements;
    int64_t reads, writes, commands, txns; /* operations and the microseconds they took */
    int64_t read_us, write_us, command_us, txn_us;
};
const struct sbx_sess_stats *sbx_sess_stats(struct sbx_member *m);

/* Parts of a command's way; the server's hooks. */
bool sbx_sess_allow(struct sbx_call *c, const struct sbx_cmd *cmd);
bool sbx_sess_begin(struct sbx_call *c, const struct sbx_cmd *cmd);
void sbx_sess_end(struct sbx_call *c, const struct sbx_cmd *cmd);
void sbx_sess_stepped(struct sbx_member *m);
void sbx_sess_leaving(struct sbx_member *m); /* open transactions abort */
void sbx_sess_died(struct sbx_member *m);

/* Command bodies. */
void sbx_sess_commit(struct sbx_call *c);
void sbx_sess_abort(struct sbx_call *c);
void sbx_sess_start_session(struct sbx_call *c);
/* endSessions, killSessions: the array under the command's name; all: every session. */
void sbx_sess_drop(struct sbx_call *c, bool all);
void sbx_sess_refresh(struct sbx_call *c);

/* What a member does by the clock: transactions that are too old end, and every five minutes (not
 * divided by --fast, as on a server) the sessions used since then go to config.system.sessions. */
void sbx_sess_tick(struct sbx_member *m, int64_t now);

#endif
