/* act.h: inside the writer only: one command of the shop. */
#ifndef SBX_WRITER_ACT_H
#define SBX_WRITER_ACT_H

#include "writer/shop.h"

/* Run one command on the primary (connecting first when there is no connection). *at dates it by
 * its reply. *unknown: it failed, and whether it happened is not known. write adds the write
 * concern. */
enum mst_rc sbx_shop_run(struct sbx_shop *s, const char *db, bson_t *cmd, bool write,
                         struct mst_optime *at, bool *unknown, struct mst_err *err) MST_MUST_CHECK;

#endif
