/* The JSON API of the scripted Google Cloud Storage. */
#include <inttypes.h>
#include <strings.h>

#include "gcsd_own.h"

#include "base/clock.h"
#include "base/err.h"

#define UNIT ((size_t)256 * 1024)

/* ---- answers ---- */

static void add_object(struct mst_str *out, const struct gobject *o, const struct gcsd_fault *f)
{
    char crc[16];

    gcsd_crc_text(f && f->what == GCSD_WRONG_CRC ? ~o->crc : o->crc, crc);
    mst_str_add(out, "{\"kind\":\"storage#object\",\"name\":");
    mst_str_add_json(out, o->name);
    mst_str_addf(out,
                 ",\"size\":\"%zu\",\"generation\":\"%" PRIu64 "\",\"updated\":"
                 "\"2026-11-22T22:30:00.123Z\",\"timeCreated\":\"2026-11-22T22:30:00.123Z\","
                 "\"etag\":\"CJ%" PRIu64 "=\",\"storageClass\":\"%s\"",
                 o->n, o->generation, o->generation, o->klass);
    if (!f || f->what != GCSD_NO_CRC) {
        mst_str_addf(out, ",\"crc32c\":\"%s\"", crc);
    }
    if (o->word[0]) {
        mst_str_addf(out, ",\"metadata\":{\"muster-put\":\"%s\"%s}", o->word, o->tags);
    }
    if (o->until[0]) {
        mst_str_addf(out, ",\"retention\":{\"mode\":\"%s\",\"retainUntilTime\":\"%s\"}", o->mode,
                     o->until);
    }
    if (o->hold) {
        mst_str_add(out, ",\"temporaryHold\":true");
    }
    if (o->by_event) {
        mst_str_add(out, ",\"eventBasedHold\":true");
    }
    if (o->gone) {
        mst_str_add(out, ",\"timeDeleted\":\"2026-11-23T10:00:00.5Z\"");
    }
    mst_str_add(out, "}");
}

static void object_answer(struct gcsd_reply *r, const struct gobject *o, const struct gcsd_fault *f)
{
    r->status = 200;
    mst_str_add(&r->head, "Content-Type: application/json; charset=UTF-8\r\n");
    add_object(&r->body, o, f);
}

static bool known_params(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    static const char *const known[] = {
        "fields",    "alt",        "uploadType", "upload_id",         "name",       "prefix",
        "pageToken", "maxResults", "versions",   "ifGenerationMatch", "generation", "permissions"};

    for (size_t i = 0; i < q->n_query; i++) {
        bool found = false;

        for (size_t k = 0; k < MST_COUNT(known); k++) {
            found |= strcmp(q->query[i].name, known[k]) == 0;
        }
        if (!found) {
            gcsd_error(g, q, r, 400, "invalidParameter", "unknown parameter", true);
            return false;
        }
    }
    return true;
}

/* ifGenerationMatch, of a call that is about an object. */
static bool generation_ok(struct gcsd *g, const struct gcsd_request *q, const struct gobject *o,
                          struct gcsd_reply *r)
{
    const char *want = gcsd_query(q, "ifGenerationMatch");

    if (g->overwrites && strcmp(want, "0") == 0) {
        return true;
    }
    if (*want && strtoull(want, NULL, 10) != (o ? o->generation : 0)) {
        gcsd_error(g, q, r, 412, "conditionNotMet",
                   "At least one of the pre-conditions you specified did not hold.", false);
        return false;
    }
    return true;
}

static struct gobject *need(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    const char *generation = gcsd_query(q, "generation");
    size_t at;
    struct gobject *o = gcsd_find(g, q->name, &at);

    for (size_t i = 0; *generation && i < g->n_old; i++) {
        if (strcmp(g->old[i]->name, q->name) == 0 &&
            g->old[i]->generation == strtoull(generation, NULL, 10)) {
            o = g->old[i];
        }
    }
    if (!o || (*generation && o->generation != strtoull(generation, NULL, 10))) {
        gcsd_error(g, q, r, 404, "notFound", "No such object", false);
        return NULL;
    }
    return generation_ok(g, q, o, r) ? o : NULL;
}

