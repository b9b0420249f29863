/* topo.h: a replica set as a value: what each member says of itself, what the others say of it, how
 * old every fact is, and what follows from it. Pure: no clock, no I/O, no third-party type.
 *
 * Sources of facts: H hello/isMaster, S replSetGetStatus, C replSetGetConfig, V serverStatus, each
 * asked of the member itself over a direct connection. "Only the member itself is right about
 * itself": its own answer wins over heartbeats of others, which are kept beside it as opinions.
 *
 * Times named _at_ms are readings of the monotonic clock when the answer arrived; 0 is never. Ages
 * are view->now_mono_ms minus them. Times named _wall_ms are UTC. A value whose age is unknown is
 * not shown as a value.
 */
#ifndef MST_TOPO_TOPO_H
#define MST_TOPO_TOPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ts.h"

#define MST_TOPO_MAX 50     /* the server's own limit of members */
#define MST_HOST_MAX 272    /* "host:port" or a bracketed address */
#define MST_TOPO_EVENTS 128 /* newest kept */
#define MST_UNKNOWN_MS (-1)

/* The server's own numbers of member states. */
enum mst_mstate {
    MST_MS_STARTUP = 0,
    MST_MS_PRIMARY = 1,
    MST_MS_SECONDARY = 2,
    MST_MS_RECOVERING = 3,
    MST_MS_STARTUP2 = 5,
    MST_MS_UNKNOWN = 6,
    MST_MS_ARBITER = 7,
    MST_MS_DOWN = 8,
    MST_MS_ROLLBACK = 9,
    MST_MS_REMOVED = 10
};
const char *mst_mstate_name(enum mst_mstate s); /* "PRIMARY" ... as the server spells it */

/* How our own attempt to talk to it went, last time. */
enum mst_reach {
    MST_REACH_NEVER,        /* not asked yet */
    MST_REACH_OK,           /* answered in time */
    MST_REACH_SILENT,       /* connected (or was), no answer within the deadline */
    MST_REACH_REFUSED,      /* no connection: refused, no route, name not found */
    MST_REACH_TLS,          /* TLS handshake failed */
    MST_REACH_HOSTNAME,     /* the certificate is for another name */
    MST_REACH_AUTH,         /* authentication failed */
    MST_REACH_WRONG_MEMBER, /* hello.me is another member: a swapped tunnel */
    MST_REACH_WRONG_SET,    /* setName differs from the configured one */
    MST_REACH_NOT_REPLSET,  /* standalone, or a look-alike without an oplog */
    MST_REACH_MONGOS,       /* a router */
    MST_REACH_UNINIT,       /* a member that has no configuration yet, or was removed */
    MST_REACH_PROTOCOL      /* answered what is not the wire protocol or not valid */
};
const char *mst_reach_word(enum mst_reach r); /* one or two words for a column */

/* What the screens show as its state; derived by mst_topo_derive(). */
enum mst_shown {
    MST_SHOW_UNKNOWN, /* never answered and nobody knows it */
    MST_SHOW_PRIMARY,
    MST_SHOW_PRIMARY_NO_MAJORITY, /* primary that cannot complete majority writes */
    MST_SHOW_ELECT,               /* state 1, not writable yet: catching up */
    MST_SHOW_LEAVING,             /* state 1, not writable, step-down attempt */
    MST_SHOW_SECONDARY,
    MST_SHOW_ARBITER,
    MST_SHOW_RECOVERING,
    MST_SHOW_STARTUP, /* STARTUP, STARTUP2 */
    MST_SHOW_ROLLBACK,
    MST_SHOW_REMOVED,
    MST_SHOW_SILENT,     /* answered before, does not now */
    MST_SHOW_DOWN,       /* we cannot reach it and the others call it down */
    MST_SHOW_UNREACHABLE /* we cannot reach it, somebody else can */
};
const char *mst_shown_word(enum mst_shown s); /* "PRIMARY", "NO MAJORITY", "SILENT", ... */

