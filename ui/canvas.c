#include "ui/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

enum { LINE_MAX_BYTES = 2048 };

const char *ui_role_name(enum ui_role r)
{
    static const char *const names[] = {
#define X(id, name) name,
        UI_ROLE_LIST(X)
#undef X
    };

    return r < UI_ROLE_COUNT ? names[r] : "?";
}

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

void ui_canvas_init(struct ui_canvas *cv, int rows, int cols, bool ascii)
{
    *cv = (struct ui_canvas){.ascii = ascii};
    ui_canvas_size(cv, rows, cols);
}

void ui_canvas_release(struct ui_canvas *cv)
{
    free(cv->cells);
    *cv = (struct ui_canvas){0};
}

void ui_canvas_size(struct ui_canvas *cv, int rows, int cols)
{
    rows = clamp(rows, 1, UI_ROWS_MAX);
    cols = clamp(cols, 1, UI_COLS_MAX);
    if (rows != cv->rows || cols != cv->cols || !cv->cells) {
        free(cv->cells);
        cv->cells = mst_xcalloc((size_t)rows * (size_t)cols, sizeof *cv->cells);
        cv->rows = rows;
        cv->cols = cols;
    }
    ui_canvas_wipe(cv);
}

void ui_canvas_wipe(struct ui_canvas *cv)
{
    static const struct ui_cell blank = {" ", UI_TEXT, 1};

    for (size_t i = 0; i < (size_t)cv->rows * (size_t)cv->cols; i++) {
        cv->cells[i] = blank;
    }
    cv->cur_y = cv->cur_x = -1;
}

static struct ui_cell *cell_at(const struct ui_canvas *cv, int y, int x)
{
    return &cv->cells[(size_t)y * (size_t)cv->cols + (size_t)x];
}

void ui_canvas_text(const struct ui_canvas *cv, struct mst_str *out)
{
    for (int y = 0; y < cv->rows; y++) {
        int last = cv->cols;

        while (last > 0 && strcmp(cell_at(cv, y, last - 1)->ch, " ") == 0) {
            last--;
        }
        for (int x = 0; x < last; x++) {
            if (cell_at(cv, y, x)->width > 0) {
                mst_str_add(out, cell_at(cv, y, x)->ch);
            }
        }
        mst_str_addc(out, '\n');
    }
}

void ui_canvas_roles(const struct ui_canvas *cv, struct mst_str *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (int y = 0; y < cv->rows; y++) {
        for (int x = 0; x < cv->cols; x++) {
            mst_str_addc(out, letters[cell_at(cv, y, x)->role % (sizeof letters - 1)]);
        }
        mst_str_addc(out, '\n');
    }
}

struct ui_area ui_area_all(struct ui_canvas *cv)
{
    return (struct ui_area){cv, 0, 0, cv->rows, cv->cols};
}

struct ui_area ui_area_sub(const struct ui_area *a, int y, int x, int h, int w)
{
    const int y0 = clamp(y, 0, a->h), x0 = clamp(x, 0, a->w);
    const int y1 = clamp(y + (h < 0 ? 0 : h), y0, a->h);
    const int x1 = clamp(x + (w < 0 ? 0 : w), x0, a->w);

    return (struct ui_area){a->cv, a->y + y0, a->x + x0, y1 - y0, x1 - x0};
}

/* The halves of a wide character that a write cuts through become blanks. */
static void unpair(struct ui_canvas *cv, int y, int x)
{
    struct ui_cell *c = cell_at(cv, y, x);

    if (c->width == 2 && x + 1 < cv->cols) {
        *cell_at(cv, y, x + 1) = (struct ui_cell){" ", c->role, 1};
    } else if (c->width == 0 && x > 0) {
        *cell_at(cv, y, x - 1) = (struct ui_cell){" ", c->role, 1};
    }
}

