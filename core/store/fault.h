/* fault.h: a store that fails when a test says so. It wraps another store.
 *
 * Every call that changes something is counted: begin, each add, finish, delete. The n-th fails; in
 * FAULT_DEAD everything after it fails as well, as if the process had been killed or the store had
 * gone away there (nothing of an unfinished object becomes visible). FAULT_LOST performs the call
 * and then says it failed: the reply was lost. Besides, reads of some names may fail.
 */
#ifndef MST_STORE_FAULT_H
#define MST_STORE_FAULT_H

#include "store/store.h"

enum mst_fault_kind {
    MST_FAULT_NONE,
    MST_FAULT_ONCE, /* that call fails with rc */
    MST_FAULT_DEAD, /* that call and all later ones */
    MST_FAULT_LOST  /* it is done, and reported as failed; later ones work */
};

/* inner is borrowed and outlives it. */
struct mst_store *mst_store_fault_new(struct mst_store *inner);
void mst_store_fault_set(struct mst_store *s, enum mst_fault_kind kind, uint64_t at,
                         enum mst_rc rc); /* at counts from 1; resets the counter */
/* Objects whose key contains part cannot be read: rc. NULL: all can, as at first. */
void mst_store_fault_unread(struct mst_store *s, const char *part, enum mst_rc rc);
uint64_t mst_store_fault_calls(const struct mst_store *s); /* since the last set */

#endif
