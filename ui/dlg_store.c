/* dlg_store.c: the dialogs about stores: a copy, a hold, a test; and which store the others mean.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/when.h"
#include "ui/app.h"

#define NEWEST_COPY "newest good copy"

static void add_stores(const struct mst_view *v, struct ui_form *f, struct ui_field *field,
                       const char *first)
{
    for (size_t i = 0; i < v->n_stores; i++) {
        ui_form_choice(f, v->stores[i]->store);
        if (strcmp(v->stores[i]->store, first) == 0) {
            field->choice = field->choices - 1;
        }
    }
    if (v->n_stores == 0 && v->bucket) {
        ui_form_choice(f, v->bucket->store);
    }
}

void ui_store_field(struct ui_app *app)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct mst_bucket_part *b = ui_store(&x);
    struct ui_form *f = &app->st.dlg.form;
    struct ui_field *field;

    if (app->view->n_stores < 2) {
        return;
    }
    field = ui_form_add(f, UI_F_CHOICE, 'o', "store", UI_CHOOSE "; where it is read from");
    ui_form_choice(f, NEWEST_COPY);
    add_stores(app->view, f, field, app->st.scr == UI_SCR_BUCKET && b ? b->store : "");
}

/* Another store than the one that is looked at. */
static const char *other_store(const struct mst_view *v, const struct mst_bucket_part *b)
{
    for (size_t i = 0; i < v->n_stores; i++) {
        if (v->stores[i] != b) {
            return v->stores[i]->store;
        }
    }
    return "";
}

void ui_store_form(struct ui_app *app, enum ui_dlg_kind kind, const char *what)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct mst_bucket_part *in = ui_store(&x);
    const struct mst_backup *b = ui_backup_selected(&x);
    struct ui_form *f = &app->st.dlg.form;
    struct ui_field *field;

    if (kind != UI_DLG_STORE_TEST) {
        field = ui_form_add(f, UI_F_TEXT, 'b', "backup", "an id of the bucket");
        ui_line_set(&field->line, what[0] ? what : b ? b->id : "");
    }
    if (kind == UI_DLG_HOLD) {
        field = ui_form_add(f, UI_F_TEXT, 'u', "until", "2027-01-31, 90d from now, or ever");
        ui_line_set(&field->line, "90d");
        (void)ui_form_add(f, UI_F_TEXT, 'w', "reason", "why: it is kept with the hold");
        ui_dialog_buttons(f, "Cancel", "Hold");
        return;
    }
    field = ui_form_add(f, UI_F_CHOICE, 'o', kind == UI_DLG_COPY ? "from" : "store", UI_CHOOSE);
    add_stores(app->view, f, field, in ? in->store : "");
    if (kind == UI_DLG_COPY) {
        field = ui_form_add(f, UI_F_CHOICE, 'e', "to", UI_CHOOSE "; another store");
        add_stores(app->view, f, field, other_store(app->view, in));
    }
    ui_dialog_buttons(f, "Cancel", kind == UI_DLG_COPY ? "Copy" : "Test");
}

static enum mst_rc until_of(const char *text, int64_t now_wall_ms, int64_t *out,
                            struct mst_err *err)
{
    int64_t span;

    if (strcmp(text, "ever") == 0) {
        *out = MST_HOLD_EVER;
    } else if (mst_when_span(text, &span)) {
        *out = now_wall_ms + span;
    } else {
        *out = mst_when_moment(text);
    }
    return *out >= 0 ? MST_OK
                     : mst_err_set(err, MST_E_USAGE, "until: 2027-01-31, 90d from now, or ever");
}

enum mst_rc ui_store_cmd(const struct ui_dialog *d, int64_t now_wall_ms, struct mst_cmd *out,
                         struct mst_err *err)
{
    const char *store = ui_form_chosen(&d->form, 'o');
    const struct ui_field *until = ui_form_at(&d->form, 'u');

    if (strcmp(store, NEWEST_COPY) != 0) {
        (void)mst_copy(out->store, sizeof out->store, store);
    }
    (void)mst_copy(out->to_store, sizeof out->to_store, ui_form_chosen(&d->form, 'e'));
    if (d->kind == UI_DLG_HOLD && !out->reason[0]) {
        return mst_err_set(err, MST_E_USAGE, "reason: somebody will ask why");
    }
    return until ? until_of(until->line.text, now_wall_ms, &out->until_ms, err) : MST_OK;
}

void ui_app_store(struct ui_app *app, int by)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct mst_view *v = app->view;
    const struct mst_bucket_part *b = ui_store(&x);

    for (size_t i = 0; i < v->n_stores; i++) {
        if (v->stores[i] == b) {
            const size_t next = (i + v->n_stores + (size_t)(by + (int)v->n_stores)) % v->n_stores;

            (void)mst_copy(app->st.store, sizeof app->st.store, v->stores[next]->store);
            memset(app->st.s[UI_SCR_BUCKET].top, 0, sizeof app->st.s[UI_SCR_BUCKET].top);
            ui_app_look(app, false);
            return;
        }
    }
    ui_app_say(app, MST_SEV_INFO, "only one store is configured");
}
