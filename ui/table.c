#include "ui/table.h"

#include <string.h>

struct layout {
    int x[UI_COL_MAX], w[UI_COL_MAX]; /* w 0: left out */
};

static int total(const struct ui_table *t, int rank)
{
    int w = 0;

    for (size_t i = 0; i < t->n_cols; i++) {
        if (t->cols[i].rank <= rank) {
            w += t->cols[i].w + (w > 0 ? 1 : 0);
        }
    }
    return w;
}

static void lay_out(const struct ui_table *t, int width, struct layout *l)
{
    int rank = 9, x = 0, left;

    while (rank > 0 && total(t, rank) > width) {
        rank--;
    }
    left = width - total(t, rank);
    for (size_t i = 0; i < t->n_cols; i++) {
        l->x[i] = x;
        l->w[i] = t->cols[i].rank <= rank ? t->cols[i].w : 0;
        if (l->w[i] > 0 && i == t->grow && left > 0) {
            l->w[i] += left;
            if (t->grow_to > 0 && l->w[i] > t->grow_to) {
                l->w[i] = t->grow_to > t->cols[i].w ? t->grow_to : t->cols[i].w;
            }
        }
        x += l->w[i] > 0 ? l->w[i] + 1 : 0;
    }
}

size_t ui_table_top(size_t sel, size_t n, int rows)
{
    const size_t room = rows > 0 ? (size_t)rows : 1;

    if (sel >= n || n <= room || sel < room / 2) {
        return 0;
    }
    return sel - room / 2 + room > n ? n - room : sel - room / 2;
}

static void draw_row(const struct ui_table *t, const struct layout *l, const struct ui_area *a,
                     int y, size_t row)
{
    for (size_t c = 0; c < t->n_cols; c++) {
        char text[UI_CELL_MAX] = "";
        enum ui_role role = UI_TEXT;

        if (l->w[c] == 0) {
            continue;
        }
        t->cell(t->arg, row, c, text, &role);
        if (t->cols[c].right) {
            (void)ui_put_right(a, y, l->x[c], l->w[c], role, text);
        } else {
            (void)ui_put_cut(a, y, l->x[c], l->w[c], role, text);
        }
    }
    if (row == t->sel && t->focus) {
        ui_tint(a, y, 0, a->w, UI_SELECT);
        ui_cursor(a, y, 0);
    }
}

/* The arrow stands right behind the title, or in the gap after a column that it fills. */
static void draw_arrow(const struct ui_table *t, const struct layout *l, const struct ui_area *a)
{
    const size_t c = t->sort - 1;
    int x;

    if (t->sort == 0 || c >= t->n_cols || l->w[c] == 0) {
        return;
    }
    x = l->x[c] + (t->cols[c].right ? l->w[c] : ui_cols(t->cols[c].title));
    (void)ui_put(a, 0, x < a->w ? x : a->w - 1, UI_TITLE_FOCUS, t->down ? "v" : "^");
}

int ui_table_draw(const struct ui_table *t, const struct ui_area *a)
{
    const int head = t->head ? 1 : 0;
    const size_t top = ui_table_top(t->sel, t->n, a->h - head);
    struct layout l;

    lay_out(t, a->w, &l);
    for (size_t c = 0; t->head && c < t->n_cols; c++) {
        if (l.w[c] > 0 && t->cols[c].right) {
            (void)ui_put_right(a, 0, l.x[c], l.w[c], UI_HEAD, t->cols[c].title);
        } else if (l.w[c] > 0) {
            (void)ui_put_cut(a, 0, l.x[c], l.w[c], UI_HEAD, t->cols[c].title);
        }
    }
    if (t->head) {
        draw_arrow(t, &l, a);
    }
    for (int y = head; y < a->h && top + (size_t)(y - head) < t->n; y++) {
        draw_row(t, &l, a, y, top + (size_t)(y - head));
    }
    return head + (int)t->n;
}
