/* why_own.h: shared by the files that find why there is no primary. */
#ifndef MST_TOPO_WHY_OWN_H
#define MST_TOPO_WHY_OWN_H

#include "topo/why.h"

struct why_look { /* what every finding needs */
    const struct mst_topo_view *v;
    const struct mst_topo_limits *l;
    const struct mst_why_ours *ours;
    struct mst_why *out;
    size_t n;
};

/* One more finding, empty: each kind is found once at most, so there is room. */
struct mst_why *why_found(struct why_look *k, enum mst_why_kind kind);
/* Add to a list in a text: ", " between, cut at the end. */
void why_list(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A command for one member, as it can be pasted: names come from the set. */
void why_mongosh(struct mst_why *w, const char *member, const char *js);
bool why_fresh(const struct why_look *k, size_t i);
/* Its own status is known, and of now. */
bool why_told(const struct why_look *k, size_t i);
bool why_electable(const struct mst_topo_member *m);

/* why_members.c: each adds its finding when it is one. */
/* All that could be elected, and are in their place, were asked not to stand. */
void why_held_by_us(struct why_look *k);
void why_catching_up(struct why_look *k);
/* Nobody that is up may ever be primary. */
void why_priority_only(struct why_look *k);
/* stale: fell off the oplogs of the others; else not a SECONDARY yet. */
void why_not_ready(struct why_look *k, bool stale);
/* A voter refuses a candidate that is older than itself. Positions within one look of each other
 * are the same. */
void why_older(struct why_look *k);

#endif
