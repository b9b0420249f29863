#include "jobq/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "log/log.h"
#include "store/store.h"

#define LOG_MAX 100000 /* lines of one job that are kept */

static _Thread_local uint64_t current_job;

uint64_t mst_jobq_current(void)
{
    return current_job;
}

const char *mst_job_kind_word(enum mst_job_kind k)
{
    static const char *const words[] = {"backup", "verify",  "restore", "discard",    "import",
                                        "clean",  "recover", "release", "rebuild",    "switch",
                                        "copy",   "hold",    "unhold",  "store test", "orphans",
                                        "keys",   "thaw"};

    return (unsigned)k < MST_COUNT(words) ? words[k] : "?";
}

const char *mst_job_state_word(enum mst_job_state s)
{
    static const char *const words[] = {"queued", "running",   "cancelling", "done",
                                        "failed", "cancelled", "interrupted"};

    return (unsigned)s < MST_COUNT(words) ? words[s] : "?";
}

static void changed(struct mst_jobq *q)
{
    if (q->o.changed) {
        q->o.changed(q->o.arg);
    }
}

static int64_t wall(const struct mst_jobq *q)
{
    return mst_clock_utc_ms(q->o.clock);
}

/* log
 */

static void job_log(void *arg, const char *line)
{
    struct live *l = arg;
    struct mst_err err = {0};
    size_t seq;

    mst_mutex_lock(&l->q->mtx);
    seq = l->n_lines++;
    mst_text_clean(l->lines[seq % MST_JOB_LOG_LINES], sizeof(l->lines[0]), line, strlen(line));
    mst_mutex_unlock(&l->q->mtx);
    if (seq < LOG_MAX &&
        mst_db_run(l->q->o.db, &err,
                   "INSERT INTO job_log (job, seq, wall_ms, line) VALUES (?,?,?,?)", "iiit",
                   (int64_t)l->id, (int64_t)seq, wall(l->q), line) != MST_OK) {
        mst_log(MST_LOG_WARN, "jobq", "log of job %llu: %s", (unsigned long long)l->id, err.msg);
    }
    changed(l->q);
}

/* running
 */

void mst_live_counters(struct live *l)
{
    l->job.done_bytes = atomic_load(&l->task.done_bytes);
    l->job.total_bytes = atomic_load(&l->task.total_bytes);
    l->job.items_done = atomic_load(&l->task.items_done);
    l->job.items_total = atomic_load(&l->task.items_total);
    mst_task_phase_copy(&l->task, l->job.phase);
}

static enum mst_rc save(struct mst_jobq *q, const struct mst_job *j, struct mst_err *err)
{
    return mst_db_run(
        q->o.db, err,
        "UPDATE jobs SET state = ?, backup = ?, phase = ?, done_bytes = ?, "
        "total_bytes = ?, items_done = ?, items_total = ?, started_ms = ?, ended_ms = "
        "?, result = ?, exit_status = ? WHERE id = ?",
        "ittiiiiiitii", (int64_t)j->state, j->backup_id, j->phase, (int64_t)j->done_bytes,
        (int64_t)j->total_bytes, (int64_t)j->items_done, (int64_t)j->items_total,
        j->started_wall_ms, j->ended_wall_ms, j->result, (int64_t)j->exit_status, (int64_t)j->id);
}

static void save_or_log(struct mst_jobq *q, const struct mst_job *j)
{
    struct mst_err err = {0};

    if (save(q, j, &err) != MST_OK) {
        mst_log(MST_LOG_ERROR, "jobq", "job %llu: %s", (unsigned long long)j->id, err.msg);
    }
}

static void free_live(struct live *l)
{
    if (l->spec.free_arg) {
        l->spec.free_arg(l->spec.arg);
    }
    mst_task_release(&l->task);
    free(l);
}

