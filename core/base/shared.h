/* shared.h: what is published never changes and is counted. First member of every published type.
 */
#ifndef MST_BASE_SHARED_H
#define MST_BASE_SHARED_H

#include <stdatomic.h>

struct mst_shared {
    atomic_uint refs;
    void (*destroy)(struct mst_shared *self);
};

void mst_shared_init(struct mst_shared *s, void (*destroy)(struct mst_shared *self));
void mst_shared_ref(struct mst_shared *s);
void mst_shared_unref(struct mst_shared *s); /* NULL is allowed */

#endif
