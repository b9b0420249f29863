/* shop.h: the acts of a small web shop over the wire protocol: orders, customers, events,
 * transactions, DDL. Each act is one or a few commands; what the server acknowledged goes into the
 * model (when there is one), dated by the optime of the reply. A shop belongs to one thread.
 *
 * After a network error or a "not primary" the shop looks for the primary again; a write whose
 * reply was lost is recorded as in doubt and its document is not touched again.
 */
#ifndef SBX_WRITER_SHOP_H
#define SBX_WRITER_SHOP_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/client.h"
#include "writer/model.h"

#define SBX_SHOP_SEEDS 12
#define SBX_SHOP_ORDERS 4096 /* live orders the shop remembers and changes */

enum sbx_shop_ddl {
    SBX_DDL_CREATE,
    SBX_DDL_CREATE_INDEX,
    SBX_DDL_COLL_MOD,
    SBX_DDL_DROP_INDEX,
    SBX_DDL_RENAME,
    SBX_DDL_DROP,
    SBX_DDL_DROP_DATABASE,
    SBX_DDL_COUNT
};

struct sbx_shop_order {
    bson_t *doc; /* as the server must have it now; NULL free slot */
};

struct sbx_shop_stats {
    uint64_t writes, inserts, updates, deletes, reinserts, txns, aborts, ddl, errors, doubts;
    uint64_t ddl_of[SBX_DDL_COUNT];
    int64_t last_ack_mono_ms, longest_gap_ms;
};

struct sbx_shop {
    struct {
        char host[64];
        int port;
    } seeds[SBX_SHOP_SEEDS];
    size_t n_seeds;
    char db[32], scratch_db[40];
    bool majority;           /* write concern; else w: 1 */
    struct sbx_model *model; /* borrowed; may be NULL */
    uint64_t random;
    struct sbx_client client; /* to the primary; fd -1 none */
    bson_oid_t session;       /* of transactions */
    int64_t txn_number;
    int64_t next_id;
    struct sbx_shop_order orders[SBX_SHOP_ORDERS];
    size_t n_orders;
    unsigned ddl_step, archive;
    struct sbx_shop_stats stats;
};

void sbx_shop_init(struct sbx_shop *s, uint64_t seed);
void sbx_shop_release(struct sbx_shop *s);
/* "127.0.0.1:27017"; false when it cannot be read or there are too many. */
bool sbx_shop_seed(struct sbx_shop *s, const char *host_port);
/* Connect to the primary, asking every seed until ms have passed. */
enum mst_rc sbx_shop_connect(struct sbx_shop *s, int64_t ms, struct mst_err *err) MST_MUST_CHECK;
/* Make the collections with their indexes and a few hundred documents, unless they exist. */
enum mst_rc sbx_shop_open(struct sbx_shop *s, unsigned customers,
                          struct mst_err *err) MST_MUST_CHECK;

/* One act each. A failure leaves the shop usable: reconnect and go on. */
enum mst_rc sbx_shop_insert_order(struct sbx_shop *s, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc sbx_shop_insert_event(struct sbx_shop *s, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc sbx_shop_update_order(struct sbx_shop *s, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc sbx_shop_delete_order(struct sbx_shop *s, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc sbx_shop_reinsert_order(struct sbx_shop *s, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc sbx_shop_transaction(struct sbx_shop *s, bool commit,
                                 struct mst_err *err) MST_MUST_CHECK;
enum mst_rc sbx_shop_ddl(struct sbx_shop *s, enum sbx_shop_ddl kind,
                         struct mst_err *err) MST_MUST_CHECK;
/* A plausible mix; ddl false leaves DDL out. */
enum mst_rc sbx_shop_step(struct sbx_shop *s, bool ddl, struct mst_err *err) MST_MUST_CHECK;

#endif
