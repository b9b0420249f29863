/* Uploads in parts of the scripted S3 server. */
#include "s3d_own.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

static bool create(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *algorithm = pairs_get(&q->headers, "x-amz-checksum-algorithm");
    struct version like = {0};
    struct upload *u;

    if (algorithm && s->o.google) {
        s3d_complain(s, q, "x-amz-checksum-algorithm sent to a store of the other kind");
        return s3d_error(r, q, 400, "ExcessHeaderValues", "x-amz-checksum-algorithm");
    }
    if (q->body_n > 0) {
        s3d_complain(s, q, "a body where an upload begins");
    }
    if (!s3d_version_of(s, q, &like, r)) {
        version_release(s, &like);
        return false;
    }
    u = keep_upload_add(s, b, q->key);
    u->like = like;
    (void)mst_copy(u->algorithm, sizeof(u->algorithm), algorithm ? algorithm : "");
    s3d_xml(r, "InitiateMultipartUploadResult");
    mst_str_addf(&r->body, "<Bucket>%s</Bucket><Key>", b->name);
    s3d_xml_text(&r->body, q->key);
    mst_str_addf(&r->body, "</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>", u->id);
    return true;
}

/* A part that a declared algorithm covers must carry it. */
static bool covered(struct s3d *s, struct request *q, const struct upload *u, struct reply *r,
                    const struct sums *sums)
{
    const char *dash = strrchr(sums->name, '-');
    const struct bucket *b = keep_bucket(s, q->bucket);

    if (u->algorithm[0] && (!dash || strcasecmp(dash + 1, u->algorithm) != 0)) {
        s3d_complain(s, q, "the upload declared %s, the part has %s", u->algorithm,
                     sums->name[0] ? sums->name : "no checksum");
        return s3d_error(r, q, 400, "InvalidRequest", "checksum type mismatch occurred");
    }
    if (b->lock && !sums->name[0] && !pairs_get(&q->headers, "content-md5")) {
        s3d_complain(s, q, "a part for a bucket with object lock without a checksum");
        return s3d_error(r, q, 400, "InvalidRequest", "Content-MD5 or a checksum is required");
    }
    return true;
}

static struct part *part_of(struct upload *u, struct s3d *s, unsigned no)
{
    size_t at = 0;

    while (at < u->n && u->part[at].no < no) {
        at++;
    }
    if (at < u->n && u->part[at].no == no) {
        blob_drop(s, u->part[at].blob);
    } else {
        mst_grow((void **)&u->part, &u->cap, u->n + 1, sizeof(*u->part));
        memmove(u->part + at + 1, u->part + at, (u->n - at) * sizeof(*u->part));
        u->n++;
    }
    memset(&u->part[at], 0, sizeof(u->part[at]));
    return &u->part[at];
}

static bool part(struct s3d *s, struct request *q, struct upload *u, struct reply *r)
{
    const char *number = pairs_get(&q->query, "partNumber");
    const unsigned long no = number ? strtoul(number, NULL, 10) : 0;
    struct sums sums;
    struct part *p;

    if (no < 1 || no > s->o.parts_max) {
        s3d_complain(s, q, "part number %lu", no);
        return s3d_error(r, q, 400, "InvalidArgument",
                         "part number must be an integer between 1 and %u, inclusive",
                         s->o.parts_max);
    }
    if (!s3d_sums(s, q, r, &sums) || !covered(s, q, u, r, &sums)) {
        return false;
    }
    if (!keep_room(s, q->body_n)) {
        return s3d_error(r, q, 507, "QuotaExceeded", "the quota of this bucket is used up");
    }
    p = part_of(u, s, (unsigned)no);
    p->no = (unsigned)no;
    p->at_ms = s3d_now(s);
    p->sums = sums;
    (void)snprintf(p->etag, sizeof(p->etag), "%s%.32s", s->o.opaque_etag ? "opaque-" : "",
                   sums.md5_hex);
    p->blob = q->body ? blob_take(s, q->body, q->body_n) : blob_new(s, "", 0);
    q->body = NULL;
    r->status = 200;
    mst_str_addf(&r->head, "ETag: \"%s\"\r\n", p->etag);
    if (sums.name[0]) {
        mst_str_addf(&r->head, "%s: %s\r\n", sums.name, sums.value);
    }
    return true;
}

static const struct part *find_part(const struct upload *u, unsigned no)
{
    for (size_t i = 0; i < u->n; i++) {
        if (u->part[i].no == no) {
            return &u->part[i];
        }
    }
    return NULL;
}

