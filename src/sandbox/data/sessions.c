/* sessions.c: config.transactions, which every member derives from the entries it writes or
 * applies.
 */
#include "data/sessions.h"

#include <string.h>

static struct sbx_coll *table(struct sbx_data *d)
{
    struct sbx_coll *c = sbx_data_coll(d, SBX_TRANSACTIONS_NS);
    struct sbx_why why;

    if (c == NULL) {
        const uint8_t empty[5] = {5, 0, 0, 0, 0};

        c = sbx_data_create(d, SBX_TRANSACTIONS_NS, NULL, sbx_doc(empty, sizeof empty),
                            (struct sbx_doc){NULL, 0}, &why);
    }
    return c;
}

static void put_optime(struct sbx_out *o, const char *key, struct mst_optime at)
{
    const size_t mark = sbx_out_sub(o, key, SBX_OBJECT);

    sbx_out_ts(o, "ts", at.ts);
    sbx_out_i64(o, "t", at.term);
    sbx_out_end(o, mark);
}

/* What the entry says about its transaction: NULL for a plain retryable write. */
static const char *txn_state(struct sbx_doc o)
{
    if (sbx_doc_get(o, "commitTransaction").type != SBX_EOO) {
        return "committed";
    }
    if (sbx_doc_get(o, "abortTransaction").type != SBX_EOO) {
        return "aborted";
    }
    if (sbx_doc_get(o, "applyOps").type == SBX_ARRAY) {
        return sbx_val_true(sbx_doc_get(o, "partialTxn")) ? "inProgress" : "committed";
    }
    return NULL;
}

void sbx_data_note_session(struct sbx_data *d, struct sbx_doc entry)
{
    const struct sbx_val lsid = sbx_doc_get(entry, "lsid"), num = sbx_doc_get(entry, "txnNumber");
    const struct mst_ts ts = sbx_val_ts(sbx_doc_get(entry, "ts"));
    const struct mst_optime at = {ts, sbx_val_i64(sbx_doc_get(entry, "t"))};
    const struct sbx_val o = sbx_doc_get(entry, "o"), wall = sbx_doc_get(entry, "wall");
    struct sbx_coll *c;
    struct sbx_out out = {0};
    struct sbx_row row;
    struct mst_buf scratch = {0};
    const char *state;
    size_t mark;

    if (lsid.type != SBX_OBJECT || num.type == SBX_EOO || (c = table(d)) == NULL) {
        return;
    }
    state = sbx_val_is_doc(o) && sbx_val_streq(sbx_doc_get(entry, "op"), "c")
                ? txn_state(sbx_val_doc(o))
                : NULL;
    mark = sbx_out_begin(&out);
    sbx_out_val(&out, "_id", lsid);
    sbx_out_val(&out, "txnNum", num);
    put_optime(&out, "lastWriteOpTime", at);
    if (wall.type != SBX_EOO) {
        sbx_out_val(&out, "lastWriteDate", wall);
    }
    if (state != NULL) {
        sbx_out_str(&out, "state", state);
    }
    sbx_out_end(&out, mark);
    if (sbx_coll_by_id(c, lsid, SBX_LATEST, &scratch, &row)) {
        sbx_coll_update(c, sbx_coll_rec(c, &row), sbx_out_done(&out), (struct sbx_stamp){ts, NULL});
    } else {
        sbx_coll_insert(c, sbx_out_done(&out), (struct sbx_stamp){ts, NULL});
    }
    mst_buf_release(&scratch);
    sbx_out_release(&out);
}
