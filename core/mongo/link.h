/* link.h: the byte streams of one connection, as the driver's mongoc_stream_t. Internal.
 *
 * From the bottom: our socket (non-blocking; every wait also ends by the task's cancel and by the
 * link's deadline), TLS of the driver, the frame filter, the driver's buffer. The driver owns the
 * chain and may destroy it at any time; wire is NULL from then on. A failed connect gives the
 * driver a dead stream, never NULL: 1.23.1 locks itself up when an initiator fails in a rescan.
 */
#ifndef MST_MONGO_LINK_H
#define MST_MONGO_LINK_H

#include <mongoc/mongoc.h>

#include "conc/task.h"
#include "mongo/frame.h"
#include "mongo/mongo.h"

struct mst_link {
    const struct mst_task *task; /* may be NULL */
    int64_t deadline_ms;         /* monotonic; 0: none */
    bool closing;                /* every call fails at once, nothing is connected any more */
    bool ignore_cancel;
    int fd;                /* -1: not connected */
    mongoc_stream_t *wire; /* TLS or the socket, below the filter; NULL once destroyed */
    mongoc_stream_t *socket;
    bool heard;         /* a byte came from the peer */
    bool tls;           /* its handshake is done */
    bool answered;      /* a byte of the protocol came from the peer */
    struct mst_err err; /* the first failure, MST_OK until then */
};

/* Note the first failure; later ones are its consequence. */
void mst_link_fail(struct mst_link *l, enum mst_rc rc, int detail, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Milliseconds until the deadline, at most limit_ms (negative: no limit of its own). */
int mst_link_left(const struct mst_link *l, int64_t limit_ms);
/* Wait for fd or the link's socket: 0 ready, else errno ECANCELED or ETIMEDOUT (not noted). */
int mst_link_wait(struct mst_link *l, int fd, short events, int64_t limit_ms);

/* Connect to host:port within the deadline and make the socket stream; on failure it is dead and
 * the reason is in l->err. Never NULL. */
mongoc_stream_t *mst_link_connect(struct mst_link *l, const char *dial);
/* Put TLS on top (takes base in every case). NULL on failure, reason in l->err. name is what the
 * certificate must be for. */
mongoc_stream_t *mst_link_tls(struct mst_link *l, mongoc_stream_t *base, const char *name,
                              const struct mst_tls *tls);
/* Put the frame filter on top of base. */
mongoc_stream_t *mst_link_filter(struct mst_link *l, mongoc_stream_t *base);
/* A stream on which every call fails. */
mongoc_stream_t *mst_link_dead(struct mst_link *l);

/* Files before the driver may see them; MST_E_TLS with MST_CD_TLS_FILE. */
enum mst_rc mst_tls_files(const struct mst_tls *tls, struct mst_err *err) MST_MUST_CHECK;
void mst_tls_to_driver(const struct mst_tls *tls, mongoc_ssl_opt_t *out);

#endif
