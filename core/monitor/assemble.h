/* assemble.h: from what the probes hold to one view. Internal to the monitor. */
#ifndef MST_MONITOR_ASSEMBLE_H
#define MST_MONITOR_ASSEMBLE_H

#include "monitor/probe.h"

/* The member list that holds now: names of the newest configuration, else of what hello says, else
 * n is 0. Call with the probes' mtx held. */
size_t mst_members_now(struct mst_probe *const *probes, size_t n, char (*names)[MST_HOST_MAX]);
/* Fill a view (not derived yet) from the probes whose names are in the list; all of them when it
 * is empty. Call with the probes' mtx held. */
void mst_assemble(struct mst_probe *const *probes, size_t n, const char (*names)[MST_HOST_MAX],
                  size_t n_names, int64_t mono_ms, int64_t wall_ms, struct mst_topo_view *v);

#endif
