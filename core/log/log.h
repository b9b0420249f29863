/* log.h: diagnostic lines, not results and not the audit trail.
 *
 * Thread-safe. Lines are sanitised and every registered secret is replaced by asterisks. Nothing
 * goes to a terminal unless a sink says so; the default is silence.
 */
#ifndef MST_LOG_LOG_H
#define MST_LOG_LOG_H

#include "base/err.h"
#include "base/secret.h"

enum mst_level { MST_LOG_ERROR, MST_LOG_WARN, MST_LOG_INFO, MST_LOG_DEBUG };

void mst_log(enum mst_level level, const char *component, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Append to this file (0600), lines up to this level. NULL closes it. */
enum mst_rc mst_log_to_file(const char *path, enum mst_level max,
                            struct mst_err *err) MST_MUST_CHECK;
/* Also to stderr, up to this level; for agent --foreground and tests. */
void mst_log_to_stderr(bool on, enum mst_level max);
void mst_log_redact(const struct mst_secret *s); /* mask this value in every sink from now on */
/* One that is got anew again and again, a session's: the newest ones of these are masked. */
void mst_log_redact_lent(const struct mst_secret *s);

#endif
