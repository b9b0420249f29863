/* Records and their versions. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/inner.h"

int sbx_rid_cmp(const void *key, const void *item)
{
    const int64_t a = *(const int64_t *)key, b = ((const struct sbx_rec *)item)->rid;

    return a < b ? -1 : a > b;
}

int sbx_id_cmp(const void *key, const void *item)
{
    const struct sbx_id_key *k = key;
    const struct sbx_rec *r = item;
    const int c = sbx_val_cmp(k->v, sbx_rec_id(r));

    return c ? c : sbx_rid_cmp(&k->rid, r);
}

static void link_rec(struct sbx_coll *c, struct sbx_rec *r)
{
    const struct sbx_id_key k = {sbx_rec_id(r), r->rid};

    sbx_tree_add(&c->records, &r->rid, sbx_rid_cmp, r);
    sbx_tree_add(&c->ids, &k, sbx_id_cmp, r);
}

static void unlink_rec(struct sbx_coll *c, struct sbx_rec *r)
{
    const struct sbx_id_key k = {sbx_rec_id(r), r->rid};

    sbx_tree_del(&c->records, &r->rid, sbx_rid_cmp, r);
    sbx_tree_del(&c->ids, &k, sbx_id_cmp, r);
}

static void free_vers(struct sbx_ver *v)
{
    while (v) {
        struct sbx_ver *prev = v->prev;

        free(v);
        v = prev;
    }
}

static void free_rec(struct sbx_rec *r)
{
    sbx_rec_unindex(r);
    free_vers(r->head);
    free(r);
}

void sbx_coll_free(struct sbx_coll *c)
{
    struct sbx_tree_at at;

    for (struct sbx_rec *r = sbx_tree_first(&c->records, &at); r;
         r = sbx_tree_next(&c->records, &at)) {
        struct sbx_ukey *u = r->ukeys, *next;

        for (; u; u = next) {
            next = u->next;
            free(u);
        }
        free_vers(r->head);
        free(r);
    }
    while (c->indexes) {
        struct sbx_index *x = c->indexes;

        c->indexes = x->next;
        sbx_tree_release(&x->tree);
        sbx_out_release(&x->spec);
        free(x->name);
        free(x);
    }
    sbx_tree_release(&c->records);
    sbx_tree_release(&c->ids);
    sbx_out_release(&c->options);
    sbx_out_release(&c->validator);
    free(c->queue);
    free(c);
}

struct sbx_ver *sbx_rec_visible(const struct sbx_rec *rec, struct sbx_view view)
{
    for (struct sbx_ver *v = rec->head; v; v = v->prev) {
        if (v->owner ? v->owner == view.txd : mst_ts_cmp(v->at, view.at) <= 0) {
            return v->gone ? NULL : v;
        }
    }
    return NULL;
}

bool sbx_rec_clash(const struct sbx_rec *r, struct sbx_view view, bool *conflict)
{
    const struct sbx_ver *h = r->head;

    *conflict = h && ((h->owner && h->owner != view.txd) ||
                      (!h->owner && view.txd && mst_ts_cmp(h->at, view.at) > 0));
    return *conflict || (h && !h->gone);
}

bool sbx_rec_writable(const struct sbx_rec *rec, struct sbx_view view, struct sbx_why *why)
{
    bool conflict = false;

    if (rec) {
        sbx_rec_clash(rec, view, &conflict);
    }
    return !conflict || sbx_why(why, 112, "WriteConflict");
}

bool sbx_dup_fail(const struct sbx_coll *c, const char *index, struct sbx_doc pattern,
                  struct sbx_doc value, struct sbx_dup *dup, struct sbx_why *why)
{
    struct mst_str s = {0};

    sbx_doc_text(value, &s);
    sbx_why(why, 11000, "E11000 duplicate key error collection: %s index: %s dup key: %s", c->ns,
            index, mst_str_c(&s));
    mst_str_release(&s);
    if (dup) {
        sbx_out_reset(&dup->pattern);
        sbx_out_reset(&dup->value);
        mst_buf_add(&dup->pattern.b, pattern.p, pattern.n);
        mst_buf_add(&dup->value.b, value.p, value.n);
    }
    return false;
}

static bool id_clash(struct sbx_coll *c, struct sbx_val id, struct sbx_dup *dup,
                     struct sbx_why *why)
{
    struct sbx_out key = {0};
    const size_t mark = sbx_out_begin(&key);

    sbx_out_val(&key, "_id", id);
    sbx_out_end(&key, mark);
    sbx_dup_fail(c, "_id_", sbx_val_doc(sbx_doc_get(sbx_out_done(&c->indexes->spec), "key")),
                 sbx_out_done(&key), dup, why);
    sbx_out_release(&key);
    return false;
}

static bool check_id(struct sbx_coll *c, struct sbx_val id, struct sbx_view view,
                     struct sbx_dup *dup, struct sbx_why *why)
{
    const struct sbx_id_key k = {id, INT64_MIN};
    struct mst_buf scratch = {0};
    struct sbx_tree_at at;
    struct sbx_row row;
    bool computed;

    for (struct sbx_rec *r = sbx_tree_ge(&c->ids, &k, sbx_id_cmp, &at);
         r && sbx_val_eq(sbx_rec_id(r), id); r = sbx_tree_next(&c->ids, &at)) {
        bool conflict;

        if (sbx_rec_clash(r, view, &conflict)) {
            return conflict ? sbx_why(why, 112, "WriteConflict") : id_clash(c, id, dup, why);
        }
    }
    computed = c->fill_live && sbx_coll_by_id(c, id, SBX_LATEST, &scratch, &row) && !row.rec;
    mst_buf_release(&scratch);
    return !computed || id_clash(c, id, dup, why);
}

bool sbx_coll_check(struct sbx_coll *c, const struct sbx_rec *rec, struct sbx_doc doc,
                    struct sbx_view view, struct sbx_dup *dup, struct sbx_why *why)
{
    if (!sbx_rec_writable(rec, view, why)) {
        return false;
    }
    if (rec && c->capped && rec->head && rec->head->n != doc.n) {
        return sbx_why(why, 10003,
                       "Cannot change the size of a document in a capped collection: %u != %u",
                       rec->head->n, doc.n);
    }
    if (!rec && !check_id(c, sbx_doc_get(doc, "_id"), view, dup, why)) {
        return false;
    }
    return sbx_index_check(c, rec, doc, view, dup, why);
}

/* ---- forgetting ---- */

