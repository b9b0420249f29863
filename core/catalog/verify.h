/* verify.h: read a backup back. Level 2: every stored byte of every object is read, its SHA-256
 * compared with the manifest, every frame decompressed, every document walked, counted and summed
 * again, and the manifest's second copy compared. The result is a mark in the store, also when it
 * is bad.
 *
 * A sealed backup that cannot be opened here is not refused: every stored byte is hashed and
 * compared with "sums" and COMMIT, and the result says that it was not opened (level 1).
 */
#ifndef MST_CATALOG_VERIFY_H
#define MST_CATALOG_VERIFY_H

#include "catalog/catalog.h"

#define MST_VERIFY_FINDINGS 16

struct mst_verify_opts {
    const char *id; /* or "latest" */
    bool mark;      /* write the mark; restore looks before it writes and leaves none */
    const char *by; /* who asked; NULL: "" */
    const struct mst_clock *clock; /* NULL: real */
};

struct mst_verify_result {
    char id[MST_ID_MAX];
    int level; /* 2 when everything was read; 1 when it was hashed and not opened */
    bool ok;
    uint64_t objects, stored_bytes, documents, data_bytes, oplog_entries;
    uint32_t namespaces;
    uint64_t n_findings;                     /* may be more than are kept */
    char findings[MST_VERIFY_FINDINGS][200]; /* "d/0001-0: SHA-256 differs ..." */
    char
        warning[200]; /* "" or what is no damage of its bytes: unsigned, or one is missing before */
    char text[400];   /* one sentence, with the warning */
    bool hidden;      /* text names what sealing hides: the mark, which is in the clear, does not */
};

/* MST_OK with res->ok true; MST_E_INTEGRITY with the first finding when something does not fit;
 * other codes when it could not be looked at (nothing is marked then). */
enum mst_rc mst_verify_run(const struct mst_catalog *c, const struct mst_verify_opts *o,
                           struct mst_task *task, struct mst_verify_result *res,
                           struct mst_err *err) MST_MUST_CHECK;

#endif
