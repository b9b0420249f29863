/* facts.h: what a member says of itself; bodies of commands and what other commands need of them.
 */
#ifndef SBX_CMD_FACTS_H
#define SBX_CMD_FACTS_H

#include "query/query.h"
#include "world/world.h"

/* "hostname:port", as a server names itself in serverStatus, hostInfo and dbHash. */
void sbx_facts_host(const struct sbx_member *m, char *out, size_t size);

void sbx_facts_status(struct sbx_call *c); /* serverStatus */
void sbx_facts_current_op(struct sbx_call *c);
void sbx_facts_kill_op(struct sbx_call *c);
/* The member has its configuration; refused with 94 when not. */
bool sbx_need_config(struct sbx_call *c);
/* A parameter of cmd_lock.c under this key; false: none of that name. */
bool sbx_parameter_append(const struct sbx_call *c, const char *name, const char *key, bson_t *to);
/* serverStatus.repl: what isMaster says of the set, and the rollback id. */
void sbx_append_repl(struct sbx_call *c);
/* Whose operations, and what else besides those that run. */
struct sbx_ops_wish {
    bool all_users, idle_connections, idle_cursors;
};
/* One document for each operation of a client: for currentOp and the $currentOp stage. The document
 * is valid during fn. */
void sbx_facts_ops(struct sbx_call *c, const struct sbx_ops_wish *wish,
                   void (*fn)(void *arg, const bson_t *op), void *arg);
/* The options of the $currentOp stage; false with the server's code and reason. */
bool sbx_ops_options(struct sbx_val options, struct sbx_ops_wish *wish, struct sbx_why *why);

#endif
