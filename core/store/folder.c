#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/impl.h"

#define LIST_DEPTH 12
#define LIST_MAX 4000000U

struct folder {
    struct mst_store base;
    int root;
    size_t n; /* mappings; 0: keys are what they are */
    struct {
        char as[MST_KEY_MAX], at[MST_KEY_MAX];
    } map[MST_FOLDER_MAPS];
};

static struct folder *of(struct mst_store *s)
{
    return (struct folder *)(void *)s;
}

static enum mst_rc fail(struct mst_store *s, const char *verb, const char *key, struct mst_err *err)
{
    char why[128];

    if (errno == ENOENT) {
        return mst_err_set_detail(err, MST_E_NOTFOUND, ENOENT, "%s is not in %s", key, s->where);
    }
    if (errno == ELOOP || errno == ENOTDIR) {
        return mst_err_set_detail(err, MST_E_IO, errno,
                                  "cannot %s %s in %s: a link or a file stands where a folder "
                                  "should be; it is not followed",
                                  verb, key, s->where);
    }
    return mst_err_set_detail(err, MST_E_IO, errno, "cannot %s %s in %s: %s", verb, key, s->where,
                              mst_errno_text(errno, why, sizeof(why)));
}

static bool map(const struct folder *f, const char *key, char out[MST_KEY_MAX])
{
    if (!f->n) {
        return mst_copy(out, MST_KEY_MAX, key);
    }
    for (size_t i = 0; i < f->n; i++) {
        const size_t n = strlen(f->map[i].as);

        if (strncmp(key, f->map[i].as, n) == 0) {
            return (size_t)snprintf(out, MST_KEY_MAX, "%s%s", f->map[i].at, key + n) < MST_KEY_MAX;
        }
    }
    return false;
}

/* A file or directory below the root, one component at a time. -1 with errno. */
static int open_key(const struct folder *f, const char *key, int flags)
{
    char path[MST_KEY_MAX];
    const char *rest = path;
    int dir = openat(f->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* an offset of its own */

    if (!map(f, key, path)) {
        (void)close(dir);
        errno = ENOENT;
        return -1;
    }
    while (dir >= 0 && *rest) {
        const size_t n = strcspn(rest, "/");
        const bool last = !rest[n] || !rest[n + 1];
        char name[256];
        int next, num;

        (void)snprintf(name, sizeof(name), "%.*s", (int)n, rest);
        next =
            openat(dir, name,
                   (last ? flags : O_DIRECTORY) | O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        num = errno;
        (void)close(dir);
        errno = num;
        dir = next;
        rest += rest[n] ? n + 1 : n;
    }
    return dir;
}

static enum mst_rc open_object(struct mst_store *s, const char *key, int *fd, uint64_t *bytes,
                               struct mst_err *err)
{
    struct stat st;

    *fd = open_key(of(s), key, 0);
    if (*fd < 0) {
        return fail(s, "read", key, err);
    }
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(*fd);
        return mst_err_set(err, MST_E_IO, "%s in %s is not a file", key, s->where);
    }
    *bytes = (uint64_t)st.st_size;
    return MST_OK;
}

static enum mst_rc f_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                          size_t *got, struct mst_err *err)
{
    uint64_t bytes;
    int fd;
    enum mst_rc rc = open_object(s, key, &fd, &bytes, err);

    if (rc != MST_OK) {
        return rc;
    }
    while (*got < n) {
        const ssize_t k = pread(fd, (char *)buf + *got, n - *got, (off_t)(from + *got));

        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k < 0) {
            rc = fail(s, "read", key, err);
        }
        if (k <= 0) {
            break;
        }
        *got += (size_t)k;
    }
    (void)close(fd);
    return rc;
}

static enum mst_rc f_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                          struct mst_err *err)
{
    int fd;

    if (open_object(s, key, &fd, bytes, err) != MST_OK) {
        return err->rc;
    }
    (void)close(fd);
    return MST_OK;
}

struct lister {
    struct mst_store *s;
    struct mst_task *task;
    struct mst_store_item *items;
    size_t n, cap;
};

static enum mst_rc list_dir(struct lister *l, int fd, const char *at, int depth,
                            struct mst_err *err);

static enum mst_rc list_one(struct lister *l, int dir, const char *at, const char *name, int depth,
                            struct mst_err *err)
{
    char key[MST_KEY_MAX];
    struct mst_store_item *item;
    struct stat st;
    int sub;

    if ((size_t)snprintf(key, sizeof(key), "%s%s", at, name) >= sizeof(key) - 1 ||
        !mst_store_key_ok(key)) {
        return MST_OK; /* no name of ours */
    }
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? MST_OK : fail(l->s, "look at", key, err);
    }
    if (S_ISDIR(st.st_mode)) {
        sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0) {
            return fail(l->s, "list", key, err);
        }
        (void)mst_copy(key + strlen(key), 2, "/");
        return list_dir(l, sub, key, depth + 1, err);
    }
    if (!S_ISREG(st.st_mode)) {
        return MST_OK;
    }
    if (l->n >= LIST_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "%s has more than %u files", l->s->where, LIST_MAX);
    }
    mst_grow((void **)&l->items, &l->cap, l->n + 1, sizeof(*l->items));
    item = &l->items[l->n++];
    memset(item, 0, sizeof(*item));
    (void)mst_copy(item->key, sizeof(item->key), key);
    item->bytes = (uint64_t)st.st_size;
    item->modified_wall_ms =
        (int64_t)st.st_mtim.tv_sec * 1000 + (int64_t)st.st_mtim.tv_nsec / 1000000;
    return MST_OK;
}