static void unlink_live(struct mst_jobq *q, const struct live *l)
{
    struct live **p = &q->first;

    while (*p != l) {
        p = &(*p)->next;
    }
    *p = l->next;
}

static void set_end(struct live *l, enum mst_rc rc, const struct mst_err *err)
{
    struct mst_job *j = &l->job;

    mst_live_counters(l);
    j->ended_wall_ms = wall(l->q);
    j->exit_status = mst_rc_exit(rc);
    j->state = rc == MST_OK                                            ? MST_JOB_DONE
               : rc == MST_E_CANCELLED && mst_task_cancelled(&l->task) ? MST_JOB_CANCELLED
                                                                       : MST_JOB_FAILED;
    if (rc != MST_OK && !l->text_given) {
        (void)mst_copy(j->result, sizeof(j->result), err->msg);
    }
    if (rc == MST_OK && j->total_bytes) {
        j->total_bytes = j->done_bytes; /* it was an estimate */
    }
    j->rate_bps = 0;
    j->eta_ms = -1;
    j->stalled_ms = 0;
}

/* Row first, then the rest of the world; then the job leaves the list of the living. */
static void finish(struct live *l, enum mst_rc rc, const struct mst_err *err)
{
    struct mst_jobq *q = l->q;
    struct mst_job copy;

    mst_mutex_lock(&q->mtx);
    set_end(l, rc, err);
    copy = l->job;
    mst_mutex_unlock(&q->mtx);
    save_or_log(q, &copy);
    if (q->o.ended) {
        q->o.ended(q->o.arg, &copy, l->plan);
    }
    mst_mutex_lock(&q->mtx);
    unlink_live(q, l);
    mst_cond_broadcast(&q->cond);
    mst_mutex_unlock(&q->mtx);
    free_live(l);
    changed(q);
}

static void run_job(struct live *l)
{
    struct mst_err err = {0};
    struct mst_job copy;
    enum mst_rc rc;

    mst_mutex_lock(&l->q->mtx);
    l->job.started_wall_ms = wall(l->q);
    l->moved_ms = l->sample_ms = mst_clock_mono_ms(l->q->o.clock);
    copy = l->job;
    mst_mutex_unlock(&l->q->mtx);
    rc = save(l->q, &copy, &err); /* the row is durable before the first effect */
    changed(l->q);
    if (rc == MST_OK) {
        current_job = l->id;
        mst_store_work_for(&l->task);
        rc = l->spec.fn(l->spec.arg, &l->task, &err);
        mst_store_work_for(NULL);
        current_job = 0;
    }
    finish(l, rc, &err);
}

/* The oldest job that may start now; locked. */
static struct live *pick(struct mst_jobq *q)
{
    bool busy = false;

    for (struct live *l = q->first; l; l = l->next) {
        busy = busy || (l->running && l->spec.exclusive);
    }
    for (struct live *l = q->first; l; l = l->next) {
        if (!l->running && !(l->spec.exclusive && busy)) {
            return l;
        }
    }
    return NULL;
}

static void worker(void *arg)
{
    struct mst_jobq *q = arg;

    mst_mutex_lock(&q->mtx);
    for (;;) {
        struct live *l = pick(q);
        const struct mst_err stopped = {.msg = "stopped before it began"};

        if (!l && q->closing) {
            break;
        }
        if (!l) {
            mst_cond_wait(&q->cond, &q->mtx);
            continue;
        }
        l->running = true;
        if (mst_task_cancelled(&l->task)) {
            mst_mutex_unlock(&q->mtx);
            finish(l, MST_E_CANCELLED, &stopped);
        } else {
            l->job.state = MST_JOB_RUNNING;
            mst_mutex_unlock(&q->mtx);
            run_job(l);
        }
        mst_mutex_lock(&q->mtx);
    }
    mst_mutex_unlock(&q->mtx);
}

/* interface
 */

static enum mst_rc mark_dead(struct mst_db *db, void *arg, struct mst_err *err)
{
    struct mst_jobq *q = arg;

