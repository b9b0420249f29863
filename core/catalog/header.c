/* Canonical JSON: one object on one line, fields in the order below, no spaces, ", \\ and control
 * bytes escaped as mst_str_add_json does, then "sha256" of everything before its comma. */
#include "catalog/header.h"

#include <bson/bson.h>

#include "base/mem.h"
#include "base/text.h"
#include "hash/hash.h"

#define TAIL ",\"sha256\":\""
#define TAIL_LEN (sizeof(TAIL) - 1)

/* --- writing ---------------------------------------------------------------------------------- */

static void put_text(struct mst_str *s, const char *name, const char *text)
{
    mst_str_addf(s, "%s\"%s\":", s->len > 1 ? "," : "", name);
    mst_str_add_json(s, text);
}

static void put_int(struct mst_str *s, const char *name, int64_t v)
{
    mst_str_addf(s, "%s\"%s\":%lld", s->len > 1 ? "," : "", name, (long long)v);
}

static void put_bool(struct mst_str *s, const char *name, bool v)
{
    mst_str_addf(s, ",\"%s\":%s", name, v ? "true" : "false");
}

static void put_optime(struct mst_str *s, const char *name, const struct mst_optime *o)
{
    mst_str_addf(s, ",\"%s\":{\"s\":%u,\"i\":%u,\"t\":%lld}", name, o->ts.t, o->ts.i,
                 (long long)o->term);
}

static void begin(struct mst_str *s, const char *type)
{
    mst_str_reset(s);
    mst_str_addc(s, '{');
    put_text(s, "type", type);
    put_int(s, "format", MST_FORMAT_VERSION);
    mst_str_add(s, ",\"requires\":[]");
}

static void end(struct mst_str *s)
{
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    mst_sha256_of(s->p, s->len, sha);
    mst_str_addf(s, TAIL "%s\"}\n", mst_hex(sha, sizeof(sha), hex));
}

void mst_header_put(const struct mst_header *h, struct mst_str *s)
{
    begin(s, "muster header");
    put_text(s, "id", h->id);
    put_text(s, "attempt", h->attempt);
    put_text(s, "kind", h->kind);
    put_text(s, "parent", h->parent);
    put_text(s, "set", h->set);
    put_text(s, "setId", h->set_id);
    put_text(s, "muster", h->muster);
    put_text(s, "source", h->source);
    put_text(s, "sourceWhy", h->source_why);
    put_text(s, "serverVersion", h->server_version);
    put_text(s, "fcv", h->fcv);
    put_text(s, "storageEngine", h->storage_engine);
    put_int(s, "startedMs", h->started_wall_ms);
    put_int(s, "finishedMs", h->finished_wall_ms);
    put_optime(s, "first", &h->first);
    put_optime(s, "apply", &h->apply);
    put_optime(s, "last", &h->last);
    put_text(s, "lastProof", h->point_proof);
    put_int(s, "objects", h->objects);
    put_int(s, "namespaces", h->namespaces);
    put_int(s, "leftOut", h->left_out);
    put_int(s, "documents", (int64_t)h->documents);
    put_int(s, "dataBytes", (int64_t)h->data_bytes);
    put_int(s, "storedBytes", (int64_t)h->stored_bytes);
    put_int(s, "oplogEntries", (int64_t)h->oplog_entries);
    put_bool(s, "unproven", h->unproven);
    put_bool(s, "sealed", h->sealed);
    put_text(s, "keyId", h->key_id);
    end(s);
}

void mst_commit_put(const struct mst_commit *c, struct mst_str *s)
{
    begin(s, "muster commit");
    put_text(s, "id", c->id);
    put_text(s, "attempt", c->attempt);
    put_text(s, "headerSha256", c->header_sha);
    put_int(s, "headerBytes", (int64_t)c->header_bytes);
    put_text(s, "manifestSha256", c->manifest_sha);
    put_int(s, "manifestBytes", (int64_t)c->manifest_bytes);
    put_int(s, "leaseEpoch", c->lease_epoch);
    put_int(s, "committedMs", c->committed_wall_ms);
    put_text(s, "signer", c->signer);
    put_text(s, "signature", c->signature);
    end(s);
}

const char *mst_mark_kind_word(enum mst_mark_kind k)
{
    static const char *const words[] = {"verified", "copied",    "hold",
                                        "release",  "tombstone", "other"};

    return (unsigned)k < MST_COUNT(words) ? words[k] : "other";
}

