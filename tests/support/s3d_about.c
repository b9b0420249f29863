/* What the scripted S3 server knows about an object besides its bytes: retention, legal hold, thaw,
 * tags. */
#include "s3d_own.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

static bool sums_needed(struct s3d *s, struct request *q, struct reply *r)
{
    struct sums sums;

    if (!s3d_sums(s, q, r, &sums)) {
        return false;
    }
    if (!sums.name[0] && !pairs_get(&q->headers, "content-md5")) {
        s3d_complain(s, q, "a change of a lock without a checksum");
        return s3d_error(r, q, 400, "InvalidRequest", "missing required header: Content-MD5");
    }
    return true;
}

static bool retain(struct s3d *s, struct request *q, struct version *v, struct reply *r,
                   const char *xml)
{
    char *mode = s3d_element(xml, NULL, "Mode"), *date = s3d_element(xml, NULL, "RetainUntilDate");
    const int64_t until = date ? mst_time_parse(date) : -1;
    const bool known = mode && (strcmp(mode, "COMPLIANCE") == 0 || strcmp(mode, "GOVERNANCE") == 0);
    bool ok = known && until > s3d_now(s);

    if (!ok) {
        s3d_complain(s, q, "retention is malformed or in the past: %s", xml);
        (void)s3d_error(r, q, 400, "MalformedXML", "retention is malformed or in the past");
    } else if (v->until_ms > s3d_now(s) && strcmp(v->mode, "COMPLIANCE") == 0 &&
               (until < v->until_ms || strcmp(mode, v->mode) != 0)) {
        ok = s3d_error(r, q, 403, "AccessDenied",
                       "access denied because object protected by object lock");
    } else {
        (void)mst_copy(v->mode, sizeof(v->mode), mode);
        v->until_ms = until;
        r->status = 200;
    }
    free(mode);
    free(date);
    return ok;
}

static bool hold(struct s3d *s, struct request *q, struct version *v, struct reply *r,
                 const char *xml)
{
    char *status = s3d_element(xml, NULL, "Status");
    const bool ok = status && (strcmp(status, "ON") == 0 || strcmp(status, "OFF") == 0);

    if (ok) {
        v->hold = strcmp(status, "ON") == 0;
        r->status = 200;
    } else {
        s3d_complain(s, q, "legal hold is malformed: %s", xml);
        (void)s3d_error(r, q, 400, "MalformedXML", "legal hold is malformed");
    }
    free(status);
    return ok;
}

static bool tell_lock(struct request *q, const struct version *v, struct reply *r)
{
    char until[MST_TIME_MAX];

    if (pairs_get(&q->query, "legal-hold")) {
        s3d_xml(r, "LegalHold");
        mst_str_addf(&r->body, "<Status>%s</Status></LegalHold>", v->hold ? "ON" : "OFF");
        return true;
    }
    if (!v->mode[0]) {
        return s3d_error(r, q, 404, "NoSuchObjectLockConfiguration",
                         "the specified object does not have an object lock configuration");
    }
    s3d_xml(r, "Retention");
    mst_str_addf(&r->body, "<Mode>%s</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>",
                 v->mode, mst_time_iso(v->until_ms, until));
    return true;
}

static bool thaw(struct s3d *s, struct request *q, struct version *v, struct reply *r,
                 const char *xml)
{
    char *days = s3d_element(xml, NULL, "Days");
    const bool ok = days && strtol(days, NULL, 10) > 0;

    free(days);
    if (!ok) {
        s3d_complain(s, q, "a restore request without days: %s", xml);
        return s3d_error(r, q, 400, "MalformedXML", "a restore request needs days");
    }
    if (!keep_archived(v)) {
        return s3d_error(r, q, 403, "InvalidObjectState",
                         "restore is not allowed for the object's current storage class");
    }
    if (v->thawing) {
        return s3d_error(r, q, 409, "RestoreAlreadyInProgress",
                         "object restore is already in progress");
    }
    r->status = v->thawed_until_ms > s3d_now(s) ? 200 : 202;
    v->thawing = r->status == 202;
    return true;
}

static bool tags(struct request *q, const struct version *v, struct reply *r)
{
    const char *tag = pairs_get(&v->meta, "x-amz-tagging");
    const char *p = tag ? tag : "";

    if (strcmp(q->method, "GET") != 0) {
        return s3d_error(r, q, 501, "NotImplemented", "tags come with the put only");
    }
    s3d_xml(r, "Tagging");
    mst_str_add(&r->body, "<TagSet>");
    while (*p) {
        const size_t n = strcspn(p, "&"), eq = strcspn(p, "=&");
        char *name = s3d_unescape(p, eq);
        char *value = s3d_unescape(p + eq + (eq < n), n - eq - (eq < n));

        mst_str_add(&r->body, "<Tag><Key>");
        s3d_xml_text(&r->body, name);
        mst_str_add(&r->body, "</Key><Value>");
        s3d_xml_text(&r->body, value);
        mst_str_add(&r->body, "</Value></Tag>");
        free(name);
        free(value);
        p += n + (p[n] == '&');
    }
    mst_str_add(&r->body, "</TagSet></Tagging>");
    return true;
}

bool s3d_about(struct s3d *s, struct request *q, struct bucket *b, struct reply *r)
{
    const char *id = pairs_get(&q->query, "versionId");
    struct version *v = id ? keep_version(keep_object(b, q->key), id) : keep_newest(b, q->key);
    char *xml;
    bool ok;

    if (!v) {
        return s3d_error(r, q, 404, "NoSuchKey", "the specified key does not exist");
    }
    if (q->kind == S3D_TAGGING) {
        return tags(q, v, r);
    }
    if (q->kind != S3D_THAW && !b->lock) {
        return s3d_error(r, q, 400, "InvalidRequest",
                         "bucket is missing object lock configuration");
    }
    if (q->kind == S3D_RETAINED) {
        return tell_lock(q, v, r);
    }
    xml = mst_xstrndup((const char *)(q->body ? q->body : (const uint8_t *)""), q->body_n);
    if (q->kind == S3D_THAW) {
        ok = thaw(s, q, v, r, xml);
    } else {
        ok = sums_needed(s, q, r) &&
             (pairs_get(&q->query, "legal-hold") ? hold(s, q, v, r, xml) : retain(s, q, v, r, xml));
    }
    free(xml);
    return ok;
}
