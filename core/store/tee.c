#include "store/tee.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/tee_own.h"

#define STALL_MS 120000
#define WAIT_MS 600000
#define ABORT_MS 5000
#define SETTLE_BYTES 1048576U /* an object so small is read back when its finish failed */

struct block { /* data on its way to several stores */
    unsigned refs;
    size_t n;
    unsigned char data[MST_TEE_BLOCK];
};

struct lane { /* one store's side of one object */
    struct shared *sh;
    size_t side;
    unsigned refs; /* the put and the thread */
    char key[MST_KEY_MAX];
    struct block *queue[MST_TEE_QUEUE];
    size_t head, n;
    bool end, stop, done;
    int64_t moved_ms; /* it took something */
    enum mst_rc rc;
    struct mst_err err;
};

struct tee_put {
    struct mst_store_put base;
    struct lane *lane[MST_TEE_STORES]; /* NULL: out when it began */
    struct block *cur;
    struct mst_sha256 sha;
    uint64_t bytes;
    char key[MST_KEY_MAX];
};

/* --- one store's side of an object ------------------------------------------------------------ */

static void block_unref(struct block *b) /* under the lock */
{
    if (--b->refs == 0) {
        free(b);
    }
}

static void lane_unref(struct lane *l) /* under the lock */
{
    if (--l->refs == 0) {
        while (l->n > 0) {
            block_unref(l->queue[l->head]);
            l->head = (l->head + 1) % MST_TEE_QUEUE;
            l->n--;
        }
        free(l);
    }
}

/* The next block; NULL: the end, or nothing is wanted any more (*stop). */
static struct block *lane_next(struct lane *l, bool *stop)
{
    struct shared *sh = l->sh;
    struct block *b = NULL;

    mst_mutex_lock(&sh->mtx);
    while (l->n == 0 && !l->end && !l->stop && !sh->side[l->side].out) {
        mst_cond_wait(&sh->cond, &sh->mtx);
    }
    *stop = l->stop || sh->side[l->side].out;
    if (!*stop && l->n > 0) {
        b = l->queue[l->head];
        l->head = (l->head + 1) % MST_TEE_QUEUE;
        l->n--;
    }
    l->moved_ms = mst_clock_mono_ms(NULL);
    mst_cond_broadcast(&sh->cond);
    mst_mutex_unlock(&sh->mtx);
    return b;
}

/* Under the lock: who had nothing to take did not stand still. */
static void lane_wakes(struct lane *l)
{
    if (l->n == 0) {
        l->moved_ms = mst_clock_mono_ms(NULL);
    }
}

static enum mst_rc lane_write(struct lane *l, struct mst_err *err)
{
    struct mst_store_put *put = NULL;
    struct block *b;
    bool stop = false;
    enum mst_rc rc = mst_store_put_begin(l->sh->side[l->side].store, l->key, &put, err);

    while (rc == MST_OK && (b = lane_next(l, &stop)) != NULL) {
        rc = mst_store_put_add(put, b->data, b->n, err);
        mst_mutex_lock(&l->sh->mtx);
        block_unref(b);
        mst_mutex_unlock(&l->sh->mtx);
    }
    if (rc == MST_OK && !stop) {
        return mst_store_put_finish_take(put, err);
    }
    mst_store_put_abort_take(put);
    return rc == MST_OK ? mst_err_set(err, MST_E_CANCELLED, "stopped") : rc;
}

static void lane_run(void *arg)
{
    struct lane *l = arg;
    struct shared *sh = l->sh;
    struct mst_err err = {0};
    enum mst_rc rc;

    tee_work_for(&sh->side[l->side]);
    rc = lane_write(l, &err);
    tee_leave(&sh->side[l->side]);
    mst_mutex_lock(&sh->mtx);
    l->rc = rc;
    l->err = err;
    l->done = true;
    lane_unref(l);
    mst_cond_broadcast(&sh->cond);
    mst_mutex_unlock(&sh->mtx);
    tee_unref(sh);
}

static struct lane *lane_start(struct shared *sh, size_t side, const char *key)
{
    struct lane *l = mst_xcalloc(1, sizeof(*l));
    struct mst_err err = {0};

    l->sh = sh;
    l->side = side;
    l->refs = 2;
    l->moved_ms = mst_clock_mono_ms(NULL);
    (void)mst_copy(l->key, sizeof(l->key), key);
    tee_ref(sh);
    tee_enter(&sh->side[side]);
    if (mst_thread_spawn("tee-put", lane_run, l, &err) != MST_OK) {
        tee_leave(&sh->side[side]);
        tee_unref(sh);
        free(l);
        tee_out(sh, side, &err);
        return NULL;
    }
    return l;
}

