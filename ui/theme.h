/* theme.h: roles to colours and attributes. A theme is a text file:
 *
 *     # comment
 *     role = fg [bg] [bold] [reverse] [underline] [dim]
 *     role@8 = ...      on terminals with fewer than 256 colours
 *     role@light = ...  when the terminal says that its background is light
 *
 * A colour is `default`, one of the eight names, or 0 to 255. A role that is not named looks like
 * `text`. `default` and `mono` are compiled in.
 */
#ifndef UI_THEME_H
#define UI_THEME_H

#include "base/err.h"
#include "ui/canvas.h"

enum { UI_BOLD = 1, UI_REVERSE = 2, UI_UNDERLINE = 4, UI_FAINT = 8 };

struct ui_style {
    int fg, bg; /* -1: the terminal's own */
    unsigned attrs;
};

enum ui_palette { UI_PAL_256, UI_PAL_8, UI_PAL_LIGHT, UI_PAL_COUNT };

struct ui_theme {
    char name[32];
    struct ui_style style[UI_PAL_COUNT][UI_ROLE_COUNT];
};

/* name for messages ("themes/x.theme"); MST_E_CONFIG says name:line. */
enum mst_rc ui_theme_parse(struct ui_theme *t, const char *name, const char *text,
                           struct mst_err *err) MST_MUST_CHECK;
/* "default", "mono", or a path of a file (one with a '/' or ending in .theme). */
enum mst_rc ui_theme_load(struct ui_theme *t, const char *name_or_path,
                          struct mst_err *err) MST_MUST_CHECK;
const char *ui_theme_builtin(const char *name); /* its text, or NULL */
bool ui_style_same(struct ui_style a, struct ui_style b);

#endif
