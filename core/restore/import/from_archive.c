/* from_archive.c: an archive becomes a list of collections and of where their documents are. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "restore/import/archive.h"
#include "restore/import/dump.h"
#include "restore/import/names.h"

static enum mst_rc on_begin(void *arg, const bson_t *header, struct mst_err *err)
{
    struct mst_dump *p = arg;

    (void)err;
    (void)mst_bson_text(header, "server_version", p->s->version, sizeof p->s->version);
    return MST_OK;
}

static enum mst_rc on_ns(void *arg, size_t n, const struct mst_archive_ns *ns, const char *metadata,
                         struct mst_err *err)
{
    struct mst_dump *p = arg;
    struct mst_src_coll *c;

    mst_grow((void **)&p->coll_of, &p->cap_of, n + 1, sizeof *p->coll_of);
    p->n_of = n + 1;
    if (!ns->db[0]) {
        p->coll_of[n] = SIZE_MAX;
        p->s->has_oplog = true;
        return MST_OK;
    }
    p->coll_of[n] = p->s->n;
    c = mst_dump_add(p->s, ns->db, ns->coll);
    if (strcmp(ns->type, "timeseries") == 0) {
        return mst_err_set(err, MST_E_PRECOND,
                           "the archive has a time series, which this version "
                           "does not carry");
    }
    if (strcmp(ns->type, "view") == 0) {
        c->kind = MST_SRC_VIEW;
    }
    return mst_dump_metadata(metadata, strlen(metadata), c, err);
}

static enum mst_rc on_doc(void *arg, size_t n, const uint8_t *doc, uint32_t len, uint64_t offset,
                          struct mst_err *err)
{
    struct mst_dump *p = arg;
    struct mst_src_coll *c = p->coll_of[n] == SIZE_MAX ? NULL : &p->s->colls[p->coll_of[n]];
    struct mst_dump_where *w = c ? c->where : &p->oplog;
    struct mst_dump_run *last = w->n ? &w->runs[w->n - 1] : NULL;

    if (last && last->offset + last->bytes == offset) {
        last->bytes += len;
    } else {
        mst_grow((void **)&w->runs, &w->cap, w->n + 1, sizeof *w->runs);
        w->runs[w->n].offset = offset;
        w->runs[w->n++].bytes = len;
    }
    return c ? mst_dump_count(p, c, doc, len, err) : MST_OK;
}

static enum mst_rc on_end(void *arg, size_t n, struct mst_err *err)
{
    (void)arg;
    (void)n;
    (void)err;
    return MST_OK;
}

/* A gzipped archive becomes a plain one in a file without a name, so that collections can be read
 * one by one. */
static enum mst_rc unpack(struct mst_dump *p, struct mst_err *err)
{
    char path[] = "/tmp/muster-archive-XXXXXX";
    struct mst_gunzip *gz;
    uint8_t *buf = mst_xmalloc(1u << 18);
    const int plain = mkostemp(path, O_CLOEXEC);
    size_t got = 1;
    enum mst_rc rc = MST_OK;

    if (plain < 0) {
        free(buf);
        return mst_dump_io_failed("create", path, err);
    }
    (void)unlink(path);
    gz = mst_gunzip_new(mst_dump_read_fd, &p->fd);
    while (rc == MST_OK && got) {
        rc = mst_gunzip_read(gz, buf, 1u << 18, &got, err);
        if (rc == MST_OK && got) {
            rc = mst_fd_write(plain, buf, got, "the unpacked archive", err);
        }
        if (rc == MST_OK) {
            rc = mst_task_check(p->task, err);
        }
    }
    mst_gunzip_free(gz);
    free(buf);
    (void)close(p->fd);
    p->fd = plain;
    if (rc == MST_OK && lseek(plain, 0, SEEK_SET) != 0) {
        rc = mst_dump_io_failed("rewind", path, err);
    }
    return rc;
}

enum mst_rc mst_dump_open_archive(struct mst_dump *p, const char *path, struct mst_err *err)
{
    const struct mst_archive_sink sink = {p, on_begin, on_ns, on_doc, on_end};
    uint8_t magic[2] = {0, 0};
    enum mst_rc rc;

    p->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (p->fd < 0) {
        return mst_dump_io_failed("open", path, err);
    }
    if (pread(p->fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
        rc = unpack(p, err);
        if (rc != MST_OK) {
            return rc;
        }
    }
    return mst_archive_read(mst_dump_read_fd, &p->fd, &sink, err);
}
