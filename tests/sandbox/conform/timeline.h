/* timeline.h: what each member said of itself over time, recorded and run. */
#ifndef CONFORM_TIMELINE_H
#define CONFORM_TIMELINE_H

#include "conc/thread.h"
#include "play.h"

#define TIMELINE_MAX 512

struct moment {
    char state[24];
    bool writable;
    int64_t term;
};

struct timeline { /* one member's */
    struct moment at[TIMELINE_MAX];
    size_t n;
};

struct watcher { /* samples every member of a world, in a thread of its own */
    struct sbx_world *w;
    struct timeline of[PLAY_MEMBERS];
    struct mst_thread thread;
    bool stop; /* under the world's lock */
};

void watcher_start(struct watcher *k, struct sbx_world *w);
void watcher_stop(struct watcher *k);

/* The `view` lines from..to of a recording against what the watcher saw: every recorded moment of a
 * member came in the recorded order, nobody else was ever writable, and all ended as recorded.
 * Differences are noted in the recording's conf; returns how many moments were compared. */
unsigned timeline_check(struct play *p, const struct watcher *k, int from, int to);
/* Until every member is what the last view before this line says of it, its own state and whom it
 * takes for the primary; false when that took too long. */
bool timeline_await(struct play *p, int line, int64_t ms);

#endif
