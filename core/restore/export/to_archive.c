/* to_archive.c: one file: what there is, then each namespace's documents with their CRC. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "restore/export/meta.h"
#include "restore/export/writer.h"
#include "restore/import/archive.h"
#include "restore/import/crc64.h"

struct archive {
    struct mst_dump_writer head;
    struct mst_out out;
    struct mst_dump_place at;        /* dir -1: stdout */
    const struct mst_content_ns *ns; /* NULL: the oplog */
    uint64_t crc;
};

static struct archive *of(struct mst_dump_writer *w)
{
    return (struct archive *)(void *)w;
}

static enum mst_rc put_bson(struct archive *a, const bson_t *b, struct mst_err *err)
{
    return mst_out_add(&a->out, bson_get_data(b), b->len, err);
}

static enum mst_rc terminate(struct archive *a, struct mst_err *err)
{
    return mst_out_add(&a->out, "\xff\xff\xff\xff", 4, err);
}

static enum mst_rc prelude_entry(struct archive *a, const char *db, const char *coll,
                                 const struct mst_str *metadata, const char *type,
                                 struct mst_err *err)
{
    bson_t b = BSON_INITIALIZER;
    enum mst_rc rc;

    BSON_APPEND_UTF8(&b, "db", db);
    BSON_APPEND_UTF8(&b, "collection", coll);
    BSON_APPEND_UTF8(&b, "metadata", mst_str_c(metadata));
    BSON_APPEND_INT32(&b, "size", 0);
    BSON_APPEND_UTF8(&b, "type", type);
    rc = b.len > MST_DOC_MAX
             ? mst_err_set(err, MST_E_LIMIT, "the metadata of a collection are too large")
             : put_bson(a, &b, err);
    bson_destroy(&b);
    return rc;
}

static enum mst_rc put_header(struct archive *a, const struct mst_content *c, struct mst_err *err)
{
    bson_t b = BSON_INITIALIZER;
    uint8_t magic[4];
    enum mst_rc rc;

    mst_put_le32(magic, MST_ARCHIVE_MAGIC);
    BSON_APPEND_INT32(&b, "concurrent_collections", 1);
    BSON_APPEND_UTF8(&b, "version", "0.1");
    BSON_APPEND_UTF8(&b, "server_version", c->s->version[0] ? c->s->version : "0.0.0");
    BSON_APPEND_UTF8(&b, "tool_version", a->head.o->tool);
    rc = mst_out_add(&a->out, magic, sizeof magic, err);
    rc = rc == MST_OK ? put_bson(a, &b, err) : rc;
    bson_destroy(&b);
    return rc;
}

static enum mst_rc open_part(struct archive *a, struct mst_err *err)
{
    int fd;

    if (a->at.dir < 0) {
        mst_out_start(&a->out, fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), a->head.o->gzip, false,
                      "the standard output");
        return a->out.fd >= 0 ? MST_OK : mst_out_failed("write to", "the standard output", err);
    }
    fd = openat(a->at.dir, a->at.part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return mst_dump_place_refused(&a->at, err);
    }
    a->at.made = true;
    mst_out_start(&a->out, fd, a->head.o->gzip, true, a->head.o->archive);
    return MST_OK;
}

static enum mst_rc begin(struct mst_dump_writer *w, const struct mst_content *c, bool oplog,
                         struct mst_err *err)
{
    struct archive *a = of(w);
    const struct mst_str none = {0};
    size_t i;
    enum mst_rc rc = open_part(a, err);

    rc = rc == MST_OK ? put_header(a, c, err) : rc;
    for (i = 0; rc == MST_OK && i < c->n; i++) {
        const struct mst_content_ns *ns = &c->ns[i];
        struct mst_str text = {0};

        rc = mst_dump_metadata_put(ns, &text, err);
        if (rc == MST_OK) {
            rc = prelude_entry(a, ns->db, ns->coll, &text, ns->view ? "view" : "collection", err);
        }
        mst_str_release(&text);
    }
    if (rc == MST_OK && oplog) {
        rc = prelude_entry(a, "", "oplog", &none, "", err);
    }
    return rc == MST_OK ? terminate(a, err) : rc;
}

