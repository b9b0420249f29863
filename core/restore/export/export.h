/* export.h: a backup as what the stock mongorestore reads: an archive, or a dump directory.
 *
 * The source is read twice: once to check every stored byte and to see where its oplog leads
 * (content.h), once to write. Memory is bounded whatever the size of the collections: metadata of
 * all namespaces, one document and its frames, and buffers of about 1 MiB. While it is written,
 * every collection is counted and summed again and must be what the manifest says. A document that
 * the scan met twice is written once.
 *
 * The result has another name (".part" behind it) until all of it is written and synced; a failure
 * or a cancel removes it. Nothing that exists is written over. Calls block: worker threads only.
 */
#ifndef MST_RESTORE_EXPORT_EXPORT_H
#define MST_RESTORE_EXPORT_EXPORT_H

#include "restore/restore.h"

struct mst_export_opts {
    const char *archive; /* a file, or "-" for stdout; NULL: dir */
    const char *dir;
    bool gzip, no_oplog;
    size_t n_include; /* as in struct mst_restore_opts */
    const char *const *include;
    size_t n_exclude;
    const char *const *exclude;
    const char *tool;      /* "muster 0.1.0", for who reads the file */
    const char *spill_dir; /* of transactions; NULL: /tmp */
    bool unchecked;        /* the caller has just read every stored byte itself */
};

struct mst_export_result {
    uint64_t collections, views, documents, data_bytes;
    uint64_t doubles;  /* documents that the scan read twice, written once; in documents too */
    uint64_t ops;      /* in the exported oplog */
    uint64_t txn_open; /* transactions without an end: left out, as a restore leaves them out */
    uint64_t stored_bytes;
    bool partial, oplog;
};

/* MST_E_EXISTS: a file, or a directory that is not empty, has the name; MST_E_INTEGRITY: the source
 * is damaged; MST_E_NOTFOUND: no namespace fits the patterns; MST_E_IO names what could not be
 * written. */
enum mst_rc mst_export_run(const struct mst_export_opts *o, struct mst_restore_source *s,
                           struct mst_task *task, struct mst_export_result *res,
                           struct mst_err *err) MST_MUST_CHECK;

#endif
