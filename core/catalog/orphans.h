/* orphans.h: objects of a set's prefix that belong to no backup: what dead runs left, halves of
 * objects, uploads that nobody ended, leavings of a store test, and what muster did not write.
 * Calls block: worker threads only.
 */
#ifndef MST_CATALOG_ORPHANS_H
#define MST_CATALOG_ORPHANS_H

#include "catalog/catalog.h"

enum mst_orphan_kind {
    MST_ORPHAN_DEAD, /* of a run without a COMMIT, or that COMMIT does not name; its key objects */
    MST_ORPHAN_HALF, /* ".tmp-": its writer was killed */
    MST_ORPHAN_UPLOAD, /* begun in parts, never ended */
    MST_ORPHAN_PROBE,  /* of 'muster store test', and of what a store is asked */
    MST_ORPHAN_FOREIGN /* not ours: listed, never removed */
};
const char *mst_orphan_word(enum mst_orphan_kind k);

struct mst_orphan {
    enum mst_orphan_kind kind;
    char key[MST_KEY_MAX]; /* as it is: not sanitised */
    char upload[256];
    uint64_t bytes;
    int64_t modified_wall_ms;
};
struct mst_orphans {
    size_t n, cap;
    struct mst_orphan *items; /* in key order, uploads last */
    uint64_t bytes;
    size_t foreign;  /* so many of them */
    size_t young;    /* not listed: younger than the limit, their writer may be at work */
    size_t held;     /* not listed: their backup is held */
    size_t doubtful; /* not listed: the COMMIT of their backup is not believed */
};
void mst_orphans_release(struct mst_orphans *o);

/* Only what was not touched after before_wall_ms. Nothing of a backup whose COMMIT cannot be
 * understood, or is not of somebody who is believed, is an orphan. */
enum mst_rc mst_orphans_find(const struct mst_catalog *c, int64_t before_wall_ms, int64_t now_ms,
                             struct mst_task *task, struct mst_orphans *out,
                             struct mst_err *err) MST_MUST_CHECK;
/* All of them but what is foreign. What is gone already counts as removed. */
enum mst_rc mst_orphans_remove(const struct mst_catalog *c, const struct mst_orphans *o,
                               struct mst_task *task, uint64_t *removed,
                               struct mst_err *err) MST_MUST_CHECK;
/* The same; what a lock keeps stays and is no error, *swept says until when. */
enum mst_rc mst_orphans_sweep(const struct mst_catalog *c, const struct mst_orphans *o,
                              struct mst_task *task, struct mst_store_swept *swept,
                              struct mst_err *err) MST_MUST_CHECK;

#endif
