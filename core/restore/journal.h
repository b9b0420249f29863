/* journal.h: where a restore writes down what it is about to do. The engine gives one over SQLite;
 * the one here is a file, for tests and for a restore without a state database.
 *
 * A step is a small BSON document with "k", its kind: "swap" (the whole list, before the first
 * rename), "item" (n, done), "swapped" (the end), "held" (a TTL index without its expiry),
 * "released". Steps of a run are kept in the order in which they were added.
 */
#ifndef MST_RESTORE_JOURNAL_H
#define MST_RESTORE_JOURNAL_H

#include <bson/bson.h>

#include "base/err.h"

typedef enum mst_rc mst_journal_step_fn(void *arg, const char *run, const bson_t *step,
                                        struct mst_err *err);

struct mst_restore_journal {
    void *arg;
    /* Durable when it returns MST_OK. */
    enum mst_rc (*add)(void *arg, const char *run, const bson_t *step, struct mst_err *err);
    /* Every step, of one run or (NULL) of all; fn's failure ends it. */
    enum mst_rc (*each)(void *arg, const char *run, mst_journal_step_fn *fn, void *fn_arg,
                        struct mst_err *err);
    /* Remove a run's steps. */
    enum mst_rc (*forget)(void *arg, const char *run, struct mst_err *err);
};

/* Steps in an append-only file of BSON documents, synced after each; a torn tail is dropped. */
struct mst_restore_journal_file;
enum mst_rc mst_restore_journal_file_open(const char *path, struct mst_restore_journal_file **f,
                                          struct mst_restore_journal *j,
                                          struct mst_err *err) MST_MUST_CHECK;
void mst_restore_journal_file_close(struct mst_restore_journal_file *f);

#endif
