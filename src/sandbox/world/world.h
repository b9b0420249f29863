/* world.h: the simulated replica set: its members, connections and the one lock.
 *
 * Everything here is guarded by w->mu unless it says otherwise; `changed` is broadcast at every
 * change of state, of a position in an oplog and of a commit point. Command handlers run with the
 * lock held. The world owns its members; a member owns its data and oplog, which outlive a kill.
 */
#ifndef SBX_WORLD_WORLD_H
#define SBX_WORLD_WORLD_H

#include <bson/bson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/ts.h"
#include "conc/thread.h"

#define SBX_MEMBERS_MAX 12
#define SBX_VOTERS_MAX 7
#define SBX_TAGS_MAX 8
#define SBX_HOST_MAX 64

struct sbx_data;
struct sbx_oplog;
struct sbx_conn;
struct sbx_call;
struct sbx_txn;

enum sbx_server { SBX_42, SBX_70 };

/* What differs between server versions. Shared, constant. */
struct sbx_profile {
    enum sbx_server server;
    const char *name;    /* "4.2" */
    const char *version; /* "4.2.8" */
    int version_array[4];
    int max_wire;
    bool hello;     /* hello with topologyVersion, isWritablePrimary */
    bool v2_update; /* oplog updates are $v: 2 */
    const char *fcv;
};
const struct sbx_profile *sbx_profile_find(const char *name); /* NULL: unknown */

enum sbx_state { /* the server's numbers */
                 SBX_STARTUP = 0,
                 SBX_PRIMARY = 1,
                 SBX_SECONDARY = 2,
                 SBX_RECOVERING = 3,
                 SBX_STARTUP2 = 5,
                 SBX_UNKNOWN = 6,
                 SBX_ARBITER = 7,
                 SBX_DOWN = 8,
                 SBX_ROLLBACK = 9,
                 SBX_REMOVED = 10
};
const char *sbx_state_name(enum sbx_state s);

/* An optime with the wall time of its entry. */
struct sbx_pos {
    struct mst_optime op;
    int64_t wall_ms;
};

struct sbx_tag {
    char key[32], value[64];
};
struct sbx_member_config {
    int id;
    char host[SBX_HOST_MAX];
    bool arbiter, hidden, build_indexes;
    double priority;
    int votes;
    int64_t delay_s;
    struct sbx_tag tags[SBX_TAGS_MAX];
    size_t n_tags;
};
struct sbx_config {
    char set[64];
    int version;
    int64_t term; /* 7.0 */
    struct sbx_member_config members[SBX_MEMBERS_MAX];
    size_t n;
    int heartbeat_ms, heartbeat_timeout_s, election_timeout_ms, catch_up_timeout_ms;
    int catch_up_takeover_delay_ms;
    bool chaining;
    bson_oid_t replica_set_id;
};

/* What one member believes about another, from heartbeats. */
struct sbx_opinion {
    bool up;   /* health */
    bool ever; /* a reply was received */
    enum sbx_state state;
    int64_t term;
    struct sbx_pos applied, durable;
    int64_t last_heartbeat_ms;      /* utc of the last reply; 0: none */
    int64_t last_heartbeat_recv_ms; /* utc of the last request from it; 0: none */
    int64_t up_since_mono;
    int64_t ping_ms; /* -1: unknown */
    char message[128];
    int sync_source; /* index, -1 none */
    struct mst_ts election_time;
    int config_version;
    int64_t config_term;
    int64_t last_ok_mono;  /* when it last answered, for timeouts */
    int64_t next_ask_mono; /* our next heartbeat to it */
    bool asking;           /* a heartbeat is on its way ... */
    int64_t asked_mono;    /* ... since */
    int64_t failed_mono;   /* when a heartbeat last failed */
};

struct sbx_vote { /* electionParticipantMetrics */
    bool any, voted;
    int64_t term;
    int64_t date_ms;
    int candidate; /* _id of the candidate, as configured */
    char reason[160];
    struct mst_optime last_applied, max_applied;
    double priority;
    int64_t new_term_ms, applied_ms; /* utc of the new term's first entry; 0: not seen */
};
struct sbx_candidacy { /* electionCandidateMetrics */
    bool any;
    const char *reason;
    int64_t date_ms, term;
    struct mst_optime committed, seen;
    int votes_needed;
    double priority;
    int64_t timeout_ms;
    int prior_primary; /* _id, -1 none */
    int64_t catch_up_ops;
    struct mst_optime target;         /* of its catch-up; term -1: it was current */
    int64_t new_term_ms, majority_ms; /* utc; 0: not yet */
};
enum sbx_run_phase { SBX_RUN_NONE, SBX_RUN_DRY, SBX_RUN_REAL };
struct sbx_run { /* an election this member runs in */
    enum sbx_run_phase phase;
    int64_t due_mono; /* its votes are in */
    int64_t term;     /* it runs in */
    const char *reason;
    int prior_primary; /* _id of who handed over, -1 nobody */
};
struct sbx_election_counts { /* serverStatus.electionMetrics */
    int64_t step_up_called, step_up_ok, timeout_called, timeout_ok, freeze_called, freeze_ok;
    int64_t priority_called, priority_ok, catch_up_called, catch_up_ok; /* takeovers */
    int64_t step_downs_by_term, catch_ups, catch_ups_ok, catch_ups_current, catch_ups_timed_out;
    int64_t catch_ups_skipped, catch_ups_new_term, catch_ups_aborted, catch_up_ops;
};

