/* cache.h: the last good listing of a set's backups in one store, kept in the local database.
 *
 * It is for looking while the store cannot be read, never for acting: what restores, verifies or
 * removes reads the store itself. It belongs to one set, one store and one place; a listing of
 * another place, of a newer form, or whose bytes are not the ones that were written, is not given
 * out. Calls block: worker threads only.
 */
#ifndef MST_CATALOG_CACHE_H
#define MST_CATALOG_CACHE_H

#include "catalog/types.h"
#include "db/db.h"

struct mst_cache_key {
    const char *set;   /* name of the replica set; "" when it is not known: the only one there is */
    const char *store; /* its name in the configuration */
    const char *place; /* what the store is: "local:/srv/backups" */
};

struct mst_cached {
    char set[128];
    int64_t read_wall_ms; /* when the store was read; 0 never */
    size_t n;
    struct mst_backup *backups; /* in the order of the listing */
};
void mst_cached_release(struct mst_cached *c);

/* Replace what is kept under this set and store, in one transaction. */
enum mst_rc mst_cache_save(struct mst_db *db, const struct mst_cache_key *key, int64_t read_wall_ms,
                           const struct mst_backup *backups, size_t n,
                           struct mst_err *err) MST_MUST_CHECK;
/* MST_E_NOTFOUND when nothing is kept (or, without a set's name, of several sets), MST_E_INTEGRITY
 * when it is damaged, MST_E_STALE when it is of another place or of a newer form. out is released
 * by the caller, and empty on failure. */
enum mst_rc mst_cache_load(struct mst_db *db, const struct mst_cache_key *key,
                           struct mst_cached *out, struct mst_err *err) MST_MUST_CHECK;

#endif
