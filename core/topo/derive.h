/* derive.h: the parts of mst_topo_derive(), each a pure function over the view. Internal. */
#ifndef MST_TOPO_DERIVE_H
#define MST_TOPO_DERIVE_H

#include "topo/topo.h"

/* The age of an opinion's heartbeat below which the link counts as alive. */
#define MST_HEARTBEAT_OK_MS 6000

bool mst_topo_status_fresh(const struct mst_topo_view *v, const struct mst_topo_limits *l,
                           size_t i);
#define MST_TOPO_ABOVE_MAX 72
/* "12 s > 10 s", or "just above 10 s" where both would read alike. */
const char *mst_topo_above(int64_t ms, int64_t limit_ms, char out[MST_TOPO_ABOVE_MAX]);
/* When we noticed that it no longer answers. */
int64_t mst_topo_lost_at(const struct mst_topo_member *m, const struct mst_topo_limits *l);
/* Somebody was not asked yet: what is not seen may still come. */
bool mst_topo_asking(const struct mst_topo_view *v);
/* Member i still hears j, as far as i's own last word goes. */
bool mst_topo_hears(const struct mst_topo_view *v, const struct mst_topo_limits *l, size_t i,
                    size_t j);
/* snprintf() where cutting a long name off is meant. */
void mst_topo_put(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* We cannot reach it, but somebody who answers us hears it as primary; -1 none. */
int mst_topo_primary_elsewhere(const struct mst_topo_view *v, const struct mst_topo_limits *l);
void mst_topo_derive_shown(struct mst_topo_view *v, const struct mst_topo_limits *l);
void mst_topo_derive_lag(struct mst_topo_view *v, const struct mst_topo_limits *l);
void mst_topo_derive_votes(struct mst_topo_view *v, const struct mst_topo_limits *l);
void mst_topo_derive_heirs(struct mst_topo_view *v, const struct mst_topo_limits *l);
void mst_topo_derive_reasons(struct mst_topo_view *v, const struct mst_topo_limits *l);
void mst_topo_derive_verdict(struct mst_topo_view *v, const struct mst_topo_limits *l);

#endif
