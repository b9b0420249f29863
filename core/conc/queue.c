#include "conc/queue.h"

#include "base/clock.h"
#include "base/mem.h"
#include "conc/thread.h"

struct mst_queue {
    struct mst_mutex mtx;
    struct mst_cond changed;
    void **ring;
    size_t max, head, n;
    bool closed;
    void (*free_fn)(void *msg);
};

struct mst_queue *mst_queue_new(size_t max, void (*free_fn)(void *msg))
{
    struct mst_queue *q = mst_xcalloc(1, sizeof(*q));

    mst_mutex_init(&q->mtx);
    mst_cond_init(&q->changed);
    q->ring = mst_xcalloc(max, sizeof(*q->ring));
    q->max = max;
    q->free_fn = free_fn ? free_fn : free;
    return q;
}

void mst_queue_free(struct mst_queue *q)
{
    if (!q) {
        return;
    }
    while (q->n > 0) {
        q->free_fn(q->ring[q->head]);
        q->head = (q->head + 1) % q->max;
        q->n--;
    }
    mst_cond_release(&q->changed);
    mst_mutex_release(&q->mtx);
    free(q->ring);
    free(q);
}

static enum mst_rc push(struct mst_queue *q, void *msg, bool wait, struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    mst_mutex_lock(&q->mtx);
    while (wait && !q->closed && q->n == q->max) {
        mst_cond_wait(&q->changed, &q->mtx);
    }
    if (q->closed) {
        rc = mst_err_set(err, wait ? MST_E_CANCELLED : MST_E_BUSY, "the queue is closed");
    } else if (q->n == q->max) {
        rc = mst_err_set(err, MST_E_BUSY, "the queue is full (%zu messages)", q->max);
    } else {
        q->ring[(q->head + q->n++) % q->max] = msg;
        mst_cond_broadcast(&q->changed);
    }
    mst_mutex_unlock(&q->mtx);
    if (rc != MST_OK) {
        q->free_fn(msg);
    }
    return rc;
}

enum mst_rc mst_queue_push_take(struct mst_queue *q, void *msg, struct mst_err *err)
{
    return push(q, msg, false, err);
}

enum mst_rc mst_queue_push_wait_take(struct mst_queue *q, void *msg, struct mst_err *err)
{
    return push(q, msg, true, err);
}

void *mst_queue_pop(struct mst_queue *q, int64_t wait_ms)
{
    const int64_t end = mst_clock_mono_ms(NULL) + wait_ms;
    void *msg = NULL;

    mst_mutex_lock(&q->mtx);
    while (q->n == 0 && !q->closed) {
        const int64_t left = end - mst_clock_mono_ms(NULL);

        if (left <= 0) {
            break;
        }
        (void)mst_cond_wait_ms(&q->changed, &q->mtx, left);
    }
    if (q->n > 0) {
        msg = q->ring[q->head];
        q->head = (q->head + 1) % q->max;
        q->n--;
        mst_cond_broadcast(&q->changed);
    }
    mst_mutex_unlock(&q->mtx);
    return msg;
}

void mst_queue_close(struct mst_queue *q)
{
    mst_mutex_lock(&q->mtx);
    q->closed = true;
    mst_cond_broadcast(&q->changed);
    mst_mutex_unlock(&q->mtx);
}
