/* Scans: they remember where they were by value, never by pointer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/inner.h"

void sbx_scan_init(struct sbx_scan *s, enum sbx_scan_kind kind, bool back)
{
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->back = back;
}

void sbx_scan_release(struct sbx_scan *s)
{
    mst_buf_release(&s->key);
    mst_buf_release(&s->lo);
    mst_buf_release(&s->hi);
    mst_buf_release(&s->computed);
}

static void keep(struct mst_buf *b, struct sbx_val v)
{
    mst_buf_reset(b);
    mst_buf_add(b, &v.type, 1);
    mst_buf_add(b, v.p, v.n);
}

static struct sbx_val kept(const struct mst_buf *b)
{
    return (struct sbx_val){b->p[0], b->p + 1, (uint32_t)(b->len - 1)};
}

void sbx_scan_bound(struct sbx_scan *s, bool upper, struct sbx_val v, bool open)
{
    keep(upper ? &s->hi : &s->lo, v);
    *(upper ? &s->hi_open : &s->lo_open) = open;
}

static bool computed_row(struct sbx_scan *s, const struct sbx_coll *c, int64_t rid,
                         struct sbx_row *row)
{
    mst_buf_reset(&s->computed);
    sbx_fill_doc(c->fill.seed, rid - 1, &s->computed);
    *row = (struct sbx_row){rid, NULL, sbx_doc(s->computed.p, (uint32_t)s->computed.len)};
    return true;
}

static bool real_row(struct sbx_rec *r, struct sbx_view view, struct sbx_row *row)
{
    const struct sbx_ver *v = sbx_rec_visible(r, view);

    if (v) {
        *row = (struct sbx_row){r->rid, r, sbx_doc(v->doc, v->n)};
    }
    return v != NULL;
}

static bool natural_up(struct sbx_scan *s, const struct sbx_coll *c, struct sbx_view view,
                       struct sbx_row *row)
{
    struct sbx_tree_at at;

    for (;;) {
        const int64_t rid = s->rid + 1;
        struct sbx_rec *r = sbx_tree_ge(&c->records, &rid, sbx_rid_cmp, &at);

        if (rid <= c->fill.count && (!r || r->rid != rid)) {
            s->rid = rid;
            return computed_row(s, c, rid, row);
        }
        for (; r; r = sbx_tree_next(&c->records, &at)) {
            s->rid = r->rid;
            if (real_row(r, view, row)) {
                return true;
            }
            if (r->rid < c->fill.count) {
                break; /* the next one may be a computed one */
            }
        }
        if (!r) {
            return false;
        }
    }
}

static bool natural_down(struct sbx_scan *s, const struct sbx_coll *c, struct sbx_view view,
                         struct sbx_row *row)
{
    struct sbx_tree_at at;

    for (;;) {
        const int64_t rid = s->rid;
        struct sbx_rec *r;

        sbx_tree_ge(&c->records, &rid, sbx_rid_cmp, &at);
        r = sbx_tree_prev(&c->records, &at);
        if (!r || r->rid < c->fill.count) {
            const int64_t below = rid - 1 < c->fill.count ? rid - 1 : c->fill.count;

            if (below >= 1 && (!r || r->rid != below)) {
                s->rid = below;
                return computed_row(s, c, below, row);
            }
        }
        if (!r) {
            return false;
        }
        s->rid = r->rid;
        if (real_row(r, view, row)) {
            return true;
        }
    }
}

/* ---- by _id ---- */

static bool untouched(const struct sbx_coll *c, int64_t rid)
{
    struct sbx_tree_at at;
    const struct sbx_rec *r = sbx_tree_ge(&c->records, &rid, sbx_rid_cmp, &at);

    return !r || r->rid != rid;
}

/* Number of the nearest untouched computed document beyond v in the scan's direction (v itself
 * counts when at is set); -1 when there is none. */
static int64_t computed_beyond(const struct sbx_coll *c, const struct sbx_val *v, bool back,
                               bool at)
{
    int64_t n = back ? c->fill.count - 1 : 0;

    if (v && sbx_val_is_num(*v)) {
        const double d = sbx_val_dbl(*v);
        const double whole = back ? floor(d) : ceil(d);

        if (isnan(d)) {
            n = back ? -1 : 0;
        } else if (whole >= (double)c->fill.count) {
            n = back ? n : c->fill.count;
        } else if (whole < 0) {
            n = back ? -1 : 0;
        } else {
            n = (int64_t)whole;
            n += whole == d && !at ? (back ? -1 : 1) : 0;
        }
    } else if (v) {
        const bool below = sbx_type_order(v->type) < sbx_type_order(SBX_INT64);

        n = back == below ? -1 : n;
    }
    while (n >= 0 && n < c->fill.count && !untouched(c, n + 1)) {
        n += back ? -1 : 1;
    }
    return n >= 0 && n < c->fill.count ? n : -1;
}

