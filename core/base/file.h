/* file.h: files that are either wholly old or wholly new, and directories that belong to us. */
#ifndef MST_BASE_FILE_H
#define MST_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Read a whole file of at most max bytes (MST_E_LIMIT past that, MST_E_NOTFOUND when absent). */
enum mst_rc mst_file_read(const char *path, size_t max, struct mst_buf *out,
                          struct mst_err *err) MST_MUST_CHECK;
/* Temporary name in the same directory, write, fsync, rename over path, fsync of the directory. */
enum mst_rc mst_file_replace(const char *path, mode_t mode, const void *data, size_t n,
                             struct mst_err *err) MST_MUST_CHECK;
/* Make path and its missing parents with this mode. */
enum mst_rc mst_dir_make(const char *path, mode_t mode, struct mst_err *err) MST_MUST_CHECK;
/* A directory of our own: made 0700 when absent; refused when it is a link, someone else's, or open
 * to others (MST_E_CONFIG names it). */
enum mst_rc mst_dir_private(const char *path, struct mst_err *err) MST_MUST_CHECK;
/* MST_E_CONFIG when everybody may write to the file or its directory, or a group that is not this
 * user's own one. */
enum mst_rc mst_file_others_write(const char *path, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_dir_sync(const char *path, struct mst_err *err) MST_MUST_CHECK;
/* The directory that a file is in, so that its name lasts. */
enum mst_rc mst_dir_sync_parent(const char *path, struct mst_err *err) MST_MUST_CHECK;
/* Write all n bytes, looping on short writes. */
enum mst_rc mst_fd_write(int fd, const void *p, size_t n, const char *what,
                         struct mst_err *err) MST_MUST_CHECK;

#endif
