/* command.c: the ':' line and the '/' filter, key by key. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/app.h"
#include "ui/prompt.h"

/* The verb of a ':' line that opens a dialog for what is named behind it. */
static bool command_dialog(struct ui_app *app, const char *verb, const char *arg)
{
    static const struct {
        const char *verb;
        enum ui_act act;
    } table[] = {
        {"backup", UI_ACT_BACKUP},  {"restore", UI_ACT_RESTORE}, {"verify", UI_ACT_VERIFY},
        {"cancel", UI_ACT_CANCEL},  {"discard", UI_ACT_DISCARD}, {"sandbox", UI_ACT_SANDBOX},
        {"copyto", UI_ACT_COPY_TO}, {"hold", UI_ACT_HOLD},       {"storetest", UI_ACT_STORE_TEST}};
    static const char *const switches[] = {"switchover", "stepdown", "failback"};

    for (size_t i = 0; i < MST_COUNT(table); i++) {
        if (strcmp(verb, table[i].verb) == 0) {
            ui_app_dialog(app, table[i].act, arg);
            return true;
        }
    }
    for (size_t i = 0; i < MST_COUNT(switches); i++) {
        if (strcmp(verb, switches[i]) == 0) {
            char what[300];

            (void)snprintf(what, sizeof what, "%s %.256s", verb, arg);
            ui_app_dialog(app, UI_ACT_SWITCH, what);
            return true;
        }
    }
    return false;
}

static bool command_plain(struct ui_app *app, const char *verb)
{
    static const struct {
        const char *verb;
        enum ui_act act;
        int key;
    } table[] = {
        {"ack", UI_ACT_ACK, 0},       {"bucket", UI_ACT_SCREEN, '4'},  {"copy", UI_ACT_COPY, 0},
        {"export", UI_ACT_EXPORT, 0}, {"dash", UI_ACT_SCREEN, '1'},    {"freeze", UI_ACT_FREEZE, 0},
        {"help", UI_ACT_HELP, 0},     {"jobs", UI_ACT_SCREEN, '3'},    {"messages", UI_ACT_LOG, 0},
        {"quit", UI_ACT_QUIT, 0},     {"reload", UI_ACT_RELOAD, 0},    {"run", UI_ACT_RUN, 0},
        {"zoom", UI_ACT_ZOOM, 0},     {"topology", UI_ACT_SCREEN, '2'}};

    for (size_t i = 0; i < MST_COUNT(table); i++) {
        if (strcmp(verb, table[i].verb) == 0) {
            ui_app_act(app, table[i].act, table[i].key);
            return true;
        }
    }
    return false;
}

static bool command_setting(struct ui_app *app, const char *verb, const char *arg)
{
    if (strcmp(verb, "theme") == 0) {
        (void)mst_copy(app->theme_wanted, sizeof app->theme_wanted, arg[0] ? arg : "next");
    } else if (strcmp(verb, "glyphs") == 0) {
        if (strcmp(arg, "ascii") != 0 && strcmp(arg, "utf8") != 0) {
            ui_app_say(app, MST_SEV_WARN, "glyphs: utf8 or ascii");
        } else {
            (void)mst_copy(app->glyphs_wanted, sizeof app->glyphs_wanted, arg);
        }
    } else if (strcmp(verb, "hints") == 0) {
        if (strcmp(arg, "on") != 0 && strcmp(arg, "off") != 0) {
            ui_app_say(app, MST_SEV_WARN, "hints: on or off");
        } else {
            app->st.hints_off = strcmp(arg, "off") == 0;
        }
    } else if (strcmp(verb, "filter") == 0) {
        ui_app_filter(app, arg);
    } else {
        return false;
    }
    return true;
}

void ui_app_command(struct ui_app *app, const char *line)
{
    char verb[32], arg[256];
    size_t n;
    const struct ui_verb *verbs = ui_verbs(&n);
    const char *names[64], *near;
    const size_t len = strcspn(line, " ");

    (void)snprintf(verb, sizeof verb, "%.*s", (int)(len < sizeof verb ? len : sizeof verb - 1),
                   line);
    (void)mst_copy(arg, sizeof arg, line + len + strspn(line + len, " "));
    if (!verb[0] || command_plain(app, verb) || command_dialog(app, verb, arg) ||
        command_setting(app, verb, arg)) {
        return;
    }
    for (size_t i = 0; i < n && i < MST_COUNT(names); i++) {
        names[i] = verbs[i].name;
    }
    near = mst_text_nearest(verb, names, n < MST_COUNT(names) ? n : MST_COUNT(names));
    ui_app_say(app, MST_SEV_WARN, "there is no command '%s'%s%s%s", verb,
               near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "; ? lists them");
}

static void remember(struct ui_app *app, const char *line)
{
    if (!line[0]) {
        return;
    }
    if (app->n_history == UI_HISTORY) {
        memmove(app->history[0], app->history[1], sizeof app->history - sizeof app->history[0]);
        app->n_history--;
    }
    (void)mst_copy(app->history[app->n_history++], sizeof app->history[0], line);
}

static void recall(struct ui_app *app, int by)
{
    if (by < 0 && app->history_at > 0) {
        app->history_at--;
    } else if (by > 0 && app->history_at < app->n_history) {
        app->history_at++;
    }
    ui_line_set(&app->st.input,
                app->history_at < app->n_history ? app->history[app->history_at] : "");
}

static void prompt_done(struct ui_app *app, bool run)
{
    const char mark = app->st.prompt;
    char line[256];

    (void)mst_copy(line, sizeof line, app->st.input.text);
    app->st.prompt = 0;
    app->st.completions[0] = '\0';
    if (mark == '/') {
        if (!run) {
            app->st.s[app->st.scr].find[0] = '\0';
        }
    } else if (run) {
        remember(app, line);
        ui_app_command(app, line);
    }
}

void ui_app_prompt_key(struct ui_app *app, int key, const char *paste)
{
    struct ui_state *st = &app->st;

    if (key == UI_KEY_ESC || key == UI_KEY_CTRL_C) {
        prompt_done(app, false);
        return;
    }
    if (key == UI_KEY_ENTER) {
        prompt_done(app, true);
        return;
    }
    st->completions[0] = '\0';
    if (key == UI_KEY_TAB && st->prompt == ':') {
        ui_prompt_complete(&st->input, st->completions, sizeof st->completions);
    } else if ((key == UI_KEY_UP || key == UI_KEY_DOWN) && st->prompt == ':') {
        recall(app, key == UI_KEY_UP ? -1 : 1);
    } else if (key == UI_KEY_PASTE) {
        ui_line_paste(&st->input, paste ? paste : "");
    } else if (key == UI_KEY_BACKSPACE && !st->input.text[0]) {
        prompt_done(app, false);
    } else {
        (void)ui_line_key(&st->input, key);
    }
    if (st->prompt == '/') {
        ui_app_filter(app, st->input.text);
    }
}
