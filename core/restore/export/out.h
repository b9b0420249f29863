/* out.h: one file of an export, buffered, compressed if asked for, on the disk when it is finished.
 * Inside the module only. */
#ifndef MST_RESTORE_EXPORT_OUT_H
#define MST_RESTORE_EXPORT_OUT_H

#include "base/buf.h"
#include "base/err.h"
#include "comp/comp.h"

struct mst_out {
    int fd; /* -1: none */
    bool sync;
    struct mst_gzip *gz;
    struct mst_buf buf;
    uint64_t stored; /* bytes written to fd */
    char what[256];  /* for messages, sanitised */
};

/* Takes fd. sync false for what cannot be synced: a pipe. */
void mst_out_start(struct mst_out *o, int fd, bool gzip, bool sync, const char *what);
enum mst_rc mst_out_add(struct mst_out *o, const void *p, size_t n,
                        struct mst_err *err) MST_MUST_CHECK;
/* All of it written, synced and closed. */
enum mst_rc mst_out_finish(struct mst_out *o, struct mst_err *err) MST_MUST_CHECK;
/* Close without caring; twice allowed, also after finish. */
void mst_out_drop(struct mst_out *o);
/* One sentence about a failed system call on path, with errno's meaning. */
enum mst_rc mst_out_failed(const char *verb, const char *path, struct mst_err *err) MST_MUST_CHECK;

#endif
