#include "wire/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#define DEFAULT_TIMEOUT_MS 10000

static int64_t deadline_of(const struct sbx_client *c)
{
    return mst_clock_mono_ms(NULL) + (c->timeout_ms > 0 ? c->timeout_ms : DEFAULT_TIMEOUT_MS);
}

static enum mst_rc wait_fd(int fd, short events, int64_t deadline, struct mst_err *err)
{
    for (;;) {
        const int64_t left = deadline - mst_clock_mono_ms(NULL);
        struct pollfd p = {.fd = fd, .events = events};
        if (left <= 0) {
            return mst_err_set(err, MST_E_TIMEOUT, "no answer in time");
        }
        const int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0) {
            return MST_OK;
        }
        if (n < 0 && errno != EINTR) {
            return mst_err_set_detail(err, MST_E_NET, errno, "poll failed");
        }
    }
}

static enum mst_rc write_all(struct sbx_client *c, const uint8_t *p, size_t n, int64_t deadline,
                             struct mst_err *err)
{
    while (n > 0) {
        const ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL);
        if (k > 0) {
            p += k;
            n -= (size_t)k;
        } else if (k < 0 && errno == EAGAIN) {
            const enum mst_rc rc = wait_fd(c->fd, POLLOUT, deadline, err);
            if (rc != MST_OK) {
                return rc;
            }
        } else if (k < 0 && errno != EINTR) {
            return mst_err_set_detail(err, MST_E_NET, errno, "the connection broke while sending");
        }
    }
    return MST_OK;
}

static enum mst_rc read_all(struct sbx_client *c, uint8_t *p, size_t n, int64_t deadline,
                            struct mst_err *err)
{
    while (n > 0) {
        const ssize_t k = recv(c->fd, p, n, 0);
        if (k > 0) {
            p += k;
            n -= (size_t)k;
        } else if (k == 0) {
            return mst_err_set(err, MST_E_NET, "the member closed the connection");
        } else if (errno == EAGAIN) {
            const enum mst_rc rc = wait_fd(c->fd, POLLIN, deadline, err);
            if (rc != MST_OK) {
                return rc;
            }
        } else if (errno != EINTR) {
            return mst_err_set_detail(err, MST_E_NET, errno, "the connection broke");
        }
    }
    return MST_OK;
}

enum mst_rc sbx_client_connect(struct sbx_client *c, const char *host, int port, int64_t timeout_ms,
                               struct mst_err *err)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int one = 1;
    int bad = 0;
    socklen_t len = sizeof bad;

    *c = (struct sbx_client){.fd = -1, .next_id = 1, .timeout_ms = timeout_ms};
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &a.sin_addr) != 1) {
        return mst_err_set(err, MST_E_USAGE, "%s is not a numeric address", host);
    }
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0) {
        return mst_err_set_detail(err, MST_E_NET, errno, "no socket to be had");
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&a, sizeof a) != 0) {
        bad = errno;
        if (errno == EINPROGRESS) {
            const enum mst_rc rc = wait_fd(c->fd, POLLOUT, deadline_of(c), err);
            if (rc != MST_OK) {
                sbx_client_close(c);
                return rc;
            }
            (void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &bad, &len);
        }
    }
    if (bad != 0) {
        char text[64];
        sbx_client_close(c);
        return mst_err_set_detail(err, MST_E_NET, bad, "%s:%d: %s", host, port,
                                  mst_errno_text(bad, text, sizeof text));
    }
    return MST_OK;
}

void sbx_client_close(struct sbx_client *c)
{
    if (c != NULL && c->fd >= 0) {
        (void)close(c->fd);
        c->fd = -1;
    }
}

static enum mst_rc need_open(const struct sbx_client *c, struct mst_err *err)
{
    return c->fd >= 0 ? MST_OK : mst_err_set(err, MST_E_NET, "the connection is closed");
}

static enum mst_rc send_buf(struct sbx_client *c, struct mst_buf *b, struct mst_err *err)
{
    enum mst_rc rc = need_open(c, err);

    if (rc == MST_OK && (rc = write_all(c, b->p, b->len, deadline_of(c), err)) != MST_OK) {
        sbx_client_close(c);
    }
    mst_buf_release(b);
    return rc;
}

enum mst_rc sbx_client_raw(struct sbx_client *c, const void *p, size_t n, struct mst_err *err)
{
    struct mst_buf b = {0};

    mst_buf_add(&b, p, n);
    return send_buf(c, &b, err);
}

