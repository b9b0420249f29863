/* ts.h: the server's Timestamp and OpTime as values. */
#ifndef MST_BASE_TS_H
#define MST_BASE_TS_H

#include <stdbool.h>
#include <stdint.h>

struct mst_ts {
    uint32_t t; /* seconds since 1970 */
    uint32_t i; /* ordinal inside the second, from 1 */
};

struct mst_optime {
    struct mst_ts ts;
    int64_t term; /* -1: none */
};

static inline int mst_ts_cmp(struct mst_ts a, struct mst_ts b)
{
    if (a.t != b.t) {
        return a.t < b.t ? -1 : 1;
    }
    return a.i < b.i ? -1 : a.i > b.i;
}
static inline bool mst_ts_zero(struct mst_ts a)
{
    return a.t == 0 && a.i == 0;
}
/* The server orders optimes by term first. */
static inline int mst_optime_cmp(struct mst_optime a, struct mst_optime b)
{
    if (a.term != b.term) {
        return a.term < b.term ? -1 : 1;
    }
    return mst_ts_cmp(a.ts, b.ts);
}

#endif