struct sbx_moves { /* serverStatus.metrics.repl.stateTransition */
    const char *last;
    int64_t killed, running; /* operations of users, at the last ones */
};

/* Faults and parameters that an operator sets; a start clears none but the lock. */
struct sbx_dials {
    int64_t slow_ms;     /* commands that touch data, and what it applies, take longer */
    int64_t catch_up_ms; /* its catch-up after a won election takes so long at least */
    int fassert_lock_s;  /* fassertOnLockTimeoutForStepUpDown; 0: never */
    bool no_hand_off;    /* enableElectionHandoff: false */
};

struct sbx_cmd_count { /* serverStatus.metrics.commands */
    const char *name;
    int64_t total, failed;
};
struct sbx_counters {
    int64_t insert, query, update, del, getmore, command; /* opcounters */
    int64_t r_insert, r_update, r_del, r_command;         /* opcountersRepl */
    int64_t bytes_in, bytes_out, requests;                /* network */
    int64_t asserts_user;
    int64_t connections_created;
};

enum sbx_disk {
    SBX_DISK_OK,
    SBX_DISK_FULL, /* what needs room is refused: 14031 */
    SBX_DISK_CRASH /* the first write ends the process */
};

struct sbx_member {
    struct sbx_world *w;
    size_t index; /* in w->members and in the configuration */
    int port;
    char host[SBX_HOST_MAX]; /* "127.0.0.1:27117" */
    struct sbx_data *data;   /* its own; NULL on an arbiter */
    struct sbx_oplog *oplog;

    /* Process. */
    bool alive;  /* the process runs */
    bool frozen; /* stopped with SIGSTOP */
    int64_t started_mono, started_utc;
    int pid;            /* a made-up number that changes with each start */
    bson_oid_t process; /* of topologyVersion */
    int64_t topology;   /* its counter */
    int n_conns;
    uint32_t generation; /* grows with each kill: waits of older connections end */

    /* Set. */
    bool has_config;
    struct sbx_config config;    /* the newest this member has heard of */
    struct mst_optime config_op; /* 7.0: what must be committed before the next one */
    bool reconfiguring;
    enum sbx_state state;
    bool writable;      /* isMaster: primary, drained, not on its way out */
    bool stepping_down; /* an attempt runs */
    int64_t term;       /* current term, -1 before initiate */
    int primary;        /* who it takes for the primary (index), -1 none */
    int sync_source;    /* index, -1 none */
    int64_t sync_since_mono;
    char info[128];                             /* infoMessage */
    struct sbx_pos applied, durable, committed; /* committed: as far as this member knows */
    struct mst_ts cluster_time;
    int64_t lag_ms;            /* asked for by ctl */
    enum sbx_disk disk;        /* the same; outlives the process */
    struct mst_optime disk_at; /* its newest entry when the disk became full */
    int64_t rbid;
    int64_t election_due_mono; /* stands when this passes; 0: no timer */
    int64_t no_stand_until;    /* mono: freeze or penalty; one timer; 0: none ever ran */
    int64_t takeover_due_mono; /* a takeover is planned for then; 0: none */
    const char *takeover;      /* its reason */
    int64_t state_due_mono;    /* STARTUP2, RECOVERING, ... end here */
    int64_t vote_term;         /* newest term it voted in */
    bool initial_sync;         /* has no data yet */
    bool too_stale;            /* its sync source no longer has what comes next */
    bool handed;               /* this step-down has handed over */
    int64_t primary_since_mono;
    int64_t fall_due_mono; /* a newer term was heard of: steps down then; 0: none */
    int64_t fall_term;
    int64_t catch_up_due_mono; /* primary in catch-up: gives up then; 0 none */
    bool draining;             /* primary, not writable yet */
    bool catch_up_abort;       /* asked to end its catch-up */
    int fsync_locks;           /* fsyncLock: nothing is written while there are any */
    int64_t lock_since_mono;   /* a change of state waits for that lock; 0: none */
    bool abort;                /* gave up on the lock: its process ends */
    struct sbx_dials dials;
    struct sbx_moves moves;
    struct mst_optime catch_up_from;
    int64_t catch_up_ops;
    struct mst_optime noop_seen;
    struct mst_ts checkpoint; /* what a crash would come back to */
    int64_t checkpoint_due_mono;
    int64_t liveness_mono; /* when it last heard from a primary that had nothing new */
    int hold_horizon;      /* readers at older timestamps: the data's history stays */
    struct mst_ts election_time;
    struct mst_optime first_op_of_term;
    bson_oid_t election_id;
    struct sbx_opinion of[SBX_MEMBERS_MAX];
    /* primary only: what the others reported (replSetUpdatePosition) */
    struct sbx_pos reported[SBX_MEMBERS_MAX];
    int64_t reported_mono[SBX_MEMBERS_MAX];
    bool lost[SBX_MEMBERS_MAX]; /* nothing heard for an election timeout */
    struct sbx_run run;
    struct sbx_vote vote;
    struct sbx_candidacy candidacy;
    struct sbx_election_counts elections;
    struct sbx_counters counters;
    struct sbx_cmd_count *cmd_counts; /* served commands, in table order */
    size_t n_cmd_counts;
    int64_t next_noop_mono;
    void *sess;    /* owned by sess */
    void *cursors; /* owned by the data commands */
};

