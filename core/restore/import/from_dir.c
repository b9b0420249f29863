/* from_dir.c: a dump directory becomes a list of collections and their files. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "restore/import/dump.h"
#include "restore/import/names.h"

#define METADATA_MAX (16u << 20)

static enum mst_rc read_small(const char *path, bool gz, struct mst_buf *out, struct mst_err *err)
{
    struct mst_gunzip *z;
    size_t got = 1;
    int fd;
    enum mst_rc rc = MST_OK;

    if (!gz) {
        return mst_file_read(path, METADATA_MAX, out, err);
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return mst_dump_io_failed("open", path, err);
    }
    z = mst_gunzip_new(mst_dump_read_fd, &fd);
    while (rc == MST_OK && got) {
        rc = mst_gunzip_read(z, mst_buf_room(out, 65536), 65536, &got, err);
        out->len += rc == MST_OK ? got : 0;
        if (out->len > METADATA_MAX) {
            rc = mst_err_set(err, MST_E_LIMIT, "%s is larger than %u bytes", path, METADATA_MAX);
        }
    }
    mst_gunzip_free(z);
    (void)close(fd);
    return rc;
}

static struct mst_src_coll *coll_of_file(struct mst_dump *p, size_t from, const char *db,
                                         const char *stem)
{
    size_t i;

    for (i = from; i < p->s->n; i++) {
        const struct mst_dump_where *w = p->s->colls[i].where;

        if (w->file && strcmp(w->file, stem) == 0) {
            return &p->s->colls[i];
        }
    }
    {
        struct mst_src_coll *c = mst_dump_add(p->s, db, "");

        ((struct mst_dump_where *)c->where)->file = mst_xstrdup(stem);
        return c;
    }
}

/* One file of a database's folder. The stem stands in where->file until all were seen. */
static enum mst_rc dir_file(struct mst_dump *p, size_t from, const char *dir, const char *db,
                            const char *name, struct mst_err *err)
{
    char coll[MST_COLL_MAX];
    enum mst_dump_file what;
    bool gz = false;
    struct mst_src_coll *c;
    struct mst_buf text = {0};
    char *stem, *path;
    enum mst_rc rc = MST_OK;

    if (strcmp(name, "prelude.json") == 0 || strcmp(name, "prelude.json.gz") == 0 ||
        !mst_dump_name(name, coll, &what, &gz)) {
        return MST_OK;
    }
    stem = mst_xstrndup(name, strlen(name) - (what == MST_DUMP_BSON ? 5u : 14u) - (gz ? 3u : 0u));
    path = mst_xasprintf("%s/%s", dir, name);
    c = coll_of_file(p, from, db, stem);
    if (!c->coll[0]) {
        (void)mst_copy(c->coll, sizeof c->coll, coll);
    }
    if (what == MST_DUMP_METADATA) {
        rc = read_small(path, gz, &text, err);
        if (rc == MST_OK) {
            rc = mst_dump_metadata((const char *)text.p, text.len, c, err);
        }
    } else {
        ((struct mst_dump_where *)c->where)->gz = gz;
        c->documents = 1; /* has a .bson file */
    }
    if (rc != MST_OK) {
        mst_err_prefix(err, "%s", name);
    }
    mst_buf_release(&text);
    free(stem);
    free(path);
    return rc;
}

static enum mst_rc count_all(struct mst_dump *p, struct mst_src_coll *c, struct mst_err *err)
{
    struct mst_src_docs *d = NULL;
    const uint8_t *doc = NULL;
    uint32_t n = 0;
    enum mst_rc rc = mst_dump_stream(p, c->where, c->coll, &d, err);

    while (rc == MST_OK && (rc = d->next(d, &doc, &n, err)) == MST_OK && doc) {
        rc = mst_dump_count(p, c, doc, n, err);
    }
    if (d) {
        d->close(d);
    }
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in dir, sorted; the caller frees each and the array. */
static enum mst_rc names_in(const char *dir, char ***out, size_t *n, struct mst_err *err)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    size_t cap = 0;

    *out = NULL;
    *n = 0;
    if (!d) {
        return mst_dump_io_failed("open", dir, err);
    }
    while ((e = readdir(d))) {
        if (e->d_name[0] != '.') {
            mst_grow((void **)out, &cap, *n + 1, sizeof **out);
            (*out)[(*n)++] = mst_xstrdup(e->d_name);
        }
    }
    (void)closedir(d);
    if (*n) {
        qsort(*out, *n, sizeof **out, by_name);
    }
    return MST_OK;
}

static void names_free(char **names, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        free(names[i]);
    }
    free(names);
}

static enum mst_rc dir_db(struct mst_dump *p, const char *dir, const char *db, struct mst_err *err)
{
    const size_t from = p->s->n;
    char **names;
    size_t n, i;
    enum mst_rc rc = names_in(dir, &names, &n, err);

    for (i = 0; rc == MST_OK && i < n; i++) {
        rc = dir_file(p, from, dir, db, names[i], err);
    }
    names_free(names, n);
    for (i = from; rc == MST_OK && i < p->s->n; i++) {
        struct mst_src_coll *c = &p->s->colls[i];
        struct mst_dump_where *w = c->where;
        char *path =
            c->documents ? mst_xasprintf("%s/%s.bson%s", dir, w->file, w->gz ? ".gz" : "") : NULL;

        free(w->file);
        w->file = path;
        c->documents = 0;
        rc = c->kind == MST_SRC_COLLECTION ? count_all(p, c, err) : MST_OK;
    }
    return rc;
}

static bool is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* mongodump --gzip compresses oplog.bson too and leaves its name as it is. The magic number can be
 * the length of a document, of which the end would then be zero. */
static bool compressed(const char *path)
{
    uint8_t head[4] = {0}, last = 1;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool gz = false;

    if (fd >= 0) {
        gz = pread(fd, head, 4, 0) == 4 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8 &&
             (pread(fd, &last, 1, (off_t)mst_le32(head) - 1) != 1 || last != 0);
        (void)close(fd);
    }
    return gz;
}

enum mst_rc mst_dump_open_dir(struct mst_dump *p, const char *path, struct mst_err *err)
{
    char **names;
    size_t n, i, dirs = 0;
    enum mst_rc rc = names_in(path, &names, &n, err);

    p->fd = -1;
    for (i = 0; rc == MST_OK && i < n; i++) {
        char *sub = mst_xasprintf("%s/%s", path, names[i]);

        if (is_dir(sub)) {
            dirs++;
            rc = dir_db(p, sub, names[i], err);
        } else if (strcmp(names[i], "oplog.bson") == 0 || strcmp(names[i], "oplog.bson.gz") == 0) {
            p->oplog.file = mst_xstrdup(sub);
            p->oplog.gz = names[i][10] == '.' || compressed(sub);
            p->s->has_oplog = true;
        }
        free(sub);
    }
    names_free(names, n);
    if (rc == MST_OK && !dirs) { /* the folder of one database */
        const char *base = strrchr(path, '/');

        rc = dir_db(p, path, base && base[1] ? base + 1 : path, err);
    }
    if (rc == MST_OK && !p->s->n) {
        rc = mst_err_set(err, MST_E_NOTFOUND, "%s holds no mongodump files", path);
    }
    return rc;
}
