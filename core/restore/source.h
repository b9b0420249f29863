/* source.h: what a restore reads from, as a table of functions: a backup (source_backup.c) or a
 * mongodump (import/). Inside the module only.
 */
#ifndef MST_RESTORE_SOURCE_H
#define MST_RESTORE_SOURCE_H

#include <bson/bson.h>

#include "conc/task.h"
#include "hash/hash.h"
#include "restore/restore.h"

enum mst_src_kind {
    MST_SRC_COLLECTION,
    MST_SRC_VIEW,
    MST_SRC_DROPPED, /* listed, gone before it was read; the oplog has its drop */
    MST_SRC_LEFT_OUT /* known by UUID only, so that its operations can be told apart */
};

struct mst_src_coll {
    enum mst_src_kind kind;
    char db[64];
    char coll[MST_COLL_MAX];
    bool has_uuid;
    uint8_t uuid[16];
    bson_t *options; /* as create takes them; never NULL */
    bson_t *indexes; /* array of specs, with _id_; never NULL */
    uint64_t documents, bytes;
    bool has_sum;
    struct mst_sum256 sum;
    void *where; /* the implementation's */
};

/* A stream of documents. Several may be open at once, each used by one thread. */
struct mst_src_docs {
    enum mst_rc (*next)(struct mst_src_docs *d, const uint8_t **doc, uint32_t *n,
                        struct mst_err *err);
    void (*close)(struct mst_src_docs *d); /* frees d */
};

struct mst_restore_source {
    char label[200]; /* "backup 2026-...-full", "archive fixture.archive"; sanitised */
    char set[128];   /* "" unknown */
    char version[40], fcv[16];
    bool partial;
    size_t n;
    struct mst_src_coll *colls;
    bool has_oplog;
    struct mst_ts apply_after;
    struct mst_optime end;
    /* The documents of colls[i], in the order in which they were read. */
    enum mst_rc (*open_docs)(struct mst_restore_source *s, size_t i, struct mst_src_docs **out,
                             struct mst_err *err);
    enum mst_rc (*open_oplog)(struct mst_restore_source *s, struct mst_src_docs **out,
                              struct mst_err *err);
    /* Read every byte that a restore would read; MST_E_INTEGRITY names what is damaged. */
    enum mst_rc (*check)(struct mst_restore_source *s, struct mst_task *task, struct mst_err *err);
    void (*release)(struct mst_restore_source *s); /* the implementation's part of impl */
    void *impl;
};

/* Grow colls by one zeroed element with empty options and indexes. */
struct mst_src_coll *mst_src_add(struct mst_restore_source *s);
/* Is this oplog entry later than the end of the backup? */
bool mst_src_past_end(const struct mst_restore_source *s, const bson_t *entry);

#endif
