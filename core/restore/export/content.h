/* content.h: what an export of a backup holds, as it is at the end of the backup's oplog.
 *
 * Names, options, indexes and views are those after the last entry; what was dropped on the way is
 * not there. Of the oplog only inserts, updates and deletes are left (and the emptying of a capped
 * collection), under the last names of their collections and in the order in which they took
 * effect, so that whoever replays them needs no DDL. Inside the module only.
 */
#ifndef MST_RESTORE_EXPORT_CONTENT_H
#define MST_RESTORE_EXPORT_CONTENT_H

#include "restore/export/doubles.h"
#include "restore/map.h"

struct mst_content_ns {
    char db[64];
    char coll[MST_COLL_MAX];
    bool view, has_uuid;
    uint8_t uuid[16];
    bson_t *options; /* never NULL */
    bson_t *indexes; /* array, with _id_; never NULL */
    size_t src;      /* of the source's collections; SIZE_MAX: made in the window, or a view */
};

struct mst_content {
    struct mst_restore_source *s; /* borrowed */
    const char *spill_dir;        /* borrowed; NULL: /tmp */
    struct mst_map final;
    bson_t **id_index; /* of final.c[i]; NULL: as it is made by default */
    size_t cap_id_index;
    bool *changed; /* final.c[i]: its indexes or options are not as they were listed */
    size_t cap_changed;
    size_t n, cap;
    struct mst_content_ns *ns; /* by database and name */
    uint64_t ops;              /* operations that the exported oplog has */
    uint64_t inserts;          /* operations that can have made a document */
    struct mst_doubles *twice; /* asked with the source's number; NULL: no oplog */
    uint64_t txn_open;         /* transactions without an end: not in it */
};

/* Read the source's oplog once and say what there is; o's patterns judge by the last name. */
enum mst_rc mst_content_read(const struct mst_restore_opts *o, struct mst_restore_source *s,
                             struct mst_task *task, struct mst_content *c,
                             struct mst_err *err) MST_MUST_CHECK;
void mst_content_release(struct mst_content *c);
/* Read it again: fn gets each entry as it is exported. */
typedef enum mst_rc mst_content_fn(void *arg, const bson_t *entry, struct mst_err *err);
enum mst_rc mst_content_oplog(const struct mst_content *c, struct mst_task *task,
                              mst_content_fn *fn, void *arg, struct mst_err *err) MST_MUST_CHECK;

#endif