/* --- waiting, with an end --------------------------------------------------------------------- */

static bool busy(const struct lane *l, bool to_end)
{
    return !l->done && (to_end || l->n == MST_TEE_QUEUE);
}

/* Under the lock: could another store go on now? */
static bool others_wait(const struct tee_put *p, size_t i, bool to_end)
{
    const struct shared *sh = p->lane[i]->sh;

    for (size_t k = 0; k < sh->o.n; k++) {
        if (k != i && p->lane[k] && !sh->side[k].out && !busy(p->lane[k], to_end)) {
            return true;
        }
    }
    return false;
}

/* Under the lock: time during which somebody waited for it alone, each second counted once. */
static void count_wait(struct side *s, bool begin, int64_t now)
{
    if (begin && s->waiters++ == 0) {
        s->wait_from_ms = now;
    } else if (!begin && --s->waiters == 0) {
        s->waited_ms += now - s->wait_from_ms;
    }
}

static enum mst_rc too_long(const struct shared *sh, const struct lane *l, const struct side *s,
                            int64_t now, struct mst_err *err)
{
    const int64_t still = now - l->moved_ms;
    const int64_t waited = s->waited_ms + (s->waiters ? now - s->wait_from_ms : 0);

    if (still > sh->o.stall_ms) {
        return mst_err_set(err, MST_E_TIMEOUT, "the store %s took nothing for %lld s",
                           mst_store_name(s->store), (long long)still / 1000);
    }
    if (waited > sh->o.wait_ms) {
        return mst_err_set(err, MST_E_TIMEOUT,
                           "the store %s is too slow: the others waited for it for %lld s",
                           mst_store_name(s->store), (long long)waited / 1000);
    }
    return MST_OK;
}

/* Until the lane has room, or is done (to_end). A store that takes too long is out. */
static void lane_await(const struct tee_put *p, size_t i, bool to_end)
{
    struct lane *l = p->lane[i];
    struct shared *sh = l->sh;
    struct side *s = &sh->side[i];
    struct mst_err err = {0};
    bool counts = false;

    mst_mutex_lock(&sh->mtx);
    while (!s->out && busy(l, to_end) && err.rc == MST_OK) {
        const int64_t now = mst_clock_mono_ms(NULL);

        if (counts != others_wait(p, i, to_end)) {
            counts = !counts;
            count_wait(s, counts, now);
        }
        if (tee_stopped(sh)) {
            (void)!mst_task_check(sh->o.task, &err);
        } else if (too_long(sh, l, s, now, &err) == MST_OK) {
            (void)mst_cond_wait_ms(&sh->cond, &sh->mtx, STEP_MS);
        }
    }
    if (counts) {
        count_wait(s, false, mst_clock_mono_ms(NULL));
    }
    mst_mutex_unlock(&sh->mtx);
    if (err.rc != MST_OK) {
        tee_out(sh, i, &err);
    }
}

/* --- puts ------------------------------------------------------------------------------------- */

static struct shared *of(struct mst_store *s)
{
    return ((struct tee *)(void *)s)->sh;
}

static enum mst_rc t_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                           struct mst_err *err)
{
    struct shared *sh = of(s);
    struct tee_put *p;

    if (tee_in(sh) == 0) {
        return tee_none(sh, err);
    }
    p = mst_xcalloc(1, sizeof(*p));
    p->base.store = s;
    (void)mst_copy(p->key, sizeof(p->key), key);
    mst_sha256_init(&p->sha);
    for (size_t i = 0; i < sh->o.n; i++) {
        p->lane[i] = tee_is_in(sh, i) ? lane_start(sh, i, key) : NULL;
    }
    *out = &p->base;
    return MST_OK;
}

/* A lane that ended before its time has failed. */
static void see_failed(struct shared *sh, const struct tee_put *p)
{
    for (size_t i = 0; i < sh->o.n; i++) {
        struct mst_err err = {0};

        mst_mutex_lock(&sh->mtx);
        if (p->lane[i] && p->lane[i]->done && p->lane[i]->rc != MST_OK) {
            err = p->lane[i]->err;
        }
        mst_mutex_unlock(&sh->mtx);
        if (err.rc != MST_OK) {
            tee_out(sh, i, &err);
        }
    }
}

