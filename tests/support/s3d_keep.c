/* What the scripted S3 server holds: buckets, objects with their versions, uploads. */
#include "s3d_own.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

struct blob *blob_take(struct s3d *s, uint8_t *p, size_t n)
{
    struct blob *b = mst_xcalloc(1, sizeof(*b));

    *b = (struct blob){.refs = 1, .n = n, .p = p};
    s->held += n;
    return b;
}

struct blob *blob_new(struct s3d *s, const void *p, size_t n)
{
    return blob_take(s, mst_xmemdup(n ? p : "", n ? n : 1), n);
}

void blob_drop(struct s3d *s, struct blob *b)
{
    if (b && --b->refs == 0) {
        s->held -= b->n;
        free(b->p);
        free(b);
    }
}

bool keep_room(struct s3d *s, size_t n)
{
    return s->held + n <= s->o.bytes_max;
}

void version_release(struct s3d *s, struct version *v)
{
    blob_drop(s, v->blob);
    pairs_release(&v->meta);
    memset(v, 0, sizeof(*v));
}

struct bucket *keep_bucket(struct s3d *s, const char *name)
{
    for (size_t i = 0; i < s->n_buckets; i++) {
        if (strcmp(s->buckets[i].name, name) == 0) {
            return &s->buckets[i];
        }
    }
    return NULL;
}

struct bucket *keep_bucket_add(struct s3d *s, const char *name)
{
    struct bucket *b;

    if (s->n_buckets == S3D_BUCKETS) {
        return NULL;
    }
    b = &s->buckets[s->n_buckets++];
    memset(b, 0, sizeof(*b));
    (void)mst_copy(b->name, sizeof(b->name), name);
    return b;
}

size_t keep_find(const struct bucket *b, const char *key)
{
    size_t lo = 0, hi = b->n;

    if (hi > 0 && strcmp(b->o[hi - 1]->key, key) < 0) { /* keys often come in order */
        return hi;
    }
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;

        if (strcmp(b->o[mid]->key, key) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

struct object *keep_object(const struct bucket *b, const char *key)
{
    const size_t at = keep_find(b, key);

    return at < b->n && strcmp(b->o[at]->key, key) == 0 ? b->o[at] : NULL;
}

struct version *keep_newest(const struct bucket *b, const char *key)
{
    struct object *o = keep_object(b, key);
    struct version *v = o && o->n ? &o->v[o->n - 1] : NULL;

    return v && !v->marker ? v : NULL;
}

struct version *keep_version(struct object *o, const char *id)
{
    for (size_t i = 0; o && i < o->n; i++) {
        if (strcmp(o->v[i].id, id) == 0) {
            return &o->v[i];
        }
    }
    return NULL;
}

static struct object *object_of(struct bucket *b, const char *key)
{
    const size_t at = keep_find(b, key);
    struct object *o;

    if (at < b->n && strcmp(b->o[at]->key, key) == 0) {
        return b->o[at];
    }
    mst_grow((void **)&b->o, &b->cap, b->n + 1, sizeof(*b->o));
    memmove(b->o + at + 1, b->o + at, (b->n - at) * sizeof(*b->o));
    o = b->o[at] = mst_xcalloc(1, sizeof(*o));
    o->key = mst_xstrdup(key);
    b->n++;
    return o;
}

static void drop_at(struct s3d *s, struct object *o, size_t i)
{
    version_release(s, &o->v[i]);
    memmove(o->v + i, o->v + i + 1, (o->n - i - 1) * sizeof(*o->v));
    o->n--;
}

void keep_forget(struct s3d *s, struct bucket *b, const char *key)
{
    const size_t at = keep_find(b, key);
    struct object *o = keep_object(b, key);

    if (!o) {
        return;
    }
    while (o->n > 0) {
        drop_at(s, o, o->n - 1);
    }
    free(o->v);
    free(o->key);
    free(o);
    memmove(b->o + at, b->o + at + 1, (b->n - at - 1) * sizeof(*b->o));
    b->n--;
}

struct version *keep_add(struct s3d *s, struct bucket *b, const char *key, struct version *v)
{
    struct object *o = object_of(b, key);

    if (!b->versioned) {
        while (o->n > 0) {
            drop_at(s, o, o->n - 1);
        }
        (void)mst_copy(v->id, sizeof(v->id), "null");
    } else {
        s3d_id(s, "v", v->id, sizeof(v->id));
    }
    if (!v->at_ms) {
        v->at_ms = s3d_now(s);
    }
    mst_grow((void **)&o->v, &o->cap, o->n + 1, sizeof(*o->v));
    o->v[o->n++] = *v;
    memset(v, 0, sizeof(*v));
    return &o->v[o->n - 1];
}

void keep_drop(struct s3d *s, struct bucket *b, const char *key, const char *id)
{
    struct object *o = keep_object(b, key);

    if (!id && b->versioned) {
        struct version marker = {.marker = true};

        (void)keep_add(s, b, key, &marker);
        return;
    }
    for (size_t i = 0; o && i < o->n; i++) {
        if (!id || strcmp(o->v[i].id, id) == 0) {
            drop_at(s, o, i);
            break;
        }
    }
    if (o && o->n == 0) {
        keep_forget(s, b, key);
    }
}

bool keep_archived(const struct version *v)
{
    return strcmp(v->klass, "GLACIER") == 0 || strcmp(v->klass, "DEEP_ARCHIVE") == 0;
}

bool keep_locked(const struct s3d *s, const struct version *v)
{
    return v->hold || (v->mode[0] && v->until_ms > s3d_now(s));
}

struct upload *keep_upload(struct bucket *b, const char *key, const char *id)
{
    for (size_t i = 0; i < b->n_uploads; i++) {
        if (strcmp(b->u[i].id, id) == 0 && strcmp(b->u[i].key, key) == 0) {
            return &b->u[i];
        }
    }
    return NULL;
}

/* Sorted by key, then by age, as they are listed. */
struct upload *keep_upload_add(struct s3d *s, struct bucket *b, const char *key)
{
    size_t at = 0;

    mst_grow((void **)&b->u, &b->cap_uploads, b->n_uploads + 1, sizeof(*b->u));
    while (at < b->n_uploads && strcmp(b->u[at].key, key) <= 0) {
        at++;
    }
    memmove(b->u + at + 1, b->u + at, (b->n_uploads - at) * sizeof(*b->u));
    b->n_uploads++;
    memset(&b->u[at], 0, sizeof(b->u[at]));
    b->u[at].key = mst_xstrdup(key);
    b->u[at].begun_ms = s3d_now(s);
    s3d_id(s, "upload", b->u[at].id, sizeof(b->u[at].id));
    return &b->u[at];
}

void keep_upload_drop(struct s3d *s, struct bucket *b, struct upload *u)
{
    const size_t at = (size_t)(u - b->u);

    for (size_t i = 0; i < u->n; i++) {
        blob_drop(s, u->part[i].blob);
    }
    version_release(s, &u->like);
    free(u->part);
    free(u->key);
    memmove(b->u + at, b->u + at + 1, (b->n_uploads - at - 1) * sizeof(*b->u));
    b->n_uploads--;
}

void keep_release(struct s3d *s)
{
    for (size_t i = 0; i < s->n_buckets; i++) {
        struct bucket *b = &s->buckets[i];

        while (b->n > 0) {
            keep_forget(s, b, b->o[b->n - 1]->key);
        }
        while (b->n_uploads > 0) {
            keep_upload_drop(s, b, &b->u[b->n_uploads - 1]);
        }
        free(b->o);
        free(b->u);
    }
}
