/* line.h: one line of text that is being typed: prompts and fields. UTF-8, cursor in bytes. */
#ifndef UI_LINE_H
#define UI_LINE_H

#include <stdbool.h>

#include "ui/canvas.h"

#define UI_LINE_MAX 512

struct ui_line {
    char text[UI_LINE_MAX];
    size_t cursor; /* byte offset, at a character */
};

void ui_line_set(struct ui_line *l, const char *text);
/* True when the key belonged to the line (it may have changed nothing). */
bool ui_line_key(struct ui_line *l, int key);
/* Controls are dropped: a newline can never come in by a paste. */
void ui_line_paste(struct ui_line *l, const char *text);
/* Draws the part around the cursor into w columns and puts the hardware cursor there. */
void ui_line_draw(const struct ui_line *l, const struct ui_area *a, int y, int x, int w,
                  enum ui_role role, bool cursor);

#endif
