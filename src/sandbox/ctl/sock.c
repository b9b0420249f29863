/* sock.c: the verbs over a unix socket. One request a connection, one thread serves them. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "conc/thread.h"
#include "conc/wake.h"
#include "ctl/ctl.h"

#define LINE_MAX_BYTES 1024
#define REPLY_MAX_BYTES (64u * 1024)

struct sbx_ctl {
    int fd;
    char *path;
    sbx_ctl_fn *fn;
    void *arg;
    struct mst_wake wake;
    struct mst_thread thread;
};

static enum mst_rc address(const char *path, struct sockaddr_un *a, struct mst_err *err)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!mst_copy(a->sun_path, sizeof a->sun_path, path)) {
        return mst_err_set(err, MST_E_USAGE, "%s is too long for a socket", path);
    }
    return MST_OK;
}

static enum mst_rc broken(const char *what, const char *path, struct mst_err *err)
{
    char text[64];
    const int code = errno;

    return mst_err_set_detail(err, MST_E_IO, code, "%s %s: %s", what, path,
                              mst_errno_text(code, text, sizeof text));
}

static void timeouts(int fd, int seconds)
{
    const struct timeval tv = {.tv_sec = seconds};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
}

/* Up to and without the newline; false when none came. */
static bool read_line(int fd, char *line, size_t size)
{
    size_t n = 0;

    while (n + 1 < size) {
        const ssize_t k = recv(fd, line + n, 1, 0);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            return false;
        }
        if (line[n] == '\n') {
            line[n] = '\0';
            return true;
        }
        n++;
    }
    return false;
}

static size_t split(char *line, const char **words)
{
    size_t n = 0;
    char *save = NULL;

    for (char *w = strtok_r(line, " ", &save); w != NULL && n < SBX_CTL_WORDS;
         w = strtok_r(NULL, " ", &save)) {
        words[n++] = w;
    }
    return n;
}

static void serve(struct sbx_ctl *c, int fd)
{
    char line[LINE_MAX_BYTES];
    const char *words[SBX_CTL_WORDS];
    struct mst_str text = {0}, answer = {0};
    struct mst_err err = {0}, ignored = {0};

    timeouts(fd, 5);
    if (read_line(fd, line, sizeof line)) {
        const size_t n = split(line, words);
        if (c->fn(c->arg, words, n, &text, &err) == MST_OK) {
            mst_str_addf(&answer, "ok\n%s", mst_str_c(&text));
        } else {
            mst_str_addf(&answer, "error %d\n%s", (int)err.rc, err.msg);
        }
        (void)!mst_fd_write(fd, mst_str_c(&answer), answer.len, "control socket", &ignored);
    }
    mst_str_release(&answer);
    mst_str_release(&text);
    (void)close(fd);
}

