/* check.h: is this a well-formed BSON document? For bytes from outside, before anything walks them.
 *
 * Lengths, terminators and known types are checked, at every depth down to SBX_BSON_DEPTH_MAX.
 * Strings may hold any bytes and any key may be empty: a server stores those too.
 */
#ifndef SBX_WIRE_CHECK_H
#define SBX_WIRE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SBX_BSON_DEPTH_MAX 250

bool sbx_bson_check(const uint8_t *p, size_t n);

#endif
