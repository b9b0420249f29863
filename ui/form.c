#include "ui/form.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/keys.h"

enum { LABEL_COLS = 13 };

void ui_form_reset(struct ui_form *f)
{
    memset(f, 0, sizeof *f);
}

struct ui_field *ui_form_add(struct ui_form *f, enum ui_field_kind kind, char id, const char *label,
                             const char *help)
{
    struct ui_field *x = &f->f[f->n < UI_FIELDS ? f->n++ : UI_FIELDS - 1];

    memset(x, 0, sizeof *x);
    x->kind = kind;
    x->id = id;
    (void)mst_copy(x->label, sizeof x->label, label);
    (void)mst_copy(x->help, sizeof x->help, help);
    return x;
}

void ui_form_choice(struct ui_form *f, const char *text)
{
    struct ui_field *x = f->n > 0 ? &f->f[f->n - 1] : NULL;

    if (x && f->n_texts < UI_CHOICES) {
        x->first = x->choices == 0 ? f->n_texts : x->first;
        x->choices++;
        (void)mst_copy(f->texts[f->n_texts++], UI_CHOICE_MAX, text);
    }
}

const char *ui_form_chosen(const struct ui_form *f, char id)
{
    const struct ui_field *x = ui_form_at(f, id);

    return x && x->choices > 0 ? f->texts[x->first + x->choice] : "";
}

const struct ui_field *ui_form_at(const struct ui_form *f, char id)
{
    for (int i = 0; i < f->n; i++) {
        if (f->f[i].id == id) {
            return &f->f[i];
        }
    }
    return NULL;
}

struct ui_field *ui_form_get(struct ui_form *f, char id)
{
    for (int i = 0; i < f->n; i++) {
        if (f->f[i].id == id) {
            return &f->f[i];
        }
    }
    return NULL;
}

void ui_form_focus(struct ui_form *f, char id)
{
    for (int i = 0; i < f->n; i++) {
        if (f->f[i].id == id) {
            f->focus = i;
        }
    }
}

static bool passes(const struct ui_field *x, bool buttons)
{
    return x->kind == UI_F_BUTTON || (!buttons && !x->off);
}

/* To the next field that can be used, or to the next button only. Each form has a button. */
static void step(struct ui_form *f, int by, bool buttons)
{
    for (int i = 0; i < f->n; i++) {
        f->focus = (f->focus + by + f->n) % f->n;
        if (passes(&f->f[f->focus], buttons)) {
            return;
        }
    }
}

static void turn(struct ui_field *x, int by)
{
    if (x->choices > 0) {
        x->choice = (x->choice + by + x->choices) % x->choices;
    }
}

char ui_form_key(struct ui_form *f, int key)
{
    struct ui_field *x;

    if (f->n == 0) {
        return 0;
    }
    x = &f->f[f->focus];
    if (key == UI_KEY_TAB || key == UI_KEY_DOWN) {
        step(f, 1, false);
        return 0;
    }
    if (key == UI_KEY_BACKTAB || key == UI_KEY_UP) {
        step(f, -1, false);
        return 0;
    }
    switch (x->kind) {
    case UI_F_TEXT:
        if (key == UI_KEY_ENTER) {
            step(f, 1, false);
        } else if (!x->off) {
            (void)ui_line_key(&x->line, key);
        }
        break;
    case UI_F_TOGGLE:
        if ((key == ' ' || key == UI_KEY_ENTER) && !x->off) {
            x->on = !x->on;
        }
        break;
    case UI_F_CHOICE:
        if (key == ' ' || key == UI_KEY_RIGHT || key == UI_KEY_ENTER) {
            turn(x, 1);
        } else if (key == UI_KEY_LEFT) {
            turn(x, -1);
        }
        break;
    case UI_F_BUTTON:
        if (key == UI_KEY_ENTER || key == ' ') {
            return x->off ? 0 : x->id;
        }
        if (key == UI_KEY_LEFT || key == UI_KEY_RIGHT) {
            step(f, key == UI_KEY_LEFT ? -1 : 1, true);
        }
        break;
    }
    return 0;
}

