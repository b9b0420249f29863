#include "store/fault.h"

#include <string.h>

#include "base/mem.h"
#include "conc/thread.h"
#include "store/impl.h"

struct fault {
    struct mst_store base;
    struct mst_store *inner;
    struct mst_mutex mtx;
    enum mst_fault_kind kind;
    enum mst_rc rc;
    uint64_t at, calls;
    const char *unread; /* NULL: none */
    enum mst_rc unread_rc;
};

struct fault_put {
    struct mst_store_put base;
    struct mst_store_put *inner;
};

static struct fault *of(struct mst_store *s)
{
    return (struct fault *)(void *)s;
}

/* What this call shall do: nothing of it (DEAD, ONCE), all of it and lie (LOST), or just work. */
static enum mst_fault_kind step(struct mst_store *s)
{
    struct fault *f = of(s);
    enum mst_fault_kind k = MST_FAULT_NONE;

    mst_mutex_lock(&f->mtx);
    f->calls++;
    if (f->kind != MST_FAULT_NONE &&
        (f->calls == f->at || (f->kind == MST_FAULT_DEAD && f->calls > f->at))) {
        k = f->kind;
    }
    mst_mutex_unlock(&f->mtx);
    return k;
}

static enum mst_rc fail(struct mst_store *s, struct mst_err *err)
{
    return mst_err_set(err, of(s)->rc, "the store %s failed as the test asked", s->name);
}

static enum mst_rc f_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                           struct mst_err *err)
{
    const enum mst_fault_kind k = step(s);
    struct fault_put *p;

    if (k != MST_FAULT_NONE) {
        return fail(s, err);
    }
    p = mst_xcalloc(1, sizeof(*p));
    p->base.store = s;
    if (mst_store_put_begin(of(s)->inner, key, &p->inner, err) != MST_OK) {
        free(p);
        return err->rc;
    }
    *out = &p->base;
    return MST_OK;
}

static enum mst_rc f_add(struct mst_store_put *put, const void *data, size_t n, struct mst_err *err)
{
    struct fault_put *p = (struct fault_put *)(void *)put;

    if (step(put->store) != MST_FAULT_NONE) {
        return fail(put->store, err);
    }
    return mst_store_put_add(p->inner, data, n, err);
}

static enum mst_rc f_finish(struct mst_store_put *put, struct mst_err *err)
{
    struct fault_put *p = (struct fault_put *)(void *)put;
    struct mst_store *s = put->store;
    struct mst_store_put *inner = p->inner;
    const enum mst_fault_kind k = step(s);

    free(p);
    if (k == MST_FAULT_ONCE || k == MST_FAULT_DEAD) {
        mst_store_put_abort_take(inner);
        return fail(s, err);
    }
    if (mst_store_put_finish_take(inner, err) != MST_OK) {
        return err->rc;
    }
    return k == MST_FAULT_LOST ? fail(s, err) : MST_OK;
}

static void f_abort(struct mst_store_put *put)
{
    struct fault_put *p = (struct fault_put *)(void *)put;

    mst_store_put_abort_take(p->inner);
    free(p);
}

static bool dead(struct mst_store *s)
{
    struct fault *f = of(s);
    bool yes;

    mst_mutex_lock(&f->mtx);
    yes = f->kind == MST_FAULT_DEAD && f->calls >= f->at;
    mst_mutex_unlock(&f->mtx);
    return yes;
}

static enum mst_rc f_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                          size_t *got, struct mst_err *err)
{
    struct fault *f = of(s);
    enum mst_rc unread;

    mst_mutex_lock(&f->mtx);
    unread = f->unread && strstr(key, f->unread) ? f->unread_rc : MST_OK;
    mst_mutex_unlock(&f->mtx);
    if (unread != MST_OK) {
        return mst_err_set(err, unread, "%s in the store %s cannot be read, as the test asked", key,
                           s->name);
    }
    return dead(s) ? fail(s, err) : mst_store_read(f->inner, key, from, buf, n, got, err);
}

static enum mst_rc f_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                          struct mst_err *err)
{
    return dead(s) ? fail(s, err) : mst_store_stat(of(s)->inner, key, bytes, err);
}

static enum mst_rc f_list(struct mst_store *s, const char *prefix,
                          bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                          struct mst_task *task, struct mst_err *err)
{
    return dead(s) ? fail(s, err) : mst_store_list(of(s)->inner, prefix, fn, arg, task, err);
}

static enum mst_rc f_remove(struct mst_store *s, const char *key, struct mst_err *err)
{
    const enum mst_fault_kind k = step(s);

    if (k == MST_FAULT_ONCE || k == MST_FAULT_DEAD) {
        return fail(s, err);
    }
    if (mst_store_delete(of(s)->inner, key, err) != MST_OK) {
        return err->rc;
    }
    return k == MST_FAULT_LOST ? fail(s, err) : MST_OK;
}

static enum mst_rc f_space(struct mst_store *s, uint64_t *free_bytes, uint64_t *total_bytes,
                           struct mst_err *err)
{
    return mst_store_space(of(s)->inner, free_bytes, total_bytes, err);
}

static void f_close(struct mst_store *s)
{
    mst_mutex_release(&of(s)->mtx);
    free(s);
}

struct mst_store *mst_store_fault_new(struct mst_store *inner)
{
    static const struct mst_store_ops ops = {.close = f_close,
                                             .put_begin = f_begin,
                                             .put_add = f_add,
                                             .put_finish = f_finish,
                                             .put_abort = f_abort,
                                             .read = f_read,
                                             .stat = f_stat,
                                             .list = f_list,
                                             .remove = f_remove,
                                             .space = f_space};
    struct fault *f = mst_xcalloc(1, sizeof(*f));

    f->base.ops = &ops;
    f->base.local = mst_store_is_local(inner);
    f->base.caps = *mst_store_caps(inner);
    (void)mst_copy(f->base.name, sizeof(f->base.name), mst_store_name(inner));
    (void)mst_copy(f->base.where, sizeof(f->base.where), mst_store_where(inner));
    f->inner = inner;
    f->rc = MST_E_IO;
    mst_mutex_init(&f->mtx);
    return &f->base;
}

void mst_store_fault_set(struct mst_store *s, enum mst_fault_kind kind, uint64_t at, enum mst_rc rc)
{
    struct fault *f = of(s);

    mst_mutex_lock(&f->mtx);
    f->kind = kind;
    f->at = at;
    f->rc = rc;
    f->calls = 0;
    mst_mutex_unlock(&f->mtx);
}

void mst_store_fault_unread(struct mst_store *s, const char *part, enum mst_rc rc)
{
    struct fault *f = of(s);

    mst_mutex_lock(&f->mtx);
    f->unread = part;
    f->unread_rc = rc;
    mst_mutex_unlock(&f->mtx);
}

uint64_t mst_store_fault_calls(const struct mst_store *s)
{
    const struct fault *f = (const struct fault *)(const void *)s;

    return f->calls;
}
