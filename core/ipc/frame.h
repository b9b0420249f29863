/* frame.h: frames and the addresses of sockets; private to ipc. */
#ifndef MST_IPC_FRAME_H
#define MST_IPC_FRAME_H

#include <bson/bson.h>

#include "base/buf.h"
#include "ipc/ipc.h"

#ifndef MST_VERSION
#define MST_VERSION "0.1.0"
#endif

/* What both sides say first: raised with every change of what crosses the socket. */
#define IPC_HELLO MST_VERSION "+2"

/* One frame at the start of b, *used its whole length: false while it is not complete. A length
 * that is none, or bytes that are no document, are MST_E_INTEGRITY or MST_E_LIMIT. Pure. */
enum mst_rc ipc_frame_take(const struct mst_buf *b, bson_t *doc, size_t *used, bool *whole,
                           struct mst_err *err) MST_MUST_CHECK;
void ipc_frame_put(struct mst_buf *b, const bson_t *doc);
/* Blocking, whole frames, with a deadline. doc is the caller's to destroy. */
enum mst_rc ipc_send(int fd, const bson_t *doc, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc ipc_recv(int fd, struct mst_buf *b, int64_t ms, bson_t *doc,
                     struct mst_err *err) MST_MUST_CHECK;
enum mst_rc ipc_connect(const char *path, int *fd, struct mst_err *err) MST_MUST_CHECK;
bool ipc_peer_ok(int fd);
/* Hash of every option, to tell configurations apart. */
void ipc_cfg_hash(const struct mst_cfg *cfg, char out[33]);
int64_t ipc_int(const bson_t *doc, const char *name, int64_t otherwise);
bool ipc_text(const bson_t *doc, const char *name, char *out, size_t size);
bool ipc_doc(const bson_t *doc, const char *name, bson_t *out); /* static view */

#endif
