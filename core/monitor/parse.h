/* parse.h: replies of a server to facts. Pure over bson; every field may be missing or of another
 * type, nothing is trusted, text comes out sanitised. */
#ifndef MST_MONITOR_PARSE_H
#define MST_MONITOR_PARSE_H

#include <bson/bson.h>

#include "topo/topo.h"

struct mst_heard { /* what a member says of another one */
    char name[MST_HOST_MAX];
    struct mst_opinion o;
    int64_t heartbeat_wall_ms; /* the asked server's clock; 0 unknown */
    char message[160];         /* what it got instead of an answer; "" nothing */
};

struct mst_parsed_hello {
    char set_name[128], me[MST_HOST_MAX];
    bool hello_ok;  /* it knows the command hello */
    bool awaitable; /* it has a topologyVersion */
    bool sharded;   /* a config server says so */
    int64_t set_version;
    size_t n_hosts; /* hosts, passives, arbiters in this order */
    char hosts[MST_TOPO_MAX][MST_HOST_MAX];
};

struct mst_parsed_status {
    char set_name[128];
    size_t n;
    struct mst_heard heard[MST_TOPO_MAX];
};

struct mst_parsed_config {
    char set_name[128];
    int64_t version, term; /* term -1: none */
    int64_t election_timeout_ms;
    size_t n;
    struct mst_topo_member *members; /* owned; only the fields of the configuration */
};

struct mst_parsed_counters { /* to make rates of */
    int64_t at_ms;           /* 0: none yet */
    int64_t ops, repl_ops, uptime_s;
};

/* Each fills its part of m and leaves the rest; at_ms is when the answer arrived. */
void mst_parse_hello(const bson_t *reply, int64_t at_ms, struct mst_topo_member *m,
                     struct mst_parsed_hello *more);
void mst_parse_status(const bson_t *reply, int64_t at_ms, struct mst_topo_member *m,
                      struct mst_parsed_status *more);
/* False when there is no usable configuration in it. */
bool mst_parse_config(const bson_t *reply, struct mst_parsed_config *out);
void mst_parsed_config_release(struct mst_parsed_config *c);
/* Rates come from the counters before; they are updated. Sets *has_oplog when the reply has the
 * oplog's ends, *sharded when it is part of a sharded cluster. */
void mst_parse_stats(const bson_t *reply, int64_t at_ms, struct mst_topo_member *m,
                     struct mst_parsed_counters *before, bool *has_oplog, bool *sharded);
/* Everything that is not known yet. */
void mst_member_init(struct mst_topo_member *m, const char *name, const char *dial);

#endif