struct mst_opinion { /* one member's heartbeat view of another */
    bool known;
    int health;                /* 1 up, 0 down */
    enum mst_mstate state;     /* history while health is 0 */
    int64_t ping_ms;           /* -1 unknown */
    int64_t heartbeat_age_ms;  /* when the view was made; -1 unknown */
    struct mst_optime applied; /* as of that heartbeat; hearsay */
    int64_t applied_wall_ms;   /* 0 unknown */
};

struct mst_topo_member {
    char name[MST_HOST_MAX]; /* as in the configuration */
    char dial[MST_HOST_MAX]; /* where we connect; equal to name unless mapped */
    int id;                  /* _id in the configuration; -1 until the configuration is known */

    /* C */
    bool configured;
    double priority;
    int votes;
    bool hidden, arbiter, builds_indexes;
    int64_t delay_s;
    char tags[160]; /* "dc:fra, use:backup" */

    /* our own connection */
    enum mst_reach reach;
    char reach_text[256]; /* one sentence: what failed and what to do; "" while ok */
    int64_t reach_at_ms;  /* last change of reach */

    /* H */
    int64_t hello_at_ms;
    int64_t hello_rtt_us;
    bool writable, secondary;
    struct mst_optime last_write; /* its newest entry in that hello; ts zero unknown */
    int64_t hello_term;           /* of its electionId; -1 unknown, only a primary tells it */
    int min_wire, max_wire;
    bool is_hidden_hello, is_arbiter_hello;

    /* S (self) */
    int64_t status_at_ms;
    /* the answer before: its position at an earlier moment, for lags without guessing */
    int64_t before_at_ms, before_wall_ms;
    struct mst_optime before_applied;
    int64_t status_wall_ms;   /* the server's clock in that answer, 0 unknown */
    char status_missing[128]; /* why there is none: "not authorised for replSetGetStatus" */
    enum mst_mstate state;
    int64_t term; /* -1 unknown */
    struct mst_optime applied, durable, committed;
    int64_t applied_wall_ms, committed_wall_ms;
    char sync_source[MST_HOST_MAX];     /* "" none */
    int64_t election_wall_ms;           /* when it became primary, 0 none */
    bool catching_up;                   /* electionCandidateMetrics without a new term date */
    struct mst_optime seen_at_election; /* newest it had when it stood; term -1 unknown */
    int64_t catch_up_ops;               /* fetched from others after it won; -1 unknown */
    struct mst_optime catch_up_to;      /* what it fetches now; term -1 unknown */
    char election_reason[48];           /* why it stood, in the server's word; "" not told */
    int64_t stood_wall_ms;              /* when it stood; 0 not told */
    char vote_reason[120];              /* why it refused its newest vote; "" it did not */
    char info[96];                      /* what it says of itself beside its state */
    bool too_stale;                     /* no member's oplog reaches back to it */
    int64_t config_version, config_term;
    char link_text[160]; /* what another member got for a heartbeat to it; "" nothing */
    int link_from;       /* index of that one; -1 none */

    /* V */
    int64_t stats_at_ms;
    char stats_missing[128];
    char version[40];
    char fcv[16];
    int64_t uptime_s;
    int64_t connections, connections_available;
    double ops_per_s;  /* -1 unknown: needs two samples */
    double repl_per_s; /* -1 unknown */
    struct mst_ts oplog_first, oplog_last;
    int64_t rbid; /* -1 unknown */
    int64_t mem_resident_mb;
    bool flow_lagged;

    /* derived */
    enum mst_shown shown;
    int64_t lag_ms;     /* behind the primary (or the newest member), -1 unknown */
    int64_t window_s;   /* its oplog, -1 unknown */
    int64_t headroom_s; /* until it falls off its sync source's oplog, -1 unknown */
    bool can_win;       /* could be elected if the primary died now */
    char why_not[96];   /* when it could not */
    struct mst_opinion sees[MST_TOPO_MAX]; /* indexed as view->members; [self] unused */
};

