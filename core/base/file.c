#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

static enum mst_rc fail(struct mst_err *err, const char *verb, const char *path)
{
    const int num = errno;
    char why[128];

    return mst_err_set_detail(err, MST_E_IO, num, "cannot %s %s: %s", verb, path,
                              mst_errno_text(num, why, sizeof(why)));
}

enum mst_rc mst_file_read(const char *path, size_t max, struct mst_buf *out, struct mst_err *err)
{
    enum mst_rc rc = MST_OK;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        (void)fail(err, "open", path);
        return err->rc = err->detail == ENOENT ? MST_E_NOTFOUND : MST_E_IO;
    }
    for (;;) {
        const size_t room = 65536;
        const ssize_t n = read(fd, mst_buf_room(out, room), room);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = fail(err, "read", path);
        }
        if (n <= 0) {
            break;
        }
        out->len += (size_t)n;
        if (out->len > max) {
            rc = mst_err_set(err, MST_E_LIMIT, "%s is larger than %zu bytes", path, max);
            break;
        }
    }
    (void)close(fd);
    return rc;
}

enum mst_rc mst_fd_write(int fd, const void *p, size_t n, const char *what, struct mst_err *err)
{
    const char *at = p;

    while (n > 0) {
        const ssize_t k = write(fd, at, n);

        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k < 0) {
            return fail(err, "write", what);
        }
        at += k;
        n -= (size_t)k;
    }
    return MST_OK;
}

enum mst_rc mst_dir_sync(const char *path, struct mst_err *err)
{
    enum mst_rc rc = MST_OK;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return fail(err, "open the directory", path);
    }
    if (fsync(fd) != 0) {
        rc = fail(err, "sync the directory", path);
    }
    (void)close(fd);
    return rc;
}

enum mst_rc mst_dir_sync_parent(const char *path, struct mst_err *err)
{
    char *dir = mst_xstrdup(path);
    char *slash = strrchr(dir, '/');
    enum mst_rc rc;

    if (slash && slash != dir) {
        *slash = '\0';
    }
    rc = mst_dir_sync(slash ? (slash == dir ? "/" : dir) : ".", err);
    free(dir);
    return rc;
}

enum mst_rc mst_file_replace(const char *path, mode_t mode, const void *data, size_t n,
                             struct mst_err *err)
{
    static _Atomic unsigned serial;
    char *tmp = mst_xasprintf("%s.tmp.%ld.%u", path, (long)getpid(), serial++);
    enum mst_rc rc;
    const int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0) {
        rc = fail(err, "create", tmp);
        goto out;
    }
    rc = mst_fd_write(fd, data, n, tmp, err);
    if (rc == MST_OK && fsync(fd) != 0) {
        rc = fail(err, "sync", tmp); /* never retried: the pages may be gone */
    }
    if (close(fd) != 0 && rc == MST_OK) {
        rc = fail(err, "close", tmp);
    }
    if (rc == MST_OK && rename(tmp, path) != 0) {
        rc = fail(err, "rename into place", path);
    }
    if (rc == MST_OK) {
        rc = mst_dir_sync_parent(path, err);
    } else {
        (void)unlink(tmp);
    }
out:
    free(tmp);
    return rc;
}

enum mst_rc mst_dir_make(const char *path, mode_t mode, struct mst_err *err)
{
    char *p = mst_xstrdup(path);
    enum mst_rc rc = MST_OK;

    for (char *s = p + 1; rc == MST_OK; s++) {
        const char c = *s;

        if (c == '/' || c == '\0') {
            *s = '\0';
            if (mkdir(p, mode) != 0 && errno != EEXIST) {
                rc = fail(err, "make the directory", p);
            }
            *s = c;
        }
        if (c == '\0') {
            break;
        }
    }
    free(p);
    return rc;
}

/* Anybody, or a group that is not this user's own; in a folder with the sticky bit nobody removes
 * what is another's, and where it is mounted read-only (as containers get their configuration) the
 * bits say nothing. */
static bool others_write(const char *path, const struct stat *st)
{
    struct statvfs fs;

    if (statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY)) {
        return false;
    }
    return (!S_ISDIR(st->st_mode) || !(st->st_mode & S_ISVTX)) &&
           ((st->st_mode & S_IWOTH) || ((st->st_mode & S_IWGRP) && st->st_gid != getegid()));
}

enum mst_rc mst_file_others_write(const char *path, struct mst_err *err)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    struct stat st;

    if (stat(path, &st) != 0) {
        return fail(err, "look at", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return MST_OK;
    }
    if (others_write(path, &st)) {
        return mst_err_set(err, MST_E_CONFIG,
                           "%s can be written by others (mode %04o): chmod go-w it", path,
                           (unsigned)st.st_mode & 07777U);
    }
    (void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + (slash == path) : 1,
                   slash ? path : ".");
    if (stat(dir, &st) != 0) {
        return fail(err, "look at", dir);
    }
    return others_write(dir, &st)
               ? mst_err_set(
                     err, MST_E_CONFIG,
                     "%s is in a directory that others can write (mode %04o): chmod go-w %s", path,
                     (unsigned)st.st_mode & 07777U, dir)
               : MST_OK;
}

enum mst_rc mst_dir_private(const char *path, struct mst_err *err)
{
    struct stat st;

    if (mst_dir_make(path, 0700, err) != MST_OK) {
        return err->rc;
    }
    if (lstat(path, &st) != 0) {
        return fail(err, "look at", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return mst_err_set(err, MST_E_CONFIG, "%s is not a directory: remove it", path);
    }
    if (st.st_uid != geteuid()) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the directory %s belongs to another user (uid %u): not used", path,
                           (unsigned)st.st_uid);
    }
    if (st.st_mode & 022) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the directory %s can be written by others (mode %04o): chmod 700 it",
                           path, (unsigned)st.st_mode & 07777U);
    }
    return MST_OK;
}
