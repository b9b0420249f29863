#include "ui/line.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/keys.h"

void ui_line_set(struct ui_line *l, const char *text)
{
    (void)mst_copy(l->text, sizeof l->text, text);
    l->cursor = strlen(l->text);
}

static size_t back(const struct ui_line *l, size_t at)
{
    if (at > 0) {
        at--;
    }
    while (at > 0 && at < sizeof l->text && ((unsigned char)l->text[at] & 0xc0) == 0x80) {
        at--;
    }
    return at;
}

static size_t ahead(const struct ui_line *l, size_t at)
{
    if (l->text[at]) {
        at++;
    }
    while (((unsigned char)l->text[at] & 0xc0) == 0x80) {
        at++;
    }
    return at;
}

static void cut(struct ui_line *l, size_t from, size_t to)
{
    memmove(l->text + from, l->text + to, strlen(l->text + to) + 1);
    l->cursor = from;
}

static void insert(struct ui_line *l, const char *s, size_t n)
{
    const size_t len = strlen(l->text);

    if (len + n < sizeof l->text) {
        memmove(l->text + l->cursor + n, l->text + l->cursor, len - l->cursor + 1);
        memcpy(l->text + l->cursor, s, n);
        l->cursor += n;
    }
}

static size_t word_back(const struct ui_line *l)
{
    size_t at = l->cursor;

    while (at > 0 && l->text[at - 1] == ' ') {
        at--;
    }
    while (at > 0 && l->text[at - 1] != ' ') {
        at--;
    }
    return at;
}

void ui_line_paste(struct ui_line *l, const char *text)
{
    char clean[UI_LINE_MAX];
    size_t len = strcspn(text, "\r\n");

    mst_text_clean(clean, sizeof clean, text, len);
    insert(l, clean, strlen(clean));
}

bool ui_line_key(struct ui_line *l, int key)
{
    char ch[4];

    if (key == UI_KEY_LEFT) {
        l->cursor = back(l, l->cursor);
    } else if (key == UI_KEY_RIGHT) {
        l->cursor = ahead(l, l->cursor);
    } else if (key == UI_KEY_HOME || key == UI_KEY_CTRL_A) {
        l->cursor = 0;
    } else if (key == UI_KEY_END || key == UI_KEY_CTRL_E) {
        l->cursor = strlen(l->text);
    } else if (key == UI_KEY_BACKSPACE) {
        cut(l, back(l, l->cursor), l->cursor);
    } else if (key == UI_KEY_DELETE) {
        cut(l, l->cursor, ahead(l, l->cursor));
    } else if (key == UI_KEY_CTRL_U) {
        cut(l, 0, l->cursor);
    } else if (key == UI_KEY_CTRL_K) {
        cut(l, l->cursor, strlen(l->text));
    } else if (key == UI_KEY_CTRL_W) {
        cut(l, word_back(l), l->cursor);
    } else if (key >= 0x20 && key != 0x7f && key < 0x110000) {
        insert(l, ch, mst_text_encode((uint32_t)key, ch));
    } else {
        return false;
    }
    return true;
}

void ui_line_draw(const struct ui_line *l, const struct ui_area *a, int y, int x, int w,
                  enum ui_role role, bool cursor)
{
    const struct ui_area box = ui_area_sub(a, y, x, 1, w);
    size_t from = 0;
    char before[UI_LINE_MAX];

    if (box.w < 1) {
        return;
    }
    ui_fill(&box, role);
    for (;;) {
        (void)mst_copy(before, sizeof before, l->text + from);
        before[l->cursor - from] = '\0';
        if (ui_cols(before) < box.w || from >= l->cursor) {
            break;
        }
        from = ahead(l, from);
    }
    (void)ui_put(&box, 0, 0, role, l->text + from);
    if (cursor) {
        ui_cursor(&box, 0, ui_cols(before));
    }
}
