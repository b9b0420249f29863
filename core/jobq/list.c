/* What front ends see of the queue: rows, with the counters of what runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "jobq/live.h"

#define RATE_WINDOW_MS 5000

const char *mst_job_items(const struct mst_job *j, char *out)
{
    out[0] = '\0';
    if (j->items_total > 0) {
        (void)snprintf(out, MST_JOB_ITEMS_MAX, "%llu of %llu %s", (unsigned long long)j->items_done,
                       (unsigned long long)j->items_total,
                       j->kind == MST_JOB_VERIFY || j->kind == MST_JOB_COPY
                           ? mst_text_noun(j->items_total, "object", "objects")
                       : j->kind == MST_JOB_REBUILD
                           ? mst_text_noun(j->items_total, "backup", "backups")
                           : mst_text_noun(j->items_total, "collection", "collections"));
    }
    return out;
}

/* Rate over a sliding window, time since something moved, time to the end; locked. */
static void measure(struct live *l, int64_t now)
{
    const uint64_t mark = l->job.done_bytes + l->job.items_done + atomic_load(&l->task.beats);
    const int64_t dt = now - l->sample_ms;

    if (mark != l->moved_mark) {
        l->moved_mark = mark;
        l->moved_ms = now;
    }
    if (l->job.done_bytes < l->sample_bytes) { /* the next phase counts from nothing */
        l->sample_ms = now;
        l->sample_bytes = l->job.done_bytes;
        l->rate = 0;
    } else if (dt >= 200) {
        const double fresh = (double)(l->job.done_bytes - l->sample_bytes) * 1000.0 / (double)dt;
        const double w = dt >= RATE_WINDOW_MS ? 1.0 : (double)dt / RATE_WINDOW_MS;

        l->rate = l->rate > 0 ? l->rate + w * (fresh - l->rate) : fresh;
        l->sample_ms = now;
        l->sample_bytes = l->job.done_bytes;
    }
    l->job.rate_bps = (uint64_t)l->rate;
    /* A switch moves no bytes: how long it may stay in each of its states is its own rule. */
    l->job.stalled_ms =
        l->job.kind != MST_JOB_SWITCH && now - l->moved_ms >= 3000 ? now - l->moved_ms : 0;
    l->job.eta_ms =
        l->rate >= 1.0 && l->job.total_bytes > l->job.done_bytes
            ? (int64_t)((double)(l->job.total_bytes - l->job.done_bytes) * 1000.0 / l->rate)
            : -1;
}

static void copy_live(struct mst_jobq *q, struct mst_job *j, int64_t now)
{
    for (struct live *l = q->first; l; l = l->next) {
        size_t from;

        if (l->id != j->id) {
            continue;
        }
        if (l->running && l->job.ended_wall_ms == 0) {
            mst_live_counters(l);
            measure(l, now);
        }
        *j = l->job;
        j->n_log = l->n_lines < MST_JOB_LOG_LINES ? l->n_lines : MST_JOB_LOG_LINES;
        from = l->n_lines - j->n_log;
        j->log = mst_xcalloc(j->n_log + 1, sizeof(j->log[0]));
        for (size_t i = 0; i < j->n_log; i++) {
            memcpy(j->log[i], l->lines[(from + i) % MST_JOB_LOG_LINES], sizeof(j->log[i]));
        }
    }
}

struct rows {
    struct mst_job *jobs;
    size_t n, max;
};

