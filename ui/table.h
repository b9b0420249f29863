/* table.h: lists with columns. A column that does not fit is left out, the least important first.
 */
#ifndef UI_TABLE_H
#define UI_TABLE_H

#include "ui/canvas.h"

struct ui_col {
    const char *title;
    int w;
    bool right;
    int rank; /* 0 always; higher goes first when it is narrow */
};
#define UI_COL_MAX 16
#define UI_CELL_MAX 256

/* The text of a cell and, when it has one of its own, its role. */
typedef void ui_cell_fn(const void *arg, size_t row, size_t col, char *out, enum ui_role *role);

struct ui_table {
    const struct ui_col *cols;
    size_t n_cols;
    size_t grow;   /* the column that takes what is left */
    int grow_to;   /* its most; the rest stays blank at the end. 0: all of it */
    size_t n, sel; /* rows; sel >= n: none */
    bool focus;
    bool head;
    size_t sort; /* 1 + the column whose head carries the arrow; 0 none */
    bool down;
    ui_cell_fn *cell;
    const void *arg;
};

/* Draws into the whole area; returns the rows needed with the head. */
int ui_table_draw(const struct ui_table *t, const struct ui_area *a);
/* First row shown so that sel is visible. */
size_t ui_table_top(size_t sel, size_t n, int rows);

#endif
