/* bucket.h: what the files of the bucket screen share. */
#ifndef UI_BUCKET_H
#define UI_BUCKET_H

#include "ui/screen.h"

enum { UI_P_LIST, UI_P_DETAIL, UI_P_CONTENT, UI_P_STORE, UI_P_LEFT };

static inline int ui_bucket_scroll(const struct ui_ctx *x, int pane)
{
    return x->st->s[UI_SCR_BUCKET].top[pane];
}

/* scr_backup.c */
/* The same backup in a store; NULL: not there. */
const struct mst_backup *ui_store_backup(const struct mst_bucket_part *p,
                                         const struct mst_backup *b);
bool ui_backup_whole(const struct mst_backup *b); /* NULL: no */
bool ui_backup_held(const struct ui_ctx *x, const struct mst_backup *b);
/* Of all that backups take in its store, in percent. */
int ui_backup_share(const struct mst_bucket_part *from, const struct mst_backup *b);
/* Its detail, when that is the one that was read; NULL: another one's, or none. */
const struct mst_detail_part *ui_backup_detail(const struct ui_ctx *x, const struct mst_backup *b);
int ui_backup_draw(const struct ui_ctx *x, const struct ui_area *a, bool focus);
int ui_content_draw(const struct ui_ctx *x, const struct ui_area *a, bool focus);

/* scr_store.c */
int ui_store_draw(const struct ui_ctx *x, const struct ui_area *a, bool focus);

#endif
