/* Listing a directory: one level at a time, in the order of keys. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/local_own.h"

#define LIST_DEPTH 12

struct lister {
    struct mst_store *s;
    bool (*fn)(void *arg, const struct mst_store_item *item);
    void *arg;
    struct mst_task *task;
    bool stop;
    struct mst_store_item item;
};

struct names {
    char **v;
    size_t n, cap;
};

/* Order of keys: a directory's name counts with its '/'. */
static int by_key(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum mst_rc read_names(struct lister *l, int dir, const char *at, struct names *out,
                              struct mst_err *err)
{
    const int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *e;

    if (!d) {
        if (copy >= 0) {
            (void)close(copy);
        }
        return local_fail_read(l->s, "list", *at ? at : ".", err);
    }
    while ((e = readdir(d))) {
        struct stat st;

        if (e->d_name[0] == '.' || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            continue; /* no keys; what vanished meanwhile */
        }
        mst_grow((void **)&out->v, &out->cap, out->n + 1, sizeof(char *));
        out->v[out->n++] = mst_xasprintf("%s%s", e->d_name, S_ISDIR(st.st_mode) ? "/" : "");
    }
    (void)closedir(d);
    if (out->n) {
        qsort(out->v, out->n, sizeof(char *), by_key);
    }
    return MST_OK;
}

static enum mst_rc list_dir(struct lister *l, int dir, const char *at, int depth,
                            struct mst_err *err);

static enum mst_rc list_one(struct lister *l, int dir, const char *at, const char *name, int depth,
                            struct mst_err *err)
{
    char key[MST_KEY_MAX + 300];
    const size_t n = strlen(name);
    struct stat st;

    (void)snprintf(key, sizeof(key), "%s%s%s", at, *at ? "/" : "", name);
    if (name[n - 1] == '/') {
        enum mst_rc rc = MST_OK;
        const char *slash;
        int sub;

        key[strlen(key) - 1] = '\0';
        slash = strrchr(key, '/');
        sub = openat(dir, slash ? slash + 1 : key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub >= 0 && depth < LIST_DEPTH) {
            rc = list_dir(l, sub, key, depth + 1, err);
        } else if (sub < 0 && errno != ENOENT) {
            rc = local_fail_read(l->s, "open", key, err);
        }
        if (sub >= 0) {
            (void)close(sub);
        }
        return rc;
    }
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return MST_OK;
    }
    (void)mst_copy(l->item.key, sizeof(l->item.key), key);
    l->item.bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    l->item.modified_wall_ms =
        (int64_t)st.st_mtim.tv_sec * 1000 + (int64_t)st.st_mtim.tv_nsec / 1000000;
    l->stop = !l->fn(l->arg, &l->item);
    return MST_OK;
}

static enum mst_rc list_dir(struct lister *l, int dir, const char *at, int depth,
                            struct mst_err *err)
{
    struct names names = {0};
    enum mst_rc rc = mst_task_check(l->task, err);

    if (rc == MST_OK) {
        rc = read_names(l, dir, at, &names, err);
    }
    for (size_t i = 0; i < names.n; i++) {
        if (rc == MST_OK && !l->stop) {
            rc = list_one(l, dir, at, names.v[i], depth, err);
        }
        free(names.v[i]);
    }
    free(names.v);
    return rc;
}

enum mst_rc local_list(struct mst_store *s, const char *prefix,
                       bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                       struct mst_task *task, struct mst_err *err)
{
    struct lister l = {.s = s, .fn = fn, .arg = arg, .task = task};
    const char *leaf = "";
    int dir, sub;
    enum mst_rc rc;

    if (!*prefix) {
        return list_dir(&l, local_of(s)->root, "", 0, err);
    }
    dir = local_walk(local_of(s), prefix, false, &leaf);
    sub = dir < 0 ? -1 : openat(dir, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub >= 0) {
        rc = list_dir(&l, sub, prefix, 0, err);
        (void)close(sub);
    } else if (errno == ENOENT) {
        rc = MST_OK; /* nothing there */
    } else {
        rc = local_fail_read(s, "list", prefix, err);
    }
    if (dir >= 0) {
        (void)close(dir);
    }
    return rc;
}
