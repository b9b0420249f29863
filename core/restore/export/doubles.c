/* doubles.c: a table with open addressing; the lowest bit of a key says "met". */
#include "restore/export/doubles.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "hash/hash.h"

#define KEY 16U
#define MET 1U
#define USED 2U

struct mst_doubles {
    uint8_t (*table)[KEY];
    uint64_t cap, n; /* cap: a power of two, at least twice the keys */
    bool mapped;
    struct mst_sha256 sha;
    struct mst_buf scratch;
};

static enum mst_rc no_room(const char *dir, struct mst_err *err)
{
    char why[128];
    const int num = errno;

    return mst_err_set_detail(err, MST_E_IO, num,
                              "no room in %s for the list of documents that were inserted while "
                              "the backup ran: %s",
                              dir, mst_errno_text(num, why, sizeof why));
}

static enum mst_rc map_file(struct mst_doubles *d, const char *dir, struct mst_err *err)
{
    char *path = mst_xasprintf("%s/muster-ids-XXXXXX", dir);
    const int fd = mkostemp(path, O_CLOEXEC);
    const off_t bytes = (off_t)(d->cap * KEY);
    void *p = MAP_FAILED;
    enum mst_rc rc = MST_OK;

    if (fd >= 0) {
        (void)unlink(path);
        errno = posix_fallocate(fd, 0, bytes); /* a hole would kill us when the disk is full */
        if (!errno) {
            p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        }
    }
    if (p == MAP_FAILED) {
        rc = no_room(dir, err);
    } else {
        d->table = p;
        d->mapped = true;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(path);
    return rc;
}

enum mst_rc mst_doubles_new(uint64_t n, const char *dir, struct mst_doubles **out,
                            struct mst_err *err)
{
    struct mst_doubles *d = mst_xcalloc(1, sizeof *d);

    mst_sha256_init(&d->sha);
    for (d->cap = 64; d->cap < n * 2; d->cap *= 2) {
    }
    if (n <= MST_DOUBLES_HEAP) {
        d->table = mst_xcalloc(d->cap, KEY);
    } else if (map_file(d, dir ? dir : "/tmp", err) != MST_OK) {
        mst_doubles_free(d);
        return err->rc;
    }
    *out = d;
    return MST_OK;
}

void mst_doubles_free(struct mst_doubles *d)
{
    if (!d) {
        return;
    }
    if (d->mapped) {
        (void)munmap(d->table, d->cap * KEY);
    } else {
        free(d->table);
    }
    mst_sha256_release(&d->sha);
    mst_buf_release(&d->scratch);
    free(d);
}

/* Equal values have equal bytes. */
static void put_value(struct mst_buf *b, const bson_iter_t *it)
{
    const bson_type_t type = bson_iter_type(it);
    const double d = BSON_ITER_HOLDS_DOUBLE(it) ? bson_iter_double(it) : 0;
    uint8_t room[9] = {0};

    if (BSON_ITER_HOLDS_INT32(it) || BSON_ITER_HOLDS_INT64(it) ||
        (BSON_ITER_HOLDS_DOUBLE(it) && fabs(d) < 9e15 && trunc(d) == d)) {
        const int64_t v = BSON_ITER_HOLDS_DOUBLE(it) ? (int64_t)d : bson_iter_as_int64(it);

        room[0] = BSON_TYPE_INT64;
        mst_put_le64(room + 1, (uint64_t)v);
        mst_buf_add(b, room, sizeof room);
        return;
    }
    room[0] = (uint8_t)type;
    mst_buf_add(b, room, 1);
    mst_buf_add(b, it->raw + it->d1, it->next_off - it->d1);
}

static bool key_of(struct mst_doubles *d, uint64_t coll, const bson_t *doc, uint8_t key[KEY])
{
    uint8_t digest[MST_SHA256_LEN], n[8];
    bson_iter_t it;

    if (!bson_iter_init_find(&it, doc, "_id")) {
        return false;
    }
    mst_put_le64(n, coll);
    mst_buf_reset(&d->scratch);
    mst_buf_add(&d->scratch, n, sizeof n);
    put_value(&d->scratch, &it);
    mst_sha256_one(&d->sha, d->scratch.p, d->scratch.len, digest);
    memcpy(key, digest, KEY);
    key[KEY - 1] = (uint8_t)((key[KEY - 1] & ~MET) | USED);
    return true;
}

/* Where the key stands, or the empty place for it. */
static uint8_t *place(struct mst_doubles *d, const uint8_t key[KEY])
{
    uint64_t i = mst_le64(key) & (d->cap - 1);

    while (d->table[i][KEY - 1] & USED) {
        if (memcmp(d->table[i], key, KEY - 1) == 0 &&
            (d->table[i][KEY - 1] | MET) == (key[KEY - 1] | MET)) {
            break;
        }
        i = (i + 1) & (d->cap - 1);
    }
    return d->table[i];
}

bool mst_doubles_add(struct mst_doubles *d, uint64_t coll, const bson_t *doc)
{
    uint8_t key[KEY], *at;

    if (!key_of(d, coll, doc, key)) {
        return true;
    }
    at = place(d, key);
    if (!(at[KEY - 1] & USED)) {
        if (d->n + 1 == d->cap) {
            return false; /* one place stays empty: a search ends there */
        }
        d->n++;
        memcpy(at, key, KEY);
    }
    return true;
}

bool mst_doubles_again(struct mst_doubles *d, uint64_t coll, const bson_t *doc)
{
    uint8_t key[KEY], *at;
    bool met;

    if (!d->n || !key_of(d, coll, doc, key)) {
        return false;
    }
    at = place(d, key);
    met = at[KEY - 1] & MET;
    if (at[KEY - 1] & USED) {
        at[KEY - 1] |= MET;
    }
    return met;
}
