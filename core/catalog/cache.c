/* A head row with the SHA-256 of head and rows, and a BSON document for each backup: fields go by
 * name, so that one which another version adds is passed over, and one it does not have is zero. */
#include "catalog/cache.h"

#include <bson/bson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "hash/hash.h"

#define FORM 1 /* raised when an older program would misread the rows */

enum kind { TEXT, BOOL, I64, U64, U32, INT, STATE, SIGNED, OPTIME };

#define F(member, kind) \
    { \
#member, kind, offsetof(struct mst_backup, member), \
            sizeof(((struct mst_backup *)NULL)->member) \
    }
static const struct field {
    const char *name;
    enum kind kind;
    size_t offset, size;
} fields[] = {
    F(id, TEXT),
    F(kind, TEXT),
    F(state, STATE),
    F(problem, TEXT),
    F(started_wall_ms, I64),
    F(finished_wall_ms, I64),
    F(first, OPTIME),
    F(last, OPTIME),
    F(data_bytes, U64),
    F(stored_bytes, U64),
    F(documents, U64),
    F(namespaces, U32),
    F(left_out, U32),
    F(source, TEXT),
    F(server_version, TEXT),
    F(fcv, TEXT),
    F(sealed, BOOL),
    F(is_signed, BOOL),
    F(unproven, BOOL),
    F(verified_level, INT),
    F(verified_wall_ms, I64),
    F(verified_ok, BOOL),
    F(verified_text, TEXT),
    F(signature, SIGNED),
    F(signer, TEXT),
    F(key_id, TEXT),
    F(chain, TEXT),
    F(counter, U64),
    F(verified_ok, BOOL),
    F(verified_text, TEXT),
    F(attempt, TEXT),
    F(header_sha, TEXT),
    F(hold_until_ms, I64),
    F(hold_text, TEXT),
    F(hold_by, TEXT),
    F(copied_to, TEXT),
    F(leftovers, U32),
    F(foreign, U32),
    F(leftovers, U32),
    F(storage_class, TEXT),
    F(archived, U32),
    F(thawing, U32),
    F(thawed, U32),
    F(thawed_until_ms, I64),
};

void mst_cached_release(struct mst_cached *c)
{
    free(c->backups);
    memset(c, 0, sizeof(*c));
}

/* --- one backup ------------------------------------------------------------------------------- */

static void put_optime(bson_t *doc, const char *name, const struct mst_optime *o)
{
    bson_t sub;

    BSON_APPEND_DOCUMENT_BEGIN(doc, name, &sub);
    BSON_APPEND_TIMESTAMP(&sub, "ts", o->ts.t, o->ts.i);
    BSON_APPEND_INT64(&sub, "t", o->term);
    bson_append_document_end(doc, &sub);
}

static void put(const struct mst_backup *b, bson_t *doc)
{
    for (size_t i = 0; i < MST_COUNT(fields); i++) {
        const struct field *f = &fields[i];
        const void *at = (const char *)b + f->offset;

        switch (f->kind) {
        case TEXT:
            BSON_APPEND_UTF8(doc, f->name, at);
            break;
        case BOOL:
            BSON_APPEND_BOOL(doc, f->name, *(const bool *)at);
            break;
        case I64:
            BSON_APPEND_INT64(doc, f->name, *(const int64_t *)at);
            break;
        case U64:
            BSON_APPEND_INT64(doc, f->name, (int64_t) * (const uint64_t *)at);
            break;
        case U32:
            BSON_APPEND_INT64(doc, f->name, *(const uint32_t *)at);
            break;
        case INT:
            BSON_APPEND_INT64(doc, f->name, *(const int *)at);
            break;
        case STATE:
            BSON_APPEND_UTF8(doc, f->name,
                             mst_backup_state_word(*(const enum mst_backup_state *)at));
            break;
        case SIGNED:
            BSON_APPEND_UTF8(doc, f->name, mst_signed_word(*(const enum mst_signed *)at));
            break;
        case OPTIME:
            put_optime(doc, f->name, at);
            break;
        }
    }
}

static bool get_state(const char *word, enum mst_backup_state *out)
{
    for (int s = MST_BK_COMPLETE; s <= MST_BK_UNREAD; s++) {
        if (strcmp(word, mst_backup_state_word((enum mst_backup_state)s)) == 0) {
            *out = (enum mst_backup_state)s;
            return true;
        }
    }
    return false;
}

static bool get_signed(const char *word, enum mst_signed *out)
{
    for (int s = MST_SIGNED_NOT; s <= MST_SIGNED_FORGED; s++) {
        if (strcmp(word, mst_signed_word((enum mst_signed)s)) == 0) {
            *out = (enum mst_signed)s;
            return true;
        }
    }
    return false;
}

