#include "oplog/entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct sbx_oplog {
    struct sbx_entry **v; /* ring */
    size_t cap, head, count;
    uint64_t base; /* position of the oldest */
    uint64_t bytes, max_bytes;
};

struct sbx_oplog *sbx_oplog_new(uint64_t max_bytes)
{
    struct sbx_oplog *log = mst_xcalloc(1, sizeof *log);

    log->max_bytes = max_bytes;
    return log;
}

void sbx_oplog_free(struct sbx_oplog *log)
{
    if (!log) {
        return;
    }
    sbx_oplog_clear(log);
    free(log->v);
    free(log);
}

uint64_t sbx_oplog_max(const struct sbx_oplog *log)
{
    return log->max_bytes;
}

struct sbx_entry *sbx_entry_new(struct sbx_doc doc)
{
    struct sbx_entry *e = mst_xmalloc(sizeof *e + doc.n);
    const struct sbx_val t = sbx_doc_get(doc, "t"), wall = sbx_doc_get(doc, "wall");

    e->refs = 1;
    e->n = doc.n;
    memcpy(e->doc, doc.p, doc.n);
    e->at.ts = sbx_val_ts(sbx_doc_get(doc, "ts"));
    e->at.term = t.type == SBX_EOO ? -1 : sbx_val_i64(t);
    e->wall_ms = wall.type == SBX_DATE ? sbx_val_i64raw(wall) : 0;
    return e;
}

struct sbx_entry *sbx_entry_ref(struct sbx_entry *e)
{
    e->refs++;
    return e;
}

void sbx_entry_unref(struct sbx_entry *e)
{
    if (e && --e->refs == 0) {
        free(e);
    }
}

static struct sbx_entry **slot(const struct sbx_oplog *log, size_t i)
{
    return &log->v[(log->head + i) % log->cap];
}

static void drop_oldest(struct sbx_oplog *log)
{
    struct sbx_entry *e = *slot(log, 0);

    log->bytes -= e->n;
    log->head = (log->head + 1) % log->cap;
    log->count--;
    log->base++;
    sbx_entry_unref(e);
}

static void trim(struct sbx_oplog *log)
{
    while (log->max_bytes && log->count > 1 && log->bytes > log->max_bytes) {
        drop_oldest(log);
    }
}

void sbx_oplog_set_max(struct sbx_oplog *log, uint64_t max_bytes)
{
    log->max_bytes = max_bytes;
    trim(log);
}

static void enlarge(struct sbx_oplog *log)
{
    const size_t cap = log->cap ? log->cap * 2 : 64;
    struct sbx_entry **v = mst_xcalloc(cap, sizeof *v);

    for (size_t i = 0; i < log->count; i++) {
        v[i] = *slot(log, i);
    }
    free(log->v);
    log->v = v;
    log->cap = cap;
    log->head = 0;
}

void sbx_oplog_append(struct sbx_oplog *log, struct sbx_entry *e)
{
    if (log->count == log->cap) {
        enlarge(log);
    }
    log->count++;
    *slot(log, log->count - 1) = sbx_entry_ref(e);
    log->bytes += e->n;
    trim(log);
}

size_t sbx_oplog_count(const struct sbx_oplog *log)
{
    return log->count;
}

uint64_t sbx_oplog_bytes(const struct sbx_oplog *log)
{
    return log->bytes;
}

static const struct mst_optime none = {{0, 0}, -1};

struct mst_optime sbx_oplog_first(const struct sbx_oplog *log)
{
    return log->count ? (*slot(log, 0))->at : none;
}

struct mst_optime sbx_oplog_last(const struct sbx_oplog *log)
{
    return log->count ? (*slot(log, log->count - 1))->at : none;
}

int64_t sbx_oplog_first_wall(const struct sbx_oplog *log)
{
    return log->count ? (*slot(log, 0))->wall_ms : 0;
}

int64_t sbx_oplog_last_wall(const struct sbx_oplog *log)
{
    return log->count ? (*slot(log, log->count - 1))->wall_ms : 0;
}

uint64_t sbx_oplog_begin(const struct sbx_oplog *log)
{
    return log->base;
}

uint64_t sbx_oplog_end(const struct sbx_oplog *log)
{
    return log->base + log->count;
}

struct sbx_entry *sbx_oplog_at(const struct sbx_oplog *log, uint64_t pos)
{
    if (pos < log->base || pos >= log->base + log->count) {
        return NULL;
    }
    return *slot(log, (size_t)(pos - log->base));
}

uint64_t sbx_oplog_seek(const struct sbx_oplog *log, struct mst_ts ts)
{
    size_t lo = 0, hi = log->count;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;

        if (mst_ts_cmp((*slot(log, mid))->at.ts, ts) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return log->base + lo;
}

uint64_t sbx_oplog_find(const struct sbx_oplog *log, struct mst_optime at)
{
    const uint64_t pos = sbx_oplog_seek(log, at.ts);
    const struct sbx_entry *e = sbx_oplog_at(log, pos);

    return e && mst_optime_cmp(e->at, at) == 0 ? pos : UINT64_MAX;
}

void sbx_oplog_truncate_after(struct sbx_oplog *log, struct mst_optime at)
{
    while (log->count) {
        struct sbx_entry *e = *slot(log, log->count - 1);

        if (mst_ts_cmp(e->at.ts, at.ts) <= 0) {
            break;
        }
        log->bytes -= e->n;
        log->count--;
        sbx_entry_unref(e);
    }
}

void sbx_oplog_clear(struct sbx_oplog *log)
{
    while (log->count) {
        drop_oldest(log);
    }
}
