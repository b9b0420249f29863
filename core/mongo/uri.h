/* uri.h: connection strings, mongodb:// and mongodb+srv://, read without any I/O.
 *
 * A password inside is refused (a URI lands in process lists and logs); it comes from a file, a
 * command or a prompt. Options that switch certificate checks off are refused. Options of drivers
 * that do not concern a direct connection (retryWrites, w, readPreference ...) are accepted and
 * ignored. Any other name is an error that names the nearest known one. MST_E_CONFIG for all.
 */
#ifndef MST_MONGO_URI_H
#define MST_MONGO_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mongo/mongo.h"

#define MST_URI_HOSTS 50

struct mst_uri {
    bool srv; /* hosts is empty, srv_host is the name to look up */
    char srv_host[256];
    size_t n_hosts;
    char hosts[MST_URI_HOSTS][MST_ADDR_MAX]; /* always "host:port"; IPv6 in brackets */
    char set_name[128];                      /* "" not given */
    char user[256];                          /* "" none */
    char auth_source[128];                   /* "" not given */
    bool mech_given;
    enum mst_mech mech;  /* NONE without user; SCRAM (negotiated) with one; or as given */
    bool tls_given, tls; /* mongodb+srv: on unless switched off */
    char ca_file[512], cert_file[512];
    int64_t connect_ms; /* 0 not given */
    char app[128];
};

enum mst_rc mst_uri_parse(const char *uri, struct mst_uri *out, struct mst_err *err) MST_MUST_CHECK;
/* The options a mongodb+srv TXT record may set: authSource and replicaSet, unless given already. */
enum mst_rc mst_uri_apply_txt(struct mst_uri *u, const char *txt,
                              struct mst_err *err) MST_MUST_CHECK;
/* "host", "host:port", "[::1]:port" to the form with a port; false when it is none of these. */
bool mst_addr_normal(const char *text, char out[MST_ADDR_MAX]);
/* Split "host:port" (brackets removed). */
bool mst_addr_split(const char *addr, char *host, size_t size, uint16_t *port);
/* "SCRAM-SHA-256" to its value; MST_E_CONFIG names a mechanism that is known but not supported. */
enum mst_rc mst_mech_parse(const char *name, enum mst_mech *out,
                           struct mst_err *err) MST_MUST_CHECK;

#endif
