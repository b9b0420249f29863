/* conn.h: the inside of a connection, for the files of this module. Internal. */
#ifndef MST_MONGO_CONN_H
#define MST_MONGO_CONN_H

#include "base/buf.h"
#include "mongo/link.h"

struct mst_conn {
    struct mst_link link;
    mongoc_client_t *client;
    char name[MST_ADDR_MAX], dial[MST_ADDR_MAX];
    struct mst_tls tls; /* its secret is the caller's */
    bool asked;         /* the driver had its one connect */
    bool broken;
    bson_t hello;
    int wire;
    uint32_t max_bson, max_message, max_batch;
    int64_t rtt_us;
    int32_t request;
    struct mst_buf in; /* the newest reply, whole */
};

/* One request and its reply; *reply is a view into c->in, valid until the next request. The
 * server's ok:0 is an error like everywhere. */
enum mst_rc mst_conn_run(struct mst_conn *c, const char *db, const bson_t *cmd, const char *field,
                         const void *docs, size_t n, int64_t ms, bson_t *reply,
                         struct mst_err *err) MST_MUST_CHECK;
/* ok, errmsg, code of a reply. */
enum mst_rc mst_reply_check(const char *name, const bson_t *cmd, const bson_t *reply,
                            struct mst_err *err) MST_MUST_CHECK;
/* What a caller does next about a server's code. */
enum mst_rc mst_server_rc(int code);
/* "db1:27017" or "db1:27017 (at 127.0.0.1:37017)". */
const char *mst_conn_where(const struct mst_conn *c, char out[2 * MST_ADDR_MAX]);

#endif
