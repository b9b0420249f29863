/* inner.h: what the files of data share. Private to data. */
#ifndef SBX_DATA_INNER_H
#define SBX_DATA_INNER_H

#include "data/data.h"

struct sbx_chain { /* a transaction whose last entry has not come */
    struct sbx_chain *next;
    struct sbx_out key; /* {lsid, txnNumber} */
    struct sbx_out ops; /* operations gathered so far, documents one after the other */
};

struct sbx_data {
    struct sbx_tree by_ns, by_uuid; /* struct sbx_coll */
    uint64_t order;
    struct mst_ts horizon;
    bool move_on_grow, plain_specs;
    struct sbx_chain *chains;
};

struct sbx_touch {
    struct sbx_coll *coll;
    struct sbx_rec *rec;
};
struct sbx_txd {
    struct sbx_data *d;
    struct mst_ts read_at;
    struct sbx_touch *v;
    size_t n, cap;
};

struct sbx_ukey {
    struct sbx_ukey *next; /* of the record */
    struct sbx_index *index;
    struct sbx_rec *rec;
    uint32_t n;
    uint8_t doc[]; /* {field: value ...} */
};

static inline struct sbx_val sbx_rec_id(const struct sbx_rec *r)
{
    return (struct sbx_val){r->id_type, r->id, r->id_n};
}
struct sbx_id_key {
    struct sbx_val v;
    int64_t rid;
};
int sbx_id_cmp(const void *key, const void *item);
int sbx_rid_cmp(const void *key, const void *item);

void sbx_coll_free(struct sbx_coll *c);
void sbx_coll_purge(struct sbx_coll *c);
void sbx_rec_enqueue(struct sbx_coll *c, struct sbx_rec *r);
/* Undo the uncommitted head of a record. */
void sbx_rec_pop(struct sbx_coll *c, struct sbx_rec *r);
void sbx_rec_sync(struct sbx_coll *c, struct sbx_rec *r); /* entries of unique indexes */
void sbx_rec_unindex(struct sbx_rec *r);
bool sbx_index_check(struct sbx_coll *c, const struct sbx_rec *rec, struct sbx_doc doc,
                     struct sbx_view view, struct sbx_dup *dup, struct sbx_why *why);
/* Another record holds this key: is that a refusal? */
bool sbx_rec_clash(const struct sbx_rec *r, struct sbx_view view, bool *conflict);
bool sbx_dup_fail(const struct sbx_coll *c, const char *index, struct sbx_doc pattern,
                  struct sbx_doc value, struct sbx_dup *dup, struct sbx_why *why);
/* A collation with its defaults, under key; nothing for the simple one. */
void sbx_collation_normal(struct sbx_doc in, struct sbx_out *out, const char *key);
bool sbx_apply_command(struct sbx_data *d, struct sbx_doc op, struct mst_ts ts,
                       struct sbx_why *why);
void sbx_chains_copy(struct sbx_data *d, const struct sbx_data *from);
void sbx_chains_free(struct sbx_data *d);

#endif
