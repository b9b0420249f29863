/* The uncommitted writes of a transaction on one member. */
#include <stdlib.h>

#include "base/mem.h"
#include "data/inner.h"

struct sbx_txd *sbx_txd_new(struct sbx_data *d, struct mst_ts read_at)
{
    struct sbx_txd *t = mst_xcalloc(1, sizeof *t);

    t->d = d;
    t->read_at = read_at;
    return t;
}

struct mst_ts sbx_txd_read_at(const struct sbx_txd *t)
{
    return t->read_at;
}

bool sbx_txd_empty(const struct sbx_txd *t)
{
    return t->n == 0;
}

void sbx_txd_commit(struct sbx_txd *t, struct mst_ts ts)
{
    for (size_t i = 0; i < t->n; i++) {
        struct sbx_rec *r = t->v[i].rec;
        struct sbx_coll *c = t->v[i].coll;

        r->head->owner = NULL;
        r->head->at = ts;
        sbx_rec_sync(c, r);
        sbx_rec_enqueue(c, r);
        c->pending--;
    }
    for (size_t i = 0; i < t->n; i++) {
        sbx_coll_purge(t->v[i].coll);
    }
    free(t->v);
    free(t);
}

void sbx_txd_abort(struct sbx_txd *t)
{
    while (t->n) {
        const struct sbx_touch x = t->v[--t->n];

        x.coll->pending--;
        sbx_rec_pop(x.coll, x.rec);
    }
    free(t->v);
    free(t);
}
