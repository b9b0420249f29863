/* act.h: inside the writer only: one command of the shop. */
#ifndef SBX_WRITER_ACT_H
#define SBX_WRITER_ACT_H

#include "writer/shop.h"

/* Run one command on the primary (connecting first when there is no connection). *at dates it by
 * its reply. *unknown: it failed, and whether it happened is not known. write adds the write
 * concern. */
enum mst_rc sbx_shop_run(struct sbx_shop *s, const char *db, bson_t *cmd, bool write,
                         struct mst_optime *at, bool *unknown, struct mst_err *err) MST_MUST_CHECK;

unsigned sbx_shop_pick(struct sbx_shop *s, unsigned n); /* 0 to n - 1 */
bson_t *sbx_shop_new_order(struct sbx_shop *s);
bson_t *sbx_shop_id_query(const bson_t *doc); /* {_id} of it */
int64_t sbx_shop_version(const bson_t *doc);
/* doc with one field set as the server's $set does it: in place, or at the end. */
bson_t *sbx_shop_with_field(const bson_t *doc, const char *key, const bson_value_t *v);
/* Choose an update of doc: fills update (empty before), returns what the server must make of it. */
bson_t *sbx_shop_changed(struct sbx_shop *s, const bson_t *doc, bson_t *update);

#endif
