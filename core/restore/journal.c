/* journal.c: the journal as a file. Each record is {"run": "...", "step": {...}}. */
#include "restore/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

#define JOURNAL_MAX (64u << 20)

struct mst_restore_journal_file {
    char *path;
    int fd;
};

static enum mst_rc io_failed(const struct mst_restore_journal_file *f, const char *what,
                             struct mst_err *err)
{
    char buf[128];

    return mst_err_set_detail(err, MST_E_IO, errno, "journal %s: %s: %s", f->path, what,
                              mst_errno_text(errno, buf, sizeof buf));
}

static enum mst_rc file_add(void *arg, const char *run, const bson_t *step, struct mst_err *err)
{
    struct mst_restore_journal_file *f = arg;
    bson_t *doc = bson_new();
    enum mst_rc rc;

    BSON_APPEND_UTF8(doc, "run", run);
    BSON_APPEND_DOCUMENT(doc, "step", step);
    rc = mst_fd_write(f->fd, bson_get_data(doc), doc->len, f->path, err);
    bson_destroy(doc);
    if (rc == MST_OK && fdatasync(f->fd) != 0) {
        rc = io_failed(f, "sync", err);
    }
    return rc;
}

/* The next whole record at *at, or false at the end or at a torn tail. */
static bool next_record(const struct mst_buf *b, size_t *at, bson_t *doc, bson_t *step,
                        const char **run)
{
    bson_iter_t it;
    const uint8_t *p = NULL;
    uint32_t n, len = 0;

    if (b->len - *at < 5) {
        return false;
    }
    n = mst_le32(b->p + *at);
    if (n < 5 || n > b->len - *at || !bson_init_static(doc, b->p + *at, n)) {
        return false;
    }
    *at += n;
    if (!bson_iter_init_find(&it, doc, "run") || !BSON_ITER_HOLDS_UTF8(&it)) {
        return false;
    }
    *run = bson_iter_utf8(&it, NULL);
    if (!bson_iter_init_find(&it, doc, "step") || !BSON_ITER_HOLDS_DOCUMENT(&it)) {
        return false;
    }
    bson_iter_document(&it, &len, &p);
    return bson_init_static(step, p, len);
}

static enum mst_rc file_each(void *arg, const char *run, mst_journal_step_fn *fn, void *fn_arg,
                             struct mst_err *err)
{
    struct mst_restore_journal_file *f = arg;
    struct mst_buf b = {0};
    size_t at = 0;
    bson_t doc, step;
    const char *whose = NULL;
    enum mst_rc rc = mst_file_read(f->path, JOURNAL_MAX, &b, err);

    while (rc == MST_OK && next_record(&b, &at, &doc, &step, &whose)) {
        if (!run || strcmp(run, whose) == 0) {
            rc = fn(fn_arg, whose, &step, err);
        }
    }
    mst_buf_release(&b);
    return rc;
}

static enum mst_rc file_forget(void *arg, const char *run, struct mst_err *err)
{
    struct mst_restore_journal_file *f = arg;
    struct mst_buf b = {0}, keep = {0};
    size_t at = 0, from = 0;
    bson_t doc, step;
    const char *whose = NULL;
    enum mst_rc rc = mst_file_read(f->path, JOURNAL_MAX, &b, err);

    while (rc == MST_OK && next_record(&b, &at, &doc, &step, &whose)) {
        if (strcmp(run, whose) != 0) {
            mst_buf_add(&keep, b.p + from, at - from);
        }
        from = at;
    }
    if (rc == MST_OK) {
        rc = mst_file_replace(f->path, 0600, keep.p ? keep.p : (const void *)"", keep.len, err);
    }
    if (rc == MST_OK) { /* the descriptor still names the old file */
        const int fd = open(f->path, O_WRONLY | O_APPEND | O_CLOEXEC);

        if (fd < 0) {
            rc = io_failed(f, "open again", err);
        } else {
            (void)close(f->fd);
            f->fd = fd;
        }
    }
    mst_buf_release(&b);
    mst_buf_release(&keep);
    return rc;
}

/* Cut a torn tail off, so that what is added later can be read. */
static enum mst_rc trim(struct mst_restore_journal_file *f, struct mst_err *err)
{
    struct mst_buf b = {0};
    size_t at = 0, good = 0;
    bson_t doc, step;
    const char *whose = NULL;
    enum mst_rc rc = mst_file_read(f->path, JOURNAL_MAX, &b, err);

    while (rc == MST_OK && next_record(&b, &at, &doc, &step, &whose)) {
        good = at;
    }
    if (rc == MST_OK && good < b.len && ftruncate(f->fd, (off_t)good) != 0) {
        rc = io_failed(f, "cut the torn end", err);
    }
    mst_buf_release(&b);
    return rc;
}

enum mst_rc mst_restore_journal_file_open(const char *path, struct mst_restore_journal_file **out,
                                          struct mst_restore_journal *j, struct mst_err *err)
{
    struct mst_restore_journal_file *f = mst_xcalloc(1, sizeof *f);
    enum mst_rc rc;

    f->path = mst_xstrdup(path);
    f->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    rc = f->fd < 0 ? io_failed(f, "open", err) : trim(f, err);
    if (rc != MST_OK) {
        mst_restore_journal_file_close(f);
        return rc;
    }
    *out = f;
    j->arg = f;
    j->add = file_add;
    j->each = file_each;
    j->forget = file_forget;
    return MST_OK;
}

void mst_restore_journal_file_close(struct mst_restore_journal_file *f)
{
    if (!f) {
        return;
    }
    if (f->fd >= 0) {
        (void)close(f->fd);
    }
    free(f->path);
    free(f);
}
