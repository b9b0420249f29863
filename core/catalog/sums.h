/* sums.h: whoever has no key can still check what is stored of a sealed backup. Its manifest, which
 * has the SHA-256 of every object, is sealed like the rest; so the same sums stand in the clear in
 * the object "sums", one line for each, as sha256sum prints them. The header has the SHA-256 of it.
 */
#ifndef MST_CATALOG_SUMS_H
#define MST_CATALOG_SUMS_H

#include "catalog/catalog.h"

#define MST_SUMS_MAX (128U * 1024U * 1024U)

/* Pure: the lines of these objects. */
void mst_sums_put(const struct mst_man_object *objects, size_t n, struct mst_str *out);
/* Call fn for each line; MST_E_INTEGRITY for one that is not such a line. Pure but for fn. */
typedef enum mst_rc mst_sum_fn(void *arg, const char *key, const uint8_t sha[MST_SHA256_LEN],
                               struct mst_err *err);
enum mst_rc mst_sums_each(const char *text, size_t n, mst_sum_fn *fn, void *arg,
                          struct mst_err *err) MST_MUST_CHECK;
/* Read the object of a backup that was opened in the clear and compare it with the header. */
enum mst_rc mst_sums_read(const struct mst_catalog *c, const struct mst_bkr *r, struct mst_buf *out,
                          struct mst_err *err) MST_MUST_CHECK;
/* SHA-256 and size of what is stored under a name. */
enum mst_rc mst_stored_hash(struct mst_store *store, const char *key, struct mst_task *task,
                            uint8_t sha[MST_SHA256_LEN], uint64_t *bytes,
                            struct mst_err *err) MST_MUST_CHECK;
/* Are the stored bytes of this copy of the manifest those that COMMIT names? */
enum mst_rc mst_stored_manifest(const struct mst_catalog *c, const struct mst_bkr *r,
                                const char *copy, struct mst_task *task,
                                struct mst_err *err) MST_MUST_CHECK;

#endif