void sbx_rec_enqueue(struct sbx_coll *c, struct sbx_rec *r)
{
    if (r->queued || (!r->head->prev && !r->head->gone)) {
        return;
    }
    r->queued = true;
    if (c->queue_head > 64 && c->queue_head > c->queue_n / 2) {
        memmove(c->queue, c->queue + c->queue_head,
                (c->queue_n - c->queue_head) * sizeof(struct sbx_rec *));
        c->queue_n -= c->queue_head;
        c->queue_head = 0;
    }
    mst_grow((void **)&c->queue, &c->queue_cap, c->queue_n + 1, sizeof(struct sbx_rec *));
    c->queue[c->queue_n++] = r;
}

/* Versions older than the newest one at the horizon are nobody's any more. */
static void trim(struct sbx_rec *r, struct mst_ts horizon)
{
    for (struct sbx_ver *v = r->head; v; v = v->prev) {
        if (!v->owner && mst_ts_cmp(v->at, horizon) <= 0) {
            free_vers(v->prev);
            v->prev = NULL;
        }
    }
}

void sbx_coll_purge(struct sbx_coll *c)
{
    while (c->queue_head < c->queue_n) {
        struct sbx_rec *r = c->queue[c->queue_head];

        trim(r, c->data->horizon);
        if (r->head->owner || mst_ts_cmp(r->head->at, c->data->horizon) > 0) {
            break;
        }
        c->queue_head++;
        r->queued = false;
        if (r->head->gone && r->rid > c->fill.count) { /* a computed one stays deleted */
            unlink_rec(c, r);
            free_rec(r);
        }
    }
    if (c->queue_head == c->queue_n) {
        c->queue_head = c->queue_n = 0;
    }
}

/* ---- writing ---- */

static void touch(struct sbx_coll *c, struct sbx_rec *r, struct sbx_txd *t)
{
    mst_grow((void **)&t->v, &t->cap, t->n + 1, sizeof *t->v);
    t->v[t->n++] = (struct sbx_touch){c, r};
    c->pending++;
}

static void push(struct sbx_coll *c, struct sbx_rec *r, struct sbx_doc doc, bool gone,
                 struct sbx_stamp stamp)
{
    struct sbx_ver *v = mst_xcalloc(1, sizeof *v + doc.n), *old = r->head;

