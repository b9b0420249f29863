/* A directory as a store. An object being written has its final name with ".tmp-<pid>-<n>" behind
 * it: what a killed writer leaves is listed like any object, and can be removed like one. Every
 * path is walked from the root's descriptor, one component at a time, and no component may be a
 * link: nobody who can write below can lead a read or a write elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/local_own.h"
#include "store/netfs.h"

struct local_put {
    struct mst_store_put base;
    int dir, fd;
    char tmp[256];
    char key[MST_KEY_MAX];
};

static enum mst_rc fail(struct mst_store *s, const char *verb, const char *key, struct mst_err *err)
{
    const int num = errno;
    char why[128], room[MST_HUMAN_MAX];
    uint64_t left = 0, total = 0;
    struct mst_err ignored = {0};

    if (num == ENOSPC || num == EDQUOT) {
        if (mst_store_space(s, &left, &total, &ignored) != MST_OK) {
            left = 0;
        }
        return mst_err_set_detail(err, MST_E_IO, num,
                                  "the store %s (%s) is full: %s left; make room there or use "
                                  "another store",
                                  s->name, s->where, mst_text_bytes(left, room));
    }
    if (num == EROFS || num == EACCES || num == EPERM) {
        return mst_err_set_detail(err, MST_E_IO, num,
                                  "the store %s (%s) cannot be written: cannot %s %s: %s", s->name,
                                  s->where, verb, key, mst_errno_text(num, why, sizeof(why)));
    }
    if (num == ELOOP || num == ENOTDIR) {
        return mst_err_set_detail(err, MST_E_IO, num,
                                  "cannot %s %s in %s: a link or a file stands where a directory "
                                  "should be; it is not followed",
                                  verb, key, s->where);
    }
    return mst_err_set_detail(err, MST_E_IO, num, "cannot %s %s in %s: %s", verb, key, s->where,
                              mst_errno_text(num, why, sizeof(why)));
}

enum mst_rc local_fail_read(struct mst_store *s, const char *verb, const char *key,
                            struct mst_err *err)
{
    char why[128];

    if (errno == ENOENT) {
        return mst_err_set_detail(err, MST_E_NOTFOUND, ENOENT, "%s is not in the store %s (%s)",
                                  key, s->name, s->where);
    }
    if (errno == EACCES || errno == EPERM) {
        return mst_err_set_detail(err, MST_E_IO, errno, "cannot %s %s in %s: %s", verb, key,
                                  s->where, mst_errno_text(errno, why, sizeof(why)));
    }
    return fail(s, verb, key, err);
}

int local_walk(const struct local *l, const char *key, bool make, const char **leaf)
{
    int dir = fcntl(l->root, F_DUPFD_CLOEXEC, 3);

    for (const char *slash; dir >= 0 && (slash = strchr(key, '/')); key = slash + 1) {
        char name[256];
        int next;

        (void)snprintf(name, sizeof(name), "%.*s", (int)(slash - key), key);
        next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 && errno == ENOENT && make) {
            if ((mkdirat(dir, name, 0700) != 0 && errno != EEXIST) || fsync(dir) != 0) {
                const int num = errno;

                (void)close(dir);
                errno = num;
                return -1;
            }
            next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        {
            const int num = errno;

            (void)close(dir);
            errno = num;
        }
        dir = next;
    }
    *leaf = key;
    return dir;
}

/* Asked when something is written, and not when it is opened: what a disk that is mounted read-only
 * after an error holds can still be read. */
static enum mst_rc may_write(struct mst_store *s, struct mst_err *err)
{
    char why[128];

