#include "base/shared.h"

void mst_shared_init(struct mst_shared *s, void (*destroy)(struct mst_shared *self))
{
    atomic_init(&s->refs, 1U);
    s->destroy = destroy;
}

void mst_shared_ref(struct mst_shared *s)
{
    atomic_fetch_add_explicit(&s->refs, 1U, memory_order_relaxed);
}

void mst_shared_unref(struct mst_shared *s)
{
    if (s && atomic_fetch_sub_explicit(&s->refs, 1U, memory_order_acq_rel) == 1U) {
        s->destroy(s);
    }
}
