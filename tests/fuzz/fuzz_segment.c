/* Objects of a bucket as a reader meets them: the container of frames, an extent of it, the
 * manifest in it. The first byte says whether the rest is a whole object, or the content of frames
 * in a proper one. */
#include "base/mem.h"
#include "catalog/manifest.h"
#include "comp/comp.h"
#include "store/impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct one { /* a store with this one object */
    struct mst_store base;
    const uint8_t *p;
    size_t n;
};

static enum mst_rc one_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                            struct mst_err *err)
{
    (void)key;
    (void)err;
    *bytes = ((struct one *)(void *)s)->n;
    return MST_OK;
}

static enum mst_rc one_read(struct mst_store *s, const char *key, uint64_t from, void *buf,
                            size_t n, size_t *got, struct mst_err *err)
{
    const struct one *o = (struct one *)(void *)s;

    (void)key;
    (void)err;
    *got = from < o->n ? o->n - (size_t)from : 0;
    *got = *got < n ? *got : n;
    if (*got) {
        memcpy(buf, o->p + from, *got);
    }
    return MST_OK;
}

static const struct mst_store_ops ops = {.stat = one_stat, .read = one_read};

static void documents(struct mst_segr *r)
{
    struct mst_err err = {0};
    const uint8_t *doc;
    uint32_t n;

    while (mst_segr_next(r, &doc, &n, &err) == MST_OK && doc) {
        (void)mst_bson_walk(doc, n);
        MST_ASSERT(n >= 5);
    }
    mst_segr_free(r);
}

static void read_it(const uint8_t *p, size_t n)
{
    struct one o = {.base = {.ops = &ops, .name = "one", .where = "memory"}, .p = p, .n = n};
    const struct mst_extent e = {.offset = n / 3, .stored_bytes = n - n / 3, .documents = 1};
    struct mst_err err = {0};
    struct mst_segr *r;
    struct mst_manr *m;
    struct mst_man_rec *rec = mst_xcalloc(1, sizeof(*rec));

    if (mst_segr_open(&o.base, "d/0001-0", NULL, NULL, &r, &err) == MST_OK) {
        documents(r);
    }
    if (mst_segr_open_extent(&o.base, "d/0001-0", NULL, &e, NULL, &r, &err) == MST_OK) {
        documents(r);
    }
    if (mst_manr_open(&(struct mst_man_where){.store = &o.base, .key = "manifest"}, &m, &err) ==
        MST_OK) {
        while (mst_manr_next(m, rec, &err) == MST_OK && rec->kind != MST_MAN_END) {
        }
        mst_manr_free(m);
    }
    free(rec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mst_segment_id id = {MST_SEG_MANIFEST, "2026-01-01T00-00-00Z-full",
                                      "0123456789abcdef", 1, 0};
    struct mst_buf object = {0};
    struct mst_err err = {0};

    if (size < 2) {
        return 0;
    }
    if (data[0] & 1U) { /* two frames, so that documents meet their border */
        struct mst_zenc *z = mst_zenc_new(1);
        const size_t cut = data[0] & 2U ? size / 2 : 1;

        mst_segment_head_put(&id, &object);
        MST_ASSERT(cut == 1 || mst_zenc_frame(z, data + 1, cut - 1, &object, &err) == MST_OK);
        MST_ASSERT(mst_zenc_frame(z, data + cut, size - cut, &object, &err) == MST_OK);
        mst_zenc_free(z);
    } else {
        mst_buf_add(&object, data + 1, size - 1);
    }
    read_it(object.p, object.len);
    mst_buf_release(&object);
    return 0;
}
