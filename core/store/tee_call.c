/* Calls of a tee that are not puts: in every store that is in, each on a thread of its own, so that
 * one that hangs is given up. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/tee_own.h"

#define HASH_BYTES 262144U

static void unref(struct call *c) /* under the lock; gives up what nobody has any more */
{
    if (--c->refs == 0) {
        free(c->buf);
        free(c->ask);
        free(c);
    }
}

static void call_run(void *arg)
{
    struct call *c = arg;
    struct shared *sh = c->sh;
    struct mst_err err = {0};
    enum mst_rc rc;

    tee_work_for(&sh->side[c->side]);
    rc = c->fn(c, &err);
    tee_leave(&sh->side[c->side]);
    mst_mutex_lock(&sh->mtx);
    c->rc = rc;
    c->err = err;
    c->done = true;
    unref(c);
    mst_cond_broadcast(&sh->cond);
    mst_mutex_unlock(&sh->mtx);
    tee_unref(sh);
}

struct call *call_start(struct shared *sh, size_t side, const char *key,
                        enum mst_rc (*fn)(struct call *c, struct mst_err *err),
                        void (*prepare)(struct call *c, const void *from), const void *from)
{
    struct call *c = mst_xcalloc(1, sizeof(*c));

    c->sh = sh;
    c->side = side;
    c->fn = fn;
    c->refs = 2;
    (void)mst_copy(c->key, sizeof(c->key), key);
    if (prepare) {
        prepare(c, from);
    }
    tee_ref(sh);
    tee_enter(&sh->side[side]);
    if (mst_thread_spawn("tee-call", call_run, c, &c->err) != MST_OK) {
        tee_leave(&sh->side[side]);
        tee_unref(sh);
        c->rc = c->err.rc;
        c->done = true;
        c->refs = 1;
    }
    return c;
}

enum mst_rc call_wait(struct call *c, struct mst_err *err)
{
    struct shared *sh = c->sh;
    const int64_t end = mst_clock_mono_ms(NULL) + sh->o.stall_ms;
    enum mst_rc rc;

    mst_mutex_lock(&sh->mtx);
    while (!c->done && mst_clock_mono_ms(NULL) < end && !tee_stopped(sh)) {
        (void)mst_cond_wait_ms(&sh->cond, &sh->mtx, STEP_MS);
    }
    if (c->done) {
        *err = c->err;
        rc = c->rc;
    } else if (tee_stopped(sh)) {
        c->gone = true;
        rc = mst_task_check(sh->o.task, err);
    } else {
        c->gone = true;
        rc = mst_err_set(err, MST_E_TIMEOUT, "the store %s did not answer within %lld s",
                         mst_store_name(sh->side[c->side].store),
                         (long long)(sh->o.stall_ms + 999) / 1000);
    }
    mst_mutex_unlock(&sh->mtx);
    return rc;
}

void call_release(struct call *c)
{
    struct shared *sh;

    if (c) {
        sh = c->sh;
        mst_mutex_lock(&sh->mtx);
        unref(c);
        mst_mutex_unlock(&sh->mtx);
    }
}

static struct mst_store *store_of(const struct call *c)
{
    return c->sh->side[c->side].store;
}

enum mst_rc call_hash(struct call *c, struct mst_err *err)
{
    unsigned char *buf = mst_xmalloc(HASH_BYTES);
    struct mst_sha256 sha;
    size_t got = 0;
    enum mst_rc rc;

    mst_sha256_init(&sha);
    do {
        rc = mst_store_read(store_of(c), c->key, c->bytes, buf, HASH_BYTES, &got, err);
        if (rc == MST_OK && got > 0) {
            mst_sha256_add(&sha, buf, got);
            c->bytes += got;
        }
    } while (rc == MST_OK && got > 0);
    mst_sha256_final(&sha, c->sha);
    mst_sha256_release(&sha);
    free(buf);
    return rc;
}

