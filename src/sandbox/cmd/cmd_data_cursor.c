/* Cursors: they live in a table of their member and remember places, not pointers. A natural scan
 * reads live, batch by batch. */
#include "cmd/cmd_data_cursor.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_data_open.h"
#include "oplog/entries.h"

#define BATCH_BYTES (16 * 1024 * 1024)
#define FIRST_BATCH 101
#define IDLE_MS (10 * 60 * 1000)
#define FILL_PIECE 2000 /* computed documents made without the lock at a time */

static struct sbx_cursor **table(struct sbx_member *m)
{
    return (struct sbx_cursor **)&m->cursors;
}

static void cursor_free(struct sbx_member *m, struct sbx_cursor *cur)
{
    if (cur->holds) {
        m->hold_horizon--;
    }
    sbx_scan_release(&cur->scan);
    sbx_out_release(&cur->filter);
    sbx_out_release(&cur->projection);
    sbx_list_release(&cur->list);
    sbx_out_release(&cur->stash);
    bson_destroy(cur->origin);
    free(cur);
}

/* A busy cursor is only marked: who uses it frees it. */
static void cursor_kill(struct sbx_member *m, struct sbx_cursor **p)
{
    struct sbx_cursor *cur = *p;

    *p = cur->next;
    if (cur->busy) {
        cur->killed = true;
    } else {
        cursor_free(m, cur);
    }
}

static void sweep(struct sbx_member *m)
{
    const int64_t idle = m->w->cursor_idle_ms ? m->w->cursor_idle_ms : IDLE_MS;
    const int64_t now = sbx_mono(m->w);
    struct sbx_cursor **p = table(m);

    while (*p) {
        if (!(*p)->busy && !(*p)->no_timeout && now - (*p)->used_mono > idle) {
            cursor_kill(m, p);
        } else {
            p = &(*p)->next;
        }
    }
}

void sbx_cursors_free(struct sbx_member *m)
{
    while (*table(m)) {
        cursor_kill(m, table(m));
    }
}

static void died(struct sbx_member *m)
{
    sbx_cursors_free(m);
}

const struct sbx_hooks sbx_cursor_hooks = {.died = died};

size_t sbx_cursors_open(const struct sbx_member *m)
{
    size_t n = 0;

    for (const struct sbx_cursor *cur = m->cursors; cur; cur = cur->next) {
        n++;
    }
    return n;
}

void sbx_cursors_kill_session(struct sbx_member *m, const uint8_t lsid[16])
{
    struct sbx_cursor **p = table(m);

    while (*p) {
        if ((*p)->has_session && memcmp((*p)->session, lsid, 16) == 0) {
            cursor_kill(m, p);
        } else {
            p = &(*p)->next;
        }
    }
}

/* ---- batches ---- */

struct batch {
    struct sbx_call *c;
    struct sbx_cursor *cur;
    struct sbx_out out;
    size_t mark;
    int64_t n, want; /* want 0: as many as fit */
    bool full;
};

/* False when the document must wait for the next batch. */
static bool batch_put(struct batch *b, struct sbx_doc d)
{
    if (b->n && b->out.b.len + d.n + 16 > BATCH_BYTES) {
        sbx_out_reset(&b->cur->stash);
        mst_buf_add(&b->cur->stash.b, d.p, d.n);
        b->full = true;
        return false;
    }
    sbx_out_index(&b->out, (unsigned)b->n, sbx_doc_val(d));
    b->n++;
    b->full = b->n == b->want;
    return true;
}

/* skip, limit and projection, then into the batch. False ends the cursor. */
static bool offer(struct batch *b, struct sbx_doc d)
{
    struct sbx_cursor *cur = b->cur;
    struct sbx_out p = {0};

    if (cur->skip > 0) {
        cur->skip--;
        return true;
    }
    if (cur->projection.b.len > 5) {
        sbx_project(sbx_out_done(&cur->projection), d, &p);
        d = sbx_out_done(&p);
    }
    batch_put(b, d);
    sbx_out_release(&p);
    if (cur->limit > 0 && --cur->limit == 0) {
        return false;
    }
    return true;
}

