/* ui.h: the console: one thread, one terminal, one engine handle.
 *
 * ui_signals_block() comes first in the program, before any thread is started; then the engine is
 * opened; then ui_run() owns the terminal until the operator leaves, the terminal hangs up, or a
 * signal asks for the end.
 */
#ifndef UI_UI_H
#define UI_UI_H

#include "base/str.h"
#include "engine/engine.h"

/* The sandbox's control socket, when the configuration names one. Calls return at once. */
struct ui_sandbox {
    void *arg;
    /* False: the act before is still under way. */
    bool (*start)(void *arg, const char *verb, const char *member, const char *value);
    /* True once after each act, with one sentence about it. */
    bool (*result)(void *arg, char *text, size_t size, bool *failed);
};

/* What finds an agent again when it is gone. Calls return at once. */
struct ui_again {
    void *arg;
    bool (*start)(void *arg); /* false: it could not even begin */
    /* True once after each start: *out is the engine to use from now on (the one before stays
     * whole until the next start), or NULL and the text says why. */
    bool (*result)(void *arg, struct mst_engine **out, char *text, size_t size);
};

struct ui_opts {
    const char *theme;  /* NULL: default; mono under NO_COLOR */
    const char *glyphs; /* NULL: by locale and terminal; "ascii", "utf8" */
    bool no_color;
    const struct ui_sandbox *sandbox; /* NULL: none */
    const struct ui_again *again;     /* NULL: what is lost stays lost */
    const char *lead;       /* how a command line begins in another shell; NULL: "muster" */
    const char *export_dir; /* where a screen is kept as text */
};

/* One screen as text, without a terminal: overview, topology, jobs or bucket. Pure. */
enum mst_rc ui_screen_text(const struct mst_view *v, const char *screen, int rows, int cols,
                           int64_t now_mono_ms, int64_t now_wall_ms, struct mst_str *out,
                           struct mst_err *err) MST_MUST_CHECK;

/* MST_E_USAGE when stdin or stdout is no terminal: before anything is opened. */
enum mst_rc ui_check(struct mst_err *err) MST_MUST_CHECK;
void ui_signals_block(void);
/* MST_E_USAGE without a terminal (the text names what to use instead), MST_E_CANCELLED when a
 * signal ended it (err->detail is its number). On a terminal that cannot place its cursor it
 * prints lines. */
enum mst_rc ui_run(struct mst_engine *engine, const struct ui_opts *opts,
                   struct mst_err *err) MST_MUST_CHECK;

#endif
