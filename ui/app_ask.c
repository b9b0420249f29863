/* app_ask.c: what keys ask of the engine without an act: details, what a store says of itself, all
 * of it again. */
#include "base/mem.h"
#include "ui/app.h"
#include "ui/bucket.h"

void ui_app_ask_detail(struct ui_app *app)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct mst_backup *b = ui_backup_selected(&x);
    struct mst_cmd cmd = {.kind = MST_CMD_DETAIL};
    struct mst_err err = {0};
    uint64_t job = 0;

    if (!b) {
        return;
    }
    (void)mst_copy(cmd.backup, sizeof cmd.backup, b->id);
    (void)mst_copy(cmd.store, sizeof cmd.store, app->view->n_stores > 1 ? ui_store(&x)->store : "");
    if (app->engine.submit(app->engine.arg, &cmd, &job, &err) != MST_OK) {
        ui_app_say(app, MST_SEV_WARN, "%s", err.msg);
    }
}

bool ui_app_detail_wanted(const struct ui_app *app)
{
    const struct ui_ctx x = {app->view, &app->st};
    const int pane = app->st.s[UI_SCR_BUCKET].pane;
    const struct mst_backup *b = app->view ? ui_backup_selected(&x) : NULL;

    return (pane == UI_P_CONTENT || pane == UI_P_DETAIL) && b && !ui_backup_detail(&x, b);
}

/* It is being asked, or was not long ago. */
static bool known(const struct ui_app *app, const struct mst_look_part *l)
{
    return l && (l->loading || app->st.now_mono_ms - l->read_at_ms < UI_LOOK_MS);
}

void ui_app_look(struct ui_app *app, bool again)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct mst_bucket_part *b = app->view ? ui_store(&x) : NULL;
    struct mst_cmd cmd = {.kind = MST_CMD_STORE_LOOK};
    struct mst_err err = {0};
    uint64_t job = 0;
    size_t at = 0;

    if (!b || app->st.scr != UI_SCR_BUCKET) {
        return;
    }
    while (at < app->view->n_stores && app->view->stores[at] != b) {
        at++;
    }
    if (at == app->view->n_stores || (!again && known(app, app->view->looks[at]))) {
        return;
    }
    (void)mst_copy(cmd.store, sizeof cmd.store, b->store);
    if (app->engine.submit(app->engine.arg, &cmd, &job, &err) != MST_OK) {
        ui_app_say(app, MST_SEV_WARN, "%s", err.msg);
    }
}

void ui_app_reload(struct ui_app *app)
{
    const enum mst_cmd_kind kinds[] = {MST_CMD_MONITOR_NOW, MST_CMD_BUCKET_RELOAD};
    struct mst_err err = {0};
    uint64_t job = 0;

    for (size_t i = 0; i < MST_COUNT(kinds); i++) {
        const struct mst_cmd cmd = {.kind = kinds[i]};

        if (kinds[i] == MST_CMD_BUCKET_RELOAD && !app->view->bucket) {
            continue;
        }
        if (app->engine.submit(app->engine.arg, &cmd, &job, &err) != MST_OK) {
            ui_app_say(app, MST_SEV_WARN, "%s", err.msg);
            return;
        }
    }
    ui_app_look(app, true);
    ui_app_say(app, MST_SEV_INFO, "asked every member and the store again");
}
