/* data.h: one member's data: collections, records with their versions, indexes, views.
 *
 * Everything here runs under the world's lock; nothing waits and nothing knows of other members.
 * A record keeps the versions that a reader at an older timestamp may still ask for: the horizon
 * says how far back (never set: no history). A transaction's writes are versions with an owner,
 * seen by nobody else until they get their timestamp at commit.
 */
#ifndef SBX_DATA_DATA_H
#define SBX_DATA_DATA_H

#include "data/tree.h"
#include "query/query.h"
#include "value/value.h"

#define SBX_NS_MAX 256
#define SBX_TS_MAX ((struct mst_ts){UINT32_MAX, UINT32_MAX})

struct sbx_data;
struct sbx_txd; /* the uncommitted writes of one transaction on one member */

/* What a reader sees: committed versions up to `at`, and its own transaction's writes. */
struct sbx_view {
    struct mst_ts at;
    struct sbx_txd *txd;
};
#define SBX_LATEST ((struct sbx_view){SBX_TS_MAX, NULL})
/* What a writer marks its versions with: a timestamp, or an open transaction. */
struct sbx_stamp {
    struct mst_ts ts;
    struct sbx_txd *txd;
};

struct sbx_ver {
    struct sbx_ver *prev; /* older */
    struct mst_ts at;
    struct sbx_txd *owner; /* not NULL: uncommitted */
    bool gone;             /* deleted by this version */
    uint32_t n;
    uint8_t doc[];
};
struct sbx_ukey;
struct sbx_rec {
    int64_t rid; /* place in record order */
    struct sbx_ver *head;
    struct sbx_ukey *ukeys;
    bool queued; /* has versions to forget */
    uint8_t id_type;
    uint32_t id_n;
    uint8_t id[]; /* bytes of _id */
};

struct sbx_index {
    struct sbx_index *next;
    struct sbx_out spec; /* as listIndexes shows it, with ns */
    char *name;          /* owned */
    bool unique, sparse, id;
    struct sbx_tree tree; /* struct sbx_ukey, when unique and not the _id index */
};

struct sbx_fill {
    uint64_t seed;
    int64_t count;
};

struct sbx_coll {
    char ns[SBX_NS_MAX];
    size_t db_len; /* of the database's name in ns */
    uint8_t uuid[16];
    uint64_t order;         /* of creation */
    struct sbx_out options; /* as listCollections shows them */
    bool capped, temp;
    int64_t cap_size, cap_max; /* 0: no limit on documents */
    struct sbx_out validator;  /* empty: none */
    bool validate_warn, validate_moderate;
    int64_t count, bytes; /* live documents, uncommitted ones included */
    int64_t next_rid;
    int64_t fill_live; /* computed documents that were not touched */
    struct sbx_fill fill;
    struct sbx_tree records; /* by rid */
    struct sbx_tree ids;     /* by _id, then rid */
    struct sbx_index *indexes;
    unsigned pending; /* records with uncommitted versions: DDL waits for 0 */
    struct sbx_rec **queue;
    size_t queue_n, queue_cap, queue_head;
    struct sbx_data *data;
};
static inline const char *sbx_coll_name(const struct sbx_coll *c)
{
    return c->ns + c->db_len + 1;
}

struct sbx_data *sbx_data_new(void);
void sbx_data_free(struct sbx_data *d);
/* Forget everything except database local, then take a copy of the other's replicated databases:
 * what a member does that must start over. */
void sbx_data_copy(struct sbx_data *d, const struct sbx_data *from);
/* Readers may ask for any timestamp from here on; set it to the commit point or the oldest open
 * view, whichever is older. It only moves up. */
void sbx_data_set_horizon(struct sbx_data *d, struct mst_ts ts);
struct mst_ts sbx_data_horizon(const struct sbx_data *d);
/* The newer profile's index specifications carry no ns. */
void sbx_data_plain_specs(struct sbx_data *d, bool on);
bool sbx_data_plain(const struct sbx_data *d);
/* An update that grows a document moves it to the end of the record order. */
void sbx_data_move_on_grow(struct sbx_data *d, bool on);

