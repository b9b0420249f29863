/* target.h: what the steps of a restore share, and small commands to the target. Inside the module
 * only. */
#ifndef MST_RESTORE_TARGET_H
#define MST_RESTORE_TARGET_H

#include "oplog/flow.h"
#include "restore/map.h"

#define MST_RS_MS 30000 /* deadline of an ordinary command */
#define MST_RS_LONG_MS (24 * 3600 * 1000)

struct mst_rs {
    const struct mst_restore_opts *o;
    struct mst_restore_source *s;
    struct mst_task *task;
    struct mst_conn *c; /* to the primary */
    const struct mst_restore_plan *plan;
    const char *run;
    struct mst_map map;
    struct mst_restore_result *res;
    struct mst_oplog_report flow;
    int64_t term; /* election in which the primary writes; 0: not to be looked at */
    int64_t next_pace_ms;
    bool *crashed; /* a test's stop: nothing is cleaned up */
};

enum mst_rc mst_rs_connect(const struct mst_restore_opts *o, const char *app, struct mst_task *task,
                           struct mst_conn **out, struct mst_err *err) MST_MUST_CHECK;
/* Whether the target may be changed still; opts.ours says it. */
enum mst_rc mst_rs_ours(const struct mst_restore_opts *o, struct mst_err *err) MST_MUST_CHECK;
/* A test's place to stop; then looks whether to go on: the cancel flag, and mst_rs_ours. */
enum mst_rc mst_rs_at(const struct mst_rs *r, const char *point,
                      struct mst_err *err) MST_MUST_CHECK;
/* Only the place to stop: inside the swap a cancel comes too late. */
enum mst_rc mst_rs_point(const struct mst_rs *r, const char *point,
                         struct mst_err *err) MST_MUST_CHECK;
/* Run cmd (consumed) and throw the reply away; write errors inside it are errors. */
enum mst_rc mst_rs_do_take(struct mst_conn *c, const char *db, bson_t *cmd, int64_t ms,
                           struct mst_err *err) MST_MUST_CHECK;
/* The same with writeConcern majority and its deadline. */
enum mst_rc mst_rs_do_majority_take(const struct mst_rs *r, const char *db, bson_t *cmd, int64_t ms,
                                    struct mst_err *err) MST_MUST_CHECK;
/* From here on the target must be primary of the same election: one that was elected again may have
 * lost what it was told before. */
enum mst_rc mst_rs_note_term(struct mst_rs *r, struct mst_err *err) MST_MUST_CHECK;
/* Wait until the primary's present optime is majority-committed. MST_E_TIMEOUT names who lags;
 * MST_E_PRECOND: it is no primary any more; MST_E_STALE: of another election. */
enum mst_rc mst_rs_wait_majority(const struct mst_rs *r, struct mst_err *err) MST_MUST_CHECK;
/* Before what a server, or the way to it, said: that the primary changed (then MST_E_STALE), is out
 * of reach or has no room. The code that err has then. */
enum mst_rc mst_rs_say_lost(const struct mst_rs *r, struct mst_err *err);
/* Wait while a secondary is too far behind or the oplog would run over it. */
enum mst_rc mst_rs_pace(struct mst_rs *r, struct mst_conn *c, struct mst_err *err) MST_MUST_CHECK;

struct mst_tgt_coll {
    char db[64];
    char coll[MST_COLL_MAX];
    bool view, has_uuid;
    uint8_t uuid[16];
    bson_t *options;
};
/* Collections and views of one database, or (db NULL) of all but local and config; the
 * server's own system collections are left out. */
enum mst_rc mst_tgt_list(struct mst_conn *c, const char *db, struct mst_tgt_coll **out, size_t *n,
                         struct mst_err *err) MST_MUST_CHECK;
void mst_tgt_free(struct mst_tgt_coll *t, size_t n);
/* From one document of listCollections. */
void mst_tgt_fill(struct mst_tgt_coll *t, const char *db, const bson_t *doc);
const struct mst_tgt_coll *mst_tgt_find(const struct mst_tgt_coll *t, size_t n, const char *db,
                                        const char *coll);
/* Array document of listIndexes. */
enum mst_rc mst_tgt_indexes(struct mst_conn *c, const char *db, const char *coll, bson_t **out,
                            struct mst_err *err) MST_MUST_CHECK;

#define MST_STAGE_MAX 32
void mst_stage_name(const char *run, bool old, size_t n, char out[MST_STAGE_MAX]);
/* "shop.orders", sanitised, for messages. */
const char *mst_ns_show(const char *db, const char *coll, char out[MST_NS_MAX]);

/* The steps, each in its file. */
enum mst_rc mst_stage_try_all(struct mst_rs *r, const struct mst_map *final,
                              struct mst_err *err) MST_MUST_CHECK; /* scratch.c */
enum mst_rc mst_stage_create(struct mst_rs *r, struct mst_map_coll *c, size_t n,
                             struct mst_err *err) MST_MUST_CHECK; /* scratch.c */
enum mst_rc mst_stage_drop(struct mst_rs *r, struct mst_map_coll *c, size_t n,
                           struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_load_all(struct mst_rs *r, struct mst_err *err) MST_MUST_CHECK;    /* load.c */
enum mst_rc mst_replay_all(struct mst_rs *r, struct mst_err *err) MST_MUST_CHECK;  /* replay.c */
enum mst_rc mst_index_all(struct mst_rs *r, struct mst_err *err) MST_MUST_CHECK;   /* index.c */
enum mst_rc mst_compare_all(struct mst_rs *r, struct mst_err *err) MST_MUST_CHECK; /* compare.c */

/* Why a unique index cannot be: the _ids of documents that have the same key, for people, at most
 * shown of them. Reads the collection as often as needed to hold only `room` keys at a time; ""
 * when none is found (a collation that this program does not know). */
enum mst_rc mst_dups_find(struct mst_rs *r, const char *db, const char *coll, const bson_t *spec,
                          size_t room, size_t shown, struct mst_str *out,
                          struct mst_err *err) MST_MUST_CHECK; /* dups.c */

/* Read a collection in natural order: count and sum of what is there. */
enum mst_rc mst_sum_collection(struct mst_rs *r, struct mst_conn *c, const char *db,
                               const char *coll, uint64_t *count, struct mst_sum256 *sum,
                               struct mst_err *err) MST_MUST_CHECK;
/* Definition without what names its place or does not matter; keys in one order. */
bson_t *mst_index_normal(const bson_t *spec, bool with_expiry);
bool mst_index_is_ttl(const bson_t *spec);
/* "indexes": [...] of all of c's, as createIndexes takes them; held: TTL ones without expiry. */
void mst_index_list(bson_t *cmd, const struct mst_map_coll *c, bool held);

#endif