/* A run of computed documents with nothing to filter: made without the world's lock. */
static bool fill_run(struct batch *b, const struct sbx_coll *coll)
{
    struct sbx_cursor *cur = b->cur;
    const uint64_t seed = coll->fill.seed;
    int64_t rid = cur->scan.begun ? cur->scan.rid + 1 : 1, run, n = 0;
    struct mst_buf doc = {0};

    if (cur->scan.kind != SBX_SCAN_NATURAL || cur->scan.back || cur->filter.b.len > 5 ||
        cur->projection.b.len > 5 || cur->skip > 0 || cur->limit > 0) {
        return false;
    }
    run = sbx_fill_run(coll, rid);
    run = run > FILL_PIECE ? FILL_PIECE : run;
    run = b->want && run > b->want - b->n ? b->want - b->n : run;
    if (run < 16) {
        return false;
    }
    cur->busy = true;
    sbx_unlock(b->c->w);
    while (n < run && !b->full) {
        if (b->n && b->out.b.len + sbx_fill_size(rid - 1) + 16 > BATCH_BYTES) {
            b->full = true;
            break;
        }
        mst_buf_reset(&doc);
        sbx_fill_doc(seed, rid - 1, &doc);
        sbx_out_index(&b->out, (unsigned)b->n++, sbx_doc_val(sbx_doc(doc.p, (uint32_t)doc.len)));
        b->full = b->n == b->want;
        rid++;
        n++;
    }
    mst_buf_release(&doc);
    sbx_lock(b->c->w);
    cur->busy = false;
    cur->scan.begun = true;
    cur->scan.rid = rid - 1;
    return true;
}

static void refresh_view(struct sbx_call *c, struct sbx_cursor *cur)
{
    if (cur->in_txn && c->txn) {
        cur->view = sbx_cmd_view(c);
    } else if (cur->majority) {
        cur->view.at = c->m->committed.op.ts;
    }
}

static struct sbx_coll *scan_coll(struct sbx_call *c, struct sbx_cursor *cur)
{
    struct sbx_coll *coll = sbx_data_by_uuid(c->m->data, cur->uuid);

    if (!coll) {
        struct mst_str s = {0};
        const struct sbx_coll *now = sbx_data_coll(c->m->data, cur->coll_ns);

        (void)now;
        for (int i = 0; i < 16; i++) {
            mst_str_addf(&s, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                         cur->uuid[i]);
        }
        sbx_fail(c, 175, "collection dropped. UUID %s", mst_str_c(&s));
        mst_str_release(&s);
    } else if (strcmp(coll->ns, cur->coll_ns) != 0) {
        sbx_fail(c, 175, "collection renamed from '%s' to '%s'", cur->coll_ns, coll->ns);
        return NULL;
    }
    return coll;
}

/* A tailable cursor whose last document was rotated away has lost its place. */
static bool place_lost(const struct sbx_cursor *cur, const struct sbx_coll *coll)
{
    struct sbx_tree_at at;
    const struct sbx_rec *first = sbx_tree_first(&coll->records, &at);

    return coll->capped && cur->scan.kind == SBX_SCAN_NATURAL && !cur->scan.back &&
           cur->scan.begun && cur->scan.rid > 0 && (!first || first->rid > cur->scan.rid);
}

static void from_scan(struct batch *b)
{
    struct sbx_cursor *cur = b->cur;
    struct sbx_coll *coll = scan_coll(b->c, cur);
    struct sbx_row row;

    if (!coll) {
        return;
    }
    if (place_lost(cur, coll)) {
        sbx_fail(b->c, 136,
                 "CollectionScan died due to position in capped collection being deleted. Last "
                 "seen record id: RecordId(%lld)",
                 (long long)cur->scan.rid);
        return;
    }
    while (!b->full) {
        if (coll->fill_live && fill_run(b, coll)) {
            coll = cur->killed ? NULL : scan_coll(b->c, cur);
            if (!coll) {
                return;
            }
            continue;
        }
        if (!sbx_plan_next(&cur->scan, coll, cur->view, sbx_out_done(&cur->filter), &row)) {
            cur->done = !cur->tailable;
            return;
        }
        if (!offer(b, row.doc)) {
            cur->done = true;
            return;
        }
    }
}

