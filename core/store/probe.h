/* probe.h: try a store out under a prefix of its own: write, read, range, list, create-only, a
 * large object, delete. What it leaves, because its key may not delete, is listed. Blocks.
 */
#ifndef MST_STORE_PROBE_H
#define MST_STORE_PROBE_H

#include "store/store.h"

#define MST_PROBE_LEFT 8

struct mst_probe_opts {
    const char *prefix; /* a key; nothing may be below it */
    size_t large_bytes; /* 0: 16 MiB */
    /* One line for each check, as it is made: "range      ok    ..." */
    void (*say)(void *arg, const char *line);
    void *arg;
};

struct mst_probe_result {
    unsigned passed, failed;
    uint64_t write_bps, read_bps; /* of the large object; 0 not measured */
    size_t n_left;                /* could not be removed; the first of them by name */
    char left[MST_PROBE_LEFT][MST_KEY_MAX];
};

/* MST_OK when every check passed; a store whose key may not delete passes. Else the first failure.
 */
enum mst_rc mst_probe_run(struct mst_store *s, const struct mst_probe_opts *o,
                          struct mst_task *task, struct mst_probe_result *res,
                          struct mst_err *err) MST_MUST_CHECK;

#endif