/* "sha256" to "ChecksumSHA256" */
static void checksum_tag(const struct sums *sums, char tag[32])
{
    const char *dash = strrchr(sums->name, '-');

    (void)snprintf(tag, 32, "Checksum%s", dash ? dash + 1 : "");
    for (char *c = tag + 8; *c; c++) {
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    }
}

/* One <Part> of the list; NULL with the answer made. */
static const struct part *listed_part(struct s3d *s, struct request *q, const struct upload *u,
                                      struct reply *r, const char *xml)
{
    char *number = s3d_element(xml, NULL, "PartNumber"), *etag = s3d_element(xml, NULL, "ETag");
    const struct part *p = find_part(u, number ? (unsigned)strtoul(number, NULL, 10) : 0);
    const size_t n = p ? strlen(p->etag) : 0;
    const char *e = etag ? etag + (*etag == '"') : "";
    char tag[32], *sum = NULL;

    if (!p || strncmp(e, p->etag, n) != 0 || (e[n] && strcmp(e + n, "\"") != 0)) {
        (void)s3d_error(r, q, 400, "InvalidPart",
                        "one or more of the specified parts could not be found or its ETag is "
                        "another one");
        p = NULL;
    } else if (p->sums.name[0]) {
        checksum_tag(&p->sums, tag);
        sum = s3d_element(xml, NULL, tag);
        if (sum ? strcmp(sum, p->sums.value) != 0 : u->algorithm[0] != '\0') {
            s3d_complain(s, q, "%s of part %u is %s", tag, p->no, sum ? "another one" : "missing");
            (void)s3d_error(r, q, 400, sum ? "InvalidPart" : "InvalidRequest",
                            "the upload was created using a checksum; the complete request must "
                            "include the checksum for each part");
            p = NULL;
        }
    }
    free(number);
    free(etag);
    free(sum);
    return p;
}

/* The parts as the request lists them, copied; 0 with the answer made. */
static size_t listed_parts(struct s3d *s, struct request *q, const struct upload *u,
                           struct reply *r, struct part **out)
{
    char *xml = mst_xstrndup((const char *)(q->body ? q->body : (const uint8_t *)""), q->body_n);
    const char *at = xml;
    size_t n = 0, cap = 0;
    char *item;
    bool ok = true;

    while (ok && (item = s3d_raw_element(xml, &at, "Part"))) {
        const struct part *p = listed_part(s, q, u, r, item);

        free(item);
        ok = p != NULL;
        if (ok && n > 0 && p->no <= (*out)[n - 1].no) {
            s3d_complain(s, q, "parts are not listed in ascending order");
            ok = s3d_error(r, q, 400, "InvalidPartOrder", "parts must be in ascending order");
        }
        if (ok && n > 0 && (*out)[n - 1].blob->n < s->o.part_min) {
            s3d_complain(s, q, "part %u has %zu bytes, %zu are the least", (*out)[n - 1].no,
                         (*out)[n - 1].blob->n, s->o.part_min);
            ok = s3d_error(r, q, 400, "EntityTooSmall",
                           "your proposed upload is smaller than the minimum allowed size");
        }
        if (ok) {
            mst_grow((void **)out, &cap, n + 1, sizeof(**out));
            (*out)[n++] = *p;
        }
    }
    if (ok && n == 0) {
        s3d_complain(s, q, "an upload is completed without a part");
        ok = s3d_error(r, q, 400, "MalformedXML", "no part is listed");
    }
    free(xml);
    return ok ? n : 0;
}

/* What the request says about the whole object. */
static bool whole_holds(struct s3d *s, struct request *q, struct reply *r, const struct sums *sums)
{
    const char *said = sums->name[0] ? pairs_get(&q->headers, sums->name) : NULL;

    if (said && strcmp(said, sums->value) != 0 && !s->o.ignores_checksums) {
        const size_t n = strlen(said);

        if (strncmp(said, sums->value, n) != 0 || sums->value[n] != '-') {
            s3d_complain(s, q, "%s of the whole is %s, it should be %s", sums->name, said,
                         sums->value);
            return s3d_error(r, q, 400, "BadDigest", "the checksum of the whole does not match");
        }
    }
    return true;
}

