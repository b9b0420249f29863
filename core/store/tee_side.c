/* The stores of a tee: who is still in, and what went through. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/tee_own.h"

void tee_ref(struct shared *sh)
{
    mst_mutex_lock(&sh->mtx);
    sh->refs++;
    mst_mutex_unlock(&sh->mtx);
}

void tee_unref(struct shared *sh)
{
    bool last;

    mst_mutex_lock(&sh->mtx);
    last = --sh->refs == 0;
    mst_mutex_unlock(&sh->mtx);
    if (last) {
        for (size_t i = 0; i < sh->n_written; i++) {
            free(sh->written[i].key);
        }
        free(sh->written);
        for (size_t i = 0; i < sh->o.n; i++) {
            if (sh->side[i].has_task) {
                mst_task_release(&sh->side[i].task);
            }
        }
        mst_cond_release(&sh->cond);
        mst_mutex_release(&sh->mtx);
        free(sh);
    }
}

void tee_enter(const struct side *s)
{
    if (s->inside) {
        atomic_fetch_add(s->inside, 1);
    }
}

bool tee_stopped(struct shared *sh)
{
    if (!mst_task_cancelled(sh->o.task)) {
        return false;
    }
    for (size_t i = 0; i < sh->o.n; i++) {
        if (sh->side[i].has_task && !mst_task_cancelled(&sh->side[i].task)) {
            mst_task_cancel(&sh->side[i].task);
        }
    }
    return true;
}

void tee_work_for(struct side *s)
{
    mst_store_work_for(s->has_task ? &s->task : NULL);
}

void tee_leave(const struct side *s)
{
    if (s->inside) {
        atomic_fetch_sub(s->inside, 1);
    }
}

void tee_out(struct shared *sh, size_t i, const struct mst_err *why)
{
    bool first;

    mst_mutex_lock(&sh->mtx);
    first = !sh->side[i].out;
    if (first) {
        sh->side[i].out = true;
        sh->side[i].err = *why;
    }
    mst_cond_broadcast(&sh->cond);
    mst_mutex_unlock(&sh->mtx);
    if (first && sh->o.out) {
        sh->o.out(sh->o.arg, mst_store_name(sh->side[i].store), why);
    }
}

bool tee_is_in(struct shared *sh, size_t i)
{
    bool in;

    mst_mutex_lock(&sh->mtx);
    in = !sh->side[i].out;
    mst_mutex_unlock(&sh->mtx);
    return in;
}

size_t tee_in(struct shared *sh)
{
    size_t n = 0;

    for (size_t i = 0; i < sh->o.n; i++) {
        n += tee_is_in(sh, i);
    }
    return n;
}

enum mst_rc tee_none(struct shared *sh, struct mst_err *err)
{
    mst_mutex_lock(&sh->mtx);
    *err = sh->side[0].err;
    mst_mutex_unlock(&sh->mtx);
    return err->rc;
}

bool tee_written(struct shared *sh, const char *key, struct written *out)
{
    bool found = false;

    mst_mutex_lock(&sh->mtx);
    for (size_t i = sh->n_written; i-- > 0 && !found;) {
        found = strcmp(sh->written[i].key, key) == 0;
        *out = found ? sh->written[i] : *out;
    }
    mst_mutex_unlock(&sh->mtx);
    return found;
}
