/* probe.h: try a store out under a prefix of its own: write, read, range, list, create-only, a
 * large object, checksums, tags, a lock of a minute, versions, delete; and whether the key may do
 * more than a writer should. What it leaves, because its key may not delete or it is locked, is
 * listed. Blocks.
 */
#ifndef MST_STORE_PROBE_H
#define MST_STORE_PROBE_H

#include "store/store.h"

#define MST_PROBE_LEFT 8

struct mst_probe_opts {
    const char *prefix; /* a key; nothing may be below it */
    size_t large_bytes; /* 0: 16 MiB */
    /* One line for each check, as it is made: "range      ok    ..."; the words are ok, FAILED, not
     * checked, cannot, WARNING. */
    void (*say)(void *arg, const char *line);
    void *arg;
};

struct mst_probe_left {
    char key[MST_KEY_MAX];
    int64_t until_ms; /* locked until then; 0: not */
};
/* Only what was tried and found good has passed. */
struct mst_probe_result {
    unsigned passed, failed;
    unsigned unchecked;           /* could not be tried: nothing is known of it */
    unsigned cannot;              /* the store cannot do it */
    unsigned warnings;            /* the key may do more than it should */
    uint64_t write_bps, read_bps; /* of the large object; 0 not measured */
    size_t n_left;                /* could not be removed; the first of them by name */
    struct mst_probe_left left[MST_PROBE_LEFT];
};
/* "9 of 9 checks passed, 1 it cannot do, 2 not checked, 1 warning" */
void mst_probe_sum(const struct mst_probe_result *res, char *out, size_t size);

/* MST_OK when every check passed; a store whose key may not delete passes. Else the first failure.
 */
enum mst_rc mst_probe_run(struct mst_store *s, const struct mst_probe_opts *o,
                          struct mst_task *task, struct mst_probe_result *res,
                          struct mst_err *err) MST_MUST_CHECK;

#endif