/* ---- catalog; ns is "db.collection" ---- */
struct sbx_coll *sbx_data_coll(const struct sbx_data *d, const char *ns);
struct sbx_coll *sbx_data_by_uuid(const struct sbx_data *d, const uint8_t uuid[16]);
/* Collections in order of name; after: the last one seen or NULL. */
struct sbx_coll *sbx_data_next(const struct sbx_data *d, const char *after_ns);
/* The view's document in <db>.system.views, or false. */
bool sbx_data_view(const struct sbx_data *d, const char *ns, struct sbx_doc *def);
/* options: as create takes them, in any order; uuid NULL: a new one; id_index NULL: made up.
 * Codes 48 (exists), 73 (name), 72 (options). NULL on refusal. */
struct sbx_coll *sbx_data_create(struct sbx_data *d, const char *ns, const uint8_t *uuid,
                                 struct sbx_doc options, struct sbx_doc id_index,
                                 struct sbx_why *why);
void sbx_data_drop(struct sbx_data *d, struct sbx_coll *c);
/* Code 48 when the target exists. */
bool sbx_data_rename(struct sbx_data *d, struct sbx_coll *c, const char *to, bool stay_temp,
                     struct sbx_why *why);
/* Build the options document anew from o's fields, in the server's order and types. */
void sbx_options_normal(struct sbx_doc in, struct sbx_out *out);
void sbx_coll_set_options(struct sbx_coll *c, struct sbx_doc options);
void sbx_uuid_new(uint8_t uuid[16]);
void sbx_oid_new(uint8_t oid[12]);
/* Collection of documents computed from a seed. */
void sbx_coll_set_fill(struct sbx_coll *c, uint64_t seed, int64_t count);

/* ---- indexes; spec in its complete form ---- */
/* What broke uniqueness, for the error's keyPattern and keyValue. */
struct sbx_dup {
    struct sbx_out pattern, value;
};
bool sbx_index_normal(const struct sbx_coll *c, struct sbx_doc in, struct sbx_out *out,
                      struct sbx_why *why);
/* The same for one that an entry or a listing gave: without a collation it compares bytes, whatever
 * the collection does. */
bool sbx_index_logged(const struct sbx_coll *c, struct sbx_doc in, struct sbx_out *out,
                      struct sbx_why *why);
struct sbx_index *sbx_index_find(const struct sbx_coll *c, const char *name);
struct sbx_index *sbx_index_by_key(const struct sbx_coll *c, struct sbx_doc key);
unsigned sbx_index_count(const struct sbx_coll *c);
/* Code 11000 when documents already break it; dup (may be NULL) says with what. */
bool sbx_index_add(struct sbx_coll *c, struct sbx_doc spec, struct sbx_dup *dup,
                   struct sbx_why *why);
void sbx_index_drop(struct sbx_coll *c, struct sbx_index *x);
void sbx_index_respec(struct sbx_index *x, struct sbx_doc spec); /* same key, changed options */

/* ---- records ---- */
struct sbx_row {
    int64_t rid;
    struct sbx_rec *rec; /* NULL: a computed document nobody touched */
    struct sbx_doc doc;  /* borrowed: until the next write or the next row of this scan */
};
/* rec NULL: an insert. Codes 11000, 112 (somebody's open transaction holds it), 20, 10003. */
bool sbx_coll_check(struct sbx_coll *c, const struct sbx_rec *rec, struct sbx_doc doc,
                    struct sbx_view view, struct sbx_dup *dup, struct sbx_why *why);
/* May this transaction or plain writer (view) change the record? Code 112 when not. */
bool sbx_rec_writable(const struct sbx_rec *rec, struct sbx_view view, struct sbx_why *why);
/* Writes: the caller has checked. _id must be there. */
struct sbx_rec *sbx_coll_insert(struct sbx_coll *c, struct sbx_doc doc, struct sbx_stamp stamp);
void sbx_coll_update(struct sbx_coll *c, struct sbx_rec *rec, struct sbx_doc doc,
                     struct sbx_stamp stamp);
