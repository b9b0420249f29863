/* Opening cursors: which scan serves a find. */
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_data_open.h"
#include "oplog/entries.h"

#define ORIGIN_MAX (64 * 1024) /* a larger command is shown as an empty one */

static struct sbx_cursor *cursor_new(struct sbx_call *c, const char *ns, enum source source)
{
    struct sbx_cursor *cur = mst_xcalloc(1, sizeof *cur);
    const struct sbx_val lsid = sbx_cmd_arg(c, "lsid");
    const uint8_t *id =
        lsid.type == SBX_OBJECT ? sbx_val_uuid(sbx_doc_get(sbx_val_doc(lsid), "id")) : NULL;

    mst_copy(cur->ns, sizeof cur->ns, ns);
    cur->source = source;
    cur->limit = -1;
    cur->view = SBX_LATEST;
    cur->used_mono = sbx_mono(c->w);
    cur->has_session = id != NULL;
    if (id) {
        memcpy(cur->session, id, 16);
    }
    if (c->conn) {
        sbx_auth_uid(c->conn, cur->user);
    }
    cur->origin = c->cmd->len < ORIGIN_MAX ? bson_copy(c->cmd) : bson_new();
    cur->opened_utc = cur->used_utc = sbx_utc(c->w);
    return cur;
}

static void take_find(struct sbx_call *c, struct sbx_cursor *cur, const struct sbx_find *f)
{
    mst_buf_add(&cur->filter.b, f->filter.p, f->filter.n);
    mst_buf_add(&cur->projection.b, f->projection.p, f->projection.n);
    cur->skip = f->skip;
    cur->limit = f->limit > 0 ? f->limit : -1;
    cur->tailable = f->tailable;
    cur->await = f->await;
    cur->no_timeout = f->no_timeout;
    cur->resume_token = f->resume_token;
    cur->view = f->view;
    cur->majority = f->majority;
    cur->in_txn = c->txn != NULL;
    cur->holds = !c->txn && mst_ts_cmp(f->view.at, SBX_TS_MAX) != 0 && !f->majority;
    c->m->hold_horizon += cur->holds;
}

/* ---- plans of find ---- */

static bool is_natural(struct sbx_doc d, bool *back)
{
    struct sbx_it it;

    if (!sbx_doc_first(d, &it) || strcmp(it.key, "$natural") != 0) {
        return false;
    }
    *back = sbx_val_dbl(it.v) < 0;
    return true;
}

static bool is_id(struct sbx_doc d, bool *back)
{
    struct sbx_it it;

    if (!sbx_doc_first(d, &it) || strcmp(it.key, "_id") != 0 || sbx_doc_count(d) != 1) {
        return false;
    }
    *back = sbx_val_dbl(it.v) < 0;
    return true;
}

static void id_limits(struct sbx_scan *s, const struct sbx_find *f)
{
    const struct sbx_val lo = sbx_doc_get(f->min, "_id"), hi = sbx_doc_get(f->max, "_id");

    if (lo.type != SBX_EOO) {
        sbx_scan_bound(s, false, lo, false);
    }
    if (hi.type != SBX_EOO) {
        sbx_scan_bound(s, true, hi, true);
    }
}

/* Choose the scan; false when rows must be gathered and sorted. */
static bool choose_scan(struct sbx_cursor *cur, const struct sbx_find *f)
{
    bool back = false;
    const bool bounds = f->min.n > 5 || f->max.n > 5;

    if (is_natural(f->hint, &back)) {
        sbx_scan_init(&cur->scan, SBX_SCAN_NATURAL, back);
    } else if (is_natural(f->sort, &back)) {
        sbx_scan_init(&cur->scan, SBX_SCAN_NATURAL, back);
        return true;
    } else if (is_id(f->hint, &back) || bounds) {
        sbx_scan_init(&cur->scan, SBX_SCAN_ID, false);
        if (bounds) {
            id_limits(&cur->scan, f);
        }
    } else {
        sbx_plan(&cur->scan, f->filter);
    }
    if (f->sort.n <= 5) {
        return true;
    }
    if (!is_id(f->sort, &back)) {
        return false;
    }
    if (cur->scan.kind != SBX_SCAN_ID) {
        sbx_scan_release(&cur->scan);
        sbx_scan_init(&cur->scan, SBX_SCAN_ID, back);
    }
    cur->scan.back = back;
    return true;
}

static void gather_sorted(struct sbx_cursor *cur, const struct sbx_coll *coll,
                          const struct sbx_find *f)
{
    struct sbx_row row;

    while (sbx_plan_next(&cur->scan, coll, f->view, f->filter, &row)) {
        sbx_list_add(&cur->list, row.doc);
    }
    sbx_list_sort(&cur->list, f->sort);
    cur->source = FROM_LIST;
}

struct sbx_cursor *sbx_cursor_find(struct sbx_call *c, const struct sbx_coll *coll,
                                   const struct sbx_find *f)
{
    struct sbx_cursor *cur = cursor_new(c, f->ns, FROM_SCAN);

    memcpy(cur->uuid, coll->uuid, 16);
    mst_copy(cur->coll_ns, sizeof cur->coll_ns, coll->ns);
    take_find(c, cur, f);
    if (!choose_scan(cur, f)) {
        gather_sorted(cur, coll, f);
        sbx_out_reset(&cur->filter);
    }
    if (f->resume_after.type != SBX_EOO) {
        cur->scan.begun = true;
        cur->scan.rid = sbx_val_i64(f->resume_after);
    }
    return cur;
}

/* Where a filter on ts lets a scan of the oplog begin. */
static uint64_t oplog_start(const struct sbx_oplog *log, struct sbx_doc filter)
{
    const struct sbx_val v = sbx_doc_get(filter, "ts");
    struct sbx_val from = v;

    if (v.type == SBX_OBJECT) {
        from = sbx_doc_get(sbx_val_doc(v), "$gte");
        from = from.type == SBX_EOO ? sbx_doc_get(sbx_val_doc(v), "$gt") : from;
        from = from.type == SBX_EOO ? sbx_doc_get(sbx_val_doc(v), "$eq") : from;
    }
    return from.type == SBX_TIMESTAMP ? sbx_oplog_seek(log, sbx_val_ts(from))
                                      : sbx_oplog_begin(log);
}

struct sbx_cursor *sbx_cursor_oplog(struct sbx_call *c, const struct sbx_find *f)
{
    struct sbx_cursor *cur = cursor_new(c, f->ns, FROM_OPLOG);
    bool back = false;

    take_find(c, cur, f);
    if (is_natural(f->sort, &back) || is_natural(f->hint, &back)) {
        cur->back = back;
    } else if (f->sort.n > 5) { /* by ts is its own order, anything else is rare */
        struct sbx_it it;

        cur->back =
            sbx_doc_first(f->sort, &it) && strcmp(it.key, "ts") == 0 && sbx_val_dbl(it.v) < 0;
    }
    cur->pos = cur->back ? sbx_oplog_end(c->m->oplog) : oplog_start(c->m->oplog, f->filter);
    return cur;
}

struct sbx_cursor *sbx_cursor_list_take(struct sbx_call *c, const char *ns, struct sbx_list *l)
{
    struct sbx_cursor *cur = cursor_new(c, ns, FROM_LIST);

    cur->list = *l;
    memset(l, 0, sizeof *l);
    return cur;
}
