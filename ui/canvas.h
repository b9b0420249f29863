/* canvas.h: the picture of a screen in memory: cells of text with a role, never a colour.
 *
 * Everything draws through an area, a rectangle of a canvas in whose coordinates it thinks; what
 * falls outside is cut. Any coordinates, any size, any text are allowed: drawing is total. Text is
 * made safe again on its way in (controls, overrides, bytes that are not UTF-8 become '?'), so that
 * nothing on a screen can be forged even by a field that somebody forgot to sanitise.
 */
#ifndef UI_CANVAS_H
#define UI_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* What a cell means. Themes map these to colours and attributes. */
/* clang-format off */
#define UI_ROLE_LIST(X) \
    X(UI_TEXT,        "text") \
    X(UI_DIM,         "dim")          /* frames, heads, hints */ \
    X(UI_STALE,       "stale")        /* older than three refreshes */ \
    X(UI_OFF,         "off")          /* cannot be used now */ \
    X(UI_TITLE,       "title") \
    X(UI_TITLE_FOCUS, "title-focus") \
    X(UI_BORDER,      "border") \
    X(UI_BORDER_FOCUS,"border-focus") \
    X(UI_HEAD,        "head") \
    X(UI_OK,          "ok") \
    X(UI_RUN,         "run") \
    X(UI_WARN,        "warn") \
    X(UI_CRIT,        "crit") \
    X(UI_PRIMARY,     "primary") \
    X(UI_SELECT,      "select") \
    X(UI_KEY,         "key") \
    X(UI_HINT,        "hint") \
    X(UI_TAB,         "tab") \
    X(UI_TAB_ON,      "tab-on") \
    X(UI_BAR,         "bar")          /* the first line */ \
    X(UI_CLASS_PROD,  "class-prod") \
    X(UI_CLASS_TEST,  "class-test") \
    X(UI_CLASS_SANDBOX,"class-sandbox") \
    X(UI_CLASS_NONE,  "class-none") \
    X(UI_FIELD,       "field") \
    X(UI_FIELD_FOCUS, "field-focus") \
    X(UI_BUTTON,      "button") \
    X(UI_BUTTON_FOCUS,"button-focus") \
    X(UI_GAUGE,       "gauge") \
    X(UI_COMMAND,     "command")      /* an equivalent command line */
/* clang-format on */
enum ui_role {
#define X(id, name) id,
    UI_ROLE_LIST(X)
#undef X
        UI_ROLE_COUNT
};
const char *ui_role_name(enum ui_role r);

struct ui_cell {
    char ch[8];    /* UTF-8: a character and its combining mark; " " when empty */
    uint8_t role;  /* enum ui_role */
    uint8_t width; /* 1, 2, or 0: the right half of a wide character */
};

struct ui_canvas {
    int rows, cols;
    bool ascii;       /* only ASCII leaves */
    int cur_y, cur_x; /* hardware cursor; -1 hidden */
    struct ui_cell *cells;
};

#define UI_ROWS_MAX 500
#define UI_COLS_MAX 1000

void ui_canvas_init(struct ui_canvas *cv, int rows, int cols, bool ascii);
void ui_canvas_release(struct ui_canvas *cv);
void ui_canvas_size(struct ui_canvas *cv, int rows, int cols); /* empties it */
void ui_canvas_wipe(struct ui_canvas *cv);
/* The rows as text, blanks at the ends cut, each ended by a newline. */
void ui_canvas_text(const struct ui_canvas *cv, struct mst_str *out);
/* The same size: one letter a cell for its role (A is UI_TEXT ...), for golden screens. */
void ui_canvas_roles(const struct ui_canvas *cv, struct mst_str *out);

struct ui_area {
    struct ui_canvas *cv; /* NULL: nothing is drawn, sizes are still honoured */
    int y, x, h, w;
};

struct ui_area ui_area_all(struct ui_canvas *cv);
/* Part of an area, cut to it. Negative sizes become empty. */
struct ui_area ui_area_sub(const struct ui_area *a, int y, int x, int h, int w);
void ui_fill(const struct ui_area *a, enum ui_role role);
/* Text from column x on, at most to the area's right edge; returns the columns it took. */
int ui_put(const struct ui_area *a, int y, int x, enum ui_role role, const char *text);
/* At most w columns; a text that does not fit ends in '~'. Padded with blanks when pad. */
int ui_put_cut(const struct ui_area *a, int y, int x, int w, enum ui_role role, const char *text);
int ui_put_right(const struct ui_area *a, int y, int x, int w, enum ui_role role, const char *text);
int ui_putf(const struct ui_area *a, int y, int x, enum ui_role role, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Repaint the roles of a row part without touching its text. */
void ui_tint(const struct ui_area *a, int y, int x, int w, enum ui_role role);
void ui_cursor(const struct ui_area *a, int y, int x);

/* A frame with a title at the left and a note at the right of its upper edge; returns the inside.
 */
struct ui_area ui_frame_box(const struct ui_area *a, bool focus, const char *title,
                            const char *note, enum ui_role note_role);
/* "[####....]" with w columns altogether. permille is cut to 0..1000. */
void ui_gauge(const struct ui_area *a, int y, int x, int w, int permille);
int ui_cols(const char *text); /* columns of a text as it would be drawn */

#endif
