/* marks.h: what the marks of one backup say: verified, copied, held. They live in the store, so a
 * rebuild without any local state knows them. Calls block: worker threads only.
 */
#ifndef MST_CATALOG_MARKS_H
#define MST_CATALOG_MARKS_H

#include "catalog/catalog.h"

#define MST_MARK_NAME 64
#define MST_MARKS_MAX 512U

/* Names of marks, "<time>-<kind>", oldest first. */
struct mst_marks {
    size_t n, cap;
    char (*names)[MST_MARK_NAME];
};
/* false: not a name of a mark. Past MST_MARKS_MAX the oldest goes that is no hold or release. */
bool mst_marks_add(struct mst_marks *m, const char *name);
void mst_marks_release(struct mst_marks *m);

/* Fill what b shows of them. header_sha "": holds count whatever header they name. A hold that
 * cannot be read counts as one without an end: only a release takes it off. */
void mst_marks_read(const struct mst_catalog *c, const char *id, const struct mst_marks *m,
                    const char *header_sha, struct mst_backup *b);
/* Is it held at this time? MST_E_PRECOND says until when, by whom and why. */
enum mst_rc mst_marks_held(const struct mst_catalog *c, const char *id, int64_t now_wall_ms,
                           struct mst_task *task, struct mst_err *err) MST_MUST_CHECK;
/* Write one about the header that COMMIT names: hold, release, copied, verified. until_ms and store
 * as the kind needs them. */
enum mst_rc mst_marks_write(const struct mst_catalog *c, const struct mst_mark *m,
                            struct mst_err *err) MST_MUST_CHECK;

#endif
