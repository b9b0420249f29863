/* dump.c: what mongodump wrote, as the source of a restore. */
#include "restore/import/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

#define DOC_MAX (16u * 1024u * 1024u + 16u * 1024u)

enum mst_rc mst_dump_io_failed(const char *what, const char *path, struct mst_err *err)
{
    char buf[128];

    return mst_err_set_detail(err, errno == ENOENT ? MST_E_NOTFOUND : MST_E_IO, errno, "%s %s: %s",
                              what, path, mst_errno_text(errno, buf, sizeof buf));
}

enum mst_rc mst_dump_read_fd(void *arg, void *buf, size_t n, size_t *got, struct mst_err *err)
{
    const int fd = *(const int *)arg;
    ssize_t k;

    do {
        k = read(fd, buf, n);
    } while (k < 0 && errno == EINTR);
    if (k < 0) {
        return mst_dump_io_failed("read", "the dump", err);
    }
    *got = (size_t)k;
    return MST_OK;
}

struct mst_src_coll *mst_dump_add(struct mst_restore_source *s, const char *db, const char *coll)
{
    struct mst_src_coll *c = mst_src_add(s);

    c->where = mst_xcalloc(1, sizeof(struct mst_dump_where));
    c->has_sum = true;
    (void)mst_copy(c->db, sizeof c->db, db);
    (void)mst_copy(c->coll, sizeof c->coll, coll);
    return c;
}

enum mst_rc mst_dump_count(struct mst_dump *p, struct mst_src_coll *c, const uint8_t *doc,
                           uint32_t len, struct mst_err *err)
{
    uint8_t digest[MST_SHA256_LEN];

    if (!mst_bson_walk(doc, len)) {
        return mst_err_set(err, MST_E_INTEGRITY, "a damaged document in the dump");
    }
    mst_sha256_one(&p->sha, doc, len, digest);
    mst_sum256_add(&c->sum, digest);
    c->documents++;
    c->bytes += len;
    return (c->documents & 1023) ? MST_OK : mst_task_check(p->task, err);
}

/* ---- streams ---- */

struct docs {
    struct mst_src_docs head;
    const struct mst_dump_where *w;
    int fd; /* own for a file, borrowed for an archive */
    bool own;
    struct mst_gunzip *gz;
    size_t run;  /* archive: which run ... */
    uint64_t at; /* ... and how far in it */
    struct mst_buf buf;
    size_t used;
    bool ended;
    char label[128];
};

/* Up to n more bytes of the stream. */
static enum mst_rc pull(struct docs *d, uint8_t *to, size_t n, size_t *got, struct mst_err *err)
{
    *got = 0;
    if (d->own) {
        return d->gz ? mst_gunzip_read(d->gz, to, n, got, err)
                     : mst_dump_read_fd(&d->fd, to, n, got, err);
    }
    while (d->run < d->w->n && d->at == d->w->runs[d->run].bytes) {
        d->run++;
        d->at = 0;
    }
    if (d->run < d->w->n) {
        const struct mst_dump_run *r = &d->w->runs[d->run];
        const uint64_t left = r->bytes - d->at;
        const ssize_t k = pread(d->fd, to, left < n ? (size_t)left : n, (off_t)(r->offset + d->at));

        if (k <= 0) {
            return mst_err_set(err, MST_E_IO, "the archive changed while it was read");
        }
        d->at += (uint64_t)k;
        *got = (size_t)k;
    }
    return MST_OK;
}

static enum mst_rc want(struct docs *d, size_t n, bool *have, struct mst_err *err)
{
    if (d->used && d->buf.len - d->used < n) {
        mst_buf_drop(&d->buf, d->used);
        d->used = 0;
    }
    while (d->buf.len - d->used < n && !d->ended) {
        const size_t more = n > 256u * 1024u ? n : 256u * 1024u;
        size_t got = 0;

        if (pull(d, mst_buf_room(&d->buf, more), more, &got, err) != MST_OK) {
            return err->rc;
        }
        d->buf.len += got;
        d->ended = got == 0;
    }
    *have = d->buf.len - d->used >= n;
    return MST_OK;
}

static enum mst_rc docs_next(struct mst_src_docs *head, const uint8_t **doc, uint32_t *n,
                             struct mst_err *err)
{
    struct docs *d = (struct docs *)head;
    bool have = false;
    uint32_t len;

