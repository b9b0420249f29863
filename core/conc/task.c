#include "conc/task.h"

#include <poll.h>
#include <stdarg.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

enum mst_rc mst_task_init(struct mst_task *t, struct mst_err *err)
{
    memset(t, 0, sizeof(*t));
    mst_mutex_init(&t->mtx);
    return mst_wake_init(&t->wake, err);
}

void mst_task_release(struct mst_task *t)
{
    mst_wake_release(&t->wake);
    mst_mutex_release(&t->mtx);
}

void mst_task_cancel(struct mst_task *t)
{
    atomic_store(&t->cancel, true);
    mst_wake_signal(&t->wake);
}

bool mst_task_cancelled(const struct mst_task *t)
{
    return t && atomic_load(&t->cancel);
}

enum mst_rc mst_task_check(const struct mst_task *t, struct mst_err *err)
{
    return mst_task_cancelled(t) ? mst_err_set(err, MST_E_CANCELLED, "stopped on request") : MST_OK;
}

#define REPEAT_COST 5 /* as much as so many successes */

bool mst_task_repeat(struct mst_task *t)
{
    int debt = t ? atomic_load(&t->debt) : 0;

    if (!t || t->repeats_max == 0) {
        return true;
    }
    do {
        if (debt + REPEAT_COST > t->repeats_max * REPEAT_COST) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&t->debt, &debt, debt + REPEAT_COST));
    return true;
}

void mst_task_went_well(struct mst_task *t)
{
    int debt = t ? atomic_load(&t->debt) : 0;

    while (debt > 0 && !atomic_compare_exchange_weak(&t->debt, &debt, debt - 1)) {
    }
}

bool mst_task_sleep_ms(const struct mst_task *t, int64_t ms)
{
    const int64_t end = mst_clock_mono_ms(NULL) + ms;
    int64_t left = ms;

    if (!t) {
        mst_clock_sleep_ms(ms);
        return true;
    }
    while (left > 0 && !mst_task_cancelled(t)) {
        struct pollfd p = {.fd = t->wake.fd, .events = POLLIN};

        (void)poll(&p, 1, (int)(left > 60000 ? 60000 : left));
        left = end - mst_clock_mono_ms(NULL);
    }
    return !mst_task_cancelled(t);
}

void mst_task_items(struct mst_task *t, uint64_t total)
{
    if (t) {
        atomic_store(&t->items_done, 0);
        atomic_store(&t->items_total, total);
    }
}

void mst_task_item_done(struct mst_task *t)
{
    if (t) {
        atomic_fetch_add(&t->items_done, 1);
    }
}

void mst_task_phase(struct mst_task *t, const char *fmt, ...)
{
    va_list ap;

    if (!t) {
        return;
    }
    mst_mutex_lock(&t->mtx);
    va_start(ap, fmt);
    (void)vsnprintf(t->phase, sizeof(t->phase), fmt, ap);
    va_end(ap);
    mst_text_sanitise(t->phase);
    mst_mutex_unlock(&t->mtx);
}

void mst_task_phase_copy(struct mst_task *t, char out[MST_PHASE_MAX])
{
    mst_mutex_lock(&t->mtx);
    memcpy(out, t->phase, MST_PHASE_MAX);
    mst_mutex_unlock(&t->mtx);
}

void mst_task_log(struct mst_task *t, const char *fmt, ...)
{
    va_list ap;
    char line[512];

    if (!t || !t->log) {
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    mst_text_sanitise(line);
    t->log(t->log_arg, line);
}