static bool take_row(void *arg, const struct mst_row *row)
{
    struct rows *r = arg;
    struct mst_job *j = &r->jobs[r->n++];

    j->id = (uint64_t)mst_row_int(row, 0);
    j->kind = (enum mst_job_kind)mst_row_int(row, 1);
    j->state = (enum mst_job_state)mst_row_int(row, 2);
    (void)mst_copy(j->backup_id, sizeof(j->backup_id), mst_row_text(row, 3));
    (void)mst_copy(j->target, sizeof(j->target), mst_row_text(row, 4));
    (void)mst_copy(j->who, sizeof(j->who), mst_row_text(row, 5));
    (void)mst_copy(j->phase, sizeof(j->phase), mst_row_text(row, 6));
    j->done_bytes = (uint64_t)mst_row_int(row, 7);
    j->total_bytes = (uint64_t)mst_row_int(row, 8);
    j->items_done = (uint64_t)mst_row_int(row, 9);
    j->items_total = (uint64_t)mst_row_int(row, 10);
    j->queued_wall_ms = mst_row_int(row, 11);
    j->started_wall_ms = mst_row_int(row, 12);
    j->ended_wall_ms = mst_row_int(row, 13);
    (void)mst_copy(j->result, sizeof(j->result), mst_row_text(row, 14));
    j->exit_status = (int)mst_row_int(row, 15);
    j->eta_ms = -1;
    return r->n < r->max;
}

static bool take_line(void *arg, const struct mst_row *row)
{
    struct mst_job *j = arg;

    (void)mst_copy(j->log[j->n_log++], sizeof(j->log[0]), mst_row_text(row, 0));
    return j->n_log < MST_JOB_LOG_LINES;
}

/* The newest lines of a job that has ended, oldest first. */
static enum mst_rc stored_log(struct mst_jobq *q, struct mst_job *j, struct mst_err *err)
{
    j->log = mst_xcalloc(MST_JOB_LOG_LINES, sizeof(j->log[0]));
    return mst_db_query(
        q->o.db, take_line, j, err,
        "SELECT line FROM (SELECT seq, line FROM job_log WHERE job = ? ORDER BY seq "
        "DESC LIMIT ?) ORDER BY seq",
        "ii", (int64_t)j->id, (int64_t)MST_JOB_LOG_LINES);
}

enum mst_rc mst_jobq_list(struct mst_jobq *q, size_t max, struct mst_job **jobs, size_t *n,
                          struct mst_err *err)
{
    struct rows r = {.jobs = mst_xcalloc(max + 1, sizeof(struct mst_job)), .max = max};
    const int64_t now = mst_clock_mono_ms(q->o.clock);
    enum mst_rc rc;

    rc = mst_db_query(q->o.db, take_row, &r, err,
                      "SELECT id, kind, state, backup, target, who, phase, done_bytes, "
                      "total_bytes, items_done, items_total, queued_ms, started_ms, ended_ms, "
                      "result, exit_status FROM jobs ORDER BY id DESC LIMIT ?",
                      "i", (int64_t)max);
    mst_mutex_lock(&q->mtx);
    for (size_t i = 0; i < r.n; i++) {
        copy_live(q, &r.jobs[i], now);
    }
    mst_mutex_unlock(&q->mtx);
    for (size_t i = 0; rc == MST_OK && i < r.n; i++) {
        if (!r.jobs[i].log) {
            rc = stored_log(q, &r.jobs[i], err);
        }
    }
    if (rc != MST_OK) {
        mst_jobs_free(r.jobs, r.n);
        r.jobs = NULL;
        r.n = 0;
    }
    *jobs = r.jobs;
    *n = r.n;
    return rc;
}

void mst_jobs_free(struct mst_job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(jobs[i].log);
    }
    free(jobs);
}

struct each_line {
    bool (*fn)(void *arg, int64_t wall_ms, const char *line);
    void *arg;
};

static bool one_line(void *arg, const struct mst_row *row)
{
    const struct each_line *e = arg;

    return e->fn(e->arg, mst_row_int(row, 0), mst_row_text(row, 1));
}

enum mst_rc mst_jobq_log(struct mst_jobq *q, uint64_t id,
                         bool (*fn)(void *arg, int64_t wall_ms, const char *line), void *arg,
                         struct mst_err *err)
{
    struct each_line e = {.fn = fn, .arg = arg};

    return mst_db_query(q->o.db, one_line, &e, err,
                        "SELECT wall_ms, line FROM job_log WHERE job = ? ORDER BY seq", "i",
                        (int64_t)id);
}
