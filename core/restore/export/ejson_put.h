/* ejson_put.h: BSON as MongoDB's canonical Extended JSON v2, as mongodump writes metadata.json: no
 * spaces, fields in their order, every number in a wrapper. Pure.
 */
#ifndef MST_RESTORE_EXPORT_EJSON_PUT_H
#define MST_RESTORE_EXPORT_EJSON_PUT_H

#include <bson/bson.h>

#include "base/str.h"

/* One document, or an array's document as [...]. False when b is damaged or nested too deep. */
bool mst_ejson_put(const bson_t *b, bool array, struct mst_str *out);
/* n bytes of text as a JSON string; what is not UTF-8 becomes U+FFFD. */
void mst_ejson_put_text(const char *text, size_t n, struct mst_str *out);

#endif
