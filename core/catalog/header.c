/* Header, COMMIT and marks: their fields, in the order in which they are written. */
#include "catalog/header.h"

#include "base/mem.h"
#include "catalog/canon.h"
#include "hash/hash.h"

/* --- writing ---------------------------------------------------------------------------------- */

void mst_claim_put(const struct mst_claim *c, struct mst_str *s)
{
    canon_begin(s, "muster claim", NULL);
    canon_put_text(s, "id", c->id);
    canon_put_text(s, "attempt", c->attempt);
    canon_put_int(s, "wallMs", c->wall_ms);
    canon_put_text(s, "by", c->by);
    canon_end(s);
}

void mst_header_put(const struct mst_header *h, struct mst_str *s)
{
    canon_begin(s, "muster header", h->sealed ? "sealed" : NULL);
    canon_put_text(s, "id", h->id);
    canon_put_text(s, "attempt", h->attempt);
    canon_put_text(s, "kind", h->kind);
    canon_put_text(s, "parent", h->parent);
    canon_put_text(s, "set", h->set);
    canon_put_text(s, "setId", h->set_id);
    canon_put_text(s, "muster", h->muster);
    canon_put_text(s, "source", h->source);
    canon_put_text(s, "sourceWhy", h->source_why);
    canon_put_text(s, "serverVersion", h->server_version);
    canon_put_text(s, "fcv", h->fcv);
    canon_put_text(s, "storageEngine", h->storage_engine);
    canon_put_int(s, "startedMs", h->started_wall_ms);
    canon_put_int(s, "finishedMs", h->finished_wall_ms);
    canon_put_optime(s, "first", &h->first);
    canon_put_optime(s, "apply", &h->apply);
    canon_put_optime(s, "last", &h->last);
    canon_put_text(s, "lastProof", h->point_proof);
    canon_put_int(s, "objects", h->objects);
    canon_put_int(s, "namespaces", h->namespaces);
    canon_put_int(s, "leftOut", h->left_out);
    canon_put_int(s, "documents", (int64_t)h->documents);
    canon_put_int(s, "dataBytes", (int64_t)h->data_bytes);
    canon_put_int(s, "storedBytes", (int64_t)h->stored_bytes);
    canon_put_int(s, "oplogEntries", (int64_t)h->oplog_entries);
    canon_put_bool(s, "unproven", h->unproven);
    canon_put_bool(s, "sealed", h->sealed);
    canon_put_text(s, "keyId", h->key_id);
    if (h->sealed) {
        canon_put_text(s, "sumsSha256", h->sums_sha);
        canon_put_int(s, "sumsBytes", (int64_t)h->sums_bytes);
    }
    canon_end(s);
}

/* The signer's name and the signature over every byte before its field; "" without a key. */
static enum mst_rc put_signature(struct mst_str *s, const char *signer,
                                 const struct mst_sign_key *key, struct mst_err *err)
{
    uint8_t sig[MST_SIGNATURE_LEN];
    char hex[2 * MST_SIGNATURE_LEN + 1] = "";

    canon_put_text(s, "signer", signer);
    if (key) {
        if (mst_sign(key, s->p, s->len, sig, err) != MST_OK) {
            return err->rc;
        }
        (void)mst_hex(sig, sizeof(sig), hex);
    }
    canon_put_text(s, "signature", hex);
    return MST_OK;
}

enum mst_rc mst_commit_put(const struct mst_commit *c, const struct mst_sign_key *key,
                           struct mst_str *s, struct mst_err *err)
{
    enum mst_rc rc;

    canon_begin(s, "muster commit", NULL);
    canon_put_text(s, "id", c->id);
    canon_put_text(s, "attempt", c->attempt);
    canon_put_text(s, "headerSha256", c->header_sha);
    canon_put_int(s, "headerBytes", (int64_t)c->header_bytes);
    canon_put_text(s, "manifestSha256", c->manifest_sha);
    canon_put_int(s, "manifestBytes", (int64_t)c->manifest_bytes);
    canon_put_int(s, "leaseEpoch", c->lease_epoch);
    canon_put_int(s, "committedMs", c->committed_wall_ms);
    if (key) {
        canon_put_text(s, "previous", c->previous);
        canon_put_int(s, "counter", (int64_t)c->counter);
    }
    rc = put_signature(s, key ? key->id : "", key, err);
    canon_end(s);
    return rc;
}

const char *mst_mark_kind_word(enum mst_mark_kind k)
{
    static const char *const words[] = {"verified", "copied",    "hold",
                                        "release",  "tombstone", "other"};

    return (unsigned)k < MST_COUNT(words) ? words[k] : "other";
}

