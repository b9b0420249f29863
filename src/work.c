#include "work.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/when.h"
#include "conc/thread.h"

#define TICK_MS 200

struct work {
    cmd_work_fn *fn;
    void *arg;
    struct mst_task task;
    struct mst_err err;
    enum mst_rc rc;
    atomic_bool ended;
};

static void body(void *arg)
{
    struct work *w = arg;

    w->rc = w->fn(w->arg, &w->task, &w->err);
    atomic_store(&w->ended, true);
    mst_wake_signal(&w->task.wake);
}

static void progress(struct work *w, bool *shown)
{
    char phase[MST_PHASE_MAX], done[MST_HUMAN_MAX], total[MST_HUMAN_MAX];
    const uint64_t bytes = atomic_load(&w->task.done_bytes),
                   all = atomic_load(&w->task.total_bytes);

    mst_task_phase_copy(&w->task, phase);
    if (all) {
        (void)fprintf(stderr, "\r\033[K%s: %s of %s", phase, mst_text_bytes(bytes, done),
                      mst_text_bytes(all, total));
    } else {
        (void)fprintf(stderr, "\r\033[K%s", phase);
    }
    (void)fflush(stderr);
    *shown = true;
}

enum mst_rc cmd_work(const struct cmd_ctx *c, cmd_work_fn *fn, void *arg, atomic_bool *asking,
                     struct mst_err *err)
{
    struct work w = {.fn = fn, .arg = arg};
    struct mst_thread thread = {.running = false};
    struct pollfd fds[2] = {{.fd = cmd_signal_fd(), .events = POLLIN}, {.events = POLLIN}};
    const bool show = !c->plain && !c->json && isatty(STDERR_FILENO) == 1;
    bool shown = false;

    if (mst_task_init(&w.task, err) != MST_OK) {
        return err->rc;
    }
    fds[1].fd = w.task.wake.fd;
    if (mst_thread_start(&thread, "work", body, &w, err) != MST_OK) {
        mst_task_release(&w.task);
        return err->rc;
    }
    while (!atomic_load(&w.ended)) {
        (void)poll(fds, 2, TICK_MS);
        if (cmd_signal() && !mst_task_cancelled(&w.task)) {
            mst_task_cancel(&w.task);
            fds[0].fd = fds[1].fd = -1; /* both stay readable from here on */
        }
        if (show && !(asking && atomic_load(asking))) {
            progress(&w, &shown);
        }
    }
    mst_thread_join(&thread);
    if (shown) {
        (void)fputs("\r\033[K", stderr);
    }
    mst_task_release(&w.task);
    if (w.rc != MST_OK) {
        *err = w.err;
    }
    return w.rc;
}

enum mst_rc cmd_as_of(const struct cmd_ctx *c, int64_t *out, struct mst_err *err)
{
    const int64_t now = mst_clock_utc_ms(NULL);
    const char *v = args_get(&c->args, "as-of");
    int64_t span;

    *out = 0;
    if (!v) {
        return MST_OK;
    }
    *out = mst_when_span(v, &span) ? now - span : mst_when_moment(v);
    if (*out <= 0) {
        return mst_err_set(
            err, MST_E_USAGE,
            "--as-of %s: it is a time such as 2026-11-27T03:00Z or 2026-11-27, or so "
            "long ago: 30m, 12h, 2d",
            v);
    }
    return *out > now ? mst_err_set(err, MST_E_USAGE, "--as-of %s is in the future", v) : MST_OK;
}