struct sbx_world {
    struct mst_mutex mu;
    struct mst_cond changed;
    const struct mst_clock *clock; /* NULL: the real one */
    const struct sbx_profile *profile;
    struct sbx_config config; /* the newest installed */
    bool initiated;
    bool newborn; /* initiated, and no primary yet */
    struct sbx_member members[SBX_MEMBERS_MAX];
    size_t n;
    bool cut[SBX_MEMBERS_MAX][SBX_MEMBERS_MAX]; /* partition between two members */
    int fast;                                   /* 10 with --fast, else 1 */
    bool stopping;
    int64_t batch_delay_ms; /* every getMore batch of a collection waits so long: slow scans */
    int64_t cursor_idle_ms; /* idle cursors go after; 0: ten minutes */
    uint64_t random;        /* state of sbx_random */
    int64_t max_txn_bytes;  /* of one applyOps entry; 0: the server's 16 MiB */
    int txn_lifetime_s;     /* 0: the server's 60 s */
    int64_t sessions_ms;    /* between two looks at config.system.sessions; 0: five minutes */
    size_t oplog_bytes;
    void *auth; /* users, refusals: owned by auth */
    void *tls;  /* owned by server/tls */
    struct sbx_server_state *server;
    struct sbx_conn *conns;                           /* all open ones */
    int64_t due_mono;                                 /* the set's timer looks again then */
    void (*observer)(struct sbx_world *w, void *arg); /* at every change; for tests */
    void *observer_arg;
};

/* The stream below a connection: plain or TLS. Called without the lock, by one thread at a time for
 * each direction. Like read(2)/write(2): 0 end, -1 error. */
struct sbx_stream {
    long (*read)(struct sbx_conn *conn, void *p, size_t n);
    long (*write)(struct sbx_conn *conn, const void *p, size_t n);
    void (*close)(struct sbx_conn *conn); /* frees arg; the fd is closed by the server */
    void *arg;
};

struct sbx_conn {
    struct sbx_world *w;
    struct sbx_member *m;
    struct sbx_conn *next; /* of w->conns */
    int fd;
    int64_t id;
    char peer[SBX_HOST_MAX]; /* "127.0.0.1:50932" */
    uint32_t generation;     /* the member's when it was accepted */
    bool dead;               /* told to go: waits end */
    int64_t opened_mono;
    struct sbx_stream io;
    bson_t *client;    /* client metadata of its handshake, or NULL */
    void *auth;        /* owned by auth: NULL means nobody */
    char subject[512]; /* of its TLS client certificate, "" none */
    int killed_op;     /* code for what it runs: killed by killOp, or a change of state; 0 */
    bool op_writes;    /* what it runs holds what a change of state needs */
    bool op_blocked;   /* it waits for fsyncUnlock */
    const char *op;    /* name of the command it runs now, NULL idle */
    char op_ns[SBX_HOST_MAX * 4];
    const bson_t *op_cmd; /* the command itself, while it runs */
    int64_t op_since_mono, op_id;
};

/* ---- calls ---- */

