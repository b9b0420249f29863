/* cmd_data_open.h: what a cursor remembers. Private to the cursors' files. */
#ifndef SBX_CMD_CMD_DATA_OPEN_H
#define SBX_CMD_CMD_DATA_OPEN_H

#include "auth/auth.h"
#include "cmd/cmd_data.h"

enum source { FROM_SCAN, FROM_LIST, FROM_OPLOG };
struct sbx_cursor {
    struct sbx_cursor *next;
    int64_t id;
    char ns[SBX_NS_MAX];
    enum source source;
    /* of scans */
    uint8_t uuid[16];
    char coll_ns[SBX_NS_MAX];
    struct sbx_scan scan;
    struct sbx_out filter, projection;
    struct sbx_view view;
    bool majority, holds, in_txn;
    int64_t skip, limit; /* limit -1: none */
    /* of lists */
    struct sbx_list list;
    size_t at;
    /* of the oplog */
    uint64_t pos;
    bool back;
    struct mst_ts last_ts; /* last entry given out */

    struct sbx_out stash; /* a document that did not fit into the last batch */
    bool tailable, await, no_timeout, resume_token;
    bool done, busy, killed;
    int64_t used_mono;
    bool has_session;
    uint8_t session[16];
    /* what $currentOp shows of it */
    uint8_t user[SBX_AUTH_UID];
    bson_t *origin; /* the command that opened it; owned */
    int64_t opened_utc, used_utc, documents, batches;
};

#endif