/* --- the same in every store ------------------------------------------------------------------ */

/* When no store is in, those that are out are asked: what became of an object of theirs? */
void round_ask(struct shared *sh, const char *key,
               enum mst_rc (*fn)(struct call *c, struct mst_err *err),
               void (*prepare)(struct call *c, const void *from), const void *from, struct round *r)
{
    const bool none = tee_in(sh) == 0;

    memset(r, 0, sizeof(*r));
    for (size_t i = 0; i < sh->o.n; i++) {
        r->c[i] = none || tee_is_in(sh, i) ? call_start(sh, i, key, fn, prepare, from) : NULL;
    }
    for (size_t i = 0; i < sh->o.n; i++) {
        if (r->c[i]) {
            r->rc[i] = call_wait(r->c[i], &r->err[i]);
        }
    }
}

void round_end(struct round *r)
{
    for (size_t i = 0; i < MST_TEE_STORES; i++) {
        call_release(r->c[i]);
    }
}

/* The first that answered; SIZE_MAX and the error when none did. A store that failed where another
 * one did not is out. */
static size_t first_good(struct shared *sh, const struct round *r, struct mst_err *err)
{
    size_t good = SIZE_MAX, bad = SIZE_MAX;

    for (size_t i = 0; i < sh->o.n; i++) {
        if (r->c[i] && r->rc[i] == MST_OK && good == SIZE_MAX) {
            good = i;
        } else if (r->c[i] && r->rc[i] != MST_OK &&
                   (bad == SIZE_MAX || r->rc[bad] == MST_E_NOTFOUND)) {
            bad = i; /* one that could not look says more than one that found nothing */
        }
    }
    for (size_t i = 0; i < sh->o.n && good != SIZE_MAX; i++) {
        if (r->c[i] && r->rc[i] != MST_OK) {
            tee_out(sh, i, &r->err[i]);
        }
    }
    if (good == SIZE_MAX && bad != SIZE_MAX) {
        *err = r->err[bad];
    } else if (good == SIZE_MAX) {
        (void)tee_none(sh, err);
    }
    return good;
}

/* Stores disagree about an object: whoever has not what was written is out. */
static enum mst_rc judge(struct shared *sh, const char *key, struct mst_err *err)
{
    struct written want;
    struct round r;
    struct mst_err bad = {0};

    if (!tee_written(sh, key, &want)) {
        return mst_err_set(err, MST_E_INTEGRITY, "the stores have different objects named %s", key);
    }
    round_ask(sh, key, call_hash, NULL, NULL, &r);
    for (size_t i = 0; i < sh->o.n; i++) {
        if (r.c[i] && r.rc[i] == MST_OK &&
            (r.c[i]->bytes != want.bytes || memcmp(r.c[i]->sha, want.sha, sizeof(want.sha)) != 0)) {
            (void)mst_err_set(&bad, MST_E_INTEGRITY,
                              "%s reads back differently from what was written: the store %s "
                              "damages data",
                              key, mst_store_name(sh->side[i].store));
            tee_out(sh, i, &bad);
        } else if (r.c[i] && r.rc[i] != MST_OK) {
            tee_out(sh, i, &r.err[i]);
        }
    }
    round_end(&r);
    return tee_in(sh) > 0 ? MST_OK : tee_none(sh, err);
}

static struct shared *of(struct mst_store *s)
{
    return ((struct tee *)(void *)s)->sh;
}

struct range {
    uint64_t from;
    size_t n;
};

static void prepare_read(struct call *c, const void *from)
{
    const struct range *r = from;

    c->from = r->from;
    c->n = r->n;
    c->buf = mst_xmalloc(r->n ? r->n : 1);
}

static enum mst_rc do_read(struct call *c, struct mst_err *err)
{
    return mst_store_read(store_of(c), c->key, c->from, c->buf, c->n, &c->got, err);
}

enum mst_rc tee_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                     size_t *got, struct mst_err *err)
{
    struct shared *sh = of(s);
    const struct range range = {from, n};

