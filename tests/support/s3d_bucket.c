/* Buckets of the scripted S3 server. */
#include "s3d_own.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

static bool list_buckets(struct s3d *s, struct reply *r)
{
    s3d_xml(r, "ListAllMyBucketsResult");
    mst_str_add(&r->body, "<Owner><ID>s3d</ID><DisplayName>s3d</DisplayName></Owner><Buckets>");
    for (size_t i = 0; i < s->n_buckets; i++) {
        mst_str_addf(&r->body,
                     "<Bucket><Name>%s</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate>"
                     "</Bucket>",
                     s->buckets[i].name);
    }
    mst_str_add(&r->body, "</Buckets></ListAllMyBucketsResult>");
    return true;
}

static bool make_bucket(struct s3d *s, struct request *q, struct reply *r)
{
    const char *lock = pairs_get(&q->headers, "x-amz-bucket-object-lock-enabled");
    struct bucket *b = keep_bucket(s, q->bucket);

    if (b) {
        return s3d_error(r, q, 409, "BucketAlreadyOwnedByYou", "the bucket is there already");
    }
    b = keep_bucket_add(s, q->bucket);
    if (!b) {
        return s3d_error(r, q, 400, "TooManyBuckets", "there are too many buckets");
    }
    b->lock = b->versioned = lock && strcasecmp(lock, "true") == 0;
    r->status = 200;
    mst_str_addf(&r->head, "Location: /%s\r\n", q->bucket);
    return true;
}

static bool set_versioning(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    char *xml = mst_xstrndup((const char *)(q->body ? q->body : (const uint8_t *)""), q->body_n);
    char *status = s3d_element(xml, NULL, "Status");
    const bool ok = status && strcmp(status, "Enabled") == 0;

    free(xml);
    free(status);
    if (!ok) {
        s3d_complain(s, q, "versioning can only be enabled here");
        return s3d_error(r, q, 400, "MalformedXML", "versioning can only be enabled here");
    }
    b->versioned = true;
    r->status = 200;
    return true;
}

/* What somebody may want to know about a bucket and this server has no answer to. */
static bool has_not(struct request *q, struct reply *r)
{
    static const struct {
        const char *name, *code;
    } none[] = {{"policy", "NoSuchBucketPolicy"},
                {"lifecycle", "NoSuchLifecycleConfiguration"},
                {"cors", "NoSuchCORSConfiguration"},
                {"encryption", "ServerSideEncryptionConfigurationNotFoundError"},
                {"tagging", "NoSuchTagSet"}};

    for (size_t i = 0; i < MST_COUNT(none); i++) {
        if (pairs_get(&q->query, none[i].name)) {
            return s3d_error(r, q, 404, none[i].code, "there is none");
        }
    }
    return s3d_error(r, q, 501, "NotImplemented", "not implemented here");
}

static bool tell(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    if (pairs_get(&q->query, "location")) {
        s3d_xml(r, "LocationConstraint");
        mst_str_addf(&r->body, "%s</LocationConstraint>",
                     strcmp(s->region, "us-east-1") == 0 ? "" : s->region);
        return true;
    }
    if (pairs_get(&q->query, "versioning")) {
        s3d_xml(r, "VersioningConfiguration");
        mst_str_addf(&r->body, "%s</VersioningConfiguration>",
                     !b->versioned    ? ""
                     : s->o.suspended ? "<Status>Suspended</Status>"
                                      : "<Status>Enabled</Status>");
        return true;
    }
    if (pairs_get(&q->query, "object-lock")) {
        if (!b->lock) {
            return s3d_error(r, q, 404, "ObjectLockConfigurationNotFoundError",
                             "object lock configuration does not exist for this bucket");
        }
        s3d_xml(r, "ObjectLockConfiguration");
        mst_str_add(&r->body,
                    "<ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>");
        return true;
    }
    return has_not(q, r);
}

bool s3d_bucket(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const bool bare = q->query.n == 0 || pairs_get(&q->query, "x-id") != NULL;

    if (!q->bucket[0]) {
        return strcmp(q->method, "GET") == 0 ? list_buckets(s, r) : has_not(q, r);
    }
    if (strcmp(q->method, "PUT") == 0 && bare) {
        return make_bucket(s, q, r);
    }
    if (!b) {
        return s3d_error(r, q, 404, "NoSuchBucket", "the specified bucket does not exist");
    }
    if (strcmp(q->method, "HEAD") == 0) {
        r->status = 200;
        mst_str_addf(&r->head, "x-amz-bucket-region: %s\r\n", s->region);
        return true;
    }
    if (strcmp(q->method, "PUT") == 0 && pairs_get(&q->query, "versioning")) {
        return set_versioning(s, q, b, r);
    }
    if (strcmp(q->method, "DELETE") == 0 && bare) {
        if (b->n > 0) {
            return s3d_error(r, q, 409, "BucketNotEmpty", "the bucket is not empty");
        }
        free(b->o);
        free(b->u);
        *b = s->buckets[--s->n_buckets];
        r->status = 204;
        return true;
    }
    return strcmp(q->method, "GET") == 0 ? tell(s, q, b, r) : has_not(q, r);
}
