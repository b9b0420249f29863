/* What the scripted Google Cloud Storage holds. */
#include <openssl/evp.h>

#include "gcsd_own.h"

#include "base/err.h"

/* Bit by bit, on purpose: not the code that is tested. */
uint32_t gcsd_crc(const uint8_t *p, size_t n)
{
    static uint32_t by_byte[256];
    static atomic_bool ready;
    uint32_t c = UINT32_MAX;

    if (!ready) {
        for (uint32_t b = 0; b < 256; b++) {
            uint32_t v = b;

            for (int bit = 0; bit < 8; bit++) {
                v = v % 2 ? v / 2 ^ 0x82F63B78U : v / 2;
            }
            by_byte[b] = v;
        }
        ready = true;
    }
    while (n-- > 0) {
        c = c / 256 ^ by_byte[(c ^ *p++) % 256];
    }
    return c ^ UINT32_MAX;
}

void gcsd_crc_text(uint32_t crc, char out[16])
{
    const uint8_t p[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                          (uint8_t)crc};

    (void)EVP_EncodeBlock((uint8_t *)out, p, 4);
}

/* ---- what is held ---- */

struct gobject *gcsd_find(struct gcsd *g, const char *name, size_t *at)
{
    size_t i = 0;

    while (i < g->n_o && strcmp(g->o[i]->name, name) < 0) {
        i++;
    }
    *at = i;
    return i < g->n_o && strcmp(g->o[i]->name, name) == 0 ? g->o[i] : NULL;
}

static void object_free(struct gobject *o)
{
    free(o->name);
    free(o->p);
    free(o);
}

/* A generation that is not the newest: for good. */
void gcsd_forget(struct gcsd *g, const struct gobject *o)
{
    for (size_t i = 0; i < g->n_old; i++) {
        if (g->old[i] == o) {
            object_free(g->old[i]);
            memmove(g->old + i, g->old + i + 1, (g->n_old - i - 1) * sizeof(*g->old));
            g->n_old--;
            return;
        }
    }
}

void gcsd_drop(struct gcsd *g, size_t at)
{
    if (g->versioned) {
        mst_grow((void **)&g->old, &g->cap_old, g->n_old + 1, sizeof(*g->old));
        g->o[at]->gone = true;
        g->old[g->n_old++] = g->o[at];
    } else {
        object_free(g->o[at]);
    }
    memmove(g->o + at, g->o + at + 1, (g->n_o - at - 1) * sizeof(*g->o));
    g->n_o--;
}

struct gobject *gcsd_add(struct gcsd *g, const char *name, const void *p, size_t n)
{
    size_t at;
    struct gobject *o;

    if (gcsd_find(g, name, &at)) {
        gcsd_drop(g, at);
    }
    mst_grow((void **)&g->o, &g->cap_o, g->n_o + 1, sizeof(*g->o));
    memmove(g->o + at + 1, g->o + at, (g->n_o - at) * sizeof(*g->o));
    o = mst_xcalloc(1, sizeof(*o));
    o->name = mst_xstrdup(name);
    o->p = mst_xmemdup(n ? p : "", n ? n : 1);
    o->n = n;
    o->crc = gcsd_crc(o->p, n);
    o->generation = g->next_generation++;
    (void)mst_copy(o->klass, sizeof(o->klass), "STANDARD");
    g->o[at] = o;
    g->n_o++;
    return o;
}

void gcsd_session_free(struct gsession *s)
{
    mst_buf_release(&s->have);
    free(s->name);
    free(s);
}

void gcsd_forget_all(struct gcsd *g)
{
    g->versioned = false;
    for (size_t i = 0; i < g->n_old; i++) {
        object_free(g->old[i]);
    }
    free(g->old);
    while (g->n_o > 0) {
        gcsd_drop(g, g->n_o - 1);
    }
    for (size_t i = 0; i < g->n_s; i++) {
        gcsd_session_free(g->s[i]);
    }
    free(g->o);
    free(g->s);
}

/* ---- past the API ---- */

