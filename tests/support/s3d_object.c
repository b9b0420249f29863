/* Objects of the scripted S3 server: put, get, head, delete, batch delete, copy. */
#include "s3d_own.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

char *s3d_raw_element(const char *xml, const char **at, const char *tag)
{
    char open[64], close[64];
    const char *p = at && *at ? *at : xml, *end;

    (void)snprintf(open, sizeof(open), "<%s>", tag);
    (void)snprintf(close, sizeof(close), "</%s>", tag);
    p = strstr(p, open);
    end = p ? strstr(p, close) : NULL;
    if (!end) {
        return NULL;
    }
    if (at) {
        *at = end + strlen(close);
    }
    p += strlen(open);
    return mst_xstrndup(p, (size_t)(end - p));
}

char *s3d_element(const char *xml, const char **at, const char *tag)
{
    static const struct {
        const char *entity, *text;
    } entities[] = {{"&quot;", "\""}, {"&apos;", "'"}, {"&lt;", "<"},   {"&gt;", ">"},
                    {"&amp;", "&"},   {"&#34;", "\""}, {"&#10;", "\n"}, {"&#13;", "\r"}};
    char *raw = s3d_raw_element(xml, at, tag);
    struct mst_str out = {0};

    for (const char *p = raw; p && *p;) {
        size_t i = 0;

        while (i < MST_COUNT(entities) &&
               strncmp(p, entities[i].entity, strlen(entities[i].entity)) != 0) {
            i++;
        }
        if (i < MST_COUNT(entities)) {
            mst_str_add(&out, entities[i].text);
            p += strlen(entities[i].entity);
        } else {
            mst_str_addc(&out, *p++);
        }
    }
    if (!raw) {
        return NULL;
    }
    free(raw);
    return mst_str_detach(&out);
}

void s3d_name_version(struct reply *r, const struct s3d *s, const struct bucket *b,
                      const struct version *v)
{
    if (b->versioned) {
        mst_str_addf(&r->head, "x-amz-version-id: %s\r\n", v->id);
    }
    if (s->o.google) {
        mst_str_addf(&r->head, "x-goog-generation: %" PRId64 "\r\n", v->at_ms * 1000);
    }
}

static bool same_etag(const char *wanted, const char *etag)
{
    const size_t n = strlen(etag);

    if (strcmp(wanted, "*") == 0 || strcmp(wanted, etag) == 0) {
        return true;
    }
    return wanted[0] == '"' && strncmp(wanted + 1, etag, n) == 0 &&
           strcmp(wanted + 1 + n, "\"") == 0;
}

bool s3d_may_make(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *none = pairs_get(&q->headers, "if-none-match");
    const char *match = pairs_get(&q->headers, "if-match");
    const char *generation = pairs_get(&q->headers, "x-goog-if-generation-match");
    const struct version *old = keep_newest(b, q->key);

    if (generation && !s->o.google) {
        s3d_complain(s, q, "x-goog-if-generation-match sent to a store of the other kind");
        return s3d_error(r, q, 400, "InvalidArgument", "x-goog-if-generation-match");
    }
    if (s->o.google && none) {
        s3d_complain(s, q, "If-None-Match for a write, which this kind of store has not");
        return s3d_error(r, q, 400, "InvalidArgument", "If-None-Match");
    }
    if (none && strcmp(none, "*") != 0) {
        s3d_complain(s, q, "If-None-Match: %s on a write", none);
        return s3d_error(r, q, 501, "NotImplemented", "If-None-Match on a write takes only '*'");
    }
    if (none && s->o.refuses_create_only) {
        return s3d_error(r, q, 501, "NotImplemented",
                         "a header you provided implies functionality that is not implemented");
    }
    if (old && !s->o.ignores_create_only &&
        (none || (generation && strcmp(generation, "0") == 0))) {
        return s3d_error(r, q, 412, "PreconditionFailed",
                         "at least one of the pre-conditions you specified did not hold");
    }
    if (match && !s->o.ignores_create_only && !(old && same_etag(match, old->etag))) {
        return s3d_error(r, q, old ? 412 : 404, old ? "PreconditionFailed" : "NoSuchKey",
                         "If-Match did not hold");
    }
    if (!keep_room(s, q->body_n)) {
        return s3d_error(r, q, 507, "QuotaExceeded", "the quota of this bucket is used up");
    }
    return true;
}

