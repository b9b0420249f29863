/* doubles.h: documents that a scan read twice, so that an export has each _id once.
 *
 * A document can be met again only when its _id was inserted (again) while the scan ran, and then
 * the oplog has the insert. The _ids of those are kept, 16 bytes of a hash each, in memory when
 * they are few and else in a file without a name: what is in use stays bounded. Numbers are equal
 * by value, as in an index. One thread. Inside the module only.
 */
#ifndef MST_RESTORE_EXPORT_DOUBLES_H
#define MST_RESTORE_EXPORT_DOUBLES_H

#include <bson/bson.h>

#include "base/err.h"

#define MST_DOUBLES_HEAP (UINT64_C(1) << 20) /* inserts; for more a file is used */

struct mst_doubles;
/* For at most n inserts. MST_E_IO: no room for the file in dir (NULL: /tmp). */
enum mst_rc mst_doubles_new(uint64_t n, const char *dir, struct mst_doubles **out,
                            struct mst_err *err) MST_MUST_CHECK;
void mst_doubles_free(struct mst_doubles *d);
/* doc's _id was inserted into collection coll (any number that names it). False: those are more
 * than there is room for. */
bool mst_doubles_add(struct mst_doubles *d, uint64_t coll, const bson_t *doc) MST_MUST_CHECK;
/* Has a document with this _id been asked about before, and was it inserted while the scan ran? */
bool mst_doubles_again(struct mst_doubles *d, uint64_t coll, const bson_t *doc);

#endif
