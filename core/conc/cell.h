/* cell.h: a slot that holds the latest immutable value.
 *
 * One thread publishes, any thread reads. A reader gets its own reference and may keep it as long
 * as it likes; what it points at never changes. The lock inside guards one pointer swap and one
 * count, never a build or a free.
 */
#ifndef MST_CONC_CELL_H
#define MST_CONC_CELL_H

#include "base/shared.h"
#include "conc/thread.h"

struct mst_cell {
    struct mst_mutex mtx;
    struct mst_shared *cur;
};

void mst_cell_init(struct mst_cell *cell);
void mst_cell_release(struct mst_cell *cell);
void mst_cell_publish_take(struct mst_cell *cell, struct mst_shared *next);
struct mst_shared *mst_cell_load(struct mst_cell *cell); /* caller unrefs */

#endif