static void serve_loop(void *arg)
{
    struct sbx_ctl *c = arg;

    for (;;) {
        struct pollfd p[2] = {{.fd = c->wake.fd, .events = POLLIN},
                              {.fd = c->fd, .events = POLLIN}};
        if (poll(p, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        if ((p[0].revents & POLLIN) != 0) {
            return;
        }
        if ((p[1].revents & POLLIN) != 0) {
            const int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
            if (fd >= 0) {
                serve(c, fd);
            }
        }
    }
}

static enum mst_rc dial(const char *path, int *fd, struct mst_err *err)
{
    struct sockaddr_un a;
    enum mst_rc rc = address(path, &a, err);

    if (rc != MST_OK) {
        return rc;
    }
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        return broken("no socket for", path, err);
    }
    if (connect(*fd, (struct sockaddr *)&a, sizeof a) != 0) {
        rc = mst_err_set_detail(err, MST_E_NET, errno, "no sandbox answers at %s", path);
        (void)close(*fd);
        *fd = -1;
    }
    return rc;
}

static enum mst_rc bind_socket(struct sbx_ctl *c, struct mst_err *err)
{
    struct sockaddr_un a;
    struct mst_err ignored = {0};
    int other = -1;
    enum mst_rc rc = address(c->path, &a, err);

    if (rc != MST_OK) {
        return rc;
    }
    if (dial(c->path, &other, &ignored) == MST_OK) {
        (void)close(other);
        return mst_err_set(err, MST_E_BUSY, "a sandbox runs here already: %s", c->path);
    }
    (void)unlink(c->path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        chmod(c->path, 0600) != 0 || listen(c->fd, 16) != 0) {
        return broken("cannot listen on", c->path, err);
    }
    return MST_OK;
}

enum mst_rc sbx_ctl_open(const char *path, sbx_ctl_fn *fn, void *arg, struct sbx_ctl **out,
                         struct mst_err *err)
{
    struct sbx_ctl *c = mst_xcalloc(1, sizeof *c);
    enum mst_rc rc;

    *out = NULL;
    c->fd = c->wake.fd = -1;
    c->path = mst_xstrdup(path);
    c->fn = fn;
    c->arg = arg;
    rc = bind_socket(c, err);
    if (rc == MST_OK) {
        rc = mst_wake_init(&c->wake, err);
    }
    if (rc == MST_OK) {
        rc = mst_thread_start(&c->thread, "sbx-ctl", serve_loop, c, err);
    }
    if (rc != MST_OK) {
        sbx_ctl_close(c);
        return rc;
    }
    *out = c;
    return MST_OK;
}

void sbx_ctl_close(struct sbx_ctl *c)
{
    if (c == NULL) {
        return;
    }
    if (c->thread.running) {
        mst_wake_signal(&c->wake);
        mst_thread_join(&c->thread);
    }
    if (c->fd >= 0) {
        (void)close(c->fd);
        (void)unlink(c->path);
    }
    mst_wake_release(&c->wake);
    free(c->path);
    free(c);
}

static enum mst_rc read_answer(int fd, struct mst_str *out, struct mst_err *err)
{
    char head[LINE_MAX_BYTES], part[512];
    ssize_t k;

    if (!read_line(fd, head, sizeof head)) {
        return mst_err_set(err, MST_E_NET, "the sandbox gave no answer");
    }
    while ((k = recv(fd, part, sizeof part, 0)) > 0 && out->len < REPLY_MAX_BYTES) {
        mst_str_addn(out, part, (size_t)k);
    }
    if (strcmp(head, "ok") == 0) {
        return MST_OK;
    }
    const long code = strncmp(head, "error ", 6) == 0 ? strtol(head + 6, NULL, 10) : 0;
    const enum mst_rc rc = code > 0 && code < MST_RC_COUNT ? (enum mst_rc)code : MST_E_BUG;
    const enum mst_rc got = mst_err_set(err, rc, "%s", mst_str_c(out));
    mst_str_reset(out);
    return got;
}

enum mst_rc sbx_ctl_ask(const char *path, const char *const *words, size_t n, struct mst_str *out,
                        struct mst_err *err)
{
    struct mst_str line = {0};
    int fd = -1;
    enum mst_rc rc = MST_OK;

    for (size_t i = 0; i < n && rc == MST_OK; i++) {
        if (strpbrk(words[i], " \n") != NULL || words[i][0] == '\0') {
            rc = mst_err_set(err, MST_E_USAGE, "words may not be empty or hold blanks");
        }
        mst_str_addf(&line, "%s%s", i > 0 ? " " : "", words[i]);
    }
    mst_str_addc(&line, '\n');
    if (rc == MST_OK && (n > SBX_CTL_WORDS || line.len >= LINE_MAX_BYTES)) {
        rc = mst_err_set(err, MST_E_USAGE, "too many words");
    }
    if (rc == MST_OK) {
        rc = dial(path, &fd, err);
    }
    if (rc == MST_OK) {
        timeouts(fd, 10);
        rc = mst_fd_write(fd, mst_str_c(&line), line.len, "control socket", err);
    }
    if (rc == MST_OK) {
        rc = read_answer(fd, out, err);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    mst_str_release(&line);
    return rc;
}
