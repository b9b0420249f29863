/* Listings of the scripted S3 server: objects (version 1 and 2), versions, uploads. */
#include "s3d_own.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

struct page { /* what a request asks for, and how far the answer is */
    const char *prefix, *delimiter;
    bool url, truncated, thaws; /* thaws: what is thawed until when is told */
    unsigned long left;
    size_t said;       /* entries so far */
    char common[1200]; /* the common prefix said last */
    const char *last;  /* key said last */
};

static const char *query_of(const struct request *q, const char *name)
{
    const char *v = pairs_get(&q->query, name);

    return v ? v : "";
}

static void add_key(struct mst_str *out, const struct page *p, const char *tag, const char *key)
{
    mst_str_addf(out, "<%s>", tag);
    if (p->url) { /* as a form has it: a blank is '+' */
        for (const char *at = key; *at;) {
            const size_t n = strcspn(at, " ");
            char *piece = mst_xstrndup(at, n);

            s3d_escape(out, piece, true);
            mst_str_add(out, at[n] ? "+" : "");
            free(piece);
            at += n + (at[n] != '\0');
        }
    } else {
        s3d_xml_text(out, key);
    }
    mst_str_addf(out, "</%s>", tag);
}

static bool begin(struct s3d *s, struct request *q, struct reply *r, struct page *p,
                  const char *max_name)
{
    const char *encoding = query_of(q, "encoding-type"), *max = pairs_get(&q->query, max_name);
    char *end = NULL;
    const unsigned long wanted = max ? strtoul(max, &end, 10) : s->o.page_max;

    if ((*encoding && strcmp(encoding, "url") != 0) || (max && (*end || !*max))) {
        s3d_complain(s, q, "encoding-type or %s is malformed", max_name);
        return s3d_error(r, q, 400, "InvalidArgument", "encoding-type or %s", max_name);
    }
    if (s->o.tight && !*query_of(q, "prefix")) {
        return s3d_error(r, q, 403, "AccessDenied", "access denied");
    }
    *p = (struct page){.prefix = query_of(q, "prefix"),
                       .delimiter = query_of(q, "delimiter"),
                       .url = *encoding != '\0',
                       .left = wanted < s->o.page_max ? wanted : s->o.page_max};
    return true;
}

/* The common prefix of a key, when the delimiter makes one. */
static bool rolled_up(const struct page *p, const char *key, char *out, size_t size)
{
    const char *rest = key + strlen(p->prefix);
    const char *d = *p->delimiter ? strstr(rest, p->delimiter) : NULL;
    const size_t n = d ? (size_t)(d - key) + strlen(p->delimiter) : 0;

    if (!d || n >= size) {
        return false;
    }
    memcpy(out, key, n);
    out[n] = '\0';
    return true;
}

static void entry(struct reply *r, const struct page *p, const struct object *o)
{
    const struct version *v = &o->v[o->n - 1];
    char when[MST_TIME_MAX];

    mst_str_add(&r->body, "<Contents>");
    add_key(&r->body, p, "Key", o->key);
    mst_str_addf(&r->body,
                 "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag><Size>%zu</Size>"
                 "<StorageClass>%s</StorageClass>",
                 mst_time_iso_ms(v->at_ms, when), v->etag, v->blob->n, v->klass);
    if (p->thaws && keep_archived(v) && v->thawing) {
        mst_str_add(&r->body, "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress>"
                              "</RestoreStatus>");
    } else if (p->thaws && keep_archived(v) && v->thawed_until_ms) {
        mst_str_addf(&r->body,
                     "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>"
                     "<RestoreExpiryDate>%s</RestoreExpiryDate></RestoreStatus>",
                     mst_time_iso_ms(v->thawed_until_ms, when));
    }
    mst_str_add(&r->body, "</Contents>");
}