void mst_mark_put(const struct mst_mark *m, struct mst_str *s)
{
    begin(s, "muster mark");
    put_text(s, "mark", mst_mark_kind_word(m->kind));
    put_text(s, "id", m->id);
    put_text(s, "attempt", m->attempt);
    put_text(s, "headerSha256", m->header_sha);
    put_int(s, "level", m->level);
    put_bool(s, "ok", m->ok);
    put_int(s, "wallMs", m->wall_ms);
    put_int(s, "objects", (int64_t)m->objects);
    put_int(s, "documents", (int64_t)m->documents);
    put_int(s, "dataBytes", (int64_t)m->data_bytes);
    put_int(s, "storedBytes", (int64_t)m->stored_bytes);
    put_text(s, "text", m->text);
    put_text(s, "by", m->by);
    if (m->kind == MST_MARK_COPIED) {
        put_text(s, "store", m->store);
    }
    if (m->kind == MST_MARK_HOLD) {
        put_int(s, "untilMs", m->until_ms);
    }
    put_text(s, "signer", "");
    put_text(s, "signature", "");
    end(s);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct in { /* a parsed object; ok turns false at the first field that does not fit */
    bson_t doc;
    bool ok;
};

static bool find(struct in *in, const char *name, bson_iter_t *it)
{
    return bson_iter_init_find(it, &in->doc, name);
}

static void text(struct in *in, const char *name, char *out, size_t size)
{
    bson_iter_t it;
    uint32_t n;
    const char *s;

    if (!find(in, name, &it) || !BSON_ITER_HOLDS_UTF8(&it)) {
        in->ok = false;
        return;
    }
    s = bson_iter_utf8(&it, &n);
    if (n >= size) {
        in->ok = false;
        return;
    }
    mst_text_clean(out, size, s, n);
    /* An id or a hash must be what it was; what had to be cleaned is not ours. */
    in->ok = in->ok && strlen(out) == n;
}

/* A sentence: cleaned and cut, never a reason to refuse. */
static void prose(struct in *in, const char *name, char *out, size_t size)
{
    bson_iter_t it;
    uint32_t n;
    const char *s;

    out[0] = '\0';
    if (find(in, name, &it) && BSON_ITER_HOLDS_UTF8(&it)) {
        s = bson_iter_utf8(&it, &n);
        mst_text_clean(out, size, s, n);
    }
}

static int64_t integer(struct in *in, const char *name, int64_t min, int64_t max)
{
    bson_iter_t it;
    int64_t v;

    if (!find(in, name, &it) || !(BSON_ITER_HOLDS_INT32(&it) || BSON_ITER_HOLDS_INT64(&it))) {
        in->ok = false;
        return min;
    }
    v = bson_iter_as_int64(&it);
    if (v < min || v > max) {
        in->ok = false;
        return min;
    }
    return v;
}

static bool boolean(struct in *in, const char *name)
{
    bson_iter_t it;

    if (!find(in, name, &it) || !BSON_ITER_HOLDS_BOOL(&it)) {
        in->ok = false;
        return false;
    }
    return bson_iter_bool(&it);
}

static int64_t sub_int(struct in *in, bson_iter_t *doc, const char *name, int64_t min, int64_t max)
{
    bson_iter_t sub;
    int64_t v;

    if (!bson_iter_recurse(doc, &sub) || !bson_iter_find(&sub, name) ||
        !(BSON_ITER_HOLDS_INT32(&sub) || BSON_ITER_HOLDS_INT64(&sub))) {
        in->ok = false;
        return 0;
    }
    v = bson_iter_as_int64(&sub);
    in->ok = in->ok && v >= min && v <= max;
    return v;
}

static void optime(struct in *in, const char *name, struct mst_optime *out)
{
    bson_iter_t it;

    if (!find(in, name, &it) || !BSON_ITER_HOLDS_DOCUMENT(&it)) {
        in->ok = false;
        return;
    }
    out->ts.t = (uint32_t)sub_int(in, &it, "s", 0, UINT32_MAX);
    out->ts.i = (uint32_t)sub_int(in, &it, "i", 0, UINT32_MAX);
    out->term = sub_int(in, &it, "t", -1, INT64_MAX);
}

/* Does the text end with the hash of its own bytes? */
static bool hash_fits(const char *s, size_t n)
{
    const size_t tail = TAIL_LEN + MST_SHA256_HEX - 1 + 3; /* "}\n */
    uint8_t want[MST_SHA256_LEN], have[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];
    const char *at;

    if (n <= tail || memchr(s, 0, n) || memcmp(s + n - 3, "\"}\n", 3) != 0) {
        return false;
    }
    at = s + n - tail;
    if (memcmp(at, TAIL, TAIL_LEN) != 0) {
        return false;
    }
    memcpy(hex, at + TAIL_LEN, MST_SHA256_HEX - 1);
    hex[MST_SHA256_HEX - 1] = '\0';
    if (!mst_unhex(hex, want, sizeof(want))) {
        return false;
    }
    mst_sha256_of(s, n - tail, have);
    return memcmp(want, have, sizeof(have)) == 0;
}

/* Nothing may be required that this program does not know; version 1 knows no feature by name. */
static bool requires_nothing(struct in *in)
{
    bson_iter_t it, sub;

    if (!find(in, "requires", &it)) {
        return true;
    }
    return BSON_ITER_HOLDS_ARRAY(&it) && bson_iter_recurse(&it, &sub) && !bson_iter_next(&sub);
}

static enum mst_rc json_open(const char *s, size_t n, const char *type, struct in *in,
                             struct mst_err *err)
{
    char have[32] = "";
    bson_error_t why;
    int64_t format;

    if (n > MST_HEADER_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "is larger than %d bytes", MST_HEADER_MAX);
    }
    if (!hash_fits(s, n)) {
        return mst_err_set(err, MST_E_INTEGRITY, "does not end with the SHA-256 of its own bytes");
    }
    if (!bson_init_from_json(&in->doc, s, (ssize_t)n, &why)) {
        return mst_err_set(err, MST_E_INTEGRITY, "is not valid JSON");
    }
    in->ok = true;
    text(in, "type", have, sizeof(have));
    format = integer(in, "format", 1, INT32_MAX);
    if (!in->ok || strcmp(have, type) != 0) {
        bson_destroy(&in->doc);
        return mst_err_set(err, MST_E_INTEGRITY, "is not a %s", type);
    }
    if (format > MST_FORMAT_VERSION || !requires_nothing(in)) {
        bson_destroy(&in->doc);
        return mst_err_set(err, MST_E_STALE,
                           "was written by a newer muster (format %lld, this program knows %d): "
                           "read it with that version",
                           (long long)format, MST_FORMAT_VERSION);
    }
    return MST_OK;
}