enum mst_rc mst_mark_put(const struct mst_mark *m, const struct mst_sign_key *key,
                         struct mst_str *s, struct mst_err *err)
{
    enum mst_rc rc;

    canon_begin(s, "muster mark", NULL);
    canon_put_text(s, "mark", mst_mark_kind_word(m->kind));
    canon_put_text(s, "id", m->id);
    canon_put_text(s, "attempt", m->attempt);
    canon_put_text(s, "headerSha256", m->header_sha);
    canon_put_int(s, "level", m->level);
    canon_put_bool(s, "ok", m->ok);
    canon_put_int(s, "wallMs", m->wall_ms);
    canon_put_int(s, "objects", (int64_t)m->objects);
    canon_put_int(s, "documents", (int64_t)m->documents);
    canon_put_int(s, "dataBytes", (int64_t)m->data_bytes);
    canon_put_int(s, "storedBytes", (int64_t)m->stored_bytes);
    canon_put_text(s, "text", m->text);
    canon_put_text(s, "by", m->by);
    if (m->kind == MST_MARK_COPIED) {
        canon_put_text(s, "store", m->store);
    }
    if (m->kind == MST_MARK_HOLD) {
        canon_put_int(s, "untilMs", m->until_ms);
    }
    rc = put_signature(s, key ? key->id : "", key, err);
    canon_end(s);
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

enum mst_rc mst_header_get(const char *s, size_t n, struct mst_header *h, struct mst_err *err)
{
    struct canon in;

    memset(h, 0, sizeof(*h));
    if (canon_open(s, n, "muster header", &in, err) != MST_OK) {
        return err->rc;
    }
    h->format = (int)canon_integer(&in, "format", 1, INT32_MAX);
    canon_text(&in, "id", h->id, sizeof(h->id));
    canon_text(&in, "attempt", h->attempt, sizeof(h->attempt));
    canon_text(&in, "kind", h->kind, sizeof(h->kind));
    canon_text(&in, "parent", h->parent, sizeof(h->parent));
    canon_text(&in, "set", h->set, sizeof(h->set));
    canon_text(&in, "setId", h->set_id, sizeof(h->set_id));
    canon_text(&in, "muster", h->muster, sizeof(h->muster));
    canon_text(&in, "source", h->source, sizeof(h->source));
    canon_prose(&in, "sourceWhy", h->source_why, sizeof(h->source_why));
    canon_text(&in, "serverVersion", h->server_version, sizeof(h->server_version));
    canon_text(&in, "fcv", h->fcv, sizeof(h->fcv));
    canon_text(&in, "storageEngine", h->storage_engine, sizeof(h->storage_engine));
    h->started_wall_ms = canon_integer(&in, "startedMs", 0, INT64_MAX);
    h->finished_wall_ms = canon_integer(&in, "finishedMs", 0, INT64_MAX);
    canon_optime(&in, "first", &h->first);
    canon_optime(&in, "apply", &h->apply);
    canon_optime(&in, "last", &h->last);
    canon_text(&in, "lastProof", h->point_proof, sizeof(h->point_proof));
    h->objects = (uint32_t)canon_integer(&in, "objects", 0, UINT32_MAX);
    h->namespaces = (uint32_t)canon_integer(&in, "namespaces", 0, UINT32_MAX);
    h->left_out = (uint32_t)canon_integer(&in, "leftOut", 0, UINT32_MAX);
    h->documents = (uint64_t)canon_integer(&in, "documents", 0, INT64_MAX);
    h->data_bytes = (uint64_t)canon_integer(&in, "dataBytes", 0, INT64_MAX);
    h->stored_bytes = (uint64_t)canon_integer(&in, "storedBytes", 0, INT64_MAX);
    h->oplog_entries = (uint64_t)canon_integer(&in, "oplogEntries", 0, INT64_MAX);
    h->unproven = canon_boolean(&in, "unproven");
    h->sealed = canon_boolean(&in, "sealed");
    canon_text(&in, "keyId", h->key_id, sizeof(h->key_id));
    canon_text_if(&in, "sumsSha256", h->sums_sha, sizeof(h->sums_sha));
    h->sums_bytes = (uint64_t)canon_integer_if(&in, "sumsBytes", 0, INT64_MAX);
    in.ok = in.ok && (!h->sealed || strlen(h->sums_sha) == MST_SHA256_HEX - 1);
    return canon_close(&in, err);
}

enum mst_rc mst_claim_get(const char *s, size_t n, struct mst_claim *c, struct mst_err *err)
{
    struct canon in;