/* ---- uploads ---- */

static void copy_text(const bson_t *b, const char *dotted, char *out, size_t size)
{
    bson_iter_t it, at;

    if (bson_iter_init(&it, b) && bson_iter_find_descendant(&it, dotted, &at) &&
        BSON_ITER_HOLDS_UTF8(&at)) {
        (void)mst_copy(out, size, bson_iter_utf8(&at, NULL));
    }
}

static bool upload_params(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    size_t at;

    if (!*gcsd_query(q, "name") || strcmp(gcsd_query(q, "ifGenerationMatch"), "0") != 0) {
        gcsd_error(g, q, r, 400, "required", "an upload without name or ifGenerationMatch=0", true);
        return false;
    }
    return generation_ok(g, q, gcsd_find(g, gcsd_query(q, "name"), &at), r);
}

/* Content between two boundaries: the part's body. NULL when it is not formed so. */
static const char *body_of_part(const char *from, const char *end, const char *boundary,
                                const char **next, size_t *n)
{
    char mark[100];
    const char *head, *stop;
    int len = snprintf(mark, sizeof(mark), "--%s\r\n", boundary);

    if (end - from < len || memcmp(from, mark, (size_t)len) != 0) {
        return NULL;
    }
    head = memmem(from, (size_t)(end - from), "\r\n\r\n", 4);
    len = snprintf(mark, sizeof(mark), "\r\n--%s", boundary);
    stop = head ? memmem(head + 4, (size_t)(end - head - 4), mark, (size_t)len) : NULL;
    if (!stop) {
        return NULL;
    }
    *n = (size_t)(stop - head - 4);
    *next = stop + 2;
    return head + 4;
}

/* Retention and words of the metadata besides the one that muster checks. */
static void copy_marks(const bson_t *meta, char mode[16], char until[40], char tags[300])
{
    struct mst_str s = {0};
    bson_iter_t it, in;

    copy_text(meta, "retention.mode", mode, 16);
    copy_text(meta, "retention.retainUntilTime", until, 40);
    if (bson_iter_init_find(&it, meta, "metadata") && bson_iter_recurse(&it, &in)) {
        while (bson_iter_next(&in)) {
            if (strcmp(bson_iter_key(&in), "muster-put") != 0 && BSON_ITER_HOLDS_UTF8(&in)) {
                mst_str_addc(&s, ',');
                mst_str_add_json(&s, bson_iter_key(&in));
                mst_str_addc(&s, ':');
                mst_str_add_json(&s, bson_iter_utf8(&in, NULL));
            }
        }
    }
    (void)mst_copy(tags, 300, mst_str_c(&s));
    mst_str_release(&s);
}

static void store_multipart(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
                            const bson_t *meta, const char *data, size_t n,
                            const struct gcsd_fault *f)
{
    char have[16], want[40] = "";
    struct gobject *o;

    gcsd_crc_text(gcsd_crc((const uint8_t *)data, n), have);
    copy_text(meta, "crc32c", want, sizeof(want));
    if (strcmp(have, want) != 0) {
        /* That one is wrong on purpose: it asks whether the server compares. */
        gcsd_error(g, q, r, 400, "invalid", "the CRC32C is missing or does not match",
                   !strstr(gcsd_query(q, "name"), "muster-probe/checksum"));
        return;
    }
    o = gcsd_add(g, gcsd_query(q, "name"), data, n);
    copy_text(meta, "metadata.muster-put", o->word, sizeof(o->word));
    copy_text(meta, "storageClass", o->klass, sizeof(o->klass));
    copy_marks(meta, o->mode, o->until, o->tags);
    object_answer(r, o, f);
}

