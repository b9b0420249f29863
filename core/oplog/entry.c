/* entry.c: one oplog entry, read without copying. */
#include "oplog/oplog.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static bool view_of(const bson_iter_t *it, bson_t *out)
{
    const uint8_t *p = NULL;
    uint32_t n = 0;

    if (!BSON_ITER_HOLDS_DOCUMENT(it)) {
        return false;
    }
    bson_iter_document(it, &n, &p);
    return bson_init_static(out, p, n);
}

static bool truthy(const bson_t *o, const char *key)
{
    bson_iter_t it;

    return bson_iter_init_find(&it, o, key) && bson_iter_as_bool(&it);
}

static enum mst_txn_kind txn_kind(const struct mst_oplog_entry *e, bool has_number, int64_t multi)
{
    if (e->op != 'c' || !e->lsid || !has_number || multi == 1) {
        return MST_TXN_NONE;
    }
    if (strcmp(e->cmd, "commitTransaction") == 0) {
        return MST_TXN_COMMIT;
    }
    if (strcmp(e->cmd, "abortTransaction") == 0) {
        return MST_TXN_ABORT;
    }
    if (strcmp(e->cmd, "applyOps") != 0) {
        return MST_TXN_NONE;
    }
    if (truthy(&e->o, "prepare")) {
        return MST_TXN_PREPARE;
    }
    return truthy(&e->o, "partialTxn") ? MST_TXN_PART : MST_TXN_COMMIT;
}

static void read_prev(const bson_iter_t *it, struct mst_optime *out)
{
    bson_t doc;
    bson_iter_t in;

    out->term = -1;
    if (!view_of(it, &doc)) {
        return;
    }
    if (bson_iter_init_find(&in, &doc, "ts") && BSON_ITER_HOLDS_TIMESTAMP(&in)) {
        bson_iter_timestamp(&in, &out->ts.t, &out->ts.i);
    }
    if (bson_iter_init_find(&in, &doc, "t")) {
        out->term = bson_iter_as_int64(&in);
    }
}

static enum mst_rc lacking(const struct mst_oplog_entry *e, bool damaged, struct mst_err *err)
{
    return mst_err_set(err, MST_E_INTEGRITY, "oplog entry %u.%u has no %s", e->at.ts.t, e->at.ts.i,
                       damaged       ? "valid BSON"
                       : !e->kind[0] ? "op"
                       : !e->ns      ? "ns"
                                     : "o");
}

/* Everything but ts and t. */
static enum mst_rc parse_body(const bson_t *doc, struct mst_oplog_entry *e, struct mst_err *err)
{
    bson_iter_t it, first;
    bool has_o = false, has_number = false;
    int64_t multi = 0;

    if (!bson_iter_init(&it, doc)) {
        return mst_err_set(err, MST_E_INTEGRITY, "oplog entry is not a BSON document");
    }
    bson_init_static(&e->o2, (const uint8_t *)"\5\0\0\0\0", 5);
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        uint32_t n = 0;
        const uint8_t *p = NULL;
        bson_subtype_t sub;

        if (strcmp(key, "op") == 0 && BSON_ITER_HOLDS_UTF8(&it)) {
            const char *op = bson_iter_utf8(&it, &n);

            mst_text_clean(e->kind, sizeof e->kind, op, n);
            e->op = n == 1 && strchr("iudcn", op[0]) ? op[0] : 0;
        } else if (strcmp(key, "ns") == 0 && BSON_ITER_HOLDS_UTF8(&it)) {
            e->ns = bson_iter_utf8(&it, &n);
            if (strlen(e->ns) != n) {
                return mst_err_set(err, MST_E_INTEGRITY, "oplog entry: a NUL inside ns");
            }
        } else if (strcmp(key, "ui") == 0 && BSON_ITER_HOLDS_BINARY(&it)) {
            bson_iter_binary(&it, &sub, &n, &p);
            if (n == 16) {
                e->has_ui = true;
                memcpy(e->ui, p, 16);
            }
        } else if (strcmp(key, "o") == 0) {
            has_o = view_of(&it, &e->o);
        } else if (strcmp(key, "o2") == 0) {
            e->has_o2 = view_of(&it, &e->o2);
        } else if (strcmp(key, "b") == 0) {
            e->upsert = bson_iter_as_bool(&it);
        } else if (strcmp(key, "lsid") == 0 && BSON_ITER_HOLDS_DOCUMENT(&it)) {
            bson_iter_document(&it, &e->lsid_len, &e->lsid);
        } else if (strcmp(key, "txnNumber") == 0) {
            e->txn_number = bson_iter_as_int64(&it);
            has_number = true;
        } else if (strcmp(key, "prevOpTime") == 0) {
            read_prev(&it, &e->prev);
        } else if (strcmp(key, "multiOpType") == 0) {
            multi = bson_iter_as_int64(&it);
        }
    }
    if (it.err_off != 0 || !e->kind[0] || !e->ns || !has_o) {
        return lacking(e, it.err_off != 0, err);
    }
    if (e->op == 'c') {
        if (!bson_iter_init(&first, &e->o) || !bson_iter_next(&first)) {
            return mst_err_set(err, MST_E_INTEGRITY, "oplog entry %u.%u: a command without a name",
                               e->at.ts.t, e->at.ts.i);
        }
        e->cmd = bson_iter_key(&first);
    }
    e->txn = txn_kind(e, has_number, multi);
    return MST_OK;
}

