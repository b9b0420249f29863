/* excl.h: acts on one set exclude each other across agents, users and hosts, by notes in its oplog.
 *
 * Who wants to act writes a majority note {muster: {act, id, agent, host, plan, until, first}},
 * reads the notes, and acts only when it has the oldest open one. It renews its note every 20 s and
 * closes it with {muster: {end: id}}. All times are the oplog's own wall time, so the clocks of the
 * agents do not matter. Who cannot renew in time is told through lost, and must stop at its next
 * safe state; a process that stood still asks mst_excl_valid() before it goes on.
 */
#ifndef MST_EXCL_EXCL_H
#define MST_EXCL_EXCL_H

#include <bson/bson.h>

#include "base/err.h"
#include "base/ts.h"
#include "conc/task.h"
#include "mongo/mongo.h"

#define MST_EXCL_HOLD_MS 60000
#define MST_EXCL_RENEW_MS 20000
#define MST_EXCL_ID 17
#define MST_EXCL_TARGET 272

struct mst_excl_note {
    char id[MST_EXCL_ID], act[24], agent[64], host[64], plan[17];
    char
        target[MST_EXCL_TARGET]; /* of a switch: the member that becomes primary; "" any, or none */
    struct mst_ts ts, first;     /* first: of its first note; zero when this is it */
    int64_t until_wall_ms;
    bool end;
};

/* One oplog entry; false when it is no note of ours. */
bool mst_excl_parse(const bson_t *entry, struct mst_excl_note *out);
/* The note that holds the set at now_wall_ms, NULL none: of those that are neither ended nor past
 * their time, the one whose first note is oldest. notes are in the order of the oplog. Pure. */
const struct mst_excl_note *mst_excl_holder(const struct mst_excl_note *notes, size_t n,
                                            int64_t now_wall_ms);

/* Open an authenticated connection to the primary; on the caller's and on the renewing thread. */
typedef enum mst_rc mst_excl_connect_fn(void *arg, struct mst_task *task, struct mst_conn **out,
                                        struct mst_err *err);

struct mst_excl_opts {
    mst_excl_connect_fn *connect;
    void *connect_arg;
    const char *act, *agent, *plan;
    const char *target;      /* NULL: none */
    void (*lost)(void *arg); /* once, on a thread of its own: the note may be void soon */
    void *lost_arg;
    /* Is this open note, of this host, one of a process of ours that is known to be dead? Then it
     * is closed, and nobody has to wait until its time is over. NULL: none is. */
    bool (*dead)(void *arg, const struct mst_excl_note *note);
    void *dead_arg;
    int64_t hold_ms, renew_ms; /* 0: as above */
    struct mst_task *task;     /* cancels the wait for the majority */
};

struct mst_excl;
/* MST_E_BUSY names who acts, MST_E_UNKNOWN when the note may or may not stand (it ends by itself).
 */
enum mst_rc mst_excl_take(const struct mst_excl_opts *o, struct mst_excl **out,
                          struct mst_err *err) MST_MUST_CHECK;
/* What the own notes of x say: to tell them from others'. */
const char *mst_excl_id(const struct mst_excl *x);
/* The set is still ours, by the steady clock of this host; never true again once lost was called.
 */
bool mst_excl_valid(const struct mst_excl *x);
/* Ends the note; NULL allowed. When that cannot be written it ends by itself. */
void mst_excl_release(struct mst_excl *x);
/* Open notes on the set now; *out is the caller's. */
enum mst_rc mst_excl_list(struct mst_conn *c, struct mst_excl_note **out, size_t *n,
                          int64_t *now_wall_ms, struct mst_err *err) MST_MUST_CHECK;

#endif
