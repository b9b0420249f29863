/* term.h: the terminal. The only place that knows curses; one thread, one at a time. */
#ifndef UI_TERM_H
#define UI_TERM_H

#include "base/err.h"
#include "ui/canvas.h"
#include "ui/theme.h"

struct ui_term;

/* stdin and stdout are a terminal. A TERM that is not known gets the rules of
 * xterm-256color, and ui_term_note() says so. */
enum mst_rc ui_term_open(struct ui_term **out, bool no_color, struct mst_err *err) MST_MUST_CHECK;
void ui_term_close(struct ui_term *t);
bool ui_term_is_lines(const struct ui_term *t); /* cannot place its cursor: line mode */
const char *ui_term_note(const struct ui_term *t);
bool ui_term_ascii(const struct ui_term *t); /* locale or terminal show ASCII only */
bool ui_term_colors(const struct ui_term *t);

int ui_term_fd(const struct ui_term *t);
void ui_term_size(const struct ui_term *t, int *rows, int *cols);
void ui_term_resized(struct ui_term *t);
void ui_term_theme(struct ui_term *t, const struct ui_theme *theme);
/* One key, UI_KEY_NONE when there is none now; *more_ms is when to ask again for a key that is half
 * there (-1: no such). A paste puts its text into paste. */
int ui_term_key(struct ui_term *t, char *paste, size_t size, int *more_ms);
void ui_term_flush_input(struct ui_term *t);
/* False: the terminal has not taken the last frame yet; paint later. */
bool ui_term_ready(const struct ui_term *t);
void ui_term_paint(struct ui_term *t, const struct ui_canvas *cv, bool all);
/* Hands text to the terminal's clipboard (OSC 52), through tmux and screen too. MST_E_LIMIT when it
 * is too long, MST_E_USAGE when the terminal is not known to take it. */
enum mst_rc ui_term_copy(struct ui_term *t, const char *text, struct mst_err *err) MST_MUST_CHECK;
void ui_term_bell(struct ui_term *t);
void ui_term_suspend(struct ui_term *t); /* returns after the process was continued */

#endif
