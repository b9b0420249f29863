#include "hash/crc32c.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"

#define POLY 0x82f63b78U /* reflected */

/* Eight bytes a step. The tables are filled once; several threads may do it at the same time and
 * write the same values, of which the flag lets the others see all. */
static _Atomic uint32_t table[8][256];
static atomic_bool ready;

static uint32_t get(unsigned t, uint32_t i)
{
    return atomic_load_explicit(&table[t][i & 255U], memory_order_relaxed);
}

static void fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (int k = 0; k < 8; k++) {
            c = c & 1U ? c >> 1 ^ POLY : c >> 1;
        }
        atomic_store_explicit(&table[0][i], c, memory_order_relaxed);
    }
    for (unsigned t = 1; t < 8; t++) {
        for (uint32_t i = 0; i < 256; i++) {
            const uint32_t before = get(t - 1, i);

            atomic_store_explicit(&table[t][i], before >> 8 ^ get(0, before), memory_order_relaxed);
        }
    }
    atomic_store_explicit(&ready, true, memory_order_release);
}

uint32_t mst_crc32c_tables(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *b = p;
    uint32_t c = ~crc;

    if (!atomic_load_explicit(&ready, memory_order_acquire)) {
        fill();
    }
    for (; n >= 8; n -= 8, b += 8) {
        const uint32_t low = mst_le32(b) ^ c, high = mst_le32(b + 4);

        c = get(7, low) ^ get(6, low >> 8) ^ get(5, low >> 16) ^ get(4, low >> 24) ^ get(3, high) ^
            get(2, high >> 8) ^ get(1, high >> 16) ^ get(0, high >> 24);
    }
    for (; n > 0; n--, b++) {
        c = c >> 8 ^ get(0, c ^ *b);
    }
    return ~c;
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const void *p,
                                                                 size_t n)
{
    const uint8_t *b = p;
    uint64_t c = ~crc;

    for (; n >= 8; n -= 8, b += 8) {
        c = __builtin_ia32_crc32di(c, mst_le64(b));
    }
    for (; n > 0; n--, b++) {
        c = __builtin_ia32_crc32qi((uint32_t)c, *b);
    }
    return ~(uint32_t)c;
}

uint32_t mst_crc32c(uint32_t crc, const void *p, size_t n)
{
    return __builtin_cpu_supports("sse4.2") ? by_instruction(crc, p, n)
                                            : mst_crc32c_tables(crc, p, n);
}
#else
uint32_t mst_crc32c(uint32_t crc, const void *p, size_t n)
{
    return mst_crc32c_tables(crc, p, n);
}
#endif
