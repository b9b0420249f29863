/* runs.h: what the journal says of each restore: where it went, how far it came, what it left.
 *
 * A run stands in the journal from before its first write until nothing of it is left. Private to
 * engine; any thread.
 */
#ifndef MST_ENGINE_RUNS_H
#define MST_ENGINE_RUNS_H

#include "engine/inner.h"

struct mst_run_state {
    char run[MST_RUN_HEX];
    char to[512];       /* URI of its target; "" the configured set */
    bool open, swapped; /* its renames may have begun; they are done */
    bool kept;          /* it replaced something that is still aside */
    bool discarded, cleaned;
    size_t held; /* TTL indexes without their expiry */
};

/* Oldest first; run NULL: all. The caller frees the array. */
enum mst_rc mst_runs_read(struct local *l, const char *run, struct mst_run_state **out, size_t *n,
                          struct mst_err *err) MST_MUST_CHECK;
/* false when the journal does not know it. */
bool mst_runs_find(struct local *l, const char *run, struct mst_run_state *out);
/* Which collection of db was put aside as kept ("mst.o.RUN.N"), without its database; false: the
 * journal does not know. */
bool mst_runs_was(struct local *l, const char *run, const char *db, const char *kept,
                  char out[MST_COLL_MAX]);
/* Before a run's first write. to: "" for the configured set. */
enum mst_rc mst_runs_begin(struct local *l, const char *run, const char *to,
                           struct mst_err *err) MST_MUST_CHECK;
/* word "discarded" or "cleaned" (NULL: nothing new); the run is forgotten once nothing is left. */
enum mst_rc mst_runs_mark(struct local *l, const char *run, const char *word,
                          struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_runs_forget(struct local *l, const char *run, struct mst_err *err) MST_MUST_CHECK;
/* Lines for the list of leavings; running: so many of the newest are still at work. */
size_t mst_runs_lines(struct local *l, int64_t running, struct mst_leaving_line **out);
/* Start a job for every swap that a dead process left open. */
void mst_runs_recover(struct local *l);

#endif
