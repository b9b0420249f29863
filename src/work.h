/* work.h: long work of a command on a thread beside this one, which looks for signals and shows how
 * far it is. */
#ifndef SRC_WORK_H
#define SRC_WORK_H

#include <stdatomic.h>

#include "cmd.h"
#include "conc/task.h"

typedef enum mst_rc cmd_work_fn(void *arg, struct mst_task *task, struct mst_err *err);
/* fn on a thread of its own; a signal cancels its task. While *asking is true the line of progress
 * stands back; NULL: nothing is asked. */
enum mst_rc cmd_work(const struct cmd_ctx *c, cmd_work_fn *fn, void *arg, atomic_bool *asking,
                     struct mst_err *err);
/* --as-of, "2026-11-27T03:00Z" or "2d" before now; 0 when it is not given. MST_E_USAGE. */
enum mst_rc cmd_as_of(const struct cmd_ctx *c, int64_t *out, struct mst_err *err);

#endif
