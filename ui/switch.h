/* switch.h: the switch of the primary: its dialog in four steps (choose, checks, plan, confirm),
 * and the page of its run. */
#ifndef UI_SWITCH_H
#define UI_SWITCH_H

#include "ui/app.h"

/* --- dlg_switch.c: what the keys do --- */

/* what is "", or "switchover MEMBER", "stepdown", "failback RUN" of the ':' line. */
void ui_switch_open(struct ui_app *app, const char *what);
/* True when the key meant something for a switch alone. */
bool ui_switch_key(struct ui_app *app, int key, bool repeat);
void ui_switch_press(struct ui_app *app, char button);
void ui_switch_ticket(struct ui_app *app); /* d->ticket is there */
void ui_switch_tick(struct ui_app *app);   /* a plan that has expired goes back to the checks */
/* The command that the first step stands for. Pure. */
enum mst_rc ui_switch_cmd(const struct ui_dialog *d, struct mst_cmd *out,
                          struct mst_err *err) MST_MUST_CHECK;

/* --- dlg_switch_draw.c --- */

#define UI_SWITCH_RULES 64
/* Indexes of the ticket's rules, what refuses first; returns how many. Pure. */
size_t ui_switch_order(const struct mst_ticket *t, size_t order[UI_SWITCH_RULES]);
/* The reason that was given for a rule, "" none. Pure. */
const char *ui_switch_reason(const struct mst_cmd *cmd, const struct mst_rule_line *r);
/* What is known of the choice before anything is asked. */
void ui_switch_choice(const struct ui_ctx *x, struct ui_pen *p);
const char *ui_switch_title(const struct ui_dialog *d);
const char *ui_switch_note(const struct ui_ctx *x, char out[80], enum ui_role *role);
void ui_switch_content(const struct ui_ctx *x, struct ui_pen *p, int *focus);

/* --- run_switch.c: the words of a run. Pure --- */

bool ui_switch_live(const struct mst_view *v);
/* A switch of another muster, as far as its note in the oplog tells it; NULL none. */
const struct mst_note *ui_switch_foreign(const struct mst_view *v);
/* "switchover to db2:27017 by anna on bastion2" */
char *ui_switch_foreign_line(const struct mst_note *n, char out[400]);
/* Nobody is known to take writes now, by our doing. */
bool ui_switch_stopped(const struct mst_switch_part *m);
/* "switchover STEPDOWN, WRITES STOPPED 4.7 s, undo in 25.3 s (db1:27017 -> db2:27017)" */
char *ui_switch_line(const struct mst_switch_part *m, int64_t now_mono_ms, char out[400]);
/* What to do after a run that ended so. */
const char *ui_switch_next(int exit_status);

/* --- scr_switch.c: the page --- */

/* The run that the page shows; NULL while it has published nothing. */
const struct mst_switch_part *ui_switch_part(const struct ui_ctx *x);
void ui_switch_page_draw(const struct ui_ctx *x, const struct ui_area *a);
void ui_switch_help(struct ui_pen *p);
void ui_switch_hints(const struct ui_ctx *x, const struct ui_area *a, int y);

/* --- page_switch.c: its keys --- */

#define UI_RUN_FOREIGN UINT64_MAX /* as a job: the switch of another muster */
void ui_switch_page_open(struct ui_app *app, uint64_t job);
void ui_switch_page_key(struct ui_app *app, int key);
void ui_switch_page_show(struct ui_app *app); /* 's' */
/* The next view is about to be taken: a console that opens while a switch runs shows it, and its
 * end is said. */
void ui_switch_seen(struct ui_app *app, const struct mst_view *next);

#endif
