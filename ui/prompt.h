/* prompt.h: the words of the ':' line. Pure. */
#ifndef UI_PROMPT_H
#define UI_PROMPT_H

#include "ui/state.h"

struct ui_verb {
    const char *name, *args, *help;
};
const struct ui_verb *ui_verbs(size_t *n);
/* Completes the first word as far as it is certain; the candidates go to list ("" when one or
 * none). */
void ui_prompt_complete(struct ui_line *l, char *list, size_t size);
void ui_prompt_draw(const struct ui_state *st, const struct ui_area *a, int y);

#endif
