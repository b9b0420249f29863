/* why.h: why there is no primary, or none that can write for a majority. Pure: a view in, findings
 * out, each with what was measured and the one command that would help. What is not known is no
 * finding; when nothing is found, that is said. */
#ifndef MST_TOPO_WHY_H
#define MST_TOPO_WHY_H

#include "topo/topo.h"

enum mst_why_kind {
    MST_WHY_SILENT,      /* nobody answers us */
    MST_WHY_OURSELVES,   /* the others hear a primary, we do not */
    MST_WHY_SWITCH,      /* a switch of ours is at work */
    MST_WHY_EARLY,       /* an election is not late yet */
    MST_WHY_VOTES,       /* no majority of votes, or of those that can acknowledge a write */
    MST_WHY_HELD,        /* who could be elected may not stand, by our doing */
    MST_WHY_CATCHING_UP, /* elected, fetches what it lacks */
    MST_WHY_PRIORITY,    /* only members that may never be primary are left */
    MST_WHY_TOO_STALE,
    MST_WHY_NOT_READY, /* RECOVERING, STARTUP, ROLLBACK */
    MST_WHY_OLDER,     /* who may stand is older than who votes */
    MST_WHY_CONFIG,    /* members hold different configurations */
    MST_WHY_REFUSED,   /* authentication or TLS between members */
    MST_WHY_LINK,      /* members that answer us do not hear each other */
    MST_WHY_UNKNOWN
};
const char *mst_why_word(enum mst_why_kind k); /* "no-majority", "not-late-yet", ... */

struct mst_why {
    enum mst_why_kind kind;
    char what[200];
    char evidence[240];
    char command[240]; /* "" none would help */
};
#define MST_WHY_MAX 16

struct mst_why_held { /* of the journal of switches: asked not to stand until then */
    char member[MST_HOST_MAX];
    int64_t until_wall_ms;
    char run[17];
};
struct mst_why_ours { /* what is ours on this set, as far as this host knows */
    bool known;       /* the journal could be read */
    char run[17];     /* a switch that runs now; "" none */
    size_t n_held;
    struct mst_why_held held[MST_TOPO_MAX];
};

/* Worst first; 0 with a primary that a majority follows. */
size_t mst_topo_why(const struct mst_topo_view *v, const struct mst_topo_limits *l,
                    const struct mst_why_ours *ours, struct mst_why out[MST_WHY_MAX]);
/* When an election is late, on the monotonic clock; 0 there is a primary. */
int64_t mst_topo_late_at_ms(const struct mst_topo_view *v);
/* What a member got for a heartbeat is about authentication or TLS, not about a dead peer. */
bool mst_topo_refusal(const char *message);

#endif
