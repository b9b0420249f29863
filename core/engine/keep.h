/* keep.h: the rows of history.h, over an open database; for engine and its tests. */
#ifndef MST_ENGINE_KEEP_H
#define MST_ENGINE_KEEP_H

#include "db/db.h"
#include "engine/history.h"

#define MST_KEEP_TOUCH_MS 5000 /* so often who watches writes that it does */

/* The database of the configured set. MST_E_NOTFOUND: there is none yet. */
enum mst_rc mst_keep_open(const struct mst_cfg *cfg, struct mst_db **out,
                          struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_keep_read(struct mst_db *db, int64_t since_ms, int64_t now_ms, size_t limit,
                          struct mst_history *out, struct mst_err *err) MST_MUST_CHECK;

/* Newest events of the topology and messages, and the gaps between them, as events of the topology,
 * oldest first, at most `most`; the caller frees. What cannot be read is not there. */
size_t mst_keep_earlier(struct mst_db *db, int64_t now_ms, size_t most, struct mst_event **out);

/* Fills what the journal of switches says; known is false when it cannot be read. */
void mst_keep_ours(struct mst_db *db, struct mst_why_ours *out);

struct mst_keep_watch { /* the row of this process */
    int64_t id;         /* 0: none yet */
    int64_t told_ms;    /* wall clock of the last time */
    int64_t pruned_ms;  /* 0: not yet */
    char who[176];
};
/* One transaction: these events, and that somebody watches at now_ms. When the last time is so long
 * ago that nobody can have watched meanwhile (the process stood still, the host slept, the clock
 * was set), another watch begins. last: it ends here. */
enum mst_rc mst_keep_write(struct mst_db *db, struct mst_keep_watch *w,
                           const struct mst_hist_event *events, size_t n, int64_t now_ms, bool last,
                           struct mst_err *err) MST_MUST_CHECK;

#endif