    return mst_db_run(
        db, err,
        "UPDATE jobs SET state = ?, ended_ms = ?, exit_status = 16, "
        "result = 'interrupted: ' || owner || ' ended while it was ' || "
        "CASE state WHEN 0 THEN 'queued' ELSE 'running' || CASE phase WHEN '' THEN '' ELSE "
        "' (' || phase || ')' END END "
        "WHERE state IN (0, 1, 2)",
        "ii", (int64_t)MST_JOB_INTERRUPTED, wall(q));
}

struct own {
    struct mst_jobq *q;
    int64_t n;
};

static enum mst_rc own_tx(struct mst_db *db, void *arg, struct mst_err *err)
{
    struct own *o = arg;
    const enum mst_rc rc = mark_dead(db, o->q, err);

    o->n = mst_db_changes(db);
    return rc;
}

enum mst_rc mst_jobq_own(struct mst_jobq *q, uint64_t *interrupted, struct mst_err *err)
{
    struct own o = {.q = q};
    enum mst_rc rc;

    *interrupted = 0;
    if (q->o.own) {
        return MST_OK;
    }
    rc = mst_db_tx(q->o.db, own_tx, &o, err);
    if (rc == MST_OK) {
        q->o.own = true;
        *interrupted = (uint64_t)o.n;
    }
    return rc;
}

enum mst_rc mst_jobq_open(const struct mst_jobq_opts *o, struct mst_jobq **out, struct mst_err *err)
{
    struct mst_jobq *q = mst_xcalloc(1, sizeof(*q));
    const unsigned n = o->workers == 0 ? 2 : o->workers < WORKERS_MAX ? o->workers : WORKERS_MAX;
    const bool own = o->own;
    uint64_t dead;
    enum mst_rc rc = MST_OK;

    q->o = *o;
    q->o.own = false;
    (void)mst_copy(q->owner, sizeof(q->owner), o->owner ? o->owner : "a process");
    mst_mutex_init(&q->mtx);
    mst_cond_init(&q->cond);
    if (own) {
        rc = mst_jobq_own(q, &dead, err);
    }
    for (unsigned i = 0; rc == MST_OK && i < n; i++) {
        rc = mst_thread_start(&q->workers[i], "mst-job", worker, q, err);
        q->n_workers += rc == MST_OK;
    }
    if (rc != MST_OK) {
        mst_jobq_close(q);
        q = NULL;
    }
    *out = q;
    return rc;
}

void mst_jobq_close(struct mst_jobq *q)
{
    if (!q) {
        return;
    }
    mst_mutex_lock(&q->mtx);
    q->closing = true;
    for (struct live *l = q->first; l; l = l->next) {
        mst_task_cancel(&l->task);
    }
    mst_cond_broadcast(&q->cond);
    mst_mutex_unlock(&q->mtx);
    for (unsigned i = 0; i < q->n_workers; i++) {
        mst_thread_join(&q->workers[i]);
    }
    MST_ASSERT(q->first == NULL);
    mst_cond_release(&q->cond);
    mst_mutex_release(&q->mtx);
    free(q);
}

static const char *text(const char *s)
{
    return s ? s : "";
}

struct insert {
    struct live *l;
    const struct mst_job_spec *spec;
};

static enum mst_rc insert_tx(struct mst_db *db, void *arg, struct mst_err *err)
{
    struct insert *in = arg;
    const struct mst_job *j = &in->l->job;
    const enum mst_rc rc = mst_db_run(
        db, err,
        "INSERT INTO jobs (kind, state, backup, target, who, plan, command, owner, queued_ms) "
        "VALUES (?,?,?,?,?,?,?,?,?)",
        "iitttttti", (int64_t)j->kind, (int64_t)MST_JOB_QUEUED, j->backup_id, j->target, j->who,
        in->l->plan, text(in->spec->command), in->l->q->owner, j->queued_wall_ms);

