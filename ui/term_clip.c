/* term_clip.c: text for the clipboard of the terminal, wherever that is. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "ui/term_own.h"

enum { COPY_MAX = 74994 }; /* what terminals take in one OSC 52 */

enum mst_rc ui_term_copy(struct ui_term *t, const char *text, struct mst_err *err)
{
    const char *term = getenv("TERM"), *tmux = getenv("TMUX");
    const bool in_tmux = tmux && *tmux, in_screen = !in_tmux && term && !strncmp(term, "screen", 6);
    struct mst_str all = {0};
    char *clean;
    enum mst_rc rc = MST_OK;

    ui_term_mine(t);
    if (!t->paste_mode) { /* no alternate screen either: a console that might print it */
        return mst_err_set(err, MST_E_USAGE, "this terminal has no clipboard to hand text to");
    }
    clean = mst_xstrdup(text);
    mst_text_sanitise(clean);
    /* tmux and screen pass on what is wrapped for them; tmux wants every ESC twice */
    mst_str_add(&all, in_tmux ? "\033Ptmux;\033" : in_screen ? "\033P" : "");
    mst_str_add(&all, "\033]52;c;");
    mst_str_add_base64(&all, clean, strlen(clean));
    mst_str_add(&all, in_tmux || in_screen ? "\007\033\\" : "\007");
    if (all.len > COPY_MAX) {
        rc =
            mst_err_set(err, MST_E_LIMIT, "too long for the clipboard: at most %d bytes", COPY_MAX);
    } else {
        ui_term_raw(mst_str_c(&all));
    }
    free(clean);
    mst_str_release(&all);
    return rc;
}