static void set_cell(struct ui_canvas *cv, int y, int x, enum ui_role role, const char *ch,
                     size_t n, int width)
{
    struct ui_cell *c = cell_at(cv, y, x);

    unpair(cv, y, x);
    memcpy(c->ch, ch, n);
    c->ch[n] = '\0';
    c->role = (uint8_t)role;
    c->width = (uint8_t)width;
    if (width == 2) {
        unpair(cv, y, x + 1);
        *cell_at(cv, y, x + 1) = (struct ui_cell){"", (uint8_t)role, 0};
    }
}

/* Private use and pictographs have no width that terminals agree on. */
static bool odd(uint32_t cp)
{
    return (cp >= 0xe000 && cp <= 0xf8ff) || (cp >= 0x1f000 && cp <= 0x1ffff) || cp >= 0xe0000;
}

/* One character of text, made safe: its bytes in ch (at most 4), its columns; returns the bytes
 * read. */
static size_t next_char(const char *s, size_t left, bool ascii, char *ch, size_t *n, int *cols)
{
    uint32_t cp = 0;
    const size_t k = mst_text_decode(s, left, &cp);
    char safe[8];

    ch[0] = '?';
    *n = 1;
    *cols = 1;
    if (k == 0) {
        return 1;
    }
    if (k == 1) {
        ch[0] = (char)(cp < 0x20 || cp == 0x7f ? '?' : (char)cp);
        return 1;
    }
    mst_text_clean(safe, sizeof safe, s, k);
    if (memcmp(safe, s, k) != 0 || odd(cp)) {
        return k;
    }
    *cols = mst_text_cp_cols(cp);
    if (ascii) {
        *cols = *cols == 0 ? 0 : 1;
        *n = *cols ? 1 : 0;
        return k;
    }
    memcpy(ch, s, k);
    *n = k;
    return k;
}

static void add_mark(struct ui_canvas *cv, int y, int x, const char *ch, size_t n)
{
    struct ui_cell *c = cell_at(cv, y, x > 0 && cell_at(cv, y, x)->width == 0 ? x - 1 : x);
    const size_t len = strlen(c->ch);

    if (len + n < sizeof c->ch) {
        memcpy(c->ch + len, ch, n);
        c->ch[len + n] = '\0';
    }
}

static int put_n(const struct ui_area *a, int y, int x, int w, enum ui_role role, const char *text)
{
    const size_t len = strlen(text);
    const int right = x + w < a->w ? x + w : a->w;
    int at = x;

    for (size_t i = 0; i < len;) {
        char ch[8];
        size_t n;
        int cols;

        i += next_char(text + i, len - i, a->cv && a->cv->ascii, ch, &n, &cols);
        if (at + cols > right) {
            break;
        }
        if (a->cv && y >= 0 && y < a->h && at >= 0) {
            if (cols == 0 && at > x && n > 0) {
                add_mark(a->cv, a->y + y, a->x + at - 1, ch, n);
            } else if (cols > 0) {
                set_cell(a->cv, a->y + y, a->x + at, role, ch, n, cols);
            }
        }
        at += cols;
    }
    return at - x;
}

int ui_cols(const char *text)
{
    const struct ui_area none = {NULL, 0, 0, 0, 1 << 20};

    return put_n(&none, 0, 0, 1 << 20, UI_TEXT, text);
}

void ui_fill(const struct ui_area *a, enum ui_role role)
{
    for (int y = 0; a->cv && y < a->h; y++) {
        for (int x = 0; x < a->w; x++) {
            set_cell(a->cv, a->y + y, a->x + x, role, " ", 1, 1);
        }
    }
}

int ui_put(const struct ui_area *a, int y, int x, enum ui_role role, const char *text)
{
    return x >= a->w ? 0 : put_n(a, y, x, a->w - x, role, text);
}

int ui_put_cut(const struct ui_area *a, int y, int x, int w, enum ui_role role, const char *text)
{
    int used;

    if (x + w > a->w) {
        w = a->w - x;
    }
    if (w <= 0) {
        return 0;
    }
    if (ui_cols(text) <= w) {
        return put_n(a, y, x, w, role, text);
    }
    used = put_n(a, y, x, w - 1, role, text);
    return used + put_n(a, y, x + used, w - used, role, "~");
}

