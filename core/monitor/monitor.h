/* monitor.h: watches one replica set: two threads and two direct connections per member, one view.
 *
 * One connection asks hello each second (awaitable where the server has it), the other asks
 * replSetGetStatus each second, serverStatus each five and the configuration each thirty or when
 * its version changed. The members come from replSetGetConfig, hidden ones too; the seeds only
 * start it. Arbiters are asked hello without a login. Nothing is ever written to the set.
 *
 * Everything measured becomes an immutable struct mst_monitor_view, published at most about five
 * times and at least once a second, also while nobody answers. Starting and stopping do not wait
 * for the network: stop returns within about 200 ms.
 */
#ifndef MST_MONITOR_MONITOR_H
#define MST_MONITOR_MONITOR_H

#include "base/err.h"
#include "base/shared.h"
#include "mongo/mongo.h"
#include "mongo/srv.h"
#include "topo/topo.h"

struct mst_monitor_dial { /* name as in the configuration, address where we connect */
    char name[MST_HOST_MAX];
    char dial[MST_HOST_MAX];
};

struct mst_monitor_opts { /* arrays, strings and secrets are borrowed until stop */
    const char *set_name; /* NULL or "": the set the first seed belongs to */
    size_t n_seeds;       /* "host:port", or "host" for port 27017 */
    const char *const *seeds;
    const char *srv_host; /* mongodb+srv: resolved on a thread of the monitor; else NULL */
    const struct mst_srv_resolver *resolver; /* NULL: the system's */
    size_t n_dial;
    const struct mst_monitor_dial *dial;
    const struct mst_tls *tls;            /* NULL: none */
    const struct mst_cred *cred;          /* NULL: no login */
    const struct mst_topo_limits *limits; /* NULL: mst_topo_limits_default */
    size_t n_events;                      /* of earlier runs, oldest first */
    const struct mst_event *events;
    const char *app;                                  /* NULL: "muster" */
    int64_t hello_ms, status_ms, stats_ms, config_ms; /* intervals; 0: 1000, 1000, 5000, 30000 */
};

struct mst_monitor_view {
    struct mst_shared shared;
    struct mst_topo_view v;
};

struct mst_monitor;

enum mst_rc mst_monitor_start(const struct mst_monitor_opts *o, struct mst_monitor **out,
                              struct mst_err *err) MST_MUST_CHECK;
void mst_monitor_stop(struct mst_monitor *m); /* joins and frees; NULL allowed */
/* The newest view, never NULL; the caller gives it back with mst_shared_unref(&v->shared). Any
 * thread. Before the first answer its verdict is MST_V_STARTING. */
struct mst_monitor_view *mst_monitor_view(struct mst_monitor *m);
/* Readable when a newer view was published; the one thread that polls it drains it. */
int mst_monitor_wake_fd(const struct mst_monitor *m);
void mst_monitor_drain(struct mst_monitor *m);
void mst_monitor_now(struct mst_monitor *m); /* ask every member at once; any thread */

#endif