static void from_list(struct batch *b)
{
    struct sbx_cursor *cur = b->cur;

    while (!b->full) {
        if (cur->at >= cur->list.n || !offer(b, sbx_list_get(&cur->list, cur->at++))) {
            cur->done = true;
            return;
        }
    }
    cur->done = cur->at >= cur->list.n && !cur->stash.b.len;
}

static void from_oplog(struct batch *b)
{
    struct sbx_cursor *cur = b->cur;
    const struct sbx_oplog *log = b->c->m->oplog;

    if (!cur->back && (cur->pos < sbx_oplog_begin(log) || cur->pos > sbx_oplog_end(log))) {
        sbx_fail(b->c, 136,
                 "CollectionScan died due to position in capped collection being deleted. Last "
                 "seen record id: RecordId(%lld)",
                 (long long)((uint64_t)cur->last_ts.t << 32 | cur->last_ts.i));
        return;
    }
    while (!b->full) {
        const struct sbx_entry *e = sbx_oplog_at(log, cur->back ? cur->pos - 1 : cur->pos);
        const struct sbx_doc d = e ? sbx_entry_doc(e) : sbx_doc(NULL, 0);

        if (!e || (!cur->back && mst_ts_cmp(e->at.ts, cur->view.at) > 0)) {
            cur->done = cur->back || !cur->tailable;
            return;
        }
        cur->pos += cur->back ? (uint64_t)-1 : 1;
        cur->last_ts = e->at.ts;
        if (mst_ts_cmp(e->at.ts, cur->view.at) <= 0 && sbx_match(sbx_out_done(&cur->filter), d) &&
            !offer(b, d)) {
            cur->done = true;
            return;
        }
    }
}

static void batch_fill(struct batch *b)
{
    struct sbx_cursor *cur = b->cur;

    refresh_view(b->c, cur);
    if (cur->stash.b.len) {
        batch_put(b, sbx_out_done(&cur->stash));
        sbx_out_release(&cur->stash);
    }
    if (b->full || (cur->limit == 0)) {
        cur->done = cur->limit == 0;
        return;
    }
    if (cur->source == FROM_SCAN) {
        from_scan(b);
    } else if (cur->source == FROM_LIST) {
        from_list(b);
    } else {
        from_oplog(b);
    }
    cur->done = cur->done && !cur->stash.b.len;
}

static void batch_reply(struct batch *b, const char *key)
{
    struct sbx_cursor *cur = b->cur;
    bson_t doc, token;

    cur->documents += b->n;
    cur->batches++;
    cur->used_utc = sbx_utc(b->c->w);
    sbx_out_end(&b->out, b->mark);
    bson_append_document_begin(b->c->reply, "cursor", -1, &doc);
    sbx_reply_array(&doc, key, sbx_out_done(&b->out));
    if (cur->resume_token) {
        bson_append_document_begin(&doc, "postBatchResumeToken", -1, &token);
        if (cur->scan.begun && cur->scan.rid > 0) {
            BSON_APPEND_INT64(&token, "$recordId", cur->scan.rid);
        } else {
            BSON_APPEND_NULL(&token, "$recordId");
        }
        bson_append_document_end(&doc, &token);
    }
    BSON_APPEND_INT64(&doc, "id", cur->id);
    BSON_APPEND_UTF8(&doc, "ns", cur->ns);
    bson_append_document_end(b->c->reply, &doc);
}

static void cursor_register(struct sbx_member *m, struct sbx_cursor *cur)
{
    cur->id = (int64_t)(sbx_random(m->w) >> 1) | 1;
    cur->next = *table(m);
    *table(m) = cur;
}

