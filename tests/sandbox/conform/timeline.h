/* timeline.h: what each member said of itself over time, recorded and run. */
#ifndef CONFORM_TIMELINE_H
#define CONFORM_TIMELINE_H

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

struct watcher { /* looks at every member of a world at each of its changes */
    struct sbx_world *w;
    struct timeline of[PLAY_MEMBERS];
    enum sbx_state state[PLAY_MEMBERS];
    int64_t since_mono[PLAY_MEMBERS];      /* it is in that state since then */
    bool owed[PLAY_MEMBERS][PLAY_MEMBERS]; /* the first has not noticed the second's state yet */
    unsigned followed;                     /* opinions that came to be what they should */
    struct mst_str late;                   /* ... and those that did not, with the next heartbeat */
};

void watcher_start(struct watcher *k, struct sbx_world *w);
void watcher_stop(struct watcher *k);
void watcher_release(struct watcher *k);

/* The `view` lines from..to of a recording against what the watcher saw: every recorded moment of a
 * member came in the recorded order, nobody else was ever writable, and all ended as recorded; and
 * what members think of each other followed each change with their next heartbeat.
 * Differences are noted in the recording's conf; returns how many moments were compared. */
unsigned timeline_check(struct play *p, const struct watcher *k, int from, int to);
/* Until every member is what the last view before this line says of it, its own state and whom it
 * takes for the primary; false when that took too long. */
bool timeline_await(struct play *p, int line, int64_t ms);

#endif
