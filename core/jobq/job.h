/* job.h: a job as front ends see it. Plain data; every text is sanitised. */
#ifndef MST_JOBQ_JOB_H
#define MST_JOBQ_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "catalog/types.h"

enum mst_job_kind {
    MST_JOB_BACKUP,
    MST_JOB_VERIFY,
    MST_JOB_RESTORE,
    MST_JOB_DISCARD,
    MST_JOB_IMPORT,
    MST_JOB_CLEAN,
    MST_JOB_RECOVER,
    MST_JOB_RELEASE,
    MST_JOB_REBUILD,
    MST_JOB_SWITCH,
    MST_JOB_COPY,
    MST_JOB_HOLD,
    MST_JOB_UNHOLD,
    MST_JOB_STORE_TEST,
    MST_JOB_ORPHANS,
    MST_JOB_KEYS,
    MST_JOB_THAW
};
const char *mst_job_kind_word(enum mst_job_kind k);

enum mst_job_state {
    MST_JOB_QUEUED,
    MST_JOB_RUNNING,
    MST_JOB_CANCELLING,
    MST_JOB_DONE,
    MST_JOB_FAILED,
    MST_JOB_CANCELLED,
    MST_JOB_INTERRUPTED /* its agent died; leavings are listed */
};
const char *mst_job_state_word(enum mst_job_state s);

struct mst_job {
    uint64_t id;
    enum mst_job_kind kind;
    enum mst_job_state state;
    char backup_id[MST_ID_MAX]; /* "" while not known */
    char target[MST_HOST_MAX];  /* store name or set */
    char who[64];
    char phase[96];
    uint64_t done_bytes, total_bytes; /* total 0: not known yet */
    /* Collections, of a verify objects; total 0: not known (yet). */
    uint64_t items_done, items_total;
    uint64_t rate_bps;  /* over the last seconds; 0 while unknown */
    int64_t eta_ms;     /* -1 unknown */
    int64_t stalled_ms; /* since the last byte; 0 while moving */
    int64_t queued_wall_ms, started_wall_ms, ended_wall_ms; /* 0 not yet */
    char result[512];                                       /* one sentence when ended */
    int exit_status; /* of the same act on the command line */
    size_t n_log;
    char (*log)[200]; /* newest lines, oldest first; owned */
};
/* "3 of 12 collections"; "" while it is not known. out has MST_JOB_ITEMS_MAX bytes; returned. */
#define MST_JOB_ITEMS_MAX 64
const char *mst_job_items(const struct mst_job *j, char *out);
#define MST_JOB_LOG_LINES 64

#endif
