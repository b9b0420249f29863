/* What the sandbox menu asks for: a verb, its object, its amount. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/app.h"

enum takes { MEMBER, AMOUNT, COLLECTION };

static const struct act {
    const char *word;
    enum takes takes;
    const char *says;
} acts[] = {
    {"kill", MEMBER,
     "The process of the member ends at once, as by kill -9; start brings it back."},
    {"start", MEMBER, "Starts a member that was killed; it catches up by itself."},
    {"stop", MEMBER, "The process stands still and answers nobody; cont undoes that."},
    {"cont", MEMBER, "A member that was stopped goes on."},
    {"partition", MEMBER,
     "Cuts the member off from the other members, not from this console; heal undoes that."},
    {"heal", MEMBER, "Every cut of the member's network ends."},
    {"lag", AMOUNT, "The member applies what is written so many milliseconds later; 0 ends it."},
    {"slow", AMOUNT,
     "Its disk is slow: what touches data takes so many milliseconds longer; 0 ends it."},
    {"catchup", AMOUNT,
     "When it wins an election, it takes so many milliseconds before it is writable; 0 ends it."},
    {"freeze", AMOUNT,
     "It does not stand for election for so many seconds, as by replSetFreeze; 0 lifts it."},
    {"drop", COLLECTION, "A collection is dropped, and is gone: a restore brings it back."},
    {"disk full", MEMBER, "Writes there fail for want of room; disk ok makes room again."},
    {"disk crash", MEMBER, "No room: the next write ends the process; disk ok, then start."},
    {"disk ok", MEMBER, "There is room on its disk again."},
};

static const struct act *chosen(const struct ui_form *f)
{
    const char *word = ui_form_chosen(f, 'v');

    for (size_t i = 0; i < MST_COUNT(acts); i++) {
        if (strcmp(acts[i].word, word) == 0) {
            return &acts[i];
        }
    }
    return &acts[0];
}

static const char *typed(const struct ui_form *f, char id)
{
    const struct ui_field *x = ui_form_at(f, id);

    return x ? x->line.text : "";
}

void ui_sandbox_fit(struct ui_form *f)
{
    const enum takes takes = chosen(f)->takes;

    ui_form_get(f, 'm')->off = takes == COLLECTION;
    ui_form_get(f, 'l')->off = takes != AMOUNT;
    ui_form_get(f, 'd')->off = takes != COLLECTION;
}

static int index_of(const char *word)
{
    int i = 0;

    while (i + 1 < (int)MST_COUNT(acts) && strcmp(acts[i].word, word) != 0) {
        i++;
    }
    return i;
}

/* What was killed, stopped or cut off is what one wants back. only_who: a member is selected. */
static void offer_undo(const struct mst_topo_view *v, bool only_who, struct ui_field *act,
                       struct ui_field *who)
{
    const char *word = NULL;
    int at = -1;

    for (size_t i = 0; i < v->n_reasons; i++) {
        if (v->reasons[i].kind == MST_RS_LINK && at < 0) {
            at = v->reasons[i].member;
            word = "heal";
        }
    }
    for (size_t i = 0; i < v->n; i++) {
        const enum mst_reach reach = v->members[i].reach;

        if ((reach == MST_REACH_REFUSED || reach == MST_REACH_SILENT) &&
            (!only_who || who->choice == (int)i)) {
            at = (int)i;
            word = reach == MST_REACH_REFUSED ? "start" : "cont";
            break;
        }
    }
    if (at >= 0 && (!only_who || who->choice == at)) {
        act->choice = index_of(word);
        who->choice = at;
    }
}

void ui_sandbox_form(struct ui_app *app)
{
    const struct mst_topo_view *v = &app->view->topo->v;
    struct ui_form *f = &app->st.dlg.form;
    struct ui_field *act = ui_form_add(f, UI_F_CHOICE, 'v', "act", UI_CHOOSE), *who;

    for (size_t i = 0; i < MST_COUNT(acts); i++) {
        ui_form_choice(f, acts[i].word);
    }
    who = ui_form_add(f, UI_F_CHOICE, 'm', "member", UI_CHOOSE);
    for (size_t i = 0; i < v->n; i++) {
        ui_form_choice(f, v->members[i].name);
        if (strcmp(v->members[i].name, app->st.member) == 0 ||
            ((int)i == v->primary && !app->st.member[0])) {
            who->choice = (int)i;
        }
    }
    offer_undo(v, app->st.member[0] != '\0', act, who);
    (void)ui_form_add(f, UI_F_TEXT, 'l', "how much", "milliseconds; of a freeze: seconds");
    (void)ui_form_add(f, UI_F_TEXT, 'd', "collection", "database.collection, as shop.customers");
    ui_dialog_buttons(f, "Cancel", "Do it");
    ui_sandbox_fit(f);
}

const char *ui_sandbox_says(const struct ui_form *f)
{
    return chosen(f)->says;
}

const char *ui_sandbox_verb(const struct ui_form *f, char verb[UI_CHOICE_MAX])
{
    const struct act *act = chosen(f);
    const char *blank = strchr(act->word, ' ');

    (void)snprintf(verb, UI_CHOICE_MAX, "%.*s", (int)strcspn(act->word, " "), act->word);
    return blank ? blank + 1 : act->takes == AMOUNT ? typed(f, 'l') : "";
}

const char *ui_sandbox_object(const struct ui_form *f)
{
    return chosen(f)->takes == COLLECTION ? typed(f, 'd') : ui_form_chosen(f, 'm');
}

bool ui_sandbox_go(struct ui_app *app, char said[UI_SAID_MAX])
{
    struct ui_dialog *d = &app->st.dlg;
    const struct act *act = chosen(&d->form);
    char verb[UI_CHOICE_MAX];
    const char *value = ui_sandbox_verb(&d->form, verb);

    if (act->takes == AMOUNT && !value[0]) {
        (void)snprintf(d->error, sizeof d->error, "how much: say how many %s",
                       strcmp(act->word, "freeze") == 0 ? "seconds" : "milliseconds");
        ui_form_focus(&d->form, 'l');
        return false;
    }
    if (act->takes == COLLECTION && !strchr(typed(&d->form, 'd'), '.')) {
        (void)mst_copy(d->error, sizeof d->error, "collection: name it as database.collection");
        ui_form_focus(&d->form, 'd');
        return false;
    }
    if (!app->sandbox ||
        !app->sandbox->start(app->sandbox->arg, verb, ui_sandbox_object(&d->form), value)) {
        (void)mst_copy(d->error, sizeof d->error, "the act before is still under way");
        return false;
    }
    (void)snprintf(said, UI_SAID_MAX, "sandbox: %s %s", act->word, ui_sandbox_object(&d->form));
    return true;
}
