/* txn.h: what a session adds to a call. Filled by sess before the handler runs, read by whoever
 * makes oplog entries (log_write) and by the data commands.
 *
 * For log_write:  c->txn set: hand the operation to txn->add and write nothing (no optime).
 *                 c->sess with retryable set: the entry carries, after wall and before o,
 *                 lsid, txnNumber, stmtId, prevOpTime; prev becomes the entry's optime.
 * For commands:   c->txn set: read with the view {txn->read_at, txn->txd}, stamp writes with
 *                 txn->txd. c->sess with retryable set: before each statement ask already(); a
 *                 statement that ran is answered from its entry and not run again.
 */
#ifndef SBX_WORLD_TXN_H
#define SBX_WORLD_TXN_H

#include "world/world.h"

struct sbx_txd;

struct sbx_txn {
    struct sbx_txd *txd;   /* its uncommitted writes on this member (data.h) */
    struct mst_ts read_at; /* its snapshot */
    /* One operation {op, ns, ui, [o2,] o} for the commit; failed calls abort the transaction. */
    void (*add)(struct sbx_call *c, const bson_t *op);
};

struct sbx_sess_call {
    bson_t lsid; /* {id, uid}: as entries and config.transactions carry it; owned by sess */
    bool has_lsid;
    bool retryable; /* a write command with txnNumber and no transaction */
    int64_t txn_number;
    int32_t stmt_id;        /* of the next entry: the handler sets it for each statement */
    struct mst_optime prev; /* newest entry of this session and number; term -1: none */
    /* Did statement stmt_id of this number run before? Its entry is copied to *entry then (an
     * initialised, empty document). */
    bool (*already)(struct sbx_call *c, int32_t stmt_id, bson_t *entry);
};

/* NULL for calls made inside the sandbox; has_lsid says whether the client named a session. */
static inline struct sbx_sess_call *sbx_sess_of(const struct sbx_call *c)
{
    return (struct sbx_sess_call *)c->sess;
}

#endif
