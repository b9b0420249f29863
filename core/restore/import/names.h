/* names.h: file names of a mongodump directory and its metadata.json. Pure. */
#ifndef MST_RESTORE_IMPORT_NAMES_H
#define MST_RESTORE_IMPORT_NAMES_H

#include "restore/source.h"

/* "caf%C3%A9%2Fslash.metadata.json.gz" is the collection, what the file holds, and whether it is
 * compressed. False when it is none of mongodump's. */
enum mst_dump_file { MST_DUMP_BSON, MST_DUMP_METADATA };
bool mst_dump_name(const char *file, char coll[MST_COLL_MAX], enum mst_dump_file *what, bool *gz);

/* options, indexes, uuid, collectionName and type of one collection into c; text "" is an old dump
 * without metadata. Extended JSON, canonical or relaxed. MST_E_INTEGRITY. */
enum mst_rc mst_dump_metadata(const char *text, size_t n, struct mst_src_coll *c,
                              struct mst_err *err) MST_MUST_CHECK;

#endif
