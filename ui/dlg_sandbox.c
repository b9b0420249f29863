/* What the sandbox menu asks for: a verb, its object, its amount. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/app.h"

const char *ui_sandbox_verb(const struct ui_form *f, char verb[UI_CHOICE_MAX])
{
    const char *act = ui_form_chosen(f, 'v'), *blank = strchr(act, ' ');

    (void)snprintf(verb, UI_CHOICE_MAX, "%.*s", (int)strcspn(act, " "), act);
    return blank ? blank + 1 : ui_sandbox_takes_amount(act) ? ui_form_at(f, 'l')->line.text : "";
}

bool ui_sandbox_takes_amount(const char *act)
{
    static const char *const those[] = {"lag", "slow", "catchup", "freeze"};

    for (size_t i = 0; i < MST_COUNT(those); i++) {
        if (strcmp(those[i], act) == 0) {
            return true;
        }
    }
    return false;
}

const char *ui_sandbox_object(const struct ui_form *f)
{
    return strcmp(ui_form_chosen(f, 'v'), "drop") == 0 ? ui_form_at(f, 'd')->line.text
                                                       : ui_form_chosen(f, 'm');
}
