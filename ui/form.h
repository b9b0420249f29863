/* form.h: the fields of a dialog. The first button is always the harmless one and has the focus
 * when a form opens. */
#ifndef UI_FORM_H
#define UI_FORM_H

#include "ui/line.h"

#define UI_CHOOSE "left, right: choose" /* the help of a choice */

enum ui_field_kind { UI_F_TEXT, UI_F_TOGGLE, UI_F_CHOICE, UI_F_BUTTON };

#define UI_FIELDS 12
#define UI_CHOICES 64
#define UI_CHOICE_MAX 96

struct ui_field {
    enum ui_field_kind kind;
    char id; /* how its dialog knows it */
    char label[24];
    char help[96]; /* shown in the message line of the dialog while it has the focus */
    struct ui_line line;
    bool on;
    bool off;                   /* cannot be used; help says why */
    int first, choices, choice; /* into the form's texts */
};

struct ui_form {
    int n, focus;
    struct ui_field f[UI_FIELDS];
    int n_texts;
    char texts[UI_CHOICES][UI_CHOICE_MAX];
};

void ui_form_reset(struct ui_form *f);
struct ui_field *ui_form_add(struct ui_form *f, enum ui_field_kind kind, char id, const char *label,
                             const char *help);
/* One more choice for the field that was added last. */
void ui_form_choice(struct ui_form *f, const char *text);
const char *ui_form_chosen(const struct ui_form *f, char id); /* "" when there is none */
struct ui_field *ui_form_get(struct ui_form *f, char id);     /* NULL when there is none */
const struct ui_field *ui_form_at(const struct ui_form *f, char id);
void ui_form_focus(struct ui_form *f, char id);
/* Tab, up and down go through what can be used, left and right from button to button. Returns the
 * id of a button that was pressed, 0 else. */
char ui_form_key(struct ui_form *f, int key);
void ui_form_paste(struct ui_form *f, const char *text); /* only into a text field */
/* Draws fields (not the buttons) from row y on; returns the rows. */
int ui_form_fields(const struct ui_form *f, const struct ui_area *a, int y);
/* Returns the columns that the buttons take. */
int ui_form_buttons(const struct ui_form *f, const struct ui_area *a, int y);
int ui_form_focus_row(const struct ui_form *f); /* of the focused field, -1 for a button */

#endif
