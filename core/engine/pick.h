/* pick.h: in which store is the backup that was asked for? Pure: listings in, decision out. */
#ifndef MST_ENGINE_PICK_H
#define MST_ENGINE_PICK_H

#include "base/err.h"
#include "engine/view.h"

enum mst_want {
    MST_WANT_GOOD, /* a copy that can be restored */
    MST_WANT_LEFT  /* one with something to clean */
};

struct mst_listed {
    const struct mst_bucket_part *part;
    bool fresh; /* the store was read now; else its part counts for nothing */
};

/* id "latest" is the newest COMPLETE backup over all stores, else the newest PARTIAL one; of two
 * copies the one in home, then the earlier in the configuration. *store and out_id are set on
 * MST_OK. note names the stores that could not be looked at, "" none. */
enum mst_rc mst_pick(const struct mst_listed *s, size_t n, size_t home, const char *id,
                     enum mst_want want, size_t *store, char out_id[MST_ID_MAX], char *note,
                     size_t size, struct mst_err *err) MST_MUST_CHECK;

#endif
