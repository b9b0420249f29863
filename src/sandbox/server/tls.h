/* tls.h: TLS on the members' listeners. With it every connection must speak TLS, as requireTLS. */
#ifndef SBX_SERVER_TLS_H
#define SBX_SERVER_TLS_H

#include "world/world.h"

struct sbx_tls_options {
    const char *cert;                /* PEM with key and certificate, for every member ... */
    const char *of[SBX_MEMBERS_MAX]; /* ... but those that have one of their own; NULL: cert */
    const char *ca;                  /* clients' certificates are checked against it, or NULL */
    bool require_client;             /* no client without a certificate */
};

/* Before the server starts. MST_E_CONFIG names the file that is no good. */
enum mst_rc sbx_tls_init(struct sbx_world *w, const struct sbx_tls_options *o,
                         struct mst_err *err) MST_MUST_CHECK;
void sbx_tls_release(struct sbx_world *w); /* after the server stopped */

/* The handshake of a new connection, without the lock: true when it may go on (also when there is
 * no TLS). Its stream and the subject of its certificate are set. */
bool sbx_tls_accept(struct sbx_conn *conn);

#endif
