/* What a test can ask of the scripted S3 server, and change in it, from outside. */
#include "s3d_own.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

static void lock(struct s3d *s)
{
    pthread_mutex_lock(&s->mu);
}

static void unlock(struct s3d *s)
{
    pthread_mutex_unlock(&s->mu);
}

int s3d_port(const struct s3d *s)
{
    return s->port;
}

const char *s3d_endpoint(const struct s3d *s)
{
    return s->endpoint;
}

void s3d_clock(struct s3d *s, int64_t offset_ms)
{
    lock(s);
    s->clock_ms = offset_ms;
    unlock(s);
}

void s3d_token(struct s3d *s, const char *token, int64_t expires_ms)
{
    lock(s);
    s->has_token = token != NULL;
    (void)mst_copy(s->token, sizeof(s->token), token ? token : "");
    s->token_expires_ms = expires_ms;
    unlock(s);
}

void s3d_next_token(struct s3d *s, const char *token)
{
    lock(s);
    (void)mst_copy(s->next_token, sizeof(s->next_token), token);
    unlock(s);
}

void s3d_keys(struct s3d *s, const char *access_key, const char *secret_key)
{
    lock(s);
    (void)mst_copy(s->access, sizeof(s->access), access_key);
    (void)mst_copy(s->secret, sizeof(s->secret), secret_key);
    unlock(s);
}

void s3d_region(struct s3d *s, const char *region)
{
    lock(s);
    (void)mst_copy(s->region, sizeof(s->region), region);
    unlock(s);
}

void s3d_deny(struct s3d *s, enum s3d_kind kind, bool on)
{
    lock(s);
    s->denied[kind] = on;
    unlock(s);
}

void s3d_quota(struct s3d *s, uint64_t bytes_max)
{
    lock(s);
    s->o.bytes_max = bytes_max;
    unlock(s);
}

void s3d_latency(struct s3d *s, int64_t ms)
{
    lock(s);
    s->latency_ms = ms;
    unlock(s);
}

unsigned s3d_count(struct s3d *s, enum s3d_kind kind)
{
    unsigned n = 0;

    lock(s);
    for (int i = 0; i < S3D_KINDS; i++) {
        n += kind == S3D_ANY || kind == (enum s3d_kind)i ? s->counts[i] : 0;
    }
    unlock(s);
    return n;
}

void s3d_count_reset(struct s3d *s)
{
    lock(s);
    memset(s->counts, 0, sizeof(s->counts));
    s->most = s->now;
    unlock(s);
}

unsigned s3d_connections(struct s3d *s)
{
    unsigned n;

    lock(s);
    n = s->accepted;
    unlock(s);
    return n;
}

unsigned s3d_most_parallel(struct s3d *s)
{
    unsigned n;

    lock(s);
    n = s->most;
    unlock(s);
    return n;
}

bool s3d_saw_credentials(struct s3d *s)
{
    bool yes;

    lock(s);
    yes = s->saw_credentials;
    unlock(s);
    return yes;
}

void s3d_complaints(struct s3d *s, struct mst_str *out)
{
    lock(s);
    mst_str_add(out, mst_str_c(&s->complaints));
    unlock(s);
}

void s3d_complaints_reset(struct s3d *s)
{
    lock(s);
    mst_str_reset(&s->complaints);
    unlock(s);
}

bool s3d_last_header(struct s3d *s, enum s3d_kind kind, const char *name, char *out, size_t size)
{
    const char *value;

    lock(s);
    value = pairs_get(&s->last[kind], name);
    (void)mst_copy(out, size, value ? value : "");
    unlock(s);
    return value != NULL;
}

static struct bucket *own(struct s3d *s)
{
    struct bucket *b = keep_bucket(s, s->bucket_name);

    MST_ASSERT(b);
    return b;
}

size_t s3d_objects(struct s3d *s)
{
    size_t n = 0;

    lock(s);
    for (size_t i = 0; i < own(s)->n; i++) {
        const struct object *o = own(s)->o[i];

        n += !o->v[o->n - 1].marker;
    }
    unlock(s);
    return n;
}

