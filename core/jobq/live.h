/* live.h: the inside of the queue; private to jobq. */
#ifndef MST_JOBQ_LIVE_H
#define MST_JOBQ_LIVE_H

#include "conc/thread.h"
#include "jobq/jobq.h"

#define WORKERS_MAX 8

struct live { /* a job of this process, from its row until its end */
    struct live *next;
    struct mst_jobq *q;
    uint64_t id;
    struct mst_job_spec spec;
    char plan[32];
    struct mst_task task;
    bool running, text_given;
    struct mst_job job; /* without log; guarded by q->mtx */
    char lines[MST_JOB_LOG_LINES][200];
    size_t n_lines;              /* ever */
    int64_t sample_ms, moved_ms; /* monotonic */
    uint64_t sample_bytes, moved_mark;
    double rate;
};

struct mst_jobq {
    struct mst_jobq_opts o;
    char owner[64];
    struct mst_mutex mtx;
    struct mst_cond cond;
    struct live *first; /* in order of id */
    bool closing;
    struct mst_thread workers[WORKERS_MAX];
    unsigned n_workers;
};

void mst_live_counters(struct live *l); /* task's counters to the job; locked */

#endif