enum mst_verdict {
    MST_V_STARTING,    /* nothing measured yet */
    MST_V_HEALTHY,     /* primary, majority, every member answers and is in its place, fresh */
    MST_V_DEGRADED,    /* writes work, something is wrong: see reasons */
    MST_V_NO_MAJORITY, /* PRIMARY, no majority writes */
    MST_V_NO_PRIMARY,
    MST_V_UNREACHABLE, /* nobody answers */
    MST_V_WRONG_SET,
    MST_V_AUTH, /* authentication failed everywhere */
    MST_V_TLS,
    MST_V_HOSTNAME,
    MST_V_WRONG_MEMBER,
    MST_V_NOT_REPLSET, /* standalone or look-alike */
    MST_V_MONGOS
};
const char *mst_verdict_word(enum mst_verdict v);

enum mst_severity { MST_SEV_INFO, MST_SEV_WARN, MST_SEV_CRIT };

enum mst_reason_kind { /* what it is about, so that it can be followed from view to view */
                       MST_RS_NO_PRIMARY,
                       MST_RS_NO_MAJORITY,
                       MST_RS_TWO_PRIMARIES,
                       MST_RS_REACH,
                       MST_RS_STATE,
                       MST_RS_LINK,
                       MST_RS_LAG,
                       MST_RS_HEADROOM,
                       MST_RS_COMMIT_LAG,
                       MST_RS_VOTES,
                       MST_RS_WRITES,
                       MST_RS_MISSING,
                       MST_RS_STALE,
                       MST_RS_CONFIG,
                       MST_RS_SHARDED
};

struct mst_reason {
    enum mst_reason_kind kind;
    enum mst_severity severity;
    char text[200];   /* "db3:27017 lag 9.8 s > 5 s" */
    int64_t since_ms; /* monotonic; 0 unknown */
    int member;       /* index, -1 none */
};
#define MST_TOPO_REASONS 24

enum mst_event_kind {
    MST_EV_STATE,   /* a member's shown state changed */
    MST_EV_PRIMARY, /* a new primary is writable: who, gap, what the old one had that it had not */
    MST_EV_NO_PRIMARY,
    MST_EV_LAG,  /* crossed the limit, either way */
    MST_EV_RBID, /* a rollback happened there */
    MST_EV_CONFIG,
    MST_EV_REACH,
    MST_EV_EARLIER, /* of an earlier run, as it was written down: mono_ms 0, no member */
    MST_EV_GAP      /* nobody watched here; mono_ms 0 */
};
#define MST_EV_LAST MST_EV_GAP

struct mst_event {
    uint64_t seq; /* never repeats in one engine */
    int64_t wall_ms;
    int64_t mono_ms; /* 0: before this engine */
    enum mst_event_kind kind;
    enum mst_severity severity;
    int member; /* index at that time, -1 none */
    char text[240];
};

/* A change of the primary that nobody of ours asked for, as it was seen from here; story.h. Times
 * are UTC; 0 is not seen. */
enum mst_loss { MST_LOSS_UNKNOWN, MST_LOSS_NONE, MST_LOSS_SOME };
struct mst_failover {
    bool any;               /* there was one since muster looks */
    bool over;              /* there is a new primary and what it had is known, or asked in vain */
    char old[MST_HOST_MAX]; /* the primary that was lost; "" it was lost before we looked */
    int64_t last_seen_ms;   /* it last said that it is writable */
    int64_t lost_ms;        /* we noticed */
    int64_t noticed_ms;     /* another member said that it is down */
    char noticed_by[MST_HOST_MAX];
    struct mst_optime old_last; /* newest that was seen on it */
    int64_t tail_ms;            /* not yet committed by a majority when it was last seen; -1 */
    char winner[MST_HOST_MAX];
    int64_t term;
    int64_t stood_ms;    /* of the winner's clock */
    char reason[48];     /* why it stood; "" not told */
    int64_t writable_ms; /* it first said that it is writable */
    int64_t gap_ms;      /* without a writable primary, as seen from here; -1 unknown */
    enum mst_loss loss;  /* of what was seen on the old one */
    int64_t loss_ms;     /* how much, by the clock of the oplog */
    struct mst_optime winner_had;
    int64_t catch_up_ops;            /* -1 unknown */
    int64_t back_ms;                 /* the old one is a member again */
    int64_t rollback_ms;             /* it was seen in ROLLBACK, or with another rollback id */
    int64_t rbid_before, rbid_after; /* -1 unknown */
};