static bool lock_headers(struct s3d *s, const struct request *q, struct version *v, struct reply *r)
{
    const char *mode = pairs_get(&q->headers, "x-amz-object-lock-mode");
    const char *until = pairs_get(&q->headers, "x-amz-object-lock-retain-until-date");
    const char *hold = pairs_get(&q->headers, "x-amz-object-lock-legal-hold");

    if ((mode != NULL) != (until != NULL) ||
        (mode && strcmp(mode, "COMPLIANCE") != 0 && strcmp(mode, "GOVERNANCE") != 0)) {
        s3d_complain(s, q, "object lock headers are incomplete or unknown");
        return s3d_error(r, q, 400, "InvalidArgument", "object lock headers");
    }
    if (mode) {
        (void)mst_copy(v->mode, sizeof(v->mode), mode);
        v->until_ms = mst_time_parse(until);
        if (v->until_ms < s3d_now(s)) {
            return s3d_error(r, q, 400, "InvalidArgument", "the retain until date must be future");
        }
    }
    v->hold = hold && strcmp(hold, "ON") == 0;
    return true;
}

bool s3d_version_of(struct s3d *s, const struct request *q, struct version *v, struct reply *r)
{
    const struct bucket *b = keep_bucket(s, q->bucket);
    const char *klass =
        pairs_get(&q->headers, s->o.google ? "x-goog-storage-class" : "x-amz-storage-class");
    const char *sse = pairs_get(&q->headers, "x-amz-server-side-encryption");

    (void)mst_copy(v->klass, sizeof(v->klass), klass ? klass : "STANDARD");
    (void)mst_copy(v->sse, sizeof(v->sse), sse ? sse : "");
    if (!lock_headers(s, q, v, r)) {
        return false;
    }
    if ((v->mode[0] || v->hold) && !b->lock) {
        s3d_complain(s, q, "object lock in a bucket without it");
        return s3d_error(r, q, 400, "InvalidRequest",
                         "bucket is missing object lock configuration");
    }
    for (size_t i = 0; i < q->headers.n; i++) {
        const struct pair *h = &q->headers.p[i];

        if (strncmp(h->name, "x-amz-meta-", 11) == 0 || strncmp(h->name, "x-goog-meta-", 12) == 0 ||
            strcmp(h->name, "content-type") == 0 || strcmp(h->name, "x-amz-tagging") == 0) {
            v->meta.p[v->meta.n++] = (struct pair){mst_xstrdup(h->name), mst_xstrdup(h->value)};
        }
    }
    return true;
}

static void etag_of(const struct s3d *s, struct version *v)
{
    if (s->o.opaque_etag) {
        (void)snprintf(v->etag, sizeof(v->etag), "opaque-%.20s", v->sums.md5_hex);
    } else {
        (void)mst_copy(v->etag, sizeof(v->etag), v->sums.md5_hex);
    }
}

static bool put(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    struct version v = {0}, *kept;

    if (!s3d_sums(s, q, r, &v.sums) || !s3d_may_make(s, q, b, r)) {
        return false;
    }
    if (b->lock && !v.sums.name[0] && !pairs_get(&q->headers, "content-md5")) {
        s3d_complain(s, q, "a put into a bucket with object lock without a checksum");
        return s3d_error(r, q, 400, "InvalidRequest",
                         "Content-MD5 or x-amz-checksum- HTTP header is required for Put Object "
                         "requests with Object Lock parameters");
    }
    if (!s3d_version_of(s, q, &v, r)) {
        version_release(s, &v);
        return false;
    }
    etag_of(s, &v);
    v.blob = blob_take(s, q->body, q->body_n);
    if (!q->body) {
        v.blob->p = mst_xcalloc(1, 1);
    }
    q->body = NULL;
    kept = keep_add(s, b, q->key, &v);
    r->status = 200;
    mst_str_addf(&r->head, "ETag: \"%s\"\r\n", kept->etag);
    if (kept->sums.name[0]) {
        mst_str_addf(&r->head, "%s: %s\r\n", kept->sums.name, kept->sums.value);
    }
    s3d_name_version(r, s, b, kept);
    return true;
}

/* The version that a request means; NULL with the answer made. */
static struct version *meant(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *id = pairs_get(&q->query, "versionId");
    struct object *o = keep_object(b, q->key);
    struct version *v = id ? keep_version(o, id) : o && o->n ? &o->v[o->n - 1] : NULL;

    if (s->o.tight && !v && !id) { /* s3:ListBucket is allowed with a condition on s3:prefix */
        (void)s3d_error(r, q, 403, "AccessDenied", "access denied");
        return NULL;
    }
    if (!v || (v->marker && !id)) {
        (void)s3d_error(r, q, 404, id ? "NoSuchVersion" : "NoSuchKey",
                        "the specified key does not exist");
        if (v) {
            mst_str_add(&r->head, "x-amz-delete-marker: true\r\n");
        }
        return NULL;
    }
    if (v->marker) {
        (void)s3d_error(r, q, 405, "MethodNotAllowed", "a delete marker");
        return NULL;
    }
    return v;
}