static void multipart(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
                      const struct gcsd_fault *f)
{
    static const char type[] = "multipart/related; boundary=";
    const char *boundary = gcsd_header(q, "content-type");
    const char *end = q->body_text + q->body_n, *next = NULL, *last = NULL, *json, *data = NULL;
    size_t json_n = 0, data_n = 0;
    bson_t *meta = NULL;

    if (strcmp(gcsd_query(q, "uploadType"), "multipart") != 0) {
        gcsd_error(g, q, r, 400, "invalid", "only multipart and resumable are accepted", true);
        return;
    }
    if (!upload_params(g, q, r)) {
        return;
    }
    if (strncmp(boundary, type, sizeof(type) - 1) == 0) {
        boundary += sizeof(type) - 1;
        json = body_of_part(q->body_text, end, boundary, &next, &json_n);
        data = json ? body_of_part(next, end, boundary, &last, &data_n) : NULL;
        meta = data ? bson_new_from_json((const uint8_t *)json, (ssize_t)json_n, NULL) : NULL;
    }
    if (!meta || strncmp(last + 2 + strlen(boundary), "--\r\n", 5) != 0) {
        gcsd_error(g, q, r, 400, "invalid", "the parts are not well formed", true);
    } else {
        store_multipart(g, q, r, meta, data, data_n, f);
    }
    bson_destroy(meta);
}

static void start(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
                  const struct gcsd_fault *f)
{
    bson_t *meta = bson_new_from_json((const uint8_t *)q->body_text, (ssize_t)q->body_n, NULL);
    struct gsession *s;

    if (!meta || !*gcsd_header(q, "x-upload-content-type")) {
        gcsd_error(g, q, r, 400, "invalid", "no metadata, or no type of the content", true);
    } else if (upload_params(g, q, r)) {
        s = mst_xcalloc(1, sizeof(*s));
        s->id = ++g->next_session;
        s->name = mst_xstrdup(gcsd_query(q, "name"));
        copy_text(meta, "metadata.muster-put", s->word, sizeof(s->word));
        copy_text(meta, "storageClass", s->klass, sizeof(s->klass));
        copy_marks(meta, s->mode, s->until, s->tags);
        mst_grow((void **)&g->s, &g->cap_s, g->n_s + 1, sizeof(*g->s));
        g->s[g->n_s++] = s;
        r->status = 200;
        mst_str_addf(
            &r->head, "Location: %s/upload/storage/v1/b/%s/o?uploadType=resumable&upload_id=%u\r\n",
            f && f->what == GCSD_OTHER_HOST ? "http://198.51.100.1" : g->url, g->bucket, s->id);
    }
    bson_destroy(meta);
}

static size_t session_at(struct gcsd *g, const struct gcsd_request *q)
{
    size_t i = 0;

    while (i < g->n_s && g->s[i]->id != strtoul(gcsd_query(q, "upload_id"), NULL, 10)) {
        i++;
    }
    return i;
}

static void session_drop(struct gcsd *g, size_t at)
{
    gcsd_session_free(g->s[at]);
    memmove(g->s + at, g->s + at + 1, (g->n_s - at - 1) * sizeof(*g->s));
    g->n_s--;
}

static void so_far(struct gcsd_reply *r, const struct gsession *s)
{
    r->status = 308;
    if (s->have.len > 0) {
        mst_str_addf(&r->head, "Range: bytes=0-%zu\r\n", s->have.len - 1);
    }
}

static void finalise(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
                     struct gsession *s, const struct gcsd_fault *f)
{
    const char *sent = gcsd_header(q, "x-goog-hash");
    char have[16], want[40];
    struct gobject *o;
    size_t at;

