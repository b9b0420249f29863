#include "ipc/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "cfg/cfg.h"
#include "hash/hash.h"

enum mst_rc ipc_frame_take(const struct mst_buf *b, bson_t *doc, size_t *used, bool *whole,
                           struct mst_err *err)
{
    uint32_t n;

    *whole = false;
    if (b->len < 4) {
        return MST_OK;
    }
    n = mst_le32(b->p);
    if (n < 5) {
        return mst_err_set(err, MST_E_INTEGRITY, "a frame of %u bytes", n);
    }
    if (n > MST_IPC_FRAME_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "a frame of %u bytes is larger than allowed", n);
    }
    if (b->len - 4 < n) {
        return MST_OK;
    }
    if (!bson_init_static(doc, b->p + 4, n) || !bson_validate(doc, BSON_VALIDATE_NONE, NULL)) {
        return mst_err_set(err, MST_E_INTEGRITY, "a frame that is no document");
    }
    *used = (size_t)n + 4;
    *whole = true;
    return MST_OK;
}

void ipc_frame_put(struct mst_buf *b, const bson_t *doc)
{
    uint8_t head[4];

    mst_put_le32(head, doc->len);
    mst_buf_add(b, head, sizeof(head));
    mst_buf_add(b, bson_get_data(doc), doc->len);
}

enum mst_rc ipc_send(int fd, const bson_t *doc, struct mst_err *err)
{
    struct mst_buf b = {0};
    enum mst_rc rc = MST_OK;
    char why[128];
    size_t sent = 0;

    ipc_frame_put(&b, doc);
    while (rc == MST_OK && sent < b.len) {
        const ssize_t n = send(fd, b.p + sent, b.len - sent, MSG_NOSIGNAL);

        if (n > 0) {
            sent += (size_t)n;
        } else if (errno != EINTR) {
            rc = mst_err_set_detail(err, MST_E_NET, errno, "the agent does not listen any more: %s",
                                    mst_errno_text(errno, why, sizeof(why)));
        }
    }
    mst_buf_release(&b);
    return rc;
}

enum mst_rc ipc_recv(int fd, struct mst_buf *b, int64_t ms, bson_t *doc, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + ms;
    bson_t view;
    size_t used;
    bool whole;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const int64_t left = end - mst_clock_mono_ms(NULL);
        ssize_t n;

        if (ipc_frame_take(b, &view, &used, &whole, err) != MST_OK) {
            return err->rc;
        }
        if (whole) {
            bson_copy_to(&view, doc);
            mst_buf_drop(b, used);
            return MST_OK;
        }
        if (left <= 0) {
            return mst_err_set(err, MST_E_TIMEOUT, "the agent did not answer within %lld ms",
                               (long long)ms);
        }
        if (poll(&p, 1, (int)(left > 1000 ? 1000 : left)) <= 0) {
            continue;
        }
        n = recv(fd, mst_buf_room(b, 65536), 65536, 0);
        if (n > 0) {
            b->len += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            return mst_err_set(err, MST_E_NET, "the agent closed the connection");
        }
    }
}

enum mst_rc ipc_connect(const char *path, int *fd, struct mst_err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char why[128];

    *fd = -1;
    if (!mst_copy(a.sun_path, sizeof(a.sun_path), path)) {
        return mst_err_set(err, MST_E_CONFIG, "the socket path %s is too long", path);
    }
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && connect(*fd, (const struct sockaddr *)(const void *)&a, sizeof(a)) == 0) {
        if (ipc_peer_ok(*fd)) {
            return MST_OK;
        }
        (void)mst_err_set(err, MST_E_CONFIG, "the agent at %s belongs to another user", path);
    } else if (errno == ENOENT || errno == ECONNREFUSED) {
        (void)mst_err_set(err, MST_E_NOTFOUND, "no agent listens at %s", path);
    } else {
        (void)mst_err_set_detail(err, MST_E_NET, errno, "cannot connect to the agent at %s: %s",
                                 path, mst_errno_text(errno, why, sizeof(why)));
    }
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
    return err->rc;
}

bool ipc_peer_ok(int fd)
{
    struct ucred who;
    socklen_t n = sizeof(who);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
           (who.uid == geteuid() || who.uid == 0);
}

int64_t ipc_int(const bson_t *doc, const char *name, int64_t otherwise)
{
    bson_iter_t it;

    return bson_iter_init_find(&it, doc, name) ? bson_iter_as_int64(&it) : otherwise;
}

bool ipc_text(const bson_t *doc, const char *name, char *out, size_t size)
{
    bson_iter_t it;
    uint32_t n;
    const char *s;

    out[0] = '\0';
    if (!bson_iter_init_find(&it, doc, name) || !BSON_ITER_HOLDS_UTF8(&it)) {
        return false;
    }
    s = bson_iter_utf8(&it, &n);
    mst_text_clean(out, size, s, n);
    return true;
}

bool ipc_doc(const bson_t *doc, const char *name, bson_t *out)
{
    bson_iter_t it;
    const uint8_t *p;
    uint32_t n;

    if (!bson_iter_init_find(&it, doc, name) || !BSON_ITER_HOLDS_DOCUMENT(&it)) {
        return false;
    }
    bson_iter_document(&it, &n, &p);
    return bson_init_static(out, p, n);
}

void ipc_cfg_hash(const struct mst_cfg *cfg, char out[33])
{
    struct mst_str s = {0};
    uint8_t digest[MST_SHA256_LEN];

    mst_cfg_show(cfg, &s);
    mst_sha256_of(mst_str_c(&s), s.len, digest);
    mst_str_release(&s);
    (void)mst_hex(digest, 16, out);
}

enum mst_rc mst_ipc_path(const struct mst_cfg *cfg, char out[MST_IPC_PATH], struct mst_err *err)
{
    struct mst_str s = {0};
    uint8_t digest[MST_SHA256_LEN];
    char hex[17];
    int n;

    /* One agent for each configuration: its file, or its URI. */
    mst_str_addf(&s, "%s\n%s\n%s", cfg->path, cfg->uri, cfg->set.label);
    mst_sha256_of(s.p, s.len, digest);
    mst_str_release(&s);
    n = snprintf(out, MST_IPC_PATH, "%s/%s.sock", cfg->socket_dir, mst_hex(digest, 6, hex));
    if (n < 0 || n >= MST_IPC_PATH) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the path of the agent's socket, %s/..., is longer than %d bytes: use a "
                           "shorter MUSTER_DIR, or --no-agent",
                           cfg->socket_dir, MST_IPC_PATH - 1);
    }
    if (mst_dir_private(cfg->socket_dir, err) != MST_OK) {
        mst_err_prefix(err, "directory of the agent's socket");
        return err->rc;
    }
    return MST_OK;
}
