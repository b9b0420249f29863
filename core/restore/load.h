/* load.h: loading of documents, shared by load.c and load_doc.c; private to restore. A loader
 * belongs to one thread, a crew to all of them. */
#ifndef MST_RESTORE_LOAD_H
#define MST_RESTORE_LOAD_H

#include <stdatomic.h>

#include "base/buf.h"
#include "conc/thread.h"
#include "restore/target.h"

#define MST_LOAD_BATCH 1000U /* documents of one insert */

struct mst_load_crew {
    struct mst_rs *r;
    atomic_size_t next;
    atomic_bool stop;
    struct mst_mutex mtx; /* of first and the pace */
    struct mst_err first;
    atomic_uint_fast64_t bytes;
    int64_t began_ms;
};

struct mst_loader {
    struct mst_load_crew *crew;
    struct mst_rs *r;
    struct mst_conn *conn;
    struct mst_map_coll *c;
    size_t n; /* staging number */
    char name[MST_STAGE_MAX];
    struct mst_buf batch;
    struct {
        size_t at;
        uint32_t len;
    } docs[MST_LOAD_BATCH];
    unsigned count;
    struct mst_sha256 sha;
    struct mst_sum256 *skip; /* capped: digests of reads that a later one replaces */
    size_t n_skip, cap_skip;
    bool again;       /* capped: a double was found, load once more */
    uint64_t counted; /* bytes of this pass in the task's progress */
};

/* Would the server store other bytes than these? */
bool mst_load_needs_apply(const uint8_t *doc, uint32_t n, bool *has_id);
/* It is in staging: it counts, and is in the sum. */
void mst_load_keep(struct mst_loader *l, const uint8_t digest[MST_SHA256_LEN], uint32_t len);
/* So many whole documents in one command; the caller reads the reply for refusals. */
enum mst_rc mst_load_insert(struct mst_loader *l, const uint8_t *p, size_t n, bool ordered,
                            bson_t *reply, struct mst_err *err);
/* One document, whatever it takes. */
enum mst_rc mst_load_one(struct mst_loader *l, const uint8_t *doc, uint32_t n, struct mst_err *err);
/* Put before err which document it is about. */
enum mst_rc mst_load_refused(struct mst_loader *l, const uint8_t *doc, uint32_t n,
                             struct mst_err *err);

#endif
