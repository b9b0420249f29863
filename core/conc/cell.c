#include "conc/cell.h"

void mst_cell_init(struct mst_cell *cell)
{
    mst_mutex_init(&cell->mtx);
    cell->cur = NULL;
}

void mst_cell_release(struct mst_cell *cell)
{
    mst_shared_unref(cell->cur);
    cell->cur = NULL;
    mst_mutex_release(&cell->mtx);
}

void mst_cell_publish_take(struct mst_cell *cell, struct mst_shared *next)
{
    struct mst_shared *old;

    mst_mutex_lock(&cell->mtx);
    old = cell->cur;
    cell->cur = next;
    mst_mutex_unlock(&cell->mtx);
    mst_shared_unref(old); /* outside the lock: destroy may be slow */
}

struct mst_shared *mst_cell_load(struct mst_cell *cell)
{
    struct mst_shared *s;

    mst_mutex_lock(&cell->mtx);
    s = cell->cur;
    if (s) {
        mst_shared_ref(s);
    }
    mst_mutex_unlock(&cell->mtx);
    return s;
}
