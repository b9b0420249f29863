/* world_kit.h: a console over the facts of a fixture. */
#ifndef MST_TEST_WORLD_KIT_H
#define MST_TEST_WORLD_KIT_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fixture.h"
#include "test.h"

struct world {
    struct fx *f;
    struct ui_app *app;
};

static inline struct world with(struct fx *f)
{
    struct world w = {f, mst_xcalloc(1, sizeof(struct ui_app))};

    fx_app(f, w.app);
    return w;
}

static inline void done(struct world *w)
{
    ui_app_release(w->app);
    free(w->app);
    fx_free(w->f);
}

static inline bool shows_at(struct world *w, int rows, int cols, const char *text)
{
    char *s = fx_text(w->app, rows, cols, false);
    const bool found = strstr(s, text) != NULL;

    free(s);
    return found;
}

#endif
