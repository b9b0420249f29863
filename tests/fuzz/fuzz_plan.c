/* A plan of a switch from a file: any bytes, as they are and with their right hashes. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "failover/plan.h"
#include "hash/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_it(const char *text, size_t n)
{
    static struct mst_fo_plan p;
    struct mst_str again = {0};
    struct mst_err err = {0};
    int64_t made;

    if (mst_fo_plan_parse(text, n, &p, &made, &err) != MST_OK) {
        MST_ASSERT(err.msg[0]);
        return;
    }
    /* What is accepted is a plan whose bounds hold, and makes the same file again. */
    MST_ASSERT(p.n <= MST_TOPO_MAX && p.n_steps <= MST_FO_STEPS && (size_t)p.primary < p.n);
    MST_ASSERT(p.freeze_s <= MST_FO_HOLD_MAX_S && p.step_down_s <= MST_FO_HOLD_MAX_S);
    mst_fo_plan_json(&p, made, &again);
    MST_ASSERT(again.len >= n && memcmp(again.p, text, n) == 0);
    mst_str_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char before[] = ",\"check\":\"", plan[] = "\"plan\":";
    struct mst_str s = {0};
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];
    char *copy = mst_xmemdup(size ? data : (const uint8_t *)"", size ? size : 1);
    const char *end, *at;
    size_t n = size;

    try_it(copy, size);
    /* The same without its end, and with the hashes that it should have had. */
    end = memmem(copy, size, before, sizeof(before) - 1);
    if (end) {
        n = (size_t)(end - copy);
    }
    mst_str_addn(&s, copy, n);
    at = s.len ? memmem(s.p, s.len, plan, sizeof(plan) - 1) : NULL;
    if (at) {
        at += sizeof(plan) - 1;
        mst_sha256_of(at, s.len - (size_t)(at - s.p), sha);
        (void)mst_hex(sha, sizeof(sha), hex);
        mst_sha256_of(s.p, s.len, sha);
        {
            char check[MST_SHA256_HEX];

            mst_str_addf(&s, ",\"check\":\"%s\",\"hash\":\"%s\"}\n",
                         mst_hex(sha, sizeof(sha), check), hex);
        }
        try_it(s.p, s.len);
    }
    mst_str_release(&s);
    free(copy);
    return 0;
}