static bool ranged(struct request *q, struct reply *r, size_t all)
{
    const char *range = pairs_get(&q->headers, "range");
    unsigned long long from = 0, to = all ? all - 1 : 0;
    char *end;

    r->status = 200;
    r->from = 0;
    r->len = all;
    if (!range || strncmp(range, "bytes=", 6) != 0) {
        return true;
    }
    range += 6;
    if (*range == '-') {
        const unsigned long long last = strtoull(range + 1, NULL, 10);

        from = last < all ? all - last : 0;
    } else {
        from = strtoull(range, &end, 10);
        if (*end == '-' && end[1]) {
            to = strtoull(end + 1, NULL, 10);
        }
    }
    if (from >= all || to < from) {
        (void)s3d_error(r, q, 416, "InvalidRange", "the requested range is not satisfiable");
        mst_str_addf(&r->head, "Content-Range: bytes */%zu\r\n", all);
        return false;
    }
    to = to < all ? to : all - 1;
    r->status = 206;
    r->from = (size_t)from;
    r->len = (size_t)(to - from + 1);
    mst_str_addf(&r->head, "Content-Range: bytes %llu-%llu/%zu\r\n", from, to, all);
    return true;
}

static void describe(struct reply *r, const struct s3d *s, const struct bucket *b,
                     const struct version *v, bool checksums)
{
    char when[64];

    s3d_http_date(v->at_ms, when);
    mst_str_addf(&r->head, "ETag: \"%s\"\r\nLast-Modified: %s\r\nAccept-Ranges: bytes\r\n", v->etag,
                 when);
    if (strcmp(v->klass, "STANDARD") != 0) {
        mst_str_addf(&r->head, "%s-storage-class: %s\r\n", s->o.google ? "x-goog" : "x-amz",
                     v->klass);
    }
    if (keep_archived(v) && v->thawing) {
        mst_str_add(&r->head, "x-amz-restore: ongoing-request=\"true\"\r\n");
    } else if (keep_archived(v) && v->thawed_until_ms) {
        s3d_http_date(v->thawed_until_ms, when);
        mst_str_addf(&r->head, "x-amz-restore: ongoing-request=\"false\", expiry-date=\"%s\"\r\n",
                     when);
    }
    if (v->mode[0]) {
        char until[MST_TIME_MAX];

        mst_str_addf(&r->head,
                     "x-amz-object-lock-mode: %s\r\nx-amz-object-lock-retain-until-date: %s\r\n",
                     v->mode, mst_time_iso(v->until_ms, until));
    }
    if (v->hold) {
        mst_str_add(&r->head, "x-amz-object-lock-legal-hold: ON\r\n");
    }
    if (v->sse[0]) {
        mst_str_addf(&r->head, "x-amz-server-side-encryption: %s\r\n", v->sse);
    }
    if (checksums && v->sums.name[0]) {
        mst_str_addf(&r->head, "%s: %s\r\n", v->sums.name, v->sums.value);
    }
    for (size_t i = 0; i < v->meta.n; i++) {
        if (strcmp(v->meta.p[i].name, "x-amz-tagging") != 0) {
            mst_str_addf(&r->head, "%s: %s\r\n", v->meta.p[i].name, v->meta.p[i].value);
        }
    }
    s3d_name_version(r, s, b, v);
}

static bool get(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *match = pairs_get(&q->headers, "if-match");
    const char *none = pairs_get(&q->headers, "if-none-match");
    const char *mode = pairs_get(&q->headers, "x-amz-checksum-mode");
    struct version *v = meant(s, q, b, r);

    if (!v) {
        return false;
    }
    if (match && !same_etag(match, v->etag)) {
        return s3d_error(r, q, 412, "PreconditionFailed", "If-Match did not hold");
    }
    if (none && same_etag(none, v->etag)) {
        r->status = 304;
        return true;
    }
    if (q->kind == S3D_GET && keep_archived(v) && v->thawed_until_ms <= s3d_now(s)) {
        return s3d_error(r, q, 403, "InvalidObjectState",
                         "the operation is not valid for the object's storage class");
    }
    if (!ranged(q, r, v->blob->n)) {
        return false;
    }
    /* A checksum is of the whole object, so it comes with the whole object only. */
    describe(r, s, b, v, mode && strcmp(mode, "ENABLED") == 0 && r->status == 200);
    r->blob = v->blob;
    v->blob->refs++;
    return true;
}