void ui_form_paste(struct ui_form *f, const char *text)
{
    if (f->n > 0 && f->f[f->focus].kind == UI_F_TEXT && !f->f[f->focus].off) {
        ui_line_paste(&f->f[f->focus].line, text);
    }
}

static void draw_field(const struct ui_form *f, const struct ui_field *x, const struct ui_area *a,
                       int y, bool focus)
{
    const enum ui_role role = focus ? UI_FIELD_FOCUS : UI_FIELD;
    char text[UI_CHOICE_MAX + 8];

    (void)ui_put(a, y, 0, focus ? UI_KEY : UI_TEXT, focus ? ">" : " ");
    (void)ui_put_cut(a, y, 1, LABEL_COLS - 1, x->off ? UI_OFF : UI_TEXT, x->label);
    if (x->off) { /* what would stand there is not used */
        (void)ui_put(a, y, LABEL_COLS, UI_OFF, "-");
        return;
    }
    if (x->kind == UI_F_TEXT) {
        (void)ui_put(a, y, LABEL_COLS, UI_DIM, "[");
        ui_line_draw(&x->line, a, y, LABEL_COLS + 1, a->w - LABEL_COLS - 3, role, focus);
        (void)ui_put(a, y, a->w - 2, UI_DIM, "]");
        return;
    }
    if (x->kind == UI_F_TOGGLE) {
        (void)snprintf(text, sizeof text, "[%c]", x->on ? 'x' : ' ');
        (void)ui_put(a, y, LABEL_COLS, role, text);
        (void)ui_put_cut(a, y, LABEL_COLS + 4, a->w - LABEL_COLS - 5, UI_DIM, x->help);
    } else {
        (void)snprintf(text, sizeof text, "< %s >", ui_form_chosen(f, x->id));
        (void)ui_put_cut(a, y, LABEL_COLS, a->w - LABEL_COLS - 1, role, text);
    }
    if (focus) {
        ui_cursor(a, y, LABEL_COLS + 1);
    }
}

int ui_form_fields(const struct ui_form *f, const struct ui_area *a, int y)
{
    int rows = 0;

    for (int i = 0; i < f->n; i++) {
        if (f->f[i].kind != UI_F_BUTTON) {
            draw_field(f, &f->f[i], a, y + rows, i == f->focus);
            rows++;
        }
    }
    return rows;
}

int ui_form_focus_row(const struct ui_form *f)
{
    int row = 0;

    for (int i = 0; i < f->focus && i < f->n; i++) {
        row += f->f[i].kind != UI_F_BUTTON;
    }
    return f->n > 0 && f->f[f->focus].kind == UI_F_BUTTON ? -1 : row;
}

static int buttons_cols(const struct ui_form *f)
{
    int w = 0;

    for (int i = 0; i < f->n; i++) {
        w += f->f[i].kind == UI_F_BUTTON ? ui_cols(f->f[i].label) + 6 : 0;
    }
    return w;
}

/* Where not all have room, the row begins with the one that has the focus. */
int ui_form_buttons(const struct ui_form *f, const struct ui_area *a, int y)
{
    const bool tight = buttons_cols(f) > a->w && f->f[f->focus].kind == UI_F_BUTTON;
    int x = tight ? 0 : 1;

    for (int i = tight ? f->focus : 0; i < f->n; i++) {
        const struct ui_field *b = &f->f[i];
        const bool focus = i == f->focus;
        char text[40];

        if (b->kind != UI_F_BUTTON) {
            continue;
        }
        (void)snprintf(text, sizeof text, focus ? "[>%s<]" : "[ %s ]", b->label);
        if (focus) {
            ui_cursor(a, y, x + 1);
        }
        x += ui_put(a, y, x, b->off ? UI_OFF : focus ? UI_BUTTON_FOCUS : UI_BUTTON, text) + 2;
    }
    return x;
}
