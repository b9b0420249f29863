/* hands.h: the threads of a run: eyes that look at a member, hands that send to it. Private to
 * failover.
 */
#ifndef MST_FAILOVER_HANDS_H
#define MST_FAILOVER_HANDS_H

#include "conc/thread.h"
#include "failover/run.h"

struct crew;

struct eye {
    struct crew *crew;
    size_t member;
    struct mst_thread thread;
    struct mst_conn *c;
    int64_t rbid_at_ms; /* when to ask serverStatus next */
};

struct hand {
    struct crew *crew;
    size_t member;
    struct mst_thread thread;
    struct mst_cond stir;
    bool has; /* an order waits */
    struct mst_fo_action order;
    bool has_reply; /* each order has one, and there is one order at a time */
    struct mst_fo_reply reply;
    struct mst_conn *c;
};

struct crew {
    const struct mst_fo_run_opts *o;
    struct mst_task stop; /* of eyes and hands; the operator's cancel is another one */
    struct mst_mutex mtx;
    struct mst_cond news; /* for the main loop */
    struct mst_fo_seen seen[MST_TOPO_MAX];
    size_t n;
    struct eye eyes[MST_TOPO_MAX];
    struct hand hands[MST_TOPO_MAX];
    bool fresh; /* something arrived since the main loop looked */
};

enum mst_rc mst_crew_start(struct crew *c, const struct mst_fo_run_opts *o,
                           struct mst_err *err) MST_MUST_CHECK;
void mst_crew_stop(struct crew *c); /* joins; NULL-safe parts */
/* Under mtx. */
void mst_crew_order(struct crew *c, const struct mst_fo_action *a);

/* eyes.c, orders.c */
void mst_eye_run(void *arg);
/* Send one order on c and fill the reply. */
void mst_order_send(struct mst_conn *c, const struct mst_fo_plan *plan,
                    const struct mst_fo_action *a, struct mst_fo_reply *r);
const char *mst_order_word(enum mst_fo_do what); /* of the journal */

#endif
