/* thread.h: threads, locks and waits; conc is the only module that names pthread.
 *
 * Waits take a relative time on the monotonic clock, so a clock jump moves nobody.
 */
#ifndef MST_CONC_THREAD_H
#define MST_CONC_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mst_mutex {
    pthread_mutex_t m;
};
struct mst_cond {
    pthread_cond_t c;
};
struct mst_thread {
    pthread_t t;
    bool running;
};

void mst_mutex_init(struct mst_mutex *m);
void mst_mutex_release(struct mst_mutex *m);
void mst_mutex_lock(struct mst_mutex *m);
void mst_mutex_unlock(struct mst_mutex *m);

void mst_cond_init(struct mst_cond *c);
void mst_cond_release(struct mst_cond *c);
void mst_cond_signal(struct mst_cond *c);
void mst_cond_broadcast(struct mst_cond *c);
void mst_cond_wait(struct mst_cond *c, struct mst_mutex *m);
/* False when ms passed without a signal. */
bool mst_cond_wait_ms(struct mst_cond *c, struct mst_mutex *m, int64_t ms);

/* Start fn(arg) with all signals blocked and this name (15 characters at most). MST_E_IO when the
 * system has no thread to give. */
enum mst_rc mst_thread_start(struct mst_thread *t, const char *name, void (*fn)(void *arg),
                             void *arg, struct mst_err *err) MST_MUST_CHECK;
void mst_thread_join(struct mst_thread *t); /* no-op when it never started */
/* Start a thread nobody joins. */
enum mst_rc mst_thread_spawn(const char *name, void (*fn)(void *arg), void *arg,
                             struct mst_err *err) MST_MUST_CHECK;
/* Block every signal in the calling thread; called once in main before the first thread. */
void mst_thread_block_signals(void);

#endif
