/* acts.h: the jobs behind the acts; private to engine. */
#ifndef MST_ENGINE_ACTS_H
#define MST_ENGINE_ACTS_H

#include "engine/inner.h"

struct mst_run { /* what a job function gets */
    struct local *l;
    struct mst_cmd cmd;
    char plan[17]; /* hash of the ticket; "" without one */
    struct reach *reach;
};

/* Facts and rules of an act, on the io thread. */
typedef enum mst_rc mst_plan_fn(struct local *l, const struct ask *a, struct mst_ticket **out,
                                struct mst_err *err);
mst_plan_fn mst_act_plan;

mst_job_fn mst_run_backup, mst_run_verify, mst_run_restore, mst_run_discard, mst_run_clean,
    mst_run_recover, mst_run_release, mst_run_rebuild, mst_run_switch, mst_run_rekey, mst_run_copy,
    mst_run_hold, mst_run_unhold, mst_run_store_test, mst_run_orphans, mst_run_thaw;
mst_plan_fn mst_switch_plan, mst_store_plan, mst_rekey_plan;
/* The hash of what it says. */
void mst_ticket_hash(struct mst_ticket *t);
/* Which store a job reads from, and says so in its log when there is a choice. */
enum mst_rc mst_run_choose(struct mst_run *r, struct mst_task *task,
                           struct mst_err *err) MST_MUST_CHECK;
/* Freezes that a dead process left: thawed, and said. On the io thread. */
void mst_switch_thaw(struct local *l);

#endif
