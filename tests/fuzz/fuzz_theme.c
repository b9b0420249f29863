/* The text of a theme: it is one, or the first wrong line is named. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ui/theme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ui_theme t;
    struct mst_err err = {0};
    char *text = mst_xstrndup((const char *)data, size);

    if (ui_theme_parse(&t, "some.theme", text, &err) == MST_OK) {
        for (size_t p = 0; p < UI_PAL_COUNT; p++) {
            for (size_t r = 0; r < UI_ROLE_COUNT; r++) {
                const struct ui_style *s = &t.style[p][r];

                MST_ASSERT(s->fg >= -1 && s->fg <= 255 && s->bg >= -1 && s->bg <= 255);
            }
        }
    } else {
        MST_ASSERT(err.rc == MST_E_CONFIG && strncmp(err.msg, "some.theme:", 11) == 0);
    }
    free(text);
    return 0;
}
