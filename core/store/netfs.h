/* netfs.h: directories that are not on a disk of this host. Pure.
 */
#ifndef MST_STORE_NETFS_H
#define MST_STORE_NETFS_H

#include <stdint.h>

/* By the number that statfs() gives: what it is and what that means for a store, in one sentence;
 * "" for everything else. */
const char *mst_store_netfs(uint64_t magic);

#endif
