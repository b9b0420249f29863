/* open.h: the store that the configuration describes. */
#ifndef MST_STORE_OPEN_H
#define MST_STORE_OPEN_H

#include "cfg/cfg.h"
#include "store/store.h"

/* cfg outlives the store. A store over the network is not spoken to yet. MST_E_CONFIG. */
enum mst_rc mst_store_open(const struct mst_cfg_store *cfg, bool write, struct mst_store **out,
                           struct mst_err *err) MST_MUST_CHECK;
/* Whose key it works with, "AKIA... (the environment)", and until when (0: for ever); false for
 * stores without keys and before the first call. */
bool mst_store_who(struct mst_store *s, char *text, size_t size, int64_t *expires_wall_ms);

#endif
