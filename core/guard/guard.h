/* guard.h: may the primary be moved now? Facts in, one line per check out. Pure: no clock, no I/O.
 *
 * Every check has an id that never changes its meaning, a measured value and the threshold it was
 * held against. What could not be measured is a failed check of its own kind, never a pass;
 * arbiters are exempt from what nobody can measure there. There is no global force: a check that
 * may be overridden is overridden by its id, with a reason.
 *
 * Times named _ms without "wall" are durations or readings of the monotonic clock; _wall_ms is UTC.
 * A number of -1 is unknown unless a comment says otherwise.
 */
#ifndef MST_GUARD_GUARD_H
#define MST_GUARD_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ts.h"
#include "topo/topo.h"

enum mst_guard_act {
    MST_GUARD_SWITCHOVER, /* to a chosen member */
    MST_GUARD_STEPDOWN    /* any heir */
};

/* What to do when another member has a higher priority than the heir and would take the seat. */
enum mst_guard_after {
    MST_AFTER_REFUSE, /* then the switch is refused */
    MST_AFTER_VISIT,  /* accepted: it takes the seat back later, at a time that is shown */
    MST_AFTER_STAY    /* one safe reconfig after the switch swaps the two priorities */
};

enum mst_guard_id {               /* the numbers are what operators type: P01 .. */
                    MST_P01 = 1,  /* primary and target answer; others: margin */
                    MST_P02,      /* the same set everywhere */
                    MST_P03,      /* one writable primary, one term */
                    MST_P04,      /* one configuration on primary, target and a majority */
                    MST_P05,      /* the configuration is committed */
                    MST_P06,      /* the set is calm */
                    MST_P07,      /* the target may be elected */
                    MST_P08,      /* the target is in no special state */
                    MST_P09,      /* votes, also with the old primary lost */
                    MST_P10,      /* data-bearing voters for majority writes */
                    MST_P11,      /* the target is close */
                    MST_P12,      /* a majority is close */
                    MST_P13,      /* a majority write works now */
                    MST_P14,      /* flow control */
                    MST_P15,      /* nothing pins the lock of the state change */
                    MST_P16,      /* the step down cannot abort the server */
                    MST_P17,      /* nobody takes the seat back */
                    MST_P18,      /* the target sees the voters, and they it */
                    MST_P19,      /* no link works one way only */
                    MST_P20,      /* no backup or restore is in flight */
                    MST_P22 = 22, /* versions */
                    MST_P27 = 27, /* oplog of the target reaches back far enough */
                    MST_P28,      /* the target had no trouble lately */
                    MST_P30 = 30, /* catch-up is not switched off */
                    MST_P31,      /* arbiters */
                    MST_P33 = 33, /* clocks */
                    MST_P34,      /* rights */
                    MST_P35,      /* role in a sharded cluster */
                    MST_P36,      /* the hours in which a switch is wanted */
                    MST_P37,      /* nobody else acts */
                    MST_P38,      /* who would be handed the seat */
                    MST_P40 = 40, /* rivals that cannot be frozen */
                    MST_P41       /* this act was run on this server version for real */
};

enum mst_guard_result {
    MST_GUARD_PASS,
    MST_GUARD_INFO,
    MST_GUARD_WARN,
    MST_GUARD_OVERRIDE, /* refused unless overridden by its id with a reason */
    MST_GUARD_BLOCK     /* refused */
};
#define MST_GUARD_TERM_MAX 40
/* " of term 39" behind a configuration's version; "" before 4.4, where it has none (-1). */
const char *mst_guard_of_term(int64_t term, char out[MST_GUARD_TERM_MAX]);
const char *mst_guard_result_word(
    enum mst_guard_result r); /* "pass", "info", "warn", "needs override", "blocks" */

struct mst_guard_check {
    enum mst_guard_id id;
    enum mst_guard_result result; /* before overrides */
    bool overridden;
    bool unknown;       /* failed because it could not be measured */
    char name[40];      /* "target is close" */
    char measured[160]; /* "db2:27017 lag 0.3 s, 0.2 s, 0.3 s" */
    char threshold[96]; /* "at most 10 s and not growing, 2 s is a warning" */
    char todo[160];     /* one sentence what helps; "" on a pass */
};
#define MST_GUARD_MAX 40

#define MST_GUARD_SAMPLES 3
#define MST_GUARD_OPS 10

struct mst_guard_op { /* an operation that holds up the state change or will be killed */
    int64_t secs_running;
    char what[64]; /* "update shop.orders" */
    char who[64];  /* appName, client */
    bool pins;     /* index build, prepared transaction: it may keep the lock */
};

struct mst_guard_member {
    char name[MST_HOST_MAX];
    int id;
    /* configuration, as the primary has it */
    double priority;
    int votes;
    bool hidden, arbiter, builds_indexes;
    int64_t delay_s;

