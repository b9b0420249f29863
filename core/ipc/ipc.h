/* ipc.h: the engine behind a unix socket: an agent serves it, a front end attaches to it.
 *
 * A frame is a length (four bytes, little-endian) and one BSON document of at most
 * MST_IPC_FRAME_MAX bytes. The first frame of either side is its hello with the version of the
 * program; versions must be equal. Then the client sends requests {q: N, ...} and gets replies
 * {r: N, ...}; the agent sends a view whenever one is published, with the parts that changed since
 * the last one it sent there.
 *
 * The socket is in a private directory; the peer's user id is checked with SO_PEERCRED.
 */
#ifndef MST_IPC_IPC_H
#define MST_IPC_IPC_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/engine.h"

#define MST_IPC_FRAME_MAX (64U * 1024U * 1024U)
#define MST_IPC_PATH 108 /* of a socket address */

/* Where the agent of this configuration's set listens. MST_E_CONFIG when the path is too long or
 * the directory is not ours alone. */
enum mst_rc mst_ipc_path(const struct mst_cfg *cfg, char out[MST_IPC_PATH],
                         struct mst_err *err) MST_MUST_CHECK;

/* Attach. MST_E_NOTFOUND: nobody listens there; MST_E_STALE: an agent of another version, named;
 * MST_E_CONFIG with detail MST_IPC_OTHER_CONFIG: it was started with a configuration that is no
 * longer this one. */
#define MST_IPC_OTHER_CONFIG 1
enum mst_rc mst_ipc_attach(const char *path, const struct mst_cfg *cfg, struct mst_engine **out,
                           struct mst_err *err) MST_MUST_CHECK;

struct mst_ipc_serve_opts {
    const char *path;
    const struct mst_cfg *cfg; /* that the engine was opened with */
    int stop_fd;               /* readable: end */
    int64_t idle_exit_ms;      /* end after this long without client and job; 0: never */
    int ready_fd;              /* gets one byte when clients are welcome; -1 none */
};
/* Serve the engine on path until stop_fd, a stop request, or nothing to do for long. A stale socket
 * is replaced; a live one is MST_E_BUSY. The socket is removed at the end. */
enum mst_rc mst_ipc_serve(const struct mst_ipc_serve_opts *o, struct mst_engine *e,
                          struct mst_err *err) MST_MUST_CHECK;

/* Ask the agent at path to end; it cancels its jobs first unless they must be kept: then
 * MST_E_BUSY names them. force: cancel them. */
enum mst_rc mst_ipc_stop(const char *path, bool force, struct mst_err *err) MST_MUST_CHECK;

#endif
