/* srv.h: the seed list of a mongodb+srv URI. Blocks on DNS: worker threads only. */
#ifndef MST_MONGO_SRV_H
#define MST_MONGO_SRV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mongo/uri.h"

#define MST_SRV_MAX 50

struct mst_srv_record {
    char host[256]; /* without the final dot */
    uint16_t port;
};

/* How names are looked up; a test answers from a table. MST_E_NOTFOUND when there is no such
 * record, MST_E_NET when the name service does not answer. */
struct mst_srv_resolver {
    enum mst_rc (*srv)(void *arg, const char *name, struct mst_srv_record *out, size_t max,
                       size_t *n, struct mst_err *err);
    /* At most one TXT record, its strings joined; out "" when there is none. MST_E_INTEGRITY when
     * there are several. */
    enum mst_rc (*txt)(void *arg, const char *name, char *out, size_t size, struct mst_err *err);
    void *arg;
};

/* _mongodb._tcp.<srv_host>: fills u->hosts, applies the TXT options. A record that leaves the
 * parent domain is refused (MST_E_INTEGRITY). NULL resolver: the system's. */
enum mst_rc mst_srv_resolve(struct mst_uri *u, const struct mst_srv_resolver *resolver,
                            struct mst_err *err) MST_MUST_CHECK;

/* Answers of the name service as bytes, for the resolver above and its tests. */
enum mst_rc mst_srv_parse_answer(const uint8_t *msg, size_t len, struct mst_srv_record *out,
                                 size_t max, size_t *n, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_srv_parse_txt(const uint8_t *msg, size_t len, char *out, size_t size,
                              struct mst_err *err) MST_MUST_CHECK;

#endif