static enum mst_rc json_close(struct in *in, struct mst_err *err)
{
    bson_destroy(&in->doc);
    return in->ok ? MST_OK
                  : mst_err_set(err, MST_E_INTEGRITY, "has a field that is missing or not valid");
}

enum mst_rc mst_header_get(const char *s, size_t n, struct mst_header *h, struct mst_err *err)
{
    struct in in;

    memset(h, 0, sizeof(*h));
    if (json_open(s, n, "muster header", &in, err) != MST_OK) {
        return err->rc;
    }
    h->format = (int)integer(&in, "format", 1, INT32_MAX);
    text(&in, "id", h->id, sizeof(h->id));
    text(&in, "attempt", h->attempt, sizeof(h->attempt));
    text(&in, "kind", h->kind, sizeof(h->kind));
    text(&in, "parent", h->parent, sizeof(h->parent));
    text(&in, "set", h->set, sizeof(h->set));
    text(&in, "setId", h->set_id, sizeof(h->set_id));
    text(&in, "muster", h->muster, sizeof(h->muster));
    text(&in, "source", h->source, sizeof(h->source));
    prose(&in, "sourceWhy", h->source_why, sizeof(h->source_why));
    text(&in, "serverVersion", h->server_version, sizeof(h->server_version));
    text(&in, "fcv", h->fcv, sizeof(h->fcv));
    text(&in, "storageEngine", h->storage_engine, sizeof(h->storage_engine));
    h->started_wall_ms = integer(&in, "startedMs", 0, INT64_MAX);
    h->finished_wall_ms = integer(&in, "finishedMs", 0, INT64_MAX);
    optime(&in, "first", &h->first);
    optime(&in, "apply", &h->apply);
    optime(&in, "last", &h->last);
    text(&in, "lastProof", h->point_proof, sizeof(h->point_proof));
    h->objects = (uint32_t)integer(&in, "objects", 0, UINT32_MAX);
    h->namespaces = (uint32_t)integer(&in, "namespaces", 0, UINT32_MAX);
    h->left_out = (uint32_t)integer(&in, "leftOut", 0, UINT32_MAX);
    h->documents = (uint64_t)integer(&in, "documents", 0, INT64_MAX);
    h->data_bytes = (uint64_t)integer(&in, "dataBytes", 0, INT64_MAX);
    h->stored_bytes = (uint64_t)integer(&in, "storedBytes", 0, INT64_MAX);
    h->oplog_entries = (uint64_t)integer(&in, "oplogEntries", 0, INT64_MAX);
    h->unproven = boolean(&in, "unproven");
    h->sealed = boolean(&in, "sealed");
    text(&in, "keyId", h->key_id, sizeof(h->key_id));
    return json_close(&in, err);
}

