/* to_dir.c: a folder for each database, two files for each collection. Every name from the backup
 * becomes one file name (meta.h) below a descriptor of ours, and is made anew: no link is followed
 * and no ".." is possible. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "restore/export/ejson_put.h"
#include "restore/export/meta.h"
#include "restore/export/writer.h"

struct dir {
    struct mst_dump_writer head;
    struct mst_out out;
    struct mst_dump_place at;
    int root; /* of .part; -1 */
    int db;   /* of the present database; -1 */
    char db_name[64];
    bool writing; /* a .bson file is open */
};

static struct dir *of(struct mst_dump_writer *w)
{
    return (struct dir *)(void *)w;
}

/* A new file below at. what is its place for messages. */
static enum mst_rc make_file(struct dir *d, int at, const char *name, bool gzip,
                             struct mst_err *err)
{
    char *what = mst_xasprintf("%s/%s%s%s", d->head.o->dir, at == d->root ? "" : d->db_name,
                               at == d->root ? "" : "/", name);
    const int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum mst_rc rc = MST_OK;

    if (fd < 0 && errno == EEXIST) {
        rc = mst_err_set(err, MST_E_EXISTS,
                         "%s twice: the file system does not tell apart names that differ by case; "
                         "export to another one, or to an archive",
                         what);
    } else if (fd < 0) {
        rc = mst_out_failed("create", what, err);
    } else {
        mst_out_start(&d->out, fd, gzip, true, what);
    }
    free(what);
    return rc;
}

static enum mst_rc small_file(struct dir *d, int at, const char *name, const struct mst_str *text,
                              struct mst_err *err)
{
    enum mst_rc rc = make_file(d, at, name, d->head.o->gzip, err);

    rc = rc == MST_OK ? mst_out_add(&d->out, mst_str_c(text), text->len, err) : rc;
    rc = rc == MST_OK ? mst_out_finish(&d->out, err) : rc;
    d->head.stored += d->out.stored;
    return rc;
}

static enum mst_rc prelude(struct dir *d, const struct mst_content *c, struct mst_err *err)
{
    const char *version = c->s->version[0] ? c->s->version : "0.0.0";
    struct mst_str text = {0};
    enum mst_rc rc;

    mst_str_add(&text, "{\"ServerVersion\":");
    mst_ejson_put_text(version, strlen(version), &text);
    mst_str_add(&text, ",\"ToolVersion\":");
    mst_ejson_put_text(d->head.o->tool, strlen(d->head.o->tool), &text);
    mst_str_addc(&text, '}');
    rc = small_file(d, d->root, d->head.o->gzip ? "prelude.json.gz" : "prelude.json", &text, err);
    mst_str_release(&text);
    return rc;
}

static enum mst_rc begin(struct mst_dump_writer *w, const struct mst_content *c, bool oplog,
                         struct mst_err *err)
{
    struct dir *d = of(w);

    (void)oplog;
    if (mkdirat(d->at.dir, d->at.part, 0700) != 0) {
        return mst_dump_place_refused(&d->at, err);
    }
    d->at.made = true;
    d->root = openat(d->at.dir, d->at.part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (d->root < 0) {
        return mst_out_failed("open", w->o->dir, err);
    }
    return prelude(d, c, err);
}

static enum mst_rc leave_db(struct dir *d, struct mst_err *err)
{
    const int fd = d->db;

    d->db = -1;
    if (fd >= 0 && (fsync(fd) != 0) | (close(fd) != 0)) {
        return mst_out_failed("sync", d->head.o->dir, err);
    }
    return MST_OK;
}

static enum mst_rc enter_db(struct dir *d, const char *db, struct mst_err *err)
{
    if (d->db >= 0 && strcmp(d->db_name, db) == 0) {
        return MST_OK;
    }
    if (leave_db(d, err) != MST_OK || mst_dump_dir_ok(db, err) != MST_OK) {
        return err->rc;
    }
    (void)mst_copy(d->db_name, sizeof d->db_name, db);
    if (mkdirat(d->root, db, 0700) != 0) {
        return errno == EEXIST
                   ? mst_err_set(err, MST_E_EXISTS,
                                 "%s/%s twice: the file system does not tell apart names that "
                                 "differ by case; export to another one, or to an archive",
                                 d->head.o->dir, db)
                   : mst_out_failed("create a folder in", d->head.o->dir, err);
    }
    d->db = openat(d->root, db, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return d->db >= 0 ? MST_OK : mst_out_failed("open a folder in", d->head.o->dir, err);
}

static enum mst_rc start(struct mst_dump_writer *w, const struct mst_content_ns *ns,
                         struct mst_err *err)
{
    struct dir *d = of(w);
    char name[MST_DUMP_FILE_MAX];
    struct mst_str text = {0};
    enum mst_rc rc;

