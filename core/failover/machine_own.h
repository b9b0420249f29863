/* machine_own.h: what the states of the machine share. Internal to machine*.c.
 *
 * A state is a function: true means that `out` says what to do, false that it went to another state
 * and the next one is to be asked.
 */
#ifndef MST_FAILOVER_MACHINE_OWN_H
#define MST_FAILOVER_MACHINE_OWN_H

#include "failover/machine.h"

#define FRESH_MS 1500  /* an older answer proves nothing */
#define SILENT_MS 5000 /* who has not answered for so long counts as silent */
#define POLL_MS 250    /* between looks, before and after the switch */
#define CLOSE_MS 100   /* while writes stop */
#define FREEZE_TIMEOUT_MS 2000
#define NOTE_TIMEOUT_MS 5000
#define STEP_UP_TIMEOUT_MS 10000
#define RECONFIG_TIMEOUT_MS 10000
#define REPLY_GRACE_MS 5000 /* past its timeout a reply is taken for lost */

/* The moment, and the set as seen from it. */
struct mst_fo_at {
    struct mst_fo *f;
    const struct mst_fo_picture *p;
    struct mst_fo_action *out;
};

/* machine.c */
void mst_fo_enter(struct mst_fo_at *a, enum mst_fo_state s);
void mst_fo_detail(struct mst_fo *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* snprintf() where cutting off is meant; sanitised. */
void mst_fo_put(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool mst_fo_wait(struct mst_fo_at *a, int64_t ms);
bool mst_fo_send(struct mst_fo_at *a, enum mst_fo_do what, size_t member, int64_t secs,
                 int64_t timeout_ms);
void mst_fo_missing(struct mst_fo *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mst_fo_warn(struct mst_fo *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What forbids DONE, the first or the newest that was noticed: a warning does not. */
const char *mst_fo_lacks(const struct mst_fo *f, bool newest);
/* Both return false: a state function may return what they return. */
bool mst_fo_finish(struct mst_fo_at *a, enum mst_fo_exit e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool mst_fo_abort(struct mst_fo_at *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool mst_fo_turn(struct mst_fo_at *a, enum mst_fo_state s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The last reply in words: "no answer", "refused with code 95: ...". */
const char *mst_fo_said(const struct mst_fo *f, char buf[128]);
const char *mst_fo_member(const struct mst_fo *f, int i);

/* machine_see.c: what the picture proves */
void mst_fo_observe(struct mst_fo_at *a);
bool mst_fo_fresh(const struct mst_fo_at *a, size_t i);
bool mst_fo_status(const struct mst_fo_at *a, size_t i); /* fresh, and the status is known */
bool mst_fo_is(const struct mst_fo_at *a, size_t i, enum mst_mstate s); /* fresh, says so */
bool mst_fo_silent(const struct mst_fo_at *a, size_t i);
/* Who is writable in a term above the plan's, -1 nobody; the highest term wins. */
int mst_fo_writable(const struct mst_fo_at *a);
/* Likewise, but it may still catch up; -1 nobody. */
int mst_fo_elected(const struct mst_fo_at *a);
/* Anybody who says that it is writable or PRIMARY, in any term; -1 nobody. */
int mst_fo_anybody(const struct mst_fo_at *a);
/* Behind by how much, by their own answers; -1 unknown. */
int64_t mst_fo_lag_ms(const struct mst_fo_at *a, size_t from, size_t i);
int64_t mst_fo_commit_lag_ms(const struct mst_fo_at *a, size_t primary);
/* A member that may be handed the seat by this plan. */
bool mst_fo_may_win(const struct mst_fo *f, size_t i);
bool mst_fo_rival(const struct mst_fo *f, size_t i);
/* Would sending a step up to it drive out a live primary? why says what is against it. */
bool mst_fo_may_step_up(const struct mst_fo_at *a, size_t i, char why[160]);
/* How far it is known that the set may still be held by our own freezes: turn back before. */
int64_t mst_fo_deadline(const struct mst_fo *f);
/* One sentence about who is primary now. */
void mst_fo_who(const struct mst_fo_at *a, char out[160]);

/* machine_hold.c */
enum mst_fo_lift { MST_FO_LIFT_SENT, MST_FO_LIFT_WAITS, MST_FO_LIFT_NOTHING };
/* Lift one more of what still stands, but not of the members of `keep` (a bit each). NOTHING: no
 * more can be done about what stands. */
enum mst_fo_lift mst_fo_lift(struct mst_fo_at *a, uint64_t keep);
void mst_fo_hold_sent(struct mst_fo *f, const struct mst_fo_action *act);
void mst_fo_hold_reply(struct mst_fo *f, const struct mst_fo_reply *r, enum mst_fo_do what,
                       size_t member, bool thaw);
/* A code that does not tell whether the command took effect. */
bool mst_fo_vague(int code);
size_t mst_fo_holds(const struct mst_fo *f, int except);
/* Priorities as they are now do not let this member take the seat from the winner. */
bool mst_fo_may_stand(const struct mst_fo *f, size_t i);
/* The bit of the old primary where it would take the seat from the winner, else 0. */
uint64_t mst_fo_keep_old(const struct mst_fo *f);
void mst_fo_holds_text(const struct mst_fo *f, char out[200]);

/* states */
bool mst_fo_recheck(struct mst_fo_at *a);
bool mst_fo_quiesce(struct mst_fo_at *a);
bool mst_fo_catchup(struct mst_fo_at *a);
bool mst_fo_freeze(struct mst_fo_at *a);
bool mst_fo_stepdown(struct mst_fo_at *a);
bool mst_fo_certify(struct mst_fo_at *a);
bool mst_fo_stepup(struct mst_fo_at *a);
bool mst_fo_await(struct mst_fo_at *a);
bool mst_fo_probe(struct mst_fo_at *a);
bool mst_fo_diverted(struct mst_fo_at *a);
bool mst_fo_settle(struct mst_fo_at *a);
bool mst_fo_priorities(struct mst_fo_at *a);
bool mst_fo_watch(struct mst_fo_at *a);
bool mst_fo_aborting(struct mst_fo_at *a);
bool mst_fo_undo(struct mst_fo_at *a);
bool mst_fo_unknown(struct mst_fo_at *a);
/* Somebody is writable in a new term: go where that leads. Returns false. */
bool mst_fo_route(struct mst_fo_at *a, int w);

#endif