/* The block goes to every store that is in. */
static enum mst_rc push(struct shared *sh, struct tee_put *p, struct mst_err *err)
{
    struct block *b = p->cur;

    p->cur = NULL;
    if (!b) {
        return MST_OK;
    }
    b->refs = 1;
    for (size_t i = 0; i < sh->o.n; i++) {
        struct lane *l = p->lane[i];

        if (!l) {
            continue;
        }
        lane_await(p, i, false);
        mst_mutex_lock(&sh->mtx);
        if (!sh->side[i].out && !l->done) {
            lane_wakes(l);
            l->queue[(l->head + l->n++) % MST_TEE_QUEUE] = b;
            b->refs++;
        }
        mst_cond_broadcast(&sh->cond);
        mst_mutex_unlock(&sh->mtx);
    }
    mst_mutex_lock(&sh->mtx);
    block_unref(b);
    mst_mutex_unlock(&sh->mtx);
    see_failed(sh, p);
    return tee_in(sh) > 0 ? MST_OK : tee_none(sh, err);
}

static enum mst_rc t_add(struct mst_store_put *put, const void *data, size_t n, struct mst_err *err)
{
    struct tee_put *p = (struct tee_put *)(void *)put;
    struct shared *sh = of(put->store);
    const unsigned char *at = data;

    mst_sha256_add(&p->sha, data, n);
    p->bytes += n;
    while (n > 0) {
        size_t room;

        if (!p->cur) {
            p->cur = mst_xmalloc(sizeof(*p->cur));
            p->cur->n = 0;
        }
        room = MST_TEE_BLOCK - p->cur->n;
        room = room < n ? room : n;
        memcpy(p->cur->data + p->cur->n, at, room);
        p->cur->n += room;
        at += room;
        n -= room;
        if (p->cur->n == MST_TEE_BLOCK && push(sh, p, err) != MST_OK) {
            return err->rc;
        }
    }
    return MST_OK;
}

static void put_free(struct shared *sh, struct tee_put *p)
{
    mst_mutex_lock(&sh->mtx);
    for (size_t i = 0; i < sh->o.n; i++) {
        if (p->lane[i]) {
            lane_unref(p->lane[i]);
        }
    }
    mst_mutex_unlock(&sh->mtx);
    mst_sha256_release(&p->sha);
    free(p->cur);
    free(p);
}

/* Its finish failed: only the answer may have been lost. What could not be made durable, or was
 * somebody else's, stays failed. */
static bool stands_there(struct shared *sh, size_t i, const struct written *w, enum mst_rc rc)
{
    struct mst_err ignore = {0};
    struct call *c;
    bool yes;

    if (rc == MST_E_UNKNOWN || rc == MST_E_EXISTS || rc == MST_E_CANCELLED ||
        w->bytes > SETTLE_BYTES) {
        return false;
    }
    c = call_start(sh, i, w->key, call_hash, NULL, NULL);
    yes = call_wait(c, &ignore) == MST_OK && c->bytes == w->bytes &&
          memcmp(c->sha, w->sha, sizeof(w->sha)) == 0;
    call_release(c);
    return yes;
}

static void settle(struct shared *sh, const struct tee_put *p, const struct written *w)
{
    for (size_t i = 0; i < sh->o.n; i++) {
        const struct lane *l = p->lane[i];
        struct mst_err err = {0};
        enum mst_rc rc = MST_OK;

        mst_mutex_lock(&sh->mtx);
        if (l && l->done && !sh->side[i].out) {
            rc = l->rc;
            err = l->err;
        }
        mst_mutex_unlock(&sh->mtx);
        if (rc != MST_OK && !stands_there(sh, i, w, rc)) {
            tee_out(sh, i, &err);
        }
    }
}

static enum mst_rc t_finish(struct mst_store_put *put, struct mst_err *err)
{
    struct tee_put *p = (struct tee_put *)(void *)put;
    struct shared *sh = of(put->store);
    struct written w = {.bytes = p->bytes};
    enum mst_rc rc = push(sh, p, err);

