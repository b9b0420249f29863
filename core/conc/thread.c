#include "conc/thread.h"

#include <errno.h>
#include <signal.h>

#include "base/mem.h"

struct start {
    void (*fn)(void *arg);
    void *arg;
    char name[16];
};

void mst_mutex_init(struct mst_mutex *m)
{
    MST_ASSERT(pthread_mutex_init(&m->m, NULL) == 0);
}

void mst_mutex_release(struct mst_mutex *m)
{
    (void)pthread_mutex_destroy(&m->m);
}

void mst_mutex_lock(struct mst_mutex *m)
{
    MST_ASSERT(pthread_mutex_lock(&m->m) == 0);
}

void mst_mutex_unlock(struct mst_mutex *m)
{
    MST_ASSERT(pthread_mutex_unlock(&m->m) == 0);
}

void mst_cond_init(struct mst_cond *c)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    MST_ASSERT(pthread_cond_init(&c->c, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
}

void mst_cond_release(struct mst_cond *c)
{
    (void)pthread_cond_destroy(&c->c);
}

void mst_cond_signal(struct mst_cond *c)
{
    (void)pthread_cond_signal(&c->c);
}

void mst_cond_broadcast(struct mst_cond *c)
{
    (void)pthread_cond_broadcast(&c->c);
}

void mst_cond_wait(struct mst_cond *c, struct mst_mutex *m)
{
    (void)pthread_cond_wait(&c->c, &m->m);
}

bool mst_cond_wait_ms(struct mst_cond *c, struct mst_mutex *m, int64_t ms)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    if (ms < 0) {
        ms = 0;
    }
    ts.tv_sec += ms / 1000;
    ts.tv_nsec += ms % 1000 * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait(&c->c, &m->m, &ts) != ETIMEDOUT;
}

static void *trampoline(void *p)
{
    struct start s = *(struct start *)p;

    free(p);
    (void)pthread_setname_np(pthread_self(), s.name);
    s.fn(s.arg);
    return NULL;
}

static enum mst_rc start(pthread_t *t, const char *name, void (*fn)(void *arg), void *arg,
                         struct mst_err *err)
{
    struct start *s = mst_xcalloc(1, sizeof(*s));
    sigset_t all, old;
    int num;
    char why[128];

    s->fn = fn;
    s->arg = arg;
    (void)mst_copy(s->name, sizeof(s->name), name);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &old);
    num = pthread_create(t, NULL, trampoline, s);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (num != 0) {
        free(s);
        return mst_err_set_detail(err, MST_E_IO, num, "cannot start the thread %s: %s", name,
                                  mst_errno_text(num, why, sizeof(why)));
    }
    return MST_OK;
}

enum mst_rc mst_thread_start(struct mst_thread *t, const char *name, void (*fn)(void *arg),
                             void *arg, struct mst_err *err)
{
    const enum mst_rc rc = start(&t->t, name, fn, arg, err);

    t->running = rc == MST_OK;
    return rc;
}

void mst_thread_join(struct mst_thread *t)
{
    if (t->running) {
        (void)pthread_join(t->t, NULL);
        t->running = false;
    }
}

enum mst_rc mst_thread_spawn(const char *name, void (*fn)(void *arg), void *arg,
                             struct mst_err *err)
{
    pthread_t t;
    const enum mst_rc rc = start(&t, name, fn, arg, err);

    if (rc == MST_OK) {
        (void)pthread_detach(t);
    }
    return rc;
}

void mst_thread_block_signals(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
}
