/* lines.h: the console of a terminal that cannot place its cursor: lines, one after the other. */
#ifndef UI_LINES_H
#define UI_LINES_H

#include "base/str.h"
#include "engine/engine.h"

/* The facts of a view, one a line, plain text. Pure. */
void ui_lines_text(const struct mst_view *v, int64_t now_mono_ms, int64_t now_wall_ms,
                   struct mst_str *out);
enum mst_rc ui_lines_run(struct mst_engine *engine, int sig_fd, int *end_signal,
                         struct mst_err *err) MST_MUST_CHECK;

#endif
