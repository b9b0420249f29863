/* machine.h: the steps of a switch, as a machine that only decides. Pure: no clock, no I/O.
 *
 * Whoever runs it gives it pictures of the set (what each member itself said last) and the outcomes
 * of what it asked to send, and does what it answers: send one command to one member, or wait. It
 * never blocks, so the run page lives while members hang. Every command it asks for ends by itself
 * within freeze_s or step_down_s: whoever dies here leaves a set that heals.
 *
 * A reply is only a hint: what is believed is what members say of themselves afterwards. Nothing is
 * sent twice without a look in between.
 *
 * One command is out at a time. Of a step down and a step up, members may show the end before the
 * reply arrives: then the next SEND comes while the reply is still out. The runner may cut that
 * connection; a reply that comes later is ignored.
 */
#ifndef MST_FAILOVER_MACHINE_H
#define MST_FAILOVER_MACHINE_H

#include "failover/plan.h"

enum mst_fo_state {
    MST_FO_RECHECK,    /* S5: term, primary, configuration, target, lag: again */
    MST_FO_QUIESCE,    /* S6: our own backup on these members has stopped */
    MST_FO_CATCHUP,    /* S7 */
    MST_FO_FREEZE,     /* S8 */
    MST_FO_STEPDOWN,   /* S9 */
    MST_FO_CERTIFY,    /* S10 */
    MST_FO_STEPUP,     /* S11 */
    MST_FO_AWAIT,      /* S12 */
    MST_FO_PROBE,      /* S13 */
    MST_FO_DIVERTED,   /* S13D: another member won */
    MST_FO_SETTLE,     /* S14: thawed, old primary follows, nobody rolls back */
    MST_FO_PRIORITIES, /* stay: the reconfig */
    MST_FO_WATCH,      /* no freeze or penalty is left, and nobody takes the seat */
    MST_FO_ABORT,      /* A1 */
    MST_FO_UNDO,       /* U1 */
    MST_FO_UNKNOWN,    /* U2: nothing is sent any more, observed only */
    MST_FO_END,
    MST_FO_STATES
};
const char *mst_fo_state_word(enum mst_fo_state s); /* "RECHECK" ... */

enum mst_fo_exit { /* the exit status of the act */
                   MST_FO_RUNNING = -1,
                   MST_FO_DONE = 0,
                   MST_FO_REFUSED = 10,
                   MST_FO_LEFT = 11,
                   MST_FO_ABORTED = 12, /* clean: nothing stays */
                   MST_FO_UNDONE = 13,
                   MST_FO_OTHER = 14,      /* another member won */
                   MST_FO_INCOMPLETE = 15, /* a primary, but not all of what DONE needs */
                   MST_FO_UNSURE = 16,
                   MST_FO_LOCKED = 17,
                   MST_FO_STALE = 18
};

enum mst_fo_do {
    MST_FO_WAIT,            /* call again after wait_ms, or when something arrived */
    MST_FO_SEND_FREEZE,     /* replSetFreeze secs to member; 0 thaws */
    MST_FO_SEND_STEPDOWN,   /* replSetStepDown {secs, catch-up} to member */
    MST_FO_SEND_STEPUP,     /* replSetStepUp to member */
    MST_FO_SEND_NOTE,       /* appendOplogNote w:majority to member: the probe */
    MST_FO_SEND_PRIORITIES, /* safe reconfig on member: the plan's two priorities */
    MST_FO_STOP_BACKUP,     /* our own jobs that read from primary or target give way */
    MST_FO_FINISHED         /* the machine is at its end: f->exit, f->text */
};

struct mst_fo_action {
    enum mst_fo_do what;
    size_t member;
    int64_t secs;
    int64_t timeout_ms; /* of the command */
    uint32_t serial;    /* comes back in the reply */
    int64_t wait_ms;
};

struct mst_fo_seen {  /* the newest answers of one member; pictures keep older ones */
    int64_t at_ms;    /* monotonic, when the newest arrived; 0 never */
    int64_t tried_ms; /* when the last attempt ended, answered or not */
    bool writable;
    bool has_status; /* the fields below are known; an arbiter may only have hello */
    enum mst_mstate state;
    int64_t term;
    struct mst_optime applied, committed; /* 8.0: written */
    int64_t applied_wall_ms;
    int64_t config_version, config_term;
    int64_t rbid;       /* -1 unknown */
    int64_t rbid_at_ms; /* when that was read; 0: with the rest */
    char sync_source[MST_HOST_MAX];
    bool catching_up;
    int64_t catch_up_ops; /* -1 unknown */
    bool maintenance;
    bool sees_primary_down; /* its heartbeats call the old primary down */
};

struct mst_fo_picture {
    int64_t now_ms, now_wall_ms;
    size_t n;              /* as many as the plan has */
    struct mst_fo_seen *m; /* indexed as the plan's members; borrowed */
    bool hold_lost;        /* our note in the oplog is not ours any more */
    bool want_undo;        /* the operator asked to stop */
    bool backups_stopped;  /* after STOP_BACKUP */
    bool clock_jumped;     /* our own clock or loop: do not trust durations */
};

