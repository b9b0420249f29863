/* show_store.h: the store's backups as text and JSON; pure, from a view. */
#ifndef CMD_SHOW_STORE_H
#define CMD_SHOW_STORE_H

#include "base/str.h"
#include "engine/view.h"

/* One backup: an object, or a line of the table. */
void show_backup(const struct mst_backup *b, const struct mst_bucket_part *from,
                 int64_t now_wall_ms, bool json, struct mst_str *s);
/* "as of 2026-11-27T21:40:00Z, 3 h ago, from the local cache" */
void show_as_of(const struct mst_bucket_part *b, int64_t now_wall_ms, struct mst_str *s);
/* What status says of them; b NULL: no store is configured. end closes each sentence. */
void show_store(const struct mst_bucket_part *b, int64_t now_wall_ms, const char *end,
                struct mst_str *s);
void show_store_json(const struct mst_bucket_part *b, int64_t now_wall_ms, struct mst_str *s);

#endif
