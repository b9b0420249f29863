/* flow.h: from captured oplog entries to operations in the order in which they took effect.
 *
 * applyOps is unwrapped, transactions are held until their commit (single entry, partialTxn chain,
 * prepare and commitTransaction, keyed by the bytes of lsid and txnNumber) and come out at the
 * commit's place; aborted ones never come out; those still open at the end are reported. Entries
 * must rise in {ts} and never fall in term. Memory is bounded: large transactions spill to an
 * unlinked file.
 *
 * One thread. MST_E_PRECOND names an entry that this version cannot carry, MST_E_INTEGRITY what is
 * damaged or missing.
 */
#ifndef MST_OPLOG_FLOW_H
#define MST_OPLOG_FLOW_H

#include "oplog/oplog.h"

#define MST_OPLOG_OPEN_SHOWN 8

struct mst_oplog_flow_opts {
    struct mst_ts apply_after; /* what took effect at or before this is not handed out */
    const char *spill_dir;     /* NULL: /tmp */
    size_t txn_mem_bytes;      /* of one transaction before it spills; 0: 8 MiB */
};

struct mst_oplog_report {
    uint64_t entries, ops, before; /* read; handed out; took effect before apply_after */
    uint64_t txn_committed, txn_aborted, txn_open;
    char open[MST_OPLOG_OPEN_SHOWN][96];   /* "lsid 77f0..., number 3, 12 operations" */
    uint64_t by_rule[MST_OPLOG_RULES_MAX]; /* indexed by mst_oplog_rule_index() */
    struct mst_optime first, last;
};

/* op->at is the entry's, or the commit's for operations of a transaction. Borrowed. */
typedef enum mst_rc (*mst_oplog_op_fn)(void *arg, const struct mst_oplog_entry *op,
                                       struct mst_err *err);

struct mst_oplog_flow;
struct mst_oplog_flow *mst_oplog_flow_new(const struct mst_oplog_flow_opts *o, mst_oplog_op_fn fn,
                                          void *arg);
void mst_oplog_flow_free(struct mst_oplog_flow *f);
enum mst_rc mst_oplog_flow_feed(struct mst_oplog_flow *f, const bson_t *entry,
                                struct mst_err *err) MST_MUST_CHECK;
/* After the last entry. */
void mst_oplog_flow_report(const struct mst_oplog_flow *f, struct mst_oplog_report *out);

#endif