static bool get_optime(const bson_iter_t *it, struct mst_optime *out)
{
    bson_iter_t ts, term, sub;

    if (!BSON_ITER_HOLDS_DOCUMENT(it) || !bson_iter_recurse(it, &sub)) {
        return false;
    }
    ts = term = sub;
    if (!bson_iter_find(&ts, "ts") || !BSON_ITER_HOLDS_TIMESTAMP(&ts) ||
        !bson_iter_find(&term, "t") || !BSON_ITER_HOLDS_INT64(&term)) {
        return false;
    }
    bson_iter_timestamp(&ts, &out->ts.t, &out->ts.i);
    out->term = bson_iter_int64(&term);
    return true;
}

static bool get_number(const struct field *f, int64_t v, void *at)
{
    if (f->kind == I64) {
        *(int64_t *)at = v;
        return true;
    }
    if (f->kind == INT) {
        *(int *)at = (int)v;
        return v >= 0 && v <= INT32_MAX;
    }
    if (f->kind == U32) {
        *(uint32_t *)at = (uint32_t)v;
        return v >= 0 && v <= UINT32_MAX;
    }
    *(uint64_t *)at = (uint64_t)v;
    return v >= 0;
}

static bool get_field(const struct field *f, const bson_iter_t *it, struct mst_backup *b)
{
    void *at = (char *)b + f->offset;
    uint32_t n = 0;
    const char *text = BSON_ITER_HOLDS_UTF8(it) ? bson_iter_utf8(it, &n) : NULL;

    switch (f->kind) {
    case TEXT:
        if (text) {
            mst_text_clean(at, f->size, text, n);
        }
        return text != NULL;
    case STATE:
        return text && get_state(text, at);
    case SIGNED:
        return text && get_signed(text, at);
    case BOOL:
        *(bool *)at = BSON_ITER_HOLDS_BOOL(it) && bson_iter_bool(it);
        return BSON_ITER_HOLDS_BOOL(it);
    case OPTIME:
        return get_optime(it, at);
    case I64:
    case U64:
    case U32:
    case INT:
        break;
    }
    return BSON_ITER_HOLDS_INT64(it) && get_number(f, bson_iter_int64(it), at);
}

static bool get(const void *p, size_t n, struct mst_backup *b)
{
    bson_t doc;
    bson_iter_t it;
    bool state = false;

    memset(b, 0, sizeof(*b));
    if (!p || !bson_init_static(&doc, p, n) || !bson_validate(&doc, BSON_VALIDATE_NONE, NULL)) {
        return false;
    }
    for (size_t i = 0; i < MST_COUNT(fields); i++) {
        if (!bson_iter_init_find(&it, &doc, fields[i].name)) {
            continue;
        }
        if (!get_field(&fields[i], &it, b)) {
            return false;
        }
        state = state || fields[i].kind == STATE;
    }
    return state && b->id[0];
}

/* --- the listing ------------------------------------------------------------------------------ */

static void hash_head(struct mst_sha256 *h, const char *set, const struct mst_cache_key *key,
                      int64_t read_wall_ms, size_t n)
{
    char text[64];

    mst_sha256_init(h);
    mst_sha256_add(h, set, strlen(set) + 1);
    mst_sha256_add(h, key->store, strlen(key->store) + 1);
    mst_sha256_add(h, key->place, strlen(key->place) + 1);
    (void)snprintf(text, sizeof(text), "%d %lld %zu", FORM, (long long)read_wall_ms, n);
    mst_sha256_add(h, text, strlen(text) + 1);
}

struct save {
    const struct mst_cache_key *key;
    int64_t read_wall_ms;
    const struct mst_backup *backups;
    size_t n;
};

static enum mst_rc save(struct mst_db *db, void *arg, struct mst_err *err)
{
    const struct save *s = arg;
    const struct mst_cache_key *k = s->key;
    struct mst_sha256 h = {0};
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];
    enum mst_rc rc = mst_db_run(db, err, "DELETE FROM catalog_rows WHERE of_set = ? AND store = ?",
                                "tt", k->set, k->store);

    hash_head(&h, k->set, k, s->read_wall_ms, s->n);
    for (size_t i = 0; rc == MST_OK && i < s->n; i++) {
        bson_t doc = BSON_INITIALIZER;

        put(&s->backups[i], &doc);
        mst_sha256_add(&h, bson_get_data(&doc), doc.len);
        rc = mst_db_run(db, err,
                        "INSERT INTO catalog_rows (of_set, store, seq, doc) VALUES (?, ?, ?, ?)",
                        "ttib", k->set, k->store, (int64_t)i, (const void *)bson_get_data(&doc),
                        (size_t)doc.len);
        bson_destroy(&doc);
    }
    mst_sha256_final(&h, sha);
    mst_sha256_release(&h);
    if (rc == MST_OK) {
        rc = mst_db_run(db, err,
                        "INSERT OR REPLACE INTO catalog_heads (of_set, store, place, form, read_ms,"
                        " n, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
                        "tttiiit", k->set, k->store, k->place, (int64_t)FORM, s->read_wall_ms,
                        (int64_t)s->n, mst_hex(sha, sizeof(sha), hex));
    }
    return rc;
}

