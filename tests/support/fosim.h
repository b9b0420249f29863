/* fosim.h: a small replica set in memory, on which the machine of a switch is run. One thread, no
 * clock but its own, no chance but what is planted.
 *
 * Members have a term, a position, freezes; they vote, hand off, roll back. Commands take time and
 * may be lost on the way there or back, or be refused. It watches what must never be sent.
 */
#ifndef FOSIM_H
#define FOSIM_H

#include <stdbool.h>
#include <stdint.h>

#include "failover/machine.h"

#define FS_MAX 7
#define FS_TICK 20

enum fs_how {
    FS_NORMAL,
    FS_LOST_REQUEST, /* it never arrives */
    FS_LOST_REPLY,   /* it takes effect, nobody hears of it */
    FS_REFUSE,       /* with code; nothing happens */
    FS_EFFECT_REFUSE /* it takes effect and says code all the same */
};
struct fs_rule {
    enum mst_fo_do what;
    int member; /* -1 any */
    int nth;    /* the n-th of these, from 1; 0 all */
    enum fs_how how;
    int code;
    int seen;
};

enum fs_thing {
    FS_KILL,
    FS_REVIVE,
    FS_CUT, /* we do not reach it, the others do */
    FS_UNCUT,
    FS_UNDO,
    FS_NOTE_LOST,
    FS_JUMP,
    FS_TERM,     /* an election out of nowhere, won by the member */
    FS_RECONFIG, /* by somebody else */
    FS_STUCK,    /* it replicates no more */
    FS_UNSTUCK,
    FS_ROLLBACK, /* its rollback count moves */
    FS_BACKUP_ENDS,
    FS_RECOVERING,
    FS_SECONDARY
};
struct fs_event {
    enum mst_fo_state state; /* fires when it is entered, */
    int64_t after_ms;        /* and so much later */
    enum fs_thing thing;
    int member;
    int64_t due_ms;       /* 0 not yet armed, -1 over */
    enum mst_fo_state in; /* where the machine was when it happened */
};

struct fs_member {
    bool alive, cut, writable, stuck, maintenance, no_rbid;
    enum mst_mstate state;
    int64_t term, wall_ms, hold_until, since_ms, writable_at, died_ms, back_at;
    struct mst_optime applied, committed;
    int64_t rbid;
    double priority;
};

struct fs_sim {
    struct mst_fo_plan plan;
    struct mst_fo f;
    struct fs_member m[FS_MAX];
    struct mst_fo_seen seen[FS_MAX];
    size_t n;
    int64_t now, term, version, et;
    uint32_t op;
    struct mst_optime branch;     /* where the newest term began */
    struct mst_optime final_true; /* of the old primary when it left; term -1 not yet */
    int64_t no_primary_ms;        /* since when nobody is primary; 0 somebody is */
    int64_t poll_ms, catch_up_ms, note_ms, apply_ms;
    bool no_hand_off, hand_off_first; /* the reply waits for the heir's election */
    bool backup_runs, undo, note_lost, jumped, jump_always;
    struct fs_rule rules[8];
    size_t n_rules;
    struct fs_event events[8];
    size_t n_events;
    struct {
        bool busy, arrived, ended, leaving;
        struct mst_fo_action a;
        struct mst_fo_reply r;
        enum fs_how how;
        int code;
        int64_t arrive_ms, reply_ms, give_up_ms;
    } cmd;
    int sent[MST_FO_FINISHED + 1];
    int thawed[FS_MAX];
    size_t lines_seen;
    bool was[MST_FO_STATES];
    char complaint[200]; /* what must not be; "" nothing */
    int steps;
};

/* n members, 0 is primary in term 41, 1 is the target; 2 votes like them. */
void fs_init(struct fs_sim *s, size_t n);
struct fs_rule *fs_rule(struct fs_sim *s, enum mst_fo_do what, int member, int nth, enum fs_how how,
                        int code);
void fs_event(struct fs_sim *s, enum mst_fo_state state, int64_t after_ms, enum fs_thing thing,
              int member);
/* To the end; what must not be is in s->complaint. */
void fs_run(struct fs_sim *s);
/* By tick or by hand, for cases that look inside. */
void fs_begin(struct fs_sim *s);
bool fs_step(struct fs_sim *s); /* false: at its end */
int fs_writable(const struct fs_sim *s);
int fs_primary(const struct fs_sim *s); /* also one that catches up; -1 nobody */
/* The set on its own. */
void fs_tick(struct fs_sim *s);
void fs_poll(struct fs_sim *s, size_t i);
void fs_complain(struct fs_sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The states it went through, for a failed test. */
void fs_trace(const struct fs_sim *s);
/* It ended with this exit and without a complaint, or the test fails and shows the way. */
#define fs_must(s, want, what) \
    do { \
        if ((s)->complaint[0] != '\0' || (int)(s)->f.exit != (int)(want)) { \
            fs_trace(s); \
            fail_msg("%s: exit %d, wanted %d; %s; %s", what, (int)(s)->f.exit, (int)(want), \
                     (s)->complaint, (s)->f.text); \
        } \
    } while (0)

#endif
