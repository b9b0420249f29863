#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/credential.h"
#include "base/mem.h"
#include "base/text.h"

void mst_wipe(void *p, size_t n)
{
    explicit_bzero(p, n);
}

static void wiped_free(void *p, size_t n)
{
    mst_wipe(p, n);
    free(p);
}

static void *(*memory)(size_t n) = mst_xmalloc;
static void (*memory_back)(void *p, size_t n) = wiped_free;

void mst_secret_memory(void *(*fresh)(size_t n), void (*back)(void *p, size_t n))
{
    memory = fresh;
    memory_back = back;
}

void mst_secret_set(struct mst_secret *s, const char *p, size_t n)
{
    char *copy = memory(n + 1);

    memcpy(copy, p, n);
    copy[n] = '\0';
    mst_secret_release(s);
    s->p = copy;
    s->len = n;
}

void mst_secret_release(struct mst_secret *s)
{
    if (s && s->p) {
        memory_back(s->p, s->len + 1);
        s->p = NULL;
        s->len = 0;
    }
}

enum mst_rc mst_secret_from_file(struct mst_secret *s, const char *path, struct mst_err *err)
{
    char buf[MST_SECRET_MAX + 1], why[128], at[MST_CREDENTIAL_PATH];
    struct stat st;
    enum mst_rc rc = mst_credential_path(path, at, err);
    ssize_t n;
    int fd;

    if (rc != MST_OK) {
        return rc;
    }
    fd = open(at, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return mst_err_set_detail(err, MST_E_CONFIG, errno, "cannot read the secret file %s: %s",
                                  path, mst_errno_text(errno, why, sizeof(why)));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rc = mst_err_set(err, MST_E_CONFIG, "the secret file %s is not a regular file", path);
    } else if (st.st_uid != geteuid() && st.st_uid != 0) {
        rc = mst_err_set(err, MST_E_CONFIG,
                         "the secret file %s belongs to another user (uid %u): make it yours", path,
                         (unsigned)st.st_uid);
    } else if (!mst_credential_private(path, &st)) {
        rc = mst_err_set(err, MST_E_CONFIG,
                         "the secret file %s can be read by others (mode %04o): chmod 600 it", path,
                         (unsigned)st.st_mode & 07777U);
    } else if ((n = read(fd, buf, sizeof(buf))) < 0) {
        rc = mst_err_set_detail(err, MST_E_CONFIG, errno, "cannot read the secret file %s: %s",
                                path, mst_errno_text(errno, why, sizeof(why)));
    } else {
        const size_t from = mst_text_bom(buf, (size_t)n);
        size_t len = 0;

        while (from + len < (size_t)n && buf[from + len] != '\n' && buf[from + len] != '\r') {
            len++;
        }
        if (len == 0) {
            rc = mst_err_set(err, MST_E_CONFIG,
                             from + len < (size_t)n
                                 ? "the secret file %s begins with an empty line: the secret is "
                                   "what stands on the first"
                                 : "the secret file %s is empty",
                             path);
        } else if (len > MST_SECRET_MAX) {
            rc = mst_err_set(err, MST_E_CONFIG, "the secret file %s holds more than %d bytes", path,
                             MST_SECRET_MAX);
        } else {
            mst_secret_set(s, buf + from, len);
        }
    }
    mst_wipe(buf, sizeof(buf));
    (void)close(fd);
    return rc;
}