    if (old && !old->gone) {
        c->count--;
        c->bytes -= old->n;
    }
    if (!gone) {
        c->count++;
        c->bytes += doc.n;
    }
    v->at = stamp.ts;
    v->owner = stamp.txd;
    v->gone = gone;
    v->n = doc.n;
    if (doc.n) {
        memcpy(v->doc, doc.p, doc.n);
    }
    v->prev = old;
    r->head = v;
    if (stamp.txd && old && old->owner == stamp.txd) { /* its own second write */
        v->prev = old->prev;
        free(old);
    } else if (stamp.txd) {
        touch(c, r, stamp.txd);
    }
    sbx_rec_sync(c, r);
}

void sbx_rec_pop(struct sbx_coll *c, struct sbx_rec *r)
{
    struct sbx_ver *v = r->head;

    r->head = v->prev;
    if (!v->gone) {
        c->count--;
        c->bytes -= v->n;
    }
    free(v);
    if (!r->head) {
        unlink_rec(c, r);
        free_rec(r);
        return;
    }
    if (!r->head->gone) {
        c->count++;
        c->bytes += r->head->n;
    }
    sbx_rec_sync(c, r);
}

static struct sbx_rec *new_rec(struct sbx_coll *c, struct sbx_val id, int64_t rid)
{
    struct sbx_rec *r = mst_xcalloc(1, sizeof *r + id.n);

    r->rid = rid;
    r->id_type = id.type;
    r->id_n = id.n;
    if (id.n) {
        memcpy(r->id, id.p, id.n);
    }
    link_rec(c, r);
    return r;
}

/* A capped collection forgets its oldest; every member does so by itself. */
static void rotate(struct sbx_coll *c, struct sbx_stamp stamp)
{
    struct sbx_tree_at at;
    struct sbx_rec *r = sbx_tree_first(&c->records, &at);

    while (r && (c->bytes > c->cap_size || (c->cap_max && c->count > c->cap_max))) {
        struct sbx_rec *next = sbx_tree_next(&c->records, &at);

        if (!r->head->gone && r->head->owner) {
            break;
        }
        if (!r->head->gone) {
            push(c, r, sbx_doc(NULL, 0), true, stamp);
            sbx_rec_enqueue(c, r);
        }
        r = next;
    }
}

struct sbx_rec *sbx_coll_insert(struct sbx_coll *c, struct sbx_doc doc, struct sbx_stamp stamp)
{
    struct sbx_rec *r = new_rec(c, sbx_doc_get(doc, "_id"), c->next_rid++);

    push(c, r, doc, false, stamp);
    if (c->capped && !stamp.txd) {
        rotate(c, stamp);
    }
    sbx_coll_purge(c);
    return r;
}

void sbx_coll_update(struct sbx_coll *c, struct sbx_rec *rec, struct sbx_doc doc,
                     struct sbx_stamp stamp)
{
    const bool grew = rec->head && doc.n > rec->head->n;

    if (c->data->move_on_grow && grew && !c->capped && !stamp.txd && rec->rid > c->fill.count) {
        unlink_rec(c, rec);
        rec->rid = c->next_rid++;
        link_rec(c, rec);
    }
    push(c, rec, doc, false, stamp);
    if (!stamp.txd) {
        sbx_rec_enqueue(c, rec);
    }
    sbx_coll_purge(c);
}

void sbx_coll_remove(struct sbx_coll *c, struct sbx_rec *rec, struct sbx_stamp stamp)
{
    push(c, rec, sbx_doc(NULL, 0), true, stamp);
    if (!stamp.txd) {
        sbx_rec_enqueue(c, rec);
    }
    sbx_coll_purge(c);
}

struct sbx_rec *sbx_coll_rec(struct sbx_coll *c, const struct sbx_row *row)
{
    struct sbx_tree_at at;
    struct sbx_rec *r = row->rec;
    struct mst_buf b = {0};
    struct sbx_ver *v;

    if (r) {
        return r;
    }
    r = sbx_tree_ge(&c->records, &row->rid, sbx_rid_cmp, &at);
    if (r && r->rid == row->rid) {
        return r;
    }
    MST_ASSERT(row->rid >= 1 && row->rid <= c->fill.count);
    sbx_fill_doc(c->fill.seed, row->rid - 1, &b);
    r = new_rec(c, sbx_doc_get(sbx_doc(b.p, (uint32_t)b.len), "_id"), row->rid);
    v = mst_xcalloc(1, sizeof *v + b.len);
    v->n = (uint32_t)b.len;
    memcpy(v->doc, b.p, b.len);
    r->head = v;
    c->fill_live--;
    mst_buf_release(&b);
    sbx_rec_sync(c, r);
    return r;
}
