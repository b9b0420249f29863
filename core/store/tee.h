/* tee.h: one store made of several: what is put goes to each of them at the same time, each on a
 * thread of its own behind a bounded queue.
 *
 * A store that fails, or that the others have to wait for too long, is out: it gets no further
 * object, so no COMMIT either, and the rest go on. A put fails only when no store is left. What is
 * read back is read from every store that is still in and compared. Blocks of data are shared by
 * the stores: an object being written holds at most MST_TEE_BYTES in memory, however many there
 * are. A call that hangs in a store is given up, never waited for; its thread ends by itself. A
 * claim (mst_store_claim) holds in all stores that are in, or in none.
 */
#ifndef MST_STORE_TEE_H
#define MST_STORE_TEE_H

#include <stdatomic.h>

#include "store/store.h"

#define MST_TEE_STORES 8
#define MST_TEE_BLOCK 262144U
#define MST_TEE_QUEUE 8U
#define MST_TEE_BYTES (((size_t)MST_TEE_QUEUE + 2) * MST_TEE_BLOCK) /* 2.5 MiB */

struct mst_tee_opts {
    size_t n;
    struct mst_store *stores[MST_TEE_STORES]; /* borrowed; must outlive calls that hang */
    atomic_int *inside[MST_TEE_STORES];       /* threads that are in it now; NULL: not counted */
    int64_t stall_ms;                         /* takes nothing for so long: out; 0: 120 s */
    int64_t wait_ms;                          /* so long others wait for one, in all; 0: 600 s */
    struct mst_task *task; /* nothing is waited for once it is cancelled; may be NULL */
    /* A store is out; on any thread, no lock held. May be NULL. */
    void (*out)(void *arg, const char *store, const struct mst_err *why);
    void *arg;
};

/* n from 1 to MST_TEE_STORES. Freed with mst_store_free. */
struct mst_store *mst_store_tee_new(const struct mst_tee_opts *o);
size_t mst_store_tee_in(struct mst_store *tee); /* stores that are still in */
/* Ask each store that is in by itself, all at the same time: fn gets a copy of ask, and room for
 * answer_n bytes that become answers[i] (answers has room for all stores). Whoever fails or hangs
 * is out; said[i] false: no answer. An error when no store is left. */
typedef enum mst_rc mst_tee_ask_fn(struct mst_store *s, const void *ask, void *answer,
                                   struct mst_err *err);
enum mst_rc mst_store_tee_ask(struct mst_store *tee, mst_tee_ask_fn *fn, const void *ask,
                              size_t ask_n, void *answers, size_t answer_n,
                              bool said[MST_TEE_STORES], struct mst_err *err) MST_MUST_CHECK;
/* MST_OK while store i is in, else why it is out. */
enum mst_rc mst_store_tee_status(struct mst_store *tee, size_t i,
                                 struct mst_err *err) MST_MUST_CHECK;

#endif
