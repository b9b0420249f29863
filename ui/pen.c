/* pen.c: frames and lines of panes. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/fmt.h"
#include "ui/screen.h"

enum { PAIR_COLS = 11 };

bool ui_is_strip(const struct ui_canvas *cv)
{
    return cv && (cv->rows < 24 || cv->cols < 80);
}

struct ui_area ui_pane_box(const struct ui_area *a, bool focus, const char *title, const char *note,
                           enum ui_role role)
{
    if (!ui_is_strip(a->cv)) {
        return ui_frame_box(a, focus, title, note, role);
    }
    if (a->h < 2) {
        return *a;
    }
    (void)ui_put_cut(a, 0, 0, a->w, UI_TITLE_FOCUS, title);
    if (note && ui_cols(note) + ui_cols(title) + 2 < a->w) {
        (void)ui_put_right(a, 0, a->w - ui_cols(note), ui_cols(note), role, note);
    }
    return ui_area_sub(a, 1, 0, a->h - 1, a->w);
}

struct ui_pen ui_pen_start(const struct ui_area *a, int scroll)
{
    return (struct ui_pen){*a, 0, scroll};
}

size_t ui_pen_window(struct ui_pen *p, size_t n, size_t *first)
{
    const int from = p->top > p->y ? p->top - p->y : 0;
    const int room = p->a.h - (p->y + from - p->top);
    size_t count;

    *first = (size_t)from < n ? (size_t)from : n;
    count = room > 0 && *first < n ? n - *first : 0;
    count = count > (size_t)(room > 0 ? room : 0) ? (size_t)room : count;
    p->y += (int)*first;
    return count;
}

int ui_pen_next(struct ui_pen *p)
{
    return p->y++ - p->top;
}

void ui_pen_line(struct ui_pen *p, enum ui_role role, const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    (void)ui_put_cut(&p->a, ui_pen_next(p), 0, p->a.w, role, line);
}

void ui_pen_pair(struct ui_pen *p, const char *label, enum ui_role role, const char *fmt, ...)
{
    const int y = ui_pen_next(p);
    char line[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    (void)ui_put_cut(&p->a, y, 0, PAIR_COLS - 1, UI_HEAD, label);
    (void)ui_put_cut(&p->a, y, PAIR_COLS, p->a.w - PAIR_COLS, role, line);
}

void ui_pen_wrap(struct ui_pen *p, int indent, enum ui_role role, const char *text)
{
    char line[1024];
    const int w = p->a.w - indent;

    while (*text) {
        size_t skip;
        const size_t n = ui_fmt_wrap(text, w, &skip);

        (void)mst_copy(line, sizeof line, text);
        line[n < sizeof line ? n : sizeof line - 1] = '\0';
        (void)ui_put(&p->a, ui_pen_next(p), indent, role, line);
        text += skip;
    }
}
