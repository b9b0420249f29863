/* Scrolling and the size of the terminal: no pane is scrolled past its end, and the focus is on a
 * pane that is shown. */
#include "ui/app.h"

static bool in_strip(const struct ui_app *app)
{
    return app->rows > 0 && (app->rows < 24 || app->cols < 80);
}

static int body_rows(const struct ui_app *app)
{
    return app->rows > 4 ? app->rows - 4 : 20;
}

/* Where a pane is on this terminal; h 0: not shown. */
static struct ui_rect pane_rect(const struct ui_app *app, enum ui_scr scr, int pane)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct ui_scr_state *ss = &app->st.s[scr];
    const int w = app->cols > 0 ? app->cols : 80;
    struct ui_rect r[UI_PANES] = {{0}};

    if (in_strip(app) || ss->zoom) {
        return (struct ui_rect){0, 0, pane == ss->pane ? body_rows(app) : 0, w};
    }
    ui_screen_of(scr)->layout(&x, body_rows(app), w, r);
    return r[pane];
}

/* How far a pane can be scrolled: it is drawn to nowhere at the size that it has here. */
static int limit(const struct ui_app *app, enum ui_scr scr, int pane)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct ui_rect r = pane_rect(app, scr, pane);
    struct ui_area none = {NULL, 0, 0, r.h, r.w};
    int rows;

    if (in_strip(app)) { /* one line is the title; no frame, but nowhere is no strip */
        none.h = app->rows - 1 - (app->rows >= 4) - 1 + 2;
        none.w = app->cols + 2;
    }
    if (in_strip(app) && scr == UI_SCR_DASH && ui_strip_lists(&app->st)) {
        none.h += 1;
        rows = ui_strip_facts(&x, &none);
    } else {
        rows = ui_screen_of(scr)->pane[pane].draw(&x, &none, false);
    }
    return none.h > 2 && rows > none.h - 2 ? rows - (none.h - 2) : 0;
}

int ui_app_layer_limit(const struct ui_app *app)
{
    const struct ui_ctx x = {app->view, &app->st};
    const int rows = app->rows > 0 ? app->rows : 24, cols = app->cols > 0 ? app->cols : 80;
    const bool strip = in_strip(app);
    const struct ui_area none = {NULL, 0, 0, strip ? rows + 1 : rows - 2, strip ? cols + 2 : cols};
    const int n = app->st.layer == UI_LAYER_HELP ? ui_help_draw(&x, &none) : ui_log_draw(&x, &none);

    return n > none.h - 2 ? n - (none.h - 2) : 0;
}

void ui_app_scroll(struct ui_app *app, int by)
{
    struct ui_scr_state *ss = &app->st.s[app->st.scr];
    const int most = limit(app, app->st.scr, ss->pane);
    int *top = &ss->top[ss->pane];

    *top += by;
    *top = *top > most ? most : *top;
    *top = *top < 0 ? 0 : *top;
}

void ui_app_settle(struct ui_app *app)
{
    const enum ui_scr scr = app->st.scr;
    struct ui_scr_state *ss = &app->st.s[scr];

    if (!app->view || !app->view->topo) {
        return;
    }
    if (pane_rect(app, scr, ss->pane).h <= 0) {
        ss->pane = 0;
    }
    for (size_t i = 0; i < ui_screen_of(scr)->n_panes; i++) {
        if (ss->top[i] > 0) {
            const int most = limit(app, scr, (int)i);

            ss->top[i] = ss->top[i] > most ? most : ss->top[i];
        }
    }
}

void ui_app_size(struct ui_app *app, int rows, int cols)
{
    app->rows = rows;
    app->cols = cols;
    app->page = rows > 12 ? rows - 10 : 3;
    ui_app_settle(app);
    app->dirty = true;
}

void ui_app_pane(struct ui_app *app, int by)
{
    struct ui_scr_state *ss = &app->st.s[app->st.scr];
    const int n = (int)ui_screen_of(app->st.scr)->n_panes;
    const bool all = in_strip(app) || ss->zoom;

    do {
        ss->pane = (ss->pane + by + n) % n;
    } while (!all && pane_rect(app, app->st.scr, ss->pane).h <= 0 && ss->pane != 0);
}