static struct sbx_rec *real_beyond(const struct sbx_coll *c, const struct sbx_val *v, bool back,
                                   bool at_value, struct sbx_view view, struct sbx_row *row)
{
    struct sbx_tree_at at;
    struct sbx_rec *r;

    if (!v) {
        r = back ? sbx_tree_last(&c->ids, &at) : sbx_tree_first(&c->ids, &at);
    } else {
        const struct sbx_id_key k = {*v, back == at_value ? INT64_MAX : INT64_MIN};

        r = sbx_tree_ge(&c->ids, &k, sbx_id_cmp, &at);
        r = back ? sbx_tree_prev(&c->ids, &at) : r;
    }
    while (r && !real_row(r, view, row)) {
        r = back ? sbx_tree_prev(&c->ids, &at) : sbx_tree_next(&c->ids, &at);
    }
    return r;
}

static bool past_bound(const struct sbx_scan *s, struct sbx_val id)
{
    const struct mst_buf *b = s->back ? &s->lo : &s->hi;
    const bool open = s->back ? s->lo_open : s->hi_open;
    int c;

    if (!b->len) {
        return false;
    }
    c = sbx_val_cmp(id, kept(b));
    c = s->back ? -c : c;
    return open ? c >= 0 : c > 0;
}

static bool by_id(struct sbx_scan *s, const struct sbx_coll *c, struct sbx_view view,
                  struct sbx_row *row)
{
    const struct mst_buf *start = s->back ? &s->hi : &s->lo;
    const bool first = !s->begun;
    const struct mst_buf *from = first ? start : &s->key;
    const bool at = first && !(s->back ? s->hi_open : s->lo_open);
    const struct sbx_val v = from->len ? kept(from) : (struct sbx_val){0};
    const struct sbx_val *pv = from->len ? &v : NULL;
    struct sbx_rec *r = real_beyond(c, pv, s->back, at, view, row);
    const int64_t n = c->fill_live ? computed_beyond(c, pv, s->back, at) : -1;
    struct sbx_val id;

    if (n >= 0) {
        uint8_t raw[8];
        int cmp = -1;

        mst_put_le64(raw, (uint64_t)n);
        if (r) {
            cmp = sbx_val_cmp((struct sbx_val){SBX_INT64, raw, 8}, sbx_rec_id(r));
            cmp = s->back ? -cmp : cmp;
        }
        if (cmp < 0) {
            computed_row(s, c, n + 1, row);
            r = NULL;
        }
    } else if (!r) {
        return false;
    }
    id = sbx_doc_get(row->doc, "_id");
    id = row->rec ? sbx_rec_id(row->rec) : id;
    if (past_bound(s, id)) {
        return false;
    }
    s->begun = true;
    keep(&s->key, id);
    return true;
}

bool sbx_scan_next(struct sbx_scan *s, const struct sbx_coll *c, struct sbx_view view,
                   struct sbx_row *row)
{
    if (s->kind == SBX_SCAN_ID) {
        return by_id(s, c, view, row);
    }
    if (!s->begun) {
        s->begun = true;
        s->rid = s->back ? INT64_MAX : s->rid;
    }
    return s->back ? natural_down(s, c, view, row) : natural_up(s, c, view, row);
}

bool sbx_coll_by_id(const struct sbx_coll *c, struct sbx_val id, struct sbx_view view,
                    struct mst_buf *scratch, struct sbx_row *row)
{
    const struct sbx_id_key k = {id, INT64_MIN};
    struct sbx_tree_at at;
    double d;

    for (struct sbx_rec *r = sbx_tree_ge(&c->ids, &k, sbx_id_cmp, &at);
         r && sbx_val_eq(sbx_rec_id(r), id); r = sbx_tree_next(&c->ids, &at)) {
        if (real_row(r, view, row)) {
            return true;
        }
    }
    if (!c->fill_live || !sbx_val_is_num(id)) {
        return false;
    }
    d = sbx_val_dbl(id);
    if (!(d >= 0 && d < (double)c->fill.count) || trunc(d) < d || !untouched(c, (int64_t)d + 1)) {
        return false;
    }
    mst_buf_reset(scratch);
    sbx_fill_doc(c->fill.seed, (int64_t)d, scratch);
    *row = (struct sbx_row){(int64_t)d + 1, NULL, sbx_doc(scratch->p, (uint32_t)scratch->len)};
    return true;
}
