/* cmd_data.h: what the commands on documents share. Private to cmd/cmd_data*.c. */
#ifndef SBX_CMD_CMD_DATA_H
#define SBX_CMD_CMD_DATA_H

#include "data/data.h"
#include "world/txn.h"
#include "world/world.h"

/* ---- the call ---- */
static inline struct sbx_doc sbx_cmd_doc(const struct sbx_call *c)
{
    return sbx_doc(bson_get_data(c->cmd), c->cmd->len);
}
struct sbx_val sbx_cmd_arg(const struct sbx_call *c, const char *key);
bool sbx_cmd_fail(struct sbx_call *c, const struct sbx_why *why); /* always false */
/* And with which key: the error gets keyPattern and keyValue. dup is released. */
void sbx_cmd_fail_dup(struct sbx_call *c, struct sbx_dup *dup);
/* "db.name" from the command's first value; code 73 or 2 when it is none. */
bool sbx_cmd_ns(struct sbx_call *c, char ns[SBX_NS_MAX]);
struct sbx_view sbx_cmd_view(const struct sbx_call *c);
/* Refuse when ns is a view (code 166). */
bool sbx_cmd_no_view(struct sbx_call *c, const char *ns);
bool sbx_cmd_known(struct sbx_call *c, const char *const *known, size_t n);
void sbx_reply_doc(bson_t *b, const char *key, struct sbx_doc d);
void sbx_reply_array(bson_t *b, const char *key, struct sbx_doc d);
void sbx_reply_val(bson_t *b, const char *key, struct sbx_val v);
/* opTime and electionId, as replies of writes end. */
void sbx_reply_optime(struct sbx_call *c);
void sbx_reply_cursor(struct sbx_call *c, const char *ns, struct sbx_doc batch);
bool sbx_ns_logged(const char *ns); /* local.* is nobody else's */

/* ---- writing ---- */
struct sbx_op { /* an oplog operation being made */
    struct sbx_out b;
    size_t mark;
};
void sbx_op_begin(struct sbx_op *op, char kind, const char *ns, const uint8_t *uuid);
void sbx_op_command(struct sbx_op *op, const char *db, const uint8_t *uuid);
/* Log it and release it; the stamp for the data. */
struct sbx_stamp sbx_op_log(struct sbx_call *c, struct sbx_op *op, const char *ns);

struct sbx_write { /* the outcome of one statement */
    struct sbx_why why;
    struct sbx_dup dup;
    int64_t matched, modified;
    bool upserted;
    struct sbx_out upserted_id;   /* {_id: v} */
    struct sbx_out before, after; /* findAndModify: the document, {} when there is none */
    bool has_before, has_after, keep_docs;
};
void sbx_write_release(struct sbx_write *w);
struct sbx_update_args {
    struct sbx_doc q, u, sort;
    bool multi, upsert, bypass;
};
/* Get the collection for a write, made when missing. NULL: w->why says why. */
struct sbx_coll *sbx_write_coll(struct sbx_call *c, const char *ns, struct sbx_why *why);
bool sbx_write_insert(struct sbx_call *c, const char *ns, struct sbx_doc doc, bool bypass,
                      struct sbx_write *w);
bool sbx_write_update(struct sbx_call *c, const char *ns, const struct sbx_update_args *a,
                      struct sbx_write *w);
bool sbx_write_delete(struct sbx_call *c, const char *ns, struct sbx_doc q, struct sbx_doc sort,
                      bool multi, struct sbx_write *w);
/* Create and log; NULL with why. */
struct sbx_coll *sbx_make_coll(struct sbx_call *c, const char *ns, struct sbx_doc options,
                               struct sbx_why *why);
/* When its maxTimeMS ends, on the monotonic clock; INT64_MAX without one. */
int64_t sbx_cmd_deadline(const struct sbx_call *c);
/* Wait until no open transaction holds the collection, as for its lock; false: the call failed,
 * with code 50 when maxTimeMS passed. */
bool sbx_wait_unheld(struct sbx_call *c, const char *ns);