    if (!local_of(s)->write) {
        return mst_err_set(err, MST_E_PRECOND, "the store %s is opened for reading only", s->name);
    }
    if (faccessat(local_of(s)->root, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        return mst_err_set_detail(err, MST_E_CONFIG, errno,
                                  "the store %s: the %s cannot be written: %s", s->name, s->where,
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    return MST_OK;
}

static enum mst_rc l_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                           struct mst_err *err)
{
    static _Atomic unsigned serial;
    struct local_put *p;
    const char *leaf;
    struct stat st;
    int dir;

    if (may_write(s, err) != MST_OK) {
        return err->rc;
    }
    dir = local_walk(local_of(s), key, true, &leaf);
    if (dir < 0) {
        return fail(s, "make the directory of", key, err);
    }
    if (fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        (void)close(dir);
        return mst_err_set(err, MST_E_EXISTS, "%s exists already in the store %s", key, s->name);
    }
    p = mst_xcalloc(1, sizeof(*p));
    p->base.store = s;
    p->dir = dir;
    (void)mst_copy(p->key, sizeof(p->key), key);
    (void)snprintf(p->tmp, sizeof(p->tmp), "%.200s.tmp-%ld-%u", leaf, (long)getpid(), serial++);
    p->fd = openat(dir, p->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (p->fd < 0) {
        (void)fail(s, "create", key, err);
        (void)close(dir);
        free(p);
        return err->rc;
    }
    *out = &p->base;
    return MST_OK;
}

static enum mst_rc l_add(struct mst_store_put *put, const void *data, size_t n, struct mst_err *err)
{
    struct local_put *p = (struct local_put *)(void *)put;
    const char *at = data;

    while (n > 0) {
        const ssize_t k = write(p->fd, at, n > 1U << 30 ? 1U << 30 : n);

        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k < 0) {
            return fail(put->store, "write", p->key, err);
        }
        at += k;
        n -= (size_t)k;
    }
    return MST_OK;
}

static void put_end(struct local_put *p, bool gone)
{
    if (p->fd >= 0) {
        (void)close(p->fd);
    }
    if (!gone) {
        (void)unlinkat(p->dir, p->tmp, 0);
    }
    (void)close(p->dir);
    free(p);
}

static void l_abort(struct mst_store_put *put)
{
    put_end((struct local_put *)(void *)put, false);
}

/* Give the file its name; EEXIST when there is one of that name. */
static int publish(const struct local_put *p, const char *leaf, bool *gone)
{
    if (renameat2(p->dir, p->tmp, p->dir, leaf, RENAME_NOREPLACE) == 0) {
        *gone = true;
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
    /* A file system that cannot rename without replacing: a hard link cannot replace either. */
    if (linkat(p->dir, p->tmp, p->dir, leaf, 0) != 0) {
        return -1;
    }
    *gone = unlinkat(p->dir, p->tmp, 0) == 0;
    return 0;
}

static enum mst_rc l_finish(struct mst_store_put *put, struct mst_err *err)
{
    struct local_put *p = (struct local_put *)(void *)put;
    const char *slash = strrchr(p->key, '/');
    bool gone = false;
    enum mst_rc rc = MST_OK;
    int fd = p->fd;

    if (fsync(fd) != 0) { /* never retried: the pages may be gone */
        rc = fail(put->store, "sync", p->key, err);
        goto out;
    }
    p->fd = -1;
    if (close(fd) != 0) {
        rc = fail(put->store, "close", p->key, err);
        goto out;
    }
    if (publish(p, slash ? slash + 1 : p->key, &gone) != 0) {
        if (errno == EEXIST) {
            rc = mst_err_set(err, MST_E_EXISTS, "%s exists already in the store %s", p->key,
                             put->store->name);
        } else {
            rc = fail(put->store, "name", p->key, err);
        }
        goto out;
    }
    if (fsync(p->dir) != 0) {
        (void)fail(put->store, "sync the directory of", p->key, err);
        rc = err->rc = MST_E_UNKNOWN; /* it stands there now, but may not after a power cut */
    }
out:
    put_end(p, gone);
    return rc;
}

static int open_object(struct mst_store *s, const char *key)
{
    const char *leaf;
    const int dir = local_walk(local_of(s), key, false, &leaf);
    int fd, num;

    if (dir < 0) {
        return -1;
    }
    fd = openat(dir, leaf, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    num = errno;
    (void)close(dir);
    errno = num;
    return fd;
}

static enum mst_rc regular(struct mst_store *s, int fd, const char *key, struct stat *st,
                           struct mst_err *err)
{
    if (fstat(fd, st) != 0) {
        return local_fail_read(s, "look at", key, err);
    }
    if (!S_ISREG(st->st_mode)) {
        return mst_err_set(err, MST_E_IO, "%s in %s is not a file", key, s->where);
    }
    return MST_OK;
}

static enum mst_rc l_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                          size_t *got, struct mst_err *err)
{
    enum mst_rc rc;
    struct stat st;
    char *at = buf;
    const int fd = open_object(s, key);

    if (fd < 0) {
        return local_fail_read(s, "open", key, err);
    }
    rc = regular(s, fd, key, &st, err);
    while (rc == MST_OK && *got < n) {
        const ssize_t k = pread(fd, at + *got, n - *got, (off_t)(from + *got));

        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k < 0) {
            rc = local_fail_read(s, "read", key, err);
        }
        if (k <= 0) {
            break;
        }
        *got += (size_t)k;
    }
    (void)close(fd);
    return rc;
}

static enum mst_rc l_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                          struct mst_err *err)
{
    struct stat st = {0};
    enum mst_rc rc;
    const int fd = open_object(s, key);

