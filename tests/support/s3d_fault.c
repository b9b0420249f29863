/* Faults of the scripted S3 server, as they were planned. */
#include "s3d_own.h"

#include <limits.h>
#include <signal.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

void s3d_plan(struct s3d *s, const struct s3d_fault *f)
{
    struct planned *p;

    pthread_mutex_lock(&s->mu);
    MST_ASSERT(s->n_plan < S3D_PLAN);
    p = &s->plan[s->n_plan++];
    *p = (struct planned){.f = *f};
    (void)mst_copy(p->key, sizeof(p->key), f->key ? f->key : "");
    (void)mst_copy(p->code, sizeof(p->code), f->code ? f->code : "InternalError");
    (void)mst_copy(p->to, sizeof(p->to), f->to ? f->to : "");
    pthread_mutex_unlock(&s->mu);
}

void s3d_plan_none(struct s3d *s)
{
    pthread_mutex_lock(&s->mu);
    s->n_plan = 0;
    pthread_mutex_unlock(&s->mu);
}

unsigned s3d_struck(struct s3d *s)
{
    unsigned n;

    pthread_mutex_lock(&s->mu);
    n = s->struck;
    pthread_mutex_unlock(&s->mu);
    return n;
}

static bool changes(enum s3d_kind k)
{
    switch ((int)k) {
    case S3D_PUT:
    case S3D_CREATE:
    case S3D_PART:
    case S3D_COMPLETE:
    case S3D_ABORT:
    case S3D_DELETE:
    case S3D_DELETES:
    case S3D_COPY:
    case S3D_RETAIN:
    case S3D_TAGGING:
        return true;
    default:
        return false;
    }
}

static bool fits(const struct planned *p, const struct request *q)
{
    return (p->f.kind == S3D_ANY || p->f.kind == q->kind ||
            (p->f.kind == S3D_CHANGES && changes(q->kind))) &&
           strstr(q->key, p->key);
}

/* Every plan counts what fits it; the first one that is due strikes. */
bool s3d_strike(struct s3d *s, const struct request *q, struct planned *out)
{
    bool struck = false;

    pthread_mutex_lock(&s->mu);
    for (size_t i = 0; i < s->n_plan; i++) {
        struct planned *p = &s->plan[i];
        const unsigned times = p->f.times ? p->f.times : 1, first = p->f.nth ? p->f.nth : 1;

        if (!fits(p, q)) {
            continue;
        }
        p->seen++;
        if (!struck && p->seen >= first && (times == UINT_MAX || p->hit < times)) {
            p->hit++;
            s->struck++;
            *out = *p;
            struck = true;
        }
    }
    pthread_mutex_unlock(&s->mu);
    return struck;
}

static void stall(struct conn *c, int64_t ms)
{
    for (int64_t left = ms; left > 0 && !c->s->stopping; left -= 20) {
        mst_clock_sleep_ms(left < 20 ? left : 20);
    }
    c->dead = true;
}

/* The client is gone: nobody waits for an answer. */
static void end_client(struct conn *c, pid_t pid)
{
    MST_ASSERT(pid > 1);
    (void)kill(pid, SIGKILL);
    s3d_reset_conn(c);
}

static void html(struct reply *r, int status)
{
    r->status = status;
    mst_str_add(&r->head, "Content-Type: text/html\r\n");
    mst_str_add(&r->body, "<!DOCTYPE html><html><head><title>Hotel guest network</title></head>"
                          "<body>Please accept the terms.<br></body></html>\n");
}

