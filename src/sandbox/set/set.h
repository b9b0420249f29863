/* set.h: how the members of the simulated set behave: heartbeats, elections, replication, waits.
 *
 * Everything runs with the world's lock held. One timer thread calls sbx_set_tick; commands and the
 * control verbs call the rest.
 */
#ifndef SBX_SET_SET_H
#define SBX_SET_SET_H

#include "world/world.h"

/* ---- life ---- */

/* A process comes up: volatile state as after a start, data as it was left. */
void sbx_set_boot(struct sbx_member *m);
/* Start initiated: every member in its steady state, `primary` writable in `term`. */
void sbx_set_steady(struct sbx_world *w, size_t primary, int64_t term);
/* replSetInitiate on m, with a configuration that was checked. */
void sbx_set_initiate(struct sbx_member *m, const struct sbx_config *config);
void sbx_set_killed(struct sbx_member *m);
void sbx_set_frozen(struct sbx_member *m, bool frozen);
void sbx_set_lose_data(struct sbx_member *m); /* of a dead member: it syncs anew when it starts */
/* m gets all of s's data, and its oplog behind the common entry (NULL: all of it). */
void sbx_copy_all(struct sbx_member *m, struct sbx_member *s, const struct mst_optime *common);
/* Let time pass: whatever is due on any member. Returns the monotonic time of the next due thing.
 */
int64_t sbx_set_tick(struct sbx_world *w);
/* The timer's next look: an earlier time wins. */
void sbx_due(struct sbx_world *w, int64_t mono);

/* ---- configuration ---- */

/* 10-fold faster where the sandbox is: the defaults of the server otherwise. */
void sbx_config_defaults(struct sbx_config *c, int fast);
/* From a replSetInitiate document; false with the server's code and reason. */
bool sbx_config_parse(const bson_t *doc, struct sbx_config *out, int *code, char *why, size_t n);
void sbx_config_append(const struct sbx_world *w, const struct sbx_config *c, bson_t *out);
/* The two steps of the same: its form, and its rules. */
bool sbx_config_read(const bson_t *doc, struct sbx_config *out, int *code, char *why, size_t n);
bool sbx_config_check(const struct sbx_config *c, int *code, char *why, size_t n);
/* m goes by it from now on. */
void sbx_config_install(struct sbx_member *m, const struct sbx_config *c);
/* Why the primary may not go from its configuration to this one, code 103; "" when it may. */
bool sbx_config_may_follow(const struct sbx_member *m, const struct sbx_config *next, char *why,
                           size_t n);
/* A primary's new configuration: installed, noted in the oplog, sent to the others. */
void sbx_reconfigure(struct sbx_member *m, const struct sbx_config *next);
/* Has a majority of the voters m's configuration, and with_ops: are the writes committed that were
 * made before it? */
bool sbx_config_committed(const struct sbx_member *m, bool with_ops);
int sbx_vote_majority(const struct sbx_config *c);
int sbx_write_majority(const struct sbx_config *c);

/* ---- what others ask of a member ---- */

/* It does not stand for so long: only ever longer, and 0 lifts the penalty of a step-down as well.
 */
void sbx_freeze(struct sbx_member *m, int64_t seconds);
/* A change of state needs the lock that fsyncLock holds: false while it must wait. A process that
 * waits for longer than fassertOnLockTimeoutForStepUpDown says ends itself (m->abort). */
bool sbx_lock_free(struct sbx_member *m, int64_t now);
void sbx_become_secondary(struct sbx_member *m); /* steps down now */
/* Run for primary at once (replSetStepUp, hand-off); the outcome shows in m->state. False: may not
 * stand, `why` says so for logs. */
bool sbx_stand(struct sbx_member *m, const char *reason, bool skip_dry_run);
bool sbx_standing(const struct sbx_member *m);
/* Step-down: are a majority and an electable member as far as m's newest entry? */
bool sbx_caught_up(const struct sbx_member *m);
int sbx_primary_seen(const struct sbx_member *m); /* who m says is the primary; -1 nobody */
/* Whom a step-down hands over to; -1 nobody. */
int sbx_heir(const struct sbx_member *m);

/* ---- oplog ---- */

/* Finish and append one entry on the primary: op holds {op, ns, ui?, o2?, o ..}; ts, t, v, wall and
 * what a retryable write's session adds (world/txn.h) are put in at the server's places. Inside a
 * transaction the operation goes to its list instead and *out stays untouched. *out (may be NULL)
 * is also kept as c->last_op. */
void sbx_log_write(struct sbx_call *c, const bson_t *op, struct mst_optime *out);
/* The same for entries of the server itself, without a call. */
struct mst_optime sbx_log_server(struct sbx_member *m, const bson_t *op);
struct mst_optime sbx_log_noop(struct sbx_member *m, const char *msg);
/* Entries of the server's own writes on the primary, applied to its data as well: any operation,
 * and the creation of a collection, whose UUID is made up. */
void sbx_log_apply(struct sbx_member *m, const bson_t *op);
void sbx_log_create(struct sbx_member *m, const char *db, const char *name, uint8_t uuid[16]);
/* m's last applied position moved. */
void sbx_applied(struct sbx_member *m, struct sbx_pos pos);

/* ---- waits of commands ---- */

/* What the member's disk adds to a command that touches data: a slow one its delay, fsyncLock all
 * the time until it is unlocked; false: the call failed. */
bool sbx_await_disk(struct sbx_call *c, bool writes);
/* readConcern.afterClusterTime; false: the call failed. */
bool sbx_await_read_concern(struct sbx_call *c);
/* Waits for what the call's writeConcern asks, appends writeConcernError to what becomes the reply
 * (after ok). */
void sbx_await_write_concern(struct sbx_call *c);
/* Until the majority commit point of c->m has reached op; false: interrupted or too late. */
bool sbx_await_committed(struct sbx_call *c, struct mst_optime op, int64_t deadline_mono_ms);

#endif