size_t s3d_uploads(struct s3d *s)
{
    size_t n;

    lock(s);
    n = own(s)->n_uploads;
    unlock(s);
    return n;
}

bool s3d_has(struct s3d *s, const char *key)
{
    bool yes;

    lock(s);
    yes = keep_newest(own(s), key) != NULL;
    unlock(s);
    return yes;
}

unsigned char *s3d_get(struct s3d *s, const char *key, size_t *n)
{
    const struct version *v;
    unsigned char *out = NULL;

    lock(s);
    v = keep_newest(own(s), key);
    if (v) {
        *n = v->blob->n;
        out = mst_xmemdup(v->blob->p, *n ? *n : 1);
    }
    unlock(s);
    return out;
}

static void put_plain(struct s3d *s, struct bucket *b, const char *key, const void *p, size_t n)
{
    struct version v = {.blob = blob_new(s, p, n)};

    sum_md5_hex(p, n, v.sums.md5_hex);
    (void)mst_copy(v.etag, sizeof(v.etag), v.sums.md5_hex);
    (void)mst_copy(v.klass, sizeof(v.klass), "STANDARD");
    (void)keep_add(s, b, key, &v);
}

void s3d_put(struct s3d *s, const char *key, const void *p, size_t n)
{
    lock(s);
    put_plain(s, own(s), key, p, n);
    unlock(s);
}

void s3d_fill(struct s3d *s, const char *prefix, unsigned n, size_t bytes)
{
    uint8_t *p = mst_xcalloc(1, bytes ? bytes : 1);

    lock(s);
    for (unsigned i = 0; i < n; i++) {
        char *key = mst_xasprintf("%s%08u", prefix, i);

        put_plain(s, own(s), key, p, bytes);
        free(key);
    }
    unlock(s);
    free(p);
}

void s3d_remove(struct s3d *s, const char *key)
{
    lock(s);
    keep_forget(s, own(s), key);
    unlock(s);
}

bool s3d_flip(struct s3d *s, const char *key, size_t at)
{
    struct version *v;
    bool ok;

    lock(s);
    v = keep_newest(own(s), key);
    ok = v && at < v->blob->n;
    if (ok) {
        v->blob->p[at] ^= 1;
    }
    unlock(s);
    return ok;
}

void s3d_class(struct s3d *s, const char *key, const char *storage_class)
{
    struct version *v;

    lock(s);
    v = keep_newest(own(s), key);
    MST_ASSERT(v);
    (void)mst_copy(v->klass, sizeof(v->klass), storage_class);
    v->thawing = false;
    v->thawed_until_ms = 0;
    unlock(s);
}

void s3d_hold(struct s3d *s, const char *key, bool on)
{
    struct version *v;

    lock(s);
    v = keep_newest(own(s), key);
    MST_ASSERT(v);
    v->hold = on;
    unlock(s);
}

void s3d_thaw_now(struct s3d *s, const char *key)
{
    struct version *v;

    lock(s);
    v = keep_newest(own(s), key);
    MST_ASSERT(v);
    v->thawing = false;
    v->thawed_until_ms = s3d_now(s) + 24 * 3600 * 1000LL;
    unlock(s);
}

void s3d_orphan(struct s3d *s, const char *key, int64_t age_ms, char *id)
{
    struct upload *u;

    lock(s);
    u = keep_upload_add(s, own(s), key);
    u->begun_ms -= age_ms;
    (void)mst_copy(u->like.klass, sizeof(u->like.klass), "STANDARD");
    if (id) {
        (void)mst_copy(id, 64, u->id);
    }
    unlock(s);
}

void s3d_keys_text(struct s3d *s, struct mst_str *out)
{
    lock(s);
    for (size_t i = 0; i < own(s)->n; i++) {
        const struct object *o = own(s)->o[i];

        if (!o->v[o->n - 1].marker) {
            mst_str_addf(out, "%s\n", o->key);
        }
    }
    unlock(s);
}