/* Takes fd. at is the key so far, with its '/'. */
static enum mst_rc list_dir(struct lister *l, int fd, const char *at, int depth,
                            struct mst_err *err)
{
    DIR *d = fdopendir(fd);
    const struct dirent *e;
    enum mst_rc rc = mst_task_check(l->task, err);

    if (!d) {
        rc = fail(l->s, "list", at, err);
        (void)close(fd);
        return rc;
    }
    while (rc == MST_OK && depth <= LIST_DEPTH) {
        errno = 0;
        e = readdir(d);
        if (!e) {
            rc = errno == 0 ? MST_OK : fail(l->s, "list", at, err); /* it broke off */
            break;
        }
        if (e->d_name[0] != '.') {
            rc = list_one(l, dirfd(d), at, e->d_name, depth, err);
        }
    }
    (void)closedir(d);
    return rc;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct mst_store_item *)a)->key, ((const struct mst_store_item *)b)->key);
}

/* What is below at, a key with its '/' or "". */
static enum mst_rc list_below(struct lister *l, const char *at, struct mst_err *err)
{
    const int fd = open_key(of(l->s), at, O_DIRECTORY);

    if (fd < 0) {
        return errno == ENOENT ? MST_OK : fail(l->s, "list", at, err);
    }
    return list_dir(l, fd, at, 0, err);
}

static enum mst_rc f_list(struct mst_store *s, const char *prefix,
                          bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                          struct mst_task *task, struct mst_err *err)
{
    struct folder *f = of(s);
    struct lister l = {.s = s, .task = task};
    size_t m = strlen(prefix);
    char at[MST_KEY_MAX];
    enum mst_rc rc = MST_OK;

    (void)snprintf(at, sizeof(at), "%s%s", prefix, m && prefix[m - 1] != '/' ? "/" : "");
    m = strlen(at);
    if (!f->n) {
        rc = list_below(&l, at, err);
    }
    for (size_t i = 0; rc == MST_OK && i < f->n; i++) {
        const size_t n = strlen(f->map[i].as);

        /* A part of the mapped prefix lists all of it; one below it, that part. */
        if (strncmp(at, f->map[i].as, m < n ? m : n) == 0) {
            rc = list_below(&l, m < n ? f->map[i].as : at, err);
        }
    }
    if (rc == MST_OK && l.n) {
        qsort(l.items, l.n, sizeof(*l.items), by_key);
    }
    for (size_t i = 0; rc == MST_OK && i < l.n && fn(arg, &l.items[i]); i++) {
    }
    free(l.items);
    return rc;
}

static enum mst_rc f_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                           struct mst_err *err)
{
    (void)out;
    return mst_err_set(err, MST_E_PRECOND, "%s is not written in %s: it is opened for reading", key,
                       s->where);
}

static enum mst_rc f_remove(struct mst_store *s, const char *key, struct mst_err *err)
{
    return f_begin(s, key, NULL, err);
}

static void f_close(struct mst_store *s)
{
    (void)close(of(s)->root);
    free(s);
}

enum mst_rc mst_store_folder_open(const char *path, struct mst_store **out, struct mst_err *err)
{
    static const struct mst_store_ops ops = {.close = f_close,
                                             .put_begin = f_begin,
                                             .read = f_read,
                                             .stat = f_stat,
                                             .list = f_list,
                                             .remove = f_remove};
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct folder *f;
    char why[128];

    *out = NULL;
    if (fd < 0) {
        return mst_err_set_detail(err, errno == ENOENT ? MST_E_NOTFOUND : MST_E_IO, errno,
                                  "cannot open the folder %s: %s", path,
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    f = mst_xcalloc(1, sizeof(*f));
    f->base.ops = &ops;
    f->base.local = true;
    f->base.caps = (struct mst_store_caps){.ranges = true};
    (void)mst_copy(f->base.name, sizeof(f->base.name), "folder");
    (void)snprintf(f->base.where, sizeof(f->base.where), "the folder %s", path);
    mst_text_sanitise(f->base.where);
    f->root = fd;
    *out = &f->base;
    return MST_OK;
}

void mst_store_folder_map(struct mst_store *s, const char *as, const char *at)
{
    struct folder *f = of(s);

    MST_ASSERT(f->n < MST_FOLDER_MAPS);
    (void)mst_copy(f->map[f->n].as, MST_KEY_MAX, as);
    (void)mst_copy(f->map[f->n++].at, MST_KEY_MAX, at);
}

void mst_store_folder_unmap(struct mst_store *s)
{
    of(s)->n = 0;
}