    d->writing = false;
    if (!ns) { /* compressed, its name stays as it is: so do the stock tools */
        d->writing = true;
        return make_file(d, d->root, "oplog.bson", w->o->gzip, err);
    }
    rc = enter_db(d, ns->db, err);
    rc = rc == MST_OK ? mst_dump_metadata_put(ns, &text, err) : rc;
    if (rc == MST_OK) {
        mst_dump_file_name(ns->coll, w->o->gzip ? ".metadata.json.gz" : ".metadata.json", name);
        rc = small_file(d, d->db, name, &text, err);
    }
    mst_str_release(&text);
    if (rc == MST_OK && !ns->view) {
        mst_dump_file_name(ns->coll, w->o->gzip ? ".bson.gz" : ".bson", name);
        rc = make_file(d, d->db, name, w->o->gzip, err);
        d->writing = rc == MST_OK;
    }
    return rc;
}

static enum mst_rc doc(struct mst_dump_writer *w, const uint8_t *p, uint32_t n, struct mst_err *err)
{
    return mst_out_add(&of(w)->out, p, n, err);
}

static enum mst_rc end(struct mst_dump_writer *w, struct mst_err *err)
{
    struct dir *d = of(w);
    enum mst_rc rc = MST_OK;

    if (d->writing) {
        rc = mst_out_finish(&d->out, err);
        w->stored += d->out.stored;
        d->writing = false;
    }
    return rc;
}

static enum mst_rc finish(struct mst_dump_writer *w, struct mst_err *err)
{
    struct dir *d = of(w);

    if (leave_db(d, err) != MST_OK) {
        return err->rc;
    }
    if (fsync(d->root) != 0) {
        return mst_out_failed("sync", w->o->dir, err);
    }
    /* Over an empty directory or over nothing: the system refuses all else. */
    if (renameat(d->at.dir, d->at.part, d->at.dir, d->at.name) != 0) {
        return mst_out_failed("give its name to", w->o->dir, err);
    }
    d->at.made = false;
    return fsync(d->at.dir) == 0 ? MST_OK : mst_out_failed("sync the folder of", w->o->dir, err);
}

/* What we made: folders with files, nothing deeper. Links are removed, not followed. */
static void remove_below(int at, const char *name, int depth)
{
    const int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;

    while (d && (e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        if (unlinkat(dirfd(d), e->d_name, 0) != 0 && depth < 2) {
            remove_below(dirfd(d), e->d_name, depth + 1);
        }
    }
    if (d) {
        (void)closedir(d);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    (void)unlinkat(at, name, AT_REMOVEDIR);
}

static void drop(struct mst_dump_writer *w)
{
    struct dir *d = of(w);

    mst_out_drop(&d->out);
    if (d->db >= 0) {
        (void)close(d->db);
    }
    if (d->root >= 0) {
        (void)close(d->root);
    }
    d->db = d->root = -1;
    if (d->at.made) {
        remove_below(d->at.dir, d->at.part, 0);
        d->at.made = false;
    }
}

static void release(struct mst_dump_writer *w)
{
    drop(w);
    mst_dump_place_close(&of(w)->at);
    free(w);
}

/* Nothing of this name, or an empty directory. */
static enum mst_rc name_is_free(const struct dir *d, struct mst_err *err)
{
    const int fd = openat(d->at.dir, d->at.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *in = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;
    bool empty = true;

    if (fd < 0) {
        return errno == ENOENT ? MST_OK
               : errno == ENOTDIR || errno == ELOOP
                   ? mst_err_set(err, MST_E_EXISTS,
                                 "%s exists and is no folder: an export writes over nothing",
                                 d->head.o->dir)
                   : mst_out_failed("open", d->head.o->dir, err);
    }
    while (in && (e = readdir(in))) {
        empty = empty && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
    }
    if (in) {
        (void)closedir(in);
    } else {
        (void)close(fd);
    }
    return in && empty ? MST_OK
                       : mst_err_set(err, MST_E_EXISTS,
                                     "%s is not empty: an export writes over nothing; name another "
                                     "folder",
                                     d->head.o->dir);
}

enum mst_rc mst_dump_writer_dir(const struct mst_export_opts *o, struct mst_dump_writer **out,
                                struct mst_err *err)
{
    struct dir *d = mst_xcalloc(1, sizeof *d);
    enum mst_rc rc;

    d->head = (struct mst_dump_writer){.begin = begin,
                                       .start = start,
                                       .doc = doc,
                                       .end = end,
                                       .finish = finish,
                                       .abort = drop,
                                       .free = release,
                                       .o = o};
    d->at.dir = d->root = d->db = d->out.fd = -1;
    rc = mst_dump_place_open(&d->at, o->dir, err);
    rc = rc == MST_OK ? name_is_free(d, err) : rc;
    if (rc != MST_OK) {
        release(&d->head);
        return rc;
    }
    *out = &d->head;
    return MST_OK;
}
