/* run.h: a simulated replica set in this process, for tests and for `muster sandbox`. */
#ifndef SBX_RUN_RUN_H
#define SBX_RUN_RUN_H

#include "server/tls.h"
#include "world/world.h"

struct sbx_opts {
    const char *server; /* "4.2" or "7.0"; NULL: 4.2 */
    const char *set;    /* NULL: rs0 */
    int members;        /* data-bearing ones; 0: 3 */
    bool arbiter;       /* one more */
    bool fast;
    int port;              /* of the first member, the others follow; 0: any */
    uint64_t seed;         /* 0: from the clock */
    size_t oplog_bytes;    /* 0: 64 MiB */
    int64_t max_txn_bytes; /* 0: the server's */
    bool uninitiated;      /* wait for replSetInitiate */
    const bson_t *config;  /* a whole configuration with its own _ids, priorities, hidden, tags,
                              delays; hosts are replaced by ours in order; NULL: the default */
    int version;           /* of the configuration; 0: 1 */
    int64_t term;          /* to start in; 0: 1 */
    int primary;           /* index of the first primary */
    int64_t election_timeout_ms;       /* 0: the default */
    const struct sbx_tls_options *tls; /* NULL: plain */
    bool auth;                         /* access control, also before there is a user */
    const char *const *users;          /* NAME[@DB][:ROLES]=FILE; access control is on then */
    size_t n_users;
    const char *const *refused; /* USER=COMMAND: refused to that user, "*" is anybody */
    size_t n_refused;
    int64_t sessions_ms; /* between two writes of config.system.sessions; 0: five minutes */
    bool moves;          /* a document that grows moves: natural scans may meet it twice */
    int64_t fill_bytes;  /* documents computed on read, in database fill; 0: none */
    int fill_colls;      /* in how many collections; 0: 1 */
};

struct sbx_world; /* world/world.h */

/* Start all members; returns when the primary is writable (or at once when uninitiated). */
enum mst_rc sbx_world_start(const struct sbx_opts *opts, struct sbx_world **out,
                            struct mst_err *err) MST_MUST_CHECK;
void sbx_world_stop(struct sbx_world *w); /* NULL allowed */
/* mongodb://127.0.0.1:p,...; caller frees. */
char *sbx_world_uri(const struct sbx_world *w);
int sbx_world_port(const struct sbx_world *w, size_t member);
/* Index of the writable primary, -1 none. Takes the lock. */
int sbx_world_primary(struct sbx_world *w);
/* Until some member other than `not` (-1: any) is writable, and known as such to every running
 * member of its side; -1 when ms passed. */
int sbx_world_wait_primary(struct sbx_world *w, int not_member, int64_t ms);
/* Until cond(w, arg) holds; false when ms passed. Called with the lock held. */
bool sbx_world_wait(struct sbx_world *w, bool (*cond)(struct sbx_world *w, void *arg), void *arg,
                    int64_t ms);

int sbx_main(int argc, char **argv);

#endif
