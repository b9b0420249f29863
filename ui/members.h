/* members.h: the table of members, as the overview and the topology show it. */
#ifndef UI_MEMBERS_H
#define UI_MEMBERS_H

#include "ui/screen.h"

/* Draws at most max rows with the head, the most urgent members when not all fit; full: all
 * columns, the selection, the filter and the tree of the topology screen. Returns the rows used. */
int ui_members_draw(const struct ui_ctx *x, const struct ui_area *a, int max, bool full);
/* Indexes in the order shown, after the filter. */
void ui_members_rows(const struct ui_ctx *x, bool full, struct ui_rows *out);
extern const struct ui_sort ui_member_sorts[];
size_t ui_members_selected(const struct ui_ctx *x);

#endif
