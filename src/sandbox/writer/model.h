/* model.h: what the writer was acknowledged, in order: each event with its optime, so that the
 * content of every collection can be asked for at any optime. Thread-safe: one thread records,
 * others ask.
 *
 * Memory grows with the writes; it is meant for tests and drills of minutes, and the live shop of
 * the sandbox runs without it.
 */
#ifndef SBX_WRITER_MODEL_H
#define SBX_WRITER_MODEL_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/ts.h"

struct sbx_model;

struct sbx_model *sbx_model_new(void);
void sbx_model_free(struct sbx_model *m);

/* Recording, in the order of acknowledgement. Everything is copied. */
void sbx_model_put(struct sbx_model *m, struct mst_optime at, const char *ns, const bson_t *doc);
void sbx_model_delete(struct sbx_model *m, struct mst_optime at, const char *ns, const bson_t *doc);
void sbx_model_create(struct sbx_model *m, struct mst_optime at, const char *ns);
void sbx_model_drop(struct sbx_model *m, struct mst_optime at, const char *ns);
void sbx_model_drop_db(struct sbx_model *m, struct mst_optime at, const char *db);
void sbx_model_rename(struct sbx_model *m, struct mst_optime at, const char *from, const char *to);
/* The outcome of a write to this _id is not known (the connection broke): from here on it is in
 * doubt. */
void sbx_model_doubt(struct sbx_model *m, const char *ns, const bson_t *doc);

size_t sbx_model_events(const struct sbx_model *m);
struct mst_optime sbx_model_newest(const struct sbx_model *m);

/* The content at ts: what was acknowledged at or before it. */
struct sbx_snapshot;
struct sbx_snapshot *sbx_model_at(const struct sbx_model *m, struct mst_ts ts);
void sbx_snapshot_free(struct sbx_snapshot *s);
size_t sbx_snapshot_count(const struct sbx_snapshot *s,
                          const char *ns); /* SIZE_MAX: no such collection */
/* The document with the _id of doc, or NULL; borrowed until free. *doubt (may be NULL): it may
 * differ. */
const bson_t *sbx_snapshot_find(const struct sbx_snapshot *s, const char *ns, const bson_t *doc,
                                bool *doubt);
void sbx_snapshot_each(const struct sbx_snapshot *s, const char *ns,
                       void (*fn)(void *arg, const bson_t *doc, bool doubt), void *arg);
/* Those that are there for certain: not such of a database whose drop was under way. */
void sbx_snapshot_collections(const struct sbx_snapshot *s,
                              void (*fn)(void *arg, const char *ns, size_t count), void *arg);

#endif
