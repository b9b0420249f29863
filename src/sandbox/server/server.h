/* server.h: listeners, connections and the way of a command through its checks.
 *
 * One thread accepts for all members, one thread serves each connection. A killed member's
 * listener and connections close as a dead process's do; a frozen one's stay open and silent.
 */
#ifndef SBX_SERVER_SERVER_H
#define SBX_SERVER_SERVER_H

#include "world/world.h"

/* Tables and hooks are registered once, before the first start, and never change. */
void sbx_server_register(const struct sbx_cmd *table); /* ended by {0} */

const struct sbx_cmd *sbx_server_find(const struct sbx_world *w, const char *name);
/* All commands of this profile in registration order: fills names, returns how many there are. */
size_t sbx_server_commands(const struct sbx_world *w, const char **names, size_t max);
/* Run one command with the lock held: fill c->w, m, conn, cmd, db, the request flags; reply is an
 * empty document. Afterwards reply is complete. */
void sbx_dispatch(struct sbx_call *c);
void sbx_call_release(struct sbx_call *c);

/* Bind every member's port (0: any; written back to m->port and m->host): connections queue from
 * here on. Then accept them. After a failure of either, stop. */
enum mst_rc sbx_server_open(struct sbx_world *w, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc sbx_server_start(struct sbx_world *w, struct mst_err *err) MST_MUST_CHECK;
void sbx_server_stop(struct sbx_world *w); /* without the lock; returns when every thread ended */
/* A member's process dies and is started: with the lock held. Its port stays reserved. */
void sbx_server_kill(struct sbx_member *m);
/* Members whose disk is full and who wrote all the same end; called by the timer, with the lock. */
void sbx_disk_tick(struct sbx_world *w);
enum mst_rc sbx_server_revive(struct sbx_member *m, struct mst_err *err) MST_MUST_CHECK;
void sbx_server_poke(struct sbx_world *w); /* the set of listeners changed */
int sbx_server_connections(const struct sbx_member *m);

#endif
