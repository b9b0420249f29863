/* locks.h: the object locks of one backup: what its store says of them, and longer ones. A backup
 * is locked until the first of its objects is not any more. Calls block: worker threads only.
 */
#ifndef MST_CATALOG_LOCKS_H
#define MST_CATALOG_LOCKS_H

#include "catalog/catalog.h"

struct mst_locks {
    size_t objects;   /* of the backup: those that COMMIT names, COMMIT, holds, key objects */
    size_t extended;  /* of them, by this call */
    int64_t until_ms; /* the earliest end; 0: one of them is not locked */
    char mode[16];    /* of the object that ends first; "" none */
};

/* What COMMIT and the oldest object of the backup say; a few requests whatever its size. objects
 * counts those that were asked. MST_E_NOTFOUND: it has no COMMIT. */
enum mst_rc mst_locks_look(const struct mst_catalog *c, const char *id, struct mst_task *task,
                           struct mst_locks *out, struct mst_err *err) MST_MUST_CHECK;
/* Every object is locked until then at least, COMMIT last; none is ever locked shorter. mode is of
 * those that have none. */
enum mst_rc mst_locks_extend(const struct mst_catalog *c, const char *id, const char *mode,
                             int64_t until_ms, struct mst_task *task, struct mst_locks *out,
                             struct mst_err *err) MST_MUST_CHECK;

#endif