/* Everything after "after" that begins with the prefix. */
static void entries(struct reply *r, struct page *p, const struct bucket *b, const char *after)
{
    const bool beyond = strcmp(after, p->prefix) >= 0 && *after;

    for (size_t i = keep_find(b, beyond ? after : p->prefix); i < b->n; i++) {
        const struct object *o = b->o[i];
        char common[1100];

        if (strncmp(o->key, p->prefix, strlen(p->prefix)) != 0) {
            if (strcmp(o->key, p->prefix) > 0) {
                break;
            }
            continue;
        }
        if ((*after && strcmp(o->key, after) <= 0) || o->v[o->n - 1].marker) {
            continue;
        }
        if (rolled_up(p, o->key, common, sizeof(common))) {
            if (strcmp(common, p->common) == 0 ||
                (*after && strncmp(after, common, strlen(common)) == 0)) {
                p->last = p->said ? o->key : p->last;
                continue;
            }
        } else {
            common[0] = '\0';
        }
        if (p->said == p->left) {
            p->truncated = true;
            break;
        }
        p->said++;
        p->last = o->key;
        if (common[0]) {
            (void)mst_copy(p->common, sizeof(p->common), common);
            mst_str_add(&r->body, "<CommonPrefixes>");
            add_key(&r->body, p, "Prefix", common);
            mst_str_add(&r->body, "</CommonPrefixes>");
        } else {
            entry(r, p, o);
        }
    }
}

/* Tokens are ours: "s3d." and the key in hexadecimal. */
static void token_of(const char *key, struct mst_str *out)
{
    char *hex = mst_xmalloc(2 * strlen(key) + 1);

    sum_hex((const uint8_t *)key, strlen(key), hex);
    mst_str_addf(out, "s3d.%s", hex);
    free(hex);
}

static bool key_of_token(const char *token, char *key, size_t size)
{
    const size_t n = strlen(token);

    if (strncmp(token, "s3d.", 4) != 0 || n % 2 || (n - 4) / 2 >= size) {
        return false;
    }
    for (size_t i = 4; i < n; i += 2) {
        char digits[3] = {token[i], token[i + 1], '\0'}, *end;

        key[(i - 4) / 2] = (char)strtoul(digits, &end, 16);
        if (*end) {
            return false;
        }
    }
    key[(n - 4) / 2] = '\0';
    return true;
}

static bool list2(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *token = pairs_get(&q->query, "continuation-token"), *more;
    char after[1100];
    struct page p;
    struct mst_str next = {0};

    if (s->o.v1_only) {
        return s3d_error(r, q, 501, "NotImplemented", "list-type=2 is not implemented");
    }
    if (!begin(s, q, r, &p, "max-keys")) {
        return false;
    }
    (void)mst_copy(after, sizeof(after), query_of(q, "start-after"));
    if (token && !key_of_token(token, after, sizeof(after))) {
        s3d_complain(s, q, "a continuation token that was never given: %s", token);
        return s3d_error(r, q, 400, "InvalidArgument", "the continuation token is incorrect");
    }
    more = pairs_get(&q->headers, "x-amz-optional-object-attributes");
    p.thaws = more && strcmp(more, "RestoreStatus") == 0;
    s3d_xml(r, "ListBucketResult");
    mst_str_addf(&r->body, "<Name>%s</Name>", b->name);
    add_key(&r->body, &p, "Prefix", p.prefix);
    entries(r, &p, b, after);
    mst_str_addf(&r->body,
                 "<MaxKeys>%lu</MaxKeys><KeyCount>%zu</KeyCount><IsTruncated>%s</IsTruncated>",
                 p.left, p.said, p.truncated ? "true" : "false");
    if (p.url) {
        mst_str_add(&r->body, "<EncodingType>url</EncodingType>");
    }
    if (p.truncated) {
        token_of(p.last, &next);
        mst_str_addf(&r->body, "<NextContinuationToken>%s</NextContinuationToken>",
                     mst_str_c(&next));
    }
    mst_str_add(&r->body, "</ListBucketResult>");
    mst_str_release(&next);
    return true;
}