enum mst_rc mst_cache_save(struct mst_db *db, const struct mst_cache_key *key, int64_t read_wall_ms,
                           const struct mst_backup *backups, size_t n, struct mst_err *err)
{
    struct save s = {key, read_wall_ms, backups, n};
    const enum mst_rc rc = mst_db_tx(db, save, &s, err);

    if (rc != MST_OK) {
        mst_err_prefix(err, "the listing of the store %s was not kept", key->store);
    }
    return rc;
}

struct head {
    size_t found;
    char set[128], place[1100], hash[MST_SHA256_HEX];
    int64_t form, read_ms, n;
};

static bool on_head(void *arg, const struct mst_row *row)
{
    struct head *h = arg;

    h->found++;
    (void)mst_copy(h->set, sizeof(h->set), mst_row_text(row, 0));
    (void)mst_copy(h->place, sizeof(h->place), mst_row_text(row, 1));
    h->form = mst_row_int(row, 2);
    h->read_ms = mst_row_int(row, 3);
    h->n = mst_row_int(row, 4);
    (void)mst_copy(h->hash, sizeof(h->hash), mst_row_text(row, 5));
    return true;
}

struct rows {
    struct mst_sha256 sha;
    struct mst_cached *out;
    size_t n;
    bool bad;
};

static bool on_row(void *arg, const struct mst_row *row)
{
    struct rows *r = arg;
    size_t n = 0;
    const void *p = mst_row_blob(row, 1, &n);

    r->bad = r->bad || r->n >= r->out->n || mst_row_int(row, 0) != (int64_t)r->n;
    if (r->bad || !get(p, n, &r->out->backups[r->n])) {
        r->bad = true;
        return false;
    }
    mst_sha256_add(&r->sha, p, n);
    r->n++;
    return true;
}

static enum mst_rc fits(const struct head *h, const struct mst_cache_key *key, struct mst_err *err)
{
    if (h->found != 1) {
        return mst_err_set(err, MST_E_NOTFOUND, "no listing of the store %s is kept", key->store);
    }
    if (h->form != FORM) {
        return mst_err_set(err, MST_E_STALE,
                           "the cached listing of the store %s was written by another version of "
                           "muster: it is not used",
                           key->store);
    }
    if (strcmp(h->place, key->place) != 0) {
        return mst_err_set(err, MST_E_STALE,
                           "the cached listing of the store %s is of another place: it is not used",
                           key->store);
    }
    return MST_OK;
}

static enum mst_rc damaged(const struct mst_cache_key *key, struct mst_err *err)
{
    return mst_err_set(err, MST_E_INTEGRITY,
                       "the cached listing of the store %s is damaged: it is not used, the next "
                       "good listing replaces it",
                       key->store);
}

static enum mst_rc load_rows(struct mst_db *db, const struct mst_cache_key *key,
                             const struct head *h, struct mst_cached *out, struct mst_err *err)
{
    struct rows r = {.out = out};
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];
    enum mst_rc rc;

    (void)mst_copy(out->set, sizeof(out->set), h->set);
    out->read_wall_ms = h->read_ms;
    out->n = (size_t)h->n;
    out->backups = mst_xcalloc(out->n + 1, sizeof(out->backups[0]));
    hash_head(&r.sha, h->set, key, h->read_ms, out->n);
    rc = mst_db_query(
        db, on_row, &r, err,
        "SELECT seq, doc FROM catalog_rows WHERE of_set = ? AND store = ? ORDER BY seq", "tt",
        h->set, key->store);
    mst_sha256_final(&r.sha, sha);
    mst_sha256_release(&r.sha);
    if (rc == MST_OK &&
        (r.bad || r.n != out->n || strcmp(mst_hex(sha, sizeof(sha), hex), h->hash) != 0)) {
        rc = damaged(key, err);
    }
    return rc;
}

enum mst_rc mst_cache_load(struct mst_db *db, const struct mst_cache_key *key,
                           struct mst_cached *out, struct mst_err *err)
{
    struct head h = {0};
    enum mst_rc rc = mst_db_query(db, on_head, &h, err,
                                  "SELECT of_set, place, form, read_ms, n, hash FROM catalog_heads "
                                  "WHERE store = ?1 AND (?2 = '' OR of_set = ?2)",
                                  "tt", key->store, key->set);

    memset(out, 0, sizeof(*out));
    rc = rc == MST_OK ? fits(&h, key, err) : rc;
    if (rc == MST_OK && (h.n < 0 || h.n > (int64_t)MST_CATALOG_BACKUPS_MAX || h.read_ms <= 0)) {
        rc = damaged(key, err);
    }
    rc = rc == MST_OK ? load_rows(db, key, &h, out, err) : rc;
    if (rc != MST_OK) {
        mst_cached_release(out);
    }
    return rc;
}