    memset(c, 0, sizeof(*c));
    if (canon_open(s, n, "muster claim", &in, err) != MST_OK) {
        return err->rc;
    }
    canon_text(&in, "id", c->id, sizeof(c->id));
    canon_text(&in, "attempt", c->attempt, sizeof(c->attempt));
    c->wall_ms = canon_integer(&in, "wallMs", 0, INT64_MAX);
    canon_prose(&in, "by", c->by, sizeof(c->by));
    return canon_close(&in, err);
}

enum mst_rc mst_commit_get(const char *s, size_t n, struct mst_commit *c, struct mst_err *err)
{
    struct canon in;

    memset(c, 0, sizeof(*c));
    if (canon_open(s, n, "muster commit", &in, err) != MST_OK) {
        return err->rc;
    }
    c->format = (int)canon_integer(&in, "format", 1, INT32_MAX);
    canon_text(&in, "id", c->id, sizeof(c->id));
    canon_text(&in, "attempt", c->attempt, sizeof(c->attempt));
    canon_text(&in, "headerSha256", c->header_sha, sizeof(c->header_sha));
    c->header_bytes = (uint64_t)canon_integer(&in, "headerBytes", 0, INT64_MAX);
    canon_text(&in, "manifestSha256", c->manifest_sha, sizeof(c->manifest_sha));
    c->manifest_bytes = (uint64_t)canon_integer(&in, "manifestBytes", 0, INT64_MAX);
    c->lease_epoch = canon_integer(&in, "leaseEpoch", 0, INT64_MAX);
    c->committed_wall_ms = canon_integer(&in, "committedMs", 0, INT64_MAX);
    canon_text(&in, "signer", c->signer, sizeof(c->signer));
    canon_text(&in, "signature", c->signature, sizeof(c->signature));
    canon_text_if(&in, "previous", c->previous, sizeof(c->previous));
    c->counter = (uint64_t)canon_integer_if(&in, "counter", 0, INT64_MAX);
    in.ok = in.ok && strlen(c->header_sha) == MST_SHA256_HEX - 1 &&
            strlen(c->manifest_sha) == MST_SHA256_HEX - 1 && mst_store_key_ok(c->attempt) &&
            !strchr(c->attempt, '/');
    return canon_close(&in, err);
}

enum mst_rc mst_mark_get(const char *s, size_t n, struct mst_mark *m, struct mst_err *err)
{
    struct canon in;
    char kind[24] = "";

    memset(m, 0, sizeof(*m));
    if (canon_open(s, n, "muster mark", &in, err) != MST_OK) {
        return err->rc;
    }
    m->format = (int)canon_integer(&in, "format", 1, INT32_MAX);
    canon_text(&in, "mark", kind, sizeof(kind));
    m->kind = MST_MARK_VERIFIED;
    while (m->kind < MST_MARK_OTHER && strcmp(kind, mst_mark_kind_word(m->kind)) != 0) {
        m->kind++;
    }
    canon_text(&in, "id", m->id, sizeof(m->id));
    canon_text(&in, "attempt", m->attempt, sizeof(m->attempt));
    canon_text(&in, "headerSha256", m->header_sha, sizeof(m->header_sha));
    m->level = (int)canon_integer(&in, "level", 0, 9);
    m->ok = canon_boolean(&in, "ok");
    m->wall_ms = canon_integer(&in, "wallMs", 0, INT64_MAX);
    m->objects = (uint64_t)canon_integer(&in, "objects", 0, INT64_MAX);
    m->documents = (uint64_t)canon_integer(&in, "documents", 0, INT64_MAX);
    m->data_bytes = (uint64_t)canon_integer(&in, "dataBytes", 0, INT64_MAX);
    m->stored_bytes = (uint64_t)canon_integer(&in, "storedBytes", 0, INT64_MAX);
    canon_prose(&in, "text", m->text, sizeof(m->text));
    canon_prose(&in, "by", m->by, sizeof(m->by));
    if (m->kind == MST_MARK_COPIED) {
        canon_text(&in, "store", m->store, sizeof(m->store));
    }
    if (m->kind == MST_MARK_HOLD) {
        m->until_ms = canon_integer(&in, "untilMs", 0, INT64_MAX);
    }
    canon_text_if(&in, "signer", m->signer, sizeof(m->signer));
    canon_text_if(&in, "signature", m->signature, sizeof(m->signature));
    return canon_close(&in, err);
}