/* The upload ends and is an object: these parts, one after the other. */
static const struct version *become(struct s3d *s, struct bucket *b, struct upload *u,
                                    const struct part *parts, size_t n, const struct version *v)
{
    char *key = mst_xstrdup(u->key);
    struct version like = u->like;
    const struct version *kept;
    struct mst_buf all = {0};

    memset(&u->like, 0, sizeof(u->like)); /* what it had is the object's now */
    for (size_t i = 0; i < n; i++) {
        mst_buf_add(&all, parts[i].blob->p, parts[i].blob->n);
    }
    like.sums = v->sums;
    (void)mst_copy(like.etag, sizeof(like.etag), v->etag);
    like.blob = blob_take(s, all.p ? all.p : mst_xcalloc(1, 1), all.len);
    keep_upload_drop(s, b, u);
    kept = keep_add(s, b, key, &like);
    free(key);
    return kept;
}

static bool complete(struct s3d *s, struct request *q, struct bucket *b, struct upload *u,
                     struct reply *r)
{
    const struct version *kept;
    struct part *parts = NULL;
    struct version v = {0};
    size_t n = 0;
    bool ok = s3d_may_make(s, q, b, r) && (n = listed_parts(s, q, u, r, &parts)) > 0;

    if (ok) {
        sum_composite(parts, n, v.etag, &v.sums);
        ok = whole_holds(s, q, r, &v.sums);
    }
    if (ok) {
        kept = become(s, b, u, parts, n, &v);
        s3d_xml(r, "CompleteMultipartUploadResult");
        mst_str_addf(&r->body, "<Bucket>%s</Bucket><Key>", b->name);
        s3d_xml_text(&r->body, q->key);
        mst_str_addf(&r->body, "</Key><ETag>&quot;%s&quot;</ETag></CompleteMultipartUploadResult>",
                     kept->etag);
        s3d_name_version(r, s, b, kept);
    }
    free(parts);
    return ok;
}

static bool list_parts(struct s3d *s, struct request *q, struct bucket *b, const struct upload *u,
                       struct reply *r)
{
    const char *marker = pairs_get(&q->query, "part-number-marker");
    const char *max = pairs_get(&q->query, "max-parts");
    const unsigned long after = marker ? strtoul(marker, NULL, 10) : 0;
    unsigned long left = max ? strtoul(max, NULL, 10) : s->o.page_max;
    bool truncated = false;
    unsigned last = 0;

    left = left < s->o.page_max ? left : s->o.page_max;
    s3d_xml(r, "ListPartsResult");
    mst_str_addf(&r->body, "<Bucket>%s</Bucket><Key>", b->name);
    s3d_xml_text(&r->body, q->key);
    mst_str_addf(&r->body, "</Key><UploadId>%s</UploadId><MaxParts>%lu</MaxParts>", u->id, left);
    for (size_t i = 0; i < u->n; i++) {
        const struct part *p = &u->part[i];
        char when[MST_TIME_MAX], tag[32];

        if (p->no <= after) {
            continue;
        }
        if (left-- == 0) {
            truncated = true;
            break;
        }
        last = p->no;
        mst_str_addf(&r->body,
                     "<Part><PartNumber>%u</PartNumber><LastModified>%s</LastModified>"
                     "<ETag>&quot;%s&quot;</ETag><Size>%zu</Size>",
                     p->no, mst_time_iso_ms(p->at_ms, when), p->etag, p->blob->n);
        if (p->sums.name[0]) {
            checksum_tag(&p->sums, tag);
            mst_str_addf(&r->body, "<%s>%s</%s>", tag, p->sums.value, tag);
        }
        mst_str_add(&r->body, "</Part>");
    }
    mst_str_addf(&r->body,
                 "<NextPartNumberMarker>%u</NextPartNumberMarker><IsTruncated>%s</IsTruncated>"
                 "</ListPartsResult>",
                 last, truncated ? "true" : "false");
    return true;
}

bool s3d_multi(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *id = pairs_get(&q->query, "uploadId");
    struct upload *u;

    if (q->kind == S3D_CREATE) {
        return create(s, q, b, r);
    }
    u = keep_upload(b, q->key, id ? id : "");
    if (!u) {
        return s3d_error(r, q, 404, "NoSuchUpload",
                         "the specified multipart upload does not exist");
    }
    if (q->kind == S3D_PART) {
        return part(s, q, u, r);
    }
    if (q->kind == S3D_COMPLETE) {
        return complete(s, q, b, u, r);
    }
    if (q->kind == S3D_PARTS) {
        return list_parts(s, q, b, u, r);
    }
    keep_upload_drop(s, b, u);
    r->status = 204;
    return true;
}
