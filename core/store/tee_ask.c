/* What a tee asks each of its stores by itself: a claim that is to hold in all of them, and
 * questions whose answers are not the same. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/tee_own.h"

#define REFUSALS_MAX 16U /* claims in a row: such a store refuses every name */

static struct shared *of(struct mst_store *s)
{
    return ((struct tee *)(void *)s)->sh;
}

struct bytes {
    const void *p;
    size_t n;
};

static void prepare_claim(struct call *c, const void *from)
{
    const struct bytes *b = from;

    c->n = b->n;
    c->buf = mst_xmalloc(b->n ? b->n : 1);
    memcpy(c->buf, b->p, b->n);
}

static enum mst_rc do_claim(struct call *c, struct mst_err *err)
{
    return mst_store_claim(c->sh->side[c->side].store, c->key, c->buf, c->n, err);
}

static enum mst_rc do_unclaim(struct call *c, struct mst_err *err)
{
    return mst_store_delete(c->sh->side[c->side].store, c->key, err);
}

/* Where it was given the name is given back. That may fail: it is a claim without a backup then,
 * as of a run that died. */
static void give_back(struct shared *sh, const char *key, const struct round *r)
{
    struct call *c[MST_TEE_STORES] = {NULL};
    struct mst_err ignore = {0};

    for (size_t i = 0; i < sh->o.n; i++) {
        if (r->c[i] && r->rc[i] == MST_OK) {
            c[i] = call_start(sh, i, key, do_unclaim, NULL, NULL);
        }
    }
    for (size_t i = 0; i < sh->o.n; i++) {
        if (c[i]) {
            (void)!call_wait(c[i], &ignore);
            call_release(c[i]);
        }
    }
}

/* Another's in one store is another's in all: whoever asks takes another name. A store that refuses
 * every name is out instead. */
enum mst_rc tee_claim(struct mst_store *s, const char *key, const void *data, size_t n,
                      struct mst_err *err)
{
    struct shared *sh = of(s);
    const struct bytes bytes = {data, n};
    struct round r;
    size_t taken = SIZE_MAX;

    if (tee_in(sh) == 0) {
        return tee_none(sh, err);
    }
    round_ask(sh, key, do_claim, prepare_claim, &bytes, &r);
    for (size_t i = 0; i < sh->o.n; i++) {
        if (!r.c[i]) {
            continue;
        }
        if (r.rc[i] == MST_E_EXISTS && ++sh->side[i].refusals < REFUSALS_MAX) {
            taken = i;
        } else if (r.rc[i] != MST_OK) {
            tee_out(sh, i, &r.err[i]);
        } else {
            sh->side[i].refusals = 0;
        }
    }
    if (taken != SIZE_MAX) {
        give_back(sh, key, &r);
        *err = r.err[taken];
    }
    round_end(&r);
    if (taken != SIZE_MAX) {
        return err->rc;
    }
    return tee_in(sh) > 0 ? MST_OK : tee_none(sh, err);
}

struct question {
    mst_tee_ask_fn *fn;
    const void *ask;
    size_t ask_n, answer_n;
};

static void prepare_ask(struct call *c, const void *from)
{
    const struct question *q = from;

    c->ask_fn = q->fn;
    c->ask = mst_xmalloc(q->ask_n ? q->ask_n : 1);
    memcpy(c->ask, q->ask, q->ask_n);
    c->buf = mst_xcalloc(1, q->answer_n ? q->answer_n : 1);
}

static enum mst_rc do_ask(struct call *c, struct mst_err *err)
{
    return c->ask_fn(c->sh->side[c->side].store, c->ask, c->buf, err);
}

enum mst_rc mst_store_tee_ask(struct mst_store *tee, mst_tee_ask_fn *fn, const void *ask,
                              size_t ask_n, void *answers, size_t answer_n,
                              bool said[MST_TEE_STORES], struct mst_err *err)
{
    struct shared *sh = of(tee);
    const struct question q = {fn, ask, ask_n, answer_n};
    struct round r;

    memset(said, 0, MST_TEE_STORES * sizeof(*said));
    if (tee_in(sh) == 0) {
        return tee_none(sh, err);
    }
    round_ask(sh, "", do_ask, prepare_ask, &q, &r);
    for (size_t i = 0; i < sh->o.n; i++) {
        if (r.c[i] && r.rc[i] == MST_OK) {
            memcpy((char *)answers + i * answer_n, r.c[i]->buf, answer_n);
            said[i] = true;
        } else if (r.c[i]) {
            tee_out(sh, i, &r.err[i]);
        }
    }
    round_end(&r);
    return tee_in(sh) > 0 ? MST_OK : tee_none(sh, err);
}
