/* facts.h: ask every member what the checks of a switch need. Blocks; worker threads only.
 *
 * Each member is asked on a connection of its own, by a thread of its own, so that one that hangs
 * costs its own deadline and nobody else's. What moves is sampled several times. One thing is
 * written, and only when probe is set: the majority note of P13, on the primary.
 */
#ifndef MST_FAILOVER_FACTS_H
#define MST_FAILOVER_FACTS_H

#include "conc/task.h"
#include "guard/guard.h"
#include "mongo/mongo.h"

/* A connection to this member within connect_ms; login false: hello only, as for an arbiter. Called
 * from several threads at once. */
typedef enum mst_rc mst_fo_connect_fn(void *arg, const char *member, bool login, const char *app,
                                      int64_t connect_ms, struct mst_task *task,
                                      struct mst_conn **out, struct mst_err *err);

struct mst_fo_ask {
    mst_fo_connect_fn *connect;
    void *connect_arg;
    const struct mst_topo_view *topo; /* who is there, and what was seen in the last hour */
    bool probe;
    int samples;           /* 1 to MST_GUARD_SAMPLES */
    int64_t sample_gap_ms; /* 0: one heartbeat and a half */
    int64_t patience_ms;   /* for one member to answer; 0: 2000 */
    struct mst_task *task; /* cancels */
};

/* Fills members and everything that is measured; act, target, after, seconds of the plan, hours,
 * notes, class and overrides are the caller's. Members that do not answer are in it as such; it
 * fails only when no configuration can be had from anybody. */
enum mst_rc mst_fo_facts(const struct mst_fo_ask *o, struct mst_guard_facts *out,
                         struct mst_err *err) MST_MUST_CHECK;
void mst_fo_facts_release(struct mst_guard_facts *f);

/* Parts that are pure, for tests. */
void mst_fo_read_ops(const bson_t *current_op, struct mst_guard_member *m);
void mst_fo_read_rights(const bson_t *connection_status, struct mst_guard_member *m);
void mst_fo_read_special(const bson_t *status, struct mst_guard_member *m);

#endif
