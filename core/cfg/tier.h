/* tier.h: classes of storage out of which nothing is read before the store has made a readable copy
 * of it. Pure.
 */
#ifndef MST_CFG_TIER_H
#define MST_CFG_TIER_H

#include <stdbool.h>

#define MST_TIER_INTELLIGENT "INTELLIGENT_TIERING" /* no days: its copies stay */

/* Objects of this class cannot be read before they are thawed. */
bool mst_tier_sleeps(const char *storage_class);
/* May one be asleep? Of some classes only the object itself tells. */
bool mst_tier_may_sleep(const char *storage_class);
/* How long a thaw takes, "3 to 5 hours"; "" not known. */
const char *mst_tier_takes(const char *storage_class);

#endif
