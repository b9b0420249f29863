/* crc32c.h: the Castagnoli CRC (polynomial 0x1EDC6F41, reflected, as in RFC 3720), streamed: begin
 * with 0 and hand the last value in. By the processor's instruction where it has one. Finds
 * accidents, not attackers. */
#ifndef MST_HASH_CRC32C_H
#define MST_HASH_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t mst_crc32c(uint32_t crc, const void *p, size_t n);
/* By tables alone, whatever the processor can: what the other is tested against. */
uint32_t mst_crc32c_tables(uint32_t crc, const void *p, size_t n);

#endif
