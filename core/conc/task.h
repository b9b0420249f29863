/* task.h: what long work carries: a cancel flag (also an fd to poll), progress counters, a phase.
 *
 * The owner makes it, hands it to a worker and outlives it. Workers look at mst_task_cancelled() at
 * least every second and every MiB; counters are atomics that the engine samples. The phase is a
 * short sanitised text under a lock.
 */
#ifndef MST_CONC_TASK_H
#define MST_CONC_TASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "conc/thread.h"
#include "conc/wake.h"

#define MST_PHASE_MAX 96

struct mst_task {
    atomic_bool cancel;
    struct mst_wake
        wake; /* readable once cancelled and never drained: blocking waits poll wake.fd */
    atomic_uint_fast64_t done_bytes, total_bytes; /* total 0: not known yet */
    /* Whole collections, of a verify whole objects; total 0: not known yet. */
    atomic_uint_fast64_t items_done, items_total;
    atomic_uint_fast64_t beats; /* work without bytes, so that it is not taken for a stall */
    int repeats_max;            /* 0: no limit; set before it is shared */
    atomic_int debt;            /* of repeated calls, see mst_task_repeat */
    struct mst_mutex mtx;
    char phase[MST_PHASE_MAX];
    void (*log)(void *arg, const char *line); /* job log sink, thread-safe; may be NULL */
    void *log_arg;
};

enum mst_rc mst_task_init(struct mst_task *t, struct mst_err *err) MST_MUST_CHECK;
void mst_task_release(struct mst_task *t);
void mst_task_cancel(struct mst_task *t);          /* async-signal-safe */
bool mst_task_cancelled(const struct mst_task *t); /* NULL: never */
/* MST_E_CANCELLED when cancelled, else MST_OK: if (mst_task_check(task, err) != MST_OK) goto out;
 */
enum mst_rc mst_task_check(const struct mst_task *t, struct mst_err *err) MST_MUST_CHECK;
/* So many collections (of a verify: objects) are to be done, none is yet; then one by one. The task
 * may be NULL. */
void mst_task_items(struct mst_task *t, uint64_t total);
void mst_task_item_done(struct mst_task *t);
/* May a call that failed be repeated? All calls of a job share one budget, so that a peer that
 * fails often is given up and not asked ten times as often as is needed: repeats_max, and one more
 * for every five calls that went well (mst_task_went_well). NULL, and one without a limit: always.
 */
#define MST_TASK_REPEATS 100 /* of a job */
bool mst_task_repeat(struct mst_task *t);
void mst_task_went_well(struct mst_task *t);
/* Sleep that a cancel ends; false when cancelled. */
bool mst_task_sleep_ms(const struct mst_task *t, int64_t ms);
void mst_task_phase(struct mst_task *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mst_task_phase_copy(struct mst_task *t, char out[MST_PHASE_MAX]);
void mst_task_log(struct mst_task *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
