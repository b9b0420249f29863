#include "backup/internal.h"

#include "base/mem.h"

static enum mst_rc sink_open(struct sink *s, struct mst_err *err)
{
    struct run *r = s->r;
    struct mst_segment_id id = {.role = s->role};
    struct mst_man_object *o;
    char name[96], key[MST_KEY_MAX];

    mst_mutex_lock(&r->mtx);
    if (s->part == 0) {
        s->number = s->role == MST_SEG_DATA ? r->next_segment++ : 0;
    }
    mst_grow((void **)&r->objects, &r->cap_objects, r->n_objects + 1, sizeof(*r->objects));
    s->index = (uint32_t)r->n_objects++;
    o = &r->objects[s->index];
    memset(o, 0, sizeof(*o));
    if (s->role == MST_SEG_DATA) {
        (void)snprintf(name, sizeof(name), "d/%04u-%u", s->number, s->part);
    } else {
        (void)snprintf(name, sizeof(name), "oplog-%04u", s->part);
    }
    (void)mst_copy(o->key, sizeof(o->key), name);
    o->role = s->role;
    o->number = s->number;
    o->part = s->part;
    mst_mutex_unlock(&r->mtx);
    id.number = s->number;
    id.part = s->part;
    (void)mst_copy(id.backup, sizeof(id.backup), r->h.id);
    (void)mst_copy(id.attempt, sizeof(id.attempt), r->attempt);
    run_key(r, name, key);
    s->data_bytes = s->documents = 0;
    return mst_segw_open(r->o->catalog->store, key, &id, run_sealing(r), &s->w, err);
}

bool sink_full(const struct sink *s)
{
    return s->w &&
           mst_segw_stored(s->w) + MST_FRAME_BYTES + MST_DOC_MAX + 65536 > MST_SEGMENT_MAX_BYTES;
}

enum mst_rc sink_ready(struct sink *s, struct mst_err *err)
{
    if (sink_full(s)) {
        if (sink_close(s, err) != MST_OK) {
            return err->rc;
        }
        s->part++;
    }
    return s->w ? MST_OK : sink_open(s, err);
}

enum mst_rc sink_add(struct sink *s, const void *doc, uint32_t n, struct mst_err *err)
{
    s->data_bytes += n;
    s->documents++;
    return mst_segw_add(s->w, doc, n, err);
}

enum mst_rc sink_close(struct sink *s, struct mst_err *err)
{
    struct mst_segw *w = s->w;
    struct mst_man_object *o;
    uint8_t sha[MST_SHA256_LEN];
    uint64_t bytes;

    if (!w) {
        return MST_OK;
    }
    s->w = NULL;
    if (mst_segw_finish_take(w, &bytes, sha, err) != MST_OK) {
        return err->rc;
    }
    mst_mutex_lock(&s->r->mtx);
    o = &s->r->objects[s->index];
    o->bytes = bytes;
    memcpy(o->sha, sha, sizeof(o->sha));
    o->data_bytes = s->data_bytes;
    o->documents = s->documents;
    o->first = s->first;
    o->last = s->last;
    mst_mutex_unlock(&s->r->mtx);
    return MST_OK;
}

void sink_abort(struct sink *s)
{
    mst_segw_abort_take(s->w);
    s->w = NULL;
}
