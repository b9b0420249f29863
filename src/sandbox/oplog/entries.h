/* entries.h: a member's oplog: a list of entries capped by bytes, read by position.
 *
 * Entries are shared between members by reference; a position is a number that counts entries from
 * the first ever appended to this log and never repeats. The world's lock guards it all.
 */
#ifndef SBX_OPLOG_ENTRIES_H
#define SBX_OPLOG_ENTRIES_H

#include "value/value.h"

struct sbx_entry {
    unsigned refs;
    struct mst_optime at;
    int64_t wall_ms;
    uint32_t n;
    uint8_t doc[]; /* the entry's BSON */
};

struct sbx_oplog;

struct sbx_oplog *sbx_oplog_new(uint64_t max_bytes);
void sbx_oplog_free(struct sbx_oplog *log);
void sbx_oplog_set_max(struct sbx_oplog *log, uint64_t max_bytes);
uint64_t sbx_oplog_max(const struct sbx_oplog *log);

/* An entry from its bytes; ts, t and wall are read out of it. The caller owns one reference. */
struct sbx_entry *sbx_entry_new(struct sbx_doc doc);
struct sbx_entry *sbx_entry_ref(struct sbx_entry *e);
void sbx_entry_unref(struct sbx_entry *e);
static inline struct sbx_doc sbx_entry_doc(const struct sbx_entry *e)
{
    return sbx_doc(e->doc, e->n);
}

/* Append (takes a reference of its own); the oldest fall out while more than max bytes are held. */
void sbx_oplog_append(struct sbx_oplog *log, struct sbx_entry *e);
size_t sbx_oplog_count(const struct sbx_oplog *log);
uint64_t sbx_oplog_bytes(const struct sbx_oplog *log);
struct mst_optime sbx_oplog_first(const struct sbx_oplog *log); /* term -1 and zero when empty */
struct mst_optime sbx_oplog_last(const struct sbx_oplog *log);
int64_t sbx_oplog_first_wall(const struct sbx_oplog *log);
int64_t sbx_oplog_last_wall(const struct sbx_oplog *log);

/* Positions: first position held, and the one after the last. */
uint64_t sbx_oplog_begin(const struct sbx_oplog *log);
uint64_t sbx_oplog_end(const struct sbx_oplog *log);
/* NULL when it fell out or is not there yet. Borrowed. */
struct sbx_entry *sbx_oplog_at(const struct sbx_oplog *log, uint64_t pos);
/* Position of the first entry with a timestamp >= ts (end when there is none). */
uint64_t sbx_oplog_seek(const struct sbx_oplog *log, struct mst_ts ts);
/* Position of exactly this optime, or UINT64_MAX. */
uint64_t sbx_oplog_find(const struct sbx_oplog *log, struct mst_optime at);
/* Drop every entry after this optime (newest first); positions of the dropped are used again. */
void sbx_oplog_truncate_after(struct sbx_oplog *log, struct mst_optime at);
void sbx_oplog_clear(struct sbx_oplog *log);

#endif
