/* internal.h: between the files of the server. */
#ifndef SBX_SERVER_INTERNAL_H
#define SBX_SERVER_INTERNAL_H

#include "server/server.h"
#include "world/hooks.h"

/* disk.c: refuses what a full disk has no room for; in its other form the member ends here. */
bool sbx_disk_refuses(struct sbx_call *c, const struct sbx_cmd *cmd);

#define SBX_CONNS_MAX 15000

struct sbx_server_state {
    int listen_fd[SBX_MEMBERS_MAX];  /* -1: not listening */
    int reserve_fd[SBX_MEMBERS_MAX]; /* bound, never listening: keeps the port ours */
    int wake_fd;
    int n_threads; /* connection threads that run */
    struct mst_thread acceptor;
    bool started;
};

void sbx_conn_serve(struct sbx_world *w, struct sbx_member *m, int fd); /* takes the fd */

#endif
