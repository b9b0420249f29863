#include "backup/internal.h"

#include "base/mem.h"

static size_t slot(const struct uuids *s, const uint8_t *u)
{
    size_t i = (size_t)(mst_le64(u) ^ mst_le64(u + 8) * UINT64_C(0x9e3779b97f4a7c15));

    for (i &= s->cap - 1; s->used[i] && memcmp(s->v[i], u, MST_UUID_LEN) != 0;) {
        i = (i + 1) & (s->cap - 1);
    }
    return i;
}

static void grow(struct uuids *s)
{
    struct uuids old = *s;

    s->cap = old.cap ? old.cap * 2 : 64;
    s->v = mst_xcalloc(s->cap, MST_UUID_LEN);
    s->used = mst_xcalloc(s->cap, 1);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.used[i]) {
            const size_t at = slot(s, old.v[i]);

            memcpy(s->v[at], old.v[i], MST_UUID_LEN);
            s->used[at] = 1;
        }
    }
    free(old.v);
    free(old.used);
}

void uuids_add(struct uuids *s, const uint8_t u[MST_UUID_LEN])
{
    size_t i;

    if ((s->n + 1) * 2 > s->cap) {
        grow(s);
    }
    i = slot(s, u);
    if (!s->used[i]) {
        memcpy(s->v[i], u, MST_UUID_LEN);
        s->used[i] = 1;
        s->n++;
    }
}

bool uuids_has(const struct uuids *s, const uint8_t u[MST_UUID_LEN])
{
    return s->n && s->used[slot(s, u)];
}

void uuids_release(struct uuids *s)
{
    free(s->v);
    free(s->used);
    memset(s, 0, sizeof(*s));
}

bool uuid_of(const bson_t *b, const char *path, uint8_t out[MST_UUID_LEN])
{
    bson_iter_t it, at;
    bson_subtype_t sub;
    const uint8_t *p;
    uint32_t n;

    if (!bson_iter_init(&it, b) || !bson_iter_find_descendant(&it, path, &at) ||
        !BSON_ITER_HOLDS_BINARY(&at)) {
        return false;
    }
    bson_iter_binary(&at, &sub, &n, &p);
    if (n != MST_UUID_LEN) {
        return false;
    }
    memcpy(out, p, n);
    return true;
}