    gcsd_crc_text(gcsd_crc(s->have.p, s->have.len), have);
    (void)snprintf(want, sizeof(want), "crc32c=%s", have);
    if (strcmp(sent, want) != 0) {
        gcsd_error(g, q, r, 400, "invalid", "the CRC32C is missing or does not match", true);
        return;
    }
    if (!g->overwrites && gcsd_find(g, s->name, &at)) {
        gcsd_error(g, q, r, 412, "conditionNotMet", "the name is taken", false);
        return;
    }
    o = gcsd_add(g, s->name, s->have.p, s->have.len);
    (void)mst_copy(o->word, sizeof(o->word), s->word);
    (void)mst_copy(o->mode, sizeof(o->mode), s->mode);
    (void)mst_copy(o->until, sizeof(o->until), s->until);
    (void)mst_copy(o->tags, sizeof(o->tags), s->tags);
    if (s->klass[0]) {
        (void)mst_copy(o->klass, sizeof(o->klass), s->klass);
    }
    s->done = true;
    s->generation = o->generation;
    object_answer(r, o, f);
}

/* "bytes A-B/TOTAL" or with '*' as the total; false when it is neither. */
static bool content_range(const char *v, uint64_t *from, uint64_t *to, uint64_t *total, bool *last)
{
    char stars[24] = "";

    *last = sscanf(v, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64, from, to, total) == 3;
    return *last || (sscanf(v, "bytes %" SCNu64 "-%" SCNu64 "/%20s", from, to, stars) == 3 &&
                     strcmp(stars, "*") == 0);
}

static void chunk(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
                  const struct gcsd_fault *f)
{
    const size_t at = session_at(g, q);
    uint64_t from = 0, to = 0, total = 0;
    bool last;
    size_t keep = q->body_n;

    if (at == g->n_s || g->s[at]->done) {
        gcsd_error(g, q, r, 404, "notFound", "no such upload", false);
        return;
    }
    if (content_range(gcsd_header(q, "content-range"), &from, &to, &total, &last) && !last &&
        to - from + 1 == q->body_n && to < g->s[at]->have.len) {
        so_far(r, g->s[at]); /* bytes that it has already are ignored */
        return;
    }
    if (!content_range(gcsd_header(q, "content-range"), &from, &to, &total, &last) ||
        from != g->s[at]->have.len || to - from + 1 != q->body_n ||
        (last ? to + 1 != total : q->body_n % UNIT != 0)) {
        gcsd_error(g, q, r, 400, "invalid", "the chunk does not go on where the last one ended",
                   true);
        return;
    }
    if (f && f->what == GCSD_PARTIAL) {
        keep = keep < UNIT ? keep : UNIT;
        last = false;
    }
    mst_buf_add(&g->s[at]->have, q->body_text, keep);
    if (last) {
        finalise(g, q, r, g->s[at], f);
    } else {
        so_far(r, g->s[at]);
    }
}

static void query(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
                  const struct gcsd_fault *f)
{
    const char *total = gcsd_header(q, "content-range") + strlen("bytes */");
    const size_t at = session_at(g, q);
    size_t where;

    if (at == g->n_s) {
        gcsd_error(g, q, r, 404, "notFound", "no such upload", false);
    } else if (g->s[at]->done) {
        object_answer(r, gcsd_find(g, g->s[at]->name, &where), f);
    } else if (strtoull(total, NULL, 10) == g->s[at]->have.len && *total != '*') {
        finalise(g, q, r, g->s[at], f);
    } else {
        so_far(r, g->s[at]);
    }
}

/* ---- objects ---- */

