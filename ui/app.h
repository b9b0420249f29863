/* app.h: what keys do. No terminal, no clock of its own: a test drives it key by key. */
#ifndef UI_APP_H
#define UI_APP_H

#include "ui/screen.h"
#include "ui/state.h"
#include "ui/ui.h"

/* What the console asks of the engine. The real one is in run.c; tests bring their own. */
struct ui_engine {
    void *arg;
    enum mst_rc (*submit)(void *arg, const struct mst_cmd *cmd, uint64_t *job, struct mst_err *err);
    enum mst_rc (*prepare)(void *arg, const struct mst_cmd *cmd, uint64_t *handle,
                           struct mst_err *err);
    enum mst_rc (*ticket)(void *arg, uint64_t handle, struct mst_ticket **out, struct mst_err *err);
    enum mst_rc (*commit)(void *arg, const struct mst_ticket *t, const char *typed, uint64_t *job,
                          struct mst_err *err);
    void (*ticket_free)(struct mst_ticket *t);
};

#define UI_HISTORY 32
#define UI_COMMAND_MAX 2400 /* of a command line with its lead */

struct ui_app {
    struct ui_engine engine;
    const struct ui_sandbox *sandbox; /* NULL: none */
    struct ui_state st;
    const struct mst_view *view; /* borrowed: set before keys and drawing */
    bool quit, dirty;
    bool flush_input; /* the terminal drops what was typed ahead */
    bool repaint;     /* paint every cell again */
    bool bell;
    char theme_wanted[256]; /* set by 't' and ':theme'; the loop loads it and empties it */
    char glyphs_wanted[8];  /* "ascii", "utf8" */
    char copy_wanted[UI_COMMAND_MAX]; /* for the terminal's clipboard */
    bool export_wanted;               /* the screen to a file */
    int page;                         /* rows of the screen, for page keys */
    int rows, cols;                   /* of the terminal; 0 not known */
    int last_key;
    int64_t last_key_ms;
    size_t n_history, history_at;
    char history[UI_HISTORY][256];
};

void ui_app_init(struct ui_app *app, const struct ui_engine *engine,
                 const struct ui_sandbox *sandbox);
void ui_app_release(struct ui_app *app);
void ui_app_key(struct ui_app *app, int key, const char *paste);
/* Another engine: what was asked of the one before is void, its messages are counted anew. */
void ui_app_engine(struct ui_app *app, void *engine);
/* A new view or time went by. */
void ui_app_view(struct ui_app *app, const struct mst_view *v);
void ui_app_tick(struct ui_app *app, int64_t mono_ms, int64_t wall_ms);
void ui_app_draw(const struct ui_app *app, struct ui_canvas *cv);
void ui_app_say(struct ui_app *app, enum mst_severity severity, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void ui_app_act(struct ui_app *app, enum ui_act act, int key);
/* app_ask.c */
void ui_app_ask_detail(struct ui_app *app);
/* Does the pane that has the focus say that Enter reads the manifest? */
bool ui_app_detail_wanted(const struct ui_app *app);
void ui_app_reload(struct ui_app *app);
/* On the bucket screen: ask what its store says of itself, unless that was just done. */
void ui_app_look(struct ui_app *app, bool again);
void ui_app_command(struct ui_app *app, const char *line); /* of the ':' prompt */
/* Shows the matching rows of the list only; the selection moves to one of them. */
void ui_app_filter(struct ui_app *app, const char *text);
/* app_scroll.c */
void ui_app_size(struct ui_app *app, int rows, int cols); /* of the terminal */
/* After what is shown has changed: no pane past its end, the focus on a pane that is there. */
void ui_app_settle(struct ui_app *app);
void ui_app_scroll(struct ui_app *app, int by);
int ui_app_layer_limit(const struct ui_app *app); /* of help and messages */
void ui_app_pane(struct ui_app *app, int by);     /* Tab */
void ui_app_sort(struct ui_app *app, bool turn);
void ui_app_copy(struct ui_app *app);
void ui_app_prompt_key(struct ui_app *app, int key, const char *paste);
/* Opens the dialog of an act, or says why not; what names its object ("": the selected one). */
void ui_app_dialog(struct ui_app *app, enum ui_act act, const char *what);

/* dialog.c */
/* dlg_store.c */
void ui_store_field(struct ui_app *app); /* where a backup is read from; only with several stores */
void ui_store_form(struct ui_app *app, enum ui_dlg_kind kind, const char *what);
enum mst_rc ui_store_cmd(const struct ui_dialog *d, int64_t now_wall_ms, struct mst_cmd *out,
                         struct mst_err *err) MST_MUST_CHECK;
void ui_app_store(struct ui_app *app, int by); /* the store of the bucket screen */
void ui_dialog_step(struct ui_app *app, enum ui_dlg_step step);
/* The harmless one, which has the focus, and the one that goes on (NULL: there is none). */
void ui_dialog_buttons(struct ui_form *f, const char *leave, const char *go);
void ui_dialog_open(struct ui_app *app, enum ui_dlg_kind kind, const char *what);
void ui_dialog_key(struct ui_app *app, int key, const char *paste);
void ui_dialog_tick(struct ui_app *app);
void ui_dialog_close(struct ui_app *app);
/* dlg_sandbox.c */
#define UI_SAID_MAX 160
void ui_sandbox_form(struct ui_app *app);
void ui_sandbox_fit(struct ui_form *f);               /* what the act does not take is off */
const char *ui_sandbox_says(const struct ui_form *f); /* what the act does, and what undoes it */
/* Starts the act; false: the dialog says why not. */
bool ui_sandbox_go(struct ui_app *app, char said[UI_SAID_MAX]);
/* What an act of the sandbox menu is done to: the member, or the collection of 'drop'. */
const char *ui_sandbox_object(const struct ui_form *f);
/* The verb of the act that is chosen, and what stands behind its object: "full" of "disk full", the
 * milliseconds of a lag; "" nothing. */
const char *ui_sandbox_verb(const struct ui_form *f, char verb[UI_CHOICE_MAX]);
/* The command line that does what the dialog does; "" when there is none (err says why). */
void ui_dialog_command(const struct ui_ctx *x, char *out, size_t size, struct mst_err *err);
/* What is discarded was left by a restore, or by a dead run: the view knows, and the act differs.
 */
void ui_dialog_leaving(const struct mst_view *v, struct mst_cmd *c);
/* The command that a dialog stands for; err says which field is wrong. Pure. */
enum mst_rc ui_dialog_cmd(const struct ui_dialog *d, struct mst_cmd *out,
                          struct mst_err *err) MST_MUST_CHECK;

#endif
