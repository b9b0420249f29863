/* locks.h: what a store's lock_days promise of a backup, kept and said. Worker threads. */
#ifndef MST_ENGINE_LOCKS_H
#define MST_ENGINE_LOCKS_H

#include "catalog/catalog.h"

/* A backup that was written into this store (now; else by a copy that may be an older one): its
 * locks are read back, and where it took past midnight the objects of the day before are locked as
 * long as the last ones. text gets "locked until ..." or "". MST_E_INCOMPLETE: it is whole, and not
 * locked as it should be. */
enum mst_rc mst_lock_settle(const struct mst_catalog *c, const char *id, bool now,
                            struct mst_task *task, char *text, size_t size,
                            struct mst_err *err) MST_MUST_CHECK;
/* A copy took the holds of its source along: locks last as long, where the store locks. text
 * becomes what they do then. MST_E_INCOMPLETE: it is whole, and not locked so. */
enum mst_rc mst_lock_as_held(const struct mst_catalog *c, const char *id, struct mst_task *task,
                             char *text, size_t size, struct mst_err *err) MST_MUST_CHECK;
/* A hold until then (MST_HOLD_EVER: without an end): locks last as long, where the store locks.
 * text gets what they do. */
enum mst_rc mst_lock_hold(const struct mst_catalog *c, const char *id, int64_t until_ms,
                          struct mst_task *task, char *text, size_t size,
                          struct mst_err *err) MST_MUST_CHECK;
/* What stays locked when a hold goes: "locked until ..." or "". */
void mst_lock_stays(const struct mst_catalog *c, const char *id, struct mst_task *task, char *text,
                    size_t size);

#endif
