/* Reading ahead: ranges of an object that are on their way before their reader asks for them. Each
 * range has a thread of its own, which starts with the first reader that needs it. A window and its
 * list of ranges belong to the reader that made it busy, the state of a range to the store's lock,
 * and the bytes of a range to its thread while it flies. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/s3_own.h"

#define PROVEN_READS 3U
#define PROVEN_BYTES ((uint64_t)2 * 1024 * 1024)
#define LOOK_MS 100

void mst_s3_ahead_init(struct s3 *s)
{
    mst_cond_init(&s->came);
    for (size_t i = 0; i < S3_RANGES; i++) {
        s->ranges[i].s = s;
        mst_cond_init(&s->ranges[i].work);
    }
}

static enum mst_rc fetch(struct s3_range *g)
{
    struct s3_get q = {
        .key = g->key, .from = g->from, .n = g->n, .out = &g->data, .task = &g->task};

    (void)mst_copy(q.etag, sizeof(q.etag), g->etag);
    if (mst_s3_get(g->s, &q, &g->err) != MST_OK) {
        return g->err.rc;
    }
    if (g->data.len != g->n) {
        return mst_err_set(&g->err, MST_E_SERVER,
                           "cannot read %s in the store %s (%s): %zu bytes came from %llu where "
                           "%zu were asked for",
                           g->key, g->s->base.name, g->s->base.where, g->data.len,
                           (unsigned long long)g->from, g->n);
    }
    return MST_OK;
}

static void work(void *arg)
{
    struct s3_range *g = arg;
    struct s3 *s = g->s;

    mst_mutex_lock(&s->mtx);
    while (!s->stopping) {
        if (g->state != S3_ASKED) {
            mst_cond_wait(&g->work, &s->mtx);
            continue;
        }
        if (mst_task_init(&g->task, &g->err) == MST_OK) {
            g->state = S3_FLYING;
            mst_mutex_unlock(&s->mtx);
            (void)!fetch(g);
            mst_mutex_lock(&s->mtx);
            mst_task_release(&g->task);
        }
        g->came_ms = mst_clock_mono_ms(NULL);
        g->state = g->dropped ? S3_FREE : S3_CAME;
        if (g->dropped) {
            mst_buf_release(&g->data);
        }
        mst_cond_broadcast(&s->came);
    }
    mst_mutex_unlock(&s->mtx);
}

/* With the lock held; NULL: all are in use. */
static struct s3_range *free_range(struct s3 *s)
{
    struct mst_err ignore = {0};

    for (size_t i = 0; i < S3_RANGES; i++) {
        struct s3_range *g = &s->ranges[i];

        if (g->state == S3_FREE) {
            const bool runs = g->thread.running ||
                              mst_thread_start(&g->thread, "s3-ahead", work, g, &ignore) == MST_OK;

            return runs ? g : NULL; /* without a thread it is read as before */
        }
    }
    return NULL;
}

/* A reader that has just begun may be about to stop: it gets one more for each that it has read. A
 * store that asked for less gets fewer. */
static size_t allowed(const struct s3 *s, const struct s3_window *w)
{
    const uint64_t earned = 1 + w->run / S3_RANGE;
    const size_t most = s->limit < S3_AHEAD ? s->limit : S3_AHEAD;

    if (w->reads < PROVEN_READS || w->run < PROVEN_BYTES || !w->etag[0]) {
        return 0;
    }
    return earned < most ? (size_t)earned : most;
}