static void batch_begin(struct batch *b, struct sbx_call *c, struct sbx_cursor *cur, int64_t want)
{
    *b = (struct batch){.c = c, .cur = cur, .want = want};
    b->mark = sbx_out_begin(&b->out);
}

void sbx_cursor_first(struct sbx_call *c, struct sbx_cursor *cur, int64_t batch, bool single)
{
    struct batch b;

    sweep(c->m);
    batch_begin(&b, c, cur, batch < 0 ? FIRST_BATCH : batch);
    if (batch == 0) {
        b.full = true;
    }
    if (!b.full) {
        batch_fill(&b);
    }
    if (cur->tailable && b.n == 0 && cur->source == FROM_SCAN && batch != 0) {
        cur->done = true; /* nothing to stand on */
    }
    cur->done = cur->done || single || cur->killed;
    if (!c->failed && !cur->done) {
        cursor_register(c->m, cur);
    }
    if (!c->failed) {
        batch_reply(&b, "firstBatch");
    }
    if (c->failed || cur->done) {
        cursor_free(c->m, cur);
    }
    sbx_out_release(&b.out);
}

/* ---- getMore, killCursors ---- */

static struct sbx_cursor **cursor_at(struct sbx_member *m, int64_t id)
{
    struct sbx_cursor **p = table(m);

    while (*p && (*p)->id != id) {
        p = &(*p)->next;
    }
    return p;
}

static bool is_its_owner(const struct sbx_call *c, const struct sbx_cursor *cur)
{
    uint8_t uid[SBX_AUTH_UID];

    sbx_auth_uid(c->conn, uid);
    return c->conn == NULL || memcmp(cur->user, uid, sizeof uid) == 0;
}

static bool cursor_allowed(struct sbx_call *c, const struct sbx_cursor *cur, int64_t id)
{
    const char *coll = sbx_val_str(sbx_cmd_arg(c, "collection"), NULL);
    const struct sbx_val lsid = sbx_cmd_arg(c, "lsid");
    const uint8_t *mine =
        lsid.type == SBX_OBJECT ? sbx_val_uuid(sbx_doc_get(sbx_val_doc(lsid), "id")) : NULL;
    char ns[SBX_NS_MAX];

    if (!coll || snprintf(ns, sizeof ns, "%s.%s", c->db, coll) >= (int)sizeof ns) {
        sbx_fail(c, 9, "Field 'collection' must be of type string in: { getMore: %lld }",
                 (long long)id);
        return false;
    }
    if (!cur) {
        sbx_fail(c, 43, "cursor id %lld not found", (long long)id);
    } else if (strcmp(ns, cur->ns) != 0) {
        sbx_fail(c, 13,
                 "Requested getMore on namespace '%s', but cursor belongs to a different namespace "
                 "%s",
                 ns, cur->ns);
    } else if (sbx_auth_enabled(c->w) && !is_its_owner(c, cur)) {
        sbx_fail(c, 13, "cursor id %lld was not created by the authenticated user", (long long)id);
    } else if (cur->busy) {
        sbx_fail(c, 43, "cursor id %lld is already in use", (long long)id);
    } else if (cur->has_session && mine && memcmp(cur->session, mine, 16) != 0) {
        sbx_fail(c, 50738,
                 "Cannot run getMore on cursor %lld, which was created in another session",
                 (long long)id);
    } else if (cur->in_txn && !c->txn) {
        sbx_fail(c, 50740, "Cannot run getMore on cursor %lld, which was created in a transaction",
                 (long long)id);
    }
    return !c->failed;
}

/* Wait for the oplog or the collection to grow. False when the call or the cursor ended. */
static bool await_more(struct batch *b, int64_t deadline)
{
    struct sbx_cursor *cur = b->cur;
    enum sbx_woke woke;

    cur->busy = true;
    woke = sbx_wait(b->c, deadline);
    cur->busy = false;
    return woke == SBX_WOKE && !cur->killed;
}