int ui_put_right(const struct ui_area *a, int y, int x, int w, enum ui_role role, const char *text)
{
    const int cols = ui_cols(text);

    if (cols > w) {
        return ui_put_cut(a, y, x, w, role, text);
    }
    (void)ui_put(a, y, x + w - cols, role, text);
    return w;
}

int ui_putf(const struct ui_area *a, int y, int x, enum ui_role role, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    return ui_put(a, y, x, role, line);
}

void ui_tint(const struct ui_area *a, int y, int x, int w, enum ui_role role)
{
    if (!a->cv || y < 0 || y >= a->h) {
        return;
    }
    for (int i = x < 0 ? 0 : x; i < x + w && i < a->w; i++) {
        cell_at(a->cv, a->y + y, a->x + i)->role = (uint8_t)role;
    }
}

void ui_cursor(const struct ui_area *a, int y, int x)
{
    if (a->cv && y >= 0 && y < a->h && x >= 0 && x < a->w) {
        a->cv->cur_y = a->y + y;
        a->cv->cur_x = a->x + x;
    }
}

struct glyphs {
    const char *h, *v, *tl, *tr, *bl, *br;
};

static void edge(const struct ui_area *a, int y, const char *l, const char *mid, const char *r,
                 enum ui_role role)
{
    (void)ui_put(a, y, 0, role, l);
    for (int x = 1; x + 1 < a->w; x++) {
        (void)ui_put(a, y, x, role, mid);
    }
    if (a->w > 1) {
        (void)ui_put(a, y, a->w - 1, role, r);
    }
}

struct ui_area ui_frame_box(const struct ui_area *a, bool focus, const char *title,
                            const char *note, enum ui_role note_role)
{
    static const struct glyphs utf8 = {"─", "│", "┌", "┐", "└", "┘"};
    static const struct glyphs plain = {"-", "|", "+", "+", "+", "+"};
    const struct glyphs *g = a->cv && a->cv->ascii ? &plain : &utf8;
    const enum ui_role role = focus ? UI_BORDER_FOCUS : UI_BORDER;
    int used = 0;

    if (a->h < 2 || a->w < 2) {
        return ui_area_sub(a, 0, 0, 0, 0);
    }
    edge(a, 0, g->tl, g->h, g->tr, role);
    edge(a, a->h - 1, g->bl, g->h, g->br, role);
    for (int y = 1; y + 1 < a->h; y++) {
        (void)ui_put(a, y, 0, role, g->v);
        (void)ui_put(a, y, a->w - 1, role, g->v);
    }
    if (title && *title && a->w > 6) {
        (void)ui_put(a, 0, 2, role, " ");
        used = ui_put_cut(a, 0, 3, a->w - 6, focus ? UI_TITLE_FOCUS : UI_TITLE, title);
        (void)ui_put(a, 0, 3 + used, role, " ");
    }
    if (note && *note && a->w - 8 - used >= ui_cols(note)) {
        const int x = a->w - 3 - ui_cols(note);

        (void)ui_put(a, 0, x - 1, role, " ");
        (void)ui_put(a, 0, x, note_role, note);
        (void)ui_put(a, 0, a->w - 3, role, " ");
    }
    return ui_area_sub(a, 1, 1, a->h - 2, a->w - 2);
}

void ui_gauge(const struct ui_area *a, int y, int x, int w, int permille)
{
    const int in = w - 2;
    const int full = in * clamp(permille, 0, 1000) / 1000;

    if (in < 1) {
        return;
    }
    (void)ui_put(a, y, x, UI_DIM, "[");
    for (int i = 0; i < in; i++) {
        (void)ui_put(a, y, x + 1 + i, i < full ? UI_GAUGE : UI_DIM, i < full ? "#" : ".");
    }
    (void)ui_put(a, y, x + w - 1, UI_DIM, "]");
}
