/* queue.h: a bounded queue of owned pointers between threads. */
#ifndef MST_CONC_QUEUE_H
#define MST_CONC_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct mst_queue;

/* free_fn releases what is still inside when the queue is freed; may be NULL for free(). */
struct mst_queue *mst_queue_new(size_t max, void (*free_fn)(void *msg));
void mst_queue_free(struct mst_queue *q);
/* Full or closed: MST_E_BUSY, and the message is released. */
enum mst_rc mst_queue_push_take(struct mst_queue *q, void *msg, struct mst_err *err) MST_MUST_CHECK;
/* Waits for room; MST_E_CANCELLED when closed (the message is released). */
enum mst_rc mst_queue_push_wait_take(struct mst_queue *q, void *msg,
                                     struct mst_err *err) MST_MUST_CHECK;
void *mst_queue_pop(struct mst_queue *q,
                    int64_t wait_ms);      /* NULL: time passed, or closed and empty */
void mst_queue_close(struct mst_queue *q); /* wakes all; what is inside can be popped */

#endif