static void gzipped(struct s3d *s, struct reply *r, int status)
{
    static const char page[] = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    uint8_t *out = mst_xmalloc(512);
    z_stream z = {.next_in = (Bytef *)(uintptr_t)page,
                  .avail_in = sizeof(page) - 1,
                  .next_out = out,
                  .avail_out = 512};

    MST_ASSERT(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    MST_ASSERT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    r->status = status;
    mst_str_add(&r->head, "Content-Type: text/html\r\nContent-Encoding: gzip\r\n");
    r->len = z.total_out;
    (void)deflateEnd(&z);
    pthread_mutex_lock(&s->mu);
    r->blob = blob_take(s, out, r->len);
    pthread_mutex_unlock(&s->mu);
}

static void refusal(struct reply *r, const struct request *q, const struct planned *p)
{
    (void)s3d_error(r, q, p->f.status ? p->f.status : 500, p->code, "as it was planned");
    if (p->f.ms > 0) {
        mst_str_addf(&r->head, "Retry-After: %lld\r\n", (long long)((p->f.ms + 999) / 1000));
    }
}

static void wrong_region(struct s3d *s, struct reply *r, const struct request *q)
{
    (void)s3d_error(r, q, 400, "AuthorizationHeaderMalformed", "the region is wrong");
    mst_str_addf(&r->head, "x-amz-bucket-region: %s\r\n", s->region);
}

bool s3d_strike_before(struct conn *c, const struct request *q, const struct planned *p,
                       struct reply *r)
{
    const int status = p->f.status;

    switch ((int)p->f.what) {
    case S3D_RESET:
        s3d_reset_conn(c);
        return true;
    case S3D_STALL:
        stall(c, p->f.ms);
        return true;
    case S3D_KILL:
        end_client(c, p->f.pid);
        return true;
    case S3D_STATUS:
        refusal(r, q, p);
        return true;
    case S3D_EXPIRED:
        (void)s3d_error(r, q, 400, "ExpiredToken", "the provided token has expired");
        return true;
    case S3D_SKEWED:
        (void)s3d_error(r, q, 403, "RequestTimeTooSkewed", "the clocks differ too much");
        return true;
    case S3D_REDIRECT:
        (void)s3d_error(r, q, status ? status : 307, "TemporaryRedirect", "elsewhere");
        mst_str_addf(&r->head, "Location: %s\r\n", p->to);
        return true;
    case S3D_WRONG_REGION:
        wrong_region(c->s, r, q);
        return true;
    case S3D_HTML:
        html(r, status ? status : 200);
        return true;
    case S3D_GZIP:
        gzipped(c->s, r, status ? status : 502);
        return true;
    case S3D_EMPTY:
        r->status = status ? status : 200;
        return true;
    case S3D_GARBAGE:
        r->status = 200;
        mst_str_add(&r->head, "Content-Type: application/xml\r\n");
        mst_str_add(&r->body, "<?xml version=\"1.0\"?><a><b></a>\x01\xff");
        return true;
    case S3D_200_ERROR:
        r->status = 200;
        mst_str_add(&r->head, "Content-Type: application/xml\r\n");
        mst_str_addf(&r->body,
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n   \n<Error><Code>%s</Code>"
                     "<Message>as it was planned</Message></Error>",
                     p->code);
        return true;
    default:
        return false;
    }
}

static void without(struct mst_str *head, const char *name)
{
    char *from = strcasestr(head->p ? head->p : "", name);
    char *end = from ? strstr(from, "\r\n") : NULL;

    if (end) {
        memmove(from, end + 2, strlen(end + 2) + 1);
        head->len = strlen(head->p);
    }
}

static void no_range(struct reply *r)
{
    if (r->status == 206) {
        r->status = 200;
        without(&r->head, "Content-Range:");
        r->from = 0;
        r->len = r->blob->n;
    }
}

static void wrong_range(struct reply *r)
{
    if (r->status == 206) {
        without(&r->head, "Content-Range:");
        mst_str_addf(&r->head, "Content-Range: bytes %zu-%zu/%zu\r\n", r->from + 1,
                     r->from + r->len, r->blob->n + 1);
    }
}

static void same_token(struct reply *r)
{
    char *no = strstr(r->body.p ? r->body.p : "", "<IsTruncated>false");
    struct mst_str out = {0};

    if (no) {
        mst_str_addn(&out, r->body.p, (size_t)(no - r->body.p));
        mst_str_add(&out, "<IsTruncated>true</IsTruncated><NextContinuationToken>s3d.61"
                          "</NextContinuationToken>");
        mst_str_add(&out, strstr(no, "</IsTruncated>") + strlen("</IsTruncated>"));
        mst_str_release(&r->body);
        r->body = out;
    }
}

/* In headers and in the result of a completed upload. */
static void other_etag(struct reply *r, bool none)
{
    char *in_xml = strstr(r->body.p ? r->body.p : "", "<ETag>&quot;");

    without(&r->head, "ETag:");
    if (!none) {
        mst_str_add(&r->head, "ETag: \"0123456789abcdef0123456789abcdef\"\r\n");
    }
    for (char *p = in_xml ? in_xml + 12 : NULL; p && *p && *p != '&'; p++) {
        *p = *p == '0' ? '1' : '0';
    }
    if (none && in_xml) {
        memcpy(in_xml, "<Etag>", 6); /* another element: the one that is looked for is not there */
    }
}

void s3d_strike_after(struct conn *c, const struct request *q, const struct planned *p,
                      struct reply *r)
{
    switch ((int)p->f.what) {
    case S3D_RESET_AFTER:
        s3d_reset_conn(c);
        break;
    case S3D_STALL_AFTER:
        stall(c, p->f.ms);
        break;
    case S3D_KILL_AFTER:
        end_client(c, p->f.pid);
        break;
    case S3D_STATUS_AFTER:
        refusal(r, q, p);
        break;
    case S3D_WRONG_ETAG:
    case S3D_NO_ETAG:
        other_etag(r, p->f.what == S3D_NO_ETAG);
        break;
    case S3D_RANGE_200:
        r->status = r->status == 206 ? 200 : r->status;
        break;
    case S3D_NO_RANGE:
        no_range(r);
        break;
    case S3D_WRONG_RANGE:
        wrong_range(r);
        break;
    case S3D_SAME_TOKEN:
        same_token(r);
        break;
    default:
        break;
    }
}
