#include "catalog/canon.h"

#include "base/mem.h"
#include "base/text.h"
#include "catalog/segment.h"
#include "hash/hash.h"

#define TAIL ",\"sha256\":\""
#define TAIL_LEN (sizeof(TAIL) - 1)
#define HEAD "{\"type\":\"muster "
#define HEAD_LEN (sizeof(HEAD) - 1)

/* --- writing ---------------------------------------------------------------------------------- */

void canon_put_text(struct mst_str *s, const char *name, const char *text)
{
    mst_str_addf(s, "%s\"%s\":", s->len > 1 ? "," : "", name);
    mst_str_add_json(s, text);
}

void canon_put_int(struct mst_str *s, const char *name, int64_t v)
{
    mst_str_addf(s, "%s\"%s\":%lld", s->len > 1 ? "," : "", name, (long long)v);
}

void canon_put_bool(struct mst_str *s, const char *name, bool v)
{
    mst_str_addf(s, ",\"%s\":%s", name, v ? "true" : "false");
}

void canon_put_optime(struct mst_str *s, const char *name, const struct mst_optime *o)
{
    mst_str_addf(s, ",\"%s\":{\"s\":%u,\"i\":%u,\"t\":%lld}", name, o->ts.t, o->ts.i,
                 (long long)o->term);
}

void canon_begin(struct mst_str *s, const char *type, const char *needs)
{
    mst_str_reset(s);
    mst_str_addc(s, '{');
    canon_put_text(s, "type", type);
    canon_put_int(s, "format", MST_FORMAT_VERSION);
    mst_str_add(s, ",\"requires\":[");
    if (needs) {
        mst_str_add_json(s, needs);
    }
    mst_str_addc(s, ']');
}

void canon_end(struct mst_str *s)
{
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    mst_sha256_of(s->p, s->len, sha);
    mst_str_addf(s, TAIL "%s\"}\n", mst_hex(sha, sizeof(sha), hex));
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool find(struct canon *in, const char *name, bson_iter_t *it)
{
    return bson_iter_init_find(it, &in->doc, name);
}

void canon_text(struct canon *in, const char *name, char *out, size_t size)
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

void canon_text_if(struct canon *in, const char *name, char *out, size_t size)
{
    bson_iter_t it;

    out[0] = '\0';
    if (find(in, name, &it)) {
        canon_text(in, name, out, size);
    }
}

void canon_prose(struct canon *in, const char *name, char *out, size_t size)
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

int64_t canon_integer(struct canon *in, const char *name, int64_t min, int64_t max)
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

int64_t canon_integer_if(struct canon *in, const char *name, int64_t min, int64_t max)
{
    bson_iter_t it;

    return find(in, name, &it) ? canon_integer(in, name, min, max) : 0;
}

bool canon_boolean(struct canon *in, const char *name)
{
    bson_iter_t it;

    if (!find(in, name, &it) || !BSON_ITER_HOLDS_BOOL(&it)) {
        in->ok = false;
        return false;
    }
    return bson_iter_bool(&it);
}

static int64_t sub_int(struct canon *in, bson_iter_t *doc, const char *name, int64_t min,
                       int64_t max)
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

void canon_optime(struct canon *in, const char *name, struct mst_optime *out)
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

/* Is everything that is required known here? "sealed": the objects are sealed. */
static bool requires_known(struct canon *in)
{
    bson_iter_t it, sub;
    bool known = true;

    if (!find(in, "requires", &it)) {
        return true;
    }
    if (!BSON_ITER_HOLDS_ARRAY(&it) || !bson_iter_recurse(&it, &sub)) {
        return false;
    }
    while (known && bson_iter_next(&sub)) {
        known = BSON_ITER_HOLDS_UTF8(&sub) && strcmp(bson_iter_utf8(&sub, NULL), "sealed") == 0;
    }
    return known;
}

enum mst_rc canon_open(const char *s, size_t n, const char *type, struct canon *in,
                       struct mst_err *err)
{
    char have[32] = "";
    bson_error_t why;
    int64_t format;

    if (n > CANON_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "is larger than %d bytes", CANON_MAX);
    }
    if (n < HEAD_LEN || memcmp(s, HEAD, HEAD_LEN) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "is nothing that muster wrote: somebody else put it there");
    }
    if (!hash_fits(s, n)) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s: it does not end with the SHA-256 of its own bytes",
                           memcmp(s + n - 3, "\"}\n", 3) == 0 ? "was changed" : "is cut short");
    }
    if (!bson_init_from_json(&in->doc, s, (ssize_t)n, &why)) {
        return mst_err_set(err, MST_E_INTEGRITY, "is not valid JSON");
    }
    in->ok = true;
    canon_text(in, "type", have, sizeof(have));
    format = canon_integer(in, "format", 1, INT32_MAX);
    if (!in->ok || strcmp(have, type) != 0) {
        bson_destroy(&in->doc);
        return mst_err_set(err, MST_E_INTEGRITY, "is not a %s", type);
    }
    if (format > MST_FORMAT_VERSION || !requires_known(in)) {
        bson_destroy(&in->doc);
        return mst_err_set(err, MST_E_STALE,
                           "was written by a newer muster (format %lld, this program knows %d): "
                           "read it with that version",
                           (long long)format, MST_FORMAT_VERSION);
    }
    return MST_OK;
}

enum mst_rc canon_close(struct canon *in, struct mst_err *err)
{
    bson_destroy(&in->doc);
    return in->ok ? MST_OK
                  : mst_err_set(err, MST_E_INTEGRITY, "has a field that is missing or not valid");
}