    /* asked directly; a member that did not answer has answered false and nothing below it */
    bool answered;
    char why_not[160]; /* our failure to talk to it, "" while answered */
    char set_name[128];
    char set_id[40]; /* settings.replicaSetId as hex; "" unknown */
    bool writable;
    bool status_known; /* replSetGetStatus was answered (never by an arbiter with access control) */
    enum mst_mstate state;
    int64_t term;
    int64_t config_version, config_term; /* config_term -1: none (before 4.4, or forced) */
    bool maintenance, too_stale, initial_sync;
    char info_message[120];
    int64_t rtt_us;
    int64_t
        clock_off_ms; /* its clock minus ours, half the round trip taken off; INT64_MIN unknown */
    int n_samples;    /* of what moves, oldest first, about 3 s apart */
    struct {
        struct mst_optime applied; /* 8.0: written */
        int64_t applied_wall_ms;
        int64_t lag_ms; /* behind the primary at the same moment */
    } sample[MST_GUARD_SAMPLES];
    int64_t committed_lag_ms; /* primary: applied minus majority commit point */

    bool stats_known; /* serverStatus */
    char version[40], fcv[16];
    int64_t uptime_s, rbid;
    int64_t rbid_changed_wall_ms; /* when we saw it change; 0 never seen */
    int flow_lagged;              /* 1, 0, -1 unknown */
    int64_t window_s;             /* of its oplog, at its full size */
    bool window_estimated;        /* it is not full yet: by the rate until now */
    int64_t window_seen_s;        /* what it holds now */
    bool shard, config_server;

    int fsync_locked; /* 1, 0, -1 unknown: $currentOp was refused */
    size_t n_ops;     /* longest first */
    struct mst_guard_op ops[MST_GUARD_OPS];
    int64_t fassert_s; /* fassertOnLockTimeoutForStepUpDown; 0 off or absent, -1 unknown */

    /* connectionStatus with privileges on this member; -1 unknown */
    int authenticated; /* 1, 0: nobody is */
    int may_state_change, may_note, may_configure;

    struct mst_opinion sees[MST_TOPO_MAX]; /* indexed as facts->members; [self] unused */
};

struct mst_guard_override {
    enum mst_guard_id id;
    char reason[160]; /* at least MST_GUARD_REASON characters */
};
#define MST_GUARD_REASON 10
#define MST_GUARD_OVERRIDES 3 /* more than this many at once is refused */

struct mst_guard_facts {
    enum mst_guard_act act;
    int target; /* index; -1 for a step down */
    enum mst_guard_after after;
    int64_t catch_up_s, step_down_s, freeze_s; /* of the plan: 10, 60, 60 */
    int64_t now_wall_ms;

    size_t n;                         /* at most MST_TOPO_MAX */
    struct mst_guard_member *members; /* owned by the caller */
    int primary;                      /* index of the writable one with the highest term; -1 */
    bool config_known;
    int64_t config_version, config_term;
    int config_committed; /* commitmentStatus: 1, 0, -1 unknown (or before 4.4) */
    int64_t election_timeout_ms, catch_up_timeout_ms, heartbeat_ms;
    bool has_commitment; /* the server knows commitmentStatus (4.4 and later) */

    int64_t elected_wall_ms; /* of the primary of now; 0 unknown */
    int elections_10min;     /* seen by our own monitor */
    int64_t watched_ms;      /* for how long the monitor has looked */

    int64_t probe_ms; /* majority note: time it took; -1 failed */
    char probe_error[160];

    char busy_backup[120]; /* our queue: "backup 12 reads from db2:27017"; "" none */
    int busy_member;       /* member it reads from, -1 none or not one */
    char other_act[160];   /* foreign open note; "" none */
    bool other_known;      /* the notes could be read */
    char hours[120];       /* configured hours, "" none configured */
    bool hours_ok;
    bool sandbox_class; /* class SANDBOX passes P41 and says so */
    bool proven;        /* the version is in the table of versions this act was run on */

    size_t n_overrides;
    struct mst_guard_override overrides[MST_GUARD_OVERRIDES + 1];
};

/* Every check in the order of its number; returns how many. In a step down P07, P08, P11, P18, P22,
 * P27 and P28 speak of the member that passes most of them and list the others that fail: one that
 * passes all is enough. */
size_t mst_guard_run(const struct mst_guard_facts *f, struct mst_guard_check out[MST_GUARD_MAX]);
/* May it go on? why is one sentence that names the checks which say no, or the override that may
 * not be given; "" on a yes. c is what mst_guard_run made of the same facts. */
bool mst_guard_may(const struct mst_guard_facts *f, const struct mst_guard_check *c, size_t n,
                   char why[240]);
/* "P17" or "p17" or "17"; 0 when there is no such check. */
int mst_guard_parse_id(const char *text);
/* May this member be elected, by what is known? why says what forbids it. Used by P38, P40 and the
 * plan. Only a known obstacle makes it false: a member that did not answer is judged by its
 * configuration alone, since a rival that nobody can ask must be reckoned with. */
bool mst_guard_electable(const struct mst_guard_member *m, char why[96]);
/* The server's rule of hand-off: the highest priority, then the first in the configuration, of the
 * electable members that have caught up with the primary; it does not know who is frozen. -1 none.
 */
int mst_guard_heir(const struct mst_guard_facts *f);
/* Who takes the seat from `member` by priority takeover, and how long after it may stand: the
 * highest-priority rival and (rank + 1) x election timeout x 1.15. -1 nobody. By the configuration
 * alone: who is down now may be back by then. */
int mst_guard_takeover(const struct mst_guard_facts *f, int member, int64_t *delay_ms);

#endif
