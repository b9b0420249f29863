/* plain.c: a view as lines of plain text. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ui/lines.h"
#include "ui/screen.h"
#include "ui/ui.h"

enum { TEXT_ROWS = 60, TEXT_COLS = 79 };

void ui_lines_text(const struct mst_view *v, int64_t now_mono_ms, int64_t now_wall_ms,
                   struct mst_str *out)
{
    struct ui_state *st = mst_xcalloc(1, sizeof *st);
    const struct ui_ctx x = {v, st};
    struct ui_canvas cv;
    struct mst_str text = {0};
    const char *end;

    st->now_mono_ms = now_mono_ms;
    st->now_wall_ms = now_wall_ms;
    ui_canvas_init(&cv, TEXT_ROWS, TEXT_COLS, true);
    ui_draw(&x, &cv);
    ui_canvas_text(&cv, &text);
    /* Without the last line, which names keys. */
    end = mst_str_c(&text) + text.len;
    while (end > mst_str_c(&text) && end[-1] == '\n') {
        end--;
    }
    while (end > mst_str_c(&text) && end[-1] != '\n') {
        end--;
    }
    while (end > mst_str_c(&text) && end[-1] == '\n') {
        end--;
    }
    mst_str_addn(out, mst_str_c(&text), (size_t)(end - mst_str_c(&text)));
    mst_str_addc(out, '\n');
    mst_str_release(&text);
    ui_canvas_release(&cv);
    free(st);
}

enum mst_rc ui_screen_text(const struct mst_view *v, const char *screen, int rows, int cols,
                           int64_t now_mono_ms, int64_t now_wall_ms, struct mst_str *out,
                           struct mst_err *err)
{
    static const char *const names[UI_SCR_COUNT] = {"overview", "topology", "jobs", "bucket"};
    struct ui_state *st;
    struct ui_canvas cv;
    int scr = 0;

    while (scr < UI_SCR_COUNT && strcmp(names[scr], screen) != 0) {
        scr++;
    }
    if (scr == UI_SCR_COUNT) {
        return mst_err_set(err, MST_E_USAGE,
                           "there is no screen '%s': overview, topology, jobs or bucket", screen);
    }
    st = mst_xcalloc(1, sizeof *st);
    st->scr = (enum ui_scr)scr;
    st->now_mono_ms = now_mono_ms;
    st->now_wall_ms = now_wall_ms;
    {
        const struct ui_ctx x = {v, st};

        ui_canvas_init(&cv, rows, cols, false);
        ui_draw(&x, &cv);
        ui_canvas_text(&cv, out);
        ui_canvas_release(&cv);
    }
    free(st);
    return MST_OK;
}
