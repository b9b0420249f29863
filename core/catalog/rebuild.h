/* rebuild.h: read a listing from the backups' own objects, manifests included, and say what is not
 * as it was in an older listing.
 */
#ifndef MST_CATALOG_REBUILD_H
#define MST_CATALOG_REBUILD_H

#include "catalog/catalog.h"

/* Look closer at a backup that the listing calls COMPLETE or PARTIAL: its manifest and the copy are
 * read to their ends and must have the SHA-256 that COMMIT names, and agree with the header. When
 * one does not, b becomes DAMAGED and a mark in the store says so to every later listing; *unmarked
 * is true when that mark could not be written. Data is not read: that is verify. Blocks. Fails with
 * MST_E_CANCELLED only. */
enum mst_rc mst_rebuild_look(const struct mst_catalog *c, struct mst_backup *b, const char *by,
                             struct mst_task *task, bool *unmarked,
                             struct mst_err *err) MST_MUST_CHECK;

/* What changed from one listing to another, by id. Pure; the caller frees *out. */
void mst_rebuild_compare(const struct mst_backup *before, size_t n_before,
                         const struct mst_backup *now, size_t n_now, struct mst_backup_change **out,
                         size_t *n);

#endif
