/* screen.h: a screen is a table: its panes, where they go, and its list. Drawing is pure and
 * total: any view, any state, any size. */
#ifndef UI_SCREEN_H
#define UI_SCREEN_H

#include "ui/state.h"

struct ui_rect {
    int y, x, h, w; /* h 0: not shown at this size */
};

/* Rows of a list, after the filter, in the order shown. */
struct ui_rows {
    size_t n, cap;
    size_t *idx; /* into the view's array */
};
void ui_rows_add(struct ui_rows *r, size_t idx);
void ui_rows_release(struct ui_rows *r);
/* Orders the rows by the column that the screen's state names; equal ones stay as they came. */
typedef int ui_compare_fn(const struct ui_ctx *x, size_t col, size_t a, size_t b);
void ui_rows_sort(const struct ui_ctx *x, enum ui_scr scr, ui_compare_fn *compare,
                  struct ui_rows *r);
size_t ui_rows_find(const struct ui_rows *r, size_t idx); /* r->n when it is not there */

#define UI_CMP(a, b) (((a) > (b)) - ((a) < (b)))

struct ui_sort {
    size_t col; /* as the screen's compare knows it */
    const char *name;
    bool down; /* the order that it begins with: biggest first */
};

struct ui_pane {
    const char *name;
    /* Draws frame and content; returns the content's rows, drawn or not. */
    int (*draw)(const struct ui_ctx *x, const struct ui_area *a, bool focus);
    bool is_list; /* the arrows move the selection, else they scroll */
};

struct ui_screen {
    const char *tab, *title;
    unsigned bit; /* UI_ON_... */
    size_t n_panes;
    struct ui_pane pane[UI_PANES];
    void (*layout)(const struct ui_ctx *x, int h, int w, struct ui_rect r[UI_PANES]);
    /* The list; NULL when the screen has none. */
    void (*rows)(const struct ui_ctx *x, struct ui_rows *out);
    size_t (*selected)(const struct ui_ctx *x); /* index into the view's array; SIZE_MAX none */
    void (*select)(const struct mst_view *v, struct ui_state *st, size_t idx);
    const struct ui_sort *sorts; /* what 'o' goes through, ended by a name of NULL */
};

extern const struct ui_screen ui_scr_dash, ui_scr_topo, ui_scr_jobs, ui_scr_bucket;
const struct ui_screen *ui_screen_of(enum ui_scr s);

/* Everything: frame, screen, layers. */
void ui_draw(const struct ui_ctx *x, struct ui_canvas *cv);
bool ui_is_strip(const struct ui_canvas *cv); /* below 80x24 */
void ui_strip_draw(const struct ui_ctx *x, const struct ui_area *a);
bool ui_strip_lists(const struct ui_state *st); /* a strip shows the list of facts, no pane */
int ui_strip_facts(const struct ui_ctx *x, const struct ui_area *a); /* its rows */
const char *ui_mode_word(const struct mst_info_part *i);             /* "[RW]" */
/* The body of the screen: its panes, or the zoomed one. */
void ui_body_draw(const struct ui_ctx *x, const struct ui_area *a);
void ui_layers_draw(const struct ui_ctx *x, const struct ui_area *a);
int ui_help_draw(const struct ui_ctx *x, const struct ui_area *a);
int ui_log_draw(const struct ui_ctx *x, const struct ui_area *a);
void ui_menu_draw(const struct ui_ctx *x, const struct ui_area *a);
void ui_dialog_draw(const struct ui_ctx *x, const struct ui_area *a);

/* What can be done now, for the menu: why is "" when it can. */
struct ui_choice {
    const struct ui_binding *key;
    char why[160];
};
size_t ui_choices(const struct ui_ctx *x, struct ui_choice *out, size_t max);
/* "" when the act is possible now, else the reason it is not. */
void ui_act_why_not(const struct ui_ctx *x, enum ui_act act, char *out, size_t size);

/* --- for the panes --- */

/* The frame of a pane; without a border in a strip. */
struct ui_area ui_pane_box(const struct ui_area *a, bool focus, const char *title, const char *note,
                           enum ui_role role);