/* The entry of one new index. */
void sbx_log_index(struct sbx_call *c, const struct sbx_coll *coll, struct sbx_doc spec);

/* ---- reading ---- */
/* The cheapest scan that meets the filter: by _id when it names one. */
void sbx_plan(struct sbx_scan *s, struct sbx_doc filter);
/* Rows that match, in scan order. */
bool sbx_plan_next(struct sbx_scan *s, const struct sbx_coll *c, struct sbx_view view,
                   struct sbx_doc filter, struct sbx_row *row);
/* A growing list of documents. */
struct sbx_list {
    struct mst_buf b;
    size_t *at; /* where each starts */
    size_t n, cap;
};
void sbx_list_add(struct sbx_list *l, struct sbx_doc d);
struct sbx_doc sbx_list_get(const struct sbx_list *l, size_t i);
void sbx_list_sort(struct sbx_list *l, struct sbx_doc pattern);
void sbx_list_release(struct sbx_list *l);

/* ---- cursors: a table in the member ---- */
struct sbx_cursor;
struct sbx_find {        /* what find, and views, ask for */
    char ns[SBX_NS_MAX]; /* as replies name it */
    struct sbx_doc filter, sort, projection, hint, min, max;
    int64_t skip, limit, batch; /* batch -1: the default */
    bool single, tailable, await, no_timeout, resume_token, by_uuid;
    struct sbx_val resume_after;
    struct sbx_view view;
    bool majority;
};
struct sbx_cursor *sbx_cursor_find(struct sbx_call *c, const struct sbx_coll *coll,
                                   const struct sbx_find *f);
struct sbx_cursor *sbx_cursor_oplog(struct sbx_call *c, const struct sbx_find *f);
struct sbx_cursor *sbx_cursor_list_take(struct sbx_call *c, const char *ns, struct sbx_list *l);
/* Fill the first batch and the reply; the cursor stays open or goes. */
void sbx_cursor_first(struct sbx_call *c, struct sbx_cursor *cur, int64_t batch, bool single);
/* The read view that readConcern asks for; false: refused. */
bool sbx_read_view(struct sbx_call *c, struct sbx_find *f);

/* ---- commands ---- */
void sbx_cmd_insert(struct sbx_call *c);
void sbx_cmd_update(struct sbx_call *c);
void sbx_cmd_delete(struct sbx_call *c);
void sbx_cmd_find_and_modify(struct sbx_call *c);
void sbx_cmd_find(struct sbx_call *c);
void sbx_cmd_get_more(struct sbx_call *c);
void sbx_cmd_kill_cursors(struct sbx_call *c);
void sbx_cmd_aggregate(struct sbx_call *c);
void sbx_cmd_count(struct sbx_call *c);
void sbx_cmd_distinct(struct sbx_call *c);
void sbx_cmd_create(struct sbx_call *c);
void sbx_cmd_drop(struct sbx_call *c);
void sbx_cmd_drop_database(struct sbx_call *c);
void sbx_cmd_rename(struct sbx_call *c);
void sbx_cmd_convert_to_capped(struct sbx_call *c);
void sbx_cmd_coll_mod(struct sbx_call *c);
void sbx_cmd_create_indexes(struct sbx_call *c);
void sbx_cmd_drop_indexes(struct sbx_call *c);
void sbx_cmd_list_indexes(struct sbx_call *c);
void sbx_cmd_list_collections(struct sbx_call *c);
void sbx_cmd_list_databases(struct sbx_call *c);
void sbx_cmd_coll_stats(struct sbx_call *c);
void sbx_cmd_db_stats(struct sbx_call *c);
void sbx_cmd_db_hash(struct sbx_call *c);
void sbx_cmd_split_vector(struct sbx_call *c);
void sbx_cmd_apply_ops(struct sbx_call *c);
void sbx_cmd_append_note(struct sbx_call *c);

/* Run a pipeline over rows of ns; the result in out. False: the call failed. */
bool sbx_pipeline(struct sbx_call *c, const char *ns, struct sbx_val stages, struct sbx_list *out);

#endif
