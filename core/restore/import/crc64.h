/* crc64.h: CRC-64/XZ (reflected 0xC96C5795D7870F42, all ones in and out), as mongodump archives
 * carry it. Start with 0. */
#ifndef MST_RESTORE_IMPORT_CRC64_H
#define MST_RESTORE_IMPORT_CRC64_H

#include <stddef.h>
#include <stdint.h>

uint64_t mst_crc64(uint64_t crc, const void *p, size_t n);

#endif