/* Version 1 says NextMarker only where there is a delimiter, as it is specified. */
static bool list1(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *marker = query_of(q, "marker");
    struct page p;

    if (!begin(s, q, r, &p, "max-keys")) {
        return false;
    }
    s3d_xml(r, "ListBucketResult");
    mst_str_addf(&r->body, "<Name>%s</Name>", b->name);
    add_key(&r->body, &p, "Prefix", p.prefix);
    add_key(&r->body, &p, "Marker", marker);
    entries(r, &p, b, marker);
    mst_str_addf(&r->body, "<MaxKeys>%lu</MaxKeys><IsTruncated>%s</IsTruncated>", p.left,
                 p.truncated ? "true" : "false");
    if (p.url) {
        mst_str_add(&r->body, "<EncodingType>url</EncodingType>");
    }
    if (p.truncated && *p.delimiter) {
        add_key(&r->body, &p, "NextMarker", p.common[0] ? p.common : p.last);
    }
    mst_str_add(&r->body, "</ListBucketResult>");
    return true;
}

static void version_entry(struct reply *r, const struct page *p, const struct object *o, size_t i)
{
    const struct version *v = &o->v[i];
    char when[MST_TIME_MAX];

    mst_str_addf(&r->body, "<%s>", v->marker ? "DeleteMarker" : "Version");
    add_key(&r->body, p, "Key", o->key);
    mst_str_addf(&r->body,
                 "<VersionId>%s</VersionId><IsLatest>%s</IsLatest><LastModified>%s</LastModified>",
                 v->id, i + 1 == o->n ? "true" : "false", mst_time_iso_ms(v->at_ms, when));
    if (!v->marker) {
        mst_str_addf(&r->body,
                     "<ETag>&quot;%s&quot;</ETag><Size>%zu</Size><StorageClass>%s</StorageClass>",
                     v->etag, v->blob->n, v->klass);
    }
    mst_str_addf(&r->body, "</%s>", v->marker ? "DeleteMarker" : "Version");
}

/* Where a listing of versions goes on: after this version of this key; without one after the key.
 */
static bool version_said(const struct object *o, size_t i, const char *key, const char *id)
{
    const int d = *key ? strcmp(o->key, key) : 1;
    size_t at = 0;

    if (d != 0 || !*id) {
        return d <= 0;
    }
    while (at < o->n && strcmp(o->v[at].id, id) != 0) {
        at++;
    }
    return at < o->n ? i >= at : true;
}

static bool versions(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *key = query_of(q, "key-marker"), *id = query_of(q, "version-id-marker");
    const char *last_id = "";
    struct page p;

    if (!begin(s, q, r, &p, "max-keys")) {
        return false;
    }
    if (*id && !*key) {
        s3d_complain(s, q, "a version-id-marker without a key-marker");
        return s3d_error(r, q, 400, "InvalidArgument", "a version-id-marker needs a key-marker");
    }
    s3d_xml(r, "ListVersionsResult");
    mst_str_addf(&r->body, "<Name>%s</Name>", b->name);
    add_key(&r->body, &p, "Prefix", p.prefix);
    for (size_t i = keep_find(b, p.prefix); i < b->n && !p.truncated; i++) {
        const struct object *o = b->o[i];

        if (strncmp(o->key, p.prefix, strlen(p.prefix)) != 0) {
            break;
        }
        for (size_t k = o->n; k-- > 0 && !p.truncated;) {
            if (version_said(o, k, key, id)) {
                continue;
            }
            if (p.said == p.left) {
                p.truncated = true;
                break;
            }
            p.said++;
            p.last = o->key;
            last_id = o->v[k].id;
            version_entry(r, &p, o, k);
        }
    }
    mst_str_addf(&r->body, "<MaxKeys>%lu</MaxKeys><IsTruncated>%s</IsTruncated>", p.left,
                 p.truncated ? "true" : "false");
    if (p.url) {
        mst_str_add(&r->body, "<EncodingType>url</EncodingType>");
    }
    if (p.truncated) {
        add_key(&r->body, &p, "NextKeyMarker", p.last);
        mst_str_addf(&r->body, "<NextVersionIdMarker>%s</NextVersionIdMarker>", last_id);
    }
    mst_str_add(&r->body, "</ListVersionsResult>");
    return true;
}

