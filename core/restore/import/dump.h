/* dump.h: what the parts of the mongodump source share. Inside import/ only. */
#ifndef MST_RESTORE_IMPORT_DUMP_H
#define MST_RESTORE_IMPORT_DUMP_H

#include "comp/comp.h"
#include "restore/source.h"

/* Documents that stand one after another in the archive. */
struct mst_dump_run {
    uint64_t offset, bytes;
};
/* Where one collection's documents are: runs of the archive, or a file of the directory. */
struct mst_dump_where {
    struct mst_dump_run *runs;
    size_t n, cap;
    char *file; /* NULL: none */
    bool gz;
};
struct mst_dump {
    int fd; /* of the plain archive; -1 for a directory */
    struct mst_dump_where oplog;
    size_t *coll_of; /* archive's number of a namespace to colls, SIZE_MAX the oplog */
    size_t n_of, cap_of;
    struct mst_restore_source *s;
    struct mst_task *task;
    struct mst_sha256 sha;
};

enum mst_rc mst_dump_io_failed(const char *what, const char *path,
                               struct mst_err *err) MST_MUST_CHECK;
/* A reader for mst_gunzip and mst_archive_read; arg points to the descriptor. */
enum mst_rc mst_dump_read_fd(void *arg, void *buf, size_t n, size_t *got,
                             struct mst_err *err) MST_MUST_CHECK;
struct mst_src_coll *mst_dump_add(struct mst_restore_source *s, const char *db, const char *coll);
/* Walk the document, and count and sum it. */
enum mst_rc mst_dump_count(struct mst_dump *p, struct mst_src_coll *c, const uint8_t *doc,
                           uint32_t len, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_dump_stream(struct mst_dump *p, const struct mst_dump_where *w, const char *label,
                            struct mst_src_docs **out, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_dump_open_archive(struct mst_dump *p, const char *path,
                                  struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_dump_open_dir(struct mst_dump *p, const char *path,
                              struct mst_err *err) MST_MUST_CHECK;

#endif
