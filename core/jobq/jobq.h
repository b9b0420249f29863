/* jobq.h: the persistent queue of jobs and the worker threads that run them.
 *
 * A job is a row in SQLite before it has any effect: queued, running, then done, failed or
 * cancelled. Rows found running at open belong to a process that died: they become interrupted.
 * Progress is sampled from the task's counters by whoever calls mst_jobq_sample.
 */
#ifndef MST_JOBQ_JOBQ_H
#define MST_JOBQ_JOBQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conc/task.h"
#include "db/db.h"

/* The work of a job, on a worker thread. task carries cancel, counters, phase and log. */
typedef enum mst_rc mst_job_fn(void *arg, struct mst_task *task, struct mst_err *err);

#endif
