/* app_list.c: what keys do to a list: its order, and a copy of what is selected. */
#include "base/mem.h"
#include "ui/app.h"
#include "ui/members.h"

void ui_app_sort(struct ui_app *app, bool turn)
{
    const struct ui_screen *s = ui_screen_of(app->st.scr);
    struct ui_scr_state *ss = &app->st.s[app->st.scr];
    size_t at = 0;

    if (!s->sorts || (app->st.scr == UI_SCR_TOPO && ss->other)) {
        ui_app_say(app, MST_SEV_INFO, "the tree keeps its own order: v shows the table");
        return;
    }
    if (turn && ss->sort > 0) {
        ss->down = !ss->down;
    } else if (!turn) {
        while (ss->sort > 0 && s->sorts[at].name && s->sorts[at].col + 1 != ss->sort) {
            at++;
        }
        at += ss->sort > 0 && s->sorts[at].name;
        ss->sort = s->sorts[at].name ? s->sorts[at].col + 1 : 0;
        ss->down = s->sorts[at].down;
    }
    for (at = 0; s->sorts[at].name && s->sorts[at].col + 1 != ss->sort; at++) {
    }
    if (s->sorts[at].name) {
        ui_app_say(app, MST_SEV_INFO, "sorted by %s, %s first; O turns it", s->sorts[at].name,
                   ss->down ? "biggest" : "smallest");
    } else {
        ui_app_say(app, MST_SEV_INFO, "not sorted: o sorts by the next column");
    }
}

void ui_app_copy(struct ui_app *app)
{
    const struct ui_ctx x = {app->view, &app->st};
    const struct mst_topo_view *v = &app->view->topo->v;
    const struct mst_backup *b = ui_backup_selected(&x);
    const struct mst_job *j = ui_job_selected(&x);
    const size_t m = ui_members_selected(&x);
    const char *text = app->st.msg;

    if (app->st.scr == UI_SCR_TOPO) {
        text = m < v->n ? v->members[m].name : "";
    } else if (app->st.scr == UI_SCR_JOBS) {
        text = !j ? "" : j->result[0] ? j->result : j->backup_id;
    } else if (app->st.scr == UI_SCR_BUCKET) {
        text = b ? b->id : "";
    }
    if (text[0]) {
        (void)mst_copy(app->copy_wanted, sizeof app->copy_wanted, text);
    } else {
        ui_app_say(app, MST_SEV_INFO, "there is nothing to copy");
    }
}
