/* client.h: a small blocking client that speaks only the wire protocol.
 *
 * For the writer, the control tool and tests. One connection, one thread. Every call has a
 * deadline; after any failure but a server's error document the connection is closed.
 */
#ifndef SBX_WIRE_CLIENT_H
#define SBX_WIRE_CLIENT_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/frame.h"

struct sbx_client {
    int fd; /* -1: closed */
    int32_t next_id;
    int64_t timeout_ms; /* of each call; 0 becomes 10 s */
};

/* host is a numeric address or "localhost". */
enum mst_rc sbx_client_connect(struct sbx_client *c, const char *host, int port, int64_t timeout_ms,
                               struct mst_err *err) MST_MUST_CHECK;
void sbx_client_close(struct sbx_client *c);
/* Run one command: $db is added. reply is initialised here, destroyed by the caller on every path.
 * MST_E_SERVER when the answer says ok: 0 (reply holds it, err->detail the code). */
enum mst_rc sbx_client_command(struct sbx_client *c, const char *db, const bson_t *cmd,
                               bson_t *reply, struct mst_err *err) MST_MUST_CHECK;
/* The same in pieces, for streaming replies: send with flags, then receive frames. */
enum mst_rc sbx_client_send(struct sbx_client *c, const char *db, const bson_t *cmd, uint32_t flags,
                            int32_t *id, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc sbx_client_receive(struct sbx_client *c, struct sbx_frame *f,
                               struct mst_err *err) MST_MUST_CHECK;
/* OP_QUERY on <db>.$cmd, as handshakes of older drivers are sent. */
enum mst_rc sbx_client_query(struct sbx_client *c, const char *db, const bson_t *cmd, bson_t *reply,
                             struct mst_err *err) MST_MUST_CHECK;
/* Any bytes, for hostile frames. */
enum mst_rc sbx_client_raw(struct sbx_client *c, const void *p, size_t n,
                           struct mst_err *err) MST_MUST_CHECK;

/* "a.b.0.c" in a document: numbers as double or int64; false when it is absent or no number. */
bool sbx_doc_int(const bson_t *doc, const char *path, int64_t *out);
bool sbx_doc_has(const bson_t *doc, const char *path);
bool sbx_doc_true(const bson_t *doc, const char *path); /* server's truth: bool or number not 0 */
const char *sbx_doc_str(const bson_t *doc, const char *path); /* NULL when absent; borrowed */

#endif