    in->l->id = rc == MST_OK ? (uint64_t)mst_db_last_id(db) : 0;
    return rc;
}

enum mst_rc mst_jobq_add(struct mst_jobq *q, const struct mst_job_spec *spec, uint64_t *id,
                         struct mst_err *err)
{
    struct live *l = mst_xcalloc(1, sizeof(*l)), **p;
    struct insert in = {.l = l, .spec = spec};
    enum mst_rc rc;

    l->q = q;
    l->spec = *spec;
    (void)mst_copy(l->plan, sizeof(l->plan), text(spec->plan));
    l->job.kind = spec->kind;
    l->job.state = MST_JOB_QUEUED;
    l->job.eta_ms = -1;
    l->job.queued_wall_ms = wall(q);
    (void)mst_copy(l->job.backup_id, sizeof(l->job.backup_id), text(spec->backup));
    (void)mst_copy(l->job.target, sizeof(l->job.target), text(spec->target));
    (void)mst_copy(l->job.who, sizeof(l->job.who), text(spec->who));
    rc = mst_task_init(&l->task, err);
    l->task.repeats_max = MST_TASK_REPEATS;
    l->task.log = job_log;
    l->task.log_arg = l;
    if (rc == MST_OK && !q->o.own) {
        rc = mst_err_set(err, MST_E_BUSY, "another process runs the jobs of this set");
    }
    if (rc == MST_OK) {
        rc = mst_db_tx(q->o.db, insert_tx, &in, err);
    }
    if (rc != MST_OK) {
        free_live(l);
        return rc;
    }
    l->job.id = *id = l->id;
    mst_mutex_lock(&q->mtx);
    for (p = &q->first; *p; p = &(*p)->next) {
    }
    *p = l;
    mst_cond_signal(&q->cond);
    mst_mutex_unlock(&q->mtx);
    changed(q);
    return MST_OK;
}

enum mst_rc mst_jobq_cancel(struct mst_jobq *q, uint64_t id, struct mst_err *err)
{
    int64_t state;
    bool found = false;

    mst_mutex_lock(&q->mtx);
    for (struct live *l = q->first; l; l = l->next) {
        if (l->id == id) {
            found = true;
            mst_task_cancel(&l->task);
            if (l->job.state == MST_JOB_RUNNING) {
                l->job.state = MST_JOB_CANCELLING;
            }
        }
    }
    mst_cond_broadcast(&q->cond);
    mst_mutex_unlock(&q->mtx);
    if (found) {
        changed(q);
        return MST_OK;
    }
    if (mst_db_int(q->o.db, -1, &state, err, "SELECT state FROM jobs WHERE id = ?", "i",
                   (int64_t)id) != MST_OK) {
        return err->rc;
    }
    return state < 0
               ? mst_err_set(err, MST_E_NOTFOUND, "there is no job %llu", (unsigned long long)id)
               : mst_err_set(err, MST_E_PRECOND, "job %llu has ended (%s)", (unsigned long long)id,
                             mst_job_state_word((enum mst_job_state)state));
}

void mst_jobq_result(struct mst_jobq *q, uint64_t id, const char *backup_id, const char *line)
{
    mst_mutex_lock(&q->mtx);
    for (struct live *l = q->first; l; l = l->next) {
        if (l->id == id) {
            if (backup_id) {
                (void)mst_copy(l->job.backup_id, sizeof(l->job.backup_id), backup_id);
            }
            if (line) {
                mst_text_clean(l->job.result, sizeof(l->job.result), line, strlen(line));
                l->text_given = true;
            }
        }
    }
    mst_mutex_unlock(&q->mtx);
}

bool mst_jobq_active(struct mst_jobq *q)
{
    bool yes;

    mst_mutex_lock(&q->mtx);
    yes = q->first != NULL;
    mst_mutex_unlock(&q->mtx);
    return yes;
}
