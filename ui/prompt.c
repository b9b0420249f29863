#include "ui/prompt.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const struct ui_verb verbs[] = {
    {"ack", "", "acknowledge messages"},
    {"backup", "", "back the set up.."},
    {"bucket", "", "screen 4"},
    {"cancel", "[JOB]", "cancel a job.."},
    {"copy", "", "what is selected, to the clipboard"},
    {"copyto", "[ID]", "a backup into another store.."},
    {"dash", "", "screen 1"},
    {"discard", "", "discard what a restore kept.."},
    {"export", "", "the screen to a text file"},
    {"failback", "[RUN]", "the primary back to where it was.."},
    {"filter", "TEXT", "show matching rows only"},
    {"freeze", "", "hold the display"},
    {"glyphs", "utf8|ascii", "characters of frames"},
    {"help", "", "keys and words"},
    {"hints", "on|off", "the last line"},
    {"hold", "[ID]", "keep a backup.."},
    {"jobs", "", "screen 3"},
    {"messages", "", "message log"},
    {"quit", "", "leave"},
    {"reload", "", "ask again now"},
    {"restore", "[ID]", "restore a backup.."},
    {"run", "", "the run of a switch"},
    {"sandbox", "", "kill, start, cut members.."},
    {"stepdown", "", "the primary to any heir.."},
    {"storetest", "", "write, read, list, delete.."},
    {"switchover", "[MEMBER]", "the primary to a member.."},
    {"theme", "default|mono|FILE", "colours"},
    {"topology", "", "screen 2"},
    {"verify", "[ID]", "read a backup back.."},
    {"zoom", "", "pane to full screen"},
};

const struct ui_verb *ui_verbs(size_t *n)
{
    *n = MST_COUNT(verbs);
    return verbs;
}

static size_t common(const char *a, const char *b, size_t n)
{
    size_t i = 0;

    while (i < n && a[i] == b[i]) {
        i++;
    }
    return i;
}

void ui_prompt_complete(struct ui_line *l, char *list, size_t size)
{
    const size_t typed = strlen(l->text);
    const char *first = NULL;
    size_t same = 0, hits = 0;
    char word[32];

    list[0] = '\0';
    if (strchr(l->text, ' ')) {
        return;
    }
    for (size_t i = 0; i < MST_COUNT(verbs); i++) {
        const size_t used = strlen(list);

        if (strncmp(verbs[i].name, l->text, typed) != 0) {
            continue;
        }
        same = first ? common(first, verbs[i].name, same) : strlen(verbs[i].name);
        first = first ? first : verbs[i].name;
        hits++;
        (void)snprintf(list + used, size - used, "%s%s", used ? " " : "", verbs[i].name);
    }
    if (hits == 1) {
        list[0] = '\0';
        (void)snprintf(word, sizeof word, "%s ", first);
        ui_line_set(l, word);
    } else if (hits > 1 && same > typed) {
        (void)snprintf(word, sizeof word, "%.*s", (int)same, first);
        ui_line_set(l, word);
    }
}

void ui_prompt_draw(const struct ui_state *st, const struct ui_area *a, int y)
{
    const int list = st->completions[0] ? ui_cols(st->completions) + 2 : 0;
    const int w = list > 0 && list < a->w / 2 ? a->w - 3 - list : a->w - 3;
    char mark[2] = {st->prompt, '\0'};

    (void)ui_put(a, y, 1, UI_KEY, mark);
    ui_line_draw(&st->input, a, y, 2, w, UI_TEXT, true);
    if (w < a->w - 3) {
        (void)ui_put(a, y, w + 3, UI_DIM, st->completions);
    }
}
