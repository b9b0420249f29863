/* story.h: the timeline of a change of the primary that nobody of ours asked for. Pure but for its
 * memory: views in, in order; no clock, no I/O. */
#ifndef MST_TOPO_STORY_H
#define MST_TOPO_STORY_H

#include "topo/topo.h"

struct mst_story;
struct mst_story *mst_story_new(void);
void mst_story_free(struct mst_story *s);

/* v is derived. ours: a switch that somebody asked for runs; a change of the primary that it sees
 * is none of these. Fills v->failover with the newest. */
void mst_story_follow(struct mst_story *s, struct mst_topo_view *v, bool ours);

enum mst_tale { /* what a line of the timeline says, in this order */
                MST_TALE_LOST,
                MST_TALE_NOTICED,
                MST_TALE_RISK,
                MST_TALE_STOOD,
                MST_TALE_WON,
                MST_TALE_LOSS,
                MST_TALE_BACK,
                MST_TALE_ROLLBACK,
                MST_TALE_NEXT,
                MST_TALES
};
struct mst_tale_line {
    enum mst_tale what;
    int64_t wall_ms; /* when that happened */
    enum mst_severity severity;
    char text[240];
};
/* What is known of it so far; the last line is what to do next. */
size_t mst_failover_lines(const struct mst_failover *f, struct mst_tale_line out[MST_TALES]);

#endif
