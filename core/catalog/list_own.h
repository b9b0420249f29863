/* list_own.h: what listing has of each backup from the walk over the keys; private to the files
 * list*.c. */
#ifndef MST_CATALOG_LIST_OWN_H
#define MST_CATALOG_LIST_OWN_H

#include "catalog/keyobj.h"
#include "catalog/marks.h"

struct list_attempt {
    char name[17];
    uint64_t objects, bytes;              /* data and oplog */
    uint64_t all;                         /* everything in it */
    int64_t header, manifest, copy, sums; /* sizes; -1 absent */
};

struct list_group { /* everything below one id */
    char id[MST_ID_MAX];
    struct list_attempt *attempts;
    size_t n_attempts, cap_attempts;
    bool commit, claim, key_alone;
    uint64_t bytes, foreign, half; /* half: of a writer that was killed */
    struct mst_marks marks;
};

struct list_look { /* what examining one backup needs */
    const struct mst_catalog *c;
    struct mst_buf *buf;
    struct mst_link *link; /* of the backup in work */
};

#define LIST_PROBLEM(b, st, ...) \
    do { \
        (b)->state = (st); \
        (void)snprintf((b)->problem, sizeof((b)->problem), __VA_ARGS__); \
        mst_text_sanitise((b)->problem); \
    } while (0)

/* One backup: COMMIT, header and marks are read and held against the walk. k->link is filled. */
void mst_list_examine(const struct list_look *k, const struct list_group *g, struct mst_backup *b);

#endif
