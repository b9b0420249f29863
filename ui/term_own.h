/* term_own.h: what the files of the terminal share; nobody else includes curses. */
#ifndef UI_TERM_OWN_H
#define UI_TERM_OWN_H

#define NCURSES_NOMACROS 1
#define NCURSES_WIDECHAR 1

#include <curses.h>
#include <termios.h>
#include <unistd.h>

#include "ui/term.h"

enum { PASTE_START = 0x1f01, PASTE_END = 0x1f02 }; /* our codes for the bracketed paste */

struct ui_term {
    pid_t owner; /* curses is not made for threads: one thread, always the same */
    SCREEN *screen;
    WINDOW *keys; /* a pad: reading it paints nothing */
    bool by_lines, ascii, colors, paste_mode;
    char note[160];
    struct termios modes; /* as we found them */
    enum ui_palette palette;
    attr_t attr[UI_ROLE_COUNT];
    short pair[UI_ROLE_COUNT];
    int64_t esc_ms; /* a lone ESC came then; 0 none */
    int saved_stderr, noise_fd;
    bool in_paste;
    int n_queue;
    int queue[8];
};

static inline void ui_term_mine(const struct ui_term *t)
{
    MST_ASSERT(t->owner == gettid());
}

void ui_term_raw(const char *bytes); /* past curses */

#endif