/* Deletes one; a locked version is refused, a plain delete of a versioned key never. */
static bool remove_one(struct s3d *s, struct bucket *b, const char *key, const char *id,
                       bool bypass)
{
    struct object *o = keep_object(b, key);
    const struct version *v = id ? keep_version(o, id) : NULL;

    if (v && keep_locked(s, v) && !(bypass && !v->hold && strcmp(v->mode, "GOVERNANCE") == 0)) {
        return false;
    }
    if (o || b->versioned) {
        keep_drop(s, b, key, id);
    }
    return true;
}

static bool delete_one(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *id = pairs_get(&q->query, "versionId");
    const char *bypass = pairs_get(&q->headers, "x-amz-bypass-governance-retention");

    if (!remove_one(s, b, q->key, id, s->o.bypass && bypass && strcmp(bypass, "true") == 0)) {
        return s3d_error(r, q, 403, "AccessDenied",
                         "access denied because object protected by object lock");
    }
    r->status = 204;
    if (b->versioned && !id) {
        mst_str_add(&r->head, "x-amz-delete-marker: true\r\n");
    }
    return true;
}

static void one_of_batch(struct s3d *s, struct bucket *b, const char *item, bool quiet,
                         struct mst_str *out)
{
    char *key = s3d_element(item, NULL, "Key"), *id = s3d_element(item, NULL, "VersionId");

    if (key && (s->denied[S3D_DELETE] || !remove_one(s, b, key, id, false))) {
        mst_str_add(out, "<Error><Key>");
        s3d_xml_text(out, key);
        mst_str_add(out, "</Key><Code>AccessDenied</Code><Message>access denied because object "
                         "protected by object lock</Message></Error>");
    } else if (key && !quiet) {
        mst_str_add(out, "<Deleted><Key>");
        s3d_xml_text(out, key);
        mst_str_addf(out, "</Key>%s</Deleted>",
                     b->versioned && !id ? "<DeleteMarker>true</DeleteMarker>" : "");
    }
    free(key);
    free(id);
}

bool s3d_deletes(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    char *xml = mst_xstrndup((const char *)(q->body ? q->body : (const uint8_t *)""), q->body_n);
    char *quiet = s3d_element(xml, NULL, "Quiet");
    struct sums sums;
    const char *at = xml;
    size_t n = 0;
    bool ok = s3d_sums(s, q, r, &sums);

    if (ok && !sums.name[0] && !pairs_get(&q->headers, "content-md5")) {
        s3d_complain(s, q, "a batch delete without a checksum");
        ok = s3d_error(r, q, 400, "InvalidRequest", "missing required header: Content-MD5");
    }
    if (ok) {
        s3d_xml(r, "DeleteResult");
        for (char *item; (item = s3d_raw_element(xml, &at, "Object")); n++) {
            one_of_batch(s, b, item, quiet && strcmp(quiet, "true") == 0, &r->body);
            free(item);
        }
        mst_str_add(&r->body, "</DeleteResult>");
        if (n == 0 || n > 1000) {
            s3d_complain(s, q, "a batch delete of %zu keys", n);
            ok = s3d_error(r, q, 400, "MalformedXML", "from 1 to 1000 keys");
        }
    }
    free(xml);
    free(quiet);
    return ok;
}

static bool copy(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *from = pairs_get(&q->headers, "x-amz-copy-source");
    char *raw = s3d_unescape(from, strlen(from)), *name = raw + (*raw == '/');
    char *slash = strchr(name, '/');
    struct bucket *source;
    struct version *old = NULL, v = {0};
    char when[MST_TIME_MAX];

    if (slash) {
        *slash = '\0';
        source = keep_bucket(s, name);
        old = source ? keep_newest(source, slash + 1) : NULL;
    }
    free(raw);
    if (!old) {
        return s3d_error(r, q, 404, "NoSuchKey", "the source of the copy does not exist");
    }
    if (!s3d_may_make(s, q, b, r) || !s3d_version_of(s, q, &v, r)) {
        version_release(s, &v);
        return false;
    }
    v.blob = old->blob;
    v.blob->refs++;
    v.sums = old->sums;
    etag_of(s, &v);
    old = keep_add(s, b, q->key, &v);
    s3d_xml(r, "CopyObjectResult");
    mst_str_addf(&r->body,
                 "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag></CopyObjectResult>",
                 mst_time_iso_ms(old->at_ms, when), old->etag);
    return true;
}

bool s3d_object(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    if (strlen(q->key) > 1024) {
        return s3d_error(r, q, 400, "KeyTooLongError", "your key is too long");
    }
    if (q->kind == S3D_PUT) {
        return put(s, q, b, r);
    }
    if (q->kind == S3D_COPY) {
        return copy(s, q, b, r);
    }
    if (q->kind == S3D_DELETE) {
        return delete_one(s, q, b, r);
    }
    return get(s, q, b, r);
}
