/* state.h: what the console itself remembers: where the operator is, what is selected, what is
 * being typed. With a view it decides a screen completely: draw(view, state, canvas) is pure.
 *
 * Selections are kept by identity, never by row, so a list that changes under the hand does not
 * change what a key means.
 */
#ifndef UI_STATE_H
#define UI_STATE_H

#include "engine/engine.h"
#include "ui/canvas.h"
#include "ui/form.h"
#include "ui/keys.h"
#include "ui/line.h"

enum ui_scr { UI_SCR_DASH, UI_SCR_TOPO, UI_SCR_JOBS, UI_SCR_BUCKET, UI_SCR_COUNT };
enum ui_layer { UI_LAYER_NONE, UI_LAYER_HELP, UI_LAYER_LOG, UI_LAYER_MENU, UI_LAYER_DIALOG };

#define UI_PANES 7
#define UI_DEAD_MS 300       /* a dialog ignores keys for so long after it opened */
#define UI_REPEAT_MS 40      /* a key repeated faster than this confirms nothing */
#define UI_STRIP_SAY_MS 5000 /* an answer to a key stands so long in the last line of a strip */
#define UI_RECALL_MS 8000 /* after so long an alert that is not acknowledged has the line again */
#define UI_LOOK_MS 60000  /* what a store says of itself is asked again, not before */
#define UI_STALE_MS 3000  /* three refreshes of the fast facts */

struct ui_scr_state {
    int pane;
    bool zoom;
    bool other; /* the other form: tree, log, objects */
    int top[UI_PANES];
    size_t sort; /* 1 + the column that orders the list; 0: as it comes */
    bool down;   /* biggest first */
    char find[64];
};

enum ui_dlg_kind {
    UI_DLG_NONE,
    UI_DLG_BACKUP,
    UI_DLG_RESTORE,
    UI_DLG_VERIFY,
    UI_DLG_CANCEL,
    UI_DLG_DISCARD,
    UI_DLG_QUIT,
    UI_DLG_SANDBOX,
    UI_DLG_SWITCH,
    UI_DLG_COPY,
    UI_DLG_HOLD,
    UI_DLG_STORE_TEST
};
/* The switch of the primary has the last three instead of the review. */
enum ui_dlg_step {
    UI_STEP_EDIT,
    UI_STEP_WAIT,
    UI_STEP_REVIEW,
    UI_STEP_CHECKS,
    UI_STEP_PLAN,
    UI_STEP_CONFIRM
};

struct ui_dialog {
    enum ui_dlg_kind kind;
    enum ui_dlg_step step;
    int64_t open_mono_ms; /* of this step: the dead time counts from here */
    struct ui_form form;
    struct mst_cmd cmd;
    uint64_t handle;           /* of a prepare */
    struct mst_ticket *ticket; /* owned by the app; NULL before the review */
    char error[520];
    int top;      /* first line shown of a text that is longer than the window */
    int sel;      /* of the checks of a switch, in the order shown */
    bool changed; /* an override was given or taken back since the ticket was made */
};

struct ui_state {
    int64_t now_mono_ms, now_wall_ms;
    enum ui_scr scr, before;
    struct ui_scr_state s[UI_SCR_COUNT];
    char member[MST_HOST_MAX]; /* selections; "" and 0 are the first row */
    uint64_t job;
    char backup[MST_ID_MAX];
    char store[64]; /* of the bucket screen; "": the one that is meant where none is named */

    bool frozen;
    int64_t frozen_mono_ms;
    bool hints_off;
    bool has_sandbox; /* the callbacks are there */
    char lead[1200];  /* how a command line begins in another shell; "": "muster" */

    char msg[256]; /* the message line */
    enum mst_severity msg_severity;
    int64_t msg_wall_ms;
    uint64_t acked_seq, shown_seq; /* of view->messages */

    bool run_page;    /* the run of a switch has the window */
    bool run_log;     /* its log instead of its states */
    uint64_t run_job; /* the job that is shown; 0: the newest */
    int run_top;      /* lines scrolled back from the newest */

    enum ui_layer layer;
    int layer_top, menu_sel;
    char prompt; /* 0, ':' or '/' */
    struct ui_line input;
    char completions[256]; /* shown above the prompt */
    struct ui_dialog dlg;
};

struct ui_ctx {
    const struct mst_view *v;
    const struct ui_state *st;
};

#endif