    *doc = NULL;
    *n = 0;
    if (want(d, 4, &have, err) != MST_OK) {
        return err->rc;
    }
    if (!have) {
        return d->buf.len == d->used ? MST_OK
                                     : mst_err_set(err, MST_E_INTEGRITY, "%s: cut short", d->label);
    }
    len = mst_le32(d->buf.p + d->used);
    if (len < 5 || len > DOC_MAX) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s: impossible length of a document", d->label);
    }
    if (want(d, len, &have, err) != MST_OK) {
        return err->rc;
    }
    if (!have || !mst_bson_walk(d->buf.p + d->used, len)) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s: %s", d->label,
                           have ? "a damaged document" : "cut short");
    }
    *doc = d->buf.p + d->used;
    *n = len;
    d->used += len;
    return MST_OK;
}

static void docs_close(struct mst_src_docs *head)
{
    struct docs *d = (struct docs *)head;

    mst_gunzip_free(d->gz);
    if (d->own && d->fd >= 0) {
        (void)close(d->fd);
    }
    mst_buf_release(&d->buf);
    free(d);
}

enum mst_rc mst_dump_stream(struct mst_dump *p, const struct mst_dump_where *w, const char *label,
                            struct mst_src_docs **out, struct mst_err *err)
{
    struct docs *d = mst_xcalloc(1, sizeof *d);

    d->head.next = docs_next;
    d->head.close = docs_close;
    d->w = w;
    d->fd = p->fd;
    mst_text_clean(d->label, sizeof d->label, label, strlen(label));
    if (p->fd < 0) {
        d->own = true;
        d->ended = !w->file;
        d->fd = w->file ? open(w->file, O_RDONLY | O_CLOEXEC) : -1;
        if (w->file && d->fd < 0) {
            free(d);
            return mst_dump_io_failed("open", w->file, err);
        }
        d->gz = w->file && w->gz ? mst_gunzip_new(mst_dump_read_fd, &d->fd) : NULL;
    }
    *out = &d->head;
    return MST_OK;
}

static enum mst_rc open_docs(struct mst_restore_source *s, size_t i, struct mst_src_docs **out,
                             struct mst_err *err)
{
    return mst_dump_stream(s->impl, s->colls[i].where, s->colls[i].coll, out, err);
}

static enum mst_rc open_oplog(struct mst_restore_source *s, struct mst_src_docs **out,
                              struct mst_err *err)
{
    struct mst_dump *p = s->impl;

    return mst_dump_stream(p, &p->oplog, "oplog", out, err);
}

/* Everything was read, checked and counted when the dump was opened. */
static enum mst_rc check(struct mst_restore_source *s, struct mst_task *task, struct mst_err *err)
{
    (void)s;
    return mst_task_check(task, err);
}

static void where_release(struct mst_dump_where *w)
{
    free(w->runs);
    free(w->file);
}

static void release(struct mst_restore_source *s)
{
    struct mst_dump *p = s->impl;
    size_t i;

    for (i = 0; i < s->n; i++) {
        if (s->colls[i].where) {
            where_release(s->colls[i].where);
            free(s->colls[i].where);
        }
    }
    where_release(&p->oplog);
    if (p->fd >= 0) {
        (void)close(p->fd);
    }
    free(p->coll_of);
    mst_sha256_release(&p->sha);
    free(p);
}

enum mst_rc mst_restore_source_dump(const char *path, struct mst_task *task,
                                    struct mst_restore_source **out, struct mst_err *err)
{
    struct mst_restore_source *s = mst_xcalloc(1, sizeof *s);
    struct mst_dump *p = mst_xcalloc(1, sizeof *p);
    char *trimmed = mst_xstrdup(path);
    size_t n = strlen(trimmed);
    const char *base;
    struct stat st;
    enum mst_rc rc;

    while (n > 1 && trimmed[n - 1] == '/') {
        trimmed[--n] = 0;
    }
    s->impl = p;
    s->release = release;
    s->open_docs = open_docs;
    s->open_oplog = open_oplog;
    s->check = check;
    p->fd = -1;
    p->s = s;
    p->task = task;
    mst_sha256_init(&p->sha);
    base = strrchr(trimmed, '/');
    (void)snprintf(s->label, sizeof s->label, "dump %.150s", base ? base + 1 : trimmed);
    mst_text_sanitise(s->label);
    rc = stat(trimmed, &st) == 0 && S_ISDIR(st.st_mode) ? mst_dump_open_dir(p, trimmed, err)
                                                        : mst_dump_open_archive(p, trimmed, err);
    p->task = NULL;
    free(trimmed);
    if (rc != MST_OK) {
        mst_restore_source_free(s);
        return rc;
    }
    *out = s;
    return MST_OK;
}
