/* hooks.h: what sessions, authentication and TLS add to connections, calls and state changes.
 *
 * Registered once, before the first start of a world, never removed.
 */
#ifndef SBX_WORLD_HOOKS_H
#define SBX_WORLD_HOOKS_H

#include "world/world.h"

/* Any function may be NULL. With the lock held unless it
 * says otherwise. */
struct sbx_hooks {
    bool (*accept)(struct sbx_conn *conn); /* without the lock: TLS handshake; false: close */
    void (*opened)(struct sbx_conn *conn);
    void (*closed)(struct sbx_conn *conn); /* free what the hook's owner attached */
    bool (*allow)(struct sbx_call *c, const struct sbx_cmd *cmd); /* false: sbx_fail was called */
    bool (*begin)(struct sbx_call *c, const struct sbx_cmd *cmd); /* after the checks; likewise */
    void (*end)(struct sbx_call *c, const struct sbx_cmd *cmd);   /* after the handler, always */
    void (*hello)(struct sbx_call *c);     /* adds to isMaster and hello, before ok */
    void (*stepped)(struct sbx_member *m); /* its state changed: kill what may not survive */
    void (*leaving)(struct sbx_member *m); /* a step-down began: end what may not run into it */
    void (*died)(struct sbx_member *m);    /* killed: forget what a process forgets */
    void (*tick)(struct sbx_member *m, int64_t now); /* time passed on a running member */
};
void sbx_hook(const struct sbx_hooks *hooks);
bool sbx_hooks_accept(struct sbx_conn *conn);
void sbx_hooks_opened(struct sbx_conn *conn);
void sbx_hooks_closed(struct sbx_conn *conn);
bool sbx_hooks_allow(struct sbx_call *c, const struct sbx_cmd *cmd);
bool sbx_hooks_begin(struct sbx_call *c, const struct sbx_cmd *cmd);
void sbx_hooks_end(struct sbx_call *c, const struct sbx_cmd *cmd);
void sbx_hooks_hello(struct sbx_call *c);
void sbx_hooks_stepped(struct sbx_member *m);
void sbx_hooks_leaving(struct sbx_member *m);
void sbx_hooks_died(struct sbx_member *m);
void sbx_hooks_tick(struct sbx_member *m, int64_t now);

#endif