void mst_s3_ahead_ask(struct s3 *s, struct s3_window *w)
{
    mst_mutex_lock(&s->mtx);
    if (w->n_ahead == 0) {
        w->asked = w->from + (w->data.len - w->at);
    }
    for (const size_t most = allowed(s, w); w->n_ahead < most && w->asked < w->total;) {
        const uint64_t left = w->total - w->asked;
        struct s3_range *g = free_range(s);

        if (!g) {
            break;
        }
        (void)mst_copy(g->key, sizeof(g->key), w->key);
        (void)mst_copy(g->etag, sizeof(g->etag), w->etag);
        g->from = w->asked;
        g->n = left < S3_RANGE ? (size_t)left : S3_RANGE;
        g->dropped = false;
        g->err = (struct mst_err){0};
        mst_buf_reset(&g->data);
        (void)mst_buf_room(&g->data, g->n); /* once, and not by doubling */
        g->state = S3_ASKED;
        mst_cond_signal(&g->work);
        w->asked += g->n;
        w->ahead[w->n_ahead++] = g;
    }
    mst_mutex_unlock(&s->mtx);
}

/* With the lock held: memory of ranges that nobody uses. */
static void trim(struct s3 *s)
{
    for (size_t i = 0; i < S3_RANGES; i++) {
        if (s->ranges[i].state == S3_FREE) {
            mst_buf_release(&s->ranges[i].data);
        }
    }
}

void mst_s3_ahead_drop(struct s3 *s, struct s3_window *w)
{
    for (size_t i = 0; i < w->n_ahead; i++) {
        struct s3_range *g = w->ahead[i];

        if (g->state == S3_FLYING) {
            g->dropped = true;
            mst_task_cancel(&g->task);
        } else {
            g->state = S3_FREE;
        }
    }
    w->n_ahead = w->ahead_at = 0;
    if (w->run >= PROVEN_BYTES) {
        trim(s);
    }
}

/* Until the first range is there. */
static enum mst_rc await(struct s3 *s, const struct s3_range *g, struct mst_err *err)
{
    while (g->state != S3_CAME) {
        if (mst_task_check(mst_store_works_for(), err) != MST_OK) {
            return err->rc;
        }
        (void)mst_cond_wait_ms(&s->came, &s->mtx, LOOK_MS);
    }
    *err = g->err.rc != MST_OK ? g->err : *err;
    return g->err.rc;
}

enum mst_rc mst_s3_ahead_take(struct s3 *s, struct s3_window *w, void *buf, size_t n, size_t *got,
                              struct mst_err *err)
{
    struct s3_range *g = w->ahead[0];
    const int64_t now = mst_clock_mono_ms(NULL);
    size_t left;
    enum mst_rc rc;

    *got = 0;
    mst_mutex_lock(&s->mtx);
    rc = await(s, g, err);
    if (rc == MST_OK && now - g->came_ms > S3_OLD_MS) {
        mst_s3_ahead_drop(s, w);
        mst_mutex_unlock(&s->mtx);
        return MST_OK;
    }
    mst_mutex_unlock(&s->mtx);
    if (rc != MST_OK) {
        return rc;
    }
    left = g->data.len - w->ahead_at;
    *got = left < n ? left : n;
    memcpy(buf, g->data.p + w->ahead_at, *got);
    w->ahead_at += *got;
    w->read_ms = now;
    if (w->ahead_at == g->data.len) {
        mst_mutex_lock(&s->mtx);
        g->state = S3_FREE; /* its memory is for the next one */
        mst_mutex_unlock(&s->mtx);
        w->ahead_at = 0;
        w->n_ahead--;
        memmove(w->ahead, w->ahead + 1, w->n_ahead * sizeof(w->ahead[0]));
    }
    return MST_OK;
}

void mst_s3_ahead_stop(struct s3 *s)
{
    mst_mutex_lock(&s->mtx);
    s->stopping = true;
    for (size_t i = 0; i < S3_RANGES; i++) {
        if (s->ranges[i].state == S3_FLYING) {
            mst_task_cancel(&s->ranges[i].task);
        }
        mst_cond_signal(&s->ranges[i].work);
    }
    mst_mutex_unlock(&s->mtx);
    for (size_t i = 0; i < S3_RANGES; i++) {
        mst_thread_join(&s->ranges[i].thread);
        mst_buf_release(&s->ranges[i].data);
        mst_cond_release(&s->ranges[i].work);
    }
    mst_cond_release(&s->came);
}