bool gcsd_has(struct gcsd *g, const char *name, const void *data, size_t n)
{
    const struct gobject *o;
    size_t at;
    bool same;

    pthread_mutex_lock(&g->mu);
    o = gcsd_find(g, name, &at);
    same = o && o->n == n && (n == 0 || memcmp(o->p, data, n) == 0);
    pthread_mutex_unlock(&g->mu);
    return same;
}

size_t gcsd_objects(struct gcsd *g)
{
    size_t n;

    pthread_mutex_lock(&g->mu);
    n = g->n_o;
    pthread_mutex_unlock(&g->mu);
    return n;
}

void gcsd_each(struct gcsd *g, void (*fn)(const char *name, const void *p, size_t n))
{
    pthread_mutex_lock(&g->mu);
    for (size_t i = 0; i < g->n_o; i++) {
        fn(g->o[i]->name, g->o[i]->p, g->o[i]->n);
    }
    pthread_mutex_unlock(&g->mu);
}

size_t gcsd_sessions(struct gcsd *g)
{
    size_t n = 0;

    pthread_mutex_lock(&g->mu);
    for (size_t i = 0; i < g->n_s; i++) {
        n += !g->s[i]->done;
    }
    pthread_mutex_unlock(&g->mu);
    return n;
}

unsigned char *gcsd_get(struct gcsd *g, const char *name, size_t *n)
{
    const struct gobject *o;
    unsigned char *out = NULL;
    size_t at;

    pthread_mutex_lock(&g->mu);
    o = gcsd_find(g, name, &at);
    if (o) {
        *n = o->n;
        out = mst_xmemdup(o->p, o->n ? o->n : 1);
    }
    pthread_mutex_unlock(&g->mu);
    return out;
}

void gcsd_put(struct gcsd *g, const char *name, const void *data, size_t n)
{
    pthread_mutex_lock(&g->mu);
    (void)gcsd_add(g, name, data, n);
    pthread_mutex_unlock(&g->mu);
}

void gcsd_versions(struct gcsd *g)
{
    pthread_mutex_lock(&g->mu);
    g->versioned = true;
    pthread_mutex_unlock(&g->mu);
}

void gcsd_retain(struct gcsd *g, const char *name, const char *mode, const char *until, bool hold)
{
    struct gobject *o;
    size_t at;

    pthread_mutex_lock(&g->mu);
    o = gcsd_find(g, name, &at);
    MST_ASSERT(o);
    (void)mst_copy(o->mode, sizeof(o->mode), mode);
    (void)mst_copy(o->until, sizeof(o->until), until);
    o->hold = hold;
    pthread_mutex_unlock(&g->mu);
}

void gcsd_hold_by_event(struct gcsd *g, const char *name)
{
    struct gobject *o;
    size_t at;

    pthread_mutex_lock(&g->mu);
    o = gcsd_find(g, name, &at);
    MST_ASSERT(o);
    o->by_event = true;
    pthread_mutex_unlock(&g->mu);
}

void gcsd_no_retention(struct gcsd *g)
{
    pthread_mutex_lock(&g->mu);
    g->no_retention = true;
    pthread_mutex_unlock(&g->mu);
}

void gcsd_may_delete(struct gcsd *g)
{
    pthread_mutex_lock(&g->mu);
    g->may_delete = true;
    pthread_mutex_unlock(&g->mu);
}

void gcsd_overwrites(struct gcsd *g)
{
    pthread_mutex_lock(&g->mu);
    g->overwrites = true;
    pthread_mutex_unlock(&g->mu);
}

/* What the caller would be allowed; false: it is not this question. */
bool gcsd_permissions(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r)
{
    const char *tail = strstr(q->path, "/iam/testPermissions");

    if (!tail) {
        return false;
    }
    r->status = 200;
    mst_str_add(&r->body, "{\"kind\":\"storage#testIamPermissionsResponse\"");
    if (g->may_delete) {
        mst_str_add(&r->body, ",\"permissions\":[");
        mst_str_add_json(&r->body, gcsd_query(q, "permissions"));
        mst_str_add(&r->body, "]");
    }
    mst_str_add(&r->body, "}");
    return true;
}
