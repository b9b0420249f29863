/* asof.h: a store as it stood at a time, for reading only, out of the versions that its bucket
 * keeps: what was overwritten or deleted since then is there again, what came later is not.
 *
 * The time is that of the store's clock. Which version is meant is settled once, when it is opened:
 * one listing of versions below a prefix, kept in memory (some 200 bytes for an object).
 */
#ifndef MST_STORE_ASOF_H
#define MST_STORE_ASOF_H

#include "store/store.h"

/* inner is borrowed and must outlive *out, which is freed with mst_store_free. below: the folder
 * that is looked at, "" all of it; names outside are not found. MST_E_PRECOND: the bucket keeps no
 * versions; MST_E_CONFIG: this kind of store has none; MST_E_AUTH: the key may not list them. */
enum mst_rc mst_store_asof_open(struct mst_store *inner, const char *below, int64_t at_wall_ms,
                                struct mst_task *task, struct mst_store **out,
                                struct mst_err *err) MST_MUST_CHECK;

#endif
