/* history.h: what happened in a set while somebody watched, from the local state.
 *
 * The process that holds the lock of the set writes every event of the topology and every message
 * of the engine, and from when to when it watched; the newest MST_HISTORY_MAX events and
 * MST_HISTORY_DAYS days stay. A time in which nobody watched is a gap, not a quiet time.
 */
#ifndef MST_ENGINE_HISTORY_H
#define MST_ENGINE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "topo/story.h"
#include "topo/why.h"

#define MST_HISTORY_MAX 20000
#define MST_HISTORY_DAYS 30
#define MST_GAP_MIN_MS 1000 /* shorter is the change from one watcher to the next */

struct mst_cfg;

enum mst_hist_source { MST_HIST_TOPO, MST_HIST_SAID, MST_HIST_HEALTH, MST_HIST_FAILOVER };
const char *mst_hist_source_word(enum mst_hist_source s);

struct mst_hist_event { /* sanitised */
    int64_t wall_ms;
    enum mst_hist_source source;
    enum mst_event_kind kind; /* of MST_HIST_TOPO */
    enum mst_severity severity;
    char member[MST_HOST_MAX]; /* "" none */
    char text[240];
};

struct mst_hist_watch { /* somebody watched, at least from and at least to */
    int64_t from_ms, to_ms;
    bool ended; /* and said that it ends; else it may have watched a little longer */
    char who[176];
};

struct mst_hist_gap {
    int64_t from_ms, to_ms;
};

struct mst_history { /* oldest first */
    int64_t since_ms, now_ms;
    size_t n, n_watches, n_gaps;
    bool cut; /* there are older ones inside the time that was asked for */
    struct mst_hist_event *events;
    struct mst_hist_watch *watches;
    struct mst_hist_gap *gaps;
};

/* The newest `limit` events since then. MST_E_NOTFOUND when this set has no local state. */
enum mst_rc mst_history_read(const struct mst_cfg *cfg, int64_t since_ms, size_t limit,
                             struct mst_history *out, struct mst_err *err) MST_MUST_CHECK;
void mst_history_release(struct mst_history *h);

/* What switches of this host left with the members: who was asked not to stand, until when. known
 * is false when the journal cannot be read; a set without local state has nothing of ours. */
void mst_history_ours(const struct mst_cfg *cfg, struct mst_why_ours *out);

/* "nobody watched from 2026-11-27T03:00:00Z to 2026-11-27T05:00:00Z (2 h)" into at least 120
 * bytes; returned. */
char *mst_history_gap_text(const struct mst_hist_gap *g, char *out, size_t size);

/* Where since..now is not covered by any watch, longer than MST_GAP_MIN_MS; the watches are in any
 * order and may overlap. out has room for n + 1. Pure. */
size_t mst_history_gaps(const struct mst_hist_watch *w, size_t n, int64_t since_ms, int64_t now_ms,
                        struct mst_hist_gap *out);

#endif