    for (;;) {
        struct round r;
        size_t good;
        bool same = true;

        round_ask(sh, key, do_read, prepare_read, &range, &r);
        good = first_good(sh, &r, err);
        for (size_t i = 0; i < sh->o.n && good != SIZE_MAX; i++) {
            same = same && (!r.c[i] || r.rc[i] != MST_OK ||
                            (r.c[i]->got == r.c[good]->got &&
                             memcmp(r.c[i]->buf, r.c[good]->buf, r.c[good]->got) == 0));
        }
        if (good != SIZE_MAX && same) {
            *got = r.c[good]->got;
            memcpy(buf, r.c[good]->buf, *got);
        }
        round_end(&r);
        if (good == SIZE_MAX) {
            return err->rc;
        }
        if (same) {
            return MST_OK;
        }
        if (judge(sh, key, err) != MST_OK) {
            return err->rc;
        }
    }
}

static enum mst_rc do_stat(struct call *c, struct mst_err *err)
{
    return mst_store_stat(store_of(c), c->key, &c->bytes, err);
}

enum mst_rc tee_stat(struct mst_store *s, const char *key, uint64_t *bytes, struct mst_err *err)
{
    struct shared *sh = of(s);

    for (;;) {
        struct round r;
        size_t good;
        bool same = true;

        round_ask(sh, key, do_stat, NULL, NULL, &r);
        good = first_good(sh, &r, err);
        for (size_t i = 0; i < sh->o.n && good != SIZE_MAX; i++) {
            same = same && (!r.c[i] || r.rc[i] != MST_OK || r.c[i]->bytes == r.c[good]->bytes);
            *bytes = r.c[good]->bytes;
        }
        round_end(&r);
        if (good == SIZE_MAX || same) {
            return good == SIZE_MAX ? err->rc : MST_OK;
        }
        if (judge(sh, key, err) != MST_OK) {
            return err->rc;
        }
    }
}

/* fn belongs to a caller who may have given up: it is called under the lock, and then not at all.
 */
static bool see(void *arg, const struct mst_store_item *item)
{
    struct call *c = arg;
    bool more = false;

    mst_mutex_lock(&c->sh->mtx);
    if (!c->gone) {
        more = c->see(c->arg, item);
    }
    mst_mutex_unlock(&c->sh->mtx);
    return more;
}

static enum mst_rc do_list(struct call *c, struct mst_err *err)
{
    return mst_store_list(store_of(c), c->key, see, c, NULL, err);
}

static void prepare_list(struct call *c, const void *from)
{
    const struct call *f = from;

    c->see = f->see;
    c->arg = f->arg;
}

/* Of all stores: what one has that another one has not is seen too, a key of several more than
 * once. */
enum mst_rc tee_list(struct mst_store *s, const char *prefix,
                     bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                     struct mst_task *task, struct mst_err *err)
{
    struct shared *sh = of(s);
    const struct call from = {.see = fn, .arg = arg};
    struct round r;
    size_t good;

    (void)task;
    round_ask(sh, prefix, do_list, prepare_list, &from, &r);
    good = first_good(sh, &r, err);
    round_end(&r);
    return good == SIZE_MAX ? err->rc : MST_OK;
}

static enum mst_rc do_remove(struct call *c, struct mst_err *err)
{
    return mst_store_delete(store_of(c), c->key, err);
}

enum mst_rc tee_remove(struct mst_store *s, const char *key, struct mst_err *err)
{
    struct shared *sh = of(s);
    struct round r;
    enum mst_rc rc = MST_OK;

    round_ask(sh, key, do_remove, NULL, NULL, &r);
    for (size_t i = 0; i < sh->o.n && rc == MST_OK; i++) {
        if (r.c[i] && r.rc[i] != MST_OK) {
            *err = r.err[i];
            rc = r.rc[i];
        }
    }
    round_end(&r);
    return rc;
}
