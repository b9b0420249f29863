/* folder.h: any folder of objects as a store that is only read: a copy of a bucket's prefix, of one
 * set's part of it, or of one backup, on whatever disk and whosever it is. Nothing in it is trusted
 * for where it stands; whoever reads it checks what he reads. No link is followed.
 */
#ifndef MST_STORE_FOLDER_H
#define MST_STORE_FOLDER_H

#include "store/store.h"

/* MST_E_NOTFOUND, MST_E_IO. */
enum mst_rc mst_store_folder_open(const char *path, struct mst_store **out,
                                  struct mst_err *err) MST_MUST_CHECK;
/* Keys that begin with as ("rs0/backups/<id>/") are read below at ("copy/x/", or "" for the folder
 * itself); with a mapping, or several, nothing else is there. */
#define MST_FOLDER_MAPS 4
void mst_store_folder_map(struct mst_store *s, const char *as, const char *at);
void mst_store_folder_unmap(struct mst_store *s); /* all of them */

#endif