enum mst_fo_outcome { MST_FO_OK, MST_FO_SAID_NO, MST_FO_NO_ANSWER };
struct mst_fo_reply {
    uint32_t serial;
    enum mst_fo_outcome outcome;
    int code;       /* of the server, with SAID_NO */
    char text[160]; /* sanitised */
    int64_t sent_ms, came_ms;
    struct mst_optime at; /* the note's own position, zero when unknown */
};

enum mst_fo_cert { MST_FO_CERT_NONE, MST_FO_CERT_OPTIME, MST_FO_CERT_CONTINUITY };
struct mst_fo_line { /* one state that was passed through */
    enum mst_fo_state state;
    int64_t from_ms, to_ms; /* monotonic; to 0: still in it */
    char detail[160];
};
#define MST_FO_LINES 40
#define MST_FO_FROZEN 50
#define MST_FO_PROBLEMS 8

struct mst_fo {
    const struct mst_fo_plan *plan; /* borrowed */
    enum mst_fo_state state;
    int64_t since_ms;        /* in this state */
    enum mst_fo_exit exit;   /* MST_FO_RUNNING until the end */
    char text[300];          /* the result in one sentence */
    int64_t begun_ms, t0_ms; /* t0: the step down was sent; 0 not yet */
    int64_t first_writable_ms, first_probe_ms;
    int64_t gap_ms; /* t0 to the first majority note of the new primary; -1 not yet */
    enum mst_fo_cert cert;
    struct mst_optime cert_old, cert_target;
    char cert_why[160]; /* why none was issued */
    int winner;         /* index, -1 nobody yet */
    int64_t new_term;
    int probes; /* of three that succeeded */
    int64_t probe_ms[3];
    struct { /* freezes and the penalty that may stand: when each ends by itself; 0 none */
        int64_t until_ms;
        int64_t secs; /* as sent */
    } hold[MST_FO_FROZEN];
    size_t n_problems;
    char problems[MST_FO_PROBLEMS][160]; /* what is missing for DONE, and warnings beside it */
    size_t n_lines;
    struct mst_fo_line lines[MST_FO_LINES];
    struct { /* the one command that is out; serial 0 none */
        uint32_t serial;
        enum mst_fo_do what;
        size_t member;
        int64_t sent_ms;
        int64_t timeout_ms, secs;
    } out;
    uint32_t next_serial;
    /* private to machine*.c */
    int step, tries, calm;
    int rounds, diverts, jumps, looks;
    int64_t now_ms;   /* of the last picture */
    int64_t floor_ms; /* an answer not newer than this proves nothing */
    int64_t woke_ms;  /* we stood still until then: silence before it is ours */
    int64_t mark_ms, calm_ms, look_ms, good_ms;
    int64_t hard_ms;    /* t0, or the last jump of the clock */
    int64_t carried_ms; /* since when the old primary carries entries of the new term */
    int64_t base_version;
    int64_t behind_ms[MST_FO_FROZEN]; /* since when it is too far behind; 0 it is not */
    uint64_t done_mask, rolled_mask;  /* served in this state; rolled back since the plan */
    int lift_tries[MST_FO_FROZEN];
    int64_t lift_ms[MST_FO_FROZEN];
    struct mst_optime final, last_old; /* of the old primary, in its own term */
    bool final_known, undo_asked, note_lost, proven_left, diverted, reconfigured;
    bool old_lost;    /* the old primary did not answer once since the step down was sent */
    size_t n_missing; /* of the problems: how many forbid DONE */
    int first_missing, last_missing; /* which; -1 none */
    int writer;                      /* who was seen writable in a new term, newest; -1 */
    char cause[160];                 /* why it turned back */
    struct mst_fo_reply last;
    enum mst_fo_do last_what;
    size_t last_member;
    bool has_last;
    /* Planted for the tests: each must be caught by one. */
    bool defect_no_recheck, defect_no_freeze, defect_no_final_optime, defect_done_at_writable;
};

void mst_fo_init(struct mst_fo *f, const struct mst_fo_plan *plan, int64_t now_ms);
/* What came of a SEND. A serial that is not out is ignored. */
void mst_fo_take_reply(struct mst_fo *f, const struct mst_fo_reply *r);
/* The next thing to do. After anything but WAIT and FINISHED the caller does it and calls again. */
void mst_fo_step(struct mst_fo *f, const struct mst_fo_picture *p, struct mst_fo_action *out);
/* Until when does this member not stand for election, by what we sent? 0: nothing stands. */
int64_t mst_fo_held_until(const struct mst_fo *f, size_t member);
/* The result as one JSON object (times per state, gap, certificate, problems): no newline. */
void mst_fo_json(const struct mst_fo *f, int64_t now_wall_ms, struct mst_str *out);

#endif
