/* jobq.h: the persistent queue of jobs and the worker threads that run them.
 *
 * A job is a row in SQLite before it has any effect: queued, running, then done, failed or
 * cancelled. Jobs start in the order in which they were added; of the jobs that change the set one
 * runs at a time. Rows found queued or running at open belong to a process that died: they become
 * interrupted. Any thread may call.
 */
#ifndef MST_JOBQ_JOBQ_H
#define MST_JOBQ_JOBQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "conc/task.h"
#include "db/db.h"
#include "jobq/job.h"

/* The work of a job, on a worker thread. task carries cancel, counters, phase and log. MST_OK is
 * done, MST_E_CANCELLED after a cancel is cancelled, all else failed; the sentence in err is the
 * result, unless mst_jobq_result() said one. */
typedef enum mst_rc mst_job_fn(void *arg, struct mst_task *task, struct mst_err *err);

struct mst_jobq;

struct mst_jobq_opts {
    struct mst_db *db; /* borrowed */
    unsigned workers;  /* 0: 2 */
    const char *owner; /* "pid 123": who runs them */
    const struct mst_clock *clock;
    void (*changed)(void *arg); /* a job began, ended, logged: on a worker thread; may be NULL */
    /* A job ended and its row says so: on a worker thread; may be NULL. */
    void (*ended)(void *arg, const struct mst_job *job, const char *plan);
    void *arg;
    bool own; /* this process holds the lock of the set: open marks what a dead process left, and
                 jobs may be added; without it the queue is only read */
};

struct mst_job_spec {
    enum mst_job_kind kind;
    bool exclusive; /* changes the set: one of these at a time */
    const char *target, *who, *plan, *command, *backup; /* copied; NULL is "" */
    mst_job_fn *fn;
    void *arg;
    void (*free_arg)(void *arg); /* always called in the end; may be NULL */
};

enum mst_rc mst_jobq_open(const struct mst_jobq_opts *o, struct mst_jobq **out,
                          struct mst_err *err) MST_MUST_CHECK;
/* Cancels what runs, waits for it, marks what was queued as cancelled. */
void mst_jobq_close(struct mst_jobq *q);
/* From now on jobs may be added: the lock of the set is ours. Marks what a dead process left;
 * *interrupted is how many. */
enum mst_rc mst_jobq_own(struct mst_jobq *q, uint64_t *interrupted,
                         struct mst_err *err) MST_MUST_CHECK;
/* The row is durable when it returns. *id is set before the job can start. arg is freed in every
 * case, also on failure. */
enum mst_rc mst_jobq_add(struct mst_jobq *q, const struct mst_job_spec *spec, uint64_t *id,
                         struct mst_err *err) MST_MUST_CHECK;
/* MST_E_NOTFOUND, or MST_E_PRECOND when it has ended. */
enum mst_rc mst_jobq_cancel(struct mst_jobq *q, uint64_t id, struct mst_err *err) MST_MUST_CHECK;
/* From the job's own function: what it works on, and its sentence. NULL leaves it. */
void mst_jobq_result(struct mst_jobq *q, uint64_t id, const char *backup_id, const char *text);
/* Id of the job that runs on this thread, 0 none. */
uint64_t mst_jobq_current(void);

/* Newest first, at most max, with the newest log lines; rates and stall times are measured between
 * calls, so one thread calls about four times a second. *jobs is the caller's:
 * mst_jobs_free(). */
enum mst_rc mst_jobq_list(struct mst_jobq *q, size_t max, struct mst_job **jobs, size_t *n,
                          struct mst_err *err) MST_MUST_CHECK;
void mst_jobs_free(struct mst_job *jobs, size_t n);
bool mst_jobq_active(struct mst_jobq *q); /* something is queued or runs */
/* Every line of one job's log, oldest first, to fn. */
enum mst_rc mst_jobq_log(struct mst_jobq *q, uint64_t id,
                         bool (*fn)(void *arg, int64_t wall_ms, const char *line), void *arg,
                         struct mst_err *err) MST_MUST_CHECK;

#endif