struct sbx_call {
    struct sbx_world *w;
    struct sbx_member *m;  /* who was asked */
    struct sbx_conn *conn; /* NULL inside the sandbox */
    const char *name;      /* command name as sent */
    char db[64 + 1];
    const bson_t *cmd; /* as received, document sequences folded in as arrays; with $db, lsid .. */
    bson_t *reply;     /* handlers append; the dispatcher adds ok, operationTime, $clusterTime */
    bool failed;       /* set by sbx_fail: only the error document is sent */
    bool not_ok;       /* the handler's reply is sent with ok: 0 at its end */
    bool no_answer;    /* unacknowledged, or the connection goes */
    bool close;        /* close the connection after the answer */
    bool more_to_come; /* streaming: more answers follow (awaitable hello) */
    bool exhaust_allowed; /* the client takes streams */
    bool legacy;          /* came as OP_QUERY */
    bool secondary_ok;    /* of the legacy flags or $readPreference */
    int error_code;
    char errmsg[2048];
    bool error_plain;    /* recorded form { ok, errmsg } at the front, without a code when 0 */
    bson_t *error_extra; /* put before the error's fields (errorLabels ..), or NULL; owned */
    bson_t *error_info;  /* put behind the code's name (keyPattern ..), or NULL; owned */
    struct mst_optime last_op; /* newest entry this call wrote; ts zero: none */
    struct sbx_txn *txn;       /* open transaction of this call, else NULL */
    void *sess;                /* owned by sess: what it knows about this call */
};
typedef void sbx_cmd_fn(struct sbx_call *c);
enum {
    SBX_CMD_PRIMARY = 1,     /* needs a writable primary */
    SBX_CMD_READ = 2,        /* on a secondary needs secondaryOk */
    SBX_CMD_NO_AUTH = 4,     /* allowed before authentication */
    SBX_CMD_ADMIN = 8,       /* only on db admin */
    SBX_CMD_NO_OPTIME = 16,  /* the answer carries neither operationTime nor $clusterTime */
    SBX_CMD_TXN = 32,        /* allowed inside a transaction */
    SBX_CMD_ARBITER = 64,    /* an arbiter serves it too */
    SBX_CMD_HANDSHAKE = 128, /* also as OP_QUERY */
    SBX_CMD_WRITES = 256,    /* holds what a change of state needs */
    SBX_CMD_DISK = 512       /* touches data in any state */
};
struct sbx_cmd {
    const char *name;
    sbx_cmd_fn *fn;
    unsigned flags;
    const char *since; /* profile, NULL: always */
};

/* Refuse: the first refusal of a call counts. */
void sbx_fail(struct sbx_call *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Name of a code in this profile, "Location<code>" when it has none. buf has 32 bytes. */
const char *sbx_code_name(const struct sbx_profile *p, int code, char *buf);
void sbx_fail_label(struct sbx_call *c, const char *label); /* errorLabels of the refusal */

enum sbx_woke { SBX_WOKE, SBX_DEADLINE, SBX_INTERRUPTED };
/* Let go of the lock until something changed. SBX_INTERRUPTED: connection gone, member killed,
 * operation killed or sandbox stopping; the call is failed and must return. A deadline of INT64_MAX
 * waits for ever. A frozen member's calls do not come back before it runs again. */
enum sbx_woke sbx_wait(struct sbx_call *c, int64_t deadline_mono_ms);

/* ---- time, chance, changes ---- */

int64_t sbx_mono(const struct sbx_world *w);
int64_t sbx_utc(const struct sbx_world *w);
uint64_t sbx_random(struct sbx_world *w);
void sbx_lock(struct sbx_world *w);
void sbx_unlock(struct sbx_world *w);
void sbx_changed(struct sbx_world *w);
void sbx_conns_close(struct sbx_member *m); /* every connection of m ends */
/* What runs on m and writes ends with 11602; counted in m->moves. */
void sbx_ops_kill(struct sbx_member *m);
bool sbx_linked(const struct sbx_world *w, size_t a,
                size_t b); /* not cut, both alive, not frozen */
struct sbx_member *sbx_member_by_name(struct sbx_world *w,
                                      const char *name); /* host, port or index */
const struct sbx_member_config *sbx_member_cfg(const struct sbx_member *m);
/* A new Timestamp on this member: later than every one it has seen. */
struct mst_ts sbx_next_ts(struct sbx_member *m);
void sbx_see_cluster_time(struct sbx_member *m, struct mst_ts ts);

/* ---- replies ---- */

void sbx_append_optime(bson_t *b, const char *key, struct mst_optime op);
void sbx_append_ts(bson_t *b, const char *key, struct mst_ts ts);
void sbx_append_topology_version(const struct sbx_member *m, bson_t *b);
void sbx_append_cluster_time(bson_t *b, struct mst_ts ts, const uint8_t hash[20], int64_t key_id);

#endif
