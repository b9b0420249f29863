#include "base/err.h"

#include <stdarg.h>
#include <unistd.h>

#include "base/text.h"

static const struct {
    const char *name, *hint;
    int exitcode;
    bool retry;
} rc_table[] = {
#define X(n, e, r, h) [n] = {#n, h, e, r},
    MST_RC_LIST(X)
#undef X
};

static void (*assert_hook)(void);

enum mst_rc mst_err_set_at(struct mst_err *err, enum mst_rc rc, int detail, const char *file,
                           int line, const char *fmt, ...)
{
    va_list ap;

    err->rc = rc;
    err->detail = detail;
    err->file = file;
    err->line = line;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    mst_text_sanitise(err->msg);
    return rc;
}

void mst_err_prefix(struct mst_err *err, const char *fmt, ...)
{
    char tail[sizeof(err->msg)];
    va_list ap;
    size_t n;

    memcpy(tail, err->msg, sizeof(tail));
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    n = strlen(err->msg);
    if (n < sizeof(err->msg) - 2) {
        (void)snprintf(err->msg + n, sizeof(err->msg) - n, ": %.*s",
                       (int)(sizeof(err->msg) - n - 3), tail);
    }
    mst_text_sanitise(err->msg);
}

const char *mst_errno_text(int num, char *buf, size_t n)
{
    return strerror_r(num, buf, n);
}

const char *mst_rc_name(enum mst_rc rc)
{
    return rc_table[rc].name;
}

const char *mst_rc_hint(enum mst_rc rc)
{
    return rc_table[rc].hint;
}

int mst_rc_exit(enum mst_rc rc)
{
    return rc_table[rc].exitcode;
}

bool mst_rc_retryable(enum mst_rc rc)
{
    return rc_table[rc].retry;
}

void mst_assert_hook(void (*fn)(void))
{
    assert_hook = fn;
}

void mst_assert_failed(const char *expr, const char *file, int line)
{
    char text[256];
    int n;

    if (assert_hook) {
        assert_hook();
    }
    n = snprintf(text, sizeof(text), "muster: bug: %s is false at %s:%d\n", expr, file, line);
    if (n > 0) {
        (void)!write(STDERR_FILENO, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
    }
    abort();
}
