/* crc64.c: eight tables, made at first use from the polynomial. */
#include "restore/import/crc64.h"

#include <stdatomic.h>

#include "base/buf.h"

static uint64_t table[8][256];
static atomic_int ready;

/* Threads that come together write the same values. */
static void prepare(void)
{
    unsigned i, k;

    for (i = 0; i < 256; i++) {
        uint64_t c = i;

        for (k = 0; k < 8; k++) {
            c = c & 1 ? (c >> 1) ^ UINT64_C(0xC96C5795D7870F42) : c >> 1;
        }
        table[0][i] = c;
    }
    for (i = 0; i < 256; i++) {
        for (k = 1; k < 8; k++) {
            table[k][i] = table[0][table[k - 1][i] & 0xff] ^ (table[k - 1][i] >> 8);
        }
    }
    atomic_store(&ready, 1);
}

uint64_t mst_crc64(uint64_t crc, const void *p, size_t n)
{
    const uint8_t *b = p;

    if (!atomic_load(&ready)) {
        prepare();
    }
    crc = ~crc;
    for (; n >= 8; n -= 8, b += 8) {
        crc ^= mst_le64(b);
        crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^ table[5][crc >> 16 & 0xff] ^
              table[4][crc >> 24 & 0xff] ^ table[3][crc >> 32 & 0xff] ^ table[2][crc >> 40 & 0xff] ^
              table[1][crc >> 48 & 0xff] ^ table[0][crc >> 56];
    }
    while (n--) {
        crc = table[0][(crc ^ *b++) & 0xff] ^ (crc >> 8);
    }
    return ~crc;
}
