/* keys.h: keys, what they mean where, and the words of the help. Pure.
 *
 * Two rules a test holds the table to: a lower-case key never leads to an act, and no key has two
 * meanings on one screen. An upper-case key opens a dialog; it never acts by itself.
 */
#ifndef UI_KEYS_H
#define UI_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key is a code point, or one of these. */
enum ui_key {
    UI_KEY_NONE = -1,
    UI_KEY_CTRL_A = 1,
    UI_KEY_CTRL_C = 3,
    UI_KEY_CTRL_E = 5,
    UI_KEY_TAB = 9,
    UI_KEY_CTRL_K = 11,
    UI_KEY_CTRL_L = 12,
    UI_KEY_ENTER = 13,
    UI_KEY_CTRL_U = 21,
    UI_KEY_CTRL_W = 23,
    UI_KEY_ESC = 27,
    UI_KEY_UP = 0x200000,
    UI_KEY_DOWN,
    UI_KEY_LEFT,
    UI_KEY_RIGHT,
    UI_KEY_PGUP,
    UI_KEY_PGDN,
    UI_KEY_HOME,
    UI_KEY_END,
    UI_KEY_BACKTAB,
    UI_KEY_BACKSPACE,
    UI_KEY_DELETE,
    UI_KEY_PASTE,        /* text came with it */
    UI_KEY_F1 = 0x200100 /* F1 + n - 1 */
};
#define UI_KEY_F(n) (UI_KEY_F1 + (n)-1)

enum ui_act {
    UI_ACT_NONE,
    UI_ACT_UP,
    UI_ACT_DOWN,
    UI_ACT_PGUP,
    UI_ACT_PGDN,
    UI_ACT_FIRST,
    UI_ACT_LAST,
    UI_ACT_NEXT_PANE,
    UI_ACT_PREV_PANE,
    UI_ACT_NEXT_ITEM,
    UI_ACT_PREV_ITEM,
    UI_ACT_OPEN,
    UI_ACT_BACK,
    UI_ACT_QUIT,
    UI_ACT_SCREEN, /* the digit is in the key */
    UI_ACT_LAST_SCREEN,
    UI_ACT_FIND,
    UI_ACT_COMMAND,
    UI_ACT_MENU,
    UI_ACT_HELP,
    UI_ACT_LOG,
    UI_ACT_ACK,
    UI_ACT_ZOOM,
    UI_ACT_FREEZE,
    UI_ACT_RELOAD,
    UI_ACT_THEME,
    UI_ACT_VIEW,
    UI_ACT_REPAINT,
    UI_ACT_SORT,
    UI_ACT_SORT_TURN,
    UI_ACT_COPY,
    UI_ACT_EXPORT,
    UI_ACT_NEXT_STORE,
    UI_ACT_PREV_STORE,
    UI_ACT_RUN,    /* the page of a switch */
    UI_ACT_BACKUP, /* from here on: opens a dialog */
    UI_ACT_RESTORE,
    UI_ACT_VERIFY,
    UI_ACT_CANCEL,
    UI_ACT_DISCARD,
    UI_ACT_SANDBOX,
    UI_ACT_SWITCH,
    UI_ACT_COPY_TO,
    UI_ACT_HOLD,
    UI_ACT_STORE_TEST,
    UI_ACT_COUNT
};
#define UI_ACT_FIRST_DIALOG UI_ACT_BACKUP

enum {
    UI_ON_DASH = 1,
    UI_ON_TOPO = 2,
    UI_ON_JOBS = 4,
    UI_ON_BUCKET = 8,
    UI_ON_LISTS = 14, /* the screens with a list */
    UI_ON_ALL = 15
};

struct ui_binding {
    int key, second; /* second 0: none */
    enum ui_act act;
    unsigned where;   /* UI_ON_... */
    const char *name; /* the key or keys in words: "up k" */
    const char *help; /* what it does */
    const char *hint; /* short form of the last line, NULL not there */
    const char *word; /* its command on the ':' line and in the menu; NULL none */
};

const struct ui_binding *ui_keymap(size_t *n);
/* screen is the bit UI_ON_...; UI_ACT_NONE when the key is not bound there. */
enum ui_act ui_keys_act(int key, unsigned screen);
const struct ui_binding *ui_keys_of(enum ui_act act, unsigned screen);

#endif
