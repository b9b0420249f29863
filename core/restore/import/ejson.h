/* ejson.h: MongoDB's Extended JSON v2 into BSON, for metadata.json.
 *
 * A wrapper counts only when the object has exactly the wrapper's keys with values of the right
 * form ({"$numberInt": "2"}), so that {"n": {"$type": "int"}} in a validator stays what it is.
 * Relaxed numbers become int32, int64 or double by their form. Pure; takes any bytes.
 */
#ifndef MST_RESTORE_IMPORT_EJSON_H
#define MST_RESTORE_IMPORT_EJSON_H

#include <bson/bson.h>

#include "base/err.h"

#define MST_EJSON_DEPTH 200

/* text must hold one object and nothing after it but white space. The caller destroys *out. */
enum mst_rc mst_ejson_parse(const char *text, size_t n, bson_t **out,
                            struct mst_err *err) MST_MUST_CHECK;

#endif