    if (fd < 0) {
        return local_fail_read(s, "open", key, err);
    }
    rc = regular(s, fd, key, &st, err);
    *bytes = (uint64_t)st.st_size;
    (void)close(fd);
    return rc;
}

/* --- the rest --------------------------------------------------------------------------------- */

static enum mst_rc l_remove(struct mst_store *s, const char *key, struct mst_err *err)
{
    const char *leaf;
    char path[MST_KEY_MAX];
    enum mst_rc rc = MST_OK;
    int dir;

    if (may_write(s, err) != MST_OK) {
        return err->rc;
    }
    dir = local_walk(local_of(s), key, false, &leaf);
    if (dir < 0) {
        return local_fail_read(s, "remove", key, err);
    }
    if (unlinkat(dir, leaf, 0) != 0) {
        rc = local_fail_read(s, "remove", key, err);
    } else if (fsync(dir) != 0) {
        rc = fail(s, "sync the directory of", key, err);
    }
    (void)close(dir);
    (void)mst_copy(path, sizeof(path), key);
    for (char *slash; rc == MST_OK && (slash = strrchr(path, '/'));) {
        *slash = '\0'; /* directories that are empty now go, the others stay */
        dir = local_walk(local_of(s), path, false, &leaf);
        if (dir < 0) {
            break;
        }
        if (unlinkat(dir, leaf, AT_REMOVEDIR) != 0) {
            *path = '\0';
        }
        (void)close(dir);
    }
    return rc;
}

static enum mst_rc l_space(struct mst_store *s, uint64_t *free_bytes, uint64_t *total_bytes,
                           struct mst_err *err)
{
    struct statvfs v;
    char why[128];

    if (fstatvfs(local_of(s)->root, &v) != 0) {
        return mst_err_set_detail(err, MST_E_IO, errno, "cannot ask %s for its room: %s", s->where,
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    *free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    *total_bytes = (uint64_t)v.f_blocks * v.f_frsize;
    return MST_OK;
}

static void l_close(struct mst_store *s)
{
    (void)close(local_of(s)->root);
    free(s);
}

static enum mst_rc check_root(int fd, const char *name, const char *path, struct mst_err *err)
{
    struct stat st;
    char why[128];

    if (fstat(fd, &st) != 0) {
        return mst_err_set_detail(err, MST_E_IO, errno, "cannot look at %s: %s", path,
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    if (st.st_mode & S_IWOTH) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the store %s: everybody may write to %s (mode %04o), so anybody could "
                           "replace backups: chmod o-w it",
                           name, path, (unsigned)st.st_mode & 07777U);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0 && (st.st_mode & S_IWUSR) && geteuid() != 0) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the store %s: %s belongs to another user (uid %u): chown it", name,
                           path, (unsigned)st.st_uid);
    }
    return MST_OK;
}

enum mst_rc mst_store_local_open(const char *name, const char *path, bool write,
                                 struct mst_store **out, struct mst_err *err)
{
    static const struct mst_store_ops ops = {.close = l_close,
                                             .put_begin = l_begin,
                                             .put_add = l_add,
                                             .put_finish = l_finish,
                                             .put_abort = l_abort,
                                             .read = l_read,
                                             .stat = l_stat,
                                             .list = local_list,
                                             .remove = l_remove,
                                             .space = l_space};
    struct local *l;
    char why[128];
    struct statfs fs;
    int fd;

    *out = NULL;
    if (path[0] != '/') {
        return mst_err_set(err, MST_E_CONFIG, "the store %s: '%s' must be an absolute path", name,
                           path);
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return mst_err_set_detail(err, MST_E_CONFIG, errno,
                                  errno == ENOENT ? "the store %s: the directory %s does not exist "
                                                    "(%s): make it, or mount it"
                                                  : "the store %s: cannot open the directory %s: "
                                                    "%s",
                                  name, path, mst_errno_text(errno, why, sizeof(why)));
    }
    if (check_root(fd, name, path, err) != MST_OK) {
        (void)close(fd);
        return err->rc;
    }
    l = mst_xcalloc(1, sizeof(*l));
    l->base.ops = &ops;
    l->base.local = true;
    l->base.caps = (struct mst_store_caps){.create_only = true, .ranges = true, .space = true};
    if (fstatfs(fd, &fs) == 0) {
        (void)mst_copy(l->base.caps.text, sizeof(l->base.caps.text),
                       mst_store_netfs((uint32_t)fs.f_type));
    }
    (void)mst_copy(l->base.name, sizeof(l->base.name), name);
    (void)snprintf(l->base.where, sizeof(l->base.where), "directory %s", path);
    mst_text_sanitise(l->base.where);
    l->root = fd;
    l->write = write;
    *out = &l->base;
    return MST_OK;
}