void sbx_coll_remove(struct sbx_coll *c, struct sbx_rec *rec, struct sbx_stamp stamp);
/* A row's record; a computed document becomes a real one. */
struct sbx_rec *sbx_coll_rec(struct sbx_coll *c, const struct sbx_row *row);
/* Does the document pass the validator? True when there is none. */
bool sbx_coll_validate(const struct sbx_coll *c, struct sbx_doc doc);

enum sbx_scan_kind { SBX_SCAN_NATURAL, SBX_SCAN_ID };
/* A scan keeps no pointer into the data: it survives writes between two rows. */
struct sbx_scan {
    enum sbx_scan_kind kind;
    bool back;
    bool begun;
    int64_t rid;             /* last seen */
    struct mst_buf key;      /* last _id seen: type byte and bytes */
    struct mst_buf lo, hi;   /* bounds on _id, empty: none */
    bool lo_open, hi_open;   /* the bound itself is out */
    struct mst_buf computed; /* the computed document of the last row */
};
void sbx_scan_init(struct sbx_scan *s, enum sbx_scan_kind kind, bool back);
void sbx_scan_bound(struct sbx_scan *s, bool upper, struct sbx_val v, bool open);
void sbx_scan_release(struct sbx_scan *s);
bool sbx_scan_next(struct sbx_scan *s, const struct sbx_coll *c, struct sbx_view view,
                   struct sbx_row *row);
/* By _id; scratch holds a computed document. False when absent. */
bool sbx_coll_by_id(const struct sbx_coll *c, struct sbx_val id, struct sbx_view view,
                    struct mst_buf *scratch, struct sbx_row *row);
struct sbx_ver *sbx_rec_visible(const struct sbx_rec *rec, struct sbx_view view);

/* ---- computed documents: number n of a seed, from 0; pure ---- */
void sbx_fill_doc(uint64_t seed, int64_t n, struct mst_buf *out); /* appends */
uint32_t sbx_fill_size(int64_t n);
int64_t sbx_fill_bytes(int64_t count); /* of the first count documents */
int64_t sbx_fill_count(int64_t bytes); /* documents that make up at least this many bytes */
/* How many rows from rid on are computed ones in a row, untouched (0: none). */
int64_t sbx_fill_run(const struct sbx_coll *c, int64_t rid);

/* ---- transactions ---- */
struct sbx_txd *sbx_txd_new(struct sbx_data *d, struct mst_ts read_at);
struct mst_ts sbx_txd_read_at(const struct sbx_txd *t);
void sbx_txd_commit(struct sbx_txd *t, struct mst_ts ts); /* frees t */
void sbx_txd_abort(struct sbx_txd *t);                    /* frees t */
bool sbx_txd_empty(const struct sbx_txd *t);

/* ---- applying the oplog ---- */
/* One entry, in any of its forms, as a secondary does: inserts of known ids replace, updates and
 * deletes of unknown ones are nothing. Chains of a large transaction wait for their last entry. */
bool sbx_data_apply(struct sbx_data *d, const struct sbx_doc entry, char *why, size_t n);
/* One operation {op, ns, ui, o, o2} at a timestamp. upsert: an update of an unknown document makes
 * it, as the applyOps command does. Code 26 when the collection is missing. */
bool sbx_data_apply_op(struct sbx_data *d, struct sbx_doc op, struct mst_ts ts, bool upsert,
                       struct sbx_why *why);
/* The collection that an operation means, by its ui or its ns; NULL. */
struct sbx_coll *sbx_data_target(const struct sbx_data *d, struct sbx_doc op);
/* collMod's changes {index, validator, validationLevel, validationAction} to a collection. */
bool sbx_coll_mod(struct sbx_coll *c, struct sbx_doc o, struct sbx_why *why);
/* Every collection of a database. */
void sbx_data_drop_db(struct sbx_data *d, const char *db);

/* ---- hashes ---- */
#define SBX_MD5_HEX 33
void sbx_md5_hex(const void *p, size_t n, char hex[SBX_MD5_HEX]);
void sbx_coll_md5(const struct sbx_coll *c, struct sbx_view view, char hex[SBX_MD5_HEX]);

#endif
