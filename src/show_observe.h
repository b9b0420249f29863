/* show_observe.h: an observed failover, the findings, and what was written down, as text and JSON.
 * Pure. */
#ifndef CMD_SHOW_OBSERVE_H
#define CMD_SHOW_OBSERVE_H

#include "engine/history.h"
#include "show.h"

/* A writable primary that a majority follows, as far as that is known. */
bool show_writable(const struct mst_topo_view *t);
void show_findings(const struct mst_why *w, size_t n, struct mst_str *out);
/* The lines of it whose bit is not in *told yet, which gets them. */
void show_tale(const struct mst_failover *f, unsigned *told, struct mst_str *out);
/* Who could be elected, and why not the others. */
void show_candidates(const struct mst_topo_view *t, struct mst_str *out);
void show_observed(const struct mst_view *v, const struct mst_why *w, size_t n,
                   struct mst_str *out); /* one JSON object */
void show_history(const struct mst_history *h, enum show_form form, struct mst_str *out);

#endif
