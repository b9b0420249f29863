/* The mongodump archive reader takes any bytes. */
#include <stdint.h>
#include <string.h>

#include "restore/import/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct mem {
    const uint8_t *p;
    size_t n, at;
};

static enum mst_rc read_mem(void *arg, void *buf, size_t n, size_t *got, struct mst_err *err)
{
    struct mem *m = arg;

    (void)err;
    *got = n < m->n - m->at ? n : m->n - m->at;
    if (*got) {
        memcpy(buf, m->p + m->at, *got);
    }
    m->at += *got;
    return MST_OK;
}

static enum mst_rc on_begin(void *arg, const bson_t *h, struct mst_err *err)
{
    (void)arg;
    (void)h;
    (void)err;
    return MST_OK;
}

static enum mst_rc on_ns(void *arg, size_t n, const struct mst_archive_ns *ns, const char *metadata,
                         struct mst_err *err)
{
    size_t *sum = arg;

    (void)err;
    *sum += n + strlen(ns->coll) + strlen(metadata);
    return MST_OK;
}

static enum mst_rc on_doc(void *arg, size_t n, const uint8_t *doc, uint32_t len, uint64_t offset,
                          struct mst_err *err)
{
    size_t *sum = arg;

    (void)err;
    *sum += n + doc[len - 1] + (size_t)offset;
    return MST_OK;
}

static enum mst_rc on_end(void *arg, size_t n, struct mst_err *err)
{
    size_t *sum = arg;

    (void)err;
    *sum += n;
    return MST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t sum = 0;
    const struct mst_archive_sink sink = {&sum, on_begin, on_ns, on_doc, on_end};
    struct mem m = {data, size, 0};
    struct mst_err err = {0};

    if (mst_archive_read(read_mem, &m, &sink, &err) != MST_OK && !err.msg[0]) {
        __builtin_trap(); /* a refusal says why */
    }
    return 0;
}