    mst_sha256_final(&p->sha, w.sha);
    mst_mutex_lock(&sh->mtx);
    for (size_t i = 0; i < sh->o.n; i++) {
        if (p->lane[i]) {
            lane_wakes(p->lane[i]);
            p->lane[i]->end = true;
        }
    }
    mst_cond_broadcast(&sh->cond);
    mst_mutex_unlock(&sh->mtx);
    for (size_t i = 0; i < sh->o.n; i++) {
        if (p->lane[i]) {
            lane_await(p, i, true);
        }
    }
    w.key = mst_xstrdup(p->key);
    if (rc == MST_OK) {
        settle(sh, p, &w);
        rc = tee_in(sh) > 0 ? MST_OK : tee_none(sh, err);
    }
    mst_mutex_lock(&sh->mtx);
    mst_grow((void **)&sh->written, &sh->cap_written, sh->n_written + 1, sizeof(w));
    sh->written[sh->n_written++] = w;
    mst_mutex_unlock(&sh->mtx);
    put_free(sh, p);
    return rc;
}

static void t_abort(struct mst_store_put *put)
{
    struct tee_put *p = (struct tee_put *)(void *)put;
    struct shared *sh = of(put->store);
    const int64_t end = mst_clock_mono_ms(NULL) + ABORT_MS;
    bool all;

    mst_mutex_lock(&sh->mtx);
    for (size_t i = 0; i < sh->o.n; i++) {
        if (p->lane[i]) {
            p->lane[i]->stop = true;
        }
    }
    mst_cond_broadcast(&sh->cond);
    do {
        all = true;
        for (size_t i = 0; i < sh->o.n; i++) {
            all = all && (!p->lane[i] || p->lane[i]->done || sh->side[i].out);
        }
    } while (!all && mst_clock_mono_ms(NULL) < end &&
             (mst_cond_wait_ms(&sh->cond, &sh->mtx, STEP_MS) || true));
    mst_mutex_unlock(&sh->mtx);
    put_free(sh, p);
}

static void t_close(struct mst_store *s)
{
    tee_unref(of(s));
    free(s);
}

struct mst_store *mst_store_tee_new(const struct mst_tee_opts *o)
{
    static const struct mst_store_ops ops = {.close = t_close,
                                             .put_begin = t_begin,
                                             .put_add = t_add,
                                             .put_finish = t_finish,
                                             .put_abort = t_abort,
                                             .read = tee_read,
                                             .stat = tee_stat,
                                             .list = tee_list,
                                             .remove = tee_remove,
                                             .claim = tee_claim};
    struct tee *t = mst_xcalloc(1, sizeof(*t));
    struct shared *sh = mst_xcalloc(1, sizeof(*sh));
    struct mst_err ignore = {0};

    MST_ASSERT(o->n >= 1 && o->n <= MST_TEE_STORES);
    sh->o = *o;
    sh->o.stall_ms = o->stall_ms > 0 ? o->stall_ms : STALL_MS;
    sh->o.wait_ms = o->wait_ms > 0 ? o->wait_ms : WAIT_MS;
    sh->refs = 1;
    mst_mutex_init(&sh->mtx);
    mst_cond_init(&sh->cond);
    t->sh = sh;
    t->base.ops = &ops;
    t->base.local = true;
    t->base.caps = *mst_store_caps(o->stores[0]);
    (void)mst_copy(t->base.where, sizeof(t->base.where), "several stores");
    for (size_t i = 0; i < o->n; i++) {
        const struct mst_store_caps *c = mst_store_caps(o->stores[i]);
        const size_t at = strlen(t->base.name);

        sh->side[i].store = o->stores[i];
        sh->side[i].inside = o->inside[i];
        sh->side[i].has_task = mst_task_init(&sh->side[i].task, &ignore) == MST_OK;
        sh->side[i].task.repeats_max = MST_TASK_REPEATS;
        t->base.local = t->base.local && mst_store_is_local(o->stores[i]);
        t->base.caps.create_only = t->base.caps.create_only && c->create_only;
        t->base.caps.checksums = t->base.caps.checksums && c->checksums;
        t->base.caps.ranges = t->base.caps.ranges && c->ranges;
        (void)snprintf(t->base.name + at, sizeof(t->base.name) - at, "%s%.30s", at ? "+" : "",
                       mst_store_name(o->stores[i]));
    }
    t->base.caps.space = t->base.caps.versions = t->base.caps.lock = false;
    return &t->base;
}

size_t mst_store_tee_in(struct mst_store *tee)
{
    return tee_in(of(tee));
}

enum mst_rc mst_store_tee_status(struct mst_store *tee, size_t i, struct mst_err *err)
{
    struct shared *sh = of(tee);
    enum mst_rc rc = MST_OK;

    mst_mutex_lock(&sh->mtx);
    if (sh->side[i].out) {
        *err = sh->side[i].err;
        rc = err->rc;
    }
    mst_mutex_unlock(&sh->mtx);
    return rc;
}
