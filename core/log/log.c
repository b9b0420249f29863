#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "conc/thread.h"

#define LINE_MAX_BYTES 1024
#define REDACT_MAX 32
#define LENT_MAX 16

static struct {
    struct mst_mutex mtx;
    int fd;
    enum mst_level file_max, err_max;
    bool to_stderr;
    struct mst_secret redact[REDACT_MAX];
    size_t n_redact;
    struct mst_secret lent[LENT_MAX]; /* a ring */
    size_t lent_at;
} sink = {.mtx = {PTHREAD_MUTEX_INITIALIZER}, .fd = -1};

static const char *const names[] = {"error", "warn", "info", "debug"};

static void mask_one(char *line, const struct mst_secret *s)
{
    for (char *at = line; s->len > 0 && (at = strstr(at, s->p)) != NULL; at += s->len) {
        memset(at, '*', s->len);
    }
}

static void mask(char *line)
{
    for (size_t i = 0; i < sink.n_redact; i++) {
        mask_one(line, &sink.redact[i]);
    }
    for (size_t i = 0; i < LENT_MAX; i++) {
        mask_one(line, &sink.lent[i]);
    }
}

void mst_log(enum mst_level level, const char *component, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 96], when[MST_TIME_MAX];
    va_list ap;
    int n;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    mst_text_sanitise(text);
    mst_mutex_lock(&sink.mtx);
    mask(text);
    n = snprintf(line, sizeof(line), "%s %-5s %s: %s\n",
                 mst_time_iso_ms(mst_clock_utc_ms(NULL), when), names[level], component, text);
    if (n > 0) {
        if (sink.fd >= 0 && level <= sink.file_max) {
            (void)!write(sink.fd, line, (size_t)n);
        }
        if (sink.to_stderr && level <= sink.err_max) {
            (void)!write(STDERR_FILENO, line, (size_t)n);
        }
    }
    mst_mutex_unlock(&sink.mtx);
}

enum mst_rc mst_log_to_file(const char *path, enum mst_level max, struct mst_err *err)
{
    char why[128];
    int fd = -1;

    if (path) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
            return mst_err_set_detail(err, MST_E_IO, errno, "cannot open the log file %s: %s", path,
                                      mst_errno_text(errno, why, sizeof(why)));
        }
    }
    mst_mutex_lock(&sink.mtx);
    if (sink.fd >= 0) {
        (void)close(sink.fd);
    }
    sink.fd = fd;
    sink.file_max = max;
    mst_mutex_unlock(&sink.mtx);
    return MST_OK;
}

void mst_log_to_stderr(bool on, enum mst_level max)
{
    mst_mutex_lock(&sink.mtx);
    sink.to_stderr = on;
    sink.err_max = max;
    mst_mutex_unlock(&sink.mtx);
}

static bool is_in(const struct mst_secret *list, size_t n, const struct mst_secret *s)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].len == s->len && memcmp(list[i].p, s->p, s->len) == 0) {
            return true;
        }
    }
    return false;
}

static void redact(const struct mst_secret *s, bool lent)
{
    mst_mutex_lock(&sink.mtx);
    if (s->len > 0 && !is_in(sink.redact, sink.n_redact, s) && !is_in(sink.lent, LENT_MAX, s)) {
        if (!lent && sink.n_redact < REDACT_MAX) {
            mst_secret_set(&sink.redact[sink.n_redact++], s->p, s->len);
        } else {
            mst_secret_set(&sink.lent[sink.lent_at], s->p, s->len);
            sink.lent_at = (sink.lent_at + 1) % LENT_MAX;
        }
    }
    mst_mutex_unlock(&sink.mtx);
}

void mst_log_redact(const struct mst_secret *s)
{
    redact(s, false);
}

void mst_log_redact_lent(const struct mst_secret *s)
{
    redact(s, true);
}
