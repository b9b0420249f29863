/* region.h: may a backup or a copy be stored there? Pure.
 */
#ifndef MST_ENGINE_REGION_H
#define MST_ENGINE_REGION_H

#include "base/err.h"
#include "cfg/cfg.h"

/* allowed is backup.regions; empty allows everything. Words are compared to the letter.
 * MST_E_PRECOND when the region is another one, or not known (""). */
enum mst_rc mst_region_allowed(const struct mst_cfg_list *allowed, const char *region,
                               const char *store, struct mst_err *err) MST_MUST_CHECK;
/* The same of a store of the configuration; MST_E_PRECOND too when it has none of that name. */
enum mst_rc mst_region_store_ok(const struct mst_cfg *cfg, const char *store,
                                struct mst_err *err) MST_MUST_CHECK;

#endif
