/* noise.c: config.system.sessions, which servers keep up to date by themselves.
 *
 * Each member hands the sessions that were used on it to the primary, which writes them; the
 * records of ended sessions are deleted, and so are those that nobody used for half an hour.
 */
#include <string.h>

#include "base/mem.h"
#include "sess/internal.h"
#include "set/set.h"

#define NS "config.system.sessions"
#define LOOK_MS (5 * 60 * 1000)
#define LIFE_S (30 * 60)

static void begin_op(bson_t *op, const char *kind, const struct sbx_coll *coll)
{
    bson_init(op);
    BSON_APPEND_UTF8(op, "op", kind);
    BSON_APPEND_UTF8(op, "ns", NS);
    BSON_APPEND_BINARY(op, "ui", BSON_SUBTYPE_UUID, coll->uuid, sizeof coll->uuid);
}

static void id_doc(bson_t *op, const char *field, const bson_t *lsid)
{
    bson_t doc;

    BSON_APPEND_DOCUMENT_BEGIN(op, field, &doc);
    BSON_APPEND_DOCUMENT(&doc, "_id", lsid);
    bson_append_document_end(op, &doc);
}

static void log_index(struct sbx_member *p, const uint8_t uuid[16])
{
    bson_t op = BSON_INITIALIZER, o, key;

    BSON_APPEND_UTF8(&op, "op", "c");
    BSON_APPEND_UTF8(&op, "ns", "config.$cmd");
    BSON_APPEND_BINARY(&op, "ui", BSON_SUBTYPE_UUID, uuid, 16);
    BSON_APPEND_DOCUMENT_BEGIN(&op, "o", &o);
    BSON_APPEND_UTF8(&o, "createIndexes", "system.sessions");
    BSON_APPEND_INT32(&o, "v", 2);
    BSON_APPEND_DOCUMENT_BEGIN(&o, "key", &key);
    BSON_APPEND_INT32(&key, "lastUse", 1);
    bson_append_document_end(&o, &key);
    BSON_APPEND_UTF8(&o, "name", "lsidTTLIndex");
    BSON_APPEND_INT32(&o, "expireAfterSeconds", LIFE_S);
    bson_append_document_end(&op, &o);
    sbx_log_apply(p, &op);
    bson_destroy(&op);
}

static struct sbx_coll *table(struct sbx_member *p)
{
    struct sbx_coll *c = sbx_data_coll(p->data, NS);
    uint8_t uuid[16];

    if (c == NULL) {
        sbx_log_create(p, "config", "system.sessions", uuid);
        log_index(p, uuid);
        c = sbx_data_coll(p->data, NS);
    }
    return c;
}

static bool recorded(const struct sbx_coll *c, const bson_t *lsid)
{
    const struct sbx_val id = {SBX_OBJECT, bson_get_data(lsid), lsid->len};
    struct mst_buf scratch = {0};
    struct sbx_row row;
    const bool found = sbx_coll_by_id(c, id, SBX_LATEST, &scratch, &row);

    mst_buf_release(&scratch);
    return found;
}

static void log_use(struct sbx_member *p, const bson_t *lsid, int64_t at)
{
    const struct sbx_coll *c = table(p);
    const bool old = p->w->profile->server == SBX_42;
    bson_t op, o, set;

    if (!recorded(c, lsid)) {
        begin_op(&op, "i", c);
        BSON_APPEND_DOCUMENT_BEGIN(&op, "o", &o);
        BSON_APPEND_DOCUMENT(&o, "_id", lsid);
        BSON_APPEND_DATE_TIME(&o, "lastUse", at);
        bson_append_document_end(&op, &o);
    } else {
        begin_op(&op, "u", c);
        id_doc(&op, "o2", lsid);
        BSON_APPEND_DOCUMENT_BEGIN(&op, "o", &o);
        BSON_APPEND_INT32(&o, "$v", old ? 1 : 2);
        if (old) {
            BSON_APPEND_DOCUMENT_BEGIN(&o, "$set", &set);
            BSON_APPEND_DATE_TIME(&set, "lastUse", at);
            bson_append_document_end(&o, &set);
        } else {
            bson_t diff;

            BSON_APPEND_DOCUMENT_BEGIN(&o, "diff", &diff);
            BSON_APPEND_DOCUMENT_BEGIN(&diff, "u", &set);
            BSON_APPEND_DATE_TIME(&set, "lastUse", at);
            bson_append_document_end(&diff, &set);
            bson_append_document_end(&o, &diff);
        }
        bson_append_document_end(&op, &o);
    }
    sbx_log_apply(p, &op);
    bson_destroy(&op);
}

