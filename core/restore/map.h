/* map.h: which collection of the source is which, while the oplog's DDL goes on. Pure: no I/O.
 *
 * The identity of a collection is its UUID; its name, options and indexes follow the DDL. Elements
 * keep their number: first those of the source in its order, then those created in the window in
 * order of creation. Inside the module only.
 */
#ifndef MST_RESTORE_MAP_H
#define MST_RESTORE_MAP_H

#include "restore/source.h"

struct mst_map_coll {
    bool has_uuid, left_out, dropped, wanted;
    uint8_t uuid[16];
    char db[64];
    char coll[MST_COLL_MAX];  /* now */
    char begun[MST_COLL_MAX]; /* as listed; "" when made in the window */
    bson_t *options;          /* now; never NULL */
    bson_t **indexes;         /* now, without _id_ */
    size_t n_indexes, cap_indexes;
    uint64_t ops; /* writes of the window */
    bool ddl;     /* emptied or altered by DDL in the window */
    /* Of the run. */
    bool staged;
    uint8_t staged_uuid[16];
    uint64_t missing, doubles, loaded, loaded_bytes;
    uint32_t held;
    struct mst_sum256 kept; /* of what the load kept */
};

struct mst_map_view {
    char db[64];
    char coll[MST_COLL_MAX];
    bson_t *options; /* viewOn, pipeline, collation */
    bool dropped;
};

struct mst_map {
    struct mst_map_coll *c;
    size_t n, cap, from_source;
    struct mst_map_view *v;
    size_t n_views, cap_views;
};

void mst_map_init(struct mst_map *m, const struct mst_restore_source *s);
void mst_map_release(struct mst_map *m);
/* By UUID, else (an entry without one) by present name; NULL when unknown. */
struct mst_map_coll *mst_map_find(struct mst_map *m, const struct mst_oplog_entry *e);
struct mst_map_coll *mst_map_by_name(struct mst_map *m, const char *db, const char *coll);

enum mst_map_effect {
    MST_MAP_NOTHING, /* nothing to do on the target */
    MST_MAP_CREATED, /* *who is new */
    MST_MAP_DROPPED, /* *who, and *also when a rename dropped its target */
    MST_MAP_EMPTIED
};
/* What a command or a write to system.views does to the map. who and also may come out NULL. */
enum mst_rc mst_map_apply(struct mst_map *m, const struct mst_oplog_entry *e,
                          enum mst_map_effect *effect, struct mst_map_coll **who,
                          struct mst_err *err) MST_MUST_CHECK;
bool mst_map_capped(const struct mst_map_coll *c);

#endif