static void read_object(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
                        const struct gcsd_fault *f)
{
    const struct gobject *o = need(g, q, r);
    const char *range = gcsd_header(q, "range");
    uint64_t from = 0, to = 0;
    char crc[16];

    if (!o) {
        return;
    }
    if (sscanf(range, "bytes=%" SCNu64 "-%" SCNu64, &from, &to) != 2 || to < from) {
        gcsd_error(g, q, r, 400, "invalid", "a read without a range", true);
        return;
    }
    if (from >= o->n) {
        gcsd_error(g, q, r, 416, "requestedRangeNotSatisfiable", "Request range not satisfiable",
                   false);
        return;
    }
    to = to < o->n - 1 ? to : o->n - 1;
    gcsd_crc_text(f && f->what == GCSD_WRONG_CRC ? ~o->crc : o->crc, crc);
    mst_str_addf(&r->head, "x-goog-generation: %" PRIu64 "\r\nx-goog-hash: crc32c=%s\r\n",
                 o->generation, crc);
    if (f && f->what == GCSD_NO_RANGE) {
        r->status = 200;
        mst_str_addn(&r->body, (const char *)o->p, o->n);
        return;
    }
    r->status = 206;
    mst_str_addf(&r->head, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%zu\r\n", from, to, o->n);
    mst_str_addn(&r->body, (const char *)o->p + from, (size_t)(to - from + 1));
    if (f && f->what == GCSD_FLIP) {
        r->body.p[r->body.len / 2] ^= 1;
    }
}

static void remove_object(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    const struct gobject *o = need(g, q, r);
    size_t at;

    if (!o) {
        return;
    }
    if (o->hold || o->by_event || o->until[0]) {
        /* Of a hold the service gives the reason that a lack of rights has, too. */
        gcsd_error(g, q, r, 403, o->hold || o->by_event ? "forbidden" : "retentionPolicyNotMet",
                   o->hold       ? "Object is under active Temporary hold and cannot be deleted"
                   : o->by_event ? "Object is under active Event-Based hold and cannot be deleted"
                                 : "the object is protected and cannot be deleted",
                   false);
        return;
    }
    if (gcsd_find(g, q->name, &at) == o) {
        gcsd_drop(g, at);
    } else {
        gcsd_forget(g, o);
    }
    r->status = 204;
}

static void patch(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    struct gobject *o = need(g, q, r);
    bson_t *b = bson_new_from_json((const uint8_t *)q->body_text, (ssize_t)q->body_n, NULL);

    if (o && (!b || strcmp(gcsd_header(q, "x-http-method-override"), "PATCH") != 0)) {
        gcsd_error(g, q, r, 400, "invalid", "no PATCH, or no JSON", true);
    } else if (o) {
        copy_text(b, "retention.mode", o->mode, sizeof(o->mode));
        copy_text(b, "retention.retainUntilTime", o->until, sizeof(o->until));
        object_answer(r, o, NULL);
    }
    bson_destroy(b);
}

static int by_generation(const void *x, const void *y)
{
    const struct gobject *a = *(const struct gobject *const *)x;
    const struct gobject *b = *(const struct gobject *const *)y;
    const int names = strcmp(a->name, b->name);

    return names ? names : a->generation < b->generation ? -1 : 1;
}

/* All generations, oldest first below each name; the token is where to go on. */
static void list_versions(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    const size_t all = g->n_o + g->n_old;
    const char *prefix = gcsd_query(q, "prefix");
    struct gobject **o = mst_xcalloc(all + 1, sizeof(*o));
    size_t i = strtoul(gcsd_query(q, "pageToken"), NULL, 10);
    unsigned n = 0;

    for (size_t k = 0; k < all; k++) {
        o[k] = k < g->n_o ? g->o[k] : g->old[k - g->n_o];
    }
    qsort(o, all, sizeof(*o), by_generation);
    r->status = 200;
    mst_str_add(&r->body, "{\"kind\":\"storage#objects\"");
    for (; i < all && n < g->page_max; i++) {
        if (strncmp(o[i]->name, prefix, strlen(prefix)) == 0) {
            mst_str_add(&r->body, n++ ? "," : ",\"items\":[");
            add_object(&r->body, o[i], NULL);
        }
    }
    mst_str_add(&r->body, n ? "]" : "");
    if (i < all) {
        mst_str_addf(&r->body, ",\"nextPageToken\":\"%zu\"", i);
    }
    mst_str_add(&r->body, "}");
    free(o);
}

static void list(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
                 const struct gcsd_fault *f)
{
    const char *prefix = gcsd_query(q, "prefix"), *token = gcsd_query(q, "pageToken");
    const bool empty = f && f->what == GCSD_EMPTY_PAGES, same = f && f->what == GCSD_SAME_PAGE;
    unsigned n = 0;
    size_t i = 0;
    char *base = mst_xasprintf("/storage/v1/b/%s/o", g->bucket);

    if (strcmp(q->path, base) != 0) {
        gcsd_error(g, q, r, 404, "notFound", "The specified bucket does not exist.", false);
        free(base);
        return;
    }
    free(base);
    if (strcmp(gcsd_query(q, "versions"), "true") == 0) {
        list_versions(g, q, r);
        return;
    }
    r->status = 200;
    mst_str_add(&r->head, "Content-Type: application/json; charset=UTF-8\r\n");
    mst_str_add(&r->body, "{\"kind\":\"storage#objects\"");
    while (i < g->n_o && !same && strcmp(g->o[i]->name, token) <= 0 && *token) {
        i++;
    }
    for (; i < g->n_o && !empty && n < g->page_max; i++) {
        if (strncmp(g->o[i]->name, prefix, strlen(prefix)) == 0) {
            mst_str_add(&r->body, n++ ? "," : ",\"items\":[");
            add_object(&r->body, g->o[i], NULL);
        }
    }
    mst_str_add(&r->body, n ? "]" : "");
    if (empty) {
        mst_str_addf(&r->body, ",\"nextPageToken\":\"page-%u\"", g->counts[GCSD_LIST]);
    } else if (i < g->n_o || same) {
        mst_str_add(&r->body, ",\"nextPageToken\":");
        mst_str_add_json(&r->body, i > 0 ? g->o[i - 1]->name : "page");
    }
    mst_str_add(&r->body, "}");
}

static void about_bucket(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    if (gcsd_permissions(g, q, r)) {
        return;
    }
    if (strcmp(q->path + strlen("/storage/v1/b/"), g->bucket) != 0) {
        gcsd_error(g, q, r, 404, "notFound", "The specified bucket does not exist.", false);
        return;
    }
    r->status = 200;
    mst_str_addf(&r->body, "{\"location\":\"EUROPE-WEST3\",\"versioning\":{\"enabled\":true}%s}",
                 g->no_retention ? "" : ",\"objectRetention\":{\"mode\":\"Enabled\"}");
}

static bool our_bucket(const struct gcsd *g, const struct gcsd_request *q)
{
    char *path = mst_xasprintf("/upload/storage/v1/b/%s/o", g->bucket);
    const bool is = strcmp(q->path, path) == 0;

    free(path);
    return is;
}

void gcsd_api(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
              const struct gcsd_fault *f)
{
    struct gobject *o;

    if (!known_params(g, q, r)) {
        return;
    }
    if (f && f->what == GCSD_FORGET && session_at(g, q) < g->n_s) {
        session_drop(g, session_at(g, q));
    }
    if ((q->kind == GCSD_MULTIPART || q->kind == GCSD_START) && !our_bucket(g, q)) {
        gcsd_error(g, q, r, 404, "notFound", "The specified bucket does not exist.", false);
        return;
    }
    switch ((int)q->kind) {
    case GCSD_MULTIPART:
        multipart(g, q, r, f);
        break;
    case GCSD_START:
        start(g, q, r, f);
        break;
    case GCSD_CHUNK:
        chunk(g, q, r, f);
        break;
    case GCSD_QUERY:
        query(g, q, r, f);
        break;
    case GCSD_CANCEL:
        r->status = 499;
        if (session_at(g, q) < g->n_s) {
            session_drop(g, session_at(g, q));
        }
        break;
    case GCSD_STAT:
        o = need(g, q, r);
        if (o) {
            object_answer(r, o, f);
        }
        break;
    case GCSD_READ:
        read_object(g, q, r, f);
        break;
    case GCSD_DELETE:
        remove_object(g, q, r);
        break;
    case GCSD_PATCH:
        patch(g, q, r);
        break;
    case GCSD_BUCKET:
        about_bucket(g, q, r);
        break;
    default:
        list(g, q, r, f);
        break;
    }
}
