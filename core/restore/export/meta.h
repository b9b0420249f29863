/* meta.h: what mongodump calls the files of a collection, and what its metadata.json says. Pure. */
#ifndef MST_RESTORE_EXPORT_META_H
#define MST_RESTORE_EXPORT_META_H

#include "base/str.h"
#include "restore/export/content.h"

#define MST_DUMP_FILE_MAX 256

/* The collection's name, escaped as in a query ("a b/c" is "a+b%2Fc"), and the suffix; a name that
 * would be too long is cut and ends in %24 and its SHA-1, as mongodump has it. Whatever coll holds,
 * the result is one file name: it has no '/', is not "." or ".." and has at most 255 bytes. */
void mst_dump_file_name(const char *coll, const char *suffix, char out[MST_DUMP_FILE_MAX]);
/* A database's name as the name of a directory: as it is. MST_E_INTEGRITY when it cannot be one. */
enum mst_rc mst_dump_dir_ok(const char *db, struct mst_err *err) MST_MUST_CHECK;
/* {"options":...,"indexes":[...],"uuid":"...","collectionName":"...","type":"..."}. MST_E_PRECOND
 * when it would not be read back as the same (a field's name looks like a type's), MST_E_LIMIT. */
enum mst_rc mst_dump_metadata_put(const struct mst_content_ns *ns, struct mst_str *out,
                                  struct mst_err *err) MST_MUST_CHECK;

#endif
