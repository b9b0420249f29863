/* out.c: bytes on their way to a file. */
#include "restore/export/out.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define PIECE (256U * 1024U)

enum mst_rc mst_out_failed(const char *verb, const char *path, struct mst_err *err)
{
    const int num = errno;
    char why[128];

    if (num == ENOSPC || num == EDQUOT || num == EFBIG) {
        return mst_err_set_detail(err, MST_E_IO, num,
                                  "no room for %s (%s): make some, or export to another place; "
                                  "nothing was left there",
                                  path, mst_errno_text(num, why, sizeof why));
    }
    return mst_err_set_detail(err, num == EEXIST || num == ENOTEMPTY ? MST_E_EXISTS : MST_E_IO, num,
                              "cannot %s %s: %s", verb, path, mst_errno_text(num, why, sizeof why));
}

static enum mst_rc put(void *arg, const void *p, size_t n, struct mst_err *err)
{
    struct mst_out *o = arg;

    if (mst_fd_write(o->fd, p, n, o->what, err) != MST_OK) {
        errno = err->detail;
        return mst_out_failed("write", o->what, err);
    }
    o->stored += n;
    return MST_OK;
}

void mst_out_start(struct mst_out *o, int fd, bool gzip, bool sync, const char *what)
{
    memset(o, 0, sizeof *o);
    o->fd = fd;
    o->sync = sync;
    mst_text_clean(o->what, sizeof o->what, what, strlen(what));
    o->gz = gzip ? mst_gzip_new(put, o) : NULL;
}

static enum mst_rc flush(struct mst_out *o, struct mst_err *err)
{
    const enum mst_rc rc =
        o->gz ? mst_gzip_add(o->gz, o->buf.p, o->buf.len, err) : put(o, o->buf.p, o->buf.len, err);

    mst_buf_reset(&o->buf);
    return rc;
}

enum mst_rc mst_out_add(struct mst_out *o, const void *p, size_t n, struct mst_err *err)
{
    mst_buf_add(&o->buf, p, n);
    return o->buf.len < PIECE ? MST_OK : flush(o, err);
}

enum mst_rc mst_out_finish(struct mst_out *o, struct mst_err *err)
{
    enum mst_rc rc = o->buf.len ? flush(o, err) : MST_OK;

    if (rc == MST_OK && o->gz) {
        rc = mst_gzip_end(o->gz, err);
    }
    if (rc == MST_OK && o->sync && fsync(o->fd) != 0) {
        rc = mst_out_failed("sync", o->what, err);
    }
    if (rc == MST_OK) {
        const int fd = o->fd;

        o->fd = -1;
        if (close(fd) != 0) {
            rc = mst_out_failed("close", o->what, err);
        }
    }
    mst_out_drop(o);
    return rc;
}

void mst_out_drop(struct mst_out *o)
{
    if (o->fd >= 0 && o->what[0]) {
        (void)close(o->fd);
    }
    o->fd = -1;
    mst_gzip_free(o->gz);
    o->gz = NULL;
    mst_buf_release(&o->buf);
}