enum mst_rc mst_oplog_parse(const bson_t *doc, struct mst_oplog_entry *e, struct mst_err *err)
{
    bson_iter_t it;

    memset(e, 0, sizeof *e);
    e->at.term = -1;
    if (doc->len > MST_OPLOG_ENTRY_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "oplog entry of %u bytes", doc->len);
    }
    if (!bson_iter_init_find(&it, doc, "ts") || !BSON_ITER_HOLDS_TIMESTAMP(&it)) {
        return mst_err_set(err, MST_E_INTEGRITY, "oplog entry without ts");
    }
    bson_iter_timestamp(&it, &e->at.ts.t, &e->at.ts.i);
    if (bson_iter_init_find(&it, doc, "t")) {
        e->at.term = bson_iter_as_int64(&it);
    }
    return parse_body(doc, e, err);
}

enum mst_rc mst_oplog_parse_inner(const bson_t *doc, struct mst_optime at,
                                  struct mst_oplog_entry *e, struct mst_err *err)
{
    memset(e, 0, sizeof *e);
    e->at = at;
    return parse_body(doc, e, err);
}

size_t mst_oplog_db_len(const char *ns)
{
    return strcspn(ns, ".");
}

bool mst_oplog_cmd_ns(const struct mst_oplog_entry *e, char out[MST_NS_MAX])
{
    bson_iter_t it;
    int n;

    out[0] = 0;
    if (e->op != 'c') {
        return mst_copy(out, MST_NS_MAX, e->ns);
    }
    if (!bson_iter_init_find(&it, &e->o, e->cmd) || !BSON_ITER_HOLDS_UTF8(&it)) {
        return mst_copy(out, MST_NS_MAX, e->ns);
    }
    if (strcmp(e->cmd, "renameCollection") == 0) { /* holds the full name */
        return mst_copy(out, MST_NS_MAX, bson_iter_utf8(&it, NULL));
    }
    n = snprintf(out, MST_NS_MAX, "%.*s.%s", (int)mst_oplog_db_len(e->ns), e->ns,
                 bson_iter_utf8(&it, NULL));
    return n > 0 && n < MST_NS_MAX;
}

enum mst_own_name mst_oplog_own_name(const char *coll, char *run, unsigned *n)
{
    unsigned value = 0;
    const char *p = coll + 15;

    if (strncmp(coll, "mst.", 4) != 0 || (coll[4] != 's' && coll[4] != 'o') || coll[5] != '.' ||
        strspn(coll + 6, "0123456789abcdef") != 8 || coll[14] != '.') {
        return MST_OWN_NOT;
    }
    if (!*p || strlen(p) > 8 || strspn(p, "0123456789") != strlen(p)) {
        return MST_OWN_NOT;
    }
    for (; *p; p++) {
        value = value * 10 + (unsigned)(*p - '0');
    }
    if (run) {
        memcpy(run, coll + 6, 8);
        run[8] = 0;
    }
    if (n) {
        *n = value;
    }
    return coll[4] == 's' ? MST_OWN_STAGING : MST_OWN_OLD;
}