static void slow_down(struct batch *b)
{
    struct sbx_cursor *cur = b->cur;
    const int64_t until = sbx_mono(b->c->w) + b->c->w->batch_delay_ms;

    if (b->c->w->batch_delay_ms <= 0 || cur->source == FROM_OPLOG) {
        return;
    }
    cur->busy = true;
    while (sbx_wait(b->c, until) == SBX_WOKE) {
    }
    cur->busy = false;
}

static void more(struct batch *b)
{
    const struct sbx_val max = sbx_cmd_arg(b->c, "maxTimeMS");
    const int64_t wait = b->cur->await ? (max.type == SBX_EOO ? 1000 : sbx_val_i64(max)) : 0;
    const int64_t deadline = sbx_mono(b->c->w) + wait;

    slow_down(b);
    while (!b->c->failed && !b->cur->killed) {
        batch_fill(b);
        if (b->c->failed || b->n || b->cur->done || !wait || !await_more(b, deadline)) {
            break;
        }
    }
    if (b->cur->killed && !b->c->failed) {
        sbx_fail(b->c, 237, "cursor was killed during getMore");
    }
}

void sbx_cmd_get_more(struct sbx_call *c)
{
    struct sbx_it it;
    const struct sbx_val size = sbx_cmd_arg(c, "batchSize");
    struct sbx_cursor **p, *cur;
    struct batch b;
    int64_t id;
    bool killed;

    sbx_doc_first(sbx_cmd_doc(c), &it);
    id = sbx_val_i64(it.v);
    sweep(c->m);
    cur = *cursor_at(c->m, id);
    if (!cursor_allowed(c, cur, id)) {
        return;
    }
    batch_begin(&b, c, cur, size.type == SBX_EOO ? 0 : sbx_val_i64(size));
    more(&b);
    killed = cur->killed;
    cur->used_mono = sbx_mono(c->w);
    if (!c->failed) {
        cur->id = cur->done ? 0 : cur->id;
        batch_reply(&b, "nextBatch");
        cur->id = id;
    }
    if (killed) {
        cursor_free(c->m, cur); /* it left the table already */
    } else if (c->failed || cur->done) {
        p = cursor_at(c->m, id);
        cursor_kill(c->m, p);
    }
    sbx_out_release(&b.out);
}

void sbx_cmd_kill_cursors(struct sbx_call *c)
{
    const struct sbx_val ids = sbx_cmd_arg(c, "cursors");
    bson_t killed = BSON_INITIALIZER, lost = BSON_INITIALIZER, none = BSON_INITIALIZER;
    char ns[SBX_NS_MAX];
    struct sbx_it it;

    if (ids.type != SBX_ARRAY || !sbx_cmd_ns(c, ns)) {
        sbx_fail(c, 9, "Field 'cursors' must be of type array");
        return;
    }
    sbx_it_init(&it, sbx_val_doc(ids));
    while (sbx_it_next(&it)) {
        const int64_t id = sbx_val_i64(it.v);
        struct sbx_cursor **p = cursor_at(c->m, id);
        bson_t *to = *p && strcmp((*p)->ns, ns) == 0 ? &killed : &lost;
        char key[12];

        snprintf(key, sizeof key, "%u", bson_count_keys(to));
        bson_append_int64(to, key, -1, id);
        if (to == &killed) {
            cursor_kill(c->m, p);
        }
    }
    BSON_APPEND_ARRAY(c->reply, "cursorsKilled", &killed);
    BSON_APPEND_ARRAY(c->reply, "cursorsNotFound", &lost);
    BSON_APPEND_ARRAY(c->reply, "cursorsAlive", &none);
    BSON_APPEND_ARRAY(c->reply, "cursorsUnknown", &none);
    bson_destroy(&killed);
    bson_destroy(&lost);
    bson_destroy(&none);
    sbx_changed(c->w); /* who waits in it ends */
}
