#include "conc/wake.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum mst_rc mst_wake_init(struct mst_wake *w, struct mst_err *err)
{
    char why[128];

    w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->fd < 0) {
        return mst_err_set_detail(err, MST_E_IO, errno, "cannot make an eventfd: %s",
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    return MST_OK;
}

void mst_wake_release(struct mst_wake *w)
{
    if (w->fd >= 0) {
        (void)close(w->fd);
    }
    w->fd = -1;
}

void mst_wake_signal(struct mst_wake *w)
{
    const uint64_t one = 1;
    const int saved = errno;

    (void)!write(w->fd, &one, sizeof(one));
    errno = saved;
}

void mst_wake_drain(struct mst_wake *w)
{
    uint64_t n;

    (void)!read(w->fd, &n, sizeof(n));
}