enum mst_rc sbx_client_send(struct sbx_client *c, const char *db, const bson_t *cmd, uint32_t flags,
                            int32_t *id, struct mst_err *err)
{
    struct mst_buf b = {0};
    bson_t doc;

    bson_copy_to(cmd, &doc);
    if (!bson_has_field(&doc, "$db")) {
        BSON_APPEND_UTF8(&doc, "$db", db);
    }
    *id = c->next_id++;
    sbx_frame_msg(&b, *id, 0, flags, &doc);
    bson_destroy(&doc);
    return send_buf(c, &b, err);
}

enum mst_rc sbx_client_receive(struct sbx_client *c, struct sbx_frame *f, struct mst_err *err)
{
    const int64_t deadline = deadline_of(c);
    uint8_t h[SBX_FRAME_HEAD];
    struct mst_buf b = {0};
    int32_t len = -1;
    enum mst_rc rc = need_open(c, err);

    if (rc == MST_OK) {
        rc = read_all(c, h, sizeof h, deadline, err);
    }
    if (rc == MST_OK && (len = sbx_frame_length(h)) < 0) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "a reply of an impossible length");
    }
    if (rc == MST_OK) {
        mst_buf_add(&b, h, sizeof h);
        uint8_t *at = mst_buf_room(&b, (size_t)len - sizeof h);
        rc = read_all(c, at, (size_t)len - sizeof h, deadline, err);
        b.len = (size_t)len;
    }
    if (rc == MST_OK) {
        rc = sbx_frame_parse(b.p, b.len, f, err);
    }
    mst_buf_release(&b);
    if (rc != MST_OK) {
        sbx_client_close(c);
    }
    return rc;
}

static enum mst_rc judge(const bson_t *reply, struct mst_err *err)
{
    int64_t code = 0;

    if (sbx_doc_true(reply, "ok")) {
        return MST_OK;
    }
    (void)sbx_doc_int(reply, "code", &code);
    const char *text = sbx_doc_str(reply, "errmsg");
    return mst_err_set_detail(err, MST_E_SERVER, (int)code, "%s", text != NULL ? text : "refused");
}

static enum mst_rc receive_for(struct sbx_client *c, int32_t id, bson_t *reply, struct mst_err *err)
{
    struct sbx_frame f;
    const enum mst_rc rc = sbx_client_receive(c, &f, err);

    if (rc != MST_OK) {
        return rc;
    }
    if (f.response_to != id) {
        sbx_frame_release(&f);
        sbx_client_close(c);
        return mst_err_set(err, MST_E_INTEGRITY, "an answer to another request");
    }
    bson_destroy(reply);
    bson_copy_to(&f.body, reply);
    sbx_frame_release(&f);
    return judge(reply, err);
}

enum mst_rc sbx_client_command(struct sbx_client *c, const char *db, const bson_t *cmd,
                               bson_t *reply, struct mst_err *err)
{
    int32_t id;

    bson_init(reply);
    const enum mst_rc rc = sbx_client_send(c, db, cmd, 0, &id, err);
    return rc != MST_OK ? rc : receive_for(c, id, reply, err);
}

enum mst_rc sbx_client_query(struct sbx_client *c, const char *db, const bson_t *cmd, bson_t *reply,
                             struct mst_err *err)
{
    struct mst_buf b = {0};
    char ns[SBX_FRAME_NS_MAX];
    const int32_t id = c->next_id++;

    bson_init(reply);
    (void)snprintf(ns, sizeof ns, "%s.$cmd", db);
    sbx_frame_query(&b, id, ns, cmd);
    const enum mst_rc rc = send_buf(c, &b, err);
    return rc != MST_OK ? rc : receive_for(c, id, reply, err);
}

static bool find(const bson_t *doc, const char *path, bson_iter_t *at)
{
    bson_iter_t it;

    return bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, path, at);
}

bool sbx_doc_has(const bson_t *doc, const char *path)
{
    bson_iter_t at;

    return find(doc, path, &at);
}

bool sbx_doc_int(const bson_t *doc, const char *path, int64_t *out)
{
    bson_iter_t at;

    if (!find(doc, path, &at) || (!BSON_ITER_HOLDS_NUMBER(&at) && !BSON_ITER_HOLDS_BOOL(&at) &&
                                  !BSON_ITER_HOLDS_DATE_TIME(&at))) {
        return false;
    }
    *out = BSON_ITER_HOLDS_DATE_TIME(&at) ? bson_iter_date_time(&at) : bson_iter_as_int64(&at);
    return true;
}

bool sbx_doc_true(const bson_t *doc, const char *path)
{
    bson_iter_t at;

    return find(doc, path, &at) && bson_iter_as_bool(&at);
}

const char *sbx_doc_str(const bson_t *doc, const char *path)
{
    bson_iter_t at;

    return find(doc, path, &at) && BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL) : NULL;
}
