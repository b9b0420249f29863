/* seen.h: the highest number of a signed backup that was ever seen in a store, kept in the local
 * database: a store that is put back to an older state, or whose newest backups are held back, does
 * not look like one that never had them. Calls block.
 */
#ifndef MST_CATALOG_SEEN_H
#define MST_CATALOG_SEEN_H

#include "catalog/cache.h"

struct mst_seen {
    char id[MST_ID_MAX]; /* the backup that had it */
    uint64_t counter;
};

/* By set and name of the store; its place does not matter. MST_E_NOTFOUND: none was seen. */
enum mst_rc mst_seen_load(struct mst_db *db, const struct mst_cache_key *key, struct mst_seen *out,
                          struct mst_err *err) MST_MUST_CHECK;
/* Remember it; a lower one than what is remembered changes nothing. */
enum mst_rc mst_seen_save(struct mst_db *db, const struct mst_cache_key *key, const char *id,
                          uint64_t counter, struct mst_err *err) MST_MUST_CHECK;

#endif