static bool upload_said(const struct bucket *b, size_t i, const char *key, const char *id)
{
    const int d = *key ? strcmp(b->u[i].key, key) : 1;

    if (d != 0 || !*id) {
        return d <= 0;
    }
    for (size_t k = i; k < b->n_uploads && strcmp(b->u[k].key, key) == 0; k++) {
        if (strcmp(b->u[k].id, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool uploads(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *key = query_of(q, "key-marker"), *id = query_of(q, "upload-id-marker");
    const struct upload *last = NULL;
    struct page p;

    if (!begin(s, q, r, &p, "max-uploads")) {
        return false;
    }
    s3d_xml(r, "ListMultipartUploadsResult");
    mst_str_addf(&r->body, "<Bucket>%s</Bucket>", b->name);
    add_key(&r->body, &p, "Prefix", p.prefix);
    for (size_t i = 0; i < b->n_uploads; i++) {
        const struct upload *u = &b->u[i];
        char when[MST_TIME_MAX];

        if (strncmp(u->key, p.prefix, strlen(p.prefix)) != 0 || upload_said(b, i, key, id)) {
            continue;
        }
        if (p.said == p.left) {
            p.truncated = true;
            break;
        }
        p.said++;
        last = u;
        mst_str_add(&r->body, "<Upload>");
        add_key(&r->body, &p, "Key", u->key);
        mst_str_addf(&r->body,
                     "<UploadId>%s</UploadId><StorageClass>STANDARD</StorageClass>"
                     "<Initiated>%s</Initiated></Upload>",
                     u->id, mst_time_iso_ms(u->begun_ms, when));
    }
    mst_str_addf(&r->body, "<MaxUploads>%lu</MaxUploads><IsTruncated>%s</IsTruncated>", p.left,
                 p.truncated ? "true" : "false");
    if (p.url) {
        mst_str_add(&r->body, "<EncodingType>url</EncodingType>");
    }
    if (p.truncated && last) {
        add_key(&r->body, &p, "NextKeyMarker", last->key);
        mst_str_addf(&r->body, "<NextUploadIdMarker>%s</NextUploadIdMarker>", last->id);
    }
    mst_str_add(&r->body, "</ListMultipartUploadsResult>");
    return true;
}

/* Keys without end, in order; nobody has them. */
static void made_up(struct s3d *s, struct bucket *b, struct request *q, struct reply *r)
{
    s3d_xml(r, "ListBucketResult");
    mst_str_addf(&r->body, "<Name>%s</Name><IsTruncated>true</IsTruncated>", b->name);
    for (unsigned i = 0; i < s->o.page_max; i++) {
        mst_str_addf(&r->body,
                     "<Contents><Key>%sendless%010u</Key><LastModified>2026-01-01T00:00:00.000Z"
                     "</LastModified><ETag>&quot;0&quot;</ETag><Size>1</Size></Contents>",
                     query_of(q, "prefix"), s->made_up++);
    }
    mst_str_addf(&r->body,
                 "<NextContinuationToken>s3d.%08x</NextContinuationToken></ListBucketResult>",
                 s->made_up);
}

bool s3d_listing(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const enum s3d_what what = r->strike ? r->strike->f.what : (enum s3d_what)0;
    bool ok;

    if (what == S3D_ENDLESS) {
        made_up(s, b, q, r);
        return true;
    }
    if (what == S3D_SAME_PAGE && s->last_page.len > 0) {
        r->status = 200;
        mst_str_add(&r->head, "Content-Type: application/xml\r\n");
        mst_str_add(&r->body, mst_str_c(&s->last_page));
        return true;
    }
    ok = q->kind == S3D_VERSIONS             ? versions(s, q, b, r)
         : q->kind == S3D_UPLOADS            ? uploads(s, q, b, r)
         : pairs_get(&q->query, "list-type") ? list2(s, q, b, r)
                                             : list1(s, q, b, r);
    if (ok && q->kind == S3D_LIST) {
        mst_str_reset(&s->last_page);
        mst_str_add(&s->last_page, mst_str_c(&r->body));
    }
    return ok;
}
