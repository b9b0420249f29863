#include "writer/writer.h"

#include "base/clock.h"
#include "base/mem.h"
#include "conc/task.h"

struct sbx_writer {
    struct sbx_shop shop; /* of the thread, after start */
    struct sbx_writer_opts opts;
    struct mst_task task;
    struct mst_thread thread;
    struct mst_mutex mu; /* guards what follows */
    struct mst_cond changed;
    struct sbx_shop_stats stats;
    char problem[256];
    bool paused, busy;
};

static void report(struct sbx_writer *w, enum mst_rc rc, const struct mst_err *err)
{
    mst_mutex_lock(&w->mu);
    w->stats = w->shop.stats;
    (void)mst_copy(w->problem, sizeof(w->problem), rc == MST_OK ? "" : err->msg);
    w->busy = false;
    mst_cond_broadcast(&w->changed);
    mst_mutex_unlock(&w->mu);
}

static bool may_go(struct sbx_writer *w)
{
    bool go;

    mst_mutex_lock(&w->mu);
    while (w->paused && !mst_task_cancelled(&w->task)) {
        (void)mst_cond_wait_ms(&w->changed, &w->mu, 100);
    }
    go = !mst_task_cancelled(&w->task);
    w->busy = go;
    mst_mutex_unlock(&w->mu);
    return go;
}

static void loop(void *arg)
{
    struct sbx_writer *w = arg;
    struct mst_err err = {0};
    bool open = false;
    int64_t next_us = mst_clock_mono_us();

    while (may_go(w)) {
        enum mst_rc rc = MST_OK;

        if (w->shop.client.fd < 0) {
            rc = sbx_shop_connect(&w->shop, 200, &err);
        }
        if (rc == MST_OK && !open) {
            rc = sbx_shop_open(&w->shop, w->opts.customers, &err);
            open = rc == MST_OK;
        } else if (rc == MST_OK) {
            rc = sbx_shop_step(&w->shop, w->opts.ddl, &err);
        }
        report(w, rc, &err);
        if (rc != MST_OK && !mst_task_sleep_ms(&w->task, 20)) {
            break;
        }
        if (w->opts.per_s) {
            const int64_t now = mst_clock_mono_us();

            next_us += 1000000 / w->opts.per_s;
            if (next_us < now - 1000000) {
                next_us = now; /* after a gap it does not catch up */
            }
            if (next_us > now + 1000) {
                (void)mst_task_sleep_ms(&w->task, (next_us - now) / 1000);
            }
        }
    }
    report(w, MST_OK, &err);
}

enum mst_rc sbx_writer_start(const struct sbx_writer_opts *o, struct sbx_writer **out,
                             struct mst_err *err)
{
    struct sbx_writer *w = mst_xcalloc(1, sizeof(*w));
    enum mst_rc rc = MST_OK;

    w->opts = *o;
    sbx_shop_init(&w->shop, o->seed);
    w->shop.model = o->model;
    w->shop.majority = o->majority;
    mst_mutex_init(&w->mu);
    mst_cond_init(&w->changed);
    for (size_t i = 0; rc == MST_OK && i < o->n_seeds; i++) {
        if (!sbx_shop_seed(&w->shop, o->seeds[i])) {
            rc = mst_err_set(err, MST_E_USAGE, "the writer cannot use the address %s", o->seeds[i]);
        }
    }
    if (rc == MST_OK) {
        rc = mst_task_init(&w->task, err);
    }
    if (rc == MST_OK) {
        rc = mst_thread_start(&w->thread, "writer", loop, w, err);
        if (rc != MST_OK) {
            mst_task_release(&w->task);
        }
    }
    if (rc != MST_OK) {
        sbx_shop_release(&w->shop);
        free(w);
        return rc;
    }
    *out = w;
    return MST_OK;
}

void sbx_writer_stop(struct sbx_writer *w)
{
    if (!w) {
        return;
    }
    mst_task_cancel(&w->task);
    mst_thread_join(&w->thread);
    sbx_shop_release(&w->shop);
    mst_task_release(&w->task);
    mst_cond_release(&w->changed);
    mst_mutex_release(&w->mu);
    free(w);
}

void sbx_writer_stats(struct sbx_writer *w, struct sbx_shop_stats *out)
{
    mst_mutex_lock(&w->mu);
    *out = w->stats;
    mst_mutex_unlock(&w->mu);
}

void sbx_writer_problem(struct sbx_writer *w, char *out, size_t size)
{
    mst_mutex_lock(&w->mu);
    (void)mst_copy(out, size, w->problem);
    mst_mutex_unlock(&w->mu);
}

void sbx_writer_pause(struct sbx_writer *w, bool on)
{
    mst_mutex_lock(&w->mu);
    w->paused = on;
    mst_cond_broadcast(&w->changed);
    while (on && w->busy) {
        mst_cond_wait(&w->changed, &w->mu);
    }
    mst_mutex_unlock(&w->mu);
}
