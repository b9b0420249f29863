/* archive.h: the format of mongodump --archive, read as a stream. It takes any bytes.
 *
 * Magic, header, one prelude document for each namespace, terminator; then blocks: a header that
 * names a namespace, documents, terminator; with EOF true and the CRC of all its documents at its
 * end. Blocks of several namespaces may alternate.
 */
#ifndef MST_RESTORE_IMPORT_ARCHIVE_H
#define MST_RESTORE_IMPORT_ARCHIVE_H

#include <bson/bson.h>

#include "base/err.h"

#define MST_ARCHIVE_MAGIC 0x8199e26dU
#define MST_ARCHIVE_NS_MAX 1000000U

/* Up to n bytes, *got 0 at the end only. */
typedef enum mst_rc mst_archive_read_fn(void *arg, void *buf, size_t n, size_t *got,
                                        struct mst_err *err);

struct mst_archive_ns {
    char db[64];
    char coll[256];
    char type[16];
};

/* Namespaces are numbered in the order of the prelude; the oplog (db "") may come later. */
struct mst_archive_sink {
    void *arg;
    enum mst_rc (*begin)(void *arg, const bson_t *header, struct mst_err *err);
    enum mst_rc (*ns)(void *arg, size_t n, const struct mst_archive_ns *ns, const char *metadata,
                      struct mst_err *err);
    /* offset is the document's place in the (uncompressed) archive. */
    enum mst_rc (*doc)(void *arg, size_t n, const uint8_t *doc, uint32_t len, uint64_t offset,
                       struct mst_err *err);
    /* Its CRC was compared. */
    enum mst_rc (*end)(void *arg, size_t n, struct mst_err *err);
};

/* MST_E_INTEGRITY for anything that is not a whole archive. */
enum mst_rc mst_archive_read(mst_archive_read_fn *read, void *read_arg,
                             const struct mst_archive_sink *sink,
                             struct mst_err *err) MST_MUST_CHECK;

#endif
