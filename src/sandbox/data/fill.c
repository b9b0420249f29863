/* Computed documents: bytes that depend on a seed and a number only, cheap to make. Sizes run
 * through a cycle, so that counts and sums follow from arithmetic. */
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/inner.h"

#define POOL (64 * 1024)
#define CYCLE 16
#define SIZE_MIN 640
#define SIZE_STEP 48 /* 640, 688 ... 1360: a mean of 1000 */

/* Letters and words, about as compressible as a shop's documents. Made once. */
static uint8_t pool[POOL + 2048];
static once_flag pool_once = ONCE_FLAG_INIT;

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void make_pool(void)
{
    static const char *const words[] = {"order",  "paid",   "shipped", "street", "window",
                                        "basket", "return", "invoice", "card",   "parcel",
                                        "north",  "garden", "express", "copper", "winter"};
    uint64_t x = 1;
    size_t n = 0;

    while (n < sizeof pool) {
        const char *w;
        size_t len;

        x = mix(x);
        w = words[x % MST_COUNT(words)];
        len = strlen(w);
        if (x & 0x10000) {
            for (size_t i = 0; i < 8 && n < sizeof pool; i++) {
                pool[n++] = (uint8_t)("0123456789abcdef"[(x >> (20 + 4 * i)) & 15]);
            }
        } else {
            len = len < sizeof pool - n ? len : sizeof pool - n;
            memcpy(pool + n, w, len);
            n += len;
        }
        if (n < sizeof pool) {
            pool[n++] = ' ';
        }
    }
}

uint32_t sbx_fill_size(int64_t n)
{
    return (uint32_t)(SIZE_MIN + SIZE_STEP * (n % CYCLE));
}

int64_t sbx_fill_bytes(int64_t count)
{
    const int64_t per_cycle = CYCLE * SIZE_MIN + SIZE_STEP * (CYCLE * (CYCLE - 1) / 2);
    const int64_t rest = count % CYCLE;

    return count / CYCLE * per_cycle + rest * SIZE_MIN + SIZE_STEP * (rest * (rest - 1) / 2);
}

int64_t sbx_fill_count(int64_t bytes)
{
    const int64_t per_cycle = sbx_fill_bytes(CYCLE);
    int64_t n = bytes / per_cycle * CYCLE;

    while (sbx_fill_bytes(n) < bytes) {
        n++;
    }
    return n;
}

static uint8_t *field(uint8_t *p, uint8_t type, const char *key)
{
    const size_t n = strlen(key) + 1;

    *p++ = type;
    memcpy(p, key, n);
    return p + n;
}

/* {_id: long, customer: int, total: double, at: date, paid: bool, text: string} */
void sbx_fill_doc(uint64_t seed, int64_t n, struct mst_buf *out)
{
    const uint32_t size = sbx_fill_size(n);
    uint8_t *const start = mst_buf_room(out, size);
    const uint64_t x = mix(seed ^ mix((uint64_t)n));
    const double total = (double)(x % 1000000) / 100;
    uint64_t bits;
    uint8_t *p = start + 4;
    uint32_t text;

    call_once(&pool_once, make_pool);
    mst_put_le32(start, size);
    p = field(p, SBX_INT64, "_id");
    mst_put_le64(p, (uint64_t)n);
    p = field(p + 8, SBX_INT32, "customer");
    mst_put_le32(p, (uint32_t)(x >> 40) % 100000);
    p = field(p + 4, SBX_DOUBLE, "total");
    memcpy(&bits, &total, sizeof bits);
    mst_put_le64(p, bits);
    p = field(p + 8, SBX_DATE, "at");
    mst_put_le64(p, 1700000000000u + (uint64_t)n * 1000);
    p = field(p + 8, SBX_BOOL, "paid");
    *p = (uint8_t)(x & 1);
    p = field(p + 1, SBX_STRING, "text");
    text = size - (uint32_t)(p - start) - 4 - 1; /* with its NUL; the document's own NUL is last */
    mst_put_le32(p, text);
    memcpy(p + 4, pool + (x >> 8) % POOL, text - 1);
    p[4 + text - 1] = 0;
    p[4 + text] = 0;
    out->len += size;
}

void sbx_coll_set_fill(struct sbx_coll *c, uint64_t seed, int64_t count)
{
    MST_ASSERT(c->records.count == 0);
    c->fill.seed = seed;
    c->fill.count = c->fill_live = c->count = count;
    c->bytes = sbx_fill_bytes(count);
    c->next_rid = count + 1;
}

int64_t sbx_fill_run(const struct sbx_coll *c, int64_t rid)
{
    struct sbx_tree_at at;
    const struct sbx_rec *r;

    if (rid < 1 || rid > c->fill.count) {
        return 0;
    }
    r = sbx_tree_ge(&c->records, &rid, sbx_rid_cmp, &at);
    return (r && r->rid <= c->fill.count ? r->rid : c->fill.count + 1) - rid;
}