static enum mst_rc put_block(struct archive *a, bool eof, struct mst_err *err)
{
    bson_t b = BSON_INITIALIZER;
    enum mst_rc rc;

    BSON_APPEND_UTF8(&b, "db", a->ns ? a->ns->db : "");
    BSON_APPEND_UTF8(&b, "collection", a->ns ? a->ns->coll : "oplog");
    BSON_APPEND_BOOL(&b, "EOF", eof);
    BSON_APPEND_INT64(&b, "CRC", eof ? (int64_t)a->crc : 0);
    rc = put_bson(a, &b, err);
    bson_destroy(&b);
    return rc;
}

static enum mst_rc start(struct mst_dump_writer *w, const struct mst_content_ns *ns,
                         struct mst_err *err)
{
    of(w)->ns = ns;
    of(w)->crc = 0;
    return put_block(of(w), false, err);
}

static enum mst_rc doc(struct mst_dump_writer *w, const uint8_t *p, uint32_t n, struct mst_err *err)
{
    of(w)->crc = mst_crc64(of(w)->crc, p, n);
    return mst_out_add(&of(w)->out, p, n, err);
}

static enum mst_rc end(struct mst_dump_writer *w, struct mst_err *err)
{
    enum mst_rc rc = terminate(of(w), err);

    rc = rc == MST_OK ? put_block(of(w), true, err) : rc;
    return rc == MST_OK ? terminate(of(w), err) : rc;
}

/* Not over anything: not even what came while we wrote. */
static enum mst_rc give_name(struct archive *a, struct mst_err *err)
{
    if (renameat2(a->at.dir, a->at.part, a->at.dir, a->at.name, RENAME_NOREPLACE) != 0) {
        if ((errno != EINVAL && errno != ENOSYS) ||
            linkat(a->at.dir, a->at.part, a->at.dir, a->at.name, 0) != 0) {
            return mst_out_failed("give its name to", a->head.o->archive, err);
        }
        (void)unlinkat(a->at.dir, a->at.part, 0);
    }
    a->at.made = false;
    return fsync(a->at.dir) == 0 ? MST_OK
                                 : mst_out_failed("sync the folder of", a->head.o->archive, err);
}

static enum mst_rc finish(struct mst_dump_writer *w, struct mst_err *err)
{
    struct archive *a = of(w);
    const enum mst_rc rc = mst_out_finish(&a->out, err);

    w->stored = a->out.stored;
    return rc == MST_OK && a->at.dir >= 0 ? give_name(a, err) : rc;
}

static void drop(struct mst_dump_writer *w)
{
    struct archive *a = of(w);

    mst_out_drop(&a->out);
    if (a->at.made) {
        (void)unlinkat(a->at.dir, a->at.part, 0);
        a->at.made = false;
    }
}

static void release(struct mst_dump_writer *w)
{
    drop(w);
    mst_dump_place_close(&of(w)->at);
    free(w);
}

enum mst_rc mst_dump_writer_archive(const struct mst_export_opts *o, struct mst_dump_writer **out,
                                    struct mst_err *err)
{
    struct archive *a = mst_xcalloc(1, sizeof *a);
    struct stat st;
    enum mst_rc rc = MST_OK;

    a->head = (struct mst_dump_writer){.begin = begin,
                                       .start = start,
                                       .doc = doc,
                                       .end = end,
                                       .finish = finish,
                                       .abort = drop,
                                       .free = release,
                                       .o = o};
    a->at.dir = a->out.fd = -1;
    if (strcmp(o->archive, "-") != 0) {
        rc = mst_dump_place_open(&a->at, o->archive, err);
        if (rc == MST_OK && fstatat(a->at.dir, a->at.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            rc = mst_err_set(err, MST_E_EXISTS,
                             "%s exists: an export writes over nothing; name another file",
                             o->archive);
        }
    }
    if (rc != MST_OK) {
        release(&a->head);
        return rc;
    }
    *out = &a->head;
    return MST_OK;
}