struct mst_topo_view {
    int64_t now_mono_ms, now_wall_ms; /* when this view was made */
    char set_name[128];
    bool set_name_known;
    enum mst_verdict verdict;
    char
        headline[200]; /* one sentence: what is wrong and what to do, or "primary db1:27017, ..." */
    struct mst_reason reasons[MST_TOPO_REASONS];
    size_t n_reasons;
    bool sharded; /* members of a sharded cluster: view and backup of one shard only */

    size_t n;
    struct mst_topo_member *members; /* owned */
    int primary; /* index of the writable primary with the highest term, -1 none */
    int64_t term;
    int64_t config_version;
    int64_t config_at_ms;
    char config_missing[128];    /* why there is none; members are then those that hello names */
    int64_t election_timeout_ms; /* 0 unknown: 10 s is assumed */
    bool config_forced;          /* configTerm -1 or absent on 4.4+: last change was forced */
    int votes_total, votes_up, votes_needed;
    int data_up, write_majority; /* -1 unknown */
    int64_t no_primary_since_ms; /* monotonic, 0 while there is one */
    int64_t tail_at_risk_ms;   /* applied by the primary, not yet majority-committed; -1 unknown */
    char if_primary_dies[200]; /* "db2 or db4 can win ..., writes stop 10-12 s, 0.2 s of writes at
                                  risk" */

    size_t n_events;          /* oldest first */
    struct mst_event *events; /* owned */

    struct mst_failover failover; /* the newest; filled by the engine */
};

void mst_topo_view_release(struct mst_topo_view *v); /* frees the arrays */

/* Limits that turn a measurement into a reason. */
struct mst_topo_limits {
    int64_t hello_silent_ms;                  /* 2000: no answer for this long is SILENT */
    int64_t stale_ms;                         /* 3000: three refreshes */
    int64_t lag_warn_ms, lag_crit_ms;         /* 10 s, 60 s */
    int64_t headroom_warn_s, headroom_crit_s; /* 24 h, 4 h */
    int64_t commit_lag_warn_ms;               /* 5 s */
    int64_t no_primary_crit_ms;               /* 20 s */
};
extern const struct mst_topo_limits mst_topo_limits_default;

/* Fill every derived field, verdict, headline and reasons from the measured fields. Pure. */
void mst_topo_derive(struct mst_topo_view *v, const struct mst_topo_limits *limits);

/* What follows from one view to the next: events, and since when a reason holds. */
struct mst_topo_memory;
struct mst_topo_memory *mst_topo_memory_new(const struct mst_topo_limits *limits);
void mst_topo_memory_free(struct mst_topo_memory *mem);
/* Events of earlier runs, oldest first, before the first view: they count against MST_TOPO_EVENTS
 * as all others do. */
void mst_topo_remember(struct mst_topo_memory *mem, const struct mst_event *events, size_t n);
/* v is derived already; called once per view, in order. Fills v->events (a copy, the newest
 * MST_TOPO_EVENTS), v->no_primary_since_ms and the since_ms of reasons. Pure but for its memory. */
void mst_topo_follow(struct mst_topo_memory *mem, struct mst_topo_view *v);

/* Who is handed the seat when the primary steps down now, by the server's rule: of the electable
 * members that have caught up the one with the highest priority, then the first in the
 * configuration. -1 when there is none or it is not known; out is one sentence about it, "" without
 * a primary. v is derived already. Pure. */
int mst_topo_if_stepped_down(const struct mst_topo_view *v, char out[200]);

/* Index of the member with this name, -1 none. */
int mst_topo_find(const struct mst_topo_view *v, const char *name);
/* Its hello is recent enough to believe it. */
bool mst_topo_fresh(const struct mst_topo_view *v, const struct mst_topo_limits *limits, size_t i);

#endif
