/* err.h: the one error type of the engine.
 *
 * Every function that can fail returns enum mst_rc (MST_OK is 0) and takes a struct mst_err * as
 * its LAST parameter, never NULL. The code is what callers branch on; the text is what an operator
 * reads. On MST_OK the struct is left untouched. It lives on the caller's stack: nothing to free,
 * safe in any thread, copied by assignment.
 *
 * Codes are chosen by what the caller or operator does next, not by module. Exit statuses are
 * stable once released (docs/errors.md): 0 done, 1 not healthy, 2 usage or configuration, 3
 * unreachable, 4 not authorised, 5 damaged, 6 local I/O, 10 to 18 guarded acts, 70 our bug.
 */
#ifndef MST_BASE_ERR_H
#define MST_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define MST_MUST_CHECK __attribute__((warn_unused_result))

/* clang-format off */
/*    name            exit retry  hint for the operator */
#define MST_RC_LIST(X) \
    X(MST_OK,           0, 0, "") \
    X(MST_E_USAGE,      2, 0, "see --help") \
    X(MST_E_CONFIG,     2, 0, "fix the named line and run 'muster config check'") \
    X(MST_E_NOTFOUND,   2, 0, "list what exists first") \
    X(MST_E_EXISTS,     2, 0, "the name is taken") \
    X(MST_E_UNHEALTHY,  1, 0, "look at 'muster status'") \
    X(MST_E_AUTH,       4, 0, "check the credentials and the role") \
    X(MST_E_NET,        3, 1, "the peer did not answer; try again") \
    X(MST_E_TLS,        3, 0, "check the CA, the certificate and the host name") \
    X(MST_E_TIMEOUT,    3, 1, "raise the limit or look at the peer") \
    X(MST_E_SERVER,     1, 0, "the server refused the command") \
    X(MST_E_INTEGRITY,  5, 0, "do not restore from this copy") \
    X(MST_E_LIMIT,      5, 0, "input larger than the allowed maximum") \
    X(MST_E_IO,         6, 0, "look at the disk") \
    X(MST_E_PRECOND,   10, 0, "the guard refused; nothing was changed") \
    X(MST_E_CANCELLED, 11, 0, "stopped on request") \
    X(MST_E_ABORTED,   12, 1, "given up, and clean: nothing was changed; see why") \
    X(MST_E_UNDONE,    13, 0, "it failed after a change and took it back; see why") \
    X(MST_E_OTHER,     14, 0, "another member won the election; see the result") \
    X(MST_E_INCOMPLETE,15, 0, "some of it was not done; see the result") \
    X(MST_E_UNKNOWN,   16, 0, "the outcome is not known; observe before acting again") \
    X(MST_E_BUSY,      17, 1, "another operation holds the lock") \
    X(MST_E_STALE,     18, 0, "the facts moved; make a new plan") \
    X(MST_E_BUG,       70, 0, "please report this")
/* clang-format on */

enum mst_rc {
#define X(name, exitcode, retry, hint) name,
    MST_RC_LIST(X)
#undef X
        MST_RC_COUNT
};

struct mst_err {
    enum mst_rc rc;
    int detail;       /* errno, HTTP status or server code; 0 when none */
    const char *file; /* where it was first raised (a literal, not owned) */
    int line;
    char msg[512]; /* complete sentence without full stop, sanitised, no secret, no newline */
};

/* Record a failure and return its code: return mst_err_set(err, MST_E_IO, ...); */
#define mst_err_set(err, code, ...) \
    mst_err_is(mst_err_set_at((err), (code), 0, __FILE__, __LINE__, __VA_ARGS__), (code))
#define mst_err_set_detail(err, code, num, ...) \
    mst_err_is(mst_err_set_at((err), (code), (num), __FILE__, __LINE__, __VA_ARGS__), (code))
/* Lets the compiler see which code comes back, so that it knows a failure from success. */
static inline enum mst_rc mst_err_is(enum mst_rc recorded, enum mst_rc code)
{
    (void)recorded;
    return code;
}
enum mst_rc mst_err_set_at(struct mst_err *err, enum mst_rc rc, int detail, const char *file,
                           int line, const char *fmt, ...)
    __attribute__((format(printf, 6, 7), nonnull(1)));

/* Put "what I was doing: " in front of a message on its way up. */
void mst_err_prefix(struct mst_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), nonnull(1)));

/* The text of an errno value, thread-safe; buf is returned or a literal. */
const char *mst_errno_text(int num, char *buf, size_t n);

const char *mst_rc_name(enum mst_rc rc);
const char *mst_rc_hint(enum mst_rc rc);
int mst_rc_exit(enum mst_rc rc);
bool mst_rc_retryable(enum mst_rc rc);

/* Always on. Writes the failed expression to stderr through the crash hook and aborts. */
#define MST_ASSERT(x) ((x) ? (void)0 : mst_assert_failed(#x, __FILE__, __LINE__))
_Noreturn void mst_assert_failed(const char *expr, const char *file, int line);
/* Called before the text is written; must be async-signal-safe (the console restores its terminal).
 */
void mst_assert_hook(void (*fn)(void));

#endif