static void log_end(struct sbx_member *p, const bson_t *lsid)
{
    const struct sbx_coll *c = sbx_data_coll(p->data, NS);
    bson_t op;

    if (c != NULL && recorded(c, lsid)) {
        begin_op(&op, "d", c);
        id_doc(&op, "o", lsid);
        sbx_log_apply(p, &op);
        bson_destroy(&op);
    }
}

/* What the index would let go. */
static void expire(struct sbx_member *p)
{
    const struct sbx_coll *c = sbx_data_coll(p->data, NS);
    const int64_t limit = sbx_utc(p->w) - (int64_t)LIFE_S * 1000;
    struct sbx_scan scan;
    struct sbx_row row;

    sbx_scan_init(&scan, SBX_SCAN_NATURAL, false);
    while (c != NULL && sbx_scan_next(&scan, c, SBX_LATEST, &row)) {
        const struct sbx_val id = sbx_doc_get(row.doc, "_id"), at = sbx_doc_get(row.doc, "lastUse");
        bson_t view, lsid;

        if (id.type == SBX_OBJECT && at.type == SBX_DATE && sbx_val_i64(at) < limit &&
            bson_init_static(&view, id.p, id.n)) {
            bson_copy_to(&view, &lsid);
            log_end(p, &lsid);
            bson_destroy(&lsid);
        }
    }
    sbx_scan_release(&scan);
}

void sbx_sess_ended(struct sbx_member *m, const uint8_t key[SBX_SESS_KEY])
{
    struct sbx_sessions *all = sbx_sessions_of(m);

    mst_grow((void **)&all->ended, &all->cap_ended, all->n_ended + 1, sizeof *all->ended);
    memcpy(all->ended[all->n_ended++], key, SBX_SESS_KEY);
}

static struct sbx_member *primary_of(struct sbx_member *m)
{
    const int p = sbx_primary_seen(m);
    struct sbx_member *at = p >= 0 ? &m->w->members[p] : NULL;

    return at != NULL && at->writable && (at == m || sbx_linked(m->w, m->index, at->index)) ? at
                                                                                            : NULL;
}

static void look(struct sbx_member *m, struct sbx_member *p)
{
    struct sbx_sessions *all = sbx_sessions_of(m);
    const int64_t now = sbx_utc(m->w);

    for (size_t i = 0; i < SBX_SESS_BUCKETS; i++) {
        for (struct sbx_session *s = all->buckets[i]; s != NULL; s = s->next) {
            if (s->used) {
                bson_t lsid = BSON_INITIALIZER;

                sbx_lsid_append(s, &lsid);
                log_use(p, &lsid, now);
                s->used = false;
                bson_destroy(&lsid);
            }
        }
    }
    for (size_t i = 0; i < all->n_ended; i++) {
        struct sbx_session s = {0};
        bson_t lsid = BSON_INITIALIZER;

        memcpy(s.key, all->ended[i], SBX_SESS_KEY);
        sbx_lsid_append(&s, &lsid);
        log_end(p, &lsid);
        bson_destroy(&lsid);
    }
    all->n_ended = 0;
    if (m == p) {
        expire(p);
    }
}

void sbx_sess_tick(struct sbx_member *m, int64_t now)
{
    struct sbx_sessions *all = sbx_sessions_of(m);
    const int64_t every = m->w->sessions_ms > 0 ? m->w->sessions_ms : LOOK_MS;

    sbx_txn_expire(m);
    if (all->look_mono == 0 || all->look_mono > now + every) { /* a test made it shorter */
        all->look_mono = now + every;
    }
    if (now >= all->look_mono && m->data != NULL) {
        struct sbx_member *p = primary_of(m);

        all->look_mono = now + every;
        if (p != NULL) {
            look(m, p);
        }
    }
    sbx_due(m->w, all->look_mono);
}