/* Writes line after line, scrolled; counts all of them. */
struct ui_pen {
    struct ui_area a;
    int y, top; /* top: lines scrolled away */
};
struct ui_pen ui_pen_start(const struct ui_area *a, int scroll);
/* Of n lines that come now, those that are seen: [*first, *first + count); the others are counted
 * without being drawn. */
size_t ui_pen_window(struct ui_pen *p, size_t n, size_t *first);
int ui_pen_next(struct ui_pen *p); /* the row of the next line, outside the area when not seen */
void ui_pen_line(struct ui_pen *p, enum ui_role role, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "label     value" with the value at column 11. */
void ui_pen_pair(struct ui_pen *p, const char *label, enum ui_role role, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void ui_pen_wrap(struct ui_pen *p, int indent, enum ui_role role, const char *text);

/* --- panes that two screens have --- */
int ui_sees_draw(const struct ui_ctx *x, const struct ui_area *a, bool focus, int scroll);
int ui_job_pane_draw(const struct ui_ctx *x, const struct mst_job *j, const struct ui_area *a,
                     bool focus, int scroll);
int ui_log_pane_draw(const struct ui_ctx *x, const struct mst_job *j, const struct ui_area *a,
                     bool focus, int scroll);

/* --- facts about members, shared by screens --- */
char ui_member_sign(const struct mst_topo_view *v, size_t i);
enum ui_role ui_member_role(const struct ui_ctx *x, size_t i);
const char *ui_member_word(const struct mst_topo_member *m);
int64_t ui_member_age_ms(const struct ui_ctx *x, const struct mst_topo_member *m);
bool ui_member_stale(const struct ui_ctx *x, const struct mst_topo_member *m);
const char *ui_short_name(const struct mst_topo_view *v, size_t i, char *buf, size_t size);
int64_t ui_data_age_ms(const struct ui_ctx *x); /* of the newest answer; -1 none yet */
size_t ui_alerts(const struct ui_ctx *x);
enum ui_role ui_severity_role(enum mst_severity s);
const char *ui_severity_word(enum mst_severity s);
enum ui_role ui_verdict_role(enum mst_verdict v);

/* Events and messages in one list, newest first; text is borrowed from the view. */
struct ui_event {
    int64_t wall_ms;
    enum mst_severity severity;
    const char *text;
    bool gap; /* nobody watched here */
};
size_t ui_events(const struct mst_view *v, struct ui_event *out, size_t max);
/* A time of day alone would be taken for one of today. */
bool ui_other_day(const struct ui_ctx *x, int64_t wall_ms);

/* --- facts about jobs and backups --- */
bool ui_job_unknown(const struct ui_ctx *x, const struct mst_job *j); /* its agent is lost */
char ui_job_sign(const struct ui_ctx *x, const struct mst_job *j);
const char *ui_job_word(const struct ui_ctx *x, const struct mst_job *j);
enum ui_role ui_job_role(const struct ui_ctx *x, const struct mst_job *j);
const struct mst_job *ui_job_selected(const struct ui_ctx *x);         /* NULL none */
void ui_job_progress(const struct mst_job *j, char *out, size_t size); /* "43.7/84.0 GiB" */
int ui_job_permille(const struct mst_job *j);                          /* -1 unknown */
char ui_backup_sign(const struct mst_backup *b);
/* Of one that was verified: ok, hashed (and not opened), BAD. */
const char *ui_verified_word(const struct mst_backup *b);
enum ui_role ui_backup_role(const struct mst_backup *b);
/* Of a fact about the store: what an older listing said is shown as old unless it is bad. */
enum ui_role ui_bucket_role(const struct mst_bucket_part *p, enum ui_role role);
/* "12s ago", "cache 3h old", "reading"; at least UI_NOTE_MAX bytes. */
#define UI_NOTE_MAX 40
const char *ui_bucket_note(const struct ui_ctx *x, const struct mst_bucket_part *b, char *out);
/* How old what is shown is, and why the store cannot be read. */
void ui_bucket_origin(const struct ui_ctx *x, const struct mst_bucket_part *b, struct ui_pen *p);
/* The store that the bucket screen shows; NULL none. */
const struct mst_bucket_part *ui_store(const struct ui_ctx *x);
const struct mst_backup *ui_backup_selected(const struct ui_ctx *x); /* NULL none */

#endif