enum mst_rc mst_commit_get(const char *s, size_t n, struct mst_commit *c, struct mst_err *err)
{
    struct in in;

    memset(c, 0, sizeof(*c));
    if (json_open(s, n, "muster commit", &in, err) != MST_OK) {
        return err->rc;
    }
    c->format = (int)integer(&in, "format", 1, INT32_MAX);
    text(&in, "id", c->id, sizeof(c->id));
    text(&in, "attempt", c->attempt, sizeof(c->attempt));
    text(&in, "headerSha256", c->header_sha, sizeof(c->header_sha));
    c->header_bytes = (uint64_t)integer(&in, "headerBytes", 0, INT64_MAX);
    text(&in, "manifestSha256", c->manifest_sha, sizeof(c->manifest_sha));
    c->manifest_bytes = (uint64_t)integer(&in, "manifestBytes", 0, INT64_MAX);
    c->lease_epoch = integer(&in, "leaseEpoch", 0, INT64_MAX);
    c->committed_wall_ms = integer(&in, "committedMs", 0, INT64_MAX);
    text(&in, "signer", c->signer, sizeof(c->signer));
    text(&in, "signature", c->signature, sizeof(c->signature));
    in.ok = in.ok && strlen(c->header_sha) == MST_SHA256_HEX - 1 &&
            strlen(c->manifest_sha) == MST_SHA256_HEX - 1 && mst_store_key_ok(c->attempt) &&
            !strchr(c->attempt, '/');
    return json_close(&in, err);
}

enum mst_rc mst_mark_get(const char *s, size_t n, struct mst_mark *m, struct mst_err *err)
{
    struct in in;
    char kind[24] = "";

    memset(m, 0, sizeof(*m));
    if (json_open(s, n, "muster mark", &in, err) != MST_OK) {
        return err->rc;
    }
    m->format = (int)integer(&in, "format", 1, INT32_MAX);
    text(&in, "mark", kind, sizeof(kind));
    m->kind = MST_MARK_VERIFIED;
    while (m->kind < MST_MARK_OTHER && strcmp(kind, mst_mark_kind_word(m->kind)) != 0) {
        m->kind++;
    }
    text(&in, "id", m->id, sizeof(m->id));
    text(&in, "attempt", m->attempt, sizeof(m->attempt));
    text(&in, "headerSha256", m->header_sha, sizeof(m->header_sha));
    m->level = (int)integer(&in, "level", 0, 9);
    m->ok = boolean(&in, "ok");
    m->wall_ms = integer(&in, "wallMs", 0, INT64_MAX);
    m->objects = (uint64_t)integer(&in, "objects", 0, INT64_MAX);
    m->documents = (uint64_t)integer(&in, "documents", 0, INT64_MAX);
    m->data_bytes = (uint64_t)integer(&in, "dataBytes", 0, INT64_MAX);
    m->stored_bytes = (uint64_t)integer(&in, "storedBytes", 0, INT64_MAX);
    prose(&in, "text", m->text, sizeof(m->text));
    prose(&in, "by", m->by, sizeof(m->by));
    if (m->kind == MST_MARK_COPIED) {
        text(&in, "store", m->store, sizeof(m->store));
    }
    if (m->kind == MST_MARK_HOLD) {
        m->until_ms = integer(&in, "untilMs", 0, INT64_MAX);
    }
    return json_close(&in, err);
}
